import numpy as np
from numpy.typing import NDArray

def interval_means(
    t: NDArray[np.float64],
    x: NDArray[np.float64],
    edges: NDArray[np.float64],
    *,
    linear: bool,
    out: NDArray[np.float64],
) -> None: ...

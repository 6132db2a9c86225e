from typing import Any

import numpy as np
from numpy.typing import NDArray

_F = NDArray[np.float64]
_U = NDArray[np.uint16]

class Solid:
    def __init__(self, *, dx: _F, dy: _F, dz: _F, material: _U, conductivity: _F, heat_capacity: _F, contact: _F,
                 film: tuple[_F, ...], threads: int) -> None: ...
    def apply(self, T: _F, *, threads: int, out: _F) -> None: ...
    def capacity(self, *, out: _F) -> None: ...
    def solve(self, *, shift: float, b: _F, tolerance: float, enough: float, iterations: int, threads: int,
              x: _F) -> dict[str, Any]: ...
    def steady(self, *, power: _F, film_temperature: tuple[_F, ...], tolerance: float, iterations: int, threads: int,
               out: _F) -> dict[str, Any]: ...

import numpy as np
from numpy.typing import NDArray

_F = NDArray[np.float64]

def store_pass(
    dt: _F,
    weight: _F,
    load: _F,
    *,
    capacity: float,
    set_point: float,
    charge_efficiency: float,
    discharge_efficiency: float,
    recharge_time: float,
    floor: float,
    floor_hold: float,
    ramp_up: float,
    ramp_down: float,
    out: NDArray[np.float64],
) -> None: ...

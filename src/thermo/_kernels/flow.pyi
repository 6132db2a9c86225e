import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_F = NDArray[np.float64]
_I = NDArray[np.int32]
_U = NDArray[np.uint8]

PARAMETERS: int

class Fault(enum.Enum):
    NONE = 0
    PUMP_WITHOUT_REFERENCE = 1
    INFLOW_WITHOUT_WAY_OUT = 2
    PUMP_AGAINST_SHUT = 3
    NO_CONVERGENCE = 4

class Kind(enum.Enum):
    PIPE = 0
    RESISTANCE = 1
    CHANNELS = 2
    VALVE = 3
    CHECK_VALVE = 4
    PUMP = 5
    def __int__(self) -> int: ...

class FlowNetwork:
    def __init__(self, *, tail: _I, head: _I, given: _U, kind: _I, branch: _I, curve: _I, parameters: _F,
                 curves: list[Any]) -> None: ...
    def solve(self, *, setting: _F, loss: _F, shut: _U, pressure: _F, inflow: _F, density: float, viscosity: float, warm: bool,
              flow: _F, node_pressure: _F, drop: _F) -> tuple[Fault, int, int, int]: ...
    def sensitivity(self, *, setting: _F, loss: _F, shut: _U, pressure: _F, inflow: _F, density: float, viscosity: float,
                    flow: _F, element: int, out: _F) -> None: ...

from typing import Any

import numpy as np
from numpy.typing import NDArray

_F = NDArray[np.float64]
_I = NDArray[np.int32]
_U = NDArray[np.uint16]
_Faces = tuple[_F, _F, _F, _F, _F, _F]

class Solid:
    def __init__(self, *, dx: _F, dy: _F, dz: _F, material: _U, conductivity: _F, heat_capacity: _F, contact: _F, film: _Faces,
                 tables: list[tuple[_F, _F] | None] | None, channels: tuple[int, _I, _F, _F, _F] | None,
                 threads: int) -> None: ...
    @property
    def bytes(self) -> int: ...
    def apply(self, T: _F, *, threads: int, out: _F) -> None: ...
    def capacity(self, *, out: _F) -> None: ...
    def solve(self, *, shift: float, b: _F, tolerance: float, enough: float, iterations: int, threads: int,
              x: _F) -> dict[str, Any]: ...
    def steady(self, *, power: _F, film_temperature: _Faces, inlet: _F, tolerance: float, still: float, iterations: int,
               threads: int, out: _F, coolant: _F, outlet: _F) -> dict[str, Any]: ...

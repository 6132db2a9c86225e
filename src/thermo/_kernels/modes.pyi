import numpy as np
from numpy.typing import NDArray

_F = NDArray[np.float64]
_I = NDArray[np.int32]

def steady_layers(*, lambda_x: _F, lambda_y: _F, thickness: _F, conductivity: _F, contact: _F, film_bottom: float, film_top: float,
                  source_layer: _I, source_place: _I, flux: _F, output_layer: _I, output_height: _F, out: _F) -> None: ...
def steady_column(*, lambda_x: _F, lambda_y: _F, side: _F, up: _F, bottom: float, top: float, capacity: _F, share: _F, flux: _F,
                  cells: _I, out: _F) -> None: ...
def transient_column(*, lambda_x: _F, lambda_y: _F, side: _F, up: _F, bottom: float, top: float, capacity: _F, share: _F, flux: _F,
                     step: _F, power: _F, initial: _F | None, cells: _I, sensor_profile: _F, sensor_weight: _F, maps: _F,
                     readings: _F) -> bool: ...

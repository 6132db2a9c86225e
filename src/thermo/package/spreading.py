r"""Spreading resistance of a plate that is heated on a part of it: a closed form within 10 %, and the series that it stands for.

The heat of a source spreads in the plate to a film on its far face. With its mean and its highest temperature, resistances are counted
to the *mean of the far face*; what comes on top is the film's own, ``1 / (h A)``. Sides and the rest of the heated face are adiabatic.

The closed form of Lee, Song, Au and Moran [1]_ (`thermo.formulas.spreading_resistance_average`) is for a disc in the middle of a
disc; rectangles are taken as discs of their area. The series is that of a rectangle anywhere on a rectangle [2]_ [3]_: cosine modes
in the plane, each with its exact resistance through the plate,

.. math:: \frac{1}{k \gamma} \frac{k\gamma + h \tanh \gamma t}{k\gamma \tanh \gamma t + h}, \qquad
          \gamma^2 = (m\pi/c)^2 + (n\pi/d)^2

References
----------
.. [1] S. Lee, S. Song, V. Au and K. P. Moran, Constriction/spreading resistance model for electronics packaging, Proc. 4th ASME/JSME
   Thermal Engineering Joint Conf., vol. 4, 1995, 199-206.
.. [2] M. M. Yovanovich, Y. S. Muzychka and J. R. Culham, Spreading resistance of isoflux rectangles and strips on compound flux
   channels, J. Thermophysics and Heat Transfer 13(4), 1999, 495-500, doi:10.2514/2.6467.
.. [3] Y. S. Muzychka, J. R. Culham and M. M. Yovanovich, Thermal spreading resistance of eccentric heat sources on rectangular flux
   channels, J. Electronic Packaging 125(2), 2003, 178-185, doi:10.1115/1.1568125.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from thermo import formulas
from thermo._kernels import formulas as f
from thermo.errors import ScenarioError

__all__ = ["SpreadingResistance", "spreading_closed_form", "spreading_series"]

FINEST = 60.0  # pi m a / (2 c) of the last mode: what is left out is below 1e-4 of the mean, 1e-3 of the middle


class SpreadingResistance(NamedTuple):
    """From a source to the mean of the plate's far face [K/W]."""

    mean: float  # of the mean temperature of the source
    middle: float  # of the temperature in its middle, the highest where the source is in the middle of the plate


def spreading_closed_form(source_area: float, plate_area: float, thickness: float, conductivity: float, film: float) -> SpreadingResistance:
    """Of a source in the middle of a plate, by Lee et al.; within 10 % of the series in the range of validity.

    Parameters
    ----------
    source_area, plate_area : float
        Of the source, and of the plate, which is not smaller. [m2]
    thickness : float
        Of the plate. [m]
    conductivity : float
        Of the plate. [W/(m K)]
    film : float
        Heat-transfer coefficient on the far face. [W/(m2 K)]

    Warns
    -----
    ValidityWarning
        Outside thickness over plate radius >= 0.1, source over plate radius <= 0.7, and for the middle a Biot number <= 1.
    """
    _require_positive(source_area=source_area, plate_area=plate_area, thickness=thickness, conductivity=conductivity, film=film)
    if source_area > plate_area:
        raise ScenarioError(f"source_area is {source_area:g} m2, expected at most the plate's {plate_area:g} m2")
    a, b = math.sqrt(source_area / math.pi), math.sqrt(plate_area / math.pi)
    args = (a, b, thickness, conductivity, film)
    return SpreadingResistance(float(formulas.spreading_resistance_average(*args)), float(f.spreading_resistance_max(*args)))


def spreading_series(source: tuple[float, float], plate: tuple[float, float], thickness: float, conductivity: float, film: float, *,
                     centre: tuple[float, float] = (0.0, 0.0)) -> SpreadingResistance:
    """Of a rectangle with even flux anywhere on a rectangular plate, by the series.

    Parameters
    ----------
    source, plate : (float, float)
        Sides along x and y. [m]
    thickness : float
        Of the plate. [m]
    conductivity : float
        Of the plate. [W/(m K)]
    film : float
        Heat-transfer coefficient on the far face. [W/(m2 K)]
    centre : (float, float)
        Middle of the source, from the middle of the plate. [m]

    Examples
    --------
    >>> round(spreading_series((0.02, 0.02), (0.02, 0.02), 0.004, 400.0, 1e3).mean, 6)  # no spreading: t / (k A)
    0.025
    """
    _require_positive(source=min(source), plate=min(plate), thickness=thickness, conductivity=conductivity, film=film)
    for s, p, at, axis in zip(source, plate, centre, "xy", strict=True):
        if abs(at) + s / 2 > p / 2 * (1 + 1e-9):
            raise ScenarioError(f"source: {s:g} m along {axis} around {at:g} m reaches beyond the plate of {p:g} m; is it counted from the middle?")
    waves, mean, middle = [], [], []
    for s, p, at in zip(source, plate, centre, strict=True):
        m = np.arange(int(math.ceil(2 * FINEST * p / (math.pi * s))) + 1)
        wave = m * np.pi / p
        form, cosine = np.sinc(m * s / (2 * p)), np.cos(wave * (at + p / 2))
        both = np.where(m == 0, 1.0, 2.0) * form * cosine
        waves.append(wave)
        mean.append(both * form * cosine)
        middle.append(both * cosine * np.sinc(m / m.size))  # Lanczos' factors: a sum that ends somewhere does not ring
    gamma = np.hypot(*np.meshgrid(*waves, indexing="ij"))
    gamma[0, 0] = 1.0
    tanh, kg = np.tanh(gamma * thickness), conductivity * gamma
    through = (kg + film * tanh) / (kg * tanh + film) / kg
    through[0, 0] = thickness / conductivity
    area = plate[0] * plate[1]
    return SpreadingResistance(float(mean[0] @ through @ mean[1]) / area, float(middle[0] @ through @ middle[1]) / area)


def _require_positive(**values: float) -> None:
    units = {"source": "m", "plate": "m", "thickness": "m", "conductivity": "W/(m K)", "film": "W/(m2 K)"}
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            unit = units.get(name, "m2")
            raise ScenarioError(f"{name} is {value:g} {unit}, expected above 0 {unit}")

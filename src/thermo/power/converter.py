"""Stages known by an efficiency curve: UPS, server supply, power shelf, rectifier, DC-DC, regulator, switch.

The published points are the description; the loss curve is fitted to them and says by how much it misses (`fit_error`).
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo.power.stage import Coefficients, EfficiencyPoint, LoadPoint, Stage
from thermo.rack import NotNegative, Number

__all__ = ["Converter", "Fixed", "Offset", "fitted", "scaled"]

POWERS = (0, 1, 2, 4)  # of the load fraction


def fitted(load_fraction: Sequence[float], efficiency: Sequence[float]) -> NDArray[np.float64]:
    """Coefficients >= 0 of ``loss / rated = a + b x + c x^2 + d x^4``: least squares of efficiency at its points.

    Parameters
    ----------
    load_fraction : sequence of float
        Output over rated output, > 0. [1]
    efficiency : sequence of float
        Output over input. [1]

    Returns
    -------
    coefficients : ndarray, shape (4,)
        ``a, b, c, d``. [1]

    Notes
    -----
    Non-negative least squares by trying each of the 15 sets of terms: the best one whose coefficients are >= 0 is the
    solution. A small change of loss changes the efficiency by ``-efficiency^2 / x`` of it, hence the weights. `d` comes
    out 0 for curves that are parabolas; supplies with 91 % at full load and 96 % at half load need it (80 PLUS Titanium
    is missed by 1.6 points without it and by 0.1 with it).

    Examples
    --------
    >>> [round(float(k), 4) for k in fitted([0.1, 0.5, 1.0], [1 / 1.102, 1 / 1.03, 1 / 1.03])]
    [0.01, 0.0, 0.02, 0.0]
    """
    x, eta = np.asarray(load_fraction, dtype=np.float64), np.asarray(efficiency, dtype=np.float64)
    weight = eta**2 / x
    terms = np.stack([x**p for p in POWERS], axis=1) * weight[:, None]
    target = x * (1.0 / eta - 1.0) * weight
    best, least = np.zeros(len(POWERS)), float(target @ target)
    for count in range(1, min(len(POWERS), len(x)) + 1):
        for chosen in combinations(range(len(POWERS)), count):
            part = np.linalg.lstsq(terms[:, chosen], target, rcond=None)[0]
            error = float(np.sum((terms[:, chosen] @ part - target) ** 2))
            if np.all(part >= 0) and error < least - 1e-15:  # of equals the one with fewer terms
                least, best = error, np.zeros(len(POWERS))
                best[list(chosen)] = part
    return best


@lru_cache(maxsize=256)
def _fitted_once(load_fraction: tuple[float, ...], efficiency: tuple[float, ...]) -> NDArray[np.float64]:
    curve = fitted(load_fraction, efficiency)
    curve.flags.writeable = False  # shared by all stages with these points
    return curve


class Converter(Stage):
    """A stage by its efficiency at some fractions of its rating."""

    kind: Literal["converter"] = "converter"
    load_fraction: tuple[LoadPoint, ...] = Field(min_length=2, max_length=64)
    efficiency: tuple[EfficiencyPoint, ...] = Field(min_length=2, max_length=64)
    fraction_of: Literal["output", "input"] = "output"  # what the published fractions are fractions of

    @model_validator(mode="after")
    def _points_match(self) -> Self:
        if len(self.load_fraction) != len(self.efficiency):
            raise ValueError(f"load_fraction has {len(self.load_fraction)} points, efficiency {len(self.efficiency)}")
        if any(b <= a for a, b in zip(self.load_fraction, self.load_fraction[1:], strict=False)):
            raise ValueError("load_fraction must rise")
        return self

    @property
    def output_fraction(self) -> NDArray[np.float64]:
        """Published points as fractions of rated output."""
        x = np.asarray(self.load_fraction)
        return x * np.asarray(self.efficiency) if self.fraction_of == "input" else x

    @cached_property
    def curve(self) -> NDArray[np.float64]:
        """``a, b, c, d`` of the loss over the rating."""
        return _fitted_once(tuple(self.output_fraction), self.efficiency)

    @property
    def fit_error(self) -> float:
        """Largest difference of fitted and published efficiency. [1]"""
        x = self.output_fraction
        loss = sum(k * x**p for k, p in zip(self.curve, POWERS, strict=True))
        return float(np.max(np.abs(x / (x + loss) - np.asarray(self.efficiency))))

    def coefficients(self) -> Coefficients:
        """The fitted curve, scaled to the rating; the load fraction is that of the apparent power."""
        return _scaled(self.curve, self.rating(), self.power_factor)


def _scaled(curve: NDArray[np.float64], S: float, f: float) -> Coefficients:
    a, b, c, d = (float(k) for k in curve)
    return Coefficients(S * a, b / f, c / (S * f**2), d / (S**3 * f**4))


def scaled(load_fraction: tuple[float, ...], efficiency: tuple[float, ...], rating: float,
           power_factor: float = 1.0) -> Coefficients:
    """Loss of a unit of that rating [W, VA] by efficiencies at fractions of its rated output."""
    return _scaled(_fitted_once(load_fraction, efficiency), rating, power_factor)


class Fixed(Stage):
    """A stage of one efficiency at any load."""

    kind: Literal["fixed"] = "fixed"
    fixed_efficiency: Annotated[Number, Field(gt=0.3, le=1)]

    def coefficients(self) -> Coefficients:
        """Loss in proportion to the output."""
        return Coefficients(0.0, 1.0 / self.fixed_efficiency - 1.0, 0.0, 0.0)


class Offset(Stage):
    """A stage published by its input, ``P_in = (P_out + offset_power) / slope_efficiency``, as Frontier's are."""

    kind: Literal["offset"] = "offset"
    offset_power: NotNegative  # W
    slope_efficiency: Annotated[Number, Field(gt=0.3, le=1)]

    def coefficients(self) -> Coefficients:
        """The published line, less the output."""
        return Coefficients(self.offset_power / self.slope_efficiency, 1.0 / self.slope_efficiency - 1.0, 0.0, 0.0)

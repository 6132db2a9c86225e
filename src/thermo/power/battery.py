"""A battery: how long it carries a load, what it gives on the way, and how it is filled again."""
from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo.rack import Celsius, Described, Number, Positive

__all__ = ["Battery"]

Floats = NDArray[np.float64]
RECHARGE_OVER_RUNTIME = 10.0  # a vendor's rule of thumb (U04): ten times the discharge time
LOWEST_FRACTION = 0.3  # of the rating: below, measured run times fall short of Peukert's law (U03: by 18 % at 20 %)
Efficiency = Annotated[Number, Field(gt=0.3, le=1)]


class Battery(Described):
    """A battery by Peukert's law, ``d(charge)/dt = -(P / P_rated)^peukert / (full_load_runtime f(T))``.

    `P` leaves the stage that the battery stands behind and `P_rated` is the rating of that stage's units: each has its
    battery. `f(T)` is usable capacity over that at 25 degC, linear between its points and constant beyond. Filling
    puts back what was taken, at constant power. Not in it: ageing, self-discharge, the fall of voltage, and what the
    stage draws at no load; below 30 % of the rating measured batteries last less long than the law says.
    """

    chemistry: Literal["li-ion", "vrla"]
    full_load_runtime: Positive  # s, at the rating, 25 degC
    peukert: Annotated[Number, Field(ge=1, le=2)]
    discharge_efficiency: Efficiency = 0.94  # what leaves the stage over what is taken: inverter and cells
    charge_efficiency: Efficiency = 0.92  # what is stored over what is drawn for it: rectifier and cells
    recharge_time: Positive | None = None  # s, to put back a full discharge at the rating; None: ten times the runtime
    capacity_temperature: tuple[Celsius, ...] = Field(default=(), max_length=64)  # degC, points of f(T)
    capacity_factor: tuple[Annotated[Number, Field(gt=0, le=2)], ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _points_match(self) -> Self:
        T = self.capacity_temperature
        if len(T) != len(self.capacity_factor):
            raise ValueError(f"capacity_temperature has {len(T)} points, capacity_factor {len(self.capacity_factor)}")
        if any(b <= a for a, b in zip(T, T[1:], strict=False)):
            raise ValueError("capacity_temperature must rise")
        return self

    def usable(self, temperature: float) -> float:
        """Capacity at a temperature [degC] over that at 25 degC. [1]"""
        if not self.capacity_temperature:
            return 1.0
        return float(np.interp(temperature, self.capacity_temperature, self.capacity_factor))

    def runtime(self, load_fraction: float, temperature: float = 25.0) -> float:
        """How long a full battery carries that fraction of the rating [s].

        Examples
        --------
        >>> Battery(chemistry="li-ion", full_load_runtime=300.0, peukert=1.0).runtime(0.5)
        600.0
        """
        return float(self.full_load_runtime * self.usable(temperature) * load_fraction**-self.peukert)

    # What carries a load (`Stage.carrier`) says the next four; see thermo.power.supply.

    def drain(self, P: Floats, rating: float, temperature: float) -> Floats:
        """How fast the charge falls while `P` [W] leaves units of that rating [W] together [1/s]."""
        out: Floats = (P / rating) ** self.peukert / (self.full_load_runtime * self.usable(temperature))
        return out

    def taken(self, P: Floats) -> Floats:
        """Power taken from the cells while `P` leaves the stage [W]."""
        return P / self.discharge_efficiency

    def filling(self, rating: float) -> float:
        """Power that is stored while the battery is filled [W]."""
        time = self.recharge_time or RECHARGE_OVER_RUNTIME * self.full_load_runtime
        return rating * self.full_load_runtime / (self.discharge_efficiency * time)

    def doubts(self, P: Floats, rating: float, temperature: float) -> str:
        """What the law does not vouch for, in a few words; empty where it does."""
        T, least = self.capacity_temperature, float(np.min(P, initial=np.inf)) / rating
        if T and not T[0] <= temperature <= T[-1]:
            return (f"at {temperature:g} degC, its capacity is known from {T[0]:g} to {T[-1]:g} degC and taken as at "
                    "the nearer end")
        if 0 < least < LOWEST_FRACTION:
            return (f"carries {least:.0%} of its rating; below {LOWEST_FRACTION:.0%} Peukert's law promises more time "
                    "than measured batteries have")
        return ""

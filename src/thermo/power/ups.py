"""An uninterruptible power supply: a converter with a battery behind it."""
from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from thermo.power.battery import Battery
from thermo.power.converter import Converter, scaled
from thermo.power.stage import Coefficients, EfficiencyPoint, LoadPoint

__all__ = ["Battery", "Ups"]


class Ups(Converter):
    """A UPS: efficiency points of the mode it runs in, those of its bypass, and its battery."""

    kind: Literal["ups"] = "ups"  # type: ignore[assignment]
    mode: Literal["double-conversion", "eco"] = "double-conversion"
    bypass_load_fraction: tuple[LoadPoint, ...] = Field(default=(), max_length=64)  # of the output
    bypass_efficiency: tuple[EfficiencyPoint, ...] = Field(default=(), max_length=64)  # none: as in its own mode
    battery: Battery | None = None

    @model_validator(mode="after")
    def _bypass_points_match(self) -> Self:
        x = self.bypass_load_fraction
        if len(x) != len(self.bypass_efficiency) or len(x) == 1 or any(b <= a for a, b in zip(x, x[1:], strict=False)):
            raise ValueError(f"bypass_load_fraction has {len(x)} points, bypass_efficiency "
                             f"{len(self.bypass_efficiency)}; give none or two and more, rising, with an efficiency each")
        return self

    @property
    def carrier(self) -> Battery | None:
        """What carries the load when nothing arrives."""
        return self.battery

    def bypass_coefficients(self) -> Coefficients:
        """Loss of one unit in bypass: that of the eco mode, without its battery."""
        if not self.bypass_load_fraction:
            return self.coefficients()
        return scaled(self.bypass_load_fraction, self.bypass_efficiency, self.rating(), self.power_factor)

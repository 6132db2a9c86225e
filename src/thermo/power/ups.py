"""An uninterruptible power supply: a converter with a battery behind it."""
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from thermo.power.converter import Converter
from thermo.rack import Described, Number, Positive

__all__ = ["Battery", "Ups"]


class Battery(Described):
    """A battery by how long it carries a load, ``runtime x (load / full load)^-peukert``. Data: nothing drains it."""

    chemistry: Literal["li-ion", "vrla"]
    full_load_runtime: Positive  # s, at the rating of the UPS
    peukert: Annotated[Number, Field(ge=1, le=2)]

    def runtime(self, load_fraction: float) -> float:
        """How long a full battery carries that fraction of the rating [s].

        Examples
        --------
        >>> Battery(chemistry="li-ion", full_load_runtime=300.0, peukert=1.0).runtime(0.5)
        600.0
        """
        return float(self.full_load_runtime * load_fraction**-self.peukert)


class Ups(Converter):
    """A UPS: efficiency points of the mode it runs in, and its battery."""

    kind: Literal["ups"] = "ups"  # type: ignore[assignment]
    mode: Literal["double-conversion", "eco"] = "double-conversion"
    battery: Battery | None = None

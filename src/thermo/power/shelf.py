"""A rack's power shelf: AC to the busbar's DC, and the capacitors that ride over a swing of the chips' load."""
from __future__ import annotations

from typing import Literal

from thermo.power.converter import Converter
from thermo.rack import Described, Positive

__all__ = ["EnergyStore", "Shelf"]


class EnergyStore(Described):
    """Energy in a shelf for each device that it feeds. Data; nothing discharges it yet."""

    energy_per_device: Positive  # J

    def hold_time(self, power: float) -> float:
        """How long it carries `power` [W] of one device alone [s].

        Examples
        --------
        >>> EnergyStore(energy_per_device=65.0).hold_time(1300.0)
        0.05
        """
        return float(self.energy_per_device / power)


class Shelf(Converter):
    """Power shelves: efficiency points of their supplies, and the energy that they store."""

    kind: Literal["shelf"] = "shelf"  # type: ignore[assignment]
    energy_store: EnergyStore | None = None

"""Cooling designs: one file each. A design is any object with `add_to` (see `site`); liquid ones take their air part from `air`."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thermo.cooling.air import Air
from thermo.cooling.cdu import Cdu
from thermo.cooling.cold_plate import ColdPlateCooling
from thermo.cooling.control import PI, Curve
from thermo.cooling.immersed import TankSink
from thermo.cooling.immersion import Immersion
from thermo.cooling.loop import Manifold
from thermo.cooling.plate import curve_plate
from thermo.cooling.pumps import Hold, Pump
from thermo.cooling.rear_door import Coil, DoorFans, RearDoor
from thermo.cooling.two_phase_immersion import TwoPhaseImmersion
from thermo.errors import ScenarioError, nearest, shown

__all__ = ["DESIGNS", "PI", "Air", "Cdu", "Coil", "ColdPlateCooling", "Curve", "Design", "DoorFans", "Hold", "Immersion", "Manifold",
           "Pump", "RearDoor", "TankSink", "TwoPhaseImmersion", "curve_plate"]

DESIGNS: dict[str, type] = {"air": Air, "rear-door": RearDoor, "cold-plate": ColdPlateCooling, "immersion": Immersion,
                           "two-phase-immersion": TwoPhaseImmersion}  # by the name that files call them


class Design:
    """The cooling design that a table describes: the one that its `design` names, ``"air"`` where it names none."""

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], where: str) -> Any:
        """The design in `data`; faults name `where`."""
        name = data.get("design", "air")
        if not isinstance(name, str) or name not in DESIGNS:
            raise ScenarioError(f"{where}: design is {shown(name)}{nearest(str(name)[:40], DESIGNS)}")
        return DESIGNS[name].from_mapping({k: v for k, v in data.items() if k != "design"}, where)  # type: ignore[attr-defined]

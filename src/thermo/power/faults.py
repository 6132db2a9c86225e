"""What can happen to a power chain: outages, bypass, failed units, a load that was dropped.

Times are in s on the clock of the series that go through the chain. A fault holds in [begin, end); faults of a kind may
overlap.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

from thermo.errors import ScenarioError, require_between

__all__ = ["Fault", "LoadDropped", "UnitsFailed", "UpsBypass", "UtilityOutage"]

LATEST = 1e12  # s


@dataclass(frozen=True)
class _Spell:
    begin: float
    end: float = math.inf

    def __post_init__(self) -> None:
        kind = type(self).__name__
        require_between(f"{kind}.begin", self.begin, -LATEST, LATEST, "s")
        if self.end != math.inf and not require_between(f"{kind}.end", self.end, -LATEST, LATEST, "s") > self.begin:
            raise ScenarioError(f"{kind}.end is {self.end:g} s, expected after begin, {self.begin:g} s; leave it out for "
                                "a fault that lasts")


@dataclass(frozen=True)
class UtilityOutage(_Spell):
    """Nothing comes from the utility."""


@dataclass(frozen=True)
class UpsBypass(_Spell):
    """A UPS passes its input on: it loses what it loses in bypass, its battery neither carries nor is filled."""

    stage: str | None = None  # None: all UPSs of the chain


@dataclass(frozen=True)
class UnitsFailed(_Spell):
    """Units of a stage are off: in each of so many of its groups (servers, mostly) so many units [1]."""

    stage: str = ""
    units: float = 1.0
    groups: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_between("UnitsFailed.units", self.units, 1e-9, 1e9, "")
        require_between("UnitsFailed.groups", self.groups, 1e-9, 1e9, "", "a stage without groups is one")


@dataclass(frozen=True)
class LoadDropped:
    """The load is off from `begin` [s] on; the mean of the interval that holds that instant is drawn before it."""

    begin: float

    def __post_init__(self) -> None:
        require_between("LoadDropped.begin", self.begin, -LATEST, LATEST, "s")


Fault = UtilityOutage | UpsBypass | UnitsFailed | LoadDropped

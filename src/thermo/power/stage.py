"""What every stage of a power chain shares: units in parallel, redundancy, rating, and where the loss becomes heat.

A stage is made of equal units. Each loses ``A + B P + C P^2 + D P^4`` watts at an output of `P` watts; a kind of
stage says no more than these four coefficients (`Stage.coefficients`). None is negative, so every loss is >= 0 and
grows with load.

Which way: `P` is always what leaves a unit towards the chips. Input is output plus loss, never solved for.
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo.errors import ScenarioError, nearest, shown
from thermo.rack import Count, Described, Identifier, Number, Positive, Provenance

__all__ = ["Carrier", "Coefficients", "Heat", "Reduced", "Stage"]

Floats = NDArray[np.float64]
Heat = Literal["server-air", "rack-liquid", "electrical-room", "outdoors"]
MOST_UNITS = 256  # whose sharing is searched for the least loss


class Coefficients(NamedTuple):
    """Loss of one unit, ``A + B P + C P^2 + D P^4`` of its output `P` [W].

    `D` stands for conductors that warm with their own loss, and for curves that bend up near full load.
    """

    A: float  # W
    B: float  # W/W
    C: float  # 1/W
    D: float  # 1/W3

    def shared(self, units: float) -> Coefficients:
        """The same for that many units that share the output evenly."""
        return Coefficients(self.A * units, self.B, self.C / units, self.D / units**3)

    def loss(self, P: Floats) -> Floats:
        """Loss [W] at output `P` [W]."""
        out = P * self.C
        out += self.B
        if self.D:
            out += self.D * P**3
        out *= P
        out += self.A
        return out


class Carrier(Protocol):
    """What carries the load behind a stage when nothing arrives at it: a battery, or an energy store."""

    @property
    def charge_efficiency(self) -> float:
        """Stored over drawn. [1]"""

    def drain(self, P: Floats, rating: float, temperature: float) -> Floats:
        """How fast the charge falls [1/s] while `P` [W] leaves units of that rating [W]."""

    def taken(self, P: Floats) -> Floats:
        """Power out of the store [W] for `P` that leaves the stage."""

    def filling(self, rating: float) -> float:
        """Power into the store [W] while it is filled."""

    def doubts(self, P: Floats, rating: float, temperature: float) -> str:
        """What its law does not vouch for; empty where it does."""


@dataclass(frozen=True)
class Reduced:
    """A stage as a fault leaves it: its loss, and what it can still carry before it trips [W]."""

    name: str
    heat_to: Heat
    terms: Coefficients
    capacity: float | None

    def loss(self, P: Floats) -> Floats:
        """Loss of the whole stage [W] at its output `P` [W]."""
        return self.terms.loss(P)


class Stage(Described):
    """One stage: what its units are, how many share the load, and where the loss goes. Kinds of stage extend it.

    ``N`` units carry the load. ``N+1`` has one more, ``2N`` a second set; all are on and share evenly, so on 2N each
    path runs at half load. With `smallest_on`, units sleep: as many are on, but not fewer, as lose least without
    overload.

    What is not given is found by `sized`, from the power that the stage must carry: the rating of a unit, or how many
    it takes. Where `whole_units` is not set, a rack takes its share of larger equipment: 0.1 of a UPS is fine.
    """

    kinds: ClassVar[dict[str, type[Stage]]] = {}

    name: Identifier
    title: str = ""
    kind: str = ""
    rated_power: Annotated[Number, Field(gt=0, le=1e12)] | None = None  # W (VA with a power factor), output of one unit
    units: Positive | None = None  # N: those that carry the load without redundancy, in each group
    groups: Positive = 1.0  # of units, each for its own part of the load
    servers_per_group: Positive | None = None  # sized: as many groups as it takes for the servers
    whole_units: bool = False
    redundancy: Literal["N", "N+1", "2N"] = "N"
    smallest_on: Annotated[Count, Field(ge=1, le=MOST_UNITS)] | None = None
    capacity_margin: Annotated[Number, Field(ge=1, le=10)] = 1.25  # rating of N units over the power they are sized for
    power_factor: Annotated[Number, Field(ge=0.3, le=1)] = 1.0  # of the load; loss and rating follow the apparent power
    heat_to: Heat = "electrical-room"
    behind_inlet: bool = False  # inside the servers or their shelf, not upstream of the servers' inlets
    feeds_plant: bool = False  # fans of the room, chillers, pumps outside join at its output
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        Stage.kinds[cls.__name__.lower().replace("_", "-")] = cls

    @model_validator(mode="after")
    def _units_make_sense(self) -> Self:
        if self.whole_units and self.units is not None and self.units != round(self.units):
            raise ValueError(f"units is {self.units:g}; whole units come in whole numbers")
        if self.smallest_on is not None and not self.whole_units:
            raise ValueError("smallest_on needs whole_units: a share of a unit cannot be switched off")
        return self

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], where: str) -> Self:
        """The stage in `data`, of the class that its `kind` names."""
        kind = data.get("kind")
        if kind not in Stage.kinds:
            raise ScenarioError(f"{where}: kind is {shown(kind)}{nearest(str(kind)[:80], Stage.kinds)}")
        known = Stage.kinds[kind]
        if not issubclass(known, cls):
            raise ScenarioError(f"{where}: kind is {kind!r}, expected a {cls.__name__.lower()}")
        return known._own_mapping(data, where)

    @classmethod
    def _own_mapping(cls, data: Mapping[str, Any], where: str) -> Self:
        return super().from_mapping(data, where)

    @classmethod
    def from_library(cls, name: str) -> Stage:
        """The library's stage of that name."""
        from thermo import library

        stage: Stage = library.load("stages", name)
        return stage

    # ------------------------------------------------------------------------------------------------------- physics

    def coefficients(self) -> Coefficients:
        """Loss of one unit. The one thing that a kind of stage must say."""
        raise NotImplementedError

    @property
    def installed(self) -> float:
        """Units that share the load, redundancy counted, in all groups."""
        n = 1.0 if self.units is None else self.units
        return self.groups * {"N": n, "N+1": n + 1, "2N": 2 * n}[self.redundancy]

    @property
    def carrier(self) -> Carrier | None:
        """What carries the load when nothing arrives; None where there is nothing."""
        return None

    @property
    def unit_rating(self) -> float | None:
        """Rating of one unit [W, VA with a power factor]; None where it is not known."""
        return self.rated_power

    @property
    def capacity(self) -> float | None:
        """Output that the installed units are rated for together [W]; None where no rating is known."""
        rating = self.unit_rating
        return None if rating is None else self.installed * rating * self.power_factor

    def loss(self, P: Floats) -> Floats:
        """Loss of the whole stage [W] at its output `P` [W]."""
        self.require_size()
        P = np.asarray(P, dtype=np.float64)
        unit = self.coefficients()
        if self.smallest_on is None:
            return unit.shared(self.installed).loss(P)
        return self._least_loss(unit, P, self.smallest_on)

    def _least_loss(self, unit: Coefficients, P: Floats, fewest: int) -> Floats:
        # Losses rise with P for any number of units, and more load only takes choices away: the least is monotone too.
        most, rating = round(self.installed / self.groups), self.unit_rating
        least = unit.shared(self.installed).loss(P)
        for n in range(min(fewest, most), most):
            enough = True if rating is None else P <= n * self.groups * rating * self.power_factor
            least = np.where(enough, np.minimum(least, unit.shared(n * self.groups).loss(P)), least)
        return least

    def reduced(self, failed: float = 0.0, groups: float = 1.0, unit: Coefficients | None = None) -> Reduced | None:
        """The stage without `failed` units in each of so many of its groups; None where such a group has none left.

        The others share that group's part of the load, all of them on. What it can carry is limited by its weakest
        group. `unit` is the loss of one unit, where it is not that of `coefficients`.
        """
        self.require_size()
        unit, G, n = unit or self.coefficients(), self.groups, self.installed / self.groups
        hit, left = min(groups, G), n - failed
        if left <= n * 1e-9:
            return None
        healthy, weak = unit.shared(n), unit.shared(left)
        terms = Coefficients(*(((G - hit) * h + hit * w) / G**power for h, w, power in
                               zip(healthy, weak, (0, 1, 2, 4), strict=True)))
        rating = self.unit_rating
        return Reduced(self.name, self.heat_to, terms,
                       None if rating is None else G * left * rating * self.power_factor)

    def rating(self) -> float:
        """The rating of a unit [W or VA], or a refusal that says how to give one."""
        if (rating := self.unit_rating) is None:
            raise ScenarioError(f"power: stage {self.name!r} has no rated_power; give it, or size the chain: "
                                "chain.sized(power, servers=...)")
        return rating

    def require_size(self) -> None:
        """Refuses a stage whose number of units still depends on the number of servers."""
        if self.servers_per_group is not None:
            raise ScenarioError(f"power: stage {self.name!r} has units for each {self.servers_per_group:g} servers; "
                                "say how many there are: chain.sized(power, servers=...)")

    def sized(self, power: float, servers: float = 1.0, devices: float | None = None) -> Self:
        """The same stage with a rating and a number of units that carry `power` [W] in all. What is given stays.

        `devices` are the accelerators behind it, where they are known.
        """
        found: dict[str, Any] = {}
        groups = self.groups
        if self.servers_per_group is not None:
            groups = servers / self.servers_per_group
            found |= {"groups": groups, "servers_per_group": None}
        need = self.capacity_margin * power / (groups * self.power_factor)  # W or VA, of each group
        rating = self.unit_rating
        if rating is None:
            found["rated_power"] = need / (self.units or 1.0)
        if self.units is None:
            share = 1.0 if rating is None else need / rating
            found["units"] = float(math.ceil(share * (1 - 1e-9))) if self.whole_units else share
            if self.redundancy == "N+1" and not self.whole_units and rating is not None:
                raise ScenarioError(f"power: stage {self.name!r} is a share of a unit of {rating:g} W, to which N+1 "
                                    "adds nothing definite; give units, or set whole_units")
        return self.replace(**found) if found else self

    def overload(self, P: Floats) -> str | None:
        """One line that says by how much the stage is overloaded, or its redundancy used up; None if neither."""
        peak, capacity = float(np.max(P, initial=0.0)), self.capacity
        if capacity is None or self.units is None:
            return None
        needed = self.groups * self.units / self.installed * capacity
        if peak > capacity * (1 + 1e-9):
            return (f"power: stage {self.name!r} carries up to {peak / 1e3:.4g} kW, {peak / capacity:.0%} of its "
                    f"{capacity / 1e3:.4g} kW; its loss there is extrapolated and it would trip")
        if peak > needed * (1 + 1e-9):
            return (f"power: stage {self.name!r} carries up to {peak / 1e3:.4g} kW, more than the "
                    f"{needed / 1e3:.4g} kW that it can without its redundancy ({self.redundancy})")
        return None


# What a kind may need in its own file
EfficiencyPoint = Annotated[Number, Field(gt=0.3, le=1)]
LoadPoint = Annotated[Number, Field(gt=0, le=2)]

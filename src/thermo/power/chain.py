"""A power chain: stages in series between the utility and the servers' inlets.

    chain = PowerChain(stages=(transformer, ups, psu))
    chain = PowerChain(stages=("transformer-mv-lv", "ups-modern", "psu-titanium")).sized(40e3, servers=4)
    utility_power, stage_loss = chain.input_power(load)
    supply = chain.over_time(load, seconds, faults=[UtilityOutage(600.0, 900.0)])  # see thermo.power.supply

Where the load stands. `simulate_rack` feeds a chain with `it_power` plus fans and pumps: power at the servers' inlets.
Servers of the library that take AC have their supplies' and regulators' loss inside (`Server.conversion_loss`), so
the AC chains end at the inlet. Stages with ``behind_inlet`` (server supplies, power shelves, 380-to-48 V converters,
54-to-12 V, regulators) are for racks that are described at their output, at DC level, with that loss left out of the
server; on another rack it would count twice, which `doubts` says.

Where losses go. Losses are heat by place (`heat_to`): in the electrical room they cost cooling power. Those of stages at
the end of the chain that heat the servers' air arise in the thermal network, server by server, with the temperatures
(`in_servers`); other losses in the rack are removed with the rack's heat, but warm nothing on their way.

Sizes. What has no rating is sized for the rack: servers' rated power and the losses behind, times `capacity_margin`.
A rack takes its share of what is larger than itself. Ratings that are given stay.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from thermo.errors import ScenarioError, shown
from thermo.power.generator import Generator
from thermo.power.shelf import Shelf
from thermo.power.stage import Reduced, Stage
from thermo.rack import Described, Identifier, Number, Provenance, Rack, Server

if TYPE_CHECKING:
    from thermo.power.faults import Fault
    from thermo.power.supply import Store, Supply

__all__ = ["Flows", "PowerChain", "rated_power", "series", "walk"]

Floats = NDArray[np.float64]
PLANT_SHARE = 0.4  # of the chain's power: what a stage that carries the plant alone is sized for, estimate(0.5)
CHUNK = 16_384  # samples walked through the chain at a time, so that they stay in cache


def _a_stage(value: Any) -> Any:
    if isinstance(value, str):
        return Stage.from_library(value)
    if isinstance(value, Mapping):
        return Stage.from_mapping(value, str(value.get("name", "stage"))[:60])
    if not isinstance(value, Stage) or type(value) is Stage:
        raise ValueError(f"expected a stage or the name of one, got {shown(value)}")
    return value


def _a_generator(value: Any) -> Any:
    return Generator.from_library(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Flows:
    """Power through a chain, each ``(time,)`` or ``(time, stage)`` [W].

    ``utility_power - load - plant - room_cooling_power`` is the sum of the losses.
    """

    utility_power: Floats
    stage_loss: Floats
    room_cooling_power: Floats  # that removes what stages lose in the electrical room
    inlet_power: Floats  # into the outermost stage behind the servers' inlets; the load where there is none
    warnings: list[str]
    heat_to: tuple[str, ...]  # of each stage

    def heat(self, place: str) -> Floats:
        """What all stages lose to that place: "server-air", "rack-liquid", "electrical-room", "outdoors" [W]."""
        here = [i for i, where in enumerate(self.heat_to) if where == place]
        return np.asarray(np.sum(self.stage_loss[:, here], axis=1))


class PowerChain(Described):
    """Stages in series, utility first: objects, or names of the library's stages."""

    name: Identifier = "own"
    title: str = ""
    stages: tuple[Annotated[SerializeAsAny[Stage], BeforeValidator(_a_stage)], ...] = Field(
        default=("ideal",), validate_default=True, min_length=1, max_length=64)
    room_cop: Annotated[Number, Field(gt=0.1, le=1000)] = 4.0  # heat out of the electrical room over the power it takes
    generator: Annotated[Generator | None, BeforeValidator(_a_generator)] = None  # in the utility's place in an outage
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = self.stage_names
        if len(set(names)) != len(names):
            raise ValueError(f"stage names repeat: {sorted({n for n in names if names.count(n) > 1})}")
        if sum(stage.carries == "plant" for stage in self.stages) > 1:
            raise ValueError('one stage at most can have carries = "plant"')
        if all(stage.carries == "plant" for stage in self.stages):
            raise ValueError("no stage carries the load")
        inside = [stage.behind_inlet for stage in self.stages]
        if inside != sorted(inside):
            raise ValueError("stages behind the servers' inlets come last; utility first")
        return self

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages, utility first: the coordinate `stage` of a result."""
        return tuple(stage.name for stage in self.stages)

    @property
    def plant_feed(self) -> str | None:
        """The stage at whose output fans of the room, chillers and outside pumps join; None: at the utility."""
        feeds = [s for s in reversed(self.stages) if s.feeds_plant]
        return next((s.name for s in feeds if s.carries == "plant"), feeds[0].name if feeds else None)

    @classmethod
    def from_library(cls, name: str) -> PowerChain:
        """The library's chain of that name."""
        from thermo import library

        chain: PowerChain = library.load("power", name)
        return chain

    # --------------------------------------------------------------------------------------------------------- sizes

    def sized(self, power: float, servers: float = 1.0, devices: float | None = None) -> Self:
        """The same chain with all ratings and numbers of units, for `power` [W] at its end and so many servers.

        `devices` are the accelerators in them; only a shelf with an energy store for each asks for their number.
        """
        if not power > 0:
            raise ScenarioError(f"power is {power:g} W, expected the largest load at the end of the chain, above 0 W")
        stages: list[Stage] = []
        for stage in reversed(self.stages):
            if stage.carries == "plant":
                stages.append(stage.sized(PLANT_SHARE * power))
                continue
            stage = stage.sized(power, servers, devices)
            power += float(stage.loss(np.array([power]))[0])
            stages.append(stage)
        found = {} if self.generator is None else {"generator": self.generator.sized(power)}
        return self.replace(stages=tuple(reversed(stages)), **found)

    def for_rack(self, rack: Rack) -> Self:
        """The chain sized for a rack."""
        return self.sized(rated_power(rack), rack.n_server, float(sum(slot.count * _accelerators(slot.server)
                                                                      for slot in rack.slots)))

    def doubts(self, rack: Rack) -> list[str]:
        """What there is to say about the chain and a rack together: supplies that would count twice."""
        inside = [s.name for s in self.stages if s.behind_inlet]
        lossy = [slot.server.name for slot in rack.slots if slot.server.conversion_loss or slot.server.conversion_slope]
        if not inside or not lossy or any(s.behind_inlet for s in PowerChain.from_library(rack.power).stages):
            return []
        return [f"power: chain {self.name!r} has stages behind the servers' inlets ({', '.join(inside)}), but server "
                f"{lossy[0]!r} has the loss of its own supplies inside: both count; set conversion_loss and "
                "conversion_slope to what is left at DC level"]

    # ------------------------------------------------------------------------------------------------------- physics

    def input_power(self, load: Floats) -> tuple[Floats, Floats]:
        """Power at the utility ``(time,)`` and loss of each stage ``(time, stage)`` for the power drawn at the end [W].

        Without what cools the electrical room; `flows` has it.

        Examples
        --------
        >>> chain = PowerChain(stages=[{"name": n, "kind": "fixed", "fixed_efficiency": e}
        ...                            for n, e in (("ups", 0.96), ("pdu", 0.99), ("psu", 0.97))])
        >>> utility, loss = chain.input_power(100e3)
        >>> round(float(loss.sum()), 6)
        8473.046617
        """
        P, losses, _ = self._walk(series(load), {}, None)
        return P, losses

    def flows(self, load: Floats, *, plant: Floats | float = 0.0,
              taps: Mapping[str, Floats | float] | None = None) -> Flows:
        """Power through the chain for a load at its end.

        Parameters
        ----------
        load : array_like, shape (time,)
            Power drawn at the end of the chain. [W]
        plant : array_like, shape (time,)
            Power of what removes the rack's heat; joins behind the last stage that `feeds_plant`. [W]
        taps : mapping
            Further loads by the name of the stage at whose output they join, e.g. a chassis' switches at the
            rectifiers. [W]

        Notes
        -----
        Heat in the electrical room costs `heat / room_cop`, drawn with the plant. What stages before the plant's feed
        lose there is removed on the utility's account, so that nothing has to be iterated.
        """
        joins = {}
        for name, power in (taps or {}).items():
            if name not in self.stage_names:
                raise ScenarioError(f"taps: the chain has no stage {shown(name)}; it has {', '.join(self.stage_names)}")
            joins[name] = series(power)
        return self._flows(series(load), joins, series(plant), {})

    def in_servers(self, servers: int) -> dict[str, Callable[[Floats], Floats]]:
        """Loss of each stage that heats the servers' air, in one of so many servers, against what it draws at the end [W].

        Stages at the end of the chain, from the last up, as far as they feed the servers alone; their units are shared out
        evenly. A thermal network turns these losses into heat where they arise, and `over_time` takes them back (`known`).
        """
        found: dict[str, Callable[[Floats], Floats]] = {}
        below: list[Callable[[Floats], Floats]] = []
        for stage in reversed(self.stages):
            smooths = isinstance(stage, Shelf) and stage.smoothing is not None
            if smooths or stage.carries == "plant" or stage.name == self.plant_feed:
                break

            def loss(P: Floats, stage: Stage = stage, below: tuple[Callable[[Floats], Floats], ...] = tuple(below)) -> Floats:
                return stage.loss(servers * (P + sum(other(P) for other in below))) / servers

            below.append(loss)
            if stage.heat_to == "server-air":
                found[stage.name] = loss
        return found

    def over_time(self, load: Floats, seconds: Floats, *, plant: Floats | float = 0.0, faults: Sequence[Fault] = (),
                  temperature: float = 25.0, known: Mapping[str, Floats] | None = None,
                  stores: Mapping[str, Store] | None = None) -> Supply:
        """Power through the chain while things fail: outages, bypass, failed units; batteries and generator step in.

        Parameters
        ----------
        load, plant : array_like, shape (time,)
            Power asked for, as means over the intervals that begin at `seconds`, as in `flows`; the plant may be a
            number. [W]
        seconds : array_like, shape (time,)
            When the intervals begin; the last sample begins none and says what holds at that instant. [s]
        faults : sequence
            Of `UtilityOutage`, `UpsBypass`, `UnitsFailed`, `LoadDropped`.
        temperature : float
            Of the batteries. [degC]
        known : mapping, optional
            Losses of stages by their names, where something else has followed them; not heeded where there are faults. [W]
        stores : mapping, optional
            What batteries and energy stores hold at the begin, by their stages' names: `Supply.stores` of the run before.
            Full where not given.

        Returns
        -------
        supply : Supply
            As from `flows`, and what generator and batteries gave, when the load was lost, and why.

        Raises
        ------
        ScenarioError
            If the series do not fit each other, a fault names what the chain does not have, or a size is missing.

        Notes
        -----
        How each is modelled stands in `thermo.power.supply`. Without faults, and without smoothing in a shelf, the
        numbers are those of `flows`.
        """
        from thermo.power.supply import over_time

        return over_time(self, load, seconds, plant=plant, faults=faults, temperature=temperature, known=known, stores=stores)

    def _flows(self, load: Floats, joins: Mapping[str, Floats], plant: Floats, burned: Mapping[str, Floats],
               known: Mapping[str, Floats] | None = None) -> Flows:
        outputs: dict[str, Floats] = {}
        P, losses, cooling = self._walk(load, joins, plant, outputs, burned, known)
        said = [text for stage in self.stages if (text := stage.overload(outputs[stage.name]))]
        inside = next((i for i, s in enumerate(self.stages) if s.behind_inlet), None)
        inlet = load if inside is None else outputs[self.stages[inside].name] + losses[:, inside]
        return Flows(P, losses, cooling, inlet, said, tuple(s.heat_to for s in self.stages))

    def _walk(self, load: Floats, joins: Mapping[str, Floats], plant: Floats | None,
              outputs: dict[str, Floats] | None = None, burned: Mapping[str, Floats] | None = None,
              known: Mapping[str, Floats] | None = None) -> tuple[Floats, Floats, Floats]:
        """From the end to the utility: power there, losses (time, stage), power that cools the electrical room.

        `plant` None: nothing joins, no room is cooled. `outputs` receives what leaves each stage.
        """
        feed = self.plant_feed
        n = max([load.size, *(x.size for x in joins.values()), 1 if plant is None else plant.size])
        P, losses, cooling, room = walk(self.stages, load, n, joins=joins, plant=plant, feed=feed,
                                        room_cop=self.room_cop, outputs=outputs, burned=burned, known=known)
        if plant is not None:
            if feed is None:
                P += plant
            room /= self.room_cop
            P += room
            cooling += room
        return P, losses.T, cooling


def walk(stages: Sequence[Stage | Reduced], load: Floats, n: int, *, joins: Mapping[str, Floats], plant: Floats | None,
         feed: str | None, room_cop: float, outputs: dict[str, Floats] | None = None,
         burned: Mapping[str, Floats] | None = None, known: Mapping[str, Floats] | None = None,
         ) -> tuple[Floats, Floats, Floats, Floats]:
    """Through stages in series, from the last to the first, in `n` samples. Loads are series of `n` or of one number [W].

    Parameters
    ----------
    joins : mapping
        Loads that join at the output of the stage of that name.
    plant, feed
        Joins at the output of the stage `feed`, with what cools the electrical room for the stages behind it.
    outputs : dict, optional
        Receives what leaves each stage.
    burned : mapping, optional
        Heat in the stage of that name that is no loss of its own curve; what feeds it is in `joins`.
    known : mapping, optional
        Losses of stages, in place of those of their curves.

    Returns
    -------
    P, losses, cooling, room : ndarray
        Into the first stage; of each stage, shape (stage, n); cooling of the electrical room that was drawn at `feed`; heat
        in that room that nothing removes yet. [W]
    """
    P_in, cooling, room_left = np.empty(n), np.zeros(n), np.empty(n)
    losses = np.empty((len(stages), n))  # a stage's losses side by side
    if outputs is not None:
        outputs |= {stage.name: np.empty(n) for stage in stages}

    def part(x: Floats, here: slice) -> Floats:
        return x[here] if x.size > 1 else x

    for first in range(0, n, CHUNK):
        here = slice(first, min(first + CHUNK, n))
        P = np.array(np.broadcast_to(part(load, here), here.stop - first))
        room = np.zeros_like(P)
        for i in range(len(stages) - 1, -1, -1):
            stage = stages[i]
            beside = P if stage.carries == "plant" else None
            if beside is not None:
                P = np.zeros_like(P)
            if plant is not None and stage.name == feed:
                P += part(plant, here)
                room /= room_cop
                P += room
                cooling[here] += room
                room[:] = 0.0
            if (extra := joins.get(stage.name)) is not None:
                P += part(extra, here)
            if outputs is not None:
                outputs[stage.name][here] = P
            told = None if known is None else known.get(stage.name)
            loss = losses[i, here] = stage.loss(P) if told is None else part(told, here)
            P += loss
            if beside is not None:
                P += beside
            if burned and (heat := burned.get(stage.name)) is not None:
                loss = losses[i, here] = loss + part(heat, here)
            if stage.heat_to == "electrical-room":
                room += loss
        P_in[here] = P
        room_left[here] = room
    return P_in, losses, cooling, room_left


def series(power: Floats | float) -> Floats:
    """A power [W] as a series over time, checked."""
    P = np.atleast_1d(np.asarray(power, dtype=np.float64))
    if P.ndim != 1:
        raise ScenarioError(f"power through a chain is a number or a series over time, got the shape {P.shape}")
    if P.size and not np.min(P) >= 0:  # also catches NaN
        raise ScenarioError(f"power through a chain is {np.min(P):g} W, expected 0 W or more")
    return P


def rated_power(rack: Rack) -> float:
    """What a rack's servers draw at most [W]: as their data sheets say, else parts, fans and conversion at full."""
    return sum(slot.count * (slot.server.rated_power or _full_power(slot.server)) for slot in rack.slots)


def _accelerators(server: Server) -> int:
    return sum(len(m.names) * m.multiplicity for m in server.mounts if m.device.kind in ("gpu", "accelerator"))


def _full_power(server: Server) -> float:
    parts = sum(m.device.max_power * len(m.names) * m.multiplicity for m in server.mounts)
    fans = 0.0 if (f := server.fans) is None else f.count * (f.standby_power + f.rated_power)
    return parts * (1 + server.conversion_slope) + server.conversion_loss + fans

"""A power chain over time: what feeds the load while things fail, for how long, and what stops it.

    supply = chain.over_time(load, seconds, plant=plant, faults=[UtilityOutage(600.0, 900.0)])
    supply.load_lost_at, supply.why, supply.timeline

Time is cut where a sample begins, a fault begins or ends, the generator comes, and where a battery is empty or full
again. Between two cuts every power is constant, so charges move by sums of products: no time step, no error of one.

Who feeds. The utility; in an outage the generator, `start_delay` after its begin; else the first stage, seen from the
utility, that carries (a UPS by its battery, a shelf by its battery or energy store) and is neither empty nor in bypass.
Stages before the one that carries are dead: no loss, and the plant is off if it hangs there, as it mostly does, with
what cools the electrical room. A stage with all units of a group failed, or tripped, is a gap: what is before it stays
on, what is behind it needs a carrier of its own. Healthy stages above their rating are warned of, as in `flows`; those
with failed units or in bypass trip, for good, and one group that trips is taken for the whole load.

Charging. A carrier that has given is filled from utility or generator at constant power, drawn at the input of its
stage; what the charger loses is heat there. It is full when all that was taken is put back: over a cycle nothing is won.

A load that is lost stays off. The load is then 0, whatever was asked for; `load` and `plant` say what was carried.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermo.errors import ScenarioError, nearest, require_between, shown
from thermo.events import joined
from thermo.power.battery import Battery
from thermo.power.chain import Flows, PowerChain, series, walk
from thermo.power.faults import Fault, LoadDropped, UnitsFailed, UpsBypass, UtilityOutage
from thermo.power.shelf import EnergyStore, Shelf
from thermo.power.stage import Carrier, Reduced, Stage
from thermo.power.ups import Ups

__all__ = ["Store", "Supply", "over_time"]

Floats = NDArray[np.float64]
Spans = list[tuple[float, float]]
EMPTY = 1e-12  # of a full charge: rounding, not a load that was lost
INSTANT = 1e-9  # of an interval: nothing is drawn in a part that short
OVER = 1 + 1e-9  # times a rating: rounding, not an overload


class Store(NamedTuple):
    """What a battery or an energy store holds."""

    charge: float  # 1: full
    debt: float  # J, taken and not yet put back


@dataclass(frozen=True)
class Supply(Flows):
    """Power through a chain over time. Means over intervals, `battery_charge` at the samples.

    ``utility_power + generator_power + battery_power = load + plant + room_cooling_power + sum of stage_loss``.
    """

    load: Floats  # carried [W]
    plant: Floats  # carried [W]
    generator_power: Floats | None  # None: the chain has no generator
    battery_charge: Floats | None  # of all batteries, by their energy [1]; None: the chain has none
    battery_power: Floats  # out of batteries and energy stores; negative while they are filled [W]
    load_lost_at: float | None  # first instant at which nothing can carry the load [s]
    why: str  # one line that names the stage; empty if the load is not lost
    stores: dict[str, Store]  # at the end, by the names of the stages that have one
    timeline: list[tuple[float, str]]  # what happened when [s]

    @property
    def residual(self) -> Floats:
        """Everything in, minus everything out: rounding [W]."""
        given = self.utility_power + self.battery_power
        if self.generator_power is not None:
            given = given + self.generator_power
        return given - self.load - self.plant - self.room_cooling_power - self.stage_loss.sum(axis=1)


def over_time(chain: PowerChain, load: Floats, seconds: Floats, *, plant: Floats | float = 0.0,
              faults: Sequence[Fault] = (), temperature: float = 25.0, known: Mapping[str, Floats] | None = None,
              stores: Mapping[str, Store] | None = None) -> Supply:
    """The function behind `PowerChain.over_time`."""
    seconds = np.atleast_1d(np.asarray(seconds, dtype=np.float64))
    load, plant = series(load), series(plant)
    if seconds.ndim != 1 or not np.all(np.isfinite(seconds)) or not np.all(np.diff(seconds) > 0):
        raise ScenarioError("seconds must be one series of finite times that rise [s]")
    if load.size != seconds.size or plant.size not in (1, seconds.size):
        raise ScenarioError(f"load has {load.size} samples, plant {plant.size}, seconds {seconds.size}: give load as many "
                            "as seconds; plant may be one number")
    require_between("temperature", temperature, -40.0, 80.0, "degC", "is it in kelvin?")
    joins, heat, stored, said = _smoothing(chain, load, seconds)
    flows = chain._flows(load, joins, plant, heat, None if faults else known)
    said = flows.warnings + said
    if not faults and not any(store.debt > 0 for store in (stores or {}).values()):
        full = np.ones(seconds.size) if any(isinstance(s.carrier, Battery) for s in chain.stages) else None
        return Supply(flows.utility_power, flows.stage_loss, flows.room_cooling_power, flows.inlet_power, said,
                      flows.heat_to, load, np.broadcast_to(plant, load.shape),
                      None if chain.generator is None else np.zeros(seconds.size), full,
                      -sum(stored.values(), np.zeros(seconds.size)), None, "",
                      {s.name: Store(1.0, 0.0) for s in chain.stages if s.carrier is not None}, [])
    happens = _happenings(chain, faults)
    return _Run(chain, load, seconds, np.broadcast_to(plant, load.shape), happens, temperature, joins, heat,
                stored, stores or {}).supply(said)


def _smoothing(chain: PowerChain, load: Floats, seconds: Floats) -> tuple[dict[str, Floats], dict[str, Floats],
                                                                        dict[str, Floats], list[str]]:
    """What smoothing shelves draw more than their load, lose and store, by their names, from the load upwards [W]."""
    joins: dict[str, Floats] = {}
    heat: dict[str, Floats] = {}
    stored: dict[str, Floats] = {}
    said: list[str] = []
    for stage in reversed(chain.stages):
        if isinstance(stage, Shelf) and stage.smoothing is not None:
            outputs: dict[str, Floats] = {}
            chain._walk(load, joins, None, outputs)
            joins[stage.name], heat[stage.name], stored[stage.name], more = stage.smoothed(outputs[stage.name], seconds)
            said += more
    return joins, heat, stored, said


class _Happenings(NamedTuple):
    """Faults, sorted by what they do."""

    outages: Spans  # that do not overlap, in order
    bypass: list[tuple[UpsBypass, frozenset[int]]]
    failed: list[tuple[UnitsFailed, int]]
    dropped: float

    def cuts(self, delay: float) -> set[float]:
        """Instants at which something begins or ends."""
        out = {t for span in self.outages for t in span} | {begin + delay for begin, _ in self.outages}
        for fault in [f for f, _ in self.bypass] + [f for f, _ in self.failed]:
            out |= {fault.begin, fault.end}
        return out | {self.dropped}


def _happenings(chain: PowerChain, faults: Sequence[Fault]) -> _Happenings:
    names = chain.stage_names
    upses = [i for i, s in enumerate(chain.stages) if isinstance(s, Ups)]
    outages: Spans = []
    out = _Happenings([], [], [], min((f.begin for f in faults if isinstance(f, LoadDropped)), default=np.inf))
    for fault in faults:
        if isinstance(fault, UtilityOutage):
            outages.append((fault.begin, fault.end))
        elif isinstance(fault, UpsBypass):
            which = upses if fault.stage is None else [i for i in upses if names[i] == fault.stage]
            if not which:
                raise ScenarioError(f"UpsBypass: power chain {chain.name!r} has no UPS"
                                    + (f" {shown(fault.stage)}" if fault.stage else "")
                                    + nearest(str(fault.stage or ""), [names[i] for i in upses]))
            out.bypass.append((fault, frozenset(which)))
        elif isinstance(fault, UnitsFailed):
            if fault.stage not in names:
                raise ScenarioError(f"UnitsFailed.stage: power chain {chain.name!r} has no stage {shown(fault.stage)}"
                                    + nearest(str(fault.stage), names))
            if chain.stages[names.index(fault.stage)].carries == "plant":
                raise ScenarioError(f"UnitsFailed.stage: {fault.stage!r} feeds the plant alone, its units cannot fail here; "
                                    "lower the plant instead")
            out.failed.append((fault, names.index(fault.stage)))
        elif not isinstance(fault, LoadDropped):
            raise ScenarioError(f"faults: {shown(fault)} is no fault of a power chain; expected UtilityOutage, UpsBypass, "
                                "UnitsFailed or LoadDropped")
    return out._replace(outages=joined(outages))


class _Way(NamedTuple):
    """Who feeds whom for a while, in stages counted from the utility."""

    source: str  # "utility", "generator" or "" for neither
    top: int  # stages before this one are fed by the source
    carrier: int | None  # the stage that carries the load from its own store
    loaded: bool  # whether the load is carried
    charging: tuple[int, ...]
    stages: list[Stage | Reduced]
    bypassed: frozenset[int]
    gaps: dict[int, str]


class _Piece(NamedTuple):
    """Powers between cuts, one entry a span [W]; `charge` at its begin [1]."""

    utility: Floats
    generator: Floats
    battery: Floats
    losses: Floats  # (stage, span)
    cooling: Floats
    inlet: Floats
    load: Floats
    plant: Floats
    charge: Floats


class _Happening(NamedTuple):
    """Something that the powers themselves bring about: when, and what it does to the state."""

    t: float
    act: Callable[[], None]


class _Run:
    """One run along time. State: charge and debt of each carrier, what has tripped, whether the load is lost."""

    def __init__(self, chain: PowerChain, load: Floats, seconds: Floats, plant: Floats, happens: _Happenings,
                 temperature: float, joins: dict[str, Floats], heat: dict[str, Floats],
                 stored: dict[str, Floats], stores: Mapping[str, Store]) -> None:
        self.chain, self.happens, self.temperature, self.seconds = chain, happens, temperature, seconds
        self.joins, self.heat, self.stored = joins, heat, stored
        self.names = chain.stage_names
        self.feed = -1 if chain.plant_feed is None else self.names.index(chain.plant_feed)  # -1: the utility
        self.inside = next((i for i, s in enumerate(chain.stages) if s.behind_inlet), None)
        generator = chain.generator
        self.delay = np.inf if generator is None or generator.fails_to_start else generator.start_delay
        self.cuts = np.array(sorted(t for t in happens.cuts(self.delay) if seconds[0] < t < seconds[-1]))
        # spans: from each begin to the next; the last one, at the last sample, has no length
        self.begin = np.union1d(seconds, self.cuts)
        self.dt = np.append(np.diff(self.begin), 0.0)
        self.owner = np.searchsorted(seconds, self.begin, side="right") - 1
        self.load, self.plant = load[self.owner], plant[self.owner]
        if seconds[0] < happens.dropped < seconds[-1]:  # the mean of that interval is drawn before the drop
            k = int(np.searchsorted(seconds, happens.dropped, side="right")) - 1
            whole, before = seconds[k + 1] - seconds[k], happens.dropped - seconds[k]
            if before > INSTANT * whole:
                self.load[self.owner == k] *= whole / before

        self.carriers: dict[int, Carrier] = {}
        self.rating: dict[int, float] = {}
        for i, stage in enumerate(chain.stages):
            if (carrier := stage.carrier) is not None:
                stage.require_size()
                if isinstance(carrier, Battery):
                    stage.rating()  # or a refusal that says how to give one
                self.carriers[i], self.rating[i] = carrier, stage.capacity or 0.0
                carrier.filling(self.rating[i])  # likewise
        self.full = {i: c.set_point if isinstance(c, EnergyStore) and self.names[i] in joins else 1.0
                     for i, c in self.carriers.items()}
        self.charge = dict(self.full)
        self.debt = dict.fromkeys(self.carriers, 0.0)  # J, taken and not yet put back
        for i in self.carriers:
            if (store := stores.get(self.names[i])) is not None and store.debt > 0:
                self.charge[i], self.debt[i] = store
        weights = {i: self.rating[i] * c.full_load_runtime for i, c in self.carriers.items() if isinstance(c, Battery)}
        self.weight = {i: w / sum(weights.values()) for i, w in weights.items()}

        self.tripped: dict[int, str] = {}
        self.generator_off = self.no_charging = False
        self.lost_at: float | None = None
        self.why = ""
        self.timeline: list[tuple[float, str]] = []
        self.before = _Way("utility", 0, None, True, (), [], frozenset(), {})
        self.doubts: dict[int, str] = {}

    def supply(self, said: list[str]) -> Supply:
        """Along all spans; powers become means over the samples' intervals."""
        pieces, owners, lengths = zip(*self._pieces(), strict=True)
        owner, dt = np.concatenate(owners), np.concatenate(lengths)
        starts = np.searchsorted(owner, np.arange(self.seconds.size))
        several = np.diff(np.append(starts, owner.size)) > 1
        length = np.add.reduceat(dt, starts)[several]

        def means(parts: Iterable[Floats]) -> Floats:
            x = np.concatenate(list(parts), axis=-1)
            out: Floats = x[..., starts]
            out[..., several] = np.add.reduceat(x * dt, starts, axis=-1)[..., several] / length
            return out

        utility, generator, battery, losses, cooling, inlet, load, plant = (means(p) for p in list(zip(
            *pieces, strict=True))[:-1])
        charge = np.minimum(np.concatenate([p.charge for p in pieces])[starts], 1.0)  # weights add up to 1, to rounding
        said = said + [f"power: the {self._store(i)} {text}" for i, text in self.doubts.items()]
        return Supply(utility, losses.T, cooling, inlet, said, tuple(s.heat_to for s in self.chain.stages), load, plant,
                      None if self.chain.generator is None else generator, charge if self.weight else None, battery,
                      self.lost_at, self.why, {self.names[i]: Store(self.charge[i], self.debt[i]) for i in self.carriers},
                      self.timeline)

    def _pieces(self) -> Iterator[tuple[_Piece, NDArray[np.intp], Floats]]:
        """Powers along the spans, their samples and lengths; each piece is under one way of feeding."""
        i, n = 0, self.begin.size
        while i < n:
            t = float(self.begin[i])
            k = int(np.searchsorted(self.cuts, t, side="right"))
            j = n if k == self.cuts.size else int(np.searchsorted(self.begin, self.cuts[k]))
            way = self._way(t)
            piece, outputs, drain, taken = self._powers(way, i, j)
            happening = min((h for h in (self._overload(way, piece, outputs, i), *self._charges(way, drain, i, j))
                             if h is not None), default=None, key=lambda h: h.t)
            if happening is None:
                stop, until = j, float(self.begin[j]) if j < n else float(self.begin[-1])
            else:
                until = happening.t
                stop = int(np.searchsorted(self.begin[:j], until, side="left"))  # spans that begin before
            if stop > i:
                dt = self.dt[i:stop].copy()
                rest = float(self.begin[stop]) - until if happening is not None else 0.0
                if rest > 0:
                    dt[-1] = until - self.begin[stop - 1]
                charge = self._move(way, drain, taken, dt)
                yield (_Piece(*(x[..., :stop - i] for x in piece))._replace(charge=charge), self.owner[i:stop], dt)
                i = stop
                if rest > 0:  # the rest of that span
                    i = stop - 1
                    self.begin[i], self.dt[i] = until, rest
            if happening is not None:
                happening.act()

    # ------------------------------------------------------------------------------------------------------- who feeds

    def _way(self, t: float) -> _Way:
        """Who feeds whom from `t` on; said in the timeline where that changes."""
        outage = next((begin for begin, end in self.happens.outages if begin <= t < end), None)
        source = "utility"
        if outage is None:
            self.generator_off = self.no_charging = False
        else:
            source = "generator" if t >= outage + self.delay and not self.generator_off else ""
        bypassed = frozenset(i for f, which in self.happens.bypass if f.begin <= t < f.end for i in which)
        stages, gaps = self._stages(t, bypassed)
        top, first = min(gaps, default=len(stages)), max(gaps, default=-1) + 1
        carrier, why = None, ""
        if self.lost_at is None and t >= self.happens.dropped:
            why = "it was dropped"
        elif self.lost_at is None and not (source and not gaps):
            carrier = next((i for i in self.carriers if i >= first and i not in bypassed and self.charge[i] > 0), None)
            why = "" if carrier is not None else self._reason(gaps, first, bypassed)
        charging = () if not source or self.no_charging else tuple(
            i for i in self.carriers if i < top and i not in bypassed and self.debt[i] > 0)
        way = _Way(source, top, carrier, self.lost_at is None and not why, charging, stages, bypassed, gaps)
        self._tell(t, way)
        if why:
            self.lost_at, self.why = t, why
            self.timeline.append((t, f"load lost: {why}"))
        return way

    def _stages(self, t: float, bypassed: frozenset[int]) -> tuple[list[Stage | Reduced], dict[int, str]]:
        """The stages as they are at `t`, and which of them are gaps, and why."""
        gaps = dict(self.tripped)
        stages: list[Stage | Reduced] = list(self.chain.stages)
        failed: dict[int, tuple[float, float]] = {}
        for fault, i in self.happens.failed:
            if fault.begin <= t < fault.end:
                units, groups = failed.get(i, (0.0, 0.0))
                failed[i] = units + fault.units, max(groups, fault.groups)
        for i in sorted(bypassed | set(failed)):
            stage = self.chain.stages[i]
            unit = stage.bypass_coefficients() if i in bypassed and isinstance(stage, Ups) else None
            left = stage.reduced(*failed.get(i, (0.0, 1.0)), unit=unit)
            if left is None:
                gaps.setdefault(i, f"no unit of stage {stage.name!r} is left")
            else:
                stages[i] = left
        return stages, gaps

    def _reason(self, gaps: dict[int, str], first: int, bypassed: frozenset[int]) -> str:
        """Why nothing carries the load behind the last gap."""
        cut = gaps[first - 1] if gaps else "no utility"
        behind = [i for i in self.carriers if i >= first]
        if not behind:
            return f"{cut}, and nothing behind it stores energy"
        if passed := [self.names[i] for i in behind if i in bypassed]:
            return f"{cut}, and stage {passed[0]!r} is in bypass"
        return f"{cut}, and the {self._store(behind[-1])} is empty"

    def _store(self, i: int) -> str:
        what = "battery" if isinstance(self.carriers[i], Battery) else "energy store"
        return f"{what} of stage {self.names[i]!r}"

    def _tell(self, t: float, way: _Way) -> None:
        old = self.before
        say = [{"utility": "utility is back", "generator": "generator carries", "": "generator gives nothing" if
                old.source == "generator" else "utility lost"}[way.source]] if way.source != old.source else []
        say += [f"stage {self.names[i]!r} goes to bypass" for i in sorted(way.bypassed - old.bypassed)]
        say += [f"stage {self.names[i]!r} leaves bypass" for i in sorted(old.bypassed - way.bypassed)]
        say += [why for i, why in way.gaps.items() if i not in old.gaps]
        if way.carrier is not None and way.carrier != old.carrier:
            say.append(f"{self._store(way.carrier)} carries the load")
        say += [f"{self._store(i)} is filled from {self.charge[i]:.1%}" for i in way.charging if i not in old.charging]
        self.before = way
        self.timeline += [(t, text) for text in say]

    # ------------------------------------------------------------------------------------------------ powers, and charges

    def _powers(self, way: _Way, i: int, j: int) -> tuple[_Piece, dict[str, Floats], Floats, Floats]:
        """Powers in the spans from `i` to `j`, what leaves each stage, how fast who carries is drained [1/s], of what."""
        n, c, owner = j - i, way.carrier, self.owner[i:j]
        load, plant, cop = self.load[i:j] if way.loaded else np.zeros(n), self.plant[i:j], self.chain.room_cop
        out = _Piece(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((len(self.names), n)), np.zeros(n), np.zeros(n),
                     load.copy(), np.zeros(n), np.zeros(n))
        outputs: dict[str, Floats] = {}
        drain, taken, room = np.zeros(n), np.zeros(n), np.zeros(n)
        smooth = {s: x[owner] for s, x in self.joins.items()
                  if way.loaded and (c is None or self.names.index(s) > c)}
        heat = {s: self.heat[s][owner] for s in smooth}
        for s in smooth:
            out.battery[:] -= self.stored[s][owner]
        if c is not None:  # from the load to the stage that carries it
            P, out.losses[c + 1:], out.cooling[:], room = walk(
                way.stages[c + 1:], load, n, joins=smooth, plant=plant if self.feed > c else None,
                feed=self.names[self.feed], room_cop=cop, outputs=outputs, burned=heat)
            if self.feed == c:
                room /= cop
                P += plant
                P += room
                out.cooling[:] += room
                room[:] = 0.0
            if self.feed >= c:
                out.plant[:] = plant
            outputs[self.names[c]] = P
            taken = self.carriers[c].taken(P)
            out.losses[c] = taken - P
            out.battery[:] += taken
            if self.chain.stages[c].heat_to == "electrical-room":
                room += out.losses[c]
            rating = self._rating(c, way)
            drain = self.carriers[c].drain(P, rating, self.temperature)
            if text := self.carriers[c].doubts(P, rating, self.temperature):
                self.doubts[c] = text
        if way.source:  # from the load, or from the gap before it, to utility or generator
            whole = c is None and way.loaded
            joins, burned, drawn = (dict(smooth), dict(heat), 0.0) if whole else ({}, {}, 0.0)
            for k in way.charging:
                stored = self.carriers[k].filling(self._rating(k, way))
                asked = stored / self.carriers[k].charge_efficiency
                out.battery[:] -= stored
                burned[self.names[k]] = burned.get(self.names[k], 0.0) + np.full(1, asked - stored)
                before = next((self.names[b] for b in range(k - 1, -1, -1) if way.stages[b].carries == "all"), None)
                if before is None:
                    drawn += asked
                else:
                    joins[before] = joins.get(before, 0.0) + np.full(1, asked)
            plant_on = self.feed < way.top
            P, out.losses[:way.top], cooling, more = walk(
                way.stages[:way.top], load if whole else np.zeros(n), n, joins=joins, plant=plant if plant_on else None,
                feed=self.names[self.feed] if self.feed >= 0 else None, room_cop=cop, outputs=outputs, burned=burned)
            if plant_on:
                out.plant[:] = plant
                if self.feed < 0:
                    P += plant
            room = (room + more) / cop
            P += room
            P += drawn
            out.cooling[:] += cooling + room
            (out.utility if way.source == "utility" else out.generator)[:] = P
        if self.inside is None:
            out.inlet[:] = load
        elif self.names[self.inside] in outputs and c != self.inside:
            out.inlet[:] = outputs[self.names[self.inside]] + out.losses[self.inside]
        return out, outputs, drain, taken

    def _rating(self, i: int, way: _Way) -> float:
        """Of the units that are there [W]."""
        return way.stages[i].capacity or self.rating[i]

    def _overload(self, way: _Way, piece: _Piece, outputs: dict[str, Floats], i: int) -> _Happening | None:
        """The first overload of a stage that a fault has left weaker, or of the generator."""
        found: list[_Happening] = []

        def trip(stage: int, why: str) -> Callable[[], None]:
            return lambda: self.tripped.update({stage: why})

        for k, stage in enumerate(way.stages):
            if isinstance(stage, Reduced) and stage.capacity is not None and stage.name in outputs:
                over = outputs[stage.name] > stage.capacity * OVER
                if over.any():
                    at = int(np.argmax(over))
                    why = (f"stage {stage.name!r} tripped, its {outputs[stage.name][at] / 1e3:.4g} kW were more than the "
                           f"{stage.capacity / 1e3:.4g} kW left to it")
                    found.append(_Happening(float(self.begin[i + at]), trip(k, why)))
        rating = None if self.chain.generator is None else self.chain.generator.rated_power
        if rating is not None and (over := piece.generator > rating * OVER).any():
            at = int(np.argmax(over))
            t, asked = float(self.begin[i + at]), float(piece.generator[at])

            def too_much() -> None:
                what = "batteries wait" if way.charging else "generator trips"
                self.timeline.append((t, f"{asked / 1e3:.4g} kW asked of the generator, it has {rating / 1e3:.4g} kW: "
                                         f"{what}"))
                self.no_charging, self.generator_off = True, not way.charging
            found.append(_Happening(t, too_much))
        return min(found, default=None, key=lambda h: h.t)

    def _charges(self, way: _Way, drain: Floats, i: int, j: int) -> Iterator[_Happening]:
        """When who carries is empty, and when those that are filled are full, if before span `j`."""
        if (c := way.carrier) is not None:
            left = self.charge[c] - np.cumsum(drain * self.dt[i:j])
            if (empty := left < -EMPTY).any():
                k = int(np.argmax(empty))
                before = float(left[k - 1]) if k else self.charge[c]
                yield _Happening(float(self.begin[i + k]) + max(before, 0.0) / float(drain[k]),
                                 lambda: self.charge.update({c: 0.0}))
        end = float(self.begin[min(j, self.begin.size - 1)])
        for k in way.charging:
            t = float(self.begin[i]) + self.debt[k] / self.carriers[k].filling(self._rating(k, way))
            if t < end:
                yield _Happening(t, partial(self._filled, t, k))

    def _filled(self, t: float, i: int) -> None:
        self.charge[i], self.debt[i] = self.full[i], 0.0
        self.timeline.append((t, f"{self._store(i)} is full again"))

    def _move(self, way: _Way, drain: Floats, taken: Floats, dt: Floats) -> Floats:
        """Moves all charges over spans of these lengths; the batteries' charge at the begin of each span."""
        began = np.append(0.0, np.cumsum(dt))
        charge = np.zeros(dt.size)
        for i, weight in self.weight.items():
            if i != way.carrier and i not in way.charging:
                charge += weight * self.charge[i]
        if (c := way.carrier) is not None:
            gone = np.append(0.0, np.cumsum(drain[:dt.size] * dt))
            charge += self.weight.get(c, 0.0) * np.maximum(self.charge[c] - gone[:-1], 0.0)
            self.charge[c] = max(self.charge[c] - float(gone[-1]), 0.0)
            self.debt[c] += float(taken[:dt.size] @ dt)
        for k in way.charging:
            put_back = self.carriers[k].filling(self._rating(k, way)) * began
            missing = (self.full[k] - self.charge[k]) * np.maximum(1.0 - put_back / self.debt[k], 0.0)
            charge += self.weight.get(k, 0.0) * (self.full[k] - missing[:-1])
            self.charge[k], self.debt[k] = self.full[k] - float(missing[-1]), max(self.debt[k] - float(put_back[-1]), 0.0)
        return charge

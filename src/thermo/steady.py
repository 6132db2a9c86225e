"""A rack at rest with set points that can be turned, and how far each device then is from its limit.

One `Bench` is one rack under one load: its arguments are checked once. `Bench.at(pump_speed=0.7)` assembles and solves the same
network that `simulate_rack` would begin from, but takes no step in time and labels nothing: a third of the time of a whole
run and less. Nothing of the physics is repeated here.

**Limits and firmware.** A device that is too hot does not show it: its firmware lowers the clock until it is just within its
limit. Limits are therefore judged at full clock, where a device is as hot as its work would make it, so that headroom runs on
smoothly beyond a limit instead of stopping there. Caps on *power* hold at full clock too: they bound the heat, whatever the cooling.
Where all have headroom, firmware has nothing to do, and that state is the one that `simulate_rack` gives.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo import workload as _workload
from thermo.cooling.rear_door import DRY, LEAST_OPENING, MOST_OPENING, WET
from thermo.cooling.streams import COLDEST, HOTTEST
from thermo.errors import ConvergenceError, ScenarioError, nearest, require_between, shown
from thermo.fluids import Fluid
from thermo.output import dataset
from thermo.power import rated_power
from thermo.rack import Device, Rack
from thermo.simulate import Assembly, Scenario, assemble, checked, device_power
from thermo.solve import Solution, integrate, refuse_beyond_reach, steady_start

__all__ = ["Bench", "Knob", "Limits", "Point", "knobs"]

Floats = NDArray[np.float64]
AIR_RANGE = (0.0, 60.0)  # degC, of air supplied: what the laws of air vouch for, from freezing on
FACILITY_RANGE = (2.0, 75.0)  # degC, of facility water
LEAST_CONDENSER_FLOW, MOST_CONDENSER_FLOW = 0.1, 2.5  # of the rated flow of a tank's condenser
NO_REST = 1.0  # K that is said to be missing where there is no rest
LEAVING, BEHIND = "what leaves the rack", "behind door"


# ------------------------------------------------------------------------------------------------------------- what can be turned

@dataclass(frozen=True)
class Knob:
    """A set point, its range, and what helps where turning it does not."""

    name: str
    low: float
    high: float
    unit: str
    flow: bool  # a flow, of which more cools and costs; else a temperature, of which less cools
    moves: str  # "coolant", "air", "water" of a rear door
    beyond: str  # how to go beyond the range

    def within(self, between: Any) -> Knob:
        """The same with a narrower range."""
        if between is None:
            return self
        if not isinstance(between, tuple | list | np.ndarray) or len(between) != 2:
            raise ScenarioError(f"{self.name}: its range is {shown(between)}, expected two numbers, (low, high) [{self.unit}]")
        low, high = (require_between(f"{self.name}, end of its range", x, self.low, self.high, self.unit, self.beyond) for x in between)
        if not low < high:
            raise ScenarioError(f"{self.name}: its range is {low:g} to {high:g} {self.unit}, expected the lower end first")
        return replace(self, low=low, high=high)


def knobs(rack: Rack, design: Any) -> dict[str, Knob]:
    """What can be turned of a design, flows first, each kind in the order in which a question would take it.

    `pump_speed` of cold plates, `fan_speed` of the servers' air (of cold plates: of the part in air), `water_flow` of a rear door or a tank's
    condenser [kg/s];
    `facility_water_temperature` behind a unit, `water_temperature` of a rear door or a tank's condenser, `supply_temperature` of coolant,
    `air_temperature` of the room. All speeds are shares of the rated one.
    """
    found = []
    fans = [slot.server.fans for slot in rack.slots if slot.server.fans is not None]
    if hasattr(design, "pump_speed"):
        found.append(Knob("pump_speed", design.pump.minimum_speed, 1.0, "of rated speed", True, "coolant",
                          "pumps turn no slower than cooling.pump.minimum_speed; above 1, give the servers a larger coolant_flow"))
    if fans and (hasattr(design, "fan_speed") or hasattr(design, "air")):
        found.append(Knob("fan_speed", max(f.minimum_duty for f in fans), 1.0, "of rated speed", True, "air",
                          "fans turn no slower than fans.minimum_duty; above 1, give the servers other fans"))
    if hasattr(design, "coil"):
        rated = design.coil.rated_water_flow
        found.append(Knob("water_flow", LEAST_OPENING * rated, MOST_OPENING * rated, "kg/s", True, "water",
                          "the coil's law is not known beyond; take a coil of another rated_water_flow"))
    if hasattr(design, "rated_water_flow"):
        rated = design.rated_water_flow(rated_power(rack))
        found.append(Knob("water_flow", LEAST_CONDENSER_FLOW * rated, MOST_CONDENSER_FLOW * rated, "kg/s", True, "water",
                          "the condenser's law is not known beyond; give a condenser of another rated_water_flow"))
    if getattr(design, "cdu", None) is not None:
        found.append(Knob("facility_water_temperature", *FACILITY_RANGE, "degC", False, "coolant", "the unit's law is not known beyond"))
    if hasattr(design, "coil"):
        found.append(Knob("water_temperature", DRY, WET, "degC", False, "water", "the coil's law is not known beyond"))
    if hasattr(design, "saturation_temperature"):
        found.append(Knob("water_temperature", DRY, min(WET, design.saturation_temperature - 1.0), "degC", False, "water",
                          "nothing condenses on water as warm as the liquid boils"))
    if hasattr(design, "supply_temperature"):
        fluid = design.fluid
        found.append(Knob("supply_temperature", max(COLDEST, fluid.lowest_temperature), min(HOTTEST, fluid.highest_temperature - 1.0), "degC",
                          False, "coolant", f"{fluid.name} is not known beyond, or boils"))
    if fans:
        found.append(Knob("air_temperature", *AIR_RANGE, "degC", False, "air", "the laws of air are not known beyond"))
    return {knob.name: knob for knob in found}


def _turned(scenario: Scenario, settings: Mapping[str, float]) -> Scenario:
    """The scenario at other set points."""
    design: Any = scenario.cooling
    own = {name: x for name, x in settings.items() if hasattr(design, name)}
    if "fan_speed" in settings and "fan_speed" not in own:
        own["air"] = design.air.replace(fan_speed=settings["fan_speed"])
    around = {name: x for name, x in settings.items() if name in ("air_temperature", "facility_water_temperature")}
    return replace(scenario, cooling=design.replace(**own) if own else design,
                   ambient=scenario.ambient.replace(**around) if around else scenario.ambient)


# ------------------------------------------------------------------------------------------------------------------------- limits

@dataclass(frozen=True)
class Limits:
    """The highest temperatures allowed, ``(server, device)`` [degC]; infinite where none is known, or there is no such device."""

    junction: Floats
    memory: Floats
    leaving: float  # of what leaves the servers, or the door behind them, mixed
    devices: tuple[str, ...]  # names along `device`

    @classmethod
    def of(cls, rack: Rack, limits: Any = None, margin: float = 0.0, leaving: float | None = None) -> Limits:
        """Each device's own limits, or those asked for where they are lower, less `margin` [K].

        Parameters
        ----------
        rack : Rack
            Whose devices.
        limits : float, mapping or None
            Highest junction temperature of all devices, or of those that a mapping names, by name or by kind
            (``{"gpu": 80.0}``). A device's own limit holds all the same: above it firmware would slow it down. [degC]
        margin : float
            Kept from every limit. [K]
        leaving : float, optional
            Highest temperature of what leaves. [degC]
        """
        margin = require_between("margin", margin, 0.0, 80.0, "K")
        names = tuple(dict.fromkeys(name for slot in rack.slots for name in slot.server.device_names))
        kinds = {mount.device.kind for slot in rack.slots for _, mount, _ in slot.server.devices}
        asked = limits if isinstance(limits, Mapping) else dict.fromkeys(kinds, limits) if limits is not None else {}
        for key, value in asked.items():
            if key not in kinds and key not in names:
                raise ScenarioError(f"limits: rack {rack.name!r} has no device or kind of device {shown(key)}"
                                    f"{nearest(str(key)[:40], [*kinds, *names])}")
            require_between(f"limits[{key!r}]" if isinstance(limits, Mapping) else "limits", value, 0.0, 150.0, "degC", "is it in kelvin?")
        junction = np.full((rack.n_server, len(names)), np.inf)
        memory = junction.copy()
        first = 0
        for slot in rack.slots:
            for name, mount, _ in slot.server.devices:
                own = slice(first, first + slot.count), names.index(name)
                wanted = asked.get(name, asked.get(mount.device.kind, np.inf))
                junction[own] = min(_highest(mount.device), float(wanted)) - margin
                if mount.device.memory_limit_temperature is not None and mount.device.memory_resistance is not None:
                    memory[own] = mount.device.memory_limit_temperature - margin
            first += slot.count
        if not np.isfinite(junction).any() and not np.isfinite(memory).any() and leaving is None:
            raise ScenarioError(f"limits: no device of rack {rack.name!r} has a known limit; give limits, such as limits=85.0 [degC]")
        if leaving is not None:
            leaving = require_between("return_limit", leaving, 0.0, 100.0, "degC", "is it in kelvin?")
        return cls(junction, memory, np.inf if leaving is None else leaving, names)

    def headroom(self, junction: Floats, memory: Floats, leaving: float) -> Floats:
        """What each has left [K]: junctions, then memories, ``(2, server, device)``, infinite where nothing is limited; the
        last, alone, is what leaves."""
        left = np.stack([self.junction - junction, self.memory - memory])
        return np.append(np.where(np.isnan(left), np.inf, left).ravel(), self.leaving - leaving)

    def of_result(self, now: xr.Dataset) -> Floats:
        """`headroom` of a result at one time."""
        now = now.isel(device=[list(now["device"].values).index(name) for name in self.devices])
        leaving = float(now["return_temperature"])
        if BEHIND in now["position"].values:
            leaving = float(now["coolant_temperature"].sel(position=BEHIND).weighted(now["mass_flow"]).mean())
        return self.headroom(now["junction_temperature"].values, now["memory_temperature"].values, leaving)

    def place(self, number: int) -> tuple[str, int]:
        """Device and server of one of `headroom`; the device of what leaves is `LEAVING`, its server -1."""
        if number == 2 * self.junction.size:
            return LEAVING, -1
        which, server, device = np.unravel_index(number, (2, *self.junction.shape))
        return f"{'memory of ' if which else ''}{self.devices[device]}", int(server)

    def asked(self, number: int) -> float:
        """The limit that one of `headroom` is counted from [degC]."""
        return float(np.append(np.stack([self.junction, self.memory]).ravel(), self.leaving)[number])


def _highest(device: Device) -> float:
    """The lowest of a device's own limits [degC]: from there on firmware slows it down, or it is outside of its data sheet."""
    known = (device.max_operating_temperature, device.slowdown_temperature, device.shutdown_temperature)
    return min([limit for limit in known if limit is not None], default=np.inf)


# ----------------------------------------------------------------------------------------------------------------- the state at rest

@dataclass
class Point:
    """A rack at rest at some set points."""

    settings: dict[str, float]
    scenario: Scenario
    assembly: Assembly
    engine: Any
    solution: Solution
    limits: Limits
    no_rest: str = ""  # why it would not stay there, as a tank's vent that would open
    headroom: Floats = field(init=False)  # K, of all that is limited; see `Limits.headroom`
    junction: float = field(init=False)  # degC, the hottest
    leaving: float = field(init=False)  # degC, mixed
    mass_flow: float = field(init=False)  # kg/s, of the rack
    pump_power: float = field(init=False)  # W
    fan_power: float = field(init=False)  # W
    clock: float = field(init=False)  # the lowest over full clock; caps on power count too

    def __post_init__(self) -> None:
        """Reads off the recorded columns what a search needs; `result` is all of it."""
        shape = self.limits.junction.shape
        T, memory, kinds = np.full(shape, np.nan), np.full(shape, np.nan), self.assembly.site.kinds
        heat = self.mass_flow = self.pump_power = self.fan_power = 0.0
        self.clock = 1.0
        for kind, places, nodes, signals in zip(kinds, self.assembly.cooled.places, self.solution.nodes, self.solution.signals, strict=True):
            here, rise = slice(kind.first, kind.first + kind.group.n_server), nodes[0] + self.assembly.network.reference
            columns = [self.limits.devices.index(name) for name in kind.server.device_names]
            T[here, columns] = rise[:, places.junction]
            for column, at in zip(columns, places.memory, strict=True):
                if at is not None:
                    memory[here, column] = rise[:, at]
            if places.carries_liquid or not any(p.carries_liquid for p in self.assembly.cooled.places):
                flow = signals[0][:, places.mass_flow].sum(axis=1)
                self.mass_flow += float(flow.sum())
                out = places.coolant[places.positions.index(BEHIND)] if BEHIND in places.positions else places.exhaust
                heat += float(flow @ rise[:, out])
            self.pump_power += float(signals[0][:, places.pump_power].sum())
            self.fan_power += float(signals[0][:, places.fan_power].sum())
            self.clock = min(self.clock, float(np.min(signals[0][:, kind.clock_columns], initial=1.0)))
        self.leaving = heat / self.mass_flow
        self.junction = float(np.nanmax(T))
        self.headroom = self.limits.headroom(T, memory, self.leaving)

    @property
    def least(self) -> float:
        """Headroom of what has least [K]; where there is no rest there is none."""
        return min(float(self.headroom.min()), -NO_REST if self.no_rest else np.inf)

    @property
    def limiting(self) -> int:
        """Which has least headroom, as `Limits.place` takes it."""
        return int(np.argmin(self.headroom))

    @cached_property
    def result(self) -> xr.Dataset:
        """All of it, as a result of one sample."""
        groups, engine = self.assembly.network.groups, self.engine
        state = {"temperature": [engine.temperature(g.number) for g in groups], "control": [engine.control(g.number) for g in groups],
                 "integral": [engine.integral(g.number) for g in groups], "shared": engine.border_temperature(), "step": 0.0}
        copied = replace(self.solution, nodes=[nodes.copy() for nodes in self.solution.nodes])  # the Dataset's are counted in degC
        return dataset(self.scenario, self.assembly, copied, state)


class Bench:
    """One rack under one load, whose set points are turned.

    Parameters
    ----------
    rack, load, cooling, power, ambient
        As `simulate_rack` takes them; the load is one for all time. Series among the set points count with their first value.
    limits, margin, return_limit
        See `Limits.of`.
    """

    def __init__(self, rack: Any, load: Any, *, cooling: Any = None, power: Any = None, ambient: Any = None, limits: Any = None,
                 margin: float = 0.0, return_limit: float | None = None) -> None:
        trace = _workload.as_workload(load)
        values = trace.transpose("time", ...).to_numpy()
        if np.any(values != values[:1]):
            raise ScenarioError(f"load goes from {np.min(values):.4g} to {np.max(values):.4g} {trace.attrs['units']}, a question of design is "
                                "put for one load: give its peak, such as 0.9 or thermo.workload.constant(650.0, units='W')")
        whole = checked(rack, trace, cooling=cooling, power=power, ambient=ambient)
        first = whole.seconds[:1]
        self.trace = trace
        self.scenario = replace(whole, workload=whole.workload.isel(time=[0]), seconds=first, timeline=whole.timeline.on(first))
        self.knobs = knobs(whole.rack, whole.cooling)
        fluid = getattr(whole.cooling, "fluid", None)
        known = fluid.highest_temperature if isinstance(fluid, Fluid) else np.inf  # beyond, it boils or its laws are not known
        self.limits = Limits.of(whole.rack, limits, margin, return_limit)
        self.limits = replace(self.limits, leaving=min(self.limits.leaving, known))
        self.evaluations = 0
        self.points: dict[tuple[tuple[str, float], ...], Point] = {}  # what has been asked already

    def knob(self, name: str | None, field: str, *, flow: bool) -> Knob:
        """The knob of that name, or the first of its kind where none is named."""
        known = {k.name: k for k in self.knobs.values() if k.flow == flow}
        design = type(self.scenario.cooling).__name__
        if not known:
            raise ScenarioError(f"cooling: {design} has no {'flow' if flow else 'temperature'} that could be turned; give a design with "
                                "pump_speed, fan_speed or water_flow")
        if name is None:
            return next(iter(known.values()))
        if not isinstance(name, str) or name not in known:
            raise ScenarioError(f"{field} is {shown(name)}, {design} has {', '.join(known)}{nearest(str(name)[:40], known)}")
        return known[name]

    def at(self, **settings: float) -> Point:
        """The state at rest with those settings, at full clock."""
        key = tuple(sorted(settings.items()))
        if key not in self.points:
            scenario = _turned(self.scenario, settings)
            assembly = assemble(scenario, device_power(scenario))
            engine = assembly.network.build()
            self.points[key] = self._solved(settings, scenario, assembly, engine, full_clock=True)
        return self.points[key]

    def as_run(self, point: Point) -> Point:
        """What the rack does in truth at a point where devices are too hot at full clock: firmware slows them down."""
        engine = point.assembly.network.build()
        return self._solved(point.settings, point.scenario, point.assembly, engine, full_clock=False)

    def _solved(self, settings: Mapping[str, float], scenario: Scenario, assembly: Assembly, engine: Any, *, full_clock: bool) -> Point:
        self.evaluations += 1
        steady_start(assembly.network, engine, full_clock=full_clock)
        no_rest = ""
        if full_clock:
            try:
                refuse_beyond_reach(assembly.network, engine)
            except ConvergenceError as error:
                no_rest = str(error)
        solution = integrate(assembly.network, engine, solver=scenario.solver, tolerance=scenario.tolerance)  # of one sample: reads it off
        return Point(dict(settings), scenario, assembly, engine, solution, self.limits, no_rest)

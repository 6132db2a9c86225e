r"""Cold plates: coolant through the trays of a rack, a loop with its delay, pumps, and a unit that gives the heat to the facility.

In a tray the coolant takes parallel branches, and in a branch one plate after the other; how much each gets is the circuit's to
say (`thermo.cooling.loop`). Of the coolant that comes to a plate a part ``X/w`` leaves it as warm as the roots of its fins, the
rest as it came; a cell of mixed coolant is behind,

.. math:: C \dot T_k = (w - X) T_{k-1} + X T_{base} - w T_k, \qquad X = w (1 - e^{-UA/w}),

which for a base at one temperature is exact at rest (`thermo.cooling.plate`). Where the flow all but stops, the coolant that
stands in the plate stays joined to it through its films. What is not on plates gives its heat to the server's air, whose lanes and
fans are those of `thermo.cooling.air`; air and coolant do not touch, so that what leaves in each follows from what goes in.

Without a `cdu` the supply has the temperature that is asked for, trays do not know each other's temperatures, and each has its
share of the loop's volume. With one, all trays share supply line, return line, reservoir and exchanger (`thermo.cooling.cdu`),
whose valve, which opens by equal percentages, holds the temperature behind it. Lines are chains of mixed cells: with `n` of them a
front of age :math:`\tau` arrives spread over :math:`\tau / \sqrt n`. Pumps heat the coolant with all that they draw. One heat capacity
of the coolant counts for the whole loop, that at the mean of supply and rated return, so that what streams carry adds up; it
moves by 0.9 % over 15 K. Pipes lose no heat.

The coolant's set point is never below the room's dew point plus `dew_margin`. Where a valve that nothing closes lets coolant come below
the dew point all the same, the run says so. In the exchanger a part of the coolant comes to be as cold as the other side enters, the
rest stays as it came, and its volume lies behind it: no heat goes from cold to hot, and none is more than a stream can carry.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator, model_validator

from thermo._kernels import formulas as f
from thermo.cooling.air import Air
from thermo.cooling.cdu import Cdu, exchange, primary_flow_share
from thermo.cooling.control import PI, Curve
from thermo.cooling.ladder import LEAST_RESISTANCE, Part
from thermo.cooling.loop import Circuit, Flows, Manifold, branch_shares, plate_of, plate_rows
from thermo.cooling.plate import (
    LiquidState,
    film_conductance,
    plate_base,
    plate_pressure_drop,
    plate_uptake,
    plate_warnings,
)
from thermo.cooling.pumps import Hold, Pump, Pumps
from thermo.cooling.site import AirPart, Cooled, Kind, Places, SetPoint, Site, Step, stepped
from thermo.errors import ScenarioError
from thermo.events import CduLoss, Clogging, Disconnected, Leak, PumpTrip, Timeline, ValveStuck
from thermo.fluids import Fluid
from thermo.network import Control, Group, Network, Node, Signal, law_table
from thermo.rack import (
    Count,
    Described,
    Mount,
    NotNegative,
    Number,
    Positive,
    Server,
)

__all__ = ["ColdPlateCooling", "tray_pressure_drop"]

Floats = NDArray[np.float64]
COLDEST, HOTTEST = 2.0, 75.0  # degC, of supply
CHEBYSHEV_POINTS = 33
RANK_ERROR = 1e-9  # of a law of two signals
SLOWEST_EXCHANGE = 0.15  # of the rated coolant flow, below which the exchanger's effectiveness is taken to stay
STANDING = 0.1  # of a plate's films' conductance: capacity rates below it leave coolant standing in the plate
BEYOND_UNIT = 1.5  # of a unit's rated flow, from which on it is said that the rack asks for more
FASTEST_EXCHANGE = 3.0  # of it; more than pumps give, so that the law is the same in every run
SPEED: dict[str, Any] = {"low": 0.0, "high": 1.0, "unit": "of full speed", "hint": "is it in percent?"}
CANNOT_HOLD = 1e-3  # of what pumps can give, beyond which it is said that they cannot hold it
LEAST_RISE, MOST_RISE = 0.1, 150.0  # K, of the coolant at rated power: what is beyond is a slip of units
READS = 1e-6  # K, that the valve's sensor tells apart
SENSOR = 1e-6  # W/K, through which it is joined to what it measures
MOST_VALUES = 200  # of a law over a run, that are computed one by one
TABLE_POINTS = 257
MOST_KEPT = 8192  # values and tables of laws


def _fluid(value: Any) -> Any:
    return Fluid.from_library(value) if isinstance(value, str) else value


def _cdu(value: Any) -> Any:
    return Cdu.from_library(value) if isinstance(value, str) else value


def tray_pressure_drop(server: Server, fluid: Fluid, temperature: float, flow: float | None = None) -> dict[str, float]:
    """Pressure that each branch of a server takes with its hoses and disconnects [Pa]: plates in series, neighbours share.

    Before any balancing: what branches take less than the longest is an orifice's in a run (`thermo.cooling.loop`).

    Parameters
    ----------
    server : Server
        With branches.
    fluid : Fluid
        Coolant.
    temperature : float
        Of the coolant in the plates. [degC]
    flow : float, optional
        Through the server; default the rated one. [m3/s]
    """
    liquid, rated = LiquidState.at(fluid, temperature), server.coolant_flow or 0.0
    V = rated if flow is None else flow
    out = {}
    for name, share in branch_shares(server).items():
        drop = server.coolant_drop * (V / rated) ** 2 if rated else 0.0
        for row in plate_rows(server, name):
            each = [V * share * liquid.density / len(row) / mount.multiplicity for _, mount in row]
            drop += float(np.mean([plate_pressure_drop(plate_of(m), np.array(x), liquid) for x, (_, m) in zip(each, row, strict=True)]))
        out[name] = drop
    return out


class ColdPlateCooling(Described):
    """Coolant through cold plates, the rest in the server's air. Set points are numbers, series over time, or controllers."""

    fluid: Annotated[Fluid, BeforeValidator(_fluid)] = Field(default="pg25", validate_default=True)
    supply_temperature: Any = 40.0  # degC, of the coolant
    pump_speed: Any = 1.0  # of full speed; Hold: flow or pressure is held by speed; a PI or Curve moves each tray's own valve
    pump: Pump = Field(default_factory=Pump)
    manifold: Manifold | None = None  # None: headers without resistance
    static_pressure: Annotated[Number, Field(ge=1e4, le=1e6)] = 100e3  # Pa at the pumps' inlet, gauge
    expansion_volume: Positive = 5e-3  # m3 of gas in the expansion vessel
    supply_volume: NotNegative = 0.015  # m3 of coolant from the exchanger to the trays, for the rack
    return_volume: NotNegative = 0.015  # m3 from the trays to the exchanger
    reservoir_volume: NotNegative = 0.0  # m3, mixed, with a cdu only
    cells: Annotated[Count, Field(ge=1, le=200)] = 8  # of each line
    cdu: Annotated[Cdu | None, BeforeValidator(_cdu)] = None  # None: the supply has the temperature that is asked for
    cdu_share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # of the unit that serves this rack
    valve: Any = Field(default_factory=lambda: PI(period=2.0, resolution=0.0, deadband=0.0, gain=0.01, integral_gain=0.001))
    facility_flow: Positive | None = None  # m3/s at full opening; None: the unit's rated flow times cdu_share
    dew_margin: Annotated[Number, Field(ge=0, le=20)] = 2.0  # K
    air: Air = Field(default_factory=Air)
    facility_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.05  # power of dry cooler and facility pumps over heat
    liquid_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = None  # heat over compressor power; None: free cooling
    provenance: Any = Field(default_factory=dict, repr=False)

    setpoints: ClassVar[tuple[str, ...]] = ("supply_temperature", "pump_speed", "facility_water_temperature", *Air.setpoints)

    @model_validator(mode="after")
    def _pumps_may_run(self) -> Self:
        if self.static_pressure <= self.pump.minimum_pressure:
            raise ValueError(f"static_pressure {self.static_pressure:g} Pa is not above pump.minimum_pressure, {self.pump.minimum_pressure:g} Pa, "
                             "below which pumps are stopped")
        return self

    @property
    def restart_delay(self) -> float:
        """From power to cold air again [s], of the air part."""
        return float(self.air.restart_delay)

    @property
    def takes_events(self) -> tuple[str, ...]:
        """Kinds of events that it answers to."""
        always = *Air.takes_events, "pump-trip", "cdu-loss", "leak", "clogging", "disconnect"
        return (*always, "water-loss", "valve-stuck") if self.cdu is not None and self.cdu.sink == "water" else always

    @property
    def _pumps(self) -> Pumps:
        return Pumps(self.pump, self.static_pressure, self.expansion_volume)

    def samples(self, happens: Timeline) -> list[float]:
        """Instants at which flows change, beside those of the events themselves [s]."""
        return self._pumps.samples(happens)

    @field_validator("pump_speed", "valve")
    @classmethod
    def _known_control(cls, value: Any) -> Any:
        if isinstance(value, dict) and "control" in value:
            known = {"pi": PI, "curve": Curve, "hold": Hold}
            kind = value["control"]
            if kind not in known:
                raise ValueError(f"control is {kind!r}, expected 'pi', 'curve' or 'hold'")
            return known[kind](**{k: v for k, v in value.items() if k != "control"})
        if isinstance(value, bool | str) or value is None:
            raise ValueError("expected a share from 0 to 1, a series over time, or a controller (PI, Curve)")
        if isinstance(value, int | float) and not 0 <= value <= 1:
            raise ValueError("expected a share from 0 to 1 (of rated speed, or of the opening); is it in percent?")
        return value

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds plates, loop and the servers' air to the network; see `thermo.cooling.site`."""
        loop = _Loop.of(self, network, site)
        cooled, ladders = self.air.add_air(network, site)
        if self.cdu is not None and self.cdu.sink == "air" and site.timeline.stops_cooling and cooled.room is None:
            raise ScenarioError("events: no server of this rack breathes air, so that there is no room in which its unit could go on without "
                                "cold air; give a unit whose sink is water, or leave the event out")
        shared = list(range(len(network.shared_names)))
        if self.cdu is not None:
            loop.lay_lines(network, cooled.room)
        heat, nodes, columns = [], [], []
        for number, (kind, places, parts) in enumerate(zip(site.kinds, cooled.places, ladders, strict=True)):
            group, server = kind.group, kind.server
            if server.branches:
                _Trays(loop, number, kind, parts, places).add()
            air = group.total([*places.air_heat, *(kind.drawn[i] for i in server.in_air)]) if server.fans else group.series(0.0)
            heat.append(group.record_signal(air))
            own = [node for i in server.in_air for node in parts[server.device_names[i]].nodes]
            nodes.append(own)
            columns.append([group.record(node) for node in own])
            places.keep(group)
        all_in_air = self.cdu is not None and self.cdu.sink == "air"
        return Cooled(cooled.places, loop.supply.values, all_in_air, cooled.room, cooled.plant_capacity,
                      air=None if all_in_air else AirPart(heat, nodes, columns, shared), supply_node=loop.supply_number,
                      hottest_fluid=(self.fluid.highest_temperature, self.fluid.name), over_time=loop.told(),
                      coldest_fluid=(self.fluid.lowest_temperature, self.fluid.name), dew_point=loop.dew)

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] of what removes `heat` [W] from the room and `liquid` [W] from the facility's water."""
        room = self.air.heat_rejection_power(heat)
        if liquid is None:
            return room
        per_watt = self.facility_share + (0.0 if self.liquid_chiller_cop is None else 1 / self.liquid_chiller_cop)
        return np.asarray(room + np.maximum(liquid, 0.0) * per_watt)


# ------------------------------------------------------------------------------------------------------------------ the loop

@dataclass
class _Loop:
    """What all trays have in common."""

    design: ColdPlateCooling
    site: Site
    reference: float
    supply: SetPoint  # degC
    facility: SetPoint  # degC, of the facility's water
    dew: Floats  # degC, the room's dew point, a number or (time,)
    first: float  # degC, of the supply at the start
    rated: float  # m3/s through the rack
    liquid: LiquidState  # at the mean of supply and rated return
    density: float  # kg/m3 at the supply
    flows: Flows | None  # None: each tray has a valve of its own that a controller moves
    shared_supply: list[Node] = field(default_factory=list)
    shared_return: list[Node] = field(default_factory=list)
    supply_number: int | None = None
    room: Node | None = None  # that a unit in the air breathes while no cold air comes

    @classmethod
    def of(cls, design: ColdPlateCooling, network: Network, site: Site) -> _Loop:
        """Set points on the run's times, the coolant's properties, and the flows."""
        fluid, ambient = design.fluid, site.ambient
        low, high = max(COLDEST, fluid.lowest_temperature), min(HOTTEST, fluid.highest_temperature)
        supply = site.set_point(design.supply_temperature, "supply_temperature", name="cooling.supply_temperature", low=low, high=high,
                                unit="degC", hint="is it in kelvin?")
        facility = site.set_point(ambient.facility_water_temperature, "facility_water_temperature",
                                  name="ambient.facility_water_temperature", low=-5.0, high=95.0, unit="degC", hint="is it in kelvin?")
        air = site.over_time(ambient.air_temperature, name="ambient.air_temperature", low=-20.0, high=60.0, unit="degC",
                             hint="is it in kelvin?")
        dew = np.asarray(f.dew_point(air, max(ambient.relative_humidity, 1e-3)))
        dew = dew if dew.ndim < 2 else dew.max(axis=1)
        supply = _dry(supply, dew + design.dew_margin, high, site)
        _no_ice(design, facility)
        _goes_on(design, site)
        servers = [(kind.server, kind.group.n_server) for kind in site.kinds]
        rated = math.fsum((server.coolant_flow or 0.0) * n for server, n in servers)
        if not rated:
            raise ScenarioError("cooling: no server of this rack has cold plates; use cooling='air'")
        if design.cdu is not None and supply.values.ndim == 2:
            raise ScenarioError("cooling.supply_temperature has a dim server, a cdu supplies all; give one series, or leave the cdu out")
        first = float(np.ravel(supply.usual)[0])  # not what an event makes of it: a run that goes on has the same
        heat = math.fsum(n * mount.device.max_power * mount.multiplicity for server, n in servers
                         for i, (_, mount, _) in enumerate(server.devices) if i not in server.in_air)
        about = LiquidState.at(fluid, first)
        rise = heat / (rated * about.density * about.heat_capacity)
        if not LEAST_RISE < rise < MOST_RISE:
            raise ScenarioError(f"coolant_flow: at rated power the servers' {rated:.3g} m3/s of {fluid.name} would warm by {rise:.3g} K, expected "
                                f"{LEAST_RISE:g} to {MOST_RISE:g} K; is it in L/min?")
        liquid = LiquidState.at(fluid, min(first + 0.5 * rise, fluid.highest_temperature))
        flows = _flows(design, site, Circuit(design._pumps, servers, liquid, design.manifold))
        _rests(design, site, rated, flows)
        return cls(design, site, network.reference, supply, facility, dew, first, rated, liquid, about.density, flows)

    def lay_lines(self, network: Network, room: int | None) -> None:
        """Supply and return line and reservoir, shared by all trays; `room` is the number of its node, where it is in the network."""
        d, n = self.design, self.design.cells
        if d.cdu is not None and (over := self.rated / (d.cdu.secondary_flow * d.cdu_share)) > BEYOND_UNIT:
            self.site.warnings.append(f"cdu: the rack's rated flow is {over:.3g} times that of its share of {d.cdu.name!r}; what its exchanger does "
                                      "there is extrapolated: take a larger unit, or more of it (cdu_share)")
        per_volume = self.liquid.density * self.liquid.heat_capacity
        self.shared_supply = [network.shared(f"supply line {i + 1}", per_volume * d.supply_volume / n) for i in range(n)]
        self.supply_number = len(network.shared_names) - 1
        self.shared_return = [network.shared(f"return line {i + 1}", per_volume * d.return_volume / n) for i in range(n)]
        if d.reservoir_volume:
            self.shared_return.append(network.shared("reservoir", per_volume * d.reservoir_volume))
        self.room = None if room is None else network.shared_at(room)

    @property
    def hot(self) -> float:
        """degC up to which properties are asked for."""
        return self.design.fluid.highest_temperature

    @property
    def moves(self) -> bool:
        """Whether the supply's temperature is a set point that moves, which plates then follow."""
        return self.design.cdu is None and bool(self.supply.steps or self.supply.usual.ndim)

    def told(self) -> dict[str, Floats]:
        """What is known of the loop before anything is solved, over time."""
        if self.flows is None:
            return {}
        n = self.site.timeline.seconds.size
        return {"pump_speed": np.broadcast_to(self.flows.series(self.flows.speed), (n,)).copy(), "loop_pressure": self.flows.pressure}


def _flows(design: ColdPlateCooling, site: Site, circuit: Circuit) -> Flows | None:
    """Flows over the run, where no controller moves them."""
    least, said = design.pump.minimum_speed, site.warnings
    if isinstance(design.pump_speed, PI | Curve):
        if of_loop := [event for event, _ in site.timeline.begins if isinstance(event, PumpTrip | CduLoss | Leak | Clogging | Disconnected)]:
            raise ScenarioError(f"events: {of_loop[0].shown}: cooling.pump_speed is a controller of each tray's valve; what happens in the loop "
                                "is followed where pumps have a speed: give a number, a series, or Hold")
        return None
    hold = design.pump_speed if isinstance(design.pump_speed, Hold) else None
    usual = np.ones(()) if hold else site.over_time(design.pump_speed, name="cooling.pump_speed", **SPEED)
    usual = _means(usual, design.pump_speed)
    if usual.ndim == 2:
        raise ScenarioError("cooling.pump_speed has a dim server, the pumps serve all; give one series, or a controller")
    if np.min(usual) < least:
        said.append(f"pump_speed: {np.min(usual):.3g} is below the pump's least, {least:g}, which is used")
    usual = np.maximum(usual, least)
    aside = np.zeros(site.timeline.seconds.size)  # while a step holds, a controller is put aside
    for step in site.steps("pump_speed", np.zeros(()), **SPEED):
        usual, aside = np.where(step.when != 0, np.maximum(step.value, least), usual), np.maximum(aside, step.when)
    if hold is not None:
        low, high = circuit.reach(hold.quantity)
        if not low * (1 - CANNOT_HOLD) <= hold.value <= high * (1 + CANNOT_HOLD):
            said.append(f"pump_speed: pumps shall hold {hold.value:g} of the rated {hold.quantity}, between least and full speed they give "
                        f"{low:.3g} to {high:.3g}; they stay at the nearer end")
    return circuit.flows(site.timeline, usual, hold, aside)


def _means(values: Floats, given: Any) -> Floats:
    """A series over each interval between samples: its mean where it runs straight, so that it does not hang on their spacing."""
    if values.ndim == 0 or getattr(given, "attrs", {}).get("interpolation") == "constant":
        return values
    return np.concatenate([0.5 * (values[:-1] + values[1:]), values[-1:]])


def _rests(design: ColdPlateCooling, site: Site, rated: float, flows: Flows | None) -> None:
    """Refuses a steady state to begin from where nothing takes the heat away."""
    if not site.starts_at_rest:
        return
    without = site.timeline.without_water() if design.cdu is not None and design.cdu.sink == "water" else None
    dry = without is not None and without[0] != 0
    if dry or (flows is not None and flows.total[flows.row[0]] < 1e-3 * rated):
        raise ScenarioError(f"events: at the run's first sample {'no facility water comes' if dry else 'no coolant flows'}: there is no state at "
                            "rest to begin from; let the event begin later, or give a temperature as initial")


def _dry(supply: SetPoint, least: Floats, high: float, site: Site) -> SetPoint:
    """The set point, nowhere below `least`, the dew point with its margin."""
    if not np.any(supply.values < least):
        return supply
    if np.max(least) > high:
        raise ScenarioError(f"ambient: the room's dew point asks for coolant of {np.max(least):.1f} degC, above {high:g} degC; dry the air")
    site.warnings.append(f"supply_temperature: {np.min(supply.values):.1f} degC is below the room's dew point with its margin, "
                         f"{np.max(least):.1f} degC; coolant is held above it")

    def raised(values: Floats) -> Floats:
        return np.maximum(values, least[:, None] if values.ndim == 2 and least.ndim else least)

    return SetPoint(raised(supply.usual), supply.linear, tuple(Step(raised(step.value), step.when) for step in supply.steps))


def _no_ice(design: ColdPlateCooling, facility: SetPoint) -> None:
    """Refuses facility water that would be ice in the unit."""
    if design.cdu is None or design.cdu.sink != "water":
        return
    lowest = Fluid.from_library(design.cdu.facility_fluid).lowest_temperature
    if (coldest := float(np.min(facility.values))) < lowest:
        raise ScenarioError(f"ambient.facility_water_temperature is {coldest:g} degC, {design.cdu.facility_fluid} in the unit "
                            f"{design.cdu.name!r} is known from {lowest:g} degC on and would freeze; warm it, or give the unit another "
                            "facility_fluid")


def _goes_on(design: ColdPlateCooling, site: Site) -> None:
    """Says that an outage leaves coolant of a set temperature as it is."""
    if design.cdu is None and site.timeline.stops_cooling:
        site.warnings.append("supply_temperature: the plant stops, coolant whose temperature is a set point is supplied all the same; give a "
                             "cdu to follow its facility water")


# ----------------------------------------------------------------------------------------------------------------- the flows

Law = Callable[[Floats, float], Floats]  # of mass flows [kg/s] and a temperature of the supply [degC]


class _Stream(Protocol):
    """Coolant that flows somewhere, as the engine sees it: given over the run, or led by a controller."""

    signal: Signal  # kg/s

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from it."""

    def part(self, share: Floats) -> _Stream:
        """A part of it: `share` is ``(row, server)``."""

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""


@dataclass
class _Given:
    """A flow that is known before the run; what follows from it is a series, too."""

    loop: _Loop
    kind: Kind
    flows: Flows
    rows: Floats  # (row, server) m3/s

    def __post_init__(self) -> None:
        self.values = np.asarray(self.flows.series(self.loop.density * self.rows))  # kg/s
        self.supply = np.asarray(self.kind.own(self.loop.supply.values)) if self.loop.moves else None  # degC
        if self.supply is not None:  # pumps move volume, and it weighs less when warm
            lighter = np.asarray(self.loop.design.fluid.density(self.supply)) / self.loop.density
            wide = self.values.ndim == 2 or lighter.ndim == 2
            self.values = (_wide(self.values) if wide else self.values) * (_wide(lighter) if wide else lighter)
        self.signal = self.kind.group.series(self.values)

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from the flow, and from the supply's temperature where that moves."""
        if self.supply is None:
            return self.kind.group.series(_followed(lambda m: law(m, self.loop.first), self.values, key))
        wide = self.values.ndim == 2 or self.supply.ndim == 2
        m, T = np.broadcast_arrays(_wide(self.values) if wide else self.values, _wide(self.supply) if wide else self.supply)
        return self.kind.group.series(_followed_both(law, m, T))

    def is_slow(self, rate: float) -> bool:
        """Whether its capacity rate ever falls below `rate` [W/K]."""
        return bool(np.min(self.values) * self.loop.liquid.heat_capacity < rate)

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""
        here = self.values[self.values > 1e-2 * np.max(self.values)]
        return np.array([here.min(), here.max()])

    def part(self, share: Floats) -> _Given:
        """A part of the flow."""
        return _Given(self.loop, self.kind, self.flows, self.rows * share)


def _wide(values: Floats) -> Floats:
    return values[:, None] if values.ndim == 1 else values


@dataclass
class _Led:
    """A flow that a controller moves: what follows from it is a law of its signal."""

    loop: _Loop
    kind: Kind
    signal: Signal
    rated: float  # kg/s

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from the flow, and from the supply's temperature where that moves."""
        span = 0.9 * self.loop.design.pump.minimum_speed * self.rated, 1.1 * self.rated
        if self.loop.moves:
            fluid = self.loop.design.fluid
            return _of_two(self.kind.group, law, self.signal, span, self.loop.supply.signal(self.kind),
                           (max(COLDEST, fluid.lowest_temperature), min(HOTTEST, fluid.highest_temperature)))
        return self.kind.group.law_signal(_kept((key, span), lambda: law_table(lambda m: law(m, self.loop.first), *span)), self.signal)

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""
        return self.rated * np.array([self.loop.design.pump.minimum_speed, 1.0])

    def part(self, share: Floats) -> _Led:
        """A part of the flow."""
        s = float(share.flat[0])
        return self if s == 1.0 else _Led(self.loop, self.kind, self.kind.group.total([self.signal], [s]), s * self.rated)


_laws: dict[Any, Any] = {}


def _kept(key: Any, make: Callable[[], Any]) -> Any:
    """What `make` gives, kept so that equal plates share a table."""
    if key not in _laws:
        if len(_laws) > MOST_KEPT:
            _laws.clear()
        _laws[key] = make()
    return _laws[key]


def _followed(law: Callable[[Floats], Floats], x: Floats, key: Any) -> Floats:
    """``law(x)``: each value once, or where there are many, off a table."""
    values, where = np.unique(x, return_inverse=True)
    if values.size <= MOST_VALUES:
        found = np.array([_kept((key, value), lambda value=value: float(law(np.array(value)))) for value in values])  # type: ignore[misc]
    else:
        table = _kept((key, float(values[0]), float(values[-1])), lambda: law_table(law, float(values[0]), float(values[-1]), points=TABLE_POINTS))
        found = table(values)
    return np.asarray(found[np.asarray(where).reshape(x.shape)])


def _followed_both(law: Law, m: Floats, T: Floats) -> Floats:
    """``law(m, T)``: each pair once, or where there are many, off a spline through points of either."""
    pairs, where = np.unique(np.stack([m.ravel(), T.ravel()]), axis=1, return_inverse=True)
    if pairs.shape[1] <= MOST_VALUES:
        found = np.array([float(law(np.array(a), float(b))) for a, b in pairs.T])
    else:
        at_m, at_T = (_points(values, n) for values, n in zip(pairs, (TABLE_POINTS, CHEBYSHEV_POINTS), strict=True))
        table = np.column_stack([law(at_m, float(T)) for T in at_T])
        found = _spline(at_m, at_T, table, *pairs)
    return np.asarray(found[np.asarray(where).reshape(-1)].reshape(m.shape))


def _points(values: Floats, most: int) -> Floats:
    each = np.unique(values)
    return each if each.size <= most else np.linspace(each[0], each[-1], most)


def _spline(x: Floats, y: Floats, table: Floats, at_x: Floats, at_y: Floats) -> Floats:
    from scipy.interpolate import CubicSpline, RectBivariateSpline

    if x.size == 1:
        return np.asarray(CubicSpline(y, table[0])(at_y))
    if y.size == 1:
        return np.asarray(CubicSpline(x, table[:, 0])(at_x))
    return np.asarray(RectBivariateSpline(x, y, table, kx=min(3, x.size - 1), ky=min(3, y.size - 1)).ev(at_x, at_y))


def _of_two(group: Group, function: Law, a: Signal, a_span: tuple[float, float], b: Signal, b_span: tuple[float, float]) -> Signal:
    """A law of two signals as a sum of products of laws of one: the leading singular pairs of its table.

    Parameters
    ----------
    function : callable
        Takes an array of the first and one value of the second.
    a, b : Signal
        What it follows.
    a_span, b_span : tuple of float
        Between which values.
    """
    angle = np.pi * (np.arange(CHEBYSHEV_POINTS) + 0.5) / CHEBYSHEV_POINTS
    nodes = -np.cos(angle)
    at_a, at_b = (0.5 * (low + high) + 0.5 * (high - low) * nodes for low, high in (a_span, b_span))
    table = np.column_stack([function(at_a, float(y)) for y in at_b])
    left, size, right = np.linalg.svd(table)
    rank = max(int(np.sum(size > RANK_ERROR * size[0])), 1)

    def through(values: Floats, span: tuple[float, float]) -> Callable[[Floats], Floats]:
        c = np.polynomial.chebyshev.chebfit(nodes, values, CHEBYSHEV_POINTS - 1)
        return lambda x: np.asarray(np.polynomial.chebyshev.chebval((2 * x - (span[0] + span[1])) / (span[1] - span[0]), c))

    products = []
    for r in range(rank):
        scale = math.sqrt(size[r])
        second = group.law_signal(law_table(through(scale * right[r], b_span), *b_span, points=257), b)
        products.append(group.law_signal(law_table(through(scale * left[:, r], a_span), *a_span, points=257), a, second))
    return group.total(products)


# ----------------------------------------------------------------------------------------------------------------- the trays

@dataclass
class _Trays:
    """The coolant of servers of one kind while it is added, from supply to exchanger."""

    loop: _Loop
    number: int  # of the kind
    kind: Kind
    parts: dict[str, Part]
    places: Places

    def add(self) -> None:
        """Adds hoses, plates, lines, pumps and the exchanger's share."""
        loop, group, server, d = self.loop, self.kind.group, self.kind.server, self.loop.design
        c_p, rated = loop.liquid.heat_capacity, server.coolant_flow or 0.0
        per_volume, share = loop.liquid.density * c_p, rated / loop.rated
        branches, pump_power = self._streams()
        m_dot = branches[0].signal if len(branches) == 1 else group.total([b.signal for b in branches])
        self.places.pump_power.append(group.record_signal(pump_power))
        self.places.mass_flow = [group.record_signal(m_dot)]
        through = group.coefficient(c_p, m_dot)

        hoses = 0.5 * per_volume * server.coolant_volume
        inlet, outlet = group.node("coolant inlet", hoses), group.node("coolant outlet", hoses)
        if d.cdu is None:
            supply = group.boundary(loop.supply.signal(self.kind, lambda T: T - loop.reference))
            at = self._line(supply, "supply line", per_volume * d.supply_volume * share, through)
            group.stream(at, inlet, through)
        else:
            group.stream(loop.shared_supply[-1], inlet, through)
        self._place("supply", inlet, m_dot)

        dT_rated = 0.0
        for (name, part_flow), stream in zip(branch_shares(server).items(), branches, strict=True):
            at, warmed = inlet, 0.0
            for row in plate_rows(server, name):
                watts = math.fsum(m.device.max_power * m.multiplicity for _, m in row)
                rise = watts / (per_volume * rated * part_flow)
                at = self._add_row(row, stream, warmed + 0.5 * rise, at)
                warmed += rise
            group.stream(at, outlet, group.coefficient(c_p, stream.signal))
            dT_rated = max(dT_rated, warmed)
        if server.fans is None:
            for heat in (self.kind.conversion(), self.kind.supplied(loop.site.stages_in_servers, [])):
                if heat is not None:
                    group.source(outlet, heat)
        self._place("return", outlet, m_dot)
        self.places.exhaust = outlet
        _warn(loop, server, dT_rated)

        pump = group.node("pump")
        group.source(pump, pump_power)
        if d.cdu is None:
            at = self._line(outlet, "return line", per_volume * d.return_volume * share, through)
            group.stream(at, pump, through)
            group.exit(pump, through)
            return
        line = loop.shared_return
        group.stream(outlet, line[0], through)
        for tail, head in zip(line, line[1:], strict=False):
            group.stream(tail, head, through)
        group.stream(line[-1], pump, through)
        exchanger = group.node("exchanger", per_volume * d.cdu.volume * d.cdu_share * share)
        self._add_exchanger(d.cdu, pump, exchanger, group.total([m_dot], [c_p]))
        group.stream(exchanger, loop.shared_supply[0], through)
        for tail, head in zip(loop.shared_supply, loop.shared_supply[1:], strict=False):
            group.stream(tail, head, through)

    def _place(self, name: str, node: Node, m_dot: Signal) -> None:
        self.places.positions.append(name)
        self.places.coolant.append(node)
        self.places.position_flow[name] = self.kind.group.record_signal(m_dot)

    def _streams(self) -> tuple[list[_Stream], Signal]:
        """Coolant through each branch, and the trays' shares of what the pumps draw [W]."""
        loop, group, server, d = self.loop, self.kind.group, self.kind.server, self.loop.design
        rated, shares = server.coolant_flow or 0.0, branch_shares(server)
        if loop.flows is not None:
            given = loop.flows
            streams: list[_Stream] = [_Given(loop, self.kind, given, given.branch[self.number][name]) for name in shares]
            power = given.power[:, None] * given.tray(self.number) / given.total[:, None]
            return streams, group.series(given.series(power))
        low = d.pump.minimum_speed
        opening = self._controlled(low)
        m_dot = group.law_signal(law_table(lambda s: loop.density * rated * s, low, 1.0, points=3), opening, None if not loop.moves else
                                 loop.supply.signal(self.kind, lambda T: np.asarray(d.fluid.density(T) / loop.density)))
        full = d.pump.head * rated / d.pump.efficiency
        power_signal = group.law_signal(law_table(lambda s: full * s**d.pump.power_exponent, low, 1.0), opening)
        tray = _Led(loop, self.kind, m_dot, loop.density * rated)
        return [tray.part(np.array(share)) for share in shares.values()], power_signal

    def _controlled(self, least: float) -> Signal:
        """What a controller makes of the trays' valves, as a share of the rated flow; it watches what is on plates."""
        d, server = self.loop.design, self.kind.server
        if d.cdu is not None:
            raise ScenarioError("cooling.pump_speed is a controller, which watches one tray; pumps behind a cdu serve all: give a number, "
                                "a series or Hold, or leave the cdu out")
        on_plates = [i for i in range(len(server.devices)) if i not in server.in_air]
        watched = [server.devices[i] for i in on_plates if i in server.accelerators or server.devices[i][1].device.has_limit]
        watched = watched or [server.devices[i] for i in on_plates]
        opening = self.kind.group.control_signal(d.pump_speed.control([self.parts[name].junction for name, _, _ in watched],
                                                                      [mount.device for _, mount, _ in watched], least, 1.0))
        return stepped(self.kind.group, opening, [Step(np.maximum(step.value, least), step.when)
                                                  for step in self.loop.site.steps("pump_speed", np.zeros(()), **SPEED)])

    def _line(self, at: Node, name: str, capacity: float, through: Any) -> Node:
        """A pipe as a chain of mixed cells; returns its end. The same node where it holds nothing."""
        n = self.loop.design.cells
        for i in range(n if capacity > 0 else 0):
            cell = self.kind.group.node(f"{name} {i + 1}", capacity / n)
            self.kind.group.stream(at, cell, through)
            at = cell
        return at

    def _add_row(self, row: list[tuple[str, Mount]], stream: _Stream, warmed: float, at: Node) -> Node:
        """Plates side by side share the branch's coolant; returns the node behind them. `warmed`: by how much the coolant in them is
        warmer than the supply, where their properties are taken [K]."""
        loop, group = self.loop, self.kind.group
        ends = []
        for (name, mount), own in zip(row, self._shared_out(row, stream), strict=True):
            c_p, plate, n, part = loop.liquid.heat_capacity, plate_of(mount), mount.multiplicity, self.parts[name]
            cell = group.node(f"coolant behind {name}", n * plate.volume * loop.liquid.density * c_p)
            taken = self._couple(part, mount, own, warmed, cell)
            rest = group.total([own.signal, taken], [c_p, -1.0])
            group.stream(at, part.base, group.coefficient(1.0, taken))
            group.stream(part.base, cell, group.coefficient(1.0, taken))
            group.stream(at, cell, group.coefficient(1.0, rest))
            self._place(name, cell, own.signal)
            ends.append((cell, group.coefficient(c_p, own.signal)))
            self._vouched(mount, own, min(loop.first + warmed, loop.hot))
        if len(ends) == 1:
            return ends[0][0]
        behind = group.node(f"coolant behind {row[0][0]} and others")
        for cell, carried in ends:
            group.stream(cell, behind, carried)
        return behind

    def _shared_out(self, row: list[tuple[str, Mount]], stream: _Stream) -> list[_Stream]:
        """The branch's coolant through each plate of a row; the last takes what the others leave, so that none is lost."""
        if self.loop.flows is None:
            return [stream.part(np.array(1 / len(row)))] * len(row)
        shares = [self.loop.flows.plate[self.number][name] for name, _ in row]
        if len(row) == 1 or all(np.array_equal(shares[0], share) for share in shares):
            return [stream.part(np.array(1 / len(row)))] * len(row)
        own = [stream.part(share) for share in shares]
        own[-1].signal = self.kind.group.total([stream.signal, *(o.signal for o in own[:-1])], [1.0] + [-1.0] * (len(own) - 1))
        return own

    def _couple(self, part: Part, mount: Mount, own: _Stream, warmed: float, cell: Node) -> Signal:
        """Links case and roots of the fins; returns the coolant's uptake there [W/K]."""
        loop, group, plate, n = self.loop, self.kind.group, plate_of(mount), mount.multiplicity
        fluid, hot = loop.design.fluid, loop.hot
        lump = part.base == part.case
        contact = mount.device.contact_area or mount.device.die_area

        def state(T: float) -> LiquidState:
            return LiquidState.at(fluid, min(T + warmed, hot))

        def uptake(m: Floats, T: float) -> Floats:
            X = n * plate_uptake(plate, m / n, state(T))
            return np.asarray(1 / (1 / X + plate_base(plate, m / n, state(T), None) / n)) if lump else X

        def base(m: Floats, T: float) -> Floats:
            return np.asarray(1 / (part.interface + plate_base(plate, m / n, state(T), contact) / n + LEAST_RESISTANCE))

        def standing(m: Floats, T: float) -> Floats:
            films = n * film_conductance(plate, np.array(least / n), state(T))
            return np.asarray(films * np.maximum(1 - m * loop.liquid.heat_capacity / (STANDING * films), 0.0) ** 2)

        key = (plate, fluid, n, lump, contact, warmed, loop.first, hot)
        if not lump:
            group.conductance(part.case, part.base, group.coefficient(1.0, own.law(base, (key, part.interface))))
        least = 0.02 * loop.density * (self.kind.server.coolant_flow or 0.0)  # a plate known by its curve has no films at rest
        if isinstance(own, _Given) and own.is_slow(STANDING * n * float(film_conductance(plate, np.array(least / n), state(loop.first)))):
            stood = own.law(standing, (key, "standing", least, loop.liquid.heat_capacity))
            group.conductance(part.base, cell, group.coefficient(1.0, stood))
        return own.law(uptake, key)

    def _vouched(self, mount: Mount, own: _Stream, T: float) -> None:
        """Says where a plate's laws are used beyond what their source vouches for. A flow that stops is not their doing."""
        loop = self.loop
        for message in plate_warnings(f"{self.kind.server.name}.{mount.names[0]}", plate_of(mount), own.moving() / mount.multiplicity,
                                      LiquidState.at(loop.design.fluid, T)):
            if message not in loop.site.warnings:
                loop.site.warnings.append(message)

    # ------------------------------------------------------------------------------------------------------- the exchanger

    def _add_exchanger(self, cdu: Cdu, before: Node, node: Node, carried: Signal) -> None:
        """The trays' share of the exchanger, as large as their share of the flow: of the coolant that comes from `before`, a capacity rate
        of `carried` [W/K], a part comes to `node` as warm as the facility's water or the room's air, the rest as it came."""
        loop, group, d = self.loop, self.kind.group, self.loop.design
        flows = loop.flows
        assert flows is not None
        w_rated = loop.rated * loop.density * loop.liquid.heat_capacity
        most = cdu.primary_flow * d.cdu_share if d.facility_flow is None else d.facility_flow
        secondary = loop.rated / (cdu.secondary_flow * d.cdu_share)
        speed = flows.total / loop.rated  # (row,) of the coolant, over the rack's rated flow
        slow = np.minimum(speed / SLOWEST_EXCHANGE, 1.0)

        def law(s: Floats, opening: Any) -> Floats:
            return exchange(cdu, d.cdu_share, w_rated * s, secondary * s, most, opening)

        opening = self._opening(cdu, node)
        own = (slow / flows.total)[:, None] * flows.tray(self.number)  # (row, server)
        share = group.series(flows.series(own))
        s = np.maximum(speed, SLOWEST_EXCHANGE)
        if np.all(s == s[0]):
            value = group.law_signal(law_table(lambda u: law(np.asarray(s[0]), u), 0.0, 1.0), opening, share)
        else:
            both = _of_two(group, law, group.series(flows.series(s)), (SLOWEST_EXCHANGE, FASTEST_EXCHANGE), opening, (0.0, 1.0))
            value = group.product(both, share)
        if cdu.sink == "air":
            self._add_fans(cdu, opening, share)
            air = loop.site.set_point(loop.site.ambient.air_temperature, "air_temperature", name="ambient.air_temperature", low=-20.0,
                                      high=60.0, unit="degC", hint="is it in kelvin?")
            other = group.boundary(air.signal(self.kind, lambda T: T - loop.reference))
            without, instead = loop.site.timeline.without_cooling(), loop.room
        else:
            other = group.boundary(loop.facility.signal(self.kind, lambda T: T - loop.reference))
            without, instead = loop.site.timeline.without_water(), None
        taken = value if without is None else group.choice(value, group.series(0.0), group.series(without))
        group.exit(before, group.coefficient(1.0, taken))
        group.stream(other, node, group.coefficient(1.0, taken))
        if without is not None and instead is not None:
            by_room = group.choice(group.series(0.0), value, group.series(without))
            group.stream(before, instead, group.coefficient(1.0, by_room))
            group.stream(instead, node, group.coefficient(1.0, by_room))
            taken = value
        group.stream(before, node, group.coefficient(1.0, group.total([carried, taken], [1.0, -1.0])))

    def _given_off(self, node: Node, other: Node, value: Signal, without: Floats | None, instead: Node | None) -> None:
        """Couples a node with air that comes; while that does not come, with what is there `instead`, or with nothing."""
        group = self.kind.group
        if without is None:
            group.conductance(node, other, group.coefficient(1.0, value))
            return
        none, when = group.series(0.0), group.series(without)
        group.conductance(node, other, group.coefficient(1.0, group.choice(value, none, when)))
        if instead is not None:
            group.conductance(node, instead, group.coefficient(1.0, group.choice(none, value, when)))

    def _opening(self, cdu: Cdu, node: Node) -> Signal:
        """Opening of the valve, or speed of the unit's fans."""
        group, d, site = self.kind.group, self.loop.design, self.loop.site
        if isinstance(d.valve, Curve | Hold):
            raise ScenarioError("cooling.valve is a curve or Hold; give a PI controller, a number or a series")
        stuck = [(event, begin, when) for event, begin, end in site.timeline.during(ValveStuck)
                 if (when := site.timeline.holds(begin, end)) is not None]
        stays = [(begin, when) for event, begin, when in stuck if event.opening is None]
        if isinstance(d.valve, PI):
            opening = group.control_signal(self._valve_control(d.valve, node, np.max([when for _, when in stays], axis=0) if stays else None))
        else:
            said: dict[str, Any] = {"name": "cooling.valve", "low": 0.0, "high": 1.0, "unit": "of full opening", "hint": "is it in percent?"}
            values = _means(site.over_time(d.valve, **said), d.valve)
            for begin, when in stays if values.ndim else ():  # from where it stands on, which may be before this run
                values = np.where(when != 0, site.over_time(d.valve, times=np.array([begin]), **said)[0], values)
            opening = group.series(values)
        return stepped(group, opening, [Step(np.asarray(event.opening), when) for event, _, when in stuck if event.opening is not None])

    def _valve_control(self, valve: PI, node: Node, stays: Floats | None) -> Control:
        """The controller that holds the temperature behind the exchanger at the supply's set point; while `stays` is not 0 it stands.

        A set point that moves, or a valve that sticks, is for the sensor to say: a point half-way between the coolant and a place whose
        temperature is such that it reads the constant target where the coolant is at its set point, or where the valve sticks. What flows
        through it is a millionth of a watt."""
        loop, group = self.loop, self.kind.group
        driven = [self.kind.server.devices[0][1].device]
        moves = valve.setpoint is None and bool(loop.supply.steps or (loop.supply.usual.ndim and np.ptp(loop.supply.values) > 0))
        target = float(np.ravel(loop.supply.values)[0]) if valve.setpoint is None else valve.setpoint
        least = valve.replace(setpoint=target, deadband=max(valve.deadband, READS)).control([node], driven, 0.0, 1.0)
        if not moves and stays is None:
            return least
        values = self.kind.own(loop.supply.values) if moves else np.array(target)
        place = 2 * target - values
        sensor, coupled = group.node("valve's sensor"), group.series(SENSOR)
        if stays is not None:
            place = np.where(_like(stays, place) != 0, target, place)
            coupled = group.choice(coupled, group.series(0.0), group.series(stays))
        group.conductance(node, sensor, group.coefficient(1.0, coupled))
        group.conductance(sensor, group.boundary(group.temperature_series(place)), SENSOR)
        return replace(least, nodes=(sensor,), gain=2 * least.gain, integral_gain=2 * least.integral_gain, deadband=0.5 * least.deadband)

    def _add_fans(self, cdu: Cdu, opening: Signal, share: Signal) -> None:
        """Fans of a unit in the air: power with the cube of their speed, into the same air."""
        full = cdu.fan_power * self.loop.design.cdu_share
        if not full:
            return
        group = self.kind.group
        drawn = group.law_signal(law_table(lambda u: full * primary_flow_share(cdu, u) ** 3, 0.0, 1.0, points=257), opening, share)
        self.places.fan_power.append(group.record_signal(drawn))
        fans = group.node("unit's fans")
        group.source(fans, drawn)
        self._given_off(fans, group.boundary(group.temperature_series(self.loop.reference)), group.series(1.0),
                        self.loop.site.timeline.without_cooling(), self.loop.room)


def _like(when: Floats, values: Floats) -> Floats:
    return when[:, None] if values.ndim == 2 else when


def _warn(loop: _Loop, server: Server, dT: float) -> None:
    """Says where the pressure or the warming is more than the design can give."""
    d, said = loop.design, loop.site.warnings
    drops = tray_pressure_drop(server, d.fluid, min(loop.first + 0.5 * dT, loop.hot))
    worst = max(drops, key=lambda name: drops[name])
    if drops[worst] > d.pump.head:
        said.append(f"{server.name}: branch {worst!r} takes {drops[worst] / 1e3:.0f} kPa at its rated flow, the pump's head is "
                    f"{d.pump.head / 1e3:.0f} kPa, so that less flows; open the plates, or give pump.head")
    if loop.first + dT > loop.hot:
        said.append(f"{server.name}: at rated power and flow its coolant would leave with {loop.first + dT:.0f} degC, beyond the "
                    f"{loop.hot:g} degC to which {d.fluid.name} is known")

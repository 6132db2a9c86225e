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
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator, model_validator

from thermo._kernels import formulas as f
from thermo.cooling.air import Air
from thermo.cooling.cdu import Cdu, as_cdu
from thermo.cooling.control import PI, Curve
from thermo.cooling.loop import Circuit, Flows, Manifold
from thermo.cooling.plate import (
    LiquidState,
)
from thermo.cooling.pumps import Hold, Pump, Pumps
from thermo.cooling.refit import REFITTED, Refit
from thermo.cooling.site import AirPart, Cooled, SetPoint, Site, Step
from thermo.cooling.streams import COLDEST, HOTTEST, SPEED, interval_means
from thermo.cooling.trays import Trays
from thermo.errors import ScenarioError
from thermo.events import CduLoss, Clogging, Disconnected, Leak, PumpTrip, Timeline
from thermo.fluids import Fluid, as_fluid
from thermo.network import Network, Node
from thermo.rack import (
    Count,
    Described,
    NotNegative,
    Number,
    Positive,
    Rack,
)

__all__ = ["ColdPlateCooling"]

Floats = NDArray[np.float64]
BEYOND_UNIT = 1.5  # of a unit's rated flow, from which on it is said that the rack asks for more
CANNOT_HOLD = 1e-3  # of what pumps can give, beyond which it is said that they cannot hold it
LEAST_RISE, MOST_RISE = 0.1, 150.0  # K, of the coolant at rated power: what is beyond is a slip of units


class ColdPlateCooling(Described):
    """Coolant through cold plates, the rest in the server's air. Set points are numbers, series over time, or controllers."""

    fluid: Annotated[Fluid, BeforeValidator(as_fluid)] = Field(default="pg25", validate_default=True)
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
    cdu: Annotated[Cdu | None, BeforeValidator(as_cdu)] = None  # None: the supply has the temperature that is asked for
    cdu_share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # of the unit that serves this rack
    valve: Any = Field(default_factory=lambda: PI(period=2.0, resolution=0.0, deadband=0.0, gain=0.01, integral_gain=0.001))
    facility_flow: Positive | None = None  # m3/s at full opening; None: the unit's rated flow times cdu_share
    dew_margin: Annotated[Number, Field(ge=0, le=20)] = 2.0  # K
    air: Air = Field(default_factory=Air)
    refit: Refit = Field(default_factory=Refit)  # what the servers get where none in the rack has cold plates
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

    def fitted(self, rack: Rack) -> Rack:
        """The rack with cold plates in its servers, where none has any (`thermo.cooling.refit`)."""
        return self.refit.rack(rack)

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
        loop = Loop.of(self, network, site)
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
                Trays(loop, number, kind, parts, places).add()
            air = group.total([*places.air_heat, *(kind.drawn[i] for i in server.in_air)]) if server.fans else group.series(0.0)
            heat.append(group.record_signal(air))
            own = [node for i in server.in_air for node in parts[server.device_names[i]].nodes]
            nodes.append(own)
            columns.append([group.record(node) for node in own])
            places.keep(group)
        all_in_air = self.cdu is not None and self.cdu.sink == "air"
        refitted = sorted({kind.server.name for kind in site.kinds if kind.server.name.endswith(REFITTED)})
        told = {"plates": f"refitted to servers made for air: {', '.join(refitted)}"} if refitted else {}
        return Cooled(cooled.places, loop.supply.values, all_in_air, cooled.room, cooled.plant_capacity,
                      air=None if all_in_air else AirPart(heat, nodes, columns, shared), supply_node=loop.supply_number,
                      hottest_fluid=(self.fluid.highest_temperature, self.fluid.name), over_time=loop.told(),
                      coldest_fluid=(self.fluid.lowest_temperature, self.fluid.name), dew_point=loop.dew,
                      attributes=told)

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] of what removes `heat` [W] from the room and `liquid` [W] from the facility's water."""
        room = self.air.heat_rejection_power(heat)
        if liquid is None:
            return room
        per_watt = self.facility_share + (0.0 if self.liquid_chiller_cop is None else 1 / self.liquid_chiller_cop)
        return np.asarray(room + np.maximum(liquid, 0.0) * per_watt)


# ------------------------------------------------------------------------------------------------------------------ the loop

@dataclass
class Loop:
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
    def of(cls, design: ColdPlateCooling, network: Network, site: Site) -> Loop:
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
            raise ScenarioError("cooling: no server of this rack has cold plates or a chip to put one on; use cooling='air'")
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
    usual = interval_means(usual, design.pump_speed)
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

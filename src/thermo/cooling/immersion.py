r"""A tank of liquid that does not boil: air-cooled servers hang in it upright, without their fans.

Liquid rises through the *slot* that each server is, from a plenum below to a layer above, and beside the servers stands the *bath*,
which is open to both. What drives a slot is what the liquid in it weighs less than the bath beside it, and the head of the jets that
the unit outside feeds below the servers, which goes with the square of that feed,

.. math:: \Delta p = p_{jets} s^2 + g \left| \frac{d\rho}{dT} \right| H (\bar T_{slot} - \bar T_{bath}) = \Delta p_{friction}(\dot m, \mu(\bar T_{slot})),

with the friction of flat channels of one `gap`, developing or turbulent, and the losses of their ends (`mixed_convection.Slot`). Friction
goes by Reynolds' number alone, ``Re = Y(dp rho / mu^2)``, so that one law and the liquid's own give the flow. What slots take more than
is fed comes back down the bath from above, what they take less rises through it: the bath is warm or cold by that, and holds the flow.
A server's lanes are paths side by side, with the shares of its liquid that they have of its air, and each has its own drive; devices
follow each other from the bottom up, each with its part of the height in front of it and behind. Liquid above the servers is a few
layers, from the lowest, where the slots come out, up to the outlet; where what comes out is the warmest, it rises through the others,
and as much of them sinks.

The engine follows such a flow as it does a controller's: it looks at the mean temperature of each path and at its excess over the
bath every `period`, and holds the flow between. A change of flow undoes itself, by the warmth that it leaves in slot and bath, at a rate `r`
of

.. math:: r = \frac{\partial \dot m}{\partial \Delta p} \, g \left| \frac{d\rho}{dT} \right| H \, \Delta T_{slot} \left( \frac{1}{M_{slot}} + \frac{1}{M_{bath}} \right),

at most some 0.1/s to 1/s in oils and 2/s to 40/s in fluorinated liquids, the more the less is fed. Held for longer than ``2 / r`` a flow overshoots
and swings: a longer `period` is refused, the default is ``1 / r``. The liquid's inertia, which takes 0.5 s in oils and 5 s in
fluorinated liquids, is left out. The default looks at the whole run's least feed, so that a run cut before a pump trip takes longer steps in its
first part than the run in one: they agree to rounding where that part is at rest, else as far as looks are converged (0.06 K, 1.3 % of flow).
Flow does not run downwards in a slot: where the bath is
warmer and jets do not outweigh that, it all but stops until its devices have warmed it, and the result
warns of more than a minute of that. What a server's supplies lose at its edge then turns over with the lowest layer.

A coolant distribution unit (`thermo.cooling.cdu`) takes the liquid from the top layer and feeds it into the plenum: its valve holds
what it feeds at the supply's temperature; without one, that is ideal. The feed goes in proportion to its pumps' speed (`thermo.cooling.pumps`),
however thick the liquid is: what cold oil takes more in the unit and its pipes is left out. A valve that is shut lets a thirtieth of its
water through: a unit that is much too large for the tank feeds it colder than asked for, and the result warns of it; give the part of it that
serves the tank (`cdu_share`). `return_temperature` is that of what comes to the unit, from the top layer and behind the pump, so that at rest
``feed_flow * c_p * (return_temperature - supply_temperature)`` is `heat_to_liquid`; what leaves each server is position "outlet" of
`coolant_temperature`, and warmer or colder where slots take less or more than is fed.
Walls and lid lose heat to the room. One heat capacity counts for all the liquid, that at the mean of supply and rated return, and one
expansion. Left out: heat that runs down in liquid and steel, liquid that sinks in a path colder than the bath, and turnover in the bath.

What is named in `in_air` stays outside: it is joined to the room by its own sink at its rated flow, and the fans of its own that
it has there are not counted.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator

from thermo._kernels import formulas as f
from thermo.cooling.air import Air
from thermo.cooling.cdu import Cdu, as_cdu
from thermo.cooling.cold_plate import BEYOND_UNIT
from thermo.cooling.control import PI
from thermo.cooling.heat_sink import AirState
from thermo.cooling.immersed import TankSink
from thermo.cooling.mixed_convection import GRAVITY
from thermo.cooling.pumps import Pump, Pumps
from thermo.cooling.site import Cooled, Kind, Ran, SetPoint, Site
from thermo.cooling.streams import SPEED, interval_means
from thermo.cooling.tank_slots import LEAST_FLOW, UNIT, Slots, rated_heat
from thermo.errors import ScenarioError, nearest
from thermo.events import Timeline
from thermo.fluids import Fluid, as_fluid
from thermo.network import Network, Node
from thermo.rack import Count, Described, NotNegative, Number, Positive

__all__ = ["Immersion", "Tank", "wall_coefficient"]

Floats = NDArray[np.float64]
EMISSIVITY = 0.3  # of painted or brushed steel, an estimate
STILL, LONG = 1e-3, 60.0  # of a path's rated flow, less creeps where nothing drives it; s, for which that may be without a word
SHUT, OVERCOOLED, MOST_OF = 1e-3, 1.0, 0.8  # of a valve's opening; K; of the heat that servers give
STEFAN_BOLTZMANN = 5.670374e-8  # W/(m2 K4)


class Immersion(Described):
    """A tank of liquid with the rack's servers in it. Set points are numbers or series over time. Lengths in m."""

    fluid: Annotated[Fluid, BeforeValidator(as_fluid)] = Field(default="pao-4", validate_default=True)
    supply_temperature: Any = 40.0  # degC, of what is fed into the plenum
    pump_speed: Any = 1.0  # of full speed
    feed: Positive | None = None  # m3/s at full speed; None: what warms by `rated_rise` at the rack's rated power
    rated_rise: Annotated[Number, Field(gt=0, le=50)] = 10.0  # K
    pump: Pump = Field(default_factory=lambda: Pump(head=60e3, efficiency=0.4, minimum_speed=0.1))
    jet_head: NotNegative = 5.0  # Pa below the slots at full speed, over the bath beside them
    slot_height: Positive = 0.75  # of a server hung upright
    slot_width: Positive = 0.45
    gap: Annotated[Number, Field(gt=1e-4, le=0.2)] = 0.008  # of the flat channels that friction counts
    slot_loss: NotNegative = 1.5  # of ends and what stands in the way, in dynamic pressures
    liquid_share: Annotated[Number, Field(gt=0, le=1)] = 0.5  # of a server's volume, that is not taken up by solids
    cells: Annotated[Count, Field(ge=1, le=50)] = 1  # mixed, behind each row of devices
    plenum_height: Positive = 0.1
    bath_share: Annotated[Number, Field(gt=0, le=20)] = 0.2  # plan of the bath over that of the servers
    bath_cells: Annotated[Count, Field(ge=1, le=100)] = 5
    surface_height: Positive = 0.15  # of liquid above the servers
    layers: Annotated[Count, Field(ge=1, le=50)] = 3  # of it
    pipe_volume: Positive = 0.02  # m3 of liquid in each pipe to and from the unit
    wall_loss: NotNegative | None = None  # W/(m2 K) from the liquid to the room; None: a steel wall's (`wall_coefficient`)
    side_exchange: NotNegative = 30.0  # W/(m2 K) between slots and bath, through the narrow sides of the chassis: two films of oil
    lid_loss: NotNegative = 2.0  # W/(m2 K) from the liquid's surface to the room through the lid
    open_loss: NotNegative = 9.0  # W/(m2 K) with the lid open
    sinks: tuple[TankSink, ...] = ()  # for the tank, in place of the servers' own
    in_air: tuple[str, ...] = ()  # devices by name or kind, or "conversion", that stay outside of the tank
    cdu: Annotated[Cdu | None, BeforeValidator(as_cdu)] = None  # None: what is fed has the temperature that is asked for
    cdu_share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # of the unit that serves this tank
    valve: Any = Field(default_factory=lambda: PI(period=2.0, resolution=0.0, deadband=0.0, gain=0.01, integral_gain=0.001))
    facility_flow: Positive | None = None  # m3/s at full opening; None: the unit's rated flow times cdu_share
    facility_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.02  # power of dry cooler and facility pumps over heat
    liquid_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = None  # heat over compressor power; None: free cooling
    handler_fan_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.04  # room air handlers' fan power over heat removed
    chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = 5.0  # of the room; None: free cooling
    restart_delay: NotNegative = 240.0  # s from power to facility water again
    period: Positive | None = None  # s, between looks at the slots' temperatures; None: the time in which they answer
    provenance: Any = Field(default_factory=dict, repr=False)

    @field_validator("fluid")
    @classmethod
    def _insulates(cls, fluid: Fluid) -> Fluid:
        if fluid.mass_fraction > 0 or fluid.name == "water":
            raise ValueError(f"{fluid.name} is water-based and conducts electricity, live boards cannot hang in it; take a dielectric liquid, "
                             "such as pao-4, synthetic-ester, fc-40 or hfe-7500")
        return fluid

    setpoints: ClassVar[tuple[str, ...]] = ("supply_temperature", "pump_speed", "facility_water_temperature", "air_temperature")

    @property
    def takes_events(self) -> tuple[str, ...]:
        """Kinds of events that it answers to."""
        always = "pump-trip", "cdu-loss", "lid-open", "inlet-step", "setpoint"
        return (*always, "water-loss", "cooling-loss") if self.cdu is not None else always

    def samples(self, happens: Timeline) -> list[float]:
        """Instants at which the feed changes, beside those of the events themselves [s]."""
        return self._pumps.samples(happens)

    @property
    def _pumps(self) -> Pumps:
        return Pumps(self.pump, 1e5, 1.0)

    @field_validator("pump_speed", "valve")
    @classmethod
    def _known(cls, value: Any, info: Any) -> Any:
        if isinstance(value, dict) and value.get("control") == "pi" and info.field_name == "valve":
            return PI(**{k: v for k, v in value.items() if k != "control"})
        if isinstance(value, bool | str | dict) or value is None or (isinstance(value, Described) and not (isinstance(value, PI) and info.field_name == "valve")):
            raise ValueError("expected a share from 0 to 1, or a series over time" + (", or a PI" if info.field_name == "valve" else ""))
        if isinstance(value, int | float) and not 0 <= value <= 1:
            raise ValueError("expected a share from 0 to 1; is it in percent?")
        return value

    @field_validator("cdu")
    @classmethod
    def _in_water(cls, value: Cdu | None) -> Cdu | None:
        if value is not None and value.sink != "water":
            raise ValueError(f"unit {value.name!r} gives its heat to the room's air; a tank takes one with water")
        return value

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds tank, slots and unit to the network; see `thermo.cooling.site`."""
        for kind in site.kinds:
            if kind.server.branches or not kind.server.lanes:
                raise ScenarioError(f"cooling: server {kind.server.name!r} has cold plates; a tank takes the air-cooled server, without its fans")
        self._check_sinks(site)
        tank = Tank.of(self, network, site)
        if site.timeline.stops_cooling:
            site.warnings.append("room: while no cold air comes, the air around the tank is taken to stay as warm as it is")
        if self.cdu is not None and self.cdu.fluid != self.fluid.name:
            site.warnings.append(f"{self.cdu.name}: rated with {self.cdu.fluid}, and its films are taken to be those of it: {self.fluid.name} in "
                                 "it exchanges less where it is thicker; give a unit rated with the tank's liquid")
        if self.cdu is not None and (over := tank.feed / tank.density / (self.cdu.secondary_flow * self.cdu_share)) > BEYOND_UNIT:
            site.warnings.append(f"cdu: the tank's feed is {over:.3g} times the rated flow of its share of {self.cdu.name!r}; what its exchanger does "
                                 "there is extrapolated: take a larger unit, or more of it (cdu_share)")
        places = [Slots(tank, kind, last=kind is site.kinds[-1]).add() for kind in site.kinds]
        n = site.timeline.seconds.size
        return Cooled(places, tank.supply.values, True, supply_node=None if self.cdu is None else tank.supply_number,
                      hottest_fluid=(self.fluid.highest_temperature, self.fluid.name), coldest_fluid=(self.fluid.lowest_temperature, self.fluid.name),
                      over_time={"pump_speed": np.broadcast_to(tank.speed, (n,)).copy(), "feed_flow": np.broadcast_to(tank.speed * tank.feed, (n,)).copy()},
                      fluid_heights=tank.heights, derived=tank.told,
                      attributes={"fans": "taken out of the servers; their power is not in the result"})

    def _check_sinks(self, site: Site) -> None:
        """That each of `sinks` is for a device that hangs in the tank."""
        known = {n for k in site.kinds for name, m, _ in k.server.devices for n in (name, m.device.kind, m.device.name)}
        for given in self.sinks:
            if given.devices not in known:
                raise ScenarioError(f"cooling.sinks names {given.devices!r}{nearest(given.devices, sorted(known))}")

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] of what removes `heat` [W] from the room and `liquid` [W] from the tank's unit."""
        room = Air(handler_fan_share=self.handler_fan_share, chiller_cop=self.chiller_cop).heat_rejection_power(heat)
        if liquid is None:
            return room
        per_watt = self.facility_share + (0.0 if self.liquid_chiller_cop is None else 1 / self.liquid_chiller_cop)
        return np.asarray(room + np.maximum(liquid, 0.0) * per_watt)


def wall_coefficient(height: float, wall: float, air: float) -> float:
    """From a vertical steel wall at `wall` to a room at `air` degC [W/(m2 K)]: natural convection and radiation; the liquid's own film
    is left out, it is some ten times better."""
    state = AirState.at(0.5 * (wall + air), 101_325.0, 0.0)
    T, dT = 0.5 * (wall + air) + 273.15, max(abs(wall - air), 1.0)
    Ra = GRAVITY / T * dT * height**3 * (state.density / state.viscosity) ** 2 * state.prandtl
    return float(f.nusselt_churchill_chu(Ra, state.prandtl)) * state.conductivity / height + 4 * EMISSIVITY * STEFAN_BOLTZMANN * T**3


# ------------------------------------------------------------------------------------------------------------------ the tank

@dataclass
class Tank:
    """What all servers have in common."""

    design: Immersion
    site: Site
    reference: float  # degC
    supply: SetPoint  # degC
    air: SetPoint  # degC
    warm: float  # degC, where one number stands for a property: the mean of supply and rated return
    density: float  # kg/m3 there
    heat_capacity: float  # J/(kg K) there
    thinning: float  # kg/(m3 K) there: -d rho / d T
    feed: float  # kg/s at full speed
    speed: Floats  # (time,) or (), of the feed over that at full speed
    power: Floats  # W of the pumps, likewise
    servers: int
    heat: float  # W, rated, of all
    heights: dict[int, float] = field(default_factory=dict)  # m above the floor, of shared nodes by number
    plenum: Node = 0
    bath: list[Node] = field(default_factory=list)  # from the bottom up
    layers: list[Node] = field(default_factory=list)
    back: Node = 0  # pipe to the unit
    pipe: Node = 0  # from it
    supply_number: int = 0
    paths: list[tuple[Kind, str, int, float]] = field(default_factory=list)  # of each device: name, column of its path's flow, that rated [kg/s]
    opening: int | None = None  # column of the first kind's signals: the unit's valve
    losses: list[tuple[Node, float]] = field(default_factory=list)  # W/K to the room, but for the lid's
    plan: float = 0.0  # m2 of the liquid's surface

    @classmethod
    def of(cls, design: Immersion, network: Network, site: Site) -> Tank:
        """Set points on the run's times, the liquid's properties, the feed, and the nodes that all share."""
        fluid = design.fluid
        supply = site.set_point(design.supply_temperature, "supply_temperature", name="cooling.supply_temperature",
                                low=fluid.lowest_temperature, high=fluid.highest_temperature - 1.0, unit="degC",
                                hint=f"{fluid.name} is known in that range and pours from {fluid.freezing_point:g} degC on")
        if supply.values.ndim == 2:
            raise ScenarioError("cooling.supply_temperature has a dim server, one plenum feeds all; give one series")
        air = site.set_point(site.ambient.air_temperature, "air_temperature", name="ambient.air_temperature", low=-20.0, high=60.0, unit="degC",
                             hint="is it in kelvin?")
        first = float(np.ravel(supply.values)[0])
        heat = math.fsum(k.group.n_server * rated_heat(k.server) for k in site.kinds)
        rho, c_p = float(fluid.density(first)), float(fluid.heat_capacity(first))
        feed = heat / (design.rated_rise * c_p) if design.feed is None else design.feed * rho
        warm = min(first + 0.5 * heat / (feed * c_p), fluid.highest_temperature - 1.0)
        speed, power = _feed_of_pumps(design, site, feed / rho)
        rho = float(fluid.density(warm))
        tank = cls(design, site, network.reference, supply, air, warm, rho, float(fluid.heat_capacity(warm)), rho * float(fluid.expansion(warm)),
                   feed, speed, power, sum(k.group.n_server for k in site.kinds), heat)
        tank._fill(network)
        return tank

    def _fill(self, network: Network) -> None:
        """Plenum, bath, layers and pipes, and what they lose to the room."""
        d, per_volume = self.design, self.density * self.heat_capacity
        length = UNIT * math.fsum(k.group.n_server * k.server.height_units for k in self.site.kinds)
        servers = length * d.slot_width
        self.plan = servers * (1 + d.bath_share)
        around = 2 * (length + self.plan / length)  # of the wall
        U = wall_coefficient(d.plenum_height + d.slot_height + d.surface_height, float(np.ravel(self.supply.values)[0]),
                             float(np.ravel(self.air.values)[0])) if d.wall_loss is None else d.wall_loss

        def part(name: str, bottom: float, height: float, area: float) -> Node:
            node = network.shared(name, per_volume * area * height)
            self.heights[len(network.shared_names) - 1] = round(bottom + 0.5 * height, 9)
            self.losses.append((node, U * around * height))
            return node

        self.plenum = part("plenum", 0.0, d.plenum_height, self.plan)
        dz = d.slot_height / d.bath_cells
        self.bath = [part(f"bath {i + 1}", d.plenum_height + i * dz, dz, servers * d.bath_share) for i in range(d.bath_cells)]
        dz, top = d.surface_height / d.layers, d.plenum_height + d.slot_height
        self.layers = [part(f"layer {i + 1}", top + i * dz, dz, self.plan) for i in range(d.layers)]
        self.back = network.shared("return pipe", per_volume * d.pipe_volume)
        if d.cdu is not None:
            self.pipe = network.shared("supply pipe", per_volume * d.pipe_volume)
            self.supply_number = len(network.shared_names) - 1

    def told(self, ran: Ran) -> dict[str, NDArray[Any]]:
        """Warns where a path stands still, and where the unit takes the tank's heat with its valve shut and the feed is colder than asked for."""
        stood = [(float(span @ still[:-1, i]), ran.seconds[int(np.argmax(still[:, i]))], name, kind.first + i)
                 for kind, name, column, rated in self.paths for still in (ran.signals[self.site.kinds.index(kind)][:, :, column] < STILL * rated,)
                 for span in (np.diff(ran.seconds),) for i in range(still.shape[1]) if still[:, i].any()]
        stood = [case for case in stood if case[0] > LONG]
        if stood:
            longest, since, name, server = max(stood)
            self.site.warnings.append(
                f"tank: the path of {name} in server {server} stands still for {longest:.3g} s in all, first from {since:.4g} s on, and {len(stood) - 1} more for shorter or "
                "as long: the bath beside it is the warmer and no jets outweigh that. Liquid would sink there, which is not followed: what the "
                "device gives stays in the liquid at its fins, and it is told hotter than it would be; feed less warm liquid into a cold tank, or give more jet_head")
        if self.opening is not None:
            opening, supply = ran.signals[0][:, 0, self.opening], ran.data["supply_temperature"]
            wanted = np.broadcast_to(self.supply.values, supply.shape)
            over = (opening < SHUT) & (supply < wanted - OVERCOOLED) & (ran.data["heat_to_liquid"] > MOST_OF * ran.data["it_power"])
            if over.any():
                k = int(np.argmax(np.where(over, wanted - supply, 0.0)))
                unit: Any = self.design.cdu
                self.site.warnings.append(
                    f"cdu: at {ran.seconds[k]:g} s the feed is {supply[k]:.1f} degC, {wanted[k] - supply[k]:.1f} K colder than asked for, with the valve shut: "
                    f"{unit.name!r} of {unit.rated_heat / 1e3:g} kW is too large for {self.heat / 1e3:.3g} kW, and its valve lets a thirtieth of its water "
                    "through; give the part of it that serves the tank (cooling.cdu_share), or less facility_flow")
        return {}

    @property
    def shared_feed(self) -> Floats:
        """What is fed for each server [kg/s]."""
        return self.speed * self.feed / self.servers


def _feed_of_pumps(design: Immersion, site: Site, rated: float) -> tuple[Floats, Floats]:
    """Feed over that at full speed, which goes with the pumps' mean speed, and their power [W]; `rated` is m3/s at full speed."""
    p = design.pump
    usual = interval_means(site.over_time(design.pump_speed, name="cooling.pump_speed", **SPEED), design.pump_speed)
    if usual.ndim == 2:
        raise ScenarioError("cooling.pump_speed has a dim server, the pumps serve all; give one series")
    for step in site.steps("pump_speed", np.zeros(()), **SPEED):
        usual = np.where(step.when != 0, step.value, usual)
    full = p.head * rated / p.efficiency / p.count
    if not site.timeline.begins and site.timeline.lost is None:
        s = np.where(usual > 0, np.maximum(usual, p.minimum_speed), 0.0)
        return np.maximum(s, LEAST_FLOW), p.count * full * s**p.power_exponent
    usual = np.broadcast_to(usual, site.timeline.seconds.shape)
    speeds, fed = design._pumps.over(site.timeline, np.where(usual > 0, np.maximum(usual, p.minimum_speed), 0.0))
    return np.maximum(speeds.sum(axis=1) / p.count, LEAST_FLOW), (full * speeds**p.power_exponent * fed).sum(axis=1)

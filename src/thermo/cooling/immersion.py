r"""A tank of liquid that does not boil: air-cooled servers hang in it upright, without their fans.

Liquid rises through the *slot* that each server is, from a plenum below to a layer above, and beside the servers stands the *bath*,
which is open to both. What drives a slot is what the liquid in it weighs less than the bath beside it, and the head of the jets that
the unit outside feeds below the servers, which goes with the square of that feed,

.. math:: \Delta p = p_{jets} s^2 + g \left| \frac{d\rho}{dT} \right| H (\bar T_{slot} - \bar T_{bath}) = \Delta p_{friction}(\dot m, \mu(\bar T_{slot})),

with the friction of flat channels of one `gap`, developing or turbulent, and the losses of their ends (`mixed_convection.Slot`). Friction
goes by Reynolds' number alone, ``Re = Y(dp rho / mu^2)``, so that one law and the liquid's own give the flow. What slots take more than
is fed comes back down the bath from above, what they take less rises through it: the bath is warm or cold by that, and holds the flow.
A server's lanes are paths side by side, with the shares of its flow that they have of its air; devices follow each other from the
bottom up, each with its share of the slot's height in front of it and behind. Liquid above the servers is a few layers, from the
lowest, where the slots come out, up to the outlet.

The engine follows such a flow as it does a controller's: it looks at the mean temperature of each slot and at its excess over the
bath every `period`, and holds the flow between. Oils answer within half a minute, fluorinated liquids within seconds; the liquid's
inertia, which would take 0.5 s and 5 s of that, is left out. Flow does not run downwards in a slot: where the bath is
warmer and no jets drive, it all but stops.

A coolant distribution unit (`thermo.cooling.cdu`) takes the liquid from the top layer and feeds it into the plenum: its valve holds
what it feeds at the supply's temperature; without one, that is ideal. The feed goes in proportion to its pumps' speed (`thermo.cooling.pumps`).
Walls and lid lose heat to the room. One heat capacity counts for all the liquid, that at the mean of supply and rated return, and one
expansion. Left out: heat that runs down in liquid and steel, and turnover of a layer under a warmer one that comes later.

What is named in `in_air` stays outside: it is joined to the room by its own sink at its rated flow, and the fans of its own that
it has there are not counted.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, field_validator

from thermo._kernels import formulas as f
from thermo.cooling.air import Air
from thermo.cooling.cdu import RANGEABILITY, Cdu, exchange, primary_flow_share
from thermo.cooling.control import PI
from thermo.cooling.heat_sink import AirState
from thermo.cooling.immersed import STOOD, UPTAKE, Immersed, Rated, TankSink, air_conductance, immersed
from thermo.cooling.ladder import LEAST_RESISTANCE, Part, add_device
from thermo.cooling.mixed_convection import GRAVITY, Slot, slot_flow, slot_pressure_drop
from thermo.cooling.pumps import Pump, Pumps
from thermo.cooling.site import Cooled, Kind, Places, SetPoint, Site, metered
from thermo.errors import ScenarioError, nearest
from thermo.events import LidOpen, Timeline
from thermo.fluids import Fluid
from thermo.network import Control, Network, Node, Signal, Table, law_table, separated
from thermo.rack import Count, Described, Mount, NotNegative, Number, Positive, Server, Share

__all__ = ["Immersion"]

Floats = NDArray[np.float64]
UNIT = 0.04445  # m, a height unit
SENSOR = 1e-6  # W/K, through which a sensor is joined to what it reads
SPAN = 60.0  # K, of slot over bath, that sensors tell; beyond, buoyancy grows no further
LOOKS, SHORTEST, LONGEST = 0.15, 0.1, 5.0  # of the answer's time; s; s
SOFT = 1e-3  # Pa, over which the drive of a slot goes to zero
LEAST_FLOW = 1e-5  # of the rated flow: what creeps where nothing drives it, so that no node is without a neighbour
MOST_RATED = 8.0  # times the rated flow, up to which the laws of sinks are tabulated
SLOWEST_EXCHANGE = 0.1  # of the rated feed, below which the exchanger's effectiveness is taken to stay
CONVERSION = "conversion"  # what `in_air` calls the loss of supplies and regulators
SPEED: dict[str, Any] = {"low": 0.0, "high": 1.0, "unit": "of full speed", "hint": "is it in percent?"}
TOP = 0.03  # of a slot's liquid, that stands over the server's edge, where its supplies are
EMISSIVITY = 0.3  # of painted or brushed steel, an estimate
STEFAN_BOLTZMANN = 5.670374e-8  # W/(m2 K4)


def _fluid(value: Any) -> Any:
    return Fluid.from_library(value) if isinstance(value, str) else value


def _cdu(value: Any) -> Any:
    return Cdu.from_library(value) if isinstance(value, str) else value


class Immersion(Described):
    """A tank of liquid with the rack's servers in it. Set points are numbers or series over time. Lengths in m."""

    fluid: Annotated[Fluid, BeforeValidator(_fluid)] = Field(default="pao-4", validate_default=True)
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
    cdu: Annotated[Cdu | None, BeforeValidator(_cdu)] = None  # None: what is fed has the temperature that is asked for
    cdu_share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # of the unit that serves this tank
    valve: Any = Field(default_factory=lambda: PI(period=2.0, resolution=0.0, deadband=0.0, gain=0.01, integral_gain=0.001))
    facility_flow: Positive | None = None  # m3/s at full opening; None: the unit's rated flow times cdu_share
    facility_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.02  # power of dry cooler and facility pumps over heat
    liquid_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = None  # heat over compressor power; None: free cooling
    handler_fan_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.04  # room air handlers' fan power over heat removed
    chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = 5.0  # of the room; None: free cooling
    period: Positive | None = None  # s, between looks at the slots' temperatures; None: `LOOKS` of the time in which they answer
    provenance: Any = Field(default_factory=dict, repr=False)

    setpoints: ClassVar[tuple[str, ...]] = ("supply_temperature", "pump_speed", "facility_water_temperature", "air_temperature")

    @property
    def takes_events(self) -> tuple[str, ...]:
        """Kinds of events that it answers to."""
        always = "pump-trip", "cdu-loss", "lid-open", "inlet-step", "setpoint"
        return (*always, "water-loss") if self.cdu is not None else always

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
        if isinstance(value, bool | str | dict) or value is None:
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
        tank = _Tank.of(self, network, site)
        places = [_Servers(tank, kind, last=kind is site.kinds[-1]).add() for kind in site.kinds]
        n = site.timeline.seconds.size
        return Cooled(places, tank.supply.values, True, supply_node=None if self.cdu is None else tank.supply_number,
                      hottest_fluid=(self.fluid.highest_temperature, self.fluid.name),
                      over_time={"pump_speed": np.broadcast_to(tank.speed, (n,)).copy()}, fluid_heights=tank.heights,
                      notes=["fans are removed from the servers, and their power with them"])

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
class _Tank:
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
    heights: dict[int, float] = field(default_factory=dict)  # m above the floor, of shared nodes by number
    plenum: Node = 0
    bath: list[Node] = field(default_factory=list)  # from the bottom up
    layers: list[Node] = field(default_factory=list)
    back: Node = 0  # pipe to the unit
    pipe: Node = 0  # from it
    supply_number: int = 0
    losses: list[tuple[Node, float]] = field(default_factory=list)  # W/K to the room, but for the lid's
    plan: float = 0.0  # m2 of the liquid's surface

    @classmethod
    def of(cls, design: Immersion, network: Network, site: Site) -> _Tank:
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
        heat = math.fsum(k.group.n_server * _rated_heat(k.server) for k in site.kinds)
        rho, c_p = float(fluid.density(first)), float(fluid.heat_capacity(first))
        feed = heat / (design.rated_rise * c_p) if design.feed is None else design.feed * rho
        warm = min(first + 0.5 * heat / (feed * c_p), fluid.highest_temperature - 1.0)
        speed, power = _feed_of_pumps(design, site, feed / rho)
        rho = float(fluid.density(warm))
        tank = cls(design, site, network.reference, supply, air, warm, rho, float(fluid.heat_capacity(warm)), rho * float(fluid.expansion(warm)),
                   feed, speed, power, sum(k.group.n_server for k in site.kinds))
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

    @property
    def shared_feed(self) -> Floats:
        """What is fed for each server [kg/s]."""
        return self.speed * self.feed / self.servers


def _rated_heat(server: Server) -> float:
    """Of a server's devices and their conversion [W]."""
    watts = math.fsum(mount.device.max_power * mount.multiplicity for _, mount, _ in server.devices)
    return watts * (1 + server.conversion_slope) + server.conversion_loss


def _feed_of_pumps(design: Immersion, site: Site, rated: float) -> tuple[Floats, Floats]:
    """Feed over that at full speed, which goes with the pumps' mean speed, and their power [W]; `rated` is m3/s at full speed."""
    p = design.pump
    usual = site.over_time(design.pump_speed, name="cooling.pump_speed", **SPEED)
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


# --------------------------------------------------------------------------------------------------------------- the servers

@dataclass
class _Lane:
    """A path through a slot."""

    rows: list[list[tuple[int, str, Mount]]]  # devices, from the bottom up
    share: float  # of the slot's flow
    flow: Signal  # kg/s
    rest: Signal | None = None


@dataclass
class _Servers:
    """Servers of one kind while they are added, from plenum to unit."""

    tank: _Tank
    kind: Kind
    last: bool  # of the kinds: closes the bath's flow for all
    places: Places = field(default_factory=Places)

    def add(self) -> Places:
        """Adds ladders, slots, this kind's share of feed, unit and walls."""
        tank, group, server, places = self.tank, self.kind.group, self.kind.server, self.places
        parts = [add_device(self.kind, i, places) for i in range(len(server.devices))]
        outside = self._outside()
        self.slot = self._slot()
        self.rated = self._rated_flow()
        self.period = self._period() if tank.design.period is None else tank.design.period
        self.slot_sensor, self.bath_sensor = group.node("slot's mean"), group.node("bath's mean")
        for cell in tank.bath:
            group.conductance(self.bath_sensor, cell, SENSOR / len(tank.bath))
        m, warmth = self._flow()
        places.mass_flow = [group.record_signal(m)]
        inlet, outlet = group.node("slot's inlet", self._capacity(self._first_share())), group.node("slot's outlet", self._capacity(TOP))
        group.conductance(self.slot_sensor, inlet, SENSOR * self._first_share())
        through = group.coefficient(tank.heat_capacity, m)
        group.stream(tank.plenum, inlet, through)
        self._place("inlet", inlet, m)
        self._beside(inlet, 1.0, 0.0, self._first_share())
        for lane in self._lanes(m, outside):
            self._add_lane(lane, parts, warmth, inlet, outlet)
        self._place("outlet", outlet, m)
        places.exhaust = outlet
        group.stream(outlet, tank.layers[0], through)
        room = group.boundary(tank.air.signal(self.kind, lambda T: T - tank.reference))
        self._add_conversion(outlet, room, CONVERSION in tank.design.in_air)
        for i in outside:
            self._leave_outside(server.devices[i], parts[i], room)
        self._close_bath(m)
        self._add_walls(room)
        self._add_feed()
        places.keep(group)
        return places

    def _place(self, name: str, node: Node, flow: Signal) -> None:
        self.places.positions.append(name)
        self.places.coolant.append(node)
        self.places.position_flow[name] = self.kind.group.record_signal(flow)

    # -------------------------------------------------------------------------------------------------------- the slot's flow

    def _slot(self) -> Slot:
        """One of the flat channels of a slot, which lie side by side."""
        d = self.tank.design
        return Slot(height=d.slot_height, width=d.slot_width, gap=d.gap, loss=d.slot_loss)

    @property
    def _channels(self) -> float:
        """Of a slot, with the free area that solids leave."""
        d = self.tank.design
        return UNIT * self.kind.server.height_units * d.liquid_share / d.gap

    def _rated_flow(self) -> float:
        """Through a slot at the rated power, with cold liquid in the bath [kg/s]."""
        tank, n = self.tank, self._channels
        inlet = float(np.ravel(tank.supply.values)[0])
        try:
            settled = slot_flow(self.slot, tank.design.fluid, _rated_heat(self.kind.server) / n, inlet, tank.design.jet_head)
        except ScenarioError as error:
            raise ScenarioError(f"cooling: {self.kind.server.name}: {error}") from None
        return float(n * settled.m_dot)

    def _period(self) -> float:
        """Between looks: a part of the time in which a change of flow, by the warmth that it leaves in slot and bath, undoes itself.
        A slow flow answers to a head most."""
        tank, d, fluid, n = self.tank, self.tank.design, self.tank.design.fluid, self._channels
        slow = 0.02 * self.rated
        answers = GRAVITY * tank.thinning * d.slot_height * slow / float(slot_pressure_drop(self.slot, fluid, slow / n, tank.warm, tank.warm))  # kg/s for each K
        rise = _rated_heat(self.kind.server) / (self.rated * tank.heat_capacity)
        bath = tank.density * d.slot_width * d.slot_height * UNIT * self.kind.server.height_units * d.bath_share
        rate = answers * rise * (tank.heat_capacity / self._capacity(1.0) + 1 / bath)
        return float(np.clip(LOOKS / rate, SHORTEST, LONGEST))

    def _capacity(self, share: float) -> float:
        """Of the liquid in a share of the slot [J/K]."""
        d, tank = self.tank.design, self.tank
        volume = UNIT * self.kind.server.height_units * d.slot_width * d.slot_height * d.liquid_share
        return tank.density * tank.heat_capacity * volume * share

    def _flow(self) -> tuple[Signal, Signal]:
        """Flow through the slot [kg/s], and what tells its mean temperature: 0 at the liquid's lowest, 1 at its highest."""
        tank, group, d, fluid = self.tank, self.kind.group, self.tank.design, self.tank.design.fluid
        low, high = fluid.lowest_temperature, fluid.highest_temperature
        warmth = self._watched((low,), lambda rise: rise / (high - low), high - low, None)
        excess = self._watched((-SPAN,), lambda rise: rise / (2 * SPAN), 2 * SPAN, self.bath_sensor)
        buoyant = GRAVITY * tank.thinning * d.slot_height * 2 * SPAN  # Pa, over the whole span
        head = group.series(d.jet_head * tank.speed**2)
        drive = group.law_signal(_positive(SOFT), group.total([head, excess, group.series(1.0)], [1.0, buoyant, -0.5 * buoyant]))

        def at(u: Floats) -> Floats:
            return low + np.clip(u, 0.0, 1.0) * (high - low)

        over_mu2 = law_table(lambda u: tank.density / fluid.viscosity(at(u)) ** 2, 0.0, 1.0)
        mu = law_table(lambda u: fluid.viscosity(at(u)), 0.0, 1.0)
        most = (d.jet_head + 0.5 * buoyant) * tank.density / float(fluid.viscosity(high)) ** 2
        D, area = 2 * self.slot.width * self.slot.gap / (self.slot.width + self.slot.gap), self.slot.free_area
        Re = group.law_signal(_reynolds(self.slot, fluid, tank.warm, tank.density, most), group.law_signal(over_mu2, warmth, drive))
        moved = group.law_signal(mu, warmth, Re)
        return group.total([moved, group.series(1.0)], [self._channels * area / D, LEAST_FLOW * self.rated]), warmth

    def _watched(self, target: tuple[float, ...], law: Callable[[Floats], Floats], span: float, relative: Node | None) -> Signal:
        """What the slot's mean temperature, or its excess over another node's, makes of 0 to 1."""
        table = law_table(law, 0.0, span, points=3)
        return self.kind.group.control_signal(Control(kind=1, period=self.period, nodes=(self.slot_sensor,), target=target, curve=table,
                                                      relative=relative))

    # --------------------------------------------------------------------------------------------------------------- the lanes

    def _lanes(self, m: Signal, outside: set[int]) -> list[_Lane]:
        """Paths through the slot with what hangs in each."""
        out = []
        for lane in self.kind.server.lanes:
            found: dict[int, list[tuple[int, str, Mount]]] = {}
            for i, (name, mount, k) in enumerate(self.kind.server.devices):
                if mount.lanes[k] == lane.name and i not in outside:
                    found.setdefault(mount.positions[k], []).append((i, name, mount))
            out.append(_Lane([found[p] for p in sorted(found)], lane.flow_share, self.kind.group.total([m], [lane.flow_share])))
        return out

    def _first_share(self) -> float:
        """Of the slot's height, that lies in front of the first devices: half a row of each lane."""
        outside = self._outside()
        server = self.kind.server
        rows = {lane.name: {m.positions[k] for i, (_, m, k) in enumerate(server.devices) if m.lanes[k] == lane.name and i not in outside}
                for lane in server.lanes}
        return math.fsum(lane.flow_share * 0.5 / max(len(rows[lane.name]), 1) for lane in server.lanes)

    def _add_lane(self, lane: _Lane, parts: list[Part], warmth: Signal, inlet: Node, outlet: Node) -> None:
        """Rows of devices one above the other; behind each, mixed cells as high as lies up to the middle of the next gap."""
        tank, group, cells = self.tank, self.kind.group, self.tank.design.cells
        through = group.coefficient(tank.heat_capacity, lane.flow)
        at, n = inlet, max(len(lane.rows), 1)
        for k in range(n):
            row = lane.rows[k] if lane.rows else []
            share = lane.share / n * (0.5 if k == n - 1 else 1.0)
            bottom = (k + 0.5) / n
            name = row[0][1] if row else "bypass"
            behind = [group.node(f"liquid behind {name}" + (f" {j + 1}" if j else ""), self._capacity(share / cells)) for j in range(cells)]
            for j, cell in enumerate(behind):
                group.conductance(self.slot_sensor, cell, SENSOR * share / cells)
                height = share / lane.share / cells
                self._beside(cell, lane.share, bottom + j * height, bottom + (j + 1) * height)
            taken = [self._add_device(device, parts[device[0]], lane, len(row), k, n, warmth, at, behind[0]) for device in row]
            rest = group.total([lane.flow, *taken], [tank.heat_capacity, *[-1.0] * len(taken)])
            group.stream(at, behind[0], group.coefficient(1.0, rest))
            for tail, head in zip(behind, behind[1:], strict=False):
                group.stream(tail, head, through)
            at = behind[-1]
        group.stream(at, outlet, through)

    def _beside(self, cell: Node, share: float, bottom: float, top: float) -> None:
        """Joins liquid of a slot, between two shares of its height, to the bath through the chassis: `share` of the slot is this path."""
        tank, d = self.tank, self.tank.design
        sides = 2 * d.slot_height * UNIT * self.kind.server.height_units * share
        n = d.bath_cells
        for i, bath in enumerate(tank.bath):
            height = min(top, (i + 1) / n) - max(bottom, i / n)
            if height > 1e-9 and d.side_exchange:
                self.kind.group.conductance(cell, bath, d.side_exchange * sides * height)

    def _add_device(self, device: tuple[int, str, Mount], part: Part, lane: _Lane, beside: int, row: int, rows: int, warmth: Signal,
                    at: Node, cell: Node) -> Signal:
        """Couples one device with the liquid that passes it; returns what of the stream leaves as warm as its base [W/K]."""
        tank, group, (_, name, mount) = self.tank, self.kind.group, device
        fluid, c_p = tank.design.fluid, tank.heat_capacity
        share = lane.share * (1 - mount.bypass) / beside
        bulk = min(tank.warm + (row + 0.5) / rows * tank.design.rated_rise - 0.5 * tank.design.rated_rise, fluid.highest_temperature - 1.0)
        found = immersed(mount, self._sink_of(mount, name), fluid, Rated(bulk, share * self.rated, mount.multiplicity * mount.device.max_power),
                         MOST_RATED * share * self.rated)
        self._vouched(found)
        own = group.total([lane.flow], [(1 - mount.bypass) / beside])
        low, high = fluid.lowest_temperature, fluid.highest_temperature
        stretched = replace(found.natural, low=(found.natural.low + found.coldest - low) / (high - low), step=found.natural.step / (high - low))
        cubed = group.total([group.law_signal(found.forced, own), group.law_signal(stretched, warmth)])
        film, ratio = group.law_signal(found.film, cubed), group.law_signal(found.inverse, cubed, group.total([own], [c_p]))
        taken = group.law_signal(UPTAKE, ratio, film)
        if part.base != part.case:
            group.conductance(part.case, part.base, 1 / (part.interface + found.resistance + LEAST_RESISTANCE))
        through = group.coefficient(1.0, taken)
        group.stream(at, part.base, through)
        group.stream(part.base, cell, through)
        group.conductance(part.base, cell, group.coefficient(1.0, group.law_signal(STOOD, ratio, film)))
        self._place(name, cell, lane.flow)
        return taken

    def _sink_of(self, mount: Mount, name: str) -> Any:
        """The sink that the design has for a device; None: its own."""
        for given in self.tank.design.sinks:
            if given.devices in (name, mount.device.name, mount.device.kind):
                return given.sink
        return None

    def _vouched(self, found: Immersed) -> None:
        for message in found.warnings:
            if (line := f"{self.kind.server.name}.{message}") not in self.tank.site.warnings:
                self.tank.site.warnings.append(line)

    # -------------------------------------------------------------------------------------------------------- what stays outside

    def _outside(self) -> set[int]:
        """Devices that `in_air` names."""
        server, named = self.kind.server, self.tank.design.in_air
        known = {CONVERSION, *(n for k in self.tank.site.kinds for name, m, _ in k.server.devices for n in (name, m.device.kind, m.device.name))}
        for name in named:
            if name not in known:
                raise ScenarioError(f"cooling.in_air names {name!r}{nearest(name, sorted(known))}")
        return {i for i, (name, m, _) in enumerate(server.devices) if {name, m.device.kind, m.device.name} & set(named)}

    def _leave_outside(self, device: tuple[str, Mount, int], part: Part, room: Node) -> None:
        """A device in the room's air, at the flow that its sink has in the server."""
        name, mount, k = device
        server, group = self.kind.server, self.kind.group
        share = next(lane.flow_share for lane in server.lanes if lane.name == mount.lanes[k])
        flow = (0.0 if server.fans is None else server.fans.system_flow) * share * (1 - mount.bypass) / mount.multiplicity
        if part.base != part.case:
            group.conductance(part.case, part.base, 1 / (part.interface + LEAST_RESISTANCE))
        group.conductance(part.base, room, mount.multiplicity * air_conductance(mount, flow))
        self.places.positions.append(f"{name} in air")
        self.places.coolant.append(part.base)

    def _add_conversion(self, outlet: Node, room: Node, outside: bool) -> None:
        """Heat of supplies and regulators: at the top of the slot, or in the room's air."""
        group = self.kind.group
        for heat in (self.kind.conversion(), self.kind.supplied(self.tank.site.stages_in_servers, [])):
            if heat is None:
                continue
            node = outlet
            if outside:
                node = group.node("supplies in air")
                group.conductance(node, room, 1.0 / LEAST_RESISTANCE)
            group.source(node, heat)

    # ----------------------------------------------------------------------------------------------------- bath, walls, unit

    def _close_bath(self, m: Signal) -> None:
        """What slots take more than is fed comes down the bath, server by server; what they leave rises once, for all.

        The engine hands the feed out to the servers in order; the one that comes after all of them is asked what is left."""
        tank, group = self.tank, self.kind.group
        fed = group.series(tank.speed * tank.feed)
        share = group.supply_share(m, fed)
        down = group.coefficient(tank.heat_capacity, group.product(m, group.complement(share)))
        way = [tank.layers[0], *reversed(tank.bath), tank.plenum]
        for tail, head in zip(way, way[1:], strict=False):
            group.stream(tail, head, down)
        if self.last:
            n, time = group.n_server, tank.site.timeline.seconds.size
            one = np.zeros((time, n))
            one[:, 0] = np.broadcast_to(tank.speed * tank.feed, (time,))
            asked = group.series(one)
            up = group.coefficient(tank.heat_capacity, group.product(asked, group.supply_share(asked, fed)))
            for tail, head in zip(reversed(way), list(reversed(way))[1:], strict=False):
                group.stream(tail, head, up)
        each = group.coefficient(tank.heat_capacity, group.series(tank.shared_feed))
        for tail, head in zip(tank.layers, tank.layers[1:], strict=False):
            group.stream(tail, head, each)
        group.stream(tank.layers[-1], tank.back, each)

    def _add_walls(self, room: Node) -> None:
        """This kind's share of what wall and lid lose, each half behind the other, since a loss starts at a node of a server."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        for i, (node, G) in enumerate(tank.losses):
            if G:
                wall = group.node(f"wall {i + 1}")
                group.conductance(wall, node, 2 * G / tank.servers)
                group.conductance(wall, room, 2 * G / tank.servers)
        lid, loss = group.node("lid"), group.series(d.lid_loss)
        for _, begin, end in tank.site.timeline.during(LidOpen):
            if (when := tank.site.timeline.holds(begin, end)) is not None:
                loss = group.choice(loss, group.series(d.open_loss), group.series(when))
        G = group.coefficient(2 * tank.plan / tank.servers, group.total([loss, group.series(1.0)], [1.0, LEAST_FLOW]))
        group.conductance(lid, tank.layers[-1], G)
        group.conductance(lid, room, G)

    def _add_feed(self) -> None:
        """This kind's share of pumps and unit, from the return pipe to the plenum."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        feed, c_p = group.series(tank.shared_feed), tank.heat_capacity
        through = group.coefficient(c_p, feed)
        power = group.series(tank.power / tank.servers)
        self.places.pump_power.append(group.record_signal(power))
        pump = group.node("pump")
        group.source(pump, power)
        group.stream(tank.back, pump, through)
        largest = float(np.max(tank.shared_feed))
        if d.cdu is None:
            supply = tank.supply.signal(self.kind, lambda T: T - tank.reference)
            entry = group.node("feed")
            group.stream(group.boundary(supply), entry, through)
            group.stream(entry, tank.plenum, through)
            group.exit(pump, through)
            self.places.liquid.append(replace(metered(group, pump, supply, feed, c_p, largest), flow=None))
            return
        exchanger = group.node("exchanger", tank.density * c_p * d.cdu.volume * d.cdu_share / tank.servers)
        group.stream(pump, exchanger, through)
        group.stream(exchanger, tank.pipe, through)
        group.stream(tank.pipe, tank.plenum, through)
        self._add_exchanger(d.cdu, exchanger)

    def _add_exchanger(self, cdu: Cdu, node: Node) -> None:
        """The servers' share of the unit, from what is behind it to the facility's water."""
        tank, group, d, site = self.tank, self.kind.group, self.tank.design, self.tank.site
        water = site.set_point(site.ambient.facility_water_temperature, "facility_water_temperature", name="ambient.facility_water_temperature",
                               low=-5.0, high=95.0, unit="degC", hint="is it in kelvin?").signal(self.kind, lambda T: T - tank.reference)
        w = tank.feed * tank.heat_capacity
        secondary = tank.feed / tank.density / (cdu.secondary_flow * d.cdu_share)
        most = cdu.primary_flow * d.cdu_share if d.facility_flow is None else d.facility_flow

        def law(s: Floats, flow: Floats) -> Floats:
            opening = 1 + np.log(flow) / math.log(RANGEABILITY)
            return exchange(cdu, d.cdu_share, w * s, secondary * s, most, opening) / tank.servers

        opening = self._opening(node)
        flow = group.law_signal(law_table(lambda u: primary_flow_share(cdu, u), 0.0, 1.0), opening)
        s, slow = np.maximum(tank.speed, SLOWEST_EXCHANGE), np.minimum(tank.speed / SLOWEST_EXCHANGE, 1.0)
        least = 1 / RANGEABILITY
        if np.all(s == np.ravel(s)[0]):
            one = float(np.ravel(s)[0])
            value = group.law_signal(law_table(lambda u: law(np.asarray(one), u), least, 1.0), flow, group.series(slow))
        else:
            largest = float(law(np.asarray(1.0), np.asarray(1.0)))
            terms = separated(law, (SLOWEST_EXCHANGE, max(1.0, float(np.max(s)))), (least, 1.0), 1e-6 * largest)
            value = group.product(group.law_of_two(terms, group.series(s), flow), group.series(slow))
        if (without := site.timeline.without_water()) is not None:
            value = group.choice(value, group.series(0.0), group.series(without))
        group.conductance(node, group.boundary(water), group.coefficient(1.0, value))
        self.places.liquid.append(replace(metered(group, node, water, value, 1.0, float(law(np.asarray(1.0), np.asarray(1.0)))), flow=None))

    def _opening(self, node: Node) -> Signal:
        """Of the valve: a controller's that holds what is behind the exchanger at the supply's set point, or given."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        if not isinstance(d.valve, PI):
            return group.series(tank.site.over_time(d.valve, name="cooling.valve", low=0.0, high=1.0, unit="of full opening", hint="is it in percent?"))
        wanted = group.node("set point")
        group.conductance(wanted, group.boundary(tank.supply.signal(self.kind, lambda T: T - tank.reference)), SENSOR)
        control = d.valve.replace(setpoint=0.0).control([node], [self.kind.server.devices[0][1].device], 0.0, 1.0)
        return group.control_signal(replace(control, relative=wanted))


# -------------------------------------------------------------------------------------------------------------------- laws

def _positive(soft: float) -> Table:
    """``max(x, 0)``, rounded over `soft` to either side: straight beyond."""
    return Table(-soft, soft, np.array([0.0, 0.25 * soft, soft]), np.array([0.0, 0.5 * soft, soft]), 0.0)


def _reynolds(slot: Slot, fluid: Fluid, T: float, rho: float, most: float) -> Table:
    """Reynolds' number in a slot against ``dp rho / mu^2`` [1/m2], up to `most`."""
    from scipy.interpolate import CubicSpline

    D = 2 * slot.width * slot.gap / (slot.width + slot.gap)
    mu = float(fluid.viscosity(T))
    Re = np.geomspace(1e-6, 1e6, 2401)
    drive = slot_pressure_drop(slot, fluid, Re * slot.free_area * mu / D, T, T) * rho / mu**2
    inverse = CubicSpline(np.log(drive), np.log(Re / drive))
    least = float(drive[0])

    def law(z: Floats) -> Floats:
        return np.asarray(z * np.exp(inverse(np.log(np.maximum(z, least)))))

    return law_table(law, 0.0, most, points=4097)

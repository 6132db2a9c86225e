r"""Two-phase immersion: the servers of air in a sealed tank of boiling liquid, a condenser above it, a relief vent.

Fans are taken out, and their power with them. On each device sits a boiling plate in place of its heat sink, sized for its full power
with a margin to the critical heat flux (`thermo.cooling.boiling_face`); what is bare boils, or warms the liquid, on its own area. What
remains in air are the power supplies, unless `supplies_in_tank`.

**Pool.** Liquid and vapour have one temperature, that of saturation at the vapour's own pressure; all servers share it,

.. math:: C \dot T = \sum q_i - w \varepsilon (T - T_{water}) - G_{lid} (T - T_{room}) - \dot m_{vent} h_{fg},

with the capacity of the closed space (`thermo.cooling.condenser.space_capacity`): liquid, what evaporates on the way, walls. A tank that
is colder than its liquid boils at one bar is below one bar: it is sealed, and boils all the same. Gas that does not condense stays in the
tank, adds its own pressure, keeps the pool below saturation and takes its part of the condenser's film.

Capacity, and the pool's distance from saturation by gas, are those at `design_temperature` and of the full tank; the capacity moves by
2 % over 10 K, and falls as liquid is lost, which is not followed. Boiling follows the pressure. The condenser's effectiveness is that of
`thermo.cooling.condenser.condense` at the difference of vapour and water, at the flow and the temperature of the water at which the run
stays; where they move, its transfer units are scaled as at the design's difference: the pool is then up to 0.05 K off for 8 K of the water,
0.3 K for half its flow.

**Sampling.** Walls, condenser and vent are read each `period` and hold until the next; see `thermo.cooling.boiling_face` for why that is
stable. A period in which a wall could warm from the pool's temperature to its critical one before it is seen is refused. A wall with an incipience overshoot
(`Surface.incipience_overshoot`) stays on natural convection until it is that much above the onset of boiling, and falls back below the onset; at rest
it has boiled, begun from a temperature it has not.

**Vent.** It opens when the pressure is `Relief.opening_pressure` above the room's, closes at its closing pressure, and lets vapour out
that takes its latent heat along (`vented_heat`, part of `heat_to_air`), within a period no more than cools the pool to just below where the vent
closes; gas leaves with it as it is mixed. A lid can be opened (`thermo.events.lid_open`, see `thermo.cooling.tank_air`). The level falls with the mass. Servers stand on their fronts, so that a device with the largest `position`
along the air is the highest: it dries while the level passes its face, and then gives its heat to vapour, at `tank_result.VAPOUR_FILM` and by radiation. Hotter than
`tank_result.DESTROYED` it is said to be destroyed.

**Plant.** Where the water's cold is a chiller's (`liquid_chiller_cop`), a loss of cooling takes the cold water too.

**Left out.** Flux is the mean of a plate; a warning says where its middle is beyond the critical one at full power. What
moisture does, and a room that warms while its cooling stands still (lid and power supplies go on as in air of the set temperature).

A tank in which a face would have to go beyond its critical heat flux, or the vent to stay open, has no steady state: a run that asks for
one says so. One that gets there in time follows the wall into film boiling, until firmware shuts its device down.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from thermo.cooling.boiling import Surface, boiling_warnings
from thermo.cooling.boiling_face import SPAN, Face, even_law, plate_for, spreading
from thermo.cooling.condenser import Condenser, Relief, condenser_for
from thermo.cooling.ladder import LEAST_RESISTANCE, Part, add_device
from thermo.cooling.site import Cooled, Kind, Places, Site, metered
from thermo.cooling.tank_air import GAUGE, INRUSH, GasSignals
from thermo.cooling.tank_result import Columns, dry_law
from thermo.cooling.two_phase_tank import (
    BARE_AREA,
    LAW_POINTS,
    ONE_ATM,
    PROCESSORS,
    WATER_SPAN,
    WATER_TEMPERATURE,
    Tank,
)
from thermo.errors import ScenarioError
from thermo.network import Control, Network, Node, Reach, Signal, Table
from thermo.rack import Celsius, Described, Mount, NotNegative, Number, Positive
from thermo.refrigerants import Refrigerant, Saturation

__all__ = ["BARE_AREA", "TwoPhaseImmersion"]

Floats = NDArray[np.float64]
WATER = 4180.0  # J/(kg K)
SENSOR = 1e-6  # W/K, through which a sensor is joined to what it measures
PORT = 1e3  # W/K, through which what is given to a server's node passes on to the pool; all of it does, whatever the number
LEAST_LOSS = 1e-9  # W/K of a lid; less is none
STANDING = 1e-3  # of the water's flow, that stays in the condenser's water while none comes
READS = 1e-5, 2.5e-6  # of the fluid's range or the coil's; of a wall's span: 1 and 2 mK, a controller that sees less does not move
STEP = Table(-1e-6, 1e-6, np.array([0.0, 1.0]), np.zeros(2), 0.0)  # of a controller that is on from its target on
BARE = Surface(name="bare", boiling_multiplier=0.83)  # no metal: the multiplier of silicon


def _fluid(value: Any) -> Any:
    return Refrigerant.from_library(value) if isinstance(value, str) else value


def _surface(value: Any) -> Any:
    return Surface.from_library(value) if isinstance(value, str) else value


def _surfaces(value: Any) -> Any:
    return {k: _surface(v) for k, v in value.items()} if isinstance(value, Mapping) else value


class TwoPhaseImmersion(Described):
    """Servers in a sealed tank of boiling liquid. Water's set points are numbers or series over time.

    `surface` is the finish of boiling plates, which are made as large as `critical_margin` asks; a kind of device in `surfaces` gets
    that surface as it is, with its own size.
    """

    fluid: Annotated[Refrigerant, BeforeValidator(_fluid)] = Field(default="novec-649", validate_default=True)
    design_temperature: Celsius | None = None  # degC of saturation, at which things are sized; None: at 1 atm
    surface: Annotated[Surface, BeforeValidator(_surface)] = Field(default="boiling-plate", validate_default=True)
    surfaces: Annotated[dict[str, Surface], BeforeValidator(_surfaces)] = Field(default_factory=dict)
    critical_margin: Annotated[Number, Field(gt=1, le=10)] = 2.5  # critical heat flux over the plate's mean at full power
    plate_thickness: Positive = 0.008  # m
    plate_conductivity: Positive = 390.0  # W/(m K), copper
    plate_heat_capacity: Positive = 3.42e6  # J/(m3 K), copper
    bare_area: dict[str, Positive] = Field(default_factory=lambda: dict(BARE_AREA))  # m2 of one part without a case, by its kind
    liquid_volume: Positive | None = None  # m3; None: `LIQUID` for each watt
    vapour_volume: Positive | None = None  # m3 above it; None: `VAPOUR`
    liquid_area: Positive | None = None  # m2 of the liquid's face; None: `liquid_volume` over `DEPTH`
    cover: Positive = 0.05  # m of liquid above the highest devices
    server_depth: Positive = 0.4  # m from the highest devices down to a server's front
    wall_capacity: NotNegative | None = None  # J/K, of tank and racks; None: `WALL`
    gas: NotNegative = 0.0  # mol that does not condense
    lid_conductance: Annotated[Number, Field(ge=0, le=500)] = 10.0  # W/K, of walls and lid to the room
    condenser: Condenser | None = None  # None: one for the rack's rated power with water of 30 degC
    water_flow: Any = None  # kg/s through the condenser; None: its rated flow
    water_temperature: Any = None  # degC; None: the facility water of the surroundings
    relief: Relief | None = None  # None: opens at 30 kPa above room or design, closes at 15, takes the vapour of 1.5 times the rated power
    sealed: bool = False  # no vent at all
    fluid_price: NotNegative | None = None  # USD for a kilogram; None: the library's, or 0 where it has none
    supplies_in_tank: bool = False  # whether what power supplies lose warms the liquid; else the room
    period: Annotated[Number, Field(ge=0.01, le=10)] = 0.5  # s, between two looks at walls, vapour and water
    facility_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.05  # power of dry cooler and facility pumps over heat
    liquid_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = None  # heat over compressor power; None: free cooling
    handler_fan_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.04  # room air handlers' fan power over what the room takes
    chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = 5.0  # of the room
    restart_delay: NotNegative = 240.0  # s from power to water again
    provenance: Any = Field(default_factory=dict, repr=False)

    takes_events: ClassVar[tuple[str, ...]] = ("cooling-loss", "water-loss", "lid-open", "setpoint")
    setpoints: ClassVar[tuple[str, ...]] = ("water_flow", "water_temperature", "air_temperature")

    @property
    def saturation_temperature(self) -> float:
        """At which the tank is designed to boil [degC]."""
        if self.design_temperature is not None:
            return self.design_temperature
        low, high = (float(self.fluid.saturation_pressure(T)) for T in (self.fluid.lowest_temperature, self.fluid.highest_temperature))
        if not low <= ONE_ATM <= high:
            raise ScenarioError(f"cooling.design_temperature: {self.fluid.name} is not known to boil at 1 atm, it does at {low / 1e3:.0f} to {high / 1e3:.0f} "
                                f"kPa from {self.fluid.lowest_temperature:g} to {self.fluid.highest_temperature:g} degC; give a temperature in that range")
        return float(self.fluid.saturation_temperature(ONE_ATM))

    def rated_water_flow(self, watts: float) -> float:
        """Of the condenser, for a rack of that rated power [W]; the given one's, or of that which would be chosen. [kg/s]"""
        coil = self.condenser or condenser_for(watts, self.fluid, self.saturation_temperature, WATER_TEMPERATURE)
        return coil.rated_water_flow

    def face(self, mount: Mount) -> Face:
        """The boiling face of a device [`thermo.cooling.boiling_face.Face`], all its equal parts together."""
        d, T = mount.device, self.saturation_temperature
        if d.kind in self.surfaces:
            surface = self.surfaces[d.kind]
        elif d.junction_resistance is None and d.kind not in PROCESSORS:
            side = float(np.sqrt(self.bare_area.get(d.kind, BARE_AREA["board"])))
            surface = BARE.replace(length=side, width=side)
        else:
            surface = plate_for(d, self.surface, self.fluid, T, self.critical_margin)
        return Face(surface, mount.multiplicity, self.fluid, T)

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds the servers in their tank to the network; see `thermo.cooling.site`."""
        tank = Tank.of(self, network, site)
        pool = network.shared("pool", tank.capacity)
        places = [_Servers(tank, kind, pool).add() for kind in site.kinds]
        state = Saturation.at(self.fluid, self.saturation_temperature)
        doubts = [m for s in (self.surface, *self.surfaces.values()) for m in boiling_warnings(s.name, s, state)]
        return Cooled(places, tank.water.values, True, derived=tank.result.derived, hottest_fluid=(np.inf, self.fluid.name),
                      attributes={"fans": "taken out of the servers; their power is not in the result", "boiling_doubts": "; ".join(doubts)})

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] of what removes `heat` [W] from the room and `liquid` [W] from the facility's water."""
        room = self.handler_fan_share + (0.0 if self.chiller_cop is None else (1 + self.handler_fan_share) / self.chiller_cop)
        water = self.facility_share + (0.0 if self.liquid_chiller_cop is None else 1 / self.liquid_chiller_cop)
        return np.asarray(np.maximum(heat, 0.0) * room + (0.0 if liquid is None else np.maximum(liquid, 0.0) * water))


# --------------------------------------------------------------------------------------------------------------- the servers

@dataclass
class _Servers:
    """The servers of one kind in the tank while they are added, each with its share of condenser, vent and lid."""

    tank: Tank
    kind: Kind
    pool: Node

    def add(self) -> Places:
        """Adds devices, condenser, vent, lid and what stays in air."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        self.places, self.faces = Places(), [tank.face(mount) for _, mount, _ in self.kind.server.devices]
        self.sensor, self.port = group.node("pool's sensor"), group.node("liquid")
        group.conductance(self.sensor, self.pool, SENSOR)
        group.conductance(self.port, self.pool, PORT)
        low, high = d.fluid.lowest_temperature, d.fluid.highest_temperature
        self.place = group.control_signal(self._reader(  # of the pool in the fluid's range, 0 to 1
            self.sensor, high - low, target=low, rest_high=None if tank.can_vent else 1.0,
            beyond_rest=f"condenser and lid do not take this heat off a pool of {high:g} degC, to which {d.fluid.name} is known, and no vent opens; give it more "
                        "or colder water, or start from a temperature (initial=25.0)"))
        self.place_number = len(group.controls) - 1
        self.room = group.boundary(tank.room.signal(self.kind, lambda T: T - tank.reference))
        self.zero, self.outside = group.boundary(group.series(0.0)), group.node("outside")
        group.conductance(self.outside, self.zero, PORT)
        self.gas = self._add_gas()
        self.lost, gone = self._add_losses()
        self.boils: list[int | None] = []
        walls = [self._add_device(i, face) for i, face in enumerate(self.faces)]
        self._add_condenser()
        self._add_air()
        if d.lid_conductance > LEAST_LOSS:
            lid = group.node("lid")
            group.conductance(lid, self.pool, PORT)
            group.conductance(lid, self.room, 1 / (tank.servers / d.lid_conductance - 1 / PORT))
        self.places.keep(group)
        depths = [self._depth(i) for i in range(len(self.faces))]
        gas = group.record_signal(self.gas.share) if self.gas is not None else None
        tank.result.add(Columns(self.kind, self.faces, depths, [group.record(w) for w in walls], self.boils, group.record(self.sensor), gone, gas))
        return self.places

    def _gauge(self, name: str) -> Node:
        """A node that shows a signal as kelvins, for a controller to read."""
        node = self.kind.group.node(name)
        self.kind.group.conductance(node, self.zero, 1.0)
        return node

    def _show(self, gauge: Node, signal: Signal, kelvins: float) -> None:
        """Lets a gauge show so many kelvins for 1 of a signal, at no cost to the balance."""
        self.kind.group.source(gauge, signal, kelvins)
        self.kind.group.source(self.outside, signal, -kelvins)

    def _reader(self, node: Node, span: float, *, target: float = 0.0, relative: Node | None = None, rest_high: Reach | float | None = None,
                beyond_rest: str = "") -> Control:
        """A controller whose output is the temperature of `node` above `target`, or above another node, over `span`."""
        straight = Table(0.0, span, np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.0)
        return Control(kind=1, period=self.tank.design.period, nodes=(node,), target=(target,), low=0.0, high=1.0, quantum=READS[span == SPAN], curve=straight,
                       relative=relative, rest_high=rest_high, beyond_rest=beyond_rest)

    def _add_device(self, i: int, face: Face) -> Node:
        """A device and its boiling face; returns the node of the wall."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        name, mount, _ = self.kind.server.devices[i]
        bare = mount.device.junction_resistance is None
        plate = 0.0 if bare and face.surface.name == BARE.name else d.plate_heat_capacity * face.surface.footprint * d.plate_thickness
        part: Part = add_device(self.kind, i, self.places, sink_capacity=plate)
        tank.require_period(f"{self.kind.server.name}.{mount.names[0]}", mount.device, face, plate)
        if part.base != part.case:
            base, margin = spreading(face, mount.device, d.plate_thickness, d.plate_conductivity)
            group.conductance(part.case, part.base, 1 / (part.interface + base / face.count + LEAST_RESISTANCE))
            if margin < 1:
                tank.warn(f"boiling plate of {self.kind.server.name}.{mount.names[0]}: at full power the flux under its middle is the critical one over "
                          f"{margin:.2f}, where it dries first; the run counts the mean flux. Make it thicker or larger")
        on_excess, on_flux, both, wet, dry = self._around(face, self._depth(i))
        excess = group.control_signal(self._reader(
            part.base, SPAN, relative=self.sensor, rest_high=Reach(self._kept(("critical", face), lambda: face.critical_law(tank.subcooling)),
                                                                   self.place_number),
            beyond_rest=f"it asks more of its boiling face than the critical heat flux, some {face.critical(tank.result.design_pool) / 1e3:.0f} kW/m2; "
                        "enlarge or improve the surface, ask less of it, or start from a temperature (initial=25.0) to see it happen in time"))
        group.conductance(part.base, self.pool, group.coefficient(1.0, group.law_signal(self._kept(("dry", face), lambda: dry_law(face)), excess, dry)))
        if face.parted:
            conductance, given = self._parted(face, excess, on_excess, on_flux, both, wet)
        else:
            self.boils.append(None)
            x = group.product(excess, on_excess)
            law, source = self._kept(("boiling", face), face.laws)
            conductance, given = group.law_signal(law, x, both), group.law_signal(source, x, on_flux)
        group.conductance(part.base, self.pool, group.coefficient(1.0, conductance))
        group.source(part.base, given, -1.0)
        group.source(self.port, given, 1.0)
        return part.base

    def _parted(self, face: Face, excess: Signal, on_excess: Signal, on_flux: Signal, both: Signal, wet: Signal) -> tuple[Signal, Signal]:
        """Conductance and heat given by a face's curve in two parts; see `thermo.cooling.boiling_face`."""
        group = self.kind.group
        natural, natural_source, more, more_source = self._kept(("parted", face), face.parted_laws)
        if self.gas is not None:
            also_excess, also_flux = (group.law_signal(law, self.gas.subcooling) for law in self._kept(("subcooled", face), lambda: face.subcooled_laws))
            on_excess, on_flux = group.product(on_excess, also_excess), group.product(on_flux, also_flux)
            both = group.product(both, group.product(also_excess, also_flux))
            x = group.product(group.total([excess, self.gas.subcooling], [1.0, -1 / SPAN]), on_excess)
        else:
            x = group.product(excess, on_excess)
        if face.surface.incipience_overshoot > 0:
            boils = self._late(face, x)
            on_flux, both = group.product(on_flux, boils), group.product(both, boils)
            self.boils.append(group.record_signal(boils))
        else:
            self.boils.append(None)
        beyond = group.law_signal(more, x, both)
        given = [group.law_signal(natural_source, excess, wet), group.law_signal(more_source, x, on_flux)]
        weights = [1.0, 1.0]
        if self.gas is not None:
            given.append(group.product(beyond, self.gas.subcooling))
            weights.append(-1.0)
        return group.total([group.law_signal(natural, excess, wet), beyond]), group.total(given, weights)

    def _late(self, face: Face, x: Signal) -> Signal:
        """1 while a wall boils that is late to: from its incipience on, until it is below the onset. At rest it has boiled."""
        tank, group = self.tank, self.kind.group
        gauge = self._gauge("superheat gauge")
        self._show(gauge, x, SPAN)
        begins, ends = face.curve.incipience_superheat, face.curve.onset_superheat
        return group.control_signal(Control(kind=1, period=tank.design.period, nodes=(gauge,), target=(tank.reference + begins,), low=0.0, high=1.0,
                                            deadband=begins - ends, curve=STEP, rest=1.0))

    def _add_gas(self) -> GasSignals | None:
        """What signals know of the gas in the tank; None where there is none."""
        tank, group = self.tank, self.kind.group
        if tank.air is None:
            return None
        begins = tank.air.start / tank.air.most
        share = group.series(begins)
        if tank.gas_moves:
            self.gas_gauge = self._gauge("gas gauge")
            share = group.control_signal(Control(kind=0, period=tank.design.period, nodes=(self.gas_gauge,), target=(tank.reference,), integral_gain=1.0,
                                                 low=0.0, high=1.0, rest=begins, at_end=begins))
        return tank.air.signals(group, self.place, share)

    def _depth(self, i: int) -> float:
        """Of the top of a device's face below the highest ones' [m]."""
        places = [mount.positions[k] for _, mount, k in self.kind.server.devices]
        return self.tank.design.server_depth * (max(places) - places[i]) / (max(places) + 1)

    def _around(self, face: Face, depth: float) -> tuple[Signal, Signal, Signal, Signal, Signal]:
        """What the tank does to a face so deep: the pressure's factors on the wall's excess, on the flux, and on both together, the latter two of
        what is wet of it; what is wet, and what is dry. Alike ones share them."""
        if (face, depth) not in self._known:
            tank, group = self.tank, self.kind.group
            boils = self.place if self.gas is None else self.gas.boils
            wet = group.law_signal(self._kept(("wet", depth, face), lambda: tank.wet_law(depth, face)), self.lost)
            on_excess, on_flux = (group.law_signal(law, boils) for law in self._kept(("pressure", face), lambda: face.factor_laws))
            on_flux = group.product(on_flux, wet)
            self._known[face, depth] = on_excess, on_flux, group.product(on_excess, on_flux), wet, group.complement(wet)
        return self._known[face, depth]

    def _kept(self, key: Any, make: Any) -> Any:
        laws = self.tank.laws
        if key not in laws:
            laws[key] = make()
        return laws[key]

    @cached_property
    def _known(self) -> dict[tuple[Face, float], tuple[Signal, Signal, Signal, Signal, Signal]]:
        return {}

    def _add_condenser(self) -> None:
        """The server's share of the coil: of the water a part ``w eps`` leaves as warm as the vapour, the rest as it came."""
        tank, group, kind = self.tank, self.kind.group, self.kind
        share = 1 / tank.servers
        supply = tank.water.signal(kind, lambda T: T - tank.reference)
        water = group.boundary(supply)
        gauge, outlet = group.node("water's sensor"), group.node("condenser water")
        group.conductance(gauge, water, SENSOR)
        flow = tank.flow.signal(kind, lambda m: m * share)
        driving = group.control_signal(self._reader(self.sensor, WATER_SPAN, relative=gauge))
        moved = tank.water.linear or tank.flow.linear
        factor = group.series(kind.own(tank.coil_factor()), linear=moved and not (tank.water.steps or tank.flow.steps))
        if tank.gas_moves and tank.air is not None and self.gas is not None:
            film = group.law_signal(tank.air.film_law, self.gas.fraction)
            bare = group.law_of_two(self._kept("coil of two", lambda: tank.coil_of_two), driving, film)
            units = group.product(bare, group.law_signal(self._kept("gate", lambda: tank.air.gate(WATER_SPAN)), driving, factor))
        else:
            units = group.law_signal(tank.coil_law, driving, factor)
        back = self._kept("effectiveness", lambda: even_law(np.linspace(0.0, 12.0, LAW_POINTS), -np.expm1(-np.linspace(0.0, 12.0, LAW_POINTS))))
        taken = group.total([group.law_signal(back, units, flow)], [WATER])
        if tank.dry is not None:
            now, none = group.series(tank.dry), group.series(0.0)
            flow = group.choice(flow, group.series(STANDING * tank.coil.rated_water_flow * share), now)
            taken = group.choice(taken, none, now)
        through, crosses = group.coefficient(WATER, flow), group.coefficient(1.0, taken)
        group.stream(water, outlet, group.coefficient(1.0, group.total([flow, taken], [WATER, -1.0])))
        group.stream(water, self.pool, crosses)
        group.stream(self.pool, outlet, crosses)
        group.exit(outlet, through)
        self.places.liquid.append(metered(group, outlet, supply, flow, WATER, float(np.max(tank.flow.values)) * share))
        self.places.mass_flow = [group.record_signal(flow)]
        self.places.exhaust = outlet
        self.places.positions += ["pool", "condenser water"]
        self.places.coolant += [self.sensor, outlet]
        self.places.position_flow["condenser water"] = self.places.mass_flow[0]

    def _add_losses(self) -> tuple[Signal, tuple[int, int] | None]:
        """What of the tank's mass has left [1], and where this server's share of the vapour [kg/s] and its heat [W] that leave are recorded.

        A controller sums the mass up: it sees as many kelvin at a gauge as kilograms a second pass. A tank that nothing leaves has it too, so
        that it can go on from one with a vent."""
        tank, group = self.tank, self.kind.group
        gauge = self._gauge("vapour's gauge")
        lost = group.control_signal(Control(kind=0, period=tank.design.period, nodes=(gauge,), target=(tank.reference,),
                                            integral_gain=tank.servers / tank.result.mass, low=0.0, high=1.0, deadband=1e-12, rest=0.0))
        ways = [*self._by_vent(lost), *self._by_lid(lost)]
        if not ways:
            return lost, None
        vapour, heat = (group.total(list(each)) for each in zip(*ways, strict=True))
        group.source(self.port, heat, -1.0)
        group.source(self.outside, heat, 1.0)
        self._show(gauge, vapour, 1.0)
        return lost, (group.record_signal(vapour), group.record_signal(heat))

    def _by_vent(self, lost: Signal) -> list[tuple[Signal, Signal]]:
        """Vapour and its heat that leave by the relief vent; gas leaves with it."""
        tank, group = self.tank, self.kind.group
        if (relief := tank.relief) is None:
            return []
        if self.gas is None or tank.air is None:
            opens, closes = tank.vent_temperatures
            if opens is None or closes is None:
                return []
            is_open = self._opens(self.sensor, opens, opens - closes)
            vapour_law, heat_law, most = self._kept("vent", lambda: tank.vent_laws(relief))
            some = group.law_signal(self._kept("left", lambda: tank.left_law(most)), lost, is_open)
            return [(group.law_signal(vapour_law, self.place, some), group.law_signal(heat_law, self.place, some))]
        gauge = self._gauge("pressure gauge")
        self._show(gauge, self.gas.pressure, tank.air.unit / GAUGE)
        above = tank.result.room_pressure + relief.opening_pressure
        is_open = self._opens(gauge, tank.reference + above / GAUGE, (relief.opening_pressure - relief.closing_pressure) / GAUGE)
        out, in_vapour, lighter, rate, most = self._kept("vent of two", lambda: tank.air_of_vent(relief))
        some = group.law_signal(self._kept("left", lambda: tank.left_law(1.5 * most)), lost, is_open)
        vapour = group.law_signal(out, self.gas.pressure, group.law_signal(in_vapour, self.gas.fraction, some))
        gone = group.law_signal(rate, self.gas.pressure, group.law_signal(lighter, self.gas.fraction, group.product(self.gas.share, is_open)))
        self._show(self.gas_gauge, gone, -1.0)
        return [(vapour, group.law_signal(self._kept("latent", lambda: tank.latent_law), self.place, vapour))]

    def _opens(self, node: Node, target: float, deadband: float) -> Signal:
        """1 while the vent is open, by a node that says how high the pressure is."""
        return self.kind.group.control_signal(Control(
            kind=1, period=self.tank.design.period, nodes=(node,), target=(target,), low=0.0, high=1.0, deadband=max(deadband, 0.0), curve=STEP,
            rest_high=0.0, beyond_rest="at rest the relief vent would stay open, the condenser does not take this heat below the vent's pressure; "
                                       "give it more or colder water, or start from a temperature (initial=25.0)"))

    def _by_lid(self, lost: Signal) -> list[tuple[Signal, Signal]]:
        """Vapour and its heat that leave by an open lid; air comes in."""
        tank, group = self.tank, self.kind.group
        if tank.open is None or tank.air is None or self.gas is None:
            return []
        air, is_open = tank.air, group.series(tank.open)
        loses = self._kept("by lid", lambda: air.lost_by_lid(tank))
        some = group.law_signal(self._kept("left by lid", lambda: tank.left_law(float(np.max(loses)))), lost, is_open)
        vapour = group.law_signal(self._kept("lid", lambda: even_law(air.place, loses / tank.servers)), self.place, some)
        lacks = group.total([group.law_signal(self._kept("fits", lambda: air.fits_law), self.place), self.gas.share], [1.0, -1.0])
        self._show(self.gas_gauge, group.product(lacks, is_open), 1 / max(INRUSH, 2 * tank.design.period))
        return [(vapour, group.law_signal(self._kept("latent", lambda: tank.latent_law), self.place, vapour))]

    def _add_air(self) -> None:
        """What power supplies lose, in the room's air or in the liquid."""
        tank, group = self.tank, self.kind.group
        lost = [q for q in (self.kind.conversion(), self.kind.supplied(tank.site.stages_in_servers, [])) if q is not None]
        if not lost:
            return
        node = self.port
        if not tank.design.supplies_in_tank:
            node = group.node("supplies in air")
            group.conductance(node, self.room, PORT)
        for heat in lost:
            group.source(node, heat)

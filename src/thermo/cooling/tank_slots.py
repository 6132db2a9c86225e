"""Servers in a tank: each a slot with its lanes as paths side by side, between the plenum and the layers above, beside the bath.

What the tank is, and what drives its flows, is told in `thermo.cooling.immersion`; here servers of one kind turn themselves into nodes, streams
and the looks at temperatures that their flows follow. A path is driven by its own warmth, so that a lane with hot devices draws more
than one with cool ones; the viscosity is that at the whole slot's mean.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.cdu import Cdu, exchange
from thermo.cooling.control import PI
from thermo.cooling.immersed import STOOD, UPTAKE, Immersed, Rated, air_conductance, immersed
from thermo.cooling.ladder import LEAST_RESISTANCE, Part, add_device
from thermo.cooling.mixed_convection import GRAVITY, Slot, slot_flow, slot_pressure_drop
from thermo.cooling.site import Kind, Places, metered
from thermo.cooling.streams import interval_means, law_of_two
from thermo.errors import ScenarioError, nearest
from thermo.events import LidOpen
from thermo.fluids import Fluid
from thermo.network import Control, Node, Signal, Table, law_table
from thermo.rack import Mount, PlateFinSink, Server

if TYPE_CHECKING:
    from thermo.cooling.immersion import Tank

__all__ = ["CONVERSION", "LEAST_FLOW", "TOP", "UNIT", "Slots", "rated_heat"]

Floats = NDArray[np.float64]
UNIT = 0.04445  # m, a height unit
SENSOR = 1e-6  # W/K, through which a sensor is joined to what it reads
SPAN = 60.0  # K, of slot over bath, that sensors tell; beyond, buoyancy grows no further
LOOKS, SHORTEST, LONGEST = 1.0, 0.01, 2.0  # of the answer's time; s; s
SWINGS = 2.0  # of the answer's time: held for longer, a flow overshoots
LEFT = 0.2  # of the rated feed that still rises through the slots when pumps stand, as found in oils and fluorinated liquids
TURNS = 0.5  # K, by which the lowest layer must be warmer than the top one for all of a slot's flow to rise through
SOFT = 1e-3  # Pa, over which the drive of a slot goes to zero
LEAST_FLOW = 1e-5  # of the rated flow: what creeps where nothing drives it, so that no node is without a neighbour
LEAST_HEAT = 0.05  # of a lane's part of the server's heat, for its rated flow
MOST_RATED = 8.0  # times the rated flow, up to which the laws of sinks are tabulated
SLOWEST_EXCHANGE = 0.1  # of the rated feed, below which the exchanger's effectiveness is taken to stay
TOP = 0.03  # of a slot's liquid, that stands over the server's edge, where its supplies are
CONVERSION = "conversion"  # what `in_air` calls the loss of supplies and regulators


def rated_heat(server: Server) -> float:
    """Of a server's devices and their conversion [W]."""
    watts = math.fsum(mount.device.max_power * mount.multiplicity for _, mount, _ in server.devices)
    return watts * (1 + server.conversion_slope) + server.conversion_loss


@dataclass
class _Lane:
    """A path through a slot."""

    rows: list[list[tuple[int, str, Mount]]]  # devices side by side, from the bottom up
    share: float  # of the slot's liquid and of its free area
    rated: float  # kg/s
    sensor: Node  # at the mean temperature over its height
    flow: Signal  # kg/s

    @property
    def sections(self) -> int:
        """Equal parts of its height, one a row."""
        return max(len(self.rows), 1)


@dataclass
class Slots:
    """Servers of one kind while they are added, from plenum to unit."""

    tank: Tank
    kind: Kind
    last: bool  # of the kinds: closes the bath's flow for all
    places: Places = field(default_factory=Places)

    def add(self) -> Places:
        """Adds ladders, slots, this kind's share of feed, unit and walls."""
        tank, group, server, places = self.tank, self.kind.group, self.kind.server, self.places
        parts = [add_device(self.kind, i, places) for i in range(len(server.devices))]
        self.slot_sensor, self.bath_sensor = group.node("slot's mean"), group.node("bath's mean")
        for cell in tank.bath:
            group.conductance(self.bath_sensor, cell, SENSOR / len(tank.bath))
        lanes, warmth = self._lanes()
        m = group.total([lane.flow for lane in lanes])
        places.mass_flow = [group.record_signal(m)]
        first = math.fsum(lane.share * 0.5 / lane.sections for lane in lanes)  # of the height, in front of the first row
        inlet, outlet = group.node("slot's inlet", self._capacity(first)), group.node("slot's outlet", self._capacity(TOP))
        through = group.coefficient(tank.heat_capacity, m)
        group.stream(tank.plenum, inlet, through)
        group.conductance(self.slot_sensor, inlet, SENSOR * first)
        self._beside(inlet, 1.0, 0.0, first)
        self._place("inlet", inlet, m)
        for lane in lanes:
            self._add_lane(lane, parts, warmth, inlet, outlet)
        self._place("outlet", outlet, m)
        group.stream(outlet, tank.layers[0], through)
        rated = math.fsum(lane.rated for lane in lanes)
        still = group.law_signal(STOOD, group.total([m], [1 / rated]))  # the open edge of a slot that stands: liquid turns over there
        group.conductance(outlet, tank.layers[0], group.coefficient(tank.heat_capacity * rated, still))
        room = group.boundary(tank.air.signal(self.kind, lambda T: T - tank.reference))
        self._add_conversion(outlet, room)
        for i in self._outside:
            self._leave_outside(server.devices[i], parts[i], room)
        self._close_bath(m)
        self._turn_layers(m)
        self._add_walls(room)
        self._add_feed()
        places.keep(group)
        return places

    def _place(self, name: str, node: Node, flow: Signal) -> None:
        self.places.positions.append(name)
        self.places.coolant.append(node)
        self.places.position_flow[name] = self.kind.group.record_signal(flow)

    # --------------------------------------------------------------------------------------------------------------- flows

    @property
    def _slot(self) -> Slot:
        """One of the flat channels of a slot, which lie side by side."""
        d = self.tank.design
        return Slot(height=d.slot_height, width=d.slot_width, gap=d.gap, loss=d.slot_loss)

    @property
    def _channels(self) -> float:
        """Of a slot, with the free area that solids leave."""
        d = self.tank.design
        return UNIT * self.kind.server.height_units * d.liquid_share / d.gap

    def _capacity(self, share: float) -> float:
        """Of the liquid in a share of the slot [J/K]."""
        d, tank = self.tank.design, self.tank
        volume = UNIT * self.kind.server.height_units * d.slot_width * d.slot_height * d.liquid_share
        return tank.density * tank.heat_capacity * volume * share

    def _rated_flow(self, heat: float, share: float) -> float:
        """Through a share of a slot at some heat, with cold liquid in the bath [kg/s]."""
        tank, n = self.tank, self._channels * share
        inlet = float(np.ravel(tank.supply.values)[0])
        try:
            return float(n * slot_flow(self._slot, tank.design.fluid, heat / n, inlet, tank.design.jet_head).m_dot)
        except ScenarioError as error:
            raise ScenarioError(f"cooling: {self.kind.server.name}: {error}") from None

    @cached_property
    def _answer_rate(self) -> float:
        """How fast a change of flow undoes itself by the warmth that it leaves in slot and bath [1/s], at most: with the least feed of the run,
        or the flow that is left without pumps, liquid is warmest and thinnest, and its rise over the slot largest."""
        tank, d, fluid, n = self.tank, self.tank.design, self.tank.design.fluid, self._channels
        heat, c_p = rated_heat(self.kind.server), tank.heat_capacity
        rated = self._rated_flow(heat, 1.0)
        full = tank.feed * heat / tank.heat  # this server's part of the feed
        rise = heat / (max(full * float(np.min(tank.speed)), LEFT * min(full, rated)) * c_p)
        hot = min(float(np.max(tank.supply.values)) + rise, fluid.highest_temperature - 1.0)
        slow = 0.02 * rated  # a slow flow answers to a head most
        answers = GRAVITY * tank.thinning * d.slot_height * slow / float(slot_pressure_drop(self._slot, fluid, slow / n, hot, hot))  # kg/s for each K
        bath = tank.density * d.slot_width * d.slot_height * UNIT * self.kind.server.height_units * d.bath_share
        return answers * rise * (c_p / self._capacity(1.0) + 1 / bath)

    @cached_property
    def _period(self) -> float:
        """Between looks. A flow that is held between looks overshoots where ``period * rate`` is above 2, and swings for good."""
        given, most = self.tank.design.period, SWINGS / self._answer_rate
        if given is not None and given > most:
            raise ScenarioError(f"cooling.period is {given:g} s, expected at most {most:.3g} s: {self.tank.design.fluid.name} in {self.kind.server.name} "
                                f"answers within {1 / self._answer_rate:.3g} s, and a flow that is held for longer than twice that swings; leave it out")
        return float(np.clip(LOOKS / self._answer_rate, SHORTEST, LONGEST)) if given is None else given

    def _watched(self, node: Node, target: float, span: float, relative: Node | None) -> Signal:
        """A node's temperature, or its excess over another's, from `target` on over a `span`, as 0 to 1."""
        table = law_table(lambda rise: rise / span, 0.0, span, points=3)
        return self.kind.group.control_signal(Control(kind=1, period=self._period, nodes=(node,), target=(target,), curve=table, relative=relative))

    def _lanes(self) -> tuple[list[_Lane], Signal]:
        """Paths through the slot, what hangs in each, and their flows; and what tells the slot's mean temperature: 0 at the liquid's lowest,
        1 at its highest."""
        tank, group, d, fluid, server = self.tank, self.kind.group, self.tank.design, self.tank.design.fluid, self.kind.server
        low, high = fluid.lowest_temperature, fluid.highest_temperature
        warmth = self._watched(self.slot_sensor, low, high - low, None)
        buoyant = GRAVITY * tank.thinning * d.slot_height * 2 * SPAN  # Pa, over the whole span
        head, one = group.series(d.jet_head * tank.speed**2), group.series(1.0)

        def at(u: Floats) -> Floats:
            return low + np.clip(u, 0.0, 1.0) * (high - low)

        over_mu2 = law_table(lambda u: tank.density / fluid.viscosity(at(u)) ** 2, 0.0, 1.0)
        mu = law_table(lambda u: fluid.viscosity(at(u)), 0.0, 1.0)
        most = (d.jet_head + 0.5 * buoyant) * tank.density / float(fluid.viscosity(high)) ** 2
        slot = self._slot
        D = 2 * slot.width * slot.gap / (slot.width + slot.gap)
        reynolds = _reynolds(slot, fluid, tank.warm, tank.density, most)
        out = []
        for lane in server.lanes:
            found: dict[int, list[tuple[int, str, Mount]]] = {}
            for i, (name, mount, k) in enumerate(server.devices):
                if mount.lanes[k] == lane.name and i not in self._outside:
                    found.setdefault(mount.positions[k], []).append((i, name, mount))
            heat = math.fsum(m.device.max_power * m.multiplicity for row in found.values() for _, _, m in row)
            rated = self._rated_flow(max(heat, LEAST_HEAT * lane.flow_share * rated_heat(server)), lane.flow_share)
            sensor = group.node(f"mean of {lane.name}")
            excess = self._watched(sensor, -SPAN, 2 * SPAN, self.bath_sensor)
            drive = group.law_signal(_positive(SOFT), group.total([head, excess, one], [1.0, buoyant, -0.5 * buoyant]))
            moved = group.law_signal(mu, warmth, group.law_signal(reynolds, group.law_signal(over_mu2, warmth, drive)))
            flow = group.total([moved, one], [self._channels * lane.flow_share * slot.free_area / D, LEAST_FLOW * rated])
            out.append(_Lane([found[p] for p in sorted(found)], lane.flow_share, rated, sensor, flow))
        return out, warmth

    def _add_lane(self, lane: _Lane, parts: list[Part], warmth: Signal, inlet: Node, outlet: Node) -> None:
        """Rows of devices one above the other; behind each, mixed cells as high as lies up to the middle of the next gap."""
        tank, group, cells, n = self.tank, self.kind.group, self.tank.design.cells, lane.sections
        through = group.coefficient(tank.heat_capacity, lane.flow)
        group.conductance(lane.sensor, inlet, SENSOR * 0.5 / n)
        at = inlet
        for k in range(n):
            row = lane.rows[k] if lane.rows else []
            height = (0.5 if k == n - 1 else 1.0) / n / cells
            name = row[0][1] if row else "nothing"
            behind = [group.node(f"liquid behind {name}" + (f" {j + 1}" if j else ""), self._capacity(lane.share * height)) for j in range(cells)]
            for j, cell in enumerate(behind):
                group.conductance(self.slot_sensor, cell, SENSOR * lane.share * height)
                group.conductance(lane.sensor, cell, SENSOR * height)
                self._beside(cell, lane.share, (k + 0.5) / n + j * height, (k + 0.5) / n + (j + 1) * height)
            taken = [self._add_device(device, parts[device[0]], lane, len(row), (k + 0.5) / n, warmth, at, behind[0]) for device in row]
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

    # ------------------------------------------------------------------------------------------------------------- devices

    def _add_device(self, device: tuple[int, str, Mount], part: Part, lane: _Lane, beside: int, height: float, warmth: Signal, at: Node,
                    cell: Node) -> Signal:
        """Couples one device with the liquid that passes it; returns what of the stream leaves as warm as its base [W/K]."""
        tank, group, (_, name, mount) = self.tank, self.kind.group, device
        fluid, c_p = tank.design.fluid, tank.heat_capacity
        low, high = fluid.lowest_temperature, fluid.highest_temperature
        share = (1 - mount.bypass) / beside
        bulk = min(tank.warm + (height - 0.5) * tank.design.rated_rise, high - 1.0)
        found = immersed(mount, self._sink_of(mount, name), fluid, Rated(bulk, share * lane.rated, mount.multiplicity * mount.device.max_power),
                         MOST_RATED * share * lane.rated)
        self._vouched(found)
        own = group.total([lane.flow], [share])
        natural = replace(found.natural, low=0.0, step=found.natural.step / (high - low))  # of the slot's warmth
        cubed = group.total([group.law_signal(found.forced, own), group.law_signal(natural, warmth)])
        film, ratio = group.law_signal(found.film, cubed), group.law_signal(found.inverse, cubed, group.total([own], [c_p]))
        taken = group.law_signal(UPTAKE, ratio, film)
        if part.base != part.case:
            group.conductance(part.case, part.base, 1 / (part.interface + found.resistance + LEAST_RESISTANCE))
        through = group.coefficient(1.0, taken)
        group.stream(at, part.base, through)
        group.stream(part.base, cell, through)
        group.conductance(part.base, cell, group.coefficient(1.0, group.law_signal(STOOD, ratio, film)))
        self._place(name, cell, lane.flow)
        self.tank.paths.append((self.kind, name, self.places.position_flow[name], lane.rated))
        return taken

    def _sink_of(self, mount: Mount, name: str) -> PlateFinSink | None:
        """The sink that the design has for a device; None: its own."""
        for given in self.tank.design.sinks:
            if given.devices in (name, mount.device.name, mount.device.kind):
                return given.sink
        return None

    def _vouched(self, found: Immersed) -> None:
        said = self.tank.site.warnings
        for message in found.warnings:  # once for all of a mount, wherever they hang
            name = f"{self.kind.server.name}.{message.partition(':')[0]}:"
            if not any(line.startswith(name) for line in said):
                said.append(f"{self.kind.server.name}.{message}")

    @cached_property
    def _outside(self) -> list[int]:
        """Devices that `in_air` names."""
        server, named = self.kind.server, self.tank.design.in_air
        known = {CONVERSION, *(n for k in self.tank.site.kinds for name, m, _ in k.server.devices for n in (name, m.device.kind, m.device.name))}
        for name in named:
            if name not in known:
                raise ScenarioError(f"cooling.in_air names {name!r}{nearest(name, sorted(known))}")
        return [i for i, (name, m, _) in enumerate(server.devices) if {name, m.device.kind, m.device.name} & set(named)]

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

    def _add_conversion(self, outlet: Node, room: Node) -> None:
        """Heat of supplies and regulators: at the top of the slot, or in the room's air."""
        group = self.kind.group
        for heat in (self.kind.conversion(), self.kind.supplied(self.tank.site.stages_in_servers, [])):
            if heat is None:
                continue
            node = outlet
            if CONVERSION in self.tank.design.in_air:
                node = group.node("supplies in air")
                group.conductance(node, room, 1.0)
            group.source(node, heat)

    # ----------------------------------------------------------------------------------------------------- bath, layers, walls

    def _close_bath(self, m: Signal) -> None:
        """What slots take more than is fed comes down the bath, server by server; what they leave rises once, for all.

        The engine hands the feed out to the servers in order; the one that comes after all of them is asked what is left."""
        tank, group = self.tank, self.kind.group
        fed = group.series(tank.speed * tank.feed)
        down = group.coefficient(tank.heat_capacity, group.product(m, group.complement(group.supply_share(m, fed))))
        way = [tank.layers[0], *reversed(tank.bath), tank.plenum]
        for tail, head in zip(way, way[1:], strict=False):
            group.stream(tail, head, down)
        if self.last:
            one = np.zeros((tank.site.timeline.seconds.size, group.n_server))
            one[:, 0] = tank.speed * tank.feed
            asked = group.series(one)
            up = group.coefficient(tank.heat_capacity, group.product(asked, group.supply_share(asked, fed)))
            for tail, head in zip(way[:0:-1], way[-2::-1], strict=True):
                group.stream(tail, head, up)
        each = group.coefficient(tank.heat_capacity, group.series(tank.shared_feed))
        for tail, head in zip(tank.layers, tank.layers[1:], strict=False):
            group.stream(tail, head, each)
        group.stream(tank.layers[-1], tank.back, each)

    def _turn_layers(self, m: Signal) -> None:
        """Where the lowest layer is the warmest, what comes out of the slots rises through those above, and as much of them sinks."""
        tank, group = self.tank, self.kind.group
        if len(tank.layers) < 2:
            return
        lowest, top = group.node("lowest layer"), group.node("top layer")
        group.conductance(lowest, tank.layers[0], SENSOR)
        group.conductance(top, tank.layers[-1], SENSOR)
        turned = group.coefficient(tank.heat_capacity, group.product(m, self._watched(lowest, 0.0, TURNS, top)))
        for below, above in zip(tank.layers, tank.layers[1:], strict=False):
            group.stream(below, above, turned)
            group.stream(above, below, turned)

    def _add_walls(self, room: Node) -> None:
        """This kind's share of what wall and lid lose, each half behind the other, since a loss starts at a node of a server."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        for i, (node, G) in enumerate(tank.losses):
            if G:
                wall = group.node(f"wall {i + 1}")
                group.conductance(wall, node, 2 * G / tank.servers)
                group.conductance(wall, room, 2 * G / tank.servers)
        lid, loss = group.node("lid"), group.series(max(d.lid_loss, LEAST_FLOW))
        for _, begin, end in tank.site.timeline.during(LidOpen):
            if (when := tank.site.timeline.holds(begin, end)) is not None:
                loss = group.choice(loss, group.series(max(d.open_loss, LEAST_FLOW)), group.series(when))
        through = group.coefficient(2 * tank.plan / tank.servers, loss)
        group.conductance(lid, tank.layers[-1], through)
        group.conductance(lid, room, through)

    # ------------------------------------------------------------------------------------------------------------- the unit

    def _add_feed(self) -> None:
        """This kind's share of pumps and unit, from the return pipe to the plenum."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        feed, c_p = group.series(tank.shared_feed), tank.heat_capacity
        through = group.coefficient(c_p, feed)
        power = group.series(tank.power / tank.servers)
        self.places.pump_power.append(group.record_signal(power))
        pump = self.places.exhaust = group.node("pump")
        group.source(pump, power)
        group.stream(tank.back, pump, through)
        if d.cdu is None:
            supply = tank.supply.signal(self.kind, lambda T: T - tank.reference)
            entry = group.node("feed")
            group.stream(group.boundary(supply), entry, through)
            group.stream(entry, tank.plenum, through)
            group.exit(pump, through)
            meter = metered(group, pump, supply, feed, c_p, float(np.max(tank.shared_feed)))
            self.places.liquid.append(replace(meter, flow=None))
            return
        exchanger = group.node("exchanger", tank.density * c_p * d.cdu.volume * d.cdu_share / tank.servers)
        self._add_exchanger(d.cdu, pump, exchanger, group.total([feed], [c_p]))
        group.stream(exchanger, tank.pipe, through)
        group.stream(tank.pipe, tank.plenum, through)

    def _add_exchanger(self, cdu: Cdu, before: Node, node: Node, carried: Signal) -> None:
        """The servers' share of the unit: of the liquid that comes from `before`, a capacity rate of `carried` [W/K], a part comes to `node`
        as warm as the facility's water, the rest as it came (`thermo.cooling.cdu.exchange`)."""
        tank, group, d, site = self.tank, self.kind.group, self.tank.design, self.tank.site
        water = site.set_point(site.ambient.facility_water_temperature, "facility_water_temperature", name="ambient.facility_water_temperature",
                               low=-5.0, high=95.0, unit="degC", hint="is it in kelvin?").signal(self.kind, lambda T: T - tank.reference)
        w = tank.feed * tank.heat_capacity
        secondary = tank.feed / tank.density / (cdu.secondary_flow * d.cdu_share)
        most = cdu.primary_flow * d.cdu_share if d.facility_flow is None else d.facility_flow

        def law(s: Floats, opening: float | Floats) -> Floats:
            return exchange(cdu, d.cdu_share, w * s, secondary * s, most, opening) / tank.servers

        opening = self._opening(node)
        if self.kind.first == 0:
            tank.opening = group.record_signal(opening)
        s, slow = np.maximum(tank.speed, SLOWEST_EXCHANGE), group.series(np.minimum(tank.speed / SLOWEST_EXCHANGE, 1.0))
        if np.all(s == np.ravel(s)[0]):
            one = np.asarray(np.ravel(s)[0])
            taken = group.law_signal(law_table(lambda u: law(one, u), 0.0, 1.0), opening, slow)
        else:
            taken = group.product(law_of_two(group, law, group.series(s), (SLOWEST_EXCHANGE, 1.0), opening, (0.0, 1.0)), slow)
        if (without := site.timeline.without_water()) is not None:
            taken = group.choice(taken, group.series(0.0), group.series(without))
        through = group.coefficient(1.0, taken)
        group.exit(before, through)
        group.stream(group.boundary(water), node, through)
        group.stream(before, node, group.coefficient(1.0, group.total([carried, taken], [1.0, -1.0])))
        self.places.liquid.append(replace(metered(group, before, water, taken, 1.0, float(law(np.asarray(1.0), 1.0))), flow=None))

    def _opening(self, node: Node) -> Signal:
        """Of the valve: a controller's that holds what is behind the exchanger at the supply's set point, or given."""
        tank, group, d = self.tank, self.kind.group, self.tank.design
        if not isinstance(d.valve, PI):
            given = tank.site.over_time(d.valve, name="cooling.valve", low=0.0, high=1.0, unit="of full opening", hint="is it in percent?")
            return group.series(interval_means(given, d.valve))
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

"""The trays of a rack on cold plates: hoses, plates, lines, pumps and their share of the exchanger, as nodes and streams of a network.

`thermo.cooling.cold_plate` says what the equations are.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.cdu import Cdu, exchange, primary_flow_share
from thermo.cooling.control import PI, Curve
from thermo.cooling.ladder import LEAST_RESISTANCE, Part
from thermo.cooling.loop import branch_shares, plate_of, plate_rows, tray_pressure_drop
from thermo.cooling.plate import LiquidState, film_conductance, plate_base, plate_uptake, plate_warnings
from thermo.cooling.pumps import Hold
from thermo.cooling.site import Kind, Places, Step, stepped
from thermo.cooling.streams import SPEED, Given, Led, Stream, interval_means, law_of_two
from thermo.errors import ScenarioError
from thermo.events import ValveStuck
from thermo.network import Control, Node, Signal, law_table
from thermo.rack import Mount, Server

if TYPE_CHECKING:
    from thermo.cooling.cold_plate import Loop

__all__ = ["Trays"]

Floats = NDArray[np.float64]
SLOWEST_EXCHANGE = 0.15  # of the rated coolant flow, below which the exchanger's effectiveness is taken to stay
FASTEST_EXCHANGE = 3.0  # of it; more than pumps give, so that the law is the same in every run
STANDING = 0.1  # of a plate's films' conductance: capacity rates below it leave coolant standing in the plate
READS = 1e-6  # K, that the valve's sensor tells apart
SENSOR = 1e-6  # W/K, through which it is joined to what it measures


@dataclass
class Trays:
    """The coolant of servers of one kind while it is added, from supply to exchanger."""

    loop: Loop
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

    def _streams(self) -> tuple[list[Stream], Signal]:
        """Coolant through each branch, and the trays' shares of what the pumps draw [W]."""
        loop, group, server, d = self.loop, self.kind.group, self.kind.server, self.loop.design
        rated, shares = server.coolant_flow or 0.0, branch_shares(server)
        if loop.flows is not None:
            given = loop.flows
            streams: list[Stream] = [Given(loop, self.kind, given, given.branch[self.number][name]) for name in shares]
            power = given.power[:, None] * given.tray(self.number) / given.total[:, None]
            return streams, group.series(given.series(power))
        low = d.pump.minimum_speed
        opening = self._controlled(low)
        m_dot = group.law_signal(law_table(lambda s: loop.density * rated * s, low, 1.0, points=3), opening, None if not loop.moves else
                                 loop.supply.signal(self.kind, lambda T: np.asarray(d.fluid.density(T) / loop.density)))
        full = d.pump.head * rated / d.pump.efficiency
        power_signal = group.law_signal(law_table(lambda s: full * s**d.pump.power_exponent, low, 1.0), opening)
        tray = Led(loop, self.kind, m_dot, loop.density * rated)
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

    def _add_row(self, row: list[tuple[str, Mount]], stream: Stream, warmed: float, at: Node) -> Node:
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

    def _shared_out(self, row: list[tuple[str, Mount]], stream: Stream) -> list[Stream]:
        """The branch's coolant through each plate of a row; the last takes what the others leave, so that none is lost."""
        if self.loop.flows is None:
            return [stream.part(np.array(1 / len(row)))] * len(row)
        shares = [self.loop.flows.plate[self.number][name] for name, _ in row]
        if len(row) == 1 or all(np.array_equal(shares[0], share) for share in shares):
            return [stream.part(np.array(1 / len(row)))] * len(row)
        own = [stream.part(share) for share in shares]
        own[-1].signal = self.kind.group.total([stream.signal, *(o.signal for o in own[:-1])], [1.0] + [-1.0] * (len(own) - 1))
        return own

    def _couple(self, part: Part, mount: Mount, own: Stream, warmed: float, cell: Node) -> Signal:
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
        if isinstance(own, Given) and own.is_slow(STANDING * n * float(film_conductance(plate, np.array(least / n), state(loop.first)))):
            stood = own.law(standing, (key, "standing", least, loop.liquid.heat_capacity))
            group.conductance(part.base, cell, group.coefficient(1.0, stood))
        return own.law(uptake, key)

    def _vouched(self, mount: Mount, own: Stream, T: float) -> None:
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
            both = law_of_two(group, law, group.series(flows.series(s)), (SLOWEST_EXCHANGE, FASTEST_EXCHANGE), opening, (0.0, 1.0))
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
            values = interval_means(site.over_time(d.valve, **said), d.valve)
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


def _warn(loop: Loop, server: Server, dT: float) -> None:
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

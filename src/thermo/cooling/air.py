r"""Air cooling: fans against the chassis, lanes in which the second row breathes the first row's heat, a shared plenum.

Each server draws what its fans deliver against its flow resistance,

.. math:: s^2 \frac{\rho}{\rho_0} f(V / (n s)) = \Delta p_{lane}(V_{lane}) \quad\text{for every lane},

with `s` the duty (speed over rated speed), `f` the curve of one of `n` fans, and a lane's pressure drop that of its heat
sinks (from geometry, see `thermo.cooling.heat_sink`) plus ``k rho V^2`` for the rest of the chassis; `k` is such that
the server meets its rated flow. In a lane the air passes one device after another; a share may pass beside a sink and
mixes behind it. Fan power is ``standby + rated s^n`` per fan at rated density, all of it heat in the air.

Up the front of the rack the aisle's supply is used up from the bottom; what a server lacks it draws from the hot aisle
(and, where told so, the room). That makes every server's inlet depend on all servers below it, and on the exhaust.

Fans that stand still are shut by their flaps; those left meet the same chassis, ``n`` above is their number.

While no cold air comes, the rack's share of the room is closed in itself: exhausts heat its warm side `h`, from there the
fans draw the air over to its cold side `c`, which the servers breathe; no heat is lost to the outside,

.. math:: C_h \dot T_h = w (T_{exhaust} - T_h), \qquad C_c \dot T_c = w (T_h - T_c).

Each side has half of `room_capacity`. Inlets leave the supply temperature with the slope ``w (T_h - T_c) / C_c``, and rise
at ``Q / (C_h + C_c)`` once the sides differ by what they then must; where cold air comes again, servers breathe it at once
and the room is swept by as much of it as they draw; the plant's water takes up what is more than `plant_capacity`, and the
plant works it off later. The room is in the network only where an event stops the cooling or
`room_capacity` is given; then what leaves the warm side is a little later than the exhaust.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from thermo._kernels import formulas as f
from thermo.ambient import Ambient, is_speed
from thermo.cooling.control import PI, Curve, controller
from thermo.cooling.heat_sink import AirState, sink_coupling, sink_pressure_drop, sink_spreading, sink_warnings
from thermo.cooling.ladder import LEAST_RESISTANCE, Part, add_device
from thermo.cooling.site import Cooled, Kind, Places, SetPoint, Site, Step, stepped
from thermo.errors import ScenarioError
from thermo.network import Network, Node, Signal, Table, law_table
from thermo.rack import (
    AirSink,
    CurveSink,
    Described,
    Fans,
    Lane,
    Mount,
    NotNegative,
    Number,
    PlateFinSink,
    Positive,
    Server,
    Share,
    in_liquid,
)

__all__ = ["Air", "Behind", "LaneFlows", "RackAir", "Resistance", "lane_flows"]

Floats = NDArray[np.float64]
FAN_CURVE_DENSITY = 1.2  # kg/m3, the air that fan curves are stated in (ISO 5801)
_SinkRows: TypeAlias = tuple[tuple[tuple[AirSink, float, int], ...], ...]  # (sink, bypass, multiplicity)
MOST_FLOW = 1e4  # m3/s of supply, more than any hall has
SLOWEST = 0.2  # of the fans' least duty: where their laws begin; also the draught through fans without power
ROOM_CAPACITY = 6.0  # J/K for each watt of rated power: 3 of room air (2.5 m3 of hall a kW, that is 4 m over 1.6 kW/m2), and 3 of
# metal that follows within minutes (half of the 13 kg a kW of a loaded cabinet, 500 J/(kg K)). An estimate: cabinets of 5 kW
# shut down 189 s after the cooling, of 10 kW in less than 60 s, says a study by Opengate Data Systems (2007, for Active Power),
# which is some 3 to 9 J/(K W) for 20 K. No walls, no floor: they follow too late.
PLANT_MARGIN = 1.3  # capacity of the plant over the rack's rated power, an estimate
COLD_SHARE = 0.5  # of the room's capacity on the side that servers breathe
TEMPERATURES = np.linspace(-20.0, 60.0, 33)  # degC, of supply air
DUTY_POINTS = 33  # of the law of flow against duty; it is all but straight


class Air(Described):
    """Room air through the servers. Set points are numbers, series over time, or controllers.

    `fan_speed` is the duty, 0..1 of rated speed; a series with ``units`` "rpm" is divided by the rated speed.
    """

    fan_speed: Any = Field(default_factory=PI)
    supply_flow: Any = None  # m3/s of cold air for the rack, a number or a series; None: as much as is drawn
    recirculation: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # share that every server draws from the hot aisle
    hot_aisle_makeup: Share = 1.0  # of what the supply does not cover, the share from the hot aisle; the rest from the room
    room_temperature: Any = None  # degC; None: as the supply
    handler_fan_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.04  # room air handlers' fan power over heat removed
    chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = 5.0  # heat over compressor power; None: free cooling
    room_capacity: Positive | None = None  # J/K, the rack's share of the room's air and mass; None: `ROOM_CAPACITY`
    plant_capacity: Positive | None = None  # W of heat, where the room is in the network; None: `PLANT_MARGIN` times rated power
    restart_delay: NotNegative = 240.0  # s from power to cold air again; conventional chillers take 4 to 8 min, the best 2 to 3
    provenance: Any = Field(default_factory=dict, repr=False)

    takes_events: ClassVar[tuple[str, ...]] = ("cooling-loss", "fan-failure", "inlet-step", "setpoint")
    setpoints: ClassVar[tuple[str, ...]] = ("fan_speed", "supply_flow", "room_temperature", "air_temperature")

    @field_validator("fan_speed")
    @classmethod
    def _known_control(cls, value: Any) -> Any:
        value = controller(value, "fan_speed")
        if isinstance(value, bool | str) or value is None:
            raise ValueError("a fan speed is a duty above 0 and up to 1, a series over time, or a controller (PI, Curve)")
        if isinstance(value, int | float) and not 0 < value <= 1:
            raise ValueError("a fan speed is a duty above 0 and up to 1 (fraction of rated speed); is it in rpm?")
        return value

    @field_validator("supply_flow")
    @classmethod
    def _some_flow(cls, value: Any) -> Any:
        if isinstance(value, bool | str) or (isinstance(value, int | float) and not 0 < value <= MOST_FLOW):
            raise ValueError(f"expected above 0 and up to {MOST_FLOW:g} m3/s, or a series over time")
        return value

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds the servers' air to the network; see `thermo.cooling.site`."""
        self.require_air(site)
        return self.in_room(network, site, None)

    @staticmethod
    def require_air(site: Site) -> None:
        """Refuses servers that air alone cannot cool."""
        for kind in site.kinds:
            if kind.server.branches or kind.server.fans is None:
                raise ScenarioError(f"cooling: server {kind.server.name!r} has cold plates, which need coolant; use cooling='cold-plate'")

    def in_room(self, network: Network, site: Site, behind: Behind | None) -> Cooled:
        """The same, with what the servers' air passes on its way back to the room."""
        cooled, _ = self.add_air(network, site, behind)
        for kind, places in zip(site.kinds, cooled.places, strict=True):
            places.keep(kind.group)
        return cooled

    def add_air(self, network: Network, site: Site, behind: Behind | None = None) -> tuple[Cooled, list[dict[str, Part]]]:
        """Adds the ladders of all devices, and the air of those in it; returns the ladders too. Places are not kept yet."""
        ambient = site.ambient
        supply = site.set_point(ambient.air_temperature, "air_temperature", name="ambient.air_temperature", low=-20.0, high=60.0,
                                unit="degC", hint="is it in kelvin?")
        own_room = self.room_temperature is not None
        room = supply if not own_room and not site.timeline.steps("room_temperature") else site.set_point(
            self.room_temperature if own_room else ambient.air_temperature, "room_temperature", name="cooling.room_temperature",
            low=-20.0, high=70.0, unit="degC", hint="is it in kelvin?")
        # Laws are made for the air at the start of the run; later air comes in as factors, so that the past does not depend
        # on what is still to come, and a run in two parts is the run in one.
        air = AirState.at(network.reference, ambient.air_pressure, ambient.relative_humidity)
        flow = None if self.supply_flow is None else site.set_point(
            self.supply_flow, "supply_flow", name="cooling.supply_flow", low=1e-6, high=MOST_FLOW, unit="m3/s")
        limits = site.steps("supply_flow", np.zeros(()), low=1e-6, high=MOST_FLOW, unit="m3/s") if flow is None else ()
        breathes = any(kind.server.fans is not None for kind in site.kinds)  # servers on plates altogether know no room
        enclosed = breathes and (site.timeline.stops_cooling or site.goes_on_in_room or self.room_capacity is not None)
        capacity = (ROOM_CAPACITY * site.rated_power if self.room_capacity is None else self.room_capacity) if enclosed else 0.0
        shared = breathes and (flow is not None or bool(limits) or self.recirculation > 0) or enclosed
        hot = network.shared("hot aisle", (1 - COLD_SHARE) * capacity) if shared else None
        cold = network.shared("room", COLD_SHARE * capacity) if enclosed else None
        stopped = site.timeline.stopped_fans()
        rack = RackAir(network, self, ambient, air, supply, room, flow, limits, hot, cold, site.timeline.without_cooling(), stopped,
                     site.timeline.off(), site.stages_in_servers, site.warnings, behind)
        places, parts = [], []
        for kind in site.kinds:
            own = Places()
            parts.append({name: add_device(kind, i, own) for i, name in enumerate(kind.server.device_names)})
            if (fans := kind.server.fans) is not None:
                _add_servers(rack, kind, fans, parts[-1], own, *self._prescribed_duty(site, kind, fans))
            places.append(own)
        if cold is None:
            return Cooled(places, supply.values, True), parts
        return Cooled(places, supply.values, True, len(network.shared_names) - 1,
                      self.plant_capacity or PLANT_MARGIN * site.rated_power), parts

    def _prescribed_duty(self, site: Site, kind: Kind, fans: Fans) -> tuple[Floats | None, list[Step]]:
        """Duty as a series where it is one, and what events make of it."""
        value, least = self.fan_speed, SLOWEST * fans.minimum_duty
        lowest = np.inf
        duty = None
        if not isinstance(value, PI | Curve):
            if is_speed(getattr(value, "attrs", {}).get("units")):
                value = (value / fans.rated_speed).assign_attrs({**value.attrs, "units": "1"})
            duty = kind.own(site.over_time(value, name="cooling.fan_speed", low=1e-3, high=1.0, unit="of rated speed",
                                           hint="give a DataArray with units 'rpm' for a speed"))
            lowest, duty = float(np.min(duty)), np.maximum(duty, least)
        steps = site.steps("fan_speed", np.zeros(()), low=1e-3, high=1.0, unit="of rated speed", hint="is it in rpm?")
        lowest = min([lowest, *(float(step.value) for step in steps)])
        if lowest < least:
            site.warnings.append(f"fans of {kind.server.name}: a duty of {lowest:.3g} is below {least:.3g}, where their law "
                                 f"begins; {least:.3g} is used")
        return duty, [Step(np.maximum(step.value, least), step.when) for step in steps]

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power of room air handlers and chiller [W] that removes `heat` [W] from the room; there is no `liquid` heat."""
        per_watt = self.handler_fan_share + (0.0 if self.chiller_cop is None else
                                             (1 + self.handler_fan_share) / self.chiller_cop)
        return np.maximum(heat, 0.0) * per_watt


@dataclass
class LaneFlows:
    """Volume flow of each lane against duty, and the limits of duty."""

    duty: Floats  # (point,)
    flow: Floats  # (lane, point) m3/s


@dataclass(frozen=True)
class Resistance:
    """What stands in the way of all of a server's air: ``drop (V / flow)^exponent`` in air of 1.2 kg/m3."""

    drop: float  # Pa
    flow: float  # m3/s
    exponent: float  # 1: laminar, 2: turbulent

    def pressure(self, V: Floats, air: AirState) -> Floats:
        """Pressure drop [Pa] at volume flow `V` [m3/s]; of laminar flow it does not know the density."""
        return np.asarray(self.drop * (V / self.flow) ** self.exponent * (air.density / FAN_CURVE_DENSITY) ** (self.exponent - 1.0))


class Behind(Protocol):
    """What stands behind the servers: their air passes it before it comes to the room."""

    def resistance(self, kind: Kind) -> Resistance | None:
        """What it takes of the servers' fans; None: nothing."""

    def add(self, rack: RackAir, kind: Kind, exhaust: Node, lanes: list[Signal], span: tuple[float, float], places: Places) -> Node:
        """Adds what is behind one kind of server and returns the node from which their air leaves. `lanes` are the lanes' mass
        flows, their sum lies in `span` [kg/s]."""


def lane_flows(server: Server, air: AirState, running: int | None = None, behind: Resistance | None = None) -> LaneFlows:
    """Where the fans' curve meets the chassis, for duties from a fifth of the fans' least to full.

    Parameters
    ----------
    server : Server
        Fans, lanes and mounts.
    air : AirState
        Air that enters.
    running : int, optional
        Fans that turn; default all. The others are shut. [1]
    behind : Resistance, optional
        What the air passes behind the server; its rated flow is one without it.

    Raises
    ------
    ScenarioError
        If the server has no fans, or the heat sinks of a lane alone take more pressure than they give at the rated flow.
    """
    if server.fans is None:
        raise ScenarioError(f"{server.name} has no fans")
    lanes = tuple((lane, tuple(tuple((_in_air(m), m.bypass, m.multiplicity) for _, m in row) for row in _rows(server, lane.name)))
                  for lane in server.lanes)
    try:
        return _lane_flows(server.fans, lanes, air, server.fans.count if running is None else running, behind)
    except ScenarioError as error:
        raise ScenarioError(f"{server.name}, {error}") from None


@lru_cache(maxsize=256)
def _lane_flows(fans: Fans, lanes: tuple[tuple[Lane, _SinkRows], ...], air: AirState, running: int,
                behind: Resistance | None) -> LaneFlows:
    duty = np.linspace(SLOWEST * fans.minimum_duty, 1.0, DUTY_POINTS)
    curve_flow, curve_pressure = np.array(fans.curve_flow), np.array(fans.curve_pressure)
    reference = AirState.at(20.0, 101_325.0, 0.5)  # the rated point is one of standard air
    s = fans.system_duty
    rated = s * s * reference.density / FAN_CURVE_DENSITY * float(
        np.interp(fans.system_flow / (fans.count * s), curve_flow, curve_pressure))

    pressure = np.geomspace(1e-3, float(curve_pressure[0]) * 1.5 * max(1.0, air.density / FAN_CURVE_DENSITY), 80)
    by_lane = []
    for lane, rows in lanes:
        V_rated = lane.flow_share * fans.system_flow
        in_sinks = float(_sink_drop(rows, np.array([V_rated]), reference)[0])
        rest = (rated - in_sinks) / (reference.density * V_rated**2)
        if rest < 0:
            raise ScenarioError(f"lane {lane.name!r}: its heat sinks take {in_sinks:.0f} Pa at the rated "
                                f"{V_rated:.3g} m3/s, the fans give {rated:.0f} Pa; open the fins or lower flow_share")
        V = np.geomspace(V_rated * 1e-4, V_rated * 20, 400)
        drop = _sink_drop(rows, V, air) + rest * air.density * V * V
        by_lane.append(np.exp(np.interp(np.log(pressure), np.log(drop), np.log(V))))
    taken_by = np.array(by_lane)  # (lane, pressure)
    total = taken_by.sum(axis=0)
    if behind is not None:
        pressure = pressure + behind.pressure(total, air)

    # At each duty the pressure at which lanes take what the fans give: one falling, one rising, so one crossing.
    scale = duty**2 * air.density / FAN_CURVE_DENSITY
    low, high = np.full_like(duty, math.log(pressure[0])), np.log(scale * curve_pressure[0])
    for _ in range(60):
        p = 0.5 * (low + high)
        taken = np.exp(np.interp(p, np.log(pressure), np.log(total)))
        given = running * duty * np.interp(-np.exp(p) / scale, -curve_pressure, curve_flow)
        low, high = np.where(taken < given, p, low), np.where(taken < given, high, p)
    p = 0.5 * (low + high)
    return LaneFlows(duty, np.array([np.exp(np.interp(p, np.log(pressure), np.log(lane))) for lane in taken_by]))


def _rows(server: Server, lane: str) -> list[list[tuple[str, Mount]]]:
    """Devices of a lane, those at one position together, in the order in which the air meets them."""
    found: dict[int, list[tuple[str, Mount]]] = {}
    for name, mount, i in server.devices:
        if mount.lanes[i] == lane and not in_liquid(mount.sink):
            found.setdefault(mount.positions[i], []).append((name, mount))
    return [found[position] for position in sorted(found)]


def _in_air(mount: Mount) -> AirSink:
    """The sink of a device that sits in the air."""
    if isinstance(mount.sink, PlateFinSink | CurveSink):
        return mount.sink
    raise TypeError(f"{mount.names[0]} is not in the air")


def _sink_drop(rows: _SinkRows, V: Floats, air: AirState) -> Floats:
    """Pressure drop of a lane's sinks at volume flow `V`: rows add, neighbours in a row share the flow."""
    drop = np.zeros_like(V)
    for row in rows:
        drop += np.mean([sink_pressure_drop(sink, V * air.density * (1 - bypass) / len(row) / multiplicity, air)
                         for sink, bypass, multiplicity in row], axis=0)
    return drop


@dataclass
class RackAir:
    """What all kinds of server in the rack have in common while they are added."""

    network: Network
    design: Air
    ambient: Ambient
    air: AirState  # at the start
    supply: SetPoint  # degC
    room: SetPoint  # degC, of what `hot_aisle_makeup` leaves to it
    supply_flow: SetPoint | None  # m3/s
    flow_limits: tuple[Step, ...]  # m3/s that events make of a supply without limit
    hot_aisle: Node | None
    cold_side: Node | None  # of the room that servers breathe while no cold air comes
    without_cooling: Floats | None  # (time,), 1 while no cold air comes
    stopped_fans: NDArray[np.int64] | None  # (time, server)
    off: Floats | None  # (time,), 1 while the rack has no power
    stages: Mapping[str, Table]  # of the power chain, whose loss arises in the servers
    warnings: list[str]
    behind: Behind | None = None

    def factor(self, kind: Kind, of: Callable[[Floats], Floats]) -> Signal | None:
        """``of(T) / of(T at the start)`` for the kind's supply temperature over time; None where it stays 1."""
        first = of(np.asarray(self.network.reference))

        def ratio(T: Floats) -> Floats:
            return np.asarray(of(T)) / first

        plain = not self.supply.steps and np.all(ratio(kind.own(self.supply.usual)) == 1.0)
        return None if plain else self.supply.signal(kind, ratio)

    def fewer_fans(self, kind: Kind, fans: Fans) -> list[tuple[int, Floats]]:
        """Numbers of fans that stand still in some server, and when: ``(time, server)``, 1 while it is that many."""
        if self.stopped_fans is None:
            return []
        own = kind.own(self.stopped_fans.astype(np.float64))
        out = []
        for count in np.unique(own[own > 0]):
            if count >= fans.count:
                k, server = np.argwhere(own >= fans.count)[0]
                raise ScenarioError(f"events: fan-failure: {own[k, server]:g} fans of server {kind.first + server} stand still at "
                                    f"{self.network.time[k]:g} s, it has {fans.count}; leave one at least, for without any the "
                                    "laws of its air do not hold")
            out.append((int(count), (own == count).astype(np.float64)))
        return out


def _add_servers(rack: RackAir, kind: Kind, fans: Fans, parts: dict[str, Part], places: Places, prescribed: Floats | None,
                 steps: list[Step]) -> None:
    """Adds the air of servers of one kind. `prescribed` is the fans' duty, None where a controller makes it; `steps` what events
    do."""
    group, server, air, c_p = kind.group, kind.server, rack.air, rack.air.heat_capacity
    resistance = None if rack.behind is None else rack.behind.resistance(kind)
    flows = lane_flows(server, air, behind=resistance)
    low, high = float(flows.duty[0]), 1.0
    if prescribed is not None:
        duty = group.series(prescribed)
    else:
        watched = [server.devices[i] for i in server.in_air if i in server.accelerators or server.devices[i][1].device.has_limit]
        watched = watched or [server.devices[i] for i in server.in_air]
        if not watched:
            raise ScenarioError(f"{server.name}: no device is in the air for the fans' controller to watch; give fan_speed as a number")
        duty = group.control_signal(rack.design.fan_speed.control(
            [parts[name].junction for name, _, _ in watched], [mount.device for _, mount, _ in watched],
            fans.minimum_duty, 1.0))
    duty = stepped(group, duty, steps)
    met = np.linspace(fans.minimum_duty, high, 9) if prescribed is None else np.linspace(prescribed.min(), prescribed.max(), 9)
    off = None if rack.off is None else group.series(rack.off)
    places.fan_duty = group.record_signal(duty if off is None else group.choice(duty, group.series(0.0), off))
    if off is not None:
        duty = group.choice(duty, group.series(low), off)  # what still moves is draught

    thinner = rack.factor(kind, lambda T: f.air_density(T, rack.ambient.air_pressure, rack.ambient.relative_humidity))
    fan_power = group.law_signal(_fan_law(fans, fans.count, air.density, low), duty, thinner)
    lanes = [group.law_signal(_flow_law(flows.duty, flow * air.density), duty, thinner) for flow in flows.flow]
    drawn = None
    if rack.supply_flow is not None or rack.flow_limits:
        drawn = group.law_signal(_flow_law(flows.duty, flows.flow.sum(axis=0) * air.density), duty, thinner)
    least = flows.flow.min(axis=1)  # m3/s that a lane may see
    for count, when in rack.fewer_fans(kind, fans):
        left, now = lane_flows(server, air, fans.count - count, resistance), group.series(when)
        least = np.minimum(least, left.flow.min(axis=1))
        fan_power = group.choice(fan_power, group.law_signal(_fan_law(fans, fans.count - count, air.density, low), duty, thinner), now)
        lanes = [group.choice(lane, group.law_signal(_flow_law(left.duty, flow * air.density), duty, thinner), now)
                 for lane, flow in zip(lanes, left.flow, strict=True)]
        if drawn is not None:
            drawn = group.choice(drawn, group.law_signal(_flow_law(left.duty, left.flow.sum(axis=0) * air.density), duty, thinner),
                                 now)
    if off is not None:
        fan_power = group.choice(fan_power, group.series(0.0), off)
    places.fan_power.append(group.record_signal(fan_power))
    places.mass_flow += [group.record_signal(lane) for lane in lanes]

    inlet, plenum, exhaust = group.node("inlet"), group.node("plenum"), group.node("exhaust")
    places.positions.append("inlet")
    places.coolant.append(inlet)
    leaving = exhaust
    if rack.behind is not None:
        span = 0.5 * float(least.sum() * air.density), 1.5 * float(flows.flow.sum(axis=0).max() * air.density)
        leaving = rack.behind.add(rack, kind, exhaust, lanes, span, places)
    _add_inlet(rack, kind, inlet, leaving, lanes, drawn)
    group.source(plenum if fans.upstream else exhaust, fan_power)
    for lane, signal, flow, lowest in zip(server.lanes, lanes, flows.flow * air.density, least * air.density, strict=True):
        group.stream(inlet, plenum, group.coefficient(c_p, signal))
        at = plenum
        for row in _rows(server, lane.name):
            at = _add_row(rack, kind, parts, row, signal, (0.5 * float(lowest), 1.5 * float(flow.max())),
                          np.interp(met, flows.duty, flow), at, places)
        group.stream(at, exhaust, group.coefficient(c_p, signal))
    for heat in (kind.conversion(), kind.supplied(rack.stages, [fan_power])):
        if heat is not None:
            group.source(exhaust, heat)
            places.air_heat.append(heat)
    places.air_heat.append(fan_power)
    places.positions.append("exhaust")
    places.coolant.append(exhaust)
    places.exhaust = exhaust


def _add_inlet(rack: RackAir, kind: Kind, inlet: Node, exhaust: Node, lanes: list[Signal], drawn: Signal | None) -> None:
    """What the servers breathe, and where it goes. A lane's streams carry one coefficient from inlet to exit, so that
    what enters is what leaves, to the bit. `drawn`: their flow in all, where the supply is limited."""
    design, group, c_p, hot = rack.design, kind.group, rack.air.heat_capacity, rack.hot_aisle
    reference = rack.network.reference
    supply = group.boundary(rack.supply.signal(kind, lambda T: T - reference))
    if hot is None:
        for lane in lanes:
            group.stream(supply, inlet, group.coefficient(c_p, lane))
            group.exit(exhaust, group.coefficient(c_p, lane))
        return
    fresh = group.series(1.0)
    if drawn is not None and rack.supply_flow is not None:
        fresh = group.supply_share(drawn, rack.supply_flow.signal(kind, lambda V: V * rack.air.density))
    elif drawn is not None:
        for step in rack.flow_limits:
            share = group.supply_share(drawn, group.series(step.value * rack.air.density))
            fresh = group.choice(fresh, share, group.series(step.when))
    lacking = group.complement(fresh)
    enclosed = swept = None
    if rack.without_cooling is not None:
        enclosed, none = group.series(rack.without_cooling), group.series(0.0)
        fresh, lacking = group.choice(fresh, none, enclosed), group.choice(lacking, none, enclosed)
        swept = group.complement(enclosed)
    own, back = 1 - design.recirculation, design.recirculation
    room = None
    if design.hot_aisle_makeup < 1:
        room = group.boundary(rack.room.signal(kind, lambda T: T - reference))
    for lane in lanes:
        covered = group.coefficient(c_p * own, lane, times=fresh)
        group.stream(supply, inlet, covered)
        group.exit(hot, covered)
        group.stream(hot, inlet, group.coefficient(c_p * own * design.hot_aisle_makeup, lane, times=lacking))
        if back > 0:
            group.stream(hot, inlet, group.coefficient(c_p * back, lane))
        if room is not None:
            drawn_in = group.coefficient(c_p * own * (1 - design.hot_aisle_makeup), lane, times=lacking)
            group.stream(room, inlet, drawn_in)
            group.exit(hot, drawn_in)
        group.stream(exhaust, hot, group.coefficient(c_p, lane))
        if rack.cold_side is not None:
            sweep = group.coefficient(c_p, lane, times=swept)
            group.stream(supply, rack.cold_side, sweep)
            group.exit(rack.cold_side, sweep)
        if rack.cold_side is not None and enclosed is not None:
            over = group.coefficient(c_p * own, lane, times=enclosed)
            group.stream(hot, rack.cold_side, over)
            group.stream(rack.cold_side, inlet, over)


def _add_row(rack: RackAir, kind: Kind, parts: dict[str, Part], row: list[tuple[str, Mount]], lane: Signal,
             span: tuple[float, float], met: Floats, at: Node, places: Places) -> Node:
    """Devices side by side in a lane share its air; returns the node behind them. `met`: flows that the lane will see."""
    group, c_p, part = kind.group, rack.air.heat_capacity, 1.0 / len(row)
    ends = []
    for name, mount in row:
        cell = group.node(f"air behind {name}")
        through = group.coefficient(c_p * part * (1 - mount.bypass), lane)
        group.stream(at, cell, through)
        _couple(rack, kind, parts[name], mount, lane, part * (1 - mount.bypass), span, cell)
        places.positions.append(name)
        places.coolant.append(cell)
        ends.append((cell, through, group.coefficient(c_p * part * mount.bypass, lane) if mount.bypass else None))
        through_one = met * part * (1 - mount.bypass) / mount.multiplicity
        for message in sink_warnings(f"{kind.server.name}.{mount.names[0]}", _in_air(mount), through_one, rack.air):
            if message not in rack.warnings:
                rack.warnings.append(message)
    if len(ends) == 1 and ends[0][2] is None:
        return ends[0][0]
    behind = group.node(f"behind {row[0][0]}")
    for cell, through, beside in ends:
        group.stream(cell, behind, through)
        if beside is not None:
            group.stream(at, behind, beside)
    return behind


@lru_cache(maxsize=256)
def _fan_law(fans: Fans, running: int, density: float, low: float) -> Table:
    """Power of the `running` ones of a server's fans against their duty, in air of `density`."""
    return law_table(lambda s: running * density / FAN_CURVE_DENSITY * (
        fans.standby_power + (fans.rated_power - fans.standby_power) * np.maximum(s, 0.0) ** fans.power_exponent), low, 1.0)


def _flow_law(duty: Floats, flow: Floats) -> Table:
    """Flow against duty as a law, smooth between the points that were solved."""
    return _cached_flow_law(duty.tobytes(), flow.tobytes())


@lru_cache(maxsize=1024)
def _cached_flow_law(duty: bytes, flow: bytes) -> Table:
    from scipy.interpolate import PchipInterpolator

    at, value = np.frombuffer(duty), np.frombuffer(flow)
    return law_table(PchipInterpolator(at, value, extrapolate=True), float(at[0]), float(at[-1]))


def _couple(rack: RackAir, kind: Kind, part: Part, mount: Mount, flow: Signal, fraction: float, span: tuple[float, float],
            cell: Node) -> None:
    """Case to base to the cell of air behind the sink, as laws of the lane's mass flow."""
    group, n, sink = kind.group, mount.multiplicity, _in_air(mount)
    law = (sink, n, fraction / n, span, rack.air)
    warmer = None
    if isinstance(sink, PlateFinSink):  # a curve tells nothing of other air
        half_way = 0.5 * (span[0] + span[1]) * fraction / n
        table = _film_against_temperature(sink, half_way, rack.ambient.air_pressure, rack.ambient.relative_humidity)
        warmer = rack.factor(kind, lambda T: np.interp(T, TEMPERATURES, table))
    group.conductance(part.base, cell, group.coefficient(1.0, flow, _coupling_law(*law), times=warmer))
    if part.base == part.case:
        return
    source = mount.device.contact_area or mount.device.die_area
    if isinstance(sink, CurveSink):  # its curve holds the base already
        group.conductance(part.case, part.base, 1.0 / (part.interface + LEAST_RESISTANCE))
    else:
        group.conductance(part.case, part.base, group.coefficient(1.0, flow, _base_law(*law, part.interface, source)))


@lru_cache(maxsize=256)
def _film_against_temperature(sink: PlateFinSink, mass_flow: float, pressure: float, relative_humidity: float) -> Floats:
    """A sink's coupling to air of each of `TEMPERATURES`, at one mass flow: how its law shifts with the air's properties."""
    return np.array([float(sink_coupling(sink, np.array([mass_flow]), AirState.at(T, pressure, relative_humidity))[0])
                     for T in TEMPERATURES])


@lru_cache(maxsize=1024)
def _coupling_law(sink: AirSink, n: int, each: float, span: tuple[float, float], air: AirState) -> Table:
    """Conductance of `n` sinks to the air behind them against the lane's mass flow, of which each takes the share `each`."""
    return law_table(lambda m: n * sink_coupling(sink, m * each, air), *span)


@lru_cache(maxsize=1024)
def _base_law(sink: PlateFinSink, n: int, each: float, span: tuple[float, float], air: AirState, interface: float,
              source: float | None) -> Table:
    """Conductance from case to the roots of the fins: interface, then spreading in the base."""
    return law_table(lambda m: 1.0 / (interface + sink_spreading(sink, m * each, air, source) / n + LEAST_RESISTANCE), *span)

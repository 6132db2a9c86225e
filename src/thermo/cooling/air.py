r"""Air cooling: fans against the chassis, lanes in which the second row breathes the first row's heat, a shared plenum.

Each server draws what its fans deliver against its flow resistance,

.. math:: s^2 \frac{\rho}{\rho_0} f(V / (n s)) = \Delta p_{lane}(V_{lane}) \quad\text{for every lane},

with `s` the duty (speed over rated speed), `f` the curve of one of `n` fans, and a lane's pressure drop that of its heat
sinks (from geometry, see `thermo.cooling.heat_sink`) plus ``k rho V^2`` for the rest of the chassis; `k` is such that
the server meets its rated flow. In a lane the air passes one device after another; a share may pass beside a sink and
mixes behind it. Fan power is ``standby + rated s^n`` per fan at rated density, all of it heat in the air.

Up the front of the rack the aisle's supply is used up from the bottom; what a server lacks it draws from the hot aisle
(and, where told so, the room). That makes every server's inlet depend on all servers below it, and on the exhaust.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from thermo._kernels import formulas as f
from thermo.cooling.control import PI, Curve
from thermo.cooling.heat_sink import (AirState, sink_coupling, sink_pressure_drop, sink_spreading, sink_warnings)
from thermo.errors import ScenarioError
from thermo.network import Group, Network, Node, Signal, Table, law_table
from thermo.rack import Described, Device, Mount, Server, Share

__all__ = ["Air", "AirSystem", "ServerNodes", "lane_flows"]

Floats = NDArray[np.float64]
FAN_CURVE_DENSITY = 1.2  # kg/m3, the air that fan curves are stated in (ISO 5801)
DUTY_POINTS = 25  # of the law of flow against duty; it is all but straight


class Air(Described):
    """Room air through the servers. Set points are numbers, series over time, or controllers.

    `fan_speed` is the duty, 0..1 of rated speed; a series with ``units`` "rpm" is divided by the rated speed.
    """

    fan_speed: Any = Field(default_factory=PI)
    supply_flow: Annotated[float, Field(gt=0, le=1e4)] | None = None  # m3/s of cold air for the rack; None: as drawn
    recirculation: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share that every server draws from the hot aisle
    hot_aisle_makeup: Share = 1.0  # of what the supply does not cover, the share from the hot aisle; the rest from the room
    room_temperature: Any = None  # degC; None: as the supply
    handler_fan_share: Annotated[float, Field(ge=0, le=0.5)] = 0.04  # room air handlers' fan power over heat removed
    chiller_cop: Annotated[float, Field(gt=0, le=100)] | None = 5.0  # heat over compressor power; None: free cooling
    provenance: Any = Field(default_factory=dict, repr=False)

    @field_validator("fan_speed")
    @classmethod
    def _known_control(cls, value: Any) -> Any:
        if isinstance(value, dict):
            known = {"pi": PI, "curve": Curve}
            kind = value.get("control")
            if kind not in known:
                raise ValueError(f"fan_speed.control is {kind!r}, expected 'pi' or 'curve'")
            return known[kind](**{k: v for k, v in value.items() if k != "control"})
        if isinstance(value, int | float) and not 0 < value <= 1:
            raise ValueError("a fan speed is a duty above 0 and up to 1 (fraction of rated speed); is it in rpm?")
        return value

    @property
    def sheds_to_air(self) -> bool:
        """All heat leaves in air."""
        return True

    def heat_rejection_power(self, heat: Floats) -> Floats:
        """Power of room air handlers and chiller [W] that removes `heat` [W]."""
        per_watt = self.handler_fan_share + (0.0 if self.chiller_cop is None else
                                             (1 + self.handler_fan_share) / self.chiller_cop)
        return np.maximum(heat, 0.0) * per_watt


@dataclass
class LaneFlows:
    """Volume flow of each lane against duty, and the limits of duty."""

    duty: Floats  # (point,)
    flow: Floats  # (lane, point) m3/s


def lane_flows(server: Server, air: AirState) -> LaneFlows:
    """Where the fans' curve meets the chassis, for duties from the least to full.

    Parameters
    ----------
    server : Server
        Fans, lanes and mounts.
    air : AirState
        Air that enters.

    Raises
    ------
    ScenarioError
        If the heat sinks of a lane alone take more pressure than the fans give at the rated flow.
    """
    fans = server.fans
    duty = np.linspace(min(fans.minimum_duty, fans.system_duty), 1.0, DUTY_POINTS)
    curve_flow, curve_pressure = np.array(fans.curve_flow), np.array(fans.curve_pressure)
    reference = AirState.at(20.0, 101_325.0, 0.5)  # the rated point is one of standard air
    s = fans.system_duty
    rated = s * s * reference.density / FAN_CURVE_DENSITY * float(
        np.interp(fans.system_flow / (fans.count * s), curve_flow, curve_pressure))

    pressure = np.geomspace(1e-3, float(curve_pressure[0]) * 1.5 * max(1.0, air.density / FAN_CURVE_DENSITY), 80)
    by_lane = []
    for lane in server.lanes:
        sinks = _sinks_in(server, lane.name)
        V_rated = lane.flow_share * fans.system_flow
        in_sinks = float(_sink_drop(sinks, np.array([V_rated]), reference)[0])
        rest = (rated - in_sinks) / (reference.density * V_rated**2)
        if rest < 0:
            raise ScenarioError(f"{server.name}, lane {lane.name!r}: its heat sinks take {in_sinks:.0f} Pa at the rated "
                                f"{V_rated:.3g} m3/s, the fans give {rated:.0f} Pa; open the fins or lower flow_share")
        V = np.geomspace(V_rated * 1e-4, V_rated * 20, 400)
        drop = _sink_drop(sinks, V, air) + rest * air.density * V * V
        by_lane.append(np.exp(np.interp(np.log(pressure), np.log(drop), np.log(V))))
    lanes = np.array(by_lane)  # (lane, pressure)
    total = lanes.sum(axis=0)

    # At each duty the pressure at which lanes take what the fans give: one falling, one rising, so one crossing.
    scale = duty**2 * air.density / FAN_CURVE_DENSITY
    low, high = np.full_like(duty, math.log(pressure[0])), np.log(scale * curve_pressure[0])
    for _ in range(60):
        p = 0.5 * (low + high)
        taken = np.exp(np.interp(p, np.log(pressure), np.log(total)))
        given = fans.count * duty * np.interp(-np.exp(p) / scale, -curve_pressure, curve_flow)
        low, high = np.where(taken < given, p, low), np.where(taken < given, high, p)
    p = 0.5 * (low + high)
    return LaneFlows(duty, np.array([np.exp(np.interp(p, np.log(pressure), np.log(lane))) for lane in lanes]))


def _places(server: Server, lane: str) -> dict[int, list[tuple[str, Mount]]]:
    """Devices of a lane by position, in order of position."""
    found: dict[int, list[tuple[str, Mount]]] = {}
    for name, mount, i in server.devices:
        if mount.lanes[i] == lane:
            found.setdefault(mount.positions[i], []).append((name, mount))
    return dict(sorted(found.items()))


def _sinks_in(server: Server, lane: str) -> list[list[Mount]]:
    return [[mount for _, mount in row] for row in _places(server, lane).values()]


def _sink_drop(rows: list[list[Mount]], V: Floats, air: AirState) -> Floats:
    """Pressure drop of a lane's sinks at volume flow `V`: rows add, neighbours in a row share the flow."""
    drop = np.zeros_like(V)
    for row in rows:
        drop += np.mean([sink_pressure_drop(m.sink, V * air.density * (1 - m.bypass) / len(row), air) for m in row], axis=0)
    return drop


@dataclass
class ServerNodes:
    """What of a group of servers the output needs: columns of recorded nodes and signals."""

    junction: list[int] = field(default_factory=list)
    memory: list[int | None] = field(default_factory=list)
    case: list[int] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    coolant: list[int] = field(default_factory=list)
    exhaust: int = 0
    mass_flow: list[int] = field(default_factory=list)  # signals, kg/s, one a lane
    fan_power: int = 0


@dataclass
class AirSystem:
    """Air cooling of a rack in its network: shared nodes, and the warnings that its laws gave."""

    hot_aisle: Node | None
    warnings: list[str] = field(default_factory=list)


def add_air(network: Network, design: Air, air: AirState, *, density_ratio: Any, supply: Any, room: Any, system: AirSystem,
            group: Group, server: Server, duty: Signal | None, watts: list[Signal], conversion: Signal | None) -> ServerNodes:
    """Adds one kind of server, air-cooled, to its group.

    Parameters
    ----------
    network, group, system
        Where to add.
    design : Air
        The cooling design.
    air : AirState
        Air at the reference state of the run; `density_ratio` is the density over it, a number or a series.
    supply, room
        Temperature of supply and room, constants or series [degC].
    server : Server
        The kind of server.
    duty : Signal or None
        Fan duty, or None where the design's controller makes it.
    watts : list of Signal
        Electrical power of each device, in the server's order.
    conversion : Signal or None
        Loss of power supplies and regulators.
    """
    nodes = ServerNodes()
    fans = server.fans
    flows = lane_flows(server, air)
    low, high = float(flows.duty[0]), 1.0

    devices = [_device_nodes(group, name, mount, watts[i], nodes) for i, (name, mount, _) in enumerate(server.devices)]
    by_name = dict(zip(server.device_names, devices, strict=True))
    if duty is None:
        watched = [devices[i].junction for i in server.accelerators]
        kinds = [server.devices[i][1].device for i in server.accelerators]
        duty = group.control_signal(design.fan_speed.control(group, watched, kinds, fans.minimum_duty, 1.0))

    varying = None if np.ndim(density_ratio) == 0 else group.series(density_ratio, linear=True)
    c_p = air.heat_capacity
    per_fan = law_table(lambda s: fans.count * (fans.standby_power + (fans.rated_power - fans.standby_power)
                                                * np.maximum(s, 0.0) ** fans.power_exponent
                                                * air.density / FAN_CURVE_DENSITY), low, high)
    fan_power = group.law_signal(per_fan, duty, varying)
    nodes.fan_power = group.record_signal(fan_power)

    # Streams of each lane carry the same coefficients from inlet to exit, so that what enters is what leaves.
    inlet, plenum, exhaust = group.node("inlet"), group.node("plenum"), group.node("exhaust")
    supply_node = group.boundary(group.temperature_series(supply, linear=np.ndim(supply) > 0))
    lane_signals = []
    for lane, flow in zip(server.lanes, flows.flow, strict=True):
        table = law_table(_flow_law(flows.duty, flow * air.density), low, high)
        signal = group.law_signal(table, duty, varying)
        lane_signals.append(signal)
        nodes.mass_flow.append(group.record_signal(signal))
    shares = _plenum_shares(network, design, group, flows, air, duty, varying)
    nodes.positions.append("inlet")
    nodes.coolant.append(group.record(inlet))
    room_node = None
    for signal in lane_signals:
        w = group.coefficient(c_p, signal)
        if system.hot_aisle is None:
            group.stream(supply_node, inlet, w)
            group.exit(exhaust, w)
        else:
            fresh, lacking = shares
            keep, back = 1 - design.recirculation, design.recirculation
            from_hot, from_room = design.hot_aisle_makeup, 1 - design.hot_aisle_makeup
            covered = group.coefficient(c_p * keep, signal, times=fresh)
            group.stream(supply_node, inlet, covered)
            group.exit(system.hot_aisle, covered)
            makeup = group.coefficient(c_p * keep * from_hot, signal, times=lacking)
            group.stream(system.hot_aisle, inlet, makeup)
            if back > 0:
                group.stream(system.hot_aisle, inlet, group.coefficient(c_p * back, signal))
            if from_room > 0:
                if room_node is None:
                    room_node = group.boundary(group.temperature_series(room, linear=np.ndim(room) > 0))
                drawn = group.coefficient(c_p * keep * from_room, signal, times=lacking)
                group.stream(room_node, inlet, drawn)
                group.exit(system.hot_aisle, drawn)
            group.stream(exhaust, system.hot_aisle, w)
        group.stream(inlet, plenum, w)
    group.source(plenum if fans.upstream else exhaust, fan_power)

    reach = np.array([flows.flow.min(axis=1), flows.flow.max(axis=1)]) * air.density
    for n, (lane, signal) in enumerate(zip(server.lanes, lane_signals, strict=True)):
        at = plenum
        span = np.geomspace(reach[0, n] * 0.5, reach[1, n] * 1.5, 2)
        for row in _places(server, lane.name).values():
            ends = []
            for name, mount in row:
                part = 1.0 / len(row)
                cell = group.node(f"air behind {name}")
                through = group.coefficient(c_p * part * (1 - mount.bypass), signal)
                group.stream(at, cell, through)
                _couple(group, by_name[name], mount, signal, part * (1 - mount.bypass), span, air, cell)
                nodes.positions.append(name)
                nodes.coolant.append(group.record(cell))
                ends.append((cell, through, group.coefficient(c_p * part * mount.bypass, signal) if mount.bypass else None))
                for message in sink_warnings(f"{server.name}.{name}", mount.sink,
                                             np.linspace(reach[0, n], reach[1, n], 9) * part * (1 - mount.bypass), air):
                    if message not in system.warnings:
                        system.warnings.append(message)
            if len(ends) > 1 or ends[0][2] is not None:
                behind = group.node(f"{lane.name} behind {row[0][0]}")
                for cell, through, beside in ends:
                    group.stream(cell, behind, through)
                    if beside is not None:
                        group.stream(at, behind, beside)
                at = behind
            else:
                at = ends[0][0]
        group.stream(at, exhaust, group.coefficient(c_p, signal))
    if conversion is not None:
        group.source(exhaust, conversion)
    nodes.positions.append("exhaust")
    nodes.coolant.append(group.record(exhaust))
    nodes.exhaust = nodes.coolant[-1]
    return nodes


def _flow_law(duty: Floats, flow: Floats) -> Any:
    """Flow against duty, smooth between the points that were solved."""
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(duty, flow, extrapolate=True)


def _plenum_shares(network: Network, design: Air, group: Group, flows: LaneFlows, air: AirState, duty: Signal,
                   varying: Signal | None) -> tuple[Signal, Signal]:
    """Signals: the share of a server's draw that the aisle's supply covers, and what it lacks."""
    if design.supply_flow is None:
        one = group.series(1.0)
        return one, group.complement(one)
    total: Table = law_table(_flow_law(flows.duty, flows.flow.sum(axis=0) * air.density), float(flows.duty[0]), 1.0)
    draw = group.law_signal(total, duty, varying)
    fresh = group.supply_share(draw, group.series(design.supply_flow * air.density))
    return fresh, group.complement(fresh)


@dataclass
class _DeviceNodes:
    junction: Node
    case: Node
    base: Node  # of the sink
    interface: float  # K/W between case and base; 0 where they are one


def _device_nodes(group: Group, name: str, mount: Mount, watts: Signal, nodes: ServerNodes) -> _DeviceNodes:
    """Nodes of one device and its sink's base, with its heat. `multiplicity` parts in parallel make one."""
    d: Device = mount.device
    n = mount.multiplicity
    if d.junction_resistance is None or d.case_capacity is None:
        lump = group.node(name, n * (d.junction_capacity + mount.sink.capacity))
        group.source(lump, watts)
        column = group.record(lump)
        nodes.junction.append(column)
        nodes.memory.append(None)
        nodes.case.append(column)
        return _DeviceNodes(lump, lump, lump, 0.0)
    junction = group.node(f"{name} junction", n * d.junction_capacity)
    case = group.node(f"{name} case", n * d.case_capacity)
    base = group.node(f"{name} sink", n * mount.sink.capacity)
    group.conductance(junction, case, n / d.junction_resistance)
    nodes.junction.append(group.record(junction))
    nodes.case.append(group.record(case))
    share = 0.0
    if d.memory_resistance is not None:
        share = d.memory_power_share
        memory = group.node(f"{name} memory", n * (d.memory_capacity or 0.0))
        group.conductance(memory, case, n / d.memory_resistance)
        group.source(memory, watts, share)
        nodes.memory.append(group.record(memory))
    else:
        nodes.memory.append(None)
    group.source(junction, watts, 1.0 - share)
    return _DeviceNodes(junction, case, base, (d.interface_resistance or 0.0) / n)


def _couple(group: Group, part: _DeviceNodes, mount: Mount, flow: Signal, fraction: float, span: Floats, air: AirState,
            cell: Node) -> None:
    """Case to base to the cell of air behind the sink, as laws of the lane's mass flow."""
    n = mount.multiplicity
    each = fraction / n  # of the lane's flow through one sink

    def coupling(m: Floats) -> Floats:
        return n * sink_coupling(mount.sink, m * each, air)

    group.conductance(part.base, cell, group.coefficient(1.0, flow, law_table(coupling, float(span[0]), float(span[1]))))
    if part.base == part.case:
        return

    def to_base(m: Floats) -> Floats:
        return 1.0 / (part.interface + sink_spreading(mount.sink, m * each, air, mount.device.contact_area
                                                      or mount.device.die_area) / n + 1e-9)

    flat = np.ptp(to_base(span)) == 0
    if flat:
        group.conductance(part.case, part.base, float(to_base(span)[0]))
    else:
        group.conductance(part.case, part.base,
                          group.coefficient(1.0, flow, law_table(to_base, float(span[0]), float(span[1]))))

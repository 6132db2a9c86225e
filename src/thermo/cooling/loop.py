r"""The coolant's circuit of a rack with cold plates: pumps side by side, hoses, plates, and who gets how much of the flow.

Trays lie between two headers, branches side by side in a tray, plates one after the other in a branch or side by side at one
position: a network for `thermo.hydraulics`. What data says of it is the rated flow of each tray and the share of each branch;
trays and branches are *balanced* to that, as with orifices: what a branch takes less than its longest neighbour, and a tray less
than the pumps' head, is a resistance that goes with the square of flow. Where the head does not suffice, the flow is what the
network gives. Away from the rated point (other speeds, a plate clogged, a disconnect pulled, a pump gone) all flows follow.

Pumps are alike. Each has the head :math:`h (k - (k - 1) (V/V_r)^2)` at full speed, by the affinity laws at others, a check valve, and
draws :math:`P_r s^e (a + (1 - a) V / (s V_r))`. Flow follows speed (`thermo.cooling.pumps`) at once: the coolant's own inertia in some
10 m of pipe is gone in tenths of a second.

One density and one viscosity hold, those of the coolant half-way through the rack at the start of the run.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from thermo import events as _events
from thermo.cooling.plate import LiquidState, plate_component, plate_pressure_drop
from thermo.cooling.pumps import Hold, Pump, Pumps
from thermo.errors import ScenarioError, nearest, shown
from thermo.events import Timeline
from thermo.fluids import Fluid
from thermo.hydraulics import CheckValve, FlowNetwork, FlowState, Pipe, Resistance
from thermo.hydraulics import Pump as Curve
from thermo.rack import ColdPlate, CurvePlate, Described, Mount, NotNegative, Number, Server

__all__ = ["Circuit", "Flows", "Manifold", "branch_shares", "held_speed", "plate_of", "plate_rows", "tray_pressure_drop"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHECK_VALVE_SHARE = 0.02  # of the head, that an open check valve takes at the rated flow
PULLED = 1e9  # factor on the pressure of what a shut disconnect holds back
LEAST_DROP = 1e-3  # of the head, across a branch's orifice and fittings
LEAST_FLOW = 1e-5  # of a branch's rated flow: what creeps where nothing drives it, so that no node is without a neighbour
LEAST_SHARE = 1e-4  # of a row's flow, through one of its plates
JUST_BEFORE = 1e-3  # s
MOST_ROWS = 400  # of operating points that are solved one by one; more that differ by speed alone are read off a curve
SPEEDS = 129  # of such a curve


class Manifold(Described):
    """Headers along the rack: a pipe each, between neighbouring trays as long as a tray is high. Supply and return at the bottom, or
    (`reverse_return`) the return at the top, so that all ways are equally long."""

    diameter: Annotated[Number, Field(gt=0.005, le=0.3)] = 0.04
    tee_loss: NotNegative = 0.3  # of v^2 rho / 2 at each tray's outlet, for the stream that goes on
    reverse_return: bool = False


def plate_of(mount: Mount) -> ColdPlate | CurvePlate:
    """The sink of a device that is on a plate."""
    if isinstance(mount.sink, ColdPlate | CurvePlate):
        return mount.sink
    raise TypeError(f"{mount.names[0]} is not on a plate")


def plate_rows(server: Server, branch: str) -> list[list[tuple[str, Mount]]]:
    """Devices of a branch, those at one position together, in the order in which the coolant meets them."""
    found: dict[int, list[tuple[str, Mount]]] = {}
    for i, (name, mount, k) in enumerate(server.devices):
        if i not in server.in_air and mount.lanes[k] == branch:
            found.setdefault(mount.positions[k], []).append((name, mount))
    return [found[position] for position in sorted(found)]


def branch_shares(server: Server) -> dict[str, float]:
    """Share of a server's rated coolant that each of its branches takes. [1]"""
    total = math.fsum(branch.flow_share for branch in server.branches)
    return {branch.name: branch.flow_share / total for branch in server.branches}


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


@dataclass(frozen=True)
class Flows:
    """What flows where, in as many operating points (*rows*) as a run meets.

    Attributes
    ----------
    row : ndarray, shape (time,)
        Which of them holds from each sample on.
    branch, plate : list of dict, one a kind of server
        By name, ``(row, server)``: through a branch [m3/s]; of what passes a plate's position, its part [1].
    total, power, speed : ndarray, shape (row,)
        Through the rack [m3/s], electrical power of the pumps [W], speed of those that run, over the rated one [1].
    pressure : ndarray, shape (time,)
        Of the loop at the pumps' inlet, gauge. [Pa]
    """

    row: Ints
    branch: list[dict[str, Floats]]
    plate: list[dict[str, Floats]]
    total: Floats
    power: Floats
    speed: Floats
    pressure: Floats

    def tray(self, kind: int) -> Floats:
        """Through each server of a kind, ``(row, server)`` [m3/s]."""
        return np.asarray(sum(self.branch[kind].values()))

    @property
    def steady(self) -> bool:
        """Whether one row holds throughout."""
        return self.total.size == 1

    def series(self, values: Floats) -> Floats:
        """Values of the rows over time: a number, ``(time,)`` or ``(time, server)``, what does not vary left out."""
        values = np.asarray(values)
        if values.ndim == 2 and np.all(values == values[:, :1]):
            values = values[:, 0]
        if self.steady:
            return values[0] if values.ndim == 1 else np.broadcast_to(values[0], (self.row.size, values.shape[1]))
        return values[self.row]


@dataclass
class Circuit:
    """The circuit of a rack: servers in the order of the rack, from the bottom up."""

    pumps: Pumps
    servers: list[tuple[Server, int]]  # with how many of them
    liquid: LiquidState
    manifold: Manifold | None = None
    rated: float = field(init=False)  # m3/s
    net: FlowNetwork = field(init=False)

    def __post_init__(self) -> None:
        self.rated = math.fsum((server.coolant_flow or 0.0) * n for server, n in self.servers)
        self._trims = [self._balanced(server) for server, _ in self.servers]
        self.net = self._network()

    @property
    def pump(self) -> Pump:
        """One of the pumps."""
        return self.pumps.pump

    # ------------------------------------------------------------------------------------------------------ the network

    @property
    def trays(self) -> Iterator[tuple[int, int, int, Server]]:
        """Number in the rack, kind, number in the kind, description, of all with plates."""
        first = 0
        for kind, (server, count) in enumerate(self.servers):
            if server.branches:
                for i in range(count):
                    yield first + i, kind, i, server
            first += count

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the pumps, those that wait last."""
        return tuple(f"pump {i}" for i in range(self.pumps.count))

    def _plates(self, net: FlowNetwork, prefix: str, server: Server, branch: str, tail: str, head: str) -> None:
        rows = plate_rows(server, branch)
        for j, row in enumerate(rows):
            end = head if j == len(rows) - 1 else net.node(f"{prefix}/{branch} {j}")
            for name, mount in row:
                net.connect(tail, end, plate_component(plate_of(mount), mount.multiplicity), name=f"{prefix}/{name}")
            tail = end

    def _balanced(self, server: Server) -> tuple[float, dict[str, float]]:
        """Pressure that balancing takes of a tray and of its branches at their rated flows [Pa]."""
        if not server.branches:
            return 0.0, {}
        shares, rated = branch_shares(server), server.coolant_flow or 0.0
        net = FlowNetwork(server.name)
        net.node("out", pressure=0.0)
        takes = dict.fromkeys(shares, 0.0)  # a branch without plates is a bypass
        through = {name: np.array([share * rated]) for name, share in shares.items() if plate_rows(server, name)}
        for name in through:
            net.node(name)
            self._plates(net, "", server, name, name, "out")
        pressure = net.sweep(self.liquid.density, self.liquid.viscosity, inflows=through).pressure
        takes |= {name: float(pressure[name][0]) for name in through}
        most = max(takes.values()) + LEAST_DROP * self.pump.head
        left = self.pump.head - server.coolant_drop - most
        return max(left, 0.0), {name: most - drop for name, drop in takes.items()}

    def _quadratic(self, drop: float, flow: float) -> Resistance:
        """A resistance that goes with the square of flow, in this coolant."""
        return Resistance(quadratic=max(drop, 1e-6 * self.pump.head) / flow**2, reference_density=self.liquid.density,
                          reference_viscosity=self.liquid.viscosity)

    def _network(self) -> FlowNetwork:
        p, net = self.pump, FlowNetwork("coolant loop")
        net.node("return", pressure=self.pumps.static_pressure)
        net.node("supply")
        each = self.rated / p.count
        h, k = p.head * (1 + CHECK_VALVE_SHARE * p.check_valve), p.shutoff_head
        end = math.sqrt(k / (k - 1))
        x = np.unique(np.concatenate([np.linspace(0, 1, 9), np.linspace(1, 0.999 * end, 9)]))
        curve = Curve(name="loop-pump", curve_flow=tuple(each * x), curve_pressure=tuple(h * (k - (k - 1) * x * x)),
                      reference_density=self.liquid.density)
        K_v = 3600 * each * math.sqrt(1e5 / (CHECK_VALVE_SHARE * p.head) * self.liquid.density / 1000)
        for unit in self.units:
            net.connect("return", "supply", curve, *([CheckValve(flow_coefficient=K_v)] if p.check_valve else []), name=unit)
        at = {"supply": "supply", "return": "return"}
        ways = self._headers(net)
        for i, kind, _, server in self.trays:
            drop, trims = self._trims[kind]
            at["supply"], at["return"] = ways.get(i, ("supply", "return"))
            flow, shares = server.coolant_flow or 0.0, branch_shares(server)
            inlet = net.node(f"{i}")
            net.connect(at["supply"], inlet, self._quadratic(server.coolant_drop + drop, flow), name=f"{i}")
            for name, share in shares.items():
                orifice, empty = self._quadratic(trims[name], share * flow), not plate_rows(server, name)
                tail = at["return"] if empty else net.node(f"{i}/{name}")
                net.connect(inlet, tail, orifice, name=f"{i}>{name}")
                if not empty:
                    self._plates(net, f"{i}", server, name, tail, at["return"])
        return net

    def _headers(self, net: FlowNetwork) -> dict[int, tuple[str, str]]:
        """Nodes of supply and return manifold at each tray; none where there is no manifold."""
        m = self.manifold
        if m is None:
            return {}
        trays = list(self.trays)
        out: dict[int, tuple[str, str]] = {}
        before = ("supply", "return")
        for i, _, _, server in trays:
            piece = Pipe(length=0.04445 * server.height_units, diameter=m.diameter, minor_loss=m.tee_loss)
            here = net.node(f"supply manifold {i}"), net.node(f"return manifold {i}")
            net.connect(before[0], here[0], piece, name=f"supply manifold {i}")
            if not (m.reverse_return and before[1] == "return"):
                tail, head = (before[1], here[1]) if m.reverse_return else (here[1], before[1])
                net.connect(tail, head, piece, name=f"return manifold {i}")
            out[i], before = here, here
        if m.reverse_return:
            net.connect(before[1], "return", Pipe(length=0.04445 * sum(s.height_units for _, _, _, s in trays), diameter=m.diameter),
                        name="return riser")
        return out

    def _losses(self, happens: Timeline) -> tuple[list[dict[str, float]], Ints]:
        """Factors on what flow loses in the network, each set once, and which holds at each sample."""
        what: list[tuple[dict[str, float], Floats]] = []
        for clogged, begin, end in happens.during(_events.Clogging):
            server = self._server(clogged, clogged.server)
            on_plates = [n for i, n in enumerate(server.device_names) if i not in server.in_air]
            if clogged.device not in on_plates:
                raise ScenarioError(f"events: {clogged.shown}: device is {shown(clogged.device)}{nearest(clogged.device, on_plates)}; on "
                                    "plates there")
            if (when := happens.holds(begin, end)) is not None:
                what.append(({f"{clogged.server}/{clogged.device}": clogged.factor}, when))
        for pulled, begin, end in happens.during(_events.Disconnected):
            server, i = self._server(pulled, pulled.server), pulled.server
            if pulled.branch is not None and pulled.branch not in branch_shares(server):
                raise ScenarioError(f"events: {pulled.shown}: branch is {shown(pulled.branch)}"
                                    f"{nearest(pulled.branch, list(branch_shares(server)))}")
            names = list(branch_shares(server)) if pulled.branch is None else [pulled.branch]
            shut = [f"{i}>{name}" for name in names] + [f"{i}/{n}" for name in names for row in plate_rows(server, name) for n, _ in row]
            if (when := happens.holds(begin, end)) is not None:
                what.append((dict.fromkeys(shut, PULLED), when))
        if not what:
            return [{}], np.zeros(happens.seconds.size, np.int64)
        code = np.stack([when for _, when in what], axis=1)
        patterns, which = np.unique(code, axis=0, return_inverse=True)
        sets = []
        for pattern in patterns:
            made: dict[str, float] = {}
            for (hit, _), holds in zip(what, pattern, strict=True):
                if holds:
                    for name, factor in hit.items():
                        made[name] = min(made.get(name, 1.0) * factor, PULLED)
            sets.append(made)
        return sets, np.asarray(which).reshape(-1)

    def _server(self, event: _events.Event, number: int) -> Server:
        """The server that an event is about."""
        found = {i: server for i, _, _, server in self.trays}
        if number not in found:
            raise ScenarioError(f"events: {event.shown}: server {number} has no cold plates")
        return found[number]

    # ----------------------------------------------------------------------------------------------------------- flows

    def flows(self, happens: Timeline, usual: Floats, hold: Hold | None = None, aside: Floats | None = None) -> Flows:
        """Flows over a run.

        Parameters
        ----------
        happens : Timeline
            Events, on the run's samples.
        usual : ndarray, shape (time,) or ()
            Speed asked of the pumps; with `hold` the largest allowed. [1]
        hold : Hold, optional
            What the drives hold by speed.
        aside : ndarray, shape (time,), optional
            Not 0 while they do not, and turn as `usual` says.
        """
        usual = np.broadcast_to(usual, happens.seconds.shape)
        free = np.zeros(happens.seconds.size) if aside is None else aside
        speeds, fed = self.pumps.over(happens, usual, None if hold is None else lambda at: self._turning(happens, usual, hold, free, at))
        sets, which = self._losses(happens)
        rows, row = np.unique(np.column_stack([which, free, speeds, fed]), axis=0, return_inverse=True)
        found, made = np.empty((rows.shape[0], len(self.net.branches))), rows[:, 2:2 + self.pumps.count].copy()
        for number, losses in enumerate(sets):
            for held in (False, True):
                here = (rows[:, 0] == number) & ((rows[:, 1] == 0) == held)
                found[here], made[here] = self._solved(made[here], losses, hold if held else None)
        return self._named(np.asarray(row).reshape(-1), found, made, rows[:, 2 + self.pumps.count:], self.pumps.pressure(happens))

    def _turning(self, happens: Timeline, usual: Floats, hold: Hold, free: Floats, at: float) -> Floats:
        """How fast each pump turns just before an instant, in the run or before it, where drives hold flow or pressure."""
        then = at - JUST_BEFORE
        now = happens.on(np.array([then]))
        k = max(int(np.searchsorted(happens.seconds, then, side="right")) - 1, 0)
        speeds, _ = self.pumps.over(now, usual[k:k + 1])
        sets, which = self._losses(now)
        return np.asarray(self._solved(speeds, sets[int(which[0])], None if free[k] else hold)[1][0])

    def reach(self, quantity: str) -> tuple[float, float]:
        """What drives can hold while nothing is wrong, from the pumps' least speed to full: flow or pressure over the rated one. [1]"""
        turning = np.repeat([1.0, 0.0], [self.pump.count, self.pump.standby])
        flow, pressure = self._at(np.array([self.pump.minimum_speed, 1.0])[:, None] * turning, {})
        units = [self.net.branches.index(unit) for unit in self.units]
        low, high = flow[:, units].sum(axis=1) / self.rated if quantity == "flow" else pressure / self.pump.head
        return float(low), float(high)

    def _at(self, speeds: Floats, losses: dict[str, float]) -> tuple[Floats, Floats]:
        """Flows of all branches ``(row, branch)`` and the pressure between the headers ``(row,)`` at speeds ``(row, unit)``. Each row is
        solved from the same start, so that it does not depend on the others."""
        flows, pressure = np.empty((speeds.shape[0], len(self.net.branches))), np.empty(speeds.shape[0])
        for k, each in enumerate(speeds):
            state = self._state(each, losses, self._start)
            flows[k], pressure[k] = state.flows[0], state.pressure["supply"][0] - state.pressure["return"][0]
        return flows, pressure

    def _state(self, speeds: Floats, losses: dict[str, float], start: FlowState | None) -> FlowState:
        return self.net.sweep(self.liquid.density, self.liquid.viscosity, losses=losses or None, start=start,
                              speeds={unit: speeds[i:i + 1] for i, unit in enumerate(self.units)})

    @cached_property
    def _start(self) -> FlowState:
        return self._state(np.repeat([1.0, 0.0], [self.pump.count, self.pump.standby]), {}, None)

    def _solved(self, speeds: Floats, losses: dict[str, float], hold: Hold | None) -> tuple[Floats, Floats]:
        """Flows of all branches at some speeds of the pumps, ``(row, branch)``, and those speeds, which a drive may lower."""
        if hold is not None:
            return self._held(speeds, losses, hold)
        together = np.all(speeds[:, :self.pump.count] == speeds[:, :1], axis=1) & np.all(speeds[:, self.pump.count:] == 0, axis=1)
        together &= speeds[:, 0] >= self.pump.minimum_speed
        if np.sum(together) <= MOST_ROWS:
            return self._at(speeds, losses)[0], speeds
        from scipy.interpolate import CubicSpline

        grid = np.zeros((SPEEDS, len(self.units)))
        grid[:, :self.pump.count] = np.linspace(self.pump.minimum_speed, 1.0, SPEEDS)[:, None]
        out = np.empty((speeds.shape[0], len(self.net.branches)))
        out[together] = CubicSpline(grid[:, 0], self._at(grid, losses)[0])(speeds[together, 0])
        out[~together] = self._at(speeds[~together], losses)[0]
        return out, speeds

    def _held(self, speeds: Floats, losses: dict[str, float], hold: Hold) -> tuple[Floats, Floats]:
        """The same where drives hold flow or pressure: the speed that all which run have in common."""
        units = [self.net.branches.index(unit) for unit in self.units]
        target = hold.value * (self.rated if hold.quantity == "flow" else self.pump.head)
        flows, made = np.empty((speeds.shape[0], len(self.net.branches))), np.empty_like(speeds)

        def short(common: float, possible: Floats) -> float:
            flow, pressure = self._at(np.minimum(possible, common)[None, :], losses)
            return float(flow[0, units].sum() if hold.quantity == "flow" else pressure[0]) / target - 1.0

        for k, possible in enumerate(speeds):
            common = held_speed(lambda s, possible=possible: short(s, possible), self.pump.minimum_speed)  # type: ignore[misc]
            made[k] = np.minimum(possible, common)
            flows[k] = self._at(made[k][None, :], losses)[0][0]
        return flows, made

    def _named(self, row: Ints, found: Floats, speeds: Floats, fed: Floats, pressure: Floats) -> Flows:
        """Flows of the network's branches as those of trays and plates; equal trays get equal bits."""
        at = {name: i for i, name in enumerate(self.net.branches)}
        branch: list[dict[str, Floats]] = []
        plate: list[dict[str, Floats]] = []
        for kind, (server, _) in enumerate(self.servers):
            own = [i for i, k, _, _ in self.trays if k == kind]
            of_branch: dict[str, Floats] = {}
            of_plate: dict[str, Floats] = {}
            for name, share in branch_shares(server).items() if server.branches else ():
                least = LEAST_FLOW * share * (server.coolant_flow or 0.0)
                for here in plate_rows(server, name):
                    through = np.stack([_alike(found[:, [at[f"{i}/{device}"] for i in own]]) for device, _ in here])
                    whole = through.sum(axis=0)
                    if len(here) > 1:
                        part = np.maximum(np.divide(through, whole, out=np.full(through.shape, 1 / len(here)), where=whole > least), LEAST_SHARE)
                        part /= part.sum(axis=0)
                    else:
                        part = np.ones_like(through)
                    of_plate |= {device: part[j] for j, (device, _) in enumerate(here)}
                of_branch[name] = np.maximum(_alike(found[:, [at[f"{i}>{name}"] for i in own]]), least)
            branch.append(of_branch)
            plate.append(of_plate)
        p, units = self.pump, [at[unit] for unit in self.units]
        each = np.maximum(found[:, units], 0.0) / (self.rated / p.count)
        full = p.head * self.rated / p.efficiency / p.count
        load = p.shutoff_power + (1 - p.shutoff_power) * np.divide(each, speeds, out=np.zeros_like(each), where=speeds > 0)
        power = (full * speeds**p.power_exponent * load * fed).sum(axis=1)
        total = np.asarray(sum(flow.sum(axis=1) for by_name in branch for flow in by_name.values()))
        return Flows(row, branch, plate, total, power, speeds.max(axis=1), pressure)


def held_speed(short: Callable[[float], float], least: float) -> float:
    """Speed at which `short`, which grows with speed, is 0; the end of [least, 1] where it is nowhere."""
    from scipy.optimize import brentq

    if short(1.0) <= 0:
        return 1.0
    return least if short(least) >= 0 else float(brentq(short, least, 1.0, xtol=1e-12, rtol=1e-12))


def _alike(flow: Floats) -> Floats:
    """Flows of trays, ``(row, tray)``: those that differ by the solver's tolerance alone made equal."""
    mean = flow.mean(axis=1, keepdims=True)
    return np.where(np.all(np.abs(flow - mean) <= 1e-7 * np.abs(mean), axis=1, keepdims=True), mean, flow)

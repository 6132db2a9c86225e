"""From components to one compiled thermal network.

    C_i dT_i/dt = q_i + sum_j G_ij (T_j - T_i) + sum_(u->i) w_ui (T_u - T_i)

Servers of one kind form a `Group`: one topology, numbers of their own; nodes that all servers share are the border.
A component is any object that adds nodes [J/K], conductances [W/K], one-way streams [W/K] and sources [W] to a group.

What varies is a *signal* (a series over time, a controller's output, a law of another signal); what links nodes is a
*coefficient* ``scale * law(signal) * times``. Signs: heat into a node is positive, a stream runs from tail to head.
Temperatures inside are the rise above `reference` [K], so that a balance of large flows does not drown in round-off.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo._kernels import network as _engine
from thermo.errors import ScenarioError

__all__ = ["Chip", "Coefficient", "Control", "Group", "Network", "Node", "Reach", "Signal", "Table", "law_table", "separated"]

Floats = NDArray[np.float64]
Node = int  # a node's number in its group, or the mark of a boundary or a shared node
SERIES, LAW, CONTROL, SUPPLY_SHARE, COMPLEMENT, CHOICE, TOTAL, CHIP_POWER, CHIP_CLOCK = range(9)  # as in ext/include/thermo/network.hpp
PI, CURVE, FIRMWARE = range(3)  # kinds of controller
LAW_ERROR = 1e-7  # relative; tables are refined to this or to LAW_POINTS
LAW_POINTS = 4097
SEPARATED_POINTS = 97  # on either axis of a function of two


@dataclass(frozen=True)
class Signal:
    """The number of a signal in its group."""

    index: int


@dataclass(frozen=True)
class Coefficient:
    """The number of a coefficient in its group."""

    index: int


@dataclass(frozen=True)
class Table:
    """A law as the engine takes it: an even grid with values and slopes per step; `error` is relative, at midpoints."""

    low: float
    step: float
    value: Floats
    slope: Floats
    error: float

    def __call__(self, x: ArrayLike) -> Floats:
        """The law between its ends, as the engine evaluates it."""
        s = (np.asarray(x, float) - self.low) / self.step
        i = np.clip(s.astype(int), 0, self.value.size - 2)
        u = s - i
        v = 1 - u
        inside = (self.value[i] * (1 + 2 * u) * v * v + self.slope[i] * u * v * v
                  + self.value[i + 1] * u * u * (1 + 2 * v) - self.slope[i + 1] * u * u * v)
        ends = np.where(u < 0, self.value[0] + s * self.slope[0],
                        self.value[-1] + (s - self.value.size + 1) * self.slope[-1])
        return np.where((u < 0) | (u > 1), ends, inside)


def law_table(function: Callable[[Floats], Floats], low: float, high: float, *, points: int = 65) -> Table:
    """`function` on [low, high] as a table, refined until its error at midpoints is 1e-7 or 4,097 points are used.

    Parameters
    ----------
    function : callable
        Takes and returns an array.
    low, high : float
        Ends of the grid, in the unit of the signal.
    points : int
        Points to begin with.
    """
    from scipy.interpolate import CubicSpline

    while True:
        grid = np.linspace(low, high, points)
        step = (high - low) / (points - 1)
        value = np.asarray(function(grid), dtype=np.float64)
        slope = np.asarray(CubicSpline(grid, value)(grid, 1), dtype=np.float64) * step
        table = Table(low, step, np.ascontiguousarray(value), np.ascontiguousarray(slope), 0.0)
        middle = grid[:-1] + 0.5 * step
        exact = np.asarray(function(middle), dtype=np.float64)
        error = float(np.max(np.abs(table(middle) - exact) / np.maximum(np.abs(exact), 1e-300)))
        if error <= LAW_ERROR or points >= LAW_POINTS:
            return Table(table.low, table.step, table.value, table.slope, error)
        points = 2 * points - 1


def separated(function: Callable[[Floats, Floats], Floats], x: tuple[float, float], y: tuple[float, float],
              error: float = 1e-6) -> list[tuple[Table, Table]]:
    """A function of two as a sum of products of laws of one, ``f(x, y) = sum u(x) v(y)``; see `Group.law_of_two`.

    Parameters
    ----------
    function : callable
        Takes arrays that broadcast. Smooth in the logarithms of both.
    x, y : tuple of float
        Ends of either axis, above 0.
    error : float
        Largest absolute error at the points, by which terms are counted.
    """
    from scipy.interpolate import CubicSpline

    at = [np.geomspace(*span, SEPARATED_POINTS) for span in (x, y)]
    value = np.asarray(function(at[0][:, None], at[1][None, :]), dtype=np.float64)
    left, weight, right = np.linalg.svd(value)
    terms = next((n for n in range(1, weight.size) if np.max(np.abs((left[:, :n] * weight[:n]) @ right[:n] - value)) <= error),
                 weight.size)

    def law(points: Floats, values: Floats) -> Table:
        spline = CubicSpline(np.log(points), values)
        return law_table(lambda z: spline(np.log(z)), float(points[0]), float(points[-1]), points=1025)

    return [(law(at[0], left[:, k] * weight[k]), law(at[1], right[k])) for k in range(terms)]


@dataclass(frozen=True)
class Reach:
    """An output beyond which no steady start is sought, where that hangs on the output of another controller."""

    law: Table
    of: int  # number of that controller


@dataclass(frozen=True)
class Control:
    """A sampled controller on the hottest of some nodes, as the engine takes it. See `thermo.cooling.control` for kinds 0 (PI)
    and 1 (a curve), `thermo.firmware` for kind 2, whose output is a clock."""

    kind: int
    period: float
    nodes: tuple[Node, ...]
    target: tuple[float, ...]  # degC, one a node
    gain: float = 0.0
    integral_gain: float = 0.0
    low: float = 0.0
    high: float = 1.0
    quantum: float = 0.0
    deadband: float = 0.0
    curve: Table | None = None
    step: float = 0.0  # of the clock, each period
    slowdown: float = math.inf  # degC of the first node, from which the clock is at most `slowed`
    slowed: float = 1.0
    shutdown: float = math.inf  # degC of the first node, at which it stops for good
    relative: Node | None = None  # a node: then targets are differences from it [K], of kinds 0 and 1
    rest_high: float | Reach | None = None  # of the output, beyond which no steady start is sought; None: `high`
    beyond_rest: str = ""  # what it means that there is none, for the refusal
    rest: float | None = None  # its output where a steady start is sought, of what has no rest of its own
    at_end: float | None = None  # its output at a start from a temperature; None: `low`, of firmware `high`


_IDENTITY = Table(0.0, 1.0, np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.0)


@dataclass(frozen=True)
class Chip:
    """A device whose power answers to its clock and its temperature, as the engine takes it. See `thermo.firmware`."""

    name: str
    node: Node  # its junction
    demand: Signal  # W at full clock and the reference temperature
    power_of_clock: Table
    clock_of_power: Table
    idle: float = 0.0  # W of the demand that clocks do not change
    cap: Signal | None = None  # W
    clock: int | None = None  # number of its controller
    lowest: float = 1.0  # clock that a cap can bring it to
    leakage: float = 0.0  # W at `reference` degC
    reference: float = 0.0
    scale: float = 1.0  # K


@dataclass
class Group:
    """Servers of one kind, being described. Made by `Network.group`."""

    network: Network
    n_server: int
    number: int
    capacity: list[Floats] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    signals: list[tuple[int, int, int, int]] = field(default_factory=list)
    columns: list[NDArray[np.int32]] = field(default_factory=list)
    coefficients: list[tuple[int, int, int]] = field(default_factory=list)
    scale: list[Floats] = field(default_factory=list)
    conductances: list[tuple[int, int, int]] = field(default_factory=list)
    streams: list[tuple[int, int, int]] = field(default_factory=list)
    exits: list[tuple[int, int, int]] = field(default_factory=list)
    sources: list[tuple[int, int]] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)
    boundaries: list[int] = field(default_factory=list)
    laws: list[Table] = field(default_factory=list)
    totals: list[tuple[list[int], list[float]]] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    record_nodes: list[Node] = field(default_factory=list)
    record_signals: list[int] = field(default_factory=list)
    _constants: dict[Hashable, Coefficient] = field(default_factory=dict)

    def _per_server(self, value: ArrayLike) -> Floats:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(value, dtype=np.float64), (self.n_server,)))

    def node(self, name: str, capacity: ArrayLike = 0.0) -> Node:
        """A new node; `capacity` [J/K] is a number or one a server, 0 for a node that is always in balance."""
        self.capacity.append(self._per_server(capacity))
        self.names.append(name)
        return len(self.names) - 1

    def boundary(self, temperature: Signal) -> Node:
        """A place whose temperature is a signal."""
        self.boundaries.append(temperature.index)
        return int(_engine.BOUNDARY) + len(self.boundaries) - 1

    def _signal(self, kind: int, first: int = -1, second: int = -1, third: int = -1,
                columns: NDArray[np.int32] | None = None) -> Signal:
        self.signals.append((kind, first, second, third))
        self.columns.append(np.full(self.n_server, -1, np.int32) if columns is None else columns)
        return Signal(len(self.signals) - 1)

    def series(self, values: ArrayLike, *, linear: bool = False) -> Signal:
        """A signal over time: a constant, ``(time,)``, or ``(time, server)``."""
        values = np.asarray(values, dtype=np.float64)
        if values.ndim == 2:
            columns = [self.network.column(values[:, v], linear) for v in range(values.shape[1])]
            return self._signal(SERIES, columns=np.array(columns, np.int32))
        column = self.network.column(values, linear)
        return self._signal(SERIES, columns=np.full(self.n_server, column, np.int32))

    def temperature_series(self, values: ArrayLike, *, linear: bool = False) -> Signal:
        """A series in degC, taken relative to the network's reference."""
        return self.series(np.asarray(values, dtype=np.float64) - self.network.reference, linear=linear)

    def law(self, table: Table) -> int:
        """Registers a law; the same table is kept once."""
        for i, known in enumerate(self.laws):
            if known is table:
                return i
        self.laws.append(table)
        return len(self.laws) - 1

    def law_signal(self, table: Table, of: Signal, times: Signal | None = None) -> Signal:
        """``table(of) * times`` as a signal."""
        return self._signal(LAW, self.law(table), of.index, -1 if times is None else times.index)

    def law_of_two(self, terms: Sequence[tuple[Table, Table]], x: Signal, y: Signal) -> Signal:
        """``sum u(x) v(y)`` of the terms that `separated` makes of a function of two."""
        return self.total([self.law_signal(v, y, self.law_signal(u, x)) for u, v in terms])

    def product(self, a: Signal, b: Signal) -> Signal:
        """``a * b``."""
        return self.law_signal(_IDENTITY, a, b)

    def control_signal(self, control: Control) -> Signal:
        """The output of a controller as a signal."""
        self.controls.append(control)
        return self._signal(CONTROL, len(self.controls) - 1)

    def control(self, control: Control) -> int:
        """Registers a controller whose output nothing takes but a chip; returns its number."""
        self.controls.append(control)
        return len(self.controls) - 1

    def chip(self, chip: Chip) -> tuple[Signal, Signal]:
        """What a chip draws [W] and the share of its full clock that it runs at, as signals."""
        self.chips.append(chip)
        number = len(self.chips) - 1
        return self._signal(CHIP_POWER, number), self._signal(CHIP_CLOCK, number)

    def supply_share(self, draw: Signal, supply: Signal) -> Signal:
        """What of this server's `draw` the `supply` that all servers share still covers, used up in order. [1]"""
        return self._signal(SUPPLY_SHARE, draw.index, supply.index)

    def complement(self, of: Signal) -> Signal:
        """``1 - of``."""
        return self._signal(COMPLEMENT, of.index)

    def choice(self, usual: Signal, other: Signal, when: Signal) -> Signal:
        """`usual` while `when` is 0, `other` while it is not."""
        return self._signal(CHOICE, usual.index, other.index, when.index)

    def total(self, signals: Sequence[Signal], weights: Sequence[float] | None = None) -> Signal:
        """Sum of `signals`, each times its weight."""
        each = [1.0] * len(signals) if weights is None else [float(w) for w in weights]
        self.totals.append(([s.index for s in signals], each))
        return self._signal(TOTAL, len(self.totals) - 1)

    def coefficient(self, scale: ArrayLike = 1.0, signal: Signal | None = None, law: Table | None = None,
                    times: Signal | None = None) -> Coefficient:
        """``scale * law(signal) * times`` [W/K]; `scale` is a number or one a server."""
        entry = (-1 if law is None else self.law(law), -1 if signal is None else signal.index,
                 -1 if times is None else times.index)
        per_server = self._per_server(scale)
        key = (entry, per_server.tobytes())
        if key not in self._constants:
            self.coefficients.append(entry)
            self.scale.append(per_server)
            self._constants[key] = Coefficient(len(self.coefficients) - 1)
        return self._constants[key]

    def conductance(self, a: Node, b: Node, value: Coefficient | ArrayLike) -> None:
        """Conducts between `a` and `b`; `b` may be a boundary or a shared node."""
        self.conductances.append((a, b, self._coefficient(value)))

    def stream(self, tail: Node, head: Node, value: Coefficient | ArrayLike) -> None:
        """Carries enthalpy from `tail` to `head`, capacity rate `value`."""
        self.streams.append((tail, head, self._coefficient(value)))

    def exit(self, tail: Node, value: Coefficient | ArrayLike) -> None:
        """A stream that leaves the system at `tail`. Inflows must equal outflows at each node: the audit finds it out."""
        self.exits.append((tail, tail, self._coefficient(value)))

    def _coefficient(self, value: Coefficient | ArrayLike) -> int:
        return (value if isinstance(value, Coefficient) else self.coefficient(value)).index

    def source(self, node: Node, power: Signal, fraction: float = 1.0) -> None:
        """Heat `fraction * power` [W] into `node`."""
        self.sources.append((node, power.index))
        self.fractions.append(fraction)

    def record(self, node: Node) -> int:
        """Keeps the temperature of `node`; returns its column in the output."""
        self.record_nodes.append(node)
        return len(self.record_nodes) - 1

    def record_signal(self, signal: Signal) -> int:
        """Keeps the interval means of `signal`; returns its column in the output."""
        self.record_signals.append(signal.index)
        return len(self.record_signals) - 1

    def build(self) -> Any:
        """The compiled group."""
        def ints(rows: list[Any], width: int) -> NDArray[np.int32]:
            return np.ascontiguousarray(np.array(rows, np.int32).reshape(-1, width))

        def table(t: Table | None) -> tuple[float, float, Floats, Floats]:
            return (0.0, 1.0, np.zeros(2), np.zeros(2)) if t is None else (t.low, t.step, t.value, t.slope)

        T0 = self.network.reference
        return _engine.Group(
            capacity=np.ascontiguousarray(np.array(self.capacity)),
            signals=ints(self.signals, 4),
            series=np.ascontiguousarray(np.array(self.columns, np.int32).reshape(len(self.signals), self.n_server)),
            coefficients=ints(self.coefficients, 3),
            scale=np.ascontiguousarray(np.array(self.scale, np.float64).reshape(len(self.coefficients), self.n_server)),
            conductances=ints(self.conductances, 3), streams=ints(self.streams, 3), exits=ints(self.exits, 3),
            sources=ints(self.sources, 2), fractions=np.array(self.fractions, np.float64),
            boundaries=np.array(self.boundaries, np.int32),
            laws=[table(t) for t in self.laws],
            totals=self.totals,
            controllers=[dict(kind=c.kind, period=c.period, gain=c.gain, integral_gain=c.integral_gain, low=c.low,
                              high=c.high, quantum=c.quantum, deadband=c.deadband, nodes=list(c.nodes),
                              target=[t - (T0 if c.relative is None else 0.0) for t in c.target],
                              relative=-1 if c.relative is None else c.relative, curve=table(c.curve), step=c.step,
                              slowdown=c.slowdown - T0, slowed=c.slowed, shutdown=c.shutdown - T0) for c in self.controls],
            chips=[dict(node=c.node, demand=c.demand.index, cap=-1 if c.cap is None else c.cap.index,
                        clock=-1 if c.clock is None else c.clock, idle=c.idle, leakage=c.leakage, reference=c.reference - T0,
                        scale=c.scale, lowest=c.lowest, power_of_clock=table(c.power_of_clock),
                        clock_of_power=table(c.clock_of_power)) for c in self.chips],
            record_nodes=np.array(self.record_nodes, np.int32), record_signals=np.array(self.record_signals, np.int32))


class Network:
    """A network being put together: groups, shared nodes, and the series that drive them.

    Parameters
    ----------
    time : array_like, shape (time,)
        Samples of all series [s], rising.
    reference : float
        Temperature that inner temperatures are counted from [degC].
    """

    def __init__(self, time: ArrayLike, *, reference: float = 0.0) -> None:
        self.time = np.ascontiguousarray(time, dtype=np.float64)
        if self.time.ndim != 1 or self.time.size < 1 or np.any(np.diff(self.time) <= 0):
            raise ScenarioError("network time must be one-dimensional and rising")
        self.reference = float(reference)
        self.groups: list[Group] = []
        self.shared_capacity: list[float] = []
        self.shared_names: list[str] = []
        self._columns: list[Floats] = []
        self._linear: list[bool] = []
        self._known: dict[Hashable, int] = {}
        self._made: tuple[list[Floats], Floats] | None = None  # the columns and their matrix, made once

    def group(self, n_server: int) -> Group:
        """A new group of `n_server` servers."""
        self.groups.append(Group(self, n_server, len(self.groups)))
        return self.groups[-1]

    def shared(self, name: str, capacity: float = 0.0) -> Node:
        """A node that all servers share."""
        self.shared_names.append(name)
        self.shared_capacity.append(float(capacity))
        return int(_engine.SHARED) + len(self.shared_names) - 1

    def shared_at(self, number: int) -> Node:
        """The shared node of that number, in the order in which they were made."""
        return int(_engine.SHARED) + number

    def column(self, values: Floats, linear: bool) -> int:
        """The column of a series; equal series are kept once."""
        values = np.asarray(values, dtype=np.float64)
        if values.ndim == 1 and values.shape != self.time.shape:
            raise ScenarioError(f"a series has {values.size} samples, the network's time has {self.time.size}")
        if not np.all(np.isfinite(values)):
            raise ScenarioError("a series has samples that are not finite")
        key = (linear, float(values)) if values.ndim == 0 else (linear, hash(values.tobytes()))
        if key in self._known and np.array_equal(self._columns[self._known[key]],
                                                 np.broadcast_to(values, self.time.shape)):
            return self._known[key]
        self._columns.append(np.broadcast_to(values, self.time.shape))
        self._linear.append(linear and values.ndim == 1)
        self._known[key] = len(self._columns) - 1
        return self._known[key]

    def series(self) -> tuple[Floats, Floats, NDArray[np.uint8]]:
        """``(time, value (time, series), linear (series,))`` as the engine takes them."""
        if self._made is None or self._made[0] is not self._columns or self._made[1].shape[1] != len(self._columns):
            value = np.empty((self.time.size, len(self._columns)))
            for j, column in enumerate(self._columns):
                value[:, j] = column
            self._made = self._columns, value
        return self.time, self._made[1], np.array(self._linear, np.uint8)

    def build(self) -> Any:
        """The compiled engine."""
        return _engine.Engine(groups=[g.build() for g in self.groups],
                              border_capacity=np.array(self.shared_capacity, np.float64),
                              record_border=np.arange(len(self.shared_names), dtype=np.int32),
                              n_series=len(self._columns))

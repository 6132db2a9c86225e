"""Flow networks: pipes, plates, quick disconnects, valves and pumps between nodes, and the flow that each of them gets.

    net = FlowNetwork()
    net.node("return", pressure=150e3)           # where the expansion vessel sits
    net.node("supply")
    net.connect("return", "supply", Pump.from_library("veroline-50-150"), CheckValve(flow_coefficient=63), name="pump")
    net.connect("supply", "return", Pipe(length=2, diameter=0.01), Resistance.from_points([3e-5], [20e3]), name="plate")
    state = net.solve(density=1024, viscosity=1.39e-3, speeds={"pump": 0.8})
    state.flow["plate"]                          # m3/s

What all share. A branch is one component or several in series, whose pressure drops add up. Flow is positive from tail to
head; a pump lifts pressure that way, and a check valve passes that way. One density [kg/m3] and one dynamic viscosity
[Pa s] hold for the network; steady, incompressible, level. Pressures are Pa, gauge or absolute as the given ones are;
volume flows m3/s. Equations and solver: ``ext/include/thermo/flow.hpp``.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from thermo._kernels import flow as _k
from thermo.errors import ConvergenceError, ScenarioError, ValidityWarning, nearest, require_between, shown
from thermo.rack import Count, Described, Identifier, NotNegative, Number, Positive, Provenance

__all__ = ["CheckValve", "Component", "FlowNetwork", "FlowState", "Pipe", "PlateChannels", "Pump", "Resistance", "Valve"]

Array = NDArray[np.float64]
Settings = Mapping[str, ArrayLike] | ArrayLike | None

WATER_DENSITY, WATER_VISCOSITY = 998.2, 1.0016e-3  # kg/m3 and Pa s at 20 degC, where catalogues test
LAMINAR_END = 2300.0  # Re up to which the channels' law is vouched for
DENSITY = (0.1, 3000.0)
VISCOSITY = (1e-6, 10.0)
BURST = 1e8  # Pa; a drop beyond it says that the flow given cannot pass
_Resistance = Annotated[Number, Field(ge=0, le=1e25, allow_inf_nan=False)]


class _Compiled(NamedTuple):
    kind: _k.Kind
    parameters: tuple[float, ...]


# ------------------------------------------------------------------------------------------------------- components

class Pipe(Described):
    """A round pipe or hose.

    Friction by Churchill (1977), laminar to rough turbulent, fully developed; fittings as `minor_loss` on ``rho v^2 / 2``.
    `count` pipes alike lie in parallel and share the flow.
    """

    length: Positive
    diameter: Annotated[Number, Field(gt=0, le=10)]
    roughness: Annotated[Number, Field(ge=0, le=0.01)] = 1.5e-6  # m, drawn tubing, smooth hose
    minor_loss: NotNegative = 0.0
    count: Annotated[Count, Field(ge=1, le=1_000_000)] = 1

    @model_validator(mode="after")
    def _smooth_enough(self) -> Self:
        if self.roughness > 0.05 * self.diameter:
            raise ValueError(f"roughness {self.roughness:g} m is more than 0.05 of the diameter {self.diameter:g} m, where "
                             "friction laws end")
        return self

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        return _Compiled(_k.Kind.PIPE, (self.length, self.diameter, self.roughness, self.minor_loss, self.count))


class Resistance(Described):
    """A part known by its pressure drop: a plate, a quick disconnect, a filter, an exchanger's side.

    ``dp = linear V mu / mu_ref + quadratic V |V| rho / rho_ref``: the laminar share follows viscosity, the other density.
    Give where it was measured as `reference_density` and `reference_viscosity` (water at 20 degC unless told).
    """

    linear: _Resistance = 0.0  # Pa s/m3
    quadratic: _Resistance = 0.0  # Pa s2/m6
    reference_density: Positive = WATER_DENSITY
    reference_viscosity: Positive = WATER_VISCOSITY

    @model_validator(mode="after")
    def _resists(self) -> Self:
        if not self.linear + self.quadratic > 0:
            raise ValueError("linear or quadratic must be above 0; leave a part without resistance out")
        return self

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        return _Compiled(_k.Kind.RESISTANCE, (self.linear, self.quadratic, self.reference_density, self.reference_viscosity))

    @classmethod
    def from_points(cls, flow: Sequence[float], pressure_drop: Sequence[float], *, density: float = WATER_DENSITY,
                    viscosity: float = WATER_VISCOSITY, linear_share: float = 0.0) -> Self:
        """The resistance through a vendor's points.

        Parameters
        ----------
        flow : sequence of float
            Flow at each point, above 0, rising. [m3/s]
        pressure_drop : sequence of float
            Drop at those flows, above 0. [Pa]
        density, viscosity : float
            Of the fluid that it was measured with. [kg/m3], [Pa s]
        linear_share : float
            With a single point only: share of its drop that goes with flow, not with its square. [1]

        Raises
        ------
        ScenarioError
            If the points are not as said, or the law misses one by more than 5 %.

        Notes
        -----
        Two coefficients, neither negative, by least squares of the relative misses.

        Examples
        --------
        >>> plate = Resistance.from_points([1e-5, 2e-5], [3000.0, 8000.0])
        >>> f"{plate.linear:.3g} Pa s/m3, {plate.quadratic:.3g} Pa s2/m6"
        '2e+08 Pa s/m3, 1e+13 Pa s2/m6'
        """
        V, dp = np.asarray(flow, dtype=np.float64), np.asarray(pressure_drop, dtype=np.float64)
        if V.ndim != 1 or V.shape != dp.shape or V.size < 1 or not (np.all(V > 0) and np.all(dp > 0) and np.all(np.isfinite(V * dp))):
            raise ScenarioError("Resistance: give one point or more, flow [m3/s] and pressure_drop [Pa] above 0, as many of one as of "
                                "the other")
        require_between("linear_share", linear_share, 0, 1, "")
        if V.size == 1:
            linear, quadratic = linear_share * dp[0] / V[0], (1 - linear_share) * dp[0] / V[0] ** 2
        else:
            if linear_share:
                raise ScenarioError(f"Resistance: linear_share is {linear_share:g}, but {V.size} points say it themselves; leave it out")
            if np.any(np.diff(V) <= 0):
                raise ScenarioError("Resistance: flow must rise from point to point")
            linear, quadratic = _two_terms(V, dp)
            miss = np.abs((linear * V + quadratic * V * V) / dp - 1)
            if miss.max() > 0.05:
                at = int(np.argmax(miss))
                raise ScenarioError(f"Resistance: no a V + b V^2 passes the points: at {V[at]:g} m3/s it misses {dp[at]:g} Pa by "
                                    f"{100 * miss[at]:.0f} %; check units, or give fewer points around the working flow")
        return cls(linear=float(linear), quadratic=float(quadratic), reference_density=density, reference_viscosity=viscosity)


def _two_terms(V: Array, dp: Array) -> tuple[float, float]:
    """Coefficients of V and V^2, neither negative, with the least squares of relative misses."""
    x, y = V / dp, V * V / dp
    xx, xy, yy, sx, sy = x @ x, x @ y, y @ y, x.sum(), y.sum()
    det = xx * yy - xy * xy
    a, b = ((sx * yy - sy * xy) / det, (sy * xx - sx * xy) / det) if det > 0 else (-1.0, -1.0)
    if a < 0 or b < 0:
        only_a, only_b = sx / xx, sy / yy
        a, b = min([(only_a, 0.0), (0.0, only_b)], key=lambda c: float(np.sum((c[0] * x + c[1] * y - 1) ** 2)))
    return float(a), float(b)


class PlateChannels(Described):
    """Rectangular channels side by side in a cold plate: laminar, developing flow.

    Apparent friction ``(f_app Re)^2 = 3.44^2 / x+ + (f Re)^2`` with Shah and London's developed ``f Re``; contraction and
    expansion at the ends by the share of free area; `port_resistance` [Pa s2/m6] for what lies before and behind the channels.
    `split`: fluid enters in the middle and leaves at both ends, so that twice the channels are half as long. Vouched for up
    to Re 2300; beyond, the state carries a warning.
    """

    channel_width: Positive
    channel_height: Positive
    fin_thickness: Positive
    length: Positive
    channel_count: Annotated[Count, Field(ge=1, le=1_000_000)]
    split: bool = False
    port_resistance: _Resistance = 0.0

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        from thermo.formulas import contraction_loss, expansion_loss

        free = self.channel_width / (self.channel_width + self.fin_thickness)
        ends = float(contraction_loss(free)) + float(expansion_loss(free))
        # port_resistance is on the plate's whole flow at 1000 kg/m3; as a loss of one of the parallel channels it is the same pressure
        area = self.channel_width * self.channel_height
        ends += self.port_resistance * (self.passages * area) ** 2 * 2 / 1000.0
        return _Compiled(_k.Kind.CHANNELS, (self.channel_width, self.channel_height, self.passage_length, self.passages, ends))

    @property
    def passages(self) -> int:
        """Channels in parallel."""
        return self.channel_count * (2 if self.split else 1)

    @property
    def passage_length(self) -> float:
        """Length that the fluid runs [m]."""
        return self.length / (2 if self.split else 1)

    def reynolds(self, flow: ArrayLike, density: float, viscosity: float) -> Array:
        """Reynolds number in the channels at a flow through the plate [m3/s]."""
        speed = np.abs(np.asarray(flow, dtype=np.float64)) / (self.passages * self.channel_width * self.channel_height)
        D_h = 2 * self.channel_width * self.channel_height / (self.channel_width + self.channel_height)
        return np.asarray(density * speed * D_h / viscosity)


class Valve(Described):
    """A control or shut-off valve: `flow_coefficient` is Kv fully open, m3/h of water at 1 bar (IEC 60534).

    Kv goes with the opening (`linear`), or as ``rangeability^(opening - 1)`` (`equal-percentage`; below 0.05 in a line to 0).
    At opening 0 it is tight. Loss is quadratic in flow, and linear where Re in the free opening is below 10; the standard's
    correction between (valve Re 10 to 10,000, thick fluids in small trims) is left out.
    """

    flow_coefficient: Positive
    characteristic: Literal["linear", "equal-percentage"] = "linear"
    rangeability: Annotated[Number, Field(gt=1, le=1000)] = 50.0

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        return _Compiled(_k.Kind.VALVE, (self.flow_coefficient, float(self.characteristic == "equal-percentage"), self.rangeability))


class CheckValve(Described):
    """A check valve: forward a valve of Kv `flow_coefficient` [m3/h at 1 bar], backward all but tight.

    `leak_share` is the flow backward at 1 bar over that forward; it keeps the pressures between tight seats defined. The
    pressure that lifts the disc is left out: count it into the flow coefficient.
    """

    flow_coefficient: Positive
    leak_share: Annotated[Number, Field(ge=1e-12, le=0.1)] = 1e-9

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        return _Compiled(_k.Kind.CHECK_VALVE, (self.flow_coefficient, self.leak_share))


class Pump(Described):
    """A centrifugal pump by its curve at rated speed, at other speeds by the affinity laws.

    Pressure goes with speed^2 at flow with speed, power with speed^3, both with density; viscosity is not corrected for.
    Power is the one that the curve gives (`curve_power`, electric), or hydraulic power over `efficiency`, or unknown (nan).
    Losses of a drive that grow at part speed are in neither. Beyond the last point the pressure falls with flow squared (the
    state carries a warning); that tail is also the resistance of a pump that stands still.
    """

    name: Identifier = "pump"
    title: str = ""
    curve_flow: tuple[NotNegative, ...] = Field(min_length=2, max_length=64)
    curve_pressure: tuple[NotNegative, ...] = Field(min_length=2, max_length=64)
    curve_power: tuple[NotNegative, ...] | None = Field(default=None, max_length=64)
    efficiency: Annotated[Number, Field(gt=0, le=1)] | None = None
    reference_density: Positive = WATER_DENSITY
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _curve_falls(self) -> Self:
        flow, pressure, power = self.curve_flow, self.curve_pressure, self.curve_power
        if len(flow) != len(pressure) or (power is not None and len(power) != len(flow)):
            raise ValueError("curve_flow, curve_pressure and curve_power need the same number of points")
        if any(b <= a for a, b in zip(flow, flow[1:], strict=False)):
            raise ValueError("curve_flow must rise from point to point")
        if any(b > a for a, b in zip(pressure, pressure[1:], strict=False)) or not pressure[-1] < pressure[0]:
            raise ValueError("curve_pressure must fall with flow; where a curve first rises, pumps in parallel are unstable: "
                             "give that stretch as flat")
        if power is not None and self.efficiency is not None:
            raise ValueError("give curve_power or efficiency, not both")
        return self

    @classmethod
    def from_library(cls, name: str) -> Pump:
        """The library's pump of that name."""
        from thermo import library

        pump: Pump = library.load("pumps", name)
        return pump

    @property
    def compiled(self) -> _Compiled:
        """Kind and parameters for the solver."""
        return _Compiled(_k.Kind.PUMP, (self.reference_density,))

    @cached_property
    def _points(self) -> tuple[Array, Array, Array]:
        """Flow from 0, pressure, slope of pressure, falling at the end."""
        from scipy.interpolate import PchipInterpolator

        V, p = np.asarray(self.curve_flow), np.asarray(self.curve_pressure)
        if V[0] > 0:  # to shut-off on the first stretch's line
            p = np.insert(p, 0, p[0] + V[0] * (p[0] - p[1]) / (V[1] - V[0]))
            V = np.insert(V, 0, 0.0)
        slope = np.asarray(PchipInterpolator(V, p).derivative()(V)) if V.size > 2 else np.full(2, (p[1] - p[0]) / (V[1] - V[0]))
        slope = np.minimum(slope, 0.0)
        slope[-1] = min(slope[-1], -1e-3 * p[0] / V[-1])
        return V, p, slope

    @cached_property
    def _power(self) -> Callable[[Array], Array]:
        from scipy.interpolate import PchipInterpolator

        curve = PchipInterpolator(np.asarray(self.curve_flow), np.asarray(self.curve_power))
        return lambda V: np.asarray(curve(np.clip(V, self.curve_flow[0], self.curve_flow[-1])))

    def electric_power(self, flow: ArrayLike, speed: ArrayLike, density: float, hydraulic: ArrayLike) -> Array:
        """Power drawn [W] at a flow [m3/s], a speed [1] and a density [kg/m3], where it gives the power `hydraulic` [W]."""
        V, n, given = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (flow, speed, hydraulic)))
        if self.curve_power is not None:
            at = np.divide(V, n, out=np.zeros(V.shape), where=n > 0)
            return np.asarray(n**3 * self._power(at) * density / self.reference_density)
        if self.efficiency is not None:
            return np.where(n > 0, np.maximum(given, 0.0) / self.efficiency, 0.0)
        return np.where(n > 0, np.nan, 0.0)


Component = Pipe | Resistance | PlateChannels | Valve | CheckValve | Pump


# ---------------------------------------------------------------------------------------------------------- network

@dataclass(frozen=True)
class _Layout:
    """The network as the solver takes it."""

    kernel: _k.FlowNetwork
    nodes: tuple[str, ...]
    branches: tuple[str, ...]
    tail: NDArray[np.int32]
    head: NDArray[np.int32]
    components: tuple[Component, ...]
    owner: NDArray[np.int32]  # component -> branch
    pressure: Array  # [node], 0 where it is not given
    inflow: Array  # [node]
    given: NDArray[np.uint8]
    pumps: dict[str, int]  # branch name -> component
    valves: dict[str, int]
    node_at: dict[str, int]
    branch_at: dict[str, int]
    vouched: tuple[int, ...]  # components whose law has an end


class FlowNetwork:
    """Nodes and branches to be solved for flows and pressures.

    Declare nodes with `node`, of which at least one in each connected part has its pressure given; join them with `connect`;
    then `solve` once, or `sweep` over speeds and openings. A network may grow between solutions.
    """

    def __init__(self, name: str = "flow network") -> None:
        self.name = name
        self._pressure: dict[str, float | None] = {}
        self._inflow: dict[str, float] = {}
        self._branches: dict[str, tuple[str, str, tuple[Component, ...]]] = {}
        self._cache: _Layout | None = None

    def __repr__(self) -> str:
        return f"FlowNetwork({self.name!r}, {len(self._pressure)} nodes, {len(self._branches)} branches)"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, as declared."""
        return tuple(self._pressure)

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the branches, as connected."""
        return tuple(self._branches)

    def node(self, name: str, *, pressure: float | None = None, inflow: float = 0.0) -> str:
        """Declare a node; gives its name back.

        Parameters
        ----------
        name : str
            What `connect` calls it.
        pressure : float, optional
            Given pressure: an expansion vessel, a facility main. One such node alone takes or gives no flow. [Pa]
        inflow : float
            Flow that enters from outside at this node; negative leaves. [m3/s]

        Raises
        ------
        ScenarioError
            If the name is taken, a number cannot be, or pressure and inflow are both given.
        """
        if not isinstance(name, str) or not name or name in self._pressure:
            raise ScenarioError(f"{self.name}: node {shown(name)} " + ("exists already" if name in self._pressure else "needs a name"))
        if pressure is not None:
            pressure = require_between(f"{self.name}: node {name!r}: pressure", pressure, -1e7, 1e9, "Pa")
        inflow = require_between(f"{self.name}: node {name!r}: inflow", inflow, -1e3, 1e3, "m3/s")
        if pressure is not None and inflow:
            raise ScenarioError(f"{self.name}: node {name!r} has both a pressure ({pressure:g} Pa) and an inflow ({inflow:g} m3/s): "
                                "one follows from the other, give one")
        self._pressure[name], self._inflow[name] = pressure, inflow
        self._cache = None
        return name

    def connect(self, tail: str, head: str, *components: Component, name: str | None = None) -> str:
        """Join two nodes by components in series, in the order from `tail` to `head`; gives the branch's name back.

        Parameters
        ----------
        tail, head : str
            Declared nodes; flow from tail to head is positive.
        *components : Pipe, Resistance, PlateChannels, Valve, CheckValve or Pump
            One at least; of pumps and valves one at most, because speed and opening are given by branch.
        name : str, optional
            The branch's name; ``"tail>head"`` unless told.
        """
        name = f"{tail}>{head}" if name is None else name
        where = f"{self.name}: branch {name!r}"
        if not isinstance(name, str) or not name or name in self._branches:
            raise ScenarioError(f"{where} exists already; give it another name" if name in self._branches else f"{where} needs a name")
        for end in (tail, head):
            if end not in self._pressure:
                raise ScenarioError(f"{where}: no node {shown(end)}{nearest(str(end), self._pressure)}")
        if tail == head:
            raise ScenarioError(f"{where} begins and ends at node {tail!r}")
        if not components:
            raise ScenarioError(f"{where} has no component; two nodes without resistance between them are one node")
        for component in components:
            if not isinstance(component, Component):
                raise ScenarioError(f"{where}: {shown(component)} is no component, expected a Pipe, Resistance, PlateChannels, Valve, "
                                    "CheckValve or Pump")
        for kind in (Pump, Valve):
            if sum(isinstance(c, kind) for c in components) > 1:
                raise ScenarioError(f"{where} has more than one {kind.__name__}; put a node between them")
        self._branches[name] = (tail, head, tuple(components))
        self._cache = None
        return name

    def _layout(self) -> _Layout:
        if self._cache is not None:
            return self._cache
        nodes, branches = tuple(self._pressure), tuple(self._branches)
        if not branches:
            raise ScenarioError(f"{self.name} has no branch")
        at = {name: i for i, name in enumerate(nodes)}
        tail = np.array([at[self._branches[b][0]] for b in branches], np.int32)
        head = np.array([at[self._branches[b][1]] for b in branches], np.int32)
        self._all_hang_together(nodes, tail, head)
        components: list[Component] = []
        owner: list[int] = []
        curves: list[tuple[Array, Array, Array]] = []
        pumps: dict[str, int] = {}
        valves: dict[str, int] = {}
        for i, branch in enumerate(branches):
            for component in self._branches[branch][2]:
                if isinstance(component, Pump):
                    pumps[branch] = len(components)
                elif isinstance(component, Valve):
                    valves[branch] = len(components)
                components.append(component)
                owner.append(i)
        curve = np.full(len(components), -1, np.int32)
        parameters = np.zeros((len(components), _k.PARAMETERS))
        kind = np.empty(len(components), np.int32)
        for i, component in enumerate(components):
            made = component.compiled
            kind[i] = int(made.kind)
            parameters[i, : len(made.parameters)] = made.parameters
            if isinstance(component, Pump):
                curve[i] = len(curves)
                curves.append(component._points)
        given = np.array([self._pressure[n] is not None for n in nodes], np.uint8)
        owner_of = np.array(owner, np.int32)
        kernel = _k.FlowNetwork(tail=tail, head=head, given=given, kind=kind, branch=owner_of, curve=curve, parameters=parameters,
                                curves=curves)
        self._cache = _Layout(kernel, nodes, branches, tail, head, tuple(components), owner_of,
                              np.array([self._pressure[n] or 0.0 for n in nodes]), np.array([self._inflow[n] for n in nodes]), given,
                              pumps, valves, at, {b: i for i, b in enumerate(branches)},
                              tuple(i for i, c in enumerate(components) if isinstance(c, PlateChannels | Pump)))
        return self._cache

    def _all_hang_together(self, nodes: tuple[str, ...], tail: NDArray[np.int32], head: NDArray[np.int32]) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n = len(nodes)
        count, part = connected_components(coo_array((np.ones(tail.size), (tail, head)), shape=(n, n)), directed=False)
        joined = set(tail.tolist()) | set(head.tolist())
        for i, name in enumerate(nodes):
            if i not in joined:
                raise ScenarioError(f"{self.name}: node {name!r} is joined to nothing; connect it or leave it out")
        for k in range(count):
            members = [nodes[i] for i in np.flatnonzero(part == k)]
            if all(self._pressure[m] is None for m in members):
                some = ", ".join(map(repr, members[:4])) + (", ..." if len(members) > 4 else "")
                raise ScenarioError(f"{self.name}: nothing says the pressure of the part with node{'s' * (len(members) > 1)} {some}: "
                                    "give one node its pressure, where the expansion vessel sits")

    # -------------------------------------------------------------------------------------------------------- solving

    def solve(self, density: float, viscosity: float, *, speeds: Settings = None, openings: Settings = None, losses: Settings = None,
              shut: Collection[str] = (), pressures: Mapping[str, float] | None = None, inflows: Mapping[str, float] | None = None,
              start: FlowState | None = None) -> FlowState:
        """Flows and pressures of one operating point.

        Parameters
        ----------
        density, viscosity : float
            Of the fluid. [kg/m3], [Pa s]
        speeds : mapping of str to float, or float, optional
            Speed of the pump in a branch (a number: of all pumps), 0 to 1 of rated; 1 unless told. A pump at 0 is the
            resistance of its curve's tail, or shut by its check valve. [1]
        openings : mapping of str to float, or float, optional
            Opening of the valve in a branch, 0 (tight) to 1; 1 unless told. [1]
        losses : mapping of str to float, optional
            Factor on a branch's pressure drop (not its pump's): a clogged plate, a loaded filter. [1]
        shut : collection of str
            Branches that pass nothing: a quick disconnect pulled, a line blocked.
        pressures, inflows : mapping of str to float, optional
            Other values than those declared, for nodes that have them. [Pa], [m3/s]
        start : FlowState, optional
            A solution nearby to start from; saves most of the work.

        Returns
        -------
        FlowState
            Continuity holds to 1e-11 of the largest flow, each branch's pressure drop to 1e-8 of what drives the network.

        Raises
        ------
        ScenarioError
            If a name or number is wrong, a pump runs against what is shut (branches, check valves that face it) only, or a
            part of the network has no pressure.
        ConvergenceError
            If no solution was found.
        """
        state = self._run(density, viscosity, speeds, openings, losses, shut, pressures, inflows, start, ())
        for text in state.warnings:
            warnings.warn(text, ValidityWarning, stacklevel=2)
        return state

    def sweep(self, density: float, viscosity: float, *, speeds: Settings = None, openings: Settings = None, losses: Settings = None,
              shut: Collection[str] = (), pressures: Mapping[str, ArrayLike] | None = None,
              inflows: Mapping[str, ArrayLike] | None = None, start: FlowState | None = None) -> FlowState:
        """Many operating points in one call, each started from the one before.

        As `solve`, but speeds, openings, losses, pressures and inflows may be sequences of one common length (order them
        so that neighbours are alike); the arrays of the state have that first dimension. Warnings are in the state only.
        """
        given = [*_values(speeds), *_values(openings), *_values(losses), *_values(pressures), *_values(inflows)]
        lengths = {np.shape(v)[0] for v in given if np.ndim(v)}
        if len(lengths) != 1 or 0 in lengths or any(np.ndim(v) > 1 for v in given):
            raise ScenarioError(f"{self.name}: a sweep needs sequences of one length, got lengths {sorted(lengths)}")
        return self._run(density, viscosity, speeds, openings, losses, shut, pressures, inflows, start, (lengths.pop(),))

    def _run(self, density: float, viscosity: float, speeds: Settings, openings: Settings, losses: Settings, shut: Collection[str],
             pressures: Mapping[str, ArrayLike] | None, inflows: Mapping[str, ArrayLike] | None, start: FlowState | None,
             shape: tuple[int, ...]) -> FlowState:
        lay = self._layout()
        rho = require_between(f"{self.name}: density", density, *DENSITY, "kg/m3")
        mu = require_between(f"{self.name}: viscosity", viscosity, *VISCOSITY, "Pa s", "it is the dynamic one")
        n = shape[0] if shape else 1
        nb = len(lay.branches)
        setting = np.ones((n, len(lay.components)))
        loss = np.ones((n, nb))
        closed = np.zeros((n, nb), np.uint8)
        pressure, inflow = np.tile(lay.pressure, (n, 1)), np.tile(lay.inflow, (n, 1))
        self._fill(setting, speeds, lay.pumps, "speed", "branches with a pump", 0, 1)
        self._fill(setting, openings, lay.valves, "opening", "branches with a valve", 0, 1)
        self._fill(loss, losses, lay.branch_at, "loss", "branches", 1e-6, 1e9)
        known = {m: i for m, i in lay.node_at.items() if lay.given[i]}
        self._fill(pressure, pressures, known, "pressure", "nodes with a given pressure", -1e7, 1e9, "Pa")
        free = {m: i for m, i in lay.node_at.items() if not lay.given[i]}
        self._fill(inflow, inflows, free, "inflow", "nodes without a given pressure", -1e3, 1e3, "m3/s")
        for branch in (shut,) if isinstance(shut, str) else shut:
            if not isinstance(branch, str) or branch not in lay.branch_at:
                raise ScenarioError(f"{self.name}: shut: no branch {shown(branch)}{nearest(str(branch), lay.branch_at)}")
            closed[:, lay.branch_at[branch]] = 1
        flow, node_pressure, drop = np.zeros((n, nb)), np.empty((n, len(lay.nodes))), np.empty((n, len(lay.components)))
        if start is not None:
            if start._layout.branches != lay.branches:
                raise ScenarioError(f"{self.name}: start is a state of another network")
            flow[0] = start.flows.reshape(-1, nb)[-1]
        fault, case, where, steps = lay.kernel.solve(
            setting=setting, loss=loss, shut=closed, pressure=pressure, inflow=inflow, density=rho, viscosity=mu, warm=start is not None,
            flow=flow, node_pressure=node_pressure, drop=drop)
        if fault != _k.Fault.NONE:
            raise self._refusal(lay, fault, f" at point {case}" if shape else "", where, setting[case], closed[case], inflow[case], steps)
        self._nothing_bursts(lay, drop)

        def shaped(a: Array) -> Array:
            return a if shape else a[0]

        return FlowState(flows=shaped(flow), pressures=shaped(node_pressure), drops=shaped(drop), settings=shaped(setting), density=rho,
                         viscosity=mu, steps=steps, _layout=lay, _inputs=(setting, loss, closed, pressure, inflow))

    def _fill(self, into: Array, values: Settings, places: Mapping[str, int], what: str, which: str, low: float, high: float,
              unit: str = "") -> None:
        """Write the values given by name into their columns; each is checked."""
        if values is None:
            return
        pairs = values.items() if isinstance(values, Mapping) else [(name, values) for name in places]
        for name, value in pairs:
            if name not in places:
                raise ScenarioError(f"{self.name}: {what} of {shown(name)}: not one of the {which}{nearest(str(name), places)}")
            if np.ndim(value):
                array = np.asarray(value)
                if array.dtype.kind not in "fiu" or array.shape != into.shape[:1]:
                    raise ScenarioError(f"{self.name}: {what} of {name!r} is {shown(value)}, expected {into.shape[0]} number(s)"
                                        + ("; `sweep` takes sequences" if into.shape[0] == 1 else ""))
                wrong = np.flatnonzero(~((array >= low) & (array <= high)))
                if wrong.size:
                    require_between(f"{self.name}: {what} of {name!r} at point {wrong[0]}", float(array[wrong[0]]), low, high, unit)
                into[:, places[name]] = array
            else:
                hint = "is it in percent?" if not unit and high == 1 else ""
                into[:, places[name]] = require_between(f"{self.name}: {what} of {name!r}", value, low, high, unit, hint)  # type: ignore[arg-type]

    def _refusal(self, lay: _Layout, fault: _k.Fault, point: str, where: int, setting: Array, closed: NDArray[np.uint8], inflow: Array,
                 steps: int) -> ScenarioError | ConvergenceError:
        shut = [b for i, b in enumerate(lay.branches) if closed[i] or (b in lay.valves and setting[lay.valves[b]] == 0)]
        closed_ones = ", ".join(map(repr, shut[:5])) + (", ..." if len(shut) > 5 else "")
        if fault == _k.Fault.INFLOW_WITHOUT_WAY_OUT:
            return ScenarioError(f"{self.name}{point}: the inflow of {inflow[where]:g} m3/s at node {lay.nodes[where]!r} has no way out: "
                                 f"shut are {closed_ones}; open one, or take the inflow away")
        branch = lay.branches[where]
        if fault == _k.Fault.PUMP_AGAINST_SHUT:
            speed = setting[lay.pumps[branch]]
            reason = f"shut are {closed_ones}" if shut else "no loop leads through it, or only backward through a check valve"
            return ScenarioError(f"{self.name}{point}: pump {branch!r} runs at speed {speed:g} with no way from its outlet back to its "
                                 f"inlet: {reason}; open one, or stop the pump")
        if fault == _k.Fault.PUMP_WITHOUT_REFERENCE:
            return ScenarioError(f"{self.name}{point}: pump {branch!r} runs in a part of the network that shut branches ({closed_ones}) cut "
                                 "off from every given pressure; give one node of it a pressure")
        return ConvergenceError(f"{self.name}{point}: no solution after {steps} steps, the worst branch is {branch!r}; are its numbers "
                                "what was meant?")

    def _nothing_bursts(self, lay: _Layout, drop: Array) -> None:
        if np.max(np.abs(drop)) > BURST:
            case, which = np.unravel_index(np.argmax(np.abs(drop)), drop.shape)
            component, branch = lay.components[which], lay.branches[lay.owner[which]]
            back = isinstance(component, CheckValve) and drop[case, which] < 0
            raise ScenarioError(f"{self.name}: the given flows contradict {type(component).__name__} of branch {branch!r}: they would need "
                                f"{drop[case, which]:.3g} Pa across it" + (", backward; is it the wrong way round?" if back else ""))


def _values(given: Settings) -> list[Any]:
    return [] if given is None else list(given.values()) if isinstance(given, Mapping) else [given]


# ------------------------------------------------------------------------------------------------------------ state

@dataclass(frozen=True, repr=False, eq=False)
class FlowState:
    """A solved network, or a sweep of it (then everything has the points as its first dimension).

    Attributes
    ----------
    flows, pressures, drops : ndarray, shape (..., branch), (..., node), (..., component)
        As arrays, in the order of the network's `branches` and `nodes`. [m3/s], [Pa], [Pa]
        The pressure of a node that shut branches cut off from every given pressure is nan: nothing says it.
    steps : int
        Newton steps taken in all.
    """

    flows: Array
    pressures: Array
    drops: Array
    settings: Array
    density: float
    viscosity: float
    steps: int
    _layout: _Layout
    _inputs: tuple[Array, Array, NDArray[np.uint8], Array, Array] = field(repr=False)

    def __repr__(self) -> str:
        points = f"{self.flows.shape[0]} points, " if self.flows.ndim > 1 else ""
        return f"FlowState({points}{len(self._layout.branches)} branches, pumps draw {np.sum(self.pump_power):.4g} W)"

    @staticmethod
    def _by_name(names: Sequence[str], values: Array) -> dict[str, Any]:
        return {name: float(values[i]) if values.ndim == 1 else values[:, i] for i, name in enumerate(names)}

    @cached_property
    def flow(self) -> dict[str, Any]:
        """Volume flow of each branch, positive from tail to head [m3/s]."""
        return self._by_name(self._layout.branches, self.flows)

    @cached_property
    def mass_flow(self) -> dict[str, Any]:
        """Mass flow of each branch [kg/s]."""
        return self._by_name(self._layout.branches, self.density * self.flows)

    @cached_property
    def pressure(self) -> dict[str, Any]:
        """Pressure of each node [Pa]."""
        return self._by_name(self._layout.nodes, self.pressures)

    @cached_property
    def pressure_drop(self) -> dict[str, Any]:
        """Pressure lost along each branch from tail to head, negative across a pump [Pa]."""
        starts = np.searchsorted(self._layout.owner, np.arange(len(self._layout.branches)))  # components lie by branch
        total = np.add.reduceat(self.drops, starts, axis=-1)
        return self._by_name(self._layout.branches, total)

    @cached_property
    def component_drop(self) -> dict[str, tuple[Any, ...]]:
        """For each branch the drop of each of its components, in their order [Pa]."""
        out = {}
        for i, branch in enumerate(self._layout.branches):
            which = np.flatnonzero(self._layout.owner == i)
            out[branch] = tuple(float(self.drops[k]) if self.drops.ndim == 1 else self.drops[:, k] for k in which)
        return out

    @cached_property
    def dissipated(self) -> Any:
        """Power that friction turns into heat in all branches [W]."""
        passive = np.ones(self.drops.shape[-1], bool)
        passive[list(self._layout.pumps.values())] = False
        passive = passive | (self.settings == 0)  # a pump that stands still is a resistance
        total = np.sum(np.where(passive, self.drops * self.flows[..., self._layout.owner], 0.0), axis=-1)
        return float(total) if total.ndim == 0 else total

    @cached_property
    def hydraulic_power(self) -> dict[str, Any]:
        """For each branch with a pump, what it gives to the fluid: rise times flow; 0 where it stands still [W]."""
        out = {}
        for branch, k in self._layout.pumps.items():
            power = np.where(self.settings[..., k] > 0, -self.drops[..., k] * self.flows[..., self._layout.branch_at[branch]], 0.0)
            out[branch] = float(power) if power.ndim == 0 else power
        return out

    @cached_property
    def electric_power(self) -> dict[str, Any]:
        """For each branch with a pump, what it draws; nan where nothing tells [W]."""
        out = {}
        for branch, k in self._layout.pumps.items():
            pump = self._layout.components[k]
            assert isinstance(pump, Pump)
            power = pump.electric_power(self.flows[..., self._layout.branch_at[branch]], self.settings[..., k], self.density,
                                        self.hydraulic_power[branch])
            out[branch] = float(power) if power.ndim == 0 else power
        return out

    @property
    def pump_power(self) -> Any:
        """Electric power of all pumps [W]."""
        return sum(self.electric_power.values(), 0.0 if self.flows.ndim == 1 else np.zeros(self.flows.shape[0]))

    @cached_property
    def efficiency(self) -> dict[str, Any]:
        """For each branch with a pump, hydraulic over electric power; nan at rest [1]."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {b: _plain(np.where(np.asarray(P) > 0, np.asarray(self.hydraulic_power[b]) / P, np.nan))
                    for b, P in self.electric_power.items()}

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Laws used outside the range in which their source vouches for them."""
        out = []
        for k in self._layout.vouched:
            component, branch = self._layout.components[k], self._layout.branches[self._layout.owner[k]]
            flow = self.flows[..., self._layout.owner[k]]
            if isinstance(component, PlateChannels):
                Re = float(np.max(component.reynolds(flow, self.density, self.viscosity)))
                if Re > LAMINAR_END:
                    out.append(f"PlateChannels of branch {branch!r}: Re is {Re:.0f}, the laminar law is vouched for up to {LAMINAR_END:.0f}")
            elif isinstance(component, Pump):
                speed = self.settings[..., k]
                running = speed > 0
                if np.any(running & (flow > 1.001 * speed * component.curve_flow[-1])):
                    over = float(np.max(np.where(running, flow / np.where(running, speed, 1.0), 0.0)))
                    out.append(f"Pump of branch {branch!r}: {over:.4g} m3/s at rated speed is beyond its curve's end, "
                               f"{component.curve_flow[-1]:.4g} m3/s")
                if np.any(running & (flow < 1e-6 * component.curve_flow[-1])):
                    out.append(f"Pump of branch {branch!r} runs but delivers nothing: what stands against it is more than it lifts")
        return tuple(out)

    def sensitivity(self, branch: str) -> dict[str, Any]:
        """Change of every flow with the pump speed, or else the valve opening, of one branch [m3/s per 1].

        Raises
        ------
        ScenarioError
            If the branch has neither pump nor valve, or is shut.
        """
        lay = self._layout
        settable = lay.valves | lay.pumps
        if branch not in settable:
            raise ScenarioError(f"sensitivity: {shown(branch)} is no branch with a pump or a valve{nearest(str(branch), settable)}")
        setting, loss, shut, pressure, inflow = self._inputs
        element = settable[branch]
        if np.any(setting[:, element] == 0) or np.any(shut[:, lay.branch_at[branch]]):
            raise ScenarioError(f"sensitivity: branch {branch!r} is at rest or shut, where flow has no slope in its setting")
        out = np.empty(setting.shape[:1] + (len(lay.branches),))
        lay.kernel.sensitivity(setting=setting, loss=loss, shut=shut, pressure=pressure, inflow=inflow, density=self.density,
                               viscosity=self.viscosity, flow=self.flows.reshape(out.shape), element=element, out=out)
        return self._by_name(lay.branches, out if self.flows.ndim > 1 else out[0])


def _plain(value: Array) -> Any:
    return float(value) if np.ndim(value) == 0 else value

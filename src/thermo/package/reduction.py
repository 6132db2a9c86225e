r"""A package as a ladder: its step response, what stands for it, and how far that is off.

Three ladders of one response. *Foster* is fitted to it and *Cauer* is the same in another form (`thermo.package.ladder`). The third,
`NodeModel`, is not fitted: a node for each layer from the junction to the coolant, with the temperatures that the layers have at rest.
With :math:`\theta` the rise at rest per watt, :math:`\theta^*` that per watt in the junction alone with all coolant flowing backwards, and
:math:`\theta_l` the rise of the junction's column in the middle of layer `l`,

.. math:: R_l = \theta_l - \theta_{l+1}, \qquad C_l = \int_l \rho c_p\, \theta\, \theta^* \, dV \big/ \theta_l^2 ,

so that its resistance at rest is that of the cells, and so is its mean delay :math:`\int (1 - Z/R)\, dt = \sum C_l \theta_l^2 / R`: with the
transpose of `K`, :math:`\int (R - Z)\, dt = l^T K^{-1} C K^{-1} b`, and :math:`\theta^* = K^{-T} l`. What lies on the far side of the junction (a substrate) is a branch of its own.

Where conductivity changes with temperature, it is taken at one temperature: a ladder is linear.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.errors import ConvergenceError, ScenarioError, nearest, shown
from thermo.package.description import Channels, Convection, Package, as_package
from thermo.package.grid import Grid, Resolution, grid_of
from thermo.package.ladder import Cauer, Foster, cauer, fit_error, foster_fit, trace_error
from thermo.package.response import Response, respond
from thermo.package.solve import THREADS, cell_power, heat_of, solid_of
from thermo.rack import Device

__all__ = ["Coupling", "Ladder", "NodeModel", "coupling", "junction_to_case", "on_package", "reduce"]

Floats = NDArray[np.float64]
Spot = Literal["mean", "hottest"]
SPAN = (1e-3, 1e3)  # s, in which ladders are fitted and their errors stated
PER_DECADE = 40  # samples of a response
SHARP, ROUGH = 1e-9, 1e-6  # residual of the solution at rest, and of those that only span a space
MOST_ITERATIONS = 300
LEAST_BESIDE = 0.02  # of the heat that leaves beside the junction's column, from which on what lies around is a node of its own
LEAST_CASE = 1e-3  # J/K, of a case that nothing is known of: next to nothing
PERFECT = 1e7  # W/(m2 K), of a case that is held at one temperature


@dataclass(frozen=True)
class NodeModel:
    """Nodes that stand for layers; the first is the junction. `links` are resistances [K/W] between two of them, or from one to the coolant (-1)."""

    names: tuple[str, ...]
    capacity: tuple[float, ...]  # J/K
    links: tuple[tuple[int, int, float], ...]

    def lumped(self, nodes: int) -> NodeModel:
        """The same with so many nodes, or as few as it has: the quickest ones but the junction are left out one by one.

        A node that is left out gives its neighbours its capacity and links them, as the conductances to them are to each other: what is
        at rest stays as it was, and what is slow nearly so [1]_.

        .. [1] B. N. Sheehan, TICER: realizable reduction of extracted RC circuits, Proc. IEEE/ACM ICCAD, 1999, 200-203.
        """
        if nodes < 1:
            raise ScenarioError(f"nodes is {nodes}, expected 1 or more")
        G, C, names = self._conductances(), np.array(self.capacity), list(self.names)
        while len(C) > nodes:
            quick = C / G[:-1].sum(axis=1)
            quick[0] = np.inf
            i = int(np.argmin(quick))
            share = G[i] / G[i].sum()
            C = C + share[:-1] * C[i]
            G = G + np.outer(share, G[i])
            G, C = np.delete(np.delete(G, i, 0), i, 1), np.delete(C, i)
            np.fill_diagonal(G, 0.0)
            del names[i]
        n = len(C)
        links = [(i, j if j < n else -1, float(1 / G[i, j])) for i in range(n) for j in range(i + 1, n + 1) if G[i, j] > 0]
        return NodeModel(tuple(names), tuple(map(float, C)), tuple(links))

    def _conductances(self) -> Floats:
        """Between its nodes, the last of which is the coolant [W/K]."""
        n = len(self.names)
        G = np.zeros((n + 1, n + 1))
        for i, j, R in self.links:
            G[i, j] += 1 / R
            G[j, i] += 1 / R
        return G

    @property
    def foster(self) -> Foster:
        """Its step response as a sum of terms."""
        G = self._conductances()
        K = np.diag(G.sum(axis=1)) - G
        scale = np.sqrt(np.array(self.capacity))
        rate, Q = np.linalg.eigh(K[:-1, :-1] / np.outer(scale, scale))
        part = (Q[0] / scale[0]) ** 2 / rate
        seen = part > 1e-14 * part.sum()
        return Foster(tuple(part[seen]), tuple(1 / rate[seen]))


@dataclass(frozen=True)
class Ladder:
    """What `reduce` gives. Errors are the largest deviation in the span of time, over the rise at rest. [1]"""

    package: str
    junction: str  # what its temperature is: "mean of gpu", "hottest of gpu"
    power: dict[str, float]  # how a watt is shared between blocks
    foster: Foster
    cauer: Cauer
    physical: NodeModel
    error: float  # of foster and of cauer
    trace_error: float  # of both under any power between 0 and a maximum, over the rise at rest under that maximum
    physical_error: float
    response_error: float  # of the step response itself, over the rise at rest: estimated, on its cells
    time: Floats = field(repr=False, compare=False)  # s
    step: Floats = field(repr=False, compare=False)  # K/W, the step response at these
    span: tuple[float, float] = SPAN  # s

    @property
    def resistance(self) -> float:
        """Rise of the junction at rest per watt [K/W]."""
        return self.foster.total

    def rise(self, time: ArrayLike, power: ArrayLike) -> Floats:
        """Rise of the junction [K] under `power` [W], which holds from its sample to the next."""
        return self.foster.rise(time, power)


@dataclass(frozen=True)
class Coupling:
    """How blocks warm themselves and each other: ``rise[i](t) = sum over j of Z[i][j]`` under the power of block j."""

    package: str
    blocks: tuple[str, ...]
    foster: tuple[tuple[Foster, ...], ...]  # parts of a coupling may be negative, for it sets in late
    error: tuple[tuple[float, ...], ...]  # of each, over the rise at rest of the block that is heated
    time: Floats = field(repr=False, compare=False)  # s
    step: Floats = field(repr=False, compare=False)  # K/W [i, j, time]

    @property
    def resistance(self) -> Floats:
        """Rise of each block at rest per watt in each block [K/W]; symmetric where no coolant carries heat from one to another."""
        return np.array([[f.total for f in row] for row in self.foster])

    def rise(self, time: ArrayLike, power: ArrayLike) -> Floats:
        """Rise of every block [K] under `power` [W], shape (time, block), which holds from its sample to the next."""
        P = np.asarray(power, dtype=np.float64)
        if P.ndim != 2 or P.shape[1] != len(self.blocks):
            raise ScenarioError(f"power has shape {P.shape}, expected (time, {len(self.blocks)}), a column for each of {', '.join(self.blocks)}")
        return np.stack([np.sum([f.rise(time, P[:, j]) for j, f in enumerate(row)], axis=0) for row in self.foster], axis=1)


# ------------------------------------------------------------------------------------------------------------- ladders

def reduce(package: Package | str, nodes: int = 4, *, power: Any = None, junction: str | None = None, spot: Spot = "mean",
           span: tuple[float, float] = SPAN, resolution: Resolution | None = None, temperature: float = 60.0, parts: int = 1, weighed: bool = True) -> Ladder:
    """The ladder of a package from its junction to what cools it.

    Parameters
    ----------
    package : Package or str
        What is reduced, or its name in the library.
    nodes : int
        Of the Foster and the Cauer ladder. Four are within 2 % of the rise at rest at every time, for packages as they are built.
    power : optional
        How heat is shared between blocks, as `thermo.package.solve_steady` takes it; None: as their nominal powers.
    junction : str, optional
        The block whose temperature is meant; None: the one with the most power.
    spot : {"mean", "hottest"}
        Its mean temperature, or that of the place that is hottest at rest.
    span : (float, float)
        Times from and to which the ladder is fitted. [s]
    resolution : Resolution, optional
        How fine the grid is.
    temperature : float
        At which conductivities that change with it are taken. [degC]
    parts : int
        Slabs of each layer that have a node of their own in `physical`; ``physical.lumped(4)`` has as few as that.
    weighed : bool
        Whether capacities of `physical` are weighed with temperatures as above, which keeps the mean delay, or those of the material above
        and below the junction's block, which keeps what is stored where all of it is as warm.

    Examples
    --------
    >>> from thermo.package import reduce
    >>> ladder = reduce("h100-sxm")
    >>> ladder.error < 0.02
    True
    """
    package = as_package(package)
    _require_span(span)
    heat = heat_of(package, power)
    watts = sum(h.watts for h in heat.values())
    if not watts > 0:
        raise ScenarioError(f"power: package {package.name} is heated with {watts:g} W, expected above 0 W")
    name = junction or max(heat, key=lambda n: heat[n].watts)
    if name not in package.places:
        raise ScenarioError(f"junction: package {package.name} has no block {shown(name)}{nearest(str(name), package.places)}")
    cells = _Cells(package, resolution, temperature)
    b = cell_power(cells.grid, heat) / watts
    rest = cells.solve(0.0, b.ravel()).reshape(b.shape)
    column, at = _column(cells.grid, rest, name, spot)
    response = cells.respond(b.reshape(1, -1), at.reshape(1, -1), span)
    time = _times(span)
    step, total = response.step(time)[0, 0], float(response.total[0, 0])
    fit = foster_fit(time, step, nodes, total=total)
    weights = cells.backwards(at.ravel()).reshape(b.shape) if weighed else None
    physical = _node_model(cells.grid, rest, cells.capacity.reshape(b.shape), weights, name, column, total, parts)
    return Ladder(package.name, f"{spot} of {name}", {n: h.watts / watts for n, h in heat.items()}, fit, cauer(fit), physical,
                  fit_error(fit, time, step, total), trace_error(fit, time, step, total), fit_error(physical.foster, time, step, total),
                  response.error / total, time, step, span)


def coupling(package: Package | str, nodes: int = 4, *, blocks: Sequence[str] | None = None, span: tuple[float, float] = SPAN,
             resolution: Resolution | None = None, temperature: float = 60.0) -> Coupling:
    """Step responses of blocks to their own and to each other's power, each block's mean temperature, and their ladders.

    Parameters
    ----------
    package, nodes, span, resolution, temperature :
        As of `reduce`.
    blocks : sequence of str, optional
        Blocks or places; None: the blocks that have a nominal power.
    """
    package = as_package(package)
    _require_span(span)
    names = tuple(package.power if blocks is None else blocks)
    if not names:
        raise ScenarioError(f"blocks: none of package {package.name}'s blocks has a nominal power; name some")
    cells = _Cells(package, resolution, temperature)
    b = np.array([cell_power(cells.grid, heat_of(package, {name: 1.0})).ravel() for name in names])
    response = cells.respond(b, b, span)
    time = _times(span)
    step, total = response.step(time), response.total
    ladders, errors = [], []
    for i in range(len(names)):
        ladders.append(tuple(foster_fit(time, step[i, j], nodes, total=float(total[i, j]), signed=i != j) for j in range(len(names))))
        errors.append(tuple(fit_error(f, time, step[i, j], float(total[j, j])) for j, f in enumerate(ladders[-1])))
    return Coupling(package.name, names, tuple(ladders), tuple(errors), time, step)


def junction_to_case(package: Package | str, nodes: int = 4, *, junction: str | None = None, **more: Any) -> Ladder:
    """The ladder of a package from a block to the case, held at one temperature: what a device in a rack stands on its sink with.

    Heat is made in the block alone. `physical` has so many nodes, one a layer and the quickest left out, with the capacities of the block's column: as
    the case warms, they take up what is there. The last nodes of the Cauer ladder would not: poor conductors behind the junction are in it as
    many times their capacity behind its end.

    Parameters
    ----------
    package, nodes, junction :
        As of `reduce`.
    more :
        `span`, `resolution`, `temperature` of `reduce`.
    """
    whole = _up_to_case(as_package(package))
    name = junction or max(heat := heat_of(whole), key=lambda n: heat[n].watts)
    ladder = reduce(whole, nodes, power={name: 1.0}, junction=name, weighed=False, **more)
    physical = ladder.physical.lumped(nodes)
    return replace(ladder, physical=physical, physical_error=fit_error(physical.foster, ladder.time, ladder.step, ladder.resistance))


def on_package(device: Device | str, package: Package | str, nodes: int = 4, **more: Any) -> Device:
    """A device whose ladder from junction to case is that of a package: die and what lies behind it.

    What the device says of its case, its memory and its interface to the sink stays.

    Parameters
    ----------
    device : Device or str
        The device, or its name in the library.
    package, nodes, more :
        As of `junction_to_case`.

    Examples
    --------
    >>> from thermo.package import on_package
    >>> on_package("h100-sxm5", "h100-sxm").package
    'h100-sxm'
    """
    device = Device.from_library(device) if isinstance(device, str) else device
    package = as_package(package)
    found = junction_to_case(package, nodes, **more)
    model = found.physical
    tail, head, resistance = zip(*model.links, strict=True)
    return device.replace(package=package.name, junction_capacity=model.capacity[0], junction_resistance=found.resistance,
                          case_capacity=device.case_capacity or LEAST_CASE, ladder_capacity=model.capacity, ladder_from=tail, ladder_to=head,
                          ladder_resistance=resistance)


def _up_to_case(package: Package) -> Package:
    """The package up to its case, whose face is held at one temperature."""
    if package.case is None:
        raise ScenarioError(f"package {package.name} does not say what its case is: give it case='name of a layer', whose upper face is meant")
    names = [layer.name for layer in package.layers]
    return package.replace(layers=package.layers[:names.index(package.case) + 1],
                           convection=(Convection(face="top", coefficient=PERFECT, temperature=25.0),))


# --------------------------------------------------------------------------------------------------------------- cells

class _Cells:
    """A package on its grid, ready to be solved. Fields are flat here."""

    def __init__(self, package: Package, resolution: Resolution | None, temperature: float) -> None:
        grid = grid_of(package, resolution)
        self.grid: Grid = replace(grid, materials=tuple(m.at(temperature) for m in grid.materials))
        C = np.array([0.0, *(m.heat_capacity for m in self.grid.materials)])
        self.capacity: Floats = (C[self.grid.material] * self.grid.volume).ravel()
        self.coolant = self.grid.coolant(sum(package.power.values()))
        self.solid = solid_of(self.grid, self.coolant)

    def solve(self, shift: float, b: Floats) -> Floats:
        return self._solved(self.solid, shift, b)

    def backwards(self, b: Floats) -> Floats:
        """At rest, with all coolant flowing the other way: the transpose of `K`."""
        if self.coolant is None:
            return self.solve(0.0, b)
        return self._solved(solid_of(self.grid, replace(self.coolant, capacity_rate=-self.coolant.capacity_rate)), 0.0, b)

    def _solved(self, solid: Any, shift: float, b: Floats) -> Floats:
        x = np.zeros(self.grid.shape)
        done = solid.solve(shift=shift, b=b.reshape(self.grid.shape), tolerance=ROUGH if shift else SHARP, enough=0.0, iterations=MOST_ITERATIONS,
                           threads=THREADS, x=x)
        if not done["residual"] <= 2 * done["goal"]:
            raise ConvergenceError(f"field at shift {shift:g} 1/s: residual {done['residual']:.2g} W after {done['iterations']} cycles, expected "
                                   f"{done['goal']:.2g} W; are conductivities or thicknesses very unlike each other?")
        return np.nan_to_num(x).ravel()

    def apply(self, x: Floats) -> Floats:
        out = np.zeros(self.grid.shape)
        self.solid.apply(x.reshape(self.grid.shape), threads=THREADS, out=out)
        return out.ravel()

    def respond(self, inputs: Floats, outputs: Floats, span: tuple[float, float]) -> Response:
        return respond(self.solve, self.apply, self.capacity, inputs, outputs, quickest=span[0] / 10, slowest=span[1])


def _require_span(span: tuple[float, float]) -> None:
    if not 1e-7 <= span[0] < span[1] / 10 <= 1e8:
        raise ScenarioError(f"span is {shown(span)} s, expected two times from 1e-7 s, the second at least ten times the first")


def _times(span: tuple[float, float]) -> Floats:
    return np.geomspace(span[0] / 10, span[1], round(PER_DECADE * np.log10(10 * span[1] / span[0])) + 1)


def _column(grid: Grid, rest: Floats, name: str, spot: str) -> tuple[Floats, Floats]:
    """The junction's column, as weights of cells in the plane that sum to one, and the weights of cells that are the junction."""
    s, area = grid.spans[name], np.diff(grid.y)[:, None] * np.diff(grid.x)
    column, at = np.zeros(grid.shape[1:]), np.zeros(grid.shape)
    if spot == "mean":
        column[s.y, s.x] = area[s.y, s.x]
        at[s.box] = grid.volume[s.box]
    elif spot == "hottest":
        k, j, i = np.unravel_index(int(np.argmax(rest[s.box])), rest[s.box].shape)
        column[s.y.start + j, s.x.start + i] = 1.0
        at[s.z.start + k, s.y.start + j, s.x.start + i] = 1.0
    else:
        raise ScenarioError(f"spot is {shown(spot)}, expected 'mean' or 'hottest'")
    return column / column.sum(), at / at.sum()


def _node_model(grid: Grid, rest: Floats, capacity: Floats, backwards: Floats | None, name: str, column: Floats, total: float, parts: int) -> NodeModel:
    """Nodes on the junction's way to the coolant, one for what lies around the last of them, and nodes behind the junction.

    `backwards`: theta*, by which capacities are weighed; None: they are those of the material above and below the junction's block.
    """
    layers = grid.package.layers
    first = next(n for n, layer in enumerate(layers) if layer is grid.package.places[name][0])
    last = next((n for n in range(first, len(layers)) if isinstance(layers[n], Channels)), len(layers) - 1)
    dz, s = np.diff(grid.z)[:, None, None], grid.spans[name]
    own = np.zeros(grid.shape[1:], dtype=bool)
    own[s.y, s.x] = True

    def held(k: slice, level: float, where: Any = ...) -> float:
        if backwards is None:
            return float(capacity[k][:, own].sum())
        return float((capacity[k] * rest[k] * backwards[k])[:, where].sum()) / level**2

    inside = np.where(grid.material > 0, column, 0.0) * dz
    k = grid.planes(layers[first].name)
    names, theta, C, links = [layers[first].name], [total], [held(k, total)], []
    for n in range(first + 1, len(layers)):
        for part in _slabs(grid, layers[n].name, parts):
            weight = float(inside[part].sum())
            level = float((inside[part] * rest[part]).sum()) / weight if weight else 0.0
            if n > last or not 0 < level < theta[-1] * (1 - 1e-9):
                C[-1] += held(part, theta[-1])  # what heat does not pass goes with what is before it
                continue
            k = part
            links.append((len(names) - 1, len(names), theta[-1] - level))
            names.append(layers[n].name)
            theta.append(level)
            C.append(held(part, level))
    end = len(names) - 1
    area = np.diff(grid.y)[:, None] * np.diff(grid.x)
    heat = (np.where(grid.material[k] > 0, rest[k], 0.0) * dz[k]).sum(axis=0) * area  # goes out as temperatures are: films are taken as even
    beside = float(heat[~own].sum() / heat.sum())
    around = 0.0
    if backwards is not None and end > 0 and beside > LEAST_BESIDE:
        weighed = (capacity[k] * backwards[k])[:, ~own]  # by what is stored: most of it is near
        around = float((weighed * rest[k][:, ~own]).sum() / max(weighed.sum(), 1e-300))
    if 0 < around < theta[-1]:
        links += [(end, -1, theta[-1] / (1 - beside)), (end, end + 1, (theta[-1] - around) / beside), (end + 1, -1, around / beside)]
        names.append(f"around {names[-1]}")
        C.append(held(k, around, ~own))
        C[end] -= C[-1] * around**2 / theta[-1] ** 2
    else:
        links.append((end, -1, theta[-1]))
    conductivity = np.array([0.0, *(m.conductivity[2] for m in grid.materials)])
    conducts = [float((area * conductivity[m])[own].sum()) for m in grid.material]  # W m/K
    behind, above = 0, grid.planes(layers[first].name)
    for n in range(first - 1, -1, -1):  # at rest heat hardly flows there: resistances are those of the material, from middle to middle
        for part in reversed(_slabs(grid, layers[n].name, parts)):
            if not all(conducts[i] > 0 for i in range(part.start, part.stop)):
                return NodeModel(tuple(names), tuple(C), tuple(links))
            R = sum(0.5 * float(dz[i, 0, 0]) / conducts[i] for i in range(part.start, above.stop)) + float(grid.contact[part.stop - 1]) / float(area[own].sum())
            links.append((behind, len(names), R))
            behind, above = len(names), part
            names.append(layers[n].name)
            C.append(held(part, total))
    return NodeModel(tuple(names), tuple(C), tuple(links))


def _slabs(grid: Grid, layer: str, parts: int) -> list[slice]:
    """A layer's planes of cells in at most so many slabs of much the same thickness."""
    k = grid.planes(layer)
    z = grid.z[k.start:k.stop + 1]
    cuts = np.unique(np.abs(z[:, None] - np.linspace(z[0], z[-1], parts + 1)).argmin(axis=0)) + k.start
    return [slice(int(a), int(b)) for a, b in zip(cuts, cuts[1:], strict=False)]

r"""A package as cells: a tensor grid whose lines run along every edge of every layer, block and channel.

Between lines that are given, cells grow away from small things by a bounded ratio. The size wanted at `s` is the least of the
largest size allowed and, for each thing that wants :math:`h_i` within an interval, :math:`h_i + \ln(growth) \, d_i(s)` with the distance
:math:`d_i` from it. Each interval between two given lines is cut into as many cells as :math:`\int ds / h(s)` asks for, at equal parts of
that integral. `Grid.refined` halves every cell in all three directions, which is what the error estimate of `thermo.package.solve`
compares.

A cold plate with hundreds of channels would be cut into thousands of lines that its chip does not need. So neighbours are taken
together (`Resolution.channels`), as one channel of the same width and one broad wall per group: of `m` channels, the one has the sum of
their films, flows and coolant, so that floors and walls give off what they did; the broad wall has the metal's conductivity and capacity
times its share of the volume, and the metal's own conductivity across, which is a little too low (and easier on the solver). What
is lost is how heat spreads within a group. The hottest places of five of the library's packages moved by 0.06
to 0.22 K, at most 0.7 % of the rise, against channels cut one by one: less than the `discretisation_error` that they tell, which does not
include it. On coarse grids (8 cells across) blocks moved by up to 3 % of their rise.
"""
from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from thermo._kernels import formulas as f
from thermo.cooling.plate import LiquidState
from thermo.errors import LimitError, ScenarioError, shown
from thermo.package.description import CLOSE, FACES, Channels, Convection, Material, Package, Rectangle
from thermo.rack import Count, Described, Number

__all__ = ["Coolant", "Grid", "Resolution", "grid_of", "overlap", "six"]

Floats = NDArray[np.float64]
Six = tuple[Floats, Floats, Floats, Floats, Floats, Floats]  # of the faces
MOST_CELLS = 100_000_000
BYTES_PER_CELL = 116  # the solver's, and the result's two arrays
GROUPS, TOGETHER = 16, 4  # of channels in a row, at least; channels in one, at most; where nobody asks for others
SAMPLES = 129  # of the integral within an interval: a cell's place is good to 1e-4 of its size
AXES = "xyz"


class Resolution(Described):
    """How fine the grid is. The answer is computed on it with every cell halved three ways, the error estimated from the two."""

    across: Annotated[Count, Field(ge=2, le=10_000)] = 32  # cells along the shorter side of the footprint, where nothing asks for finer ones
    block: Annotated[Count, Field(ge=1, le=1000)] = 3  # least along each side of a block
    layer: Annotated[Count, Field(ge=1, le=1000)] = 1  # least through a layer: two in what is reported
    growth: Annotated[Number, Field(ge=1.05, le=4)] = 2.0  # of neighbouring cells, before they are halved
    channels: Annotated[Count, Field(ge=1, le=2000)] | None = None  # side by side that are taken as one; 1: each alone; None: up to 4, but 16 groups remain


class Span(NamedTuple):
    """Cells [start, stop) along x, y and z."""

    x: slice
    y: slice
    z: slice

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """As an index of arrays [nz, ny, nx]."""
        return (self.z, self.y, self.x)


@dataclass(frozen=True)
class Coolant:
    """What flows in the channels of all layers of channels, in the order of the kernels."""

    axis: int  # 0: along x, 1: along y
    boxes: NDArray[np.int32]  # [n, 4]: lateral start, stop, k start, stop
    film: Floats  # W/(m2 K) [n, stations]
    capacity_rate: Floats  # W/K [n], negative where it flows towards lower indices
    capacity: Floats  # J/(m K) [n], of a length of channel
    inlet: Floats  # degC [n]
    names: tuple[str, ...]
    reynolds: float  # the largest


@dataclass(frozen=True)
class Grid:
    """Arrays of a package in the order of the kernels: [nz, ny, nx], x innermost, z from the bottom up."""

    package: Package
    x: Floats  # m, edges
    y: Floats
    z: Floats
    materials: tuple[Material, ...]  # material 0 of `material` is void, 1 the first of these
    material: NDArray[np.uint16]  # [nz, ny, nx]
    layer: NDArray[np.intp]  # [nz], of the package's layers
    contact: Floats  # K m2/W [nz - 1]
    film: Six  # W/(m2 K), in the order of FACES
    film_temperature: Six  # degC
    spans: Mapping[str, Span]  # of every place of every block
    resolution: Resolution

    @property
    def shape(self) -> tuple[int, int, int]:
        """(nz, ny, nx)."""
        return (len(self.z) - 1, len(self.y) - 1, len(self.x) - 1)

    @property
    def volume(self) -> Floats:
        """Of every cell [m3]."""
        return np.asarray(np.diff(self.z)[:, None, None] * np.diff(self.y)[:, None] * np.diff(self.x))

    def refined(self) -> Grid:
        """The same package with every cell halved in x, y and z."""
        return _on(self.package, self.resolution, *(_halved(e) for e in (self.x, self.y, self.z)))

    def planes(self, layer: str) -> slice:
        """Cells along z of a layer."""
        at = np.flatnonzero(self.layer == [one.name for one in self.package.layers].index(layer))
        return slice(int(at[0]), int(at[-1]) + 1)

    def coolant(self, power: float) -> Coolant | None:
        """The channels with the film coefficients that they have where the coolant takes up `power` [W]; None without channels.

        Properties are those half-way between inlet and outlet.
        """
        rows = [layer for layer in self.package.layers if isinstance(layer, Channels)]
        if not rows:
            return None
        if len({row.along_x for row in rows}) > 1:
            raise ScenarioError(f"package {self.package.name}: layers {rows[0].name!r} and others carry coolant along x and along y; "
                                "turn one of them, all channels of a package run along one axis")
        parts = [self._row(row, power / len(rows)) for row in rows]
        boxes, film, rate, capacity, inlet = (np.concatenate([p[k] for p in parts]) for k in range(5))
        return Coolant(0 if rows[0].along_x else 1, boxes.astype(np.int32), film, rate, capacity, inlet, tuple(n for p in parts for n in p[5]),
                       max(p[6] for p in parts))

    def _row(self, row: Channels, power: float) -> tuple[Floats, Floats, Floats, Floats, Floats, list[str], float]:
        n, cold = row.channel_count, LiquidState.at(row.fluid, row.inlet_temperature)
        w = row.flow * cold.density * cold.heat_capacity
        mean = min(row.inlet_temperature + 0.5 * max(power, 0.0) / w, row.fluid.highest_temperature)
        liquid = LiquidState.at(row.fluid, mean)
        m_dot = row.flow * cold.density * row.shares
        across, along = (self.y, self.x) if row.along_x else (self.x, self.y)
        r = self.package.outline(row)
        middle, ends = (0.5 * (r[2] + r[3]), r[:2]) if row.along_x else (0.5 * (r[0] + r[1]), r[2:])
        first = _groups(self.package, row, self.resolution)
        left, k = middle + _lefts(row, first), self.planes(row.name)
        m = len(left)
        boxes = np.column_stack([_index(across, left), _index(across, left + row.channel_width), np.full(m, k.start), np.full(m, k.stop)])
        a, b = row.channel_width, row.thickness
        D_h, aspect = 2 * a * b / (a + b), min(a, b) / max(a, b)
        Re = m_dot * D_h / (a * b * liquid.viscosity)
        forward = row.direction.startswith("+")
        # from the edge where coolant enters; outside the outline nothing is wetted
        s = np.clip(along - ends[0] if forward else (ends[1] - along)[::-1], 0.0, ends[1] - ends[0])
        mean_to = np.zeros((n, len(s)))
        mean_to[:, 1:] = s[1:] * np.where(s[1:] > 0, f.nusselt_duct(Re[:, None], liquid.prandtl, aspect, D_h, np.maximum(s[1:], 1e-9)), 0.0)
        length = np.diff(s)
        Nu = np.diff(mean_to, axis=1) / np.where(length > 0, length, 1.0)
        film = np.where(length > 0, Nu * liquid.conductivity / D_h, 0.0)
        film = film if forward else film[:, ::-1]
        film = np.ascontiguousarray(np.add.reduceat(film, first[:-1]), dtype=np.float64)
        rate = np.asarray(np.add.reduceat(m_dot * liquid.heat_capacity, first[:-1]), dtype=np.float64)
        names = [f"{row.name}.{i}" if j == i + 1 else f"{row.name}.{i}-{j - 1}" for i, j in zip(first, first[1:], strict=False)]
        return (boxes, film, rate if forward else -rate, np.diff(first) * liquid.density * liquid.heat_capacity * a * b,
                np.full(m, row.inlet_temperature), names if n > 1 else [row.name], float(Re.max()))


def grid_of(package: Package, resolution: Resolution | None = None, *, halvings: int = 0) -> Grid:
    """The cells of a package.

    Parameters
    ----------
    package : Package
        What is to be cut.
    resolution : Resolution, optional
        How fine.
    halvings : int
        How often every cell will be halved afterwards: counted in the check of the size. [1]

    Raises
    ------
    LimitError
        If the grid would have more than 100 million cells, or more than fit into the memory that is free; nothing was allocated then.
    """
    resolution = Resolution() if resolution is None else resolution
    if not isinstance(resolution, Resolution):
        raise ScenarioError(f"resolution is {shown(resolution)}: expected a thermo.package.Resolution, such as Resolution(across=64)")
    edges = _lines(package, resolution)
    cells = math.prod(len(e) - 1 for e in edges) * 8**halvings
    free = _free_memory()
    if cells > MOST_CELLS or cells * BYTES_PER_CELL > free:
        shape = " x ".join(f"{(len(e) - 1) * 2**halvings}" for e in edges)
        limit = f"{MOST_CELLS:.0e} cells" if cells > MOST_CELLS else f"{free / 1e9:.2g} GB of memory that are free"
        raise LimitError(f"package {package.name}: {shape} cells take some {cells * BYTES_PER_CELL / 1e9:.3g} GB, the limit is {limit}; "
                         f"lower the resolution (across={resolution.across}, block={resolution.block}, layer={resolution.layer}), "
                         "or leave out details that are much smaller than the rest")
    return _on(package, resolution, *edges)


def overlap(edges: Floats, low: float, high: float, parts: int) -> Floats:
    """Share of each of `parts` equal parts of [low, high] that lies in each cell; rows are cells, columns parts. [1]"""
    marks = np.linspace(low, high, parts + 1)
    inside = np.minimum(edges[1:, None], marks[None, 1:]) - np.maximum(edges[:-1, None], marks[None, :-1])
    return np.asarray(np.maximum(inside, 0.0) * parts / (high - low))


# ------------------------------------------------------------------------------------------------------------- lines

def _lines(package: Package, resolution: Resolution) -> tuple[Floats, Floats, Floats]:
    """Edges of the cells along x, y and z."""
    wanted: tuple[list[tuple[float, float, float]], ...] = ([], [])  # (low, high, size of cell) along x and y
    narrow: tuple[list[float], ...] = ([], [])  # middles of channels that stand for several: what is beside them need not be as fine
    size = min(package.width, package.length) / resolution.across

    def asked(r: Rectangle, cells: float) -> None:
        for axis in (0, 1):
            low, high = r[2 * axis], r[2 * axis + 1]
            wanted[axis].append((low, high, min(size, (high - low) / cells)))

    for layer in package.layers:
        asked(package.outline(layer), 1)
        if isinstance(layer, Channels):
            r = package.outline(layer)
            a, axis = (0.5 * (r[2] + r[3]), 1) if layer.along_x else (0.5 * (r[0] + r[1]), 0)
            first = _groups(package, layer, resolution)
            left = a + _lefts(layer, first)
            walls = [(a - layer.row / 2, left[0]), *zip(left[:-1] + layer.channel_width, left[1:], strict=True), (left[-1] + layer.channel_width, a + layer.row / 2)]
            wanted[axis].extend((low, low + layer.channel_width, min(size, layer.channel_width)) for low in left)
            wanted[axis].extend((low, high, min(size, high - low)) for low, high in walls if high - low > CLOSE)
            if len(left) < layer.channel_count:
                narrow[axis].extend(left + 0.5 * layer.channel_width)
        else:
            for block in layer.blocks:
                for r in block.places.values():
                    asked(r, resolution.block)
    edges = []
    for axis, (low, high) in enumerate((package.footprint[:2], package.footprint[2:])):
        edges.append(_graded(low, high, wanted[axis], size, resolution.growth, narrow[axis]))
    z = np.concatenate([[0.0], np.cumsum([layer.thickness for layer in package.layers])])
    tall = [(a, b, min(size, (b - a) / resolution.layer)) for a, b in zip(z, z[1:], strict=False)]
    return edges[0], edges[1], _graded(0.0, float(z[-1]), tall, size, resolution.growth)


def _graded(low: float, high: float, wanted: Iterable[tuple[float, float, float]], largest: float, growth: float, alone: Iterable[float] = ()) -> Floats:
    """Edges from `low` to `high` along every end of what is wanted, cells growing away from small ones but those in which `alone` lies."""
    wanted = list(wanted)
    marks = np.unique(np.clip([low, high, *(w[0] for w in wanted), *(w[1] for w in wanted)], low, high))
    marks = marks[np.concatenate([[True], np.diff(marks) > CLOSE])]
    marks[-1] = high
    length, slope = np.diff(marks), math.log(growth)
    size = np.minimum(largest, length)
    starts = np.searchsorted(marks, [w[0] + CLOSE for w in wanted]) - 1
    stops = np.searchsorted(marks, [w[1] - CLOSE for w in wanted])
    for (_, _, h), i, j in zip(wanted, starts, stops, strict=True):
        size[max(i, 0):j] = np.minimum(size[max(i, 0):j], h)
    felt = size.copy()
    felt[np.searchsorted(marks, list(alone)) - 1] = largest
    at = np.minimum(np.append(felt, np.inf), np.insert(felt, 0, np.inf))  # at the marks
    for i, step in enumerate(length):
        at[i + 1] = min(at[i + 1], at[i] + slope * step)
    for i in range(len(length) - 1, -1, -1):
        at[i] = min(at[i], at[i + 1] + slope * length[i])
    s = np.linspace(0.0, 1.0, SAMPLES)
    edges = [marks[:1]]
    for i, step in enumerate(length):
        h = np.minimum(np.minimum(at[i] + slope * s * step, at[i + 1] + slope * (1 - s) * step), size[i])
        total = np.concatenate([[0.0], np.cumsum(0.5 * (1 / h[1:] + 1 / h[:-1]) * step / (SAMPLES - 1))])
        n = max(math.ceil(total[-1] - 1e-6), 1)
        inner = np.interp(np.arange(1, n) / n * total[-1], total, s)
        edges.append(np.append(marks[i] + step * inner, marks[i + 1]))
    return np.concatenate(edges)


def _halved(edges: Floats) -> Floats:
    out = np.empty(2 * len(edges) - 1)
    out[::2], out[1::2] = edges, 0.5 * (edges[1:] + edges[:-1])
    return out


def _free_memory() -> float:
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", encoding="ascii") as lines:
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return 8e9  # not told by this system


# ------------------------------------------------------------------------------------------------------------- cells

def _index(edges: Floats, at: NDArray[Any]) -> NDArray[np.intp]:
    """Index of the edges nearest to places."""
    return np.searchsorted(0.5 * (edges[1:] + edges[:-1]), at)


def _span(r: Rectangle, x: Floats, y: Floats, k: slice) -> Span:
    i, j = _index(x, np.array(r[:2])), _index(y, np.array(r[2:]))
    return Span(slice(int(i[0]), int(i[1])), slice(int(j[0]), int(j[1])), k)


def _on(package: Package, resolution: Resolution, x: Floats, y: Floats, z: Floats) -> Grid:
    """A package on the cells between given edges, which run along all of its own."""
    top = np.cumsum([layer.thickness for layer in package.layers])
    layer_of = np.searchsorted(top, 0.5 * (z[1:] + z[:-1])).astype(np.intp)
    fins = {row.name: _broad(row, _groups(package, row, resolution)) for row in package.layers if isinstance(row, Channels)}
    materials = tuple(dict.fromkeys([*package.materials, *fins.values()]))
    number = {material: i + 1 for i, material in enumerate(materials)}
    cells = np.zeros((len(z) - 1, len(y) - 1, len(x) - 1), dtype=np.uint16)
    contact = np.zeros(len(z) - 2)
    spans: dict[str, Span] = {}
    for n, layer in enumerate(package.layers):
        at = np.flatnonzero(layer_of == n)
        k = slice(int(at[0]), int(at[-1]) + 1)
        if k.stop <= len(contact):
            contact[k.stop - 1] = layer.contact_resistance
        if layer.material is not None:
            cells[_span(package.outline(layer), x, y, k).box] = number[layer.material]
        if isinstance(layer, Channels):
            _cut(cells, layer, package.outline(layer), _groups(package, layer, resolution), number[fins[layer.name]], x, y, k)
            continue
        for block in layer.blocks:
            material = None if block.void else block.material or layer.material
            for name, r in block.places.items():
                spans[name] = _span(r, x, y, k)
                cells[spans[name].box] = 0 if material is None else number[material]
    faces = [_face(package.film(face), axis, x, y, z) for axis, face in zip((0, 0, 1, 1, 2, 2), FACES, strict=True)]
    return Grid(package, x, y, z, materials, cells, layer_of, contact, six([h for h, _ in faces]), six([T for _, T in faces]), spans, resolution)


def six(a: list[Floats]) -> Six:
    """One array for each face."""
    return (a[0], a[1], a[2], a[3], a[4], a[5])


def _groups(package: Package, row: Channels, resolution: Resolution) -> NDArray[np.intp]:
    """The first channel of each group that is taken as one, and the number of all."""
    n = row.channel_count
    together = resolution.channels
    if together is None:
        size = min(package.width, package.length) / resolution.across
        together = max(min(n // GROUPS, TOGETHER, int(size / (row.channel_width + row.fin_thickness))), 1)
    groups = -(-n // min(together, n))
    groups += n % 2 > groups % 2  # an odd number of channels has one in its middle, and so have its groups
    return np.rint(np.arange(groups + 1) * (n / groups)).astype(np.intp)


def _lefts(row: Channels, first: NDArray[np.intp]) -> Floats:
    """Low edges of the channels that stand for groups, from the middle of the row; each is in the middle of its group. [m]"""
    pitch = row.channel_width + row.fin_thickness
    return np.asarray(0.5 * (first[:-1] + first[1:] - 1) * pitch - row.row / 2)


def _broad(row: Channels, first: NDArray[np.intp]) -> Material:
    """What is between channels that stand for several: walls and coolant as one."""
    groups = len(first) - 1
    if groups == row.channel_count:
        return row.material
    share = (row.channel_count - 1) * row.fin_thickness / (row.row - groups * row.channel_width)
    axis = 1 if row.along_x else 0
    k = tuple(c if i == axis else c * share for i, c in enumerate(row.material.conductivity))
    return row.material.replace(conductivity=k, density=row.material.density * share)


def _cut(cells: NDArray[np.uint16], row: Channels, r: Rectangle, first: NDArray[np.intp], walls: int, x: Floats, y: Floats, k: slice) -> None:
    """Takes the channels out, all along the grid, and puts in what is between them, as far as the outline goes."""
    across, along = (y, x) if row.along_x else (x, y)
    middle, ends = (0.5 * (r[2] + r[3]), r[:2]) if row.along_x else (0.5 * (r[0] + r[1]), r[2:])
    box = cells[k] if row.along_x else cells[k].transpose(0, 2, 1)  # z, across, along
    a, b = _index(across, middle + np.array([-0.5, 0.5]) * row.row)
    c, d = _index(along, np.array(ends))
    box[:, a:b, c:d] = walls
    left = middle + _lefts(row, first)
    for a, b in zip(_index(across, left), _index(across, left + row.channel_width), strict=True):
        box[:, a:b] = 0


def _face(film: Convection | None, axis: int, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Coefficients and temperatures on the cells of a face; of a map, the mean over each cell, weighted so that heat is kept."""
    rows, columns = ((z, y), (z, x), (y, x))[axis]
    shape = (len(rows) - 1, len(columns) - 1)
    if film is None:
        return np.zeros(shape), np.zeros(shape)

    def spread(value: float | tuple[tuple[float, ...], ...]) -> Floats:
        m = np.asarray(value, dtype=np.float64).reshape(1, 1) if not isinstance(value, tuple) else np.asarray(value, dtype=np.float64)
        weights = [overlap(e, e[0], e[-1], n) for e, n in zip((rows, columns), m.shape, strict=True)]
        # overlap is a share of each part; of each cell, its row sums to one
        weights = [w / w.sum(axis=1, keepdims=True) for w in weights]
        return np.ascontiguousarray(weights[0] @ m @ weights[1].T)

    h = spread(film.coefficient)
    if not isinstance(film.coefficient, tuple) or not isinstance(film.temperature, tuple):
        return h, spread(film.temperature)
    m, T = np.asarray(film.coefficient), np.asarray(film.temperature)
    if m.shape != T.shape:
        raise ScenarioError(f"film on the face {film.face!r}: maps of coefficient and temperature have {m.shape} and {T.shape} entries, expected as many")
    heat = spread(tuple(map(tuple, m * T)))
    return h, np.where(h > 0, heat / np.where(h > 0, h, 1.0), spread(film.temperature))

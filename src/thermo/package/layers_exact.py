r"""Conduction in a stack of uniform layers, exactly: cosine modes in the plane, a ladder in z for each of them.

A `Stack` is a box with adiabatic sides, layers that fill it from side to side (bottom first), and a film to an ambient below and
above. Heat comes from `Rectangles` or a `PowerMap`, spread evenly through a layer or on one of its faces. Then

.. math:: T(x, y, z) = T_\infty + \sum_{m,n} e_m e_n\, a_{mn}(z) \cos\frac{m \pi x}{L_x} \cos\frac{n \pi y}{L_y},
          \qquad e_0 = 1,\; e_{m>0} = 2

and each :math:`a_{mn}` sees a stack of thin fins of its own. Four things are solved:

- `steady`, the continuum: each layer a two-port (cosh and sinh in closed form), so nothing is cut in z and the only error is
  that of ending the series. It is estimated and comes with the result. [1]_
- `steady_cells`, the finite-volume answer on a mesh, without solving a large system: its modes are cosines too. For comparing.
- `transient_cells`, the same mesh in time: each mode's column of cells is moved by its own eigenvalues, exact for power that is
  constant within intervals, however long.
- `step_response`, the continuum in the plane, cells in z that grow away from the source, at any times: Z(t) of a ladder.

Arrays are [y, x] or [z, y, x], x innermost, z upwards, all float64. Lengths in m, temperatures in degC, powers in W. Nothing here
depends on temperature: conductivities are constants.

References
----------
.. [1] Y.S. Muzychka, J.R. Culham, M.M. Yovanovich, Thermal Spreading Resistance of Eccentric Heat Sources on Rectangular Flux
   Channels, J. Electronic Packaging 125 (2003) 178-185, doi:10.1115/1.1568125 (the series; here for any number of layers).
"""
from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo._kernels import modes as kernel
from thermo.errors import ConvergenceError, LimitError, ScenarioError

__all__ = ["Cells", "CellSource", "Layer", "Place", "Plane", "PowerMap", "Rectangles", "Stack", "SteadyField", "StepResponse", "cut",
           "steady", "steady_cells", "step_response", "transient_cells"]

Array = NDArray[np.float64]
MOST_MODES = 2048  # in each direction, for `steady`: 4 million modes, a second for each plane
MOST_BYTES = 2_000_000_000  # of modes that are looked for by doubling


class Place(enum.IntEnum):
    """Where in its layer a source sits."""

    THROUGH = 0  # evenly through the thickness
    BOTTOM = 1  # on the lower face, above a contact that is there
    TOP = 2  # on the upper face, below a contact that is there


def _positive(what: str, value: float, unit: str) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ScenarioError(f"{what} is {value:g} {unit}, expected a finite number above 0")


@dataclass(frozen=True)
class Layer:
    """A uniform layer.

    Parameters
    ----------
    thickness : float
        [m]
    kx, ky, kz : float
        Conductivity along each axis. [W/(m K)]
    heat_capacity : float
        Density times specific heat; steady states do not look at it. [J/(m3 K)]
    contact : float
        Resistance between this layer and the one above it; 0 for none. [K m2/W]
    name : str
        For messages.
    """

    thickness: float
    kx: float
    ky: float
    kz: float
    heat_capacity: float = 1e6
    contact: float = 0.0
    name: str = ""

    @classmethod
    def isotropic(cls, thickness: float, k: float, heat_capacity: float = 1e6, contact: float = 0.0, name: str = "") -> Layer:
        """A layer that conducts alike in all directions."""
        return cls(thickness, k, k, k, heat_capacity, contact, name)


@dataclass(frozen=True)
class Stack:
    """Layers from the bottom up on one rectangle, sides adiabatic.

    Parameters
    ----------
    width, depth : float
        Sizes along x and y. [m]
    layers : tuple of Layer
        Bottom first.
    film_bottom, film_top : float
        Heat-transfer coefficients; 0 is adiabatic, ``inf`` holds the face at ambient. [W/(m2 K)]
    ambient_bottom, ambient_top : float
        [degC]
    """

    width: float
    depth: float
    layers: tuple[Layer, ...]
    film_bottom: float = 0.0
    film_top: float = 0.0
    ambient_bottom: float = 0.0
    ambient_top: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ScenarioError("layers is empty, expected at least one layer")
        _positive("width", self.width, "m")
        _positive("depth", self.depth, "m")
        for i, layer in enumerate(self.layers):
            where = f"layer {i}" + (f" ({layer.name})" if layer.name else "")
            _positive(f"thickness of {where}", layer.thickness, "m")
            for axis in "xyz":
                _positive(f"conductivity k{axis} of {where}", getattr(layer, "k" + axis), "W/(m K)")
            _positive(f"heat_capacity of {where}", layer.heat_capacity, "J/(m3 K)")
            if not (layer.contact >= 0 and math.isfinite(layer.contact)):
                raise ScenarioError(f"contact above {where} is {layer.contact:g} K m2/W, expected 0 or more")
        for side in ("bottom", "top"):
            if not getattr(self, f"film_{side}") >= 0:
                raise ScenarioError(f"film_{side} is {getattr(self, f'film_{side}'):g} W/(m2 K), expected 0 (adiabatic) to inf (isothermal)")
            if not math.isfinite(getattr(self, f"ambient_{side}")):
                raise ScenarioError(f"ambient_{side} is {getattr(self, f'ambient_{side}'):g} degC, expected a finite number")

    @property
    def area(self) -> float:
        """[m2]"""
        return self.width * self.depth

    def each(self, what: str) -> Array:
        """A number of every layer, bottom first."""
        return np.array([getattr(layer, what) for layer in self.layers], float)

    @property
    def reference(self) -> float:
        """Ambient that temperatures inside are counted from: the top's, or the bottom's where the top is adiabatic. [degC]"""
        return self.ambient_top if self.film_top > 0 else self.ambient_bottom

    def with_way_out(self) -> Stack:
        """Itself, refused where heat cannot leave."""
        if self.film_bottom == 0 and self.film_top == 0:
            raise ScenarioError("film_bottom and film_top are both 0 W/(m2 K): all faces are adiabatic and no steady state exists; "
                                "give one of them a film")
        return self


def _cosines(edges: Array, length: float, n: int) -> Array:
    """Mean of cos(m pi x / length) over [edges[:, 0], edges[:, 1]], shape (strip, n)."""
    m = np.arange(n)
    middle, width = edges.mean(axis=1) / length, np.diff(edges, axis=1)[:, 0] / length
    return np.cos(np.pi * np.outer(middle, m)) * np.sinc(np.outer(width, m) / 2)


def _pairs(what: str, edges: object, length: float) -> Array:
    pairs = np.atleast_2d(np.asarray(edges, float))
    slack = 1e-9 * length
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ScenarioError(f"{what} has shape {pairs.shape}, expected (n, 2): low and high edge of each")
    good = (pairs[:, 0] >= -slack) & (pairs[:, 1] <= length + slack) & (pairs[:, 1] > pairs[:, 0])
    if not good.all():
        low, high = pairs[np.argmin(good)]
        raise ScenarioError(f"{what} spans {low:g} to {high:g} m, expected 0 <= low < high <= {length:g} m")
    return pairs


@dataclass(frozen=True)
class Rectangles:
    """Rectangles with even power, in one layer; they may overlap.

    Parameters
    ----------
    layer : int
        Index of the layer, 0 is the lowest.
    x, y : array_like, shape (n, 2)
        Low and high edges. [m]
    power : array_like, shape (n,)
        [W]
    place : Place
        Through the layer, or on one of its faces.
    """

    layer: int
    x: object
    y: object
    power: object
    place: Place = Place.THROUGH

    def amplitudes(self, stack: Stack, nx: int, ny: int) -> Array:
        """Modes of the heat flux, [ny, nx]. [W/m2]"""
        x, y = _pairs("x of a rectangle", self.x, stack.width), _pairs("y of a rectangle", self.y, stack.depth)
        power = np.atleast_1d(np.asarray(self.power, float))
        if not len(x) == len(y) == power.size or not np.isfinite(power).all():
            raise ScenarioError(f"{len(x)} rectangles in x, {len(y)} in y and {power.size} powers, expected as many of each, finite")
        return (power[:, None] * _cosines(y, stack.depth, ny)).T @ _cosines(x, stack.width, nx) / stack.area


@dataclass(frozen=True)
class PowerMap:
    """An image of power, even within each pixel.

    Parameters
    ----------
    layer : int
        Index of the layer, 0 is the lowest.
    power : array_like, shape (ny, nx)
        [W] of each pixel.
    x, y : (float, float), optional
        Edges of the image; the whole stack unless told. [m]
    place : Place
        Through the layer, or on one of its faces.
    """

    layer: int
    power: object
    x: tuple[float, float] | None = None
    y: tuple[float, float] | None = None
    place: Place = Place.THROUGH

    def amplitudes(self, stack: Stack, nx: int, ny: int) -> Array:
        """Modes of the heat flux, [ny, nx]. [W/m2]"""
        power = np.asarray(self.power, float)
        if power.ndim != 2 or not np.isfinite(power).all():
            raise ScenarioError(f"power has shape {power.shape}, expected [y, x] of finite numbers in W")
        tables = []
        for what, edges, length, pixels, n in (("y", self.y, stack.depth, power.shape[0], ny), ("x", self.x, stack.width, power.shape[1], nx)):
            (low, high), = _pairs(f"{what} of a power map", edges or (0.0, length), length)
            at = np.linspace(low, high, pixels + 1)
            tables.append(_cosines(np.column_stack((at[:-1], at[1:])), length, n))
        return tables[0].T @ power @ tables[1] / stack.area


Source = Rectangles | PowerMap


@dataclass(frozen=True)
class Plane:
    """A height in the stack: `height` m above the bottom of `layer`, or the mean through the layer where None."""

    layer: int
    height: float | None = 0.0


def _in_stack(stack: Stack, layer: int, what: str) -> int:
    if not 0 <= layer < len(stack.layers):
        raise ScenarioError(f"{what} is in layer {layer}, expected 0 to {len(stack.layers) - 1}")
    return layer


def _eigenvalues(length: float, n: int) -> Array:
    return np.square(np.arange(n) * (np.pi / length))


def _folded(n: int, modes: int) -> tuple[NDArray[np.intp], Array]:
    """On n cell centres cos(m pi (i + 1/2) / n) is, for any m, one of the first n up to sign, or 0: which, and its factor."""
    m = np.arange(modes) % (4 * n)
    low = np.minimum(m, 4 * n - m)  # even about 2n ...
    index = np.minimum(low, 2 * n - low)  # ... and odd about n
    factor = np.where(low < n, 1.0, -1.0)
    factor[(index == 0) & (np.arange(modes) > 0)] *= 2  # the transform takes index 0 once, all others twice
    return np.where(index == n, 0, index), np.where(index == n, 0.0, factor)


def _raster(amplitude: Array, shape: tuple[int, int]) -> Array:
    """Values at cell centres of modes [..., ny, nx]."""
    from scipy.fft import dctn

    for axis, n in ((-1, shape[1]), (-2, shape[0])):
        modes = amplitude.shape[axis]
        if modes > n:  # the raster cannot tell these modes from lower ones
            moved = np.moveaxis(amplitude, axis, -1)
            folded = np.zeros((*moved.shape[:-1], n))
            index, factor = _folded(n, modes)
            for begin in range(0, modes, n):  # within n neighbours no index comes twice, but for those of factor 0
                part = slice(begin, min(begin + n, modes))
                folded[..., index[part]] += moved[..., part] * factor[part]
            amplitude = np.moveaxis(folded, -1, axis)
    if amplitude.shape[-2:] != shape:
        short, amplitude = amplitude, np.zeros((*amplitude.shape[:-2], *shape))
        amplitude[..., : short.shape[-2], : short.shape[-1]] = short
    return dctn(amplitude, type=3, axes=(-2, -1), workers=1)


@dataclass(frozen=True)
class SteadyField:
    """Steady temperatures of a stack.

    Attributes
    ----------
    temperature : ndarray, shape (plane, ny, nx)
        At the centres of a raster of nx by ny. [degC]
    truncation : ndarray, shape (plane,)
        Estimated largest error of it from ending the series; there is no other. [K]
    modes : int
        Modes in each direction.
    layer_mean : ndarray, shape (layer,)
        Mean of each layer's volume. [degC]
    heat_bottom, heat_top : float
        What leaves through each face. [W]
    amplitude : ndarray, shape (plane, modes, modes)
        Modes above `reference`. [K]
    """

    stack: Stack
    planes: tuple[Plane, ...]
    temperature: Array
    truncation: Array
    modes: int
    layer_mean: Array
    heat_bottom: float
    heat_top: float
    amplitude: Array = field(repr=False)

    def at(self, x: float, y: float, plane: int = 0) -> float:
        """Temperature of a point. [degC]"""
        return float(self._derivatives(x, y, plane)[0, 0]) + self.stack.reference

    def mean(self, x: tuple[float, float], y: tuple[float, float], plane: int = 0) -> float:
        """Mean over a rectangle. [degC]"""
        X = _cosines(_pairs("x", x, self.stack.width), self.stack.width, self.modes)[0]
        Y = _cosines(_pairs("y", y, self.stack.depth), self.stack.depth, self.modes)[0]
        X[1:] *= 2
        Y[1:] *= 2
        return float(Y @ self.amplitude[plane] @ X) + self.stack.reference

    def hot_spot(self, plane: int = 0) -> tuple[float, float, float]:
        """The hottest point of a plane: temperature [degC], x and y [m].

        The hottest cell centre of the raster, improved by Newton's method within its cell.
        """
        ny, nx = self.temperature.shape[1:]
        j, i = np.unravel_index(int(self.temperature[plane].argmax()), (ny, nx))
        hx, hy = self.stack.width / nx, self.stack.depth / ny
        start = x, y = (float(i) + 0.5) * hx, (float(j) + 0.5) * hy
        best = (float(self.temperature[plane, j, i]), x, y)
        for _ in range(3):
            D = self._derivatives(x, y, plane)
            if (T := float(D[0, 0]) + self.stack.reference) > best[0]:
                best = (T, x, y)
            determinant = D[0, 2] * D[2, 0] - D[1, 1] ** 2
            if not (determinant > 0 and D[0, 2] < 0):  # no maximum near
                break
            x -= float(D[2, 0] * D[0, 1] - D[1, 1] * D[1, 0]) / float(determinant)
            y -= float(D[0, 2] * D[1, 0] - D[1, 1] * D[0, 1]) / float(determinant)
            if abs(x - start[0]) > hx or abs(y - start[1]) > hy:
                break
        return best

    def _derivatives(self, x: float, y: float, plane: int) -> Array:
        """D[j, i] is the derivative i times in x and j times in y."""
        def table(at: float, length: float) -> Array:
            k = np.arange(self.modes) * np.pi / length
            c, s = np.cos(k * at), np.sin(k * at)
            c[1:] *= 2
            return np.array([c, -2 * k * s, -k * k * c])

        return np.asarray(table(y, self.stack.depth) @ self.amplitude[plane] @ table(x, self.stack.width).T)


def steady(stack: Stack, sources: Sequence[Source], planes: Sequence[Plane], *, shape: tuple[int, int] = (128, 128),
           modes: int | None = None, tolerance: float = 0.01) -> SteadyField:
    """Steady temperatures of the continuum.

    Parameters
    ----------
    stack : Stack
        At least one of its faces must let heat out.
    sources : sequence of Rectangles and PowerMap
    planes : sequence of Plane
        Where temperatures are wanted.
    shape : (int, int)
        Raster ``(ny, nx)`` of the planes. It is where the series is read, not how it is solved.
    modes : int, optional
        Modes in each direction; else doubled from 64 until `tolerance` is met.
    tolerance : float
        Wanted `SteadyField.truncation`. [K]

    Raises
    ------
    ScenarioError
        If a layer, plane or rectangle is not in the stack, or no heat can leave.
    LimitError
        If 2048 modes in each direction, or 2 GB of them on all planes, do not reach `tolerance`.

    Notes
    -----
    The error from ending the series is largest where power jumps: of order modes^-2 within a thick layer that is heated through,
    modes^-1 on a heated face or where the layer is thin beside the shortest wave. So the most that the upper half of the modes
    adds anywhere is 3 times (once) what is still missing. The estimate is twice that share of it.

    Examples
    --------
    A wall of 10 mm with k = 5 W/(m K), 100 W on its lower face of 0.1 m by 0.1 m, 1000 W/(m2 K) to 20 degC above:
    100 / 0.01 * (0.01 / 5 + 1 / 1000) = 30 K.

    >>> wall = Stack(0.1, 0.1, (Layer.isotropic(0.01, 5.0),), film_top=1000.0, ambient_top=20.0)
    >>> heat = PowerMap(0, [[100.0]], place=Place.BOTTOM)
    >>> round(steady(wall, [heat], [Plane(0)]).hot_spot()[0], 9)
    50.0
    """
    stack.with_way_out()
    for s in sources:
        _in_stack(stack, s.layer, "a source")
    for p in planes:
        thickness = stack.layers[_in_stack(stack, p.layer, "a plane")].thickness
        if p.height is not None and not -1e-12 <= p.height <= thickness * (1 + 1e-9):
            raise ScenarioError(f"a plane lies {p.height:g} m above the bottom of layer {p.layer}, expected 0 to {thickness:g} m")
    n = modes or 64
    while True:
        amplitude = _steady_modes(stack, sources, planes, n, n)
        added = np.array([np.abs(_raster(_upper(a), shape)).max() for a in amplitude])
        truncation = added * 2 / (2 ** min((_order(stack, s, n // 2) for s in sources), default=2) - 1)
        if modes or truncation.max(initial=0.0) <= tolerance:
            break
        if 2 * n > MOST_MODES or 4 * amplitude.nbytes > MOST_BYTES:
            raise LimitError(f"the series is still {truncation.max():.3g} K from its end after {n} modes in each direction, tolerance is "
                             f"{tolerance:g} K; ask for a larger tolerance, or give `modes` to take it as it is")
        n *= 2
    mean, down, up = _means(stack, sources)
    return SteadyField(stack, tuple(planes), _raster(amplitude, shape) + stack.reference, truncation, n, mean, down, up, amplitude)


def _upper(amplitude: Array) -> Array:
    """The modes of which either index is in the upper half."""
    shell = amplitude.copy()
    shell[: shell.shape[0] // 2, : shell.shape[1] // 2] = 0
    return shell


def _order(stack: Stack, source: Source, modes: int) -> int:
    """How the series converges near an edge of a source, once it has so many modes."""
    a = stack.layers[source.layer]
    slowest = min(math.sqrt(a.kx / a.kz) / stack.width, math.sqrt(a.ky / a.kz) / stack.depth) * math.pi * modes
    return 2 if source.place == Place.THROUGH and slowest * a.thickness > 2 else 1


def _steady_modes(stack: Stack, sources: Sequence[Source], planes: Sequence[Plane], nx: int, ny: int) -> Array:
    """Modes of temperature above the reference on planes, [plane, ny, nx]."""
    layers = stack.layers
    where: dict[tuple[int, int], Array] = {}
    for s in sources:
        key, flux = (s.layer, int(s.place)), s.amplitudes(stack, nx, ny)
        where[key] = where[key] + flux if key in where else flux
    apart = stack.ambient_bottom - stack.ambient_top
    lift = 0.0
    if apart and stack.film_bottom > 0 and stack.film_top > 0:  # from the top's ambient, the bottom's is a heat source
        if math.isinf(stack.film_bottom):
            lift = apart
        else:
            key = (0, int(Place.BOTTOM))
            where[key] = where[key].copy() if key in where else np.zeros((ny, nx))
            where[key][0, 0] += stack.film_bottom * apart
    out = np.empty((len(planes), ny, nx))
    kernel.steady_layers(
        lambda_x=_eigenvalues(stack.width, nx), lambda_y=_eigenvalues(stack.depth, ny),
        thickness=stack.each("thickness"), conductivity=np.array([stack.each(k) for k in ("kx", "ky", "kz")]),
        contact=stack.each("contact")[:-1].copy(), film_bottom=float(stack.film_bottom), film_top=float(stack.film_top),
        source_layer=np.array([k[0] for k in where], np.int32), source_place=np.array([k[1] for k in where], np.int32),
        flux=np.array(list(where.values())).reshape(len(where), ny, nx), output_layer=np.array([p.layer for p in planes], np.int32),
        output_height=np.array([math.nan if p.height is None else p.height for p in planes]), out=out)
    if lift:  # a held bottom face: what it adds is a straight line through the resistances
        below = np.cumsum([0.0] + [a.thickness / a.kz + a.contact for a in layers])
        whole = below[-1] - layers[-1].contact + 1 / stack.film_top
        for o, p in enumerate(planes):
            a = layers[p.layer]
            height = a.thickness / 2 if p.height is None else p.height
            out[o, 0, 0] += lift * (1 - (below[p.layer] + height / a.kz) / whole)
    return out


def _means(stack: Stack, sources: Sequence[Source]) -> tuple[Array, float, float]:
    """Mean of each layer [degC], heat out at the bottom and at the top [W]: the mode that is even in the plane."""
    last, n = stack.layers[-1], len(stack.layers)
    planes = [Plane(i, None) for i in range(n)] + [Plane(0, 0.0), Plane(n - 1, last.thickness)]
    T = _steady_modes(stack, sources, planes, 1, 1)[:, 0, 0] + stack.reference
    power = sum(float(s.amplitudes(stack, 1, 1)[0, 0]) * stack.area for s in sources)
    if math.isinf(stack.film_bottom) and math.isinf(stack.film_top):
        # between two held faces what leaves above is what the mean slope at the top carries: the heat of all sources, levered
        below = np.cumsum([0.0] + [a.thickness / a.kz + a.contact for a in stack.layers])
        whole = below[-1] - last.contact
        up = (stack.ambient_bottom - stack.ambient_top) / whole * stack.area
        for s in sources:
            a = stack.layers[s.layer]
            share = {Place.THROUGH: 0.5, Place.BOTTOM: 0.0, Place.TOP: 1.0}[s.place]
            up += float(s.amplitudes(stack, 1, 1)[0, 0]) * stack.area * (below[s.layer] + share * a.thickness / a.kz) / whole
        return T[:n], power - up, up
    if math.isinf(stack.film_top):
        down = stack.film_bottom * (T[n] - stack.ambient_bottom) * stack.area
        return T[:n], down, power - down
    up = stack.film_top * (T[n + 1] - stack.ambient_top) * stack.area
    down = power - up if math.isinf(stack.film_bottom) else stack.film_bottom * (T[n] - stack.ambient_bottom) * stack.area
    return T[:n], down, up


# ------------------------------------------------------------------------------------------------------------- cells
@dataclass(frozen=True)
class Cells:
    """A stack cut into cells in z.

    Attributes
    ----------
    dz : ndarray, shape (nz,)
        [m]
    layer : ndarray of int, shape (nz,)
        Which layer each cell is in.
    """

    stack: Stack
    dz: Array
    layer: NDArray[np.int64]

    def column(self) -> dict[str, Array | float]:
        """What the kernel takes: conductances, half a cell each side of a face and what is between, and capacities; per area."""
        s, dz = self.stack, self.dz
        kx, ky, kz, rc = (s.each(what)[self.layer] for what in ("kx", "ky", "kz", "heat_capacity"))
        half = dz / (2 * kz)
        contact = np.where(np.diff(self.layer) > 0, s.each("contact")[self.layer[:-1]], 0.0)
        bottom, top = (1 / (1 / film + h) if film > 0 else 0.0 for film, h in ((s.film_bottom, half[0]), (s.film_top, half[-1])))
        return dict(side=np.array([dz * kx, dz * ky]), up=1 / (half[:-1] + contact + half[1:]), bottom=float(bottom), top=float(top),
                    capacity=dz * rc)

    def share(self, layer: int, place: Place) -> Array:
        """How a source of `layer` falls on the cells: by volume, or on the one at the face. Sums to 1."""
        inside = np.flatnonzero(self.layer == _in_stack(self.stack, layer, "a source"))
        share = np.zeros(self.dz.size)
        if place == Place.THROUGH:
            share[inside] = self.dz[inside] / self.dz[inside].sum()
        else:
            share[inside[0 if place == Place.BOTTOM else -1]] = 1.0
        return share


def cut(stack: Stack, divisions: Sequence[int]) -> Cells:
    """Each layer cut into so many equal cells."""
    if len(divisions) != len(stack.layers) or any(n < 1 for n in divisions):
        raise ScenarioError(f"divisions are {list(divisions)!r}, expected {len(stack.layers)} whole numbers of 1 or more, one for each layer")
    layer = np.repeat(np.arange(len(stack.layers)), divisions)
    dz = (stack.each("thickness") / np.asarray(divisions))[layer]
    return Cells(stack, dz, layer)


@dataclass(frozen=True)
class CellSource:
    """Power of each cell of one source.

    Parameters
    ----------
    layer : int
        Index of the layer, 0 is the lowest.
    power : array_like, shape (ny, nx)
        [W], at full power where it varies in time.
    place : Place
        Over all cells of the layer, or those at one face.
    """

    layer: int
    power: object
    place: Place = Place.THROUGH


def _cell_door(cells: Cells, sources: Sequence[CellSource], shape: tuple[int, int]) -> dict[str, Any]:
    from scipy.fft import dctn

    stack, (ny, nx) = cells.stack, shape
    hx, hy = stack.width / nx, stack.depth / ny
    flux, share = np.zeros((len(sources), ny, nx)), np.zeros((len(sources), cells.dz.size))
    for i, s in enumerate(sources):
        power = np.asarray(s.power, float)
        if power.shape != shape or not np.isfinite(power).all():
            raise ScenarioError(f"power of a source has shape {power.shape}, expected {shape} [y, x] of finite numbers in W")
        flux[i] = dctn(power, type=2, workers=1) / (4 * stack.area)
        share[i] = cells.share(s.layer, s.place)
    return dict(lambda_x=_cell_eigenvalues(hx, nx), lambda_y=_cell_eigenvalues(hy, ny), flux=flux, share=share, **cells.column())


def _cell_eigenvalues(h: float, n: int) -> Array:
    return np.square(2 * np.sin(np.arange(n) * np.pi / (2 * n)) / h)  # (2 - 2 cos(m pi / n)) / h^2, without its cancellation


def _with_ambients(door: dict[str, Any], stack: Stack) -> bool:
    """From the reference, a bottom ambient that differs is a source in the lowest cell. Appended to `door`; whether it was needed."""
    apart = stack.ambient_bottom - stack.reference
    if not apart or stack.film_bottom == 0:
        return False
    share, flux = np.asarray(door["share"]), np.asarray(door["flux"])
    more = np.zeros((1, *flux.shape[1:]))
    more[0, 0, 0] = float(door["bottom"]) * apart
    door["flux"] = np.concatenate((flux, more))
    door["share"] = np.concatenate((share, np.eye(1, share.shape[1])))
    return True


def steady_cells(cells: Cells, sources: Sequence[CellSource], shape: tuple[int, int], at: Sequence[int] | None = None) -> Array:
    """Steady temperatures of the finite-volume mesh of `shape` (ny, nx) times ``cells.dz``.

    Harmonic means between cells, films in series with half a cell: the same matrix as the solver for any blocks.

    Returns
    -------
    temperature : ndarray, shape (len(at), ny, nx)
        Of the cell layers `at`; of all unless told. [degC]
    """
    stack = cells.stack.with_way_out()
    door = _cell_door(cells, sources, shape)
    _with_ambients(door, stack)
    wanted = np.arange(cells.dz.size) if at is None else np.asarray(at)
    out = np.empty((wanted.size, *shape))
    kernel.steady_column(cells=wanted.astype(np.int32), out=out, **door)
    return _raster(out, shape) + stack.reference


def transient_cells(cells: Cells, sources: Sequence[CellSource], shape: tuple[int, int], times: object, power: object, *,
                    initial: object = None, at: Sequence[int] = (0,)) -> Array:
    """Temperatures of the mesh at `times`, exact in time.

    Parameters
    ----------
    cells, sources, shape
        As in `steady_cells`.
    times : array_like, shape (n,)
        Ends of the intervals, rising, the first begins at 0. [s]
    power : array_like, shape (n,) or (n, source)
        Factor of each source's power within each interval. [1]
    initial : float or array_like, shape (nz, ny, nx), optional
        Temperature at 0; the stack's `reference` unless told. [degC]
    at : sequence of int
        Cell layers wanted.

    Returns
    -------
    temperature : ndarray, shape (n, len(at), ny, nx)
        [degC]

    Notes
    -----
    Error in time is rounding only, some 1e-16 of the fastest rate of the mesh over the slowest: 1e-9 of the rise at worst where
    cells of micrometres lie in the middle of millimetres, less where they are at an end.
    """
    from scipy.fft import dctn

    stack = cells.stack
    step, factor = _intervals(times, power, len(sources))
    door = _cell_door(cells, sources, shape)
    if _with_ambients(door, stack):
        factor = np.column_stack((factor, np.ones(step.size)))
    start = None
    if initial is not None:
        field_ = np.asarray(initial, float)
        if field_.ndim == 0:
            field_ = np.broadcast_to(field_, (cells.dz.size, 1, 1))
        if field_.shape not in ((cells.dz.size, *shape), (cells.dz.size, 1, 1)) or not np.isfinite(field_).all():
            raise ScenarioError(f"initial has shape {field_.shape}, expected one temperature or {(cells.dz.size, *shape)} in degC")
        full = np.broadcast_to(field_ - stack.reference, (cells.dz.size, *shape)).copy()
        start = dctn(full, type=2, axes=(-2, -1), workers=1, overwrite_x=True) / (4 * shape[0] * shape[1])
    maps = np.empty((step.size, len(at), *shape))
    _march(door, step, factor, start, np.asarray(at, np.int32), maps)
    maps = dctn(maps, type=3, axes=(-2, -1), workers=1, overwrite_x=True)
    maps += stack.reference
    return maps


def _intervals(times: object, power: object, n_source: int) -> tuple[Array, Array]:
    t = np.atleast_1d(np.asarray(times, float))
    step = np.diff(t, prepend=0.0)
    if t.ndim != 1 or not (np.isfinite(t).all() and (step > 0).all()):
        raise ScenarioError("times must be finite and rise from above 0 s: each is the end of an interval, the first begins at 0 s")
    # equal intervals up to the rounding of their ends are one and the same, so that the kernel's exponentials are made once
    same = np.abs(step - step[0]) <= 4e-16 * t[-1] + 1e-14 * step[0]
    step = np.where(same, step[0], step)
    factor = np.asarray(power, float)
    factor = np.ascontiguousarray(np.broadcast_to(factor[:, None] if factor.ndim == 1 else factor, (t.size, n_source)))
    if not np.isfinite(factor).all():
        raise ScenarioError("power factors must be finite")
    return step, factor


def _march(door: dict[str, Any], step: Array, factor: Array, start: Array | None, at: NDArray[np.int32], maps: Array,
           sensors: Sequence[tuple[Array, Array]] = ()) -> Array:
    """Fills `maps` with modes; returns the readings [time, sensor] of (profile in z, weight of each mode)."""
    n, plane = np.shape(door["capacity"])[0], np.shape(door["flux"])[1:]
    readings = np.empty((step.size, len(sensors)))
    if not kernel.transient_column(
            step=step, power=factor, initial=start, cells=at, maps=maps, readings=readings,
            sensor_profile=np.array([p for p, _ in sensors]).reshape(len(sensors), n),
            sensor_weight=np.array([w for _, w in sensors]).reshape(len(sensors), *plane), **door):
        raise ConvergenceError("an eigenvalue of a column of cells was not found; check the stack for numbers that are far from physical")
    return readings


@dataclass(frozen=True)
class StepResponse:
    """Temperature rise of a sensor per watt of a source that is switched on at 0.

    Attributes
    ----------
    time : ndarray, shape (n,)
        [s]
    impedance : ndarray, shape (n,)
        [K/W]
    error : ndarray, shape (n,)
        Estimate of what is left from ending the series and from the cells in z. [K/W]
    steady : float
        Its limit, from the continuum; ``nan`` where no heat can leave. [K/W]
    """

    time: Array
    impedance: Array
    error: Array
    steady: float


def step_response(stack: Stack, source: Source, sensor: Rectangles, times: object = None, *, modes: int = 64,
                  growth: float = 0.3) -> StepResponse:
    """Step response of a stack, for thermal ladders.

    Parameters
    ----------
    stack : Stack
        Its ambients do not matter.
    source : Rectangles or PowerMap
        What is switched on; Z is per watt of its sum.
    sensor : Rectangles
        Where the temperature is read: the mean over the rectangles, weighted by their `power`, at the face of the layer that its
        `place` says, or through it.
    times : array_like, shape (n,), optional
        Rising; 10 a decade from 1 us to 1000 s unless told. [s]
    modes : int
        In each direction.
    growth : float
        Distance between nodes in z over their distance from the source. [1]

    Raises
    ------
    ScenarioError
        If the source sums to no power, or source or sensor are not in the stack.

    Notes
    -----
    Exact in time; in the plane up to the end of the series. In z there are nodes, the first as far from the source's faces as heat
    comes in a third of the first time, then ever farther. A second run with twice the nodes takes most of that error away
    (Richardson, order 2), and what this changed is part of the estimate; the other part is what the upper half of the modes adds.
    """
    t = np.geomspace(1e-6, 1e3, 91) if times is None else np.asarray(times, float)
    if t.ndim != 1 or t.size == 0 or not (np.isfinite(t).all() and (np.diff(t, prepend=0.0) > 0).all()):
        raise ScenarioError("times must be finite and rise from above 0 s")
    _in_stack(stack, source.layer, "a source")
    _in_stack(stack, sensor.layer, "a sensor")
    flux = source.amplitudes(stack, modes, modes)
    total, weights = flux[0, 0] * stack.area, np.asarray(sensor.power, float).sum()
    if total == 0 or weights == 0:
        raise ScenarioError("power of the source, or of the sensor, sums to 0 W, expected something to divide by")
    flux /= total
    read = sensor.amplitudes(stack, modes, modes) * (stack.area / weights)
    read[1:] *= 2
    read[:, 1:] *= 2
    upper = _upper(np.abs(read) * np.sign(flux))  # each mode's rise has its flux's sign: these add up, nothing cancels in the estimate

    a = stack.layers[source.layer]
    first = math.sqrt(a.kz / a.heat_capacity * float(t[0])) / 3
    floor = math.fsum(b.thickness for b in stack.layers[: source.layer])
    faces = [floor + (a.thickness if f == Place.TOP else 0.0)
             for f in ([source.place] if source.place != Place.THROUGH else [Place.BOTTOM, Place.TOP])]
    edges = _nodes_near(stack, faces, first, growth)
    Z = []
    for fine in (edges, [np.sort(np.concatenate((e, (e[1:] + e[:-1]) / 2))) for e in edges]):
        door, profile = _nodal(stack, fine)
        door |= dict(lambda_x=_eigenvalues(stack.width, modes), lambda_y=_eigenvalues(stack.depth, modes), flux=flux[None],
                     share=profile(source.layer, source.place)[None])
        at = profile(sensor.layer, sensor.place)
        Z.append(_march(door, np.diff(t, prepend=0.0), np.ones((t.size, 1)), None, np.empty(0, np.int32),
                        np.empty((t.size, 0, modes, modes)), [(at, read), (at, upper)]))
    change = (Z[1][:, 0] - Z[0][:, 0]) / 3
    steady_value = math.nan
    if stack.film_bottom > 0 or stack.film_top > 0:
        still = replace(stack, ambient_bottom=0.0, ambient_top=0.0)
        height = {Place.THROUGH: None, Place.BOTTOM: 0.0, Place.TOP: stack.layers[sensor.layer].thickness}[Place(sensor.place)]
        steady_value = float((_steady_modes(still, [source], [Plane(sensor.layer, height)], modes, modes)[0] * read).sum() / total)
    return StepResponse(t, Z[1][:, 0] + change, np.abs(change) + Z[1][:, 1], steady_value)


def _nodes_near(stack: Stack, heights: Sequence[float], first: float, growth: float) -> list[Array]:
    """Nodes of each layer, faces included, from its bottom up: `first` apart at `heights`, then `growth` times the distance from there.

    Heat that started there has, when it reaches a distance, spread over about that distance; finer nodes would be wasted.
    """
    edges, floor = [], 0.0
    for a in stack.layers:
        at = [floor]
        while at[-1] < floor + a.thickness:
            z = at[-1]  # towards a height it is the far end of the step that is the nearest
            at.append(z + max(first, growth * min(z - p if z >= p else (p - z) / (1 + growth) for p in heights)))
        up = np.array(at) - floor
        edges.append(up * (a.thickness / up[-1]))
        floor += a.thickness
    return edges


def _nodal(stack: Stack, edges: Sequence[Array]) -> tuple[dict[str, Any], Callable[[int, Place], Array]]:
    """A column with temperatures at nodes, and how a layer or its faces fall on them.

    Half of each slice's capacity goes to each of its ends; the faces of layers are nodes, so films and sources on faces sit where
    they are. One node stands for both sides of a face without contact.
    """
    up: list[float] = []
    size = 1  # nodes
    ends = []  # first and last node of each layer
    for i, (a, z) in enumerate(zip(stack.layers, edges, strict=True)):
        if i and stack.layers[i - 1].contact > 0:
            up.append(1 / stack.layers[i - 1].contact)
            size += 1
        ends.append((size - 1, size - 1 + len(z) - 1))
        up += list(a.kz / np.diff(z))
        size += len(z) - 1
    side, capacity, profiles = np.zeros((2, size)), np.zeros(size), []
    for a, z, (low, high) in zip(stack.layers, edges, ends, strict=True):
        dz = np.diff(z)
        width = np.zeros(size)
        width[low:high] += dz / 2
        width[low + 1 : high + 1] += dz / 2
        side += np.outer((a.kx, a.ky), width)
        capacity += a.heat_capacity * width
        profiles.append(width / a.thickness)

    bottom, top = stack.film_bottom, stack.film_top
    inside = slice(1 if math.isinf(bottom) else 0, size - 1 if math.isinf(top) else size)  # a held face is no unknown
    bottom, top = (up[0] if math.isinf(bottom) else bottom), (up[-1] if math.isinf(top) else top)
    between = np.array(up)[inside.start : inside.stop - 1]

    def profile(layer: int, place: Place) -> Array:
        share = profiles[layer]
        if place != Place.THROUGH:
            share = np.zeros(size)
            share[ends[layer][0 if place == Place.BOTTOM else 1]] = 1.0
        return np.ascontiguousarray(share[inside])

    return dict(side=np.ascontiguousarray(side[:, inside]), up=between, bottom=float(bottom), top=float(top),
                capacity=np.ascontiguousarray(capacity[inside])), profile

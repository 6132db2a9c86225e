r"""Temperatures of a package at rest and over time, each with an estimate of its error of discretisation.

Two ways, chosen by what the package is. Where every layer is one material over the whole footprint, cosine modes in the plane and
two-ports along z: the continuum's solution, cut off where the modes end. Elsewhere finite volumes on the cells of
`thermo.package.grid`, solved twice: on the grid asked for and on it with every cell halved, which is what is reported.

The error of what is reported is estimated from the two. A method of order `p` leaves :math:`(T_h - T_{2h}) / (2^p - 1)` on the finer
grid. Conduction in cells is of order 2 where the field is smooth, but at the corners of blocks and sources it is not, and on grids that
do not yet resolve a thin layer the observed order is between 1 and 2; two grids cannot tell which. So the whole difference is taken, that
is `p` = 1: three times the estimate of order 2, and what Roache's index does with two grids (a factor of 3) [1]_.

The highest temperature of cells converges from below in one part (the peak falls between their middles) and from above in another, and
the difference of two grids may pass through zero: alone it covered the error of the highest temperature in 79 % of 97 random stacks. A
block's mean does not do that. Of a block the larger of the two differences counts, times 1.5 (`SAFETY`) because of grids with a cell or
two to a block: this covered the errors of 96 % of the blocks' peaks and 98 % of their means on the coarsest grids tried (3 cells across
the package; 91 % and 95 % without the 1.5), and 100 % and 98 % on grids of 5 across. Of the package's highest temperature the larger of
its own difference and of its block's, not widened, covered 76 of 77 stacks, and 49 of 49. The price is that errors are overstated, by 6
to 10 times in the median.

References
----------
.. [1] P. J. Roache, Perspective: a method for uniform reporting of grid refinement studies, J. Fluids Engineering 116(3), 1994,
   405-413, doi:10.1115/1.2910291.
"""
from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

import thermo
from thermo import formulas
from thermo.errors import ConvergenceError, ScenarioError, ValidityWarning, nearest, shown
from thermo.package.description import FACES, Channels, Package, as_package, package_json
from thermo.package.grid import Coolant, Grid, Resolution, grid_of, overlap

__all__ = ["Heat", "heat_of", "solve_steady"]

Floats = NDArray[np.float64]
Method = Literal["auto", "layers", "cells"]
TOLERANCE = 1e-11  # of the residual, so that energy closes to 1e-10
SAFETY = 1.5  # of the error of a block
UNSETTLED = 1e-9  # of the heat, that may be left: thin cells round it no better
STILL = 1e-6  # K: conductivities are renewed until no temperature moves by more
MOST_ITERATIONS = 300
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # any number gives the same bits
FACE_NAMES = (*FACES, "coolant")
# normal axis of an array [nz, ny, nx], and which end, of each face
ENDS = ((2, 0), (2, -1), (1, 0), (1, -1), (0, 0), (0, -1))


# ------------------------------------------------------------------------------------------------------------- power

@dataclass(frozen=True)
class Heat:
    """Heat made in one place of a block: W, and how it is spread over the place (rows along y) where it is not even."""

    watts: float
    spread: Floats | None = None  # shares, sum 1


def heat_of(package: Package, power: Any = None) -> dict[str, Heat]:
    """The heat of every place of the blocks that make some, from what `solve_steady` takes as `power`."""
    nominal = package.power
    if power is None or (np.ndim(power) == 0 and not isinstance(power, str | Mapping)):
        if not nominal:
            raise ScenarioError(f"package {package.name}: none of its blocks has a nominal power; give power={{block: W}}")
        total = sum(nominal.values())
        watts = total if power is None else _watts(power, "power")
        return _divided(package, {name: w * watts / total for name, w in nominal.items()})
    if isinstance(power, xr.DataArray):
        if power.dims != ("block",):
            raise ScenarioError(f"power has dims {power.dims}, expected ('block',); over time it is for solve_transient")
        power = dict(zip(power["block"].values.tolist(), power.values.tolist(), strict=True))
    if not isinstance(power, Mapping):
        raise ScenarioError(f"power is {shown(power)}, expected W, or a table of W (or a map of W, rows along y) by block")
    return _divided(package, power)


def _watts(value: Any, place: str) -> float:
    try:
        watts = float(value)
    except (TypeError, ValueError):
        raise ScenarioError(f"{place} is {shown(value)}, expected W") from None
    if not np.isfinite(watts) or abs(watts) > 1e9:
        raise ScenarioError(f"{place} is {watts:g} W, expected a finite number up to 1e9 W")
    return watts


def _divided(package: Package, power: Mapping[str, Any]) -> dict[str, Heat]:
    """Power by block or by place as heat by place; a block's power is that of all its places together."""
    blocks = {b.name: b for layer in package.layers for b in layer.blocks}
    places = package.places
    out: dict[str, Heat] = {}
    for name, value in power.items():
        block = blocks.get(name) or (places[name][1] if name in places else None)
        if block is None:
            raise ScenarioError(f"power: package {package.name} has no block {shown(name)}{nearest(str(name), list(dict.fromkeys([*blocks, *places])))}")
        if block.void:
            raise ScenarioError(f"power: block {name!r} of layer {_layer_of(package, name)!r} is a void and makes no heat")
        shape: Floats | None = None
        if np.ndim(value):
            try:
                m = np.asarray(value, dtype=np.float64)
            except (TypeError, ValueError):
                m = np.zeros(0)
            if m.ndim != 2 or m.size == 0 or not np.all(np.isfinite(m)) or np.any(m < 0) or m.size > 4_000_000:
                raise ScenarioError(f"power[{name!r}]: expected W, or a map of W with rows along y, none below 0 W, of at most 4e6 entries")
            watts, shape = float(m.sum()), m / (m.sum() or 1.0)
        else:
            watts = _watts(value, f"power[{name!r}]")
        here = [name] if name in places else list(block.places)
        for place in here:
            if place in out:
                raise ScenarioError(f"power: block {block.name!r} and its place {place!r} are both given; give one of them")
            out[place] = Heat(watts / len(here), shape)
    return out


def _layer_of(package: Package, block: str) -> str:
    return next((layer.name for layer in package.layers for b in layer.blocks if block == b.name or block in b.places), "")


def cell_power(grid: Grid, heat: Mapping[str, Heat]) -> Floats:
    """Heat of every cell [W]."""
    out = np.zeros(grid.shape)
    for place, h in heat.items():
        s, (_, _, r) = grid.spans[place], grid.package.places[place]
        x, y = grid.x[s.x.start:s.x.stop + 1], grid.y[s.y.start:s.y.stop + 1]
        m = np.ones((1, 1)) if h.spread is None else h.spread
        plane = overlap(y, r[2], r[3], m.shape[0]) @ m @ overlap(x, r[0], r[1], m.shape[1]).T
        dz = np.diff(grid.z)[s.z]
        plane = plane / plane.sum() if m.sum() > 0 else plane  # edges that were snapped by a nanometre
        out[s.box] += h.watts * (dz / dz.sum())[:, None, None] * plane
    return out


# ---------------------------------------------------------------------------------------------------------- refusals

def require_ways_out(grid: Grid, heat: Mapping[str, Heat]) -> None:
    """At rest every solid must touch a film or a coolant."""
    package = grid.package
    sinks = [layer.name for layer in package.layers if isinstance(layer, Channels)]
    if not sinks and not any(np.any(h > 0) for h in grid.film):
        raise ScenarioError(f"package {package.name}: every face is adiabatic and no layer has a coolant, so that it never comes to rest; "
                            "give it a Convection or Channels, or ask solve_transient")
    solid = grid.material > 0
    parts, n = ndimage.label(solid)
    held = np.zeros(n + 1, dtype=bool)
    for h, (axis, end) in zip(grid.film, ENDS, strict=True):
        held[np.unique(np.take(parts, end, axis)[h > 0])] = True
    for name in sinks:
        rows = grid.planes(name)
        beside = slice(max(rows.start - 1, 0), rows.stop + 1)
        s = _outline_cells(grid, next(one for one in package.layers if one.name == name))
        held[np.unique(parts[beside, s[0], s[1]])] = True
    for place, made in heat.items():
        part = parts[grid.spans[place].box]
        if made.watts and not held[part].all():
            raise ScenarioError(f"package {package.name}: block {place!r} of layer {_layer_of(package, place)!r} makes {made.watts:g} W, and no solid "
                                "leads from it to a film or a coolant: is there a void beside it, or is a layer missing?")
    held[0] = True
    if not held.all():
        k, j, i = (int(a[0]) for a in np.nonzero(parts == np.flatnonzero(~held)[0]))
        layer = package.layers[grid.layer[k]]
        block = next((p for p, s in grid.spans.items() if s.z.start <= k < s.z.stop and s.y.start <= j < s.y.stop and s.x.start <= i < s.x.stop), "")
        what = f"block {block!r} of layer {layer.name!r}" if block else f"layer {layer.name!r}"
        raise ScenarioError(f"package {package.name}: {what} touches nothing that leads to a film or a coolant, so that its temperature at rest is "
                            "anything; connect it, or leave it out")


def _outline_cells(grid: Grid, layer: Any) -> tuple[slice, slice]:
    r = grid.package.outline(layer)
    i = np.searchsorted(0.5 * (grid.x[1:] + grid.x[:-1]), r[:2])
    j = np.searchsorted(0.5 * (grid.y[1:] + grid.y[:-1]), r[2:])
    return slice(int(j[0]), int(j[1])), slice(int(i[0]), int(i[1]))


# ------------------------------------------------------------------------------------------------------------- cells

@dataclass(frozen=True)
class Field:
    """What the solver found on one grid."""

    grid: Grid
    coolant: Coolant | None
    power: Floats  # W [nz, ny, nx]
    T: Floats  # degC [nz, ny, nx], NaN in voids
    bulk: Floats  # degC [channels, stations], the mean over each station
    outlet: Floats  # degC [channels]
    statistics: dict[str, Any]

    def conductivity(self, axis: int, cells: Any = slice(None)) -> Floats:
        """Of cells (an index of [nz, ny, nx]) along x, y or z, at the temperature found; 0 in voids. [W/(m K)]"""
        materials, kind = self.grid.materials, self.grid.material[cells]
        k = np.array([0.0, *(m.conductivity[axis] for m in materials)])[kind]
        for number, m in enumerate(materials, 1):
            if m.varies:
                k = np.where(kind == number, m.conductivity[axis] * m.factor(np.nan_to_num(self.T[cells])), k)
        return np.asarray(k)

    def upward(self, k: int) -> Floats:
        """Heat that crosses from the cells `k` to those above [W], shape [ny, nx]."""
        z = np.diff(self.grid.z)
        below, above = self.conductivity(2, k), self.conductivity(2, k + 1)
        both = (below > 0) & (above > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            R = 0.5 * z[k] / below + self.grid.contact[k] + 0.5 * z[k + 1] / above
            q = np.diff(self.grid.y)[:, None] * np.diff(self.grid.x) * (self.T[k] - self.T[k + 1]) / R
        return np.where(both, q, 0.0)

    def through(self, face: int) -> Floats:
        """Heat that leaves through a film, cell by cell of the face [W]."""
        axis, end = ENDS[face]
        h, d = self.grid.film[face], np.diff((self.grid.z, self.grid.y, self.grid.x)[axis])[end]
        cells: list[Any] = [slice(None)] * 3
        cells[axis] = end
        k, T = self.conductivity(2 - axis, tuple(cells)), self.T[tuple(cells)]
        sides = [np.diff(e) for n, e in enumerate((self.grid.z, self.grid.y, self.grid.x)) if n != axis]
        on = (h > 0) & (k > 0)
        G = np.where(on, sides[0][:, None] * sides[1], 0.0) / (1 / np.where(h > 0, h, 1.0) + 0.5 * d / np.where(k > 0, k, 1.0))
        return np.asarray(G * np.where(on, T - self.grid.film_temperature[face], 0.0))

    def wetted(self) -> list[tuple[int, tuple[Any, Any, Any], Floats, Floats]]:
        """Walls of the channels: channel, cells behind the wall, heat into the coolant [W], temperature of the wall [degC], by station."""
        out: list[tuple[int, tuple[Any, Any, Any], Floats, Floats]] = []
        if self.coolant is None:
            return out
        z, y, x = (np.diff(e) for e in (self.grid.z, self.grid.y, self.grid.x))
        side, along = (y, x) if self.coolant.axis == 0 else (x, y)
        nz, nl = len(z), len(side)
        everywhere = slice(None)
        for c, (l0, l1, k0, k1) in enumerate(self.coolant.boxes):
            walls = [(k, lat, 2) for lat in range(l0, l1) for k in (k0 - 1, k1) if 0 <= k < nz]
            walls += [(k, lat, 1 - self.coolant.axis) for k in range(k0, k1) for lat in (l0 - 1, l1) if 0 <= lat < nl]
            h = self.coolant.film[c]
            for k, lat, normal in walls:
                cells = (k, lat, everywhere) if self.coolant.axis == 0 else (k, everywhere, lat)
                kn, T = self.conductivity(normal, cells), self.T[cells]
                on = (kn > 0) & (h > 0)
                d, width = (z[k], side[lat]) if normal == 2 else (side[lat], z[k])
                G = np.where(on, width * along, 0.0) / (1 / np.where(h > 0, h, 1.0) + 0.5 * d / np.where(kn > 0, kn, 1.0))
                q = G * np.where(on, T - self.bulk[c], 0.0)
                out.append((c, cells, q, np.where(on, self.bulk[c] + q / np.where(on, h * width * along, 1.0), 0.0)))
        return out

    def taken_up(self) -> Floats:
        """Heat that each channel takes up [W]."""
        if self.coolant is None:
            return np.zeros(0)
        return np.asarray(np.abs(self.coolant.capacity_rate) * (self.outlet - self.coolant.inlet))


def solid_of(grid: Grid, coolant: Coolant | None) -> Any:
    """The compiled solver of a grid."""
    from thermo._kernels.conduction import Solid

    k = np.array([(0.0, 0.0, 0.0), *(m.conductivity for m in grid.materials)])
    c = np.array([0.0, *(m.heat_capacity for m in grid.materials)])
    channels = None if coolant is None else (coolant.axis, coolant.boxes, coolant.film, coolant.capacity_rate, coolant.capacity)
    tables = None
    if any(m.varies for m in grid.materials):
        tables = [None, *((np.array(m.conductivity_temperature), np.outer(m.conductivity_factor, m.conductivity)) if m.varies else None
                          for m in grid.materials)]
    return Solid(dx=np.diff(grid.x), dy=np.diff(grid.y), dz=np.diff(grid.z), material=grid.material, conductivity=k, heat_capacity=c,
                 contact=grid.contact, film=grid.film, tables=tables, channels=channels, threads=THREADS)


def field_of(grid: Grid, heat: Mapping[str, Heat], *, coolant: Coolant | None = None, solid: Any = None, tolerance: float = TOLERANCE,
             start: Floats | None = None) -> Field:
    """Temperatures at rest on one grid; `coolant` and `solid` where they are known already."""
    if solid is None:
        coolant = grid.coolant(sum(h.watts for h in heat.values()))
        solid = solid_of(grid, coolant)
    power = cell_power(grid, heat)
    T = np.zeros(grid.shape) if start is None else start
    inlet, bulk = (np.zeros(0), np.zeros((0, 0))) if coolant is None else (coolant.inlet, np.zeros(coolant.film.shape))
    outlet = np.zeros(len(inlet))
    found = solid.steady(power=power, film_temperature=grid.film_temperature, inlet=inlet, tolerance=tolerance, still=STILL,
                         iterations=MOST_ITERATIONS, threads=THREADS, out=T, coolant=bulk, outlet=outlet)
    if not found["residual"] <= max(2 * found["goal"], UNSETTLED * np.abs(power).sum()):
        raise ConvergenceError(f"package {grid.package.name}: {' x '.join(map(str, grid.shape[::-1]))} cells did not settle in {found['iterations']} "
                               f"iterations (residual {found['residual']:.1e}); are conductivities or thicknesses very unlike each other?")
    return Field(grid, coolant, power, T, bulk, outlet, dict(found))


def solve_steady(package: Package | str, power: Any = None, *, method: Method = "auto", resolution: Resolution | None = None,
                 tolerance: float = TOLERANCE) -> xr.Dataset:
    """Temperatures of a package at rest.

    Parameters
    ----------
    package : Package or str
        What is heated, or its name in the library.
    power : optional
        Heat of the blocks [W]: a table by the names of blocks or of their places, each a number or a map (rows along y, W in each
        pixel); a number for the whole package, shared like nominal powers; None for the nominal powers.
    method : {"auto", "layers", "cells"}
        Cosine modes for layers that are uniform in the plane, finite volumes for anything, or which of them fits.
    resolution : Resolution, optional
        How fine the grid is; the answer is on the grid with every cell halved three ways.
    tolerance : float
        Of the solver's residual. [1]

    Returns
    -------
    result : Dataset
        `temperature` (z, y, x), of every block (dim `block`, one entry for each place) power, mean and highest temperature and where
        it is, `coolant_temperature` along each channel, `heat` by face, `hottest`, `energy_residual`, `discretisation_error` of the
        hottest temperature and of each block's [K]. Attributes hold the package and the power as JSON.

    Raises
    ------
    ScenarioError
        If the package cannot come to rest, a heated block has no way to a film or a coolant, or a name is none of its blocks.
    LimitError
        If the grid is larger than memory allows.
    ConvergenceError
        If the solver does not settle.

    Examples
    --------
    100 W, even over 4 cm2, through a film of 10,000 W/(m2 K): 25 K above its 40 degC, and a little for the silicon.

    >>> from thermo.package import Block, Convection, Layer, Package, solve_steady
    >>> die = Layer(name="die", thickness=1e-4, material="interposer-silicon", blocks=(Block(name="all", width=0.02, length=0.02, power=100.0),))
    >>> chip = Package(name="chip", width=0.02, length=0.02, layers=(die,),
    ...                convection=(Convection(face="top", coefficient=1e4, temperature=40.0),))
    >>> round(float(solve_steady(chip)["block_mean"][0]), 3)
    65.069
    """
    package = as_package(package)
    if not 0 < tolerance < 1:
        raise ScenarioError(f"tolerance is {tolerance:g}, expected above 0 and below 1, of the heat; {TOLERANCE:g} unless told")
    heat = heat_of(package, power)
    if _method(package, method) == "layers":
        from thermo.package.exact import solve_layers

        return solve_layers(package, heat, resolution or Resolution())
    coarse = grid_of(package, resolution, halvings=1)
    require_ways_out(coarse, heat)
    parent = field_of(coarse, heat, tolerance=tolerance)
    fine = coarse.refined()
    field = field_of(fine, heat, tolerance=tolerance, start=doubled(parent.T))
    return _dataset(field, parent, heat)


def _method(package: Package, method: str) -> str:
    if method not in ("auto", "layers", "cells"):
        raise ScenarioError(f"method is {shown(method)}: expected 'auto', 'layers' or 'cells'")
    if method == "layers" and not package.uniform():
        raise ScenarioError(f"package {package.name}: method='layers' takes layers that are one constant material over the whole footprint, with even "
                            "films on bottom and top alone; use method='cells' or 'auto'")
    return "layers" if method != "cells" and package.uniform() else "cells"


def doubled(T: Floats) -> Floats:
    """A field on a grid as one on it with every cell halved; 0 in voids."""
    return np.nan_to_num(T.repeat(2, 0).repeat(2, 1).repeat(2, 2))


# ------------------------------------------------------------------------------------------------------------ labels

def block_rows(field: Field) -> dict[str, NDArray[Any]]:
    """Of every place of every block: mean (by volume) and highest temperature [degC] and where that is [m]; NaN in voids."""
    grid = field.grid
    n = len(grid.spans)
    out = {"mean": np.full(n, np.nan), "highest": np.full(n, np.nan), "at": np.full((n, 3), np.nan)}
    middles = [0.5 * (e[1:] + e[:-1]) for e in (grid.z, grid.y, grid.x)]
    sizes = [np.diff(e) for e in (grid.z, grid.y, grid.x)]
    for b, span in enumerate(grid.spans.values()):
        T = field.T[span.box]
        if np.all(np.isnan(T)):
            continue
        at = np.unravel_index(int(np.nanargmax(T)), T.shape)
        V = sizes[0][span.z][:, None, None] * sizes[1][span.y][:, None] * sizes[2][span.x]
        out["mean"][b], out["highest"][b] = float(np.nansum(T * V) / V.sum()), float(T[at])
        out["at"][b] = [m[s][i] for m, s, i in zip(middles, span.box, at, strict=True)][::-1]
    return out


def difference_of(now: Mapping[str, Floats], before: Mapping[str, Floats]) -> Floats:
    """Difference of two grids of each block: the larger of those of its mean and its highest temperature. [K]"""
    return np.asarray(np.fmax(abs(now["highest"] - before["highest"]), abs(now["mean"] - before["mean"])))


def _dataset(field: Field, parent: Field, heat: Mapping[str, Heat]) -> xr.Dataset:
    grid, package = field.grid, field.grid.package
    rows, before = block_rows(field), block_rows(parent)
    heats = np.array([*(float(field.through(face).sum()) for face in range(6)), float(field.taken_up().sum())])
    residual = float(field.power.sum() - heats.sum())
    hottest = float(np.nanmax(field.T))
    errors = difference_of(rows, before)
    error = abs(hottest - float(np.nanmax(parent.T)))
    if np.any(np.isfinite(rows["highest"])):
        error = max(error, float(errors[int(np.nanargmax(rows["highest"]))]))
    x, y, z = (0.5 * (e[1:] + e[:-1]) for e in (grid.x, grid.y, grid.z))
    names = list(grid.spans)
    data: dict[str, Any] = {
        "temperature": (("z", "y", "x"), field.T, "degC", "temperature, of the middle of each cell"),
        "block_power": ("block", np.array([heat[n].watts if n in heat else 0.0 for n in names]), "W", "heat made in the block"),
        "block_mean": ("block", rows["mean"], "degC", "mean temperature of the block"),
        "block_hottest": ("block", rows["highest"], "degC", "highest temperature of the block"),
        "block_hot_spot": (("block", "axis"), rows["at"], "m", "where the block is hottest"),
        "block_error": ("block", SAFETY * errors, "K", "estimated error of discretisation of the block's mean and highest temperature"),
        "hottest": ((), hottest, "degC", "highest temperature"),
        "discretisation_error": ((), error, "K", "estimated error of discretisation of the highest temperature"),
        "heat": ("face", heats, "W", "heat that leaves through the face or with the coolant"),
        "energy_residual": ((), residual, "W", "heat made less heat that leaves"),
    }
    coords: dict[str, Any] = coordinates(package, x, y, z, grid.layer, names)
    if field.coolant is not None:
        along = "x" if field.coolant.axis == 0 else "y"
        wet = np.where(field.coolant.film > 0, field.bulk, np.nan)
        data["coolant_temperature"] = (("channel", along), wet, "degC", "bulk temperature of the coolant, mean over each cell")
        data["coolant_outlet"] = ("channel", field.outlet, "degC", "temperature at which the coolant leaves")
        coords["channel"] = ("channel", np.array(field.coolant.names, dtype=object))
    return labelled(package, heat, data, coords, {"method": "cells", "cells": int(np.prod(grid.shape)), **_plain(field.statistics)},
                     _warnings_of(field))


def coordinates(package: Package, x: Floats, y: Floats, z: Floats, layer: NDArray[np.intp], names: list[str]) -> dict[str, Any]:
    """Coordinates of a result."""
    length = {"units": "m"}
    places = package.places
    return {
        "x": ("x", x, length | {"long_name": "from the middle of the footprint"}), "y": ("y", y, length | {"long_name": "from the middle of the footprint"}),
        "z": ("z", z, length | {"long_name": "above the bottom"}), "layer": ("z", np.array([one.name for one in package.layers], dtype=object)[layer]),
        "block": ("block", np.array(names, dtype=object)), "block_layer": ("block", np.array([places[n][0].name for n in names], dtype=object)),
        "face": ("face", np.array(FACE_NAMES, dtype=object)), "axis": ("axis", np.array(["x", "y", "z"], dtype=object)),
    }


def labelled(package: Package, heat: Mapping[str, Heat], data: Mapping[str, Any], coords: Mapping[str, Any], statistics: Mapping[str, Any],
              said: list[str]) -> xr.Dataset:
    """The Dataset, with what is needed to run it again."""
    variables = {name: (dims, values, {"units": unit, "long_name": words}) for name, (dims, values, unit, words) in data.items()}
    result = xr.Dataset(variables, coords=dict(coords), attrs={
        "title": package.title or package.name, "Conventions": "CF-1.11", "source": f"thermo {thermo.__version__}", "version": thermo.__version__,
        "package": json.dumps(package_json(package)), "power": json.dumps({n: _told(h) for n, h in heat.items()}),
        "method": statistics["method"], "solver_statistics": json.dumps(dict(statistics)), "warnings": json.dumps(said)})
    for message in said:
        warnings.warn(message, ValidityWarning, stacklevel=4)
    return result


def _told(h: Heat) -> Any:
    return h.watts if h.spread is None else (h.watts * h.spread).tolist()


def _plain(statistics: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.item() if hasattr(v, "item") else v for k, v in statistics.items() if np.ndim(v) == 0}


def _warnings_of(field: Field) -> list[str]:
    """Where a law leaves the range that its source vouches for."""
    said = []
    for layer in field.grid.package.layers:
        if not isinstance(layer, Channels) or field.coolant is None:
            continue
        hottest = float(np.nanmax(field.outlet))
        if hottest > layer.fluid.highest_temperature:
            said.append(f"layer {layer.name!r}: the coolant reaches {hottest:.4g} degC, {layer.fluid.name} is known up to {layer.fluid.highest_temperature:g} degC")
        a, b = layer.channel_width, layer.thickness
        D_h = 2 * a * b / (a + b)
        r = field.grid.package.outline(layer)
        said += [f"layer {layer.name!r}: {m}" for m in formulas.validity_warnings(
            "nusselt_duct", Re=field.coolant.reynolds, aspect=min(a, b) / max(a, b), D_h=D_h, L=(r[1] - r[0]) if layer.along_x else (r[3] - r[2]))]
    return said

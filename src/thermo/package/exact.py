"""Packages of uniform layers at rest: from descriptions to `thermo.package.layers_exact`, and its answer as a Dataset."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo.package import layers_exact as exact
from thermo.package.description import Package
from thermo.package.grid import Resolution, grid_of
from thermo.package.solve import FACE_NAMES, Heat, coordinates, labelled

__all__ = ["solve_layers", "sources_of", "stack_of"]

Floats = NDArray[np.float64]
CLOSE = 2e-3  # K, wanted of the series
FINEST = 512  # points of the raster each way


def stack_of(package: Package) -> exact.Stack:
    """The stack of a package whose layers are uniform."""
    (h_bottom, T_bottom), (h_top, T_top) = (_film(package, face) for face in ("bottom", "top"))
    layers = tuple(exact.Layer(layer.thickness, *layer.material.conductivity, layer.material.heat_capacity, layer.contact_resistance, layer.name)
                   for layer in package.layers if layer.material is not None)
    return exact.Stack(package.width, package.length, layers, film_bottom=h_bottom, film_top=h_top, ambient_bottom=T_bottom, ambient_top=T_top)


def _film(package: Package, face: str) -> tuple[float, float]:
    film = package.film(face)
    if film is None or isinstance(film.coefficient, tuple) or isinstance(film.temperature, tuple):  # maps are not for uniform packages
        return 0.0, 0.0
    return film.coefficient, film.temperature


def sources_of(package: Package, heat: Mapping[str, Heat]) -> list[exact.Source]:
    """The heat of places as what the modes take; from a corner of the footprint there, from its middle here."""
    out: list[exact.Source] = []
    number = {layer.name: n for n, layer in enumerate(package.layers)}
    for place, h in heat.items():
        layer, _, r = package.places[place]
        x, y = (max(r[0] + package.width / 2, 0.0), r[1] + package.width / 2), (max(r[2] + package.length / 2, 0.0), r[3] + package.length / 2)
        if h.spread is None:
            out.append(exact.Rectangles(number[layer.name], [x], [y], [h.watts]))
        else:
            out.append(exact.PowerMap(number[layer.name], h.watts * h.spread, x, y))
    return out


def solve_layers(package: Package, heat: Mapping[str, Heat], resolution: Resolution) -> xr.Dataset:
    """Temperatures at rest of the continuum; the grid only says where they are told."""
    stack, sources = stack_of(package), sources_of(package, heat)
    stack.with_way_out()
    grid = grid_of(package, resolution, halvings=1).refined()
    z, layer_of = 0.5 * (grid.z[1:] + grid.z[:-1]), grid.layer
    floor = np.concatenate([[0.0], np.cumsum([one.thickness for one in package.layers])])
    planes = [exact.Plane(int(n), float(at - floor[n])) for n, at in zip(layer_of, z, strict=True)]
    with_blocks = sorted({n for n, one in enumerate(package.layers) if one.blocks})
    first_mean = len(planes)
    planes += [exact.Plane(n, None) for n in with_blocks]
    first_face = len(planes)
    planes += [exact.Plane(n, h) for n in with_blocks for h in (0.0, package.layers[n].thickness)]
    shape = tuple(min(max(int(2 * resolution.across * side / min(package.width, package.length)), 64), FINEST) for side in (package.length, package.width))
    found = exact.steady(stack, sources, planes, shape=(shape[0], shape[1]), tolerance=CLOSE)
    x = (np.arange(shape[1]) + 0.5) * package.width / shape[1] - package.width / 2
    y = (np.arange(shape[0]) + 0.5) * package.length / shape[0] - package.length / 2
    names = list(package.places)
    rows: dict[str, Any] = {"mean": np.zeros(len(names)), "highest": np.zeros(len(names)), "at": np.zeros((len(names), 3)), "error": np.zeros(len(names))}
    for b, name in enumerate(names):
        layer, _, r = package.places[name]
        n = [one.name for one in package.layers].index(layer.name)
        here = [p for p, plane in enumerate(planes) if plane.layer == n and plane.height is not None]
        rows["mean"][b] = found.mean((max(r[0] + package.width / 2, 0.0), r[1] + package.width / 2), (max(r[2] + package.length / 2, 0.0), r[3] + package.length / 2),
                                     first_mean + with_blocks.index(n))
        i, j = np.flatnonzero((x > r[0]) & (x < r[1])), np.flatnonzero((y > r[2]) & (y < r[3]))
        i, j = (i if len(i) else np.array([np.argmin(abs(x - r[0]))])), (j if len(j) else np.array([np.argmin(abs(y - r[2]))]))
        T = found.temperature[np.ix_(np.array(here), j, i)]
        at = np.unravel_index(int(T.argmax()), T.shape)
        rows["highest"][b] = T[at]
        rows["at"][b] = x[i[at[2]]], y[j[at[1]]], floor[n] + float(planes[here[at[0]]].height or 0.0)
        coarser = [T[:, a::2, b::2].max() for a in range(min(2, len(j))) for b in range(min(2, len(i)))]
        rows["error"][b] = found.truncation[here].max() + T.max() - min(coarser)
    plane = int(np.argmax([found.temperature[p].max() for p in (*range(first_mean), *range(first_face, len(planes)))]))
    plane = plane if plane < first_mean else plane - first_mean + first_face
    hottest = found.hot_spot(plane)[0]
    total = sum(h.watts for h in heat.values())
    heats = np.zeros(len(FACE_NAMES))
    heats[FACE_NAMES.index("bottom")], heats[FACE_NAMES.index("top")] = found.heat_bottom, found.heat_top
    data: dict[str, Any] = {
        "temperature": (("z", "y", "x"), found.temperature[:first_mean], "degC", "temperature"),
        "block_power": ("block", np.array([heat[n].watts if n in heat else 0.0 for n in names]), "W", "heat made in the block"),
        "block_mean": ("block", rows["mean"], "degC", "mean temperature of the block"),
        "block_hottest": ("block", rows["highest"], "degC", "highest temperature of the block"),
        "block_hot_spot": (("block", "axis"), rows["at"], "m", "where the block is hottest"),
        "block_error": ("block", rows["error"], "K", "estimated error of the block's highest temperature: end of the series, and the raster"),
        "hottest": ((), hottest, "degC", "highest temperature"),
        "discretisation_error": ((), float(found.truncation.max()), "K", "estimated error of the highest temperature: end of the series"),
        "heat": ("face", heats, "W", "heat that leaves through the face or with the coolant"),
        "energy_residual": ((), float(total - heats.sum()), "W", "heat made less heat that leaves"),
    }
    return labelled(package, heat, data, coordinates(package, x, y, z, layer_of, names), {"method": "layers", "modes": found.modes}, [])

r"""Temperatures of a package while its power changes.

Conduction in cells is projected on a few fields and solved exactly in time (`thermo.package.transient`), once on the grid asked for and
once with every cell halved; the difference is the estimate of the error in space, the model's own the one in time. Two things are held
that in truth move a little: conductivities, at the mean temperature that each material has with the mean power, and the films of
channels, at the properties which the coolant has then. Coolant in channels stores nothing: times shorter than its passage through a plate
(0.1 s to 1 s) are told as if it were already through.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from thermo.errors import ScenarioError, shown
from thermo.package.description import Package, as_package
from thermo.package.grid import Grid, Resolution, grid_of
from thermo.package.solve import (
    SAFETY,
    THREADS,
    Field,
    Heat,
    cell_power,
    coordinates,
    difference_of,
    field_of,
    heat_of,
    labelled,
    require_ways_out,
    solid_of,
)
from thermo.package.transient import Response

__all__ = ["solve_transient"]

Floats = NDArray[np.float64]
BEFORE = 1e9  # s: how long the first power has been on where the start is steady
MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class _Powers:
    """Power that is constant by pieces: what each input spreads over the cells, and how much of it when."""

    times: Floats  # s, beginnings
    watts: Floats  # [piece, input]
    inputs: list[dict[str, Heat]]  # for each, the heat of places at 1 W


def solve_transient(package: Package | str, power: xr.DataArray, *, times: ArrayLike | None = None, initial: Literal["rest", "steady"] = "rest",
                    fields: Sequence[float] = (), resolution: Resolution | None = None, tolerance: float = 0.01) -> xr.Dataset:
    """Temperatures of a package over time.

    Parameters
    ----------
    package : Package or str
        What is heated, or its name in the library.
    power : DataArray, dims (time) or (time, block)
        Heat [W] from each time [s] to the next, the last one on and on; of blocks or places by name, or of the whole package,
        shared like nominal powers.
    times : array_like, optional
        When temperatures are wanted; None: at the times of `power`. [s]
    initial : {"rest", "steady"}
        From the state without power, or as if the first power had always been on.
    fields : sequence of float
        When the whole field is wanted too. [s]
    resolution : Resolution, optional
        How fine the grid is; the answer is on it with every cell halved.
    tolerance : float
        Of the model in time, for the largest power. [K]

    Returns
    -------
    result : Dataset
        Dims `time`, `block`: `block_mean`, `block_hottest`, `block_power`, `hottest`, `discretisation_error` (time), `energy_residual`;
        `temperature` (snapshot, z, y, x) where `fields` asks for it.

    Examples
    --------
    >>> import xarray as xr
    >>> from thermo.package import Block, Convection, Layer, Package, Resolution, solve_transient
    >>> die = Layer(name="die", thickness=0.7e-3, material="silicon", blocks=(Block(name="core", width=0.01, length=0.01),))
    >>> chip = Package(name="chip", width=0.02, length=0.02, layers=(die,),
    ...                convection=(Convection(face="top", coefficient=2e4, temperature=40.0),))
    >>> on = xr.DataArray([[100.0], [0.0]], dims=("time", "block"), coords={"time": [0.0, 1.0], "block": ["core"]})
    >>> result = solve_transient(chip, on, times=[0.01, 1.0, 3.0], resolution=Resolution(across=8))
    >>> bool(result.hottest[1] > result.hottest[0] > result.hottest[2])
    True
    """
    package = as_package(package)
    if initial not in ("rest", "steady"):
        raise ScenarioError(f"initial is {shown(initial)}: expected 'rest' or 'steady'")
    if not 0 < tolerance < np.inf:
        raise ScenarioError(f"tolerance is {tolerance:g} K, expected above 0 K")
    powers = _powers(package, power)
    wanted = powers.times if times is None else np.atleast_1d(_seconds(times, "times"))
    saved = _seconds(list(fields), "fields")
    for name, t in (("times", wanted), ("fields", saved)):
        if t.ndim != 1 or t.size > MOST_SAMPLES or not np.all(np.isfinite(t)) or np.any(np.diff(t) < 0) or (t.size and t[0] < powers.times[0]):
            raise ScenarioError(f"{name} must rise and not begin before the power does, at {powers.times[0]:g} s")
    coarse = grid_of(package, resolution, halvings=1)
    mean = _mean_heat(powers, max(wanted[-1], powers.times[-1]) if wanted.size else powers.times[-1])
    require_ways_out(coarse, mean)
    runs = [_run(grid, powers, mean, wanted, saved, initial, tolerance) for grid in (coarse, coarse.refined())]
    before, now = runs
    error = difference_of(now, before)
    hot = np.nanargmax(now["highest"], axis=1)
    names = list(now["grid"].spans)
    per_place = np.zeros((len(wanted), len(names)))
    piece = np.searchsorted(powers.times, wanted, side="right") - 1
    for n, heat in enumerate(powers.inputs):
        for place, h in heat.items():
            per_place[:, names.index(place)] += powers.watts[piece, n] * h.watts
    grid = now["grid"]
    x, y, z = (0.5 * (e[1:] + e[:-1]) for e in (grid.x, grid.y, grid.z))
    data: dict[str, Any] = {
        "block_power": (("time", "block"), per_place, "W", "heat made in the block from then on"),
        "block_mean": (("time", "block"), now["mean"], "degC", "mean temperature of the block"),
        "block_hottest": (("time", "block"), now["highest"], "degC", "highest temperature of the block"),
        "hottest": ("time", np.nanmax(now["highest"], axis=1), "degC", "highest temperature of any block"),
        "block_error": (("time", "block"), SAFETY * error + now["error"][:, None], "K", "estimated error of the block's mean and highest temperature, in space and time"),
        "discretisation_error": ("time", error[np.arange(len(hot)), hot] + now["error"], "K", "estimated error of the hottest, in space and time"),
        "energy_residual": ("time", now["residual"], "W", "heat made less heat that leaves and is stored"),
    }
    coords = coordinates(package, x, y, z, grid.layer, names) | {"time": ("time", wanted, {"units": "s", "long_name": "time"})}
    del coords["face"], coords["axis"]
    if saved.size:
        data["temperature"] = (("snapshot", "z", "y", "x"), now["fields"], "degC", "temperature, of the middle of each cell")
        coords["snapshot"] = ("snapshot", saved, {"units": "s", "long_name": "time of the field"})
    return labelled(package, mean, data, coords, {"method": "cells", "cells": int(np.prod(grid.shape)), "model": int(now["size"]), "cycles": now["cycles"]}, [])


def _seconds(value: Any, name: str, unit: str = "s") -> Floats:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScenarioError(f"{name} is {shown(value)}: expected numbers [{unit}]") from None


def _powers(package: Package, power: Any) -> _Powers:
    if not isinstance(power, xr.DataArray) or power.dims not in (("time",), ("time", "block")) or not power.size:
        raise ScenarioError(f"power is {shown(type(power).__name__)} with dims {shown(getattr(power, 'dims', ''))}: expected a DataArray with dims "
                            "('time',) or ('time', 'block')")
    for dim in power.dims:
        if dim not in power.coords:
            raise ScenarioError(f"power has no coordinate {dim!r}: give it {'times in s' if dim == 'time' else 'the names of blocks'}")
    times = power["time"].to_numpy()
    if times.dtype.kind == "M":
        times = (times - times[0]) / np.timedelta64(1, "s")
    times, watts = _seconds(times, "time of power"), _seconds(power.to_numpy(), "power", "W").reshape(len(times), -1)
    if not np.all(np.isfinite(watts)) or np.any(np.diff(times) <= 0) or len(times) > MOST_SAMPLES:
        raise ScenarioError(f"power: times must rise and powers be finite, {MOST_SAMPLES} samples at most")
    blocks = [None] if power.ndim == 1 else power["block"].values.tolist()
    if any(blocks.count(b) > 1 for b in blocks):
        raise ScenarioError("power: a block is there more than once")
    inputs = [heat_of(package, 1.0 if b is None else {b: 1.0}) for b in blocks]
    heat_of(package, None if blocks == [None] else dict.fromkeys(blocks, 1.0))  # a block and one of its places are not both told
    return _Powers(times, watts, inputs)


def _mean_heat(powers: _Powers, end: float) -> dict[str, Heat]:
    """The heat of places at the mean power."""
    span = np.diff(np.append(powers.times, max(end, powers.times[-1])))
    span = span if span.sum() > 0 else np.ones_like(span)
    mean = (powers.watts * span[:, None]).sum(axis=0) / span.sum()
    return {place: Heat(h.watts * w) for heat, w in zip(powers.inputs, mean, strict=True) for place, h in heat.items()}


def _held(grid: Grid, mean: Mapping[str, Heat]) -> Grid:
    """The grid with conductivities of the temperatures that each material has with the mean power."""
    if not any(m.varies for m in grid.materials):
        return grid
    field: Field = field_of(grid, mean)
    V = grid.volume
    T = [float((field.T * V)[grid.material == n].sum() / V[grid.material == n].sum()) if np.any(grid.material == n) else 25.0
         for n in range(1, len(grid.materials) + 1)]
    return replace(grid, materials=tuple(m.at(t) if m.varies else m for m, t in zip(grid.materials, T, strict=True)))


def _run(grid: Grid, powers: _Powers, mean: Mapping[str, Heat], wanted: Floats, saved: Floats, initial: str, tolerance: float) -> dict[str, Any]:
    """Temperatures of blocks at times on one grid."""
    grid = _held(grid, mean)
    coolant = grid.coolant(sum(h.watts for h in mean.values()))
    if coolant is not None:  # what it stores on its way is left out
        coolant = replace(coolant, capacity=np.zeros_like(coolant.capacity))
    solid = solid_of(grid, coolant)
    rest = np.nan_to_num(field_of(grid, {}, coolant=coolant, solid=solid).T)
    heat = np.array([cell_power(grid, one) for one in powers.inputs])
    ends = np.unique(np.concatenate([powers.times, wanted, saved]))
    gaps = np.diff(ends)
    longest = max(float(ends[-1] - ends[0]), 1e-6)
    shortest = min(max(float(gaps.min()) if gaps.size else longest, 1e-6 * longest), longest)
    largest = max(float(np.abs(powers.watts).max()), 1e-9)
    model = Response(solid, heat, shortest=shortest, longest=longest, tolerance=tolerance / largest, threads=THREADS)
    began, watts = powers.times, powers.watts
    if initial == "steady":
        began, watts = np.insert(began, 0, began[0] - BEFORE), np.vstack([watts[:1], watts])
    a = model.march(wanted, began, watts)
    names = list(grid.spans)
    block = np.full(grid.shape, -1, dtype=np.int64)
    for n, span in enumerate(grid.spans.values()):
        block[span.box] = n
    block[grid.material == 0] = -1
    solid_block = np.array([bool(np.any(grid.material[s.box] > 0)) for s in grid.spans.values()])
    highest, mean_T = np.full((len(wanted), len(names)), np.nan), np.full((len(wanted), len(names)), np.nan)
    highest[:] = model.hottest(a, block, rest)[0] if len(names) else highest
    V = grid.volume
    for n, span in enumerate(grid.spans.values()):
        weight = V[span.box]
        of_fields = np.array([float((v[span.box] * weight).sum() / weight.sum()) for v in model.fields])
        mean_T[:, n] = a @ of_fields + float((rest[span.box] * weight).sum() / weight.sum())
    highest[:, ~solid_block] = mean_T[:, ~solid_block] = np.nan
    flow = np.empty(grid.shape)
    leaves, stores = [], []
    for v in model.fields:
        solid.apply(v, threads=THREADS, out=flow)
        leaves.append(float(flow.sum()))
        stores.append(float((model.capacity * v).sum()))
    piece = np.searchsorted(began, wanted, side="right") - 1
    rates = watts[piece] @ model._gain.T - a @ model._conductance.T
    residual = watts[piece].sum(axis=1) - a @ np.array(leaves) - rates @ np.array(stores)
    T = np.empty((len(saved), *grid.shape))
    for n, coefficients in enumerate(model.march(saved, began, watts) if len(saved) else ()):
        T[n] = np.where(grid.material > 0, model.field(coefficients, rest), np.nan)
    return {"grid": grid, "mean": mean_T, "highest": highest, "error": model.error(wanted, began, watts), "residual": residual, "fields": T,
            "size": len(model.fields), "cycles": model.cycles}

r"""What a package's temperatures mean in K/W: junction to case and to coolant, layer by layer, and of one block on another.

Heat that flows through a resistance destroys :math:`q \, \Delta T` of it. Summed over a layer, with the heat that crosses its planes at
the temperature where it crosses,

.. math:: R_{layer} P^2 = \sum q_{in} T_{in} + \sum p \, T - \sum q_{out} T_{out}

is never negative, and the layers, films and the coolant's own warming add up to
:math:`(\sum p \, T / P) - T_{coolant}` over `P`: the mean of the junctions, each weighted with its power, above what the heat goes into. With
even flux a layer would have :math:`t / (k_z A)`, no less; what it has beyond that is spreading.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import thermo
from thermo.errors import ScenarioError, nearest
from thermo.package.description import Package, as_package, package_json
from thermo.package.grid import Resolution, grid_of, six
from thermo.package.solve import (
    ENDS,
    SAFETY,
    Field,
    Heat,
    block_rows,
    difference_of,
    doubled,
    field_of,
    heat_of,
    require_ways_out,
    solid_of,
)

__all__ = ["resistance"]

Floats = NDArray[np.float64]


def resistance(package: Package | str, power: Any = None, *, block: str | None = None, influence: bool = False,
               resolution: Resolution | None = None) -> xr.Dataset:
    """Thermal resistances of a package for one distribution of power.

    Parameters
    ----------
    package : Package or str
        Or its name in the library.
    power : optional
        As `thermo.package.solve_steady` takes it.
    block : str, optional
        The place whose junction is meant; None: the hottest of those that make heat.
    influence : bool
        Whether to solve once more for each place that makes heat, and tell how they heat each other.
    resolution : Resolution, optional
        How fine the grid is; the answer is on it with every cell halved, as in `thermo.package.solve_steady`.

    Returns
    -------
    found : Dataset
        All over the power of the whole package [K/W]: `junction_to_coolant` and `junction_to_case` (of the block's `mean` and `hot_spot`),
        `mean_resistance` and what it consists of along `part` (`part_resistance`, `part_even` with even flux); `spreading_resistance`.
        `spreading_factor` is `mean_resistance` over what it were with even flux in each layer; `hot_spot_factor` the hottest place of
        the block over its mean, above the coolant [1]. `discretisation_error` [K/W] of the block's, as `solve_steady` estimates it.
        Where asked for, `influence` (block, source): mean rise of one block for each watt in
        another, with conductivities held at the mean temperature found.

    Examples
    --------
    >>> from thermo.package import Block, Convection, Layer, Package, resistance
    >>> die = Layer(name="die", thickness=1e-4, material="interposer-silicon", blocks=(Block(name="all", width=0.02, length=0.02, power=100.0),))
    >>> chip = Package(name="chip", width=0.02, length=0.02, layers=(die,),
    ...                convection=(Convection(face="top", coefficient=1e4, temperature=40.0),))
    >>> resistance(chip)["part_resistance"].round(3).to_series().to_dict()
    {'die': 0.001, 'film': 0.25}
    """
    package = as_package(package)
    heat = heat_of(package, power)
    P = sum(h.watts for h in heat.values())
    if P <= 0 or any(h.watts < 0 for h in heat.values()):
        raise ScenarioError(f"package {package.name}: a resistance needs heat, and no block that takes some up; the powers add up to {P:g} W")
    coarse = grid_of(package, resolution, halvings=1)
    require_ways_out(coarse, heat)
    parent = field_of(coarse, heat)
    field = field_of(coarse.refined(), heat, start=doubled(parent.T))
    names = list(field.grid.spans)
    rows, before = block_rows(field), block_rows(parent)
    if block is None:
        block = max((n for n in names if n in heat and heat[n].watts > 0), key=lambda n: float(rows["highest"][names.index(n)]))
    if block not in names:
        raise ScenarioError(f"block: package {package.name} has no block {block!r}{nearest(block, names)}")
    at = names.index(block)
    parts, even, reference, case = _parts(field, P)
    total = float(np.nansum(np.nan_to_num(field.T) * field.power) / P - reference) / P
    T = np.array([rows["mean"][at], rows["highest"][at]])
    unit = {"units": "K/W"}
    data: dict[str, Any] = {
        "junction_to_coolant": ("junction", (T - reference) / P, unit | {"long_name": "block above the coolant that comes in, over all heat"}),
        "junction_to_case": ("junction", (T - case) / P, unit | {"long_name": "block above the mean of the case, over all heat"}),
        "discretisation_error": ((), SAFETY * float(difference_of(rows, before)[at]) / P,
                                 unit | {"long_name": "estimated error of discretisation of the block's mean and hot spot, over all heat"}),
        "mean_resistance": ((), total, unit | {"long_name": "mean of the heat's temperature above the coolant, over all heat"}),
        "part_resistance": ("part", list(parts.values()), unit | {"long_name": "what each part adds to the mean"}),
        "part_even": ("part", list(even.values()), unit | {"long_name": "the same with even flux in it"}),
        "spreading_resistance": ((), sum(parts.values()) - sum(even.values()), unit | {"long_name": "what uneven flux adds"}),
        "spreading_factor": ((), sum(parts.values()) / sum(even.values()), {"units": "1", "long_name": "mean resistance over that with even flux"}),
        "hot_spot_factor": ((), float((T[1] - reference) / (T[0] - reference)), {"units": "1", "long_name": "highest over mean rise of the block"}),
        "coolant": ((), reference, {"units": "degC", "long_name": "temperature of what the heat goes into"}),
    }
    coords: dict[str, Any] = {"junction": np.array(["mean", "hot_spot"], dtype=object), "part": np.array(list(parts), dtype=object)}
    if influence:
        blocks = [n for n in names if n in heat and heat[n].watts > 0]
        data["influence"] = (("block", "source"), _influence(heat, field, blocks), unit | {"long_name": "mean rise of a block for each watt in a source"})
        coords |= {"block": np.array(blocks, dtype=object), "source": np.array(blocks, dtype=object)}
    return xr.Dataset(data, coords=coords, attrs={
        "title": f"{package.title or package.name}: thermal resistance", "source": f"thermo {thermo.__version__}", "version": thermo.__version__,
        "package": json.dumps(package_json(package)), "block": block, "power": P})


def _parts(field: Field, P: float) -> tuple[dict[str, float], dict[str, float], float, float]:
    """What layers, films and coolant add to the mean resistance; the same with even flux; temperature of the sinks; of the case."""
    grid = field.grid
    z, area = np.diff(grid.z), np.diff(grid.y)[:, None] * np.diff(grid.x)
    heat_T = np.nansum(np.nan_to_num(field.T) * field.power, axis=(1, 2))  # of each plane of cells, W degC
    lost = np.zeros(len(z))  # q T that leaves each plane of cells sideways, through a face or into a coolant
    parts: dict[str, float] = {}
    sinks = film = film_even = 0.0
    for face, (axis, end) in enumerate(ENDS):
        q = field.through(face)
        if not np.any(q):
            continue
        h, T_film = grid.film[face], grid.film_temperature[face]
        sides = [np.diff(e) for n, e in enumerate((grid.z, grid.y, grid.x)) if n != axis]
        wall = T_film + q / np.where(h > 0, h * sides[0][:, None] * sides[1], 1.0)
        rows = slice(None) if axis else end
        lost[rows] += (q * wall).sum(axis=1 if axis else None)
        film += float((q * (wall - T_film)).sum())
        film_even += float(q.sum()) ** 2 / float((h * sides[0][:, None] * sides[1])[q != 0].sum())
        sinks += float((q * T_film).sum())
    wet = warmed = 0.0
    if field.coolant is not None:
        for c, cells, q, wall in field.wetted():
            lost[cells[0]] += float((q * wall).sum())
            wet += float((q * (wall - field.bulk[c])).sum())
            warmed += float((q * (field.bulk[c] - field.coolant.inlet[c])).sum())
        sinks += float((field.taken_up() * field.coolant.inlet).sum())
    passing, passing_T = np.zeros(len(z) + 1), np.zeros(len(z) + 1)  # heat across the lower face of each plane of cells, and q T of it
    for k in range(len(z) - 1):
        q, kz = field.upward(k), field.conductivity(2, k + 1)
        T = np.nan_to_num(field.T[k + 1]) + q * 0.5 * z[k + 1] / (area * np.where(kz > 0, kz, 1.0))
        passing[k + 1], passing_T[k + 1] = q.sum(), (q * T).sum()
    even: dict[str, float] = {}
    case = np.nan
    for n, layer in enumerate(grid.package.layers):
        at = np.flatnonzero(grid.layer == n)
        low, high = int(at[0]), int(at[-1]) + 1
        parts[layer.name] = float(heat_T[low:high].sum() + passing_T[low] - passing_T[high] - lost[low:high].sum()) / P**2
        even[layer.name] = _even(field, low, high, passing)
        if layer.name == grid.package.case and high < len(z):
            case = float(passing_T[high] / passing[high]) if passing[high] else np.nan
    for name, value, least in (("film", film, film_even), ("coolant film", wet, wet), ("coolant warming", warmed, warmed)):
        if value:
            parts[name], even[name] = value / P**2, least / P**2
    return parts, even, sinks / P, case


def _even(field: Field, low: int, high: int, passing: Floats) -> float:
    """Resistance of the cells [low, high) along z with even flux over the solid of each plane, for the heat that passes there [K/W]."""
    grid = field.grid
    z, area, P = np.diff(grid.z), np.diff(grid.y)[:, None] * np.diff(grid.x), field.power.sum()
    total = 0.0
    for k in range(low, high):
        kz = field.conductivity(2, k)
        a, b = passing[k], passing[k + 1]
        conducts = float((kz * area).sum())
        if conducts > 0:  # flux that changes evenly from one face to the other
            total += z[k] * (a * a + a * b + b * b) / 3 / conducts
        if k < len(grid.contact) and grid.contact[k] > 0:
            total += grid.contact[k] * b * b / float(area[kz > 0].sum())
    return float(total / P**2)


def _influence(heat: Mapping[str, Heat], field: Field, blocks: list[str]) -> Floats:
    """Mean rise of every block for one watt in each, with conductivities held at the mean temperature found."""
    mean = float(np.nanmean(field.T))
    grid = replace(field.grid, materials=tuple(m.at(mean) if m.varies else m for m in field.grid.materials),
                   film_temperature=six([np.zeros_like(T) for T in field.grid.film_temperature]))
    coolant = None if field.coolant is None else replace(field.coolant, inlet=np.zeros_like(field.coolant.inlet))
    solid, names = solid_of(grid, coolant), list(grid.spans)
    out = np.empty((len(blocks), len(blocks)))
    for j, source in enumerate(blocks):
        rows = block_rows(field_of(grid, {source: Heat(1.0, heat[source].spread)}, coolant=coolant, solid=solid))
        out[:, j] = [rows["mean"][names.index(b)] for b in blocks]
    return out

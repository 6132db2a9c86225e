"""What a rack is given to do: electrical power or utilisation against time.

A workload is an `xarray.DataArray` of float64 with dim ``time`` and, where its parts differ, ``server`` and ``device``,
in that order. Its time coordinate is in seconds (float64) or datetime64 (UTC, where the file says so). Its attributes:

=================  ==================================================================================================
``units``          ``"W"``: measured electrical power of each device; ``"1"``: utilisation, 0 to 1
``interpolation``  ``"constant"``: sample k holds on ``[t[k], t[k+1])``; ``"linear"``: straight from sample to sample
``history``        what was converted or repaired on the way in, with counts
others             provenance, as found: ``source``, ``licence``, ``title``, ...
=================  ==================================================================================================

The last sample closes the trace: under ``"constant"`` it has no duration and so no energy. There are at least two.

A trace is refused when a sample is missing or infinite, when times repeat, run backwards or are missing, when a power
is negative or a utilisation outside 0 to 1. Repairs happen only when asked for with `fill`, and are written into
``history``. An uneven step is no fault (a log of changes has every right to one); give `max_gap` to have longer steps
refused.
"""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from . import _files
from ._kernels import passes
from .errors import LimitError, TraceError, nearest, shown

__all__ = ["as_workload", "constant", "energy", "read", "resample"]

Fill = Literal["previous", "linear", "drop"]
DIMS = ("time", "server", "device")
INTERPOLATIONS = ("constant", "linear")
FILLS = ("previous", "linear", "drop")
UNITS = {"W": ("W", 1.0), "watt": ("W", 1.0), "watts": ("W", 1.0),
         "mW": ("W", 1e-3), "kW": ("W", 1e3), "MW": ("W", 1e6),
         "1": ("1", 1.0), "": ("1", 1.0), "dimensionless": ("1", 1.0), "%": ("1", 1e-2), "percent": ("1", 1e-2)}
MAX_POWER = 1e9  # W, of one column: more than any hall; a larger number has another unit
MAX_DEVICE_POWER = 1e6  # W, of one device: forty times the largest wafer
MOST_NANOSECONDS_DAYS = 106_000  # about 1970 that fit into datetime64[ns]
MAX_TIME = 1e11  # s, three thousand years: epoch seconds pass, epoch milliseconds do not
TIME_NAMES = ("time", "time_s", "timestamp", "timestamp_utc", "timestamp_local", "time_local", "datetime")
VARIABLES = ("workload", "device_power", "server_power", "power", "utilisation", "utilization")  # first choice first
LONG_NAMES = {"W": "electrical power", "1": "utilisation"}

_DEVICE, _SERVER = r"(?P<part>(?:gpu|card|device|accelerator)_?\d+)", r"(?P<part>(?:node|server)_?\d+)"
_POWER, _SHARE = r"_(?:power_(?:draw_)?)?(?:w|kw)", r"_(?:util|utili[sz]ation|use|busy)(?:_(?:pct|percent|frac))?"
CONVENTIONS = (  # what a column name says: its unit and the dim it runs along
    ("W", "device", re.compile(_DEVICE + _POWER, re.I)),
    ("1", "device", re.compile(_DEVICE + _SHARE, re.I)),
    ("W", "server", re.compile(_SERVER + _POWER, re.I)),
    ("1", "server", re.compile(_SERVER + _SHARE, re.I)),
    ("W", None, re.compile(r"(?P<part>(?:device_|gpu_|server_|node_)?power)_(?:draw_)?(?:w|kw)", re.I)),
    ("1", None, re.compile(r"(?P<part>(?:gpu_)?(?:util|utili[sz]ation))(?:_(?:pct|percent|frac))?", re.I)),
)


def read(path: str | os.PathLike[str], *, units: str | None = None, interpolation: str | None = None,
         time: str | None = None, columns: str | Iterable[str] | Mapping[str, str] | None = None,
         fill: Fill | None = None, max_gap: float | None = None) -> xr.DataArray:
    """Workload from a file, by its suffix: ``.csv``, ``.csv.gz``, ``.parquet``, ``.nc`` or ``.zarr``.

    Parameters
    ----------
    path : path
        A regular file (Zarr: a directory without links).
    units : str, optional
        ``"W"`` or ``"1"`` (also ``"kW"``, ``"%"``, converted) where neither names nor attributes say it.
    interpolation : {"constant", "linear"}, optional
        What holds between samples; default what the file says, else ``"constant"``.
    time : str, optional
        Column of times in a table: seconds, or ISO 8601 dates. Default ``time``, ``time_s`` or ``timestamp``.
    columns : str, list of str or mapping of str to str, optional
        Columns of a table to take, one per device (a mapping gives names to them; a lone str is one for all), or the
        variable of a dataset. Default by convention: ``gpu0_power_w``, ``card0_power_w`` or ``gpu0_util_pct`` are
        devices, ``node_1_w`` are servers, ``power_w`` is one column for all; else every column of numbers, when `units`
        says what they are.
    fill : {"previous", "linear", "drop"}, optional
        Repair instead of refusing; see `as_workload`.
    max_gap : float, optional
        Longest step between samples that is no fault. [s]

    Returns
    -------
    workload : DataArray, dims (time[, server][, device])
        Canonical, as the module describes. [W] or [1]

    Raises
    ------
    TraceError
        If the file cannot be read safely or the trace is not usable; the message names line, time and column.
    LimitError
        If it is larger than the limits in `thermo._files`.
    """
    path = Path(path)
    suffixes = [s.lower() for s in path.suffixes[-2:]]
    source = {"source": _files.name_of(path)}
    if suffixes[-1:] == [".csv"] or suffixes == [".csv", ".gz"]:
        table = _files.csv_table(path)
        return _from_table(table, path.name, units, interpolation, time, columns, fill, max_gap, source, first_line=2)
    if suffixes[-1:] in ([".parquet"], [".pq"]):
        table = _files.parquet_table(path)
        return _from_table(table, path.name, units, interpolation, time, columns, fill, max_gap, source)
    if suffixes[-1:] in ([".nc"], [".nc4"], [".h5"]):
        opened = _files.netcdf_dataset(path)
    elif suffixes[-1:] == [".zarr"]:
        opened = _files.zarr_dataset(path)
    else:
        raise TraceError(f"{path.name}: cannot tell the format from the name; known: .csv, .csv.gz, .parquet, .nc, "
                         ".zarr")
    with opened as dataset:
        if time is not None and time in dataset.variables and time != "time":
            dataset = dataset.rename({time: "time"})
        array = _variable(dataset, path.name, columns)
        if array.size > _files.MAX_SAMPLES:
            raise LimitError(f"{path.name}: {array.size} samples, the limit is {_files.MAX_SAMPLES}")
        with _files._refusing(path, "a trace"):
            array = array.load()
    array.attrs.setdefault("source", path.name)
    return _from_array(array, path.name, units, interpolation, fill, max_gap)


def as_workload(thing: Any, *, units: str | None = None, interpolation: str | None = None, fill: Fill | None = None,
                max_gap: float | None = None, duration: float = 3600.0) -> xr.DataArray:
    """Whatever describes a workload, as a canonical one.

    Parameters
    ----------
    thing : DataArray, Dataset, Series, DataFrame, path or number
        A Series or DataFrame has time as its index. A number is constant for `duration`.
    units : str, optional
        ``"W"`` or ``"1"`` where `thing` does not say it. A number without it is a utilisation.
    interpolation : {"constant", "linear"}, optional
        Overrides what `thing` says; default ``"constant"``.
    fill : {"previous", "linear", "drop"}, optional
        Without it, a faulty trace is refused. With it: rows without a time are dropped, rows are sorted, of rows at one
        time the last is kept, then missing samples take the previous value, or the line between their neighbours, or
        their whole row is dropped. Infinite, negative or too large samples are refused all the same.
    max_gap : float, optional
        Longest step between samples that is no fault; with `fill`, longer ones are counted in ``history``. [s]
    duration : float
        Length, where `thing` is a number. [s]

    Returns
    -------
    workload : DataArray, dims (time[, server][, device])
        A copy; `thing` is left as it is. [W] or [1]

    Raises
    ------
    TraceError
        If `thing` cannot be used; the message names sample, time and column.

    Examples
    --------
    >>> import pandas as pd
    >>> as_workload(pd.Series([200.0, 700.0], index=[0.0, 60.0]), units="W").attrs["interpolation"]
    'constant'
    """
    if isinstance(thing, xr.DataArray):
        return _from_array(thing, "workload", units, interpolation, fill, max_gap)
    if isinstance(thing, xr.Dataset):
        return _from_array(_variable(thing, "dataset", None), "workload", units, interpolation, fill, max_gap)
    if isinstance(thing, pd.Series):
        thing = thing.to_frame("workload" if thing.name is None else str(thing.name))
        one = _from_pandas(thing, "series", units, interpolation, fill, max_gap)
        return one.isel({d: 0 for d in one.dims if d != "time"}, drop=True)
    if isinstance(thing, pd.DataFrame):
        return _from_pandas(thing, "table", units, interpolation, fill, max_gap)
    if isinstance(thing, (str, os.PathLike)):
        return read(thing, units=units, interpolation=interpolation, fill=fill, max_gap=max_gap)
    if isinstance(thing, (int, float, np.integer, np.floating)) and not isinstance(thing, bool):
        flat = constant(float(thing), units="1" if units is None else units, duration=duration)
        return flat.assign_attrs(interpolation=_one_of("interpolation", interpolation, INTERPOLATIONS) or "constant")
    raise TraceError(f"workload is a {type(thing).__name__}, expected a DataArray with dim time, a Series or "
                     "DataFrame with "
                     "time as index, a path or a number")


def constant(value: float, *, units: str = "1", duration: float = 3600.0,
             time_step: float | None = None) -> xr.DataArray:
    """The same load for all the time, on every device.

    Parameters
    ----------
    value : float
        Utilisation in [0, 1], or power. [1] or [W]
    units : {"1", "W"}
        What `value` is; ``"%"`` and ``"kW"`` are converted.
    duration : float
        Length of the trace. [s]
    time_step : float, optional
        Distance of its samples; default two samples, 0 and `duration`. [s]

    Returns
    -------
    workload : DataArray, dims (time,)

    Examples
    --------
    >>> constant(0.5, duration=60.0).values
    array([0.5, 0.5])
    """
    duration = _positive("duration", duration)
    step = duration if time_step is None else _positive("time_step", time_step)
    times = _grid(duration, step)
    try:
        level = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TraceError(f"value is {shown(value)}, expected a number") from None
    if isinstance(value, bool | str | bytes):
        raise TraceError(f"value is {shown(value)}, expected a number")
    canonical, factor = _unit(units, "workload")
    if canonical == "W" and level * factor > MAX_DEVICE_POWER:
        raise TraceError(f"value is {level * factor:g} W, expected 0 to {MAX_DEVICE_POWER:g} W: it is the power of "
                         "each device")
    flat = xr.DataArray(np.full(len(times), level), dims="time", coords={"time": times}, attrs={"units": units})
    return _from_array(flat, "workload", units, "constant", None, None)


def resample(workload: xr.DataArray, times_or_step: ArrayLike | float) -> xr.DataArray:
    """The same energy on other times: each new sample is the mean of the old signal over its interval.

    Parameters
    ----------
    workload : DataArray
        Anything `as_workload` takes.
    times_or_step : array_like, shape (m + 1,), or float
        New times, increasing, within the workload's own span (seconds, or datetime64 as the workload has); or a step
        [s], then they run from the first sample to the last one, with whatever is left as the last interval.

    Returns
    -------
    resampled : DataArray, dims as `workload`
        Piecewise constant, whatever `workload` was: sample j is the mean over ``[u[j], u[j+1])``. The last one closes
        the trace with the workload's value at that time.

    Raises
    ------
    TraceError
        If the times are not increasing or leave the workload's span.

    Notes
    -----
    Dates whose clock is too coarse for the new times become ``datetime64[ns]``. Exact for both interpolations; energy
    over every new interval is kept to rounding, and where the signal is constant its value is kept to the last bit. So
    refining and then coarsening a piecewise constant workload gives it back, bit by bit. For a linear one only the
    energy comes back: the straight lines are gone.
    """
    workload = as_workload(workload)
    t, old = _seconds(workload), workload["time"].values
    if np.ndim(times_or_step) == 0:
        if isinstance(times_or_step, np.timedelta64):
            times_or_step = float(times_or_step / np.timedelta64(1, "s"))
        edges = t[0] + _grid(float(t[-1] - t[0]), _positive("step", times_or_step))
        edges[-1] = t[-1]
        new = _on_the_clock(old, edges - t[0]) if old.dtype.kind == "M" else edges
        if old.dtype.kind == "M":  # what the clock can express is what counts
            new[-1] = old[-1]
            edges = _seconds_since(new, old[0])
    else:
        new = np.asarray(times_or_step)
        if (new.dtype.kind == "M") != (old.dtype.kind == "M") or new.dtype.kind not in "Mfiu" or new.ndim != 1:
            raise TraceError(f"times are {new.dtype} of {new.ndim} dims, expected one dim of {old.dtype} like the "
                             "workload's time")
        new = new if old.dtype.kind == "M" else new.astype(np.float64)
        if np.isnat(new).any() if old.dtype.kind == "M" else not np.isfinite(new).all():
            raise TraceError("times for resampling must be at least two, increasing and distinct; one of them is "
                             "missing")
        edges = np.ascontiguousarray(_seconds_since(new, old[0]) if old.dtype.kind == "M" else new)
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise TraceError("times for resampling must be at least two, increasing and distinct"
                         + ("" if len(edges) < 2 else f"; sample {int(np.argmin(np.diff(edges) > 0)) + 1} is not"))
    if edges[0] < t[0] or edges[-1] > t[-1]:
        raise TraceError(f"times for resampling run from {edges[0]:g} to {edges[-1]:g} s, outside the workload's "
                         f"{t[0]:g} to {t[-1]:g} s")
    x = workload.values.reshape(len(t), -1)
    out = np.empty((len(edges), x.shape[1]))
    passes.interval_means(t, x, edges, linear=workload.attrs["interpolation"] == "linear", out=out)
    coords = {name: c for name, c in workload.coords.items() if "time" not in c.dims}
    attrs = workload.attrs | {"interpolation": "constant"}
    _note(attrs, f"resampled from {len(t)} to {len(edges)} samples, interval means")
    return xr.DataArray(out.reshape(len(edges), *workload.shape[1:]), dims=workload.dims,
                        coords={"time": ("time", new)} | coords, attrs=attrs, name=workload.name)


def sampled_too(workload: xr.DataArray, instants: NDArray[Any]) -> xr.DataArray:
    """A workload with samples at further instants, so that it says the same at every time.

    Parameters
    ----------
    workload : DataArray
        As `as_workload` gives it.
    instants : ndarray
        Seconds or dates, as its times are, inside its span. Those that are samples already change nothing.

    Examples
    --------
    >>> load = constant(0.5, duration=10.0)
    >>> sampled_too(load, np.array([4.0]))["time"].values.tolist()
    [0.0, 4.0, 10.0]
    """
    times = workload["time"].to_numpy()
    new = np.setdiff1d(instants, times)
    if not new.size:
        return workload
    every = np.concatenate([times, new])
    order = np.argsort(every, kind="stable")
    every = every[order]
    at = np.searchsorted(times, every, side="right") - 1
    out = workload.isel(time=at).assign_coords(time=("time", every, workload["time"].attrs))
    if workload.attrs.get("interpolation") != "linear":
        return out
    behind = np.minimum(at + 1, times.size - 1)
    part = (every - times[at]) / np.where(behind > at, times[behind] - times[at], every[-1:] - every[:1])
    values = workload.to_numpy()
    axis = workload.get_axis_num("time")
    share = np.asarray(part, dtype=np.float64).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    first = values.take(at, axis)
    return out.copy(data=first + share * (values.take(behind, axis) - first))


def energy(workload: xr.DataArray) -> xr.DataArray:
    """Energy of a workload in watts, its integral over time.

    Parameters
    ----------
    workload : DataArray, dims (time, ...)
        In W; anything `as_workload` takes.

    Returns
    -------
    energy : DataArray, dims (...)
        Of each server and device. [J]

    Examples
    --------
    >>> float(energy(constant(500.0, units="W", duration=60.0)))
    30000.0
    """
    workload = as_workload(workload)
    if workload.attrs["units"] != "W":
        raise TraceError("energy needs a workload in W; this one is a utilisation")
    x, dt = workload.values, np.diff(_seconds(workload))
    held = 0.5 * (x[:-1] + x[1:]) if workload.attrs["interpolation"] == "linear" else x[:-1]
    joules = (dt.reshape(-1, *[1] * (x.ndim - 1)) * held).sum(axis=0)
    coords = {name: c for name, c in workload.coords.items() if "time" not in c.dims}
    return xr.DataArray(joules, dims=workload.dims[1:], coords=coords, name="energy",
                        attrs={"units": "J", "long_name": "energy of the workload"})


# From tables and arrays to the canonical form -----------------------------------------------------------------------

def _from_table(table: pd.DataFrame, place: str, units: str | None, interpolation: str | None, time: str | None,
                columns: str | Iterable[str] | Mapping[str, str] | None, fill: Fill | None, max_gap: float | None,
                attrs: Mapping[str, Any], first_line: int | None = None) -> xr.DataArray:
    """A table with a time column; `first_line` is the line of the file that holds its first row."""
    names = [str(name) for name in table.columns]
    if time is None:
        found = [name for name in names if name.lower() in TIME_NAMES]
        if not found:
            raise TraceError(f"{place}: no time column ({', '.join(TIME_NAMES[:3])}); give time=, one of "
                             f"{shown(names)}")
        time = min(found, key=lambda name: TIME_NAMES.index(name.lower()))
    elif time not in names:
        raise TraceError(f"{place}: no column {shown(time)} for the time{nearest(time, names)}")
    times = _times(table[time], place, time, first_line)
    rest = table.drop(columns=[time])
    return _from_columns(rest, times, place, units, interpolation, columns, fill, max_gap, attrs, first_line)


def _from_pandas(table: pd.DataFrame, place: str, units: str | None, interpolation: str | None, fill: Fill | None,
                 max_gap: float | None) -> xr.DataArray:
    """A table with time as its index."""
    if table.index.nlevels > 1 or table.columns.nlevels > 1:
        raise TraceError(f"{place}: has several levels in index or columns; give a DataArray with dims time, server, "
                         "device")
    named = table.index.name if table.index.name is not None else "index"
    times = _times(pd.Series(table.index, index=range(len(table))), place, str(named), None)
    renamed = table.set_axis([str(c) for c in table.columns], axis=1)
    return _from_columns(renamed, times, place, units, interpolation, None, fill, max_gap, {})


def _from_columns(table: pd.DataFrame, times: NDArray[Any], place: str, units: str | None, interpolation: str | None,
                  columns: str | Iterable[str] | Mapping[str, str] | None, fill: Fill | None, max_gap: float | None,
                  attrs: Mapping[str, Any], first_line: int | None = None) -> xr.DataArray:
    """Chosen columns along one dim, in one unit."""
    names = list(table.columns)
    if len(set(names)) < len(names):
        raise TraceError(f"{place}: a column name is there more than once")
    wanted = None if units is None else _unit(units, place)[0]
    chosen, dim, told = _chosen(table, place, wanted, columns)
    history: dict[str, Any] = dict(attrs)
    values = np.empty((len(table), len(chosen)))
    factors = set()
    for j, name in enumerate(chosen.values()):
        unit, factor = _unit_of_name(name) or (None, 1.0)
        if wanted is not None and unit is not None and unit != wanted:
            raise TraceError(f"{place}: column {shown(name)} is in {unit} by its name, units= says {units}")
        if wanted is None and unit is None and told is None:
            raise TraceError(f"{place}: cannot tell whether {shown(name)} is power or utilisation; give units=\"W\" "
                             "or units=\"1\"")
        told = told or unit
        if unit is not None and unit != told:
            raise TraceError(f"{place}: columns mix W and utilisation; choose with columns=")
        if unit is None and units is not None:
            factor = _unit(units, place)[1]
        factors.add(factor)
        values[:, j] = _numbers(table[name], place, name, first_line)
        if factor != 1.0:
            values[:, j] *= factor
    for factor in sorted(factors - {1.0}):
        _note(history, f"multiplied by {factor:g} to {told or wanted}")
    history |= {"units": wanted or told, "interpolation": interpolation or "constant"}
    if dim is None:
        array = xr.DataArray(values[:, 0], dims="time", attrs=history)
    else:
        array = xr.DataArray(values, dims=("time", dim), attrs=history,
                             coords={f"{dim}_name": (dim, np.array(list(chosen), dtype=str))})
    return _canonical(array, times, place, fill, max_gap, list(chosen.values()), first_line)


def _chosen(table: pd.DataFrame, place: str, wanted: str | None, columns: str | Iterable[str] | Mapping[str, str] | None
            ) -> tuple[dict[str, str], str | None, str | None]:
    """Name of each part and its column; the dim they run along; the unit if a convention told it."""
    names = list(table.columns)
    if columns is not None:
        single = isinstance(columns, str)
        listed = [columns] if isinstance(columns, str) else columns
        pairs = dict(listed) if isinstance(listed, Mapping) else {column: column for column in listed}
        if not pairs:
            raise TraceError(f"{place}: columns= is empty")
        for column in pairs.values():
            if column not in names:
                raise TraceError(f"{place}: no column {shown(column)}{nearest(str(column), names)}")
        servers = all(CONVENTIONS[2][2].fullmatch(c) or CONVENTIONS[3][2].fullmatch(c) for c in pairs.values())
        return {str(k): v for k, v in pairs.items()}, None if single else "server" if servers else "device", None
    for unit, dim, pattern in CONVENTIONS:
        matches = {m["part"]: name for name in names if (m := pattern.fullmatch(name))}
        if matches and wanted in (None, unit):
            if dim is None and len(matches) > 1:
                raise TraceError(f"{place}: {shown(list(matches.values()))} could all be meant; choose with columns=")
            return matches, dim, unit
    numeric = [name for name in names if table[name].dtype.kind in "fiu" and _unit_of_name(name) is None]
    named = [name for name in names if (u := _unit_of_name(name)) is not None and wanted in (None, u[0])]
    if len(named) == 1 and (wanted is not None or not numeric):
        return {named[0]: named[0]}, None, None
    if named:
        raise TraceError(f"{place}: which column is the load? Choose with columns=, from {shown(names)}")
    others = [name for name in names if name not in numeric]
    if not names or not numeric and not others:
        raise TraceError(f"{place}: has no column beside the time")
    if wanted is None:
        raise TraceError(f"{place}: cannot tell whether {shown(names)} are power or utilisation; give units=\"W\" or "
                         "units=\"1\"")
    return {name: name for name in (names if others else numeric)}, "device", None


def _unit_of_name(name: str) -> tuple[str, float] | None:
    """Canonical unit and factor that a column's suffix says, or None."""
    low = name.lower()
    if low.endswith("_kw"):
        return "W", 1e3
    if low.endswith(("_w", "_watts")):
        return "W", 1.0
    if low.endswith(("_pct", "_percent")):
        return "1", 1e-2
    if f"_{low}".endswith(("_frac", "_util", "_utilisation", "_utilization")):
        return "1", 1.0
    return None


def _variable(dataset: xr.Dataset, place: str, columns: object) -> xr.DataArray:
    """The workload of a dataset: the one asked for, the only one along time, or the first that bears a usual name."""
    along = [str(name) for name, v in dataset.data_vars.items() if "time" in v.dims]
    if columns is not None:
        if not isinstance(columns, str) or columns not in along:
            raise TraceError(f"{place}: no variable {shown(columns)} along time{nearest(str(columns), along)}")
        return dataset[columns]
    if len(along) == 1:
        return dataset[along[0]]
    for name in VARIABLES:
        if name in along:
            return dataset[name]
    if not along:
        raise TraceError(f"{place}: has no variable along a dim called time")
    raise TraceError(f"{place}: which variable is the load? Choose with columns=, from {shown(along)}")


def _from_array(array: xr.DataArray, place: str, units: str | None, interpolation: str | None, fill: Fill | None,
                max_gap: float | None) -> xr.DataArray:
    """A labelled array: its dims, dtype, unit; then its samples."""
    dims = [str(d) for d in array.dims]
    if "time" not in dims or "time" not in array.coords:
        raise TraceError(f"{place}: has dims {shown(dims)}, expected time (with its coordinate) and optionally "
                         "server, device")
    if odd := [d for d in dims if d not in DIMS]:
        raise TraceError(f"{place}: unknown dim {shown(odd[0])}{nearest(odd[0], DIMS)}")
    if array.size > _files.MAX_SAMPLES:
        raise LimitError(f"{place}: {array.size} samples, the limit is {_files.MAX_SAMPLES}")
    if array.dtype.kind not in "fiu":
        raise TraceError(f"{place}: samples are {array.dtype}, expected real numbers")
    told = array.attrs.get("units")
    if told is None and units is None:
        raise TraceError(f"{place}: has no units; give units=\"W\" (power of each device) or units=\"1\" (utilisation)")
    canonical, factor = _unit(told if told is not None else units, place)
    if units is not None and _unit(units, place)[0] != canonical:
        raise TraceError(f"{place}: its attribute says units {shown(told)}, the argument {shown(units)}")
    attrs = {k: v for k, v in array.attrs.items() if isinstance(v, (str, int, float, np.integer, np.floating))}
    attrs["units"] = canonical
    if factor != 1.0:
        _note(attrs, f"multiplied by {factor:g} to {canonical}")
    told_how = attrs.get("interpolation")
    attrs["interpolation"] = _one_of("interpolation", interpolation if interpolation is not None else told_how,
                                     INTERPOLATIONS) or "constant"
    array = array.transpose(*[d for d in DIMS if d in dims])
    values = np.array(array.values, dtype=np.float64, order="C", copy=True)
    if factor != 1.0:
        values *= factor
    coords: dict[str, Any] = {}
    for name, c in array.coords.items():
        if "time" in c.dims or len(c.dims) != 1 or c.dtype.kind not in "OUTfiu":
            continue
        if isinstance(array.indexes.get(name), pd.MultiIndex):
            continue
        labels = c.values.astype(str) if c.dtype.kind in "OT" else c.values.copy()
        coords[str(name)] = (c.dims[0], labels, {k: v for k, v in c.attrs.items() if isinstance(v, str)})
    index = array["time"].to_series() if array["time"].ndim == 1 else None
    if index is None or isinstance(array.indexes.get("time"), pd.MultiIndex):
        raise TraceError(f"{place}: the time coordinate is not a simple one")
    times = _times(pd.Series(array["time"].values), place, "time", None)
    labelled = xr.DataArray(values, dims=array.dims, coords=coords, attrs=attrs, name=array.name)
    return _canonical(labelled, times, place, fill, max_gap, None, None)


def _numbers(column: pd.Series, place: str, name: str, first_line: int | None) -> NDArray[np.float64]:
    """A column as float64, NaN where missing; a word in it is a fault."""
    if column.dtype.kind in "fiu":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if column.dtype.kind in "bcmM" or isinstance(column.dtype, pd.CategoricalDtype):
        raise TraceError(f"{place}: column {shown(name)} holds {column.dtype}, expected real numbers")
    text = column.map(lambda cell: isinstance(cell, str))
    numbers = pd.to_numeric(column.where(text), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(column.notna().to_numpy() & np.isnan(numbers))
    if len(bad):
        raise TraceError(f"{_line(place, int(bad[0]), first_line)}: {name} is {shown(column.iloc[int(bad[0])])}, "
                         "expected a number"
                         + _more(len(bad)))
    if first_line is None:
        raise TraceError(f"{place}: column {shown(name)} holds {column.dtype}, expected real numbers")
    return numbers


def _times(column: pd.Series, place: str, name: str, first_line: int | None) -> NDArray[Any]:
    """Times as float64 seconds or datetime64 in UTC without zone; NaN or NaT where missing."""
    kind = column.dtype.kind
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    if kind == "M":
        return column.to_numpy().copy()
    if kind == "m":
        return np.where(column.isna(), np.nan, column.dt.total_seconds()).astype(np.float64)
    if kind in "fiu":
        return column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    if len(column) == 0:
        return np.empty(0)
    if kind in "bc" or column.isna().all():
        raise TraceError(f"{place}: times in {shown(name)} are {column.dtype}, expected seconds or dates")
    text = column.where(column.map(lambda cell: isinstance(cell, str)))
    if pd.to_numeric(text.dropna().iloc[:1], errors="coerce").notna().any():  # seconds, and then a word among them
        return _numbers(column, place, name, first_line)
    parsed = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    bad = np.flatnonzero((column.notna() & parsed.isna()).to_numpy())
    if len(bad):
        raise TraceError(f"{_line(place, int(bad[0]), first_line)}: {name} is {shown(column.iloc[int(bad[0])])}, "
                         "expected seconds or "
                         "a date like 2026-01-08 14:05:00" + _more(len(bad)))
    return parsed.dt.tz_localize(None).to_numpy()


def _canonical(array: xr.DataArray, times: NDArray[Any], place: str, fill: Fill | None, max_gap: float | None,
               columns: list[str] | None, first_line: int | None) -> xr.DataArray:
    """`array` (ours to change) with `times`, after the checks, after the repairs asked for."""
    _one_of("fill", fill, FILLS)
    attrs = dict(array.attrs)
    attrs["interpolation"] = _one_of("interpolation", attrs["interpolation"], INTERPOLATIONS)
    values, rows = array.values, np.arange(len(times))
    if max_gap is not None:
        max_gap = _positive("max_gap", max_gap)
    if fill is not None and len(times):
        values, times, rows = _repaired(values, times, rows, fill, attrs, place)
    faults: list[str] = []

    def where(k: int) -> str:
        return f"{_line(place, int(rows[k]), first_line)} (time {_shown_time(times[k])})"

    def fault(bad: NDArray[np.bool_], say: Callable[[int, str], str]) -> None:
        """Name the first of the `bad` samples, (time,) or (time, ...), and count the others."""
        if bad.any():
            first = int(np.argmax(bad))
            k, c = divmod(first, bad[0].size)
            column = columns[c] if columns else _part(array, c) if bad[0].size > 1 else "the sample"
            faults.append(f"{where(k)}: {say(first, column)}{_more(int(bad.sum()))}")

    if len(times) < 2 or values.size == 0:
        raise TraceError(f"{place}: {len(times)} samples of {values[0].size if len(times) else 0} columns; expected "
                         "two samples at "
                         "least (the last one closes the trace); for a constant load use thermo.workload.constant")
    if times.dtype.kind == "M":
        lost, t = np.isnat(times), _seconds_since(times, times[0])
    else:
        lost, t = np.isnan(times), times
        fault(np.isinf(times) | (np.abs(times) > MAX_TIME),
              lambda i, _: f"time is {times[i]:g} s; is it in milliseconds or nanoseconds?")
    fault(lost, lambda i, _: "the time is missing; fill=\"drop\" leaves such rows out")
    steps = np.diff(t, prepend=t[0] - 1.0)
    fault(steps == 0, lambda i, _: "this time was there already; fill=\"drop\" keeps the last of equal times")
    fault(steps < 0, lambda i, _: f"time runs backwards by {-steps[i]:g} s; fill=\"drop\" sorts")
    flat, unit = values.reshape(-1), attrs["units"]
    if max_gap is not None and (long := steps > max_gap).any():
        if fill is None:
            fault(long, lambda i, _: f"a gap of {steps[i]:g} s lies before it, max_gap is {max_gap:g} s")
        else:
            _note(attrs, f"{int(long.sum())} gaps longer than {max_gap:g} s bridged ({attrs['interpolation']})")
    fault(np.isnan(values), lambda i, c: f"{c} is missing; give fill=\"previous\", \"linear\" or \"drop\"")
    fault(np.isinf(values), lambda i, c: f"{c} is {flat[i]:g}")
    fault(values < 0, lambda i, c: f"{c} is {flat[i]:g} {unit}, negative")
    if unit == "1":
        perhaps = "in percent? units=\"%\"" if np.nanmax(values, initial=0.0) <= 100.0 else "a power? units=\"W\""
        fault((values > 1) & np.isfinite(values), lambda i, c: f"{c} is {flat[i]:g}, expected 0 to 1; is it {perhaps}")
    else:
        most, of = (MAX_DEVICE_POWER, " of one device") if "device" in array.dims else (MAX_POWER, "")
        fault((values > most) & np.isfinite(values),
              lambda i, c: f"{c} is {flat[i]:g} W, expected 0 to {most:g} W{of}; is it in another unit? "
                           "Say units=\"mW\"")
    if faults:
        raise TraceError(" | ".join(faults))
    attrs.setdefault("long_name", LONG_NAMES[unit])
    seconds = {} if times.dtype.kind == "M" else {"units": "s", "long_name": "time"}
    return xr.DataArray(np.ascontiguousarray(values), dims=array.dims, name=array.name or "workload", attrs=attrs,
                        coords={"time": ("time", times, seconds)} | {k: c for k, c in array.coords.items()})


def _repaired(values: NDArray[np.float64], times: NDArray[Any], rows: NDArray[np.intp], fill: Fill,
              attrs: dict[str, Any],
              place: str) -> tuple[NDArray[np.float64], NDArray[Any], NDArray[np.intp]]:
    """Rows with a time, sorted, the last of each time, missing samples filled; each repair noted."""
    keep = ~pd.isna(times)
    if not keep.all():
        _note(attrs, f"{int((~keep).sum())} rows without a time dropped")
        values, times, rows = values[keep], times[keep], rows[keep]
    if (np.diff(times) < np.array(0, dtype=np.diff(times).dtype)).any():
        order = np.argsort(times, kind="stable")
        _note(attrs, f"{int((order != np.arange(len(order))).sum())} rows moved to sort by time")
        values, times, rows = values[order], times[order], rows[order]
    last = np.append(times[1:] != times[:-1], True) if len(times) else np.empty(0, bool)
    if not last.all():
        _note(attrs, f"{int((~last).sum())} rows dropped for equal times, the last kept")
        values, times, rows = values[last], times[last], rows[last]
    missing = np.isnan(values)
    if not missing.any():
        return values, times, rows
    if fill == "drop":
        good = ~missing.reshape(len(times), -1).any(axis=1)
        _note(attrs, f"{int((~good).sum())} rows with missing samples dropped")
        return values[good], times[good], rows[good]
    seconds = _seconds_since(times, times[0]) if times.dtype.kind == "M" else times
    flat, holes = values.reshape(len(times), -1), missing.reshape(len(times), -1)
    for c in np.flatnonzero(holes.any(axis=0)):
        known = np.flatnonzero(~holes[:, c])
        if not len(known):
            continue  # refused as missing, below
        gaps = np.flatnonzero(holes[:, c])
        if fill == "previous":
            gaps = gaps[gaps > known[0]]
            flat[gaps, c] = flat[known[np.searchsorted(known, gaps) - 1], c]
        else:
            gaps = gaps[(gaps > known[0]) & (gaps < known[-1])]
            flat[gaps, c] = np.interp(seconds[gaps], seconds[known], flat[known, c])
    _note(attrs, f"{int(missing.sum() - np.isnan(values).sum())} missing samples filled ({fill})")
    return values, times, rows


# Small things -------------------------------------------------------------------------------------------------------

def _seconds(workload: xr.DataArray) -> NDArray[np.float64]:
    """Times of a canonical workload: its own seconds, or those since its first date."""
    times = workload["time"].values
    return _seconds_since(times, times[0]) if times.dtype.kind == "M" else np.ascontiguousarray(times)


def _seconds_since(times: NDArray[Any], start: Any) -> NDArray[np.float64]:
    return np.asarray((times - start) / np.timedelta64(1, "s"), dtype=np.float64)


def _durations(seconds: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Seconds as timedelta64 in the resolution of the clock `dtype`."""
    unit = np.datetime_data(dtype)[0]
    ticks = np.array(1, dtype="m8[s]") / np.array(1, dtype=f"m8[{unit}]")
    return np.rint(seconds * ticks).astype(f"m8[{unit}]")


def _on_the_clock(dates: NDArray[Any], seconds: NDArray[np.float64]) -> NDArray[Any]:
    """The first of `dates` plus `seconds`, on their clock where that can say them, else in nanoseconds."""
    durations = _durations(seconds, dates.dtype)
    if np.max(np.abs(durations / np.timedelta64(1, "s") - seconds)) <= 1e-9 * max(1.0, float(seconds[1])):
        return np.asarray(dates[0] + durations)
    unit = np.datetime_data(dates.dtype)[0]
    if np.any(np.abs(dates[[0, -1]] - np.datetime64("1970-01-01")) > np.timedelta64(MOST_NANOSECONDS_DAYS, "D")):
        raise TraceError(f"a step of {seconds[1]:g} s cannot be said on the workload's clock, datetime64[{unit}], and "
                         "its dates lie "
                         "outside 1678 to 2262, where there are nanoseconds; give whole steps of that clock")
    return np.asarray(dates[0].astype("M8[ns]") + _durations(seconds, np.dtype("M8[ns]")))


def _grid(duration: float, step: float) -> NDArray[np.float64]:
    """0, step, 2 step, ... and then `duration`; a last interval shorter than a billionth of a step is no interval."""
    n = duration / step
    if n > _files.MAX_SAMPLES:
        raise LimitError(f"{n:g} samples of {step:g} s, the limit is {_files.MAX_SAMPLES}")
    times: NDArray[np.float64] = np.arange(int(np.ceil(n - 1e-9)) + 1) * np.float64(step)
    times[-1] = duration
    return times if len(times) > 1 else np.array([0.0, duration])


def _unit(units: object, place: str) -> tuple[str, float]:
    """Canonical unit and factor."""
    if str(units) not in UNITS:
        raise TraceError(f"{place}: units are {shown(units)}, expected \"W\" (power of each device) or \"1\" "
                         "(utilisation)")
    return UNITS[str(units)]


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> Any:
    if value is not None and value not in known:
        raise TraceError(f"{name} is {shown(value)}, expected one of {', '.join(known)}")
    return value


def _positive(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = np.nan
    if not 0.0 < number <= MAX_TIME:
        raise TraceError(f"{name} is {shown(value)}, expected seconds above 0 and up to {MAX_TIME:g}")
    return number


def _note(attrs: dict[str, Any], what: str) -> None:
    attrs["history"] = f"{attrs['history']}; {what}" if attrs.get("history") else what


def _line(place: str, row: int, first_line: int | None) -> str:
    return f"{place}: sample {row}" if first_line is None else f"{place}:{row + first_line}"


def _shown_time(time: Any) -> str:
    return str(time)[:23] if isinstance(time, np.datetime64) else f"{time:.10g} s"


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _part(array: xr.DataArray, c: int) -> str:
    """`server 2, device 5` for column c of the flattened array."""
    where = np.unravel_index(c, array.shape[1:])
    return ", ".join(f"{dim} {int(k)}" for dim, k in zip(array.dims[1:], where, strict=True))


# Made workloads live in `thermo.generators`, which needs this module: they are looked up there when asked for ---------

__all__ += ["gpu_burn", "hpl", "inference", "training"]

if TYPE_CHECKING:
    from thermo.generators import gpu_burn, hpl, inference, training
else:
    def __getattr__(name: str) -> Any:
        if name not in ("gpu_burn", "hpl", "inference", "training"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from thermo import generators
        return getattr(generators, name)

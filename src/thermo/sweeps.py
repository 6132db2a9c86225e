"""Any scenario over any of its numbers: a grid, a list of cases, or a random sample.

What is varied has a dotted name: ``cooling.supply_temperature``, ``ambient.air_temperature``, ``rack.servers``,
``rack.slots.0.server.fans.count``, ``power.stages.ups.redundancy``: an argument of `thermo.simulate_rack`, then fields of its
descriptions; what stands in a list is named by its place or its own name. A name without a dot replaces the whole argument
(``cooling`` over several designs, ``workload`` over utilisations).

Each case is one run; of each the numbers of `thermo.compare.FIGURES` are kept, or what a function of one's own makes of the
result. With a `store` each case is written as it ends, one line of JSON, so that a sweep that was stopped goes on where it was.
"""
from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import xarray as xr

from thermo.compare import FIGURES, figures, shown_progress, side_by_side
from thermo.errors import (
    CheckpointError,
    LimitError,
    OutputError,
    ScenarioError,
    ThermoError,
    nearest,
    require_between,
    shown,
)
from thermo.rack import Described, Rack
from thermo.simulate import simulate_rack

__all__ = ["sweep", "varied"]

MOST_CASES = 10_000_000
ARGUMENTS = ("rack", "workload", "cooling", "power", "ambient", "time_step", "events", "initial", "solver", "tolerance")
FORMAT = "thermo-sweep 1"


def sweep(scenario: Mapping[str, Any], parameters: Any, *, samples: int | None = None, seed: int = 0,
          record: Callable[[xr.Dataset], Mapping[str, float]] | Sequence[str] | None = None, store: Any = None,
          workers: int | None = None, progress: bool | Callable[[float], None] = False) -> xr.Dataset:
    """Run a scenario at many points of its parameters.

    Parameters
    ----------
    scenario : mapping
        Arguments of `thermo.simulate_rack` by name, ``rack`` and ``workload`` among them.
    parameters : mapping, or DataFrame
        Mapping of dotted names to lists of values: the grid of them all, each name a dim. Mapping of dotted names to distributions of
        `scipy.stats` (frozen: ``scipy.stats.norm(40.0, 2.0)``), with `samples`: one dim ``sample``. A DataFrame whose columns are
        dotted names: one dim ``case``, a row each.
    samples : int, optional
        How many points of distributions: a Latin hypercube, so that each is spread evenly over all of its range.
    seed : int
        Of the sample.
    record : callable or sequence of str, optional
        What is kept of each result: names of `thermo.compare.FIGURES` (default all), or a function that gives a mapping of names to
        numbers. With several workers it must be one that can be pickled by joblib.
    store : path, optional
        File (``.jsonl``) to which each case is added as it ends. Where it is there and of the same sweep, its cases are not run again.
    workers : int, optional
        Processes side by side; default one for each core. Results do not depend on it.
    progress : bool or callable
        Show a progress bar, or call with the fraction done.

    Returns
    -------
    table : Dataset
        What was recorded over the dims of the parameters, and ``error``: why a case has no numbers (they are NaN), "" where it has.

    Raises
    ------
    ScenarioError
        If a name leads nowhere (with the nearest), or an argument cannot be what was meant. Nothing is run.
    CheckpointError
        If the store is of another sweep, or damaged before its last line.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import thermo
    >>> table = thermo.sweep({"rack": "t4-server", "workload": 0.8}, {"ambient.air_temperature": [20.0, 30.0]}, workers=1)
    >>> table.pue.dims, bool((table.pue.diff("ambient.air_temperature") > 0.0).all())
    (('ambient.air_temperature',), True)
    """
    base = _base(scenario)
    names, cases, dims = _cases(parameters, samples, seed)
    for k in (0, -1):  # a name that leads nowhere, or a value that no description takes, is found before anything runs
        varied(base, dict(zip(names, cases[k], strict=True)))
    kept = _kept(record)
    with _ledger(store, base, names, cases, kept) as (found, add), shown_progress(progress, "cases") as tell:
        left = [i for i in range(len(cases)) if i not in found]
        jobs = [(i, base, dict(zip(names, cases[i], strict=True)), kept) for i in left]
        for i, row in side_by_side(_one, jobs, workers):
            add(i, row)
            found[i] = row
            tell(len(found) / len(cases))
    return _table(base, names, cases, dims, found, seed if samples else None)


def varied(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with some of their numbers changed, by dotted names.

    Examples
    --------
    >>> import thermo
    >>> changed = varied({"rack": "dgx-h100", "workload": 0.5}, {"rack.servers": 2, "cooling": "air", "cooling.fan_speed": 0.6})
    >>> changed["rack"].n_server, changed["cooling"].fan_speed
    (2, 0.6)
    """
    out = dict(base)
    for name in sorted(settings, key=lambda name: name.count(".")):  # whole arguments before their parts
        head, *path = name.split(".")
        if head not in ARGUMENTS:
            raise ScenarioError(f"parameter {shown(name)}: simulate_rack has no argument {shown(head)}{nearest(head, ARGUMENTS)}")
        out[head] = settings[name] if not path else _turned(_resolved(head, out), path, settings[name], name)
    return out


def _resolved(head: str, arguments: Mapping[str, Any]) -> Any:
    """An argument as a description whose fields can be turned."""
    from thermo import library
    from thermo.ambient import Ambient
    from thermo.power import PowerChain

    value = arguments.get(head)
    if head == "rack":
        return Rack.from_library(value) if isinstance(value, str) else value
    if head in ("cooling", "power") and value is None:
        value = getattr(_resolved("rack", arguments), head)
    if head == "cooling":
        return library.load("cooling", value) if isinstance(value, str) else value
    if head == "power":
        return PowerChain.from_library(value) if isinstance(value, str) else value
    if head == "ambient":
        return Ambient() if value is None else Ambient.from_mapping(value, "ambient") if isinstance(value, Mapping) else value
    return value


def _turned(thing: Any, path: Sequence[str], value: Any, name: str) -> Any:
    """`thing` with what `path` leads to replaced by `value`."""
    key, rest = path[0], path[1:]
    if isinstance(thing, Rack) and key == "servers" and not rest:
        return thing.with_servers(int(value) if float(value).is_integer() else value)
    if isinstance(thing, Described):
        fields = type(thing).model_fields
        if key not in fields:
            raise ScenarioError(f"parameter {shown(name)}: {type(thing).__name__} has no field {shown(key)}{nearest(key, fields)}")
        return thing.replace(**{key: value if not rest else _turned(getattr(thing, key), rest, value, name)})
    if isinstance(thing, tuple):
        labels = [str(getattr(part, "name", None) or "/".join(getattr(part, "names", ()))) for part in thing]
        if not (key.isdecimal() and int(key) < len(thing)) and key not in labels:
            raise ScenarioError(f"parameter {shown(name)}: there is no {shown(key)} among {len(thing)} parts, expected 0 to {len(thing) - 1}"
                                f"{nearest(key, [label for label in labels if label])}")
        place = labels.index(key) if key in labels else int(key)
        new = value if not rest else _turned(thing[place], rest, value, name)
        return (*thing[:place], new, *thing[place + 1:])
    if isinstance(thing, Mapping):
        return {**thing, key: value if not rest else _turned(thing.get(key), rest, value, name)}
    if hasattr(thing, "__dataclass_fields__"):  # controllers
        from dataclasses import replace

        if key not in thing.__dataclass_fields__:
            raise ScenarioError(f"parameter {shown(name)}: {type(thing).__name__} has no field {shown(key)}{nearest(key, thing.__dataclass_fields__)}")
        return replace(thing, **{key: value if not rest else _turned(getattr(thing, key), rest, value, name)})
    raise ScenarioError(f"parameter {shown(name)}: {shown(thing)} has no {shown(key)} in it")


# ------------------------------------------------------------------------------------------------------------------------- cases

def _base(scenario: Any) -> dict[str, Any]:
    if not isinstance(scenario, Mapping):
        raise ScenarioError(f"scenario is {shown(scenario)}, expected a mapping of arguments of simulate_rack, rack and workload among them")
    for key in scenario:
        if key not in ARGUMENTS:
            raise ScenarioError(f"scenario has {shown(key)}{nearest(str(key)[:40], ARGUMENTS)}")
    if missing := [key for key in ("rack", "workload") if key not in scenario]:
        raise ScenarioError(f"scenario has no {' and no '.join(missing)}; simulate_rack needs both")
    return dict(scenario)


def _cases(parameters: Any, samples: int | None, seed: int) -> tuple[list[str], list[tuple[Any, ...]], dict[str, list[Any]]]:
    """Names, the settings of each case, and the dims with their labels."""
    if isinstance(parameters, pd.DataFrame):
        if not len(parameters) or not len(parameters.columns):
            raise ScenarioError("parameters is a table without rows or columns, expected a row for each case")
        names = [str(c) for c in parameters.columns]
        return names, [tuple(_plain(v) for v in row) for row in parameters.itertuples(index=False)], {"case": list(range(len(parameters)))}
    if not isinstance(parameters, Mapping) or not parameters or not all(isinstance(name, str) for name in parameters):
        raise ScenarioError(f"parameters is {shown(parameters)}, expected a mapping of dotted names to lists or distributions, or a table")
    names = list(parameters)
    random = [hasattr(value, "ppf") for value in parameters.values()]
    if any(random):
        if not all(random):
            raise ScenarioError(f"parameters: {shown(names[random.index(False)])} is no distribution, others are; fix it in the scenario, or give "
                                "scipy.stats.uniform")
        if samples is None:
            raise ScenarioError("samples is not given: say how many points of the distributions are wanted")
        count = int(require_between("samples", samples, 1, MOST_CASES, "points"))
        from scipy.stats import qmc

        points = qmc.LatinHypercube(len(names), rng=np.random.default_rng(seed)).random(count)
        columns = [np.asarray(d.ppf(points[:, k]), dtype=np.float64) for k, d in enumerate(parameters.values())]
        return names, [tuple(float(v) for v in row) for row in zip(*columns, strict=True)], {"sample": list(range(count))}
    if samples is not None:
        raise ScenarioError("samples is given, but parameters are lists: all of their combinations are run; leave samples out")
    axes = []
    for name, values in parameters.items():
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray | pd.Index) or not len(values):
            raise ScenarioError(f"parameters[{name!r}] is {shown(values)}, expected a list of values, or a distribution")
        axes.append([_plain(v) for v in values])
    if (count := math.prod(len(axis) for axis in axes)) > MOST_CASES:
        raise LimitError(f"parameters: {count} combinations, at most {MOST_CASES}; take fewer values, or a sample of distributions")
    return names, list(product(*axes)), dict(zip(names, axes, strict=True))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _label(value: Any) -> Any:
    """A value as a coordinate."""
    return value if isinstance(value, str | int | float | bool) or value is None else getattr(value, "name", None) or type(value).__name__


def _kept(record: Any) -> Any:
    if record is None:
        return tuple(FIGURES)
    if callable(record):
        return record
    if isinstance(record, str) or not isinstance(record, Sequence) or not record:
        raise ScenarioError(f"record is {shown(record)}, expected a list of names, or a function of a result")
    for name in record:
        if name not in FIGURES:
            raise ScenarioError(f"record: there is no {shown(name)}{nearest(str(name)[:40], FIGURES)}")
    return tuple(record)


def _one(i: int, base: Mapping[str, Any], settings: Mapping[str, Any], kept: Any) -> tuple[int, dict[str, Any]]:
    """One case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            arguments = varied(base, settings)
            result = simulate_rack(arguments.pop("rack"), arguments.pop("workload"), **arguments)
        except ThermoError as error:
            return i, {"error": f"{type(error).__name__}: {error}"}
        if callable(kept):
            return i, {str(name): float(value) for name, value in kept(result).items()}
        every = figures(result)
        return i, {name: every[name] for name in kept}


def _table(base: Mapping[str, Any], names: Sequence[str], cases: Sequence[tuple[Any, ...]], dims: Mapping[str, list[Any]],
           found: Mapping[int, Mapping[str, Any]], seed: int | None) -> xr.Dataset:
    import thermo

    shape = tuple(len(labels) for labels in dims.values())
    coords: dict[str, Any] = {dim: [_label(v) for v in labels] for dim, labels in dims.items()}
    if set(dims) != set(names):
        coords |= {name: (next(iter(dims)), [_label(case[k]) for case in cases]) for k, name in enumerate(names)}
    data: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in found.values() for name in row if name != "error"):
        units, words, origin = FIGURES.get(name, ("", name, "the function given as record"))
        values = np.array([found[i].get(name, np.nan) for i in range(len(cases))], dtype=np.float64).reshape(shape)
        data[name] = (tuple(dims), values, {"units": units, "long_name": words, "made_from": origin} if name in FIGURES else {})
    data["error"] = (tuple(dims), np.array([found[i].get("error", "") for i in range(len(cases))], dtype=object).astype(str).reshape(shape))
    attrs = {"title": "sweep", "source": f"thermo {thermo.__version__}", "version": thermo.__version__, "parameters": json.dumps(list(names)),
             "scenario": json.dumps({key: _label(value) for key, value in base.items()}, default=str)}
    if seed is not None:
        attrs["seed"] = str(seed)
    return xr.Dataset(data, coords=coords, attrs=attrs)


# ------------------------------------------------------------------------------------------------------------------------- store

class _ledger:
    """The file of cases that have ended: a head that says which sweep it is, then a line for each. None: only in memory."""

    def __init__(self, store: Any, base: Mapping[str, Any], names: Sequence[str], cases: Sequence[Any], kept: Any) -> None:
        self.path = None if store is None else Path(store)
        if self.path is not None and self.path.suffix != ".jsonl":
            raise OutputError(f"store is {shown(str(store))}, expected a file whose name ends in .jsonl")
        self.head = {"format": FORMAT, "cases": len(cases), "of": _fingerprint(base, names, cases, kept)}
        self.file: IO[str] | None = None

    def __enter__(self) -> tuple[dict[int, dict[str, Any]], Callable[[int, dict[str, Any]], None]]:
        if self.path is None:
            return {}, lambda i, row: None
        found: dict[int, dict[str, Any]] = {}
        try:
            if self.path.exists():
                found, whole = self._read()
                os.truncate(self.path, whole)  # a line that was being written when it was stopped
                self.file = self.path.open("a", encoding="utf-8")
            else:
                self.file = self.path.open("x", encoding="utf-8")
                self._line(self.head)
        except OSError as error:
            raise OutputError(f"store {shown(str(self.path))}: {error.strerror or error}") from error
        return found, lambda i, row: self._line({"case": i, "row": row})

    def __exit__(self, *ended: object) -> None:
        if self.file is not None:
            self.file.close()

    def _line(self, what: Mapping[str, Any]) -> None:
        assert self.file is not None
        text = json.dumps(what)
        try:
            self.file.write(f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise OutputError(f"store {shown(str(self.path))}: {error.strerror or error}; cases until here are kept in it") from error

    def _read(self) -> tuple[dict[int, dict[str, Any]], int]:
        """Cases that are there, and the bytes that are whole lines."""
        assert self.path is not None
        if self.path.is_symlink() or not self.path.is_file():
            raise OutputError(f"store {shown(str(self.path))}: is no regular file; give another name")
        found: dict[int, dict[str, Any]] = {}
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # stopped while it was written
                digest, _, text = line.rstrip(b"\n").partition(b" ")
                if digest.decode("ascii", "replace") != hashlib.sha256(text).hexdigest()[:16]:
                    raise CheckpointError(f"store {shown(str(self.path))}: line {number} is damaged; remove it and all after it to run those again")
                told = json.loads(text)
                if number == 1:
                    if told != self.head:
                        raise CheckpointError(f"store {shown(str(self.path))}: it is of another sweep (scenario, parameters or record differ); give "
                                              "another name, or the arguments that it was begun with")
                else:
                    found[int(told["case"])] = {k: float("nan") if v is None else v for k, v in told["row"].items()}
                whole += len(line)
        if not whole:
            raise CheckpointError(f"store {shown(str(self.path))}: holds no whole line; remove it")
        return found, whole


def _fingerprint(base: Mapping[str, Any], names: Sequence[str], cases: Sequence[Any], kept: Any) -> str:
    """What a store must agree in, to go on."""
    import thermo

    digest = hashlib.sha256()

    def take(value: Any) -> None:
        if isinstance(value, Mapping):
            for key in value:
                take(str(key))
                take(value[key])
        elif isinstance(value, xr.DataArray):
            digest.update(value.to_numpy().tobytes())
            take({str(k): str(v) for k, v in value.attrs.items()})
            for name in value.coords:
                digest.update(str(name).encode() + repr(value.coords[name].values.tolist()).encode())
        elif isinstance(value, pd.Series | pd.DataFrame):
            take(xr.DataArray(value.to_numpy()))
            take([str(v) for v in value.index])
        elif isinstance(value, list | tuple):
            for part in value:
                take(part)
        elif callable(value):
            digest.update(f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}".encode())
        else:
            digest.update(repr(value).encode() + b"\0")

    take([thermo.__version__, dict(base), list(names), list(cases), kept])
    return digest.hexdigest()

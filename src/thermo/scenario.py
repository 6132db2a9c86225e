"""Scenario files: what `thermo.simulate_rack` takes, as one TOML file that a person can write.

    title = "Eight B200 in summer"
    [rack]
    name = "hgx-b200"             # of the library; or file = "rack.toml", server = "hgx-b200", or slots written out
    servers = 4
    [workload]
    file = "trace.csv"            # beside the scenario; or power = "650 W" or utilisation = 0.9, with duration = "1 h"
    [cooling]
    design = "air"                # or "rear-door", "cold-plate"; or name = "..." of the library; then whatever the design lets be set
    supply_flow = "2400 CFM"
    fan_speed = { control = "pi", setpoint = "80 degC" }   # or "8000 rpm", or a duty, 0.6 or "60 %"
    [ambient]
    air_temperature = "77 degF"
    altitude = "2000 ft"
    [power]
    name = "ideal"
    [[events]]                    # any number; kinds and what they need: thermo.events
    kind = "cooling-loss"
    t = "10 min"                  # of the run's clock, or a date where the trace has dates
    duration = "5 min"
    [run]
    time_step = "15 s"
    initial = "steady"            # or a temperature, or "earlier.nc", a result to go on from
    tolerance = "0.01 K"
    solver = "auto"

Bare numbers are SI and degC. Every fault is reported at once, with its line, value and way out; then nothing is
computed. A scenario names only files below its own folder.
"""
from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from thermo._field_units import UNITS as DESCRIPTION_UNITS
from thermo.errors import MESSAGE_LIMIT, LimitError, ScenarioError, ThermoError, nearest, shown
from thermo.quantity import quantity

__all__ = ["ScenarioFile", "read"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 20_000
MAX_TEXT = 4096  # characters of one text
MAX_KEY_PARTS = 16

UNITS = DESCRIPTION_UNITS | {
    "duration": "s", "power": "W", "utilisation": "1", "max_gap": "s", "time_step": "s", "tolerance": "K",
    "initial": "degC",
}
RANGES = {  # of what no description of its own checks at once
    "ambient.air_temperature": (-20.0, 60.0), "ambient.facility_water_temperature": (-20.0, 80.0),
    "workload.duration": (1e-3, 1e9), "workload.power": (0.0, 1e6), "workload.utilisation": (0.0, 1.0),
    "workload.max_gap": (1e-6, 1e9), "workload.time_step": (1e-6, 1e9), "run.time_step": (1e-6, 1e9),
    "run.tolerance": (1e-9, 10.0), "run.initial": (-50.0, 150.0), "rack.servers": (1, 100_000),
}
FINAL_STATE = {  # of a result, to go on from
    "node": ("node",), "final_node_temperature": ("node", "server"), "final_control_output": ("controller", "server"),
    "final_control_integral": ("controller", "server"), "final_shared_temperature": ("shared_node",),
}
FINAL_ATTRIBUTES = ("reference_temperature",)
TABLES = ("title", "rack", "workload", "cooling", "ambient", "power", "events", "run")
WORKLOAD_KEYS = ("file", "units", "interpolation", "time", "columns", "fill", "max_gap", "power", "utilisation", "duration",
                 "time_step")


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario, read and checked: the arguments of `thermo.simulate_rack`."""

    path: Path
    title: str
    rack: Any
    workload: xr.DataArray
    options: dict[str, Any]  # the keyword arguments

    def run(self, *, progress: bool | Callable[[float], None] = False) -> xr.Dataset:
        """Simulates it; the result carries the scenario's title."""
        import thermo

        result = thermo.simulate_rack(self.rack, self.workload, progress=progress, **self.options)
        return result.assign_attrs(title=self.title) if self.title else result


def read(path: str | os.PathLike[str]) -> ScenarioFile:
    """A scenario from a TOML file, with everything that it names.

    Raises
    ------
    ScenarioError
        With all faults of the file, each with its line.
    LimitError
        If it is larger than a scenario can be.
    """
    path = Path(path)
    text = _text(path)
    data = _document(text, path.name)
    faults = _Faults(path.name, _lines(text))
    _known(faults, data, "", TABLES)
    for key in ("rack", "workload"):
        if key not in data:
            faults.add(key, f"is missing; a scenario needs [{key}]")
    title = data.get("title", "")
    if not isinstance(title, str) or len(title) > 200 or not title.isprintable():
        faults.add("title", f"{shown(title)} is not a text of one line and at most 200 characters")
    rack = _rack(faults, data["rack"], path.parent) if "rack" in data else None
    workload = _workload(faults, data["workload"], path.parent) if "workload" in data else None
    options = {"cooling": _cooling(faults, data["cooling"]) if "cooling" in data else None,
               "ambient": _ambient(faults, data["ambient"]) if "ambient" in data else None,
               "power": _power(faults, data["power"]) if "power" in data else None,
               "events": _events(faults, data["events"]) if "events" in data else None}
    options |= _run(faults, data.get("run", {}), path.parent)
    earlier = options.get("initial")
    if rack is not None and isinstance(earlier, xr.Dataset) and earlier.sizes["server"] != rack.n_server:
        faults.add("run.initial", f"that result has {earlier.sizes['server']} servers, the rack has {rack.n_server}; "
                   "set rack.servers")
    faults.refuse()
    assert workload is not None  # else there is a fault
    return ScenarioFile(path, title, rack, workload, {k: v for k, v in options.items() if v is not None})


# ------------------------------------------------------------------------------------------------------------- tables

def _rack(faults: _Faults, given: Any, folder: Path) -> Any:
    from thermo import library
    from thermo.rack import Rack, Server

    if isinstance(given, str):
        given = {"name": given}
    if not _is_table(faults, given, "rack"):
        return None
    ways = [k for k in ("file", "server", "slots") if k in given]
    if len(ways) > 1 or not (ways or "name" in given):
        faults.add("rack", "give one of name (of the library), file, server (of the library) and slots" +
                   (f"; {' and '.join(ways)} exclude each other" if ways else ""))
        return None
    way = ways[0] if ways else "name"
    if way != "slots":
        _known(faults, given, "rack", (way, "servers", *(("name", "cooling") if way == "server" else ())))
    servers = given.get("servers")
    if servers is not None and (not isinstance(servers, int) or isinstance(servers, bool)):
        faults.add("rack.servers", f"{shown(servers)} is not a whole number")
        servers = None
    servers = None if servers is None else faults.number("rack.servers", servers)
    with faults.at(f"rack.{way}"):
        if way == "slots":
            mapping = _filled(faults, {k: v for k, v in given.items() if k != "servers"}, "rack")
            rack = faults.described(Rack, mapping, "rack")
        elif way == "file":
            file = _inside(faults, given["file"], folder, "rack.file")
            rack = None if file is None else library.rack_file(file)
        elif way == "server":
            if not isinstance(given["server"], str):
                raise ScenarioError(f"{shown(given['server'])} is not the name of a server")
            server: Server = library.server(given["server"])
            return Rack.of(server, 1 if servers is None else int(servers), name=given.get("name"),
                           cooling=given.get("cooling", "air"))
        else:
            if not isinstance(given["name"], str):
                raise ScenarioError(f"{shown(given['name'])} is not the name of a rack")
            rack = library.rack(given["name"])
        return rack if rack is None or servers is None else rack.with_servers(int(servers))
    return None


def _workload(faults: _Faults, given: Any, folder: Path) -> xr.DataArray | None:
    from thermo import workload

    if isinstance(given, str):
        given = {"file": given}
    if not _is_table(faults, given, "workload"):
        return None
    _known(faults, given, "workload", WORKLOAD_KEYS)
    ways = [k for k in ("file", "power", "utilisation") if k in given]
    if len(ways) != 1:
        faults.add("workload", "give one of file, power and utilisation" + (f", not {' and '.join(ways)}" if ways else ""))
        return None
    allowed = (("file", "units", "interpolation", "time", "columns", "fill", "max_gap") if ways == ["file"]
               else (ways[0], "duration", "time_step"))
    for key in given:
        if key in WORKLOAD_KEYS and key not in allowed:
            faults.add(f"workload.{key}", f"does not go with {ways[0]}; leave it out")
    before = faults.count
    numbers = {k: faults.number(f"workload.{k}", given[k]) for k in given
               if k in allowed and k in ("power", "utilisation", "duration", "time_step", "max_gap")}
    if ways == ["file"]:
        file = _inside(faults, given["file"], folder, "workload.file")
        if file is None or faults.count > before:
            return None
        words = {k: given[k] for k in ("units", "interpolation", "time", "fill", "columns") if k in given}
        for key, value in words.items():
            if not isinstance(value, str) and not (key == "columns" and isinstance(value, list | dict)):
                faults.add(f"workload.{key}", f"{shown(value)} is not a text")
        with faults.at("workload.file"):
            if faults.count == before:
                return workload.read(file, **words, max_gap=numbers.get("max_gap"))
        return None
    if faults.count > before:
        return None
    with faults.at(f"workload.{ways[0]}"):
        return workload.constant(numbers[ways[0]], units="W" if ways == ["power"] else "1",  # type: ignore[arg-type]
                                 duration=numbers.get("duration") or 3600.0, time_step=numbers.get("time_step"))
    return None


def _cooling(faults: _Faults, given: Any) -> Any:
    from thermo import library
    from thermo.cooling import DESIGNS

    if isinstance(given, str):
        given = {"name": given}
    if not _is_table(faults, given, "cooling"):
        return None
    if ("name" in given) == ("design" in given):
        faults.add("cooling", f"give one of name (of the library) and design ({', '.join(DESIGNS)})")
        return None
    settings = {k: v for k, v in given.items() if k not in ("name", "design")}
    if "design" in given:
        if not isinstance(given["design"], str) or given["design"] not in DESIGNS:
            faults.add("cooling.design", f"{shown(given['design'])} is not a design"
                       f"{nearest(str(given['design']), DESIGNS)}")
            return None
        return faults.described(DESIGNS[given["design"]], _filled(faults, settings, "cooling"), "cooling")
    with faults.at("cooling.name"):
        design = library.load("cooling", given["name"])
        if not settings:
            return design
        known = {k: getattr(design, k) for k in design.model_fields_set}
        return faults.described(type(design), known | _filled(faults, settings, "cooling"), "cooling")
    return None


def _ambient(faults: _Faults, given: Any) -> Any:
    from thermo.ambient import Ambient

    if not _is_table(faults, given, "ambient"):
        return None
    return faults.described(Ambient, _filled(faults, given, "ambient"), "ambient")


def _power(faults: _Faults, given: Any) -> Any:
    from thermo.power import PowerChain

    if isinstance(given, str):
        given = {"name": given}
    if not _is_table(faults, given, "power"):
        return None
    _known(faults, given, "power", ("name",))
    with faults.at("power.name"):
        return PowerChain.from_library(given.get("name", "ideal"))
    return None


def _events(faults: _Faults, given: Any) -> Any:
    from thermo.events import KINDS

    if not isinstance(given, list):
        faults.add("events", f"{shown(given)} is not a list of tables; write [[events]]")
        return None
    out = []
    for i, table in enumerate(given):
        place = f"events[{i}]"
        if not isinstance(table, dict):
            faults.add(place, f"{shown(table)} is not a table; write [[events]]")
            continue
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            faults.add(f"{place}.kind", f"{shown(kind)} is not a kind of event{nearest(str(kind)[:40], KINDS)}")
            continue
        filled = {}
        for key, value in table.items():
            if key != "kind":
                unit_of = str(table.get("name")) if key == "value" else key  # a set point has the unit of what it sets
                date = key == "t" and isinstance(value, str) and re.match(r"\d{4}-\d\d", value)
                quantity_said = isinstance(value, str) and unit_of in UNITS and not date
                filled[key] = faults.number(f"{place}.{key}", value, unit_of) if quantity_said else value
        out.append(faults.described(KINDS[kind], filled, place))
    return out


def _run(faults: _Faults, given: Any, folder: Path) -> dict[str, Any]:
    from thermo.solve import SOLVERS

    if not _is_table(faults, given, "run"):
        return {}
    _known(faults, given, "run", ("time_step", "initial", "solver", "tolerance"))
    out = {k: faults.number(f"run.{k}", given[k]) for k in ("time_step", "tolerance") if k in given}
    if "initial" in given:
        out["initial"] = _initial(faults, given["initial"], folder)
    if "solver" in given:
        if given["solver"] not in SOLVERS:
            faults.add("run.solver", f"{shown(given['solver'])} is not a solver{nearest(str(given['solver']), SOLVERS)}")
        out["solver"] = given["solver"]
    return out


def _initial(faults: _Faults, given: Any, folder: Path) -> Any:
    from thermo import store

    if given == "steady":
        return given
    if not (isinstance(given, str) and given.endswith(tuple(store.SUFFIXES))):
        return faults.number("run.initial", given)
    file = _inside(faults, given, folder, "run.initial")
    if file is not None:
        with faults.at("run.initial"):
            return _resumable(store.read(file, verify=False), file.name)
    return None


def _resumable(result: xr.Dataset, name: str) -> xr.Dataset:
    """`result` if it holds a state to go on from."""
    way_out = "; save a result with result.thermo.save(path), or start from 'steady' or a temperature"
    lacking = [v for v in FINAL_STATE if v not in result.variables]
    if lacking := lacking + [a for a in FINAL_ATTRIBUTES if a not in result.attrs]:
        raise ScenarioError(f"{name}: is not a result to go on from, it has no {', '.join(lacking)}{way_out}")
    for variable, dims in FINAL_STATE.items():
        values = result[variable].values
        if result[variable].dims != dims:
            raise ScenarioError(f"{name}: {variable} has dims {result[variable].dims}, expected {dims}{way_out}")
        if variable == "node":  # names; whether they are those of the rack is asked when it is simulated
            continue
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise ScenarioError(f"{name}: {variable} holds what is not a finite number{way_out}")
    reference = result.attrs["reference_temperature"]
    if isinstance(reference, bool) or not isinstance(reference, int | float) or not -100.0 <= reference <= 200.0:
        raise ScenarioError(f"{name}: reference_temperature is {shown(reference)}, expected -100 to 200 degC{way_out}")
    try:
        np.datetime64(result.attrs.get("time_origin", "2026-01-01"))
    except (TypeError, ValueError):
        origin = shown(result.attrs["time_origin"])
        raise ScenarioError(f"{name}: time_origin is {origin}, expected a date{way_out}") from None
    return result


# ------------------------------------------------------------------------------------------------------------- values

def _is_table(faults: _Faults, given: Any, place: str) -> bool:
    if not isinstance(given, dict):
        faults.add(place, f"{shown(given)} is not a table; write [{place}]")
        return False
    return True


def _known(faults: _Faults, table: Mapping[str, Any], place: str, keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            faults.add(f"{place}.{key}".lstrip("."), f"no such key{nearest(key, keys)}")


def _filled(faults: _Faults, table: dict[str, Any], place: str) -> dict[str, Any]:
    """A table of a description: quantities as numbers, names of devices and servers as what they stand for."""
    return {key: _value(faults, value, f"{place}.{key}", key) for key, value in table.items()}


def _value(faults: _Faults, value: Any, place: str, key: str) -> Any:
    from thermo import library

    if place == "cooling.fan_speed" and isinstance(value, str):
        return _fan_speed(faults, value, place)
    if isinstance(value, dict):
        return _filled(faults, value, place)
    if isinstance(value, list):
        return [_value(faults, item, f"{place}[{i}]", key) for i, item in enumerate(value)]
    if key in ("server", "device") and isinstance(value, str):
        with faults.at(place):
            return library.server(value) if key == "server" else library.device(value)
    if place in RANGES or (isinstance(value, str) and key in UNITS):
        return faults.number(place, value)
    return value


def _fan_speed(faults: _Faults, value: str, place: str) -> Any:
    """A duty, or a speed in rpm, which the fans' rated speed makes a duty of."""
    if not re.search(r"(?i)rpm|rev", value):
        return faults.number(place, value)
    with faults.at(place):
        speed = quantity(value, "rev/min")
        if speed <= 0:
            raise ScenarioError(f"{shown(value)} turns no fan; give a speed above 0 rpm, or a duty above 0 and up to 1")
        return xr.DataArray(speed, attrs={"units": "rpm"})
    return None


def _inside(faults: _Faults, given: Any, folder: Path, place: str) -> Path | None:
    """A file below the scenario's folder; links are followed before that is judged."""
    if not isinstance(given, str) or not given or "\0" in given or len(given) > 1024:
        faults.add(place, f"{shown(given)} is not the name of a file")
        return None
    if Path(given).is_absolute() or ".." in Path(given).parts:
        faults.add(place, f"{shown(given)} leads out of the scenario's folder; put the file beside the scenario")
        return None
    try:
        file = (folder / given).resolve()
        inside = file.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        faults.add(place, f"{shown(given)} cannot be found: {error}")
        return None
    if not inside:
        faults.add(place, f"{shown(given)} is a link out of the scenario's folder; copy the file there")
        return None
    return file


class _At:
    """Turns what is raised inside into a fault at a place."""

    def __init__(self, faults: _Faults, place: str) -> None:
        self.faults, self.place = faults, place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if not isinstance(error, ThermoError) or isinstance(error, LimitError):
            return False
        self.faults.add(self.place, str(error))
        return True


@dataclass
class _Faults:
    """Everything that is wrong with a scenario, each with its line."""

    file: str
    lines: dict[str, int]
    found: list[tuple[int, str, str]] = field(default_factory=list)  # line, place, what is wrong

    @property
    def count(self) -> int:
        return len(self.found)

    def add(self, place: str, message: str) -> None:
        """A fault at a dotted place."""
        line = next((self.lines[p] for p in _ancestors(place) if p in self.lines), 1)
        self.found.append((line, place, message if message.startswith((":", " is ")) else f": {message}"))

    def at(self, place: str) -> _At:
        """A block whose refusals are faults at `place`."""
        return _At(self, place)

    def number(self, place: str, value: Any, key: str = "") -> float | None:
        """A quantity in the unit of the key's name, its place's by default, and within its range."""
        key = key or re.sub(r"\[\d+\]", "", place).rpartition(".")[2]
        unit = UNITS.get(key, "1")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.add(place, f"{shown(value)} is not a number" + (f" [{unit}]" if unit != "1" else ""))
            return None
        try:
            number = float(quantity(value, unit) if isinstance(value, str) else value)
        except (ScenarioError, OverflowError) as error:
            self.add(place, str(error))
            return None
        if place in RANGES:
            low, high = RANGES[place]
            if not low <= number <= high:
                words = "" if unit == "1" else f" {unit}"
                hint = "; is it in kelvin?" if unit == "degC" and 200 < number < 400 else (
                    "; give a fraction" if unit == "1" and high == 1.0 else "")
                self.add(place, f"{number}{words} is outside the allowed range [{low:g}, {high:g}]{words}{hint}")
                return None
        return number

    def described(self, model: Any, data: dict[str, Any], place: str) -> Any:
        """A description of rack, room or cooling; every fault that it finds has its place."""
        before = set(self._places())
        try:
            return model.from_mapping(data, place)
        except ScenarioError as error:
            found = getattr(error, "found", [("", f": {error}")])
            for inner, said in found:
                where = f"{place}.{inner}".rstrip(".")
                if where in before or any(other.startswith((f"{inner}[", f"{inner}.")) for other, _ in found if inner):
                    continue  # said already, as a quantity, or in detail
                self.add(where, said.replace(": no such field", ": no such key", 1))
            return None

    def _places(self) -> Iterator[str]:
        return (place for _, place, _ in self.found)

    def refuse(self) -> None:
        """Raises if there is any fault: all of them, or as many as one message holds."""
        if not self.found:
            return
        parts = [f"{self.file}:{line}: {place}{message}" for line, place, message in sorted(self.found, key=lambda f: f[0])]
        text, said = parts[0], 1
        for part in parts[1:]:
            if len(text) + len(part) > MESSAGE_LIMIT - 40:
                break
            text, said = f"{text}; {part}", said + 1
        raise ScenarioError(text + (f"; and {len(parts) - said} more" if said < len(parts) else ""))


def _ancestors(place: str) -> Iterator[str]:
    """A dotted place, then what it is in: ``a.b[1].c``, ``a.b[1]``, ``a.b``, ``a``."""
    while place:
        yield place
        place = re.sub(r"(\.[^.\[\]]+|\[\d+\]|^[^.\[\]]+)$", "", place) if re.search(r"[.\[]", place) else ""


# --------------------------------------------------------------------------------------------------------------- text

def _text(path: Path) -> str:
    """The text of a regular file of bounded size."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise ScenarioError(f"{shown(str(path))}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{shown(str(path))}: cannot be opened: {error}") from None
    try:
        file = open(descriptor, "rb")
    except OSError:  # a folder
        os.close(descriptor)
        raise ScenarioError(f"{shown(str(path))}: not a regular file") from None
    with file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ScenarioError(f"{shown(str(path))}: not a regular file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise LimitError(f"{path.name}: more than {MAX_BYTES} bytes, the limit of a scenario; put series into a file "
                         "of "
                         "their own")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path.name}: is not UTF-8 text ({error.reason} at byte {error.start})") from None


def _document(text: str, name: str) -> dict[str, Any]:
    for number, line in enumerate(text.split("\n"), 1):
        # The parser's time grows with the square of the number of parts of a key: a.a.a.a... could hold it for hours.
        if line.count(".") > MAX_KEY_PARTS and (
                any(part.count(".") > MAX_KEY_PARTS for part in re.split(r"[=,{}\[\]#\"']", line))
                or len(re.findall(r"[\"'][ \t]*\.|\.[ \t]*[\"']", line)) > MAX_KEY_PARTS):
            raise ScenarioError(f"{name}:{number}: a key has more than {MAX_KEY_PARTS} parts")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(f"{name}: tables or lists are nested too deeply, the limit is {MAX_DEPTH}") from None
    except ValueError as error:  # TOMLDecodeError, and what int() says of a number with thousands of digits
        number = int(found[1]) if (found := re.search(r"at line (\d+)", str(error))) else text.count("\n") + 1
        raise ScenarioError(f"{name}:{number}: not valid TOML: {error}") from None
    _refuse_large(data, name)
    return data


def _refuse_large(data: dict[str, Any], name: str) -> None:
    count, level, depth = 0, [data], 0
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            values = list(item.values()) if isinstance(item, dict) else item
            count += len(values)
            below += [v for v in values if isinstance(v, dict | list)]
            if any(isinstance(v, str) and len(v) > MAX_TEXT for v in values):
                raise LimitError(f"{name}: a text is longer than {MAX_TEXT} characters")
        if depth > MAX_DEPTH or count > MAX_VALUES:
            limit = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_VALUES} values"
            raise LimitError(f"{name}: {limit}")
        level = below


def _lines(text: str) -> dict[str, int]:
    """Line of every table and key, by its dotted place. For messages only: what it misses is shown at the table's line."""
    places: dict[str, int] = {}
    counts: dict[str, int] = {}
    table, closing = "", ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:  # inside a text of several lines
            closing = "" if closing in line else closing
            continue
        if header := re.match(r"\s*(\[{1,2})([^\[\]]{1,200})\]", line):
            table = _indexed(_dotted(header[2]), counts, one_more=header[1] == "[[")
            places.setdefault(table, number)
        elif key := re.match(r"\s*([A-Za-z0-9_\-.\"']{1,200})\s*=", line):
            place = f"{table}.{_dotted(key[1])}".lstrip(".")
            places.setdefault(place, number)
            for inner in re.finditer(r"[{,]\s*([A-Za-z0-9_\-]{1,80})\s*=", line):
                places.setdefault(f"{place}.{inner[1]}", number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                closing = quotes
    return places


def _dotted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _indexed(table: str, counts: dict[str, int], one_more: bool) -> str:
    """``rack.slots.server`` as ``rack.slots[1].server``, for the second of ``[[rack.slots]]``."""
    out = ""
    parts = table.split(".")
    for i, part in enumerate(parts):
        out = f"{out}.{part}".lstrip(".")
        if i == len(parts) - 1 and one_more:
            counts[out] = counts.get(out, -1) + 1
        if out in counts:
            out = f"{out}[{counts[out]}]"
    return out

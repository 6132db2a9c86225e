"""What `thermo` knows about hardware: one TOML file per thing, and for each number where it is from and how far to trust it.

A quantity in a file is a table, or in a file of one's own just the number::

    max_power = { value = 700, source = "S01 nvidia-smi -q", trust = "primary", note = "limit range 200-700 W" }
    max_power = 700

The table becomes the number; the rest goes to `provenance`, by the dotted place of the field (``fans.rated_power``,
``mounts[0].sink.width``). Source codes are spelled out in ``sources.toml``. A server names its devices, a rack its
servers, by their names in the library, or holds them as tables.

Trust marks: ``primary`` (the thing itself: a driver dump, a data sheet), ``secondary`` (quoted elsewhere), ``derived``
(calculated from those), ``estimate(c)`` (an engineering estimate of confidence c), ``unrated``, ``requirement``.
"""
from __future__ import annotations

import importlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from thermo._field_units import UNITS as units
from thermo._field_units import unit_of
from thermo._provenance import Provenance
from thermo.errors import ScenarioError, nearest, shown

if TYPE_CHECKING:
    from thermo.rack import Device, Rack, Server

__all__ = ["KINDS", "Kind", "describe", "device", "device_file", "load", "load_file", "names", "rack", "rack_file", "server",
           "server_file", "sources", "units"]

MAX_BYTES = 1_000_000
MAX_DEPTH = 12  # tables and lists within each other
MAX_VALUES = 20_000
MAX_KEY_PARTS = 16  # of a dotted key
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_QUANTITY = {"value", "source", "trust", "note"}


class Kind(NamedTuple):
    """A folder of the library: the class that its files describe, and which of its keys name things of other kinds."""

    model: str  # "module:class"
    references: Mapping[str, str | tuple[str, ...]] = {}  # key -> kind, or kinds of which the first that has the name is meant
    designs: Mapping[str, str] = {}  # value of the key `design` -> "module:class", where files of a kind describe several classes


KINDS: dict[str, Kind] = {  # a new kind is a folder of files and a line here
    "devices": Kind("thermo.rack:Device"),
    "servers": Kind("thermo.rack:Server", {"device": "devices"}),
    "racks": Kind("thermo.rack:Rack", {"server": "servers"}),
    "cooling": Kind("thermo.cooling:Design", {"fluid": ("fluids", "refrigerants"), "cdu": "cdus", "surface": "surfaces"}),
    "cdus": Kind("thermo.cooling:Cdu"),
    "fluids": Kind("thermo.fluids:Fluid"),
    "refrigerants": Kind("thermo.refrigerants:Refrigerant"),
    "surfaces": Kind("thermo.cooling.boiling:Surface"),
    "stages": Kind("thermo.power:Stage"),
    "generators": Kind("thermo.power:Generator"),
    "pumps": Kind("thermo.hydraulics:Pump"),
    "power": Kind("thermo.power:PowerChain", {"stages": "stages", "generator": "generators"}),
    "materials": Kind("thermo.package:Material"),
    "packages": Kind("thermo.package:Package", {"material": "materials", "fluid": "fluids"}),
}


# ------------------------------------------------------------------------------------------------------------- names

def names(kind: str | None = None) -> list[str]:
    """Names of the things of a kind (``devices``, ``servers``, ``racks``, ...), or of all kinds, sorted."""
    if kind is None:
        return sorted({name for folder in _folders() for name in names(folder)})
    _require_kind(kind)
    return sorted(entry.name.removesuffix(".toml") for entry in _root().joinpath(kind).iterdir()
                  if entry.name.endswith(".toml") and entry.is_file())


def _root() -> Traversable:
    return files(__name__)


def _folders() -> list[str]:
    return sorted(entry.name for entry in _root().iterdir() if entry.is_dir() and not entry.name.startswith("_"))


def _require_kind(kind: str) -> None:
    if kind not in (known := _folders()):
        raise ScenarioError(f"the library holds no {shown(kind)}{nearest(str(kind), known)}")


def _require_name(kind: str, name: str) -> None:
    _require_kind(kind)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name not in names(kind):
        raise ScenarioError(f"no {shown(name)} among the library's {kind}{nearest(str(name)[:80], names(kind))}")


# ----------------------------------------------------------------------------------------------------------- loading

def device(name: str) -> Device:
    """The library's device of that name."""
    return load("devices", name)


def server(name: str) -> Server:
    """The library's server of that name."""
    return load("servers", name)


def rack(name: str) -> Rack:
    """The library's rack of that name."""
    return load("racks", name)


def device_file(path: str | os.PathLike[str]) -> Device:
    """A device from a TOML file of one's own."""
    return load_file("devices", path)


def server_file(path: str | os.PathLike[str]) -> Server:
    """A server from a TOML file of one's own; its mounts may name the library's devices."""
    return load_file("servers", path)


def rack_file(path: str | os.PathLike[str]) -> Rack:
    """A rack from a TOML file of one's own; its slots may name the library's servers."""
    return load_file("racks", path)


def load(kind: str, name: str) -> Any:
    """The thing of that kind and name, e.g. ``load("devices", "t4")``. It is frozen, and loaded once.

    Raises
    ------
    ScenarioError
        If the library has no such kind or name; the message suggests the nearest.
    """
    _require_name(kind, name)
    return _loaded(kind, name)


@cache
def _loaded(kind: str, name: str) -> Any:
    where = f"library/{kind}/{name}.toml"
    return _built(kind, _parsed(_root().joinpath(kind, f"{name}.toml").read_bytes(), where), where)


def load_file(kind: str, path: str | os.PathLike[str]) -> Any:
    """A thing of that kind from a TOML file of one's own, checked like the library's.

    Raises
    ------
    ScenarioError
        If it is no regular file of at most 1 MB, no TOML, or does not describe such a thing; all faults at once.
    """
    _require_kind(kind)
    try:
        shorter = Path(path).name
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise ScenarioError(f"{shown(str(path))}: there is no such file") from None
    except (OSError, TypeError, ValueError) as error:
        raise ScenarioError(f"{shown(str(path))}: cannot be opened: {error}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ScenarioError(f"{shorter}: not a regular file")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ScenarioError(f"{shorter}: cannot be read: {error}") from None
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ScenarioError(f"{shorter}: {status.st_size} bytes, the limit is {MAX_BYTES}")
    return _built(kind, _parsed(content, shorter), shorter)


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{where}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    text = text.replace("\r\n", "\n")
    _refuse_deep_keys(text, where)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(f"{where}: tables or lists are nested too deeply, the limit is {MAX_DEPTH}") from None
    except ValueError as error:  # TOMLDecodeError, and what int() says of a number with thousands of digits
        line = found[1] if (found := re.search(r"at line (\d+)", str(error))) else text.count("\n") + 1
        raise ScenarioError(f"{where}:{line}: not valid TOML: {error}") from None
    _refuse_large(data, where)
    return data


def _refuse_deep_keys(text: str, where: str) -> None:
    # The parser's time grows with the square of the number of parts of a key: a.a.a.a... could hold it for hours.
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_KEY_PARTS and (
                any(part.count(".") > MAX_KEY_PARTS for part in re.split(r"[=,{}\[\]#\"']", line))
                or len(re.findall(r"[\"'][ \t]*\.|\.[ \t]*[\"']", line)) > MAX_KEY_PARTS):
            raise ScenarioError(f"{where}:{number}: a key has more than {MAX_KEY_PARTS} parts")


def _refuse_large(data: dict[str, Any], where: str) -> None:
    count, level, depth = 0, [data], 0
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            count += len(item)
            below += [v for v in (item.values() if isinstance(item, dict) else item) if isinstance(v, dict | list)]
        if depth > MAX_DEPTH or count > MAX_VALUES:
            limit = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_VALUES} values"
            raise ScenarioError(f"{where}: {limit}")
        level = below


def _built(kind: str, data: dict[str, Any], where: str) -> Any:
    if kind not in KINDS:
        raise ScenarioError(f"{where}: {shown(kind)} have no description to be read into{nearest(kind, KINDS)}")
    model_name, designs = KINDS[kind].model, KINDS[kind].designs
    if designs and "design" in data:
        design = data["design"]
        if not isinstance(design, str) or design not in designs:
            raise ScenarioError(f"{where}: design is {shown(design)}{nearest(str(design)[:40], designs)}")
        model_name, data = designs[design], {key: value for key, value in data.items() if key != "design"}
    module, _, name = model_name.partition(":")
    model = getattr(importlib.import_module(module), name)
    return model.from_mapping(_described(kind, data, where, ""), where)


def _described(kind: str, data: dict[str, Any], where: str, place: str) -> dict[str, Any]:
    """`data` with each quantity as its value, what it refers to in its place, and their provenance beside them."""
    provenance: dict[str, Provenance] = {}
    out = {key: _value(kind, value, where, place, str(key), str(key), provenance) for key, value in data.items()}
    if provenance:
        out["provenance"] = provenance
    return out


def _value(kind: str, value: Any, where: str, prefix: str, place: str, key: str, provenance: dict[str, Provenance]) -> Any:
    known = KINDS[kind].references.get(key)
    refers = known if known is None or isinstance(known, str) else next((k for k in known if isinstance(value, str) and value in names(k)), known[0])
    if refers is not None and isinstance(value, str):
        try:
            return load(refers, value)
        except ScenarioError as error:
            raise ScenarioError(f"{where}: {prefix}{place}: {error}") from None
    if isinstance(value, dict):
        if refers is not None:
            return _described(refers, value, where, f"{prefix}{place}.")
        if "value" in value and set(value) <= _QUANTITY:
            if len(value) > 1:
                provenance[place] = _provenance(value, f"{where}: {prefix}{place}")
            return value["value"]
        return {k: _value(kind, v, where, prefix, f"{place}.{k}", str(k), provenance) for k, v in value.items()}
    if isinstance(value, list):
        inside = key if key in KINDS[kind].references else ""
        return [_value(kind, v, where, prefix, f"{place}[{i}]", inside, provenance) for i, v in enumerate(value)]
    return value


def _provenance(quantity: dict[str, Any], where: str) -> Provenance:
    text = {k: v for k, v in quantity.items() if k != "value"}
    for key in ("source", "trust"):
        if not text.get(key):
            raise ScenarioError(f"{where}: {key} is missing; give source and trust, or the bare number")
    for key, entry in text.items():
        if not isinstance(entry, str):
            raise ScenarioError(f"{where}.{key} is {shown(entry)}: expected a text")
    return Provenance(**text)


# ------------------------------------------------------------------------------------------------------ where it is from

@cache
def sources() -> Mapping[str, str]:
    """What each source code stands for."""
    return MappingProxyType(tomllib.loads(_root().joinpath("sources.toml").read_text(encoding="utf-8")))


def describe(name: str) -> str:
    """A table of everything the library says about a name: field, value, unit, trust, source; notes and sources below.

    A name that stands for several kinds of thing, e.g. a server and the rack of such servers, shows each.
    """
    found = [kind for kind in _folders() if kind in KINDS and isinstance(name, str) and name in names(kind)]
    if not found:
        raise ScenarioError(f"no {shown(name)} in the library{nearest(str(name)[:80], names())}")
    return "\n\n".join(_table(kind, name) for kind in found)


def _table(kind: str, name: str) -> str:
    thing = load(kind, name)
    header = ("field", "value", "unit", "trust", "source")
    rows, notes, codes = [], [], set()
    for place, value in _fields(thing, kind):
        known = thing.provenance.get(place)
        rows.append((place, value, unit_of(place), known.trust if known else "", known.source if known else ""))
        if known:
            codes |= {part.split()[0] for part in known.source.split(";") if part.split()}
            if known.note:
                notes.append(f"  {place}: {known.note}")
    width = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip()
             for row in [header, tuple("-" * w for w in width), *rows]]
    meaning = sources()
    cited = [f"  {code}: {meaning[code]}" for code in sorted(codes) if code in meaning]
    title = f"{kind}: {name}" + (f", {thing.title}" if getattr(thing, "title", "") else "")
    return "\n".join([title, *lines, *(["Notes:", *notes] if notes else []), *(["Sources:", *cited] if cited else [])])


def _fields(thing: Any, kind: str, place: str = "") -> list[tuple[str, str]]:
    """Place and printed value of every field that was given."""
    out = []
    for key in type(thing).model_fields:
        if key not in thing.model_fields_set or (not place and key in ("provenance", "name", "title")):
            continue
        value, at = getattr(thing, key), f"{place}{key}"
        parts = list(enumerate(value)) if isinstance(value, tuple) else [(None, value)]
        if not any(hasattr(v, "model_fields_set") for _, v in parts):
            out.append((at, _printed(value)))
            continue
        for i, part in parts:
            here = at if i is None else f"{at}[{i}]"
            out += [(here, part.name)] if key in KINDS[kind].references else _fields(part, kind, f"{here}.")
    return out


def _printed(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_printed(v) for v in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)

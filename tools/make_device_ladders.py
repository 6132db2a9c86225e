"""Writes the ladders of the library's devices that name a package, from that package.

    python tools/make_device_ladders.py

A package is solved in seconds, which is too long for building a rack, so its ladder is kept with the device; a test solves it anew and compares.
"""
from __future__ import annotations

import re
import tomllib
from pathlib import Path

from thermo.package import junction_to_case

FOLDER = Path(__file__).parents[1] / "src" / "thermo" / "library" / "devices"
FIELDS = ("junction_capacity", "junction_resistance", "ladder_capacity", "ladder_from", "ladder_to", "ladder_resistance")
LINES = re.compile(rf"^(?:(?:{'|'.join(FIELDS)}) = .*\n)+|^#LADDER\n", re.MULTILINE)
DIGITS = 6


def lines(package: str) -> str:
    """The fields of a device on that package, as its file holds them."""
    found = junction_to_case(package)
    model = found.physical
    tail, head, resistance = zip(*model.links, strict=True)
    note = (f"nodes {', '.join(model.names)}; within {100 * found.physical_error:.1f} % of the step response from {found.span[0]:g} to {found.span[1]:g} s")
    values = (model.capacity[0], found.resistance, model.capacity, tail, head, resistance)
    return "".join(f"{field} = {{ value = {_told(value)}, source = \"package {package}\", trust = \"derived\"{told} }}\n"
                   for field, value, told in zip(FIELDS, values, ["", f", note = \"{note}\"", *[""] * 4], strict=True))


def _told(value: object) -> str:
    return f"[{', '.join(map(_told, value))}]" if isinstance(value, tuple) else f"{value:.{DIGITS}g}"


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.toml")):
        text = path.read_text()
        if package := tomllib.loads(text).get("package"):
            path.write_text(LINES.sub(lambda _, package=package: lines(package), text, count=1))
            print(path.name)

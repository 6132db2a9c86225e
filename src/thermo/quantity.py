"""Quantities with units, as people write them in scenario files: ``"90 L/min"``, ``"113 degF"``, ``"1105 CFM"``."""
from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from thermo.errors import ScenarioError, nearest, shown

__all__ = ["quantity"]

LONGEST = 80  # characters
_NUMBER, _UNIT = r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", r"[A-Za-z%°µ·/*^() 0-9_.-]*"
_FORM = re.compile(rf"\s*({_NUMBER})\s*({_UNIT})\s*")
_POWER = re.compile(r"(?<=[a-z])([23])\b")  # m3, cm2
# what data sheets write and the registry does not know
EXTRA = ("CFM = foot ** 3 / minute = _ = cfm", "GPM = gallon / minute = _ = gpm", "LPM = liter / minute = _ = lpm",
         "rev = revolution", "inWG = 249.08891 pascal = _ = inwg")
SPELLINGS = (("°C", "degC"), ("°F", "degF"), ("·", "*"))
COMMON = ("W", "kW", "MW", "degC", "degF", "K", "s", "min", "h", "d", "m", "mm", "ft", "inch", "Pa", "kPa", "bar", "psi",
          "L/min", "L/s", "m3/s", "m3/h", "CFM", "GPM", "kg/s", "J/K", "K/W", "rpm", "%", "Hz")


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    for line in EXTRA:
        registry.define(line)
    return registry


def quantity(text: str, unit: str) -> float:
    """The number of `unit` that `text` says.

    Parameters
    ----------
    text : str
        A number, and a unit; without one it is in `unit`.
    unit : str
        What is wanted: an SI unit, ``"degC"`` for a temperature, ``"K"`` for a difference of temperatures (there
        ``"9 degF"`` is 5 K), ``"1"`` for a pure number.

    Raises
    ------
    ScenarioError
        If `text` has another form or another dimension.

    Examples
    --------
    >>> round(quantity("113 degF", "degC"), 9), round(quantity("90 L/min", "m3/s"), 9), quantity("9 degF", "K")
    (45.0, 0.0015, 5.0)
    """
    found = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise ScenarioError(f"{shown(text)} is not a quantity; expected a number and a unit, such as '90 L/min'")
    number, given = float(found[1]), found[2].strip()
    if not given or not math.isfinite(number):
        return _finite(number, text)
    import pint

    for old, new in SPELLINGS:
        given = given.replace(old, new)
    if re.search(r"\d\d|\*\*\s*\*|[\^*]\s*-?\d\.", given):
        raise ScenarioError(f"{shown(text)}: no such unit; powers are single digits")
    registry = _registry()
    given = _POWER.sub(r"**\1", given)
    if unit != "degC":  # not a point on the scale, a distance along it
        given = re.sub(r"\bdeg([CF])\b", r"delta_deg\1", given)
    target = {"1": "dimensionless", "W/W": "dimensionless", "rev/min": "rpm"}.get(unit, unit)
    try:
        value = registry.Quantity(number, registry.parse_units(given)).to(_POWER.sub(r"**\1", target)).magnitude
    except pint.UndefinedUnitError as error:
        names = error.unit_names
        name = names if isinstance(names, str) else next(iter(names), given)
        raise ScenarioError(f"{shown(text)}: no unit is called {shown(str(name))}{nearest(str(name), COMMON)}") from None
    except pint.DimensionalityError:
        wanted = "a pure number" if target == "dimensionless" else f"a quantity in {unit}"
        raise ScenarioError(f"{shown(text)} is not {wanted}") from None
    except Exception as error:  # the parser has errors of many classes
        raise ScenarioError(f"{shown(text)}: cannot be read as a quantity in {unit}: {error}") from None
    return _finite(float(f"{value:.14g}"), text)  # 113 degF is 45 degC, not 45.00000000000006


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise ScenarioError(f"{shown(text)} is not finite")
    return value

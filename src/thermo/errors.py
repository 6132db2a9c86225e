"""What `thermo` raises when it refuses.

One root, `ThermoError`; each class below it exists because a caller can act on it. A message is one line of at most
500 characters that names the place, the value with its unit, what is allowed and the way out.
"""
from __future__ import annotations

import contextlib
import difflib
import reprlib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "ConvergenceError",
    "LimitError",
    "OutputError",
    "ScenarioError",
    "ThermoError",
    "TraceError",
    "ValidityWarning",
    "nearest",
    "one_line",
    "require_between",
    "shown",
]

MESSAGE_LIMIT = 500  # characters, so that a refusal fits a terminal and a log line
BOOLS = ("bool", "bool_")  # of Python and of NumPy, by the name of the type


def one_line(text: str) -> str:
    """`text` on one line, without control characters, cut to the length of a refusal."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= MESSAGE_LIMIT else clean[: MESSAGE_LIMIT - 3] + "..."


class ThermoError(Exception):
    """Root of everything that `thermo` raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class ScenarioError(ThermoError, ValueError):
    """A description (rack, device, cooling, ambient, scenario file, argument) cannot be what was meant."""


class TraceError(ThermoError, ValueError):
    """A workload or telemetry trace cannot be used as it is."""


class LimitError(ThermoError):
    """The run asked for would exceed a limit of size, memory or time."""


class CheckpointError(ThermoError):
    """A checkpoint is damaged, foreign or does not belong to this run."""


class OutputError(ThermoError, OSError):
    """A result cannot be written or read; nothing was changed."""


class ConvergenceError(ThermoError, ArithmeticError):
    """No solution was found; the message says where the search stopped and why."""


class ValidityWarning(UserWarning):
    """A law was used outside the range in which its source vouches for it."""


def shown(value: object) -> str:
    """A bounded repr for messages."""
    return reprlib.repr(value)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for a typo, else the first few known names."""
    known = sorted(known)
    if close := difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.6):
        return f"; did you mean {close[0]!r}?"
    return "; known: " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")


def require_between(name: str, value: float, low: float, high: float, unit: str, hint: str = "") -> float:
    """`value` as a float if it lies in [low, high]; else a `ScenarioError` that says all of it.

    True and texts are no numbers, whatever Python thinks of them.
    """
    words, hint = unit and f" {unit}", hint and f"; {hint}"
    number = None
    if not isinstance(value, str | bytes) and type(value).__name__ not in BOOLS and not getattr(value, "ndim", 0):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    if number is None:
        raise ScenarioError(f"{name} is {shown(value)}, expected a number from {low:g} to {high:g}{words}{hint}")
    if not low <= number <= high:  # also catches NaN
        raise ScenarioError(f"{name} is {number:g}{words}, expected {low:g} to {high:g}{words}{hint}")
    return number

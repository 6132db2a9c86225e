"""Coolant on its way, as the engine sees it: a flow that is known before the run, or one that a controller leads, and the laws of it.

Where a flow is known, what follows from it (a plate's uptake, the resistance of its base) is computed beforehand, too, and is a series; where a
controller leads it, that is a law of the controller's signal.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.loop import Flows
from thermo.cooling.site import Kind
from thermo.network import Group, Signal, law_table

if TYPE_CHECKING:
    from thermo.cooling.cold_plate import Loop

__all__ = ["COLDEST", "HOTTEST", "SPEED", "Given", "Law", "Led", "Stream", "interval_means", "law_of_two"]

Floats = NDArray[np.float64]
COLDEST, HOTTEST = 2.0, 75.0  # degC, of supply
CHEBYSHEV_POINTS = 33
RANK_ERROR = 1e-9  # of a law of two signals
SPEED: dict[str, Any] = {"low": 0.0, "high": 1.0, "unit": "of full speed", "hint": "is it in percent?"}
MOST_VALUES = 200  # of a law over a run, that are computed one by one
TABLE_POINTS = 257
MOST_KEPT = 8192  # values and tables of laws
Law = Callable[[Floats, float], Floats]  # of mass flows [kg/s] and a temperature of the supply [degC]


class Stream(Protocol):
    """Coolant that flows somewhere, as the engine sees it: given over the run, or led by a controller."""

    signal: Signal  # kg/s

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from it."""

    def part(self, share: Floats) -> Stream:
        """A part of it: `share` is ``(row, server)``."""

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""


@dataclass
class Given:
    """A flow that is known before the run; what follows from it is a series, too."""

    loop: Loop
    kind: Kind
    flows: Flows
    rows: Floats  # (row, server) m3/s

    def __post_init__(self) -> None:
        self.values = np.asarray(self.flows.series(self.loop.density * self.rows))  # kg/s
        self.supply = np.asarray(self.kind.own(self.loop.supply.values)) if self.loop.moves else None  # degC
        if self.supply is not None:  # pumps move volume, and it weighs less when warm
            lighter = np.asarray(self.loop.design.fluid.density(self.supply)) / self.loop.density
            wide = self.values.ndim == 2 or lighter.ndim == 2
            self.values = (_wide(self.values) if wide else self.values) * (_wide(lighter) if wide else lighter)
        self.signal = self.kind.group.series(self.values)

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from the flow, and from the supply's temperature where that moves."""
        if self.supply is None:
            return self.kind.group.series(_followed(lambda m: law(m, self.loop.first), self.values, key))
        wide = self.values.ndim == 2 or self.supply.ndim == 2
        m, T = np.broadcast_arrays(_wide(self.values) if wide else self.values, _wide(self.supply) if wide else self.supply)
        return self.kind.group.series(_followed_both(law, m, T))

    def is_slow(self, rate: float) -> bool:
        """Whether its capacity rate ever falls below `rate` [W/K]."""
        return bool(np.min(self.values) * self.loop.liquid.heat_capacity < rate)

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""
        here = self.values[self.values > 1e-2 * np.max(self.values)]
        return np.array([here.min(), here.max()])

    def part(self, share: Floats) -> Given:
        """A part of the flow."""
        return Given(self.loop, self.kind, self.flows, self.rows * share)


def _wide(values: Floats) -> Floats:
    return values[:, None] if values.ndim == 1 else values


@dataclass
class Led:
    """A flow that a controller moves: what follows from it is a law of its signal."""

    loop: Loop
    kind: Kind
    signal: Signal
    rated: float  # kg/s

    def law(self, law: Law, key: Any) -> Signal:
        """What follows from the flow, and from the supply's temperature where that moves."""
        span = 0.9 * self.loop.design.pump.minimum_speed * self.rated, 1.1 * self.rated
        if self.loop.moves:
            fluid = self.loop.design.fluid
            return law_of_two(self.kind.group, law, self.signal, span, self.loop.supply.signal(self.kind),
                           (max(COLDEST, fluid.lowest_temperature), min(HOTTEST, fluid.highest_temperature)))
        return self.kind.group.law_signal(_kept((key, span), lambda: law_table(lambda m: law(m, self.loop.first), *span)), self.signal)

    def moving(self) -> Floats:
        """Least and largest flow [kg/s] while it is driven."""
        return self.rated * np.array([self.loop.design.pump.minimum_speed, 1.0])

    def part(self, share: Floats) -> Led:
        """A part of the flow."""
        s = float(share.flat[0])
        return self if s == 1.0 else Led(self.loop, self.kind, self.kind.group.total([self.signal], [s]), s * self.rated)


_laws: dict[Any, Any] = {}


def _kept(key: Any, make: Callable[[], Any]) -> Any:
    """What `make` gives, kept so that equal plates share a table."""
    if key not in _laws:
        if len(_laws) > MOST_KEPT:
            _laws.clear()
        _laws[key] = make()
    return _laws[key]


def _followed(law: Callable[[Floats], Floats], x: Floats, key: Any) -> Floats:
    """``law(x)``: each value once, or where there are many, off a table."""
    values, where = np.unique(x, return_inverse=True)
    if values.size <= MOST_VALUES:
        found = np.array([_kept((key, value), lambda value=value: float(law(np.array(value)))) for value in values])  # type: ignore[misc]
    else:
        table = _kept((key, float(values[0]), float(values[-1])), lambda: law_table(law, float(values[0]), float(values[-1]), points=TABLE_POINTS))
        found = table(values)
    return np.asarray(found[np.asarray(where).reshape(x.shape)])


def _followed_both(law: Law, m: Floats, T: Floats) -> Floats:
    """``law(m, T)``: each pair once, or where there are many, off a spline through points of either."""
    pairs, where = np.unique(np.stack([m.ravel(), T.ravel()]), axis=1, return_inverse=True)
    if pairs.shape[1] <= MOST_VALUES:
        found = np.array([float(law(np.array(a), float(b))) for a, b in pairs.T])
    else:
        at_m, at_T = (_points(values, n) for values, n in zip(pairs, (TABLE_POINTS, CHEBYSHEV_POINTS), strict=True))
        table = np.column_stack([law(at_m, float(T)) for T in at_T])
        found = _spline(at_m, at_T, table, *pairs)
    return np.asarray(found[np.asarray(where).reshape(-1)].reshape(m.shape))


def _points(values: Floats, most: int) -> Floats:
    each = np.unique(values)
    return each if each.size <= most else np.linspace(each[0], each[-1], most)


def _spline(x: Floats, y: Floats, table: Floats, at_x: Floats, at_y: Floats) -> Floats:
    from scipy.interpolate import CubicSpline, RectBivariateSpline

    if x.size == 1:
        return np.asarray(CubicSpline(y, table[0])(at_y))
    if y.size == 1:
        return np.asarray(CubicSpline(x, table[:, 0])(at_x))
    return np.asarray(RectBivariateSpline(x, y, table, kx=min(3, x.size - 1), ky=min(3, y.size - 1)).ev(at_x, at_y))


def law_of_two(group: Group, function: Law, a: Signal, a_span: tuple[float, float], b: Signal, b_span: tuple[float, float]) -> Signal:
    """A law of two signals as a sum of products of laws of one: the leading singular pairs of its table.

    Parameters
    ----------
    function : callable
        Takes an array of the first and one value of the second.
    a, b : Signal
        What it follows.
    a_span, b_span : tuple of float
        Between which values.
    """
    angle = np.pi * (np.arange(CHEBYSHEV_POINTS) + 0.5) / CHEBYSHEV_POINTS
    nodes = -np.cos(angle)
    at_a, at_b = (0.5 * (low + high) + 0.5 * (high - low) * nodes for low, high in (a_span, b_span))
    table = np.column_stack([function(at_a, float(y)) for y in at_b])
    left, size, right = np.linalg.svd(table)
    rank = max(int(np.sum(size > RANK_ERROR * size[0])), 1)

    def through(values: Floats, span: tuple[float, float]) -> Callable[[Floats], Floats]:
        c = np.polynomial.chebyshev.chebfit(nodes, values, CHEBYSHEV_POINTS - 1)
        return lambda x: np.asarray(np.polynomial.chebyshev.chebval((2 * x - (span[0] + span[1])) / (span[1] - span[0]), c))

    products = []
    for r in range(rank):
        scale = math.sqrt(size[r])
        second = group.law_signal(law_table(through(scale * right[r], b_span), *b_span, points=257), b)
        products.append(group.law_signal(law_table(through(scale * left[:, r], a_span), *a_span, points=257), a, second))
    return group.total(products)


def interval_means(values: Floats, given: Any) -> Floats:
    """A series over each interval between samples: its mean where it runs straight, so that it does not hang on their spacing."""
    if values.ndim == 0 or getattr(given, "attrs", {}).get("interpolation") == "constant":
        return values
    return np.concatenate([0.5 * (values[:-1] + values[1:]), values[-1:]])

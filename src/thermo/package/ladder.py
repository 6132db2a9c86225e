r"""Ladders of resistances and capacities, and the step response that they stand for. Plain functions: no package, no solver.

The step response ``Z(t)`` of a junction is its rise over the power that begins to flow into it at ``t = 0`` [K/W]. Two ladders
hold the same response, and turn into each other exactly:

.. math:: Z(t) = \sum_i R_i (1 - e^{-t/\tau_i}), \qquad
          Z(s) = \sum_i \frac{R_i}{1 + s \tau_i} = \cfrac{1}{s C_1 + \cfrac{1}{R_1 + \cfrac{1}{s C_2 + \dotsb}}}

The sum is Foster's: quick to evaluate, and easy to fit, but its parts are nowhere in the chip. The continued fraction is Cauer's: a
chain of nodes with capacities to ground, whose order from the junction outwards is that of the layers that heat passes. It can be
joined to what is beyond its last resistance, and a Foster ladder cannot. The conversion loses about as many digits as there are nodes,
so it is done with decimals as long as it takes.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.errors import ConvergenceError, ScenarioError, shown

__all__ = ["Cauer", "Foster", "cauer", "fit_error", "foster", "foster_fit", "trace_error"]

Floats = NDArray[np.float64]
MOST_NODES = 200
SAME = 1e-14  # relative, of two conversions with different numbers of digits
SOFTNESS = 12.0  # the norm of errors that stands for the largest of them


@dataclass(frozen=True)
class Foster:
    """A sum of first-order terms, the quickest first."""

    resistance: tuple[float, ...]  # K/W
    time_constant: tuple[float, ...]  # s

    def __post_init__(self) -> None:
        _require_rows("Foster", resistance=self.resistance, time_constant=self.time_constant)
        order = sorted(range(len(self.time_constant)), key=lambda i: self.time_constant[i])
        for name in ("resistance", "time_constant"):
            object.__setattr__(self, name, tuple(float(getattr(self, name)[i]) for i in order))
        if self.time_constant[0] <= 0:
            raise ScenarioError(f"Foster.time_constant is {self.time_constant[0]:g} s, expected above 0 s")

    @property
    def total(self) -> float:
        """Resistance at rest [K/W]."""
        return math.fsum(self.resistance)

    def step(self, time: ArrayLike) -> Floats:
        """Rise over power, `time` after a step of power [K/W]. Times are in s; before 0 there is none."""
        t = np.maximum(np.asarray(time, dtype=np.float64), 0.0)
        return np.asarray(-np.expm1(-t[..., None] / np.array(self.time_constant)) @ np.array(self.resistance))

    def rise(self, time: ArrayLike, power: ArrayLike) -> Floats:
        """Rise [K] at each of `time` [s] under `power` [W], which holds from its sample to the next; exact. Before the first all is at rest without power."""
        t, P = np.asarray(time, dtype=np.float64), np.asarray(power, dtype=np.float64)
        if t.ndim != 1 or t.shape != P.shape or np.any(np.diff(t) <= 0):
            raise ScenarioError("rise: give as many samples of power as of time, and times that rise")
        R, tau = np.array(self.resistance), np.array(self.time_constant)
        kept = np.exp(-np.diff(t)[:, None] / tau)
        state, out = np.zeros(R.size), np.zeros(t.size)
        for k in range(t.size - 1):
            state = kept[k] * state + (1 - kept[k]) * R * P[k]
            out[k + 1] = state.sum()
        return out


@dataclass(frozen=True)
class Cauer:
    """A chain of nodes: heat enters the first, `resistance` i leads from node i to node i + 1, the last one to where it is counted from."""

    capacity: tuple[float, ...]  # J/K
    resistance: tuple[float, ...]  # K/W
    names: tuple[str, ...] = ()  # of the nodes, where they stand for something

    def __post_init__(self) -> None:
        _require_rows("Cauer", capacity=self.capacity, resistance=self.resistance)
        for name in ("capacity", "resistance"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
            if min(getattr(self, name)) <= 0:
                raise ScenarioError(f"Cauer.{name} is {min(getattr(self, name)):g} {'J/K' if name == 'capacity' else 'K/W'}, expected above 0")
        if self.names and len(self.names) != len(self.capacity):
            raise ScenarioError(f"Cauer.names has {len(self.names)} entries for {len(self.capacity)} nodes")

    @property
    def total(self) -> float:
        """Resistance at rest [K/W]."""
        return math.fsum(self.resistance)


def _require_rows(where: str, **rows: tuple[float, ...]) -> None:
    (a, x), (b, y) = rows.items()
    if not 1 <= len(x) == len(y) <= MOST_NODES:
        raise ScenarioError(f"{where}: {a} has {len(x)} entries and {b} has {len(y)}, expected 1 to {MOST_NODES} and as many of one as of the other")
    if not np.all(np.isfinite([*x, *y])):
        raise ScenarioError(f"{where}: {a} or {b} holds a number that is not finite: {shown((*x, *y))}")


# ------------------------------------------------------------------------------------------------- one ladder into another

def cauer(ladder: Foster) -> Cauer:
    """The chain of nodes with the same response.

    Raises
    ------
    ScenarioError
        If a resistance is not positive, so that there is no such chain (the ladder of a coupling between two blocks, for one).

    Examples
    --------
    >>> cauer(Foster((1.0, 1.0), (1.0, 3.0)))
    Cauer(capacity=(0.75, 6.25), resistance=(1.6, 0.4), names=())
    """
    if min(ladder.resistance) <= 0:
        raise ScenarioError(f"cauer: a Foster ladder with a resistance of {min(ladder.resistance):g} K/W is no chain of nodes; all must be above 0 K/W")
    terms: dict[float, float] = {}  # equal time constants are one term
    for R, tau in zip(ladder.resistance, ladder.time_constant, strict=True):
        terms[tau] = terms.get(tau, 0.0) + R
    capacity, resistance = _settled(lambda: _continued_fraction(terms), len(terms))
    return Cauer(tuple(capacity), tuple(resistance))


def _settled(convert: Callable[[], tuple[list[Decimal], list[Decimal]]], nodes: int) -> tuple[list[float], list[float]]:
    """What `convert` gives with so many digits that more do not change it."""
    before: list[float] = []
    for digits in (40 + 4 * nodes) * 2 ** np.arange(4):
        with localcontext() as context:
            context.prec = int(digits)
            first, second = convert()
        now = [float(x) for x in (*first, *second)]
        if before and np.allclose(now, before, rtol=SAME, atol=0.0):
            return now[:len(first)], now[len(first):]
        before = now
    raise ConvergenceError(f"a ladder of {nodes} nodes cannot be converted even with {digits} digits; leave out time constants that are all but equal")


def _continued_fraction(terms: dict[float, float]) -> tuple[list[Decimal], list[Decimal]]:
    N, D = [Decimal(0)], [Decimal(1)]  # coefficients of s^0, s^1, ... of Z(s) = N/D
    for tau, R in ((Decimal(tau), Decimal(R)) for tau, R in terms.items()):
        N = [a + b for a, b in zip(_times(N, tau), [*(R * d for d in D), Decimal(0)], strict=True)]
        D = _times(D, tau)
    N.pop()
    C, out = [], []
    while N:
        C.append(D[-1] / N[-1])  # Z -> infinity: a capacity
        D = [d - C[-1] * n for d, n in zip(D, [Decimal(0), *N], strict=True)][:-1]
        out.append(N[-1] / D[-1])  # what is left -> infinity: a resistance
        N = [n - out[-1] * d for n, d in zip(N, D, strict=True)][:-1]
    return C, out


def _times(P: list[Decimal], tau: Decimal) -> list[Decimal]:
    """``P(s) (1 + tau s)``."""
    return [a + tau * b for a, b in zip([*P, Decimal(0)], [Decimal(0), *P], strict=True)]


def foster(ladder: Cauer) -> Foster:
    """The sum of first-order terms with the same response.

    Examples
    --------
    >>> foster(Cauer((0.75, 6.25), (1.6, 0.4)))
    Foster(resistance=(1.0, 1.0), time_constant=(1.0, 3.0))
    """
    guess = [Decimal(float(rate)) for rate in _rates(np.array(ladder.capacity), np.array(ladder.resistance))]
    C, R = [Decimal(x) for x in ladder.capacity], [Decimal(x) for x in ladder.resistance]

    def terms() -> tuple[list[Decimal], list[Decimal]]:
        rates, weights = [], []
        for rate in map(Decimal, guess):
            for _ in range(60):
                Y, slope = _admittance(C, R, -rate)
                change = Y / slope
                rate += change
                if abs(change) <= abs(rate) * Decimal(10) ** -25:
                    break
            rates.append(rate)
            weights.append(1 / (_admittance(C, R, -rate)[1] * rate))
        return weights, [1 / rate for rate in rates]

    resistance, time_constant = _settled(terms, len(C))
    if abs(math.fsum(resistance) / ladder.total - 1) > 1e-10 or min(resistance) <= 0:
        raise ConvergenceError(f"the time constants of a chain of {len(C)} nodes were not found; join nodes that are all but nothing to their neighbours")
    return Foster(tuple(resistance), tuple(time_constant))


def _rates(C: Floats, R: Floats) -> Floats:
    """Decay rates of a chain [1/s]: large ones from its matrix, small ones from the inverse, which rounding hurts less."""
    scale, G = np.sqrt(C), 1 / R
    matrix = np.diag(np.concatenate(([0.0], G[:-1])) + G) - np.diag(G[:-1], 1) - np.diag(G[:-1], -1)
    fast = np.linalg.eigvalsh(matrix / np.outer(scale, scale))
    beyond = np.cumsum(R[::-1])[::-1]
    slow = 1 / np.linalg.eigvalsh(np.minimum.outer(beyond, beyond) * np.outer(scale, scale))[::-1]
    return np.where(fast < math.sqrt(fast[-1] * slow[0]), slow, fast)


def _admittance(C: list[Decimal], R: list[Decimal], s: Decimal) -> tuple[Decimal, Decimal]:
    """``1/Z(s)`` of a chain, and its slope over s, which is positive between its poles."""
    Y, slope = Decimal(0), Decimal(0)
    for c, r, last in zip(reversed(C), reversed(R), [True, *(False for _ in C[1:])], strict=True):
        if last:
            Y, slope = s * c + 1 / r, c
        else:
            below = 1 + r * Y
            Y, slope = s * c + Y / below, c + slope / (below * below)
    return Y, slope


# ------------------------------------------------------------------------------------------------- a ladder from a response

def foster_fit(time: ArrayLike, Z: ArrayLike, nodes: int, *, total: float | None = None, signed: bool = False) -> Foster:
    """The Foster ladder of so many nodes that comes nearest to a step response, measured by the largest deviation from it.

    Parameters
    ----------
    time : array_like, shape (n,)
        Times after the step, above 0 and rising; evenly spread in their logarithm is best. [s]
    Z : array_like, shape (n,)
        Rise over power at these. [K/W]
    nodes : int
        Number of terms.
    total : float
        Resistance at rest, which the ladder then has to rounding; None: the last of `Z`, which must have come to rest. [K/W]
    signed : bool
        Whether resistances may be negative, as a response that sets in late asks for: that of a block that another one heats.

    Notes
    -----
    Time constants and resistances are moved together: first least squares over the logarithm of time from several starts, the same ones in each call; then
    the best of these by a norm of the twelfth power, which weighs the largest deviations alone. Resistances are kept positive by
    moving their logarithms, and their sum is given, so that the ladder is right at rest.
    """
    t, z = _response(time, Z)
    if not isinstance(nodes, int) or isinstance(nodes, bool) or not 1 <= nodes <= 20:
        raise ScenarioError(f"nodes is {shown(nodes)}, expected a whole number from 1 to 20")
    if 2 * nodes > t.size:
        raise ScenarioError(f"nodes is {nodes}: {t.size} samples of a response cannot tell {2 * nodes} numbers; give more, or ask for fewer nodes")
    end = float(z[-1] if total is None else total)
    if not end > 0:
        raise ScenarioError(f"the response ends at {end:g} K/W, expected above 0 K/W")
    fit = _Fit(t, z / end, signed)
    found = min((fit.improved(x, 2.0) for x in fit.starts(nodes)), key=lambda x: fit.largest(x))
    for power in (4.0, SOFTNESS):
        found = min(found, fit.improved(found, power), key=lambda x: fit.largest(x))
    tau, share = fit.terms(found)
    return Foster(tuple(end * share), tuple(tau))


class _Fit:
    """A response of total 1, and how far a ladder is from it. Its numbers ``x``: logarithms of time constants, then those of shares."""

    def __init__(self, t: Floats, z: Floats, signed: bool) -> None:
        self.t, self.z, self.signed = t, z, signed
        gaps = np.diff(np.log(t))
        self.weight = np.sqrt(np.concatenate((gaps[:1], gaps[:-1] + gaps[1:], gaps[-1:])) / (2 * gaps.sum()))

    def terms(self, x: Floats) -> tuple[Floats, Floats]:
        n = (x.size + 1) // 2
        if self.signed:
            share = np.append(x[n:], 1 - x[n:].sum())
        else:
            e = np.exp(x[n:] - x[n:].max())
            share = e / e.sum()
        return np.exp(x[:n]), share

    def deviation(self, x: Floats) -> Floats:
        tau, share = self.terms(x)
        return np.asarray(-np.expm1(-self.t[:, None] / tau) @ share - self.z)

    def largest(self, x: Floats) -> float:
        return float(np.abs(self.deviation(x)).max())

    def starts(self, n: int) -> list[Floats]:
        """Time constants even in their logarithm where the response moves; where it takes equal parts of its way; and between these."""
        rising = np.maximum.accumulate(self.z) + 1e-12 * np.arange(self.z.size)
        log_t = np.log(self.t)

        def when(part: Floats) -> Floats:
            return np.asarray(np.interp(part, rising, log_t))

        low, high = when(np.array([0.01, 0.97]))
        even = low + (high - low) * (np.arange(n) + 0.5) / n
        parts = when((np.arange(n) + 0.63) / n)
        wide = low + (high - low) * np.arange(n) / max(n - 1, 1)
        return [self.started(np.sort(p) + 1e-3 * np.arange(n)) for p in (even, parts, wide, (even + parts) / 2)]

    def started(self, log_tau: Floats) -> Floats:
        from scipy.optimize import nnls

        n, end = log_tau.size, 1e3  # the weight of the sum
        K = -np.expm1(-self.t[:, None] / np.exp(log_tau)) * self.weight[:, None]
        A, b = np.vstack((K, np.full(n, end))), np.append(self.z * self.weight, end)
        if self.signed:
            return np.concatenate((log_tau, np.linalg.lstsq(A, b, rcond=None)[0][:-1]))
        share = np.maximum(nnls(A, b)[0], 1e-3)
        return np.concatenate((log_tau, np.log(share)))

    def improved(self, x: Floats, power: float) -> Floats:
        """`x` moved so that the sum of the deviations' powers is least."""
        from scipy.optimize import least_squares

        scale = max(self.largest(x), 1e-13)
        n = (x.size + 1) // 2

        def residual(x: Floats) -> Floats:
            return self.weight * np.abs(self.deviation(x) / scale) ** (power / 2)

        def slope(x: Floats) -> Floats:
            tau, share = self.terms(x)
            late = self.t[:, None] / tau
            K, d = -np.expm1(-late), self.deviation(x) / scale
            by_tau = -share * late * np.exp(-late)
            by_share = K[:, :-1] - K[:, -1:] if self.signed else share * (K - (K @ share)[:, None])
            each = self.weight * (power / 2) * np.abs(d) ** (power / 2 - 1) * np.sign(d) / scale
            return np.asarray(each[:, None] * np.hstack((by_tau, by_share)))

        reach = np.full(x.size, np.inf)
        reach[:n] = np.log(self.t[-1]) + 3.0
        low = np.full(x.size, -np.inf)
        low[:n] = np.log(self.t[0]) - 6.0
        inside = np.clip(x, low + 1e-6, reach - 1e-6)
        return np.asarray(least_squares(residual, inside, slope, bounds=(low, reach), x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-14,
                                        max_nfev=300).x)


def _response(time: ArrayLike, Z: ArrayLike) -> tuple[Floats, Floats]:
    t, z = np.asarray(time, dtype=np.float64), np.asarray(Z, dtype=np.float64)
    if t.ndim != 1 or t.shape != z.shape or t.size < 4:
        raise ScenarioError(f"a step response needs as many values as times, four or more: {t.shape}, {z.shape}")
    if not (np.all(np.isfinite(t)) and np.all(np.isfinite(z))):
        raise ScenarioError("a step response holds numbers that are not finite")
    if t[0] <= 0 or np.any(np.diff(t) <= 0):
        raise ScenarioError("the times of a step response must be above 0 s and rise")
    return t, z


# ------------------------------------------------------------------------------------------------- how far a ladder is off

def fit_error(ladder: Foster, time: ArrayLike, Z: ArrayLike, total: float | None = None) -> float:
    """Largest deviation of a ladder from a step response, over the total rise. [1]"""
    t, z = _response(time, Z)
    return float(np.abs(ladder.step(t) - z).max() / abs(z[-1] if total is None else total))


def trace_error(ladder: Foster, time: ArrayLike, Z: ArrayLike, total: float | None = None) -> float:
    """Largest error of a ladder under any power between 0 and some maximum, over the rise at rest under that maximum. [1]

    Notes
    -----
    With ``e(t)`` the ladder's error after a step, the error under a power ``P(t)`` is the sum of ``de P`` over the past. Whatever
    the trace, it is no larger than all rises of `e` together or all its falls, and a trace that is on during those reaches it.
    """
    t, z = _response(time, Z)
    change = np.diff(np.concatenate(([0.0], ladder.step(t) - z, [ladder.total - (z[-1] if total is None else total)])))
    return float(max(change[change > 0].sum(), -change[change < 0].sum()) / abs(z[-1] if total is None else total))

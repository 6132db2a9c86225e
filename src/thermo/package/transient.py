r"""Temperatures over time where only the power changes: a small model that is exact in time, and says how wrong it is.

Cells obey :math:`C \dot x = -K x + B u(t)`, with `x` the rise above the state without power, a few maps of heat as columns of `B`, and
`u` what each gives off. Project it on the space that the fields

.. math:: (K + s_i C)^{-1} B, \qquad s_i = 0, \; \dots, \; 8 / t_\mathrm{shortest}

span (rational Krylov, or moments matched at the shifts :math:`s_i`), with a basis `V` orthonormal in `C`. What is left,
:math:`\dot a = -(V^T K V) a + V^T B u`, has as many unknowns as there were solves, some twenty, and is solved exactly for power that is
constant by pieces. The field at shift `s` is the step response averaged over time with weight :math:`s e^{-s t}`: each solve is a
temperature, made right for times near `1/s`. Shift 0 is the steady state.

The next shift is where the residual is largest. Without solving anything it is known up to a constant: it vanishes at the shifts and has
its poles at the eigenvalues :math:`-\lambda_j` of the small model, so it goes as :math:`\prod (s - s_i) / \prod (s + \lambda_j)` (Druskin and
Simoncini). Each solve starts from what the small model says, and only the remainder costs cycles.

How wrong the step response is at a time after the step is taken from the two spaces before: the larger of what the last shift changed and
what the one before it changed, in the cell where it changed most. The answer to a trace of power is then wrong by no more than the
sum over its jumps.

Coolant in channels makes `K` lopsided, and the projection remains stable, as the symmetric part of `K` is positive. The
coolant itself stores nothing here: its passage through a channel must be short beside the times that matter.

References
----------
.. [1] V. Druskin and V. Simoncini, Adaptive rational Krylov subspaces for large-scale dynamical systems, Systems & Control Letters 60(8),
   2011, 546-560, doi:10.1016/j.sysconle.2011.04.013.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo._kernels import subspace
from thermo.errors import ConvergenceError, ScenarioError

__all__ = ["Response"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_LAG = 24  # times after a step at which the error is looked at, even in log t
FASTEST, SLOWEST = 8.0, 0.3  # shifts reach from SLOWEST / longest to FASTEST / shortest: with 2 the shortest lag is not covered
SOLVE = 3e-4  # of the tolerance is left to each solve, measured by its residual,
REDUCTION = 0.1  # and of the residual that the small model leaves at a new shift, no more than this
ROUNDING = 1e-13  # of the heat: a smaller residual cannot be asked for
FLOOR = 0.05  # of the tolerance, for what the solves leave that later ones do not touch
KEPT, DOUBT = 2, 1.5  # how many changes the error is taken from, and how many times the largest
MOST_CYCLES = 200
TILE = 8  # cells in x and in y that are near each other, for the search of the hottest


class Response:
    """Small model of a solid's answer to a few powers.

    Parameters
    ----------
    solid : thermo._kernels.conduction.Solid
        The cells.
    heat : ndarray, shape (input, nz, ny, nx)
        Heat of each cell at the unit of each input. [W]
    shortest, longest : float
        Times after a change of power between which temperatures are to be right; later they are, too. [s]
    tolerance : float
        Error of the response to a unit step that is aimed at, in any cell. [K]
    most : int
        Fields that may be kept at most, each as large as the solid. [1]
    threads : int
        Results do not depend on it. [1]

    Attributes
    ----------
    fields : list of ndarray, shape (nz, ny, nx)
        The basis `V`. Fields are sums of them: ``T = rest + sum a[j] V[j]``.
    shifts : list of float
        Where it was made. [1/s]
    lag, lag_error : ndarray, shape (lag), (input, lag)
        Estimated error of the unit step response in the worst cell [K], from each lag [s] to the next.
    cycles : int
        Multigrid cycles in all. [1]
    """

    def __init__(self, solid: Any, heat: Floats, *, shortest: float, longest: float, tolerance: float, most: int = 120,
                 threads: int = 1) -> None:
        self.heat = np.ascontiguousarray(heat, dtype=float)
        if self.heat.ndim != 4 or not len(self.heat):
            raise ScenarioError(f"heat has shape {self.heat.shape}, expected (input, nz, ny, nx) with one input or more")
        if not 0 < shortest <= longest < np.inf:
            raise ScenarioError(f"shortest is {shortest} s and longest {longest} s, expected 0 < shortest <= longest")
        if not tolerance > 0:
            raise ScenarioError(f"tolerance is {tolerance} K, expected above 0 K")
        if solid.coolant_stores:
            raise ScenarioError("coolant in channels has a heat capacity, which is not part of this model; give 0 J/(m K), as good as its "
                                "passage through a channel is short beside `shortest`")
        if solid.varies:
            raise ScenarioError("a conductivity depends on temperature, but this model is linear; march in steps (thermo.package.stepping)")
        self._solid, self._threads = solid, threads
        self.shape = self.heat.shape[1:]
        self.capacity = np.empty(self.shape)
        solid.capacity(out=self.capacity)
        self.fields: list[Floats] = []
        self.shifts: list[float] = []
        self.cycles = 0
        self._flows: list[Floats] | None = [] if solid.channels else None  # K V, where K is not symmetric
        self._peak = 0.0
        self._conductance = np.zeros((0, 0))  # V^T K V
        self._gain = np.zeros((0, len(self.heat)))  # V^T B
        self.lag = np.geomspace(shortest, longest, N_LAG) if longest > shortest else np.array([shortest])
        self.lag_error = np.full((len(self.heat), len(self.lag)), np.inf)
        self._build(tolerance, most, FASTEST / shortest, SLOWEST / longest)

    # ------------------------------------------------------------------------------------------------------- building

    def _build(self, tolerance: float, most: int, fastest: float, slowest: float) -> None:
        flow = np.empty(self.shape)
        self._solid.apply(np.ones(self.shape), threads=self._threads, out=flow)
        self.closed = not np.abs(flow).max() > 1e-12 * np.abs(self.capacity).max() * slowest  # no film: no steady state
        if self.closed:
            self._take(np.where(self.capacity > 0, 1.0, 0.0))
        candidates = np.geomspace(slowest, fastest, 400)
        todo = [fastest, slowest if self.closed else 0.0]
        near = self._probes()
        before = self._step_on(self.lag, len(self.fields))
        changes: list[Floats] = []
        while True:
            self._extend(todo.pop(0) if todo else self._worst(candidates), tolerance)
            now = self._step_on(self.lag, len(self.fields))
            change = now.copy()
            change[..., : before.shape[2]] -= before
            before = now
            changes = [*changes[-KEPT + 1 :], change]
            if not todo and len(changes) == KEPT and all(DOUBT * np.abs(self._rows(near, c)).max() <= (1.0 - FLOOR) * tolerance for c in changes):
                self._estimate(changes, tolerance)
                if self.lag_error.max() <= tolerance:
                    return
            if len(self.fields) + len(self.heat) > most:
                self._estimate(changes, tolerance)
                raise ConvergenceError(
                    f"step response is {self.lag_error.max():.2g} K off after {len(self.shifts)} shifts and {len(self.fields)} fields, "
                    f"more than tolerance {tolerance:g} K; raise tolerance, shortest, or most ({most})")

    def _extend(self, shift: float, tolerance: float) -> None:
        """The fields at one more shift into the space."""
        self.shifts.append(shift)
        guess = self._at_shift(shift)
        new = []
        for heat, a in zip(self.heat, guess, strict=True):
            left = heat.copy()
            if len(a):
                known, flow = np.empty(self.shape), np.empty(self.shape)
                subspace.combine(self.fields, a, onto=False, threads=self._threads, out=known)
                self._solid.apply(known, threads=self._threads, out=flow)
                left -= flow
                known *= self.capacity
                known *= shift
                left -= known
            size, all_of_it = self._size(left), self._size(heat)
            if not size > ROUNDING * all_of_it:  # as good as it gets
                continue
            goal = max(ROUNDING * all_of_it, min(REDUCTION * size, SOLVE * tolerance / max(self._peak, tolerance) * all_of_it))
            x = np.zeros(self.shape)
            done = self._solid.solve(shift=shift, b=left, tolerance=goal / size, enough=0.0, iterations=MOST_CYCLES, threads=self._threads, x=x)
            self.cycles += done["iterations"]
            if not done["residual"] <= 2 * done["goal"]:
                raise ConvergenceError(f"field at shift {shift:g} 1/s: residual {done['residual']:.2g} W after {done['iterations']} cycles, "
                                       f"expected {done['goal']:.2g} W; is a part without cooling cut off from the rest?")
            self._peak = max(self._peak, float(np.abs(x).max()))
            new.append(x)
        for x in new:
            self._take(x)

    def _take(self, x: Floats) -> None:
        share = subspace.orthonormalise(self.fields, self.capacity, x, threads=self._threads)
        if share < 1e-10:  # nothing that was not there before
            return
        self.fields.append(x)
        flow, column = np.empty(self.shape), np.empty(len(self.fields))
        self._solid.apply(x, threads=self._threads, out=flow)
        subspace.inner(self.fields, flow, threads=self._threads, out=column)
        m = len(self.fields)
        grown = np.zeros((m, m))
        grown[:-1, :-1] = self._conductance
        grown[:, -1] = grown[-1, :] = column
        self._conductance = grown
        if self._flows is not None:
            row = np.empty(m)
            self._flows.append(flow)
            subspace.inner(self._flows, x, threads=self._threads, out=row)
            grown[-1] = row
        row = np.empty(len(self.heat))
        subspace.inner(list(self.heat), x, threads=self._threads, out=row)
        self._gain = np.vstack([self._gain, row])
        if self._flows is None:
            self._decay, self._modes = np.linalg.eigh(self._conductance)
            self._decay = np.maximum(self._decay, 0.0)
            self._in_modes = self._modes.T @ self._gain
        else:
            self._decay, self._modes = np.linalg.eig(self._conductance)
            self._in_modes = np.linalg.solve(self._modes, self._gain)

    def _size(self, b: Floats) -> float:
        out = np.empty(1)
        subspace.inner([b], b, threads=self._threads, out=out)
        return float(np.sqrt(out[0]))

    def _worst(self, candidates: Floats) -> float:
        """The shift at which the residual is largest, and not one that was taken."""
        distance = np.abs(candidates[:, None] - np.array(self.shifts))
        residual = np.log(np.maximum(distance, 1e-300)).sum(1) - np.log(np.abs(candidates[:, None] + self._decay)).mean(1) * len(self.shifts)
        return float(candidates[np.argmax(residual)])

    def _at_shift(self, shift: float) -> Floats:
        """What the small model says of the fields at a shift, (input, field)."""
        if not self.fields:
            return np.zeros((len(self.heat), 0))
        return np.ascontiguousarray(((self._modes / (self._decay + max(shift, 1e-300))) @ self._in_modes).T.real)

    def _probes(self) -> Ints:
        """Some two thousand cells, spread evenly, and those that are heated most."""
        size = self.capacity.size
        heated = np.abs(self.heat).reshape(len(self.heat), -1).max(0) / np.maximum(self.capacity.ravel(), 1e-300)
        most = np.argpartition(heated, -min(64, size))[-min(64, size):]
        return np.unique(np.concatenate([np.arange(0, size, max(1, size // 2000)), most]))

    def _rows(self, cells: Ints, a: Floats) -> Floats:
        """Temperatures at cells for coefficients (..., field)."""
        return a @ np.array([v.ravel()[cells] for v in self.fields[: a.shape[-1]]])

    def _estimate(self, changes: list[Floats], tolerance: float) -> None:
        """The error from the last changes of the step responses, in the worst cell."""
        m, n = len(self.fields), len(changes[0][..., 0].ravel())
        a = np.zeros((2 * len(changes), n, m))
        for i, change in enumerate(changes):
            a[2 * i, :, : change.shape[2]] = change.reshape(n, -1)
            a[2 * i + 1] = -a[2 * i]
        value, _ = self._search(a.reshape(-1, m), self.fields, *self._order(None))
        self.lag_error = DOUBT * value.reshape(2 * len(changes), *self.lag_error.shape).max(axis=0) + FLOOR * tolerance

    # --------------------------------------------------------------------------------------------------------- asking

    def _step_on(self, times: Floats, m: int) -> Floats:
        """Coefficients of the unit step responses, (input, time, field)."""
        if m == 0:
            return np.zeros((len(self.heat), len(times), 0))
        return ((_ramp(times[:, None], self._decay)[None] * self._in_modes.T[:, None, :]) @ self._modes.T).real

    def step(self, times: Floats) -> Floats:
        """Coefficients of the answers to a unit step of each input at time 0.

        Parameters
        ----------
        times : ndarray, shape (time)
            After the step. [s]

        Returns
        -------
        a : ndarray, shape (input, time, field)
            Coefficients of `fields`.
        """
        return self._step_on(np.asarray(times, float), len(self.fields))

    def march(self, times: Floats, power_times: Floats, power: Floats) -> Floats:
        """Coefficients at times, from rest, for power that is constant by pieces. Exact in time.

        Parameters
        ----------
        times : ndarray, shape (time)
            Rising, not before the first of `power_times`. [s]
        power_times : ndarray, shape (piece)
            When each piece begins; the last holds on. Rising. [s]
        power : ndarray, shape (piece, input)
            In the unit of `heat`.

        Returns
        -------
        a : ndarray, shape (time, field)
            Coefficients of `fields`.
        """
        times, power_times = np.asarray(times, float), np.asarray(power_times, float)
        power = np.asarray(power, float).reshape(len(power_times), len(self.heat))
        if len(power_times) == 0 or np.any(np.diff(power_times) <= 0):
            raise ScenarioError("power_times must rise, and hold one time or more")
        if len(times) and (np.any(np.diff(times) < 0) or times[0] < power_times[0]):
            raise ScenarioError(f"times must rise and not begin before the power does, at {power_times[0]:g} s")
        stops = np.union1d(times, power_times[power_times < times[-1]] if len(times) else power_times[:1])
        held = np.searchsorted(power_times, stops[:-1], side="right") - 1
        heat = power @ self._in_modes.T  # (piece, mode)
        out = np.zeros((len(stops), len(self._decay)), self._decay.dtype)
        a = out[0]
        for first in range(0, len(held), 4096):
            span = np.diff(stops[first : first + 4097])[:, None]
            decay, push = np.exp(-span * self._decay), _ramp(span, self._decay) * heat[held[first : first + 4096]]
            for k in range(len(span)):
                a = out[first + k + 1] = decay[k] * a + push[k]
        return (out[np.searchsorted(stops, times)] @ self._modes.T).real

    def error(self, times: Floats, power_times: Floats, power: Floats) -> Floats:
        """Estimate of the error in any cell at times, as `march` takes them: over all jumps of power, the error of a step. [K]"""
        times, power_times = np.asarray(times, float), np.asarray(power_times, float)
        power = np.asarray(power, float).reshape(len(power_times), len(self.heat))
        jumps = np.abs(np.diff(power, axis=0, prepend=0.0))
        until = np.vstack([np.zeros(len(self.heat)), np.cumsum(jumps, axis=0)])  # jumps before each piece, and all
        total = np.zeros(len(times))
        # From lag i to lag i + 1 the larger of its ends counts; before the first and after the last, these.
        worst = np.maximum(self.lag_error, np.roll(self.lag_error, -1, axis=1))
        worst[:, -1] = self.lag_error[:, -1]
        ends = [0.0, *self.lag[1:], np.inf]
        for i in range(len(self.lag)):
            newest = np.searchsorted(power_times, times - ends[i], side="left")
            oldest = np.searchsorted(power_times, times - ends[i + 1], side="left")
            total += (until[newest] - until[oldest]) @ worst[:, i]
        return total

    def field(self, a: Floats, rest: Floats | float = 0.0) -> Floats:
        """The whole field for one set of coefficients, on top of the state `rest` without power."""
        out = np.array(np.broadcast_to(rest, self.shape), dtype=float)
        subspace.combine(self.fields, np.ascontiguousarray(a, dtype=float), onto=True, threads=self._threads, out=out)
        return out

    def at(self, a: Floats, cells: Ints, rest: Floats | float = 0.0) -> Floats:
        """Temperatures in cells, by index into the ravelled field, for coefficients (..., field)."""
        return self._rows(np.asarray(cells), a) + np.broadcast_to(rest, self.shape).ravel()[cells]

    def mean(self, a: Floats, weight: Floats, rest: Floats | float = 0.0) -> Floats:
        """Means over cells with weights (mean, nz, ny, nx), volumes say, for coefficients (..., field): (..., mean)."""
        weights = [np.ascontiguousarray(w / w.sum()) for w in np.asarray(weight, float)]
        of_field = np.empty((len(self.fields) + 1, len(weights)))
        for row, v in zip(of_field, [*self.fields, np.array(np.broadcast_to(rest, self.shape), dtype=float)], strict=True):
            subspace.inner(weights, v, threads=self._threads, out=row)
        return a @ of_field[:-1] + of_field[-1]

    def hottest(self, a: Floats, block: Ints | None = None, rest: Floats | float = 0.0) -> tuple[Floats, Ints]:
        """Highest temperature in each block, and where.

        Parameters
        ----------
        a : ndarray, shape (time, field)
            Coefficients.
        block : ndarray, shape (nz, ny, nx), optional
            The number of each cell's block, below 0 for those that do not count. All solid cells are one block by default.
        rest : ndarray, shape (nz, ny, nx), or float
            State without power. [degC]

        Returns
        -------
        T, cell : ndarray, shape (time, block)
            Temperature [degC] and index into the ravelled field.
        """
        a = np.asarray(a, float)
        if np.ndim(rest) == 0:
            T, cell = self._search(a, self.fields, *self._order(block))
            return T + float(rest), cell
        above = np.hstack([a, np.ones((len(a), 1))])
        return self._search(above, [*self.fields, np.ascontiguousarray(rest, dtype=float)], *self._order(block))

    def _search(self, a: Floats, fields: list[Floats], order: Ints, start: Ints) -> tuple[Floats, Ints]:
        value, cell = np.empty((len(start) - 1, len(a))), np.empty((len(start) - 1, len(a)), np.int64)
        subspace.hottest(fields, np.ascontiguousarray(a.T), order, start, threads=self._threads, value=value, cell=cell)
        return value.T, cell.T

    def _order(self, block: Ints | None) -> tuple[Ints, Ints]:
        """Cells block by block, near each other within; where each block begins."""
        nz, ny, nx = self.shape
        label = np.where(self.capacity > 0, 0, -1) if block is None else np.asarray(block)
        n_block = int(label.max()) + 1
        wide, deep = -(-nx // TILE), -(-ny // TILE)
        tile = (np.arange(nz)[:, None, None] * deep + np.arange(ny)[:, None] // TILE) * wide + np.arange(nx) // TILE
        key = np.where(label < 0, n_block, label) * (nz * deep * wide) + tile
        order = np.argsort(key.ravel(), kind="stable")
        return order, np.searchsorted(key.ravel()[order], np.arange(n_block + 1) * (nz * deep * wide))


def _ramp(time: Floats, decay: Floats) -> Floats:
    """(1 - exp(-decay time)) / decay, and time where decay is 0."""
    safe = np.where(decay != 0, decay, 1.0)
    return np.where(decay != 0, -np.expm1(-time * safe) / safe, time)

r"""Temperatures over time step by step: for conductivities that move with temperature, and for more powers than a small model bears.

:math:`C \dot x = q(t) - K x`, with `x` the rise above a uniform reference, goes by TR-BDF2 [1]_: a trapezoid to :math:`t + \gamma h`, then
a backward difference over the three points, :math:`\gamma = 2 - \sqrt 2`. Of second order, L-stable, both solves with the same matrix
:math:`K + C / (d h)`, :math:`d = \gamma / 2`. Flows :math:`f = C \dot x` come out of the solves as differences, so

.. math:: C (x_2 - x_0) = h (w f_0 + w f_1 + d f_2), \qquad w = \sqrt 2 / 4

holds identically, and energy closes as far as the solves do. A companion of third order says what a step did wrong; the stiff part of
that is taken out by one more rough solve [1]_. Steps land on changes of power; results between are on the parabola through
the three points.

A conductivity that depends on temperature is taken at the middle of the step, foretold from the step before and renewed
until the middle is where it was foretold to be.

References
----------
.. [1] M. E. Hosea, L. F. Shampine, Analysis and implementation of TR-BDF2, Applied Numerical Mathematics 20(1-2), 1996, 21-37,
   doi:10.1016/0168-9274(95)00115-8.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo.errors import ConvergenceError, ScenarioError

__all__ = ["Run", "march"]

Floats = NDArray[np.float64]

GAMMA = 2.0 - np.sqrt(2.0)
D, W = GAMMA / 2.0, np.sqrt(2.0) / 4.0
COMPANION = np.array([(1.0 - W) / 3.0 - W, (3.0 * W + 1.0) / 3.0 - W, D / 3.0 - D])  # third order less second
SAFETY, GROW, SHRINK = 0.85, 4.0, 0.2
SOLVE = 0.1  # of the tolerance is left to each solve
FINE, ROUGH = 1e-13, 0.1  # of the right-hand side: how far solves go if nothing else is said, and how far that for the error
STILL = 0.1  # K that the middle of a step may miss what was foretold, where conductivity depends on temperature
MOST_PASSES, MOST_CYCLES = 6, 200


@dataclass
class Run:
    """What `march` did.

    Parameters
    ----------
    snapshots : ndarray, shape (time, nz, ny, nx)
        Fields at the times asked for, above the reference. [K]
    error : ndarray, shape (time,)
        Sum of the local errors up to then: errors of the past do not grow, so it bounds the error in any cell to first order. [K]
    energy_in, energy_stored, energy_out : ndarray, shape (time,)
        Since the begin, at the end of the step in which each time lies: `out` is what crossed films and coolant. [J]
    steps, refused, cycles : int
        Steps taken, steps repeated with a shorter one, multigrid cycles. [1]
    """

    snapshots: Floats
    error: Floats
    energy_in: Floats
    energy_stored: Floats
    energy_out: Floats
    steps: int = 0
    refused: int = 0
    cycles: int = 0
    step_sizes: list[float] = field(default_factory=list)


class _Stepper:
    """The state, and one step of any size from it."""

    def __init__(self, solid: Any, x: Floats, tolerance: float, threads: int, solve: float) -> None:
        self.solid, self.threads, self.tolerance, self.solve = solid, threads, tolerance, solve
        self.C = np.empty(x.shape)
        solid.capacity(out=self.C)
        self.size = float(self.C[self.C > 0].min())  # J/K of the smallest cell
        self.x, self.f = np.where(self.C > 0, x, 0.0), np.zeros(x.shape)
        self.cycles = 0

    def flow(self, x: Floats, q: Floats) -> Floats:
        out = np.empty(x.shape)
        self.solid.apply(x, threads=self.threads, out=out)
        return q - out

    def _solved(self, shift: float, b: Floats, x: Floats, tolerance: float) -> Floats:
        """(K + shift C) x = b from x. A residual of shift C e in one cell would be an error of less than e there."""
        enough = 0.0 if tolerance == ROUGH else self.solve * self.tolerance * shift * self.size
        done = self.solid.solve(shift=shift, b=b, tolerance=tolerance, enough=enough, iterations=MOST_CYCLES, threads=self.threads, x=x)
        self.cycles += done["iterations"]
        if not done["residual"] <= 2.0 * done["goal"] + 1e-13 * float(np.linalg.norm(b)):
            raise ConvergenceError(f"solve at shift {shift:g} 1/s stopped at a residual of {done['residual']:.2g} W after "
                                   f"{done['iterations']} cycles, expected {done['goal']:.2g} W")
        return x

    def attempt(self, h: float, q: Floats) -> tuple[float, Floats, Floats, Floats, Floats]:
        """(local error [K], x at gamma h, x at h, f there) for heat q throughout; the state stays."""
        x, f, C = self.x, self.f, self.C
        shift = 1.0 / (D * h)
        slope = np.divide(f, C, out=np.zeros(x.shape), where=C > 0)
        guess = x + GAMMA * h * np.clip(slope, -100.0 * self.tolerance / h, 100.0 * self.tolerance / h)
        x1 = self._solved(shift, C * (shift * x) + f + q, guess, FINE)
        f1 = C * (shift * (x1 - x)) - f
        y = (x1 / GAMMA - (1.0 - GAMMA) ** 2 / GAMMA * x) / (2.0 - GAMMA)
        x2 = self._solved(shift, C * (shift * y) + q, x1 + (x1 - x) * ((1.0 - GAMMA) / GAMMA), FINE)
        f2 = C * (shift * (x2 - y))
        wrong = h * (COMPANION[0] * f + COMPANION[1] * f1 + COMPANION[2] * f2)
        e = self._solved(shift, shift * wrong, np.zeros(x.shape), ROUGH)
        return float(np.abs(e).max()), x1, x2, f1, f2


def march(solid: Any, heat: Floats, *, power_times: Floats, power: Floats, times: Floats, tolerance: float, start: Floats | float = 0.0,
          reference: float = 0.0, first_step: float | None = None, fixed_step: float | None = None, solve: float = SOLVE,
          threads: int = 1) -> Run:
    """March a solid through powers that are constant by pieces.

    Parameters
    ----------
    solid : thermo._kernels.conduction.Solid
        The cells; all films and coolant inlets are at the reference.
    heat : ndarray, shape (input, nz, ny, nx)
        Heat of each cell at the unit of each input. [W]
    power_times : ndarray, shape (piece,)
        When each piece begins; the last holds on. Rising. [s]
    power : ndarray, shape (piece, input)
        In the unit of `heat`.
    times : ndarray, shape (time,)
        When fields are wanted, rising; the first not before `power_times[0]`, where the march begins. [s]
    tolerance : float
        Error of one step in any cell. [K]
    start : ndarray, shape (nz, ny, nx), or float
        Rise above the reference at the begin. [K]
    reference : float
        Temperature of what is around; matters where conductivity depends on temperature. [degC]
    first_step, fixed_step : float, optional
        Size of the first step, or of all of them, without control. [s]
    solve : float
        Share of the tolerance that is left to each solve. [1]

    Returns
    -------
    Run
        Fields, their error and the energy balance.
    """
    heat, times, power_times = np.asarray(heat, float), np.asarray(times, float), np.asarray(power_times, float)
    power = np.asarray(power, float).reshape(len(power_times), len(heat))
    if len(power_times) == 0 or np.any(np.diff(power_times) <= 0):
        raise ScenarioError("power_times must rise, and hold one time or more")
    if len(times) == 0 or np.any(np.diff(times) < 0) or times[0] < power_times[0]:
        raise ScenarioError(f"times must rise and not begin before the power does, at {power_times[0]:g} s")
    if not tolerance > 0:
        raise ScenarioError(f"tolerance is {tolerance} K, expected above 0 K")
    if solid.coolant_stores:
        raise ScenarioError("coolant in channels has a heat capacity, which the stepper leaves out; give 0 J/(m K), as good as its passage "
                            "through a channel is short beside the times that matter")
    state = _Stepper(solid, np.broadcast_to(np.asarray(start, float), heat.shape[1:]), tolerance, threads, solve)
    run = Run(np.empty((len(times), *heat.shape[1:])), error=np.zeros(len(times)), energy_in=np.zeros(len(times)),
              energy_stored=np.zeros(len(times)), energy_out=np.zeros(len(times)))
    at, done, summed = 0, 0, np.zeros(3)  # local errors, J in, J stored
    ends = np.append(power_times[1:], np.inf)
    h = fixed_step or first_step or 0.0
    slope = np.zeros(heat.shape[1:])
    for begin, end, u in zip(power_times, np.minimum(ends, times[-1]), power, strict=True):
        while at < len(times) and times[at] <= begin:
            run.snapshots[at] = state.x
            at += 1
        if begin >= times[-1]:
            break
        q = np.tensordot(u, heat, 1)
        if solid.varies:
            solid.renew(T=reference + state.x, threads=threads)
        state.f = state.flow(state.x, q)
        slope = np.divide(state.f, state.C, out=slope, where=state.C > 0)
        if not h > 0:  # no cell moves by more than a hundred tolerances in the first step; control does the rest
            h = min(end - begin, 100.0 * tolerance / max(float(np.abs(slope).max()), 1e-300))
        slope[:] = 0.0  # nothing is known of the slope after a change but what is stiff
        t = begin
        while t < end:
            left = end - t
            n = np.ceil(left / h * (1.0 - 1e-9)) if left / h < 1e6 else 0
            step = left / n if n and n <= 3 or fixed_step else h
            error, x1, x2, f1, f2 = _step(state, step, q, slope, reference)
            if error > tolerance and not fixed_step:
                run.refused += 1
                h = step * max(SHRINK, SAFETY * (tolerance / error) ** (1.0 / 3.0))
                if not h > 1e-14 * max(abs(t), left):
                    raise ConvergenceError(f"step at {t:g} s has shrunk to {h:g} s; tolerance {tolerance:g} K cannot be kept")
                continue
            new = end if step == left else t + step
            stored = step * float(np.sum(W * (state.f + f1) + D * f2))
            summed += (error, step * float(q.sum()), stored)
            while at < len(times) and times[at] <= new:
                s = (times[at] - t) / step
                run.snapshots[at] = (state.x * ((s - GAMMA) * (s - 1.0) / GAMMA) + x1 * (s * (s - 1.0) / (GAMMA * (GAMMA - 1.0)))
                                     + x2 * (s * (s - GAMMA) / (1.0 - GAMMA)))
                run.error[at], run.energy_in[at], run.energy_stored[at] = summed
                at += 1
            slope = (x2 - state.x) / step
            state.x, state.f, t = x2, f2, new
            done += 1
            run.step_sizes.append(step)
            if not fixed_step:
                wish = step * min(GROW, SAFETY * (tolerance / max(error, 1e-300)) ** (1.0 / 3.0))
                h = wish if wish > 1.3 * step or wish < step else step  # the same step again finds its factors ready
    run.steps, run.cycles = done, state.cycles
    run.energy_out = run.energy_in - run.energy_stored
    return run


def _step(state: _Stepper, h: float, q: Floats, slope: Floats, reference: float) -> tuple[float, Floats, Floats, Floats, Floats]:
    """One attempt, with conductivities of the middle of the step where they vary."""
    if not state.solid.varies:
        return state.attempt(h, q)
    middle = state.x + 0.5 * h * slope
    for _ in range(MOST_PASSES):
        state.solid.renew(T=reference + middle, threads=state.threads)
        state.f = state.flow(state.x, q)
        out = state.attempt(h, q)
        found = 0.5 * (state.x + out[2])
        if float(np.abs(found - middle).max()) <= STILL:
            break
        middle = found
    return out

r"""How a package answers steps of power, at all times at once, from a few solutions.

Cells obey :math:`C \dot x + K x = b P(t)`, `x` the rise above what films and coolants have. With a number of shifts :math:`s_i`, evenly spread in
their logarithm from slow to quick, the fields :math:`(K + s_i C)^{-1} b` span a space in which the answer lies as good as wholly (a
rational Krylov space [1]_); on a basis `V` of it with :math:`V^T C V = 1` the package is

.. math:: \dot y + V^T K V y = V^T b P(t),

a few dozen numbers. Where no coolant carries heat along, :math:`V^T K V` is symmetric: the step response is then a sum of decaying
terms with positive parts, as of the package itself, and its value at rest is that of the cells, for zero is one of the shifts. How good it
is, the answer with every second shift left out says; and how far :math:`s Z(s)` of the few numbers is from that of the cells at the
shifts, where they are one and the same, but for the heat that coolant holds: `solve` knows of it, and `C` does not.

`thermo.package.transient` makes whole fields in this way; here a few means are wanted, for very short and very long times at once, and coolant
may carry heat from one place to another, so that `K` is not symmetric.

References
----------
.. [1] V. Druskin and M. Zaslavsky, On convergence of Krylov subspace approximations of time-invariant self-adjoint dynamical systems,
   Linear Algebra and its Applications 436(10), 2012, 3883-3903, doi:10.1016/j.laa.2011.02.039.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.errors import ConvergenceError

__all__ = ["Response", "respond"]

Floats = NDArray[np.float64]
PER_DECADE = 2  # shifts
DEPENDENT = 1e-9  # what is left of a field, over its size, where it says nothing new


@dataclass(frozen=True)
class Response:
    """Step responses ``Z[i, j](t)``: rise at output `i` over the power at input `j` [K/W]."""

    rate: NDArray[np.complex128]  # 1/s [m], with a positive real part
    part: NDArray[np.complex128]  # K/W [outputs, inputs, m], of Z at rest
    error: float  # K/W, of any of them at any time: estimated

    def step(self, time: ArrayLike) -> Floats:
        """``Z(time)`` [K/W], shape (outputs, inputs, *time.shape)."""
        t = np.asarray(time, dtype=np.float64)
        return np.asarray(np.tensordot(self.part, -np.expm1(-self.rate.reshape(-1, *(1,) * t.ndim) * t), axes=1).real)

    @property
    def total(self) -> Floats:
        """``Z`` at rest [K/W], shape (outputs, inputs)."""
        return np.asarray(self.part.sum(axis=2).real)


def respond(solve: Callable[[float, Floats], Floats], apply: Callable[[Floats], Floats], capacity: Floats, inputs: Floats, outputs: Floats, *,
            quickest: float = 1e-4, slowest: float = 1e4) -> Response:
    """The step responses of cells.

    Parameters
    ----------
    solve : callable
        ``solve(shift, b)`` is ``x`` with ``(K + shift C) x = b``; it need not be sharp beyond 1e-9.
    apply : callable
        ``apply(x)`` is ``K x``.
    capacity : ndarray, shape (cells,)
        Heat capacity of each cell, 0 in voids. [J/K]
    inputs : ndarray, shape (n, cells)
        How a watt is spread over the cells, for each input. [1]
    outputs : ndarray, shape (m, cells)
        Weights of the mean temperature that each output is. [1]
    quickest, slowest : float
        Times between which the answer is to be good. [s]
    """
    n = int(np.ceil(PER_DECADE * np.log10(10 * slowest / quickest)))
    shifts = np.concatenate(([0.0], np.geomspace(1 / (10 * slowest), 1 / quickest, n)))
    fields = np.array([[solve(s, b) for b in inputs] for s in shifts])  # [shift, input, cells]
    found = _projected(fields, apply, capacity, inputs, outputs)
    fewer = _projected(fields[::2], apply, capacity, inputs, outputs)
    t = np.geomspace(quickest, slowest, 8 * n)
    told = np.einsum("oc,sic->ois", outputs, fields)
    small = found[1] @ (found[0][:, None] / (shifts + found[0][:, None]))
    error = max(float(np.abs(_step(*found, t) - _step(*fewer, t)).max()), float(np.abs(small - told).max()))
    if not np.all(found[0].real > 0):
        raise ConvergenceError("the package's step response does not settle: its reduced model has a rate that is not positive; is all of it cooled?")
    return Response(*found, error)


def _step(rate: NDArray[np.complex128], part: NDArray[np.complex128], t: Floats) -> Floats:
    return np.asarray((part @ -np.expm1(-rate[:, None] * t)).real)


def _projected(fields: Floats, apply: Callable[[Floats], Floats], capacity: Floats, inputs: Floats,
               outputs: Floats) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Rates, and each one's part in the value at rest of every output and input."""
    X, n = fields.reshape(-1, capacity.size), 0
    V = np.empty_like(X)
    for x in X:  # what is new of each, orthogonal in C; twice is enough
        x = x / np.sqrt((capacity * x * x).sum())
        for _ in range(2):
            x = x - (V[:n] @ (capacity * x)) @ V[:n]
        left = float(np.sqrt((capacity * x * x).sum()))
        if left > DEPENDENT:
            V[n], n = x / left, n + 1
    V = V[:n]
    H, B, L = V @ np.array([apply(v) for v in V]).T, V @ inputs.T, outputs @ V.T
    rate, Q = np.linalg.eig(H) if np.abs(H - H.T).max() > 1e-6 * np.abs(H).max() else np.linalg.eigh((H + H.T) / 2)
    return rate.astype(complex), (L @ Q)[:, None, :] * np.linalg.solve(Q, B).T[None] / rate

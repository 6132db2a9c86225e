"""Poles and residues of the rational function in place of the exponential, as `ext/include/thermo/rational.hpp` holds them.

    r(z) = 2 Re sum_j a_j / (z - p_j),    r(0) = r'(0) = r''(0) = 1

with four poles above the real axis, near-best on the negative real axis (what conducts) and the disc |z + 3| <= 3 (what is
carried round a loop of cells, three time constants of a cell to a step). Poles by nonlinear least squares with the residues
eliminated, weights raised where the error is largest (Lawson) until it is level. The estimate e(z) has the same poles and
e(0) = e'(0) = e''(0) = 0, and is the smallest such function on the region for the size of its residues: out of the region it
grows as the error does. It is scaled to 1e-6 there, five times the error.

Run: ``python tools/rational_exponential.py``; takes a minute, prints the table.
"""
import numpy as np
from scipy.optimize import least_squares

POLES, RADIUS, ROUNDS, ESTIMATE = 4, 3.0, 60, 1e-6
VALUES_AT_ZERO = np.array([1.0, 1.0, 0.5])  # derivatives over their factorials


def region():
    """Points where the function has to be good."""
    arc = np.exp(1j * np.linspace(0, np.pi, 400))
    real = -np.concatenate([[0.0], np.logspace(-4, 5, 600)])
    return np.concatenate([real, *(-f * RADIUS + f * RADIUS * arc[::s] for f, s in ((1.0, 1), (0.5, 4), (0.75, 4)))])


def basis(z, poles):
    """Columns by real and imaginary part of each residue."""
    columns = []
    for p in poles:
        above, below = 1 / (z - p), 1 / (z - np.conj(p))
        columns += [above + below, 1j * (above - below)]
    return np.stack(columns, 1)


def at_zero(poles):
    """Rows: value and derivatives at 0 by residues."""
    return np.array([[part for p in poles for part in (2 * (-1 / p**k).real, -2 * (-1 / p**k).imag)] for k in (1, 2, 3)])


def free(poles):
    """Residues that keep the values at zero, and the directions in which they may move."""
    rows = at_zero(poles)
    return np.linalg.lstsq(rows, VALUES_AT_ZERO, rcond=None)[0], np.linalg.svd(rows)[2][3:].T


def residues(poles, z, weight):
    """The best for given poles, and the weighted errors."""
    A = basis(z, poles) * weight[:, None]
    A, b = np.concatenate([A.real, A.imag]), np.concatenate([(np.exp(z) * weight).real, (np.exp(z) * weight).imag])
    first, moves = free(poles)
    x = first + moves @ np.linalg.lstsq(A @ moves, b - A @ first, rcond=None)[0]
    return x, A @ x - b


def fit():
    """``(largest error, poles, residues, residues of the estimate)``."""
    z = region()
    weight = np.ones(z.size)
    angle = (2 * np.arange(POLES) + 1) * np.pi / (2 * POLES)
    poles = 2 * POLES * (0.1309 - 0.1194 * angle**2 + 0.25j * angle)  # Talbot's contour
    best = (np.inf,)
    for _ in range(ROUNDS):
        def errors(x, weight=weight):
            return residues(x[:POLES] + 1j * np.exp(x[POLES:]), z, weight)[1]

        found = least_squares(errors, np.concatenate([poles.real, np.log(poles.imag)]), x_scale="jac", max_nfev=60, xtol=1e-12,
                              ftol=1e-12, gtol=1e-14)
        poles = found.x[:POLES] + 1j * np.exp(found.x[POLES:])
        x = residues(poles, z, weight)[0]
        error = np.abs(basis(z, poles) @ x - np.exp(z))
        if error.max() < best[0]:
            best = (error.max(), poles, x)
        weight = np.maximum(weight * (0.3 + (error / error.max()) ** 0.6), 1e-3 * weight.max())
        weight /= weight.max()
    largest, poles, x = best
    order = np.argsort(poles.imag)
    A = basis(z, poles)
    moves = free(poles)[1]
    small = moves @ np.linalg.svd(np.concatenate([A.real, A.imag]) @ moves, full_matrices=False)[2][-1]
    small *= ESTIMATE / np.abs(A @ small).max()
    return largest, poles[order], (x[0::2] + 1j * x[1::2])[order], (small[0::2] + 1j * small[1::2])[order]


if __name__ == "__main__":
    largest, *table = fit()
    print(f"largest error {largest:.2e}")
    for name, values in zip(("poles", "residues", "estimate"), table, strict=True):
        print(name, ", ".join(f"{{{v.real:.17g}, {v.imag:.17g}}}" for v in values))

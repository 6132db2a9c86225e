"""NumPy twin of `thermo._kernels.passes.interval_means`: the integral at each edge, then its differences."""
import numpy as np


def interval_means(t, x, edges, *, linear):
    """Means of `x` over the intervals between `edges`, by the running integral of the signal."""
    dt = np.diff(t)[:, None]
    pieces = dt * (0.5 * (x[:-1] + x[1:]) if linear else x[:-1])
    integral = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(pieces, axis=0)])
    k = np.clip(np.searchsorted(t, edges, side="right") - 1, 0, len(t) - 2)
    into = (edges - t[k])[:, None]
    slope = (x[k + 1] - x[k]) / dt[k] if linear else np.zeros_like(x[k])
    at_edge = integral[k] + into * (x[k] + 0.5 * slope * into)
    closing = x[-1] if edges[-1] >= t[-1] else x[k[-1]] + slope[-1] * into[-1]
    return np.concatenate([np.diff(at_edge, axis=0) / np.diff(edges)[:, None], closing[None]])

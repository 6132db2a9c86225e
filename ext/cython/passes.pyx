"""Passes over arrays the caller owns: nothing is kept, nothing is allocated, inputs are never written."""
from cpython.exc cimport PyErr_CheckSignals

cdef Py_ssize_t WORK_PER_POLL = 1 << 22  # additions between two looks at Ctrl-C, some milliseconds


def interval_means(const double[::1] t not None, const double[:, ::1] x not None, const double[::1] edges not None, *,
                   bint linear, double[:, ::1] out not None):
    """Mean of a piecewise constant or piecewise linear signal over each of a row of intervals.

    ``out[j] = 1 / (u[j+1] - u[j])`` times the integral of x over ``[u[j], u[j+1])``, with ``u = edges``; the closing row
    ``out[m]`` is the signal's value at ``u[m]``. Where the signal does not vary the mean is its value to the last bit,
    because what is summed is the departure from the first sample met.

    Parameters
    ----------
    t : ndarray, shape (n,)
        Times of the samples, strictly increasing, n >= 2. [s]
    x : ndarray, shape (n, c)
        Samples, one column per channel. Any unit.
    edges : ndarray, shape (m + 1,)
        Edges of the intervals, strictly increasing, within ``[t[0], t[n-1]]``. [s]
    linear : bool
        The signal runs straight from sample to sample; otherwise sample k holds on ``[t[k], t[k+1])``.
    out : ndarray, shape (m + 1, c)
        Receives the means. Must not overlap `x`.

    Raises
    ------
    ValueError
        If the shapes do not belong together, or there are fewer than two samples.

    Notes
    -----
    Order and range of `t` and `edges` are the caller's to check; breaking them gives wrong numbers, not a wrong access.
    """
    cdef Py_ssize_t n = t.shape[0], m = edges.shape[0] - 1, n_channel = x.shape[1]
    if n < 2 or m < 0 or x.shape[0] != n or out.shape[0] != m + 1 or out.shape[1] != n_channel:
        raise ValueError(f"shapes do not match: t {(n,)}, x {(x.shape[0], n_channel)}, edges {(m + 1,)}, "
                         f"out {(out.shape[0], out.shape[1])}")
    cdef Py_ssize_t j, c, k = 0, first, work = 0
    cdef double left, right, end, width, share
    with nogil:
        for j in range(m):
            left, end = edges[j], edges[j + 1]
            while k < n - 2 and t[k + 1] <= left:
                k += 1
            first = k
            width = end - left
            for c in range(n_channel):
                out[j, c] = 0.0
            while True:
                right = end if k == n - 2 or t[k + 1] >= end else t[k + 1]
                if linear:  # mean over a piece of a straight line: its value in the middle of the piece
                    share = (0.5 * (left + right) - t[k]) / (t[k + 1] - t[k])
                    for c in range(n_channel):
                        out[j, c] += (x[k, c] - x[first, c] + share * (x[k + 1, c] - x[k, c])) * (right - left)
                else:
                    for c in range(n_channel):
                        out[j, c] += (x[k, c] - x[first, c]) * (right - left)
                work += n_channel + 1
                if work > WORK_PER_POLL:
                    work = 0
                    with gil:
                        PyErr_CheckSignals()
                if k == n - 2 or t[k + 1] >= end:
                    break
                left = right
                k += 1
            for c in range(n_channel):
                out[j, c] = x[first, c] + out[j, c] / width
        while k < n - 1 and t[k + 1] <= edges[m]:
            k += 1
        share = (edges[m] - t[k]) / (t[k + 1] - t[k]) if linear and k < n - 1 else 0.0
        for c in range(n_channel):
            out[m, c] = x[k, c] if share == 0.0 else x[k, c] + share * (x[k + 1, c] - x[k, c])

"""The recurrence of an energy store between the grid and a load: one pass, nothing kept."""
from cpython.exc cimport PyErr_CheckSignals

from libc.math cimport fmax, fmin

cdef Py_ssize_t STEPS_PER_POLL = 1 << 20  # steps of one channel between two looks at Ctrl-C, some milliseconds


def store_pass(const double[::1] dt not None, const double[::1] weight not None, const double[:, ::1] load not None, *,
               double capacity, double set_point, double charge_efficiency, double discharge_efficiency,
               double recharge_time, double floor, double floor_hold, double ramp_up, double ramp_down,
               double[:, :, ::1] out not None):
    """What the grid sees of a load behind an energy store, step by step.

    With the load ``L`` on its floor, ``L = max(load, floor)``, its running mean ``m += weight (L - m)`` and the store
    ``E``, the grid is asked for the mean and for what brings the store back to its set point, within what the store
    can give or take in the step, within the ramps, ramps before store::

        wish = m + (E_set - E) / (eta_c tau)              E < E_set;  tau = max(recharge_time, dt)
        wish = m - (E - E_set) eta_d / tau                E >= E_set
        low  = L - E eta_d / dt,   high = L + (capacity - E) / (eta_c dt)
        G    = clip(clip(wish, max(low, 0), high), G[k-1] - ramp_down dt[k-1], G[k-1] + ramp_up dt[k-1])

    Above ``high`` the surplus is burned; below ``low`` the grid gives the rest at once, and that is an excess over the
    ramp. What is left, ``s = G - burned - L``, goes into the store or comes out of it::

        E[k+1] = E + eta_c s dt,   loss = (1 - eta_c) s          s >= 0
        E[k+1] = E + s dt / eta_d, loss = (1 - 1 / eta_d) s      s < 0

    so that ``G = load + held + burned + loss + (E[k+1] - E) / dt`` in every step, with ``held = L - load``.

    Parameters
    ----------
    dt : ndarray, shape (n,)
        Length of each step, above 0. [s]
    weight : ndarray, shape (n,)
        ``1 - exp(-dt / averaging time)``, in (0, 1]; 1 follows the load. [1]
    load : ndarray, shape (n, c)
        Power drawn by the chips in each step, one column for each store. [W]
    capacity, set_point : float
        Of one store; energy it is brought back to, and starts from, in [0, `capacity`]. [J]
    charge_efficiency, discharge_efficiency : float
        In (0, 1]. [1]
    recharge_time : float
        Time constant of bringing the store back to its set point; may be inf. [s]
    floor : float
        Least power of the chips while the floor holds. [W]
    floor_hold : float
        How long the floor holds once the load has fallen below it; may be inf. [s]
    ramp_up, ramp_down : float
        Largest change of the grid's power; may be inf. [W/s]
    out : ndarray, shape (6, n, c)
        Receives G, E at the start of each step [J], what is drawn for the floor, what is burned for the ramp, what the
        store loses, and what of G lies above the ramp. [W]

    Raises
    ------
    ValueError
        If the shapes do not belong together.

    Notes
    -----
    ``G[-1]`` is the first step's L, so that a run starts without a jump. Ranges are the caller's to check; breaking
    them gives wrong numbers, not a wrong access.
    """
    cdef Py_ssize_t n = load.shape[0], n_channel = load.shape[1]
    if out.shape[0] != 6 or out.shape[1] != n or out.shape[2] != n_channel or dt.shape[0] != n or weight.shape[0] != n:
        raise ValueError(f"shapes do not match: dt {(dt.shape[0],)}, weight {(weight.shape[0],)}, load "
                         f"{(n, n_channel)}, out {(out.shape[0], out.shape[1], out.shape[2])}")
    cdef Py_ssize_t k, c, work = 0
    cdef double E, G, L, mean, wish, low, high, tau, s, eta, below, top, bottom, burned, excess
    with nogil:
        for c in range(n_channel):
            E, below, mean, G = set_point, 0.0, 0.0, 0.0
            for k in range(n):
                below = 0.0 if load[k, c] >= floor else below
                L = fmax(load[k, c], floor) if below < floor_hold else load[k, c]
                below += dt[k] if load[k, c] < floor else 0.0
                mean = L if k == 0 else mean + weight[k] * (L - mean)
                top = G + ramp_up * dt[k - 1] if k > 0 else L
                bottom = G - ramp_down * dt[k - 1] if k > 0 else L
                tau = fmax(recharge_time, dt[k])
                eta = discharge_efficiency if E >= set_point else 1.0 / charge_efficiency
                wish = mean + (set_point - E) * eta / tau
                low = fmax(L - E * discharge_efficiency / dt[k], 0.0)
                high = L + (capacity - E) / (charge_efficiency * dt[k])
                G = fmax(fmin(fmax(fmin(fmax(wish, low), high), bottom), top), 0.0)
                excess = fmax(low - G, 0.0)
                burned = fmax(G - high, 0.0)
                G = fmax(G, low)
                s = G - burned - L
                eta = charge_efficiency if s >= 0.0 else 1.0 / discharge_efficiency
                out[0, k, c], out[1, k, c], out[2, k, c] = G, E, L - load[k, c]
                out[3, k, c], out[4, k, c], out[5, k, c] = burned, (1.0 - eta) * s, excess
                E += eta * s * dt[k]
                E = fmin(fmax(E, 0.0), capacity)  # rounding only: the bounds above hold it inside
                work += 1
                if work > STEPS_PER_POLL:
                    work = 0
                    with gil:
                        PyErr_CheckSignals()

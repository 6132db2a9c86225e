"""NumPy twin of `thermo._kernels.smoothing.store_pass`: all stores at once, a Python loop over the steps."""
import numpy as np


def store_pass(dt, weight, load, *, capacity, set_point, charge_efficiency, discharge_efficiency, recharge_time, floor,
               floor_hold, ramp_up, ramp_down):
    """Rows of grid, stored, held, burned, loss, excess, by the equations in the kernel's docstring."""
    rows, E = [], np.full(load.shape[1], set_point)
    below = mean = G = np.zeros(load.shape[1])
    for k, (h, P) in enumerate(zip(dt, load, strict=True)):
        below = np.where(P >= floor, 0.0, below)
        L = np.where(below < floor_hold, np.maximum(P, floor), P)
        below = below + np.where(P < floor, h, 0.0)
        mean = L if k == 0 else mean + weight[k] * (L - mean)
        top, bottom = (G + ramp_up * dt[k - 1], G - ramp_down * dt[k - 1]) if k else (L, L)
        gain = np.where(E >= set_point, discharge_efficiency, 1.0 / charge_efficiency)
        wish = mean + (set_point - E) * gain / max(recharge_time, h)
        low = np.maximum(L - E * discharge_efficiency / h, 0.0)
        high = L + (capacity - E) / (charge_efficiency * h)
        asked = np.maximum(np.minimum(np.maximum(np.minimum(np.maximum(wish, low), high), bottom), top), 0.0)
        burned, excess, G = np.maximum(asked - high, 0.0), np.maximum(low - asked, 0.0), np.maximum(asked, low)
        s = G - burned - L
        eta = np.where(s >= 0, charge_efficiency, 1.0 / discharge_efficiency)
        rows.append([G, E, L - P, burned, (1.0 - eta) * s, excess])
        E = np.clip(E + eta * s * h, 0.0, capacity)
    return np.array(rows).transpose(1, 0, 2) if rows else np.empty((6, 0, load.shape[1]))

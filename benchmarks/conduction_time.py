"""Conduction over time in blocks of cells: ``python -m benchmarks.conduction_time`` prints it beside SciPy, from one run.

Problems of the design by the path for arbitrary blocks, on one core, set-up counted: P1 and P1s, ten slots of power with 1,000
outputs of 1 ms, and a step of the cold plate with 500 outputs of 2 ms, whose coolant stores nothing (it is through in 2.6 ms).
"""
import time

import numpy as np

from benchmarks.conduction import matrix, microchannels, p2
from thermo._kernels.conduction import Solid
from thermo.package.transient import Response

SLOTS = np.array([1, 1, 0.5, 1.2, 0.3, 1, 0.8, 0, 1, 1.0])  # power of P1, each for 0.1 s
HOTTEST = {"p1_general": 136.11783, "p1_stiff_general": 137.21640}  # degC at the end, by cosine modes on the same cells, exact in time


def p1(n=128, stiff=False):
    """What `Solid` is told of P1, and its power; stiff: the source in 2 um, TIMs of 50 and 100 um."""
    told, power, *_ = p2(n)
    if stiff:
        told["dz"] = np.array([2e-6, 0.798e-3, 50e-6, 1.5e-3, 1.5e-3, 100e-6, 1.5e-3, 1.5e-3])
    return told, power


def answered(told, power, times, power_times, slots, *, shortest, longest, tolerance, rest, threads=1):
    """Seconds, bytes held, the hottest cell over time and its estimated error."""
    begin = time.perf_counter()
    solid = Solid(**told, threads=threads)
    response = Response(solid, power[None], shortest=shortest, longest=longest, tolerance=tolerance, threads=threads)
    built = time.perf_counter() - begin
    a = response.march(times, power_times, slots)
    trajectory = response.hottest(a, rest=rest)[0][:, 0]
    error = response.error(times, power_times, slots)
    seconds = time.perf_counter() - begin
    fields = len(response.fields) * (2 if solid.channels else 1) + 8  # what the building needs for a moment, and the heat
    held = solid.bytes + fields * power.nbytes + told["material"].nbytes
    return dict(seconds=seconds, peak_bytes=held, hottest=float(trajectory[-1]), built=built, estimate=float(error.max()),
                shifts=len(response.shifts), cycles=response.cycles, trajectory=trajectory)


def _p1(stiff, tolerance, n=128):
    return answered(*p1(n, stiff), 1e-3 * np.arange(1, 1001), 0.1 * np.arange(10), SLOTS, shortest=1e-3, longest=1.0, tolerance=tolerance,
                    rest=40.0)


def p1_general():
    """P1 to 1e-4 K."""
    return checked("p1_general", _p1(False, 1e-4), 1e-4)


def p1_stiff_general():
    """P1s to 1e-3 K."""
    return checked("p1_stiff_general", _p1(True, 1e-3), 1e-3)


def checked(name, answer, within):
    if not abs(answer["hottest"] - HOTTEST[name]) <= within:
        raise RuntimeError(f"hottest cell at {answer['hottest']} degC, expected {HOTTEST[name]} within {within} K")
    return answer


def cold_plate_transient():
    """The cold plate after its power is switched on, 500 outputs of 2 ms, to 1e-2 K."""
    told, power, _, inlet = microchannels()
    axis, box, film, w, stores = told["channels"]
    told["channels"] = axis, box, film, w, 0 * stores
    return answered(told, power, 2e-3 * np.arange(1, 501), np.zeros(1), np.ones(1), shortest=2e-3, longest=1.0, tolerance=1e-2, rest=inlet[0])


def splu_steps(n, steps=1000):
    """P1 on n by n by 8 cells by backward Euler steps of 1 ms with SciPy's factors, made once: seconds, hottest cell at the end."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import splu

    K, _ = matrix(n)
    told, power = p1(n)
    dx = told["dx"][0]
    C = np.repeat(told["heat_capacity"][told["material"][:, 0, 0]] * told["dz"] * dx * dx, n * n)
    begin = time.perf_counter()
    factors = splu((K + sparse.diags_array(C * 1e3)).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                   options=dict(SymmetricMode=True))
    x = np.zeros(C.size)
    for k in range(steps):
        x = factors.solve(C * 1e3 * x + SLOTS[k // 100] * power.ravel())
    return time.perf_counter() - begin, 40.0 + x.max()


def main():
    """The problems, then P1 on fewer cells beside SciPy."""
    for problem in (p1_general, p1_stiff_general, cold_plate_transient):
        best = min((problem() for _ in range(3)), key=lambda a: a["seconds"])
        print(f"{problem.__name__:22} {best['seconds']:7.3f} s {best['peak_bytes'] / 1e6:6.0f} MB  hottest {best['hottest']:.5f} degC  "
              f"estimate {best['estimate']:.1e} K  {best['shifts']} shifts, {best['cycles']} cycles")
    n = 40
    ours = _p1(False, 1e-4, n)
    seconds, hottest = splu_steps(n)
    print(f"P1 {n}x{n}x8: ours {ours['seconds']:.3f} s, {ours['hottest']:.5f} degC; SciPy splu and backward Euler {seconds:.3f} s, "
          f"{hottest:.5f} degC")


class OverTime:
    """For asv: time, work and the error told of the three problems."""

    params = [["p1_general", "p1_stiff_general", "cold_plate_transient"]]
    param_names = ["problem"]

    def time_march(self, problem):
        globals()[problem]()

    def track_cycles(self, problem):
        return globals()[problem]()["cycles"]
    track_cycles.unit = "cycles"

    def track_estimate(self, problem):
        return globals()[problem]()["estimate"]
    track_estimate.unit = "K"


if __name__ == "__main__":
    main()

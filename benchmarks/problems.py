"""The problems that conduction solvers are measured by: P1 and P2, a chip stack of 25.6 mm under 700 W in 64 tiles, and a cold plate with
its chip.

Each function solves one on one core, set-up counted, and returns a dict with `seconds`, `peak_bytes` and `hottest` [degC]. Here are
those of uniform layers: `seconds` and `cpu_seconds` are the least of ten runs (where others use the core too, only the second counts),
`peak_bytes` the peak of what NumPy allocates, by tracemalloc in a run of its own (compiled code keeps some kB of workspace beside it).
Those by the path for arbitrary blocks are one run each, in `conduction` and `conduction_time`; their `peak_bytes` add up all that
compiled code holds and the arrays that go in and come out.
`python -m benchmarks.problems` prints them.
"""
import os
import time
import tracemalloc

import numpy as np
import scipy.fft  # noqa: F401  its import is no part of a solver's time

from benchmarks import conduction
from benchmarks.conduction import p2_general
from benchmarks.conduction_time import cold_plate_transient, p1_general, p1_stiff_general
from thermo.package.layers_exact import (
    CellSource,
    Layer,
    Plane,
    PowerMap,
    Stack,
    cut,
    steady,
    steady_cells,
    transient_cells,
)

__all__ = ["cold_plate", "p1", "p1_general", "p1_stiff_general", "p2", "p2_exact", "p2_general"]

CHIP = Stack(25.6e-3, 25.6e-3, (
    Layer.isotropic(0.40e-3, 120.0, 1.63e6, name="silicon, heated"),
    Layer.isotropic(0.40e-3, 120.0, 1.63e6, name="silicon"),
    Layer.isotropic(0.10e-3, 20.0, 1.80e6, name="TIM"),
    Layer.isotropic(3.00e-3, 390.0, 3.42e6, name="lid"),
    Layer.isotropic(0.15e-3, 6.0, 2.20e6, name="TIM"),
    Layer.isotropic(3.00e-3, 390.0, 3.42e6, name="base"),
), film_top=25_000.0, ambient_bottom=40.0, ambient_top=40.0)
CELLS = cut(CHIP, (1, 1, 1, 2, 1, 2))
SLOTS = (1, 1, 0.5, 1.2, 0.3, 1, 0.8, 0, 1, 1)  # of 0.1 s: power over 700 W


def tiles(n=8):
    """700 W on n x n pixels. [W]"""
    i, j = np.indices((8, 8))
    weight = 0.2 + ((3 * i + 5 * j) % 7) / 6
    weight[2, 3] *= 4
    weight[5, 5] *= 4
    return np.kron(700.0 * weight / weight.sum(), np.ones((n // 8, n // 8))) / (n // 8) ** 2


SOURCE = PowerMap(0, tiles())


def measured(solve):
    """`solve` returns a dict with `hottest`; seconds and bytes are added to it."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    try:
        took, used = [], []
        for _ in range(10):
            begin = time.perf_counter(), time.process_time()
            result = solve()
            took.append(time.perf_counter() - begin[0])
            used.append(time.process_time() - begin[1])
        tracemalloc.start()
        solve()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
    return dict(seconds=min(took), cpu_seconds=min(used), peak_bytes=peak, **result)


def solve_p1():
    T = transient_cells(CELLS, [CellSource(0, tiles(128))], (128, 128), np.arange(1, 101) * 0.01, np.repeat(SLOTS, 10))
    maps = T.max(axis=(1, 2, 3))
    return dict(hottest=float(maps[-1]), maps=maps)


def p1():
    """128 x 128 x 8 cells, ten slots of 0.1 s, a map of the heated layer every 10 ms; `hottest` at the end, `maps` of each map.

    Exact in time. Floor: 100 maps of 128 x 128 are 13 MB, written as modes, then transformed in place (two passes): 66 MB, 1 ms at
    75 GB/s; 5 N log2 N flops a map are 0.11 GFLOP, moving 8 rates of 16,384 modes through 100 steps 0.08, eigenvalues (some 60
    rotations of 50 flops in each mode) 0.05: 5 ms at 55 GFLOP/s. Seen, on a core
    whose other half was busy: eigenvalues 8 ms, steps 15, transforms (scipy.fft) 12.
    """
    return measured(solve_p1)


def solve_p2():
    return dict(hottest=float(steady_cells(CELLS, [CellSource(0, tiles(256))], (256, 256), at=(0,)).max()))


def p2():
    """256 x 256 x 8 cells, steady: the heated layer, where the hottest cell is.

    Floor: two transforms of 65,536 (0.5 MB each) and 8 divisions a mode: 0.3 ms.
    """
    return measured(solve_p2)


def solve_p2_exact():
    field = steady(CHIP, [SOURCE], [Plane(0)], shape=(256, 256), modes=256)
    return dict(hottest=field.hot_spot()[0], error=float(field.truncation[0]))


def p2_exact():
    """P2's continuum: 256 x 256 modes, no cells; the hottest point, at the die's bottom. `error` [K] is its own estimate of the map.

    Cells answer for the mean through the heated layer, which is 180.315 degC where it is hottest: theirs is 3.2 K above.
    Floor: 65,536 modes of 6 layers, each an exponential and three divisions (60 flops): 0.4 ms at 55 GFLOP/s; two transforms (the
    map and what the upper half of the modes adds to it) 0.8 ms. Seen, likewise: modes 2.5 ms,
    most of it waiting for square roots and divisions; transforms 0.9; sources 0.25.
    """
    return measured(solve_p2_exact)


def cold_plate():
    """The cold plate with its chip (`benchmarks.conduction.microchannels`): 500 outputs of 2 ms after its power is switched on.

    `seconds`, `peak_bytes` and `hottest`, at the end, are those of the run in time; `steady_seconds`, `steady_hottest` of the state at rest.
    """
    rest = conduction.cold_plate()
    return cold_plate_transient() | dict(steady_seconds=rest["seconds"], steady_hottest=rest["hottest"])


class UniformLayers:
    """The three above, as asv sees them."""

    params = [["p1", "p2", "p2_exact"]]
    param_names = ["problem"]

    def setup(self, problem):
        self.solve = {"p1": solve_p1, "p2": solve_p2, "p2_exact": solve_p2_exact}[problem]

    def time_solve(self, problem):
        self.solve()

    def peakmem_solve(self, problem):
        self.solve()

    def peakmem_reference(self, problem):
        pass

    def track_hottest(self, problem):
        return self.solve()["hottest"]

    track_hottest.unit = "degC"


def main():
    print(f"{'problem':<18}{'ms':>9}{'MB':>9}{'hottest':>10}")
    for solve in (p1, p2, p2_exact, p1_general, p1_stiff_general, p2_general, cold_plate):
        r = solve()
        rest = f"   at rest {1e3 * r['steady_seconds']:.0f} ms, {r['steady_hottest']:.3f}" if "steady_seconds" in r else ""
        print(f"{solve.__name__:<18}{1e3 * r['seconds']:>9.2f}{r['peak_bytes'] / 1e6:>9.2f}{r['hottest']:>10.3f}{rest}")


if __name__ == "__main__":
    main()

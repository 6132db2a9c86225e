"""The chip stack of the targets over time, by way of cells and without use of its layers: P1 and P1s."""
import time

import numpy as np

from thermo._kernels import conduction
from thermo.package.transient import Response

SIDE = 25.6e-3  # m
SLOTS = np.array([1, 1, 0.5, 1.2, 0.3, 1, 0.8, 0, 1, 1.0])  # power, each for 0.1 s


def stack(n=128, stiff=False):
    """Arrays of the solid and its power of 700 W."""
    thin, thick = (50e-6, 100e-6) if stiff else (100e-6, 150e-6)
    silicon = [2e-6, 0.798e-3] if stiff else [0.4e-3, 0.4e-3]
    dz = np.array([*silicon, thin, 1.5e-3, 1.5e-3, thick, 1.5e-3, 1.5e-3])
    layer = np.array([1, 1, 2, 3, 3, 4, 3, 3], np.uint16)
    material = np.ascontiguousarray(np.broadcast_to(layer[:, None, None], (8, n, n)))
    k = np.array([0.0, 120.0, 20.0, 390.0, 6.0])
    film = [np.zeros(s) for s in ((8, n), (8, n), (8, n), (8, n), (n, n), (n, n))]
    film[5][:] = 25_000.0
    i, j = np.mgrid[:8, :8]
    weight = 0.2 + ((3 * i + 5 * j) % 7) / 6
    weight[2, 3] *= 4
    weight[5, 5] *= 4
    power = np.zeros((8, n, n))
    power[0] = np.kron(weight, np.ones((n // 8, n // 8)))
    power *= 700.0 / power.sum()
    solid = dict(dx=np.full(n, SIDE / n), dy=np.full(n, SIDE / n), dz=dz, material=material, conductivity=np.repeat(k[:, None], 3, 1),
                 heat_capacity=np.array([0, 1.63e6, 1.80e6, 3.42e6, 2.20e6]), contact=np.zeros(7), film=film,
                 tables=None, channels=None)
    return solid, power


def _p1(stiff, tolerance):
    arrays, power = stack(stiff=stiff)
    begin = time.perf_counter()
    solid = conduction.Solid(**arrays, threads=1)
    response = Response(solid, power[None], shortest=1e-3, longest=1.0, tolerance=tolerance)
    times, pieces = 1e-3 * np.arange(1, 1001), 0.1 * np.arange(10)
    built = time.perf_counter()
    a = response.march(times, pieces, SLOTS)
    hottest, _ = response.hottest(a, rest=40.0)
    error = response.error(times, pieces, SLOTS)
    end = time.perf_counter()
    return dict(seconds=end - begin, building=built - begin, hottest=float(hottest[-1, 0]), error=float(error.max()), shifts=len(response.shifts),
                cycles=response.cycles, trajectory=hottest[:, 0])


def p1_general(tolerance=1e-4):
    return _p1(False, tolerance)


def p1_stiff_general(tolerance=1e-3):
    return _p1(True, tolerance)


if __name__ == "__main__":
    for case in (p1_general, p1_stiff_general):
        print(case.__name__, {k: v for k, v in case().items() if k != "trajectory"})

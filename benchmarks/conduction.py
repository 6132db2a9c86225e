"""Steady conduction in blocks of cells: ``python -m benchmarks.conduction`` prints it beside SciPy and PyAMG, from one run.

`p2_general` and `cold_plate` are problems of the design, by the path for arbitrary blocks, on one core, set-up counted.
"""
import time

import numpy as np

from thermo._kernels.conduction import Solid

LAYERS = ((0.4e-3, 1), (0.4e-3, 1), (0.1e-3, 2), (1.5e-3, 3), (1.5e-3, 3), (0.15e-3, 4), (1.5e-3, 3), (1.5e-3, 3))
CONDUCTIVITY = np.array([[k] * 3 for k in (0.0, 120.0, 20.0, 390.0, 6.0)])
HEAT_CAPACITY = np.array([0.0, 1.63e6, 1.80e6, 3.42e6, 2.20e6])
FLOPS, BYTES = 215, 380  # a cell and cycle of conjugate gradients, counted in the loops: the cycle 120 and 192 with 4/3 for its coarse grids, the rest
HOTTEST = {"p2_general": 183.533}  # degC, from a direct solver on the same cells


def p2(n=256):
    """The chip stack of the design, n by n by 8 cells: what `Solid` is told, power, temperatures of the surroundings."""
    dx = np.full(n, 25.6e-3 / n)
    material = np.empty((8, n, n), np.uint16)
    material[:] = np.array([m for _, m in LAYERS])[:, None, None]
    i = np.arange(n) * 8 // n
    weight = 0.2 + (3 * i + 5 * i[:, None]) % 7 / 6
    for tile in ((2, 3), (5, 5)):
        weight[np.ix_(i == tile[1], i == tile[0])] *= 4
    power = np.zeros(material.shape)
    power[0] = 700.0 * weight / weight.sum()
    film = tuple(np.zeros(s) for s in ((8, n), (8, n), (8, n), (8, n), (n, n))) + (np.full((n, n), 25_000.0),)
    told = dict(dx=dx, dy=dx, dz=np.array([d for d, _ in LAYERS]), material=material, conductivity=CONDUCTIVITY,
                heat_capacity=HEAT_CAPACITY, contact=np.zeros(7), film=film, tables=None, channels=None)
    return told, power, tuple(np.full(f.shape, 40.0) for f in film), np.zeros(0)


def microchannels():
    """A silicon chip with etched microchannels and its lid, 129 x 128 x 8 cells and 64 channels, like those of 3D-ICE.

    12.8 mm long in y (128 cells of 100 um), 65 walls and 64 channels of 50 um in turn across x (129 cells). From below:
    silicon 2 x 50 um, of which the lower is heated, 100 um of oxide and wiring (k 2.25), silicon 50 um, channels 2 x 50 um deep
    with silicon walls, a lid of 2 x 150 um. 100 W/cm2 over the chip and 250 W/cm2 on a spot of 2.4 x 1.6 mm. Water enters at
    27 degC with 1.5 mL/min a channel (0.104 W/K); film 30,000 W/(m2 K), laminar and developed in 50 x 100 um.
    """
    nx, ny = 129, 128
    dz = np.array([50, 50, 100, 50, 50, 50, 150, 150]) * 1e-6
    material = np.ones((8, ny, nx), np.uint16)
    material[2] = 2
    material[4:6, :, 1::2] = 0
    box = np.array([[2 * c + 1, 2 * c + 2, 4, 6] for c in range(64)], np.int32)
    w = np.full(64, 1.5e-6 / 60 * 997.0 * 4180.0)
    film = tuple(np.zeros(s) for s in ((8, ny), (8, ny), (8, nx), (8, nx), (ny, nx), (ny, nx)))
    power = np.zeros(material.shape)
    power[0] = 1e6 * 50e-6 * 100e-6
    power[0, 40:64, 30:62] *= 2.5
    told = dict(dx=np.full(nx, 50e-6), dy=np.full(ny, 100e-6), dz=dz, material=material,
                conductivity=np.array([[0.0] * 3, [130.0] * 3, [2.25] * 3]), heat_capacity=np.array([0.0, 1.628e6, 2.175e6]),
                contact=np.zeros(7), film=film, tables=None,
                channels=(1, box, np.full((64, ny), 30_000.0), w, np.full(64, 50e-6 * 100e-6 * 997.0 * 4180.0)))
    return told, power, tuple(np.zeros(f.shape) for f in film), np.full(64, 27.0)


def solved(problem, threads=1, tolerance=1e-10):
    """Seconds, all bytes that the solution needs with its inputs, the hottest cell [degC], and how it went."""
    told, power, ambient, inlet = problem
    T = np.full(power.shape, 40.0)
    n_station = 0 if told["channels"] is None else told["channels"][2].shape[1]
    mean, outlet = np.empty((inlet.size, n_station)), np.empty(inlet.size)
    begin = time.perf_counter()
    solid = Solid(**told, threads=threads)
    went = solid.steady(power=power, film_temperature=ambient, inlet=inlet, tolerance=tolerance, still=1e-8, iterations=200,
                        threads=threads, out=T, coolant=mean, outlet=outlet)
    seconds = time.perf_counter() - begin
    if went["residual"] > went["goal"]:
        raise RuntimeError(f"not solved: {went}")
    held = solid.bytes + sum(a.nbytes for a in (power, T, mean)) + told["material"].nbytes
    return dict(seconds=seconds, peak_bytes=held, hottest=float(np.nanmax(T)), **went)


def p2_general():
    """P2, steady to 1e-10, by multigrid and conjugate gradients."""
    answer = solved(p2())
    if abs(answer["hottest"] - HOTTEST["p2_general"]) > 5e-4:
        raise RuntimeError(f"hottest cell at {answer['hottest']} degC, expected {HOTTEST['p2_general']}")
    return answer


def cold_plate():
    """The cold plate with its chip, see `microchannels`, steady to 1e-10."""
    return solved(microchannels())


def matrix(n):
    """P2 as SciPy's sparse matrix and right-hand side."""
    import scipy.sparse as sparse

    told, power, ambient, _ = p2(n)
    dx, dz, k = told["dx"][0], told["dz"], told["conductivity"][told["material"][:, 0, 0], 2]
    half, chain = dz / (2 * k), sparse.diags_array([-np.ones(n - 1), -np.ones(n - 1)], offsets=[-1, 1])
    lateral = chain + sparse.diags_array(-np.asarray(chain.sum(axis=1)).ravel())
    Gz = dx * dx / (half[:-1] + half[1:])
    film = dx * dx / (1 / told["film"][5][0, 0] + half[-1])
    vertical = sparse.diags_array([-Gz, np.r_[Gz, film] + np.r_[0, Gz], -Gz], offsets=[-1, 0, 1])
    one = sparse.eye_array(n)
    plane = sparse.kron(lateral, one) + sparse.kron(one, lateral)
    K = sparse.kron(vertical, sparse.eye_array(n * n)) + sparse.kron(sparse.diags_array(k * dz), plane)
    b = power.copy()
    b[-1] += film * ambient[5]
    return K.tocsr(), b.ravel()


def alternatives(n):
    """Seconds and hottest cell of P2 with n by n by 8 cells by those who hold the matrix."""
    from scipy.sparse.linalg import LinearOperator, cg, spsolve

    K, b = matrix(n)

    def jacobi_cg():
        d = 1 / K.diagonal()
        return cg(K, b - 40 * K.sum(axis=1), rtol=1e-10, maxiter=20_000, M=LinearOperator(K.shape, matvec=lambda r: d * r))[0] + 40

    def amg():
        import pyamg

        ml = pyamg.smoothed_aggregation_solver(K)
        return ml.solve(b - 40 * K.sum(axis=1), tol=1e-10, accel="cg") + 40

    ways = {"SciPy cg, Jacobi": jacobi_cg, "PyAMG, cg": amg}
    if n <= 96:
        ways["SciPy spsolve"] = lambda: spsolve(K.tocsc(), b)
    rows = {}
    for name, way in ways.items():
        begin = time.perf_counter()
        T = way()
        rows[name] = time.perf_counter() - begin, float(T.max())
    return rows


def copied():
    """Bytes that this machine moves in a second, read and written, in fields that no cache holds."""
    a, best = np.zeros(16_000_000), np.inf
    b = np.ones_like(a)
    for _ in range(5):
        begin = time.perf_counter()
        np.copyto(b, a)
        best = min(best, time.perf_counter() - begin)
    return 2 * a.nbytes / best


def plate(n=299, nx=120, w=0.03):
    """A chip of 60 mm under copper with `n` channels of 0.1 x 1.6 mm, one cell wide, `w` W/K each: 790,680 cells."""
    ny, dz = 2 * n + 1, np.array([0.2, 0.2, 0.2, 0.1, 0.6, 0.6, 0.4, 0.4, 0.4, 0.4, 0.5]) * 1e-3
    material = np.ones((11, ny, nx), np.uint16)
    material[3], material[4:] = 2, 3
    material[6:10, 1::2] = 0
    power = np.zeros(material.shape)
    power[0, ny // 3 : 2 * ny // 3, nx // 3 : 2 * nx // 3] = 1.0
    power[0, : ny // 2, : nx // 2] += 0.3
    power *= 700.0 / power.sum()
    film = tuple(np.zeros(s) for s in ((11, ny), (11, ny), (11, nx), (11, nx), (ny, nx), (ny, nx)))
    box = np.array([[2 * c + 1, 2 * c + 2, 6, 10] for c in range(n)], np.int32)
    told = dict(dx=np.full(nx, 60e-3 / nx), dy=np.full(ny, 1e-4), dz=dz, material=material,
                conductivity=np.array([[0.0] * 3, [120.0] * 3, [20.0] * 3, [390.0] * 3]), heat_capacity=np.array([0, 1.6e6, 1.8e6, 3.4e6]),
                contact=np.zeros(10), film=film, tables=None, channels=(0, box, np.full((n, nx), 2.5e4), np.full(n, w), np.zeros(n)))
    return told, power, film, np.full(n, 25.0)


def main():
    """Both problems, then alternatives on P2 at two sizes."""
    for name, problem in (("p2_general", p2_general), ("cold_plate", cold_plate)):
        best = min((problem() for _ in range(5)), key=lambda a: a["seconds"])
        cells = p2()[1].size if name == "p2_general" else microchannels()[1].size
        print(f"{name}: {best['seconds']:.3f} s, {best['peak_bytes'] / cells:.0f} bytes a cell, hottest {best['hottest']:.6f} degC, "
              f"{best['iterations']} cycles, imbalance {best['imbalance']:.1e} W")
        if name == "p2_general":
            rate = cells * best["iterations"] / best["seconds"]
            print(f"    set-up and all: {rate * FLOPS / 1e9:.1f} Gflop/s ({FLOPS} a cell and cycle), {rate * BYTES / 1e9:.1f} GB/s "
                  f"({BYTES} bytes) where a copy moves {copied() / 1e9:.1f} GB/s")
    for w in (0.03, 0.003, 0.0003):
        problem = plate(w=w)
        own = solved(problem)
        print(f"299 channels at {w} W/K: {own['seconds']:.2f} s, {own['peak_bytes'] / problem[1].size:.0f} bytes a cell, {own['iterations']} cycles")
    for n in (64, 256):
        own = min((solved(p2(n)) for _ in range(3)), key=lambda a: a["seconds"])
        print(f"P2 with {n} x {n} x 8 cells: {own['seconds']:.3f} s, hottest {own['hottest']:.6f}")
        for way, (seconds, hottest) in alternatives(n).items():
            print(f"    {way:<18}{seconds:>9.2f} s {seconds / own['seconds']:>8.0f} times, hottest {hottest:.6f}")


class Steady:
    """For asv: time and work of both problems."""

    params = [["p2_general", "cold_plate"]]
    param_names = ["problem"]

    def time_steady(self, problem):
        globals()[problem]()

    def track_cycles(self, problem):
        return globals()[problem]()["iterations"]
    track_cycles.unit = "cycles"

    def track_bytes(self, problem):
        return globals()[problem]()["peak_bytes"]
    track_bytes.unit = "bytes"


if __name__ == "__main__":
    main()

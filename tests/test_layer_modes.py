"""Uniform layers in cosine modes against closed solutions, SciPy's sparse solver and matrix exponential, and themselves turned round."""
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.optimize import brentq
from scipy.sparse import diags_array, kron
from scipy.sparse.linalg import spsolve
from scipy.special import erfc

from benchmarks import problems
from thermo._kernels import modes as kernel
from thermo.errors import LimitError, ScenarioError
from thermo.package.layers_exact import (
    CellSource,
    Layer,
    Place,
    Plane,
    PowerMap,
    Rectangles,
    Stack,
    cut,
    steady,
    steady_cells,
    step_response,
    transient_cells,
)

W, D = 0.03, 0.02  # m, a plate that is not square
LAYERS = (Layer(0.5e-3, 100.0, 150.0, 80.0, 1.6e6, 2e-6), Layer(0.1e-3, 5.0, 5.0, 7.0, 2e6), Layer(3e-3, 390.0, 390.0, 390.0, 3.4e6))
STACK = Stack(W, D, LAYERS, film_bottom=300.0, film_top=20000.0, ambient_bottom=50.0, ambient_top=30.0)
PAIR = Rectangles(0, [[2e-3, 9e-3], [14e-3, 22e-3]], [[3e-3, 8e-3], [9e-3, 18e-3]], [60.0, 90.0])


def random_stack(draw):
    """Three to five layers of a chip's numbers, and rectangles or an image on or in one of them."""
    layers = [Layer(10 ** draw.uniform(-4.5, -2.5), *10 ** draw.uniform(0.5, 2.6, 3), 2e6, draw.choice([0.0, 1e-5])) for _ in range(draw.integers(3, 6))]
    stack = Stack(W, D, layers, film_bottom=draw.choice([0.0, 500.0]), film_top=10 ** draw.uniform(3, 5))
    layer, place = int(draw.integers(len(layers))), Place(int(draw.integers(3)))
    if draw.random() < 0.5:
        return stack, PowerMap(layer, draw.uniform(0, 1, (9, 7)), place=place)
    x, y = np.sort(draw.uniform(0, W, (4, 2)), axis=1), np.sort(draw.uniform(0, D, (4, 2)), axis=1)
    return stack, Rectangles(layer, x, y, draw.uniform(5, 50, 4), place)


@dataclass
class Ripple:
    """Flux ``q cos(m pi x / W) cos(n pi y / D)``: what one mode is in closed form."""

    layer: int
    place: Place
    q: float
    m: int
    n: int

    def amplitudes(self, stack, nx, ny):
        a = np.zeros((ny, nx))
        if self.m < nx and self.n < ny:
            a[self.n, self.m] = self.q / ((2 if self.m else 1) * (2 if self.n else 1))
        return a


# ------------------------------------------------------------------------------------------------ the continuum at rest
@pytest.mark.parametrize("bottom, top", [(0.0, 2000.0), (500.0, 0.0), (500.0, 2000.0), (math.inf, 2000.0), (500.0, math.inf), (math.inf, math.inf)])
def test_layers_in_series(bottom, top):
    """Even heat q on top of layer 0: two paths in parallel, each a sum of resistances per area, and the ambients' difference."""
    stack = replace(STACK, film_bottom=bottom, film_top=top)
    q = 100.0 / (W * D)
    R_bottom = (1 / bottom if bottom else math.inf) + LAYERS[0].thickness / LAYERS[0].kz
    R_top = LAYERS[0].contact + LAYERS[1].thickness / LAYERS[1].kz + LAYERS[2].thickness / LAYERS[2].kz + (1 / top if top else math.inf)
    T = (q + 50.0 / R_bottom + 30.0 / R_top) / (1 / R_bottom + 1 / R_top)  # of that face
    f = steady(stack, [PowerMap(0, [[100.0]], place=Place.TOP)], [Plane(0, LAYERS[0].thickness), Plane(1, 0.0)], shape=(3, 4))
    assert f.temperature[0] == pytest.approx(np.full((3, 4), T), rel=1e-12)
    assert f.temperature[1, 0, 0] == pytest.approx(T - (T - 30.0) / R_top * LAYERS[0].contact, rel=1e-12)
    assert f.heat_top == pytest.approx((T - 30.0) / R_top * W * D, rel=1e-11, abs=1e-10)
    assert f.heat_bottom + f.heat_top == pytest.approx(100.0, abs=1e-10)
    drop = (T - 50.0) / R_bottom * LAYERS[0].thickness / LAYERS[0].kz
    assert f.layer_mean[0] == pytest.approx(T - drop / 2, rel=1e-12)


@pytest.mark.parametrize("place", [Place.THROUGH, Place.BOTTOM, Place.TOP])
@pytest.mark.parametrize("d, m, n", [(2e-3, 3, 2), (1e-6, 1, 0), (1e-2, 40, 9)])
def test_a_ripple_of_heat(place, d, m, n):
    """One mode in one orthotropic layer: T = A cosh + B sinh + q / (d k gamma^2), by the two film conditions."""
    kx, ky, kz, hb, ht, q = 100.0, 40.0, 10.0, 700.0, 5000.0, 1e5
    stack = Stack(W, D, (Layer(d, kx, ky, kz),), film_bottom=hb, film_top=ht)
    g = math.sqrt((kx * (m * math.pi / W) ** 2 + ky * (n * math.pi / D) ** 2) / kz)
    Tp = q / (d * kz * g * g) if place == Place.THROUGH else 0.0
    at_bottom, at_top = (q if place == p else 0.0 for p in (Place.BOTTOM, Place.TOP))
    C, S = math.cosh(g * d), math.sinh(g * d)
    # bottom: k g B = hb (A + Tp) - q_bottom;  top: k g (A S + B C) = q_top - ht (A C + B S + Tp)
    A, B = np.linalg.solve([[-hb, kz * g], [kz * g * S + ht * C, kz * g * C + ht * S]], [hb * Tp - at_bottom, at_top - ht * Tp])
    heights = [0.0, 0.3 * d, d]
    f = steady(stack, [Ripple(0, place, q, m, n)], [Plane(0, z) for z in heights] + [Plane(0, None)], modes=64, shape=(8, 8))
    x, y = 0.011, 0.007
    ripple = math.cos(m * math.pi * x / W) * math.cos(n * math.pi * y / D)
    for i, z in enumerate(heights):
        expected = (A * math.cosh(g * z) + B * math.sinh(g * z) + Tp) * ripple
        scale = (abs(A) * math.cosh(g * z) + abs(B) * math.sinh(g * z) + Tp) * abs(ripple)  # what the closed form cancels from
        assert f.at(x, y, i) == pytest.approx(expected, rel=1e-10, abs=1e-13 * scale)
    mean = (A * S + B * (C - 1)) / (g * d) + Tp
    assert f.at(x, y, 3) == pytest.approx(mean * ripple, rel=1e-9, abs=1e-12 * (abs(A) * S + abs(B) * C) / (g * d))


def test_thick_layers_and_high_modes_do_not_overflow():
    """cosh(gamma d) would be 1e4000; the answer is then that of a half-space, T = q / (k gamma)."""
    stack = Stack(1e-3, 1e-3, (Layer.isotropic(1.0, 50.0), Layer.isotropic(1.0, 1.0)), film_top=10.0)
    T = steady(stack, [Ripple(0, Place.BOTTOM, 1e6, 50, 0)], [Plane(0)], modes=64, shape=(1, 200)).temperature[0, 0]
    assert T == pytest.approx(1e6 / (50 * 50 * math.pi / 1e-3) * np.cos(50 * math.pi * (np.arange(200) + 0.5) / 200), abs=1e-12)


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
def test_spreading_resistance(ratio):
    """A square source on a plate: the published series term by term, and Lee et al. (1995) within its own 10 %."""
    b, k, h, t = 0.02, 180.0, 2000.0, 0.005
    a = ratio * b
    stack = Stack(2 * b, 2 * b, (Layer.isotropic(t, k),), film_top=h)
    source = Rectangles(0, [[b - a, b + a]], [[b - a, b + a]], [1.0], Place.BOTTOM)
    f = steady(stack, [source], [Plane(0)], modes=161, shape=(64, 64))
    R = f.mean((b - a, b + a), (b - a, b + a)) - (t / k + 1 / h) / (4 * b * b)
    lam = np.arange(1, 81) * math.pi / b
    phi = lambda z: (k * z + h * np.tanh(z * t)) / (k * z * np.tanh(z * t) + h)  # noqa: E731
    sinc = np.sinc(a * lam / math.pi) ** 2
    beta = np.hypot(lam[:, None], lam)
    series = (4 * (sinc * phi(lam) / lam).sum() + 4 * (np.outer(sinc, sinc) * phi(beta) / beta).sum()) / (k * 4 * b * b)
    assert R == pytest.approx(series, rel=1e-9)
    eps, tau, Bi = ratio, t / (2 * b / math.sqrt(math.pi)), h * (2 * b / math.sqrt(math.pi)) / k
    lam_c = math.pi + 1 / (math.sqrt(math.pi) * eps)
    phi_c = (math.tanh(lam_c * tau) + lam_c / Bi) / (1 + lam_c / Bi * math.tanh(lam_c * tau))
    lee = 0.5 * (1 - eps) ** 1.5 * phi_c / (math.sqrt(math.pi) * k * 2 * a / math.sqrt(math.pi))
    assert R == pytest.approx(lee, rel=0.1)


def test_half_space_source():
    """The mean rise of a square of side L on a half-space is 0.4732 / (k L): 2 asinh(1) / pi less 2 (sqrt 2 - 1) / (3 pi).

    What walls and cold face take away hardly hangs on L, so it leaves the difference of two squares.
    """
    k, block = 100.0, 0.02
    stack = Stack(block, block, (Layer.isotropic(block, k),), film_top=math.inf)

    def rise(L):
        span = (block / 2 - L / 2, block / 2 + L / 2)
        return steady(stack, [Rectangles(0, [span], [span], [1.0], Place.BOTTOM)], [Plane(0)], modes=1200, shape=(2, 2)).mean(span, span)

    exact = 2 * (math.asinh(1) - (math.sqrt(2) - 1) / 3) / math.pi
    assert rise(0.5e-3) - rise(1e-3) == pytest.approx(exact / (k * 1e-3), rel=5e-3)


def test_estimate_covers_truncation():
    """Random stacks and sources: the estimate is not below the true error of the map, which four times the modes tell, in 95 %."""
    draw = np.random.default_rng(5)
    covered, ratio = 0, []
    for _ in range(40):
        stack, source = random_stack(draw)
        thickness = stack.layers[source.layer].thickness
        plane = [Plane(source.layer, draw.choice([0.0, 0.5, 1.0]) * thickness)]
        n = int(draw.choice([32, 48, 64]))
        f, true = (steady(stack, [source], plane, modes=m, shape=(60, 60)) for m in (n, 6 * n))
        error = np.abs(f.temperature - true.temperature).max()
        covered += error <= f.truncation[0] + 1e-9
        ratio.append(f.truncation[0] / max(error, 1e-12))
    assert covered >= 38, covered
    assert np.median(ratio) < 6  # and it is not so by crying wolf


def test_tolerance_and_limit():
    f = steady(STACK, [PAIR], [Plane(0)], tolerance=0.02)
    assert f.truncation[0] <= 0.02
    with pytest.raises(LimitError, match="tolerance"):
        steady(STACK, [replace(PAIR, power=[1e6, 1e6], place=Place.BOTTOM)], [Plane(0)], tolerance=1e-6)


def test_raster_reads_the_series():
    """Cell centres of any raster, finer or coarser than the modes, are the series at those points."""
    for shape in ((5, 7), (40, 33), (90, 100)):
        f = steady(STACK, [PAIR], [Plane(1, 0.03e-3)], modes=40, shape=shape)
        for j, i in ((0, 0), (shape[0] // 2, shape[1] // 3), (-1, -1)):
            x, y = (i % shape[1] + 0.5) * W / shape[1], (j % shape[0] + 0.5) * D / shape[0]
            assert f.temperature[0, j, i] == pytest.approx(f.at(x, y), abs=1e-10)


def test_hot_spot_is_the_maximum():
    f = steady(STACK, [PAIR], [Plane(0)], modes=64, shape=(32, 32))
    fine = steady(STACK, [PAIR], [Plane(0)], modes=64, shape=(700, 700)).temperature.max()
    T, x, y = f.hot_spot()
    assert fine - 1e-9 <= T <= fine + 1e-3 and T == pytest.approx(f.at(x, y))


def test_maps_superpose_and_turn():
    """Sums of sources, a mirrored map, and x and y exchanged together with their conductivities."""
    draw = np.random.default_rng(3)
    power, planes = draw.uniform(0, 1, (6, 5)), [Plane(0), Plane(2, 1e-3)]
    cold = replace(STACK, ambient_bottom=0.0, ambient_top=0.0)

    def field(stack, *sources):
        return steady(stack, sources, planes, modes=48, shape=(24, 20)).temperature

    one = field(cold, PowerMap(0, power))
    assert field(cold, PowerMap(0, power), PAIR) == pytest.approx(one + field(cold, PAIR), abs=1e-11)
    assert field(cold, PowerMap(0, power[::-1, ::-1])) == pytest.approx(one[:, ::-1, ::-1], abs=1e-11)
    turned = Stack(D, W, [replace(a, kx=a.ky, ky=a.kx) for a in LAYERS], film_bottom=300.0, film_top=20000.0)
    across = steady(turned, [PowerMap(0, power.T)], planes, modes=48, shape=(20, 24)).temperature
    assert across == pytest.approx(one.transpose(0, 2, 1), abs=1e-11)
    inner = PowerMap(0, power, x=(0.003, 0.013), y=(0.002, 0.014))
    low = np.array([0.003 + 0.002 * i for i in range(5)]), np.array([0.002 + 0.002 * j for j in range(6)])
    X, Y = np.meshgrid(*low)
    same = Rectangles(0, np.column_stack((X.ravel(), X.ravel() + 0.002)), np.column_stack((Y.ravel(), Y.ravel() + 0.002)), power.ravel())
    assert field(cold, inner) == pytest.approx(field(cold, same), abs=1e-11)


def test_nothing_is_colder_than_the_ambients():
    """Maximum principle on the mesh, where there is no ringing of a series: without heat between the ambients, with it above."""
    cells, shape = cut(STACK, (2, 1, 3)), (16, 24)
    none = CellSource(0, np.zeros(shape))
    T = steady_cells(cells, [none], shape)
    assert 30.0 < T.min() and T.max() < 50.0
    spot = np.zeros(shape)
    spot[3, 4] = 50.0
    assert (steady_cells(cells, [CellSource(0, spot)], shape) - T > 0).all()


# ---------------------------------------------------------------------------------------------------------------- cells
def sparse_mesh(cells, shape):
    """The same mesh assembled cell by cell by SciPy: K [W/K], heat from the ambients [W], C [J/K]."""
    (ny, nx), s = shape, cells.stack
    hx, hy, dz, nz = s.width / nx, s.depth / ny, cells.dz, cells.dz.size
    k = [s.layers[i] for i in cells.layer]

    def path(G):  # a row of conductances between neighbours
        return diags_array([np.r_[G, 0] + np.r_[0, G], -G, -G], offsets=[0, 1, -1])

    Iz, Ix, Iy = (diags_array(np.ones(n)) for n in (nz, nx, ny))
    up = [hx * hy / (dz[i] / 2 / k[i].kz + dz[i + 1] / 2 / k[i + 1].kz + (k[i].contact if cells.layer[i] != cells.layer[i + 1] else 0)) for i in range(nz - 1)]
    film = np.zeros((2, nz))
    film[0, 0] = hx * hy / (1 / s.film_bottom + dz[0] / 2 / k[0].kz)
    film[1, -1] = hx * hy / (1 / s.film_top + dz[-1] / 2 / k[-1].kz)
    K = kron(path(np.array(up)) + diags_array(film.sum(axis=0)), kron(Iy, Ix))
    for i in range(nz):
        this = diags_array(np.eye(nz)[i])
        K = K + kron(this, kron(Iy, path(np.full(nx - 1, k[i].kx * hy * dz[i] / hx))) + kron(path(np.full(ny - 1, k[i].ky * hx * dz[i] / hy)), Ix))
    ones = np.ones(nx * ny)
    assert Iz.shape == (nz, nz)
    return K.tocsc(), np.kron(film.T @ [s.ambient_bottom, s.ambient_top], ones), np.kron([a.heat_capacity * d * hx * hy for a, d in zip(k, dz, strict=True)], ones)


def test_cells_equal_a_sparse_solver():
    """Every cell, steady and in time under power that jumps, from a field: SciPy's direct solver and matrix exponential."""
    cells, shape = cut(STACK, (2, 1, 2)), (4, 5)
    draw = np.random.default_rng(1)
    power, more = draw.uniform(0, 2, shape), draw.uniform(0, 2, shape)
    sources = [CellSource(0, power), CellSource(2, more, Place.TOP)]
    K, ambient, C = sparse_mesh(cells, shape)
    heat = np.zeros((2, 5, 20))
    heat[0, :2] = power.ravel() / 2
    heat[1, 4] = more.ravel()
    heat = heat.reshape(2, -1)
    T = spsolve(K, ambient + heat.sum(axis=0))
    assert steady_cells(cells, sources, shape).ravel() == pytest.approx(T, rel=1e-12)

    start, times, factor = draw.uniform(30, 60, (5, *shape)), [0.001, 0.02, 0.021, 0.5], np.array([[1, 0], [0, 2], [0.5, 1], [0, 0]])
    found = transient_cells(cells, sources, shape, times, factor, initial=start, at=range(5))
    T, before = start.ravel(), 0.0
    for t, f, maps in zip(times, factor, found, strict=True):
        rest = spsolve(K, ambient + f @ heat)
        T = rest + expm(-(K.toarray() / C[:, None]) * (t - before)) @ (T - rest)
        before = t
        assert maps.ravel() == pytest.approx(T, rel=1e-10)


@pytest.mark.parametrize("nz", [1, 2, 20, 60])
def test_few_and_many_cells(nz):
    """A column of any height tends to its steady state, and energy is kept on the way: with adiabatic faces all of it."""
    shape, power = (9, 13), np.random.default_rng(2).uniform(0, 1, (9, 13))
    open_, closed = (Stack(W, D, (Layer.isotropic(1e-3, 50.0, 2e6),), film_top=h) for h in (4000.0, 0.0))
    cells = cut(open_, (nz,))
    late = transient_cells(cells, [CellSource(0, power)], shape, [1.0, 1e4], [1.0, 1.0], at=range(nz))
    assert late[1] == pytest.approx(steady_cells(cells, [CellSource(0, power)], shape), rel=1e-9)  # 1e-16 of rates that span 1e6
    kept = transient_cells(cut(closed, (nz,)), [CellSource(0, power, Place.BOTTOM)], shape, [0.1, 3.0], [1.0, 2.0], at=range(nz))
    stored = kept.mean(axis=(1, 2, 3)) * W * D * 1e-3 * 2e6
    assert stored == pytest.approx(power.sum() * np.array([0.1, 0.1 + 2 * 2.9]), rel=1e-10)


def test_stiff_column():
    """Heat in 2 um between millimetres: rates span 1e8, and the steady state is still met to 1e-7."""
    stack = Stack(W, D, (Layer.isotropic(2e-6, 120.0, 1.6e6), Layer.isotropic(0.8e-3, 120.0, 1.6e6), Layer.isotropic(5e-5, 5.0, 2e6),
                         Layer.isotropic(6e-3, 390.0, 3.4e6)), film_top=25000.0)
    cells, shape = cut(stack, (2, 4, 2, 6)), (8, 8)
    power = np.random.default_rng(2).uniform(0, 10, shape)
    late = transient_cells(cells, [CellSource(0, power)], shape, np.arange(1, 101) * 1.0, np.ones(100), at=(0,))[-1]
    assert late == pytest.approx(steady_cells(cells, [CellSource(0, power)], shape, at=(0,)), rel=1e-7)


def test_cells_tend_to_the_continuum():
    """Order 2: halving all cells quarters the distance to the series, in the heated layer and above."""
    power = np.array([[1.0, 0, 3, 0], [0, 8, 0, 2], [5, 0, 0, 1]]) * 10
    error = []
    for n in (2, 4, 8, 16):
        cells = cut(STACK, (n, n // 2, n))
        fine = np.kron(power, np.ones((2 * n, 2 * n))) / (2 * n) ** 2
        at = [0, cells.dz.size - 1]
        T = steady_cells(cells, [CellSource(0, fine)], fine.shape, at=at)
        exact = steady(STACK, [PowerMap(0, power)], [Plane(0, cells.dz[0] / 2), Plane(2, LAYERS[2].thickness - cells.dz[-1] / 2)], modes=1200, shape=fine.shape)
        error.append([math.sqrt(np.mean((a - b) ** 2)) for a, b in zip(T, exact.temperature, strict=True)])
    slope = np.log2(np.array(error[:-1]) / error[1:])
    assert slope[-1] == pytest.approx(2.0, abs=0.15), slope


def test_lumped():
    """Bi = h d / k = 1e-6: one exponential of time constant C / h, to that share."""
    d, h, rc = 1e-4, 10.0, 2e6
    stack = Stack(W, D, (Layer.isotropic(d, 1000.0, rc),), film_top=h)
    t = np.array([1.0, 10.0, 40.0])
    T = transient_cells(cut(stack, (3,)), [CellSource(0, np.zeros((4, 4)))], (4, 4), t, np.zeros(3), initial=80.0)
    assert T[:, 0, 1, 2] == pytest.approx(80.0 * np.exp(-t * h / (rc * d)), rel=2e-5)


def test_step_at_a_held_face():
    """A thick slab whose face jumps by 1 K: erfc(z / (2 sqrt(a t))) until the far side is felt; error of cells of 2.5 um."""
    k, rc = 100.0, 2e6
    stack = Stack(W, D, (Layer.isotropic(1e-3, k, rc),), film_bottom=math.inf, ambient_bottom=1.0)
    cells = cut(stack, (400,))
    t = np.array([5e-6, 2e-5, 5e-5])
    at = [10, 40, 80]
    T = transient_cells(cells, [], (1, 1), t, np.zeros((3, 0)), initial=0.0, at=at)[:, :, 0, 0]
    z = (np.array(at) + 0.5) * cells.dz[0]
    assert T == pytest.approx(erfc(z / (2 * np.sqrt(k / rc * t[:, None]))), abs=2e-3)


# -------------------------------------------------------------------------------------------------------- step response
def test_step_response_of_a_wall():
    """Even heat on one face, a film on the other, at all times from 1 us: the series over the roots of b tan b = Bi."""
    d, k, rc, h = 2e-3, 120.0, 1.63e6, 20000.0
    stack = Stack(W, D, (Layer.isotropic(d, k, rc),), film_top=h)
    whole = Rectangles(0, [[0, W]], [[0, D]], [1.0], Place.BOTTOM)
    z = step_response(stack, whole, whole, modes=2)
    Bi, alpha = h * d / k, k / rc
    roots = np.array([brentq(lambda b: b * math.sin(b) - Bi * math.cos(b), n * math.pi, n * math.pi + math.pi / 2) for n in range(3000)])
    share = 2 * (roots**2 + Bi**2) / (roots**2 * (roots**2 + Bi**2 + Bi))  # of the steady rise d/k (1 + 1/Bi), in units of d/k
    exact = d / k / (W * D) * ((1 + 1 / Bi) - (share * np.exp(-(roots**2) * alpha * z.time[:, None] / d**2)).sum(axis=1))
    early = z.time < 1e-4  # before the far side is felt
    assert exact[early] == pytest.approx(2 * np.sqrt(z.time[early] * alpha / math.pi) / k / (W * D), rel=1e-3)
    assert z.impedance == pytest.approx(exact, rel=1e-3)
    assert z.steady == pytest.approx((d / k + 1 / h) / (W * D), rel=1e-12) and z.impedance[-1] == pytest.approx(z.steady, rel=1e-8)


def test_step_response_of_a_stack():
    """Rises, ends at the continuum's steady state, and its error estimate covers what finer nodes and more modes change."""
    sensor = Rectangles(0, [[14e-3, 22e-3]], [[9e-3, 18e-3]], [1.0])
    times = np.geomspace(1e-6, 1e3, 28)
    z = step_response(STACK, PAIR, sensor, times, modes=24)
    fine = step_response(STACK, PAIR, sensor, times, modes=72, growth=0.1)
    assert (np.diff(z.impedance) > -1e-12).all()
    assert z.impedance[-1] == pytest.approx(z.steady, rel=1e-4)
    assert (np.abs(z.impedance - fine.impedance) <= z.error).all()
    assert fine.error[-1] < 0.02 * fine.steady


def test_step_response_with_held_faces_and_contacts():
    """Isothermal faces are no unknowns, a contact is two nodes: still the steady state of the continuum at the end."""
    for bottom, top in ((math.inf, 5000.0), (0.0, math.inf), (math.inf, math.inf)):
        stack = replace(STACK, film_bottom=bottom, film_top=top)
        z = step_response(stack, replace(PAIR, layer=1), replace(PAIR, layer=1), [1e-5, 1e3], modes=12)
        assert z.impedance[-1] == pytest.approx(z.steady, rel=1e-3)


# -------------------------------------------------------------------------------------------------------- known numbers
def test_known_problems():
    """P1 and P2: numbers found by others' codes on the same mesh, to their last digit."""
    assert problems.p2()["hottest"] == pytest.approx(183.533, abs=6e-4)
    assert problems.p1()["hottest"] == pytest.approx(136.118, abs=6e-4)
    exact = problems.p2_exact()
    fine = steady(problems.CHIP, [problems.SOURCE], [Plane(0)], modes=768, shape=(256, 256))
    assert exact["hottest"] == pytest.approx(fine.hot_spot()[0], abs=0.01)
    assert exact["error"] < 0.05


# ------------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize("make, words", [
    (lambda: Stack(W, D, ()), "layers is empty"),
    (lambda: Stack(W, D, (Layer.isotropic(0.0, 1.0, name="lid"),)), r"layer 0 \(lid\) is 0 m"),
    (lambda: Stack(W, D, (Layer(1e-3, 1.0, -1.0, 1.0),)), "ky of layer 0 is -1"),
    (lambda: Stack(W, D, (Layer.isotropic(1e-3, 1.0, contact=-1.0),)), "contact"),
    (lambda: Stack(W, D, LAYERS, film_top=-1.0), "film_top"),
    (lambda: steady(Stack(W, D, LAYERS), [PAIR], [Plane(0)]), "adiabatic"),
    (lambda: steady(STACK, [replace(PAIR, layer=3)], [Plane(0)]), "layer 3"),
    (lambda: steady(STACK, [PAIR], [Plane(0, 0.1)]), "0.1 m above"),
    (lambda: steady(STACK, [replace(PAIR, x=[[0.0, 0.04], [0, 0.01]])], [Plane(0)]), "0 to 0.04 m"),
    (lambda: steady(STACK, [replace(PAIR, power=[1.0])], [Plane(0)]), "2 rectangles"),
    (lambda: steady(STACK, [PowerMap(0, [1.0, math.nan])], [Plane(0)]), "power"),
    (lambda: cut(STACK, (1, 0, 1)), "divisions"),
    (lambda: steady_cells(cut(STACK, (1, 1, 1)), [CellSource(0, np.ones((3, 3)))], (3, 4)), "expected"),
    (lambda: transient_cells(cut(STACK, (1, 1, 1)), [CellSource(0, np.ones((3, 3)))], (3, 3), [1.0, 1.0], [1, 1]), "times"),
    (lambda: step_response(STACK, replace(PAIR, power=[1.0, -1.0]), PAIR), "sums to 0"),
])
def test_refusals(make, words):
    with pytest.raises(ScenarioError, match=words):
        make()


def test_the_kernel_refuses_wrong_arrays():
    good = dict(lambda_x=np.zeros(3), lambda_y=np.zeros(2), side=np.ones((2, 4)), up=np.ones(3), bottom=0.0, top=1.0, capacity=np.ones(4),
                share=np.ones((1, 4)), flux=np.ones((1, 2, 3)), cells=np.zeros(1, np.int32), out=np.empty((1, 2, 3)))
    kernel.steady_column(**good)
    for name, value in dict(lambda_x=np.zeros(3, np.float32), up=np.ones(2), top=math.nan, capacity=np.zeros(4), share=np.ones((1, 3)), flux=np.ones((1, 3, 2)),
                            cells=np.array([4], np.int32), out=np.empty((1, 2, 6))[..., ::2]).items():
        with pytest.raises((TypeError, ValueError)):
            kernel.steady_column(**(good | {name: value}))

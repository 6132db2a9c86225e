"""Conduction in blocks of cells: the kernel equals a sparse direct solve, closed solutions, and what physics demands of any answer."""
import signal
import sys

import numpy as np
import pytest
from scipy.sparse import csgraph
from twins import conduction as twin

from thermo._kernels.conduction import Solid

REFUSED = (TypeError, ValueError)
SEED = 7301


def shapes(nx, ny, nz):
    return [(nz, ny), (nz, ny), (nz, nx), (nz, nx), (ny, nx), (ny, nx)]


class Block:
    """A description of a block, with everything adiabatic until said otherwise."""

    def __init__(self, dx, dy, dz, material=None, k=None, rho_cp=None):
        self.dx, self.dy, self.dz = (np.ascontiguousarray(d, float) for d in (dx, dy, dz))
        shape = self.dz.size, self.dy.size, self.dx.size
        self.material = np.ones(shape, np.uint16) if material is None else np.ascontiguousarray(material, np.uint16)
        self.k = np.array([[0.0] * 3, [100.0] * 3]) if k is None else np.array(k, float)
        self.rho_cp = np.concatenate([[0.0], np.full(len(self.k) - 1, 2e6)]) if rho_cp is None else rho_cp
        self.contact = np.zeros(self.dz.size - 1)
        self.film = [np.zeros(s) for s in shapes(*shape[::-1])]
        self.ambient = [np.zeros(s) for s in shapes(*shape[::-1])]
        self.power = np.zeros(shape)
        self.tables = self.channels = None
        self.inlet = np.zeros(0)

    def solid(self, threads=1):
        return Solid(dx=self.dx, dy=self.dy, dz=self.dz, material=self.material, conductivity=self.k, heat_capacity=self.rho_cp,
                     contact=self.contact, film=tuple(self.film), tables=self.tables, channels=self.channels, threads=threads)

    def steady(self, threads=1, tolerance=1e-12, start=0.0, iterations=400):
        T = np.full(self.material.shape, float(start))
        n_station = 0 if self.channels is None else self.channels[2].shape[1]
        mean, outlet = np.empty((self.inlet.size, n_station)), np.empty(self.inlet.size)
        told = self.solid(threads).steady(power=self.power, film_temperature=tuple(self.ambient), inlet=self.inlet,
                                          tolerance=tolerance, still=1e-9, iterations=iterations, threads=threads, out=T,
                                          coolant=mean, outlet=outlet)
        return T, mean, outlet, told

    def twin(self):
        return twin.steady(self.dx, self.dy, self.dz, self.material, self.k, self.contact, self.film, self.power, self.ambient,
                           self.channels, self.inlet)


def drawn(seed, most=18, channels=False):
    """Blocks of six materials and voids on a grid with widths from 20 um to 1 mm, with contacts, films and sources everywhere."""
    rng = np.random.default_rng([SEED, seed])
    nx, ny, nz = rng.integers(1, most, 3)
    block = Block(*(np.exp(rng.uniform(np.log(20e-6), np.log(1e-3), n)) for n in (nx, ny, nz)),
                  k=np.vstack([np.zeros(3), np.exp(rng.uniform(np.log(0.3), np.log(1500.0), (5, 3)))]))
    for _ in range(8):
        box = tuple(slice(*np.sort(rng.integers(0, n + 1, 2))) for n in (nz, ny, nx))
        block.material[box] = rng.integers(0, 6)
    block.contact = np.where(rng.random(nz - 1) < 0.5, 0.0, rng.uniform(0, 1e-4, nz - 1))
    block.film = [np.where(rng.random(s) < rng.random(), 0.0, 10 ** rng.uniform(1, 5, s)) for s in shapes(nx, ny, nz)]
    block.film[5][:] = 1e4
    block.ambient = [rng.uniform(20, 60, s) for s in shapes(nx, ny, nz)]
    if channels:
        axis = int(rng.integers(2))
        across, along = ((ny, nx), (nx, ny))[axis]
        boxes = []
        for low in range(0, across, 3):
            k0 = int(rng.integers(0, nz))
            boxes.append((low, min(low + int(rng.integers(1, 3)), across), k0, int(rng.integers(k0, nz)) + 1))
        for l0, l1, k0, k1 in boxes:
            block.material[(slice(k0, k1), slice(l0, l1), slice(None)) if axis == 0 else (slice(k0, k1), slice(None), slice(l0, l1))] = 0
        n = len(boxes)
        w = 10 ** rng.uniform(-4, 0, n) * rng.choice([-1, 1], n)
        block.channels = axis, np.array(boxes, np.int32), 10 ** rng.uniform(2, 5, (n, along)), w, np.ones(n)
        block.inlet = rng.uniform(10, 50, n)
    # an island that no film reaches has no steady temperature: make it void
    K, faces = twin.solid(block.dx, block.dy, block.dz, block.material, block.k, block.contact, block.film)
    _, island = csgraph.connected_components(K.matrix(block.material.size), directed=False)
    held = np.unique(np.concatenate([island[at[G > 0]] for at, G in faces]))
    block.material[~np.isin(island, held).reshape(block.material.shape)] = 0
    block.power = np.where(block.material > 0, rng.uniform(0, 1, block.material.shape), 0.0)
    return block


def largest(a):
    return np.nanmax(np.abs(a), initial=0.0)


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_equals_the_sparse_direct_solve(seed, channels):
    """Temperatures of cells, coolant and outlets equal those of the twin within 1e-10 of the largest rise; energy closes."""
    block = drawn(seed, channels=channels)
    T, mean, outlet, told = block.steady()
    exact, exact_mean, exact_outlet = block.twin()
    assert np.array_equal(np.isnan(T), block.material == 0)
    rise = largest(exact - 40)
    assert largest(T - exact) <= 1e-10 * rise
    if channels:
        assert largest(mean - exact_mean) <= 1e-10 * rise
        assert largest(outlet - exact_outlet) <= 1e-10 * rise
    assert abs(told["imbalance"]) <= 1e-10 * block.power.sum()


@pytest.mark.parametrize("seed", range(6))
def test_applies_its_matrix_and_knows_its_capacity(seed):
    """K T of the kernel is that of the twin to rounding; capacity is rho cp times the volume."""
    block = drawn(seed)
    T = np.random.default_rng(seed).normal(size=block.material.shape) * (block.material > 0)
    got, C = np.empty_like(T), np.empty_like(T)
    solid = block.solid()
    solid.apply(T, threads=1, out=got)
    K = twin.matrix(block.dx, block.dy, block.dz, block.material, block.k, block.contact, block.film)
    exact = (K @ T.ravel()).reshape(T.shape)
    assert largest(got - exact) <= 1e-13 * largest(exact)
    solid.capacity(out=C)
    volume = block.dz[:, None, None] * block.dy[None, :, None] * block.dx
    np.testing.assert_allclose(C, block.rho_cp[block.material] * volume, rtol=1e-14)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1e3, 1e6])
def test_solves_a_step_in_time(shift):
    """(K + shift C) x = b, to the residual that was asked for, from a start that is wrong."""
    block = drawn(3)
    rng = np.random.default_rng(0)
    solid, b, x = block.solid(), block.power, rng.normal(size=block.power.shape)
    told = solid.solve(shift=shift, b=b, tolerance=1e-10, enough=0.0, iterations=200, threads=1, x=x)
    C, Kx = np.empty_like(x), np.empty_like(x)
    solid.capacity(out=C)
    solid.apply(x, threads=1, out=Kx)
    assert np.linalg.norm(b - Kx - shift * C * x) <= 2e-10 * np.linalg.norm(b)  # twice for the rounding of the check itself
    assert told["residual"] <= told["goal"]
    assert told["goal"] == pytest.approx(1e-10 * np.linalg.norm(b))


def test_series_of_layers_with_contacts():
    """Heat through a stack: the drop is q (sum of d / k + contacts + 1 / h), cell by cell."""
    dz = np.array([0.4, 0.4, 0.05, 1.0, 2.0]) * 1e-3
    block = Block([1e-3] * 3, [2e-3] * 2, dz, k=[[0] * 3, [120] * 3, [4] * 3, [390] * 3])
    block.material[2], block.material[3:] = 2, 3
    block.contact[2] = 3e-6
    block.film[5][:], block.ambient[5][:] = 2e4, 35.0
    block.power[0] = 6.0 / 6
    T, _, _, told = block.steady()
    q = 6.0 / (3e-3 * 4e-3)
    half = dz / (2 * block.k[block.material[:, 0, 0], 2])
    below_top = np.concatenate([(half[:-1] + block.contact + half[1:])[::-1].cumsum()[::-1], [0.0]]) + half[-1] + 1 / 2e4
    np.testing.assert_allclose(T, np.broadcast_to(35 + q * below_top[:, None, None], T.shape), rtol=1e-11)
    assert told["through_faces"] == pytest.approx([0, 0, 0, 0, 0, 6.0], rel=1e-10)


def order(errors):
    """Slopes of the error when cells are halved."""
    return np.log2(np.array(errors[:-1]) / errors[1:])


def test_fin():
    """A straight fin with adiabatic tip: cosh profile, second order in the cells' length."""
    L, t, k, h, T_base = 20e-3, 1e-3, 180.0, 300.0, 80.0
    h_side = 1 / (1 / h + t / (4 * k))  # film in series with half of half the thickness: one cell from the middle plane
    m = np.sqrt(2 * h_side / (k * t))
    errors = []
    for n in (20, 40, 80):
        block = Block(np.full(n, L / n), [t], [1.0], k=[[0] * 3, [k] * 3])
        block.film[0][:], block.ambient[0][:] = 1e15, T_base
        block.film[2][:] = 1 / (1 / h_side - t / (2 * k))  # the kernel takes half a cell off; both sides of one cell
        block.film[3][:] = block.film[2]
        T = block.steady()[0][0, 0]
        x = (np.arange(n) + 0.5) * L / n
        errors.append(largest(T - T_base * np.cosh(m * (L - x)) / np.cosh(m * L)))
    assert errors[-1] < 0.01
    assert order(errors) == pytest.approx(2, abs=0.05)


def one_channel(n, w, flux=4e4, h=8e3):
    """A channel between two plates that hardly conduct along it, heated evenly from below."""
    L, width = 40e-3, 2e-3
    block = Block(np.full(n, L / n), [width], [1e-3, 1e-3, 1e-3], k=[[0] * 3, [1e-9, 1e-9, 200.0]])
    block.material[1] = 0
    block.channels = 0, np.array([[0, 1, 1, 2]], np.int32), np.full((1, n), h), np.array([w]), np.ones(1)
    block.inlet = np.array([25.0])
    block.power[0] = flux * width * L / n
    return block


@pytest.mark.parametrize("direction", [1, -1])
def test_channel_with_constant_flux(direction):
    """Outlet = inlet + P / w to rounding; the wall runs 1 / h + d / 2k above a straight line, second order in the stations."""
    errors = []
    for n in (10, 20, 40):
        block = one_channel(n, 0.8 * direction)
        T, mean, outlet, told = block.steady()
        P = block.power.sum()
        assert outlet[0] - 25.0 == pytest.approx(P / 0.8, rel=1e-11)
        assert told["to_channels"] == pytest.approx([P], rel=1e-11)
        along = ((np.arange(n) + 0.5) / n)[::direction]
        wall = 25.0 + P / 0.8 * along + 4e4 * (1 / 8e3 + 0.5e-3 / 200.0)
        errors.append(largest(T[0, 0] - wall))
        assert np.all(np.diff(mean[0][::direction]) > 0)
    assert errors[-1] < 0.05
    assert order(errors) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("flow", [1e-3, 1.0, 1e3])
def test_coolant_stays_between_its_inlet_and_the_walls(seed, flow):
    """Heated only: no coolant below the coldest surroundings, no cell and no coolant above the hottest cell, whatever the flow."""
    block = drawn(seed, channels=True)
    axis, boxes, h, w, C = block.channels
    block.channels = axis, boxes, h, w * flow, C
    T, mean, outlet, _ = block.steady()
    coldest = min(block.inlet.min(), *(a.min() for a in block.ambient))
    slack = 1e-9 * largest(T)
    assert min(mean.min(), np.nanmin(T, initial=np.inf)) >= coldest - slack
    assert max(mean.max(), outlet.max()) <= max(np.nanmax(T, initial=-np.inf), block.inlet.max()) + slack


def manufactured(n, stretch):
    """T = X(x) Y(y) Z(z) with a jump of Z over a contact and a kink between two orthotropic layers, sources and films to match."""
    Lx, Ly, z1, H = 3e-3, 2e-3, 1e-3, 2.5e-3
    k = np.array([[0.0] * 3, [120.0, 80.0, 60.0], [10.0, 30.0, 5.0]])
    R, h = 2e-5, 4e3

    def edges(a, b, cells):  # smoothly graded, so that halving keeps the shape
        s = np.linspace(0, 1, cells + 1)
        return a + (b - a) * (s + stretch * np.sin(2 * np.pi * s) / (2 * np.pi))

    x, y = edges(0, Lx, n), edges(0, Ly, n)
    z = np.concatenate([edges(0, z1, n), edges(z1, H, n)[1:]])
    block = Block(np.diff(x), np.diff(y), np.diff(z), k=k)
    block.material[n:] = 2
    block.contact[n - 1] = R
    x, y, z = ((e[1:] + e[:-1]) / 2 for e in (x, y, z))
    a = 1.2 / z1
    flux = k[1, 2] * a * np.sin(a * z1)  # -k Z' below the contact
    top = np.cos(a * z1) - R * flux
    slope, bend = -flux / k[2, 2], -4e4
    low = np.arange(2 * n) < n
    Z = np.where(low, np.cos(a * z), top + slope * (z - z1) + bend * (z - z1) ** 2)
    Zpp = np.where(low, -a * a * np.cos(a * z), 2 * bend)
    X, Y = 2 + np.cos(np.pi * x / Lx), 2 + np.cos(np.pi * y / Ly)
    XY, T = Y[:, None] * X, Z[:, None, None] * (Y[:, None] * X)
    Xpp, Ypp = -((np.pi / Lx) ** 2) * (X - 2), -((np.pi / Ly) ** 2) * (Y - 2)
    kk = k[block.material[:, 0, 0]][:, :, None, None]
    source = -(kk[:, 0] * Z[:, None, None] * Y[:, None] * Xpp + kk[:, 1] * Z[:, None, None] * Ypp[:, None] * X
               + kk[:, 2] * Zpp[:, None, None] * XY)
    block.power = source * block.dz[:, None, None] * block.dy[:, None] * block.dx
    Z_top, Zp_top = top + slope * (H - z1) + bend * (H - z1) ** 2, slope + 2 * bend * (H - z1)
    block.film[5][:] = h
    block.ambient[5][:] = (Z_top + k[2, 2] * Zp_top / h) * XY
    return block, T


@pytest.mark.parametrize("stretch", [0.0, 0.5])
def test_manufactured_solution_is_of_second_order(stretch):
    """Layers, orthotropy, contact, film and grading: the largest error falls with the square of the cells."""
    errors = []
    for n in (6, 12, 24):
        block, exact = manufactured(n, stretch)
        errors.append(largest(block.steady()[0] - exact))
    assert order(errors)[-1] == pytest.approx(2, abs=0.15)
    assert errors[-1] < 0.05 * largest(exact)


@pytest.mark.parametrize("channels", [False, True])
def test_power_maps_superpose(channels):
    """Rises of two power maps add up to that of both."""
    rng = np.random.default_rng(SEED)
    block = drawn(5, channels=channels)
    block.ambient = [np.zeros_like(a) for a in block.ambient]
    block.inlet = np.zeros_like(block.inlet)
    maps = [rng.random(block.power.shape) * (block.material > 0) for _ in range(2)]
    rises = []
    for power in (*maps, maps[0] + maps[1]):
        block.power = power
        rises.append(block.steady()[0])
    assert largest(rises[0] + rises[1] - rises[2]) <= 1e-10 * largest(rises[2])


def moved(block, axes, flip):
    """The block seen from another side: array axes in another order, then reversed where `flip` says so."""
    sizes = [block.dz, block.dy, block.dx]
    new = Block.__new__(Block)
    new.dz, new.dy, new.dx = (np.ascontiguousarray(sizes[a][:: -1 if f else 1]) for a, f in zip(axes, flip, strict=True))
    turn = lambda a: np.ascontiguousarray(np.flip(a.transpose(axes), [i for i in range(3) if flip[i]]))  # noqa: E731
    new.material, new.power = turn(block.material), turn(block.power)
    new.k = np.ascontiguousarray(block.k[:, [2 - a for a in axes][::-1]])
    new.rho_cp, new.tables, new.channels, new.inlet = block.rho_cp, None, None, block.inlet
    new.contact = np.ascontiguousarray(block.contact[::-1] if flip[0] else block.contact)
    shape = block.material.shape
    for name in ("film", "ambient"):
        values = getattr(block, name)
        faces = []
        for face, (axis, _, end) in enumerate(twin.FACES):  # put each face into a cube, turn the cube, and take it out
            old_axis = axes[axis]
            old_end = end if not flip[axis] else -1 - end
            old_face = next(f for f, (a, _, e) in enumerate(twin.FACES) if a == old_axis and e == old_end)
            cube = np.broadcast_to(np.expand_dims(values[old_face], old_axis), shape)
            faces.append(np.ascontiguousarray(np.take(turn(cube), end, axis=axis)))
            assert face < 6
        setattr(new, name, faces)
    return new, turn


@pytest.mark.parametrize(("axes", "flip"), [((0, 1, 2), (0, 0, 1)), ((0, 1, 2), (0, 1, 0)), ((0, 1, 2), (1, 0, 0)),
                                            ((0, 2, 1), (0, 0, 0)), ((0, 2, 1), (0, 1, 0)), ((2, 1, 0), (0, 0, 0))])
def test_a_mirrored_or_turned_block_gives_the_turned_field(axes, flip):
    """x, y and z are treated alike; no corner is preferred. (z with x only without contacts, which lie in z.)"""
    block = drawn(8)
    if axes[0] != 0:
        block.contact[:] = 0
    other, turn = moved(block, axes, flip)
    if axes[0] != 0:
        other.contact = np.zeros(other.dz.size - 1)
    T = block.steady()[0]
    assert largest(turn(T) - other.steady()[0]) <= 1e-10 * largest(T)


@pytest.mark.parametrize("seed", range(8))
def test_maximum_principle(seed):
    """Without sources no cell is outside the range of its surroundings; with sources none is colder."""
    block = drawn(seed)
    low = min(a[h > 0].min() for a, h in zip(block.ambient, block.film, strict=True) if np.any(h > 0))
    high = max(a[h > 0].max() for a, h in zip(block.ambient, block.film, strict=True) if np.any(h > 0))
    assert np.nanmin(block.steady()[0]) >= low - 1e-8
    block.power[:] = 0
    T = block.steady()[0]
    assert np.nanmin(T) >= low - 1e-8
    assert np.nanmax(T) <= high + 1e-8


def kirchhoff(n):
    """A slab with k = 150 at 20 degC falling to 90 at 120 degC, heated from below; T from the integral of k."""
    H, q, h = 20e-3, 3e5, 1e4
    block = Block([1e-3], [1e-3], np.full(n, H / n))
    block.tables = [None, (np.array([20.0, 120.0]), np.array([[150.0] * 3, [90.0] * 3]))]
    block.film[5][:], block.ambient[5][:] = h, 10.0
    block.power[0] = q * 1e-6
    top = 10 + q / h
    a = -60.0 / 100.0  # W/(m K2)

    def integral(T):  # of k from 20 degC
        return 150 * (T - 20) + 0.5 * a * (T - 20) ** 2

    z = (np.arange(n) + 0.5) * H / n
    theta = integral(top) + q * (H - z)
    return block, 20 + (-150 + np.sqrt(150**2 + 2 * a * theta)) / a


def test_conductivity_that_depends_on_temperature():
    """Kirchhoff's transformation: the error is of second order in the cells, and does not depend on the start."""
    errors = []
    for n in (16, 32, 64):
        block, exact = kirchhoff(n)
        T, _, _, told = block.steady(start=20.0)
        errors.append(largest(T[1:, 0, 0] - exact[1:]))  # the lowest cell is heated inside, not from below
        assert told["passes"] > 1
        assert largest(block.steady(start=110.0)[0] - T) <= 1e-8
    assert order(errors) == pytest.approx(2, abs=0.1)
    assert errors[-1] < 2e-3


def plate(nx=96, n=24):
    """A chip under a cold plate with fins, large enough for threads to be used."""
    ny = 2 * n + 1
    block = Block(np.full(nx, 2e-4), np.full(ny, 1e-4), np.full(14, 1e-4), k=[[0] * 3, [120.0] * 3])
    block.material[6:12, 1::2] = 0
    box = np.array([[2 * c + 1, 2 * c + 2, 6, 12] for c in range(n)], np.int32)
    block.channels = 0, box, np.full((n, nx), 2e4), np.where(np.arange(n) % 2, 0.3, -0.3), np.ones(n)
    block.inlet = np.full(n, 25.0)
    block.power[0, : ny // 2, nx // 4 : nx // 2] = 0.3
    return block


@pytest.mark.parametrize("flow", [0.03, 3e-3, 3e-4, 1e9])
@pytest.mark.parametrize("turns", [False, True])
def test_cycles_do_not_grow_as_coolant_warms(flow, turns):
    """64 channels of one cell: some 15 cycles whether the coolant hardly warms or takes up all it can, with and without counterflow."""
    block = plate(120, 64)
    block.channels = *block.channels[:3], np.full(64, flow) * np.where(np.arange(64) % 2 * turns, -1, 1), np.zeros(64)
    *_, told = block.steady(tolerance=1e-10)
    assert told["residual"] <= told["goal"]
    assert told["iterations"] <= 20


def test_cycles_do_not_multiply_with_passes():
    """Silicon over temperature, to 1e-9 K in its passes, costs at most four times the cycles of constants, to the same residual."""
    block = plate(120, 64)
    constant = block.steady(tolerance=1e-10)[3]
    T = np.linspace(0.0, 200.0, 21)
    block.tables = [None, (T, np.repeat(150.0 * ((T[:, None] + 273.15) / 298.15) ** -1.3, 3, 1))]
    told = block.steady(tolerance=1e-10)[3]
    assert told["passes"] >= 4
    assert told["residual"] <= told["goal"] == pytest.approx(constant["goal"], rel=1e-3)
    assert told["iterations"] <= 4 * constant["iterations"]


EXTREMES = {
    "one cell": ((1, 1, 1), {}), "nx = 1": ((1, 7, 5), {}), "ny = 1": ((7, 1, 5), {}), "nz = 1": ((7, 5, 1), {}), "nz = 200": ((3, 2, 200), {}),
    "sizes of 1 to 1e6": ((4, 4, 4), {"wide": 1e6}), "conductivities of 1 to 1e6": ((6, 6, 6), {"k": 1e6}), "film 1e8": ((6, 6, 6), {"film": 1e8}),
    "a sink": ((6, 6, 6), {"sink": True}), "no power": ((6, 6, 6), {"power": 0.0}),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_equal_the_sparse_direct_solve(name):
    """Single cells, rows and layers, slivers, unlike conductivities, strong films, sinks, no power, 64 threads: as the twin, energy closes."""
    (nx, ny, nz), how = EXTREMES[name]
    sizes = [np.full(n, 1e-4) for n in (nx, ny, nz)]
    if "wide" in how:
        for d, at in zip(sizes, (0, -1, 1), strict=True):
            d[at] *= how["wide"] ** 0.5
            d[2 if at != 2 else 0] /= how["wide"] ** 0.5
    block = Block(*sizes, k=[[0] * 3, [1.0] * 3, [how.get("k", 100.0)] * 3])
    block.material[:, ::2, 1::2] = 2
    block.film[4][:], block.ambient[4][:] = how.get("film", 3e3), 30.0
    block.power[:] = how.get("power", 0.1) / block.power.size
    if how.get("sink"):
        block.power[-1, :, : nx // 2] *= -5.0
    T, _, _, told = block.steady(threads=64)
    exact = block.twin()[0]
    assert told["residual"] <= told["goal"]
    assert largest(T - exact) <= 1e-9 * max(largest(exact - 30), 0.01)
    assert abs(told["imbalance"]) <= 1e-10 * max(np.abs(block.power).sum(), 1e-6)


def test_same_bits_for_any_number_of_threads():
    """Sums are kept by slab: 1, 2 and 3 threads give the same bits, with and without coolant."""
    block = plate()
    assert block.material.size > 16384
    one = block.steady(threads=1)
    for threads in (2, 3):
        more = block.steady(threads=threads)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one[:3], more[:3], strict=True))
        assert one[3] == more[3]
    block.channels, block.inlet = None, np.zeros(0)
    block.film[5][:] = 1e4
    one = block.steady(threads=1)
    assert np.array_equal(one[0], block.steady(threads=3)[0], equal_nan=True)


def test_what_is_not_reached_is_said():
    """Too few iterations: the residual told is the true one, and is above the goal."""
    block = drawn(4)
    T, _, _, told = block.steady(iterations=2)
    assert told["iterations"] == 2
    assert told["residual"] > told["goal"]
    K = twin.matrix(block.dx, block.dy, block.dz, block.material, block.k, block.contact, block.film)
    exact = block.twin()[0]
    left = K @ np.nan_to_num(exact - T).ravel()
    assert told["residual"] == pytest.approx(np.linalg.norm(left), rel=1e-6)


def test_an_island_does_not_spoil_the_rest():
    """A piece that no film reaches and no power heats has one temperature, whichever; the rest is solved. Heated, it is told."""
    block = Block([1e-3] * 6, [1e-3] * 5, [1e-3] * 4)
    block.material[:, :, 3] = 0
    block.film[0][:] = 1e3
    block.power[:, :, :3] = 0.01
    T, _, _, told = block.steady()
    assert told["residual"] <= told["goal"]
    assert np.ptp(T[:, :, 4:]) <= 1e-9 * largest(T)
    alone = Block([1e-3] * 3, [1e-3] * 5, [1e-3] * 4)
    alone.film[0][:] = 1e3
    alone.power[:] = 0.01
    assert largest(T[:, :, :3] - alone.steady()[0]) <= 1e-10 * largest(T)
    block.power[:, :, 4:] = 0.01
    _, _, _, told = block.steady()
    assert told["residual"] > told["goal"]


@pytest.mark.parametrize("start", [20.0, 77.0])
def test_nothing_happens_without_a_cause(start):
    """No power and all surroundings at one temperature: everything is at it, whatever the start."""
    block = plate()
    block.film[5][:], block.ambient[5][:] = 1e4, 25.0
    block.power[:] = 0
    T, mean, outlet, told = block.steady(start=start)
    assert told["residual"] <= told["goal"]
    assert max(largest(T - 25), largest(mean - 25), largest(outlet - 25)) <= 1e-13


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timer")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_ends_the_work_and_the_next_is_right(threads):
    """An exception out of a signal handler leaves a solve unfinished; the same object then gives the same bits as a new one."""
    block = Block(np.full(160, 1e-4), np.full(160, 1e-4), np.full(20, 1e-4))
    block.film[5][:] = 1e3
    block.power[0, 20:50, 30:80] = 0.1
    ask = dict(power=block.power, film_temperature=tuple(block.ambient), inlet=block.inlet, tolerance=1e-10, still=1e-9, iterations=99,
               threads=threads, coolant=np.empty((0, 0)), outlet=np.empty(0))
    right = block.steady(tolerance=1e-10)[0]
    solid, T = block.solid(threads), np.zeros(block.material.shape)

    def stop(*_):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.025)
        with pytest.raises(InterruptedError):
            solid.steady(out=T, **ask)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert largest(T - right) > 1e-6 * largest(right)
    T[:] = 0
    solid.steady(out=T, **ask)
    assert np.array_equal(T, right)


# the door

def good(**changes):
    block = plate(8, 2)
    described = dict(dx=block.dx, dy=block.dy, dz=block.dz, material=block.material, conductivity=block.k, heat_capacity=block.rho_cp,
                     contact=block.contact, film=tuple(block.film), tables=None, channels=block.channels, threads=1)
    return described | changes


def asked(**changes):
    block = plate(8, 2)
    return dict(power=block.power, film_temperature=tuple(block.ambient), inlet=block.inlet, tolerance=1e-8, still=1e-8, iterations=50,
                threads=1, out=np.zeros(block.material.shape), coolant=np.zeros((2, 8)), outlet=np.zeros(2)) | changes


def test_the_good_description_is_taken():
    """What the refusals below start from is accepted."""
    told = Solid(**good()).steady(**asked())
    assert told["residual"] <= told["goal"]


def spoiled(a):
    """An array in every wrong way."""
    yield None
    yield a.astype(np.float32 if a.dtype != np.float32 else np.float64)
    yield a.tolist()
    yield np.zeros((*a.shape, 2), a.dtype)[..., 0]  # strided
    yield a.astype(a.dtype.newbyteorder(">"))
    yield a[None]
    yield np.concatenate([a, a])


ARRAYS = ["dx", "dy", "dz", "material", "conductivity", "heat_capacity", "contact"]


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_arrays_of_the_description_are_refused(name):
    """Type, stride, shape, None: refused, not converted."""
    for wrong in spoiled(good()[name]):
        with pytest.raises(REFUSED):
            Solid(**good(**{name: wrong}))


def test_wrong_films_channels_and_tables_are_refused():
    """The same for arrays within tuples and lists, and for numbers that cannot be."""
    film, channels = good()["film"], good()["channels"]
    for face in range(6):
        for wrong in spoiled(film[face]):
            with pytest.raises(REFUSED):
                Solid(**good(film=film[:face] + (wrong,) + film[face + 1 :]))
    for part in range(1, 5):
        for wrong in spoiled(channels[part]):
            with pytest.raises(REFUSED):
                Solid(**good(channels=channels[:part] + (wrong,) + channels[part + 1 :]))
    for wrong in (film[:5], None, 3):
        with pytest.raises(REFUSED):
            Solid(**good(film=wrong))
    axis, box, h, w, C = channels
    outside, solid = box.copy(), box.copy()
    outside[0, 3], solid[0, 2] = 99, 3
    for wrong in ((2, box, h, w, C), (0, outside, h, w, C), (0, solid, h, w, C), (0, box, -h, w, C), (0, box, h, 0 * w, C),
                  (0, box, h, w * np.nan, C), (0, box, h, w, -C), (0.0, box, h, w, C), channels[:4], list(channels)):
        with pytest.raises(REFUSED):
            Solid(**good(channels=wrong))
    T, k = np.array([0.0, 100.0]), np.full((2, 3), 50.0)
    for wrong in ([None], [(T, k), None], [None, (T[::-1].copy(), k)], [None, (T, -k)], [None, (T, k[:1])], [None, T],
                  [None, (T.astype(np.float32), k)], (None, (T, k))):
        with pytest.raises(REFUSED):
            Solid(**good(tables=wrong))
    Solid(**good(tables=[None, (T, k)]))


def test_numbers_that_cannot_be_are_refused():
    """Negative sizes, conducting voids, materials that are not there, not-a-numbers, threads, tolerances."""
    base = good()
    wrong = [dict(dx=-base["dx"]), dict(dx=base["dx"] * np.nan), dict(dz=np.zeros(0)), dict(material=base["material"] + np.uint16(2)),
             dict(conductivity=np.ones((2, 3))), dict(conductivity=np.zeros((2, 3))), dict(conductivity=-base["conductivity"]),
             dict(heat_capacity=np.ones(2)), dict(contact=base["contact"] - 1), dict(threads=0), dict(threads=None)]
    for change in wrong:
        with pytest.raises(REFUSED):
            Solid(**good(**change))
    solid = Solid(**good())
    for change in (dict(tolerance=0.0), dict(tolerance=np.nan), dict(still=0.0), dict(iterations=0), dict(threads=-1)):
        with pytest.raises(REFUSED):
            solid.steady(**asked(**change))


@pytest.mark.parametrize("name", ["power", "inlet", "out", "coolant", "outlet"])
def test_wrong_arrays_of_a_question_are_refused(name):
    """Type, stride, shape, None, read-only results, results on top of inputs."""
    solid = Solid(**good())
    for wrong in spoiled(asked()[name]):
        with pytest.raises(REFUSED):
            solid.steady(**asked(**{name: wrong}))
    if name in ("out", "coolant", "outlet"):
        locked = asked()[name]
        locked.flags.writeable = False
        with pytest.raises(REFUSED):
            solid.steady(**asked(**{name: locked}))
    else:
        with pytest.raises(REFUSED):
            solid.steady(**asked(**{name: asked()[name] * np.nan}))
    shared = asked()
    shared["out"] = shared["power"]
    with pytest.raises(REFUSED):
        solid.steady(**shared)


def test_wrong_arrays_of_products_and_steps_are_refused():
    """The same for apply, capacity and solve."""
    solid = Solid(**good())
    T = np.zeros(good()["material"].shape)
    for wrong in spoiled(T):
        with pytest.raises(REFUSED):
            solid.apply(wrong, threads=1, out=T.copy())
        with pytest.raises(REFUSED):
            solid.apply(T, threads=1, out=wrong)
        with pytest.raises(REFUSED):
            solid.capacity(out=wrong)
        for change in (dict(b=wrong), dict(x=wrong)):
            with pytest.raises(REFUSED):
                solid.solve(**dict(shift=0.0, b=T, tolerance=1e-8, enough=0.0, iterations=9, threads=1, x=T.copy()) | change)
    for change in (dict(shift=-1.0), dict(shift=np.inf), dict(enough=-1.0), dict(x=T), dict(tolerance=1.0)):
        with pytest.raises(REFUSED):
            solid.solve(**dict(shift=0.0, b=T, tolerance=1e-8, enough=0.0, iterations=9, threads=1, x=T.copy()) | change)

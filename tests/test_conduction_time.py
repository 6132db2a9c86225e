"""Heat conduction over time on cells: the small model and the time stepper against matrix exponentials and closed solutions."""
import numpy as np
import pytest
import scipy.linalg as la
from scipy.special import erfc
from test_conduction_kernel import Block, drawn
from twins import conduction as twin

from thermo._kernels import subspace
from thermo.errors import ConvergenceError, ScenarioError
from thermo.package.stepping import GAMMA, D, W, _Stepper, march
from thermo.package.transient import Response

SEED = 90210


class Exact:
    """C dx/dt = B u - K x by eigenvectors of the twin's matrix."""

    def __init__(self, block, heat):
        solid = block.material.ravel() > 0
        volume = block.dz[:, None, None] * block.dy[:, None] * block.dx
        C = (block.rho_cp[block.material] * volume).ravel()[solid]
        K = twin.matrix(block.dx, block.dy, block.dz, block.material, block.k, block.contact, block.film)[solid][:, solid].toarray()
        d = 1 / np.sqrt(C)
        self.decay, Q = la.eigh(d[:, None] * K * d)
        self.modes, self.solid, self.shape = d[:, None] * Q, solid, block.material.shape
        self.into = self.modes.T @ np.array([h.ravel()[solid] for h in heat]).T
        self.C = C

    def step(self, times):
        """Unit step responses (input, time, cell)."""
        out = np.zeros((self.into.shape[1], len(times), self.solid.size))
        for i, gain in enumerate(self.into.T):
            out[i][:, self.solid] = (-np.expm1(-np.outer(times, self.decay)) / self.decay * gain) @ self.modes.T
        return out.reshape(*out.shape[:2], *self.shape)

    def march(self, times, power_times, power):
        """Answer to power by pieces, as a sum of step responses (time, nz, ny, nx)."""
        out = np.zeros((len(times), *self.shape))
        for begin, jump in zip(power_times, np.diff(power, axis=0, prepend=0.0), strict=True):
            late = times > begin
            out[late] += np.tensordot(jump, self.step(times[late] - begin), 1)
        return out


def stack(seed, stiff=False):
    """A drawn block with its capacities drawn too, sources in two parts of it; stiff: sources in a film of 2 um."""
    block = drawn(seed, most=9)
    rng = np.random.default_rng([SEED, seed])
    block.rho_cp = np.concatenate([[0.0], rng.uniform(1e6, 4e6, len(block.k) - 1)])
    if stiff:
        block.dz[0] = 2e-6
    part = np.where(rng.random(block.material.shape) < 0.5, 1.0, 0.0)
    solid = block.material > 0
    heat = np.array([part * solid, (1 - part) * rng.random(solid.shape) * solid])
    if stiff and solid[0].any():
        heat[:, 1:] = 0.0
    total = heat.reshape(2, -1).sum(1)
    heat[total == 0] = np.where(solid, 1.0, 0.0)
    return block, heat * (10.0 / heat.reshape(2, -1).sum(1))[:, None, None, None]


def slab(n=64, length=1e-3, h=2e4):
    """A bar of one material along z, heated at the bottom, cooled at the top."""
    block = Block([1e-3], [1e-3], np.full(n, length / n))
    block.film[5][:] = h
    heat = np.zeros((1, n, 1, 1))
    heat[0, 0] = 0.1
    return block, heat


POWER_TIMES, TIMES = np.array([0.0, 0.01, 0.03, 0.07]), np.sort(np.concatenate([1e-3 * np.arange(1, 101), [0.5, 3.0]]))
POWER = np.array([[1.0, 0.5], [0.2, 0.5], [1.5, 0.0], [0.0, 1.0]])


def test_error_estimate_covers():
    """The small model is as far from the matrix exponential as it says, in 95 of 100 random stacks at the least, half of them stiff."""
    covered, within, n = 0, 0, 100
    for seed in range(n):
        block, heat = stack(seed, stiff=seed % 2 == 1)
        exact = Exact(block, heat)
        peak = np.abs(exact.step(np.array([3.0]))).max()
        response = Response(block.solid(), heat, shortest=1e-3, longest=3.0, tolerance=1e-5 * peak)
        a = response.march(TIMES, POWER_TIMES, POWER)
        T = np.array([response.field(row) for row in a])
        wrong = np.abs(T - exact.march(TIMES, POWER_TIMES, POWER)).reshape(len(TIMES), -1).max(1)
        said = response.error(TIMES, POWER_TIMES, POWER)
        covered += bool(np.all(wrong <= said + 1e-9 * peak))
        within += bool(wrong.max() <= 5e-5 * peak)  # four jumps, 5.2 in sum, of 1e-5 each at the most
    assert covered >= 0.95 * n
    assert within == n


def test_step_response_bounds_itself():
    """Between its shortest and longest time, and long after, the step response is right to the tolerance."""
    block, heat = stack(3)
    exact = Exact(block, heat)
    times = np.geomspace(1e-5, 1000.0, 60)
    want = exact.step(times)
    response = Response(block.solid(), heat, shortest=1e-5, longest=10.0, tolerance=1e-4 * want.max())
    got = np.array([[response.field(row) for row in one] for one in response.step(times)])
    assert np.abs(got - want).max() <= 1e-4 * want.max()


def test_hottest_mean_at():
    """Hottest cell of each block, means and chosen cells are those of the whole fields."""
    block, heat = stack(2)
    response = Response(block.solid(), heat, shortest=1e-3, longest=1.0, tolerance=1e-3)
    a = response.march(TIMES, POWER_TIMES, POWER)
    rng = np.random.default_rng(SEED)
    rest = rng.uniform(30, 50, response.shape)
    T = np.array([response.field(row, rest) for row in a]).reshape(len(TIMES), -1)
    label = np.where(block.material > 0, rng.integers(0, 3, block.material.shape), -1)
    value, cell = response.hottest(a, label, rest)
    for b in range(3):
        own = np.flatnonzero(label.ravel() == b)
        np.testing.assert_allclose(value[:, b], T[:, own].max(1), rtol=0, atol=1e-11)
        np.testing.assert_allclose(T[np.arange(len(TIMES)), cell[:, b]], value[:, b], rtol=0, atol=1e-11)
    weight = rng.random((2, *response.shape))
    np.testing.assert_allclose(response.mean(a, weight, rest), T @ (weight / weight.sum((1, 2, 3), keepdims=True)).reshape(2, -1).T, rtol=1e-12)
    np.testing.assert_allclose(response.at(a, np.array([0, 5]), rest), T[:, [0, 5]], rtol=1e-12)


def test_semi_infinite_step():
    """A half space heated from its face: q 2 sqrt(t / (pi k rho c)) at the face, ierfc below, while the far end does not know."""
    n, length, k, rho_cp, flux = 400, 4e-3, 100.0, 2e6, 1e5
    block, heat = slab(n, length)
    heat[0, 0] = flux * 1e-6
    response = Response(block.solid(), heat, shortest=2e-3, longest=2e-2, tolerance=1e-4)
    t = np.array([5e-3, 1e-2, 2e-2])
    got = response.at(response.step(t)[0], np.arange(n))
    z = (np.arange(n) + 0.5) * length / n
    root = np.sqrt(k / rho_cp * t)[:, None]
    want = flux / k * (2 * root / np.sqrt(np.pi) * np.exp(-((z / (2 * root)) ** 2)) - z * erfc(z / (2 * root)))
    want -= flux / k * 0.0
    assert np.abs(got - want)[:, z < 1.5e-3].max() <= 2e-3 * want.max()


def test_slab_series():
    """A slab with a film that starts warm cools as its Fourier series, eigenvalues of mu tan(mu) = Bi; the stepper follows."""
    n, length, k, rho_cp, h = 200, 1e-3, 100.0, 2e6, 2e5
    block, heat = slab(n, length, h)
    bi = h * length / k
    mu = []
    for i in range(60):
        low, high = i * np.pi, i * np.pi + np.pi / 2 - 1e-12
        for _ in range(80):
            mid = 0.5 * (low + high)
            low, high = (mid, high) if mid * np.tan(mid) < bi else (low, mid)
        mu.append(low)
    mu = np.array(mu)
    c = 4 * np.sin(mu) / (2 * mu + np.sin(2 * mu))
    z = (np.arange(n) + 0.5) / n
    t = np.array([2e-3, 5e-3, 2e-2])
    want = 50 * np.array([(c * np.exp(-(mu**2) * k / rho_cp / length**2 * s)) @ np.cos(np.outer(mu, z)) for s in t])
    got = march(block.solid(), 0 * heat, power_times=np.zeros(1), power=np.zeros((1, 1)), times=t, tolerance=1e-4, start=50.0)
    assert np.abs(got.snapshots[:, :, 0, 0] - want).max() <= 5e-3
    assert got.snapshots.min() >= -1e-3  # the warm slab never falls below what is around it


def test_lumped_limit():
    """Very conductive and badly cooled: one exponential, P/hA (1 - exp(-hA t / C))."""
    block = Block(np.full(4, 1e-3), np.full(3, 1e-3), np.full(2, 1e-3), k=[[0] * 3, [1e5] * 3])
    block.film[5][:] = 10.0
    heat = np.full((1, 2, 3, 4), 1 / 24)
    hA, C = 10.0 * 12e-6, 24e-9 * 2e6
    t = np.array([10.0, 100.0, 400.0, 4000.0])
    want = 1 / hA * -np.expm1(-hA * t / C)
    response = Response(block.solid(), heat, shortest=1.0, longest=4000.0, tolerance=0.1)
    assert response.at(response.step(t)[0], np.array([7]))[:, 0] == pytest.approx(want, rel=1e-4)
    run = march(block.solid(), heat, power_times=np.zeros(1), power=np.ones((1, 1)), times=t, tolerance=0.05)
    assert run.snapshots[:, 0, 0, 0] == pytest.approx(want, rel=2e-4)


def test_closed_body_warms_for_ever():
    """Without any film there is no steady state: all heat stays, and the mean rises by P t / C."""
    block, heat = slab(20, h=0.0)
    response = Response(block.solid(), heat, shortest=1e-3, longest=1.0, tolerance=1e-4)
    t = np.array([1e-3, 0.1, 1.0])
    mean = response.mean(response.step(t)[0], np.ones((1, 20, 1, 1)))[:, 0]
    assert mean == pytest.approx(0.1 * t / (1e-9 * 2e6), rel=1e-9)


def test_steady_is_the_long_time_limit():
    """Long after a step both ways give what the steady solve gives."""
    block, heat = stack(5)
    block.power = heat[0]
    block.ambient = [0 * f for f in block.film]
    T, *_ = block.steady()
    solid = block.material > 0
    peak = np.nanmax(T)
    response = Response(block.solid(), heat, shortest=1e-3, longest=10.0, tolerance=1e-4 * peak)
    assert np.abs(response.field(response.step(np.array([1e6]))[0, 0]) - np.where(solid, T, 0))[solid].max() <= 1e-5 * peak
    run = march(block.solid(), heat[:1], power_times=np.zeros(1), power=np.ones((1, 1)), times=np.array([1e5]), tolerance=1e-3 * peak)
    assert np.abs(run.snapshots[0] - np.where(solid, T, 0))[solid].max() <= 1e-3 * peak


def test_second_order_in_time():
    """The stepper's error falls with the square of the step, as a measured slope; the power is switched at a stop."""
    block, heat = slab(30)
    exact = Exact(block, heat).step(np.array([0.02]))[0, 0]
    wrong = []
    for n in (20, 40, 80):
        run = march(block.solid(), heat, power_times=np.zeros(1), power=np.ones((1, 1)), times=np.array([0.02]), tolerance=1e-9,
                    fixed_step=0.02 / n)
        assert run.steps == n
        wrong.append(np.abs(run.snapshots[0] - exact).max())
    slope = np.log2(np.array(wrong[:-1]) / wrong[1:])
    assert np.all((slope > 1.9) & (slope < 2.3)), slope


def test_second_order_in_space_and_time_with_layers_and_contact():
    """A mode of two layers with a contact and a film dies out as exp(-2 t); cells and steps halved together, the error falls to a quarter."""
    L, k, rho_cp, R = (1e-3, 0.5e-3), (100.0, 10.0), (2e6, 1.5e6), 2e-5
    a, b = (np.sqrt(2.0 * c / q) for c, q in zip(rho_cp, k, strict=True))
    flux = k[0] * a * np.sin(a * L[0])
    above = np.cos(a * L[0]) - R * flux
    upper = lambda z: above * np.cos(b * z) - flux / k[1] / b * np.sin(b * z)  # noqa: E731
    slope = -above * b * np.sin(b * L[1]) - flux / k[1] * np.cos(b * L[1])
    wrong = []
    for n in (6, 12, 24):
        block = Block([1e-3], [1e-3], np.repeat([L[0] / n, L[1] / n], n), k=[[0] * 3, [k[0]] * 3, [k[1]] * 3], rho_cp=np.array([0.0, *rho_cp]))
        block.material[n:] = 2
        block.contact[n - 1] = R
        block.film[5][:] = -k[1] * slope / upper(L[1])
        middle = (np.arange(n) + 0.5) / n
        mode = np.concatenate([np.cos(a * L[0] * middle), upper(L[1] * middle)])[:, None, None]
        run = march(block.solid(), 0 * mode[None], power_times=np.zeros(1), power=np.ones((1, 1)), times=np.array([0.5]), tolerance=1e-9,
                    start=mode, fixed_step=0.5 / n)
        wrong.append(np.abs(run.snapshots[0] - mode * np.exp(-1.0)).max())
    assert np.log2(np.array(wrong[:-1]) / wrong[1:]) == pytest.approx(2.0, abs=0.15), wrong


@pytest.mark.parametrize("seed", range(4))
def test_stepper_keeps_its_tolerance(seed):
    """Against the matrix exponential: within the sum of local errors that it reports, also between steps."""
    block, heat = stack(40 + seed, stiff=seed % 2 == 1)
    exact = Exact(block, heat)
    times = TIMES[:100:9]
    want = exact.march(times, POWER_TIMES, POWER)
    tolerance = 1e-4 * want.max()
    run = march(block.solid(), heat, power_times=POWER_TIMES, power=POWER, times=times, tolerance=tolerance)
    wrong = np.abs(run.snapshots - want).reshape(len(times), -1).max(1)
    assert np.all(wrong <= run.error + 2 * tolerance)
    assert wrong.max() <= 20 * tolerance
    assert run.steps < 400


def test_stage_flows_are_what_the_cells_give():
    """Energy: f = q - K x at both stages, and C (x2 - x0) = h (w f0 + w f1 + d f2), to 1e-10 of the heat."""
    block, heat = stack(6)
    state = _Stepper(block.solid(), np.zeros(block.material.shape), 1.0, 1, 1e-14)
    q = heat[0]
    state.f = state.flow(state.x, q)
    h = 3e-3
    _, x1, x2, f1, f2 = state.attempt(h, q)
    for x, f in ((x1, f1), (x2, f2)):
        assert abs((f - state.flow(x, q)).sum()) <= 1e-10 * q.sum()
    assert abs((state.C * (x2 - state.x) - h * (W * state.f + W * f1 + D * f2)).sum()) <= 1e-10 * h * q.sum()
    assert pytest.approx(2 - np.sqrt(2)) == GAMMA


def test_energy_closes():
    """Heat given = heat stored + heat through the films, the last two each from the fields themselves."""
    block, heat = stack(7)
    run = march(block.solid(), heat, power_times=POWER_TIMES, power=POWER, times=np.array([0.1]), tolerance=1e-3, solve=1e-9)
    C = _Stepper(block.solid(), np.zeros(block.material.shape), 1.0, 1, 1.0).C
    assert run.energy_stored[-1] == pytest.approx(float((C * run.snapshots[-1]).sum()), rel=1e-10)
    given = 10.0 * (np.diff([*POWER_TIMES, 0.1]) @ POWER.sum(1))
    assert run.energy_in[-1] == pytest.approx(given, rel=1e-10)
    assert run.energy_in[-1] == pytest.approx(run.energy_stored[-1] + run.energy_out[-1], rel=1e-10)


def test_conductivity_that_depends_on_temperature():
    """Order 2 with k(T) = 100 (1 - T/400), against steps sixteen times as fine; the linear run is far off."""
    block, heat = slab(12)
    heat = 60 * heat
    k = 100 * (1 - np.linspace(0, 300, 301) / 400)
    block.tables = [None, (np.linspace(0, 300, 301), np.repeat(k[:, None], 3, 1))]

    def end(n):
        return march(block.solid(), heat, power_times=np.zeros(1), power=np.ones((1, 1)), times=np.array([0.02]), tolerance=1e-7,
                     fixed_step=0.02 / n, reference=20.0).snapshots[0]

    best = end(640)
    wrong = [np.abs(end(n) - best).max() for n in (20, 40, 80)]
    assert np.all(np.log2(np.array(wrong[:-1]) / wrong[1:]) > 1.7), wrong
    block.tables = None
    assert np.abs(end(80) - best).max() > 20 * wrong[2]


def test_zero_power_stays():
    """Nothing is heated, nothing moves."""
    block, heat = stack(1)
    run = march(block.solid(), heat, power_times=np.zeros(1), power=np.zeros((1, 2)), times=np.array([1.0]), tolerance=1e-3)
    assert np.all(run.snapshots == 0)
    response = Response(block.solid(), heat, shortest=1e-3, longest=1.0, tolerance=1e-2)
    assert np.all(response.march(np.array([1.0]), np.zeros(1), np.zeros((1, 2))) == 0)


def test_no_undershoot():
    """Heat never makes a cell colder than what is around it, beyond the tolerance."""
    block, heat = stack(9, stiff=True)
    response = Response(block.solid(), heat, shortest=1e-4, longest=1.0, tolerance=1e-3)
    for one in response.step(np.geomspace(1e-4, 1.0, 20)):
        for row in one:
            assert response.field(row).min() >= -1e-3


def test_superposition_and_threads():
    """Two powers at once are their sum, and any number of threads gives the same bits."""
    block, heat = stack(11)
    big = Block(np.full(40, 1e-4), np.full(36, 1e-4), np.full(16, 1e-4), k=block.k, rho_cp=block.rho_cp)  # enough for threads to be woken
    big.film[5][:] = 1e4
    heat = np.random.default_rng(SEED).random((2, 16, 36, 40)) * 1e-3
    runs = []
    for threads in (1, 3):
        response = Response(big.solid(threads), heat, shortest=1e-3, longest=1.0, tolerance=1e-3, threads=threads)
        a = response.march(TIMES, POWER_TIMES, POWER)
        run = march(big.solid(threads), heat, power_times=POWER_TIMES, power=POWER, times=TIMES[:3], tolerance=1e-2, threads=threads)
        runs.append([a, *response.hottest(a), run.snapshots])
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one, other)
    parts = [response.march(TIMES, POWER_TIMES, POWER * keep) for keep in ([1, 0], [0, 1])]
    np.testing.assert_allclose(parts[0] + parts[1], a, rtol=0, atol=1e-10 * np.abs(a).max())


def test_coolant_in_channels():
    """With coolant that stores nothing the system is lopsided; the small model still is exact, and settles at the steady solve."""
    block = drawn(8, most=9, channels=True)
    axis, boxes, film, w, stores = block.channels
    block.channels = axis, boxes, film, w, 0 * stores
    solid, n = block.solid(), block.material.size
    K = np.empty((n, n))
    for i in range(n):
        unit, out = np.zeros(n), np.empty(block.material.shape)
        unit[i] = 1.0
        solid.apply(unit.reshape(block.material.shape), threads=1, out=out)
        K[:, i] = out.ravel()
    own = block.material.ravel() > 0
    K = K[own][:, own]
    assert np.abs(K - K.T).max() > 1e-6 * np.abs(K).max()
    response = Response(solid, block.power[None], shortest=1e-3, longest=10.0, tolerance=1e-3)
    C, q = response.capacity.ravel()[own], block.power.ravel()[own]
    steady = np.linalg.solve(K, q)
    for t, tolerance in ((1e-3, 2e-3), (0.1, 2e-3), (1e4, 2e-3)):
        want = steady - la.expm(-t * K / C[:, None]) @ steady
        got = response.field(response.step(np.array([t]))[0, 0]).ravel()[own]
        assert np.abs(got - want).max() <= tolerance


def test_refusals():
    """What cannot be is refused, with the value and the way out."""
    block, heat = slab(8)
    with pytest.raises(ScenarioError, match="shortest is 2.0 s and longest 1.0 s"):
        Response(block.solid(), heat, shortest=2.0, longest=1.0, tolerance=1e-3)
    with pytest.raises(ScenarioError, match="tolerance is 0"):
        Response(block.solid(), heat, shortest=1e-3, longest=1.0, tolerance=0.0)
    with pytest.raises(ConvergenceError, match="raise tolerance, shortest, or most"):
        Response(stack(3)[0].solid(), stack(3)[1], shortest=1e-6, longest=100.0, tolerance=1e-6, most=8)
    response = Response(block.solid(), heat, shortest=1e-3, longest=1.0, tolerance=1e-3)
    with pytest.raises(ScenarioError, match="times must rise"):
        response.march(np.array([0.5, 0.1]), np.zeros(1), np.ones((1, 1)))
    with pytest.raises(ScenarioError, match="power_times must rise"):
        march(block.solid(), heat, power_times=np.zeros(2), power=np.ones((2, 1)), times=np.ones(1), tolerance=1e-3)
    stores = drawn(8, most=9, channels=True)
    with pytest.raises(ScenarioError, match="coolant in channels has a heat capacity"):
        Response(stores.solid(), stores.power[None], shortest=1e-3, longest=1.0, tolerance=1e-3)
    with pytest.raises(ScenarioError, match="coolant in channels has a heat capacity"):
        march(stores.solid(), stores.power[None], power_times=np.zeros(1), power=np.ones((1, 1)), times=np.ones(1), tolerance=1e-3)
    field = np.zeros(8)
    for wrong in (np.zeros(7), np.zeros(8, np.float32), np.zeros(16)[::2]):
        with pytest.raises((ValueError, TypeError)):
            subspace.orthonormalise([wrong], np.ones(8), field, threads=1)
    with pytest.raises(IndexError):
        subspace.hottest([field], np.ones((1, 1)), np.array([9]), np.array([0, 1]), threads=1, value=np.empty(1), cell=np.empty(1, np.int64))

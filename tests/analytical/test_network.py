"""Closed solutions of small networks, through both compiled steppers.

The exact stepper is held to rounding, TR-BDF2 to the tolerance that it was asked for.
Seen to fail: boundaries taken at the beginning of a step in what leaves; a shared tank without its boundary's heat, and
without its share of what is stored; exponentials looked up without their step.
"""
import networks
import numpy as np
import pytest
from networks import STEPPERS, residual
from scipy.stats import gamma

from thermo.network import Network
from thermo.solve import integrate

EXACT = 1e-11  # K: some 1e4 roundings of a temperature of 100 K
TOLERANCE = {"propagator": EXACT, "tr-bdf2": 1e-4}


@pytest.mark.parametrize("solver", STEPPERS)
@pytest.mark.parametrize(("seconds", "expected"), [(50.0, 38.9636167649), (5.0, 22.8548774589)])  # 30 (1 - e^-0.1) + 20
def test_one_node_warms_as_one_exponential(solver, seconds, expected):
    """T = T0 + P R (1 - exp(-t / RC)), 500 J/K, 0.1 K/W, 300 W, 20 degC. Printed to 1e-10, so compared to half of that."""
    T = networks.run(networks.rc([0.0, seconds]), solver=solver, tolerance=1e-6).T[0][-1, 0, 0] + 20.0
    assert abs(T - expected) <= (0.6e-10 if solver == "propagator" else 1e-6)


@pytest.mark.parametrize("solver", STEPPERS)
def test_two_nodes_exchange_heat_and_keep_it(solver):
    """Two isolated nodes: their difference decays with G (1/C1 + 1/C2), their weighted mean stays."""
    C1, C2, G, t = 200.0, 900.0, 7.0, np.linspace(0, 120, 9)
    network = Network(t)
    g = network.group(1)
    a, b = g.node("a", C1), g.node("b", C2)
    g.conductance(a, b, G)
    g.record(a), g.record(b)
    T = networks.run(network, solver=solver, start=np.array([[60.0], [10.0]]), tolerance=1e-4).T[0][:, 0]
    mean = (C1 * 60 + C2 * 10) / (C1 + C2)
    gap = 50 * np.exp(-G * (1 / C1 + 1 / C2) * t)
    exact = np.stack([mean + gap * C2 / (C1 + C2), mean - gap * C1 / (C1 + C2)], axis=1)
    assert np.max(np.abs(T - exact)) <= TOLERANCE[solver]
    assert np.max(np.abs(T @ [C1, C2] - mean * (C1 + C2))) <= 1e-12 * mean * (C1 + C2)  # both keep heat to rounding


@pytest.mark.parametrize("solver", STEPPERS)
def test_ladder_against_matrix_exponential(solver):
    """Die, plate, coolant of four devices in a lane under a power that jumps: scipy.linalg.expm of the same balance."""
    t = np.arange(40) * 1.0
    power = np.random.default_rng(20250311).uniform(110, 680, t.size)
    for algebraic in (True, False):
        network = networks.lanes(t, power, algebraic=algebraic, spread=0.05)
        T = networks.run(network, solver=solver, tolerance=1e-4).T[0][:, 0]
        assert np.max(np.abs(T - networks.reference(network, 0.0))) <= TOLERANCE[solver]


@pytest.mark.parametrize("solver", STEPPERS)
@pytest.mark.parametrize("cells", [1, 8, 48])
def test_advection_cells_answer_a_step_as_erlang(solver, cells):
    """A step at the inlet of N well-mixed cells leaves the last one as the Erlang distribution of N stages."""
    delay = 30.0
    t = np.linspace(0, 2 * delay, 31)
    network = _pipe(t, cells, delay)
    T = networks.run(network, solver=solver, tolerance=1e-4).T[0][:, 0, -1]
    assert np.max(np.abs(T - gamma.cdf(t, cells, scale=delay / cells))) <= max(TOLERANCE[solver], 1e-12)


def _pipe(t, cells, delay):
    network = Network(t)
    g = network.group(1)
    at, w = g.boundary(g.series(1.0)), g.coefficient(50.0)
    for i in range(cells):
        cell = g.node(f"cell {i}", 50.0 * delay / cells)
        g.stream(at, cell, w)
        at = cell
    g.exit(at, w)
    g.record(at)
    return network


def test_advection_cells_approach_pure_delay():
    """N cells of total delay L: mean delay L exactly, variance L^2 / N, so that the front steepens as 1 / sqrt(N)."""
    L, t = 20.0, np.linspace(0, 120, 4801)
    width = []
    for cells in (4, 16, 60):
        T = networks.run(_pipe(t, cells, L)).T[0][:, 0, -1]
        rest = 1 - T
        mean = np.trapezoid(rest, t)  # of the residence time
        second = 2 * np.trapezoid(t * rest, t)
        assert abs(mean - L) <= 1e-3  # trapezoid at 0.025 s: h^2/12 max|f'| = 5e-5 x 0.2
        width.append(np.sqrt(second - mean**2))
    assert np.allclose(width, L / np.sqrt([4, 16, 60]), rtol=2e-3)


@pytest.mark.parametrize("solver", STEPPERS)
def test_linear_ramp_of_power(solver):
    """P = a t into one RC: T = a R (t - tau (1 - exp(-t / tau))). A trace that is straight between samples is exact."""
    R, C, a = 0.1, 500.0, 4.0
    t = np.array([0.0, 13.0, 40.0, 200.0])
    run = networks.run(networks.rc(t, power=a * t, linear=True), solver=solver, tolerance=1e-4)
    tau = R * C
    exact = a * R * (t - tau * (1 - np.exp(-t / tau)))
    assert np.max(np.abs(run.T[0][:, 0, 0] - exact)) <= TOLERANCE[solver]
    assert residual(run.solution) <= 1e-13


@pytest.mark.parametrize("solver", STEPPERS)
def test_linear_ramp_of_supply_temperature(solver):
    """A supply that warms evenly: the node lags it by rate x RC, and what enters with the air is in the balance.

    TR-BDF2 once booked the supply at the temperature it had when the step began: 40 % of the power was missing."""
    R, C, rate = 0.1, 500.0, 0.05
    t = np.array([0.0, 60.0, 300.0, 1000.0])
    network = Network(t)
    g = network.group(1)
    node = g.node("lump", C)
    g.stream(g.boundary(g.series(rate * t, linear=True)), node, 1 / R)
    g.exit(node, 1 / R)
    g.source(node, g.series(100.0))
    g.record(node)
    run = networks.run(network, solver=solver, tolerance=1e-4)
    tau = R * C
    exact = rate * (t - tau * (1 - np.exp(-t / tau))) + 10 * (1 - np.exp(-t / tau))
    assert np.max(np.abs(run.T[0][:, 0, 0] - exact)) <= TOLERANCE[solver]
    assert residual(run.solution) <= 1e-13


@pytest.mark.parametrize("solver", STEPPERS)
def test_air_warms_by_power_over_capacity_rate(solver):
    """40 kW into 3.0 kg/s of air, cp 1006: 13.2538104705 K, in a node without capacity."""
    network = Network([0.0, 10.0])
    g = network.group(1)
    air, w = g.node("air"), g.coefficient(3.0 * 1006.0)
    g.stream(g.boundary(g.series(0.0)), air, w)
    g.exit(air, w)
    g.source(air, g.series(40e3))
    lump = g.node("lump", 1.0)  # something to step
    g.conductance(lump, air, 1.0)
    g.record(air)
    T = networks.run(network, solver=solver, start=40e3 / 3018.0).T[0][:, 0, 0]
    assert np.allclose(T, 13.2538104705, rtol=0, atol=1e-10)


def test_shared_tank_with_capacity_fills_like_a_mixed_vessel():
    """A tank that all servers share, fed from a boundary: T = T_in (1 - exp(-w t / C)), and its heat is in the balance.

    The stepper once left the boundary's heat out of the tank's own rate, and the tank out of what is stored."""
    t = np.linspace(0, 100, 6)
    network = Network(t)
    g = network.group(3)
    tank = network.shared("tank", 900.0)
    supply = g.boundary(g.series(8.0))
    cell, w = g.node("cell", 5.0), g.coefficient(4.0)
    g.stream(supply, tank, w)
    g.stream(tank, cell, w)
    g.exit(cell, w)
    g.record(cell)
    run = networks.run(network, solver="tr-bdf2", tolerance=1e-4)
    assert np.max(np.abs(run.shared[:, 0] - 8 * (1 - np.exp(-12.0 * t / 900.0)))) <= 1e-4
    assert residual(run.solution) <= 1e-12


@pytest.mark.parametrize("solver", STEPPERS)
@pytest.mark.parametrize("start", [0.0, 1e5, 1.7e9])
@pytest.mark.parametrize("step", [1e-3, 1 / 30, 1 / 3, 15.0])
def test_balance_closes_at_any_step_on_any_clock(solver, start, step):
    """What enters over the sampled span is what leaves or stays: 1e-9 of it, or the resolution of the clock itself.

    Steps were once rounded to a nanosecond: 1.5e-8 was missing at thirty samples a second."""
    t = start + step * np.arange(8)
    if np.any(np.diff(t) <= 0):
        pytest.skip("the clock cannot tell these samples apart")
    run = networks.run(networks.rc(t), solver=solver)
    span = np.diff(t)
    into = run.solution.energy_in[:-1] / span
    clock = 4 * np.spacing(t[-1]) / step
    assert np.max(np.abs(into / 300.0 - 1)) <= max(1e-12, clock)
    assert residual(run.solution) <= 1e-12


def test_a_choice_and_a_total_of_signals():
    """Heat is 2 a + 3 b while the switch is off, and c while it is on."""
    time = np.array([0.0, 10.0, 20.0])
    network = Network(time)
    group = network.group(2)
    a, b, c = (group.series(v) for v in (10.0, np.array([1.0, 2.0, 3.0]), 7.0))
    heat = group.choice(group.total([a, b], [2.0, 3.0]), c, group.series(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])))
    node = group.node("plate", 100.0)
    group.source(node, heat)
    group.conductance(node, group.boundary(group.series(0.0)), 5.0)
    group.record_signal(heat)
    for solver in ("propagator", "tr-bdf2", "BDF"):
        solution = integrate(network, network.build(), solver=solver, tolerance=1e-3)
        assert solution.signals[0][:, :, 0].tolist() == [[23.0, 23.0], [26.0, 7.0], [7.0, 7.0]]

"""Whole steps by the rational exponential: as good as scipy.linalg.expm to a few 1e-7 of what changes, energy kept to rounding.

Seen to fail: a digit of one pole changed (every comparison with the exponential); the mean taken for the end in what leaves
(the balance); steps of any length taken around a loop (the loop).
"""
import networks
import numpy as np
import pytest
from scipy.linalg import expm

import thermo
from thermo.errors import ConvergenceError
from thermo.network import Chip, Control, Network, law_table

RELATIVE = 5e-7  # of what changes: the function is within 2.1e-7 of the exponential, its first step and its mean somewhat more


def whole(network, engine):
    """``(C, K)`` of all nodes, those that servers share last."""
    row, column, value = engine.matrix()
    C = np.concatenate([*(np.array(g.capacity).ravel() for g in network.groups), network.shared_capacity])
    K = np.zeros((C.size, C.size))
    np.add.at(K, (row, column), value)
    return C, K


def against_exponential(network, *, start, tolerance=0.01):
    """The run under constant loads, and the largest distance of all nodes from the exponential about the steady state [K]."""
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    C, K = whole(network, engine)
    rest = np.concatenate([engine.temperature(0).ravel(), engine.border_temperature()])
    run = networks.run(network, solver="rational", start=start, tolerance=tolerance)
    worst, decay, x = 0.0, {}, np.full(C.size, float(start)) - rest
    for k in range(1, network.time.size):
        h = network.time[k] - network.time[k - 1]
        if h not in decay:
            decay[h] = expm(-h * K / C[:, None])
        x = decay[h] @ x
        now = np.concatenate([run.T[0][k].T.ravel(), run.shared[k]])
        worst = max(worst, np.max(np.abs(now - rest - x)))
    return run, worst


def loop(time, *, cells=17, n_server=3, kept=0.9):
    """Coolant round a loop of cells that all servers share, through a node of each server that loses a part of its heat."""
    network = Network(time)
    g = network.group(n_server)
    w, line = g.coefficient(100.0), [network.shared(f"cell {i}", 100.0 * n_server) for i in range(cells)]
    plate = g.node("plate", 100.0)
    g.stream(line[-1], plate, w)
    g.stream(plate, line[0], w)
    for tail, head in zip(line, line[1:], strict=False):
        g.stream(tail, head, w)
    g.conductance(plate, g.boundary(g.series(0.0)), 100.0 * (1 / kept - 1))
    g.source(plate, g.series(1000.0))
    g.record(plate)
    return network


@pytest.mark.parametrize("decades", range(-3, 6))
def test_one_node_over_nine_decades_of_the_step(decades):
    """One step of 10^decades time constants: 30 K that decay, to 5e-7 of them."""
    h = 50.0 * 10.0**decades
    run = networks.run(networks.rc([0.0, h], supply=0.0, power=0.0), solver="rational", start=30.0)
    assert run.statistics["steps"] == 1
    assert abs(run.T[0][1, 0, 0] - 30.0 * np.exp(-h / 50.0)) <= RELATIVE * 30.0


@pytest.mark.parametrize("algebraic", [False, True])
@pytest.mark.parametrize("step", [0.25, 1.0, 15.0])
def test_ladder_under_jumps(step, algebraic):
    """Four devices in a lane of coolant, power that jumps at each sample: one step a sample, and the exponential's answer."""
    t = np.arange(40) * step
    network = networks.lanes(t, np.random.default_rng(7).uniform(110, 680, t.size), algebraic=algebraic, spread=0.05)
    run = networks.run(network, solver="rational")
    assert run.statistics["steps"] == t.size - 1
    T, exact = run.T[0][:, 0], networks.reference(network, 0.0)
    assert np.max(np.abs(T - exact)) <= 10 * RELATIVE * np.max(exact)  # what the steps leave behind adds up


@pytest.mark.parametrize("n_server", [1, 11])
def test_servers_on_a_shared_tank(n_server):
    """The border is part of the same solve: all nodes of all servers and the tank, to 5e-7 of 60 K."""
    network = networks.lanes([0.0, 2.0, 10.0, 60.0], 400.0, n_server=n_server, spread=0.1, border=True, algebraic=False)
    run, worst = against_exponential(network, start=60.0)
    assert run.statistics["steps"] == 3
    assert worst <= RELATIVE * 60


@pytest.mark.parametrize("step", [1.0, 4.0, 20.0, 100.0])
def test_steps_around_a_loop_are_as_short_as_they_have_to_be(step):
    """18 cells of one time constant each in a loop: eigenvalues near a circle, where the function is good for some four time
    constants a step. Longer ones are halved until the error is below the tolerance; short ones are left alone, and so is one in
    which the coolant goes round so often that it is nearly at rest."""
    run, worst = against_exponential(loop(np.array([0.0, step, 2 * step])), start=0.0)
    assert worst <= 0.01
    assert (run.statistics["rejected"] > 0) == (step == 20)
    assert networks.residual(run.solution) <= 1e-9


def test_straight_power_is_followed_exactly():
    """A ramp of power and of the supply into an RC: T = P0 R + r R (t - tau (1 - e^(-t/tau))) and the supply's like."""
    R, C, tau = 0.1, 500.0, 50.0
    t = np.linspace(0.0, 200.0, 9)
    network = Network(t)
    g = network.group(1)
    node = g.node("lump", C)
    g.conductance(node, g.boundary(g.series(0.05 * t, linear=True)), 1 / R)
    g.source(node, g.series(300.0 + 2.0 * t, linear=True))
    g.record(node)
    T = networks.run(network, solver="rational").T[0][:, 0, 0]
    lag = t - tau * (1 - np.exp(-t / tau))
    exact = 300.0 * R * (1 - np.exp(-t / tau)) + (2.0 * R + 0.05) * lag
    assert np.max(np.abs(T - exact)) <= RELATIVE * np.max(exact)


@pytest.mark.parametrize("step", [1e-3, 0.7, 15.0, 3600.0, 86400.0])
def test_energy_is_kept_to_rounding(step):
    """C (T1 - T0) = h (mean q - K mean T) holds whatever the function misses: 1e-9 of what passes, at any step, tank included."""
    t = step * np.arange(12)
    power = np.random.default_rng(3).uniform(100, 700, (t.size, 5))
    run = networks.run(networks.lanes(t, power, n_server=5, spread=0.1), solver="rational")
    assert networks.residual(run.solution) <= 1e-9
    shared = networks.run(networks.lanes(t, power, n_server=5, spread=0.1, border=True, inlet=20.0), solver="rational", start=20.0)
    assert networks.residual(shared.solution) <= 1e-9


def test_two_parts_are_one_run():
    """Ten samples and then ten more give the bits of twenty, though the second begins without kept factors."""
    t = np.arange(21.0)
    power = np.random.default_rng(9).uniform(100, 700, (t.size, 3))

    def run(part, T, z):
        network = networks.lanes(t[part], power[part], n_server=3, border=True, algebraic=False)
        engine = network.build()
        engine.set_temperature(0, T)
        engine.set_border_temperature(z)
        thermo.solve.integrate(network, engine, solver="rational", tolerance=0.01)
        return engine.temperature(0), engine.border_temperature()

    cold = np.zeros((12, 3)), np.zeros(1)
    half = run(slice(0, 11), *cold)
    for ours, expected in zip(run(slice(10, 21), *half), run(slice(0, 21), *cold), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_neighbours_change_no_bit():
    """A server alone, and among ten others that are not like it."""
    t = np.arange(31.0)
    power = np.random.default_rng(11).uniform(100, 700, (t.size, 11))
    many = networks.run(networks.lanes(t, power, n_server=11), solver="rational").T[0]
    for v in (0, 7, 10):
        one = networks.run(networks.lanes(t, power[:, v], n_server=1), solver="rational").T[0]
        np.testing.assert_array_equal(one[:, 0], many[:, v])


def valve(time, **control):
    """Servers on a shared tank whose only way out is a valve of each, held by a PI every 2 s; the rest stands."""
    network = Network(time)
    g = network.group(9)
    tank, w = network.shared("tank", 4000.0), g.coefficient(60.0)
    for i in range(6):
        die, plate = g.node(f"die {i}", 2.0), g.node(f"plate {i}", 60.0)
        g.conductance(die, plate, 40.0)
        g.conductance(plate, tank, 30.0)
        g.source(die, g.series(np.random.default_rng(i).uniform(100, 600, (time.size, 9))))
        g.record(die)
    exchanger = g.node("exchanger", 900.0)
    g.stream(tank, exchanger, w)
    g.stream(exchanger, tank, w)
    opening = g.control_signal(Control(kind=0, period=2.0, nodes=(exchanger,), target=(30.0,), gain=0.01, integral_gain=0.002, **control))
    g.conductance(exchanger, g.boundary(g.series(0.0)), g.coefficient(400.0, opening, law_table(lambda u: 20.0 ** (u - 1), 0.0, 1.0)))
    g.record(exchanger), g.record_signal(opening)
    return network


def test_a_valve_moves_and_its_rows_alone_are_factored_again():
    """Against TR-BDF2 at a hundredth of the tolerance: all nodes within it, the valve within 1e-4 of its range."""
    network = valve(np.arange(61.0))
    runs = [networks.run(network, solver=s, start=25.0, control=0.5, tolerance=tol) for s, tol in (("rational", 0.01), ("tr-bdf2", 1e-4))]
    assert np.max(np.abs(runs[0].T[0] - runs[1].T[0])) <= 1e-3
    assert np.ptp(runs[0].solution.signals[0]) > 0.05  # it does move
    assert np.max(np.abs(runs[0].solution.signals[0] - runs[1].solution.signals[0])) <= 1e-4
    assert networks.residual(runs[0].solution) <= 1e-9


@pytest.mark.parametrize("n_server", [2, 9, 19])
def test_one_server_stands_for_all_that_are_alike(n_server):
    """Servers that are alike are stepped once: the bits of stepping each. A spare lump that nothing warms tells them apart."""
    def run(spare):
        network = Network(np.arange(41.0))
        g = network.group(n_server)
        tank, w = network.shared("tank", 400.0 * n_server), g.coefficient(60.0)
        die, exchanger = g.node("die", 20.0), g.node("exchanger", 900.0)
        g.conductance(die, tank, 30.0)
        g.source(die, g.series(np.random.default_rng(1).uniform(100, 600, network.time.size)))
        g.stream(tank, exchanger, w)
        g.stream(exchanger, tank, w)
        opening = g.control_signal(Control(kind=0, period=2.0, nodes=(exchanger,), target=(4.0,), gain=0.01, integral_gain=0.002))
        g.conductance(exchanger, g.boundary(g.series(0.0)), g.coefficient(100.0, opening))
        g.conductance(g.node("spare", spare), g.boundary(g.series(0.0)), 1.0)
        g.record(die), g.record(exchanger), g.record_signal(opening)
        return networks.run(network, solver="rational", control=0.5)

    one, each = run(5.0), run(5.0 + np.arange(n_server))
    for name in ("nodes", "signals"):
        np.testing.assert_array_equal(getattr(one.solution, name)[0], getattr(each.solution, name)[0])
    np.testing.assert_array_equal(one.shared, each.shared)
    np.testing.assert_array_equal(one.engine.temperature(0), each.engine.temperature(0))
    np.testing.assert_array_equal(one.engine.integral(0), each.engine.integral(0))
    assert networks.residual(one.solution) <= 1e-9


def leaking(time, power, *, resistance=0.06, shutdown=np.inf, limit=85.0):
    """Chips that leak a third of their power at 60 K, on plates that share a tank of coolant; clocks fall at `limit`."""
    network = Network(time)
    g = network.group(3)
    tank, w = network.shared("tank", 3000.0), g.coefficient(80.0)
    line = law_table(lambda x: x, 0.0, 1.0)
    g.stream(g.boundary(g.series(25.0)), tank, w)
    for i in range(2):
        die, plate = g.node(f"die {i}", 1.5), g.node(f"plate {i}", 50.0)
        g.conductance(die, plate, 1 / (0.4 * resistance))
        g.conductance(plate, tank, 1 / (0.6 * resistance))
        clock = g.control(Control(kind=2, period=0.25, nodes=(die,), target=(limit,), low=0.3, high=1.0, deadband=3.0, step=0.02,
                                  shutdown=shutdown))
        drawn, _ = g.chip(Chip(f"chip {i}", die, g.series(power), line, line, idle=60.0, clock=clock, lowest=0.3, leakage=90.0,
                               reference=60.0, scale=35.0))
        g.source(die, drawn)
        g.record(die), g.record_signal(drawn)
    g.exit(tank, w)
    return network


@pytest.mark.parametrize("limit", [200.0, 80.0], ids=["free", "throttled"])
def test_leakage_and_clocks_through_shared_coolant(limit):
    """Power that jumps by a factor of four: junctions within the tolerance of TR-BDF2 at a hundredth of it; where clocks fall
    both follow the ticks of the firmware."""
    t = np.arange(0.0, 41.0)
    power = np.where((t // 10) % 2 == 0, 600.0, 150.0)
    exact = networks.run(leaking(t, power, limit=limit), solver="tr-bdf2", start=25.0, control=1.0, tolerance=1e-4)
    run = networks.run(leaking(t, power, limit=limit), solver="rational", start=25.0, control=1.0, tolerance=0.01)
    gap = np.abs(run.T[0] - exact.T[0])
    if limit < 100:  # a tick apart is a step of the clock: some kelvin for a quarter of a second
        assert np.max(exact.T[0]) < 85.0 and np.median(gap) <= 0.01 and np.max(gap) <= 1.0
    else:
        assert np.max(gap) <= 0.01
    assert networks.residual(run.solution) <= 1e-9


def test_runaway_is_told_and_a_shutdown_ends_it():
    """A resistance at which leakage feeds itself: named with its time, or the devices go off and the run goes on."""
    t = np.arange(0.0, 301.0, 5.0)
    with pytest.raises(ConvergenceError, match="thermal runaway of chip 0"):
        networks.run(leaking(t, np.full(t.size, 600.0), resistance=0.3, limit=900.0), solver="rational", start=25.0, control=1.0)
    run = networks.run(leaking(t, np.full(t.size, 600.0), resistance=0.3, limit=900.0, shutdown=110.0), solver="rational", start=25.0,
                       control=1.0)
    assert np.max(run.T[0]) < 130.0 and np.all(run.solution.signals[0][-1] == 0)


def test_racks_with_shared_nodes_take_whole_steps():
    """`auto` takes them where servers share nodes, and TR-BDF2 for tolerances beyond what the function gives."""
    network = networks.lanes([0.0, 1.0, 2.0], 300.0, border=True)
    for tolerance, solver in ((0.01, "rational"), (1e-4, "tr-bdf2")):
        assert networks.run(network, solver="auto", tolerance=tolerance).solution.solver == solver

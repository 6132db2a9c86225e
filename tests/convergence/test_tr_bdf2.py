"""TR-BDF2's error falls with the square of the step, and its own estimate keeps it within the tolerance.

Seen to fail: `w` replaced by 0.35 (the slopes); backward Euler never taken (the undershoot).
"""
import networks
import numpy as np
import pytest

from thermo.network import Network


def _slope(step, error):
    return np.polyfit(np.log(step), np.log(error), 1)[0]


@pytest.mark.parametrize("border", [False, True], ids=["alone", "with a shared tank"])
@pytest.mark.parametrize("n_server", [1, 11])
def test_second_order_with_algebraic_nodes(border, n_server):
    """Smooth (straight) power and supply, nodes without capacity, many servers: the error goes as step^2.

    Against the same network at a step 16 times finer than the finest, whose own error is 1/256 of the least seen."""
    t = np.array([0.0, 64.0])
    power = np.outer(np.array([100.0, 400.0]), np.linspace(1, 2, n_server)) if n_server > 1 else np.array([100.0, 400.0])
    network = networks.lanes(t, power, n_server=n_server, spread=0.1 if n_server > 1 else 0.0, inlet=np.array([0.0, 5.0]),
                             linear=True, border=border, n_device=2)
    steps = np.array([4.0, 2.0, 1.0, 0.5])
    # Slow modes only: a start in the balance of the first sample leaves no fast transient for big steps to smear.
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    start = engine.temperature(0)

    def end(step):
        run = networks.run(network, solver="tr-bdf2", start=start, forced_step=step)
        assert run.statistics["positive"] == 0  # backward Euler would make it first order
        return run.engine.temperature(0)

    fine = end(steps[-1] / 16)
    error = [np.max(np.abs(end(h) - fine)) for h in steps]
    assert abs(_slope(steps, error) - 2) <= 0.1, error


def test_second_order_from_a_jump_with_resolved_modes():
    """One RC from cold: error against the exponential goes as step^2 once the step resolves the time constant."""
    tau, t = 50.0, 100.0
    exact = 30 * (1 - np.exp(-t / tau))
    steps = np.array([10.0, 5.0, 2.5, 1.25])
    error = [abs(networks.run(networks.rc([0.0, t]), solver="tr-bdf2", forced_step=h).engine.temperature(0)[0, 0] - exact)
             for h in steps]
    assert abs(_slope(steps, error) - 2) <= 0.1, error


def test_error_follows_the_tolerance():
    """Under a power that jumps: the error stays below the tolerance asked and falls with it, by the estimate's third order:
    error per step of h^3, so error ~ tolerance^(2/3) or steeper."""
    t = np.arange(21) * 10.0
    power = np.random.default_rng(20250312).uniform(110, 680, t.size)
    network = networks.lanes(t, power, spread=0.05)
    exact = networks.reference(network, 0.0)
    tolerances = np.array([1e-1, 1e-2, 1e-3, 1e-4])
    runs = [networks.run(network, solver="tr-bdf2", tolerance=tol) for tol in tolerances]
    error = np.array([np.max(np.abs(r.T[0][:, 0] - exact)) for r in runs])
    assert np.all(error <= tolerances), error
    assert 0.6 <= _slope(tolerances, error) <= 1.3, error
    steps = np.array([r.statistics["steps"] for r in runs])
    assert np.all(np.diff(steps) > 0)


def test_constant_coefficients_are_factored_once_a_step_size():
    """Samples a second apart and coefficients that hold: two factorisations serve all steps, however many."""
    t = np.arange(400) * 1.0
    network = networks.lanes(t, np.full(t.size, 300.0) + np.sin(t / 40), n_server=3)
    engine_start = networks.run(networks.lanes([0.0, 1e5], 300.0, n_server=3), solver="propagator").engine.temperature(0)
    run = networks.run(network, solver="tr-bdf2", start=engine_start, tolerance=0.1)
    assert run.statistics["steps"] >= 399
    assert run.statistics["factored"] <= 20


def test_step_that_would_undershoot_is_replaced():
    """A die that cools onto its plate in one step of 1,000 time constants: TR-BDF2 rings below, the step taken does not."""
    network = Network([0.0, 1000.0])
    g = network.group(1)
    node = g.node("die", 1.0)
    g.conductance(node, g.boundary(g.series(0.0)), 1.0)
    g.record(node)
    run = networks.run(network, solver="tr-bdf2", start=50.0, forced_step=1000.0)
    assert run.T[0][-1, 0, 0] >= 0
    assert run.statistics["positive"] >= 1

"""What every answer must hold, whatever the network: energy, positivity, order, symmetry, independence.

Networks are drawn: trees of conductances, lanes of advection, nodes without capacity. Seeds are fixed (derandomize).
Seen to fail: backward Euler never taken, exponentials looked up without their step, the controller's integral left out of
the final state, means booked when a neighbour's controller moves.
"""
import os
import subprocess
import sys

import networks
import numpy as np
import pytest
import small_rack
import xarray as xr
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from networks import STEPPERS, residual

import thermo
from thermo.cooling import PI, Air, Curve
from thermo.network import Network

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
drawn = settings(derandomize=True, deadline=None, max_examples=40, database=None, suppress_health_check=[HealthCheck.filter_too_much])
few = settings(derandomize=True, deadline=None, max_examples=15, database=None, suppress_health_check=[HealthCheck.filter_too_much])


@st.composite
def random_networks(draw, capacity=(1e-1, 1e4), powered=True):
    """A supply, a lane of air or coolant cells, and a tree of lumps on it; some cells and joints without capacity."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_time = draw(st.integers(2, 6))
    step = 10 ** rng.uniform(-1, 3)
    t = step * np.arange(n_time)
    network = Network(t)
    g = network.group(draw(st.integers(1, 11)))
    spread = 1 + 0.2 * rng.uniform(-1, 1, (200, g.n_server))
    rows = iter(spread)
    supply = rng.uniform(-5, 5)
    boundary = g.boundary(g.series(supply))
    w = g.coefficient(10 ** rng.uniform(0, 2.5) * next(rows))
    at, cells = boundary, []
    for i in range(draw(st.integers(1, 4))):
        cell = g.node(f"cell {i}", 0.0 if rng.random() < 0.6 else 10 ** rng.uniform(*np.log10(capacity)) * next(rows))
        g.stream(at, cell, w)
        cells.append(cell)
        at = cell
    g.exit(at, w)
    hang = list(cells)
    for i in range(draw(st.integers(1, 6))):
        joint = rng.random() < 0.2 and i > 0
        node = g.node(f"lump {i}", 0.0 if joint else 10 ** rng.uniform(*np.log10(capacity)) * next(rows))
        g.conductance(node, hang[rng.integers(len(hang))], 10 ** rng.uniform(-1, 2.5) * next(rows))
        hang.append(node)
        if powered and not joint:
            g.source(node, g.series(rng.uniform(0, 500, n_time)))
    if rng.random() < 0.3:
        g.conductance(hang[-1], boundary, 10 ** rng.uniform(-1, 1) * next(rows))
    for node in range(len(g.names)):
        g.record(node)
    assume(not network.build().obstacle)  # joints that no capacity separates from each other: TR-BDF2 only
    return network, supply


def rebuilt(network, powers):
    """The same network under other powers: `powers` maps the values of each source's series."""
    from copy import copy

    other = copy(network)
    other._columns = [c if i not in _power_columns(network) else powers(c) for i, c in enumerate(network._columns)]
    return other


def _power_columns(network):
    g = network.groups[0]
    return {int(c) for _, signal in g.sources for c in g.columns[signal]}


def fastest(network, server=0):
    """The shortest time constant C / K_ii [s]."""
    engine = network.build()
    engine.hold(*network.series(), interval=0, x=0.0)
    row, column, value = engine.matrix()
    C = np.array(network.groups[0].capacity).ravel()
    K = np.zeros(C.size)
    np.add.at(K, row[row == column], value[row == column])
    return np.min(C[C > 0] / K[C > 0]) if np.any(C > 0) else 1.0


@drawn
@given(random_networks())
def test_both_steppers_are_the_matrix_exponential(drawn_network):
    """Exact stepper to rounding times stiffness, TR-BDF2 to the tolerance asked, for the first and last server."""
    network, supply = drawn_network
    exact = networks.run(network, solver="propagator", start=supply)
    implicit = networks.run(network, solver="tr-bdf2", start=supply, tolerance=0.01)
    for server in {0, network.groups[0].n_server - 1}:
        T = networks.reference(network, supply, server)
        scale = max(1.0, np.max(np.abs(T)))
        stiff = np.max(np.diff(network.time)) / fastest(network)
        # each of log2(4 stiff) doublings adds n eps and doubles what is there: 4 stiff n eps, n up to 10; expm alike
        assert np.max(np.abs(exact.T[0][:, server] - T)) <= scale * (1e-12 + 2e-14 * stiff)
        # algebraic nodes and the first sample included; the slack is for jumps far beyond a rack's 100 K
        assert np.max(np.abs(implicit.T[0][:, server] - T)) <= 0.01 * max(1.0, scale / 100)


@drawn
@given(random_networks(), st.sampled_from(STEPPERS))
def test_energy_in_is_energy_out_and_stored(drawn_network, solver):
    """1e-9 of what passes, in every interval, at every step size."""
    network, supply = drawn_network
    assert residual(networks.run(network, solver=solver, start=supply).solution) <= 1e-9


@drawn
@given(random_networks(), st.floats(-2, 3), st.floats(0, 40))
def test_no_temperature_below_the_coldest_and_none_above_the_steady_state(drawn_network, decade, above):
    """Both steppers, TR-BDF2 also at forced steps of up to 1,000 times the shortest time constant.

    Under constant power, from below: never above the steady state (K^-1 >= 0)."""
    network, supply = drawn_network
    network = rebuilt(network, lambda c: np.full_like(c, c[0]))
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    steady = engine.temperature(0).T
    slack = 1e-8 * max(1.0, np.max(np.abs(steady)))
    step = fastest(network) * 10**decade
    if network.time[-1] / step > 3000:
        step = network.time[-1] / 3000
    for start in (supply, supply + above):
        for solver, forced in (("propagator", 0.0), ("tr-bdf2", 0.0), ("tr-bdf2", step)):
            run = networks.run(network, solver=solver, start=start, forced_step=forced)
            last = run.engine.temperature(0).T
            assert min(run.T[0].min(), last.min()) >= min(supply, start) - slack
            if np.all(steady >= start):
                assert np.all(run.T[0] <= steady + slack) and np.all(last <= steady + slack)


@few
@given(random_networks(), st.sampled_from(STEPPERS))
def test_from_a_mixed_field_below_the_steady_state_none_passes_it(drawn_network, solver):
    """Nodes drawn anywhere between supply and steady state, some of them cooling at first: none ever passes it."""
    network, supply = drawn_network
    network = rebuilt(network, lambda c: np.full_like(c, c[0]))
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    steady = engine.temperature(0)
    start = supply + np.random.default_rng(1).uniform(0, 1, steady.shape) * (steady - supply)
    slack = 1e-8 * max(1.0, np.max(np.abs(steady)))
    for forced in (0.0, 30 * fastest(network), network.time[-1]) if solver == "tr-bdf2" else (0.0,):
        if forced and network.time[-1] / forced > 3000:
            continue
        run = networks.run(network, solver=solver, start=start, forced_step=forced)
        last = run.engine.temperature(0)
        assert np.all(run.T[0] <= steady.T + slack) and np.all(last <= steady + slack)
        assert np.min(run.T[0]) >= supply - slack


@few
@given(random_networks(), st.sampled_from(STEPPERS))
def test_hotter_with_more_power(drawn_network, solver):
    """More power in any device makes no node colder."""
    network, supply = drawn_network
    base = networks.run(network, solver=solver, start=supply).T[0]
    more = networks.run(rebuilt(network, lambda c: c * 1.3 + 5.0), solver=solver, start=supply).T[0]
    slack = 1e-9 * max(1.0, np.max(np.abs(more))) if solver == "propagator" else 2e-3 * max(1.0, np.max(np.abs(more)) / 100)
    assert np.all(more >= base - slack)


@few
@given(random_networks(powered=False), st.sampled_from(STEPPERS))
def test_without_power_everything_stays_at_supply(drawn_network, solver):
    """No heat, everything at the supply's temperature: nothing moves by more than rounding."""
    network, supply = drawn_network
    stiff = np.max(np.diff(network.time)) / fastest(network)
    T = networks.run(network, solver=solver, start=supply).T[0]
    assert np.max(np.abs(T - supply)) <= max(1.0, abs(supply)) * (1e-12 + 2e-14 * stiff)


@few
@given(random_networks())
def test_superposition_and_supply_shift(drawn_network):
    """Linear: the answer to a sum of powers is the sum of answers, and a supply warmer by 7 K makes all 7 K warmer."""
    network, supply = drawn_network
    rise = networks.run(network, start=supply).T[0] - supply
    first, second = rebuilt(network, lambda c: 0.25 * c), rebuilt(network, lambda c: 0.75 * c)
    parts = sum(networks.run(n, start=supply).T[0] - supply for n in (first, second))
    slack = 1e-9 * max(1.0, np.max(np.abs(rise)))
    assert np.max(np.abs(parts - rise)) <= slack
    from copy import copy

    shifted = copy(network)
    column = int(network.groups[0].columns[network.groups[0].boundaries[0]][0])
    shifted._columns = [c + 7.0 if i == column else c for i, c in enumerate(network._columns)]
    assert np.max(np.abs(networks.run(shifted, start=supply + 7.0).T[0] - supply - 7.0 - rise)) <= slack


@few
@given(random_networks(), st.sampled_from(STEPPERS))
def test_steady_state_is_the_long_time_limit(drawn_network, solver):
    """A run of 30 of the slowest time constants ends where `steady` says, to 1e-8."""
    network, supply = drawn_network
    network = rebuilt(network, lambda c: np.full_like(c, c[0]))
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    steady = engine.temperature(0)
    start = supply + 0.5 * (steady - supply)
    slow = 1e7  # s: 1e4 J/K over 0.1 W/K, a hundred times
    from copy import copy

    long = copy(network)
    long.time, long._columns = np.array([0.0, slow]), [c[:2] for c in network._columns]
    end = networks.run(long, solver=solver, start=start, tolerance=1e-3).engine.temperature(0)
    assert np.max(np.abs(end - steady)) <= 1e-8 * max(1.0, np.max(np.abs(steady)))


@few
@given(random_networks())
def test_heat_flows_from_hot_to_cold(drawn_network):
    """With one heated node, the steady temperature falls along every path away from it: no node is hotter than it."""
    network, supply = drawn_network
    g = network.groups[0]
    keep = g.sources[0]
    g.sources, g.fractions = [keep], [1.0]
    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    T = engine.temperature(0)
    assert np.all(T <= T[keep[0]] + 1e-10 * np.max(np.abs(T))) and np.all(T >= supply - 1e-10 * max(1.0, np.max(np.abs(T))))


def _trace(n=24, servers=None, seed=20250313, step=15.0):
    rng = np.random.default_rng(seed)
    shape = (n,) if servers is None else (n, servers)
    dims = ("time",) if servers is None else ("time", "server")
    return xr.DataArray(rng.uniform(0, 1, shape), dims=dims, coords={"time": step * np.arange(n)}, attrs={"units": "1"})


RACKS = {"plain": small_rack.rack, "live": small_rack.live}  # live: leaks, and is slowed down
either = pytest.mark.parametrize("which", list(RACKS))
STATE = ("junction_temperature", "memory_temperature", "case_temperature", "coolant_temperature", "fan_duty", "mass_flow",
         "device_power", "clock_fraction")


def _same(a, b, names=STATE):
    for name in names:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


@either
@pytest.mark.parametrize("fan", [0.6, PI(), Curve(temperature=(40, 85), output=(0.2, 1.0))], ids=["fixed", "pi", "curve"])
def test_identical_servers_have_identical_bits(fan, which):
    """Eleven equal servers, more than a vector holds: every one the bits of the first, and of one that stands alone."""
    load = _trace()
    many = thermo.simulate_rack(RACKS[which].with_servers(11), load, cooling=Air(fan_speed=fan))
    alone = thermo.simulate_rack(RACKS[which].with_servers(1), load, cooling=Air(fan_speed=fan))
    assert many.attrs["solver"] == "propagator"
    for server in range(11):
        _same(many.isel(server=[server]), alone)


@either
@pytest.mark.parametrize("fan", [0.6, PI()], ids=["fixed", "pi"])
@pytest.mark.parametrize("solver", STEPPERS)
def test_permuting_servers_permutes_results(fan, solver, which):
    """Servers under loads of their own, in another order and so in other vectors: the same bits, in that order.

    TR-BDF2 chooses one step for all from the largest error, which no order changes."""
    load, order = _trace(servers=11), np.random.default_rng(5).permutation(11)
    rack = RACKS[which].with_servers(11)
    one = thermo.simulate_rack(rack, load, cooling=Air(fan_speed=fan), solver=solver)
    other = thermo.simulate_rack(rack, load.isel(server=order), cooling=Air(fan_speed=fan), solver=solver)
    _same(one.isel(server=order), other)


@either
def test_blocking_changes_no_bit(which):
    """A server's answer does not depend on who stands beside it: exact stepper to the bit, TR-BDF2 (one step for the whole
    rack) to twice the tolerance."""
    load = _trace(servers=11)
    for solver in STEPPERS:
        rack = thermo.simulate_rack(RACKS[which].with_servers(11), load, cooling=Air(fan_speed=PI()), solver=solver)
        for some in ([0], [3, 4, 5], list(range(2, 11))):
            part = thermo.simulate_rack(RACKS[which].with_servers(len(some)), load.isel(server=some),
                                        cooling=Air(fan_speed=PI()), solver=solver)
            if solver == "propagator":
                _same(rack.isel(server=some), part)
            else:
                assert np.max(np.abs(rack.junction_temperature.isel(server=some).values - part.junction_temperature.values)) <= 0.02


@either
def test_threads_change_no_bit(monkeypatch, which):
    """One, two and seven threads over five vectors of servers."""
    load, rack = _trace(servers=37), RACKS[which].with_servers(37)
    runs = []
    for n in ("1", "2", "7"):
        monkeypatch.setenv("THERMO_NUM_THREADS", n)
        runs.append(thermo.simulate_rack(rack, load, cooling=Air(fan_speed=PI())))
    assert (float(runs[0].clock_fraction.isel(device=slice(8)).min()) < 0.98) == (which == "live")  # more than a power limit takes
    for other in runs[1:]:
        _same(runs[0], other, tuple(runs[0].data_vars))


@either
@pytest.mark.parametrize("fan", [0.6, PI(), PI(period=7.0), Curve(temperature=(40, 85), output=(0.2, 1.0))],
                         ids=["fixed", "pi", "pi off the samples", "curve"])
@pytest.mark.parametrize("interpolation", ["constant", "linear"])
def test_two_parts_are_one_run(fan, interpolation, which):
    """Stopped at any sample and gone on from the Dataset: the same bits as in one run, controller memory included."""
    load = _trace().assign_attrs(interpolation=interpolation)
    settings = dict(cooling=Air(fan_speed=fan), solver="propagator")
    whole = thermo.simulate_rack(RACKS[which], load, **settings)
    for cut in (1, 11):
        first = thermo.simulate_rack(RACKS[which], load.isel(time=slice(0, cut + 1)), **settings)
        second = thermo.simulate_rack(RACKS[which], load.isel(time=slice(cut, None)), initial=first, **settings)
        points = ("junction_temperature", "memory_temperature", "coolant_temperature", "fan_duty")
        _same(whole.isel(time=slice(cut, None)), second, points)
        for final in ("final_node_temperature", "final_control_output", "final_control_integral"):
            np.testing.assert_array_equal(whole[final].values, second[final].values)


def test_two_parts_are_one_run_from_a_supply_at_zero():
    """A first part whose reference is 0 degC goes on from that reference, not from the supply of the second part.

    0.0 once meant 'no reference': the second part began 4 K off."""
    load = _trace(n=9)
    supply = xr.DataArray(0.5 * np.arange(9.0), dims="time", coords={"time": load.time})
    settings = dict(cooling=Air(fan_speed=0.5), ambient={"air_temperature": supply}, solver="propagator")
    whole = thermo.simulate_rack(small_rack.rack, load, **settings)
    first = thermo.simulate_rack(small_rack.rack, load.isel(time=slice(0, 8)), **settings)
    assert first.attrs["reference_temperature"] == 0.0
    tail = load.isel(time=slice(7, None))
    second = thermo.simulate_rack(small_rack.rack, tail, initial=first, **settings)
    assert np.max(np.abs(second.junction_temperature.values - whole.junction_temperature.values[7:])) <= 0.05  # air at another mean temperature


@either
def test_tr_bdf2_two_parts_are_one_run(which):
    """The step that TR-BDF2 would take next is part of the state: two parts give the bits of one run."""
    load = _trace()
    settings = dict(cooling=Air(fan_speed=PI()), solver="tr-bdf2")
    whole = thermo.simulate_rack(RACKS[which], load, **settings)
    first = thermo.simulate_rack(RACKS[which], load.isel(time=slice(0, 12)), **settings)
    second = thermo.simulate_rack(RACKS[which], load.isel(time=slice(11, None)), initial=first, **settings)
    np.testing.assert_array_equal(whole.junction_temperature.values[11:], second.junction_temperature.values)


@pytest.mark.parametrize("solver", STEPPERS)
def test_symmetric_in_symmetric_out(solver):
    """GPUs at one position in equal lanes, under one load: equal to 1e-12 of their rise."""
    result = thermo.simulate_rack(small_rack.rack, _trace(), cooling=Air(fan_speed=0.6), solver=solver)
    T = result.junction_temperature.sel(device=[f"gpu{i}" for i in range(8)]).values
    for row in (T[:, :, :4], T[:, :, 4:]):
        assert np.max(np.ptp(row, axis=2)) <= 1e-12 * np.max(T)


def test_cooler_with_more_flow():
    """Faster fans cool every junction, though they warm the air by their own power (upstream, a few watts a degree)."""
    T = [thermo.simulate_rack(small_rack.rack, 0.9, cooling=Air(fan_speed=d)).junction_temperature
         .sel(device=[f"gpu{i}" for i in range(8)]).values[-1] for d in (0.1, 0.2, 0.3, 0.45, 0.6, 0.8)]
    assert np.all(np.diff(np.array(T), axis=0) < 0)


def test_inputs_are_never_changed():
    """Workload, ambient series and an earlier result come out as they went in."""
    load = _trace(servers=4)
    supply = xr.DataArray(np.linspace(18, 25, 24), dims="time", coords={"time": load.time})
    before = load.assign_coords(time=load.time - load.time[-1].item())  # ends where `load` begins
    first = thermo.simulate_rack(small_rack.rack, before, cooling=Air(fan_speed=PI()))
    copies = load.copy(deep=True), supply.copy(deep=True), first.copy(deep=True)
    for array in (load, supply):
        array.values.flags.writeable = False
    thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=PI()), ambient={"air_temperature": supply}, initial=first)
    assert load.identical(copies[0]) and supply.identical(copies[1]) and first.identical(copies[2])


def test_same_bits_in_another_process():
    """Nothing depends on hash seeds, on addresses, or on what ran before."""
    program = ("import sys, warnings; warnings.simplefilter('ignore'); import hashlib, numpy as np, xarray as xr, thermo, small_rack\n"
               "from thermo.cooling import Air, PI\n"
               "t = 15.0 * np.arange(12)\n"
               "load = xr.DataArray(np.random.default_rng(3).uniform(0, 1, (12, 4)), dims=('time', 'server'), coords={'time': t}, attrs={'units': '1'})\n"
               "r = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=PI()))\n"
               "print(hashlib.sha256(b''.join(r[v].values.tobytes() for v in sorted(r.data_vars))).hexdigest())")
    path = os.pathsep.join([os.path.dirname(small_rack.__file__), os.path.dirname(os.path.dirname(thermo.__file__))])
    said = {subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True,
                           env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}).stdout for seed in ("1", "2")}
    assert len(said) == 1

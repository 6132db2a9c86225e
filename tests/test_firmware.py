"""Clocks, limits, caps and leakage, against closed solutions.

Seen to fail: leakage at the begin of a step kept for all of it; a step's mean leakage from the mean temperature alone;
hysteresis left out; ticks off the grid of the period; the shutdown not latched; a cap that moves no clock.
"""
import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from small_rack import gpu, rack, with_device

import thermo
from thermo.errors import ConvergenceError
from thermo.firmware import clock_of_power, power_of_clock, power_up
from thermo.network import Network
from thermo.rack import Firmware
from thermo.solve import integrate, steady_start

STEPPERS = ("propagator", "tr-bdf2", "BDF")
R, C, ROOM = 0.1, 400.0, 25.0  # K/W, J/K, degC: tau = 40 s
BARE = dict(junction_resistance=None, case_capacity=None, interface_resistance=None, memory_capacity=None, memory_resistance=None,
            memory_power_share=0.0)
UNLIMITED = dict(max_operating_temperature=None, slowdown_temperature=None, shutdown_temperature=None, firmware=Firmware())
chip = gpu.replace(**BARE, **UNLIMITED, leakage_share=0.0)


def one_node(device, demand, time, *, cap=None, leaks=True, memory=None):
    """A device as one node of `C` behind `R` to the room; returns network and the columns of power and clock."""
    network = Network(time, reference=ROOM)
    group = network.group(1)
    node = group.node("die", C)
    watts = group.series(demand)
    power, clock = power_up(group, "gpu0", device, count=1, demand=watts, junction=node, memory=None,
                            cap=None if cap is None else group.series(cap), leaks=leaks)
    group.source(node, power)
    room = group.boundary(group.temperature_series(ROOM))
    group.conductance(node, room, 1 / R)
    group.record(node)
    group.record_signal(power)
    if clock is not None:
        group.record_signal(clock)
    return network


def run(network, *, solver="propagator", start=None, tolerance=1e-3):
    engine = network.build()
    if start is None:
        steady_start(network, engine)
    else:
        engine.set_temperature(0, np.array([[start - ROOM]]))
        engine.set_control(0, np.ones((len(network.groups[0].controls), 1)))
    s = integrate(network, engine, solver=solver, tolerance=tolerance)
    s.T = s.nodes[0][:, 0, 0] + ROOM
    s.power = s.signals[0][:, 0, 0]
    s.clock = s.signals[0][:, 0, 1] if s.signals[0].shape[2] > 1 else np.ones(network.time.size)
    return s


def watts(power):
    return thermo.workload.constant(power, units="W")


def leaking(share, **changes):
    return chip.replace(leakage_share=share, leakage_scale=40.0, reference_temperature=65.0, idle_power=share * 700.0 + 1.0, **changes)


def steady_closed(device, demand):
    """The cooler root of T = room + R (demand + leakage over that at the reference), by bracketing."""
    L = device.leakage_share * device.max_power
    top = device.reference_temperature + device.leakage_scale * np.log(device.leakage_scale / (R * L))  # where R dP/dT = 1
    def balance(T):
        return T - ROOM - R * (demand + L * np.expm1((T - device.reference_temperature) / device.leakage_scale))
    return (brentq(balance, -200, top, xtol=1e-12) if balance(top) > 0 else None), top


# ------------------------------------------------------------------------------------------------------------- clocks

def test_power_follows_clock_and_voltage():
    clock = np.linspace(0, 1, 101)
    power = power_of_clock(clock, 0.6)
    assert power[-1] == 1.0 and power[50] == pytest.approx(0.5 * 0.8**2)
    assert clock_of_power(power, 0.6) == pytest.approx(clock, abs=1e-12)


@pytest.mark.parametrize("solver", STEPPERS)
def test_software_holds_the_limit(solver):
    """Twice the power that the limit allows: the clock steps down until the junction is under it, and stays."""
    device = chip.replace(max_operating_temperature=60.0)
    s = run(one_node(device, np.full(241, 700.0), np.arange(0.0, 1201.0, 5.0)), solver=solver, start=40.0)
    inside = s.T[100:]
    assert inside.max() <= 60.0 + 0.2 and inside.min() >= 60.0 - device.firmware.hysteresis - 0.2
    # at rest clock and temperature belong together
    rest = device.idle_power + (700 - device.idle_power) * power_of_clock(s.clock[-1], 0.6)
    assert rest == pytest.approx(s.power[-1], rel=1e-6)
    assert s.T[-1] == pytest.approx(ROOM + R * rest, abs=0.1)
    assert s.T.max() < 65.0  # on its way it overshoots: a step each quarter of a second is 3 % a second


@pytest.mark.parametrize("solver", STEPPERS)
def test_clock_falls_step_by_step_on_the_firmwares_own_clock(solver):
    """A step down each period while above the limit, at whole multiples of the period, whatever the samples are."""
    rules = Firmware(period=0.5, clock_step=0.05)
    device = chip.replace(max_operating_temperature=50.0, firmware=rules)
    time = np.array([0.3, 3.3])
    s = run(one_node(device, np.full(2, 700.0), time), solver=solver, start=80.0)
    assert s.clock[-1] == pytest.approx(1 - 6 * 0.05)  # ticks at 0.5, 1.0, ... 3.0
    edges, clocks = np.array([0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.3]), 1 - 0.05 * np.arange(7)
    assert s.clock[0] == pytest.approx(np.diff(edges) @ clocks / 3.0, abs=1e-9)


@pytest.mark.parametrize("solver", STEPPERS)
def test_hardware_halves_the_clock_until_it_is_cool(solver):
    device = chip.replace(max_operating_temperature=60.0, slowdown_temperature=65.0, firmware=Firmware(hysteresis=4.0, clock_step=0.001))
    s = run(one_node(device, np.full(601, 700.0), np.arange(0.0, 60.1, 0.1)), solver=solver, start=80.0)
    slow = s.clock < 0.51
    assert slow[3:5].all() and s.clock[0] == pytest.approx(1.0)  # from the first tick, at 0.25 s
    released = np.argmax(~slow[3:]) + 3
    assert s.T[released] == pytest.approx(61.0, abs=0.5)  # slowdown less hysteresis
    assert s.clock[released + 1] == pytest.approx(1 - 0.001 * np.floor((released + 1) * 0.4), abs=0.002)  # software's, meanwhile


@pytest.mark.parametrize("solver", STEPPERS)
def test_shutdown_is_for_good(solver):
    device = chip.replace(shutdown_temperature=75.0)
    time = np.arange(0.0, 400.5, 0.5)
    s = run(one_node(device, np.full(time.size, 700.0), time), solver=solver, start=25.0)
    reached = -R * C * np.log(1 - 50.0 / (R * 700.0))  # of 70 K, 50
    off = np.argmax(s.clock < 1)
    assert 0 <= time[off] + 0.5 - reached <= 0.25 + 0.5
    assert np.all(s.power[off + 1:] == 0) and np.all(s.clock[off + 1:] == 0)
    assert s.T[-1] == pytest.approx(25 + (s.T[off + 1] - 25) * np.exp(-(time[-1] - time[off + 1]) / (R * C)), abs=0.01)


def test_memory_can_bind_first():
    """The memory's limit slows the clock where the junction is still cool."""
    def limited(**limits):
        return with_device({"firmware": Firmware(), **limits}, of=rack.with_servers(1))

    free = thermo.simulate_rack(limited(), watts(400.0), cooling=thermo.cooling.Air(fan_speed=0.8))
    memory = float(free.memory_temperature.max())
    with pytest.warns(thermo.errors.ValidityWarning, match="slowed down: gpu"):
        held = thermo.simulate_rack(limited(memory_limit_temperature=memory - 3.0), watts(400.0), cooling=thermo.cooling.Air(fan_speed=0.8))
    assert float(free.clock_fraction.min()) == 1.0
    assert float(held.memory_temperature.max()) <= memory - 3.0
    assert float(held.memory_temperature.max()) == pytest.approx(memory - 3.0, abs=0.5)
    assert float(held.junction_temperature.max()) < 80.0 and float(held.clock_fraction.min()) < 1.0


@pytest.mark.parametrize("solver", ["propagator", "tr-bdf2"])
def test_long_samples_see_what_short_ones_see(solver):
    """Firmware that acts in the middle of a long sample acts when it does under short ones."""
    device = chip.replace(max_operating_temperature=70.0, slowdown_temperature=80.0)
    fine = np.arange(0.0, 601.0, 0.25)
    load = np.where((fine // 60) % 2 == 0, 700.0, 100.0)
    coarse = np.arange(0.0, 601.0, 60.0)
    a = run(one_node(device, load, fine), solver=solver, start=40.0)
    b = run(one_node(device, np.where((coarse // 60) % 2 == 0, 700.0, 100.0), coarse), solver=solver, start=40.0)
    assert a.clock.min() < 0.95
    assert b.T == pytest.approx(a.T[::240][:coarse.size], abs=2e-3)
    assert b.clock[:-1] == pytest.approx(a.clock[:2400].reshape(10, 240).mean(axis=1), abs=1e-4)


# --------------------------------------------------------------------------------------------------------------- caps

@pytest.mark.parametrize("solver", STEPPERS)
def test_a_cap_holds_with_its_clock(solver):
    time = np.linspace(0.0, 400.0, 41)
    s = run(one_node(chip, np.full(time.size, 700.0), time, cap=450.0), solver=solver, start=25.0)
    assert s.power == pytest.approx(450.0, rel=1e-9)
    assert s.clock == pytest.approx(float(clock_of_power((450 - 72) / (700 - 72), 0.6)), abs=1e-6)


def test_a_cap_stops_at_the_lowest_clock():
    s = run(one_node(chip, np.full(3, 700.0), np.arange(3.0), cap=10.0))
    assert s.clock == pytest.approx(0.1, abs=1e-6)
    assert s.power == pytest.approx(72 + 628 * float(power_of_clock(0.1, 0.6)), rel=1e-6)


def test_a_rated_device_does_not_draw_more_than_its_limit_when_hot():
    """Leakage eats into the power limit: the clock falls, the power does not rise. Measured power has no such limit."""
    hot = with_device({"leakage_share": 0.1, **UNLIMITED})
    r = thermo.simulate_rack(hot, thermo.workload.constant(1.0), cooling=thermo.cooling.Air(fan_speed=0.6))
    gpus = r.isel(device=slice(8))
    warm = gpus.junction_temperature > 65.0
    assert bool(warm.any()) and float(gpus.device_power.max()) <= 700.0 * (1 + 1e-12)
    assert bool(((gpus.clock_fraction < 1) == warm).all())
    more = 70.0 * np.expm1((gpus.junction_temperature - 65.0) / 40.0)
    share = clock_of_power(np.minimum((628.0 - more) / 628.0, 1.0), 0.6)
    assert gpus.clock_fraction.values == pytest.approx(np.minimum(share, 1.0), abs=1e-5)
    measured = thermo.simulate_rack(hot, thermo.workload.constant(800.0, units="W"), cooling=thermo.cooling.Air(fan_speed=0.6))
    assert float(measured.device_power.isel(device=0).max()) == pytest.approx(800.0)


@pytest.mark.parametrize("workload", [0.9, "watts", "mixed"])
def test_a_racks_cap_holds(workload):
    """IT power stays at the cap where more is asked for, for equal and unequal devices, and nobody is cut who asks for little."""
    ours = with_device(UNLIMITED)
    if isinstance(workload, str) and workload == "watts":
        workload = watts(650.0)
    elif isinstance(workload, str):
        u = np.linspace(0.05, 1.0, 8)[None, None, :] * np.ones((3, 4, 1))
        workload = xr.DataArray(u, dims=("time", "server", "device"), coords={"time": [0.0, 60.0, 120.0]}, attrs={"units": "1"})
    free = thermo.simulate_rack(ours, workload, cooling=thermo.cooling.Air(fan_speed=1.0), ambient={"air_temperature": 15.0})
    cap = 0.8 * float(free.it_power[0])
    held = thermo.simulate_rack(ours.replace(power_cap=cap), workload, cooling=thermo.cooling.Air(fan_speed=1.0),
                                ambient={"air_temperature": 15.0})
    assert float(held.it_power.max()) <= cap * (1 + 1e-9)
    assert float(held.it_power[0]) == pytest.approx(cap, rel=1e-6)
    least = held.clock_fraction.isel(time=0, server=0, device=0)
    assert float(least) == (1.0 if free.device_power[0, 0, 0] < 200 else least) and float(held.clock_fraction.min()) < 1
    assert float(abs(held.energy_residual).max()) <= 1e-9 * cap


# ------------------------------------------------------------------------------------------------------------ leakage

@pytest.mark.parametrize("share", [0.1, 0.25])
def test_leakage_closes_in_the_steady_state(share):
    device = leaking(share)
    for demand in (200.0, 300.0, 500.0):
        expected, _ = steady_closed(device, demand)
        if expected is not None:
            assert run(one_node(device, np.full(2, demand), np.arange(2.0))).T == pytest.approx(expected, abs=1e-8)


def test_steady_state_up_to_runaway():
    """By continuation in load: the last steady state has R dP/dT = 1, to 0.1 K. Beyond, the refusal names device, gain, temperature."""
    device = leaking(0.25)
    L, s = 175.0, 40.0
    top = 65.0 + s * np.log(s / (R * L))
    low, high = 100.0, 2000.0
    for _ in range(60):
        load = 0.5 * (low + high)
        try:
            last = run(one_node(device, np.full(2, load), np.arange(2.0))).T[0]
            low = load
        except ConvergenceError as refusal:
            high, said = load, str(refusal)
    assert last == pytest.approx(top, abs=0.1)
    assert low == pytest.approx((top - ROOM) / R - L * np.expm1((top - 65) / s), rel=1e-9)
    assert "gpu0" in said and "loop gain is 1" in said and "degC" in said


def test_runaway_of_one_device_in_a_rack_is_named():
    weak = rack.with_servers(2).map_servers(lambda s: s.replace(mounts=tuple(
        m.replace(device=m.device.replace(leakage_share=0.4, leakage_scale=15.0, idle_power=281.0),
                  spread=(1, 1, 1, 1, 1, 40, 1, 1)) if m.device.kind == "gpu" else m for m in s.mounts)))
    with pytest.raises(ConvergenceError, match=r"runaway of gpu5 in server 0: at \d+\.\d degC the loop gain is \d"):
        thermo.simulate_rack(weak, 0.3, cooling=thermo.cooling.Air(fan_speed=0.8))


@pytest.mark.parametrize("solver", STEPPERS)
def test_growth_is_followed_until_shutdown(solver):
    """Beyond runaway, against a fine integration: the same path, and the shutdown on the first tick behind the limit."""
    device = leaking(0.25, shutdown_temperature=120.0)
    demand, L = 900.0, 175.0
    def heat(t, T):
        return (demand + L * np.expm1((T - 65.0) / 40.0) - (T - ROOM) / R) / C
    def limit(t, T):
        return T[0] - 120.0
    limit.terminal = True
    exact = solve_ivp(heat, (0, 1000), [25.0], events=limit, dense_output=True, rtol=1e-11, atol=1e-11)
    time = np.arange(0.0, exact.t[-1] + 10, 1.0)
    s = run(one_node(device, np.full(time.size, demand), time), solver=solver, start=25.0)
    before = time < exact.t[-1] - 0.25
    assert s.T[before] == pytest.approx(exact.sol(time[before])[0], abs=0.02)
    assert not steady_closed(device, demand)[0]
    tick = np.ceil(exact.t[-1] / 0.25) * 0.25
    k = int(tick)
    assert s.clock[k] == pytest.approx(tick - k, abs=1e-9) and np.all(s.power[k + 1:] == 0)
    assert np.all(np.diff(s.T[k + 1:]) < 0)


@pytest.mark.parametrize("solver", ["propagator", "tr-bdf2"])
def test_runaway_that_nothing_stops_is_said(solver):
    with pytest.raises(ConvergenceError, match=r"runaway of gpu0 in server 0: at t = \d+"):
        run(one_node(leaking(0.25), np.full(2001, 1200.0), np.arange(2001.0)), solver=solver, start=25.0)


def test_leakage_to_the_tolerance_asked():
    """Random loads at long samples: the propagator's straight leakage keeps to the tolerance, and the power is what was drawn."""
    device, rng = leaking(0.2), np.random.default_rng(3)
    time = np.arange(0.0, 1201.0, 15.0)
    load = rng.uniform(141.0, 600.0, time.size)
    fine = run(one_node(device, np.repeat(load, 150)[:-149], np.arange(0.0, 1200.01, 0.1)), solver="tr-bdf2", tolerance=1e-5)
    for tolerance in (0.1, 0.01, 0.001):
        s = run(one_node(device, load, time), tolerance=tolerance)
        assert s.T == pytest.approx(fine.T[::150], abs=tolerance)


def test_measured_power_holds_its_leakage_already():
    leaky = with_device({"leakage_share": 0.1})
    r = thermo.simulate_rack(leaky, watts(500.0), cooling=thermo.cooling.Air(fan_speed=0.8))
    assert r.device_power.isel(device=slice(8)).values == pytest.approx(500.0, rel=1e-12)


def test_a_resident_context_idles_higher():
    resident = thermo.Rack.from_library("dgx-h100", servers=1).with_context()
    r = thermo.simulate_rack(resident, 0.0, ambient={"air_temperature": 25.0})
    bare = thermo.simulate_rack("dgx-h100", 0.0, ambient={"air_temperature": 25.0})
    assert float(r.device_power.sel(device="gpu0")[0, 0] - bare.device_power.sel(device="gpu0")[0, 0]) == pytest.approx(142.5 - 72, abs=5)


def test_work_lost_is_counted():
    """Two devices at 30 % and 90 % load whose clocks are known: weighted by load, and by the slowest."""
    slow = with_device({"firmware": Firmware(), "power_cap": 400.0}, of=rack.with_servers(1))
    u = np.array([0.3, 0.9] * 4) * np.ones((3, 1))
    load = xr.DataArray(u, dims=("time", "device"), coords={"time": [0.0, 60.0, 120.0]}, attrs={"units": "1"})
    r = thermo.simulate_rack(slow, load, cooling=thermo.cooling.Air(fan_speed=1.0))
    clock = float(clock_of_power((400.0 - 72.0) / (0.9 * 628.0), 0.6))
    assert r.clock_fraction.values[:, 0, :8] == pytest.approx(np.array([1.0, clock] * 4) * np.ones((3, 1)), abs=1e-6)
    assert r.work_lost.values == pytest.approx(0.9 * (1 - clock) / 1.2, abs=1e-6)
    assert r.work_lost_in_step.values == pytest.approx(1 - clock, abs=1e-6)


def test_what_happened_to_devices_is_said():
    weak = with_device(UNLIMITED | {"shutdown_temperature": 55.0}, of=rack.with_servers(1))
    with pytest.warns(thermo.errors.ValidityWarning, match=r"shut down: gpu0 of server 0 and 7 more"):
        r = thermo.simulate_rack(weak, watts(600.0), cooling=thermo.cooling.Air(fan_speed=0.5), initial=25.0)
    assert float(r.device_power.isel(time=-1, device=0).item()) == 0 and float(r.clock_fraction[-1, 0, 0]) == 0
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())


def test_steps_of_a_training_job_are_lost():
    """A job in step, capped to a clock that is known: its steps in the same share; on tokens each device counts for itself."""
    slow = with_device({"firmware": Firmware(), "power_cap": 500.0}, of=rack.with_servers(1))
    job = thermo.workload.training(duration=600.0, compute=0.95, communication=0.95, device=None)
    r = thermo.simulate_rack(slow, job, cooling=thermo.cooling.Air(fan_speed=1.0), time_step=10.0)
    lost = thermo.summary.work_lost(r)
    assert lost["steps"] == pytest.approx(job.attrs["steps"] * lost["share_in_step"]) and lost["steps"] > 10
    asked, span = r.work_asked.values[:-1], np.diff(r.time.values)
    assert lost["share"] == pytest.approx(float((asked * span) @ r.work_lost.values[:-1] / (asked @ span)))
    assert lost["device_hours"] == pytest.approx(lost["share"] * 8 * float(asked @ span) / 3600)


# ------------------------------------------------------------------------------------------------ at the door

def test_runaway_is_seen_in_time_from_a_temperature():
    """Where there is no steady state a run from a temperature shows the growth, and the shutdown that ends it."""
    doomed = with_device(UNLIMITED | {"leakage_share": 0.1, "leakage_scale": 15.0, "power_cap": 1e6, "shutdown_temperature": 110.0},
                         of=rack.with_servers(1))
    load = thermo.workload.constant(1.0, duration=600.0, time_step=5.0)
    settings = dict(cooling=thermo.cooling.Air(fan_speed=0.3), ambient={"air_temperature": 35.0})
    with pytest.warns(thermo.errors.ValidityWarning, match="shut down: gpu"):
        r = thermo.simulate_rack(doomed, load, initial=25.0, **settings)
    hot = r.junction_temperature.isel(server=0, device=slice(8))
    assert float(hot.max()) < 125.0 and float(r.clock_fraction.isel(time=-1, device=slice(8)).max()) == 0.0
    power = r.device_power.isel(server=0, device=4).values
    assert power[2] > power[0] > 700.0 * 0.8 and power[-1] == 0.0
    with pytest.warns(thermo.errors.ValidityWarning, match="shut down: gpu"):
        steady = thermo.simulate_rack(doomed, load, **settings)  # off from the start
    assert float(steady.device_power.isel(device=slice(8)).max()) == 0.0


def test_a_steady_start_knows_of_shutdown_alone():
    """A device without any other limit that would be too hot at rest is off from the first sample."""
    only = with_device(UNLIMITED | {"shutdown_temperature": 75.0}, of=rack.with_servers(1))
    with pytest.warns(thermo.errors.ValidityWarning, match="shut down: gpu"):
        r = thermo.simulate_rack(only, watts(700.0), cooling=thermo.cooling.Air(fan_speed=0.4), ambient={"air_temperature": 45.0})
    assert float(r.junction_temperature.isel(time=0, device=slice(8)).max()) < 75.0
    assert float(r.clock_fraction.isel(time=0, device=slice(8)).max()) == 0.0


@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
@pytest.mark.parametrize(("share", "scale"), [(0.09, 15.0), (0.1, 25.0), (0.05, 8.0), (0.1, 40.0)])
@pytest.mark.parametrize("fan", ["pi", 0.4, 0.8])
@pytest.mark.parametrize("inlet", [20.0, 40.0])
def test_a_steady_start_is_found_whatever_leaks(share, scale, fan, inlet):
    """Steep leakage jumps as clocks move: still each device is within its limits or off, and the balance closes."""
    steep = with_device({"leakage_share": share, "leakage_scale": scale, "firmware": Firmware()}, of=rack.with_servers(2))
    cooling = thermo.cooling.Air() if fan == "pi" else thermo.cooling.Air(fan_speed=fan)
    r = thermo.simulate_rack(steep, thermo.workload.constant(0.8, duration=120.0, time_step=5.0), cooling=cooling,
                             ambient={"air_temperature": inlet})
    first = r.isel(time=0, device=slice(8))
    on = first.clock_fraction > 0
    assert float(first.junction_temperature.where(on).max()) <= 87.0 + 0.1 or float(first.clock_fraction.where(on).min()) < 0.11
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())


def test_a_cap_that_cannot_be_held_is_said():
    one = rack.with_servers(1)
    with pytest.warns(thermo.errors.ValidityWarning, match="power_cap: IT power reaches .* above the cap of 1 W"):
        thermo.simulate_rack(with_device(UNLIMITED, of=one).replace(power_cap=1.0), 0.9, cooling=thermo.cooling.Air(fan_speed=0.8))
    with pytest.raises(thermo.errors.ScenarioError, match="power_cap 300 W is held by firmware"):
        gpu.replace(power_cap=300.0, firmware=None)


def test_a_racks_cap_is_used_to_the_full():
    """Unequal loads that leak: where more is asked for than the cap, all of it is given out but for what cool silicon spares."""
    leaky = with_device(UNLIMITED | {"leakage_share": 0.09})
    rng = np.random.default_rng(1)
    load = xr.DataArray(rng.uniform(0, 1, (12, 4, 8)), dims=("time", "server", "device"), coords={"time": 30.0 * np.arange(12)},
                        attrs={"units": "1"})
    settings = dict(cooling=thermo.cooling.Air(fan_speed=0.8), ambient={"air_temperature": 25.0})
    free = thermo.simulate_rack(leaky, load, **settings)
    cap = 0.8 * float(free.it_power.mean())
    held = thermo.simulate_rack(leaky.replace(power_cap=cap), load, **settings)
    assert float(held.it_power.max()) <= cap * (1 + 1e-9)
    assert float(held.it_power.where(free.it_power > 1.05 * cap).min()) >= 0.97 * cap


@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
@pytest.mark.parametrize("name", [n for n in thermo.library.names("racks") if thermo.library.rack(n).cooling == "air"])
def test_a_dark_rack_closes_its_balance(name):
    """Every air-cooled rack of the library, dark from 30 s on with its fans standing: the balance closes, and it does not take long."""
    r = thermo.simulate_rack(thermo.Rack.from_library(name), thermo.workload.constant(0.5, duration=120.0, time_step=10.0), power="dc-380v",
                             events=[thermo.events.utility_outage(30.0, 400.0)])
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())
    dark = r.isel(time=-1)
    assert float(dark.it_power) == 0.0 == float(dark.clock_fraction.max()) == float(dark.fan_duty.max()) and float(dark.work_lost) == 1.0


@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
@pytest.mark.parametrize("duty", [0.04, 0.1])
def test_the_least_air_closes_the_balance(duty):
    """At a fifth of the fans' least duty fins and air are at one temperature: no number of transfer units may drown the rest."""
    r = thermo.simulate_rack("t4-server", 0.1, cooling=thermo.cooling.Air(fan_speed=duty), initial=25.0)
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())

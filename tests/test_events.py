"""Things that happen: against closed solutions, against the same run said in another way, and refused where they cannot be.

Seen to fail: dead fans that open the chassis (its resistance found anew for the fans left), a room on the warm side only, a
step that runs straight to its value, a set point whose step is added to steps before it, the rack's fans on while it has no
power, samples of a linear workload repeated in place of read between.
"""
import datetime
import json
import warnings

import numpy as np
import pytest
import small_rack
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

import thermo
from thermo import events as ev
from thermo import simulate
from thermo.cooling import PI, Air
from thermo.cooling.air import ROOM_CAPACITY, lane_flows
from thermo.cooling.heat_sink import AirState
from thermo.errors import ScenarioError
from thermo.power import rated_power
from thermo.power.faults import UnitsFailed, UpsBypass, UtilityOutage
from thermo.rack import CurveSink, Device, Fans, Lane, Mount, Rack, Server, Slot

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
AIR = AirState.at(25.0, 101_325.0, 0.4)
CHAIN = thermo.PowerChain(name="chain", stages=("ups-modern", "psu-titanium"))
FANS = Fans(count=4, rated_speed=10_000, curve_flow=(0, 0.02, 0.04, 0.06), curve_pressure=(600, 520, 300, 0), rated_power=40,
            power_exponent=2.7, system_flow=0.12, system_duty=0.8, minimum_duty=0.2, upstream=False)
CHIP = Device(name="chip", kind="gpu", max_power=1000, idle_power=50, junction_capacity=1e-3, max_operating_temperature=80,
              slowdown_temperature=85, shutdown_temperature=95, firmware=None)


def light_rack(servers=2, capacity=1e-3):
    """Servers whose parts store next to nothing: all heat is in the air at once."""
    sink = CurveSink(flow_resistance=0.05, reference_flow=0.03, capacity=capacity)
    server = Server(name="light", height_units=4, lanes=(Lane(name="a", flow_share=1.0),), fans=FANS,
                    mounts=(Mount(device=CHIP, names=("gpu0",), lanes=("a",), positions=(0,), sink=sink),))
    return Rack(name="r", slots=(Slot(server=server, count=servers),))


def watts(values, times, interpolation="constant"):
    return xr.DataArray(np.asarray(values, float), dims="time", coords={"time": np.asarray(times)},
                        attrs={"units": "W", "interpolation": interpolation})


def steady_load(power=500.0, until=1200.0, step=10.0):
    times = np.arange(0.0, until + step / 2, step)
    return watts(np.full(times.size, power), times)


def residual(result):
    return float(np.abs(result.energy_residual).max() / result.it_power.max())


# ------------------------------------------------------------------------------------------------------- cooling is lost

def lost_cooling(**more):
    rack, C = light_rack(), 40e3
    result = thermo.simulate_rack(rack, steady_load(), cooling=Air(fan_speed=0.8, room_capacity=C), tolerance=1e-5,
                                  events=[ev.cooling_loss(105.0, 300.0)], **more)
    Q = float(result.it_power[0] + result.fan_power[0])
    return result, C, Q, float(result.mass_flow[0].sum()) * AIR.heat_capacity


@pytest.mark.parametrize("solver", ["auto", "BDF"])
def test_room_without_cold_air_by_hand(solver):
    """Two sides C/2 with the fans' w between them, Q into the warm one: inlets leave the supply at 2 Q / C, then rise at Q / C.

    With d the difference of the sides, d' = (Q - w d) / C_h - w d / C_c: d = d1 + (Q/w - d1) exp(-t / tau), d1 = Q / 2w,
    tau = C / 4w; and energy says C T_c + C_h d = C T_s + C_h Q/w + Q t. Parts store 1e-7 of the room's."""
    result, C, Q, w = lost_cooling(solver=solver)
    assert residual(result) <= 1e-9
    t = result.time.values - 105.0
    here = (t >= 0) & (t < 300.0)
    d1, tau = Q / (2 * w), C / (4 * w)
    d = d1 + (Q / w - d1) * np.exp(-t[here] / tau)
    expected = 25.0 + Q * t[here] / C + 0.5 * (Q / w - d)
    assert np.allclose(result.supply_temperature[here], expected, atol=2e-4)
    assert np.allclose(result.coolant_temperature.sel(position="inlet")[here], expected[:, None], atol=2e-4)
    assert result.time.values[here][0] == 105.0 and float(result.supply_temperature[here][0]) == pytest.approx(25.0, abs=1e-9)
    late = np.diff(result.supply_temperature.values[here])[-5:] / np.diff(t[here])[-5:]
    assert np.allclose(late, Q / C, rtol=2e-3)  # exp(-t / tau) of what is left
    for name in ("heat_to_air", "heat_rejection_power"):
        assert np.all(np.abs(result[name][here].values) <= 1e-11 * Q)


def test_early_slope_is_heat_over_the_cold_side():
    rack, C = light_rack(), 40e3
    load = watts(np.full(201, 500.0), np.arange(201) * 0.5)
    r = thermo.simulate_rack(rack, load, cooling=Air(fan_speed=0.8, room_capacity=C), events=[ev.cooling_loss(50.0)], tolerance=1e-6)
    Q = float(r.it_power[0] + r.fan_power[0])
    slope = float(r.supply_temperature.sel(time=50.5) - r.supply_temperature.sel(time=50.0)) / 0.5
    assert slope == pytest.approx(Q / (C / 2), rel=0.02)  # 0.5 s of tau = 36 s


def test_cold_air_again_at_once_and_the_room_drains():
    """Servers breathe the supply from that instant; what the room holds falls as exp(-w t / (C/2)) and leaves with the air."""
    result, C, _, w = lost_cooling()
    t = result.time.values - 405.0
    after = t >= 0
    assert np.all(result.supply_temperature.values[after] == 25.0)
    assert np.allclose(result.coolant_temperature.sel(position="inlet")[after], 25.0, atol=1e-9)
    stored = result.stored_energy.values[after]
    big = stored > 1e-3 * stored[0]
    assert np.allclose(stored[big], stored[0] * np.exp(-w * t[after][big] / (C / 2)), rtol=2e-4)
    assert float(result.heat_to_air[after][0]) > float(result.it_power[0])


def test_the_plant_works_off_what_the_room_held():
    """Never more than its capacity; in the end all heat that left with the air, and none while it stands."""
    r = thermo.simulate_rack(light_rack(), steady_load(until=3600.0), events=[ev.cooling_loss(105.0, 300.0)],
                             cooling=Air(fan_speed=0.8, room_capacity=40e3, plant_capacity=1500.0))
    per_watt = float(r.heat_rejection_power[0] / r.heat_to_air[0])
    heat, span = r.heat_rejection_power.values / per_watt, np.diff(r.time.values)
    assert r.heat_to_air.max() > 2000.0 and np.max(heat) == pytest.approx(1500.0, rel=1e-12)
    assert heat[:-1] @ span == pytest.approx(r.heat_to_air.values[:-1] @ span, rel=1e-12)
    assert heat[-1] == pytest.approx(heat[0], rel=1e-6)
    assert np.all(heat[(r.time.values >= 105.0) & (r.time.values < 405.0)] <= 1e-9)


def test_room_has_six_joules_a_kelvin_and_watt_by_default():
    rack = small_rack.rack
    result = thermo.simulate_rack(rack, steady_load(300.0, 300.0), cooling=Air(fan_speed=0.8), events=[ev.cooling_loss(60.0)])
    told = thermo.simulate_rack(rack, steady_load(300.0, 300.0), cooling=Air(fan_speed=0.8, room_capacity=ROOM_CAPACITY * rated_power(rack)),
                                events=[ev.cooling_loss(60.0)])
    np.testing.assert_array_equal(result.supply_temperature, told.supply_temperature)


def test_the_room_changes_nothing_while_there_is_cold_air():
    """Before the loss, servers are as in a run in which nothing happens."""
    plain = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 300.0), cooling=Air(fan_speed=0.8), solver="tr-bdf2")
    lost = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 300.0), cooling=Air(fan_speed=0.8), events=[ev.cooling_loss(200.0)])
    before = slice(0.0, 200.0)
    assert np.allclose(lost.junction_temperature.sel(time=before), plain.junction_temperature.sel(time=before), atol=1e-9)
    assert np.allclose(lost.heat_to_air.sel(time=slice(0, 190.0)), plain.heat_to_air.sel(time=slice(0, 190.0)), rtol=1e-9)


def test_an_outage_takes_the_plant_until_it_has_restarted():
    """Off from t to the utility's return and the restart behind it; server fans go on."""
    r = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 900.0), cooling=Air(fan_speed=0.8, restart_delay=123.0), power=CHAIN,
                             events=[ev.utility_outage(100.0, 61.5)])
    warm = r.time.values[r.supply_temperature.values > 25.0 + 1e-6]
    assert warm[0] == 110.0 and {100.0, 161.5, 284.5} <= set(r.time.values)
    assert warm[-1] == 280.0 and float(r.supply_temperature.sel(time=284.5)) == 25.0
    assert np.allclose(r.fan_power, r.fan_power[0], rtol=1e-14)
    assert residual(r) <= 1e-9


@pytest.mark.parametrize(("plant", "end"), [(ev.Plant(30.0), 430.0), (ev.Plant(30.0, generator_start=12.0), 142.0),
                                            (ev.Plant(30.0, generator_start=500.0), 430.0), (ev.Plant(on_battery=True), None)])
def test_what_brings_the_plant_back(plant, end):
    """The utility or a generator, whichever is first, and the restart; a plant behind a battery never stops."""
    assert ev.utility_outage(100.0, 300.0).without_cooling(100.0, plant) == end


@pytest.mark.parametrize("chain", ["ac-ups-480v", "ac-ups-415v"])
def test_outages_that_overlap_are_one(chain):
    """A generator that runs does not start again: one outage, said in two parts, is the same outage to the bit."""
    cooling, load = Air(fan_speed=0.8, restart_delay=240.0), steady_load(300.0, 600.0)
    runs = [thermo.simulate_rack(small_rack.rack, load, cooling=cooling, power=chain, events=events) for events in (
        [ev.utility_outage(30.0, 160.0)], [ev.utility_outage(30.0, 120.0), ev.utility_outage(100.0, 90.0)],
        [ev.utility_outage(100.0, 20.0), ev.utility_outage(30.0, 160.0)], [ev.utility_outage(30.0, 70.0), ev.utility_outage(100.0, 90.0)])]
    start = thermo.PowerChain.from_library(chain).generator.start_delay
    warm = runs[0].supply_temperature.values > 25.0
    assert runs[0].time.values[warm].max() < 30.0 + start + 240.0 <= runs[0].time.values[~warm & (runs[0].time.values > 30.0)].min()
    for run in runs[1:]:
        np.testing.assert_array_equal(run.supply_temperature.sel(time=runs[0].time), runs[0].supply_temperature)
        np.testing.assert_allclose(run.utility_power.sel(time=slice(300.0, None)), runs[0].utility_power.sel(time=slice(300.0, None)), rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- failed fans

@pytest.mark.parametrize("left", [1, 2, 3])
def test_flow_and_power_of_the_fans_left(left):
    """The chassis is the same k rho V^2; `left` fans meet it where left x f(V / left) = k rho V^2, and draw their part."""
    rack = light_rack(servers=1)
    r = thermo.simulate_rack(rack, steady_load(200.0, 60.0), cooling=Air(fan_speed=0.8), events=[ev.fan_failure(25.0, 0, 4 - left)])
    all_, some = r.sel(time=0.0), r.sel(time=30.0)
    assert float(some.fan_power / all_.fan_power) == pytest.approx(left / 4, rel=1e-12)
    V4 = float(all_.mass_flow[0]) / AIR.density

    def pressure(V, n, s=0.8):
        return s * s * AIR.density / 1.2 * np.interp(V / (n * s), FANS.curve_flow, FANS.curve_pressure)

    k = pressure(V4, 4) / V4**2
    V = brentq(lambda V: pressure(V, left) - k * V * V, 1e-6, left * 0.8 * 0.06)
    assert float(some.mass_flow[0]) / AIR.density == pytest.approx(V, rel=2e-3)  # the laws are read between 80 pressures
    assert float(some.return_temperature - 25.0) == pytest.approx(
        float(some.it_power + some.fan_power) / (float(some.mass_flow[0]) * AIR.heat_capacity), rel=1e-4)


def test_only_that_server_and_only_then():
    """Others keep their flow to the bit; the fans turn again after `duration`; equal fans named twice are one."""
    load = steady_load(300.0, 300.0)
    r = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.7),
                             events=[ev.fan_failure(50.0, 2, (0, 5), duration=100.0), ev.fan_failure(100.0, 2, [5], duration=25.0),
                                     ev.fan_failure(110.0, 1)])
    plain = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.7))
    m = r.mass_flow.values
    np.testing.assert_array_equal(m[:, [0, 3]], np.broadcast_to(plain.mass_flow.values[0, [0, 3]], m[:, [0, 3]].shape))
    ten = lane_flows(small_rack.srv, AIR, 10)
    at = (r.time.values >= 50.0) & (r.time.values < 150.0)
    assert np.all(m[at, 2] == m[at, 2][0]) and np.all(m[~at, 2] == m[0, 2])
    assert m[at, 2][0] == pytest.approx(AIR.density * sum(np.interp(0.7, ten.duty, f) for f in ten.flow), rel=1e-4)
    assert m[-1, 1] < m[0, 1] and residual(r) <= 1e-9


def test_a_controller_turns_the_others_up():
    cooling = Air(fan_speed=PI(setpoint=70.0))
    r = thermo.simulate_rack(small_rack.rack, steady_load(350.0, 1200.0), cooling=cooling, events=[ev.fan_failure(100.0, 0, 6)])
    assert float(r.fan_duty[-1, 0]) > float(r.fan_duty[0, 0]) + 0.05 and float(r.fan_duty[-1, 1]) == float(r.fan_duty[0, 1])


def test_a_limited_supply_follows_the_flow_of_the_fans_left():
    """What a server with fewer fans leaves, the one above it gets."""
    free = thermo.simulate_rack(light_rack(), steady_load(200.0, 60.0), cooling=Air(fan_speed=0.8))
    V = float(free.mass_flow[0, 0]) / AIR.density
    r = thermo.simulate_rack(light_rack(), steady_load(200.0, 60.0), cooling=Air(fan_speed=0.8, supply_flow=1.5 * V),
                             events=[ev.fan_failure(30.0, 0, 2)])
    inlet, m = r.coolant_temperature.sel(position="inlet").values[-1], r.mass_flow.values[-1]
    share = 1.5 - m[0] / float(free.mass_flow[0, 0])  # of what the second draws
    hot = float(np.sum(m * inlet) * AIR.heat_capacity + r.it_power[-1] + r.fan_power[-1]) / (m.sum() * AIR.heat_capacity)
    assert inlet[1] == pytest.approx(share * 25.0 + (1 - share) * hot, abs=1e-6)


# ---------------------------------------------------------------------------------------------------------------- steps

def held(values, times):
    return xr.DataArray(np.asarray(values, float), dims="time", coords={"time": np.asarray(times, float)}, attrs={"interpolation": "constant"})


@pytest.mark.parametrize(("event", "cooling", "ambient", "cooling_said", "ambient_said"), [
    (ev.inlet_step(35.0, 31.0), {}, 25.0, {}, held([25.0, 31.0], [0, 35])),
    (ev.inlet_step(35.0, change=-4.0, duration=20.0), {}, 25.0, {}, held([25.0, 21.0, 25.0], [0, 35, 55])),
    (ev.setpoint(35.0, "air_temperature", 31.0), {}, held([25.0, 26.0], [0, 20]), {}, held([25.0, 26.0, 31.0], [0, 20, 35])),
    (ev.setpoint(35.0, "fan_speed", 0.9), {}, 25.0, {"fan_speed": held([0.7, 0.9], [0, 35])}, 25.0),
    (ev.setpoint(35.0, "supply_flow", 1.2), {"supply_flow": 3.0}, 25.0, {"supply_flow": held([3.0, 1.2], [0, 35])}, 25.0),
    (ev.setpoint(35.0, "room_temperature", 40.0), {"supply_flow": 1.0, "hot_aisle_makeup": 0.3, "room_temperature": 30.0}, 25.0,
     {"supply_flow": 1.0, "hot_aisle_makeup": 0.3, "room_temperature": held([30.0, 40.0], [0, 35])}, 25.0),
], ids=["inlet", "change", "air", "fans", "flow", "room"])
def test_a_step_is_the_series_that_steps(event, cooling, ambient, cooling_said, ambient_said):
    """An event is what a held series with the same numbers is, on samples that have its instants."""
    load = steady_load(300.0, 120.0)
    r = thermo.simulate_rack(small_rack.rack, load, cooling=Air(**{"fan_speed": 0.7} | cooling), ambient={"air_temperature": ambient},
                             events=[event])
    instants = watts(np.full(r.time.size, 300.0), r.time.values)
    said = thermo.simulate_rack(small_rack.rack, instants, cooling=Air(**{"fan_speed": 0.7} | cooling_said),
                                ambient={"air_temperature": ambient_said})
    for name in ("junction_temperature", "mass_flow", "supply_temperature", "fan_power", "heat_to_air"):
        np.testing.assert_allclose(r[name], said[name], rtol=1e-11, atol=1e-11, err_msg=name)
    assert residual(r) <= 1e-9


def test_a_step_jumps_also_where_the_series_runs_straight():
    """A supply that runs from 20 to 32 degC: 5 K more from 60 s on is 26 at 59.99 s and 31 at 60 s, and 5 K more all the way."""
    ramp = xr.DataArray([20.0, 32.0], dims="time", coords={"time": [0.0, 120.0]})
    r = thermo.simulate_rack(light_rack(), steady_load(200.0, 120.0), cooling=Air(fan_speed=0.8), ambient={"air_temperature": ramp},
                             events=[ev.inlet_step(60.0, change=5.0, duration=30.0), ev.inlet_step(75.0, 22.0, duration=5.0)])
    expected = 20.0 + 0.1 * r.time.values + np.where((r.time >= 60) & (r.time < 90), 5.0, 0.0)
    expected = np.where((r.time >= 75) & (r.time < 80), 22.0, expected)
    assert np.allclose(r.supply_temperature, expected, atol=1e-12)
    assert np.allclose(r.coolant_temperature.sel(position="inlet"), expected[:, None], atol=1e-9)
    plain = thermo.simulate_rack(light_rack(), steady_load(200.0, 120.0), cooling=Air(fan_speed=0.8), ambient={"air_temperature": ramp})
    # heat until the jump is that of the run without it: the supply does not run towards the step before it comes
    assert float(r.heat_to_air.sel(time=50.0)) == pytest.approx(float(plain.heat_to_air.sel(time=50.0)), rel=1e-9)
    assert residual(r) <= 1e-9


def test_steps_that_overlap_do_not_add():
    r = thermo.simulate_rack(light_rack(), steady_load(200.0, 120.0), cooling=Air(fan_speed=0.8), events=[
        ev.inlet_step(60.0, change=2.0), ev.inlet_step(30.0, change=5.0), ev.setpoint(90.0, "air_temperature", 21.0, duration=10.0)])
    at = {t: float(r.supply_temperature.sel(time=t)) for t in (20.0, 30.0, 60.0, 90.0, 100.0)}
    assert at == {20.0: 25.0, 30.0: 30.0, 60.0: 27.0, 90.0: 21.0, 100.0: 27.0}


def test_a_supply_without_limit_gets_one_for_a_while():
    free = thermo.simulate_rack(light_rack(), steady_load(200.0, 120.0), cooling=Air(fan_speed=0.8))
    V = float(free.mass_flow[0].sum()) / AIR.density
    r = thermo.simulate_rack(light_rack(), steady_load(200.0, 120.0), cooling=Air(fan_speed=0.8),
                             events=[ev.setpoint(30.0, "supply_flow", 0.75 * V, duration=40.0)])
    inlet = r.coolant_temperature.sel(position="inlet").values
    p = (200.0 + float(r.fan_power[0]) / 2) / (float(r.mass_flow[0, 0]) * AIR.heat_capacity)
    here = (r.time.values >= 30.0) & (r.time.values < 70.0)
    # x = Th - Ts = x / 4 + p, the second breathes x / 2; at the jump itself the parts still are as warm as before
    assert np.allclose(inlet[here][1:], [25.0, 25.0 + 2 * p / 3], rtol=1e-6)
    assert np.allclose(inlet[~here], 25.0, atol=1e-9)


def test_a_controller_is_put_aside_by_a_fan_speed_and_comes_back():
    r = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 300.0), cooling=Air(fan_speed=PI(setpoint=70.0)),
                             events=[ev.setpoint(100.0, "fan_speed", 0.95, duration=50.0)])
    here = (r.time.values >= 100.0) & (r.time.values < 150.0)
    assert np.all(r.fan_duty.values[here] == 0.95) and np.all(r.fan_duty.values[~here] < 0.9)


# ------------------------------------------------------------------------------------------------------------- on the clock

def test_instants_become_samples():
    """Begin and end of each event, beside the workload's; one that all but falls on a sample is that sample."""
    load = steady_load(300.0, 60.0)
    r = thermo.simulate_rack(light_rack(), load, cooling=Air(fan_speed=0.8),
                             events=[ev.inlet_step(13.25, 27.0, duration=4.5), ev.inlet_step(40.0 + 5e-7, 28.0), ev.fan_failure(55.0, 1)])
    assert sorted(set(r.time.values) - set(load.time.values)) == [13.25, 17.75, 55.0]
    assert float(r.supply_temperature.sel(time=40.0)) == 28.0


@pytest.mark.parametrize("interpolation", ["constant", "linear"])
def test_the_workload_keeps_its_energy(interpolation):
    """A held sample goes on, a straight line is read: energy is that of the run in which nothing happens, to rounding."""
    times = np.array([0.0, 10.0, 30.0, 35.0, 60.0])
    load = watts([100.0, 500.0, 200.0, 300.0, 50.0], times, interpolation)
    cooling = Air(fan_speed=0.8)
    r = thermo.simulate_rack(light_rack(), load, cooling=cooling, events=[ev.inlet_step(t, 26.0) for t in (3.0, 12.5, 33.3, 59.0)])
    plain = thermo.simulate_rack(light_rack(), load, cooling=cooling)

    def energy(x):
        return float(x.it_power.values[:-1] @ np.diff(x.time.values))

    assert energy(r) == pytest.approx(energy(plain), rel=1e-14)
    expected = 200.0 if interpolation == "constant" else 250.0  # mean of 30 to 33.3 s: 233; the workload at 32.5 s
    between = thermo.workload.sampled_too(load, np.array([32.5]))
    assert float(between.sel(time=32.5)) == expected


def test_dates():
    """A date, a pandas or a Python one in another zone, and seconds on the same clock are the same instant."""
    import pandas as pd

    times = np.datetime64("2026-03-01T12:00:00") + np.arange(0, 130, 10).astype("m8[s]")
    load = watts(np.full(13, 300.0), times)
    zone = datetime.timezone(datetime.timedelta(hours=2))
    whens = ["2026-03-01T12:00:33.5", np.datetime64("2026-03-01T12:00:33.500"), pd.Timestamp("2026-03-01T12:00:33.5"),
             datetime.datetime(2026, 3, 1, 14, 0, 33, 500_000, zone)]
    found = [thermo.simulate_rack(light_rack(), load, cooling=Air(fan_speed=0.8),
                                  events=[ev.inlet_step(when, 30.0, duration=np.timedelta64(20, "s"))]) for when in whens]
    seconds = thermo.simulate_rack(light_rack(), steady_load(300.0, 120.0), cooling=Air(fan_speed=0.8), events=[ev.inlet_step(33.5, 30.0, duration=20.0)])
    for r in found:
        assert r.time.values[4] == np.datetime64("2026-03-01T12:00:33.500") and r.sizes["time"] == 15
        np.testing.assert_array_equal(r.junction_temperature, seconds.junction_temperature)
    again = thermo.rerun(found[0])
    np.testing.assert_array_equal(again.junction_temperature, found[0].junction_temperature)
    np.testing.assert_array_equal(again.time, found[0].time)


ALL = [ev.utility_outage(60.0, 30.0), ev.ups_bypass(50.0, 20.0), ev.psu_failure(70.0, 1, 2), ev.fan_failure(80.0, 0, (1, 3)),
       ev.cooling_loss(400.0, 50.0), ev.inlet_step(20.0, change=3.0), ev.setpoint(110.0, "fan_speed", 0.9)]


def test_rerun_carries_events(tmp_path):
    """The run again, from a file: every variable to the bit, and events that equal those given."""
    r = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 600.0), cooling=Air(fan_speed=PI(setpoint=70.0)), power=CHAIN, events=ALL)
    thermo.store.write(r, tmp_path / "r.nc")
    read = thermo.store.read(tmp_path / "r.nc")
    again = thermo.rerun(read)
    for name in r.data_vars:
        np.testing.assert_array_equal(again[name].values, r[name].values, err_msg=name)
    told = [ev.from_mapping(e, "e") for e in json.loads(read.attrs["scenario"])["events"]]
    assert told == list(ALL)


@pytest.mark.parametrize("cut", [300.0, 410.0, 430.0])
@pytest.mark.parametrize("cooling", [Air(fan_speed=0.8, room_capacity=2e5), Air(fan_speed=PI(setpoint=70.0), room_capacity=2e5)],
                         ids=["fixed", "pi"])
def test_two_parts_are_the_run_in_one(cooling, cut):
    """Cut before, in and behind an outage: with events that began before, the second part is the run in one, to the bit."""
    events = [ev.fan_failure(100.0, 1, 4), ev.cooling_loss(400.0, 20.0), ev.inlet_step(250.0, 27.0, duration=170.0)]
    load = steady_load(300.0, 600.0)
    whole = thermo.simulate_rack(small_rack.rack, load, cooling=cooling, events=events)
    first = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(0, cut)), cooling=cooling, events=[e for e in events if e.t < cut])
    second = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(cut, None)), cooling=cooling, events=events, initial=first)
    for name in ("junction_temperature", "coolant_temperature", "supply_temperature", "fan_duty", "mass_flow"):
        np.testing.assert_array_equal(second[name].values, whole[name].sel(time=slice(cut, None)).values, err_msg=name)


def test_a_run_goes_on_in_the_room_of_the_one_before():
    """The room drains in a second part that has no event of its own."""
    load = steady_load(300.0, 600.0)
    events = [ev.cooling_loss(100.0, 150.0)]
    whole = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.8), events=events)
    first = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(0, 300)), cooling=Air(fan_speed=0.8), events=events)
    second = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(300, None)), cooling=Air(fan_speed=0.8), initial=first)
    assert np.allclose(second.heat_to_air, whole.heat_to_air.sel(time=slice(300, None)), rtol=1e-6)
    assert float(second.heat_to_air[0]) > 1.1 * float(second.it_power[0])


PARTS = {"battery": ([ev.utility_outage(30.0, 250.0)], None), "generator": ([ev.utility_outage(30.0, 250.0)], "diesel"),
         "overlapping": ([ev.utility_outage(30.0, 120.0), ev.utility_outage(100.0, 90.0)], "diesel"),
         "several": ([ev.utility_outage(30.0, 60.0), ev.psu_failure(40.0, 1), ev.fan_failure(50.0, 1, 4), ev.inlet_step(60.0, change=2.0),
                      ev.setpoint(20.0, "fan_speed", 0.9, duration=290.0)], "diesel")}


@pytest.mark.parametrize("clock", ["same", "own", "dates"])
@pytest.mark.parametrize("cut", [70.0, 200.0, 320.0, 600.0])
@pytest.mark.parametrize("case", PARTS)
def test_the_same_events_in_both_parts_are_the_run_in_one(case, cut, clock):
    """Cut in an outage, while the plant restarts, and while it works off what waited: silicon to the bit, charge and power to rounding."""
    events, generator = PARTS[case]
    chain = CHAIN.replace(generator=generator)
    load, cooling = steady_load(300.0, 1200.0), Air(fan_speed=0.8, restart_delay=240.0)

    def part(begin, end, **more):
        times, happens = load.time.values, events
        here = (times >= begin) & (times <= end)
        if clock == "dates":
            origin = np.datetime64("2026-03-01", "ns")
            times = origin + (times * 1e9).astype("m8[ns]")
            happens = [e.replace(t=origin + np.timedelta64(int(e.t), "s")) for e in events]
        elif clock == "own":
            times, happens = times - begin, [e.replace(t=e.t - begin) for e in events]
        happens = [e for e, told in zip(happens, events, strict=True) if told.t < end]
        return thermo.simulate_rack(small_rack.rack, watts(load.values[here], times[here]), cooling=cooling, power=chain, events=happens, **more)

    whole, first = part(0.0, 1200.0), part(0.0, cut)
    second, tail = part(cut, 1200.0, initial=first), slice(int(np.searchsorted(whole.time.values, part(0.0, cut).time.values[-1])), None)
    assert not any("initial" in said for said in json.loads(second.attrs["warnings"]))
    own = {"stored_energy", "energy_residual", "utility_ramp_rate"}  # counted from the first sample; rounding; of a step that the cut hides
    for name in whole.data_vars:
        if "time" in whole[name].dims and name not in own:
            # sums that begin anew at the cut differ in their last bit, and when a battery is full again hangs on one of them
            exact = clock != "own" and name in ("junction_temperature", "supply_temperature", "fan_duty", "mass_flow")
            np.testing.assert_allclose(second[name].values, whole[name].values[tail], *((0.0, 0.0) if exact else (1e-9, 1e-9)), err_msg=name)
    for name in ("final_store_charge", "final_store_debt", "final_waiting_heat"):
        np.testing.assert_allclose(second[name], whole[name], rtol=1e-12, atol=1e-9, err_msg=name)


def test_events_left_out_that_still_last_are_said():
    """A plant that restarts and a fan that stands, not told to the second part: a warning each; none for what is over."""
    load, settings = steady_load(300.0, 600.0), dict(cooling=Air(fan_speed=0.8, restart_delay=240.0), power=CHAIN)
    events = [ev.utility_outage(30.0, 100.0), ev.fan_failure(50.0, 1), ev.inlet_step(60.0, 27.0, duration=30.0)]
    first = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(0, 200.0)), events=events, **settings)
    later = load.sel(time=slice(200.0, None))

    def said(given, load=later):
        second = thermo.simulate_rack(small_rack.rack, load, events=given, initial=first, **settings)
        return [text for text in json.loads(second.attrs["warnings"]) if text.startswith("initial")]

    assert [text.split(" of that result ")[0] for text in said([])] == ["initial: utility-outage at 30 s", "initial: fan-failure at 50 s"]
    assert "lasts until 370 s" in said([])[0] and said(events) == said(events[:2]) == []
    assert len(said(events[1:])) == 1
    own = later.assign_coords(time=later.time.values - 200.0)
    assert "until 170 s" in said([], own)[0] and said([e.replace(t=e.t - 200.0) for e in events], own) == []


@pytest.mark.parametrize("own_clock", [False, True])
@pytest.mark.parametrize("cut", [400.0, 900.0])
def test_a_lost_load_stays_lost(cut, own_clock):
    """A battery that was empty: the part behind the cut is dark from its first sample, in the outage and after it; same reason."""
    ups = thermo.power.Stage.from_library("ups-modern")
    chain = thermo.PowerChain(stages=(ups.replace(battery=ups.battery.replace(full_load_runtime=60.0)),))
    load, outage = steady_load(300.0, 1200.0), ev.utility_outage(105.0, 600.0)
    settings = dict(cooling=Air(fan_speed=0.8), power=chain)
    whole = thermo.simulate_rack(small_rack.rack, load, events=[outage], **settings)
    first = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(0, cut)), events=[outage], **settings)
    later, shift = load.sel(time=slice(cut, None)), cut if own_clock else 0.0
    second = thermo.simulate_rack(small_rack.rack, later.assign_coords(time=later.time.values - shift), initial=first,
                                  events=[outage.replace(t=105.0 - shift)], **settings)
    lost = whole.attrs["load_lost_at"]
    assert 105.0 < lost < 400.0 and second.attrs["load_lost_at"] == pytest.approx(lost - shift, abs=1e-9)
    assert second.attrs["load_lost_why"] == whole.attrs["load_lost_why"]
    for name in ("it_power", "fan_power", "utility_power", "battery_charge", "junction_temperature", "heat_to_air", "heat_rejection_power"):
        np.testing.assert_allclose(second[name].values, whole[name].sel(time=slice(cut, None)).values, rtol=1e-9, atol=1e-9, err_msg=name)
    assert np.all(second.it_power.values == 0.0) and residual(whole) <= 1e-9
    third = thermo.simulate_rack(small_rack.rack, steady_load(300.0, 60.0), initial=second, **settings)
    assert np.all(third.it_power.values == 0.0)
    with pytest.raises(ScenarioError, match="load was lost"):
        thermo.ride_through(small_rack.rack, steady_load(300.0, 60.0), initial=second, event="fan_failure", **settings)


def test_a_load_lost_at_the_cut_is_dark_from_there():
    """An outage with nothing to carry it that begins at the first sample of a part."""
    load, settings = steady_load(300.0, 600.0), dict(cooling=Air(fan_speed=0.8, room_capacity=2e5), power="ideal")
    whole = thermo.simulate_rack(small_rack.rack, load, events=[ev.utility_outage(300.0, 100.0)], **settings)
    first = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(0, 300.0)), **settings)
    second = thermo.simulate_rack(small_rack.rack, load.sel(time=slice(300.0, None)), events=[ev.utility_outage(300.0, 100.0)], initial=first, **settings)
    assert whole.attrs["load_lost_at"] == second.attrs["load_lost_at"] == 300.0
    for name in ("it_power", "junction_temperature", "utility_power"):
        np.testing.assert_array_equal(second[name].values, whole[name].sel(time=slice(300.0, None)).values, err_msg=name)


def test_a_fan_that_had_failed_by_then_is_still_dead_at_the_start():
    """An event at the first sample is part of the steady state; one under way in a run that goes on has no effect of its own."""
    load = steady_load(300.0, 60.0)
    r = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.8), events=[ev.fan_failure(0.0, 1, 3)])
    assert np.max(np.ptp(r.junction_temperature.values, axis=0)) <= 1e-9
    assert float(r.mass_flow[0, 1]) < float(r.mass_flow[0, 0])


# ---------------------------------------------------------------------------------------------------- the load is lost

@pytest.mark.parametrize("cooling", [Air(fan_speed=0.8), Air(fan_speed=PI(setpoint=70.0)), Air(fan_speed=0.8, supply_flow=1.5)],
                         ids=["fixed", "pi", "shared"])
@pytest.mark.parametrize("interpolation", ["constant", "linear"])
def test_without_power(cooling, interpolation):
    """Devices, conversion and fans draw nothing while it lasts; what came before is the same to the bit; energy closes."""
    times = np.arange(0.0, 601.0, 10.0)
    load = watts(300.0 + 50 * np.sin(times / 40), times, interpolation)
    scenario = simulate.checked(small_rack.rack, load, cooling=cooling)
    whole, cut = simulate.simulated(scenario), simulate.simulated(simulate.without_load(scenario, 203.0, 404.0))
    assert {203.0, 404.0} <= set(cut.time.values)
    off = (cut.time.values >= 203.0) & (cut.time.values < 404.0)
    for name in ("it_power", "conversion_loss", "fan_power"):
        assert np.all(cut[name].values[off] == 0.0) and np.all(cut[name].values[~off] > 0.0)
    assert np.all(cut.device_power.values[off] == 0.0) and np.all(cut.pue.values[off] > 1e300)
    before = slice(0.0, 200.0)
    np.testing.assert_array_equal(cut.junction_temperature.sel(time=before), whole.junction_temperature.sel(time=before))
    np.testing.assert_array_equal(cut.heat_to_air.sel(time=slice(0, 190.0)), whole.heat_to_air.sel(time=slice(0, 190.0)))
    assert residual(cut) <= 1e-9
    assert np.all(np.diff(cut.junction_temperature.values[off], axis=0) <= 1e-9)  # cools down
    assert np.all(cut.junction_temperature.values[off] >= 25.0 - 1e-9)
    forever = simulate.simulated(simulate.without_load(scenario, 203.0))
    assert float(forever.it_power[-1]) == 0.0 and residual(forever) <= 1e-9


def test_the_instants_of_a_lost_load_are_checked():
    scenario = simulate.checked(light_rack(), steady_load(300.0, 60.0), cooling=Air(fan_speed=0.8))
    for at, back in ((0.0, 10.0), (60.0, 70.0), (30.0, 30.0), (np.nan, 40.0)):
        with pytest.raises(ScenarioError, match="lost_at"):
            simulate.without_load(scenario, at, back)


def test_power_events_are_told_to_the_chain():
    """In seconds of the run, with what failed and whose."""
    scenario = simulate.checked(small_rack.rack, steady_load(300.0, 600.0), cooling=Air(fan_speed=0.8), power=CHAIN, events=ALL)
    assert scenario.timeline.faults == (ev.Fault("ups-bypass", 50.0, 70.0), ev.Fault("utility-outage", 60.0, 90.0),
                                        ev.Fault("psu-failure", 70.0, np.inf, units=2, server=1))
    assert scenario.faults == (UpsBypass(50.0, 70.0), UtilityOutage(60.0, 90.0), UnitsFailed(70.0, np.inf, "psu-titanium", 2.0, 1.0))
    everywhere = simulate.checked(small_rack.rack, steady_load(300.0, 600.0), cooling=Air(fan_speed=0.8), power=CHAIN,
                                  events=[ev.psu_failure(70.0)])
    assert everywhere.faults == (UnitsFailed(70.0, np.inf, "psu-titanium", 1.0, 4.0),)
    for event, words in ((ev.ups_bypass(10.0), "no UPS"), (ev.psu_failure(10.0), "no supplies")):
        with pytest.raises(ScenarioError, match=words):
            simulate.checked(small_rack.rack, steady_load(300.0, 600.0), cooling=Air(fan_speed=0.8), events=[event])


def test_an_outage_beyond_the_battery():
    """The battery carries the rack, then all is off: instants, charge and powers, by hand from the chain alone."""
    ups = thermo.power.Stage.from_library("ups-modern")
    chain = thermo.PowerChain(stages=(ups.replace(battery=ups.battery.replace(full_load_runtime=60.0)),))
    load = steady_load(300.0, 900.0)
    r = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.8), power=chain, events=[ev.utility_outage(205.0, 600.0)])
    lost = r.attrs["load_lost_at"]
    stage = chain.for_rack(small_rack.rack).stages[0]
    drawn = float(r.it_power[0] + r.fan_power[0])
    assert lost == pytest.approx(205.0 + stage.battery.runtime(drawn / stage.capacity), rel=1e-9) and "empty" in r.attrs["load_lost_why"]
    t = r.time.values
    on_battery, off = (t >= 205.0) & (t < lost - 1e-6), t >= lost - 1e-6
    assert lost in t and np.all(r.utility_power.values[on_battery] == 0) and np.all(r.battery_power.values[on_battery] > drawn)
    assert np.allclose(r.battery_charge.values[on_battery], 1 - (t[on_battery] - 205.0) / (lost - 205.0), atol=1e-9)
    for name in ("it_power", "fan_power", "stage_loss", "heat_rejection_power"):
        assert np.all(np.abs(r[name].values[off & (t < 805.0)]) <= 1e-9), name
    assert np.all(r.it_power.values[off] == 0) and residual(r) <= 1e-9
    whole = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.8), power=chain,
                                 events=[ev.utility_outage(205.0, 20.0)])
    assert "load_lost_at" not in whole.attrs and np.all(whole.it_power.values > 0)
    np.testing.assert_array_equal(whole.junction_temperature.sel(time=slice(0, 220)), r.junction_temperature.sel(time=slice(0, 220)))
    assert np.all(whole.pue.values >= 1.0 - 1e-12)


# ------------------------------------------------------------------------------------------------------------- drawn events

@st.composite
def drawn_events(draw):
    t = st.floats(0.5, 299.0)
    duration = st.one_of(st.none(), st.floats(1e-3, 400.0))
    one = st.one_of(
        st.builds(ev.utility_outage, t, st.floats(1e-3, 400.0)), st.builds(ev.ups_bypass, t, duration),
        st.builds(ev.psu_failure, t, st.integers(0, 3), st.integers(1, 4), duration),
        st.builds(ev.fan_failure, t, st.integers(0, 3), st.integers(1, 3), duration),
        st.builds(ev.fan_failure, t, st.integers(0, 3), st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True), duration),
        st.builds(ev.cooling_loss, t, duration), st.builds(ev.inlet_step, t, st.floats(15.0, 40.0), duration=duration),
        st.builds(ev.inlet_step, t, change=st.floats(-8.0, 8.0), duration=duration),
        st.builds(ev.setpoint, t, st.just("fan_speed"), st.floats(0.3, 1.0), duration),
        st.builds(ev.setpoint, t, st.just("supply_flow"), st.floats(0.3, 3.0), duration))
    return draw(st.lists(one, max_size=5).filter(lambda es: sum(np.max(e.fan) + 1 if isinstance(e, ev.FanFailure) else 0 for e in es) < 12))


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(events=drawn_events(), design=st.sampled_from([
    Air(fan_speed=0.7), Air(fan_speed=PI(setpoint=70.0)), Air(fan_speed=0.8, supply_flow=1.8, hot_aisle_makeup=0.6, room_temperature=28.0),
    Air(fan_speed=PI(setpoint=75.0), recirculation=0.1)]), linear=st.booleans())
def test_whatever_happens(events, design, linear):
    """Energy closes to 1e-9, no NaN, nothing colder than the coldest air, samples rise, the run again is the run."""
    times = np.arange(0.0, 301.0, 15.0)
    load = watts(300.0 + 80 * np.cos(times / 50), times, "linear" if linear else "constant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r = thermo.simulate_rack(small_rack.rack, load, cooling=design, power=CHAIN, events=events)
        again = thermo.rerun(r)
    assert residual(r) <= 1e-9 and np.all(np.diff(r.time.values) > 0)
    assert set(times) <= set(r.time.values)
    T = r.junction_temperature.values
    assert np.all(np.isfinite(T)) and np.all(np.isfinite(r.coolant_temperature.values))
    assert T.min() >= min(25.0, float(r.supply_temperature.min())) - 1e-6
    np.testing.assert_array_equal(again.junction_temperature.values, T)


# ----------------------------------------------------------------------------------------------------------------- refusals

@pytest.mark.parametrize(("make", "words"), [
    (lambda: ev.utility_outage(10.0, -5.0), ("utility_outage", "duration is -5.0 s", "above 0")),
    (lambda: ev.utility_outage(10.0, None), ("utility_outage", "duration")),
    (lambda: ev.utility_outage("soon", 5.0), ("t is 'soon'", "date")),
    (lambda: ev.utility_outage(np.nan, 5.0), ("t is nan", "seconds")), (lambda: ev.utility_outage(True, 5.0), ("t is True",)),
    (lambda: ev.utility_outage(np.datetime64("NaT"), 5.0), ("t is", "NaT")), (lambda: ev.cooling_loss(1e13), ("1e+12 s",)),
    (lambda: ev.cooling_loss("9999-01-01"), ("t is",)),
    (lambda: ev.ups_bypass(1.0, "long"), ("ups_bypass", "'long'")),
    (lambda: ev.psu_failure(1.0, -1), ("server is -1", "0 or more")), (lambda: ev.psu_failure(1.0, 0, 0), ("units is 0", "1 to 256")),
    (lambda: ev.fan_failure(1.0, 0, 0), ("fan", "0")), (lambda: ev.fan_failure(1.0, 0, ()), ("fan",)),
    (lambda: ev.fan_failure(1.0, 0, (1, 1)), ("fan", "once")), (lambda: ev.fan_failure(1.0, "a"), ("server is 'a'",)),
    (lambda: ev.inlet_step(1.0), ("temperature", "change")), (lambda: ev.inlet_step(1.0, 20.0, change=1.0), ("one of them",)),
    (lambda: ev.inlet_step(1.0, 300.0), ("temperature is 300.0 degC", "kelvin?")), (lambda: ev.inlet_step(1.0, change=100.0), ("change is 100.0 K",)),
    (lambda: ev.setpoint(1.0, "fan_speed", "fast"), ("value is 'fast'",)), (lambda: ev.setpoint(1.0, "", 1.0), ("name",)),
    (lambda: ev.setpoint(1.0, "fan_speed", np.inf), ("value is inf",)),
    (lambda: ev.from_mapping({"kind": "fan-failur", "t": 1.0}, "x"), ("x: kind is 'fan-failur'", "'fan-failure'")),
    (lambda: ev.from_mapping([], "x"), ("x is []",)),
    (lambda: ev.from_mapping({"kind": "cooling-loss", "t": 1.0, "until": 3}, "x"), ("until: no such field", "duration")),
])
def test_events_that_cannot_be(make, words):
    with pytest.raises(ScenarioError) as refusal:
        make()
    for word in words:
        assert word in str(refusal.value), str(refusal.value)


@pytest.mark.parametrize(("events", "cooling", "words"), [
    ([5], {}, ("events[0]: 5 is not an event", "fan_failure")), ([ev.Event(t=1.0)], {}, ("not an event",)),
    ([ev.cooling_loss(100.0), ev.inlet_step(700.0, 30.0)], {}, ("events[1]", "700 s", "outside the run, 0 to 600 s")),
    ([ev.inlet_step(600.0, 30.0)], {}, ("outside the run",)), ([ev.inlet_step(-1.0, 30.0)], {}, ("outside the run",)),
    ([ev.inlet_step("2026-01-01", 30.0)], {}, ("t is a date, the workload has seconds",)),
    ([ev.fan_failure(1.0, 4)], {}, ("server is 4", "0 to 3")), ([ev.psu_failure(1.0, 9)], {}, ("server is 9",)),
    ([ev.fan_failure(30.0, 3, 12)], {}, ("12 fans of server 3", "30 s", "leave one")),
    ([ev.fan_failure(30.0, 3, 7), ev.fan_failure(40.0, 3, 5)], {}, ("12 fans of server 3", "40 s")),
    ([ev.setpoint(30.0, "fan_sped", 0.5)], {}, ("name is 'fan_sped'", "'fan_speed'")),
    ([ev.setpoint(30.0, "fan_speed", 9000.0)], {}, ("fan_speed", "9000 of rated speed", "rpm?")),
    ([ev.setpoint(30.0, "supply_flow", 0.0)], {}, ("supply_flow", "0 m3/s")),
    ([ev.setpoint(30.0, "air_temperature", 80.0)], {}, ("80 degC", "-20 to 60")),
    ([ev.inlet_step(30.0, change=50.0)], {}, ("75 degC", "-20 to 60")),
    ([ev.cooling_loss(0.0, 10.0)], {}, ("no state to begin from",)),
])
def test_events_that_do_not_fit_the_run(events, cooling, words):
    with pytest.raises(ScenarioError) as refusal:
        thermo.simulate_rack(small_rack.rack, steady_load(300.0, 600.0), cooling=Air(fan_speed=0.8, **cooling), events=events)
    for word in words:
        assert word in str(refusal.value), str(refusal.value)
    assert len(str(refusal.value)) <= 500


def test_a_design_that_does_not_answer_says_so():
    class Plain:
        """A design without events."""

        def add_to(self, network, site):
            raise AssertionError

        def heat_rejection_power(self, heat):
            return heat

    for event in (ev.cooling_loss(10.0), ev.utility_outage(10.0, 5.0), ev.fan_failure(10.0, 0), ev.setpoint(10.0, "fan_speed", 0.5)):
        with pytest.raises(ScenarioError, match="cooling by Plain"):
            thermo.simulate_rack(small_rack.rack, steady_load(300.0, 60.0), cooling=Plain(), events=[event])


def test_events_do_not_change():
    event = ev.fan_failure(1.0, 0, [0, 1])
    assert event == ev.fan_failure(1, server=0, fan=(0, 1)) and hash(event) == hash(ev.fan_failure(1.0, 0, (0, 1)))
    with pytest.raises(ScenarioError, match="cannot be set"):
        event.t = 5.0


# -------------------------------------------------------------------------------------------------------- scenario files

SCENARIO = """
[rack]
name = "t4-server"
[workload]
utilisation = 0.5
duration = "20 min"
time_step = "15 s"
[cooling]
design = "air"
fan_speed = 0.8
"""


def test_a_scenario_file_has_events(tmp_path):
    """Quantities in any unit, each in that of its key or of the set point that it moves."""
    file = tmp_path / "s.toml"
    file.write_text(SCENARIO + """
[[events]]
kind = "cooling-loss"
t = "2 min"
duration = "1.5 min"
[[events]]
kind = "inlet-step"
t = 600
temperature = "86 degF"
[[events]]
kind = "setpoint"
t = "11 min"
name = "supply_flow"
value = "60 L/s"
[[events]]
kind = "fan-failure"
t = 700.0
server = 0
""")
    scenario = thermo.scenario.read(file)
    events = scenario.options["events"]
    assert [e.kind for e in events] == ["cooling-loss", "inlet-step", "setpoint", "fan-failure"]
    assert (events[0].t, events[0].duration) == (120.0, 90.0)
    assert events[1].temperature == pytest.approx(30.0) and events[2].value == pytest.approx(0.06)
    assert residual(scenario.run()) <= 1e-9


def test_all_faults_of_events_in_a_file(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(SCENARIO + """
[[events]]
kind = "cooling-los"
t = 5
[[events]]
kind = "utility-outage"
t = "5 W"
duration = -1
""")
    with pytest.raises(ScenarioError) as refusal:
        thermo.scenario.read(file)
    for word in ("s.toml:13", "'cooling-loss'", "s.toml:17", "'5 W'", "s.toml:18", "duration is -1"):
        assert word in str(refusal.value), str(refusal.value)
    file.write_text("events = 5\n" + SCENARIO)
    with pytest.raises(ScenarioError, match=r"\[\[events\]\]"):
        thermo.scenario.read(file)
    file.write_text(SCENARIO + '[[events]]\nkind = "cooling-loss"\nt = "2026-01-01T00:00:00"\n')
    assert isinstance(thermo.scenario.read(file).options["events"][0].t, np.datetime64)

"""How long a rack goes on: against closed solutions of a room that warms and a battery that drains.

Seen to fail: times counted from the start of the run, a battery drained at its rating, the first of what is above a limit in
place of the first that passes it.
"""
import numpy as np
import pytest
import xarray as xr
from test_events import CHIP, light_rack

import thermo
from thermo import events as ev
from thermo.cooling import Air
from thermo.errors import ScenarioError
from thermo.power import Battery, Ups
from thermo.rack import Firmware
from thermo.resilience import trips

C = 200e3  # J/K, so that the sides of the room differ by little
COOLING = Air(fan_speed=0.8, room_capacity=C)
UPS = Ups(name="ups", heat_to="electrical-room", load_fraction=(0.5, 1.0), efficiency=(1.0, 1.0), rated_power=10e3, units=1.0,
          battery=Battery(chemistry="li-ion", full_load_runtime=300.0, peukert=1.1))


def warming(power):
    """Heat, capacity rate, and the closed solution of the inlets, as in tests/test_events.py."""
    run = thermo.simulate_rack(light_rack(), power, cooling=Air(fan_speed=0.8)).isel(time=0)
    Q, w = float(run.it_power + run.fan_power), float(run.mass_flow.sum()) * run_heat_capacity()
    d1, tau = Q / (2 * w), C / (4 * w)
    rise = float((run.junction_temperature - 25.0).max())
    return Q, lambda t: 25.0 + Q * t / C + 0.5 * (Q / w - d1 - (Q / w - d1) * np.exp(-t / tau)), rise


def run_heat_capacity():
    from thermo.cooling.heat_sink import AirState

    return AirState.at(25.0, 101_325.0, 0.4).heat_capacity


def instant(inlet, limit):
    from scipy.optimize import brentq

    return brentq(lambda t: inlet(t) - limit, 0.0, 1e5)


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_what_trips_first_and_when(load):
    """Inlets pass 35 degC, then the hotter chip its limits, when the closed solution says; half a step of its curvature aside."""
    table = thermo.ride_through(light_rack(), load, event="cooling_loss", cooling=COOLING, horizon=16000.0,
                                time_step=20.0, tolerance=1e-4)
    row = table.iloc[0]
    _, inlet, rise = warming(load)
    assert row["first"] == "inlet above limit" and row["inlet_above_limit_after"] == pytest.approx(instant(inlet, 35.0), rel=2e-3)
    assert np.isinf(row["throttles_after"])  # without firmware nothing does
    assert row["above_limit_after"] == pytest.approx(instant(inlet, CHIP.slowdown_temperature - rise), rel=2e-3)
    assert row["shuts_down_after"] == pytest.approx(instant(inlet, CHIP.shutdown_temperature - rise), rel=2e-3)
    assert row["thermal_ride_through"] == row["first_after"] == row["inlet_above_limit_after"]
    assert row["above_limit_where"].startswith("server ") and row["above_limit_where"].endswith(", gpu0")
    assert np.isinf(row["electrical_ride_through"]) and table.attrs["units"]["first_after"] == "s"


def test_firmware_buys_time():
    """Clocks fall when the closed solution says that the limit is met; with less heat the shutdown comes later than without."""
    quick = CHIP.replace(firmware=Firmware())
    with_firmware = light_rack(capacity=50.0).map_servers(lambda s: s.replace(mounts=tuple(m.replace(device=quick) for m in s.mounts)))
    rows = [thermo.ride_through(rack, 0.8, event="cooling_loss", cooling=COOLING, horizon=16000.0, time_step=20.0).iloc[0]
            for rack in (light_rack(capacity=50.0), with_firmware)]
    _, inlet, _ = warming(0.8)
    rise = float(thermo.simulate_rack(light_rack(capacity=50.0), 0.8, cooling=COOLING).junction_temperature[0].max()) - 25.0
    meets = instant(inlet, CHIP.max_operating_temperature - rise)
    assert rows[1]["throttles_after"] == pytest.approx(meets, abs=100.0)  # found once the clock has fallen by 3 %
    assert np.isinf(rows[0]["throttles_after"]) and np.isinf(rows[1]["above_limit_after"])
    assert rows[1]["shuts_down_after"] > 1.2 * rows[0]["shuts_down_after"]


def test_both_ride_throughs_of_an_outage():
    """The battery carries what the rack draws, the room warms as without a battery: each as if the other lasted."""
    chain = thermo.PowerChain(stages=(UPS,))
    table = thermo.ride_through(light_rack(), [0.3, 0.8], cooling=COOLING, power=chain, horizon=6000.0, tolerance=1e-4)
    for load, row in zip((0.3, 0.8), table.itertuples(), strict=True):
        Q, inlet, _ = warming(load)
        assert row.electrical_ride_through == pytest.approx(300.0 * (Q / 10e3) ** -1.1, rel=1e-6)
        assert row.thermal_ride_through == pytest.approx(instant(inlet, 35.0), rel=2e-3)
        assert row.first_after == min(row.electrical_ride_through, row.thermal_ride_through)
    small = thermo.PowerChain(stages=(UPS.replace(battery=UPS.battery.replace(full_load_runtime=10.0)),))
    assert thermo.ride_through(light_rack(), 0.8, cooling=COOLING, power=small)["first"][0] == "load lost"


def test_a_sweep_of_durations():
    """Peaks rise with the length of the outage, the instants of what trips do not depend on it; a short one trips nothing."""
    table = thermo.ride_through(light_rack(), 0.8, event=["cooling_loss"], duration=[20.0, 900.0, 1500.0], cooling=COOLING,
                                inlet_limit=30.0)
    assert table["duration"].tolist() == [20.0, 900.0, 1500.0]
    assert table["first"].tolist() == ["nothing", "inlet above limit", "inlet above limit"]
    assert np.isinf(table["first_after"][0]) and table["first_after"][1] == table["first_after"][2]
    assert np.all(np.diff(table["peak_inlet"]) > 0) and np.all(np.diff(table["peak_junction"]) > 0)


def test_cases_of_ones_own():
    """Several events at once under one name; times count from the first of them."""
    cases = {"both": [ev.cooling_loss(105.0), ev.fan_failure(100.0, 0, 2)], "loss": ev.cooling_loss(100.0)}
    table = thermo.ride_through(light_rack(), 0.5, event=cases, cooling=COOLING)
    assert table["event"].tolist() == ["both", "loss"]
    # 5 s later; but for the heat of the two fans that stand still
    assert table["inlet_above_limit_after"][0] == pytest.approx(table["inlet_above_limit_after"][1] + 5.0, rel=0.1)


def test_a_trace_with_dates():
    times = np.datetime64("2026-03-01") + np.arange(0, 1801, 10).astype("m8[s]")
    load = xr.DataArray(np.full(times.size, 500.0), dims="time", coords={"time": times}, attrs={"units": "W"})
    dated = thermo.ride_through(light_rack(), load, event="cooling_loss", at=100.0, cooling=COOLING)
    plain = thermo.ride_through(light_rack(), load.assign_coords(time=np.arange(0.0, 1801.0, 10.0)), event="cooling_loss", at=100.0, cooling=COOLING)
    assert dated["first_after"][0] == plain["first_after"][0] < 1700.0


def fake(junction, clock, inlet=25.0, memory=None):
    """A result of one device; time in the first axis."""
    n = len(junction)
    nan = np.full((n, 1, 1), np.nan)
    return xr.Dataset({
        "junction_temperature": (("time", "server", "device"), np.reshape(np.asarray(junction, float), (n, 1, 1))),
        "memory_temperature": (("time", "server", "device"), nan if memory is None else np.reshape(np.asarray(memory, float), (n, 1, 1))),
        "clock_fraction": (("time", "server", "device"), np.reshape(np.asarray(clock, float), (n, 1, 1))),
        "coolant_temperature": (("time", "server", "position"), np.full((n, 1, 1), float(inlet)))},
        coords={"device": ["gpu0"], "position": ["inlet"], "max_operating_temperature": ("device", [80.0]),
                "slowdown_temperature": ("device", [85.0]), "shutdown_temperature": ("device", [90.0]),
                "memory_limit_temperature": ("device", [70.0])})


def test_trips_are_read_off_a_result():
    """Between samples where temperatures tell, at the sample where clocks do; memory counts; what was above before does not."""
    t = np.array([0.0, 10.0, 20.0, 30.0])

    def after(result, begin=10.0, **more):
        found, above = trips(result, t, begin, **more)
        assert found[3].what == "device above limit" and found[3].after == np.inf
        return [trip.after for trip in found[:3]], above

    ones = np.ones(4)
    assert after(fake([60, 70, 90, 95], ones)) == ([np.inf, 5.0, 10.0], [])
    assert after(fake([60, 60, 60, 60], ones, memory=[60, 60, 80, 80])) == ([np.inf, 5.0, np.inf], [])
    assert after(fake([60, 70, 79, 79], [1, 1, 0.9, 0.0])) == ([np.inf, 10.0, 20.0], [])
    assert after(fake([81, 81, 82, 95], ones)) == ([np.inf, np.inf, pytest.approx(10 + 10 * 8 / 13)], ["gpu0"])
    assert after(fake([60, 60, 60, 60], ones, inlet=36.0)) == ([np.inf] * 3, ["inlet"])


def test_what_jumps_at_the_event_is_its_doing():
    """Cool at the sample before, hot at the event's own: 0 s after it. Hot before: not its doing, whatever the event does."""
    t = np.array([0.0, 10.0, 20.0, 30.0])

    def after(result, begin=10.0, **more):
        found, above = trips(result, t, begin, **more)
        return [trip.after for trip in found], above

    ones, jump = np.ones(4), fake([60, 60, 60, 60], np.ones(4))
    jump["coolant_temperature"].values[1:] = 40.0
    assert after(jump) == ([0.0, np.inf, np.inf, np.inf], [])
    assert after(jump, begin=20.0) == ([np.inf] * 4, ["inlet"])
    assert after(fake([60, 86, 95, 95], ones))[0] == [np.inf, 0.0, pytest.approx(10 * 4 / 9), np.inf]
    assert after(fake([60, 79, 79, 79], [1, 0.9, 0.9, 0.9]))[0][1] == 0.0  # of the interval that begins with the event
    assert after(fake([60, 70, 90, 95], ones), begin=0.0)[0][1] == 15.0  # no sample before: the first is


def test_an_inlet_step_beyond_the_limit():
    row = thermo.ride_through("t4-server", 0.5, horizon=60.0, event={"hot": [ev.inlet_step(10.0, 40.0)]}).iloc[0]
    assert (row["first"], row["first_after"], row["inlet_above_limit_after"], row["thermal_ride_through"]) == ("inlet above limit", 0.0, 0.0, 0.0)
    assert "inlet" not in row["above_before"]


def test_a_device_without_firmware_cannot_throttle():
    """A network card beside the accelerators: above its limit, the one that simulate_rack warns of, never throttled."""
    t, result = np.array([0.0, 10.0, 20.0, 30.0]), fake([60, 70, 90, 95], np.ones(4))
    none, some = np.array([[False]]), np.array([[True]])
    assert [trip.after for trip in trips(result, t, 10.0, firmware=none)[0]] == [np.inf, np.inf, 10.0, 7.5]  # 85, slowdown, not 80
    assert [trip.after for trip in trips(result, t, 10.0, firmware=some)[0]] == [np.inf, 5.0, 10.0, np.inf]
    result["slowdown_temperature"] = "device", [np.nan]
    assert trips(result, t, 10.0, firmware=none)[0][3].after == 5.0
    remembered = fake([60] * 4, np.ones(4), memory=[60, 60, 80, 80])
    assert trips(remembered, t, 10.0, firmware=none)[0][3].after == 5.0
    assert trips(fake([86, 86, 87, 88], np.ones(4)), t, 10.0, firmware=none)[1] == ["gpu0"]
    from thermo.resilience import _firmware

    rack = thermo.Rack.from_library("dgx-h100", servers=2)
    names = list(rack.slots[0].server.device_names)
    has = dict(zip(names, _firmware(rack, names)[1], strict=True))
    assert all(has[name] == (mount.device.firmware is not None) for name, mount, _ in rack.slots[0].server.devices)
    assert has["gpu0"] and not all(has.values()) and _firmware(rack, names).shape == (2, len(names))


@pytest.mark.parametrize(("settings", "words"), [
    (dict(workload=[]), ("workload is []", "at least one")), (dict(workload=()), ("workload is ()",)), (dict(duration=[]), ("duration is []",)),
    (dict(event="cooling_los"), ("'cooling_los'", "'cooling_loss'")), (dict(event=[]), ("event",)), (dict(event=5), ("event is 5",)),
    (dict(event={}), ("mapping",)), (dict(event={"a": []}), ("case 'a'",)), (dict(event={"a": [ev.cooling_loss(9.0)]}, duration=5.0), ("durations",)),
    (dict(duration=-1.0), ("duration is -1 s",)), (dict(at=0.0), ("at is 0 s",)), (dict(at=1e7), ("outside the run",)),
    (dict(horizon=0.0), ("horizon is 0 s",)), (dict(time_step=1e6), ("time_step",)), (dict(inlet_limit=308.15), ("308.15 degC", "kelvin?")),
])
def test_refusals(settings, words):
    with pytest.raises(ScenarioError) as refusal:
        thermo.ride_through(light_rack(), **{"workload": 0.5, "event": "cooling_loss"} | settings)
    for word in words:
        assert word in str(refusal.value), str(refusal.value)

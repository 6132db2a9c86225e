"""What `simulate_rack` takes and refuses: labels, units and times of series, the state to go on from, size."""

import numpy as np
import pandas as pd
import pytest
import small_rack
import xarray as xr

import thermo
from thermo import simulate
from thermo.ambient import is_speed, over_time
from thermo.cooling.air import Air
from thermo.cooling.control import PI, Curve
from thermo.errors import LimitError, ScenarioError, ThermoError
from thermo.rack import Rack, Slot

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
GPUS = [f"gpu{i}" for i in range(8)]
LEVELS = np.arange(100.0, 900.0, 100.0)  # W, one a GPU
FIXED = Air(fan_speed=0.8)
SLOW_CURVE = Air(fan_speed=Curve(temperature=(40, 85), output=(0.2, 1.0), period=1e3))  # no tick within these runs
TIMES = np.array([0.0, 30.0, 60.0])


def watts(values, dims=("time", "device"), times=TIMES, **coords):
    values = np.broadcast_to(values, (len(times), *np.shape(values)))
    return xr.DataArray(values, dims=dims, coords={"time": times} | coords, attrs={"units": "W"})


def by_device(labels, **more):
    return watts(LEVELS[: len(labels)] if len(labels) <= 8 else np.zeros(len(labels)), device=labels, **more)


def run(load=300.0, rack=small_rack.rack, cooling=FIXED, times=TIMES, **settings):
    load = watts(load, dims=("time",), times=times) if isinstance(load, float) else load
    return thermo.simulate_rack(rack, load, cooling=cooling, **settings)


def refused(call, *words, error=ScenarioError):
    with pytest.raises(ThermoError) as refusal:
        call()
    text = str(refusal.value)
    assert type(refusal.value) is error and len(text) <= 500 and "\n" not in text
    for word in words:
        assert word in text, text


# ------------------------------------------------------------------------------------------------------------- labels

def test_devices_by_name_in_any_order():
    """Names in another order, as index, as `device_name` or any coordinate along device: each GPU has its own power."""
    straight = run(by_device(GPUS)).device_power.sel(device=GPUS).values[0, 0]
    assert np.array_equal(straight, LEVELS)
    for name in ("device", "device_name", "slot_label"):
        load = watts(LEVELS[::-1], **{name: ("device", GPUS[::-1])})
        assert np.array_equal(run(load).device_power.sel(device=GPUS).values[0, 0], LEVELS)


def test_a_results_own_power_goes_back_in():
    """`result.device_power` has titles in `device_name` and parts beside the GPUs: its index counts."""
    first = run(watts(np.multiply.outer([1.0, 0.5, 0.2, 0.1], LEVELS), dims=("time", "server", "device"), device=GPUS))
    again = run(first.device_power.isel(device=slice(None, None, -1)))
    np.testing.assert_array_equal(again.junction_temperature.values, first.junction_temperature.values)


def test_names_that_match_in_part_are_refused():
    """One typo among the names once made all of them count for nothing: columns were taken in order."""
    refused(lambda: run(by_device([*GPUS[:0:-1], "gpu_0"])), "missing gpu0", "unknown gpu_0")
    refused(lambda: run(by_device(GPUS[:4])), "missing gpu4, gpu5")
    refused(lambda: run(by_device(["gpu3"])), "missing gpu0")
    refused(lambda: run(by_device([*GPUS[:7], "gpu6"])), "twice gpu6", "missing gpu7")
    refused(lambda: run(by_device([*GPUS, "gpu6"])), "twice gpu6")
    refused(lambda: run(by_device(["x" * 1000] * 7 + ["gpu0"])), "missing gpu1")


def test_names_that_match_nothing_are_in_order():
    """Foreign names and numbers: in order where the count fits, one for all, else refused; numbers 0..7 are places."""
    cards = run(by_device([f"card{i}" for i in range(8)]))
    assert np.array_equal(cards.device_power.sel(device=GPUS).values[0, 0], LEVELS)
    assert np.all(run(by_device(["card0"])).device_power.sel(device=GPUS).values[0, 0] == 100)
    refused(lambda: run(by_device([f"card{i}" for i in range(5)])), "5 devices", "gpu0 to gpu7")
    turned = watts(LEVELS[::-1], device=np.arange(8)[::-1])
    assert np.array_equal(run(turned).device_power.sel(device=GPUS).values[0, 0], LEVELS)


def test_servers_by_number():
    """Numbers 0..3 in any order are places in the rack; other numbers are refused; names are in order."""
    level = np.array([100.0, 200.0, 300.0, 400.0])

    def of(**coords):
        return run(watts(level, dims=("time", "server"), **coords)).device_power.sel(device="gpu0").values[0]

    assert np.array_equal(of(), level) and np.array_equal(of(server=np.arange(4)), level)
    assert np.array_equal(of(server=[3, 2, 1, 0]), level[::-1])
    assert np.array_equal(of(server=[2.0, 0.0, 3.0, 1.0]), level[[1, 3, 0, 2]])
    assert np.array_equal(of(server=["d", "c", "b", "a"]), level)
    for labels in ([1, 2, 3, 4], [0, 1, 2, 2], [0.0, 1.0, 2.5, 3.0], [0.0, 1.0, np.nan, 3.0]):
        refused(lambda labels=labels: of(server=labels), "servers", "drop_vars")


# -------------------------------------------------------------------------------------------------------------- series

def test_units_of_a_temperature():
    """K and degF are converted, degC taken, anything else refused by name; Series say units in attrs too."""
    for units, value in (("degC", 25.0), ("K", 298.15), ("kelvin", 298.15), ("degF", 77.0), ("celsius", 25.0)):
        series = xr.DataArray([value] * 3, dims="time", coords={"time": TIMES}, attrs={"units": units})
        assert np.allclose(run(ambient={"air_temperature": series}).supply_temperature, 25.0, atol=1e-9)
        table = pd.Series([value] * 3, index=TIMES)
        table.attrs["units"] = units
        assert np.allclose(run(ambient={"air_temperature": table}).supply_temperature, 25.0, atol=1e-9)
        alone = xr.DataArray(value, attrs={"units": units})
        assert np.allclose(run(ambient={"air_temperature": alone}).supply_temperature, 25.0)
    for units in ("degR", "W", "", 5):
        series = xr.DataArray([25.0] * 3, dims="time", coords={"time": TIMES}, attrs={"units": units})
        refused(lambda series=series: run(ambient={"air_temperature": series}), "air_temperature has units",
                "degC, K or degF")
    refused(lambda: run(ambient={"air_temperature": 298.15}), "kelvin")


def test_units_of_a_share():
    """A duty is a fraction; a speed's units are known in the spellings in use."""
    assert all(is_speed(u) for u in ("rpm", "RPM", "Rpm", "r/min", "rev/min", "1/min", " rev / min "))
    assert not any(is_speed(u) for u in (None, "", "1", "%", "rps", "Hz", 5, ["rpm"]))
    for units in ("%", "Hz", "K", 7):
        duty = xr.DataArray([0.5] * 3, dims="time", coords={"time": TIMES}, attrs={"units": units})
        refused(lambda duty=duty: run(cooling=Air(fan_speed=duty)), "cooling.fan_speed has units", "rpm")
    duty = xr.DataArray([0.8] * 3, dims="time", coords={"time": TIMES}, attrs={"units": "1"})
    assert np.all(run(cooling=Air(fan_speed=duty)).fan_duty == 0.8)


@pytest.mark.parametrize(("series", "words"), [
    (pd.Series([20.0, 21.0], index=["a", "b"]), ("times of type", "object")),
    (pd.Series([20.0, 21.0], index=["0", "60"]), ("times of type",)),
    (pd.Series(["20", "21"], index=[0.0, 60.0]), ("samples are",)),
    (pd.Series([20.0, None], index=[0.0, 60.0], dtype=object), ("samples are object",)),
    (pd.Series([20.0 + 1j, 21.0], index=[0.0, 60.0]), ("samples are complex",)),
    (pd.Series([True, True], index=[0.0, 60.0]), ("samples are bool",)),
    (pd.Series([20.0, np.nan], index=[0.0, 60.0]), ("sample 1 at 60 s is nan",)),
    (pd.Series([20.0, 20.5, 21.0], index=[0.0, np.nan, 60.0]), ("time of sample 1", "nan")),
    (pd.Series([20.0, 21.0], index=[0.0, np.inf]), ("time of sample 1", "inf")),
    (pd.Series([20.0, 21.0], index=pd.DatetimeIndex(["2026-01-01", None])), ("time of sample 1", "NaT")),
    (pd.Series([20.0, 21.0], index=pd.DatetimeIndex(["2026-01-01", "2026-01-02"])), ("has dates",)),
    (pd.Series([20.0, 21.0], index=[60.0, 0.0]), ("must rise", "sort")),
    (pd.Series([20.0, 21.0, 22.0], index=[0.0, 60.0, 60.0]), ("must rise",)),
    (pd.Series([], index=[], dtype=float), ("has no samples",)),
    (pd.Series([20.0, 21.0], index=pd.MultiIndex.from_tuples([(0, 0), (1, 1)])), ("times of type object",)),
    (pd.Series([20.0, 21.0], index=[0.0, 30.0]), ("covers 0 to 30 s",)),
    (xr.DataArray([20.0, 21.0], dims="time"), ("without times",)),
    (xr.DataArray([20.0] * 4, dims="server"), ("expected a number",)),
    (xr.DataArray([20.0, 21.0], dims="time", coords={"time": [0.0, 60.0]}, attrs={"interpolation": "cubic"}),
     ("cubic",)),
    (xr.DataArray(["a", "b"], dims="time", coords={"time": [0.0, 60.0]}), ("samples are",)),
    (True, ("True",)), (np.True_, ("True",)), ("25", ("'25'",)), (None, ("None",)),
    (20 + 1j, ("20+1j",)), ([20.0], ("[20.0]",)),
    (np.array([20.0]), ("shape (1,)",)), (np.array(["20"]), ("ndarray",)), (np.nan, ("nan degC",)), (b"20", ("b'20'",)),
])
def test_series_that_are_none(series, words):
    """Text, truth values, complex numbers, missing samples; times missing, equal, backwards or of another kind."""
    refused(lambda: over_time(series, TIMES, None, name="ambient.air_temperature", low=-20, high=60, unit="degC"),
            "ambient.air_temperature", *words)


def test_series_that_are_some():
    """Integers, nullable numbers, durations, dates with a zone: read as what they are, inputs unchanged."""
    def at(series, start=None):
        return over_time(series, TIMES, start, name="x", low=-20, high=60, unit="degC")

    minute = pd.Series([20, 26], index=[0, 60])
    assert np.allclose(at(minute), [20, 23, 26]) and minute.index[1] == 60
    assert np.allclose(at(minute.astype("Int64")), [20, 23, 26])
    assert np.allclose(at(pd.Series([20.0, 26.0], index=pd.to_timedelta([0, 60], unit="s"))), [20, 23, 26])
    zoned = pd.date_range("2026-01-01T02:00", periods=2, freq="60s", tz="Etc/GMT-2")
    assert np.allclose(at(pd.Series([20.0, 26.0], index=zoned), np.datetime64("2026-01-01")), [20, 23, 26])
    assert at(20) == at(np.float32(20)) == at(np.array(20)) == 20.0


def test_facility_water_is_checked_too():
    """Though air does not use it."""
    run(ambient={"facility_water_temperature": pd.Series([20.0, 30.0], index=[0.0, 60.0])})
    for value, words in ((303.15, ("kelvin",)), (96.0, ("95",)), (-6.0, ("-5",)), ("30", ("'30'",)), (np.nan, ("nan",)),
                         (pd.Series([20.0, 300.0], index=[0.0, 60.0]), ("degC",))):
        refused(lambda value=value: run(ambient={"facility_water_temperature": value}), "facility_water_temperature",
                *words)


# ------------------------------------------------------------------------------------------------------ odd arguments

@pytest.mark.parametrize(("settings", "words"), [
    (dict(initial="steedy"), ("initial", "'steedy'", "'steady'")), (dict(initial="zzz"), ("'zzz'", "steady")),
    (dict(initial="25"), ("initial", "'25'")), (dict(initial=True), ("initial", "True")),
    (dict(initial=None), ("initial", "None")),
    (dict(initial=np.full(4, 25.0)), ("initial", "shape (4,)")), (dict(initial=np.array(["steady"])), ("initial",)),
    (dict(initial=xr.DataArray([25.0, 25.0], dims="node")), ("initial",)), (dict(initial=np.nan), ("initial", "nan")),
    (dict(initial=298.15), ("298.15 degC",)),
    (dict(events=None), ("events", "None")), (dict(events=5), ("events", "5")),
    (dict(events={"a": 1}), ("events", "'a'")),
    (dict(events="pump"), ("events", "pump")), (dict(events={1, 2}), ("events",)),
    (dict(events=[1]), ("not an event",)),
    (dict(events=np.zeros(3)), ("events",)), (dict(events=(x for x in ())), ("events",)),
    (dict(cooling=Air), ("class Air", "Air()")), (dict(ambient={1: 20}), ("ambient", "key 1", "air_temperature")),
    (dict(progress=5), ("progress", "5")), (dict(progress="yes"), ("progress", "yes")),
    (dict(tolerance=True), ("tolerance", "True")), (dict(tolerance="0.01"), ("tolerance", "'0.01'")),
    (dict(tolerance=np.array([0.01])), ("tolerance", "shape (1,)")), (dict(tolerance=0.0), ("tolerance is 0 K",)),
    (dict(time_step=True), ("time_step", "True")), (dict(time_step="15"), ("time_step", "'15'")),
    (dict(time_step=-1), ("time_step is -1 s",)), (dict(time_step=np.timedelta64("NaT")), ("time_step", "nan")),
    (dict(time_step=np.array([0.0, 30.0, 60.0])), ("time_step", "shape (3,)")),
    (dict(solver=np.array(["BDF", "auto"])), ("solver",)), (dict(solver=None), ("solver",)),
    (dict(solver="propagater"), ("'propagator'",)),
])
def test_arguments_that_are_refused(settings, words):
    """One line that names the argument, its value and what it may be."""
    refused(lambda: run(**settings), *words)


def test_arguments_that_are_taken():
    """No events as tuple or list, a NumPy temperature, a step as a duration, any callable as progress."""
    a = run(events=[], initial=np.float64(25.0), time_step=np.timedelta64(15, "s"), progress=[].append)
    b = run(events=(), initial=np.array(25), time_step=15)
    assert a.sizes["time"] == 5
    np.testing.assert_array_equal(a.junction_temperature.values, b.junction_temperature.values)


# --------------------------------------------------------------------------------------------------------------- size

def test_more_than_memory_is_refused_before_it_is_taken(monkeypatch):
    """The estimate covers what a run takes; the refusal says size, limit and way out, also of a step still to come."""
    load = thermo.workload.constant(0.5, duration=600.0, time_step=1.0)
    wide = load.expand_dims(server=4, axis=1)
    for each in (load, wide):
        result = run(each)
        size = simulate._result_size(small_rack.rack, thermo.workload.as_workload(each), 601)
        assert result.nbytes < size < 3 * result.nbytes
    monkeypatch.setattr(simulate, "_memory", lambda: (1e6, "free memory"))
    refused(lambda: run(load), "GB", "0.001 GB", "free memory", "time_step", error=LimitError)
    monkeypatch.undo()
    refused(lambda: run(load, time_step=1e-6), "GB", "the limit is", error=LimitError)
    hall = small_rack.rack.with_servers(100_000)
    refused(lambda: run(load, rack=hall, time_step=0.01), "100000 servers", error=LimitError)


def test_memory_of_the_process_counts(monkeypatch):
    """A limit on the address space is below free memory."""
    resource = pytest.importorskip("resource")
    most, said = simulate._memory()
    assert 0 < most <= simulate.LARGEST_OUTPUT and said
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1, 1))
    assert simulate._memory() == (0.0, "what the process may still take, ulimit -v")


# ------------------------------------------------------------------------------------------------------------ going on

LATER = TIMES + 60.0


def go_on(earlier, load=300.0, times=LATER, **settings):
    return run(load, times=times, initial=earlier, **settings)


def test_going_on_asks_for_the_same_servers():
    """Four servers' state once went on as three servers; with five the engine refused in its own words."""
    earlier = run()
    for n in (3, 5):
        refused(lambda n=n: go_on(earlier, rack=small_rack.rack.with_servers(n)), "initial", "4 servers", f"has {n}")
    other = small_rack.rack.map_servers(lambda s: s.replace(mounts=s.mounts[:2]))
    refused(lambda: go_on(earlier, rack=other), "initial", "other nodes")
    refused(lambda: go_on(earlier, cooling=Air(fan_speed=0.8, recirculation=0.1)), "initial", "other nodes")


def test_going_on_asks_for_a_whole_result():
    """Each variable, coordinate and attribute of the state; finite; in shape."""
    earlier = run(cooling=Air(fan_speed=PI()))
    for name in simulate.STATE:
        refused(lambda name=name: go_on(earlier.drop_vars(name)), f"no {name}")
    for name in ("node", "time", "controller"):
        refused(lambda name=name: go_on(earlier.drop_vars(name)), f"no coordinate {name}")
    bare = earlier.copy()
    del bare.attrs["reference_temperature"]
    refused(lambda: go_on(bare), "reference_temperature")
    for value in ("25", True, np.nan, 298.15):
        refused(lambda value=value: go_on(earlier.assign_attrs(reference_temperature=value)), "reference_temperature")
    for name in ("final_node_temperature", "final_control_output", "final_control_integral"):
        hole = earlier.copy(deep=True)
        hole[name].values[0, 2] = np.nan
        refused(lambda hole=hole: go_on(hole, cooling=Air(fan_speed=PI())), name, "server 2", "nan")
        wild = earlier.copy(deep=True)
        wild[name].values[0, 2] = 7e3
        refused(lambda wild=wild: go_on(wild, cooling=Air(fan_speed=PI())), name, "7")
    refused(lambda: go_on(earlier.transpose("server", ...)), "final_node_temperature", "dims")
    refused(lambda: go_on(earlier.isel(server=slice(0, 3))), "3 servers")
    refused(lambda: go_on(earlier.isel(node=slice(0, 5))), "other nodes")
    refused(lambda: go_on(xr.Dataset()), "initial")


def test_going_on_asks_for_the_same_clock():
    """Seconds from 0 to 60, then from 60, or from 0 on a clock of its own: else refused with the shift that would do."""
    earlier = run()
    go_on(earlier), go_on(earlier, times=LATER + 5e-7)
    go_on(earlier, times=TIMES)
    refused(lambda: go_on(earlier, times=TIMES + 30.0), "ends at 60.0 s", "begins at 30.0 s", "by 30 s")
    refused(lambda: go_on(earlier, times=LATER + 2.5), "by -2.5 s")
    dates = np.datetime64("2026-01-01", "ns") + (TIMES * 1e9).astype("timedelta64[ns]")
    refused(lambda: go_on(earlier, times=dates), "dates", "seconds")
    dated = run(times=dates)
    minute = np.timedelta64(60, "s")
    second = go_on(dated, times=dates + minute)
    assert second.attrs["time_origin"] == dated.attrs["time_origin"]
    refused(lambda: go_on(dated), "dates", "seconds")
    refused(lambda: go_on(dated, times=dates), "2026-01-01T00:01:00", "2026-01-01T00:00:00", "by 60 s")
    for origin in ("yesterday", "2027-01-01", "NaT", 5.5):
        odd = dated.assign_attrs(time_origin=origin)
        refused(lambda odd=odd: go_on(odd, times=dates + minute), "time_origin")
    lost = dated.copy()
    del lost.attrs["time_origin"]
    refused(lambda: go_on(lost, times=dates + minute), "time_origin")


@pytest.mark.parametrize(("before", "after"), [
    (FIXED, Air(fan_speed=PI(period=1e3))), (Air(fan_speed=PI()), SLOW_CURVE), (SLOW_CURVE, FIXED)],
    ids=["fixed to PI", "PI to curve", "curve to fixed"])
def test_going_on_under_other_control(before, after):
    """Temperatures go on; a new controller starts where it would rest, as its own steady start does."""
    earlier = run(700.0, cooling=before)
    result = go_on(earlier, 200.0, cooling=after)
    points = ("junction_temperature", "memory_temperature", "case_temperature")
    for name in points:
        np.testing.assert_allclose(result[name].values[0], earlier[name].values[-1], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(result.fan_duty.values[0], run(200.0, cooling=after).fan_duty.values[0])
    assert abs(float(result.energy_residual[0])) <= 1e-9 * float(result.it_power[0])


def test_mixed_rack_goes_on():
    """Two kinds of server, one of them with two GPUs fewer: two parts give the bits of one run; the state has both."""
    gpus = small_rack.srv.mounts[0]
    six = gpus.replace(names=gpus.names[:6], lanes=gpus.lanes[:6], positions=gpus.positions[:6])
    less = small_rack.srv.replace(name="u", mounts=(six, *small_rack.srv.mounts[1:]))
    mixed = Rack(name="m", slots=(Slot(server=small_rack.srv, count=2), Slot(server=less, count=1)))
    times = np.arange(0.0, 200.0, 20.0)
    level = np.random.default_rng(1).uniform(100, 700, times.size)
    load = xr.DataArray(level, dims="time", coords={"time": times}, attrs={"units": "W"})
    settings = dict(rack=mixed, cooling=Air(fan_speed=PI(period=7.0)), solver="propagator")
    whole = run(load, **settings)
    first = run(load[:5], **settings)
    second = run(load[4:], initial=first, **settings)
    for name in ("junction_temperature", "fan_duty", "mass_flow"):
        np.testing.assert_array_equal(whole[name].values[4:], second[name].values)
    for name in simulate.STATE:
        np.testing.assert_array_equal(whole[name].values, second[name].values)
    nodes = [str(v) for v in first.node.values]
    assert len(set(nodes)) == len(nodes) and list(first.controller.values) == ["0/0: PI", "1/0: PI"]
    own = np.array([[n.startswith("0/")] * 2 + [n.startswith("1/")] for n in nodes])
    assert np.array_equal(np.isfinite(first.final_node_temperature.values), own)
    swapped = Rack(name="m", slots=(Slot(server=small_rack.srv, count=1), Slot(server=less, count=2)))
    refused(lambda: run(load[4:], initial=first, **settings | dict(rack=swapped)), "initial", "other kinds")


def test_earlier_result_and_workload_stay_as_they_were():
    """Neither the result gone on from nor a workload with its servers in another order is changed."""
    earlier = run(cooling=Air(fan_speed=PI()))
    kept = earlier.copy(deep=True)
    load = watts([100.0, 200.0, 300.0, 400.0], dims=("time", "server"), times=LATER, server=[3, 1, 2, 0])
    before = load.copy(deep=True)
    run(load, cooling=SLOW_CURVE, initial=earlier)
    assert earlier.identical(kept) and load.identical(before)

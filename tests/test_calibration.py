"""Calibration finds what it should, says what it does not know, and refuses what does not exist."""
import numpy as np
import pytest
import xarray as xr
from small_rack import rack

from thermo.calibration import _with, calibrate, predict
from thermo.errors import ScenarioError, TraceError


def telemetry(server_rack, seed=3, samples=120):
    """What `server_rack` would report: GPUs that switch every minute or so under a fan that changes speed."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) * 10.0
    power = np.repeat(rng.uniform(100.0, 700.0, (samples // 6, 8)), 6, axis=0)
    data = xr.Dataset({"device_power": (("time", "device"), power, {"units": "W"}),
                       "fan_speed": ("time", np.repeat(rng.uniform(4000.0, 11000.0, samples // 12), 12)),
                       "inlet_temperature": ("time", np.full(samples, 24.0))}, coords={"time": time})
    told = predict(server_rack, data)
    return data.assign(junction_temperature=(("time", "device"), told["temperature"].values),
                       server_power=("time", told["server_power"].values))


def changed(**values):
    server = rack.slots[0].server
    for path, value in values.items():
        server = _with(server, path.replace("__", ".").split("."), value)
    return rack.with_servers(1).map_servers(lambda _: server)


def test_known_parameters_are_found():
    """Noise-free telemetry of a rack with other numbers gives those numbers back, within the pull of the prior."""
    truth = changed(mounts__gpu__device__junction_resistance=0.0145, fans__rated_power=130.0, conversion_loss=260.0)
    found = calibrate(rack, telemetry(truth), ["mounts.gpu.device.junction_resistance", "fans.rated_power", "conversion_loss"])
    value = found.parameters["value"]
    assert value["mounts.gpu.device.junction_resistance"] == pytest.approx(0.0145, rel=0.01)
    assert value["fans.rated_power"] == pytest.approx(130.0, rel=0.03)
    assert value["conversion_loss"] == pytest.approx(260.0, rel=0.03)
    assert found.rmse < 0.1
    assert (found.parameters["standard_error"] > 0).all()


def test_what_the_data_does_not_tell_stays():
    """The power exponent of fans that never change speed cannot be seen: it stays where the library has it."""
    data = telemetry(rack.with_servers(1))
    data["fan_speed"] = data["fan_speed"] * 0 + 8000.0
    told = predict(rack, data)
    data = data.assign(junction_temperature=(("time", "device"), told["temperature"].values),
                       server_power=("time", told["server_power"].values))
    found = calibrate(rack, data, ["fans.power_exponent", "mounts.gpu.device.junction_resistance"])
    assert found.parameters["value"]["fans.power_exponent"] == pytest.approx(3.0, rel=0.02)


def test_sensor_offsets():
    """A sensor that reads 2 K too much is found as that, and predictions carry it."""
    data = telemetry(rack.with_servers(1))
    data["junction_temperature"][:, 5] += 2.0
    found = calibrate(rack, data, ["sensors"])
    expected = [2.0 if i == 5 else 0.0 for i in range(8)]
    np.testing.assert_allclose(found.sensor_offset, expected, atol=0.05)
    assert float(abs(found.predict(data)["temperature"] - data["junction_temperature"].values).max()) < 0.1


def test_a_hole_starts_afresh():
    """Behind a hole in the samples the rack is in the steady state of the first sample, not in a state held for hours."""
    data = telemetry(rack.with_servers(1))
    late = data.isel(time=slice(60, None))
    holed = xr.concat([data.isel(time=slice(0, 40)), late.assign_coords(time=late["time"] + 7200.0)], "time")
    np.testing.assert_array_equal(predict(rack, holed)["temperature"].values[40:], predict(rack, late)["temperature"].values)


@pytest.mark.parametrize(("parameters", "message"), [
    (["fans.rated_powr"], "did you mean 'rated_power'"),
    (["mounts.gpux.spread[0]"], "no mount is called 'gpux'"),
    (["mounts.gpu.spread[8]"], "no entry 8"),
    (["title"], "not a number"),
    (["mounts.gpu.bypass", "mounts.gpu.bypass"], "named twice"),
    ([], "at least one"),
    ({"fans.rated_power": (200.0, 300.0)}, "outside its bounds"),
])
def test_refused_parameters(parameters, message):
    with pytest.raises(ScenarioError, match=message.replace("(", r"\(").replace("[", r"\[")):
        calibrate(rack, telemetry(rack.with_servers(1), samples=24), parameters)


def test_refused_telemetry():
    data = telemetry(rack.with_servers(1), samples=24)
    with pytest.raises(TraceError, match="no device_power"):
        calibrate(rack, data.drop_vars("device_power"), ["sensors"])
    with pytest.raises(TraceError, match="no temperature"):
        calibrate(rack, data.drop_vars("junction_temperature"), ["sensors"])
    with pytest.raises(TraceError, match="3 temperatures"):
        calibrate(rack, data.isel(device=slice(0, 3)), ["sensors"])


def test_missing_samples_are_skipped():
    """Holes in temperature and server power change nothing but the number of samples: the truth is found."""
    truth = changed(mounts__gpu__device__junction_resistance=0.0145, conversion_loss=260.0)
    data = telemetry(truth, samples=60)
    data["server_power"][::3] = np.nan
    data["junction_temperature"][::4, 2] = np.nan
    found = calibrate(rack, data, ["mounts.gpu.device.junction_resistance", "conversion_loss"])
    assert found.parameters["value"]["mounts.gpu.device.junction_resistance"] == pytest.approx(0.0145, rel=0.01)
    assert found.parameters["value"]["conversion_loss"] == pytest.approx(260.0, rel=0.03)
    assert np.isfinite(found.rmse) and np.isfinite(found.parameters["standard_error"]).all()
    without = data.assign(server_power=data["server_power"] * np.nan)
    nothing = calibrate(rack, without, ["mounts.gpu.device.junction_resistance"])
    assert nothing.rmse < 0.1 and "server_power" not in nothing.residuals


def test_bounds_hold():
    """Bounds hold for offsets too, and those of a group for each of its parameters."""
    data = telemetry(rack.with_servers(1), samples=24)
    data["junction_temperature"] += 2.0
    found = calibrate(rack, data, {"sensors": (-0.5, 0.5)})
    np.testing.assert_allclose(found.sensor_offset, 0.5, atol=0.01)
    assert found.parameters["at_bound"].all()


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d.assign(junction_temperature=d["junction_temperature"] * np.nan), "no sample that is a number"),
    (lambda d: d.assign(junction_temperature=d["junction_temperature"] + 273.15), "is it in kelvin"),
    (lambda d: d.assign(server_power=d["server_power"] / 1000), "is it in kW"),
    (lambda d: d.isel(time=slice(0, 9)), "9 samples, expected 10 or more"),
    (lambda d: d.assign(junction_temperature=d["junction_temperature"].isel(device=0, drop=True)), "has dims"),
    (lambda d: d.assign(junction_temperature=d["junction_temperature"].astype(str)), "expected real numbers"),
    (lambda d: None, "telemetry is a NoneType, expected a Dataset"),
])
def test_telemetry_that_looks_wrong_is_asked_about(change, message):
    with pytest.raises(TraceError, match=message):
        calibrate(rack, change(telemetry(rack.with_servers(1), samples=24)), ["sensors"])


@pytest.mark.parametrize(("parameters", "message"), [
    (None, "parameters is None, expected a list of names"),
    ("resistances", "parameters is 'resistances', expected a list of names"),
    (3, "parameters is 3, expected"),
    ([3], "3 is not the name"),
    ({"conversion_loss": 3.0}, "has the bounds 3.0, expected two numbers"),
    ({"conversion_loss": (1.0, 2.0, 3.0)}, "expected two numbers"),
    ({"conversion_loss": (300.0, 100.0)}, "low below high"),
    ({"conversion_loss": ("100", "300")}, "expected two numbers"),
    ({"conversion_loss": (-1.0, 300.0)}, "must be above 0"),
    (["sensor_offset[99]"], "entries 0 to 7"),
    (["sensor_offset"], "entries 0 to 7"),
    (["resistance"], "did you mean 'resistances'"),
    (["mounts.gpu.spread[8]"], "the entries are 0 to 7"),
])
def test_refused_forms_of_parameters(parameters, message):
    with pytest.raises(ScenarioError, match=message.replace("[", "\\[").replace("(", "\\(")) as caught:
        calibrate(rack, telemetry(rack.with_servers(1), samples=24), parameters)
    assert len(str(caught.value)) <= 500


def test_the_name_is_the_function():
    """`thermo.calibrate` stays callable whatever was imported before."""
    import thermo.calibration  # noqa: F401

    assert callable(thermo.calibrate)

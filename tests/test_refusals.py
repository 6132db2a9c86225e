"""Refusals of descriptions: one line with field, value, unit, range and way out. Equality, freezing, plain mappings."""
import copy
import json
import pickle

import numpy as np
import pytest
from small_rack import gpu, rack

from thermo import library
from thermo.ambient import Ambient
from thermo.cooling import Air
from thermo.errors import MESSAGE_LIMIT, ScenarioError, require_between
from thermo.rack import Device, Fans, Rack, as_mapping

fans = rack.slots[0].server.fans


def refusal(call):
    with pytest.raises(ScenarioError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) <= MESSAGE_LIMIT
    return text


@pytest.mark.parametrize(("call", "said"), [
    (lambda: Ambient(air_temprature=30), "air_temprature: no such field; did you mean 'air_temperature'?"),
    (lambda: Device.from_mapping(as_mapping(gpu) | {"kimd": "gpu"}, "x"),
     "x: kimd: no such field; did you mean 'kind'?"),
    (lambda: Ambient(relative_humidity=40), "relative_humidity is 40: expected 0 to 1; is it in percent?"),
    (lambda: Ambient(altitude=9000), "altitude is 9000 m: expected -430 to 6000 m"),
    (lambda: Ambient(pressure=1013), "pressure is 1013 Pa: expected 40000 to 110000 Pa"),
    (lambda: gpu.replace(reference_temperature=338.0),
     "reference_temperature is 338.0 degC: expected -60 to 250 degC; is it in kelvin?"),
    (lambda: gpu.replace(idle_power=True), "idle_power is True: expected a number, 0 to 1e+09 W"),
    (lambda: gpu.replace(max_power="700"), "max_power is '700': expected a number, above 0 and up to 1e+09 W"),
    (lambda: gpu.replace(max_power=float("nan")), "max_power is nan W: expected above 0 and up to 1e+09 W"),
    (lambda: fans.replace(system_duty=0.01), "system_duty is 0.01: expected above 0.05 and up to 1"),
    (lambda: fans.replace(count=10**30), "expected 1 to 256"),
    (lambda: Rack.from_mapping([], "rack.json"), "rack.json is [], expected a table"),
])
def test_a_fault_names_field_value_unit_range_and_way_out(call, said):
    assert said in refusal(call)


def test_a_list_with_a_fault_inside_is_not_called_too_short():
    data = as_mapping(rack)
    data["slots"][0]["server"]["mounts"][0]["device"]["max_power"] = -1
    assert refusal(lambda: Rack.from_mapping(data, "x")) == (
        "x: slots[0].server.mounts[0].device.max_power is -1 W: expected above 0 and up to 1e+09 W")


def test_descriptions_do_not_change():
    """Setting and deleting are refused with the way out; what is kept aside (`cached_property`) and copies work."""
    mine = rack.with_servers(2)
    assert "Rack.name cannot be set to 'x'" in refusal(lambda: setattr(mine, "name", "x"))
    assert ".replace(name=...)" in refusal(lambda: setattr(mine, "name", "x"))
    assert "did you mean 'name'" in refusal(lambda: setattr(mine, "nmae", "x"))
    assert "cannot be deleted" in refusal(lambda: delattr(mine, "name"))
    assert mine.n_server == 2
    assert mine.replace(name="x").name == "x" and mine.name == rack.name
    for again in (copy.copy(mine), copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert again == mine and again.n_server == 2


@pytest.mark.parametrize("servers", [0, -1, True, 2.5, "3", 100_001, float("nan")])
def test_numbers_of_servers(servers):
    for call in (lambda: Rack.from_library("hgx-b200", servers=servers), lambda: rack.with_servers(servers)):
        assert f"servers is {servers!r}, expected a whole number of servers, 1 to 100000" in refusal(call)
    assert "count is" in refusal(lambda: Rack.of(rack.slots[0].server, servers))


def test_numbers_of_numpy_count():
    assert rack.with_servers(np.int64(3)).n_server == 3


@pytest.mark.parametrize("name", library.names("racks"))
def test_a_rack_survives_json(name):
    """A rack written as JSON and read again is the rack, apart from where its numbers are from."""
    known = Rack.from_library(name)
    again = Rack.from_mapping(json.loads(json.dumps(as_mapping(known))), "x")
    assert again == known and hash(again) == hash(known)
    assert not again.provenance and "provenance" not in json.dumps(as_mapping(known))
    assert again.replace(name="other") != known
    assert known != "rack"


def test_equality_sees_series_over_time():
    import xarray as xr

    series = xr.DataArray([0.4, 0.5], dims="time", coords={"time": [0.0, 1.0]})
    assert Air(fan_speed=series) == Air(fan_speed=series.copy())
    assert Air(fan_speed=series) != Air(fan_speed=series + 0.1)
    assert Air(fan_speed=series) != Air(fan_speed=0.4)
    assert as_mapping(Air(fan_speed=series))["fan_speed"] == "<series>"


@pytest.mark.parametrize("value", [True, "25", b"25", None, 1j, float("nan"), 10**400, np.array([25.0]), np.bool_(True),
                                   80.0])
def test_a_number_in_a_range(value):
    text = refusal(lambda: require_between("initial", value, -50.0, 60.0, "degC", "or 'steady'"))
    assert "initial is " in text and text.endswith("-50 to 60 degC; or 'steady'")


def test_numbers_that_are_numbers():
    assert require_between("share", np.float32(0.5), 0.0, 1.0, "") == 0.5
    assert require_between("share", np.array(1), 0.0, 1.0, "") == 1.0
    assert refusal(lambda: require_between("share", 2, 0.0, 1.0, "")) == "share is 2, expected 0 to 1"


def test_a_fan_set_tells_all_faults_at_once():
    text = refusal(lambda: Fans(count=0, rated_speed="3", curve_flow=(0, 1, 2), curve_pressure=(2, 1, 0),
                                rated_power=-1, system_flow=1))
    for said in ("count is 0: expected 1 to 256", "rated_speed is '3': expected a number", "rated_power is -1 W"):
        assert said in text

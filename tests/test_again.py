"""A result holds enough to be made again."""
import numpy as np
import pytest
import small_rack
import xarray as xr

import thermo
import thermo.output
from thermo.cooling import PI, Air, Curve
from thermo.errors import ScenarioError

TIMES = np.arange(0.0, 601.0, 15.0)
LOAD = xr.DataArray(np.random.default_rng(4).uniform(100.0, 700.0, (TIMES.size, 8)), dims=("time", "device"),
                    coords={"time": TIMES}, attrs={"units": "W"})
INLET = xr.DataArray(np.linspace(20.0, 26.0, TIMES.size), dims="time", coords={"time": TIMES})
SPEED = xr.DataArray(np.linspace(4000.0, 9000.0, TIMES.size), dims="time", coords={"time": TIMES}, attrs={"units": "rpm"})


@pytest.mark.parametrize(("cooling", "more"), [
    (Air(fan_speed=0.7), {}),
    (Air(fan_speed=PI(setpoint=70.0), supply_flow=1.5), {"solver": "tr-bdf2", "tolerance": 0.05}),
    (Air(fan_speed=Curve(temperature=(40.0, 80.0), output=(0.3, 1.0))), {"ambient": {"air_temperature": INLET, "altitude": 900.0}}),
    (Air(fan_speed=SPEED), {"initial": 30.0, "power": "ac-ups-480v"}),
], ids=["fixed", "pi", "curve", "rpm"])
def test_rerun_gives_the_result(cooling, more, tmp_path):
    """Every variable of the run again is that of the result, to the bit, also after a round through a file."""
    result = thermo.simulate_rack(small_rack.rack, LOAD, cooling=cooling, **more)
    thermo.store.write(result, tmp_path / "result.nc")
    again = thermo.rerun(thermo.store.read(tmp_path / "result.nc"))
    for name in result.data_vars:
        np.testing.assert_array_equal(again[name].values, result[name].values, err_msg=name)


def test_a_long_workload_is_read_off_the_result(monkeypatch):
    """Beyond the length that is kept, measured power is the result's own; a utilisation is asked for."""
    monkeypatch.setattr(thermo.output, "LONGEST_SERIES", 10)
    result = thermo.simulate_rack(small_rack.rack, LOAD, cooling=Air(fan_speed=0.7))
    np.testing.assert_array_equal(thermo.rerun(result).junction_temperature, result.junction_temperature)
    use = thermo.simulate_rack(small_rack.rack, (LOAD / 700.0).assign_attrs(units="1"), cooling=Air(fan_speed=0.7))
    with pytest.raises(ScenarioError, match="workload: a series of .* was too long"):
        thermo.rerun(use)


def test_what_cannot_be_run_again_is_said():
    result = thermo.simulate_rack(small_rack.rack, LOAD, cooling=Air(fan_speed=0.7))
    with pytest.raises(ScenarioError, match="does not hold its scenario"):
        thermo.rerun(result.drop_attrs())
    later = LOAD.assign_coords(time=LOAD["time"] + TIMES[-1])
    with pytest.raises(ScenarioError, match="went on from an earlier result"):
        thermo.rerun(thermo.simulate_rack(small_rack.rack, later, cooling=Air(fan_speed=0.7), initial=result))

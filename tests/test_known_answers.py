"""Published points that the models were not fitted to: cases C01 to C03 and C19 (see docs of the library's sources)."""
import numpy as np
import pytest

import thermo
from thermo.cooling import Air

CFM = 0.3048**3 / 60  # m3/s


def air_rise(rack, duty, **ambient):
    """Mixed exhaust less supply of one server at full load [K], and what it draws [W]."""
    result = thermo.simulate_rack(thermo.Rack.from_library(rack, servers=1), 1.0, cooling=Air(fan_speed=duty), ambient=ambient)
    return (float(result.return_temperature[0] - result.supply_temperature[0]),
            float(result.it_power[0] + result.fan_power[0]), result)


@pytest.mark.parametrize(("inlet", "expected"), [(20.0, 16.1), (25.0, 16.4), (30.0, 16.7)])
def test_c01_dgx_h100_air_rise(inlet, expected):
    """10.2 kW into 1105 CFM at sea level: the rise follows from the air's density at the inlet. 2 %."""
    rise, power, _ = air_rise("dgx-h100", 0.8, air_temperature=inlet)
    assert power == pytest.approx(10_200, rel=0.005)
    assert rise == pytest.approx(expected, rel=0.02)


def test_c02_dgx_b200_air_rise():
    """14.3 kW into 1550 CFM at 25 degC: 16.4 K, and 108 CFM a kilowatt. 2 %."""
    rise, power, result = air_rise("dgx-b200", 0.8, air_temperature=25.0, relative_humidity=0.0)
    assert rise == pytest.approx(16.4, rel=0.02)
    volume_flow = float(result.mass_flow[0, 0]) / 1.1839  # dry air at 25 degC, 101,325 Pa
    assert volume_flow / CFM / (power / 1e3) == pytest.approx(108, rel=0.02)


def test_c03_altitude():
    """The same fans at 2000 m move the same volume of thinner air: the rise grows as density falls, 1.1839 / 0.9288. 2 %.

    Less the fans' own heat, which falls with density: the case holds the server's heat, so the fans' is put back.
    """
    sea, power_sea, _ = air_rise("dgx-h100", 0.8, air_temperature=25.0, altitude=0.0)
    high, power_high, _ = air_rise("dgx-h100", 0.8, air_temperature=25.0, altitude=2000.0)
    assert high * power_sea / power_high == pytest.approx(20.9, rel=0.02)
    assert high / power_high / (sea / power_sea) == pytest.approx(1.1839 / 0.9288, rel=0.005)


def test_c19_hgx_h100_under_load():
    """Eight H100 at their 700 W cap under air read 54 to 72 degC at some 25 degC inlet. +-6 K, the inlet is not stated."""
    watts = thermo.workload.constant(700.0, units="W")
    result = thermo.simulate_rack("dgx-h100", watts, ambient={"air_temperature": 25.0})
    gpus = result.junction_temperature.sel(device=result.device_kind == "gpu").values
    assert np.min(gpus) >= 54 - 6 and np.max(gpus) <= 72 + 6
    assert np.max(gpus) - np.min(gpus) > 3  # the second row breathes the first one's heat

"""Servers made for air on cold plates: what the kit changes, held against the library's own servers on plates."""
import numpy as np
import pytest

import thermo
from thermo.cooling import ColdPlateCooling
from thermo.cooling.refit import Refit
from thermo.errors import ScenarioError
from thermo.rack import in_liquid

PAIRS = [("hgx-b200", "hgx-b200-liquid"), ("mi300x-8gpu", "mi300x-8gpu-liquid"), ("dgx-h100", "hgx-h100-liquid")]


def accelerators(result):
    return result.junction_temperature.isel(time=0, device=thermo.summary.accelerators(result))


@pytest.mark.parametrize(("air", "liquid"), PAIRS)
def test_as_the_library_has_it(air, liquid):
    """A refitted server's accelerators are within 1 K of those of the vendor's own server on plates, which was not used for the rule."""
    one = thermo.simulate_rack(thermo.Rack.from_library(air, servers=1), 0.8, cooling="cold-plate")
    own = thermo.simulate_rack(thermo.Rack.from_library(liquid, servers=1), 0.8, cooling="cold-plate")
    assert float(accelerators(one).max()) == pytest.approx(float(accelerators(own).max()), abs=1.0)
    assert one.attrs["plates"].endswith(f"{air}-on-plates") and "plates" not in own.attrs
    assert float(abs(one.energy_residual).max()) <= 1e-9 * float(one.it_power.min())


@pytest.mark.parametrize("name", ["dgx-h100", "dgx-a100", "t4-server", "pcie-server"])
def test_nothing_is_lost(name):
    """Same devices in the same order; chips on plates, the rest in air; the air past what is left is what it was."""
    server = thermo.Rack.from_library(name).slots[0].server
    fitted = Refit().server(server)
    assert fitted.device_names == server.device_names
    chips = {i for i, (_, m, _) in enumerate(server.devices) if m.device.kind in ("gpu", "accelerator", "cpu", "switch")
             and m.device.junction_resistance is not None}
    assert {i for i, (_, m, _) in enumerate(fitted.devices) if in_liquid(m.sink)} == chips
    share = {lane.name: lane.flow_share for lane in server.lanes}
    for lane in fitted.lanes:
        assert lane.flow_share * fitted.fans.system_flow == pytest.approx(share[lane.name] * server.fans.system_flow, rel=1e-12)
    watts = sum(m.device.max_power * m.multiplicity for i, (_, m, _) in enumerate(fitted.devices) if i in chips)
    assert fitted.coolant_flow == pytest.approx(1.5e-3 / 60 * watts / 1e3)  # 1.5 L/min/kW
    assert np.isclose(sum(b.flow_share for b in fitted.branches), 1.0)


def test_own_kit_and_what_is_left_alone():
    """A kit of one's own is taken; a rack in which one server has plates is left as it is; a run says again what it was."""
    wide = ColdPlateCooling(refit=Refit(flow_per_power=5e-8))
    rack = thermo.Rack.from_library("dgx-h100", servers=1)
    cold, usual = (accelerators(thermo.simulate_rack(rack, 0.8, cooling=c)).max() for c in (wide, "cold-plate"))
    assert float(cold) < float(usual) - 1.0
    plated = thermo.Rack.from_library("hgx-h100-liquid")
    assert wide.fitted(plated) is plated
    result = thermo.simulate_rack(rack, 0.8, cooling=wide)
    again = thermo.rerun(result)
    assert (again.junction_temperature == result.junction_temperature).all() and again.attrs["plates"] == result.attrs["plates"]


def test_no_chip_to_put_a_plate_on():
    """Lumps keep their sinks; a rack of nothing else is refused."""
    rack = thermo.Rack.from_library("dgx-h100", servers=1)
    lumps = rack.map_servers(lambda s: s.replace(mounts=tuple(
        m.replace(device=m.device.replace(junction_resistance=None, case_capacity=None, memory_resistance=None, memory_capacity=None)) for m in s.mounts)))
    with pytest.raises(ScenarioError, match="no server of this rack has cold plates or a chip"):
        thermo.simulate_rack(lumps, 0.5, cooling="cold-plate")

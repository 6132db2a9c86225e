"""Library of liquid racks against what is published of them: heat, flow, pressure, temperatures over the flow guide; units."""
import numpy as np
import pytest
import xarray as xr

import thermo
from thermo import library
from thermo.cooling import Cdu, ColdPlateCooling, Hold, Manifold, Pump
from thermo.cooling.loop import Circuit, tray_pressure_drop
from thermo.cooling.plate import LiquidState, plate_pressure_drop, plate_resistance
from thermo.cooling.pumps import Pumps
from thermo.events import Timeline
from thermo.rack import ColdPlate, Rack

LIQUID = [n for n in library.names("racks") if library.server(library.rack(n).slots[0].server.name).branches]
LPM = 1 / 6e4


def full(rack, **changes):
    return thermo.simulate_rack(rack, 1.0, power="ideal", **changes).isel(time=-1)


@pytest.mark.parametrize("name", LIQUID)
def test_every_liquid_rack_runs(name):
    """At full load nothing is at its limit, nothing is warned of, heat adds up in air and liquid; caps take a few percent of clocks
    where dies are warmer than where they are rated. Hosts of TPU v4 are in air, the other racks leave less than 0.3 there."""
    rack = Rack.from_library(name)
    rack = rack.with_servers(min(rack.n_server, 4))
    r = thermo.simulate_rack(rack, 1.0)
    assert r.attrs["warnings"] == "[]"
    end = r.isel(time=-1)
    assert float(abs(end.energy_residual)) <= 1e-9 * float(end.it_power)
    assert float(end.clock_fraction.min()) > 0.95
    limit = end.max_operating_temperature
    assert bool((end.junction_temperature <= limit.where(limit.notnull(), 200.0)).all())
    assert float(end.heat_to_liquid) > {"tpu-v4": 0.5}.get(name, 0.7) * float(end.it_power)


def test_nvl72_balance():
    """C04: 115.56 kW on plates, 130 L/min of PG25 at 40 degC warm by 13.2 K, within 2 %; water by 12.9 K."""
    rack = Rack.from_library("gb200-nvl72")
    design = library.load("cooling", "cold-plate")
    s = rack.slots[0].server
    on_plates = rack.n_server * sum(m.device.max_power * m.multiplicity for i, (_, m, _) in enumerate(s.devices) if i not in s.in_air)
    assert on_plates == pytest.approx(115_560) and s.coolant_flow * rack.n_server == pytest.approx(130 * LPM, rel=1e-5)
    for fluid, rise in (("pg25", 13.2), ("water", 12.9)):
        r = full(rack, cooling=design.replace(fluid=fluid))
        assert float(r.heat_to_liquid - r.pump_power) == pytest.approx(115_560, rel=2e-3)
        assert float(r.return_temperature - r.supply_temperature) == pytest.approx(rise, rel=0.02)


def test_nvl72_heat_in_air():
    """HPE: 132 kW, of which 115 in liquid and 17 in air, the power shelves' loss included."""
    r = thermo.simulate_rack("gb200-nvl72", 1.0).isel(time=-1)
    assert float(r.heat_to_liquid) == pytest.approx(115e3, rel=0.03)
    assert float(r.heat_to_air) == pytest.approx(17e3, rel=0.12)


def test_flow_guide_is_an_isotherm():
    """The vendor's flow against supply temperature, 0.4 L/min/kW at 25 degC to 1.3 at 45, holds the model's GPU within 2 K of one
    temperature, with nothing fitted to it; half of that flow at 45 degC would cost 5 K and more."""
    rack = Rack.from_library("gb200-nvl72").with_servers(1)
    server, design = rack.slots[0].server, library.load("cooling", "cold-plate")
    guide = ((25.0, 0.4), (30.0, 0.5), (35.0, 0.7), (40.0, 0.9), (45.0, 1.3))

    def hottest(supply, per_kW):
        here = rack.replace(slots=(rack.slots[0].replace(server=server.replace(coolant_flow=per_kW * 6.42 * LPM)),))
        return float(full(here, cooling=design.replace(supply_temperature=supply)).junction_temperature.sel(device="gpu0")[0])

    found = np.array([hottest(*point) for point in guide])
    assert np.ptp(found) < 4.0 and np.max(found) < 87.0, found
    assert hottest(45.0, 0.65) > found[-1] + 5.0


def test_plates_against_published_targets():
    """GB200 plate: below 0.03 K/W and 20 kPa (S48), 0.045 to 0.15 K cm2/W (S24), as its geometry has it."""
    mount = library.server("gb200-nvl72-tray").mounts[0]
    assert isinstance(mount.sink, ColdPlate)
    liquid = LiquidState.at(thermo.Fluid.from_library("pg25"), 45.0)
    m = np.array([1.62 * LPM * liquid.density])
    R = plate_resistance(mount.sink, m, liquid, mount.device.contact_area)
    assert float(R.to_inlet[0]) < 0.03 and float(plate_pressure_drop(mount.sink, m, liquid)[0]) < 20e3
    assert 0.045 < float((R.base + R.film)[0]) * mount.device.contact_area * 1e4 < 0.15


def test_node_pressure():
    """A compute tray takes 10 psi at its flow, within a third: plates from geometry, hoses and disconnects as told."""
    drops = tray_pressure_drop(library.server("gb200-nvl72-tray"), thermo.Fluid.from_library("pg25"), 46.0)
    assert max(drops.values()) == pytest.approx(69e3, rel=0.1)
    plates = max(drops.values()) - library.server("gb200-nvl72-tray").coolant_drop
    assert 0.4 < plates / max(drops.values()) < 0.62, "52 % of the loop of S06 is in plates"


def test_pressure_of_a_board():
    """A vendor's GB200 board (two GPUs, a CPU) takes 45 kPa at 4 L/min, the coolant not told: the plates' geometry gives less with water and
    more with PG25. 29.3 kPa at 2 L/min is what OCP plans for a plate; these finer split-flow plates take a half to three quarters."""
    server = library.server("gb200-nvl72-tray")
    share = next(b.flow_share for b in server.branches if b.name == "superchip-a")
    flow = 4 * LPM / share
    hoses = server.coolant_drop * (flow / server.coolant_flow) ** 2
    water, pg25 = (tray_pressure_drop(server, thermo.Fluid.from_library(name), 35.0, flow=flow)["superchip-a"] - hoses for name in ("water", "pg25"))
    assert water < 45e3 < pg25
    liquid = LiquidState.at(thermo.Fluid.from_library("pg25"), 35.0)
    plate = float(plate_pressure_drop(server.mounts[0].sink, np.array([2 * LPM * liquid.density]), liquid)[0])
    assert 0.5 < plate / 29.3e3 < 0.75


def test_rack_under_the_guide_by_the_flow_network():
    """Over the vendor's guide, 0.4 L/min/kW at 25 degC to 1.3 at 45, the whole rack's network asks for more and more head, and for less than the
    241 kPa that units are qualified with; flow comes out as asked. No point of it is in the fit."""
    server, fluid = library.server("gb200-nvl72-tray"), thermo.Fluid.from_library("pg25")
    heads = []
    for supply, per_kW in ((25.0, 0.4), (30.0, 0.5), (35.0, 0.7), (40.0, 0.9), (45.0, 1.3)):
        liquid = LiquidState.at(fluid, supply + 0.5 * 14.0 / per_kW)
        flow = per_kW * 6.42 * LPM
        scaled = server.replace(coolant_flow=flow, coolant_drop=server.coolant_drop * (flow / server.coolant_flow) ** 2)
        made = Circuit(Pumps(Pump(head=241e3), 100e3, 5e-3), [(scaled, 18)], liquid, Manifold(diameter=0.05))
        flows = made.flows(Timeline(seconds=np.array([0.0, 1.0]), servers=18), np.ones(()), Hold(quantity="flow", value=1.0))
        assert flows.total[0] == pytest.approx(18 * flow, rel=6e-3), "the manifold takes less than a percent of the head"
        heads.append(max(tray_pressure_drop(server, fluid, supply + 0.5 * 14.0 / per_kW, flow=flow).values()))
    assert np.all(np.diff(heads) > 0) and heads[0] < 20e3 and 60e3 < heads[-1] < 241e3


@pytest.mark.parametrize("name", library.names("cdus"))
def test_units_are_physical(name):
    """Effectiveness 0.6 to 0.9 (a coil in air 0.4 and more), some 2 to 5 transfer units, 1 to 1.6 L/min/kW, pumps 0.5 to 2 % of the heat."""
    unit = Cdu.from_library(name)
    coil = unit.sink == "air"
    assert (0.4 if coil else 0.6) < unit.effectiveness < 0.9
    assert (0.6 if coil else 1.5) < unit.conductance / min(unit.capacity_rates) < 6
    assert 0.8 < unit.secondary_flow * 6e4 / (unit.rated_heat / 1e3) < 1.6
    if unit.pump_power is not None:
        assert 0.005 < unit.pump_power / unit.rated_heat < 0.02
        assert 0.2 < unit.external_head * unit.secondary_flow / unit.pump_power < 0.4


@pytest.mark.parametrize("name, NTU", [("coolchip-cdu-121", 3.75), ("xdu1350", 4.2), ("cm25-2", 2.5),
                                       ("hcu2500", 382e3 / 89.3e3)])
def test_decoded_units(name, NTU):
    """Transfer units as decoded elsewhere from the same sheets, within 10 %: there both sides had equal heat capacity."""
    unit = Cdu.from_library(name)
    assert unit.conductance / min(unit.capacity_rates) == pytest.approx(NTU, rel=0.1)


def driven(name, watts, **changes):
    """The first server of a rack at rest with each accelerator at that power, as measured: firmware moves nothing."""
    rack = Rack.from_library(name).with_servers(1).map_servers(lambda s: s.replace(mounts=tuple(
        m.replace(device=m.device.replace(firmware=None)) for m in s.mounts)))
    accelerators = [rack.slots[0].server.device_names[i] for i in rack.slots[0].server.accelerators]
    power = xr.DataArray(np.full((2, len(accelerators)), watts), dims=("time", "device"), attrs={"units": "W", "interpolation": "linear"},
                         coords={"time": [0.0, 60.0], "device": accelerators})
    return thermo.simulate_rack(rack, power, power="ideal", **changes).isel(time=-1, server=0)


def test_mi300x_on_plates():
    """Hot spots stay below the 100 degC and memory below the 95 degC at which the driver slows it down (S04), with coolant as warm
    as such racks may take, 45 degC; behind the first card the second is warmer by what 750 W warm its coolant."""
    design = library.load("cooling", "cold-plate").replace(supply_temperature=45.0)
    end = full("mi300x-8gpu-liquid", cooling=design).isel(server=0)
    cards = end.sel(device=[f"gpu{i}" for i in range(8)])
    assert float(cards.device_power.sum()) == pytest.approx(6000.0), "capped at 750 W each"
    assert 70 < float(cards.junction_temperature.max()) < 80 and float(cards.memory_temperature.max()) < 70
    server, fluid = library.server("mi300x-8gpu-liquid"), thermo.Fluid.from_library("pg25")
    assert server.coolant_flow / LPM == pytest.approx(1.5 * 6.72, rel=1e-3), "the open guideline's rule"
    through = server.coolant_flow * 0.223 * float(fluid.density(47.5) * fluid.heat_capacity(47.5))
    upstream, downstream = (float(cards.junction_temperature.sel(device=d)) for d in ("gpu0", "gpu1"))
    assert downstream - upstream == pytest.approx(750.0 / through, rel=0.02)


def test_mi300x_modules_are_those_in_air():
    """The module measured in air (T02) is the module on the plate: from its case up it has the same resistance under both."""
    air, liquid = (library.server(n).mounts[0].device for n in ("mi300x-8gpu", "mi300x-8gpu-liquid"))
    assert air == liquid and liquid.junction_resistance + 0.024 == pytest.approx(0.0455, abs=1e-4)
    plate = library.server("mi300x-8gpu-liquid").mounts[0]
    fluid = LiquidState.at(thermo.Fluid.from_library("pg25"), 45.0)
    m = np.array([0.000168 * 0.223 * fluid.density])
    R = plate_resistance(plate.sink, m, fluid, plate.device.contact_area)
    assert float(R.to_inlet[0]) < 0.018, "less than the sink in air, which has 0.018 K/W"
    assert float(plate_pressure_drop(plate.sink, m, fluid)[0]) < 20e3


@pytest.mark.parametrize("watts", [121.0, 170.0, 192.0, 206.0])
def test_tpu_v4_at_measured_powers(watts):
    """Minimum, mean and maximum of production applications and the higher of MLPerf (S32): all of a cube's 64 chips' heat goes to the
    water, none is near its limit, and chips behind chips are warmer by less than a third of their rise."""
    end = driven("tpu-v4", watts)
    assert 16 * float(end.heat_to_liquid - end.pump_power) == pytest.approx(64 * watts, rel=1e-3)
    rise = end.junction_temperature.sel(device=["tpu0", "tpu1", "tpu2", "tpu3"]) - end.supply_temperature
    assert float(rise.max()) < 20.0
    assert 0.2 < float(rise.sel(device="tpu1") - rise.sel(device="tpu0")) / float(rise.sel(device="tpu1")) < 0.35


def test_tpu_v4_idle():
    """90 W measured idle, ASIC and memory: cooler than where its power is told, it leaks less, within a tenth."""
    end = thermo.simulate_rack("tpu-v4", 0.0, power="ideal").isel(time=-1, server=0)
    idle = end.device_power.sel(device=["tpu0", "tpu1", "tpu2", "tpu3"])
    assert 0.9 * 90 < float(idle.min()) and float(idle.max()) < 90.0


def test_cs3_as_published():
    """23 kW with its pump, within 2 %; 21 degC supplied. At 100 L/min and 25 kW, 4 L/min for each kW, water warms by 3.6 K."""
    r = thermo.simulate_rack("cs-3", 1.0).isel(time=-1)
    total = float(r.it_power + r.fan_power + r.pump_power)
    assert total == pytest.approx(23e3, rel=0.02) and library.server("cs-3").rated_power == 23e3
    assert float(r.supply_temperature) == pytest.approx(21.0, abs=0.01)
    assert library.server("cs-3").coolant_flow / total == pytest.approx(100 * LPM / 25e3, rel=0.02)
    warmed = float(r.return_temperature - r.supply_temperature) * 25e3 / float(r.heat_to_liquid - r.pump_power) * library.server("cs-3").coolant_flow
    assert warmed / (100 * LPM) == pytest.approx(3.6, rel=0.01)
    assert 0.05 < float(r.heat_to_air) / total < 0.1
    assert 30 < float(r.junction_temperature.isel(server=0).sel(device="wse0")) < 60, "no temperature is published; its limit is assumed"


def test_designs_of_the_library():
    """Each file of `cooling` is the design that it names; the one with a unit runs a rack of its size."""
    assert isinstance(library.load("cooling", "cold-plate"), ColdPlateCooling)
    assert isinstance(library.load("cooling", "air"), thermo.cooling.Air)
    assert library.load("cooling", "cold-plate-w32").fluid.name == "water"
    r = full("gb200-nvl72", cooling="cold-plate-cdu", ambient={"facility_water_temperature": 32.0})
    assert float(r.supply_temperature) == pytest.approx(40.0, abs=0.01)
    assert float(abs(r.energy_residual)) <= 1e-9 * float(r.it_power)

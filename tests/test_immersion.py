"""A tank of liquid: flow by jets, buoyancy and friction through the whole engine; layers, walls, unit; the same server in air and oil."""
import doctest
import math

import numpy as np
import pytest
import xarray as xr
from small_rack import cpu, gpu, rack, srv
from test_mixed_convection import EVEN

import thermo
from thermo import workload
from thermo.cooling import PI, Air, Cdu, Immersion, Pump, TankSink, tank_slots
from thermo.cooling import immersed as of_devices
from thermo.cooling.immersed import EQUIVALENT, UPTAKE, Rated, equivalent_count, immersed
from thermo.cooling.immersion import wall_coefficient
from thermo.cooling.mixed_convection import Slot, sink_conductance, slot_flow, slot_pressure_drop
from thermo.cooling.tank_slots import TOP, UNIT, Slots
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import CurveSink, Device, Lane, Mount, PlateFinSink, Rack, Server
from thermo.rack import Slot as Place

pytestmark = pytest.mark.filterwarnings("ignore:.*gaps of:UserWarning")  # the made-up rack has sinks for air
PAO, OIL = Fluid.from_library("pao-4"), Fluid.from_library("mineral-oil")
WATER_UNIT = Cdu(name="unit", rated_heat=30e3, approach=4.0, secondary_flow=2.5e-3, primary_flow=1.2e-3, fluid="pao-4", volume=2e-3)
COARSE = PlateFinSink(width=0.08, length=0.1, base_thickness=0.004, fin_height=0.03, fin_thickness=0.001, fin_count=18)
bare = Device(name="bare", kind="gpu", max_power=200, idle_power=0.001, junction_capacity=1e-3, firmware=None)
plain = Server(  # one path, two rows of equal lumps that store next to nothing
    name="plain", height_units=2, lanes=(Lane(name="all", flow_share=1.0),), fans=srv.fans,
    mounts=(Mount(device=bare, names=("gpu0", "gpu1"), lanes=("all", "all"), positions=(0, 1),
                  sink=CurveSink(flow_resistance=0.1, reference_flow=0.02, capacity=1e-3)),))
two = Rack(name="plain", slots=(Place(server=plain, count=2),))
CLOSED = {"wall_loss": 0.0, "lid_loss": 0.0, "side_exchange": 0.0}


def run(load=0.8, *, of=rack, events=(), initial="steady", ambient=None, solver="auto", power="ideal", **changes):
    if isinstance(load, float):
        load = workload.constant(load, duration=3600.0, time_step=600.0)
    return thermo.simulate_rack(of, load, cooling=Immersion(**changes), events=events, initial=initial, ambient=ambient, solver=solver, power=power)


def held(u, times):
    return workload.as_workload(xr.DataArray(np.full(len(times), u), dims="time", coords={"time": np.asarray(times, float)}, attrs={"units": "1"}))


def balanced(r):
    return float(abs(r.energy_residual).max()) <= 1e-9 * float(max(r.it_power.max(), 1.0))


# ------------------------------------------------------------------------------------------------------------------- balance

@pytest.mark.parametrize("changes", [
    {}, {"cdu": WATER_UNIT}, {"fluid": "mineral-oil", "jet_head": 0.0}, {"fluid": "fc-3283", "feed": 1e-3}, {"rated_rise": 4.0, "cells": 3}])
def test_energy_balance(changes):
    """Everything in is out or stored to 1e-9 over a swing of load, whichever way the bath flows; nothing of it in fans."""
    time = [0.0, 300.0, 900.0, 1500.0]
    load = workload.as_workload(xr.DataArray([0.2, 1.0, 0.1, 0.6], dims="time", coords={"time": time}, attrs={"units": "1"}))
    r = run(load, **changes)
    assert balanced(r) and np.all(r.fan_power == 0) and "taken out of the servers" in r.attrs["fans"]
    assert np.all(np.isfinite(r.junction_temperature)) and np.all(r.mass_flow > 0)


def test_at_rest_from_the_start():
    """A run that begins in its steady state stays there, with a unit and without, where slots take all that is fed and where not."""
    for changes in ({}, {"cdu": WATER_UNIT}, {"rated_rise": 4.0}, {"jet_head": 0.0, "feed": 5e-4}):
        r = run(**changes)
        for name in ("junction_temperature", "fluid_temperature", "coolant_temperature"):
            assert float(abs(r[name] - r[name][0]).max()) < 2e-3, (name, changes)


def test_walls_and_lid_by_hand():
    """Heat to air at rest is that of each layer's wall and of the lid, by their temperatures; an open lid loses more."""
    r = run(wall_loss=5.0, lid_loss=2.0, ambient={"air_temperature": 20.0})
    length = 4 * 8 * UNIT
    plan = length * 0.45 * 1.2
    around, heights = 2 * (length + plan / length), np.array([0.1, *[0.15] * 5, *[0.05] * 3])
    T = r.fluid_temperature[-1].values
    by_hand = 5.0 * around * heights @ (T - 20.0) + 2.0 * plan * (T[-1] - 20.0)
    assert float(r.heat_to_air[-1]) == pytest.approx(by_hand, rel=1e-4)
    assert float(r.heat_to_liquid[-1]) == pytest.approx(float(r.it_power[-1] + r.pump_power[-1]) - by_hand, rel=1e-5)
    opened = run(lid_loss=2.0, events=[thermo.events.lid_open(1200.0, duration=600.0)], ambient={"air_temperature": 20.0})
    more = opened.heat_to_air.values - opened.heat_to_air.values[0]
    assert more[2] == pytest.approx((9.0 - 2.0) * plan * 28, rel=0.05) and abs(more[5]) < 0.02 * more[2] and balanced(opened)
    assert 4.0 < wall_coefficient(1.0, 40.0, 25.0) < 6.5, "natural convection some 3.5, radiation some 1.8 W/(m2 K)"


def test_unit_holds_the_supply():
    """The valve holds what is fed at its set point, also one that moves; without water the tank warms by what it stores."""
    r = run(cdu=WATER_UNIT, supply_temperature=38.0, ambient={"facility_water_temperature": 25.0})
    assert r.supply_temperature.values == pytest.approx(38.0, abs=5e-3)
    load = held(0.8, np.arange(0.0, 3600.1, 60.0))
    moved = run(load, cdu=WATER_UNIT, events=[thermo.events.setpoint(600.0, "supply_temperature", 43.0)])
    assert float(moved.supply_temperature[0]) == pytest.approx(40.0, abs=5e-3) and float(moved.supply_temperature[-1]) == pytest.approx(43.0, abs=0.05)
    dry = run(held(0.8, np.arange(0.0, 1500.1, 60.0)), cdu=WATER_UNIT, events=[thermo.events.water_loss(600.0)])
    late = dry.isel(time=slice(-12, -1))
    assert float(abs(late.heat_to_liquid).max()) < 1e-5 * float(late.it_power[0]) and float(late.supply_temperature.diff("time").min()) > 0 and balanced(dry)
    rate = float(late.stored_energy[-1] - late.stored_energy[0]) / float(late.time[-1] - late.time[0])
    assert rate == pytest.approx(float((late.it_power + late.pump_power - late.heat_to_air).mean()), rel=0.01)


# ------------------------------------------------------------------------------------------------------------------- the flow

def closed_flow(fluid, q, channels, slot, c_p):
    """Where rho g beta (dT / 2) H meets 12 mu H m / (rho w s^3), with dT = q / (m c): m^2 = ..."""
    rho, mu = float(fluid.density(45.0)), float(fluid.viscosity(45.0))
    beta = float(fluid.expansion(45.0))
    return math.sqrt(channels * slot.width * slot.gap**3 * rho * 9.80665 * rho * beta * q / (2 * 12 * mu * c_p))


def test_natural_circulation_against_the_closed_solution():
    """No jets, a cold bath, constant viscosity, even heat: the engine's flow is the closed one, within the friction of the slot's narrow
    sides and entrance (1.5 %), and that of `slot_flow` within 0.1 %."""
    slot = Slot(height=0.75, width=0.45, gap=0.008, loss=0.0)
    channels = 2 * UNIT * 0.5 / 0.008
    r = run(held(1.0, [0.0, 3600.0, 7200.0]), of=two, fluid=EVEN, jet_head=0.0, slot_loss=0.0, feed=5e-3, **CLOSED)
    m, q = float(r.mass_flow[-1, 0]), 400.0
    assert m == pytest.approx(closed_flow(EVEN, q, channels, slot, 2000.0), rel=0.03)
    assert m == pytest.approx(channels * float(slot_flow(slot, EVEN, q / channels, 40.0).m_dot), rel=2e-3)
    assert r.fluid_temperature[-1, 1:6].values == pytest.approx(40.0, abs=1e-6), "the bath is what is fed"
    half = run(held(0.5, [0.0, 3600.0]), of=two, fluid=EVEN, jet_head=0.0, slot_loss=0.0, feed=5e-3, **CLOSED)
    assert float(half.mass_flow[-1, 0]) / m == pytest.approx(math.sqrt(0.5), rel=0.02), "flow goes with the root of heat"


def test_flow_is_the_balance_of_jets_buoyancy_and_friction():
    """Whatever the bath does, with real oil: what the slots' flow takes by `slot_pressure_drop` is jets and the weight that they lack."""
    for changes in ({"jet_head": 5.0}, {"jet_head": 0.0, "rated_rise": 4.0}, {"fluid": "mineral-oil", "jet_head": 12.0}):
        r = run(held(1.0, [0.0, 3600.0]), of=two, **changes)
        fluid = Fluid.from_library(changes.get("fluid", "pao-4"))
        T = r.coolant_temperature[-1, 0]
        slot = float(T.sel(position="inlet")) / 4 + float(T.sel(position="gpu0")) / 2 + float(T.sel(position="gpu1")) / 4
        bath, channels = float(r.fluid_temperature[-1, 1:6].mean()), 2 * UNIT * 0.5 / 0.008
        head = changes["jet_head"] + 9.80665 * 0.75 * float(fluid.density(bath) - fluid.density(slot))
        took = slot_pressure_drop(Slot(height=0.75, width=0.45, gap=0.008), fluid, float(r.mass_flow[-1, 0]) / channels, slot, slot)
        assert float(took) == pytest.approx(head, rel=5e-3), changes


def test_hotter_slot_draws_more():
    """Of two servers in one tank the one that works has more flow than the one that idles, and is still the hotter."""
    load = workload.as_workload(xr.DataArray([[1.0, 0.1]] * 2, dims=("time", "server"), coords={"time": [0.0, 3600.0]}, attrs={"units": "1"}))
    r = run(load, of=two)
    hot, cold = r.mass_flow[-1].values
    assert hot > 1.1 * cold and balanced(r)
    outlet = r.coolant_temperature.sel(position="outlet")[-1].values
    assert outlet[0] > outlet[1] + 1.0


def test_thick_oil_flows_less():
    """Jets alone, no heat: flow goes with density over viscosity where friction is laminar; from 0 to 40 degC sevenfold."""
    flows = [float(run(held(0.0, [0.0, 60.0]), of=two, fluid=OIL, supply_temperature=T, feed=1e-4, slot_loss=0.0, ambient={"air_temperature": T}, **CLOSED
                       ).mass_flow[-1, 0]) for T in (0.0, 40.0)]
    thinner = float(OIL.viscosity(0.0) / OIL.viscosity(40.0) * OIL.density(40.0) / OIL.density(0.0))
    assert thinner > 6 and flows[1] / flows[0] == pytest.approx(thinner, rel=0.05)


@pytest.mark.filterwarnings("ignore:tank. the path:UserWarning")  # of the lane with next to no heat, in liquid that is fed warmer
def test_cold_start():
    """From 0 degC, and fed with 10: little flows at first, and all comes to the rest that a steady start finds."""
    r = run(held(0.8, np.arange(0.0, 7200.1, 60.0)), fluid="mineral-oil", supply_temperature=10.0, initial=0.0, ambient={"air_temperature": 10.0})
    late = run(0.8, fluid="mineral-oil", supply_temperature=10.0, ambient={"air_temperature": 10.0})
    assert float(r.mass_flow[1, 0]) < 0.5 * float(late.mass_flow[-1, 0])
    assert r.junction_temperature[-1].values == pytest.approx(late.junction_temperature[-1].values, abs=0.1)
    assert balanced(r)


# -------------------------------------------------------------------------------------------------------------------- layers

def front(layers, cells):
    """A step of supply by 1 K at constant flow (no expansion): when half of it is at the top, after what volume over flow says, and
    how long it takes from 10 to 90 %."""
    still = EVEN.replace(density_series=(850.0, -1e-9))
    fixed = {"fluid": still, "of": two, "layers": layers, "cells": cells, "bath_share": 0.01, **CLOSED}
    feed = 2 * float(run(held(0.0, [0.0, 60.0]), **fixed).mass_flow[-1, 0]) / 850.0
    time = np.arange(0.0, 901.0, 2.0)
    step = xr.DataArray(np.where(time >= 20.0, 41.0, 40.0), dims="time", coords={"time": time}, attrs={"interpolation": "constant"})
    r = run(held(0.0, time), feed=feed, supply_temperature=step, **fixed)
    plan = 2 * 2 * UNIT * 0.45
    volume = plan * 1.01 * (0.1 + 0.15 * (1 - 0.5 / layers)) + plan * 0.75 * 0.5 * (1 + TOP)  # to the middle of the top layer
    top = r.fluid_temperature[:, -1].values - 40.0
    arrives = [float(np.interp(x, top, time)) - 20.0 for x in (0.1, 0.5, 0.9)]
    assert balanced(r) and np.all(np.diff(top) > -1e-6)
    return arrives[1], volume / feed, arrives[2] - arrives[0]


def test_stratified_filling():
    """A front arrives at the top after volume over flow, the plenum's mixed volume spreads it, and the sharper the more cells there are."""
    few, many = front(3, 2), front(30, 20)
    assert many[0] == pytest.approx(many[1], rel=0.1)
    assert many[2] < 0.85 * few[2]


def test_warm_liquid_stays_above():
    """While load rests, what is fed pushes the warm layers out from below: temperature rises with height in bath and layers."""
    load = workload.as_workload(xr.DataArray([1.0, 0.0, 0.0], dims="time", coords={"time": [0.0, 60.0, 300.0]}, attrs={"units": "1"}))
    r = run(load, layers=6)
    T = r.fluid_temperature[-1].values
    assert np.all(np.diff(T) > -0.15) and np.all(np.diff(T[-6:]) > 0) and T[-1] - T[0] > 3.0
    assert r.height.attrs["units"] == "m" and np.all(np.diff(r.height) > 0) and r.fluid_temperature.dims == ("time", "height")


# ------------------------------------------------------------------------------------------------------------------ pump trip

@pytest.mark.filterwarnings("ignore:tank. the path:UserWarning")  # of the processors' lane
def test_pump_trip_leaves_natural_circulation():
    """Pumps coast down in seconds; the feed and the jets are gone, buoyancy drives what flows; the tank stores what is drawn: the rate is
    heat over the capacity of liquid and metal, and the junctions stay a while where they were."""
    r = run(held(0.8, np.arange(0.0, 1201.0, 30.0)), events=[thermo.events.pump_trip(300.0)])
    still = run(held(0.8, [0.0, 60.0]), jet_head=0.0)
    t = r.time.values
    after = r.isel(time=t > 400)
    assert float(after.pump_power.max()) == 0 and float(after.pump_speed.max()) < 1e-4 and balanced(r)
    assert float(abs(after.heat_to_liquid).max()) < 1e-3 * float(r.it_power[0])
    assert 0.05 < float(after.mass_flow.min() / still.mass_flow[0, 0]) < 0.5, "without a cold bath less than with one"
    length = 4 * 8 * UNIT
    per_volume = float(PAO.density(44.7) * PAO.heat_capacity(44.7))
    liquid = per_volume * length * 0.45 * (1.2 * 0.25 + 0.2 * 0.75 + 0.75 * 0.5 * (1 + TOP))
    metal = 4 * (8 * (gpu.junction_capacity + gpu.case_capacity + gpu.memory_capacity + srv.mounts[0].sink.capacity)
                 + 2 * (cpu.junction_capacity + cpu.case_capacity + 400) + 8 * (50 + 50))
    stored = float(r.stored_energy[-1] - r.stored_energy.sel(time=300.0))
    assert stored == pytest.approx(float((r.it_power - r.heat_to_air).where(r.time >= 300.0).mean()) * 900.0, rel=0.02)
    hot, cold = r.isel(time=-1), r.sel(time=300.0)
    rise = stored / (liquid + metal)
    everywhere = np.append((hot.fluid_temperature - cold.fluid_temperature).values, float(hot.return_temperature - cold.return_temperature))
    assert everywhere.min() < rise < everywhere.max()
    gpus = hot.junction_temperature.sel(device=[f"gpu{i}" for i in range(8)]) - cold.junction_temperature
    assert rise < float(gpus.max()) < 2 * rise, "a tank stores a quarter of an hour"


def test_one_of_two_pumps():
    """Half of the feed is left, and a quarter of the jets' head."""
    r = run(held(0.8, np.arange(0.0, 1201.0, 60.0)), pump=Pump(head=60e3, count=2), events=[thermo.events.pump_trip(300.0)])
    assert float(r.pump_speed[0]) == 1.0 and float(r.pump_speed[-1]) == pytest.approx(0.5)
    assert float(r.pump_power[-1] / r.pump_power[0]) == pytest.approx(0.5, rel=1e-6)
    assert float(r.return_temperature[-1] - r.return_temperature[0]) > 5.0 and balanced(r)


def after_trip(fluid, period=None):
    """Flow over that before, and junctions, in the minutes after the pumps have stopped."""
    r = run(held(0.9, [0.0, 30.0, *(60.0 + np.array([0, 1, 3, 8, 20, 45, 90, 180]))]), fluid=fluid, period=period,
            events=[thermo.events.pump_trip(60.0)])
    return r.mass_flow.sum("server").values / float(r.mass_flow[0].sum()), r.junction_temperature.values


@pytest.mark.filterwarnings("ignore:tank. the path:UserWarning")
@pytest.mark.parametrize("fluid", ["pao-4", "fc-40"])
def test_looks_are_often_enough(fluid):
    """In the default period flow and junctions after a pump trip are within 2 % and 0.15 K of those in a fifth of it."""
    rates = []
    with pytest.MonkeyPatch.context() as patch:
        usual = Slots.__dict__["_period"].func
        patch.setattr(Slots, "_period", property(lambda self: rates.append(usual(self)) or rates[-1]))
        flow, T = after_trip(fluid)
    fine, cooler = after_trip(fluid, 0.2 * rates[0])
    assert np.max(np.abs(flow - fine)) < 0.02 and np.max(np.abs(T - cooler)) < 0.15
    with pytest.raises(ScenarioError, match=r"cooling.period is .* s, expected at most .* s: .* answers within"):
        after_trip(fluid, 2.1 * rates[0])


def test_period_too_long_would_swing(monkeypatch):
    """What is refused is what swings: far beyond the bound flow never settles, within it does to 1e-6."""
    monkeypatch.setattr(tank_slots, "SWINGS", 1e3)
    settled = [run(held(0.8, np.arange(0.0, 121.0, 5.0)), of=two, fluid="fc-40", period=period).mass_flow[12:-1].sum("server") for period in (0.3, 6.0)]
    swing = [float((m.max() - m.min()) / m.mean()) for m in settled]
    assert swing[0] < 1e-6 and swing[1] > 0.05


def test_standing_slots_are_told():
    """Warm oil into a cold tank rises beside the slots: their flow stands, and the result says so; cold oil at rest flows slowly and is fine."""
    with pytest.warns(UserWarning, match="tank: the path of .* stands still for .* the bath beside it is the warmer"):
        r = run(held(0.8, np.arange(0.0, 601.0, 60.0)), supply_temperature=40.0, initial=10.0, jet_head=0.0)
    assert float(r.mass_flow.min()) < 1e-4 and balanced(r)
    cold = run(held(0.8, np.arange(0.0, 601.0, 60.0)), fluid="mineral-oil", supply_temperature=-10.0, initial=-10.0)
    assert "stands still" not in cold.attrs["warnings"] and float(cold.mass_flow.min()) > 5e-3


def test_supplies_of_a_standing_slot_warm_the_layer_above():
    """The edge of a server is open to the layer above it: while its slot stands, what its supplies lose goes there, within a few kelvin,
    and where liquid flows nothing of that is left."""
    with pytest.warns(UserWarning, match="tank: the path of .* stands still"):
        r = thermo.simulate_rack(Rack.from_library("dgx-h100", servers=1), held(0.8, np.arange(0.0, 601.0, 20.0)), initial=10.0,
                                 cooling=Immersion(jet_head=0.0))
    still = r.mass_flow.isel(server=0) < 1e-4
    outlet = r.coolant_temperature.sel(position="outlet").isel(server=0)
    assert float(still.mean()) > 0.5 and balanced(r)
    assert float((outlet - r.fluid_temperature.isel(height=slice(6, 9)).max("height"))[still].max()) < 3.0
    assert float(r.junction_temperature.max()) < 85.0


def test_return_is_what_comes_to_the_unit():
    """By hand: feed, its heat capacity and the difference of return and supply are the heat to liquid, whatever part of the feed goes
    through the slots; to 1 %, by which the heat capacity changes over 25 K."""
    for changes in ({}, {"cdu": WATER_UNIT}, {"rated_rise": 4.0}, {"jet_head": 0.0, "feed": 5e-4}):
        r = run(**changes).isel(time=-1)
        c_p = float(PAO.heat_capacity(0.5 * float(r.supply_temperature + r.return_temperature)))
        assert float(r.feed_flow * c_p * (r.return_temperature - r.supply_temperature)) == pytest.approx(float(r.heat_to_liquid), rel=1e-2), changes


def test_unit_that_is_too_large_is_told():
    """Shut, the valve lets a thirtieth through: a unit twenty times too large overcools, which the result says; one that fits, also from cold, not."""
    big = WATER_UNIT.replace(rated_heat=600e3, secondary_flow=5e-2, primary_flow=2.4e-2)
    with pytest.warns(UserWarning, match=r"cdu: at .* s the feed is .* K colder than asked for, with the valve shut: .*cooling.cdu_share"):
        run(cdu=big, ambient={"facility_water_temperature": 15.0})
    for changes in ({}, {"initial": 10.0}):
        assert "too large" not in run(cdu=WATER_UNIT, **changes).attrs["warnings"]


# ------------------------------------------------------------------------------------------------------------------- devices

def test_sinks_follow_mixed_convection():
    """Laws of one thing each, put together, miss the coefficient of `sink_conductance` at the rated heat by less than 5 % in warm liquid, 8 %
    in cold and slow."""
    mount = srv.mounts[0].replace(sink=COARSE)
    found = immersed(mount, None, PAO, Rated(45.0, 0.05, 700.0), 0.5)
    for m in (0.01, 0.03, 0.1, 0.3):
        for T in (10.0, 25.0, 45.0, 60.0):
            wall = T + 20.0
            for _ in range(60):
                UA = float(sink_conductance(COARSE, PAO, m, T, wall)[0])
                wall = T + 700.0 / UA
            assert found.conductance(m, T) == pytest.approx(UA, rel=0.05 if T > 20 else 0.08), (m, T)
    assert found.conductance(0.05, 45.0) == pytest.approx(float(sink_conductance(COARSE, PAO, 0.05, 45.0, 45.0 + 700.0 / found.conductance(
        0.05, 45.0))[0]), rel=1e-5)
    r = np.array([1e-3, 0.1, 1.0, 30.0])
    assert UPTAKE(r) == pytest.approx(r * -np.expm1(-1 / r), rel=1e-6)


def test_natural_part_is_that_of_the_rated_heat():
    """What the docstring owns up to: with next to no flow, UA at half of the heat is up to 16 % less than the law says, at a tenth up to 41 %."""
    mount = srv.mounts[0].replace(sink=COARSE)
    found = immersed(mount, None, PAO, Rated(45.0, 1e-4, 700.0), 0.5)
    for share, most in ((0.5, 0.16), (0.1, 0.41)):
        wall = 50.0
        for _ in range(60):
            UA = float(sink_conductance(COARSE, PAO, 1e-4, 45.0, wall)[0])
            wall = 45.0 + share * 700.0 / UA
        assert 0.5 * most < 1 - UA / found.conductance(1e-4, 45.0) < most, share


def test_devices_at_rest_by_hand():
    """A device's base is above the liquid that comes to it by heat over X, its liquid warms by heat over flow."""
    r = run(held(1.0, [0.0, 7200.0]), of=two, sinks=(TankSink(devices="gpu", sink=COARSE),), side_exchange=0.0)
    T, m = r.coolant_temperature[-1, 0], float(r.mass_flow[-1, 0])
    c_p = float(PAO.heat_capacity(45.0))
    assert float(T.sel(position="gpu1") - T.sel(position="gpu0")) == pytest.approx(200.0 / (m * c_p), rel=1e-4)
    mean = 0.5 * float(T.sel(position="inlet") + T.sel(position="outlet"))
    for name, before in (("gpu0", "inlet"), ("gpu1", "gpu0")):
        above = float(r.junction_temperature.sel(device=name)[-1, 0] - T.sel(position=before))
        UA = 10.0
        for _ in range(60):
            UA = float(sink_conductance(COARSE, PAO, m, mean, mean + 200.0 / UA)[0])
        assert above == pytest.approx(200.0 / (m * c_p * -math.expm1(-UA / (m * c_p))), rel=0.03), name


def test_equivalent_of_a_curve():
    """In air at its reference flow the equivalent fins have the curve's resistance; gaps are 2 mm."""
    from thermo.cooling.heat_sink import AirState, sink_coupling

    for R, V in ((0.026, 0.0939), (0.5, 0.005), (2.6, 0.00109)):
        curve = CurveSink(flow_resistance=R, reference_flow=V, capacity=10.0)
        air, m, n = AirState.at(25.0, 101_325.0, 0.0), 1.184 * V, equivalent_count(curve)
        G = n * float(sink_coupling(EQUIVALENT, np.asarray(m / n), air))  # to the air that leaves
        assert 1 / (1 / (1 / G + 1 / (m * air.heat_capacity))) == pytest.approx(R, rel=1e-6)
    assert (EQUIVALENT.width - 11 * EQUIVALENT.fin_thickness) / 10 == pytest.approx(2e-3, rel=0.05)


def test_what_stays_in_air():
    """Network cards and the conversion outside of the tank heat the room, and the liquid gets the rest."""
    inside, outside = run(), run(in_air=("nic", "conversion"))
    nics = float(outside.device_power.sel(device="nics")[-1].sum())
    moved = nics + float(outside.conversion_loss[-1])
    assert float(outside.heat_to_air[-1]) - moved == pytest.approx(float(inside.heat_to_air[-1]), rel=0.05)
    assert float(outside.heat_to_liquid[-1]) < float(inside.heat_to_liquid[-1]) - 0.98 * moved and balanced(outside)
    one = outside.junction_temperature.sel(device="nics")[-1].values
    assert one == pytest.approx(25.0 + 240 / 30 * 20 / 8 * 2.0, abs=0.5), "20 W each, 2 K/W to the room"


# -------------------------------------------------------------------------------------------------------------- C35 and the rest

def test_lanes_draw_by_their_heat():
    """A lane with hot devices has more flow for its share of the slot than the one with cooler ones, and an empty one hardly any."""
    r = run(jet_head=0.0)
    flow = r.coolant_flow[-1, 0]
    gpus, host = float(flow.sel(position="gpu0")) / 0.16, float(flow.sel(position="cpu0")) / 0.26
    empty = float(flow.sel(position="inlet") - 4 * flow.sel(position="gpu0") - flow.sel(position="cpu0")) / 0.10
    assert gpus > 1.2 * host > 0 and empty < 0.2 * host
    assert float(flow.sel(position="inlet")) == pytest.approx(float(r.mass_flow[-1, 0]), rel=1e-12)


def test_same_server_in_air_and_mineral_oil():
    """C35: the resistance from junction to entering liquid in mineral oil is 0.656 of that in air, measured on one server; within 15 %.
    It comes to 0.73. And cooling costs 3 % of IT power there.

    The server is a two-socket one of 1.5U, as in that study, which does not tell its sinks: 95 W sockets, extruded 90 mm sinks
    with gaps of 2.2 mm, air at 20 CFM a sink; oil of 30 degC, 1 L/min."""
    xeon = Device(name="xeon", kind="cpu", max_power=95, idle_power=30, junction_capacity=20, junction_resistance=0.08, case_capacity=60,
                  interface_resistance=0.05, die_area=400e-6, contact_area=1200e-6, firmware=None)
    sink = PlateFinSink(width=0.09, length=0.09, base_thickness=0.005, fin_height=0.03, fin_thickness=0.0008, fin_count=31)
    fans = srv.fans.replace(count=4, system_flow=0.0189, curve_flow=(0.0, 0.006, 0.012, 0.016), curve_pressure=(150.0, 120.0, 60.0, 0.0), rated_power=6.0)
    server = Server(name="ocp", height_units=1.5, lanes=(Lane(name="a", flow_share=0.5), Lane(name="b", flow_share=0.5)), fans=fans, mounts=(
        Mount(device=xeon, names=("cpu0", "cpu1"), lanes=("a", "b"), positions=(0, 0), sink=sink),))
    one = Rack(name="ocp", slots=(Place(server=server, count=1),))

    def resistance(r):
        return (r.junction_temperature[-1, 0].values - float(r.supply_temperature[-1])) / r.device_power[-1, 0].values

    air = thermo.simulate_rack(one, 1.0, cooling=Air(fan_speed=fans.system_duty), ambient={"air_temperature": 30.0}, power="ideal")
    oil = run(1.0, of=one, fluid="mineral-oil", supply_temperature=30.0, feed=1 / 6e4, wall_loss=0.0, ambient={"air_temperature": 30.0})
    ratio = float(np.mean(resistance(oil) / resistance(air)))
    assert ratio == pytest.approx(0.656, rel=0.15)
    assert float(oil.pue[-1]) == pytest.approx(1.03, abs=0.015)


def test_integrators_agree():
    """Whole steps, TR-BDF2 and SciPy's BDF on the same matrices give the same swing, within their tolerances."""
    load = workload.as_workload(xr.DataArray([0.2, 1.0, 0.4, 0.4], dims="time", coords={"time": [0.0, 60.0, 180.0, 300.0]}, attrs={"units": "1"}))
    runs = [run(load, of=two, cdu=WATER_UNIT, cdu_share=0.05, solver=solver) for solver in ("rational", "tr-bdf2", "BDF")]
    for other in runs[1:]:
        assert other.junction_temperature.values == pytest.approx(runs[0].junction_temperature.values, abs=0.02)
        assert other.mass_flow.values[1:] == pytest.approx(runs[0].mass_flow.values[1:], rel=2e-3)
        assert balanced(other)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens(seed):
    """Drawn tanks, liquids, loads and events: every number finite, no flow below zero, energy closes to 1e-9."""
    rng = np.random.default_rng(100 + seed)
    time = np.concatenate([[0.0], np.cumsum(rng.uniform(20.0, 400.0, 8))])
    load = xr.DataArray(rng.random((9, 4)), dims=("time", "server"), coords={"time": time}, attrs={"units": "1"})
    fluid = str(rng.choice(["pao-4", "pao-6", "mineral-oil", "synthetic-ester", "silicone-oil", "fc-40", "fc-3283", "hfe-7500"]))
    happens = [rng.choice([thermo.events.pump_trip, thermo.events.lid_open, thermo.events.cdu_loss])(float(t), duration=300.0)
               for t in rng.uniform(0.0, time[-2], 2)]
    r = run(workload.as_workload(load), fluid=fluid, supply_temperature=float(rng.uniform(5.0, 50.0)), rated_rise=float(rng.uniform(3.0, 20.0)),
            jet_head=float(rng.choice([0.0, 5.0, 20.0])), gap=float(rng.uniform(5e-3, 2e-2)), cells=int(rng.integers(1, 3)), layers=int(rng.integers(1, 5)),
            events=happens, initial=float(rng.uniform(0.0, 50.0)))
    for name in ("junction_temperature", "coolant_temperature", "fluid_temperature", "mass_flow", "heat_to_liquid", "heat_to_air"):
        assert np.all(np.isfinite(r[name].values[~np.isnan(r[name].values)])) and not np.all(np.isnan(r[name]))
    assert float(r.mass_flow.min()) > 0 and float(r.coolant_flow.min()) > 0 and float(r.junction_temperature.max()) < 500 and balanced(r)


def test_utility_outage_stops_the_water():
    """With a unit an outage is a loss of facility water until the plant is back; the tank's liquid carries the load over it."""
    with pytest.warns(UserWarning, match="taken to stay as warm as it is"):
        r = run(held(0.5, np.arange(0.0, 1800.1, 60.0)), cdu=WATER_UNIT, events=[thermo.events.utility_outage(300.0, 60.0)], power="ac-ups-480v")
    without, after = (r.time >= 300) & (r.time < 540), r.time >= 600  # the generator feeds the plant, which starts again
    assert float(abs(r.heat_to_liquid.where(without)).max()) < 1.0 and float(r.heat_to_liquid.where(after).min()) > 1e3
    assert float(r.supply_temperature.max()) > 42.0 and balanced(r)


def test_what_is_outside_of_what_is_known():
    """Oil below its range and a unit rated with another liquid are told."""
    with pytest.warns(UserWarning, match="mineral-oil: its properties are known down to -30 degC"):
        run(held(0.0, [0.0, 10.0]), fluid="mineral-oil", supply_temperature=0.0, initial=-40.0)
    with pytest.warns(UserWarning, match="rated with pg25"):
        run(held(0.5, [0.0, 10.0]), cdu="coolchip-cdu-121")


def test_goes_on_and_runs_again():
    """In two parts as in one, to the bit; and again from what the result holds, sinks of the tank among it."""
    changes = {"cdu": WATER_UNIT, "sinks": (TankSink(devices="gpu", sink=COARSE),)}
    times, loads = [0.0, 60.0, 120.0, 300.0, 600.0], [0.2, 0.9, 0.5, 1.0, 1.0]

    def part(a, b):
        return workload.as_workload(xr.DataArray(loads[a:b], dims="time", coords={"time": times[a:b]}, attrs={"units": "1"}))

    whole, first = run(part(0, 5), **changes), run(part(0, 3), **changes)
    second = run(part(2, 5), initial=first, **changes)
    assert np.array_equal(second.junction_temperature[-1], whole.junction_temperature[-1])
    assert np.array_equal(thermo.rerun(whole).junction_temperature, whole.junction_temperature)


def test_threads_and_order(monkeypatch):
    """The same bits for any number of threads; servers in another order give the same but for rounding."""
    u = np.linspace(0.2, 1.0, 12)
    twelve = rack.replace(slots=(Place(server=srv, count=12),))

    def of(order):
        load = xr.DataArray(np.tile(u[order], (4, 1)), dims=("time", "server"), coords={"time": [0.0, 60.0, 120.0, 240.0]}, attrs={"units": "1"})
        return run(workload.as_workload(load), of=twelve, initial=40.0)

    up = of(np.arange(12))
    monkeypatch.setenv("THERMO_NUM_THREADS", "3")
    assert np.array_equal(of(np.arange(12)).junction_temperature, up.junction_temperature)
    down = of(np.arange(12)[::-1])
    assert down.junction_temperature.values[:, ::-1] == pytest.approx(up.junction_temperature.values, abs=1e-6)


def test_two_kinds_of_server():
    """Different servers in one tank share bath and feed; the balance holds."""
    both = Rack(name="both", slots=(Place(server=srv, count=2), Place(server=plain, count=3)))
    r = run(of=both)
    assert balanced(r) and float(abs(r.fluid_temperature - r.fluid_temperature[0]).max()) < 2e-3
    assert np.isnan(r.coolant_temperature.sel(position="nics")[-1, 2:]).all()


def test_refusals():
    """What does not fit is said: plates, a supply below what pours, names that nothing has, percent, kelvin, a unit in air, events of others."""
    with pytest.raises(ScenarioError, match="has cold plates; a tank takes the air-cooled server"):
        thermo.simulate_rack("gb200-nvl72", 0.5, cooling=Immersion())
    with pytest.raises(ScenarioError, match="mineral-oil is known in that range and pours from -49 degC on"):
        run(fluid="mineral-oil", supply_temperature=-45.0)
    with pytest.raises(ScenarioError, match="is it in kelvin|known in that range"):
        run(supply_temperature=313.15)
    with pytest.raises(ScenarioError, match="in_air names 'psu'"):
        run(in_air=("psu",))
    with pytest.raises(ScenarioError, match="is it in percent"):
        Immersion(pump_speed=80)
    with pytest.raises(ScenarioError, match="expected a share from 0 to 1"):
        Immersion(pump_speed=PI())
    with pytest.raises(ScenarioError, match="takes one with water"):
        Immersion(cdu="liquid-to-air-70")
    with pytest.raises(ScenarioError, match="did you mean 'pao-6'"):
        Immersion(fluid="pao-5")
    with pytest.raises(ScenarioError, match="does not answer to it"):
        run(held(0.5, [0.0, 60.0]), events=[thermo.events.fan_failure(10.0, server=0)])
    with pytest.raises(ScenarioError, match="does not answer to it"):
        run(held(0.5, [0.0, 60.0]), events=[thermo.events.water_loss(10.0)])


@pytest.mark.parametrize("fluid", ["water", "pg25", "eg50", "dowfrost-lc-25"])
def test_liquids_that_conduct_are_refused(fluid):
    """Boards cannot hang in water or glycol."""
    with pytest.raises(ScenarioError, match="conducts electricity"):
        thermo.cooling.Immersion(fluid=fluid)


def test_sinks_for_what_is_not_there():
    """A sink for a device that no server has is refused, as `in_air` is: it would be left out without a word."""
    with pytest.raises(ScenarioError, match="cooling.sinks names 'gpuu': did you mean 'gpu'|cooling.sinks names 'gpuu'.*gpu"):
        run(sinks=(TankSink(devices="gpuu", sink=COARSE),))


def test_feed_close_to_the_liquid_s_highest():
    """A feed within 5 K of the highest temperature at which the liquid is known runs: only the check of gaps looked beyond."""
    r = run(held(0.1, [0.0, 60.0]), of=two, sinks=(TankSink(devices="gpu", sink=COARSE),), fluid="hfe-7100", supply_temperature=56.0, rated_rise=2.0)
    assert balanced(r) and np.all(np.isfinite(r.junction_temperature))


def test_unit_that_is_too_small_is_told():
    """More feed than a unit is rated for is extrapolated, and said, as for cold plates."""
    with pytest.warns(UserWarning, match="cdu: the tank's feed is .* times the rated flow of its share of 'unit'"):
        run(held(0.5, [0.0, 10.0]), cdu=WATER_UNIT, cdu_share=0.1)


def test_doctests():
    assert doctest.testmod(of_devices).failed == 0

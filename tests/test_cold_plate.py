"""Cold-plate cooling: balances, ladders by hand, exchanger cases, pipe delay against the exact one, orders, invariants, refusals."""
import json
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid_rack import cooling, plate, rack, still, tray
from small_rack import gpu

import thermo
from thermo import workload
from thermo.cooling import PI, Air, Cdu, ColdPlateCooling, Pump
from thermo.cooling.cdu import exchanger_conductance
from thermo.cooling.loop import branch_shares, tray_pressure_drop
from thermo.cooling.plate import LiquidState, plate_resistance
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import Rack, Slot

PG25 = Fluid.from_library("pg25")
LPM = 1 / 6e4  # m3/s
CDU = Cdu(name="unit", rated_heat=15e3, approach=4.0, secondary_flow=20 * LPM, primary_flow=20 * LPM, volume=2e-3)


def steps(values=(0.2, 0.9, 0.5, 1.0, 1.0), at=(0.0, 60.0, 120.0, 300.0, 1800.0)):
    return workload.as_workload(xr.DataArray(list(values), dims="time", coords={"time": list(at)}, attrs={"units": "1"}))


def run(load=1.0, **changes):
    ambient = changes.pop("ambient", None)
    options = {k: changes.pop(k) for k in ("solver", "events", "initial", "rack") if k in changes}
    return thermo.simulate_rack(options.pop("rack", rack), load, cooling=cooling(**changes), ambient=ambient, **options)


def at_rest(result):
    return result.isel(time=-1)


# -------------------------------------------------------------------------------------------------------------- balances

def test_flow_rules():
    """C05, C06: return temperature over the vendor's table of flow against supply, and 9.95 K at 1.5 L/(min kW)."""
    for supply, per_kW, returned in ((25, 0.4, 62.1), (30, 0.5, 59.7), (35, 0.7, 56.2), (40, 0.9, 56.5), (45, 1.3, 56.5)):
        flow = per_kW * LPM / 1e3  # m3/s for a watt
        mean = 0.5 * (supply + returned)
        rise = 1 / (flow * float(PG25.density(mean)) * float(PG25.heat_capacity(mean)))
        assert supply + rise == pytest.approx(returned, abs=1.5)
    for name, known in (("pg25", 9.95), ("water", 9.64)):
        fluid = Fluid.from_library(name)
        rise = 1e3 / (1.5 * LPM * float(fluid.density(35.0)) * float(fluid.heat_capacity(35.0)))
        assert rise == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize("solver", ["propagator", "tr-bdf2", "BDF"])
def test_heat_goes_where_it_must(solver):
    """All heat is in air or coolant; at rest air takes what sits in it and the conversion, coolant the plates and the pumps."""
    r = run(steps(), solver=solver)
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.min())
    end = at_rest(r)
    in_air = end.device_power.sel(device="nics").sum() + end.conversion_loss + end.fan_power
    on_plates = end.device_power.sel(device=["gpu0", "gpu1", "gpu2", "gpu3", "cpu"]).sum() + end.pump_power
    assert float(end.heat_to_air) == pytest.approx(float(in_air), rel=1e-6)
    assert float(end.heat_to_liquid) == pytest.approx(float(on_plates), rel=1e-6)
    w = float(end.mass_flow.sum()) * float(PG25.heat_capacity(40 + 5))
    assert float(end.return_temperature - end.supply_temperature) == pytest.approx(float(on_plates - end.pump_power) / w, rel=2e-3)


def test_heat_to_air_in_transients_is_that_of_the_exhaust():
    """What leaves in air, found from the balance of its part, is w (T_exhaust - T_supply) of an air that stores nothing."""
    r = run(workload.as_workload(xr.DataArray([0.2, 1.0, 1.0, 1.0], dims="time", coords={"time": [0.0, 1.0, 2.0, 3.0]}, attrs={"units": "1"})))
    air = r.coolant_temperature.sel(position="exhaust") - r.coolant_temperature.sel(position="inlet")
    exhaust = air.sum("server").values  # proportional to the heat at each instant; means lie between neighbours
    ratio = r.heat_to_air.values[0] / exhaust[0]
    for k in (1, 2):
        low, high = sorted((exhaust[k], exhaust[k + 1]))
        assert ratio * low * (1 - 2e-3) <= r.heat_to_air.values[k] <= ratio * high * (1 + 2e-3)


def test_one_tray_by_hand():
    """Junctions of two GPUs in series: supply, the first one's heat in the coolant, film and base of the plate, interface, die."""
    r = at_rest(run(1.0))
    flow = 5 * LPM / 2
    liquid_mean = LiquidState.at(PG25, 40.0 + 0.5 * (4 * (4 * 700 + 350)) / (20 * LPM * float(PG25.density(40)) * float(PG25.heat_capacity(40))))
    m = flow * float(PG25.density(40.0))
    w = m * liquid_mean.heat_capacity
    upstream = 0.0
    for name in ("gpu0", "gpu1"):
        rise = 700.0 / (liquid_mean.density * liquid_mean.heat_capacity * flow)
        liquid = LiquidState.at(PG25, 40.0 + upstream + 0.5 * rise)
        R = plate_resistance(plate, np.array([m]), liquid, gpu.contact_area)
        film = 1 / (w * (1 - math.exp(-1 / (w * float(R.film[0])))))  # base above what enters
        T_in = 40.0 + (0.0 if name == "gpu0" else 700.0 / w)
        case = T_in + 700 * (film + float(R.base[0]) + gpu.interface_resistance)
        assert float(r.case_temperature.sel(device=name)[0]) == pytest.approx(case, abs=0.02)
        junction = case + 700 * (1 - gpu.memory_power_share) * gpu.junction_resistance
        assert float(r.junction_temperature.sel(device=name)[0]) == pytest.approx(junction, abs=0.02)
        upstream += rise


def test_more_power_is_hotter_and_more_flow_cooler():
    """Monotone in load, pump speed and supply temperature."""
    def hottest(**kw):
        return float(at_rest(run(kw.pop("load", 0.8), **kw)).junction_temperature.sel(device="gpu1")[0])

    assert hottest(load=0.5) < hottest(load=0.8) < hottest(load=1.0)
    assert hottest(pump_speed=1.0) < hottest(pump_speed=0.7) < hottest(pump_speed=0.4)
    assert hottest(supply_temperature=30.0) < hottest(supply_temperature=45.0)


def test_pump_power_is_head_times_flow_over_efficiency():
    """C11: 1200 L/min at 244 kPa are 4.88 kW of hydraulic power, 13.7 kW at 0.356; with the cube of speed and half with flow over speed."""
    assert 1200 * LPM * 244e3 == pytest.approx(4880, rel=1e-3)
    pump = Pump(head=244e3, efficiency=4880 / 13_700)
    full, half = (at_rest(run(0.5, pump=pump, pump_speed=s)) for s in (1.0, 0.5))
    assert float(full.pump_power) == pytest.approx(20 * LPM * 244e3 / 0.3562, rel=1e-3)
    slower = float(half.mass_flow.sum() / full.mass_flow.sum()) / 0.5
    assert 0.95 < slower < 1.0, "plates are laminar: at half speed less than half flows"
    assert float(half.pump_power) == pytest.approx(float(full.pump_power) / 8 * (0.5 + 0.5 * slower), rel=1e-6)


# ------------------------------------------------------------------------------------------------------------- the exchanger

def test_exchanger_of_known_units():
    """C07: CDU of 121 kW, NTU 3.75. C08: selection of 1196 kW, 300 kW/K. C09: 1250 kW, 35 to 46 against 51 to 37 degC, 382 kW/K."""
    small = Cdu(name="c07", rated_heat=121e3, approach=4.0, secondary_flow=120 * LPM, primary_flow=120 * LPM, facility_fluid="pg25")
    assert small.rated_heat / small.capacity_rates[0] == pytest.approx(15.0, rel=0.02)
    assert small.effectiveness == pytest.approx(0.79, rel=0.02)
    assert small.conductance / min(small.capacity_rates) == pytest.approx(3.75, rel=0.02)
    flow = 103.8 / 3600
    even = Cdu(name="c08", rated_heat=1.196e6, approach=4.0, secondary_flow=flow, primary_flow=flow, fluid="water")
    assert even.effectiveness == pytest.approx(0.714, rel=0.02) and even.conductance == pytest.approx(299e3, rel=0.02)
    water = [float(Fluid.from_library("water").density(T) * Fluid.from_library("water").heat_capacity(T)) for T in (40.0, 30.0)]
    uneven = Cdu(name="c09", rated_heat=1.25e6, approach=2.0, secondary_flow=1.25e6 / 14 / water[0], primary_flow=1.25e6 / 11 / water[1],
                 fluid="water")
    assert uneven.effectiveness == pytest.approx(0.875, rel=0.02) and uneven.conductance == pytest.approx(382e3, rel=0.02)
    with pytest.raises(ScenarioError, match="asks for 1.0. of the heat"):
        _ = Cdu(name="c", rated_heat=1e6, approach=0.5, secondary_flow=0.02, primary_flow=0.0175).conductance


def test_exchanger_at_part_flow():
    """At the rated flows UA is the rated one; it grows with either flow, with both halved by nearly 2^0.8, and the wall limits it."""
    assert float(exchanger_conductance(CDU, 1.0, 1.0)) == pytest.approx(CDU.conductance, rel=1e-12)
    s = np.linspace(0.1, 2.0, 20)
    assert np.all(np.diff(exchanger_conductance(CDU, s, 1.0)) > 0) and np.all(np.diff(exchanger_conductance(CDU, 1.0, s)) > 0)
    no_wall = CDU.replace(wall_share=0.0)
    assert float(exchanger_conductance(no_wall, 0.5, 0.5)) == pytest.approx(CDU.conductance * 0.5**0.8, rel=1e-12)
    assert float(exchanger_conductance(CDU, 1e9, 1e9)) == pytest.approx(CDU.conductance / CDU.wall_share, rel=1e-6)


def test_valve_holds_the_supply():
    """A PI valve brings the coolant to what is asked for, the plant's flow with it; steady it is the run with an ideal supply."""
    load = steps((0.9, 0.9), (0.0, 1800.0))
    held = run(load, cdu=CDU, supply_temperature=38.0, ambient={"facility_water_temperature": 30.0})
    assert held.supply_temperature.values == pytest.approx(38.0, abs=2e-3)
    ideal = run(load, supply_temperature=38.0)
    assert held.junction_temperature.values == pytest.approx(ideal.junction_temperature.values, abs=0.01)
    assert float(at_rest(held).heat_to_liquid) == pytest.approx(float(at_rest(ideal).heat_to_liquid), rel=1e-5)


def test_fixed_valve_gives_the_effectiveness():
    """With the valve open, coolant leaves at T_in - eps C_min / w (T_in - T_facility), by the closed formula."""
    r = at_rest(run(0.8, cdu=CDU, valve=1.0, ambient={"facility_water_temperature": 25.0}))
    liquid = float(r.heat_to_liquid)
    w = float(r.heat_to_liquid - r.pump_power) / float(r.return_temperature - r.supply_temperature)
    C = 20 * LPM * float(Fluid.from_library("water").density(30) * Fluid.from_library("water").heat_capacity(30))
    UA = float(exchanger_conductance(CDU, 1.0, 1.0))
    eps = float(thermo.formulas.effectiveness_counterflow(UA / min(w, C), min(w, C) / max(w, C)))
    T_in = float(r.return_temperature) + float(r.pump_power) / w
    assert float(r.supply_temperature) == pytest.approx(T_in - eps * min(w, C) / w * (T_in - 25.0), abs=0.02)
    assert liquid == pytest.approx(eps * min(w, C) * (T_in - 25.0), rel=2e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")  # some of these flows would boil the coolant
@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 1.0), st.floats(0.0, 1.0), st.floats(5.0, 60.0), st.floats(0.0, 1.0))
def test_heat_never_flows_from_cold_to_hot(speed, opening, facility, load):
    """For any flows the supply lies between facility water and what comes back, and every junction above its coolant."""
    r = at_rest(run(load, cdu=CDU, valve=opening, pump_speed=speed, rack=rack.replace(slots=(Slot(server=tray, count=1),)), cdu_share=0.25,
                    ambient={"facility_water_temperature": facility}, solver="tr-bdf2"))
    back = float(r.return_temperature)
    assert facility - 1e-9 <= float(r.supply_temperature) <= max(back, facility) + 0.5  # pumps heat it by less
    assert float(abs(r.energy_residual)) <= 1e-9 * float(r.it_power)
    for name in ("gpu0", "gpu1", "gpu2", "gpu3", "cpu"):
        assert float(r.junction_temperature.sel(device=name)[0]) >= float(r.coolant_temperature.sel(position=name)[0])


def test_pumps_as_a_series_behind_a_cdu():
    """The law of two flows that a moving pump needs is that of one flow where it stands: same run, within 1e-4 K."""
    load = steps((0.7, 0.7, 0.7), (0.0, 300.0, 600.0))
    series = xr.DataArray([0.6, 0.6, 0.6], dims="time", coords={"time": [0.0, 300.0, 600.0]})
    one = run(load, cdu=CDU, valve=0.8, pump_speed=0.6)
    two = run(load, cdu=CDU, valve=0.8, pump_speed=series)
    assert two.supply_temperature.values == pytest.approx(one.supply_temperature.values, abs=1e-4)
    moving = run(load, cdu=CDU, valve=0.8, pump_speed=xr.DataArray([0.6, 1.0, 0.6], dims="time", coords={"time": [0.0, 300.0, 600.0]}))
    assert float(abs(moving.energy_residual).max()) <= 1e-9 * float(moving.it_power.min())


# --------------------------------------------------------------------------------------------------------------- set points

def test_supply_as_a_series():
    """A supply that is said twice, as a number and as a series, gives one answer; its steps by events too."""
    load = steps((0.8, 0.8, 0.8), (0.0, 300.0, 600.0))
    flat = xr.DataArray([40.0, 40.0, 40.0], dims="time", coords={"time": [0.0, 300.0, 600.0]})
    one, two = run(load), run(load, supply_temperature=flat)
    assert two.junction_temperature.values == pytest.approx(one.junction_temperature.values, abs=1e-3)
    stepped = run(load, events=[thermo.events.setpoint(300.0, "supply_temperature", 45.0)])
    assert stepped.supply_temperature.values == pytest.approx([40, 45, 45])
    assert float(at_rest(stepped).junction_temperature.sel(device="gpu0")[0]) > float(at_rest(one).junction_temperature.sel(device="gpu0")[0]) + 4.0


def test_a_valve_follows_a_set_point_that_moves():
    """Behind a unit the supply follows its set point, as a series and by events, each time to the temperature of an ideal supply; where the
    set point is said as a series that does not move, it is the run with the number."""
    load = workload.constant(0.8, duration=3600.0, time_step=60.0)
    series = xr.DataArray([38.0, 42.0, 42.0], dims="time", coords={"time": [0.0, 1200.0, 3600.0]}, attrs={"interpolation": "constant"})
    by_series = run(load, supply_temperature=series, cdu=CDU)
    by_event = run(load, supply_temperature=38.0, cdu=CDU, events=[thermo.events.setpoint(1200.0, "supply_temperature", 42.0)])
    for r in (by_series, by_event):
        T = r.supply_temperature
        assert T.sel(time=1140.0) == pytest.approx(38.0, abs=2e-3) and float(T[-1]) == pytest.approx(42.0, abs=0.02)
        assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.min())
    assert by_event.junction_temperature.values[-1] == pytest.approx(by_series.junction_temperature.values[-1], abs=1e-3)


def test_a_controller_moves_each_trays_valve():
    """Flow of a tray follows the hottest part on its plates to its target; an idle tray takes little."""
    load = workload.as_workload(xr.DataArray([[0.7, 0.0], [0.7, 0.0]], dims=("time", "server"), coords={"time": [0.0, 600.0]},
                                             attrs={"units": "1"}))
    two = rack.replace(slots=(Slot(server=tray, count=2),))
    pid = PI(setpoint=64.0, resolution=0.0, deadband=0.0)
    r = at_rest(run(load, rack=two, pump_speed=pid))
    assert float(r.junction_temperature.isel(server=0).sel(device=["gpu0", "gpu1", "gpu2", "gpu3", "cpu"]).max()) == pytest.approx(64.0, abs=0.05)
    least, most = (s * 5 * LPM * float(PG25.density(40.0)) for s in (0.2, 1.0))
    assert least * (1 - 1e-6) <= float(r.mass_flow[1]) < 0.6 * float(r.mass_flow[0]) < most
    with pytest.raises(ScenarioError, match="pumps behind a cdu serve all"):
        run(load, rack=two, pump_speed=pid, cdu=CDU)


def test_coolant_stays_above_the_dew_point():
    """Asked for less than the room's dew point and its margin, the supply is held above it, and the result says so."""
    with pytest.warns(UserWarning, match="below the room's dew point"):
        r = run(0.5, supply_temperature=15.0, ambient={"air_temperature": 30.0, "relative_humidity": 0.6})
    dew = float(thermo.formulas.dew_point(30.0, 0.6))
    assert float(at_rest(r).supply_temperature) == pytest.approx(dew + 2.0, abs=1e-9)
    with pytest.warns(UserWarning, match="below the room's dew point"):
        held = run(0.5, supply_temperature=15.0, cdu=CDU, ambient={"air_temperature": 30.0, "relative_humidity": 0.6,
                                                                     "facility_water_temperature": 10.0})
    assert float(at_rest(held).supply_temperature) == pytest.approx(dew + 2.0, abs=0.01)


# -------------------------------------------------------------------------------------------------------------- the pipe

def delayed(n, period=200.0, volume=0.02):
    """Supply at the tray behind a line of `n` cells, for a supply that swings, and the delay of that line."""
    time = np.arange(0.0, 3 * period + 0.1, period / 400)
    swing = 40.0 + 4.0 * np.cos(2 * np.pi * time / period)
    series = xr.DataArray(swing, dims="time", coords={"time": time})
    load = workload.as_workload(xr.DataArray(np.full(time.size, 0.5), dims="time", coords={"time": time}, attrs={"units": "1"}))
    r = run(load, supply_temperature=series, cells=n, supply_volume=volume, return_volume=0.0, rack=rack.replace(
        slots=(Slot(server=tray.replace(coolant_volume=0.0), count=1),)), solver="tr-bdf2")
    return time, r.coolant_temperature.sel(position="supply").values[:, 0], float(r.mass_flow.mean())


def test_transport_delay_converges_to_the_exact_one():
    """A swing arrives after volume over flow, as it left; chains of n mixed cells miss that by something that falls with 1/n."""
    period, volume, errors = 200.0, 2e-3, []
    for n in (4, 8, 16, 32):
        time, T, m_dot = delayed(n, period, volume)
        tau = volume * float(PG25.density(45.0)) / m_dot
        late = time > 2 * period
        errors.append(float(np.max(np.abs(T[late] - 40.0 - 4.0 * np.cos(2 * np.pi * (time[late] - tau) / period)))))
    slopes = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert slopes == pytest.approx(1.0, abs=0.12), (errors, slopes)
    assert errors[-1] < 0.04


def test_front_through_mixed_cells():
    """A step of supply arrives as the sum of n exponential ages: Erlang's distribution, which the exact stepper gives to 1e-6."""
    from scipy.stats import gamma

    n, time = 8, np.arange(0.0, 120.0, 2.0)
    load = workload.as_workload(xr.DataArray(np.full(time.size, 0.5), dims="time", coords={"time": time}, attrs={"units": "1"}))
    step = xr.DataArray(np.where(time >= 20.0, 41.0, 40.0), dims="time", coords={"time": time}, attrs={"interpolation": "constant"})
    r = run(load, supply_temperature=step, cells=n, supply_volume=2e-3, return_volume=0.0,
            rack=rack.replace(slots=(Slot(server=tray.replace(coolant_volume=0.0), count=1),)), solver="propagator")
    m_dot, warm = r.mass_flow.values[:, 0], time >= 20.0
    mean = 0.5 * (4 * 700 + 350) / (5 * LPM * float(PG25.density(40)) * float(PG25.heat_capacity(40)))
    tau = 2e-3 * float(PG25.density(40.0 + mean)) / m_dot[-1]
    exact = 40.0 + gamma.cdf(np.maximum(time - 20.0, 0.0), n, scale=tau / n)
    assert r.coolant_temperature.sel(position="supply").values[warm, 0] == pytest.approx(exact[warm], abs=1e-6)


def test_delay_is_seen_in_the_loop_behind_a_cdu():
    """More loop volume, later: after a step of load the supply leaves its set point when the warm coolant has been around."""
    load = workload.as_workload(xr.DataArray([0.0] + [1.0] * 120, dims="time", coords={"time": [0.0, *np.arange(1.0, 121.0)]},
                                             attrs={"units": "1"}))
    arrives = []
    for volume in (2e-3, 8e-3):
        r = run(load, cdu=CDU, valve=0.7, supply_volume=1e-4, return_volume=volume, cells=40)
        T = r.supply_temperature.values
        arrives.append(float(np.interp(T[0] + 1.0, T[:60], r.time[:60])))  # half of what the first round brings
    assert arrives[1] - arrives[0] == pytest.approx(6e-3 / (20 * LPM), rel=0.15)


def test_pump_stop_of_the_load_leaves_stored_heat():
    """Energy over a swing: what is stored at the end is that of the temperatures, with a cdu and without, to 1e-9 each step."""
    for changes in ({}, {"cdu": CDU}, {"cdu": CDU, "reservoir_volume": 0.02}):
        r = run(steps((0.1, 1.0, 0.1, 0.6), (0.0, 20.0, 50.0, 400.0)), **changes)
        assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.min())


# --------------------------------------------------------------------------------------------------- branches and refusals

def test_branches_and_pressure():
    """Shares add to one; the longer branch takes more pressure; hoses go with the square of flow."""
    assert sum(branch_shares(tray).values()) == pytest.approx(1, abs=1e-15)
    drops = tray_pressure_drop(tray, PG25, 45.0)
    assert drops["b"] > drops["a"] > 30e3
    less = tray_pressure_drop(tray, PG25, 45.0, flow=2.5 * LPM)
    assert drops["a"] / 4 < less["a"] < drops["a"] / 2, "plates laminar, hoses not"
    with pytest.warns(UserWarning, match="the pump's head is 20 kPa"):
        run(0.5, pump=Pump(head=20e3))


def test_a_server_without_air():
    """All on plates: no lanes, no fans, the conversion heats the coolant, nothing leaves in air."""
    mounts = tuple(m for m in tray.mounts if m.device.kind != "nic")
    bare = tray.replace(lanes=(), fans=None, mounts=mounts)
    r = run(steps(), rack=Rack(name="bare", slots=(Slot(server=bare, count=2),)))
    assert np.all(r.heat_to_air == 0) and np.all(r.fan_power == 0)
    assert float(at_rest(r).heat_to_liquid) == pytest.approx(float(at_rest(r).it_power + at_rest(r).pump_power), rel=1e-6)
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.min())


def test_two_kinds_of_tray_share_a_loop():
    """Trays of two kinds on one cdu: flows by their ratings, one supply, one balance."""
    other = tray.replace(name="other", coolant_flow=2 * LPM, mounts=(tray.mounts[1].replace(names=("cpu",)), tray.mounts[2]))
    both = Rack(name="both", slots=(Slot(server=tray, count=2), Slot(server=other, count=1)))
    r = at_rest(run(0.8, rack=both, cdu=CDU))
    assert float(r.mass_flow[0] / r.mass_flow[2]) == pytest.approx(2.5, rel=1e-7)
    assert float(abs(r.energy_residual)) <= 1e-9 * float(r.it_power)
    assert float(r.supply_temperature) == pytest.approx(40.0, abs=0.01)


def test_refusals():
    """What does not fit together is said: air on plates, plates without coolant, lanes that are branches, percent, kelvin."""
    with pytest.raises(ScenarioError, match="has cold plates, which need coolant"):
        thermo.simulate_rack(rack, 0.5, cooling=Air(fan_speed=0.5))
    with pytest.raises(ScenarioError, match="sits in branch 'air', which the server has not"):
        tray.replace(mounts=(tray.mounts[0].replace(lanes=("air",) * 4), *tray.mounts[1:]))
    with pytest.raises(ScenarioError, match="flow_share of the branches sums to 0.5"):
        tray.replace(branches=tray.branches[:1])
    with pytest.raises(ScenarioError, match="lanes and fans go together"):
        tray.replace(fans=None)
    with pytest.raises(ScenarioError, match="is it in percent"):
        cooling(pump_speed=80)
    with pytest.raises(ScenarioError, match="is it in kelvin"):
        run(0.5, supply_temperature=313.15)
    with pytest.raises(ScenarioError, match="did you mean 'pg25'"):
        ColdPlateCooling(fluid="pg24")
    with pytest.raises(ScenarioError, match="curve"):
        run(0.5, cdu=CDU, valve=thermo.cooling.Curve(temperature=(30, 40), output=(0.1, 1.0)))


def test_a_result_can_be_run_again():
    """The scenario in a result is whole: fluid, unit, pump, controllers and the air part come back."""
    pid = PI(setpoint=60.0)
    for changes in ({"pump_speed": pid}, {"cdu": CDU, "air": still.replace(fan_speed=PI())}):
        first = run(steps(), **changes)
        again = thermo.rerun(first)
        assert np.array_equal(again.junction_temperature, first.junction_temperature)
        assert json.loads(again.attrs["scenario"])["cooling"] == json.loads(first.attrs["scenario"])["cooling"]


def test_in_two_parts_as_in_one():
    """A run that goes on from another is the run in one, to the bit, with controllers and the shared loop."""
    whole = run(steps((0.2, 0.9, 0.5, 1.0, 1.0), (0.0, 60.0, 120.0, 300.0, 600.0)), cdu=CDU)
    first = run(steps((0.2, 0.9, 0.5), (0.0, 60.0, 120.0)), cdu=CDU)
    second = run(steps((0.5, 1.0, 1.0), (120.0, 300.0, 600.0)), cdu=CDU, initial=first)
    assert np.array_equal(second.junction_temperature[-1], whole.junction_temperature[-1])


# -------------------------------------------------------------------------------------------------------- heat to the room's air

IN_AIR = Cdu(name="coil", sink="air", rated_heat=15e3, approach=15.0, secondary_flow=20 * LPM, primary_flow=1.0, primary_share=0.8,
             fan_power=600.0, volume=2e-3)


@pytest.mark.parametrize("fans", [0.3, 1.0])
def test_a_unit_in_the_air_gives_the_effectiveness_of_its_coil(fans):
    """Coolant leaves at T_in - eps C_min / w (T_in - T_room), cross-flow; all heat is the air's, fans go with the cube of speed."""
    r = at_rest(run(0.8, cdu=IN_AIR, valve=fans, ambient={"air_temperature": 22.0}))
    w = float(r.mass_flow.sum()) * float(PG25.heat_capacity(45.0))
    C, UA = fans * IN_AIR.primary_heat, float(exchanger_conductance(IN_AIR, 1.0, fans))
    eps = float(thermo.formulas.effectiveness_crossflow_unmixed(UA / min(w, C), min(w, C) / max(w, C)))
    T_in = float(r.return_temperature) + float(r.pump_power) / w
    assert float(r.supply_temperature) == pytest.approx(T_in - eps * min(w, C) / w * (T_in - 22.0), abs=0.05)
    assert float(r.heat_to_liquid) == pytest.approx(0.0, abs=1e-6)
    assert float(r.heat_to_air) == pytest.approx(float(r.it_power + r.fan_power + r.pump_power), rel=1e-6)
    none = at_rest(run(0.8, cdu=IN_AIR.replace(fan_power=0.0), valve=fans, ambient={"air_temperature": 22.0}))
    assert float(r.fan_power - none.fan_power) == pytest.approx(600.0 * fans**3, rel=1e-5)


def test_a_unit_in_the_air_holds_the_supply_by_its_fans():
    """The fans' controller holds the coolant; rated heat at full speed, rated flows and the rated approach is what its data says."""
    held = run(steps((0.9, 0.9), (0.0, 1800.0)), cdu=IN_AIR, supply_temperature=42.0, ambient={"air_temperature": 22.0})
    assert held.supply_temperature.values == pytest.approx(42.0, abs=5e-3)
    eps = IN_AIR.effectiveness
    assert float(IN_AIR.effectiveness_at(IN_AIR.conductance / min(IN_AIR.capacity_rates), min(IN_AIR.capacity_rates) / max(
        IN_AIR.capacity_rates))) == pytest.approx(eps, rel=1e-9)
    with pytest.raises(ScenarioError, match="does not answer to it"):
        run(steps(), cdu=IN_AIR, events=[thermo.events.water_loss(60.0)])


def test_a_unit_in_the_air_warms_the_room_that_it_breathes():
    """No cold air: coolant follows the room, which takes up all heat; the balance holds."""
    load = workload.constant(0.4, duration=300.0, time_step=10.0)
    r = run(load, cdu=IN_AIR, supply_temperature=42.0, ambient={"air_temperature": 22.0}, events=[thermo.events.cooling_loss(100.0)])
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.min())
    inlet = r.coolant_temperature.sel(position="inlet").values[:, 0]
    assert inlet[-1] > inlet[0] + 5.0 and float(r.supply_temperature[-1]) > inlet[-1]
    assert np.all(abs(r.heat_to_air.values[11:-1]) < 1e-6 * float(r.it_power.min()))
    with pytest.raises(ScenarioError, match="a coil in cross-flow comes to"):
        _ = IN_AIR.replace(approach=0.2, primary_flow=1.3).conductance

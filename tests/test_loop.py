"""The rack's coolant circuit: flows against hand-solved networks, pumps over time, leaks, and what faults do to temperatures."""
import math
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid_rack import cooling, plate, rack, tray
from scipy.integrate import solve_ivp

import thermo
from thermo import events
from thermo.cooling import Cdu, Hold, Manifold, Pump
from thermo.cooling.cdu import exchange, primary_flow_share
from thermo.cooling.loop import Circuit
from thermo.cooling.plate import LiquidState, plate_component, plate_pressure_drop
from thermo.cooling.pumps import Pumps, leaked
from thermo.errors import ScenarioError
from thermo.events import Timeline
from thermo.fluids import Fluid
from thermo.hydraulics import FlowNetwork
from thermo.rack import Branch, CurvePlate, Mount, Rack, Slot

PG25 = Fluid.from_library("pg25")
LIQUID = LiquidState.at(PG25, 45.0)
LPM = 1 / 6e4  # m3/s
CDU = Cdu(name="unit", rated_heat=15e3, approach=4.0, secondary_flow=20 * LPM, primary_flow=20 * LPM, volume=2e-3)
SECONDS = np.arange(0.0, 601.0, 5.0)
STEP = 1.0 / 8


def circuit(pump=None, trays=4, server=tray, **changes):
    return Circuit(Pumps(pump or Pump(), 100e3, 5e-3), [(server, trays)], LIQUID, **changes)


def happens(*some, seconds=SECONDS, trays=4):
    """Events on samples fine enough for what pumps do."""
    begins = tuple((e, float(e.t)) for e in some)
    timeline = Timeline(begins, servers=trays)
    pumps = Pumps(Pump(count=2, standby=1), 100e3, 5e-3)
    return timeline.on(np.unique(np.concatenate([seconds, [x for x in pumps.samples(timeline) if x < seconds[-1]], timeline.instants])))


def flows(some=(), speed=1.0, hold=None, **changes):
    made = circuit(**changes)
    return made.flows(happens(*some), np.asarray(speed), hold)


# ------------------------------------------------------------------------------------------------------------ the network

@pytest.mark.parametrize("of", [plate, plate.replace(port_diameter=0.006), plate.replace(split_flow=False),
                                CurvePlate(flow_resistance=0.02, reference_flow=2 * LPM, laminar_drop=8e3, turbulent_drop=12e3, capacity=100.0)])
@pytest.mark.parametrize("count", [1, 3])
def test_a_plate_takes_the_same_pressure_in_the_network(of, count):
    """The network's component and the plate's own law are one equation, for plates side by side too."""
    net = FlowNetwork()
    net.node("in", inflow=count * 2 * LPM)
    net.node("out", pressure=0.0)
    net.connect("in", "out", plate_component(of, count), name="plate")
    found = net.solve(LIQUID.density, LIQUID.viscosity).pressure["in"]
    assert found == pytest.approx(float(plate_pressure_drop(of, np.array(2 * LPM * LIQUID.density), LIQUID)), rel=1e-6)


def test_rated_flow_is_what_data_says():
    """At full speed each tray has its rated flow, each branch its share, and the pumps their rated head and power."""
    r = flows()
    assert r.steady and r.total[0] == pytest.approx(20 * LPM, rel=1e-6)
    for name in ("a", "b"):
        assert r.branch[0][name] == pytest.approx(2.5 * LPM, rel=1e-6)
    assert r.power[0] == pytest.approx(150e3 * 20 * LPM / 0.3, rel=1e-6)
    assert np.all(r.branch[0]["a"] == r.branch[0]["a"][:, :1]), "equal trays, equal bits"


def test_two_trays_of_quadratic_parts_by_hand():
    """Plates that go with the square of flow: pump curve h (k - (k - 1) x^2) s^2 against K x^2, so flow is proportional to speed; with one
    of two trays' plates blocked the other's flow follows from h (k - (k - 1) x^2) = head (2 x)^2."""
    square = CurvePlate(flow_resistance=0.02, reference_flow=2.5 * LPM, turbulent_drop=20e3, capacity=100.0)
    server = tray.replace(branches=(Branch(name="a", flow_share=1.0),), mounts=(
        Mount(device=tray.mounts[1].device, names=("cpu",), lanes=("a",), positions=(0,), sink=square), tray.mounts[2]))
    pump = Pump(check_valve=False)
    for speed in (0.3, 0.7):
        assert flows(server=server, pump=pump, speed=speed, trays=2).total[0] == pytest.approx(10 * LPM * speed, rel=2e-4)
    r = flows([events.disconnected(100.0, server=0)], server=server, pump=pump, trays=2)
    k = pump.shutoff_head
    other = math.sqrt(k / (4 + (k - 1))) * 10 * LPM  # of the rated total: k - (k - 1) x^2 = (2 x)^2
    assert r.branch[0]["a"][-1, 1] == pytest.approx(other, rel=2e-3)
    assert r.branch[0]["a"][-1, 0] < 1e-4 * other


def test_a_clogged_plate_starves_its_own_branch_only():
    """One plate takes ten times the pressure: its branch loses flow, its neighbours gain a little, the rest of the rack all but nothing."""
    r = flows([events.clogging(100.0, server=1, device="gpu1", factor=10.0)])
    before, after = r.branch[0], {name: v[-1] for name, v in r.branch[0].items()}
    assert after["a"][1] < 0.6 * before["a"][0, 1]
    assert before["b"][0, 1] < after["b"][1] < 2 * before["b"][0, 1], "the tray's hoses take less, which its other branch gets"
    for i in (0, 2, 3):
        assert before["a"][0, i] < after["a"][i] < 1.02 * before["a"][0, i]
    none = flows([events.disconnected(100.0, server=2, branch="b")])
    assert none.branch[0]["b"][-1, 2] < 1e-4 * none.branch[0]["b"][0, 2] and none.branch[0]["a"][-1, 2] > none.branch[0]["a"][0, 2]


def test_plates_side_by_side_share_by_resistance():
    """Two plates at one position, one of them clogged: parts of the flow as the square roots of resistances would have it, and all of it."""
    square = CurvePlate(flow_resistance=0.02, reference_flow=1.25 * LPM, turbulent_drop=20e3, capacity=100.0)
    server = tray.replace(branches=(Branch(name="a", flow_share=1.0),), mounts=(
        Mount(device=tray.mounts[0].device, names=("gpu0", "gpu1"), lanes=("a", "a"), positions=(0, 0), sink=square), tray.mounts[2]))
    r = flows([events.clogging(100.0, server=0, device="gpu1", factor=9.0)], server=server, trays=1)
    assert r.plate[0]["gpu0"][0] == pytest.approx(0.5, rel=1e-9)
    assert r.plate[0]["gpu1"][-1] == pytest.approx(0.25, rel=1e-3)  # sqrt(9) to 1
    assert r.plate[0]["gpu0"][-1] + r.plate[0]["gpu1"][-1] == pytest.approx(1.0, abs=1e-12)


def test_the_manifold_costs_the_far_tray():
    """With thin headers the lowest tray has the most, the far one the least; with the return at the top all have nearly the same."""
    thin = Manifold(diameter=0.012)
    direct, reverse = flows(manifold=thin).tray(0)[0], flows(manifold=thin.replace(reverse_return=True)).tray(0)[0]
    assert np.all(np.diff(direct) < 0)
    assert np.ptp(reverse) < 0.5 * np.ptp(direct)
    wide = flows(manifold=Manifold(diameter=0.05)).tray(0)[0]
    assert wide == pytest.approx(5 * LPM, rel=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 1.0), st.integers(0, 3), st.sampled_from(["gpu0", "gpu1", "gpu2", "gpu3", "cpu"]), st.floats(1.0, 1e6), st.booleans())
def test_nothing_is_lost(speed, server, device, factor, check):
    """Whatever clogs at whatever speed: flows are positive, branches add up to the pumps', and less resistance never means less flow."""
    made = circuit(Pump(check_valve=check))
    some = [events.clogging(100.0, server=server, device=device, factor=factor)]
    r = made.flows(happens(*some), np.asarray(speed))
    assert np.all(r.tray(0) > 0) and np.all(r.power > 0)
    assert r.total == pytest.approx(r.tray(0).sum(axis=1), rel=1e-12)
    if factor > 1.01:
        clogged = r.total[-1] if r.row[-1] == r.total.size - 1 else r.total[r.row[-1]]
        assert clogged <= r.total[r.row[0]] * (1 + 1e-9)


# -------------------------------------------------------------------------------------------------------------- the pumps

def test_coasting_is_what_inertia_gives():
    """Speed falls as 1 / (1 + t / tau), half after `coast_time`; interval means are those of that curve. Then it runs up in `start_time`."""
    pumps = Pumps(Pump(coast_time=2.0, start_time=4.0), 100e3, 5e-3)
    trip = events.pump_trip(100.0, duration=50.0)
    seconds = np.unique(np.concatenate([SECONDS, np.arange(100.0, 160.0, STEP)]))
    line = Timeline(((trip, 100.0),)).on(seconds)
    speed, fed = pumps.over(line, np.ones(seconds.size))
    coasts = (seconds >= 100) & (seconds < 140)
    t0 = seconds[coasts] - 100.0
    mean = 2.0 / STEP * np.log((2.0 + t0 + STEP) / (2.0 + t0))
    moves = mean > 0.05
    assert speed[coasts, 0][moves] == pytest.approx(mean[moves], rel=1e-6)
    rises = (seconds >= 150) & (seconds < 153)
    left = 1 / (1 + 50 / 2.0)
    assert speed[rises, 0] == pytest.approx(np.minimum(left + (seconds[rises] - 150 + STEP / 2) / 4.0, 1.0), rel=1e-9)
    assert np.all(fed[(seconds >= 100) & (seconds < 150)] == 0) and np.all(fed[seconds < 100] == 1)


def test_standby_takes_over():
    """One of two pumps trips: flow falls, the third starts after its delay, and the flow is what it was, to the bit."""
    pump = Pump(count=2, standby=1, standby_delay=2.0, start_time=3.0)
    made = circuit(pump)
    line = happens(events.pump_trip(100.0, units=1))
    r = made.flows(line, np.ones(()))
    total = r.total[r.row]
    assert total[-1] == pytest.approx(total[0], rel=1e-7)
    back = made.flows(happens(events.pump_trip(100.0, units=1, duration=60.0)), np.ones(()))
    assert back.total[back.row][SECONDS.size // 4:].min() > 0 and np.ptp([back.total[back.row[0]], back.total[back.row[-1]]]) < 1e-7 * total[0]
    over = happens(events.pump_trip(100.0, units=1, duration=60.0)).seconds >= 160.0
    assert back.total[back.row][over].min() > (1 - 1e-7) * total[0], "the one that waited runs until the other is up"
    least = total[(line.seconds >= 100) & (line.seconds < 102)].min()
    assert 0.6 * total[0] < least < 0.9 * total[0], "two pumps and loops of some stiffness: one alone gives well over half"
    alone = circuit(pump.replace(standby=0)).flows(line, np.ones(()))
    assert alone.total[alone.row[-1]] < 0.95 * total[0]


def test_check_valves_stop_back_flow():
    """A pump that stands between running ones: with its check valve nothing runs back through it; without, trays lose more."""
    line = happens(events.pump_trip(100.0, units=1))
    valve, none = (circuit(Pump(count=2, check_valve=c)).flows(line, np.ones(())) for c in (True, False))
    with_valve, without = (r.total[r.row[-1]] / r.total[r.row[0]] for r in (valve, none))
    assert without < 0.7 * with_valve
    for check, most in ((True, 1e-6), (False, 1.0)):
        made = circuit(Pump(count=2, check_valve=check))
        runs, stands = (made._at(np.array([[1.0, 0.0]]), {})[0][0, made.net.branches.index(f"pump {i}")] for i in (0, 1))
        assert -most * runs < stands < 0
        assert check or stands < -0.2 * runs


def test_drives_hold_flow_or_pressure():
    """Flow is held at 0.8 of the rated one, pressure at 0.6 of the head; a clogged plate and a lost pump do not change that while speed is left."""
    some = [events.clogging(100.0, server=0, device="gpu0", factor=4.0), events.pump_trip(300.0, units=1)]
    made = circuit(Pump(count=2, head=200e3))
    by_flow = made.flows(happens(*some), np.ones(()), Hold(quantity="flow", value=0.6))
    assert by_flow.total == pytest.approx(0.6 * 20 * LPM, rel=1e-6)
    assert by_flow.speed[by_flow.row[-1]] > by_flow.speed[by_flow.row[0]]
    by_pressure = made.flows(happens(some[0]), np.ones(()), Hold(quantity="pressure", value=0.6))
    held = by_pressure.branch[0]["a"]
    others = held[:, 1:]
    assert np.ptp(others, axis=0) == pytest.approx(0, abs=1e-9 * others.max()), "trays at constant pressure do not feel each other"
    assert held[by_pressure.row[-1], 0] < held[by_pressure.row[0], 0]


def test_a_leak_follows_the_expansion_vessel():
    """Pressure over time is that of the integrated equation; pumps are stopped when it comes to their least."""
    t, p = leaked(100e3, 5e-3, 2e-5)
    atmosphere = 101_325.0

    def loses(_, V):
        p_now = (atmosphere + 100e3) * 5e-3 / (5e-3 + V) - atmosphere
        return 2e-5 * np.sqrt(np.maximum(p_now, 0) / 100e3)

    path = solve_ivp(loses, (0, t[400]), [0.0], t_eval=t[:401], rtol=1e-10, atol=1e-14)
    assert p[:401] == pytest.approx((atmosphere + 100e3) * 5e-3 / (5e-3 + path.y[0]) - atmosphere, rel=1e-6)
    line = happens(events.leak(100.0, 2e-5))
    r = circuit(Pump(count=2, standby=1)).flows(line, np.ones(()))
    stops = float(np.interp(-20e3, -p, t)) + 100.0
    assert r.pressure[line.seconds >= stops - 1e-6].max() <= 20e3 * (1 + 1e-6)
    assert np.all(r.speed[r.row[line.seconds < stops - 1e-6]] == 1.0)
    assert r.total[r.row[-1]] < 1e-3 * r.total[r.row[0]]
    shut_in_time = circuit(Pump()).flows(happens(events.leak(100.0, 2e-5, duration=0.5 * (stops - 100.0))), np.ones(()))
    assert np.all(shut_in_time.speed == 1.0)


# ------------------------------------------------------------------------------------------------------------ temperatures

def run(load=0.9, some=(), horizon=600.0, time_step=5.0, **changes):
    ambient = changes.pop("ambient", None)
    options = {k: changes.pop(k) for k in ("rack", "solver", "initial", "power") if k in changes}
    trace = thermo.workload.constant(load, duration=horizon, time_step=time_step)
    return thermo.simulate_rack(options.pop("rack", rack), trace, cooling=cooling(**changes), ambient=ambient, events=some, **options)


FAULTS = [events.pump_trip(60.0, "all", duration=2.0), events.clogging(60.0, 1, "gpu1", 20.0), events.disconnected(60.0, 2, "b", duration=3.0),
          events.cdu_loss(60.0, duration=1.0), events.leak(60.0, 5e-4), events.cooling_loss(60.0, duration=100.0),
          events.utility_outage(60.0, 30.0)]


@pytest.mark.filterwarnings("ignore::UserWarning")  # most of these faults shut something down
@pytest.mark.parametrize("fault", FAULTS, ids=[e.kind for e in FAULTS])
@pytest.mark.parametrize("cdu", [None, CDU], ids=["ideal", "cdu"])
def test_the_balance_holds_in_faults(fault, cdu):
    """Everything in is out or stored, with pumps that stop and coolant that stands; before the fault it is the run without."""
    r, calm = run(some=[fault], cdu=cdu, power="ideal"), run(cdu=cdu, power="ideal")
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())
    before = calm.time.values[calm.time.values <= 60.0]
    assert r.junction_temperature.sel(time=before).values == pytest.approx(calm.junction_temperature.sel(time=before).values, abs=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_after_a_trip_the_junction_rises_at_the_rate_of_stored_heat():
    """Pumps that stop at once: what the device turns into heat stays in silicon, case, plate and the coolant that stands in it. Behind the
    first second, in which these even out, all rise at P / C."""
    r = run(0.3, [events.pump_trip(60.0, "all")], pump=Pump(coast_time=1e-3))
    gpu = tray.mounts[0].device
    C = gpu.junction_capacity + gpu.case_capacity + (gpu.memory_capacity or 0.0) + plate.capacity + plate.volume * LIQUID.density * LIQUID.heat_capacity
    T = r.junction_temperature.sel(device="gpu0", server=0)
    P = float(r.device_power.sel(device="gpu0", server=0).sel(time=60.0, method="nearest"))
    rise = float(T.interp(time=75.0) - T.interp(time=70.0)) / 5.0
    assert float(r.clock_fraction.sel(device="gpu0", server=0).sel(time=75.0, method="nearest")) == 1.0
    assert rise == pytest.approx(P / C, rel=0.02)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_standby_returns_to_the_same_steady_state():
    """A pump trips, the one that waits starts: half an hour later all is what it was."""
    r = run(0.6, [events.pump_trip(60.0, units=1)], horizon=2400.0, time_step=20.0, cdu=CDU, pump=Pump(count=2, standby=1))
    assert r.junction_temperature.isel(time=-1).values == pytest.approx(r.junction_temperature.isel(time=0).values, abs=2e-3)
    gpu1 = r.junction_temperature.sel(device="gpu1", server=0)
    assert float(gpu1.max()) > float(gpu1[0]) + 0.5


def test_more_coolant_buys_time():
    """Facility water is lost: the loop's own heat capacity carries it. Its supply warms at IT power over the loop's capacity, once around."""
    times = []
    for volume in (5e-3, 20e-3):
        r = run(0.5, [events.water_loss(60.0)], cdu=CDU, supply_volume=volume / 2, return_volume=volume / 2, horizon=300.0)
        T = r.supply_temperature.values
        times.append(float(np.interp(T[0] + 10.0, T, r.time)) - 60.0)
    P = float(r.it_power[0] + r.pump_power[0] - r.heat_to_air[0])
    C = LIQUID.density * LIQUID.heat_capacity
    assert times[1] - times[0] == pytest.approx(10.0 * 15e-3 * C / P, rel=0.1)


def test_a_stuck_valve():
    """Stuck at an opening it is the run with that opening."""
    stuck = run(0.7, [events.valve_stuck(60.0, 0.4)], cdu=CDU, horizon=3000.0, time_step=50.0).isel(time=-1)
    set_so = run(0.7, cdu=CDU, valve=0.4, horizon=3000.0, time_step=50.0).isel(time=-1)
    assert float(stuck.supply_temperature) == pytest.approx(float(set_so.supply_temperature), abs=0.01)


def test_a_valve_that_stays_where_it_is():
    """The valve sticks, then the load rises: it is the run whose valve stood there from the begin. Free again, it brings the coolant back."""
    time = np.arange(0.0, 4001.0, 50.0)
    load = thermo.workload.as_workload(xr.DataArray(np.where(time < 500, 0.5, 0.9), dims="time", coords={"time": time}, attrs={"units": "1"}))

    def at(some, valve):
        return thermo.simulate_rack(rack, load, cooling=cooling(cdu=CDU, **valve), events=some)

    free = at([events.valve_stuck(400.0, duration=2100.0)], {})
    assert free.supply_temperature.sel(time=slice(0.0, 450.0)).values == pytest.approx(40.0, abs=2e-3)
    stood = float(free.supply_temperature.interp(time=2400.0))
    low, high = 0.05, 0.95
    for _ in range(12):  # the opening that holds 40 degC under the first load
        opening = 0.5 * (low + high)
        first = float(at([], {"valve": opening}).supply_temperature[0])
        low, high = (opening, high) if first > 40.0 else (low, opening)
    assert stood > 41.0
    assert stood == pytest.approx(float(at([], {"valve": opening}).supply_temperature.interp(time=2400.0)), abs=0.05)
    assert float(free.supply_temperature[-1]) == pytest.approx(40.0, abs=0.02)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_in_two_parts_as_in_one_while_pumps_coast():
    """A run that is cut while pumps coast goes on as the run in one, to the bit."""
    some = [events.pump_trip(60.0, "all", duration=20.0)]
    whole = run(0.3, some, horizon=120.0, cdu=CDU)
    cut = float(whole.time[int(np.searchsorted(whole.time, 61.0))])

    def part(first, last, **more):
        load = thermo.workload.as_workload(thermo.workload.constant(0.3, duration=120.0, time_step=5.0))
        load = thermo.workload.sampled_too(load, np.array([cut])).sel(time=slice(first, last))
        return thermo.simulate_rack(rack, load, cooling=cooling(cdu=CDU), events=some, **more)

    first = part(0.0, cut)
    second = part(cut, 120.0, initial=first)
    assert np.array_equal(second.junction_temperature[-1], whole.junction_temperature[-1])


def test_refusals():
    """What does not fit is said: no such device, no such branch, servers in air, controllers of trays, two leaks."""
    with pytest.raises(ScenarioError, match="device is 'gpu9'"):
        run(some=[events.clogging(60.0, 0, "gpu9")])
    with pytest.raises(ScenarioError, match="branch is 'c'"):
        run(some=[events.disconnected(60.0, 0, "c")])
    with pytest.raises(ScenarioError, match="does not answer to it"):
        run(some=[events.water_loss(60.0)])
    with pytest.raises(ScenarioError, match="needs a speed|have a speed"):
        run(some=[events.pump_trip(60.0)], pump_speed=thermo.cooling.PI(setpoint=60.0))
    with pytest.raises(ScenarioError, match="one at a time"):
        run(some=[events.leak(60.0, 1e-6), events.leak(90.0, 1e-6)])
    with pytest.raises(ScenarioError, match="does not answer to it"):
        thermo.simulate_rack("dgx-h100", thermo.workload.constant(0.5, duration=60.0, time_step=5.0), events=[events.pump_trip(10.0)])
    with pytest.raises(ScenarioError, match="no coolant flows: there is no state at rest"):
        run(some=[events.disconnected(0.0, 0)], rack=rack.with_servers(1))
    with pytest.raises(ScenarioError, match="no facility water comes: there is no state at rest"):
        run(some=[events.water_loss(0.0)], cdu=CDU)
    thin = tray.replace(coolant_flow=1e-8)
    with pytest.raises(ScenarioError, match="would warm by .* is it in L/min"):
        run(rack=Rack(name="thin", slots=(Slot(server=thin, count=1),)))
    mixed = Rack(name="mixed", slots=(Slot(server=tray, count=1),))
    with pytest.raises(ScenarioError, match="server is 3, the rack has 1"):
        run(rack=mixed, some=[events.clogging(60.0, 3, "gpu0")])


# ------------------------------------------------------------------------------------------------- found by using it as a user would

COLD_AND_WET = {"facility_water_temperature": 5.0, "air_temperature": 27.0, "relative_humidity": 0.6}


@given(st.floats(0.15, 3.0), st.floats(0.0, 1.0), st.floats(0.05, 20.0), st.floats(0.02, 1.0))
def test_an_exchanger_moves_no_more_than_either_stream_carries(speed, opening, weight, share):
    """Heat for each kelvin between what enters is above 0 and at most the lower capacity rate, whatever the flows."""
    w = share * CDU.capacity_rates[0] * speed
    most = weight * share * CDU.primary_flow
    X = float(exchange(CDU, share, w, speed, most, opening))
    assert 0 < X < min(w, most * float(primary_flow_share(CDU, opening)) * CDU.primary_heat)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("facility_flow", [None, 2e-3])
def test_pumps_that_coast_do_not_take_heat_from_the_facility(facility_flow):
    """With facility water colder than all coolant, no heat comes from it while pumps coast, and never more leaves than the entering coolant
    brings above it."""
    water = 25.0
    r = run(0.9, [events.pump_trip(60.0, "all")], cdu=CDU, pump_speed=0.5, ambient={"facility_water_temperature": water}, horizon=120.0,
            facility_flow=facility_flow)
    hottest = float(r.coolant_temperature.sel(position="return").max())
    carried = r.mass_flow.sum("server") * LIQUID.heat_capacity * (hottest - water)
    assert float(r.heat_to_liquid.min()) > 0
    assert bool((r.heat_to_liquid <= carried * (1 + 1e-6) + 1e-6 * float(r.it_power[0])).all())
    assert float(r.supply_temperature.min()) > water


def test_a_valve_that_opens_at_once_moves_what_the_streams_carry():
    """A valve that jumps open: no more heat leaves than the coolant that enters the exchanger brings, the unit's own volume included."""
    r = run(0.5, [events.valve_stuck(60.0, 1.0)], cdu=CDU.replace(volume=8e-3), horizon=120.0, power="ideal")
    most = r.mass_flow.sum("server") * LIQUID.heat_capacity * (r.return_temperature - 25.0)
    assert float(r.heat_to_liquid.max()) > 2 * float(r.heat_to_liquid[0])
    assert bool((r.heat_to_liquid <= 1.05 * most).all())


def test_held_pumps_coast_from_where_they_turn():
    """Drives hold half of the flow; pumps that trip fall from that speed, not from full speed."""
    made, hold = circuit(Pump(coast_time=2.0)), Hold(quantity="flow", value=0.5)
    line = happens(events.pump_trip(100.0, "all"))
    r = made.flows(line, np.ones(()), hold)
    held = r.speed[r.row[0]]
    assert held < 0.8
    k = int(np.searchsorted(line.seconds, 100.0))
    span = line.seconds[k + 1] - line.seconds[k]
    mean = 2.0 / span * np.log1p(held * span / 2.0)
    assert r.speed[r.row[k]] == pytest.approx(mean, rel=1e-5)


def test_a_step_of_pump_speed_puts_what_drives_hold_aside():
    """While the step holds the pumps turn as it says, then the drives hold again."""
    r = run(0.5, [events.setpoint(60.0, "pump_speed", 0.9, duration=60.0)], cdu=CDU, pump_speed=Hold(quantity="flow", value=0.5), horizon=300.0)
    speed = r.pump_speed
    assert float(speed.sel(time=90.0)) == 0.9
    assert float(speed.sel(time=200.0)) == float(speed[0]) < 0.9


@pytest.mark.parametrize(("quantity", "value", "said"), [("flow", 1.4, True), ("pressure", 1.4, True), ("flow", 0.02, True), ("pressure", 0.7, False)])
def test_what_pumps_cannot_hold_is_said(quantity, value, said):
    """Beyond full speed, and below the least: the run says that nothing of the kind is held."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(0.2, pump_speed=Hold(quantity=quantity, value=value), horizon=10.0)
    assert any("shall hold" in str(w.message) for w in caught) == said


def test_no_more_pumps_trip_than_run():
    """One pump runs and one waits: two cannot trip; all can."""
    with pytest.raises(ScenarioError, match=r"units is 2, 1 run"):
        run(some=[events.pump_trip(60.0, 2)], pump=Pump(standby=1))


@pytest.mark.parametrize("changes", [{"valve": 1.0}, {"some": [events.valve_stuck(60.0, 1.0)]}], ids=["open", "stuck open"])
def test_condensation_is_said(changes):
    """Facility water below the room's dew point and a valve that nothing closes: the coolant comes below it, too."""
    with pytest.warns(UserWarning, match="condensation: coolant is supplied with"):
        run(0.5, ambient=COLD_AND_WET, cdu=CDU, **changes)


def test_the_valve_keeps_plates_dry():
    """The same water behind a valve that is free: nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        r = run(0.5, ambient=COLD_AND_WET, cdu=CDU)
    assert float(r.supply_temperature.min()) == pytest.approx(40.0, abs=0.01)


def test_facility_water_that_would_be_ice_is_refused():
    """Water below 0 degC in the unit; glycol is taken, and what comes of it is said where the rack's coolant would freeze."""
    frost = {"facility_water_temperature": -4.0, "relative_humidity": 0.02}
    with pytest.raises(ScenarioError, match="would freeze"):
        run(cdu=CDU, ambient=frost)
    with pytest.warns(UserWarning, match="water: its properties are known down to 0.5"):
        run(0.5, cdu=CDU.replace(facility_fluid="pg25"), ambient=frost, fluid="water", valve=1.0)


def test_a_valve_series_stuck_before_the_run_goes_on():
    """The run is cut while the valve sticks: it stands where it stood, not where its series is at the cut."""
    ambient, some = {"facility_water_temperature": 20.0}, [events.valve_stuck(30.0, duration=150.0)]
    valve = xr.DataArray([0.5, 0.9], dims="time", coords={"time": [0.0, 200.0]})
    whole = thermo.simulate_rack(rack, thermo.workload.constant(0.5, duration=200.0, time_step=5.0), cooling=cooling(cdu=CDU, valve=valve),
                                 events=some, ambient=ambient)

    def part(first, last, **more):
        load = thermo.workload.as_workload(thermo.workload.constant(0.5, duration=200.0, time_step=5.0)).sel(time=slice(first, last))
        return thermo.simulate_rack(rack, load, cooling=cooling(cdu=CDU, valve=valve), events=some, ambient=ambient, **more)

    second = part(60.0, 200.0, initial=part(0.0, 60.0))
    assert float(second.supply_temperature[-1]) == pytest.approx(float(whole.supply_temperature[-1]), abs=1e-6)


def test_a_step_of_supply_does_not_move_the_flow_of_a_run_that_goes_on():
    """Density and viscosity are those of the design's set point, whether or not a step holds when a run begins."""
    some = [events.setpoint(30.0, "supply_temperature", 25.0)]
    first = run(0.5, some, horizon=60.0, cdu=CDU)
    load = thermo.workload.constant(0.5, duration=60.0, time_step=5.0)
    second = thermo.simulate_rack(rack, load.assign_coords(time=load.time + 60.0), cooling=cooling(cdu=CDU), events=some, initial=first)
    assert np.array_equal(second.mass_flow[0], first.mass_flow[-1])


def test_an_outage_that_an_ideal_supply_ignores_is_said():
    """Coolant of a set temperature goes on without the plant: no silent ride-through."""
    with pytest.warns(UserWarning, match="supplied all the same"):
        run(0.5, [events.utility_outage(60.0, 30.0)], horizon=120.0, power="ac-ups-480v")


def test_time_to_limits_takes_dates():
    """A result with dates is asked with a date: the same as in seconds of its clock."""
    start = np.datetime64("2026-03-01T03:00:00")
    load = xr.DataArray(np.full(13, 0.5), dims="time", coords={"time": start + 5 * np.arange(13) * np.timedelta64(1, "s")}, attrs={"units": "1"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r = thermo.simulate_rack(rack, load, cooling=cooling(), events=[events.pump_trip("2026-03-01T03:00:20", "all")])
    by_date, by_clock = (thermo.time_to_limits(r, begin).time_to_slowdown for begin in ("2026-03-01T03:00:20", 20.0))
    assert np.isfinite(by_clock).any()
    assert by_date.values == pytest.approx(by_clock.values)
    with pytest.raises(ScenarioError, match="begin is 'tomorrow'"):
        thermo.time_to_limits(r, "tomorrow")


# ---------------------------------------------------------------------------------------------------------------- racks of other kinds

@pytest.mark.parametrize("event", [events.utility_outage(60.0, 30.0), events.cooling_loss(60.0, 30.0)], ids=["outage", "no cold air"])
@pytest.mark.parametrize("cdu", [None, CDU], ids=["ideal", "cdu"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_servers_without_fans_know_no_room(event, cdu):
    """A rack that is on plates altogether: what stops the room's cooling does not reach it, but for its facility water."""
    frontier = thermo.Rack.from_library("frontier-cabinet").with_servers(2)
    r = run(0.9, [event], rack=frontier, cdu=cdu, power="ac-ups-480v", horizon=120.0)
    assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())
    warms = cdu is not None and event.kind == "utility-outage"
    assert (float(r.supply_temperature.max()) > float(r.supply_temperature[0]) + 0.1) == warms


def test_a_unit_in_air_needs_a_room_to_go_on_in():
    """No server of the rack breathes: a unit in the air without cold air has nothing to give its heat to, and that is said."""
    frontier = thermo.Rack.from_library("frontier-cabinet").with_servers(1)
    with pytest.raises(ScenarioError, match="no server of this rack breathes air"):
        run(rack=frontier, some=[events.cooling_loss(60.0)], cdu=CDU.replace(sink="air", primary_flow=2.0, approach=15.0))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_comes_back_of_a_mixed_rack_is_coolant():
    """A server in air beside two on plates: its exhaust is not mixed into the coolant that returns, nor counted as flow of the loop."""
    in_air = thermo.Rack.from_library("dgx-h100").slots[0].server
    mixed = Rack(name="mixed", slots=(Slot(server=in_air, count=1), Slot(server=tray, count=2)))
    for cdu in (None, CDU):
        r = run(0.9, rack=mixed, cdu=cdu, horizon=10.0).isel(time=0)
        flow, back = r.mass_flow[1:], r.coolant_temperature.sel(position="return")[1:]
        assert float(r.return_temperature) == pytest.approx(float((flow * back).sum() / flow.sum()), abs=1e-9)
    answer = thermo.design.least_flow(mixed, 0.5, cooling=cooling(), limits={"gpu": 80.0})
    assert answer.mass_flow == pytest.approx(float(answer.result.mass_flow[0, 1:].sum()), rel=1e-6)


def test_a_straight_series_does_not_hang_on_the_spacing_of_samples():
    """Pumps that slow down along a line: the energy that they take is that of the line, whatever the samples."""
    speed = xr.DataArray([1.0, 0.4], dims="time", coords={"time": [0.0, 200.0]})

    def energy(step):
        load = thermo.workload.constant(0.3, duration=200.0, time_step=step)
        r = thermo.simulate_rack(rack, load, cooling=cooling(pump_speed=speed))
        return float(r.pump_power.values[:-1] @ np.diff(r.time))

    fine = energy(1.0)
    assert energy(50.0) == pytest.approx(fine, rel=0.02)
    assert abs(energy(20.0) / fine - 1) < 0.25 * abs(energy(50.0) / fine - 1), "second order"


# ------------------------------------------------------------------------------------------------------------------- pumps, again

def test_a_pump_that_waits_is_not_started_by_a_trip_that_is_over():
    """Power is back before `standby_delay` has passed: the pump that waits never turns, and flow is what it was. A second trip starts it."""
    pump = Pump(count=2, standby=1, standby_delay=2.0)
    blip = events.pump_trip(100.0, units=1, duration=0.5)
    line = happens(blip)
    r = circuit(pump).flows(line, np.ones(()))
    total = r.total[r.row]
    assert total[-1] == pytest.approx(total[0], rel=1e-9) and total.max() == pytest.approx(total[0], rel=1e-9)
    speed, _ = Pumps(pump, 100e3, 5e-3).over(line, np.ones(line.seconds.size))
    assert np.all(speed[:, 2] == 0.0)
    again = happens(blip, events.pump_trip(300.0, units=1))
    speed, _ = Pumps(pump, 100e3, 5e-3).over(again, np.ones(again.seconds.size))
    assert speed[-1, 2] == 1.0


def test_a_loop_without_the_pressure_that_pumps_need_is_refused():
    """Pumps that are stopped below 20 kPa do not run at 10 kPa."""
    with pytest.raises(ScenarioError, match="static_pressure 10000 Pa is not above pump.minimum_pressure, 20000 Pa"):
        cooling(static_pressure=10e3)


@pytest.mark.parametrize(("share", "said"), [(1.0, False), (0.5, True)])
def test_a_unit_that_is_too_small_for_the_flow_is_said(share, said):
    """Four trays of 5 L/min on half of a unit of 20 L/min: twice its flow, of which its rated point says nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(0.2, cdu=CDU, cdu_share=share, horizon=10.0)
    assert any("rated flow is 2 times that of its share" in str(w.message) for w in caught) == said

"""Air through a made-up server, against answers from hand: balances, affinity, the sink's formulas, the plenum.

Seen to fail: bypass taken twice, NTU in place of exp(NTU) - 1, tables that begin at the fans' minimum duty, a supply of which
servers use up half of what they draw.
"""
import math

import numpy as np
import pytest
import small_rack
import xarray as xr

import thermo
from thermo._kernels import formulas as f
from thermo.cooling import PI, Air
from thermo.cooling.air import lane_flows
from thermo.cooling.heat_sink import AirState, plate_fin_film, sink_coupling, sink_pressure_drop, sink_spreading
from thermo.errors import ScenarioError, ValidityWarning
from thermo.rack import CurveSink, Fans, Lane, Mount, Rack, Server, Slot

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
AIR = AirState.at(25.0, 101_325.0, 0.4)
FANS = Fans(count=4, rated_speed=10_000, curve_flow=(0, 0.02, 0.04, 0.06), curve_pressure=(600, 520, 300, 0), rated_power=40,
            power_exponent=2.7, system_flow=0.12, system_duty=0.8, minimum_duty=0.2, upstream=False)
PI_FANS = Air(fan_speed=PI(setpoint=80.0))
SINK = CurveSink(flow_resistance=0.05, reference_flow=0.03, capacity=300)


def server(*, fans=FANS, bypass=0.0, rows=2, sink=SINK):
    """One lane with one GPU behind another, sinks known by their curve: the chassis alone takes pressure, as V^2."""
    return Server(name="s", height_units=4, lanes=(Lane(name="a", flow_share=1.0),), fans=fans, mounts=(
        Mount(device=small_rack.gpu, names=tuple(f"gpu{i}" for i in range(rows)), lanes=("a",) * rows,
              positions=tuple(range(rows)), sink=sink, bypass=bypass),))


def simulate(load=500.0, *, servers=1, duty=0.8, of=None, ambient=None, **design):
    rack = Rack(name="r", slots=(Slot(server=of or server(), count=servers),))
    times = np.array([0.0, 60.0])
    values = np.full((2,), load) if np.ndim(load) == 0 else np.broadcast_to(load, (2, len(load)))
    dims = ("time",) if np.ndim(load) == 0 else ("time", "device")
    watts = xr.DataArray(values, dims=dims, coords={"time": times}, attrs={"units": "W"})
    return thermo.simulate_rack(rack, watts, cooling=Air(fan_speed=duty, **design), ambient=ambient).isel(time=0)


def test_air_rise_is_power_over_capacity_rate():
    """All heat, the fans' included, leaves with the air: return - supply = P / (m cp), to rounding."""
    for rack in (small_rack.rack, Rack(name="r", slots=(Slot(server=server(), count=3),))):
        r = thermo.simulate_rack(rack, 0.7, cooling=Air(fan_speed=0.6)).isel(time=0)
        rise = float(r.return_temperature - r.supply_temperature)
        expected = float(r.it_power + r.fan_power) / (float(r.mass_flow.sum()) * AIR.heat_capacity)
        assert abs(rise / expected - 1) <= 1e-11
        assert abs(float(r.heat_to_air) / float(r.it_power + r.fan_power) - 1) <= 1e-11


def test_fan_affinity_laws():
    """A chassis that takes k rho V^2: flow goes as speed, exactly; power of the fans as speed^exponent."""
    rated = simulate(duty=0.8)
    for duty in (0.05, 0.2, 0.37, 0.8, 1.0):
        r = simulate(duty=duty)
        # the law of flow is exact where it is straight; that of power is a cubic table, 1e-7 of its value at its points
        assert abs(float(r.mass_flow[0]) / float(rated.mass_flow[0]) / (duty / 0.8) - 1) <= 1e-9
        assert abs(float(r.fan_power) / (4 * 40 * duty**2.7 * AIR.density / 1.2) - 1) <= 1e-5


def test_fans_below_their_minimum_draw_positive_power():
    """A duty below the fans' minimum lies inside the tables too. It once read them beyond their end: -52 W at a duty of 0.05."""
    powers = [float(simulate(duty=d).fan_power) for d in (0.01, 0.05, 0.1, 0.2)]
    assert powers[0] > 0 and np.all(np.diff(powers) > 0)


def test_server_meets_its_rated_flow():
    """At the rated duty, in the standard air of the rated point, the system's flow is the data sheet's."""
    standard = AirState.at(20.0, 101_325.0, 0.5)
    for s in (server(), small_rack.srv):
        flows = lane_flows(s, standard)
        V = [np.interp(s.fans.system_duty, flows.duty, lane) for lane in flows.flow]
        assert abs(sum(V) / s.fans.system_flow - 1) <= 1e-3  # 25 points of duty, read straight between
        assert np.allclose(V, [lane.flow_share * s.fans.system_flow for lane in s.lanes], rtol=1e-3)


def test_second_row_breathes_the_heat_of_the_first():
    """Equal sinks in series: the second is hotter than the first by exactly P1 / w when both draw the same."""
    r = simulate(600.0)
    w = float(r.mass_flow[0]) * AIR.heat_capacity
    T = r.junction_temperature.values[0]
    assert abs((T[1] - T[0]) - 600.0 / w) <= 1e-9
    only_first = simulate([600.0, 0.0])  # the first does not feel the second
    assert abs(only_first.junction_temperature.values[0, 0] - T[0]) <= 1e-9


def test_bypassed_air_mixes_behind_the_sink():
    """A share b passes beside: the air behind the fins rises by P / (w (1 - b)), what reaches the next by P / w."""
    b = 0.25
    r = simulate(600.0, of=server(bypass=b))
    w = float(r.mass_flow[0]) * AIR.heat_capacity
    inlet, first, second = (float(r.coolant_temperature.sel(position=p)[0]) for p in ("inlet", "gpu0", "gpu1"))
    assert abs((first - inlet) - 600 / (w * (1 - b))) <= 1e-9
    assert abs((second - inlet) - (600 / w + 600 / (w * (1 - b)))) <= 1e-9


def test_altitude_thins_the_air():
    """At 2,000 m and the same volume flow the rise grows with the density's ratio, 1.1839 / 0.9288 in dry air (case C03).

    Fans at one speed move one volume (affinity), so that the ratio is exact but for their own power."""
    low, high = (simulate(600.0, ambient={"air_temperature": 25.0, "altitude": h, "relative_humidity": 0.0}) for h in (0.0, 2000.0))
    rise = [float(r.junction_temperature[0, 1] - r.junction_temperature[0, 0]) for r in (low, high)]
    assert abs(rise[1] / rise[0] / (1.1839 / 0.9288) - 1) <= 1e-3  # the table's digits
    assert abs(float(high.fan_power / low.fan_power) / (0.9288 / 1.1839) - 1) <= 1e-3


def test_supply_is_used_up_from_the_bottom():
    """Three servers draw w each of a supply of 1.5 w: inlets are supply, half and half, and all hot aisle.

    By hand: T1 = Ts; T2 = (Ts + Th) / 2; T3 = Th; Th is the mean of the exhausts T_i + P / w. So, with p = P / w and
    x = Th - Ts: x = (0 + x / 2 + x) / 3 + p, x = 2 p."""
    free = simulate(500.0, servers=3)
    m = float(free.mass_flow[0])
    r = simulate(500.0, servers=3, supply_flow=1.5 * m / AIR.density)
    inlet = r.coolant_temperature.sel(position="inlet").values - float(r.supply_temperature)
    p = (2 * 500.0 + float(r.fan_power) / 3) / (m * AIR.heat_capacity)
    assert np.allclose(inlet, [0.0, p, 2 * p], rtol=1e-9, atol=1e-9)


def test_room_air_makes_up_what_the_supply_lacks():
    """No hot-aisle make-up: the second server's inlet is the mean of supply and room, whatever it exhausts."""
    m = float(simulate(500.0, servers=2).mass_flow[0])
    r = simulate(500.0, servers=2, supply_flow=1.5 * m / AIR.density, hot_aisle_makeup=0.0, room_temperature=35.0)
    assert np.allclose(r.coolant_temperature.sel(position="inlet"), [25.0, 30.0], atol=1e-9)


def test_recirculation_by_hand():
    """A share r of every inlet is hot aisle: T_in - Ts = r / (1 - r) P / w."""
    share = 0.2
    r = simulate(500.0, servers=2, recirculation=share)
    p = (2 * 500.0 + float(r.fan_power) / 2) / (float(r.mass_flow[0]) * AIR.heat_capacity)
    inlet = r.coolant_temperature.sel(position="inlet").values - 25.0
    assert np.allclose(inlet, share / (1 - share) * p, rtol=1e-9)


def test_plate_fin_sink_from_its_formulas():
    """Each step of the sink written out: hydraulic diameter, Nu, fin efficiency, NTU, and the spreading resistance of the base."""
    s, m = small_rack.sink, np.array([0.02])
    gap = (0.1 - 34 * 0.0004) / 33
    Dh, free = 2 * gap * 0.08 / (gap + 0.08), 33 * gap * 0.08
    Re = m * Dh / (free * AIR.viscosity)
    h = f.nusselt_duct(Re, AIR.prandtl, gap / 0.08, Dh, 0.11) * AIR.conductivity / Dh
    mL = np.sqrt(2 * h / (200 * 0.0004)) * 0.08
    fins, base = 2 * 34 * 0.08 * 0.11, 33 * gap * 0.11
    UA = h * (fins * np.tanh(mL) / mL + base)
    found, film = plate_fin_film(s, m, AIR)
    assert np.allclose(film, h, rtol=1e-12) and np.allclose(found, UA, rtol=1e-12)
    w = m * AIR.heat_capacity
    G = sink_coupling(s, m, AIR)
    eps = 1 - np.exp(-UA / w)
    assert np.allclose(G / (G + w), eps, rtol=1e-12)  # base at 1, inlet at 0: outlet at eps
    slab = 0.005 / (2000 * 0.1 * 0.11)
    spread = sink_spreading(s, m, AIR, 0.06 * 0.05)
    assert np.all(spread > slab) and np.allclose(sink_spreading(s, m, AIR, None), slab, rtol=1e-12)
    V = m / (AIR.density * free)
    assert 0.5 < float(sink_pressure_drop(s, m, AIR)[0]) / (AIR.density * float(V[0]) ** 2 / 2) < 20  # a few velocity heads


def test_sink_known_by_its_curve():
    """R(V) = R0 (V / V0)^-0.8, base above the air that enters: in the run, (T_case - T_in - P R_interface) / P."""
    r = simulate(600.0)
    m = float(r.mass_flow[0])
    R = 0.05 * (m / (1.184 * 0.03)) ** -0.8
    above = float(r.case_temperature[0, 0]) - float(r.coolant_temperature.sel(position="inlet")[0])
    P = 600.0
    # the base's own 1e-9 K/W and the law's 1e-7
    assert abs(above / (P * (R + small_rack.gpu.interface_resistance)) - 1) <= 1e-6


def test_equal_flow_warms_alike_in_small_and_large_racks():
    """C01 in kind: rise of 10.2 kW in 1,105 CFM at 25 degC is 16.4 K within 2 %."""
    m = 1105 * 0.3048**3 / 60 * AirState.at(25.0, 101_325.0, 0.0).density
    assert abs(10_200 / (m * AIR.heat_capacity) / 16.4 - 1) <= 0.02


@pytest.mark.parametrize(("settings", "words"), [
    (dict(fan_speed=1.5), ("fan_speed", "rpm")), (dict(fan_speed=0.0), ("fan_speed",)),
    (dict(fan_speed=0.5, supply_flow=-1.0), ("supply_flow",)), (dict(fan_speed=0.5, recirculation=1.0), ("recirculation",)),
    (dict(fan_speed={"control": "pid"}), ("pid", "pi")), (dict(fan_speed=0.5, hot_aisle_makeup=2.0), ("hot_aisle_makeup",)),
    (dict(fan_sped=0.5), ("fan_sped",)),
])
def test_refusals_of_the_design(settings, words):
    """Set points that cannot be meant are refused by name and value, as ScenarioError."""
    with pytest.raises(ScenarioError) as refusal:
        Air(**settings)
    assert all(word in str(refusal.value) for word in words) and len(str(refusal.value)) <= 500 and "\n" not in str(refusal.value)


def test_refusals_of_the_scenario():
    """Kelvin for Celsius, sinks that take more than the fans give, a series that ends early, an unknown solver."""
    with pytest.raises(ScenarioError, match="kelvin"):
        simulate(ambient={"air_temperature": 298.15})
    tight = small_rack.sink.replace(fin_count=150, fin_thickness=0.0004)
    with pytest.raises(ScenarioError, match="heat sinks take"):
        simulate(of=server(sink=tight))
    with pytest.raises(ScenarioError, match="covers"):
        simulate(duty=xr.DataArray([0.5, 0.6], dims="time", coords={"time": [0.0, 30.0]}))
    with pytest.raises(ScenarioError, match="propagator"):
        thermo.simulate_rack(small_rack.rack, 0.5, cooling=Air(fan_speed=0.5), solver="propagater")
    with pytest.raises(ScenarioError, match="shared"):
        thermo.simulate_rack(small_rack.rack, 0.5, cooling=Air(fan_speed=0.5, recirculation=0.1), solver="propagator")


def test_fan_speed_in_revolutions():
    """A speed in rpm is a duty of the rated speed."""
    rpm = xr.DataArray([8000.0, 8000.0], dims="time", coords={"time": [0.0, 60.0]}, attrs={"units": "rpm"})
    assert float(simulate(duty=rpm).mass_flow[0]) == pytest.approx(float(simulate(duty=0.8).mass_flow[0]), rel=1e-12)


def test_controlled_fans_hold_less_air_than_full():
    """Sanity of a closed loop: at a light load a PI leaves the fans below full speed and the junction at its target."""
    r = simulate(300.0, duty=PI(setpoint=50.0, resolution=0.0, deadband=0.0))
    assert float(r.fan_duty[0]) < 1 and abs(float(r.junction_temperature.max()) - 50.0) <= 1e-6
    assert math.isclose(float(r.energy_residual), 0.0, abs_tol=1e-6)


def test_a_vendors_points_become_a_curve():
    """Points of a known curve give it back; points that no such curve meets are refused."""
    flow = np.array([0.01, 0.02, 0.04, 0.08])
    sink = CurveSink.from_points(flow, 0.02 + 0.05 * (flow / 0.02) ** -0.7, capacity=500.0)
    again = sink.constant_resistance + sink.flow_resistance * (0.03 / sink.reference_flow) ** -sink.exponent
    assert again == pytest.approx(0.02 + 0.05 * (0.03 / 0.02) ** -0.7, rel=1e-3)
    with pytest.raises(ScenarioError, match="does resistance fall with flow"):
        CurveSink.from_points([0.01, 0.02, 0.04], [0.05, 0.06, 0.09], capacity=500.0)
    with pytest.raises(ScenarioError, match="three points"):
        CurveSink.from_points([0.01, 0.02], [0.05, 0.04], capacity=500.0)


def test_above_its_limit_a_device_is_named():
    """Nothing throttles yet, so a device beyond its limit must be said, not shown at full clocks in silence."""
    with pytest.warns(ValidityWarning, match="above the limit: gpu.*no firmware here"):
        result = simulate(700.0, duty=0.3, ambient={"air_temperature": 40.0})
    assert "above the limit" in result.attrs["warnings"]


def along(values, times, **attrs):
    return xr.DataArray(values, dims="time", coords={"time": times}, attrs=attrs)


def test_the_past_does_not_depend_on_the_future_of_the_inlet():
    """Until the supply warms, a run is the same to the bit as one whose supply never does."""
    times = np.arange(0.0, 1201.0, 15.0)
    load = xr.DataArray(np.full(times.size, 600.0), dims="time", coords={"time": times}, attrs={"units": "W"})
    step = along(np.where(times < 600.0, 20.0, 45.0), times, interpolation="constant")
    flat, later = (thermo.simulate_rack(small_rack.rack, load, cooling=PI_FANS, ambient={"air_temperature": t}) for t in (20.0, step))
    before = slice(0, 40)  # the sample at 600 s is the first that knows
    np.testing.assert_array_equal(flat.junction_temperature[before], later.junction_temperature[before])
    np.testing.assert_array_equal(flat.fan_power[before], later.fan_power[before])
    assert float(later.supply_temperature[40]) == 45.0 and float(later.junction_temperature.max()) > float(flat.junction_temperature.max())


def test_a_warming_inlet_ends_where_a_warm_one_is():
    """Density, viscosity and conductivity follow the supply: after a ramp from 18 to 32 degC the rack stands as at 32 degC."""
    times = np.append(np.arange(0.0, 601.0, 15.0), 7200.0)
    load = xr.DataArray(np.full(times.size, 500.0), dims="time", coords={"time": times}, attrs={"units": "W"})
    ramp = along(np.clip(18.0 + 14.0 * times / 600.0, 18.0, 32.0), times)
    fans = Air(fan_speed=0.7)
    ramped, warm = (thermo.simulate_rack(small_rack.rack, load, cooling=fans, ambient={"air_temperature": t}).isel(time=-1)
                    for t in (ramp, 32.0))
    # humidity and the sinks' law are those of the start, scaled: 0.3 % of a rise of some 70 K
    np.testing.assert_allclose(ramped.junction_temperature, warm.junction_temperature, atol=0.2)
    # the chassis keeps the viscosity of the start: 4 % less than at the end, in the laminar part of the sinks' drop alone
    np.testing.assert_allclose(ramped.mass_flow, warm.mass_flow, rtol=0.01)


def test_each_server_may_have_its_own_inlet():
    """An inlet series per server warms its own server; the rack's supply temperature is what they draw together."""
    times = np.array([0.0, 600.0])
    load = xr.DataArray([500.0, 500.0], dims="time", coords={"time": times}, attrs={"units": "W"})
    inlet = xr.DataArray([[20.0, 24.0, 28.0, 32.0]] * 2, dims=("time", "server"), coords={"time": times})
    result = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.7), ambient={"air_temperature": inlet})
    np.testing.assert_allclose(result.coolant_temperature.sel(position="inlet")[0], [20.0, 24.0, 28.0, 32.0], atol=1e-9)
    alone = thermo.simulate_rack(small_rack.rack.with_servers(1), load, cooling=Air(fan_speed=0.7), ambient={"air_temperature": 20.0})
    np.testing.assert_allclose(result.junction_temperature[:, 0], alone.junction_temperature[:, 0], atol=1e-9)
    assert 20.0 < float(result.supply_temperature[0]) < 26.0  # warm air is thin: less of it


def test_the_last_sample_is_an_instant():
    """At the last sample powers, heat and balance are those of that instant, not of the interval before."""
    times = np.array([0.0, 600.0, 660.0])
    load = xr.DataArray([1.0, 1.0, 0.0], dims="time", coords={"time": times}, attrs={"units": "1"})
    result = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.8))
    steady = float(result.it_power[0] + result.fan_power[0])
    assert float(result.heat_to_air[1]) == pytest.approx(steady, rel=1e-6)
    # the load has just gone: what heats the air directly is gone with it, the sinks still give
    last = float(result.heat_to_air[-1])
    assert float(result.it_power[-1] + result.fan_power[-1]) < last < steady
    assert np.all(np.abs(result.energy_residual) <= 1e-9 * result.it_power.min())


def test_no_load_at_all_has_no_pue():
    """Utility power over no IT power is infinite, and said without a warning of arithmetic."""
    gpu = small_rack.gpu.replace(idle_power=0.0)
    bare = Server(name="s", height_units=4, lanes=(Lane(name="a", flow_share=1.0),), fans=FANS, mounts=(
        Mount(device=gpu, names=("gpu0",), lanes=("a",), positions=(0,), sink=SINK),))
    result = thermo.simulate_rack(Rack.of(bare, 1), 0.0, cooling=Air(fan_speed=0.5))
    assert np.all(np.isinf(result.pue)) and np.isinf(result.pue_mean)


def test_air_beyond_its_laws_is_said():
    """A rack that breathes almost only its own exhaust is no operating point; the result says so."""
    with pytest.warns(ValidityWarning, match="air: its laws hold up to 100 degC"):
        simulate(500.0, recirculation=0.95)




def test_supply_flow_may_change():
    """A handler that fails halfway: before, the servers breathe supply air; after, some of their own exhaust, and warmer."""
    times = np.arange(0.0, 1201.0, 60.0)
    load = xr.DataArray(np.full(times.size, 400.0), dims="time", coords={"time": times}, attrs={"units": "W"})
    flow = along(np.where(times < 600.0, 3.0, 0.9), times, interpolation="constant", units="m3/s")
    result = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.6, supply_flow=flow))
    inlet = result.coolant_temperature.sel(position="inlet").max("server")
    assert np.allclose(inlet[:10], 25.0, atol=1e-9) and float(inlet[-1]) > 27.0
    assert np.all(np.abs(result.energy_residual) <= 1e-9 * result.it_power)
    half = thermo.simulate_rack(small_rack.rack, load, cooling=Air(fan_speed=0.6, supply_flow=0.9))
    np.testing.assert_allclose(result.junction_temperature[-1], half.junction_temperature[-1], atol=0.1)  # settled by then
    with pytest.raises(ScenarioError, match="supply_flow"):
        Air(supply_flow=-1.0)
    with pytest.raises(ScenarioError, match="supply_flow"):
        Air(supply_flow="0.5")

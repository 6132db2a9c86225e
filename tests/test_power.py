"""The power chain: published figures, redundancy, sizes, overload, refusals, and what a result says of them."""
import json

import numpy as np
import pytest
import xarray as xr

import thermo
from thermo import library
from thermo.errors import ScenarioError, ValidityWarning
from thermo.power import (
    Busway,
    Converter,
    Fixed,
    Offset,
    PowerChain,
    Stage,
    Transformer,
    Ups,
    ppue,
    pue,
    rated_power,
    sankey,
    summary,
)
from thermo.power.converter import fitted


def stage(name, **changes):
    """A stage of the library, with some of it changed."""
    return Stage.from_library(name).replace(**changes)


def at(s, P):
    """``(loss [W], efficiency)`` of a stage at an output [W]."""
    loss = float(s.loss(np.array([float(P)]))[0])
    return loss, P / (P + loss)


# ------------------------------------------------------------------------------------------------------ published
# figures

def test_three_stages_in_series():
    """100 kW through 0.96 x 0.99 x 0.97: 8.4730466174 kW lost, and three lines compose it."""
    transformer, ups, psu = (Fixed(name=n, fixed_efficiency=e) for n, e in (("t", 0.96), ("u", 0.99), ("p", 0.97)))
    chain = PowerChain(stages=(transformer, ups, psu))
    utility, loss = chain.input_power(np.array([100e3]))
    assert loss.sum() == pytest.approx(8473.0466174, abs=1e-6)
    assert utility[0] == pytest.approx(100e3 / (0.96 * 0.99 * 0.97))
    assert chain.stage_names == ("t", "u", "p") and loss.shape == (1, 3)
    assert loss[0, 2] == pytest.approx(100e3 * (1 / 0.97 - 1)), "utility first"


def test_c20_titanium_at_half_load():
    """C20: 3.3 kW Titanium at 50 %: 96 % within 0.2 points, 68.8 W."""
    loss, efficiency = at(stage("psu-titanium", servers_per_group=None, units=1.0, redundancy="N"), 1650.0)
    assert efficiency == pytest.approx(0.96, abs=0.002)
    assert loss == pytest.approx(68.8, abs=0.002 / 0.96**2 * 1650)


@pytest.mark.parametrize("tier, points", [
    ("gold", {0.2: 0.88, 0.5: 0.92, 1.0: 0.88}), ("platinum", {0.2: 0.90, 0.5: 0.94, 1.0: 0.91}),
    ("titanium", {0.1: 0.90, 0.2: 0.94, 0.5: 0.96, 1.0: 0.91}),
])
def test_80_plus_points_are_met(tier, points):
    """80 PLUS, 230 V redundant, within 0.1 points of efficiency; the fit says so itself."""
    psu = stage(f"psu-{tier}", servers_per_group=None, units=1.0, redundancy="N")
    errors = [at(psu, x * 3300.0)[1] - eta for x, eta in points.items()]
    assert max(map(abs, errors)) <= 0.001
    assert psu.fit_error == pytest.approx(max(map(abs, errors)), abs=1e-12)


def test_c21_dry_transformer():
    """C21: 225 kVA at 35 %: 98.94 %, 0.844 kW; halved there, 3.87 kW and 98.31 % at full load."""
    t = stage("transformer-pdu", power_factor=1.0, units=1.0)
    loss, efficiency = at(t, 0.35 * 225e3)
    assert efficiency == pytest.approx(0.9894, abs=5e-4) and loss == pytest.approx(844, rel=1e-3)
    loss, efficiency = at(t, 225e3)
    assert efficiency == pytest.approx(0.9831, abs=3e-3) and loss == pytest.approx(3870, rel=2e-3)


def test_large_transformer_is_the_facts():
    """1500 kVA, 99.48 % at half load: 1.96 kW core, 7.84 kW copper, 99.35 % at full load."""
    t = Transformer(name="t", rated_power=1.5e6, stated_efficiency=0.9948, stated_load=0.5)
    assert 1.5e6 * t.no_load_fraction == pytest.approx(1960, rel=1e-3)
    assert 1.5e6 * t.load_fraction == pytest.approx(7841, rel=1e-3)
    assert at(t, 1.5e6)[1] == pytest.approx(0.9935, abs=1e-4)


def test_c22_legacy_ups():
    """C22: 500 kVA at 25/50/75/100 %: 90.5/93.6/94.0/93.9 % within a point, and within 0.1; 13.1 kW at 125 kW."""
    ups = stage("ups-legacy", units=1.0)
    for x, eta in {0.25: 0.905, 0.5: 0.936, 0.75: 0.94, 1.0: 0.939}.items():
        assert at(ups, x * 500e3)[1] == pytest.approx(eta, abs=0.001)
    assert at(ups, 125e3)[0] == pytest.approx(13.1e3, rel=0.01)
    assert ups.battery.runtime(1.0) == 420.0 and ups.battery.runtime(0.5) == pytest.approx(18 * 60, rel=1e-4)


@pytest.mark.parametrize("name", ["ups-modern", "ups-modern-2n", "ups-eco"])
def test_modern_ups_fits(name):
    """Points that came from a parabola are met to their rounding of 5e-5."""
    assert Stage.from_library(name).fit_error <= 5e-5


def test_c23_frontier_converters():
    """C23: 626.26 W and 2704.26 W nodes: 0.9601, 0.9753; a rectifier at 11,341 W: 0.9586, within 0.1 points."""
    node, rectifier = (stage(n, servers_per_group=None, units=1.0) for n in ("sivoc-380v-48v", "rectifier-380v"))
    assert at(node, 626.26)[1] == pytest.approx(0.9601, abs=1e-4)
    assert at(node, 2704.26)[1] == pytest.approx(0.9753, abs=1e-4)
    assert at(rectifier, 11_341)[1] == pytest.approx(0.9586, abs=1e-4)
    assert 11_341 + at(rectifier, 11_341)[0] == pytest.approx((11_341 + 17) / 0.96, rel=1e-14)


def test_c24_low_and_high_voltage_bars():
    """C24: 132 kW draws 2588 A at 51 V, 165 A at 800 V; equal conductors lose 246 times as much."""
    low, high = (Busway(name="b", phases=1, voltage=V, length=2.0, resistance_per_length=3e-5) for V in (51.0, 800.0))
    assert low.current(132e3) == pytest.approx(2588, rel=1e-3) and high.current(132e3) == pytest.approx(165, rel=1e-3)
    assert at(low, 132e3)[0] / at(high, 132e3)[0] == pytest.approx(246, rel=2e-3)
    warm = 3e-5 * 2.0 * (1 + 0.00393 * 40)
    assert at(low, 132e3)[0] == pytest.approx(2 * warm * (132e3 / 51) ** 2, rel=1e-12), "there and back"


def test_busway_three_phases():
    """415 V loses a quarter of 208 V; 0.5 % at full load over 30 m; power factor raises the current."""
    bus = stage("busway-415v", units=1.0)
    P = bus.unit_rating * bus.power_factor
    assert P == pytest.approx(np.sqrt(3) * 415 * 1000 * 0.97) and bus.current(P) == pytest.approx(1000.0)
    assert 0.005 <= at(bus, P)[0] / P <= 0.01
    assert at(bus.replace(voltage=207.5), 100e3)[0] == pytest.approx(4 * at(bus, 100e3)[0])
    assert at(bus.replace(power_factor=0.485), 100e3)[0] == pytest.approx(4 * at(bus, 100e3)[0])


def test_c25_energy_store():
    """C25: 65 J a GPU hold 1400 W for 46.4 ms and 1200 W for 54.2 ms; 72 of them are 4.68 kJ."""
    store = Stage.from_library("shelf-gb300").energy_store
    assert store.hold_time(1400.0) == pytest.approx(46.4e-3, rel=0.01)
    assert store.hold_time(1200.0) == pytest.approx(54.2e-3, rel=0.01)
    assert 72 * store.energy_per_device == 4680.0


# -------------------------------------------------------------------------------------------------------- fit and units

def test_fit_finds_what_made_the_points():
    """Points from a known curve give its coefficients back; input fractions mean the same as output fractions."""
    x = np.array([0.1, 0.3, 0.6, 1.0])
    loss = 0.004 + 0.01 * x + 0.02 * x**2
    np.testing.assert_allclose(fitted(x, x / (x + loss)), [0.004, 0.01, 0.02, 0], atol=1e-12)
    given = {"efficiency": tuple(x / (x + loss)), "rated_power": 1e3}
    by_output = Converter(name="c", load_fraction=tuple(x), **given)
    by_input = Converter(name="c", load_fraction=tuple(x + loss), fraction_of="input", **given)
    assert at(by_input, 700.0)[0] == pytest.approx(at(by_output, 700.0)[0], rel=1e-9)


def test_no_term_is_negative():
    """Gold's points bend more than a parabola with terms >= 0: no term goes below zero, losses rise from no load on."""
    for name in library.names("stages"):
        s = Stage.from_library(name)
        k = s.replace(rated_power=1e4, servers_per_group=None).coefficients()
        assert min(k) >= 0, name
        assert getattr(s, "fit_error", 0.0) <= 0.001, name


def test_two_paths_run_at_half_load():
    """2N is two sets at half load each, N+1 one more unit; all share evenly."""
    one = Converter(name="c", load_fraction=(0.25, 0.5, 1.0), efficiency=(0.94, 0.96, 0.95), rated_power=10e3,
                    units=2.0)
    both, spare = one.replace(redundancy="2N"), one.replace(redundancy="N+1")
    assert (one.installed, spare.installed, both.installed) == (2, 3, 4)
    assert both.capacity == 40e3
    alone = one.replace(units=1.0)
    assert at(both, 16e3)[0] == pytest.approx(4 * at(alone, 4e3)[0])
    assert at(spare, 16e3)[0] == pytest.approx(3 * at(alone, 16e3 / 3)[0])
    assert at(one, 16e3)[0] == pytest.approx(2 * at(alone, 8e3)[0])


def test_units_sleep():
    """With smallest_on the fewest-loss number is on, never fewer than that, never overloaded."""
    shelf = stage("shelf-orv3", units=6.0)
    sleeping = shelf.replace(smallest_on=2)
    P = np.linspace(0.0, 33e3, 400)
    expected = np.min([np.where((P <= n * 5500.0) | (n == 7), shelf.replace(units=n - 1.0).loss(P), np.inf)
                       for n in range(2, 8)], axis=0)
    np.testing.assert_allclose(sleeping.loss(P), expected, rtol=1e-13)
    assert at(sleeping, 2e3)[0] < 0.5 * at(shelf, 2e3)[0]
    assert np.all(np.diff(sleeping.loss(P)) >= -1e-9)
    # large no-load loss: one unit would lose least at any load, but it must not carry more than its rating
    idle = Converter(name="c", load_fraction=(0.5, 1.0), efficiency=(0.5 / 0.6, 1.0 / 1.1), rated_power=1e3, units=3.0,
                     whole_units=True, smallest_on=1)
    np.testing.assert_allclose(idle.loss(np.array([900.0, 1100.0, 2100.0, 4000.0])), [100.0, 200.0, 300.0, 300.0])


def test_apparent_power():
    """A load of power factor 0.5 heats a transformer as twice the power would at 1, and uses up its rating."""
    t = Transformer(name="t", rated_power=100e3, stated_efficiency=0.99, stated_load=0.5, units=1.0)
    lagging = t.replace(power_factor=0.5)
    assert at(lagging, 30e3)[0] == pytest.approx(at(t, 60e3)[0])
    ups = stage("ups-legacy", units=1.0)
    assert at(ups.replace(power_factor=0.8), 200e3)[0] == pytest.approx(at(ups, 250e3)[0])
    psu = stage("psu-titanium", servers_per_group=None, units=1.0, redundancy="N")
    assert at(psu.replace(power_factor=0.5), 1000.0)[0] == pytest.approx(at(psu, 2000.0)[0])
    assert lagging.capacity == 50e3 and "120% of its 50 kW" in lagging.overload(np.array([60e3]))


# ---------------------------------------------------------------------------------------------------------------- sizes

@pytest.mark.parametrize("name", library.names("power"))
def test_library_chains(name):
    """Each chain is sized for a rack, not overloaded by its rated power, and loses 0 to 8 %, a larger share at idle."""
    rack = thermo.Rack.from_library("dgx-h100")
    assert rated_power(rack) == 4 * 10_200.0
    chain = PowerChain.from_library(name).for_rack(rack)
    P = np.array([rated_power(rack), 0.2 * rated_power(rack)])
    flows = chain.flows(P, plant=0.25 * P)
    assert flows.warnings == []
    share = flows.stage_loss.sum(axis=1) / P
    assert 0.0 <= share[0] <= 0.08 and share[0] <= share[1] <= 0.10
    assert (name == "ideal") == (share[0] == 0.0)
    assert chain.for_rack(rack) == chain, "ratings that are known stay"


def test_order_of_the_chains():
    """At full load: eco loses less than 415 V, which loses less than 480 V with its second transformer."""
    lost = {n: float(PowerChain.from_library(n).sized(40e3).input_power(40e3)[1].sum())
            for n in ("ideal", "ac-eco", "ac-ups-415v", "ac-ups-480v")}
    assert sorted(lost, key=lost.__getitem__) == ["ideal", "ac-eco", "ac-ups-415v", "ac-ups-480v"]


def test_sizes():
    """Shares of what is larger, whole supplies for each server, and margins."""
    psu = Stage.from_library("psu-titanium").sized(4 * 10_200.0, servers=4)
    assert (psu.groups, psu.units, psu.installed) == (4.0, 4.0, 20.0), "4 carry 10.2 kW, one more in each of 4 servers"
    ups = Stage.from_library("ups-modern").sized(40e3)
    assert (ups.rated_power, ups.installed) == (pytest.approx(12.5e3), 5.0)
    big = Stage.from_library("ups-legacy").sized(40e3)
    assert big.units == pytest.approx(0.1)
    assert at(big, 40e3)[0] == pytest.approx(at(big.replace(units=1.0), 400e3)[0] / 10)
    node = Stage.from_library("rectifier-380v").sized(74 * 128 * 2800.0, servers=74 * 128)
    assert node.installed == 2368


def test_room_is_cooled():
    """Heat in the electrical room costs heat / COP, drawn behind the plant's feed; heat outdoors costs nothing."""
    t = Transformer(name="t", rated_power=1e5, units=1.0, stated_efficiency=0.99, stated_load=0.5, heat_to="outdoors",
                    feeds_plant=True)
    u = Fixed(name="u", fixed_efficiency=0.9)
    flows = PowerChain(stages=(t, u), room_cop=4.0).flows(np.array([36e3]), plant=np.array([5e3]))
    assert flows.stage_loss[0, 1] == pytest.approx(4e3) and flows.room_cooling_power[0] == pytest.approx(1e3)
    assert flows.stage_loss[0, 0] == pytest.approx(at(t, 36e3 + 4e3 + 5e3 + 1e3)[0])
    assert flows.heat("electrical-room")[0] == flows.stage_loss[0, 1]
    indoors = PowerChain(stages=(t.replace(heat_to="electrical-room"), u)).flows(np.array([36e3]))
    assert indoors.room_cooling_power[0] == pytest.approx(1e3 + indoors.stage_loss[0, 0] / 4)
    inside = PowerChain(stages=(t, u.replace(behind_inlet=True))).flows(np.array([36e3]))
    assert inside.inlet_power[0] == pytest.approx(40e3) and flows.inlet_power[0] == 36e3


def test_loads_that_join_on_the_way():
    """A tap joins at a stage's output; long series go through in pieces with the same result."""
    chain = PowerChain.from_library("ac-ups-480v").sized(40e3)
    P = np.random.default_rng(20261124).uniform(5e3, 40e3, 40_000)
    utility, loss = chain.input_power(P)
    few, few_loss = chain.input_power(P[-3:])
    assert np.array_equal(utility[-3:], few) and np.array_equal(loss[-3:], few_loss)
    tapped = chain.flows(P[-3:], taps={"feeder-208v": 1e3})
    assert np.array_equal(tapped.utility_power, chain.flows(P[-3:] + 1e3).utility_power)
    assert loss.shape == (40_000, 6) and utility == pytest.approx(P + loss.sum(axis=1), rel=1e-13)


# -------------------------------------------------------------------------------------------------- warnings and
# refusals

def test_overload_is_said():
    """Above the rating, and where only the redundant unit still carries it, the result says so and computes on."""
    ups = stage("ups-modern", rated_power=10e3)
    chain = PowerChain(stages=(ups,))
    assert chain.flows(np.array([39e3])).warnings == []
    assert "without its redundancy (N+1)" in chain.flows(np.array([45e3])).warnings[0]
    said = chain.flows(np.array([10e3, 55e3])).warnings
    assert len(said) == 1 and "'ups-modern' carries up to 55 kW, 110% of its 50 kW" in said[0]
    small = PowerChain(stages=(stage("ups-modern", rated_power=3e3),))
    with pytest.warns(ValidityWarning, match="'ups-modern' carries up to"):
        result = thermo.simulate_rack("dgx-h100", thermo.workload.constant(0.5), power=small)
    assert "'ups-modern'" in json.loads(result.attrs["warnings"])[0]


def test_double_counting_is_said():
    """Shelves in front of servers that have their supplies inside."""
    with pytest.warns(ValidityWarning, match="'orv3-54v' has stages behind the servers' inlets .*both count"):
        thermo.simulate_rack("dgx-h100", thermo.workload.constant(0.5), power="orv3-54v")


def dc_rack(servers=1):
    """Servers described at DC level, their supplies in the chain."""
    return thermo.Rack.from_library("dgx-h100", servers=servers).map_servers(
        lambda s: s.replace(conversion_loss=0.0, conversion_slope=0.0))


def test_what_the_shelf_loses_is_removed_too():
    """Heat of supplies in the rack leaves with the rack's heat: the room's air handlers and chillers carry it."""
    rack = dc_rack()
    chain = PowerChain.from_library("orv3-54v").for_rack(rack)
    result = thermo.simulate_rack(rack, thermo.workload.constant(0.5), power=chain)
    load = (result.it_power + result.fan_power + result.pump_power).values
    flows = chain.flows(load)
    heat = (result.heat_to_air + result.heat_to_liquid).values + flows.heat("rack-liquid")
    removal = thermo.library.load("cooling", "air").heat_rejection_power(heat) + flows.room_cooling_power
    np.testing.assert_allclose(result.heat_rejection_power, removal, rtol=1e-7)
    assert np.all(flows.heat("server-air") > 0.02 * load)
    np.testing.assert_allclose(result.heat_to_air, load + flows.heat("server-air"), rtol=1e-7)


@pytest.mark.parametrize("between", ["constant", "linear"])
@pytest.mark.parametrize("solver", ["propagator", "tr-bdf2", "BDF"])
def test_supplies_warm_the_air_of_their_own_server(solver, between):
    """The exhaust of each server carries what its own supplies lose at its own load, at every instant; sums and balance close."""
    rack, times = dc_rack(3), np.arange(0.0, 301.0, 30.0)
    watts = np.array([100.0, 350.0, 650.0]) * (1 + 0.2 * np.sin(times / 40.0))[:, None]
    load = xr.DataArray(watts, dims=("time", "server"), coords={"time": times}, attrs={"units": "W", "interpolation": between})
    chain = PowerChain(stages=("transformer-mv-lv", "ups-modern", "psu-titanium", "vrm")).for_rack(rack)
    air = thermo.cooling.Air(fan_speed=0.8)
    with_loss = thermo.simulate_rack(rack, load, power=chain, cooling=air, solver=solver)
    without = thermo.simulate_rack(rack, load, power="ideal", cooling=air, solver=solver)
    warmer = with_loss.coolant_temperature.sel(position="exhaust") - without.coolant_temperature.sel(position="exhaust")
    assert float(abs(with_loss.junction_temperature - without.junction_temperature).max()) < 0.01
    drawn = without.device_power.sum("device").values + float(without.fan_power[0]) / 3
    vrm = chain.stages[3].loss(3 * drawn) / 3
    lost = vrm + chain.stages[2].loss(3 * (drawn + vrm)) / 3
    if between == "constant":
        rise = lost / (without.mass_flow.values * heat_capacity())
        np.testing.assert_allclose(warmer, rise, rtol=1e-3)
    inner = with_loss.stage_loss.sel(stage=["psu-titanium", "vrm"]).sum("stage")
    # a loss runs straight between samples like the power that makes it: curved upwards, its mean is that much smaller
    np.testing.assert_allclose(inner, lost.sum(axis=1), rtol=1e-7 if between == "constant" else 3e-3)
    assert float(abs(with_loss.energy_residual).max()) <= 1e-9 * float(with_loss.it_power.max())
    drawn_in = with_loss.it_power + with_loss.fan_power + with_loss.heat_rejection_power + with_loss.stage_loss.sum("stage")
    assert float(abs(with_loss.utility_power - drawn_in).max()) <= 1e-9 * float(with_loss.it_power.max())


def heat_capacity():
    from thermo.cooling.heat_sink import AirState

    return AirState.at(25.0, 101_325.0, 0.4).heat_capacity


def test_what_supplies_lose_comes_back_where_air_does():
    """With recirculation the supplies' heat warms inlets and silicon, in the same step."""
    rack = dc_rack(2)
    chain = PowerChain(stages=("ups-modern", "psu-gold", "vrm"))
    air = thermo.cooling.Air(fan_speed=0.8, recirculation=0.3)
    results = [thermo.simulate_rack(rack, thermo.workload.constant(500.0, units="W"), power=c, cooling=air) for c in (chain, "ideal")]
    inlets = [r.coolant_temperature.sel(position="inlet") for r in results]
    assert float((inlets[0] - inlets[1]).min()) > 0.3
    for r in results:
        assert float(abs(r.energy_residual).max()) <= 1e-9 * float(r.it_power.max())


def test_dc_racks_are_not_doubted():
    """A rack without conversion loss, or that comes with a DC chain, is fed from a shelf without a word."""
    rack = thermo.Rack.from_library("dgx-h100")
    dc = rack.map_servers(lambda s: s.replace(conversion_loss=0.0, conversion_slope=0.0))
    chain = PowerChain.from_library("orv3-54v")
    assert chain.doubts(dc) == [] == chain.doubts(rack.replace(power="orv3-54v")) and len(chain.doubts(rack)) == 1


@pytest.mark.parametrize("make, says", [
    (lambda: PowerChain.from_library("ac-ups-481v"), "did you mean 'ac-ups-480v'?"),
    (lambda: PowerChain(stages=("ups-moderm",)), "did you mean 'ups-modern'?"),
    (lambda: PowerChain(stages=()), "at least 1"),
    (lambda: PowerChain(stages=("vrm", "vrm")), "stage names repeat: ['vrm']"),
    (lambda: PowerChain(stages=("vrm", "ups-modern")), "utility first"),
    (lambda: PowerChain(stages=(0.96,)), "expected a stage or the name of one"),
    (lambda: PowerChain(stages=(Stage(name="x"),)), "expected a stage or the name of one"),
    (lambda: Ups.from_mapping({"name": "x", "kind": "fixed", "fixed_efficiency": 0.9}, "f.toml"),
     "f.toml: kind is 'fixed'"),
    (lambda: PowerChain(stages=({"name": "x", "kind": "fusion"},)), "kind is 'fusion'"),
    (lambda: PowerChain(stages=({"name": "x", "kind": "fixed", "fixed_efficiency": 96},)), "fixed_efficiency is 96"),
    (lambda: PowerChain(stages=("ups-modern",)).input_power(1e3), "'ups-modern' has no rated_power"),
    (lambda: PowerChain.from_library("dc-380v").input_power(1e3), "chain.sized(power, servers=...)"),
    (lambda: PowerChain().input_power(-1.0), "power through a chain is -1 W"),
    (lambda: PowerChain().input_power(np.array([np.nan])), "nan W"),
    (lambda: PowerChain().input_power(np.ones((2, 2))), "shape (2, 2)"),
    (lambda: PowerChain().sized(0.0), "power is 0 W"),
    (lambda: PowerChain().flows(1.0, taps={"ups": 1.0}), "no stage 'ups'"),
    (lambda: Converter(name="c", load_fraction=(0.5,), efficiency=(0.9,)), "at least 2"),
    (lambda: Converter(name="c", load_fraction=(0.5, 1.0), efficiency=(0.9, 1.1)), "efficiency[1] is 1.1"),
    (lambda: Converter(name="c", load_fraction=(1.0, 0.5), efficiency=(0.9, 0.9)), "load_fraction must rise"),
    (lambda: Converter(name="c", load_fraction=(0.5, 1.0), efficiency=(0.9, 0.9, 0.9)), "efficiency 3"),
    (lambda: Offset(name="o", offset_power=-1.0, slope_efficiency=0.96), "offset_power is -1.0 W"),
    (lambda: Busway(name="b", phases=1, voltage=800.0, length=1.0, resistance_per_length=1e-5, power_factor=0.9),
     "has no power factor"),
    (lambda: stage("psu-gold", units=1.5), "whole numbers"),
    (lambda: stage("ups-modern", smallest_on=2), "needs whole_units"),
    (lambda: stage("ups-legacy", redundancy="N+1").sized(1e4), "adds nothing definite"),
    (lambda: thermo.simulate_rack("dgx-h100", 0.5, power=0.96), "ac-ups-480v"),
    (lambda: ppue(thermo.simulate_rack("dgx-h100", 0.5), "fan"), "did you mean 'fans'?"),
])
def test_refusals(make, says):
    """One line that names the place and the way out."""
    with pytest.raises(ScenarioError) as refusal:
        make()
    assert says in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) <= 500


# ---------------------------------------------------------------------------------------------------------------
# metrics

@pytest.fixture(scope="module")
def result():
    """An hour that swings, through a chain with everything in it."""
    t = np.arange(0.0, 3601.0, 60.0)
    load = xr.DataArray(0.5 + 0.4 * np.sin(t / 300.0), dims="time", coords={"time": t},
                        attrs={"units": "1", "interpolation": "constant"})
    return thermo.simulate_rack("dgx-h100", load, power="ac-ups-480v")


def test_the_chain_closes_in_a_result(result):
    """Utility = IT + fans + pumps + heat rejection + all losses to 1e-12; PUE >= 1, partial PUEs add up."""
    parts = result.it_power + result.fan_power + result.pump_power + result.heat_rejection_power
    residual = result.utility_power - parts - result.stage_loss.sum("stage")
    assert float(abs(residual).max()) <= 1e-12 * float(result.utility_power.max())
    assert float(result.stage_loss.min()) >= 0.0 and float(result.pue.min()) >= 1.0
    assert list(result.stage.values) == list(PowerChain.from_library("ac-ups-480v").stage_names)
    assert str(result.stage_heat_to.sel(stage="ups-modern").values) == "electrical-room"
    assert pue(result) == pytest.approx(float(result.pue_mean), rel=1e-14)
    assert ppue(result, "power") + ppue(result, "cooling") - 1.0 == pytest.approx(pue(result), rel=1e-13)
    both = ppue(result, "fans") + ppue(result, "heat-rejection")
    assert both - 1.0 == pytest.approx(ppue(result, "cooling"), rel=1e-13)


@pytest.mark.parametrize("chain", ["ac-ups-480v", "ideal", "hvdc", "indoors"])
def test_every_joule_is_followed(chain, result):
    """What enters a node of the Sankey table leaves it; what leaves the utility is all there is."""
    if chain == "indoors":  # a stage before the plant's feed that heats the electrical room
        chain = PowerChain(stages=("sst-800v", stage("transformer-pdu", feeds_plant=True), "ups-modern"))
    elif chain == "hvdc":  # nothing feeds the plant but the utility
        chain = PowerChain(stages=("sst-800v", "busway-800v-dc"))
    if chain != "ac-ups-480v":
        result = thermo.simulate_rack("dgx-h100", thermo.workload.constant(0.7), power=chain)
    table = sankey(result)
    assert list(table.columns) == ["from", "to", "energy"] and (table["energy"] > 0).all()
    flows_in, flows_out = table.groupby("to")["energy"].sum(), table.groupby("from")["energy"].sum()
    for node in set(flows_in.index) & set(flows_out.index):
        assert flows_in[node] == pytest.approx(flows_out[node], rel=1e-12), node
    assert flows_out["utility"] == pytest.approx(float(summary(result).loc["utility_power", "energy"]), rel=1e-12)
    assert set(table["to"]) >= {"servers", "fans", "conversion", "gpu", "cpu", "heat rejection"}


def test_summary(result):
    """Energy is average times time; the peak is the largest sample; each stage has its row."""
    table = summary(result)
    it = table.loc["it_power"]
    assert it["energy"] == pytest.approx(it["average"] * 3600.0) and it["peak"] == float(result.it_power[:-1].max())
    assert {f"loss of {s}" for s in result.stage.values} <= set(table.index)


def test_scenario_runs_again(result):
    """The chain in the result's scenario is the sized one, stage by stage, and describes itself again."""
    data = json.loads(result.attrs["scenario"])["power"]
    chain = PowerChain.from_mapping(data, "scenario")
    P = np.array([30e3])
    again = PowerChain.from_library("ac-ups-480v").for_rack(thermo.Rack.from_library("dgx-h100"))
    assert chain.input_power(P)[0] == again.input_power(P)[0]

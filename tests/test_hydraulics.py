"""Flow networks: against cases solved by hand, an independent solver, published points; what holds for any network.

Seen to fail: a friction slope without its exponent (no convergence), a check valve that leaks forward and backward alike,
star-mesh steps that forget what is grounded (continuity), affinity without its square, whole Newton steps without the line
search (the pump with a cliff), a linear loss that does not follow viscosity.
"""
from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, root

from thermo import formulas
from thermo.errors import ScenarioError, ValidityWarning
from thermo.hydraulics import CheckValve, FlowNetwork, FlowState, Pipe, PlateChannels, Pump, Resistance, Valve
from thermo.library import names

WATER = (998.2, 1.0016e-3)  # kg/m3, Pa s, 20 degC
LPM = 1e-3 / 60
PUMP = Pump(curve_flow=(0, 1e-3, 2e-3, 3e-3), curve_pressure=(200e3, 180e3, 120e3, 20e3), efficiency=0.5)
ORACLE = Path(__file__).parent / "data" / "oracle_values_ht.csv"


def between(drive: float, **branches) -> FlowNetwork:
    """Branches side by side between two given pressures."""
    net = FlowNetwork()
    net.node("in", pressure=1e5 + drive)
    net.node("out", pressure=1e5)
    for name, component in branches.items():
        net.connect("in", "out", *(component if isinstance(component, tuple) else (component,)), name=name)
    return net


def loop(*components, pump: Pump = PUMP, pumps: int = 1, check: bool = False) -> FlowNetwork:
    """A loop: pumps side by side, then the components."""
    net = FlowNetwork()
    net.node("low", pressure=150e3)
    net.node("high")
    for i in range(pumps):
        net.connect("low", "high", *((pump, CheckValve(flow_coefficient=50)) if check else (pump,)), name=f"pump-{i + 1}")
    net.connect("high", "low", *components, name="load")
    return net


def churchill(Re: float, eD: float) -> float:
    A = (-2.457 * np.log((7 / Re) ** 0.9 + 0.27 * eD)) ** 16
    return 8 * ((8 / Re) ** 12 + (A + (37530 / Re) ** 16) ** -1.5) ** (1 / 12)


def pipe_drop(V: float, pipe: Pipe, rho: float, mu: float) -> float:
    v = abs(V) / (np.pi / 4 * pipe.diameter**2)
    Re = rho * v * pipe.diameter / mu
    if Re == 0:
        return 0.0
    loss = churchill(Re, pipe.roughness / pipe.diameter) * pipe.length / pipe.diameter + pipe.minor_loss
    return float(np.sign(V) * loss * rho * v * v / 2)


def worst_continuity(state: FlowState) -> float:
    """Largest sum of flows at a free node, over the largest flow."""
    lay = state._layout
    net = np.zeros(len(lay.nodes))
    np.add.at(net, lay.tail, state.flows)
    np.add.at(net, lay.head, -state.flows)
    return float(np.max(np.abs(np.where(lay.given == 1, 0, net - lay.inflow))) / np.max(np.abs(state.flows)))


# -------------------------------------------------------------------------------------------------- solved by hand

def test_two_laminar_branches_share_by_hagen_poiseuille():
    """Oil, Re about 1: each pipe gives pi D^4 dp / (128 mu L), to rounding."""
    a, b = Pipe(length=1.0, diameter=0.004), Pipe(length=2.0, diameter=0.006)
    state = between(500.0, a=a, b=b).solve(850.0, 0.05)
    for name, pipe in dict(a=a, b=b).items():
        assert state.flow[name] == pytest.approx(np.pi * pipe.diameter**4 * 500 / (128 * 0.05 * pipe.length), rel=1e-12)


def test_two_turbulent_branches_each_meet_the_drop():
    """Water, Re 1e4 and above: each flow is the root of Darcy-Weisbach with Churchill's factor, found alone."""
    a, b = Pipe(length=3.0, diameter=0.012, minor_loss=1.5), Pipe(length=8.0, diameter=0.02, roughness=5e-5)
    state = between(30e3, a=a, b=b).solve(*WATER)
    for name, pipe in dict(a=a, b=b).items():
        assert state.flow[name] == pytest.approx(brentq(lambda V, p=pipe: pipe_drop(V, p, *WATER) - 30e3, 1e-6, 1e-2, xtol=1e-15), rel=1e-10)


@pytest.mark.parametrize("Re", [1.0, 500, 2100, 2600, 3500, 1e4, 1e6])
def test_a_pipe_at_any_reynolds_number(Re):
    """Laminar, the steep stretch where Churchill's law turns, turbulent: the flow put in comes out."""
    pipe = Pipe(length=2.0, diameter=0.01)
    V = Re * WATER[1] / WATER[0] * np.pi / 4 * pipe.diameter
    assert between(pipe_drop(V, pipe, *WATER), a=pipe).solve(*WATER).flow["a"] == pytest.approx(V, rel=1e-9)


def test_friction_agrees_with_the_oracle():
    """The published row of Churchill's factor, read back from a pressure drop."""
    row = next(r for r in csv.DictReader(ORACLE.read_text(encoding="utf-8").splitlines()) if "Churchill 1977" in r["quantity"])
    assert row["inputs_SI"] == "Re=1e4;eD=1e-4"
    pipe = Pipe(length=5.0, diameter=0.02, roughness=2e-6)
    V = 1e4 * WATER[1] / WATER[0] * np.pi / 4 * pipe.diameter
    net = FlowNetwork()
    net.node("in", inflow=V)
    net.node("out", pressure=0.0)
    net.connect("in", "out", pipe, name="pipe")
    v = V / (np.pi / 4 * pipe.diameter**2)
    f_D = net.solve(*WATER).pressure["in"] / (pipe.length / pipe.diameter * WATER[0] * v**2 / 2)
    assert f_D == pytest.approx(float(row[list(row)[2]]), rel=1e-7)


def test_plates_and_quick_disconnects_split_by_their_points():
    """Quadratic against quadratic: flows go as the root of the inverse coefficients. Viscosity moves only the linear part."""
    wide, narrow = Resistance.from_points([2 * LPM], [10e3]), Resistance.from_points([1 * LPM], [10e3])
    state = between(10e3, wide=wide, narrow=narrow).solve(*WATER)
    assert state.flow["wide"] / LPM == pytest.approx(2, rel=1e-5) and state.flow["narrow"] / LPM == pytest.approx(1, rel=1e-5)
    mixed = Resistance(linear=3e8, quadratic=4e12, reference_density=1000.0, reference_viscosity=1e-3)
    V = between(20e3, mixed=mixed).solve(900.0, 2e-3).flow["mixed"]
    assert 2 * 3e8 * V + 0.9 * 4e12 * V * V == pytest.approx(20e3, rel=1e-4)


def test_valves_by_kv():
    """Kv 4 m3/h at 1 bar passes 4 m3/h; linear at half 2; equal percentage 50 at half 4 / sqrt(50)."""
    net = between(1e5, linear=Valve(flow_coefficient=4), equal=Valve(flow_coefficient=4, characteristic="equal-percentage"))
    full, half = net.solve(1000.0, 1e-3), net.solve(1000.0, 1e-3, openings=0.5)
    assert full.flow["linear"] * 3600 == pytest.approx(4, rel=1e-6) and full.flow["equal"] * 3600 == pytest.approx(4, rel=1e-6)
    assert half.flow["linear"] * 3600 == pytest.approx(2, rel=1e-6)
    assert half.flow["equal"] * 3600 == pytest.approx(4 / np.sqrt(50), rel=1e-5)
    assert net.solve(1000.0, 1e-3, openings={"linear": 0}).flow["linear"] == 0


def test_plate_channels_follow_their_law():
    """Shah and London's developed value at small flow; with entry, contraction and expansion at working flow. Split quarters it."""
    plate = PlateChannels(channel_width=2e-4, channel_height=2e-3, fin_thickness=2e-4, length=0.04, channel_count=80)
    rho, mu = 1024.0, 1.39e-3
    area, D_h = 2e-4 * 2e-3, 2 * 2e-4 * 2e-3 / 2.2e-3
    f_Re = float(formulas.friction_rectangular(0.1))

    def drop(V: float, L: float = 0.04, n: int = 80) -> float:
        v = V / n / area
        Re = rho * v * D_h / mu
        f_app = float(formulas.friction_apparent(L / D_h / Re, f_Re)) / Re
        ends = float(formulas.contraction_loss(0.5)) + float(formulas.expansion_loss(0.5))
        return (ends + 4 * f_app * L / D_h) * rho * v * v / 2

    for V in (1e-9, 1.5 * LPM, 3 * LPM):
        assert between(drop(V), p=plate).solve(rho, mu).flow["p"] == pytest.approx(V, rel=1e-9)
    split = plate.replace(split=True)
    assert between(drop(1.5 * LPM, 0.02, 160), p=split).solve(rho, mu).flow["p"] == pytest.approx(1.5 * LPM, rel=1e-9)
    assert drop(1e-9) == pytest.approx(2 * f_Re * mu * 0.04 * 1e-9 / (80 * area * D_h**2), rel=1e-3)
    with pytest.warns(ValidityWarning, match="PlateChannels of branch 'p': Re is"):
        between(3e6, p=plate).solve(rho, 3e-4)
    ported = plate.replace(port_resistance=1e13)
    assert between(drop(2 * LPM) + 1e13 * rho / 1000 * (2 * LPM) ** 2, p=ported).solve(rho, mu).flow["p"] == pytest.approx(2 * LPM, rel=1e-9)


def test_a_bridge_agrees_with_an_independent_solver():
    """Five pipes and an inlet, no symmetry: SciPy's root on the equations written anew, started from the right neighbourhood."""
    rho, mu = 1020.0, 1.5e-3
    pipes = dict(ab=Pipe(length=1, diameter=0.008), ac=Pipe(length=2, diameter=0.01), bc=Pipe(length=0.5, diameter=0.005),
                 bd=Pipe(length=3, diameter=0.012, minor_loss=3), cd=Pipe(length=1.5, diameter=0.007))
    net = FlowNetwork()
    for node, pressure in dict(a=140e3, b=None, c=None, d=100e3).items():
        net.node(node, pressure=pressure)
    for name, pipe in pipes.items():
        net.connect(name[0], name[1], pipe, name=name)
    state = net.solve(rho, mu)

    def equations(x):
        V, p = dict(zip(pipes, x[:5] * 1e-4, strict=True)), dict(a=140e3, b=x[5] * 1e5, c=x[6] * 1e5, d=100e3)
        drops = [(pipe_drop(V[k], pipes[k], rho, mu) - p[k[0]] + p[k[1]]) / 1e5 for k in pipes]
        return [*drops, (V["ab"] - V["bc"] - V["bd"]) * 1e4, (V["ac"] + V["bc"] - V["cd"]) * 1e4]

    found = root(equations, [1.0, 1.0, 0.1, 1.0, 1.0, 1.2, 1.2], tol=1e-13)
    assert np.max(np.abs(equations(found.x))) < 1e-11
    for k, V in zip(pipes, found.x[:5] * 1e-4, strict=True):
        assert state.flow[k] == pytest.approx(V, rel=1e-8)
    assert abs(state.flow["bc"]) > 1e-6


def test_a_balanced_bridge_carries_nothing_across():
    """Ratios alike on both sides: the cross branch is at rest, whatever is in it."""
    side = [Resistance(linear=1e8, quadratic=2e12), Resistance(linear=2e8, quadratic=4e12)]
    net = FlowNetwork()
    for node, pressure in dict(a=150e3, b=None, c=None, d=100e3).items():
        net.node(node, pressure=pressure)
    for up in "bc":
        net.connect("a", up, side[0])
        net.connect(up, "d", side[1])
    net.connect("b", "c", Valve(flow_coefficient=1), name="across")
    state = net.solve(998.2, 1.0016e-3)
    assert abs(state.flow["across"]) < 1e-12 * state.flow["a>b"]


# ----------------------------------------------------------------------------------------------------------- pumps

def curve(V: float) -> float:
    """Rise of PUMP at one of its points."""
    return float(np.interp(V, PUMP.curve_flow, PUMP.curve_pressure))


def test_one_pump_meets_its_load_on_its_curve():
    """A load through a point of the curve: that point, its hydraulic power, and what it draws."""
    state = loop(Resistance.from_points([2e-3], [120e3])).solve(*WATER)
    assert state.flow["pump-1"] == pytest.approx(2e-3, rel=1e-6)
    assert state.hydraulic_power["pump-1"] == pytest.approx(240, rel=1e-5) and state.electric_power["pump-1"] == pytest.approx(480, rel=1e-5)
    assert state.pressure["high"] - state.pressure["low"] == pytest.approx(120e3, rel=1e-5)


def test_pumps_in_parallel_double_flow_and_in_series_double_rise():
    """Two at 2e-3 each against 120 kPa at 4e-3; two with 2 x 120 kPa at 2e-3."""
    assert loop(Resistance.from_points([4e-3], [120e3]), pumps=2).solve(*WATER).flow["load"] == pytest.approx(4e-3, rel=1e-6)
    net = FlowNetwork()
    for node, pressure in dict(a=1e5, b=None, c=None).items():
        net.node(node, pressure=pressure)
    net.connect("a", "b", PUMP)
    net.connect("b", "c", PUMP)
    net.connect("c", "a", Resistance.from_points([2e-3], [240e3]), name="load")
    assert net.solve(*WATER).flow["load"] == pytest.approx(2e-3, rel=1e-6)


def test_affinity_on_a_quadratic_load():
    """Flow with speed, pressure with its square, power with its cube, and with the density of the fluid."""
    net = loop(Resistance.from_points([2e-3], [120e3]), pump=PUMP.replace(efficiency=None, curve_power=(150, 300, 480, 600)))
    full, half = net.solve(*WATER), net.solve(*WATER, speeds=0.5)
    assert half.flow["load"] / full.flow["load"] == pytest.approx(0.5, rel=1e-5)
    assert half.pressure_drop["load"] / full.pressure_drop["load"] == pytest.approx(0.25, rel=1e-5)
    assert half.pump_power / full.pump_power == pytest.approx(0.125, rel=1e-5) and full.pump_power == pytest.approx(480, rel=1e-5)
    dense = net.solve(2 * WATER[0], WATER[1])
    assert dense.pressure_drop["load"] / full.pressure_drop["load"] == pytest.approx(2, rel=1e-5)
    assert dense.flow["load"] == pytest.approx(full.flow["load"], rel=1e-5)


def test_a_check_valve_stops_what_would_run_back_through_a_stopped_pump():
    """Standby pump at rest: with its check valve the running one serves the load alone, without it flow runs back."""
    load = Resistance.from_points([2e-3], [120e3])
    held, open_ = loop(load, pumps=2, check=True), loop(load, pumps=2)
    state = held.solve(*WATER, speeds={"pump-2": 0})
    alone = loop(load, CheckValve(flow_coefficient=50)).solve(*WATER)
    assert -1e-7 * state.flow["pump-1"] < state.flow["pump-2"] <= 0
    assert state.flow["load"] == pytest.approx(alone.flow["load"], rel=1e-6) and state.electric_power["pump-2"] == 0
    back = open_.solve(*WATER, speeds={"pump-2": 0})
    assert back.flow["pump-2"] < -1e-4 and back.flow["load"] < 0.9 * state.flow["load"]
    assert back.dissipated == pytest.approx(sum(back.hydraulic_power.values()), rel=1e-10)
    with pytest.warns(ValidityWarning, match="pump-2.* delivers nothing"):
        weak = held.solve(*WATER, speeds={"pump-2": 0.3})
    assert abs(weak.flow["pump-2"]) < 1e-7 * weak.flow["pump-1"]


def test_a_check_valve_between_given_pressures():
    """Forward it is a valve of its Kv; backward it passes a billionth, and turning the pressure over turns nothing else."""
    net = between(1e5, v=CheckValve(flow_coefficient=3.6))
    assert net.solve(1000.0, 1e-3).flow["v"] == pytest.approx(1e-3, rel=1e-6)
    assert -3e-12 < net.solve(1000.0, 1e-3, pressures={"in": 0.0}).flow["v"] < 0


def test_a_stopped_pump_lets_another_push_through():
    """In series with a running pump it is a resistance: less flow than the pump alone, not none, and a share of the loss."""
    net = FlowNetwork()
    for node, pressure in dict(a=1e5, b=None, c=None).items():
        net.node(node, pressure=pressure)
    net.connect("a", "b", PUMP, name="one")
    net.connect("b", "c", PUMP, name="two")
    net.connect("c", "a", Resistance.from_points([2e-3], [120e3]), name="load")
    state = net.solve(*WATER, speeds={"two": 0})
    assert 1e-3 < state.flow["load"] < 2e-3 and state.pressure_drop["two"] > 0
    with pytest.warns(ValidityWarning, match="two.*beyond its curve's end"):
        slow = net.solve(*WATER, speeds={"two": 1e-4})
    assert slow.flow["load"] == pytest.approx(state.flow["load"], rel=1e-3)


@pytest.mark.parametrize("name", names("pumps"))
def test_library_pumps_run_on_their_points(name):
    """Against each point of the curve in turn the pump gives that flow; its efficiency is one that pumps have."""
    pump = Pump.from_library(name)
    best = 0.0
    for V, p, P in zip(pump.curve_flow[1:], pump.curve_pressure[1:], pump.curve_power[1:], strict=True):
        state = loop(Resistance.from_points([V], [p], density=pump.reference_density), pump=pump).solve(pump.reference_density, 1e-3)
        assert state.flow["load"] == pytest.approx(V, rel=1e-4) and state.pump_power == pytest.approx(P, rel=1e-3)
        best = max(best, state.efficiency["pump-1"])
    assert 0.2 < best < 0.8


@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
@pytest.mark.parametrize("start", [None, 1e3, 60e3, 190e3, 300e3])
def test_a_pump_with_a_cliff_in_its_curve(start):
    """Flat, steep, flat: whole Newton steps jump over the cliff for ever. The point lies on the steep stretch, from any start."""
    cliff = Pump(curve_flow=(0, 1e-3, 1.1e-3, 3e-3), curve_pressure=(201e3, 200e3, 20e3, 19e3))
    net = FlowNetwork()
    net.node("in", pressure=0.0)
    net.node("out", pressure=110e3)
    net.connect("in", "out", cliff, Resistance(linear=1e5), name="pump")
    before = None if start is None else net.solve(*WATER, pressures={"out": start})
    state = net.solve(*WATER, start=before)
    assert state.flow["pump"] == pytest.approx(1.05e-3, rel=1e-4) and state.steps < 10  # half way down: Hermite pieces are symmetric


def test_beyond_its_curve_a_pump_warns():
    """Run-out is computed, and said."""
    with pytest.warns(ValidityWarning, match="pump-1.*beyond its curve's end, 0.003 m3/s"):
        assert loop(Resistance.from_points([4e-3], [1e3])).solve(*WATER).flow["load"] > 3e-3


# ------------------------------------------------------------------------------------------------ racks, published

def rack(trays: int = 18, plates: int = 4) -> FlowNetwork:
    """A rack: manifold, in each tray a supply and a return quick disconnect, plates in parallel behind hoses."""
    net = FlowNetwork("rack")
    net.node("supply", pressure=332e3)
    net.node("return", pressure=100e3)
    flow = 198 * LPM / trays
    for t in range(trays):
        for end in ("in", "out"):
            net.node(f"{end}-{t}")
        net.connect("supply", f"in-{t}", Resistance.from_points([flow], [51.5e3 / 2]), name=f"qd-in-{t}")
        for k in range(plates):
            net.connect(f"in-{t}", f"out-{t}", Resistance.from_points([flow / plates], [29e3]),
                        Resistance.from_points([flow / plates], [120.6e3], linear_share=0.6), name=f"plate-{t}-{k}")
        net.connect(f"out-{t}", "return", Resistance.from_points([flow], [51.5e3 / 2]),
                    Resistance.from_points([flow], [31.3e3]), name=f"qd-out-{t}")
    return net


def test_rack_hydraulics_c10():
    """The published split of an NVL72 loop (2.32 bar): plates 121 kPa, quick disconnects 51.5, hoses 29, each within 3 %."""
    state = rack().solve(998.2, 1.0016e-3)
    assert sum(state.flow[f"qd-in-{t}"] for t in range(18)) / LPM == pytest.approx(198, rel=0.03)
    hose, plate = state.component_drop["plate-7-2"]
    assert plate == pytest.approx(121e3, rel=0.03) and hose == pytest.approx(29e3, rel=0.03)
    assert state.pressure_drop["qd-in-7"] + state.component_drop["qd-out-7"][0] == pytest.approx(51.5e3, rel=0.03)
    assert worst_continuity(state) < 1e-10


def test_pump_efficiency_c11():
    """Two pumps, 1200 L/min at 244 kPa: 4.88 kW hydraulic of 13.7 kW electric, 0.356, within 3 %."""
    each = Pump(curve_flow=(0, 600 * LPM, 900 * LPM), curve_pressure=(300e3, 244e3, 150e3), curve_power=(4000, 6850, 8000))
    state = loop(Resistance.from_points([1200 * LPM], [244e3]), pump=each, pumps=2).solve(*WATER)
    assert sum(state.hydraulic_power.values()) == pytest.approx(4880, rel=0.03)
    assert state.pump_power == pytest.approx(13.7e3, rel=0.03) and state.efficiency["pump-1"] == pytest.approx(0.356, rel=0.03)


def test_a_clogged_plate_starves_its_own_branch_only():
    """Ten times the loss: its flow falls to about a third, its neighbours gain a few per cent, other trays nothing to speak of."""
    net = rack()
    before, after = net.solve(*WATER), net.solve(*WATER, losses={"plate-3-1": 10})
    change = {b: after.flow[b] / before.flow[b] for b in before.flow if b.startswith("plate")}
    assert 0.1 < change.pop("plate-3-1") < 0.4
    neighbours = [v for b, v in change.items() if b.startswith("plate-3-")]
    others = [v for b, v in change.items() if not b.startswith("plate-3-")]
    assert all(1 < v < 1.2 for v in neighbours) and np.ptp(neighbours) < 1e-9 and np.max(np.abs(np.array(others) - 1)) < 1e-9


def test_a_missing_quick_disconnect_starves_its_own_tray_only():
    """One side pulled: the tray is at the other side's pressure and at rest. Both: nothing says its pressure."""
    net = rack()
    before = net.solve(*WATER)
    one = net.solve(*WATER, shut=["qd-in-5"])
    both = net.solve(*WATER, shut=["qd-in-5", "qd-out-5"])
    for state in (one, both):
        assert all(abs(state.flow[f"plate-5-{k}"]) < 1e-15 for k in range(4))
        assert state.flow["plate-6-0"] == pytest.approx(before.flow["plate-6-0"], rel=1e-9)
    assert one.pressure["in-5"] == pytest.approx(100e3, abs=1e-3)
    assert np.isnan(both.pressure["in-5"]) and np.isfinite(both.pressure["in-6"])


# ---------------------------------------------------------------------------------------------- sweeps and slopes

def test_a_sweep_is_its_points():
    """One call over speeds and openings gives what single calls give, wherever it starts."""
    net = loop(Valve(flow_coefficient=10), Pipe(length=20, diameter=0.03))
    n, opening = np.linspace(0.05, 1, 12), np.linspace(1, 0.1, 12)
    table = net.sweep(*WATER, speeds=n, openings={"load": opening})
    assert table.flow["load"].shape == (12,) and table.pressure["high"].shape == (12,) and table.pump_power.shape == (12,)
    for i in (0, 5, 11):
        assert table.flow["load"][i] == pytest.approx(net.solve(*WATER, speeds=n[i], openings=opening[i]).flow["load"], rel=1e-9)
    again = net.sweep(*WATER, speeds=n[::-1], openings={"load": opening[::-1]})
    np.testing.assert_allclose(again.flow["load"][::-1], table.flow["load"], rtol=1e-9)
    warm = net.solve(*WATER, start=net.solve(*WATER, speeds=0.98), speeds=0.97)
    assert warm.steps <= 4 and warm.flow["load"] == pytest.approx(net.solve(*WATER, speeds=0.97).flow["load"], rel=1e-9)


@pytest.mark.parametrize("branch", ["pump-1", "load"])
def test_sensitivities_are_slopes(branch):
    """Against differences of two solutions, 1e-4 apart; the difference itself is good to 1e-6."""
    net = loop(Valve(flow_coefficient=10), Pipe(length=20, diameter=0.03), pumps=2)
    what = dict(speeds={"pump-1": 0.9, "pump-2": 0.8}, openings={"load": 0.6})
    slope = net.solve(*WATER, **what).sensitivity(branch)
    key = "speeds" if branch == "pump-1" else "openings"
    up, down = (net.solve(*WATER, **what | {key: what[key] | {branch: what[key][branch] + h}}) for h in (1e-4, -1e-4))
    for b in net.branches:
        assert slope[b] == pytest.approx((up.flow[b] - down.flow[b]) / 2e-4, rel=1e-4)


# ------------------------------------------------------------------------------------------- what holds for any net

COMPONENTS = st.one_of(
    st.builds(Pipe, length=st.floats(0.01, 50), diameter=st.floats(0.002, 0.1), minor_loss=st.floats(0, 20)),
    st.builds(Resistance, linear=st.floats(1e5, 1e10), quadratic=st.floats(1e8, 1e15)),
    st.builds(Valve, flow_coefficient=st.floats(0.05, 50)),
    st.builds(CheckValve, flow_coefficient=st.floats(0.5, 50)),
    st.builds(PlateChannels, channel_width=st.floats(1e-4, 1e-3), channel_height=st.floats(5e-4, 4e-3), fin_thickness=st.just(2e-4),
              length=st.floats(0.01, 0.1), channel_count=st.integers(5, 200), split=st.booleans()))
SPEED = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.02, 1))


@st.composite
def networks(draw):
    """A connected network: a random tree of passive parts, more branches across it, some of them pumps; and settings."""
    n = draw(st.integers(2, 14))
    net = FlowNetwork()
    net.node("0", pressure=draw(st.floats(1e5, 4e5)))
    speeds, extra = {}, draw(st.integers(1, 12))
    for i in range(1, n):
        net.node(str(i), inflow=0.0)
    for i in range(1, n):
        j = draw(st.integers(0, i - 1))
        tail, head = (i, j) if draw(st.booleans()) else (j, i)
        net.connect(str(tail), str(head), draw(COMPONENTS), name=f"tree-{i}")
    for k in range(extra):
        i = draw(st.integers(0, n - 2))
        j = draw(st.integers(i + 1, n - 1))
        parts = [draw(COMPONENTS)]
        if k == 0 or draw(st.booleans()):
            scale = draw(st.floats(0.05, 20))
            parts.insert(0, PUMP.replace(curve_flow=tuple(scale * V for V in PUMP.curve_flow)))
            speeds[f"extra-{k}"] = draw(SPEED)
        net.connect(*((str(i), str(j)) if draw(st.booleans()) else (str(j), str(i))), *parts, name=f"extra-{k}")
    viscosity = draw(st.sampled_from([4e-4, 1e-3, 5e-3, 0.05]))
    return net, speeds, viscosity


@settings(max_examples=150, deadline=None)
@given(networks())
@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
def test_any_network_balances(case):
    """Continuity to 1e-10 of the largest flow; pumps give what friction takes; pressures and drops agree along every branch."""
    net, speeds, viscosity = case
    while True:
        try:
            state = net.solve(1000.0, viscosity, speeds=speeds)
            break
        except ScenarioError as refusal:  # a pump that faces check valves only: stop that one
            assert "backward through a check valve" in str(refusal)
            speeds |= {next(name for name in speeds if f"pump {name!r}" in str(refusal)): 0.0}
    if not np.any(state.flows):
        assert not any(speeds.values())
        return
    assert worst_continuity(state) < 1e-10
    driven = sum(abs(P) for P in state.hydraulic_power.values())
    assert abs(sum(state.hydraulic_power.values()) - state.dissipated) <= 1e-8 * driven + 1e-25
    lay = state._layout
    p = state.pressures
    drop = np.array(list(state.pressure_drop.values()))
    assert np.max(np.abs(drop - (p[lay.tail] - p[lay.head]))) <= 1e-7 * 200e3 * sum(speeds.values())
    again = net.solve(1000.0, viscosity, speeds=speeds, start=net.solve(1000.0, viscosity,
                                                                               speeds={k: 0.5 * n for k, n in speeds.items()}))
    # One solution, from wherever. Drops are solved to 1e-8 of what drives the network: where the largest flow meets a thousandth of that, and
    # a pump of half its speed all but balances another, 1e-6 of flow was seen to be missed by a hair.
    assert np.max(np.abs(again.flows - state.flows)) <= 1e-5 * np.max(np.abs(state.flows))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.2, 20), min_size=2, max_size=8), st.floats(0.05, 0.9), st.floats(0.05, 1.0), st.data())
@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
def test_opening_a_valve_never_lowers_total_flow(Kv, opening, more, data):
    """Valves side by side behind a pump and a pipe, with a link between the ways: more opening, not less flow."""
    net = FlowNetwork()
    for node, pressure in dict(low=1e5, high=None, out=None).items():
        net.node(node, pressure=pressure)
    net.connect("low", "high", PUMP, name="pump")
    net.connect("out", "low", Pipe(length=3, diameter=0.03), name="back")
    for i, k in enumerate(Kv):
        net.node(f"m{i}")
        net.connect("high", f"m{i}", Valve(flow_coefficient=k), name=f"v{i}")
        net.connect(f"m{i}", "out", Resistance(quadratic=1e11 * k), name=f"r{i}")
        if i:
            net.connect(f"m{i - 1}", f"m{i}", Pipe(length=1, diameter=0.01), name=f"link{i}")
    which = f"v{data.draw(st.integers(0, len(Kv) - 1))}"
    before = net.solve(*WATER, openings={which: opening})
    after = net.solve(*WATER, openings={which: min(1.0, opening + more)})
    assert after.flow["pump"] >= before.flow["pump"] * (1 - 1e-9)


# --------------------------------------------------------------------------------------------------------- refusals

def two_valves() -> FlowNetwork:
    net = loop(Valve(flow_coefficient=5))
    net.connect("high", "low", Valve(flow_coefficient=5), name="bypass")
    return net


@pytest.mark.parametrize("build, message", [
    (lambda: FlowNetwork().solve(*WATER), "flow network has no branch"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, openings={"load": 0.0}),
     "pump 'pump-1' runs at speed 1 with no way from its outlet back to its inlet: shut are 'load'; open one"),
    (lambda: two_valves().solve(*WATER, openings=0.0), "shut are 'load', 'bypass'"),
    (lambda: loop(Valve(flow_coefficient=5), pumps=2, check=True).solve(*WATER, openings=0.0, speeds={"pump-2": 0}),
     "pump 'pump-1' runs at speed 1 with no way"),
    (lambda: loop(CheckValve(flow_coefficient=5), pump=PUMP).solve(*WATER, speeds={"pump-1": 0.5}, shut=()), None),
    (lambda: two_valves().sweep(*WATER, speeds=0.5, openings=[0.5, 0.0]), "at point 1: pump 'pump-1' runs at speed 0.5"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, speeds=80), "speed of 'pump-1' is 80, expected 0 to 1; is it in percent?"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, speeds={"pump1": 1}), "did you mean 'pump-1'?"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, openings={"pump-1": 1}), "not one of the branches with a valve"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, speeds=[1.0, 0.5]), "`sweep` takes sequences"),
    (lambda: loop(Valve(flow_coefficient=5)).sweep(*WATER), "a sweep needs sequences of one length"),
    (lambda: loop(Valve(flow_coefficient=5)).sweep(*WATER, speeds=[]), "a sweep needs sequences of one length, got lengths [0]"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, shut=[["load"]]), "no branch ['load']"),
    (lambda: loop(Valve(flow_coefficient=5)).sweep(*WATER, speeds=[0.5, np.nan]), "speed of 'pump-1' at point 1 is nan"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, shut=["lode"]), "did you mean 'load'?"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(998.2, 1.0), None),
    (lambda: loop(Valve(flow_coefficient=5)).solve(998.2, 40.0), "viscosity is 40 Pa s, expected 1e-06 to 10 Pa s"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(0.0, 1e-3), "density is 0 kg/m3"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER, inflows={"low": 1e-3}), "not one of the nodes without a given pressure"),
    (lambda: loop(Valve(flow_coefficient=5)).solve(*WATER).sensitivity("load1"), "did you mean 'load'?"),
    (lambda: between(1e4, a=Pipe(length=1, diameter=0.01)).solve(*WATER, start=loop(Pipe(length=1, diameter=0.01)).solve(*WATER, speeds=0.2)),
     "start is a state of another network"),
])
@pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
def test_what_cannot_be_solved_is_said(build, message):
    """Each refusal names the place, the value with its unit, and the way out."""
    if message is None:
        build()
        return
    with pytest.raises(ScenarioError) as refusal:
        build()
    assert message in str(refusal.value)


def test_impossible_networks_are_refused():
    """No reference, a lone node, contradictions: what and where."""
    net = FlowNetwork("cooling loop")
    net.node("a")
    net.node("b")
    net.connect("a", "b", PUMP, name="pump")
    net.connect("b", "a", Pipe(length=1, diameter=0.01))
    with pytest.raises(ScenarioError, match="cooling loop: nothing says the pressure of the part with nodes 'a', 'b'"):
        net.solve(*WATER)
    net.node("vessel", pressure=1e5)
    with pytest.raises(ScenarioError, match="node 'vessel' is joined to nothing"):
        net.solve(*WATER)
    net.connect("vessel", "a", Valve(flow_coefficient=1), name="make-up")
    assert abs(net.solve(*WATER).flow["make-up"]) < 1e-15
    with pytest.raises(ScenarioError, match=r"pump 'pump' runs in a part .* shut branches \('make-up'\) cut off"):
        net.solve(*WATER, shut=["make-up"])
    with pytest.raises(ScenarioError, match="inflow of 0.001 m3/s at node 'b' has no way out: shut are 'make-up'"):
        net.solve(*WATER, speeds=0, shut=["make-up"], inflows={"b": 1e-3})
    with pytest.raises(ScenarioError, match="both a pressure .* and an inflow"):
        net.node("c", pressure=1e5, inflow=1e-3)
    with pytest.raises(ScenarioError, match="no node 'vesel'; did you mean 'vessel'"):
        net.connect("vesel", "a", Pipe(length=1, diameter=0.01))
    for bad in (lambda: net.node("a"), lambda: net.connect("a", "a", PUMP), lambda: net.connect("a", "b"),
                lambda: net.connect("a", "b", PUMP, name="pump"), lambda: net.connect("a", "b", PUMP, PUMP, name="x"),
                lambda: net.connect("a", "b", "pipe", name="x"), lambda: net.node("d", pressure=np.nan)):
        with pytest.raises(ScenarioError):
            bad()
    against = FlowNetwork()
    against.node("in", inflow=1e-3)
    against.node("out", pressure=1e5)
    against.connect("out", "in", CheckValve(flow_coefficient=5), name="seat")
    with pytest.raises(ScenarioError, match="contradict CheckValve of branch 'seat'.*wrong way round"):
        against.solve(*WATER)


@pytest.mark.parametrize("build, message", [
    (lambda: Pipe(length=-1, diameter=0.01), "length is -1 m"),
    (lambda: Pipe(length=1, diameter=0.01, roughness=1e-3), "roughness 0.001 m is more than 0.05"),
    (lambda: Resistance(), "linear or quadratic must be above 0"),
    (lambda: Resistance.from_points([1, 2], [1.0]), "as many of one as of the other"),
    (lambda: Resistance.from_points([1e-5, 2e-5], [100.0, 10000.0]), "it misses"),
    (lambda: Valve(flow_coefficient=0), "flow_coefficient is 0 m3/h"),
    (lambda: Pump(curve_flow=(0, 1), curve_pressure=(1, 2)), "curve_pressure must fall"),
    (lambda: Pump(curve_flow=(1, 0), curve_pressure=(2, 1)), "curve_flow must rise"),
    (lambda: Pump.from_library("stratos-25"), "did you mean"),
])
def test_components_refuse_what_cannot_be(build, message):
    """Descriptions say which field, the value with its unit, and the range."""
    with pytest.raises(ScenarioError) as refusal:
        build()
    assert message in str(refusal.value)


def test_nothing_drives_nothing_flows():
    """All pumps at rest: no flow at all, one pressure everywhere, no power."""
    state = loop(Pipe(length=1, diameter=0.01)).solve(*WATER, speeds=0)
    assert not np.any(state.flows) and state.pressure["high"] == 150e3 and state.pump_power == 0 and state.dissipated == 0

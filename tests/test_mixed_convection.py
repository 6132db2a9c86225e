"""Fins and slots in a tank: mixed convection in its limits, friction, buoyancy and natural circulation against closed solutions."""
import doctest

import numpy as np
import pytest

from thermo import formulas
from thermo.cooling import boiling, condenser, mixed_convection
from thermo.cooling.heat_sink import AirState, _channel, plate_fin_film
from thermo.cooling.mixed_convection import (
    Slot,
    buoyancy_head,
    immersed_sink,
    immersed_warnings,
    mixed,
    natural_gap,
    natural_plate,
    optimum_gap,
    sink_conductance,
    slot_flow,
    slot_pressure_drop,
)
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import PlateFinSink

PAO = Fluid.from_library("pao-4")
OIL = Fluid.from_library("mineral-oil")
SINK = PlateFinSink(width=0.08, length=0.1, base_thickness=0.004, fin_height=0.03, fin_thickness=0.001, fin_count=18)
SLOT = Slot(height=0.6, width=0.4, gap=0.01, riser=0.1)
# as good as constant: a viscosity that falls by 1e-7 over the range, since it must fall; density a line
EVEN = Fluid(name="even", freezing_point=-20.0, lowest_temperature=0.0, highest_temperature=100.0, density_series=(850.0, -30.0),
             heat_capacity_series=(2000.0,), conductivity_series=(0.14,), log_viscosity_series=(np.log(0.01), -5e-8), density_error=0.0,
             heat_capacity_error=0.0, conductivity_error=0.0, viscosity_error=0.0)


# ---------------------------------------------------------------------------------------------------------- mixed convection

def test_sum_of_forced_and_natural():
    """Each alone where the other is small, cube root of two where they are equal and aid, half where they are equal and oppose."""
    np.testing.assert_allclose(mixed([5.0, 1e-3, 2.0], [1e-3, 5.0, 2.0]), [5.0, 5.0, 2 * 2 ** (1 / 3)], rtol=1e-9)
    np.testing.assert_allclose(mixed([5.0, 1e-3, 2.0, 3.0], [1e-3, 5.0, 2.0, 2.0], True), [5.0, 5.0, 1.0, 19 ** (1 / 3)], rtol=1e-9)
    F = np.linspace(0.1, 10, 200)
    assert np.all(mixed(F, 3.0) >= np.maximum(F, 3.0)) and np.all(mixed(F, 3.0, True) <= np.maximum(F, 3.0))


def test_forced_dominates_where_richardson_is_small():
    """Gr / Re^2 below 0.1: natural convection adds less than a tenth; the sum is the forced coefficient within 5 %."""
    c = _channel(SINK)
    m = np.geomspace(1e-3, 3.0, 40)
    _, h, forced, natural = sink_conductance(SINK, PAO, m, 40.0, 50.0)
    nu = float(PAO.viscosity(45.0) / PAO.density(45.0))
    Gr = 9.80665 * float(PAO.expansion(45.0)) * 10.0 * SINK.length**3 / nu**2
    Re = m / (c.free_area * float(PAO.density(40.0))) * SINK.length / nu
    fast = Gr / Re**2 < 0.1
    assert fast.any() and (~fast).any() and np.all(h[fast] / forced[fast] < 1.05)
    np.testing.assert_allclose(h**3, forced**3 + natural**3, rtol=1e-12)


def test_natural_plate_by_hand():
    """Oil-like row of oracle_values_ht.csv (Gr 1e6, Pr 100: Nu 81.76243) and the law itself; the same warm or cold."""
    assert float(formulas.nusselt_churchill_chu(1e8, 100)) == pytest.approx(81.76243, rel=1e-6)
    T = 45.0
    Ra = (9.80665 * PAO.expansion(T) * 10 * 0.1**3 * PAO.density(T) ** 2 * PAO.heat_capacity(T) / (PAO.viscosity(T) * PAO.conductivity(T)))
    expected = float(formulas.nusselt_churchill_chu(Ra, PAO.prandtl(T)) * PAO.conductivity(T) / 0.1)
    assert float(natural_plate(PAO, 50.0, 40.0, 0.1)) == pytest.approx(expected, rel=1e-12)
    assert float(natural_plate(PAO, 40.0, 50.0, 0.1)) == pytest.approx(expected, rel=1e-12)


def test_chimney_between_plates():
    """Ra / 24 when narrow, 0.59 Ra^(1/4) when wide; the gap that carries most is at Ra 54.3, where Nu is 1.31 (Bar-Cohen and Rohsenow)."""
    assert float(natural_gap(1e-2)) == pytest.approx(1e-2 / 24, rel=1e-4) and float(natural_gap(1e8)) == pytest.approx(0.59 * 100, rel=2e-3)
    s = np.geomspace(0.1, 10, 20_001)  # Ra = s^4: the heat of a stack of plates of fixed width goes with Nu / s^2
    best = s[np.argmax(natural_gap(s**4) / s**2)]
    assert best**4 == pytest.approx(54.3, rel=0.01) and float(natural_gap(best**4)) == pytest.approx(1.31, abs=0.01)


def test_optimum_gap_of_air_and_oil():
    """'Fins for air have gaps of 1.5 to 2 mm and choke in oil, where the best is 3 to 4' : fins of 100 mm at 20 Pa of air and 5 Pa of PAO."""
    air = AirState.at(35.0, 101325.0, 0.3)
    in_air = float(optimum_gap(air.viscosity, air.conductivity / (air.density * air.heat_capacity), 0.1, 20.0))
    in_oil = float(optimum_gap(PAO.viscosity(40.0), PAO.conductivity(40.0) / (PAO.density(40.0) * PAO.heat_capacity(40.0)), 0.1, 5.0))
    assert 1.5e-3 < in_air < 2e-3 and 3e-3 < in_oil < 4e-3


def test_best_gap_of_our_own_laws():
    """The same by the laws of slot and sink together: of stacks of plates at 5 Pa the best gap is within a third of the closed optimum."""
    gaps, T = np.geomspace(1e-3, 1e-2, 60), 40.0
    D, nu = 2 * gaps, PAO.viscosity(T) / PAO.density(T)
    heat = []
    for gap in gaps:
        m = np.geomspace(1e-6, 10, 4000)
        drop = slot_pressure_drop(Slot(height=0.1, width=100.0, gap=gap, loss=0.0), PAO, m, T, T)
        V = np.interp(5.0, drop, m) / (PAO.density(T) * 100.0 * gap)
        Nu = formulas.nusselt_duct(float(V * 2 * gap / nu), float(PAO.prandtl(T)), 0.0, 2 * gap, 0.1)
        w = V * gap * PAO.density(T) * PAO.heat_capacity(T)  # for each metre of width
        heat.append(float(w * -np.expm1(-Nu * PAO.conductivity(T) / (2 * gap) * 0.2 / w) / gap))
    closed = float(optimum_gap(PAO.viscosity(T), PAO.conductivity(T) / (PAO.density(T) * PAO.heat_capacity(T)), 0.1, 5.0))
    assert D.size == len(heat) and 0.67 < gaps[int(np.argmax(heat))] / closed < 1.33


# ------------------------------------------------------------------------------------------------------------------- sinks

def test_sink_is_consistent():
    """Heat is what the liquid takes up and what the fins give; the wall falls with flow, rises with heat; aiding beats opposing."""
    q, m = np.array([50.0, 150.0, 300.0])[:, None], np.array([0.03, 0.1, 0.3])
    s = immersed_sink(SINK, PAO, q, m, 35.0)
    w = m * PAO.heat_capacity(0.5 * (35.0 + s.outlet))
    np.testing.assert_allclose(w * -np.expm1(-s.conductance / w) * (s.wall - 35.0), np.broadcast_to(q, s.wall.shape), rtol=1e-9)
    np.testing.assert_allclose(w * (s.outlet - 35.0), np.broadcast_to(q, s.wall.shape), rtol=1e-9)
    UA, h, _, _ = sink_conductance(SINK, PAO, m, 0.5 * (35.0 + s.outlet), s.wall)
    np.testing.assert_allclose([UA, h], [s.conductance, s.coefficient], rtol=1e-9)
    assert np.all(np.diff(s.wall, axis=1) < 0) and np.all(np.diff(s.wall, axis=0) > 0) and np.all(np.diff(s.resistance, axis=0) < 0)
    against = immersed_sink(SINK, PAO, q, m, 35.0, opposing=True)
    assert np.all(against.wall > s.wall)


def test_sink_without_buoyancy_is_a_sink_of_ducts():
    """In a liquid that hardly expands and does not thin, it is the sink of `heat_sink` in air with that liquid's properties."""
    still = EVEN.replace(density_series=(850.0, -1e-9))
    state = AirState(850.0, 2000.0, 0.01, 0.14)
    for m in (0.01, 0.1, 1.0):
        UA, _, forced, natural = sink_conductance(SINK, still, m, 40.0, 50.0)
        assert float(natural) < 0.05 * float(forced)
        assert float(UA) == pytest.approx(float(plate_fin_film(SINK, np.asarray(m), state)[0]), rel=1e-3)


def test_cold_start_is_slow():
    """At equal pressure head cold oil flows a tenth and less: from -20 to 40 degC the slot's flow rises by the ratio of viscosities, 40 and
    more; and the sink's resistance in it falls."""
    flow = slot_flow(SLOT, OIL, 0.0, np.array([-20.0, 40.0]), 20.0).m_dot
    thin = float(OIL.viscosity(-20.0) / OIL.viscosity(40.0))
    assert flow[1] / flow[0] > 10 and thin > 30 and flow[1] / flow[0] < 1.05 * thin
    cold, warm = immersed_sink(SINK, OIL, 100.0, flow * 0.2, np.array([-20.0, 40.0])).resistance
    assert cold > 1.3 * warm


def test_warnings():
    """Gaps of 3.6 mm are wide enough for PAO at 40 degC, not at 0 degC, and the 1.5 mm of a sink for air are not."""
    assert immersed_warnings("sink", SINK, PAO, 0.1, 40.0) == [] and len(immersed_warnings("sink", SINK, PAO, 0.1, 0.0)) == 1
    for_air = SINK.replace(fin_count=33)
    assert "narrower than two layers" in immersed_warnings("sink", for_air, PAO, 0.1, 40.0)[0]


def test_wall_thins_the_liquid():
    """Sieder and Tate: the forced coefficient is (mu / mu_wall)^0.14 of that with a wall at the liquid's temperature."""
    _, _, hot, _ = sink_conductance(SINK, PAO, 0.1, 40.0, 80.0)
    _, _, even, _ = sink_conductance(SINK, PAO, 0.1, 40.0, 40.0)
    assert float(hot / even) == pytest.approx(float(PAO.viscosity(40.0) / PAO.viscosity(80.0)) ** 0.14, rel=1e-12)


# ------------------------------------------------------------------------------------------------------------------- slots

def test_friction_of_a_slot():
    """Thick liquid in a wide slot: 12 mu L V / (w s^3) within what its ends add; with viscosity by height the mean of both ends' to second
    order, and losses in dynamic pressures."""
    slot, m = Slot(height=1.0, width=1.0, gap=2e-3, loss=0.0), 1e-2
    hand = 12 * 0.01 * 1.0 * (m / 850.0) / (1.0 * (2e-3) ** 3)
    assert float(slot_pressure_drop(slot, EVEN, m, 50.0, 50.0)) == pytest.approx(hand, rel=3e-3)
    plain, lossy = (float(slot_pressure_drop(slot.replace(loss=k), EVEN, 1.0, 50.0, 50.0)) for k in (0.0, 4.0))
    assert lossy - plain == pytest.approx(4.0 * 850 / 2 * (1.0 / (850 * 2e-3)) ** 2, rel=1e-9)
    T = np.linspace(30.0, 60.0, 2001)
    fine = np.trapezoid(slot_pressure_drop(slot, PAO, m, T, T), T) / 30.0
    assert float(slot_pressure_drop(slot, PAO, m, 30.0, 60.0)) == pytest.approx(fine, rel=1e-6)


def test_buoyancy_of_a_slot():
    """A density that is a line: g rho beta dT (H / 2 + riser) exactly, against a cold liquid; the other sign where it cools."""
    head = float(buoyancy_head(SLOT, EVEN, 30.0, 40.0))
    assert head == pytest.approx(9.80665 * 0.6 * 10.0 * (0.3 + 0.1), rel=1e-12)
    assert float(buoyancy_head(SLOT, EVEN, 40.0, 30.0)) == pytest.approx(-head, rel=1e-12)
    assert float(EVEN.expansion(50.0)) == pytest.approx(0.6 / 850, rel=1e-12)


def test_natural_circulation_against_a_closed_solution():
    """Buoyancy rho g beta dT (H/2 + riser) and friction 12 mu H m / (rho w s^3) with dT = q / (m c) give
    m = rho sqrt(g beta q (H/2 + riser) w s^3 / (12 mu H c)): the flow goes with the root of heat. Within the density's change, 0.5 %."""
    slot = Slot(height=1.0, width=10.0, gap=2e-3, riser=0.2, loss=0.0)
    q = np.array([1.0, 4.0, 16.0])
    found = slot_flow(slot, EVEN, q, 50.0)
    rho, beta = 850.0, 0.6 / 850.0
    closed = rho * np.sqrt(9.80665 * beta * q * (0.5 + 0.2) * 10.0 * (2e-3) ** 3 / (12 * 0.01 * 1.0 * 2000.0))
    np.testing.assert_allclose(found.m_dot, closed, rtol=5e-3)
    np.testing.assert_allclose(found.m_dot * 2000.0 * (found.outlet - 50.0), q, rtol=1e-9)
    np.testing.assert_allclose(found.buoyancy, found.friction, rtol=1e-9)
    assert found.m_dot[2] / found.m_dot[0] == pytest.approx(4.0, rel=5e-3)


def test_slots_share_a_plenum():
    """At one head a hotter slot draws more than a cold one; a head alone gives the friction's own flow; more head, more flow, less rise."""
    s = slot_flow(SLOT, PAO, np.array([0.0, 500.0, 2000.0]), 40.0, 30.0)
    assert np.all(np.diff(s.m_dot) > 0)
    np.testing.assert_allclose(s.friction, 30.0 + s.buoyancy, rtol=1e-9)
    assert float(s.buoyancy[0]) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(s.m_dot * PAO.heat_capacity(0.5 * (40.0 + s.outlet)) * (s.outlet - 40.0), [0.0, 500.0, 2000.0], rtol=1e-4)
    more = slot_flow(SLOT, PAO, 2000.0, 40.0, np.array([0.0, 10.0, 100.0]))
    assert np.all(np.diff(more.m_dot) > 0) and np.all(np.diff(more.outlet) < 0)


def test_examples_of_the_docstrings():
    """Each gives what it prints."""
    for module in (boiling, condenser, mixed_convection):
        done = doctest.testmod(module)
        assert done.attempted and not done.failed, module


@pytest.mark.parametrize("call, says", [
    (lambda: slot_flow(SLOT, PAO, 0.0, 40.0), "nothing rises at a heat of 0 W and a head of 0 Pa"),
    (lambda: slot_flow(SLOT, PAO, -1.0, 40.0), "heat is -1 W, expected 0 or above"),
    (lambda: slot_flow(SLOT.replace(gap=2e-4), PAO, 5e3, 40.0), "would leave at 120 degC or above"),
    (lambda: immersed_sink(SINK, PAO, 5000.0, 0.1, 35.0), r"the fins would be at .* pao-4 is known up to 120 degC"),
    (lambda: immersed_sink(SINK, PAO, 50.0, 0.0, 35.0), "m_dot is 0 kg/s, expected above 0 kg/s"),
    (lambda: immersed_sink(SINK, PAO, 0.0, 0.1, 35.0), "heat is 0 W, expected above 0 W"),
    (lambda: sink_conductance(SINK, PAO, 0.1, 313.0, 320.0), "is it in kelvin"),
    (lambda: Slot(height=0.6, width=0.4, gap=0.0), "gap is 0.0"),
])
def test_refusals(call, says):
    """What cannot be is refused with what was expected."""
    with pytest.raises(ScenarioError, match=says):
        call()

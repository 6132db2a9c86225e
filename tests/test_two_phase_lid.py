"""A two-phase tank that is opened, takes in air and loses fluid; walls that are late to boil; what is above the level."""
import json

import numpy as np
import pytest
from test_two_phase_immersion import GPU, NOVEC, ONE_ATM, closes, live_two, load, one, run, said, two

import thermo
from thermo import events
from thermo.cooling import TwoPhaseImmersion
from thermo.cooling.boiling import Regime, Surface, boiling_curve, regime_after
from thermo.cooling.boiling_face import spreading
from thermo.cooling.condenser import VapourSpace, condense, condenser_for, gas_share
from thermo.cooling.tank_air import EXCHANGE
from thermo.errors import ConvergenceError, ScenarioError
from thermo.power import rated_power
from thermo.refrigerants import Refrigerant, Saturation

R = 8.314462618
BOILS = float(NOVEC.saturation_temperature(ONE_ATM))
SPACE = VapourSpace(volume=4e-6 * rated_power(two))


def pool(r):
    return r.coolant_temperature.sel(position="pool").values[:, 0]


def lost_and_its_heat(r):
    """Kilograms by the latent heat at the pool's temperature, and as told."""
    span = np.diff(r.time.values)
    return float(np.sum(r.vented_heat.values[:-1] * span / NOVEC.latent_heat(0.5 * (pool(r)[1:] + pool(r)[:-1])))), float(r.fluid_lost[-1])


# ------------------------------------------------------------------------------------------------------------------ lid

def test_an_open_lid_brings_the_room_s_pressure_and_loses_little():
    """Half an hour open, condenser at work: at the room's pressure within a minute; what is lost is the degreaser's 0.73 kg/(h m2) in proportion
    to the vapour's density, 2 kg/(h m2), and its heat; energy closes."""
    r = run(two, load([0.5] * 481, 5.0), events=[events.lid_open(60.0, 1800.0)])
    opened = slice(24, 372)
    np.testing.assert_allclose(r.tank_pressure.values[opened], ONE_ATM, rtol=5e-3)
    area = 3e-6 * rated_power(two) / 0.4
    by_hand = EXCHANGE * area * float(np.mean(NOVEC.vapour_density(pool(r)[12:372]))) * 1800.0
    assert float(r.fluid_lost[-1]) == pytest.approx(by_hand, rel=1e-3)
    assert 0.7 < by_hand / area / 0.5 < 3.0  # kg/(h m2)
    by_heat, told = lost_and_its_heat(r)
    assert by_heat == pytest.approx(told, rel=1e-5)
    np.testing.assert_allclose(r.fluid_mass + r.fluid_lost, r.fluid_mass[0], rtol=1e-12)
    assert closes(r) and said(r, "lid: open from 60 s") and not said(r, "vent")


def test_walls_boil_at_the_room_s_pressure_in_a_pool_that_is_colder():
    """Open at half load: superheat of a face counts from where it boils at one bar, while the pool stays colder by the air's part."""
    design = TwoPhaseImmersion()
    r = run(two, load([0.5] * 241, 5.0), events=[events.lid_open(60.0)]).isel(time=-1, server=0)
    T = float(r.coolant_temperature.sel(position="pool"))
    assert T < BOILS - 5 and float(r.saturation_temperature) == pytest.approx(BOILS, abs=0.02)
    q, face = float(r.device_power.sel(device="gpu3")), design.face(GPU)
    curve = boiling_curve(face.surface, Saturation.at(NOVEC, BOILS))
    between = q * (GPU.device.interface_resistance + spreading(face, GPU.device, design.plate_thickness, design.plate_conductivity)[0])
    superheat = float(r.case_temperature.sel(device="gpu3")) - BOILS - between
    assert superheat == pytest.approx(float(curve.superheat(q / face.surface.footprint)), rel=0.03)  # natural convection carries some of it
    subcooled = boiling_curve(face.surface, Saturation.at(NOVEC, BOILS), BOILS - T)
    assert float(r.chf_margin.sel(device="gpu3")) == pytest.approx(subcooled.critical_flux * face.area / q, rel=0.01)


def test_without_water_all_heat_leaves_by_the_lid():
    """No condenser: the pool boils at the room's pressure and what it loses is the heat over the latent heat, within 0.5 %."""
    r = run(two, load([0.6] * 361, 1.0), TwoPhaseImmersion(cover=1.0 / 3), events=[events.lid_open(20.0), events.water_loss(20.0)])
    late = slice(240, 360)
    assert np.max(np.abs(pool(r)[late] - BOILS)) < 0.3 and float(np.max(np.abs(r.tank_pressure.values[late] - ONE_ATM))) < 0.01 * ONE_ATM
    heat = float(np.mean(r.it_power.values[late] - r.conversion_loss.values[late])) - 10.0 * (BOILS - 25.0)
    rate = (float(r.fluid_mass[240]) - float(r.fluid_mass[360])) / 120.0
    assert rate == pytest.approx(heat / float(NOVEC.latent_heat(BOILS)), rel=5e-3)
    assert float(r.gas_amount[-1]) < 0.02 * float(r.gas_amount.max())  # vapour has pushed the air out
    assert closes(r)


def test_air_stays_when_the_lid_is_shut():
    """What has come in stays: the ideal gas's pressure on top of the vapour's, the pool where the coil is in balance with its mole fraction, within
    0.02 K, and devices hotter than before by what it boils hotter."""
    r = run(two, load([0.8] * 801, 5.0), events=[events.lid_open(60.0, 900.0)])
    n, T, end = r.gas_amount.values, pool(r), r.isel(time=-1)
    shut = int(np.argmin(np.abs(r.time.values - 960.0)))
    np.testing.assert_allclose(n[shut + 1:], n[-1], rtol=1e-12)
    assert n[-1] == pytest.approx((ONE_ATM - float(NOVEC.saturation_pressure(T[shut]))) * SPACE.volume / R / (T[shut] + 273.15), rel=2e-3)
    assert float(end.tank_pressure) == pytest.approx(float(NOVEC.saturation_pressure(T[-1])) + n[-1] * R * (T[-1] + 273.15) / SPACE.volume, rel=1e-12)
    coil = condenser_for(rated_power(two), NOVEC, BOILS, 30.0)
    y = float(gas_share(SPACE, NOVEC, T[-1], n[-1]))
    slope = 500.0  # W/K and more
    assert abs(float(condense(coil, NOVEC, T[-1], 30.0, coil.rated_water_flow, gas=y).heat) - float(end.heat_to_liquid)) < 0.02 * slope
    hotter = float(end.junction_temperature.sel(device="gpu0")[0] - r.junction_temperature.sel(device="gpu0")[0, 0])
    assert hotter == pytest.approx(float(end.saturation_temperature - r.saturation_temperature[0]), abs=0.7)
    assert closes(r)


def test_the_vent_lets_gas_out_as_it_is_mixed():
    """Air from an open lid, then more heat than the condenser takes: the vent opens at its pressure, and gas and vapour leave in proportion
    to what there is of them, within 3 %, until a tenth of the air is left."""
    less = 0.6 * condenser_for(rated_power(two), NOVEC, BOILS, 30.0).rated_water_flow
    r = run(two, load(np.r_[[0.2] * 100, [1.0] * 3000], 1.0), TwoPhaseImmersion(cover=0.3),
            events=[events.lid_open(20.0, 60.0), events.setpoint(100.0, "water_flow", less)])
    n, T, vapour = r.gas_amount.values, pool(r), -np.diff(r.fluid_mass.values)
    left = np.diff(n) < 0
    vents = left & (r.time.values[:-1] > 100)
    assert vents.sum() > 5 and 0.98 * (ONE_ATM + 30e3) < r.tank_pressure.max() < 1.02 * (ONE_ATM + 30e3)
    some = slice(int(np.flatnonzero(vents)[0]), 150 + int(np.argmax(n[150:] < 0.1 * n[150])))
    by_hand = vapour / NOVEC.molar_mass * R * (T[1:] + 273.15) / SPACE.volume / NOVEC.saturation_pressure(T[1:])  # -dn/n
    assert float(np.log(n[some.start] / n[some.stop])) == pytest.approx(float(by_hand[some].sum()), rel=0.03)
    assert np.all(np.diff(n[100:]) <= 0) and closes(r)


def test_gas_from_the_begin_is_bled():
    """A tank that was filled with gas in it, without water: what the vent lets out takes the gas along; a sealed one keeps it."""
    happens = [events.water_loss(10.0)]
    vented = run(two, load([0.5] * 121, 5.0), TwoPhaseImmersion(gas=0.4), events=happens)
    sealed = run(two, load([0.5] * 41, 5.0), TwoPhaseImmersion(gas=0.4, sealed=True), events=happens)
    assert float(vented.gas_amount[0]) == pytest.approx(0.4, rel=1e-12) and float(vented.gas_amount[-1]) < 0.1
    np.testing.assert_allclose(sealed.gas_amount, 0.4, rtol=1e-12)
    np.testing.assert_allclose(vented.saturation_temperature[0], sealed.saturation_temperature[0], atol=2e-3)
    assert closes(vented) and closes(sealed)


def test_a_tank_that_is_tight_goes_on_from_one_that_vented():
    """What has left stays away when the vent is shut for good: mass goes on, nothing more is lost, level and dryness too."""
    first = run(live_two, load([0.8] * 61, 5.0), events=[events.water_loss(20.0)])
    tight = TwoPhaseImmersion(sealed=True)
    second = run(live_two, load([0.1] * 61, 5.0).assign_coords(time=300.0 + 5.0 * np.arange(61)), tight, initial=first)
    assert float(first.fluid_lost[-1]) > 1 and float(second.fluid_lost[0]) == pytest.approx(float(first.fluid_lost[-1]), rel=1e-12)
    np.testing.assert_allclose(second.fluid_mass, first.fluid_mass[-1], rtol=1e-12)
    assert closes(second)


@pytest.mark.parametrize("split", [100.0, 320.0])
def test_a_run_in_two_parts_with_the_lid_open(split):
    """What goes on from a result is what would have been, air and mass too: 1e-9."""
    happens = [events.lid_open(60.0, 100.0), events.water_loss(200.0, 150.0)]
    use = load(0.6 + 0.1 * np.sin(np.arange(101)), 5.0)
    whole = run(live_two, use, events=happens)
    first = run(live_two, use.sel(time=slice(0.0, split)), events=[event for event in happens if event.t < split])
    second = run(live_two, use.sel(time=slice(split, None)), initial=first, events=happens)
    for name in ("junction_temperature", "saturation_temperature", "fluid_mass", "fluid_lost", "gas_amount"):
        later = whole[name].sel(time=second.time)
        np.testing.assert_allclose(second[name].values[:-1], later.values[:-1], rtol=1e-9)


def test_a_fluid_above_one_bar_flashes_when_opened():
    """R1233zd(E) at some 230 kPa: opened, it boils itself down to 18 degC; what is lost is the heat of the tank over the latent heat, 3 %, and
    devices run colder."""
    fluid = Refrigerant.from_library("r1233zd-e")
    design = TwoPhaseImmersion(fluid=fluid, design_temperature=45.0, sealed=True, cover=0.3)
    r = run(two, load([0.05] * 121, 5.0), design, events=[events.lid_open(60.0), events.water_loss(60.0)])
    T = pool(r)
    assert T[-1] == pytest.approx(float(fluid.saturation_temperature(ONE_ATM)), abs=0.1) and T[0] > 30
    assert float(r.junction_temperature[-1].max()) < float(r.junction_temperature[0].max())
    mass = float(r.fluid_mass[0])
    held = mass * float(fluid.liquid_heat_capacity(25.0)) * (T[0] - T[-1])
    assert float(r.fluid_lost[-1]) > 0.9 * held / float(fluid.latent_heat(25.0))
    assert closes(r)


def test_what_is_lost_has_a_price():
    """The library's, or the design's own: cost is mass times price all the time."""
    lost = [events.lid_open(20.0), events.water_loss(20.0)]
    r = run(two, load([0.6] * 61, 5.0), events=lost)
    np.testing.assert_allclose(r.fluid_lost_cost, 50.0 * r.fluid_lost, rtol=1e-12)
    own = run(two, load([0.6] * 61, 5.0), TwoPhaseImmersion(fluid_price=80.0), events=lost)
    assert float(own.fluid_lost_cost[-1]) == pytest.approx(80.0 * float(r.fluid_lost[-1]), rel=1e-12)
    assert Refrigerant.from_library("hfe-7100").price == 49 and Refrigerant.from_library("r1233zd-e").price is None
    assert "USD" in said(r, "lid")[0]


# ------------------------------------------------------------------------------------------------------------ late to boil

def slow(start=30.0, overshoot=15.0):
    """A GPU's power up and down from cold, slowly."""
    surface = Surface.from_library("plain-copper", length=0.09, width=0.09, incipience_overshoot=overshoot)
    design = TwoPhaseImmersion(fluid="fc-72", surfaces={"gpu": surface})
    watts = np.r_[np.linspace(1, 400, 400), np.linspace(400, 8, 400)]
    return design, run(one, load(watts, 1.0, "W"), design, initial=start)


def test_a_wall_that_is_late_to_boil():
    """Up from cold on natural convection to the incipience superheat, then down to nucleate boiling; back along that. Regimes are those of
    `regime_after` within what the plate stores; the flux jumps twentyfold."""
    design, r = slow()
    g, face = r.sel(device="gpu0").isel(server=0), design.face(GPU)
    base = spreading(face, GPU.device, design.plate_thickness, design.plate_conductivity)[0]
    wall = g.case_temperature - g.device_power * (GPU.device.interface_resistance + base)  # too low by what the plate stores, little
    on = int(np.argmax(g.boiling_regime.values == Regime.NUCLEATE))
    assert 50 < on < 400 and set(g.boiling_regime.values[:on]) == {Regime.CONVECTION} and set(g.boiling_regime.values[on:]) == {Regime.NUCLEATE}
    state = Saturation.at(design.fluid, float(r.saturation_temperature[on]))
    curve = boiling_curve(face.surface, state)
    superheat = (wall - r.saturation_temperature).values
    assert superheat[on - 1] == pytest.approx(curve.incipience_superheat, rel=0.15)
    now, changes = np.int8(Regime.CONVECTION), []
    for x in superheat:
        now = regime_after(curve, now, x)
        changes.append(int(now))
    assert abs(int(np.argmax(np.array(changes) == Regime.NUCLEATE)) - on) < 15  # s, in which it warms by 2 K
    assert g.heat_flux.values[on:on + 3].max() > 10 * g.heat_flux.values[on - 2]
    up, down = (int(np.argmin(np.abs(np.where(side, superheat, 1e9) - 9.0))) for side in (np.arange(800) < on, np.arange(800) > 450))
    assert g.heat_flux.values[down] > 4 * g.heat_flux.values[up] and closes(r)


def test_without_overshoot_there_is_no_hysteresis():
    """The same with none: convection ends where the curve's onset is, and 0 K is what runs without it do."""
    _, r = slow(overshoot=0.0)
    g = r.sel(device="gpu0").isel(server=0)
    on = int(np.argmax(g.boiling_regime.values == Regime.NUCLEATE))
    assert float(g.case_temperature[on] - r.saturation_temperature[on]) < 6.0
    _, tiny = slow(overshoot=1e-6)
    assert float(abs(tiny.junction_temperature - r.junction_temperature).sel(device="gpu0").max()) < 0.4


def test_at_rest_a_wall_has_boiled():
    """A run from rest begins on the boiling branch, however late the surface."""
    design = TwoPhaseImmersion(surface=Surface.from_library("boiling-plate", incipience_overshoot=20.0))
    r, plain = run(two, load([0.5] * 31), design), run(two, load([0.5] * 31))
    np.testing.assert_allclose(r.junction_temperature, plain.junction_temperature, atol=0.1)


@pytest.mark.parametrize("fluid, overshoot, finish", [("novec-649", 20.0, "boiling-plate"), ("fc-72", 30.0, "plain-copper")])
def test_a_wall_that_is_very_late_falls_back_to_nucleate_boiling(fluid, overshoot, finish):
    """Excursions of 20 to 40 K are measured for FC-72 on walls that then boil, far below the critical flux: no film, though its critical superheat
    is 10 to 20 K; power that falls again leaves the wall boiling, colder than before."""
    design = TwoPhaseImmersion(fluid=fluid, surface=Surface.from_library(finish, incipience_overshoot=overshoot))
    assert boiling_curve(design.surface.replace(incipience_overshoot=0.0), Saturation.at(design.fluid, 45.0)).critical_superheat < overshoot
    r = run(one, load(np.r_[[0.02] * 60, [0.1] * 20, [0.02] * 60], 2.0), design, initial=37.0)
    g = r.sel(device="cpu0").isel(server=0)
    assert set(np.unique(r.boiling_regime)) == {Regime.CONVECTION, Regime.NUCLEATE} and int(g.boiling_regime[-1]) == Regime.NUCLEATE
    assert float(g.case_temperature.max() - g.case_temperature[-1]) > 8.0 and not said(r, "critical heat flux") and closes(r)


def test_a_late_wall_still_has_a_critical_flux():
    """However late: beyond the critical flux it goes into a film."""
    small = Surface.from_library("boiling-plate", length=0.04, width=0.04, incipience_overshoot=20.0)
    r = run(one, load([1.0] * 60, 1.0), TwoPhaseImmersion(surfaces={"gpu": small}, period=0.2), initial=40.0)
    assert int(r.boiling_regime.sel(device="gpu0")[-1, 0]) == Regime.FILM and said(r, "critical heat flux")


# ------------------------------------------------------------------------------------------------------------------- dry

def test_a_dry_device_radiates():
    """What is above the level and stays on ends where vapour and radiation take its heat: hot, but no hotter than that, and said to be destroyed."""
    r = run(one, load([60.0] * 4000, 2.0, "W"), TwoPhaseImmersion(cover=0.01), events=[events.water_loss(10.0, 2600.0)])
    g, face = r.isel(server=0, time=-1).sel(device="gpu4"), TwoPhaseImmersion().face(GPU)
    wall, T = float(g.case_temperature) + 273.15, float(pool(r)[-1]) + 273.15
    out = face.area * (10.0 * (wall - T) + 0.7 * 5.670374e-8 * (wall**4 - T**4))
    assert int(g.boiling_regime) == 4 and 250 < float(g.junction_temperature) < 700
    assert out == pytest.approx(60.0, rel=0.08)  # radiation is that to a pool of the design's temperature, 17 K warmer
    (told,) = said(r, "destroyed")
    assert "passes 250 degC by" in told and "firmware" in told


# -------------------------------------------------------------------------------------------------------------- refusals

def test_chilled_water_stops_with_its_chiller():
    """Where the water's cold comes from a chiller, loss of cooling takes the condenser's cold water too."""
    lost = [events.cooling_loss(20.0)]
    chilled = run(two, load([0.5] * 61, 5.0), TwoPhaseImmersion(liquid_chiller_cop=5.0), events=lost)
    free = run(two, load([0.5] * 61, 5.0), events=lost)
    assert float(chilled.saturation_temperature[-1]) > float(free.saturation_temperature[-1]) + 5
    assert not said(chilled, "water flows") and said(free, "water flows") and closes(chilled)


@pytest.mark.parametrize("changes, says", [
    ({"design_temperature": 95.0}, r"cooling\.design_temperature is 95.* expected 6 to 89 degC.*novec-649 is known"),
    ({"liquid_volume": 1e-4}, r"cooling\.liquid_volume .*litres for a kilowatt"),
    ({"vapour_volume": 500.0}, r"cooling\.vapour_volume .*litres for a kilowatt"),
    ({"liquid_area": 1e-4}, r"cooling\.liquid_area .*deep"),
    ({"cover": 2.0}, r"cooling\.cover .*liquid is 0\.4 m deep"),
])
def test_absurd_tanks_are_refused(changes, says):
    """With field, value, range and a way out."""
    with pytest.raises(ScenarioError, match=says):
        run(two, 0.5, TwoPhaseImmersion(**changes))


def test_no_rest_beyond_the_fluid_s_range():
    """A tight tank without water has no steady state that means anything."""
    with pytest.raises(ConvergenceError, match="no steady state.*pool of 90 degC, to which novec-649 is known.*initial=25"):
        run(two, load([0.5] * 9), TwoPhaseImmersion(sealed=True), events=[events.water_loss(0.0)])


def test_lids_that_cannot_be_opened_are_refused():
    """Shorter than the tank is looked at; of a fluid that is not known at the room's pressure; the default temperature of the latter."""
    with pytest.raises(ScenarioError, match=r"lid-open at 3 s: duration is 0.1 s, expected 0.5 s or more"):
        run(two, load([0.5] * 9), events=[events.lid_open(3.0, 0.1)])
    yf = TwoPhaseImmersion(fluid="r1234yf", design_temperature=50.0, period=0.1)
    with pytest.raises(ScenarioError, match="lid-open: r1234yf is known from 373 kPa on.*leave it out"):
        run(two, load([0.5] * 9), yf, events=[events.lid_open(3.0)])
    with pytest.raises(ScenarioError, match=r"cooling\.design_temperature: r1234yf is not known to boil at 1 atm.*5 to 80 degC"):
        run(two, load([0.5] * 9), yf.replace(design_temperature=None))


def test_going_on_in_another_tank_is_refused():
    """Another fluid or more of it would count as lost what was never there; what is of the plant may change."""
    first = run(two, load([0.5] * 9))
    later = load([0.5] * 9).assign_coords(time=8.0 + np.arange(9))
    for other in ({"fluid": "fc-72"}, {"liquid_volume": 0.1}):
        with pytest.raises(ScenarioError, match="initial: the tank of that result holds .* kg when full"):
            run(two, later, TwoPhaseImmersion(**other), initial=first)
    np.testing.assert_allclose(run(two, later, TwoPhaseImmersion(period=0.2), initial=first).fluid_lost, 0.0, atol=1e-12)


def test_a_lid_opened_later_needs_gas_from_the_begin():
    """A run without gas cannot be gone on from with a lid that opens; with a trace it can, to what would have been."""
    use, opens = load([0.5] * 61), [events.lid_open(40.0, 10.0)]
    with pytest.raises(ScenarioError, match="begin with a trace, cooling.gas = 1e-6"):
        run(two, use.sel(time=slice(30.0, None)), initial=run(two, use.sel(time=slice(0.0, 30.0))), events=opens)
    trace = TwoPhaseImmersion(gas=1e-6)
    second = run(two, use.sel(time=slice(30.0, None)), trace, initial=run(two, use.sel(time=slice(0.0, 30.0)), trace), events=opens)
    np.testing.assert_allclose(second.gas_amount[:-1], run(two, use, trace, events=opens).gas_amount[30:-1], rtol=1e-9)


def test_an_empty_tank_says_so():
    """Where all but the last has left there is nothing to boil: said, with when."""
    r = run(two, load([1.0] * 70, 20.0), events=[events.lid_open(10.0), events.water_loss(10.0)])
    (told,) = said(r, "nothing is left to boil")
    when = float(told.split("by ")[1].split(" s")[0])
    assert float(r.fluid_mass.sel(time=when)) <= 0.02002 * float(r.fluid_mass[0]) < float(r.fluid_mass.sel(time=when - 20.0))


def test_a_begin_that_no_tank_has_is_refused():
    """A temperature outside of the fluid's range; an open lid at rest."""
    with pytest.raises(ScenarioError, match=r"initial is 120.* 5 to 90 degC.*novec-649"):
        run(two, load([0.5] * 3), initial=120.0)
    with pytest.raises(ScenarioError, match="lid-open at 0 s: a tank whose lid is open loses fluid and has no steady state"):
        run(two, load([0.5] * 9), events=[events.lid_open(0.0)])
    r = run(two, load([0.5] * 60), events=[events.lid_open(0.0)], initial=30.0)
    assert float(r.fluid_lost[-1]) > 0


def test_going_on_without_the_lid_s_event_is_refused():
    """Air that came in is part of the state: what goes on needs the event that let it in."""
    first = run(two, load([0.5] * 61), events=[events.lid_open(20.0, 20.0)])
    later = load([0.5] * 61).assign_coords(time=60.0 + np.arange(61))
    with pytest.raises(ScenarioError, match="gas in a tank is part of one of them alone: give the lid_open event"):
        run(two, later, initial=first)
    r = run(two, later, initial=first, events=[events.lid_open(20.0, 20.0)])
    np.testing.assert_allclose(r.gas_amount, first.gas_amount[-1], rtol=1e-9)


def test_a_hot_tank_does_not_speak_of_air():
    """A bare device that dries to more than 100 degC is no warning of moist air's formulas."""
    r = run(one, load([100.0] * 200, 5.0, "W"), TwoPhaseImmersion(sealed=True), events=[events.water_loss(10.0)])
    assert not [m for m in json.loads(r.attrs["warnings"]) if m.startswith("air:")]


# ---------------------------------------------------------------------------------------------------------------- design

def test_least_water_of_the_condenser():
    """The least flow that holds a limit: the pool is where the coil by hand has it at that flow, and twice the headroom takes more of it."""
    answers = [thermo.design.least_flow(two, 0.9, cooling=TwoPhaseImmersion(), ambient={"facility_water_temperature": 30.0}, limits={"gpu": T})
               for T in (78.0, 74.0)]
    rated = condenser_for(rated_power(two), NOVEC, BOILS, 30.0)
    for answer, T in zip(answers, (78.0, 74.0), strict=True):
        assert float(answer.result.junction_temperature.sel(device="gpu0").max()) == pytest.approx(T, abs=0.05) and list(answer.settings) == ["water_flow"]
        now = answer.result.isel(time=-1)
        by_hand = condense(rated, NOVEC, float(now.saturation_temperature), 30.0, answer.value)
        assert float(by_hand.heat) == pytest.approx(float(now.heat_to_liquid), rel=2e-3)
    assert 0.1 * rated.rated_water_flow < answers[0].value < answers[1].value


def test_map_of_water():
    """Headroom falls a kelvin for a kelvin of the water or less, rises with the flow; where the vent would open there is none."""
    rated = TwoPhaseImmersion().rated_water_flow(rated_power(two))
    found = thermo.design.flow_map(two, 0.9, cooling=TwoPhaseImmersion(), supply_temperature=[20.0, 30.0, 44.0], flow=[0.3 * rated, rated, 2 * rated])
    room = found.headroom.values
    assert np.all(np.diff(room, axis=1) > 0) and np.all(np.diff(room, axis=0) < 0)
    assert not bool(found.feasible[2, 0]) and bool(found.feasible[0, 2]) and found.attrs["flow_of"] == "water_flow"


def test_cheapest_water():
    """With a price of flow, the cheapest is the least that holds the limit. Without a price it is refused."""
    asked = {"cooling": TwoPhaseImmersion(water_temperature=30.0), "limits": {"gpu": 76.0}}
    answer = thermo.design.cheapest_cooling(one, 0.9, free=["water_flow"], count=lambda r: 100.0 * float(r.mass_flow.sum()), **asked)
    assert 0 <= answer.headroom < 0.1 and 0 < answer.value < TwoPhaseImmersion().rated_water_flow(rated_power(one))
    with pytest.raises(ScenarioError, match="nothing in a rack under TwoPhaseImmersion takes power to be cooled"):
        thermo.design.cheapest_cooling(one, 0.9, cooling=TwoPhaseImmersion())

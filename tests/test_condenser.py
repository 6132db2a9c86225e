"""Condensation and the vapour space: Nusselt's film, the coil's balance in its limits, pressure against closed solutions, the vent."""
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from thermo import formulas
from thermo.cooling.condenser import (
    Condenser,
    Relief,
    VapourSpace,
    closed_transient,
    condense,
    condensing_temperature,
    film_coefficient,
    gas_factor,
    gas_share,
    internal_energy,
    space_capacity,
    space_pressure,
    space_rates,
    vent,
    vent_flow,
    vent_is_open,
)
from thermo.errors import ScenarioError
from thermo.refrigerants import GAS_CONSTANT, Refrigerant

NOVEC = Refrigerant.from_library("novec-649")
FC_72 = Refrigerant.from_library("fc-72")
COIL = Condenser(tube_diameter=0.012, tube_length=40.0, tube_rows=4, water_conductance=3000.0, rated_water_flow=0.5)
SPACE = VapourSpace(volume=0.4, wall_capacity=5e4)


# ------------------------------------------------------------------------------------------------------------------ the coil

def test_film_against_another_library():
    """C13: Nusselt's film on a vertical wall by `ht` 1.2.0, 1482.2064 W/(m2 K)."""
    assert float(formulas.htc_nusselt_film(20.0, 585, 7, 0.091, 158.9e-6, 776900, 0.1)) == pytest.approx(1482.2064, rel=1e-6)


def test_film_on_tubes_by_hand():
    """0.729 of the group with the tube's diameter, the condensate's subcooling in the latent heat, rows by their fourth root."""
    T, dT, D = 49.0, 8.0, 0.012
    rho, rho_v, k, mu = (float(p(T)) for p in (NOVEC.liquid_density, NOVEC.vapour_density, NOVEC.liquid_conductivity, NOVEC.liquid_viscosity))
    latent = float(NOVEC.latent_heat(T)) + 0.68 * float(NOVEC.liquid_heat_capacity(T)) * dT
    h = 0.729 * (9.80665 * rho * (rho - rho_v) * latent * k**3 / (mu * D * dT)) ** 0.25
    assert float(film_coefficient(COIL.replace(tube_rows=1), NOVEC, T, dT)) == pytest.approx(h, rel=1e-9)
    assert float(film_coefficient(COIL, NOVEC, T, dT)) == pytest.approx(h / np.sqrt(2), rel=1e-9)
    assert 800 < h < 1300


def test_balance_of_the_coil():
    """What the film carries, what the exchanger carries and what the water takes up are one heat, to rounding, for arrays of all."""
    T, T_w, m = np.array([40.0, 49.0, 60.0])[:, None], np.array([20.0, 35.0]), np.array([[0.2, 0.5], [0.8, 0.3], [1.0, 0.1]])
    c = condense(COIL, NOVEC, T, T_w, m, gas=0.02)
    np.testing.assert_allclose(c.film_coefficient * COIL.area * c.film_difference, c.heat, rtol=1e-12)
    np.testing.assert_allclose(m * 4180 * (c.water_out - T_w), c.heat, rtol=1e-11)
    np.testing.assert_allclose(c.effectiveness * m * 4180 * (T - T_w), c.heat, rtol=1e-12)
    np.testing.assert_allclose(1 / c.conductance, 1 / (c.film_coefficient * COIL.area) + 1 / (3000 * (m / 0.5) ** 0.8), rtol=1e-12)
    np.testing.assert_allclose(c.effectiveness, formulas.effectiveness_single_stream(c.conductance / (m * 4180)), rtol=1e-12)
    np.testing.assert_allclose(c.film_coefficient, gas_factor(0.02) * film_coefficient(COIL, NOVEC, np.broadcast_to(T, m.shape), c.film_difference),
                               rtol=1e-10)
    np.testing.assert_allclose(c.condensate * NOVEC.latent_heat(T), c.heat, rtol=1e-12)


def test_limits_of_the_coil():
    """With water without resistance and end the film alone is left, a closed law of the whole difference; with a film without resistance
    (a very long thin coil) the effectiveness of one stream; and nothing where the water is as warm as the vapour."""
    endless = condense(COIL.replace(water_conductance=1e9), NOVEC, 49.0, 39.0, 1e6)
    film = float(film_coefficient(COIL, NOVEC, 49.0, 10.0)) * COIL.area * 10.0
    assert float(endless.heat) == pytest.approx(film, rel=1e-5)
    long = condense(COIL.replace(tube_length=1e8), NOVEC, 49.0, 39.0, 0.5)
    assert float(long.heat) == pytest.approx(0.5 * 4180 * (1 - np.exp(-3000 / (0.5 * 4180))) * 10.0, rel=1e-4)
    none = condense(COIL, NOVEC, 30.0, [30.0, 45.0], 0.5)
    assert np.all(none.heat == 0) and np.all(none.water_out == [30.0, 45.0]) and np.all(none.film_difference == 0)


def test_more_water_less_gas_more_heat():
    """Heat rises with saturation temperature and water, falls with warmer water and gas; 5 % of gas takes 30 % of the film, much 60 %."""
    for change, sign in ((dict(temperature=np.linspace(35, 80, 9)), 1), (dict(water_temperature=np.linspace(10, 45, 9)), -1),
                         (dict(water_flow=np.linspace(0.1, 2, 9)), 1), (dict(gas=np.linspace(0, 0.5, 9)), -1)):
        args = dict(temperature=49.0, water_temperature=30.0, water_flow=0.5, gas=0.0) | change
        assert np.all(sign * np.diff(condense(COIL, NOVEC, **args).heat) > 0)
    np.testing.assert_allclose(gas_factor([0.0, 0.05, 1.0]), [1.0, 0.7, 1 - 0.6 / 1.05], rtol=1e-12)


def test_condensing_temperature_inverts():
    """The temperature at which a heat goes, and the heat at that temperature, within 1e-10."""
    heat = np.array([1e3, 10e3, 20e3])
    T = condensing_temperature(COIL, NOVEC, heat, 25.0, 0.5, gas=0.03)
    np.testing.assert_allclose(condense(COIL, NOVEC, T, 25.0, 0.5, gas=0.03).heat, heat, rtol=1e-10)
    assert np.all(np.diff(T) > 0)


# ------------------------------------------------------------------------------------------------------------- vapour space

def test_pressure_is_vapour_and_gas():
    """1 mol of gas in 0.4 m3 at 300 K is 6236 Pa on top of the vapour's own; its share is that of the pressures; none without gas."""
    p, own = float(space_pressure(SPACE, NOVEC, 26.85, 1.0)), float(NOVEC.saturation_pressure(26.85))
    assert p - own == pytest.approx(GAS_CONSTANT * 300 / 0.4, rel=1e-9) and p - own == pytest.approx(6236, abs=1)
    assert float(gas_share(SPACE, NOVEC, 26.85, 1.0)) == pytest.approx((p - own) / p, rel=1e-9)
    assert float(gas_share(SPACE, NOVEC, 26.85, 0.0)) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("fluid", [NOVEC, FC_72])
def test_capacity_is_the_slope_of_energy(fluid):
    """Against a central difference; what evaporates adds to the liquid's own capacity; energy is zero where it counts from."""
    T = np.linspace(15, 70, 6)
    slope = (internal_energy(SPACE, fluid, T + 1e-3, 100.0, 2.0) - internal_energy(SPACE, fluid, T - 1e-3, 100.0, 2.0)) / 2e-3
    np.testing.assert_allclose(space_capacity(SPACE, fluid, T, 100.0, 2.0), slope, rtol=1e-7)
    assert np.all(space_capacity(SPACE, fluid, T, 100.0, 0.0) > 100.0 * fluid.liquid_heat_capacity(T) + SPACE.wall_capacity)


def test_energy_of_evaporation():
    """By the first law, without our formula: the energy of vapour at 49 degC over that of liquid there is h_fg - p / rho_v for each kg."""
    T, m = 49.0, 100.0
    vapour = float(NOVEC.vapour_density(T)) * 0.4
    with_space = float(internal_energy(VapourSpace(volume=0.4), NOVEC, T, m))
    liquid = float(internal_energy(VapourSpace(volume=1e-9), NOVEC, T, m))
    assert (with_space - liquid) / vapour == pytest.approx(float(NOVEC.latent_heat(T)) - float(NOVEC.saturation_pressure(T) / NOVEC.vapour_density(T)), rel=1e-6)


def test_closed_space_against_a_closed_solution():
    """FC-72's specific heat is a line, a + b T, so that without vapour, walls and gas the temperature under a constant heat is the root of a
    quadratic; its vapour pressure is a power law. Both within the fit's 1e-4."""
    t, m, P, T_0 = np.linspace(0, 3600, 13), 200.0, 2000.0, 25.0
    T, p = closed_transient(VapourSpace(volume=1e-6), FC_72, T_0, P, t, m)
    a, b = 589.18, 1.5443
    start = a * (T_0 + 273.15) + 0.5 * b * (T_0 + 273.15) ** 2
    T_K = (-a + np.sqrt(a * a + 2 * b * (start + P * t / m))) / b
    np.testing.assert_allclose(T, T_K - 273.15, atol=1e-6)
    np.testing.assert_allclose(p, 1e5 * ((T_K - 273.15 + 86.699) / 143.278) ** (1 / 0.204), rtol=1e-4)
    assert T[-1] - T_0 > 25


def test_closed_space_against_an_integrator():
    """With vapour, walls and gas, warming and cooling: a fine integration of P / C(T), within its tolerance of 1e-10."""
    t = np.linspace(0, 900, 7)
    for P, T_0 in ((5e3, 30.0), (-5e3, 70.0)):
        T, p = closed_transient(SPACE, NOVEC, T_0, P, t, 120.0, 3.0)
        ode = solve_ivp(lambda _, y, P=P: P / space_capacity(SPACE, NOVEC, y, 120.0, 3.0), (0, 900), [T_0], t_eval=t, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(T, ode.y[0], atol=1e-7)
        np.testing.assert_allclose(p, space_pressure(SPACE, NOVEC, T, 3.0), rtol=1e-12)
        assert np.all(np.sign(P) * np.diff(p) > 0)


def test_space_settles_at_the_condensing_temperature():
    """Heat in, coil in balance: the space ends where the coil removes that heat; with gas in it hotter, and at a higher pressure."""
    def run(gas):
        def rate(_, y):
            share = gas_share(SPACE, NOVEC, y, gas)
            return space_rates(SPACE, NOVEC, y, 100.0, gas, heat=12e3, condensed=condense(COIL, NOVEC, y, 25.0, 0.5, gas=share).heat)[0]
        return float(solve_ivp(rate, (0, 8e3), [30.0], method="LSODA", rtol=1e-8, atol=1e-9).y[0, -1])

    pure, gassy = run(0.0), run(3.0)
    assert pure == pytest.approx(float(condensing_temperature(COIL, NOVEC, 12e3, 25.0, 0.5)), abs=1e-4) and gassy > pure + 1
    share = float(gas_share(SPACE, NOVEC, gassy, 3.0))
    assert gassy == pytest.approx(float(condensing_temperature(COIL, NOVEC, 12e3, 25.0, 0.5, gas=share)), abs=1e-4)


# ------------------------------------------------------------------------------------------------------------------ the vent

VENT = Relief(area=1e-4, opening_pressure=10e3, closing_pressure=5e3)


def test_vent_opens_and_closes():
    """Opens at 10 kPa, stays open down to 5, stays shut between."""
    assert vent_is_open(VENT, [False, False, True, True, True], [9e3, 10e3, 9e3, 5.1e3, 5e3]).tolist() == [False, True, True, True, False]


def test_vent_flow_in_its_limits():
    """Little pressure: Bernoulli, C A sqrt(2 rho dp), within 1 %; much: choked, the flow in proportion to pressure whatever is outside, with
    air's 0.0404 A p / sqrt(T); none against a higher pressure."""
    M, T, p_a = 0.316, 49.0, 101325.0
    rho = p_a * M / (GAS_CONSTANT * 322.15)
    assert float(vent_flow(VENT, p_a + 500, p_a, T, M)) == pytest.approx(0.62 * 1e-4 * np.sqrt(2 * rho * 500), rel=0.01)
    air = VENT.replace(heat_capacity_ratio=1.4, discharge_coefficient=1.0)
    choked = vent_flow(air, [4e5, 8e5, 8e5], [p_a, p_a, 3e5], 26.85, 0.02896)
    np.testing.assert_allclose(choked, 0.0404 * 1e-4 * np.array([4e5, 8e5, 8e5]) / np.sqrt(300), rtol=1e-3)
    assert float(vent_flow(VENT, 9e4, p_a, T, M)) == 0.0


def test_balances_of_a_vented_space():
    """A tank without water that vents: energy in is energy stored and gone with the vapour and gas; mass and gas are conserved; pressure
    is held near the opening, and gas leaves first."""
    mass, gas, p_a, lost = 100.0, 10.0, 101325.0, 0.0

    def rate(_, y):
        T, m, n, _ = y
        out = vent(VENT, SPACE, NOVEC, T, n, p_a)
        dT, dm, dn = space_rates(SPACE, NOVEC, T, m, n, heat=4e3, condensed=0.0, vented=out)
        carried = (out.fluid * (NOVEC.liquid_enthalpy(T) + NOVEC.latent_heat(T))
                   + out.gas * (2.5 * GAS_CONSTANT * (T - NOVEC.lowest_temperature) + GAS_CONSTANT * (T + 273.15)))
        return [float(dT), float(dm), float(dn), float(carried)]

    T_0 = 45.0
    end = solve_ivp(rate, (0, 1200), [T_0, mass, gas, lost], method="LSODA", rtol=1e-9, atol=1e-9).y[:, -1]
    stored = internal_energy(SPACE, NOVEC, end[0], end[1], end[2]) - internal_energy(SPACE, NOVEC, T_0, mass, gas)
    assert float(stored) + end[3] == pytest.approx(4e3 * 1200, rel=1e-6)
    assert 0 < end[2] < 0.5 * gas and 0 < mass - end[1] < 60
    out = vent(VENT, SPACE, NOVEC, 45.0, gas, p_a)
    M = float(out.fluid) / (float(out.fluid) / NOVEC.molar_mass + float(out.gas))
    assert 0 < M < NOVEC.molar_mass


@pytest.mark.parametrize("call, says", [
    (lambda: gas_factor(30.0), r"gas share is 30, expected 0 to 1; is it in percent\?"),
    (lambda: condense(COIL, NOVEC, 49.0, 30.0, 0.0), "water_flow is 0 kg/s, expected above 0 kg/s"),
    (lambda: condense(COIL, NOVEC, 322.0, 30.0, 0.5), "is it in kelvin"),
    (lambda: condensing_temperature(COIL, NOVEC, 1e6, 30.0, 0.5), "take a larger coil"),
    (lambda: internal_energy(SPACE, NOVEC, 49.0, 1.0), "nothing is left to boil"),
    (lambda: closed_transient(SPACE, NOVEC, 49.0, 1e5, 3600.0, 50.0), r"leaves its range of 5 to 90 degC after .* s"),
    (lambda: Relief(area=1e-4, opening_pressure=1e3, closing_pressure=2e3), "must be below opening_pressure"),
    (lambda: Condenser(tube_diameter=-1.0, tube_length=1.0, water_conductance=1.0, rated_water_flow=1.0), "tube_diameter is -1.0 m: expected"),
])
def test_refusals(call, says):
    """What cannot be is refused with what was expected."""
    with pytest.raises(ScenarioError, match=says):
        call()

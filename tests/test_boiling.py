"""Boiling in a pool: the formulas against another library, branches and their inverses, published data as bands, history, spreading."""
import numpy as np
import pytest

from thermo import formulas, library
from thermo.cooling.boiling import (
    Regime,
    Surface,
    boiling_curve,
    boiling_plate,
    boiling_warnings,
    critical_flux,
    film_flux,
    film_minimum,
    orientation_factor,
    peak_flux_ratio,
    regime_after,
    size_factor,
)
from thermo.cooling.plate import spreading_rectangular
from thermo.errors import ScenarioError
from thermo.refrigerants import Refrigerant, Saturation

FC_72 = Saturation.at(Refrigerant.from_library("fc-72"), 56.97)  # boils there at 1.013 bar
NOVEC = Saturation.at(Refrigerant.from_library("novec-649"), 49.05)
COOPERS = Surface(boiling_multiplier=1.0)
SMALL = Surface.from_library("plain-copper", length=0.0127, width=0.0127)


def of_tanks(T_rel=0.5):
    for name in ("fc-72", "novec-649", "hfe-7100", "fc-3284", "2p50-like", "r1233zd-e"):
        r = Refrigerant.from_library(name)
        yield Saturation.at(r, r.lowest_temperature + T_rel * (r.highest_temperature - r.lowest_temperature))


# -------------------------------------------------------------------------------------------------- formulas and known answers

@pytest.mark.parametrize("law, arguments, expected", [  # C13, rows of oracle_values_ht.csv
    ("htc_cooper_superheat", (4.3, 101325 / 22048321, 0.01802, 1e-6), 1558.1435),
    ("htc_cooper", (7.2e4, 101325 / 1.8309e6, 0.33804, 1e-6), 3348.3676), ("htc_cooper", (1e5, 101325 / 1.869e6, 0.31604, 1e-6), 4288.1133),
    ("htc_rohsenow_superheat", (4.9, 957.854, 0.595593, 2.79e-4, 0.680, 4217, 2.257e6, 0.0589, 0.011, 1.26), 3723.6553),
    ("htc_gorenflo_water", (2e4, 3e5 / 22048320, 0.4e-6), 3043.3446), ("htc_gorenflo", (5e4, 7.7e5 / 4.059e6, 4500, 0.4e-6), 12807.883),
    ("chf_zuber", (567, 18.09, 272e3, 8.2e-3, 0.18), 536746.98), ("chf_zuber", (1619.8, 13.36, 84515, 8.2432e-3, 0.131), 136608.77),
    ("nusselt_churchill_chu", (2.63e9 * 0.69, 0.69), 147.16185), ("nusselt_churchill_chu", (1e8, 100), 81.76243),
    ("nusselt_mcadams_up", (5.54 * 3.21e8,), 181.73121),
])
def test_formulas_against_another_library(law, arguments, expected):
    """`ht` 1.2.0, within 1e-4."""
    assert float(getattr(formulas, law)(*arguments)) == pytest.approx(expected, rel=1e-4)


def test_boiling_of_fc_72():
    """C15: 72 kW/m2 at 1 atm: Cooper 21.5 K, Rohsenow 21.7 K with Csf 0.0055, Zuber 137 kW/m2, within 1 %."""
    assert float(boiling_curve(COOPERS, FC_72).superheat(72e3)) == pytest.approx(21.5, rel=0.01)
    s = FC_72
    h = float(formulas.htc_rohsenow(72e3, s.liquid_density, s.vapour_density, s.liquid_viscosity, s.conductivity, s.heat_capacity,
                                    s.latent_heat, s.surface_tension, 0.0055, 1.7))
    assert 72e3 / h == pytest.approx(21.7, rel=0.01)
    by_rohsenow = boiling_curve(Surface(boiling_multiplier=1.0, rohsenow_constant=0.0055), s)
    assert float(by_rohsenow.superheat(72e3)) == pytest.approx(72e3 / h, rel=1e-12)
    assert critical_flux(Surface(zuber_constant=0.131), s) == pytest.approx(137e3, rel=0.01)


@pytest.mark.parametrize("q, published", [(20e3, 14.1), (50e3, 19.1), (72e3, 21.5), (100e3, 24.0), (150e3, 27.4)])
def test_cooper_of_fc_72(q, published):
    """Cooper's law by `ht`, K, within 1 %."""
    assert float(boiling_curve(COOPERS, FC_72).superheat(q)) == pytest.approx(published, rel=0.01)


def test_novec_649():
    """Cooper 18.6 and 23.3 K at 50 and 100 kW/m2, Zuber 140 to 147 kW/m2 (ht), within 1 and 2 %."""
    curve = boiling_curve(COOPERS, NOVEC)
    np.testing.assert_allclose(curve.superheat([50e3, 100e3]), [18.6, 23.3], rtol=0.01)
    assert 0.98 * 140e3 < critical_flux(Surface(zuber_constant=0.131), NOVEC) < 1.02 * 147e3


def test_copper_of_mudawar_and_anderson():
    """C16: FC-72, vertical copper of 12.7 mm, 72 kW/m2: 13.5 K; the band is 35 %, the default surface is 1 % off, being drawn from it."""
    found = float(boiling_curve(SMALL, FC_72).superheat(72e3))
    assert found == pytest.approx(13.5, rel=0.35) and found == pytest.approx(13.4, abs=0.1)


@pytest.mark.parametrize("q", [20e3, 50e3, 100e3])
def test_copper_of_ghiu(q):
    """C17: PF-5060 on copper, q[W/cm2] = 0.0293 dT^1.9366: 8.9, 14.2 and 20.3 K at 20, 50 and 100 kW/m2, within 35 %; ours are 1 to 26 % low,
    so the band holds on the side of too good a surface."""
    published = (q / 1e4 / 0.0293) ** (1 / 1.9366)
    ratio = float(boiling_curve(Surface.from_library("plain-copper", length=0.01, width=0.01, tilt=0.0), FC_72).superheat(q)) / published
    assert 0.65 < ratio < 1.35 and 0.72 < ratio < 1.0


def test_silicon_of_wei_and_honda():
    """Smooth silicon at 72 kW/m2: about 26 K, read off a plot."""
    curve = boiling_curve(Surface.from_library("silicon", length=0.01, width=0.01), FC_72)
    assert float(curve.superheat(72e3)) == pytest.approx(26.0, rel=0.01)


@pytest.mark.parametrize("length", [0.01, 0.0127])
@pytest.mark.parametrize("tilt", [0.0, 90.0])
def test_critical_flux_of_small_copper(length, tilt):
    """C18: FC-72, saturated, 1 atm: 140 to 200 kW/m2 are published, flat (180) and vertical (140-190, 200)."""
    assert 140e3 < critical_flux(SMALL.replace(length=length, width=length, tilt=tilt), FC_72) < 200e3


def test_critical_flux_of_a_boiling_plate():
    """A plate of 45 cm2 at 150 kW/m2 takes 700 W; large plain copper has 155 kW/m2, so that the rule leaves 3 %. An 814 mm2 die without
    a plate would be at 860 kW/m2, more than five times beyond."""
    plain = critical_flux(Surface.from_library("plain-copper", length=0.067, width=0.067), FC_72)
    assert plain == pytest.approx(155e3, rel=0.01) and plain * 45e-4 == pytest.approx(700, rel=0.01)
    assert 700 / 814e-6 / plain > 5


# ------------------------------------------------------------------------------------------------------------- corrections

def test_corrections_of_the_critical_flux():
    """Size: 1 from 20 capillary lengths on, continuous, 1.30 at most. Tilt: none up to vertical, down to an eighth. Subcooling: Ivey and
    Morris by hand. Kandlikar where a contact angle is given."""
    l_c = FC_72.capillary_length
    assert l_c == pytest.approx(np.sqrt(FC_72.surface_tension / (9.80665 * (FC_72.liquid_density - FC_72.vapour_density))), rel=1e-12)
    factors = [size_factor(Surface(length=n * l_c, width=1.0), FC_72) for n in (1e-9, 10.0, 20.0 - 1e-9, 20.0 + 1e-9, 100.0)]
    assert factors == pytest.approx([1.3014, 1.1507, 1.0, 1.0, 1.0], abs=1e-4)
    np.testing.assert_allclose(orientation_factor([0.0, 90.0, 150.0, 180.0]), [1.0, 1.0, np.sqrt(0.5), 0.12], rtol=1e-12)
    saturated, cold = critical_flux(SMALL, FC_72), critical_flux(SMALL, FC_72, 20.0)
    hand = 1 + 0.1 * (FC_72.liquid_density / FC_72.vapour_density) ** 0.75 * FC_72.heat_capacity * 20 / FC_72.latent_heat
    assert cold / saturated == pytest.approx(hand, rel=1e-12) and 1.8 < hand < 2.0
    large = Surface(contact_angle=10.0, tilt=0.0)
    K = (1 + np.cos(np.pi / 18)) / 16 * np.sqrt(2 / np.pi + np.pi / 4 * (1 + np.cos(np.pi / 18)))
    assert critical_flux(large, FC_72) / critical_flux(Surface(zuber_constant=0.149, tilt=0.0), FC_72) == pytest.approx(K / 0.149, rel=1e-12)
    assert critical_flux(SMALL.replace(critical_multiplier=2.0), FC_72) == pytest.approx(2 * saturated, rel=1e-12)


def test_film_boiling_by_hand():
    """Berenson's coefficient for the saturated vapour at 100 K, and where it meets his minimum flux: 0.425 (0.127)^(3/4) is 0.0905, his 0.09."""
    for s in of_tanks():
        by = 9.80665 * (s.liquid_density - s.vapour_density)
        h = 0.425 * (s.vapour_conductivity**3 * s.vapour_density * by * (s.latent_heat + 50 * s.vapour_heat_capacity)
                     / (s.vapour_viscosity * 100 * np.sqrt(s.surface_tension / by))) ** 0.25
        assert float(film_flux(100.0, s)) == pytest.approx(100 * h, rel=1e-12)
        dT = film_minimum(s)
        minimum = 0.09 * s.vapour_density * s.latent_heat * (s.surface_tension * by / (s.liquid_density + s.vapour_density) ** 2) ** 0.25
        more_latent = (1 + 0.5 * s.vapour_heat_capacity * dT / s.latent_heat) ** 0.25
        assert float(film_flux(dT, s)) / more_latent == pytest.approx(minimum * 0.425 * 0.127**0.75 / 0.09, rel=1e-9)
        assert 20 < dT < 200


# ------------------------------------------------------------------------------------------------- the curve and its inverse

@pytest.mark.parametrize("subcooling", [0.0, 15.0])
@pytest.mark.parametrize("surface", [*library.names("surfaces"), "made-up", "by-rohsenow"])
def test_the_curve_is_continuous(surface, subcooling):
    """Across onset, critical point and minimum no jump: a step of 1e-7 in superheat moves flux by less than 1e-5, on every liquid."""
    made_up = {"made-up": Surface(tilt=0.0, roughness=2e-6), "by-rohsenow": Surface(tilt=30.0, rohsenow_constant=0.0055, contact_angle=15.0)}
    s = made_up[surface] if surface in made_up else Surface.from_library(surface)
    for state in of_tanks():
        curve = boiling_curve(s, state, subcooling)
        corners = np.array([curve.onset_superheat, curve.critical_superheat, curve.minimum_superheat])
        assert np.all(np.diff(corners) > 0)
        below, above = curve.flux(corners * (1 - 1e-7)), curve.flux(corners * (1 + 1e-7))
        np.testing.assert_allclose(below, above, rtol=1e-5)
        assert float(curve.flux(curve.critical_superheat)) == pytest.approx(curve.critical_flux, rel=1e-12)
        assert float(curve.flux(curve.minimum_superheat)) == pytest.approx(curve.minimum_flux, rel=1e-12)
        dT = np.geomspace(0.01, 300, 4000)
        slope, on = np.diff(curve.flux(dT)), curve.regime(dT)
        falling = (on[1:] == Regime.TRANSITION) & (on[:-1] == Regime.TRANSITION)
        same = on[1:] == on[:-1]
        flat = (on[1:] == Regime.NUCLEATE) & (curve.flux(dT[:-1]) == curve.critical_flux)  # of a wall that is late, up to its incipience
        assert np.all(slope[falling] < 0) and np.all(slope[same & ~falling & ~flat] > 0) and set(on) == {0, 1, 2, 3}
        assert np.all(slope[flat & same] == 0) and (s.incipience_overshoot > 0 or not flat.any())


@pytest.mark.parametrize("tilt", [0.0, 60.0, 90.0, 180.0])
def test_inverse_on_each_branch(tilt):
    """Superheat to flux and back on all four branches, within 1e-10, for a plain and an enhanced surface, saturated and subcooled."""
    for surface in (Surface(tilt=tilt), Surface.from_library("boiling-plate", tilt=tilt), Surface(tilt=tilt, rohsenow_constant=0.006)):
        for subcooling in (0.0, 10.0):
            curve = boiling_curve(surface, FC_72, subcooling)
            ends = [1e-3, curve.onset_superheat, curve.critical_superheat, curve.minimum_superheat, 400.0]
            for regime in Regime:
                dT = np.geomspace(ends[regime] * 1.0001, ends[regime + 1] * 0.9999, 50)
                np.testing.assert_allclose(curve.superheat(curve.flux(dT, regime), regime), dT, rtol=1e-10)
                assert np.all(curve.regime(dT) == regime)
            q = np.geomspace(10.0, curve.critical_flux, 60)
            dT = curve.superheat(q[q > float(curve.flux(1e-6))])
            np.testing.assert_allclose(curve.flux(dT), q[q > float(curve.flux(1e-6))], rtol=1e-10)


def test_natural_convection_below_the_onset():
    """The vertical plate's law by hand; a subcooled pool takes heat from a wall at saturation, a wall colder than the pool takes it back."""
    curve, s, L = boiling_curve(Surface(length=0.05), FC_72), FC_72, 0.05
    Ra = 9.80665 * s.expansion * 1.0 * L**3 * s.liquid_density**2 * s.heat_capacity / (s.liquid_viscosity * s.conductivity)
    assert float(curve.flux(1.0)) == pytest.approx(float(formulas.nusselt_churchill_chu(Ra, s.prandtl)) * s.conductivity / L, rel=1e-9)
    cold = boiling_curve(Surface(length=0.05), FC_72, 10.0)
    assert float(cold.flux(-9.0)) == pytest.approx(float(curve.flux(1.0)), rel=1e-12) and float(cold.flux(-11.0)) == pytest.approx(
        -float(curve.flux(1.0)), rel=1e-12)
    assert cold.onset_superheat > curve.onset_superheat


def test_surface_multipliers():
    """Twice the coefficient at one flux is half the superheat; fins of twice the area work as 2^0.33 of it."""
    one, better = boiling_curve(COOPERS, FC_72), boiling_curve(COOPERS.replace(boiling_multiplier=2.0), FC_72)
    finned = boiling_curve(COOPERS.replace(area_factor=2.0), FC_72)
    q = 5e4
    assert float(better.superheat(q)) == pytest.approx(float(one.superheat(q)) / 2, rel=1e-12)
    assert float(finned.superheat(q)) == pytest.approx(float(one.superheat(q)) / 2**0.33, rel=1e-12)


# ------------------------------------------------------------------------------------------------------------------ history

def test_hysteresis_of_incipience():
    """With 15 K of overshoot a wall that warms follows natural convection up to onset + 15 K; on its way back it boils down to the onset.
    The loop closes, and there is none without overshoot."""
    curve = boiling_curve(Surface(boiling_multiplier=1.0, incipience_overshoot=15.0), FC_72)
    up = np.linspace(0.1, curve.incipience_superheat + 1, 400)
    regime, heating, cooling = np.int8(0), [], []
    for dT in up:
        regime = regime_after(curve, regime, dT)
        heating.append((int(regime), float(curve.flux(dT, regime))))
    for dT in up[::-1]:
        regime = regime_after(curve, regime, dT)
        cooling.append((int(regime), float(curve.flux(dT, regime))))
    between = (up > curve.onset_superheat) & (up < curve.incipience_superheat)
    heating, cooling = np.array(heating), np.array(cooling)[::-1]
    assert np.all(heating[between, 0] == Regime.CONVECTION) and np.all(cooling[between, 0] == Regime.NUCLEATE)
    assert np.all(heating[between, 1] < cooling[between, 1]) and np.array_equal(heating[~between], cooling[~between])
    assert cooling[0, 0] == Regime.CONVECTION
    plain = boiling_curve(Surface(boiling_multiplier=1.0), FC_72)
    assert np.array_equal(regime_after(plain, np.zeros(400, np.int8), up), plain.regime(up))


def test_excursion_and_return():
    """A copper slab under 1.05 times the critical flux goes through transition into a film; with the heat lowered to 0.9 times the least flux
    of a film it stays there until the collapse and comes back to nucleate boiling. Between the two fluxes both states last."""
    curve, C = boiling_curve(Surface(), FC_72), 3.45e6 * 1e-3  # J/(m2 K), 1 mm of copper

    def run(dT, regime, q, seconds, step=2e-3):
        seen = []
        for _ in range(int(seconds / step)):
            regime = regime_after(curve, regime, dT)
            dT += step * (q - float(curve.flux(dT, regime))) / C
            seen.append(int(regime))
        return dT, regime, list(dict.fromkeys(seen))

    middle = np.sqrt(curve.critical_flux * curve.minimum_flux)
    dT, regime, _ = run(5.0, 0, middle, 8.0)
    assert regime == Regime.NUCLEATE and dT == pytest.approx(float(curve.superheat(middle)), rel=1e-6)
    dT, regime, seen = run(dT, regime, 1.05 * curve.critical_flux, 4.0)
    assert seen == [Regime.NUCLEATE, Regime.TRANSITION, Regime.FILM]
    dT, regime, seen = run(dT, regime, middle, 300.0, 0.02)
    assert seen == [Regime.FILM] and dT == pytest.approx(float(curve.superheat(middle, Regime.FILM)), rel=1e-3)
    dT, regime, seen = run(dT, regime, 0.9 * curve.minimum_flux, 200.0, 0.01)
    assert seen == [Regime.FILM, Regime.TRANSITION, Regime.NUCLEATE]


def test_arrays_of_surfaces():
    """Regimes and fluxes of many walls at once are those of each alone."""
    curve = boiling_curve(Surface(incipience_overshoot=5.0), FC_72)
    before, dT = np.array([[0, 1, 3], [2, 0, 0]], np.int8), np.array([[4.0, 4.0, 50.0], [20.0, 9.0, 60.0]])
    after = regime_after(curve, before, dT)
    assert after.dtype == np.int8 and after.tolist() == [[0, 1, 3], [2, 1, 3]]
    alone = [[float(curve.flux(float(t), int(r))) for t, r in zip(a, b, strict=True)] for a, b in zip(dT, after, strict=True)]
    np.testing.assert_allclose(curve.flux(dT, after), alone, rtol=1e-14)


# ---------------------------------------------------------------------------------------------------------------- spreading

def test_plate_that_spreads():
    """700 W through a lid of 50 mm into a coated plate of 70 mm: parts add up, the base is slab and spreading, and a third of the critical
    flux is left under its middle. Without the lid, a die of 814 mm2 on that plate is beyond in its middle; a plain plate is beyond with it."""
    args = dict(thickness=6e-3, conductivity=390.0, contact_length=0.05, contact_width=0.05)
    curve = boiling_curve(Surface.from_library("boiling-plate", length=0.07, width=0.07), FC_72)
    plate = boiling_plate(curve, 700.0, **args)
    h = float(plate.flux / plate.superheat)
    assert float(plate.film) == pytest.approx(1 / (h * 0.0049), rel=1e-12) and float(plate.flux) == pytest.approx(700 / 0.0049)
    spread = float(spreading_rectangular(0.05, 0.05, 0.07, 0.07, 6e-3, 390.0, h))
    assert float(plate.base) == pytest.approx(6e-3 / (390 * 0.0049) + spread, rel=1e-12)
    assert float(plate.resistance) == pytest.approx(float(plate.base + plate.film)) and 0.015 < float(plate.resistance) < 0.025
    assert 1.3 < float(plate.margin) < 1.7
    die = boiling_plate(curve, 700.0, **{**args, "contact_length": np.sqrt(814e-6), "contact_width": np.sqrt(814e-6)})
    plain = boiling_plate(boiling_curve(Surface.from_library("plain-copper", length=0.07, width=0.07), FC_72), 700.0, **args)
    assert float(die.margin) < 0.8 and float(plain.margin) < 1 < float(plain.critical_flux / plain.flux)


def test_peak_of_spreading():
    """A source over all has no peak; a thin bad conductor has all of its flux under the source; a thick one evens it out; and the peak's
    heat balance: the mean over the plate is that of the source."""
    assert float(peak_flux_ratio(0.05, 0.05, 0.05, 0.05, 1e-3, 390.0, 1e4)) == pytest.approx(1.0, abs=1e-12)
    assert float(peak_flux_ratio(0.02, 0.02, 0.05, 0.05, 1e-3, 1e-3, 1e4)) == pytest.approx(6.25, rel=0.02)
    assert float(peak_flux_ratio(0.02, 0.02, 0.05, 0.05, 0.2, 390.0, 1e4)) == pytest.approx(1.0, abs=1e-3)
    assert float(peak_flux_ratio(0.02, 0.02, 0.05, 0.05, 1e-3, 1e9, 1e4)) == pytest.approx(1.0, abs=1e-3)
    h = np.array([1e2, 1e3, 1e4, 1e5])
    assert np.all(np.diff(peak_flux_ratio(0.02, 0.02, 0.05, 0.05, 3e-3, 390.0, h)) > 0)


# ----------------------------------------------------------------------------------------------------------------- refusals

def test_warnings():
    """Cooper's source stops at 200 g/mol; Rohsenow's constant is somebody's measurement; Kandlikar's angles start at 20 deg."""
    assert boiling_warnings("chip", Surface(), FC_72) == ["chip: htc_cooper: M is 0.33804 kg/mol, its source vouches for 0.002 to 0.2 kg/mol"]
    water_like = Saturation.at(Refrigerant.from_library("r1233zd-e"), 30.0)
    assert boiling_warnings("chip", Surface(), water_like) == [] == boiling_warnings("chip", Surface(rohsenow_constant=0.0055), FC_72)
    assert "contact_angle is 10 deg" in boiling_warnings("chip", Surface(contact_angle=10.0), water_like)[0]



@pytest.mark.parametrize("call, says", [
    (lambda: boiling_curve(Surface(), FC_72).superheat(1e6, Regime.NUCLEATE), "1e\\+06 W/m2, beyond the critical flux, only a film carries it"),
    (lambda: boiling_curve(Surface(), FC_72).superheat(1e6), "beyond the critical flux"),
    (lambda: boiling_curve(Surface(), FC_72).superheat(1e3, Regime.FILM), "below the least flux of a film"),
    (lambda: boiling_curve(Surface(), FC_72).superheat([1e3, 0.0]), "expected above 0 W/m2"),
    (lambda: boiling_curve(Surface(), FC_72).flux(5.0, 7), "regime is 7, expected 0 to 3"),
    (lambda: boiling_curve(Surface(), FC_72, -1.0), "subcooling is -1 K, expected 0 to 200 K"),
    (lambda: boiling_curve(Surface(critical_multiplier=0.01), FC_72), "critical_multiplier 0.01 too low"),
    (lambda: Surface(contact_angle=10.0, tilt=120.0), "Kandlikar"),
    (lambda: Surface(tilt=200.0), "tilt is 200.0 deg: expected 0 to 180 deg"),
    (lambda: Surface.from_library("microporus"), "did you mean 'microporous'"),
    (lambda: boiling_plate(boiling_curve(Surface(), FC_72), -5.0, thickness=1e-3, conductivity=390.0, contact_length=0.01,
                           contact_width=0.01), "heat is -5 W, expected above 0 W"),
])
def test_refusals(call, says):
    """What cannot be is refused with what was expected."""
    with pytest.raises(ScenarioError, match=says):
        call()

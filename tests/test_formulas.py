"""Does each formula do what its docstring says: scalars, arrays, empty, nan, limits, refusals, ranges?"""
import doctest
import inspect

import numpy as np
import pytest

import thermo.formulas as f
from thermo._kernels import formulas as kernels
from thermo.errors import ScenarioError

LAWS = [name for name in f.__all__ if inspect.isfunction(getattr(f, name)) and name != "validity_warnings"]
TYPICAL = dict(
    Re=5000, Pr=5, aspect=0.2, D_h=0.003, L=0.07, f_D=0.03, roughness=1e-4, x_plus=0.02, f_Re=20, area_ratio=0.6, h=50,
    k=200, t=0.001, mL=0.7, eta_f=0.9, fin_area_ratio=0.9, a=0.01, b=0.03, NTU=2, C_r=0.7, eps=0.6, dT_1=5, dT_2=9,
    beta=40, phi=1.2, Ra=1e8, q=5e4, T_e=12, p_r=0.05, M=0.3, R_p=1e-6, R_a=1e-6, h_0=4500, rho_l=1600, rho_v=13,
    mu_l=4e-4, k_l=0.06, c_pl=1100, h_fg=9e4, sigma=8e-3, C_sf=0.006, n=1.7, K=0.131, contact_angle=30, tilt=45,
    dT_sub=10, dT=10, T=25, p=1e5, relative_humidity=0.5, altitude=500,
)


def arguments(law):
    return {name: TYPICAL[name] for name in inspect.signature(getattr(f, law)).parameters}


def test_module_and_kernels_hold_the_same_laws():
    assert LAWS == sorted(name for name in dir(kernels) if isinstance(getattr(kernels, name), np.ufunc))
    for law in LAWS:
        assert getattr(kernels, law).nin == len(inspect.signature(getattr(f, law)).parameters)


def test_docstrings_hold_their_examples():
    result = doctest.testmod(f)
    assert result.attempted >= len(LAWS)
    assert result.failed == 0


@pytest.mark.parametrize("law", LAWS)
def test_docstring_has_all_its_parts(law):
    text = inspect.getdoc(getattr(f, law))
    parts = ["Parameters", "Returns", "Notes", "References", "Examples"]
    assert [text.index(f"{part}\n{'-' * len(part)}") for part in parts] == sorted(text.index(f"{p}\n-") for p in parts)
    assert "|range|" not in text and len(text.splitlines()[0]) < 120
    for name in inspect.signature(getattr(f, law)).parameters:
        unit = f.DOMAIN[name][2]
        description = text[text.index(f"\n{name} : array_like"):].splitlines()[2]
        assert description.endswith(f"[{unit}]"), (name, description)


@pytest.mark.parametrize("law", LAWS)
def test_scalars_arrays_and_empty(law):
    function, given = getattr(f, law), arguments(law)
    scalar = function(**given)
    assert np.ndim(scalar) == 0 and np.isfinite(scalar)
    lists = function(**{name: [value, value] for name, value in given.items()})
    np.testing.assert_array_equal(lists, [scalar, scalar])
    names = list(given)
    mixed = {**given, names[0]: np.full((3, 1), given[names[0]]), names[-1]: np.full(2 if len(names) > 1 else (3, 1),
                                                                                   given[names[-1]])}
    assert np.all(function(**mixed) == scalar)
    assert function(**mixed).shape == ((3, 2) if len(names) > 1 else (3, 1))
    assert function(**{name: [] for name in given}).shape == (0,)
    single = function(**{name: np.float32(value) for name, value in given.items()})
    assert single.dtype == np.float64
    assert single == pytest.approx(float(scalar), rel=1e-4)  # inputs rounded to 6e-8, powers up to 3 and differences


@pytest.mark.parametrize("law", LAWS)
def test_nan_in_nan_out(law):
    given = arguments(law)
    for name in given:
        assert np.isnan(getattr(f, law)(**{**given, name: np.nan})), name
        column = getattr(f, law)(**{**given, name: [given[name], np.nan]})
        assert np.isfinite(column[0]) and np.isnan(column[1])


@pytest.mark.parametrize("law", LAWS)
def test_what_cannot_be_is_refused(law):
    given = arguments(law)
    for name in given:
        low, high, unit, hint = f.DOMAIN[name]
        wrong = [low - 1, np.inf, -np.inf] + ([high + 1] if np.isfinite(high) else [])
        for value in wrong + ([0] if name in f.POSITIVE else []):
            with pytest.raises(ScenarioError, match=rf"^{name} is .*, expected") as refusal:
                getattr(f, law)(**{**given, name: [given[name], value]})
            assert unit == "1" or unit in str(refusal.value)
        with pytest.raises(TypeError, match=f"^{name} is 'warm', expected numbers"):
            getattr(f, law)(**{**given, name: "warm"})


def test_refusal_says_name_value_range_and_way_out():
    with pytest.raises(ValueError) as refusal:
        f.air_density(298.15, 101325, 0.5)
    assert str(refusal.value) == "T is 298.15 degC, expected -100 to 200 degC; is it in kelvin?"
    with pytest.raises(ValueError, match=r"is 50, expected 0 to 1; is it in percent\?"):
        f.humidity_ratio(25, 101325, 50)
    with pytest.raises(ValueError, match=r"M is 338 kg/mol, expected above 0 to 1 kg/mol; is it in g/mol\?"):
        f.htc_cooper(1e4, 0.05, 338, 1e-6)


def test_pairs_that_cannot_be_are_refused():
    with pytest.raises(ScenarioError, match="a exceeds b"):
        f.spreading_resistance_average(0.03, 0.02, 0.003, 400, 1000)
    with pytest.raises(ScenarioError, match="rho_v exceeds rho_l"):
        f.chf_zuber(13, 1600, 9e4, 8e-3, 0.131)
    with pytest.raises(ScenarioError, match="expected more than the pressure of the water vapour"):
        f.air_density(110, 101325, 1.0)


def test_limits():
    assert f.fin_efficiency(0) == 1
    assert f.fin_efficiency(1e-9) == 1  # 1 - mL^2 / 3
    assert f.lmtd(0, 0) == f.lmtd(0, 5) == f.lmtd(5, 0) == 0
    assert f.lmtd(5, 9) == f.lmtd(9, 5)
    assert f.effectiveness_single_stream(0) == 0
    assert f.nusselt_hausen(0, 5, 0.003, 0.07) == f.NUSSELT_CIRCULAR_T  # no flow: the developed value
    assert f.nusselt_duct(0, 0.7, 0, 0.003, 0.07) == pytest.approx(8.235, rel=1e-14)
    assert f.nusselt_churchill_chu(0, 1) == pytest.approx(0.825**2, rel=1e-14)
    assert f.friction_churchill(1, 0) == pytest.approx(64, rel=1e-14)
    assert f.dew_point(25, 0) == -273.15
    assert f.dew_point(25, 1) == pytest.approx(25, abs=1e-10)
    assert f.contraction_loss(1) == f.expansion_loss(1) == 0
    assert f.surface_efficiency(1, 0.9) == 1


def test_hot_plate_is_continuous_where_the_law_changes():
    cross = (0.54 / 0.15) ** 12
    low, high = f.nusselt_mcadams_up([cross * (1 - 1e-12), cross * (1 + 1e-12)])
    assert high == pytest.approx(float(low), rel=1e-12)


def test_validity_warnings_name_law_argument_value_and_range():
    assert f.validity_warnings("nusselt_gnielinski", Re=1e4, Pr=0.7) == []
    assert f.validity_warnings("nusselt_gnielinski", Re=[1e4, 2500, 2900], Pr=np.nan) == [
        "nusselt_gnielinski: Re is 2500, its source vouches for 3000 to 5e+06"]
    assert f.validity_warnings("air_density", T=90, p=1e5) == [
        "air_density: T is 90 degC, its source vouches for -20 to 80 degC"]
    assert f.validity_warnings("nusselt_duct", L=0.001, D_h=0.002) == [
        "nusselt_duct: L/D_h is 0.5, its source vouches for above 1"]
    assert f.validity_warnings("nusselt_duct", L=0.001) == []  # a ratio is judged when all of it is given
    assert f.validity_warnings("lmtd", dT_1=5) == []
    assert f.validity_warnings("nusselt_gnielinski", Re=[]) == []


def test_validity_warnings_refuse_typing_errors():
    with pytest.raises(ScenarioError, match="did you mean 'nusselt_gnielinski'"):
        f.validity_warnings("nusselt_gnielinsky", Re=1)
    with pytest.raises(ScenarioError, match="no argument 'Ree'"):
        f.validity_warnings("nusselt_gnielinski", Ree=1)


def test_ranges_belong_to_arguments_and_stand_in_the_docstring():
    for law, ranges in f.VALIDITY.items():
        parameters = inspect.signature(getattr(f, law)).parameters
        for name, (low, high) in ranges.items():
            assert set(f.GROUPS[name][0] if name in f.GROUPS else [name]) <= set(parameters)
            assert low < high
            assert f"`{name}` {f._span(name, low, high)}" in getattr(f, law).__doc__

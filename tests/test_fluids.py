"""Coolants: the library against CoolProp and the facts, refusals with the range, the maker's script reproduces the files."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest

import thermo
from thermo import library
from thermo.errors import ScenarioError
from thermo.fluids import PROPERTIES, Fluid

NAMES = library.names("fluids")
KEYS = dict(zip(PROPERTIES, "DCLV", strict=True))


@pytest.mark.parametrize("name", [n for n in NAMES if Fluid.from_library(n).provenance["density_series"].source.startswith("CP8 ")])
def test_against_coolprop(name):
    """Every property within the error that the file states, at temperatures that were no points of the fit."""
    coolprop = pytest.importorskip("CoolProp.CoolProp")
    fluid = Fluid.from_library(name)
    source = fluid.provenance["density_series"].source.removeprefix("CP8 ")
    T = np.linspace(fluid.lowest_temperature, fluid.highest_temperature, 87)
    for prop, key in KEYS.items():
        known = coolprop.PropsSI(key, "T", T + 273.15, "P", 2e5, source)
        missed = np.max(np.abs(getattr(fluid, prop)(T) / known - 1))
        assert missed <= 1.05 * fluid.error_of(prop) + 1e-9, prop
        assert missed < 5e-4
    if "[" in source:  # a mixture with water
        assert fluid.freezing_point == pytest.approx(coolprop.PropsSI("T_FREEZE", "T", 300, "P", 2e5, source) - 273.15, abs=0.01)


def test_pg25_at_40():
    """C33: 1024 kg/m3, 3916 J/(kg K), 0.4765 W/(m K) within 2 %, 1.39 mPa s within 14 %; the maker's own fits closer."""
    for name, close in (("pg25", 0.02), ("dowfrost-lc-25", 0.002)):
        fluid = Fluid.from_library(name)
        found = [float(getattr(fluid, p)(40.0)) for p in PROPERTIES]
        assert found[:3] == pytest.approx([1024, 3916, 0.4765], rel=close)
        assert found[3] == pytest.approx(1.39e-3, rel=0.14)
        assert found[3] == pytest.approx(1.39e-3, rel=0.01)


@pytest.mark.parametrize("name, T, known", [
    ("water", 30, (995.6, 4180, 0.614, 0.797e-3)), ("water", 60, (983.2, 4185, 0.651, 0.466e-3)),
    ("pg25", 30, (1015.5, 3937, 0.473, 1.82e-3)), ("pg25", 60, (998.8, 4009, 0.499, 0.893e-3)),
    ("eg25", 45, (1020, 3869, 0.510, 1.026e-3)),
])
def test_printed_values(name, T, known):
    """Rounded values printed elsewhere, within half of their last digit and a little."""
    fluid = Fluid.from_library(name)
    assert [float(getattr(fluid, p)(T)) for p in PROPERTIES] == pytest.approx(known, rel=2e-3)


def test_more_glycol_is_thicker_and_freezes_later():
    """Viscosity rises and freezing point, heat capacity and conductivity fall with the share of glycol."""
    for family in (("water", "pg25", "pg30", "pg50"), ("water", "eg25", "eg30", "eg50")):
        fluids = [Fluid.from_library(n) for n in family]
        assert np.all(np.diff([f.mass_fraction for f in fluids]) > 0)
        assert np.all(np.diff([float(f.viscosity(40.0)) for f in fluids]) > 0)
        for falling in ([f.freezing_point for f in fluids], [float(f.heat_capacity(40.0)) for f in fluids],
                        [float(f.conductivity(40.0)) for f in fluids]):
            assert np.all(np.diff(falling) < 0)


def test_refusals():
    """Outside its range a fluid says the range; a kelvin reading is asked about; an unknown fluid gets its nearest."""
    pg25 = thermo.Fluid.from_library("pg25")
    with pytest.raises(ScenarioError, match=r"318.15 degC, .* -7 to 95 degC; is it in kelvin\?"):
        pg25.density(318.15)
    with pytest.raises(ScenarioError, match="it freezes there"):
        pg25.viscosity([20.0, -20.0])
    with pytest.raises(ScenarioError, match="nan"):
        pg25.viscosity(np.nan)
    with pytest.raises(ScenarioError, match="did you mean .pg50"):
        Fluid.from_library("pg52")
    with pytest.raises(ScenarioError, match="viscosity must fall"):
        pg25.replace(log_viscosity_series=(-7.0, 0.3))
    assert pg25.density([]).shape == (0,) and pg25.density(np.zeros((2, 3))).shape == (2, 3)


def test_any_fluid_of_coolprop():
    """A fluid that the library has not, by CoolProp; one that CoolProp has not is refused."""
    coolprop = pytest.importorskip("CoolProp.CoolProp")
    fluid = Fluid.from_coolprop("INCOMP::MPG[0.4]", name="pg40", low=0.0, high=80.0, mass_fraction=0.4)
    assert float(fluid.viscosity(33.0)) == pytest.approx(coolprop.PropsSI("V", "T", 306.15, "P", 2e5, "INCOMP::MPG[0.4]"), rel=1e-6)
    with pytest.raises(ScenarioError, match="CoolProp"):
        Fluid.from_coolprop("INCOMP::NOSUCH", name="x", low=0.0, high=80.0)


def test_files_are_those_of_the_script(tmp_path):
    """The script in the repository writes the files that are in it."""
    pytest.importorskip("CoolProp.CoolProp")
    path = Path(__file__).parents[1] / "tools" / "make_fluids.py"
    spec = importlib.util.spec_from_file_location("make_fluids", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    kept, script.FOLDER = script.FOLDER, tmp_path
    script.main()
    assert sorted(p.stem for p in tmp_path.iterdir()) == NAMES
    for made in tmp_path.iterdir():
        a, b = library.load_file("fluids", made), library.load_file("fluids", kept / made.name)
        T = np.linspace(a.lowest_temperature, a.highest_temperature, 9)
        for prop in PROPERTIES:
            assert getattr(a, prop)(T) == pytest.approx(getattr(b, prop)(T), rel=1e-8)

"""Writes the library's coolants: fits to CoolProp, and to the maker's formulas where CoolProp has none of that product.

    python tools/make_fluids.py        needs the extra `props`

Liquids for tanks (`TANK`) are known by a density, a heat capacity, a conductivity, their slopes, and two viscosities, through which
`thermo.fluids.walther` draws the curve. Four things to know of them:

* What S18 lists as "the" viscosity of its oils is that at 40 degC: over the density it is 16.8 and 30.9 mm2/s for PAO 4 and 6, which
  is how these grades are sold. The number of a grade is its viscosity at 100 degC in mm2/s.
* CoolProp's `INCOMP::HFE` has a conductivity 14 times too large and is not used.
* CoolProp's `INCOMP::HFE2` is HFE-7100, and what it calls viscosity is the kinematic one in mm2/s over 1000.
* The slopes of density and heat capacity of the PAOs are those of a thinner one (F03).
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from thermo.fluids import PROPERTIES, Fluid, fitted, walther

FOLDER = Path(__file__).parents[1] / "src" / "thermo" / "library" / "fluids"
# name: (CoolProp's name, glycol mass fraction, title)
GLYCOLS = {
    "pg25": ("MPG", 0.257, "propylene glycol 25 vol% (25.7 wt%) in water"),
    "pg30": ("MPG", 0.308, "propylene glycol 30 vol% (30.8 wt%) in water"),
    "pg50": ("MPG", 0.508, "propylene glycol 50 vol% (50.8 wt%) in water"),
    "eg25": ("MEG", 0.25, "ethylene glycol 25 wt% in water"),
    "eg30": ("MEG", 0.30, "ethylene glycol 30 wt% in water"),
    "eg50": ("MEG", 0.50, "ethylene glycol 50 wt% in water"),
}
HIGHEST = 95.0  # degC
MARGIN = 3.0  # K above the freezing point where the range begins
TANK_DEGREE = 9  # of fits to viscosities that change a thousandfold


class Tank(NamedTuple):
    """A liquid for tanks: values at 25 degC with their slopes in K, two kinematic viscosities [degC, m2/s], and where all is from."""

    title: str
    low: float
    high: float
    pour_point: float
    density: tuple[float, float]
    heat_capacity: tuple[float, float]
    conductivity: tuple[float, float]
    viscosities: tuple[tuple[float, float], tuple[float, float]]
    says: dict[str, tuple[str, str, str]]  # source, trust and note by property; "" is the rest


SLOPES = "S18; F03", "secondary; estimate(0.7)"
ESTER = "slopes are those of transformer esters"
TANK = {
    "pao-4": Tank("polyalphaolefin, 4 mm2/s at 100 degC", -30.0, 120.0, -68.0, (819.0, -0.65), (2143.0, 4.0), (0.150, -7e-5),
                  ((40.0, 13.74282e-3 / 819), (100.0, 4.0e-6)), {
        "": (*SLOPES, "values of S18 taken as those at 25 degC, slopes of F03"),
        "viscosity": ("S18", "derived; estimate(0.8)", "S18 at 40 degC and the grade's number at 100 degC; 10 % between, 30 % below 0 degC"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point of such grades")}),
    "pao-6": Tank("polyalphaolefin, 6 mm2/s at 100 degC", -30.0, 120.0, -57.0, (828.0, -0.65), (2028.0, 4.0), (0.155, -7e-5),
                  ((40.0, 25.57692e-3 / 828), (100.0, 5.9e-6)), {
        "": (*SLOPES, "values of S18 taken as those at 25 degC, slopes of F03"),
        "viscosity": ("S18", "derived; estimate(0.8)", "S18 at 40 degC and the grade at 100 degC; 10 % between, 30 % below 0 degC"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point of such grades")}),
    "mineral-oil": Tank("light mineral oil, 9.9 mm2/s at 40 degC", -30.0, 100.0, -49.0, (878.7, -0.66), (1900.0, 3.5), (0.130, -7e-5),
                        ((-30.0, 1162e-6), (40.0, 9.9e-6)), {
        "": ("S18; assumption", "secondary; estimate(0.7)", "slopes are those of transformer oils; the oil of S18 is heavier, 56 mm2/s"),
        "density": ("F02", "primary; estimate(0.8)", "882 kg/m3 at 20 degC; expansion 0.00075 1/K is usual"),
        "viscosity": ("F02", "primary", "both points measured; 5 % between -30 and 60 degC"),
        "freezing_point": ("F02", "primary", "pour point")}),
    "synthetic-ester": Tank("synthetic ester for tanks, 8.2 mm2/s at 40 degC", -20.0, 100.0, -60.0, (916.0, -0.70), (1910.0, 2.0),
                            (0.129, -7e-5), ((20.0, 16.4e-6), (40.0, 8.2e-6)), {
        "": ("assumption", "estimate(0.5)", f"MIVOLT DF7 as estimated; {ESTER}"),
        "viscosity": ("assumption", "estimate(0.5)", "7.5 mPa s at 40 degC; twice that at 20 degC, as esters of this weight have it; 20 %"),
        "freezing_point": ("assumption", "estimate(0.5)", "pour point of such esters")}),
    "synthetic-ester-28": Tank("synthetic ester, 28 mm2/s at 40 degC", -20.0, 120.0, -56.0, (968.0, -0.73), (1900.0, 2.0), (0.147, -7e-5),
                               ((40.0, 28.0e-6), (100.0, 5.25e-6)), {
        "": ("assumption", "estimate(0.5)", f"MIVOLT DFK as estimated; {ESTER}"),
        "viscosity": ("assumption", "estimate(0.7)", "pentaerythritol ester; the curve gives 70 mm2/s at 20 and 1380 at -20 degC; 10 %"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point of such esters")}),
    "fc-40": Tank("perfluorotributylamine, FC-40", -20.0, 120.0, -57.0, (1855.0, -2.2), (1053.0, 1.55), (0.065, -7e-5),
                  ((25.0, 2.2e-6), (60.0, 0.95e-6)), {
        "": ("assumption", "estimate(0.7)", "boils at 165 degC"),
        "viscosity": ("assumption", "estimate(0.5)", "at 60 degC by an activation energy of 20 kJ/mol; 20 %"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point")}),
    "fc-3283": Tank("perfluorotripropylamine, FC-3283", -30.0, 100.0, -50.0, (1820.0, -2.2), (1100.0, 1.55), (0.066, -7e-5),
                    ((25.0, 1.4e-3 / 1820), (60.0, 0.45e-6)), {
        "": ("S19; assumption", "secondary; estimate(0.85)", "boils at 128 degC; slopes are those of perfluorinated amines"),
        "viscosity": ("assumption", "estimate(0.5)", "1.4 mPa s at 25 degC; at 60 degC by an activation energy of 13 kJ/mol; 20 %"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point")}),
    "hfe-7500": Tank("hydrofluoroether HFE-7500", -30.0, 100.0, -100.0, (1612.0, -2.1), (1128.0, 1.5), (0.065, -1e-4),
                     ((25.0, 1.24e-3 / 1612), (60.0, 0.46e-6)), {
        "": ("S16; S18", "primary; estimate(0.7)", "boils at 128 degC; slopes are relative ones of HFE-7200 (F04)"),
        "viscosity": ("S16; S18", "primary; estimate(0.5)", "1.24 mPa s at 25 degC; at 60 degC by an activation energy of 12 kJ/mol; 20 %"),
        "freezing_point": ("assumption", "estimate(0.7)", "pour point")}),
}


def dowfrost() -> Fluid:
    """DOWFROST LC 25 by its maker's fits, t in degC (S20)."""
    source: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "density": lambda t: 1041.007 - 0.31667 * t - 0.002476 * t * t,
        "heat_capacity": lambda t: 3820.71 + 2.381 * t,
        "conductivity": lambda t: 0.430196 + 1.43452e-3 * t - 6.9e-6 * t * t,
        "viscosity": lambda t: 1e-3 * np.exp(-3.52641 + 592.158 / (t + 113.5)),
    }
    return fitted("dowfrost-lc-25", source, -5.0, HIGHEST, mass_fraction=0.257, freezing_point=-10.0,
                  title="DOWFROST LC 25 by its maker's fits")


def tank(name: str, known: Tank) -> Fluid:
    """A liquid for tanks from what is known of it."""
    def line(pair: tuple[float, float]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda T: pair[0] + pair[1] * (T - 25.0)

    def viscosity(T: np.ndarray) -> np.ndarray:
        return np.asarray(walther(T, *known.viscosities) * line(known.density)(T))

    return fitted(name, {"density": line(known.density), "heat_capacity": line(known.heat_capacity), "conductivity": line(known.conductivity),
                         "viscosity": viscosity}, known.low, known.high, freezing_point=known.pour_point, title=known.title,
                  degree=TANK_DEGREE)


def hfe_7100() -> Fluid:
    """HFE-7100 by CoolProp's `INCOMP::HFE2`, its viscosity put right: `V` there is the kinematic one, in mm2/s over 1000."""
    from CoolProp.CoolProp import PropsSI

    def source(key: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda T: np.asarray(PropsSI(key, "T", T + 273.15, "P", 2e5, "INCOMP::HFE2"))

    return fitted("hfe-7100", {"density": source("D"), "heat_capacity": source("C"), "conductivity": source("L"),
                               "viscosity": lambda T: 1e-3 * source("V")(T) * source("D")(T)}, -60.0, 60.0, freezing_point=-135.0,
                  title="hydrofluoroether HFE-7100", degree=TANK_DEGREE)


def text(fluid: Fluid, source: str, trust: str, note: str, says: dict[str, tuple[str, str, str]] | None = None) -> str:
    """The fluid's file; `says` has source, trust and note of properties that have their own, ``""`` of the rest."""
    if says is not None:
        return _text_of_many(fluid, says)

    def line(key: str, value: str, trust: str = trust, note: str = "") -> str:
        said = f', note = "{note}"' if note else ""
        return f'{key} = {{ value = {value}, source = "{source}", trust = "{trust}"{said} }}'

    out = [f'name = "{fluid.name}"', f'title = "{fluid.title}"', line("mass_fraction", f"{fluid.mass_fraction:g}"),
           line("freezing_point", f"{fluid.freezing_point:.4g}", trust if "CP8" in source else "estimate(0.8)"),
           line("lowest_temperature", f"{fluid.lowest_temperature:g}"), line("highest_temperature", f"{fluid.highest_temperature:g}")]
    for prop in PROPERTIES:
        key = f"log_{prop}_series" if prop == "viscosity" else f"{prop}_series"
        series = ", ".join(f"{c:.10g}" for c in getattr(fluid, key))
        out += [line(key, f"[{series}]", note=note if prop == "density" else ""),
                line(f"{prop}_error", f"{fluid.error_of(prop):.2g}", "derived")]
    return "# Made by tools/make_fluids.py; do not edit.\n" + "\n".join(out) + "\n"


def _text_of_many(fluid: Fluid, says: dict[str, tuple[str, str, str]]) -> str:
    def line(key: str, value: str, of: str) -> str:
        source, trust, note = says.get(of, says[""])
        return f'{key} = {{ value = {value}, source = "{source}", trust = "{trust}", note = "{note}" }}'

    out = [f'name = "{fluid.name}"', f'title = "{fluid.title}"', line("freezing_point", f"{fluid.freezing_point:.4g}", "freezing_point")]
    out += [f'{key} = {{ value = {getattr(fluid, key):g}, source = "assumption", trust = "estimate(0.8)", note = "where it is used" }}'
            for key in ("lowest_temperature", "highest_temperature")]
    for prop in PROPERTIES:
        key = f"log_{prop}_series" if prop == "viscosity" else f"{prop}_series"
        out.append(line(key, "[" + ", ".join(f"{c:.10g}" for c in getattr(fluid, key)) + "]", prop))
        out.append(f'{prop}_error = {{ value = {fluid.error_of(prop):.2g}, source = "{says.get(prop, says[""])[0]}", trust = "derived", '
                   f'note = "of the fit to the source\'s law" }}')
    return "# Made by tools/make_fluids.py; do not edit.\n" + "\n".join(out) + "\n"


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)
    water = Fluid.from_coolprop("HEOS::Water", name="water", low=0.5, high=HIGHEST, freezing_point=0.0).replace(title="water")
    FOLDER.joinpath("water.toml").write_text(text(water, "CP8 HEOS::Water", "derived", "at 2 bar"))
    for name, (base, share, title) in GLYCOLS.items():
        source = f"INCOMP::{base}[{share:g}]"
        probe = Fluid.from_coolprop(source, name=name, low=20.0, high=60.0, mass_fraction=share)
        low = max(float(np.ceil(probe.freezing_point + MARGIN)), -30.0)
        fluid = Fluid.from_coolprop(source, name=name, low=low, high=HIGHEST, mass_fraction=share).replace(title=title)
        note = ("maker's sheet of 2022: density 1.4 % higher, heat capacity 1.1 % lower, conductivity 1.2 % lower, viscosity within "
                "1 %; the sheet of 2023 has 13 % more viscosity") if name == "pg25" else ""
        FOLDER.joinpath(f"{name}.toml").write_text(text(fluid, f"CP8 {source}", "derived", note))
    FOLDER.joinpath("dowfrost-lc-25.toml").write_text(text(dowfrost(), "S20", "secondary", "fits of the 2022 guide"))
    for name, known in TANK.items():
        FOLDER.joinpath(f"{name}.toml").write_text(text(tank(name, known), "", "", "", known.says))
    silicone = Fluid.from_coolprop("INCOMP::S800", name="silicone-oil", low=-40.0, high=120.0, freezing_point=-60.0)
    FOLDER.joinpath("silicone-oil.toml").write_text(text(silicone.replace(title="silicone oil, SYLTHERM 800"), "CP8 INCOMP::S800", "derived", ""))
    FOLDER.joinpath("hfe-7100.toml").write_text(text(hfe_7100(), "", "", "", {
        "": ("S16; CP8 INCOMP::HFE2", "primary; derived", "maker's formulas; boils at 61 degC"),
        "viscosity": ("S16; CP8 INCOMP::HFE2", "derived", "kinematic viscosity of CoolProp times density; 5 % below the maker's 0.58 mPa s at 25 degC"),
        "freezing_point": ("assumption", "estimate(0.8)", "pour point")}))


if __name__ == "__main__":
    main()

"""Writes the library's refrigerants: fits along the saturation line to CoolProp, and to what is published where CoolProp has nothing.

    python tools/make_refrigerants.py        needs the extra `props`

CoolProp 8.0.0 has no viscosity and no conductivity of R1233zd(E), and no transport properties of mixtures:

* R1233zd(E): conductivity is the straight line through what the correlation of Perkins and Huber gives for the liquid at 0 and 40 degC
  (it meets 5 and 25 degC within 0.1 %). Viscosities are fits to CoolProp 7.2.0, whose corresponding-states model its authors have
  since refitted: an estimate.
* R515B is 91.1 % by mass of R1234ze(E) with R227ea, an azeotrope: equation of state of the mixture; conductivity by mass, logarithms of
  viscosities by mole from the two at the same temperature: an estimate.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from CoolProp.CoolProp import PropsSI

from thermo.cooling.two_phase_plate import Refrigerant

FOLDER = Path(__file__).parents[1] / "src" / "thermo" / "library" / "refrigerants"
LOW, HIGH, POINTS, DEGREE = 5.0, 80.0, 121, 6  # degC
KELVIN = 273.15
SHARE = 0.911  # by mass, of R1234ze(E) in R515B
ZE, EA = "R1234ze(E)", "R227EA"
SERIES = {  # of the description: CoolProp's key, quality, whether its logarithm is fitted
    "log_pressure_series": ("P", 0, True), "liquid_density_series": ("D", 0, False), "log_vapour_density_series": ("D", 1, True),
    "latent_heat_series": ("H", None, False), "liquid_heat_capacity_series": ("C", 0, False),
    "liquid_conductivity_series": ("L", 0, False), "log_liquid_viscosity_series": ("V", 0, True),
    "log_vapour_viscosity_series": ("V", 1, True),
}
Source = Callable[[str, int | None, float], float]
TRANSPORT = ("L", "V")


def coolprop(fluid: str) -> Source:
    """A property at a quality and a temperature [degC]; latent heat where the quality is None."""
    def value(key: str, quality: int | None, T: float) -> float:
        if quality is None:
            return float(PropsSI("H", "T", T + KELVIN, "Q", 1, fluid) - PropsSI("H", "T", T + KELVIN, "Q", 0, fluid))
        return float(PropsSI(key, "T", T + KELVIN, "Q", quality, fluid))
    return value


def r1233zd(key: str, quality: int | None, T: float) -> float:
    """R1233zd(E), see above."""
    if key == "L":
        return 0.0904173 + (0.0787728 - 0.0904173) * T / 40.0
    if key == "V" and quality == 0:
        t = 1 / (T + KELVIN)
        return float(np.exp(-14.0122974 + 2677.72094 * t - 235531.036 * t * t))
    if key == "V":
        return 1.01500951e-5 + 3.62982608e-8 * T + 5.36732901e-11 * T * T
    return coolprop("R1233zd(E)")(key, quality, T)


def mole_share() -> float:
    """Of R1234ze(E) in R515B."""
    ze, ea = SHARE / PropsSI("M", ZE), (1 - SHARE) / PropsSI("M", EA)
    return float(ze / (ze + ea))


def r515b(key: str, quality: int | None, T: float) -> float:
    """R515B, see above."""
    z = mole_share()
    if key == "L":
        return SHARE * coolprop(ZE)(key, quality, T) + (1 - SHARE) * coolprop(EA)(key, quality, T)
    if key == "V":
        return float(np.exp(z * np.log(coolprop(ZE)(key, quality, T)) + (1 - z) * np.log(coolprop(EA)(key, quality, T))))
    return coolprop(f"HEOS::{ZE}[{z:.7f}]&{EA}[{1 - z:.7f}]")(key, quality, T)


def text(name: str, title: str, source: Source, molar_mass: float, critical_pressure: float, says: dict[str, tuple[str, str, str]]) -> str:
    """The refrigerant's file; `says` has source, trust and note for ``""`` (all), ``"transport"`` and ``"critical"``."""
    def line(key: str, value: str, of: str = "") -> str:
        where, trust, note = says.get(of, says[""])
        said = f', note = "{note}"' if note else ""
        return f'{key} = {{ value = {value}, source = "{where}", trust = "{trust}"{said} }}'

    T = 0.5 * (LOW + HIGH) - 0.5 * (HIGH - LOW) * np.cos(np.linspace(0, np.pi, POINTS))
    x = (2 * T - (LOW + HIGH)) / (HIGH - LOW)
    lines, worst, fits = [], 0.0, {}
    for series, (key, quality, log) in SERIES.items():
        value = np.array([source(key, quality, float(t)) for t in T])
        wanted = np.log(value) if log else value
        found = np.polynomial.polynomial.polyfit(x, wanted, DEGREE, w=None if log else 1 / value)
        found = np.array([float(f"{c:.10g}") for c in found])
        back = np.polynomial.polynomial.polyval(x, found)
        worst = max(worst, float(np.max(np.abs((np.exp(back) if log else back) / value - 1))))
        fits[series] = tuple(found.tolist())
        lines.append(line(series, "[" + ", ".join(f"{c:.10g}" for c in found) + "]", "transport" if key in TRANSPORT else ""))
    error = float(f"{worst:.2g}")
    Refrigerant(name=name, molar_mass=molar_mass, critical_pressure=critical_pressure, lowest_temperature=LOW, highest_temperature=HIGH,
                fit_error=error, **fits)
    head = [f'name = "{name}"', f'title = "{title}"', line("molar_mass", f"{molar_mass:.8g}"),
            line("critical_pressure", f"{critical_pressure:.8g}", "critical"), line("lowest_temperature", f"{LOW:g}"),
            line("highest_temperature", f"{HIGH:g}")]
    tail = [f'fit_error = {{ value = {error:g}, source = "{says[""][0]}", trust = "derived", note = "largest of all properties" }}']
    return "# Made by tools/make_refrigerants.py; do not edit.\n" + "\n".join(head + lines + tail) + "\n"


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)

    def write(name: str, *rest: object) -> None:
        FOLDER.joinpath(f"{name}.toml").write_text(text(name, *rest), encoding="utf-8")  # type: ignore[arg-type]

    for name, fluid in (("r1234ze-e", ZE), ("r1234yf", "R1234yf")):
        write(name, fluid, coolprop(fluid), PropsSI("M", fluid), PropsSI("pcrit", fluid), {"": (f"CP8 {fluid}", "derived", "")})
    write("r1233zd-e", "R1233zd(E)", r1233zd, PropsSI("M", "R1233zd(E)"), PropsSI("pcrit", "R1233zd(E)"), {
        "": ("CP8 R1233zd(E)", "derived", ""),
        "transport": ("F01; assumption", "secondary; estimate(0.6)", "CoolProp 8.0.0 has none; conductivity by Perkins and Huber, viscosity of CoolProp 7.2.0"),
    })
    z = mole_share()
    mass = 1 / (SHARE / PropsSI("M", ZE) + (1 - SHARE) / PropsSI("M", EA))
    write("r515b", "R515B: R1234ze(E) and R227ea, 91.1 and 8.9 % by mass", r515b, mass, z * PropsSI("pcrit", ZE) + (1 - z) * PropsSI("pcrit", EA), {
        "": (f"CP8 {ZE} and {EA}", "derived", ""), "critical": ("CP8; assumption", "estimate(0.8)", "of the two by mole"),
        "transport": ("CP8; assumption", "derived; estimate(0.6)", "of the two, mixed by mass and by logarithms"),
    })


if __name__ == "__main__":
    main()

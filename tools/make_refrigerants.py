"""Writes the library's refrigerants: fits along the saturation line to CoolProp, and to what is published where CoolProp has nothing.

    python tools/make_refrigerants.py        needs the extra `props`

CoolProp 8.0.0 has no viscosity, conductivity and surface tension of R1233zd(E), Novec 649 and n-perfluorohexane, no transport
properties of mixtures, and of HFE-7100 the liquid alone:

* R1233zd(E): conductivity is the straight line through what the correlation of Perkins and Huber gives for the liquid at 0 and 40 degC
  (it meets 5 and 25 degC within 0.1 %). Viscosities are fits to CoolProp 7.2.0, whose corresponding-states model its authors have
  since refitted: an estimate. Surface tension by a published power law.
* R515B is 91.1 % by mass of R1234ze(E) with R227ea, an azeotrope: equation of state of the mixture; conductivity by mass, logarithms of
  viscosities and surface tension by mole from the two at the same temperature: an estimate.
* FC-72 by closed fits (S15), not by CoolProp's n-perfluorohexane: it is a mixture of isomers.
* Novec 649: equation of state by CoolProp; transport through the values known between 20 and 60 degC.
* HFE-7100: liquid by CoolProp's `INCOMP::HFE2` with its viscosity put right; vapour pressure ``ln p = 22.415 - 3641.9 / T``.
* FC-3284 and a liquid like Opteon 2P50: estimates from a boiling point, a heat of vaporisation and liquid properties at 25 degC.

Of the last three the vapour's density is Clapeyron's, so that p, h_fg and both densities belong together. Where nothing is known of a
vapour, its viscosity is Lucas's and its conductivity Eucken's (modified), both of dilute gases.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from CoolProp.CoolProp import PropsSI

from thermo.refrigerants import GAS_CONSTANT, Refrigerant

FOLDER = Path(__file__).parents[1] / "src" / "thermo" / "library" / "refrigerants"
LOW, HIGH, POINTS, DEGREE = 5.0, 80.0, 121, 8  # degC
KELVIN = 273.15
SHARE = 0.911  # by mass, of R1234ze(E) in R515B
ZE, EA = "R1234ze(E)", "R227EA"
SERIES = {  # of the description: CoolProp's key, quality, whether its logarithm is fitted
    "log_pressure_series": ("P", 0, True), "liquid_density_series": ("D", 0, False), "log_vapour_density_series": ("D", 1, True),
    "latent_heat_series": ("H", None, False), "liquid_heat_capacity_series": ("C", 0, False), "vapour_heat_capacity_series": ("C", 1, False),
    "liquid_conductivity_series": ("L", 0, False), "vapour_conductivity_series": ("L", 1, False),
    "log_liquid_viscosity_series": ("V", 0, True), "log_vapour_viscosity_series": ("V", 1, True), "surface_tension_series": ("I", 0, False),
}
Source = Callable[[str, int | None, float], float]
Says = dict[str, tuple[str, str, str]]


def coolprop(fluid: str) -> Source:
    """A property at a quality and a temperature [degC]; latent heat where the quality is None."""
    def value(key: str, quality: int | None, T: float) -> float:
        if quality is None:
            return float(PropsSI("H", "T", T + KELVIN, "Q", 1, fluid) - PropsSI("H", "T", T + KELVIN, "Q", 0, fluid))
        return float(PropsSI(key, "T", T + KELVIN, "Q", quality, fluid))
    return value


def lucas(T: float, critical_temperature: float, critical_pressure: float, molar_mass: float) -> float:
    """Viscosity of a dilute gas of little polarity [Pa s], by Lucas; critical point in K and Pa, kg/mol."""
    T_r = (T + KELVIN) / critical_temperature
    xi = 0.176 * (critical_temperature / ((1e3 * molar_mass) ** 3 * (1e-5 * critical_pressure) ** 4)) ** (1 / 6)  # 1/uP
    reduced = 0.807 * T_r**0.618 - 0.357 * np.exp(-0.449 * T_r) + 0.340 * np.exp(-4.058 * T_r) + 0.018
    return float(1e-7 * reduced / xi)


def eucken(viscosity: float, heat_capacity: float, molar_mass: float) -> float:
    """Conductivity of a dilute gas of many atoms [W/(m K)], by the modified formula of Eucken."""
    R = GAS_CONSTANT / molar_mass
    return float(viscosity * (1.32 * (heat_capacity - R) + 1.77 * R))


def through(points: dict[float, float], log: bool = False) -> Callable[[float], float]:
    """A straight line by least squares in T, or in 1/T of the logarithm."""
    T, y = np.array(list(points)), np.array(list(points.values()))
    fit = np.polyfit(1 / (T + KELVIN), np.log(y), 1) if log else np.polyfit(T, y, 1)
    return lambda t: float(np.exp(np.polyval(fit, 1 / (t + KELVIN))) if log else np.polyval(fit, t))


def r1233zd(key: str, quality: int | None, T: float) -> float:
    """R1233zd(E), see above."""
    if key == "L" and quality == 0:
        return 0.0904173 + (0.0787728 - 0.0904173) * T / 40.0
    if key == "V" and quality == 0:
        t = 1 / (T + KELVIN)
        return float(np.exp(-14.0122974 + 2677.72094 * t - 235531.036 * t * t))
    if key == "V":
        return 1.01500951e-5 + 3.62982608e-8 * T + 5.36732901e-11 * T * T
    if key == "L":
        return eucken(r1233zd("V", 1, T), coolprop("R1233zd(E)")("C", 1, T), PropsSI("M", "R1233zd(E)"))
    if key == "I":
        return float(0.06195 * (1 - (T + KELVIN) / PropsSI("Tcrit", "R1233zd(E)")) ** 1.277)
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
    if key == "I":
        return z * coolprop(ZE)(key, 0, T) + (1 - z) * coolprop(EA)(key, 0, T)
    return coolprop(f"HEOS::{ZE}[{z:.7f}]&{EA}[{1 - z:.7f}]")(key, quality, T)


FC_72 = (0.33804, 1.8309e6, 451.65)  # kg/mol, Pa, K
NOVEC = (float(PropsSI("M", "Novec649")), float(PropsSI("pcrit", "Novec649")), float(PropsSI("Tcrit", "Novec649")))
NOVEC_CONDUCTIVITY = {20.0: 0.06, 25.0: 0.059, 30.0: 0.058, 40.0: 0.0565, 49.0: 0.0555, 60.0: 0.054}
NOVEC_VISCOSITY = {20.0: 6.8e-4, 25.0: 6.4e-4, 30.0: 5.9e-4, 40.0: 5.2e-4, 49.0: 4.6e-4, 60.0: 4.1e-4}
NOVEC_TENSION = (0.0108, 25.0, 1.257)  # N/m, degC, exponent that meets 0.0076 at 60


def fc_72(key: str, quality: int | None, T: float) -> float:
    """FC-72 by closed fits (S15), T in degC; its vapour's transport is estimated."""
    rho = 1755.59 - 3.954 * T + 0.04503 * T**2 - 3.101e-4 * T**3
    cp_v = coolprop("n-Perfluorohexane")("C", 1, T)
    mu_v = lucas(T, FC_72[2], FC_72[1], FC_72[0])
    return {
        ("P", 0): 1e5 * ((T + 86.699) / 143.278) ** (1 / 0.204), ("D", 0): rho,
        ("D", 1): 1.3724 + 0.06842 * T + 1.856e-3 * T**2 + 2.893e-7 * T**3 + 2.063e-7 * T**4,
        ("H", None): 99180 - 230.89 * T - 0.4984 * T**2, ("C", 0): 589.18 + 1.5443 * (T + KELVIN), ("C", 1): cp_v,
        ("L", 0): 0.090672 - 1.168e-4 * (T + KELVIN), ("L", 1): eucken(mu_v, cp_v, FC_72[0]),
        ("V", 0): 1e-7 * (5.409 - 0.08259 * T + 8.759e-4 * T**2 - 4.102e-6 * T**3) * rho, ("V", 1): mu_v,
        ("I", 0): 0.042705 * (1 - (T + 273.5) / 451.65) ** 1.2532,
    }[key, quality]


def novec_649(key: str, quality: int | None, T: float) -> float:
    """Novec 649, see above."""
    mu_v = lucas(T, NOVEC[2], NOVEC[1], NOVEC[0])
    if key == "V":
        return through(NOVEC_VISCOSITY, log=True)(T) if quality == 0 else mu_v
    if key == "L":
        return through(NOVEC_CONDUCTIVITY)(T) if quality == 0 else eucken(mu_v, coolprop("Novec649")("C", 1, T), NOVEC[0])
    if key == "I":
        sigma, at, exponent = NOVEC_TENSION
        return float(sigma * ((NOVEC[2] - T - KELVIN) / (NOVEC[2] - at - KELVIN)) ** exponent)
    return coolprop("Novec649")(key, quality, T)


class Estimated(NamedTuple):
    """A boiling liquid of which little is known. ``ln p = A - B/T``; values of the liquid at 25 degC with their slopes."""

    molar_mass: float  # kg/mol
    critical_temperature: float  # K
    critical_pressure: float
    boiling_point: float  # degC at 101,325 Pa
    B: float  # K
    latent_heat: float  # at the boiling point
    density: tuple[float, float]
    heat_capacity: tuple[float, float]
    conductivity: tuple[float, float]
    viscosity: tuple[float, float]  # Pa s at 25 degC, K of exp(E/T)
    surface_tension: float
    vapour_heat_capacity: tuple[float, float]

    def __call__(self, key: str, quality: int | None, T: float) -> float:
        """The property."""
        T_K, boils = T + KELVIN, self.boiling_point + KELVIN
        p = 101325.0 * np.exp(self.B * (1 / boils - 1 / T_K))
        h = self.latent_heat * ((self.critical_temperature - T_K) / (self.critical_temperature - boils)) ** 0.38  # Watson
        rho = self.density[0] + self.density[1] * (T - 25)
        cp_v = self.vapour_heat_capacity[0] + self.vapour_heat_capacity[1] * (T - 25)
        mu_v = lucas(T, self.critical_temperature, self.critical_pressure, self.molar_mass)
        known = {
            ("P", 0): p, ("H", None): h, ("D", 0): rho, ("D", 1): 1 / (h / (p * self.B / T_K) + 1 / rho),  # Clapeyron
            ("C", 0): self.heat_capacity[0] + self.heat_capacity[1] * (T - 25), ("C", 1): cp_v,
            ("L", 0): self.conductivity[0] + self.conductivity[1] * (T - 25), ("L", 1): eucken(mu_v, cp_v, self.molar_mass),
            ("V", 0): self.viscosity[0] * np.exp(self.viscosity[1] * (1 / T_K - 1 / 298.15)), ("V", 1): mu_v,
            ("I", 0): self.surface_tension * ((self.critical_temperature - T_K) / (self.critical_temperature - 298.15)) ** 1.26,
        }
        return float(known[key, quality])


HFE_7100 = Estimated(0.25006, 468.45, 2.23e6, 3641.9 / (22.415 - np.log(101325.0)) - KELVIN, 3641.9, 112e3, (1481.6, -2.269), (1183.0, 2.0), (0.06883, -1.955e-4), (5.506e-4, 920.0),
                     0.0136, (890.0, 1.5))
FC_3284 = Estimated(0.29904, 434.0, 1.94e6, 50.0, 4150.0, 105e3, (1710.0, -2.8), (1100.0, 1.55), (0.062, -1.1e-4), (7.1e-4, 1000.0), 0.013,
                    (870.0, 1.4))
LIKE_2P50 = Estimated(0.26406, 443.0, 2.1e6, 49.0, 3850.0, 107e3, (1500.0, -2.6), (1150.0, 1.6), (0.062, -1.1e-4), (5.5e-4, 1000.0), 0.0115,
                      (900.0, 1.5))


def hfe_7100(key: str, quality: int | None, T: float) -> float:
    """HFE-7100, see above: the liquid from CoolProp up to 60 degC (``V`` there is kinematic, in mm2/s over 1000), beyond as it goes on."""
    if quality == 0 and key == "V":
        nu = through({float(t): 1e-3 * float(PropsSI("V", "T", t + KELVIN, "P", 2e5, "INCOMP::HFE2")) for t in range(5, 61, 5)}, log=True)
        return nu(T) * HFE_7100("D", 0, T)
    return HFE_7100(key, quality, T)


def text(name: str, title: str, source: Source, molar_mass: float, critical_pressure: float, says: Says, low: float = LOW,
         high: float = HIGH) -> str:
    """The refrigerant's file; `says` has source, trust and note for fields by name, ``""`` for the rest."""
    def line(key: str, value: str) -> str:
        where, trust, note = says.get(key, says[""])
        said = f', note = "{note}"' if note else ""
        return f'{key} = {{ value = {value}, source = "{where}", trust = "{trust}"{said} }}'

    T = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.linspace(0, np.pi, POINTS))
    x = (2 * T - (low + high)) / (high - low)
    lines, worst, fits = [], 0.0, {}
    for series, (key, quality, log) in SERIES.items():
        value = np.array([source(key, quality, float(t)) for t in T])
        wanted = np.log(value) if log else value
        found = np.polynomial.polynomial.polyfit(x, wanted, DEGREE, w=None if log else 1 / value)
        found = np.array([float(f"{c:.10g}") for c in found])
        back = np.polynomial.polynomial.polyval(x, found)
        worst = max(worst, float(np.max(np.abs((np.exp(back) if log else back) / value - 1))))
        fits[series] = tuple(found.tolist())
        lines.append(line(series, "[" + ", ".join(f"{c:.10g}" for c in found) + "]"))
    error = float(f"{worst:.2g}")
    Refrigerant(name=name, molar_mass=molar_mass, critical_pressure=critical_pressure, lowest_temperature=low, highest_temperature=high,
                fit_error=error, **fits)
    head = [f'name = "{name}"', f'title = "{title}"', line("molar_mass", f"{molar_mass:.8g}"),
            line("critical_pressure", f"{critical_pressure:.8g}"), line("lowest_temperature", f"{low:g}"),
            line("highest_temperature", f"{high:g}")]
    cost = [] if name not in PRICES else [f'price = {{ value = {PRICES[name][0]:g}, source = "{PRICES[name][1]}", trust = "{PRICES[name][2]}", '
                                          f'note = "{PRICES[name][3]}" }}']
    tail = cost + [f'fit_error = {{ value = {error:g}, source = "{says[""][0]}", trust = "derived", note = "largest of all properties" }}']
    return "# Made by tools/make_refrigerants.py; do not edit.\n" + "\n".join(head + lines + tail) + "\n"


AS_HFE = 50, "assumption", "estimate(0.3)", "as HFE-7100 in bulk; perfluorocarbons may cost several times as much"
PRICES = {"hfe-7100": (49, "S19b; assumption", "secondary; estimate(0.5)", "300 to 400 CNY/kg, at 7.1 CNY/USD"), "novec-649": AS_HFE, "fc-72": AS_HFE,
          "fc-3284": AS_HFE, "2p50-like": AS_HFE}  # USD/kg


def same(fields: tuple[str, ...], source: str, trust: str, note: str) -> Says:
    """One source for several fields."""
    return dict.fromkeys(fields, (source, trust, note))


LIQUID_TRANSPORT = ("liquid_conductivity_series", "log_liquid_viscosity_series")
VAPOUR_TRANSPORT = ("vapour_conductivity_series", "log_vapour_viscosity_series")
DILUTE = "assumption", "estimate(0.6)", "dilute gas: Lucas, and Eucken's modified formula"


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)

    def write(name: str, *rest: object, **range_: float) -> None:
        FOLDER.joinpath(f"{name}.toml").write_text(text(name, *rest, **range_), encoding="utf-8")  # type: ignore[arg-type]

    for name, fluid in (("r1234ze-e", ZE), ("r1234yf", "R1234yf")):
        write(name, fluid, coolprop(fluid), PropsSI("M", fluid), PropsSI("pcrit", fluid), {"": (f"CP8 {fluid}", "derived", "")})
    write("r1233zd-e", "R1233zd(E)", r1233zd, PropsSI("M", "R1233zd(E)"), PropsSI("pcrit", "R1233zd(E)"), {
        "": ("CP8 R1233zd(E)", "derived", ""),
        **same((*LIQUID_TRANSPORT, "log_vapour_viscosity_series"), "F01; assumption", "secondary; estimate(0.6)",
               "CoolProp 8.0.0 has none; conductivity by Perkins and Huber, viscosity of CoolProp 7.2.0"),
        "vapour_conductivity_series": ("assumption", "estimate(0.6)", "Eucken's modified formula"),
        "surface_tension_series": ("F05", "secondary; estimate(0.7)", "61.95 mN/m (1 - T/Tc)^1.277"),
    })
    z = mole_share()
    mass = 1 / (SHARE / PropsSI("M", ZE) + (1 - SHARE) / PropsSI("M", EA))
    write("r515b", "R515B: R1234ze(E) and R227ea, 91.1 and 8.9 % by mass", r515b, mass, z * PropsSI("pcrit", ZE) + (1 - z) * PropsSI("pcrit", EA), {
        "": (f"CP8 {ZE} and {EA}", "derived", ""), "critical_pressure": ("CP8; assumption", "estimate(0.8)", "of the two by mole"),
        **same((*LIQUID_TRANSPORT, *VAPOUR_TRANSPORT, "surface_tension_series"), "CP8; assumption", "derived; estimate(0.6)",
               "of the two, mixed by mass, by logarithms and by mole"),
    })
    write("fc-72", "FC-72, perfluorohexanes", fc_72, FC_72[0], FC_72[1], {
        "": ("S15", "secondary", "closed fits"),
        "vapour_heat_capacity_series": ("CP8 n-Perfluorohexane", "derived", "of n-perfluorohexane"), **same(VAPOUR_TRANSPORT, *DILUTE),
    }, low=10.0, high=80.0)
    write("novec-649", "Novec 649, FK-5-1-12", novec_649, NOVEC[0], NOVEC[1], {
        "": ("CP8 Novec649", "derived", ""),
        **same(LIQUID_TRANSPORT, "S17; assumption", "secondary; estimate(0.55)", "known at 25 degC, estimated from 20 to 60 degC"),
        "surface_tension_series": ("assumption", "estimate(0.55)", "10.8 mN/m at 25 degC, 7.6 at 60"), **same(VAPOUR_TRANSPORT, *DILUTE),
    }, low=5.0, high=90.0)
    write("hfe-7100", "HFE-7100", hfe_7100, HFE_7100.molar_mass, HFE_7100.critical_pressure, {
        "": ("S16; CP8 INCOMP::HFE2", "primary; derived", "liquid to 60 degC, beyond as it goes on; viscosity of CoolProp put right"),
        **same(("log_pressure_series", "critical_pressure", "molar_mass"), "assumption", "estimate(0.8)",
               "ln p = 22.415 - 3641.9/T boils at 61 degC and 101 kPa; critical 195.3 degC, 2.23 MPa"),
        "latent_heat_series": ("S16; assumption", "primary; estimate(0.8)", "112 kJ/kg where it boils, elsewhere by Watson"),
        "log_vapour_density_series": ("S16; assumption", "derived; estimate(0.8)", "Clapeyron"),
        "surface_tension_series": ("S16; assumption", "primary; estimate(0.8)", "13.6 mN/m at 25 degC, exponent 1.26"),
        "vapour_heat_capacity_series": ("F04; assumption", "estimate(0.5)", "as of its neighbours"), **same(VAPOUR_TRANSPORT, *DILUTE),
    }, low=5.0, high=85.0)
    write("fc-3284", "FC-3284, a perfluoromorpholine", FC_3284, FC_3284.molar_mass, FC_3284.critical_pressure, {
        "": ("assumption", "estimate(0.6)", "boils at 50 degC; liquid at 25 degC as engineers quote the sheet, which was not opened"),
        "latent_heat_series": ("assumption", "estimate(0.6)", "105 kJ/kg where it boils, elsewhere by Watson"),
        "log_vapour_density_series": ("assumption", "estimate(0.6)", "Clapeyron"), **same(VAPOUR_TRANSPORT, *DILUTE),
    }, low=5.0, high=80.0)
    write("2p50-like", "a hydrofluoroolefin boiling at 49 degC, like Opteon 2P50", LIKE_2P50, LIKE_2P50.molar_mass, LIKE_2P50.critical_pressure, {
        "": ("assumption", "estimate(0.4)", "only the boiling point is published (S19); the rest as of C6H2F10 and by Trouton's rule"),
        **same(VAPOUR_TRANSPORT, *DILUTE),
    }, low=5.0, high=80.0)


if __name__ == "__main__":
    main()

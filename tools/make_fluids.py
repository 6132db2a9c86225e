"""Writes the library's coolants: fits to CoolProp, and to the maker's formulas where CoolProp has none of that product.

    python tools/make_fluids.py        needs the extra `props`
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from thermo.fluids import PROPERTIES, Fluid, fitted

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


def text(fluid: Fluid, source: str, trust: str, note: str) -> str:
    """The fluid's file."""
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


if __name__ == "__main__":
    main()

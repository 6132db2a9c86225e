"""Cooling designs: one file each, none of which knows another. A design is any object with `add_to` (see `site`)."""
from thermo.cooling.air import Air
from thermo.cooling.control import PI, Curve
from thermo.cooling.plate import curve_plate

__all__ = ["Air", "Curve", "PI", "curve_plate"]

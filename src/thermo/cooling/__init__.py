"""Cooling designs. A design is any object with `add_to` (see `site`); liquid ones take their air part from `air`."""
from thermo.cooling.air import Air
from thermo.cooling.cold_plate import Cdu, ColdPlateCooling, Pump
from thermo.cooling.control import PI, Curve
from thermo.cooling.plate import curve_plate

__all__ = ["Air", "Cdu", "ColdPlateCooling", "Curve", "PI", "Pump", "curve_plate"]

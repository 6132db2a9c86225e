"""Conduction in three dimensions: a package with its die, memory, interfaces and sink or cold plate.

`Package` and its parts say what is where; `solve_steady` and `solve_transient` give temperatures with their error of
discretisation, `resistance` what they mean in K/W.
"""
from __future__ import annotations

from thermo.package.description import Block, Channels, Convection, Layer, Material, Package
from thermo.package.grid import Grid, Resolution, grid_of
from thermo.package.resistance import resistance
from thermo.package.solve import solve_steady

__all__ = ["Block", "Channels", "Convection", "Grid", "Layer", "Material", "Package", "Resolution", "grid_of", "resistance", "solve_steady"]

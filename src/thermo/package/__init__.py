"""Conduction in three dimensions: a package with its die, memory, interfaces and sink or cold plate.

`Package` and its parts say what is where; `solve_steady` and `solve_transient` give temperatures with their error of
discretisation, `resistance` what they mean in K/W.
"""
from __future__ import annotations

from thermo.package.description import Block, Channels, Convection, Layer, Material, Package
from thermo.package.grid import Grid, Resolution, grid_of
from thermo.package.ladder import Cauer, Foster, cauer, foster, foster_fit
from thermo.package.over_time import solve_transient
from thermo.package.reduction import Coupling, Ladder, NodeModel, coupling, junction_to_case, on_package, reduce
from thermo.package.resistance import resistance
from thermo.package.solve import solve_steady
from thermo.package.spreading import spreading_closed_form, spreading_series
from thermo.package.structure import StructureFunction, spectrum, structure_function

__all__ = ["Block", "Cauer", "Channels", "Convection", "Coupling", "Foster", "Grid", "Ladder", "Layer", "Material", "NodeModel", "Package",
           "Resolution", "StructureFunction", "cauer", "coupling", "foster", "foster_fit", "grid_of", "junction_to_case", "on_package", "reduce",
           "resistance", "solve_steady", "solve_transient", "spectrum", "spreading_closed_form", "spreading_series", "structure_function"]

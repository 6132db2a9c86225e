"""Power chains: stages from the utility to the chips' regulators, composed, sized and followed over time."""
from thermo.power.battery import Battery
from thermo.power.busway import Busway
from thermo.power.chain import Flows, PowerChain, rated_power
from thermo.power.converter import Converter, Fixed, Offset
from thermo.power.faults import Fault, LoadDropped, UnitsFailed, UpsBypass, UtilityOutage
from thermo.power.generator import Generator
from thermo.power.metrics import ppue, pue, sankey, summary
from thermo.power.shelf import EnergyStore, Shelf, Smoothing
from thermo.power.stage import Coefficients, Stage
from thermo.power.supply import Supply
from thermo.power.transformer import Transformer
from thermo.power.ups import Ups

__all__ = ["Battery", "Busway", "Coefficients", "Converter", "EnergyStore", "Fault", "Fixed", "Flows", "Generator",
           "LoadDropped", "Offset", "PowerChain", "Shelf", "Smoothing", "Stage", "Supply", "Transformer", "UnitsFailed",
           "Ups", "UpsBypass", "UtilityOutage", "ppue", "pue", "rated_power", "sankey", "summary"]

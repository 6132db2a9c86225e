"""Power chains: stages from the utility to the chips' regulators, composed, sized and followed over time."""
from thermo.power.busway import Busway
from thermo.power.chain import Flows, PowerChain, rated_power
from thermo.power.converter import Converter, Fixed, Offset
from thermo.power.metrics import ppue, pue, sankey, summary
from thermo.power.shelf import EnergyStore, Shelf
from thermo.power.stage import Coefficients, Stage
from thermo.power.transformer import Transformer
from thermo.power.ups import Battery, Ups

__all__ = ["Battery", "Busway", "Coefficients", "Converter", "EnergyStore", "Fixed", "Flows", "Offset", "PowerChain",
           "Shelf", "Stage", "Transformer", "Ups", "ppue", "pue", "rated_power", "sankey", "summary"]

"""Power chains: from the utility to the servers' inlets."""
from thermo.power.chain import PowerChain

__all__ = ["PowerChain"]

"""Heat and power of AI racks, chip to grid, with an energy balance in every result."""
__version__ = "0.1.0"
__dist__ = "thermo-dc"

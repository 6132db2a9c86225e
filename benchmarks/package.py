"""Packages from their description to a labelled answer: time, and how large the error is that they tell."""
from thermo.package import Resolution, solve_steady


class LibraryPackage:
    """The wafer-scale engine with its plate: 214 channels solved together with the silicon."""

    timeout = 300.0

    def setup(self):
        self.resolution = Resolution(across=12, block=2, growth=2.5)

    def time_steady(self):
        solve_steady("wse-3", resolution=self.resolution)

    def track_discretisation_error(self):
        return float(solve_steady("wse-3", resolution=self.resolution)["discretisation_error"])
    track_discretisation_error.unit = "K"

    def track_energy_residual(self):
        result = solve_steady("wse-3", resolution=self.resolution)
        return abs(float(result["energy_residual"])) / float(result["block_power"].sum())
    track_energy_residual.unit = "W/W"

"""Packages from their description to a labelled answer: time, and how large the error is that they tell."""
from thermo.package import resistance, solve_steady


class LibraryPackage:
    """Packages of the library on their cold plates, with the resolution that nobody asked to change."""

    timeout = 120.0
    number, repeat, rounds, warmup_time = 1, 1, 1, 0.0
    params = ["h100-sxm", "wse-3"]
    param_names = ["package"]

    def time_resistance(self, package):
        resistance(package)

    def track_discretisation_error(self, package):
        return float(solve_steady(package)["discretisation_error"])
    track_discretisation_error.unit = "K"

    def track_energy_residual(self, package):
        result = solve_steady(package)
        return abs(float(result["energy_residual"])) / float(result["block_power"].sum())
    track_energy_residual.unit = "W/W"

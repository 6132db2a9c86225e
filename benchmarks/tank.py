"""A two-phase tank of 10 servers with 8 GPUs each, 24 h at 1 s, beside ten servers of the same GPUs on cold plates behind a distribution unit.

Every wall of the tank is read twice a second, the unit's valve every 2 s; the load moves in steps like training's. `python -m benchmarks.tank`
prints both and their ratio.
"""
import time
import warnings

import numpy as np
import xarray as xr

import thermo
from benchmarks.liquid import nodes, residual, run
from thermo import simulate, solve

KINDS = {"two-phase": ("dgx-h100", "two-phase-immersion"), "cold-plate": ("hgx-h100-liquid", "cold-plate-cdu")}
RUNS = {"1 h at 1 s": 3601, "24 h at 1 s": 86401}
SERVERS = 10


def build(kind, name):
    """``(network, engine)`` in its steady state."""
    rack, cooling = KINDS[kind]
    t = np.arange(RUNS[name], dtype=float)
    use = 0.6 + 0.35 * np.sign(np.sin(2 * np.pi * t / 40.0))
    load = xr.DataArray(use, dims="time", coords={"time": t}, attrs={"units": "1"})
    scenario = simulate.checked(thermo.Rack.from_library(rack, servers=SERVERS), load, cooling=cooling,
                                ambient={"facility_water_temperature": 30.0})
    network = simulate.assemble(scenario, simulate.device_power(scenario)).network
    engine = network.build()
    solve.steady_start(network, engine)
    return network, engine


class Tank:
    """The stepper alone."""

    params = [list(KINDS)]  # an hour; a day is in the table
    param_names = ["cooling"]
    timeout = 300

    def setup(self, kind):
        warnings.simplefilter("ignore")
        self.network, self.engine = build(kind, "1 h at 1 s")

    def time_hour(self, kind):
        run(self.network, self.engine)

    def track_residual(self, kind):
        return residual(run(self.network, self.engine))

    track_residual.unit = "J/J"


def main():
    """One table; ratios count, times are this machine's, now."""
    warnings.simplefilter("ignore")
    print(f"{'':<14}{'cooling':<12}{'nodes':>7}{'stepper':>12}{'seconds':>9}{'steps':>9}{'factored':>10}{'residual':>10}")
    for name in RUNS:
        took = {}
        for kind in KINDS:
            network, engine = build(kind, name)
            begin = time.perf_counter()
            s = run(network, engine)
            took[kind] = time.perf_counter() - begin
            print(f"{name:<14}{kind:<12}{nodes(network):>7}{s.solver:>12}{took[kind]:>9.2f}{s.statistics.get('steps', 0):>9}"
                  f"{s.statistics.get('factored', 0):>10}{residual(s):>10.0e}", flush=True)
        print(f"{'':<14}two-phase over cold-plate: {took['two-phase'] / took['cold-plate']:.1f}", flush=True)


if __name__ == "__main__":
    main()

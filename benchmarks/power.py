"""A year of minutes through a power chain, and what a chain adds to a rack's simulation."""
import numpy as np
import xarray as xr

import thermo

SEED = 20261124
YEAR = 525_600  # minutes


class Year:
    """A year at 1 min through the chain alone; the target is 50 ms."""

    params = [["ideal", "ac-ups-480v", "ac-ups-415v", "dc-380v", "orv3-54v", "hvdc-800v"]]
    param_names = ["chain"]

    def setup(self, chain):
        self.chain = thermo.PowerChain.from_library(chain).sized(40e3, servers=4)
        self.load = np.random.default_rng(SEED).uniform(8e3, 40e3, YEAR)
        self.seconds = 60.0 * np.arange(YEAR)
        utility, loss = self.chain.input_power(self.load)
        if not np.allclose(utility, self.load + loss.sum(axis=1), rtol=1e-12):
            raise NotImplementedError("the chain does not close: nothing to time")

    def time_input_power(self, chain):
        self.chain.input_power(self.load)

    def time_flows(self, chain):
        self.chain.flows(self.load, plant=4e3)

    def time_over_time(self, chain):
        self.chain.over_time(self.load, self.seconds, plant=4e3)

    def time_outage(self, chain):
        self.chain.over_time(self.load, self.seconds, plant=4e3, faults=[thermo.power.UtilityOutage(1e6, 1e6 + 3600.0)])

    def track_balance(self, chain):
        """Largest part of the utility's power that is not accounted for."""
        flows = self.chain.flows(self.load, plant=4e3)
        out = self.load + 4e3 + flows.room_cooling_power + flows.stage_loss.sum(axis=1)
        return float(np.max(np.abs(flows.utility_power - out) / flows.utility_power))
    track_balance.unit = "W/W"


class Rack:
    """An hour of a rack at 1 s; with a chain less than 15 % more than without."""

    params = [["ideal", "ac-ups-480v"]]
    param_names = ["chain"]

    def setup(self, chain):
        t = np.arange(3600.0)
        u = np.random.default_rng(SEED).uniform(0.1, 1.0, t.size)
        self.load = xr.DataArray(u, dims="time", coords={"time": t}, attrs={"units": "1", "interpolation": "constant"})

    def time_simulate(self, chain):
        thermo.simulate_rack("dgx-h100", self.load, power=chain)

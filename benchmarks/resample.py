"""Resampling a day of telemetry: the compiled pass beside its NumPy twin."""
import importlib.util
from pathlib import Path

import numpy as np

from thermo._kernels import passes

SEED = 20260108


def twin():
    """The oracle of the tests, loaded by its path because the tests are not installed."""
    path = Path(__file__).parents[1] / "tests" / "twins" / "resample.py"
    spec = importlib.util.spec_from_file_location("resample_twin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.interval_means


class IntervalMeans:
    params = [[1, 8, 576], ["constant", "linear"]]
    param_names = ["channels", "interpolation"]

    def setup(self, channels, interpolation):
        rng = np.random.default_rng(SEED)
        n = 2_000_000 // channels
        self.t = np.cumsum(rng.uniform(1.2, 1.4, n))
        self.x = rng.uniform(100.0, 700.0, (n, channels))
        self.edges = np.append(np.arange(self.t[0], self.t[-1], 15.0), self.t[-1])
        self.out = np.empty((len(self.edges), channels))
        self.linear = interpolation == "linear"
        self.twin = twin()
        passes.interval_means(self.t, self.x, self.edges, linear=self.linear, out=self.out)
        if not np.allclose(self.out, self.twin(self.t, self.x, self.edges, linear=self.linear), rtol=1e-9):
            raise NotImplementedError("the pass and its twin differ: nothing to time")

    def time_pass(self, channels, interpolation):
        passes.interval_means(self.t, self.x, self.edges, linear=self.linear, out=self.out)

    def time_numpy_twin(self, channels, interpolation):
        self.twin(self.t, self.x, self.edges, linear=self.linear)

    def track_energy_error(self, channels, interpolation):
        """Energy after minus energy before, relative."""
        dt = np.diff(self.t)[:, None]
        before = np.sum(dt * (0.5 * (self.x[:-1] + self.x[1:]) if self.linear else self.x[:-1]))
        return abs(np.sum(np.diff(self.edges)[:, None] * self.out[:-1]) / before - 1.0)
    track_energy_error.unit = "J/J"

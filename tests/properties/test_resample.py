"""Resampling conserves energy, forgets nothing it could keep, and does not know what time it is."""
import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from thermo import workload

EPS = np.finfo(float).eps
steps = st.lists(st.integers(1, 4096), min_size=1, max_size=40)  # in 1/1024 s: times and their differences are exact
seeds = st.integers(0, 2**32 - 1)


def trace(ticks, seed, interpolation):
    """Power of three devices at exact times."""
    t = np.concatenate([[0], np.cumsum(ticks)]) / 1024.0
    x = np.random.default_rng(seed).uniform(0.0, 1000.0, (len(t), 3))
    return xr.DataArray(x, dims=("time", "device"), coords={"time": t},
                        attrs={"units": "W", "interpolation": interpolation})


def edges_in(t, seed, count):
    """Times from the first sample to the last, some of them the trace's own."""
    rng = np.random.default_rng(seed)
    drawn = np.round(rng.uniform(t[0], t[-1], count) * 1024.0) / 1024.0
    return np.unique(np.concatenate([[t[0], t[-1]], drawn, rng.choice(t, count // 2)]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps, seeds, st.integers(0, 60), st.sampled_from(["constant", "linear"]))
def test_energy_of_every_interval_is_kept(ticks, seed, count, interpolation):
    """One rounding for each piece summed, of at most 1000 W times the span."""
    w = trace(ticks, seed, interpolation)
    r = workload.resample(w, edges_in(w["time"].values, seed, count))
    tolerance = 2 * EPS * (len(w) + len(r)) * 1000.0 * float(w["time"][-1])
    np.testing.assert_allclose(workload.energy(r), workload.energy(w), rtol=0, atol=tolerance)
    for a, b in zip(r["time"].values[:-1], r["time"].values[1:], strict=True):  # each interval alone, cut out by itself
        part = workload.resample(w, [a, b])
        np.testing.assert_array_equal(part.values[0], r.sel(time=a).values)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps, seeds, st.integers(0, 60))
def test_refining_then_coarsening_is_the_identity(ticks, seed, count):
    """Bit for bit, for a piecewise constant trace and any refinement that holds its times."""
    w = trace(ticks, seed, "constant")
    fine = np.union1d(w["time"].values, edges_in(w["time"].values, seed, count))
    back = workload.resample(workload.resample(w, fine), w["time"].values)
    np.testing.assert_array_equal(back.values, w.values)
    np.testing.assert_array_equal(back["time"].values, w["time"].values)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps, seeds, st.integers(0, 60), st.sampled_from(["constant", "linear"]), st.integers(-2**20, 2**20))
def test_shifting_time_shifts_the_result(ticks, seed, count, interpolation, shift):
    """A whole number of seconds added to all times changes no bit (all times are exact)."""
    w = trace(ticks, seed, interpolation)
    edges = edges_in(w["time"].values, seed, count)
    moved = workload.resample(w.assign_coords(time=w["time"].values + shift), edges + shift)
    np.testing.assert_array_equal(moved.values, workload.resample(w, edges).values)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps, seeds, st.integers(0, 60), st.sampled_from(["constant", "linear"]))
def test_means_lie_within_the_samples(ticks, seed, count, interpolation):
    w = trace(ticks, seed, interpolation)
    r = workload.resample(w, edges_in(w["time"].values, seed, count)).values
    slack = 4 * EPS * len(w) * 1000.0
    assert (r >= w.values.min(axis=0) - slack).all() and (r <= w.values.max(axis=0) + slack).all()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(steps, seeds, st.integers(0, 60), st.sampled_from(["constant", "linear"]), st.floats(0.0, 1e4))
def test_a_constant_stays_itself(ticks, seed, count, interpolation, level):
    w = trace(ticks, seed, interpolation) * 0.0 + level
    w = w.assign_attrs(units="W", interpolation=interpolation)
    assert (workload.resample(w, edges_in(w["time"].values, seed, count)).values == level).all()

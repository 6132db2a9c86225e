"""Made workloads keep their energy on any samples and their bits in any run; a store neither makes nor loses energy."""
import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from thermo import workload
from thermo.generators import Storage, inference, ramp_rate, smoothed, training

EPS = np.finfo(float).eps
seeds = st.integers(0, 2**32 - 1)
jobs = st.fixed_dictionaries({
    "step_time": st.floats(0.05, 20.0), "communication_share": st.floats(0.0, 1.0), "jitter": st.floats(0.0, 0.9),
    "checkpoint_interval": st.floats(1.0, 200.0), "checkpoint_time": st.floats(0.0, 50.0),
    "ramp_up": st.floats(0.0, 60.0), "ramp_down": st.floats(0.0, 60.0), "start": st.floats(0.0, 100.0),
    "stop": st.floats(100.0, 400.0),
    "failures": st.lists(st.floats(0.0, 400.0), max_size=4), "restart_delay": st.floats(0.0, 100.0), "seed": seeds})


def energy(w, times):
    return workload.resample(w, times).values[:-1] * np.diff(times)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(jobs, st.sampled_from([0.25, 1.0, 4.0]), st.sampled_from([16.0, 32.0]))
def test_a_job_has_one_energy_on_any_samples(job, fine, coarse):
    """On common intervals, to the rounding of the sum of their pieces; and it stays within its levels."""
    a, b = (training(duration=384.0, time_step=step, device="h100-sxm5", **job) for step in (fine, coarse))
    times = b["time"].values
    pieces = coarse / fine + 4 * coarse / (job["step_time"] * (1 - job["jitter"])) + 8
    np.testing.assert_allclose(energy(a, times), energy(b, times), rtol=0, atol=4 * EPS * pieces * 700.0 * coarse)
    assert a.values.min() >= 73.0 * (1 - 4 * EPS) and a.values.max() <= 0.95 * 700.0 * (1 + 4 * EPS)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(jobs, st.floats(0.1, 50.0))
def test_same_arguments_same_bits(job, step):
    a, b = (training(duration=300.0, time_step=step, **job) for _ in range(2))
    assert a.values.tobytes() == b.values.tobytes() and a.attrs == b.attrs


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 60), st.integers(1, 4), st.integers(1, 8), st.one_of(st.none(), st.floats(1.0, 300.0)))
def test_tokens_in_are_tokens_served_and_left(seed, n, replicas, batch, duration):
    """Served and left are counted apart; to the rounding of one sum per event."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"arrival_time": rng.uniform(0.0, 200.0, n), "prompt_tokens": rng.integers(0, 5000, n),
                          "output_tokens": rng.integers(0, 800, n)})
    w = inference(table, duration=duration, replicas=replicas, devices=4 * replicas, batch_limit=batch,
                  decode_rate=100.0)
    came = table[table["arrival_time"] < (np.inf if duration is None else duration)]
    at, slack = w.attrs, 64 * EPS * (n + 1) * 5000.0 * n
    for kind in ("prompt", "output"):
        served, left = at[f"{kind}_tokens_served"], at[f"{kind}_tokens_left"]
        assert abs(served + left - came[f"{kind}_tokens"].sum()) <= slack
        assert served >= -slack and left >= -slack
        assert duration is not None or left == 0.0
    assert at["requests_done"] + at["requests_left"] == len(came) and at["requests_later"] == n - len(came)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 30))
def test_utilisation_integrates_to_the_work_done(seed, n):
    """With decoding at no level but its throughput's: busy time = prompts / rate + outputs / rate."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"arrival_time": rng.uniform(0.0, 50.0, n), "prompt_tokens": rng.integers(0, 5000, n),
                          "output_tokens": rng.integers(0, 800, n)})
    w = inference(table, prefill=1.0, decode=0.0, decode_full=1.0, resident=0.0, idle=0.0, devices=1, time_step=0.7)
    busy = float(w.values[:-1].sum() * 0.7)
    np.testing.assert_allclose(busy, table["prompt_tokens"].sum() / 10_000.0 + table["output_tokens"].sum() / 1200.0,
                               rtol=1e-10, atol=1e-10)


stores = st.builds(Storage, capacity=st.floats(0.0, 2000.0), charge_efficiency=st.floats(0.5, 1.0),
                   discharge_efficiency=st.floats(0.5, 1.0), set_point=st.floats(0.0, 1.0),
                   recharge_time=st.one_of(st.floats(0.0, 100.0), st.just(np.inf)))
limits = st.one_of(st.none(), st.floats(1.0, 1e4), st.tuples(st.floats(1.0, 1e4), st.floats(1.0, 1e4)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 80), stores, limits, st.one_of(st.none(), st.floats(0.0, 800.0)), st.floats(0.0, 20.0),
       st.floats(0.0, 30.0))
def test_the_store_balances_and_keeps_within_itself(seed, n, storage, limit, floor, hold, averaging):
    """Step by step: grid = load + floor + burned + loss + stored, charge in its bounds, ramps kept but for excess."""
    rng = np.random.default_rng(seed)
    t = np.concatenate([[0.0], np.cumsum(rng.uniform(0.01, 2.0, n))])
    load = xr.DataArray(rng.choice([0.0, 100.0, 650.0, 700.0], (n + 1, 2)), dims=("time", "device"), coords={"time": t},
                        attrs={"units": "W"})
    s = smoothed(load, storage=storage, ramp_limit=limit, floor=floor, floor_hold=hold, averaging_time=averaging)
    dt = np.diff(t)[:, None]
    stored = s["stored_energy"].values
    assert stored.min() >= 0.0 and stored.max() <= storage.capacity
    for name in ("grid_power", "floor_power", "burned_power", "storage_loss", "ramp_excess"):
        assert s[name].values.min() >= 0.0
    drawn = sum(s[k].values[:-1] for k in ("load_power", "floor_power", "burned_power", "storage_loss"))
    left = (s["grid_power"].values[:-1] - drawn) * dt - np.diff(stored, axis=0)
    # the powers in a step are at most the load and a store emptied or filled in it, at efficiencies above a half
    largest = (s["grid_power"].values[:-1].max() + 1000.0) * dt + 8.0 * storage.capacity
    assert (np.abs(left) <= 16 * EPS * largest).all()
    np.testing.assert_allclose(s["energy_residual"], 0.0, atol=16 * EPS * largest.sum())
    up, down = limit if isinstance(limit, tuple) else (limit, limit) if limit is not None else (np.inf, np.inf)
    change, slack = np.diff(s["grid_power"].values[:-1], axis=0), 8 * EPS * s["grid_power"].values.max() + 1e-12
    assert (change <= up * dt[:-1] + s["ramp_excess"].values[1:-1] + slack).all()
    assert (change >= -down * dt[:-1] - slack).all()
    if n > 1 and limit is not None and not s["ramp_excess"].values.any():
        assert float(ramp_rate(s["grid_power"]).max()) <= max(up, down) + 2 * slack.max() / dt.min()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seeds, stores, st.floats(1.0, 1e4))
def test_columns_do_not_know_each_other(seed, storage, limit):
    """Two columns smoothed together have the bits of each one alone."""
    load = np.random.default_rng(seed).uniform(0.0, 700.0, (40, 2))
    both = xr.DataArray(load, dims=("time", "device"), coords={"time": 0.1 * np.arange(40)}, attrs={"units": "W"})
    together = smoothed(both, storage=storage, ramp_limit=limit)
    for k in range(2):
        alone = smoothed(both.isel(device=k), storage=storage, ramp_limit=limit)
        for name in ("grid_power", "stored_energy", "burned_energy"):
            np.testing.assert_array_equal(together[name].isel(device=k), alone[name])

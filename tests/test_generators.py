"""Made workloads have the levels, times and energies they were asked for; the grid sees what store and ramps allow."""
import doctest

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import thermo
from thermo import generators, traces, workload
from thermo.errors import LimitError, ScenarioError
from thermo.generators import (
    IDLE,
    Storage,
    gpu_burn,
    hpl,
    inference,
    ramp_rate,
    smoothed,
    swing_spectrum,
    training,
    utility_ramp_rate,
)

EPS = np.finfo(float).eps
PLAIN = dict(idle=0.0, jitter=0.0, ramp_up=0.0, checkpoint_interval=np.inf)
LOSSLESS = dict(charge_efficiency=1.0, discharge_efficiency=1.0)


def power(values, dt=1.0, **attrs):
    return xr.DataArray(np.asarray(values, float), dims="time", coords={"time": dt * np.arange(len(values))},
                        attrs={"units": "W", "interpolation": "constant"} | attrs)


def test_the_examples_of_the_docstrings():
    done = doctest.testmod(generators)
    assert done.attempted >= 10 and done.failed == 0


# Training -----------------------------------------------------------------------------------------------------------

def test_the_generators_are_found_with_the_workloads():
    assert thermo.workload.training is training and workload.inference is inference
    assert workload.hpl is hpl and workload.gpu_burn is gpu_burn
    assert {"training", "inference", "hpl", "gpu_burn"} <= set(workload.__all__)
    with pytest.raises(AttributeError, match="'trainig'"):
        workload.trainig  # noqa: B018


def test_a_square_wave_by_hand():
    """Steps of 1 s, a quarter of it communication, sampled at 0.25 s: three high, one low."""
    w = training(duration=4.0, time_step=0.25, step_time=1.0, communication_share=0.25, compute=0.9, communication=0.3,
                 **PLAIN)
    assert w.values.tolist() == ([0.9] * 3 + [0.3]) * 4 + [0.0]
    assert w.attrs["units"] == "1" and w.attrs["interpolation"] == "constant" and w.attrs["steps"] == 4


def test_coarse_samples_are_means_and_not_aliases():
    """3 s samples of 2 s steps: 0.8 x 0.95 + 0.2 x 0.25 = 0.81 over whole steps, and each sample by hand."""
    w = training(duration=6.0, time_step=3.0, step_time=2.0, **PLAIN)
    np.testing.assert_allclose(w[:-1], [(1.6 * 0.95 + 0.4 * 0.25 + 0.95) / 3.0,
                                        (0.6 * 0.95 + 0.4 * 0.25 + 1.6 * 0.95 + 0.4 * 0.25) / 3.0], rtol=8 * EPS)
    np.testing.assert_allclose(w[:-1].mean(), 0.81, rtol=8 * EPS)


@pytest.mark.parametrize("device", ["h100-sxm5", "b200-sxm"])
def test_watts_are_shares_of_maximum_power(device):
    """With a device the level is of its max_power; without, the utilisation makes the same power in a rack."""
    d = thermo.Device.from_library(device)
    kinds = dict(duration=100.0, time_step=0.5, seed=3)
    watts = training(device=device, **kinds)
    assert np.isclose(watts.max(), 0.95 * d.max_power, rtol=4 * EPS) and watts.attrs["units"] == "W"
    share = training(idle=d.idle_power / d.max_power, **kinds)
    np.testing.assert_allclose(d.idle_power + share * (d.max_power - d.idle_power), watts, rtol=16 * EPS)
    assert training(**kinds).attrs["idle_share"] == IDLE


def test_checkpoints_come_after_the_interval_and_take_their_time():
    """10 s of training, then 5 s of checkpoint, and again: 30 s hold two, and a third begins never."""
    w = training(duration=30.0, time_step=1.0, step_time=1.0, compute=1.0, communication=1.0, checkpoint=0.2, idle=0.0,
                 jitter=0.0, ramp_up=0.0, checkpoint_interval=10.0, checkpoint_time=5.0)
    np.testing.assert_allclose(w[:-1], ([1.0] * 10 + [0.2] * 5) * 2, rtol=0, atol=1e-12)
    assert w.attrs["checkpoints"] == 2 and w.attrs["steps"] == 20


def test_a_failure_drops_to_idle_and_loses_the_steps_since_the_checkpoint():
    """Failure at 8.5 s, 3 steps after the checkpoint's end at 5 s; restart at 13 s, up in 2 s."""
    w = training(duration=30.0, time_step=1.0, step_time=1.0, compute=1.0, communication=1.0, checkpoint=0.5, idle=0.0,
                 jitter=0.0, ramp_up=2.0, checkpoint_interval=4.0, checkpoint_time=1.0, failures=[8.5],
                 restart_delay=4.5)
    # 4 steps, a checkpoint from 4 to 5 s, 3 steps to 8 s, half a step; idle from 8.5 to 13 s
    np.testing.assert_allclose(w[:17], [0.25, 0.75, 1, 1, 0.5, 1, 1, 1, 0.5, 0, 0, 0, 0, 0.25, 0.75, 1, 1], atol=1e-12)
    assert w.attrs["failures"] == 1 and w.attrs["steps_lost"] == 3
    again = training(duration=30.0, failures=[8.5, 9.0, 12.0], restart_delay=4.5)
    assert again.attrs["failures"] == 1, "what fails within a restart changes nothing"


def test_start_and_stop_ramp():
    """Idle to 5 s, up in 4 s, full to 15 s, down in 2 s: the ramps hold half of what full power would."""
    w = training(duration=20.0, time_step=1.0, start=5.0, stop=15.0, ramp_up=4.0, ramp_down=2.0, compute=1.0,
                 communication=1.0, idle=0.2, jitter=0.1, checkpoint_interval=np.inf)
    expected = [0] * 5 + [0.125, 0.375, 0.625, 0.875] + [1] * 6 + [0.75, 0.25] + [0] * 4
    np.testing.assert_allclose(w, expected, atol=1e-12)


def test_all_devices_move_together_and_seeds_tell_runs_apart():
    w = training(duration=60.0, devices=8, servers=3)
    assert w.dims == ("time", "server", "device") and w.shape == (61, 3, 8)
    assert (w.values == w.values[:, :1, :1]).all()
    np.testing.assert_array_equal(w[:, 0, 0], training(duration=60.0))
    assert (training(duration=60.0, seed=1).values != training(duration=60.0).values).any()


BAD = {
    "compute below idle": (dict(compute=0.05), "compute is 0.05 of maximum power, expected 0.104286 to 1"),
    "level in percent": (dict(compute=95.0), "compute is 95"),
    "no step": (dict(step_time=0.0), "step_time is 0 s"),
    "jitter that stops time": (dict(jitter=1.0), "jitter is 1"),
    "nan": (dict(checkpoint_time=np.nan), "checkpoint_time is nan"),
    "stop before start": (dict(start=10.0, stop=5.0), "stop is 5 s"),
    "half a device": (dict(devices=1.5), "devices is 1.5, expected a whole number"),
    "seed": (dict(seed=-1), "seed is -1"),
    "device": (dict(device=700.0), "device is 700.0"),
    "unknown device": (dict(device="h100-sxm6"), "h100-sxm5"),
}


@pytest.mark.parametrize("wrong, says", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_is_refused(wrong, says):
    with pytest.raises(ScenarioError, match=says):
        training(duration=60.0, **wrong)


def test_too_much_is_refused_before_it_is_made():
    with pytest.raises(LimitError, match="steps"):
        training(duration=1e8, time_step=1e5, step_time=1e-3)
    with pytest.raises(LimitError, match="columns"):
        training(duration=1e6, time_step=1.0, step_time=10.0, servers=1000, devices=8)


# Linpack and burn ---------------------------------------------------------------------------------------------------

def test_linpack_by_hand():
    """Up 0 to 0.9 in 2 s, down to 0.7 over 4 s, tail to 0.3 over 2 s, idle."""
    w = hpl(duration=10.0, time_step=1.0, start=1.0, ramp=2.0, plateau=0.9, plateau_end=0.7, tail=2.0, tail_end=0.3,
            idle=0.0)
    np.testing.assert_allclose(w, [0, 0.225, 0.675, 0.875, 0.825, 0.775, 0.725, 0.6, 0.4, 0, 0], atol=1e-12)
    with pytest.raises(ScenarioError, match="do not fit"):
        hpl(duration=100.0)


def test_the_staircase_has_the_energy_of_a_measured_one():
    """Three staircases of 200 to 1000 W, of which a B200 takes 635 W: within 3 % of session 20260107a's mean power."""
    measured = traces.b200("20260107a")["device_power"].mean("device")
    t = measured["time"].values
    mean = np.trapezoid(measured.values, t) / (t[-1] - t[0])
    made = gpu_burn(device="b200-sxm", reach=0.635, repeats=3)
    assert len(np.unique(made)) == 5 and float(made["time"][-1]) == 15 * 330.0
    assert abs(float(made[:-1].mean()) / mean - 1.0) < 0.03


# Inference ----------------------------------------------------------------------------------------------------------

SERVER = dict(prefill_rate=1000.0, sequence_rate=10.0, decode_rate=15.0, batch_limit=2, prefill=0.9, decode=0.3,
              decode_full=0.6, resident=0.1, idle=0.0, devices=2)


def requests(*rows):
    return pd.DataFrame(rows, columns=["arrival_time", "prompt_tokens", "output_tokens"])


def test_two_requests_by_hand():
    """A alone for 1 s at 10 tokens/s, stalls for B's prompt, both at 7.5, then B alone: 4.8333 s in all."""
    w = inference(requests((0.0, 1000, 20), (2.0, 1000, 15)), time_step=0.5, **SERVER)
    assert w.dims == ("time", "device") and w.shape == (11, 2)
    expected = [0.9, 0.9, 0.5, 0.5, 0.9, 0.9, 0.6, 0.6, (0.6 * 2 + 0.5) / 3, (0.5 * 2 + 0.1) / 3, 0.1]
    np.testing.assert_allclose(w[:, 0], expected, rtol=1e-12)
    assert w.attrs["requests_done"] == 2 and w.attrs["output_tokens_served"] == pytest.approx(35.0, rel=1e-12)
    assert w.attrs["first_token_mean"] == 1.0 and w.attrs["longest_queue"] == 1


def test_a_full_batch_makes_the_next_one_wait():
    """Places for two: C, there at 2.5 s, gets its prompt in when A is out at 4.3333 s; then B has 5 tokens to go."""
    w = inference(requests((0.0, 1000, 20), (2.0, 1000, 15), (2.5, 500, 0)), time_step=0.5, **SERVER)
    assert w.attrs["first_token_p99"] == pytest.approx(np.quantile([1.0, 1.0, 4 + 1 / 3 + 0.5 - 2.5], 0.99))
    assert w.attrs["requests_done"] == 3 and len(w) == 12, "out at 5.3333 s"


def test_a_cut_leaves_a_backlog():
    """Cut at 3.5 s: A has 10 + 3.75 of 20 tokens out, B 3.75 of 15; C waits; D comes later."""
    w = inference(requests((0.0, 1000, 20), (2.0, 1000, 15), (3.2, 700, 5), (4.0, 1, 1)), time_step=0.5, duration=3.5,
                  **SERVER)
    got = {k: w.attrs[k] for k in ("requests_done", "requests_left", "requests_later", "prompt_tokens_served",
                                   "prompt_tokens_left", "output_tokens_served", "output_tokens_left")}
    assert got == pytest.approx(dict(requests_done=0, requests_left=3, requests_later=1, prompt_tokens_served=2000,
                                     prompt_tokens_left=700, output_tokens_served=17.5, output_tokens_left=22.5))


def test_replicas_share_devices_and_requests():
    """Two equal requests at once on two replicas: both run as one would alone; dates stay dates."""
    noon = pd.Timestamp("2023-11-16 12:00")
    w = inference(requests((noon, 1000, 20), (noon, 1000, 20)), time_step=1.0, replicas=2, **SERVER)
    np.testing.assert_allclose(w.values, [[0.9, 0.9], [0.5, 0.5], [0.5, 0.5], [0.1, 0.1]], rtol=1e-12)
    assert w["time"].values[0] == noon.to_datetime64() and w["time"].dtype.kind == "M"
    with pytest.raises(ScenarioError, match="3 replicas do not share 2 devices"):
        inference(requests((0.0, 1, 1)), replicas=3, **SERVER)


def test_resident_weights_draw_what_the_device_draws_with_a_context():
    w = inference(requests((0.0, 100, 1), (50.0, 100, 1)), device="h100-sxm5")
    assert float(w.min()) == pytest.approx(142.5, rel=1e-12) and w.attrs["units"] == "W"


@pytest.mark.parametrize("table, says", [
    (requests(), "length above 0"), (requests((0.0, -1, 2)), "prompt_tokens of request 0"), (3.0, "requests is float"),
    (requests((np.nan, 1, 2)), "arrival_time of request 0"), (requests((0.0, "x", 2)), "tokens as numbers"),
    (requests((pd.NaT, 1, 2)), "none missing"), (requests((0.0, 1, 2)).drop(columns="output_tokens"), "output_tokens"),
])
def test_bad_requests_are_refused(table, says):
    with pytest.raises(ScenarioError, match=says):
        inference(table)


# Between chips and grid ---------------------------------------------------------------------------------------------

def test_c25_the_store_of_a_current_shelf():
    """C25: 65 J bear 1400 W for 46.4 ms and 1200 W for 54.2 ms; 72 of them hold 4.68 kJ."""
    store = Storage(set_point=1.0, recharge_time=np.inf, **LOSSLESS)
    for load, seconds in ((1400.0, 0.0464), (1200.0, 0.0542)):
        assert store.hold_up(load) == pytest.approx(seconds, rel=0.01)
        step = power([0.0] + [load] * 1000, dt=1e-4)
        s = smoothed(step, storage=store, ramp_limit=1e-9)
        empty = int(np.argmax(s["stored_energy"].values == 0.0))
        assert (empty - 1) * 1e-4 == pytest.approx(65.0 / load, abs=1e-4), "within one sample"
        assert float(s["grid_power"][empty - 2]) < 1e-6 and float(s["grid_power"][empty + 1]) == load
    assert 72 * Storage().capacity == pytest.approx(4680.0, rel=0.01)


def test_without_store_limits_and_floor_the_grid_sees_the_chips():
    load = power([100.0, 700.0, 50.0, 400.0, 400.0])
    s = smoothed(load, storage=Storage(0.0))
    np.testing.assert_allclose(s["grid_power"], load, rtol=4 * EPS)
    assert float(s["burned_energy"]) == float(s["floor_energy"]) == float(s["lost_energy"]) == 0.0


def test_a_falling_ramp_burns_what_the_full_store_does_not_take():
    """From 1000 W to 0 at 250 W/s: 750 + 500 + 250 W s; the store has room for 100 J."""
    load = power([1000.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    s = smoothed(load, storage=Storage(200.0, set_point=0.5, recharge_time=np.inf, **LOSSLESS), ramp_limit=(1e9, 250.0))
    assert s["grid_power"].values.tolist() == [1000.0, 750.0, 500.0, 250.0, 0.0, 0.0]
    assert s["burned_power"].values.tolist() == [0.0, 650.0, 500.0, 250.0, 0.0, 0.0]
    assert float(s["stored_energy"][-1]) == 200.0 and float(s["burned_energy"]) == 1400.0
    assert float(ramp_rate(s["grid_power"])) == 250.0


def test_the_floor_holds_for_its_time():
    load = power([500.0, 100.0, 100.0, 100.0, 500.0, 100.0])
    kept = smoothed(load, storage=Storage(0.0), floor=300.0)
    assert kept["grid_power"].values.tolist() == [500.0, 300.0, 300.0, 300.0, 500.0, 300.0]
    assert float(kept["floor_energy"]) == 600.0
    brief = smoothed(load, storage=Storage(0.0), floor=300.0, floor_hold=2.0)
    assert brief["grid_power"].values.tolist() == [500.0, 300.0, 300.0, 100.0, 500.0, 300.0]


def test_losses_of_the_store_by_hand():
    """1 s at 100 W into the store at 0.9, and 45 J out of it at 0.5 give 22.5 J."""
    load = power([200.0, 100.0, 200.0, 200.0])
    s = smoothed(load, storage=Storage(1000.0, 0.9, 0.5, set_point=0.0, recharge_time=np.inf), ramp_limit=(1e9, 1e-9))
    np.testing.assert_allclose(s["stored_energy"], [0.0, 0.0, 90.0, 90.0], atol=1e-6)
    np.testing.assert_allclose(s["storage_loss"][1], 10.0, atol=1e-6)
    down = smoothed(power([100.0, 122.5, 122.5]), ramp_limit=(1e-9, 1e9),
                    storage=Storage(45.0, 0.9, 0.5, set_point=1.0, recharge_time=np.inf))
    np.testing.assert_allclose(down["grid_power"][1], 100.0, atol=1e-6)
    np.testing.assert_allclose(down["storage_loss"][1], 22.5, atol=1e-6)
    np.testing.assert_allclose(down["stored_energy"], [45.0, 45.0, 0.0], atol=1e-6)


def test_a_utilisation_needs_its_device_and_columns_stay_apart():
    w = training(duration=20.0, devices=2)
    with pytest.raises(ScenarioError, match="give device="):
        smoothed(w, storage=Storage())
    s = smoothed(w, storage=Storage(), device="h100-sxm5", ramp_limit=100.0)
    np.testing.assert_allclose(s["load_power"], training(duration=20.0, devices=2, device="h100-sxm5"), rtol=8 * EPS)
    np.testing.assert_array_equal(s["grid_power"][:, 0], s["grid_power"][:, 1])
    assert all("units" in v.attrs and "long_name" in v.attrs for v in s.data_vars.values())
    workload.as_workload(s["grid_power"])  # is one


def test_smoothing_tames_a_swing_that_the_store_can_hold():
    """A running mean over ten steps and a store for a few of them: what is left of the swing is below a fifth."""
    w = training(duration=200.0, time_step=0.05, device="h100-sxm5", ramp_up=0.0, checkpoint_interval=np.inf)
    s = smoothed(w, storage=Storage(2000.0, recharge_time=20.0), ramp_limit=100.0, averaging_time=20.0)
    assert float(s["grid_power"][800:-1].std()) < 0.2 * float(w[:-1].std())
    assert float(ramp_rate(s["grid_power"])) <= 100.0 * (1 + 1e-9) and float(s["ramp_excess"].max()) == 0.0


@pytest.mark.parametrize("wrong, says", [
    (dict(storage=65.0), "storage is 65.0"), (dict(ramp_limit=-1.0), "ramp_limit is -1 W/s"),
    (dict(floor=-5.0), "floor is -5 W"), (dict(averaging_time=np.nan), "averaging_time is nan"),
])
def test_bad_smoothing_is_refused(wrong, says):
    with pytest.raises(ScenarioError, match=says):
        smoothed(power([1.0, 2.0]), **({"storage": Storage()} | wrong))
    with pytest.raises(ScenarioError, match="charge_efficiency"):
        Storage(charge_efficiency=0.0)


# Metrics ------------------------------------------------------------------------------------------------------------

def test_ramp_rate_of_a_result():
    """Named after its power; the closing sample of a held signal does not count."""
    p = power([100.0, 400.0, 350.0, 9e9], dt=2.0).rename("utility_power")
    assert float(utility_ramp_rate(p)) == 150.0 and utility_ramp_rate(p).name == "utility_ramp_rate"
    assert float(ramp_rate(p.assign_attrs(interpolation="linear"))) > 1e9
    both = xr.concat([p, 2.0 * p], "server", coords="minimal", compat="override").assign_attrs(p.attrs)
    assert ramp_rate(both).values.tolist() == [150.0, 300.0] and ramp_rate(both).attrs["units"] == "W/s"


@pytest.mark.parametrize("share", [0.2, 0.25, 0.5])
def test_the_fundamental_of_a_square_wave(share):
    """At 1 / step_time, with amplitude (2 H / pi) sin(pi d); harmonic m with 1/m of it and sin(pi m d)."""
    w = training(duration=40.0, time_step=0.05, step_time=2.0, communication_share=share, device="h100-sxm5",
                 jitter=0.0, ramp_up=0.0, checkpoint_interval=np.inf)
    s = swing_spectrum(w)
    assert float(s["dominant_frequency"]) == 0.5
    H = (0.95 - 0.25) * 700.0
    for m in (1, 2, 3):
        expected = 2.0 * H / (np.pi * m) * abs(np.sin(np.pi * m * share))
        got = float(s["amplitude"].sel(frequency=0.5 * m, method="nearest"))
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9 * H)
    assert 0.5 < float(s["band_fraction"]) <= 1.0


def test_the_spectrum_holds_the_variance():
    """Parseval: half the squared amplitudes sum to the variance (a trace read as samples, odd length)."""
    x = np.random.default_rng(5).uniform(100.0, 700.0, 801)
    s = swing_spectrum(power(x, dt=0.1, interpolation="linear"), band=(0.0, 5.0))
    assert float((s["amplitude"] ** 2).sum()) / 2.0 == pytest.approx(x.var(), rel=1e-12)
    assert float(s["band_fraction"]) == pytest.approx(1.0, rel=1e-12)


def test_segments_find_a_jittered_swing():
    """Steps of 1 s that vary by 20 %: Welch's segments put the peak within one line of 1 Hz."""
    w = training(duration=600.0, time_step=0.05, step_time=1.0, jitter=0.2, device="h100-sxm5", ramp_up=0.0,
                 checkpoint_interval=np.inf)
    s = swing_spectrum(w, segment=20.0)
    assert float(s["dominant_frequency"]) == pytest.approx(1.0, abs=0.05 + 1e-9) and len(s["frequency"]) == 201
    assert float(s["band_fraction"]) > 0.7


def test_spectra_need_even_steps():
    p = power([1.0, 2.0, 3.0, 4.0, 5.0]).assign_coords(time=[0.0, 1.0, 2.0, 4.0, 5.0])
    with pytest.raises(ScenarioError, match="even steps"):
        swing_spectrum(p)
    with pytest.raises(ScenarioError, match="expected W"):
        ramp_rate(power([1.0, 2.0], units="1"))
    assert float(swing_spectrum(power([5.0] * 9))["band_fraction"]) == 0.0


def test_a_job_through_a_rack_and_its_swing_at_the_utility():
    """The generated job is a workload like any other, and the metrics read the result."""
    job = training(duration=60.0, time_step=1.0, step_time=10.0, communication_share=0.5, jitter=0.0, ramp_up=0.0)
    result = thermo.simulate_rack("dgx-h100", job)
    rate = utility_ramp_rate(result["utility_power"])
    swing = (0.95 - 0.25) * 700.0 * 8 * result.sizes["server"]
    assert rate.name == "utility_ramp_rate" and 0.5 * swing < float(rate) < 1.5 * swing
    assert float(swing_spectrum(result["utility_power"])["dominant_frequency"]) == pytest.approx(0.1, abs=0.01)

"""Workloads that swing, made from a few numbers; and what of their swing the grid sees.

Four jobs: `training`, `inference`, `hpl`, `gpu_burn`. Each gives a canonical workload (see `thermo.workload`) that is
piecewise constant: a sample is the exact mean of the underlying signal over its interval, so a time step longer than a
phase loses the swing and keeps the energy, and nothing aliases.

Levels are shares of a device's maximum power (TDP), as the sources give them. With `device` the workload is in watts,
``level x max_power``. Without it, it is the utilisation ``u = (level - idle) / (1 - idle)``, so that the power
``idle + u (max - idle)`` which a rack makes of it is again that share. `idle` is the share drawn without a job: that of
`device`, else `IDLE`, an H100's. With `devices` or `servers` every column holds the same: the job is synchronous.
The same arguments and `seed` give the same bits.

`smoothed` puts an energy store [2]_, ramp limits and a floor between the chips and the grid. `ramp_rate` and
`swing_spectrum` say how hard a power swings.

Where levels are from (facts on power, "Load dynamics"): compute 85-100 % of TDP, estimate(0.8); communication 15-40 %
and checkpoint 15-25 %, estimate(0.6); swings at 0.2-3 Hz, secondary [1]_; prompts near TDP and
decoding below it [3]_; idle, primary (nvidia-smi). The defaults lie
inside these ranges. All other defaults are estimates(0.5), unless their function says more.

References
----------
.. [1] Power stabilization for AI training datacenters, arXiv 2508.14318 (2025), section III-B.
.. [2] NVIDIA blog, 2025-07-28, on power smoothing in the GB300 NVL72: 65 J for each GPU.
.. [3] P. Patel et al., Splitwise: efficient generative LLM inference using phase splitting, ISCA 2024,
   arXiv 2311.18677.
"""
from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from thermo import _files
from thermo import workload as _workload
from thermo._kernels import passes, smoothing
from thermo.errors import LimitError, ScenarioError, require_between, shown
from thermo.rack import Device

__all__ = ["Storage", "gpu_burn", "hpl", "inference", "ramp_rate", "smoothed", "swing_spectrum", "training",
           "utility_ramp_rate"]

IDLE = 73.0 / 700.0  # of max_power: H100 without a context, primary (nvidia-smi -q dump)
RESIDENT = 0.20  # of max_power: H100 idle with weights resident, primary
GB300_STORE = 65.0  # J for each GPU, secondary [2]
SWING_BAND = (0.2, 3.0)  # Hz, secondary [1]
INSTANT = 1e-9  # s, a ramp or mean over less than this is a step
MAX_TIME = _workload.MAX_TIME
MAX_PHASES = _files.MAX_SAMPLES // 10  # of a job's underlying signal
Array = NDArray[np.float64]


def training(*, duration: float = 3600.0, time_step: float = 1.0, step_time: float = 2.0, compute: float = 0.95,
             communication: float = 0.25, checkpoint: float = 0.20, communication_share: float = 0.20,
             checkpoint_interval: float = 1200.0, checkpoint_time: float = 60.0, jitter: float = 0.02,
             start: float = 0.0, stop: float | None = None, ramp_up: float = 10.0, ramp_down: float = 0.0,
             failures: Iterable[float] = (), restart_delay: float = 300.0, idle: float | None = None,
             device: Device | str | None = None, devices: int | None = None, servers: int | None = None,
             seed: int = 0) -> xr.DataArray:
    """A synchronous training job: steps of compute and communication, checkpoints, start, failures and stop.

    Parameters
    ----------
    duration, time_step : float
        Length of the trace and of its samples. [s]
    step_time : float
        Mean length of one training step; 0.33 to 5 s covers the swings of 0.2-3 Hz seen on fleets. [s]
    compute, communication, checkpoint : float
        Power levels, shares of maximum power. [1]
    communication_share : float
        Part of each step in which devices only exchange gradients; estimate(0.5). [1]
    checkpoint_interval, checkpoint_time : float
        A checkpoint begins with the first step that ends this long after the last one; and how long it takes. 60 s each
        20 min is near the optimum for Llama 3's failures (sqrt(2 C M) = 19.3 min), derived. May be inf; may be 0. [s]
    jitter : float
        Steps are drawn uniformly from ``step_time (1 - jitter)`` to ``step_time (1 + jitter)``, in [0, 0.9]. [1]
    start, stop : float
        When the job begins, and ends (default: not before the trace does). [s]
    ramp_up, ramp_down : float
        The swing above idle grows linearly over this time after a start, and dies down over that time after the stop
        (the job burns on without use). [s]
    failures : iterable of float
        Times at which all devices drop to idle at once; one within a restart changes nothing. [s]
    restart_delay : float
        From a failure to the next start. [s]
    idle, device, devices, servers
        As the module says.
    seed : int
        Of the jitter.

    Returns
    -------
    workload : DataArray, dims (time[, server][, device])
        [1], or [W] with `device`. Attributes count ``steps`` completed, ``steps_lost`` (those since the last completed
        checkpoint at each failure), ``checkpoints`` and ``failures``.

    Notes
    -----
    Drawn numbers depend on `seed` and the number of the restart alone, so the same job on two time steps has the same
    energy on common intervals. All devices move together: stragglers, per-device spread and peaks below 10 ms (1.2-1.5
    x TDP, estimate) are left out.

    Examples
    --------
    One step of 0.8 x 0.95 + 0.2 x 0.25 = 0.81 of 700 W:

    >>> w = training(duration=2.0, time_step=2.0, jitter=0.0, ramp_up=0.0, device="h100-sxm5")
    >>> round(float(w[0]), 9)
    567.0
    """
    edges = _edges(duration, time_step)
    duration = float(edges[-1])
    scale = _Scale.of(device, idle)
    levels = scale.utilisation(compute=compute, communication=communication, checkpoint=checkpoint)
    step_time = require_between("step_time", step_time, 1e-6, MAX_TIME, "s")
    share = require_between("communication_share", communication_share, 0.0, 1.0, "")
    interval = _until("checkpoint_interval", checkpoint_interval, 1e-6)
    checkpoint_time = require_between("checkpoint_time", checkpoint_time, 0.0, MAX_TIME, "s")
    jitter = require_between("jitter", jitter, 0.0, 0.9, "")
    start = require_between("start", start, 0.0, MAX_TIME, "s")
    stop = duration if stop is None else require_between("stop", stop, start, MAX_TIME, "s")
    ramps = [require_between(f"ramp_{way}", value, 0.0, MAX_TIME, "s") for way, value in
             (("up", ramp_up), ("down", ramp_down))]
    restart_delay = require_between("restart_delay", restart_delay, 0.0, MAX_TIME, "s")
    seed = _count("seed", seed, 0, 2**63 - 1)
    runs = _runs(start, min(stop, duration), [require_between("failures", f, 0.0, MAX_TIME, "s") for f in failures],
                 restart_delay)
    n = sum((b - a + ramps[1]) / (step_time * (1.0 - jitter)) + 2.0 for a, b, _ in runs)
    if n > MAX_PHASES:
        raise LimitError(f"training: {n:.3g} steps of {step_time:g} s, the limit is {MAX_PHASES}; a longer step_time "
                         "has the same mean power")

    pieces: list[Array] = [np.zeros((1, 3))]  # begin, utilisation there and at the end: idle at first
    count = {"steps": 0, "steps_lost": 0, "checkpoints": 0, "failures": 0}
    for number, (begin, end, failed) in enumerate(runs):
        over = end if failed else min(end + ramps[1], duration)
        draw = np.random.default_rng([seed, number]).random(int((over - begin) / (step_time * (1.0 - jitter))) + 2)
        length = step_time * (1.0 + jitter * (2.0 * draw - 1.0))
        saves = _checkpoints(np.cumsum(length), interval)
        phase = np.stack([(1.0 - share) * length, share * length, np.where(saves, checkpoint_time, 0.0)], axis=1)
        ends = begin + np.cumsum(phase.ravel())
        last = np.searchsorted(ends, over)  # the phase that is cut off
        t = np.concatenate([[begin], ends[:last][phase.ravel()[:last] > 0], [over]])
        level = np.tile(levels, len(length))[: last + 1][phase.ravel()[: last + 1] > 0]
        t, level = _with_knots(t, level, begin + ramps[0], end)
        left, right = (_envelope(x, begin, end, *ramps) for x in (t[:-1], t[1:]))
        pieces += [np.stack([t[:-1], level * left, level * right], axis=1), np.array([[over, 0.0, 0.0]])]
        done, saved = _completed(ends.reshape(-1, 3), saves, end)
        count["steps"] += done
        count["checkpoints"] += int(saves[:saved].sum())
        count["failures"] += failed
        count["steps_lost"] += (done - saved) if failed else 0
    return _load(np.concatenate(pieces), edges, scale, devices, servers, title="training job", seed=seed, **count)


def hpl(*, duration: float = 3600.0, time_step: float = 1.0, start: float = 60.0, stop: float | None = None,
        ramp: float = 20.0, plateau: float = 0.95, plateau_end: float = 0.85, tail: float = 300.0,
        tail_end: float = 0.40, idle: float | None = None, device: Device | str | None = None,
        devices: int | None = None, servers: int | None = None) -> xr.DataArray:
    """A High-Performance Linpack run: ramp, plateau that declines as the matrix left shrinks, tail.

    Parameters
    ----------
    duration, time_step : float
        Length of the trace and of its samples. [s]
    start, stop : float
        When the run begins, and ends (default: `start` before the trace does). [s]
    ramp : float
        From idle to the plateau. [s]
    plateau, plateau_end : float
        Level at the plateau's begin and, after a straight decline, at its end. [1]
    tail, tail_end : float
        How long the last small updates take [s]; level at which the run ends and drops to idle. [1]
    idle, device, devices, servers
        As the module says.

    Returns
    -------
    workload : DataArray, dims (time[, server][, device])
        [1], or [W] with `device`.

    Notes
    -----
    Shape and all numbers are estimates(0.5); no trace of it is at hand.

    Examples
    --------
    >>> w = hpl(duration=1000.0, time_step=10.0, device="h100-sxm5")
    >>> float(w.max()) < 0.95 * 700.0, float(w[0])
    (True, 73.0)
    """
    edges = _edges(duration, time_step)
    scale = _Scale.of(device, idle)
    high, low, end = scale.utilisation(plateau=plateau, plateau_end=plateau_end, tail_end=tail_end)
    start = require_between("start", start, 0.0, MAX_TIME, "s")
    stop = edges[-1] - start if stop is None else require_between("stop", stop, 0.0, MAX_TIME, "s")
    ramp, tail = (require_between(name, x, 0.0, MAX_TIME, "s") for name, x in (("ramp", ramp), ("tail", tail)))
    if start + ramp + tail > stop:
        raise ScenarioError(f"start {start:g} s, ramp {ramp:g} s and tail {tail:g} s do not fit before stop {stop:g} s")
    return _load(np.array([[0.0, 0.0, 0.0], [start, 0.0, high], [start + ramp, high, low], [stop - tail, low, end],
                           [stop, 0.0, 0.0]]), edges, scale, devices, servers, title="Linpack run")


def gpu_burn(*, levels: Iterable[float] = (0.2, 0.4, 0.6, 0.8, 1.0), hold: float = 300.0, rest: float = 30.0,
             reach: float = 1.0, repeats: int = 1, time_step: float = 1.0, idle: float | None = None,
             device: Device | str | None = None, devices: int | None = None,
             servers: int | None = None) -> xr.DataArray:
    """A staircase of full load under rising power limits, with rests between, as in the measured B200 sessions.

    Parameters
    ----------
    levels : iterable of float
        Power limits, shares of maximum power. [1]
    hold, rest : float
        At each limit; idle between two of them (half of it before the first and after the last). `rest` may be 0. [s]
    reach : float
        What the burn draws without a limit, share of maximum power: a B200 reaches 0.635 (measured, 632-645 W of 1000).
        [1]
    repeats : int
        Of the staircase; the sessions have three (fp32, tensor cores, fp64).
    time_step : float
        Of the samples. [s]
    idle, device, devices, servers
        As the module says.

    Returns
    -------
    workload : DataArray, dims (time[, server][, device])
        [1], or [W] with `device`.

    Examples
    --------
    >>> gpu_burn(levels=(0.2, 1.0), hold=2.0, rest=2.0, reach=0.635, device="b200-sxm").values.round(6).tolist()
    [150.0, 200.0, 200.0, 150.0, 150.0, 635.0, 635.0, 150.0, 150.0]
    """
    scale = _Scale.of(device, idle)
    hold = require_between("hold", hold, 1e-3, MAX_TIME, "s")
    rest = require_between("rest", rest, 0.0, MAX_TIME, "s")
    reach = require_between("reach", reach, 0.0, 1.0, "")
    stairs = [scale.utilisation(levels=min(require_between("levels", x, 0.0, 1.0, ""), reach))[0] for x in levels]
    stairs *= _count("repeats", repeats, 1)
    if not 0 < len(stairs) <= MAX_PHASES:
        raise ScenarioError(f"levels x repeats are {len(stairs)} stairs, expected 1 to {MAX_PHASES}")
    edges = _edges(len(stairs) * (hold + rest), time_step)
    begin = 0.5 * rest + np.arange(len(stairs)) * (hold + rest)
    burn = np.stack([begin, stairs, stairs], axis=1)
    idling = np.stack([begin + hold, *np.zeros((2, len(stairs)))], axis=1)
    knots = np.concatenate([np.zeros((1, 3)), np.stack([burn, idling], axis=1).reshape(-1, 3)])
    return _load(knots, edges, scale, devices, servers, title="gpu-burn staircase")


def inference(requests: xr.Dataset | pd.DataFrame, *, duration: float | None = None, time_step: float = 1.0,
              devices: int = 8, replicas: int = 1, prefill_rate: float = 10_000.0, sequence_rate: float = 30.0,
              decode_rate: float = 1200.0, batch_limit: int = 64, prefill: float = 0.95, decode: float = 0.35,
              decode_full: float = 0.65, resident: float | None = None, idle: float | None = None,
              device: Device | str | None = None) -> xr.DataArray:
    """Replicas of a language model that serve a table of requests.

    Parameters
    ----------
    requests : Dataset (dim request) or DataFrame
        ``arrival_time`` (dates or seconds), ``prompt_tokens`` and ``output_tokens``, as from `thermo.traces.azure_llm`.
    duration : float, optional
        Length of the trace, from the first arrival (dates) or from 0 (seconds). Requests that arrive later are left
        out; what is not served by then stays a backlog. Default: until the last token is out. [s]
    time_step : float
        Of the samples. [s]
    devices, replicas : int
        Devices of the server, and copies of the model on them, each over ``devices / replicas`` neighbours. Request k,
        in the order of arrival, goes to replica k modulo `replicas`.
    prefill_rate : float
        Prompt tokens that one replica takes in. [1/s]
    sequence_rate, decode_rate : float
        Most output tokens of one sequence, and of a whole batch. [1/s]
    batch_limit : int
        Most sequences of a replica at once.
    prefill, decode, decode_full : float
        Power levels: taking in a prompt; decoding, extrapolated to no throughput; decoding at `decode_rate`. [1]
    resident : float, optional
        Level while no request is there but weights are: that of `device`, else that of an H100, 0.20 (primary). [1]
    idle, device
        As the module says.

    Returns
    -------
    workload : DataArray, dims (time, device)
        [1], or [W] with `device`. Attributes hold the counts, ``requests_done`` and ``_left``, ``prompt_tokens_served``
        and ``_left``, ``output_tokens_served`` and ``_left`` (served and left are counted apart; their sum is what came
        in), ``requests_later``, ``longest_queue`` (requests waiting at one replica), and ``first_token_mean`` and
        ``_p99``, mean and 99th percentile of the time to the first token [s].

    Notes
    -----
    Tokens are a fluid. A request waits, first come first served, for one of `batch_limit` places; its prompt goes in at
    `prefill_rate`, during which decoding stands still (prompts first, as servers with continuous batching do); then it
    decodes beside the n - 1 others at ``min(sequence_rate, decode_rate / n)``. Power while decoding is linear in
    throughput, ``decode + (decode_full - decode) n rate / decode_rate``. So a replica works whenever something is
    there, and its utilisation integrates to the work done.

    That prompts are bound by compute and draw near TDP, and decoding by memory and draws well below it, is measured
    (reference 3 of the module); the levels and rates here (of the order of a 70-billion-parameter model on eight H100) are estimates(0.5).
    Left out: the growth of decoding's cost with context, evictions, speculation, balancing by load.
    """
    scale = _Scale.of(device, idle)
    if resident is None:
        known = scale.device
        resident = RESIDENT if known is None else (known.context_power or known.idle_power) / known.max_power
        resident = max(resident, scale.idle)
    busy = scale.utilisation(resident=resident, prefill=prefill, decode=decode, decode_full=decode_full)
    devices, replicas = _count("devices", devices, 1), _count("replicas", replicas, 1)
    if devices % replicas:
        raise ScenarioError(f"{replicas} replicas do not share {devices} devices evenly")
    rates = [require_between(name, rate, 1e-3, 1e9, "tokens/s") for name, rate in
             (("prefill_rate", prefill_rate), ("sequence_rate", sequence_rate), ("decode_rate", decode_rate))]
    batch_limit = _count("batch_limit", batch_limit, 1)
    require_between("time_step", time_step, 1e-6, MAX_TIME, "s")
    until = np.inf if duration is None else require_between("duration", duration, 1e-6, MAX_TIME, "s")
    first, arrive, prompt, output = _requests(requests)
    here = arrive < until
    totals = _Served()
    signals = []
    for r in range(replicas):
        mine = np.flatnonzero(here)[r::replicas]
        served = _serve(arrive[mine].tolist(), prompt[mine].tolist(), output[mine].tolist(), until,
                        prefill_rate=rates[0], sequence_rate=rates[1], decode_rate=rates[2], batch_limit=batch_limit)
        signals.append(served)
        totals = totals.plus(served)
    end = max(s.end for s in signals) if duration is None else until
    edges = _edges(max(end, 1e-6), time_step)
    if duration is None:  # whole steps
        edges = _edges(len(edges[1:]) * time_step, time_step)
    _require_size(len(edges), devices)
    columns = []
    for s in signals:
        state = np.array(s.throughput)
        level = np.select([state == PREFILLING, state == WAITING], [busy[1], busy[0]],
                          busy[2] + (busy[3] - busy[2]) * state / rates[2])
        t = np.array([*s.time, s.end])
        level = np.append(level, busy[0])
        columns.append(_means(np.stack([t, level, level], axis=1), edges))
    values = np.repeat(np.stack(columns, axis=1), devices // replicas, axis=1)
    waits = np.array(totals.waits) if totals.waits else np.array([0.0])
    times = edges if first is None else first + _workload._durations(edges, first.dtype)
    return _finished(values, ("time", "device"), times, scale, title="language-model inference", **totals.counts(),
                     requests_later=int((~here).sum()), first_token_mean=float(waits.mean()),
                     first_token_p99=float(np.quantile(waits, 0.99)))


# The signal under a job: knots of straight pieces -------------------------------------------------------------------

@dataclass(frozen=True)
class _Scale:
    """From shares of maximum power to utilisation, and to watts where the device is known."""

    device: Device | None
    idle: float

    @classmethod
    def of(cls, device: Device | str | None, idle: float | None) -> _Scale:
        if isinstance(device, str):
            device = Device.from_library(device)
        elif device is not None and not isinstance(device, Device):
            raise ScenarioError(f"device is {shown(device)}, expected a Device or the name of one in the library")
        if idle is None:
            idle = IDLE if device is None else device.idle_power / device.max_power
        return cls(device, require_between("idle", idle, 0.0, 0.99, "of maximum power"))

    def utilisation(self, **levels: float) -> list[float]:
        """Of each level, named so that a refusal can name it."""
        return [(require_between(name, x, self.idle, 1.0, "of maximum power", "not below idle") - self.idle)
                / (1.0 - self.idle) for name, x in levels.items()]

    def watts(self, utilisation: Array) -> Array:
        if self.device is None:
            raise ScenarioError("power needs a device, whose maximum power it is a share of")
        return self.device.max_power * (self.idle + utilisation * (1.0 - self.idle))


def _edges(duration: float, time_step: float) -> Array:
    duration = require_between("duration", duration, 1e-6, MAX_TIME, "s")
    return _workload._grid(duration, require_between("time_step", time_step, 1e-6, MAX_TIME, "s"))


def _count(name: str, value: Any, low: int, high: int = _files.MAX_SAMPLES) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ScenarioError(f"{name} is {shown(value)}, expected a whole number from {low} to {high}")
    return int(value)


def _until(name: str, value: float, low: float, unit: str = "s") -> float:
    """A number that may be endless."""
    return np.inf if value == np.inf else require_between(name, value, low, MAX_TIME, unit)


def _require_size(n_sample: int, *sizes: int) -> None:
    if n_sample * float(np.prod(sizes, dtype=float)) > _files.MAX_SAMPLES:
        raise LimitError(f"{n_sample} samples of {' x '.join(map(str, sizes))} columns, the limit is "
                         f"{_files.MAX_SAMPLES}; take a longer time_step, or fewer columns: a workload without "
                         "server and device is for all")


def _runs(start: float, stop: float, failures: list[float], delay: float) -> list[tuple[float, float, bool]]:
    """Begin, end and whether a failure ended it, of each time the job runs."""
    runs, begin = [], start
    for failure in sorted(failures):
        if begin < failure < stop:
            runs.append((begin, failure, True))
            begin = failure + delay
    return [*runs, (begin, stop, False)] if begin < stop else runs


def _checkpoints(trained: Array, interval: float) -> NDArray[np.bool_]:
    """After which steps a checkpoint is taken, `trained` being the training time at the end of each."""
    saves, last = np.zeros(len(trained), bool), 0.0
    while (k := int(np.searchsorted(trained, last + interval * (1 - 1e-12)))) < len(trained):  # steps x n, rounded
        saves[k], last = True, trained[k]
    return saves


def _completed(ends: Array, saves: NDArray[np.bool_], end: float) -> tuple[int, int]:
    """Steps completed by `end`, and those of them that a completed checkpoint holds."""
    end *= 1 + 1e-12  # ends are sums of many steps
    done = int(np.searchsorted(ends[:, 1], end, side="right"))
    saved = np.flatnonzero(saves & (ends[:, 2] <= end))
    return done, int(saved[-1]) + 1 if len(saved) else 0


def _with_knots(t: Array, level: Array, *more: float) -> tuple[Array, Array]:
    """The same steps, cut once more where something else has a knot."""
    grid = np.union1d(t, [x for x in more if t[0] < x < t[-1]])
    return grid, level[np.searchsorted(t, grid[:-1], side="right") - 1]


def _envelope(t: Array, begin: float, end: float, ramp_up: float, ramp_down: float) -> Array:
    """Share of the swing at `t`: 0 to 1 after the begin, frozen and dying down after the end."""
    grown = np.minimum((np.minimum(t, end) - begin) / ramp_up, 1.0) if ramp_up > INSTANT else np.ones_like(t)
    return grown * np.clip(1.0 - (t - end) / ramp_down, 0.0, 1.0) if ramp_down > INSTANT else grown * (t <= end)


def _means(knots: Array, edges: Array) -> Array:
    """Interval means of straight pieces; row of `knots`: begin, value there, value at the end of the piece.

    Each piece is cut at the edges and replaced by its value in the middle, its exact mean; where knots share a time the
    last one counts, and the signal ends with the last edge.
    """
    last = np.append(knots[1:, 0] > knots[:-1, 0], True)
    t, left, right = knots[last].T
    end = np.append(t[1:], max(edges[-1], t[-1]) + 1.0)
    grid = np.union1d(t[t < edges[-1]], edges)
    k = np.searchsorted(t, grid, side="right") - 1
    middle = np.append(0.5 * (grid[:-1] + grid[1:]), grid[-1])
    values = left[k] + (right - left)[k] * ((middle - t[k]) / (end - t)[k])
    out = np.empty((len(edges), 1))
    passes.interval_means(grid, values[:, None], edges, linear=False, out=out)
    return out[:, 0]


def _load(knots: Array, edges: Array, scale: _Scale, devices: int | None, servers: int | None,
          **attrs: Any) -> xr.DataArray:
    """One signal, the same on all servers and devices."""
    shape = [(dim, _count(f"{dim}s", n, 1)) for dim, n in (("server", servers), ("device", devices)) if n is not None]
    sizes = [n for _, n in shape]
    _require_size(len(edges), *sizes)
    values = np.broadcast_to(_means(knots, edges).reshape(-1, *[1] * len(sizes)), (len(edges), *sizes))
    return _finished(values, ("time", *[dim for dim, _ in shape]), edges, scale, **attrs)


def _finished(values: Array, dims: tuple[str, ...], times: Any, scale: _Scale, **attrs: Any) -> xr.DataArray:
    """Utilisation, or watts where the device is known, as a canonical workload."""
    attrs = {"interpolation": "constant", "units": "1", "source": "thermo.generators", "idle_share": scale.idle} | attrs
    values = np.clip(values, 0.0, 1.0)  # rounding of the means only
    if scale.device is not None:
        values = scale.watts(values)
        attrs |= {"units": "W", "device": scale.device.name}
    return _workload.as_workload(xr.DataArray(values, dims=dims, coords={"time": times}, attrs=attrs))


# Requests -----------------------------------------------------------------------------------------------------------

WAITING, PREFILLING = -1.0, -2.0  # states of a replica beside its decoding throughput


class _Served:
    """What one replica did: its states in time, and tokens counted as they come out and as they are left."""

    def __init__(self) -> None:
        self.time: list[float] = []
        self.throughput: list[float] = []  # of decoding, or a state
        self.waits: list[float] = []  # from arrival to the end of the prompt
        self.end = 0.0
        self.requests_done = self.requests_left = self.longest_queue = 0
        self.prompt_tokens_served = self.prompt_tokens_left = 0.0
        self.output_tokens_served = self.output_tokens_left = 0.0

    def counts(self) -> dict[str, float]:
        return {k: v for k, v in vars(self).items() if k not in ("time", "throughput", "waits", "end")}

    def plus(self, other: _Served) -> _Served:
        total = _Served()
        for name, value in self.counts().items():
            setattr(total, name, value + getattr(other, name))
        total.longest_queue = max(self.longest_queue, other.longest_queue)
        total.waits = self.waits + other.waits
        return total


def _serve(arrive: list[float], prompt: list[float], output: list[float], until: float, *, prefill_rate: float,
           sequence_rate: float, decode_rate: float, batch_limit: int) -> _Served:
    """One replica, from event to event: a prompt is in, a sequence is out, a request comes.

    All sequences decode at one rate, so each is done when the tokens `V` that a sequence in the batch since time 0
    would have put out reach what `V` was at its entry plus its own output.
    """
    s, now, V, head, n_request = _Served(), 0.0, 0.0, 0, len(arrive)
    batch: list[float] = []  # V at which each sequence is done, smallest first
    while now < until:
        s.time.append(now)
        if head < n_request and arrive[head] <= now and len(batch) < batch_limit:
            s.longest_queue = max(s.longest_queue, bisect_right(arrive, now) - head)
            s.throughput.append(PREFILLING)
            end = now + prompt[head] / prefill_rate
            if end > until:
                s.prompt_tokens_served += (until - now) * prefill_rate
                s.prompt_tokens_left -= (until - now) * prefill_rate
                now = until
                break
            s.prompt_tokens_served += prompt[head]
            s.waits.append(end - arrive[head])
            if output[head] > 0:
                heapq.heappush(batch, V + output[head])
            else:
                s.requests_done += 1
            now, head = end, head + 1
        elif batch:
            n = len(batch)
            rate = min(sequence_rate, decode_rate / n)
            s.throughput.append(n * rate)
            done = now + max(batch[0] - V, 0.0) / rate
            comes = arrive[head] if head < n_request and n < batch_limit else np.inf
            if done <= min(comes, until):
                s.output_tokens_served += n * (batch[0] - V)
                V, now = batch[0], done
                while batch and batch[0] <= V:
                    heapq.heappop(batch)
                    s.requests_done += 1
            else:
                step = min(comes, until) - now
                s.output_tokens_served += n * rate * step
                V, now = V + rate * step, min(comes, until)
        else:
            s.throughput.append(WAITING)
            if head == n_request:
                break
            now = min(arrive[head], until)
    s.end = min(now, until)
    s.longest_queue = max(s.longest_queue, bisect_right(arrive, s.end) - head)
    s.requests_left = n_request - head + len(batch)
    s.prompt_tokens_left += sum(prompt[head:])
    s.output_tokens_left = sum(output[head:]) + sum(v - V for v in batch)
    return s


def _requests(table: xr.Dataset | pd.DataFrame) -> tuple[Any, Array, Array, Array]:
    """First date (None where arrivals are seconds), arrivals since it [s], prompt and output tokens, by arrival."""
    names = ("arrival_time", "prompt_tokens", "output_tokens")
    if not isinstance(table, (xr.Dataset, pd.DataFrame)) or any(name not in table for name in names):
        raise ScenarioError(f"requests is {type(table).__name__}, expected a Dataset or DataFrame with "
                            + ", ".join(names))
    arrival, *tokens = (np.asarray(table[name]) for name in names)
    alike = all(x.shape == arrival.shape and x.dtype.kind in "fiu" for x in tokens)
    if arrival.ndim != 1 or not len(arrival) or not alike:
        raise ScenarioError("requests: expected columns of one length above 0, tokens as numbers")
    first = None
    if arrival.dtype.kind == "M" and not np.isnat(arrival).any():
        first = arrival.min()
        arrival = _workload._seconds_since(arrival, first)
    elif arrival.dtype.kind not in "fiu":
        raise ScenarioError(f"requests: arrival_time is {arrival.dtype}, expected dates or seconds, none missing")
    for name, x in zip(names, (arrival, *tokens), strict=True):
        if (bad := ~((x >= 0) & (x <= MAX_TIME))).any():
            k = int(np.argmax(bad))
            raise ScenarioError(f"requests: {name} of request {k} is {shown(x[k])}, expected 0 to {MAX_TIME:g}")
    order = np.argsort(arrival, kind="stable")
    prompt, output = tokens
    return first, arrival[order].astype(float), prompt[order].astype(float), output[order].astype(float)


# Between chips and grid ---------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Storage:
    """An energy store in a power shelf.

    Attributes
    ----------
    capacity : float
        Usable energy; default that of a GB300 shelf for one GPU (secondary). [J]
    charge_efficiency, discharge_efficiency : float
        Stored over taken, given over drawn; estimate(0.5). [1]
    set_point : float
        Charge it starts with and is brought back to, share of `capacity`; estimate(0.5). [1]
    recharge_time : float
        Time constant of that; inf: never brought back; estimate(0.4). [s]

    Examples
    --------
    Case C25: 65 J at 1400 W, without losses

    >>> round(Storage(discharge_efficiency=1.0).hold_up(1400.0), 4)
    0.0464
    """

    capacity: float = GB300_STORE
    charge_efficiency: float = 0.98
    discharge_efficiency: float = 0.98
    set_point: float = 0.5
    recharge_time: float = 1.0

    def __post_init__(self) -> None:
        require_between("capacity", self.capacity, 0.0, 1e15, "J")
        for name in ("charge_efficiency", "discharge_efficiency"):
            require_between(name, getattr(self, name), 0.01, 1.0, "")
        require_between("set_point", self.set_point, 0.0, 1.0, "of capacity")
        _until("recharge_time", self.recharge_time, 0.0)

    def hold_up(self, power: float) -> float:
        """How long a full store bears `power` [W] alone. [s]"""
        return self.capacity * self.discharge_efficiency / require_between("power", power, 1e-9, 1e12, "W")


def smoothed(power: Any, *, storage: Storage, ramp_limit: float | tuple[float, float] | None = None,
             floor: float | None = None, floor_hold: float = np.inf, averaging_time: float = 0.0,
             device: Device | str | None = None) -> xr.Dataset:
    """What the grid sees of a load behind an energy store, ramp limits and a floor.

    Parameters
    ----------
    power : DataArray or whatever `thermo.workload.as_workload` takes
        In W; or a utilisation, with `device`. Each column (server, device) has a store, a floor and limits of its own;
        for a store that a rack shares, sum first. A linear trace is taken as its interval means.
    storage : Storage
        Of each column.
    ramp_limit : float or (float, float), optional
        Largest change of the grid's power upwards and downwards. [W/s]
    floor : float, optional
        Least power of the chips: below it they burn on without use (GB200: up to 90 % of TDP, at 10.5 % more energy,
        secondary). [W]
    floor_hold : float
        How long the floor holds once the load has fallen below it; decided at the begin of each sample. [s]
    averaging_time : float
        The grid is asked for the load's running mean over this time; 0: for the load itself. [s]
    device : Device or str, optional
        Whose idle and maximum power a utilisation means.

    Returns
    -------
    smoothed : Dataset, dims (time[, server][, device])
        ``load_power``, ``grid_power`` (a workload), ``stored_energy`` at the begin of each sample, ``floor_power`` and
        ``burned_power`` (drawn without use: for the floor; to go down no faster than the ramp), ``storage_loss``,
        ``ramp_excess`` (grid power above the ramp, where the store was empty: the chips are not throttled); and over
        the whole trace ``floor_energy``, ``burned_energy``, ``lost_energy``, and ``energy_residual``, what the balance
        leaves open.

    Notes
    -----
    In every step ``grid = load + floor + burned + loss + change of the store``, with the store in [0, capacity]; the
    recurrence stands in `thermo._kernels.smoothing.store_pass`. Ramps come before the store, the load before the ramps.
    The ramp is that from sample to sample: samples longer than the store lasts (46 ms at 1400 W) show its energy, not
    its use. The first sample is taken to have lasted; the closing one has no duration.

    Examples
    --------
    >>> step = xr.DataArray([100.0, 1100.0, 1100.0], dims="time", coords={"time": [0.0, 1.0, 2.0]},
    ...                     attrs={"units": "W"})
    >>> smoothed(step, storage=Storage(4000.0, 1.0, 1.0), ramp_limit=250.0)["grid_power"].values.tolist()
    [100.0, 350.0, 600.0]
    """
    if not isinstance(storage, Storage):
        raise ScenarioError(f"storage is {shown(storage)}, expected a thermo.generators.Storage")
    limit = np.inf if ramp_limit is None else ramp_limit
    up, down = limit if isinstance(limit, tuple) else (limit, limit)
    up, down = (_until("ramp_limit", x, 0.0, "W/s") for x in (up, down))
    load = _workload.as_workload(power)
    if load.attrs["units"] == "1":
        if device is None:
            raise ScenarioError("power is a utilisation: give device=, whose idle and maximum power it means")
        load = load.copy(data=_Scale.of(device, None).watts(load.values)).assign_attrs(units="W")
    if load.attrs["interpolation"] == "linear":
        load = _workload.resample(load, load["time"].values)
    dt = np.diff(_workload._seconds(load))
    dt = np.append(dt, dt[-1])
    x = np.ascontiguousarray(load.values.reshape(len(dt), -1))
    out = through_store(
        dt, x, storage=storage, ramp_up=up, ramp_down=down,
        floor=0.0 if floor is None else require_between("floor", floor, 0.0, _workload.MAX_POWER, "W"),
        floor_hold=_until("floor_hold", floor_hold, 0.0),
        averaging_time=require_between("averaging_time", averaging_time, 0.0, MAX_TIME, "s"))
    grid, stored, held, burned, loss, excess = out
    joules = {name: dt[:-1, None] * y[:-1] for name, y in
              (("floor_energy", held), ("burned_energy", burned), ("lost_energy", loss))}
    joules["energy_residual"] = dt[:-1, None] * (grid - x - held - burned - loss)[:-1] - np.diff(stored, axis=0)
    # each column as a row of its own: the order of summation, and so the bits, do not depend on how many there are
    sums = {name: np.ascontiguousarray(y.T).sum(axis=1) for name, y in joules.items()}
    words = {"grid_power": (grid, "power drawn from the grid"),
             "floor_power": (held, "burned by the chips for the floor"),
             "burned_power": (burned, "burned to go down no faster than the ramp"),
             "storage_loss": (loss, "lost in and out of the store"),
             "ramp_excess": (excess, "grid power above the ramp"),
             "stored_energy": (stored, "energy in the store")}
    total = {"floor_energy": "burned by the chips for the floor", "burned_energy": "burned for the ramp",
             "lost_energy": "lost in and out of the store", "energy_residual": "what the balance leaves open"}
    shape, held_as = load.shape, {"interpolation": "constant"}
    coords = {name: c for name, c in load.coords.items() if "time" not in c.dims}
    return xr.Dataset(
        {"load_power": (load.dims, load.values, {"units": "W", "long_name": "power drawn by the chips"} | held_as)}
        | {name: (load.dims, y.reshape(shape), {"units": "J", "long_name": text} if name == "stored_energy" else
                  {"units": "W", "long_name": text} | held_as) for name, (y, text) in words.items()}
        | {name: (load.dims[1:], y.reshape(shape[1:]), {"units": "J", "long_name": total[name]})
           for name, y in sums.items()},
        coords={"time": load["time"]} | coords,
        attrs={"capacity": storage.capacity, "ramp_up": up, "ramp_down": down, "source": "thermo.generators.smoothed"})


def through_store(dt: Array, load: Array, *, storage: Storage, ramp_up: float, ramp_down: float, floor: float,
                  floor_hold: float, averaging_time: float) -> Array:
    """The pass behind `smoothed` on plain arrays, for callers that have checked their numbers.

    Parameters
    ----------
    dt : ndarray, shape (n,)
        Length of each sample. [s]
    load : ndarray, shape (n, c)
        Power of the chips, one column for each store. [W]
    storage, ramp_up, ramp_down, floor, floor_hold, averaging_time
        As for `smoothed`; no limit is inf [W/s], no floor is 0 [W].

    Returns
    -------
    out : ndarray, shape (6, n, c)
        Grid power, energy in the store at the begin of each sample [J], drawn for the floor, burned for the ramp, lost in
        the store, and grid power above the ramp. [W]
    """
    weight = -np.expm1(-dt / averaging_time) if averaging_time > INSTANT else np.ones_like(dt)
    out = np.empty((6, *load.shape))
    smoothing.store_pass(
        dt, weight, load, capacity=storage.capacity, set_point=storage.set_point * storage.capacity,
        charge_efficiency=storage.charge_efficiency, discharge_efficiency=storage.discharge_efficiency,
        recharge_time=storage.recharge_time, ramp_up=ramp_up, ramp_down=ramp_down, floor=floor, floor_hold=floor_hold,
        out=out)
    return out


def ramp_rate(power: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Largest rate at which a power changes from sample to sample, up or down.

    Parameters
    ----------
    power : DataArray, dim time and any other
        [W]. Where its ``interpolation`` is ``"constant"``, or a result says that it holds means over intervals, the
        closing sample has no duration and does not count. Of a whole result: its ``utility_power``.

    Returns
    -------
    ramp_rate : DataArray, dims as `power` without time
        Largest ``|dP| / dt``; of ``utility_power`` it is named ``utility_ramp_rate``. [W/s]

    Notes
    -----
    A step within a sample shows as its mean; the rate cannot exceed the swing over the time step.

    Examples
    --------
    >>> p = xr.DataArray([100.0, 400.0, 350.0], dims="time", coords={"time": [0.0, 2.0, 3.0]})
    >>> float(ramp_rate(p))
    150.0
    """
    power = _power_of(power)
    t, values = _signal(power)
    if _held(power):
        t, values = t[:-1], values[:-1]
    steps = np.abs(np.diff(values, axis=0)) / np.diff(t).reshape(-1, *[1] * (values.ndim - 1))
    name = f"{str(power.name or 'power').removesuffix('power')}ramp_rate"
    return xr.DataArray(steps.max(axis=0, initial=0.0), dims=[d for d in power.dims if d != "time"], name=name,
                        coords={k: c for k, c in power.coords.items() if "time" not in c.dims},
                        attrs={"units": "W/s", "long_name": "largest change of power from sample to sample"})


utility_ramp_rate = ramp_rate  # of result["utility_power"]


def swing_spectrum(power: xr.DataArray | xr.Dataset, *, segment: float | None = None,
                   band: tuple[float, float] = SWING_BAND) -> xr.Dataset:
    """At which frequencies a power swings, and how far.

    Parameters
    ----------
    power : DataArray, dim time (even steps) and any other
        [W]; ``result.utility_power`` as it comes from `thermo.simulate_rack`, or the whole result, which means the same.
    segment : float, optional
        Welch's method: root mean square over segments of this length, half overlapping, each without its mean and under
        a Hann window. Default: the whole trace at once, without a window, exact where it holds whole periods. [s]
    band : (float, float)
        Frequencies whose share is asked for; default those of training swings on fleets (secondary). [Hz]

    Returns
    -------
    spectrum : Dataset, dims (frequency, and those of `power` without time)
        ``amplitude`` of the sine at each frequency [W], ``band_fraction`` (share of the variance within `band`, of what
        the samples resolve) [1], ``dominant_frequency`` [Hz].

    Notes
    -----
    Where the samples are means over intervals (``interpolation`` "constant", powers of a result) the amplitude is that of the held signal, the samples' transform times
    ``sinc(f dt)``, and the closing sample does not count. A square wave of swing H that is high for the share d then
    has its fundamental at ``(2 H / pi) sin(pi d)``, as in the textbook, if its edges fall on samples.

    Examples
    --------
    >>> square = xr.DataArray([900.0, 100.0] * 8 + [900.0], dims="time", coords={"time": np.arange(17) / 4.0},
    ...                       attrs={"units": "W", "interpolation": "constant"})
    >>> float(swing_spectrum(square)["dominant_frequency"])
    2.0
    """
    power = _power_of(power)
    t, values = _signal(power)
    held = _held(power)
    if held:
        values = values[:-1]  # the closing sample ends the last one
    n, steps = len(values), np.diff(t)
    dt = float(t[-1] - t[0]) / len(steps)
    if n < 4 or np.abs(steps - dt).max() > 1e-6 * dt + 1e-9 * abs(float(t[-1])):
        raise ScenarioError(f"a spectrum needs four samples or more at even steps; these {n} have steps from "
                            f"{steps.min():g} to {steps.max():g} s: thermo.workload.resample first")
    low, high = band
    low = require_between("band", low, 0.0, MAX_TIME, "Hz")
    high = require_between("band", high, low, MAX_TIME, "Hz")
    length = n
    if segment is not None:
        length = int(round(require_between("segment", segment, 4.0 * dt, n * dt * (1 + 1e-9), "s") / dt))
    window = np.ones(length) if segment is None else np.hanning(length + 1)[:-1]
    window = window.reshape(-1, *[1] * (values.ndim - 1))
    squares: Any = 0.0
    begins = range(0, n - length + 1, max(length // 2, 1))
    for begin in begins:
        part = values[begin:begin + length]
        squares = squares + np.abs(np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)) ** 2
    frequency = np.fft.rfftfreq(length, dt)
    both = np.where((frequency > 0) & (2 * np.arange(len(frequency)) != length), 2.0, 1.0)  # a sine has two lines
    amplitude = np.sqrt(squares / len(begins)) / float(window.sum())
    factor = both * (np.sinc(frequency * dt) if held else 1.0)
    amplitude = amplitude * factor.reshape(-1, *[1] * (values.ndim - 1))
    amplitude[0] = 0.0  # the mean is not a swing; what a window leaves of it neither
    variance = amplitude**2 / both.reshape(-1, *[1] * (values.ndim - 1))
    inside = variance[(frequency >= low) & (frequency <= high)].sum(axis=0)
    whole = variance.sum(axis=0)
    dims = [str(d) for d in power.dims if d != "time"]
    return xr.Dataset(
        {"amplitude": (["frequency", *dims], amplitude, {"units": "W", "long_name": "amplitude of the swing"}),
         "band_fraction": (dims, np.divide(inside, whole, out=np.zeros_like(whole), where=whole > 0),
                           {"units": "1", "long_name": f"share of the variance from {low:g} to {high:g} Hz"}),
         "dominant_frequency": (dims, frequency[amplitude.argmax(axis=0)],
                                {"units": "Hz", "long_name": "frequency of the largest swing"})},
        coords={"frequency": ("frequency", frequency, {"units": "Hz", "long_name": "frequency"})}
        | {k: c for k, c in power.coords.items() if "time" not in c.dims})


def _power_of(power: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """The power itself; of a result, that of the utility."""
    if isinstance(power, xr.Dataset):
        if "utility_power" not in power:
            raise ScenarioError("power is a Dataset without utility_power, expected a result of simulate_rack, or a DataArray")
        return power["utility_power"]
    return power


def _held(power: xr.DataArray) -> bool:
    """Whether samples are means over the intervals that begin there."""
    return (power.attrs.get("interpolation") == "constant"
            or str(power.attrs.get("cell_methods", "")).startswith("time: mean"))


def _signal(power: xr.DataArray) -> tuple[Array, Array]:
    """Times [s] and samples, time first."""
    if not isinstance(power, xr.DataArray) or "time" not in power.dims or "time" not in power.coords:
        raise ScenarioError(f"power is {type(power).__name__}, expected a DataArray with dim time and its coordinate")
    if power.attrs.get("units", "W") != "W":
        raise ScenarioError(f"power is in {shown(power.attrs['units'])}, expected W")
    power = power.transpose("time", ...)
    t = _workload._seconds(power).astype(float)
    if len(t) < 2 or not np.all(np.diff(t) > 0):
        raise ScenarioError("power needs two samples or more, at increasing times")
    return t, np.asarray(power.values, dtype=float)

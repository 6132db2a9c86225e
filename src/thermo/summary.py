"""What a result says in ten numbers. The plot's titles and the command line's table both come from here."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo.errors import ScenarioError, one_line

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Facts", "accelerators", "facts", "seconds", "summary", "summary_rows", "time_above", "work_lost"]

Floats = NDArray[np.float64]
COUNTS = ("steps", "requests_done", "prompt_tokens_served", "output_tokens_served")  # what a made-up workload says of its work
NEEDED = ("junction_temperature", "it_power", "fan_power", "utility_power", "supply_temperature", "return_temperature",
          "energy_residual")


@dataclass(frozen=True)
class Facts:
    """The numbers. Temperatures in degC, times in s, energies in J, powers in W."""

    duration: float
    servers: int
    peak_junction: float  # of the accelerators
    mean_junction: float  # likewise, over time and servers
    hottest_server: int
    hottest_device: str
    coldest_server: int  # where the lowest peak is
    coldest_device: str
    limit: float  # max_operating_temperature of the hottest device; NaN where not known
    time_above: float  # that the device longest above its own limit spends there
    longest_device: str  # that device, "" where none
    it_energy: float
    fan_energy: float
    utility_energy: float
    pue_mean: float
    rise_mean: float  # K, return less supply
    rise_peak: float
    work_lost: float  # share of the work asked for that clocks left undone
    residual: float  # W, largest absolute value
    residual_share: float  # of the mean IT power


def seconds(result: xr.Dataset) -> Floats:
    """Times of a result in seconds since its first sample."""
    times = result["time"].to_numpy()
    if np.issubdtype(times.dtype, np.datetime64):
        return np.asarray((times - times[0]) / np.timedelta64(1, "ns") * 1e-9, dtype=np.float64)
    return np.asarray(times - times[0], dtype=np.float64)


def accelerators(result: xr.Dataset) -> list[int]:
    """Indices of the devices that the workload drives: accelerators, the CPUs where there are none, else all."""
    kinds = result["device_kind"].values.tolist()
    for wanted in (("gpu", "accelerator"), ("cpu",)):
        if found := [i for i, kind in enumerate(kinds) if kind in wanted]:
            return found
    return list(range(len(kinds)))


def time_above(t: Floats, T: Floats, limit: float) -> Floats:
    """Time that each column of `T` (time, server) spends above `limit` [s], straight between samples."""
    over = T - limit
    a, b = over[:-1], over[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((a > 0) & (b > 0), 1.0, np.where((a > 0) | (b > 0), np.maximum(a, b) / np.abs(b - a), 0.0))
    return np.asarray(np.sum(np.diff(t)[:, None] * share, axis=0))


def facts(result: xr.Dataset) -> Facts:
    """The numbers of a result of `thermo.simulate_rack`.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`, or read back from a file.

    Raises
    ------
    ScenarioError
        If a variable is missing that a result has.
    """
    missing = [name for name in NEEDED if name not in result]
    missing += [name for name in ("device_kind",) if name not in result.coords]
    if missing:
        raise ScenarioError(f"this Dataset is not a result of simulate_rack: it has no {', '.join(missing)}")
    t = seconds(result)
    span = np.diff(t)

    def energy(name: str) -> float:
        return float(np.sum(result[name].values[:-1] * span))

    junction = result["junction_temperature"].transpose("time", "server", "device").values
    drives = accelerators(result)
    peaks = np.stack([np.max(junction[:, :, i], axis=0) for i in drives], axis=1)  # (server, driven device)
    there = ~np.isnan(peaks)  # where servers differ, not each has every device
    mean = float(np.mean(np.stack([np.mean(junction[:, :, i], axis=0) for i in drives], axis=1)[there]))
    hot = np.unravel_index(np.nanargmax(peaks), peaks.shape)
    cold = np.unravel_index(np.nanargmin(peaks), peaks.shape)
    names = result["device"].values.tolist()
    limits = (result["max_operating_temperature"].values if "max_operating_temperature" in result.coords
              else np.full(len(names), np.nan))
    longest, where = 0.0, ""
    for i, limit in enumerate(limits):
        if np.isfinite(limit) and (spent := time_above(t, junction[:, :, i], float(limit))).max() > longest:
            server = int(np.argmax(spent))
            longest, where = float(spent[server]), f"{names[i]} of server {result['server'].values[server]}"
    it = result["it_power"].values
    rise = result["return_temperature"].values - result["supply_temperature"].values
    residual = float(np.max(np.abs(result["energy_residual"].values)))
    it_energy = energy("it_power")
    return Facts(
        duration=float(t[-1]), servers=result.sizes["server"], peak_junction=float(peaks[hot]), mean_junction=mean,
        hottest_server=int(result["server"].values[hot[0]]), hottest_device=str(names[drives[hot[1]]]),
        coldest_server=int(result["server"].values[cold[0]]), coldest_device=str(names[drives[cold[1]]]),
        limit=float(limits[drives[hot[1]]]), time_above=longest, longest_device=where,
        it_energy=it_energy, fan_energy=energy("fan_power"), utility_energy=energy("utility_power"),
        pue_mean=(energy("utility_power") / it_energy if it_energy > 0
                  else float(result["utility_power"].values[0] / it[0])),
        rise_mean=float(np.average(rise[:-1], weights=span) if span.size else rise[0]), rise_peak=float(np.max(rise)),
        work_lost=work_lost(result)["share"] if "work_lost" in result else 0.0,
        residual=residual, residual_share=residual / float(np.mean(it)) if np.mean(it) > 0 else np.nan)


def duration_text(seconds: float) -> str:
    """A duration as people say it: ``45 s``, ``12 min``, ``1 h 28 min``, ``3 d 4 h``."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(seconds / 3600)
    return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")


def energy_text(joules: float) -> str:
    """An energy in kWh, or MWh from 1000 kWh on."""
    kWh = joules / 3.6e6
    return f"{kWh / 1000:.4g} MWh" if abs(kWh) >= 1000 else f"{kWh:.4g} kWh"


def work_lost(result: xr.Dataset) -> dict[str, float]:
    """What clocks below full cost over a run.

    Returns
    -------
    lost : dict
        ``share``: of the work asked for, each accelerator on its own [1]; ``share_in_step``: the same where all wait for the
        slowest [1]; ``device_hours``: at full load, not done [h]; and, where the workload says how much it is, ``steps`` (of
        training, in step), ``prompt_tokens_served``, ``output_tokens_served`` and ``requests_done`` that were not, in time.

    Examples
    --------
    >>> import thermo
    >>> result = thermo.simulate_rack("t4-server", 0.5)
    >>> thermo.summary.work_lost(result)["share"]
    0.0
    """
    weight = np.append(np.diff(seconds(result)), 0.0) if result.sizes["time"] > 1 else np.ones(1)
    asked = weight * result["work_asked"].values
    total = float(asked.sum())
    own, in_step = (float(asked @ result[name].values) / total if total else 0.0 for name in ("work_lost", "work_lost_in_step"))
    devices = len(accelerators(result)) * result.sizes["server"]
    out = {"share": own, "share_in_step": in_step, "device_hours": own * total * devices / 3600.0}
    for name in COUNTS:
        if (count := result.attrs.get(f"workload_{name}")) is not None:
            out[name] = float(count) * (in_step if name == "steps" else own)
    return out


def summary_rows(result: xr.Dataset) -> list[tuple[str, str]]:
    """The numbers of a result in words, a name and a value each."""
    f = facts(result)
    limit = f"its limit is {f.limit:g} °C" if np.isfinite(f.limit) else "its limit is not known"
    above = f"{duration_text(f.time_above)} ({f.longest_device})" if f.time_above > 0 else "none"
    servers = f"{f.servers} server" + ("s" if f.servers != 1 else "")
    return [
        ("run", f"{servers}, {duration_text(f.duration)}"),
        ("peak junction", f"{f.peak_junction:.1f} °C ({f.hottest_device} of server {f.hottest_server}; {limit})"),
        ("mean junction", f"{f.mean_junction:.1f} °C, of the devices that the workload drives"),
        ("time above limit", above),
        ("IT energy", energy_text(f.it_energy)),
        ("fan energy", energy_text(f.fan_energy)),
        ("utility energy", energy_text(f.utility_energy)),
        ("mean PUE", f"{f.pue_mean:.3f}"),
        ("air rise" if _in_air(result) else "coolant rise", f"{f.rise_mean:.1f} K mean, {f.rise_peak:.1f} K peak"),
        ("work lost to clocks", f"{f.work_lost:.2%} of what was asked"),
        ("energy residual", f"at most {f.residual:.1e} W, {f.residual_share:.1e} of IT power"),
    ]


def summary(result: xr.Dataset) -> Table:
    """The numbers of a result as a table for a terminal."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(one_line(str(result.attrs.get("title", "result")))), show_header=False, title_justify="left")
    table.add_column("quantity")
    table.add_column("value")
    for name, value in summary_rows(result):
        table.add_row(name, escape(one_line(value)))
    return table


def _in_air(result: xr.Dataset) -> bool:
    return "heat_to_liquid" not in result or bool(np.all(result["heat_to_liquid"].values == 0))

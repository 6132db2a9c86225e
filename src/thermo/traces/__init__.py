"""Measured data, one reader for each set: what real machines drew and how warm they became.

Every reader gives an `xarray.Dataset`: variables named in words, in SI (temperatures in degC, fan speeds in rpm), each
with ``units`` and ``long_name``; attributes ``title``, ``source`` (repository, commit, path), ``licence`` and ``traps``
(what the data does not say or says wrong: read it before drawing conclusions). No value is altered but by the
conversion of its unit.

A variable of power carries ``interpolation`` and goes straight into `thermo.workload.as_workload`. Small sets come with
the package, their README and licence beside them; for the others, and for a copy of your own, give ``path``: the file,
or a folder that holds it. `names` lists all.

>>> b200("20260108b")["device_power"].dims
('time', 'device')
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from .. import _files
from ..errors import TraceError, nearest, shown

__all__ = ["acme", "azure_fan_power", "azure_llm", "b200", "cannon", "cornell", "gpu_step", "grid", "h100_immersion",
           "mi300x", "names", "summit", "weather", "folder"]

HERE = Path(__file__).parent
Path_ = str | os.PathLike[str]
SECONDS = {"units": "s", "long_name": "time since the first sample"}
FAHRENHEIT_ZERO, FAHRENHEIT_STEP = 32.0, 5.0 / 9.0  # degF, K/degF
GALLON_PER_MINUTE = 231 * 0.0254**3 / 60.0  # m3/s, US gallon of 231 cubic inches, exact
TON_OF_REFRIGERATION = 12_000 * 1055.05585262 / 3600.0  # W, 12,000 Btu(IT)/h


@dataclass(frozen=True)
class _Set:
    """One folder of data: what its README says, for the attributes of a Dataset."""

    folder: str
    title: str
    licence: str
    source: str
    files: Mapping[str, tuple[str, ...]]  # name of a part -> its files
    traps: str
    elsewhere: tuple[str, ...] = field(default=())  # parts that do not come with the package

    def part(self, reader: str, name: str, path: Path_ | None) -> list[Path]:
        """The files of the part `name`, shipped or under `path`."""
        if name not in self.files:
            raise TraceError(f"traces.{reader}: no part {shown(name)}{nearest(str(name), self.files)}")
        files = self.files[name]
        if path is None:
            if name in self.elsewhere:
                raise TraceError(f"traces.{reader}({name!r}) does not come with the package; get it from {self.source} "
                                 f"({self.licence}) and give path=, the folder with {', '.join(files)}")
            return [HERE / self.folder / file for file in files]
        given = Path(path)
        if given.is_dir():
            for folder in (given, given / self.folder):
                if all((folder / file).is_file() for file in files):
                    return [folder / file for file in files]
            raise TraceError(f"traces.{reader}({name!r}): {', '.join(files)} is not in {shown(str(given))}")
        if len(files) > 1:
            raise TraceError(f"traces.{reader}({name!r}): needs {', '.join(files)}; give the folder as path=")
        return [given]

    def dataset(self, name: str, variables: Mapping[str, Any], coords: Mapping[str, Any], **more: Any) -> xr.Dataset:
        """Variables with the set's provenance."""
        attrs = {"title": self.title, "part": name, "licence": self.licence, "source": self.source, "traps": self.traps}
        return xr.Dataset(dict(variables), coords=dict(coords), attrs=attrs | more)


_B200 = _Set(
    "b200_hgx_gpuburn",
    "8x NVIDIA B200 HGX server, gpu-burn power-limit staircase, air cooled",
    "MIT",
    "https://github.com/hsucs2712/gpuburntool, commit 9ae177a9f8ef56e6b63a8b97f489b552a5d473f5, result/0107, "
    "result/0107 defult, result/0108 log d",
    {"20260107a": ("session_20260107a_maxfan_1s.csv",), "20260107b": ("session_20260107b_autofan_1s.csv",),
     "20260108b": ("session_20260108b_autofan_bmc_9s.csv",)},
    "Fans at maximum in 20260107a is inferred from equal temperatures. B200 never exceeds about 700 W here, so "
    "limits of 800 and 1000 W limit nothing. GPUs 1, 2, 5, 6 sit in warmer air than 0, 3, 4, 7. hgx_gpu_temperature "
    "is the maximum of the eight within 1 to 2 K. In 20260108b one row's sensors were polled over about 8 s: power, "
    "temperature and fans are skewed by seconds. GPU temperatures are whole degrees.",
)
_MI300X = _Set(
    "mi300x_vllm_latency",
    "8x AMD MI300X server, air cooled, vLLM Llama-3.1-8B latency runs on card 0",
    "Apache-2.0",
    "https://github.com/cmontemuino/amd-mi300x-ml-benchmarks, commit 40ecc2fb773c9b92ca56d8a7983cc82bd164f4d3, "
    "datasets/sample-results/monitoring",
    {"bs1_mem0.8": ("llama31_8b_bs1_mem0.8_5s.csv",), "bs1_mem0.9": ("llama31_8b_bs1_mem0.9_5s.csv",),
     "bs8_mem0.8": ("llama31_8b_bs8_mem0.8_5s.csv",)},
    "Power is bursty within the 5 s interval, so its samples alias: expect about 2 K of residual. Power and "
    "temperature come from two pollers, joined on the nearest stamp (up to 3 s). Cards 1 to 7 idle.",
)
_GPU_STEP = _Set(
    "gpu_power_benchmark",
    "GPU power sensors against time at 7 to 13 ms: steps and square waves",
    "MIT",
    "https://github.com/JimZeyuYang/GPU_Power_Benchmark, commit 4b5c944c2454bcb52f28b975c5484aff1a78368f, "
    "plotting/data",
    {"a100": ("a100_transient.csv",), "a5000": ("a5000_transient.csv",), "rtx3090": ("rtx3090_transient.csv",),
     "rtx4090": ("rtx4090_transient.csv",), "a100_square": ("a100_pcie_pwr_update.csv",),
     "rtx3090_square": ("rtx3090_pwr_update.csv",), "v100_square": ("v100_pwr_update.csv",)},
    "device_power is the instant reading where the sensor has one; device_power_reported is averaged over 1 s on "
    "some GPUs. The RTX 4090 file has the reported one only. The sensor repeats a reading until it renews it. "
    "Temperatures are whole degrees.",
    ("a100_square", "rtx3090_square", "v100_square"),
)
_IMMERSION = _Set(
    "smc_h100_immersion_mlperf",
    "Immersion-cooled 8x H100 nodes: AC and DC power during MLPerf Training v4.0",
    "Apache-2.0",
    "https://github.com/mlcommons/training_results_v4.0, commit 6fe954378efe4a1a1bd665550b18ff8f26018def, "
    "smc-ac-power/results and smc-dc-power/results",
    {"llama2_70b_lora": ("llama2_70b_lora_1node_acdc.csv",), "resnet": ("resnet_1node_acdc.csv",),
     "ssd": ("ssd_1node_acdc.csv",), "bert": ("bert_1node_acdc.csv",), "dlrm": ("dlrm_1node_acdc.csv",),
     "unet3d": ("unet3d_1node_acdc.csv",), "gpt3": ("gpt3_64node_ac_2s.csv", "gpt3_64node_dc_2s.csv")},
    "AC and DC are separate registers with their own averaging: DC can exceed AC by some percent at an instant, use "
    "means of 30 s or more for an efficiency. No temperatures. In gpt3 each node's samples (about 2.005 s, own "
    "clock) were put on a common 2 s grid by the nearest one; its switches are not in it (59.57 kW, an estimate in "
    "the source).",
    ("gpt3",),
)
_CORNELL = _Set(
    "cornell_biohpc_hourly",
    "Cornell BioHPC GPU servers, hourly mean, minimum and maximum",
    "MIT",
    "https://github.com/charlottegressel/dc_workload_pipeline, commit 61bb180c876200fc2be17720ca9d3e2de6206602, "
    "datasets",
    {"2xA40": ("cbsugpu05_2xA40_hourly.csv.gz",), "1xA100": ("cbsugpu07_1xA100-80GB_hourly.csv.gz",),
     "2xH100": ("cbsugpu08_2xH100_hourly.csv.gz",)},
    "Missing hours (up to 181 days for 2xA40) are NaN here, so a workload made of it must say fill=. "
    "device_power_minimum never exceeds 100 W, because the source starts its minimum at 100: a reading of 100 means "
    "100 or more. The same start may stand behind minima of 100 % utilisation. Power is the mean over the server's "
    "GPUs, of each GPU. Times are local, with summer time.",
    ("2xA40", "1xA100", "2xH100"),
)
_CANNON = _Set(
    "harvard_cannon_ipmi_snapshot",
    "Harvard FASRC Cannon: one IPMI reading of 1,724 nodes, 2025-05-30 13:34 UTC",
    "MIT",
    "https://github.com/fasrc/hpc_sustainability_dataset, commit a2b6ff8fdb3ecb914f3e58a680955ef15c48c29e, "
    "2025-05-29.tar.gz",
    {"snapshot": ("cannon_ipmi_20250530T1334Z.csv",)},
    "A cross-section, not a time series. NaN where a node has no such sensor. cpu_power is both sockets. "
    "chassis_power and psu_power repeat for the nodes of one chassis (87 distinct). psu_power over chassis_power "
    "(median 5 %) as loss is an interpretation.",
)
_SUMMIT = _Set(
    "summit_facility_snippets",
    "OLCF Summit central energy plant: rows visible in the SC21 notebooks",
    "MIT",
    "https://github.com/at-aaims/sc21_summit_power_analysis_artifacts, commit "
    "0b8d878973f31f49446a76dcbb05beccca48a0c3, plots_codes/*.ipynb",
    {"plant": ("summit_pue_notebook_rows.csv",), "power": ("summit_power_20200724_head.csv",),
     "temperature": ("summit_temp_facility_20200724_head.csv",), "rise": ("summit_7MW_rise_20200728_rows.csv",)},
    "A few rows: a sanity check, not a series. Rows and columns that the source shows as '...' are left out. Which "
    "variables are read is chosen; the file beside this reader has all. Rows that two cells of the notebooks show "
    "are merged.",
)
_ACME = _Set(
    "acme_a100_fleet_cdf",
    "Acme LLM clusters Seren and Kalos: distributions of A100 power and temperature, August 2023",
    "CC-BY-4.0",
    "https://github.com/InternLM/AcmeTrace, commit 6d6ac9cd15f3b01151ac6ba00ecddd9156f0dc73, "
    "data/utilization/util_pkl",
    {"seren": ("gpu_power_seren_cdf.csv", "gpu_temp_seren_cdf.csv"),
     "kalos": ("gpu_power_kalos_cdf.csv", "gpu_temp_kalos_cdf.csv"), "servers": ("server_power_cdf.csv",)},
    "Distributions over GPUs and time together: power and temperature at one fraction do not belong to one GPU. Cite "
    "Hu et al., NSDI'24.",
)
_AZURE_LLM = _Set(
    "azure_llm_inference_2023",
    "Azure LLM inference requests, about one hour of 2023-11-16",
    "CC-BY-4.0",
    "https://github.com/Azure/AzurePublicDataset, commit b469a113cedca53ddc3bdea71a143dc4b7d8700c, data",
    {"code": ("AzureLLMInferenceTrace_code.csv",), "conversation": ("AzureLLMInferenceTrace_conv.csv",)},
    "No power in it: needs a model from tokens to power. The code trace has pauses of up to 217 s. Cite Patel et "
    "al., Splitwise, ISCA'24.",
    ("code", "conversation"),
)
_AZURE_FAN = _Set(
    "azure_greensku_fan_power",
    "Server power against fan power, 8 points",
    "CC-BY-4.0",
    "https://github.com/Azure/AzurePublicDataset, commit b469a113cedca53ddc3bdea71a143dc4b7d8700c, "
    "analysis/GreenSKU-Framework/data/other_data/server_fan_power.csv",
    {"points": ("server_fan_power.csv",)},
    "Looks digitised from a figure: a sanity band only.",
)
_WEATHER = _Set(
    "weather",
    "Hourly weather years (EPW)",
    "MIT; values NREL ResStock AMY2018, CC-BY-4.0; port_angeles: MIT, NREL TMY3, public domain",
    "https://github.com/intelligent-environments-lab/CityLearn, commit b8bad3141f5efca1a78ed94090af1820b541e467, "
    "data/datasets/*_neighborhood/weather.epw; port_angeles: https://github.com/ugr-sail/sinergym, commit "
    "f92ac94ecb9881e6a834f6b79853b5020ab19add",
    {"austin": ("austin_tx_amy2018.epw",), "burlington": ("burlington_vt_amy2018.epw",),
     "alameda": ("alameda_ca_amy2018.epw",), "port_angeles": ("port_angeles_wa_tmy3.epw",)},
    "Times are local standard time at the start of the hour; values stand for that hour. port_angeles is a typical "
    "year put together from months of seven years: its year is set to that of the first row. The COMMENTS 1 line of "
    "the AMY files is a leftover template.",
    ("austin", "burlington", "alameda", "port_angeles"),
)
_GRID = _Set(
    "grid",
    "Grid carbon intensity and price, hourly",
    "MIT; generation from US EIA-930, public domain",
    "https://github.com/HewlettPackard/dc-rl, commit a92b4755aca560e34a98d14028dda629eb968482, data/CarbonIntensity; "
    "de: https://github.com/oemof/oemof-solph, commit 5131b060809eed6c59e81c0bbfa615215784bea7, "
    "tutorials/introductory/district_heating_supply/input_data.csv",
    {"erco": ("carbon_erco_2022_hourly.csv",), "pjm": ("carbon_pjm_2022_hourly.csv",),
     "de": ("price_and_ef_de_2019_hourly.csv",)},
    "erco and pjm: UTC, average intensity as computed by that repository; pjm has 23 hours of NaN. de: local clock "
    "without summer time shifts, negative prices included, carbon intensity is that of the operating margin, not the "
    "average.",
    ("erco", "pjm", "de"),
)
_ALL = {"acme": _ACME, "azure_fan_power": _AZURE_FAN, "azure_llm": _AZURE_LLM, "b200": _B200, "cannon": _CANNON,
        "cornell": _CORNELL, "gpu_step": _GPU_STEP, "grid": _GRID, "h100_immersion": _IMMERSION, "mi300x": _MI300X,
        "summit": _SUMMIT, "weather": _WEATHER}


def names() -> pd.DataFrame:
    """All measured data, one row a part.

    Returns
    -------
    table : DataFrame
        Columns ``reader``, ``part``, ``title``, ``shipped`` (comes with the package), ``licence``, ``source``.
    """
    return pd.DataFrame([{"reader": reader, "part": part, "title": s.title, "shipped": part not in s.elsewhere,
                          "licence": s.licence,
                          "source": s.source} for reader, s in _ALL.items() for part in s.files])


def folder(name: str) -> Path:
    """Where a shipped set's files are, with its README: ``folder("b200_hgx_gpuburn")``."""
    shipped = sorted(p.name for p in HERE.iterdir() if (p / "README.md").is_file())
    if name not in shipped:
        raise TraceError(f"no set {shown(name)} comes with the package{nearest(str(name), shipped)}")
    return HERE / name


def b200(session: str = "20260108b", *, path: Path_ | None = None) -> xr.Dataset:
    """8x B200 server under gpu-burn, power limits 200 to 1000 W, 88 min.

    Parameters
    ----------
    session : {"20260107a", "20260107b", "20260108b"}
        Fans at maximum (1.3 s); automatic fans (1.3 s); automatic fans with whole-server power, inlet temperature and
        fan speeds (9 s).
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dims time, device (and cpu, dimm)
    """
    table = _table(_B200.part("b200", session, path)[0], "time_s", "gpu0_power_w", "gpu7_temp_c", "power_limit_w",
                   "burn_mode")
    variables = {
        "device_power": _devices(table, "gpu{}_power_w", "W", "electrical power of the GPU", interpolation="linear"),
        "device_temperature": _devices(table, "gpu{}_temp_c", "degC", "temperature of the GPU"),
        "power_limit": _along("time", _column(table, "power_limit_w"), "W", "power limit set on every GPU"),
        "burn_mode": _along("time", table["burn_mode"].astype(str).to_numpy(dtype=str), "1",
                            "arithmetic that gpu-burn runs"),
        "utilisation": _along("time", _column(table, "gpu_util_mean_pct") / 100.0, "1",
                              "utilisation, mean of the GPUs"),
    }
    for column, name, unit, words in (
            ("dcmi_power_w", "server_power", "W", "electrical power of the whole server"),
            ("inlet_temp_c", "inlet_temperature", "degC", "air at the server's inlet"),
            ("system_temp_c", "system_temperature", "degC", "system board"),
            ("hgx_gpu_temp_c", "hgx_gpu_temperature", "degC", "GPU temperature that the HGX board reports"),
            ("hgx_hbm_temp_c", "hgx_memory_temperature", "degC", "memory temperature that the HGX board reports"),
            ("hgx_nvlink_temp_c", "hgx_nvlink_temperature", "degC", "NVLink temperature that the HGX board reports"),
            ("hgx_inlet_temp_c", "hgx_inlet_temperature", "degC", "inlet temperature that the HGX board reports"),
            ("fan_sys_avg_rpm", "fan_speed", "rpm", "chassis fans, mean"),
            ("fan_sys_min_rpm", "fan_speed_minimum", "rpm", "chassis fans, slowest"),
            ("fan_sys_max_rpm", "fan_speed_maximum", "rpm", "chassis fans, fastest"),
            ("fan_psu_avg_rpm", "psu_fan_speed", "rpm", "power supply fans, mean"),
            ("fan_mb_avg_rpm", "board_fan_speed", "rpm", "motherboard fans, mean")):
        if column in table:
            variables[name] = _along("time", _column(table, column), unit, words)
    if "server_power" in variables:
        variables["server_power"][2]["interpolation"] = "linear"
    for stem, dim, words in (("cpu{}_temp_c", "cpu", "temperature of the processor"),
                             ("dimm_p{}_temp_c", "dimm", "memory modules of the processor")):
        if stem.format(1) in table:
            pair = _columns(table, [stem.format(1), stem.format(2)])
            variables[f"{dim}_temperature"] = (("time", dim), pair, {"units": "degC", "long_name": words})
    return _B200.dataset(session, variables, _device_coords(table, "gpu"))


def mi300x(run: str = "bs1_mem0.8", *, path: Path_ | None = None) -> xr.Dataset:
    """8x MI300X server, inference on card 0, 5 s samples.

    Parameters
    ----------
    run : {"bs1_mem0.8", "bs1_mem0.9", "bs8_mem0.8"}
        Batch size and share of memory.
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dims time, device
    """
    table = _table(_MI300X.part("mi300x", run, path)[0], "time_s", "card0_power_w", "card7_junction_c", "card0_use_pct")
    return _MI300X.dataset(run, {
        "device_power": _devices(table, "card{}_power_w", "W", "electrical power of the GPU", interpolation="linear"),
        "edge_temperature": _devices(table, "card{}_edge_c", "degC", "edge temperature of the GPU"),
        "junction_temperature": _devices(table, "card{}_junction_c", "degC", "hottest junction of the GPU"),
        "utilisation": _along("time", _column(table, "card0_use_pct") / 100.0, "1", "utilisation of card 0"),
    }, _device_coords(table, "card"))


def gpu_step(gpu: str = "a100", *, path: Path_ | None = None) -> xr.Dataset:
    """One GPU from idle to a step of load and back (16 s), or under a square wave (200 s), at 7 to 13 ms.

    Parameters
    ----------
    gpu : {"a100", "a5000", "rtx3090", "rtx4090", "a100_square", "rtx3090_square", "v100_square"}
        The square waves do not come with the package.
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dim time
    """
    table = _table(_GPU_STEP.part("gpu_step", gpu, path)[0], "time_s", "power_draw_w", "temperature_gpu")
    instant = "power_draw_instant_w" if "power_draw_instant_w" in table else "power_draw_w"
    return _GPU_STEP.dataset(gpu, {
        "device_power": _along("time", _column(table, instant), "W", f"electrical power of the GPU ({instant})",
                               interpolation="constant"),
        "device_power_reported": _along("time", _column(table, "power_draw_w"), "W",
                                        "power.draw, averaged on some GPUs", interpolation="constant"),
        "device_temperature": _along("time", _column(table, "temperature_gpu"), "degC", "temperature of the GPU"),
        "utilisation": _along("time", _column(table, "utilization_gpu_pct") / 100.0, "1", "utilisation",
                              interpolation="constant"),
        "clock_frequency": _along("time", _column(table, "clocks_current_sm_mhz") * 1e6, "Hz",
                                  "clock of the multiprocessors"),
    }, {"time": _along("time", _column(table, "time_s"), **SECONDS)})


def h100_immersion(job: str = "llama2_70b_lora", *, path: Path_ | None = None) -> xr.Dataset:
    """Immersion-cooled 8x H100 nodes: power into and out of the power supplies, 2 s samples.

    Parameters
    ----------
    job : {"llama2_70b_lora", "resnet", "ssd", "bert", "dlrm", "unet3d", "gpt3"}
        One node each; ``gpt3`` is 64 nodes and does not come with the package.
    path : path, optional
        File or (for ``gpt3``) folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dims time (and server)
        ``server_power`` (AC, what the power supplies draw) and ``server_power_dc``: of whole servers, not of their
        devices.
    """
    files = _IMMERSION.part("h100_immersion", job, path)
    words = "power of the whole node"
    if len(files) == 1:
        table = _table(files[0], "time_s", "ac_w", "dc_w")
        return _IMMERSION.dataset(job, {
            "server_power": _along("time", _column(table, "ac_w"), "W", f"AC {words}", interpolation="linear"),
            "server_power_dc": _along("time", _column(table, "dc_w"), "W", f"DC {words}", interpolation="linear"),
        }, {"time": _along("time", _column(table, "time_s"), **SECONDS)})
    ac, dc = (_table(file, "time_s", "node_1_w", "node_64_w") for file in files)
    if list(ac) != list(dc) or not ac["time_s"].equals(dc["time_s"]):
        raise TraceError("traces.h100_immersion('gpt3'): the AC and DC files differ in nodes or times")
    nodes = [str(c) for c in ac.columns if c != "time_s"]
    how = {"units": "W", "interpolation": "linear"}
    return _IMMERSION.dataset(job, {
        "server_power": (("time", "server"), _columns(ac, nodes), how | {"long_name": f"AC {words}"}),
        "server_power_dc": (("time", "server"), _columns(dc, nodes), how | {"long_name": f"DC {words}"}),
    }, {"time": _along("time", _column(ac, "time_s"), **SECONDS),
        "server_name": ("server", np.array([c[:-2] for c in nodes]))})


def cornell(server: str = "2xH100", *, path: Path_ | None = None) -> xr.Dataset:
    """GPU servers of a biology cluster, hourly means, minima and maxima over 1.8 to 3.2 years.

    Parameters
    ----------
    server : {"2xA40", "1xA100", "2xH100"}
    path : path
        File or folder; this set does not come with the package.

    Returns
    -------
    dataset : Dataset, dim time (datetime64, local)
        On the whole hourly grid; hours that the source lacks are NaN.
    """
    file = _CORNELL.part("cornell", server, path)[0]
    table = _table(file, "timestamp_local", "powerave", "tempave", "utilave", "gmemave")
    table.index = pd.DatetimeIndex(_dates(table["timestamp_local"], file.name))
    if not (table.index.is_monotonic_increasing and table.index.is_unique):
        raise TraceError(f"{file.name}: hours repeat or run backwards")
    if (table.index[-1] - table.index[0]) > pd.Timedelta(days=20_000):
        raise TraceError(f"{file.name}: runs from {table.index[0]} to {table.index[-1]}, expected a few years")
    table = table.drop(columns="timestamp_local").reindex(pd.date_range(table.index[0], table.index[-1], freq="h"))
    variables = {}
    for stem, name, unit, factor, words in (("power", "device_power", "W", 1.0, "electrical power of each GPU"),
                                            ("temp", "device_temperature", "degC", 1.0, "temperature of the GPUs"),
                                            ("util", "utilisation", "1", 0.01, "utilisation of the GPUs"),
                                            ("gmem", "memory_utilisation", "1", 0.01,
                                             "utilisation of the GPUs' memory")):
        for end, more, kind in (("ave", "", "mean"), ("min", "_minimum", "minimum"), ("max", "_maximum", "maximum")):
            variables[name + more] = _along("time", _column(table, stem + end) * factor, unit,
                                            f"{words}, {kind} of the hour",
                                            interpolation="constant")
    return _CORNELL.dataset(server, variables, {"time": ("time", table.index.to_numpy(), {"long_name": "local time"})})


def cannon(*, path: Path_ | None = None) -> xr.Dataset:
    """1,724 nodes of one cluster at one instant, 518 of them with cold plates and inlet water.

    Parameters
    ----------
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dims node, socket, supply
    """
    table = _table(_CANNON.part("cannon", "snapshot", path)[0], "node", "timestamp_utc", "sys_power_w",
                   "inlet_water_temp_c")
    single = (("sys_power_w", "server_power", "W", "whole node"), ("cpu_power_w", "cpu_power", "W", "both processors"),
              ("mem_power_w", "memory_power", "W", "memory"),
              ("gpu_board_power_w", "gpu_board_power", "W", "GPU board"),
              ("chassis_power_w", "chassis_power", "W", "chassis, repeated for its nodes"),
              ("psu_power_w", "psu_power", "W", "power supplies of the chassis, read as their loss"),
              ("ambient_temp_c", "ambient_temperature", "degC", "air at the inlet"),
              ("inlet_water_temp_c", "inlet_water_temperature", "degC", "water at the cold plates' inlet"),
              ("exhaust_temp_c", "exhaust_temperature", "degC", "air at the exhaust"),
              ("mid_board_temp_c", "mid_board_temperature", "degC", "middle of the board"),
              ("rear_board_temp_c", "rear_board_temperature", "degC", "rear of the board"),
              ("pcie_3_temp_c", "pcie_temperature", "degC", "PCIe slot 3"),
              ("psu1_fan_a_rpm", "psu_fan_speed", "rpm", "fan A of supply 1"))
    variables: dict[str, Any] = {name: _along("node", _column(table, column), unit, words)
                                 for column, name, unit, words in single}
    for column, name, words in (("sys_utilization", "utilisation", "node"),
                                ("cpu_utilization", "cpu_utilisation", "processors"),
                                ("mem_utilization", "memory_utilisation", "memory")):
        variables[name] = _along("node", _column(table, column) / 100.0, "1", f"utilisation of the {words}")
    for columns, name, dim, unit, words in (
            (("cpu_1_temp_c", "cpu_2_temp_c"), "cpu_temperature", "socket", "degC", "processor"),
            (("cpu1_temp_c", "cpu2_temp_c"), "cpu_temperature_other", "socket", "degC",
             "processor, nodes whose sensors are called CPU1, CPU2"),
            (("psu1_ac_in_pwr_w", "psu2_ac_in_pwr_w"), "psu_input_power", "supply", "W", "AC power into the supply"),
            (("psu1_dc_out_pwr_w", "psu2_dc_out_pwr_w"), "psu_output_power", "supply", "W",
             "DC power out of the supply")):
        variables[name] = (("node", dim), _columns(table, columns), {"units": unit, "long_name": words})
    return _CANNON.dataset("snapshot", variables, {
        "node": ("node", table["node"].astype(str).to_numpy(dtype=str), {"long_name": "name of the node"}),
        "reading_time": ("node", _dates(table["timestamp_utc"], "cannon"), {"long_name": "time of the reading, UTC"})})


def summit(part: str = "plant", *, path: Path_ | None = None) -> xr.Dataset:
    """A few rows of Summit's power, temperature and cooling plant.

    Parameters
    ----------
    part : {"plant", "power", "temperature", "rise"}
        Plant balance (10 instants of 2020 and 2021); input power of all nodes; GPU temperatures with the plant; both in
        a rise of 7 MW.
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dim time (datetime64, UTC)
    """
    file = _SUMMIT.part("summit", part, path)[0]
    table = _table(file)
    stamp = "timestamp_utc" if "timestamp_utc" in table else "timestamp"
    if stamp not in table:
        raise TraceError(f"{file.name}: no column timestamp")
    table = table[table[stamp] != "..."]
    table = table.assign(**{stamp: _dates(table[stamp], file.name)})
    table = table.groupby(stamp, sort=True).first()
    variables = {}
    for column, name, unit, factor, words in (
            ("mtwst", "supply_temperature", "degF", 1.0, "medium-temperature water, supply"),
            ("mtwrt", "return_temperature", "degF", 1.0, "medium-temperature water, return"),
            ("mtwflw", "volume_flow", "m3/s", GALLON_PER_MINUTE, "medium-temperature water"),
            ("ct_water_flowrate", "tower_volume_flow", "m3/s", GALLON_PER_MINUTE,
             "cooling-tower water (unit taken as gpm)"),
            ("k100_total_power", "facility_power", "W", 1e3, "data hall K100, total"),
            ("k100_pue", "pue", "1", 1.0, "power usage effectiveness of K100"),
            ("cep_mtw_tons", "heat_rejected", "W", TON_OF_REFRIGERATION,
             "heat taken from the medium-temperature water"),
            ("cep_cooling_tower_tons", "tower_heat", "W", TON_OF_REFRIGERATION, "heat rejected by the cooling towers"),
            ("cep_kw_per_ton", "plant_power_per_heat", "W/W", 1e3 / TON_OF_REFRIGERATION,
             "plant power over heat taken"),
            ("cep_outside_air_dry_bulb_temp", "dry_bulb_temperature", "degF", 1.0, "outside air"),
            ("cep_outside_air_wet_bulb_temp", "wet_bulb_temperature", "degF", 1.0, "outside air, wet bulb"),
            ("cep_outside_air_dew_point_temp", "dew_point_temperature", "degF", 1.0, "outside air, dew point"),
            ("cep_outside_air_rh", "relative_humidity", "1", 0.01, "outside air"),
            ("sum_inp", "server_power_sum", "W", 1.0, "input power of all nodes that answered"),
            ("count_inp", "server_count", "1", 1.0, "nodes that answered"),
            ("gpu_core.mean", "device_temperature_mean", "degC", 1.0, "GPU core, mean of all"),
            ("gpu_core.std", "device_temperature_spread", "K", 1.0, "GPU core, standard deviation"),
            ("gpu_core.min", "device_temperature_minimum", "degC", 1.0, "GPU core, coldest"),
            ("gpu_core.max", "device_temperature_maximum", "degC", 1.0, "GPU core, hottest")):
        if column in table:
            values = _column(table.assign(**{column: _unquoted(table[column])}), column) * factor
            if unit == "degF":
                values, unit = (values - FAHRENHEIT_ZERO) * FAHRENHEIT_STEP, "degC"
            variables[name] = _along("time", values, unit, words)
    return _SUMMIT.dataset(part, variables, {"time": ("time", table.index.to_numpy(), {"long_name": "time, UTC"})})


def acme(cluster: str = "seren", *, path: Path_ | None = None) -> xr.Dataset:
    """Distributions of power and temperature over 4,700 A100s, 1000 points each.

    Parameters
    ----------
    cluster : {"seren", "kalos", "servers"}
        GPUs of one cluster, or whole servers.
    path : path, optional
        Folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dim fraction
        Each variable is its value below which that fraction of all readings lies.
    """
    tables = [_table(file) for file in _ACME.part("acme", cluster, path)]
    table = pd.concat(tables, axis=1)
    columns = [str(c) for c in table.columns]
    fractions = [c for c in columns if c.endswith("cdf_pct")]
    if not fractions or any(not np.allclose(_column(table, c), _column(table, fractions[0]), rtol=0, atol=1e-9)
                            for c in fractions):
        raise TraceError(f"traces.acme({cluster!r}): the distributions are not on one set of fractions")
    kinds = {"power_w": ("device_power", "W", "power of a GPU"),
             "core_temp_c": ("device_temperature", "degC", "core of a GPU"),
             "mem_temp_c": ("memory_temperature", "degC", "memory of a GPU"),
             "gpu_server_power_w": ("server_power", "W", "a GPU server"),
             "cpu_server_power_w": ("cpu_server_power", "W", "a server without GPUs")}
    return _ACME.dataset(cluster, {kinds[c][0]: _along("fraction", _column(table, c), *kinds[c][1:])
                                   for c in columns if c in kinds},
                         {"fraction": _along("fraction", _column(table, fractions[0]) / 100.0, "1",
                                             "fraction of readings below")})


def azure_llm(kind: str = "code", *, path: Path_ | None = None) -> xr.Dataset:
    """Requests to a language model: when, how long the prompt, how long the answer.

    Parameters
    ----------
    kind : {"code", "conversation"}
    path : path
        File or folder; this set does not come with the package.

    Returns
    -------
    dataset : Dataset, dim request
        ``arrival_time`` (datetime64), ``prompt_tokens``, ``output_tokens``.
    """
    file = _AZURE_LLM.part("azure_llm", kind, path)[0]
    table = _table(file, "TIMESTAMP", "ContextTokens", "GeneratedTokens")
    return _AZURE_LLM.dataset(kind, {
        "arrival_time": ("request", _dates(table["TIMESTAMP"], file.name), {"long_name": "time of arrival, UTC"}),
        "prompt_tokens": _along("request", _column(table, "ContextTokens"), "1", "tokens of the prompt"),
        "output_tokens": _along("request", _column(table, "GeneratedTokens"), "1", "tokens of the answer")}, {})


def azure_fan_power(*, path: Path_ | None = None) -> xr.Dataset:
    """Fan power of an air-cooled server against its power, 8 points.

    Parameters
    ----------
    path : path, optional
        File or folder, instead of the data that comes with the package.

    Returns
    -------
    dataset : Dataset, dim point
    """
    table = _table(_AZURE_FAN.part("azure_fan_power", "points", path)[0], "server power", "fan power", "fan/server")
    return _AZURE_FAN.dataset("points", {
        "server_power": _along("point", _column(table, "server power"), "W", "electrical power of the server"),
        "fan_power": _along("point", _column(table, "fan power"), "W", "electrical power of its fans"),
        "fan_share": _along("point", _column(table, "fan/server"), "1", "fan power over server power")}, {})


def weather(place: str = "austin", *, path: Path_ | None = None) -> xr.Dataset:
    """One year of hourly weather.

    Parameters
    ----------
    place : {"austin", "burlington", "alameda", "port_angeles"}
        Hot and humid; cold; mild marine; cool marine.
    path : path
        An EPW file (any), or a folder; this set does not come with the package.

    Returns
    -------
    dataset : Dataset, dim time (datetime64, local standard time, start of the hour)
        Attributes hold ``latitude``, ``longitude`` [deg], ``altitude`` [m] and ``utc_offset`` [h].
    """
    file = _WEATHER.part("weather", place, path)[0]
    head, table = _files.epw_table(file)
    try:
        site = dict(zip(("latitude", "longitude", "utc_offset", "altitude"), (float(cell) for cell in head[6:10]),
                        strict=True))
    except ValueError:
        raise TraceError(f"{file.name}:1: expected LOCATION, latitude, longitude, time zone and elevation") from None
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if np.isnan(numbers[:, :4]).any():
        line = int(np.argmax(np.isnan(numbers[:, :4]).any(axis=1))) + 9
        raise TraceError(f"{file.name}:{line}: year, month, day or hour is not a number")
    clock = pd.DataFrame(numbers[:, :3], columns=["year", "month", "day"]).assign(year=numbers[0, 0])
    days = pd.to_datetime(clock.astype(int), errors="coerce")
    times = (days + pd.to_timedelta(numbers[:, 3] - 1.0, unit="h")).to_numpy()
    if np.isnat(times).any() or not np.all(np.diff(times) == np.timedelta64(1, "h")):
        raise TraceError(f"{file.name}: its rows are not the hours of one year in order")
    variables = {}
    for column, name, unit, factor, missing, words in (  # codes of missing values: EnergyPlus Auxiliary Programs, EPW
            (6, "dry_bulb_temperature", "degC", 1.0, 99.9, "air temperature"),
            (7, "dew_point_temperature", "degC", 1.0, 99.9, "dew point"),
            (8, "relative_humidity", "1", 0.01, 999.0, "relative humidity"),
            (9, "pressure", "Pa", 1.0, 999999.0, "air pressure"),
            (13, "global_radiation", "W/m2", 1.0, 9999.0, "on the horizontal, mean of the hour"),
            (14, "direct_radiation", "W/m2", 1.0, 9999.0, "direct normal, mean of the hour"),
            (15, "diffuse_radiation", "W/m2", 1.0, 9999.0, "diffuse on the horizontal, mean of the hour"),
            (20, "wind_direction", "deg", 1.0, 999.0, "from north, clockwise"),
            (21, "wind_speed", "m/s", 1.0, 999.0, "wind speed")):
        values = np.where(numbers[:, column] >= missing, np.nan, numbers[:, column]) * factor
        variables[name] = _along("time", values, unit, words)
    return _WEATHER.dataset(place, variables, {"time": ("time", times, {"long_name": "local standard time"})},
                            location=", ".join(head[1:4]), **site)


def grid(region: str = "erco", *, path: Path_ | None = None) -> xr.Dataset:
    """One year of the grid, hourly: carbon intensity, and generation by fuel or price.

    Parameters
    ----------
    region : {"erco", "pjm", "de"}
        ERCOT and PJM 2022 (UTC); Germany 2019 (spot price, operating margin).
    path : path
        File or folder; this set does not come with the package.

    Returns
    -------
    dataset : Dataset, dims time (datetime64), fuel
        ``carbon_intensity`` [g/kWh], with ``generation`` [W] or ``price`` [EUR/MWh].
    """
    file = _GRID.part("grid", region, path)[0]
    if region == "de":
        table = _table(file, "time_local", "spot_price_eur_per_mwh", "operating_margin_ef_t_per_mwh")
        return _GRID.dataset(region, {
            "carbon_intensity": _along("time", _column(table, "operating_margin_ef_t_per_mwh") * 1e3, "g/kWh",
                                       "CO2 of the operating margin"),
            "price": _along("time", _column(table, "spot_price_eur_per_mwh"), "EUR/MWh", "day-ahead spot price"),
        }, {"time": ("time", _dates(table["time_local"], file.name), {"long_name": "local time"})})
    fuels = {"WND": "wind", "SUN": "solar", "WAT": "hydro", "OIL": "oil", "NG": "natural gas", "COL": "coal",
             "NUC": "nuclear", "OTH": "other"}
    table = _table(file, "timestamp", "avg_ci_gco2_per_kwh", *fuels)
    return _GRID.dataset(region, {
        "carbon_intensity": _along("time", _column(table, "avg_ci_gco2_per_kwh"), "g/kWh",
                                   "CO2 of the average generation"),
        "generation": (("time", "fuel"), _columns(table, fuels) * 1e6,
                       {"units": "W", "long_name": "generation by fuel"}),
    }, {"time": ("time", _dates(table["timestamp"], file.name), {"long_name": "time, UTC"}),
        "fuel": list(fuels.values())})


def _table(path: Path, *needed: str) -> pd.DataFrame:
    """A CSV with at least the columns `needed`."""
    table = _files.csv_table(path)
    if absent := [c for c in needed if c not in table]:
        raise TraceError(f"{path.name}: no column {shown(absent[0])}, so it is not this data "
                         f"set{nearest(absent[0], map(str, table.columns))}")
    return table


def _unquoted(column: pd.Series) -> pd.Series:
    """Numbers of a column that rows of '...' had made a column of text."""
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column of numbers."""
    if name not in table:
        raise TraceError(f"no column {shown(name)}, so it is not this data set{nearest(name, map(str, table.columns))}")
    if table[name].dtype.kind not in "fiu":
        raise TraceError(f"column {shown(name)} holds words where numbers are expected, so it is not this data set")
    return table[name].to_numpy(np.float64)


def _columns(table: pd.DataFrame, names: Iterable[str]) -> NDArray[np.float64]:
    """Columns of numbers side by side."""
    return np.stack([_column(table, name) for name in names], axis=1)


def _along(dim: str, values: Any, units: str, long_name: str, **more: str) -> tuple[str, NDArray[Any], dict[str, str]]:
    """A variable of one dim: numbers as float64, words as they are."""
    array = np.asarray(values)
    if array.dtype.kind != "U":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TraceError(f"{long_name}: words where numbers are expected, so it is not this data set") from None
    return dim, array, {"units": units, "long_name": long_name} | more


def _devices(table: pd.DataFrame, stem: str, units: str, long_name: str,
             **more: str) -> tuple[tuple[str, str], NDArray[np.float64], dict[str, str]]:
    """Columns of eight devices side by side."""
    values = _columns(table, [stem.format(k) for k in range(8)])
    return ("time", "device"), values, {"units": units, "long_name": long_name} | more


def _device_coords(table: pd.DataFrame, stem: str) -> dict[str, Any]:
    return {"time": _along("time", _column(table, "time_s"), **SECONDS),
            "device_name": ("device", np.array([f"{stem}{k}" for k in range(8)]))}


def _dates(column: pd.Series, place: str) -> NDArray[Any]:
    """Dates of a column as datetime64 in UTC (or local, where the file has no zone)."""
    try:
        return pd.to_datetime(column, format="ISO8601", utc=True).dt.tz_localize(None).to_numpy()
    except (ValueError, TypeError, OverflowError) as error:
        raise TraceError(f"{place}: {error}") from None

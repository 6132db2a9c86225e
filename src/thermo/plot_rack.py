"""A rack as it stands, and what a run says along it: servers by height with their temperatures, the coolant's way, how long which load lasts."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo._style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, SLIDE, STYLE, VERMILION, heading
from thermo.errors import ScenarioError, one_line
from thermo.summary import accelerators, seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["coolant_path", "duration_curves", "elevation", "server_heights"]

Floats = NDArray[np.float64]
COLD_TO_HOT = "inferno"  # even in lightness, so that it reads in grey and to every eye
LEAST_RANGE = 10.0  # K across all colours: less is not made to look like much
MOST_LABELS = 40


def _page(result: xr.Dataset, words: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SLIDE, dpi=120)
    FigureCanvasAgg(figure)
    title = one_line(str(result.attrs.get("title", "")))
    heading(figure, 0.05, title)
    figure.text(0.05, 0.905, words, fontsize=14, va="center", color=BLACK)
    figure.text(0.05, 0.025, str(result.attrs.get("source", "")), fontsize=11, color=GREY, va="center")
    return figure


def elevation(result: xr.Dataset, *, time: float | None = None) -> Figure:
    """The rack from the front: each server at its height, each accelerator in it by its temperature.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`.
    time : float, optional
        Which sample, the nearest to this [s]; default that of the hottest accelerator.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("rack.png")``.
    """
    import matplotlib

    driven = accelerators(result)
    junction = result["junction_temperature"].isel(device=driven).transpose("time", "server", "device").values
    t = seconds(result)
    k = int(np.nanargmax(np.nanmax(junction, axis=(1, 2)))) if time is None else int(np.argmin(np.abs(t - time)))
    T = junction[k]
    bottoms, heights = server_heights(result)
    with matplotlib.rc_context(STYLE):
        server, device = np.unravel_index(int(np.nanargmax(T)), T.shape)
        figure = _page(result, f"at {t[k]:g} s: hottest accelerator {T[server, device]:.1f} °C, server {result['server'].values[server]}, "
                       f"{result['device'].values[driven[int(device)]]}; coldest {np.nanmin(T):.1f} °C")
        ax = figure.add_axes((0.08, 0.12, 0.5, 0.7))
        image = _front(ax, T, bottoms, heights)
        figure.colorbar(image, cax=figure.add_axes((0.595, 0.12, 0.014, 0.7)), label="junction of the accelerators [°C]")
        _beside(figure.add_axes((0.735, 0.12, 0.23, 0.7), sharey=ax), result, k, bottoms, heights)
    return figure


def server_heights(result: xr.Dataset) -> tuple[Floats, Floats]:
    """Where each server stands and how tall it is, in height units; one above the other where the result does not say."""
    bottoms, heights = [], []
    try:
        for slot in json.loads(result.attrs["scenario"])["rack"]["slots"]:
            tall = float(slot["server"]["height_units"])
            for i in range(int(slot["count"])):
                bottoms.append(float(slot.get("bottom", 0.0)) + i * tall)
                heights.append(tall)
    except (KeyError, TypeError, ValueError):
        bottoms = []
    if len(bottoms) != result.sizes["server"]:
        return np.arange(result.sizes["server"], dtype=np.float64), np.ones(result.sizes["server"])
    return np.array(bottoms), np.array(heights)


def _front(ax: Axes, T: Floats, bottoms: Floats, heights: Floats) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    low, high = float(np.nanmin(T)), float(np.nanmax(T))
    scale = Normalize(low - 0.5 * max(LEAST_RANGE - (high - low), 0.0), high + 0.5 * max(LEAST_RANGE - (high - low), 0.0))
    image = ScalarMappable(scale, COLD_TO_HOT)
    write = T.size <= 160
    for bottom, tall, row in zip(bottoms, heights, T, strict=True):
        ax.add_patch(Rectangle((0, bottom), 1, tall, facecolor="#F2F2F2", edgecolor=GREY, linewidth=1.0))
        there = row[~np.isnan(row)]
        wide = 1.0 / max(there.size, 1)
        for i, x in enumerate(there):
            ax.add_patch(Rectangle(((i + 0.06) * wide, bottom + 0.08 * tall), 0.88 * wide, 0.84 * tall, facecolor=image.to_rgba(x), linewidth=0))
            if write:
                ax.annotate(f"{x:.0f}", ((i + 0.5) * wide, bottom + 0.5 * tall), ha="center", va="center", fontsize=11 if there.size <= 8 else 9,
                            color="white" if scale(x) < 0.62 else BLACK)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, float(np.max(bottoms + heights)) * 1.02)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.set_ylabel("height [U]")
    ax.set_title("accelerators, in the order of the server")
    return image


def _beside(ax: Axes, result: xr.Dataset, k: int, bottoms: Floats, heights: Floats) -> None:
    """What comes to each server and what leaves it."""
    middle = bottoms + 0.5 * heights
    positions = [str(p) for p in result["position"].values]
    drawn = 0
    for names, colour, label in ((("inlet", "supply"), BLUE, "in"), (("exhaust", "return", "top"), VERMILION, "out")):
        for name in names:
            if name in positions and drawn < 4:
                air = name in ("inlet", "exhaust")
                ax.plot(result["coolant_temperature"].sel(position=name).isel(time=k).values, middle, "o-" if air else "s--", color=colour,
                        label=f"{'air' if air else 'liquid'} {label}", markersize=6)
                drawn += 1
    if not drawn:  # a pool: all servers have the same liquid
        for name in positions[:4]:
            ax.plot(result["coolant_temperature"].sel(position=name).isel(time=k).values, middle, "o-", label=name, markersize=6)
    ax.set_xlabel("coolant [°C]")
    ax.tick_params(labelleft=False)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=10.5, handlelength=1.4, columnspacing=0.9)


def coolant_path(result: xr.Dataset, *, server: int | None = None, time: float | None = None) -> Figure:
    """Coolant from where it enters a server to where it leaves, with the cases and junctions that it passes.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`.
    server : int, optional
        Default that of the hottest accelerator.
    time : float, optional
        Which sample, the nearest to this [s]; default that of the hottest accelerator.
    """
    import matplotlib

    driven = accelerators(result)
    junction = result["junction_temperature"].isel(device=driven).transpose("time", "server", "device").values
    hot = np.unravel_index(int(np.nanargmax(junction)), junction.shape)
    t = seconds(result)
    k = int(hot[0]) if time is None else int(np.argmin(np.abs(t - time)))
    if server is not None and server not in result["server"].values:
        raise ScenarioError(f"server is {server!r}, the result has servers {result['server'].values[0]} to {result['server'].values[-1]}")
    s = int(hot[1]) if server is None else int(np.flatnonzero(result["server"].values == server)[0])
    here = result.isel(time=k, server=s)
    coolant = here["coolant_temperature"].values
    there = np.flatnonzero(~np.isnan(coolant))
    names = [str(result["position"].values[i]) for i in there]
    with matplotlib.rc_context(STYLE):
        figure = _page(result, f"the coolant's way through server {result['server'].values[s]} at {t[k]:g} s")
        ax = figure.add_axes((0.07, 0.24, 0.9, 0.58))
        x = np.arange(there.size)
        cuts = [0, *(i for i in range(1, len(names)) if names[i] in ("inlet", "supply")), len(names)]  # air, then liquid: not one stream
        for a, b in zip(cuts, cuts[1:], strict=False):
            ax.plot(x[a:b], coolant[there][a:b], "o-", color=BLUE, label="coolant behind it" if a == 0 else None, markersize=6)
        devices = [str(d) for d in result["device"].values]
        pairs = [(i, devices.index(name)) for i, name in enumerate(names) if name in devices]
        for variable, marker, colour, label in (("case_temperature", "s", ORANGE, "case"), ("junction_temperature", "D", VERMILION, "junction")):
            ax.plot([i for i, _ in pairs], [float(here[variable].values[d]) for _, d in pairs], marker, color=colour, label=label, markersize=7)
        for i, d in pairs:
            ax.vlines(i, coolant[there[i]], float(here["junction_temperature"].values[d]), color=GREY, linewidth=1.0, zorder=0)
        ax.set_xticks(x[:: max(1, there.size // MOST_LABELS)], names[:: max(1, there.size // MOST_LABELS)], rotation=45, ha="right")
        ax.set_ylabel("temperature [°C]")
        ax.set_xlabel("place along the coolant's path")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False)
    return figure


def duration_curves(result: xr.Dataset) -> Figure:
    """How much of the time the rack draws at least so much, and its hottest accelerator is at least so hot.

    Sorted by themselves: what stands above one share of the time need not be the same moment in both.
    """
    import matplotlib

    t = seconds(result)
    if t.size < 3:
        raise ScenarioError("duration_curves: the result has fewer than three samples; a curve needs a run over time")
    span = np.diff(t)
    driven = accelerators(result)
    with matplotlib.rc_context(STYLE):
        figure = _page(result, "share of the time at or above a value")
        power = figure.add_axes((0.07, 0.13, 0.41, 0.69))
        heat = figure.add_axes((0.56, 0.13, 0.41, 0.69))
        for name, label, colour in (("utility_power", "utility", BLACK), ("it_power", "IT", BLUE), ("fan_power", "fans", ORANGE), ("pump_power", "pumps", GREEN)):
            values = result[name].values[:-1] * 1e-3
            if np.any(values > 0):
                share, level = _sorted(values, span)
                power.plot(share, level, color=colour, label=label)
        junction = result["junction_temperature"].isel(device=driven)
        for values, label, colour in ((junction.max(("server", "device")).values, "hottest", VERMILION),
                                      (junction.mean(("server", "device")).values, "mean", SKY)):
            share, level = _sorted(values[:-1], span)
            heat.plot(share, level, color=colour, label=label)
        for ax, label in ((power, "power [kW]"), (heat, "junction of the accelerators [°C]")):
            ax.set_xlabel("share of the time [%]")
            ax.set_ylabel(label)
            ax.set_xlim(0, 100)
            ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, frameon=False)
        power.set_ylim(bottom=0)
    return figure


def _sorted(values: Floats, span: Floats) -> tuple[Floats, Floats]:
    """Values from the largest down against the share of time that they are reached in [%], as a staircase."""
    order = np.argsort(-values, kind="stable")
    share = 100.0 * np.concatenate([[0.0], np.cumsum(span[order])]) / span.sum()
    return np.repeat(share, 2)[1:-1], np.repeat(values[order], 2)

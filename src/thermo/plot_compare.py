"""Cooling designs side by side on one page: where the energy goes, how hot silicon gets, what heat is worth, how long a failure leaves."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo._style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, SLIDE, STYLE, VERMILION, heading
from thermo.errors import ScenarioError, one_line
from thermo.summary import duration_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison"]

Floats = NDArray[np.float64]
PARTS = (("conversion_energy", "power chain", GREY), ("fan_energy", "fans", ORANGE), ("pump_energy", "pumps", GREEN),
         ("heat_rejection_energy", "heat rejection", BLUE))
NEEDED = (*(name for name, _, _ in PARTS), "it_energy", "peak_junction_temperature", "mean_junction_temperature", "headroom", "error", "pue")


def comparison(table: xr.Dataset) -> Figure:
    """A comparison of cooling designs, for a slide of 16:9.

    Energy beyond IT by what takes it (its sum is PUE - 1), the hottest and the mean junction with the limit, the coolant that
    leaves with the share of heat in it, and the time that a failure of pumps, water or cold air leaves. A design that has no numbers
    keeps its place, marked.

    Parameters
    ----------
    table : Dataset, dim design
        Of `thermo.compare_cooling`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("comparison.png")``.

    Raises
    ------
    ScenarioError
        If it is not such a table.
    """
    if missing := [name for name in NEEDED if name not in table]:
        raise ScenarioError(f"comparison: this Dataset is not a table of compare_cooling: it has no {', '.join(missing)}")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, left=0.165, right=0.965, top=0.80, bottom=0.12, hspace=0.58, wspace=0.1)
        energy = figure.add_subplot(grid[0, 0])
        panels = [energy, *(figure.add_subplot(place, sharey=energy) for place in (grid[0, 1], grid[1, 0], grid[1, 1]))]
        _energy(panels[0], table)
        _junctions(panels[1], table)
        _heat(panels[2], table)
        _failure(panels[3], table)
        labels = [str(label) for label in table["design"].values]
        for k, ax in enumerate(panels):
            ax.set_yticks(np.arange(len(labels)), [label if len(label) <= 22 else label[:21] + "…" for label in labels])
            ax.tick_params(labelleft=k % 2 == 0, left=False)
            ax.grid(visible=False, axis="y")
            for i, error in enumerate(table["error"].values):
                if error:
                    ax.annotate("not possible", (0.02, i), xycoords=("axes fraction", "data"), va="center", fontsize=11, color=GREY, style="italic")
        energy.set_ylim(len(labels) - 0.4, -0.6)
        title = one_line(str(table.attrs.get("title", "Cooling designs compared")))
        heading(figure, 0.03, title)
        figure.text(0.03, 0.905, _in_words(table), fontsize=14, va="center", color=BLACK)
        rule = one_line(str(table.attrs.get("rule", "")))
        figure.text(0.03, 0.028, f"Rule: {rule}" if len(rule) < 190 else f"Rule: {rule[:189]}…", fontsize=9.5, color=GREY, va="center")
    return figure


def _in_words(table: xr.Dataset) -> str:
    pue = table["pue"].values
    if not np.isfinite(pue).any():
        return "no design is possible for this rack; see error"
    best = int(np.nanargmin(pue))
    return f"lowest PUE: {table['design'].values[best]}, {pue[best]:.3f}; highest {np.nanmax(pue):.3f}, of {int(np.isfinite(pue).sum())} designs"


def _energy(ax: Axes, table: xr.Dataset) -> None:
    it = table["it_energy"].values
    start = np.zeros(it.size)
    for name, label, colour in PARTS:
        share = table[name].values / it
        ax.barh(np.arange(it.size), np.nan_to_num(share), left=start, color=colour, label=label, height=0.62)
        start = start + np.nan_to_num(share)
    for i, (end, pue) in enumerate(zip(start, table["pue"].values, strict=True)):
        if np.isfinite(pue):
            ax.annotate(f" {pue:.3f}", (end, i), va="center", fontsize=12, fontweight="bold", color=BLACK)
    ax.set_xlim(0, 1.18 * (start.max() or 1.0))
    ax.set_xlabel("energy beyond IT, over IT energy [-]")
    ax.set_title("PUE, and what takes it", pad=24)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.985), ncols=4, frameon=False, fontsize=10.5, handlelength=1.0, columnspacing=1.0, borderpad=0)


def _junctions(ax: Axes, table: xr.Dataset) -> None:
    peak, mean = table["peak_junction_temperature"].values, table["mean_junction_temperature"].values
    limit = peak + table["headroom"].values
    y = np.arange(peak.size)
    ax.hlines(y, mean, peak, color=GREY, linewidth=3)
    ax.plot(mean, y, "o", color=SKY, markersize=9, label="mean")
    ax.plot(peak, y, "D", color=VERMILION, markersize=9, label="hottest")
    ax.plot(limit, y, "|", color=BLACK, markersize=20, markeredgewidth=2.5, label="limit")
    for i, T in enumerate(peak):
        if np.isfinite(T):
            lost = float(table["work_lost"].values[i]) if "work_lost" in table else 0.0
            ax.annotate(f"{T:.0f}" + (f", {lost:.1%} of work lost" if lost >= 5e-4 else ""), (T, i), xytext=(0, 9), textcoords="offset points",
                        ha="center", fontsize=11, color=BLACK)
    known = np.concatenate([peak, mean, limit])
    if np.isfinite(known).any():
        ax.set_xlim(np.nanmin(known) - 5, np.nanmax(known) + 5)
    ax.set_xlabel("junction of the accelerators [°C]")
    ax.set_title("Silicon", pad=24)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.985), ncols=3, frameon=False, fontsize=10.5, handlelength=1.0, borderpad=0)


def _heat(ax: Axes, table: xr.Dataset) -> None:
    y = np.arange(table.sizes["design"])
    supply, leaves = table["supply_temperature"].values, table["return_temperature"].values
    ax.hlines(y, supply, leaves, color=GREY, linewidth=3)
    ax.plot(supply, y, "o", color=BLUE, markersize=9, label="supply")
    ax.plot(leaves, y, "D", color=VERMILION, markersize=9, label="return")
    for i, (T, share) in enumerate(zip(leaves, table["liquid_share"].values, strict=True)):
        if np.isfinite(T):
            ax.annotate(f"{min(share, 1.0):.0%} of heat in liquid" if share > 0 else "all heat in air", (T, i), xytext=(10, 0), textcoords="offset points",
                        va="center", fontsize=11, color=BLACK)
    if np.isfinite(leaves).any():
        low, high = np.nanmin(supply), np.nanmax(leaves)
        ax.set_xlim(low - 3, high + 0.45 * (high - low) + 3)
    ax.set_xlabel("primary coolant, mean [°C]")
    ax.set_title("Heat that leaves", pad=24)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.985), ncols=2, frameon=False, fontsize=10.5, handlelength=1.0, borderpad=0)


def _failure(ax: Axes, table: xr.Dataset) -> None:
    ax.set_title("Failure at full load", pad=24)
    ax.set_xlabel("time to the first limit [s]")
    ax.set_xscale("log")
    if "ride_through" not in table or not np.isfinite(table["ride_through"].values).any():
        ax.set_xlim(1, 1e3)
        ax.annotate("not followed", (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY)
        return
    left = table["ride_through"].values
    events = table["ride_through_event"].values
    longest = 3.0 * float(np.max(left[np.isfinite(left)]))
    ax.barh(np.arange(left.size), np.where(np.isnan(left), 0.0, np.minimum(left, longest)), color=np.where(np.isinf(left), SKY, BLUE), height=0.5)
    least = 0.5 * float(np.nanmin(np.maximum(left, 0.1)))
    for i, (t, event) in enumerate(zip(left, events, strict=True)):
        if not np.isnan(t):
            said = f"{duration_text(t)}, {event.replace('_', ' ')}" if np.isfinite(t) else f"no limit reached, {event.replace('_', ' ')}"
            ax.annotate(f" {said}", (max(min(t, longest), least), i), va="center", fontsize=11, color=BLACK)
    ax.set_xlim(least, 60.0 * longest)

"""The step response of a package with its structure function: what `thermo.package.reduce` made of it, and what layers heat passes."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thermo._style import BLACK, BLUE, GREEN, GREY, SLIDE, STYLE, VERMILION
from thermo.errors import one_line
from thermo.package import Ladder, spectrum, structure_function

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["step_response"]

BEYOND = 30.0  # times the capacity of the nodes: what is further out is the coolant


def step_response(ladder: Ladder) -> Figure:
    """Rise per watt against time and how far its ladders are off; beside it capacity against resistance from the junction outwards.

    Parameters
    ----------
    ladder : Ladder
        Of `thermo.package.reduce`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("response.png")``.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(3, 2, left=0.075, right=0.975, top=0.85, bottom=0.12, hspace=0.25, wspace=0.2)
        rise = figure.add_subplot(grid[:2, 0])
        _rise(rise, figure.add_subplot(grid[2, 0], sharex=rise), ladder)
        _structure(figure.add_subplot(grid[:, 1]), ladder)
        figure.text(0.075, 0.93, one_line(f"{ladder.package}: {ladder.junction}, {ladder.resistance:.4g} K/W at rest"), fontsize=18, weight="bold")
        figure.text(0.075, 0.025, one_line(
            f"Largest deviation, {ladder.span[0]:g} to {ladder.span[1]:g} s, over the rise at rest: fitted nodes {100 * ladder.error:.2g} %, "
            f"nodes of layers {100 * ladder.physical_error:.2g} % (no fit); error of the response {100 * ladder.response_error:.1g} %"),
            color=GREY, fontsize=10.5)
    return figure


def _rise(ax: Axes, off: Axes, ladder: Ladder) -> None:
    t, total = ladder.time, ladder.resistance
    nodes = ladder.physical.foster
    ax.semilogx(t, ladder.step, color=BLACK, lw=3.5, alpha=0.35, label="cells")
    ax.semilogx(t, ladder.foster.step(t), color=BLUE, label=f"{len(ladder.foster.resistance)} fitted nodes")
    ax.semilogx(t, nodes.step(t), color=VERMILION, ls="--", label=f"{len(ladder.physical.names)} nodes of layers")
    ax.set(title="Rise after a step of power", ylabel="K/W")
    ax.legend(loc="upper left", frameon=False)
    ax.tick_params(labelbottom=False)
    off.semilogx(t, 100 * (ladder.foster.step(t) - ladder.step) / total, color=BLUE)
    off.semilogx(t, 100 * (nodes.step(t) - ladder.step) / total, color=VERMILION, ls="--")
    off.set(xlabel="time [s]", ylabel="off [% of total]", xlim=(t[0], t[-1]))


def _structure(ax: Axes, ladder: Ladder) -> None:
    found = structure_function(spectrum(ladder.time, ladder.step, total=ladder.resistance))
    most = BEYOND * sum(ladder.physical.capacity)
    near = found.capacity < most
    ax.semilogy(found.resistance[near], found.capacity[near], color=BLACK, label="structure function of the response")
    chain = ladder.cauer
    R, C = np.concatenate(([0.0], np.cumsum(chain.resistance))), np.cumsum(chain.capacity)
    ax.stairs(C, R, color=BLUE, baseline=None, label=f"{len(C)} nodes of the Cauer ladder")
    names: dict[str, Any] = {}
    at, below, held = 0, 0.0, ladder.physical.capacity[0]
    for tail, head, R_link in ladder.physical.links:  # along the way out
        if tail == at and head == at + 1 and not ladder.physical.names[head].startswith("around"):
            names.setdefault(ladder.physical.names[at], (below, held))
            below, at = below + R_link, head
            held += ladder.physical.capacity[head]
    names.setdefault(ladder.physical.names[at], (below, held))
    for i, (name, (x, y)) in enumerate(names.items()):
        ax.plot(x, y, "o", color=VERMILION, ms=6, label="nodes of layers" if i == 0 else None)
        ax.annotate(name, (x, y), xytext=(6, -14), textcoords="offset points", color=VERMILION)
    ax.set(title="From the junction outwards", xlabel="resistance summed up [K/W]", ylabel="capacity summed up [J/K]",
           xlim=(-0.02 * ladder.resistance, 1.02 * ladder.resistance), ylim=(max(found.capacity[0], 1e-4), most))
    ax.axvline(ladder.resistance, color=GREEN, lw=1.2)
    ax.legend(loc="lower right", frameon=False, bbox_to_anchor=(0.96, 0.0))

"""Where every joule goes, as ribbons: power from the utility to the devices, and heat from the devices to where it ends."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from thermo._style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, SLIDE, STYLE, VERMILION, heading
from thermo.errors import ScenarioError, one_line
from thermo.power.metrics import energy, sankey
from thermo.summary import energy_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["heat_flows", "heat_sankey", "power_sankey", "ribbons"]

GAP = 0.045  # of the height, between two nodes of a column: a line of text fits
TALL = 0.05  # of the height, of a node beside which two lines fit
WIDTH = 0.018  # of the width, of a node
THIN = 1e-4  # of the whole: less is left out
COLOURS = {"heat": VERMILION, "fans": ORANGE, "pumps": GREEN, "heat rejection": SKY, "liquid": BLUE, "air": SKY}


def power_sankey(result: xr.Dataset) -> Figure:
    """Energy of a run from the utility through each stage to the devices, with each loss; widths are energies.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("power.png")``.
    """
    return _page(result, sankey(result), "where the power goes")


def heat_sankey(result: xr.Dataset) -> Figure:
    """Heat of a run from the devices to the coolants and the plant; see `heat_flows`."""
    return _page(result, heat_flows(result), "where the heat goes")


def heat_flows(result: xr.Dataset) -> pd.DataFrame:
    """Heat of a run, from what makes it to where it leaves: columns ``from``, ``to``, ``energy`` [J].

    The devices by kind, the servers' conversion, fans and pumps give theirs to the rack; the rack gives it to air and liquid, what it
    stores stays, or comes out. The room's plant takes what is in air, the facility's water what is in liquid, and both with what
    they draw themselves send it outdoors. What enters a node leaves it, to rounding.
    """
    kinds = result["device_kind"].to_numpy()
    rows: list[tuple[str, str, float]] = []
    for kind in dict.fromkeys(str(k) for k in kinds):
        power = result["device_power"].isel(device=np.flatnonzero(kinds == kind)).to_dataset(name="power")
        rows.append((kind, "rack", energy(power, "power")))
    rows += [("conversion", "rack", energy(result, "conversion_loss")), ("fans", "rack", energy(result, "fan_power")),
             ("pumps", "rack", energy(result, "pump_power"))]
    made = sum(row[2] for row in rows)
    to_air, to_liquid = (energy(result, name) if name in result else 0.0 for name in ("heat_to_air", "heat_to_liquid"))
    rows += [("rack", "air", to_air), ("rack", "liquid", to_liquid)]
    stored = made - to_air - to_liquid
    rows.append(("rack", "stored", stored) if stored > 0 else ("stored", "rack", -stored))
    plant = energy(result, "heat_rejection_power")
    rows += [("air", "outdoors", to_air), ("liquid", "outdoors", to_liquid), ("heat rejection", "outdoors", plant)]
    return pd.DataFrame([row for row in rows if abs(row[2]) > 0], columns=["from", "to", "energy"])


def _page(result: xr.Dataset, flows: pd.DataFrame, what: str) -> Figure:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0.03, 0.06, 0.94, 0.8))
        ribbons(ax, flows)
        title = one_line(str(result.attrs.get("title", "")))
        heading(figure, 0.03, title)
        figure.text(0.03, 0.905, f"{what}; widths are energies", fontsize=14, va="center", color=BLACK)
        figure.text(0.03, 0.025, str(result.attrs.get("source", "")), fontsize=11, color=GREY, va="center")
    return figure


def ribbons(ax: Axes, flows: pd.DataFrame) -> None:
    """Draws flows between named nodes: columns from left to right, each node as tall as what passes it.

    Parameters
    ----------
    ax : Axes
        To draw on; its axis is switched off.
    flows : DataFrame
        Columns ``from``, ``to``, ``energy`` [J]; no node may lead back to itself.

    Raises
    ------
    ScenarioError
        If there is nothing to draw, or flows lead back.
    """
    if not len(flows) or not (flows["energy"] > 0).any():
        raise ScenarioError("flows: there is no energy to draw; was the load zero?")
    whole = float(flows.groupby("from")["energy"].sum().max())
    flows = flows[flows["energy"] > THIN * whole].reset_index(drop=True)
    columns = _columns(flows)
    sizes = {node: max(float(flows.loc[flows["from"] == node, "energy"].sum()), float(flows.loc[flows["to"] == node, "energy"].sum()))
             for node in columns}
    depth = max(columns.values())
    stacks = [[node for node in columns if columns[node] == k] for k in range(depth + 1)]
    tallest = max(sum(sizes[node] for node in stack) for stack in stacks)
    scale = (1.0 - GAP * max(len(stack) - 1 for stack in stacks)) / tallest
    place: dict[str, tuple[float, float]] = {}
    for k, stack in enumerate(stacks):
        top = 1.0
        for node in stack:
            place[node] = ((k / max(depth, 1)) * (0.87 - WIDTH), top)
            top -= sizes[node] * scale + GAP
    _draw(ax, flows, place, sizes, scale)


def _columns(flows: pd.DataFrame) -> dict[str, int]:
    """Each node one column right of the last that feeds it; what nothing feeds stands one left of what it feeds."""
    pairs = list(zip(flows["from"], flows["to"], strict=True))
    column = {str(node): 0 for pair in pairs for node in pair}
    for _ in range(len(column) + 1):
        moved = False
        for a, b in pairs:
            if column[b] < column[a] + 1:
                column[b], moved = column[a] + 1, True
        if not moved:
            break
    else:
        raise ScenarioError("flows: they lead back to where they come from")
    fed = {b for _, b in pairs}
    for a in {a for a, _ in pairs} - fed:
        column[a] = min(column[b] for x, b in pairs if x == a) - 1
    return column


def _draw(ax: Axes, flows: pd.DataFrame, place: dict[str, tuple[float, float]], sizes: dict[str, float], scale: float) -> None:
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    leaving, coming = dict.fromkeys(place, 0.0), dict.fromkeys(place, 0.0)
    for a, b, amount in zip(flows["from"], flows["to"], flows["energy"], strict=True):
        (x0, top0), (x1, top1) = place[a], place[b]
        y0, y1, tall = top0 - leaving[a], top1 - coming[b], amount * scale
        leaving[a] += tall
        coming[b] += tall
        x0 += WIDTH
        middle = 0.5 * (x0 + x1)
        points = [(x0, y0), (middle, y0), (middle, y1), (x1, y1), (x1, y1 - tall), (middle, y1 - tall), (middle, y0 - tall), (x0, y0 - tall), (x0, y0)]
        codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.CLOSEPOLY]
        ax.add_patch(PathPatch(Path(points, codes), facecolor=_colour(b, a), alpha=0.45, linewidth=0))
    for node, (x, top) in place.items():
        tall = sizes[node] * scale
        ax.add_patch(Rectangle((x, top - tall), WIDTH, tall, facecolor=BLACK, linewidth=0))
        words = f"{node}{chr(10) if tall > TALL else ', '}{energy_text(sizes[node])}"
        ax.annotate(words, (x + WIDTH + 0.006, top - 0.5 * tall), va="center", ha="left", fontsize=11, color=BLACK, zorder=5,
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.6})
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.02, 1.02)
    ax.axis("off")


def _colour(to: str, origin: str) -> str:
    """Of a ribbon: by what it feeds, else by what it comes from."""
    for name in (to, origin):
        for word, colour in COLOURS.items():
            if name == word or name.startswith(f"{word}:"):
                return colour
    return BLUE



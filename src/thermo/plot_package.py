"""Pictures of a package: temperatures of a layer with its blocks, and a section through the stack."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo._style import BLACK, GREY, SLIDE, STYLE, heading
from thermo.errors import ScenarioError, nearest, one_line
from thermo.package import Channels, Package
from thermo.package.description import Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["layer_map", "section"]

Floats = NDArray[np.float64]
MM, UM = 1e3, 1e6
COLOURS = "inferno"  # rises in lightness all the way: for every colour vision, and in grey
SMALL = 0.035  # of the picture's width: names of smaller blocks are left out
SQUEEZE = 0.4  # a layer is drawn as high as this power of its thickness
LABEL = 0.036  # of the picture's height, from the name of one layer to the next


def layer_map(result: xr.Dataset, layer: str | None = None) -> Figure:
    """Temperatures of a layer seen from above, in the plane where it is hottest, with the outlines of its blocks.

    Parameters
    ----------
    result : Dataset
        Of `thermo.package.solve_steady`, or one instant of `thermo.package.solve_transient`.
    layer : str, optional
        Its name; None: the layer that is hottest.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("layer.png")``.
    """
    package, T = _told(result)
    names = [one.name for one in package.layers]
    hot = np.nanmax(T, axis=(1, 2))
    if layer is None:
        layer = str(result["layer"].values[int(np.nanargmax(hot))])
    if layer not in names:
        raise ScenarioError(f"layer_map: the package has no layer {layer!r}{nearest(layer, names)}")
    here = np.flatnonzero(result["layer"].values == layer)
    plane = T[here[int(np.nanargmax(hot[here]))]]
    one = package.layers[names.index(layer)]
    figure, ax, bar = _page()
    x, y = _edges(result["x"].values, package.footprint[0]), _edges(result["y"].values, package.footprint[2])
    drawn = ax.pcolormesh(MM * x, MM * y, np.ma.masked_invalid(plane), cmap=COLOURS, rasterized=True)
    for name, r in ((n, r) for b in one.blocks for n, r in b.places.items()):
        _outlined(ax, r, name, package.width)
    ax.set_aspect("equal")
    r = package.outline(one)
    margin = 0.03 * (r[1] - r[0])
    ax.set(xlim=(MM * (r[0] - margin), MM * (r[1] + margin)), ylim=(MM * (r[2] - margin), MM * (r[3] + margin)), xlabel="x [mm]", ylabel="y [mm]")
    at = np.unravel_index(int(np.nanargmax(plane)), plane.shape)
    ax.plot(MM * result["x"].values[at[1]], MM * result["y"].values[at[0]], "+", color="white", markersize=16, markeredgewidth=5)
    ax.plot(MM * result["x"].values[at[1]], MM * result["y"].values[at[0]], "+", color=BLACK, markersize=14, markeredgewidth=2)
    figure.colorbar(drawn, cax=bar, label="temperature [°C]")
    _words(figure, result, package, f"layer {layer!r}, hottest at the cross: {float(np.nanmax(plane)):.1f} °C, coldest {float(np.nanmin(plane)):.1f} °C")
    return figure


def section(result: xr.Dataset, *, y: float | None = None) -> Figure:
    """A section through the stack along x, layer upon layer, not to scale in z: thin layers are drawn thicker than they are.

    Parameters
    ----------
    result : Dataset
        Of `thermo.package.solve_steady`, or one instant of `thermo.package.solve_transient`.
    y : float, optional
        Where it is cut; None: through the hottest place. [m]
    """
    package, T = _told(result)
    j = int(np.unravel_index(int(np.nanargmax(T)), T.shape)[1]) if y is None else int(np.argmin(abs(result["y"].values - y)))
    thickness = np.array([layer.thickness for layer in package.layers])
    height = thickness**SQUEEZE / (thickness**SQUEEZE).sum()
    low = np.concatenate([[0.0], np.cumsum(height)])
    bottom = np.concatenate([[0.0], np.cumsum(thickness)])
    z = np.interp(_edges(result["z"].values, 0.0), bottom, low)
    x = _edges(result["x"].values, package.footprint[0])
    figure, ax, bar = _page(right=0.73)
    cut = np.ma.masked_invalid(T[:, j])
    ax.set_facecolor("#E8E8E8")
    drawn = ax.pcolormesh(MM * x, z, cut, cmap=COLOURS, rasterized=True)
    middles = 0.5 * (low[1:] + low[:-1])
    for n, (layer, middle, label) in enumerate(zip(package.layers, middles, _apart(middles), strict=True)):
        ax.axhline(low[n + 1], color="white", linewidth=0.8, alpha=0.8)
        ax.annotate(f"{layer.name}  {_thick(layer.thickness)}", (1.0, middle), (1.012, label), xycoords=ax.get_yaxis_transform(),
                    textcoords=ax.get_yaxis_transform(), fontsize=12, va="center", annotation_clip=False)
        if isinstance(layer, Channels) and layer.along_x:
            ax.text(0.0, middle, f"{layer.fluid.name}  {'→' if layer.direction == '+x' else '←'}", ha="center", va="center", color=BLACK, fontsize=12,
                    bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85})
    ax.set(xlim=(MM * x[0], MM * x[-1]), ylim=(0, 1), xlabel="x [mm]", ylabel="layers, bottom to top (not to scale)")
    ax.set_yticks([])
    ax.grid(visible=False)
    figure.colorbar(drawn, cax=bar, label="temperature [°C]")
    _words(figure, result, package, f"section at y = {MM * float(result['y'].values[j]):.2f} mm, {float(cut.min()):.1f} to {float(cut.max()):.1f} °C; grey: void or coolant")
    return figure


def _told(result: xr.Dataset) -> tuple[Package, Floats]:
    if "package" not in result.attrs or "temperature" not in result or result["temperature"].ndim != 3:
        raise ScenarioError("expected a result of thermo.package.solve_steady, or one instant of solve_transient (.isel(time=-1))")
    return (Package.from_mapping(json.loads(result.attrs["package"]), "package"), result["temperature"].transpose("z", "y", "x").values)


def _edges(middles: Floats, first: float) -> Floats:
    """Edges of cells from their middles and the first edge."""
    edges = np.empty(len(middles) + 1)
    edges[0] = first
    for i, m in enumerate(middles):
        edges[i + 1] = 2 * m - edges[i]
    return edges


def _apart(at: Floats) -> Floats:
    """Places of labels, moved so that none covers another."""
    out, least = at.copy(), min(LABEL, 0.98 / len(at))
    for i in range(1, len(out)):
        out[i] = max(out[i], out[i - 1] + least)
    out -= max(out[-1] - (1 - 0.5 * least), 0.0)
    for i in range(len(out) - 2, -1, -1):
        out[i] = min(max(out[i], at[i]), out[i + 1] - least)
    return out


def _thick(t: float) -> str:
    return f"{MM * t:.3g} mm" if t >= 1e-4 else f"{UM * t:.3g} µm"


def _page(right: float = 0.86) -> tuple[Figure, Axes, Axes]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0.07, 0.11, right - 0.07, 0.74))
        bar = figure.add_axes((0.90, 0.11, 0.018, 0.74))
        ax.grid(visible=False)
    return figure, ax, bar


def _outlined(ax: Axes, r: Rectangle, name: str, width: float) -> None:
    from matplotlib.patches import Rectangle as Patch
    from matplotlib.patheffects import withStroke

    effects: Any = [withStroke(linewidth=3.2, foreground=BLACK)]
    ax.add_patch(Patch((MM * r[0], MM * r[2]), MM * (r[1] - r[0]), MM * (r[3] - r[2]), fill=False, edgecolor="white", linewidth=1.4, path_effects=effects))
    if r[1] - r[0] > SMALL * width:
        ax.text(MM * 0.5 * (r[0] + r[1]), MM * r[3] - 0.02 * MM * width, name, ha="center", va="top", fontsize=12, color="white", path_effects=effects)


def _words(figure: Figure, result: xr.Dataset, package: Package, line: str) -> None:
    title = one_line(package.title or package.name)
    heading(figure, 0.07, title)
    figure.text(0.07, 0.905, line, fontsize=14, va="center", color=BLACK)
    error = result.get("discretisation_error")
    parts = [f"{float(result['block_power'].sum()):.4g} W", f"method {result.attrs['method']}",
             f"error of discretisation {float(error):.2g} K" if error is not None and error.ndim == 0 else "", str(result.attrs.get("source", ""))]
    figure.text(0.07, 0.025, "  |  ".join(p for p in parts if p), fontsize=11, color=GREY, va="center")

"""A result on one page: power, junctions against their limits, air in and out, fans, and the energy balance below. A map of a
design on another: headroom over supply temperature and flow, and what the flow costs. Pictures of packages are `thermo.plot_package`."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo._style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, SLIDE, STYLE, VERMILION, heading
from thermo.errors import ScenarioError, one_line
from thermo.plot_package import layer_map, section
from thermo.summary import Facts, accelerators, duration_text, facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Envelope", "envelope", "headroom_map", "layer_map", "rack_story", "section"]

Floats = NDArray[np.float64]
POINTS = 1000  # intervals across a panel: finer than a slide shows
FOOTER = 140  # characters that fit under the panels


@dataclass(frozen=True)
class Envelope:
    """A long series in few points: the least, largest and mean value in each interval, at the interval's beginning."""

    x: NDArray[Any]
    low: Floats
    high: Floats
    mean: Floats


def envelope(x: NDArray[Any], y: Floats, points: int = POINTS) -> Envelope:
    """`y` against `x` in at most `points` intervals, the last one closed at the last sample; no peak is lost.

    Parameters
    ----------
    x : ndarray, shape (time,)
        Times.
    y : ndarray, shape (time,) or (time, column)
        Values; the columns are taken together.
    points : int
        Fewer samples than twice this are kept as they are.
    """
    columns = y.reshape(y.shape[0], -1)
    low, high, mean = columns.min(axis=1), columns.max(axis=1), columns.mean(axis=1)
    n = x.shape[0]
    if n <= 2 * points:
        return Envelope(x, low, high, mean)
    starts = np.linspace(0, n, points, endpoint=False).astype(np.intp)

    def closed(values: NDArray[Any]) -> NDArray[Any]:
        return np.append(values, values[-1:])

    return Envelope(np.append(x[starts], x[-1:]), closed(np.minimum.reduceat(low, starts)),
                    closed(np.maximum.reduceat(high, starts)),
                    closed(np.add.reduceat(mean, starts) / np.diff(np.append(starts, n))))


def rack_story(result: xr.Dataset) -> Figure:
    """The rack's story on one page, for a slide of 16:9.

    Power (IT, fans, utility); the hottest and the coldest of the driven devices against their limits; air in and out;
    fans' duty and flow; the largest energy residual in the footer. Series of more than some 2,000 samples are drawn as their mean in
    each of 1,000 intervals with a band from the least to the largest value.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`, or read back from a file.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("story.png")``.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = facts(result)
    with matplotlib.rc_context({**STYLE, "hatch.color": GREY, "hatch.linewidth": 0.5}):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, left=0.07, right=0.915, top=0.845, bottom=0.135, hspace=0.36, wspace=0.27)
        power = figure.add_subplot(grid[0, 0])
        junction = figure.add_subplot(grid[0, 1], sharex=power)
        air = figure.add_subplot(grid[1, 0], sharex=power)
        below = grid[1, 1].subgridspec(2, 1, hspace=0.22)
        duty = figure.add_subplot(below[0], sharex=power)
        flow = figure.add_subplot(below[1], sharex=power)
        x, label = _clock(result)
        _power_panel(power, x, result)
        _junction_panel(junction, x, result, known)
        _coolant_panel(air, x, result)
        _fan_panels(duty, flow, x, result)
        for ax in (power, junction, duty):
            ax.tick_params(labelbottom=False)
        for ax in (air, flow):
            ax.set_xlabel(label)
        _time_axis(power, x)
        _words(figure, result, known)
    return figure


# --------------------------------------------------------------------------------------------------------------- time

def _clock(result: xr.Dataset) -> tuple[NDArray[Any], str]:
    """Times as they are drawn and the label of their axis."""
    times = result["time"].to_numpy()
    if np.issubdtype(times.dtype, np.datetime64):
        return times.astype("datetime64[us]"), "time"
    span = float(times[-1] - times[0])
    for least, unit, size in ((4 * 86400.0, "d", 86400.0), (3 * 3600.0, "h", 3600.0), (600.0, "min", 60.0)):
        if span >= least:
            return times / size, f"time [{unit}]"
    return np.asarray(times, dtype=np.float64), "time [s]"


def _time_axis(ax: Axes, x: NDArray[Any]) -> None:
    if np.issubdtype(x.dtype, np.datetime64):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=6)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    if x[-1] > x[0]:
        ax.set_xlim(x[0], x[-1])


def _draw(ax: Axes, x: NDArray[Any], y: Floats, colour: str, label: str, *, means: bool = False, dashes: str = "-",
          band: str = "") -> None:
    """One series: a line, a band where there is more than a line to see. Means over intervals are drawn as steps."""
    style: dict[str, Any] = {"drawstyle": "steps-post"} if means else {}
    if means and x.shape[0] > 1:  # the last value holds for an instant: no interval to draw it over
        y = np.concatenate([y[:-1], y[-2:-1]])
    e = envelope(x, y)
    if np.any(e.high > e.low):
        ax.fill_between(e.x, e.low, e.high, color=colour, alpha=0.25, linewidth=0, step="post" if means else None,
                        label=band or None)
    marker = "o" if x.shape[0] == 1 else None
    ax.plot(e.x, e.mean, color=colour, linestyle=dashes, label=label, marker=marker, **style)


def _legend(ax: Axes, **more: Any) -> None:
    """Above the data, on the title's line, so that it hides nothing."""
    ax.legend(**{"loc": "lower right", "bbox_to_anchor": (1.0, 0.985), "ncols": 4, "frameon": False, "borderaxespad": 0.0,
                 "handlelength": 1.5, "columnspacing": 1.1, "handletextpad": 0.5} | more)


# ------------------------------------------------------------------------------------------------------------- panels

def _power_panel(ax: Axes, x: NDArray[Any], result: xr.Dataset) -> None:
    top = float(np.nanmax(result["utility_power"].values))
    size, unit = (1e6, "MW") if top >= 1e6 else (1e3, "kW") if top >= 1e3 else (1.0, "W")
    for name, colour, label, dashes in (("utility_power", BLACK, "utility", "-"), ("it_power", BLUE, "IT", "-"),
                                        ("fan_power", ORANGE, "fans", "-"), ("pump_power", GREEN, "pumps", "--")):
        if name == "pump_power" and (name not in result or not np.any(result[name].values > 0)):
            continue
        _draw(ax, x, result[name].values / size, colour, label, means=True, dashes=dashes)
    ax.set_ylim(0, 1.06 * top / size if top > 0 else 1)
    ax.set_ylabel(f"power [{unit}]")
    ax.set_title("Power")
    _legend(ax)


def _junction_panel(ax: Axes, x: NDArray[Any], result: xr.Dataset, known: Facts) -> None:
    junction = result["junction_temperature"].transpose("time", "server", "device")
    names = result["device"].values.tolist()
    driven = junction.values[:, :, accelerators(result)].reshape(junction.sizes["time"], -1)
    driven = driven[:, ~np.isnan(driven[0])]
    many = known.servers > 1
    if driven.shape[1] > 2:
        e = envelope(x, driven)
        ax.fill_between(e.x, e.low, e.high, color=GREY, alpha=0.22, linewidth=0, label="all")
    for which, device, server, colour in (("coldest", known.coldest_device, known.coldest_server, SKY),
                                          ("hottest", known.hottest_device, known.hottest_server, VERMILION)):
        if which == "coldest" and (device, server) == (known.hottest_device, known.hottest_server):
            continue
        y = junction.sel(server=server).isel(device=names.index(device)).values
        _draw(ax, x, y, colour, f"{which}: {f's{server} ' if many else ''}{device}")
    _limits(ax, result, names.index(known.hottest_device))
    ax.set_ylabel("junction [°C]")
    ax.set_title("Junctions")
    _legend(ax, bbox_to_anchor=(1.2, 0.985), handlelength=1.1, columnspacing=0.9)  # over the names of the limits too


def _limits(ax: Axes, result: xr.Dataset, device: int) -> None:
    """The hottest device's limits as lines, named in the right margin, one above the other."""
    shown = []
    for name, label, dashes in (("max_operating_temperature", "max", "--"), ("slowdown_temperature", "slowdown", "-."),
                                ("shutdown_temperature", "shutdown", ":")):
        if name in result.coords and np.isfinite(limit := float(result[name].values[device])):
            ax.axhline(limit, color=BLACK, linestyle=dashes, linewidth=1.4)
            shown.append((limit, label))
    low, high = ax.get_ylim()
    if shown:
        high = max(high, max(limit for limit, _ in shown) + 0.09 * (high - low))
    ax.set_ylim(low, high)
    at, step = -np.inf, 0.075 * (high - low)
    for limit, label in shown:
        at = max(limit, at + step)
        ax.annotate(f"{label} {limit:g}", (1.0, limit), (1.012, at), xycoords=ax.get_yaxis_transform(),
                    textcoords=ax.get_yaxis_transform(), fontsize=11, va="center", color=BLACK, annotation_clip=False)


def _coolant_panel(ax: Axes, x: NDArray[Any], result: xr.Dataset) -> None:
    liquid = "heat_to_liquid" in result and bool(np.any(result["heat_to_liquid"].values > 0))
    supply = result["supply_temperature"].values
    _draw(ax, x, result["return_temperature"].values, VERMILION, "out, mixed")
    if "coolant_temperature" in result and "inlet" in result["position"].values:
        inlet = result["coolant_temperature"].sel(position="inlet").transpose("time", "server").max("server").values
        if np.nanmax(inlet - supply) > 0.05:
            _draw(ax, x, inlet, ORANGE, "in, warmest server", dashes="--")
    _draw(ax, x, supply, BLUE, "in, supply")
    ax.set_ylabel(f"{'coolant' if liquid else 'air'} [°C]")
    ax.set_title("Coolant" if liquid else "Air")
    ax.margins(y=0.08)
    _legend(ax)


def _fan_panels(duty: Axes, flow: Axes, x: NDArray[Any], result: xr.Dataset) -> None:
    many = result.sizes["server"] > 1
    mean, band = ("mean of servers", "least to most") if many else ("", "")
    fans = "fan_duty" in result and bool(np.all(np.isfinite(result["fan_duty"].values)))
    if fans:
        y = result["fan_duty"].transpose("time", "server").values
        _draw(duty, x, 100 * y, GREEN, mean, means=True, band=band)
    else:
        duty.text(0.5, 0.5, "no fans", transform=duty.transAxes, ha="center", va="center", color=GREY)
    duty.set_ylim(0, 105)
    duty.set_yticks([0, 50, 100])
    duty.set_ylabel("duty [%]")
    duty.set_title("Fans" if fans else "Flow")
    if many and fans:
        _legend(duty)
    y = result["mass_flow"].transpose("time", "server").values
    _draw(flow, x, y, BLUE, "flow of a server", means=True)
    flow.set_ylim(0, 1.1 * float(np.nanmax(y)) or 1)
    flow.set_ylabel("flow [kg/s]")
    flow.locator_params(axis="y", nbins=2)
    for ax in (duty, flow):
        ax.yaxis.set_label_coords(-0.1, 0.5)


def _words(figure: Figure, result: xr.Dataset, known: Facts) -> None:
    """Title, what happened in one line, and the footer with the energy balance."""
    servers = f"{known.servers} server" + ("s" if known.servers != 1 else "")
    above = ""
    if np.isfinite(known.limit):
        above = (f", above its limit for up to {duration_text(known.time_above)}" if known.time_above > 0
                 else f", {known.limit - known.peak_junction:.1f} K below its limit")
    figure.text(0.07, 0.955, one_line(str(result.attrs.get("title", "Rack: heat and power"))), fontsize=20, fontweight="bold",
                va="center")
    place = known.hottest_device + (f" of server {known.hottest_server}" if known.servers > 1 else "")
    figure.text(0.07, 0.908, f"{servers}, {duration_text(known.duration)}: hottest junction {known.peak_junction:.1f} °C "
                f"({place}){above}; mean PUE {known.pue_mean:.2f}", fontsize=14, va="center", color=BLACK)
    footer = [f"Energy residual at most {known.residual:.1e} W ({known.residual_share:.1e} of IT power)",
              str(result.attrs.get("source", "")), f"solver {result.attrs['solver']}" if "solver" in result.attrs else "",
              f"workload: {source}" if (source := str(result.attrs.get("workload_source", ""))) else ""]
    if warned := len(json.loads(result.attrs.get("warnings", "[]"))):
        footer.insert(1, f"{warned} warning{'s' if warned > 1 else ''}, see attrs")
    line = one_line("  |  ".join(part for part in footer if part))
    figure.text(0.07, 0.025, line if len(line) <= FOOTER else line[:FOOTER - 1] + "…", fontsize=11, color=GREY, va="center")


# --------------------------------------------------------------------------------------------------------------- maps

def headroom_map(found: xr.Dataset) -> Figure:
    """A map of a design: where all devices stay within their limits, how far from them, and the power of pumps and fans below.

    The heavy line is where the first device reaches its limit; beyond it, hatched, firmware slows devices down or they run too
    hot. Words say which device limits, at the middle of each part of the map where it does.

    Parameters
    ----------
    found : Dataset, dims (supply_temperature, flow)
        Of `thermo.design.flow_map`, two values or more along each dim.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to pyplot: save it with ``figure.savefig("map.png")``.

    Raises
    ------
    ScenarioError
        If it is not such a map.
    """
    if "headroom" not in found or found["headroom"].dims != ("supply_temperature", "flow") or min(found["headroom"].shape) < 2:
        raise ScenarioError("headroom_map: expected a map of thermo.design.flow_map with two temperatures and two flows or more")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    share = found["flow"].attrs["units"] == "1"
    x, y = found["flow"].values * (100.0 if share else 1.0), found["supply_temperature"].values
    with matplotlib.rc_context({**STYLE, "hatch.color": GREY, "hatch.linewidth": 0.5}):
        figure = Figure(figsize=SLIDE, dpi=120)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, left=0.07, right=0.93, top=0.855, bottom=0.095, hspace=0.13, wspace=0.03,
                                   height_ratios=(3.2, 1.0), width_ratios=(1.0, 0.025))
        top = figure.add_subplot(grid[0, 0])
        below = figure.add_subplot(grid[1, 0], sharex=top)
        _headroom_panel(figure, top, figure.add_subplot(grid[0, 1]), x, y, found)
        _flow_power_panel(below, x, found)
        name = found.attrs["flow_of"].replace("_", " ")
        below.set_xlabel(f"{name} [% of rated]" if share else f"{name} [{found['flow'].attrs['units']}]")
        below.set_xlim(x[0], x[-1])
        title = one_line(str(found.attrs["title"]))
        heading(figure, 0.07, title)
        figure.text(0.07, 0.905, _map_in_words(found), fontsize=14, va="center", color=BLACK)
    return figure


def _headroom_panel(figure: Figure, ax: Axes, bar: Axes, x: Floats, y: Floats, found: xr.Dataset) -> None:
    Z = np.ma.masked_invalid(found["headroom"].values)
    reach = max(5.0 * np.ceil(min(float(np.max(np.abs(Z))), 30.0) / 5.0), 5.0)  # K; what is hotter is all one colour
    filled = ax.contourf(x, y, Z, levels=np.linspace(-reach, reach, 25), cmap="RdBu", alpha=0.75, extend="both")
    if Z.min() < 0:
        ax.contourf(x, y, Z, levels=[min(float(Z.min()), -reach) - 1.0, 0.0], colors="none", hatches=["//"])
    steps = np.arange(-reach, reach + 1, 5.0)
    ax.clabel(ax.contour(x, y, Z, levels=steps[steps != 0], colors=BLACK, linewidths=0.8), fmt="%g K", fontsize=11)
    if Z.min() < 0 < Z.max():
        ax.contour(x, y, Z, levels=[0.0], colors=BLACK, linewidths=3.2)
    ax.grid(visible=False)
    ax.set_ylabel(f"{found.attrs['temperature_of'].replace('_', ' ')} [°C]")
    ax.tick_params(labelbottom=False)
    names = found["limiting"].values
    for name in dict.fromkeys(names.ravel().tolist()):
        rows, columns = np.nonzero(names == name)
        if name and rows.size >= 0.05 * names.size:
            middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            at = x[columns[middle]]
            side = "left" if at < x[0] + 0.1 * (x[-1] - x[0]) else "right" if at > x[-1] - 0.1 * (x[-1] - x[0]) else "center"
            ax.annotate(f"limit: {name}", (at, y[rows[middle]]), ha=side, va="center", fontsize=12, color=BLACK, zorder=10,
                        bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "none"})
    figure.colorbar(filled, cax=bar, label="headroom [K]", ticks=np.arange(-reach, reach + 1, 5.0))


def _flow_power_panel(ax: Axes, x: Floats, found: xr.Dataset) -> None:
    top = 0.0
    for variable, colour, label in (("pump_power", GREEN, "pumps"), ("fan_power", ORANGE, "fans")):
        values = found[variable].values
        if not np.any(values > 0):
            continue
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(x, np.nanmean(values, axis=0), color=colour, label=label)
        top = max(top, float(np.nanmax(values)))
    ax.set_ylim(0, 1.08 * top or 1.0)
    ax.set_ylabel("power [W]")
    _legend(ax, loc="upper left", bbox_to_anchor=(0.0, 1.0))


def _map_in_words(found: xr.Dataset) -> str:
    """What the map says, in one line."""
    holds, servers, load = found["feasible"].values, found.attrs["servers"], found.attrs["load"]
    margin = float(found.attrs["margin"])
    who = f"{servers} server{'s' if servers != 1 else ''} at {f'{load:.0%} load' if found.attrs['load_units'] == '1' else f'{load:g} W a device'}"
    limits = f"their limits{f' less {margin:g} K' if margin else ''}"
    if not holds.any():
        return f"{who}: nowhere on this map are all devices within {limits}"
    warmest = float(found["supply_temperature"].values[holds.any(axis=1)].max())
    return f"{who}: within {limits} at {holds.mean():.0%} of the points, up to {warmest:g} °C; hatched: too hot at full clock"

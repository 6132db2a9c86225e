"""A result or a comparison as one HTML file that needs nothing else: it opens from a disk without a network, on a phone or a projector.

Summary, pictures to look around in (Plotly, inside the file), energy balance, warnings, assumptions with the source and trust mark of every
number of the library that went in, and the scenario to run it again. Long series are drawn as their least and largest value in each
of `POINTS` intervals, so that no peak is lost and the file stays small. All text of a result is escaped: a title cannot become a
script.
"""
from __future__ import annotations

import html
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo._style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from thermo.compare import FIGURES, OTHERS
from thermo.errors import OutputError, ScenarioError, shown
from thermo.plot import envelope
from thermo.plot_flows import heat_flows
from thermo.plot_rack import server_heights
from thermo.power.metrics import sankey
from thermo.summary import accelerators, facts, seconds, summary_rows

__all__ = ["html_report", "write_report"]

Floats = NDArray[np.float64]
POINTS = 700  # intervals of a series: finer than a screen
FRAMES = 60  # of the rack's front over time
MARK = "<!-- thermo report -->"
STYLE = """
:root { color-scheme: light; } * { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 1500px; padding: 1rem clamp(.6rem, 3vw, 2.5rem) 3rem; }
h1 { font-size: clamp(1.4rem, 3vw, 2.1rem); line-height: 1.2; margin: .6rem 0; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: .28rem .8rem .28rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; } td.n, th.n { text-align: right; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 1rem; }
.two > * { min-width: 0; } .plot { width: 100%; min-height: 380px; } .warning { border-left: 4px solid #D55E00; padding: .2rem .8rem; margin: .4rem 0; background: #fdf3ec; }
.quiet { color: #555; font-size: .9rem; } pre { white-space: pre-wrap; word-break: break-all; background: #f5f5f5; padding: .8rem; max-height: 26rem; overflow: auto; }
select { font: inherit; padding: .25rem .5rem; } details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; } nav a { margin-right: 1rem; }
@media print { nav, select { display: none; } }
"""
LAYOUT: dict[str, Any] = {"margin": {"l": 60, "r": 20, "t": 64, "b": 48}, "font": {"size": 14, "color": BLACK}, "paper_bgcolor": "white",
                          "plot_bgcolor": "white", "hovermode": "x unified", "legend": {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom", "traceorder": "normal"},
                          "xaxis": {"gridcolor": "#ddd", "zeroline": False}, "yaxis": {"gridcolor": "#ddd", "zeroline": False}}


def write_report(data: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes `html_report` to a file; if it raises, nothing has changed.

    Raises
    ------
    OutputError
        If it cannot be written there, or something else than a report is.
    ScenarioError
        If `data` is neither a result nor a comparison.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{shown(str(path))}: a report is written as .html")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OutputError(f"{shown(str(path))}: is no regular file; give another name")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(str(path))}: there is no folder {shown(str(path.parent))}; make it first")
    if path.exists():
        if not overwrite:
            raise OutputError(f"{shown(str(path))}: is there already; give another name, or overwrite")
        with path.open("rb") as file:
            if MARK.encode() not in file.read(400):
                raise OutputError(f"{shown(str(path))}: is not a report that thermo made, so it is not overwritten; give another name")
    text = html_report(data)
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{shown(str(path))}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def html_report(data: xr.Dataset) -> str:
    """The report as text.

    Parameters
    ----------
    data : Dataset
        Of `thermo.simulate_rack` or `thermo.compare_cooling`, or read back from a file.

    Raises
    ------
    ScenarioError
        If it is neither.
    """
    if data.sizes.get("time", 1) == 0:
        raise ScenarioError("report: this Dataset has no samples in time; was it selected down to nothing?")
    if "design" in data.dims and "peak_junction_temperature" in data:
        parts = _comparison(data)
    elif "junction_temperature" in data and "it_power" in data:
        parts = _result(data)
    else:
        raise ScenarioError("report: this Dataset is neither a result of simulate_rack nor a table of compare_cooling")
    return _page(str(data.attrs.get("title", "thermo")), str(data.attrs.get("source", "")), parts)


# ----------------------------------------------------------------------------------------------------------------- the two kinds

def _result(result: xr.Dataset) -> list[str]:
    known = facts(result)
    limit = f"{known.limit - known.peak_junction:.1f} K below its limit" if np.isfinite(known.limit) else "its limit is not known"
    above = "" if known.time_above == 0 else ", for some time above it"
    words = (f"Hottest junction {known.peak_junction:.1f} °C ({known.hottest_device} of server {known.hottest_server}; {limit}{above}). "
             f"Mean PUE {known.pue_mean:.3f}. {known.work_lost:.2%} of the work was lost to clocks. The energy balance closes to "
             f"{known.residual_share:.1e} of IT power.")
    figures = [("power", _series(result, [("utility_power", "utility", BLACK), ("it_power", "IT", BLUE), ("fan_power", "fans", ORANGE),
                                             ("pump_power", "pumps", GREEN)], "power [kW]", 1e-3)),
               ("junctions", _junctions(result)),
               ("coolant", _series(result, [("supply_temperature", "supply", BLUE), ("return_temperature", "return", VERMILION)], "coolant [°C]")),
               ("balance", _series(result, [("energy_residual", "residual", GREY)], "energy residual [W]"))]
    return [f"<p>{html.escape(words)}</p>", _warnings(result.attrs.get("warnings", "[]")),
            _section("Summary", _table([], summary_rows(result))),
            _section("Over time", '<div class="two">' + "".join(_figure(name, figure) for name, figure in figures) + "</div>"),
            _section("The rack", _figure("front", _front(result)) + '<p class="quiet">Each row is a server, from the bottom of the rack up; drag the slider.</p>'),
            _section("Where the power goes", _figure("flows", _sankey(sankey(result)))),
            _section("Where the heat goes", _figure("heat", _sankey(heat_flows(result)))),
            _assumptions([result.attrs.get("scenario", "")]), _scenario({"": str(result.attrs.get("scenario", ""))})]


def _comparison(table: xr.Dataset) -> list[str]:
    labels = [str(label) for label in table["design"].values]
    numbers = [name for name in (*FIGURES, *OTHERS) if name in table]
    head = ["", *labels]
    rows = []
    for name in numbers:
        unit, factor = {"J": ("kWh", 1 / 3.6e6), "W": ("kW", 1e-3)}.get(table[name].attrs["units"], (table[name].attrs["units"], 1.0))
        rows.append([f"{table[name].attrs['long_name']}{'' if unit == '1' else f' [{unit}]'}",
                     *(_number(float(table[name].sel(design=label)) * factor) for label in labels)])
    rows.append(["what fails", *(str(table["ride_through_event"].sel(design=label).values).replace("_", " ") for label in labels)])
    notes = []
    for label in labels:
        for what, words in (("error", "not possible"), ("sizing_error", "as given, because")):
            if text := str(table[what].sel(design=label).values):
                notes.append(f"{label}: {words}: {text}")
    said = [f"{label}: {warning}" for label in labels for warning in json.loads(str(table["warnings"].sel(design=label).values) or "[]")]
    traced = _table(["number", "made from"], [[table[name].attrs["long_name"], table[name].attrs["made_from"]] for name in numbers])
    parts = [f"<p>Rule: {html.escape(str(table.attrs.get('rule', '')))}.</p>", _warnings(json.dumps(notes + said)),
             _section("Side by side", '<div class="two">' + _figure("parts", _bars(table)) + _figure("hot", _dots(table)) + "</div>"),
             _section("All numbers", f'<div class="wide">{_table(head, rows, numeric=True)}</div>'
                      + f"<details><summary>What each number is made from</summary>{traced}</details>")]
    if "time" in table.dims:
        ran = [label for label in labels if not str(table["error"].sel(design=label).values)]
        options = "".join(f"<option>{html.escape(label)}</option>" for label in ran)
        figures = {label: [_series(table.sel(design=label), [("utility_power", "utility", BLACK), ("it_power", "IT", BLUE), ("fan_power", "fans", ORANGE),
                                                              ("pump_power", "pumps", GREEN)], "power [kW]", 1e-3),
                           _series(table.sel(design=label), [("hottest_junction_temperature", "hottest accelerator", VERMILION),
                                                              ("return_temperature_over_time", "coolant return", ORANGE),
                                                              ("supply_temperature_over_time", "coolant supply", BLUE)], "temperature [°C]")]
                   for label in ran}
        parts.append(_section("Over time", f'<label>Design <select id="design">{options}</select></label><div class="two"><div id="over0" class="plot"></div>'
                              f'<div id="over1" class="plot"></div></div><script>const designs = {_json(figures)};'
                              "function showDesign(name) { designs[name].forEach((f, i) => Plotly.react('over' + i, f.data, f.layout, config)); }"
                              "const choice = document.getElementById('design'); choice.addEventListener('change', () => showDesign(choice.value));"
                              "if (choice.value) showDesign(choice.value);</script>"))
    scenarios = {label: str(table["scenario"].sel(design=label).values) for label in labels if str(table["scenario"].sel(design=label).values)}
    return [*parts, _assumptions(scenarios.values()), _scenario(scenarios)]


# -------------------------------------------------------------------------------------------------------------------- figures

def _times(data: xr.Dataset) -> tuple[NDArray[Any], str]:
    times = data["time"].to_numpy()
    if np.issubdtype(times.dtype, np.datetime64):
        return times, ""
    return times, "time [s]"


def _trace(x: NDArray[Any], y: Floats, label: str, colour: str) -> dict[str, Any]:
    """One line; a long one goes from least to largest in each interval."""
    drawn = envelope(x, y, POINTS)
    long = x.size > 2 * POINTS
    at = np.repeat(drawn.x, 2) if long else drawn.x
    values = np.column_stack([drawn.low, drawn.high]).ravel() if long else drawn.mean
    clock = np.datetime_as_string(at, unit="ms").tolist() if at.dtype.kind == "M" else at.tolist()
    return {"x": clock, "y": _rounded(values), "name": label, "mode": "lines", "line": {"color": colour, "width": 1.8}}


def _rounded(values: Floats) -> list[float | None]:
    """Six digits: what a screen shows, in a file that is sent about."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values.tolist()]


def _series(data: xr.Dataset, lines: Sequence[tuple[str, str, str]], unit: str, factor: float = 1.0) -> dict[str, Any]:
    x, clock = _times(data)
    traces = [_trace(x, data[name].values * factor, label, colour) for name, label, colour in lines
              if name in data and np.isfinite(data[name].values).any() and (np.any(data[name].values != 0) or name == "energy_residual")]
    return {"data": traces, "layout": _layout(unit, clock)}


def _layout(y: str, x: str) -> dict[str, Any]:
    return LAYOUT | {"xaxis": LAYOUT["xaxis"] | {"title": {"text": x}}, "yaxis": LAYOUT["yaxis"] | {"title": {"text": y}}}


def _junctions(result: xr.Dataset) -> dict[str, Any]:
    driven = accelerators(result)
    junction = result["junction_temperature"].isel(device=driven)
    x, clock = _times(result)
    traces = [_trace(x, junction.max(("server", "device")).values, "hottest", VERMILION), _trace(x, junction.mean(("server", "device")).values, "mean", SKY)]
    layout = _layout("junction of the accelerators [°C]", clock)
    shapes, notes = [], []
    for name, words in (("max_operating_temperature", "operating limit"), ("slowdown_temperature", "slowdown"), ("shutdown_temperature", "shutdown")):
        if name in result.coords:
            limit = float(np.nanmin(values)) if np.isfinite(values := result[name].isel(device=driven).values).any() else np.nan
            if np.isfinite(limit):
                shapes.append({"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": limit, "y1": limit, "line": {"color": BLACK, "dash": "dash", "width": 1}})
                notes.append({"xref": "paper", "x": 1, "y": limit, "text": f"{words} {limit:g} °C", "showarrow": False, "xanchor": "right", "yanchor": "bottom"})
    return {"data": traces, "layout": layout | {"shapes": shapes, "annotations": notes}}


def _front(result: xr.Dataset) -> dict[str, Any]:
    """The rack's front as a map of accelerators, with a slider over time."""
    driven = accelerators(result)
    junction = result["junction_temperature"].isel(device=driven).transpose("time", "server", "device").values
    t = seconds(result)
    steps = np.unique(np.round(np.linspace(0, t.size - 1, min(FRAMES, t.size))).astype(int))
    bottoms, _ = server_heights(result)
    low, high = float(np.nanmin(junction)), float(np.nanmax(junction))
    names = [str(n) for n in result["device"].values[driven]]
    rows = [f"U{bottom:g}, server {s}" for bottom, s in zip(bottoms, result["server"].values, strict=True)]

    def heat(k: int) -> dict[str, Any]:
        return {"type": "heatmap", "x": names, "y": rows, "z": [_rounded(np.round(row, 1)) for row in junction[k]], "zmin": low, "zmax": max(high, low + 1),
                "colorscale": "Cividis", "colorbar": {"title": {"text": "°C"}}, "hovertemplate": "%{y}, %{x}: %{z} °C<extra></extra>"}

    frames = [{"name": str(int(k)), "data": [heat(int(k))]} for k in steps]
    slider = {"currentvalue": {"prefix": "at "}, "pad": {"t": 40}, "steps": [
        {"label": f"{t[k]:g} s", "method": "animate", "args": [[str(int(k))], {"mode": "immediate", "frame": {"duration": 0, "redraw": True},
                                                                              "transition": {"duration": 0}}]} for k in steps]}
    layout = LAYOUT | {"sliders": [slider], "height": int(min(200 + 22 * len(rows) + 100, 1500)), "hovermode": "closest",
                       "margin": {"l": 130, "r": 20, "t": 20, "b": 60}}
    return {"data": [heat(int(steps[0]))], "layout": layout, "frames": frames}


def _sankey(flows: Any) -> dict[str, Any]:
    nodes = list(dict.fromkeys([*flows["from"], *flows["to"]]))
    return {"data": [{"type": "sankey", "valueformat": ".4s", "valuesuffix": " kWh", "node": {"label": [str(n) for n in nodes], "pad": 18, "thickness": 14, "color": BLACK},
                      "link": {"source": [nodes.index(a) for a in flows["from"]], "target": [nodes.index(b) for b in flows["to"]],
                               "value": _rounded(flows["energy"].to_numpy() / 3.6e6), "color": "rgba(0,114,178,.35)"}}],
            "layout": LAYOUT | {"height": 460, "margin": {"l": 10, "r": 10, "t": 10, "b": 10}}}


def _bars(table: xr.Dataset) -> dict[str, Any]:
    labels = [str(label) for label in table["design"].values]
    it = table["it_energy"].values
    traces = [{"type": "bar", "orientation": "h", "y": labels, "x": _rounded(table[name].values / it), "name": label, "marker": {"color": colour}}
              for name, label, colour in (("conversion_energy", "power chain", GREY), ("fan_energy", "fans", ORANGE), ("pump_energy", "pumps", GREEN),
                                          ("heat_rejection_energy", "heat rejection", BLUE))]
    layout = _layout("", "energy beyond IT over IT energy, PUE - 1 [-]")
    return {"data": traces, "layout": layout | {"barmode": "stack", "hovermode": "closest", "margin": {"l": 150, "r": 20, "t": 64, "b": 48},
                                                "yaxis": LAYOUT["yaxis"] | {"autorange": "reversed"}}}


def _dots(table: xr.Dataset) -> dict[str, Any]:
    labels = [str(label) for label in table["design"].values]
    peak = table["peak_junction_temperature"].values
    traces = [{"type": "scatter", "mode": "markers", "y": labels, "x": _rounded(values), "name": name, "marker": {"color": colour, "size": 12, "symbol": symbol}}
              for name, values, colour, symbol in (("mean", table["mean_junction_temperature"].values, SKY, "circle"), ("hottest", peak, VERMILION, "diamond"),
                                                   ("limit", peak + table["headroom"].values, BLACK, "line-ns-open"))]
    layout = _layout("", "junction of the accelerators [°C]")
    return {"data": traces, "layout": layout | {"hovermode": "closest", "margin": {"l": 150, "r": 20, "t": 64, "b": 48},
                                                "yaxis": LAYOUT["yaxis"] | {"autorange": "reversed"}}}


# --------------------------------------------------------------------------------------------------------------------- words

def _assumptions(scenarios: Iterable[str]) -> str:
    """Sources and trust marks of the library's numbers for every name that the scenarios carry."""
    from thermo import library

    rows: dict[tuple[str, ...], None] = {}
    for text in scenarios:
        names = set(_names(json.loads(text))) if text else set()
        for kind in ("devices", "servers", "racks"):
            for name in sorted(names & set(library.names(kind))):
                for place, told in library.load(kind, name).provenance.items():
                    rows[(name, place, told.source, told.trust, told.note)] = None
    if not rows:
        return ""
    guessed = sum("estimate" in row[3] for row in rows)
    return _section("Assumptions", f"<p>{len(rows)} numbers of the library went in, {guessed} of them are at least in part estimates. Sources are those of "
                    "<code>thermo library NAME</code>.</p><details><summary>All of them</summary>"
                    + f'<div class="wide">{_table(["of", "number", "source", "trust", "note"], rows)}</div></details>')


def _names(thing: Any) -> Iterable[str]:
    if isinstance(thing, Mapping):
        if isinstance(thing.get("name"), str):
            yield thing["name"]
        for inner in thing.values():
            yield from _names(inner)
    elif isinstance(thing, list):
        for inner in thing:
            yield from _names(inner)


def _warnings(text: str) -> str:
    said = json.loads(text or "[]")
    return "".join(f'<p class="warning">{html.escape(str(one))}</p>' for one in said) or "<p>No warnings.</p>"


def _scenario(scenarios: Mapping[str, str]) -> str:
    blocks = "".join(f"<details><summary>{html.escape(label) or 'Arguments of the run'}</summary><pre>{html.escape(_indented(text))}</pre></details>"
                     for label, text in scenarios.items() if text)
    return _section("To run it again", "<p><code>thermo.rerun(result)</code> runs a result again from the file that holds it; these are its arguments.</p>" + blocks)


def _indented(text: str) -> str:
    told = json.dumps(json.loads(text), indent=1)
    return told if len(told) < 200_000 else told[:200_000] + "\n... (cut; whole in the result's attribute 'scenario')"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else "none within the run" if np.isinf(value) else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: bool = False) -> str:
    def cell(tag: str, k: int, text: str) -> str:
        return f"<{tag}{' class=n' if numeric and k else ''}>{html.escape(str(text))}</{tag}>"

    top = f"<thead><tr>{''.join(cell('th', k, text) for k, text in enumerate(head))}</tr></thead>" if head else ""
    return f"<table>{top}<tbody>{''.join('<tr>' + ''.join(cell('td', k, text) for k, text in enumerate(row)) + '</tr>' for row in rows)}</tbody></table>"


def _section(title: str, inner: str) -> str:
    name = title.lower().replace(" ", "-")
    return f'<section id="{name}"><h2>{html.escape(title)}</h2>{inner}</section>'


def _json(thing: Any) -> str:
    """JSON that cannot close the script that it stands in."""
    return json.dumps(thing, separators=(",", ":"), allow_nan=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def _figure(name: str, figure: Mapping[str, Any]) -> str:
    frames = f".then(() => Plotly.addFrames({name!r}, {_json(figure['frames'])}))" if "frames" in figure else ""
    return (f'<div id="{name}" class="plot"></div><script>Plotly.newPlot({name!r}, {_json(figure["data"])}, {_json(figure["layout"])}, config)'
            f"{frames};</script>")


def _page(title: str, source: str, parts: Sequence[str]) -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ScenarioError("report: it needs plotly, which is not installed; pip install 'thermo-dc[report]'") from None
    links = "".join(f'<a href="#{part.split(chr(34), 2)[1]}">{part.split("<h2>")[1].split("</h2>")[0]}</a>' for part in parts if part.startswith("<section"))
    return (f'<!doctype html>\n{MARK}\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script>"
            "<script>const config = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d']};</script></head><body>"
            f'<header><h1>{html.escape(title)}</h1><nav class="quiet">{links}</nav></header>{"".join(parts)}'
            f'<footer class="quiet"><p>{html.escape(source)}</p></footer></body></html>\n')

"""The command ``thermo``: run a scenario file, look into the library, see a demonstration.

Exit codes: 0 done, 2 input refused, 3 a file cannot be written or read, 4 a limit or the memory, 5 no solution found,
130 interrupted, 1 a fault of the program itself. A refusal is one line on stderr; ``--debug`` shows where it came from.
"""
from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thermo._cli_output import (
    as_output_error,
    deliver,
    png,
    progress_bar,
    require_free_picture,
    say_json,
    say_table,
    write_picture,
)
from thermo.errors import (
    CheckpointError,
    ConvergenceError,
    LimitError,
    OutputError,
    ScenarioError,
    ThermoError,
    nearest,
    one_line,
    shown,
)

if TYPE_CHECKING:
    import xarray as xr

    from thermo.scenario import ScenarioFile

__all__ = ["app", "main"]

DONE, FAULT, INPUT, IO, LIMIT, NO_SOLUTION, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
DEMO_SESSION = "20260108b"  # eight B200 under gpu-burn, fans on automatic, with the server's inlet temperature

app = typer.Typer(name="thermo", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
                  help="Heat and power of AI racks, chip to grid, with an energy balance in every result.")


SHORT = (("hottest °C", "peak_junction_temperature", 1.0), ("to limit K", "headroom", 1.0), ("work lost %", "work_lost", 100.0), ("PUE", "pue", 1.0),
         ("fans kWh", "fan_energy", 1 / 3.6e6), ("pumps kWh", "pump_energy", 1 / 3.6e6), ("utility kWh", "utility_energy", 1 / 3.6e6),
         ("return °C", "return_temperature", 1.0), ("failure s", "ride_through", 1.0))  # what of a comparison fits on a terminal
Scenario = Annotated[Path, typer.Argument(help="Scenario file (TOML).", show_default=False)]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where the result goes: .nc or .zarr.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result at these places.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors and warnings only.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Workers = Annotated[int | None, typer.Option(help="Processes side by side; default one for each core.", show_default=False)]


# ----------------------------------------------------------------------------------------------------------- commands

def _version(asked: bool) -> None:
    if asked:
        import thermo

        print(f"thermo {thermo.__version__}")
        raise typer.Exit()


@app.callback()
def _options(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                                   help="Show the version and exit.")] = False,
             debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a refusal.")] = False) -> None:
    """Heat and power of AI racks, chip to grid, with an energy balance in every result."""


@app.command()
def run(scenario: Scenario, output: Output = None,
        plot: Annotated[Path | None, typer.Option(help="Where a picture of it goes: .png.", show_default=False)] = None,
        overwrite: Overwrite = False, as_json: Json = False, quiet: Quiet = False) -> None:
    """Simulate a scenario, show what came out, and write it where told."""
    from thermo import scenario as scenarios
    from thermo import store

    if output is not None:
        store.require_free(output, overwrite=overwrite)
    if plot is not None:
        require_free_picture(plot, overwrite)
    wanted = scenarios.read(scenario)
    with progress_bar(scenario.stem, quiet or as_json) as progress:
        result = wanted.run(progress=progress)
    deliver(result, output, plot, overwrite, quiet or as_json)
    if as_json:
        from dataclasses import asdict

        from thermo.summary import facts

        say_json(asdict(facts(result)) | {"warnings": json.loads(result.attrs["warnings"])})


@app.command()
def compare(scenario: Scenario,
            design: Annotated[list[str] | None, typer.Option(help="A design of the library; give it again for each. Default: "
                                                             "air, rear door, cold plate and both tanks.", show_default=False)] = None,
            given: Annotated[bool, typer.Option("--given", help="Take set points as the designs have them, instead of the cheapest that "
                                                "hold all limits.")] = False,
            margin: Annotated[float, typer.Option(help="Below every limit, that sizing keeps [K].")] = 5.0,
            price: Annotated[float | None, typer.Option(help="Of energy, for each kWh.", show_default=False)] = None,
            output: Output = None, plot: Annotated[Path | None, typer.Option(help="Where a picture of it goes: .png.", show_default=False)] = None,
            results: Annotated[Path | None, typer.Option(help="Folder for each design's whole result.", show_default=False)] = None,
            overwrite: Overwrite = False, workers: Workers = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Put cooling designs side by side: the scenario's rack and workload under each of them."""
    from thermo import store
    from thermo.compare import DESIGNS, FIGURES, OTHERS, compare_cooling

    if output is not None:
        store.require_free(output, overwrite=overwrite)
    if plot is not None:
        require_free_picture(plot, overwrite)
    wanted = _read(scenario)
    options = {k: v for k, v in wanted.options.items() if k in ("power", "ambient", "time_step", "events", "solver", "tolerance")}
    with progress_bar(scenario.stem, quiet or as_json) as progress:
        table = compare_cooling(wanted.rack, wanted.workload, design or DESIGNS, sizing="given" if given else "cheapest", margin=margin,
                                energy_price=None if price is None else price / 3.6e6, folder=results, overwrite=overwrite, workers=workers,
                                progress=progress, **options)
    if wanted.title:
        table.attrs["title"] = wanted.title
    _keep(table, output, overwrite)
    if plot is not None:
        from thermo.plot_compare import comparison

        write_picture(png(comparison(table)), plot)
    names = [name for name in (*FIGURES, *OTHERS) if name in table]
    labels = [str(label) for label in table["design"].values]
    if as_json:
        say_json({label: {name: table[name].sel(design=label).item() for name in (*names, "sized", "settings", "sizing_error", "error")}
                  for label in labels} | {"rule": table.attrs["rule"]})
    elif not quiet:
        say_table(table.attrs["title"], ["design", *(column for column, _, _ in SHORT)],
                  [[label, *(_short(float(table[name].sel(design=label)) * factor) for _, name, factor in SHORT)] for label in labels])
        print(table.attrs["rule"])
    for label in labels:
        for what in ("error", "sizing_error"):
            if text := str(table[what].sel(design=label).values):
                _say(f"{label}: {'' if what == 'error' else 'as given, because '}{text}", "33")


@app.command()
def sweep(scenario: Scenario,
          vary: Annotated[list[str], typer.Option(help="name=a,b,c or name=from:to:count, or with --samples name=normal(mean,sd) or "
                                                  "name=uniform(low,high); names as cooling.supply_temperature. Give it again for each.",
                                                  show_default=False)],
          samples: Annotated[int | None, typer.Option(help="Points of the distributions.", show_default=False)] = None,
          seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
          resume: Annotated[Path | None, typer.Option("--store", help="File (.jsonl) to which cases are added as they end, and from which a "
                                                      "sweep that was stopped goes on.", show_default=False)] = None,
          output: Output = None, overwrite: Overwrite = False, workers: Workers = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Run a scenario at many points of its numbers."""
    from thermo import store
    from thermo import sweeps as points

    if output is not None:
        store.require_free(output, overwrite=overwrite)
    wanted = _read(scenario)
    parameters = dict(_varied(text, samples is not None) for text in vary)
    with progress_bar(scenario.stem, quiet or as_json) as progress:
        table = points.sweep({"rack": wanted.rack, "workload": wanted.workload, **wanted.options}, parameters, samples=samples, seed=seed,
                             store=resume, workers=workers, progress=progress)
    _keep(table, output, overwrite)
    frame = table.to_dataframe().reset_index()
    if as_json:
        say_json({"cases": frame.to_dict(orient="records")})
    elif not quiet:
        shows = [*parameters, "peak_junction_temperature", "headroom", "work_lost", "pue"]
        say_table(wanted.title or scenario.stem, shows, [[_short(v) if isinstance(v, float) else str(v) for v in row]
                                                         for row in frame[shows].itertuples(index=False)])
    for error in dict.fromkeys(frame["error"]):
        if error:
            _say(f"{(frame['error'] == error).sum()} of {len(frame)} cases: {error}", "33")


@app.command("ride-through")
def ride_through(scenario: Scenario,
                 event: Annotated[list[str] | None, typer.Option(help="utility_outage, cooling_loss, fan_failure, pump_trip or water_loss; give it "
                                                                 "again for each.", show_default=False)] = None,
                 duration: Annotated[float | None, typer.Option(help="Of the event [s]; default to the end.", show_default=False)] = None,
                 load: Annotated[float | None, typer.Option(help="Utilisation that lasts, instead of the scenario's workload.",
                                                            show_default=False)] = None,
                 horizon: Annotated[float, typer.Option(help="How long it is followed [s].")] = 1800.0,
                 as_json: Json = False) -> None:
    """What trips first when power or cooling fails, and when."""
    from thermo.resilience import ride_through as follow

    wanted = _read(scenario)
    options = {k: v for k, v in wanted.options.items() if k in ("cooling", "power", "ambient", "initial", "solver", "tolerance")}
    table = follow(wanted.rack, _begin(wanted.workload, horizon) if load is None else load, event=event or ["utility_outage"], duration=duration,
                   horizon=horizon, **options)
    if as_json:
        say_json({"cases": table.to_dict(orient="records"), "units": table.attrs["units"], "warnings": table.attrs["warnings"]})
        return
    shows = ["event", "first", "first_after", "first_where", "electrical_ride_through", "thermal_ride_through", "peak_junction"]
    say_table(wanted.title or scenario.stem, [f"{name.replace('_', ' ')}{' [' + u + ']' if (u := table.attrs['units'][name]) else ''}" for name in shows],
              [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in table[shows].itertuples(index=False)])


@app.command()
def design(question: Annotated[str, typer.Argument(help="least-flow, warmest-supply or cheapest-cooling.", show_default=False)], scenario: Scenario,
           load: Annotated[float, typer.Option(help="Utilisation at which it is asked.")] = 1.0,
           limit: Annotated[list[str] | None, typer.Option(help="kind=degC, as gpu=80; give it again for each.", show_default=False)] = None,
           margin: Annotated[float, typer.Option(help="Kept from every limit [K].")] = 0.0,
           output: Output = None, overwrite: Overwrite = False, as_json: Json = False) -> None:
    """How little flow, how warm a supply, how cheap the fans and pumps that hold every limit."""
    from thermo import design as questions
    from thermo import store

    known = {"least-flow": questions.least_flow, "warmest-supply": questions.warmest_supply, "cheapest-cooling": questions.cheapest_cooling}
    if question not in known:
        raise ScenarioError(f"question is {shown(question)}{nearest(question[:40], known)}")
    if output is not None:
        store.require_free(output, overwrite=overwrite)
    wanted = _read(scenario)
    limits = {kind: _number(value, f"--limit {kind}") for kind, _, value in (text.partition("=") for text in limit or [])}
    options = {k: v for k, v in wanted.options.items() if k in ("cooling", "power", "ambient")}
    answer = known[question](wanted.rack, load, limits=limits or None, margin=margin, **options)  # type: ignore[operator]
    _keep(answer.result, output, overwrite)
    if as_json:
        say_json({"settings": dict(answer.settings), "limiting": answer.limiting, "limiting_server": answer.limiting_server,
                  "headroom": answer.headroom, "cost": answer.cost, "mass_flow": answer.mass_flow, "message": answer.message})
    else:
        print(answer.message)


TEMPLATE = """# {title}
# thermo run {name}            thermo compare {name}            thermo ride-through {name}
# Numbers without a unit are SI and degC; "90 L/min", "113 degF" and "12 kW" are understood. What is commented out is the default.

[rack]
name = "{rack}"                 # thermo library --kind racks; or file = "my-rack.toml", or server = "..." of the library
# servers = 4

[workload]
utilisation = 0.9               # of each accelerator; or power = "650 W"; or file = "trace.csv" with units = "W" or "1"
duration = "1 h"
time_step = "15 s"

[cooling]
name = "{cooling}"              # thermo library --kind cooling; or design = "air", "rear-door", "cold-plate", ... and its set points

[power]
name = "{power}"                # thermo library --kind power

[ambient]
air_temperature = "25 degC"
# altitude = "0 m"
# relative_humidity = 0.5
# facility_water_temperature = "30 degC"

# [[events]]                    # thermo.events: what may happen, and when on the run's clock
# kind = "utility-outage"
# t = "10 min"
# duration = "30 s"

[run]
# time_step = "15 s"            # resamples the workload, keeping its energy
# initial = "steady"            # or a temperature, or "earlier.nc"
# tolerance = "0.01 K"
"""


@app.command()
def init(path: Annotated[Path, typer.Argument(help="File that is written.")] = Path("scenario.toml"),
         rack: Annotated[str, typer.Option(help="A rack of the library.")] = "dgx-h100",
         cooling: Annotated[str | None, typer.Option(help="A design of the library; default the rack's own.", show_default=False)] = None,
         power: Annotated[str, typer.Option(help="A power chain of the library.")] = "ac-ups-480v") -> None:
    """Write a scenario with comments, to start from."""
    from thermo import library as shelf

    known = shelf.load("racks", rack)
    own = cooling or known.cooling
    shelf.load("cooling", own)
    shelf.load("power", power)
    if path.suffix != ".toml":
        raise OutputError(f"{shown(str(path))}: a scenario is written as .toml")
    with as_output_error(path), path.open("x", encoding="utf-8") as file:
        file.write(TEMPLATE.format(title=known.title or rack, name=path.name, rack=rack, cooling=own, power=power))
    print(path)


def _read(path: Path) -> ScenarioFile:
    from thermo import scenario as scenarios

    return scenarios.read(path)


def _keep(data: xr.Dataset, output: Path | None, overwrite: bool) -> None:
    from thermo import store

    if output is not None:
        store.write(data, output, overwrite=overwrite)


def _begin(workload: xr.DataArray, horizon: float) -> xr.DataArray:
    """The workload's beginning."""
    import numpy as np

    times = workload["time"].to_numpy()
    since = (times - times[0]) / (np.timedelta64(1, "s") if times.dtype.kind == "M" else 1.0)
    return workload.isel(time=np.flatnonzero(since <= horizon)) if (since <= horizon).sum() > 1 else workload


def _short(value: float) -> str:
    """Four digits at most, without an exponent where that fits."""
    return "-" if value != value else f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3f}" if 1 < abs(value) < 2 else f"{value:.3g}"


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScenarioError(f"{what}: {shown(text)} is not a number") from None


def _varied(text: str, random: bool) -> tuple[str, Any]:
    """Name and values, or distribution, of one ``--vary``."""
    name, _, values = text.partition("=")
    if not name or not values:
        raise ScenarioError(f"--vary {shown(text)}: expected name=a,b,c or name=from:to:count")
    if random:
        from scipy import stats

        kind, _, inside = values.rstrip(")").partition("(")
        numbers = [_number(part, f"--vary {name}") for part in inside.split(",")]
        if kind not in ("normal", "uniform") or len(numbers) != 2 or not (numbers[1] > (0 if kind == "normal" else numbers[0])):
            raise ScenarioError(f"--vary {shown(text)}: expected {name}=normal(mean,sd) or {name}=uniform(low,high)")
        a, b = numbers
        return name, stats.norm(a, b) if kind == "normal" else stats.uniform(a, b - a)
    if values.count(":") == 2:
        import numpy as np

        low, high, count = values.split(":")
        if not count.isdecimal() or not 1 <= int(count) <= 100_000:
            raise ScenarioError(f"--vary {shown(text)}: {shown(count)} is not a number of points from 1 to 100000")
        return name, np.linspace(_number(low, f"--vary {name}"), _number(high, f"--vary {name}"), int(count)).tolist()
    return name, [_value(part.strip()) for part in values.split(",")]


def _value(text: str) -> Any:
    """A number, a truth, or a name."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@app.command()
def report(data: Annotated[Path, typer.Argument(help="A result or a comparison: .nc or .zarr.", show_default=False)],
           output: Annotated[Path, typer.Option("--output", "-o", help="Where it goes: .html.")] = Path("report.html"),
           overwrite: Overwrite = False) -> None:
    """Make one HTML file of a result or a comparison, to look around in without a network."""
    from thermo import report as reports
    from thermo import store

    print(reports.write_report(store.read(data), output, overwrite=overwrite))


@app.command()
def library(name: Annotated[str | None, typer.Argument(help="Show all that is known of this thing.",
                                                       show_default=False)] = None,
            kind: Annotated[str | None, typer.Option(help="List or look among these only: devices, servers, racks, ...",
                                                     show_default=False)] = None) -> None:
    """List what the library holds, or show one thing with the source of every number."""
    from thermo import library as shelf

    if name is not None:
        if kind is not None and name not in shelf.names(kind):
            raise ScenarioError(f"no {shown(name)} among the library's {kind}{nearest(name[:80], shelf.names(kind))}")
        print(shelf.describe(name))
        return
    found = {folder: shelf.names(folder) for folder in (shelf.KINDS if kind is None else [kind])}
    for folder, entries in found.items():
        print("\n  ".join([f"{folder}:", *entries]))


@app.command()
def demo(output: Annotated[Path, typer.Option("--output", "-o",
                                              help="Folder for the result and its picture.")] = Path("thermo-demo"),
         overwrite: Annotated[bool, typer.Option("--overwrite",
                                                 help="Replace an earlier demonstration there.")] = False,
         quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors and warnings only.")] = False) -> None:
    """Simulate a measured hour and a half of an air-cooled server with eight B200 GPUs; write the result and a picture.

    Power of the GPUs, air at the inlet and speed of the fans are as measured; temperatures and the rest are calculated.
    """
    from thermo import library as shelf
    from thermo import traces
    from thermo.rack import Rack
    from thermo.simulate import simulate_rack
    from thermo.store import require_free

    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise OutputError(f"{shown(str(output))}: is there and is not a folder; give another name")
    file, picture = output / "b200.nc", output / "b200.png"
    if output.exists():
        require_free(file, overwrite=overwrite)
        require_free_picture(picture, overwrite)
    measured = traces.b200(DEMO_SESSION)
    with progress_bar("demo", quiet) as progress:
        result = simulate_rack(Rack.from_library("hgx-b200", servers=1), measured["device_power"],
                               cooling=shelf.load("cooling", "air").replace(fan_speed=measured["fan_speed"]),
                               ambient={"air_temperature": measured["inlet_temperature"]}, progress=progress)
    result.attrs |= {"workload_source": f"thermo.traces.b200({DEMO_SESSION!r}), {measured.attrs['source']}",
                     "workload_licence": measured.attrs["licence"]}
    new = not output.exists()
    with as_output_error(output):
        output.mkdir(parents=True, exist_ok=True)
    try:
        deliver(result, file, picture, overwrite, quiet)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                output.rmdir()  # only if nothing is in it
        raise
    if not quiet:
        T = measured["device_temperature"]
        print(f"measured on that machine: hottest GPU {float(T.max()):g} °C, mean {float(T.mean()):.1f} °C; "
              "some of the chassis' numbers in the library come from it")


# --------------------------------------------------------------------------------------------------------------- main

def _say(text: str, colour: str) -> None:
    """One line on stderr, coloured where it is a terminal."""
    line = one_line(text)
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        line = f"\x1b[{colour}m{line}\x1b[0m"
    print(line, file=sys.stderr)


@contextlib.contextmanager
def _warnings_in_short() -> Iterator[None]:
    """Warnings about the result as yellow lines, each once; those of programming are not for who runs this."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *more: Any, **named: Any) -> None:
        if issubclass(category, UserWarning) and str(message) not in seen:
            seen.add(str(message))
            _say(f"warning: {message}", "33")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _code_of(error: BaseException) -> int:
    for kinds, code in (((OutputError, CheckpointError), IO), ((LimitError, MemoryError), LIMIT),
                        ((ConvergenceError,), NO_SOLUTION), ((ThermoError,), INPUT), ((KeyboardInterrupt,), INTERRUPTED),
                        ((OSError,), IO)):
        if isinstance(error, kinds):
            return code
    return FAULT


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [a for a in given if a != "--debug"]  # wherever it stands
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no degree sign still gets the rest
    try:
        with _warnings_in_short():
            code = app(args=given, prog_name="thermo", standalone_mode=False)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except BrokenPipeError:  # whoever read our output has stopped: no fault
        sys.stdout = open(os.devnull, "w")
        return DONE
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        if debug:
            import traceback

            traceback.print_exc()
        return _refused(error)


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is behind it: a library that was loading may wrap the interrupt in an error of its own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt | typer.Abort) or "KeyboardInterrupt" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _refused(error: BaseException) -> int:
    """Says on one line what was wrong; returns the exit code."""
    if _interrupted(error):
        _say("thermo: interrupted; nothing was written", "31")
        return INTERRUPTED
    usage = getattr(error, "format_message", None)  # of the command line's own parser
    if usage is not None and hasattr(error, "exit_code"):
        if text := usage().strip():
            if type(error).__name__ == "NoArgsIsHelpError":
                print(text)
            else:
                _say(f"thermo: {text}; see thermo --help", "31")
        return INPUT
    code = _code_of(error)
    if isinstance(error, MemoryError):
        _say("thermo: the memory does not suffice for this run; use a larger time_step or fewer servers", "31")
    elif code == FAULT:
        _say(f"thermo: a fault of the program: {type(error).__name__}: {error}; --debug shows where, please report it",
             "31")
    else:
        _say(f"thermo: {error}", "31")
    return code

"""The command ``thermo``: run a scenario file, look into the library, see a demonstration.

Exit codes: 0 done, 2 input refused, 3 a file cannot be written or read, 4 a limit or the memory, 5 no solution found,
130 interrupted, 1 a fault of the program itself. A refusal is one line on stderr; ``--debug`` shows where it came from.
"""
from __future__ import annotations

import contextlib
import io
import os
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    from matplotlib.figure import Figure

__all__ = ["app", "main"]

DONE, FAULT, INPUT, IO, LIMIT, NO_SOLUTION, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
DEMO_SESSION = "20260108b"  # eight B200 under gpu-burn, fans on automatic, with the server's inlet temperature

app = typer.Typer(name="thermo", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
                  help="Heat and power of AI racks, chip to grid, with an energy balance in every result.")


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
def run(scenario: Annotated[Path, typer.Argument(help="Scenario file (TOML).", show_default=False)],
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the result goes: .nc or .zarr.",
                                                    show_default=False)] = None,
        plot: Annotated[Path | None, typer.Option(help="Where a picture of it goes: .png.", show_default=False)] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite",
                                                help="Replace an earlier result at these places.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors and warnings only.")] = False) -> None:
    """Simulate a scenario, show what came out, and write it where told."""
    from thermo import scenario as scenarios
    from thermo import store

    if output is not None:
        store.require_free(output, overwrite=overwrite)
    if plot is not None:
        _require_free_picture(plot, overwrite)
    wanted = scenarios.read(scenario)
    with _progress(scenario.stem, quiet) as progress:
        result = wanted.run(progress=progress)
    _deliver(result, output, plot, overwrite, quiet)


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
        _require_free_picture(picture, overwrite)
    measured = traces.b200(DEMO_SESSION)
    with _progress("demo", quiet) as progress:
        result = simulate_rack(Rack.from_library("hgx-b200", servers=1), measured["device_power"],
                               cooling=shelf.load("cooling", "air").replace(fan_speed=measured["fan_speed"]),
                               ambient={"air_temperature": measured["inlet_temperature"]}, progress=progress)
    result.attrs |= {"workload_source": f"thermo.traces.b200({DEMO_SESSION!r}), {measured.attrs['source']}",
                     "workload_licence": measured.attrs["licence"]}
    new = not output.exists()
    with _as_output_error(output):
        output.mkdir(parents=True, exist_ok=True)
    try:
        _deliver(result, file, picture, overwrite, quiet)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                output.rmdir()  # only if nothing is in it
        raise
    if not quiet:
        T = measured["device_temperature"]
        print(f"measured on that machine: hottest GPU {float(T.max()):g} °C, mean {float(T.mean()):.1f} °C; "
              "some of the chassis' numbers in the library come from it")


# ------------------------------------------------------------------------------------------------------------- output

def _deliver(result: xr.Dataset, output: Path | None, plot: Path | None, overwrite: bool, quiet: bool) -> None:
    """Everything is made before anything is written."""
    from thermo import plot as plots
    from thermo import store
    from thermo.summary import summary

    picture = b"" if plot is None else _png(plots.rack_story(result))
    table = None if quiet else summary(result)
    if output is not None:
        store.write(result, output, overwrite=overwrite)
    if plot is not None:
        _write_picture(picture, plot)
    if table is not None:
        from rich.console import Console

        Console(highlight=False).print(table)
        for place in (output, plot):
            if place is not None:
                print(place)


def _signature() -> bytes:
    import thermo

    return f"thermo {thermo.__version__}".encode()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": _signature().decode()})
    return buffer.getvalue()


def _require_free_picture(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".png":
        raise OutputError(f"{shown(str(path))}: a picture is written as .png")
    if path.is_symlink():
        raise OutputError(f"{shown(str(path))}: a symbolic link; give the place that it points to")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(str(path))}: there is no folder {shown(str(path.parent))}; make it first")
    if path.exists():
        if not overwrite:
            raise OutputError(f"{shown(str(path))}: is there already; give another name, or --overwrite")
        with _as_output_error(path):
            own = path.is_file() and b"Software\0thermo " in path.open("rb").read(4096)
        if not own:
            raise OutputError(f"{shown(str(path))}: is not a picture that thermo made, so it is not overwritten; "
                              "give another name")


def _write_picture(picture: bytes, path: Path) -> None:
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with _as_output_error(path):
            with temporary.open("xb") as file:
                file.write(picture)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{shown(str(path))}: {error.strerror or error}") from error


@contextlib.contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Callable[[float], None] | bool]:
    """A bar on stderr, if somebody can see it."""
    if quiet or not sys.stderr.isatty():
        yield False
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda done: bar.update(task, completed=done)


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

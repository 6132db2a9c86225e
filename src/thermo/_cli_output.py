"""What commands hand over: tables on the terminal, JSON, files and pictures, a bar while one waits."""
from __future__ import annotations

import contextlib
import io
import json
import math
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thermo.errors import OutputError, shown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["as_output_error", "deliver", "png", "progress_bar", "require_free_picture", "say_json", "say_table", "write_picture"]


def deliver(result: xr.Dataset, output: Path | None, plot: Path | None, overwrite: bool, quiet: bool) -> None:
    """Everything is made before anything is written."""
    from thermo import plot as plots
    from thermo import store
    from thermo.summary import summary

    picture = b"" if plot is None else png(plots.rack_story(result))
    table = None if quiet else summary(result)
    if output is not None:
        store.write(result, output, overwrite=overwrite)
    if plot is not None:
        write_picture(picture, plot)
    if table is not None:
        from rich.console import Console

        Console(highlight=False).print(table)
        for place in (output, plot):
            if place is not None:
                print(place)


def _signature() -> bytes:
    import thermo

    return f"thermo {thermo.__version__}".encode()


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": _signature().decode()})
    return buffer.getvalue()


def require_free_picture(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".png":
        raise OutputError(f"{shown(str(path))}: a picture is written as .png")
    if path.is_symlink():
        raise OutputError(f"{shown(str(path))}: a symbolic link; give the place that it points to")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(str(path))}: there is no folder {shown(str(path.parent))}; make it first")
    if path.exists():
        if not overwrite:
            raise OutputError(f"{shown(str(path))}: is there already; give another name, or --overwrite")
        with as_output_error(path):
            own = path.is_file() and b"Software\0thermo " in path.open("rb").read(4096)
        if not own:
            raise OutputError(f"{shown(str(path))}: is not a picture that thermo made, so it is not overwritten; "
                              "give another name")


def write_picture(picture: bytes, path: Path) -> None:
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with as_output_error(path):
            with temporary.open("xb") as file:
                file.write(picture)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{shown(str(path))}: {error.strerror or error}") from error


WIDEST = 400  # characters of a table on one line


@contextlib.contextmanager
def progress_bar(name: str, quiet: bool) -> Iterator[Callable[[float], None] | bool]:
    """A bar on stderr, if somebody can see it."""
    if quiet or not sys.stderr.isatty():
        yield False
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda done: bar.update(task, completed=done)


def say_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout. It keeps its columns where the terminal is narrower than they are."""
    import shutil

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.measure import Measurement
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for k, column in enumerate(columns):
        least = max((len(cell) for cell in (*(row[k] for row in rows), *column.split()) if len(cell) <= 24), default=1)
        table.add_column(escape(column), justify="left" if k == 0 else "right", overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    wide = Measurement.get(Console(width=10_000), Console(width=10_000).options, table).maximum
    Console(highlight=False, width=max(shutil.get_terminal_size().columns, min(wide, WIDEST))).print(table)


def say_json(what: Mapping[str, Any]) -> None:
    """One JSON document on stdout; what is not a finite number is null."""
    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        if hasattr(value, "item"):
            value = value.item()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    print(json.dumps(plain(what), indent=2))

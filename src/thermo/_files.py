"""The door for tables that come from others: CSV, Parquet, NetCDF and Zarr, opened without trusting them.

Regular files only (a Zarr store: a directory of them, without links). Sizes are looked at before anything is allocated
that the file dictates. Nothing is unpickled; object dtypes, external HDF5 storage and unknown Zarr codecs are refused.
Every failure is a `TraceError`, or a `LimitError` where only the size is wrong.
"""
from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import math
import os
import stat
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .errors import LimitError, ThermoError, TraceError, shown

MAX_TEXT_BYTES = 256 * 2**20  # of CSV, uncompressed; larger traces belong in Parquet, NetCDF or Zarr
MAX_LINE_BYTES = 2**20
MAX_COLUMNS = 20_000
MAX_FILE_BYTES = 8 * 2**30  # of a binary file: only the part asked for is read
MAX_SAMPLES = 100_000_000  # in one variable, 0.8 GB: Frontier's 9,472 nodes for a day at 15 s are 55 million
MAX_STORE_ENTRIES = 200_000  # files and folders of a Zarr store
MAX_METADATA_BYTES = 4 * 2**20
# pandas before 3.1 read decimals a little wrong unless asked not to; from 3.1 on it always reads them right
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__.startswith(("2.", "3.0")) else {}
CODECS = frozenset("""bytes endian transpose sharding_indexed crc32c zstd gzip zlib blosc lz4 bz2 lzma shuffle bitround
    vlen-utf8 fixedscaleoffset delta adler32 crc32""".split())


def name_of(path: Path) -> str:
    """The file as messages show it: its name, not where it lies."""
    return path.name


def regular_file(path: str | os.PathLike[str], limit: int) -> Path:
    """`path` if it is a regular file of at most `limit` bytes."""
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise TraceError(f"{shown(str(path))}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise TraceError(f"{shown(str(path))}: cannot be opened: {error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise TraceError(f"{shown(str(path))}: not a regular file")
    if status.st_size > limit:
        raise LimitError(f"{name_of(path)}: {status.st_size} bytes, the limit is {limit}")
    return path


@contextlib.contextmanager
def _refusing(path: Path, kind: str) -> Iterator[None]:
    """Whatever a reading library raises on a damaged or hostile file becomes a `TraceError`."""
    try:
        yield
    except (ThermoError, MemoryError):
        raise
    except ImportError as error:
        raise TraceError(f"{name_of(path)}: reading {kind} needs a package that is missing ({error}); "
                         "pip install 'thermo-dc[io]'") from None
    except Exception as error:  # the libraries have no common root, and a refusal never shows their classes
        raise TraceError(f"{name_of(path)}: cannot be read as {kind}: {error}") from None


def _opened(path: Path) -> io.BufferedIOBase:
    """The bytes of a text file, gzipped or not."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")


def _start(path: Path) -> tuple[bytes, int, bool]:
    """The first bytes of a text, its number of lines, and whether that is all of it.

    The whole file is looked at once without keeping it, so that a bomb stops early and costs no memory.
    """
    start, total, lines, in_line = b"", 0, 0, 0
    try:
        with _opened(path) as file:
            while part := file.read(2**20):
                total += len(part)
                if total > MAX_TEXT_BYTES:
                    raise LimitError(f"{name_of(path)}: more than {MAX_TEXT_BYTES} bytes of text; "
                                     "store a trace of this size as Parquet, NetCDF or Zarr")
                if b"\0" in part:
                    raise TraceError(f"{name_of(path)}: has zero bytes, so it is not a text file")
                newline = part.rfind(b"\n")
                in_line = in_line + len(part) if newline < 0 else len(part) - newline - 1
                if in_line > MAX_LINE_BYTES:
                    raise LimitError(f"{name_of(path)}: a line is longer than {MAX_LINE_BYTES} bytes")
                lines += part.count(b"\n")
                if len(start) < 2 * MAX_LINE_BYTES:
                    start += part
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"{name_of(path)}: cannot be read: {error}") from None
    return start, lines + 1, len(start) == total


def csv_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """A CSV file as a table whose row k is line k + 2 of the file.

    Parameters
    ----------
    path : path
        A ``.csv`` or ``.csv.gz`` with a header line, comma-separated, UTF-8.

    Returns
    -------
    table : DataFrame
        Columns as pandas reads them, numbers to the last bit; blank lines at the end are dropped.
    """
    path = regular_file(path, MAX_TEXT_BYTES)
    name = name_of(path)
    first, lines, whole = _start(path)
    try:
        start = first.decode("utf-8-sig", errors="strict" if whole else "replace")
    except UnicodeDecodeError as error:
        raise TraceError(f"{name}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    try:
        rows = list(itertools.islice(csv.reader(io.StringIO(start)), 2))
    except csv.Error as error:
        raise TraceError(f"{name}:1: {error}") from None
    header = rows[0] if rows else []
    if not any(cell.strip() for cell in header):
        raise TraceError(f"{name}: empty, expected a header line with the names of the columns")
    if len(header) > MAX_COLUMNS:
        raise LimitError(f"{name}:1: {len(header)} columns, the limit is {MAX_COLUMNS}")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise TraceError(f"{name}:1: one column called {shown(header[0])}; is it separated by semicolons or tabs? "
                         "Expected commas")
    if len(set(header)) < len(header):
        repeated = next(cell for k, cell in enumerate(header) if cell in header[:k])
        raise TraceError(f"{name}:1: column {shown(repeated)} is there more than once")
    if len(rows) > 1 and len(rows[1]) > len(header):  # pandas would take the first column for row labels
        raise TraceError(f"{name}:2: {len(rows[1])} cells under {len(header)} column names")
    if (cells := lines * len(header)) > MAX_SAMPLES:
        raise LimitError(f"{name}: {cells} cells, the limit is {MAX_SAMPLES}")
    with _refusing(path, "CSV"), _opened(path) as file:
        table = pd.read_csv(file, engine="c", encoding="utf-8-sig", skip_blank_lines=False, low_memory=False, **EXACT)
    blank = table.isna().all(axis=1).to_numpy()
    kept = len(blank) - (int(np.argmin(blank[::-1])) if not blank.all() else len(blank))
    return table.iloc[:kept]


def parquet_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The columns of numbers and times of a Parquet file; a pandas index comes back as a column called ``time``."""
    path = regular_file(path, MAX_FILE_BYTES)
    with _refusing(path, "Parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(path, memory_map=False) as file:
            meta, schema = file.metadata, file.schema_arrow
            if meta.num_columns > MAX_COLUMNS or meta.num_rows * meta.num_columns > MAX_SAMPLES:
                raise LimitError(f"{name_of(path)}: {meta.num_rows} rows of {meta.num_columns} columns, the limit is "
                                 f"{MAX_SAMPLES} cells and {MAX_COLUMNS} columns")
            if len(set(schema.names)) < len(schema.names):
                raise TraceError(f"{name_of(path)}: a column name is there more than once")
            plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_boolean,
                     pa.types.is_string, pa.types.is_large_string)
            names = [field.name for field in schema if any(is_kind(field.type) for is_kind in plain)]
            data = file.read(columns=names)
        columns = {("time" if n == "__index_level_0__" and "time" not in names else n):
                   data.column(n).to_pandas() for n in names}
        return pd.DataFrame(columns)


def netcdf_dataset(path: str | os.PathLike[str]) -> xr.Dataset:
    """A NetCDF-4 file, not yet read: close it. Storage outside the file is refused."""
    path = regular_file(path, MAX_FILE_BYTES)
    with _refusing(path, "NetCDF-4"):
        import h5py

        with path.open("rb") as file:
            if file.read(8) != b"\x89HDF\r\n\x1a\n":
                raise TraceError(f"{name_of(path)}: not a NetCDF-4 (HDF5) file; convert NetCDF-3 first")
        with h5py.File(path, "r") as file:
            if len(file) > MAX_COLUMNS:
                raise LimitError(f"{name_of(path)}: {len(file)} variables, the limit is {MAX_COLUMNS}")
            for key in file:
                link = file.get(key, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise TraceError(f"{name_of(path)}: {shown(key)} is a link out of its place; links are not "
                                     "followed")
                item = file[key]
                if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                    raise TraceError(f"{name_of(path)}: {shown(key)} keeps its values in another file")
        return xr.open_dataset(path, engine="h5netcdf")


def _codec_names(thing: object, depth: int = 0) -> Iterator[str]:
    """Names of all codecs in one array's metadata, Zarr 2 (`id`) and Zarr 3 (`name`)."""
    if depth > 8:
        raise TraceError("zarr metadata is nested too deeply")
    if isinstance(thing, list):
        for item in thing:
            yield from _codec_names(item, depth + 1)
    elif isinstance(thing, dict):
        name = thing.get("id", thing.get("name"))
        yield name if isinstance(name, str) else "?"
        configuration = thing.get("configuration", {})
        if isinstance(configuration, dict):  # a shard holds codecs of its own
            yield from _codec_names(configuration.get("codecs", []), depth + 1)
            yield from _codec_names(configuration.get("index_codecs", []), depth + 1)


def _codecs_of(metadata: object) -> Iterator[str]:
    """Codecs of every array in a metadata document, consolidated ones included."""
    if isinstance(metadata, dict):
        for key in ("codecs", "filters", "compressor"):
            if metadata.get(key) is not None:
                yield from _codec_names(metadata[key])
        inner = metadata.get("consolidated_metadata") or {}
        for part in (inner.get("metadata") if isinstance(inner, dict) else None, metadata.get("metadata")):
            if isinstance(part, dict):
                for document in part.values():
                    yield from _codecs_of(document)


def zarr_dataset(path: str | os.PathLike[str]) -> xr.Dataset:
    """A Zarr store on disk, not yet read. Links, unknown codecs and chunks that are not there are refused.

    A chunk that is missing reads as the fill value without an error; where that value is a number, absence and data
    look the same. Stores of measured data should be written with ``fill_value=NaN``.
    """
    path = Path(path)
    name, count, pending = name_of(path), 0, [str(path)]
    if path.is_symlink() or not path.is_dir():
        raise TraceError(f"{shown(str(path))}: not a Zarr store (a directory)")
    with _refusing(path, "Zarr"):
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    count += 1
                    if count > MAX_STORE_ENTRIES:
                        raise LimitError(f"{name}: more than {MAX_STORE_ENTRIES} files; use larger chunks or shards")
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        raise TraceError(f"{name}: {shown(entry.name)} is not a regular file")
                    elif entry.name in ("zarr.json", ".zarray", ".zmetadata"):
                        text = regular_file(entry.path, MAX_METADATA_BYTES).read_text(encoding="utf-8")
                        for codec in _codecs_of(json.loads(text)):
                            if codec not in CODECS:
                                raise TraceError(f"{name}: codec {shown(codec)} is not among those that are read")
        import zarr

        with warnings.catch_warnings():  # what Zarr thinks of its own string types is no news to who reads a trace
            warnings.simplefilter("ignore")
            group = zarr.open_group(path, mode="r")
            arrays = list(group.arrays())
            data = xr.open_zarr(path, consolidated=None, chunks=None)
        for key, array in arrays:
            grid = zip(array.shape, array.shards or array.chunks, strict=True)
            wanted = math.prod(-(-size // chunk) for size, chunk in grid)
            if wanted > MAX_STORE_ENTRIES:
                raise LimitError(f"{name}: {shown(key)} claims {wanted} chunks")
            fill = array.fill_value
            if array.dtype.kind in "fiu" and fill is not None and not np.isnan(fill):
                there = array._nshards_initialized if array.shards else array.nchunks_initialized
                if there < wanted:
                    raise TraceError(f"{name}: {wanted - there} of {wanted} chunks of {shown(key)} are not in the "
                                     f"store and would read as {float(fill):g}; write it with fill_value=NaN or "
                                     "with empty chunks")
        return data


def epw_table(path: str | os.PathLike[str]) -> tuple[list[str], pd.DataFrame]:
    """The LOCATION cells and the hourly rows of an EnergyPlus weather file; row k is line k + 9."""
    path = regular_file(path, MAX_TEXT_BYTES)
    head = _start(path)[0].split(b"\n", 1)[0].decode("latin-1").strip().split(",")
    if head[0] != "LOCATION":
        raise TraceError(f"{name_of(path)}:1: expected LOCATION, the first word of an EPW file")
    with _refusing(path, "EPW"):
        table = pd.read_csv(path, header=None, skiprows=8, encoding="latin-1", low_memory=False, **EXACT)
    if table.shape[1] < 22 or not 1 <= len(table) <= 9000:
        raise TraceError(f"{name_of(path)}: {len(table)} rows of {table.shape[1]} cells, expected the hours of a year "
                         "and at least 22")
    return head, table

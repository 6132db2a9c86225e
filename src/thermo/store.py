"""Results on disk: NetCDF (``.nc``) or Zarr (``.zarr``), written whole or not at all, and checked when read.

A file is written beside its place under another name, closed, and only then renamed. Every array carries a checksum of
its chunks (Fletcher-32 in NetCDF, zstd's own in Zarr), is filled with NaN where it is a float, and the whole carries a
SHA-256 of its content in ``thermo_content``, so that what `read` gives is what `write` was given, to the last bit.
"""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from thermo import _files
from thermo.errors import LimitError, OutputError, ThermoError, nearest, shown

__all__ = ["read", "require_free", "write"]

MARK = "thermo_content"  # attribute: SHA-256 of the content, and the sign of a store of our own
CLOCK = "thermo_time_unit"  # attribute: unit of the dates in memory
CHUNK_BYTES = 8 * 2**20
MAX_BYTES = 64e9  # in memory, what a run may give
LEVEL = 1  # of compression: doubles compress little, and no faster at a higher one
DATE_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
SUFFIXES = {".nc": "netcdf", ".nc4": "netcdf", ".zarr": "zarr"}


def write(result: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Writes a result; when this returns, all of it is there, and if it raises, nothing has changed.

    Parameters
    ----------
    result : Dataset
        Of `thermo.simulate_rack`, or any Dataset of numbers, dates and texts.
    path : path
        Ending in ``.nc`` or ``.zarr``; its folder exists.
    overwrite : bool
        Replace what is there, if that is such a store too.

    Returns
    -------
    path : Path
        Where it is.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    if not isinstance(result, xr.Dataset):
        raise OutputError(f"result is a {type(result).__name__}, expected the Dataset that simulate_rack gives")
    path = require_free(path, overwrite=overwrite)
    result = result.load()
    _require_plain(result, path)
    attrs = dict(result.attrs) | {MARK: content_hash(result)}
    if (unit := _date_unit(result)) is not None:
        attrs[CLOCK] = unit
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        with _as_output_error(path, "written"):
            _write_as(_format(path), result.assign_attrs(attrs), temporary)
            _sync(temporary)
            _into_place(temporary, path, overwrite)
    finally:
        _remove(temporary)
    return path


def read(path: str | os.PathLike[str], *, verify: bool = True) -> xr.Dataset:
    """A result that `write` wrote, in memory, with its content checked.

    Parameters
    ----------
    path : path
        A regular file, or a Zarr folder without links.
    verify : bool
        Refuse a store without the mark of `write`. If False, one that xarray wrote is taken as it is, under the same
        rules of safety; one with the mark is checked all the same.

    Raises
    ------
    OutputError
        If it is not there, not such a store, or not what was written.

    Notes
    -----
    Others' traces are read by `thermo.workload.read`.
    """
    path = Path(path)
    kind = _format(path)
    with _as_output_error(path, "read"):
        with (_files.netcdf_dataset(path) if kind == "netcdf" else _files.zarr_dataset(path)) as opened:
            marked = isinstance(opened.attrs.get(MARK), str)
            if verify and not marked:
                raise OutputError(f"{path.name}: not a result that thermo wrote, which result.thermo.save(path) does; "
                                  "read a trace "
                                  "with thermo.workload.read")
            if opened.nbytes > MAX_BYTES:
                raise LimitError(f"{path.name}: claims {opened.nbytes / 1e9:.0f} GB, the limit is "
                                 f"{MAX_BYTES / 1e9:.0f} GB")
            data = opened.load()
        data = _as_it_was(data)
        if marked and content_hash(data) != data.attrs.pop(MARK):
            raise OutputError(f"{path.name}: its content is not what was written; the file is damaged or was changed. "
                              "Run the scenario again")
    return data


def require_free(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """`path` if a result may be written there; to be asked before a long run too."""
    path = Path(path)
    _format(path)
    if path.is_symlink():
        raise OutputError(f"{shown(str(path))}: a symbolic link; give the place that it points to")
    if not path.parent.is_dir():
        raise OutputError(f"{shown(str(path))}: there is no folder {shown(str(path.parent))}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{shown(str(path))}: the folder does not let itself be written to")
    if path.exists():
        if not overwrite:
            raise OutputError(f"{shown(str(path))}: is there already; give another name, or overwrite (--overwrite)")
        if not _is_own(path):
            raise OutputError(f"{shown(str(path))}: is not a result that thermo wrote, so it is not overwritten; "
                              "give another name")
    return path


def content_hash(data: xr.Dataset) -> str:
    """SHA-256 of the content of a Dataset: dims, values to the bit, attributes. The order of variables does not count."""
    digest = hashlib.sha256()

    def take(thing: Any) -> None:
        digest.update(json.dumps(thing, sort_keys=True, default=_plain).encode() + b"\n")

    take({k: v for k, v in data.attrs.items() if k not in (MARK, CLOCK)})
    for name in sorted(data.variables, key=str):
        variable = data.variables[name]
        values = np.asarray(variable.values)
        take([str(name), list(variable.dims), list(values.shape), dict(variable.attrs), name in data.coords])
        if values.dtype.kind in "OUT":
            take([str(v) for v in values.ravel().tolist()])
        elif values.dtype.kind == "M":
            digest.update(np.ascontiguousarray(values.astype("datetime64[ns]").astype("<i8")).tobytes())
        else:
            digest.update(f"{values.dtype.kind}{values.dtype.itemsize}".encode())
            digest.update(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()


# -------------------------------------------------------------------------------------------------------------- parts

def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _format(path: Path) -> Literal["netcdf", "zarr"]:
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise OutputError(f"{shown(str(path))}: a result is written as .nc or .zarr{nearest(path.suffix, SUFFIXES)}")
    return "netcdf" if kind == "netcdf" else "zarr"


def _require_plain(data: xr.Dataset, path: Path) -> None:
    for name, variable in data.variables.items():
        if variable.dtype.kind not in "fiubUTM" and not (
                variable.dtype.kind == "O" and all(isinstance(v, str) for v in variable.values.ravel())):
            raise OutputError(f"{path.name}: {shown(name)} holds {variable.dtype}, expected numbers, dates or texts")


def _date_unit(data: xr.Dataset) -> str | None:
    units = {np.datetime_data(v.dtype)[0] for v in data.variables.values() if v.dtype.kind == "M"}
    return max(units, key=list(DATE_UNITS).index) if units else None


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Whole in all dims but the first, and there some 8 MB."""
    row = variable.dtype.itemsize * int(np.prod(variable.shape[1:], dtype=np.int64))
    return (max(1, min(variable.shape[0], CHUNK_BYTES // max(row, 1))), *variable.shape[1:])


def _write_as(kind: str, data: xr.Dataset, target: Path) -> None:
    data = data.drop_encoding()
    encoding: dict[Hashable, dict[str, Any]] = {}
    for name, variable in data.variables.items():
        code: dict[str, Any] = encoding.setdefault(name, {})
        if variable.dtype.kind == "M":  # whole numbers of the unit in memory; in another, xarray may give NaT
            unit = DATE_UNITS[np.datetime_data(variable.dtype)[0]]
            code |= {"units": f"{unit} since 1970-01-01", "dtype": "int64"}
        if variable.dtype.kind == "f":
            code["_FillValue"] = variable.dtype.type(np.nan)
        if variable.ndim and variable.size and variable.dtype.kind not in "OUT":
            code |= {"chunks" if kind == "zarr" else "chunksizes": _chunks(variable)}
            if kind == "netcdf":
                code |= {"fletcher32": True, "zlib": True, "complevel": LEVEL, "shuffle": True}
    if kind == "netcdf":
        data.to_netcdf(target, engine="h5netcdf", encoding=encoding)
        return
    from zarr.codecs import ZstdCodec

    texts = {n: (v.dims, v.values.astype(np.dtypes.StringDType()), v.attrs) for n, v in data.variables.items()
             if v.dtype.kind in "OU"}  # Zarr 3 has no specification of texts of fixed width
    data = data.assign_coords({n: v for n, v in texts.items() if n in data.coords}).assign(
        {n: v for n, v in texts.items() if n not in data.coords})
    for name, variable in data.variables.items():
        encoding[name] |= {"compressors": (ZstdCodec(level=LEVEL, checksum=True),), "write_empty_chunks": True}
        if variable.dtype.kind == "f":
            encoding[name]["fill_value"] = variable.dtype.type(np.nan)
    data.to_zarr(target, mode="w-", zarr_format=3, consolidated=False, encoding=encoding)


def _as_it_was(data: xr.Dataset) -> xr.Dataset:
    """Texts of fixed width, dates in the unit that they had, no traces of the storage."""
    unit = data.attrs.pop(CLOCK, None)
    changed = {}
    for name, variable in data.variables.items():
        if variable.dtype.kind in "OT":
            changed[name] = (variable.dims, variable.values.astype(object).astype(str), variable.attrs)
        elif variable.dtype.kind == "M" and unit in DATE_UNITS:
            changed[name] = (variable.dims, variable.values.astype(f"datetime64[{unit}]"), variable.attrs)
    data = data.assign_coords({n: v for n, v in changed.items() if n in data.coords}).assign(
        {n: v for n, v in changed.items() if n not in data.coords})
    data = data.drop_encoding()
    data.attrs = {k: (v.item() if isinstance(v, np.generic) else v) for k, v in data.attrs.items()}
    return data


@contextlib.contextmanager
def _as_output_error(path: Path, verb: str) -> Iterator[None]:
    """Whatever a storage library raises becomes an `OutputError`."""
    try:
        yield
    except (OutputError, LimitError, MemoryError):
        raise
    except ThermoError as error:
        raise OutputError(str(error)) from None
    except ImportError as error:
        raise OutputError(f"{path.name}: needs a package that is missing ({error}); "
                          "pip install 'thermo-dc[io]'") from None
    except Exception as error:  # the libraries have no common root
        raise OutputError(f"{path.name}: cannot be {verb}: {type(error).__name__}: {error}") from error


def _is_own(path: Path) -> bool:
    """Whether a store carries our mark, without reading its data."""
    try:
        if _format(path) == "netcdf":
            import h5py

            if not path.is_file():
                return False
            with h5py.File(path, "r") as file:
                return MARK in file.attrs
        if not path.is_dir():
            return False
        text = _files.regular_file(path / "zarr.json", _files.MAX_METADATA_BYTES).read_text(encoding="utf-8")
        return MARK in json.loads(text).get("attributes", {})
    except (OSError, ValueError, AttributeError, ThermoError):
        return False


def _sync(target: Path) -> None:
    """What was written is on the disk before its name is."""
    for file in [target] if target.is_file() else [p for p in target.rglob("*") if p.is_file()]:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _into_place(temporary: Path, path: Path, overwrite: bool) -> None:
    if not overwrite and temporary.is_file():
        try:
            os.link(temporary, path)  # fails where something has come to be there meanwhile
            return
        except FileExistsError:
            raise OutputError(f"{path.name}: has come to be there meanwhile; give another name") from None
        except OSError:  # a file system without hard links
            require_free(path)
    if temporary.is_dir() and path.exists():
        aside = path.with_name(f"{temporary.name}.old")
        os.rename(path, aside)
        try:
            os.rename(temporary, path)
        except BaseException:
            os.rename(aside, path)
            raise
        _remove(aside)
        return
    os.replace(temporary, path)


def _remove(target: Path) -> None:
    with warnings.catch_warnings(), contextlib.suppress(OSError):
        warnings.simplefilter("ignore")
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

"""A result comes back from disk as it went there, to the bit; a damaged one, or a foreign one, is refused."""

import os
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_rack import rack

import thermo
from thermo import store
from thermo.cooling import Air
from thermo.errors import OutputError

FORMATS = ("result.nc", "result.zarr")


@cache
def run(dates=False):
    t = np.arange(40) * 30.0
    watts = 350 + 300 * np.sin(t / 200)
    index = pd.Timestamp("2026-01-08T10:00") + pd.to_timedelta(t, unit="s") if dates else t
    load = thermo.workload.as_workload(pd.Series(watts, index=index), units="W")
    return thermo.simulate_rack(rack.with_servers(2), load, cooling=Air())


@pytest.fixture(scope="module", params=["seconds", "dates"])
def result(request):
    return run(request.param == "dates")


def require_same(a, b):
    """Names, dims, dtypes, values to the bit, attributes with their types."""
    xr.testing.assert_identical(a, b)
    assert list(a.coords) and set(a.coords) == set(b.coords) and set(a.data_vars) == set(b.data_vars)
    for name, variable in a.variables.items():
        other = b.variables[name]
        assert variable.dtype == other.dtype, name
        if variable.dtype.kind == "f":
            assert variable.values.tobytes() == other.values.tobytes(), name
        assert {k: type(v) for k, v in variable.attrs.items()} == {k: type(v) for k, v in other.attrs.items()}
    assert {k: (type(v), v) for k, v in a.attrs.items()} == {k: (type(v), v) for k, v in b.attrs.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_round_trip_is_exact(result, tmp_path, name):
    path = store.write(result, tmp_path / name)
    require_same(result, store.read(path))
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_goes_on_from_a_result_read_back(tmp_path, name):
    first = run()
    back = store.read(first.thermo.save(tmp_path / name))
    more = pd.Series([400.0, 500.0, 500.0], index=[1170.0, 1200.0, 1230.0])
    load = thermo.workload.as_workload(more, units="W")
    on = [thermo.simulate_rack(rack.with_servers(2), load, cooling=Air(), initial=r) for r in (first, back)]
    xr.testing.assert_identical(*on)


def test_xarray_itself_writes_it_without_warnings(result, tmp_path):
    result.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        xr.testing.assert_equal(back.load(), result)
    result.to_zarr(tmp_path / "a.zarr", zarr_format=2)
    with xr.open_zarr(tmp_path / "a.zarr", chunks=None) as back:
        xr.testing.assert_equal(back.load(), result)
    with warnings.catch_warnings():  # what Zarr 3 says of its own texts and of its own consolidated metadata
        warnings.filterwarnings("ignore", message="The data type .FixedLengthUTF32")
        result.to_zarr(tmp_path / "b.zarr", consolidated=False)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_overwritten_unasked(tmp_path, name):
    first, second = run(), run(dates=True)
    store.write(first, tmp_path / name)
    with pytest.raises(OutputError, match="is there already.*--overwrite"):
        store.write(second, tmp_path / name)
    require_same(store.read(tmp_path / name), first)
    store.write(second, tmp_path / name, overwrite=True)
    require_same(store.read(tmp_path / name), second)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_only_stores_of_our_own_are_overwritten(tmp_path, name):
    path = tmp_path / name
    (path if name.endswith(".nc") else tmp_path / "file").write_text("my thesis")
    if name.endswith(".zarr"):
        path.mkdir()
        (path / "zarr.json").write_text('{"attributes": {}}')
    with pytest.raises(OutputError, match="not a result that thermo wrote"):
        store.write(run(), path, overwrite=True)
    assert path.read_text() == "my thesis" if name.endswith(".nc") else (path / "zarr.json").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_links_are_not_followed(tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / name).symlink_to(elsewhere / name)
    with pytest.raises(OutputError, match="symbolic link"):
        store.write(run(), tmp_path / name, overwrite=True)
    assert not any(elsewhere.iterdir())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written(tmp_path, monkeypatch, name, kind):
    """Full disk, or an interrupt, at the last moment and in the middle."""
    for place in ("_sync", "_into_place"):

        def fail(*args):
            raise kind

        monkeypatch.setattr(store, place, fail)
        with pytest.raises(KeyboardInterrupt if isinstance(kind, KeyboardInterrupt) else OutputError):
            store.write(run(), tmp_path / name)
        assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "place,words", [("there/is/none.nc", "no folder"), ("result.txt", ".nc or .zarr"), ("result", ".nc or .zarr")]
)
def test_places_that_cannot_be(tmp_path, place, words):
    with pytest.raises(OutputError, match=words):
        store.write(run(), tmp_path / place)
    with pytest.raises(OutputError):
        store.read(tmp_path / place)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_noticed(tmp_path, name):
    """Bits flipped all over the data of a store: refused, or, where the bit means nothing, the same result. Seed 20260108."""
    result = run()
    path = store.write(result, tmp_path / name)
    rng = np.random.default_rng(20260108)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    refused = 0
    for _ in range(40):
        file = files[rng.integers(len(files))]
        good = file.read_bytes()
        at = int(rng.integers(len(good)))
        file.write_bytes(good[:at] + bytes([good[at] ^ (1 << int(rng.integers(8)))]) + good[at + 1 :])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                xr.testing.assert_identical(store.read(path), result)
        except OutputError as error:
            assert len(str(error)) <= 500 and "\n" not in str(error)
            refused += 1
        file.write_bytes(good)
    assert refused > 10


def test_a_missing_chunk_is_not_zeros(tmp_path):
    path = store.write(run(), tmp_path / "result.zarr")
    (path / "junction_temperature/c/0/0/0").unlink()
    with pytest.raises(OutputError, match="not what was written"):
        store.read(path)


def test_a_foreign_file_is_not_a_result(tmp_path):
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(OutputError, match="not a result that thermo wrote"):
        store.read(tmp_path / "a.nc")
    with pytest.raises(OutputError, match="there is no such file"):
        store.read(tmp_path / "b.nc")


def test_objects_are_refused(tmp_path):
    data = xr.Dataset({"a": ("x", np.array([{}, []], dtype=object))})
    with pytest.raises(OutputError, match="expected numbers, dates or texts"):
        store.write(data, tmp_path / "a.nc")


def test_a_store_of_others_is_read_only_when_asked(tmp_path):
    """`verify=False` takes what xarray wrote; a mark that is there is checked all the same."""
    result = run()
    result.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    with pytest.raises(OutputError, match=r"result\.thermo\.save\(path\)"):
        store.read(tmp_path / "plain.nc")
    xr.testing.assert_allclose(store.read(tmp_path / "plain.nc", verify=False), result)
    result.assign_attrs({store.MARK: "0" * 64}).to_netcdf(tmp_path / "forged.nc", engine="h5netcdf")
    with pytest.raises(OutputError, match="not what was written"):
        store.read(tmp_path / "forged.nc", verify=False)

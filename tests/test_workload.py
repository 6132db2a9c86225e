"""A workload is read, checked, repaired only on request, and resampled without losing energy."""
import gzip
import os
import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from thermo import _files, workload
from thermo.errors import LimitError, TraceError

CSV = """time_s,gpu0_power_w,gpu1_power_w,gpu0_temp_c
0,100.0,110.0,40
1,200.0,210.0,41
2,300.0,310.0,42
3,400.0,410.0,43
"""


@pytest.fixture
def csv(tmp_path):
    """A function that writes its text to a file and gives the path."""
    def write(text, name="trace.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path
    return write


@pytest.fixture
def power():
    """Two servers of three devices, irregular steps, numbers that do not end in decimal."""
    rng = np.random.default_rng(11)
    t = np.cumsum(rng.uniform(0.5, 1.5, 20))
    return xr.DataArray(rng.uniform(50, 700, (20, 2, 3)), dims=("time", "server", "device"),
                        coords={"time": t, "device_name": ("device", ["a", "b", "c"])},
                        attrs={"units": "W", "interpolation": "linear", "source": "here", "licence": "MIT"},
                        name="device_power")


def refusal(call, *parts):
    """The message of the `TraceError` that `call` raises: one line, with all `parts`."""
    with pytest.raises(TraceError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) <= 500
    for part in parts:
        assert part in message, message
    return message


# Reading ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz", "TRACE.CSV"])
def test_csv_by_convention(csv, name):
    w = workload.read(csv(CSV, name))
    assert w.dims == ("time", "device") and w.attrs["units"] == "W" and w.attrs["interpolation"] == "constant"
    assert w["device_name"].values.tolist() == ["gpu0", "gpu1"]
    assert w.values.tolist() == [[100, 110], [200, 210], [300, 310], [400, 410]]
    assert w.attrs["source"] == name


@pytest.mark.parametrize("header, dims, units", [
    ("time,card0_power_w,card1_power_w", ("time", "device"), "W"),
    ("timestamp,node_1_w,node_2_w", ("time", "server"), "W"),
    ("time,gpu0_util_pct,gpu1_util_pct", ("time", "device"), "1"),
    ("time,gpu0_util,gpu1_util", ("time", "device"), "1"),
    ("time,power_w,temp_c", ("time",), "W"),
    ("time,utilization_pct,temp_c", ("time",), "1"),
])
def test_conventions(csv, header, dims, units):
    w = workload.read(csv(f"{header}\n0,0.5,1\n1,0.25,1\n"))
    assert w.dims == dims and w.attrs["units"] == units
    assert w.values.reshape(2, -1)[0, 0] == (0.005 if "pct" in header else 0.5)
    assert ("history" in w.attrs) == ("pct" in header)


def test_kilowatts_are_converted_and_noted(csv):
    w = workload.read(csv("time,node_1_kw\n0,1.5\n1,2\n"))
    assert w.values[:, 0].tolist() == [1500.0, 2000.0] and "multiplied by 1000" in w.attrs["history"]


def test_columns_chosen_and_named(csv):
    path = csv(CSV)
    assert workload.read(path, columns="gpu1_power_w").dims == ("time",)
    assert workload.read(path, columns=["gpu1_power_w"]).values.tolist() == [[110], [210], [310], [410]]
    w = workload.read(path, columns={"first": "gpu1_power_w", "second": "gpu0_power_w"})
    assert w["device_name"].values.tolist() == ["first", "second"] and w.values[0].tolist() == [110, 100]
    refusal(lambda: workload.read(path, columns=["gpu1_power"]), "no column 'gpu1_power'",
            "did you mean 'gpu1_power_w'")


def test_plain_columns_need_a_unit(csv):
    path = csv("time,a,b\n0,0.1,0.2\n1,0.3,0.4\n")
    refusal(lambda: workload.read(path), "power or utilisation", 'units="W"')
    assert workload.read(path, units="1").dims == ("time", "device")
    assert workload.read(path, units="kW").values[1].tolist() == [300.0, 400.0]


def test_dates(csv):
    w = workload.read(csv("timestamp,power_w\n2026-01-08T14:00:00+01:00,1\n2026-01-08T14:00:05+01:00,2\n"))
    assert w["time"].dtype.kind == "M" and str(w["time"].values[0])[:19] == "2026-01-08T13:00:00"
    assert float(workload.energy(w)) == 5.0


def test_time_column_named(csv):
    path = csv("seconds,power_w\n0,1\n1,2\n")
    refusal(lambda: workload.read(path), "no time column", "seconds")
    assert workload.read(path, time="seconds").sizes == {"time": 2}
    refusal(lambda: workload.read(path, time="second"), "did you mean 'seconds'")


def test_formats_give_the_same_values(power, tmp_path):
    """CSV, Parquet, NetCDF and Zarr hold the same doubles, to the last bit."""
    w = workload.as_workload(power)
    assert w.identical(workload.as_workload(w))
    w.to_netcdf(tmp_path / "w.nc", engine="h5netcdf")
    w.to_dataset().to_zarr(tmp_path / "w2.zarr", zarr_format=2)
    w.drop_vars("device_name").to_dataset().to_zarr(tmp_path / "w3.zarr", zarr_format=3, consolidated=False)
    for name in ("w.nc", "w2.zarr"):
        back = workload.read(tmp_path / name)
        assert back.attrs["interpolation"] == "linear" and back.attrs["licence"] == "MIT"
        xr.testing.assert_identical(back, w)
    xr.testing.assert_identical(workload.read(tmp_path / "w3.zarr"), w.drop_vars("device_name"))
    flat = pd.DataFrame(w.isel(server=0).values, columns=[f"gpu{k}_power_w" for k in range(3)],
                        index=pd.Index(w["time"].values, name="time"))
    flat.to_csv(tmp_path / "w.csv")
    flat.to_parquet(tmp_path / "w.parquet")
    flat.rename_axis(None).to_parquet(tmp_path / "unnamed.parquet")
    for name in ("w.csv", "w.parquet", "unnamed.parquet"):
        back = workload.read(tmp_path / name)
        assert np.array_equal(back.values, w.isel(server=0).values) and np.array_equal(back["time"].values,
                                                                                       w["time"].values)


def test_parquet_with_dates(tmp_path):
    table = pd.DataFrame({"power_w": [1.0, 2.0]},
                         index=pd.date_range("2026-01-01", periods=2, freq="s", tz="Europe/Berlin"))
    table.to_parquet(tmp_path / "w.parquet")
    assert str(workload.read(tmp_path / "w.parquet")["time"].values[0])[:19] == "2025-12-31T23:00:00"


def test_dataset_with_several_variables(power, tmp_path):
    data = power.to_dataset().assign(temperature=power * 0.1)
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    assert np.array_equal(workload.read(tmp_path / "d.nc").values, power.values)
    assert np.array_equal(workload.read(tmp_path / "d.nc", columns="temperature", units="W").values, power.values * 0.1)
    odd = data.rename(device_power="a")
    odd.to_netcdf(tmp_path / "o.nc", engine="h5netcdf")
    refusal(lambda: workload.read(tmp_path / "o.nc"), "which variable", "columns=")
    refusal(lambda: workload.read(tmp_path / "o.nc", columns="temperatur"), "did you mean 'temperature'")


# What else can be a workload ----------------------------------------------------------------------------------------

def test_pandas():
    series = pd.Series([1.0, 2.0], index=pd.to_timedelta([0, 60], unit="s"))
    assert workload.as_workload(series, units="W")["time"].values.tolist() == [0.0, 60.0]
    table = pd.DataFrame({"gpu0": [0.1, 0.2], "gpu1": [0.3, 0.4]}, index=[0, 1])
    w = workload.as_workload(table, units="1")
    assert w.dims == ("time", "device") and w["device_name"].values.tolist() == ["gpu0", "gpu1"]


def test_numbers_and_paths(csv):
    w = workload.as_workload(0.7, duration=60.0)
    assert w.values.tolist() == [0.7, 0.7] and w["time"].values.tolist() == [0.0, 60.0] and w.attrs["units"] == "1"
    assert workload.as_workload(500, units="W").values.tolist() == [500.0, 500.0]
    assert workload.as_workload(str(csv(CSV))).sizes == {"time": 4, "device": 2}
    refusal(lambda: workload.as_workload(500), "500", "0 to 1", 'units="W"')


def test_constant():
    w = workload.constant(2.0, units="kW", duration=10.0, time_step=4.0)
    assert w["time"].values.tolist() == [0.0, 4.0, 8.0, 10.0] and set(w.values.tolist()) == {2000.0}
    assert workload.constant(0.1, duration=1.0, time_step=0.1).sizes == {"time": 11}
    for bad in (dict(value="x"), dict(value=np.nan), dict(value=1.5), dict(value=1, duration=0.0),
                dict(value=1, duration=np.inf),
                dict(value=1, time_step=-1.0), dict(value=1, units="V")):
        refusal(lambda bad=bad: workload.constant(**bad))
    with pytest.raises(LimitError):
        workload.constant(1.0, duration=1e10, time_step=1e-3)


def test_dims_are_put_in_order_and_the_input_stays(power):
    mixed = power.transpose("device", "time", "server")
    before = mixed.copy(deep=True)
    w = workload.as_workload(mixed)
    assert w.dims == ("time", "server", "device") and w.values.flags.c_contiguous and w.dtype == np.float64
    assert np.array_equal(w.values, power.values)
    w.values[:] = 0.0
    w.attrs["units"] = "x"
    xr.testing.assert_identical(mixed, before)


def test_float32_and_integers_become_float64(power):
    assert workload.as_workload(power.astype(np.float32)).dtype == np.float64
    assert workload.as_workload(power.astype(np.uint16)).values[0, 0, 0] == int(power.values[0, 0, 0])


@pytest.mark.parametrize("thing", [None, True, [1.0, 2.0], np.ones(3), {"a": 1}, 1j, b"x"])
def test_other_things_are_refused(thing):
    refusal(lambda: workload.as_workload(thing), type(thing).__name__, "expected a DataArray")


# Refusals -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("old, new, parts", [
    ("200.0", "", ("trace.csv:3", "gpu0_power_w", "missing", "fill=")),
    ("200.0", "nan", ("trace.csv:3", "time 1 s", "gpu0_power_w", "missing")),
    ("200.0", "inf", ("trace.csv:3", "gpu0_power_w is inf")),
    ("200.0", "-5", ("trace.csv:3", "gpu0_power_w is -5 W", "negative")),
    ("200.0", "5e12", ("trace.csv:3", "5e+12 W")),
    ("200.0", "two", ("trace.csv:3", "gpu0_power_w is 'two'", "expected a number")),
    ("200.0", "1+2j", ("trace.csv:3", "'1+2j'")),
    ("200.0", "=1+1", ("trace.csv:3", "'=1+1'")),
    ("200.0", "1,2,3", ("trace.csv", "line 3")),
    ("\n2,", "\n1,", ("trace.csv:4", "time 1 s", "there already", "fill=")),
    ("\n2,", "\n0.5,", ("trace.csv:4", "backwards by 0.5 s")),
    ("\n2,", "\n,", ("trace.csv:4", "the time is missing")),
    ("\n2,", "\nnever,", ("trace.csv:4", "time_s is 'never'")),
    ("\n3,", "\n1767880000000,", ("trace.csv:5", "milliseconds")),
    ("\n3,", "\ninf,", ("trace.csv:5", "time is inf")),
    ("time_s,", "t,", ("no time column", "time=")),
    ("gpu1_power_w", "gpu0_power_w", ("trace.csv:1", "more than once")),
    (CSV, "", ("empty",)),
    (CSV, "\n\n", ("empty",)),
    (CSV, "time_s,gpu0_power_w\n", ("0 samples", "two samples")),
    (CSV, "time_s,gpu0_power_w\n0,1\n", ("1 samples", "constant")),
    (CSV, "time_s\n0\n1\n", ("no column beside the time",)),
    (CSV, "time_s,ac_w,dc_w\n0,1,2\n1,1,2\n", ("which column", "columns=")),
    (CSV, "time_s,gpu0_util\n0,1\n1,50\n", ("trace.csv:3", "50", "percent")),
    (CSV, "time_s,a\n0,x\n1,y\n", ("power or utilisation",)),
    (CSV, "time;power_w\n0;1\n1;2\n", ("semicolons",)),
    (CSV, "time,power_w\n0,1,2\n1,1,2\n", ("trace.csv:2", "3 cells")),
    (CSV, "time,power_w\n0,True\n1,False\n", ("bool",)),
    (CSV, "time,power_w\n0,1\n1,2\0\n", ("zero bytes",)),
])
def test_bad_csv(csv, old, new, parts):
    assert old in CSV
    refusal(lambda: workload.read(csv(CSV.replace(old, new))), *parts)


def test_all_kinds_of_fault_at_once(csv):
    text = CSV.replace("200.0", "").replace("310.0", "-1").replace("\n3,", "\n2,").replace("410.0", "")
    message = refusal(lambda: workload.read(csv(text)), "trace.csv:3", "trace.csv:4", "trace.csv:5", "missing",
                      "negative", "there already")
    assert "(and 1 more)" in message


def test_not_utf8(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"time,power_w\n0,1\n1,\xff\n")
    refusal(lambda: workload.read(tmp_path / "t.csv"), "UTF-8")


def test_byte_order_mark_and_blank_end(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbftime,power_w\r\n0,1\r\n1,2\r\n\r\n\r\n")
    assert workload.read(tmp_path / "t.csv").values.tolist() == [1.0, 2.0]


BAD_ARRAYS = {
    "complex": (lambda a: a.astype(complex), "complex"),
    "object": (lambda a: a.astype(object), "object"),
    "text": (lambda a: a.astype(str), "expected real numbers"),
    "bool": (lambda a: a > 1e9, "bool"),
    "nan": (lambda a: a.where(a["time"] != a["time"][4]), "sample 4 (time"),
    "negative": (lambda a: a - 1000, "negative"),
    "no time dim": (lambda a: a.rename(time="t"), "expected time"),
    "no coordinate": (lambda a: a.drop_vars("time"), "expected time"),
    "unknown dim": (lambda a: a.rename(device="devices"), "did you mean 'device'"),
    "no units": (lambda a: a.drop_attrs(), "units="),
    "strange units": (lambda a: a.assign_attrs(units="V"), "'V'"),
    "strange interpolation": (lambda a: a.assign_attrs(interpolation="cubic"), "'cubic'"),
    "reversed": (lambda a: a[::-1], "backwards"),
    "repeated": (lambda a: xr.concat([a, a[-1:]], "time"), "sample 20"),
    "one": (lambda a: a[:1], "two samples"),
    "none": (lambda a: a[:0], "0 samples"),
    "no device": (lambda a: a[:, :, :0], "expected"),
    "no server, no sample": (lambda a: a[:0, :0], "expected"),
    "time is text": (lambda a: a.assign_coords(time=[f"x{k}" for k in range(20)]), "expected seconds or a date"),
    "time is complex": (lambda a: a.assign_coords(time=a["time"].values + 0j), "expected seconds"),
    "time is missing": (lambda a: a.assign_coords(time=np.where(np.arange(20) == 3, np.nan, a["time"].values)),
                        "time is missing"),
    "date is missing": (lambda a: a.assign_coords(time=pd.DatetimeIndex([pd.NaT,
                                                                         *pd.date_range("2026-01-01", periods=19)])),
                        "time is missing"),
}


@pytest.mark.parametrize("change, part", BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_bad_arrays(power, change, part):
    bad = change(power)
    before = bad.copy(deep=True)
    refusal(lambda: workload.as_workload(bad), part)
    xr.testing.assert_identical(bad, before)


def test_units_that_disagree(power):
    refusal(lambda: workload.as_workload(power, units="1"), "'W'", "'1'")
    assert workload.as_workload(power, units="kW").attrs["units"] == "W"  # the attribute wins: both are power


def test_a_message_names_server_and_device(power):
    power.values[7, 1, 2] = np.inf
    refusal(lambda: workload.as_workload(power), "sample 7", "server 1, device 2 is inf")


def test_pandas_refusals():
    refusal(lambda: workload.as_workload(pd.Series([1.0, None], index=[0, 1]), units="W"), "sample 1", "missing")
    refusal(lambda: workload.as_workload(pd.Series(["a", "b"], index=[0, 1]), units="W"), "'a'")
    refusal(lambda: workload.as_workload(pd.Series([1, 2], index=["a", "b"]), units="W"), "expected seconds or a date")
    refusal(lambda: workload.as_workload(pd.Series([object(), 1.0], index=[0, 1]), units="W"), "expected")
    refusal(lambda: workload.as_workload(pd.DataFrame([[1, 2]] * 2, columns=["a", "a"], index=[0, 1]), units="W"),
            "more than once")
    refusal(lambda: workload.as_workload(pd.DataFrame(index=[0, 1]), units="W"), "no column")
    levels = pd.MultiIndex.from_product([[0, 1], ["a"]])
    refusal(lambda: workload.as_workload(pd.Series([1.0, 2.0], index=levels), units="W"), "levels")


def test_gaps(csv):
    path = csv("time,power_w\n0,1\n1,1\n900,1\n")
    assert workload.read(path).sizes == {"time": 3}
    refusal(lambda: workload.read(path, max_gap=60.0), "trace.csv:4", "gap of 899 s", "max_gap is 60 s")
    assert "1 gaps longer than 60 s" in workload.read(path, max_gap=60.0, fill="previous").attrs["history"]


# Repairs ------------------------------------------------------------------------------------------------------------

BROKEN = "time,power_w\n0,10\n2,30\n1,\n3,\n2,31\n,99\n5,50\n"


@pytest.mark.parametrize("fill, times, values", [
    ("previous", [0, 1, 2, 3, 5], [10, 10, 31, 31, 50]),
    ("linear", [0, 1, 2, 3, 5], [10, 20.5, 31, 31 + 19 / 3, 50]),
    ("drop", [0, 2, 5], [10, 31, 50]),
])
def test_repairs_do_what_they_say(csv, fill, times, values):
    """Sorted, the last of equal times kept, holes filled; and the history counts each."""
    w = workload.read(csv(BROKEN), fill=fill)
    assert w["time"].values.tolist() == times
    np.testing.assert_allclose(w.values, values, rtol=1e-15)
    history = w.attrs["history"]
    for part in ("1 rows without a time", "sort by time", "1 rows dropped for equal times",
                 "2 rows with missing samples dropped" if fill == "drop" else f"2 missing samples filled ({fill})"):
        assert part in history


@pytest.mark.parametrize("fill", ["previous", "linear"])
def test_nothing_to_fill_from(csv, fill):
    path = csv("time,power_w\n0,\n1,1\n2,2\n")
    refusal(lambda: workload.read(path, fill=fill), "trace.csv:2", "missing")


@pytest.mark.parametrize("bad", ["inf", "-1"])
def test_fill_does_not_hide_impossible_values(csv, bad):
    refusal(lambda: workload.read(csv(f"time,power_w\n0,1\n1,{bad}\n2,2\n"), fill="drop"), "trace.csv:3")


def test_after_sorting_a_fault_still_names_its_line(csv):
    refusal(lambda: workload.read(csv("time,power_w\n2,1\n0,-7\n1,1\n3,1\n"), fill="drop"), "trace.csv:3 (time 0 s)",
            "-7 W")


def test_a_sound_trace_is_not_touched_by_fill(power):
    xr.testing.assert_identical(workload.as_workload(power, fill="linear"), workload.as_workload(power))
    refusal(lambda: workload.as_workload(power, fill="zero"), "'zero'", "previous")


def test_everything_dropped(csv):
    refusal(lambda: workload.read(csv("time,power_w\n0,\n1,\n2,\n"), fill="drop"), "0 samples")


# Untrusted files ----------------------------------------------------------------------------------------------------

def test_only_regular_files(tmp_path, csv):
    refusal(lambda: workload.read(tmp_path / "absent.csv"), "no such file")
    os.mkfifo(tmp_path / "pipe.csv")
    refusal(lambda: workload.read(tmp_path / "pipe.csv"), "not a regular file")
    (tmp_path / "folder.csv").mkdir()
    refusal(lambda: workload.read(tmp_path / "folder.csv"), "not a regular file")
    refusal(lambda: workload.read(csv(CSV, "t.txt")), "cannot tell the format")
    refusal(lambda: workload.read(csv(CSV, "t.pkl")), "cannot tell the format")
    refusal(lambda: workload.read("\0.csv"))
    for name in ("t.parquet", "t.nc", "t.csv.gz"):
        (tmp_path / name).write_bytes(b"not at all what it says")
        refusal(lambda name=name: workload.read(tmp_path / name), name)
    refusal(lambda: workload.read(csv(CSV, "t.zarr")), "not a Zarr store")
    (tmp_path / "e.zarr").mkdir()
    refusal(lambda: workload.read(tmp_path / "e.zarr"), "e.zarr")


def test_sizes_are_limited(csv, monkeypatch, tmp_path, power):
    """A small gzip of a large text, a line without an end, too many cells: each is a `LimitError`, not memory."""
    monkeypatch.setattr(_files, "MAX_TEXT_BYTES", 3 * 2**20)
    for text in ("time,power_w\n" + "0,1\n" * 2**20, ):
        with pytest.raises(LimitError, match="bytes of text"):
            workload.read(csv(text, "bomb.csv.gz"))
        with pytest.raises(LimitError, match="the limit is"):
            workload.read(csv(text))
    with pytest.raises(LimitError, match="a line is longer"):
        workload.read(csv("time" * 2**19, "t.csv.gz"))
    power.to_netcdf(tmp_path / "w.nc", engine="h5netcdf")
    power.to_dataset().to_zarr(tmp_path / "w.zarr", zarr_format=2)
    monkeypatch.setattr(_files, "MAX_SAMPLES", 5)
    pd.DataFrame({"time": [0.0, 1, 2], "power_w": [1.0, 2, 3]}).to_parquet(tmp_path / "w.parquet")
    for thing in (csv(CSV), tmp_path / "w.nc", tmp_path / "w.zarr", tmp_path / "w.parquet", power):
        with pytest.raises(LimitError, match="the limit is 5"):
            workload.as_workload(thing)
    monkeypatch.setattr(_files, "MAX_STORE_ENTRIES", 2)
    with pytest.raises(LimitError, match="more than 2 files"):
        workload.read(tmp_path / "w.zarr")
    monkeypatch.setattr(_files, "MAX_COLUMNS", 1)
    with pytest.raises(LimitError, match="columns"):
        workload.read(csv(CSV))


def test_zarr_with_a_chunk_gone(power, tmp_path):
    """A chunk that is not there would read as a row of zeros: it is refused; with NaN to fill it is missing."""
    for fill, part in ((0.0, "1 of 4 chunks"), (np.nan, "missing")):
        path = tmp_path / f"{fill}.zarr"
        power.to_dataset().to_zarr(path, zarr_format=2,
                                   encoding={"device_power": {"chunks": (5, 2, 3), "_FillValue": fill}})
        assert workload.read(path).sizes["time"] == 20
        (path / "device_power" / "2.0.0").unlink()
        refusal(lambda path=path: workload.read(path), part)


def test_zarr_with_a_link_or_a_foreign_codec(power, tmp_path):
    power.to_dataset().to_zarr(tmp_path / "w.zarr", zarr_format=2, consolidated=False)
    meta = tmp_path / "w.zarr" / "device_power" / ".zarray"
    text = meta.read_text()
    meta.write_text(text.replace('"filters": null', '"filters": [{"id": "pickle"}]'))
    assert "pickle" in meta.read_text()
    refusal(lambda: workload.read(tmp_path / "w.zarr"), "codec 'pickle'")
    meta.write_text(text)
    assert workload.read(tmp_path / "w.zarr").sizes["time"] == 20
    (tmp_path / "w.zarr" / "extra").symlink_to("/etc/hostname")
    refusal(lambda: workload.read(tmp_path / "w.zarr"), "not a regular file")


def test_netcdf_with_values_elsewhere(tmp_path):
    h5py = pytest.importorskip("h5py")
    xr.Dataset({"power": ("time", [1.0, 2.0], {"units": "W"})}, {"time": [0.0, 1.0]}).to_netcdf(
        tmp_path / "w.nc", engine="h5netcdf")
    assert workload.read(tmp_path / "w.nc").sizes == {"time": 2}
    with h5py.File(tmp_path / "link.nc", "w") as file:
        file["power"] = h5py.ExternalLink("w.nc", "power")
        file["time"] = h5py.ExternalLink("w.nc", "time")
    refusal(lambda: workload.read(tmp_path / "link.nc"), "links are not followed")
    with h5py.File(tmp_path / "raw.nc", "w") as file:
        file.create_dataset("power", (2,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 16)])
    refusal(lambda: workload.read(tmp_path / "raw.nc"), "another file")


def test_a_pickle_is_never_opened(tmp_path, monkeypatch):
    """Not even when it is called a trace."""
    monkeypatch.setattr(pickle, "loads", lambda *a, **k: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "load", lambda *a, **k: pytest.fail("unpickled"))
    for name in ("p.csv", "p.parquet", "p.nc"):
        (tmp_path / name).write_bytes(pickle.dumps({"time": [0, 1]}, protocol=4))
        refusal(lambda name=name: workload.read(tmp_path / name))


# Energy and resampling ----------------------------------------------------------------------------------------------

def test_energy_by_hand():
    """100 W for 1 s and 300 W for 3 s are 1000 J; as straight lines 200 J and 1050 J."""
    w = xr.DataArray([100.0, 300.0, 400.0], dims="time", coords={"time": [0.0, 1.0, 4.0]}, attrs={"units": "W"})
    assert float(workload.energy(w)) == 1000.0
    assert float(workload.energy(w.assign_attrs(interpolation="linear"))) == 1250.0
    refusal(lambda: workload.energy(workload.constant(0.5)), "needs a workload in W")


@pytest.mark.parametrize("interpolation", ["constant", "linear"])
def test_resampling_keeps_energy_of_each_part(power, interpolation):
    """Tolerance: one rounding for each of the 20 + 4 pieces that are summed."""
    w = power.assign_attrs(interpolation=interpolation)
    r = workload.resample(w, 4.0)
    assert r.attrs["interpolation"] == "constant" and r.attrs["source"] == "here"
    assert "resampled from 20" in r.attrs["history"]
    assert r["time"].values[-1] == w["time"].values[-1] and r.dims == w.dims
    np.testing.assert_allclose(workload.energy(r), workload.energy(w), rtol=48 * np.finfo(float).eps)


def test_resampling_dates():
    times = pd.date_range("2026-01-01", periods=4, freq="10s").to_numpy()
    w = xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="time", coords={"time": times}, attrs={"units": "W"})
    r = workload.resample(w, 15.0)
    assert r["time"].dtype.kind == "M" and r.values.tolist() == [(10 + 10) / 15, (10 + 30) / 15, 4.0]
    assert workload.resample(w, np.timedelta64(15, "s")).equals(r)
    assert workload.resample(w, r["time"].values).equals(r)
    refusal(lambda: workload.resample(w, [0.0, 1.0]), "datetime64")


def test_resampling_refusals(power):
    w = workload.as_workload(power)
    first, last = w["time"].values[[0, -1]]
    for bad in ([first, first], [last, first], [first], [], [first - 1, last], [first, last + 1], [first, np.nan],
                [[first, last]],
                0.0, -1.0, np.nan, "x", None):
        refusal(lambda bad=bad: workload.resample(w, bad))
    with pytest.raises(LimitError):
        workload.resample(w, 1e-9)


def test_a_step_longer_than_the_trace_gives_its_mean(power):
    r = workload.resample(power, 1e6)
    span = float(power["time"][-1] - power["time"][0])
    np.testing.assert_allclose(r.values[0] * span, workload.energy(power), rtol=1e-13)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("step", [1.5, 0.4, 1 / 3, 2.0])
def test_resampling_dates_at_any_step(unit, step):
    """A step that the clock of the dates cannot say goes to nanoseconds: same values as for seconds."""
    seconds = np.arange(13.0)
    values = np.random.default_rng(4).uniform(0, 700, 13)
    dates = (np.datetime64("2026-01-08T14:00:00", "s") + seconds.astype("m8[s]")).astype(f"M8[{unit}]")
    dated, plain = (workload.resample(xr.DataArray(values, dims="time", coords={"time": t}, attrs={"units": "W"}), step)
                    for t in (dates, seconds))
    after = (dated["time"].values - dates[0]) / np.timedelta64(1, "s")
    np.testing.assert_allclose(after, plain["time"].values, atol=1e-9)
    np.testing.assert_allclose(dated.values, plain.values, rtol=1e-6)
    assert float(workload.energy(dated)) == pytest.approx(float(workload.energy(plain)), rel=1e-9)
    if step == 2.0:
        assert dated["time"].dtype == dates.dtype


def test_resampling_to_dates_of_a_finer_clock():
    """New dates keep their milliseconds although the old ones have only seconds."""
    dates = np.datetime64("2026-01-08T14:00:00", "s") + np.arange(5).astype("m8[s]")
    load = xr.DataArray([1.0, 2.0, 3.0, 4.0, 5.0], dims="time", coords={"time": dates}, attrs={"units": "W"})
    new = dates[0].astype("M8[ms]") + np.array([500, 1500, 2750], dtype="m8[ms]")
    np.testing.assert_allclose(workload.resample(load, new).values, [1.5, 2.6, 3.0])
    new[1] = np.datetime64("NaT")
    with pytest.raises(TraceError, match="one of them is missing"):
        workload.resample(load, new)


def test_dates_beyond_nanoseconds_name_the_clock():
    dates = np.datetime64("3000-01-01", "s") + np.arange(5).astype("m8[s]")
    load = xr.DataArray(np.ones(5), dims="time", coords={"time": dates}, attrs={"units": "W"})
    assert workload.resample(load, 2.0).size == 3
    with pytest.raises(TraceError, match=r"1.5 s cannot be said on the workload's clock, datetime64\[s\]"):
        workload.resample(load, 1.5)


def test_more_than_a_megawatt_on_one_device_is_refused():
    """Of a device, the sample is named; a hall may have more."""
    load = xr.DataArray(np.full((3, 2), 500.0), dims=("time", "device"), coords={"time": [0.0, 1.0, 2.0]},
                        attrs={"units": "W"})
    load[1, 1] = 2e6
    said = r"sample 1 \(time 1 s\): device 1 is 2e\+06 W, expected 0 to 1e\+06 W of one device"
    with pytest.raises(TraceError, match=said):
        workload.as_workload(load)
    hall = load.isel(device=1, drop=True)
    assert float(workload.as_workload(hall).max()) == 2e6
    for value, units in ((2e6, "W"), (2e3, "kW")):
        with pytest.raises(TraceError, match=r"value is 2e\+06 W, expected 0 to 1e\+06 W"):
            workload.constant(value, units=units)
    with pytest.raises(TraceError, match="value is True"):
        workload.constant(True)

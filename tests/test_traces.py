"""Each measured set is read with its dims, units and provenance, and no value is altered but by its unit."""
import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from thermo import traces, workload
from thermo.errors import LimitError, TraceError

FOLDER = Path(traces.__file__).parent
LISTED = traces.names()
SHIPPED = [(r.reader, r.part) for r in LISTED.itertuples() if r.shipped]
ELSEWHERE = [(r.reader, r.part) for r in LISTED.itertuples() if not r.shipped]
WITHOUT_PART = {"cannon", "azure_fan_power"}


def opened(reader, part, **more):
    """The data set `part` of `reader`."""
    return getattr(traces, reader)(*([] if reader in WITHOUT_PART else [part]), **more)


def test_names_lists_every_reader_once():
    assert set(LISTED["reader"]) | {"names", "folder"} == set(traces.__all__)
    assert not LISTED.duplicated(["reader", "part"]).any()
    assert LISTED["licence"].str.len().gt(0).all() and LISTED["source"].str.contains("commit [0-9a-f]{40}").all()


@pytest.mark.parametrize("reader, part", SHIPPED)
def test_shipped_sets_are_described(reader, part):
    d = opened(reader, part)
    assert all(d.attrs[key] for key in ("title", "source", "licence", "traps")) and d.attrs["part"] == part
    assert len(d.data_vars) > 0 and 0 not in d.sizes.values()
    for name, v in d.variables.items():
        assert v.dtype.kind in "fUM", name
        assert v.attrs.get("long_name") or str(name).endswith("_name"), name
        assert v.attrs.get("units") or v.dtype.kind in "UM", name
    if "time" in d.dims:
        assert (np.diff(d["time"].values) > np.array(0, dtype=np.diff(d["time"].values).dtype)).all()


@pytest.mark.parametrize("reader, part", SHIPPED)
def test_temperatures_and_powers_are_those_of_machines(reader, part):
    """A conversion done twice, or not at all, would leave these ranges."""
    for name, v in opened(reader, part).data_vars.items():
        x = v.values[~np.isnan(v.values)] if v.dtype.kind == "f" else np.empty(0)
        units = v.attrs["units"]
        if units == "degC":
            assert ((x > -10) & (x < 110)).all(), name
        if units == "W":
            assert ((x >= 0) & (x < 2e7)).all(), name
        if "utilisation" in str(name):
            assert ((x >= 0) & (x <= 1)).all(), name


@pytest.mark.parametrize("reader, part, variable, dims", [
    ("b200", "20260107a", "device_power", ("time", "device")),
                                                          ("b200", "20260107b", "device_power", ("time", "device")),
    ("b200", "20260108b", "device_power", ("time", "device")), ("b200", "20260108b", "server_power", ("time",)),
    ("mi300x", "bs1_mem0.8", "device_power", ("time", "device")), ("gpu_step", "a100", "device_power", ("time",)),
    ("gpu_step", "rtx4090", "device_power", ("time",)), ("h100_immersion", "bert", "server_power", ("time",)),
    ("h100_immersion", "llama2_70b_lora", "server_power_dc", ("time",)),
])
def test_power_goes_straight_into_a_workload(reader, part, variable, dims):
    d = opened(reader, part)
    w = workload.as_workload(d[variable])
    assert w.dims == dims and w.attrs["units"] == "W"
    assert w.attrs["interpolation"] == d[variable].attrs["interpolation"]
    assert np.array_equal(w.values, d[variable].values)


def test_values_are_those_of_the_file():
    """Read again with nothing but the csv module."""
    with open(FOLDER / "b200_hgx_gpuburn" / "session_20260108b_autofan_bmc_9s.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    d = traces.b200("20260108b")
    assert d.sizes["time"] == len(rows) == 585
    for k in (0, 1, 300, 584):
        row, here = rows[k], d.isel(time=k)
        assert float(here["time"]) == float(row["time_s"])
        assert here["device_power"].values.tolist() == [float(row[f"gpu{g}_power_w"]) for g in range(8)]
        assert here["device_temperature"].values.tolist() == [float(row[f"gpu{g}_temp_c"]) for g in range(8)]
        assert here["cpu_temperature"].values.tolist() == [float(row["cpu1_temp_c"]), float(row["cpu2_temp_c"])]
        assert float(here["server_power"]) == float(row["dcmi_power_w"])
        assert float(here["fan_speed"]) == float(row["fan_sys_avg_rpm"])
        assert str(here["burn_mode"].values) == row["burn_mode"]


def test_plant_closes_its_balance():
    """Water side against the plant's own tons: flow x density x c_p x rise, to 1 % of properties and 3 % of meters."""
    d = traces.summit("plant")
    assert d.sizes == {"time": 10}
    heat = d["volume_flow"] * 998.0 * 4184.0 * (d["return_temperature"] - d["supply_temperature"])
    np.testing.assert_allclose(heat, d["heat_rejected"], rtol=0.04)


def test_distributions_rise():
    for cluster in ("seren", "kalos", "servers"):
        d = traces.acme(cluster)
        assert d["fraction"].values[[0, -1]].tolist() == [0.0, 1.0]
        assert all((np.diff(v.values) >= 0).all() for v in d.data_vars.values())


def test_cold_plates_of_cannon():
    d = traces.cannon()
    assert d.sizes["node"] == 1724 and int(d["inlet_water_temperature"].notnull().sum()) == 518


@pytest.mark.parametrize("reader, part", ELSEWHERE)
def test_sets_that_do_not_come_along_say_where_they_are(reader, part):
    with pytest.raises(TraceError) as caught:
        opened(reader, part)
    message = str(caught.value)
    assert "https://github.com/" in message and "path=" in message and not message.endswith("..."), message


def test_unknown_parts_are_refused():
    with pytest.raises(TraceError, match="did you mean '20260107a'"):
        traces.b200("2026-01-07a")
    with pytest.raises(TraceError, match="known"):
        traces.gpu_step("zzz")


@pytest.mark.parametrize("reader, part", SHIPPED + ELSEWHERE)
def test_other_files_are_refused(reader, part, tmp_path):
    """A wrong, broken or empty file gives a refusal that names it, whatever the reader."""
    for name, text in {"words.csv": "time_s,a\nx,y\n", "empty.csv": "", "header.csv": "a,b\n"}.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(TraceError):
            opened(reader, part, path=tmp_path / name)
    with pytest.raises(TraceError):
        opened(reader, part, path=tmp_path)
    with pytest.raises(TraceError):
        opened(reader, part, path=tmp_path / "absent.csv")


@pytest.mark.parametrize("reader, part", SHIPPED)
def test_damaged_columns_never_raise_anything_else(reader, part, tmp_path):
    """Each column in turn left out, or full of words, or empty."""
    files = traces._ALL[reader].files[part]
    folder = FOLDER / traces._ALL[reader].folder
    tables = {file: pd.read_csv(folder / file, nrows=12) for file in files}
    for broken in files:
        for column in tables[broken].columns[:24]:
            for damaged in (tables[broken].drop(columns=column), tables[broken].assign(**{column: "oops"}),
                            tables[broken].assign(**{column: np.nan})):
                for file in files:
                    (damaged if file == broken else tables[file]).to_csv(tmp_path / file, index=False)
                try:
                    opened(reader, part, path=tmp_path)
                except (TraceError, LimitError):
                    pass


def test_path_takes_a_file_or_a_folder(tmp_path):
    source = FOLDER / "mi300x_vllm_latency" / "llama31_8b_bs1_mem0.9_5s.csv"
    expected = traces.mi300x("bs1_mem0.9")
    (tmp_path / source.name).write_bytes(source.read_bytes())
    for path in (tmp_path, tmp_path / source.name, FOLDER, str(source.parent)):
        assert traces.mi300x("bs1_mem0.9", path=path).identical(expected)
    with pytest.raises(TraceError, match="give the folder"):
        traces.acme("seren", path=FOLDER / "acme_a100_fleet_cdf" / "gpu_power_seren_cdf.csv")


EPW = "LOCATION,Town,ST,USA,TMY3,1,48.1,-123.5,-8.0,88.0\n" + "X\n" * 7


def epw_row(hour, dry_bulb="10.5", year=1998):
    return f"{year},1,{1 + hour // 24},{hour % 24 + 1},0,?,{dry_bulb},4.1,50,101000,0,0,300,1,2,3,0,0,0,0,180,2.5,0,0\n"


def test_weather(tmp_path):
    """Hour 1 starts at midnight; missing values become NaN; a typical year takes the year of its first row."""
    path = tmp_path / "t.epw"
    path.write_text(EPW + epw_row(0) + epw_row(1, "99.9", 2003) + epw_row(2, "-3"))
    d = traces.weather("austin", path=path)
    assert str(d["time"].values[0])[:16] == "1998-01-01T00:00"
    assert d.attrs["altitude"] == 88.0 and d.attrs["utc_offset"] == -8.0
    np.testing.assert_array_equal(d["dry_bulb_temperature"], [10.5, np.nan, -3.0])
    assert float(d["relative_humidity"][0]) == 0.5 and float(d["pressure"][0]) == 101000.0
    for text, part in ((EPW + epw_row(0) + epw_row(5), "in order"), (EPW, "EPW"), (EPW + "1,2,3\n", "3 cells"),
                       (EPW.replace("48.1", "north") + epw_row(0), "t.epw:1"),
                       (EPW + epw_row(0).replace("1998", "x"), "t.epw:9")):
        path.write_text(text)
        with pytest.raises(TraceError, match=part):
            traces.weather("austin", path=path)


def test_cornell_holes_are_missing_samples(tmp_path):
    """An hour that the source lacks must not be held over in silence."""
    names = "timestamp_local," + ",".join(f"{q}{e}" for q in ("power", "temp", "util", "gmem")
                                          for e in ("ave", "min", "max"))
    path = tmp_path / "t.csv"
    path.write_text(names + "".join(f"\n2024-01-20 {h}:00:00,80,70,90,40,39,41,50,0,100,10,0,20"
                                    for h in ("10", "11", "14")))
    d = traces.cornell("2xH100", path=path)
    assert d["device_power"].values.tolist()[:2] == [80.0, 80.0] and int(d["device_power"].isnull().sum()) == 2
    with pytest.raises(TraceError, match="missing"):
        workload.as_workload(d["device_power"])
    assert workload.as_workload(d["device_power"],
                                fill="previous").attrs["history"] == "2 missing samples filled (previous)"


def test_grid_and_requests(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("timestamp,WND,SUN,WAT,OIL,NG,COL,NUC,OTH,avg_ci_gco2_per_kwh\n2022-01-01 "
                    "00:00:00+00:00,1,2,3,4,5,6,7,8,300.5\n")
    d = traces.grid("erco", path=path)
    assert float(d["carbon_intensity"][0]) == 300.5 and float(d["generation"].sel(fuel="coal")[0]) == 6e6
    path.write_text("time_local,spot_price_eur_per_mwh,operating_margin_ef_t_per_mwh\n2019-01-01 00:00:00,-5.25,0.25\n")
    d = traces.grid("de", path=path)
    assert float(d["price"][0]) == -5.25 and float(d["carbon_intensity"][0]) == 250.0
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n")
    d = traces.azure_llm("code", path=path)
    assert str(d["arrival_time"].values[0]).startswith("2023-11-16T18:17:03.97996")
    assert float(d["prompt_tokens"][0]) == 4808.0


def test_every_folder_has_its_readme_and_stays_small():
    folders = [f for f in FOLDER.iterdir() if f.is_dir() and f.name != "__pycache__"]
    assert {f.name for f in folders} == {traces._ALL[r].folder for r, _ in SHIPPED}
    assert all("icence" in (f / "README.md").read_text() for f in folders)
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) < 3e6

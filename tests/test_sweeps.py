"""Sweeps: each case is the run that one would make by hand; names lead where they say; what was stopped goes on."""
import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import thermo
from thermo.compare import figures
from thermo.errors import CheckpointError, LimitError, OutputError, ScenarioError
from thermo.sweeps import varied

BASE = {"rack": "t4-server", "workload": 0.8}
GRID = {"ambient.air_temperature": [20.0, 28.0], "cooling.fan_speed": [0.5, 1.0]}


def test_a_grid_is_the_runs_by_hand():
    """Dims are the parameters, each number that of its own run."""
    table = thermo.sweep(BASE, GRID, record=["peak_junction_temperature", "pue"], workers=1)
    assert table.pue.dims == tuple(GRID)
    for T in GRID["ambient.air_temperature"]:
        for speed in GRID["cooling.fan_speed"]:
            own = figures(thermo.simulate_rack("t4-server", 0.8, cooling=thermo.library.load("cooling", "air").replace(fan_speed=speed),
                                               ambient={"air_temperature": T}))
            at = table.sel({"ambient.air_temperature": T, "cooling.fan_speed": speed})
            assert float(at.pue) == own["pue"] and float(at.peak_junction_temperature) == own["peak_junction_temperature"]


@pytest.mark.parametrize(("name", "value", "there"), [
    ("rack.servers", 3, lambda a: a["rack"].n_server), ("rack.slots.0.server.fans.count", 5, lambda a: a["rack"].slots[0].server.fans.count),
    ("rack.slots.0.server.lanes.1.name", "x", None), ("workload", 0.3, lambda a: a["workload"]),
    ("ambient.altitude", 1500.0, lambda a: a["ambient"].altitude), ("power.stages.ups-modern.units", 3, None),
    ("cooling.chiller_cop", 6.0, lambda a: a["cooling"].chiller_cop), ("tolerance", 0.1, lambda a: a["tolerance"]),
])
def test_names_lead_where_they_say(name, value, there):
    """A dotted name reaches into descriptions, by place or by name, and is refused with the nearest where it leads nowhere."""
    if there is None:
        with pytest.raises(ScenarioError):
            varied(BASE, {name: value})
    else:
        assert there(varied(BASE, {name: value})) == value
        assert "rack" in varied(BASE, {}) and BASE == {"rack": "t4-server", "workload": 0.8}


def test_whole_arguments_come_before_their_parts():
    """Another design, then its set point, in whatever order they are named."""
    table = thermo.sweep(BASE, pd.DataFrame({"cooling.fan_speed": [0.5, 0.7], "cooling": ["air", "rear-door"]}), record=["pue"], workers=1)
    assert table.pue.dims == ("case",) and table["cooling"].values.tolist() == ["air", "rear-door"] and (table.error == "").all()


def test_a_sample_is_spread_evenly_and_repeats():
    """A Latin hypercube: one point in each tenth of each distribution; a seed gives the same sample, with several workers too."""
    spread = {"cooling.supply_temperature": scipy.stats.uniform(30.0, 10.0), "workload": scipy.stats.uniform(0.5, 0.4)}
    base = {"rack": thermo.Rack.from_library("gb200-nvl72", servers=1), "workload": 0.5, "cooling": "cold-plate"}
    one, two = (thermo.sweep(base, spread, samples=10, seed=7, record=["peak_junction_temperature"], workers=w) for w in (1, 2))
    assert one.identical(two)
    assert np.array_equal(np.sort(np.floor(one["cooling.supply_temperature"].values - 30.0)), np.arange(10))
    assert one.peak_junction_temperature.dims == ("sample",) and one.attrs["seed"] == "7"


def test_a_case_that_fails_says_why():
    """A case out of range has NaN and its reason; the rest have numbers."""
    table = thermo.sweep(BASE, {"workload": [0.5, 1.7, 0.6]}, record=["pue"], workers=1)
    assert np.isnan(table.pue.values).tolist() == [False, True, False] and "1.7" in str(table.error.values[1])


def test_stopped_goes_on(tmp_path):
    """A store cut in the middle of a line gives, gone on from, what an uninterrupted sweep gives, and runs only what is missing."""
    store, ran = tmp_path / "s.jsonl", []

    def record(result):
        ran.append(1)
        return {"T": float(result.junction_temperature.max())}

    whole = thermo.sweep(BASE, GRID, record=record, store=store, workers=1)
    assert len(ran) == 4
    text = store.read_bytes()
    for keep in (len(text) - 5, len(text) - 120, text.index(b"\n") + 3):
        store.write_bytes(text[:keep])
        ran.clear()
        assert thermo.sweep(BASE, GRID, record=record, store=store, workers=1).identical(whole)
        assert len(ran) == 4 - (text[:keep].count(b"\n") - 1) and store.read_bytes().count(b"\n") == 5


def test_a_foreign_or_damaged_store_is_refused(tmp_path):
    """Another sweep's store, a flipped bit, a folder, another suffix: said, and left as it was."""
    store = tmp_path / "s.jsonl"
    thermo.sweep(BASE, GRID, record=["pue"], store=store, workers=1)
    text = store.read_bytes()
    with pytest.raises(CheckpointError, match="another sweep"):
        thermo.sweep(BASE | {"workload": 0.7}, GRID, record=["pue"], store=store, workers=1)
    store.write_bytes(text.replace(b'"pue": 1', b'"pue": 2', 1))
    with pytest.raises(CheckpointError, match="line 2 is damaged"):
        thermo.sweep(BASE, GRID, record=["pue"], store=store, workers=1)
    with pytest.raises(OutputError, match="ends in"):
        thermo.sweep(BASE, GRID, store=tmp_path / "s.csv", workers=1)
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(OutputError, match="regular file"):
        thermo.sweep(BASE, GRID, store=tmp_path / "d.jsonl", workers=1)
    json.loads(text.split(b"\n")[0].split(b" ", 1)[1])  # the head is plain JSON


@pytest.mark.parametrize(("arguments", "kind", "says"), [
    (({"rack": "t4-server"}, GRID), ScenarioError, "no workload"), ((BASE | {"coling": "air"}, GRID), ScenarioError, "did you mean 'cooling'"),
    ((BASE, {}), ScenarioError, "parameters"), ((BASE, {"cooling.fan_sped": [1.0]}), ScenarioError, "did you mean 'fan_speed'"),
    ((BASE, {"cooing.fan_speed": [1.0]}), ScenarioError, "did you mean 'cooling'"), ((BASE, {"workload": 0.5}), ScenarioError, "expected a list"),
    ((BASE, {"workload": scipy.stats.uniform(0, 1)}), ScenarioError, "samples is not given"),
    ((BASE, {"workload": [i / 1e5 for i in range(10_000)], "ambient.altitude": list(range(10_000))}), LimitError, "100000000 combinations"),
    (("t4-server", GRID), ScenarioError, "expected a mapping"), ((BASE, {"rack.slots.7.server": [1]}), ScenarioError, "among 1 parts"),
])
def test_refusals(arguments, kind, says):
    """Names that lead nowhere and what cannot be meant, before anything runs."""
    with pytest.raises(kind, match=says):
        thermo.sweep(*arguments, workers=1)

"""Commands that compare, sweep, follow a failure, answer a question of design, and write a scenario to start from."""
import json

import pytest
from scenario_files import GOOD, write
from test_cli import contents, run

import thermo
from thermo import plot_compare, store
from thermo.errors import ScenarioError


def test_compare(tmp_path, capsys):
    """Table, file and picture hold what compare_cooling gives; a design that cannot be had is said on stderr."""
    path = write(tmp_path, GOOD)
    code, out, err = run(capsys, "compare", path, "--design", "air", "--design", "gold-plate", "--workers", "1", "-o", tmp_path / "t.nc",
                         "--plot", tmp_path / "t.png")
    assert code == 0 and "hottest" in out and "PUE" in out and "at the cheapest constants" in out
    assert "gold-plate: ScenarioError" in err and "did you mean 'cold-plate'" in err
    table = store.read(tmp_path / "t.nc")
    wanted = thermo.scenario.read(path)
    own = thermo.compare_cooling(wanted.rack, wanted.workload, ["air", "gold-plate"], workers=1,
                                 **{k: v for k, v in wanted.options.items() if k not in ("cooling", "initial")})
    assert float(table.pue.sel(design="air")) == float(own.pue.sel(design="air"))
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = run(capsys, "compare", path, "--design", "air", "--given", "--workers", "1", "--json", "--price", "0.1")
    told = json.loads(out)
    assert code == 0 and told["air"]["pue"] > 1.0 and told["rule"].startswith("each design as given")
    assert told["air"]["energy_cost"] == pytest.approx(told["air"]["utility_energy"] / 3.6e6 * 0.1)
    before = contents(tmp_path)
    assert run(capsys, "compare", path, "-o", tmp_path / "t.nc")[0] == 3 and contents(tmp_path) == before


def test_sweep(tmp_path, capsys):
    """A grid by ranges and lists, a sample by distributions; what failed is counted on stderr; a store goes on."""
    path = write(tmp_path, GOOD)
    code, out, err = run(capsys, "sweep", path, "--vary", "ambient.air_temperature=20:70:3", "--workers", "1", "-o", tmp_path / "s.nc",
                         "--store", tmp_path / "s.jsonl")
    assert code == 0 and "ambient.air_temperature" in out and "1 of 3 cases" in err
    table = store.read(tmp_path / "s.nc")
    assert table["ambient.air_temperature"].values.tolist() == [20.0, 45.0, 70.0]
    code, out, _ = run(capsys, "sweep", path, "--vary", "ambient.air_temperature=20:70:3", "--workers", "1", "--store", tmp_path / "s.jsonl", "--json")
    assert code == 0 and [case["pue"] for case in json.loads(out)["cases"]][:2] == table.pue.values[:2].tolist()
    code, out, _ = run(capsys, "sweep", path, "--vary", "ambient.air_temperature=normal(25,2)", "--samples", "3", "--workers", "1", "--json")
    assert code == 0 and len(json.loads(out)["cases"]) == 3


def test_ride_through_and_design(tmp_path, capsys):
    """What trips first, and the least flow, are those of the API."""
    path = write(tmp_path, GOOD)
    wanted = thermo.scenario.read(path)
    options = {k: v for k, v in wanted.options.items() if k in ("cooling", "power", "ambient", "initial", "solver", "tolerance")}
    code, out, _ = run(capsys, "ride-through", path, "--event", "cooling_loss", "--load", "0.5", "--horizon", "600", "--json")
    own = thermo.ride_through(wanted.rack, 0.5, event="cooling_loss", horizon=600.0, **options)
    assert code == 0 and json.loads(out)["cases"][0]["first_after"] == own["first_after"][0]
    code, out, _ = run(capsys, "ride-through", path, "--event", "cooling_loss", "--load", "0.5", "--horizon", "600")
    assert code == 0 and "inlet above limit" in out
    code, out, _ = run(capsys, "design", "least-flow", path, "--load", "0.5", "--limit", "gpu=70", "--json")
    answer = thermo.design.least_flow(wanted.rack, 0.5, limits={"gpu": 70.0}, **{k: options[k] for k in ("cooling", "ambient")})
    assert code == 0 and json.loads(out)["settings"] == dict(answer.settings)


def test_init_writes_what_runs(tmp_path, capsys):
    """The scenario written to start from runs as it is, and nothing is written over."""
    path = tmp_path / "mine.toml"
    assert run(capsys, "init", path, "--rack", "t4-server", "--cooling", "rear-door")[:2] == (0, f"{path}\n")
    assert run(capsys, "run", path, "--quiet") == (0, "", "")
    before = contents(tmp_path)
    code, _, err = run(capsys, "init", path)
    assert code == 3 and "exists" in err.lower() and contents(tmp_path) == before


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["compare", "scenario.toml", "--margin", "-3"], 2, "margin"), (["compare", "none.toml"], 2, "there is no such file"),
    (["compare", "scenario.toml", "-o", "a.txt"], 3, ".nc or .zarr"), (["compare", "scenario.toml", "--plot", "a.svg"], 3, "as .png"),
    (["sweep", "scenario.toml", "--vary", "ambient.air_temp=1"], 2, "did you mean 'air_temperature'"), (["sweep", "scenario.toml"], 2, "--vary"),
    (["sweep", "scenario.toml", "--vary", "ambient.air_temperature"], 2, "expected name=a,b,c"),
    (["sweep", "scenario.toml", "--vary", "ambient.air_temperature=1:2:x"], 2, "number of points"),
    (["sweep", "scenario.toml", "--vary", "ambient.air_temperature=cauchy(1,2)", "--samples", "3"], 2, "normal(mean,sd)"),
    (["sweep", "scenario.toml", "--vary", "ambient.air_temperature=20", "--store", "a.csv"], 3, "ends in .jsonl"),
    (["ride-through", "scenario.toml", "--event", "pump_tripp"], 2, "did you mean 'pump_trip'"),
    (["design", "least-flo", "scenario.toml"], 2, "did you mean 'least-flow'"), (["design", "least-flow", "scenario.toml", "--limit", "gpu=hot"], 2, "not a number"),
    (["init", "a.txt"], 3, "as .toml"), (["init", "a.toml", "--rack", "dgx-h10"], 2, "did you mean 'dgx-h100'"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_refusals(tmp_path, monkeypatch, capsys, arguments, code, words):
    """One line, the right exit code, nothing written."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, GOOD)
    before = contents(tmp_path)
    found, out, err = run(capsys, *arguments)
    assert found == code and words in err and err.count("\n") == 1 and out == "" and contents(tmp_path) == before


def test_picture_shows_every_design_and_part(tmp_path):
    """The comparison's picture names each design, each part of the energy, its units, and what cannot be had."""
    table = thermo.compare_cooling("t4-server", 0.8, {"air": "air", "plates": "cold-plate", "no": "cold-plat"}, horizon=None, sizing="given", workers=1)
    figure = plot_compare.comparison(table)
    energy, silicon, heat, failure = figure.axes
    assert [t.get_text() for t in energy.get_yticklabels()] == ["air", "plates", "no"]
    assert [t.get_text() for t in energy.get_legend().get_texts()] == ["power chain", "fans", "pumps", "heat rejection"]
    for i, design in enumerate(("air", "plates")):
        ends = sum(bar.get_width() for container in energy.containers for bar in [container[i]])
        assert ends == pytest.approx(float(table.pue.sel(design=design)) - 1.0, rel=1e-9)
    assert "[°C]" in silicon.get_xlabel() and "[°C]" in heat.get_xlabel() and "[s]" in failure.get_xlabel()
    assert any(t.get_text() == "not possible" for t in energy.texts)
    with pytest.raises(ScenarioError, match="not a table of compare_cooling"):
        plot_compare.comparison(thermo.simulate_rack("t4-server", 0.5))

"""Designs side by side: the table says of each what its own run says, by one rule, and a fault in one costs no other."""
import json

import numpy as np
import pytest

import thermo
from thermo.again import scenario_of
from thermo.compare import FIGURES, figures
from thermo.cooling import Air
from thermo.errors import OutputError, ScenarioError

RACK = thermo.Rack.from_library("t4-server", servers=2)


@pytest.fixture(scope="module")
def load():
    """Half an hour that swings: its peak sizes, the rest runs."""
    trace = thermo.workload.constant(0.5, duration=1800.0, time_step=60.0)
    return trace.copy(data=np.where(np.arange(trace.size) % 10 < 5, 0.85, 0.4))


@pytest.fixture(scope="module")
def table(load):
    return thermo.compare_cooling(RACK, load, ["air", "rear-door", "cold-plate", "two-phase-immersion"], power="ac-ups-480v",
                                  energy_price=0.1 / 3.6e6, workers=1)


def test_numbers_are_those_of_the_runs(table):
    """Every number of the table comes out again from the run that its scenario describes."""
    for design in ("air", "cold-plate"):
        row = table.sel(design=design)
        arguments = scenario_of(_Holds(str(row.scenario.values)))
        result = thermo.simulate_rack(arguments.pop("rack"), arguments.pop("workload"), **arguments)
        own = figures(result)
        for name in FIGURES:
            assert float(row[name]) == pytest.approx(own[name], rel=1e-12, nan_ok=True), name
        assert float(row.energy_cost) == pytest.approx(own["utility_energy"] / 3.6e6 * 0.1)


class _Holds:
    def __init__(self, scenario):
        self.attrs = {"scenario": scenario}


def test_sums_and_sense(table):
    """Parts add up to the whole; liquids take less power than air; all is finite but what cannot be."""
    whole = table.it_energy + table.fan_energy + table.pump_energy + table.heat_rejection_energy + table.conversion_energy
    np.testing.assert_allclose(whole, table.utility_energy, rtol=1e-9)
    np.testing.assert_allclose(table.ppue_cooling + table.ppue_power - 1, table.pue, rtol=1e-9)
    pue = dict(zip(table.design.values.tolist(), table.pue.values.tolist(), strict=True))
    assert pue["two-phase-immersion"] < pue["cold-plate"] < pue["rear-door"] < pue["air"]
    assert np.isnan(table.usable_heat_temperature.sel(design="air")) and float(table.liquid_share.sel(design="air")) == 0.0
    assert (table.energy_residual <= 1e-9).all()
    for name in FIGURES:
        assert table[name].attrs["units"] and table[name].attrs["made_from"]


def test_sized_by_one_rule(table):
    """At the peak and at rest what is sized stands 5 K below the first limit, or its fans and pumps at their slowest."""
    for design in ("air", "cold-plate"):
        row = table.sel(design=design)
        arguments = scenario_of(_Holds(str(row.scenario.values)))
        result = thermo.simulate_rack(arguments["rack"], 0.85, cooling=arguments["cooling"]).isel(time=0)
        lowest = np.fmin(result.max_operating_temperature, np.fmin(result.slowdown_temperature, result.shutdown_temperature))
        left = float(np.fmin(lowest - result.junction_temperature, result.memory_limit_temperature - result.memory_temperature).min())
        settings = json.loads(str(row.settings.values))
        assert bool(row.sized) and set(settings) <= {"fan_speed", "pump_speed"}
        assert left == pytest.approx(5.0, abs=0.05) or (left > 5.0 and min(settings.values()) == pytest.approx(0.2, abs=1e-3)), (design, left)
    assert "5 K below" in table.attrs["rule"] and "0.85" in table.attrs["rule"]


def test_failures(table):
    """Each design loses what it has: air its cold air, plates their pumps; plates have seconds, a pool minutes."""
    events = dict(zip(table.design.values.tolist(), table.ride_through_event.values.tolist(), strict=True))
    assert events == {"air": "cooling_loss", "rear-door": "water_loss", "cold-plate": "pump_trip", "two-phase-immersion": "water_loss"}
    left = {d: float(table.ride_through.sel(design=d)) for d in events}
    assert left["cold-plate"] < 30.0 < left["two-phase-immersion"]


def test_a_design_that_cannot_be_had_keeps_its_row(load):
    """Plates in air, a name that is not there, a set point out of range: said in `error`; the others are as if alone."""
    rack = thermo.Rack.from_library("hgx-h100-liquid", servers=1)
    table = thermo.compare_cooling(rack, load, {"plates": "cold-plate", "air": "air", "typo": "cold-plat", "hot": Air(fan_speed=0.5)},
                                   horizon=None, sizing="given", workers=1)
    assert [bool(e) for e in table.error.values] == [False, True, True, True]
    assert "did you mean 'cold-plate'" in str(table.error.sel(design="typo").values)
    alone = thermo.simulate_rack(rack, load, cooling="cold-plate")
    assert float(table.peak_junction_temperature.sel(design="plates")) == float(
        alone.junction_temperature.isel(device=thermo.summary.accelerators(alone)).max())
    assert np.isnan(table.pue.sel(design="air")) and table.hottest_junction_temperature.sel(design="air").isnull().all()
    assert table.attrs["rule"].startswith("each design as given")


def test_workers_and_progress_change_nothing(load):
    """Two processes give the bits of one; progress rises to 1."""
    seen = []
    one, two = (thermo.compare_cooling(RACK, load, ["air", "cold-plate"], horizon=None, workers=w, progress=seen.append) for w in (1, 2))
    assert one.identical(two)
    assert seen == [0.5, 1.0, 0.5, 1.0]


def test_results_are_written(load, tmp_path):
    """A folder gets each design's whole result; what is there already is not replaced, and then nothing is run."""
    thermo.compare_cooling(RACK, load, ["air"], horizon=None, sizing="given", workers=1, folder=tmp_path)
    kept = thermo.store.read(tmp_path / "air.nc")
    assert "junction_temperature" in kept and "(air)" in kept.attrs["title"]
    with pytest.raises(OutputError, match=r"air\.nc"):
        thermo.compare_cooling(RACK, load, ["cold-plate", "air"], horizon=None, folder=tmp_path, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["air.nc"]


@pytest.mark.parametrize(("arguments", "says"), [
    ({"designs": "air"}, "designs is 'air', expected names"), ({"designs": []}, "expected names or designs in a list"),
    ({"designs": {"../x": "air"}}, "can name a file"), ({"sizing": "cheap"}, "did you mean 'cheapest'"), ({"margin": -1.0}, "margin"),
    ({"margin": 300.0}, "margin"), ({"workers": 0}, "workers is 0"), ({"horizon": 1.0}, "horizon"), ({"energy_price": 5.0}, "is it per kWh"),
    ({"power": "ac-ups"}, "ac-ups-480v"), ({"ambient": {"air_temperature": 300.0}}, "air_temperature"), ({"tolerance": 0.0}, "tolerance"),
    ({"limits": {"gup": 80.0}}, "did you mean 'gpu'"), ({"limits": "x"}, "limits"), ({"events": ["x"]}, "sequence of thermo.events"),
])
def test_refusals(arguments, says):
    """What concerns all designs is refused before anything runs."""
    with pytest.raises(ScenarioError, match=says):
        thermo.compare_cooling(RACK, 0.5, **({"designs": ["air"]} | arguments))

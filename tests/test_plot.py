"""The picture holds every series of the story, each with its unit, at any length and on any clock."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from rich.console import Console
from small_rack import rack

import thermo
from thermo.cooling import Air
from thermo.errors import ScenarioError
from thermo.plot import POINTS, envelope, rack_story
from thermo.rack import Slot
from thermo.summary import facts, time_above


def simulated(n, *, dates=False, servers=2, step=10.0, supply=None):
    t = np.arange(n) * step
    watts = 380 + 300 * np.sin(np.linspace(0, 12, n))
    index = pd.Timestamp("2026-01-08T10:00") + pd.to_timedelta(t, unit="s") if dates else t
    load = thermo.workload.as_workload(pd.Series(watts, index=index), units="W")
    return thermo.simulate_rack(rack.with_servers(servers), load, cooling=Air(fan_speed=0.5, supply_flow=supply))


@pytest.fixture(scope="module")
def result():
    return simulated(200)


def panels(figure):
    """Axes by their label."""
    return {ax.get_ylabel(): ax for ax in figure.axes}


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_all_series_are_there_with_their_units(result):
    figure = result.thermo.plot()
    assert isinstance(figure, Figure)
    found = panels(figure)
    assert set(found) == {"power [kW]", "junction [°C]", "air [°C]", "duty [%]", "flow [kg/s]"}
    assert {ax.get_xlabel() for ax in figure.axes} == {"time [min]", ""}
    power = lines(found["power [kW]"])
    assert set(power) == {"utility", "IT", "fans"}
    for label, name in (("utility", "utility_power"), ("IT", "it_power"), ("fans", "fan_power")):
        x, y = power[label].get_data()
        assert np.allclose(y[:-1] * 1000, result[name].values[:-1]) and np.allclose(x * 60, result["time"].values)
    junction = lines(found["junction [°C]"])
    known = facts(result)
    hot = junction[f"hottest: s{known.hottest_server} {known.hottest_device}"]
    assert np.nanmax(hot.get_ydata()) == known.peak_junction == float(result["junction_temperature"].max())
    assert any(label.startswith("coldest: ") for label in junction)
    flat = {
        float(line.get_ydata()[0]) for line in found["junction [°C]"].get_lines() if len(set(line.get_ydata())) == 1
    }
    assert {87.0, 89.0, 95.0} <= flat
    assert {"max 87", "slowdown 89", "shutdown 95"} <= {t.get_text() for t in found["junction [°C]"].texts}
    air = lines(found["air [°C]"])
    assert np.array_equal(air["out, mixed"].get_ydata(), result["return_temperature"].values)
    assert np.array_equal(air["in, supply"].get_ydata(), result["supply_temperature"].values)
    assert np.allclose(found["duty [%]"].get_lines()[0].get_ydata(), 50.0)
    assert np.allclose(found["flow [kg/s]"].get_lines()[0].get_ydata(), result["mass_flow"].mean("server").values)


def test_title_and_energy_balance(result):
    words = [t.get_text() for t in rack_story(result).texts]
    assert words[0] == result.attrs["title"]
    assert "2 servers, 33 min: hottest junction" in words[1] and "mean PUE" in words[1]
    assert words[2].startswith(f"Energy residual at most {float(abs(result.energy_residual).max()):.1e} W")
    assert f"thermo {thermo.__version__}" in words[2]


@pytest.mark.parametrize(
    "name",
    [
        "junction_temperature",
        "it_power",
        "fan_power",
        "utility_power",
        "supply_temperature",
        "return_temperature",
        "energy_residual",
        "device_kind",
    ],
)
def test_a_missing_series_is_named(result, name):
    with pytest.raises(ScenarioError, match=name):
        rack_story(result.drop_vars(name))


@pytest.mark.parametrize("n,dates,servers", [(2, False, 1), (2, True, 3), (3000, True, 1)])
def test_any_length_and_clock(n, dates, servers, tmp_path):
    result = simulated(n, dates=dates, servers=servers)
    figure = rack_story(result)
    figure.savefig(tmp_path / "a.png")
    power = panels(figure)[next(label for label in panels(figure) if label.startswith("power"))]
    low, high = power.get_xlim()
    times = result["time"].values
    first, last = (date2num(times[0]), date2num(times[-1])) if dates else (times[0], times[-1])
    assert (low, high) == pytest.approx((first, last), abs=1e-9)
    assert all(line.get_xdata().size <= 2 * POINTS for line in power.get_lines())


def test_one_sample_is_drawn(result):
    rack_story(result.isel(time=[0])).canvas.draw()


def test_recirculated_air_shows_at_the_inlet():
    figure = rack_story(simulated(20, supply=0.3))
    assert "in, warmest server" in lines(panels(figure)["air [°C]"])


def test_servers_of_two_kinds():
    """The second kind has fewer GPUs: what it has not is left out, not drawn or counted as a number."""
    server = rack.slots[0].server
    gpus = server.mounts[0]
    fewer = gpus.replace(names=gpus.names[:4], lanes=gpus.lanes[:4], positions=gpus.positions[:4])
    small = server.replace(name="small", mounts=(fewer, *server.mounts[1:]))
    mixed = rack.replace(slots=(Slot(server=server, count=1), Slot(server=small, count=2)))
    result = thermo.simulate_rack(mixed, thermo.workload.constant(0.5, time_step=60.0), cooling=Air())
    assert np.isnan(result["junction_temperature"].sel(server=2, device="gpu7")).all()
    known = facts(result)
    assert known.peak_junction == float(result["junction_temperature"].max()) and np.isfinite(known.mean_junction)
    rack_story(result).canvas.draw()


def test_envelope_keeps_every_peak():
    """One sample in 100,000 stands out; it is still there, and the mean of intervals is the mean of all."""
    y = np.zeros(100_000)
    y[54_321], y[99_999] = 7.0, -3.0
    e = envelope(np.arange(100_000.0), y)
    assert e.high.max() == 7.0 and e.low.min() == -3.0 and e.x.size == POINTS + 1 and e.x[-1] == 99_999
    assert e.mean[:-1].mean() == pytest.approx(y.mean())
    two = envelope(np.arange(3.0), np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]]))
    assert two.low.tolist() == [0, 1, 2] and two.high.tolist() == [2, 3, 4] and two.mean.tolist() == [1, 2, 3]


def test_time_above_a_limit_by_hand():
    """Up from 0 to 10 in 10 s, down in 10 s: above 4 for 6 s + 6 s."""
    t = np.array([0.0, 10.0, 20.0])
    assert time_above(t, np.array([[0.0], [10.0], [0.0]]), 4.0).tolist() == [12.0]
    assert time_above(t, np.array([[5.0], [5.0], [5.0]]), 5.0).tolist() == [0.0]


def test_facts_by_hand(result):
    f = facts(result)
    span = np.diff(result["time"].values)
    assert f.it_energy == pytest.approx(float(np.sum(result["it_power"].values[:-1] * span)))
    assert f.pue_mean == pytest.approx(float(result["pue_mean"]), rel=1e-12)
    assert f.duration == 1990.0 and f.servers == 2 and f.limit == 87.0
    gpus = result["junction_temperature"].isel(device=slice(0, 8))
    assert f.mean_junction == pytest.approx(float(gpus.mean()))


def test_summary_has_every_row(result):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))
    with console.file:
        console.print(result.thermo.summary())
    text = console.export_text()
    for row in (
        "peak junction",
        "mean junction",
        "time above limit",
        "IT energy",
        "fan energy",
        "utility energy",
        "mean PUE",
        "air rise",
        "energy residual",
    ):
        assert row in text


def test_limits_are_coordinates(result):
    assert result["max_operating_temperature"].sel(device="gpu3") == 87.0
    assert np.isnan(result["slowdown_temperature"].sel(device="cpu0"))
    assert all(
        result[name].attrs["units"] == "degC"
        for name in (
            "max_operating_temperature",
            "slowdown_temperature",
            "shutdown_temperature",
            "memory_limit_temperature",
        )
    )


def test_the_accessor_comes_with_simulate_rack_and_pyplot_stays_out():
    code = (
        "import sys, thermo, xarray; thermo.simulate_rack; assert hasattr(xarray.Dataset, 'thermo');"
        "import thermo.plot; assert 'matplotlib' not in sys.modules and 'typer' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

    def open_figures():  # other tests may have left some
        return sys.modules["matplotlib.pyplot"].get_fignums() if "matplotlib.pyplot" in sys.modules else []

    before = open_figures()
    simulated(3).thermo.plot()
    assert open_figures() == before

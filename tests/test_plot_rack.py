"""Pictures of a rack: every server, device and flow is on them, at its number and with its unit."""
import numpy as np
import pytest

import thermo
from thermo import plot_flows, plot_rack
from thermo.errors import ScenarioError


@pytest.fixture(scope="module")
def result():
    load = thermo.workload.constant(0.5, duration=1200.0, time_step=60.0)
    load = load.copy(data=0.5 + 0.4 * np.sin(np.arange(load.size)))
    return thermo.simulate_rack(thermo.Rack.from_library("hgx-h100-liquid", servers=3), load, power="ac-ups-415v")


def texts(ax):
    return [t.get_text() for t in ax.texts]


@pytest.mark.parametrize("draw", [plot_flows.power_sankey, plot_flows.heat_sankey])
def test_each_flow_is_a_ribbon(result, draw):
    """As many ribbons as flows, as many bars as nodes, each named with its energy."""
    flows = plot_flows.heat_flows(result) if draw is plot_flows.heat_sankey else thermo.power.metrics.sankey(result)
    (ax,) = draw(result).axes
    assert len([p for p in ax.patches if type(p).__name__ == "PathPatch"]) == (flows.energy > 1e-4 * flows.groupby("from").energy.sum().max()).sum()
    for node in {*flows["from"], *flows["to"]}:
        if max(flows.energy[flows["from"] == node].sum(), flows.energy[flows["to"] == node].sum()) > 1e-3 * flows.energy.max():
            assert any(t.startswith(node) and "kWh" in t for t in texts(ax)), node


def test_heat_is_all_there(result):
    """What enters a node leaves it; what is stored is what the engine stored."""
    flows = plot_flows.heat_flows(result)
    for node in set(flows["from"]) & set(flows["to"]):
        assert flows.energy[flows["from"] == node].sum() == pytest.approx(flows.energy[flows["to"] == node].sum(), rel=1e-9), node
    kept = flows.energy[flows["to"] == "stored"].sum() - flows.energy[flows["from"] == "stored"].sum()
    assert kept == pytest.approx(float(result.stored_energy[-1]), rel=1e-6, abs=1e-6 * flows.energy.sum())


def test_flows_that_lead_back_are_refused():
    import pandas as pd
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    with pytest.raises(ScenarioError, match="lead back"):
        plot_flows.ribbons(ax, pd.DataFrame({"from": ["a", "b"], "to": ["b", "a"], "energy": [1.0, 1.0]}))
    with pytest.raises(ScenarioError, match="no energy"):
        plot_flows.ribbons(ax, pd.DataFrame({"from": ["a"], "to": ["b"], "energy": [0.0]}))


def test_elevation_shows_each_accelerator(result):
    """A square for each accelerator, with its temperature, in its server at its height."""
    figure = plot_rack.elevation(result)
    front, beside, bar = figure.axes[0], figure.axes[2], figure.axes[1]
    driven = thermo.summary.accelerators(result)
    k = int(np.argmax(result.junction_temperature.isel(device=driven).max(("server", "device")).values))
    T = result.junction_temperature.isel(device=driven, time=k).values
    assert texts(front) == [f"{x:.0f}" for x in T.ravel()] and len(front.patches) == T.size + 3
    assert [p.get_y() for p in front.patches[::9]] == [2.0, 6.0, 10.0]  # 4 U each, from 2 U up
    assert bar.get_ylabel().endswith("[°C]") and beside.get_xlabel() == "coolant [°C]"
    assert {t.get_text() for t in beside.get_legend().get_texts()} == {"air in", "air out", "liquid in", "liquid out"}


def test_coolant_path_is_the_result(result):
    """The coolant's line and each junction are the numbers of that server; air and liquid are two lines."""
    (ax,) = plot_rack.coolant_path(result, server=1, time=300.0).axes
    here = result.sel(server=1).isel(time=5)
    drawn = np.concatenate([line.get_ydata() for line in ax.get_lines() if line.get_marker() == "o"])
    assert np.array_equal(drawn, here.coolant_temperature.values[~np.isnan(here.coolant_temperature.values)])
    junction = next(line for line in ax.get_lines() if line.get_label() == "junction").get_ydata()
    assert set(np.round(junction, 9)) <= set(np.round(here.junction_temperature.values, 9)) and junction.size >= 8
    with pytest.raises(ScenarioError, match="server is 9"):
        plot_rack.coolant_path(result, server=9)


def test_duration_curves_hold_the_energy(result):
    """A curve falls from the peak, and the area under it is the mean power."""
    power, heat = plot_rack.duration_curves(result).axes
    line = next(line for line in power.get_lines() if line.get_label() == "utility")
    share, level = line.get_xdata(), line.get_ydata()
    assert level[0] == float(result.utility_power[:-1].max()) / 1e3 and (np.diff(level) <= 0).all()
    assert np.trapezoid(level, share) / 100 == pytest.approx(float(result.utility_power[:-1].mean()) / 1e3, rel=1e-12)
    assert "[kW]" in power.get_ylabel() and "[°C]" in heat.get_ylabel()
    with pytest.raises(ScenarioError, match="fewer than three samples"):
        plot_rack.duration_curves(thermo.simulate_rack("t4-server", 0.5))

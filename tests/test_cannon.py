"""The example on Cannon's nodes does what it says with nodes of which all is known, and its server holds what was read of them."""
import numpy as np
import pytest
from test_examples import load

import thermo
from thermo import library
from thermo.cooling.plate import LiquidState, plate_resistance

cannon = load("validate_cannon")


@pytest.fixture(scope="module")
def some():
    """Twelve of the nodes that are kept."""
    kept, _ = cannon.nodes()
    return kept.isel(node=slice(0, 48, 4))


def test_a_known_factor_is_found(some):
    """Temperatures that the model made with 2.7 times the resistance give that factor back, and no error."""
    made = cannon.rise(cannon.model(2.7), some["cpu_power"].values, some["water_temperature"].values)
    known = some.assign(cpu_temperature=(("node", "socket"), made + some["water_temperature"].values[:, None]))
    assert cannon.fitted(known) == pytest.approx(2.7, abs=1e-6)
    assert cannon.score(known, 2.7).rmse < 1e-9 and cannon.score(known, 1.0).bias < -1.0


def test_the_rise_is_that_of_a_hand_calculation(some):
    """Sensor to plate, plate to its water, and for the second socket what the first one warmed that by, within 1 %: viscosity moves."""
    watts, water = some["cpu_power"].values / 2, some["water_temperature"].values
    server, fluid = library.server("sd650-v3"), thermo.Fluid.from_library("water")
    mount = server.mounts[0]
    liquid = LiquidState.at(fluid, float(water.mean()) + 4.0)
    R = plate_resistance(mount.sink, np.array([server.coolant_flow * liquid.density]), liquid, mount.device.contact_area or mount.device.die_area)
    own = mount.device.junction_resistance + mount.device.interface_resistance + float(R.to_inlet[0])
    hand = watts[:, None] * np.array([own, own + float(R.caloric[0])])
    np.testing.assert_allclose(cannon.rise(cannon.model(), 2 * watts, water), hand, rtol=0.01)


def test_what_is_left_out_is_told():
    """Each node is kept or left out for one reason; kept ones have what the model needs."""
    kept, dropped = cannon.nodes()
    assert kept.sizes["node"] + sum(dropped.values()) == thermo.traces.cannon().sizes["node"] == 1724
    assert bool(np.isfinite(kept["cpu_temperature"]).all()) and float(kept["cpu_power"].min()) > 100.0
    assert kept["chassis"].values[0] == "141" and kept["tray"].values[:3].tolist() == ["141-1", "141-1", "141-2"]
    everyone, _ = cannon.nodes(just_moved=1e9)
    assert everyone.sizes["node"] == 334 + 17


def test_halves_share_no_chassis():
    """What shares water is on one side."""
    odd, even = cannon.halves(cannon.nodes()[0])
    assert not set(odd["chassis"].values) & set(even["chassis"].values)
    assert odd.sizes["node"] == 171 and even.sizes["node"] == 163


def test_spread_within_groups():
    """Errors of 1 K within pairs around means far apart: 1 K, whatever the means."""
    error = np.array([[9.0, 11.0], [11.0, 13.0], [-5.0, -5.0], [-3.0, -3.0]])
    assert cannon.spread_within(error, np.array(["a", "a", "b", "b"])) == pytest.approx(np.sqrt(4 / 2))
    assert cannon.spread_within(error, np.zeros(4)) > 5.0


def test_what_else_a_node_draws():
    """Node less processors and memory is a line over these: the server's conversion."""
    kept, _ = cannon.nodes()
    used = (kept["cpu_power"] + kept["memory_power"]).values
    slope, loss = np.polyfit(used, kept["server_power"].values - used, 1)
    server = library.server("sd650-v3")
    assert (server.conversion_slope, server.conversion_loss) == (pytest.approx(slope, abs=5e-4), pytest.approx(loss, abs=0.5))


def test_plate_lies_between_what_one_sheet_says():
    """A Xeon plate at 1.6 L/min of water: 0.0267 K/W from case to inlet printed, 0.0149 by the same sheet's temperatures (S25)."""
    mount = library.server("sd650-v3").mounts[0]
    liquid = LiquidState.at(thermo.Fluid.from_library("water"), 25.0)
    R = plate_resistance(mount.sink, np.array([1.6 / 6e4 * liquid.density]), liquid, mount.device.die_area)
    assert 0.0149 < float(R.to_inlet[0]) < 0.0267


def test_figure_draws(tmp_path):
    """The picture has its three parts."""
    import matplotlib

    matplotlib.use("Agg")
    path = tmp_path / "cannon.png"
    fig = cannon.figure(cannon.main())
    fig.savefig(path)
    assert len(fig.axes) == 3 and path.stat().st_size > 50_000

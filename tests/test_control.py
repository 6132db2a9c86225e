"""Sampled controllers: what they hold, where they stop, what they forget.

Seen to fail: the integral left unclamped (wind-up), a curve that falls without its dead band.
"""
import networks
import numpy as np
import pytest
import small_rack
import xarray as xr

import thermo
from thermo.cooling import PI, Air, Curve
from thermo.errors import ScenarioError
from thermo.network import Control, Network, law_table

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")


def loop(power, *, period=5.0, start=0.0, output=0.2, solver="propagator", **control):
    """A lump of 200 J/K blown by 20 W/K times the output of a controller. Samples every 5 s; returns (T, output)."""
    network = Network(5.0 * np.arange(len(power)))
    g = network.group(1)
    node = g.node("lump", 200.0)
    settings = dict(kind=0, gain=0.02, integral_gain=0.002, low=0.2, high=1.0) | control
    fan = g.control_signal(Control(period=period, nodes=(node,), target=(settings.pop("target", 30.0),), **settings))
    g.conductance(node, g.boundary(g.series(0.0)), g.coefficient(20.0, fan))
    g.source(node, g.series(power))
    g.record(node), g.record_signal(fan)
    run = networks.run(network, solver=solver, start=start, control=output)
    return run.T[0][:, 0, 0], run.solution.signals[0][:, 0, 0]


@pytest.mark.parametrize("solver", networks.STEPPERS)
def test_pi_holds_its_set_point(solver):
    """Integral action leaves no offset: 300 W over 20 W/K x u = 30 K, u = 0.5, both within what a slow loop leaves in an hour."""
    T, u = loop(np.full(720, 300.0), solver=solver)
    assert abs(T[-1] - 30.0) <= 1e-3 and abs(u[-1] - 0.5) <= 1e-4


def test_output_stays_in_its_range_and_the_integral_does_not_wind_up():
    """An hour of a load beyond the fans, then a light one: the output leaves its end as soon as the error turns.

    With the integral free it would have gathered 0.002 x 20 K x 3600 s = 144 outputs, and stayed full for hours."""
    power = np.concatenate([np.full(720, 1000.0), np.full(120, 100.0)])
    T, u = loop(power)
    assert np.all((u >= 0.2) & (u <= 1.0)) and u[700] == 1.0 and T[700] == pytest.approx(50.0, abs=1e-6)
    below = np.flatnonzero(T[720:] < 30.0)[0] + 720
    assert u[below + 1] < 1.0  # at the first tick that sees it
    assert u[-1] == 0.2 and T[-1] == pytest.approx(25.0, abs=1e-2)


def test_pi_rests_within_its_dead_band():
    """An error of less than the dead band moves nothing, at any number of ticks."""
    T, u = loop(np.full(200, 310.0), deadband=2.0, start=31.0, output=0.5)
    assert np.all(u == 0.5) and abs(T[-1] - 31.0) <= 1e-9


def test_output_moves_in_steps():
    """A resolution of 1 %: outputs are whole percents."""
    _, u = loop(300 + 200 * np.sin(np.arange(300) / 20), quantum=0.01)
    assert np.allclose(u / 0.01, np.round(u / 0.01), atol=1e-9) and np.ptp(u) > 0.1


@pytest.mark.parametrize("deadband", [0.0, 4.0])
def test_curve_rises_at_once_and_falls_late(deadband):
    """Output against temperature, up and down a slow triangle: equal on the way up, later by the dead band on the way down."""
    curve = law_table(lambda rise: np.interp(rise, [0, 40], [0.2, 1.0]), -1.0, 41.0)
    network = Network(5.0 * np.arange(801))
    g = network.group(1)
    node = g.node("lump", 1e-3)  # follows its boundary
    fan = g.control_signal(Control(kind=1, period=5.0, nodes=(node,), target=(0.0,), low=0.2, high=1.0, deadband=deadband,
                                   curve=curve))
    up = np.concatenate([np.linspace(0, 40, 401), np.linspace(40, 0, 401)[1:]])
    g.conductance(node, g.boundary(g.series(up)), g.coefficient(1.0, fan))
    g.record(node), g.record_signal(fan)
    run = networks.run(network, control=0.2)
    T, u = run.T[0][1:, 0, 0], run.solution.signals[0][1:, 0, 0]  # the tick at a sample sees its temperature
    rising, falling = slice(5, 395), slice(450, 790)
    assert np.allclose(u[rising], 0.2 + 0.02 * T[rising], atol=1e-4)
    assert np.allclose(u[falling], np.minimum(1.0, 0.2 + 0.02 * (T[falling] + deadband)), atol=1e-4)


def test_hottest_device_decides():
    """Two GPUs of eight under load: the controller looks at the hottest of all, over its own limit less the margin."""
    load = xr.DataArray(np.tile([450.0] * 2 + [72.0] * 6, (400, 1)), dims=("time", "device"),
                        coords={"time": 5.0 * np.arange(400)}, attrs={"units": "W"})
    r = thermo.simulate_rack(small_rack.rack.with_servers(1), load, cooling=Air(fan_speed=PI(resolution=0.0, deadband=0.0)))
    assert abs(float(r.junction_temperature[-1].max()) - (87 - 15)) <= 0.01
    assert 0.2 < float(r.fan_duty[-1, 0]) < 1.0


@pytest.mark.parametrize("settings", [
    dict(temperature=(40.0, 80.0), output=(0.2,)), dict(temperature=(80.0, 40.0), output=(0.2, 1.0)),
    dict(temperature=(40.0, 80.0), output=(1.0, 0.2)), dict(temperature=(40.0,), output=(0.2,)),
    dict(temperature=(313.0, 353.0), output=(0.2, 1.0)),
])
def test_curves_that_cannot_be_meant_are_refused(settings):
    """Lists that do not match, that fall, or that are in kelvin."""
    with pytest.raises(ScenarioError):
        Curve(**settings)


@pytest.mark.parametrize("settings", [dict(period=0.0), dict(gain=-1.0), dict(setpoint=350.0), dict(deadband=-1.0), dict(resolution=2.0)])
def test_gains_that_cannot_be_meant_are_refused(settings):
    """Periods, gains and set points out of their ranges."""
    with pytest.raises(ScenarioError):
        PI(**settings)

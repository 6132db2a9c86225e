"""Five solvers, one answer: agreement within the tolerance asked, and the balance of energy of each.

Seen to fail: the supply taken at the beginning of a step in what leaves (42 % of the power); air behind a sink that carries
less than passes it.
"""
import numpy as np
import pytest
import small_rack
import xarray as xr

import thermo
from thermo.cooling import PI, Air, Curve

pytestmark = pytest.mark.filterwarnings("ignore::thermo.errors.ValidityWarning")
SOLVERS = ("propagator", "rational", "tr-bdf2", "BDF", "Radau", "LSODA")
TIMES = 15.0 * np.arange(7)
LOAD = xr.DataArray([0.3, 1.0, 0.1, 0.8, 0.8, 0.5, 0.2], dims="time", coords={"time": TIMES}, attrs={"units": "1"})
SUPPLY = xr.DataArray([20.0, 21.0, 24.0, 22.0, 22.0, 19.0, 18.0], dims="time", coords={"time": TIMES})
RACK = small_rack.rack.with_servers(2)
CASES = {
    "fixed fans": dict(cooling=Air(fan_speed=0.6)),
    "pi": dict(cooling=Air(fan_speed=PI(resolution=0.0, deadband=0.0))),
    "curve": dict(cooling=Air(fan_speed=Curve(temperature=(40, 85), output=(0.2, 1.0), resolution=0.0))),
    "recirculation": dict(cooling=Air(fan_speed=0.6, recirculation=0.1)),
    "supply flow": dict(cooling=Air(fan_speed=0.6, supply_flow=0.6, hot_aisle_makeup=0.5, room_temperature=30.0)),
    "straight trace": dict(cooling=Air(fan_speed=0.6), straight=True),
    "supply over time": dict(cooling=Air(fan_speed=0.6), ambient={"air_temperature": SUPPLY}),
}


def _simulate(case, **settings):
    case = dict(CASES[case])
    load = LOAD.assign_attrs(interpolation="linear") if case.pop("straight", False) else LOAD
    return thermo.simulate_rack(RACK, settings.pop("load", load), **case, **settings)


def _residual(result):
    return float(np.max(np.abs(result.energy_residual)) / np.min(result.it_power))


@pytest.mark.parametrize("case", CASES)
def test_solvers_agree_and_close_the_balance(case):
    """Each within the tolerance of the exact stepper (of Radau, where nodes are shared), residual 1e-9 of IT power.

    A controller without steps or dead band, so that a difference of a millikelvin moves a fan by 1e-5 and not by a step."""
    tolerance = 0.01
    runs = {solver: _simulate(case, solver=solver, tolerance=tolerance) for solver in SOLVERS
            if not (solver == "propagator" and case in ("recirculation", "supply flow"))}
    best = runs.get("propagator", runs["Radau"])
    for solver, run in runs.items():
        assert run.attrs["solver"] == solver
        for name in ("junction_temperature", "coolant_temperature", "memory_temperature"):
            gap = float(np.nanmax(np.abs(run[name] - best[name])))
            assert gap <= tolerance, (solver, name, gap)
        assert _residual(run) <= 1e-9, solver


@pytest.mark.parametrize("solver", ["propagator", "rational", "tr-bdf2"])
@pytest.mark.parametrize("step", [0.01, 1 / 30, 0.7, 15.0, 3600.0, 86400.0])
@pytest.mark.parametrize("case", ["fixed fans", "pi", "straight trace", "supply over time"])
def test_balance_closes_at_every_step_size(solver, step, case):
    """From a hundredth of a second to a day between samples, from a cold start."""
    load = LOAD.assign_coords(time=step * np.arange(7.0))
    if case == "straight trace":
        load = load.assign_attrs(interpolation="linear")
    ambient = {"air_temperature": SUPPLY.assign_coords(time=load.time)} if case == "supply over time" else None
    cooling = CASES[case]["cooling"]
    if case == "pi":
        cooling = Air(fan_speed=PI(period=max(5.0, step / 50)))  # some ticks an interval are enough
    result = thermo.simulate_rack(RACK, load, cooling=cooling, ambient=ambient, solver=solver, initial=25.0)
    assert _residual(result) <= 1e-9


@pytest.mark.parametrize("tolerance", [1.0, 0.1, 1e-2, 1e-3, 1e-4])
def test_tr_bdf2_keeps_the_tolerance_asked(tolerance):
    """Largest difference from the exact stepper over all junctions and samples."""
    exact, run = (_simulate("fixed fans", solver=s, tolerance=tolerance) for s in ("propagator", "tr-bdf2"))
    assert float(np.max(np.abs(run.junction_temperature - exact.junction_temperature))) <= tolerance
    assert _residual(run) <= 1e-9


@pytest.mark.parametrize("solver", ["propagator", "rational", "tr-bdf2"])
def test_constant_load_stays_in_its_steady_state(solver):
    """'steady' is where the run stays: 1e-8 of the temperatures, controllers at rest, shared aisle included."""
    load = xr.full_like(LOAD, 0.6)
    for cooling in (Air(fan_speed=0.5), Air(fan_speed=PI()), Air(fan_speed=PI(), supply_flow=0.4, recirculation=0.05)):
        if solver == "propagator" and cooling.supply_flow:
            continue
        T = thermo.simulate_rack(RACK, load, cooling=cooling, solver=solver).junction_temperature
        assert float(np.max(np.abs(T - T[0]))) <= 1e-8 * 100


@pytest.mark.parametrize("start", [0.0, 9e6, 1.7e9])
def test_controller_ticks_on_any_clock(start):
    """A PI every 0.3 s under seconds since 1970: the clock resolves 0.2 us only, the ticks go on, the answer is the same.

    The next tick once rounded to the present time, and the run stood still for ever."""
    load = LOAD.assign_coords(time=start + 3.0 * np.arange(7))
    run = thermo.simulate_rack(RACK, load, cooling=Air(fan_speed=PI(period=0.3, resolution=0.0)), solver="tr-bdf2")
    base = thermo.simulate_rack(RACK, LOAD.assign_coords(time=3.0 * np.arange(7)),
                                cooling=Air(fan_speed=PI(period=0.3, resolution=0.0)), solver="tr-bdf2")
    assert float(np.max(np.abs(run.junction_temperature.values - base.junction_temperature.values))) <= 0.05  # one tick's shift

"""The two-phase tank: by hand at rest, against the closed space in time, history through the critical point, what is lost, what is refused."""
import json
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from small_rack import live, rack, srv, with_device

import thermo
from thermo import events
from thermo.cooling import TwoPhaseImmersion
from thermo.cooling.boiling import Regime, Surface, boiling_curve
from thermo.cooling.boiling_face import SPAN, Face, spreading
from thermo.cooling.condenser import Relief, VapourSpace, closed_transient, condenser_for, condensing_temperature
from thermo.errors import ConvergenceError, ScenarioError, ValidityWarning
from thermo.power import rated_power
from thermo.rack import CurveSink, Device, Fans, Lane, Mount, Rack, Server, Slot
from thermo.refrigerants import Refrigerant, Saturation

NOVEC = Refrigerant.from_library("novec-649")
WATER = {"facility_water_temperature": 30.0}
ONE_ATM = 101325.0
one, two = rack.with_servers(1), rack.with_servers(2)
live_two = live.with_servers(2)
GPU = srv.mounts[0]
TIGHT = TwoPhaseImmersion().face(GPU).surface.replace(length=0.052, width=0.052)  # at rest up to some 800 W


def load(values, step=1.0, unit="1"):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims="time", coords={"time": step * np.arange(values.size)}, attrs={"units": unit})


def run(of, workload, cooling=None, **changes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        return thermo.simulate_rack(of, workload, cooling=cooling or TwoPhaseImmersion(), ambient=WATER, **changes)


def closes(result, within=1e-9):
    """Energy to a part of the IT power, of each interval."""
    return float(np.max(np.abs(result.energy_residual))) <= within * float(result.it_power.max())


def said(result, word):
    return [m for m in json.loads(result.attrs["warnings"]) if word in m]


# -------------------------------------------------------------------------------------------------------------- at rest

@pytest.mark.parametrize("fluid", ["novec-649", "fc-72", "hfe-7100", "fc-3284", "2p50-like"])
def test_superheat_and_pool_by_hand(fluid):
    """One server at rest: each GPU's case above the pool is superheat plus what is between; the pool condenses what leaves in water.

    The curve is made afresh at the pool's pressure, within 1e-5 of the superheat; the law of the coil is a table, 1 mK."""
    design = TwoPhaseImmersion(fluid=fluid)
    r = run(one, load([0.8] * 3), design).isel(time=-1, server=0)
    T, q = float(r.saturation_temperature), float(r.device_power.sel(device="gpu3"))
    face = design.face(GPU)
    curve = boiling_curve(face.surface, Saturation.at(design.fluid, T))
    between = q * (GPU.device.interface_resistance + spreading(face, GPU.device, design.plate_thickness, design.plate_conductivity)[0])
    superheat = float(r.case_temperature.sel(device="gpu3")) - T - between
    assert superheat == pytest.approx(float(curve.superheat(q / face.surface.footprint)), abs=2e-4)
    assert float(r.heat_flux.sel(device="gpu3")) == pytest.approx(q / face.area, rel=1e-4)
    assert float(r.chf_margin.sel(device="gpu3")) == pytest.approx(curve.critical_flux * face.area / q, rel=1e-4)
    coil = condenser_for(rated_power(one), design.fluid, design.saturation_temperature, 30.0)
    by_hand = condensing_temperature(coil, design.fluid, float(r.heat_to_liquid), 30.0, coil.rated_water_flow)
    assert pytest.approx(float(by_hand), abs=1e-3) == T
    assert float(r.tank_pressure) == pytest.approx(float(design.fluid.saturation_pressure(T)), rel=1e-12)
    assert float(r.return_temperature) == pytest.approx(30 + float(r.heat_to_liquid) / coil.rated_water_flow / 4180, abs=1e-6)


def test_gas_raises_pressure_and_spoils_the_condenser():
    """0.3 mol of air: its pressure is the ideal gas's, the coil is balanced with its share of it, and the pool is subcooled by it."""
    design = TwoPhaseImmersion(gas=0.3, vapour_volume=0.06)
    pure, r = run(one, 0.8, design.replace(gas=0.0)).isel(time=-1), run(one, 0.8, design).isel(time=-1)
    T = float(r.coolant_temperature.sel(position="pool")[0])
    assert float(r.tank_pressure) == pytest.approx(float(NOVEC.saturation_pressure(T)) + 0.3 * 8.314462618 * (T + 273.15) / 0.06, rel=1e-9)
    assert float(pure.saturation_temperature) + 0.5 < T < float(r.saturation_temperature) - 2
    coil, gas = condenser_for(rated_power(one), NOVEC, design.saturation_temperature, 30.0), 1 - float(NOVEC.saturation_pressure(T)) / float(r.tank_pressure)
    assert float(condensing_temperature(coil, NOVEC, float(r.heat_to_liquid), 30.0, coil.rated_water_flow, gas=gas)) == pytest.approx(T, abs=2e-3)


def test_water_that_moves_is_followed():
    """Colder water and less of it, as set points that step: the pool settles where the coil by hand says, within 0.05 and 0.3 K."""
    coil = condenser_for(rated_power(one), NOVEC, TwoPhaseImmersion().saturation_temperature, 30.0)
    steps = [events.setpoint(100.0, "water_temperature", 22.0), events.setpoint(2000.0, "water_flow", 0.5 * coil.rated_water_flow)]
    r = run(one, load([0.8] * 402, 10.0), events=steps)
    for t, m, within in ((1990.0, 1.0, 0.05), (4000.0, 0.5, 0.3)):
        now = r.sel(time=t)
        by_hand = condensing_temperature(coil, NOVEC, float(now.heat_to_liquid), 22.0, m * coil.rated_water_flow)
        assert float(now.saturation_temperature) == pytest.approx(float(by_hand), abs=within)
    assert closes(r)


def test_fans_are_out_and_heat_is_told_apart():
    """No fan power; what supplies lose and what the lid loses goes to the air, or what supplies lose goes to the liquid."""
    r = run(two, 0.8).isel(time=-1)
    lid = 10.0 * (float(r.saturation_temperature) - 25.0)
    assert float(r.fan_power) == 0 and "taken out" in r.attrs["fans"]
    assert float(r.heat_to_air) == pytest.approx(float(r.conversion_loss) + lid, rel=1e-6)
    inside = run(two, 0.8, TwoPhaseImmersion(supplies_in_tank=True)).isel(time=-1)
    assert float(inside.heat_to_air) == pytest.approx(10.0 * (float(inside.saturation_temperature) - 25.0), rel=1e-6)
    assert float(inside.heat_to_air + inside.heat_to_liquid) == pytest.approx(float(inside.it_power), rel=1e-9)


def xeon(watts):
    """Skylake XCC, 694 mm2: die, solder and lid by area from 0.008 K/W of 800 mm2, paste likewise; 28 cm2 of lid."""
    device = Device(name="xeon", kind="cpu", max_power=watts, idle_power=40, junction_capacity=1.0, junction_resistance=0.0092, case_capacity=20,
                    interface_resistance=0.0115, die_area=694e-6, contact_area=28e-4, firmware=None)
    fans = Fans(count=2, rated_speed=1e4, curve_flow=(0, 0.02, 0.04), curve_pressure=(600, 400, 0), rated_power=20, system_flow=0.03)
    mount = Mount(device=device, names=("cpu0", "cpu1"), lanes=("a", "a"), positions=(0, 1), sink=CurveSink(flow_resistance=0.15, reference_flow=0.01,
                                                                                                        capacity=300))
    return Rack.of(Server(name="s", height_units=1, lanes=(Lane(name="a", flow_share=1.0),), mounts=(mount,), fans=fans), 1)


@pytest.mark.parametrize("watts, finish, published, within", [(205, "plain-copper", 0.12, 0.3), (205, "microporous", 0.08, 0.35)])
def test_xeons_of_a_published_tank(watts, finish, published, within):
    """Jalili et al., ISCA 2021 (trust 0.75): in FC-3284 0.12 K/W of a Xeon 8168, 0.08 of an 8180 with a better coating; in air 0.22 and 0.21.

    Junction less boiling point over power; the lid is the plate. Found 0.095 and 0.062: both some 22 % low, within the 35 % by which
    superheats of like surfaces differ."""
    surface = Surface.from_library(finish, length=0.05, width=0.056)
    design = TwoPhaseImmersion(fluid="fc-3284", surfaces={"cpu": surface}, plate_thickness=0.003)
    r = run(xeon(watts), 1.0, design).isel(time=-1, server=0)
    found = float(r.junction_temperature[0] - r.saturation_temperature) / float(r.device_power[0])
    assert found == pytest.approx(published, rel=within)
    assert found < 0.7 * 0.22


# -------------------------------------------------------------------------------------------------------------- the laws

def test_tangent_and_pressure_of_a_face():
    """``G x + S`` is the flux on every branch within 1e-4; nucleate boiling and critical point at another pressure are a new curve's, 1e-6."""
    face = Face(TIGHT, 1, NOVEC, 49.05)
    conductance, source = face.laws()
    x = np.array([0.2, 3.0, 8.0, 20.0, 60.0])
    np.testing.assert_allclose((conductance(x / SPAN) * x + source(x / SPAN)) / face.area, face.flux(x, 49.05), rtol=1e-4)
    for T in (35.0, 65.0):
        fresh = boiling_curve(TIGHT, Saturation.at(NOVEC, T))
        assert float(face.critical(T)) == pytest.approx(fresh.critical_flux, rel=1e-6)
        assert float(face.critical_excess(T)) == pytest.approx(fresh.critical_superheat, rel=1e-6)
        assert float(face.flux(0.6 * fresh.critical_superheat, T)) == pytest.approx(float(fresh.flux(0.6 * fresh.critical_superheat)), rel=1e-6)
        film = 1.5 * fresh.minimum_superheat
        assert float(face.flux(film, T)) == pytest.approx(float(fresh.flux(film)), rel=0.15)


# ----------------------------------------------------------------------------------------------------------------- in time

def test_water_lost_in_a_closed_tank():
    """Without condenser, lid and vent the pool warms as `closed_transient` says, hardware as wall: rise within 2 %, pressure within 1.5 %.

    At the start devices are ahead of the pool by the same all the time, so that only what follows counts; capacity is that at the start."""
    design = TwoPhaseImmersion(design_temperature=41.0, sealed=True, lid_conductance=0.0, liquid_volume=0.05, vapour_volume=0.06, wall_capacity=4e3)
    r = run(one, load([3e2] * 241, 1.0, "W"), design, events=[events.water_loss(1.0)])
    start = r.isel(time=31)  # films have settled
    held = sum(m.multiplicity * len(m.names) * (m.device.junction_capacity + (m.device.case_capacity or 0) + (m.device.memory_capacity or 0)
                                                + (0 if m.device.case_capacity is None else 3.42e6 * design.face(m).surface.footprint * 8e-3)) for m in srv.mounts)
    space = VapourSpace(volume=0.06, wall_capacity=4e3 + held)
    T, p = closed_transient(space, NOVEC, float(start.saturation_temperature), float(start.it_power - start.conversion_loss),
                            r.time.values[31:] - 31.0, float(r.fluid_mass[0]))
    found = r.saturation_temperature.values[31:]
    assert T[-1] - T[0] > 5
    np.testing.assert_allclose((found - found[0])[30:], (T - T[0])[30:], rtol=0.02)
    np.testing.assert_allclose(r.tank_pressure.values[31:], p, rtol=0.015)
    assert closes(r)


def sweep(cooling=None):
    """300 W a GPU, up through the critical heat flux, down to 8 W."""
    watts = np.concatenate([np.full(20, 300.0), np.linspace(300, 900, 180), np.linspace(900, 300, 20), np.full(20, 300.0), np.full(900, 8.0)])
    return run(one, load(watts, 1.0, "W"), cooling or TwoPhaseImmersion(surfaces={"gpu": TIGHT}))


def test_hysteresis_through_the_critical_heat_flux():
    """Up and down through the critical point: at the same 300 W a wet wall before, a film and 30 K more behind; at 8 W the film
    collapses and the wall is wet again. Energy closes on both ways."""
    r = sweep()
    g = r.sel(device="gpu0").isel(server=0)
    before, behind, end = g.isel(time=19), g.isel(time=239), g.isel(time=-1)
    assert int(before.boiling_regime) == Regime.NUCLEATE and int(behind.boiling_regime) == Regime.FILM and int(end.boiling_regime) <= Regime.NUCLEATE
    assert float(behind.device_power) == float(before.device_power)
    assert float(behind.junction_temperature) > float(before.junction_temperature) + 30
    peak = g.heat_flux.where(g.boiling_regime == Regime.NUCLEATE).max()
    critical = Face(TIGHT, 1, NOVEC, TwoPhaseImmersion().saturation_temperature).critical(float(g.saturation_temperature[int(np.argmax(g.heat_flux.values))]))
    assert float(peak) == pytest.approx(float(critical), rel=0.03)  # a sample each second
    assert closes(r) and said(r, "critical heat flux: gpu0 of server 0")


def test_runs_up_to_shutdown_within_seconds():
    """A step to full power beyond the critical heat flux: shut down within 10 s, and told with time, device, flux and margin."""
    design = TwoPhaseImmersion(surfaces={"gpu": TIGHT})
    hot = with_device({"max_power": 1100.0, "idle_power": 110.0}, of=live_two)
    r = run(hot, load([0.4] * 30 + [1.0] * 60), design)
    clock = r.clock_fraction.sel(device="gpu0").isel(server=1)
    assert float(clock[29]) == 1.0 and 30 < int(np.argmax(clock.values == 0)) <= 40
    (told,) = said(r, "critical heat flux")
    assert "gpu0 of server 0" in told and "kW/m2 with a margin of 0." in told and "s later" in told
    assert said(r, "shut down: gpu0 of server 0") and closes(r)


def test_no_steady_state_beyond_the_critical_heat_flux():
    """Asked to begin there a run is refused and says why; from a temperature it begins, and ends in a film."""
    design, hot = TwoPhaseImmersion(surfaces={"gpu": TIGHT}), with_device({"max_power": 1100.0, "idle_power": 110.0}, of=two)
    with pytest.raises(ConvergenceError, match="gpu0 sink' of server 0: it asks more of its boiling face than the critical heat flux"):
        run(hot, 1.0, design)
    r = run(hot, load([1.0] * 30), design, initial=40.0)
    assert int(r.boiling_regime.sel(device="gpu0")[-1, 0]) == Regime.FILM and closes(r)


def test_a_vent_that_would_stay_open_is_no_rest():
    """Too little water: no steady state, and the vent is named."""
    coil = condenser_for(3000.0, NOVEC, 49.05, 30.0)
    with pytest.raises(ConvergenceError, match="relief vent would stay open"):
        run(two, 0.9, TwoPhaseImmersion(condenser=coil))


def test_a_tank_above_one_bar_has_its_vent_above_its_design():
    """R1233zd(E) at 45 degC is at 252 kPa: the vent that is chosen opens 30 kPa above that, so that there is a rest; without water it opens there."""
    fluid = Refrigerant.from_library("r1233zd-e")
    r = run(two, load([0.9] * 121, 5.0), TwoPhaseImmersion(fluid=fluid, design_temperature=45.0), events=[events.water_loss(10.0)])
    opens = float(fluid.saturation_pressure(45.0)) + 30e3
    assert 1.5 * ONE_ATM < float(r.tank_pressure[0]) < opens and r.fluid_mass[-1] < r.fluid_mass[0]
    assert float(r.tank_pressure.max()) == pytest.approx(opens, rel=0.02) and closes(r)


def test_room_that_loses_its_cooling_is_told():
    """Lid and supplies go on as in air of the set temperature: said where it matters, and only there. An outage takes the water too."""
    lost = run(two, load([0.5] * 9), events=[events.cooling_loss(3.0)])
    assert said(lost, "the condenser's water flows")
    outage = run(two, load([0.5] * 9), power="ac-ups-415v", events=[events.utility_outage(3.0, 4.0)])
    assert said(outage, "room: while its cooling stands still") and not said(outage, "water flows") and outage.mass_flow[4, 0] < 0.01 * outage.mass_flow[0, 0]
    assert not said(run(two, load([0.5] * 9), events=[events.water_loss(3.0)]), "room:")


def test_vapour_lost_leaves_devices_dry():
    """Ten minutes without water: pressure stays at the vent's, mass lost is heat over latent heat within the latent heat's 2 %, what stands
    above the level dries and is shut down."""
    r = run(live_two, load([0.8] * 241, 5.0), events=[events.water_loss(60.0, 600.0)])
    gone = float(r.fluid_mass[0] - r.fluid_mass[-1])
    energy = float((r.vented_heat[:-1] * 5.0).sum())
    latent = NOVEC.latent_heat(np.array([50.0, 58.0]))
    assert gone > 10 and energy / latent.max() < gone < energy / latent.min()
    vented = r.tank_pressure.values[r.vented_heat.values > 0]
    assert 0.98 * (ONE_ATM + 15e3) < vented.min() and vented.max() < 1.02 * (ONE_ATM + 30e3)
    high, low = r.boiling_regime.sel(device="gpu4")[:, 0], r.boiling_regime.sel(device="gpu0")[:, 0]
    assert 4 in high.values and 4 not in low.values and float(r.clock_fraction.sel(device="gpu4")[-1, 0]) == 0
    assert said(r, "vent: opened at") and said(r, "level: at") and closes(r)


@pytest.mark.parametrize("area, period", [(10.0, 0.5), (0.03, 1.5), (1e-3, 1.5)])
def test_a_vent_of_any_size_lets_out_what_there_is(area, period):
    """A vent that could let the tank's mass out many times within a period: it blows down to where it closes, no further, and never has more
    left than was there."""
    relief = Relief(area=area, opening_pressure=30e3, closing_pressure=15e3)
    design = TwoPhaseImmersion(relief=relief, period=period)
    r = run(live_two, load([0.8] * 241, 10.0), design, events=[events.water_loss(60.0)])
    assert 0 < float(r.fluid_mass[-1]) < 0.3 * float(r.fluid_mass[0]) and np.all(np.diff(r.fluid_mass) <= 0)
    early = r.tank_pressure.values[(r.fluid_mass > 0.5 * r.fluid_mass[0]) & (r.time > 60) & (r.vented_heat.cumsum() > 0)]
    assert ONE_ATM + 15e3 - 4.5e3 < early.min() and early.max() < ONE_ATM + 36e3
    assert closes(r)


def test_a_dry_device_has_vapour_alone():
    """Above the level a GPU's 300 W warm what it is made of, less 10 W/(m2 K) to the vapour: energy within 2 % over a minute."""
    design = TwoPhaseImmersion(cover=0.01)
    r = run(one, load([300.0] * 700, 1.0, "W"), design, events=[events.water_loss(10.0)])
    face, d = design.face(GPU), GPU.device
    fallen = (r.fluid_mass[0] - r.fluid_mass) / float(NOVEC.liquid_density(design.saturation_temperature)) / (3e-6 * rated_power(one) / 0.4)
    begin = int(np.argmax(fallen.values > 0.01 + face.surface.length)) + 20
    g, held = r.isel(server=0).sel(device="gpu4"), slice(begin, begin + 61)
    assert begin > 20 and set(g.boiling_regime.values[held]) == {4}
    capacity = d.junction_capacity + d.memory_capacity + d.case_capacity + 3.42e6 * face.surface.footprint * 8e-3
    T = g.case_temperature.values[held]
    lost = 10.0 * face.area * float(np.mean(T - r.saturation_temperature.values[held])) * 60
    assert capacity * (T[-1] - T[0]) + lost == pytest.approx(300.0 * 60, rel=0.02)


def test_sampling_is_of_second_order():
    """A tank that is stepped each 20 s between idle and full: what halving the period changes falls by four each time (3 to 5), and is below
    0.01 K of any junction from the default of 0.5 s on."""
    steps = load(np.tile(np.repeat([0.1, 1.0], 20), 5))
    found = [run(one, steps, TwoPhaseImmersion(period=p)).junction_temperature for p in (1.0, 0.5, 0.25, 0.125)]
    apart = [float(abs(a - b).max()) for a, b in zip(found, found[1:], strict=False)]
    assert apart[1] < 0.01
    assert all(3 < a / b < 5 for a, b in zip(apart, apart[1:], strict=False)), apart


def test_a_period_that_would_miss_a_boiling_wall_is_refused():
    """From no load to full, 3 s would let a wall that has 1.5 times the flux to spare run into a film; what is told to take holds it wet."""
    step = load(np.repeat([0.0, 1.0], 30))
    with pytest.raises(ScenarioError, match=r"cooling\.period is 3 s: t\.gpu0 could go beyond its critical heat flux .* take 1\.\d s or less"):
        run(two, step, TwoPhaseImmersion(period=3.0, critical_margin=1.5))
    held = [run(two, step, TwoPhaseImmersion(period=p, critical_margin=1.5)) for p in (0.5, 1.0)]
    for r in held:
        assert r.boiling_regime.max() == Regime.NUCLEATE
    assert float(abs(held[0].junction_temperature - held[1].junction_temperature).isel(time=-1).max()) < 0.01


def test_solvers_agree_and_kinds_share_a_tank():
    """Two kinds of server in one pool, watts, water that warms as a series: the whole-step solver, TR-BDF2 and SciPy's BDF within 0.02 K."""
    small = Server(name="u", height_units=1, lanes=(Lane(name="a", flow_share=1.0),), fans=srv.fans, mounts=(Mount(
        device=GPU.device, names=("gpu0", "extra"), lanes=("a", "a"), positions=(0, 1), sink=GPU.sink),))
    both = Rack(name="both", slots=(Slot(server=srv, count=1), Slot(server=small, count=2, bottom=20)))
    water = xr.DataArray([25.0, 32.0], dims="time", coords={"time": [0.0, 60.0]})
    design = TwoPhaseImmersion(water_temperature=water, water_flow=0.8 * condenser_for(9e3, NOVEC, 49.05, 30.0).rated_water_flow)
    use = load([0.3, 0.9, 0.5, 0.9] * 4, 4.0)
    found = {solver: run(both, use, design, solver=solver, tolerance=1e-3) for solver in ("rational", "tr-bdf2", "BDF")}
    r = found["rational"]
    for other in found.values():
        assert closes(other)
        assert float(abs(r.junction_temperature - other.junction_temperature).max()) < 0.02
    alone = r.isel(server=1)
    assert np.isnan(alone.heat_flux.sel(device="cpu0")).all() and set(alone.boiling_regime.sel(device="cpu0").values) == {-1}
    assert np.isfinite(alone.heat_flux.sel(device="extra")).all()


@pytest.mark.parametrize("split", [100.0, 320.0])
def test_a_run_in_two_parts(split):
    """What goes on from a result is what would have been, vent and mass too: 1e-9."""
    happens = [events.water_loss(60.0, 300.0)]
    use = load(0.8 + 0.1 * np.sin(np.arange(101)), 5.0)
    whole = run(live_two, use, events=happens)
    first = run(live_two, use.sel(time=slice(0.0, split)), events=happens)
    second = run(live_two, use.sel(time=slice(split, None)), initial=first, events=happens)
    for name in ("junction_temperature", "saturation_temperature", "fluid_mass", "device_power"):
        later = whole[name].sel(time=second.time)
        np.testing.assert_allclose(second[name].values[:-1], later.values[:-1], rtol=1e-9)
    assert float(whole.fluid_mass[-1]) < float(whole.fluid_mass[0]) - 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True,
          phases=[Phase.generate])
@given(st.data())
def test_any_tank_keeps_its_mass_and_energy(data):
    """Whatever the tank and whatever happens: numbers, no negative pressure or mass, energy to 1e-9; what leaves by the vent is what mass is lost."""
    draw = data.draw
    surface = Surface.from_library(draw(st.sampled_from(["plain-copper", "microporous", "boiling-plate"])), length=draw(st.floats(0.03, 0.1)),
                                   width=draw(st.floats(0.03, 0.1)), incipience_overshoot=draw(st.sampled_from([0.0, 12.0])))
    design = TwoPhaseImmersion(
        fluid=draw(st.sampled_from(["novec-649", "fc-72", "hfe-7100", "fc-3284", "2p50-like"])), surfaces={"gpu": surface},
        gas=draw(st.sampled_from([0.0, 0.05])), liquid_volume=draw(st.floats(0.005, 0.1)), vapour_volume=draw(st.floats(0.01, 0.1)),
        relief=Relief(area=draw(st.floats(1e-5, 1e-3)), opening_pressure=20e3, closing_pressure=5e3), lid_conductance=draw(st.floats(0, 50)),
        supplies_in_tank=draw(st.booleans()), period=draw(st.sampled_from([0.2, 0.5])), cover=draw(st.floats(0.01, 0.1)))
    use = draw(st.lists(st.floats(0, 1), min_size=20, max_size=20))
    happens = draw(st.sampled_from([(), (events.water_loss(20.0),), (events.water_loss(20.0, 100.0),), (events.setpoint(30.0, "water_temperature", 35.0),),
                                    (events.lid_open(20.0, 90.0),), (events.lid_open(20.0), events.water_loss(40.0, 60.0))]))
    r = run(live_two, load(use, 10.0), design, initial=draw(st.sampled_from([25.0, 45.0])), events=happens)
    for name in ("junction_temperature", "tank_pressure", "fluid_mass", "saturation_temperature", "heat_flux", "chf_margin", "utility_power", "return_temperature"):
        assert np.all(np.isfinite(r[name])), name
    assert r.tank_pressure.min() > 0 and r.fluid_mass.min() >= 0 and np.all(np.diff(r.fluid_mass) <= 0)
    assert closes(r)
    energy, gone = float((r.vented_heat[:-1] * 10.0).sum()), float(r.fluid_mass[0] - r.fluid_mass[-1])
    latent = design.fluid.latent_heat(np.array([design.fluid.lowest_temperature, design.fluid.highest_temperature]))
    assert energy / latent.max() <= gone * (1 + 1e-9) + 1e-12 and gone * (1 - 1e-9) <= energy / latent.min() + 1e-12


@pytest.mark.parametrize("water", [1.0, 15.0, 36.0])
def test_rests_close_to_the_critical_heat_flux(water):
    """At rest with a few percent to the critical heat flux, in cold and in warm pools: found on the nucleate branch, at the flux asked for."""
    design = TwoPhaseImmersion(water_temperature=water, sealed=True)
    pool = run(one, 1.0, design).isel(time=-1)
    face = Face(TIGHT, 1, NOVEC, design.saturation_temperature)
    side = 0.052 * np.sqrt(1.06 * 700.0 / face.area / float(face.critical(float(pool.saturation_temperature))))
    r = run(one, 1.0, design.replace(surfaces={"gpu": TIGHT.replace(length=side, width=side)})).isel(time=-1, server=0).sel(device="gpu0")
    assert int(r.boiling_regime) == Regime.NUCLEATE and float(r.chf_margin) == pytest.approx(1.06, abs=0.02)
    assert float(r.heat_flux) == pytest.approx(700.0 / side**2, rel=1e-3)


def test_warmest_water_is_a_question_of_design():
    """The condenser's water can be turned; it rises with the limit, a kelvin for a kelvin or somewhat less."""
    answers = [thermo.design.warmest_supply(one, 0.9, cooling=TwoPhaseImmersion(), limits={"gpu": T}).result for T in (76.0, 80.0)]
    water = [float(r.supply_temperature[0]) for r in answers]
    assert 3.0 < water[1] - water[0] < 4.5
    for r, T in zip(answers, (76.0, 80.0), strict=True):
        assert float(r.junction_temperature.sel(device="gpu0").max()) == pytest.approx(T, abs=0.05)


def test_warmest_water_ends_where_the_vent_would_open():
    """Where devices would bear warmer water, the vent does not: the answer is a rest just below its pressure, and says what is beyond."""
    answer = thermo.design.warmest_supply(one, 0.9, cooling=TwoPhaseImmersion(), ambient={"air_temperature": 25.0})
    assert 44.0 < answer.value < 46.0 and answer.headroom > 0.3 and np.isnan(answer.volume_flow)
    assert 0.99 * (ONE_ATM + 30e3) < float(answer.result.tank_pressure[-1]) < ONE_ATM + 30e3
    assert "relief vent would stay open" in answer.message
    with pytest.raises(ScenarioError, match="take a fluid that boils colder, a larger condenser"):
        thermo.design.warmest_supply(one, 0.9, cooling=TwoPhaseImmersion(), limits={"gpu": 20.0})


# --------------------------------------------------------------------------------------------------------- at the door

def test_refusals():
    """A fluid that boils hotter than devices may be, cold plates, water that would not condense, a dew of nonsense."""
    cool = with_device({"max_operating_temperature": 55.0, "slowdown_temperature": 57.0}, of=two)
    with pytest.raises(ScenarioError, match=r"hfe-7100 boils at 61.3 degC in this tank, gpu0 of t may reach 55 degC"):
        run(cool, 0.5, TwoPhaseImmersion(fluid="hfe-7100"))
    with pytest.raises(ScenarioError, match="has cold plates, which do not go into a tank"):
        run(Rack.from_library("gb200-nvl72", servers=None), 0.5)
    with pytest.raises(ScenarioError, match="water of 55.0 degC is not colder than novec-649 boils"):
        run(two, 0.5, TwoPhaseImmersion(water_temperature=55.0))
    with pytest.raises(ScenarioError, match="leave -11.9 K"):  # boils at 18 degC at one bar
        run(two, 0.5, TwoPhaseImmersion(fluid="r1233zd-e"))
    with pytest.raises(ScenarioError, match="no kind of device is called 'ram'"):
        run(two, 0.5, TwoPhaseImmersion(bare_area={"ram": 1.0}))
    with pytest.raises(ScenarioError, match=r"cooling\.surfaces: no kind of device is called 'gpuu'; known are memory"):
        run(two, 0.5, TwoPhaseImmersion(surfaces={"gpuu": "microporous"}))
    with pytest.raises(ScenarioError, match=r"cooling\.gas: 20 mol .* of vapour make 882 kPa at 49\.1 degC, novec-649 is known up to 347 kPa"):
        run(two, 0.5, TwoPhaseImmersion(gas=20.0))
    with pytest.raises(ScenarioError, match="does not answer to it"):
        run(two, load([0.5] * 9), events=[events.fan_failure(3.0, 0)])


def test_library_and_rerun():
    """The library's design on a rack of the library, without a warning, and once more from its own result."""
    r = thermo.simulate_rack(Rack.from_library("dgx-h100", servers=2), 0.9, cooling="two-phase-immersion", ambient=WATER)
    assert 70 < float(r.junction_temperature.sel(device="gpu0")[-1, 0]) < 77 and float(r.chf_margin.min()) > 2
    assert json.loads(r.attrs["warnings"]) == [] and "htc_cooper" in r.attrs["boiling_doubts"]
    assert r.boiling_regime.dtype == np.int8 and list(r.boiling_regime.attrs["flag_values"]) == [-1, 0, 1, 2, 3, 4]
    own = run(two, 0.5, TwoPhaseImmersion(surfaces={"gpu": TIGHT}))
    again = thermo.rerun(own)
    assert np.array_equal(again.junction_temperature, own.junction_temperature)

"""Packages: what is refused, what the grid keeps, what the answers obey, and that their error is told."""
from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from thermo import library
from thermo.cooling.plate import LiquidState, plate_film
from thermo.errors import MESSAGE_LIMIT, LimitError, ScenarioError
from thermo.package import (
    Block,
    Channels,
    Convection,
    Layer,
    Material,
    Package,
    Resolution,
    grid_of,
    resistance,
    solve_steady,
    solve_transient,
)
from thermo.package.description import package_json
from thermo.plot import layer_map, section
from thermo.rack import ColdPlate

SI = Material(name="si", conductivity=120.0, density=2330.0, specific_heat=700.0)
CU = Material(name="cu", conductivity=390.0, density=8930.0, specific_heat=385.0)
PASTE = Material(name="paste", conductivity=4.0, density=2500.0, specific_heat=900.0)
CORE = Block(name="core", x=-0.002, width=0.006, length=0.01, power=100.0)
IO = Block(name="io", x=0.004, width=0.003, length=0.01, power=20.0)
DIE = Layer(name="die", thickness=0.7e-3, width=0.014, length=0.014, material=SI, blocks=(CORE, IO))
TIM = Layer(name="tim", thickness=5e-5, width=0.014, length=0.014, material=PASTE)
LID = Layer(name="lid", thickness=3e-3, material=CU, contact_resistance=1e-6)
TOP = Layer(name="top", thickness=2e-3, material=CU)
WATER = Channels(name="fins", thickness=2e-3, material=CU, channel_count=10, channel_width=5e-4, fin_thickness=5e-4, fluid="water", flow=1e-5,
                 inlet_temperature=30.0)
FILM = Convection(face="top", coefficient=2e4, temperature=40.0)
CHIP = Package(name="chip", width=0.02, length=0.02, layers=(DIE, TIM, LID, TOP), case="lid", convection=(FILM,))
WET = CHIP.replace(layers=(DIE, TIM, LID, WATER, TOP), convection=())
COARSE = Resolution(across=8, block=2)
ON = xr.DataArray([120.0], dims="time", coords={"time": [0.0]})


def uniform(*layers: Layer, **films: float) -> Package:
    return Package(name="stack", width=0.02, length=0.02, layers=layers, convection=tuple(
        Convection(face=face, coefficient=h, temperature=25.0) for face, h in films.items()))


# ------------------------------------------------------------------------------------------------------- what is refused

REFUSED = {
    "overlap": (lambda: DIE.replace(blocks=(CORE, IO.replace(x=0.0))), ["blocks 'core' and 'io' of layer 'die' overlap by 2.5 mm x 10 mm"]),
    "outside": (lambda: CHIP.replace(layers=(DIE.replace(blocks=(CORE.replace(x=0.005),)), LID)), ["block 'core' of layer 'die' reaches 1 mm outside its layer"]),
    "layer outside": (lambda: CHIP.replace(layers=(DIE.replace(x=0.004), LID)), ["layer 'die' reaches 1 mm beyond the package of 20 mm x 20 mm"]),
    "zero": (lambda: LID.replace(thickness=0.0), ["Layer lid", "thickness is 0.0 m: expected above 0"]),
    "negative": (lambda: LID.replace(thickness=-1e-3), ["Layer lid", "thickness is -0.001 m"]),
    "millimetres": (lambda: LID.replace(thickness=3.0), ["thickness is 3.0 m", "is it in mm?"]),
    "millimetres of a block": (lambda: CORE.replace(width=6.0), ["Block core", "width is 6.0 m", "is it in mm?"]),
    "conductivity": (lambda: SI.replace(conductivity=-120.0), ["Material si: conductivity is -120.0 W/(m K): expected above 0 W/(m K)"]),
    "no conductivity": (lambda: SI.replace(conductivity=(1.0, 0.0, 1.0)), ["conductivity[1] is 0.0 W/(m K)"]),
    "density": (lambda: SI.replace(density=2.33), ["density is 2.33 kg/m3: expected 10 to 30000"]),
    "contact": (lambda: LID.replace(contact_resistance=0.08), ["contact_resistance is 0.08 K m2/W: expected 0 to 0.01"]),
    "material": (lambda: LID.replace(material="coper"), ["did you mean 'copper'?"]),
    "fluid": (lambda: WATER.replace(fluid="watr"), ["did you mean 'water'?"]),
    "power of a void": (lambda: Block(name="hole", width=0.01, length=0.01, void=True, power=1.0), ["a void makes no heat"]),
    "names": (lambda: CHIP.replace(layers=(DIE, DIE)), ["layer 'die' is there more than once", "block 'core' is there more than once"]),
    "channels": (lambda: WET.replace(layers=(DIE, LID, WATER.replace(channel_count=30))), ["30 channels and the walls between them are 29.5 mm wide"]),
    "kelvin": (lambda: WATER.replace(inlet_temperature=303.0), ["inlet_temperature is 303.0 degC", "kelvin"]),
    "case": (lambda: CHIP.replace(case="ld"), ["no layer is called 'ld'; did you mean"]),
    "nothing in it": (lambda: Layer(name="gap", thickness=1e-3), ["layer 'gap' is empty"]),
    "ragged": (lambda: FILM.replace(coefficient=((1.0, 2.0), (1.0,))), ["expected a number, or a map with rows of one length"]),
    "adiabatic": (lambda: solve_steady(CHIP.replace(convection=())), ["every face is adiabatic", "solve_transient"]),
    "floating heat": (lambda: solve_steady(CHIP.replace(layers=(DIE, TIM.replace(material=None, blocks=(Block(name="hole", x=-0.002, width=0.007, length=0.012, void=True),
                                                                                                      Block(name="edge", x=0.005, width=0.002, length=0.01,
                                                                                                            material=PASTE))), LID)).replace(
        layers=(DIE.replace(material=None, blocks=(CORE.replace(material=SI), IO.replace(material=SI))),
                TIM.replace(material=None, blocks=(Block(name="under-io", x=0.004, width=0.003, length=0.01, material=PASTE),)), LID))),
        ["block 'core' of layer 'die' makes 100 W", "no solid leads from it to a film or a coolant"]),
    "floating solid": (lambda: solve_steady(CHIP.replace(layers=(DIE.replace(material=None, blocks=(CORE.replace(material=SI, power=0.0), IO.replace(material=SI))),
                                                                 TIM.replace(material=None, blocks=(Block(name="under-io", x=0.004, width=0.003, length=0.01,
                                                                                                          material=PASTE),)), LID)), {"io": 1.0}),
                       ["block 'core' of layer 'die' touches nothing"]),
    "no such block": (lambda: solve_steady(CHIP, {"cor": 1.0}), ["no block 'cor'; did you mean 'core'?"]),
    "map": (lambda: solve_steady(CHIP, {"core": np.array([1.0, 2.0])}), ["power['core']: expected W, or a map"]),
    "nan": (lambda: solve_steady(CHIP, float("nan")), ["power is nan W"]),
    "method": (lambda: solve_steady(CHIP, method="layers"), ["method='layers' takes layers that are one constant material"]),
    "resolution": (lambda: solve_steady(CHIP, resolution="fine"), ["resolution is 'fine': expected a thermo.package.Resolution"]),
    "tolerance": (lambda: solve_steady(CHIP, tolerance=-1.0), ["tolerance is -1, expected above 0 and below 1"]),
    "tolerance over time": (lambda: solve_transient(CHIP, ON, tolerance=0.0), ["tolerance is 0 K, expected above 0 K"]),
    "times of text": (lambda: solve_transient(CHIP, ON, times=["soon"]), ["times is ['soon']: expected numbers [s]"]),
    "power of text": (lambda: solve_transient(CHIP, ON.copy(data=["high"])), ["power is", "expected numbers [W]"]),
    "power without times": (lambda: solve_transient(CHIP, ON.drop_vars("time")), ["power has no coordinate 'time': give it times in s"]),
    "no channels": (lambda: Resolution(channels=0), ["channels is 0: expected 1 to 2000"]),
    "crossing": (lambda: solve_steady(WET.replace(layers=(DIE, LID, WATER, WATER.replace(name="more", direction="+y"), TOP))), ["along x and along y"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_name_block_and_layer(what):
    """One line that names what is wrong, with its value and the way out."""
    make, words = REFUSED[what]
    with pytest.raises(ScenarioError) as refusal:
        make()
    text = str(refusal.value)
    assert all(word in text for word in words), text
    assert len(text) <= MESSAGE_LIMIT and "\n" not in text


def test_all_faults_of_a_file_at_once(tmp_path):
    """A mapping with three faults in two layers names all three, with block and layer."""
    path = tmp_path / "own.toml"
    path.write_text("""name = "own"
width = 0.02
length = 0.02
[[layers]]
name = "die"
thickness = 0
material = "silicon"
[[layers.blocks]]
name = "core"
width = 10
length = 0.01
[[layers]]
name = "lid"
thickness = 0.003
material = "copper"
contact_resistanc = 1e-6
""", encoding="utf-8")
    with pytest.raises(ScenarioError) as refusal:
        Package.from_file(str(path))
    text = str(refusal.value)
    for word in ("layers[0].thickness of layer 'die' is 0 m", "'core'", "width", "is 10 m", "is it in mm?", "contact_resistanc of layer 'lid'",
                 "did you mean 'contact_resistance'?"):
        assert word in text, (word, text)


def test_too_large_is_refused_before_it_is_allocated():
    """A block of a tenth of a micrometre on a wafer, or 10,000 cells across: LimitError, with the number of cells."""
    with pytest.raises(LimitError, match="cells take some"):
        grid_of(CHIP, Resolution(across=10_000), halvings=1)


# --------------------------------------------------------------------------------------------------------------- grid

def test_grid_runs_along_every_edge():
    """Volumes of layers, blocks and channels are those of the description, to rounding."""
    grid = grid_of(WET, COARSE)
    for g in (grid, grid.refined()):
        V = g.volume
        kind = {m.name: n for n, m in enumerate(g.materials, 1)}
        assert V[g.material == kind["si"]].sum() == pytest.approx(0.014**2 * 0.7e-3, rel=1e-12)
        assert V[g.material == kind["paste"]].sum() == pytest.approx(0.014**2 * 5e-5, rel=1e-12)
        copper = 0.02**2 * 7e-3 - 10 * 5e-4 * 2e-3 * 0.02
        assert V[g.material == kind["cu"]].sum() == pytest.approx(copper, rel=1e-12)
        assert V[g.spans["core"].box].sum() == pytest.approx(0.006 * 0.01 * 0.7e-3, rel=1e-12)
    assert np.prod(grid.refined().shape) == 8 * np.prod(grid.shape)


@pytest.mark.parametrize("growth", [1.3, 2.0])
def test_cells_grow_slowly(growth):
    """Neighbours differ by no more than the growth asked for, and a cell's worth of rounding."""
    thin = CHIP.replace(layers=(DIE, TIM.replace(thickness=2e-6), LID, TOP))
    for e in (g := grid_of(thin, Resolution(across=40, growth=growth))).x, g.y, g.z:
        ratio = np.diff(e)[1:] / np.diff(e)[:-1]
        assert max(ratio.max(), 1 / ratio.min()) < 2.1 * growth
    assert np.sum(g.layer == 1) >= 1 and np.sum(g.refined().layer == 1) >= 2


def test_maps_keep_their_heat():
    """A map of power on cells that do not match its pixels, and a map of a film: sums and means are kept."""
    from thermo.package.solve import cell_power, heat_of

    rng = np.random.default_rng(5)
    pixels = rng.uniform(0, 3, (7, 5))
    grid = grid_of(CHIP, COARSE)
    power = cell_power(grid, heat_of(CHIP, {"core": pixels}))
    assert power.sum() == pytest.approx(pixels.sum(), rel=1e-12)
    assert np.all(power[grid.spans["core"].box] > 0) and power[grid.spans["core"].box].sum() == pytest.approx(power.sum(), rel=1e-14)
    h = rng.uniform(1e3, 2e3, (3, 4))
    mapped = grid_of(CHIP.replace(convection=(FILM.replace(coefficient=tuple(map(tuple, h))),)), COARSE)
    area = np.diff(mapped.y)[:, None] * np.diff(mapped.x)
    assert (mapped.film[5] * area).sum() == pytest.approx(h.mean() * 4e-4, rel=1e-12)


# ------------------------------------------------------------------------------------------------------------- answers

def test_slab():
    """Even heat in a slab under a film: q (t/2k + R + 1/h) above the coolant in the mean, exactly in cells too."""
    heater = Layer(name="heater", thickness=1e-5, material=CU, blocks=(Block(name="all", width=0.02, length=0.02),), contact_resistance=2e-6)
    slab = uniform(heater, Layer(name="slab", thickness=2e-3, material=SI), top=5000.0)
    expected = 25 + 50 / 4e-4 * (1e-5 / 390 / 3 + 2e-6 + 2e-3 / 120 + 1 / 5000)
    for method in ("cells", "layers"):
        result = solve_steady(slab, {"all": 50.0}, method=method, resolution=COARSE)
        assert float(result["block_mean"][0]) == pytest.approx(expected, abs=1e-3)
        assert abs(float(result["energy_residual"])) < 1e-9 * 50
    assert result.attrs["method"] == "layers" and solve_steady(slab, {"all": 50.0}).attrs["method"] == "layers"


def test_cells_against_modes():
    """A hot spot on uniform layers: cells agree with the continuum within the error that they tell."""
    spot = Block(name="spot", x=0.003, y=-0.002, width=0.004, length=0.003, power=40.0)
    stack = uniform(Layer(name="die", thickness=5e-4, material=SI, blocks=(spot,), contact_resistance=1e-6), Layer(name="lid", thickness=2e-3, material=CU), top=8000.0)
    truth, cells = (solve_steady(stack, method=m, resolution=Resolution(across=24)) for m in ("layers", "cells"))
    for name, error in (("block_mean", "block_error"), ("block_hottest", "block_error"), ("hottest", "discretisation_error")):
        assert np.all(abs(cells[name] - truth[name]) <= cells[error] + truth[error] + 0.02)
    assert float(cells["block_error"].max()) < 0.1 * float(truth["hottest"] - 25)


def test_laws_of_the_answer():
    """Energy, superposition, reciprocity, the maximum principle, and a mirrored package that gives the mirrored field."""
    both, core, io = (solve_steady(CHIP, p, resolution=COARSE) for p in ({"core": 80.0, "io": 30.0}, {"core": 80.0}, {"io": 30.0}))
    for r in (both, core, io):
        assert abs(float(r["energy_residual"])) < 1e-10 * 110
        assert float(r["temperature"].min()) > 40
        assert r["block_hottest"].max() == r["hottest"]
    rest = both["temperature"].values - core["temperature"].values - io["temperature"].values + 40
    assert np.nanmax(np.abs(rest)) < 1e-9
    mirrored = CHIP.replace(layers=(DIE.replace(blocks=(CORE.replace(x=0.002), IO.replace(x=-0.004))), TIM, LID, TOP))
    other = solve_steady(mirrored, {"core": 80.0, "io": 30.0}, resolution=COARSE)
    assert np.allclose(other["temperature"].values[:, :, ::-1], both["temperature"].values, atol=1e-7, equal_nan=True)


def test_conductivity_that_falls_with_temperature():
    """Of a slab with k = k0 (1 - c (T - T0)) between two films: Kirchhoff's transform gives the drop; a constant k misses it."""
    T = tuple(np.linspace(0.0, 240.0, 25))
    k = SI.replace(conductivity_temperature=T, conductivity_factor=tuple(1.2 - 0.004 * t for t in T))
    heater = Layer(name="heater", thickness=1e-6, material=CU, blocks=(Block(name="all", width=0.02, length=0.02),))
    slab = uniform(heater, Layer(name="slab", thickness=5e-3, material=k), top=1e5)
    q = 1000.0 / 4e-4
    result = solve_steady(slab, {"all": 1000.0}, resolution=Resolution(across=4, layer=8))
    cold = 25 + q / 1e5
    # integral of k from cold to hot = q t
    a, b, c = -0.002 * 120, 1.2 * 120, -(q * 5e-3 + 1.2 * 120 * cold - 0.002 * 120 * cold**2)
    hot = (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
    assert float(result["block_mean"][0]) == pytest.approx(hot, abs=0.02)
    assert abs(float(result["energy_residual"])) < 1e-4


def test_channels_carry_the_heat():
    """Coolant warms by P / (m cp); the film is that of the plate law; turned round, the field is mirrored."""
    result = solve_steady(WET, 120.0, resolution=COARSE)
    water = LiquidState.at(WATER.fluid, 30 + 60 / (1e-5 * 4180 * 996))
    w = np.abs(120 / (result["coolant_outlet"].mean() - 30))
    assert float(w) == pytest.approx(1e-5 * 995.6 * water.heat_capacity, rel=0.003)
    assert float(result["heat"].sel(face="coolant")) == pytest.approx(120, rel=1e-9) and abs(float(result["energy_residual"])) < 1e-8
    mirrored = WET.replace(layers=(DIE.replace(blocks=(CORE.replace(x=0.002), IO.replace(x=-0.004))), TIM, LID, WATER.replace(direction="-x"), TOP))
    other = solve_steady(mirrored, 120.0, resolution=COARSE)
    assert np.allclose(other["temperature"].values[:, :, ::-1], result["temperature"].values, atol=1e-6, equal_nan=True)
    coolant = grid_of(WET, COARSE).coolant(120.0)
    plate = ColdPlate(width=0.01, length=0.02, channel_width=5e-4, channel_height=2e-3, fin_thickness=5e-4, base_thickness=1e-3, split_flow=False)
    plate = plate.replace(width=10 * 1e-3 + 5e-4)
    _, h = plate_film(plate, 1e-5 * float(WATER.fluid.density(30.0)), water)
    assert np.average(coolant.film[0], weights=np.diff(grid_of(WET, COARSE).x)) == pytest.approx(float(h), rel=2e-3)


def test_resistances_add_up():
    """Parts add up to the mean, none is below what even flux leaves, influence is symmetric and gives the mean back."""
    found = resistance(CHIP, influence=True, resolution=COARSE)
    assert float(found["part_resistance"].sum()) == pytest.approx(float(found["mean_resistance"]), rel=1e-9)
    assert np.all(found["part_resistance"] >= found["part_even"] - 1e-9)
    M, watts = found["influence"].values, np.array([100.0, 20.0])
    assert np.allclose(M, M.T, rtol=1e-8)
    assert watts @ M @ watts / 120**2 == pytest.approx(float(found["mean_resistance"]), rel=5e-3)  # within a block, not to its mean
    assert float(found["spreading_factor"]) > 1 and float(found["hot_spot_factor"]) > 1
    wet = resistance(WET, resolution=COARSE)
    assert float(wet["part_resistance"].sum()) == pytest.approx(float(wet["mean_resistance"]), rel=1e-9)
    assert float(wet["junction_to_coolant"].sel(junction="mean")) > float(wet["junction_to_case"].sel(junction="mean"))
    steady = solve_steady(CHIP, resolution=COARSE)
    told = steady["block_error"].sel(block=found.attrs["block"]) / 120
    assert float(found["discretisation_error"]) == pytest.approx(float(told), rel=1e-6) and told > 0


@pytest.mark.parametrize("direction", ["+x", "-y"])
@pytest.mark.parametrize("together", [2, 4])
def test_channels_taken_together(direction, together):
    """Several channels as one: copper, wetted conductance and flow are kept, and the chip is as warm as over channels cut one by one."""
    row = WATER.replace(channel_count=33, channel_width=2e-4, fin_thickness=2e-4, direction=direction, thickness=2e-3, width=0.018, length=0.018)
    package = WET.replace(layers=(DIE, TIM, LID, row, TOP))
    one, some = (grid_of(package, Resolution(across=8, block=2, channels=m)) for m in (1, together))
    mass, wet = [], []
    for grid in (one, some):
        c = np.array([0.0, *(m.heat_capacity for m in grid.materials)])[grid.material] * grid.volume
        coolant = grid.coolant(120.0)
        along = np.diff(grid.x if coolant.axis == 0 else grid.y)
        mass.append(c.sum())
        wet.append([(coolant.film * along).sum(), coolant.capacity_rate.sum(), coolant.capacity.sum()])
    assert mass[0] == pytest.approx(mass[1], rel=1e-9) and np.allclose(*wet, rtol=0.02)  # stations differ, films change along them
    assert len(some.coolant(0.0).names) < 33 / together + 2 and np.prod(some.shape) < np.prod(one.shape)
    a, b = (solve_steady(package, 120.0, resolution=Resolution(across=8, block=2, channels=m)) for m in (1, together))
    rise = a["block_mean"] - 30
    assert np.all(abs(b["block_mean"] - a["block_mean"]) < 0.03 * rise) and abs(float(b["hottest"] - a["hottest"])) < 0.03 * float(a["hottest"] - 30)
    assert abs(float(b["energy_residual"])) < 1e-8
    assert float(b["coolant_outlet"].mean()) == pytest.approx(float(a["coolant_outlet"].mean()), abs=0.1)


def test_broad_walls_follow_the_law_of_the_plate():
    """Even heat over a plate: its conductance is that of `thermo.cooling.plate` fin by fin, with channels together and alone."""
    row = WATER.replace(channel_count=50, channel_width=2e-4, fin_thickness=2e-4, flow=2e-5)
    heater = Layer(name="heater", thickness=1e-5, material=CU, width=0.02, length=row.row, blocks=(Block(name="all", width=0.02, length=row.row, power=200.0),))
    package = Package(name="plate", width=0.02, length=row.row, layers=(heater, Layer(name="base", thickness=1e-3, material=CU), row))
    water = LiquidState.at(row.fluid, 30 + 100 / (2e-5 * 995.6 * 4180))
    plate = ColdPlate(width=row.row + 2e-4, length=0.02, channel_width=2e-4, channel_height=2e-3, fin_thickness=2e-4, base_thickness=1e-3, split_flow=False)
    _, h = plate_film(plate, 2e-5 * 995.6, water)
    m = np.sqrt(2 * float(h) / (390 * 2e-4))
    G = float(h) * 0.02 * (50 * 2e-4 + 49 * 2 * 2e-3 * np.tanh(m * 2e-3) / (m * 2e-3))
    ours = []
    for together in (1, 4):
        found = resistance(package, resolution=Resolution(across=8, block=2, layer=4, channels=together))["part_resistance"]
        ours.append(float(found.sel(part="fins") + found.sel(part="coolant film")))
    assert ours[1] == pytest.approx(ours[0], rel=0.02)
    assert np.allclose(ours, 1 / G, rtol=0.08) and min(ours) > 1 / G  # films fall along the channel, and heat is led into the roots of fins


def test_transient_ends_at_rest():
    """On for long: the steady field. Off: back to the coolant. In between it rises, and the first microseconds are C dT = P dt."""
    on = xr.DataArray([120.0, 0.0], dims="time", coords={"time": [0.0, 200.0]})
    result = solve_transient(CHIP, on, times=[0.01, 0.1, 1.0, 10.0, 199.0, 400.0], fields=[199.0], resolution=COARSE)
    steady = solve_steady(CHIP, 120.0, resolution=COARSE)
    assert np.allclose(result["block_mean"][4], steady["block_mean"], atol=0.02)
    assert np.allclose(result["temperature"][0], steady["temperature"], atol=0.03, equal_nan=True)
    assert np.all(np.diff(result["hottest"][:5]) > 0) and np.allclose(result["block_mean"][-1], 40, atol=0.02)
    again = solve_transient(CHIP, on, times=[0.0, 1.0], initial="steady", resolution=COARSE)
    assert np.allclose(again["block_mean"], steady["block_mean"], atol=0.02)


def test_channels_over_time():
    """Over a plate with coolant, on for long is the steady field, and on the way the small model is the dense matrix exponential."""
    from scipy.linalg import expm

    from thermo.package.solve import cell_power, heat_of, solid_of

    row = WATER.replace(channel_count=4, channel_width=2e-3, fin_thickness=2e-3, flow=2e-6)
    wet, rough = WET.replace(layers=(DIE, TIM, LID, row, TOP)), Resolution(across=4, block=1, growth=4.0)
    result = solve_transient(wet, ON, times=[0.1, 1.0, 1000.0], resolution=rough)
    assert np.allclose(result["block_mean"][-1], solve_steady(wet, 120.0, resolution=rough)["block_mean"], atol=0.03)
    coarse = grid_of(wet, rough)
    solid, b, C = solid_of(coarse, coarse.coolant(120.0)), cell_power(coarse, heat_of(wet, 120.0)), np.empty(coarse.shape)
    solid.capacity(out=C)
    cells = np.flatnonzero(C)
    K, unit, flow = np.empty((len(cells), len(cells))), np.zeros(C.shape), np.empty(C.shape)
    for j, i in enumerate(cells):
        unit.ravel()[i] = 1.0
        solid.apply(unit, threads=1, out=flow)
        K[:, j], unit.ravel()[i] = flow.ravel()[cells], 0.0
    assert np.abs(K - K.T).max() > 1e-6 * np.abs(K).max()  # coolant carries heat one way
    rest = np.linalg.solve(K, b.ravel()[cells])
    exact = rest - expm(-K / C.ravel()[cells][:, None]) @ rest
    from thermo.package.over_time import _mean_heat, _powers, _run

    powers = _powers(wet, ON)
    ours = _run(coarse, powers, _mean_heat(powers, 1.0), np.array([1.0]), np.array([1.0]), "rest", 1e-3)["fields"][0].ravel()[cells] - 30
    assert np.abs(ours - exact).max() < 3e-3


def test_a_result_runs_again():
    """The attributes hold package and power."""
    first = solve_steady(CHIP, {"core": np.ones((2, 3)), "io": 5.0}, resolution=COARSE)
    package = Package.from_mapping(json.loads(first.attrs["package"]), "package")
    assert package == CHIP
    again = solve_steady(package, json.loads(first.attrs["power"]), resolution=COARSE)
    assert np.array_equal(again["temperature"], first["temperature"], equal_nan=True)


# ------------------------------------------------------------------------------------------------------------- library

@pytest.mark.parametrize("name", library.names("packages"))
def test_library_packages_are_sound(name):
    """Every one has power, a case and something that cools it, fits into a grid that a laptop holds, and its silicon is as large as the facts say."""
    package = Package.from_library(name)
    assert sum(package.power.values()) > 100 and package.case
    assert package.convection or any(isinstance(layer, Channels) for layer in package.layers)
    assert np.prod(grid_of(package).shape) * 8 < 8e6
    area = {n: (r[1] - r[0]) * (r[3] - r[2]) for n, (_, _, r) in package.places.items()}
    facts = {"h100-sxm": ("gpu", 814e-6), "a100-sxm": ("gpu", 826e-6), "b200-sxm": ("gpu.0", 800e-6), "mi300x": ("xcd.0", 115e-6), "wse-3": ("wafer", 46_225e-6),
             "ga102-card": ("gpu", 628.4e-6), "ad102-card": ("gpu", 608.3e-6)}
    if name in facts:
        assert area[facts[name][0]] == pytest.approx(facts[name][1], rel=0.01)
    assert Package.from_mapping(json.loads(json.dumps(package_json(package))), name) == package


@pytest.mark.parametrize("name", ["h100-sxm", "b200-sxm"])
def test_library_resistance_of_an_area(name):
    """Mean of the junctions above coolant, times the silicon that makes heat: in the band of facts/devices.md, 0.022 to 0.045 K/W of 814 mm2.

    The band is for PG25 at 1.5 L/min/kW, which is what these two are given. Nothing was fitted to it.
    """
    package = Package.from_library(name)
    found = resistance(package, resolution=Resolution(across=12, block=2, growth=3.0))
    area = sum((r[1] - r[0]) * (r[3] - r[2]) for n, (layer, _, r) in package.places.items() if layer.name == "active" and n.startswith("gpu"))
    R = float(found["mean_resistance"]) * area
    assert 0.022 * 814e-6 < R < 0.045 * 814e-6
    assert 0 < float(found["discretisation_error"]) < 0.1 * float(found["junction_to_coolant"].sel(junction="hot_spot"))


def test_pictures(tmp_path):
    """A layer with its blocks and a section are drawn, with their units."""
    result = solve_steady(CHIP, resolution=COARSE)
    for figure in (layer_map(result, "die"), layer_map(result), section(result), section(solve_steady(WET, resolution=COARSE))):
        words = [t.get_text() for t in figure.findobj(match=lambda a: hasattr(a, "get_text"))]
        assert "x [mm]" in words and "temperature [°C]" in words
        figure.savefig(tmp_path / "p.png")
    with pytest.raises(ScenarioError, match="did you mean 'die'"):
        layer_map(result, "dei")


def test_examples_in_docstrings():
    """What docstrings show is what comes out."""
    import doctest
    from importlib import import_module

    for name in ("description", "solve", "resistance", "over_time"):
        done = doctest.testmod(import_module(f"thermo.package.{name}"))
        assert done.failed == 0 and done.attempted > 0


def test_the_error_is_told():
    """In random stacks of layers, blocks, contacts and films the estimate covers the error (against twice halved cells) in 95 % or more.

    On grids that are much coarser than anyone would choose, three cells across, where the estimate is at its worst.
    """
    from thermo.package.solve import SAFETY, block_rows, difference_of, field_of, heat_of

    covered = []
    for seed in range(10):
        package = random_stack(np.random.default_rng(1000 + seed))
        heat = heat_of(package)
        grids = [grid_of(package, Resolution(across=3, block=1, growth=3.0))]
        while len(grids) < 4:
            grids.append(grids[-1].refined())
        if np.prod(grids[2].shape) > 4e5:
            continue
        rows = [block_rows(field_of(g, heat, tolerance=1e-9)) for g in grids[:3 if np.prod(grids[3].shape) > 4e5 else 4]]
        told = SAFETY * difference_of(rows[1], rows[0])
        for key in ("highest", "mean"):
            truth = rows[-1][key] + (rows[-1][key] - rows[-2][key]) / 3
            covered += (abs(rows[1][key] - truth) <= told).tolist()
    assert len(covered) >= 12 and np.mean(covered) >= 0.95


def random_stack(rng: np.random.Generator) -> Package:
    """Two to four layers of any thickness and conductivity, some smaller than others, with blocks that make heat in one of them."""
    width, length = rng.uniform(0.01, 0.05, 2)
    n = int(rng.integers(2, 5))
    layers = []
    for i in range(n):
        k = 10 ** rng.uniform(-0.3, 2.6)
        size = {"width": width * rng.uniform(0.6, 1), "length": length * rng.uniform(0.6, 1)} if i < n - 1 and rng.random() < 0.5 else {}
        w, h = size.get("width", width), size.get("length", length)
        other = Material(name=f"other{i}", conductivity=10 ** rng.uniform(0, 2.6), density=2000.0, specific_heat=800.0)
        blocks = [Block(name=f"b{i}{c}", x=w * (c - 0.5) / 2, y=h * rng.uniform(-0.2, 0.2), width=w * rng.uniform(0.15, 0.45), length=h * rng.uniform(0.2, 0.55),
                        material=other if rng.random() < 0.5 else None, power=float(rng.uniform(5, 100)) if i == 0 else 0.0)
                  for c in range(2) if i == 0 or rng.random() < 0.3]
        layers.append(Layer(name=f"l{i}", thickness=10 ** rng.uniform(-4.3, -2.5), material=Material(name=f"m{i}", conductivity=k, density=3000.0, specific_heat=700.0),
                            blocks=tuple(blocks), contact_resistance=10 ** rng.uniform(-7, -5) if rng.random() < 0.3 else 0.0, **size))
    return Package(name="random", width=width, length=length, layers=tuple(layers),
                   convection=(Convection(face="top", coefficient=10 ** rng.uniform(2.5, 4.7), temperature=30.0),))

"""Cold plates: laminar limits, fins, spreading against closed solutions, a plate from a data sheet, a published set of plates."""
import math

import numpy as np
import pytest

from thermo._kernels import formulas as f
from thermo.cooling import curve_plate
from thermo.cooling.plate import (
    LiquidState,
    film_conductance,
    plate_base,
    plate_film,
    plate_pressure_drop,
    plate_resistance,
    plate_uptake,
    plate_warnings,
    spreading_rectangular,
)
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import ColdPlate

PLATE = ColdPlate(width=0.06, length=0.06, channel_width=2e-4, channel_height=3e-3, fin_thickness=2e-4, base_thickness=3e-3)
PG25 = LiquidState.at(Fluid.from_library("pg25"), 45.0)
WATER = LiquidState.at(Fluid.from_library("water"), 25.0)
V = np.array([0.5, 1.0, 1.5, 2.0, 3.0]) / 6e4  # m3/s

# Channel width, height, fin [mm], number of channels, pressure drop [kPa] at 20 L/min, rise to the hottest point at 1400 W [K]: a
# published CFD study of plates for a 1400 W chip of 1600 mm2 in coolant of 25 degC (S47). It tells neither length nor coolant.
CFD = np.array([
    (0.581, 5.60, 0.399, 73, 2.6, 49.3), (0.595, 5.98, 0.589, 60, 2.9, 49.3), (0.526, 5.74, 0.388, 78, 3.0, 47.9),
    (0.453, 5.92, 0.346, 90, 3.6, 45.8), (0.380, 5.97, 0.203, 123, 4.0, 44.9), (0.338, 5.66, 0.151, 147, 4.9, 44.3),
    (0.319, 5.98, 0.254, 125, 6.5, 42.3), (0.273, 5.21, 0.187, 156, 9.3, 40.9), (0.257, 4.00, 0.251, 141, 16.6, 39.7),
    (0.205, 4.04, 0.131, 214, 19.9, 38.8), (0.175, 2.79, 0.102, 260, 38.2, 37.5), (0.157, 2.85, 0.101, 278, 47.3, 36.8),
    (0.139, 2.52, 0.111, 287, 74.4, 36.0), (0.120, 2.33, 0.100, 327, 108.5, 35.2)])


def of_the_study(row):
    """The plate of a row: as long as wide, fed in the middle."""
    w, H, t, n = row[0] * 1e-3, row[1] * 1e-3, row[2] * 1e-3, int(row[3])
    width = n * (w + t) + t
    return ColdPlate(width=width, length=width, channel_width=w, channel_height=H, fin_thickness=t, base_thickness=2e-3)


def test_long_channels_have_the_developed_values():
    """C14: far from the entrance Nusselt number and friction are those of Shah and London, and pressure drop is linear in flow."""
    for width, Nu, fRe in ((3e-3, 3.61, 14.23), (1.5e-3, 4.12, 15.55), (0.75e-3, 5.33, 18.23), (1e-6, 8.235, 24.0)):
        plate = PLATE.replace(channel_width=width, channel_height=3e-3, length=500.0, split_flow=False)
        m = np.array([1e-6])
        n, area, D = plate.channel_count, width * 3e-3, 2 * width * 3e-3 / (width + 3e-3)
        _, h = plate_film(plate, m, PG25)
        assert h[0] * D / PG25.conductivity == pytest.approx(Nu, rel=5e-3)
        speed = m / PG25.density / (n * area)
        friction = plate_pressure_drop(plate, m, PG25) * D / (2 * plate.length * PG25.density * speed**2)  # Fanning
        assert friction * PG25.density * speed * D / PG25.viscosity == pytest.approx(fRe, rel=5e-3)
        assert plate_pressure_drop(plate, 2 * m, PG25) == pytest.approx(2 * plate_pressure_drop(plate, m, PG25), rel=1e-3)


def test_fins_that_conduct_without_limit_count_in_full():
    """UA is h times the whole wetted area of base and fins, and less where fins conduct badly."""
    m = V * PG25.density
    ideal, h = plate_film(PLATE.replace(conductivity=1e8), m, PG25)
    area = PLATE.channel_count * PLATE.length * (2 * PLATE.channel_height + PLATE.channel_width)
    assert ideal == pytest.approx(h * area, rel=1e-4)
    real, _ = plate_film(PLATE, m, PG25)
    mL = math.sqrt(2 * h[0] / (390.0 * 2e-4)) * 3e-3
    part = (2 * 3e-3 * math.tanh(mL) / mL + 2e-4) / (2 * 3e-3 + 2e-4)
    assert real[0] / ideal[0] == pytest.approx(part, rel=1e-5)


def test_uptake_is_that_of_an_isothermal_base():
    """q = w (1 - exp(-UA/w)) (T_base - T_in), never more than the coolant can carry, and resistance to the inlet its reciprocal."""
    m = V * PG25.density
    w, UA = m * PG25.heat_capacity, film_conductance(PLATE, m, PG25)
    q = w * (1 - np.exp(-UA / w))  # for 1 K between base and inlet
    assert plate_uptake(PLATE, m, PG25) == pytest.approx(q, rel=1e-12) and np.all(q < w)
    assert float(plate_uptake(PLATE, 1e-7, PG25)) == pytest.approx(1e-7 * PG25.heat_capacity, rel=1e-12)
    R = plate_resistance(PLATE, m, PG25)
    assert R.to_inlet - R.base == pytest.approx(1 / q, rel=1e-12)
    assert R.to_inlet - R.to_mean == pytest.approx(0.5 / w, rel=1e-12)
    assert R.caloric == pytest.approx(1 / w, rel=1e-15)


def test_split_flow_quarters_the_pressure_drop():
    """Twice the passages of half the length: a quarter of the developed friction; with the entrance a little less than four."""
    m, straight = np.array([1e-4]), PLATE.replace(split_flow=False)
    assert plate_pressure_drop(straight, m, PG25) / plate_pressure_drop(PLATE, m, PG25) == pytest.approx(4, rel=2e-3)
    fast = plate_pressure_drop(straight, V * PG25.density, PG25) / plate_pressure_drop(PLATE, V * PG25.density, PG25)
    assert np.all((fast > 3.8) & (fast < 4.05))


def test_warm_coolant_is_thin_and_takes_less_pressure():
    """PG25 of 60 degC takes half or less of the pressure of 20 degC, and its film is the better one."""
    cold, warm = (LiquidState.at(Fluid.from_library("pg25"), T) for T in (20.0, 60.0))
    drop = [float(plate_pressure_drop(PLATE, 1.5 / 6e4 * s.density, s)) for s in (cold, warm)]
    assert drop[1] < 0.5 * drop[0] and drop[1] / drop[0] == pytest.approx(warm.viscosity / cold.viscosity, rel=0.05)
    assert film_conductance(PLATE, 0.025, warm) > film_conductance(PLATE, 0.025, cold)


def test_spreading_limits():
    """Nothing to spread: 0. A small square on a thick plate: 0.4732 / (k side) of the half space. Lee's discs within 10 %."""
    assert float(spreading_rectangular(0.05, 0.05, 0.05, 0.05, 0.003, 390.0, 1e4)) == pytest.approx(0, abs=1e-12)
    small = float(spreading_rectangular(0.1, 0.1, 1.0, 1.0, 5.0, 390.0, 1.0))  # to the half space as side / plate goes to 0
    smaller = float(spreading_rectangular(0.05, 0.05, 1.0, 1.0, 5.0, 390.0, 1.0))
    limit = 0.4732 / 390.0
    assert small * 0.1 < smaller * 0.05 < limit and smaller * 0.05 == pytest.approx(limit, rel=0.07)
    extrapolated = 2 * smaller * 0.05 - small * 0.1  # what is missing goes with side over plate
    assert extrapolated == pytest.approx(limit, rel=0.01)
    for a, b, t, h in ((0.0143, 0.04, 0.004, 1e3), (0.0143, 0.04, 0.004, 1.5e4), (0.0143, 0.0286, 0.003, 1.5e4)):
        s, S = a * math.sqrt(math.pi), b * math.sqrt(math.pi)
        exact = float(spreading_rectangular(s, s, S, S, t, 390.0, h)) + t / (390.0 * S * S)
        assert float(f.spreading_resistance_average(a, b, t, 390.0, h)) == pytest.approx(exact, rel=0.1)
    with pytest.raises(ValueError, match="does not fit"):
        spreading_rectangular(0.06, 0.05, 0.05, 0.05, 0.003, 390.0, 1e4)


def test_spreading_against_finite_differences():
    """The series is the solution of conduction: a two-dimensional plate (source over the full depth), by finite volumes."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    A, t, k, h, a, n_x, n_z = 0.06, 0.003, 390.0, 2e4, 0.02, 240, 24
    dx, dz = A / n_x, t / n_z
    at = np.arange(n_x * n_z).reshape(n_x, n_z)
    rows, cols, values, q = [], [], [], np.zeros(n_x * n_z)

    def link(i, j, G):
        rows.extend([i, j, i, j]), cols.extend([i, j, j, i]), values.extend([G, G, -G, -G])

    for i in range(n_x):
        for j in range(n_z):
            if i + 1 < n_x:
                link(at[i, j], at[i + 1, j], k * dz / dx)
            if j + 1 < n_z:
                link(at[i, j], at[i, j + 1], k * dx / dz)
        G = dx / (dz / 2 / k + 1 / h)
        rows.append(at[i, -1]), cols.append(at[i, -1]), values.append(G)
    heated = np.abs((np.arange(n_x) + 0.5) * dx - A / 2) < a / 2
    q[at[heated, 0]] = 1.0 / heated.sum()
    T = spsolve(coo_array((values, (rows, cols))).tocsc(), q)
    face = np.mean(T[at[heated, 0]]) + dz / 2 / k / a  # half a cell below the face
    known = face - t / (k * A) - 1 / (h * A)  # per metre of depth
    assert float(spreading_rectangular(a, 1.0, A, 1.0, t, k, h)) == pytest.approx(known, rel=5e-3)


def test_base_is_a_slab_where_the_device_covers_it():
    """Without a contact, or with one as large, t / (k A); a smaller one adds spreading, the smaller the more."""
    m = V * PG25.density
    slab = PLATE.base_thickness / (390.0 * 0.06 * 0.06)
    assert plate_base(PLATE, m, PG25, None) == pytest.approx(slab) == plate_base(PLATE, m, PG25, 1.0)
    R = [float(plate_base(PLATE, m[:1], PG25, area)[0]) for area in (0.0035, 0.0016, 0.0008)]
    assert slab < R[0] < R[1] < R[2]
    long = PLATE.replace(width=0.02, length=0.1)
    assert float(plate_base(long, m[:1], PG25, 0.0016)[0]) > 0  # a square that is wider than the plate is a rectangle on it


def test_published_plates():
    """Pressure drops of 14 plates over a factor of 40, nothing fitted: within 15 %, if they are square, fed in the middle and run
    on PG25 (the study tells neither). Rises at 1400 W fall from plate to plate as there, by 12 K in all against 14 K.
    """
    liquid = LiquidState.at(Fluid.from_library("pg25"), 25.5)
    m = 20 / 6e4 * liquid.density
    found = np.array([float(plate_pressure_drop(of_the_study(row), m, liquid)) for row in CFD])
    assert found == pytest.approx(1e3 * CFD[:, 4], rel=0.15)
    assert np.mean(found / (1e3 * CFD[:, 4])) == pytest.approx(1, abs=0.08)
    rise = np.array([1400 * float(plate_resistance(of_the_study(row), m, liquid, 1.6e-3).to_inlet) for row in CFD])
    assert np.corrcoef(rise, CFD[:, 5])[0, 1] > 0.98
    assert rise[0] - rise[-1] == pytest.approx(CFD[0, 5] - CFD[-1, 5], rel=0.2)


def test_plate_from_a_data_sheet():
    """A curve through points of the geometry gives them back, referred to inlet or mean, and nearly the geometry in another coolant."""
    m = V * PG25.density
    R, p = plate_resistance(PLATE, m, PG25, 8.14e-4), plate_pressure_drop(PLATE, m, PG25)
    for given, to in ((R.to_inlet, "inlet"), (R.to_mean, "mean")):
        curve = curve_plate(V, given, p, fluid="pg25", temperature=45.0, referred_to=to, capacity=80.0)
        assert plate_resistance(curve, m, PG25).to_inlet == pytest.approx(R.to_inlet, rel=0.01)
        assert plate_pressure_drop(curve, m, PG25) == pytest.approx(p, rel=0.01)
        hot = LiquidState.at(Fluid.from_library("water"), 30.0)
        known = plate_resistance(PLATE, V * hot.density, hot, 8.14e-4).to_inlet
        assert plate_resistance(curve, V * hot.density, hot).to_inlet == pytest.approx(known, rel=0.05)
        assert plate_pressure_drop(curve, V * hot.density, hot) == pytest.approx(plate_pressure_drop(PLATE, V * hot.density, hot), rel=0.03)


def test_data_sheets_that_cannot_be():
    """Few points, resistance that rises, less resistance than the coolant's own warming, a scatter beyond 5 %: refused."""
    flow = np.array([1.0, 1.5, 2.0, 3.0]) / 6e4
    with pytest.raises(ScenarioError, match="three points or more"):
        curve_plate(flow[:2], [0.04, 0.03], capacity=100.0)
    with pytest.raises(ScenarioError, match=r"within 5 %.*does resistance fall with flow\?"):
        curve_plate(flow, [0.03, 0.035, 0.04, 0.05], capacity=100.0)
    with pytest.raises(ScenarioError, match=r"the coolant itself warms; is it referred to the mean"):
        curve_plate(flow, [0.010, 0.008, 0.007, 0.006], capacity=100.0)
    curve_plate(flow, [0.010, 0.008, 0.007, 0.006], referred_to="mean", capacity=100.0)
    with pytest.raises(ScenarioError, match="pressure drops within 5 %"):
        curve_plate(flow, [0.05, 0.045, 0.042, 0.04], [5e3, 20e3, 15e3, 60e3], capacity=100.0)
    with pytest.raises(ScenarioError, match="within 5 %"):
        curve_plate(flow, [0.050, 0.037, 0.044, 0.032], capacity=100.0)
    with pytest.raises(ScenarioError, match="do not fit in the width"):
        PLATE.replace(channel_width=0.07)


def test_warnings_name_the_range():
    """Where the Nusselt number's law is left, the plate says so; at usual flows it is silent."""
    assert plate_warnings("gpu0", PLATE, V * PG25.density, PG25) == []
    assert "gpu0" in plate_warnings("gpu0", PLATE.replace(channel_width=2e-2, width=0.05), np.array([5e3]), PG25)[0]

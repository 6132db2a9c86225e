r"""Devices in a tank of liquid: the sink that each has there, and its uptake as laws of two things, its flow and its temperature.

A sink known by its geometry is wetted as it is. One known by its resistance in air alone (`CurveSink`) is taken to be fins of
`EQUIVALENT`, 30 mm high, 0.1 m long and 2 mm apart, as many as give that resistance at its reference flow in air; of a bare board or
module they are a fraction of one such sink. That is an estimate: other fins with the same resistance in air, of 20 to 50 mm and with gaps of 1.5
to 3 mm, have 0.6 to 1.4 of its conductance in oil. The curve's constant resistance stays in front. A design may name sinks made for
liquids instead (`TankSink`), with gaps of 3 to 4 mm.

Uptake. Liquid passes fins with the flow `m`; with their conductance `UA` and ``r = m c / UA`` the base loses

.. math:: q = X (T_{base} - T_{in}), \quad X = UA\, r\, (1 - e^{-1/r}), \qquad UA = \eta(h)\, h A, \quad h^3 = h_F^3(m) + h_N^3(T).

So that a sampled run can follow it, `h` is made of two laws of one thing each. What that leaves out:

- ``h_F`` is taken at the temperature of the rated point. Of thermally developing oil it hardly depends on it (viscosity cancels in
  ``Re Pr``); Sieder and Tate's factor is that of the rated point, too.
- ``h_N`` is taken for the heat at which the device is rated. Alone it goes with the fifth root of the heat and more, so that at half of
  it `UA` is up to 18 % too large in fluorinated liquids and 14 % in oils, at a tenth up to 64 and 38 %. Where forced convection rules, next to nothing of that is left.

Where the flow all but stops, the liquid that stands behind the fins stays joined to them through their film (`STANDING`).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.heat_sink import REFERENCE_DENSITY, AirState, base_spreading, plate_fin_film
from thermo.cooling.mixed_convection import fins_conductance, immersed_warnings, natural_plate, sink_conductance
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.network import Table, law_table
from thermo.rack import CurveSink, Described, Identifier, Mount, PlateFinSink

__all__ = ["EQUIVALENT", "Immersed", "Rated", "TankSink", "air_conductance", "equivalent_count", "immersed"]

Floats = NDArray[np.float64]
EQUIVALENT = PlateFinSink(width=0.0245, length=0.1, base_thickness=0.004, fin_height=0.03, fin_thickness=0.0004, fin_count=11)  # gaps of 2.01 mm
MOST_EFFECTIVE = 0.98  # of what the air of a curve's point can carry
STANDING = 0.1  # of a film's conductance: capacity rates below it leave liquid standing behind the fins
MOST_RATIO = 60.0  # of capacity rate over film, to which uptake is tabulated; beyond, it is the film's within 1 %
ROUNDS, CLOSE = 60, 1e-9


class TankSink(Described):
    """A sink that devices of a kind, or the device of that name, have in the tank in place of their own."""

    devices: Identifier
    sink: PlateFinSink


@dataclass(frozen=True)
class Rated:
    """Where laws of one temperature are taken."""

    bulk: float  # degC, of the liquid in the slot
    flow: float  # kg/s between the fins of all parts
    heat: float  # W of all parts


@dataclass(frozen=True)
class Immersed:
    """What a device and its sink are in a tank. Laws take the flow [kg/s] between the fins of all its parts, or degC."""

    resistance: float  # K/W from case to the roots of the fins, without the interface; 0 of a lump, whose film it is part of
    forced: Table  # h_F^3 of the flow
    natural: Table  # h_N^3 of the liquid's temperature above `coldest`
    film: Table  # UA [W/K] of h^3
    inverse: Table  # 1 / UA, the same
    coldest: float  # degC
    warnings: tuple[str, ...]

    def conductance(self, flow: float, T: float) -> float:
        """UA at a flow and a temperature of the liquid [W/K]."""
        return float(self.film(self.forced(flow) + self.natural(T - self.coldest)))


def equivalent_count(sink: CurveSink) -> float:
    """How many of `EQUIVALENT` give the resistance that a curve has at its reference flow, in air of 25 degC. [1]

    Examples
    --------
    >>> curve = CurveSink(flow_resistance=0.1, reference_flow=0.02, capacity=300.0)
    >>> round(equivalent_count(curve), 2)
    4.12
    """
    air = AirState.at(25.0, 101_325.0, 0.0)
    m = REFERENCE_DENSITY * sink.reference_flow
    w = m * air.heat_capacity
    UA = -w * np.log1p(-min(1 / (sink.flow_resistance * w), MOST_EFFECTIVE))
    low, high = -12.0, 12.0  # of the logarithm; more fins, more conductance
    for _ in range(80):
        n = np.exp(0.5 * (low + high))
        more = n * float(plate_fin_film(EQUIVALENT, np.asarray(m / n), air)[0]) < UA
        low, high = (np.log(n), high) if more else (low, np.log(n))
    return float(np.exp(0.5 * (low + high)))


def air_conductance(mount: Mount, flow: float) -> float:
    """What joins a device's sink to the air that enters it [W/K], for one part, at a flow of air [m3/s]; a curve at its own."""
    sink = mount.sink
    if isinstance(sink, CurveSink):
        return 1 / (sink.constant_resistance + sink.flow_resistance)
    if not isinstance(sink, PlateFinSink):
        raise TypeError(f"{mount.names[0]} has no sink for air")
    air = AirState.at(25.0, 101_325.0, 0.0)
    m = np.asarray(REFERENCE_DENSITY * flow)
    w = m * air.heat_capacity
    return float(w * -np.expm1(-plate_fin_film(sink, m, air)[0] / w))


@lru_cache(maxsize=512)
def immersed(mount: Mount, sink: PlateFinSink | None, fluid: Fluid, rated: Rated, most: float) -> Immersed:
    """A mounted device in a liquid.

    Parameters
    ----------
    mount : Mount
        Device, number of parts, and their sink in air.
    sink : PlateFinSink or None
        What each part has in the tank; None: its own.
    fluid : Fluid
        The liquid.
    rated : Rated
        Where laws of one thing take the other.
    most : float
        Flow between the fins of all parts, up to which laws are tabulated. [kg/s]
    """
    own = mount.sink if sink is None else sink
    if isinstance(own, CurveSink):
        fins, each, constant = EQUIVALENT, equivalent_count(own), own.constant_resistance
    elif isinstance(own, PlateFinSink):
        fins, each, constant = own, 1.0, 0.0
    else:
        raise ScenarioError(f"{mount.names[0]} is on a cold plate, which a tank does not feed; take the air-cooled server, or name a sink for it")
    n = each * mount.multiplicity
    lump = mount.device.junction_resistance is None
    coldest, hottest = fluid.lowest_temperature, fluid.highest_temperature

    def forced(m: Floats, wall: float) -> Floats:
        return np.asarray(sink_conductance(fins, fluid, np.maximum(m / n, 1e-12), rated.bulk, wall)[2])

    def natural(T: Floats) -> Floats:
        """Of the wall that the rated heat makes, with the rated flow."""
        dT = np.full(T.shape, 10.0)
        for _ in range(ROUNDS):
            cool = np.clip(hottest - dT, coldest, T)  # where the wall would be hotter than the liquid is known, as if cooler
            h = natural_plate(fluid, np.minimum(cool + dT, hottest), cool, fins.length)
            before, dT = dT, rated.heat / (n * fins_conductance(fins, np.cbrt(h_F**3 + h**3)))
            if np.all(np.abs(dT - before) < CLOSE * dT):
                break
        return h

    wall, h_F = rated.bulk + 10.0, 0.0
    for _ in range(ROUNDS):
        h_F = float(forced(np.asarray(rated.flow), min(wall, hottest)))
        h = float(np.cbrt(h_F**3 + natural(np.asarray(rated.bulk)) ** 3))
        before, wall = wall, rated.bulk + rated.heat / (n * float(fins_conductance(fins, h)))
        if abs(wall - before) < CLOSE * (wall - rated.bulk):
            break
    h_N = natural(np.linspace(coldest, hottest, 65))
    low, high = 0.5 * float(forced(np.asarray(0.0), min(wall, hottest))) ** 3, 1.5 * float(forced(np.asarray(most), min(wall, hottest)) ** 3 + np.max(h_N) ** 3)
    in_film = constant / mount.multiplicity if lump else 0.0

    def film(S: Floats) -> Floats:
        return np.asarray(1 / (1 / (n * fins_conductance(fins, np.cbrt(S))) + in_film))

    spread = 0.0 if lump else constant / mount.multiplicity
    if not lump and isinstance(own, PlateFinSink):
        UA = np.asarray(fins_conductance(fins, h))
        spread = float(base_spreading(fins, UA, mount.device.contact_area or mount.device.die_area)) / mount.multiplicity
    said = immersed_warnings(mount.names[0], own, fluid, np.asarray(rated.flow / n), np.asarray(rated.bulk)) if isinstance(own, PlateFinSink) else []
    return Immersed(spread, _table(lambda m: forced(m, min(wall, hottest)) ** 3, 0.0, most), _table(lambda T: natural(T + coldest) ** 3, 0.0, hottest - coldest),
                    _table(film, low, high), _table(lambda S: 1 / film(S), low, high), coldest, tuple(said))


def _table(law: Callable[[Floats], Floats], low: float, high: float) -> Table:
    return law_table(law, low, high, points=129)


def _uptake(r: Floats) -> Floats:
    """X / UA of a capacity rate over it."""
    r = np.maximum(r, 1e-12)
    return np.asarray(-r * np.expm1(-1 / r))


UPTAKE = law_table(_uptake, 0.0, MOST_RATIO, points=4097)
STOOD = law_table(lambda r: np.maximum(1 - r / STANDING, 0.0) ** 2, 0.0, 2 * STANDING, points=1025)

"""Heat sinks in a stream of air: resistance and pressure drop against flow. Shared by every design that blows air.

A sink takes heat from its base at one temperature into the air that passes it. With ``w`` the capacity rate of that air,

.. math:: q = w (1 - e^{-NTU}) (T_{base} - T_{in}),

and the base's spreading resistance stands between the device's case and the base. A sink known by its curve,
``R(V) = (T_base - T_in) / q``, holds all of this already.
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermo import formulas
from thermo._kernels import formulas as f
from thermo.rack import CurveSink, PlateFinSink

__all__ = ["AirState", "base_spreading", "plate_fin_film", "sink_coupling", "sink_pressure_drop", "sink_spreading", "sink_warnings"]

Floats = NDArray[np.float64]
REFERENCE_DENSITY = 1.184  # kg/m3, dry air at 25 degC and 101,325 Pa: curves of sinks and fans are stated in such air
MOST_NTU = 7.0  # beyond it the air leaves within 0.1 % of the fins' temperature, and a larger number only drowns the balance
MOST_EFFECTIVE = 0.98  # of w (T_base - T_in): a curve beyond it contradicts the balance of the air


@dataclass(frozen=True)
class AirState:
    """Properties of the air that enters the servers."""

    density: float  # kg/m3
    heat_capacity: float  # J/(kg K)
    viscosity: float  # Pa s
    conductivity: float  # W/(m K)

    @classmethod
    def at(cls, temperature: float, pressure: float, relative_humidity: float) -> AirState:
        """Moist air at degC, Pa, and relative humidity 0..1."""
        state = (temperature, pressure, relative_humidity)
        return cls(float(f.air_density(*state)), float(f.air_heat_capacity(*state)), float(f.air_viscosity(*state)),
                   float(f.air_conductivity(*state)))

    @property
    def prandtl(self) -> float:
        """Prandtl number [1]."""
        return self.viscosity * self.heat_capacity / self.conductivity


@dataclass(frozen=True)
class _Channel:
    gap: float
    aspect: float
    hydraulic_diameter: float
    free_area: float
    area_ratio: float


def _channel(sink: PlateFinSink) -> _Channel:
    gap = (sink.width - sink.fin_count * sink.fin_thickness) / (sink.fin_count - 1)
    free = (sink.fin_count - 1) * gap * sink.fin_height
    return _Channel(gap, min(gap, sink.fin_height) / max(gap, sink.fin_height),
                    2 * gap * sink.fin_height / (gap + sink.fin_height), free, free / (sink.width * sink.fin_height))


def _reynolds(sink: PlateFinSink, mass_flow: Floats, air: AirState) -> Floats:
    c = _channel(sink)
    return mass_flow * c.hydraulic_diameter / (c.free_area * air.viscosity)


def plate_fin_film(sink: PlateFinSink, mass_flow: Floats, air: AirState) -> tuple[Floats, Floats]:
    """``(UA, h)`` of a plate-fin sink [W/K], [W/(m2 K)]: developing duct flow, fin efficiency, base between fins included.

    Parameters
    ----------
    sink : PlateFinSink
        Geometry.
    mass_flow : ndarray
        Air through the fins [kg/s].
    air : AirState
        Air that enters.
    """
    c = _channel(sink)
    Re = np.maximum(_reynolds(sink, mass_flow, air), 1e-6)
    Nu = f.nusselt_duct(Re, air.prandtl, c.aspect, c.hydraulic_diameter, sink.length)
    h = Nu * air.conductivity / c.hydraulic_diameter
    eta_fin = f.fin_efficiency(f.fin_parameter(h, sink.conductivity, sink.fin_thickness) * sink.fin_height)
    fins = 2 * sink.fin_count * sink.fin_height * sink.length
    base = (sink.fin_count - 1) * c.gap * sink.length
    eta = f.surface_efficiency(eta_fin, fins / (fins + base))
    return eta * h * (fins + base), h


def sink_coupling(sink: PlateFinSink | CurveSink, mass_flow: Floats, air: AirState) -> Floats:
    """Conductance [W/K] between base and the air that *leaves* the sink, exact for a base at one temperature.

    ``eps w / (1 - eps)``: the cell of air behind the sink is at its outlet, so that ``G (T_base - T_out)`` is
    ``eps w (T_base - T_in)``.
    """
    w = mass_flow * air.heat_capacity
    if isinstance(sink, PlateFinSink):
        UA, _ = plate_fin_film(sink, mass_flow, air)
        return w * np.expm1(np.minimum(UA / w, MOST_NTU))
    eps = np.minimum(1.0 / (_curve_resistance(sink, mass_flow) * w), MOST_EFFECTIVE)
    return eps * w / (1 - eps)


def _curve_resistance(sink: CurveSink, mass_flow: Floats) -> Floats:
    # What counts in a boundary layer is rho V, so a curve measured in reference air is read at equal mass flow.
    return sink.constant_resistance + sink.flow_resistance * (
        mass_flow / (REFERENCE_DENSITY * sink.reference_flow)) ** -sink.exponent


def sink_spreading(sink: PlateFinSink | CurveSink, mass_flow: Floats, air: AirState, contact_area: float | None) -> Floats:
    """Resistance of the base from the contact with the device to the roots of the fins [K/W], by Lee et al.

    Source and base are taken as discs of equal area. Without a `contact_area` the base is a plain slab.
    """
    if isinstance(sink, CurveSink):
        return np.zeros_like(mass_flow)
    return base_spreading(sink, plate_fin_film(sink, mass_flow, air)[0], contact_area)


def base_spreading(sink: PlateFinSink, UA: Floats, contact_area: float | None) -> Floats:
    """The same of fins that take up heat with the conductance `UA` [W/K], whatever wets them."""
    area = sink.width * sink.length
    k = sink.base_conductivity or sink.conductivity
    if contact_area is None or contact_area >= area:
        return np.full_like(UA, sink.base_thickness / (k * area))
    a, b = math.sqrt(contact_area / math.pi), math.sqrt(area / math.pi)
    return np.asarray(f.spreading_resistance_average(a, b, sink.base_thickness, k, UA / area))  # slab included


def sink_pressure_drop(sink: PlateFinSink | CurveSink, mass_flow: Floats, air: AirState) -> Floats:
    """Pressure drop of the air across a sink [Pa]: entrance, developing friction, exit. 0 for a sink known by a curve."""
    if isinstance(sink, CurveSink):
        return np.zeros_like(mass_flow)
    c = _channel(sink)
    Re = np.maximum(_reynolds(sink, mass_flow, air), 1e-6)
    V = mass_flow / (air.density * c.free_area)
    laminar = f.friction_apparent(sink.length / (c.hydraulic_diameter * Re), f.friction_rectangular(c.aspect)) / Re
    turbulent = f.friction_churchill(np.maximum(Re, 2300.0), 0.0) / 4  # Fanning
    friction = np.maximum(laminar, np.where(Re > 2300, turbulent, 0.0))
    loss = f.contraction_loss(c.area_ratio) + 4 * friction * sink.length / c.hydraulic_diameter + f.expansion_loss(c.area_ratio)
    return loss * air.density * V * V / 2


def sink_warnings(name: str, sink: PlateFinSink | CurveSink, mass_flow: Floats, air: AirState) -> list[str]:
    """Where a sink's laws leave the range that their sources vouch for, over a range of flows that will be met."""
    if isinstance(sink, CurveSink):
        w = mass_flow * air.heat_capacity
        eps = 1.0 / (_curve_resistance(sink, mass_flow) * w)
        if np.any(eps > MOST_EFFECTIVE):
            return [f"{name}: the sink's curve asks for {np.max(eps):.2f} of the heat that its air can carry; "
                    f"{MOST_EFFECTIVE:g} is used below {float(np.max(mass_flow[eps > MOST_EFFECTIVE])):.3g} kg/s"]
        return []
    Re = _reynolds(sink, mass_flow, air)
    return [f"{name}: {m}" for m in formulas.validity_warnings("nusselt_duct", Re=Re, Pr=air.prandtl)]

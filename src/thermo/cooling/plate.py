r"""Cold plates in a stream of liquid: resistance and pressure drop against flow. Shared by every design that pumps liquid.

A plate takes heat from its base into the coolant that passes it. With ``w`` the capacity rate of the coolant and ``UA`` that
of its fins, for a base at one temperature,

.. math:: q = w (1 - e^{-UA/w}) (T_{base} - T_{in}).

Three parts of what a data sheet calls resistance are kept apart: that of the base, with the spreading from the contact with
the device; that of the film, ``1/UA``; and what the coolant itself warms, which is ``1/w`` and no property of the plate.
Referred to the inlet they make `PlateResistance.to_inlet`.

Channels are rectangular ducts with both layers developing (`thermo.formulas.nusselt_duct`), heated from base and fins; the
lid takes no part. Fins run from base to lid, so that their tips are adiabatic. Properties of the coolant are those at one
temperature, which the caller chooses: half-way between in and out.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo import formulas
from thermo._kernels import formulas as f
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.hydraulics import PlateChannels, Resistance
from thermo.rack import ColdPlate, CurvePlate

__all__ = ["LiquidState", "PlateResistance", "curve_plate", "film_conductance", "plate_base", "plate_component", "plate_film",
           "plate_pressure_drop", "plate_resistance", "plate_uptake", "plate_warnings", "spreading_rectangular"]

Floats = NDArray[np.float64]
CLOSE = 0.05  # of each point, within which a curve has to meet a data sheet
LAMINAR = 2300.0  # Reynolds number up to which friction is laminar
LEAST_DROP = 1e-3  # Pa of a plate of which none is known, so that a network has a resistance there
SERIES_TERMS = 120  # of the spreading resistance, each way
REFERENCES = ("inlet", "mean")


@dataclass(frozen=True)
class LiquidState:
    """Properties of a coolant at one temperature."""

    density: float  # kg/m3
    heat_capacity: float  # J/(kg K)
    viscosity: float  # Pa s
    conductivity: float  # W/(m K)

    @classmethod
    def at(cls, fluid: Fluid, temperature: float) -> LiquidState:
        """The coolant at degC."""
        return cls(float(fluid.density(temperature)), float(fluid.heat_capacity(temperature)), float(fluid.viscosity(temperature)),
                   float(fluid.conductivity(temperature)))

    @property
    def prandtl(self) -> float:
        """Prandtl number [1]."""
        return self.viscosity * self.heat_capacity / self.conductivity


@dataclass(frozen=True)
class PlateResistance:
    """From a device's case to the coolant at some flows, the parts of a plate's resistance [K/W]."""

    base: Floats  # case to the roots of the fins, spreading included
    film: Floats  # fins to coolant
    caloric: Floats  # 1 / (m c_p): the whole rise of the coolant over the heat

    @property
    def to_inlet(self) -> Floats:
        """Case above the entering coolant, over the heat, for a base at one temperature [K/W]."""
        return np.asarray(self.base + self.caloric / -np.expm1(-self.caloric / self.film))

    @property
    def to_mean(self) -> Floats:
        """Case above the mean of entering and leaving coolant, over the heat [K/W]."""
        return self.to_inlet - 0.5 * self.caloric


@dataclass(frozen=True)
class _Channels:
    count: int  # side by side
    passages: int  # that each channel has in parallel along its length
    length: float  # of a passage
    aspect: float
    hydraulic_diameter: float
    free_area: float  # of all passages side by side
    area_ratio: float  # free over frontal


def _channels(plate: ColdPlate) -> _Channels:
    w, H, passages = plate.channel_width, plate.channel_height, 2 if plate.split_flow else 1
    return _Channels(plate.channel_count, passages, plate.length / passages, min(w, H) / max(w, H), 2 * w * H / (w + H),
                     plate.channel_count * passages * w * H, w / (w + plate.fin_thickness))


def _reynolds(plate: ColdPlate, m_dot: ArrayLike, liquid: LiquidState) -> Floats:
    c = _channels(plate)
    return np.maximum(np.asarray(m_dot, dtype=np.float64) * c.hydraulic_diameter / (c.free_area * liquid.viscosity), 1e-9)


def plate_film(plate: ColdPlate, m_dot: ArrayLike, liquid: LiquidState) -> tuple[Floats, Floats]:
    """``(UA, h)`` of the fins of a plate [W/K], [W/(m2 K)]: developing duct flow, fin efficiency, base between fins included.

    Parameters
    ----------
    plate : ColdPlate
        Geometry.
    m_dot : array_like
        Coolant through the plate [kg/s].
    liquid : LiquidState
        Its properties.
    """
    c = _channels(plate)
    Nu = f.nusselt_duct(_reynolds(plate, m_dot, liquid), liquid.prandtl, c.aspect, c.hydraulic_diameter, c.length)
    h = np.asarray(Nu * liquid.conductivity / c.hydraulic_diameter)
    eta_fin = f.fin_efficiency(f.fin_parameter(h, plate.conductivity, plate.fin_thickness) * plate.channel_height)
    wetted = 2 * eta_fin * plate.channel_height + plate.channel_width  # of a channel, as if all were as warm as the base
    return np.asarray(h * c.count * plate.length * wetted), h


def film_conductance(plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState) -> Floats:
    r"""Conductance between the roots of the fins and the coolant [W/K], the coolant's own warming not counted.

    A plate known by its curve was measured in one coolant at one temperature. In another its film follows what developing
    flow with the curve's exponent `n` does, :math:`h \sim k\, Re^n Pr^{\min(n, 1/3)}` at equal shape: nothing where it is
    developed (n = 0), Leveque's and a laminar layer's one third beyond.
    """
    if isinstance(plate, ColdPlate):
        return plate_film(plate, m_dot, liquid)[0]
    V = np.asarray(m_dot, dtype=np.float64) / liquid.density
    known = _measured_in(plate.fluid, plate.reference_temperature)
    Re = (liquid.density / liquid.viscosity) / (known.density / known.viscosity)  # ratio at equal volume flow
    better = liquid.conductivity / known.conductivity * Re**plate.exponent * (liquid.prandtl / known.prandtl) ** min(plate.exponent, 1 / 3)
    return np.asarray(better / plate.flow_resistance * (V / plate.reference_flow) ** plate.exponent)


@lru_cache(maxsize=256)
def _measured_in(fluid: str, temperature: float) -> LiquidState:
    return LiquidState.at(Fluid.from_library(fluid), temperature)


def plate_uptake(plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState) -> Floats:
    """Heat that the coolant takes up for each kelvin between the roots of the fins and what enters, ``w (1 - e^(-UA/w))`` [W/K]."""
    w = np.asarray(m_dot, dtype=np.float64) * liquid.heat_capacity
    return np.asarray(w * -np.expm1(-film_conductance(plate, m_dot, liquid) / w))


def plate_base(plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState, contact_area: float | None) -> Floats:
    """Resistance from the contact with the device to the roots of the fins [K/W]: slab and spreading.

    The contact is a square in the middle of the finned area, or as near to one as fits (`spreading_rectangular`); without a
    `contact_area` it covers it all. Of a plate known by its curve, the part that does not depend on flow.
    """
    m_dot = np.asarray(m_dot, dtype=np.float64)
    if isinstance(plate, CurvePlate):
        return np.full_like(m_dot, plate.constant_resistance)
    area = plate.width * plate.length
    slab = np.full_like(m_dot, plate.base_thickness / (plate.conductivity * area))
    if contact_area is None or contact_area >= area:
        return slab
    UA, _ = plate_film(plate, m_dot, liquid)
    b = min(contact_area / min(math.sqrt(contact_area), plate.width), plate.length)
    return slab + spreading_rectangular(contact_area / b, b, plate.width, plate.length, plate.base_thickness, plate.conductivity,
                                        UA / area)


def plate_resistance(plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState, contact_area: float | None = None
                     ) -> PlateResistance:
    """Resistance of a plate from the device's case to the coolant, in its three parts.

    Parameters
    ----------
    plate : ColdPlate or CurvePlate
        What is on the device.
    m_dot : array_like
        Coolant through the plate. [kg/s]
    liquid : LiquidState
        Properties of the coolant.
    contact_area : float, optional
        Through which the device heats the base. [m2]
    """
    m_dot = np.asarray(m_dot, dtype=np.float64)
    return PlateResistance(plate_base(plate, m_dot, liquid, contact_area), 1 / film_conductance(plate, m_dot, liquid),
                           1 / (m_dot * liquid.heat_capacity))


def plate_pressure_drop(plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState) -> Floats:
    """Pressure drop of the coolant across a plate [Pa]: ports where given, entrance, developing friction, exit.

    A plate known by its curve scales its laminar part with viscosity and its turbulent part with density.
    """
    m_dot = np.asarray(m_dot, dtype=np.float64)
    if isinstance(plate, CurvePlate):
        known = _measured_in(plate.fluid, plate.reference_temperature)
        x = m_dot / liquid.density / plate.reference_flow
        return np.asarray(plate.laminar_drop * liquid.viscosity / known.viscosity * x
                          + plate.turbulent_drop * liquid.density / known.density * x * np.abs(x))
    c = _channels(plate)
    Re = _reynolds(plate, m_dot, liquid)
    V = m_dot / (liquid.density * c.free_area)
    laminar = f.friction_apparent(c.length / (c.hydraulic_diameter * Re), f.friction_rectangular(c.aspect)) / Re
    turbulent = f.friction_churchill(np.maximum(Re, LAMINAR), 0.0) / 4  # Fanning
    friction = np.maximum(laminar, np.where(Re > LAMINAR, turbulent, 0.0))
    loss = f.contraction_loss(c.area_ratio) + 4 * friction * c.length / c.hydraulic_diameter + f.expansion_loss(c.area_ratio)
    drop = loss * liquid.density * V * V / 2
    if plate.port_diameter is not None:
        port = m_dot / (liquid.density * 0.25 * math.pi * plate.port_diameter**2)
        drop = drop + plate.port_loss * liquid.density * port * port / 2
    return np.asarray(drop)


def plate_component(plate: ColdPlate | CurvePlate, count: int) -> PlateChannels | Resistance:
    """`count` such plates side by side, for a flow network: the law of `plate_pressure_drop`, laminar throughout."""
    if isinstance(plate, CurvePlate):
        known = _measured_in(plate.fluid, plate.reference_temperature)
        V = plate.reference_flow * count
        return Resistance(linear=max(plate.laminar_drop, LEAST_DROP) / V, quadratic=plate.turbulent_drop / V**2,
                          reference_density=known.density, reference_viscosity=known.viscosity)
    port = 0.0
    if plate.port_diameter is not None:
        port = plate.port_loss * 1000.0 / 2 / (count * 0.25 * math.pi * plate.port_diameter**2) ** 2
    return PlateChannels(channel_width=plate.channel_width, channel_height=plate.channel_height, fin_thickness=plate.fin_thickness,
                         length=plate.length, channel_count=plate.channel_count * count, split=plate.split_flow, port_resistance=port)


def plate_warnings(name: str, plate: ColdPlate | CurvePlate, m_dot: ArrayLike, liquid: LiquidState) -> list[str]:
    """Where a plate's laws leave the range that their sources vouch for, over flows that will be met."""
    if isinstance(plate, CurvePlate):
        return []
    return [f"{name}: {m}" for m in formulas.validity_warnings("nusselt_duct", Re=_reynolds(plate, m_dot, liquid), Pr=liquid.prandtl)]


def spreading_rectangular(a: float, b: float, A: float, B: float, t: float, k: float, h: ArrayLike) -> Floats:
    r"""Spreading resistance of a rectangular source in the middle of a rectangular plate with a film on its far face.

    Parameters
    ----------
    a, b : float
        Sides of the source. [m]
    A, B : float
        Sides of the plate along `a` and `b`. [m]
    t : float
        Thickness of the plate. [m]
    k : float
        Conductivity of the plate. [W/(m K)]
    h : array_like
        Heat-transfer coefficient referred to the far face. [W/(m2 K)]

    Returns
    -------
    R : ndarray
        Mean temperature of the source minus that of a source over the whole plate, over the heat: the slab ``t/(k A B)`` and
        the film ``1/(h A B)`` come on top. [K/W]

    Raises
    ------
    ValueError
        If the source is larger than the plate.

    Notes
    -----
    Separation of variables, uniform flux over the source, sides adiabatic. With
    :math:`\delta_m = 2 m \pi / A`, :math:`\lambda_n = 2 n \pi / B`, :math:`\beta^2 = \delta^2 + \lambda^2` and
    :math:`S(x) = \sin(x)/x`,

    .. math::

        R = \frac{1}{k A B} \Big[ 2 \sum_m S^2(\tfrac{\delta a}{2}) \frac{\varphi(\delta)}{\delta}
          + 2 \sum_n S^2(\tfrac{\lambda b}{2}) \frac{\varphi(\lambda)}{\lambda}
          + 4 \sum_{m,n} S^2(\tfrac{\delta a}{2}) S^2(\tfrac{\lambda b}{2}) \frac{\varphi(\beta)}{\beta} \Big],
        \qquad \varphi(\zeta) = \frac{\zeta + (h/k) \tanh \zeta t}{\zeta \tanh \zeta t + h/k}

    The sums are cut at 120 terms each way.

    References
    ----------
    .. [1] M. M. Yovanovich, Y. S. Muzychka and J. R. Culham, Spreading resistance of isoflux rectangles and strips on compound
       flux channels, J. Thermophysics and Heat Transfer 13(4), 1999, 495-500, doi:10.2514/2.6467.

    Examples
    --------
    >>> float(spreading_rectangular(0.04, 0.05, 0.04, 0.05, 0.003, 390.0, 1e4))
    0.0
    """
    if not (0 < a <= A * (1 + 1e-12) and 0 < b <= B * (1 + 1e-12)):
        raise ValueError(f"a source of {a:g} m x {b:g} m does not fit on a plate of {A:g} m x {B:g} m")
    film = np.asarray(h, dtype=np.float64)[..., None, None] / k
    n = np.arange(SERIES_TERMS + 1)
    delta, lam = 2 * np.pi * n[:, None] / A, 2 * np.pi * n[None, :] / B
    zeta = np.sqrt(delta**2 + lam**2)
    zeta[0, 0] = 1.0
    tanh = np.tanh(zeta * t)
    weight = np.where(n[:, None] > 0, 2.0, 1.0) * np.where(n[None, :] > 0, 2.0, 1.0)
    weight = weight * np.sinc(delta * a / 2 / np.pi) ** 2 * np.sinc(lam * b / 2 / np.pi) ** 2
    weight[0, 0] = 0.0
    weight[np.abs(weight) < 1e-28] = 0.0
    phi = (zeta + film * tanh) / (zeta * tanh + film)
    return np.asarray((weight * phi / zeta).sum(axis=(-2, -1)) / (k * A * B))


def curve_plate(flow: Sequence[float], resistance: Sequence[float], pressure_drop: Sequence[float] | None = None, *,
                fluid: str = "water", temperature: float = 25.0, referred_to: Literal["inlet", "mean"] = "inlet",
                capacity: float, volume: float = 2e-5) -> CurvePlate:
    r"""The plate through a vendor's points.

    Parameters
    ----------
    flow : sequence of float
        Coolant through the plate, three points or more. [m3/s]
    resistance : sequence of float
        Device's case to the coolant at those flows, falling with flow. [K/W]
    pressure_drop : sequence of float, optional
        At those flows; without it the plate takes none. [Pa]
    fluid : str
        Coolant of the library in which it was measured.
    temperature : float
        Of the coolant then. [degC]
    referred_to : {"inlet", "mean"}
        Coolant temperature that the resistance counts from: that of the inlet, or the mean of inlet and outlet.
    capacity : float
        Heat capacity of the plate. [J/K]
    volume : float
        Of the coolant in it. [m3]

    Raises
    ------
    ScenarioError
        If there are fewer than three points, a point asks for more heat than its coolant can carry, or a curve misses a
        point by more than 5 %.

    Notes
    -----
    What a sheet gives holds the coolant's own warming, which changes with the coolant. The fit is of the part that is the
    plate's, :math:`R_{in} = R_0 + 1/[w (1 - e^{-1/(w R_1 V^{-n})})]`, and a run puts in the warming of its own coolant.
    """
    from scipy.optimize import least_squares, nnls

    V, R = np.asarray(flow, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
    if V.ndim != 1 or V.shape != R.shape or V.size < 3 or not (np.all(V > 0) and np.all(R > 0)):
        raise ScenarioError("CurvePlate: give three points or more, flow [m3/s] and resistance [K/W] above 0, as many of one as of "
                            "the other")
    if referred_to not in REFERENCES:
        raise ScenarioError(f"CurvePlate: referred_to is {referred_to!r}, expected 'inlet' or 'mean'")
    liquid = LiquidState.at(Fluid.from_library(fluid), temperature)
    caloric = 1 / (V * liquid.density * liquid.heat_capacity)
    to_inlet = R + 0.5 * caloric if referred_to == "mean" else R
    if np.any(to_inlet <= caloric):
        i = int(np.argmax(caloric / to_inlet))
        raise ScenarioError(f"CurvePlate: {R[i]:g} K/W at {V[i]:g} m3/s is less than the {caloric[i]:.3g} K/W by which the coolant itself "
                            "warms; is it referred to the mean coolant (referred_to='mean'), or is the flow in another unit?")
    reference = float(np.sqrt(V.min() * V.max()))

    def missed_by(x: Floats) -> Floats:
        film = np.exp(x[1]) * (V / reference) ** -x[2]
        return np.asarray((x[0] + caloric / -np.expm1(-caloric / film) - to_inlet) / R)

    scale = float(np.median(to_inlet))
    starts = [(share * scale, math.log((1 - share) * scale), n) for share in (0.0, 0.3, 0.7) for n in (0.2, 0.5, 0.9)]
    answers = [least_squares(missed_by, start, bounds=([0.0, -np.inf, 0.0], [np.inf, np.inf, 1.0]), x_scale=(scale, 1.0, 1.0), xtol=1e-14,
                             ftol=1e-14, gtol=1e-14) for start in starts]
    best = min(answers, key=lambda answer: float(np.max(np.abs(answer.fun))))
    if (missed := float(np.max(np.abs(best.fun)))) > CLOSE:
        raise ScenarioError(f"CurvePlate: no curve R0 + R1 V^-n meets these resistances within 5 % (the best misses by {missed:.1%}); does "
                            "resistance fall with flow?")
    constant, falling, exponent = float(best.x[0]), float(np.exp(best.x[1])), float(best.x[2])
    laminar = turbulent = 0.0
    if pressure_drop is not None:
        p = np.asarray(pressure_drop, dtype=np.float64)
        if p.shape != V.shape or not np.all(p > 0):
            raise ScenarioError("CurvePlate: give a pressure_drop [Pa] above 0 for each flow")
        columns = np.column_stack([V / reference, (V / reference) ** 2]) / p[:, None]
        found, _ = nnls(columns, np.ones_like(V))
        if (missed := float(np.max(np.abs(columns @ found - 1)))) > CLOSE:
            raise ScenarioError(f"CurvePlate: no curve a V + b V^2 meets these pressure drops within 5 % (the best misses by {missed:.1%})")
        laminar, turbulent = float(found[0]), float(found[1])
    return CurvePlate(fluid=fluid, reference_temperature=temperature, constant_resistance=constant, flow_resistance=falling,
                      reference_flow=reference, exponent=exponent, laminar_drop=laminar, turbulent_drop=turbulent, capacity=capacity,
                      volume=volume)

r"""Fins and slots in a tank of liquid: flow that a pump, buoyancy and friction settle among them, heat by both.

A tank's liquid rises between servers. In a *slot* of some height it warms evenly, thins, and drives itself: what it lacks in weight
against the cold liquid beside it is a head,

.. math:: \Delta p_{pump} + g \int (\rho_{in} - \rho(T(z)))\, dz = \Delta p_{friction}(\dot m, \mu(T(z))),

whose left side falls and whose right side rises with flow: one flow, found by bisection. Viscosity is that of each height; between
cold start and full heat it changes tenfold and more, and flow with it.

A *sink* with upright fins in that flow takes heat by forced and by natural convection at once,

.. math:: Nu^3 = Nu_F^3 \pm Nu_N^3,

plus where buoyancy aids, minus where the flow comes from above. Forced is the developing duct between fins (`thermo.formulas.nusselt_duct`)
with Sieder and Tate's factor for the thin liquid at the wall; natural is a plate as high as the fins (Churchill and Chu). Both are
boundary layers on the same fin, which is what the sum wants: gaps must be wider than the layers, as they are in sinks for oil. Sinks for
air, with gaps of 1.5 to 2 mm, choke there; `optimum_gap` says how wide is best.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo import formulas
from thermo._kernels import formulas as f
from thermo.cooling.heat_sink import _channel
from thermo.cooling.plate import LAMINAR
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import Described, NotNegative, PlateFinSink, Positive

__all__ = ["ImmersedSink", "Slot", "SlotFlow", "buoyancy_head", "fins_conductance", "immersed_sink", "immersed_warnings", "mixed", "natural_gap", "natural_plate", "optimum_gap",
           "sink_conductance", "slot_flow", "slot_pressure_drop"]

Floats = NDArray[np.float64]
GRAVITY = 9.80665  # m/s2
SIEDER_TATE = 0.14  # exponent of viscosity in the liquid over that at the wall
OPPOSED = 0.5  # of the larger of the two that is left where they cancel: flow then turns over; an assumption, reached within 5 % of equality
QUADRATURE = 8  # points along a slot
BISECTIONS = 80  # of the logarithm of flow
LEAST_FLOW, MOST_FLOW = 1e-9, 1e3  # kg/s through a slot
ITERATIONS, CLOSE = 300, 1e-12


class Slot(Described):
    """The space that a server leaves to rising liquid: a flat vertical channel between two walls. Lengths in m."""

    height: Positive  # heated
    width: Positive
    gap: Positive  # between the walls
    riser: NotNegative = 0.0  # height above the heated part, full of warm liquid, without friction
    loss: NotNegative = 1.5  # of entrance, exit and what stands in the way, in dynamic pressures

    @property
    def free_area(self) -> float:
        """Across the flow [m2]."""
        return self.width * self.gap


def mixed(forced: ArrayLike, natural: ArrayLike, opposing: ArrayLike = False) -> Floats:
    r"""Nusselt number, or coefficient, of forced and natural convection together: :math:`(F^3 \pm N^3)^{1/3}`.

    Parameters
    ----------
    forced, natural : array_like, shape (...)
        Of each alone, on the same length.
    opposing : array_like of bool, shape (...)
        Whether the flow runs against buoyancy. The difference of two equals would be 0, where half of one is left instead.

    References
    ----------
    .. [1] S. W. Churchill, A comprehensive correlating equation for laminar, assisting, forced and free convection, AIChE J. 23, 1977,
       10-16, doi:10.1002/aic.690230103.

    Examples
    --------
    >>> round(float(mixed(3.0, 4.0)), 4), round(float(mixed(5.0, 4.0, True)), 4)
    (4.4979, 3.9365)
    """
    F, N = np.asarray(forced, dtype=np.float64), np.asarray(natural, dtype=np.float64)
    return np.where(opposing, np.maximum(np.abs(F**3 - N**3) ** (1 / 3), OPPOSED * np.maximum(F, N)), (F**3 + N**3) ** (1 / 3))


def natural_plate(fluid: Fluid, wall: ArrayLike, bulk: ArrayLike, height: float) -> Floats:
    """Coefficient of natural convection of a vertical plate [W/(m2 K)], by Churchill and Chu.

    Parameters
    ----------
    fluid : Fluid
        The liquid; its properties are those half-way between wall and bulk.
    wall, bulk : array_like, shape (...)
        Temperatures; which is the warmer does not matter. [degC]
    height : float
        Of the plate. [m]
    """
    T_w, T_b = np.asarray(wall, dtype=np.float64), np.asarray(bulk, dtype=np.float64)
    film = 0.5 * (T_w + T_b)
    k, Pr = fluid.conductivity(film), fluid.prandtl(film)
    Ra = GRAVITY * np.abs(fluid.expansion(film) * (T_w - T_b)) * height**3 * (fluid.density(film) / fluid.viscosity(film)) ** 2 * Pr
    return np.asarray(f.nusselt_churchill_chu(Ra, Pr) * k / height)


def natural_gap(Ra: ArrayLike) -> Floats:
    r"""Nusselt number of a chimney between two isothermal vertical plates, on the gap and the entering liquid, by Bar-Cohen and Rohsenow.

    Parameters
    ----------
    Ra : array_like
        Rayleigh number on the gap times gap over height, ``g beta dT s^4 / (nu alpha L)``. [1]

    Notes
    -----
    .. math:: Nu = \left[ \frac{576}{Ra^2} + \frac{2.873}{\sqrt{Ra}} \right]^{-1/2}

    Without any pump. A narrow gap gives ``Ra / 24``, the heat that its own little flow can carry; a wide one a single plate's.

    References
    ----------
    .. [1] A. Bar-Cohen and W. M. Rohsenow, Thermally optimum spacing of vertical, natural convection cooled, parallel plates, J. Heat
       Transfer 106, 1984, 116-123, doi:10.1115/1.3246622.

    Examples
    --------
    >>> round(float(natural_gap(54.3)), 2)
    1.31
    """
    Ra = np.asarray(Ra, dtype=np.float64)
    return np.asarray((576 / Ra**2 + 2.873 / np.sqrt(Ra)) ** -0.5)


def optimum_gap(viscosity: ArrayLike, diffusivity: ArrayLike, length: float, pressure_drop: ArrayLike) -> Floats:
    r"""Gap between parallel plates that carries most heat out of a given volume at a given pressure drop [m], laminar.

    Parameters
    ----------
    viscosity : array_like
        Dynamic. [Pa s]
    diffusivity : array_like
        ``k / (rho c_p)``. [m2/s]
    length : float
        Of the plates along the flow. [m]
    pressure_drop : array_like
        Across them. [Pa]

    Notes
    -----
    .. math:: s / L = 2.7\, Be^{-1/4}, \qquad Be = \Delta p\, L^2 / (\mu \alpha)

    Narrower, the flow chokes; wider, its middle stays cold. Good to 20 %: the optimum is flat.

    References
    ----------
    .. [1] A. Bejan and E. Sciubba, The optimal spacing of parallel plates cooled by forced convection, Int. J. Heat Mass Transfer 35,
       1992, 3259-3264, doi:10.1016/0017-9310(92)90213-C.
    """
    Be = np.asarray(pressure_drop, dtype=np.float64) * length**2 / (np.asarray(viscosity) * np.asarray(diffusivity))
    return np.asarray(2.7 * length * Be**-0.25)


# ------------------------------------------------------------------------------------------------------------------- sinks

def sink_conductance(sink: PlateFinSink, fluid: Fluid, m_dot: ArrayLike, bulk: ArrayLike, wall: ArrayLike, opposing: ArrayLike = False
                     ) -> tuple[Floats, Floats, Floats, Floats]:
    """Conductance of upright fins to the liquid, and what it is made of; explicit in both temperatures, for a time stepper.

    Parameters
    ----------
    sink : PlateFinSink
        Geometry; `length` stands upright.
    fluid : Fluid
        The liquid.
    m_dot : array_like, shape (...)
        Of the liquid between the fins, above 0. [kg/s]
    bulk : array_like, shape (...)
        Mean temperature of the liquid between them. [degC]
    wall : array_like, shape (...)
        Temperature of the roots of the fins. [degC]
    opposing : array_like of bool, shape (...)
        Whether the liquid comes from above a warm sink.

    Returns
    -------
    UA : ndarray, shape (...)
        Fins' efficiency and base between fins counted. [W/K]
    h, forced, natural : ndarray, shape (...)
        Coefficient, and those of each kind alone. [W/(m2 K)]
    """
    c = _channel(sink)
    m, T_b, T_w = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (m_dot, bulk, wall)))
    if np.any(~(m > 0)):
        raise ScenarioError(f"m_dot is {float(m[~(m > 0)].flat[0]):g} kg/s, expected above 0 kg/s; without a pump slot_flow tells the flow")
    mu = fluid.viscosity(T_b)
    Re = m * c.hydraulic_diameter / (c.free_area * mu)
    thinner = (mu / fluid.viscosity(T_w)) ** SIEDER_TATE
    forced = thinner * f.nusselt_duct(Re, fluid.prandtl(T_b), c.aspect, c.hydraulic_diameter, sink.length) * fluid.conductivity(T_b) / c.hydraulic_diameter
    natural = natural_plate(fluid, T_w, T_b, sink.length)
    h = mixed(forced, natural, opposing)
    return fins_conductance(sink, h), h, np.asarray(forced), natural


def fins_conductance(sink: PlateFinSink, h: ArrayLike) -> Floats:
    """Conductance of a sink whose wetted surface has the coefficient `h` [W/(m2 K)]: fins by their efficiency, and the base between [W/K]."""
    eta_fin = f.fin_efficiency(f.fin_parameter(h, sink.conductivity, sink.fin_thickness) * sink.fin_height)
    fins = 2 * sink.fin_count * sink.fin_height * sink.length
    base = (sink.fin_count - 1) * _channel(sink).gap * sink.length
    return np.asarray(f.surface_efficiency(eta_fin, fins / (fins + base)) * np.asarray(h) * (fins + base))


def immersed_warnings(name: str, sink: PlateFinSink, fluid: Fluid, m_dot: ArrayLike, bulk: ArrayLike) -> list[str]:
    """Where a sink's laws leave the range that their sources vouch for, over flows and temperatures that will be met.

    Gaps narrower than two boundary layers of natural convection are told too: there the sum of forced and natural says too much.
    """
    c = _channel(sink)
    m, T = np.broadcast_arrays(np.asarray(m_dot, dtype=np.float64), np.asarray(bulk, dtype=np.float64))
    Re = np.maximum(m * c.hydraulic_diameter / (c.free_area * fluid.viscosity(T)), 1e-9)
    found = formulas.validity_warnings("nusselt_duct", Re=Re, Pr=fluid.prandtl(T))
    cool = np.minimum(T, fluid.highest_temperature - 10.0)  # where the wall would be hotter than the liquid is known, as if cooler
    layer = float(np.max(fluid.conductivity(cool) / natural_plate(fluid, cool + 10.0, cool, sink.length)))  # k / h, at 10 K
    if c.gap < 2 * layer:
        found.append(f"gaps of {c.gap:.3g} m are narrower than two layers of natural convection, {2 * layer:.3g} m at 10 K")
    return [f"{name}: {m}" for m in found]


@dataclass(frozen=True)
class ImmersedSink:
    """A sink in a tank, at some heats and flows."""

    wall: Floats  # roots of the fins, degC
    outlet: Floats  # of the liquid between the fins, degC
    conductance: Floats  # W/K
    coefficient: Floats  # W/(m2 K)
    forced: Floats
    natural: Floats
    resistance: Floats  # roots of the fins above the entering liquid, over the heat, K/W


def immersed_sink(sink: PlateFinSink, fluid: Fluid, heat: ArrayLike, m_dot: ArrayLike, inlet: ArrayLike, opposing: ArrayLike = False
                  ) -> ImmersedSink:
    """A sink in steady state.

    Parameters
    ----------
    sink, fluid, m_dot, opposing
        As of `sink_conductance`.
    heat : array_like, shape (...)
        Through the sink, above 0. [W]
    inlet : array_like, shape (...)
        Temperature of the liquid that enters. [degC]

    Raises
    ------
    ScenarioError
        If the sink or the liquid would be hotter than the liquid's properties are known, or no temperature settles.

    Notes
    -----
    ``q = w (1 - e^(-UA/w)) (T_wall - T_in)``, with `UA` at the mean of entering and leaving liquid; iterated with the wall's temperature.
    """
    q, m, T_in, against = np.broadcast_arrays(np.asarray(heat, dtype=np.float64), np.asarray(m_dot, dtype=np.float64),
                                              np.asarray(inlet, dtype=np.float64), np.asarray(opposing, dtype=bool))
    if np.any(~(q > 0)):
        raise ScenarioError(f"heat is {float(q[~(q > 0)].flat[0]):g} W, expected above 0 W")
    if np.any(~(m > 0)):
        raise ScenarioError(f"m_dot is {float(m[~(m > 0)].flat[0]):g} kg/s, expected above 0 kg/s; without a pump slot_flow tells the flow")
    high = fluid.highest_temperature
    out = T_in + 5.0
    wall = T_in + 10.0
    for _ in range(ITERATIONS):
        bulk = np.minimum(0.5 * (T_in + out), high)
        w = m * fluid.heat_capacity(bulk)
        UA, h, forced, natural = sink_conductance(sink, fluid, m, bulk, np.minimum(wall, high), against)
        before = wall
        out = T_in + q / w
        wall = T_in + np.sqrt((wall - T_in) * q / (w * -np.expm1(-UA / w)))  # the mean of old and new in logarithms: viscosity overshoots
        if np.all(np.abs(wall - before) <= CLOSE * (1 + np.abs(wall - T_in))):
            break
    else:
        raise ScenarioError("immersed_sink: the wall's temperature does not settle")
    if np.any(wall > high):
        raise ScenarioError(f"immersed_sink: the fins would be at {float(np.max(wall)):.4g} degC, {fluid.name} is known up to {high:g} degC; "
                            "give more flow, a larger sink or less heat")
    return ImmersedSink(wall, out, UA, h, forced, natural, np.asarray((wall - T_in) / q))


# ------------------------------------------------------------------------------------------------------------------- slots

def _along(inlet: Floats, outlet: Floats) -> tuple[Floats, Floats]:
    """Temperatures at points of a slot that warms evenly, on the last axis, and the points' weights."""
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE)
    return inlet[..., None] + 0.5 * (nodes + 1) * (outlet - inlet)[..., None], 0.5 * weights


def buoyancy_head(slot: Slot, fluid: Fluid, inlet: ArrayLike, outlet: ArrayLike) -> Floats:
    """What the liquid in a slot and its riser weighs less than as much of it that enters [Pa]; below 0 where it cools.

    Parameters
    ----------
    slot : Slot
        The slot.
    fluid : Fluid
        The liquid, warming evenly over the height.
    inlet, outlet : array_like, shape (...)
        Temperatures at the foot and at the top. [degC]
    """
    T_in, T_out = np.broadcast_arrays(np.asarray(inlet, dtype=np.float64), np.asarray(outlet, dtype=np.float64))
    T, weight = _along(T_in, T_out)
    lighter = fluid.density(T_in) - (fluid.density(T) * weight).sum(axis=-1)
    return np.asarray(GRAVITY * (lighter * slot.height + (fluid.density(T_in) - fluid.density(T_out)) * slot.riser))


def slot_pressure_drop(slot: Slot, fluid: Fluid, m_dot: ArrayLike, inlet: ArrayLike, outlet: ArrayLike) -> Floats:
    """Friction and losses of a slot [Pa], laminar or turbulent, with the viscosity of each height.

    Parameters
    ----------
    slot, fluid, inlet, outlet
        As of `buoyancy_head`.
    m_dot : array_like, shape (...)
        Through it, above 0. [kg/s]
    """
    m, T_in, T_out = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (m_dot, inlet, outlet)))
    T, weight = _along(T_in, T_out)
    D = 2 * slot.width * slot.gap / (slot.width + slot.gap)
    f_Re = float(f.friction_rectangular(min(slot.gap, slot.width) / max(slot.gap, slot.width)))
    G = m[..., None] / slot.free_area
    Re = G * D / fluid.viscosity(T)
    laminar = f.friction_apparent(slot.height / (D * Re), f_Re) / Re
    fanning = np.maximum(laminar, np.where(Re > LAMINAR, f.friction_churchill(np.maximum(Re, LAMINAR), 0.0) / 4, 0.0))
    friction = 4 * fanning * slot.height / D
    return np.asarray(((friction + slot.loss) * G * G / (2 * fluid.density(T)) * weight).sum(axis=-1))


@dataclass(frozen=True)
class SlotFlow:
    """Flow that settles in a slot."""

    m_dot: Floats  # kg/s
    outlet: Floats  # degC
    buoyancy: Floats  # Pa
    friction: Floats  # Pa


def slot_flow(slot: Slot, fluid: Fluid, heat: ArrayLike, inlet: ArrayLike, head: ArrayLike = 0.0) -> SlotFlow:
    """Flow through slots between one plenum below and one surface above, where buoyancy and the pump's head meet friction.

    Parameters
    ----------
    slot : Slot
        Geometry of each.
    fluid : Fluid
        The liquid.
    heat : array_like, shape (...)
        Into the liquid of each slot, not below 0. [W]
    inlet : array_like, shape (...)
        Temperature of the plenum. [degC]
    head : array_like, shape (...)
        Pressure of the plenum over that of the still liquid above at the same weight: the pump's, 0 for natural circulation. [Pa]

    Raises
    ------
    ScenarioError
        If no rising flow settles: no heat and no head, a head against it, or a slot so tight that the liquid would leave its range.
    """
    q, T_in, dp = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (heat, inlet, head)))
    if np.any(~(q >= 0)):
        raise ScenarioError(f"heat is {float(q[~(q >= 0)].flat[0]):g} W, expected 0 or above")
    c_p = fluid.heat_capacity(np.minimum(T_in, fluid.highest_temperature))
    hottest = fluid.highest_temperature

    def outlet(m: Floats) -> Floats:
        once = np.minimum(T_in + q / (m * c_p), hottest)
        return np.minimum(T_in + q / (m * fluid.heat_capacity(0.5 * (T_in + once))), hottest)

    def surplus(m: Floats) -> Floats:
        T_out = outlet(m)
        return np.asarray(dp + buoyancy_head(slot, fluid, T_in, T_out) - slot_pressure_drop(slot, fluid, m, T_in, T_out))

    low, high = np.full(q.shape, np.log(LEAST_FLOW)), np.full(q.shape, np.log(MOST_FLOW))
    wrong = ~(surplus(np.exp(low)) > 0)
    if np.any(wrong):
        raise ScenarioError(f"slot_flow: nothing rises at a heat of {float(q[wrong].flat[0]):g} W and a head of {float(dp[wrong].flat[0]):g} Pa; "
                            "give heat, or a head above 0 Pa")
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        more = surplus(np.exp(middle)) > 0
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    m = np.exp(0.5 * (low + high))
    T_out = outlet(m)
    if np.any(T_out >= hottest):
        raise ScenarioError(f"slot_flow: the liquid would leave at {hottest:g} degC or above, up to where {fluid.name} is known; give a head, a "
                            f"wider gap than {slot.gap:g} m, or less heat")
    return SlotFlow(m, T_out, buoyancy_head(slot, fluid, T_in, T_out), slot_pressure_drop(slot, fluid, m, T_in, T_out))

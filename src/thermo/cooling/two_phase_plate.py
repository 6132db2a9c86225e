r"""Cold plates in which a refrigerant boils: resistance, exit quality and pressure drop. Formulas only, no design uses them yet.

Saturated liquid enters channels between fins and leaves as a mixture of quality ``x``. What the walls give it,

.. math:: h = (h_{nb}^3 + h_{c}^3)^{1/3},

is the asymptotic sum of nucleate boiling (Cooper, which wants the heat flux at the wall) and of convection of the whole flow as
liquid (`thermo.formulas.nusselt_duct`: developing laminar, Gnielinski beyond). Convection is not raised by the vapour, whose
enhancement factors come from turbulent films in tubes: in channels of a fraction of a millimetre, at Reynolds numbers of some
hundred, nucleate boiling governs and the sum is on the safe side. The refrigerant stays at its saturation temperature; what the
pressure drop takes off it is not followed along the channel.

All of this holds while walls are wet. `TwoPhase.margin` is what is left to the quality at which films begin to tear, 0.65: figures
of 0.6 to 0.7 are usual. Incipience, maldistribution between parallel channels and instability are not told by these formulas.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo._kernels import formulas as f
from thermo.cooling.plate import LAMINAR, _channels, spreading_rectangular
from thermo.errors import ScenarioError
from thermo.rack import ColdPlate
from thermo.refrigerants import Saturation

__all__ = ["DRY_OUT", "TwoPhase", "boiling_coefficient", "exit_quality", "friction_gradient_homogeneous", "friction_gradient_separated",
           "least_flow", "two_phase_plate", "two_phase_pressure_drop", "void_fraction_zivi"]

Floats = NDArray[np.float64]
DRY_OUT = 0.65  # quality at which walls begin to dry; 0.6 to 0.7 is usual
ASYMPTOTIC = 3.0  # exponent of the sum of boiling and convection (Steiner and Taborek)
ROUGHNESS = 1e-6  # m, of the walls, where unknown
QUADRATURE = 24  # points along the channel
ITERATIONS, CLOSE = 200, 1e-12  # of the wall's heat flux


@dataclass(frozen=True)
class TwoPhase:
    """A plate with boiling refrigerant at some heats and flows."""

    quality: Floats  # at the exit; above 1 the vapour is superheated and nothing here holds
    coefficient: Floats  # of the walls, W/(m2 K)
    wall_flux: Floats  # W/m2
    base: Floats  # K/W, contact to the roots of the fins, spreading included
    film: Floats  # K/W, fins to saturation
    pressure_drop: Floats  # Pa

    @property
    def resistance(self) -> Floats:
        """Contact with the device above saturation, over the heat [K/W]."""
        return np.asarray(self.base + self.film)

    @property
    def margin(self) -> Floats:
        """Quality left to dry-out [1]; below 0 a part of the walls is dry."""
        return np.asarray(DRY_OUT - self.quality)


def exit_quality(heat: ArrayLike, m_dot: ArrayLike, state: Saturation, subcooling: float = 0.0) -> Floats:
    r"""Quality of what leaves, ``(q / m - c_p dT) / h_fg`` [1]: below 0 it is still subcooled, above 1 all vapour.

    Parameters
    ----------
    heat : array_like
        Into the refrigerant. [W]
    m_dot : array_like
        Its flow. [kg/s]
    state : Saturation
        Its properties.
    subcooling : float
        Of what enters. [K]
    """
    return np.asarray((np.asarray(heat) / np.asarray(m_dot) - state.heat_capacity * subcooling) / state.latent_heat, dtype=np.float64)


def least_flow(heat: ArrayLike, state: Saturation, quality: float = DRY_OUT, subcooling: float = 0.0) -> Floats:
    """Flow of liquid [m3/s] that leaves with that quality; `exit_quality` the other way round."""
    return np.asarray(np.asarray(heat) / (quality * state.latent_heat + state.heat_capacity * subcooling) / state.liquid_density)


def boiling_coefficient(wall_flux: ArrayLike, convection: ArrayLike, state: Saturation, roughness: float = ROUGHNESS,
                        surface: float = 1.0) -> Floats:
    """Heat-transfer coefficient of a wetted wall in flow [W/(m2 K)], the asymptotic sum of boiling and convection.

    Parameters
    ----------
    wall_flux : array_like
        At the wall, not at the foot of the fins. [W/m2]
    convection : array_like
        Coefficient of the whole flow as liquid. [W/(m2 K)]
    state : Saturation
        Of the refrigerant.
    roughness : float
        Of the wall. [m]
    surface : float
        Multiplier on Cooper's law: 1.3 to 1.6 is measured on plain copper, 2.5 to 4 estimated for microporous coatings. [1]
    """
    boiling = surface * f.htc_cooper(np.asarray(wall_flux, dtype=np.float64), state.reduced_pressure, state.molar_mass, roughness)
    return np.asarray((boiling**ASYMPTOTIC + np.asarray(convection, dtype=np.float64) ** ASYMPTOTIC) ** (1 / ASYMPTOTIC))


def void_fraction_zivi(x: ArrayLike, state: Saturation) -> Floats:
    r"""Share of the cross-section that vapour takes [1], ``1 / (1 + (1 - x)/x (rho_v / rho_l)^(2/3))``: least entropy production."""
    x = np.asarray(x, dtype=np.float64)
    slow = (1 - x) * (state.vapour_density / state.liquid_density) ** (2 / 3)
    return np.asarray(x / np.maximum(x + slow, 1e-300))


def _friction(G: Floats, density: Floats | float, viscosity: Floats | float, D_h: float, f_Re: float) -> Floats:
    """Pressure gradient of one phase alone, developed [Pa/m]; nothing where it does not flow."""
    Re = np.maximum(G * D_h / viscosity, 1e-9)
    fanning = np.maximum(f_Re / Re, np.where(Re > LAMINAR, f.friction_churchill(np.maximum(Re, LAMINAR), 0.0) / 4, 0.0))
    return np.asarray(2 * fanning * G * G / (density * D_h))


def friction_gradient_separated(G: ArrayLike, x: ArrayLike, state: Saturation, D_h: float, f_Re: float) -> Floats:
    r"""Frictional pressure gradient by Lockhart and Martinelli [Pa/m], with Mishima and Hibiki's constant for narrow channels.

    Parameters
    ----------
    G : array_like
        Mass flux. [kg/(m2 s)]
    x : array_like
        Quality. [1]
    state : Saturation
        Of the refrigerant.
    D_h : float
        Hydraulic diameter. [m]
    f_Re : float
        Fanning friction factor times Reynolds number of developed laminar flow in this duct. [1]

    Notes
    -----
    With `L` and `V` for each phase flowing alone in the duct, :math:`\phi_L^2 = 1 + C/X + 1/X^2` and
    :math:`X^2 = \Delta p_L / \Delta p_V` are

    .. math:: \Delta p = \Delta p_L + C \sqrt{\Delta p_L \Delta p_V} + \Delta p_V, \qquad C = 21 (1 - e^{-319 D_h}),

    which holds at both ends too, with :math:`D_h` in m; 21 is Chisholm's constant for two turbulent phases.

    References
    ----------
    .. [1] K. Mishima and T. Hibiki, Some characteristics of air-water two-phase flow in small diameter vertical tubes, Int. J.
       Multiphase Flow 22(4), 1996, 703-712.
    """
    G, x = np.asarray(G, dtype=np.float64), np.asarray(x, dtype=np.float64)
    liquid = _friction(G * (1 - x), state.liquid_density, state.liquid_viscosity, D_h, f_Re)
    vapour = _friction(G * x, state.vapour_density, state.vapour_viscosity, D_h, f_Re)
    return np.asarray(liquid + 21 * -np.expm1(-319 * D_h) * np.sqrt(liquid * vapour) + vapour)


def friction_gradient_homogeneous(G: ArrayLike, x: ArrayLike, state: Saturation, D_h: float, f_Re: float) -> Floats:
    """Frictional pressure gradient of a mixture without slip [Pa/m]; viscosity by McAdams, parameters as for the separated one."""
    G, x = np.asarray(G, dtype=np.float64), np.asarray(x, dtype=np.float64)
    volume = x / state.vapour_density + (1 - x) / state.liquid_density
    fluidity = x / state.vapour_viscosity + (1 - x) / state.liquid_viscosity
    return _friction(G * np.ones_like(x), 1 / volume, 1 / fluidity, D_h, f_Re)


def two_phase_pressure_drop(plate: ColdPlate, m_dot: ArrayLike, quality: ArrayLike, state: Saturation,
                            model: Literal["separated", "homogeneous"] = "separated") -> Floats:
    """Pressure drop from saturated liquid to `quality`, that rises evenly along the channels [Pa]: friction and acceleration.

    Parameters
    ----------
    plate : ColdPlate
        Its geometry. Ports, entrance and exit are not counted.
    m_dot : array_like
        Refrigerant through the plate. [kg/s]
    quality : array_like
        At the exit, from 0 to 1. [1]
    state : Saturation
        Its properties, taken as those at one pressure.
    model : {"separated", "homogeneous"}
        Lockhart and Martinelli with Zivi's void fraction, or a mixture without slip.
    """
    if model not in ("separated", "homogeneous"):
        raise ScenarioError(f"model is {model!r}, expected 'separated' or 'homogeneous'")
    c = _channels(plate)
    m_dot, x_out = np.broadcast_arrays(np.asarray(m_dot, dtype=np.float64), np.asarray(quality, dtype=np.float64))
    if np.any(~((x_out >= 0) & (x_out <= 1))):
        raise ScenarioError(f"quality is {float(x_out[~((x_out >= 0) & (x_out <= 1))].flat[0]):g}, expected 0 to 1")
    G, f_Re = m_dot / c.free_area, float(f.friction_rectangular(c.aspect))
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE)
    along = 0.5 * (nodes + 1)  # crowded at the entrance too, where the quality's root starts
    gradient = friction_gradient_separated if model == "separated" else friction_gradient_homogeneous
    friction = c.length * np.sum(0.5 * weights * gradient(G[..., None], x_out[..., None] * along, state, c.hydraulic_diameter, f_Re), axis=-1)
    rho_l, rho_v = state.liquid_density, state.vapour_density
    if model == "homogeneous":
        momentum = x_out / rho_v + (1 - x_out) / rho_l
    else:
        void = void_fraction_zivi(x_out, state)
        momentum = x_out**2 / np.maximum(rho_v * void, 1e-300) + (1 - x_out) ** 2 / np.maximum(rho_l * (1 - void), 1e-300)
    return np.asarray(friction + G * G * (momentum - 1 / rho_l))


def two_phase_plate(plate: ColdPlate, heat: ArrayLike, m_dot: ArrayLike, state: Saturation, *, contact_area: float | None = None,
                    subcooling: float = 0.0, roughness: float = ROUGHNESS, surface: float = 1.0) -> TwoPhase:
    """A plate at heats and flows of boiling refrigerant.

    Parameters
    ----------
    plate : ColdPlate
        Its geometry; pin fins are not told apart from straight ones.
    heat : array_like
        Into the plate. [W]
    m_dot : array_like
        Refrigerant through it. [kg/s]
    state : Saturation
        Of the refrigerant, at the plate.
    contact_area : float, optional
        Through which the device heats the base. [m2]
    subcooling : float
        Of what enters; counted in the quality only: what it adds in cooling is left out. [K]
    roughness, surface
        See `boiling_coefficient`.

    Notes
    -----
    Boiling wants the flux at the wall, which wants the fins' efficiency, which wants the coefficient: iterated, and contracting since
    the flux enters to the power 0.67.
    """
    heat, m_dot = np.broadcast_arrays(np.asarray(heat, dtype=np.float64), np.asarray(m_dot, dtype=np.float64))
    if np.any(~(heat > 0)) or np.any(~(m_dot > 0)):
        raise ScenarioError("heat [W] and m_dot [kg/s] must be above 0")
    c = _channels(plate)
    Re = m_dot * c.hydraulic_diameter / (c.free_area * state.liquid_viscosity)
    convection = f.nusselt_duct(Re, state.prandtl, c.aspect, c.hydraulic_diameter, c.length) * state.conductivity / c.hydraulic_diameter
    h = np.asarray(convection)
    for _ in range(ITERATIONS):
        eta = f.fin_efficiency(f.fin_parameter(h, plate.conductivity, plate.fin_thickness) * plate.channel_height)
        area = c.count * plate.length * (2 * eta * plate.channel_height + plate.channel_width)
        before, h = h, boiling_coefficient(heat / area, convection, state, roughness, surface)
        if np.all(np.abs(h - before) <= CLOSE * h):
            break
    else:
        raise ScenarioError("two_phase_plate: the wall's heat flux does not settle")
    footprint, film = plate.width * plate.length, 1 / (h * area)
    base = np.full_like(h, plate.base_thickness / (plate.conductivity * footprint))
    if contact_area is not None and contact_area < footprint:
        b = min(contact_area / min(np.sqrt(contact_area), plate.width), plate.length)
        base = base + spreading_rectangular(contact_area / b, b, plate.width, plate.length, plate.base_thickness, plate.conductivity,
                                            1 / (film * footprint))
    x = exit_quality(heat, m_dot, state, subcooling)
    drop = two_phase_pressure_drop(plate, m_dot, np.clip(x, 0.0, 1.0), state)
    return TwoPhase(x, h, np.asarray(heat / area), base, np.asarray(film), drop)

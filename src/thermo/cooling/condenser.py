r"""A coil on which vapour condenses, and the space of vapour and gas around it: heat, pressure, what a relief vent lets out.

**Coil.** Horizontal tubes in the vapour, water within. Film by Nusselt, water side by its conductance at a rated flow,

.. math:: q = w (1 - e^{-UA/w}) (T_{sat} - T_{water}), \qquad \frac{1}{UA} = \frac{1}{h A} + \frac{1}{UA_w}, \qquad
          h = 0.729 N^{-1/4} \left[ \frac{g \rho_l (\rho_l - \rho_v) h'_{fg} k^3}{\mu D \Delta T} \right]^{1/4},

with the film's mean :math:`\Delta T = q / (h A)` found in balance, and :math:`h'_{fg} = h_{fg} + 0.68 c_p \Delta T`.

**Vapour space.** One temperature: that of the liquid, which is saturated, its vapour, and the walls that follow. Gas that does not
condense shares the volume: the pressure is the vapour's own and the gas's ideal one. Gas does two things to a coil. It takes a part of
the pressure, so that at one total pressure the vapour condenses colder: that is in the balance. And it gathers at the tubes, through
which the vapour then has to diffuse: that is `gas_factor`, an estimate.

The volume of the space is constant; the liquid's own change of volume is not counted.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from thermo._kernels import formulas as f
from thermo.errors import ScenarioError
from thermo.rack import Count, Described, NotNegative, Number, Positive, Share
from thermo.refrigerants import GAS_CONSTANT, Refrigerant

__all__ = ["Condensing", "Condenser", "Relief", "Vented", "VapourSpace", "closed_transient", "condense", "condenser_for", "condensing_temperature",
           "film_coefficient", "gas_factor", "gas_share", "internal_energy", "space_capacity", "space_pressure", "space_rates", "vent",
           "vent_flow", "vent_is_open"]

Floats = NDArray[np.float64]
ZERO_CELSIUS = 273.15  # K
TUBE, WALL = 0.729, 2 * np.sqrt(2) / 3  # Nusselt's constants of a horizontal tube and of a vertical wall, which the ufunc has
ROW = -0.25  # exponent of the number of rows that drip on each other; Nusselt's, -1/6 is often measured
SENSIBLE = 0.68  # Rohsenow, of the condensate's subcooling
MOST_DERATED, HALF_DERATED = 0.6, 0.05  # of the coefficient by gas; mole share at which it is half of that
WATER = 4180.0  # J/(kg K)
GAS_HEAT = 2.5 * GAS_CONSTANT  # J/(mol K), at constant volume, of nitrogen and air
WATER_RISE, TUBE_DIAMETER, FILM_SHARE = 8.0, 0.012, 0.4  # K, m, of the resistance: of a coil that is chosen for a heat
STEPS, CLOSE = 200, 1e-13


class Condenser(Described):
    """A coil of horizontal tubes in vapour, with water inside. Lengths in m."""

    tube_diameter: Positive  # outside
    tube_length: Positive  # all tubes together
    tube_rows: Annotated[Count, Field(ge=1, le=100)] = 1  # above each other, dripping
    water_conductance: Positive  # W/K, water and tube wall, at the rated flow
    rated_water_flow: Positive  # kg/s
    water_exponent: Share = 0.8  # of the flow

    @property
    def area(self) -> float:
        """Of the tubes' outside [m2]."""
        return float(np.pi * self.tube_diameter * self.tube_length)


@dataclass(frozen=True)
class Condensing:
    """A coil in balance."""

    heat: Floats  # into the water, W
    film_difference: Floats  # saturation less tube, mean, K
    film_coefficient: Floats  # W/(m2 K), gas counted
    conductance: Floats  # vapour to water, W/K
    effectiveness: Floats
    water_out: Floats  # degC
    condensate: Floats  # kg/s


def gas_factor(share: ArrayLike) -> Floats:
    """What a non-condensable gas leaves of the film's coefficient [1].

    Parameters
    ----------
    share : array_like
        Mole fraction of gas in the vapour space, 0 to 1. [1]

    Notes
    -----
    ``1 - 0.6 y / (y + 0.05)``, an estimate (0.4): what is told of tanks is that gas takes 30 to 60 % of the coefficient. Here 30 % at 5 %
    of gas, 60 % at most. Where gas is blown off the tubes it takes less, in a dead corner more.
    """
    y = np.asarray(share, dtype=np.float64)
    if np.any(~((y >= 0) & (y <= 1))):
        raise ScenarioError(f"gas share is {float(y[~((y >= 0) & (y <= 1))].flat[0]):g}, expected 0 to 1; is it in percent?")
    return 1 - MOST_DERATED * y / (y + HALF_DERATED)


def film_coefficient(coil: Condenser, fluid: Refrigerant, temperature: ArrayLike, difference: ArrayLike) -> Floats:
    """Mean coefficient of the condensate film on the tubes [W/(m2 K)], pure vapour.

    Parameters
    ----------
    coil : Condenser
        Its tubes.
    fluid : Refrigerant
        What condenses.
    temperature : array_like
        Of saturation, at which its properties are taken. [degC]
    difference : array_like
        Saturation less tube, above 0. [K]
    """
    T, dT = np.asarray(temperature, dtype=np.float64), np.asarray(difference, dtype=np.float64)
    latent = fluid.latent_heat(T) + SENSIBLE * fluid.liquid_heat_capacity(T) * dT
    wall = f.htc_nusselt_film(dT, fluid.liquid_density(T), fluid.vapour_density(T), fluid.liquid_conductivity(T), fluid.liquid_viscosity(T),
                              latent, coil.tube_diameter)
    return np.asarray(TUBE / WALL * coil.tube_rows**ROW * wall)


def condense(coil: Condenser, fluid: Refrigerant, temperature: ArrayLike, water_temperature: ArrayLike, water_flow: ArrayLike, *,
             gas: ArrayLike = 0.0) -> Condensing:
    """Heat that a coil removes from vapour.

    Parameters
    ----------
    coil : Condenser
        The coil, all of it in the vapour.
    fluid : Refrigerant
        What condenses.
    temperature : array_like, shape (...)
        Saturation temperature at the vapour's own pressure. [degC]
    water_temperature : array_like, shape (...)
        Of the water that enters. [degC]
    water_flow : array_like, shape (...)
        Of the water. [kg/s]
    gas : array_like, shape (...)
        Mole fraction of non-condensable gas, see `gas_factor`. [1]

    Returns
    -------
    Condensing
        All of shape (...). Without heat where the water is not colder than the vapour: nothing evaporates off a dry tube.

    Examples
    --------
    >>> coil = Condenser(tube_diameter=0.012, tube_length=40.0, water_conductance=3000.0, rated_water_flow=0.5)
    >>> fluid = Refrigerant.from_library("novec-649")
    >>> round(float(condense(coil, fluid, 49.0, 30.0, 0.5).heat) / 1e3, 1)
    16.5
    """
    T, T_w, m_w, left = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (temperature, water_temperature, water_flow,
                                                                                       gas_factor(gas))))
    if np.any(~(m_w > 0)):
        raise ScenarioError(f"water_flow is {float(m_w[~(m_w > 0)].flat[0]):g} kg/s, expected above 0 kg/s")
    w, A = m_w * WATER, coil.area
    UA_w = coil.water_conductance * (m_w / coil.rated_water_flow) ** coil.water_exponent
    driving = np.maximum(T - T_w, 0.0)
    dT = np.maximum(0.5 * driving, 1e-12)
    for _ in range(STEPS):
        h = left * film_coefficient(coil, fluid, T, dT)
        UA = 1 / (1 / (h * A) + 1 / UA_w)
        q = w * -np.expm1(-UA / w) * driving
        before, dT = dT, np.maximum(q / (h * A), 1e-12)
        if np.all(np.abs(dT - before) <= CLOSE * np.maximum(dT, 1e-9)):
            break
    else:
        raise ScenarioError("condense: the film's temperature difference does not settle")
    return Condensing(q, np.where(driving > 0, dT, 0.0), h, UA, -np.expm1(-UA / w), np.asarray(T_w + q / w), q / fluid.latent_heat(T))


def condensing_temperature(coil: Condenser, fluid: Refrigerant, heat: ArrayLike, water_temperature: ArrayLike, water_flow: ArrayLike, *,
                           gas: ArrayLike = 0.0) -> Floats:
    """Saturation temperature at which a coil removes a heat [degC]; `condense` the other way round.

    Raises
    ------
    ScenarioError
        If it would lie beyond the range of the fluid.
    """
    q, T_w, m_w, y = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (heat, water_temperature, water_flow, gas)))
    low, high = np.full(q.shape, fluid.lowest_temperature), np.full(q.shape, fluid.highest_temperature)
    most, least = (condense(coil, fluid, T, T_w, m_w, gas=y).heat for T in (high, low))
    wrong = ~((q >= least) & (q <= most))
    if np.any(wrong):
        raise ScenarioError(f"heat is {float(q[wrong].flat[0]):g} W, this coil removes {float(least[wrong].flat[0]):.4g} to "
                            f"{float(most[wrong].flat[0]):.4g} W between {fluid.lowest_temperature:g} and {fluid.highest_temperature:g} degC of "
                            f"{fluid.name}; take a larger coil, more or colder water")
    for _ in range(60):
        T = 0.5 * (low + high)
        more = condense(coil, fluid, T, T_w, m_w, gas=y).heat > q
        low, high = np.where(more, low, T), np.where(more, T, high)
    return np.asarray(0.5 * (low + high))


def condenser_for(heat: float, fluid: Refrigerant, temperature: float, water_temperature: float) -> Condenser:
    """A coil that removes a heat at a saturation temperature.

    Parameters
    ----------
    heat : float
        To be removed. [W]
    fluid : Refrigerant
        What condenses, pure.
    temperature, water_temperature : float
        Of saturation, and of the water that enters. [degC]

    Notes
    -----
    Estimates(0.5): water that warms by 8 K, tubes of 12 mm, and 40 % of the resistance in the film.

    Examples
    --------
    >>> coil = condenser_for(20e3, Refrigerant.from_library("novec-649"), 49.0, 30.0)
    >>> round(float(condensing_temperature(coil, Refrigerant.from_library("novec-649"), 20e3, 30.0, coil.rated_water_flow)), 6)
    49.0
    """
    driving = temperature - water_temperature
    if driving < 1.25 * WATER_RISE:
        raise ScenarioError(f"condenser: vapour of {temperature:.1f} degC and water of {water_temperature:g} degC leave {driving:.1f} K, expected "
                            f"{1.25 * WATER_RISE:g} K or more for a coil to be chosen; give the condenser, or a higher design_temperature")
    w = heat / WATER_RISE
    UA = -w * np.log1p(-WATER_RISE / driving)
    bare = Condenser(tube_diameter=TUBE_DIAMETER, tube_length=1.0, water_conductance=UA / (1 - FILM_SHARE), rated_water_flow=w / WATER)
    h = float(film_coefficient(bare, fluid, temperature, FILM_SHARE * heat / UA))
    return bare.replace(tube_length=float(UA / FILM_SHARE / h / bare.area))


# ------------------------------------------------------------------------------------------------------------- vapour space

class VapourSpace(Described):
    """The closed space above a boiling liquid."""

    volume: Positive  # m3, above the liquid
    wall_capacity: NotNegative = 0.0  # J/K, of what is as warm as the liquid


def space_pressure(space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, gas: ArrayLike = 0.0) -> Floats:
    """Pressure in the space [Pa]: the vapour's over its liquid, and the gas's.

    Parameters
    ----------
    space : VapourSpace
        Its volume.
    fluid : Refrigerant
        The liquid.
    temperature : array_like, shape (...)
        Of all. [degC]
    gas : array_like, shape (...)
        Amount of non-condensable gas. [mol]
    """
    T = np.asarray(temperature, dtype=np.float64)
    return np.asarray(fluid.saturation_pressure(T) + np.asarray(gas) * GAS_CONSTANT * (T + ZERO_CELSIUS) / space.volume)


def gas_share(space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, gas: ArrayLike) -> Floats:
    """Mole fraction of gas in the space [1], by the pressures."""
    p = space_pressure(space, fluid, temperature, gas)
    return np.asarray(1 - fluid.saturation_pressure(temperature) / p)


def internal_energy(space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, mass: ArrayLike, gas: ArrayLike = 0.0) -> Floats:
    r"""Energy of liquid, vapour, gas and walls [J], above that at the lowest temperature of the fluid's range with all of it liquid.

    Parameters
    ----------
    space, fluid, temperature, gas
        As of `space_pressure`.
    mass : array_like, shape (...)
        Of the fluid, liquid and vapour together. [kg]

    Notes
    -----
    .. math:: U = m\, h_l(T) + V (\rho_v h_{fg} - p_{sat}) + \tfrac{5}{2} n R\, (T - T_0) + C (T - T_0)

    since a kilogram of vapour holds :math:`h_l + h_{fg} - p/\rho_v`. The liquid's own ``p/rho`` is left out.
    """
    T, m = np.asarray(temperature, dtype=np.float64), np.asarray(mass, dtype=np.float64)
    vapour = fluid.vapour_density(T) * space.volume
    if np.any(m < vapour):
        raise ScenarioError(f"mass is {float(np.min(m)):g} kg, the space of {space.volume:g} m3 alone holds {float(np.max(vapour)):.4g} kg of vapour: "
                            "nothing is left to boil")
    above = T - fluid.lowest_temperature
    return np.asarray(m * fluid.liquid_enthalpy(T) + vapour * fluid.latent_heat(T) - space.volume * fluid.saturation_pressure(T)
                      + (np.asarray(gas) * GAS_HEAT + space.wall_capacity) * above)


def space_capacity(space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, mass: ArrayLike, gas: ArrayLike = 0.0) -> Floats:
    """Heat for each kelvin of the closed space [J/K], what evaporates on the way counted; the slope of `internal_energy`."""
    T = np.asarray(temperature, dtype=np.float64)
    vapour = fluid.vapour_density_slope(T) * fluid.latent_heat(T) + fluid.vapour_density(T) * fluid.latent_heat_slope(T) - fluid.pressure_slope(T)
    return np.asarray(np.asarray(mass) * fluid.liquid_heat_capacity(T) + space.volume * vapour + np.asarray(gas) * GAS_HEAT + space.wall_capacity)


def closed_transient(space: VapourSpace, fluid: Refrigerant, temperature: float, power: float, seconds: ArrayLike, mass: float,
                     gas: float = 0.0) -> tuple[Floats, Floats]:
    """Temperature [degC] and pressure [Pa] of a closed space that takes a constant heat: exact, by its energy.

    Parameters
    ----------
    space, fluid, gas
        As of `space_pressure`.
    temperature : float
        At the start. [degC]
    power : float
        Into it, less what a condenser takes; below 0 it cools. [W]
    seconds : array_like, shape (n,)
        From the start. [s]
    mass : float
        Of the fluid, liquid and vapour. [kg]

    Raises
    ------
    ScenarioError
        If it leaves the range of the fluid, with the time at which it would.
    """
    t = np.asarray(seconds, dtype=np.float64)
    start = internal_energy(space, fluid, temperature, mass, gas)
    wanted = start + power * t
    ends = [float(internal_energy(space, fluid, T, mass, gas)) for T in (fluid.lowest_temperature, fluid.highest_temperature)]
    if np.any((wanted < ends[0]) | (wanted > ends[1])):
        end = ends[1] if power > 0 else ends[0]
        raise ScenarioError(f"closed_transient: {fluid.name} leaves its range of {fluid.lowest_temperature:g} to {fluid.highest_temperature:g} degC "
                            f"after {(end - float(start)) / power:.4g} s; give shorter times")
    T = np.full(t.shape, float(temperature))
    for _ in range(STEPS):
        step = (internal_energy(space, fluid, T, mass, gas) - wanted) / space_capacity(space, fluid, T, mass, gas)
        T = np.clip(T - step, fluid.lowest_temperature, fluid.highest_temperature)
        if np.all(np.abs(step) < 1e-11):
            break
    else:
        raise ScenarioError("closed_transient: the temperature does not settle")
    return T, space_pressure(space, fluid, T, gas)


# ------------------------------------------------------------------------------------------------------------------- relief

class Relief(Described):
    """A vent that opens when the space's pressure is too far above that outside."""

    area: Positive  # m2
    opening_pressure: Positive  # Pa above ambient
    closing_pressure: NotNegative  # Pa above ambient
    discharge_coefficient: Annotated[Number, Field(gt=0, le=1)] = 0.62  # sharp edge
    heat_capacity_ratio: Annotated[Number, Field(gt=1, le=1.67)] = 1.05  # of heavy vapours; air 1.4

    @model_validator(mode="after")
    def _closes_below(self) -> Self:
        if self.closing_pressure >= self.opening_pressure:
            raise ValueError(f"closing_pressure {self.closing_pressure:g} Pa must be below opening_pressure {self.opening_pressure:g} Pa")
        return self


def vent_is_open(relief: Relief, was_open: ArrayLike, overpressure: ArrayLike) -> NDArray[np.bool_]:
    """State in, pressure above ambient [Pa] in, state out: opens at one pressure, closes at a lower one."""
    p = np.asarray(overpressure, dtype=np.float64)
    return np.asarray((p >= relief.opening_pressure) | (np.asarray(was_open, dtype=bool) & (p > relief.closing_pressure)))


def vent_flow(relief: Relief, pressure: ArrayLike, ambient_pressure: ArrayLike, temperature: ArrayLike, molar_mass: ArrayLike) -> Floats:
    r"""Mass flow through an open vent [kg/s]; nothing comes back in.

    Parameters
    ----------
    relief : Relief
        The vent.
    pressure, ambient_pressure : array_like, shape (...)
        In the space and outside. [Pa]
    temperature : array_like, shape (...)
        Of the space. [degC]
    molar_mass : array_like, shape (...)
        Of what is in the space. [kg/mol]

    Notes
    -----
    Isentropic flow of an ideal gas to the throat, times the discharge coefficient: with :math:`r = p_a / p`, not below the critical
    :math:`(2 / (\gamma + 1))^{\gamma / (\gamma - 1)}`,

    .. math:: \dot m = C A p \sqrt{\frac{M}{R T} \frac{2 \gamma}{\gamma - 1} \left( r^{2/\gamma} - r^{(\gamma + 1)/\gamma} \right)}
    """
    p, p_a, T, M = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (pressure, ambient_pressure, temperature, molar_mass)))
    g = relief.heat_capacity_ratio
    r = np.clip(p_a / p, (2 / (g + 1)) ** (g / (g - 1)), 1.0)
    speed = 2 * g / (g - 1) * (r ** (2 / g) - r ** ((g + 1) / g))
    return np.asarray(relief.discharge_coefficient * relief.area * p * np.sqrt(M / (GAS_CONSTANT * (T + ZERO_CELSIUS)) * np.maximum(speed, 0.0)))


@dataclass(frozen=True)
class Vented:
    """What an open vent lets out."""

    fluid: Floats  # kg/s
    gas: Floats  # mol/s


def vent(relief: Relief, space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, gas: ArrayLike, ambient_pressure: ArrayLike,
         gas_molar_mass: float = 0.02896) -> Vented:
    """Fluid and gas that an open vent lets out, mixed as they are in the space.

    Parameters
    ----------
    relief : Relief
        The vent, open.
    space, fluid, temperature, gas
        As of `space_pressure`.
    ambient_pressure : array_like, shape (...)
        Outside. [Pa]
    gas_molar_mass : float
        Air unless told. [kg/mol]
    """
    p, y = space_pressure(space, fluid, temperature, gas), gas_share(space, fluid, temperature, gas)
    M = y * gas_molar_mass + (1 - y) * fluid.molar_mass
    moles = vent_flow(relief, p, ambient_pressure, temperature, M) / M
    return Vented(np.asarray(moles * (1 - y) * fluid.molar_mass), np.asarray(moles * y))


def space_rates(space: VapourSpace, fluid: Refrigerant, temperature: ArrayLike, mass: ArrayLike, gas: ArrayLike, *, heat: ArrayLike,
                condensed: ArrayLike, vented: Vented | None = None) -> tuple[Floats, Floats, Floats]:
    r"""How temperature [K/s], mass of the fluid [kg/s] and amount of gas [mol/s] change: the balances of the space.

    Parameters
    ----------
    space, fluid, temperature, mass, gas
        As of `internal_energy`.
    heat : array_like, shape (...)
        Into the liquid. [W]
    condensed : array_like, shape (...)
        Taken by the condenser, see `condense`. [W]
    vented : Vented, optional
        What a relief vent lets out.

    Notes
    -----
    What leaves takes its enthalpy along. Of that the liquid's part has left with the mass, and what remains is

    .. math:: C_{space} \dot T = q - q_c - \dot m h_{fg} - \dot n R T
    """
    T = np.asarray(temperature, dtype=np.float64)
    out, gone = (np.zeros_like(T), np.zeros_like(T)) if vented is None else (vented.fluid, vented.gas)
    net = np.asarray(heat) - np.asarray(condensed) - out * fluid.latent_heat(T) - gone * GAS_CONSTANT * (T + ZERO_CELSIUS)
    return np.asarray(net / space_capacity(space, fluid, T, mass, gas)), np.asarray(-out), np.asarray(-gone)

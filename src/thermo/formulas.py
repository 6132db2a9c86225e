"""Correlations and property formulas: each one a compiled NumPy ufunc, checked at the door.

What all share. Arguments broadcast; nan in gives nan out; the result is a float or an array. A value that cannot be
(a negative length, an effectiveness above 1, relative humidity in percent) is refused with a `ScenarioError`, which is
a `ValueError`; what is not a number, with a `TypeError`. Leaving the range in which a source vouches for its law is
no error: `validity_warnings` says so, once, where a model is built. Symbols are those of the source named.

The equations are in ``ext/include/thermo/*.hpp``, where the engine calls them too.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo._kernels import formulas as _k
from thermo._kernels.formulas import NUSSELT_CIRCULAR_H, NUSSELT_CIRCULAR_T
from thermo.errors import ScenarioError, nearest, shown

__all__ = [
    "NUSSELT_CIRCULAR_H",
    "NUSSELT_CIRCULAR_T",
    "VALIDITY",
    "air_conductivity",
    "air_density",
    "air_heat_capacity",
    "air_viscosity",
    "chf_kandlikar",
    "chf_subcooling_factor",
    "chf_zuber",
    "contraction_loss",
    "dew_point",
    "effectiveness_counterflow",
    "effectiveness_crossflow_mixed_max",
    "effectiveness_crossflow_mixed_min",
    "effectiveness_crossflow_unmixed",
    "effectiveness_parallel",
    "effectiveness_single_stream",
    "expansion_loss",
    "fin_efficiency",
    "fin_parameter",
    "friction_apparent",
    "friction_churchill",
    "friction_colebrook",
    "friction_petukhov",
    "friction_plate_kumar",
    "friction_rectangular",
    "htc_cooper",
    "htc_cooper_superheat",
    "htc_gorenflo",
    "htc_gorenflo_water",
    "htc_nusselt_film",
    "htc_rohsenow",
    "htc_rohsenow_superheat",
    "humidity_ratio",
    "lmtd",
    "ntu_counterflow",
    "nusselt_baehr_stephan",
    "nusselt_churchill_chu",
    "nusselt_developing_h1",
    "nusselt_developing_t",
    "nusselt_dittus_boelter",
    "nusselt_duct",
    "nusselt_gnielinski",
    "nusselt_hausen",
    "nusselt_mcadams_down",
    "nusselt_mcadams_up",
    "nusselt_plate_kumar",
    "nusselt_plate_muley_manglik",
    "nusselt_rectangular_h1",
    "nusselt_rectangular_t",
    "nusselt_sieder_tate_entry",
    "saturation_pressure",
    "spreading_resistance_average",
    "spreading_resistance_max",
    "standard_pressure",
    "surface_efficiency",
    "validity_warnings",
]

Array = NDArray[np.float64]
INF = np.inf

# What an argument can be at all: lowest, highest, unit, hint. Open at infinity, and at 0 for those in POSITIVE.
POSITIVE = {
    "Pr", "D_h", "L", "f_D", "x_plus", "f_Re", "k", "t", "a", "b", "p_r", "M", "R_p", "R_a", "h_0", "rho_l", "rho_v",
    "mu_l", "k_l", "c_pl", "h_fg", "sigma", "C_sf", "n", "K", "dT", "p",
}
DOMAIN: dict[str, tuple[float, float, str, str]] = {
    **{name: (0, INF, "1", "") for name in ("Re", "Pr", "f_D", "x_plus", "f_Re", "mL", "NTU", "Ra", "C_sf", "n", "K")},
    **{name: (0, 1, "1", "") for name in ("aspect", "roughness", "area_ratio", "fin_area_ratio")},
    **{name: (0, 1, "1", "") for name in ("eta_f", "C_r", "eps")},
    **{name: (0, INF, "m", "") for name in ("D_h", "L", "t", "a", "b")},
    **{name: (0, INF, "K", "") for name in ("dT_1", "dT_2", "T_e", "dT_sub", "dT")},
    **{name: (0, INF, "kg/m3", "") for name in ("rho_l", "rho_v")},
    **{name: (0, INF, "W/(m K)", "") for name in ("k", "k_l")},
    **{name: (0, INF, "W/(m2 K)", "") for name in ("h", "h_0")},
    **{name: (0, 1e-3, "m", "is it in micrometres?") for name in ("R_p", "R_a")},
    "beta": (0, 90, "deg", ""),
    "phi": (1, 10, "1", ""),
    "contact_angle": (0, 180, "deg", ""),
    "tilt": (0, 180, "deg", ""),
    "q": (0, INF, "W/m2", ""),
    "p_r": (0, float(np.nextafter(1.0, 0.0)), "1", "it is pressure over critical pressure"),
    "M": (0, 1, "kg/mol", "is it in g/mol?"),
    "mu_l": (0, INF, "Pa s", ""),
    "c_pl": (0, INF, "J/(kg K)", ""),
    "h_fg": (0, INF, "J/kg", ""),
    "sigma": (0, INF, "N/m", ""),
    "T": (-100, 200, "degC", "is it in kelvin?"),
    "p": (0, INF, "Pa", ""),
    "relative_humidity": (0, 1, "1", "is it in percent?"),
    "altitude": (-1000, 20000, "m", ""),
}

ORDERED = (("a", "b"), ("rho_v", "rho_l"))  # the first must not exceed the second

GROUPS: dict[str, tuple[tuple[str, ...], Callable[..., ArrayLike]]] = {
    "L/D_h": (("L", "D_h"), np.divide),
    "a/b": (("a", "b"), np.divide),
    "t/b": (("t", "b"), np.divide),
    "h b/k": (("h", "b", "k"), lambda h, b, k: np.multiply(h, b) / k),
}
"""Ratios that a range may be given for, with the arguments they are made from; all of dimension 1."""

VALIDITY: dict[str, dict[str, tuple[float, float]]] = {}
"""Law, argument or group, (lowest, highest) for which the source vouches; units as in the law's docstring."""


def _unit(name: str) -> str:
    unit = "1" if name in GROUPS else DOMAIN[name][2]
    return "" if unit == "1" else f" {unit}"


def _span(name: str, low: float, high: float) -> str:
    bounds = f"{low:g} to {high:g}" if high < INF else f"above {low:g}"
    return bounds + _unit(name)


def _valid(**ranges: tuple[float, float]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Keep the law's range in `VALIDITY` and write it into its docstring, from one source."""

    def keep(law: Callable[..., Array]) -> Callable[..., Array]:
        VALIDITY[law.__name__] = ranges
        words = "; ".join(f"`{name}` {_span(name, *bounds)}" for name, bounds in ranges.items())
        law.__doc__ = law.__doc__ and law.__doc__.replace("|range|", f"Valid for {words}.")
        return law

    return keep


def validity_warnings(law: str, **arguments: ArrayLike) -> list[str]:
    """Messages for the arguments that lie outside the range of a law, to be raised as `ValidityWarning`.

    Parameters
    ----------
    law : str
        Name of a function of this module.
    **arguments : array_like
        Any of its arguments, by name; what is not given is not judged.

    Returns
    -------
    messages : list of str
        One for each argument out of range; names the law, the argument, the range and the value farthest out.

    Examples
    --------
    >>> validity_warnings("nusselt_gnielinski", Re=2500, Pr=0.7)
    ['nusselt_gnielinski: Re is 2500, its source vouches for 3000 to 5e+06']
    """
    known = [name for name in __all__ if inspect.isfunction(globals()[name]) and name != "validity_warnings"]
    if law not in known:
        raise ScenarioError(f"no law is called {shown(law)}{nearest(law, known)}")
    parameters = inspect.signature(globals()[law]).parameters
    for name in arguments:
        if name not in parameters:
            raise ScenarioError(f"{law} has no argument {shown(name)}{nearest(name, parameters)}")
    messages = []
    for name, (low, high) in VALIDITY.get(law, {}).items():
        names, group = GROUPS.get(name, ((name,), np.asarray))
        if not arguments.keys() >= set(names):
            continue
        values = np.asarray(group(*(arguments[n] for n in names)), dtype=float)
        outside = values[(values < low) | (values > high)]
        if outside.size:
            worst = outside[np.argmax(np.maximum(low - outside, outside - high))]
            found = f"{worst:g}{_unit(name)}"
            messages.append(f"{law}: {name} is {found}, its source vouches for {_span(name, low, high)}")
    return messages


def _refuse(name: str, value: object) -> None:
    """Raise unless all of `value` lies in the domain of the argument `name`; nan passes."""
    low, high, unit, hint = DOMAIN[name]
    try:
        values = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {shown(value)}, expected numbers [{unit}]") from None
    wrong = (values < low) | (values > high) | np.isinf(values)
    if name in POSITIVE:
        wrong |= values == 0
    if wrong.any():
        first = values[wrong].flat[0]
        allowed = f"above {low:g}" if name in POSITIVE else f"{low:g}"
        raise ScenarioError(
            f"{name} is {first:g}{_unit(name)}, expected {allowed} to {high:g}{_unit(name)}{hint and '; ' + hint}"
        )


def _refuse_pairs(arguments: dict[str, ArrayLike]) -> None:
    """Raise where two arguments, each possible, exclude one another."""
    for low, high in ORDERED:
        if low in arguments and high in arguments and np.any(np.greater(arguments[low], arguments[high])):
            raise ScenarioError(f"{low} exceeds {high}: {shown(arguments[low])} against {shown(arguments[high])}"
                                f"{_unit(low)}")
    if {"p", "T", "relative_humidity"} <= arguments.keys():
        p_v = np.multiply(arguments["relative_humidity"], _k.saturation_pressure(arguments["T"]))
        if np.any(np.greater_equal(p_v, arguments["p"])):
            raise ScenarioError(f"p is {shown(arguments['p'])} Pa, expected more than the pressure of the water vapour "
                                f"in it, up to {np.nanmax(p_v):g} Pa")


def _evaluate(kernel: np.ufunc, **arguments: ArrayLike) -> Array:
    """The ufunc of the arguments, each in its domain. Limits (Re = 0) set floating-point flags that mean nothing."""
    for name, value in arguments.items():
        _refuse(name, value)
    with np.errstate(all="ignore"):
        _refuse_pairs(arguments)
        result: Array = kernel(*arguments.values())
    return result


# ---------- Ducts
def nusselt_rectangular_h1(aspect: ArrayLike) -> Array:
    r"""Nusselt number of developed laminar flow in a rectangle, uniform flux along it.

    Parameters
    ----------
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    Shah and London's polynomial, 8.235 between plates to 3.61 in a square. H1: uniform heat per length, one wall
    temperature in each cross-section, four walls heated.

    References
    ----------
    .. [1] R. K. Shah and A. L. London, Laminar Flow Forced Convection in Ducts, Academic Press, 1978, Eq. 342.

    Examples
    --------
    >>> round(float(nusselt_rectangular_h1(0)), 4)
    8.235
    """
    return _evaluate(_k.nusselt_rectangular_h1, aspect=aspect)


def nusselt_rectangular_t(aspect: ArrayLike) -> Array:
    r"""Nusselt number of developed laminar flow in a rectangle, wall at one temperature.

    Parameters
    ----------
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    Shah and London's polynomial, 7.541 between plates to 2.976 in a square. Four walls heated.

    References
    ----------
    .. [1] R. K. Shah and A. L. London, Laminar Flow Forced Convection in Ducts, Academic Press, 1978, Eq. 343.

    Examples
    --------
    >>> round(float(nusselt_rectangular_t(0)), 4)
    7.541
    """
    return _evaluate(_k.nusselt_rectangular_t, aspect=aspect)


def friction_rectangular(aspect: ArrayLike) -> Array:
    r"""Fanning friction factor times Reynolds number, developed laminar flow in a rectangle.

    Parameters
    ----------
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]

    Returns
    -------
    f_Re : ndarray
        ``f Re``. [1]

    Notes
    -----
    Shah and London's polynomial, 24 between plates to 14.23 in a square.

    References
    ----------
    .. [1] R. K. Shah and A. L. London, Laminar Flow Forced Convection in Ducts, Academic Press, 1978, Eq. 341.

    Examples
    --------
    >>> round(float(friction_rectangular(0)), 3)
    24.0
    """
    return _evaluate(_k.friction_rectangular, aspect=aspect)


@_valid(Re=(0, 2300))
def nusselt_hausen(Re: ArrayLike, Pr: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of the thermal entry of a laminar pipe, wall at one temperature.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    .. math:: Nu = 3.66 + \frac{0.0668\, Gz}{1 + 0.04\, Gz^{2/3}}, \qquad Gz = Re\, Pr\, D_h / L

    Developed velocity profile, so for Pr above about 5. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 8.56.

    Examples
    --------
    >>> round(float(nusselt_hausen(1000, 5, 0.002, 0.1)), 4)
    7.248
    """
    return _evaluate(_k.nusselt_hausen, Re=Re, Pr=Pr, D_h=D_h, L=L)


@_valid(Re=(0, 2300), Pr=(0.48, 16700))
def nusselt_sieder_tate_entry(Re: ArrayLike, Pr: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of the combined entry of a laminar pipe, by Sieder and Tate.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    .. math:: Nu = 1.86\, Gz^{1/3}, \qquad Gz = Re\, Pr\, D_h / L

    The factor for the viscosity at the wall is left to the caller. Falls to zero in long
    ducts, where it must not be taken below Nu 3.66. |range|

    References
    ----------
    .. [1] E. N. Sieder and G. E. Tate, Heat transfer and pressure drop of liquids in tubes, Ind. Eng. Chem. 28, 1936,
       1429-1435, doi:10.1021/ie50324a027.

    Examples
    --------
    >>> round(float(nusselt_sieder_tate_entry(1000, 5, 0.005, 0.025)), 3)
    18.6
    """
    return _evaluate(_k.nusselt_sieder_tate_entry, Re=Re, Pr=Pr, D_h=D_h, L=L)


@_valid(Re=(0, 2300), Pr=(0.1, 10000))
def nusselt_baehr_stephan(Re: ArrayLike, Pr: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of the combined entry of a laminar pipe, wall at one temperature.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    .. math:: Nu = \frac{3.657 / \tanh(2.264\, Gz^{-1/3} + 1.7\, Gz^{-2/3}) + 0.0499\, Gz \tanh(1/Gz)}
                       {\tanh(2.432\, Pr^{1/6} Gz^{-1/6})}, \qquad Gz = Re\, Pr\, D_h / L

    |range|

    References
    ----------
    .. [1] H. D. Baehr and K. Stephan, Heat and Mass Transfer, 3rd ed., Springer, 2011, Eq. 3.250.

    Examples
    --------
    >>> round(float(nusselt_baehr_stephan(1000, 5, 0.002, 0.1)), 4)
    7.971
    """
    return _evaluate(_k.nusselt_baehr_stephan, Re=Re, Pr=Pr, D_h=D_h, L=L)


@_valid(Re=(0, 2300), Pr=(0.1, 10000))
def nusselt_developing_t(Re: ArrayLike, Pr: ArrayLike, aspect: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of the combined entry of a laminar rectangular duct, wall at one temperature.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    .. math::

        Nu = \left[ \left( \frac{2 f(Pr)}{\sqrt{x^*}} \right)^m
        + \left( \left[\tfrac{3}{2} C_3 (f Re / x^*)^{1/3}\right]^5 + Nu_{fd}^5 \right)^{m/5} \right]^{1/m}

        m = 2.27 + 1.65\, Pr^{1/3}, \quad f(Pr) = c\, [1 + (d\, Pr^{1/6})^{9/2}]^{-2/9}

        c = 0.564,\; d = 1.664,\; C_3 = 0.409

    with ``x* = L / (D_h Re Pr)``. The source is written on the root of the area, which cancels when it is turned to
    the hydraulic diameter. One thing is not as there: :math:`Nu_{fd}` is `nusselt_rectangular_t`, which their estimate
    ``C_1 f Re / (8 sqrt(pi) aspect^0.1)`` exceeds by up to a quarter in narrow ducts. Within 10 % of the numerical
    solutions compared there. |range|

    References
    ----------
    .. [1] Y. S. Muzychka and M. M. Yovanovich, Laminar forced convection heat transfer in the combined entry region
       of non-circular ducts, J. Heat Transfer 126, 2004, 54-61, doi:10.1115/1.1643752.

    Examples
    --------
    >>> round(float(nusselt_developing_t(1000, 0.7, 0.1, 0.004, 0.07)), 4)
    7.0809
    """
    return _evaluate(_k.nusselt_developing_t, Re=Re, Pr=Pr, aspect=aspect, D_h=D_h, L=L)


@_valid(Re=(0, 2300), Pr=(0.1, 10000))
def nusselt_developing_h1(Re: ArrayLike, Pr: ArrayLike, aspect: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of the combined entry of a laminar rectangular duct, uniform flux along it.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    .. math::

        Nu = \left[ \left( \frac{2 f(Pr)}{\sqrt{x^*}} \right)^m
        + \left( \left[\tfrac{3}{2} C_3 (f Re / x^*)^{1/3}\right]^5 + Nu_{fd}^5 \right)^{m/5} \right]^{1/m}

        m = 2.27 + 1.65\, Pr^{1/3}, \quad f(Pr) = c\, [1 + (d\, Pr^{1/6})^{9/2}]^{-2/9}

        c = 0.886,\; d = 1.909,\; C_3 = 0.501

    with ``x* = L / (D_h Re Pr)``. The source is written on the root of the area, which cancels when it is turned to
    the hydraulic diameter. One thing is not as there: :math:`Nu_{fd}` is `nusselt_rectangular_h1`, which their estimate
    ``C_1 f Re / (8 sqrt(pi) aspect^0.1)`` exceeds by up to a quarter in narrow ducts. Within 10 % of the numerical
    solutions compared there. |range|

    References
    ----------
    .. [1] Y. S. Muzychka and M. M. Yovanovich, Laminar forced convection heat transfer in the combined entry region
       of non-circular ducts, J. Heat Transfer 126, 2004, 54-61, doi:10.1115/1.1643752.

    Examples
    --------
    >>> round(float(nusselt_developing_h1(1000, 0.7, 0.1, 0.004, 0.07)), 4)
    8.6985
    """
    return _evaluate(_k.nusselt_developing_h1, Re=Re, Pr=Pr, aspect=aspect, D_h=D_h, L=L)


@_valid(x_plus=(0.0001, 1000))
def friction_apparent(x_plus: ArrayLike, f_Re: ArrayLike) -> Array:
    r"""Apparent Fanning friction factor times Reynolds number of the laminar entry.

    Parameters
    ----------
    x_plus : array_like
        ``L / (D_h Re)``. [1]
    f_Re : array_like
        Fanning friction factor times Reynolds number, developed. [1]

    Returns
    -------
    f_app_Re : ndarray
        ``f_app Re``, the mean over the length, acceleration included. [1]

    Notes
    -----
    .. math:: f_{app} Re = \sqrt{(3.44 / \sqrt{x^+})^2 + (f Re)^2}

    |range|

    References
    ----------
    .. [1] Y. S. Muzychka and M. M. Yovanovich, Pressure drop in laminar developing flow in noncircular ducts, J.
       Fluids Eng. 131, 2009, 111105, doi:10.1115/1.4000377.

    Examples
    --------
    >>> round(float(friction_apparent(3.44**2, 0.75)), 4)
    1.25
    """
    return _evaluate(_k.friction_apparent, x_plus=x_plus, f_Re=f_Re)


@_valid(Re=(3000, 5e+06))
def friction_petukhov(Re: ArrayLike) -> Array:
    r"""Friction factor of turbulent flow in a smooth pipe, by Petukhov.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]

    Returns
    -------
    f_D : ndarray
        Darcy friction factor. [1]

    Notes
    -----
    .. math:: f_D = (0.79 \ln Re - 1.64)^{-2}

    |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 8.21.

    Examples
    --------
    >>> round(float(friction_petukhov(1e5)), 4)
    0.018
    """
    return _evaluate(_k.friction_petukhov, Re=Re)


@_valid(roughness=(0, 0.05))
def friction_churchill(Re: ArrayLike, roughness: ArrayLike) -> Array:
    r"""Friction factor of a pipe in any regime, by Churchill.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    roughness : array_like
        Roughness height over diameter. [1]

    Returns
    -------
    f_D : ndarray
        Darcy friction factor. [1]

    Notes
    -----
    .. math::

        f_D = 8 \left[ (8/Re)^{12} + (A + B)^{-3/2} \right]^{1/12}

        A = \{ 2.457 \ln [(7/Re)^{0.9} + 0.27\, \epsilon/D] \}^{16}, \qquad B = (37530/Re)^{16}

    ``64 / Re`` below Re of about 2000. |range|

    References
    ----------
    .. [1] S. W. Churchill, Friction-factor equation spans all fluid-flow regimes, Chem. Eng. 84(24), 1977, 91-92.

    Examples
    --------
    >>> round(float(friction_churchill(100, 0)), 4)
    0.64
    """
    return _evaluate(_k.friction_churchill, Re=Re, roughness=roughness)


@_valid(Re=(4000, 1e+08), roughness=(0, 0.05))
def friction_colebrook(Re: ArrayLike, roughness: ArrayLike) -> Array:
    r"""Friction factor of turbulent flow in a rough pipe, by Colebrook.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    roughness : array_like
        Roughness height over diameter. [1]

    Returns
    -------
    f_D : ndarray
        Darcy friction factor. [1]

    Notes
    -----
    .. math:: 1/\sqrt{f_D} = -2 \log_{10} \left( \frac{\epsilon/D}{3.7} + \frac{2.51}{Re \sqrt{f_D}} \right)

    Solved to rounding. No value (nan) below Re of about 10, where it has no meaning. |range|

    References
    ----------
    .. [1] C. F. Colebrook, Turbulent flow in pipes, J. Inst. Civil Engineers 11, 1939, 133-156,
       doi:10.1680/ijoti.1939.13150.

    Examples
    --------
    >>> round(float(friction_colebrook(1e5, 1e-4)), 4)
    0.0185
    """
    return _evaluate(_k.friction_colebrook, Re=Re, roughness=roughness)


@_valid(Re=(3000, 5e+06), Pr=(0.5, 2000))
def nusselt_gnielinski(Re: ArrayLike, Pr: ArrayLike, f_D: ArrayLike) -> Array:
    r"""Nusselt number of turbulent flow in a duct, by Gnielinski.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    f_D : array_like
        Darcy friction factor. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    .. math:: Nu = \frac{(f_D/8) (Re - 1000) Pr}{1 + 12.7 \sqrt{f_D/8}\, (Pr^{2/3} - 1)}

    Developed flow; `friction_petukhov` for a smooth wall. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 8.62.

    Examples
    --------
    >>> round(float(nusselt_gnielinski(9000, 1, 0.032)), 3)
    32.0
    """
    return _evaluate(_k.nusselt_gnielinski, Re=Re, Pr=Pr, f_D=f_D)


@_valid(Re=(10000, 120000), Pr=(0.6, 160))
def nusselt_dittus_boelter(Re: ArrayLike, Pr: ArrayLike) -> Array:
    r"""Nusselt number of turbulent flow in a duct whose wall heats it, by Dittus and Boelter.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    .. math:: Nu = 0.023\, Re^{0.8} Pr^{0.4}

    L above 10 diameters. Not for cold plates, whose Re is 100 to 1500. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 8.60.

    Examples
    --------
    >>> round(float(nusselt_dittus_boelter(1e5, 1)), 3)
    230.0
    """
    return _evaluate(_k.nusselt_dittus_boelter, Re=Re, Pr=Pr)


@_valid(**{"Re": (0, 5e+06), "Pr": (0.5, 2000), "L/D_h": (1, INF)})
def nusselt_duct(Re: ArrayLike, Pr: ArrayLike, aspect: ArrayLike, D_h: ArrayLike, L: ArrayLike) -> Array:
    r"""Nusselt number of a rectangular duct in any regime, entry included.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    aspect : array_like
        Short over long side of the rectangle; 0 for parallel plates. [1]
    D_h : array_like
        Hydraulic diameter. [m]
    L : array_like
        Length in the direction of flow. [m]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter, mean over `L`. [1]

    Notes
    -----
    Laminar up to Re 2300: :math:`Nu_l` of `nusselt_developing_h1`. From 4000 on

    .. math:: Nu_t = (Nu_l^8 + Nu_G^8)^{1/8}, \qquad Nu_G = Nu_{Gnielinski} [1 + (D_h/L)^{2/3}]

    with Petukhov's friction factor: in a duct of few diameters the developing laminar layer carries more than
    Gnielinski's flow, and the larger one wins. Between, :math:`Nu_l + s^2 (3 - 2 s) (Nu_t - Nu_l)` with
    ``s = (Re - 2300) / 1700``. All parts rise with Re, so the blend does, and its slope is continuous. |range|

    References
    ----------
    .. [1] Y. S. Muzychka and M. M. Yovanovich, Laminar forced convection heat transfer in the combined entry region
       of non-circular ducts, J. Heat Transfer 126, 2004, 54-61, doi:10.1115/1.1643752.
    .. [2] V. Gnielinski, On heat transfer in tubes, Int. J. Heat Mass Transfer 63, 2013, 134-140,
       doi:10.1016/j.ijheatmasstransfer.2013.04.015, for the limits 2300 and 4000 and the entry factor.

    Examples
    --------
    >>> round(float(nusselt_duct(1000, 0.7, 0, 0.004, 1e3)), 4)
    8.235
    """
    return _evaluate(_k.nusselt_duct, Re=Re, Pr=Pr, aspect=aspect, D_h=D_h, L=L)


def contraction_loss(area_ratio: ArrayLike) -> Array:
    r"""Loss coefficient of the entry to a bundle of channels.

    Parameters
    ----------
    area_ratio : array_like
        Free-flow area over frontal area. [1]

    Returns
    -------
    K_c : ndarray
        Loss over the channel's dynamic pressure. [1]

    Notes
    -----
    .. math:: K_c = 0.42 (1 - \sigma^2)

    with :math:`\sigma` the `area_ratio`. Losses only: the reversible change of velocity is not in it.

    References
    ----------
    .. [1] F. M. White, Fluid Mechanics, 4th ed., McGraw-Hill, 1999, Eq. 6.101.

    Examples
    --------
    >>> round(float(contraction_loss(0.5)), 4)
    0.315
    """
    return _evaluate(_k.contraction_loss, area_ratio=area_ratio)


def expansion_loss(area_ratio: ArrayLike) -> Array:
    r"""Loss coefficient of the exit from a bundle of channels.

    Parameters
    ----------
    area_ratio : array_like
        Free-flow area over frontal area. [1]

    Returns
    -------
    K_e : ndarray
        Loss over the channel's dynamic pressure. [1]

    Notes
    -----
    .. math:: K_e = (1 - \sigma^2)^2

    with :math:`\sigma` the `area_ratio`, as fitted to plate-fin sinks. (Borda and Carnot have ``(1 - sigma)^2``.)

    References
    ----------
    .. [1] P. Teertstra, M. M. Yovanovich and J. R. Culham, Analytical forced convection modeling of plate fin heat
       sinks, J. Electronics Manufacturing 10, 2000, 253-261, doi:10.1142/S0960313100000320.

    Examples
    --------
    >>> round(float(expansion_loss(0.5)), 4)
    0.5625
    """
    return _evaluate(_k.expansion_loss, area_ratio=area_ratio)


# ---------- Fins and spreading
def fin_parameter(h: ArrayLike, k: ArrayLike, t: ArrayLike) -> Array:
    r"""Fin parameter of a straight fin.

    Parameters
    ----------
    h : array_like
        Heat-transfer coefficient. [W/(m2 K)]
    k : array_like
        Conductivity of the solid. [W/(m K)]
    t : array_like
        Thickness of the fin. [m]

    Returns
    -------
    m : ndarray
        Fin parameter. [1/m]

    Notes
    -----
    .. math:: m = \sqrt{2 h / (k t)}

    Long in the direction of flow beside its thickness `t`; both faces wetted.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, section 3.6.

    Examples
    --------
    >>> round(float(fin_parameter(50, 200, 0.0005)), 3)
    31.623
    """
    return _evaluate(_k.fin_parameter, h=h, k=k, t=t)


def fin_efficiency(mL: ArrayLike) -> Array:
    r"""Efficiency of a straight fin with an adiabatic tip.

    Parameters
    ----------
    mL : array_like
        Fin parameter times fin length. [1]

    Returns
    -------
    eta_f : ndarray
        Heat given off over that of a fin at the temperature of its root. [1]

    Notes
    -----
    .. math:: \eta_f = \tanh(mL) / (mL)

    For a tip that gives off heat, lengthen `L` by half the thickness. One-dimensional, uniform `h`.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, section 3.6.

    Examples
    --------
    >>> round(float(fin_efficiency(1)), 4)
    0.7616
    """
    return _evaluate(_k.fin_efficiency, mL=mL)


def surface_efficiency(eta_f: ArrayLike, fin_area_ratio: ArrayLike) -> Array:
    r"""Efficiency of a finned surface.

    Parameters
    ----------
    eta_f : array_like
        Efficiency of one fin. [1]
    fin_area_ratio : array_like
        Fin area over total wetted area. [1]

    Returns
    -------
    eta_o : ndarray
        Heat given off over that of the same area at the temperature of the base. [1]

    Notes
    -----
    .. math:: \eta_o = 1 - \frac{A_f}{A_t} (1 - \eta_f)

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, section 3.6.

    Examples
    --------
    >>> round(float(surface_efficiency(0.8, 0.5)), 4)
    0.9
    """
    return _evaluate(_k.surface_efficiency, eta_f=eta_f, fin_area_ratio=fin_area_ratio)


@_valid(**{"t/b": (0.1, INF), "a/b": (0, 0.7)})
def spreading_resistance_average(a: ArrayLike, b: ArrayLike, t: ArrayLike, k: ArrayLike, h: ArrayLike) -> Array:
    r"""Resistance of a base plate between a central source, at its mean temperature, and its far face.

    Parameters
    ----------
    a : array_like
        Radius of the source. [m]
    b : array_like
        Radius of the plate, not below `a`. [m]
    t : array_like
        Thickness of the plate. [m]
    k : array_like
        Conductivity of the plate. [W/(m K)]
    h : array_like
        Heat-transfer coefficient referred to the far face. [W/(m2 K)]

    Returns
    -------
    R : ndarray
        Mean temperature of the source minus mean temperature of the far face, over the heat. [K/W]

    Notes
    -----
    .. math::

        R = \frac{\psi}{\sqrt{\pi}\, k a}

        \psi = \frac{\epsilon \tau}{\sqrt{\pi}} + \tfrac{1}{2} (1 - \epsilon)^{3/2} \varphi, \qquad
        \varphi = \frac{\tanh(\lambda\tau) + \lambda/Bi}{1 + (\lambda/Bi) \tanh(\lambda\tau)}

        \epsilon = a/b, \quad \tau = t/b, \quad Bi = h b/k, \quad \lambda = \pi + \frac{1}{\sqrt{\pi}\,\epsilon}

    Uniform flux over the source, uniform film `h` below, the other faces adiabatic. A square of the same area is close.
    The first part of :math:`\psi` is plain conduction; the film, ``1 / (pi b^2 h)``, comes on top.
    Within 10 % of the exact series in the range, 40 % off outside it. |range|

    References
    ----------
    .. [1] S. Lee, S. Song, V. Au and K. P. Moran, Constriction/spreading resistance model for electronics packaging,
       Proc. 4th ASME/JSME Thermal Engineering Joint Conf., vol. 4, 1995, 199-206.

    Examples
    --------
    >>> round(float(spreading_resistance_average(0.01, 0.01, 0.003, 400, 1000)), 4)
    0.0239
    """
    return _evaluate(_k.spreading_resistance_average, a=a, b=b, t=t, k=k, h=h)


@_valid(**{"t/b": (0.1, INF), "a/b": (0, 0.7), "h b/k": (0, 1)})
def spreading_resistance_max(a: ArrayLike, b: ArrayLike, t: ArrayLike, k: ArrayLike, h: ArrayLike) -> Array:
    r"""Resistance of a base plate between a central source, at its highest temperature, and its far face.

    Parameters
    ----------
    a : array_like
        Radius of the source. [m]
    b : array_like
        Radius of the plate, not below `a`. [m]
    t : array_like
        Thickness of the plate. [m]
    k : array_like
        Conductivity of the plate. [W/(m K)]
    h : array_like
        Heat-transfer coefficient referred to the far face. [W/(m2 K)]

    Returns
    -------
    R : ndarray
        Highest temperature of the source minus mean temperature of the far face, over the heat. [K/W]

    Notes
    -----
    .. math::

        R = \frac{\psi}{\sqrt{\pi}\, k a}

        \psi = \frac{\epsilon \tau}{\sqrt{\pi}} + \frac{1 - \epsilon}{\sqrt{\pi}} \varphi, \qquad
        \varphi = \frac{\tanh(\lambda\tau) + \lambda/Bi}{1 + (\lambda/Bi) \tanh(\lambda\tau)}

        \epsilon = a/b, \quad \tau = t/b, \quad Bi = h b/k, \quad \lambda = \pi + \frac{1}{\sqrt{\pi}\,\epsilon}

    Uniform flux over the source, uniform film `h` below, the other faces adiabatic. A square of the same area is close.
    The first part of :math:`\psi` is plain conduction; the film, ``1 / (pi b^2 h)``, comes on top.
    Within 10 % of the exact series in the range, 40 % off outside it. |range|

    References
    ----------
    .. [1] S. Lee, S. Song, V. Au and K. P. Moran, Constriction/spreading resistance model for electronics packaging,
       Proc. 4th ASME/JSME Thermal Engineering Joint Conf., vol. 4, 1995, 199-206.

    Examples
    --------
    >>> round(float(spreading_resistance_max(0.01, 0.01, 0.003, 400, 1000)), 4)
    0.0239
    """
    return _evaluate(_k.spreading_resistance_max, a=a, b=b, t=t, k=k, h=h)


# ---------- Heat exchangers
def effectiveness_counterflow(NTU: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Effectiveness of a counterflow heat exchanger.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = \frac{1 - e^{-NTU (1 - C_r)}}{1 - C_r e^{-NTU (1 - C_r)}},
              \qquad C_r = 1: \; \varepsilon = \frac{NTU}{1 + NTU}

    Evaluated in a form without the 0/0 at ``C_r = 1``.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.29a.

    Examples
    --------
    >>> round(float(effectiveness_counterflow(1, 1)), 4)
    0.5
    """
    return _evaluate(_k.effectiveness_counterflow, NTU=NTU, C_r=C_r)


def effectiveness_parallel(NTU: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Effectiveness of a parallel-flow heat exchanger.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = \frac{1 - e^{-NTU (1 + C_r)}}{1 + C_r}

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.28a.

    Examples
    --------
    >>> round(float(effectiveness_parallel(100, 1)), 4)
    0.5
    """
    return _evaluate(_k.effectiveness_parallel, NTU=NTU, C_r=C_r)


def effectiveness_single_stream(NTU: ArrayLike) -> Array:
    r"""Effectiveness of a heat exchanger one of whose sides keeps its temperature.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = 1 - e^{-NTU}

    Any arrangement with ``C_r = 0``: condensers, evaporators, a cold plate at one temperature.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.35a.

    Examples
    --------
    >>> round(float(effectiveness_single_stream(1)), 4)
    0.6321
    """
    return _evaluate(_k.effectiveness_single_stream, NTU=NTU)


@_valid(NTU=(0, 10))
def effectiveness_crossflow_unmixed(NTU: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Effectiveness of a cross-flow heat exchanger, both sides unmixed.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = 1 - \exp \left[ \frac{NTU^{0.22}}{C_r} \left( e^{-C_r NTU^{0.78}} - 1 \right) \right]

    An approximation, some per cent off the exact series at ``C_r = 1``. Finned coils with several rows. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.32.

    Examples
    --------
    >>> round(float(effectiveness_crossflow_unmixed(1, 1)), 4)
    0.4685
    """
    return _evaluate(_k.effectiveness_crossflow_unmixed, NTU=NTU, C_r=C_r)


def effectiveness_crossflow_mixed_min(NTU: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Effectiveness of a cross-flow heat exchanger, the smaller capacity rate mixed.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = 1 - \exp \left[ -\frac{1 - e^{-C_r NTU}}{C_r} \right]

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.34.

    Examples
    --------
    >>> round(float(effectiveness_crossflow_mixed_min(1, 1)), 4)
    0.4685
    """
    return _evaluate(_k.effectiveness_crossflow_mixed_min, NTU=NTU, C_r=C_r)


def effectiveness_crossflow_mixed_max(NTU: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Effectiveness of a cross-flow heat exchanger, the larger capacity rate mixed.

    Parameters
    ----------
    NTU : array_like
        Number of transfer units, ``UA / C_min``. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    eps : ndarray
        Heat transferred over the largest possible. [1]

    Notes
    -----
    .. math:: \varepsilon = \frac{1 - \exp[-C_r (1 - e^{-NTU})]}{C_r}

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.33.

    Examples
    --------
    >>> round(float(effectiveness_crossflow_mixed_max(1, 1)), 4)
    0.4685
    """
    return _evaluate(_k.effectiveness_crossflow_mixed_max, NTU=NTU, C_r=C_r)


def ntu_counterflow(eps: ArrayLike, C_r: ArrayLike) -> Array:
    r"""Number of transfer units of a counterflow heat exchanger of known effectiveness.

    Parameters
    ----------
    eps : array_like
        Effectiveness. [1]
    C_r : array_like
        Ratio of the capacity rates, ``C_min / C_max``. [1]

    Returns
    -------
    NTU : ndarray
        ``UA / C_min``. [1]

    Notes
    -----
    .. math:: NTU = \frac{1}{1 - C_r} \ln \frac{1 - C_r \varepsilon}{1 - \varepsilon},
              \qquad C_r = 1: \; NTU = \frac{\varepsilon}{1 - \varepsilon}

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.29b.

    Examples
    --------
    >>> round(float(ntu_counterflow(0.75, 1)), 4)
    3.0
    """
    return _evaluate(_k.ntu_counterflow, eps=eps, C_r=C_r)


def lmtd(dT_1: ArrayLike, dT_2: ArrayLike) -> Array:
    r"""Logarithmic mean temperature difference.

    Parameters
    ----------
    dT_1 : array_like
        Temperature difference at one end. [K]
    dT_2 : array_like
        Temperature difference at the other end. [K]

    Returns
    -------
    dT : ndarray
        Mean difference. [K]

    Notes
    -----
    .. math:: \Delta T = \frac{\Delta T_1 - \Delta T_2}{\ln (\Delta T_1 / \Delta T_2)}

    Evaluated in a form that is exact when both ends are equal; zero when one end is.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 11.15.

    Examples
    --------
    >>> round(float(lmtd(4, 4)), 4)
    4.0
    """
    return _evaluate(_k.lmtd, dT_1=dT_1, dT_2=dT_2)


@_valid(Re=(0.1, 10000), beta=(30, 65))
def nusselt_plate_kumar(Re: ArrayLike, Pr: ArrayLike, beta: ArrayLike) -> Array:
    r"""Nusselt number of a chevron plate heat exchanger, by Kumar.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    beta : array_like
        Chevron angle from the direction of flow. [deg]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    .. math:: Nu = C_1(\beta, Re)\, Re^{m(\beta, Re)} Pr^{0.33}

    Steps of a few per cent where the table changes row. The factor ``(mu / mu_wall)^0.17`` is left
    to the caller. |range|

    References
    ----------
    .. [1] Z. H. Ayub, Plate heat exchanger literature survey, Heat Transfer Engineering 24(5), 2003, 3-16, Table 1,
       from Kumar (1984), doi:10.1080/01457630304056.

    Examples
    --------
    >>> round(float(nusselt_plate_kumar(1, 1, 30)), 4)
    0.718
    """
    return _evaluate(_k.nusselt_plate_kumar, Re=Re, Pr=Pr, beta=beta)


@_valid(Re=(0.1, 10000), beta=(30, 65))
def friction_plate_kumar(Re: ArrayLike, beta: ArrayLike) -> Array:
    r"""Friction factor of a chevron plate heat exchanger, by Kumar.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    beta : array_like
        Chevron angle from the direction of flow. [deg]

    Returns
    -------
    f_D : ndarray
        Darcy friction factor. [1]

    Notes
    -----
    .. math:: f_D = 4\, C_2(\beta, Re)\, Re^{-p(\beta, Re)}

    On the straight length from port to port. |range|

    References
    ----------
    .. [1] Z. H. Ayub, Plate heat exchanger literature survey, Heat Transfer Engineering 24(5), 2003, 3-16, Table 1,
       from Kumar (1984), doi:10.1080/01457630304056.

    Examples
    --------
    >>> round(float(friction_plate_kumar(1, 30)), 3)
    200.0
    """
    return _evaluate(_k.friction_plate_kumar, Re=Re, beta=beta)


@_valid(Re=(1000, 10000), beta=(30, 60), phi=(1, 1.5), Pr=(2, 10))
def nusselt_plate_muley_manglik(Re: ArrayLike, Pr: ArrayLike, beta: ArrayLike, phi: ArrayLike) -> Array:
    r"""Nusselt number of a chevron plate heat exchanger, by Muley and Manglik.

    Parameters
    ----------
    Re : array_like
        Reynolds number on the hydraulic diameter. [1]
    Pr : array_like
        Prandtl number. [1]
    beta : array_like
        Chevron angle from the direction of flow. [deg]
    phi : array_like
        Developed over projected area of the plate. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the hydraulic diameter. [1]

    Notes
    -----
    .. math::

        Nu = (0.2668 - 0.006967 \beta + 7.244 \cdot 10^{-5} \beta^2)
             (20.7803 - 50.9372 \phi + 41.1585 \phi^2 - 10.1507 \phi^3) Re^p Pr^{1/3}

        p = 0.728 + 0.0543 \sin(\pi\beta/45 + 3.7)

    The factor ``(mu / mu_wall)^0.14`` is left to the caller. |range|

    References
    ----------
    .. [1] A. Muley and R. M. Manglik, Experimental study of turbulent flow heat transfer and pressure drop in a plate
       heat exchanger with chevron plates, J. Heat Transfer 121, 1999, 110-117, doi:10.1115/1.2825923; digits as in
       Palm and Claesson, ICMM2005-75092.

    Examples
    --------
    >>> round(float(nusselt_plate_muley_manglik(2000, 0.7, 45, 1.18)), 3)
    36.491
    """
    return _evaluate(_k.nusselt_plate_muley_manglik, Re=Re, Pr=Pr, beta=beta, phi=phi)


# ---------- Free convection
@_valid(Ra=(0.1, 1e+12))
def nusselt_churchill_chu(Ra: ArrayLike, Pr: ArrayLike) -> Array:
    r"""Nusselt number of free convection on a vertical plate, by Churchill and Chu.

    Parameters
    ----------
    Ra : array_like
        Rayleigh number ``Gr Pr`` on the height. [1]
    Pr : array_like
        Prandtl number. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on the height of the plate. [1]

    Notes
    -----
    .. math:: Nu = \left\{ 0.825 + \frac{0.387\, Ra^{1/6}}{[1 + (0.492/Pr)^{9/16}]^{8/27}} \right\}^2

    Isothermal. |range|

    References
    ----------
    .. [1] S. W. Churchill and H. H. S. Chu, Correlating equations for laminar and turbulent free convection from a
       vertical plate, Int. J. Heat Mass Transfer 18, 1975, 1323-1329, doi:10.1016/0017-9310(75)90243-4, Eq. 9.

    Examples
    --------
    >>> round(float(nusselt_churchill_chu(0, 1)), 4)
    0.6806
    """
    return _evaluate(_k.nusselt_churchill_chu, Ra=Ra, Pr=Pr)


@_valid(Ra=(10000, 1e+11))
def nusselt_mcadams_up(Ra: ArrayLike) -> Array:
    r"""Nusselt number of free convection on a hot plate facing up.

    Parameters
    ----------
    Ra : array_like
        Rayleigh number ``Gr Pr`` on area over perimeter. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on area over perimeter. [1]

    Notes
    -----
    .. math:: Nu = \max(0.54\, Ra^{1/4},\; 0.15\, Ra^{1/3})

    McAdams changes from the first to the second at Ra 1e7 with a step of 6 %. Here the change is where they cross,
    at 4.7e6, so that there is none. Also a cold plate facing down. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eqs. 9.30 and 9.31.

    Examples
    --------
    >>> round(float(nusselt_mcadams_up(1e9)), 3)
    150.0
    """
    return _evaluate(_k.nusselt_mcadams_up, Ra=Ra)


@_valid(Ra=(100000, 1e+10))
def nusselt_mcadams_down(Ra: ArrayLike) -> Array:
    r"""Nusselt number of free convection on a hot plate facing down.

    Parameters
    ----------
    Ra : array_like
        Rayleigh number ``Gr Pr`` on area over perimeter. [1]

    Returns
    -------
    Nu : ndarray
        Nusselt number on area over perimeter. [1]

    Notes
    -----
    .. math:: Nu = 0.27\, Ra^{1/4}

    Also a cold plate facing up. |range|

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, Eq. 9.32.

    Examples
    --------
    >>> round(float(nusselt_mcadams_down(1e8)), 3)
    27.0
    """
    return _evaluate(_k.nusselt_mcadams_down, Ra=Ra)


# ---------- Boiling and condensation
@_valid(p_r=(0.001, 0.9), M=(0.002, 0.2))
def htc_cooper(q: ArrayLike, p_r: ArrayLike, M: ArrayLike, R_p: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling at a heat flux, by Cooper.

    Parameters
    ----------
    q : array_like
        Heat flux. [W/m2]
    p_r : array_like
        Pressure over critical pressure. [1]
    M : array_like
        Molar mass. [kg/mol]
    R_p : array_like
        Surface roughness (Glättungstiefe, DIN 4762); 1e-6 where unknown. [m]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math:: h = 55\, p_r^{0.12 - 0.2 \log_{10} R_p} (-\log_{10} p_r)^{-0.55} M^{-0.5} q^{0.67}

    with M in g/mol and :math:`R_p` in micrometre inside the equation.
    The surface enters by its roughness only: multiply the result for copper, silicon or enhanced surfaces. |range|

    References
    ----------
    .. [1] M. G. Cooper, Saturation nucleate pool boiling, a simple correlation, IChemE Symp. Ser. 86, 1984, 785-793.

    Examples
    --------
    >>> round(float(htc_cooper(7.2e4, 101325 / 1.8309e6, 0.33804, 1e-6)), 1)
    3348.4
    """
    return _evaluate(_k.htc_cooper, q=q, p_r=p_r, M=M, R_p=R_p)


@_valid(p_r=(0.001, 0.9), M=(0.002, 0.2))
def htc_cooper_superheat(T_e: ArrayLike, p_r: ArrayLike, M: ArrayLike, R_p: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling at a superheat, by Cooper.

    Parameters
    ----------
    T_e : array_like
        Wall superheat, ``T_wall - T_saturation``. [K]
    p_r : array_like
        Pressure over critical pressure. [1]
    M : array_like
        Molar mass. [kg/mol]
    R_p : array_like
        Surface roughness (Glättungstiefe, DIN 4762); 1e-6 where unknown. [m]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    `htc_cooper` with ``q = h T_e``, solved for h.

    .. math:: h = \left[ 55\, p_r^{0.12 - 0.2 \log_{10} R_p} (-\log_{10} p_r)^{-0.55} M^{-0.5} T_e^{0.67}
                            \right]^{1/0.33}

    The surface enters by its roughness only: multiply the result for copper, silicon or enhanced surfaces. |range|

    References
    ----------
    .. [1] M. G. Cooper, Saturation nucleate pool boiling, a simple correlation, IChemE Symp. Ser. 86, 1984, 785-793.

    Examples
    --------
    >>> round(float(htc_cooper_superheat(4.3, 101325 / 22048321, 0.01802, 1e-6)), 1)
    1558.1
    """
    return _evaluate(_k.htc_cooper_superheat, T_e=T_e, p_r=p_r, M=M, R_p=R_p)


def htc_rohsenow(q: ArrayLike, rho_l: ArrayLike, rho_v: ArrayLike, mu_l: ArrayLike, k_l: ArrayLike, c_pl: ArrayLike,
                 h_fg: ArrayLike, sigma: ArrayLike, C_sf: ArrayLike, n: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling at a heat flux, by Rohsenow.

    Parameters
    ----------
    q : array_like
        Heat flux. [W/m2]
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    mu_l : array_like
        Viscosity of the liquid. [Pa s]
    k_l : array_like
        Conductivity of the liquid. [W/(m K)]
    c_pl : array_like
        Specific heat of the liquid. [J/(kg K)]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    sigma : array_like
        Surface tension. [N/m]
    C_sf : array_like
        Constant of the liquid and surface. [1]
    n : array_like
        Exponent of the Prandtl number, 1 for water, 1.7 for others. [1]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math:: q = \mu_l h_{fg} \left[ \frac{g (\rho_l - \rho_v)}{\sigma} \right]^{1/2}
              \left( \frac{c_{pl} T_e}{C_{sf} h_{fg} Pr_l^n} \right)^3, \qquad h = q / T_e

    Good to 25 % in superheat where `C_sf` was measured.

    References
    ----------
    .. [1] W. M. Rohsenow, A method of correlating heat-transfer data for surface boiling of liquids, Trans. ASME 74,
       1952, 969-976.

    Examples
    --------
    >>> round(float(htc_rohsenow(18245.9, 957.854, 0.595593, 2.79e-4, 0.68, 4217, 2.257e6, 0.0589, 0.011, 1.26)), 1)
    3723.7
    """
    return _evaluate(_k.htc_rohsenow, q=q, rho_l=rho_l, rho_v=rho_v, mu_l=mu_l, k_l=k_l, c_pl=c_pl, h_fg=h_fg,
                     sigma=sigma, C_sf=C_sf, n=n)


def htc_rohsenow_superheat(T_e: ArrayLike, rho_l: ArrayLike, rho_v: ArrayLike, mu_l: ArrayLike, k_l: ArrayLike,
                           c_pl: ArrayLike, h_fg: ArrayLike, sigma: ArrayLike, C_sf: ArrayLike, n: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling at a superheat, by Rohsenow.

    Parameters
    ----------
    T_e : array_like
        Wall superheat, ``T_wall - T_saturation``. [K]
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    mu_l : array_like
        Viscosity of the liquid. [Pa s]
    k_l : array_like
        Conductivity of the liquid. [W/(m K)]
    c_pl : array_like
        Specific heat of the liquid. [J/(kg K)]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    sigma : array_like
        Surface tension. [N/m]
    C_sf : array_like
        Constant of the liquid and surface. [1]
    n : array_like
        Exponent of the Prandtl number, 1 for water, 1.7 for others. [1]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math:: q = \mu_l h_{fg} \left[ \frac{g (\rho_l - \rho_v)}{\sigma} \right]^{1/2}
              \left( \frac{c_{pl} T_e}{C_{sf} h_{fg} Pr_l^n} \right)^3, \qquad h = q / T_e

    Good to 25 % in superheat where `C_sf` was measured.

    References
    ----------
    .. [1] W. M. Rohsenow, A method of correlating heat-transfer data for surface boiling of liquids, Trans. ASME 74,
       1952, 969-976.

    Examples
    --------
    >>> round(float(htc_rohsenow_superheat(4.9, 957.854, 0.595593, 2.79e-4, 0.68, 4217, 2.257e6,
    ...       0.0589, 0.011, 1.26)), 1)
    3723.7
    """
    return _evaluate(_k.htc_rohsenow_superheat, T_e=T_e, rho_l=rho_l, rho_v=rho_v, mu_l=mu_l, k_l=k_l, c_pl=c_pl,
                     h_fg=h_fg, sigma=sigma, C_sf=C_sf, n=n)


@_valid(p_r=(0.0005, 0.95))
def htc_gorenflo(q: ArrayLike, p_r: ArrayLike, h_0: ArrayLike, R_a: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling, any liquid but water, by Gorenflo.

    Parameters
    ----------
    q : array_like
        Heat flux. [W/m2]
    p_r : array_like
        Pressure over critical pressure. [1]
    h_0 : array_like
        The fluid's coefficient at 20 kW/m2, ``p_r`` 0.1, `R_a` 0.4e-6 m. [W/(m2 K)]
    R_a : array_like
        Mean surface roughness; 0.4e-6 where unknown. [m]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math::

        h = h_0 \left( \frac{R_a}{0.4\,\mu m} \right)^{0.133}
            \left[ 1.2\, p_r^{0.27} + \left( 2.5 + \frac{1}{1 - p_r} \right) p_r \right]
            \left( \frac{q}{20\,kW/m^2} \right)^{0.9 - 0.3 p_r^{0.3}}

    |range|

    References
    ----------
    .. [1] D. Gorenflo, Pool boiling, in VDI Heat Atlas, 1993, chapter Ha.

    Examples
    --------
    >>> round(float(htc_gorenflo(2e4, 0.1, 4500, 0.4e-6)), 1)
    4525.0
    """
    return _evaluate(_k.htc_gorenflo, q=q, p_r=p_r, h_0=h_0, R_a=R_a)


@_valid(p_r=(0.0005, 0.95))
def htc_gorenflo_water(q: ArrayLike, p_r: ArrayLike, R_a: ArrayLike) -> Array:
    r"""Heat-transfer coefficient of nucleate pool boiling of water, by Gorenflo.

    Parameters
    ----------
    q : array_like
        Heat flux. [W/m2]
    p_r : array_like
        Pressure over critical pressure. [1]
    R_a : array_like
        Mean surface roughness; 0.4e-6 where unknown. [m]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math::

        h = 5600 \left( \frac{R_a}{0.4\,\mu m} \right)^{0.133}
            \left[ 1.73\, p_r^{0.27} + \left( 6.1 + \frac{0.68}{1 - p_r} \right) p_r^2 \right]
            \left( \frac{q}{20\,kW/m^2} \right)^{0.9 - 0.3 p_r^{0.15}}

    |range|

    References
    ----------
    .. [1] D. Gorenflo, Pool boiling, in VDI Heat Atlas, 1993, chapter Ha.

    Examples
    --------
    >>> round(float(htc_gorenflo_water(2e4, 3e5 / 22048320, 0.4e-6)), 1)
    3043.3
    """
    return _evaluate(_k.htc_gorenflo_water, q=q, p_r=p_r, R_a=R_a)


@_valid(K=(0.118, 0.18))
def chf_zuber(rho_l: ArrayLike, rho_v: ArrayLike, h_fg: ArrayLike, sigma: ArrayLike, K: ArrayLike) -> Array:
    r"""Critical heat flux of saturated pool boiling, by Zuber.

    Parameters
    ----------
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    sigma : array_like
        Surface tension. [N/m]
    K : array_like
        Zuber's constant: 0.131 infinite plate, 0.149 Lienhard and Dhir. [1]

    Returns
    -------
    q : ndarray
        Critical heat flux. [W/m2]

    Notes
    -----
    .. math:: q = K h_{fg} \rho_v^{1/2} [g \sigma (\rho_l - \rho_v)]^{1/4}

    Large horizontal surface facing up. |range|

    References
    ----------
    .. [1] W. M. Rohsenow, J. P. Hartnett and Y. I. Cho, Handbook of Heat Transfer, 3rd ed., McGraw-Hill, 1998, ch.
       15.

    Examples
    --------
    >>> round(float(chf_zuber(1619.8, 13.36, 84515, 8.2432e-3, 0.131)), 1)
    136608.8
    """
    return _evaluate(_k.chf_zuber, rho_l=rho_l, rho_v=rho_v, h_fg=h_fg, sigma=sigma, K=K)


@_valid(contact_angle=(20, 110), tilt=(0, 90))
def chf_kandlikar(rho_l: ArrayLike, rho_v: ArrayLike, h_fg: ArrayLike, sigma: ArrayLike, contact_angle: ArrayLike,
                  tilt: ArrayLike) -> Array:
    r"""Critical heat flux of saturated pool boiling with contact angle and tilt, by Kandlikar.

    Parameters
    ----------
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    sigma : array_like
        Surface tension. [N/m]
    contact_angle : array_like
        Receding contact angle. [deg]
    tilt : array_like
        Surface from horizontal, facing up; 90 is vertical. [deg]

    Returns
    -------
    q : ndarray
        Critical heat flux. [W/m2]

    Notes
    -----
    `chf_zuber` with

    .. math:: K = \frac{1 + \cos\beta}{16} \left[ \frac{2}{\pi} + \frac{\pi}{4} (1 + \cos\beta) \cos\phi \right]^{1/2}

    for the contact angle :math:`\beta` and the tilt :math:`\phi`. |range|

    References
    ----------
    .. [1] S. G. Kandlikar, A theoretical model to predict pool boiling CHF incorporating effects of contact angle and
       orientation, J. Heat Transfer 123, 2001, 1071-1079, doi:10.1115/1.1409265.

    Examples
    --------
    >>> round(float(chf_kandlikar(1619.8, 13.36, 84515, 8.2432e-3, 90, 90)), 1)
    52002.9
    """
    return _evaluate(_k.chf_kandlikar, rho_l=rho_l, rho_v=rho_v, h_fg=h_fg, sigma=sigma, contact_angle=contact_angle,
                     tilt=tilt)


def chf_subcooling_factor(rho_l: ArrayLike, rho_v: ArrayLike, c_pl: ArrayLike, h_fg: ArrayLike,
                          dT_sub: ArrayLike) -> Array:
    r"""Critical heat flux of a subcooled pool over that of a saturated one, by Ivey and Morris.

    Parameters
    ----------
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    c_pl : array_like
        Specific heat of the liquid. [J/(kg K)]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    dT_sub : array_like
        Subcooling of the pool. [K]

    Returns
    -------
    factor : ndarray
        Ratio of the critical heat fluxes. [1]

    Notes
    -----
    .. math:: 1 + 0.1 \left( \frac{\rho_l}{\rho_v} \right)^{3/4} \frac{c_{pl} \Delta T_{sub}}{h_{fg}}

    References
    ----------
    .. [1] H. J. Ivey and D. J. Morris, On the relevance of the vapour-liquid exchange mechanism for sub-cooled
       boiling heat transfer at high pressure, AEEW-R 137, 1962.

    Examples
    --------
    >>> round(float(chf_subcooling_factor(1600, 100, 1000, 8e4, 10)), 4)
    1.1
    """
    return _evaluate(_k.chf_subcooling_factor, rho_l=rho_l, rho_v=rho_v, c_pl=c_pl, h_fg=h_fg, dT_sub=dT_sub)


def htc_nusselt_film(dT: ArrayLike, rho_l: ArrayLike, rho_v: ArrayLike, k_l: ArrayLike, mu_l: ArrayLike,
                     h_fg: ArrayLike, L: ArrayLike) -> Array:
    r"""Mean heat-transfer coefficient of a laminar condensate film on a vertical wall, by Nusselt.

    Parameters
    ----------
    dT : array_like
        Saturation minus wall temperature. [K]
    rho_l : array_like
        Density of the liquid. [kg/m3]
    rho_v : array_like
        Density of the vapour, below `rho_l`. [kg/m3]
    k_l : array_like
        Conductivity of the liquid. [W/(m K)]
    mu_l : array_like
        Viscosity of the liquid. [Pa s]
    h_fg : array_like
        Heat of vaporisation. [J/kg]
    L : array_like
        Height of the wall. [m]

    Returns
    -------
    h : ndarray
        Heat-transfer coefficient. [W/(m2 K)]

    Notes
    -----
    .. math:: h = \frac{2\sqrt{2}}{3} \left[ \frac{g \rho_l (\rho_l - \rho_v) h_{fg} k_l^3}{\mu_l \Delta T L}
              \right]^{1/4}

    Pure vapour at rest, film Re below about 30 (ripples add up to 20 % beyond). For the sensible heat of the film pass
    ``h_fg + 0.68 c_pl dT``.

    References
    ----------
    .. [1] F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed., Wiley, 2007, section 10.7.

    Examples
    --------
    >>> round(float(htc_nusselt_film(20, 585, 7, 0.091, 158.9e-6, 776900, 0.1)), 1)
    1482.2
    """
    return _evaluate(_k.htc_nusselt_film, dT=dT, rho_l=rho_l, rho_v=rho_v, k_l=k_l, mu_l=mu_l, h_fg=h_fg, L=L)


# ---------- Moist air
@_valid(T=(-100, 200))
def saturation_pressure(T: ArrayLike) -> Array:
    r"""Saturation pressure of water, over ice below 0 degC, by Hyland and Wexler.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]

    Returns
    -------
    p_ws : ndarray
        Saturation pressure. [Pa]

    Notes
    -----
    .. math:: \ln p_{ws} = c_0/T + c_1 + c_2 T + c_3 T^2 + c_4 T^3 \,(+\, c_5 T^4) + c_6 \ln T, \qquad T \text{ in K}

    |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eqs. 5 and 6.

    Examples
    --------
    >>> round(float(saturation_pressure(100)), 1)
    101418.7
    """
    return _evaluate(_k.saturation_pressure, T=T)


@_valid(T=(-100, 200))
def dew_point(T: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Temperature at which air of this humidity would be saturated.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    T_dew : ndarray
        Dew point; frost point below 0 degC; -273.15 in dry air. [degC]

    Notes
    -----
    The inverse of `saturation_pressure` at the vapour pressure, to rounding. |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eqs. 5 and 6.

    Examples
    --------
    >>> round(float(dew_point(25, 1)), 3)
    25.0
    """
    return _evaluate(_k.dew_point, T=T, relative_humidity=relative_humidity)


@_valid(T=(-20, 80), p=(50000, 120000))
def humidity_ratio(T: ArrayLike, p: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Mass of water vapour per mass of dry air.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    p : array_like
        Total pressure. [Pa]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    W : ndarray
        Humidity ratio. [1]

    Notes
    -----
    .. math:: W = 0.622\, p_v / (p - p_v), \qquad p_v = \phi\, p_{ws}(T)

    Ideal gases (0.4 % low in the vapour pressure at 1 atm). |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eq. 20.

    Examples
    --------
    >>> round(float(humidity_ratio(25, 101325, 0)), 4)
    0.0
    """
    return _evaluate(_k.humidity_ratio, T=T, p=p, relative_humidity=relative_humidity)


@_valid(T=(-20, 80), p=(50000, 120000))
def air_density(T: ArrayLike, p: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Density of moist air.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    p : array_like
        Total pressure. [Pa]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    rho : ndarray
        Density. [kg/m3]

    Notes
    -----
    .. math:: \rho = \frac{1}{T} \left( \frac{p - p_v}{287.055} + \frac{p_v}{461.523} \right), \qquad T \text{ in K}

    Ideal gases: 0.05 % at 1 atm. |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eqs. 7 and 8.

    Examples
    --------
    >>> round(float(air_density(25, 101325, 0)), 4)
    1.1839
    """
    return _evaluate(_k.air_density, T=T, p=p, relative_humidity=relative_humidity)


@_valid(T=(-20, 80), p=(50000, 120000))
def air_heat_capacity(T: ArrayLike, p: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Specific heat of moist air, per mass of the mixture.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    p : array_like
        Total pressure. [Pa]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    c_p : ndarray
        Specific heat. [J/(kg K)]

    Notes
    -----
    .. math:: c_p = \frac{1006 + 1860\, W}{1 + W}

    |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eq. 30.

    Examples
    --------
    >>> round(float(air_heat_capacity(25, 101325, 0)), 1)
    1006.0
    """
    return _evaluate(_k.air_heat_capacity, T=T, p=p, relative_humidity=relative_humidity)


@_valid(T=(-20, 80), p=(50000, 120000))
def air_viscosity(T: ArrayLike, p: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Dynamic viscosity of moist air.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    p : array_like
        Total pressure. [Pa]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    mu : ndarray
        Viscosity. [Pa s]

    Notes
    -----
    .. math:: \mu = \frac{x_a \mu_a}{x_a + x_v \Phi_{av}} + \frac{x_v \mu_v}{x_v + x_a \Phi_{va}}, \qquad
              \mu_a = \frac{1.458 \cdot 10^{-6}\, T^{3/2}}{T + 110.4}

    with x the mole fraction and :math:`\Phi` Wilke's factor from the viscosities and molar masses. Dry air by the U.S.
    Standard Atmosphere, vapour by Tsilingiris. |range|

    References
    ----------
    .. [1] P. T. Tsilingiris, Thermophysical and transport properties of humid air at temperature range between 0 and
       100 °C, Energy Conversion and Management 49, 2008, 1098-1110, doi:10.1016/j.enconman.2007.09.015.
    .. [2] U.S. Standard Atmosphere, 1976, NASA-TM-X-74335, Eq. 51.

    Examples
    --------
    >>> f"{air_viscosity(25, 101325, 0):.3e}"
    '1.837e-05'
    """
    return _evaluate(_k.air_viscosity, T=T, p=p, relative_humidity=relative_humidity)


@_valid(T=(-20, 80), p=(50000, 120000))
def air_conductivity(T: ArrayLike, p: ArrayLike, relative_humidity: ArrayLike) -> Array:
    r"""Thermal conductivity of moist air.

    Parameters
    ----------
    T : array_like
        Temperature. [degC]
    p : array_like
        Total pressure. [Pa]
    relative_humidity : array_like
        Vapour pressure over saturation pressure. [1]

    Returns
    -------
    k : ndarray
        Conductivity. [W/(m K)]

    Notes
    -----
    .. math:: k = \frac{x_a k_a}{x_a + x_v \Phi_{av}} + \frac{x_v k_v}{x_v + x_a \Phi_{va}}, \qquad
              k_a = \frac{2.64638 \cdot 10^{-3}\, T^{3/2}}{T + 245.4 \cdot 10^{-12/T}}

    with x the mole fraction and :math:`\Phi` Wilke's factor from the viscosities and molar masses. Dry air by the U.S.
    Standard Atmosphere, vapour by Tsilingiris. |range|

    References
    ----------
    .. [1] P. T. Tsilingiris, Thermophysical and transport properties of humid air at temperature range between 0 and
       100 °C, Energy Conversion and Management 49, 2008, 1098-1110, doi:10.1016/j.enconman.2007.09.015.
    .. [2] U.S. Standard Atmosphere, 1976, NASA-TM-X-74335, Eq. 53.

    Examples
    --------
    >>> round(float(air_conductivity(25, 101325, 0)), 4)
    0.0261
    """
    return _evaluate(_k.air_conductivity, T=T, p=p, relative_humidity=relative_humidity)


@_valid(altitude=(0, 11000))
def standard_pressure(altitude: ArrayLike) -> Array:
    r"""Pressure of the standard atmosphere.

    Parameters
    ----------
    altitude : array_like
        Height above sea level. [m]

    Returns
    -------
    p : ndarray
        Pressure. [Pa]

    Notes
    -----
    .. math:: p = 101325\, (1 - 2.25577 \cdot 10^{-5} z)^{5.25588}

    |range|

    References
    ----------
    .. [1] ASHRAE Handbook, Fundamentals, 2017, ch. 1, Eq. 3.

    Examples
    --------
    >>> round(float(standard_pressure(0)), 1)
    101325.0
    """
    return _evaluate(_k.standard_pressure, altitude=altitude)

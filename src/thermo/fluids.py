r"""Coolants: properties against temperature, as short polynomials with their error and range.

Each property is :math:`\sum_n c_n x^n` with ``x`` running from -1 to 1 over the fluid's range; of viscosity it is the
logarithm. The library's numbers are fitted by ``tools/make_fluids.py`` to the source that each file names, and carry the
largest relative deviation from it (`error_of`). Liquids at the pressure of a loop, some 2 to 5 bar: none of these
properties moves by more than 0.1 % there.

Liquids for tanks are oils and fluorinated liquids of which mostly two viscosities are known: `walther` draws the curve through
them. `error_of` is then the error of the fit to that curve; how far the curve itself is trusted is the mark at each number.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from thermo._provenance import Provenance
from thermo.errors import ScenarioError
from thermo.rack import Celsius, Described, Identifier, Number, Share

__all__ = ["PROPERTIES", "Fluid", "as_fluid", "fitted", "walther"]

Floats = NDArray[np.float64]
ZERO_CELSIUS = 273.15  # K
LOOP_PRESSURE = 2e5  # Pa, of the tables
DEGREE = 5  # of the fits
FIT_POINTS = 201
THINNEST, THICKEST = 0.21e-6, 2e-2  # m2/s, between which ASTM D341 vouches for its law
NEWTON = 12  # steps, of which six reach rounding
PROPERTIES = ("density", "heat_capacity", "conductivity", "viscosity")
Series = Annotated[tuple[Annotated[Number, Field(allow_inf_nan=False)], ...], Field(min_length=1, max_length=12)]
SmallShare = Annotated[Number, Field(ge=0, le=0.05)]


class Fluid(Described):
    """A liquid coolant. Properties take degC, scalars or arrays, and refuse what lies outside the fluid's range."""

    name: Identifier
    title: str = ""
    mass_fraction: Share = 0.0  # of the glycol
    freezing_point: Annotated[Number, Field(ge=-200, le=250, allow_inf_nan=False)]  # degC; of oils the pour point
    lowest_temperature: Celsius
    highest_temperature: Celsius
    density_series: Series  # kg/m3
    heat_capacity_series: Series  # J/(kg K)
    conductivity_series: Series  # W/(m K)
    log_viscosity_series: Series  # of the viscosity in Pa s
    density_error: SmallShare  # largest relative deviation from the source, over the range
    heat_capacity_error: SmallShare
    conductivity_error: SmallShare
    viscosity_error: SmallShare
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _liquid(self) -> Self:
        if self.highest_temperature - self.lowest_temperature < 1:
            raise ValueError("highest_temperature must be above lowest_temperature by 1 K or more")
        if self.lowest_temperature < self.freezing_point - 1e-9:
            raise ValueError(f"lowest_temperature {self.lowest_temperature:g} degC is below the freezing_point "
                             f"{self.freezing_point:g} degC")
        T = np.linspace(self.lowest_temperature, self.highest_temperature, 65)
        for name in PROPERTIES:
            if np.any(getattr(self, name)(T) <= 0):
                raise ValueError(f"{name} is not above 0 everywhere between {T[0]:g} and {T[-1]:g} degC")
        if np.any(np.diff(self.viscosity(T)) >= 0):
            raise ValueError("viscosity must fall with temperature")
        return self

    @classmethod
    def from_library(cls, name: str) -> Fluid:
        """The library's fluid of that name, e.g. ``Fluid.from_library("pg25")``."""
        from thermo import library

        found: Fluid = library.load("fluids", name)
        return found

    @classmethod
    def from_coolprop(cls, fluid: str, *, name: str, low: float, high: float, mass_fraction: float = 0.0,
                      freezing_point: float | None = None) -> Fluid:
        """A fluid that CoolProp knows, fitted over a range; needs the extra ``props``.

        Parameters
        ----------
        fluid : str
            As CoolProp calls it, e.g. ``"INCOMP::MPG[0.3]"``.
        name : str
            What it is called here.
        low, high : float
            Range. [degC]
        mass_fraction : float
            Of the glycol, for the record. [1]
        freezing_point : float, optional
            Where CoolProp does not tell it. [degC]

        Raises
        ------
        ScenarioError
            If CoolProp is not installed, does not know the fluid, or lacks a property in the range.
        """
        try:
            from CoolProp.CoolProp import PropsSI
        except ImportError:
            raise ScenarioError(f"fluid {name!r}: CoolProp is not installed; pip install 'thermo-dc[props]'") from None

        def source(key: str) -> Callable[[Floats], Floats]:
            return lambda T: np.asarray(PropsSI(key, "T", T + ZERO_CELSIUS, "P", LOOP_PRESSURE, fluid), dtype=np.float64)

        try:
            if freezing_point is None:
                freezing_point = float(PropsSI("T_FREEZE", "T", 300.0, "P", LOOP_PRESSURE, fluid)) - ZERO_CELSIUS
            return fitted(name, {p: source(key) for p, key in zip(PROPERTIES, "DCLV", strict=True)}, low, high,
                          mass_fraction=mass_fraction, freezing_point=freezing_point, title=f"CoolProp {fluid}")
        except ValueError as error:
            if isinstance(error, ScenarioError):
                raise
            raise ScenarioError(f"fluid {name!r}: CoolProp: {str(error)[:200]}") from None

    def density(self, T: ArrayLike) -> Floats:
        """Density [kg/m3] at `T` [degC]."""
        return _at(self, self.density_series, T)

    def heat_capacity(self, T: ArrayLike) -> Floats:
        """Specific heat [J/(kg K)] at `T` [degC]."""
        return _at(self, self.heat_capacity_series, T)

    def conductivity(self, T: ArrayLike) -> Floats:
        """Conductivity [W/(m K)] at `T` [degC]."""
        return _at(self, self.conductivity_series, T)

    def viscosity(self, T: ArrayLike) -> Floats:
        """Dynamic viscosity [Pa s] at `T` [degC]."""
        return np.exp(_at(self, self.log_viscosity_series, T))

    def prandtl(self, T: ArrayLike) -> Floats:
        """Prandtl number [1] at `T` [degC]."""
        return self.viscosity(T) * self.heat_capacity(T) / self.conductivity(T)

    def expansion(self, T: ArrayLike) -> Floats:
        """Volumetric expansion ``-(d rho / d T) / rho`` [1/K] at `T` [degC], the slope of the density's own curve."""
        slope = np.polynomial.polynomial.polyder(np.asarray(self.density_series)) * 2 / (self.highest_temperature - self.lowest_temperature)
        return -_at(self, tuple(slope.tolist()), T) / self.density(T)

    def error_of(self, name: str) -> float:
        """Largest relative deviation of a property from its source, over the range. [1]"""
        if name not in PROPERTIES:
            raise ScenarioError(f"a fluid has no {name!r}, only {', '.join(PROPERTIES)}")
        return float(getattr(self, f"{name}_error"))


def as_fluid(value: Any) -> Any:
    """The library's coolant of a name; anything else as it is, for a description to check."""
    return Fluid.from_library(value) if isinstance(value, str) else value


def _at(fluid: Fluid, series: tuple[float, ...], T: ArrayLike) -> Floats:
    at = np.asarray(T, dtype=np.float64)
    low, high = fluid.lowest_temperature, fluid.highest_temperature
    outside = ~((at >= low) & (at <= high))  # NaN is outside
    if np.any(outside):
        worst = float(at[outside].flat[0]) if at.ndim else float(at)
        hint = "; is it in kelvin?" if 250 < worst < 450 else "; it freezes there" if worst < low else ""
        raise ScenarioError(f"{fluid.name}: temperature is {worst:g} degC, its properties are known from {low:g} to {high:g} degC{hint}")
    x = (2 * at - (low + high)) / (high - low)
    return np.asarray(np.polynomial.polynomial.polyval(x, series))


def walther(T: ArrayLike, first: tuple[float, float], second: tuple[float, float]) -> Floats:
    r"""Kinematic viscosity of a liquid by Walther's law through two of its viscosities.

    Parameters
    ----------
    T : array_like, shape (...)
        Temperature. [degC]
    first, second : tuple of float
        A temperature and the kinematic viscosity there. [degC], [m2/s]

    Returns
    -------
    nu : ndarray, shape (...)
        Kinematic viscosity. [m2/s]

    Raises
    ------
    ScenarioError
        If a viscosity lies outside 0.21 to 20,000 mm2/s, the two temperatures are equal, or viscosity does not fall.

    Notes
    -----
    .. math:: \log_{10} \log_{10} Z = A - B \log_{10} T, \qquad Z = \nu + 0.7 + e^{-1.47 - 1.84 \nu - 0.51 \nu^2}

    with :math:`\nu` in mm2/s and `T` in K. The exponential counts below 2 mm2/s, where fluorinated liquids are; :math:`\nu` is
    found from `Z` by Newton's method, not by the standard's approximate inverse. Between its points the law holds a few
    percent; beyond them, towards the pour point above all, it tells too little: waxes and ends of range thicken more.

    References
    ----------
    .. [1] ASTM D341-20, Standard practice for viscosity-temperature equations and charts for liquid petroleum or hydrocarbon
       products.

    Examples
    --------
    >>> round(1e6 * float(walther(40.0, (40.0, 17e-6), (100.0, 4e-6))), 9)
    17.0
    """
    at = np.asarray(T, dtype=np.float64)
    (T_1, nu_1), (T_2, nu_2) = sorted((first, second))
    for nu in (nu_1, nu_2):
        if not THINNEST <= nu <= THICKEST:
            hint = "; is it in mm2/s?" if nu > THICKEST else ""
            raise ScenarioError(f"walther: viscosity is {nu:g} m2/s, expected {THINNEST:g} to {THICKEST:g} m2/s{hint}")
    if not (T_2 > T_1 and nu_2 < nu_1):
        raise ScenarioError(f"walther: {nu_1:g} m2/s at {T_1:g} degC and {nu_2:g} m2/s at {T_2:g} degC: viscosity must fall with temperature")

    def doubly_logarithmic(nu: float) -> float:
        return float(np.log10(np.log10(_walther_z(np.asarray(1e6 * nu)))))

    x, W = np.log10(np.array([T_1, T_2]) + ZERO_CELSIUS), (doubly_logarithmic(nu_1), doubly_logarithmic(nu_2))
    Z = 10 ** 10 ** (W[0] + (W[1] - W[0]) / (x[1] - x[0]) * (np.log10(at + ZERO_CELSIUS) - x[0]))
    nu_mm = np.maximum(Z - 0.7, 0.01)
    for _ in range(NEWTON):
        bent = np.exp(-1.47 - 1.84 * nu_mm - 0.51 * nu_mm**2)
        nu_mm = np.maximum(nu_mm - (nu_mm + 0.7 + bent - Z) / (1 - bent * (1.84 + 1.02 * nu_mm)), 1e-3)
    return np.asarray(1e-6 * nu_mm)


def _walther_z(nu_mm: Floats) -> Floats:
    return np.asarray(nu_mm + 0.7 + np.exp(-1.47 - 1.84 * nu_mm - 0.51 * nu_mm**2))


def fitted(name: str, source: Mapping[str, Callable[[Floats], Floats]], low: float, high: float, *, freezing_point: float,
           mass_fraction: float = 0.0, title: str = "", degree: int = DEGREE) -> Fluid:
    """A fluid whose properties are fitted to functions of temperature.

    Parameters
    ----------
    name : str
        Of the fluid.
    source : mapping
        For each of `PROPERTIES` a function of an array of temperatures [degC].
    low, high : float
        Range of the fit. [degC]
    freezing_point : float
        [degC]
    mass_fraction : float
        Of the glycol. [1]
    title : str
        What it is.
    degree : int
        Of the polynomials, up to 11; a viscosity that changes a hundredfold wants 8. [1]
    """
    T = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.linspace(0, np.pi, FIT_POINTS))
    x = (2 * T - (low + high)) / (high - low)
    data: dict[str, Any] = {}
    for prop in PROPERTIES:
        value = np.asarray(source[prop](T), dtype=np.float64)
        if not np.all(np.isfinite(value) & (value > 0)):
            raise ScenarioError(f"fluid {name!r}: {prop} is not known everywhere between {low:g} and {high:g} degC")
        log = prop == "viscosity"
        wanted = np.log(value) if log else value
        series = np.polynomial.polynomial.polyfit(x, wanted, degree, w=None if log else 1 / value)
        series = np.array([float(f"{c:.10g}") for c in series])
        found = np.polynomial.polynomial.polyval(x, series)
        data[f"log_{prop}_series" if log else f"{prop}_series"] = tuple(float(c) for c in series)
        data[f"{prop}_error"] = float(f"{np.max(np.abs((np.exp(found) if log else found) / value - 1)):.2g}")
    return Fluid(name=name, title=title, mass_fraction=mass_fraction, freezing_point=freezing_point, lowest_temperature=low,
                 highest_temperature=high, **data)

"""Liquids that boil: properties along the saturation line, as short polynomials with their error and range (see `thermo.fluids`).

Used for what boils in plates (`thermo.cooling.two_phase_plate`), in tanks (`thermo.cooling.boiling`) and condenses above them
(`thermo.cooling.condenser`). Each property is :math:`\\sum_n c_n x^n` with ``x`` running from -1 to 1 over the fluid's range, or the
logarithm of that where the field's name says so. The library's numbers are made by ``tools/make_refrigerants.py``.

A fluid of which only a boiling point, a heat of vaporisation and a slope of the vapour pressure are known is made consistent: its
vapour's density is what Clapeyron's equation makes of the three, not a fourth estimate.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from thermo._provenance import Provenance
from thermo.errors import ScenarioError
from thermo.fluids import Series, SmallShare
from thermo.rack import Celsius, Described, Identifier, NotNegative, Number, Positive

__all__ = ["GAS_CONSTANT", "Refrigerant", "Saturation"]

Floats = NDArray[np.float64]
GAS_CONSTANT = 8.314462618  # J/(mol K)
BISECTIONS, NEWTON = 12, 6  # for the saturation temperature: 2^-12 of the range, then quadratic


class Refrigerant(Described):
    """A boiling liquid along its saturation line. Properties take degC, scalars or arrays, and refuse what lies outside the range."""

    name: Identifier
    title: str = ""
    molar_mass: Annotated[Number, Field(gt=0, lt=1)]  # kg/mol
    critical_pressure: Positive
    lowest_temperature: Celsius
    highest_temperature: Celsius
    log_pressure_series: Series
    liquid_density_series: Series
    log_vapour_density_series: Series
    latent_heat_series: Series
    liquid_heat_capacity_series: Series
    vapour_heat_capacity_series: Series
    liquid_conductivity_series: Series
    vapour_conductivity_series: Series
    log_liquid_viscosity_series: Series
    log_vapour_viscosity_series: Series
    surface_tension_series: Series
    price: NotNegative | None = None  # USD for a kilogram, in bulk; None: not known
    fit_error: SmallShare  # largest relative deviation of any property from its source
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _below_critical(self) -> Self:
        if self.highest_temperature - self.lowest_temperature < 1:
            raise ValueError("highest_temperature must be above lowest_temperature by 1 K or more")
        ends = [Saturation.at(self, T) for T in (self.lowest_temperature, self.highest_temperature)]
        if not (ends[0].pressure < ends[1].pressure < self.critical_pressure and ends[1].vapour_density < ends[1].liquid_density):
            raise ValueError("the saturation line must rise, and end below the critical_pressure")
        return self

    @classmethod
    def from_library(cls, name: str) -> Refrigerant:
        """The library's refrigerant of that name, e.g. ``Refrigerant.from_library("r1233zd-e")``."""
        from thermo import library

        found: Refrigerant = library.load("refrigerants", name)
        return found

    def saturation_pressure(self, T: ArrayLike) -> Floats:
        """Pressure of the vapour above its liquid [Pa] at `T` [degC]."""
        return np.exp(self._at(self.log_pressure_series, T))

    def pressure_slope(self, T: ArrayLike) -> Floats:
        """How fast that pressure rises [Pa/K] at `T` [degC]."""
        return self.saturation_pressure(T) * self._slope(self.log_pressure_series, T)

    def saturation_temperature(self, p: ArrayLike) -> Floats:
        """Temperature [degC] at which the liquid boils at `p` [Pa]; the other way round of `saturation_pressure`, to rounding."""
        at = np.asarray(p, dtype=np.float64)
        low, high = (float(self.saturation_pressure(T)) for T in (self.lowest_temperature, self.highest_temperature))
        within = (at >= low * (1 - 1e-12)) & (at <= high * (1 + 1e-12))
        if not np.all(within):
            worst = float(at[~within].flat[0])
            raise ScenarioError(f"{self.name}: pressure is {worst:g} Pa, its saturation line is known from {low:g} to {high:g} Pa "
                                f"({self.lowest_temperature:g} to {self.highest_temperature:g} degC)")
        cold, warm = np.full_like(at, self.lowest_temperature), np.full_like(at, self.highest_temperature)
        wanted = np.log(np.clip(at, low, high))
        for _ in range(BISECTIONS):
            T = 0.5 * (cold + warm)
            above = self._at(self.log_pressure_series, T) > wanted
            cold, warm = np.where(above, cold, T), np.where(above, T, warm)
        T = 0.5 * (cold + warm)
        for _ in range(NEWTON):
            T = T - (self._at(self.log_pressure_series, T) - wanted) / self._slope(self.log_pressure_series, T)
            T = np.clip(T, self.lowest_temperature, self.highest_temperature)
        return np.asarray(T)

    def liquid_density(self, T: ArrayLike) -> Floats:
        """Density of the liquid [kg/m3] at `T` [degC]."""
        return self._at(self.liquid_density_series, T)

    def liquid_expansion(self, T: ArrayLike) -> Floats:
        """Volumetric expansion of the liquid along the saturation line [1/K] at `T` [degC]."""
        return -self._slope(self.liquid_density_series, T) / self.liquid_density(T)

    def vapour_density(self, T: ArrayLike) -> Floats:
        """Density of the saturated vapour [kg/m3] at `T` [degC]."""
        return np.exp(self._at(self.log_vapour_density_series, T))

    def latent_heat(self, T: ArrayLike) -> Floats:
        """Heat of vaporisation [J/kg] at `T` [degC]."""
        return self._at(self.latent_heat_series, T)

    def liquid_heat_capacity(self, T: ArrayLike) -> Floats:
        """Specific heat of the liquid [J/(kg K)] at `T` [degC]."""
        return self._at(self.liquid_heat_capacity_series, T)

    def liquid_enthalpy(self, T: ArrayLike) -> Floats:
        """Heat that warms the liquid from the lowest temperature of its range to `T` [J/kg]; the integral of its specific heat."""
        whole = np.polynomial.polynomial.polyint(np.asarray(self.liquid_heat_capacity_series), lbnd=-1)
        half = 0.5 * (self.highest_temperature - self.lowest_temperature)
        return np.asarray(half * np.polynomial.polynomial.polyval(self._x(T), whole))

    def liquid_conductivity(self, T: ArrayLike) -> Floats:
        """Conductivity of the liquid [W/(m K)] at `T` [degC]."""
        return self._at(self.liquid_conductivity_series, T)

    def liquid_viscosity(self, T: ArrayLike) -> Floats:
        """Dynamic viscosity of the liquid [Pa s] at `T` [degC]."""
        return np.exp(self._at(self.log_liquid_viscosity_series, T))

    def latent_heat_slope(self, T: ArrayLike) -> Floats:
        """How the heat of vaporisation changes [J/(kg K)] at `T` [degC]."""
        return self._slope(self.latent_heat_series, T)

    def vapour_density_slope(self, T: ArrayLike) -> Floats:
        """How the density of the saturated vapour changes [kg/(m3 K)] at `T` [degC]."""
        return self.vapour_density(T) * self._slope(self.log_vapour_density_series, T)

    def surface_tension(self, T: ArrayLike) -> Floats:
        """Surface tension [N/m] at `T` [degC]."""
        return self._at(self.surface_tension_series, T)

    def _x(self, T: ArrayLike) -> Floats:
        at = np.asarray(T, dtype=np.float64)
        low, high = self.lowest_temperature, self.highest_temperature
        outside = ~((at >= low) & (at <= high))  # NaN is outside
        if np.any(outside):
            worst = float(at[outside].flat[0]) if at.ndim else float(at)
            hint = "; is it in kelvin?" if 250 < worst < 450 else ""
            raise ScenarioError(f"{self.name}: temperature is {worst:g} degC, its saturation line is known from {low:g} to {high:g} "
                                f"degC{hint}")
        return np.asarray((2 * at - (low + high)) / (high - low))

    def _at(self, series: tuple[float, ...], T: ArrayLike) -> Floats:
        return np.asarray(np.polynomial.polynomial.polyval(self._x(T), series))

    def _slope(self, series: tuple[float, ...], T: ArrayLike) -> Floats:
        slope = np.polynomial.polynomial.polyder(np.asarray(series)) * 2 / (self.highest_temperature - self.lowest_temperature)
        return np.asarray(np.polynomial.polynomial.polyval(self._x(T), slope))


@dataclass(frozen=True)
class Saturation:
    """A refrigerant at one saturation temperature."""

    pressure: float  # Pa
    reduced_pressure: float
    molar_mass: float  # kg/mol
    liquid_density: float  # kg/m3
    vapour_density: float
    latent_heat: float  # J/kg
    heat_capacity: float  # of the liquid, J/(kg K)
    conductivity: float  # of the liquid, W/(m K)
    liquid_viscosity: float  # Pa s
    vapour_viscosity: float
    vapour_heat_capacity: float  # J/(kg K)
    vapour_conductivity: float  # W/(m K)
    surface_tension: float  # N/m
    expansion: float  # of the liquid, 1/K

    @classmethod
    def at(cls, fluid: Refrigerant, temperature: float) -> Saturation:
        """The refrigerant boiling at degC."""
        def value(series: tuple[float, ...]) -> float:
            return float(fluid._at(series, temperature))

        p = float(fluid.saturation_pressure(temperature))
        return cls(p, p / fluid.critical_pressure, fluid.molar_mass, value(fluid.liquid_density_series),
                   float(np.exp(value(fluid.log_vapour_density_series))), value(fluid.latent_heat_series),
                   value(fluid.liquid_heat_capacity_series), value(fluid.liquid_conductivity_series),
                   float(np.exp(value(fluid.log_liquid_viscosity_series))), float(np.exp(value(fluid.log_vapour_viscosity_series))),
                   value(fluid.vapour_heat_capacity_series), value(fluid.vapour_conductivity_series), value(fluid.surface_tension_series),
                   float(fluid.liquid_expansion(temperature)))

    @property
    def prandtl(self) -> float:
        """Prandtl number of the liquid [1]."""
        return self.liquid_viscosity * self.heat_capacity / self.conductivity

    @property
    def capillary_length(self) -> float:
        """``sqrt(sigma / (g (rho_l - rho_v)))``, to which sizes of bubbles and of heaters are compared [m]."""
        return float(np.sqrt(self.surface_tension / (9.80665 * (self.liquid_density - self.vapour_density))))

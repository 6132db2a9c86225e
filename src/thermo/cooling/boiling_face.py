r"""The boiling faces of a server in a tank: how large a plate is, and its curve as the engine takes it.

A wall that boils gives off a heat that rises with the third power of its superheat, falls beyond the critical point and rises again with
a film. The engine's conductances do not know temperatures; a sampled controller does. At each of its ticks the wall's excess `x` over
the pool is read and the curve is replaced by its tangent there,

.. math:: q(T_w) = G(x) (T_w - T_{pool}) + S(x), \qquad G = \frac{dq}{dx}, \qquad S = q(x) - G x,

`G` a conductance and `S` a source at the wall and its opposite in the pool, so that nothing is lost between them. That is Newton's method
at rest and a scheme of second order between ticks, stable with any period where the curve rises, if the wall is read before it comes to the critical point (`Tank.require_period`): junctions of 700 W that go from a tenth
of their load to all of it each 20 s are 0.04, 0.01 and 0.003 K off at 1, 0.5 and 0.25 s. Where it falls `G` is that of the secant,
``q/x``: a wall runs through the transition within a second or two, and no balance is to be had there.

The curve is made at one saturation temperature, the tank's `design_temperature`. At another two factors move it,

.. math:: q(x, T) = \psi(T)\, q_d(\varphi(T)\, x), \qquad \psi = \frac{q_c(T)}{q_c(T_d)}, \qquad
          \varphi = \frac{f_d}{f(T)} \psi^{-e},

with nucleate boiling's own ``x = f(T) q^e``: nucleate boiling and the critical point are then those of the pool's pressure, within 2e-7.
What is not: natural convection, which for 10 K between pool and design carries up to twice or half as much, some tenths of a kelvin where
plates have left it and 1 K of a bare part; a film, by 5 to 7 %, and its end, by some 10 K of the wall.

**Parted.** Where a wall may be late to boil (`Surface.incipience_overshoot`), or gas keeps the pool colder by `s` than it boils, the curve is
taken in two parts, natural convection `n` to the pool and what boiling brings beyond it,

.. math:: q = n(x) + b\, \psi_s (q_d - n)(\varphi_s (x - s)), \qquad \psi_s = \psi (1 + \alpha s), \qquad \varphi_s = \varphi (1 + \alpha s)^{-e},

with both factors those of the temperature at which it boils, `b` 1 once the wall boils and 0 before and again below the onset, and :math:`\alpha` what subcooling adds to the critical flux.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo._kernels import formulas as f
from thermo.cooling.boiling import BoilingCurve, Regime, Surface, boiling_curve, boiling_plate, critical_flux
from thermo.network import Table
from thermo.rack import Device
from thermo.refrigerants import Refrigerant, Saturation

__all__ = ["SPAN", "Face", "even_law", "plate_for", "spreading"]

Floats = NDArray[np.float64]
SPAN = 800.0  # K of a wall above the pool, as the engine's unit of it
POINTS = 8193  # of the curve over the span: 0.1 K
STRAIGHT = 0.5  # K above the pool, below which natural convection is taken as straight
PRESSURE_POINTS = 65  # of the factors over the fluid's range
ANY_FLUX, FAR_FLUX = 1e4, 1e9  # W/m2, at which nucleate boiling at two pressures is compared (the ratio is the same at all), and beyond any
NUCLEATE, CONVECTION = np.int8(Regime.NUCLEATE), np.int8(Regime.CONVECTION)
MOST_SUBCOOLED = 90.0  # K


@dataclass(frozen=True)
class Face:
    """Boiling faces of `count` equal parts side by side, in a pool of `fluid`. Temperatures in degC, fluxes of the footprint in W/m2."""

    surface: Surface  # of one
    count: int
    fluid: Refrigerant
    design_temperature: float  # of saturation, at which the curve is made
    gas: bool = False  # whether there may be gas above the pool, that keeps it colder than it boils

    @property
    def area(self) -> float:
        """Of all faces together [m2]."""
        return self.count * self.surface.footprint

    @cached_property
    def curve(self) -> BoilingCurve:
        """At the design temperature, of a pool that boils."""
        return boiling_curve(self.surface, Saturation.at(self.fluid, self.design_temperature))

    @property
    def parted(self) -> bool:
        """Whether the engine takes it in two parts."""
        return self.gas or self.surface.incipience_overshoot > 0

    def _at_pressure(self, T: float) -> tuple[float, float]:
        """Critical flux, and superheat of nucleate boiling at `ANY_FLUX`, of the pool at `T`."""
        state = Saturation.at(self.fluid, T)
        bare = replace(self.curve, state=state, critical_flux=FAR_FLUX)
        return critical_flux(self.surface, state), float(bare.superheat(ANY_FLUX, NUCLEATE))

    @cached_property
    def _exponent(self) -> float:
        """Of the flux in the superheat of nucleate boiling."""
        once, twice = replace(self.curve, critical_flux=FAR_FLUX).superheat(np.array([1.0, 2.0]) * ANY_FLUX, NUCLEATE)
        return float(np.log2(twice / once))

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """Factor on the excess and on the flux, at even temperatures of the pool."""
        T = np.linspace(self.fluid.lowest_temperature, self.fluid.highest_temperature, PRESSURE_POINTS)
        critical, needed = np.array([self._at_pressure(x) for x in T]).T
        critical_d, needed_d = self._at_pressure(self.design_temperature)
        on_flux = critical / critical_d
        return needed_d / needed * on_flux**-self._exponent, on_flux

    def _subcooled(self, s: ArrayLike) -> tuple[Floats, Floats]:
        """Further factors on the excess and on the flux of a pool that is `s` [K] colder than it boils."""
        c = self.curve.state
        a = float(f.chf_subcooling_factor(c.liquid_density, c.vapour_density, c.heat_capacity, c.latent_heat, 1.0)) - 1
        more = 1 + a * np.maximum(np.asarray(s, dtype=np.float64), 0.0)
        return more**-self._exponent, more

    @cached_property
    def subcooled_laws(self) -> tuple[Table, Table]:
        """Those factors against the subcooling [K]."""
        s = np.linspace(0.0, MOST_SUBCOOLED, PRESSURE_POINTS)
        return even_law(s, self._subcooled(s)[0]), even_law(s, self._subcooled(s)[1])

    def factors(self, T: ArrayLike) -> tuple[Floats, Floats]:
        """Factor on the wall's excess and on the flux in a pool at `T`, as the engine has them; see the module."""
        low, high = self.fluid.lowest_temperature, self.fluid.highest_temperature
        place = np.clip((np.asarray(T, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
        return self.factor_laws[0](place), self.factor_laws[1](place)

    @cached_property
    def factor_laws(self) -> tuple[Table, Table]:
        """The factor on the excess and that on the flux, against the place of the pool in the fluid's range from 0 to 1."""
        place = np.linspace(0.0, 1.0, PRESSURE_POINTS)
        return even_law(place, self._factors[0]), even_law(place, self._factors[1])

    def _design_flux(self, x: Floats) -> Floats:
        """Of a wall `x` above the pool at the design temperature."""
        beyond = np.maximum(x, STRAIGHT)
        return np.where(x < STRAIGHT, x / STRAIGHT, 1.0) * self.curve.flux(beyond)

    def _natural_flux(self, x: Floats) -> Floats:
        """Of natural convection alone."""
        beyond = np.maximum(x, STRAIGHT)
        return np.where(x < STRAIGHT, x / STRAIGHT, 1.0) * self.curve.flux(beyond, CONVECTION)

    def _design_slope(self, x: Floats) -> Floats:
        """Of the flux against the excess, on each branch its own; the secant's where that does not rise."""
        beyond = np.maximum(x, STRAIGHT)
        on, h = self.curve.regime(beyond), 1e-5 * beyond
        slope = (self.curve.flux(beyond + h, on) - self.curve.flux(beyond - h, on)) / (2 * h)
        secant = self.curve.flux(beyond) / beyond
        return np.where((x < STRAIGHT) | (slope <= 0), secant, slope)

    def _natural_slope(self, x: Floats) -> Floats:
        beyond = np.maximum(x, STRAIGHT)
        h = 1e-5 * beyond
        slope = (self._natural_flux(beyond + h) - self._natural_flux(beyond - h)) / (2 * h)
        return np.where(x < STRAIGHT, self._natural_flux(beyond) / beyond, slope)

    def laws(self) -> tuple[Table, Table]:
        """Conductance [W/K] and source at the wall [W] of all faces, against ``x / SPAN``, at the design temperature."""
        return self._tangents(self._design_slope, self._design_flux)

    def parted_laws(self) -> tuple[Table, Table, Table, Table]:
        """The same in two parts: natural convection's, and those of what boiling brings beyond it."""
        beyond = self._tangents(lambda x: self._design_slope(x) - self._natural_slope(x), lambda x: self._design_flux(x) - self._natural_flux(x))
        return *self._tangents(self._natural_slope, self._natural_flux), *beyond

    def _tangents(self, slope: Callable[[Floats], Floats], flux: Callable[[Floats], Floats]) -> tuple[Table, Table]:
        u = np.linspace(0.0, 1.0, POINTS)
        G, q = slope(SPAN * u), flux(SPAN * u)
        return even_law(u, self.area * G), even_law(u, self.area * (q - G * SPAN * u))

    def _scaled(self, excess: ArrayLike, T: ArrayLike, s: ArrayLike) -> tuple[Floats, Floats]:
        """The superheat at which the design's curve is read, and the factor on its flux."""
        s = np.asarray(s, dtype=np.float64)
        (on_excess, on_flux), (also_excess, also_flux) = self.factors(np.asarray(T, dtype=np.float64) + s), self._subcooled(s)
        return on_excess * also_excess * (np.asarray(excess, dtype=np.float64) - s), on_flux * also_flux

    def flux(self, excess: ArrayLike, T: ArrayLike, s: ArrayLike = 0.0, boils: ArrayLike = True) -> Floats:
        """Heat flux of a wall.

        Parameters
        ----------
        excess : array_like
            Of the wall above the pool. Below it, as much comes the other way as natural convection brings. [K]
        T : array_like
            Of the pool. [degC]
        s : array_like
            By how much gas keeps it colder than it boils. [K]
        boils : array_like of bool
            Whether the wall boils where it may; else it is late.
        """
        x, on_flux = self._scaled(excess, T, s)
        if not self.parted:
            return np.asarray(on_flux * self._design_flux(x))
        more = np.where(x > 0, self._design_flux(x) - self._natural_flux(x), 0.0)
        return np.asarray(self._natural_flux(np.asarray(excess, dtype=np.float64)) + np.asarray(boils) * on_flux * more)

    def critical(self, T: ArrayLike, s: ArrayLike = 0.0) -> Floats:
        """Critical flux in a pool at `T`, colder by `s` than it boils."""
        return np.asarray(self._scaled(0.0, T, s)[1] * self.curve.critical_flux)

    def critical_excess(self, T: ArrayLike, s: ArrayLike = 0.0) -> Floats:
        """Of the wall over a pool at `T`, where the flux is critical [K]."""
        s = np.asarray(s, dtype=np.float64)
        return np.asarray(self.curve.critical_superheat / (self.factors(np.asarray(T, dtype=np.float64) + s)[0] * self._subcooled(s)[0]) + s)

    def critical_law(self, subcooling: Callable[[Floats], Floats]) -> Table:
        """The critical excess over `SPAN`, against the place of the pool in the fluid's range; `subcooling` [K] at its temperature."""
        T = np.linspace(self.fluid.lowest_temperature, self.fluid.highest_temperature, PRESSURE_POINTS)
        return even_law(np.linspace(0.0, 1.0, PRESSURE_POINTS), self.critical_excess(T, subcooling(T)) / SPAN)

    def regime(self, excess: ArrayLike, T: ArrayLike, s: ArrayLike = 0.0, boils: ArrayLike = True) -> NDArray[np.int8]:
        """Branch of the curve, of `thermo.cooling.boiling.Regime`."""
        found = self.curve.regime(self._scaled(excess, T, s)[0])
        return np.where(boils, found, CONVECTION).astype(np.int8)


def even_law(x: Floats, y: Floats) -> Table:
    """A law through even points that makes no wave where the values jump."""
    from scipy.interpolate import PchipInterpolator

    step = float(x[-1] - x[0]) / (x.size - 1)
    slope = PchipInterpolator(x, y).derivative()(x) * step
    return Table(float(x[0]), step, np.ascontiguousarray(y, dtype=np.float64), np.ascontiguousarray(slope), 0.0)


def plate_for(device: Device, surface: Surface, fluid: Refrigerant, design_temperature: float, margin: float) -> Surface:
    """The surface as a square plate whose mean flux at the device's full power is the critical one over `margin`.

    Parameters
    ----------
    device : Device
        One part; the plate is no smaller than its contact.
    surface : Surface
        Finish and tilt.
    fluid : Refrigerant
        Of the pool.
    design_temperature : float
        Of saturation. [degC]
    margin : float
        Critical flux over that at full power. [1]
    """
    state = Saturation.at(fluid, design_temperature)
    large = surface.replace(length=1.0, width=1.0)
    side = float(np.sqrt(margin * device.max_power / critical_flux(large, state)))
    side = max(side, float(np.sqrt(device.contact_area or device.die_area or 0.0)))
    return surface.replace(length=side, width=side)


def spreading(face: Face, device: Device, thickness: float, conductivity: float) -> tuple[float, float]:
    """Slab and spreading of one plate [K/W], and critical flux over that under its middle [1], at the device's full power.

    The better a face boils the less its plate spreads: of a plate for 700 W, 0.016 K/W at full power is 0.023 at 100 W, which a run leaves
    out, 0.7 K at the latter. Where a device asks for more than the critical flux, it is just below.
    """
    contact = device.contact_area or device.die_area
    if contact is None:
        return thickness / (conductivity * face.surface.footprint), np.inf
    heat = min(device.max_power, 0.95 * face.curve.critical_flux * face.surface.footprint)
    side = min(float(np.sqrt(contact)), face.surface.length, face.surface.width)
    plate = boiling_plate(face.curve, heat, thickness=thickness, conductivity=conductivity, contact_length=side, contact_width=side)
    return float(plate.base), float(plate.margin)

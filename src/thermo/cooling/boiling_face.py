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
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.cooling.boiling import BoilingCurve, Regime, Surface, boiling_curve, boiling_plate, critical_flux
from thermo.network import Table
from thermo.rack import Device
from thermo.refrigerants import Refrigerant, Saturation

__all__ = ["SPAN", "Face", "even_law", "plate_for", "spreading"]

Floats = NDArray[np.float64]
SPAN = 200.0  # K of a wall above the pool, as the engine's unit of it
POINTS = 4097  # of the curve over the span: 0.05 K
STRAIGHT = 0.5  # K above the pool, below which natural convection is taken as straight
PRESSURE_POINTS = 65  # of the factors over the fluid's range
ANY_FLUX, FAR_FLUX = 1e4, 1e9  # W/m2, at which nucleate boiling at two pressures is compared (the ratio is the same at all), and beyond any
NUCLEATE = np.int8(Regime.NUCLEATE)


@dataclass(frozen=True)
class Face:
    """Boiling faces of `count` equal parts side by side, in a pool of `fluid`. Temperatures in degC, fluxes of the footprint in W/m2."""

    surface: Surface  # of one
    count: int
    fluid: Refrigerant
    design_temperature: float  # of saturation, at which the curve is made
    subcooling: float = 0.0  # K of the pool, by gas above it

    @property
    def area(self) -> float:
        """Of all faces together [m2]."""
        return self.count * self.surface.footprint

    @cached_property
    def curve(self) -> BoilingCurve:
        """At the design temperature."""
        return boiling_curve(self.surface, Saturation.at(self.fluid, self.design_temperature), self.subcooling)

    def _at_pressure(self, T: float) -> tuple[float, float]:
        """Critical flux, and superheat of nucleate boiling at `ANY_FLUX`, of the pool at `T`."""
        state = Saturation.at(self.fluid, T)
        bare = replace(self.curve, state=state, critical_flux=FAR_FLUX)
        return critical_flux(self.surface, state, self.subcooling), float(bare.superheat(ANY_FLUX, NUCLEATE))

    @cached_property
    def _factors(self) -> tuple[Floats, Floats]:
        """Factor on the excess and on the flux, at even temperatures of the pool."""
        T = np.linspace(self.fluid.lowest_temperature, self.fluid.highest_temperature, PRESSURE_POINTS)
        critical, needed = np.array([self._at_pressure(x) for x in T]).T
        critical_d, needed_d = self._at_pressure(self.design_temperature)
        on_flux = critical / critical_d
        doubled = replace(self.curve, critical_flux=FAR_FLUX).superheat(2 * ANY_FLUX, NUCLEATE)
        steep = np.log2(float(doubled) / needed_d)  # the exponent of the flux in the superheat
        return needed_d / needed * on_flux**-steep, on_flux

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
        return np.where(x < STRAIGHT, x / STRAIGHT, 1.0) * self.curve.flux(beyond - self.subcooling)

    def _design_slope(self, x: Floats) -> Floats:
        """Of the flux against the excess, on each branch its own; the secant's where that falls."""
        beyond = np.maximum(x, STRAIGHT)
        above = beyond - self.subcooling
        on, h = self.curve.regime(above), 1e-5 * beyond
        slope = (self.curve.flux(above + h, on) - self.curve.flux(above - h, on)) / (2 * h)
        secant = self.curve.flux(above) / beyond
        return np.where((x < STRAIGHT) | (on == Regime.TRANSITION), secant, slope)

    def laws(self) -> tuple[Table, Table]:
        """Conductance [W/K] and source at the wall [W] of all faces, against ``x / SPAN``, at the design temperature."""
        u = np.linspace(0.0, 1.0, POINTS)
        G, q = self._design_slope(SPAN * u), self._design_flux(SPAN * u)
        return even_law(u, self.area * G), even_law(u, self.area * (q - G * SPAN * u))

    def flux(self, excess: ArrayLike, T: ArrayLike) -> Floats:
        """Heat flux of a wall `excess` [K] above a pool at `T`; below it, as much the other way as natural convection brings."""
        on_excess, on_flux = self.factors(T)
        x = on_excess * np.asarray(excess, dtype=np.float64)
        return np.asarray(on_flux * self._design_flux(x))

    def critical(self, T: ArrayLike) -> Floats:
        """Critical flux in a pool at `T`."""
        return np.asarray(self.factors(T)[1] * self.curve.critical_flux)

    def critical_excess(self, T: ArrayLike) -> Floats:
        """Of the wall over a pool at `T`, where the flux is critical [K]."""
        return np.asarray((self.curve.critical_superheat + self.subcooling) / self.factors(T)[0])

    def critical_law(self) -> Table:
        """The critical excess over `SPAN`, against the place of the pool in the fluid's range."""
        return even_law(np.linspace(0.0, 1.0, PRESSURE_POINTS), (self.curve.critical_superheat + self.subcooling) / SPAN / self._factors[0])

    def regime(self, excess: ArrayLike, T: ArrayLike) -> NDArray[np.int8]:
        """Branch of the curve, of `thermo.cooling.boiling.Regime`."""
        x = self.factors(T)[0] * np.asarray(excess, dtype=np.float64)
        return self.curve.regime(x - self.subcooling)


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

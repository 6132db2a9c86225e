r"""Boiling in a pool: the curve of heat flux against superheat, its branches, their limits, and what hangs on history.

Superheat is the wall above the saturation temperature; flux is that of the *footprint*, whatever stands on it. From cold to hot,

.. math:: q = \max(q_{natural}, q_{nucleate}) \to q_{critical} \searrow q_{minimum} \to q_{film}

- natural convection: a vertical plate (`thermo.formulas.nusselt_churchill_chu`) or a horizontal one (McAdams), to the pool's temperature;
- nucleate: Cooper's law on the wetted area, or Rohsenow's where his constant is known, times what the surface does better or worse
  (`Surface.boiling_multiplier`);
- critical heat flux: Zuber's group, or Kandlikar's where a contact angle is known, with size, tilt and subcooling;
- transition: a straight line in logarithms from the critical point to the minimum of film boiling;
- film: Berenson's law.

Cooper's law says what one smooth surface of his day did. Of FC-72 on "smooth" surfaces superheats are published that differ by a factor
of two at one flux; a multiplier is a property of a surface, not a correction, and errors of 35 % are honest. His source vouches for molar masses up to
0.2 kg/mol; the liquids of tanks have 0.25 to 0.34, and `boiling_warnings` says so.

A wall that heats up boils later than one that cools down: vapour has to be caught in its cavities first. `Surface.incipience_overshoot`
says by how much, and `regime_after` is the state that remembers. With an overshoot the first bubbles may come above the critical superheat:
measured walls then fall back to nucleate boiling, so that the critical flux lasts from there to a tenth above incipience, where the
transition begins. The film's return at its minimum needs no memory: under a given heat
the wall's own capacity walks over the falling branch. Radiation is left out: 1 kW/m2 at a superheat of 100 K.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator
from scipy.optimize import brentq

from thermo import formulas
from thermo._kernels import formulas as f
from thermo._provenance import Provenance
from thermo.cooling.plate import SERIES_TERMS, spreading_rectangular
from thermo.errors import ScenarioError, require_between
from thermo.rack import Described, Identifier, NotNegative, Number, Positive
from thermo.refrigerants import Saturation

__all__ = ["BoilingCurve", "BoilingPlate", "Regime", "Surface", "boiling_curve", "boiling_plate", "boiling_warnings", "critical_flux",
           "film_flux", "film_minimum", "orientation_factor", "peak_flux_ratio", "regime_after", "size_factor"]

Floats = NDArray[np.float64]
Regimes = NDArray[np.int8]
GRAVITY = 9.80665  # m/s2
COOPER, ROHSENOW = 0.67, 2 / 3  # exponents of the flux in their laws
PRANDTL = 1.7  # exponent of Rohsenow for liquids that are not water
LAY_FLAT = 45.0  # deg of tilt from horizontal up to which a plate's natural convection is that of a horizontal one
LEAST_DOWNWARD = 0.12  # of the critical flux that is left facing straight down; Brusstar and Merte's root would be 0
LEAST_FALL = 1.2  # of the superheat, from the critical point to the film's minimum
PAST_INCIPIENCE = 1.1  # of the incipience superheat, up to which a wall that has just begun to boil is wet
LARGE = 20.0  # capillary lengths from which size no longer counts
CONTRACTING, STEPS = 1.25, 30  # mean slope of the laws in logarithms (1 to 4/3 and 3/4 to 1): each step leaves a fifth of the error
Angle = Annotated[Number, Field(ge=0, le=180)]


class Regime(IntEnum):
    """What a boiling surface does."""

    CONVECTION = 0  # no bubbles yet, or no more
    NUCLEATE = 1
    TRANSITION = 2  # wet in parts, flux falls with superheat
    FILM = 3


class Surface(Described):
    """A boiling surface: what its finish does, and how large it is and how it lies. Lengths in m.

    `boiling_multiplier` is on Cooper's coefficient at equal flux of the wetted area, `area_factor` times the footprint;
    `critical_multiplier` on the critical flux of the footprint. Microporous coatings and fins are described by these as measured.
    """

    name: Identifier = "surface"
    title: str = ""
    length: Positive = 0.05  # along gravity where it stands
    width: Positive = 0.05
    tilt: Angle = 90.0  # deg from horizontal facing up; 90 stands, 180 faces down
    area_factor: Annotated[Number, Field(ge=1, le=100)] = 1.0  # wetted area that boils over the footprint
    boiling_multiplier: Annotated[Number, Field(gt=0, le=100)] = 1.6
    critical_multiplier: Annotated[Number, Field(gt=0, le=20)] = 1.0
    zuber_constant: Annotated[Number, Field(ge=0.1, le=0.2)] = 0.149  # 0.131 infinite plate, 0.149 finite ones (Lienhard and Dhir)
    contact_angle: Annotated[Number, Field(ge=0, le=150)] | None = None  # deg, receding; given, Kandlikar's law takes Zuber's place
    roughness: Annotated[Number, Field(gt=0, le=1e-3)] = 1e-6  # m
    rohsenow_constant: Annotated[Number, Field(ge=1e-3, le=0.05)] | None = None  # C_sf of liquid and surface; given, his law takes Cooper's place
    collapse_factor: Annotated[Number, Field(ge=0.5, le=10)] = 1.0  # on the superheat at which a film collapses
    incipience_overshoot: NotNegative = 0.0  # K that a wall without vapour in it goes above where nucleate boiling would carry the heat
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _kandlikar_faces_up(self) -> Self:
        if self.contact_angle is not None and self.tilt > 90:
            raise ValueError(f"contact_angle is for Kandlikar's law, which holds for a tilt of 0 to 90 deg, not {self.tilt:g} deg; leave it out")
        return self

    @classmethod
    def from_library(cls, name: str, **changes: object) -> Surface:
        """The library's surface of that name with some fields changed, e.g. ``from_library("microporous", tilt=0.0)``."""
        from thermo import library

        found: Surface = library.load("surfaces", name)
        return found.replace(**changes) if changes else found

    @property
    def footprint(self) -> float:
        """Area that it takes [m2]."""
        return self.length * self.width


def size_factor(surface: Surface, state: Saturation) -> float:
    r"""What a small heater gains in critical flux, ``1 + (0.3014 - 0.01507 L')`` [1], at least 1.

    `L'` is the shorter side over the capillary length; vapour columns of a small heater draw on liquid from its sides.

    References
    ----------
    .. [1] M. Arik and A. Bar-Cohen, Effusivity-based correlation of surface property effects in pool boiling CHF of dielectric liquids,
       Int. J. Heat Mass Transfer 46, 2003, 3755-3763, doi:10.1016/S0017-9310(03)00215-5.
    """
    L = min(surface.length, surface.width) / state.capillary_length
    return 1.0 + max(0.3014 - 0.01507 * min(L, LARGE), 0.0)


def orientation_factor(tilt: ArrayLike) -> Floats:
    r"""Critical flux of a tilted surface over that of one facing up [1]: 1 up to vertical, :math:`\sqrt{\sin\theta}` beyond.

    Parameters
    ----------
    tilt : array_like
        From horizontal facing up. [deg]

    Notes
    -----
    Facing straight down 0.12 is left, an assumption: bubbles still escape over the edges. Published vertical values lie between this law
    and 15 % below.

    References
    ----------
    .. [1] M. J. Brusstar and H. Merte, Effects of buoyancy on the critical heat flux in forced convection, and pool boiling extensions
       of it, J. Thermophysics and Heat Transfer 8, 1994, 322-328, doi:10.2514/3.543.
    """
    theta = np.radians(np.asarray(tilt, dtype=np.float64))
    return np.where(theta <= np.pi / 2, 1.0, np.maximum(np.sqrt(np.maximum(np.sin(theta), 0.0)), LEAST_DOWNWARD))


def critical_flux(surface: Surface, state: Saturation, subcooling: float = 0.0) -> float:
    """Critical heat flux of the footprint [W/m2].

    Parameters
    ----------
    surface : Surface
        With a `contact_angle` by Kandlikar, who holds tilt himself; else Zuber's group with `orientation_factor`.
    state : Saturation
        Of the liquid.
    subcooling : float
        Of the pool. [K]
    """
    s = state
    properties = (s.liquid_density, s.vapour_density, s.latent_heat, s.surface_tension)
    if surface.contact_angle is None:
        flux = float(f.chf_zuber(*properties, surface.zuber_constant)) * float(orientation_factor(surface.tilt))
    else:
        flux = float(f.chf_kandlikar(*properties, surface.contact_angle, surface.tilt))
    factor = float(f.chf_subcooling_factor(s.liquid_density, s.vapour_density, s.heat_capacity, s.latent_heat, subcooling))
    return flux * size_factor(surface, s) * factor * surface.critical_multiplier


def film_flux(superheat: ArrayLike, state: Saturation) -> Floats:
    r"""Heat flux through a film of vapour [W/m2], by Berenson.

    Parameters
    ----------
    superheat : array_like, shape (...)
        Above 0. [K]
    state : Saturation
        Of the liquid; the vapour's properties are the saturated ones, 5 to 10 % below those of the film's mean temperature.

    Notes
    -----
    .. math:: h = 0.425 \left[ \frac{k_v^3 \rho_v g (\rho_l - \rho_v) (h_{fg} + c_{pv} \Delta T / 2)}
              {\mu_v \Delta T \sqrt{\sigma / (g (\rho_l - \rho_v))}} \right]^{1/4}

    For a large surface facing up. Bromley's law for vertical surfaces, with the same length in it, gives up to a half more.

    References
    ----------
    .. [1] P. J. Berenson, Film-boiling heat transfer from a horizontal surface, J. Heat Transfer 83, 1961, 351-358,
       doi:10.1115/1.3682280.
    """
    dT, s = np.asarray(superheat, dtype=np.float64), state
    buoyancy = GRAVITY * (s.liquid_density - s.vapour_density)
    latent = s.latent_heat + 0.5 * s.vapour_heat_capacity * dT
    group = s.vapour_conductivity**3 * s.vapour_density * buoyancy * latent / (s.vapour_viscosity * s.capillary_length)
    return np.asarray(0.425 * group**0.25 * dT**0.75)


def film_minimum(state: Saturation) -> float:
    r"""Superheat at which a film collapses [K], by Berenson.

    Notes
    -----
    .. math:: \Delta T = 0.127 \frac{\rho_v h_{fg}}{k_v} \left[ \frac{g (\rho_l - \rho_v)}{\rho_l + \rho_v} \right]^{2/3}
              \left[ \frac{\sigma}{g (\rho_l - \rho_v)} \right]^{1/2} \left[ \frac{\mu_v}{g (\rho_l - \rho_v)} \right]^{1/3}

    which is where `film_flux` meets ``0.09 rho_v h_fg [sigma g (rho_l - rho_v) / (rho_l + rho_v)^2]^(1/4)``. Well-wetting liquids on
    clean metal; coatings and dirt raise it.
    """
    s = state
    buoyancy = GRAVITY * (s.liquid_density - s.vapour_density)
    return float(0.127 * s.vapour_density * s.latent_heat / s.vapour_conductivity * (buoyancy / (s.liquid_density + s.vapour_density)) ** (2 / 3)
                 * s.capillary_length * (s.vapour_viscosity / buoyancy) ** (1 / 3))


@dataclass(frozen=True)
class BoilingCurve:
    """The boiling curve of one surface in one pool; `boiling_curve` makes it. Superheats in K, fluxes of the footprint in W/m2."""

    surface: Surface
    state: Saturation
    subcooling: float  # of the pool, K
    onset_superheat: float  # where nucleate boiling begins to carry more than natural convection
    incipience_superheat: float  # at which the first bubbles come, `Surface.incipience_overshoot` later
    critical_superheat: float  # up to which the wall is wet
    critical_flux: float
    minimum_superheat: float
    minimum_flux: float

    def flux(self, superheat: ArrayLike, regime: ArrayLike | None = None) -> Floats:
        """Heat flux at a superheat.

        Parameters
        ----------
        superheat : array_like, shape (...)
            Of the wall. [K]
        regime : array_like of Regime, shape (...), optional
            Branch on which the wall is; without it the curve of a wall that boils as soon as it can.
        """
        dT = np.asarray(superheat, dtype=np.float64)
        on = self.regime(dT) if regime is None else np.broadcast_to(np.asarray(regime, dtype=np.int8), np.broadcast_shapes(
            dT.shape, np.shape(regime)))
        _is_regime(on)
        positive = np.maximum(dT, 1e-300)
        return np.asarray(np.select([on == Regime.CONVECTION, on == Regime.NUCLEATE, on == Regime.TRANSITION],
                                    [self._natural(dT), self._nucleate(positive), self._transition(positive)], film_flux(positive, self.state)))

    def superheat(self, flux: ArrayLike, regime: ArrayLike | None = None) -> Floats:
        """Superheat at a heat flux, the other way round of `flux` on each branch.

        Parameters
        ----------
        flux : array_like, shape (...)
            Above 0. [W/m2]
        regime : array_like of Regime, shape (...), optional
            Branch; without it the wetted curve, natural convection or nucleate boiling, whichever needs less.

        Raises
        ------
        ScenarioError
            If a branch has no such flux: beyond the critical flux without a film, below the minimum with one.
        """
        q = np.asarray(flux, dtype=np.float64)
        if not np.all(q > 0):
            raise ScenarioError(f"flux is {float(q[~(q > 0)].flat[0]):g} W/m2, expected above 0 W/m2")
        natural, nucleate = self._natural_superheat(q), self._nucleate_superheat(q)
        on = np.where(natural < nucleate, Regime.CONVECTION, Regime.NUCLEATE).astype(np.int8) if regime is None else np.broadcast_to(
            np.asarray(regime, dtype=np.int8), np.broadcast_shapes(q.shape, np.shape(regime)))
        _is_regime(on)
        q, one = np.broadcast_to(q, on.shape), 1 + 1e-12
        for wrong, words in (((on == Regime.NUCLEATE) & (q > self.critical_flux * one), "beyond the critical flux, only a film carries it"),
                             ((on == Regime.TRANSITION) & (q > self.critical_flux * one), "beyond the critical flux"),
                             ((on >= Regime.TRANSITION) & (q < self.minimum_flux / one), "below the least flux of a film")):
            if np.any(wrong):
                raise ScenarioError(f"flux is {float(q[wrong].flat[0]):g} W/m2, {words}: expected {self.minimum_flux:.6g} to "
                                    f"{self.critical_flux:.6g} W/m2 between them; enlarge or improve the surface")
        return np.asarray(np.select([on == Regime.CONVECTION, on == Regime.NUCLEATE, on == Regime.TRANSITION],
                                    [natural, nucleate, self._transition_superheat(q)], self._film_superheat(q)))

    def regime(self, superheat: ArrayLike) -> Regimes:
        """Regime of a wall that boils as soon as it can, one int8 of `Regime` for each superheat."""
        dT = np.asarray(superheat, dtype=np.float64)
        found = ((dT >= self.onset_superheat).astype(np.int8) + (dT > self.critical_superheat) + (dT >= self.minimum_superheat))
        return np.asarray(found, dtype=np.int8)

    def _natural(self, dT: Floats) -> Floats:
        to_pool = dT + self.subcooling
        return np.asarray(np.sign(to_pool) * _natural_flux(self.surface, self.state, np.abs(to_pool)))

    def _natural_superheat(self, q: Floats) -> Floats:
        x = np.log(np.maximum(q / 100.0, 1e-9))
        for _ in range(STEPS):
            x = x - (np.log(_natural_flux(self.surface, self.state, np.exp(x))) - np.log(q)) / CONTRACTING
        return np.asarray(np.exp(x) - self.subcooling)

    def _law(self) -> tuple[float, float]:
        """Factor and exponent of the superheat that nucleate boiling needs, ``factor q^exponent``."""
        s, c = self.surface, self.state
        if s.rohsenow_constant is None:  # W/(m2 K) at 1 W/m2 of the wetted area
            at_one, power = float(f.htc_cooper(1.0, c.reduced_pressure, c.molar_mass, s.roughness)), COOPER
        else:
            at_one, power = float(f.htc_rohsenow(1.0, c.liquid_density, c.vapour_density, c.liquid_viscosity, c.conductivity, c.heat_capacity,
                                                 c.latent_heat, c.surface_tension, s.rohsenow_constant, PRANDTL)), ROHSENOW
        return s.area_factor ** -(1 - power) / (s.boiling_multiplier * at_one), 1 - power

    def _nucleate(self, dT: Floats) -> Floats:
        factor, exponent = self._law()
        return np.minimum((dT / factor) ** (1 / exponent), self.critical_flux)

    def _nucleate_superheat(self, q: Floats) -> Floats:
        factor, exponent = self._law()
        return np.asarray(factor * q**exponent)

    @property
    def _fall(self) -> float:
        return float(np.log(self.minimum_flux / self.critical_flux) / np.log(self.minimum_superheat / self.critical_superheat))

    def _transition(self, dT: Floats) -> Floats:
        near = np.maximum(dT / self.critical_superheat, 0.1)  # the line is steep: far below its start it would overflow
        return np.asarray(self.critical_flux * near**self._fall)

    def _transition_superheat(self, q: Floats) -> Floats:
        return np.asarray(self.critical_superheat * (q / self.critical_flux) ** (1 / self._fall))

    def _film_superheat(self, q: Floats) -> Floats:
        x = np.log(self.minimum_superheat * np.maximum(q / self.minimum_flux, 1e-9))
        for _ in range(STEPS):
            x = x - (np.log(film_flux(np.exp(x), self.state)) - np.log(q)) / 0.85
        return np.asarray(np.exp(x))


def _is_regime(on: Regimes) -> None:
    if np.any((on < Regime.CONVECTION) | (on > Regime.FILM)):
        raise ScenarioError(f"regime is {int(on[(on < 0) | (on > 3)].flat[0])}, expected 0 to 3: convection, nucleate, transition, film")


def _natural_flux(surface: Surface, state: Saturation, dT: Floats) -> Floats:
    """Natural convection of a plain footprint to a pool `dT` colder; fins are not counted."""
    s, standing = state, LAY_FLAT < surface.tilt < 180 - LAY_FLAT
    L = surface.length if standing else surface.footprint / (2 * (surface.length + surface.width))
    g = GRAVITY * np.sin(np.radians(surface.tilt)) if standing else GRAVITY
    Ra = g * s.expansion * dT * L**3 * s.liquid_density**2 * s.heat_capacity / (s.liquid_viscosity * s.conductivity)
    Nu = f.nusselt_churchill_chu(Ra, s.prandtl) if standing else f.nusselt_mcadams_up(Ra) if surface.tilt < 90 else f.nusselt_mcadams_down(Ra)
    return np.asarray(Nu * s.conductivity / L * dT)


def boiling_curve(surface: Surface, state: Saturation, subcooling: float = 0.0) -> BoilingCurve:
    """The boiling curve of a surface in a pool.

    Parameters
    ----------
    surface : Surface
        Its finish, size and tilt.
    state : Saturation
        Of the liquid at the pool's pressure.
    subcooling : float
        Saturation temperature less that of the pool. Raises natural convection and critical flux; nucleate boiling is unmoved by it, the
        film's minimum is taken as unmoved. [K]

    Raises
    ------
    ScenarioError
        If a film would carry more than the critical flux, or natural convection more than boiling.

    Notes
    -----
    A film collapses where `film_minimum` says, times `Surface.collapse_factor`; where a surface boils so badly that its critical superheat
    comes near, at 1.2 times that instead, an assumption that keeps the branches in order.

    Examples
    --------
    >>> from thermo.refrigerants import Refrigerant
    >>> fc_72 = Saturation.at(Refrigerant.from_library("fc-72"), 56.97)
    >>> round(float(boiling_curve(Surface(boiling_multiplier=1.0), fc_72).superheat(72e3)), 1)
    21.5
    """
    subcooling = require_between("subcooling", subcooling, 0.0, 200.0, "K")
    critical = critical_flux(surface, state, subcooling)
    curve = BoilingCurve(surface, state, subcooling, 0.0, 0.0, 0.0, critical, 0.0, 0.0)
    at_critical = float(curve._nucleate_superheat(np.asarray(critical)))

    def nucleate_over_natural(x: float) -> float:
        dT = np.asarray(np.exp(x))
        return float(np.log(curve._nucleate(dT) / curve._natural(dT)))

    ends = np.log(1e-6), np.log(at_critical)
    if nucleate_over_natural(ends[1]) <= 0:
        raise ScenarioError(f"{surface.name}: at a subcooling of {subcooling:g} K natural convection carries more than boiling up to the "
                            "critical flux; use a smaller subcooling")
    onset = float(np.exp(brentq(nucleate_over_natural, *ends, xtol=1e-14, rtol=4 * np.finfo(float).eps)))
    begins = onset + surface.incipience_overshoot
    wet = max(at_critical, PAST_INCIPIENCE * begins) if surface.incipience_overshoot > 0 else at_critical
    least = max(surface.collapse_factor * film_minimum(state), LEAST_FALL * wet)
    least_flux = float(film_flux(least, state))
    if least_flux >= critical:
        raise ScenarioError(f"{surface.name}: a film carries {least_flux:.4g} W/m2 at its least and the critical flux is {critical:.4g} W/m2; is "
                            f"boiling_multiplier {surface.boiling_multiplier:g} or critical_multiplier {surface.critical_multiplier:g} too low, "
                            f"or incipience_overshoot {surface.incipience_overshoot:g} K too large?")
    return BoilingCurve(surface, state, subcooling, onset, begins, wet, critical, least, least_flux)


def regime_after(curve: BoilingCurve, regime: ArrayLike, superheat: ArrayLike) -> Regimes:
    """Regime in, superheat in, regime out: what a time stepper asks for each surface at each step.

    Parameters
    ----------
    curve : BoilingCurve
        Of these surfaces.
    regime : array_like of Regime, shape (...)
        Before.
    superheat : array_like, shape (...)
        Now. [K]

    Returns
    -------
    regime : ndarray of int8, shape (...)
        A wall in natural convection stays there until the incipience superheat, then it is where the curve has it. A wall that boils goes
        along the curve both ways, and back to natural convection below the onset: its cavities are flooded again.
    """
    before, dT = np.broadcast_arrays(np.asarray(regime, dtype=np.int8), np.asarray(superheat, dtype=np.float64))
    _is_regime(before)
    waits = (before == Regime.CONVECTION) & (dT < curve.incipience_superheat)
    return np.where(waits, np.int8(Regime.CONVECTION), curve.regime(dT)).astype(np.int8)


def boiling_warnings(name: str, surface: Surface, state: Saturation) -> list[str]:
    """Where boiling's laws leave the range that their sources vouch for, to be raised as `thermo.errors.ValidityWarning`."""
    found = []
    if surface.rohsenow_constant is None:
        found += formulas.validity_warnings("htc_cooper", p_r=state.reduced_pressure, M=state.molar_mass)
    if surface.contact_angle is not None:
        found += formulas.validity_warnings("chf_kandlikar", contact_angle=surface.contact_angle, tilt=surface.tilt)
    return [f"{name}: {m}" for m in found]


@dataclass(frozen=True)
class BoilingPlate:
    """A spreader with a boiling face at some heats."""

    superheat: Floats  # of the boiling face, mean, K
    flux: Floats  # mean of the footprint, W/m2
    peak_flux: Floats  # under the middle of the contact, W/m2
    base: Floats  # contact to boiling face, slab and spreading, K/W
    film: Floats  # boiling face to saturation, K/W
    critical_flux: float

    @property
    def resistance(self) -> Floats:
        """Contact above saturation, over the heat [K/W]."""
        return np.asarray(self.base + self.film)

    @property
    def margin(self) -> Floats:
        """Critical over peak flux [1]; below 1 the middle dries, and the dry spot grows if the plate cannot carry its heat outwards."""
        return np.asarray(self.critical_flux / self.peak_flux)


def peak_flux_ratio(a: float, b: float, A: float, B: float, t: float, k: float, h: ArrayLike) -> Floats:
    r"""Flux of the far face under the middle of a rectangular source, over its mean [1].

    Parameters are those of `thermo.cooling.plate.spreading_rectangular`, whose solution this is at the far face:

    .. math:: 1 + \sum_{m,n} w_{mn} S(\tfrac{\delta a}{2}) S(\tfrac{\lambda b}{2}) \frac{h/k}{\beta \sinh \beta t + (h/k) \cosh \beta t}

    with `w` 2 for each of `m`, `n` above 0, without the term of both at 0. It tends to 1 in a thick plate, to ``A B / (a b)`` in a thin one.
    """
    H = np.asarray(h, dtype=np.float64)[..., None, None] / k
    n = np.arange(SERIES_TERMS + 1)
    delta, lam = 2 * np.pi * n[:, None] / A, 2 * np.pi * n[None, :] / B
    zeta = np.sqrt(delta**2 + lam**2)
    weight = np.where(n[:, None] > 0, 2.0, 1.0) * np.where(n[None, :] > 0, 2.0, 1.0)
    weight = weight * np.sinc(delta * a / 2 / np.pi) * np.sinc(lam * b / 2 / np.pi)
    weight[0, 0] = 0.0
    once, twice = np.exp(-zeta * t), np.exp(-2 * zeta * t)
    return np.asarray(1 + (weight * H * 2 * once / (zeta * (1 - twice) + H * (1 + twice))).sum(axis=(-2, -1)))


def boiling_plate(curve: BoilingCurve, heat: ArrayLike, *, thickness: float, conductivity: float, contact_length: float, contact_width: float,
                  regime: ArrayLike | None = None) -> BoilingPlate:
    """A plate that spreads a device's heat to a boiling face.

    Parameters
    ----------
    curve : BoilingCurve
        Of the face; its surface's `length` and `width` are those of the plate.
    heat : array_like, shape (...)
        Into the plate. [W]
    thickness, conductivity : float
        Of the plate. [m], [W/(m K)]
    contact_length, contact_width : float
        Of the contact with the device, in its middle. [m]
    regime : array_like of Regime, shape (...), optional
        Branch, see `BoilingCurve.superheat`.

    Notes
    -----
    The coefficient is that of the mean flux and even over the face. Boiling steepens with flux, so that the true peak is higher and the
    true resistance lower than this; where the peak is more than half above the mean, the margin is to be read as an upper bound. The
    better a face boils, the less its plate spreads.
    """
    heat, plate = np.asarray(heat, dtype=np.float64), curve.surface
    if not np.all(heat > 0):
        raise ScenarioError(f"heat is {float(heat[~(heat > 0)].flat[0]):g} W, expected above 0 W")
    flux = heat / plate.footprint
    superheat = curve.superheat(flux, regime)
    h = flux / superheat
    args = (contact_length, contact_width, plate.length, plate.width, thickness, conductivity)
    base = thickness / (conductivity * plate.footprint) + spreading_rectangular(*args, h)
    return BoilingPlate(superheat, flux, flux * peak_flux_ratio(*args, h), np.asarray(base), superheat / heat, curve.critical_flux)

"""What a run says of a two-phase tank: pressure, mass, and of each boiling face its flux, its margin and its branch."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.boiling import Regime
from thermo.cooling.boiling_face import Face
from thermo.cooling.condenser import VapourSpace, space_pressure
from thermo.cooling.site import Kind, Ran, Site
from thermo.refrigerants import Refrigerant

__all__ = ["TankResult"]

Floats = NDArray[np.float64]
NO_DEVICE, DRY = -1, 4  # of boiling_regime, beside those of `Regime`; dry: less than half of the face is in liquid
VAPOUR_FILM = 10.0  # W/(m2 K) of natural convection in heavy vapour at a dry face, an estimate(0.4)
MOST_MARGIN = 1000.0  # that is told; of a face without heat it has no end


@dataclass
class _Columns:
    """Where the run keeps what belongs to the servers of one kind."""

    kind: Kind
    faces: list[Face]
    depths: list[float]  # m of each face's top below the highest ones'
    walls: list[int]
    pool: int
    vented: tuple[int, int] | None  # vapour [kg/s] and its heat [W]


@dataclass
class TankResult:
    """A tank as its result needs it."""

    site: Site
    fluid: Refrigerant
    space: VapourSpace
    gas: float  # mol
    mass: float  # kg, when full
    area: float  # m2 of the liquid's face
    cover: float  # m of liquid above the highest device
    room_pressure: float  # Pa
    price: float  # of a kilogram
    design_pool: float  # degC of the pool at rated power
    kinds: list[_Columns] = field(default_factory=list)

    def add(self, kind: Kind, faces: list[Face], depths: list[float], walls: list[int], pool: int, vented: tuple[int, int] | None) -> None:
        """Takes the columns of one kind of server."""
        self.kinds.append(_Columns(kind, faces, depths, walls, pool, vented))

    def fall(self, lost: Floats) -> Floats:
        """Of the liquid's level, when that much has left [m]."""
        return np.asarray(lost / (float(self.fluid.liquid_density(self.design_pool)) * self.area))

    def wet(self, lost: Floats, depth: float, face: Face) -> Floats:
        """Share of a face that is in liquid when that much has left [1]; `depth` of its top below the highest ones' [m]."""
        return np.asarray(np.clip(1 - (self.fall(lost) - self.cover - depth) / face.surface.length, 0.0, 1.0))

    def derived(self, ran: Ran) -> dict[str, NDArray[Any]]:
        """Variables that follow from a run; what there is to warn of goes to the site."""
        T = self._within_range(ran, ran.nodes[0][:, 0, self.kinds[0].pool])
        out: dict[str, NDArray[Any]] = {"tank_pressure": space_pressure(self.space, self.fluid, T, self.gas)}
        ceiling = float(self.fluid.saturation_pressure(self.fluid.highest_temperature))
        out["saturation_temperature"] = T if not self.gas else self.fluid.saturation_temperature(np.minimum(out["tank_pressure"], ceiling))
        out |= self._lost(ran)
        out |= self._faces(ran, self.mass - out["fluid_mass"])
        self._warn_of_faces(ran, out)
        return out

    def _within_range(self, ran: Ran, T: Floats) -> Floats:
        low, high = self.fluid.lowest_temperature, self.fluid.highest_temperature
        if np.any((T < low) | (T > high)):
            k = int(np.argmax((T < low) | (T > high)))
            self.site.warnings.append(f"tank: from {ran.seconds[k]:g} s on the pool leaves the range of {low:g} to {high:g} degC to which {self.fluid.name} "
                                      f"is known, it reaches {T[np.argmax(np.abs(T - 0.5 * (low + high)))]:.1f} degC; its pressure is told at the range's end")
        return np.asarray(np.clip(T, low, high))

    def _lost(self, ran: Ran) -> dict[str, Floats]:
        """Mass of the fluid, and the heat that leaves with what is vented."""
        rate, heat = np.zeros(ran.seconds.size), np.zeros(ran.seconds.size)
        for columns, signals in zip(self.kinds, ran.signals, strict=True):
            if columns.vented is not None:
                rate += signals[:, :, columns.vented[0]].sum(axis=1)
                heat += signals[:, :, columns.vented[1]].sum(axis=1)
        first = float(np.asarray(ran.earlier["fluid_mass"])[-1]) if "fluid_mass" in ran.earlier else self.mass
        mass = first - np.append(0.0, np.cumsum(rate[:-1] * np.diff(ran.seconds)))
        lost = first - mass[-1]
        if lost > 0:
            cost = f", worth {lost * self.price:.0f}" if self.price else ""
            k = int(np.argmax(rate > 0))
            self.site.warnings.append(f"vent: opened at {ran.seconds[k]:g} s; {lost:.3g} kg of {self.fluid.name} have left by the end{cost}")
        uncovered = self.fall(self.mass - mass) > self.cover
        if uncovered.any():
            self.site.warnings.append(f"level: at {ran.seconds[int(np.argmax(uncovered))]:g} s it has fallen by {self.cover:g} m, so that the highest devices "
                                      "are uncovered and dry; fill up")
        return {"fluid_mass": mass, "vented_heat": heat}

    def _faces(self, ran: Ran, lost: Floats) -> dict[str, NDArray[Any]]:
        names = list(dict.fromkeys(name for columns in self.kinds for name in columns.kind.server.device_names))
        shape = ran.seconds.size, sum(columns.kind.group.n_server for columns in self.kinds), len(names)
        flux, margin, regime = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, NO_DEVICE, dtype=np.int8)
        for columns, nodes in zip(self.kinds, ran.nodes, strict=True):
            here = slice(columns.kind.first, columns.kind.first + columns.kind.group.n_server)
            T = nodes[:, :, columns.pool]
            for name, face, depth, wall in zip(columns.kind.server.device_names, columns.faces, columns.depths, columns.walls, strict=True):
                at, wet = names.index(name), self.wet(lost, depth, face)[:, None] if columns.vented else 1.0
                excess = nodes[:, :, wall] - T
                flux[:, here, at] = wet * face.flux(excess, T) + (1 - wet) * VAPOUR_FILM * excess
                critical = wet * face.critical(T)
                asked = np.maximum(flux[:, here, at], ran.data["device_power"][:, here, at] / face.area)
                margin[:, here, at] = critical / np.maximum(asked, face.critical(T) / MOST_MARGIN)
                regime[:, here, at] = np.where(np.less(wet, 0.5), DRY, face.regime(excess, T))
        return {"heat_flux": flux, "chf_margin": margin, "boiling_regime": regime}

    def _warn_of_faces(self, ran: Ran, out: dict[str, NDArray[Any]]) -> None:
        """Says which face went beyond its critical heat flux first, with when, flux and margin, and when its device was off."""
        beyond = (out["boiling_regime"] == Regime.TRANSITION) | (out["boiling_regime"] == Regime.FILM)
        if not beyond.any():
            return
        names = list(dict.fromkeys(name for columns in self.kinds for name in columns.kind.server.device_names))
        k, server, device = (int(i) for i in np.argwhere(beyond)[0])
        most = float(np.max(out["heat_flux"][max(k - 1, 0):k + 1, server, device]))
        margin = float(np.min(out["chf_margin"][max(k - 1, 0):k + 1, server, device]))
        others = int(beyond.any(axis=0).sum()) - 1
        clock = ran.data["clock_fraction"][k:, server, device]
        off = f"; it was shut down {ran.seconds[k + int(np.argmax(clock == 0))] - ran.seconds[k]:g} s later" if np.any(clock == 0) else ""
        self.site.warnings.append(
            f"critical heat flux: {names[device]} of server {server} went beyond it by {ran.seconds[k]:g} s, at {most / 1e3:.0f} kW/m2 with a margin of "
            f"{margin:.2f} of what it asks{f', and {others} more' if others else ''}{off}; enlarge or improve its surface, or ask less of it")

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
NO_DEVICE = -1  # of boiling_regime
MOST_MARGIN = 1000.0  # that is told; of a face without heat it has no end


@dataclass
class _Columns:
    """Where the run keeps what belongs to the servers of one kind."""

    kind: Kind
    faces: list[Face]
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

    def add(self, kind: Kind, faces: list[Face], walls: list[int], pool: int, vented: tuple[int, int] | None) -> None:
        """Takes the columns of one kind of server."""
        self.kinds.append(_Columns(kind, faces, walls, pool, vented))

    def derived(self, ran: Ran) -> dict[str, NDArray[Any]]:
        """Variables that follow from a run; what there is to warn of goes to the site."""
        T = self._within_range(ran, ran.nodes[0][:, 0, self.kinds[0].pool])
        out: dict[str, NDArray[Any]] = {"tank_pressure": space_pressure(self.space, self.fluid, T, self.gas)}
        ceiling = float(self.fluid.saturation_pressure(self.fluid.highest_temperature))
        out["saturation_temperature"] = T if not self.gas else self.fluid.saturation_temperature(np.minimum(out["tank_pressure"], ceiling))
        out |= self._lost(ran)
        out |= self._faces(ran)
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
        least = float(self.fluid.vapour_density(self.fluid.lowest_temperature)) * self.space.volume
        mass = first - np.append(0.0, np.cumsum(rate[:-1] * np.diff(ran.seconds)))
        if np.any(mass < least):
            self.site.warnings.append(f"tank: at {ran.seconds[int(np.argmax(mass < least))]:g} s all liquid has left by the vent; what follows is told as "
                                      "if there were some")
        mass = np.maximum(mass, least)
        lost = first - mass[-1]
        if lost > 0:
            cost = f", worth {lost * self.price:.0f}" if self.price else ""
            k = int(np.argmax(rate > 0))
            self.site.warnings.append(f"vent: opened at {ran.seconds[k]:g} s; {lost:.3g} kg of {self.fluid.name} have left by the end{cost}")
        level = (self.mass - mass) / (float(self.fluid.liquid_density(self.design_pool)) * self.area)
        if np.any(level > self.cover):
            self.site.warnings.append(f"level: at {ran.seconds[int(np.argmax(level > self.cover))]:g} s it has fallen by {self.cover:g} m, so that the highest "
                                      "devices are uncovered; they are told as if wet, and would be hotter")
        return {"fluid_mass": mass, "vented_heat": heat}

    def _faces(self, ran: Ran) -> dict[str, NDArray[Any]]:
        names = list(dict.fromkeys(name for columns in self.kinds for name in columns.kind.server.device_names))
        shape = ran.seconds.size, sum(columns.kind.group.n_server for columns in self.kinds), len(names)
        flux, margin, regime = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, NO_DEVICE, dtype=np.int8)
        for columns, nodes in zip(self.kinds, ran.nodes, strict=True):
            here = slice(columns.kind.first, columns.kind.first + columns.kind.group.n_server)
            T = nodes[:, :, columns.pool]
            for name, face, wall in zip(columns.kind.server.device_names, columns.faces, columns.walls, strict=True):
                at = names.index(name)
                excess = nodes[:, :, wall] - T
                flux[:, here, at] = face.flux(excess, T)
                critical = face.critical(T)
                asked = np.maximum(flux[:, here, at], ran.data["device_power"][:, here, at] / face.area)
                margin[:, here, at] = critical / np.maximum(asked, critical / MOST_MARGIN)
                regime[:, here, at] = face.regime(excess, T)
        return {"heat_flux": flux, "chf_margin": margin, "boiling_regime": regime}

    def _warn_of_faces(self, ran: Ran, out: dict[str, NDArray[Any]]) -> None:
        """Says which face went beyond its critical heat flux first, with when, flux and margin, and when its device was off."""
        beyond = out["boiling_regime"] >= Regime.TRANSITION
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

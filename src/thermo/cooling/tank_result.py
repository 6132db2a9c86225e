"""What a run says of a two-phase tank: pressure, mass, and of each boiling face its flux, its margin and its branch."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.boiling import Regime
from thermo.cooling.boiling_face import POINTS, SPAN, Face, even_law
from thermo.cooling.condenser import VapourSpace, space_pressure
from thermo.cooling.site import Kind, Ran, Site
from thermo.errors import ScenarioError
from thermo.network import Table
from thermo.refrigerants import Refrigerant

__all__ = ["LAST_LIQUID", "Columns", "TankResult", "dry_law"]

Floats = NDArray[np.float64]
NO_DEVICE, DRY = -1, 4  # of boiling_regime, beside those of `Regime`; dry: less than half of the face is in liquid
VAPOUR_FILM = 10.0  # W/(m2 K) of natural convection in heavy vapour at a dry face, an estimate(0.4)
EMISSIVITY = 0.7  # of oxidised copper and of boards, an estimate(0.5)
STEFAN_BOLTZMANN = 5.670374e-8  # W/(m2 K4)
MOST_MARGIN = 1000.0  # that is told; of a face without heat it has no end
LAST_LIQUID = 0.02  # of the mass: what is left when a vent or a lid has nothing more to let out
SAME_MASS = 1e-9  # of it, within which two full tanks are one
LEAST_TOLD = 1e-9  # of the mass, that has left
DESTROYED = 250.0  # degC: solder melts at 217, boards come apart; what a run says beyond is arithmetic


def dry_law(face: Face) -> Table:
    """Conductance [W/K] of dry faces to the vapour, against their excess over `SPAN`: its natural convection, and radiation."""
    u = np.linspace(0.0, 1.0, POINTS)
    return even_law(u, face.area * dry_coefficient(SPAN * u, face.design_temperature))


def dry_coefficient(excess: Floats, T: float) -> Floats:
    """Of a dry face that is `excess` [K] above vapour and walls at `T` [degC], W/(m2 K)."""
    cold = T + 273.15
    hot = cold + excess
    return np.asarray(VAPOUR_FILM + EMISSIVITY * STEFAN_BOLTZMANN * (hot**2 + cold**2) * (hot + cold))


@dataclass
class Columns:
    """Where the run keeps what belongs to the servers of one kind."""

    kind: Kind
    faces: list[Face]
    depths: list[float]  # m of each face's top below the highest ones'
    walls: list[int]
    boils: list[int | None]  # signal, whether a face boils that is late to; None: as soon as it can
    pool: int
    gone: tuple[int, int] | None  # signals, vapour that leaves [kg/s] and its heat [W]; None where none can
    gas: int | None  # signal, gas over what counts as 1; None where there is none


@dataclass
class TankResult:
    """A tank as its result needs it."""

    site: Site
    fluid: Refrigerant
    space: VapourSpace
    mass: float  # kg, when full
    area: float  # m2 of the liquid's face
    cover: float  # m of liquid above the highest device
    room_pressure: float  # Pa
    price: float  # of a kilogram
    design_pool: float  # degC of the pool at rated power
    most_gas: float = 0.0  # mol, that counts as 1
    open: Floats | None = None  # 1 while the lid is open
    kinds: list[Columns] = field(default_factory=list)

    def add(self, columns: Columns) -> None:
        """Takes the columns of one kind of server."""
        self.kinds.append(columns)

    def fall(self, lost: Floats) -> Floats:
        """Of the liquid's level, when that much has left [m]."""
        return np.asarray(lost / (float(self.fluid.liquid_density(self.design_pool)) * self.area))

    def wet(self, lost: Floats, depth: float, face: Face) -> Floats:
        """Share of a face that is in liquid when that much has left [1]; `depth` of its top below the highest ones' [m]."""
        return np.asarray(np.clip(1 - (self.fall(lost) - self.cover - depth) / face.surface.length, 0.0, 1.0))

    def derived(self, ran: Ran) -> dict[str, NDArray[Any]]:
        """Variables that follow from a run; what there is to warn of goes to the site."""
        T = self._within_range(ran, ran.nodes[0][:, 0, self.kinds[0].pool])
        column = self.kinds[0].gas
        gas = np.zeros_like(T) if column is None else self.most_gas * ran.signals[0][:, 0, column]
        out: dict[str, NDArray[Any]] = {"tank_pressure": space_pressure(self.space, self.fluid, T, gas), "gas_amount": gas}
        ceiling = float(self.fluid.saturation_pressure(self.fluid.highest_temperature))
        out["saturation_temperature"] = T if column is None else self.fluid.saturation_temperature(np.minimum(out["tank_pressure"], ceiling))
        out |= self._lost(ran)
        out |= self._faces(ran, out["fluid_lost"], np.maximum(out["saturation_temperature"] - T, 0.0))
        self._warn_of_faces(ran, out)
        self._warn_of_destruction(ran)
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
            if columns.gone is not None:
                rate += signals[:, :, columns.gone[0]].sum(axis=1)
                heat += signals[:, :, columns.gone[1]].sum(axis=1)
        first = self._mass_at_begin(ran)
        gone = np.append(0.0, np.cumsum(rate[:-1] * np.diff(ran.seconds)))
        mass = first - gone
        lid = np.zeros(rate.size) if self.open is None else self.open
        by_lid = float((rate * lid)[:-1] @ np.diff(ran.seconds))
        for way, lost, when in (("lid: open from", by_lid, lid), ("vent: opened at", float(gone[-1]) - by_lid, (rate > 0) & (lid == 0))):
            if lost > LEAST_TOLD * self.mass:
                cost = f", worth {lost * self.price:.3g} USD" if self.price else ""
                self.site.warnings.append(f"{way} {ran.seconds[int(np.argmax(when))]:g} s; {lost:.3g} kg of {self.fluid.name} have left "
                                          f"{'while it was, and air has come in' if way[0] == 'l' else 'by the end'}{cost}")
        if np.any(mass <= LAST_LIQUID * self.mass * 1.001):
            self.site.warnings.append(f"tank: by {ran.seconds[int(np.argmax(mass <= LAST_LIQUID * self.mass * 1.001))]:g} s all but {100 * LAST_LIQUID:g} % of "
                                      f"{self.fluid.name} has left and nothing is left to boil; what is told afterwards is arithmetic, pressure too")
        uncovered = self.fall(self.mass - mass) > self.cover
        if uncovered.any():
            self.site.warnings.append(f"level: at {ran.seconds[int(np.argmax(uncovered))]:g} s it has fallen by {self.cover:g} m, so that the highest devices "
                                      "are uncovered and dry; fill up")
        return {"fluid_mass": mass, "fluid_lost": self.mass - mass, "fluid_lost_cost": self.price * (self.mass - mass), "vented_heat": heat}

    def _mass_at_begin(self, ran: Ran) -> float:
        """What the earlier run left [kg]; refused where that was of another tank."""
        if "fluid_mass" not in ran.earlier:
            return self.mass
        mass = float(np.asarray(ran.earlier["fluid_mass"])[-1])
        full = mass + float(np.asarray(ran.earlier["fluid_lost"])[-1])
        if abs(full - self.mass) > SAME_MASS * self.mass:
            raise ScenarioError(f"initial: the tank of that result holds {full:.4g} kg when full, this one {self.mass:.4g} kg of {self.fluid.name}; give it the same "
                                "fluid, liquid_volume, vapour_volume and design_temperature, or begin from 'steady' or a temperature")
        return mass

    def _faces(self, ran: Ran, lost: Floats, s: Floats) -> dict[str, NDArray[Any]]:
        names = list(dict.fromkeys(name for columns in self.kinds for name in columns.kind.server.device_names))
        shape = ran.seconds.size, sum(columns.kind.group.n_server for columns in self.kinds), len(names)
        flux, margin, regime = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, NO_DEVICE, dtype=np.int8)
        for columns, nodes in zip(self.kinds, ran.nodes, strict=True):
            here = slice(columns.kind.first, columns.kind.first + columns.kind.group.n_server)
            T, s_here = nodes[:, :, columns.pool], s[:, None]
            for name, face, depth, wall, late in zip(columns.kind.server.device_names, columns.faces, columns.depths, columns.walls, columns.boils,
                                                     strict=True):
                at, wet = names.index(name), self.wet(lost, depth, face)[:, None]
                excess = nodes[:, :, wall] - T
                boils = np.True_ if late is None else ran.signals[self.kinds.index(columns)][:, :, late] > 0.5
                flux[:, here, at] = wet * face.flux(excess, T, s_here, boils) + (1 - wet) * dry_coefficient(excess, face.design_temperature) * excess
                critical = wet * face.critical(T, s_here)
                asked = np.maximum(flux[:, here, at], ran.data["device_power"][:, here, at] / face.area)
                margin[:, here, at] = critical / np.maximum(asked, face.critical(T, s_here) / MOST_MARGIN)
                regime[:, here, at] = np.where(np.less(wet, 0.5), DRY, face.regime(excess, T, s_here, boils))
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

    def _warn_of_destruction(self, ran: Ran) -> None:
        """Says which device would have been destroyed first, and when."""
        beyond = np.asarray(ran.data["junction_temperature"]) > DESTROYED
        if not beyond.any():
            return
        names = list(dict.fromkeys(name for columns in self.kinds for name in columns.kind.server.device_names))
        k, server, device = (int(i) for i in np.argwhere(beyond)[0])
        others = int(beyond.any(axis=0).sum()) - 1
        self.site.warnings.append(
            f"destroyed: {names[device]} of server {server} passes {DESTROYED:g} degC by {ran.seconds[k]:g} s{f', and {others} more' if others else ''}; no "
            "device outlives that, what is told of it afterwards is arithmetic. Give it firmware, which would have shut it down, or keep it wet")

r"""Gas in a boiling tank that comes and goes: air through an open lid, and gas that a relief vent lets out; and vapour lost through the lid.

**Gas.** Its amount `n`, as a share of `TankAir.most`, is the integral of a sampled controller. Its pressure adds to the vapour's,
:math:`p = p_{sat}(T) + n R T / V`; the pool is then colder by ``T_sat(p) - T`` than it boils, which moves each face
(`thermo.cooling.boiling_face`, parted), and its mole fraction takes its part of the condenser's film (`thermo.cooling.condenser.gas_factor`).

**Lid open.** The tank is at the room's pressure and boils at what belongs to that:

- air comes in, or goes out, until vapour and air together have the room's pressure, over some `INRUSH` seconds. Vapour is ten times as heavy
  as air and displaces it from below: what air goes out takes no vapour along;
- vapour at more than the room's pressure, of all heat that the condenser does not take, flows out, no faster than `OUTFLOW`;
- vapour is lost to the moving air of the room over the condenser, as a mass flow of `EXCHANGE` through the opening. That is what
  environmental agencies count with for open-top vapour degreasers, tanks of boiling solvent below a coil: 0.15 lb/(h ft2), 0.73 kg/(h m2), of
  a solvent whose vapour has 4.7 kg/m3 (1,1,1-trichloroethane), taken in proportion to the vapour's density. Draughts double it, parts
  that are moved in and out do more; half to twice as much is honest.

When the lid is shut the air stays, warms, raises the pressure, and leaves as the relief vent's mixture has it.

**Left out.** The heat capacity of air (some 1e-3 of the pool's), moisture, and the room's own heat that comes in: vapour lies over the liquid.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thermo.cooling.boiling_face import even_law
from thermo.cooling.condenser import Relief, VapourSpace, condense, gas_factor, vent_flow
from thermo.network import Group, Signal, Table, separated
from thermo.refrigerants import GAS_CONSTANT, Refrigerant

if TYPE_CHECKING:
    from thermo.cooling.two_phase_tank import Tank

__all__ = ["GasSignals", "TankAir"]

Floats = NDArray[np.float64]
ZERO_CELSIUS = 273.15  # K
AIR = 0.02896  # kg/mol
INRUSH = 5.0  # s, an estimate(0.3): an opening of a square metre fills a space of some hundred litres faster still
OUTFLOW = 10.0  # m/s, an estimate(0.3)
EXCHANGE = 0.73 / 3600 / 4.7  # m/s: kg/(s m2) over kg/m3, see above; an estimate(0.4)
OVER = 0.5  # of what the pool is too warm for the room's pressure, that boils off in a period
MOST_GAS_AT_ONCE = 0.25  # of the gas, that a vent lets out in a period
POINTS, FINE = 2049, 8193
LEAST_DRIVING = 0.25  # K of vapour over water, from which on the coil's law of two is made
GAUGE = 1e4  # Pa that a gauge shows as a kelvin


@dataclass(frozen=True)
class GasSignals:
    """What a server's signals know of the gas."""

    share: Signal  # amount over `TankAir.most`
    pressure: Signal  # of vapour and gas, over `TankAir.unit`
    boils: Signal  # place in the fluid's range where it boils at that pressure
    subcooling: Signal  # K, of the pool below that
    fraction: Signal  # mole fraction of gas


@dataclass
class TankAir:
    """The laws of one tank's gas; all against the pool's place in the fluid's range, from 0 to 1, or the pressure over `unit`."""

    fluid: Refrigerant
    space: VapourSpace
    room_pressure: float  # Pa
    start: float  # mol, at the begin

    @property
    def most(self) -> float:
        """Amount of gas that counts as 1 [mol]: a space full of the room's air at the fluid's lowest temperature, or what is there."""
        return max(self.start, 1.5 * self.room_pressure * self.space.volume / (GAS_CONSTANT * (self.fluid.lowest_temperature + ZERO_CELSIUS)))

    @cached_property
    def unit(self) -> float:
        """The fluid's pressure at the end of its range [Pa]."""
        return float(self.fluid.saturation_pressure(self.fluid.highest_temperature))

    @cached_property
    def place(self) -> Floats:
        """Even places in the fluid's range, and `T` their temperatures [degC]."""
        return np.linspace(0.0, 1.0, POINTS)

    @property
    def T(self) -> Floats:
        """Temperatures of `place` [degC]."""
        low, high = self.fluid.lowest_temperature, self.fluid.highest_temperature
        return low + self.place * (high - low)

    def pressure(self, T: Floats, gas: Floats) -> Floats:
        """Of vapour and gas [mol] together [Pa]."""
        return np.asarray(self.fluid.saturation_pressure(T) + gas * GAS_CONSTANT * (T + ZERO_CELSIUS) / self.space.volume)

    def subcooling(self, T: Floats, gas: Floats) -> Floats:
        """Of a pool at `T` with that gas above it [K]; the fluid's range ends it."""
        return np.asarray(self.fluid.saturation_temperature(np.minimum(self.pressure(T, gas), self.unit)) - T)

    def signals(self, group: Group, place: Signal, share: Signal) -> GasSignals:
        """What follows from the pool's place and the gas's share."""
        own = group.law_signal(self._own_law, place, share)
        pressure = group.total([group.law_signal(self._vapour_law, place), own])
        width = self.fluid.highest_temperature - self.fluid.lowest_temperature
        boils = group.law_signal(self._boiling_law, pressure)
        return GasSignals(share, pressure, boils, group.total([boils, place], [width, -width]), group.law_signal(self._over_law, pressure, own))

    @cached_property
    def _own_law(self) -> Table:
        return even_law(self.place, self.most * GAS_CONSTANT * (self.T + ZERO_CELSIUS) / self.space.volume / self.unit)

    @cached_property
    def _vapour_law(self) -> Table:
        return even_law(self.place, self.fluid.saturation_pressure(self.T) / self.unit)

    @cached_property
    def _pressures(self) -> Floats:
        """Even pressures over `unit` that can be."""
        low, most = float(self.fluid.saturation_pressure(self.fluid.lowest_temperature)) / self.unit, 1 + float(np.max(self._own_law.value))
        return np.linspace(0.999 * low, most, FINE)

    @cached_property
    def _boiling_law(self) -> Table:
        """Where it boils, as a place in the fluid's range."""
        low = float(self.fluid.saturation_pressure(self.fluid.lowest_temperature))
        p = np.clip(self._pressures * self.unit, low, self.unit)
        boils, width = self.fluid.saturation_temperature(p), self.fluid.highest_temperature - self.fluid.lowest_temperature
        return even_law(self._pressures, (boils - self.fluid.lowest_temperature) / width)

    @cached_property
    def _over_law(self) -> Table:
        return even_law(self._pressures, 1 / self._pressures)

    # ----------------------------------------------------------------------------------------------------------- condenser

    @cached_property
    def film_law(self) -> Table:
        """What gas leaves of the film's coefficient, against its mole fraction."""
        y = np.linspace(0.0, 1.0, POINTS)
        return even_law(y, gas_factor(y))

    def coil_laws(self, tank: Tank, span: float) -> list[tuple[Table, Table]]:
        """Transfer units of the coil against vapour less water over `span`, and what gas leaves of the film."""
        T_w, m = tank.usual_water()
        y = np.linspace(0.0, 1.0, 4097)
        left = gas_factor(y)[::-1]

        def units(u: Floats, film: Floats) -> Floats:
            T = np.clip(T_w + span * u, self.fluid.lowest_temperature, self.fluid.highest_temperature)
            gas = np.clip(np.interp(film, left, y[::-1]), 0.0, 1.0)
            return np.asarray(-np.log1p(-condense(tank.coil, self.fluid, T, T - span * u, m, gas=gas).effectiveness))

        return separated(units, (LEAST_DRIVING / span, 1.0), (float(left[0]), 1.0), error=1e-5)

    @staticmethod
    def gate(span: float) -> Table:
        """0 where the vapour is no warmer than the water, 1 from `LEAST_DRIVING` on."""
        u = np.linspace(0.0, 1.0, POINTS)
        return even_law(u, np.clip(u * span / LEAST_DRIVING, 0.0, 1.0))

    # ---------------------------------------------------------------------------------------------------------------- vent

    def vent_laws(self, relief: Relief, tank: Tank) -> tuple[Table, Table, Table, Table, float]:
        """Of an open vent: vapour of a server's share against pressure if there were no gas [kg/s]; how much more of a mixture passes, in
        vapour and as a whole, against its fraction of gas; the gas that leaves over the gas there is [1/s]; the most vapour [kg/s].

        What is let out holds for a period: no more than cools the pool to just below where the vent closes, however large it is."""
        fluid, p = self.fluid, np.maximum(self._pressures * self.unit, 1.0)
        T = fluid.saturation_temperature(np.clip(p, fluid.saturation_pressure(fluid.lowest_temperature), self.unit))
        above = p - self.room_pressure - relief.closing_pressure
        falls = np.maximum(above, 0.0) + 0.25 * (relief.opening_pressure - relief.closing_pressure)
        at_once = tank.capacity * falls / fluid.pressure_slope(T) / fluid.latent_heat(T)
        out = np.minimum(vent_flow(relief, p, self.room_pressure, T, fluid.molar_mass),
                         np.minimum(at_once, 0.25 * tank.result.mass) / tank.design.period)
        y = np.linspace(0.0, 1.0, POINTS)
        lighter = np.sqrt(fluid.molar_mass / (y * AIR + (1 - y) * fluid.molar_mass))
        held = p * self.space.volume / (GAS_CONSTANT * (T + ZERO_CELSIUS))  # mol of all
        rate = np.minimum(out / fluid.molar_mass / held, MOST_GAS_AT_ONCE / tank.design.period)
        return (even_law(self._pressures, out / tank.servers), even_law(y, (1 - y) * lighter), even_law(y, lighter),
                even_law(self._pressures, rate), float(np.max(out)))

    # ----------------------------------------------------------------------------------------------------------------- lid

    @property
    def boils_in_room(self) -> float:
        """Where it boils at the room's pressure, within its range [degC]."""
        low = float(self.fluid.saturation_pressure(self.fluid.lowest_temperature))
        return float(self.fluid.saturation_temperature(np.clip(self.room_pressure, low, self.unit)))

    @cached_property
    def fits_law(self) -> Table:
        """Share of gas with which vapour and gas have the room's pressure."""
        fits = (self.room_pressure - self.fluid.saturation_pressure(self.T)) * self.space.volume / (GAS_CONSTANT * (self.T + ZERO_CELSIUS))
        return even_law(self.place, np.maximum(fits, 0.0) / self.most)

    def lost_by_lid(self, tank: Tank) -> Floats:
        """Vapour that leaves by an open lid, at `T` [kg/s]."""
        fluid, area, period = self.fluid, tank.result.area, tank.design.period
        density = fluid.vapour_density(self.T)
        over = OVER * tank.capacity * np.maximum(self.T - self.boils_in_room, 0.0) / fluid.latent_heat(self.T) / period
        over = np.minimum(over, np.minimum(OUTFLOW * area * density, 0.25 * tank.result.mass / period))
        return np.asarray(over + EXCHANGE * area * density)

"""What all servers of a two-phase tank have in common: what was left to be chosen, and the laws of its coil and its vent."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from thermo.cooling.boiling_face import Face, even_law
from thermo.cooling.condenser import (
    Condenser,
    Relief,
    VapourSpace,
    condense,
    condenser_for,
    gas_share,
    space_capacity,
    space_pressure,
    vent,
    vent_flow,
)
from thermo.cooling.site import SetPoint, Site
from thermo.cooling.tank_air import TankAir
from thermo.cooling.tank_result import LAST_LIQUID, TankResult
from thermo.errors import ScenarioError, require_between
from thermo.events import LidOpen
from thermo.network import Network, Table
from thermo.rack import Device, Mount
from thermo.refrigerants import GAS_CONSTANT

if TYPE_CHECKING:
    from thermo.cooling.two_phase_immersion import TwoPhaseImmersion

__all__ = ["BARE_AREA", "LAW_POINTS", "PROCESSORS", "WATER_SPAN", "WATER_TEMPERATURE", "Tank"]

Floats = NDArray[np.float64]
WATER_TEMPERATURE = 30.0  # degC, for which a condenser is chosen
WATER_SPAN = 120.0  # K of vapour over water, as the engine's unit of it
ONE_ATM = 101325.0  # Pa
LIQUID, VAPOUR = 3e-6, 4e-6  # m3 for each watt of rated power, estimates(0.4): tanks hold 1 to 5 L a kW
OPENS, CLOSES, VENT_MARGIN = 30e3, 15e3, 1.5  # Pa above the room or the design, of rated power; estimates(0.4)
WALL = 0.5  # J/K for each watt: tank and racks of steel, 1 kg a kW; an estimate(0.3)
VOLUMES, MOST_HEAT = (1e-7, 1e-3), 2e6  # m3/W, of liquid or vapour that are believed; W/m2 off the liquid's face
DEPTH = 0.4  # m of liquid over the tank's area with the servers' volume taken out, an estimate(0.4)
MOST_AT_ONCE, BELOW_CLOSING = 0.25, 0.25  # that a vent lets out in a period: of the mass; of what lies between its two temperatures
SHARE_OF_RISE = 0.8  # of the way from pool to critical wall that full power may go in a period
LAW_POINTS = 2049
BARE_AREA = {"memory": 8.5e-3, "nic": 0.02, "drive": 0.012, "board": 0.06, "switch": 0.01, "psu": 0.05}  # m2 of one part, wetted; both
# faces of a module of 133 x 32 mm, of a card of 100 x 100 mm; estimates(0.4)
PROCESSORS = ("gpu", "accelerator", "cpu", "switch")


@dataclass
class Tank:
    """A tank while it is added."""

    design: TwoPhaseImmersion
    site: Site
    reference: float  # degC that the network counts from
    servers: int
    water: SetPoint  # degC
    flow: SetPoint  # kg/s
    room: SetPoint  # degC, of its air
    liquid: float  # m3
    space: VapourSpace
    coil: Condenser
    relief: Relief | None
    result: TankResult
    dry: Floats | None  # 1 while the condenser has no cold water, (time,); None where it always has
    open: Floats | None  # 1 while the lid is open; None where it never is
    air: TankAir | None  # None where there is no gas and none comes
    laws: dict[Any, Any] = field(default_factory=dict)  # that are made once

    @classmethod
    def of(cls, design: TwoPhaseImmersion, network: Network, site: Site) -> Tank:
        """Set points on the run's times, and what was left to be chosen."""
        fluid, T = design.fluid, design.saturation_temperature
        watts, p_room = site.rated_power, site.ambient.air_pressure
        liquid = LIQUID * watts if design.liquid_volume is None else design.liquid_volume
        space = VapourSpace(volume=VAPOUR * watts if design.vapour_volume is None else design.vapour_volume,
                            wall_capacity=WALL * watts if design.wall_capacity is None else design.wall_capacity)
        _require_fit(design, site, T)
        coil = condenser_for(watts, fluid, T, WATER_TEMPERATURE) if design.condenser is None else design.condenser
        told = design.water_temperature is not None
        water = site.set_point(design.water_temperature if told else site.ambient.facility_water_temperature, "water_temperature",
                               name="cooling.water_temperature" if told else "ambient.facility_water_temperature", low=0.5, high=90.0,
                               unit="degC", hint="is it in kelvin?")
        if np.max(water.values) >= T:
            raise ScenarioError(f"cooling: water of {np.max(water.values):.1f} degC is not colder than {fluid.name} boils in this tank, {T:.1f} degC; "
                                "nothing would condense: take colder water, or a fluid or a design_temperature that boils hotter")
        flow = site.set_point(coil.rated_water_flow if design.water_flow is None else design.water_flow, "water_flow",
                              name="cooling.water_flow", low=0.01 * coil.rated_water_flow, high=10 * coil.rated_water_flow, unit="kg/s")
        dry, stands = site.timeline.without_water(), site.timeline.without_cooling()
        if design.liquid_chiller_cop is not None and stands is not None:  # the water's cold is the same plant's
            dry = stands if dry is None else np.maximum(dry, stands)
        if stands is not None:
            flows = np.any(stands != 0) if dry is None else np.any((stands != 0) & (dry == 0))
            site.warnings.append("room: while its cooling stands still, lid and power supplies go on as in air of the set temperature" + (
                ", and the condenser's water flows; add a water_loss where it is the same plant's" if flows else ""))
        air = site.set_point(site.ambient.air_temperature, "air_temperature", name="ambient.air_temperature", low=-20.0, high=60.0,
                             unit="degC", hint="is it in kelvin?")
        mass = float(liquid * fluid.liquid_density(T) + space.volume * fluid.vapour_density(T))
        area = liquid / DEPTH if design.liquid_area is None else design.liquid_area
        lid, opened = _lid(site, design.period)
        least = float(fluid.saturation_pressure(fluid.lowest_temperature))
        if opened and least > p_room:
            raise ScenarioError(f"events: lid-open: {fluid.name} is known from {least / 1e3:.0f} kPa on, and would boil at the room's {p_room / 1e3:.0f} kPa; "
                                "no lid of such a tank can be opened: leave it out, or take another fluid")
        gas = TankAir(fluid, space, p_room, design.gas) if design.gas or opened else None
        price = design.fluid_price if design.fluid_price is not None else fluid.price or 0.0
        result = TankResult(site, fluid, space, mass, area, design.cover, p_room, price, T, 0.0 if gas is None else gas.most, lid)
        return cls(design, site, network.reference, sum(kind.group.n_server for kind in site.kinds), water, flow, air, liquid, space, coil,
                   None if design.sealed else design.relief or _relief_for(watts, design, p_room), result, dry, lid,
                   gas)

    def warn(self, message: str) -> None:
        """Says it once."""
        if message not in self.site.warnings:
            self.site.warnings.append(message)

    @property
    def capacity(self) -> float:
        """Of the pool, what evaporates counted [J/K]."""
        d = self.design
        return float(space_capacity(self.space, d.fluid, d.saturation_temperature, self.result.mass, d.gas))

    @property
    def gas_moves(self) -> bool:
        """Whether gas comes or goes in this run."""
        return self.air is not None and (self.relief is not None or self.open is not None)

    @property
    def can_vent(self) -> bool:
        """Whether a vent opens within the fluid's range."""
        return self.relief is not None and self.vent_temperatures[0] is not None

    def subcooling(self, T: Floats) -> Floats:
        """Of a pool at `T` by the gas that there is at the begin [K]."""
        return np.zeros_like(T) if self.air is None else self.air.subcooling(T, np.asarray(self.air.start))

    def face(self, mount: Mount) -> Face:
        """A device's face in this tank, with the gas in it; alike ones are one."""
        key = mount.device, mount.multiplicity
        if key not in self.laws:
            face = self.design.face(mount)
            self.laws[key] = Face(face.surface, face.count, face.fluid, face.design_temperature, self.air is not None)
        found: Face = self.laws[key]
        return found

    def require_period(self, name: str, device: Device, face: Face, plate: float) -> None:
        """Refuses a period in which full power brings a part's wall near its critical superheat from none; `plate` of its capacity [J/K].

        The curve's tangent at a cold wall is natural convection, which holds next to nothing back until the wall is read again."""
        lump = device.junction_resistance is None or device.case_capacity is None
        held = plate + (device.junction_capacity if lump else device.case_capacity or 0.0)
        most = SHARE_OF_RISE * held * float(face.critical_excess(self.design.saturation_temperature)) / device.max_power
        if self.design.period > most:
            raise ScenarioError(f"cooling.period is {self.design.period:g} s: {name} could go beyond its critical heat flux before its wall is read, "
                                f"take {0.99 * most:.2g} s or less, or a thicker plate")

    # ----------------------------------------------------------------------------------------------------------- condenser

    def transfer_units(self, difference: Floats, water: Floats, flow: Floats) -> Floats:
        """Of the coil at vapour less water [K], by temperature and flow of the water. [1]"""
        d = self.design
        T = np.clip(water + np.asarray(difference), d.fluid.lowest_temperature, d.fluid.highest_temperature)
        gas = gas_share(self.space, d.fluid, T, d.gas)
        return np.asarray(-np.log1p(-condense(self.coil, d.fluid, T, T - difference, flow, gas=gas).effectiveness))

    def usual_water(self) -> tuple[float, float]:
        """Temperature and flow of the water at which the coil's law is exact: those that stay, else those it is made for."""
        T, m = self.water.usual, self.flow.usual
        return float(T) if T.ndim == 0 else WATER_TEMPERATURE, float(m) if m.ndim == 0 else self.coil.rated_water_flow

    @cached_property
    def coil_law(self) -> Table:
        """Transfer units against vapour less water over `WATER_SPAN`; none where the water is not colder."""
        u = np.linspace(0.0, 1.0, LAW_POINTS)
        T, m = self.usual_water()
        return even_law(u, np.append(0.0, self.transfer_units(WATER_SPAN * u[1:], np.array(T), np.array(m))))

    @cached_property
    def coil_of_two(self) -> list[tuple[Table, Table]]:
        """Transfer units against vapour less water, and what moving gas leaves of the film; see `TankAir.coil_laws`."""
        return [] if self.air is None else self.air.coil_laws(self, WATER_SPAN)

    def coil_factor(self) -> Floats:
        """On its transfer units, where water's temperature or flow moves. [1]"""
        T, m = self.usual_water()
        at = np.array(max(self.design.saturation_temperature - T, 1.0))
        water, flow = self.water.values, self.flow.values
        if max(water.ndim, flow.ndim) == 2:
            water, flow = (x[:, None] if x.ndim == 1 else x for x in (water, flow))
        if np.all(water == T) and np.all(flow == m):
            return np.ones(())
        return self.transfer_units(at, water, flow) / self.transfer_units(at, np.array(T), np.array(m))

    # ---------------------------------------------------------------------------------------------------------------- vent

    @cached_property
    def vent_temperatures(self) -> tuple[float | None, float | None]:
        """Of the pool, at which the vent opens and closes [degC]."""
        relief = self.relief
        return (None, None) if relief is None else (self._at(relief.opening_pressure), self._at(relief.closing_pressure))

    def _at(self, overpressure: float) -> float | None:
        """Of the pool, at which the pressure is that far above the room's [degC]; None where the fluid is not known so hot."""
        fluid, p = self.design.fluid, self.result.room_pressure + overpressure
        low, high = fluid.lowest_temperature, fluid.highest_temperature

        def excess(T: float) -> float:
            return float(space_pressure(self.space, fluid, T, self.design.gas)) - p

        if excess(high) <= 0:
            return None
        return low if excess(low) >= 0 else float(brentq(excess, low, high, xtol=1e-12))

    def air_of_vent(self, relief: Relief) -> tuple[Table, Table, Table, Table, float]:
        """See `TankAir.vent_laws`."""
        assert self.air is not None
        return self.air.vent_laws(relief, self)

    @cached_property
    def latent_law(self) -> Table:
        """Heat of vaporisation [J/kg] against the pool's place in the range."""
        fluid, u = self.design.fluid, np.linspace(0.0, 1.0, LAW_POINTS)
        return even_law(u, fluid.latent_heat(fluid.lowest_temperature + u * (fluid.highest_temperature - fluid.lowest_temperature)))

    def left_law(self, most: float) -> Table:
        """Whether there is liquid to evaporate, against what of the mass has left: 1, and 0 when all but `LAST_LIQUID` has.

        It falls to 0 over twice what the vent lets out in a period at the `most` [kg/s]."""
        lost, result = np.linspace(0.0, 1.0, LAW_POINTS), self.result
        fade = max(LAST_LIQUID, 2 * most * self.design.period / result.mass)
        return even_law(lost, np.clip((1 - LAST_LIQUID - lost) / fade, 0.0, 1.0))

    def wet_law(self, depth: float, face: Face) -> Table:
        """Share of a face that is wet, against what of the mass has left; `depth` of its top below the highest devices' [m]."""
        lost = np.linspace(0.0, 1.0, LAW_POINTS)
        return even_law(lost, self.result.wet(lost * self.result.mass, depth, face))

    def vent_laws(self, relief: Relief) -> tuple[Table, Table, float]:
        """Vapour [kg/s] and its latent heat [W] that a server's share of the open vent lets out, against the pool's place in the range;
        and the most vapour of the whole vent [kg/s].

        What is let out holds for a period: no more than cools the pool to just below where the vent closes, however large it is."""
        fluid, u = self.design.fluid, np.linspace(0.0, 1.0, LAW_POINTS)
        T = fluid.lowest_temperature + u * (fluid.highest_temperature - fluid.lowest_temperature)
        opens, closes = (fluid.highest_temperature if x is None else x for x in self.vent_temperatures)
        falls = np.maximum(T - closes, 0.0) + BELOW_CLOSING * (opens - closes)
        at_once = np.minimum(self.capacity * falls / fluid.latent_heat(T), MOST_AT_ONCE * self.result.mass)
        out = np.minimum(vent(relief, self.space, fluid, T, self.design.gas, self.result.room_pressure).fluid, at_once / self.design.period)
        mine = out / self.servers
        return even_law(u, mine), even_law(u, mine * fluid.latent_heat(T)), float(np.max(out))


def _lid(site: Site, period: float) -> tuple[Floats | None, bool]:
    """1 while the lid is open, None where it never is; and whether it ever was."""
    opened, lid = site.timeline.during(LidOpen), None
    for event, begin, end in opened:
        if end - begin < period:
            raise ScenarioError(f"events: {event.shown}: duration is {end - begin:g} s, expected {period:g} s or more, the cooling.period in which a tank that boils "
                                "is looked at; keep it open for longer, or give a shorter period")
        if (now := site.timeline.holds(begin, end)) is None:
            continue
        if now[0] and site.starts_at_rest:
            raise ScenarioError(f"events: {event.shown}: a tank whose lid is open loses fluid and has no steady state to begin from; begin the workload "
                                "before it, or start from a temperature (initial=25.0)")
        lid = now if lid is None else np.maximum(lid, now)
    return lid, bool(opened)


def _relief_for(heat: float, design: TwoPhaseImmersion, ambient_pressure: float) -> Relief:
    """A vent that lets the vapour of `VENT_MARGIN` times a heat [W] out where it opens: above the tank's design where that is a pressure."""
    T, fluid = design.saturation_temperature, design.fluid
    above = max(float(fluid.saturation_pressure(T)) - ONE_ATM, 0.0)
    bare = Relief(area=1.0, opening_pressure=above + OPENS, closing_pressure=above + CLOSES)
    through = float(vent_flow(bare, ambient_pressure + bare.opening_pressure, ambient_pressure, T, fluid.molar_mass) * fluid.latent_heat(T))
    return bare.replace(area=VENT_MARGIN * heat / through)


def _require_known(design: TwoPhaseImmersion, site: Site, T: float) -> None:
    """Refuses a tank beyond its fluid's range, and sizes that no tank has."""
    fluid, watts = design.fluid, site.rated_power
    low, high = fluid.lowest_temperature, fluid.highest_temperature
    require_between("cooling.design_temperature", T, low + 1.0, high - 1.0, "degC", f"{fluid.name} is known from {low:g} to {high:g} degC: take another fluid")
    if site.begins_at is not None:
        require_between("initial", site.begins_at, low, high, "degC", f"{fluid.name} is known in that range; begin from 'steady', or warmer or colder")
    liquid = LIQUID * watts if design.liquid_volume is None else design.liquid_volume
    area = liquid / DEPTH if design.liquid_area is None else design.liquid_area
    vapour = VAPOUR * watts if design.vapour_volume is None else design.vapour_volume
    for name, value, (least, most), unit, hint in (
            ("liquid_volume", liquid, [x * watts for x in VOLUMES], "m3", f"0.1 to 1000 litres for a kilowatt of the rated {watts / 1e3:.3g} kW"),
            ("vapour_volume", vapour, [x * watts for x in VOLUMES], "m3", f"0.1 to 1000 litres for a kilowatt of the rated {watts / 1e3:.3g} kW"),
            ("liquid_area", area, (max(watts / MOST_HEAT, liquid / 5.0), liquid / 0.02), "m2",
             f"liquid of {liquid:.3g} m3 stands 0.02 to 5 m deep, and gives off up to {MOST_HEAT / 1e6:g} MW/m2: vapour faster than that tears it along"),
            ("cover", design.cover, (1e-4, liquid / area), "m", f"the liquid is {liquid / area:.3g} m deep: give more liquid_volume, or a smaller liquid_area")):
        require_between(f"cooling.{name}", value, least, most, unit, hint)
    p, most = float(fluid.saturation_pressure(T)) + design.gas * GAS_CONSTANT * (T + 273.15) / vapour, float(fluid.saturation_pressure(high))
    if p > most:
        raise ScenarioError(f"cooling.gas: {design.gas:g} mol in {vapour:.3g} m3 of vapour make {p / 1e3:.0f} kPa at {T:.1f} degC, {fluid.name} is "
                            f"known up to {most / 1e3:.0f} kPa; take less gas or a larger vapour_volume")


def _require_fit(design: TwoPhaseImmersion, site: Site, T: float) -> None:
    """Refuses servers that do not belong into this tank."""
    _require_known(design, site, T)
    for kind in site.kinds:
        server = kind.server
        if server.branches:
            raise ScenarioError(f"cooling: server {server.name!r} has cold plates, which do not go into a tank; use cooling='cold-plate'")
        for name, mount, _ in server.devices:
            d = mount.device
            limits = [x for x in (d.max_operating_temperature, d.slowdown_temperature, d.shutdown_temperature) if x is not None]
            if limits and T >= min(limits):
                raise ScenarioError(f"cooling: {design.fluid.name} boils at {T:.1f} degC in this tank, {name} of {server.name} may reach "
                                    f"{min(limits):g} degC; take a fluid that boils colder, or give design_temperature")
    known = tuple(dict.fromkeys((*BARE_AREA, *PROCESSORS)))
    for name, given in (("bare_area", design.bare_area), ("surfaces", design.surfaces)):
        unknown = [k for k in given if k not in known]
        if unknown:
            raise ScenarioError(f"cooling.{name}: no kind of device is called {unknown[0]!r}; known are {', '.join(known)}")

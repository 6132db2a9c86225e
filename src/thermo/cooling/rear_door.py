r"""Rear door: room air through the servers, and behind them a coil with its own water that takes up most of the heat.

The coil is a cross-flow exchanger, both sides unmixed. Its conductance follows both flows,

.. math:: \frac{1}{UA} = R \left[ a_r \left(\frac{m_a}{m_{a0}}\right)^{-n} + w_r \left(\frac{m_w}{m_{w0}}\right)^{-0.8}
          + (1 - a_r - w_r) \right],

with `R` such that the coil gives its rated heat at its rated point. A server has the share of the coil that it has of the rack's
rated air. With ``g`` the heat over the difference of the temperatures at which air and water enter, each stream leaves as a
mixture of both entering ones, so that heat is kept exactly and cannot flow from cold to hot,

.. math:: C_a T_{a,out} = (C_a - g) T_{a,in} + g T_{w,in}, \qquad C_w T_{w,out} = (C_w - g) T_{w,in} + g T_{a,in}.

Half of the heat capacity of coil and water stands before that exchange, half behind it. Where the water stands still, both halves
exchange heat with the air as one stream does with a body.

A passive door stands in the way of the servers' fans: they move less air. An active one has fans that take just what its coil
takes, their heat joins the air behind the coil. Water colder than the dew point of the room's air, plus a margin, is
mixed up to that; without a margin it is refused.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, field_validator, model_validator

from thermo._kernels import formulas as f
from thermo.cooling.air import FAN_CURVE_DENSITY, Air, RackAir, Resistance
from thermo.cooling.control import PI, Curve, controller
from thermo.cooling.site import Cooled, Kind, Places, SetPoint, Site, Step, metered, stepped
from thermo.errors import ScenarioError
from thermo.network import Network, Node, Signal, Table, law_table, separated
from thermo.rack import Celsius, Described, NotNegative, Number, Positive, Share

__all__ = ["Coil", "DoorFans", "RearDoor", "crossflow_conductance"]

Floats = NDArray[np.float64]
WATER_HEAT_CAPACITY = 4182.0  # J/(kg K), at 20 degC; 0.1 % less at 35
AIR_HEAT_CAPACITY = 1006.0  # J/(kg K), dry, at a rated point
WATER_EXPONENT = 0.8  # of the film in the tubes with their flow: turbulent flow in a tube, Dittus and Boelter
LEAST_OPENING = 0.02  # of the rated water flow: control valves have a rangeability of some 50
MOST_OPENING = 3.0
STANDING = 1e-9  # of the rated water flow, where it stands
COMPLETE = 1.0 - 1e-5  # of the exchange: what errors of the tables cannot take beyond the streams' heat
MOST_TERMS = 2000  # of the series, beyond any coil's number of transfer units
BEYOND_RATED = 2.0  # of the rated air flow; beyond it a law fitted to one point is not vouched for
WET, DRY = 80.0, 0.5  # degC: the span of water temperatures


def crossflow_conductance(UA: ArrayLike, C_a: ArrayLike, C_w: ArrayLike) -> Floats:
    r"""Heat of a cross-flow exchanger, both sides unmixed, over the difference of the temperatures that enter.

    Parameters
    ----------
    UA : array_like
        Conductance between the streams, above 0. [W/K]
    C_a, C_w : array_like
        Capacity rates of the streams, above 0. [W/K]

    Returns
    -------
    g : ndarray
        ``eps C_min``, symmetric in the streams. [W/K]

    Notes
    -----
    .. math:: g = \frac{C_a C_w}{UA} \sum_{n=1}^\infty P\left(n, \frac{UA}{C_a}\right) P\left(n, \frac{UA}{C_w}\right)

    with `P` the regularised lower incomplete gamma function: Mason's series, which has no kink where the streams are equal,
    as ``thermo.formulas.effectiveness_crossflow_unmixed`` does, an approximation to it that is some per cent off.

    References
    ----------
    .. [1] J. L. Mason, Heat transfer in crossflow, Proc. 2nd US Natl. Congress of Applied Mechanics, 1955, p. 801.

    Examples
    --------
    >>> round(float(crossflow_conductance(1.0, 1.0, 1.0)), 4)
    0.4762
    """
    from scipy.special import gammainc

    UA, C_a, C_w = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (UA, C_a, C_w)))
    a, b = UA / C_a, UA / C_w
    total = np.zeros(UA.shape)
    for n in range(1, MOST_TERMS):  # a term falls like exp(-n) once n is beyond the smaller number of transfer units
        term = gammainc(n, a) * gammainc(n, b)
        total += term
        if np.all(term <= 1e-17 * total):
            break
    return np.asarray(total * C_a * C_w / UA)


class Coil(Described):
    """A door's coil by its rated point, and how its conductance and its resistance to air follow the flows."""

    rated_heat: Positive  # W
    rated_air_flow: Positive  # m3/s, of air of 1.2 kg/m3
    rated_air_temperature: Celsius  # degC, entering the coil
    rated_water_flow: Positive  # kg/s
    rated_water_temperature: Celsius  # degC, entering the coil
    air_part: Annotated[Number, Field(gt=0, lt=1)] = 0.75  # of the resistance to heat, at the rated point
    water_part: Annotated[Number, Field(ge=0, lt=1)] = 0.2  # the rest is walls and fins
    air_exponent: Annotated[Number, Field(ge=0.3, le=0.9)] = 0.6  # of the air's film with its flow
    air_drop: NotNegative = 20.0  # Pa, at the rated air flow
    drop_exponent: Annotated[Number, Field(ge=1, le=2)] = 1.7
    heat_capacity: NotNegative = 35e3  # J/K, of metal and water

    @model_validator(mode="after")
    def _can_be(self) -> Coil:
        if self.air_part + self.water_part > 1:
            raise ValueError("air_part and water_part add up to more than 1")
        if self.rated_air_temperature <= self.rated_water_temperature:
            raise ValueError("rated_air_temperature must be above rated_water_temperature: a coil is rated for cooling")
        most = min(self.rated_air_mass * AIR_HEAT_CAPACITY, self.rated_water_flow * WATER_HEAT_CAPACITY) * (
            self.rated_air_temperature - self.rated_water_temperature)
        if self.rated_heat >= 0.99 * most:
            raise ValueError(f"rated_heat is {self.rated_heat:g} W, its flows can carry {most:.0f} W from one temperature to the other")
        return self

    @property
    def rated_air_mass(self) -> float:
        """Air at the rated point [kg/s]."""
        return self.rated_air_flow * FAN_CURVE_DENSITY

    @property
    def rated_conductance(self) -> float:
        """`UA` at the rated point [W/K]."""
        return _rated_conductance(self)

    def conductance(self, m_air: Floats, m_water: Floats) -> Floats:
        """`UA` [W/K] at mass flows of air and water [kg/s]."""
        air, water = m_air / self.rated_air_mass, m_water / self.rated_water_flow
        walls = 1.0 - self.air_part - self.water_part
        return np.asarray(self.rated_conductance / (
            self.air_part * air**-self.air_exponent + self.water_part * water**-WATER_EXPONENT + walls))

    def effectiveness(self, m_air: Floats, m_water: Floats, c_p: float = AIR_HEAT_CAPACITY) -> Floats:
        """What the air loses of its excess over the water, both entering, at mass flows [kg/s]. [1]"""
        C_a = m_air * c_p
        return crossflow_conductance(self.conductance(m_air, m_water), C_a, m_water * WATER_HEAT_CAPACITY) / C_a

    def standing_effectiveness(self, m_air: Floats, c_p: float = AIR_HEAT_CAPACITY) -> Floats:
        """The same of a coil in which the water stands still, its excess over the coil. [1]"""
        air = m_air / self.rated_air_mass
        UA = self.rated_conductance / (self.air_part * air**-self.air_exponent + 1.0 - self.air_part - self.water_part)
        return np.asarray(-np.expm1(-UA / (m_air * c_p)))


@lru_cache(maxsize=64)
def _rated_conductance(coil: Coil) -> float:
    from scipy.optimize import brentq

    C_a, C_w = coil.rated_air_mass * AIR_HEAT_CAPACITY, coil.rated_water_flow * WATER_HEAT_CAPACITY
    wanted = coil.rated_heat / (coil.rated_air_temperature - coil.rated_water_temperature)
    low, high = np.log(wanted), np.log(1e3 * min(C_a, C_w))  # no exchanger does better than its UA
    return float(np.exp(brentq(lambda x: float(crossflow_conductance(np.exp(x), C_a, C_w)) - wanted, low, high, xtol=1e-13)))


class DoorFans(Described):
    """Fans of an active door: they take what its coil takes, no more."""

    rated_power: Positive  # W, of all, at the coil's rated air flow
    standby_power: NotNegative = 0.0  # W, of all
    power_exponent: Annotated[Number, Field(ge=1.5, le=3.5)] = 3.0


class RearDoor(Air):
    """A rack in room air with a rear-door heat exchanger. What it shares with `Air` is said there.

    `water_flow` is the rack's in kg/s: a number, a series, or a controller of the air that leaves the door (a PI with its
    `setpoint`), whose output is the opening of a valve, 1 for the rated flow. `water_temperature` is that of the water supplied.
    """

    coil: Coil
    door_fans: DoorFans | None = None  # None: a passive door
    water_flow: Any = None  # kg/s; None: the rated flow
    water_temperature: Any = None  # degC; None: the facility water of the surroundings
    dew_point_margin: NotNegative | None = 2.0  # K, by which the water is held above the dew point; None: colder water is refused
    water_pump_share: Share = 0.02  # power of the water's pumps over the heat that it takes away
    water_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = 7.0  # heat over compressor power; None: free cooling

    takes_events: ClassVar[tuple[str, ...]] = (*Air.takes_events, "water-loss")
    setpoints: ClassVar[tuple[str, ...]] = (*Air.setpoints, "water_flow", "water_temperature")

    @field_validator("water_flow")
    @classmethod
    def _known_valve(cls, value: Any) -> Any:
        value = controller(value, "water_flow")
        if isinstance(value, PI) and value.setpoint is None:
            raise ValueError("a PI of the water needs a setpoint: the temperature of the air that leaves the door [degC]")
        if isinstance(value, bool | str) or (isinstance(value, int | float) and not value > 0):
            raise ValueError("a water flow is a number above 0 [kg/s], a series over time, or a controller (PI, Curve)")
        return value

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds the servers' air and the door to the network; see `thermo.cooling.site`."""
        self.require_air(site)
        coil = self.coil
        usual = coil.rated_water_flow if self.water_flow is None or isinstance(self.water_flow, PI | Curve) else self.water_flow
        flow = site.set_point(usual, "water_flow", name="cooling.water_flow", low=LEAST_OPENING * coil.rated_water_flow,
                              high=MOST_OPENING * coil.rated_water_flow, unit="kg/s")
        rated = sum(_rated_flow(kind) * kind.group.n_server for kind in site.kinds)
        door = _Door(self, site, flow, self._water(site), rated)
        return self.in_room(network, site, door)

    def _water(self, site: Site) -> SetPoint:
        """Temperature of the water that comes to the coil: what is supplied, but not below the dew point."""
        told = self.water_temperature is not None
        water = site.set_point(self.water_temperature if told else site.ambient.facility_water_temperature, "water_temperature",
                               name="cooling.water_temperature" if told else "ambient.facility_water_temperature",
                               low=DRY, high=WET, unit="degC", hint="is it in kelvin?")
        air = site.set_point(site.ambient.air_temperature, "air_temperature", name="ambient.air_temperature", low=-20.0, high=60.0,
                             unit="degC", hint="is it in kelvin?")
        dew = np.asarray(f.dew_point(air.values, site.ambient.relative_humidity))
        if dew.ndim == 2:  # one a server: the rack has one supply of water
            dew = dew.max(axis=1)
        floor = dew + (self.dew_point_margin or 0.0)
        lacks = np.asarray(floor - _by_time(water.values))
        if not np.any(lacks > 0):
            return water
        k = int(np.argmax(lacks))
        coldest = float(np.ravel(np.broadcast_to(_by_time(water.values), lacks.shape))[k])
        dewy = float(np.ravel(np.broadcast_to(dew, lacks.shape))[k])
        if self.dew_point_margin is None:
            raise ScenarioError(f"rear door: water of {coldest:.1f} degC would bring dew on the coil, the dew point of the room's air is "
                                f"{dewy:.1f} degC; supply warmer water, dry the air, or give a dew_point_margin for water to be mixed up")
        held = float(np.max(np.where(lacks > 0, floor, -np.inf)))
        site.warnings.append(f"rear door: water of {coldest:.1f} degC is too close to the dew point of the room's air, {dewy:.1f} degC; it "
                             f"is held {self.dew_point_margin:g} K above, at up to {held:.1f} degC")
        low = floor[:, None] if floor.ndim and water.usual.ndim == 2 else floor
        straight = (water.linear or air.linear) and not air.steps
        return SetPoint(np.maximum(water.usual, low), straight, tuple(Step(np.maximum(s.value, low), s.when) for s in water.steps))

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] that removes `heat` [W] from the room, and `liquid` [W] from the door's water by its pumps and chiller."""
        per_watt = self.water_pump_share + (0.0 if self.water_chiller_cop is None else
                                            (1 + self.water_pump_share) / self.water_chiller_cop)
        wet = 0.0 if liquid is None else np.maximum(liquid, 0.0) * per_watt
        return np.asarray(super().heat_rejection_power(heat) + wet)


def _rated_flow(kind: Kind) -> float:
    """Air that a server's fans are rated for [m3/s]; 0 where it has none."""
    return 0.0 if kind.server.fans is None else kind.server.fans.system_flow


def _by_time(values: Floats) -> Floats:
    """The coldest of the servers' at each time."""
    return values.min(axis=1) if values.ndim == 2 else values


@dataclass(frozen=True)
class _Door:
    """The door of one rack, as `thermo.cooling.air.Behind`."""

    design: RearDoor
    site: Site
    flow: SetPoint  # kg/s, of the rack
    water: SetPoint  # degC
    rated: float  # m3/s, of the rack's servers

    def share(self, kind: Kind) -> float:
        """Of the door, that of each server."""
        return _rated_flow(kind) / self.rated

    def resistance(self, kind: Kind) -> Resistance | None:
        """What the coil takes of the servers' fans; an active door's fans take it."""
        coil = self.design.coil
        if self.design.door_fans is not None or coil.air_drop == 0:
            return None
        return Resistance(coil.air_drop, coil.rated_air_flow * self.share(kind), coil.drop_exponent)

    def add(self, rack: RackAir, kind: Kind, exhaust: Node, lanes: list[Signal], span: tuple[float, float], places: Places) -> Node:
        """Coil, water and fans behind the servers of one kind; returns the node of the air behind the door."""
        group, coil, share, c_p, c_w = kind.group, self.design.coil, self.share(kind), rack.air.heat_capacity, WATER_HEAT_CAPACITY
        entry = group.node("water into the coil", 0.5 * share * coil.heat_capacity)
        outlet = group.node("water out of the coil", 0.5 * share * coil.heat_capacity)
        behind = group.node("air behind the door")
        air = group.total(lanes)
        self._warn_of_flows(rack)
        m_water, spread = self._water_flow(kind, behind)
        taken = self._effectiveness(kind, air, m_water, span, spread, c_p)
        exchanged, lost = taken, self.site.timeline.without_water()
        if lost is not None:
            now, none = group.series(lost), group.series(0.0)
            m_water = group.choice(m_water, group.series(STANDING * coil.rated_water_flow * share), now)
            standing = group.choice(none, group.law_signal(_standing_law(coil, share, span, c_p), air), now)
            taken = group.choice(taken, none, now)
            exchanged = group.total([taken, standing])
            for lane in lanes:
                half = group.coefficient(0.5 * c_p, lane, times=standing)
                for body in (entry, outlet):
                    group.stream(exhaust, body, half)
                    group.stream(body, behind, half)
        kept = group.complement(exchanged)
        for lane in lanes:
            group.stream(exhaust, behind, group.coefficient(c_p, lane, times=kept))
            crosses = group.coefficient(c_p, lane, times=taken)
            group.stream(exhaust, outlet, crosses)
            group.stream(entry, behind, crosses)
        through = group.coefficient(c_w, m_water)
        reference = rack.network.reference
        supply = self.water.signal(kind, lambda T: T - reference)
        group.stream(group.boundary(supply), entry, through)
        group.stream(entry, outlet, group.coefficient(1.0, group.total([m_water, group.product(air, taken)], [c_w, -c_p])))
        group.exit(outlet, through)
        places.liquid.append(metered(group, outlet, supply, m_water, c_w, spread[1] * share))
        places.positions.append("behind door")
        places.coolant.append(behind)
        if self.design.door_fans is not None:
            self._add_fans(self.design.door_fans, rack, kind, air, span, behind, places)
        return behind

    def _water_flow(self, kind: Kind, behind: Node) -> tuple[Signal, tuple[float, float]]:
        """Water through a server's share of the coil [kg/s], and the least and most of the whole rack's."""
        group, coil, share, value = kind.group, self.design.coil, self.share(kind), self.design.water_flow
        values = [np.asarray(self.flow.usual), *(np.asarray(step.value) for step in self.flow.steps)]
        low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
        if not isinstance(value, PI | Curve):
            return self.flow.signal(kind, lambda m: m * share), (low, high)
        opening = group.control_signal(value.control([behind], [], LEAST_OPENING, 1.0))
        steps = [Step(np.asarray(step.value) * share, step.when) for step in self.flow.steps]
        flow = stepped(group, group.total([opening], [coil.rated_water_flow * share]), steps)
        return flow, (LEAST_OPENING * coil.rated_water_flow, max(high, coil.rated_water_flow))

    def _effectiveness(self, kind: Kind, air: Signal, water: Signal, span: tuple[float, float], spread: tuple[float, float],
                       c_p: float) -> Signal:
        """What the air loses of its excess over the water, as a law of both flows. [1]"""
        group, coil, share = kind.group, self.design.coil, self.share(kind)
        if spread[0] == spread[1]:
            return group.law_signal(_law_of_air(coil, share, span, spread[0], c_p), air)
        terms, back = _law_of_both(coil, share, span, spread, c_p)
        return group.law_signal(back, group.law_of_two(terms, air, water))

    def _add_fans(self, fans: DoorFans, rack: RackAir, kind: Kind, air: Signal, span: tuple[float, float], behind: Node,
                  places: Places) -> None:
        group, share = kind.group, self.share(kind)
        volume = self.design.coil.rated_air_flow * share * rack.air.density
        power = group.law_signal(law_table(lambda m: share * (rack.air.density / FAN_CURVE_DENSITY * (
            fans.rated_power - fans.standby_power) * (np.maximum(m, 0.0) / volume) ** fans.power_exponent + fans.standby_power),
            *span), air)
        if rack.off is not None:
            power = group.choice(power, group.series(0.0), group.series(rack.off))
        group.source(behind, power)
        places.fan_power.append(group.record_signal(power))

    def _warn_of_flows(self, rack: RackAir) -> None:
        rated = self.design.coil.rated_air_flow
        message = (f"rear door: the servers are rated for {self.rated:.2f} m3/s of air, its coil for {rated:.2f}; beyond "
                   f"{BEYOND_RATED:g} times that its law is not vouched for")
        if self.rated > BEYOND_RATED * rated and message not in rack.warnings:
            rack.warnings.append(message)


@lru_cache(maxsize=64)
def _law_of_air(coil: Coil, share: float, span: tuple[float, float], water: float, c_p: float) -> Table:
    """Effectiveness on the air's side against a server's air at one flow of water."""
    return law_table(lambda m: COMPLETE * coil.effectiveness(m / share, np.asarray(water), c_p), *span)


@lru_cache(maxsize=64)
def _standing_law(coil: Coil, share: float, span: tuple[float, float], c_p: float) -> Table:
    return law_table(lambda m: COMPLETE * coil.standing_effectiveness(m / share, c_p), *span)


@lru_cache(maxsize=64)
def _law_of_both(coil: Coil, share: float, span: tuple[float, float], spread: tuple[float, float], c_p: float
                 ) -> tuple[list[tuple[Table, Table]], Table]:
    """Terms of ``ln(-ln(1 - eps))`` in a server's air and water, and the law from there to `eps`.

    That is smooth in both flows and makes any value of it an effectiveness between 0 and 1."""
    seen = []

    def depth(m: Floats, w: Floats) -> Floats:
        out = np.log(-np.log1p(-coil.effectiveness(m / share, w / share, c_p)))
        seen.append((float(out.min()), float(out.max())))
        return np.asarray(out)

    terms = separated(depth, span, (spread[0] * share, spread[1] * share))
    low, high = min(s[0] for s in seen), max(s[1] for s in seen)
    return terms, law_table(lambda x: COMPLETE * -np.expm1(-np.exp(x)), low - 0.1, high + 0.1)

r"""Cold plates: coolant through the trays of a rack, a loop with its delay, pumps, and a unit that gives the heat to the facility.

In a tray the coolant takes parallel branches, and in a branch one plate after the other. Of the coolant that comes to a plate
a part ``X/w`` leaves it as warm as the roots of its fins, the rest as it came; a cell of mixed coolant is behind,

.. math:: C \dot T_k = (w - X) T_{k-1} + X T_{base} - w T_k, \qquad X = w (1 - e^{-UA/w}),

which for a base at one temperature is exact at rest (`thermo.cooling.plate`). What is not on plates gives its heat to the
server's air, whose lanes and fans are those of `thermo.cooling.air`; air and coolant do not touch, so that what leaves in
each follows from what goes in.

Without a `cdu` the supply has the temperature that is asked for, trays do not know each other, and each has its share of the
loop's volume. With one, all trays share supply line, return line, reservoir and exchanger. Lines are chains of mixed cells:
with `n` of them a front of age :math:`\tau` arrives spread over :math:`\tau / \sqrt n`. The exchanger is in counterflow,

.. math:: 1/UA = r_1 m_1^{-0.8} + r_2 m_2^{-0.8} + R_{wall}, \qquad q = \varepsilon C_{min} (T_{in} - T_{facility}),

and its valve, which opens by equal percentages, holds the temperature behind it. Pumps heat the coolant with all that they
draw. One heat capacity of the coolant counts for the whole loop, that at the mean of supply and rated return, so that what
streams carry adds up; it moves by 0.9 % over 15 K. Pipes lose no heat.

Coolant is never supplied below the room's dew point plus `dew_margin`.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, Field, field_validator

from thermo._kernels import formulas as f
from thermo._provenance import Provenance
from thermo.cooling.air import Air
from thermo.cooling.control import PI, Curve
from thermo.cooling.ladder import LEAST_RESISTANCE, Part
from thermo.cooling.plate import LiquidState, plate_base, plate_pressure_drop, plate_uptake, plate_warnings
from thermo.cooling.site import AirPart, Cooled, Kind, Places, SetPoint, Site, Step, stepped
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.network import Group, Network, Node, Signal, law_table
from thermo.rack import (
    ColdPlate,
    Count,
    CurvePlate,
    Described,
    Identifier,
    Mount,
    NotNegative,
    Number,
    Positive,
    Server,
    Share,
)

__all__ = ["Cdu", "ColdPlateCooling", "Pump", "branch_flows", "exchanger_conductance", "tray_pressure_drop"]

Floats = NDArray[np.float64]
RATED_FACILITY_TEMPERATURE = 30.0  # degC, for the properties of the facility's water
RATED_SUPPLY_TEMPERATURE = 40.0  # degC, of the coolant where a unit's rating is decoded
RANGEABILITY = 30.0  # of the valve: flow at full opening over that when shut
COLDEST, HOTTEST = 2.0, 75.0  # degC, of supply
CHEBYSHEV_POINTS = 33
RANK_ERROR = 1e-9  # of a law of two signals


def _fluid(value: Any) -> Any:
    return Fluid.from_library(value) if isinstance(value, str) else value


def _cdu(value: Any) -> Any:
    if isinstance(value, str):
        from thermo import library

        return library.load("cdus", value)
    return value


class Pump(Described):
    """The pumps of a rack's loop, or its share of a row's. Power is that of rated flow against `head`, times speed^exponent."""

    head: Positive = 150e3  # Pa at rated flow, outside of what moves the coolant
    efficiency: Annotated[Number, Field(gt=0, le=1)] = 0.3  # of head times flow over electrical power
    power_exponent: Annotated[Number, Field(ge=1.5, le=3.5)] = 3.0
    minimum_speed: Annotated[Number, Field(ge=0.02, le=1)] = 0.2


class Cdu(Described):
    """A coolant distribution unit with an exchanger from coolant to facility water, by its rated point.

    `approach` is coolant supplied less facility water entering, at `rated_heat` and the rated flows.
    """

    name: Identifier
    title: str = ""
    rated_heat: Positive  # W
    approach: Annotated[Number, Field(gt=0, le=40)]  # K
    secondary_flow: Positive  # m3/s of coolant
    primary_flow: Positive  # m3/s of facility water
    wall_share: Share = 0.1  # of the rated 1/UA
    fluid: Identifier = "pg25"  # coolant of the rated point, of the library
    facility_fluid: Identifier = "water"
    volume: NotNegative = 0.0  # m3 of coolant in exchanger and pipes
    external_head: Positive | None = None  # Pa at secondary_flow
    pump_power: Positive | None = None  # W, rated
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_library(cls, name: str) -> Cdu:
        """The library's unit of that name."""
        found: Cdu = _cdu(name)
        return found

    @property
    def capacity_rates(self) -> tuple[float, float]:
        """Of coolant and facility water at the rated point [W/K]."""
        s = LiquidState.at(Fluid.from_library(self.fluid), RATED_SUPPLY_TEMPERATURE)
        p = LiquidState.at(Fluid.from_library(self.facility_fluid), RATED_FACILITY_TEMPERATURE)
        return (self.secondary_flow * s.density * s.heat_capacity, self.primary_flow * p.density * p.heat_capacity)

    @property
    def effectiveness(self) -> float:
        """At the rated point [1]."""
        C_s, C_p = self.capacity_rates
        return self.rated_heat / (min(C_s, C_p) * (self.rated_heat / C_s + self.approach))

    @property
    def conductance(self) -> float:
        """UA at the rated point [W/K]."""
        C_s, C_p = self.capacity_rates
        low, high = min(C_s, C_p), max(C_s, C_p)
        if self.effectiveness >= 1:
            raise ScenarioError(f"Cdu {self.name}: {self.rated_heat:g} W with an approach of {self.approach:g} K asks for "
                                f"{self.effectiveness:.2f} of the heat that its flows can exchange; look at the flows")
        return float(f.ntu_counterflow(self.effectiveness, low / high)) * low


def exchanger_conductance(cdu: Cdu, secondary: ArrayLike, primary: ArrayLike) -> Floats:
    r"""UA of a unit's exchanger at parts of its rated flows [W/K].

    Parameters
    ----------
    cdu : Cdu
        Its rated point.
    secondary, primary : array_like
        Flow of coolant and of facility water over the rated ones. [1]

    Notes
    -----
    .. math:: 1/UA = r_1 s^{-0.8} + r_2 p^{-0.8} + R_{wall}

    with ``r_1 = r_2``: both sides of a plate exchanger have the same channels, and near their rating similar flows. The
    exponent is that of turbulent channels; below a tenth of the rated flow it flatters.
    """
    R = 1.0 / cdu.conductance
    film = 0.5 * (1.0 - cdu.wall_share) * R
    s, p = np.asarray(secondary, dtype=np.float64), np.asarray(primary, dtype=np.float64)
    return np.asarray(1.0 / (film * s**-0.8 + film * p**-0.8 + cdu.wall_share * R))


def branch_flows(server: Server) -> dict[str, float]:
    """Share of a server's coolant that each of its branches takes. [1]"""
    total = math.fsum(branch.flow_share for branch in server.branches)
    return {branch.name: branch.flow_share / total for branch in server.branches}


def tray_pressure_drop(server: Server, fluid: Fluid, temperature: float, flow: float | None = None) -> dict[str, float]:
    """Pressure that each branch of a server takes with its hoses and disconnects [Pa]: plates in series, neighbours share.

    Parameters
    ----------
    server : Server
        With branches.
    fluid : Fluid
        Coolant.
    temperature : float
        Of the coolant in the plates. [degC]
    flow : float, optional
        Through the server; default the rated one. [m3/s]
    """
    liquid, rated = LiquidState.at(fluid, temperature), server.coolant_flow or 0.0
    V = rated if flow is None else flow
    out = {}
    for name, share in branch_flows(server).items():
        drop = server.coolant_drop * (V / rated) ** 2 if rated else 0.0
        for row in _rows(server, name):
            each = [V * share * liquid.density / len(row) / mount.multiplicity for _, mount in row]
            drop += float(np.mean([plate_pressure_drop(_plate(m), np.array(x), liquid) for x, (_, m) in zip(each, row, strict=True)]))
        out[name] = drop
    return out


class ColdPlateCooling(Described):
    """Coolant through cold plates, the rest in the server's air. Set points are numbers, series over time, or controllers."""

    fluid: Annotated[Fluid, BeforeValidator(_fluid)] = Field(default="pg25", validate_default=True)
    supply_temperature: Any = 40.0  # degC, of the coolant
    pump_speed: Any = 1.0  # of rated speed; a controller moves each tray's own valve
    pump: Pump = Field(default_factory=Pump)
    supply_volume: NotNegative = 0.015  # m3 of coolant from the exchanger to the trays, for the rack
    return_volume: NotNegative = 0.015  # m3 from the trays to the exchanger
    reservoir_volume: NotNegative = 0.0  # m3, mixed, with a cdu only
    cells: Annotated[Count, Field(ge=1, le=200)] = 8  # of each line
    cdu: Annotated[Cdu | None, BeforeValidator(_cdu)] = None  # None: the supply has the temperature that is asked for
    cdu_share: Annotated[Number, Field(gt=0, le=1)] = 1.0  # of the unit that serves this rack
    valve: Any = Field(default_factory=lambda: PI(period=2.0, resolution=0.0, deadband=0.0, gain=0.01, integral_gain=0.001))
    facility_flow: Positive | None = None  # m3/s at full opening; None: the unit's rated flow times cdu_share
    dew_margin: Annotated[Number, Field(ge=0, le=20)] = 2.0  # K
    air: Air = Field(default_factory=Air)
    facility_share: Annotated[Number, Field(ge=0, le=0.5)] = 0.05  # power of dry cooler and facility pumps over heat
    liquid_chiller_cop: Annotated[Number, Field(gt=0, le=100)] | None = None  # heat over compressor power; None: free cooling
    provenance: Any = Field(default_factory=dict, repr=False)

    takes_events: ClassVar[tuple[str, ...]] = ("fan-failure", "inlet-step", "setpoint")
    setpoints: ClassVar[tuple[str, ...]] = ("supply_temperature", "pump_speed", "facility_water_temperature", *Air.setpoints)

    @property
    def restart_delay(self) -> float:
        """From power to cold air again [s], of the air part."""
        return float(self.air.restart_delay)

    @field_validator("pump_speed", "valve")
    @classmethod
    def _known_control(cls, value: Any) -> Any:
        if isinstance(value, dict) and "control" in value:
            known = {"pi": PI, "curve": Curve}
            kind = value["control"]
            if kind not in known:
                raise ValueError(f"control is {kind!r}, expected 'pi' or 'curve'")
            return known[kind](**{k: v for k, v in value.items() if k != "control"})
        if isinstance(value, bool | str) or value is None:
            raise ValueError("expected a share from 0 to 1, a series over time, or a controller (PI, Curve)")
        if isinstance(value, int | float) and not 0 <= value <= 1:
            raise ValueError("expected a share from 0 to 1 (of rated speed, or of the opening); is it in percent?")
        return value

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds plates, loop and the servers' air to the network; see `thermo.cooling.site`."""
        loop = _Loop.of(self, network, site)
        cooled, ladders = self.air.add_air(network, site)
        shared = list(range(len(network.shared_names)))
        if self.cdu is not None:
            loop.lay_lines(network)
        heat, nodes, columns = [], [], []
        for kind, places, parts in zip(site.kinds, cooled.places, ladders, strict=True):
            group, server = kind.group, kind.server
            if server.branches:
                _add_trays(loop, kind, parts, places)
            air = group.total([*places.air_heat, *(kind.drawn[i] for i in server.in_air)]) if server.fans else group.series(0.0)
            heat.append(group.record_signal(air))
            own = [node for i in server.in_air for node in parts[server.device_names[i]].nodes]
            nodes.append(own)
            columns.append([group.record(node) for node in own])
            places.keep(group)
        return Cooled(cooled.places, loop.supply.values, False, air=AirPart(heat, nodes, columns, shared), supply_node=loop.supply_number,
                      hottest_fluid=(self.fluid.highest_temperature, self.fluid.name))

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] of what removes `heat` [W] from the room and `liquid` [W] from the facility's water."""
        room = self.air.heat_rejection_power(heat)
        if liquid is None:
            return room
        per_watt = self.facility_share + (0.0 if self.liquid_chiller_cop is None else 1 / self.liquid_chiller_cop)
        return np.asarray(room + np.maximum(liquid, 0.0) * per_watt)


# ------------------------------------------------------------------------------------------------------------------ the loop

@dataclass
class _Loop:
    """What all trays have in common."""

    design: ColdPlateCooling
    site: Site
    reference: float
    supply: SetPoint  # degC
    facility: SetPoint  # degC
    first: float  # degC, of the supply at the start
    rated: float  # m3/s through the rack
    liquid: LiquidState  # at the mean of supply and rated return
    density: float  # kg/m3 at the supply
    shared_supply: list[Node]
    shared_return: list[Node]
    supply_number: int | None = None

    @classmethod
    def of(cls, design: ColdPlateCooling, network: Network, site: Site) -> _Loop:
        """Set points on the run's times, and the coolant's properties."""
        fluid, ambient = design.fluid, site.ambient
        low, high = max(COLDEST, fluid.lowest_temperature), min(HOTTEST, fluid.highest_temperature)
        supply = site.set_point(design.supply_temperature, "supply_temperature", name="cooling.supply_temperature", low=low, high=high,
                                unit="degC", hint="is it in kelvin?")
        facility = site.set_point(ambient.facility_water_temperature, "facility_water_temperature",
                                  name="ambient.facility_water_temperature", low=-5.0, high=95.0, unit="degC", hint="is it in kelvin?")
        air = site.over_time(ambient.air_temperature, name="ambient.air_temperature", low=-20.0, high=60.0, unit="degC",
                             hint="is it in kelvin?")
        dew = np.asarray(f.dew_point(air, max(ambient.relative_humidity, 1e-3))) + design.dew_margin
        supply = _dry(supply, dew if dew.ndim < 2 else dew.max(axis=1), high, site)
        rated = math.fsum((kind.server.coolant_flow or 0.0) * kind.group.n_server for kind in site.kinds)
        if not rated:
            raise ScenarioError("cooling: no server of this rack has cold plates; use cooling='air'")
        first = float(np.ravel(supply.values)[0])
        heat = math.fsum(kind.group.n_server * mount.device.max_power * mount.multiplicity for kind in site.kinds
                         for i, (_, mount, _) in enumerate(kind.server.devices) if i not in kind.server.in_air)
        about = LiquidState.at(fluid, first)
        rise = heat / (rated * about.density * about.heat_capacity)
        liquid = LiquidState.at(fluid, min(first + 0.5 * rise, fluid.highest_temperature))
        return cls(design, site, network.reference, supply, facility, first, rated, liquid, about.density, [], [])

    def lay_lines(self, network: Network) -> None:
        """Supply and return line and reservoir, shared by all trays."""
        d, n = self.design, self.design.cells
        per_volume = self.liquid.density * self.liquid.heat_capacity
        self.shared_supply = [network.shared(f"supply line {i + 1}", per_volume * d.supply_volume / n) for i in range(n)]
        self.supply_number = len(network.shared_names) - 1
        self.shared_return = [network.shared(f"return line {i + 1}", per_volume * d.return_volume / n) for i in range(n)]
        if d.reservoir_volume:
            self.shared_return.append(network.shared("reservoir", per_volume * d.reservoir_volume))

    @property
    def hot(self) -> float:
        """degC up to which properties are asked for."""
        return self.design.fluid.highest_temperature


def _dry(supply: SetPoint, least: Floats, high: float, site: Site) -> SetPoint:
    """The set point, nowhere below `least`, the dew point with its margin."""
    if not np.any(supply.values < least):
        return supply
    if np.max(least) > high:
        raise ScenarioError(f"ambient: the room's dew point asks for coolant of {np.max(least):.1f} degC, above {high:g} degC; dry the air")
    site.warnings.append(f"supply_temperature: {np.min(supply.values):.1f} degC is below the room's dew point with its margin, "
                         f"{np.max(least):.1f} degC; coolant is held above it")

    def raised(values: Floats) -> Floats:
        return np.maximum(values, least[:, None] if values.ndim == 2 and least.ndim else least)

    return SetPoint(raised(supply.usual), supply.linear, tuple(Step(raised(step.value), step.when) for step in supply.steps))


# ----------------------------------------------------------------------------------------------------------------- the trays

def _plate(mount: Mount) -> ColdPlate | CurvePlate:
    """The sink of a device that is on a plate."""
    if isinstance(mount.sink, ColdPlate | CurvePlate):
        return mount.sink
    raise TypeError(f"{mount.names[0]} is not on a plate")


def _rows(server: Server, branch: str) -> list[list[tuple[str, Mount]]]:
    """Devices of a branch, those at one position together, in the order in which the coolant meets them."""
    found: dict[int, list[tuple[str, Mount]]] = {}
    for i, (name, mount, k) in enumerate(server.devices):
        if i not in server.in_air and mount.lanes[k] == branch:
            found.setdefault(mount.positions[k], []).append((name, mount))
    return [found[position] for position in sorted(found)]


def _add_trays(loop: _Loop, kind: Kind, parts: dict[str, Part], places: Places) -> None:
    """Adds the coolant of servers of one kind, from supply to exchanger."""
    group, server, d = kind.group, kind.server, loop.design
    c_p, rated = loop.liquid.heat_capacity, server.coolant_flow or 0.0
    per_volume, share = loop.liquid.density * c_p, rated / loop.rated
    low = d.pump.minimum_speed
    speed = _pump_speed(loop, kind, parts)
    m_dot = group.law_signal(law_table(lambda s: loop.density * rated * s, low, 1.0, points=3), speed)
    if d.cdu is None and (loop.supply.steps or loop.supply.usual.ndim):  # pumps move volume, and it weighs less when warm
        m_dot = group.total([group.law_signal(law_table(lambda s: loop.density * rated * s, low, 1.0, points=3), speed,
                                              loop.supply.signal(kind, lambda T: d.fluid.density(T) / loop.density))])
    pump_power = group.law_signal(law_table(
        lambda s: share * d.pump.head * loop.rated / d.pump.efficiency * s**d.pump.power_exponent, low, 1.0), speed)
    places.pump_power.append(group.record_signal(pump_power))
    places.mass_flow = [group.record_signal(m_dot)]
    through = group.coefficient(c_p, m_dot)

    hoses = 0.5 * per_volume * server.coolant_volume
    inlet, outlet = group.node("coolant inlet", hoses), group.node("coolant outlet", hoses)
    if d.cdu is None:
        supply = group.boundary(loop.supply.signal(kind, lambda T: T - loop.reference))
        at = _line(group, supply, "supply line", d.cells, per_volume * d.supply_volume * share, through)
        group.stream(at, inlet, through)
    else:
        group.stream(loop.shared_supply[-1], inlet, through)
    places.positions.append("supply")
    places.coolant.append(inlet)

    dT_rated = 0.0
    for name, part_flow in branch_flows(server).items():
        at, warmed = inlet, 0.0
        for row in _rows(server, name):
            watts = math.fsum(m.device.max_power * m.multiplicity for _, m in row)
            rise = watts / (per_volume * rated * part_flow)
            at = _add_row(loop, kind, parts, row, m_dot, part_flow, loop.first + warmed + 0.5 * rise, warmed + 0.5 * rise, at, places)
            warmed += rise
        group.stream(at, outlet, group.coefficient(c_p * part_flow, m_dot))
        dT_rated = max(dT_rated, warmed)
    if server.fans is None:
        for heat in (kind.conversion(), kind.supplied(loop.site.stages_in_servers, [])):
            if heat is not None:
                group.source(outlet, heat)
    places.positions.append("return")
    places.coolant.append(outlet)
    places.exhaust = outlet
    _warn(loop, server, dT_rated)

    pump = group.node("pump")
    group.source(pump, pump_power)
    if d.cdu is None:
        at = _line(group, outlet, "return line", d.cells, per_volume * d.return_volume * share, through)
        group.stream(at, pump, through)
        group.exit(pump, through)
        return
    line = loop.shared_return
    group.stream(outlet, line[0], through)
    for tail, head in zip(line, line[1:], strict=False):
        group.stream(tail, head, through)
    group.stream(line[-1], pump, through)
    exchanger = group.node("exchanger", per_volume * d.cdu.volume * d.cdu_share * share)
    group.stream(pump, exchanger, through)
    _add_exchanger(loop, kind, d.cdu, exchanger, speed, share)
    group.stream(exchanger, loop.shared_supply[0], through)
    for tail, head in zip(loop.shared_supply, loop.shared_supply[1:], strict=False):
        group.stream(tail, head, through)


def _line(group: Group, at: Node, name: str, cells: int, capacity: float, through: Any) -> Node:
    """A pipe as a chain of mixed cells; returns its end. None where it holds nothing."""
    if capacity <= 0:
        return at
    for i in range(cells):
        cell = group.node(f"{name} {i + 1}", capacity / cells)
        group.stream(at, cell, through)
        at = cell
    return at


def _pump_speed(loop: _Loop, kind: Kind, parts: dict[str, Part]) -> Signal:
    """Speed of the pumps over the rated one."""
    d, group, server, least = loop.design, kind.group, kind.server, loop.design.pump.minimum_speed
    limits: dict[str, Any] = {"low": 0.0, "high": 1.0, "unit": "of rated speed", "hint": "is it in percent?"}
    steps = [Step(np.maximum(step.value, least), step.when) for step in loop.site.steps("pump_speed", np.zeros(()), **limits)]
    if isinstance(d.pump_speed, PI | Curve):
        if d.cdu is not None:
            raise ScenarioError("cooling.pump_speed is a controller, which watches one tray; pumps behind a cdu serve all: give a number "
                                "or a series, or leave the cdu out")
        on_plates = [i for i in range(len(server.devices)) if i not in server.in_air]
        watched = [server.devices[i] for i in on_plates if i in server.accelerators or server.devices[i][1].device.has_limit]
        watched = watched or [server.devices[i] for i in on_plates]
        speed = group.control_signal(d.pump_speed.control([parts[name].junction for name, _, _ in watched],
                                                          [mount.device for _, mount, _ in watched], least, 1.0))
    else:
        usual = loop.site.over_time(d.pump_speed, name="cooling.pump_speed", **limits)
        if usual.ndim == 2 and d.cdu is not None:
            raise ScenarioError("cooling.pump_speed has a dim server, the pumps of a cdu serve all; give one series")
        if np.min(usual) < least:
            loop.site.warnings.append(f"pump_speed: {np.min(usual):.3g} is below the pump's least, {least:g}, which is used")
        speed = group.series(kind.own(np.maximum(usual, least)))
    return stepped(group, speed, steps)


def _add_row(loop: _Loop, kind: Kind, parts: dict[str, Part], row: list[tuple[str, Mount]], m_dot: Signal, share: float, T: float,
             warmed: float, at: Node, places: Places) -> Node:
    """Plates side by side share the branch's coolant; returns the node behind them. `T`: what their properties are taken at."""
    group, c_p = kind.group, loop.liquid.heat_capacity
    ends = []
    for name, mount in row:
        plate, n, part = _plate(mount), mount.multiplicity, parts[name]
        each = share / len(row) / n  # of the tray's coolant through one plate
        cell = group.node(f"coolant behind {name}", n * plate.volume * loop.liquid.density * c_p)
        carried = group.coefficient(c_p * share / len(row), m_dot)
        taken = _couple(loop, kind, part, mount, m_dot, each, min(T, loop.hot), warmed)
        rest = group.total([m_dot, taken], [c_p * share / len(row), -1.0])
        group.stream(at, part.base, group.coefficient(1.0, taken))
        group.stream(part.base, cell, group.coefficient(1.0, taken))
        group.stream(at, cell, group.coefficient(1.0, rest))
        places.positions.append(name)
        places.coolant.append(cell)
        ends.append((cell, carried))
        flows = each * loop.density * (kind.server.coolant_flow or 0.0) * np.array([loop.design.pump.minimum_speed, 1.0])
        for message in plate_warnings(f"{kind.server.name}.{mount.names[0]}", plate, flows,
                                      LiquidState.at(loop.design.fluid, min(T, loop.hot))):
            if message not in loop.site.warnings:
                loop.site.warnings.append(message)
    if len(ends) == 1:
        return ends[0][0]
    behind = group.node(f"coolant behind {row[0][0]} and others")
    for cell, carried in ends:
        group.stream(cell, behind, carried)
    return behind


def _couple(loop: _Loop, kind: Kind, part: Part, mount: Mount, m_dot: Signal, each: float, T: float, warmed: float) -> Signal:
    """Links case and roots of the fins; returns the coolant's uptake there [W/K], as laws of the tray's flow and supply temperature."""
    group, plate, n, d = kind.group, _plate(mount), mount.multiplicity, loop.design
    rated = loop.density * (kind.server.coolant_flow or 0.0)
    span = 0.9 * d.pump.minimum_speed * rated, 1.1 * rated
    lump = part.base == part.case
    contact = mount.device.contact_area or mount.device.die_area

    def uptake(m: Floats, temperature: float) -> Floats:
        liquid = LiquidState.at(d.fluid, temperature)
        X = n * plate_uptake(plate, m * each, liquid)
        return np.asarray(1 / (1 / X + plate_base(plate, m * each, liquid, None) / n)) if lump else X

    def base(m: Floats, temperature: float) -> Floats:
        liquid = LiquidState.at(d.fluid, temperature)
        return np.asarray(1 / (part.interface + plate_base(plate, m * each, liquid, contact) / n + LEAST_RESISTANCE))

    moves = d.cdu is None and bool(loop.supply.steps or loop.supply.usual.ndim)

    def signal(law: Callable[[Floats, float], Floats]) -> Signal:
        if moves:
            return _of_two(group, _warmed(law, warmed, loop.hot), m_dot, span, loop.supply.signal(kind),
                           (max(COLDEST, d.fluid.lowest_temperature), min(HOTTEST, d.fluid.highest_temperature)))
        key = (plate, d.fluid, each, n, lump, part.interface if law is base else -1.0, contact)
        return group.law_signal(_law_of_flow(law, T, span, key), m_dot)

    if not lump:
        group.conductance(part.case, part.base, group.coefficient(1.0, signal(base)))
    return signal(uptake)


def _warmed(law: Callable[[Floats, float], Floats], by: float, hottest: float) -> Callable[[Floats, float], Floats]:
    return lambda m, T: law(m, min(T + by, hottest))


_laws: dict[Any, Any] = {}


def _law_of_flow(law: Callable[[Floats, float], Floats], T: float, span: tuple[float, float], key: Any) -> Any:
    """The law at one temperature, kept so that equal plates share a table."""
    whole = (key, T, span)
    if whole not in _laws:
        if len(_laws) > 1024:
            _laws.clear()
        _laws[whole] = law_table(lambda m: law(m, T), *span)
    return _laws[whole]


def _of_two(group: Group, function: Callable[[Floats, float], Floats], a: Signal, a_span: tuple[float, float], b: Signal,
            b_span: tuple[float, float]) -> Signal:
    """A law of two signals as a sum of products of laws of one: the leading singular pairs of its table.

    Parameters
    ----------
    function : callable
        Takes an array of the first and one value of the second.
    a, b : Signal
        What it follows.
    a_span, b_span : tuple of float
        Between which values.
    """
    angle = np.pi * (np.arange(CHEBYSHEV_POINTS) + 0.5) / CHEBYSHEV_POINTS
    nodes = -np.cos(angle)
    at_a, at_b = (0.5 * (low + high) + 0.5 * (high - low) * nodes for low, high in (a_span, b_span))
    table = np.column_stack([function(at_a, float(y)) for y in at_b])
    left, size, right = np.linalg.svd(table)
    rank = max(int(np.sum(size > RANK_ERROR * size[0])), 1)

    def through(values: Floats, span: tuple[float, float]) -> Callable[[Floats], Floats]:
        c = np.polynomial.chebyshev.chebfit(nodes, values, CHEBYSHEV_POINTS - 1)
        return lambda x: np.asarray(np.polynomial.chebyshev.chebval((2 * x - (span[0] + span[1])) / (span[1] - span[0]), c))

    products = []
    for r in range(rank):
        scale = math.sqrt(size[r])
        second = group.law_signal(law_table(through(scale * right[r], b_span), *b_span, points=257), b)
        products.append(group.law_signal(law_table(through(scale * left[:, r], a_span), *a_span, points=257), a, second))
    return group.total(products)


def _add_exchanger(loop: _Loop, kind: Kind, cdu: Cdu, node: Node, speed: Signal, share: float) -> None:
    """The tray's share of the exchanger, from the coolant behind it to the facility's water.

    ``w eps' / (1 - eps')`` with ``eps' = eps C_min / w``: `node` is at what leaves, as behind a plate."""
    d, group = loop.design, kind.group
    water = LiquidState.at(Fluid.from_library(cdu.facility_fluid), RATED_FACILITY_TEMPERATURE)
    w_rated = loop.rated * loop.density * loop.liquid.heat_capacity
    rated_secondary = cdu.secondary_flow * d.cdu_share
    most = cdu.primary_flow * d.cdu_share if d.facility_flow is None else d.facility_flow
    C_most = most * water.density * water.heat_capacity

    def conductance(s: Floats, opening: Any) -> Floats:
        w = w_rated * s
        flow = RANGEABILITY ** (opening - 1.0)
        C = C_most * flow
        UA = d.cdu_share * exchanger_conductance(cdu, loop.rated * s / rated_secondary, most * flow / (cdu.primary_flow * d.cdu_share))
        low, high = np.minimum(w, C), np.maximum(w, C)
        X = f.effectiveness_counterflow(UA / low, low / high) * low
        return np.asarray(X * w / (w - X))

    span = (d.pump.minimum_speed, 1.0)
    if isinstance(d.valve, Curve):
        raise ScenarioError("cooling.valve is a curve; give a PI controller, a number or a series")
    if isinstance(d.valve, PI):
        target = float(np.ravel(loop.supply.values)[0]) if d.valve.setpoint is None else d.valve.setpoint
        if loop.supply.steps or (loop.supply.usual.ndim and np.ptp(loop.supply.values) > 0):
            raise ScenarioError("cooling.supply_temperature moves, the valve of a cdu holds one temperature; give a number, or leave the "
                                "cdu out")
        driven = kind.server.devices[0][1].device
        opening = group.control_signal(d.valve.replace(setpoint=target).control([node], [driven], 0.0, 1.0))
    else:
        opening = group.series(loop.site.over_time(d.valve, name="cooling.valve", low=0.0, high=1.0, unit="of full opening",
                                                   hint="is it in percent?"))
    water_in = group.boundary(loop.facility.signal(kind, lambda T: T - loop.reference))
    usual = None if isinstance(d.pump_speed, PI | Curve) else loop.site.over_time(d.pump_speed, name="cooling.pump_speed", low=0.0,
                                                                                    high=1.0, unit="of rated speed")
    if usual is not None and not usual.ndim and not loop.site.timeline.steps("pump_speed"):
        s = max(float(usual), span[0])
        table = law_table(lambda u: conductance(np.asarray(s), u), 0.0, 1.0)
        group.conductance(node, water_in, group.coefficient(share, opening, table))
    else:
        value = _of_two(group, conductance, speed, span, opening, (0.0, 1.0))
        group.conductance(node, water_in, group.coefficient(share, value))


def _warn(loop: _Loop, server: Server, dT: float) -> None:
    """Says where the pressure or the warming is more than the design can give."""
    d, said = loop.design, loop.site.warnings
    drops = tray_pressure_drop(server, d.fluid, min(loop.first + 0.5 * dT, loop.hot))
    worst = max(drops, key=lambda name: drops[name])
    if drops[worst] > d.pump.head:
        said.append(f"{server.name}: branch {worst!r} takes {drops[worst] / 1e3:.0f} kPa at its rated flow, the pump's head is "
                    f"{d.pump.head / 1e3:.0f} kPa; open the plates, or give pump.head")
    if loop.first + dT > loop.hot:
        said.append(f"{server.name}: at rated power and flow its coolant would leave with {loop.first + dT:.0f} degC, beyond the "
                    f"{loop.hot:g} degC to which {d.fluid.name} is known")

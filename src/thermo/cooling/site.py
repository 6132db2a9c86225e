"""What a cooling design is given, and what it gives back. Any object with these two methods is a design:

``add_to(network, site) -> Cooled``
    adds its nodes, streams and controllers to the network;
``heat_rejection_power(heat[, liquid]) -> power``
    what the room or the plant draws to get rid of heat that leaves in air and in liquid [W].

A design that gives part of the heat to liquid says how much: where air and liquid meet, it meters each stream of liquid (`metered`)
and tells the meters in `Places.liquid`; where they do not touch, it names the air's part of the network (`AirPart`).

What only such a design can say of a run, as a tank its pressure, it gives as a function of the run, `Cooled.derived`, under names that
`thermo.output.VARIABLES` knows.

A design that answers to events says so: `takes_events` names their kinds, `setpoints` what a step may move, and a plant that
stops has a `restart_delay` [s]. Events come as series of the site: `Site.set_point`, and `Site.timeline` for the rest.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermo.ambient import Ambient
from thermo.errors import require_between
from thermo.events import Timeline
from thermo.firmware import power_up
from thermo.network import Group, Network, Node, Signal, Table
from thermo.rack import Server

__all__ = ["AirPart", "Cooled", "CoolingDesign", "Kind", "Meter", "Places", "Ran", "SetPoint", "Site", "Step", "metered", "stepped"]

Floats = NDArray[np.float64]
METER_SCALE = 1e-15  # of the stream's capacity rate: what a meter takes from the balance is below its rounding
METER_RATE = 1e-6  # 1/s at the largest flow. Slow: a meter that follows errs by this times half a transient; not slower: rounding


@dataclass
class Kind:
    """Servers of one kind in the network: their group, and what the work asks of each device as signals.

    A design makes the nodes of each device and has it powered (`powered`), then takes the `conversion` heat."""

    server: Server
    group: Group
    first: int  # index of the first of them in the rack
    demand: list[Signal]  # W at full clock and the reference temperature, in the order of ``server.devices``
    caps: list[Signal | None]  # W, the same
    leaks: list[bool]  # whether the device leaks more than its demand says: not where that was measured
    off: Signal | None  # not 0 while the servers are without power; None: never
    drawn: list[Signal] = field(default_factory=list)  # W, once devices are powered
    clocks: dict[int, Signal] = field(default_factory=dict)  # of the devices whose clock can move
    _conversion: Signal | None = None  # once made
    losses: dict[str, Signal] = field(default_factory=dict)  # W, of the chain's stages in the servers, once supplied
    loss_columns: slice = field(default_factory=lambda: slice(0))
    power_columns: slice = field(default_factory=lambda: slice(0))  # of all devices, side by side, once kept
    clock_columns: slice = field(default_factory=lambda: slice(0))  # of `clocks`, in its order

    def powered(self, i: int, junction: Node, memory: Node | None) -> Signal:
        """What device `i` draws and turns into heat [W], once its nodes are there. Devices in the server's order."""
        name, mount, _ = self.server.devices[i]
        power, clock = power_up(self.group, name, mount.device, count=mount.multiplicity, demand=self.demand[i], junction=junction,
                                memory=memory, cap=self.caps[i], leaks=self.leaks[i])
        self.drawn.append(power)
        if clock is not None:
            self.clocks[i] = clock
        return power

    def keep(self) -> None:
        """Has the means of all powers and clocks recorded."""
        def kept(signals: list[Signal]) -> slice:
            columns = [self.group.record_signal(s) for s in signals]
            return slice(columns[0], columns[-1] + 1) if columns else slice(0)

        self.power_columns, self.clock_columns = kept(self.drawn), kept(list(self.clocks.values()))
        self.loss_columns = kept(list(self.losses.values()))

    def supplied(self, stages: Mapping[str, Table], fans: Sequence[Signal]) -> Signal | None:
        """Heat of the chain's stages inside the servers [W], once all is powered; None where there are none.

        `stages` is `Site.stages_in_servers`, `fans` the power of what else the server feeds."""
        if not stages:
            return None
        conversion = self.conversion()
        drawn = self.group.total([*self.drawn, *fans, *([] if conversion is None else [conversion])])
        for name, table in stages.items():
            loss = self.group.law_signal(table, drawn)
            self.losses[name] = loss if self.off is None else self.group.choice(loss, self.group.series(0.0), self.off)
        return self.group.total(list(self.losses.values()))

    def conversion(self) -> Signal | None:
        """Loss of power supplies and regulators [W], once all devices are powered; None where there is none."""
        loss, slope = self.server.conversion_loss, self.server.conversion_slope
        if not loss and not slope:
            return None
        if self._conversion is None:
            lost = self.group.total([self.group.series(1.0), *self.drawn], [loss, *[slope] * len(self.drawn)])
            self._conversion = lost if self.off is None else self.group.choice(lost, self.group.series(0.0), self.off)
        return self._conversion

    def own(self, values: Floats) -> Floats:
        """What of a rack's set point concerns these servers: its columns where it has one a server."""
        return values[:, self.first:self.first + self.group.n_server] if np.ndim(values) == 2 else values


@dataclass(frozen=True)
class Step:
    """What a set point is while an event holds."""

    value: Floats  # like the set point's own series
    when: Floats  # (time,), 1 while it holds, else 0


@dataclass(frozen=True)
class SetPoint:
    """A set point over a run: its own series, and the steps that events make of it, in the order in which they take over."""

    usual: Floats  # scalar, (time,) or (time, server)
    linear: bool  # whether it runs straight between samples; steps are jumps all the same
    steps: tuple[Step, ...] = ()

    @property
    def values(self) -> Floats:
        """What it is at each sample."""
        out = self.usual
        for step in self.steps:
            when = step.when[:, None] if out.ndim == 2 else step.when
            out = np.where(when != 0, step.value, out)
        return out

    def signal(self, kind: Kind, of: Callable[[Floats], Floats] = lambda x: x) -> Signal:
        """``of`` the set point as a signal of a kind's servers."""
        group = kind.group
        out = group.series(of(kind.own(self.usual)), linear=self.linear)
        return stepped(group, out, [Step(of(kind.own(step.value)), step.when) for step in self.steps], linear=self.linear)


def stepped(group: Group, usual: Signal, steps: Sequence[Step], *, linear: bool = False) -> Signal:
    """`usual`, and while a step holds, that."""
    for step in steps:
        usual = group.choice(usual, group.series(step.value, linear=linear), group.series(step.when))
    return usual


@dataclass
class Site:
    """The rack's servers in the network, what surrounds them, and how a set point becomes a series on the run's times."""

    kinds: list[Kind]
    ambient: Ambient
    over_time: Callable[..., Floats]  # (value, name=, low=, high=, unit=, hint=) -> scalar array, (time,) or (time, server)
    timeline: Timeline = field(default_factory=Timeline)  # of events, over the run's samples
    rated_power: float = 0.0  # W, of the rack
    stages_in_servers: Mapping[str, Table] = field(default_factory=dict)  # loss of each [W] against what a server draws [W]
    starts_at_rest: bool = True  # whether the run begins from its steady state
    begins_at: float | None = None  # degC of all, where it begins from a temperature
    goes_on_in_room: bool = False  # whether the state to go on from has the room in it
    warnings: list[str] = field(default_factory=list)

    def steps(self, event_name: str, usual: Floats, *, low: float, high: float, unit: str, hint: str = "") -> tuple[Step, ...]:
        """What events make of the set point that they call so; `usual` is what changes are counted from."""
        out = []
        for event, value, change, when in self.timeline.steps(event_name):
            name = f"events: {event_name} from the {event.shown}"
            if change is None:
                made = np.asarray(require_between(name, value or 0.0, low, high, unit, hint))
            else:
                made = usual + change
                held = made[when != 0] if made.ndim else made
                for end in (held.min(), held.max()):
                    require_between(name, float(end), low, high, unit, hint)
                made = np.clip(made, low, high)  # where it does not hold
            out.append(Step(made, when))
        return tuple(out)

    def set_point(self, value: Any, event_name: str, *, name: str, low: float, high: float, unit: str, hint: str = "") -> SetPoint:
        """A set point on the run's times, with what events make of it.

        Parameters
        ----------
        value : float, Series or DataArray
            The set point, as `over_time` takes it.
        event_name : str
            What events call it.
        name, low, high, unit, hint
            For the refusal.
        """
        usual = self.over_time(value, name=name, low=low, high=high, unit=unit, hint=hint)
        linear = usual.ndim > 0 and getattr(value, "attrs", {}).get("interpolation") != "constant"
        return SetPoint(usual, linear, self.steps(event_name, usual, low=low, high=high, unit=unit, hint=hint))


@dataclass
class Meter:
    """The heat that a stream of liquid carries away. Nodes and signals as in `Places`."""

    outlet: int  # node that the stream leaves from
    sum: int  # node that adds up what passes
    rate: int  # signal, W/K
    enters: int  # signal, W: capacity rate times what the stream enters with, above the reference
    flow: int | None  # signal, kg/s; None: not told in the result as liquid beside the air
    capacity: float  # J/K, of the sum over METER_SCALE

    def keep(self, group: Group) -> None:
        """Has its nodes recorded."""
        self.outlet, self.sum = group.record(self.outlet), group.record(self.sum)

    def heat(self, nodes: Floats, signals: Floats, seconds: Floats) -> Floats:
        """Mean heat of each interval [W], ``(time, server)``, at the last sample what holds then; `nodes` as rises [K].

        The sum `I` obeys ``C dI/dt = w (T - I)`` with the rate `w` of the stream at `T`, so that the integral of ``w T`` is
        ``C (I_1 - I_0)`` and that of ``w I``, in which `I` hardly moves: some 1e-6 of the heat is left open, as heat to air.
        """
        total, rate = nodes[:, :, self.sum], signals[:, :, self.rate]
        out = rate * nodes[:, :, self.outlet]
        span = np.diff(seconds)[:, None]
        out[:-1] = self.capacity * np.diff(total, axis=0) / span + rate[:-1] * 0.5 * (total[:-1] + total[1:])
        return np.asarray(out - signals[:, :, self.enters])


def metered(group: Group, outlet: Node, supply: Signal, flow: Signal, heat_capacity: float, largest: float) -> Meter:
    """A meter of the liquid that enters at the rise `supply` [K] and leaves from `outlet`.

    Parameters
    ----------
    group : Group
        Of the servers.
    outlet : Node
        Where the stream leaves.
    supply, flow : Signal
        Temperature at which it enters, above the network's reference, and its mass flow. [K], [kg/s]
    heat_capacity : float
        Of the liquid. [J/(kg K)]
    largest : float
        Flow to expect. [kg/s]
    """
    capacity = heat_capacity * largest / METER_RATE
    total = group.node("heat meter", METER_SCALE * capacity)
    group.stream(outlet, total, group.coefficient(METER_SCALE * heat_capacity, flow))
    rate = group.total([flow], [heat_capacity])
    return Meter(outlet, total, group.record_signal(rate), group.record_signal(group.product(supply, rate)),
                 group.record_signal(flow), capacity)


@dataclass
class Places:
    """Where the output finds what it needs of one kind of server. Nodes while the design is added; `keep` has them recorded,
    each quantity's columns side by side, and they are columns from then on. Signals are columns at once."""

    junction: list[int] = field(default_factory=list)  # one a device, in the server's order
    memory: list[int | None] = field(default_factory=list)
    case: list[int] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    coolant: list[int] = field(default_factory=list)  # one a position
    exhaust: int = 0
    mass_flow: list[int] = field(default_factory=list)  # kg/s, their sum is the server's
    fan_power: list[int] = field(default_factory=list)
    pump_power: list[int] = field(default_factory=list)
    position_flow: dict[str, int] = field(default_factory=dict)  # kg/s of liquid that passes a position
    fan_duty: int | None = None
    air_heat: list[Signal] = field(default_factory=list)  # W that fans, conversion and supplies give to the air
    liquid: list[Meter] = field(default_factory=list)  # heat that leaves in liquid; what else leaves is the room's

    @property
    def carries_liquid(self) -> bool:
        """Whether the primary coolant of these servers is a liquid."""
        return bool(self.position_flow) and not self.liquid

    def keep(self, group: Group) -> None:
        """Has all nodes recorded."""
        self.junction = [group.record(node) for node in self.junction]
        self.memory = [None if node is None else group.record(node) for node in self.memory]
        self.case = [group.record(node) for node in self.case]
        self.coolant = [group.record(node) for node in self.coolant]
        self.exhaust = group.record(self.exhaust)
        for meter in self.liquid:
            meter.keep(group)


@dataclass
class AirPart:
    """The air's part of a network that air and liquid share without touching: what goes in, less what is stored, leaves in air."""

    heat: list[int]  # one a kind: column of the signal that is all heat put in [W]
    nodes: list[list[Node]]  # of each kind
    columns: list[list[int]]  # where those nodes are recorded
    shared: list[int]  # numbers of shared nodes


@dataclass(frozen=True)
class Ran:
    """What a design is shown after the run, to say what follows from it. What there is to warn of it adds to the site's warnings."""

    seconds: Floats  # (time,)
    data: Mapping[str, Any]  # arrays of the result so far, by their names
    nodes: list[Floats]  # of each kind, (time, server, recorded node), degC
    signals: list[Floats]  # of each kind, (time, server, recorded signal), means of the intervals
    earlier: Mapping[Any, Any]  # the result that the run goes on from; empty where it begins


@dataclass
class Cooled:
    """A rack's cooling in its network."""

    places: list[Places]  # one a kind
    supply_temperature: Any  # degC, scalar array or (time,)
    heat_in_air: bool  # whether what leaves, but for `Places.liquid`, is counted as heat to air
    room: int | None = None  # number of the shared node that servers breathe while no cold air comes
    plant_capacity: float | None = None  # W of heat that the plant can remove; None: any
    air: AirPart | None = None  # where some of the heat leaves in air and the rest in liquid; None: all one way
    supply_node: int | None = None  # number of the shared node that is the supply, where it is no set point
    hottest_fluid: tuple[float, str] | None = None  # degC up to which the liquid's properties are known, and its name
    coldest_fluid: tuple[float, str] | None = None  # the same, down to which
    dew_point: Floats | None = None  # degC, of the room's air, a number or (time,), where what is colder gets wet
    over_time: dict[str, Floats] = field(default_factory=dict)  # (time,), what the design knows beforehand, by names of the result
    derived: Callable[[Ran], dict[str, NDArray[Any]]] | None = None  # what follows from the run, by names of the result
    attributes: dict[str, str] = field(default_factory=dict)  # of the result
    fluid_heights: dict[int, float] = field(default_factory=dict)  # m above a tank's floor, of shared nodes by number


class CoolingDesign(Protocol):
    """What `simulate_rack` asks of a design."""

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds the design to the network."""

    def heat_rejection_power(self, heat: Floats, liquid: Floats | None = None) -> Floats:
        """Power [W] that gets rid of `heat` [W] in air, and of that in `liquid`, which is not given where there is none."""

"""What a cooling design is given, and what it gives back. Any object with these two methods is a design:

``add_to(network, site) -> Cooled``
    adds its nodes, streams and controllers to the network;
``heat_rejection_power(heat) -> power``
    what the room or the plant draws to get rid of `heat` [W].
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermo.ambient import Ambient
from thermo.firmware import power_up
from thermo.network import Group, Network, Node, Signal
from thermo.rack import Server

__all__ = ["Cooled", "CoolingDesign", "Kind", "Places", "Site"]

Floats = NDArray[np.float64]


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
    drawn: list[Signal] = field(default_factory=list)  # W, once devices are powered
    clocks: dict[int, Signal] = field(default_factory=dict)  # of the devices whose clock can move
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

    def conversion(self) -> Signal | None:
        """Loss of power supplies and regulators [W], once all devices are powered; None where there is none."""
        loss, slope = self.server.conversion_loss, self.server.conversion_slope
        if not loss and not slope:
            return None
        return self.group.total([self.group.series(1.0), *self.drawn], [loss, *[slope] * len(self.drawn)])

    def own(self, values: Floats) -> Floats:
        """What of a rack's set point concerns these servers: its columns where it has one a server."""
        return values[:, self.first:self.first + self.group.n_server] if np.ndim(values) == 2 else values


@dataclass
class Site:
    """The rack's servers in the network, what surrounds them, and how a set point becomes a series on the run's times."""

    kinds: list[Kind]
    ambient: Ambient
    over_time: Callable[..., Floats]  # (value, name=, low=, high=, unit=, hint=) -> scalar array, (time,) or (time, server)
    warnings: list[str] = field(default_factory=list)


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
    fan_duty: int | None = None

    def keep(self, group: Group) -> None:
        """Has all nodes recorded."""
        self.junction = [group.record(node) for node in self.junction]
        self.memory = [None if node is None else group.record(node) for node in self.memory]
        self.case = [group.record(node) for node in self.case]
        self.coolant = [group.record(node) for node in self.coolant]
        self.exhaust = group.record(self.exhaust)


@dataclass
class Cooled:
    """A rack's cooling in its network."""

    places: list[Places]  # one a kind
    supply_temperature: Any  # degC, scalar array or (time,)
    heat_in_air: bool  # whether what leaves is counted as heat to air (else to liquid)


class CoolingDesign(Protocol):
    """What `simulate_rack` asks of a design."""

    def add_to(self, network: Network, site: Site) -> Cooled:
        """Adds the design to the network."""

    def heat_rejection_power(self, heat: Floats) -> Floats:
        """Power [W] that gets rid of `heat` [W]."""

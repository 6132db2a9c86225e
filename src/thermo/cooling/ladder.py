"""The ladder of a device in a network: junction, what its package tells of, case, the base of its sink; memory beside. The same under every coolant."""
from __future__ import annotations

from dataclasses import dataclass

from thermo.cooling.site import Kind, Places
from thermo.network import Node

__all__ = ["LEAST_RESISTANCE", "Part", "add_device"]

LEAST_RESISTANCE = 1e-9  # K/W, so that a perfect joint is still a number


@dataclass
class Part:
    """Nodes of one device."""

    junction: Node
    memory: Node | None
    case: Node
    base: Node  # of the sink; the junction's own where the device is one lump
    interface: float  # K/W between case and base; 0 where they are one
    inner: tuple[Node, ...] = ()  # between junction and case, and behind the junction, where a package tells them

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(n for n in (self.junction, *self.inner, self.memory, self.case, self.base) if n is not None))


def add_device(kind: Kind, i: int, places: Places, *, sink_capacity: float | None = None) -> Part:
    """Nodes of one device and its sink's base, with its heat. `multiplicity` parts in parallel make one; `spread` is the
    unit's own factor on its resistances. `sink_capacity` [J/K] of a part's sink takes the place of that of the mount's."""
    group, (name, mount, k) = kind.group, kind.server.devices[i]
    d, n, spread = mount.device, mount.multiplicity, 1.0 if mount.spread is None else mount.spread[k]
    held = mount.sink.capacity if sink_capacity is None else sink_capacity
    if d.junction_resistance is None or d.case_capacity is None:
        lump = group.node(name, n * (d.junction_capacity + held))
        group.source(lump, kind.powered(i, lump, None))
        places.junction.append(lump)
        places.memory.append(None)
        places.case.append(lump)
        return Part(lump, None, lump, lump, 0.0)
    junction = group.node(f"{name} junction", n * d.junction_capacity)
    case = group.node(f"{name} case", n * d.case_capacity)
    base = group.node(f"{name} sink", n * held)
    inner = tuple(group.node(f"{name} inner {j}", n * C) for j, C in enumerate(d.ladder_capacity[1:], 1))
    if d.package is None:
        group.conductance(junction, case, n / (d.junction_resistance * spread))
    at = (junction, *inner, case)  # -1 is the case
    for tail, head, R in zip(d.ladder_from, d.ladder_to, d.ladder_resistance, strict=True):
        group.conductance(at[tail], at[head], n / (R * spread))
    memory = None
    if d.memory_resistance is not None:
        memory = group.node(f"{name} memory", n * (d.memory_capacity or 0.0))
        group.conductance(memory, case, n / d.memory_resistance)
    watts = kind.powered(i, junction, memory)
    share = 0.0 if memory is None else d.memory_power_share
    group.source(junction, watts, 1.0 - share)
    if memory is not None:
        group.source(memory, watts, share)
    places.junction.append(junction)
    places.case.append(case)
    places.memory.append(memory)
    return Part(junction, memory, case, base, (d.interface_resistance or 0.0) * spread / n, inner)

r"""What a device makes of the power that its work asks for: clocks, limits, caps and leakage, as chips of the network.

Dynamic power follows clock `c` and voltage, :math:`P \sim c\,V(c)^2` with :math:`V = v + (1 - v) c` of full voltage; idle
power does not follow. Leakage is part of the idle power at the reference temperature, and grows e-fold every
`Device.leakage_scale`. A device of which nothing at all is asked for is off.

Firmware looks each `Firmware.period`. Software slows the clock by a step while the junction is above its maximum
operating temperature, or the memory above its limit, and speeds it up again once all are `hysteresis` below. The
hardware's slowdown brings the clock to `slowed_clock` at once; at the shutdown temperature the device is off, and stays
so. A power cap needs no period: the clock is always such that it holds, as far as the lowest clock can.
"""
from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.network import Chip, Control, Group, Node, Signal, Table, law_table
from thermo.rack import Device, Firmware

__all__ = ["clock_of_power", "power_of_clock", "power_up"]

Floats = NDArray[np.float64]


def power_of_clock(clock: ArrayLike, lowest_voltage: float) -> Floats:
    """Dynamic power at a clock over that at full clock. [1]

    Examples
    --------
    >>> round(float(power_of_clock(0.5, 0.6)), 6)
    0.32
    """
    c = np.asarray(clock, dtype=np.float64)
    return np.asarray(c * (lowest_voltage + (1.0 - lowest_voltage) * c) ** 2)


def clock_of_power(power: ArrayLike, lowest_voltage: float) -> Floats:
    """The clock at which that share of full dynamic power is drawn: the inverse, by Newton from above. [1]

    Examples
    --------
    >>> round(float(clock_of_power(0.32, 0.6)), 12)
    0.5
    """
    share = np.asarray(power, dtype=np.float64)
    v = lowest_voltage
    c = np.cbrt(np.maximum(share, 0.0))  # the voltage is at most full, so no clock is lower than its power
    c = np.maximum(c, share)
    for _ in range(60):
        V = v + (1.0 - v) * c
        c = c - (c * V * V - share) / (V * V + 2.0 * c * V * (1.0 - v))
    return np.asarray(c)


@lru_cache(maxsize=64)
def _tables(lowest_voltage: float) -> tuple[Table, Table]:
    return (law_table(lambda c: power_of_clock(c, lowest_voltage), 0.0, 1.0),
            law_table(lambda p: clock_of_power(p, lowest_voltage), 0.0, 1.0))


def power_up(group: Group, name: str, device: Device, *, count: int, demand: Signal, junction: Node, memory: Node | None,
             cap: Signal | None, leaks: bool) -> tuple[Signal, Signal | None]:
    """Connects a device's demand to its firmware and its leakage.

    Parameters
    ----------
    group : Group
        Of its server.
    name : str
        Of the device.
    device : Device
        Limits, leakage and firmware.
    count : int
        Of equal parts that stand for one.
    demand : Signal
        What the work asks for at full clock and the reference temperature [W].
    junction, memory : Node
        Where its temperatures are; `memory` may be None.
    cap : Signal, optional
        The most that all parts together may draw [W].
    leaks : bool
        Whether its power grows with temperature beyond the demand: not where the demand was measured.

    Returns
    -------
    power, clock : Signal
        What it draws [W], and its clock over full clock; no clock where nothing could ever move it.
    """
    control = _control(device, junction, memory)
    leakage = count * device.leakage_share * device.max_power if leaks else 0.0
    cap = None if device.firmware is None else cap
    if control is None and cap is None and not leakage:
        return demand, None
    rules = device.firmware or Firmware()
    forward, back = _tables(rules.lowest_voltage)
    return group.chip(Chip(
        name=name, node=junction, demand=demand, power_of_clock=forward, clock_of_power=back,
        idle=count * device.idle_power, cap=cap, clock=None if control is None else group.control(control),
        lowest=rules.lowest_clock, leakage=leakage, reference=device.reference_temperature, scale=device.leakage_scale))


def _control(device: Device, junction: Node, memory: Node | None) -> Control | None:
    """The firmware's limits as a controller; None where the device has none. Where only a slowdown is known, software heeds it."""
    if (rules := device.firmware) is None:
        return None
    software = device.max_operating_temperature
    slowdown, shutdown = device.slowdown_temperature, device.shutdown_temperature
    if software is None:
        software, slowdown = slowdown, None
    watched = [(junction, software)] if memory is None else [(junction, software), (memory, device.memory_limit_temperature)]
    if shutdown is None and all(limit is None for _, limit in watched):
        return None
    targets = tuple(NEVER if limit is None else limit for _, limit in watched)
    return Control(kind=2, period=rules.period, nodes=tuple(node for node, _ in watched), target=targets, low=rules.lowest_clock,
                   high=1.0, deadband=rules.hysteresis, step=rules.clock_step, slowed=max(rules.slowed_clock, rules.lowest_clock),
                   slowdown=math.inf if slowdown is None else slowdown, shutdown=math.inf if shutdown is None else shutdown)


NEVER = 1e6  # degC, for a node without a limit

r"""The pumps of a rack's coolant: how fast each turns over a run, and the loop's pressure.

Without power a pump coasts, :math:`s = s_0 / (1 + s_0 t / \tau)`: what its inertia gives when the torque goes with speed squared. With power it
runs up along a straight line. One that waits begins to turn a while after one that runs has stopped.

A leak takes coolant from the expansion vessel, whose gas expands at one temperature. With the gauge pressure p of the loop, the absolute
pressure :math:`p_a` and the gas volume :math:`V_g` at the begin,

.. math:: p_a(t) = p_{a0} \frac{V_g}{V_g + \Delta V}, \qquad \frac{d \Delta V}{dt} = Q_0 \sqrt{p / p_0},

and pumps whose inlet falls below their least pressure are stopped for good.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from thermo import events as _events
from thermo.errors import ScenarioError
from thermo.events import Timeline
from thermo.rack import Count, Described, NotNegative, Number, Positive

__all__ = ["Hold", "Pump", "Pumps", "leaked"]

Floats = NDArray[np.float64]
ATMOSPHERE = 101_325.0  # Pa
STILL = 0.02  # of full speed, where bearings stop a pump that coasts
AFTER = np.concatenate([0.02 * 1.25 ** np.arange(40), [240.0, 360.0, 480.0, 600.0]])  # s, samples behind what changes the flow
GAUSS = (np.array([-math.sqrt(0.6), 0.0, math.sqrt(0.6)]), np.array([5.0, 8.0, 5.0]) / 18)  # nodes on [-1, 1], weights


class Pump(Described):
    """The pumps of a rack's loop, or its share of a row's: `count` alike share the rated flow, `standby` more wait for one to stop."""

    head: Positive = 150e3  # Pa at rated flow and speed, outside of what moves the coolant
    efficiency: Annotated[Number, Field(gt=0, le=1)] = 0.3  # of head times flow over electrical power, rated
    power_exponent: Annotated[Number, Field(ge=1.5, le=3.5)] = 3.0
    minimum_speed: Annotated[Number, Field(ge=0.02, le=1)] = 0.2
    count: Annotated[Count, Field(ge=1, le=12)] = 1
    standby: Annotated[Count, Field(ge=0, le=12)] = 0
    shutoff_head: Annotated[Number, Field(gt=1, le=3)] = 1.25  # over the rated head
    shutoff_power: Annotated[Number, Field(ge=0, le=1)] = 0.5  # at full speed and no flow, over the rated power
    check_valve: bool = True  # behind each pump
    coast_time: Positive = 1.0  # s in which a pump without power falls from full to half speed
    start_time: Positive = 3.0  # s from standstill to full speed
    standby_delay: NotNegative = 1.0  # s from the stop of one pump until one that waits begins to turn
    minimum_pressure: NotNegative = 20e3  # Pa (gauge) at the inlet, below which pumps are stopped


class Hold(Described):
    """Pumps whose drives hold the rack's flow, as a share of the rated one, or the pressure between its headers, as a share of the head.

    The drives settle within seconds: flow or pressure is held at each instant, between the pumps' least and full speed."""

    control: ClassVar[str] = "hold"  # its name in files
    quantity: Literal["flow", "pressure"] = "pressure"
    value: Annotated[Number, Field(gt=0, le=1.5)] = 1.0


@dataclass(frozen=True)
class Pumps:
    """The pumps of a loop over a run, with what its expansion vessel holds."""

    pump: Pump
    static_pressure: float  # Pa, gauge
    gas_volume: float  # m3

    @property
    def count(self) -> int:
        """How many there are, those that wait last."""
        return self.pump.count + self.pump.standby

    def samples(self, happens: Timeline) -> list[float]:
        """Instants at which flows change [s], beside those at which events begin and end."""
        found: set[float] = set()
        for begin, end, _ in self._trips(happens):
            found |= {begin, begin + self.pump.standby_delay, begin + self.pump.standby_delay + self.pump.start_time}
            if np.isfinite(end):
                found |= {end, end + self.pump.start_time, *(end + AFTER)}
            found |= set(begin + AFTER)
        for kind in (_events.Clogging, _events.Disconnected, _events.WaterLoss, _events.ValveStuck):
            for _, begin, end in happens.during(kind):
                found |= {*(begin + AFTER), *(end + AFTER)}
        for event, begin, _ in happens.during(_events.Leak):
            found |= set(begin + np.linspace(0.0, self._stops_after(event.flow), 24)[1:])
        return sorted(x for x in found if np.isfinite(x))

    def _stops_after(self, flow: float) -> float:
        """How long a leak needs to bring the pressure to where pumps are stopped [s]."""
        t, p = leaked(self.static_pressure, self.gas_volume, flow)
        return float(np.interp(-self.pump.minimum_pressure, -p, t))

    def _trips(self, happens: Timeline) -> list[tuple[float, float, int | None]]:
        """Stops of pumps: begin, end, how many; None: all, those that wait too."""
        for event, _, _ in happens.during(_events.PumpTrip):
            if event.units != "all" and event.units > self.pump.count:
                raise ScenarioError(f"events: {event.shown}: units is {event.units}, {self.pump.count} run (pump.count); \"all\" stops those that "
                                    "wait, too")
        found: list[tuple[float, float, int | None]] = [
            (b, e, None if event.units == "all" else event.units) for event, b, e in happens.during(_events.PumpTrip)]
        found += [(b, e, None) for _, b, e in happens.during(_events.CduLoss)]
        found += [(b + self._stops_after(event.flow), np.inf, None) for event, b, _ in happens.during(_events.Leak)
                  if not b + self._stops_after(event.flow) > event.end(b)]
        if happens.lost is not None:
            found.append((*happens.lost, None))
        return sorted(found, key=lambda trip: trip[0])

    def pressure(self, happens: Timeline) -> Floats:
        """Gauge pressure at the pumps' inlet over the run's samples [Pa]."""
        out = np.full(happens.seconds.size, self.static_pressure)
        leaks = happens.during(_events.Leak)
        if len(leaks) > 1:
            raise ScenarioError(f"events: {len(leaks)} leaks; one at a time is followed: give the larger one")
        for event, begin, end in leaks:
            t, p = leaked(self.static_pressure, self.gas_volume, event.flow)
            out = np.interp(np.clip(happens.seconds, begin, end) - begin, t, p)
        return out

    def over(self, happens: Timeline, usual: Floats, turning: Callable[[float], Floats] | None = None) -> tuple[Floats, Floats]:
        """Mean speed of each pump over each interval between samples, as far as power and inertia allow it, ``(time, unit)``: `usual`,
        ``(time,)``, where nothing is wrong, 0 for those that wait; and 1 where it has power, else 0. [1]

        `turning` says of an instant how fast each then turns, where drives hold them below `usual`: from there they coast."""
        p, seconds = self.pump, happens.seconds
        out, fed = np.zeros((seconds.size, self.count)), np.zeros((seconds.size, self.count))
        out[:, :p.count], fed[:, :p.count] = usual[:, None], 1.0
        trips = self._trips(happens)
        if not trips:
            return out, fed
        span = np.diff(seconds, append=seconds[-1])
        nodes = seconds[:, None] + 0.5 * span[:, None] * (1 + GAUSS[0])
        without = self._without_power(trips)
        for unit in range(self.count):
            on = unit < p.count
            limit = np.empty_like(nodes)  # what is possible at each instant
            level, since, powered = (1.0 if on else 0.0), -np.inf, on
            changes = self._commands(unit, without)
            for k, (begin, then) in enumerate([(-np.inf, on), *changes]):
                if begin > -np.inf:
                    asked = np.interp(begin, seconds, usual) if turning is None or not powered else turning(begin)[unit]
                    level = min(float(self._possible(level, since, powered, np.array(begin))), float(asked))
                    since, powered = begin, then
                end = changes[k][0] if k < len(changes) else np.inf
                here = slice(*np.searchsorted(seconds, np.array([begin, end]) - _events.SAME_TIME))
                limit[here], fed[here, unit] = self._possible(level, since, powered, nodes[here]), powered
            mean = np.minimum(limit, usual[:, None]) @ GAUSS[1]
            out[:, unit] = np.where(mean < STILL, 0.0, mean)
        return out, fed

    def _possible(self, level: float, since: float, powered: bool, at: Floats) -> Floats:
        """Speed that a pump can have at instants, from `level` at `since`: it runs up, or coasts."""
        if since == -np.inf:
            return np.full(at.shape, level)
        t = at - since
        return np.asarray(np.minimum(level + t / self.pump.start_time, 1.0) if powered else level / (1 + level * t / self.pump.coast_time))

    def _without_power(self, trips: Sequence[tuple[float, float, int | None]]) -> list[list[tuple[float, float]]]:
        """For each pump when it cannot run. What stops some stops those that run, from the first on."""
        out: list[list[tuple[float, float]]] = [[] for _ in range(self.count)]
        for begin, end, units in trips:
            some = self.count if units is None else units
            alive = [i for i in range(self.count) if units is None or not any(b <= begin < e for b, e in out[i])]
            for i in alive[:some]:
                out[i].append((begin, end))
        return [_events.joined(spans) for spans in out]

    def _commands(self, unit: int, without: list[list[tuple[float, float]]]) -> list[tuple[float, bool]]:
        """When a pump is switched, and whether on."""
        p = self.pump
        if unit < p.count:
            return [c for b, e in without[unit] for c in ((b, False), *(((e, True),) if np.isfinite(e) else ()))]
        instants = sorted({t for spans in without for span in spans for t in span if np.isfinite(t)})
        changes: list[tuple[float, bool]] = []
        on = False
        for t in instants:
            missing = sum(any(b <= t < e for b, e in without[i]) for i in range(p.count))
            ready = [i for i in range(p.count, p.count + p.standby) if not any(b <= t < e for b, e in without[i])]
            wanted = unit in ready[:missing]
            if wanted != on:
                if not wanted and changes[-1][0] > t:  # it was not needed before it began to turn
                    changes.pop()
                else:
                    dead = any(b <= t < e for b, e in without[unit])  # else it stays until the one that comes back is up
                    changes.append((t + (p.standby_delay if wanted else 0.0 if dead else p.start_time), wanted))
                on = wanted
        return sorted(changes)


def leaked(pressure: float, gas_volume: float, flow: float) -> tuple[Floats, Floats]:
    """Time [s] and gauge pressure [Pa] of a loop that leaks, from `pressure` to all but none.

    Parameters
    ----------
    pressure : float
        At the begin, gauge. [Pa]
    gas_volume : float
        Of the expansion vessel's gas at the begin. [m3]
    flow : float
        Of the leak at the begin. [m3/s]

    Notes
    -----
    With :math:`u = \\sqrt{p}` the time since the begin is closed: :math:`t = \\frac{2 V_g p_{a0} u_0}{Q_0} [F(u_0) - F(u)]`, with
    :math:`F(u) = \\frac{u}{2 p_{atm} (p_{atm} + u^2)} + \\frac{\\arctan (u / \\sqrt{p_{atm}})}{2 p_{atm}^{3/2}}`.
    """
    u0 = math.sqrt(pressure)
    u = np.linspace(u0, 1e-3 * u0, 513)

    def F(u: Floats) -> Floats:
        return np.asarray(u / (2 * ATMOSPHERE * (ATMOSPHERE + u * u)) + np.arctan(u / math.sqrt(ATMOSPHERE)) / (2 * ATMOSPHERE**1.5))

    return 2 * gas_volume * (ATMOSPHERE + pressure) * u0 / flow * (F(np.array(u0)) - F(u)), u * u

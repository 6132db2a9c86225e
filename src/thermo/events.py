"""Things that happen during a run: power lost, fans and supplies that fail, cooling that stops, set points that move.

    events = [thermo.events.utility_outage(600.0, duration=300.0), thermo.events.fan_failure(60.0, server=2, fan=3)]
    result = thermo.simulate_rack(rack, trace, events=events)

When. `t` is in seconds on the run's clock, that of the result's coordinate `time`, or a date where the trace has dates. An
event holds from `t` on: the sample at `t` has its effect already. Without a `duration` it holds to the end of the run. A run
that goes on from a result takes events from before its first sample, those of that result: what still lasts holds at once. The
instants at which an event begins or ends become samples of the run, beside those of the workload.

What each does:

================  ==========================================================================================================
utility outage    the plant that cools is off until the utility is back, or the chain's generator has started, and it has
                  restarted; a fault of the power chain
UPS bypass        a fault of the power chain
supply failure    a fault of the power chain
fan failure       that many fans of a server stand still behind closed flaps (no air flows back through them); the others
                  meet the same chassis, and the controller turns them up
cooling loss      no cold air comes: servers breathe the room, which warms with their heat (see `thermo.cooling.Air`)
water loss        no water comes to the rack (see `thermo.cooling.RearDoor`) or to the exchanger of its distribution unit; an outage
                  that stops the plant stops it too
pump trip         pumps of the rack's coolant coast to standstill, those that wait start (see `thermo.cooling.Pump`)
CDU loss          all pumps of the rack's coolant stop, those that wait too
valve stuck       the valve in the facility's water stands where it is, or at an opening
leak              coolant is lost until the pumps are stopped for want of pressure
clogging          the plate of a device takes more pressure at the same flow
disconnect        a tray, or one of its branches, is pulled from its dry-break couplings: no flow
lid open          a tank loses more heat from its surface (see `thermo.cooling.Immersion`); one that boils takes in air, is at the
                  room's pressure and loses vapour (see `thermo.cooling.tank_air`)
inlet step        the supply air becomes as warm as said, or that much warmer
set point         a set point of the cooling design or the room becomes a number
================  ==========================================================================================================

Where steps of one set point overlap, the one that began later holds; failed fans of one server add up; outages that overlap
are one outage.
"""
from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from thermo.errors import ScenarioError, nearest, shown
from thermo.rack import Celsius, Count, Described, Number, Positive, as_mapping

__all__ = ["KINDS", "CduLoss", "Clogging", "CoolingLoss", "Disconnected", "Event", "FanFailure", "Fault", "InletStep", "Leak", "LidOpen", "Plant",
           "PsuFailure", "PumpTrip", "Setpoint", "Timeline", "UpsBypass", "UtilityOutage", "ValveStuck", "WaterLoss", "cdu_loss", "clogging",
           "cooling_loss", "disconnected", "fan_failure", "inlet_step", "joined", "leak", "lid_open", "psu_failure", "pump_trip", "setpoint",
           "ups_bypass", "utility_outage", "valve_stuck", "water_loss"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LATEST = 1e12  # s, of any clock
DATES = np.datetime64("1700-01-01"), np.datetime64("2250-01-01")  # that nanoseconds can say
SAME_TIME = 1e-6  # s: an instant closer to a sample than this is that sample
MOST_EVENTS = 10_000


def an_instant(value: Any) -> float | np.datetime64:
    """Seconds, or a date in UTC."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        if not abs(float(value)) <= LATEST:
            raise ValueError(f"expected seconds on the run's clock, up to {LATEST:g} s, or a date")
        return float(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:  # pandas' are such, too
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    if isinstance(value, str | datetime.date | np.datetime64):
        try:
            date = np.datetime64(value)
            if not np.isnat(date) and DATES[0] < date < DATES[1]:
                return date.astype("M8[ns]")
        except (ValueError, OverflowError):
            pass
    raise ValueError("expected seconds on the run's clock, or a date such as 2026-01-31T12:00:00")


def _a_duration(value: Any) -> Any:
    if isinstance(value, np.timedelta64 | datetime.timedelta):
        return float(np.timedelta64(value) / np.timedelta64(1, "s"))
    return value


_Kind = TypeVar("_Kind", bound="Event")
Instant = Annotated[Any, BeforeValidator(an_instant)]  # s, or datetime64
Duration = Annotated[Positive, BeforeValidator(_a_duration)]  # s


@dataclass(frozen=True)
class Fault:
    """What a power chain is told of an event, in seconds of the run's clock and in words of its own."""

    kind: str  # "utility-outage", "ups-bypass", "psu-failure"
    begin: float  # s
    end: float  # s; infinite where it stays
    units: int = 0  # of power supplies that fail
    server: int | None = None  # whose; None: each server's


@dataclass(frozen=True)
class Plant:
    """What cools, as events see it."""

    restart_delay: float = 0.0  # s from power to cold air again
    generator_start: float | None = None  # s from the begin of an outage to power from a generator
    on_battery: bool = False  # fed behind a battery: outages do not stop it

    def cold_air_again(self, begin: float, end: float) -> float | None:
        """Until when an outage from `begin` to `end` stops it [s]; None where it goes on."""
        if self.on_battery:
            return None
        by_generator = np.inf if self.generator_start is None else begin + self.generator_start
        return float(min(end, by_generator)) + self.restart_delay


class Event(Described):
    """Root of what happens at an instant `t` and holds for a `duration`."""

    kind: ClassVar[str] = ""  # its name in scenario files
    t: Instant
    duration: Duration | None = None  # s; None: to the end of the run

    def end(self, begin: float) -> float:
        """When it is over [s], if it began at `begin` [s]."""
        return begin + (np.inf if self.duration is None else self.duration)

    def fault(self, begin: float) -> Fault | None:
        """What the power chain is told, where the event is one of the power chain."""
        return None

    def without_cooling(self, begin: float, plant: Plant) -> float | None:
        """Until when it stops the cooling [s]; None where it does not."""
        return None

    def without_water(self, begin: float, plant: Plant) -> float | None:
        """Until when it stops the rack's water [s]; None where it does not."""
        return None

    @property
    def shown(self) -> str:
        """The event in a message."""
        return f"{self.kind} at {self.t if isinstance(self.t, np.datetime64) else f'{self.t:g} s'}"


class UtilityOutage(Event):
    """The utility is gone for a while. See `utility_outage`."""

    kind = "utility-outage"
    duration: Duration  # s

    def fault(self, begin: float) -> Fault:
        """What the power chain is told."""
        return Fault(self.kind, begin, self.end(begin))

    def without_cooling(self, begin: float, plant: Plant) -> float | None:
        """Power back, and the plant restarted [s]."""
        return plant.cold_air_again(begin, self.end(begin))


class UpsBypass(Event):
    """The UPS feeds its load straight from the utility. See `ups_bypass`."""

    kind = "ups-bypass"

    def fault(self, begin: float) -> Fault:
        """What the power chain is told."""
        return Fault(self.kind, begin, self.end(begin))


class PsuFailure(Event):
    """Power supplies of a server fail. See `psu_failure`."""

    kind = "psu-failure"
    server: Annotated[Count, Field(ge=0)] | None = None
    units: Annotated[Count, Field(ge=1, le=256)] = 1

    def fault(self, begin: float) -> Fault:
        """What the power chain is told."""
        return Fault(self.kind, begin, self.end(begin), units=self.units, server=self.server)


class FanFailure(Event):
    """Fans of a server stop. See `fan_failure`."""

    kind = "fan-failure"
    server: Annotated[Count, Field(ge=0)]
    fan: Annotated[Count, Field(ge=1, le=256)] | tuple[Annotated[Count, Field(ge=0, le=255)], ...] = 1

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if isinstance(self.fan, tuple) and (not self.fan or len(set(self.fan)) < len(self.fan)):
            raise ValueError(f"fan is {shown(self.fan)}: expected how many fans stop, or the number of each, once")
        return self


class CoolingLoss(Event):
    """No cold air comes. See `cooling_loss`."""

    kind = "cooling-loss"

    def without_cooling(self, begin: float, plant: Plant) -> float:
        """When cold air comes again [s]."""
        return self.end(begin)


class WaterLoss(Event):
    """No water comes to the rack. See `water_loss`."""

    kind = "water-loss"

    def without_water(self, begin: float, plant: Plant) -> float:
        """When water comes again [s]."""
        return self.end(begin)


class PumpTrip(Event):
    """Pumps of the rack's coolant stop. See `pump_trip`."""

    kind = "pump-trip"
    units: Annotated[Count, Field(ge=1, le=24)] | Literal["all"] = 1


class CduLoss(Event):
    """The unit that moves the rack's coolant stops. See `cdu_loss`."""

    kind = "cdu-loss"


class ValveStuck(Event):
    """The valve in the facility's water does not move. See `valve_stuck`."""

    kind = "valve-stuck"
    opening: Annotated[Number, Field(ge=0, le=1)] | None = None


class Leak(Event):
    """The rack's coolant leaks. See `leak`."""

    kind = "leak"
    flow: Annotated[Number, Field(gt=0, le=0.1)]  # m3/s


class Clogging(Event):
    """A cold plate clogs. See `clogging`."""

    kind = "clogging"
    server: Annotated[Count, Field(ge=0)]
    device: Annotated[str, Field(min_length=1, max_length=60)]
    factor: Annotated[Number, Field(ge=1, le=1e8)] = 10.0


class Disconnected(Event):
    """A tray or a branch of it is pulled from its couplings. See `disconnected`."""

    kind = "disconnect"
    server: Annotated[Count, Field(ge=0)]
    branch: Annotated[str, Field(min_length=1, max_length=60)] | None = None


class LidOpen(Event):
    """The lid of a tank is open. See `lid_open`."""

    kind = "lid-open"


class InletStep(Event):
    """The supply air changes its temperature. See `inlet_step`."""

    kind = "inlet-step"
    temperature: Celsius | None = None  # degC
    change: Annotated[Number, Field(ge=-60, le=60)] | None = None  # K

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.temperature is None) == (self.change is None):
            raise ValueError("give temperature [degC] or change [K], one of them")
        return self


class Setpoint(Event):
    """A set point becomes a number. See `setpoint`."""

    kind = "setpoint"
    name: Annotated[str, Field(min_length=1, max_length=60)]
    value: Annotated[Number, Field(allow_inf_nan=False)]


KINDS: dict[str, type[Event]] = {e.kind: e for e in (UtilityOutage, UpsBypass, PsuFailure, FanFailure, CoolingLoss, WaterLoss, PumpTrip,
                                                     CduLoss, ValveStuck, Leak, Clogging, Disconnected, LidOpen, InletStep,
                                                     Setpoint)}


# ------------------------------------------------------------------------------------------------------------- making them

def utility_outage(t: Any, duration: Any) -> UtilityOutage:
    """The utility fails.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta
        Until the utility is back. [s]

    Notes
    -----
    The plant that cools (room air handlers, chiller) is off from `t` until the utility is back or the chain's generator has
    started and, behind that, for the cooling design's `restart_delay`; a plant that the chain feeds behind a battery goes on.
    Servers and their fans run on from the battery.

    Raises
    ------
    ScenarioError
        If a value cannot be what was meant. That holds for all events.

    Examples
    --------
    >>> utility_outage(600.0, 300.0).duration
    300.0
    """
    return UtilityOutage.from_mapping(_given(t=t, duration=duration), "utility_outage")


def ups_bypass(t: Any, duration: Any = None) -> UpsBypass:
    """The UPS goes to bypass: its losses and its battery are out of the way of the load.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]
    """
    return UpsBypass.from_mapping(_given(t=t, duration=duration), "ups_bypass")


def psu_failure(t: Any, server: int | None = None, units: int = 1, duration: Any = None) -> PsuFailure:
    """Power supplies fail.

    Parameters
    ----------
    t : float or date
        When. [s]
    server : int, optional
        Whose, from the bottom of the rack up; default that many of every server. [1]
    units : int
        How many. [1]
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]
    """
    return PsuFailure.from_mapping(_given(t=t, server=server, units=units, duration=duration), "psu_failure")


def fan_failure(t: Any, server: int, fan: int | Sequence[int] = 1, duration: Any = None) -> FanFailure:
    """Fans of a server stand still.

    Parameters
    ----------
    t : float or date
        When. [s]
    server : int
        Whose, from the bottom of the rack up. [1]
    fan : int or sequence of int
        How many (they are all alike), or the number of each, from 0: then the same fan named by two events is one fan. [1]
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]

    Notes
    -----
    A fan that stands still is taken to be shut by its flap: no air flows back through it. Fans without flaps lose more flow
    than is said here. One fan at least must be left: without any the laws of the air do not hold.
    """
    some = tuple(fan) if isinstance(fan, Sequence | np.ndarray) and not isinstance(fan, str | bytes) else fan
    return FanFailure.from_mapping(_given(t=t, server=server, fan=some, duration=duration), "fan_failure")


def cooling_loss(t: Any, duration: Any = None) -> CoolingLoss:
    """Room air handlers or the chiller stop: no cold air comes.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta, optional
        Until cold air comes again, the restart of the plant included; default never in this run. [s]
    """
    return CoolingLoss.from_mapping(_given(t=t, duration=duration), "cooling_loss")


def water_loss(t: Any, duration: Any = None) -> WaterLoss:
    """The facility's water stops: what stands in the rack's coil warms with the air.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta, optional
        Until water flows again; default never in this run. [s]
    """
    return WaterLoss.from_mapping(_given(t=t, duration=duration), "water_loss")


def pump_trip(t: Any, units: int | str = 1, duration: Any = None) -> PumpTrip:
    """Pumps of the rack's coolant lose their power.

    Parameters
    ----------
    t : float or date
        When. [s]
    units : int or "all"
        How many of those that run; all: those that wait too. [1]
    duration : float or timedelta, optional
        Until they have power again; default never in this run. [s]

    Notes
    -----
    A pump coasts (`thermo.cooling.Pump.coast_time`); one that waits takes over after `standby_delay`. Where drives hold flow or
    pressure (`thermo.cooling.Hold`), those that are left turn up.
    """
    return PumpTrip.from_mapping(_given(t=t, units=units, duration=duration), "pump_trip")


def cdu_loss(t: Any, duration: Any = None) -> CduLoss:
    """The unit that moves the rack's coolant stops: all its pumps coast to standstill.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta, optional
        Until it has power again; default never in this run. [s]
    """
    return CduLoss.from_mapping(_given(t=t, duration=duration), "cdu_loss")


def valve_stuck(t: Any, opening: float | None = None, duration: Any = None) -> ValveStuck:
    """The valve in the facility's water sticks.

    Parameters
    ----------
    t : float or date
        When. [s]
    opening : float, optional
        Where it stands, 0 (shut) to 1; default where it is then. [1]
    duration : float or timedelta, optional
        Until it moves again; default never in this run. [s]
    """
    return ValveStuck.from_mapping(_given(t=t, opening=opening, duration=duration), "valve_stuck")


def leak(t: Any, flow: float, duration: Any = None) -> Leak:
    """The rack's coolant leaks.

    Parameters
    ----------
    t : float or date
        When. [s]
    flow : float
        Through the leak at the pressure that the loop has then. [m3/s]
    duration : float or timedelta, optional
        Until it is shut; default never in this run. [s]

    Notes
    -----
    Pressure falls as the expansion vessel's gas expands (`thermo.cooling.loop`); pumps are stopped at their least inlet pressure and
    stay so. What is lost is not filled up, and the heat that it takes along is left out.
    """
    return Leak.from_mapping(_given(t=t, flow=flow, duration=duration), "leak")


def clogging(t: Any, server: int, device: str, factor: float = 10.0, duration: Any = None) -> Clogging:
    """A cold plate clogs: at the same flow it takes more pressure.

    Parameters
    ----------
    t : float or date
        When. [s]
    server : int
        Of which, from the bottom of the rack up. [1]
    device : str
        On which the plate sits.
    factor : float
        On its pressure drop. Half of the channels shut is 2 (laminar) to 4. [1]
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]

    Notes
    -----
    The plate has less flow; that fewer channels take up heat is not counted.
    """
    return Clogging.from_mapping(_given(t=t, server=server, device=device, factor=factor, duration=duration), "clogging")


def disconnected(t: Any, server: int, branch: str | None = None, duration: Any = None) -> Disconnected:
    """A tray, or one of its branches, has no flow: a quick disconnect that is not seated, or pulled.

    Parameters
    ----------
    t : float or date
        When. [s]
    server : int
        Which, from the bottom of the rack up. [1]
    branch : str, optional
        One of its branches alone; default the whole tray.
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]
    """
    return Disconnected.from_mapping(_given(t=t, server=server, branch=branch, duration=duration), "disconnected")


def lid_open(t: Any, duration: Any = None) -> LidOpen:
    """The lid of a tank is opened.

    Parameters
    ----------
    t : float or date
        When. [s]
    duration : float or timedelta, optional
        Until it is shut; default to the end of the run. [s]
    """
    return LidOpen.from_mapping(_given(t=t, duration=duration), "lid_open")


def inlet_step(t: Any, temperature: Any = None, *, change: Any = None, duration: Any = None) -> InletStep:
    """The supply air becomes as warm as said, or that much warmer than it would be.

    Parameters
    ----------
    t : float or date
        When. [s]
    temperature : float, optional
        Of the supply. [degC]
    change : float, optional
        In place of a temperature. [K]
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]
    """
    return InletStep.from_mapping(_given(t=t, temperature=temperature, change=change, duration=duration), "inlet_step")


def setpoint(t: Any, name: str, value: Any, duration: Any = None) -> Setpoint:
    """A set point becomes a number, in the unit that it has in its description.

    Parameters
    ----------
    t : float or date
        When. [s]
    name : str
        A set point of the cooling design or the room: of `thermo.cooling.Air` ``fan_speed`` (a duty; a controller is put
        aside), ``supply_flow``, ``room_temperature``, ``air_temperature``; of `thermo.cooling.RearDoor` ``water_flow`` and
        ``water_temperature`` too; of `thermo.cooling.ColdPlateCooling` ``supply_temperature``, ``pump_speed`` (a controller, or
        drives that hold flow or pressure, are put aside), ``facility_water_temperature``, and those of its air.
    value : float
        What it becomes.
    duration : float or timedelta, optional
        For how long; default to the end of the run. [s]
    """
    return Setpoint.from_mapping(_given(t=t, name=name, value=value, duration=duration), "setpoint")


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None or key == "t"}


def to_mapping(event: Event) -> dict[str, Any]:
    """An event as plain numbers and texts, ready for JSON; `from_mapping` makes it again."""
    told = {k: v for k, v in as_mapping(event).items() if v is not None}
    return {"kind": event.kind, **told, "t": str(event.t) if isinstance(event.t, np.datetime64) else event.t}


def from_mapping(data: Mapping[str, Any], where: str) -> Event:
    """The event in a table with its `kind`; faults name `where`."""
    if not isinstance(data, Mapping):
        raise ScenarioError(f"{where} is {shown(data)}, expected a table with kind, t and what the event needs")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ScenarioError(f"{where}: kind is {shown(kind)}{nearest(str(kind)[:40], KINDS)}")
    return KINDS[kind].from_mapping({k: v for k, v in data.items() if k != "kind"}, where)


# ------------------------------------------------------------------------------------------------------------- over time

def joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same spans in order, those that overlap or touch as one.

    Examples
    --------
    >>> joined([(100.0, 120.0), (30.0, 150.0), (200.0, 210.0)])
    [(30.0, 150.0), (200.0, 210.0)]
    """
    out: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = out[-1][0], max(end, out[-1][1])
        else:
            out.append((begin, end))
    return out


@dataclass(frozen=True)
class Timeline:
    """Events on the clock of a run: what holds at each sample. Made by `timeline`, then put `on` the samples."""

    begins: tuple[tuple[Event, float], ...] = ()  # with the instant at which it begins [s], in that order
    plant: Plant = field(default_factory=Plant)
    lost: tuple[float, float] | None = None  # s: from when to when the rack has no power
    seconds: Floats = field(default_factory=lambda: np.zeros(1))  # the run's samples
    servers: int = 1

    def on(self, seconds: Floats) -> Timeline:
        """The same events over these samples."""
        return Timeline(self.begins, self.plant, self.lost, seconds, self.servers)

    def without_power(self, begin: float, end: float) -> Timeline:
        """The same events, and the rack without power from `begin` to `end` [s]."""
        return Timeline(self.begins, self.plant, (begin, end), self.seconds, self.servers)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What the power chain is told."""
        return tuple(f for event, begin in self.begins if (f := event.fault(begin)) is not None)

    @property
    def instants(self) -> list[float]:
        """When something begins or ends [s], each once, rising."""
        found: set[float] = set(self.lost or ())
        for event, begin in self.begins:
            found |= {begin, event.end(begin)}
        found |= {end for _, end in (*self._stops("without_cooling"), *self._stops("without_water"))}
        return sorted(x for x in found if np.isfinite(x))

    def _holds(self, begin: float, end: float) -> slice:
        first, last = np.searchsorted(self.seconds, np.array([begin, end]) - SAME_TIME)
        return slice(int(first), int(last))

    def during(self, kind: type[_Kind]) -> list[tuple[_Kind, float, float]]:
        """Events of a kind, with the instants at which they begin and end [s]."""
        return [(event, begin, event.end(begin)) for event, begin in self.begins if isinstance(event, kind)]

    def holds(self, begin: float, end: float) -> Floats | None:
        """1 from `begin` to `end` [s], else 0, ``(time,)``; None where no sample lies there."""
        return self._while([(begin, end)])

    def _while(self, spans: Iterable[tuple[float, float]]) -> Floats | None:
        """1 while any of the spans holds, else 0; None where none reaches a sample."""
        out = np.zeros(self.seconds.size)
        for begin, end in spans:
            out[self._holds(begin, end)] = 1.0
        return out if out.any() else None

    @property
    def lasts_until(self) -> float:
        """When the last effect of any event is over, a plant's restart among them [s]."""
        return max([event.end(begin) for event, begin in self.begins] + [end for _, end in self._stops("without_cooling")], default=-np.inf)

    def _stops(self, what: Literal["without_cooling", "without_water"]) -> list[tuple[float, float]]:
        """From when to when no cold air, or no water, comes [s]. Outages that overlap are one: a generator that runs goes on."""
        outages = joined((begin, event.end(begin)) for event, begin in self.begins if isinstance(event, UtilityOutage))
        stops = [(begin, self.plant.cold_air_again(begin, end)) for begin, end in outages]
        stops += [(begin, getattr(event, what)(begin, self.plant)) for event, begin in self.begins
                  if not isinstance(event, UtilityOutage)]
        return [(begin, end) for begin, end in stops if end is not None]

    @property
    def stops_cooling(self) -> bool:
        """Whether any event stops the cooling."""
        return bool(self._stops("without_cooling"))

    def without_cooling(self) -> Floats | None:
        """1 while no cold air comes, ``(time,)``; None where it always does."""
        return self._while(self._stops("without_cooling"))

    def without_water(self) -> Floats | None:
        """1 while no water comes to the rack, ``(time,)``; None where it always does."""
        return self._while(self._stops("without_water"))

    def off(self) -> Floats | None:
        """1 while the rack has no power, ``(time,)``; None where it always has."""
        return None if self.lost is None else self._while([self.lost])

    def stopped_fans(self) -> Ints | None:
        """How many fans of each server stand still, ``(time, server)``; None where all always turn."""
        failures = [(event, begin) for event, begin in self.begins if isinstance(event, FanFailure)]
        if not failures:
            return None
        out = np.zeros((self.seconds.size, self.servers), np.int64)
        named: dict[tuple[int, int], NDArray[np.bool_]] = {}
        for event, begin in failures:
            here = self._holds(begin, event.end(begin))
            if isinstance(event.fan, tuple):
                for fan in event.fan:
                    named.setdefault((event.server, fan), np.zeros(self.seconds.size, bool))[here] = True
            else:
                out[here, event.server] += event.fan
        for (server, _), stands in named.items():
            out[:, server] += stands
        return out

    def steps(self, name: str) -> list[tuple[Event, float | None, float | None, Floats]]:
        """Steps of a set point in the order in which they take over: event, its value or its change, 1 while it holds."""
        out: list[tuple[Event, float | None, float | None, Floats]] = []
        for event, begin in self.begins:
            value, change = None, None
            if isinstance(event, Setpoint) and event.name == name:
                value = event.value
            elif isinstance(event, InletStep) and name == "air_temperature":
                value, change = event.temperature, event.change
            else:
                continue
            if (when := self._while([(begin, event.end(begin))])) is not None:
                out.append((event, value, change, when))
        return out


def timeline(events: Any, start: np.datetime64 | None, first: float, last: float, *, servers: int, goes_on: bool,
             takes: Sequence[str], setpoints: Sequence[str], design: str, plant: Plant) -> Timeline:
    """Events checked against a run.

    Parameters
    ----------
    events : sequence of Event
        As the user gave them.
    start : datetime64 or None
        Date at which the run's clock is 0, where it has dates.
    first, last : float
        First and last sample. [s]
    servers : int
        Of the rack.
    goes_on : bool
        Whether the run goes on from an earlier one: then what began before its first sample may still hold.
    takes, setpoints : sequence of str
        Kinds of events that the cooling design answers to, and the set points that it lets be moved.
    design : str
        Its name, for refusals.
    plant : Plant
        What cools.

    Raises
    ------
    ScenarioError
        If one is no event, lies outside the run, or is of no concern to this rack under this cooling.
    """
    if isinstance(events, str | bytes) or not isinstance(events, Sequence):
        raise ScenarioError(f"events is {shown(events)}, expected a sequence of events; leave it out, or give ()")
    if len(events) > MOST_EVENTS:
        raise ScenarioError(f"events has {len(events)} entries, expected up to {MOST_EVENTS}")
    found = []
    for i, event in enumerate(events):
        if not isinstance(event, Event) or not event.kind:
            raise ScenarioError(f"events[{i}]: {shown(event)} is not an event; make one with thermo.events: "
                                f"{', '.join(kind.replace('-', '_') for kind in KINDS)}")
        where = f"events[{i}], {event.shown}"
        begin = _seconds(event, start, where)
        if begin >= last - SAME_TIME or (begin < first - SAME_TIME and not goes_on):
            run = f"{first:g} to {last:g} s" if start is None else (
                f"{start + np.timedelta64(round(first * 1e6), 'us')} to {start + np.timedelta64(round(last * 1e6), 'us')}")
            raise ScenarioError(f"{where}: t lies outside the run, {run}; shift it, or extend the workload")
        server = getattr(event, "server", None)
        if server is not None and server >= servers:
            raise ScenarioError(f"{where}: server is {server}, the rack has {servers}, numbered 0 to {servers - 1} from the bottom")
        if event.fault(begin) is None and event.kind not in takes:
            raise ScenarioError(f"{where}: cooling by {design} does not answer to it; it takes {', '.join(takes) or 'no events'}")
        if isinstance(event, Setpoint) and event.name not in setpoints:
            raise ScenarioError(f"{where}: name is {shown(event.name)}{nearest(event.name, setpoints)}; set points of {design}")
        stops = event.without_cooling(begin, plant) is not None
        if stops and "cooling-loss" not in takes:
            raise ScenarioError(f"{where}: cooling by {design} cannot be followed without its plant; it takes "
                                f"{', '.join(takes) or 'no events'}")
        if stops and begin <= first + SAME_TIME and not goes_on:
            raise ScenarioError(f"{where}: a run that begins without cooling has no state to begin from; begin the workload "
                                f"before it, or let t be after {first:g} s")
        found.append((event, begin))
    return Timeline(tuple(sorted(found, key=lambda pair: pair[1])), plant, servers=servers)


def _seconds(event: Event, start: np.datetime64 | None, where: str) -> float:
    dated = isinstance(event.t, np.datetime64)
    if dated != (start is not None):
        has, other = ("a date", "seconds") if dated else ("seconds", "dates")
        raise ScenarioError(f"{where}: t is {has}, the workload has {other}: give both the same kind of time")
    return float((event.t - start) / np.timedelta64(1, "ns") * 1e-9) if start is not None else float(event.t)

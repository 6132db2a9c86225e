"""How long a rack goes on when power or cooling fails, and what trips first."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from thermo import events as _events
from thermo import workload as _workload
from thermo.ambient import is_number
from thermo.errors import ScenarioError, nearest, require_between, shown
from thermo.rack import Rack
from thermo.simulate import checked, simulated

__all__ = ["Trip", "ride_through", "time_to_limits", "trips"]

Floats = NDArray[np.float64]
INLET_LIMIT = 35.0  # degC, allowable air at the inlets of class A2 (ASHRAE TC 9.9, Thermal Guidelines)
FOREVER = 1e9  # s
LESS_CLOCK, NEAR = 0.03, 2.5  # of full clock, K: a clock fallen so far this close to a limit fell because of it, not of a power cap
COLUMNS = {  # name: unit
    "event": "", "workload": "", "duration": "s", "it_power": "W", "first": "", "first_after": "s", "first_where": "",
    "electrical_ride_through": "s", "thermal_ride_through": "s", "inlet_above_limit_after": "s", "inlet_above_limit_where": "",
    "throttles_after": "s", "throttles_where": "", "shuts_down_after": "s", "shuts_down_where": "",
    "above_limit_after": "s", "above_limit_where": "", "above_before": "",
    "peak_inlet": "degC", "peak_junction": "degC",
}
MADE: dict[str, Callable[[Any, float], _events.Event]] = {
    "utility_outage": _events.utility_outage,
    "cooling_loss": _events.cooling_loss,
    "fan_failure": lambda t, duration: _events.fan_failure(t, server=0, duration=duration),
    "pump_trip": lambda t, duration: _events.pump_trip(t, units="all", duration=duration),
    "water_loss": _events.water_loss,
}


@dataclass(frozen=True)
class Trip:
    """Something that reaches its limit."""

    what: str  # "load lost", "inlet above limit", "device throttles", "device shuts down", "device above limit"
    after: float  # s, from the event; infinite where it never does
    where: str = ""


def ride_through(rack: Any, workload: Any = 1.0, *,
                 event: str | Sequence[str] | Mapping[str, Sequence[_events.Event]] = "utility_outage",
                 duration: float | Sequence[float] | None = None, at: float | None = None, horizon: float = 1800.0,
                 time_step: float = 5.0, inlet_limit: float = INLET_LIMIT, cooling: Any = None, power: Any = None,
                 ambient: Any = None, initial: Any = "steady", solver: str = "auto", tolerance: float = 0.01) -> pd.DataFrame:
    """What trips first when something fails, when, and how long the rack could have gone on.

    Every event is put against every workload and every duration; each is one run and one row.

    Parameters
    ----------
    rack : Rack or str
        As `simulate_rack` takes it.
    workload : number, trace, or a list of them
        A number is a utilisation that lasts for the `horizon`; a trace is followed to its end. [1]
    event : str, sequence of str, or mapping
        ``"utility_outage"``, ``"cooling_loss"``, ``"fan_failure"`` (one fan of the lowest server), ``"pump_trip"`` (all pumps of the
        coolant), ``"water_loss"``, or a mapping from the name of a case to its events, whose instants are the run's own; times are
        counted from the first of them.
    duration : float or sequence of float, optional
        Of an event given by its name; default beyond the end of the run. [s]
    at : float, optional
        When an event given by its name begins, from the first sample on; default one `time_step`. [s]
    horizon, time_step : float
        Of workloads that are numbers. What happens between samples is read off straight lines. [s]
    inlet_limit : float
        Highest temperature of the air that servers may breathe; default that of class A2. [degC]
    cooling, power, ambient, initial, solver, tolerance
        As `simulate_rack` takes them.

    Returns
    -------
    table : DataFrame
        One row a case; units of the columns are in ``table.attrs["units"]``, what the runs warned of in
        ``table.attrs["warnings"]``. Times are counted from the event, infinite where
        nothing happened within the run. `electrical_ride_through` is how long the chain carries the rack, 0 where it has no
        battery; `thermal_ride_through` how long air and devices stay within their
        limits while the load is carried. Each is known whatever the other is: the run does not end where the battery does.

    Devices that were above a limit already at the sample before the event are not its doing: they are left out, and named in
    `above_before`. What is above it when the event begins, and was not before, is so after 0 s.

    Notes
    -----
    The chain is followed as `PowerChain.over_time` does: the load is lost where nothing carries it. A device throttles
    where silicon or memory passes the highest temperature of operation, or its clock is found to have fallen close to it;
    it shuts down where its clock is 0, or, without firmware, where silicon passes that limit. A device without firmware (a
    network card, a drive) cannot throttle: it is above its limit where silicon passes the temperature of slowdown, where
    none is known the highest of operation, or memory its own; `simulate_rack` warns of the same.

    Raises
    ------
    ScenarioError
        If an argument cannot be what was meant.

    Examples
    --------
    >>> import thermo
    >>> table = thermo.ride_through("t4-server", 0.5, event="cooling_loss", horizon=600.0)
    >>> table["first"].tolist()
    ['inlet above limit']
    """
    horizon = require_between("horizon", horizon, 1.0, 1e7, "s")
    time_step = require_between("time_step", time_step, 1e-3, 0.5 * horizon, "s")
    inlet_limit = require_between("inlet_limit", inlet_limit, -20.0, 100.0, "degC", "is it in kelvin?")
    rows: list[dict[str, Any]] = []
    said: dict[str, None] = {}
    loads = workload if isinstance(workload, list | tuple) else [workload]
    if not loads:
        raise ScenarioError(f"workload is {shown(workload)}, expected a number, a trace, or a list with at least one of them")
    for load in loads:
        trace = _workload.constant(load, duration=horizon + time_step, time_step=time_step) if is_number(load) else (
            _workload.as_workload(load))
        named = f"{float(load):g}" if is_number(load) else str(trace.attrs.get("source") or trace.name or "trace")
        for name, lasts, happens in _cases(event, duration, trace["time"].to_numpy()[0], time_step if at is None else at):
            scenario = checked(rack, trace, cooling=cooling, power=power, ambient=ambient, events=happens, initial=initial,
                               solver=solver, tolerance=tolerance)
            if scenario.dark is not None:
                raise ScenarioError(f"initial: the load was lost at {scenario.dark[0]:g} s in that result ({scenario.dark[1]}), nothing "
                                    "is left to ride through; begin from a result before that")
            begin = scenario.timeline.begins[0][1]
            result = simulated(scenario)  # limits are passed on purpose: said once, in the table
            said |= dict.fromkeys(f"{name}: {warning}" for warning in json.loads(result.attrs["warnings"]))
            found, above = trips(result, scenario.seconds, begin, inlet_limit=inlet_limit,
                                 firmware=_firmware(scenario.rack, [str(d) for d in result["device"].values]))
            empty = float(result.attrs.get("load_lost_at", np.inf))
            rows.append({"event": name, "workload": named, "duration": lasts,
                         "above_before": ", ".join(above), **_row(result, scenario.seconds, begin, found, empty - begin)})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs.update(units=dict(COLUMNS), inlet_limit=inlet_limit, warnings=list(said))
    return table


def _cases(event: Any, duration: Any, start: Any, at: Any) -> Iterator[tuple[str, float, Sequence[_events.Event]]]:
    """Name, duration and events of each case."""
    if isinstance(event, Mapping):
        if duration is not None or not event:
            raise ScenarioError("event is a mapping: give it at least one case, and durations in its events")
        for name, happens in event.items():
            if isinstance(happens, _events.Event):
                happens = [happens]
            if not isinstance(happens, Sequence) or not happens:
                raise ScenarioError(f"event: case {shown(name)} has {shown(happens)}, expected its events in a list")
            lengths = [e.duration for e in happens if isinstance(e, _events.Event)]
            yield str(name), max(np.inf if d is None else d for d in lengths or [None]), happens
        return
    names = [event] if isinstance(event, str) else event
    if not isinstance(names, Sequence) or not names:
        raise ScenarioError(f"event is {shown(event)}, expected one or more of {', '.join(MADE)}, or a mapping")
    at = require_between("at", at, 1e-3, FOREVER, "s")
    begins = start + np.timedelta64(round(at * 1e6), "us") if isinstance(start, np.datetime64) else float(start) + at
    durations = duration if isinstance(duration, Sequence | np.ndarray) and not isinstance(duration, str) else [duration]
    if not len(durations):
        raise ScenarioError(f"duration is {shown(duration)}, expected seconds, or a list with at least one number of them")
    for name in names:
        if not isinstance(name, str) or name not in MADE:
            raise ScenarioError(f"event is {shown(name)}{nearest(str(name)[:40], MADE)}")
        for lasts in durations:
            length = np.inf if lasts is None else require_between("duration", lasts, 1e-3, FOREVER, "s")
            yield name, length, [MADE[name](begins, min(length, FOREVER))]


def _firmware(rack: Rack, names: Sequence[str]) -> NDArray[np.bool_]:
    """Which devices have firmware, ``(server, device)``, devices as a result names them."""
    kinds = [[any(name == d and mount.device.firmware is not None for d, mount, _ in slot.server.devices) for name in names]
             for slot in rack.slots]
    return np.repeat(np.array(kinds, dtype=bool), [slot.count for slot in rack.slots], axis=0)


def _row(result: xr.Dataset, seconds: Floats, begin: float, found: Sequence[Trip], battery: float) -> dict[str, Any]:
    before = max(int(np.searchsorted(seconds, begin - 1e-6)) - 1, 0)
    every = [Trip("load lost", battery), *found]
    first = min(every, key=lambda trip: trip.after)
    of = {trip.what: trip for trip in found}
    out = {"it_power": float(result["it_power"][before]), "first": first.what if np.isfinite(first.after) else "nothing",
           "first_after": first.after, "first_where": first.where, "electrical_ride_through": battery,
           "thermal_ride_through": min(trip.after for trip in found),
           "peak_inlet": float(result["coolant_temperature"].sel(position="inlet").max()) if "inlet" in result["position"].values else np.nan,
           "peak_junction": float(result["junction_temperature"].max())}
    for what, column in (("inlet above limit", "inlet_above_limit"), ("device throttles", "throttles"),
                         ("device shuts down", "shuts_down"), ("device above limit", "above_limit")):
        out |= {f"{column}_after": of[what].after, f"{column}_where": of[what].where}
    return out


def trips(result: xr.Dataset, seconds: Floats, begin: float, *, inlet_limit: float = INLET_LIMIT,
          firmware: NDArray[np.bool_] | None = None) -> tuple[list[Trip], list[str]]:
    """The first time that air or a device passes each of its limits, from an event on.

    Parameters
    ----------
    result : Dataset
        Of a run.
    seconds : ndarray, shape (time,)
        Its samples. [s]
    begin : float
        When the event begins; what is above its limit at the sample before is not the event's doing. [s]
    inlet_limit : float
        Highest temperature of the air that servers may breathe. [degC]
    firmware : ndarray of bool, shape (server, device), optional
        Which devices can throttle; default all. [1]

    Returns
    -------
    trips : list of Trip
        Of inlet air, throttling, shutdown, and devices that cannot throttle above their limit, in that order.
    above_before : list of str
        Devices, and ``"inlet"``, that were above a limit before the event began.
    """
    before = max(int(np.searchsorted(seconds, begin - 1e-6)) - 1, 0)  # at the next sample the event holds already
    over = _over_limits(result, before, np.ones(result["junction_temperature"].shape[1:], dtype=bool) if firmware is None else firmware)
    air = "inlet" in result["position"].values  # servers that are on plates altogether breathe none
    inlet = result["coolant_temperature"].sel(position="inlet").values[:, :, None] if air else np.full_like(over.slows[:, :, :1], np.nan)
    warm = inlet - inlet_limit
    names = [str(name) for name in result["device"].values]
    already = [name for d, name in enumerate(names) if np.any(over.slows[before, :, d] > 0) or np.any(over.cannot_slow[before, :, d] > 0)]
    already += ["inlet"] if np.any(warm[before] > 0) else []

    def trip(what: str, excess: Floats, parts: Sequence[str]) -> Trip:
        when = _first_above(excess[before:], seconds[before:] - begin)
        server, part = np.unravel_index(int(np.argmin(when)), when.shape)
        if not np.isfinite(when[server, part]):
            return Trip(what, np.inf)
        return Trip(what, float(when[server, part]), f"server {server}{parts[int(part)] and ', '}{parts[int(part)]}")

    return [trip("inlet above limit", warm, [""]), trip("device throttles", over.slows, names),
            trip("device shuts down", over.stops, names), trip("device above limit", over.cannot_slow, names)], already


def time_to_limits(result: xr.Dataset, begin: Any) -> xr.Dataset:
    """How long each device goes on, from an event to where it is slowed down and to where it shuts down.

    Parameters
    ----------
    result : Dataset
        Of a run; what happens between its samples is read off straight lines.
    begin : float or date
        When the event begins, on the run's clock; a date where the result has dates. [s]

    Returns
    -------
    times : Dataset
        ``time_to_slowdown`` and ``time_to_shutdown``, ``(server, device)``, infinite where the run does not come to it, NaN where a server
        has no such device. What was slowed down before the event counts from 0 s. [s]

    Raises
    ------
    ScenarioError
        If `begin` lies outside of the run.

    Examples
    --------
    >>> import thermo
    >>> load = thermo.workload.constant(0.5, duration=60.0, time_step=5.0)
    >>> result = thermo.simulate_rack("t4-server", load, events=[thermo.events.fan_failure(10.0, server=0)])
    >>> bool(thermo.time_to_limits(result, 10.0).time_to_shutdown.min() > 50.0)
    True
    """
    seconds, origin = result["time"].to_numpy(), None
    if seconds.dtype.kind == "M":
        origin = np.datetime64(result.attrs["time_origin"])
        seconds = (seconds - origin) / np.timedelta64(1, "ns") * 1e-9
    seconds = np.asarray(seconds, dtype=np.float64)
    if origin is not None and not is_number(begin):
        try:
            date: Any = _events.an_instant(begin)
            begin = float((date - origin) / np.timedelta64(1, "ns") * 1e-9)
        except ValueError as fault:
            raise ScenarioError(f"begin is {shown(begin)}: {fault}") from None
    begin = require_between("begin", begin, float(seconds[0]), float(seconds[-1]), "s")
    before = max(int(np.searchsorted(seconds, begin - 1e-6)) - 1, 0)
    junction = result["junction_temperature"].values
    over = _over_limits(result, before, np.ones(junction.shape[1:], dtype=bool))
    there = ~np.isnan(junction[0])

    def times(excess: Floats) -> tuple[tuple[str, str], Floats, dict[str, str]]:
        when = np.where(excess[before] > 0, 0.0, _first_above(excess[before:], seconds[before:] - begin))
        return ("server", "device"), np.where(there, when, np.nan), {"units": "s"}

    return xr.Dataset({"time_to_slowdown": times(over.slows), "time_to_shutdown": times(over.stops)},
                      coords={name: result[name] for name in ("server", "device", "device_kind", "device_name")},
                      attrs={"begin": begin, "title": result.attrs.get("title", "")})


@dataclass(frozen=True)
class _Over:
    """How far each device is above where something happens [K], ``(time, server, device)``; infinite where it has happened."""

    slows: Floats
    stops: Floats
    cannot_slow: Floats  # above the limit, of those that nothing slows down


def _over_limits(result: xr.Dataset, before: int, throttles: NDArray[np.bool_]) -> _Over:
    clock, junction = result["clock_fraction"].values, result["junction_temperature"].values

    def limit(name: str) -> Floats:
        return np.asarray(result[name].values, dtype=np.float64)

    highest, slowdown = limit("max_operating_temperature"), limit("slowdown_temperature")
    silicon = np.where(throttles, np.fmin(highest, slowdown), np.where(np.isnan(slowdown), highest, slowdown))
    over = np.fmax(junction - silicon, result["memory_temperature"].values - limit("memory_limit_temperature"))
    hot, unslowed = np.where(throttles, over, -np.inf), np.where(throttles, -np.inf, over)
    too_hot = junction - limit("shutdown_temperature")
    if np.fmin.reduce(clock, axis=None) < 1.0:  # the run itself slowed devices down, perhaps between its samples
        slowed = (clock < clock[before] - LESS_CLOCK) & (hot > -NEAR)
        hot = np.where(slowed & ~(hot > 0), np.inf, hot)
        too_hot = np.where(clock == 0.0, np.inf, np.where(np.fmin.reduce(clock, axis=0) < 1.0, -np.inf, too_hot))
    return _Over(hot, too_hot, unslowed)


def _first_above(excess: Floats, seconds: Floats) -> Floats:
    """When each part of ``(time, server, part)`` passes 0 on a straight line between samples [s]; infinite where it does not.

    What is above 0 at the first sample is left out; what jumps to infinity does so at the sample. Seconds count from the event:
    what passes 0 before that, on the way to its first sample, does so at 0 s."""
    above = (excess > 0) & ~(excess[:1] > 0)  # NaN is not
    k = np.maximum(np.argmax(above, axis=0), 1) if excess.shape[0] > 1 else np.zeros(excess.shape[1:], np.int64)
    j, m = np.indices(k.shape)
    at, before = excess[k, j, m], excess[k - 1, j, m]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(np.isfinite(at) & np.isfinite(before), before / (before - at), 1.0)
    return np.where(above.any(axis=0), np.maximum(seconds[k - 1] + share * (seconds[k] - seconds[k - 1]), 0.0), np.inf)

"""Simulate a rack. `simulate_rack` is the table of contents: six stops, each of which can be called alone."""
from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo import workload as _workload
from thermo.ambient import Ambient, is_number, over_time
from thermo.cooling.site import Cooled, CoolingDesign, Kind, Site
from thermo.errors import ConvergenceError, LimitError, ScenarioError, ValidityWarning, nearest, require_between, shown
from thermo.events import Event, Plant, Timeline, from_mapping, timeline
from thermo.network import FIRMWARE, Network, Table, law_table
from thermo.output import dataset, state_labels
from thermo.power import PowerChain, Ups, rated_power
from thermo.power.faults import Fault as ChainFault
from thermo.power.faults import LoadDropped, UnitsFailed, UpsBypass, UtilityOutage
from thermo.power.supply import Store
from thermo.rack import Mount, Rack, Server
from thermo.solve import SOLVERS, Solution, integrate, steady_start

__all__ = ["Assembly", "Scenario", "assemble", "checked", "device_power", "simulate_rack", "simulated", "solved",
           "without_load"]

Floats = NDArray[np.float64]
LARGEST_OUTPUT = 64e9  # bytes: more than this is refused before anything is allocated
SAME_TIME = 1e-6  # s, by which a workload may miss the end of the result that it goes on from
STATE_RANGE = (-100.0, 5000.0)  # degC, of a state to go on from: runaway is hot, damage is far off
STATE = {"final_node_temperature": ("node", "server"), "final_control_output": ("controller", "server"),
         "final_control_integral": ("controller", "server"), "final_shared_temperature": ("shared_node",)}


@dataclass(frozen=True)
class Scenario:
    """Checked arguments of a run. `seconds` are the run's clock; `start` is its date, where the trace has dates."""

    rack: Rack
    workload: xr.DataArray
    cooling: CoolingDesign
    power: PowerChain
    ambient: Ambient
    initial: Any
    solver: str
    tolerance: float
    seconds: Floats
    start: np.datetime64 | None
    events: tuple[Event, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)  # of the events, over `seconds`
    faults: tuple[ChainFault, ...] = ()  # what events tell the power chain
    dark: tuple[float, str] | None = None  # the earlier result had lost its load: when on this run's clock [s], and why
    doubts: tuple[str, ...] = ()  # what to warn of before anything is computed

    @property
    def stores(self) -> dict[str, Store]:
        """What the chain's batteries hold at the begin: what an earlier result left in stages of the same name; else full."""
        earlier = self.initial
        if not isinstance(earlier, xr.Dataset) or "final_store_debt" not in earlier:
            return {}
        found = {}
        for stage, charge, debt in zip(earlier["stage"].values, earlier["final_store_charge"].values,
                                       earlier["final_store_debt"].values, strict=True):
            if np.isfinite(charge) and np.isfinite(debt):
                found[str(stage)] = Store(_number("initial: final_store_charge", float(charge), 0.0, 1.0, "of full"),
                                          _number("initial: final_store_debt", float(debt), 0.0, 1e15, "J"))
        return found

    @property
    def waiting_heat(self) -> float:
        """Heat that the plant of an earlier result had still to work off at its end [J]."""
        earlier = self.initial
        if not isinstance(earlier, xr.Dataset) or "final_waiting_heat" not in earlier:
            return 0.0
        return _number("initial: final_waiting_heat", float(earlier["final_waiting_heat"]), 0.0, 1e15, "J")


@dataclass(frozen=True)
class DevicePower:
    """What the work asks of the devices of one kind of server, each scalar, ``(time,)`` or ``(time, server)`` [W].

    At full clock and the reference temperature: what they draw in the end is the engine's to say."""

    devices: list[Floats]
    caps: list[Floats | None]
    leaks: list[bool]  # where power grows with temperature beyond what is asked: not where that was measured
    linear: bool


@dataclass(frozen=True)
class Assembly:
    """The network of a scenario, and where the output finds things in it."""

    network: Network
    site: Site
    cooled: Cooled
    asked: list[DevicePower]  # of each kind of server
    lost: list[tuple[float, str]] = field(default_factory=list)  # since when the chain cannot carry the load [s], and why


def simulate_rack(rack: Rack | str, workload: Any, *, cooling: Any = None, power: Any = None,
                  ambient: Ambient | Mapping[str, Any] | None = None, time_step: float | None = None,
                  events: Sequence[Any] = (), initial: Any = "steady", solver: str = "auto", tolerance: float = 0.01,
                  progress: bool | Callable[[float], None] = False) -> xr.Dataset:
    """Temperatures, flows, losses and energy of a rack under a workload.

    Parameters
    ----------
    rack : Rack or str
        What stands there, or the name of a rack in the library.
    workload : DataArray, Series, DataFrame, path or number
        Power of each device [W] or utilisation [1], as `thermo.workload.as_workload` takes it. A trace with faults is
        refused: to have it repaired, or long gaps refused, call ``as_workload(trace, fill=..., max_gap=...)`` first and
        give what it returns. Dims ``time`` and perhaps ``server`` and ``device``; what has no such dim applies to all.
        Devices are the accelerators (the CPUs, where a server has none): by name where labels along ``device`` name
        them all, in order where they name none; a mixture is refused. Servers are in order, or by labels 0 to n - 1.
        Parts that the workload does not drive (CPUs beside GPUs, memory, network) draw their own load even where the
        accelerators draw nothing.
    cooling : design or str, optional
        How it is cooled; default the rack's own.
    power : PowerChain or str, optional
        How it is fed; default the rack's own. Stages without a rating are sized for the rack (`PowerChain.for_rack`).
    ambient : Ambient or mapping, optional
        Room and facility supply; default 25 degC at sea level.
    time_step : float, optional
        Resample the workload to this step, keeping its energy [s].
    events : sequence of thermo.events.Event
        Things that happen, in any order; see `thermo.events`. The instants at which they begin and end become samples of
        the run, beside those of the workload.
    initial : "steady", float or Dataset
        Steady state of the first sample, one temperature for all [degC], or a result to go on from: one of the same
        servers under the same kind of cooling, whose last time is the workload's first (a workload in seconds from 0 has a
        clock of its own). Give its events again, as they were: what of them still lasts at the first sample (an outage,
        the plant's restart, a fan that stands) goes on; on a clock of its own their instants are before 0. A load that
        was lost stays off. Batteries and heat that waits for the plant go on too; what tripped in the power chain, a
        generator among it, is put right. Controllers go on from where they were; where the cooling has controllers of another kind or number than the earlier run, temperatures go on
        and the new controllers start from their steady output under the first sample.
    solver : str
        ``"auto"``, ``"propagator"``, ``"rational"``, ``"tr-bdf2"``, or a SciPy method ``"BDF"``, ``"Radau"``, ``"LSODA"``.
    tolerance : float
        Of temperatures [K].
    progress : bool or callable
        Show a progress bar, or call with the fraction done.

    Returns
    -------
    result : Dataset
        See ``result[name].long_name`` of each variable. Powers and flows are means over the interval that begins at a sample
        (for the last: values at that instant, of heat that leaves: the interval before); temperatures are at the sample.

    Raises
    ------
    ScenarioError, TraceError
        If an argument cannot be what was meant. Nothing is computed.
    LimitError
        If the result would not fit in memory. Nothing is allocated.
    ConvergenceError
        If no solution was found.

    Examples
    --------
    >>> import thermo
    >>> result = thermo.simulate_rack("dgx-h100", 0.9, ambient={"air_temperature": 22.0})
    >>> bool(abs(result.energy_residual).max() <= 1e-9 * result.it_power.min())
    True
    """
    _check_progress(progress)
    scenario = checked(rack, workload, cooling=cooling, power=power, ambient=ambient, time_step=time_step, events=events,
                       initial=initial, solver=solver, tolerance=tolerance)
    result = simulated(scenario, progress)
    lost_at = result.attrs.get("load_lost_at")
    if lost_at is not None and scenario.dark is None and _may_go_dark(scenario, lost_at):
        why = result.attrs["load_lost_why"]
        result = simulated(without_load(scenario, lost_at), progress).assign_attrs(load_lost_at=lost_at, load_lost_why=why)
    said = json.loads(result.attrs["warnings"])
    if lost_at is not None:
        said.append(f"power: load lost at {lost_at:g} s: {result.attrs['load_lost_why']}")
        result.attrs["warnings"] = json.dumps(said)
    for message in said:
        warnings.warn(message, ValidityWarning, stacklevel=2)
    return result


def _may_go_dark(scenario: Scenario, lost_at: float) -> bool:
    """Whether the load can be lost then: a run from a steady state has none without power."""
    first, last = scenario.seconds[0], scenario.seconds[-1]
    return bool(first < lost_at < last or (lost_at == first and isinstance(scenario.initial, xr.Dataset)))


def simulated(scenario: Scenario, progress: bool | Callable[[float], None] = False) -> xr.Dataset:
    """The result of a checked scenario, which may be one `without_load`.

    Devices and air are followed as if the load were carried all the time; where the chain cannot, `load_lost_at` [s] and
    `load_lost_why` among the attributes say since when and why. What there is to warn of is in the attribute `warnings`.
    """
    watts = device_power(scenario)
    assembly = assemble(scenario, watts)
    solution, state = solved(scenario, assembly, progress)
    return dataset(scenario, assembly, solution, state)


# ------------------------------------------------------------------------------------------------------- 1 arguments

def checked(rack: Rack | str, workload: Any, *, cooling: Any = None, power: Any = None, ambient: Any = None,
            time_step: float | None = None, events: Sequence[Any] = (), initial: Any = "steady", solver: str = "auto",
            tolerance: float = 0.01) -> Scenario:
    """The arguments of `simulate_rack`, resolved and checked."""
    from thermo import library

    if isinstance(rack, str):
        rack = Rack.from_library(rack)
    if not isinstance(rack, Rack):
        raise ScenarioError(f"rack is {shown(rack)}, expected a Rack or the name of one: {', '.join(library.names('racks'))}")
    design = rack.cooling if cooling is None else cooling
    if isinstance(design, str):
        design = library.load("cooling", design)
    if isinstance(design, type):
        raise ScenarioError(f"cooling is the class {design.__name__}, expected a design; call it: "
                            f"cooling={design.__name__}()")
    if not (hasattr(design, "add_to") and hasattr(design, "heat_rejection_power")):
        raise ScenarioError(f"cooling is {shown(cooling)}, expected a cooling design or the name of one: "
                            f"{', '.join(library.names('cooling'))}")
    rack = _fitted(rack, design)
    chain = rack.power if power is None else power
    if isinstance(chain, str):
        chain = PowerChain.from_library(chain)
    if not isinstance(chain, PowerChain):
        raise ScenarioError(f"power is {shown(power)}, expected a PowerChain or the name of one: "
                            f"{', '.join(library.names('power'))}")
    chain = chain.for_rack(rack)
    if ambient is None:
        ambient = Ambient()
    elif isinstance(ambient, Mapping):
        if odd := [k for k in ambient if not isinstance(k, str)]:
            raise ScenarioError(f"ambient has the key {shown(odd[0])}, expected names of its fields: "
                                f"{', '.join(Ambient.model_fields)}")
        ambient = Ambient.from_mapping(ambient, "ambient")
    if not isinstance(ambient, Ambient):
        raise ScenarioError(f"ambient is {shown(ambient)}, expected an Ambient or a mapping of its fields")
    if not isinstance(solver, str) or solver not in SOLVERS:
        raise ScenarioError(f"solver is {shown(solver)}{nearest(str(solver)[:40], SOLVERS)}")
    tolerance = _number("tolerance", tolerance, 1e-9, 10.0, "K")
    initial = _checked_initial(initial, rack)
    load = _workload.as_workload(workload)
    if time_step is not None:
        if isinstance(time_step, np.timedelta64):
            time_step = float(time_step / np.timedelta64(1, "s"))
        time_step = _number("time_step", time_step, 1e-6, 1e9, "s")
        _check_size(rack, load, time_step)
        load = _workload.resample(load, time_step)
    load = _check_dims(rack, load)
    _check_size(rack, load)
    seconds, start = _clock(load, initial)
    goes_on = isinstance(initial, xr.Dataset)
    happens = timeline(events, start, float(seconds[0]), float(seconds[-1]), servers=rack.n_server, goes_on=goes_on,
                       takes=getattr(design, "takes_events", ()), setpoints=getattr(design, "setpoints", ()),
                       design=type(design).__name__, plant=_plant(design, chain))
    faults = chain_faults(chain, happens)
    dark: tuple[float, str] | None = None
    doubts: tuple[str, ...] = ()
    if goes_on:
        doubts = _left_out(initial, happens, float(seconds[0]), start)
        if (dark := _lost_before(initial, float(seconds[0]))) is not None:
            happens, faults = happens.without_power(dark[0], np.inf), (*faults, LoadDropped(dark[0]))
    load, seconds = _sampled_at_instants(load, seconds, start, _instants(design, happens))
    happens = happens.on(seconds)
    _check_size(rack, load)
    for name, low, high in (("air_temperature", -20.0, 60.0), ("facility_water_temperature", -5.0, 95.0)):  # whatever the design asks for
        over_time(getattr(ambient, name), seconds, start, name=f"ambient.{name}", low=low, high=high, unit="degC", hint="is it in kelvin?",
                  servers=rack.n_server)
    return Scenario(rack, load, design, chain, ambient, initial, solver, tolerance, seconds, start, tuple(events), happens,
                    faults, dark, doubts)


def _fitted(rack: Rack, design: Any) -> Rack:
    """The rack as the design wants its servers: made for air, they get cold plates."""
    return design.fitted(rack) if hasattr(design, "fitted") else rack


def _later(earlier: xr.Dataset, first: float) -> float:
    """What this run's clock is ahead of that of the earlier result [s]: 0 but for a workload with a clock of its own."""
    end = earlier["time"].to_numpy()[-1]
    return 0.0 if end.dtype.kind == "M" or abs(first - float(end)) <= SAME_TIME else first - float(end)


def _lost_before(earlier: xr.Dataset, first: float) -> tuple[float, str] | None:
    """When the earlier result lost its load, on this run's clock [s], and why; None where it did not."""
    if "load_lost_at" not in earlier.attrs:
        return None
    at = _number("initial: load_lost_at", earlier.attrs["load_lost_at"], -1e12, 1e12, "s") + _later(earlier, first)
    return min(at, first), str(earlier.attrs.get("load_lost_why", ""))


def _left_out(earlier: xr.Dataset, happens: Timeline, first: float, start: np.datetime64 | None) -> tuple[str, ...]:
    """What still lasts of the earlier result's events and is not among this run's: one line for each."""
    try:
        told = [from_mapping(e, "initial") for e in json.loads(earlier.attrs["scenario"]).get("events", [])]
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, ScenarioError):
        return ()  # a result that does not hold its scenario can be gone on from all the same
    given = [(event.replace(t=0.0), begin) for event, begin in happens.begins]
    out = []
    for event in told:
        if isinstance(event.t, np.datetime64) != (start is not None):
            continue
        begin = float(event.t) + _later(earlier, first) if start is None else float((event.t - start) / np.timedelta64(1, "ns") * 1e-9)
        until = Timeline(((event, begin),), happens.plant).lasts_until
        if until > first + SAME_TIME and not any(other == event.replace(t=0.0) and abs(at - begin) <= SAME_TIME for other, at in given):
            out.append(f"initial: {event.shown} of that result lasts {f'until {until:g} s' if np.isfinite(until) else 'to its end'} "
                       "and is not among events: it is taken to be over; give it again to have it go on")
    return tuple(out)


def chain_faults(chain: PowerChain, happens: Timeline) -> tuple[ChainFault, ...]:
    """What events mean to a chain. Power supplies are its first stage behind the servers' inlets, one group a server."""
    out: list[ChainFault] = []
    supplies = next((stage for stage in chain.stages if stage.behind_inlet), None)
    for fault in happens.faults:
        if fault.kind == "utility-outage":
            out.append(UtilityOutage(fault.begin, fault.end))
        elif fault.kind == "ups-bypass":
            if not any(isinstance(stage, Ups) for stage in chain.stages):
                raise ScenarioError(f"events: ups-bypass at {fault.begin:g} s: power chain {chain.name!r} has no UPS; choose one "
                                    "that has, or leave the event out")
            out.append(UpsBypass(fault.begin, fault.end))
        else:
            if supplies is None:
                raise ScenarioError(f"events: psu-failure at {fault.begin:g} s: power chain {chain.name!r} ends at the servers' "
                                    "inlets and has no supplies that could fail; add a stage such as 'psu-titanium'")
            groups = 1.0 if fault.server is not None else supplies.groups
            out.append(UnitsFailed(fault.begin, fault.end, supplies.name, float(fault.units), groups))
    return tuple(out)


def _plant(design: CoolingDesign, chain: PowerChain) -> Plant:
    """What cools: how long it takes to start again, when a generator feeds it, whether a battery does."""
    generator = chain.generator
    starts = None if generator is None or generator.fails_to_start else float(generator.start_delay)
    batteries = [i for i, stage in enumerate(chain.stages) if isinstance(stage, Ups) and stage.battery is not None]
    fed = chain.plant_feed is not None and bool(batteries) and chain.stage_names.index(chain.plant_feed) >= batteries[0]
    return Plant(float(getattr(design, "restart_delay", 0.0)), starts, fed)


def _instants(design: CoolingDesign, happens: Timeline) -> list[float]:
    """When something begins or ends, and when the design wants to be looked at because of that [s], rising."""
    own = design.samples(happens) if happens.instants and hasattr(design, "samples") else []
    return sorted({*happens.instants, *own})


def _sampled_at_instants(load: xr.DataArray, seconds: Floats, start: np.datetime64 | None, instants: Sequence[float]
                         ) -> tuple[xr.DataArray, Floats]:
    """The workload with samples at some instants [s], rising, and its times on the run's clock."""
    inside = np.array([x for x in instants if seconds[0] < x < seconds[-1]])
    if inside.size:  # what all but falls on a sample is that sample
        near = np.minimum(np.searchsorted(seconds, inside - SAME_TIME), seconds.size - 1)
        inside = inside[np.abs(seconds[near] - inside) > SAME_TIME]
    if not inside.size:
        return load, seconds
    inside = inside[np.append(True, np.diff(inside) > SAME_TIME)]
    new = inside if start is None else start + np.rint(inside * 1e6).astype("m8[us]")
    load = _workload.sampled_too(load, new)
    times = load["time"].to_numpy()
    return load, np.asarray(times, np.float64) if start is None else (times - start) / np.timedelta64(1, "ns") * 1e-9


def _require_number(name: str, value: Any, expected: str) -> None:
    if not is_number(value):
        array = isinstance(value, np.ndarray | xr.DataArray)
        what = f"a {type(value).__name__} of {value.dtype}, shape {value.shape}" if array else shown(value)
        raise ScenarioError(f"{name} is {what}, expected {expected}")


def _number(name: str, value: Any, low: float, high: float, unit: str, hint: str = "") -> float:
    """A number in [low, high]: neither a truth value nor text nor an array."""
    _require_number(name, value, f"a number from {low:g} to {high:g} {unit}{hint and ', ' + hint}")
    return require_between(name, value, low, high, unit, hint)


def _check_progress(progress: Any) -> None:
    if not isinstance(progress, bool | np.bool_) and not callable(progress):
        raise ScenarioError(f"progress is {shown(progress)}, expected True, False or a function of the fraction done")


def _checked_initial(initial: Any, rack: Rack) -> Any:
    """"steady", a temperature, or a result whose state is complete."""
    if isinstance(initial, xr.Dataset):
        _check_state(initial, rack)
        return initial
    if isinstance(initial, str):
        if initial == "steady":
            return initial
        raise ScenarioError(f"initial is {shown(initial)}{nearest(initial[:40], ['steady'])}; or give a temperature "
                            "[degC] as a number, or a result to go on from")
    return _number("initial", initial, -50.0, 150.0, "degC", "or 'steady', or a result to go on from")


def _check_state(earlier: xr.Dataset, rack: Rack) -> None:
    """What can be said of a result to go on from before the network is there."""
    way_out = "give a result of simulate_rack as it came, 'steady' or a temperature"
    for name, dims in STATE.items():
        if name not in earlier.data_vars:
            raise ScenarioError(f"initial: that Dataset has no {name}, it is not a whole result; {way_out}")
        if earlier[name].dims != dims or earlier[name].dtype.kind != "f":
            raise ScenarioError(f"initial: {name} is {earlier[name].dtype} with dims {earlier[name].dims}, expected "
                                f"float64 with {dims}; {way_out}")
    for name in ("node", "time", *(("controller",) if earlier.sizes["controller"] else ())):
        if name not in earlier.coords or earlier[name].dims != (name,) or not earlier[name].size:
            raise ScenarioError(f"initial: that Dataset has no coordinate {name}; {way_out}")
    if "reference_temperature" not in earlier.attrs:
        raise ScenarioError(f"initial: that Dataset has lost its attribute reference_temperature, its temperatures "
                            f"mean nothing without it; {way_out}")
    _number("initial: reference_temperature", earlier.attrs["reference_temperature"], -50.0, 150.0, "degC")
    if earlier.sizes["server"] != rack.n_server:
        raise ScenarioError(f"initial: that result has {earlier.sizes['server']} servers, rack {rack.name!r} has "
                            f"{rack.n_server}; "
                            "go on with the same number of servers, or give 'steady' or a temperature")


def _check_dims(rack: Rack, load: xr.DataArray) -> xr.DataArray:
    """The workload with its servers in the rack's order."""
    if "server" in load.dims and load.sizes["server"] not in (1, rack.n_server):
        raise ScenarioError(f"workload has {load.sizes['server']} servers, rack {rack.name!r} has {rack.n_server}; leave out "
                            "the dim 'server' to load all alike")
    if "server" in load.coords and load.sizes.get("server", 1) > 1 and load["server"].dtype.kind in "fiu":
        labels = load["server"].to_numpy()
        order = np.argsort(labels, kind="stable")
        if not np.array_equal(labels[order], np.arange(rack.n_server)):
            raise ScenarioError(f"workload: its servers are labelled {shown(labels.tolist())}, expected 0 to "
                                f"{rack.n_server - 1}, each "
                                "once; relabel them, or drop the labels to take them in order: "
                                "workload.drop_vars('server')")
        if not np.array_equal(order, np.arange(rack.n_server)):
            load = load.isel(server=order)
    if "device" in load.dims:
        for slot in rack.slots:
            _device_columns(slot.server, load)
    return load


def _device_columns(server: Server, load: xr.DataArray) -> list[int]:
    """For each accelerator of `server` its column of the workload.

    By name where the labels name them all, in order where they name none. Whichever coordinate along ``device`` names
    them counts; a result's own does, with parts beside the accelerators, which are left out."""
    names = [server.device_names[i] for i in server.accelerators]
    if "device" not in load.dims:
        return [0] * len(names)
    n = load.sizes["device"]
    usual = [c for c in ("device", "device_name") if c in load.coords]
    texts = [[str(v) for v in load[c].values] for c in [*usual, *(str(c) for c in load.coords if c not in usual)]
             if load[c].dims == ("device",) and load[c].dtype.kind in "OUT"]
    found = [[label for label in labels if label in names] for labels in texts]
    for labels, known in zip(texts, found, strict=True):
        if sorted(known) == sorted(names):
            return [labels.index(name) for name in names]
    for labels, known in zip(texts, found, strict=True):
        if known:
            twice = [label for label in dict.fromkeys(known) if known.count(label) > 1]
            missing = [name for name in names if name not in known]
            unknown = [label for label in labels if label not in server.device_names]
            said = "; ".join(f"{what} {_some(which)}" for what, which in
                             (("twice", twice), ("missing", missing), ("unknown", unknown)) if which)
            raise ScenarioError(f"workload: its {n} device labels name some devices of server {server.name!r} and "
                                f"not others: {said}. "
                                f"Name each of {_some(names)} once, or drop the labels to take columns in order")
    if n == len(names):
        numbers = load["device"].to_numpy() if "device" in load.coords else np.arange(n)
        if numbers.dtype.kind in "fiu" and np.array_equal(np.sort(numbers), np.arange(n)):
            return [int(i) for i in np.argsort(numbers, kind="stable")]
        return list(range(n))
    if n == 1:
        return [0] * len(names)
    raise ScenarioError(f"workload has {n} devices ({_some(texts[0]) if texts else 'without names'}), server "
                        f"{server.name!r} has "
                        f"{len(names)} that it could drive ({names[0]} to {names[-1]}); select or average them")


def _some(labels: Sequence[str]) -> str:
    """The first few, each cut short."""
    return ", ".join(label[:24] for label in labels[:4]) + (f" and {len(labels) - 4} more" if len(labels) > 4 else "")


def _check_size(rack: Rack, load: xr.DataArray, time_step: float | None = None) -> None:
    """Refuses what would not fit, before it is allocated; of a workload still to be resampled, by its length."""
    samples = load.sizes["time"]
    if time_step is not None:
        times = load["time"].to_numpy()
        span = (times[-1] - times[0]) / np.timedelta64(1, "s") if times.dtype.kind == "M" else times[-1] - times[0]
        samples = int(span / time_step) + 1
    size, limit, whose = _result_size(rack, load, samples), *_memory()
    if size > limit:
        raise LimitError(f"the result of {samples} samples and {rack.n_server} servers would take {size / 1e9:.3g} "
                         "GB, the limit is "
                         f"{limit / 1e9:.3g} GB ({whose}); use a larger time_step, a shorter workload or fewer servers")


def _result_size(rack: Rack, load: xr.DataArray, samples: int) -> float:
    """Memory of a run [bytes]: the result's variables, what the solver records, and the series that drive it."""
    labels = len({name for slot in rack.slots for name in slot.server.device_names})
    mixed = len(rack.slots) > 1  # then the records of each kind are copied side by side
    per_sample = 20.0 + (load.size / load.sizes["time"]) * 2  # totals of the rack; the workload and its resampled copy
    for slot in rack.slots:
        server = slot.server
        devices, lanes = len(server.devices), len(server.lanes)
        recorded = 4 * devices + 2 * lanes + 4  # junction, memory, case, coolant; flow and fan power by lane; ends
        if server.branches:  # nodes in air once more, for what leaves there; flow, pumps, heat put into the air
            recorded += 4 * len(server.in_air) + 5
        made = 2 * labels + 4  # power and clock; flow, duty
        copied = 4 * labels + lanes + 2 if mixed else 0
        per_sample += slot.count * (recorded + made + copied)
        driven = slot.count if "server" in load.dims else 1
        per_sample += 2 * driven * (devices + 1)  # the series of each device, and the same side by side
    return 8.0 * samples * per_sample


def _memory() -> tuple[float, str]:
    """Bytes that a run may take, and what says so: the fixed limit, free memory, or the limit on the process."""
    found = [(LARGEST_OUTPUT, "of any run")]
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/meminfo", encoding="ascii") as lines:
            found += [(1024.0 * int(line.split()[1]), "free memory") for line in lines
                      if line.startswith("MemAvailable:")]
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if len(found) == 1:
            found.append((float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")), "free memory"))
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            with open("/proc/self/statm", encoding="ascii") as pages:
                used = int(pages.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            found.append((float(max(most - used, 0)), "what the process may still take, ulimit -v"))
    return min(found)


def _clock(load: xr.DataArray, initial: Any) -> tuple[Floats, np.datetime64 | None]:
    """Seconds of the samples. Dates count from the first sample, or from where the result to go on from began."""
    times = load["time"].to_numpy()
    dated = times.dtype.kind == "M"
    start = times[0] if dated else None
    if isinstance(initial, xr.Dataset):
        end = initial["time"].to_numpy()[-1]
        if end.dtype.kind not in "fiuM" or (end.dtype.kind == "M") != dated:
            raise ScenarioError(f"initial: that result ends at {end}, the workload begins at {times[0]}: one has "
                                "dates, the other seconds; give both the same kind of time")
        gap = float((times[0] - end) / np.timedelta64(1, "ns") * 1e-9 if dated else times[0] - end)
        starts_its_own_clock = not dated and times[0] == 0
        if not starts_its_own_clock and not abs(gap) <= SAME_TIME:  # NaN and NaT are not
            raise ScenarioError(f"initial: that result ends at {end}{'' if dated else ' s'}, the workload begins at "
                                f"{times[0]}{'' if dated else ' s'}; shift the workload's time by {-gap:.10g} s, or "
                                "give 'steady' or a temperature")
        if dated:
            origin = initial.attrs.get("time_origin")
            try:
                start = np.datetime64(str(origin))
            except ValueError:
                start = np.datetime64("NaT")
            if np.isnat(start) or start > times[0]:
                raise ScenarioError(f"initial: time_origin is {shown(origin)}, expected the date at which that "
                                    "result began; give a result of simulate_rack as it came")
    if not dated:
        return np.asarray(times, dtype=np.float64), None
    return (times - start) / np.timedelta64(1, "ns") * 1e-9, start


def without_load(scenario: Scenario, lost_at: float, back_at: float = np.inf) -> Scenario:
    """The scenario with devices and fans of the rack without power for a while; both instants become samples.

    What came before is the same: nothing before `lost_at` depends on it. When power is back the workload goes on as if it
    had run all the time; what a restart takes is not in it, and `simulate_rack` leaves the rack off. Some air still moves through the standing fans: what they would
    draw at a fifth of their least duty.

    Parameters
    ----------
    scenario : Scenario
        As `checked` gives it.
    lost_at, back_at : float
        From when to when, on the run's clock. [s]
    """
    if not lost_at < back_at or not _may_go_dark(scenario, lost_at):
        raise ScenarioError(f"lost_at is {lost_at:g} s and back_at {back_at:g} s, expected one after the other, the first inside the "
                            f"run, {scenario.seconds[0]:g} to {scenario.seconds[-1]:g} s")
    happens = scenario.timeline.without_power(lost_at, back_at)
    load, seconds = _sampled_at_instants(scenario.workload, scenario.seconds, scenario.start,
                                         _instants(scenario.cooling, happens))
    return changed(scenario, workload=load, seconds=seconds, timeline=happens.on(seconds))


# ------------------------------------------------------------------------------------------------------ 2 device power

def device_power(scenario: Scenario) -> list[DevicePower]:
    """Power that the work asks of every device over time, for each kind of server, and the caps on it.

    A workload in watts is taken as it is. A utilisation `u` gives ``idle + u (max - idle)``. Parts that the workload
    does not drive take their `load` plus `follows` times the mean utilisation of the server's accelerators. Those two say
    what a part draws, whatever its temperature; so does a measurement. A utilisation is what it draws at its reference
    temperature: leakage comes on top, and firmware holds the sum to the power limit.
    """
    load, out, first = scenario.workload, [], 0
    values = np.asarray(load.transpose("time", ...).to_numpy(), dtype=np.float64)
    dims = [d for d in load.dims if d != "time"]
    if "server" not in dims:
        values = values[:, None, ...]
    if "device" not in dims:
        values = values[..., None]
    for slot in scenario.rack.slots:
        here = values if values.shape[1] == 1 else values[:, first:first + slot.count]
        out.append(_kind_power(slot.server, here, load))
        first += slot.count
    if scenario.rack.power_cap is not None:
        _share_cap(scenario.rack, out)
    return out


def _kind_power(server: Server, values: Floats, load: xr.DataArray) -> DevicePower:
    columns = _device_columns(server, load)
    measured = load.attrs["units"] == "W"

    def squeezed(x: Floats) -> Floats:
        return x[:, 0] if x.ndim == 2 and x.shape[1] == 1 else x

    watts: dict[int, Floats] = {}
    busy = np.zeros(values.shape[:2])
    done: dict[tuple[int, str], Floats] = {}
    for i, column in zip(server.accelerators, columns, strict=True):
        device = server.devices[i][1].device
        v = values[:, :, column]
        swing = device.max_power - device.idle_power
        key = (column, device.name)
        if key not in done:
            done[key] = squeezed(v if measured else device.idle_power + v * swing)
        watts[i] = done[key]
        busy += np.clip((v - device.idle_power) / swing, 0.0, 1.0) if measured else v
    busy = squeezed(busy / len(columns))
    for i, (_, mount, _) in enumerate(server.devices):
        if i not in watts:
            d = mount.device
            u = np.clip(mount.load + mount.follows * busy, 0.0, 1.0) if mount.follows else np.asarray(mount.load)
            watts[i] = mount.multiplicity * (d.idle_power + u * (d.max_power - d.idle_power))
    ordered = [watts[i] for i in range(len(server.devices))]
    driven = set(server.accelerators)
    rated = [m.device.max_power if i in driven and not measured else None for i, (_, m, _) in enumerate(server.devices)]
    caps = [None if (cap := m.device.power_cap or most) is None else np.asarray(m.multiplicity * cap)
            for (_, m, _), most in zip(server.devices, rated, strict=True)]
    leaks = [i in driven and not measured and m.device.leakage_share > 0 for i, (_, m, _) in enumerate(server.devices)]
    return DevicePower(ordered, caps, leaks, load.attrs.get("interpolation") == "linear")


def _share_cap(rack: Rack, kinds: list[DevicePower]) -> None:
    """Shares the rack's cap among its accelerators as caps of their own.

    Where what they are asked for fits, what is left goes to the leakage that may come on top. Where it does not, each gets
    the same fraction of the way from idle to maximum power, and what one is not asked for is left to the others: water
    filling, by bisection per sample. Caps add up to the rack's, so it holds whatever the temperatures. Other parts draw what
    they draw; a cap below that, and below all idle power, cannot be held.
    """
    claims, fixed = [], np.zeros(1)  # W that caps do not reach
    for kind, (slot, power) in enumerate(zip(rack.slots, kinds, strict=True)):
        server, count = slot.server, slot.count
        scale = 1.0 + server.conversion_slope
        fixed = fixed + count * server.conversion_loss
        for i in range(len(server.devices)):
            demand = power.devices[i].reshape(power.devices[i].shape[0] if power.devices[i].ndim else 1, -1)
            weight = scale * count / demand.shape[1]
            if i in server.accelerators:
                claims.append(_claim(power, kind, i, server.devices[i][1], demand, weight))
            else:
                fixed = fixed + weight * demand.sum(axis=1)
    budget = float(rack.power_cap or 0.0) - fixed
    asked = sum(c.weight * c.demand.sum(axis=1) for c in claims)
    extra = sum(c.weight * c.leakage.sum(axis=1) for c in claims)
    left = np.clip(np.divide(budget - asked, extra, out=np.ones(np.broadcast(budget, asked, extra).shape), where=extra > 0), 0.0, 1.0)
    low, high = np.zeros(1), np.full(1, max(2.0, max(float(np.max(c.demand)) / c.swing for c in claims)))
    for _ in range(60):
        level = 0.5 * (low + high)
        fits = sum(c.weight * c.within(level).sum(axis=1) for c in claims) <= budget
        low, high = np.where(fits, level, low), np.where(fits, high, level)
    for c in claims:
        cap = np.where((asked <= budget)[:, None], c.demand + left[:, None] * c.leakage, c.within(low))
        cap = cap if cap.shape[1] > 1 else cap[:, 0]
        kinds[c.kind].caps[c.device] = cap if cap.shape[0] > 1 else cap[0]


@dataclass(frozen=True)
class _Claim:
    """What one accelerator of a kind of server claims of a rack's cap, [W], ``(time, server)`` where it varies."""

    kind: int
    device: int
    idle: float
    swing: float  # from idle to maximum power
    demand: Floats  # at the reference temperature
    leakage: Floats  # that may come on top
    weight: float  # servers of that kind for each column, with their conversion's loss

    def within(self, level: Floats) -> Floats:
        """What it may draw of its demand if all go to that level between idle and maximum power."""
        return np.minimum(self.demand, (self.idle + level * self.swing)[:, None])


def _claim(power: DevicePower, kind: int, i: int, mount: Mount, demand: Floats, weight: float) -> _Claim:
    d, n = mount.device, mount.multiplicity
    leakage = np.zeros_like(demand)
    if power.leaks[i]:
        hottest = d.shutdown_temperature or d.slowdown_temperature or d.max_operating_temperature or d.reference_temperature + 40.0
        grown = np.expm1((hottest - d.reference_temperature) / d.leakage_scale)
        leakage = np.where(demand > 0, n * d.leakage_share * d.max_power * max(grown, 0.0), 0.0)
    if (own := power.caps[i]) is not None:
        demand = np.minimum(demand, own)
        leakage = np.minimum(leakage, own - demand)
    return _Claim(kind, i, n * d.idle_power, n * (d.max_power - d.idle_power), demand, leakage, weight)


# --------------------------------------------------------------------------------------------------------- 3 assembly

def assemble(scenario: Scenario, watts: list[DevicePower]) -> Assembly:
    """The network of the scenario: servers and their power, then the cooling design adds itself."""
    if isinstance(scenario.initial, xr.Dataset):
        reference = float(scenario.initial.attrs["reference_temperature"])
    else:
        reference = float(np.ravel(_over_time(scenario)(scenario.ambient.air_temperature, name="ambient.air_temperature",
                                                        low=-20.0, high=60.0, unit="degC", hint="is it in kelvin?"))[0])
    network = Network(scenario.seconds, reference=reference)
    kinds, first = [], 0
    for slot, power in zip(scenario.rack.slots, watts, strict=True):
        group = network.group(slot.count)
        demand = [group.series(p, linear=power.linear) for p in power.devices]
        caps = [None if cap is None else group.series(cap, linear=power.linear) for cap in power.caps]
        off = None if (dark := scenario.timeline.off()) is None else group.series(dark)
        if off is not None:
            demand = [group.choice(asked, group.series(0.0), off) for asked in demand]
        kinds.append(Kind(slot.server, group, first, demand, caps, power.leaks, off))
        first += slot.count
    earlier = scenario.initial
    in_room = isinstance(earlier, xr.Dataset) and "room" in earlier.coords.get("shared_node", xr.DataArray([])).values
    site = Site(kinds, scenario.ambient, _over_time(scenario), scenario.timeline, rated_power(scenario.rack),
                _stage_laws(scenario), isinstance(earlier, str), float(earlier) if isinstance(earlier, int | float) else None, in_room)
    _warn_of_peaks(scenario, watts, site)
    site.warnings += [*scenario.doubts, *scenario.power.doubts(scenario.rack)]
    cooled = scenario.cooling.add_to(network, site)
    for kind in kinds:
        kind.keep()
    return Assembly(network, site, cooled, watts)


def _stage_laws(scenario: Scenario) -> dict[str, Table]:
    """Laws of the chain's stages inside the servers, against what a server draws at the end of the chain."""
    servers = scenario.rack.n_server
    most = 1.5 * rated_power(scenario.rack) / servers
    return {name: law_table(loss, 0.0, most) for name, loss in scenario.power.in_servers(servers).items()}


def _over_time(scenario: Scenario) -> Callable[..., Floats]:
    return partial(over_time, times=scenario.seconds, start=scenario.start, servers=scenario.rack.n_server)


def _warn_of_peaks(scenario: Scenario, watts: list[DevicePower], site: Site) -> None:
    for kind, power in zip(site.kinds, watts, strict=True):
        for i in kind.server.accelerators:
            device = kind.server.devices[i][1].device
            most = device.peak_power or 1.6 * device.max_power
            if (peak := float(np.max(power.devices[i]))) > most:
                site.warnings.append(f"device_power: {kind.server.device_names[i]} draws up to {peak:.0f} W, "
                                     f"{device.name} is rated {device.max_power:g} W and peaks at {most:g} W; is the trace that "
                                     "of a whole server?")
                break


# ------------------------------------------------------------------------------------------------------------ 4 solve

def solved(scenario: Scenario, assembly: Assembly, progress: bool | Callable[[float], None] = False
           ) -> tuple[Solution, dict[str, Any]]:
    """The run itself: initial state, then integration. Returns the state at the end too, enough to go on from."""
    _check_progress(progress)
    network = assembly.network
    engine = network.build()
    _start(scenario, network, engine)
    if callable(progress) or not progress:
        solution = integrate(network, engine, solver=scenario.solver, tolerance=scenario.tolerance,
                             progress=progress if callable(progress) else None)
    else:
        from rich.progress import Progress

        with Progress(transient=True) as bar:
            task = bar.add_task(f"{scenario.rack.name}", total=1.0)
            solution = integrate(network, engine, solver=scenario.solver, tolerance=scenario.tolerance,
                                 progress=lambda done: bar.update(task, completed=done))
    state = {"temperature": [engine.temperature(g.number) for g in network.groups],
             "control": [engine.control(g.number) for g in network.groups],
             "integral": [engine.integral(g.number) for g in network.groups],
             "shared": engine.border_temperature(), "step": engine.proposed_step}
    return solution, state


def _start(scenario: Scenario, network: Network, engine: Any) -> None:
    if isinstance(scenario.initial, xr.Dataset):
        _go_on(scenario.initial, network, engine)
        return
    if isinstance(scenario.initial, str):
        steady_start(network, engine)
        return
    rise = float(scenario.initial) - network.reference
    for g in network.groups:
        engine.set_temperature(g.number, np.full((len(g.names), g.n_server), rise))
    engine.set_border_temperature(np.full(len(network.shared_names), rise))
    _at_ends(network, engine)


def _at_ends(network: Network, engine: Any) -> None:
    """Controllers where they are without heat: fans and valves at their least, clocks full."""
    for g in network.groups:
        ends = [c.high if c.kind == FIRMWARE else c.low if c.at_end is None else c.at_end for c in g.controls]
        engine.set_control(g.number, np.array([[output] * g.n_server for output in ends]).reshape(-1, g.n_server))


def _go_on(earlier: xr.Dataset, network: Network, engine: Any) -> None:
    """Takes the earlier result's state. Controllers of another kind or number start from their steady output."""
    labels = state_labels(network)
    nodes = [str(v) for v in earlier["node"].values]
    if nodes != labels["node"] or earlier.sizes["shared_node"] != len(network.shared_names):
        other = next((f"{a!r} where this run has {b!r}" for a, b in zip(nodes, labels["node"], strict=False) if a != b),
                     f"{len(nodes) + earlier.sizes['shared_node']} nodes, this run has "
                     f"{len(labels['node']) + len(network.shared_names)}")
        gas = [any("gas gauge" in name for name in names) for names in (nodes, labels["node"])]
        hint = ("" if gas[0] == gas[1] else "; gas in a tank is part of one of them alone: " + (
            "give the lid_open event of that run again" if gas[0] else "let that run begin with a trace, cooling.gas = 1e-6, and this one"))
        raise ScenarioError(f"initial: that Dataset is not a result of this rack under this cooling; its final state "
                            f"has other nodes: {other}{hint}. Use 'steady' or a temperature")
    state = {name: np.asarray(earlier[name].values, dtype=np.float64) for name in STATE}

    def block(name: str, row: int, rows: int, first: int, servers: int) -> Floats:
        found = np.ascontiguousarray(state[name][row:row + rows, first:first + servers])
        if not np.all(np.isfinite(found)):
            r, server = np.argwhere(~np.isfinite(found))[0]
            where = labels[STATE[name][0]][row + r]
            raise ScenarioError(f"initial: {name} of {where!r}, server {first + server}, is {found[r, server]:g}; "
                                "that result is damaged, or "
                                "its servers are of other kinds. Use 'steady' or a temperature")
        return found

    def within(name: str, found: Floats, low: float, high: float, unit: str) -> None:
        if found.size and not (low <= found.min() and found.max() <= high):
            raise ScenarioError(f"initial: {name} reaches from {found.min():g} to {found.max():g} {unit}, expected "
                                f"{low:g} to {high:g} {unit}; that result is damaged. Use 'steady' or a temperature")

    known = [str(v) for v in earlier["controller"].values] if earlier.sizes["controller"] else []
    same = known == labels["controller"]
    taken: list[tuple[int, Floats, Floats | None, Floats | None]] = []
    row = controller = first = 0
    for g in network.groups:
        n, m = len(g.names), len(g.controls)
        T = block("final_node_temperature", row, n, first, g.n_server)
        within("final_node_temperature", T + network.reference, *STATE_RANGE, "degC")
        output = integral = None
        if same and m:
            output = block("final_control_output", controller, m, first, g.n_server)
            integral = block("final_control_integral", controller, m, first, g.n_server)
            within("final_control_output", output, 0.0, 1.0, "of rated speed")
            within("final_control_integral", integral, 0.0, 1.0, "of rated speed")
        taken.append((g.number, T, output, integral))
        row, controller, first = row + n, controller + m, first + g.n_server
    shared = np.ascontiguousarray(state["final_shared_temperature"])
    if not np.all(np.isfinite(shared)):
        raise ScenarioError("initial: final_shared_temperature is not finite; that result is damaged. Use 'steady' "
                            "or a temperature")
    within("final_shared_temperature", shared + network.reference, *STATE_RANGE, "degC")
    if not same and labels["controller"]:
        try:
            steady_start(network, engine)
        except ConvergenceError:  # none under the first sample: from their ends, then
            _at_ends(network, engine)
    for number, T, output, integral in taken:
        engine.set_temperature(number, T)
        if output is not None:
            engine.set_control(number, output)
            engine.set_integral(number, integral)
    engine.set_border_temperature(shared)
    step = float(earlier.attrs.get("final_step", 0.0))  # that TR-BDF2 would have taken next
    engine.proposed_step = step if 0 < step < 1e9 else 0.0

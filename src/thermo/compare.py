"""Cooling designs side by side: one rack, one workload, one power chain, each design sized by one rule.

**The rule.** Comparing set points that happened to be written down compares their authors. So by default every flow that a design can
turn (fans, pumps, a door's water) is set to the cheapest constants at which, at the workload's peak and full clock, every device is
`margin` below its limits (`thermo.design.cheapest_cooling`), boards below that of `UNKNOWN_LIMITS`; of a boiling tank, where neither
fans nor pumps draw power, the condenser's water is the least that does (`least_flow`). Supply temperatures and sizes of equipment stay
as given.
``sizing="given"`` takes all as the designs have it, controllers too. Where no setting holds the limits, the design runs as given,
`sized` is false and `sizing_error` says what is short: how much work firmware then takes away is the answer.

A design that cannot be had for this rack, or fails, keeps its place in the table: its numbers are NaN and `error` says why.
"""
from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo import design as _design
from thermo import library
from thermo import workload as _workload
from thermo.errors import LimitError, ScenarioError, ThermoError, nearest, require_between, shown
from thermo.events import Event
from thermo.power.metrics import energy, ppue
from thermo.power.metrics import pue as mean_pue
from thermo.rack import Rack
from thermo.resilience import ride_through
from thermo.simulate import checked, simulate_rack
from thermo.steady import Limits
from thermo.store import require_free, write
from thermo.summary import accelerators, facts, seconds

__all__ = ["DESIGNS", "FIGURES", "compare_cooling", "figures", "shown_progress", "side_by_side"]

Floats = NDArray[np.float64]
DESIGNS = ("air", "rear-door", "cold-plate", "immersion", "two-phase-immersion")
SIZINGS = ("cheapest", "given")
MOST_DESIGNS = 256
UNKNOWN_LIMITS = {"board": 105.0}  # degC, estimate(0.5), what parts on boards are rated for: of kinds that tell no limit of their own
STEP = 5.0  # s, between samples of the run through a failure
FAILURES = (("pump-trip", "pump_trip"), ("water-loss", "water_loss"), ("cooling-loss", "cooling_loss"))  # the first that a design answers to

FIGURES: dict[str, tuple[str, str, str]] = {  # name: unit, long name, what it is made from
    "peak_junction_temperature": ("degC", "hottest junction of the accelerators", "max of junction_temperature over time, server and accelerators"),
    "mean_junction_temperature": ("degC", "mean junction of the accelerators", "mean of junction_temperature over time, server and accelerators"),
    "headroom": ("K", "least distance of an accelerator to its highest operating temperature", "min of max_operating_temperature - junction_temperature"),
    "time_above_limit": ("s", "time that the device longest above its limit spends there", "junction_temperature, max_operating_temperature"),
    "work_lost": ("1", "share of the work asked for that clocks left undone", "work_lost weighted by work_asked"),
    "it_energy": ("J", "energy at the servers' inlets, fans not counted", "sum of it_power x interval"),
    "fan_energy": ("J", "energy of fans in servers and door", "sum of fan_power x interval"),
    "pump_energy": ("J", "energy of pumps", "sum of pump_power x interval"),
    "heat_rejection_energy": ("J", "energy of room, plant and towers", "sum of heat_rejection_power x interval"),
    "conversion_energy": ("J", "loss of the power chain", "sum of stage_loss x interval over stages"),
    "utility_energy": ("J", "energy from utility, generator and batteries", "sum of utility_power, generator_power, battery_power x interval"),
    "peak_utility_power": ("W", "highest power from the utility", "max of utility_power"),
    "pue": ("1", "power usage effectiveness", "utility_energy / it_energy"),
    "ppue_cooling": ("1", "partial PUE of cooling: fans, pumps and heat rejection", "1 + (fan_energy + pump_energy + heat_rejection_energy) / it_energy"),
    "ppue_power": ("1", "partial PUE of the power chain", "1 + conversion_energy / it_energy"),
    "supply_temperature": ("degC", "primary coolant supplied, mean", "mean of supply_temperature over time"),
    "return_temperature": ("degC", "primary coolant that leaves, mean", "mean of return_temperature over time"),
    "coolant_rise": ("K", "what the primary coolant warms by, mean", "mean of return_temperature - supply_temperature"),
    "mass_flow": ("kg/s", "primary coolant of the rack, mean", "mean over time of mass_flow summed over server"),
    "liquid_energy": ("J", "heat that leaves in liquid", "sum of heat_to_liquid x interval"),
    "liquid_share": ("1", "part of the heat that leaves in liquid", "liquid_energy over all heat"),
    "usable_heat_temperature": ("degC", "temperature at which that heat leaves, weighted by it; NaN without liquid",
                                "liquid_return_temperature (of racks all in liquid: return_temperature) weighted by heat_to_liquid"),
    "energy_residual": ("1", "largest residual of the energy balance over mean IT power", "max of abs(energy_residual) / mean of it_power"),
}
SERIES = ("it_power", "utility_power", "fan_power", "pump_power", "heat_rejection_power", "supply_temperature", "return_temperature",
          "heat_to_air", "heat_to_liquid")
OTHERS: dict[str, tuple[str, str, str]] = {
    "cooling_power": ("W", "fans and pumps at the workload's peak, as sized", "thermo.design.cheapest_cooling, Answer.cost"),
    "ride_through": ("s", "from the failure at full load to the first limit of air or device; infinite where none is reached within the horizon",
                     "thermo.ride_through, thermal_ride_through"),
    "energy_cost": ("1", "cost of the energy, in the currency of energy_price", "utility_energy x energy_price"),
}


def figures(result: xr.Dataset) -> dict[str, float]:
    """The numbers of one result that a comparison shows, by the names of `FIGURES`.

    Examples
    --------
    >>> import thermo
    >>> result = thermo.simulate_rack("t4-server", 0.5)
    >>> 1.0 < figures(result)["pue"] < 2.0
    True
    """
    known, driven = facts(result), accelerators(result)
    span = np.append(np.diff(seconds(result)), 0.0) if result.sizes["time"] > 1 else np.ones(1)

    def mean(values: NDArray[Any]) -> float:
        return float(np.average(values, weights=span))

    junction = result["junction_temperature"].isel(device=driven)
    limit = (result["max_operating_temperature"].isel(device=driven) if "max_operating_temperature" in result.coords
             else junction.isel(time=0, server=0) * np.nan)
    liquid = np.nan_to_num(result["heat_to_liquid"].values) if "heat_to_liquid" in result else np.zeros(span.size)
    leaves = result["liquid_return_temperature" if "liquid_return_temperature" in result else "return_temperature"].values
    heat, hot = float(span @ liquid), liquid > 0
    air = energy(result, "heat_to_air") if "heat_to_air" in result else 0.0
    room = float((limit - junction).min()) if bool(np.isfinite(limit).any()) else np.nan
    return {
        "peak_junction_temperature": known.peak_junction, "mean_junction_temperature": known.mean_junction, "headroom": room,
        "time_above_limit": known.time_above, "work_lost": known.work_lost,
        "it_energy": energy(result, "it_power"), "fan_energy": energy(result, "fan_power"), "pump_energy": energy(result, "pump_power"),
        "heat_rejection_energy": energy(result, "heat_rejection_power"), "conversion_energy": energy(result, "stage_loss"),
        "utility_energy": sum(energy(result, name) for name in ("utility_power", "generator_power", "battery_power") if name in result),
        "peak_utility_power": float(result["utility_power"].max()), "pue": mean_pue(result), "ppue_cooling": ppue(result, "cooling"),
        "ppue_power": ppue(result, "power"),
        "supply_temperature": mean(result["supply_temperature"].values), "return_temperature": mean(result["return_temperature"].values),
        "coolant_rise": known.rise_mean, "mass_flow": mean(result["mass_flow"].transpose("time", "server").sum("server").values),
        "liquid_energy": heat, "liquid_share": heat / (heat + air) if heat + air > 0 else np.nan,
        "usable_heat_temperature": float(np.average(leaves[hot], weights=(span * liquid)[hot])) if heat > 0 else np.nan,
        "energy_residual": known.residual_share,
    }


def compare_cooling(rack: Rack | str, workload: Any, designs: Any = DESIGNS, *, power: Any = None, ambient: Any = None, sizing: str = "cheapest",
                    margin: float = 5.0, limits: Any = None, time_step: float | None = None, events: Sequence[Any] = (),
                    horizon: float | None = 1800.0, energy_price: float | None = None, solver: str = "auto", tolerance: float = 0.01,
                    folder: Any = None, overwrite: bool = False, workers: int | None = None,
                    progress: bool | Callable[[float], None] = False) -> xr.Dataset:
    """The same rack under the same workload with several cooling designs, one table.

    Parameters
    ----------
    rack, workload, power, ambient, time_step, events, solver, tolerance
        As `thermo.simulate_rack` takes them. A rack of servers made for air gets cold plates, rear door or tank as each design needs.
    designs : sequence of str or design, or mapping of str to either
        What to compare: names of the library, objects, or names of one's own for objects. A design's label is its name in the library,
        else that of its class (of None, the rack's own, ``own``), numbered where labels repeat.
    sizing : {"cheapest", "given"}
        The rule by which all are sized; see the head of this module.
    margin : float
        Below every limit, that sizing keeps. [K]
    limits : float or mapping, optional
        Highest junction temperatures that sizing holds beside the devices' own, as `thermo.design.least_flow` takes them; default
        `UNKNOWN_LIMITS`. [degC]
    horizon : float or None
        How long each design is followed at the workload's peak after its pumps stop (its water, where it has no pumps of its own; the
        room's cold air, where it is air), for `ride_through`; None leaves that out. [s]
    energy_price : float, optional
        For `energy_cost`. [1/J], of any currency: 0.1 a kWh is ``0.1 / 3.6e6``
    folder : path, optional
        Where each design's whole result is written as ``<label>.nc``; it must be there.
    overwrite : bool
        Replace earlier results there.
    workers : int, optional
        Processes side by side; default one for each core, at most one for each design. Results do not depend on it.
    progress : bool or callable
        Show a progress bar, or call with the fraction done.

    Returns
    -------
    table : Dataset, dims (design, time)
        Numbers of each design (`FIGURES`; each has its `units`, and in ``attrs["made_from"]`` the variables of `simulate_rack` that it comes
        from), `cooling_power`, `ride_through` with `ride_through_event`, `sized`, `settings` (JSON), `error`, `warnings` (JSON), `scenario`
        (JSON, enough to run it again), and over time the hottest accelerator and the rack's powers, temperatures and heat. Attributes
        say the rule.

    Raises
    ------
    ScenarioError
        If an argument that concerns all designs cannot be what was meant. What concerns one is in its `error`.

    Examples
    --------
    >>> import thermo
    >>> rack = thermo.Rack.from_library("t4-server", servers=2)
    >>> table = thermo.compare_cooling(rack, 0.8, ["air", "cold-plate"], horizon=None, workers=1)
    >>> table.design.values.tolist(), bool(table.pue.sel(design="cold-plate") < table.pue.sel(design="air"))
    (['air', 'cold-plate'], True)
    """
    if sizing not in SIZINGS:
        raise ScenarioError(f"sizing is {shown(sizing)}{nearest(str(sizing)[:40], SIZINGS)}")
    margin = require_between("margin", margin, 0.0, 50.0, "K")
    if horizon is not None:
        horizon = require_between("horizon", horizon, 10.0, 1e6, "s")
    if energy_price is not None:
        energy_price = require_between("energy_price", energy_price, 0.0, 1.0, "1/J", "is it per kWh? divide by 3.6e6")
    if isinstance(events, str) or not isinstance(events, Sequence) or not all(isinstance(event, Event) for event in events):
        raise ScenarioError(f"events is {shown(events)}, expected a sequence of thermo.events; leave it out, or give ()")
    named = _named(designs)
    places: dict[str, Path] = {}
    if folder is not None:
        places = {label: require_free(Path(folder) / f"{label}.nc", overwrite=overwrite) for label in named}
    load = _workload.as_workload(workload)  # refused once, for all
    rack = Rack.from_library(rack) if isinstance(rack, str) else rack
    checked(rack, load, power=power, ambient=ambient, time_step=time_step, solver=solver, tolerance=tolerance)
    case = _Case(rack, load, power, ambient, sizing, margin, limits, time_step, tuple(events), horizon, solver, tolerance)
    Limits.of(rack, case.asked, margin)  # refused once, for all
    found: dict[str, _Row] = {}
    jobs = [(label, case, design, places.get(label), overwrite) for label, design in named.items()]
    with shown_progress(progress, "designs") as tell:
        for done, (label, row) in enumerate(side_by_side(_one, jobs, workers)):
            found[label] = row
            tell((done + 1) / len(named))
    return _table({label: found[label] for label in named}, case, energy_price)


@dataclass(frozen=True)
class _Case:
    """What all designs have in common."""

    rack: Rack
    load: xr.DataArray
    power: Any
    ambient: Any
    sizing: str
    margin: float
    limits: Any
    time_step: float | None
    events: tuple[Any, ...]
    horizon: float | None
    solver: str
    tolerance: float

    @property
    def peak(self) -> Any:
        """The workload's peak as a load that does not change: a utilisation, or watts of each device."""
        most = float(self.load.max())
        return _workload.constant(most, units="W") if self.load.attrs.get("units") == "W" else most


    @property
    def asked(self) -> Any:
        """Limits that sizing holds beside the devices' own."""
        if self.limits is not None and not isinstance(self.limits, Mapping):
            return self.limits
        kinds = {mount.device.kind for slot in self.rack.slots for mount in slot.server.mounts}
        return {kind: limit for kind, limit in UNKNOWN_LIMITS.items() if kind in kinds} | dict(self.limits or {})


@dataclass
class _Row:
    """What one design came to."""

    numbers: dict[str, float]
    series: dict[str, Floats]
    times: NDArray[Any]
    words: dict[str, str]
    sized: bool = False


def _named(designs: Any) -> dict[str, Any]:
    """Designs by their labels."""
    if isinstance(designs, str) or not isinstance(designs, Mapping | Sequence) or not len(designs):
        raise ScenarioError(f"designs is {shown(designs)}, expected names or designs in a list, or a mapping of names to them")
    if len(designs) > MOST_DESIGNS:
        raise LimitError(f"designs: {len(designs)} of them, at most {MOST_DESIGNS} are compared in one table; use thermo.sweep")
    if isinstance(designs, Mapping):
        pairs = [(label, design) for label, design in designs.items()]
        for label, _ in pairs:
            if not isinstance(label, str) or not 1 <= len(label) <= 60 or not label.isprintable() or any(c in label for c in "/\\") or label[0] == ".":
                raise ScenarioError(f"designs has the name {shown(label)}, expected 1 to 60 characters that can name a file")
        return dict(pairs)
    out: dict[str, Any] = {}
    for design in designs:
        label = base = design if isinstance(design, str) else "own" if design is None else type(design).__name__
        number = 2
        while label in out:
            label, number = f"{base} {number}", number + 1
        out[label] = design
    return out


def side_by_side(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: int | None) -> Iterator[Any]:
    """``function(*job)`` of all jobs as they end, in processes side by side.

    Parameters
    ----------
    workers : int or None
        How many processes; None: one for each core. 1: in this one, in order.
    """
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 1024):
        raise ScenarioError(f"workers is {shown(workers)}, expected a whole number from 1 to 1024")
    at_once = min(os.cpu_count() or 1 if workers is None else workers, len(jobs))
    if at_once <= 1:
        yield from (function(*job) for job in jobs)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=at_once, return_as="generator_unordered")(delayed(function)(*job) for job in jobs)


def _one(label: str, case: _Case, design: Any, place: Path | None, overwrite: bool) -> tuple[str, _Row]:
    """One design: sized, run, and its failure followed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are in the row
        try:
            return label, _row(label, case, design, place, overwrite)
        except ThermoError as error:
            return label, _Row({}, {}, np.zeros(0), {"error": f"{type(error).__name__}: {error}"})


def _row(label: str, case: _Case, design: Any, place: Path | None, overwrite: bool) -> _Row:
    options = {"power": case.power, "ambient": case.ambient}
    words, numbers, sized = {"settings": "{}", "sizing_error": ""}, {}, False
    cooling, ambient = design, case.ambient
    if case.sizing == "cheapest":
        try:
            answer = _sized(case, design, options)
        except ThermoError as error:  # then as given: what that costs is in the table
            words["sizing_error"] = str(error)
        else:
            cooling, ambient, sized = answer.cooling, answer.ambient, True
            words["settings"] = json.dumps(dict(answer.settings))
            numbers["cooling_power"] = answer.cost
    result = simulate_rack(case.rack, case.load, cooling=cooling, power=case.power, ambient=ambient, time_step=case.time_step,
                           events=case.events, solver=case.solver, tolerance=case.tolerance)
    if place is not None:
        write(result.assign_attrs(title=f"{result.attrs['title']} ({label})"), place, overwrite=overwrite)
    numbers |= figures(result)
    words |= {"scenario": result.attrs["scenario"], "warnings": result.attrs["warnings"]}
    if case.horizon is not None:
        numbers["ride_through"], words["ride_through_event"], words["ride_through_first"] = _failure(case, cooling, ambient)
    driven = accelerators(result)
    series = {name: np.asarray(result[name].values, dtype=np.float64) for name in SERIES if name in result}
    series["hottest_junction_temperature"] = np.asarray(result["junction_temperature"].isel(device=driven).max(("server", "device")).values)
    return _Row(numbers, series, result["time"].to_numpy(), words, sized)


def _sized(case: _Case, design: Any, options: Mapping[str, Any]) -> _design.Answer:
    """The rule: the cheapest fans and pumps; of a design in which none of them draws power, the least water."""
    chosen = library.load("cooling", design) if isinstance(design, str) else design
    ask = _design.least_flow if hasattr(chosen, "saturation_temperature") else _design.cheapest_cooling
    return ask(case.rack, case.peak, cooling=design, limits=case.asked, margin=case.margin, **options)


def _failure(case: _Case, cooling: Any, ambient: Any) -> tuple[float, str, str]:
    """What the loss of pumps, water or cold air leaves, at the workload's peak: seconds, the event, and what trips first."""
    design = library.load("cooling", cooling) if isinstance(cooling, str) else cooling
    takes = getattr(design, "takes_events", ())
    kind = next((made for event, made in FAILURES if event in takes), None)
    if kind is None or case.horizon is None:
        return np.nan, "", "the design answers to no loss of pumps, water or cold air"
    peak = float(case.load.max())
    load = peak if case.load.attrs.get("units") != "W" else _workload.constant(
        peak, units="W", duration=case.horizon + STEP, time_step=STEP)
    try:
        table = ride_through(case.rack, load, event=kind, horizon=case.horizon, time_step=STEP, cooling=cooling, power=case.power,
                             ambient=ambient, solver=case.solver, tolerance=case.tolerance)
    except ThermoError as error:
        return np.nan, kind, str(error)
    row = table.iloc[0]
    return float(row["thermal_ride_through"]), kind, f"{row['first']}{', ' if row['first_where'] else ''}{row['first_where']}"


def _table(rows: Mapping[str, _Row], case: _Case, price: float | None) -> xr.Dataset:
    """The rows as one Dataset."""
    labels = list(rows)
    meanings = FIGURES | {name: meaning for name, meaning in OTHERS.items() if name != "energy_cost" or price is not None}
    if price is not None:
        for row in rows.values():
            row.numbers["energy_cost"] = row.numbers.get("utility_energy", np.nan) * price
    data: dict[str, Any] = {name: ("design", np.array([rows[label].numbers.get(name, np.nan) for label in labels]),
                                   {"units": units, "long_name": words, "made_from": origin})
                            for name, (units, words, origin) in meanings.items()}
    ran = [row for row in rows.values() if row.times.size]
    coords: dict[str, Any] = {"design": labels}
    if ran:
        times = ran[0].times  # events of one design add samples to it: what all have is shown
        for row in ran[1:]:
            times = times[np.isin(times, row.times)]
        coords["time"] = ("time", times)
        for name in dict.fromkeys(name for row in ran for name in row.series):
            grid = np.full((len(labels), times.size), np.nan)
            for i, row in enumerate(rows.values()):
                if name in row.series:
                    grid[i] = row.series[name][np.isin(row.times, times)]
            data[f"{name}_over_time" if name in data else name] = (("design", "time"), grid, _series_attributes(name))
    for name, told in (("settings", "set points that the rule found"), ("sizing_error", "why the rule found none"),
                       ("ride_through_event", "what fails"), ("ride_through_first", "what trips first then"), ("error", "why there are no numbers"),
                       ("warnings", "what the run warned of, JSON"), ("scenario", "arguments of the run, JSON")):
        data[name] = ("design", np.array([rows[label].words.get(name, "") for label in labels], dtype=object).astype(str), {"long_name": told})
    data["sized"] = ("design", np.array([rows[label].sized for label in labels]), {"long_name": "whether the rule found set points"})
    import thermo

    attrs = {"title": f"{case.rack.title or case.rack.name}: cooling designs compared", "source": f"thermo {thermo.__version__}",
             "version": thermo.__version__, "rule": _rule(case), "rack": case.rack.name, "margin": case.margin,
             "workload_source": str(case.load.attrs.get("source", "")), "workload_licence": str(case.load.attrs.get("licence", ""))}
    if price is not None:
        attrs["energy_price"] = price
    return xr.Dataset(data, coords=coords, attrs=attrs)


def _series_attributes(name: str) -> dict[str, str]:
    from thermo.output import VARIABLES

    if name not in VARIABLES:
        return {"units": "degC", "long_name": "hottest junction of the accelerators"}
    _, units, words, _ = VARIABLES[name]
    return {"units": units, "long_name": words}


def _rule(case: _Case) -> str:
    if case.sizing == "given":
        return "each design as given: its own set points and controllers"
    peak = float(case.load.max())
    at = f"{peak:g} W a device" if case.load.attrs.get("units") == "W" else f"utilisation {peak:g}"
    return (f"fans, pumps and door water of each design held at the cheapest constants that keep every device {case.margin:g} K below its "
            f"limits (boards: 105 degC) at the workload's peak ({at}) and full clock; temperatures supplied and sizes of equipment as given")


@contextmanager
def shown_progress(progress: bool | Callable[[float], None], name: str) -> Iterator[Callable[[float], None]]:
    """What to call with the fraction done: the caller's own, a bar, or nothing."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done: None
    else:
        from rich.progress import Progress

        with Progress(transient=True) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda done: bar.update(task, completed=done)

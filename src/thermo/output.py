"""From raw arrays to the labelled Dataset: names, dims, units, energy balance. xarray is touched here and nowhere below."""
from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from thermo.cooling.site import Ran
from thermo.events import to_mapping
from thermo.rack import Described, Device, as_mapping
from thermo.solve import Solution

if TYPE_CHECKING:
    from thermo.cooling.site import Places
    from thermo.network import Network
    from thermo.power import Supply
    from thermo.simulate import Assembly, Scenario

__all__ = ["VARIABLES", "dataset", "state_labels"]

Floats = NDArray[np.float64]
TSD, TSP, TS, T = ("time", "server", "device"), ("time", "server", "position"), ("time", "server"), ("time",)
LONGEST_SERIES = 50_000  # numbers of a series that the result repeats
WARMEST_AIR = 100.0  # degC, to which the formulas of moist air vouch
COUNTS = ("steps", "requests_done", "prompt_tokens_served", "output_tokens_served")  # what a made-up workload says of its work
FULL_CLOCK = 1 - 1e-9
MEAN, POINT = "time: mean (over the interval that begins at the sample)", "time: point"

# name: (dims, units, long name, cell methods)
VARIABLES: dict[str, tuple[tuple[str, ...], str, str, str]] = {
    "junction_temperature": (TSD, "degC", "hottest silicon of the device", POINT),
    "memory_temperature": (TSD, "degC", "memory stacks of the device", POINT),
    "case_temperature": (TSD, "degC", "case, or bare-die interface, under the heat sink", POINT),
    "coolant_temperature": (TSP, "degC", "fluid behind each position along its path", POINT),
    "device_power": (TSD, "W", "electrical power of the device", MEAN),
    "clock_fraction": (TSD, "1", "clock over the clock asked for", MEAN),
    "work_asked": (T, "1", "mean utilisation asked of the accelerators", MEAN),
    "work_lost": (T, "1", "share of the work asked of the accelerators that was not done, each on its own: power limits, temperature limits, no power", MEAN),
    "work_lost_in_step": (T, "1", "the same where all wait for the slowest, as a synchronous job does", MEAN),
    "supply_temperature": (T, "degC", "primary coolant supplied to the rack; room air while no cold air comes", POINT),
    "return_temperature": (T, "degC", "primary coolant that leaves the servers, mixed; of a tank without boiling what comes to its unit", POINT),
    "mass_flow": (TS, "kg/s", "primary coolant through the server", MEAN),
    "feed_flow": (T, "kg/s", "liquid that a tank's pumps feed into it", MEAN),
    "coolant_flow": (TSP, "kg/s", "liquid that passes a position of the coolant's path", MEAN),
    "pump_speed": (T, "1", "speed of the fastest of the pumps over full speed", MEAN),
    "loop_pressure": (T, "Pa", "pressure at the pumps' inlet, gauge", POINT),
    "liquid_flow": (TS, "kg/s", "liquid beside the air, where the design has it", MEAN),
    "liquid_supply_temperature": (T, "degC", "liquid that comes to the rack beside its air", MEAN),
    "liquid_return_temperature": (T, "degC", "liquid that leaves the rack beside its air, mixed", POINT),
    "tank_pressure": (T, "Pa", "absolute pressure above the liquid of a tank", POINT),
    "saturation_temperature": (T, "degC", "temperature at which the liquid boils at that pressure", POINT),
    "fluid_mass": (T, "kg", "liquid and vapour in the tank", POINT),
    "fluid_lost": (T, "kg", "fluid that has left the tank since it was full", POINT),
    "fluid_lost_cost": (T, "USD", "what that costs", POINT),
    "gas_amount": (T, "mol", "gas in the tank that does not condense", POINT),
    "vented_heat": (T, "W", "latent heat of vapour that leaves by the relief vent or an open lid, part of heat_to_air", MEAN),
    "heat_flux": (TSD, "W/m2", "heat flux of the device's boiling face, mean of its footprint", POINT),
    "chf_margin": (TSD, "1", "critical heat flux over the larger of the face's flux and the flux that the device's power asks for", POINT),
    "boiling_regime": (TSD, "1", "what the device's boiling face does", POINT),
    "fluid_temperature": (("time", "height"), "degC", "liquid of a tank beside and above its servers, by height above the floor", POINT),
    "fan_duty": (TS, "1", "fan speed over rated speed", MEAN),
    "it_power": (T, "W", "power at the servers' inlets, fans not counted", MEAN),
    "conversion_loss": (T, "W", "loss of power supplies and regulators in the servers, part of it_power", MEAN),
    "fan_power": (T, "W", "fans of the servers, and of a rear door", MEAN),
    "pump_power": (T, "W", "pumps", MEAN),
    "heat_rejection_power": (T, "W", "room air handlers, chillers and what else removes the heat, the electrical room's too", MEAN),
    "stage_loss": (("time", "stage"), "W", "loss of each stage of the power chain", MEAN),
    "utility_power": (T, "W", "power drawn from the utility", MEAN),
    "utility_ramp_rate": (T, "W/s", "change of utility power since the sample before, over the time between them; 0 at the first and last", POINT),
    "generator_power": (T, "W", "power drawn from the generator, where the power chain has one", MEAN),
    "battery_power": (T, "W", "power out of batteries and energy stores of the power chain; negative while they are filled", MEAN),
    "battery_charge": (T, "1", "charge of the power chain's batteries, where it has any", POINT),
    "heat_to_air": (T, "W", "heat that leaves the rack in air", MEAN),
    "heat_to_liquid": (T, "W", "heat that leaves the rack in liquid", MEAN),
    "stored_energy": (T, "J", "heat stored since the first sample", POINT),
    "energy_residual": (T, "W", "everything in, minus everything out, minus what is stored", MEAN),
    "pue": (T, "1", "power from utility, generator and batteries over IT power", MEAN),
    "pue_mean": ((), "1", "energy from utility, generator and batteries over IT energy", ""),
    "final_node_temperature": (("node", "server"), "K", "state at the end, rise above reference_temperature", ""),
    "final_control_output": (("controller", "server"), "1", "controller outputs at the end", ""),
    "final_control_integral": (("controller", "server"), "1", "controller integrals at the end", ""),
    "final_store_charge": (("stage",), "1", "charge of the stage's battery or energy store at the end", ""),
    "final_store_debt": (("stage",), "J", "energy taken from it and not yet put back at the end", ""),
    "final_waiting_heat": ((), "J", "heat that the plant has still to work off at the end", ""),
    "final_shared_temperature": (("shared_node",), "K", "shared nodes at the end, rise above reference_temperature", ""),
}

# what the numbers of a variable stand for
FLAGS: dict[str, dict[str, Any]] = {"boiling_regime": {"flag_values": np.arange(-1, 5, dtype=np.int8),
                                                       "flag_meanings": "no_device natural_convection nucleate transition film dry"}}

# what a device may reach, by its own data; NaN where that is not known
LIMITS = {
    "max_operating_temperature": "highest junction temperature in operation",
    "slowdown_temperature": "junction temperature at which clocks fall",
    "shutdown_temperature": "junction temperature at which the device shuts down",
    "memory_limit_temperature": "highest memory temperature in operation",
}


def dataset(scenario: Scenario, assembly: Assembly, solution: Solution, state: dict[str, Any]) -> xr.Dataset:
    """The result of a run as DESIGN's table of variables: losses, energy balance, labels, provenance, warnings."""
    import thermo

    data = _temperatures(assembly, solution)
    data |= _powers(scenario, assembly, solution)
    if assembly.cooled.derived is not None:
        earlier = scenario.initial if isinstance(scenario.initial, xr.Dataset) else {}
        data |= assembly.cooled.derived(Ran(scenario.seconds, data, solution.nodes, solution.signals, earlier))
    data |= _state(state)
    coords = _coords(scenario, assembly)
    variables = {name: (VARIABLES[name][0], value, _attributes(name)) for name, value in data.items()}
    _warn_of_limits(scenario, assembly, data)
    load = scenario.workload.attrs
    attrs = {"title": f"{scenario.rack.title or scenario.rack.name}: heat and power", "Conventions": "CF-1.11",
             "source": f"thermo {thermo.__version__}", "version": thermo.__version__, "solver": solution.solver,
             "solver_statistics": json.dumps(solution.statistics), "scenario": scenario_json(scenario),
             "workload_source": str(load.get("source", "")), "workload_licence": str(load.get("licence", "")),
             **{f"workload_{key}": float(load[key]) for key in COUNTS if key in load},
             "workload_interpolation": str(load.get("interpolation", "constant")),
             "reference_temperature": assembly.network.reference, "final_step": state["step"], "plant_feed": scenario.power.plant_feed or "utility",
             "room_cop": scenario.power.room_cop,
             "plant_branch": next((s.name for s in scenario.power.stages if s.carries == "plant"), ""),
             "battery_stage": next((s.name for s in scenario.power.stages if s.carrier is not None), ""),
             **_packages(assembly), **assembly.cooled.attributes, "warnings": json.dumps(assembly.site.warnings)}
    for lost_at, why in assembly.lost:
        attrs |= {"load_lost_at": lost_at, "load_lost_why": why}
    if scenario.start is not None:
        attrs["time_origin"] = str(scenario.start)
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _packages(assembly: Assembly) -> dict[str, str]:
    """Which devices' ladders are from a package of `thermo.package`, by the device."""
    named = {m.device.name: m.device.package for kind in assembly.site.kinds for m in kind.server.mounts if m.device.package is not None}
    return {"device_packages": json.dumps(named)} if named else {}


def _device_names(assembly: Assembly) -> list[str]:
    """The coordinate `device`: names of all kinds of server, each once."""
    return list(dict.fromkeys(name for kind in assembly.site.kinds for name in kind.server.device_names))


def _warn_of_limits(scenario: Scenario, assembly: Assembly, data: dict[str, Any]) -> None:
    """Says which devices were slowed down or shut down, and which ran hotter than they may because no firmware is told for them."""
    names = _device_names(assembly)
    hot, slow, off = [], [], []
    dark = assembly.site.timeline.off()
    lit = slice(None) if dark is None else dark == 0
    for kind in assembly.site.kinds:
        here = slice(kind.first, kind.first + kind.group.n_server)
        for name, mount, _ in kind.server.devices:
            d, at = mount.device, names.index(name)
            clock = data["clock_fraction"][lit, here, at]
            if d.firmware is not None:
                lowest = float(np.min(clock, initial=1.0))
                if lowest == 0:
                    off.append(f"{name} of server {kind.first + int(np.argmin(clock.min(axis=0)))}")
                elif lowest < 1 and _at_limit(d, data, here, at):  # a power cap is nothing to warn of
                    slow.append((lowest, f"{name} ran at down to {lowest:.0%} of its clock"))
                continue
            for variable in ("junction_temperature", "memory_temperature"):
                limit = d.memory_limit_temperature if variable == "memory_temperature" else (
                    d.slowdown_temperature or d.max_operating_temperature)
                peak = float(np.max(data[variable][:, here, at])) if limit is not None else -np.inf
                if limit is not None and peak > limit:
                    hot.append((peak - limit, f"{name} {variable.split('_')[0]} {peak:.1f} degC, its limit is {limit:g}"))
    wet = _wet(assembly)
    warmest = float(np.fmax.reduce(data["coolant_temperature"][:, :, ~wet], axis=None, initial=-np.inf))
    liquid = float(np.fmax.reduce(data["coolant_temperature"][:, :, wet], axis=None, initial=-np.inf))
    coldest = float(np.fmin.reduce(data["coolant_temperature"][:, :, wet], axis=None, initial=np.inf))
    said = assembly.site.warnings
    cap, most = scenario.rack.power_cap, float(np.max(data["it_power"]))
    if cap is not None and most > cap * (1 + 1e-6):
        said.append(f"power_cap: IT power reaches {most:.0f} W, above the cap of {cap:g} W: idle power, parts without a clock and the "
                    "lowest clocks take more than that")
    if warmest > WARMEST_AIR:
        said.append(f"air: its laws hold up to {WARMEST_AIR:g} degC, here it reaches {warmest:.0f} degC: no rack runs "
                    "so; raise supply_flow or fan_speed, or lower recirculation")
    if assembly.cooled.hottest_fluid is not None and liquid > assembly.cooled.hottest_fluid[0]:
        limit, name = assembly.cooled.hottest_fluid
        said.append(f"{name}: its properties are known up to {limit:g} degC, here it reaches {liquid:.0f} degC: it would boil; give more "
                    "flow or colder coolant")
    if assembly.cooled.coldest_fluid is not None and coldest < assembly.cooled.coldest_fluid[0]:
        limit, name = assembly.cooled.coldest_fluid
        said.append(f"{name}: its properties are known down to {limit:g} degC, here it reaches {coldest:.0f} degC: it would freeze; give "
                    "warmer facility water")
    if assembly.cooled.dew_point is not None:
        below = assembly.cooled.dew_point - data["supply_temperature"]
        if (k := int(np.argmax(below))) >= 0 and below[k] > 0:
            said.append(f"condensation: coolant is supplied with {data['supply_temperature'][k]:.1f} degC, {below[k]:.1f} K below the room's dew "
                        "point: plates and pipes get wet; close the valve further, warm the facility water or dry the air")
    if hot:
        said.append(f"above the limit: {max(hot)[1]}{_more(hot)}. It has no firmware here (firmware=None), so nothing slowed it down")
    if off:
        said.append(f"shut down: {off[0]}{_more(off)} reached shutdown_temperature and stayed off; cool better or ask for less")
    if slow:
        said.append(f"slowed down: {min(slow)[1]}{_more(slow)}; work_lost says what that cost")


def _at_limit(d: Device, data: dict[str, Any], here: slice, at: int) -> bool:
    """Whether a device was ever as hot as where its firmware slows it down."""
    reach = 0.0 if d.firmware is None else d.firmware.hysteresis
    limits = (("junction_temperature", d.max_operating_temperature or d.slowdown_temperature), ("memory_temperature", d.memory_limit_temperature))
    return any(limit is not None and float(np.max(data[name][:, here, at])) >= limit - reach for name, limit in limits)


def _more(found: list[Any]) -> str:
    return f" and {len(found) - 1} more" if len(found) > 1 else ""


def scenario_json(scenario: Scenario) -> str:
    """The scenario as JSON, enough for `thermo.rerun`: descriptions, set points and workload. Series beyond `LONGEST_SERIES`
    numbers are named by their hash instead; a workload in watts can then be read off the result itself."""
    cooling: dict[str, Any] = {"design": type(scenario.cooling).__name__}
    if isinstance(scenario.cooling, Described):
        cooling |= {key: _point(getattr(scenario.cooling, key)) for key in type(scenario.cooling).model_fields
                    if key != "provenance"}
    ambient = {key: _point(getattr(scenario.ambient, key)) for key in type(scenario.ambient).model_fields}
    return json.dumps({
        "rack": as_mapping(scenario.rack), "cooling": cooling, "power": as_mapping(scenario.power), "ambient": ambient,
        "workload": _series(scenario.workload), "solver": scenario.solver, "tolerance": scenario.tolerance,
        "initial": scenario.initial if isinstance(scenario.initial, str | float) else "an earlier result",
        "events": [to_mapping(event) for event in scenario.events],
    })


def _point(value: Any) -> Any:
    """A set point for JSON: a number, a controller by its name and numbers, a series, or a description of such."""
    if hasattr(value, "control"):
        return {"control": type(value).__name__.lower(), **as_mapping(value)}
    if isinstance(value, Described):
        return {key: _point(getattr(value, key)) for key in type(value).model_fields if key != "provenance"}
    if isinstance(value, dict):
        return {key: _point(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_point(one) for one in value]
    if isinstance(value, pd.Series):
        value = xr.DataArray(value.to_numpy(), dims="time", coords={"time": value.index.to_numpy()})
    return _series(value) if isinstance(value, xr.DataArray) else value


def _series(array: xr.DataArray) -> dict[str, Any]:
    values = np.ascontiguousarray(array.to_numpy(), dtype=np.float64)
    out: dict[str, Any] = {"dims": list(array.dims), "shape": list(values.shape),
                           "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
                           "attrs": {k: str(v) for k, v in array.attrs.items() if k in ("units", "interpolation", "source", "licence")}}
    if "time" not in array.dims:  # a number with a unit
        return out | {"values": values.tolist()}
    if values.size <= LONGEST_SERIES:
        time = array["time"].to_numpy()
        out |= {"time": [str(t) for t in time] if np.issubdtype(time.dtype, np.datetime64) else [float(t) for t in time],
                "values": values.tolist()}
        if "device" in array.dims:
            named = next((c for c in ("device_name", "device") if c in array.coords), None)
            out["device"] = None if named is None else [str(v) for v in array[named].values]
    return out


def _attributes(name: str) -> dict[str, Any]:
    _, units, long_name, cell_methods = VARIABLES[name]
    return {"units": units, "long_name": long_name} | ({"cell_methods": cell_methods} if cell_methods else {}) | FLAGS.get(name, {})


def _wet(assembly: Assembly) -> NDArray[np.bool_]:
    """Which positions along the coolant's path are liquid, in the result's order; the others are air, or a sink in it."""
    labels = dict.fromkeys(label for places in assembly.cooled.places for label in places.positions)
    liquid = {name for places in assembly.cooled.places for name in places.position_flow} | {"pool"}
    return np.array([label in liquid for label in labels], dtype=bool)


def _coords(scenario: Scenario, assembly: Assembly) -> dict[str, Any]:
    names, kinds, models = [], [], []
    limits: dict[str, list[float]] = {field: [] for field in LIMITS}  # where servers differ, the first one's, like its name
    for kind in assembly.site.kinds:
        for name, mount, _ in kind.server.devices:
            if name not in names:
                names.append(name)
                kinds.append(mount.device.kind)
                models.append(mount.device.title or mount.device.name)
                for field, values in limits.items():
                    limit = getattr(mount.device, field)
                    values.append(np.nan if limit is None else limit)
    times = scenario.workload["time"]
    clock = {"long_name": "time"} | ({} if scenario.start is not None else {"units": "s"})
    labels = [p for places in assembly.cooled.places for p in places.positions]
    return {
        "time": ("time", times.to_numpy(), clock),
        "server": ("server", np.arange(scenario.rack.n_server), {"long_name": "server, from the bottom of the rack up", "units": "1"}),
        "device": ("device", np.array(names), {"long_name": "name of the device in its server"}),
        "device_kind": ("device", np.array(kinds), {"long_name": "kind of device"}),
        "device_name": ("device", np.array(models), {"long_name": "model of the device"}),
        **{field: ("device", np.array(values), {"units": "degC", "long_name": LIMITS[field]})
           for field, values in limits.items()},
        "position": ("position", np.array(list(dict.fromkeys(labels))), {"long_name": "place along the coolant path"}),
        **({"height": ("height", np.array(list(assembly.cooled.fluid_heights.values())), {"units": "m", "long_name": "height above the tank's floor"})}
           if assembly.cooled.fluid_heights else {}),
        "stage": ("stage", np.array(scenario.power.stage_names), {"long_name": "stage of the power chain, utility first"}),
        "stage_heat_to": ("stage", np.array([stage.heat_to for stage in scenario.power.stages]),
                          {"long_name": "where the stage's loss becomes heat"}),
        **{dim: (dim, np.array(rows), {"long_name": f"{dim} of the state at the end"})
           for dim, rows in state_labels(assembly.network).items() if rows},
    }


def _columns(places: list[list[str]], solution: Solution, picks: list[list[int | None]]) -> Floats:
    """Recorded nodes of all kinds side by side, ``(time, server, label)``; NaN where a server has no such label. A view where
    there is one kind of server and all its labels stand side by side."""
    labels = list(dict.fromkeys(label for here in places for label in here))
    columns = [c for c in picks[0] if c is not None]
    if len(picks) == 1 and columns and columns == list(range(columns[0], columns[0] + len(labels))):
        return solution.nodes[0][:, :, columns[0]:columns[0] + len(labels)]
    n_time, n_server = solution.nodes[0].shape[0], sum(s.shape[1] for s in solution.nodes)
    out = np.full((n_time, n_server, len(labels)), np.nan)
    first = 0
    for here, pick, nodes in zip(places, picks, solution.nodes, strict=True):
        n = nodes.shape[1]
        for label, column in zip(here, pick, strict=True):
            if column is not None:
                out[:, first:first + n, labels.index(label)] = nodes[:, :, column]
        first += n
    return out


def _temperatures(assembly: Assembly, solution: Solution) -> dict[str, Any]:
    kinds, cooled = assembly.site.kinds, assembly.cooled
    for nodes in solution.nodes:
        nodes += assembly.network.reference  # in place: rise to degC, once
    names = [list(kind.server.device_names) for kind in kinds]
    places = cooled.places
    flow = [np.sum(s[:, :, p.mass_flow], axis=2) for s, p in zip(solution.signals, places, strict=True)]
    leaving = [n[:, :, p.exhaust] for n, p in zip(solution.nodes, places, strict=True)]
    mass = np.concatenate(flow, axis=1)
    wet = [p.carries_liquid or not any(q.carries_liquid for q in places) for p in places]  # air of servers without plates is no coolant
    carried = np.concatenate([f * counts for f, counts in zip(flow, wet, strict=True)], axis=1)
    mixed = np.sum(np.concatenate(leaving, axis=1) * carried, axis=1) / np.sum(carried, axis=1)
    supply = np.asarray(cooled.supply_temperature, dtype=np.float64)
    if supply.ndim == 2:  # one a server: what they draw together
        supply = np.sum(supply * mass, axis=1) / np.sum(mass, axis=1)
    supply = np.broadcast_to(supply, mass.shape[:1]).copy()
    enclosed = assembly.site.timeline.without_cooling()
    if cooled.supply_node is not None:
        supply = solution.shared[:, cooled.supply_node] + assembly.network.reference
    elif cooled.room is not None and enclosed is not None and cooled.air is None:  # servers breathe the room
        supply = np.where(enclosed != 0, solution.shared[:, cooled.room] + assembly.network.reference, supply)
    return {
        "junction_temperature": _columns(names, solution, [list(p.junction) for p in places]),
        "memory_temperature": _columns(names, solution, [p.memory for p in places]),
        "case_temperature": _columns(names, solution, [list(p.case) for p in places]),
        "coolant_temperature": _columns([p.positions for p in places], solution, [list(p.coolant) for p in places]),
        "supply_temperature": supply,
        "return_temperature": mixed,
        "mass_flow": mass,
        "fan_duty": np.concatenate([s[:, :, p.fan_duty] if p.fan_duty is not None else np.full(s.shape[:2], np.nan)
                                    for s, p in zip(solution.signals, places, strict=True)], axis=1),
        **cooled.over_time,
        **({"fluid_temperature": solution.shared[:, list(cooled.fluid_heights)] + assembly.network.reference} if cooled.fluid_heights else {}),
        **_coolant_flows(places, solution),
        **_liquids(assembly, solution),
    }


def _coolant_flows(places: list[Places], solution: Solution) -> dict[str, Floats]:
    """Liquid at each position, ``(time, server, position)``; NaN where it is air."""
    if not any(p.position_flow for p in places):
        return {}
    labels = list(dict.fromkeys(label for p in places for label in p.positions))
    out = [np.full((*s.shape[:2], len(labels)), np.nan) for s in solution.signals]
    for here, p, signals in zip(out, places, solution.signals, strict=True):
        for name, column in p.position_flow.items():
            here[:, :, labels.index(name)] = signals[:, :, column]
    return {"coolant_flow": np.concatenate(out, axis=1)}


def _of_devices(assembly: Assembly, solution: Solution, names: list[str]) -> tuple[Floats, Floats]:
    """Power and clock of all devices, ``(time, server, device)``; NaN where a server has no such device. The powers of one kind
    of server are a view."""
    kinds = assembly.site.kinds
    n_time, n_server = solution.signals[0].shape[0], sum(kind.group.n_server for kind in kinds)
    shape = n_time, n_server, len(names)
    power = solution.signals[0][:, :, kinds[0].power_columns] if len(kinds) == 1 else np.full(shape, np.nan)
    clock = np.ones(shape) if len(kinds) == 1 else np.full(shape, np.nan)
    for kind, signals in zip(kinds, solution.signals, strict=True):
        here = slice(kind.first, kind.first + kind.group.n_server)
        columns = [names.index(name) for name in kind.server.device_names]
        if len(kinds) > 1:
            power[:, here, columns] = signals[:, :, kind.power_columns]
            clock[:, here, columns] = 1.0
        clocks = signals[:, :, kind.clock_columns]
        if np.any(clocks < FULL_CLOCK):  # a mean of ones is one
            clock[:, here, [columns[i] for i in kind.clocks]] = np.where(clocks < FULL_CLOCK, clocks, 1.0)
    if (off := assembly.site.timeline.off()) is not None:
        clock[off != 0] *= 0.0  # NaN where there is no device
    return power, clock


def _work(assembly: Assembly, clock: Floats, names: list[str]) -> dict[str, Floats]:
    """The work asked for, and what clocks below full left undone of it, weighted by utilisation."""
    n_time = clock.shape[0]
    asked, undone, slowest, n = np.zeros(n_time), np.zeros(n_time), np.ones(n_time), 0
    throttled = np.fmin.reduce(clock, axis=None) < 1.0
    for kind, power in zip(assembly.site.kinds, assembly.asked, strict=True):
        for i in kind.server.accelerators:
            name, mount, _ = kind.server.devices[i]
            c, d = clock[:, kind.first:kind.first + kind.group.n_server, names.index(name)], mount.device
            u = np.clip((power.devices[i] / mount.multiplicity - d.idle_power) / (d.max_power - d.idle_power), 0.0, 1.0)
            u = np.broadcast_to(u[:, None] if u.ndim == 1 else u, (n_time, u.shape[1] if u.ndim == 2 else 1))
            if power.linear:
                u = np.append(0.5 * (u[:-1] + u[1:]), u[-1:], axis=0)
            n += c.shape[1]
            asked += u.mean(axis=1) * c.shape[1]
            if throttled:
                undone += (u * (1.0 - c)).sum(axis=1)
                slowest = np.minimum(slowest, np.where(u > 0, c, 1.0).min(axis=1))
    return {"work_asked": asked / n, "work_lost": np.divide(undone, asked, out=np.zeros(n_time), where=asked > 0),
            "work_lost_in_step": 1.0 - slowest}


def _powers(scenario: Scenario, assembly: Assembly, solution: Solution) -> dict[str, Any]:
    kinds, places = assembly.site.kinds, assembly.cooled.places
    seconds = scenario.seconds
    n_time = seconds.size
    names = _device_names(assembly)
    device, clock = _of_devices(assembly, solution, names)
    it, conversion = np.zeros(n_time), np.zeros(n_time)
    lit = 1.0 if (off := assembly.site.timeline.off()) is None else np.where(off != 0, 0.0, 1.0)
    for kind, signals in zip(kinds, solution.signals, strict=True):
        parts = signals[:, :, kind.power_columns].sum(axis=(1, 2))
        loss = kind.group.n_server * kind.server.conversion_loss * lit + kind.server.conversion_slope * parts
        conversion += loss
        it += parts + loss

    def summed(which: str) -> Floats:
        total = np.zeros(n_time)
        for s, p in zip(solution.signals, places, strict=True):
            for column in getattr(p, which):
                total += s[:, :, column].sum(axis=1)
        return total

    fan, pump = summed("fan_power"), summed("pump_power")
    span = np.diff(seconds)
    load = it + fan + pump
    known: dict[str, Floats] = {}  # losses of the chain's stages in the servers, which are part of the network's heat
    for kind, signals in zip(kinds, solution.signals, strict=True):
        for name, loss in zip(kind.losses, np.moveaxis(signals[:, :, kind.loss_columns].sum(axis=1), 1, 0), strict=True):
            known[name] = known.get(name, 0.0) + loss
    inside = sum(known.values(), np.zeros(n_time))
    # Interval means; at the last sample, behind which there is no interval, what holds at that instant.
    out = np.append(solution.energy_out[:-1] / span, solution.leaving)
    storing = np.append(np.diff(solution.stored) / span, solution.storing)
    residual = load + inside - out - storing
    metered = sum(_in_liquid(assembly, solution, seconds), np.zeros(n_time))
    air = out - metered if assembly.cooled.heat_in_air else _heat_to_air(assembly, solution, span)
    liquid = out - air
    # What the rack's own supplies lose leaves with the rack's heat; what the electrical room takes up costs cooling there.
    chain, faults = scenario.power, scenario.faults
    removed, warm = air, liquid
    if any(s.heat_to in ("server-air", "rack-liquid") for s in chain.stages):
        shelf = chain.over_time(load, seconds, faults=faults, known=known, stores=scenario.stores)
        removed = air + shelf.heat("server-air") - inside
        if assembly.cooled.heat_in_air and not any(p.liquid for p in places):  # no liquid to take it
            removed = removed + shelf.heat("rack-liquid")
        else:
            warm = liquid + shelf.heat("rack-liquid")
    left: dict[str, Floats] = {}
    if assembly.cooled.plant_capacity is not None:
        removed, waiting = _worked_off(removed, seconds, assembly.cooled.plant_capacity, assembly.site.timeline.without_cooling(),
                                       scenario.waiting_heat)
        left["final_waiting_heat"] = np.asarray(waiting)
    design = scenario.cooling
    plant = design.heat_rejection_power(removed, warm) if np.any(warm) else design.heat_rejection_power(removed)
    supply = chain.over_time(load, seconds, plant=plant, faults=faults, known=known,
                             stores=scenario.stores)
    drawn_in = supply.utility_power + supply.battery_power
    if supply.generator_power is not None:
        drawn_in = drawn_in + supply.generator_power
    if supply.load_lost_at is not None:
        assembly.lost.append(scenario.dark or (supply.load_lost_at, supply.why))
    assembly.site.warnings.extend(supply.warnings)
    return {
        "device_power": device,
        "clock_fraction": clock, **_work(assembly, clock, names),
        "it_power": it, "conversion_loss": conversion, "fan_power": fan, "pump_power": pump,
        "heat_rejection_power": supply.plant + supply.room_cooling_power, "stage_loss": supply.stage_loss,
        "utility_power": supply.utility_power, "heat_to_air": air,
        "heat_to_liquid": liquid, "stored_energy": solution.stored, "energy_residual": residual,
        "pue": _over(drawn_in, it), "pue_mean": float(_over(np.array(drawn_in[:-1] @ span), np.array(it[:-1] @ span))),
        **_from_stores(supply, seconds, chain.stage_names), **left,
    }


def _heat_to_air(assembly: Assembly, solution: Solution, span: Floats) -> Floats:
    """Heat that leaves in air [W], where a network has an air part and a liquid part that do not touch: what goes into the air
    part less what is stored in it."""
    network, part = assembly.network, assembly.cooled.air
    out = np.zeros(span.size + 1)
    if part is None:
        return out
    held = np.zeros(span.size + 1)
    for g, signals, nodes, rates, heat, own, columns in zip(network.groups, solution.signals, solution.nodes, solution.rates, part.heat,
                                                            part.nodes, part.columns, strict=True):
        out += signals[:, :, heat].sum(axis=1)
        for node, column in zip(own, columns, strict=True):
            held += nodes[:, :, column] @ g.capacity[node]
            out[-1] -= rates[node] @ g.capacity[node]
    for j in part.shared:
        held += solution.shared[:, j] * network.shared_capacity[j]
        out[-1] -= solution.shared_rates[j] * network.shared_capacity[j]
    out[:-1] -= np.diff(held) / span
    return out


def _in_liquid(assembly: Assembly, solution: Solution, seconds: Floats) -> list[Floats]:
    """Heat that each metered stream of liquid carries away in each interval [W], of all servers of a kind."""
    reference = assembly.network.reference
    return [meter.heat(nodes - reference, signals, seconds).sum(axis=1)
            for p, nodes, signals in zip(assembly.cooled.places, solution.nodes, solution.signals, strict=True)
            for meter in p.liquid]


def _liquids(assembly: Assembly, solution: Solution) -> dict[str, Floats]:
    """Flow and temperatures of the metered liquid, where the design has it beside the air."""
    if not any(m.flow is not None for p in assembly.cooled.places for m in p.liquid):
        return {}
    flow, supply, back = [], [], []
    for p, nodes, signals in zip(assembly.cooled.places, solution.nodes, solution.signals, strict=True):
        own = np.sum([signals[:, :, m.flow] for m in p.liquid], axis=0)
        rate = [signals[:, :, m.rate] for m in p.liquid]
        flow.append(own)
        supply.append((np.sum([signals[:, :, m.enters] for m in p.liquid], axis=(0, 2)), np.sum(rate, axis=(0, 2))))
        back.append(np.sum([w * (nodes[:, :, m.outlet] - assembly.network.reference)
                            for w, m in zip(rate, p.liquid, strict=True)], axis=(0, 2)))
    whole = np.sum([w for _, w in supply], axis=0)
    return {"liquid_flow": np.concatenate(flow, axis=1),
            "liquid_supply_temperature": np.sum([q for q, _ in supply], axis=0) / whole + assembly.network.reference,
            "liquid_return_temperature": np.sum(back, axis=0) / whole + assembly.network.reference}


def _from_stores(supply: Supply, seconds: Floats, stages: tuple[str, ...]) -> dict[str, Floats]:
    """How fast the utility's power changes; what generator and stores give, where the chain has them."""
    ramp = np.zeros(seconds.size)
    ramp[1:] = np.diff(supply.utility_power) / np.diff(seconds)
    if seconds.size > 1:  # the closing sample has no duration: it steps with the one before
        ramp[-1] = 0.0
    out = {"utility_ramp_rate": ramp}
    if supply.generator_power is not None:
        out["generator_power"] = supply.generator_power
    if supply.battery_charge is not None:
        out["battery_charge"] = supply.battery_charge
    if supply.battery_charge is not None or np.any(supply.battery_power):
        out["battery_power"] = supply.battery_power
    if supply.stores:
        for name, what in (("final_store_charge", "charge"), ("final_store_debt", "debt")):
            out[name] = np.array([getattr(supply.stores[s], what) if s in supply.stores else np.nan for s in stages])
    return out


def _worked_off(heat: Floats, seconds: Floats, capacity: float, stands: Floats | None, waiting: float) -> tuple[Floats, float]:
    """Heat that a plant of that capacity removes in each interval [W]: what comes faster, or while it stands, waits.

    And what waits at the end, if at the begin so much did [J]."""
    if stands is None and waiting <= 0.0 and np.max(heat) <= capacity:
        return heat, 0.0
    out = heat.copy()
    for k, span in enumerate(np.append(np.diff(seconds), np.inf)):
        most = 0.0 if stands is not None and stands[k] else capacity
        out[k] = min(most, heat[k] + waiting / span) if np.isfinite(span) else min(most, heat[k] if waiting <= 0.0 else most)
        if np.isfinite(span):
            waiting = max(waiting + (heat[k] - out[k]) * span, 0.0) if out[k] >= most else 0.0  # below its most it has worked off all
    return out, float(waiting)


def _over(utility: Floats, it: Floats) -> Floats:
    """Utility power over IT power; infinite where there is no IT power."""
    return np.divide(utility, it, out=np.full(np.shape(it), np.inf), where=it > 0)


def state_labels(network: Network) -> dict[str, list[str]]:
    """Labels of the state's rows: each node, and each controller with its kind.

    Where there are several kinds of server, rows of all kinds one after the other, each with its kind's number."""
    several = len(network.groups) > 1
    out: dict[str, list[str]] = {"node": [], "controller": [], "shared_node": list(network.shared_names)}
    for k, g in enumerate(network.groups):
        before = f"{k}/" if several else ""
        out["node"] += [f"{before}{i}: {name}" for i, name in enumerate(g.names)]
        out["controller"] += [f"{before}{i}: {('PI', 'curve', 'firmware')[c.kind]}" for i, c in enumerate(g.controls)]
    return out


def _state(state: dict[str, Any]) -> dict[str, Any]:
    """The state at the end, (row, server), rows as in `state_labels`; NaN where a server is not of the row's kind."""
    servers = [T.shape[1] for T in state["temperature"]]

    def rectangle(parts: list[Floats]) -> Floats:
        if len(parts) == 1:
            return parts[0]
        out = np.full((sum(p.shape[0] for p in parts), sum(servers)), np.nan)
        row = column = 0
        for part, n in zip(parts, servers, strict=True):
            out[row:row + part.shape[0], column:column + n] = part
            row, column = row + part.shape[0], column + n
        return out

    return {"final_node_temperature": rectangle(state["temperature"]),
            "final_control_output": rectangle(state["control"]),
            "final_control_integral": rectangle(state["integral"]), "final_shared_temperature": state["shared"]}

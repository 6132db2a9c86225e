"""Simulate a rack. `simulate_rack` is the table of contents: six stops, each of which can be called alone."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from thermo import workload as _workload
from thermo.ambient import Ambient, over_time
from thermo.cooling.site import Cooled, CoolingDesign, Kind, Site
from thermo.errors import ScenarioError, shown
from thermo.network import Network
from thermo.output import dataset
from thermo.power import PowerChain
from thermo.rack import Rack, Server
from thermo.solve import SOLVERS, Solution, integrate, steady_start

__all__ = ["Assembly", "Scenario", "assemble", "checked", "device_power", "simulate_rack", "solved"]

Floats = NDArray[np.float64]
LARGEST_OUTPUT = 64e9  # bytes: more than this is refused before anything is allocated


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


@dataclass(frozen=True)
class DevicePower:
    """Electrical power of the devices of one kind of server, ``(time, server, device)`` where it varies along a dim."""

    devices: list[Floats]  # one a device: scalar, (time,) or (time, server) [W]
    conversion: Floats | None  # loss of supplies and regulators, likewise
    linear: bool


@dataclass(frozen=True)
class Assembly:
    """The network of a scenario, and where the output finds things in it."""

    network: Network
    site: Site
    cooled: Cooled
    power: list[DevicePower]


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
        Power of each device [W] or utilisation [1], as `thermo.workload.as_workload` takes it. Dims ``time`` and
        perhaps ``server`` and ``device``; what has no such dim applies to all. Devices are the accelerators (the CPUs, where
        a server has none), by name or in order.
    cooling : design or str, optional
        How it is cooled; default the rack's own.
    power : PowerChain or str, optional
        How it is fed; default the rack's own. Stages without a rating are sized for the rack (`PowerChain.for_rack`).
    ambient : Ambient or mapping, optional
        Room and facility supply; default 25 degC at sea level.
    time_step : float, optional
        Resample the workload to this step, keeping its energy [s].
    events : sequence
        Things that happen; none are known yet.
    initial : "steady", float or Dataset
        Steady state of the first sample, one temperature for all [degC], or a result to go on from.
    solver : str
        ``"auto"``, ``"propagator"``, ``"tr-bdf2"``, or a SciPy method ``"BDF"``, ``"Radau"``, ``"LSODA"``.
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
    ConvergenceError
        If no solution was found.

    Examples
    --------
    >>> import thermo
    >>> result = thermo.simulate_rack("dgx-h100", 0.9, ambient={"air_temperature": 22.0})
    >>> bool(abs(result.energy_residual).max() <= 1e-9 * result.it_power.min())
    True
    """
    scenario = checked(rack, workload, cooling=cooling, power=power, ambient=ambient, time_step=time_step, events=events,
                       initial=initial, solver=solver, tolerance=tolerance)
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
    from thermo.errors import nearest, require_between

    if isinstance(rack, str):
        rack = Rack.from_library(rack)
    if not isinstance(rack, Rack):
        raise ScenarioError(f"rack is {shown(rack)}, expected a Rack or the name of one: {', '.join(library.names('racks'))}")
    design = rack.cooling if cooling is None else cooling
    if isinstance(design, str):
        design = library.load("cooling", design)
    if not (hasattr(design, "add_to") and hasattr(design, "heat_rejection_power")):
        raise ScenarioError(f"cooling is {shown(cooling)}, expected a cooling design or the name of one: "
                            f"{', '.join(library.names('cooling'))}")
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
        ambient = Ambient.from_mapping(ambient, "ambient")
    if not isinstance(ambient, Ambient):
        raise ScenarioError(f"ambient is {shown(ambient)}, expected an Ambient or a mapping of its fields")
    if len(events):
        raise ScenarioError(f"events: {shown(events[0])} is not an event that this version knows; leave events empty")
    if solver not in SOLVERS:
        raise ScenarioError(f"solver is {shown(solver)}{nearest(str(solver), SOLVERS)}")
    tolerance = require_between("tolerance", tolerance, 1e-9, 10.0, "K")
    load = _workload.as_workload(workload)
    if time_step is not None:
        load = _workload.resample(load, time_step)
    _check_dims(rack, load)
    _check_size(rack, load)
    seconds, start = _clock(load, initial)
    if not isinstance(initial, xr.Dataset) and initial != "steady":
        initial = require_between("initial", initial, -50.0, 150.0, "degC", "or 'steady', or a result to go on from")
    return Scenario(rack, load, design, chain, ambient, initial, solver, tolerance, seconds, start)


def _check_dims(rack: Rack, load: xr.DataArray) -> None:
    if "server" in load.dims and load.sizes["server"] not in (1, rack.n_server):
        raise ScenarioError(f"workload has {load.sizes['server']} servers, rack {rack.name!r} has {rack.n_server}; leave out "
                            "the dim 'server' to load all alike")
    if "device" in load.dims:
        for slot in rack.slots:
            _device_columns(slot.server, load)


def _device_columns(server: Server, load: xr.DataArray) -> list[int]:
    """For each accelerator of `server` its column of the workload: by name where the names match, else in order."""
    names = [server.device_names[i] for i in server.accelerators]
    if "device" not in load.dims:
        return [0] * len(names)
    n = load.sizes["device"]
    named = next((c for c in ("device_name", "device") if c in load.coords), None)
    labels = [] if named is None else [str(v) for v in load[named].values]
    if labels and all(name in labels for name in names):
        return [labels.index(name) for name in names]
    if n == len(names):
        return list(range(n))
    if n == 1:
        return [0] * len(names)
    raise ScenarioError(f"workload has {n} devices ({', '.join(labels[:4])}{'...' if n > 4 else ''}), server {server.name!r} "
                        f"has {len(names)} that it could drive ({names[0]} to {names[-1]}); select or average them")


def _check_size(rack: Rack, load: xr.DataArray) -> None:
    from thermo.errors import LimitError

    slots = sum(slot.count * (4 * len(slot.server.devices) + 4) for slot in rack.slots)
    size = 8.0 * load.sizes["time"] * slots
    if size > LARGEST_OUTPUT:
        raise LimitError(f"the result of {load.sizes['time']} samples and {rack.n_server} servers would take {size / 1e9:.0f} GB, "
                         f"the limit is {LARGEST_OUTPUT / 1e9:.0f} GB; use a larger time_step or fewer servers")


def _clock(load: xr.DataArray, initial: Any) -> tuple[Floats, np.datetime64 | None]:
    """Seconds of the samples. Dates count from the first sample, or from where the result to go on from began."""
    times = load["time"].to_numpy()
    if not np.issubdtype(times.dtype, np.datetime64):
        return np.asarray(times, dtype=np.float64), None
    start = times[0]
    if isinstance(initial, xr.Dataset) and "time_origin" in initial.attrs:
        start = np.datetime64(initial.attrs["time_origin"])
    return (times - start) / np.timedelta64(1, "ns") * 1e-9, start


# ------------------------------------------------------------------------------------------------------ 2 device power

def device_power(scenario: Scenario) -> list[DevicePower]:
    """Electrical power of every device over time, for each kind of server.

    A workload in watts is taken as it is. A utilisation `u` gives ``idle + u (max - idle)``. Parts that the workload
    does not drive take their `load` plus `follows` times the mean utilisation of the server's accelerators.
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
    conversion = None
    if server.conversion_loss or server.conversion_slope:
        wide = [w[:, None] if w.ndim == 1 and any(o.ndim == 2 for o in ordered) else w for w in ordered]
        conversion = np.asarray(server.conversion_loss + server.conversion_slope * sum(wide[1:], wide[0]))
    return DevicePower(ordered, conversion, load.attrs.get("interpolation") == "linear")


# --------------------------------------------------------------------------------------------------------- 3 assembly

def assemble(scenario: Scenario, watts: list[DevicePower]) -> Assembly:
    """The network of the scenario: servers and their power, then the cooling design adds itself."""
    if isinstance(scenario.initial, xr.Dataset) and "reference_temperature" in scenario.initial.attrs:
        reference = float(scenario.initial.attrs["reference_temperature"])
    else:
        reference = float(np.ravel(_over_time(scenario)(scenario.ambient.air_temperature, name="ambient.air_temperature",
                                                        low=-20.0, high=60.0, unit="degC", hint="is it in kelvin?"))[0])
    network = Network(scenario.seconds, reference=reference)
    kinds, first = [], 0
    for slot, power in zip(scenario.rack.slots, watts, strict=True):
        group = network.group(slot.count)
        signals = [group.series(p, linear=power.linear) for p in power.devices]
        conversion = None if power.conversion is None else group.series(power.conversion, linear=power.linear)
        kinds.append(Kind(slot.server, group, first, signals, conversion))
        first += slot.count
    site = Site(kinds, scenario.ambient, _over_time(scenario))
    _warn_of_peaks(scenario, watts, site)
    site.warnings += scenario.power.doubts(scenario.rack)
    return Assembly(network, site, scenario.cooling.add_to(network, site), watts)


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
             "shared": engine.border_temperature()}
    return solution, state


def _start(scenario: Scenario, network: Network, engine: Any) -> None:
    if isinstance(scenario.initial, xr.Dataset):
        _go_on(scenario.initial, network, engine)
        return
    steady_start(network, engine)
    if scenario.initial == "steady":
        return
    rise = float(scenario.initial) - network.reference
    for g in network.groups:
        engine.set_temperature(g.number, np.full((len(g.names), g.n_server), rise))
        engine.set_control(g.number, np.array([[c.low] * g.n_server for c in g.controls]).reshape(-1, g.n_server))
    engine.set_border_temperature(np.full(len(network.shared_names), rise))


def _go_on(earlier: xr.Dataset, network: Network, engine: Any) -> None:
    names = [f"{i}: {name}" for i, name in enumerate(network.groups[0].names)]
    if "final_node_temperature" not in earlier or list(earlier["node"].values) != names:
        raise ScenarioError("initial: that Dataset is not a result of this rack under this cooling; its final state has other "
                            "nodes. Use 'steady' or a temperature")
    first = 0
    for g in network.groups:
        here = slice(first, first + g.n_server)

        def of(variable: str, here: slice = here) -> Floats:
            return np.ascontiguousarray(earlier[variable].values[:, here])

        engine.set_temperature(g.number, of("final_node_temperature"))
        if g.controls:
            engine.set_control(g.number, of("final_control_output"))
            engine.set_integral(g.number, of("final_control_integral"))
        first += g.n_server
    engine.set_border_temperature(np.ascontiguousarray(earlier["final_shared_temperature"].values))

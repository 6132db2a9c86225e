"""Fit a rack's description to telemetry.

A parameter is a number of the server's description, named by its path: ``fans.system_flow``, ``conversion_loss``,
``mounts.gpu.sink.flow_resistance``, ``mounts.gpu.spread[3]``. A mount is named by what its devices' names share
(``gpu`` for ``gpu0`` to ``gpu7``). ``ambient.air_temperature`` is the inlet [degC], for telemetry that does not have
it; ``sensor_offset[3]`` is what the sensor of the fourth device reads too much [K]. `GROUPS` gives the usual sets short
names. Parameters are fitted as the logarithm of their ratio to where they start, so none changes sign and all are of
one size.
"""
from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from thermo.cooling import Air
from thermo.errors import ConvergenceError, ScenarioError, TraceError, ValidityWarning, nearest, shown
from thermo.rack import Described, Mount, Rack, Server
from thermo.simulate import simulate_rack

__all__ = ["GROUPS", "Calibration", "calibrate", "predict"]

Floats = NDArray[np.float64]
SENSOR_RESOLUTION = 0.5  # K, weight of a temperature sample: sensors report whole degrees
POWER_RESOLUTION = 0.01  # of the mean, weight of a sample of server power
INDEPENDENT = 1 / 20  # of the samples: those seconds apart repeat each other
WIDEST = 4.0  # a parameter may move this many times up or down
PRIOR = 0.3  # natural logarithm: how far off a number of the library may well be; keeps what the data does not tell
PRIOR_EXPONENT = 0.05  # the same for exponents of the fan law: 2.5 to 3 is all that is ever seen
PRIOR_OFFSET = 3.0  # K, what on-die sensors are off by
INLET = "ambient.air_temperature"
OFFSET = "sensor_offset"
GAP = 5.0  # a step longer than this many median steps is a hole: what follows starts from its own steady state
FEWEST = 10  # samples: fewer say less than there are parameters in any of the groups
HOTTEST = 150.0  # degC, of a median: no part of silicon lives there, a kelvin reading does
TEMPERATURES = ("junction_temperature", "device_temperature", "gpu_temperature")

GROUPS: dict[str, tuple[str, ...]] = {
    "resistances": ("mounts.*.spread", "mounts.*.sink.*resistance"),
    "capacities": ("mounts.*.device.case_capacity", "mounts.*.sink.capacity"),
    "preheat": ("fans.system_flow", "mounts.*.bypass"),
    "fan law": ("fans.rated_power", "fans.power_exponent"),
    "base power": ("conversion_loss", "conversion_slope"),
    "sensors": (OFFSET,),
}


@dataclass(frozen=True)
class Calibration:
    """A rack fitted to telemetry.

    Attributes
    ----------
    rack : Rack
        The calibrated rack.
    parameters : DataFrame
        One row a parameter: ``value``, ``standard_error``, ``start``, ``at_bound``.
    residuals : Dataset
        Model minus measurement: ``temperature`` (time, device) [K] and, where measured, ``server_power`` (time) [W].
    rmse : float
        Of all temperatures [K].
    """

    rack: Rack
    parameters: pd.DataFrame
    residuals: xr.Dataset
    rmse: float
    cooling: Any = None
    ambient: Mapping[str, Any] | None = None
    sensor_offset: Floats | None = None

    def predict(self, telemetry: xr.Dataset) -> xr.Dataset:
        """What the calibrated rack, with its sensors, would have shown under other telemetry, see `predict`."""
        shown = predict(self.rack, telemetry, cooling=self.cooling, ambient=self.ambient)
        return shown if self.sensor_offset is None else shown.assign(temperature=shown["temperature"] + self.sensor_offset)


def calibrate(rack: Rack | str, telemetry: xr.Dataset, parameters: Sequence[str] | Mapping[str, tuple[float, float]], *,
              cooling: Any = None, ambient: Mapping[str, Any] | None = None, initial: Any = "steady") -> Calibration:
    """Fits named parameters of a rack's server to measured power and temperature.

    Parameters
    ----------
    rack : Rack or str
        A rack with one kind of server; it is simulated with one server.
    telemetry : Dataset
        ``device_power`` (time, device) [W] and a temperature of the same devices (``junction_temperature`` or
        ``device_temperature``) [degC]. Where there, ``fan_speed`` (time) [rpm], ``inlet_temperature`` (time) [degC] and
        ``server_power`` (time) [W] are used too. Missing samples (NaN) of temperature and server power are skipped.
    parameters : sequence of str, or mapping of str to (low, high)
        Paths or names in `GROUPS`; a mapping bounds each.
    cooling, ambient, initial
        As for `simulate_rack`; a measured fan speed or inlet takes the place of the design's or the ambient's.

    Returns
    -------
    calibration : Calibration

    Raises
    ------
    ScenarioError, TraceError
        If a parameter does not exist or the telemetry lacks what is needed.
    ConvergenceError
        If the fit fails.

    Notes
    -----
    `scipy.optimize.least_squares` (trust region, finite differences) on temperatures, server power, and a weak pull of each
    parameter to where it starts (a factor of 1.35 costs as much as one standard deviation), so that what the telemetry
    does not tell stays as the library has it. One sample in twenty counts as independent; standard errors are from the
    Jacobian at the solution on that footing, the pull included.
    """
    from scipy.optimize import least_squares

    rack = (Rack.from_library(rack) if isinstance(rack, str) else rack).with_servers(1)
    server = rack.slots[0].server
    wanted = _wanted(parameters)
    measured = _measured_temperature(telemetry, server)
    power = _measured_power(telemetry)
    named = [(p, pair) for name, pair in wanted for p in _paths(server, name)]
    paths, bounds = [p for p, _ in named], {p: pair for p, pair in named if pair is not None}
    if not paths:
        raise ScenarioError("parameters: name at least one")
    if len(set(paths)) != len(paths):
        raise ScenarioError(f"parameters: {next(p for p in paths if paths.count(p) > 1)!r} is named twice")
    around = dict(ambient or {})
    additive = np.array([p.startswith(OFFSET) for p in paths])
    start = np.array([float(around.get("air_temperature", 25.0)) if p == INLET else 1.0 if p.startswith(OFFSET)
                      else _value(server, p) for p in paths])
    if np.any(start <= 0):
        raise ScenarioError(f"parameters: {paths[int(np.argmin(start))]!r} starts at {np.min(start):g}; a parameter "
                            "must start "
                            "above 0: set it in the rack first")
    low, high = np.log([[1 / WIDEST, WIDEST]] * len(paths)).T
    for i, path in enumerate(paths):
        if path in bounds:
            least, begin = bounds[path][0], 0.0 if additive[i] else start[i]
            if not least <= begin <= bounds[path][1]:
                raise ScenarioError(f"parameters: {path!r} starts at {begin:g}, outside its bounds {bounds[path]}")
            if not additive[i] and least <= 0:
                raise ScenarioError(f"parameters: {path!r} has the bounds {bounds[path]}; they must be above 0")
            pair = np.array(bounds[path])
            low[i], high[i] = pair / PRIOR_OFFSET if additive[i] else np.log(pair / begin)
        elif additive[i]:  # in units of its prior
            low[i], high[i] = -10.0, 10.0
        elif path.rsplit(".", 1)[-1] in ("bypass", "load", "follows", "conversion_slope"):
            high[i] = min(high[i], np.log(0.95 / start[i]))
        elif path == INLET:
            low[i], high[i] = np.log(5.0 / start[i]), np.log(55.0 / start[i])
        elif path == "fans.power_exponent":
            low[i], high[i] = np.log(1.6 / start[i]), np.log(3.4 / start[i])

    def values(x: Floats) -> Floats:
        return np.where(additive, PRIOR_OFFSET * x, start * np.exp(np.where(additive, 0.0, x)))

    def offsets(x: Floats) -> Floats:
        out = np.zeros(measured.shape[1])
        for path, value in zip(paths, values(x), strict=True):
            if path.startswith(OFFSET):
                out[int(path[len(OFFSET) + 1:-1])] = value
        return out

    def changed(x: Floats) -> tuple[Rack, dict[str, Any]]:
        new, outside = server, dict(around)
        for path, value in zip(paths, values(x), strict=True):
            if path.startswith(OFFSET):
                continue
            if path == INLET:
                outside["air_temperature"] = float(value)
            else:
                new = _with(new, path.split("."), float(value))
        return rack.map_servers(lambda _: new), outside

    pull = np.array([1.0 if a else PRIOR_EXPONENT if p.endswith("exponent") else PRIOR
                     for a, p in zip(additive, paths, strict=True)])
    has_power = power.size > 0
    counted = np.isfinite(np.concatenate([measured.ravel(), power]))

    def residual(x: Floats) -> Floats:
        try:
            trial, outside = changed(x)
            with warnings.catch_warnings():  # of trials; those of the answer are given below
                warnings.simplefilter("ignore", ValidityWarning)
                result = predict(trial, telemetry, cooling=cooling, ambient=outside, initial=initial)
        except ScenarioError:  # no such server can be: the search turns back
            return np.full(int(counted.sum()) + len(paths), 1e3)
        parts = [((result["temperature"].values + offsets(x) - measured) / SENSOR_RESOLUTION).ravel()]
        if has_power:
            # one sample of power weighs as much as one of all temperatures
            parts.append((result["server_power"].values - power) / (POWER_RESOLUTION * np.nanmean(power))
                         * np.sqrt(measured.shape[1]))
        return np.append(np.concatenate(parts)[counted] * np.sqrt(INDEPENDENT), x / pull)

    fit = least_squares(residual, np.zeros(len(paths)), bounds=(low - 1e-12, high + 1e-12), method="trf", x_scale=0.1,
                        diff_step=1e-4, xtol=1e-4, ftol=1e-4, max_nfev=40)
    if fit.status < 0:
        raise ConvergenceError(f"calibration: {fit.message}")
    found, outside = changed(fit.x)
    free = max(float(counted.sum()) * INDEPENDENT - len(paths), 1.0)
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * max(2 * fit.cost / free, 1.0)
    value = values(fit.x)
    per_x = np.where(additive, PRIOR_OFFSET, value)
    table = pd.DataFrame({"value": value, "standard_error": per_x * np.sqrt(np.diag(covariance)),
                          "start": np.where(additive, 0.0, start), "at_bound": fit.active_mask != 0}, index=pd.Index(paths, name="parameter"))
    final = predict(found, telemetry, cooling=cooling, ambient=outside, initial=initial)
    residuals: dict[str, Any] = {"temperature": (("time", "device"), final["temperature"].values + offsets(fit.x) - measured,
                                                  {"units": "K"})}
    if has_power:
        residuals["server_power"] = (("time",), final["server_power"].values - power, {"units": "W"})
    rmse = float(np.sqrt(np.nanmean(residuals["temperature"][1] ** 2)))
    return Calibration(found, table, xr.Dataset(residuals, coords={"time": telemetry["time"]}), rmse,
                       cooling, outside, offsets(fit.x) if additive.any() else None)


def predict(rack: Rack, telemetry: xr.Dataset, *, cooling: Any = None, ambient: Mapping[str, Any] | None = None,
            initial: Any = "steady") -> xr.Dataset:
    """What the rack would have shown under the telemetry's power, fan speed and inlet: ``temperature``, ``server_power``.

    Of the telemetry only ``device_power``, ``fan_speed`` and ``inlet_temperature`` are read. After a hole in the samples the
    rack starts from the steady state of the first sample behind it.
    """
    rack = rack.with_servers(1)
    times = np.asarray(telemetry["time"].values)
    steps = np.diff(times)
    holes = (np.flatnonzero(steps > GAP * np.median(steps)) + 1).tolist() if steps.size else []
    edges = [0, *holes, times.size]
    pieces = []
    for first, last in zip(edges, edges[1:], strict=False):
        piece = telemetry.isel(time=slice(first, last))
        if last - first == 1:  # one sample between two holes: its own steady state
            again = piece.assign_coords(time=piece["time"] + (1.0 if steps.dtype.kind == "f" else np.timedelta64(1, "s")))
            pieces.append(_predicted(rack, xr.concat([piece, again], "time"), cooling, ambient, "steady").isel(time=[0]))
        else:
            pieces.append(_predicted(rack, piece, cooling, ambient, initial if first == 0 else "steady"))
    return xr.concat(pieces, "time") if len(pieces) > 1 else pieces[0]


def _predicted(rack: Rack, telemetry: xr.Dataset, cooling: Any, ambient: Mapping[str, Any] | None, initial: Any) -> xr.Dataset:
    around: dict[str, Any] = dict(ambient or {})
    if "inlet_temperature" in telemetry:
        around["air_temperature"] = telemetry["inlet_temperature"].drop_attrs()
    design = cooling
    if "fan_speed" in telemetry:
        speed = telemetry["fan_speed"].assign_attrs(units="rpm", interpolation="constant")
        design = (cooling if isinstance(cooling, Air) else Air()).replace(fan_speed=speed)
    result = simulate_rack(_as_measured(rack), telemetry["device_power"], cooling=design, ambient=around, initial=initial)
    driven = [rack.slots[0].server.device_names[i] for i in rack.slots[0].server.accelerators]
    return xr.Dataset({"temperature": result["junction_temperature"].isel(server=0).sel(device=driven),
                       "server_power": result["it_power"] + result["fan_power"]})


def _as_measured(rack: Rack) -> Rack:
    """The rack without firmware: a measured power holds already what firmware did, however hot a trial's parameters make it."""
    return rack.map_servers(lambda server: server.replace(mounts=tuple(
        m.replace(device=m.device.replace(firmware=None, power_cap=None)) for m in server.mounts)))


def _wanted(parameters: Any) -> list[tuple[str, tuple[float, float] | None]]:
    """Names with their bounds, if these are what they should be."""
    example = "such as ['resistances'] or {'conversion_loss': (100.0, 400.0)}"
    if isinstance(parameters, str) or not isinstance(parameters, Mapping | Sequence):
        raise ScenarioError(f"parameters is {shown(parameters)}, expected a list of names, or a mapping of names to "
                            f"(low, high), {example}")
    if odd := [name for name in parameters if not isinstance(name, str)]:
        raise ScenarioError(f"parameters: {shown(odd[0])} is not the name of a parameter; give texts, {example}")
    if not isinstance(parameters, Mapping):
        return [(name, None) for name in parameters]
    out: list[tuple[str, tuple[float, float] | None]] = []
    for name, pair in parameters.items():
        number = isinstance(pair, tuple | list | np.ndarray) and len(pair) == 2 and all(
            isinstance(v, int | float | np.integer | np.floating) and not isinstance(v, bool) for v in pair)
        if not number or not -np.inf < pair[0] < pair[1] < np.inf:
            raise ScenarioError(f"parameters: {name!r} has the bounds {shown(pair)}, expected two numbers (low, "
                                "high), low below "
                                "high; give a list of names for the usual bounds")
        out.append((name, (float(pair[0]), float(pair[1]))))
    return out


def _numbers(array: xr.DataArray, name: str, *dims: str) -> Floats:
    if set(array.dims) != set(dims):
        raise TraceError(f"telemetry: {name} has dims {array.dims}, expected {dims}")
    if array.dtype.kind not in "fiu":
        raise TraceError(f"telemetry: {name} holds {array.dtype}, expected real numbers")
    return np.asarray(array.transpose(*dims).values, dtype=np.float64)


def _measured_temperature(telemetry: Any, server: Server) -> Floats:
    if not isinstance(telemetry, xr.Dataset):
        raise TraceError(f"telemetry is a {type(telemetry).__name__}, expected a Dataset with device_power (time, "
                         "device) [W] and "
                         f"a temperature, one of {', '.join(TEMPERATURES)}")
    if "device_power" not in telemetry:
        raise TraceError("telemetry has no device_power (time, device) [W]")
    name = next((n for n in TEMPERATURES if n in telemetry), None)
    if name is None:
        raise TraceError(f"telemetry has no temperature; call it one of {', '.join(TEMPERATURES)}")
    values = _numbers(telemetry[name], name, "time", "device")
    if values.shape[1] != len(server.accelerators):
        raise TraceError(f"telemetry has {values.shape[1]} temperatures, {server.name!r} has "
                         f"{len(server.accelerators)} devices "
                         "that the workload drives")
    if len(values) < FEWEST:
        raise TraceError(f"telemetry has {len(values)} samples, expected {FEWEST} or more; take a longer session")
    if not np.isfinite(values).any():
        raise TraceError(f"telemetry: {name} has no sample that is a number; leave the run out, or name another "
                         "temperature one "
                         f"of {', '.join(TEMPERATURES)}")
    if (middle := float(np.median(values[np.isfinite(values)]))) > HOTTEST:
        raise TraceError(f"telemetry: {name} has a median of {middle:g} degC, expected at most {HOTTEST:g} degC; is "
                         "it in kelvin? "
                         "subtract 273.15")
    return values


def _measured_power(telemetry: xr.Dataset) -> Floats:
    """Power of the server [W]; empty where it was not measured."""
    if "server_power" not in telemetry:
        return np.empty(0)
    power = _numbers(telemetry["server_power"], "server_power", "time")
    known = power[np.isfinite(power)]
    if not known.size:
        return np.empty(0)
    devices = np.asarray(telemetry["device_power"].values, dtype=np.float64)
    drawn = float(np.nanmean(devices) * devices.shape[telemetry["device_power"].dims.index("device")]
                  if np.isfinite(devices).any() else 0.0)
    if (middle := float(np.median(known))) < drawn:
        raise TraceError(f"telemetry: server_power has a median of {middle:g} W, below the {drawn:.6g} W that its "
                         "devices draw on "
                         "average; is it in kW? Give it in W, of the whole server")
    return power


# ------------------------------------------------------------------------------------------------------------- paths

def _label(mount: Mount) -> str:
    """What the names of a mount's devices share: ``gpu`` for ``gpu0`` to ``gpu7``."""
    return re.sub(r"[\d_-]+$", "", mount.names[0]) or mount.names[0]


def _paths(server: Server, name: str) -> list[str]:
    """The paths that a parameter's name stands for: itself, or those of its group that the accelerators have."""
    if name == INLET:
        return [name]
    if name == "sensors":
        return [f"{OFFSET}[{i}]" for i in range(len(server.accelerators))]
    if name.partition("[")[0] == OFFSET:
        if (match := re.fullmatch(rf"{OFFSET}\[(\d{{1,6}})\]", name)) and int(match[1]) < len(server.accelerators):
            return [name]
        raise ScenarioError(f"parameters: {shown(name)}: {OFFSET} has the entries 0 to "
                            f"{len(server.accelerators) - 1}, one for each "
                            f"device that the workload drives; write {OFFSET}[0], or sensors for all")
    if name not in GROUPS:
        if "." not in name and name not in Server.model_fields:
            raise ScenarioError(f"parameters: {shown(name)} is no group of parameters and no field of a server"
                                f"{nearest(name, [*GROUPS, *Server.model_fields])}")
        _value(server, name)  # refuses what does not exist
        return [name]
    driven = server.devices[server.accelerators[0]][1]
    label, out = _label(driven), []
    for pattern in GROUPS[name]:
        path = pattern.replace("mounts.*", f"mounts.{label}")
        if path.endswith(".spread"):
            out += [f"{path}[{i}]" for i in range(len(driven.names))]
        elif path.endswith("sink.*resistance"):
            out += [f"mounts.{label}.sink.{key}" for key in ("flow_resistance",) if hasattr(driven.sink, key)]
        elif path.endswith("sink.capacity") and "capacity" not in type(driven.sink).model_fields:
            out.append(f"mounts.{label}.sink.volumetric_heat_capacity")
        elif (value := _value(server, path)) is not None and value > 0:
            out.append(path)
    return out


def _child(thing: Any, key: str, path: str) -> Any:
    if isinstance(thing, tuple):
        found = [m for m in thing if isinstance(m, Mount) and _label(m) == key]
        if not found:
            known = [_label(m) for m in thing if isinstance(m, Mount)]
            raise ScenarioError(f"parameters: {path!r}: no mount is called {key!r}{nearest(key, known)}")
        return found[0]
    if not isinstance(thing, Described) or key not in type(thing).model_fields:
        fields = type(thing).model_fields if isinstance(thing, Described) else {}
        raise ScenarioError(f"parameters: {path!r}: no field {key!r}{nearest(key, fields)}")
    return getattr(thing, key)


def _split(key: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"(\w+)\[(\d+)\]", key)
    return (match[1], int(match[2])) if match else (key, None)


def _value(server: Server, path: str) -> float:
    thing: Any = server
    for key in path.split("."):
        name, index = _split(key)
        owner, thing = thing, _child(thing, name, path)
        if index is not None:
            thing = _spread(owner) if name == "spread" else thing
            if not isinstance(thing, tuple) or index >= len(thing):
                there = f"the entries are 0 to {len(thing) - 1}" if isinstance(thing, tuple) else "it is no list"
                raise ScenarioError(f"parameters: {path!r}: there is no entry {index}; {there}")
            thing = thing[index]
    if isinstance(thing, bool) or not isinstance(thing, int | float):
        raise ScenarioError(f"parameters: {path!r} is {shown(thing)}, not a number that could be fitted")
    return float(thing)


def _spread(mount: Any) -> tuple[float, ...]:
    return mount.spread or (1.0,) * len(mount.names)


def _with(thing: Any, keys: list[str], value: float) -> Any:
    """`thing` with the number at the end of `keys` replaced."""
    name, index = _split(keys[0])
    if isinstance(thing, tuple):
        return tuple(_with(m, keys[1:], value) if isinstance(m, Mount) and _label(m) == name else m for m in thing)
    if len(keys) > 1:
        return thing.replace(**{name: _with(getattr(thing, name), keys[1:], value)})
    if index is None:
        return thing.replace(**{name: value})
    entries = list(_spread(thing) if name == "spread" else getattr(thing, name))
    entries[index] = value
    return thing.replace(**{name: tuple(entries)})

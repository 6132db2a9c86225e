"""Run a result's scenario again, from the result alone."""
from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from thermo import cooling, events
from thermo.errors import ScenarioError
from thermo.power import PowerChain
from thermo.rack import Rack
from thermo.simulate import simulate_rack

__all__ = ["rerun", "scenario_of"]


def scenario_of(result: xr.Dataset) -> dict[str, Any]:
    """Arguments of the `simulate_rack` that made a result.

    Raises
    ------
    ScenarioError
        If the result does not hold its scenario, or began from an earlier result, or a series was too long to be kept.
    """
    try:
        told = json.loads(result.attrs["scenario"])
        rack = Rack.from_mapping(told["rack"], "scenario.rack")
        chain = PowerChain.from_mapping(told["power"], "scenario.power")
        design = getattr(cooling, told["cooling"].pop("design"))
        points = {key: _point(value, f"cooling.{key}") for key, value in told["cooling"].items()}
        ambient = {key: _point(value, f"ambient.{key}") for key, value in told["ambient"].items()}
        load = _workload(result, told["workload"])
        initial, solver, tolerance = told["initial"], told["solver"], told["tolerance"]
        happened = [events.from_mapping(event, f"scenario.events[{i}]") for i, event in enumerate(told.get("events", []))]
    except (KeyError, AttributeError, TypeError, json.JSONDecodeError) as error:
        raise ScenarioError(f"this Dataset does not hold its scenario ({type(error).__name__}: {error}); run simulate_rack") from None
    if initial == "an earlier result":
        raise ScenarioError("the run went on from an earlier result, which is not in this one: give initial= to simulate_rack")
    return {"rack": rack, "workload": load, "cooling": design(**points), "power": chain, "ambient": ambient, "initial": initial,
            "solver": solver, "tolerance": tolerance, "events": happened}


def rerun(result: xr.Dataset) -> xr.Dataset:
    """The run that made `result`, again.

    Examples
    --------
    >>> import thermo
    >>> result = thermo.simulate_rack("t4-server", 0.5)
    >>> bool((thermo.rerun(result).junction_temperature == result.junction_temperature).all())
    True
    """
    arguments = scenario_of(result)
    return simulate_rack(arguments.pop("rack"), arguments.pop("workload"), **arguments)


def _point(value: Any, place: str) -> Any:
    if isinstance(value, dict) and "sha256" not in value:
        return {key: _point(inner, f"{place}.{key}") for key, inner in value.items()}
    return _array(value, place) if isinstance(value, dict) else value


def _array(told: dict[str, Any], place: str) -> xr.DataArray:
    if "values" not in told:
        raise ScenarioError(f"{place}: a series of {told['shape']} was too long to be kept in the result; give it to simulate_rack")
    if "time" not in told:
        return xr.DataArray(told["values"], attrs=told["attrs"])
    time = told["time"]
    clock = np.array(time, dtype="datetime64[ns]") if time and isinstance(time[0], str) else np.array(time, dtype=np.float64)
    coords: dict[str, Any] = {"time": clock}
    if told.get("device"):
        coords["device_name"] = ("device", told["device"])
    return xr.DataArray(np.array(told["values"], dtype=np.float64).reshape(told["shape"]), dims=told["dims"], coords=coords,
                        attrs=told["attrs"])


def _workload(result: xr.Dataset, told: dict[str, Any]) -> xr.DataArray:
    """The workload; where it was too long to be kept and was in watts that hold, the powers of the result are it."""
    attrs = told["attrs"]
    if "values" in told or attrs.get("units") != "W" or attrs.get("interpolation", "constant") != "constant":
        return _array(told, "workload")
    if float(result["clock_fraction"].min()) < 1:
        raise ScenarioError("workload: it was too long to be kept in the result, and devices were slowed down, so that what they drew "
                            "is not what was asked of them; give it to simulate_rack")
    return result["device_power"].assign_attrs(units="W", interpolation="constant")

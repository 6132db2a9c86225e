"""Room and facility supply conditions, and set points over time."""
from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo._kernels import formulas as f
from thermo.errors import ScenarioError, shown
from thermo.rack import Described

__all__ = ["Ambient", "over_time"]

Floats = NDArray[np.float64]
STANDARD_PRESSURE = 101_325.0  # Pa


class Ambient(Described):
    """What surrounds a rack. Temperatures may be series over time (pandas Series or DataArray with dim ``time``)."""

    air_temperature: Any = 25.0  # degC, of the aisle or tile supply
    pressure: float | None = Field(default=None, ge=40_000, le=110_000)  # Pa
    altitude: float | None = Field(default=None, ge=-430, le=6000)  # m, gives the pressure where none is given
    relative_humidity: float = Field(default=0.4, ge=0, le=1)
    facility_water_temperature: Any = 30.0  # degC

    @model_validator(mode="after")
    def _one_pressure(self) -> Ambient:
        if self.pressure is not None and self.altitude is not None:
            raise ValueError("give pressure or altitude, not both")
        return self

    @property
    def air_pressure(self) -> float:
        """Absolute pressure of the air [Pa]."""
        if self.pressure is not None:
            return self.pressure
        return float(f.standard_pressure(self.altitude)) if self.altitude is not None else STANDARD_PRESSURE


def over_time(value: Any, times: Floats, start: np.datetime64 | None, *, name: str, low: float, high: float, unit: str,
              hint: str = "", servers: int = 1) -> Floats:
    """A set point on `times`: a scalar array for a constant, else ``(time,)`` or ``(time, server)``.

    A series is read straight between its samples and must cover the run; one that says ``interpolation = "constant"``
    in its attributes holds each sample until the next.

    Parameters
    ----------
    value : float, pandas.Series or xarray.DataArray
        The set point; a DataArray has dim ``time`` and may have ``server``.
    times : ndarray, shape (time,)
        Seconds since the start of the run.
    start : datetime64 or None
        Date of ``times == 0``, where the run has dates.
    name, low, high, unit, hint
        For the refusal.
    """
    constant_in_time = False
    if isinstance(value, pd.Series):
        value = xr.DataArray(value.to_numpy(), dims="time", coords={"time": value.index.to_numpy()})
    if isinstance(value, xr.DataArray) and "time" in value.dims:
        if set(value.dims) - {"time", "server"}:
            raise ScenarioError(f"{name} has dims {value.dims}, expected time and perhaps server")
        value = value.transpose("time", ...)
        constant_in_time = value.attrs.get("interpolation") == "constant"
        own = value["time"].to_numpy()
        if np.issubdtype(own.dtype, np.datetime64):
            if start is None:
                raise ScenarioError(f"{name} has dates, the workload has seconds: give both the same kind of time")
            own = (own - start) / np.timedelta64(1, "ns") * 1e-9
        elif start is not None and not np.issubdtype(own.dtype, np.number):
            raise ScenarioError(f"{name} has times of type {own.dtype}, expected dates or seconds")
        own = np.asarray(own, dtype=np.float64)
        samples = np.asarray(value.to_numpy(), dtype=np.float64)
        if own.size < 1 or np.any(np.diff(own) <= 0):
            raise ScenarioError(f"{name}: times must rise")
        if samples.ndim == 2 and samples.shape[1] not in (1, servers):
            raise ScenarioError(f"{name} has {samples.shape[1]} servers, the rack has {servers}")
        if own[0] > times[0] + 1e-6 or (own[-1] < times[-1] - 1e-6 and not constant_in_time):
            raise ScenarioError(f"{name} covers {own[0]:g} to {own[-1]:g} s, the run goes from {times[0]:g} to "
                                f"{times[-1]:g} s; extend it, or shorten the workload")
        columns = samples.reshape(own.size, -1)
        if constant_in_time:
            at = np.searchsorted(own, times + 1e-9, side="right") - 1
            out = columns[at]
        else:
            out = np.column_stack([np.interp(times, own, column) for column in columns.T])
        out = out[:, 0] if samples.ndim == 1 or samples.shape[1] == 1 else out
    else:
        try:
            out = np.asarray(float(value))
        except (TypeError, ValueError):
            raise ScenarioError(f"{name} is {shown(value)}, expected a number [{unit}] or a series over time") from None
    outside = ~((out >= low) & (out <= high))  # NaN is outside
    if np.any(outside):
        worst = float(np.atleast_1d(out)[np.atleast_1d(outside)][0])
        raise ScenarioError(f"{name} is {worst:g} {unit}, expected {low:g} to {high:g} {unit}{hint and '; ' + hint}")
    return out

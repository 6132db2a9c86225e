"""Room and facility supply conditions, and set points over time."""
from __future__ import annotations

import numbers
from typing import Annotated, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo._kernels import formulas as f
from thermo.errors import ScenarioError, shown
from thermo.rack import Described, Number

__all__ = ["Ambient", "is_number", "is_speed", "over_time"]

Floats = NDArray[np.float64]
SPEED_UNITS = ("rpm", "r/min", "rev/min", "1/min", "min-1", "min^-1", "min**-1")  # lower case, without spaces
NO_UNIT = ("", "1", "dimensionless")
TO_CELSIUS = {  # unit, lower case without spaces: (offset, factor) of (x - offset) * factor
    **dict.fromkeys(("degc", "°c", "celsius", "deg_c", "degreecelsius", "degreescelsius", "degree_celsius",
                     "degrees_celsius"), (0.0, 1.0)),
    **dict.fromkeys(("k", "kelvin", "kelvins", "degk"), (273.15, 1.0)),
    **dict.fromkeys(("degf", "°f", "fahrenheit", "degreefahrenheit", "degree_fahrenheit"), (32.0, 1.0 / 1.8)),
}
STANDARD_PRESSURE = 101_325.0  # Pa


class Ambient(Described):
    """What surrounds a rack. Temperatures may be series over time (pandas Series or DataArray with dim ``time``)."""

    air_temperature: Any = 25.0  # degC, of the aisle or tile supply
    pressure: Annotated[Number, Field(ge=40_000, le=110_000)] | None = None  # Pa
    altitude: Annotated[Number, Field(ge=-430, le=6000)] | None = None  # m, gives the pressure where none is given
    relative_humidity: Annotated[Number, Field(ge=0, le=1)] = 0.4
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


def is_speed(units: Any) -> bool:
    """Whether `units` are those of a speed of rotation: rpm, r/min, rev/min or 1/min, in any case."""
    return _plain(units) in SPEED_UNITS


def is_number(value: Any) -> bool:
    """Whether `value` is one real number: no truth value, no text, nothing with a dim. NaN counts."""
    if isinstance(value, np.ndarray | xr.DataArray):
        return value.ndim == 0 and value.dtype.kind in "fiu"
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _plain(units: Any) -> str:
    return "".join(units.lower().split()) if isinstance(units, str) else ""


def over_time(value: Any, times: Floats, start: np.datetime64 | None, *, name: str, low: float, high: float, unit: str,
              hint: str = "", servers: int = 1) -> Floats:
    """A set point on `times`: a scalar array for a constant, else ``(time,)`` or ``(time, server)``.

    A series is read straight between its samples and must cover the run; one that says ``interpolation = "constant"``
    in its attributes holds each sample until the next. Where its attributes say ``units``, a temperature may be in
    degC, K or degF; a share has none (one that says a speed has been divided by the rated speed before it comes here).

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
    servers : int
        Servers of the rack.

    Raises
    ------
    ScenarioError
        If it is neither, has another unit, a sample or a time that is missing, or leaves the range.
    """
    offset, factor = _conversion(getattr(value, "attrs", {}).get("units"), name, unit)
    if isinstance(value, pd.Series):
        value = _labelled(value, name)
    if isinstance(value, xr.DataArray) and "time" in value.dims:
        out = _on_times(value, times, start, name, servers)
    elif is_number(value):
        out = np.asarray(float(value))
    else:
        raise ScenarioError(f"{name} is {_shown(value)}, expected a number [{unit}] or a series over time")
    if (offset, factor) != (0.0, 1.0):
        out = (out - offset) * factor
    outside = ~((out >= low) & (out <= high))  # NaN is outside
    if np.any(outside):
        worst = float(np.atleast_1d(out)[np.atleast_1d(outside)][0])
        raise ScenarioError(f"{name} is {worst:g} {unit}, expected {low:g} to {high:g} {unit}{hint and '; ' + hint}")
    return out


def _shown(value: Any) -> str:
    """A bounded repr; of an array only what it is."""
    if isinstance(value, np.ndarray | xr.DataArray):
        dims = f"dims {value.dims}" if isinstance(value, xr.DataArray) else f"shape {value.shape}"
        return f"a {type(value).__name__} of {value.dtype} with {dims}"
    return shown(value)


def _conversion(units: Any, name: str, unit: str) -> tuple[float, float]:
    """Offset and factor that take what `units` say to `unit`."""
    if units is None:
        return 0.0, 1.0
    if unit == "degC":
        if _plain(units) in TO_CELSIUS:
            return TO_CELSIUS[_plain(units)]
        raise ScenarioError(f"{name} has units {shown(units)}, expected degC, K or degF")
    if isinstance(units, str) and (_plain(units) in NO_UNIT or units == unit):
        return 0.0, 1.0
    if "/" in unit:  # a unit of its own, not a share of something
        raise ScenarioError(f"{name} has units {shown(units)}, expected {unit}; convert it")
    raise ScenarioError(f"{name} has units {shown(units)}, expected '1' (a fraction {unit}); convert it, or give a "
                        "fan speed in 'rpm'")


def _labelled(series: pd.Series, name: str) -> xr.DataArray:
    """A Series as a DataArray over time, dates in UTC."""
    index = series.index
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    if series.dtype.kind not in "fiu":
        raise ScenarioError(f"{name}: samples are {series.dtype}, expected real numbers")
    samples = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return xr.DataArray(samples, dims="time", coords={"time": index.to_numpy()},
                        attrs={str(k): v for k, v in series.attrs.items()})


def _on_times(value: xr.DataArray, times: Floats, start: np.datetime64 | None, name: str, servers: int) -> Floats:
    """A series over time on the run's times, ``(time,)`` or ``(time, server)``."""
    if set(value.dims) - {"time", "server"}:
        raise ScenarioError(f"{name} has dims {value.dims}, expected time and perhaps server")
    if "time" not in value.coords:
        raise ScenarioError(f"{name} has a dim time without times; give it a coordinate in seconds or dates")
    interpolation = value.attrs.get("interpolation", "linear")
    if not isinstance(interpolation, str) or interpolation not in ("linear", "constant"):
        raise ScenarioError(f"{name}: interpolation is {shown(interpolation)}, expected 'linear' or 'constant'")
    value = value.transpose("time", ...)
    own = _seconds(value["time"].to_numpy(), start, name)
    if value.dtype.kind not in "fiu":
        raise ScenarioError(f"{name}: samples are {value.dtype}, expected real numbers")
    samples = np.asarray(value.to_numpy(), dtype=np.float64)
    if samples.ndim == 2 and samples.shape[1] not in (1, servers):
        raise ScenarioError(f"{name} has {samples.shape[1]} servers, the rack has {servers}")
    if not np.all(np.isfinite(samples)):
        k = int(np.argwhere(~np.isfinite(samples))[0, 0])
        raise ScenarioError(f"{name}: sample {k} at {own[k]:g} s is {samples.reshape(own.size, -1)[k].min():g}; fill "
                            "it or leave it out")
    holds = interpolation == "constant"
    if own[0] > times[0] + 1e-6 or (own[-1] < times[-1] - 1e-6 and not holds):
        raise ScenarioError(f"{name} covers {own[0]:g} to {own[-1]:g} s, the run goes from {times[0]:g} to "
                            f"{times[-1]:g} s; extend it, or shorten the workload")
    columns = samples.reshape(own.size, -1)
    if holds:
        at = np.maximum(np.searchsorted(own, times + 1e-9, side="right") - 1, 0)
        out = columns[at]
    else:
        out = np.column_stack([np.interp(times, own, column) for column in columns.T])
    return out[:, 0] if out.shape[1] == 1 else out


def _seconds(own: NDArray[Any], start: np.datetime64 | None, name: str) -> Floats:
    """Times of a series as seconds of the run, rising."""
    if own.size < 1:
        raise ScenarioError(f"{name} has no samples")
    if own.dtype.kind not in "Mmfiu":
        raise ScenarioError(f"{name} has times of type {own.dtype}, expected dates or seconds")
    lost = np.isnat(own) if own.dtype.kind in "Mm" else ~np.isfinite(own)
    if np.any(lost):
        raise ScenarioError(f"{name}: time of sample {int(np.argmax(lost))} is {own[lost][0]}; times must be there "
                            "and rise")
    if own.dtype.kind == "M":
        if start is None:
            raise ScenarioError(f"{name} has dates, the workload has seconds: give both the same kind of time")
        own = own - start
    out = np.asarray(own / np.timedelta64(1, "ns") * 1e-9 if own.dtype.kind == "m" else own, dtype=np.float64)
    if np.any(np.diff(out) <= 0):
        k = int(np.argmax(np.diff(out) <= 0))
        raise ScenarioError(f"{name}: times must rise, sample {k + 1} at {out[k + 1]:g} s follows {out[k]:g} s; sort "
                            "them, each time once")
    return out

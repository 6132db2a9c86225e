"""What a set point may be besides a number or a time series: a controller on the hottest device.

A controller is sampled, as firmware is: each `period` it looks at the largest excess of a junction over its target and
moves its output, in steps of `resolution`, within its range. Between ticks the output holds.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from thermo.errors import ScenarioError
from thermo.network import Control, Node, law_table
from thermo.rack import Celsius, Described, Device, Number, Positive, Share

__all__ = ["PI", "Curve", "controller"]

DEFAULT_TARGET = 75.0  # degC, for a device whose limit is unknown


class _Sampled(Described):
    period: Positive = 5.0  # s
    resolution: Share = 0.01  # PWM step
    deadband: Annotated[Number, Field(ge=0, le=20)] = 1.0  # K

    def targets(self, devices: Sequence[Device], margin: float) -> tuple[float, ...]:
        """Target of each device [degC]: its limit less the margin."""
        limits = [d.slowdown_temperature if d.max_operating_temperature is None else d.max_operating_temperature for d in devices]
        return tuple(DEFAULT_TARGET if limit is None else limit - margin for limit in limits)


class PI(_Sampled):
    """Proportional-integral control of the hottest watched junction to `setpoint`, or to its limit less `margin`.

    Output ``I + gain e`` with ``dI = integral_gain e dt``, the integral clamped to the range of the output.
    """

    setpoint: Celsius | None = None
    margin: Annotated[Number, Field(ge=0, le=80)] = 15.0  # K
    gain: Annotated[Number, Field(ge=0, le=1)] = 0.01  # 1/K
    integral_gain: Annotated[Number, Field(gt=0, le=1)] = 0.0005  # 1/(K s)

    def control(self, nodes: Sequence[Node], devices: Sequence[Device], low: float, high: float) -> Control:
        """The controller of `nodes` (the junctions of `devices`; with a set point of any nodes) with its output in [low, high]."""
        target = self.targets(devices, self.margin) if self.setpoint is None else (self.setpoint,) * len(nodes)
        return Control(kind=0, period=self.period, nodes=tuple(nodes), target=target, gain=self.gain,
                       integral_gain=self.integral_gain, low=low, high=high, quantum=self.resolution,
                       deadband=self.deadband)


class Curve(_Sampled):
    """Output against the hottest watched junction, straight between points; it falls `deadband` later than it rises."""

    temperature: tuple[Celsius, ...] = Field(min_length=2, max_length=32)
    output: tuple[Share, ...] = Field(min_length=2, max_length=32)

    @model_validator(mode="after")
    def _rises(self) -> Curve:
        if len(self.temperature) != len(self.output):
            raise ValueError("temperature and output need the same number of points")
        if any(b <= a for a, b in zip(self.temperature, self.temperature[1:], strict=False)):
            raise ValueError("temperature must rise from point to point")
        if any(b < a for a, b in zip(self.output, self.output[1:], strict=False)):
            raise ValueError("output must not fall with temperature: a fan curve that does is unstable")
        return self

    def control(self, nodes: Sequence[Node], devices: Sequence[Device], low: float, high: float) -> Control:
        """The controller of `nodes` (the junctions of `devices`) with its output in [low, high]."""
        first, last = self.temperature[0], self.temperature[-1]
        if last - first < 1e-6:
            raise ScenarioError("fan curve: the points span no temperature")
        # knots on the grid: an even grid fine enough that the law's slope breaks show as breaks
        table = law_table(lambda rise: np.interp(rise + first, self.temperature, self.output), -1.0, last - first + 1.0)
        return Control(kind=1, period=self.period, nodes=tuple(nodes), target=(first,) * len(nodes), low=low, high=high,
                       quantum=self.resolution, deadband=self.deadband, curve=table)


def controller(value: Any, name: str) -> Any:
    """A controller from a table with its kind, ``{control = "pi", ...}``; any other value as it is. Faults name `name`."""
    if not isinstance(value, dict):
        return value
    known = {"pi": PI, "curve": Curve}
    kind = value.get("control")
    if kind not in known:
        raise ValueError(f"{name}.control is {kind!r}, expected 'pi' or 'curve'")
    return known[kind](**{k: v for k, v in value.items() if k != "control"})

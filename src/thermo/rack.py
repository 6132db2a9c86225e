"""What is in a rack: devices, their heat sinks, the servers they sit in, the fans that blow on them. No physics.

Every description is frozen, refuses unknown fields, and reports all faults at once as a `ScenarioError`. Those that
come from the library carry, for each number, where it is from and how far to trust it (`provenance`).

Order along the air: a server has parallel *lanes*; in a lane, things with a smaller `position` breathe first. Liquid takes
parallel *branches* in the same way, and a device is on the path that its sink is made for.
"""
from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from thermo._field_units import unit_of
from thermo._provenance import Provenance
from thermo.errors import BOOLS, ScenarioError, nearest, one_line, shown

__all__ = ["AirSink", "Branch", "Celsius", "ColdPlate", "Count", "CurvePlate", "CurveSink", "Described", "Device", "Fans", "Firmware",
           "Lane", "LiquidSink", "Mount", "NotNegative", "Number", "PlateFinSink", "Positive", "Provenance", "Rack", "Server", "Share",
           "Slot", "as_mapping", "faults", "in_liquid"]


NO_NUMBER = "expected a number"


def _a_number(value: Any) -> Any:
    # pydantic reads true as 1.0 and "700" as 700.0; a description that says so is wrong somewhere
    if isinstance(value, str | bytes) or type(value).__name__ in BOOLS:
        raise ValueError(NO_NUMBER)
    return value


# The numbers of a description; `Annotated[Number, Field(ge=..., le=...)]` for a range of one's own
Number = Annotated[float, BeforeValidator(_a_number)]
Count = Annotated[int, BeforeValidator(_a_number)]
Positive = Annotated[Number, Field(gt=0, le=1e9, allow_inf_nan=False)]
Large = Annotated[Number, Field(gt=0, le=1e21, allow_inf_nan=False)]  # operations, bytes
NotNegative = Annotated[Number, Field(ge=0, le=1e9, allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, le=1, allow_inf_nan=False)]
Celsius = Annotated[Number, Field(ge=-60, le=250, allow_inf_nan=False)]  # a kelvin reading falls outside or is absurd
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+/()-]*$")]
Identifier = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
SINK_TAGS = ("plate-fin", "curve", "cold-plate", "curve-plate")  # pydantic puts the discriminator into a fault's place; a reader does not


MOST_SERVERS = 100_000  # in a rack
RANGE_FAULTS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")


def faults(error: pydantic.ValidationError, where: str, model: type[BaseModel] | None = None) -> ScenarioError:
    """All faults that pydantic found, as one line that names each place, value with unit, and what is allowed.

    `model` is the description at fault: its fields are what a typo is compared with, and its ranges are told.
    """
    found = _found(error, model)
    refusal = ScenarioError(one_line(f"{where}: " + "; ".join(f"{place}{text}" if place else text.removeprefix(": ")
                                                              for place, text in found)))
    refusal.__dict__["found"] = found  # of a description inside another: the outer one names the full place
    return refusal


def _found(error: pydantic.ValidationError, model: type[BaseModel] | None) -> list[tuple[str, str]]:
    fields = {} if model is None else {k: v for k, v in model.model_fields.items() if k != "provenance"}
    out = []
    for fault in error.errors(include_url=False):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in fault["loc"]
                        if p not in SINK_TAGS and not (isinstance(p, str) and set(p) & set("[(<"))).lstrip(".")
        inner = getattr(fault.get("ctx", {}).get("error"), "found", None)
        if inner is not None:
            out += [(f"{place}.{p}".strip("."), text) for p, text in inner]
            continue
        unit, given = unit_of(place), fault["input"]
        unit = "" if unit in ("", "1") else f" {unit}"
        rule = fault["msg"].removeprefix("Value error, ").replace("Input should", "should")
        field = fields.get(str(fault["loc"][0])) if fault["loc"] else None
        ends = {} if field is None else _ends(field)
        number = isinstance(given, numbers.Real) and not isinstance(given, bool)
        if fault["type"] == "extra_forbidden":
            out.append((place, f": no such field{nearest(str(fault['loc'][-1]), fields) if fields else ''}"))
        elif fault["type"] == "missing":
            out.append((place, f": is missing{f', give it in{unit}' if unit else ''}"))
        elif not place or isinstance(given, Mapping):
            out.append((place, f": {rule}"))
        elif fault["type"] in RANGE_FAULTS and number and ends:
            out.append((place, f" is {shown(given)}{unit}: expected {_range(ends)}{unit}{_asked(given, ends, unit)}"))
        elif number:
            out.append((place, f" is {shown(given)}{unit}: {rule}{unit if 'than' in rule else ''}"))
        elif ends and rule == NO_NUMBER:
            out.append((place, f" is {shown(given)}: {rule}, {_range(ends)}{unit}"))
        else:
            out.append((place, f" is {shown(given)}: {rule}{f', in{unit}' if unit else ''}"))
    # a list whose entries are at fault is not too short besides
    return [(place, text) for place, text in out
            if "Tuple should have at least" not in text or not any(p.startswith(f"{place}[") for p, _ in out)]


def _ends(thing: Any) -> dict[str, float]:
    """Ends of the range that a field or its annotation tells, as `ge`, `gt`, `le`, `lt`."""
    out: dict[str, float] = {}
    if hasattr(thing, "annotation"):  # a field
        out |= _ends(thing.annotation)
    for part in (*getattr(thing, "metadata", ()), *getattr(thing, "__metadata__", ())):
        if hasattr(part, "metadata"):  # Field(...) inside an annotation
            out |= _ends_of(part.metadata)
        out |= _ends_of((part,))
    for part in get_args(thing):
        if part is not Ellipsis and not isinstance(part, str):
            out |= _ends(part) if get_args(part) else {}
    return out


def _ends_of(metadata: Iterable[Any]) -> dict[str, float]:
    return {end: getattr(part, end) for part in metadata for end in ("ge", "gt", "le", "lt")
            if getattr(part, end, None) is not None}


def _range(ends: Mapping[str, float]) -> str:
    """`0 to 1`, `above 0 and up to 100`, `0 or more`."""
    low = "" if not {"ge", "gt"} & set(ends) else f"{ends['ge']:g}" if "ge" in ends else f"above {ends['gt']:g}"
    high = "" if not {"le", "lt"} & set(ends) else f"{ends['le']:g}" if "le" in ends else f"below {ends['lt']:g}"
    if low and high:
        return f"{low} to {high}" if "ge" in ends else f"{low} and {'up to ' if 'le' in ends else ''}{high}"
    return f"{low}{' or more' if 'ge' in ends else ''}" if low else f"{'up to ' if 'le' in ends else ''}{high}"


def _asked(value: Any, ends: Mapping[str, float], unit: str) -> str:
    """What the number looks like, as a question."""
    high = ends.get("le", ends.get("lt", math.inf))
    if not unit and high <= 1 < value <= 100:
        return "; is it in percent?"
    if unit == " m" and value > high:
        return "; is it in mm?"
    return "; is it in kelvin?" if unit == " degC" and 200 < value < 500 else ""


def as_mapping(described: Described) -> dict[str, Any]:
    """A description as plain dicts, lists, numbers and texts, ready for JSON; where its numbers are from is left out.

    ``Rack.from_mapping(as_mapping(rack), "rack")`` is the rack again. A series over time is only named, ``"<series>"``.
    """
    return {key: _plain(getattr(described, key)) for key in type(described).model_fields if key != "provenance"}


def _plain(value: Any) -> Any:
    if isinstance(value, Described):
        return as_mapping(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | bool | int | float):
        return float(value) if isinstance(value, float) else value  # a float of NumPy is one of Python
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        units = getattr(value, "attrs", {}).get("units")
        return f"{value.item():g} {units}" if units else value.item()
    return "<series>" if hasattr(value, "dims") or hasattr(value, "index") else str(value)


def _same(a: Any, b: Any) -> bool:
    """Equality of two values of a field, of series over time too."""
    if a is b:
        return True
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    for method in ("identical", "equals"):  # xarray, pandas
        if hasattr(a, method):
            return type(a) is type(b) and bool(getattr(a, method)(b))
    if hasattr(a, "shape") or hasattr(b, "shape"):  # arrays
        equal: Any = getattr(a, "shape", ()) == getattr(b, "shape", ()) and a == b
        return bool(equal.all() if hasattr(equal, "all") else equal)
    return bool(a == b)


class Described(BaseModel):
    """Root of the descriptions: frozen, strict about keys, faults as `ScenarioError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except pydantic.ValidationError as error:
            name = data.get("name", "")
            where = f"{type(self).__name__} {name if isinstance(name, str) else ''}".strip()
            raise faults(error, where, type(self)) from None

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], where: str) -> Self:
        """The description in `data`; faults name `where` (a file, a key) instead of the class."""
        if not isinstance(data, Mapping):
            raise ScenarioError(f"{where} is {shown(data)}, expected a table with the fields of a {cls.__name__}")
        try:
            return cls.model_validate(dict(data))
        except pydantic.ValidationError as error:
            raise faults(error, where, cls) from None

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked like a new one."""
        for key in changes:
            if key not in type(self).model_fields:
                raise ScenarioError(f"{type(self).__name__} has no field {key!r}{nearest(key, type(self).model_fields)}")
        return type(self)(**{**{k: getattr(self, k) for k in self.model_fields_set}, **changes})

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal; where the numbers are from (`provenance`) does not count."""
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, k), getattr(other, k)) for k in type(self).model_fields if k != "provenance")

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, k) for k in type(self).model_fields if k != "provenance")))

    if not TYPE_CHECKING:  # a type checker knows by itself that descriptions are frozen
        def __setattr__(self, name: str, value: Any) -> None:
            raise ScenarioError(f"{type(self).__name__}.{name} cannot be set to {shown(value)}: descriptions do not "
                                "change" + _way_out(type(self), name))

        def __delattr__(self, name: str) -> None:
            raise ScenarioError(f"{type(self).__name__}.{name} cannot be deleted: descriptions do not change"
                                + _way_out(type(self), name))


def _way_out(model: type[BaseModel], name: str) -> str:
    fields = [f for f in model.model_fields if f != "provenance"]
    if name in model.model_fields:
        return f"; take a changed copy, .replace({name}=...)"
    return f"; it has no field {name!r}{nearest(name, fields)}; .replace(field=...) gives a changed copy"


class PlateFinSink(Described):
    """A plate-fin heat sink by its geometry. Lengths in m; the air runs along `length`."""

    kind: Literal["plate-fin"] = "plate-fin"
    width: Positive
    length: Positive
    base_thickness: Positive
    fin_height: Positive
    fin_thickness: Positive
    fin_count: Annotated[Count, Field(ge=2, le=1000)]
    conductivity: Positive = 200.0  # W/(m K), extruded aluminium 6063
    base_conductivity: Positive | None = None  # W/(m K), of a vapour chamber or copper base; None: as the fins
    volumetric_heat_capacity: Positive = 2.43e6  # J/(m3 K), aluminium

    @model_validator(mode="after")
    def _fins_leave_room(self) -> Self:
        if self.fin_count * self.fin_thickness >= 0.95 * self.width:
            raise ValueError(f"{self.fin_count} fins of {self.fin_thickness:g} m fill the width of {self.width:g} m; "
                             "use fewer or thinner fins")
        return self

    @property
    def capacity(self) -> float:
        """Heat capacity of base and fins [J/K]."""
        base = self.width * self.length * self.base_thickness
        fins = self.fin_count * self.fin_height * self.fin_thickness * self.length
        return self.volumetric_heat_capacity * (base + fins)


class CurveSink(Described):
    """A heat sink by its measured curve, ``R = constant_resistance + flow_resistance (V / reference_flow)^-exponent``.

    `R` is base to the air that enters it [K/W]; `V` is the air through the sink [m3/s] at 1.184 kg/m3.
    """

    kind: Literal["curve"] = "curve"
    constant_resistance: NotNegative = 0.0
    flow_resistance: Positive
    reference_flow: Positive
    exponent: Annotated[Number, Field(ge=0.2, le=1.0)] = 0.8
    capacity: Positive

    @classmethod
    def from_points(cls, flow: Sequence[float], resistance: Sequence[float], *, capacity: float) -> Self:
        """The curve through a vendor's points.

        Parameters
        ----------
        flow : sequence of float
            Air through the sink, three points or more. [m3/s]
        resistance : sequence of float
            Base to entering air at those flows, falling with flow. [K/W]
        capacity : float
            Heat capacity of the sink. [J/K]

        Raises
        ------
        ScenarioError
            If there are fewer than three points, or the curve misses one by more than 5 %.
        """
        import numpy as np
        from scipy.optimize import nnls

        V, R = np.asarray(flow, dtype=np.float64), np.asarray(resistance, dtype=np.float64)
        if V.ndim != 1 or V.shape != R.shape or V.size < 3 or np.any(V <= 0) or np.any(R <= 0):
            raise ScenarioError("CurveSink: give three points or more, flow [m3/s] and resistance [K/W] above 0, as many of one "
                                "as of the other")
        reference = float(np.sqrt(V.min() * V.max()))
        best = None
        for exponent in np.linspace(0.2, 1.0, 81):  # two linear coefficients for each exponent, neither negative
            columns = np.column_stack([np.ones_like(V), (V / reference) ** -exponent]) / R[:, None]
            (constant, falling), _ = nnls(columns, np.ones_like(V))
            error = float(np.max(np.abs(columns @ [constant, falling] - 1)))
            if falling > 0 and (best is None or error < best[0]):
                best = error, float(constant), float(falling), float(exponent)
        if best is None or best[0] > 0.05:
            raise ScenarioError(f"CurveSink: no curve R0 + R1 V^-n meets these points within 5 %"
                                f"{'' if best is None else f' (the best misses by {best[0]:.1%})'}; does resistance fall with flow?")
        return cls(constant_resistance=best[1], flow_resistance=best[2], reference_flow=reference, exponent=best[3],
                   capacity=capacity)


class ColdPlate(Described):
    """A cold plate with straight channels between fins, by its geometry. Lengths in m; the coolant runs along `length`.

    `split_flow`: fed along the middle of its length, it leaves at both ends, so that each channel is two of half the length.
    """

    kind: Literal["cold-plate"] = "cold-plate"
    width: Positive  # of the finned area, across the channels
    length: Positive  # of the fins
    channel_width: Positive
    channel_height: Positive
    fin_thickness: Positive
    base_thickness: Positive  # from the face on the device to the roots of the fins
    lid_thickness: NotNegative = 0.002
    conductivity: Positive = 390.0  # W/(m K), copper
    volumetric_heat_capacity: Positive = 3.42e6  # J/(m3 K), copper
    split_flow: bool = True
    port_diameter: Positive | None = None  # of inlet and outlet; None: their loss is counted elsewhere
    port_loss: NotNegative = 3.0  # of inlet, outlet and turns together, in dynamic pressures of the port

    @model_validator(mode="after")
    def _channels_fit(self) -> Self:
        if self.channel_width + self.fin_thickness > self.width:
            raise ValueError(f"a channel of {self.channel_width:g} m and a fin of {self.fin_thickness:g} m do not fit in the width of "
                             f"{self.width:g} m")
        return self

    @property
    def channel_count(self) -> int:
        """Number of channels side by side, as many as fit with a fin on either side [1]."""
        return max(int((self.width - self.fin_thickness) / (self.channel_width + self.fin_thickness) + 1e-9), 1)

    @property
    def capacity(self) -> float:
        """Heat capacity of base, fins and lid [J/K]."""
        fins = (self.channel_count + 1) * self.channel_height * self.fin_thickness
        return self.volumetric_heat_capacity * self.length * (fins + self.width * (self.base_thickness + self.lid_thickness))

    @property
    def volume(self) -> float:
        """Coolant between the fins [m3]."""
        return self.channel_count * self.channel_width * self.channel_height * self.length


class CurvePlate(Described):
    """A cold plate by its measured curves, for coolant `fluid` at `reference_temperature`.

    From the device's case to the coolant, without the coolant's own warming:
    ``R = constant_resistance + flow_resistance (V / reference_flow)^-exponent`` [K/W]; pressure drop
    ``laminar_drop (V / reference_flow) + turbulent_drop (V / reference_flow)^2`` [Pa]. `thermo.cooling.curve_plate` makes it
    from a data sheet.
    """

    kind: Literal["curve-plate"] = "curve-plate"
    fluid: Identifier = "water"  # of the library, in which it was measured
    reference_temperature: Celsius = 25.0  # of the coolant then
    constant_resistance: NotNegative = 0.0
    flow_resistance: Positive
    reference_flow: Positive
    exponent: Annotated[Number, Field(ge=0, le=1.0)] = 0.4
    laminar_drop: NotNegative = 0.0
    turbulent_drop: NotNegative = 0.0
    capacity: Positive
    volume: Positive = 2e-5  # m3, of coolant inside


AirSink = PlateFinSink | CurveSink
LiquidSink = ColdPlate | CurvePlate
Sink = Annotated[AirSink | LiquidSink, Field(discriminator="kind")]


def in_liquid(sink: AirSink | LiquidSink) -> bool:
    """Whether a sink gives its heat to a liquid (else to air)."""
    return isinstance(sink, ColdPlate | CurvePlate)


CLOCKED = ("gpu", "accelerator", "cpu", "switch")  # kinds of device whose clocks firmware moves, or which it shuts down


class Firmware(Described):
    """How a device's firmware moves its clock; see `thermo.firmware`. All defaults are estimates(0.5) unless said.

    `clock_step` is 15 MHz of 1980 MHz, the grid of clocks that an H100 lists (primary, nvidia-smi); `slowed_clock` is the
    factor of two or more that the vendor's management library documents for its hardware slowdown (secondary).
    """

    period: Annotated[Number, Field(ge=1e-3, le=3600)] = 0.25  # s, between two looks
    clock_step: Annotated[Number, Field(gt=0, le=1)] = 0.0076  # of full clock
    lowest_clock: Annotated[Number, Field(gt=0, le=1)] = 0.1  # of full clock
    slowed_clock: Annotated[Number, Field(gt=0, le=1)] = 0.5  # of full clock, in hardware slowdown
    hysteresis: Annotated[Number, Field(ge=0, le=50)] = 2.0  # K, below a limit before the clock rises again
    lowest_voltage: Annotated[Number, Field(gt=0, le=1)] = 0.6  # of the voltage at full clock, as the clock goes to nothing


class Device(Described):
    """A part that turns power into heat: accelerator, CPU, switch chip, memory, network card, drive, board.

    The ladder: junction --`junction_resistance`-- case --`interface_resistance`-- sink; memory stacks, where the part
    has them, --`memory_resistance`-- case. A part without `junction_resistance` is one lump.

    A device may name the `package` (of `thermo.package`) that more nodes between junction and case are from: node `i` holds
    `ladder_capacity` i, the first is the junction, and `ladder_resistance` j leads from node `ladder_from` j to node `ladder_to`
    j, where -1 is the case. `thermo.package.on_package` makes them.
    """

    name: Identifier
    title: str = ""
    kind: Literal["gpu", "accelerator", "cpu", "switch", "memory", "nic", "drive", "board", "psu"]
    max_power: Positive
    idle_power: NotNegative
    context_power: NotNegative | None = None  # W, idle with a context and weights resident
    peak_power: Positive | None = None  # W, the most a measured trace may show; None: 1.6 x max_power
    reference_temperature: Celsius = 65.0  # at which max_power and idle_power hold
    leakage_share: Share = 0.0  # of max_power at reference_temperature, part of idle_power
    leakage_scale: Positive = 40.0  # K, rise that makes leakage e times larger
    max_operating_temperature: Celsius | None = None
    slowdown_temperature: Celsius | None = None
    shutdown_temperature: Celsius | None = None
    memory_limit_temperature: Celsius | None = None
    power_cap: Positive | None = None  # W, that firmware holds the device to by its clock; None: max_power, but for measured power
    firmware: Firmware | None = None  # not given: that of a processor; None: nothing moves its clock
    memory_power_share: Share = 0.0
    junction_capacity: Positive
    junction_resistance: Positive | None = None
    case_capacity: Positive | None = None
    interface_resistance: Positive | None = None
    memory_capacity: Positive | None = None
    memory_resistance: Positive | None = None
    package: Identifier | None = None  # that the ladder below is from
    ladder_capacity: tuple[Positive, ...] = Field(default=(), max_length=32)  # J/K
    ladder_from: tuple[Annotated[Count, Field(ge=0, le=31)], ...] = Field(default=(), max_length=64)
    ladder_to: tuple[Annotated[Count, Field(ge=-1, le=31)], ...] = Field(default=(), max_length=64)
    ladder_resistance: tuple[Positive, ...] = Field(default=(), max_length=64)  # K/W
    die_area: Positive | None = None  # m2
    contact_area: Positive | None = None  # m2, through which the case heats the sink's base; None: die_area
    peak_flops: Large | None = None  # dense FP16/BF16 [1/s]
    memory_bytes: Large | None = None
    form_factor: str = ""
    cooling_supported: tuple[str, ...] = ()
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _processors_have_firmware(cls, data: Any) -> Any:
        if isinstance(data, dict) and "firmware" not in data and data.get("kind") in CLOCKED:
            return data | {"firmware": Firmware()}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.idle_power >= self.max_power:
            raise ValueError(f"idle_power {self.idle_power:g} W must be below max_power {self.max_power:g} W")
        if self.power_cap is not None and self.firmware is None:
            raise ValueError(f"power_cap {self.power_cap:g} W is held by firmware's clocks, and firmware is None"
                             f"{'' if self.kind in CLOCKED else f', as of a {self.kind}'}; leave it out")
        if self.leakage_share * self.max_power > self.idle_power:
            raise ValueError(f"leakage_share {self.leakage_share:g} of max_power is {self.leakage_share * self.max_power:g} W, more "
                             f"than the idle_power of {self.idle_power:g} W that it is part of")
        if (self.junction_resistance is None) != (self.case_capacity is None):
            raise ValueError("junction_resistance and case_capacity go together: give both, or neither for one lump")
        if (self.memory_resistance is None) != (self.memory_capacity is None):
            raise ValueError("memory_resistance and memory_capacity go together: give both or neither")
        self._require_ladder()
        if self.memory_resistance is not None and self.junction_resistance is None:
            raise ValueError("memory needs a case to sit on: give junction_resistance and case_capacity too")
        limits = [t for t in (self.max_operating_temperature, self.slowdown_temperature, self.shutdown_temperature)
                  if t is not None]
        if limits != sorted(limits):
            raise ValueError("limits must rise: max_operating <= slowdown <= shutdown temperature")
        return self

    def _require_ladder(self) -> None:
        """The ladder from a package is whole, and agrees with the two numbers that it stands in detail for."""
        way_out = "; thermo.package.on_package(device, package) makes them" if self.package else ""
        C, R, links = self.ladder_capacity, self.ladder_resistance, (*self.ladder_from, *self.ladder_to)
        if bool(self.package) != bool(C) or not len(R) == len(self.ladder_from) == len(self.ladder_to) or bool(R) != bool(C):
            raise ValueError("package, ladder_capacity, ladder_from, ladder_to and ladder_resistance go together, the last three with as many entries: "
                             f"{self.package!r}, {len(C)}, {len(self.ladder_from)}, {len(self.ladder_to)}, {len(R)}{way_out}")
        if not C:
            return
        if self.junction_resistance is None:
            raise ValueError("a ladder needs a case to stand on: give junction_resistance and case_capacity too")
        if max(links) >= len(C):
            raise ValueError(f"ladder_from and ladder_to name node {max(links)}, there are {len(C)} in ladder_capacity, 0 to {len(C) - 1}")
        import numpy as np

        K = np.zeros((len(C) + 1, len(C) + 1))
        for i, j, r in zip(self.ladder_from, self.ladder_to, R, strict=True):
            K[[i, j], [i, j]] += 1 / r
            K[[i, j], [j, i]] -= 1 / r
        if np.linalg.matrix_rank(K[:-1, :-1]) < len(C):
            raise ValueError("some nodes of the ladder are linked to nothing that leads to the case (-1)")
        total = float(np.linalg.inv(K[:-1, :-1])[0, 0])
        for name, told, value in (("junction_capacity", self.junction_capacity, C[0]), ("junction_resistance", self.junction_resistance, total)):
            if abs(told / value - 1) > 1e-3:
                raise ValueError(f"{name} is {told:g}, the ladder from package {self.package!r} has {value:.6g}; change both, or leave the ladder out{way_out}")

    def with_context(self) -> Device:
        """The same device with a context and weights resident: its idle power is `context_power`, where that is known."""
        return self if self.context_power is None else self.replace(idle_power=self.context_power)

    @property
    def has_limit(self) -> bool:
        """Whether it is known how hot its silicon may run."""
        return self.max_operating_temperature is not None or self.slowdown_temperature is not None

    @property
    def has_memory(self) -> bool:
        """Whether memory stacks are a branch of their own."""
        return self.memory_resistance is not None

    @classmethod
    def from_library(cls, name: str) -> Device:
        """The library's device of that name."""
        from thermo import library

        return library.device(name)

    @classmethod
    def from_file(cls, path: str) -> Device:
        """A device of one's own from a TOML file, with the same checks as the library's."""
        from thermo import library

        return library.device_file(path)


class Lane(Described):
    """One of the parallel air paths of a server."""

    name: Identifier
    flow_share: Annotated[Number, Field(gt=0, le=1)]  # of the server's rated airflow


class Branch(Described):
    """One of the parallel coolant paths of a server, from its inlet to its outlet, with plates in series."""

    name: Identifier
    flow_share: Annotated[Number, Field(gt=0, le=1)]  # of the server's coolant flow


class Mount(Described):
    """Devices of one kind and where they sit: the i-th of `names` in the i-th of `lanes` at the i-th of `positions`.

    Devices on cold plates name a branch of the coolant in place of a lane; those at one position are side by side.
    `multiplicity` lumps that many identical parts into each name (16 DIMMs as one). `load` is the utilisation of a part
    that the workload does not drive, and `follows` what each unit of mean accelerator utilisation adds to it. `spread` is
    what calibration finds: equal parts differ by a tenth and more in how well they sit on their sinks.
    """

    device: Device
    names: tuple[Identifier, ...] = Field(min_length=1, max_length=512)
    lanes: tuple[Identifier, ...]
    positions: tuple[Count, ...]
    multiplicity: Annotated[Count, Field(ge=1, le=4096)] = 1
    sink: Sink
    bypass: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # of the lane's air, passes beside the sink and mixes behind it
    load: Share = 0.0
    follows: Share = 0.0
    spread: tuple[Positive, ...] | None = None  # unit to unit: times junction and interface resistance of each name

    @model_validator(mode="after")
    def _lists_match(self) -> Self:
        if self.spread is not None and len(self.spread) != len(self.names):
            raise ValueError(f"spread needs one entry for each of {len(self.names)} names, has {len(self.spread)}")
        if not len(self.names) == len(self.lanes) == len(self.positions):
            raise ValueError(f"names, lanes and positions need one entry each: {len(self.names)}, {len(self.lanes)}, "
                             f"{len(self.positions)}")
        return self


class Fans(Described):
    """The fans of a server, alike and in parallel. Curve at `rated_speed`, for one fan, in air of 1.2 kg/m3.

    The chassis' flow resistance is what makes them deliver `system_flow` at `system_duty`.
    """

    count: Annotated[Count, Field(ge=1, le=256)]
    rated_speed: Positive  # rev/min
    curve_flow: tuple[NotNegative, ...] = Field(min_length=3, max_length=64)  # m3/s
    curve_pressure: tuple[NotNegative, ...] = Field(min_length=3, max_length=64)  # Pa
    rated_power: Positive  # W, of one fan at rated speed
    power_exponent: Annotated[Number, Field(ge=1.5, le=3.5)] = 3.0
    standby_power: NotNegative = 0.0  # W, of one fan, at any speed
    minimum_duty: Annotated[Number, Field(ge=0.02, le=1)] = 0.2
    upstream: bool = True  # before the devices (their heat warms what follows), or behind them
    system_flow: Positive  # m3/s through the server
    system_duty: Annotated[Number, Field(gt=0.05, le=1)] = 1.0  # fraction of rated_speed

    @model_validator(mode="after")
    def _curve_falls(self) -> Self:
        flow, pressure = self.curve_flow, self.curve_pressure
        if len(flow) != len(pressure):
            raise ValueError("curve_flow and curve_pressure need the same number of points")
        if any(b <= a for a, b in zip(flow, flow[1:], strict=False)) or flow[0] != 0:
            raise ValueError("curve_flow must start at 0 and rise")
        if any(b > a for a, b in zip(pressure, pressure[1:], strict=False)) or pressure[-1] != 0:
            raise ValueError("curve_pressure must fall, and end at 0 (free delivery); leave a stall dip out")
        if self.system_flow / self.count / self.system_duty >= flow[-1]:
            raise ValueError(f"system_flow {self.system_flow:g} m3/s is beyond the free delivery of {self.count} fans at "
                             f"duty {self.system_duty:g}")
        return self


class Server(Described):
    """One chassis: lanes of air, branches of coolant, mounted devices, fans, and the loss of its power conversion.

    A server that is on cold plates altogether has neither lanes nor fans; its conversion then heats the coolant.
    """

    name: Identifier
    title: str = ""
    height_units: Annotated[Number, Field(gt=0, le=60)]
    rated_power: Positive | None = None  # W, the data sheet's maximum, fans and conversion included
    lanes: tuple[Lane, ...] = Field(default=(), max_length=64)
    branches: tuple[Branch, ...] = Field(default=(), max_length=64)
    mounts: tuple[Mount, ...] = Field(min_length=1, max_length=64)
    fans: Fans | None = None
    coolant_flow: Positive | None = None  # m3/s through the server's branches, rated
    coolant_volume: NotNegative = 0.0  # m3, of hoses and headers in the server, beside that in the plates
    coolant_drop: NotNegative = 0.0  # Pa at coolant_flow, of hoses and disconnects, beside that of the plates
    conversion_loss: NotNegative = 0.0  # W at no load, of power supplies and voltage regulators
    conversion_slope: Annotated[Number, Field(ge=0, lt=1)] = 0.0  # W lost per W used
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        paths = {"lane": [lane.name for lane in self.lanes], "branch": [branch.name for branch in self.branches]}
        for kind, parts in (("lane", self.lanes), ("branch", self.branches)):
            if len(set(paths[kind])) != len(paths[kind]):
                raise ValueError(f"{kind} names repeat")
            total = math.fsum(part.flow_share for part in parts)
            if parts and abs(total - 1.0) > 1e-6:
                rest = "; name a bypass lane for the rest" if kind == "lane" else ""
                raise ValueError(f"flow_share of the {kind}s sums to {total:g}, expected 1{rest}".replace("branchs", "branches"))
        if (self.fans is None) != (not self.lanes):
            raise ValueError("lanes and fans go together: give both, or neither for a server without air")
        if (self.coolant_flow is None) != (not self.branches):
            raise ValueError("branches and coolant_flow go together: give both, or neither for a server without cold plates")
        names = [n for m in self.mounts for n in m.names]
        if len(set(names)) != len(names):
            raise ValueError(f"device names repeat: {sorted({n for n in names if names.count(n) > 1})}")
        for mount in self.mounts:
            kind = "branch" if in_liquid(mount.sink) else "lane"
            for path in mount.lanes:
                if path not in paths[kind]:
                    raise ValueError(f"{mount.names[0]} sits in {kind} {path!r}, which the server has not{nearest(path, paths[kind])}")
        if not self.accelerators:
            raise ValueError("a server needs at least one gpu, accelerator or cpu for the workload to drive")
        return self

    @cached_property
    def devices(self) -> tuple[tuple[str, Mount, int], ...]:
        """``(name, mount, index in the mount)`` of each device, in order."""
        return tuple((name, mount, i) for mount in self.mounts for i, name in enumerate(mount.names))

    @cached_property
    def device_names(self) -> tuple[str, ...]:
        """Names of the devices, in order; the last is the conversion loss where there is any."""
        return tuple(name for name, _, _ in self.devices)

    @cached_property
    def in_air(self) -> tuple[int, ...]:
        """Indices of the devices that give their heat to the air; the others are on cold plates."""
        return tuple(i for i, (_, mount, _) in enumerate(self.devices) if not in_liquid(mount.sink))

    @cached_property
    def accelerators(self) -> tuple[int, ...]:
        """Indices of the devices that the workload drives: accelerators, or the CPUs where there are none."""
        for kinds in (("gpu", "accelerator"), ("cpu",)):
            if found := tuple(i for i, (_, m, _) in enumerate(self.devices) if m.device.kind in kinds):
                return found
        return ()

    @classmethod
    def from_library(cls, name: str) -> Server:
        """The library's server of that name."""
        from thermo import library

        return library.server(name)


class Slot(Described):
    """A number of equal servers, one above the other from height unit `bottom` up (0 is the floor of the rack)."""

    server: Server
    count: Annotated[Count, Field(ge=1, le=MOST_SERVERS)]
    bottom: Annotated[Number, Field(ge=0, le=100)] = 0.0


class Rack(Described):
    """A rack (or a row of equal racks' servers): which servers, and the cooling and power chain that it came with."""

    name: Identifier
    title: str = ""
    slots: tuple[Slot, ...] = Field(min_length=1, max_length=64)
    cooling: Identifier = "air"
    power: Identifier = "ideal"
    power_cap: Positive | None = None  # W of IT power, held by the accelerators' clocks; None: none
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _from_the_bottom_up(self) -> Self:
        bottoms = [slot.bottom for slot in self.slots]
        if bottoms != sorted(bottoms):  # the aisle's air is used up in this order
            raise ValueError(f"slots must be listed from the bottom of the rack up, their bottoms are {bottoms}")
        return self

    @cached_property
    def n_server(self) -> int:
        """Number of servers."""
        return sum(slot.count for slot in self.slots)

    @classmethod
    def from_library(cls, name: str, *, servers: int | None = None) -> Rack:
        """The library's rack of that name, with `servers` of its servers where given."""
        from thermo import library

        rack = library.rack(name)
        return rack if servers is None else rack.with_servers(servers)

    @classmethod
    def of(cls, server: Server | str, count: int, *, name: str | None = None, cooling: str = "air") -> Rack:
        """A rack of `count` equal servers."""
        server = Server.from_library(server) if isinstance(server, str) else server
        slot = Slot(server=server, count=_servers(count, "count"))
        return cls(name=name or server.name, slots=(slot,), cooling=cooling)

    def with_servers(self, count: int) -> Rack:
        """The same rack with `count` servers of its (only) kind."""
        count = _servers(count, "servers")
        if len(self.slots) != 1:
            raise ScenarioError(f"servers is {count}: rack {self.name!r} has {len(self.slots)} kinds of server; "
                                "change its slots instead")
        return self.replace(slots=(self.slots[0].replace(count=count),))

    def with_context(self) -> Rack:
        """The same rack with a job's context resident on its accelerators, so that they idle at their `context_power`."""
        def resident(server: Server) -> Server:
            driven = {server.devices[i][1] for i in server.accelerators}
            return server.replace(mounts=tuple(m.replace(device=m.device.with_context()) if m in driven else m
                                               for m in server.mounts))
        return self.map_servers(resident)

    def map_servers(self, change: Callable[[Server], Server]) -> Rack:
        """The same rack with ``change(server)`` in place of each server."""
        slots: Iterable[Slot] = (slot.replace(server=change(slot.server)) for slot in self.slots)
        return self.replace(slots=tuple(slots))


def _servers(count: Any, name: str) -> int:
    """A number of servers."""
    if isinstance(count, numbers.Integral) and not isinstance(count, bool) and 1 <= int(count) <= MOST_SERVERS:
        return int(count)
    raise ScenarioError(f"{name} is {shown(count)}, expected a whole number of servers, 1 to {MOST_SERVERS}")

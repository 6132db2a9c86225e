"""Questions of design, each answered by one call: how little flow, how warm the water, how cheap the cooling, and the map of both.

All of them turn set points of a rack at rest under one load (`thermo.steady`) until something stands at its limit, with SciPy's
optimisers, and then simulate the answer once by `simulate_rack`: an `Answer` holds that result.

**Feasible** is a point where every junction, every memory, and where asked for what leaves the servers, is at or below its limit *at full
clock*. With firmware that is the only way to ask: a device that is too hot slows down until it is just within its limit, so that
temperatures alone call every flow good enough. Where a point is feasible no clock is lowered for heat, which the final run confirms. Caps
on power lower clocks too, and with leakage the more the warmer a device is; no flow takes that away, and it counts as feasible:
``result.work_lost`` says what it costs.

**More is not always better.** Headroom rises with flow where a supply is ideal. It need not where fans warm the air that
they blow, draw more than the supply gives, or where more coolant leaves a saturated exchanger warmer. So a range is looked at from
its cheap end on a grid of `SCAN` points before a root is taken between two of them, and where headroom is lost again
towards the far end the answer says so. Islands narrower than the grid can be missed.
"""
from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from thermo.ambient import Ambient, is_number
from thermo.errors import ConvergenceError, ScenarioError, nearest, require_between, shown
from thermo.rack import Rack
from thermo.simulate import simulate_rack
from thermo.steady import LEAVING, NO_REST, Bench, Knob, Point

__all__ = ["Answer", "cheapest_cooling", "flow_map", "least_flow", "warmest_supply"]

Floats = NDArray[np.float64]
SCAN = 8  # points of a range that are looked at before a root is taken
PRECISION = 1e-4  # of a range, to which an answer is found
CLEAR = 1e-3  # K, by which an answer keeps clear of limits: at the limit itself a rounding error makes firmware act
SEEDS = {1: 9, 2: 6, 3: 4}  # points of each range among which the cheapest is looked for from, by the number of ranges
MOST_FREE = 4
STEP = 1e-4  # of a range, for slopes
AGREES = 0.05  # K, between the search and the run that confirms it: what fan controllers ignore
FULL_CLOCK = 1.0 - 1e-9
Cost = Callable[[xr.Dataset], float]


@dataclass(frozen=True)
class Answer:
    """Set points that answer a question of design, and the run that confirms them."""

    settings: Mapping[str, float]  # what was turned, in the unit that `thermo.steady.knobs` says
    rack: Rack
    cooling: Any  # the design with the answer in it
    ambient: Ambient  # the surroundings with it
    limiting: str  # the device, or what leaves, that has least headroom
    limiting_server: int  # -1 for what leaves
    headroom: float  # K, that it has left below its limit less the margin
    cost: float  # W, pumps and fans, or what was counted
    mass_flow: float  # kg/s, primary coolant of the rack
    at_end: tuple[str, ...]  # settings at the end of their range, which the range holds there and not a limit
    evaluations: int  # steady states that the search took
    message: str  # the answer in words
    result: xr.Dataset = field(repr=False)  # of `simulate_rack`

    @property
    def value(self) -> float:
        """The setting, where there is one."""
        if len(self.settings) != 1:
            raise ScenarioError(f"value: this answer has {len(self.settings)} settings, take one of settings: {', '.join(self.settings)}")
        return next(iter(self.settings.values()))

    @property
    def volume_flow(self) -> float:
        """Primary coolant of the rack, at the density with which it is supplied; NaN for air and for tanks that boil [m3/s]."""
        fluid = getattr(self.cooling, "fluid", None)
        return math.nan if fluid is None or not hasattr(fluid, "density") else self.mass_flow / float(fluid.density(float(self.result["supply_temperature"][0])))


def least_flow(rack: Rack | str, load: Any = 1.0, *, of: str | None = None, between: tuple[float, float] | None = None, cooling: Any = None,
               power: Any = None, ambient: Any = None, limits: Any = None, margin: float = 0.0,
               return_limit: float | None = None) -> Answer:
    """The least flow that holds every device within its limit at one load.

    Parameters
    ----------
    rack : Rack or str
        What stands there, or the name of a rack in the library.
    load : number or constant workload
        Utilisation [1], or a workload that does not change, such as ``thermo.workload.constant(650.0, units="W")``.
    of : str, optional
        ``"pump_speed"`` (cold plates; the default there), ``"fan_speed"`` (air; of cold plates the part in air), or
        ``"water_flow"`` (rear door; condenser of a two-phase tank, the default there).
    between : (float, float), optional
        Range to look in; default all that the design can do: pumps and fans from their least speed to 1. What no speed
        gives needs a larger `coolant_flow` of the servers, or other fans. [of rated speed], [kg/s]
    cooling, power, ambient
        As `simulate_rack` takes them. What is not turned stays as given, controllers too.
    limits : float or mapping, optional
        Highest junction temperature of all devices, or by name or kind (``{"gpu": 80.0}``); the devices' own limits hold
        besides. Default their own alone. [degC]
    margin : float
        Kept from every limit. [K]
    return_limit : float, optional
        Highest temperature of what leaves the servers, mixed, or the door behind them. Default none; for `water_flow` that of the
        room's air. [degC]

    Returns
    -------
    answer : Answer
        Its `settings` hold the speed, `mass_flow` and `volume_flow` what it gives the rack, `result` the run.

    Raises
    ------
    ScenarioError
        If nothing in the range holds the limits, with what comes closest and what would help; or an argument cannot be what was meant.
    ConvergenceError
        If a steady state is not found, or the run does not confirm the answer.

    Notes
    -----
    Found to 1e-4 of the range, on the side that holds. Valid where the models of the design are; what lies outside of that is in
    ``result.attrs["warnings"]``.

    Examples
    --------
    >>> import thermo
    >>> answer = thermo.design.least_flow("gb200-nvl72", cooling="cold-plate", limits={"gpu": 80.0})
    >>> answer.limiting[:3], 0.2 < answer.value < 1.0
    ('gpu', True)
    """
    bench = _bench(rack, load, of == "water_flow", cooling, power, ambient, limits, margin, return_limit)
    knob = bench.knob(of, "of", flow=True).within(between)
    grid = np.geomspace(knob.low, knob.high, SCAN)
    return _edge(bench, knob, grid, "least_flow")


def warmest_supply(rack: Rack | str, load: Any = 1.0, *, of: str | None = None, between: tuple[float, float] | None = None,
                   cooling: Any = None, power: Any = None, ambient: Any = None, limits: Any = None, margin: float = 0.0,
                   return_limit: float | None = None) -> Answer:
    """The warmest water, coolant or air with which every device is within its limit, at the flows that the design gives.

    Parameters
    ----------
    rack, load, cooling, power, ambient, limits, margin
        As in `least_flow`.
    of : str, optional
        ``"facility_water_temperature"`` (behind a unit; the default there), ``"supply_temperature"`` (of coolant without a unit),
        ``"water_temperature"`` (rear door), ``"air_temperature"`` (of the room; default for air).
    between : (float, float), optional
        Range to look in. [degC]
    return_limit : float, optional
        Highest temperature of what leaves. Default none; for the water of a rear door that of the room's air: a door that
        leaves the room none of the rack's heat. [degC]

    Returns
    -------
    answer : Answer
        Its `settings` hold the temperature [degC].

    Raises
    ------
    ScenarioError
        If nothing in the range holds the limits, with what comes closest and what would help; or an argument cannot be what was meant.
    ConvergenceError
        If a steady state is not found, or the run does not confirm the answer.

    Notes
    -----
    Behind a unit, its valve holds the supply as long as it can; the answer is where it stands fully open and the supply has risen to
    what the devices bear. A set point that is itself too warm is refused: no facility water helps then.

    Examples
    --------
    >>> import thermo
    >>> answer = thermo.design.warmest_supply("t4-server", 0.8)
    >>> answer.at_end, 25.0 < answer.value < 60.0
    ((), True)
    """
    bench = _bench(rack, load, of in (None, "water_temperature"), cooling, power, ambient, limits, margin, return_limit)
    knob = bench.knob(of, "of", flow=False).within(between)
    return _edge(bench, knob, np.linspace(knob.high, knob.low, SCAN), "warmest_supply")


def cheapest_cooling(rack: Rack | str, load: Any = 1.0, *, free: Sequence[str] | Mapping[str, Any] | None = None,
                     count: str | Cost = "rack", cooling: Any = None, power: Any = None, ambient: Any = None, limits: Any = None,
                     margin: float = 0.0, return_limit: float | None = None) -> Answer:
    """Set points with which cooling takes the least power while every device is within its limit.

    Parameters
    ----------
    rack, load, cooling, power, ambient, limits, margin, return_limit
        As in `least_flow`; where the water of a rear door is free, `return_limit` is by default that of the room's air.
    free : sequence of str, or mapping, optional
        What may be turned, up to four: any of the flows of `least_flow` and the temperatures of `warmest_supply`; a mapping gives each its
        range, or None for all of it. Default all flows.
    count : "rack", "all" or callable
        What is to be least [W]: pumps and fans; those and what rejects the heat (``heat_rejection_power``, with it the pumps of a
        rear door's water); or a function of the result at rest, without its dim time. The designs reject heat with a COP that
        does not know the temperature of the water: where a temperature is free, give a function that says what cold
        costs, or the coldest wins.

    Returns
    -------
    answer : Answer
        `cost` is what was counted [W].

    Raises
    ------
    ScenarioError
        If nothing in the ranges holds the limits, with what comes closest and what would help; or an argument cannot be what was meant.
    ConvergenceError
        If a steady state is not found, or the run does not confirm the answer.

    Notes
    -----
    The cheapest of a coarse grid is where SciPy's SLSQP begins, each device a constraint of its own; the cheapest feasible point
    that was ever seen is the answer. A local method: a second valley that the grid does not show can be missed.

    Examples
    --------
    >>> import thermo
    >>> rack = thermo.Rack.from_library("gb200-nvl72").with_servers(1)
    >>> answer = thermo.design.cheapest_cooling(rack, 0.8, cooling="cold-plate")
    >>> sorted(answer.settings)
    ['fan_speed', 'pump_speed']
    """
    from scipy.optimize import minimize

    of_door = free is None or (isinstance(free, Iterable) and any(name in ("water_flow", "water_temperature") for name in free))
    bench = _bench(rack, load, of_door, cooling, power, ambient, limits, margin, return_limit)
    turned = _free(bench, free)
    counted = _counted(count)
    low, high = np.array([k.low for k in turned]), np.array([k.high for k in turned])

    def at(x: Floats) -> Point:
        settings = np.clip(low + (high - low) * x, low, high)
        return bench.at(**{k.name: float(v) for k, v in zip(turned, settings, strict=True)})

    seeds = _at_rest(at, [np.array(x) for x in product(np.linspace(0.0, 1.0, SEEDS.get(len(turned), 3)), repeat=len(turned))])
    if count == "rack" and not any(counted(point) for point in seeds):
        raise ScenarioError(f"count: nothing in a rack under {type(bench.scenario.cooling).__name__} takes power to be cooled, all settings cost the same; "
                            "give count='all', or a function of a result that says what flow and cold cost")
    held = [point for point in seeds if point.least >= CLEAR]
    begin = min(held, key=counted) if held else _most_headroom(bench, turned, at, seeds)
    if begin.least < CLEAR:
        raise ScenarioError(f"cheapest_cooling: {_what_is_short(bench, turned, begin)}")
    scale = max(abs(counted(begin)), 1e-3)
    x = (np.array([begin.settings[k.name] for k in turned]) - low) / (high - low)
    with suppress(ConvergenceError):  # where a step has no rest, the cheapest that was seen before it stands
        minimize(lambda x: counted(at(x)) / scale, x, method="SLSQP", bounds=[(0.0, 1.0)] * len(turned),
                 jac=lambda x: _slopes(lambda y: np.array([counted(at(y)) / scale]), x)[0],
                 constraints={"type": "ineq", "fun": lambda x: _constraints(at(x)), "jac": lambda x: _slopes(lambda y: _constraints(at(y)), x)},
                 options={"ftol": 1e-7, "maxiter": 60})
    best = min((point for point in bench.points.values() if point.least >= CLEAR), key=counted)
    said = {"rack": "pumps and fans take", "all": "pumps, fans and heat rejection take"}.get(count if isinstance(count, str) else "", "it costs")
    return _answer(bench, turned, best, counted, f"{said} {counted(best):.4g} W")


def flow_map(rack: Rack | str, load: Any = 1.0, *, supply_temperature: ArrayLike | None = None, flow: ArrayLike | None = None,
             temperature_of: str | None = None, flow_of: str | None = None, cooling: Any = None, power: Any = None, ambient: Any = None,
             limits: Any = None, margin: float = 0.0, return_limit: float | None = None) -> xr.Dataset:
    """What a rack does at rest over supply temperature and flow.

    Parameters
    ----------
    rack, load, cooling, power, ambient, limits, margin, return_limit
        As in `least_flow`.
    supply_temperature : array_like, shape (n,), optional
        Default 9 from 15 to 55 degC, for air from 15 to 45. [degC]
    flow : array_like, shape (m,), optional
        Default 10 from the least to the largest that the design can do, each as much larger than the one before. [of rated speed],
        [kg/s]
    temperature_of, flow_of : str, optional
        Which temperature and which flow, as in `warmest_supply` and `least_flow`.

    Returns
    -------
    map : Dataset, dims (supply_temperature, flow)
        ``headroom`` of what has least, at full clock [K]; ``limiting`` and ``limiting_server``: what that is; ``feasible``. As the
        rack in truth runs, slowed down by firmware where it is too hot: ``junction_temperature`` of the hottest [degC],
        ``clock_fraction``, the lowest, caps on power too [1]; ``return_temperature`` [degC], ``mass_flow`` of the rack [kg/s],
        ``pump_power`` and ``fan_power`` [W]. NaN, and not feasible, where the rack has no state of rest. Attributes hold
        `evaluations` and `warnings`, and what was turned.

    Raises
    ------
    ScenarioError
        If an argument cannot be what was meant.

    Examples
    --------
    >>> import thermo
    >>> found = thermo.design.flow_map("t4-server", 0.8, supply_temperature=[20.0, 30.0], flow=[0.5, 1.0])
    >>> found.sizes["supply_temperature"], found.sizes["flow"], bool((found.headroom.diff("flow") > 0).all())
    (2, 2, True)
    """
    bench = _bench(rack, load, False, cooling, power, ambient, limits, margin, return_limit)
    flowing, warm = bench.knob(flow_of, "flow_of", flow=True), bench.knob(temperature_of, "temperature_of", flow=False)
    usual = np.linspace(max(warm.low, 15.0), min(warm.high, 45.0 if warm.moves == "air" else 55.0), 9)
    T = _axis("supply_temperature", usual if supply_temperature is None else supply_temperature, warm)
    V = _axis("flow", np.geomspace(flowing.low, flowing.high, 10) if flow is None else flow, flowing)
    columns: dict[str, list[Any]] = {name: [] for name in MAP}
    warned: dict[str, None] = {}
    for temperature, speed in product(T, V):
        row = _of_map(bench, {warm.name: float(temperature), flowing.name: float(speed)}, warned)
        for name, values in columns.items():
            values.append(row[name])
        bench.points.clear()  # a point keeps its network
    dims, shape = ("supply_temperature", "flow"), (T.size, V.size)
    title = bench.scenario.rack.title or bench.scenario.rack.name
    return xr.Dataset(
        {name: (dims, np.array(values).reshape(shape), {"long_name": MAP[name][0], **({"units": MAP[name][1]} if MAP[name][1] else {})})
         for name, values in columns.items()},
        coords={"supply_temperature": ("supply_temperature", T, {"units": "degC", "long_name": warm.name.replace("_", " ")}),
                "flow": ("flow", V, {"units": "1" if flowing.unit != "kg/s" else "kg/s", "long_name":
                                     flowing.name.replace("_", " ") + (" over rated" if flowing.unit != "kg/s" else "")})},
        attrs={"title": f"Headroom of {title}", "temperature_of": warm.name, "flow_of": flowing.name,
               "servers": bench.scenario.rack.n_server, "load": float(bench.trace.mean()), "load_units": bench.trace.attrs["units"],
               "margin": float(margin), "evaluations": bench.evaluations, "warnings": json.dumps(list(warned))})


MAP = {  # name: (long name, unit)
    "headroom": ("what the device with least has left to its limit less the margin, at full clock", "K"),
    "limiting": ("which device has least headroom", ""),
    "limiting_server": ("server in which it sits", "1"),
    "feasible": ("whether all are within their limits at full clock", ""),
    "junction_temperature": ("hottest junction, as firmware lets it be", "degC"),
    "clock_fraction": ("lowest clock over the clock asked for", "1"),
    "return_temperature": ("primary coolant that leaves, mixed", "degC"),
    "mass_flow": ("primary coolant of the rack", "kg/s"),
    "pump_power": ("pumps", "W"),
    "fan_power": ("fans", "W"),
}


# --------------------------------------------------------------------------------------------------------------- what all have in common

def _bench(rack: Any, load: Any, of_door: bool, cooling: Any, power: Any, ambient: Any, limits: Any, margin: float,
           return_limit: float | None) -> Bench:
    """The rack with its set points to turn. `of_door`: what is asked may concern a door's water, which warms no device by itself."""
    options = {"cooling": cooling, "power": power, "ambient": ambient, "limits": limits, "margin": margin}
    bench = Bench(rack, load, **options, return_limit=return_limit)
    if return_limit is None and of_door and "water_flow" in bench.knobs and not hasattr(bench.scenario.cooling, "rated_water_flow"):
        room = bench.scenario.ambient.air_temperature
        if not is_number(room):
            raise ScenarioError("return_limit: the room's air is a series over time; say how warm what leaves the door may be [degC]")
        bench = Bench(rack, load, **options, return_limit=float(room))
    return bench


def _axis(name: str, values: ArrayLike, knob: Knob) -> Floats:
    """Values along one side of a map, rising, within what can be turned."""
    try:
        axis = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScenarioError(f"{name} is {shown(values)}, expected a list of numbers [{knob.unit}]") from None
    if axis.ndim != 1 or not axis.size or np.any(np.diff(axis) <= 0):
        raise ScenarioError(f"{name} is {shown(values)}, expected numbers that rise, one or more [{knob.unit}]")
    for end in (axis[0], axis[-1]):
        require_between(f"{name}, here {knob.name},", end, knob.low, knob.high, knob.unit, knob.beyond)
    return axis


def _of_map(bench: Bench, settings: dict[str, float], warned: dict[str, None]) -> dict[str, Any]:
    """One point of a map."""
    try:
        full = bench.at(**settings)
    except ConvergenceError as error:
        warned[str(error)] = None
        return {name: np.nan for name in MAP} | {"limiting": "", "limiting_server": -1, "feasible": False}
    device, server = bench.limits.place(full.limiting)
    row: dict[str, Any] = {"headroom": full.least, "limiting": device, "limiting_server": server, "feasible": full.least >= 0}
    warned |= dict.fromkeys(full.assembly.site.warnings)
    try:
        runs = full if full.least >= 0 else bench.as_run(full)
    except ConvergenceError as error:  # leakage that no clock stops
        warned[str(error)] = None
        return row | {name: np.nan for name in MAP if name not in row}
    return row | {"junction_temperature": runs.junction, "clock_fraction": runs.clock, "return_temperature": runs.leaving,
                  "mass_flow": runs.mass_flow, "pump_power": runs.pump_power, "fan_power": runs.fan_power}


# ------------------------------------------------------------------------------------------------------- the end of what is feasible

def _edge(bench: Bench, knob: Knob, grid: Floats, question: str) -> Answer:
    """The first value of a range, from the end at which `grid` begins, that holds all limits.

    That end is the one that is wished for, the least flow or the warmest supply. The last point of the grid is the first that is asked:
    where it fails too, the most headroom there is inside decides.
    """
    from scipy.optimize import brentq

    hair = 0.5 * PRECISION * (knob.high - knob.low) * np.sign(grid[-1] - grid[0])

    def headroom(x: float) -> float:
        try:
            return bench.at(**{knob.name: float(x)}).least - CLEAR
        except ConvergenceError:  # controllers that move each other can miss their rest at single points: beside it, then
            try:
                return bench.at(**{knob.name: float(np.clip(x + hair, knob.low, knob.high))}).least - CLEAR
            except ConvergenceError:  # nor there: such a point holds no limits
                return -NO_REST

    far = headroom(grid[-1])
    k = next((k for k, x in enumerate(grid) if headroom(x) >= 0), None)
    if k is None:
        inside = _most_inside(headroom, grid)
        best = bench.at(**{knob.name: inside})  # where there is no rest anywhere, it says so
        if best.least < CLEAR:
            raise ScenarioError(f"{question}: {_what_is_short(bench, [knob], best)}")
        outside = _towards(grid[0], inside, grid)
    elif k == 0:
        return _answer(bench, [knob], bench.at(**{knob.name: float(grid[0])}), _pumps_and_fans,
                       _at_the_end(knob, bench.knobs[knob.name], far))
    else:
        inside, outside = grid[k], grid[k - 1]
    brentq(headroom, outside, inside, xtol=PRECISION * (knob.high - knob.low), rtol=1e-12)
    toward = math.copysign(1.0, grid[0] - grid[-1])  # the way that is wished for
    between = sorted((float(outside), float(inside)))
    best = max((point for point in bench.points.values() if point.least >= CLEAR and between[0] <= point.settings[knob.name] <= between[1]),
               key=lambda point: toward * point.settings[knob.name])
    beyond = next((point.no_rest for point in bench.points.values() if point.no_rest and between[0] <= point.settings[knob.name] <= between[1]), "")
    if beyond:
        return _answer(bench, [knob], best, _pumps_and_fans, f"; beyond it, {beyond}")
    said = "" if far >= 0 else (f"; at {grid[-1]:.4g} {knob.unit} it is too hot again, by {-far:.2g} K: here more is not always better")
    return _answer(bench, [knob], best, _pumps_and_fans, said)


def _most_inside(headroom: Callable[[float], float], grid: Floats) -> float:
    """Where in the range there is most headroom."""
    from scipy.optimize import minimize_scalar

    m = int(np.argmax([headroom(x) for x in grid]))
    ends = sorted((grid[max(m - 1, 0)], grid[min(m + 1, grid.size - 1)]))
    top = float(minimize_scalar(lambda x: -headroom(x), bounds=ends, method="bounded", options={"xatol": 1e-3 * (ends[1] - ends[0])}).x)
    return max(top, float(grid[m]), key=headroom)


def _towards(wished: float, inside: float, grid: Floats) -> float:
    """The grid's point next to `inside` on the side of `wished`."""
    side = grid[(grid < inside) if wished < inside else (grid > inside)]
    return float(side[np.argmin(np.abs(side - inside))])


def _at_the_end(knob: Knob, whole: Knob, far: float) -> str:
    """What there is to say where the wished end of a range holds."""
    said = f"; that is the end of its range, {'less flow' if knob.flow else 'warmer'} would do"
    if knob == whole:  # nobody has narrowed it
        said += f": {knob.beyond}"
    return said if far >= 0 else f"{said}; the other end of the range is too hot"


def _pumps_and_fans(point: Point) -> float:
    return point.pump_power + point.fan_power


# ------------------------------------------------------------------------------------------------------------------- the cheapest

def _free(bench: Bench, free: Any) -> list[Knob]:
    """What may be turned, with its ranges."""
    if free is None:
        return [bench.knob(name, "free", flow=True) for name, knob in bench.knobs.items() if knob.flow] or [bench.knob(None, "free", flow=True)]
    if isinstance(free, str) or not isinstance(free, Iterable) or not (names := list(free)) or len(names) > MOST_FREE:
        raise ScenarioError(f"free is {shown(free)}, expected one to {MOST_FREE} of {', '.join(bench.knobs)} in a list, or a mapping to ranges")
    ranges = free if isinstance(free, Mapping) else dict.fromkeys(names)
    out = []
    for name in names:
        if name not in bench.knobs:
            raise ScenarioError(f"free: {type(bench.scenario.cooling).__name__} has no {shown(name)} to turn{nearest(str(name)[:40], bench.knobs)}")
        out.append(bench.knobs[name].within(ranges[name]))
    return out


def _at_rest(at: Callable[[Floats], Point], places: Iterable[Floats]) -> list[Point]:
    """The points among those places that have a state of rest; where none has, the last says why."""
    found, said = [], None
    for x in places:
        try:
            found.append(at(x))
        except ConvergenceError as error:
            said = error
    if said is not None and not found:
        raise said
    return found


def _counted(count: Any) -> Callable[[Point], float]:
    if count == "rack":
        return _pumps_and_fans
    if count == "all":
        return lambda point: _pumps_and_fans(point) + float(point.result["heat_rejection_power"][0])
    if callable(count):
        return lambda point: float(count(point.result.isel(time=0)))
    raise ScenarioError(f"count is {shown(count)}, expected 'rack' (pumps and fans), 'all' (heat rejection too), or a function of a result")


def _constraints(point: Point) -> Floats:
    """What SLSQP holds above zero: headroom of each device in its worst server, memories and what leaves too; in units of 10 K."""
    devices = point.limits.junction.shape
    each = point.headroom[:-1].reshape(2, *devices).min(axis=1).ravel()
    return np.asarray(0.1 * (np.minimum(np.append(each, point.headroom[-1]), 1e3) - 2 * CLEAR))


def _slopes(of: Callable[[Floats], Floats], x: Floats) -> Floats:
    """Differences by `STEP`, inwards at the ends of a range, ``(value, range)``."""
    here, columns = of(x), []
    for i in range(x.size):
        step = STEP if x[i] < 0.5 else -STEP
        columns.append((of(x + step * (np.arange(x.size) == i)) - here) / step)
    return np.stack(columns, axis=-1)


def _most_headroom(bench: Bench, turned: list[Knob], at: Callable[[Floats], Point], seeds: list[Point]) -> Point:
    """The point with the most headroom, where no point of the coarse grid holds all limits: largest `t` that all have."""
    from scipy.optimize import minimize

    best = max(seeds, key=lambda point: point.least)
    n = len(turned)
    x = np.array([(best.settings[k.name] - k.low) / (k.high - k.low) for k in turned])

    def jac(z: Floats) -> Floats:
        slopes = _slopes(lambda y: _constraints(at(y)), z[:n])
        return np.column_stack([slopes, np.full(slopes.shape[0], -1.0)])

    minimize(lambda z: -z[n], np.append(x, 0.1 * best.least), jac=lambda z: -1.0 * (np.arange(n + 1) == n), method="SLSQP",
             bounds=[(0.0, 1.0)] * n + [(None, None)],
             constraints={"type": "ineq", "fun": lambda z: _constraints(at(z[:n])) - z[n], "jac": jac}, options={"ftol": 1e-6, "maxiter": 40})
    return max(bench.points.values(), key=lambda point: point.least)


# --------------------------------------------------------------------------------------------------------------------- in words

def _where(bench: Bench, point: Point) -> str:
    device, server = bench.limits.place(point.limiting)
    return device if device == LEAVING else f"{device} of server {server}"


def _what_is_short(bench: Bench, turned: list[Knob], best: Point) -> str:
    """Why nothing in the ranges will do, and what would help."""
    if best.no_rest:
        return best.no_rest
    device, server = bench.limits.place(best.limiting)
    ranges = " and ".join(f"{k.name} from {k.low:g} to {k.high:g} {k.unit}" for k in turned)
    at = ", ".join(f"{name} {x:.4g}" for name, x in best.settings.items())
    limit = bench.limits.asked(best.limiting)
    short = f"no {ranges} holds all limits; closest is {at}, where {_where(bench, best)} is {-best.least:.3g} K above {limit:.4g} degC"
    moved = {k.moves for k in turned}
    tank = hasattr(bench.scenario.cooling, "slot_height")
    if device == LEAVING:
        return f"{short}; give more flow, colder water, or another return_limit"
    if tank and "coolant" in moved:
        return f"{short}; give it a sink made for liquids (cooling.sinks), colder or thinner liquid, a larger feed, or ask for less load"
    if "coolant" in moved and "air" not in moved and _in_air(bench, device, server):
        return f"{short}. It sits in air, which coolant does not reach: turn cooling.air.fan_speed up, or supply colder air"
    if moved == {"air"} and "pump_speed" in bench.knobs and not _in_air(bench, device, server):
        return f"{short}. It sits on a cold plate, which air does not reach: turn pump_speed up, or supply colder coolant"
    if moved == {"water"} and hasattr(bench.scenario.cooling, "saturation_temperature"):
        return f"{short}; take a fluid that boils colder, a larger condenser or boiling plates, or ask for less load"
    if moved == {"water"}:
        return f"{short}. A door's water does not cool it but through the room: turn fan_speed up, or supply colder air"
    if turned[0].flow:
        more = "a larger coolant_flow of the servers" if "coolant" in moved else "other fans"
        return f"{short}; supply colder {'coolant' if 'coolant' in moved else 'air'}, give {more}, or ask for less load"
    extra = " or a colder supply_temperature (the unit's valve holds that)" if turned[0].name == "facility_water_temperature" else ""
    return f"{short}; give more flow{extra}, or ask for less load"


def _in_air(bench: Bench, device: str, server: int) -> bool:
    name = device.removeprefix("memory of ")
    kind = next(k for k in bench.scenario.rack.slots if (server := server - k.count) < 0).server
    return kind.device_names.index(name) in kind.in_air


def _answer(bench: Bench, turned: list[Knob], point: Point, counted: Callable[[Point], float], said: str) -> Answer:
    """The point as an answer, confirmed by a run of its own."""
    scenario = point.scenario
    result = simulate_rack(scenario.rack, bench.trace, cooling=scenario.cooling, power=scenario.power, ambient=scenario.ambient)
    _confirm(bench, point, result)
    device, server = bench.limits.place(point.limiting)
    ends = tuple(k.name for k in turned if min(abs(point.settings[k.name] - k.low), abs(point.settings[k.name] - k.high))
                 <= PRECISION * (k.high - k.low))
    at = ", ".join(f"{k.name} {point.settings[k.name]:.4g} {k.unit}" for k in turned)
    message = f"{at}: {_where(bench, point)} is {point.least:.2g} K below {bench.limits.asked(point.limiting):.4g} degC"
    message += said if said.startswith(";") or not said else f"; {said}"
    if point.clock < FULL_CLOCK:
        message += f"; caps on power hold clocks down to {point.clock:.3f}"
    if len(turned) > 1 and ends:
        message += f"; at the end of its range: {', '.join(ends)}"
    return Answer(dict(point.settings), scenario.rack, scenario.cooling, scenario.ambient, device, server, point.least, counted(point),
                  point.mass_flow, ends, bench.evaluations, message, result)


def _confirm(bench: Bench, point: Point, result: xr.Dataset) -> None:
    """Refuses an answer that the run does not bear out: another temperature, or a clock that heat lowered."""
    for k, when in ((0, "begin"), (-1, "end")):
        least = float(bench.limits.of_result(result.isel(time=k)).min())
        if not abs(least - point.least) <= AGREES:
            raise ConvergenceError(f"the search found {point.least:.3f} K of headroom at {point.settings}, the run has {least:.3f} K at its "
                                   f"{when}; hold fans and pumps by numbers instead of controllers")
    firmware = [k for k, name in enumerate(result["controller"].values) if str(name).endswith("firmware")]
    if firmware and float(np.nanmin(result["final_control_output"].values[firmware])) < FULL_CLOCK:
        raise ConvergenceError(f"firmware slows a device down in the run at {point.settings}, though all have headroom at full clock; add a "
                               "margin")

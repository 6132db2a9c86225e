"""The compiled steppers and SciPy's integrators behind one call.

Rates in a `Solution` are means over the interval that begins at a sample; temperatures are at the sample.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermo._kernels.network import Runaway
from thermo.errors import ConvergenceError, ScenarioError, nearest
from thermo.network import FIRMWARE, Group, Network, Reach

__all__ = ["SOLVERS", "Solution", "integrate", "steady_start", "threads"]

Floats = NDArray[np.float64]
SCIPY = ("BDF", "Radau", "LSODA")
SOLVERS = ("auto", "propagator", "rational", "tr-bdf2", *SCIPY)
FINEST_RATIONAL = 1e-3  # K; the rational exponential is good to 2e-7 of what changes in a step
LARGEST_EXACT = 64  # nodes of a block; of 52 with moving flows, exact steps took a tenth of the time of TR-BDF2
LARGEST_BEFORE_RATIONAL = 50  # the same where whole sparse steps will do: of 52 they take a half to a third of the time, of 48 up to three times
DENSE_LIMIT = 2000  # states; LSODA takes a dense Jacobian only
BISECTIONS = 60  # halvings of a controller's range: below the last bit of its output
ROUNDS = 20  # of fans and firmware in turn
SPARE = 0.3  # K below its limit that a throttled device may rest
LEAST_NUDGE = 1e-9  # of an output, by which it is moved to see what follows
AT_REST = 1e-4  # K, or of the output's range
SWEEPS, GIVEN = 200, 0.02  # between Newton's steps on flows: how many, and how much of what each output lacks a sweep gives it
FLOW_ROUNDS, FLOW_AT_REST = 6, 1e-6  # of starts, and of sweeps and steps in turn; of the output's range
FEW_FLOWS = 400  # outputs, up to which their whole slope is worth its cost where all else has failed
NEARLY_AT_REST = 0.05  # the same: within what controllers ignore, where a server between two supplies lets no step settle


@dataclass
class Solution:
    """What a run left behind."""

    nodes: list[Floats]  # by group: (time, server, record node), rise above the reference [K]
    signals: list[Floats]  # by group: (time, server, record signal), interval mean
    shared: Floats  # (time, shared node) [K]
    energy_in: Floats  # (time,) J in the interval
    energy_out: Floats  # (time,) J
    stored: Floats  # (time,) J since the first sample
    leaving: float = 0.0  # W at the last sample
    storing: float = 0.0  # W at the last sample
    rates: list[Floats] = field(default_factory=list)  # by group: (node, server), K/s at the last sample; 0 without capacity
    shared_rates: Floats = field(default_factory=lambda: np.zeros(0))  # the same of shared nodes
    solver: str = ""
    statistics: dict[str, Any] = field(default_factory=dict)


def threads() -> int:
    """Threads of a run: ``THERMO_NUM_THREADS``, else 1. Results do not depend on it, to the bit."""
    text = os.environ.get("THERMO_NUM_THREADS", "1")
    return max(1, min(int(text), 4 * (os.cpu_count() or 1))) if text.isascii() and text.isdigit() else 1


def integrate(network: Network, engine: Any, *, solver: str, tolerance: float, forced_step: float = 0.0,
              progress: Callable[[float], None] | None = None) -> Solution:
    """Runs `engine` through the series of its network, from the state that it holds.

    Parameters
    ----------
    network : Network
        Series and groups.
    engine : Engine
        Built from it.
    solver : str
        One of `SOLVERS`.
    tolerance : float
        Of temperatures [K]; the exact propagator needs none. `rational` misses some 2e-7 of what changes in a step;
        `auto` leaves what is finer than `FINEST_RATIONAL` to TR-BDF2.
    forced_step : float
        TR-BDF2 only: this step, without error control [s]. For studies of the order.
    progress : callable, optional
        Called with the fraction done, some 50 times a second.

    Raises
    ------
    ConvergenceError
        If the step falls to nothing, or leakage runs away and no shutdown stops it; the message says where and when.
    """
    if solver not in SOLVERS:
        raise ScenarioError(f"solver is {solver!r}{nearest(solver, SOLVERS)}")
    obstacle = engine.obstacle
    if solver == "propagator" and obstacle:
        raise ScenarioError(f"solver 'propagator' cannot step this scenario: {obstacle}; use 'rational', 'tr-bdf2' or 'auto'")
    if solver == "auto":
        solver = "propagator" if not obstacle and not _sparse_is_cheaper(network, engine, tolerance) else \
            "rational" if tolerance >= FINEST_RATIONAL else "tr-bdf2"
    if solver in SCIPY:
        return _integrate_scipy(network, engine, solver, tolerance, progress)
    try:
        groups, shared = engine.run(*network.series(), exact=solver == "propagator", tolerance=float(tolerance),
                                    forced_step=float(forced_step), threads=threads(), progress=progress,
                                    rational=solver == "rational")
    except Runaway as error:
        raise _runaway(network, error) from None
    except RuntimeError as error:
        raise ConvergenceError(f"{solver}: {error}") from error
    held = np.array(network.shared_capacity)
    total = {key: np.sum([g[key].sum(axis=1) for g in groups], axis=0) for key in ("energy_in", "energy_out", "stored")}
    solution = Solution([g["nodes"] for g in groups], [g["signals"] for g in groups], shared, total["energy_in"],
                        total["energy_out"], total["stored"] + (shared - shared[:1]) @ held, solver=solver,
                        statistics=dict(engine.count) if solver != "propagator" else {})
    _close(network, engine, solution)
    return solution


def _close(network: Network, engine: Any, solution: Solution) -> None:
    """What leaves and what is being stored at the last instant: there is no interval behind it to take a mean of."""
    series = network.series()
    state, capacity = engine.state()
    slope = np.empty_like(state)
    engine.hold(*series, interval=network.time.size - 1, x=0.0)
    solution.leaving = float(engine.derivative(*series, state, slope, interval=network.time.size - 1, x=0.0))
    solution.storing = float(capacity @ slope)
    at = 0  # the state is the nodes with capacity, group by group, then the shared ones
    for held in [*(np.array(g.capacity) for g in network.groups), np.array(network.shared_capacity)]:
        rate = np.zeros(held.shape)
        n = int(np.count_nonzero(held > 0))
        rate[held > 0] = slope[at:at + n]
        solution.rates.append(rate)
        at += n
    solution.shared_rates = solution.rates.pop()


def _sparse_is_cheaper(network: Network, engine: Any, tolerance: float) -> bool:
    """Whether renewing dense exponentials would cost more than sparse solves.

    An exponential of n nodes costs some 60 n^3 operations; a sparse step some 40 a node and pole: blocks beyond some 50 nodes may
    lose when their coefficients or their loads move. Does not look at the length of the run: a run in two parts takes the stepper of the run
    in one.
    """
    most = LARGEST_BEFORE_RATIONAL if tolerance >= FINEST_RATIONAL else LARGEST_EXACT
    return max(engine.largest_block(g.number) for g in network.groups) > most


def _runaway(network: Network, error: Runaway) -> ConvergenceError:
    """What there is to say of leakage that feeds itself."""
    number, chip, server, time, rise, gain = error.args
    found = network.groups[number].chips[chip]
    server += sum(g.n_server for g in network.groups[:number])
    where = f"thermal runaway of {found.name} in server {server}"
    gained = f"the loop gain is {gain:.3g}: a watt of leakage brings {gain:.3g} W more" if gain else "its leakage feeds itself"
    if time > 0 or not gain:
        return ConvergenceError(f"{where}: at t = {time:g} s it is at {rise + network.reference:.1f} degC and {gained}; no shutdown "
                                "temperature stops it. Cool it better, ask less of it, or give it a shutdown_temperature")
    return ConvergenceError(f"no steady state: {where}: at {rise + network.reference:.1f} degC {gained}. Cool it better, ask less "
                            "of it, give it a power_cap, or start from a temperature (initial=25.0) to see it happen in time")


def steady_start(network: Network, engine: Any, *, full_clock: bool = False) -> None:
    """Leaves the engine in the steady state of the first sample, controllers and firmware included.

    The balance is linear for given controller outputs but for leakage, which Newton closes; an output is where its
    controller rests: its error zero, or its range exhausted. Bisection on all servers at once finds that, for more output
    never makes its own server hotter. Where servers share air they move each other, as do a server's fans and the valve of
    its water; Newton steps on all outputs together finish what bisection began. Then firmware: clocks that hold each device at its limit, on the grid of its
    steps and on the cool side; what is too hot even at the lowest clock has shut down.

    With `full_clock` no limit of temperature moves a clock (caps on power do): how hot devices would be if they did all their
    work, which firmware hides. Leakage that would run away is held far beyond any limit, so that there is always an answer.

    Raises
    ------
    ConvergenceError
        If a temperature is not finite: some heat has no way out. Names the node. If leakage runs away: names the device. If a
        controller would rest beyond its `Control.rest_high`, but for `full_clock`. Or if no rest is found.
    """
    series = network.series()
    fans = [g for g in network.groups if any(c.kind != FIRMWARE for c in g.controls)]
    for g in network.groups:
        engine.set_control(g.number, np.array([[c.high] * g.n_server for c in g.controls]).reshape(-1, g.n_server))
    for _ in range(ROUNDS):
        outputs = [engine.control(g.number) for g in network.groups]
        if fans:
            _rest_of_fans(network, engine, fans)
        if full_clock or not engine.has_firmware or not _rest_of_firmware(network, engine):
            break
        if all(np.array_equal(before, engine.control(g.number)) for before, g in zip(outputs, network.groups, strict=True)):
            break
    if not full_clock and any(c.rest_high is not None for g in fans for c in g.controls):
        refuse_beyond_reach(network, engine)
    try:
        engine.steady(*series, interval=0, x=0.0, bounded=full_clock)
    except Runaway as error:
        raise _runaway(network, error) from None
    for g in network.groups:
        T = engine.temperature(g.number)
        if not np.all(np.isfinite(T)) or np.max(np.abs(T)) > 1e6:
            node, server = np.argwhere(~(np.abs(T) <= 1e6))[0]
            raise ConvergenceError(f"no steady state: {g.names[node]!r} of server {server} has no way to lose its heat")


def _rest_of_fans(network: Network, engine: Any, groups: list[Group]) -> None:
    _rest_by_bisection(network, engine, groups)
    controls = [c for g in groups for c in g.controls]
    if any(c.curve is not None and c.relative is not None for c in controls) and all(c.rest_high is None for c in controls):
        _rest_of_flows(network, engine, groups)
    elif network.shared_names or any(np.count_nonzero(~_is_firmware(g)) > 1 for g in groups):
        _rest_by_newton(network, engine, groups)
    for g in groups:
        output = engine.control(g.number)
        for c, k in enumerate(g.controls):
            if k.quantum > 0:
                output[c] = np.clip(np.round(output[c] / k.quantum) * k.quantum, k.low, k.high)
        _set(engine, g, output)


def _is_firmware(g: Group) -> NDArray[np.bool_]:
    return np.array([c.kind == FIRMWARE for c in g.controls])[:, None]


def _set(engine: Any, g: Group, output: Floats, firmware: bool = False) -> None:
    """Sets the outputs of fans, or of firmware; the others stay."""
    engine.set_control(g.number, np.where(_is_firmware(g) == firmware, output, engine.control(g.number)))


def _rest_of_firmware(network: Network, engine: Any) -> bool:
    """The largest clocks at which devices that are too hot at full clock stay within their limits. False where none is.

    Bisection of all at once. Devices warm each other, so that what was found for one holds no longer when others have moved:
    then once more, each from where it is. Bisection asks for no slope, for there may be none: where leakage runs away
    just below a limit, temperature jumps. A device beyond its shutdown temperature with no clock left to lower is off, and
    the others start again."""
    groups = [g for g in network.groups if _is_firmware(g).any()]
    for g in groups:
        _set(engine, g, np.where(engine.control(g.number) > 0, 1.0, 0.0), firmware=True)
    too_hot = _too_hot(network, engine, groups)
    if not any(hot.any() for hot in too_hot):
        return False
    for _ in range(1 + sum(len(g.controls) * g.n_server for g in groups)):  # each time at least one more is off
        gone = _gone(network, engine, groups)  # without a limit at which its clock would fall
        if not any(dead.any() for dead in gone):
            limited = [hot & (engine.control(g.number) > 0) for g, hot in zip(groups, too_hot, strict=True)]
            _bisect_clocks(network, engine, groups, limited)
            gone = _gone(network, engine, groups)
        if not any(dead.any() for dead in gone):
            return True
        for g, dead in zip(groups, gone, strict=True):
            _set(engine, g, np.where(dead | (engine.control(g.number) == 0), 0.0, 1.0), firmware=True)
        too_hot = _too_hot(network, engine, groups)
    return True


def _bisect_clocks(network: Network, engine: Any, groups: list[Group], limited: list[NDArray[np.bool_]]) -> None:
    """Leaves `limited` clocks on the grid of their steps, the largest that keep within the limits."""
    step = [np.array([[k.step or 1.0] for k in g.controls]) for g in groups]
    low = [_limits(g)[0] for g in groups]
    high = [_limits(g)[1] for g in groups]
    for _ in range(ROUNDS):
        for _ in range(BISECTIONS):
            if all(np.all((b - a < 0.1 * s) | ~moves) for a, b, s, moves in zip(low, high, step, limited, strict=True)):
                break
            middle = [0.5 * (a + b) for a, b in zip(low, high, strict=True)]
            for g, m, moves in zip(groups, middle, limited, strict=True):
                _set(engine, g, np.where(moves, m, engine.control(g.number)), firmware=True)
            hot = _too_hot(network, engine, groups)
            low = [np.where(h, a, m) for a, m, h in zip(low, middle, hot, strict=True)]
            high = [np.where(h, m, b) for b, m, h in zip(high, middle, hot, strict=True)]
        found = []
        for g, a, s, moves in zip(groups, low, step, limited, strict=True):
            least, most = _limits(g)
            found.append(np.maximum(most - s * np.ceil((most - a) / s - 1e-6), least))
            _set(engine, g, np.where(moves, found[-1], engine.control(g.number)), firmware=True)
        hot = _too_hot(network, engine, groups)
        spare = [_excess(engine, g) < -SPARE for g in groups]  # cooler than one step less explains
        again = False
        for k, g in enumerate(groups):
            least, most = _limits(g)
            down, up = limited[k] & hot[k] & (found[k] > least), limited[k] & spare[k] & ~hot[k] & (found[k] < most)
            again |= bool(down.any() or up.any())
            reach = np.maximum(5 * step[k], 0.05)
            low[k] = np.where(down, np.maximum(found[k] - reach, least), found[k])
            high[k] = np.where(up, np.minimum(found[k] + reach, most), found[k])
        if not again:
            return


def _too_hot(network: Network, engine: Any, groups: list[Group]) -> list[NDArray[np.bool_]]:
    """By group, [controller, server]: whether a device's firmware would slow it down or shut it down where it stands."""
    engine.steady(*network.series(), interval=0, x=0.0, bounded=True)
    return [_is_firmware(g) & ((_excess(engine, g) > 0) | _beyond_shutdown(network, engine, g)) for g in groups]


def _beyond_shutdown(network: Network, engine: Any, g: Group) -> NDArray[np.bool_]:
    T = engine.temperature(g.number) + network.reference
    return np.array([~(T[k.nodes[0]] < k.shutdown) for k in g.controls])  # what is not finite is


def _gone(network: Network, engine: Any, groups: list[Group]) -> list[NDArray[np.bool_]]:
    """Devices that are on, beyond their shutdown temperature, and cannot lower their clock, or never would."""
    out = []
    for g in groups:
        clock = engine.control(g.number)
        stuck = (clock <= _limits(g)[0]) | (_excess(engine, g) <= 0)
        out.append(_is_firmware(g) & (clock > 0) & _beyond_shutdown(network, engine, g) & stuck)
    return out


def _excess(engine: Any, g: Group) -> Floats:
    """The largest T - target of each controller [K], as [controller, server]."""
    return np.asarray(engine.control_rise(g.number))


def _unrest(engine: Any, g: Group) -> Floats:
    """How far each fan controller is from rest, falling with its output: its error [K], or what its curve asks for more [1].
    Zero for firmware, which has its own."""
    rise, output = engine.control_rise(g.number), engine.control(g.number)
    return np.array([np.zeros(g.n_server) if k.kind == FIRMWARE else rise[c] if k.curve is None
                     else k.curve(rise[c]) - output[c] for c, k in enumerate(g.controls)])


def _limits(g: Group) -> tuple[Floats, Floats]:
    shape = (len(g.controls), g.n_server)
    return (np.broadcast_to([[c.low] for c in g.controls], shape).copy(),
            np.broadcast_to([[c.high] for c in g.controls], shape).copy())


def _reach(engine: Any, g: Group) -> tuple[Floats, Floats]:
    """Between which outputs a steady start is sought, with those that others hang on as they are."""
    (low, high), output = _limits(g), engine.control(g.number)
    for c, k in enumerate(g.controls):
        if k.rest_high is not None:
            high[c] = np.clip(k.rest_high.law(output[k.rest_high.of]) if isinstance(k.rest_high, Reach) else k.rest_high, k.low, k.high)
        if k.rest is not None:
            low[c] = high[c] = k.rest
    return low, high


def refuse_beyond_reach(network: Network, engine: Any) -> None:
    """Says so where a controller would rest beyond where a steady start is sought: `steady_start` with `full_clock` does not.

    Raises
    ------
    ConvergenceError
        With the controller's `Control.beyond_rest`.
    """
    engine.steady(*network.series(), interval=0, x=0.0, bounded=True)
    for g in network.groups:
        if not any(c.rest_high is not None for c in g.controls):
            continue
        high, grid = _reach(engine, g)[1], np.array([[c.quantum] for c in g.controls])
        beyond = (engine.control(g.number) >= high - grid) & (_unrest(engine, g) > AT_REST)
        for c, server in np.argwhere(beyond):
            if (k := g.controls[c]).rest_high is not None:
                server += sum(other.n_server for other in network.groups[:g.number])
                raise ConvergenceError(f"no steady state: {g.names[k.nodes[0]]!r} of server {server}: {k.beyond_rest}")


def _rest_by_bisection(network: Network, engine: Any, controlled: list[Group]) -> None:
    series, bounds = network.series(), {g.number: _reach(engine, g) for g in controlled}
    for _ in range(BISECTIONS):
        for g in controlled:
            low, high = bounds[g.number]
            _set(engine, g, 0.5 * (low + high))
        engine.steady(*series, interval=0, x=0.0, bounded=True)
        for g in controlled:
            low, high = bounds[g.number]
            middle, wants_more = 0.5 * (low + high), _unrest(engine, g) > 0
            bounds[g.number] = np.where(wants_more, middle, low), np.where(wants_more, high, middle)


def _rest_by_newton(network: Network, engine: Any, controlled: list[Group]) -> None:
    """Newton's steps with each output's slope from moving all outputs by one percent together."""
    series, limits = network.series(), {g.number: _reach(engine, g) for g in controlled}
    for attempt in range(2 * BISECTIONS):
        damping = 1.0 if attempt < 15 else 15 / attempt  # a server between two supplies makes the slope jump
        engine.steady(*series, interval=0, x=0.0, bounded=True)
        outputs = {g.number: engine.control(g.number) for g in controlled}
        off = {g.number: _unrest(engine, g) for g in controlled}
        worst = 0.0
        for g in controlled:
            low, high = limits[g.number]
            held = ((outputs[g.number] <= low) & (off[g.number] < 0)) | ((outputs[g.number] >= high) & (off[g.number] > 0))
            worst = max(worst, float(np.max(np.abs(np.where(held, 0.0, off[g.number])))))
        if worst < AT_REST:
            return
        nudge = {number: np.maximum(0.01 * output, LEAST_NUDGE) for number, output in outputs.items()}
        for g in controlled:
            _set(engine, g, outputs[g.number] + nudge[g.number])
        engine.steady(*series, interval=0, x=0.0, bounded=True)
        for g in controlled:
            slope = np.minimum((_unrest(engine, g) - off[g.number]) / nudge[g.number], -1e-3)
            step = damping * np.clip(-off[g.number] / slope, -0.1, 0.1)
            _set(engine, g, np.clip(outputs[g.number] + step, *limits[g.number]))
    if worst < NEARLY_AT_REST:
        return
    raise ConvergenceError(f"no steady state: after {2 * BISECTIONS} steps a fan controller is still {worst:.3g} K from rest; start "
                           "from a temperature instead, initial=25.0")


def _rest_of_flows(network: Network, engine: Any, controlled: list[Group]) -> None:
    """Where outputs are the temperatures that drive a flow: each answers to all others through what they share, steeply where flows just
    balance. First as if servers of a kind were alike, which is a handful of unknowns and Powell's method with their whole slope, from where
    each output is found in turn if it does not get there at once; then each server for itself, by Newton's steps with the slope in each
    direction that they take, between which sweeps give each output a little of what it lacks, as time would, less each time."""
    from scipy.optimize import NoConvergence, brentq, newton_krylov, root

    series, moves = network.series(), [~_is_firmware(g)[:, 0] for g in controlled]
    low, high = (np.concatenate([_limits(g)[k][m].ravel() for g, m in zip(controlled, moves, strict=True)]) for k in (0, 1))
    errors = np.concatenate([np.repeat([c.curve is None for c, m in zip(g.controls, own, strict=True) if m], g.n_server)
                             for g, own in zip(controlled, moves, strict=True)])  # of a PI: kelvin
    alike = np.concatenate([np.full(int(own.sum()), g.n_server) for g, own in zip(controlled, moves, strict=True)])
    first = np.append(0, np.cumsum(alike)[:-1])

    def lacking(outputs: Floats) -> Floats:
        inside, at = np.clip(outputs, low, high), 0
        for g, own in zip(controlled, moves, strict=True):
            values, n = engine.control(g.number), int(own.sum()) * g.n_server
            values[own] = inside[at:at + n].reshape(-1, g.n_server)
            engine.set_control(g.number, values)
            at += n
        engine.steady(*series, interval=0, x=0.0, bounded=True)
        off = np.concatenate([_unrest(engine, g)[own].ravel() for g, own in zip(controlled, moves, strict=True)])
        return np.asarray(np.where(errors, np.clip(inside + GIVEN * off, low, high) - inside, off) - (outputs - inside))

    def mean(values: Floats) -> Floats:
        """Over the servers of a kind."""
        return np.asarray(np.add.reduceat(values, first) / alike)

    def each_in_turn(y: Floats) -> Floats:
        """Each output where it lacks nothing while the others stay, one after the other."""
        y = np.clip(y, mean(low), mean(high))
        for i in range(y.size):
            def of_one(value: float, i: int = i) -> float:
                return float(mean(lacking(np.repeat(np.where(np.arange(y.size) == i, value, y), alike)))[i])

            ends = float(mean(low)[i]), float(mean(high)[i])
            if of_one(ends[0]) * of_one(ends[1]) < 0:
                y[i] = brentq(of_one, *ends, xtol=1e-10)
        return y

    def at_rest(outputs: Floats) -> bool:
        return bool(np.max(np.abs(lacking(outputs))) <= FLOW_AT_REST)

    x = np.concatenate([engine.control(g.number)[own].ravel() for g, own in zip(controlled, moves, strict=True)])
    y = mean(x)
    for _ in range(FLOW_ROUNDS):
        found = root(lambda y: mean(lacking(np.repeat(y, alike))), y, method="hybr", options={"xtol": 1e-10})
        if np.max(np.abs(found.fun)) <= FLOW_AT_REST:
            if at_rest(x := np.repeat(found.x, alike)):
                return
            break
        y = each_in_turn(y)
    for attempt in range(FLOW_ROUNDS):
        try:
            with np.errstate(divide="ignore", invalid="ignore"):  # a step of exactly nothing
                y = newton_krylov(lacking, x, f_tol=FLOW_AT_REST, maxiter=12, inner_maxiter=20, rdiff=1e-7)
            if at_rest(y):
                return
        except (NoConvergence, ValueError):
            pass
        x = np.clip(x, low, high)
        for _ in range(SWEEPS):
            x = np.clip(x + GIVEN * 0.7**attempt * lacking(x), low, high)
    if x.size <= FEW_FLOWS and at_rest(root(lacking, x, method="hybr", options={"xtol": 1e-10}).x):
        return
    off = np.abs(lacking(x))
    worst = int(np.argmax(off))
    named = [(g, int(c), server) for g, own in zip(controlled, moves, strict=True) for c in np.flatnonzero(own) for server in range(g.n_server)]
    g, c, server = named[worst]
    server += sum(other.n_server for other in network.groups[:g.number])
    raise ConvergenceError(f"no steady state found: the flow that follows {g.names[g.controls[c].nodes[0]]!r} of server {server} is still "
                           f"{off[worst]:.3g} of its range from rest after {FLOW_ROUNDS * SWEEPS} sweeps; start from a temperature instead, initial=25.0")


def _integrate_scipy(network: Network, engine: Any, method: str, tolerance: float,
                     progress: Callable[[float], None] | None) -> Solution:
    """SciPy's integrator on the compiled right-hand side and its sparse Jacobian, from stop to stop."""
    from scipy.integrate import solve_ivp
    from scipy.sparse import block_diag, bmat, csr_array

    series = network.series()
    time, _, linear = series
    n_time, n = time.size, engine.n_state
    if method == "LSODA" and n > DENSE_LIMIT:
        raise ScenarioError(f"LSODA takes a dense Jacobian: {n} states, the limit is {DENSE_LIMIT}; use 'BDF' or 'Radau'")
    recorded = [np.array(g.record_nodes, dtype=np.intp) for g in network.groups]
    out = Solution([np.empty((n_time, g.n_server, len(g.record_nodes))) for g in network.groups],
                   [np.empty((n_time, g.n_server, len(g.record_signals))) for g in network.groups],
                   np.empty((n_time, len(network.shared_names))), np.zeros(n_time), np.zeros(n_time), np.zeros(n_time),
                   solver=method, statistics={"evaluations": 0, "jacobians": 0})
    y, capacity = engine.state()
    y_first, dy = y.copy(), np.empty(n)
    moves = bool(linear.any()) or engine.leaks  # whether signals move between stops

    def settled(k: int, x: float, state: Floats) -> float:
        """Leaves the whole network in balance with `state`; returns the power that leaves."""
        return float(engine.derivative(*series, state, dy, interval=k, x=x))

    def as_they_stand() -> Floats:
        """What comes in, and all recorded signals, one after the other."""
        return np.concatenate([[engine.entering], *(engine.recorded_signals(g.number).ravel() for g in network.groups)])

    n_means = 1 + sum(s.shape[1] * s.shape[2] for s in out.signals)
    extra = n_means if engine.leaks else 0  # integrals that have to be states: they follow temperatures
    for k in range(n_time):
        begin, end = time[k], time[min(k + 1, n_time - 1)]
        span = end - begin
        t, fresh, care_until = begin, True, -np.inf
        gathered = np.zeros(n_means)
        while True:
            care = t < care_until - 1e-10  # with the ticks of firmware
            stop = min(end, engine.next_tick(t, firmware=care))
            xl, xr = ((t - begin) / span, (stop - begin) / span) if span > 0 else (0.0, 0.0)
            engine.hold(*series, interval=k, x=0.5 * (xl + xr) if linear.any() else xl)
            settled(k, xl, y)
            if fresh:
                fresh = False
                for g, nodes in enumerate(recorded):
                    out.nodes[g][k] = engine.temperature(g)[nodes].T
                out.shared[k] = engine.border_temperature()
                out.stored[k] = capacity @ (y - y_first)
            at_left = as_they_stand()
            if span == 0:
                gathered = at_left
                break
            jacobian, leaving = _jacobian(network, engine, capacity)
            full = bmat([[jacobian, None], [csr_array(leaving[None, :]), csr_array((1, 1))]], format="csc")
            if extra:
                full = block_diag([full, csr_array((extra, extra))], format="csc")
            if method == "LSODA":
                full = full.toarray()

            # The state behind the temperatures is what left less what came in: with what is stored it adds up to zero at
            # every instant, which a linear method keeps to rounding. What came in is added again.
            def rhs(now: float, state: Floats, k: int = k, begin: float = begin, span: float = span) -> Floats:
                lost = settled(k, (now - begin) / span, np.ascontiguousarray(state[:n]))
                values = as_they_stand() if extra else np.array([engine.entering])
                return np.concatenate([dy, [lost - values[0]], values if extra else []])

            scale = max(float(np.max(capacity)), 1.0)
            answer = solve_ivp(rhs, (t, stop), np.concatenate([y, np.zeros(1 + extra)]), method=method,
                               jac=full if method != "LSODA" else (lambda now, state, full=full: full),
                               rtol=1e-9, atol=np.append(np.full(n, 0.1 * tolerance), np.full(1 + extra, 0.1 * tolerance * scale)))
            if not answer.success:
                raise ConvergenceError(f"{method} stopped at t = {answer.t[-1]:g} s: {answer.message}")
            if engine.has_firmware and not care:
                path = np.ascontiguousarray(answer.y[:n])
                if engine.firmware_acts(path.min(axis=1), path.max(axis=1)):
                    care_until = stop
                    continue
            y = np.ascontiguousarray(answer.y[:n, -1])
            settled(k, xr, y)
            if extra:
                over = answer.y[n + 1:, -1]
            else:
                over = (stop - t) * 0.5 * (at_left + (as_they_stand() if moves else at_left))
            gathered += over
            out.energy_out[k] += answer.y[n, -1] + over[0]
            out.statistics["evaluations"] += int(answer.nfev)
            out.statistics["jacobians"] += int(answer.njev)
            engine.tick(stop, firmware=care)
            t = stop
            if t >= end - 1e-10:
                out.energy_in[k] = gathered[0]
                gathered /= span
                break
        first = 1
        for signals in out.signals:
            size = signals[k].size
            signals[k] = gathered[first:first + size].reshape(signals[k].shape)
            first += size
        if progress is not None:
            progress((k + 1) / n_time)
    _close(network, engine, out)
    return out


def _jacobian(network: Network, engine: Any, capacity: Floats) -> tuple[Any, Floats]:
    """Sparse d(dT/dt)/dT of the nodes with capacity, the others eliminated; and d(power that leaves)/dT."""
    from scipy.sparse import coo_array, csc_array, diags_array
    from scipy.sparse.linalg import spsolve

    row, column, value = engine.matrix()
    C = np.concatenate([np.array(g.capacity).ravel() for g in network.groups] + [np.array(network.shared_capacity)])
    K = coo_array((value, (row, column)), shape=(C.size, C.size)).tocsr()
    dynamic, algebraic = np.flatnonzero(C > 0), np.flatnonzero(C == 0)
    reduced = K[dynamic][:, dynamic]
    if algebraic.size:
        follow = spsolve(K[algebraic][:, algebraic].tocsc(), K[algebraic][:, dynamic].tocsc())
        reduced = reduced - K[dynamic][:, algebraic] @ csc_array(follow.reshape(algebraic.size, dynamic.size))
    # What leaves is what enters less what is stored: d(leaving)/dT = -C d(dT/dt)/dT, summed over nodes.
    J = -(diags_array(1.0 / capacity) @ reduced).tocsr()
    return J, np.asarray(-(capacity @ J)).ravel()

"""A liquid-cooled rack as a whole: GB200 NVL72, 72 GPUs in 18 trays, with the supply given and behind its coolant distribution unit.

Behind the unit all trays share supply line, return line and exchanger, whose valve ticks every 2 s. Each tray has a load of its
own, in steps like training's, so that none stands for another, or all have the same. 'watts' answers nothing, 'utilisation' leaks
with temperature.
"""
import itertools
import time
import warnings

import numpy as np
import xarray as xr

import thermo
from thermo import simulate, solve

SUPPLY = {"given": "cold-plate", "cdu": "cold-plate-cdu"}
RUNS = {"1 h at 1 s": (3601, 1.0), "24 h at 15 s": (5761, 15.0), "24 h at 1 s": (86401, 1.0)}
SEED = 20250901
TOLERANCE = 0.01  # K, of every run


def build(supply, run, silicon="watts", samples=None, alike=False):
    """``(network, engine)`` in its steady state, junctions of all 72 GPUs and all that a Dataset holds recorded. `alike`: all
    trays under the load of the first.
    """
    n, step = RUNS[run]
    rack, n = thermo.Rack.from_library("gb200-nvl72"), samples or n
    trays = sum(slot.count for slot in rack.slots)
    t, draw = step * np.arange(n), np.random.default_rng(SEED)
    use = 0.6 + 0.35 * np.sign(np.sin(2 * np.pi * t / 40.0))[:, None] + 0.05 * draw.uniform(-1, 1, (n, trays))
    if alike:
        use = use[:, :1]
    values, unit = (200.0 + 1000.0 * use, "W") if silicon == "watts" else (use, "1")
    load = xr.DataArray(values[:, 0] if alike else values, dims=("time",) if alike else ("time", "server"), coords={"time": t},
                        attrs={"units": unit})
    scenario = simulate.checked(rack, load, cooling=SUPPLY[supply])
    network = simulate.assemble(scenario, simulate.device_power(scenario)).network
    engine = network.build()
    solve.steady_start(network, engine)
    return network, engine


def nodes(network):
    """Of all trays and of what they share."""
    return sum(len(g.names) * g.n_server for g in network.groups) + len(network.shared_names)


def run(network, engine, solver="auto"):
    """One run of the stepper."""
    return solve.integrate(network, engine, solver=solver, tolerance=TOLERANCE)


def residual(s):
    """Largest gap in the balance of an interval over the least energy that came in with one."""
    return float(np.max(np.abs(s.energy_in - s.energy_out - np.append(np.diff(s.stored), 0))[:-1]) / np.min(s.energy_in[:-1]))


def solve_ivp_bdf(network, engine):
    """What a user would do with the same matrices: SciPy's BDF with the sparse Jacobian from sample to sample, the valve moved
    between them. ``(seconds in solve_ivp alone, temperatures of the nodes with capacity at the end)``.
    """
    from scipy.integrate import solve_ivp

    series = network.series()
    y, capacity = engine.state()
    b, spent, moved = np.empty_like(y), 0.0, True
    for k in range(network.time.size - 1):
        begin, end = network.time[k:k + 2]
        if moved:
            engine.hold(*series, interval=k, x=0.0)
            A = solve._jacobian(network, engine, capacity)[0].tocsc()
        engine.derivative(*series, np.zeros_like(y), b, interval=k, x=0.0)
        at = time.perf_counter()
        y = solve_ivp(lambda _, y, A=A, b=b: A @ y + b, (begin, end), y, method="BDF", jac=A, rtol=1e-4, atol=1e-3).y[:, -1]
        spent += time.perf_counter() - at
        engine.derivative(*series, np.ascontiguousarray(y), b, interval=k, x=1.0)
        before = [engine.control(g.number) for g in network.groups]
        engine.tick(end, firmware=False)
        moved = any(not np.array_equal(x, engine.control(g.number)) for x, g in zip(before, network.groups, strict=True))
    return spent, y


class Rack:
    """72 GPUs, the stepper alone."""

    params = [list(SUPPLY), ["watts", "utilisation"]]  # an hour at 1 s; a day at 1 s and at 15 s are in the table
    param_names = ["supply", "silicon"]
    timeout = 300

    def setup(self, supply, silicon):
        warnings.simplefilter("ignore")
        self.network, self.engine = build(supply, "1 h at 1 s", silicon)

    def time_hour(self, supply, silicon):
        run(self.network, self.engine)

    def track_residual(self, supply, silicon):
        return residual(run(self.network, self.engine))

    track_residual.unit = "J/J"

    def track_steps(self, supply, silicon):
        return run(self.network, self.engine).statistics.get("steps", self.network.time.size - 1)

    track_steps.unit = "steps"


class SideBySide:
    """Half a minute of the rack behind its unit, in watts: the stepper that is chosen, TR-BDF2, SciPy's BDF."""

    params = [["auto", "tr-bdf2", "solve_ivp"]]
    param_names = ["implementation"]
    SAMPLES, AGREE = 31, 0.05  # K; BDF at rtol 1e-4

    def setup(self, implementation):
        warnings.simplefilter("ignore")
        self.network, self.engine = build("cdu", "1 h at 1 s", samples=self.SAMPLES)
        if apart(self.network, implementation) > self.AGREE:
            raise NotImplementedError("the implementations disagree")

    def time_run(self, implementation):
        alternative(self.network, self.engine, implementation)


def alternative(network, engine, implementation):
    """``(seconds, state at the end)``."""
    if implementation == "solve_ivp":
        return solve_ivp_bdf(network, engine)
    begin = time.perf_counter()
    run(network, engine, implementation)
    return time.perf_counter() - begin, engine.state()[0]


def fresh(network):
    """A new engine in the steady state of the first sample."""
    engine = network.build()
    solve.steady_start(network, engine)
    return engine


def apart(network, implementation):
    """Largest distance from the chosen stepper at the end of a run [K]."""
    ends = [alternative(network, fresh(network), name)[1] for name in ("auto", implementation)]
    return float(np.max(np.abs(ends[0] - ends[1])))


def main():
    """One table from one run: ``python -m benchmarks.liquid``. Ratios count; times are this machine's, now."""
    warnings.simplefilter("ignore")
    print("NVL72, 72 GPUs, all recorded, one thread")
    print(f"{'':<14}{'supply':<8}{'load':<13}{'trays':<8}{'stepper':<12}{'seconds':>9}{'steps':>9}{'node-steps/s':>14}{'residual':>10}")
    for name in RUNS:
        for supply in SUPPLY:
            for silicon, alike in itertools.product(("watts", "utilisation"), (False, True)):
                network, engine = build(supply, name, silicon, alike=alike)
                begin = time.perf_counter()
                s = run(network, engine)
                seconds = time.perf_counter() - begin
                done = nodes(network) * (network.time.size - 1)
                print(f"{name:<14}{supply:<8}{silicon:<13}{'same' if alike else 'own':<8}{s.solver:<12}{seconds:>9.3f}{s.statistics.get('steps', network.time.size - 1):>9}"
                      f"{done / seconds:>14.2e}{residual(s):>10.0e}")
    print(f"\n{SideBySide.SAMPLES - 1} s at 1 s behind the unit, watts")
    network, _ = build("cdu", "1 h at 1 s", samples=SideBySide.SAMPLES)
    base = None
    for name in SideBySide.params[0]:
        seconds = min(alternative(network, fresh(network), name)[0] for _ in range(1 if name == "solve_ivp" else 3))
        base = base or seconds
        print(f"{name:<14}{seconds:>9.4f} s{seconds / base:>9.1f} times{apart(network, name):>11.1e} K apart")


if __name__ == "__main__":
    main()

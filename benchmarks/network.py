"""The engine: racks over a day, a thousand servers over an hour, and the same network as a user would step it by hand.

Alternatives are checked against the engine before they are timed.
"""
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import thermo
from benchmarks import cases
from thermo import solve
from thermo.cooling import PI, Air

FANS = {"fixed": Air(fan_speed=0.7), "pi": Air(fan_speed=PI())}
AGREE = {"solve_ivp": 0.05, "numpy": 1.0}  # K: BDF at rtol 1e-4; first-order Euler just inside its stability limit


def solve_ivp_bdf(network):
    """SciPy's BDF with the sparse Jacobian, restarted at each sample because the power jumps there."""
    from scipy.integrate import solve_ivp
    from scipy.sparse import diags_array

    C, K, T = cases.matrices(network)
    time_, value, _ = network.series()
    A = -(diags_array(1 / C.ravel()) @ K).tocsc()
    columns = network.groups[0].columns[0]
    y, servers = T.ravel(), C.shape[1]
    for k in range(time_.size - 1):
        q = np.zeros(C.shape)
        q[0::3] = value[k, columns]
        b = q.ravel() / C.ravel()
        y = solve_ivp(lambda _, y, b=b: A @ y + b, (time_[k], time_[k + 1]), y, method="BDF", jac=A, rtol=1e-4, atol=1e-3).y[:, -1]
    return y.reshape(-1, servers)


def numpy_loop(network):
    """Explicit Euler over all servers at once, as many steps a sample as stability asks for."""
    g = network.groups[0]
    C, _, T = cases.matrices(network)
    time_, value, _ = network.series()
    G, w = np.array([g.scale[c] for _, _, c in g.conductances]), g.scale[g.streams[0][2]]
    G_die, G_plate = G[0::2], G[1::2]
    die, plate, cell = T[0::3].copy(), T[1::3].copy(), T[2::3].copy()
    C_die, C_plate, C_cell = C[0::3], C[1::3], C[2::3]
    columns = g.columns[0]
    for k in range(time_.size - 1):
        span = time_[k + 1] - time_[k]
        n = int(np.ceil(span / (0.8 * np.min(C_die / G_die))))
        h, q = span / n, value[k, columns]
        for _ in range(n):
            up, down = G_die * (die - plate), G_plate * (plate - cell)
            before = np.vstack([np.zeros_like(w), cell[:-1]])
            die += h / C_die * (q - up)
            plate += h / C_plate * (up - down)
            cell += h / C_cell * (down + w * (before - cell))
    out = np.empty_like(T)
    out[0::3], out[1::3], out[2::3] = die, plate, cell
    return out


class Day:
    """Four 8-GPU servers, 24 h at 15 s, workload to labelled Dataset."""

    params = [["fixed", "pi"]]
    param_names = ["fans"]

    def setup(self, fans):
        warnings.simplefilter("ignore")
        self.rack, self.load = cases.build("rack", samples=5761)

    def _run(self, fans):
        return thermo.simulate_rack(self.rack, self.load, cooling=FANS[fans])

    def time_simulate(self, fans):
        self._run(fans)

    def peakmem_simulate(self, fans):
        self._run(fans)

    def peakmem_reference(self, fans):
        pass

    def track_energy_residual(self, fans):
        r = self._run(fans)
        return float(np.max(np.abs(r.energy_residual)) / np.min(r.it_power))

    track_energy_residual.unit = "W/W"

    def track_solver_steps(self, fans):
        r = thermo.simulate_rack(self.rack, self.load.isel(time=slice(0, 241)), cooling=FANS[fans], solver="tr-bdf2")
        return json.loads(r.attrs["solver_statistics"])["steps"]

    track_solver_steps.unit = "steps"


class Silicon:
    """The same day in watts and in utilisation: 'measured' power answers nothing; 'leaking' follows the junction; 'throttled' is
    too hot at full clock, so that firmware ticks four times a second through much of the day."""

    params = [["measured", "leaking", "throttled"]]
    param_names = ["silicon"]

    def setup(self, silicon):
        warnings.simplefilter("ignore")
        self.rack, load = cases.build("rack", samples=5761)
        self.load = load.copy(data=72.0 + 628.0 * load).assign_attrs(units="W") if silicon == "measured" else load
        self.settings = dict(cooling=Air(fan_speed=0.7), ambient={"air_temperature": 42.0 if silicon == "throttled" else 22.0})

    def time_simulate(self, silicon):
        thermo.simulate_rack(self.rack, self.load, **self.settings)

    def track_worst_error(self, silicon):
        """Of junctions over an hour, against TR-BDF2 at a hundredth of the tolerance [K]."""
        load = self.load.isel(time=slice(0, 241))
        exact, fine = (thermo.simulate_rack(self.rack, load, solver=solver, tolerance=tolerance, **self.settings)
                       for solver, tolerance in (("propagator", 0.01), ("tr-bdf2", 1e-4)))
        return float(np.abs(exact.junction_temperature - fine.junction_temperature).max())

    track_worst_error.unit = "K"


class Racks:
    """A quarter of an hour of each rack."""

    params = [list(cases.RACKS), ["fixed", "pi"]]
    param_names = ["case", "fans"]

    def setup(self, case, fans):
        warnings.simplefilter("ignore")
        self.rack, self.load = cases.build(case)

    def time_simulate(self, case, fans):
        thermo.simulate_rack(self.rack, self.load, cooling=FANS[fans])


class Engine:
    """1,000 servers of 12 nodes for an hour at 1 s. 'renewed': the flow moves each second, and all factors with it."""

    params = [["propagator", "propagator renewed", "tr-bdf2", "tr-bdf2 renewed"]]
    param_names = ["stepper"]
    timeout = 300
    SERVERS = 1000

    def setup(self, stepper):
        self.samples = 3601 if stepper == "propagator" else 361  # the implicit ones for a tenth of the hour
        flow = 1 + 0.3 * np.sin(np.arange(self.samples) / 30) if "renewed" in stepper else 1.0
        self.network = cases.lanes(self.SERVERS, self.samples, flow=flow)
        self.solver = stepper.split()[0]

    def time_run(self, stepper):
        cases.run(self.network, self.solver)

    def track_node_steps(self, stepper):
        begin = time.perf_counter()
        cases.run(self.network, self.solver)
        return 12 * self.SERVERS * (self.samples - 1) / (time.perf_counter() - begin)

    track_node_steps.unit = "node-steps/s"

    def track_energy_residual(self, stepper):
        _, s = cases.run(self.network, self.solver)
        return float(np.max(np.abs(s.energy_in - s.energy_out - np.append(np.diff(s.stored), 0))[:-1]) / np.max(s.energy_in))

    track_energy_residual.unit = "J/J"


IMPLEMENTATIONS = {
    "propagator": lambda network: cases.run(network, "propagator")[0],
    "tr-bdf2": lambda network: cases.run(network, "tr-bdf2")[0],
    "solve_ivp": solve_ivp_bdf,
    "numpy": numpy_loop,
}


class Row:
    """1,000 DGX H100 for a quarter of an hour at 1 s, constant coefficients, one core: the exact stepper alone."""

    params = [[1000]]
    param_names = ["servers"]

    def setup(self, servers, samples=900):
        self.network, self.engine = cases.row(servers, samples)

    def time_step(self, servers):
        solve.integrate(self.network, self.engine, solver="propagator", tolerance=0.01)

    def node_steps(self):
        """Node-steps of one run."""
        group = self.network.groups[0]
        return len(group.names) * group.n_server * (self.network.time.size - 1)


class SideBySide:
    """One network, 64 servers for a minute: both steppers, SciPy's BDF, a NumPy loop."""

    params = [list(IMPLEMENTATIONS)]
    param_names = ["implementation"]

    def setup(self, implementation):
        self.network = cases.lanes(64, 61)
        self.function = IMPLEMENTATIONS[implementation]
        ours = cases.run(self.network, "propagator")[0]
        if np.max(np.abs(self.function(self.network) - ours)) > AGREE.get(implementation, 0.01):
            raise NotImplementedError("the implementations disagree")

    def time_run(self, implementation):
        self.function(self.network)


def timeraw_import():
    """`import thermo` in a fresh interpreter."""
    return f"import sys; sys.path.insert(0, {str(Path(thermo.__file__).parents[1])!r}); import thermo"


def import_seconds():
    """Seconds that `import thermo` takes beyond a bare interpreter, best of five."""
    def best(code):
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - begin)
        return min(times)

    return best("import thermo") - best("pass")

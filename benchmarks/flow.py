"""The flow network: 72 plates behind a manifold (363 branches, 220 nodes), cold, warm and over a sweep; and alternatives on
the same network.

SciPy's `root` gets the equations in NumPy over all branches at once with their Jacobian; "numpy newton" is the gradient method
with SciPy's sparse LU and no line search. EPANET (by `wntr`, where installed) has other laws: its network is pipes with
minor losses only, and its friction differs by a few per cent in the transition.
"""
import time

import numpy as np

from thermo.hydraulics import CheckValve, FlowNetwork, Pipe, Pump, Resistance

DENSITY, VISCOSITY = 1024.0, 1.39e-3  # PG25 at 40 degC
PLATES = 72
DRIVE = 232e3  # Pa
AGREE = 1e-6  # of the largest flow
MANIFOLD, HOSE = Pipe(length=0.04, diameter=0.03), Pipe(length=0.5, diameter=0.006, minor_loss=2.0)
PLATE, DISCONNECT = Resistance(linear=8e7, quadratic=9e12), Resistance(linear=2e7, quadratic=8e12)
EPANET_PLATE, EPANET_DISCONNECT = Pipe(length=0.1, diameter=0.006, minor_loss=25.0), Pipe(length=0.05, diameter=0.006, minor_loss=12.0)


def rack(plates=PLATES, *, pumps=True, plate=PLATE, disconnect=DISCONNECT):
    """The network; without pumps it lies between two given pressures."""
    net = FlowNetwork("rack")
    net.node("return", pressure=150e3)
    if pumps:
        net.node("supply")
        pump = Pump(curve_flow=(0, 2e-3, 4e-3, 6e-3), curve_pressure=(300e3, 280e3, 220e3, 100e3), efficiency=0.5)
        for i in (1, 2):
            net.connect("return", "supply", pump, CheckValve(flow_coefficient=40), name=f"pump-{i}")
    else:
        net.node("supply", pressure=150e3 + DRIVE)
    above, below = "supply", "return"
    for i in range(plates):
        s, r, a, b = (net.node(f"{x}{i}") for x in "srab")
        net.connect(above, s, MANIFOLD, name=f"supply-{i}")
        net.connect(r, below, MANIFOLD, name=f"return-{i}")
        net.connect(s, a, HOSE, name=f"hose-{i}")
        net.connect(a, b, plate, name=f"plate-{i}")
        net.connect(b, r, disconnect, name=f"disconnect-{i}")
        above, below = s, r
    return net


class Equations:
    """The same network in NumPy: drop and slope of all branches, the incidence of its free nodes."""

    def __init__(self, net):
        lay = net._layout()
        self.tail, self.head, self.given, self.p = lay.tail, lay.head, lay.given == 1, lay.pressure.copy()
        self.free = np.flatnonzero(~self.given)
        pipe = np.array([isinstance(c, Pipe) for c in lay.components])

        def of(field):
            return np.array([getattr(c, field, 0.0) for c in lay.components], float)

        D, L = np.where(pipe, of("diameter"), 1.0), of("length")
        area = np.pi / 4 * D * D
        self.pipe, self.Re = pipe, DENSITY * D / (area * VISCOSITY)
        self.dynamic, self.LD, self.K, self.eD = DENSITY / (2 * area**2), L / D, of("minor_loss"), np.where(pipe, of("roughness") / D, 0)
        mu_ref, rho_ref = np.where(pipe, 1, of("reference_viscosity")), np.where(pipe, 1, of("reference_density"))
        self.a, self.b = of("linear") * VISCOSITY / mu_ref, of("quadratic") * DENSITY / rho_ref
        n, nb = len(lay.nodes), self.tail.size
        self.incidence = np.zeros((nb, n))
        self.incidence[np.arange(nb), self.tail] = 1
        self.incidence[np.arange(nb), self.head] -= 1
        self.nb = nb

    def drop(self, V):
        u = np.abs(V) + 1e-30
        Re = np.maximum(self.Re * u, 1e-3)
        small, both = (7 / Re) ** 0.9, (7 / Re) ** 0.9 + 0.27 * self.eD
        theta = 2.457 * np.log(both)
        A, B, l_ = theta**16, (37530 / Re) ** 16, (8 / Re) ** 12
        t = (A + B) ** -1.5
        f = 8 * (l_ + t) ** (1 / 12)
        slope = (-l_ - t / 8 * (-16 * 0.9 * 2.457 * A * small / (both * theta) - 16 * B) / (A + B)) / (l_ + t)
        wall = self.dynamic * self.LD * f * u
        phi = np.where(self.pipe, wall * u + self.dynamic * self.K * u * u, self.a * u + self.b * u * u)
        dphi = np.where(self.pipe, wall * (2 + slope) + 2 * self.dynamic * self.K * u, self.a + 2 * self.b * u)
        return np.sign(V) * phi, dphi

    def start(self):
        p = np.full(self.p.size, 150e3 + DRIVE / 2)
        p[self.given] = self.p[self.given]
        return np.full(self.nb, 3e-5), p


def scipy_root(eq):
    """`scipy.optimize.root`, MINPACK's hybrid method, scaled, with the Jacobian."""
    from scipy.optimize import root

    V, p = eq.start()
    A, nb, free = eq.incidence, eq.nb, eq.free
    flow, pressure = 3e-5, 1e5

    def equations(x):
        full = p.copy()
        full[free] = x[nb:] * pressure
        phi, slope = eq.drop(x[:nb] * flow)
        J = np.zeros((x.size, x.size))
        J[np.arange(nb), np.arange(nb)] = slope * flow / pressure
        J[:nb, nb:] = -A[:, free]
        J[nb:, :nb] = A[:, free].T
        return np.concatenate([(phi - A @ full) / pressure, A[:, free].T @ x[:nb]]), J

    found = root(equations, np.concatenate([V / flow, p[free] / pressure]), jac=True, tol=1e-10)
    if not found.success:
        raise NotImplementedError(f"root: {found.message}")
    return found.x[:nb] * flow


def numpy_newton(eq):
    """Newton on flows and pressures in NumPy, SciPy's sparse LU for the nodes."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import splu

    V, p = eq.start()
    A = csr_array(eq.incidence)
    F = A[:, eq.free]
    for _ in range(60):
        phi, slope = eq.drop(V)
        D = 1 / slope
        r = A @ p - phi
        pi = np.zeros(p.size)
        pi[eq.free] = splu((F.T @ (F * D[:, None])).tocsc()).solve(-(F.T @ (V + D * r)))
        dV = D * (r + A @ pi)
        V, p = V + dV, p + pi
        if np.max(np.abs(dV)) < 1e-9 * np.max(np.abs(V)):
            return V
    raise NotImplementedError("no convergence")


def ours(net):
    """This solver, cold, from Python."""
    return net.solve(DENSITY, VISCOSITY).flows


class Epanet:
    """EPANET 2.2 on the rack of pipes: a toolkit project opened once; `solve` runs its hydraulics."""

    def __init__(self, folder):
        import wntr

        from thermo import hydraulics  # noqa: F401  (its units: m, m3/s)

        net = rack(pumps=False, plate=EPANET_PLATE, disconnect=EPANET_DISCONNECT)
        model = wntr.network.WaterNetworkModel()
        o = model.options.hydraulic
        o.headloss, o.viscosity, o.specific_gravity, o.accuracy, o.trials = "D-W", VISCOSITY / DENSITY / 1.0219e-6, 1.0, 1e-8, 200
        for node in net.nodes:
            if node in ("supply", "return"):
                model.add_reservoir(node, base_head=(150e3 + DRIVE * (node == "supply")) / (DENSITY * 9.80665))
            else:
                model.add_junction(node, base_demand=0.0, elevation=0.0)
        for name, (tail, head, (pipe,)) in net._branches.items():
            model.add_pipe(name, tail, head, length=pipe.length, diameter=pipe.diameter, roughness=pipe.roughness,
                           minor_loss=pipe.minor_loss)
        path = str(folder / "rack.inp")
        wntr.network.write_inpfile(model, path, units="LPS")
        self.en = wntr.epanet.toolkit.ENepanet()
        self.en.ENopen(path, str(folder / "rack.rpt"), str(folder / "rack.bin"))
        self.en.ENopenH()
        self.index = [self.en.ENgetlinkindex(f"plate-{i}") for i in range(PLATES)]

    def solve(self):
        self.en.ENinitH(10)  # flows from scratch, nothing saved
        self.en.ENrunH()

    def flows(self):
        return np.array([self.en.ENgetlinkvalue(i, 8) for i in self.index]) * 1e-3


IMPLEMENTATIONS = {"thermo": ours, "numpy newton": lambda net: numpy_newton(Equations(net)), "scipy root": lambda net: scipy_root(Equations(net))}


class Rack:
    """72 plates, two pumps."""

    params = [["cold", "warm", "sweep of 50"]]
    param_names = ["start"]

    def setup(self, start):
        self.net = rack()
        self.state = self.net.solve(DENSITY, VISCOSITY)

    def run(self, start):
        if start == "sweep of 50":
            return self.net.sweep(DENSITY, VISCOSITY, speeds=np.linspace(0.2, 1, 50))
        return self.net.solve(DENSITY, VISCOSITY, speeds=0.95, start=self.state if start == "warm" else None)

    def time_solve(self, start):
        self.run(start)

    def track_steps(self, start):
        return self.run(start).steps

    track_steps.unit = "Newton steps"

    def track_continuity(self, start):
        state = self.run(start)
        lay, flows = state._layout, state.flows.reshape(-1, len(self.net.branches))
        out = np.zeros((flows.shape[0], len(lay.nodes)))
        np.add.at(out.T, lay.tail, flows.T)
        np.add.at(out.T, lay.head, -flows.T)
        return float(np.max(np.abs(out)) / np.max(np.abs(flows)))

    track_continuity.unit = "m3/m3"


class SideBySide:
    """One network between two pressures; an alternative that gives other flows is not timed."""

    params = [list(IMPLEMENTATIONS)]
    param_names = ["implementation"]

    def setup(self, implementation):
        self.net = rack(pumps=False)
        self.function = IMPLEMENTATIONS[implementation]
        expected = ours(self.net)
        if np.max(np.abs(self.function(self.net) - expected)) > AGREE * np.max(np.abs(expected)):
            raise NotImplementedError("the implementations disagree")

    def time_solve(self, implementation):
        self.function(self.net)


def main():
    """One table from one run: ``python -m benchmarks.flow``."""
    import tempfile
    from pathlib import Path

    def best(function, repeat):
        times = []
        for _ in range(repeat):
            begin = time.perf_counter()
            function()
            times.append(time.perf_counter() - begin)
        return min(times)

    print("72 plates, two pumps, 364 branches")
    for start in Rack.params[0]:
        case = Rack()
        case.setup(start)
        points = 50 if start.startswith("sweep") else 1
        print(f"{start:<16}{1e3 * best(lambda c=case, s=start: c.run(s), 30) / points:>9.3f} ms a point, "
              f"{case.track_steps(start) / points:.1f} steps, continuity {case.track_continuity(start):.0e}")
    net = rack(pumps=False)
    expected, eq = ours(net), Equations(net)
    print("\nbetween two pressures, cold")
    functions = {"thermo": lambda: ours(net), "numpy newton": lambda: numpy_newton(eq), "scipy root": lambda: scipy_root(eq)}
    base = None
    for name, function in functions.items():
        V, seconds = function(), best(function, 30 if name == "thermo" else 3)
        base = base or seconds
        print(f"{name:<16}{1e3 * seconds:>9.3f} ms{seconds / base:>9.1f} times, flows apart {np.max(np.abs(V - expected)) / np.max(expected):.0e}")
    try:
        import wntr  # noqa: F401
    except ImportError:
        print("EPANET: wntr is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        epanet = Epanet(Path(folder))
        pipes = rack(pumps=False, plate=EPANET_PLATE, disconnect=EPANET_DISCONNECT)
        state = pipes.solve(DENSITY, VISCOSITY)
        ours_there = best(lambda: ours(pipes), 30)
        seconds = best(epanet.solve, 30)
        flows = np.array([state.flow[f"plate-{i}"] for i in range(PLATES)])
        print(f"\npipes only, cold: thermo {1e3 * ours_there:.3f} ms, EPANET {1e3 * seconds:.3f} ms, {seconds / ours_there:.2f} times; "
              f"plate flows apart {np.max(np.abs(epanet.flows() / flows - 1)):.1%}")


if __name__ == "__main__":
    main()

"""Small networks for tests: how to run them, and what scipy.linalg.expm says about them."""
from types import SimpleNamespace

import numpy as np
from scipy.linalg import expm

from thermo.network import Network
from thermo.solve import integrate

STEPPERS = ("propagator", "tr-bdf2")


def run(network, *, solver="propagator", start=0.0, tolerance=1e-3, forced_step=0.0, control=None):
    """Runs from one temperature [K above reference] for all nodes; temperatures of all recorded nodes by group."""
    engine = network.build()
    for g in network.groups:
        T = np.empty((len(g.names), g.n_server))
        T[:] = start if np.ndim(start) < 2 else start
        engine.set_temperature(g.number, T)
        if control is not None:
            engine.set_control(g.number, np.full((len(g.controls), g.n_server), float(control)))
    engine.set_border_temperature(np.full(len(network.shared_names), float(np.min(start))))
    solution = integrate(network, engine, solver=solver, tolerance=tolerance, forced_step=forced_step)
    return SimpleNamespace(T=solution.nodes, shared=solution.shared, solution=solution, engine=engine,
                           statistics=solution.statistics)


def residual(solution):
    """The largest gap in the balance of energy of any interval, over the largest energy that passed in one."""
    gap = solution.energy_in - solution.energy_out - np.append(np.diff(solution.stored), 0.0)
    return np.max(np.abs(gap[:-1])) / max(np.max(np.abs(solution.energy_in)), np.max(np.abs(solution.energy_out)), 1e-300)


def rc(time, *, power=300.0, C=500.0, R=0.1, supply=20.0, n_server=1, linear=False):
    """One node with capacity against a boundary."""
    network = Network(time, reference=supply)
    g = network.group(n_server)
    node = g.node("lump", C)
    g.conductance(node, g.boundary(g.temperature_series(supply)), 1.0 / R)
    g.source(node, g.series(power, linear=linear))
    g.record(node)
    return network


def lanes(time, power, *, n_server=1, n_device=4, spread=0.0, inlet=0.0, seed=20250310, algebraic=True, linear=False,
          border=False):
    """Dies on plates in a lane of coolant; the coolant has no capacity where `algebraic`. `power` (time,) or (time, server)."""
    draw = np.random.default_rng(seed)

    def near(x):
        return x * (1 + spread * draw.uniform(-1, 1, n_server))

    network = Network(time)
    g = network.group(n_server)
    supply = g.boundary(g.series(inlet, linear=linear and np.ndim(inlet) > 0))
    heat = g.series(power, linear=linear)
    w = g.coefficient(near(95.0))
    at = supply
    if border:
        tank = network.shared("tank", 400.0 * n_server)
        g.stream(supply, tank, w)
        at = tank
    for _ in range(n_device):
        die, plate = g.node("die", near(1.2)), g.node("plate", near(150.0))
        cell = g.node("cell", 0.0 if algebraic else near(80.0))
        g.conductance(die, plate, near(1 / 0.020))
        g.conductance(plate, cell, near(1 / 0.025))
        g.stream(at, cell, w)
        g.source(die, heat)
        at = cell
    g.exit(at, w)
    for node in range(len(g.names)):
        g.record(node)
    return network


def reference(network, start, server=0):
    """Temperatures of all nodes at the samples by the matrix exponential, for series that hold and coefficients that stay.

    Nodes without capacity are eliminated by the Schur complement; inputs are folded in by the augmented matrix
    ``[[A, b], [0, 0]]`` (Van Loan 1978).
    """
    time, value, _ = network.series()
    g = network.groups[0]
    n = len(g.names)
    C = np.array([c[server] for c in g.capacity])
    K = np.zeros((n, n))
    feeds = np.zeros((n, len(g.signals)))  # heat into a node per unit of a signal
    scale = [s[server] for s in g.scale]

    def link(near, far, k):
        K[near, near] += k
        if far >= 1_000_000:
            feeds[near, g.boundaries[far - 1_000_000]] += k
        else:
            K[near, far] -= k

    for a, b, c in g.conductances:
        link(a, b, scale[c])
        if b < 1_000_000:
            link(b, a, scale[c])
    for a, b, c in g.streams:
        link(b, a, scale[c])
    for (node, signal), fraction in zip(g.sources, g.fractions, strict=True):
        feeds[node, signal] += fraction
    d, z = np.flatnonzero(C > 0), np.flatnonzero(C == 0)
    follow = np.linalg.solve(K[np.ix_(z, z)], np.hstack([-K[np.ix_(z, d)], feeds[z]])) if z.size else np.zeros((0, d.size))
    m = len(g.signals)
    state, inputs = K[np.ix_(d, d)], feeds[d]
    if z.size:
        state, inputs = state + K[np.ix_(d, z)] @ follow[:, :d.size], inputs - K[np.ix_(d, z)] @ follow[:, d.size:]
    A, B = -state / C[d, None], inputs / C[d, None]
    T = np.empty((time.size, n))
    x = np.full(d.size, float(start)) if np.ndim(start) == 0 else np.asarray(start, float)[d]
    known = {}
    for k in range(time.size):
        u = np.array([value[k, columns[server]] for columns in g.columns])
        T[k, d] = x
        if z.size:
            T[k, z] = follow @ np.append(x, u)
        if k + 1 < time.size:
            h = time[k + 1] - time[k]
            if h not in known:
                known[h] = expm(h * np.block([[A, B], [np.zeros((m, d.size + m))]]))
            x = (known[h] @ np.append(x, u))[:d.size]
    return T

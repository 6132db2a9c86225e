"""What the benchmarks run: three racks of a library server under a drawn load, and the bare network of coolant lanes."""
import numpy as np
import xarray as xr

import thermo
from thermo.network import Network

RACKS = {"tray": 1, "rack": 4, "row": 1000}  # servers; "rack" has 32 GPUs
SEED = 20250320


def build(case, *, samples=61, step=15.0):
    """``(rack, workload)``: utilisation drawn for each server, held between samples."""
    n = RACKS[case]
    u = np.random.default_rng(SEED).uniform(0.1, 1.0, (samples, n))
    load = xr.DataArray(u, dims=("time", "server"), coords={"time": step * np.arange(samples)}, attrs={"units": "1"})
    return thermo.Rack.from_library("dgx-h100", servers=n), load


def lanes(servers, samples, *, step=1.0, flow=1.0):
    """A network: in each server 4 GPUs in series along a coolant, die 1.2 J/K, plate 150, cell 80; die to plate 0.020 K/W,
    plate to cell 0.025, stream 95 W/K; 5 % spread (resistances 10 %). `flow` is a constant, or a share for each sample.
    """
    draw = np.random.default_rng(SEED)

    def near(value, spread):
        return value * (1 + spread * draw.uniform(-1, 1, servers))

    network = Network(step * np.arange(samples))
    g = network.group(servers)
    power = g.series(draw.uniform(110, 680, (samples, servers)))
    stream = g.coefficient(near(95.0, 0.05)) if np.ndim(flow) == 0 else g.coefficient(near(95.0, 0.05), g.series(flow))
    at = g.boundary(g.series(0.0))
    for _ in range(4):
        die, plate, cell = g.node("die", near(1.2, 0.05)), g.node("plate", near(150.0, 0.05)), g.node("cell", near(80.0, 0.05))
        g.conductance(die, plate, near(1 / 0.020, 0.1))
        g.conductance(plate, cell, near(1 / 0.025, 0.1))
        g.stream(at, cell, stream)
        g.source(die, power)
        at = cell
    g.exit(at, stream)
    g.record(0)
    return network


def run(network, solver, tolerance=0.01, forced_step=0.0):
    """From the steady state of the first sample to the end; temperatures ``[node, server]`` there."""
    from thermo.solve import integrate

    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    solution = integrate(network, engine, solver=solver, tolerance=tolerance, forced_step=forced_step)
    return engine.temperature(0), solution


def matrices(network):
    """``(C [node, server], K sparse, power column of each server)``: what a user would begin from."""
    from scipy.sparse import coo_array

    engine = network.build()
    engine.steady(*network.series(), interval=0, x=0.0)
    row, column, value = engine.matrix()
    C = np.array(network.groups[0].capacity)
    return C, coo_array((value, (row, column)), shape=(C.size, C.size)).tocsr(), engine.temperature(0)


def row(servers=1000, samples=3600, *, seed=0):
    """``(network, engine)`` of a row of DGX H100 at fixed fans, eight GPUs with a load of their own, at 1 s, in its steady
    state. Junctions are kept: what else a Dataset holds is memory traffic, not stepping."""
    from thermo import simulate, solve
    from thermo.cooling import Air

    values = np.random.default_rng(seed).uniform(110.0, 690.0, (samples, 8))
    load = xr.DataArray(values, dims=("time", "device"), coords={"time": np.arange(samples) * 1.0}, attrs={"units": "W"})
    scenario = simulate.checked(thermo.Rack.from_library("dgx-h100", servers=servers), load, cooling=Air(fan_speed=0.8))
    network = simulate.assemble(scenario, simulate.device_power(scenario)).network
    group = network.groups[0]
    group.record_nodes, group.record_signals = group.record_nodes[:8], []
    for capacity in group.capacity:  # no two servers alike, so that none stands for another
        capacity *= np.random.default_rng(seed).uniform(0.97, 1.03, capacity.size)
    engine = network.build()
    solve.steady_start(network, engine)
    return network, engine

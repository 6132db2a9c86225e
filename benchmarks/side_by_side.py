"""One table from one run: ``python -m benchmarks.side_by_side``. Ratios count; times are this machine's, now."""
import time
import warnings

import numpy as np

import thermo
from benchmarks import cases, network


def _best(function, repeat=3):
    best = np.inf
    for _ in range(repeat):
        begin = time.perf_counter()
        answer = function()
        best = min(best, time.perf_counter() - begin)
    return best, answer


def main():
    """Times, errors and ratios of the same network by each implementation; then the engine on the large cases."""
    warnings.simplefilter("ignore")
    servers, samples = 64, 61
    net = cases.lanes(servers, samples)
    rows = {name: _best(lambda f=f: f(net)) for name, f in network.IMPLEMENTATIONS.items()}
    base, exact = rows["propagator"]
    print(f"{servers} servers of 12 nodes, {samples - 1} s at 1 s; setup counted")
    print(f"{'':<18}{'seconds':>10}{'times':>9}{'K apart':>11}{'node-steps/s':>15}")
    for name, (seconds, T) in rows.items():
        print(f"{name:<18}{seconds:>10.4f}{seconds / base:>9.1f}{np.max(np.abs(T - exact)):>11.1e}"
              f"{servers * 12 * (samples - 1) / seconds:>15.2e}")
    print("\n1,000 servers of 12 nodes at 1 s")
    for stepper in network.Engine.params[0]:
        case = network.Engine()
        case.setup(stepper)
        seconds, _ = _best(lambda c=case, s=stepper: c.time_run(s), 2)
        steps = 12 * case.SERVERS * (case.samples - 1)
        print(f"{stepper:<18}{seconds:>10.3f} s for {case.samples - 1} s {steps / seconds:>12.2e} node-steps/s, "
              f"residual {case.track_energy_residual(stepper):.0e}")
    row = network.Row()
    row.setup(1000, 3601)
    seconds, _ = _best(lambda: row.time_step(1000), 2)
    print(f"\n1,000 DGX H100, 1 h at 1 s, junctions kept {seconds:.3f} s {row.node_steps() / seconds:>12.2e} node-steps/s")
    print("\n4 servers, 32 GPUs, 24 h at 15 s, to the Dataset")
    for fans, cooling in network.FANS.items():
        rack, load = cases.build("rack", samples=5761)
        seconds, r = _best(lambda rack=rack, load=load, c=cooling: thermo.simulate_rack(rack, load, cooling=c))
        print(f"{fans:<18}{seconds:>10.3f} s, residual {float(np.max(np.abs(r.energy_residual)) / np.min(r.it_power)):.0e} of IT power")
    print(f"\nimport thermo     {network.import_seconds():>10.3f} s")


if __name__ == "__main__":
    main()

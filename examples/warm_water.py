"""How warm may the coolant of a GB200 NVL72 be, and what flow does that take?

Warm water needs no chiller, but it leaves less for the plates: flow has to make up for it. The vendor's guide for distribution
units asks for 0.4 L/min a kilowatt at 25 degC and for 1.3 at 45. Here the least flow is found that holds the hottest GPU at full
load at one temperature, with plates from their geometry and a tray from its data sheet; no point of the guide went into either.

Held at 80 degC, 7 K below the operating limit that is assumed for it, a GPU needs 0.42, 0.51, 0.65, 0.88 and 1.37 L/min/kW at 25, 30,
35, 40 and 45 degC: the guide within 8 %, and that is printed to one digit. At 50 degC not even 3 L/min/kW hold it: plate, contact
and die alone take more than the 30 K that are left.

What this rests on. GPU and contact resistances are estimates, and the limit of the GPU is not published: 80 degC was taken because it
is a round number below the assumed limit, and another one moves all flows together. What the guide bears out is the shape: the
coolant's own warming, which is 1/flow, within the difference that the plates leave.
"""
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import brentq

import thermo

RACK = "gb200-nvl72"
HELD = 80.0  # degC, the hottest GPU
SUPPLY = (25.0, 30.0, 35.0, 40.0, 45.0, 50.0)  # degC
GUIDE = {25.0: 0.4, 30.0: 0.5, 35.0: 0.7, 40.0: 0.9, 45.0: 1.3}  # L/min/kW, vendor's self-qualification guide for CDUs
MOST = 3.0  # L/min/kW: twice what trays are built for
LPM = 1.0 / 60_000.0  # m3/s


def tray():
    """One tray of the rack, and the power on its plates [kW]."""
    rack = thermo.Rack.from_library(RACK).with_servers(1)
    server = rack.slots[0].server
    watts = sum(m.device.max_power * m.multiplicity for i, (_, m, _) in enumerate(server.devices) if i not in server.in_air)
    return rack, server, watts / 1e3


def at_rest(supply: float, per_kW: float):
    """The tray at full load with that flow, in L/min/kW, of coolant of that temperature."""
    rack, server, kW = tray()
    here = rack.replace(slots=(rack.slots[0].replace(server=server.replace(coolant_flow=per_kW * kW * LPM)),))
    design = thermo.library.load("cooling", "cold-plate")
    design = design.replace(supply_temperature=supply, pump=design.pump.replace(head=2e6))  # whatever the flow takes, it is there
    with warnings.catch_warnings():  # the search for a flow goes where devices are slowed down
        warnings.simplefilter("ignore", thermo.errors.ValidityWarning)
        return thermo.simulate_rack(here, 1.0, cooling=design, power="ideal").isel(time=-1)


def hottest(supply: float, per_kW: float) -> float:
    """Junction of the hottest GPU [degC]."""
    result = at_rest(supply, per_kW)
    return float(result["junction_temperature"].isel(device=np.flatnonzero(result["device_kind"].values == "gpu")).max())


def least_flow(supply: float, held: float = HELD) -> float:
    """Flow that holds the hottest GPU there [L/min/kW]; nan where none does."""
    if hottest(supply, MOST) > held:
        return float("nan")
    return float(brentq(lambda q: hottest(supply, q) - held, 0.3, MOST, xtol=1e-3))


def main(supply=SUPPLY) -> pd.DataFrame:
    """Prints the least flow beside the guide's, and what comes back."""
    rows = []
    for T in supply:
        flow = least_flow(T)
        back = float(at_rest(T, flow)["return_temperature"]) if np.isfinite(flow) else float("nan")
        rows.append({"supply_degC": T, "least_flow": flow, "guide": GUIDE.get(T, float("nan")), "return_degC": back})
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    return table


def figure(table):
    """Flow against supply temperature, and what the GPU is at under the guide."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.4), layout="constrained")
    fine = np.linspace(25.0, 48.0, 12)
    left.plot(fine, [least_flow(T) for T in fine], label=f"model, hottest GPU at {HELD:g} °C")
    guide = np.array(sorted(GUIDE.items()))
    left.errorbar(guide[:, 0], guide[:, 1], yerr=0.05, fmt="o", color="black", capsize=3, label="vendor's guide, printed to 0.1")
    left.set(xlabel="coolant supplied [°C]", ylabel="flow [L/min per kW on plates]", title="What warm coolant takes in flow")
    left.legend()
    flow = np.linspace(0.35, 2.0, 18)
    for T in (25.0, 35.0, 45.0):
        right.plot(flow, [hottest(T, q) for q in flow], label=f"{T:g} °C")
    right.plot(guide[:, 1], [hottest(T, q) for T, q in guide], "o", color="black", label="guide")
    right.axhline(87.0, color="grey", linestyle="--", label="operating limit (assumed)")
    right.set(ylim=(55.0, 95.0), xlabel="flow [L/min per kW on plates]", ylabel="hottest GPU [°C]", title="Full load, PG25")
    right.legend(title="supply", loc="upper right", ncols=2, fontsize="small")
    return fig


if __name__ == "__main__":
    import sys

    figure(main()).savefig(sys.argv[1] if len(sys.argv) > 1 else "warm_water.png", dpi=150)

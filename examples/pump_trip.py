"""A GB200 NVL72 behind a distribution unit loses its pumps, a pump, or its facility water: how long does it go on?

Four cases at 90 % load, each 30 s into the run: all pumps stop; one of two stops and nothing waits; one of two stops and a third takes over;
the facility's water stops while the pumps go on. What a junction does in the first seconds is the heat that silicon, case and plate
store; what the loop stores counts as long as coolant moves.

With all pumps gone the first GPU is slowed down after 2.7 s and shuts down after 5.3; the CPUs, behind the same plates but with less power,
follow after 6 and 30 s. One of two pumps still gives 77 % of the flow, because a pump that is alone meets less pressure, and nothing is slowed
down; with a third one that waits the flow is back after 4 s. Without facility water the loop's 56 L of coolant carry the
rack for 20 s before the first GPU is slowed down, and throttling stretches what is left to 140 s.

What this rests on. Inertia of the pumps (half speed after 1 s), plates, contacts and loop volumes are estimates of the library; heat to the
room from plates and pipes, and boiling, are left out, so that what happens long after the pumps stop is worse than it would be.
"""
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd

import thermo
from thermo import events

RACK = "gb200-nvl72"
LOAD, AT = 0.9, 30.0  # of full load, s
FACILITY_WATER = 30.0  # degC
CASES = {  # name: pumps that wait, events
    "all pumps stop": (0, [events.pump_trip(AT, "all")]),
    "one of two stops": (0, [events.pump_trip(AT, 1)]),
    "one of two stops, a third takes over": (1, [events.pump_trip(AT, 1)]),
    "facility water stops": (1, [events.water_loss(AT)]),
}


def run(standby: int, happens, horizon: float = 330.0):
    """The rack with two pumps and some that wait."""
    design = thermo.library.load("cooling", "cold-plate-cdu")
    design = design.replace(pump=design.pump.replace(count=2, standby=standby))
    load = thermo.workload.constant(LOAD, duration=horizon, time_step=5.0)
    with warnings.catch_warnings():  # devices are slowed down and shut down on purpose
        warnings.simplefilter("ignore", thermo.errors.ValidityWarning)
        return thermo.simulate_rack(RACK, load, cooling=design, events=happens, ambient={"facility_water_temperature": FACILITY_WATER})


def first(times, kind: str) -> float:
    """Of all devices of a kind [s]."""
    return float(times.isel(device=np.flatnonzero(times["device_kind"].values == kind)).min())


def table(results) -> pd.DataFrame:
    """When the first GPU, CPU and switch chip are slowed down and shut down [s]; inf where they are not in the five minutes."""
    rows = []
    for name, result in results.items():
        times = thermo.time_to_limits(result, AT)
        row = {"case": name, "flow left": float(result["mass_flow"].sum("server")[-1] / result["mass_flow"].sum("server")[0])}
        for kind in ("gpu", "cpu", "switch"):
            row |= {f"{kind} slows [s]": first(times["time_to_slowdown"], kind), f"{kind} off [s]": first(times["time_to_shutdown"], kind)}
        rows.append(row)
    return pd.DataFrame(rows)


def main():
    """Runs all cases, prints when what happens, gives the results."""
    results = {name: run(*case) for name, case in CASES.items()}
    print(table(results).round(2).to_string(index=False))
    return results


def figure(results):
    """Flow, hottest GPU and coolant supplied, against the time since the fault."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(3, 1, figsize=(9.0, 8.0), sharex=True, layout="constrained")
    colours = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")
    for (name, result), colour in zip(results.items(), colours, strict=True):
        since = result["time"].values - AT
        gpu = result.isel(device=np.flatnonzero(result["device_kind"].values == "gpu"))
        flow = result["mass_flow"].sum("server")
        axes[0].plot(since, flow / flow[0], color=colour, label=name, drawstyle="steps-post")
        axes[1].plot(since, gpu["junction_temperature"].max(("server", "device")), color=colour)
        axes[2].plot(since, result["supply_temperature"], color=colour)
    for limit, text in (("max_operating_temperature", "slowed down"), ("shutdown_temperature", "shuts down")):
        at = float(gpu[limit][0])
        axes[1].axhline(at, color="0.4", lw=1, ls="--")
        axes[1].text(0.985, at - 0.6, text, color="0.3", fontsize=9, ha="right", va="top", transform=axes[1].get_yaxis_transform())
    for ax, label in zip(axes, ("coolant flow\nover that before", "hottest GPU [°C]", "coolant supplied [°C]"), strict=True):
        ax.set_ylabel(label)
        ax.axvline(0, color="0.8", lw=1)
    axes[0].set_ylim(0, 1.1)
    axes[1].set_ylim(50, 100)
    axes[2].set_ylim(35, 90)
    axes[0].legend(loc="center right", fontsize=9)
    axes[2].set_xlabel("time since the fault [s]")
    axes[2].set_xlim(-5, 120)
    axes[0].set_title(f"{RACK} at {LOAD:.0%} load, facility water of {FACILITY_WATER:g} °C")
    return fig


if __name__ == "__main__":
    made = main()
    if len(sys.argv) > 1:
        figure(made).savefig(pathlib.Path(sys.argv[1]), dpi=150)

"""The utility fails under a rack of four DGX H100: what gives up first, the battery or the air, and when?

The UPS carries servers and their fans; the room's air handlers and the chiller stop. At full load the air that servers
breathe passes 35 degC after 42 s, and after 140 s the first GPU is at its operating limit: firmware then holds it there by its
clock, down to a tenth. That buys time. The first device shuts down after 441 s, and it is a drive, which has no clock to
lower; the battery, less loaded by then, would have lasted 643 s. The cooling, not the battery, is what this rack cannot do
without: also with power back within seconds, for the chiller is taken to need 240 s to give cold air again.

The order is the same at every load. Up to 40 % it is a CPU that throttles first, above that a GPU. Network cards and drives have no firmware here and cannot throttle; when they pass their limit is in `above_limit_after`.

What this rests on. The room's heat capacity is the default, an estimate of 6 J/K a watt of rated power: instants go in
proportion to it, and it is worth measuring.
"""
import numpy as np
import pandas as pd

import thermo

RACK = "dgx-h100"
LOADS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
INLET_LIMIT = 35.0  # degC, class A2
BEGIN = 60.0  # s, of the outage in the run that is drawn


def chain(generator: str | None = None) -> thermo.PowerChain:
    """The usual chain, as long as no generator has started: so the battery is seen to its end."""
    return thermo.PowerChain.from_library("ac-ups-480v").replace(generator=generator)


def sweep(loads=LOADS) -> pd.DataFrame:
    """One outage, longer than the run, at each load."""
    return thermo.ride_through(RACK, list(loads), event="utility_outage", power=chain(), inlet_limit=INLET_LIMIT, horizon=1800.0)


def run(load: float = 1.0, minutes: float = 8.0):
    """The outage itself at one load."""
    trace = thermo.workload.constant(load, duration=BEGIN + 60.0 * minutes, time_step=2.0)
    return thermo.simulate_rack(RACK, trace, power=chain(), events=[thermo.events.utility_outage(BEGIN, 3600.0)])


def main() -> pd.DataFrame:
    """Prints the table, in seconds after the outage."""
    table = sweep()
    shown = table[["workload", "it_power", "first", "first_after", "throttles_after", "shuts_down_after", "electrical_ride_through",
                   "thermal_ride_through"]]
    print(shown.round(1).to_string(index=False))
    return table


def figure(result, table):
    """Temperatures and charge of one outage, and the instants of all loads."""
    import matplotlib.pyplot as plt

    at = table.iloc[-1]
    minutes = (result["time"].values - BEGIN) / 60.0
    gpus = np.flatnonzero(result["device_kind"].values == "gpu")
    hottest = result["junction_temperature"].isel(device=gpus).max(("server", "device"))
    limit = float(result["max_operating_temperature"][gpus[0]])
    fig, (top, middle, right) = plt.subplots(1, 3, figsize=(13.5, 4.4), layout="constrained", width_ratios=(1.3, 0.8, 1.2))

    for name, series, colour in (("hottest GPU", hottest, "#b2182b"), ("exhaust", result["return_temperature"], "#ef8a62"),
                                 ("air that servers breathe", result["supply_temperature"], "#2166ac")):
        top.plot(minutes, series, color=colour)
        top.annotate(name, (-0.95, float(series[0])), xytext=(0, -11), textcoords="offset points", fontsize=8, color=colour)
    last = at["shuts_down_after"] / 60.0
    for name, y, x, colour in (("inlet limit, A2", INLET_LIMIT, at["inlet_above_limit_after"], "#2166ac"),
                               ("GPU throttles", limit, at["throttles_after"], "#b2182b")):
        top.axhline(y, color=colour, lw=0.8, ls=":")
        top.plot(x / 60.0, y, "o", color=colour, ms=5)
        top.annotate(f"{name}: {x:.0f} s", (x / 60.0, y), xytext=(-6, 4), textcoords="offset points", ha="right", fontsize=8, color=colour)
    top.axvspan(last, 1e3, color="0.92", zorder=0)
    top.text(last + 0.08, 22.0, f"{at['shuts_down_where'].split(', ')[-1]} shut down\n{60 * last:.0f} s", fontsize=8, color="0.4")
    top.set(xlim=(-1.0, 1.3 * last), ylim=(20.0, 105.0), xlabel="time after the outage [min]", ylabel="temperature [degC]",
            title=f"Utility outage at {at['it_power'] / 1e3:.0f} kW")

    empty = at["electrical_ride_through"] / 60.0
    charge = np.interp(minutes, [0.0, empty], [1.0, 0.0])
    middle.plot(minutes, 100 * charge, color="#1b7837")
    middle.plot(empty, 0.0, "o", color="#1b7837", ms=5, clip_on=False)
    middle.annotate(f"empty: {60 * empty:.0f} s", (empty, 0.0), xytext=(-14, 8), textcoords="offset points", ha="right", fontsize=8,
                    color="#1b7837")
    middle.axvspan(last, 1e3, color="0.92", zorder=0)
    middle.text(last + 0.1, 92.0, "no load left", fontsize=8, color="0.4")
    middle.set(xlim=(-1.0, 1.05 * max(empty, last)), ylim=(0.0, 103.0), xlabel="time after the outage [min]", ylabel="charge [%]",
               title="UPS battery, if the load stayed")

    power = table["it_power"] / 1e3
    for column, label, colour, style in (
            ("electrical_ride_through", "battery empty", "#1b7837", "-"), ("shuts_down_after", "first device shuts down", "#b2182b", "-"),
            ("throttles_after", "first device throttles", "#b2182b", "--"), ("inlet_above_limit_after", "inlet above 35 degC", "#2166ac", "-")):
        right.plot(power, table[column] / 60.0, style, marker="o", ms=3.5, color=colour, label=label)
    right.set(xlabel="IT power before the outage [kW]", ylabel="time after the outage [min]", yscale="log", title="What trips when")
    right.set_yticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    right.minorticks_off()
    right.grid(alpha=0.3)
    right.legend(fontsize=8, frameon=False)
    for ax in (top, middle, right):
        ax.spines[["top", "right"]].set_visible(False)
    return fig


if __name__ == "__main__":
    import sys
    import warnings

    warnings.simplefilter("ignore", thermo.errors.ValidityWarning)  # limits are passed on purpose
    found = main()
    figure(run(), found).savefig(sys.argv[1] if len(sys.argv) > 1 else "ride_through.png", dpi=130)

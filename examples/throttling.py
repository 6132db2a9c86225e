"""How warm may the room be before a DGX H100 loses work, and what does a failed fan cost on top?

Steady at full load, the library's server under its own fan control, supply air from 15 to 50 degC; then four of its fans fail in
air of 42.5 degC, followed in time. Clocks fall for two reasons, and the picture tells them apart: leakage grows with
temperature and eats into the rated power, a percent or two; and at the operating limit of silicon firmware takes what it
needs to hold the junction there.

What this rests on. Leakage share and scale, the clock's steps and the voltage behind it are estimates (see
`thermo.Device`, `thermo.rack.Firmware`); limits and the fans' curve are the vendor's.
"""
import numpy as np
import pandas as pd
import xarray as xr

import thermo

RACK = "dgx-h100"
INLETS = np.arange(15.0, 51.0, 2.5)  # degC
FAIL = 120.0  # s


def steady(inlets=INLETS) -> pd.DataFrame:
    """Hottest GPU, clocks, work lost and powers of one server at full load, against supply air."""
    rack = thermo.Rack.from_library(RACK, servers=1)
    rows = []
    for inlet in inlets:
        r = thermo.simulate_rack(rack, thermo.workload.constant(1.0), ambient={"air_temperature": float(inlet)}).isel(time=0, server=0)
        gpus = r.isel(device=np.flatnonzero(r.device_kind.values == "gpu"))
        rows.append({"inlet": inlet, "junction": float(gpus.junction_temperature.max()), "clock": float(gpus.clock_fraction.min()),
                     "work_lost": float(r.work_lost), "work_lost_in_step": float(r.work_lost_in_step),
                     "it_power": float(r.it_power), "fan_power": float(r.fan_power), "fan_duty": float(r.fan_duty)})
    return pd.DataFrame(rows)


def failed_fans(inlet: float = 42.5, fans: int = 4) -> xr.Dataset:
    """The same server when fans fail in warm air."""
    rack = thermo.Rack.from_library(RACK, servers=1)
    load = thermo.workload.constant(1.0, duration=900.0, time_step=5.0)
    return thermo.simulate_rack(rack, load, ambient={"air_temperature": inlet},
                                events=[thermo.events.fan_failure(FAIL, server=0, fan=fans)])


def main() -> pd.DataFrame:
    """Prints the table."""
    table = steady()
    print(table.round({"junction": 1, "clock": 3, "work_lost": 4, "work_lost_in_step": 4, "it_power": 0, "fan_power": 0,
                       "fan_duty": 2}).to_string(index=False))
    return table


def figure(table: pd.DataFrame, result: xr.Dataset):
    """Against inlet air, and in time behind the failure."""
    import matplotlib.pyplot as plt

    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(13.5, 4.2), layout="constrained")
    gpus = result.isel(server=0, device=np.flatnonzero(result.device_kind.values == "gpu"))
    limit = float(gpus.max_operating_temperature[0])
    left.plot(table["inlet"], table["junction"], color="#b2182b", marker="o", ms=3)
    left.axhline(limit, color="#b2182b", lw=0.8, ls=":")
    left.annotate("operating limit", (15, limit), xytext=(0, 3), textcoords="offset points", fontsize=8, color="#b2182b")
    left.set(xlabel="supply air [degC]", ylabel="hottest GPU [degC]", title="Steady at full load")
    fans = left.twinx()
    fans.plot(table["inlet"], 100 * table["fan_duty"], color="#2166ac", marker="o", ms=3)
    fans.set_ylabel("fan duty [%]", color="#2166ac")
    fans.set_ylim(0, 105)
    for column, label, colour in (("work_lost", "each GPU on its own", "#b2182b"),
                                  ("work_lost_in_step", "all wait for the slowest", "#762a83")):
        middle.plot(table["inlet"], 100 * table[column], color=colour, marker="o", ms=3, label=label)
    middle.set(xlabel="supply air [degC]", ylabel="work lost [%]", title="What the clocks take", ylim=(0, None))
    middle.legend(frameon=False, fontsize=8)
    minutes = (result["time"].values - FAIL) / 60.0
    right.plot(minutes, gpus.junction_temperature.max("device"), color="#b2182b")
    right.axhline(limit, color="#b2182b", lw=0.8, ls=":")
    right.set(xlabel="time after the fans fail [min]", ylabel="hottest GPU [degC]", title="Four fans fail in air of 42.5 degC")
    clock = right.twinx()
    clock.plot(minutes, 100 * gpus.clock_fraction.min("device"), color="#762a83", drawstyle="steps-post")
    clock.set_ylabel("slowest clock [%]", color="#762a83")
    clock.set_ylim(0, 105)
    for ax in (left, middle, right):
        ax.spines["top"].set_visible(False)
        ax.grid(alpha=0.3)
    return fig


if __name__ == "__main__":
    import sys
    import warnings

    warnings.simplefilter("ignore", thermo.errors.ValidityWarning)  # limits are met on purpose
    found = main()
    figure(found, failed_fans()).savefig(sys.argv[1] if len(sys.argv) > 1 else "throttling.png", dpi=130)

"""What does it take to boil the heat of a GPU server away, and how long does a tank last when something gives?

A DGX H100 stands in a tank of Novec 649, its GPUs under boiling plates of 75 mm, its fans taken out. Three runs, each with something at 30 s:

- a step from 40 to 100 % load on these plates: 72 degC, with 2.2 times the flux left to the critical one;
- the same step on plates of 44 mm, which would have to go beyond it: a film takes the place of the liquid and carries a twenty-fifth of the
  flux, so that the junction goes up by some five kelvin a second, and firmware shuts the GPU down after 7 s;
- the condenser's water lost for four minutes at full load: the tank stores heat for 104 s while its pressure rises from 86 to 131 kPa, then
  the vent opens and closes; 13 of 47 kg are lost, and what stood highest is dry and shut down.

What this rests on. The plate's finish (superheat a third of plain copper's, critical flux twice) and the tank's 3 L of liquid for each kilowatt are
estimates; superheats of like surfaces differ by a third, critical fluxes by a fifth. A real film spreads from a dry spot in the middle of the
plate, which comes sooner than the mean flux says.
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import xarray as xr

import thermo
from thermo import events
from thermo.cooling.boiling import Surface

RACK, WATER, AT = "dgx-h100", 30.0, 30.0
SMALL = Surface.from_library("boiling-plate", length=0.044, width=0.044)


def load(before: float, after: float, horizon: float) -> xr.DataArray:
    """Utilisation, a step at `AT`."""
    t = np.arange(0.0, horizon + 0.5)
    return xr.DataArray(np.where(t < AT, before, after), dims="time", coords={"time": t}, attrs={"units": "1"})


def run(workload, happens=(), **changes):
    """One server in the library's tank with some fields changed."""
    design = thermo.library.load("cooling", "two-phase-immersion").replace(**changes)
    with warnings.catch_warnings():  # a device is shut down, fluid is lost: on purpose
        warnings.simplefilter("ignore", thermo.errors.ValidityWarning)
        return thermo.simulate_rack(thermo.Rack.from_library(RACK, servers=1), workload, cooling=design, events=happens,
                                    ambient={"facility_water_temperature": WATER})


def table(results) -> pd.DataFrame:
    """The hottest GPU, the least margin to the critical heat flux, when the first GPU is off [s after the event], pressure and mass lost."""
    rows = []
    for name, result in results.items():
        gpu = result.isel(device=np.flatnonzero(result["device_kind"].values == "gpu"), server=0)
        off = (gpu["clock_fraction"] == 0).any("device").values
        rows.append({"run": name, "junction [degC]": float(gpu["junction_temperature"].max()), "margin": float(gpu["chf_margin"].min()),
                     "off after [s]": float(result["time"][int(np.argmax(off))]) - AT if off.any() else np.inf,
                     "pressure [kPa]": float(result["tank_pressure"].max()) / 1e3,
                     "lost [kg]": float(result["fluid_mass"][0] - result["fluid_mass"][-1])})
    return pd.DataFrame(rows)


def main():
    """Runs all three, prints what came of them, gives the results."""
    results = {"step": run(load(0.4, 1.0, 90.0)), "step on small plates": run(load(0.4, 1.0, 90.0), surfaces={"gpu": SMALL}),
               "water lost": run(load(1.0, 1.0, 480.0), [events.water_loss(AT, 240.0)])}
    print(table(results).round(2).to_string(index=False))
    for name, result in results.items():
        for message in json.loads(result.attrs["warnings"]):
            print(f"{name}: {message}")
    return results


def figure(results):
    """Junction, heat flux and pressure of the steps; pressure and mass of the tank without water."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 2, figsize=(10.0, 6.5), layout="constrained")
    for name, colour in (("step", "#0072B2"), ("step on small plates", "#D55E00")):
        gpu = results[name].sel(device="gpu0").isel(server=0)
        since = gpu["time"].values - AT
        axes[0, 0].plot(since, gpu["junction_temperature"], color=colour, label=name)
        axes[1, 0].plot(since, gpu["heat_flux"] / 1e3, color=colour)
    axes[0, 0].axhline(float(gpu["shutdown_temperature"]), color="0.4", lw=1, ls="--")
    axes[0, 0].text(58, float(gpu["shutdown_temperature"]) - 0.8, "shuts down", color="0.3", fontsize=9, ha="right", va="top")
    axes[0, 0].set_title("Power step")
    axes[0, 0].legend(loc="lower right", fontsize=9)
    lost = results["water lost"]
    minutes = (lost["time"].values - AT) / 60
    axes[0, 1].plot(minutes, lost["tank_pressure"] / 1e3, color="#0072B2")
    axes[0, 1].axhline(131.325, color="0.4", lw=1, ls="--")
    axes[0, 1].text(minutes[-1], 130.3, "vent opens", color="0.3", fontsize=9, ha="right", va="top")
    axes[1, 1].plot(minutes, lost["fluid_mass"], color="#009E73")
    axes[0, 1].set_title("Condenser water lost for four minutes")
    labels = (("GPU junction [°C]", "tank pressure [kPa]"), ("heat flux of its plate [kW/m²]", "fluid in the tank [kg]"))
    for row, words in zip(axes, labels, strict=True):
        for ax, word in zip(row, words, strict=True):
            ax.set_ylabel(word)
            ax.axvline(0, color="0.8", lw=1)
    for ax in axes[:, 0]:
        ax.set_xlim(-10, 60)
    for ax in axes[:, 1]:
        ax.axvspan(0, 4, color="0.94")
    axes[1, 0].set_xlabel("time since the step [s]")
    axes[1, 1].set_xlabel("time since water was lost [min]")
    return fig


if __name__ == "__main__":
    made = main()
    if len(sys.argv) > 1:
        figure(made).savefig(pathlib.Path(sys.argv[1]), dpi=150)

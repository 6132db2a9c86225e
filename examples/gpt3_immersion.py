"""64 nodes of 8 H100 train GPT-3 in tanks of oil, their power measured: how warm does the tank become, and how long would it go on without pumps?

The trace is that of MLPerf Training v4.0, nodes immersed in oil (438 kW on average, 57 minutes, 2 s samples); it does not come with the package:
give the path of a picture and the folder that holds it. Without a folder, a job on a single node that does come with it is run in the same way.

What is measured is what each node's supplies draw. The model's node is that of `dgx-h100` without its fans; its utilisation is read off
the measured power, so that power and energy are the trace's to rounding, and what the model adds is temperatures, flows, pumps and
the plant. There are no temperatures in the source to hold them against. What can be checked: the energy balance; that the power that the nodes
draw follows from what their supplies deliver, by a loss fitted on other jobs (`validate_psu.py`); and that nothing would have been throttled,
as nothing was.

Found for the 64 nodes: oil leaves the tank with 47.5 degC, 7.5 K above the feed, and hides the swings of the power within a degree; the hottest
GPU comes to 64 degC; pumps and dry cooler make it a PUE of 1.034. Power drawn by what supplies deliver is 1.1 % above the measured one: what is
lost in these nodes' supplies is less than in those of the other jobs. Without pumps CPUs are slowed down first, after 130 s in a lane that
then hardly moves, and the GPUs after 13 minutes, when the oil around them has become warm.

What this rests on: the tank's sizes and the sinks' equivalents in oil are estimates of the library (`immersion.toml`, `thermo.cooling.immersed`), liquid
and feed temperature are assumed.
"""
import pathlib
import sys
import warnings

import numpy as np
import xarray as xr

import thermo
import thermo.errors
from thermo import events

NODE, TANK = "dgx-h100", "immersion"
SINGLE = "llama2_70b_lora"  # the job that comes with the package
TRIP = 0.5  # of the run, when the pumps stop in the second case
GPUS = [f"gpu{i}" for i in range(8)]
SUPPLY_LOSS = 130.0, 0.008  # W, W/W: fitted on six jobs of one node by validate_psu.py


def measured(folder: str | pathlib.Path | None) -> xr.Dataset:
    """Power of each node, with a dim server."""
    data = thermo.traces.h100_immersion(SINGLE) if folder is None else thermo.traces.h100_immersion("gpt3", path=folder)
    return data if "server" in data.dims else data.expand_dims("server", axis=1)


def node_power(u: float) -> float:
    """What a node of the model draws at a utilisation [W], at the reference temperature."""
    server = thermo.Rack.from_library(NODE, servers=1).slots[0].server
    watts = 0.0
    for i, (_, mount, _) in enumerate(server.devices):
        d = mount.device
        load = u if i in server.accelerators else min(mount.load + mount.follows * u, 1.0)
        watts += mount.multiplicity * (d.idle_power + load * (d.max_power - d.idle_power))
    return watts * (1 + server.conversion_slope) + server.conversion_loss


def utilisation(power: xr.DataArray) -> xr.DataArray:
    """Utilisation at which the model's node draws the measured power; what lies outside 0 to 1 is cut."""
    idle, full = node_power(0.0), node_power(1.0)
    return ((power - idle) / (full - idle)).clip(0.0, 1.0).assign_attrs(units="1", interpolation="linear")


def run(power: xr.DataArray, happens: tuple = ()) -> xr.Dataset:
    """The nodes in their tank under a measured power."""
    rack = thermo.Rack.from_library(NODE, servers=power.sizes["server"])
    silicon = rack.map_servers(lambda s: s.replace(mounts=tuple(  # measured power holds what leaks
        m.replace(device=m.device.replace(leakage_share=0.0)) if m.device.leakage_share else m for m in s.mounts)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", thermo.errors.ValidityWarning)
        return thermo.simulate_rack(silicon, utilisation(power), cooling=TANK, power="ideal", events=happens)


def main(folder: str | pathlib.Path | None = None) -> dict[str, object]:
    """Runs the trace through the tank, and once more with the pumps stopped half-way."""
    data = measured(folder)
    power, delivered = data["server_power"], data["server_power_dc"]
    r = run(power)
    stop = TRIP * float(r.time[-1])
    tripped = run(power, (events.pump_trip(stop),))
    span = np.diff(r.time.values)
    offset, slope = SUPPLY_LOSS
    predicted = float((delivered * (1 + slope) + offset).mean())
    drawn = float(np.sum(0.5 * (power.values[1:] + power.values[:-1]) * span[:, None]))
    limit = thermo.time_to_limits(tripped, stop).time_to_slowdown.min("server")
    gpus = r.junction_temperature.sel(device=GPUS)
    return {"power": float(power.sum("server").mean()), "energy_error": float(r.it_power.values[:-1] @ span) / drawn - 1,
            "supplies_error": predicted / float(power.mean()) - 1, "residual": float(abs(r.energy_residual).max() / r.it_power.min()),
            "hottest_gpu": float(gpus.max()), "work_lost": float(r.work_lost.max()), "outlet": float(r.return_temperature.mean()),
            "outlet_swing": float(r.return_temperature.max() - r.return_temperature.min()), "flow": float(r.mass_flow.sum("server").mean()),
            "pue": float(r.pue_mean), "to_air": float(r.heat_to_air.mean()), "first_slowed_after": float(limit.min()), "first_slowed": str(limit.device[int(limit.argmin("device"))].values),
            "gpu_slowed_after": float(limit.sel(device=GPUS).min()),
            "fans": r.attrs["fans"], "result": r, "tripped": tripped, "stop": stop}


def plot(found: dict[str, object], path: pathlib.Path) -> None:
    """Power, liquid by height and GPUs, with pumps and after they stop."""
    import matplotlib.pyplot as plt

    r, tripped = found["result"], found["tripped"]
    minutes = r.time / 60
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(9, 10), sharex=True, layout="constrained")
    top.plot(minutes, r.it_power / 1e3, lw=0.8, label="nodes")
    top.plot(minutes, r.heat_to_liquid / 1e3, lw=1.5, label="heat to the unit")
    top.set(ylabel="kW", title=f"{r.sizes['server']} node(s) in oil, measured power")
    top.legend(loc="lower right")
    for height, line in r.fluid_temperature.groupby("height"):
        middle.plot(minutes, line.squeeze(), lw=1, color=plt.cm.viridis(float(height) / float(r.height.max())), label=f"{float(height):.2f} m")
    middle.set(ylabel="liquid, °C", title="bath and layers by height")
    middle.legend(ncols=3, fontsize=8, loc="lower right")
    for data, label, colour in ((r, "pumps run", "tab:blue"), (tripped, "pumps stop", "tab:red")):
        T = data.junction_temperature.sel(device=GPUS).stack(unit=("server", "device"))
        bottom.fill_between(data.time / 60, T.min("unit"), T.max("unit"), alpha=0.4, color=colour, label=f"GPUs, {label}")
    bottom.axvline(float(found["stop"]) / 60, color="k", lw=0.8, ls=":")
    bottom.set(ylabel="junction, °C", xlabel="minutes")
    bottom.legend(loc="upper left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    picture, folder = (*sys.argv[1:3], *(None, None))[:2]
    found = main(folder)
    for name, value in found.items():
        if isinstance(value, float | str):
            print(f"{name:18s} {value if isinstance(value, str) else f'{value:.6g}'}")
    plot(found, pathlib.Path(picture or "gpt3_immersion.png"))

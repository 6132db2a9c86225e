"""How warm are the processors of 334 water-cooled nodes over their water, and how much of it does a rack model know beforehand?

One reading of a production cluster at one instant: power of both sockets together, a temperature of each, inlet water. The model
is the library's ``sd650-v3``: two Xeons one behind the other in a loop, plates and flow from estimates, none from these temperatures.
What is predicted is processor over water, each node at its own power in its chassis' water, at rest.

Nothing fitted, the model sees 61 % of the rise: 8.7 K RMSE, 7.0 K too cold on average, half a kelvin off below 160 W a socket and
8.9 K too cold above 320 W. The plate lies half-way between the two numbers of the one Xeon plate that is published; at these it would be
7.3 or 10.4 K RMSE, and what follows would not move. One resistance fitted, that from the sensor to the plate, on one half of the chassis and judged on the
other: 4.0 K one way round, 4.8 K the other, with 0.036 and 0.032 K/W in place of the library's 0.0092. That is no impossible number:
the library's is of a die of one temperature, a sensor is near a core that works, and limits of 79 degC for the lid and some 100 for
the die at 350 W leave room for 0.06.

What it does not explain, and cannot. Nodes at one power differ by 3.8 K (standard deviation of the mean of their sockets), those of
one chassis by 3.1 K, the two of one tray by 2.2 K: two thirds of the variance is shared by what shares water, which speaks for flow,
that nobody logged, before paste (neighbours may share a job too, but it has its say in power). In racks 30 and 32 what is left falls
by 4 to 5 K from chassis 1 to chassis 6, as along a manifold; rack 14, a quarter full, is 6.4 K cooler than the fit, one chassis 5.9 K
warmer. The rest is in the sockets, whose difference varies by 3.9 K: power of both is one number, cores are not loaded alike, and
temperatures are whole degrees. A straight line would have 0.082 K/W above 67 W a socket rather than 0.064 from nothing (4.2 against
4.3 K): the fitted model is 3.6 K too warm below 220 W. That is what one sees if a load heats cores, where the sensors are, and an
idle processor the rest of its dies, or if the sensors read low when cold; one instant cannot tell these apart.

The socket behind is warmer by 1.8 +- 0.2 K, the model says 3.3: 1.8 times the flow that was assumed (1.5 L/min for each kW, a rule and
not the maker's figure), or a loop that is not all in series. The node's own sensor of inlet water tells less than its chassis': 1.2 K
of standard deviation among nodes on one manifold, so the chassis' median is taken as the water of each. Which Xeon it is is not in
the data: two sockets that hold 350 W each, which is a Sapphire Rapids of the top. Of the nodes with inlet water 17 are left out for
a load that has just changed; with them the halves have 4.1 and 5.4 K.
"""
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

import thermo

RACK = "sd650-v3"
CPUS = ["cpu0", "cpu1"]
JUST_MOVED = 100.0  # W, by which a node's other consumers may be off what they are at that power
SECONDS = [0.0, 60.0]  # of a run that starts at rest and stays there


def nodes(path=None, just_moved: float = JUST_MOVED) -> tuple[xr.Dataset, dict[str, int]]:
    """The water-cooled nodes without GPUs, and how many of the others were left out for which reason, in that order.

    Power, of the node and of its processors, is read from sensors that average each in its own way. Where what is left for other
    consumers is off its line over processors and memory, the node has just changed its load: its temperature is on its way.
    """
    data = thermo.traces.cannon(path=path)
    cpu, memory = data["cpu_power"].values, data["memory_power"].values
    other = data["server_power"].values - cpu - memory
    left, dropped = np.ones(cpu.size, dtype=bool), {}

    def leave_out(reason: str, bad: np.ndarray) -> None:
        dropped[reason] = int(np.sum(left & bad))
        left[bad] = False

    leave_out("no sensor of inlet water", np.isnan(data["inlet_water_temperature"].values))
    leave_out("GPUs in the same water", np.isfinite(data["gpu_board_power"].values))
    leave_out("processors read 0 W", cpu == 0.0)
    line = np.polyfit((cpu + memory)[left], other[left], 1)
    leave_out("load has just changed", np.abs(other - np.polyval(line, cpu + memory)) > just_moved)
    kept = data.isel(node=np.flatnonzero(left))
    places = [name.removeprefix("holy8a") for name in kept["node"].values.tolist()]  # rack, chassis in it, node in that: 14 1 01
    kept = kept.assign_coords(rack=("node", [p[:2] for p in places]), chassis=("node", [p[:3] for p in places]),
                              tray=("node", [f"{p[:3]}-{(int(p[3:]) + 1) // 2}" for p in places]))
    water = kept["inlet_water_temperature"].groupby("chassis").median("node").sel(chassis=kept["chassis"])
    return kept.assign(water_temperature=("node", water.values)), dropped


def model(spread: float = 1.0) -> thermo.Rack:
    """The rack, with that factor on what is between a processor's sensor and its plate; its firmware has had its say in measured power."""
    def changed(mount):
        if not set(mount.names) & set(CPUS):
            return mount
        return mount.replace(device=mount.device.replace(firmware=None), spread=(spread,) * len(mount.names))

    return thermo.Rack.from_library(RACK).map_servers(lambda s: s.replace(mounts=tuple(changed(m) for m in s.mounts)))


def rise(rack: thermo.Rack, cpu_power: np.ndarray, water: np.ndarray) -> np.ndarray:
    """Processors over their water at rest [K], ``(node, socket)``: one server a node, both sockets at half of its power."""
    n = len(cpu_power)
    power = xr.DataArray(np.broadcast_to(np.asarray(cpu_power)[None, :, None] / 2, (2, n, 2)), dims=("time", "server", "device"),
                         coords={"time": SECONDS, "device": CPUS}, attrs={"units": "W", "interpolation": "linear"})
    supply = xr.DataArray(np.broadcast_to(water, (2, n)), dims=("time", "server"), coords={"time": SECONDS}, attrs={"units": "degC"})
    design = thermo.library.load("cooling", "cold-plate-w32").replace(supply_temperature=supply)
    end = thermo.simulate_rack(rack.with_servers(n), power, cooling=design, power="ideal").isel(time=-1)
    return end["junction_temperature"].sel(device=CPUS).transpose("server", "device").values - np.asarray(water)[:, None]


def measured_rise(kept: xr.Dataset) -> np.ndarray:
    """What the sensors say of that [K], ``(node, socket)``."""
    return (kept["cpu_temperature"] - kept["water_temperature"]).transpose("node", "socket").values


def fitted(kept: xr.Dataset) -> float:
    """The factor on the resistance from sensor to plate that leaves the least squares: at rest a rise is a straight line in it."""
    watts, water = kept["cpu_power"].values, kept["water_temperature"].values
    once, twice = rise(model(1.0), watts, water), rise(model(2.0), watts, water)
    return 1.0 + float(np.sum((measured_rise(kept) - once) * (twice - once)) / np.sum((twice - once) ** 2))


@dataclass(frozen=True)
class Score:
    """Model minus measurement on some nodes."""

    spread: float  # factor on the resistance
    error: np.ndarray  # K, (node, socket)

    @property
    def rmse(self) -> float:
        """Of all sockets [K]."""
        return float(np.sqrt(np.mean(self.error**2)))

    @property
    def bias(self) -> float:
        """Mean error [K]."""
        return float(np.mean(self.error))


def score(kept: xr.Dataset, spread: float) -> Score:
    """How well the rack with that factor meets these nodes."""
    return Score(spread, rise(model(spread), kept["cpu_power"].values, kept["water_temperature"].values) - measured_rise(kept))


def halves(kept: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Nodes of chassis with odd and with even numbers: chassis stay whole, since nodes that share water err alike."""
    odd = np.array([int(name) % 2 == 1 for name in kept["chassis"].values])
    return kept.isel(node=np.flatnonzero(odd)), kept.isel(node=np.flatnonzero(~odd))


def spread_within(error: np.ndarray, label: np.ndarray) -> float:
    """Standard deviation among nodes with the same label, from the mean error of each node's sockets [K]."""
    table = pd.DataFrame({"error": error.mean(axis=1), "label": label})
    own = table["error"] - table.groupby("label")["error"].transform("mean")
    return float(np.sqrt(np.sum(own**2) / (len(table) - table["label"].nunique())))


def main(path=None) -> dict[str, object]:
    """Unfitted on all nodes; each half of the chassis from the other; and where the rest lies."""
    kept, dropped = nodes(path)
    odd, even = halves(kept)
    everything = score(kept, fitted(kept))
    label = {"all": np.zeros(kept.sizes["node"]), **{of: kept[of].values for of in ("rack", "chassis", "tray")}}
    behind = np.diff(measured_rise(kept), axis=1)[:, 0]
    watts = np.repeat(kept["cpu_power"].values / 2, 2)
    slope, offset = np.polyfit(watts, measured_rise(kept).ravel(), 1)
    return {
        "nodes": kept, "dropped": dropped, "unfitted": score(kept, 1.0), "all": everything,
        "odd from even": score(odd, fitted(even)), "even from odd": score(even, fitted(odd)),
        "spread": {of: spread_within(everything.error, names) for of, names in label.items()},
        "second socket": (float(behind.mean()), float(behind.std() / np.sqrt(behind.size))), "sockets": float(behind.std()),
        "line": (float(slope), float(-offset / slope), float(np.std(measured_rise(kept).ravel() - offset - slope * watts))),
    }


def figure(found):
    """Rise against power with the model's lines; what is left, by chassis and as a histogram."""
    import matplotlib.pyplot as plt

    kept, everything, before = found["nodes"], found["all"], found["unfitted"]
    watts, seen = kept["cpu_power"].values / 2, measured_rise(kept)
    fig, axes = plt.subplot_mosaic([["rise", "rise", "histogram"], ["chassis", "chassis", "chassis"]], figsize=(11.5, 8.0),
                                   layout="constrained", height_ratios=[1.35, 1.0])
    ax, rng = axes["rise"], np.random.default_rng(20250530)
    for socket, colour, label in ((0, "#2166ac", "socket 1"), (1, "#b2182b", "socket 2, behind it")):
        jitter = rng.uniform(-0.4, 0.4, watts.size), rng.uniform(-2.0, 2.0, watts.size)
        ax.plot(watts + jitter[1], seen[:, socket] + jitter[0], "o", ms=3.2, alpha=0.45, mew=0, color=colour, label=f"measured, {label}")
    grid = np.linspace(60.0, 400.0, 12)
    water = np.full(grid.size, float(kept["water_temperature"].mean()))
    best = rise(model(everything.spread), 2 * grid, water).mean(axis=1)
    low, high = np.quantile(-everything.error, [0.05, 0.95])
    ax.fill_between(grid, best + low, best + high, color="0.8", alpha=0.6, lw=0, label="holds 90 % of the sockets")
    ax.plot(grid, best, color="black", label="model, one resistance fitted")
    ax.plot(grid, rise(model(), 2 * grid, water).mean(axis=1), color="black", linestyle="--", label="model, nothing fitted")
    slope, start, _ = found["line"]
    ax.plot([start, grid[-1]], [0.0, slope * (grid[-1] - start)], color="#1b7837", linestyle=":",
            label=f"straight line, {slope:.3f} K/W above {start:.0f} W")
    ax.set(xlabel="power of a socket, half of what the node reports [W]", ylabel="processor over its chassis' water [K]", xlim=(55.0, 405.0),
           ylim=(-3.0, 42.0), title=f"{len(watts)} nodes at one instant")
    ax.legend(fontsize=8, frameon=False, loc="upper left")

    ax = axes["histogram"]
    bins = np.arange(-22.5, 15.0, 1.5)
    for what, colour, name in ((before, "#fdae61", "nothing fitted"), (everything, "#4d4d4d", "one fitted, on all")):
        ax.hist(what.error.ravel(), bins=bins, color=colour, alpha=0.7, label=f"{name}: {what.bias:+.1f} K, RMSE {what.rmse:.1f} K")
    ax.axvline(0.0, ymax=0.78, color="black", lw=0.8)
    ax.set(xlabel="model minus measurement [K]", ylabel="sockets", title="What is left")
    ax.set_ylim(0.0, 1.3 * ax.get_ylim()[1])
    ax.legend(fontsize=8, frameon=False, loc="upper left")

    ax, names = axes["chassis"], sorted(set(kept["chassis"].values.tolist()))
    left = -everything.error.mean(axis=1)
    for i, name in enumerate(names):
        here = kept["chassis"].values == name
        trays = kept["tray"].values[here]
        for tray in sorted(set(trays)):
            pair = left[here][trays == tray]
            x = i + 0.11 * (int(tray.split("-")[1]) - 3.5)
            ax.plot([x] * len(pair), pair, "-o", color="#2166ac", ms=2.6, lw=0.9, alpha=0.75)
        ax.plot([i - 0.4, i + 0.4], [left[here].mean()] * 2, color="black", lw=1.6)
    for i in range(1, len(names)):
        if names[i][:2] != names[i - 1][:2]:
            ax.axvline(i - 0.5, color="0.75", lw=0.8)
    ax.axhline(0.0, color="0.5", lw=0.8)
    ax.set(xticks=range(len(names)), xlim=(-0.7, len(names) - 0.3), xlabel="rack and chassis", ylabel="measurement minus fit [K]",
           title="Nodes of one tray (joined) and of one chassis (bar: mean) err alike: they share water")
    ax.set_xticklabels([f"{n[:2]}.{n[2]}" for n in names], rotation=90, fontsize=7)
    for ax in axes.values():
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def report(found) -> None:
    """Prints what was found."""
    for reason, count in found["dropped"].items():
        print(f"{count:5} left out: {reason}")
    print(f"{found['nodes'].sizes['node']:5} nodes kept")
    for name in ("unfitted", "odd from even", "even from odd", "all"):
        s = found[name]
        print(f"{name:14} x{s.spread:.2f}: RMSE {s.rmse:.2f} K, bias {s.bias:+.2f} K, worst {np.abs(s.error).max():.1f} K")
    print("nodes differ by", ", ".join(f"{sd:.1f} K ({of})" for of, sd in found["spread"].items()), f"; sockets by {found['sockets']:.1f} K")
    mean, error = found["second socket"]
    print(f"second socket {mean:+.2f} +- {error:.2f} K; straight line {found['line'][0]:.4f} K/W above {found['line'][1]:.0f} W, "
          f"RMSE {found['line'][2]:.2f} K")


if __name__ == "__main__":
    import sys

    answer = main()
    report(answer)
    figure(answer).savefig(sys.argv[1] if len(sys.argv) > 1 else "validate_cannon.png", dpi=130)

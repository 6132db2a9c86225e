"""Does a package from its geometry explain the first two seconds after a GPU begins to work?

Four GPUs were stepped from idle to full load and back, read every 7 to 13 ms (SC24 benchmark, MIT licence). Their packages are those of the
library: die areas are facts, thicknesses, interface and sink are estimates with their marks, and nothing is fitted, neither a resistance nor a
capacity. What is not known is carried as a band: the interface (0.05 to 0.15 K cm2/W), the sink's base (from plain copper to a vapour chamber of
10,000 W/(m K)), the share of the board's power that is made in the die (0.75 to 0.92, the rest being conversion and memory), and a tenth of the
silicon's conductivity.

The power that a board tells is a mean over the 100 ms before (of the A100: over 25 of them), renewed every 100 ms, so each reading is put where it
was taken; the interval in which the step fell is filled so that its mean stays. The step itself is where the temperature begins to move.
Sensors tell whole degrees, and no one says where on the die they sit.

Found, as predicted over measured rise two seconds after the step, with the band: RTX 3090 1.4 (0.9 to 2.8), RTX A5000 0.96 (0.7 to 2.0), RTX 4090
0.97 (0.7 to 2.0), A100 0.7 (0.5 to 1.3). Two cards with one die differ by 1.4, so what is not known of a card weighs more than the die: a 3090 may
give more of its step to memory. In the first tenth of a second those two are slower than their geometry, and the 4090 and the A100 quicker (0.7
to 0.8 of the rise is explained); where sensors sit, and how quick they are, may be why. What makes the band wide is the sink's base.
The V100's square waves (2 K in whole degrees) say nothing of this.

No number was moved to fit, but the sink was looked at twice: as a plate of copper with a film and without fins it gave 1.2 to 2.4 times the rise after
two seconds; fins and vapour chamber, which such cards have, were put in then, with the estimates above. Die and interface are as first written.
"""
import sys
from dataclasses import dataclass

import numpy as np

import thermo
from thermo.package import Material, Package, Resolution, reduce

WINDOW = 0.1  # s, over which a reading of power is a mean
SECONDS = 2.0
AT = (0.1, 0.3, 1.0, 2.0)  # s after the step
CASES = {  # interface [m of grease], base, share of power in the die, times the conductivity of silicon
    "nominal": (4e-5, 5000.0, 0.85, 1.0), "low": (2e-5, 10000.0, 0.75, 1.1), "high": (6e-5, 390.0, 0.92, 0.9)}
GPUS = {"rtx3090": "ga102-card", "a5000": "ga102-card", "rtx4090": "ad102-card", "a100": "a100-sxm"}


@dataclass(frozen=True)
class Step:
    """A measured step: rise over what was before, and power over what was before."""

    time: np.ndarray  # s after the step
    rise: np.ndarray  # K, as read
    power: np.ndarray  # W over idle, put where it was taken


def package(name: str, interface: float, spreads: float, conductivity: float) -> Package:
    """The GPU's package with such an interface and base; of the A100, whose sink is a passive one in air, with that of a card in place of its cold plate."""
    own, card = Package.from_library(name), Package.from_library("ga102-card")
    sink = card.layers[-3:]  # interface, base, fins
    below = own.layers[:[layer.name for layer in own.layers].index("tim")]
    tim = own.layers[len(below)].replace(thickness=interface, material="grease")
    base = sink[1].material.replace(conductivity=(spreads, spreads, min(spreads, 200.0))) if spreads > 390 else "copper"
    silicon = Material.from_library("silicon-doped").at(60.0)
    silicon = silicon.replace(conductivity=tuple(conductivity * k for k in silicon.conductivity))

    def doped(thing):
        return thing.replace(material=silicon) if getattr(thing.material, "name", "") == "silicon-doped" else thing

    built = [doped(layer.replace(blocks=tuple(map(doped, layer.blocks)))) for layer in below]
    return card.replace(name=own.name, layers=(*built, tim, sink[1].replace(material=base), sink[2]))


def measured(gpu: str) -> Step:
    """The step up of one GPU, from the data that come with the package."""
    data = thermo.traces.gpu_step(gpu)
    t, T, P = (data[k].to_numpy() for k in ("time", "device_temperature", "device_power"))
    idle = t < 1.0
    T_0, P_0 = float(T[idle].mean()), float(np.median(P[idle]))
    moved = np.flatnonzero((T > np.round(T[idle].max()) + 0.5) & ~idle)
    start = float(t[moved[0]])
    renewed = np.concatenate(([True], np.diff(P) != 0.0))
    at = np.concatenate((t[renewed] - WINDOW, [t[-1]]))
    reading = P[renewed] - P_0
    taken = np.interp(t, at, np.arange(at.size))
    power = reading[np.minimum(taken.astype(int), reading.size - 1)]
    first = int(np.searchsorted(at, start, side="right")) - 1  # the window in which the step fell
    covered = at[first + 1] - start
    inside = (t >= start) & (t < at[first + 1])
    power[inside] = max(reading[first] * (at[first + 1] - at[first]) / max(covered, 0.01), power[inside].max(initial=0.0)) if covered > 0.02 else reading[first + 1]
    power[inside] = np.minimum(power[inside], reading.max())
    power[t < start] = 0.0
    kept = (t >= start - 0.5) & (t <= start + SECONDS + 0.2)
    return Step(t[kept] - start, T[kept] - T_0, power[kept])


def predicted(gpu: str, step: Step) -> dict[str, np.ndarray]:
    """The rise of the die that its geometry gives under the measured power, for each case [K]."""
    out = {}
    for case, (interface, spreads, share, k) in CASES.items():
        ladder = reduce(package(GPUS[gpu], interface, spreads, k), 6, power={"gpu": 1.0}, junction="gpu", resolution=Resolution(across=24))
        out[case] = share * ladder.rise(step.time, step.power)
    return out


def explained(step: Step, rise: np.ndarray) -> dict[float, float]:
    """Predicted over measured rise, means over 0.05 s before and after each of `AT`."""
    return {at: float(rise[near].mean() / step.rise[near].mean()) for at in AT for near in [abs(step.time - at) < 0.05]}


def main() -> dict[str, dict[str, dict[float, float]]]:
    """What share of each GPU's rise its package explains, by GPU, case and time after the step."""
    found = {}
    for gpu in GPUS:
        step = measured(gpu)
        found[gpu] = {case: explained(step, rise) for case, rise in predicted(gpu, step).items()}
        print(f"{gpu:8s} " + "  ".join(f"{at:g} s: {found[gpu]['nominal'][at]:.2f} ({found[gpu]['low'][at]:.2f} to {found[gpu]['high'][at]:.2f})" for at in AT))
    return found


def draw(path: str) -> None:
    """Measured and predicted rise of the four GPUs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for ax, gpu in zip(figure.subplots(2, 2).flat, GPUS, strict=True):
        step = measured(gpu)
        rise = predicted(gpu, step)
        ax.fill_between(step.time, rise["low"], rise["high"], color="#56B4E9", alpha=0.4, label="from geometry, band of what is not known")
        ax.plot(step.time, rise["nominal"], color="#0072B2", label="from geometry, nominal")
        ax.plot(step.time, step.rise, ".", color="#222222", ms=3, label="measured (whole degrees)")
        ax.set(title=f"{gpu} on {GPUS[gpu]}", xlabel="time after the step [s]", ylabel="rise [K]", xlim=(-0.3, SECONDS))
        power = ax.twinx()
        power.plot(step.time, step.power, color="#D55E00", lw=1, alpha=0.7)
        power.set_ylabel("power over idle [W]", color="#D55E00")
    figure.axes[0].legend(loc="lower right", fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        draw(sys.argv[1])

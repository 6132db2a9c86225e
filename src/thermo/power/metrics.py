"""What a result says about efficiency: PUE, partial PUE, energies, and where every joule went.

All take the Dataset of `simulate_rack`. Its powers are means over the interval that begins at a sample, so energies are
exact sums; the last sample begins no interval and does not count. A result of one sample stands for one second.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from thermo.errors import ScenarioError, nearest

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["energy", "ppue", "pue", "sankey", "summary"]

Floats = NDArray[np.float64]
PARTS = {  # what a partial PUE can be of: variables whose power comes on top of IT power
    "power": ("stage_loss",),
    "cooling": ("fan_power", "pump_power", "heat_rejection_power"),
    "fans": ("fan_power",), "pumps": ("pump_power",), "heat-rejection": ("heat_rejection_power",),
}
POWERS = ("it_power", "fan_power", "pump_power", "heat_rejection_power", "utility_power")


def _weights(result: xr.Dataset) -> Floats:
    """Seconds that each sample stands for."""
    times = result["time"].to_numpy()
    if times.size == 1:
        return np.ones(1)
    span = np.diff(times)
    if np.issubdtype(span.dtype, np.timedelta64):
        span = span / np.timedelta64(1, "ns") * 1e-9
    return np.append(np.asarray(span, dtype=np.float64), 0.0)


def energy(result: xr.Dataset, variable: str) -> float:
    """Energy of a variable of power, over all its dims [J]; NaN counts as nothing."""
    power = np.nan_to_num(result[variable].transpose("time", ...).to_numpy())
    return float(_weights(result) @ power.reshape(power.shape[0], -1).sum(axis=1))


def pue(result: xr.Dataset) -> float:
    """Power usage effectiveness: energy from utility, generator and batteries over IT energy. [1]"""
    sources = [v for v in ("utility_power", "generator_power", "battery_power") if v in result]
    return sum(energy(result, source) for source in sources) / energy(result, "it_power")


def ppue(result: xr.Dataset, part: str) -> float:
    """Partial PUE: IT energy and that of one part, over IT energy. [1]

    `part` is "power" (losses of all stages), "cooling" (fans, pumps and heat rejection), or one of "fans", "pumps",
    "heat-rejection". All parts' excess over 1 add up to that of the PUE: power and cooling are the two halves.
    """
    if part not in PARTS:
        raise ScenarioError(f"part: there is no {part!r}{nearest(part, PARTS)}")
    return 1.0 + sum(energy(result, v) for v in PARTS[part]) / energy(result, "it_power")


def summary(result: xr.Dataset) -> pd.DataFrame:
    """Energy [J], average and peak power [W] of each flow and each stage's loss, one a row."""
    import pandas as pd

    weights, rows = _weights(result), {}
    series = {name: result[name].to_numpy() for name in POWERS}
    for stage in result["stage"].to_numpy():
        series[f"loss of {stage}"] = result["stage_loss"].sel(stage=stage).to_numpy()
    counted = weights > 0
    for name, power in series.items():
        total = float(weights @ power)
        rows[name] = {"energy": total, "average": total / float(weights.sum()), "peak": float(power[counted].max())}
    return pd.DataFrame.from_dict(rows, orient="index")


def sankey(result: xr.Dataset) -> pd.DataFrame:
    """Where every joule goes, from the utility to the devices: columns ``from``, ``to``, ``energy`` [J].

    Each stage passes on what it does not lose ("heat: electrical-room" and the like take the losses). Behind the last
    stage stands "servers", which feeds fans, the servers' own conversion, and the devices by kind; pumps hang beside
    it. What enters a node leaves it, to rounding.
    """
    import pandas as pd

    rows: list[tuple[str, str, float]] = []
    weights = _weights(result)
    stages = [str(s) for s in result["stage"].to_numpy()]
    heat_to = [str(h) for h in result["stage_heat_to"].to_numpy()]
    lost = [float(weights @ loss) for loss in result["stage_loss"].transpose("stage", "time").to_numpy()]
    feed = str(result.attrs["plant_feed"])
    behind = stages.index(feed) + 1 if feed in stages else 0
    # the electrical room's cooling for stages before the plant's feed is drawn at the utility, see PowerChain.flows
    first = sum(x for x, place in zip(lost[:behind], heat_to, strict=False) if place == "electrical-room")
    first /= float(result.attrs["room_cop"])
    plant = {"utility": first}
    plant[feed] = plant.get(feed, 0.0) + energy(result, "heat_rejection_power") - first
    flow, source = energy(result, "utility_power"), "utility"
    if "generator_power" in result:
        rows.append(("generator", "utility", generated := energy(result, "generator_power")))
        flow += generated
    given = energy(result, "battery_power") if "battery_power" in result else 0.0
    for stage, place, loss in zip(stages, heat_to, lost, strict=True):
        if stage == result.attrs.get("plant_branch"):  # beside the others
            rows += [("utility", stage, plant[stage] + loss), (stage, "heat rejection", plant[stage]),
                     (stage, f"heat: {place}", loss)]
            flow -= plant.pop(stage) + loss
            continue
        flow -= plant.get(source, 0.0)
        if stage == result.attrs.get("battery_stage"):
            rows.append(("battery", stage, given) if given > 0 else (stage, "battery", -given))
            rows += [(source, "heat rejection", plant.get(source, 0.0)), (source, stage, flow)]
            rows.append((stage, f"heat: {place}", loss))
            flow, source = flow + given - loss, stage
            continue
        rows += [(source, "heat rejection", plant.get(source, 0.0)), (source, stage, flow)]
        rows.append((stage, f"heat: {place}", loss))
        flow, source = flow - loss, stage
    flow -= plant.get(source, 0.0)
    rows.append((source, "heat rejection", plant.get(source, 0.0)))
    pumps = energy(result, "pump_power")
    rows += [(source, "servers", flow - pumps), (source, "pumps", pumps)]
    rows.append(("servers", "fans", energy(result, "fan_power")))
    rows.append(("servers", "conversion", energy(result, "conversion_loss")))
    kinds = result["device_kind"].to_numpy()
    for kind in dict.fromkeys(str(k) for k in kinds):
        power = result["device_power"].isel(device=np.flatnonzero(kinds == kind))
        rows.append(("servers", kind, energy(power.to_dataset(name="device_power"), "device_power")))
    return pd.DataFrame([row for row in rows if row[2]], columns=["from", "to", "energy"])

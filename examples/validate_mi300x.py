"""How well does a rack calibrated on one inference run predict another? Eight MI300X, air-cooled, card 0 loaded, measured.

Neither inlet nor fan speed was logged: the fans are taken as constant at half speed and the inlet as 30 degC; what the sensors
read too much is fitted too (they disagree: at idle the edge reads above the junction). Power is a sample of what swings inside its 5 s interval, and power and temperature
come from two pollers, joined on stamps up to 3 s apart: 2 s is taken off here. Both set the floor, some 2.5 K on the loaded card
for any model (a free two-node fit reaches 2.5 K); the idle cards are known within a degree or so.
"""
from pathlib import Path

import numpy as np
import xarray as xr

import thermo

POLLERS_APART = 2.0  # s, what the temperature stamps lead the power stamps by
FITTED = ("mounts.gpu.spread[0]", "mounts.gpu.sink.flow_resistance", "capacities", "sensor_offset[0]")
FANS, ROOM = 0.5, 30.0  # of rated speed, degC: assumed


def telemetry(path: str | Path) -> xr.Dataset:
    """A run's file, with the two pollers' clocks brought together."""
    data = thermo.traces.mi300x(path=path)
    later = np.minimum(data["time"].values + POLLERS_APART, data["time"].values[-1])
    power = data["device_power"].interp(time=later).assign_coords(time=data["time"].values)
    return data.assign(device_power=power.assign_attrs(data["device_power"].attrs))


def validate(train_csv: str | Path, test_csv: str | Path) -> dict[str, object]:
    """Calibrates on the first file, predicts the second.

    Returns
    -------
    scores : dict
        ``rmse_gpu`` [K, junction, one a card], ``max_error`` [K], ``rmse_train`` [K], and the two fits: ``physics``
        and, with the sensors, ``calibration``.
    """
    train = telemetry(train_csv)
    fans, room = thermo.cooling.Air(fan_speed=FANS), {"air_temperature": ROOM}
    # Only the loaded card tells of resistances and capacities; then every sensor is read against the model.
    loaded = train.assign(junction_temperature=train["junction_temperature"].where(train["device"] == 0))
    physics = thermo.calibrate("mi300x-8gpu", loaded, FITTED, cooling=fans, ambient=room)
    calibration = thermo.calibrate(physics.rack, train, ["sensors"], cooling=fans, ambient=room)
    return {"physics": physics} | scores(calibration, test_csv)


def scores(calibration: thermo.Calibration, test_csv: str | Path) -> dict[str, object]:
    """How well a calibrated rack predicts a file."""
    test = telemetry(test_csv)
    error = calibration.predict(test)["temperature"].values - test["junction_temperature"].values
    return {"rmse_gpu": np.sqrt(np.nanmean(error**2, axis=0)).tolist(), "max_error": float(np.nanmax(np.abs(error))),
            "rmse_train": calibration.rmse, "calibration": calibration}


def main() -> dict[str, dict[str, object]]:
    """Two other runs, one at another batch size, from the first."""
    runs = thermo.traces.folder("mi300x_vllm_latency")
    first = validate(runs / "llama31_8b_bs1_mem0.8_5s.csv", runs / "llama31_8b_bs1_mem0.9_5s.csv")
    return {"bs1_mem0.9": first, "bs8_mem0.8": scores(first["calibration"], runs / "llama31_8b_bs8_mem0.8_5s.csv")}


if __name__ == "__main__":
    for name, score in main().items():
        print(f"{name}: junction RMSE {np.mean(score['rmse_gpu']):.2f} K "
              f"(by card {np.round(score['rmse_gpu'], 2)}), worst {score['max_error']:.1f} K")

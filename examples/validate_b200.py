"""How well does a rack calibrated on one run predict another? Eight B200 under gpu-burn, air-cooled, measured.

The model is the library's ``hgx-b200``: its lanes, sinks and fans. The first file fits how well each GPU sits on its sink, the
sink, the flow that the fans deliver, and the server's base power; the second is predicted from GPU power, fan speed and
inlet alone. Fan dependence and preheat are physics (fan laws, fin correlations, the balance of the air), not a polynomial.
What is in the files is what can be used: without ``dcmi_power_w`` server power is not judged, and the session at full fan
speed, which logs neither speed nor inlet, is run at the 11,550 rev/min and 24 degC that the next day's log shows for it.
"""
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

import thermo

FITTED = ("resistances", "capacities", "preheat", "fans.rated_power", "base power")
FULL_SPEED, ROOM = 11_550.0, 24.0  # rev/min, degC: logged in session 20260108b for the state of 20260107a


def telemetry(path: str | Path) -> xr.Dataset:
    """A session's file, with the fan speed and inlet of full-speed runs filled in."""
    data = thermo.traces.b200(path=path)
    flat = xr.ones_like(data["time"])
    if "fan_speed" not in data:
        data["fan_speed"] = flat * FULL_SPEED
    if "inlet_temperature" not in data:
        data["inlet_temperature"] = flat * ROOM
    return data


def validate(train_csv: str | Path, test_csv: str | Path) -> dict[str, object]:
    """Calibrates on the first file, predicts the second.

    Returns
    -------
    scores : dict
        ``rmse_gpu`` [K, one a GPU], ``max_error`` [K], ``server_power_error`` [1, of the energy; nan where not measured],
        ``rmse_train`` [K], and the ``calibration`` itself.
    """
    return scores(thermo.calibrate("hgx-b200", telemetry(train_csv), FITTED), test_csv)


def scores(calibration: thermo.Calibration, test_csv: str | Path) -> dict[str, object]:
    """How well a calibrated rack predicts a file."""
    test = telemetry(test_csv)
    predicted = calibration.predict(test)
    error = predicted["temperature"].values - test["device_temperature"].values
    power = np.nan
    if "server_power" in test:
        power = float(predicted["server_power"].sum() / test["server_power"].sum() - 1)
    return {"rmse_gpu": np.sqrt(np.nanmean(error**2, axis=0)).tolist(), "max_error": float(np.nanmax(np.abs(error))),
            "server_power_error": power, "rmse_train": calibration.rmse, "calibration": calibration}


def halves(session: str, folder: str | Path) -> tuple[Path, Path]:
    """The shipped session as two files, its first and second half."""
    lines = (thermo.traces.folder("b200_hgx_gpuburn") / session).read_text().splitlines(keepends=True)
    middle = 1 + (len(lines) - 1) // 2
    first, second = Path(folder) / "first.csv", Path(folder) / "second.csv"
    first.write_text("".join(lines[:middle]))
    second.write_text("".join(lines[:1] + lines[middle:]))
    return first, second


def main() -> dict[str, dict[str, object]]:
    """Second half from the first; and the run at full fan speed, a regime that the fit never saw."""
    with TemporaryDirectory() as folder:
        first, second = halves("session_20260108b_autofan_bmc_9s.csv", folder)
        same = validate(first, second)
        other = scores(same["calibration"], thermo.traces.folder("b200_hgx_gpuburn") / "session_20260107a_maxfan_1s.csv")
    return {"second half": same, "full fan speed": other}


def line(name: str, score: dict[str, object]) -> str:
    """One line for a person."""
    error = score["server_power_error"]
    energy = f"{error:+.2%}" if np.isfinite(error) else "not measured"
    return (f"{name}: RMSE {np.mean(score['rmse_gpu']):.2f} K (by GPU {np.round(score['rmse_gpu'], 2)}), "
            f"worst {score['max_error']:.1f} K, server energy {energy}")


if __name__ == "__main__":
    for name, score in main().items():
        print(line(name, score))

"""Heat and power of AI racks, chip to grid, with an energy balance in every result.

    import thermo
    rack = thermo.Rack.from_library("dgx-h100", servers=4)
    result = thermo.simulate_rack(rack, thermo.workload.constant(0.9), cooling="air")
    result.thermo.plot()
"""
import importlib as _importlib
import os as _os
from typing import TYPE_CHECKING
from typing import Any as _Any

__version__ = "0.1.0"
__dist__ = "thermo-dc"  # the index has another distribution with the import name `thermo` (ChEDL's)

if _os.path.exists(_os.path.join(_os.path.dirname(__file__), "eos_mix.py")):
    raise ImportError(
        "two distributions share the import name 'thermo' here: thermo-dc (this one) and ChEDL's 'thermo' (chemical "
        "properties); they cannot live in one environment. Use a fresh one, or: "
        "pip uninstall -y thermo thermo-dc && pip install thermo-dc"
    )

if TYPE_CHECKING:  # what type checkers and editors see
    from thermo import (
        cooling,
        design,
        errors,
        events,
        fluids,
        formulas,
        generators,
        hydraulics,
        library,
        package,
        plot,
        power,
        scenario,
        store,
        summary,
        traces,
        workload,
    )
    from thermo.again import rerun
    from thermo.ambient import Ambient
    from thermo.calibration import Calibration, calibrate
    from thermo.fluids import Fluid
    from thermo.package import Package
    from thermo.power import PowerChain
    from thermo.rack import CurveSink, Device, Fans, Lane, Mount, PlateFinSink, Rack, Server, Slot
    from thermo.resilience import ride_through, time_to_limits
    from thermo.simulate import simulate_rack
else:
    _MODULES = ("cooling", "design", "errors", "events", "fluids", "formulas", "generators", "hydraulics", "library", "package", "plot",
                "power", "scenario", "store", "summary", "traces", "workload")
    _NAMES = {
        "Ambient": "ambient", "Calibration": "calibration", "calibrate": "calibration", "CurveSink": "rack", "Device": "rack",
        "Fans": "rack", "Fluid": "fluids", "Lane": "rack", "Mount": "rack", "Package": "package", "PlateFinSink": "rack", "PowerChain": "power",
        "Rack": "rack", "Server": "rack", "Slot": "rack", "rerun": "again",
        "ride_through": "resilience", "simulate_rack": "simulate", "time_to_limits": "resilience",
    }

    def __getattr__(name: str) -> _Any:
        if name in _MODULES:
            value = _importlib.import_module(f"thermo.{name}")
        elif name in _NAMES:
            module = _importlib.import_module(f"thermo.{_NAMES[name]}")
            value = getattr(module, name)
            if name in ("simulate_rack",):  # results have a plot of their own
                _importlib.import_module("thermo.accessor")
        else:
            raise AttributeError(f"module 'thermo' has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_MODULES, *_NAMES})

__all__ = [
    "Ambient", "Calibration", "CurveSink", "Device", "Fans", "Fluid", "Lane", "Mount", "Package", "PlateFinSink", "PowerChain", "Rack",
    "Server", "Slot", "calibrate", "cooling", "design", "errors", "events", "fluids", "formulas", "generators", "hydraulics", "library", "package",
    "plot", "power", "rerun", "ride_through", "scenario", "simulate_rack", "store", "summary", "time_to_limits", "traces", "workload",
]

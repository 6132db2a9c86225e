"""What a result can do of its own: ``result.thermo.plot()``, ``.summary()``, ``.save(path)``."""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

__all__ = ["ThermoAccessor"]


@xr.register_dataset_accessor("thermo")
class ThermoAccessor:
    """Methods of the results of `thermo.simulate_rack`."""

    def __init__(self, result: xr.Dataset) -> None:
        self._result = result

    def plot(self) -> Figure:
        """The rack's story on one page; see `thermo.plot.rack_story`."""
        from thermo.plot import rack_story

        return rack_story(self._result)

    def summary(self) -> Table:
        """Ten numbers as a table for a terminal; see `thermo.summary.summary`."""
        from thermo.summary import summary

        return summary(self._result)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Writes the result to ``.nc`` or ``.zarr``, whole or not at all; see `thermo.store.write`."""
        from thermo.store import write

        return write(self._result, path, overwrite=overwrite)

"""A power chain: stages in series between the utility and the servers' inlets."""
from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from thermo.errors import ScenarioError, nearest
from thermo.rack import Described, Identifier

__all__ = ["PowerChain"]

Floats = NDArray[np.float64]


class PowerChain(Described):
    """Stages in series, utility first. So far every stage is ideal: it passes what it is given."""

    name: Identifier = "ideal"
    stages: tuple[Identifier, ...] = ("ideal",)

    @classmethod
    def from_library(cls, name: str) -> Self:
        """The library's chain of that name."""
        if name != "ideal":
            raise ScenarioError(f"power: no power chain is called {name!r}{nearest(name, ['ideal'])}")
        return cls()

    def input_power(self, load: Floats) -> tuple[Floats, Floats]:
        """``(power at the utility, loss of each stage)`` for the power drawn at the end [W], (time,) and (time, stage)."""
        return load, np.zeros((load.size, len(self.stages)))

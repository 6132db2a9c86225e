"""A transformer: its core loses the same at any load, its windings with the square of the current."""
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from thermo.power.stage import Coefficients, Stage
from thermo.rack import Number, Share

__all__ = ["Transformer"]


class Transformer(Stage):
    """A transformer by its efficiency at one load, as regulations state it (10 CFR 431.196).

    Of the loss at that load, `core_share` is the core's: 0.5 where the efficiency is best there. At load fraction `x`
    of the apparent power: ``loss = P0 + Pk x^2``.
    """

    kind: Literal["transformer"] = "transformer"
    stated_efficiency: Annotated[Number, Field(gt=0.3, lt=1)]  # at unity power factor
    stated_load: Annotated[Number, Field(gt=0, le=1)]  # fraction of the rating
    core_share: Share = 0.5

    @property
    def no_load_fraction(self) -> float:
        """Core loss `P0` over the rating. [1]"""
        return self.core_share * self.stated_load * (1 / self.stated_efficiency - 1)

    @property
    def load_fraction(self) -> float:
        """Winding loss `Pk` at full load over the rating. [1]"""
        return (1 - self.core_share) * (1 / self.stated_efficiency - 1) / self.stated_load

    def coefficients(self) -> Coefficients:
        """Core and windings of one transformer."""
        S, f = self.rating(), self.power_factor
        return Coefficients(S * self.no_load_fraction, 0.0, self.load_fraction / (S * f**2), 0.0)

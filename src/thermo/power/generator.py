"""A standby generator: what it can give, and how long after an outage."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field

from thermo.rack import Described, Identifier, NotNegative, Number, Positive, Provenance

__all__ = ["Generator"]


class Generator(Described):
    """A generator that takes the utility's place `start_delay` after an outage began, and gives it back at its end.

    It feeds all that the utility feeds, the plant too. Asked for more than its rating it first stops filling batteries,
    then trips, and does not start again in the same outage. Its voltage's dip on a load step and its fuel are left out.
    """

    name: Identifier = "generator"
    title: str = ""
    rated_power: Positive | None = None  # W, a rack's share; None: sized with the chain
    start_delay: NotNegative  # s, from the begin of an outage to accepted load
    fails_to_start: bool = False
    capacity_margin: Annotated[Number, Field(ge=1, le=10)] = 1.5  # rating over the chain's power without the plant
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_library(cls, name: str) -> Generator:
        """The library's generator of that name."""
        from thermo import library

        generator: Generator = library.load("generators", name)
        return generator

    def sized(self, power: float) -> Self:
        """The same with a rating for a chain that draws `power` [W] at most without the plant. What is given stays."""
        return self if self.rated_power is not None else self.replace(rated_power=self.capacity_margin * power)

"""A busway, cable or rack busbar: I^2 R of its conductors, warm."""
from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import model_validator

from thermo.power.stage import Coefficients, Stage
from thermo.rack import Celsius, NotNegative, Positive

__all__ = ["Busway"]

REFERENCE_TEMPERATURE = 20.0  # degC, of a tabulated conductor resistance


class Busway(Stage):
    """A run of conductors, three phases or DC, by length, resistance, voltage and temperature.

    ``loss = n R I^2`` with ``R = resistance_per_length x length x (1 + temperature_coefficient (T - 20 degC))``; three
    phases: ``n = 3``, ``I = P / (sqrt(3) V power_factor)``; DC, there and back: ``n = 2``, ``I = P / V``. `voltage`
    is from phase to phase. Load at the far end, balanced phases, no harmonics, the voltage at its nominal value. The
    same power at 415 V loses a quarter of what it loses at 208 V; at 800 V a 246th of what it loses at 51 V.
    """

    kind: Literal["busway"] = "busway"
    phases: Literal[1, 3] = 3  # 1: direct current
    voltage: Positive
    length: Positive
    resistance_per_length: Positive  # ohm/m of one conductor at 20 degC
    conductor_temperature: Celsius = 60.0
    temperature_coefficient: NotNegative = 0.00393  # 1/K, copper
    rated_current: Positive | None = None  # A, of one run: in place of rated_power

    @model_validator(mode="after")
    def _dc_has_no_power_factor(self) -> Self:
        if self.phases == 1 and self.power_factor != 1.0:
            raise ValueError("phases = 1 is direct current, which has no power factor")
        return self

    @property
    def unit_rating(self) -> float | None:
        """Rating of one run [VA]: what was given, or what the rated current carries."""
        if self.rated_power is None and self.rated_current is not None:
            return self.rated_current * self.voltage * (math.sqrt(3.0) if self.phases == 3 else 1.0)
        return self.rated_power

    @property
    def resistance(self) -> float:
        """One conductor, warm [ohm]."""
        warm = 1.0 + self.temperature_coefficient * (self.conductor_temperature - REFERENCE_TEMPERATURE)
        return self.resistance_per_length * self.length * warm

    def current(self, P: float) -> float:
        """Current of one conductor of one run [A] that delivers `P` [W]."""
        return P / (self.voltage * self.power_factor * (math.sqrt(3.0) if self.phases == 3 else 1.0))

    def coefficients(self) -> Coefficients:
        """Joule heat of all conductors of one run."""
        conductors = 3 if self.phases == 3 else 2
        return Coefficients(0.0, 0.0, conductors * self.resistance * self.current(1.0) ** 2, 0.0)

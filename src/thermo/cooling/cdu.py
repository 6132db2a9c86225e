r"""A coolant distribution unit: an exchanger from the rack's coolant to the facility's water, or to the room's air, by its rated point.

In counterflow, with films that grow with their flows,

.. math:: 1/UA = r_1 m_1^{-0.8} + r_2 m_2^{-0.8} + R_{wall}, \\qquad q = \\varepsilon C_{min} (T_{in} - T_{facility}).
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from thermo._kernels import formulas as f
from thermo._provenance import Provenance
from thermo.cooling.plate import LiquidState
from thermo.errors import ScenarioError
from thermo.fluids import Fluid
from thermo.rack import Described, Identifier, NotNegative, Number, Positive, Share

__all__ = ["Cdu", "as_cdu", "exchange", "exchanger_conductance", "primary_flow_share"]

Floats = NDArray[np.float64]
RATED_FACILITY_TEMPERATURE = 30.0  # degC, for the properties of the facility's water
RATED_SUPPLY_TEMPERATURE = 40.0  # degC, of the coolant where a unit's rating is decoded
RANGEABILITY = 30.0  # of the valve: flow at full opening over that when shut
SLOWEST_FANS = 0.1  # of full speed
AIR_DENSITY, AIR_HEAT = 1.165, 1006.0  # kg/m3, J/(kg K) of air at 30 degC, where units are rated
MOST_EFFECTIVE = 1.0 - 1e-5  # so that rounding leaves no stream backwards
MOST_UNITS = 60.0  # transfer units, beyond which more exchanger changes nothing


class Cdu(Described):
    """A coolant distribution unit with an exchanger from coolant to facility water or room air, by its rated point.

    `approach` is coolant supplied less water (or air) entering, at `rated_heat` and the rated flows.
    """

    name: Identifier
    title: str = ""
    sink: Literal["water", "air"] = "water"
    rated_heat: Positive  # W
    approach: Annotated[Number, Field(gt=0, le=40)]  # K
    secondary_flow: Positive  # m3/s of coolant
    primary_flow: Positive  # m3/s of facility water, or of room air with all fans at full speed
    wall_share: Share = 0.1  # of the rated 1/UA
    primary_share: Share = 0.5  # of the rated 1/UA less the wall's, on the side of water or air; a coil in air has some 0.8 there
    fluid: Identifier = "pg25"  # coolant of the rated point, of the library
    facility_fluid: Identifier = "water"
    fan_power: NotNegative = 0.0  # W at full speed, of a unit that gives its heat to the air
    volume: NotNegative = 0.0  # m3 of coolant in exchanger and pipes
    external_head: Positive | None = None  # Pa at secondary_flow
    pump_power: Positive | None = None  # W, rated
    provenance: Mapping[str, Provenance] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_library(cls, name: str) -> Cdu:
        """The library's unit of that name."""
        from thermo import library

        unit: Cdu = library.load("cdus", name)
        return unit

    @property
    def primary_heat(self) -> float:
        """Heat capacity of a volume of facility water, or of room air [J/(m3 K)]."""
        if self.sink == "air":
            return AIR_DENSITY * AIR_HEAT
        p = LiquidState.at(Fluid.from_library(self.facility_fluid), RATED_FACILITY_TEMPERATURE)
        return p.density * p.heat_capacity

    @property
    def capacity_rates(self) -> tuple[float, float]:
        """Of coolant and facility water (or air) at the rated point [W/K]."""
        s = LiquidState.at(Fluid.from_library(self.fluid), RATED_SUPPLY_TEMPERATURE)
        return self.secondary_flow * s.density * s.heat_capacity, self.primary_flow * self.primary_heat

    @property
    def effectiveness(self) -> float:
        """At the rated point [1]."""
        C_s, C_p = self.capacity_rates
        return self.rated_heat / (min(C_s, C_p) * (self.rated_heat / C_s + self.approach))

    @property
    def conductance(self) -> float:
        """UA at the rated point [W/K]."""
        C_s, C_p = self.capacity_rates
        low, high = min(C_s, C_p), max(C_s, C_p)
        if self.effectiveness >= 1:
            raise ScenarioError(f"Cdu {self.name}: {self.rated_heat:g} W with an approach of {self.approach:g} K asks for "
                                f"{self.effectiveness:.2f} of the heat that its flows can exchange; look at the flows")
        if self.sink == "water":
            return float(f.ntu_counterflow(self.effectiveness, low / high)) * low
        return _ntu_crossflow(self.effectiveness, low / high, self.name) * low

    def effectiveness_at(self, NTU: ArrayLike, ratio: ArrayLike) -> Floats:
        """Of the exchanger at a number of transfer units and a ratio of capacity rates: counterflow, a coil in cross-flow [1]."""
        law = f.effectiveness_counterflow if self.sink == "water" else f.effectiveness_crossflow_unmixed
        return np.asarray(law(NTU, ratio))


def as_cdu(value: Any) -> Any:
    """The library's unit of a name; anything else as it is, for a description to check."""
    return Cdu.from_library(value) if isinstance(value, str) else value


def _ntu_crossflow(effectiveness: float, ratio: float, name: str) -> float:
    """Transfer units of a coil, both streams unmixed."""
    from scipy.optimize import brentq

    most = float(f.effectiveness_crossflow_unmixed(MOST_UNITS, ratio))
    if effectiveness >= most:
        raise ScenarioError(f"Cdu {name}: its rated point asks for an effectiveness of {effectiveness:.2f}, a coil in cross-flow comes to "
                            f"{most:.2f}; look at heat, approach and flows")
    return float(brentq(lambda N: float(f.effectiveness_crossflow_unmixed(N, ratio)) - effectiveness, 1e-6, MOST_UNITS, xtol=1e-12))


def exchanger_conductance(cdu: Cdu, secondary: ArrayLike, primary: ArrayLike) -> Floats:
    r"""UA of a unit's exchanger at parts of its rated flows [W/K].

    Parameters
    ----------
    cdu : Cdu
        Its rated point.
    secondary, primary : array_like
        Flow of coolant and of facility water (or air) over the rated ones. [1]

    Notes
    -----
    .. math:: 1/UA = r_1 s^{-0.8} + r_2 p^{-0.8} + R_{wall}

    with ``r_1 = r_2`` unless `primary_share` says otherwise: both sides of a plate exchanger have the same channels, and near
    their rating similar flows. The exponent is that of turbulent channels; below a tenth of the rated flow it flatters.
    """
    R = 1.0 / cdu.conductance
    films = (1.0 - cdu.wall_share) * R
    s, p = np.asarray(secondary, dtype=np.float64), np.asarray(primary, dtype=np.float64)
    return np.asarray(1.0 / (films * ((1 - cdu.primary_share) * s**-0.8 + cdu.primary_share * p**-0.8) + cdu.wall_share * R))


def primary_flow_share(cdu: Cdu, opening: ArrayLike) -> Floats:
    """Flow of facility water over that with the valve open, by equal percentages; of air, the fans' speed [1]."""
    opening = np.asarray(opening, dtype=np.float64)
    return np.asarray(RANGEABILITY ** (opening - 1.0) if cdu.sink == "water" else np.maximum(opening, SLOWEST_FANS))


def exchange(cdu: Cdu, share: float, w: ArrayLike, secondary: ArrayLike, most: float, opening: ArrayLike) -> Floats:
    r"""Heat that an exchanger moves for each kelvin between what enters on its two sides, :math:`\varepsilon C_{min}` [W/K].

    Parameters
    ----------
    cdu : Cdu
        The unit.
    share : float
        Of it that serves this rack. [1]
    w : array_like
        Capacity rate of the coolant. [W/K]
    secondary : array_like
        Its flow over the rated one of the share. [1]
    most : float
        Facility water with the valve open, or air with fans at full speed. [m3/s]
    opening : array_like
        Of the valve, or speed of the fans. [1]

    Notes
    -----
    A part :math:`\varepsilon C_{min} / w` of the coolant leaves as cold as the other side enters, the rest as it came: a rule of what is
    mixed, so that no heat goes from cold to hot and none is more than either stream can carry. Kept below w by a part in 1e5.
    """
    w = np.asarray(w, dtype=np.float64)
    flow = most * primary_flow_share(cdu, opening)
    C = flow * cdu.primary_heat
    UA = share * exchanger_conductance(cdu, secondary, flow / (cdu.primary_flow * share))
    low, high = np.minimum(w, C), np.maximum(w, C)
    return np.asarray(np.minimum(cdu.effectiveness_at(UA / low, low / high), MOST_EFFECTIVE) * low)

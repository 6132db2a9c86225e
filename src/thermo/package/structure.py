r"""Time-constant spectrum and structure function of a step response: what layers heat passes, read from the response alone.

With :math:`z = \ln t` the slope of a step response is its spectrum of time constants, blurred by one and the same shape [1]_:

.. math:: \frac{dZ}{dz} = \int r(\zeta)\, w(z - \zeta)\, d\zeta, \qquad w(z) = e^{z - e^z}

Taking the blur off again is done by the iteration of Richardson and Lucy, which keeps every part positive and their sum. As a Foster
ladder with many terms, the spectrum turns into a Cauer ladder with as many nodes; its capacities summed up over its resistances
summed up, from the junction outwards, are the *structure function*. A slab of area `A` is a straight stretch in it of slope
:math:`\rho c_p k A^2`; a steep stretch is copper or aluminium, a flat one an interface. Its last part, where capacity rises without
bound, is what is beyond the package.

References
----------
.. [1] V. Székely and T. Van Bien, Fine structure of heat flow path in semiconductor devices: a measurement and identification
   method, Solid-State Electronics 31 (1988) 1363-1368.
"""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermo.errors import ScenarioError, shown
from thermo.package.ladder import Cauer, Foster, _response, cauer

__all__ = ["StructureFunction", "spectrum", "structure_function"]

Floats = NDArray[np.float64]
NOTHING = 1e-7  # of the total: a term below it is left out
MOST_TERMS = 120


def spectrum(time: ArrayLike, Z: ArrayLike, *, per_decade: int = 10, iterations: int = 2000, total: float | None = None) -> Foster:
    """Time-constant spectrum of a step response, as a Foster ladder of many terms evenly spread in their logarithm.

    Parameters
    ----------
    time : array_like, shape (n,)
        Times after the step, above 0 and rising. [s]
    Z : array_like, shape (n,)
        Rise over power at these. [K/W]
    per_decade : int
        Terms for each factor of ten in time.
    iterations : int
        More of them tell neighbouring layers apart, and draw noise; 2000 is for a computed response, 200 for a measured one.
    total : float
        Resistance at rest, where it is known, that terms are scaled to. [K/W]
    """
    t, z = _response(time, Z)
    if not 1 <= iterations <= 1_000_000 or not 2 <= per_decade <= 100:
        raise ScenarioError(f"spectrum: iterations is {shown(iterations)} and per_decade {shown(per_decade)}, expected 1 to 1,000,000 and 2 to 100")
    decades = np.log10(t[-1] / t[0])
    n = round(decades * per_decade) + 1
    if n > MOST_TERMS:
        raise ScenarioError(f"per_decade is {per_decade}: {n} terms over {decades:.3g} decades of time, the limit is {MOST_TERMS}; "
                            f"take {int((MOST_TERMS - 1) / decades)} or fewer, or a shorter stretch of time")
    tau = np.geomspace(t[0], t[-1], n)
    K = np.diff(-np.expm1(-t[:, None] / tau), axis=0, prepend=0.0)  # of a term's rise, in each interval
    moved = np.maximum(np.diff(z, prepend=0.0), 0.0)  # an interval in which a response falls says nothing
    seen = K.sum(axis=0)
    R = np.full(n, moved.sum() / n)
    for _ in range(iterations):
        R *= (K.T @ (moved / np.maximum(K @ R, 1e-300))) / seen
    kept = R > NOTHING * R.sum()
    scale = 1.0 if total is None else total / R[kept].sum()
    return Foster(tuple(scale * R[kept]), tuple(tau[kept]))


@dataclass(frozen=True)
class StructureFunction:
    """Capacity summed up over resistance summed up, from the junction outwards."""

    resistance: Floats = field(repr=False)  # K/W, from the junction to each node
    capacity: Floats = field(repr=False)  # J/K, up to each node and with half of its own

    @property
    def slope(self) -> Floats:
        """Differential structure function, ``dC/dR`` between nodes [J W/K2]: ``rho c_p k A^2`` of what heat passes there."""
        return np.asarray(np.diff(self.capacity) / np.diff(self.resistance))


def structure_function(ladder: Cauer | Foster) -> StructureFunction:
    """Structure function of a ladder: a spectrum's, for a curve; a ladder's of a few nodes is a few steps."""
    chain = cauer(ladder) if isinstance(ladder, Foster) else ladder
    C = np.array(chain.capacity)
    return StructureFunction(np.concatenate(([0.0], np.cumsum(chain.resistance)[:-1])), np.cumsum(C) - C / 2)

"""A rack's power shelf: AC to the busbar's DC, and the capacitors that ride over a swing of the chips' load."""
from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from thermo.errors import ScenarioError
from thermo.generators import Storage, through_store
from thermo.power.battery import Battery, Efficiency
from thermo.power.converter import Converter
from thermo.rack import Described, NotNegative, Number, Positive

__all__ = ["EnergyStore", "Shelf", "Smoothed", "Smoothing"]

Floats = NDArray[np.float64]
FAR_LONGER = 10.0  # times the store's hold-up: a sample longer than that does not show the store's use


class EnergyStore(Described):
    """Capacitors in a shelf: their energy for each device that it feeds, and how many devices those are."""

    energy_per_device: Positive  # J, usable
    devices: Positive | None = None  # None: the accelerators of the rack that the chain is sized for
    discharge_efficiency: Efficiency = 0.98  # given over taken
    charge_efficiency: Efficiency = 0.98  # stored over drawn
    set_point: Annotated[Number, Field(gt=0, le=1)] = 0.5  # charge that smoothing brings it back to; it starts there
    recharge_time: Positive = 1.0  # s, time constant of that; and from empty to full after an outage

    def hold_time(self, power: float) -> float:
        """How long it carries `power` [W] of one device alone, without loss [s].

        Examples
        --------
        >>> EnergyStore(energy_per_device=65.0).hold_time(1300.0)
        0.05
        """
        return float(self.energy_per_device / power)

    @property
    def energy(self) -> float:
        """Of all devices together [J]; a refusal where their number is not known."""
        if self.devices is None:
            raise ScenarioError("power: energy_store has energy for each device, and devices is not given; say how many, "
                                "or size the chain: chain.for_rack(rack)")
        return self.energy_per_device * self.devices

    # What carries a load (`Stage.carrier`) says the next four; see thermo.power.supply.

    def drain(self, P: Floats, rating: float, temperature: float) -> Floats:
        """How fast the charge falls while `P` [W] leaves the shelf [1/s]."""
        return self.taken(P) / self.energy

    def taken(self, P: Floats) -> Floats:
        """Power taken from the capacitors while `P` leaves the shelf [W]."""
        return P / self.discharge_efficiency

    def filling(self, rating: float) -> float:
        """Power that is stored while it is filled again [W]."""
        return self.energy / self.recharge_time

    def doubts(self, P: Floats, rating: float, temperature: float) -> str:
        """Nothing to say: capacitors give the same at any rate and temperature here."""
        return ""


class Smoothing(Described):
    """What a shelf's controller makes of the store; for each device, like the store's energy.

    Above all limits stands the load: where the store is empty the ramp is broken, chips are not throttled.
    """

    ramp_up: Positive | None = None  # W/s; None: no limit
    ramp_down: Positive | None = None  # W/s; what must not fall faster is burned
    floor_power: NotNegative = 0.0  # W, chips burn on below it
    floor_hold: Positive | None = None  # s, how long the floor holds once the load has fallen below; None: for ever
    averaging_time: NotNegative = 0.0  # s, the shelf draws the load's running mean over this time


class Smoothed(NamedTuple):
    """What smoothing does to the power that leaves a shelf, each ``(time,)`` [W]."""

    joins: Floats  # drawn more (or less) than the load: heat and what goes into the store
    heat: Floats  # burned for floor and ramp, lost in the store
    stored: Floats  # into the store
    warnings: list[str]


class Shelf(Converter):
    """Power shelves: efficiency points of their supplies, the energy that they store, and what is done with it."""

    kind: Literal["shelf"] = "shelf"  # type: ignore[assignment]
    battery: Battery | None = None  # on the shelf's output
    energy_store: EnergyStore | None = None
    smoothing: Smoothing | None = None

    @model_validator(mode="after")
    def _smoothing_needs_a_store(self) -> Self:
        if self.smoothing is not None and self.energy_store is None:
            raise ValueError("smoothing needs an energy_store; give one")
        return self

    @property
    def carrier(self) -> Battery | EnergyStore | None:
        """What carries the load when nothing arrives: the battery, else the energy store."""
        return self.battery or self.energy_store

    def sized(self, power: float, servers: float = 1.0, devices: float | None = None) -> Self:
        """As for any stage; the energy store learns for how many devices it is."""
        stage = super().sized(power, servers, devices)
        if devices and stage.energy_store is not None and stage.energy_store.devices is None:
            stage = stage.replace(energy_store=stage.energy_store.replace(devices=devices))
        return stage

    def smoothed(self, P: Floats, seconds: Floats) -> Smoothed:
        """What smoothing makes of the power `P` [W] that leaves the shelf, as means over the intervals at `seconds`."""
        store, what = self.energy_store, self.smoothing
        if store is None or what is None:
            return Smoothed(np.zeros_like(P), np.zeros_like(P), np.zeros_like(P), [])
        energy = store.energy
        n = energy / store.energy_per_device  # devices
        storage = Storage(energy, store.charge_efficiency, store.discharge_efficiency, store.set_point,
                          store.recharge_time)
        dt = np.diff(seconds)
        dt = np.append(dt, dt[-1] if dt.size else 1.0)
        limits = tuple(np.inf if x is None else n * x for x in (what.ramp_up, what.ramp_down))
        grid, stored, held, burned, loss, _ = through_store(
            dt, np.ascontiguousarray(P[:, None]), storage=storage, ramp_up=limits[0], ramp_down=limits[1],
            floor=n * what.floor_power, floor_hold=np.inf if what.floor_hold is None else what.floor_hold,
            averaging_time=what.averaging_time)[:, :, 0]
        heat = held + burned + loss
        change = grid - P - heat  # into the store; at the last sample, too, what holds there
        said, peak = [], float(np.max(P, initial=0.0))
        if peak > 0 and (lasts := energy / peak) * FAR_LONGER < (step := float(np.median(dt))):
            said = [f"power: the energy store of {self.name!r} carries {peak / 1e3:.4g} kW for {lasts:.3g} s, samples are "
                    f"{step:.3g} s apart: they show its energy, not how it smooths; give samples of {lasts:.1g} s or less"]
        return Smoothed(grid - P, heat, change, said)

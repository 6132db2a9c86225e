"""Cold plates for a server that was made for air: what a direct-to-chip kit changes in it.

Chips (accelerators, processors, switches) lose their heat sinks and get plates; everything else stays in its lane of air. Lanes in which
nothing is left are blanked off, and fans taken out in their proportion, so that the air past what is left is what it was at the same
duty. Two accelerators stand in series in a branch of the coolant, every other chip has a branch of its own, and each branch has its
share of the coolant by the power on it. The server's rating is no longer its data sheet's.
"""
from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from thermo.rack import (
    Branch,
    ColdPlate,
    CurvePlate,
    Described,
    Lane,
    Mount,
    NotNegative,
    Positive,
    Rack,
    Server,
    in_liquid,
)

__all__ = ["REFITTED", "Refit"]

Plate = Annotated[ColdPlate | CurvePlate, Field(discriminator="kind")]
REFITTED = "-on-plates"  # ends the name of a server that has been given plates
IN_SERIES = 2  # accelerators in a branch, as in the library's servers on plates


def _plate(side: float) -> ColdPlate:
    """The plates of the library's servers: 0.1 mm channels in skived copper (S47; the rest estimate(0.4))."""
    return ColdPlate(width=side, length=side, channel_width=1e-4, channel_height=0.002, fin_thickness=1e-4, base_thickness=0.002,
                     port_diameter=0.006)


class Refit(Described):
    """What servers of air are given where a rack without cold plates is to be cooled by them. Estimates(0.4) unless said."""

    accelerator_plate: Plate = Field(default_factory=lambda: _plate(0.055))
    cpu_plate: Plate = Field(default_factory=lambda: _plate(0.05))
    switch_plate: Plate = Field(default_factory=lambda: _plate(0.04))
    flow_per_power: Positive = 2.5e-8  # m3/s for each watt on plates: 1.5 L/min/kW, the open guideline's rule (S26, secondary)
    volume_per_plate: NotNegative = 1e-4  # m3 of hoses and headers
    drop: NotNegative = 3.0e4  # Pa of hoses and disconnects at the rated flow, about half of a node as in the loop of S06

    def rack(self, rack: Rack) -> Rack:
        """The rack with plates in its servers; as it is where one of them has plates already, or none has a chip to put one on."""
        if any(slot.server.branches for slot in rack.slots):
            return rack
        return rack.map_servers(self.server)

    def server(self, server: Server) -> Server:
        """One server with plates."""
        mounts, branches, watts = [], [], []
        for mount in server.mounts:
            plate = self._on(mount)
            if plate is None:
                mounts.append(mount)
                continue
            together = IN_SERIES if mount.device.kind in ("gpu", "accelerator") else 1
            own = [f"{mount.names[i]}-loop" for i in range(0, len(mount.names), together)]
            branches += own
            watts += [mount.device.max_power * mount.multiplicity * len(mount.names[i:i + together])
                      for i in range(0, len(mount.names), together)]
            mounts.append(mount.replace(sink=plate, lanes=tuple(own[i // together] for i in range(len(mount.names))),
                                        positions=tuple(i % together for i in range(len(mount.names))), bypass=0.0))
        total = math.fsum(watts)
        if not total:
            return server
        plated = sum(len(m.names) * m.multiplicity for m in mounts if in_liquid(m.sink))
        held = {lane for m in mounts if not in_liquid(m.sink) for lane in m.lanes}
        kept = [lane for lane in server.lanes if lane.name in held]
        share = math.fsum(lane.flow_share for lane in kept)
        fans = None
        if kept and server.fans is not None:
            count = math.ceil(server.fans.count * share - 1e-9)
            fans = server.fans.replace(count=count, system_flow=server.fans.system_flow * share)
        return server.replace(
            name=f"{server.name[:60 - len(REFITTED)]}{REFITTED}", title=f"{server.title or server.name}, refitted with cold plates", rated_power=None,
            lanes=tuple(Lane(name=lane.name, flow_share=lane.flow_share / share) for lane in kept), fans=fans, mounts=tuple(mounts),
            branches=tuple(Branch(name=name, flow_share=w / total) for name, w in zip(branches, watts, strict=True)),
            coolant_flow=self.flow_per_power * total, coolant_volume=self.volume_per_plate * plated, coolant_drop=self.drop)

    def _on(self, mount: Mount) -> ColdPlate | CurvePlate | None:
        """The plate of a part; None for what stays in air: what is no chip, or is known as one lump with its sink."""
        if mount.device.junction_resistance is None:
            return None
        kind = mount.device.kind
        return (self.accelerator_plate if kind in ("gpu", "accelerator") else self.cpu_plate if kind == "cpu"
                else self.switch_plate if kind == "switch" else None)

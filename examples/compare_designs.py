"""Which cooling for four DGX H100 under a training job, and what does the choice cost in power and in time to act?

Each design is sized by one rule: fans and pumps at the cheapest constants that keep every device 5 K below its limits at full load.
Then all run the same job behind the same power chain, and lose their pumps, their water or their cold air at full load.

Air takes a PUE of 1.36, a rear door 1.30, cold plates on 40 degC coolant 1.17, a boiling tank 1.13 and a tank of oil 1.08. The order
is another one in a failure: cold plates hold out for 2 s, oil for 25 s, cold air for 41 s, a boiling pool for 105 s, and behind a rear
door that loses its water the room takes over. What leaves in coolant at 60 degC can heat a building, what leaves in air cannot.

What this rests on. Plants are as each design has them: chilled air, a dry cooler behind coolant of 40 degC; plates and boiling surfaces
are what the library fits to a server made for air, and those numbers are estimates. `table.scenario` holds all of them.
"""
import thermo

DESIGNS = ("air", "rear-door", "cold-plate", "immersion", "two-phase-immersion")
SERVERS = 4


def main(designs=DESIGNS, servers: int = SERVERS, duration: float = 1800.0, workers: int | None = None):
    """The table of the designs."""
    rack = thermo.Rack.from_library("dgx-h100", servers=servers)
    load = thermo.workload.training(duration=duration)  # steps with pauses to exchange and to save, to the second
    return thermo.compare_cooling(rack, load, designs, power="ac-ups-480v", workers=workers)


if __name__ == "__main__":
    table = main()
    for design in table.design.values:
        row = table.sel(design=design)
        print(f"{design:20s} PUE {float(row.pue):.3f}  hottest {float(row.peak_junction_temperature):.1f} degC  "
              f"failure {float(row.ride_through):.0f} s ({row.ride_through_event.values})")
    from thermo.plot_compare import comparison

    comparison(table).savefig("compare_designs.png")
    print("compare_designs.png")

"""How hot is the hot spot of an H100 on a cold plate, and what of it is spreading?

The library's package: bare die, one interface, copper plate with skived fins, 1.05 L/min of PG25 at 40 degC. The die's 630 W are put
where its blocks plausibly are: two bands of compute clusters above and below a cooler band of cache, and edges that drive memory and
links. No map of an H100 is published; this one is an estimate, and so is every dimension but the area of the die.
"""
import numpy as np

from thermo.package import Package, Resolution, resistance, solve_steady

RESOLUTION = Resolution(across=12, block=2, growth=2.5)  # coarse: the answer tells what that costs
CLUSTERS, CACHE, EDGE = 1.35, 0.55, 0.45  # power density over the mean of the die, before it is normalised: estimates(0.3)
PIXELS = (24, 20)  # along y and x


def power_map(watts: float = 630.0) -> np.ndarray:
    """Heat of each pixel of the die [W], rows along y."""
    density = np.full(PIXELS, CLUSTERS)
    density[10:14] = CACHE
    density[:2] = density[-2:] = EDGE
    density[:, :2] = density[:, -2:] = EDGE
    return watts * density / density.sum()


def main(resolution: Resolution = RESOLUTION) -> dict[str, float]:
    """Prints the hot spot, and what it consists of."""
    package = Package.from_library("h100-sxm")
    found = resistance(package, {"gpu": power_map(), "hbm": 70.0}, block="gpu", resolution=resolution)
    P, mean, hot = found.attrs["power"], *(float(r) for r in found["junction_to_coolant"])
    told = {"hot_spot": float(found["coolant"]) + P * hot, "mean": float(found["coolant"]) + P * mean, "resistance": hot,
            "spreading": P * float(found["spreading_resistance"]), "spreading_factor": float(found["spreading_factor"]),
            "hot_spot_factor": float(found["hot_spot_factor"])}
    print(f"hot spot {told['hot_spot']:.1f} degC, die {told['mean']:.1f} degC in the mean; {hot:.4f} K/W over {P:.0f} W")
    print(f"{told['spreading']:.1f} K of the mean rise is spreading (factor {told['spreading_factor']:.2f}); the hot spot is "
          f"{told['hot_spot_factor']:.2f} times as far above the coolant as the die's mean")
    for part, whole, even in zip(found["part"].values, found["part_resistance"].values, found["part_even"].values, strict=True):
        print(f"  {part:16s} {P * whole:6.2f} K, {P * even:6.2f} K with even flux")
    return told


if __name__ == "__main__":
    import sys

    from thermo.plot import layer_map, section

    main()
    result = solve_steady("h100-sxm", {"gpu": power_map(), "hbm": 70.0})
    layer_map(result, "active").savefig(sys.argv[1] if len(sys.argv) > 1 else "h100_die.png")
    section(result).savefig("h100_section.png")

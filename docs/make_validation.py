"""Writes ``docs/validation.md`` and ``docs/validation.json`` from the validation runs of examples/ and from published points.

    python docs/make_validation.py

Half a minute. The site is built from the stored page; ``tests/test_examples.py`` runs the same examples and holds the stored numbers against them.
"""
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PAGE, STORED = ROOT / "docs" / "validation.md", ROOT / "docs" / "validation.json"

Row = dict[str, Any]  # fitted, predicted: text; error: what is told; numbers: what `error` holds, to be checked


def row(fitted: str, predicted: str, error: str, /, **numbers: float) -> Row:
    """A row of the table. The third names its numbers in braces."""
    return {"fitted": fitted, "predicted": predicted, "error": error, "numbers": {k: float(v) for k, v in numbers.items()}}


def b200(found: dict[str, Any]) -> list[Row]:
    """Eight B200 under gpu-burn in air."""
    same, other = found["second half"], found["full fan speed"]
    return [row("resistances, capacities, preheat, fan power, base power: on the first half of a session", "second half, GPU temperatures",
                "{rmse:.2f} K RMSE, worst {worst:.1f} K", rmse=np.mean(same["rmse_gpu"]), worst=same["max_error"]),
            row("the same", "second half, the server's energy", "{energy:+.1%}", energy=same["server_power_error"]),
            row("the same", "another session at a fan speed not seen, GPU temperatures", "{rmse:.2f} K RMSE, worst {worst:.1f} K",
                rmse=np.mean(other["rmse_gpu"]), worst=other["max_error"])]


def mi300x(found: dict[str, Any]) -> list[Row]:
    """Eight MI300X under inference, one loaded."""
    return [row("sink, spread of the cards, capacities, sensor offsets: on one run (inlet and fan speed assumed)", f"run {name}, junctions",
                "{rmse:.2f} K RMSE, loaded card {loaded:.2f} K, worst {worst:.1f} K", rmse=np.mean(score["rmse_gpu"]),
                loaded=score["rmse_gpu"][0], worst=score["max_error"]) for name, score in found.items()]


def cannon(found: dict[str, Any]) -> list[Row]:
    """334 nodes with two processors in water."""
    n = found["nodes"].sizes["node"]
    rows = [row("nothing", f"processors over water, {n} nodes", "{rmse:.1f} K RMSE, bias {bias:+.1f} K", rmse=found["unfitted"].rmse,
                bias=found["unfitted"].bias)]
    return rows + [row(f"one resistance, on chassis with {'odd' if name.endswith('odd') else 'even'} numbers", "the other chassis",
                       "{rmse:.1f} K RMSE, bias {bias:+.1f} K", rmse=found[name].rmse, bias=found[name].bias)
                   for name in ("even from odd", "odd from even")]


def psu(found: dict[str, Any]) -> list[Row]:
    """Supplies of 8x H100 nodes over six jobs."""
    error = np.concatenate([score["error"] for score in found.values()])
    return [row("no-load loss and slope, on five jobs", "AC power of the sixth, each in turn, steady windows of 30 s",
                "{rmse:.1f} W RMSE over {windows:.0f} windows", rmse=np.sqrt(np.mean(error**2)), windows=error.size)]


def warm_water(table: Any) -> list[Row]:
    """Flow that warm water takes, against the vendor's guide."""
    worst = np.nanmax(np.abs(table["least_flow"] / table["guide"] - 1))
    return [row("nothing (the GPU's limit is assumed)", "least flow at 25, 35 and 45 degC against the vendor's guide, which is printed to 0.1",
                "within {worst:.0%}", worst=worst)]


def points() -> list[Row]:
    """Published operating points of air-cooled servers."""
    import thermo

    rows = []
    for rack, watts, told in (("dgx-h100", "10.2 kW into 1105 CFM", 16.4), ("dgx-b200", "14.3 kW into 1550 CFM", 16.4)):
        one = thermo.Rack.from_library(rack, servers=1)
        result = thermo.simulate_rack(one, 1.0, cooling=thermo.cooling.Air(fan_speed=0.8), ambient={"air_temperature": 25.0})
        rise = float(result.return_temperature[0] - result.supply_temperature[0])
        rows.append(row("rated flow and power, of the data sheet", f"air rise of {rack} at full load, 25 degC; {told} K by {watts}",
                        "{rise:.1f} K, {error:+.1%}", rise=rise, error=rise / told - 1))
    return rows


EXAMPLES: dict[str, tuple[str, Callable[[Any], list[Row]]]] = {  # example: title, rows of what its main() gives
    "validate_b200": ("Eight B200 in air, gpu-burn (measured)", b200),
    "validate_mi300x": ("Eight MI300X in air, inference (measured)", mi300x),
    "validate_cannon": ("334 water-cooled nodes of a cluster (measured)", cannon),
    "validate_psu": ("Server supplies over MLPerf jobs (measured)", psu),
    "warm_water": ("Flow of a rack on cold plates (vendor's guide)", warm_water),
}
ARGUMENTS = {"warm_water": ((25.0, 35.0, 45.0),)}

HEAD = """<!-- Written by docs/make_validation.py; do not edit. -->
# Validation

What was fitted, what was predicted from it, and the error on what the fit had not seen. Written by `python docs/make_validation.py`; the tests run
the same examples and hold these numbers. What each comparison cannot show is in the docstring of its example, in the [gallery](gallery.md).
"""
TAIL = """
## Against closed solutions and other codes

`tests/analytical/` holds solutions in closed form (one and two nodes, ladders by matrix exponential, mixed cells as Erlang's distribution, ramps, filling of a
vessel) and compares correlations with values of the packages `ht` and `fluids`. `tests/properties/` holds the invariants: energy, positivity,
monotonicity, symmetry, the same bits for any number of threads. `tests/convergence/` holds orders of convergence.

## Not validated

No measured two-phase tank, rear door or single-phase tank with temperatures is among these; the node of `examples/gpt3_immersion.py` has measured power
only. What is compared for boiling are published correlations and points, in `tests/test_boiling.py` and `tests/test_condenser.py`. Packages are compared with
four stepped GPUs, with a band of what is not known: `examples/gpu_power_steps.py`.
"""


def page(stored: dict[str, dict[str, Any]]) -> str:
    """The page, from stored rows."""
    out = [HEAD]
    for name, part in stored.items():
        where = f"`examples/{name}.py`" if (ROOT / "examples" / f"{name}.py").exists() else "`tests/test_known_answers.py`"
        out += [f"## {part['title']}", "", where, "", "| fitted | predicted | error |", "|---|---|---|"]
        out += [f"| {r['fitted']} | {r['predicted']} | {r['error'].format(**r['numbers'])} |" for r in part["rows"]] + [""]
    return "\n".join(out).rstrip() + "\n" + TAIL


def main() -> None:
    """Runs all, writes page and numbers."""
    stored = {"points": {"title": "Published points of servers", "rows": points()}}
    for name, (title, rows) in EXAMPLES.items():
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        stored[name] = {"title": title, "rows": rows(module.main(*ARGUMENTS.get(name, ())))}
    STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(stored), encoding="utf-8")


if __name__ == "__main__":
    main()

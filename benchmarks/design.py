"""Questions of design: steady states that each takes, the time of one, and the same question put to `simulate_rack` in a loop."""
import time
import warnings

import numpy as np
from scipy.optimize import brentq

import thermo
from thermo.design import cheapest_cooling, flow_map, least_flow, warmest_supply
from thermo.errors import ValidityWarning
from thermo.steady import Bench

CASES = {  # rack, servers, cooling, the knob of its flow
    "tray": ("gb200-nvl72", 1, "cold-plate", "pump_speed"),
    "tray behind a unit": ("gb200-nvl72", 1, "cold-plate-cdu", "pump_speed"),
    "rack of trays": ("gb200-nvl72", 18, "cold-plate", "pump_speed"),
    "air": ("dgx-h100", 1, "air", "fan_speed"),
    "door": ("dgx-h100", 4, "rear-door", "fan_speed"),
}
QUESTIONS = {"least_flow": least_flow, "warmest_supply": warmest_supply, "cheapest_cooling": cheapest_cooling}


def case(name):
    """Rack, design and the knob of its flow."""
    rack, servers, cooling, knob = CASES[name]
    return thermo.Rack.from_library(rack).with_servers(servers), thermo.library.load("cooling", cooling), knob


class Questions:
    """Each question, with the run that confirms it."""

    params = [list(CASES), list(QUESTIONS)]
    param_names = ["case", "question"]

    def setup(self, name, question):
        warnings.simplefilter("ignore", ValidityWarning)
        self.rack, self.design, _ = case(name)

    def time_question(self, name, question):
        QUESTIONS[question](self.rack, 1.0, cooling=self.design)

    def track_evaluations(self, name, question):
        return QUESTIONS[question](self.rack, 1.0, cooling=self.design).evaluations
    track_evaluations.unit = "steady states"


class Point:
    """One steady state as a search takes it, and the run of `simulate_rack` that begins with it."""

    params = [list(CASES)]
    param_names = ["case"]

    def setup(self, name):
        warnings.simplefilter("ignore", ValidityWarning)
        self.rack, self.design, self.knob = case(name)
        self.bench = Bench(self.rack, 1.0, cooling=self.design)

    def time_at_rest(self, name):
        self.bench.points.clear()
        self.bench.at(**{self.knob: 0.8})

    def time_simulate_rack(self, name):
        thermo.simulate_rack(self.rack, 1.0, cooling=self.design.replace(**{self.knob: 0.8}))


class Map:
    """A map of 9 temperatures and 10 flows."""

    def setup(self):
        self.rack, self.design, _ = case("tray")

    def time_map(self):
        flow_map(self.rack, 1.0, cooling=self.design)


def loop(rack, design, knob):
    """The least flow by a root of whole runs, what one writes without `thermo.design`; value and number of runs. Asked 1 K below
    the limit: at the limit itself firmware holds every device there by its clock, and no flow is ever too little."""
    runs = 0

    def headroom(x):
        nonlocal runs
        runs += 1
        result = thermo.simulate_rack(rack, 1.0, cooling=design.replace(**{knob: float(x)})).isel(time=0)
        return float((result.max_operating_temperature - 1.0 - result.junction_temperature).min())

    return brentq(headroom, 0.25, 1.0, xtol=1e-4), runs


def main():
    """Prints the table: evaluations and time of each question, time of a point, and the loop beside least_flow."""
    warnings.simplefilter("ignore", ValidityWarning)

    def timed(call, best_of=3):
        spent = []
        for _ in range(best_of):
            begin = time.perf_counter()
            answer = call()
            spent.append(time.perf_counter() - begin)
        return min(spent), answer

    for name in CASES:
        rack, design, knob = case(name)
        bench = Bench(rack, 1.0, cooling=design)
        rest = timed(lambda bench=bench, knob=knob: (bench.points.clear(), bench.at(**{knob: 0.8})), 10)[0]
        run = timed(lambda rack=rack, design=design, knob=knob: thermo.simulate_rack(rack, 1.0, cooling=design.replace(**{knob: 0.8})), 5)[0]
        print(f"{name}: at rest {1e3 * rest:.1f} ms, simulate_rack {1e3 * run:.1f} ms ({run / rest:.1f} times)")
        for question, ask in QUESTIONS.items():
            try:
                spent, answer = timed(lambda ask=ask, rack=rack, design=design: ask(rack, 1.0, cooling=design))
            except thermo.errors.ThermoError as error:
                print(f"  {question}: {error}")
                continue
            print(f"  {question}: {answer.evaluations} steady states, {1e3 * spent:.0f} ms: {answer.message}")
        spent, (value, runs) = timed(lambda rack=rack, design=design, knob=knob: loop(rack, design, knob))
        ours = timed(lambda rack=rack, design=design: least_flow(rack, 1.0, cooling=design, margin=1.0))
        print(f"  least flow 1 K below: loop of simulate_rack {value:.4f}, {runs} runs, {1e3 * spent:.0f} ms; "
              f"least_flow {ours[1].value:.4f}, {ours[1].evaluations} steady states and a run, {1e3 * ours[0]:.0f} ms")
    spent, found = timed(lambda: flow_map(case("tray")[0], 1.0, cooling=case("tray")[1]), 1)
    print(f"map of {found.headroom.size} points: {found.attrs['evaluations']} steady states, {spent:.1f} s; "
          f"feasible {np.mean(found.feasible.values):.0%}")


if __name__ == "__main__":
    main()

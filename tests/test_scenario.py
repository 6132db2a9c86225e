"""A scenario file gives what its words say, and a bad one says all that is wrong, where, and what to do; nothing is computed."""

import os
import time

import numpy as np
import pytest
from scenario_files import GOOD, RACK, REST, write
from small_rack import rack as small

import thermo
from thermo import library, scenario
from thermo.cooling import Air
from thermo.errors import LimitError, ScenarioError, nearest
from thermo.quantity import quantity


@pytest.fixture(autouse=True)
def shelf(monkeypatch):
    """A library of one rack, one server and one cooling; power chains are the real ones."""
    real = library.load

    def rack(name):
        if name != "small":
            raise ScenarioError(f"no {name!r} among the library's racks{nearest(name, ['small'])}")
        return small

    def server(name):
        if name != "box":
            raise ScenarioError(f"no {name!r} among the library's servers{nearest(name, ['box'])}")
        return small.slots[0].server

    def load(kind, name):
        if kind in ("power", "stages"):
            return real(kind, name)
        if (kind, name) != ("cooling", "air"):
            raise ScenarioError(f"no {name!r} among the library's {kind}{nearest(str(name), ['air'])}")
        return Air()

    for function in (rack, server, load):
        monkeypatch.setattr(library, function.__name__, function, raising=False)


def test_words_become_arguments(tmp_path):
    wanted = scenario.read(
        write(tmp_path, GOOD + '[run]\ntime_step = "1 min"\ninitial = "86 degF"\ntolerance = "0.1 K"\n')
    )
    assert wanted.rack.n_server == 2
    assert wanted.rack.slots[0].server.device_names == small.slots[0].server.device_names
    assert wanted.workload.attrs["units"] == "W" and float(wanted.workload[0]) == 500.0
    assert wanted.workload.sizes["time"] == 21 and float(wanted.workload["time"][-1]) == 600.0
    assert wanted.options["cooling"].fan_speed.setpoint == 75.0
    assert wanted.options["ambient"].air_temperature == 25.0
    assert wanted.options["ambient"].altitude == pytest.approx(609.6, abs=1e-9)
    assert {k: wanted.options[k] for k in ("time_step", "initial", "tolerance")} == {
        "time_step": 60.0,
        "initial": 30.0,
        "tolerance": 0.1,
    }


def test_a_scenario_is_the_call_that_it_stands_for(tmp_path):
    text = (
        '[rack]\nname = "small"\nservers = 1\n[workload]\nutilisation = 0.5\nduration = 60\n[cooling]\nname = "air"\n'
    )
    result = scenario.read(write(tmp_path, text)).run()
    direct = thermo.simulate_rack(small.with_servers(1), thermo.workload.constant(0.5, duration=60.0), cooling=Air())
    assert np.array_equal(result["junction_temperature"], direct["junction_temperature"])


def test_short_forms_and_a_trace_beside_the_scenario(tmp_path):
    (tmp_path / "trace.csv").write_text("time_s,power_w\n0,300\n60,500\n")
    wanted = scenario.read(
        write(tmp_path, 'rack = "small"\nworkload = "trace.csv"\ncooling = "air"\npower = "ideal"\n')
    )
    assert wanted.workload.values.tolist() == [300.0, 500.0] and wanted.rack is small
    wanted = scenario.read(
        write(tmp_path, '[rack]\nserver = "box"\nservers = 3\n[workload]\nfile = "trace.csv"\nmax_gap = "2 min"\n')
    )
    assert wanted.rack.n_server == 3


def test_going_on_from_a_result(tmp_path):
    """Two halves are one run: the second starts from the file of the first."""
    first = scenario.read(write(tmp_path, GOOD.replace('"10 min"', '"5 min"'))).run()
    first.thermo.save(tmp_path / "first.nc")
    (tmp_path / "rest.csv").write_text("time_s,power_w\n" + "".join(f"{t},500\n" for t in range(300, 601, 30)))
    rest = GOOD.replace('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "rest.csv"')
    second = scenario.read(write(tmp_path, rest + '[run]\ninitial = "first.nc"\n')).run()
    whole = scenario.read(write(tmp_path, GOOD)).run()
    assert np.array_equal(second["junction_temperature"], whole["junction_temperature"].sel(time=slice(300, None)))


@pytest.mark.parametrize(
    "text,unit,value",
    [
        ("90 L/min", "m3/s", 0.0015),
        ("113 degF", "degC", 45.0),
        ("1105 CFM", "m3/s", 0.521501924736),
        ("10 kW", "W", 10_000.0),
        ("2000 ft", "m", 609.6),
        ("45 °C", "degC", 45.0),
        ("318.15 K", "degC", 45.0),
        ("9 degF", "K", 5.0),
        ("5 degC", "K", 5.0),
        ("60 %", "1", 0.6),
        ("1.5 h", "s", 5400.0),
        ("0.1 degC/W", "K/W", 0.1),
        ("2.43 MJ/(m^3 K)", "J/(m3 K)", 2.43e6),
        ("2 cm2", "m2", 2e-4),
        ("7.5", "W", 7.5),
        ("12000 rpm", "rev/min", 12_000.0),
    ],
)
def test_quantities(text, unit, value):
    """By hand: 1 CFM is 0.3048^3/60 m3/s, 1 ft is 0.3048 m."""
    assert quantity(text, unit) == pytest.approx(value, rel=1e-13)


def changed(old, new):
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


LINE = {
    word: GOOD[: GOOD.index(word)].count("\n") + 1
    for word in (
        "servers = 2",
        "count = 1",
        "server = {",
        "[workload]",
        'power = "0.5',
        "duration",
        "time_step",
        "design",
        "fan_speed",
        "[cooling]",
        "air_temperature",
        "altitude",
        "[ambient]",
    )
}
POWER = LINE['power = "0.5']
END = GOOD.count("\n") + 1
BAD = {  # what is in the file: (text, words of the message)
    "power below zero": (
        changed('"0.5 kW"', '"-5.0 W"'),
        [f":{POWER}: workload.power: -5.0 W is outside the allowed range [0, 1e+06] W"],
    ),
    "other dimension": (changed('"0.5 kW"', '"5 parsec"'), [f":{POWER}: workload.power:", "not a quantity in W"]),
    "unknown unit": (changed('"0.5 kW"', '"5 kwh2"'), [f":{POWER}: workload.power:", "no unit is called"]),
    "not a quantity": (changed('"0.5 kW"', '"plenty"'), [f":{POWER}: workload.power:", "such as '90 L/min'"]),
    "not a number": (changed('"0.5 kW"', "[1, 2]"), [f":{POWER}: workload.power: [1, 2] is not a number [W]"]),
    "truth for a number": (changed('"0.5 kW"', "true"), [f":{POWER}: workload.power: True is not a number"]),
    "not finite": (changed('"0.5 kW"', "nan"), [f":{POWER}: workload.power: nan W is outside"]),
    "typo in a key": (
        changed("duration", "durration"),
        [f":{LINE['duration']}: workload.durration: no such key", "did you mean 'duration'"],
    ),
    "typo in a table": (
        changed("[ambient]", "[ambeint]"),
        [f":{LINE['[ambient]']}: ambeint: no such key", "did you mean 'ambient'"],
    ),
    "kelvin": (
        changed('"77 degF"', "298.15"),
        [f":{LINE['air_temperature']}: ambient.air_temperature: 298.15 degC is outside", "kelvin?"],
    ),
    "humidity in percent": (
        GOOD + "relative_humidity = 40\n",
        [f":{END}: ambient.relative_humidity is 40: expected 0 to 1; is it in percent?"],
    ),
    "unknown key of ambient": (
        GOOD + "humidity = 0.4\n",
        [f":{END}: ambient.humidity: no such key", "did you mean 'relative_humidity'"],
    ),
    "pressure and altitude": (
        GOOD + 'pressure = "1 bar"\n',
        [f":{LINE['[ambient]']}: ambient", "give pressure or altitude, not both"],
    ),
    "no rack": (REST, [":1: rack: is missing; a scenario needs [rack]"]),
    "no workload": (RACK, [":1: workload: is missing"]),
    "rack not in the library": ('[rack]\nname = "smal"\n' + REST, [":2: rack.name: no 'smal'", "did you mean 'small'"]),
    "server not in the library": ('[rack]\nserver = "bx"\n' + REST, [":2: rack.server: no 'bx'", "did you mean 'box'"]),
    "name of a rack is a number": ("[rack]\nname = 7\n" + REST, [":2: rack.name: 7 is not the name of a rack"]),
    "two ways to a rack": (
        '[rack]\nfile = "a.toml"\nserver = "box"\n' + REST,
        [":1: rack: give one of", "file and server exclude"],
    ),
    "rack is a number": ("rack = 7\n" + REST, [":1: rack: 7 is not a table; write [rack]"]),
    "servers not whole": (
        changed("servers = 2", "servers = 2.5"),
        [f":{LINE['servers = 2']}: rack.servers: 2.5 is not a whole number"],
    ),
    "too many servers": (
        changed("servers = 2", "servers = 1000000000"),
        [f":{LINE['servers = 2']}: rack.servers:", "outside the allowed range [1, 100000]"],
    ),
    "count of zero": (
        changed("]]\ncount = 1", "]]\ncount = 0"),
        [f":{LINE['count = 1']}: rack.slots[0].count is 0: expected 1 to 100000"],
    ),
    "device of negative power": (
        changed("max_power = 700.0", "max_power = -700.0"),
        [
            f":{LINE['server = {']}: rack.slots[0].server.mounts[0].device.max_power is -700.0 W: "
            "expected above 0 and up to 1e+09 W"
        ],
    ),
    "device with a typo": (
        changed("max_power = 700.0", "max_pwer = 700.0"),
        ["max_pwer: no such key; did you mean 'max_power'", "max_power: is missing"],
    ),
    "unknown design": (
        changed('design = "air"', 'design = "ari"'),
        [f":{LINE['design']}: cooling.design: 'ari' is not a design", "did you mean 'air'"],
    ),
    "unknown cooling": (
        'rack = "small"\ncooling = "water"\n' + REST.split("[cooling]")[0],
        [":2: cooling", "no 'water'"],
    ),
    "fan speed in rpm": (
        changed('{ control = "pi", setpoint = "75 degC" }', "8000"),
        [f":{LINE['fan_speed']}: cooling.fan_speed is 8000: a fan speed is a duty", "rpm?"],
    ),
    "unknown control": (
        changed('"pi"', '"pid"'),
        [f":{LINE['fan_speed']}: cooling.fan_speed", "'pid', expected 'pi' or 'curve'"],
    ),
    "unknown solver": (
        GOOD + '[run]\nsolver = "bdf2"\n',
        [f":{END + 1}: run.solver: 'bdf2' is not a solver", "did you mean"],
    ),
    "no step": (GOOD + "[run]\ntime_step = 0\n", [f":{END + 1}: run.time_step: 0.0 s is outside the allowed range"]),
    "start at the sun": (GOOD + '[run]\ninitial = "5800 K"\n', [f":{END + 1}: run.initial: 5526.85 degC is outside"]),
    "no result to go on from": (
        GOOD + '[run]\ninitial = "none.nc"\n',
        [f":{END + 1}: run.initial:", "there is no such file"],
    ),
    "pressure not a number": (GOOD.replace('altitude = "2000 ft"', "pressure = nan"), ["ambient.pressure is nan"]),
    "fan speed not a number": (changed('{ control = "pi", setpoint = "75 degC" }', "nan"), ["cooling.fan_speed"]),
    "title in red": ('title = "\\u001b[31m"\n' + GOOD, [":1: title:", "is not a text of one line"]),
    "unknown power chain": (GOOD + '[power]\nname = "idael"\n', [f":{END + 1}: power.name:", "did you mean 'ideal'"]),
    "no such trace": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "none.csv"'),
        [f":{POWER}: workload.file:", "there is no such file"],
    ),
    "trace above": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "../trace.csv"'),
        [f":{POWER}: workload.file: '../trace.csv' leads out"],
    ),
    "trace elsewhere": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "/etc/passwd"'),
        ["workload.file: '/etc/passwd' leads out of the scenario's folder"],
    ),
    "trace by a link": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "link.csv"'),
        ["workload.file: 'link.csv' is a link out"],
    ),
    "trace is a pipe": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "pipe.csv"'),
        ["workload.file:", "not a regular file"],
    ),
    "bad trace": (
        changed('power = "0.5 kW"\nduration = "10 min"\ntime_step = "30 s"', 'file = "bad.csv"'),
        ["workload.file: bad.csv:3 "],
    ),
    "power and trace": (
        changed("duration =", 'file = "none.csv"\nduration ='),
        [f":{LINE['[workload]']}: workload: give one of file, power and utilisation, not file and power"],
    ),
    "length of a trace": (
        changed('power = "0.5 kW"\nduration = "10 min"', 'file = "good.csv"\nduration = "10 min"'),
        ["workload.duration: does not go with file; leave it out"],
    ),
    "not TOML": (changed("duration = ", "duration : "), [f":{LINE['duration']}: not valid TOML"]),
    "twice the same": (GOOD + "altitude = 3\n", [f":{END}: not valid TOML"]),
    "deep": ("a = " + "[" * 5000 + "]" * 5000, ["nested too deeply"]),
    "less deep": ("a = " + "[" * 20 + "]" * 20, ["nested deeper than 12"]),
    "long key": (".".join("a" * 50) + " = 1", [":1: a key has more than 16 parts"]),
    "many values": ("a = [" + "1," * 30_000 + "]", ["more than 20000 values"]),
    "long text": ('title = "' + "x" * 5000 + '"', ["longer than 4096 characters"]),
    "huge number": ("a = " + "1" * 10_000, ["not valid TOML"]),
    "huge file": ("#" * 1_000_001, ["more than 1000000 bytes"]),
    "title is a number": ("title = 7\n" + GOOD, [":1: title: 7 is not a text"]),
    "control characters": (changed('design = "air"', 'design = "\\u001b[31mair"'), ["is not a design"]),
}


@pytest.mark.parametrize("text,words", BAD.values(), ids=BAD)
def test_refusals(tmp_path, text, words):
    outside = tmp_path / "outside.csv"
    outside.write_text("time_s,power_w\n0,300\n60,500\n")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "link.csv").symlink_to(outside)
    os.mkfifo(folder / "pipe.csv")
    (folder / "good.csv").write_text(outside.read_text())
    (folder / "bad.csv").write_text("time_s,power_w\n0,300\n60,-500\n")
    path = write(folder, text)
    before = sorted(tmp_path.rglob("*"))
    began = time.perf_counter()
    with pytest.raises((ScenarioError, LimitError)) as refused:
        scenario.read(path)
    assert time.perf_counter() - began < 2.0
    message = str(refused.value)
    assert message.startswith("scenario.toml") and message.isprintable() and len(message) <= 500
    for word in words:
        assert word in message, message
    assert sorted(tmp_path.rglob("*")) == before and path.read_text() == text


def test_all_faults_at_once(tmp_path):
    text = GOOD.replace('"0.5 kW"', '"-5 W"').replace("altitude", "alttude").replace('"air"', '"water"')
    with pytest.raises(ScenarioError) as refused:
        scenario.read(write(tmp_path, text))
    for place in ("workload.power", "cooling.design", "ambient.alttude"):
        assert place in str(refused.value)


def test_more_faults_than_a_line_holds_are_counted(tmp_path):
    with pytest.raises(ScenarioError, match=r"; and \d+ more$"):
        scenario.read(write(tmp_path, GOOD + "".join(f"unheard_of_{i} = 1\n" for i in range(100))))


@pytest.mark.parametrize("name", ["none.toml", ".", "pipe"])
def test_only_regular_files(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScenarioError, match="no such file|not a regular file"):
        scenario.read(tmp_path / name)


def test_not_text(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(ScenarioError, match="a.toml: is not UTF-8"):
        scenario.read(tmp_path / "a.toml")


def test_a_constant_fan_speed_in_rpm(tmp_path):
    """8000 rpm of fans that make 12,000 is a duty of two thirds, for the whole run."""
    control = 'fan_speed = { control = "pi", setpoint = "75 degC" }'
    runs = [scenario.read(write(tmp_path, GOOD.replace(control, f"fan_speed = {said}"))).run()
            for said in ('"8000 rpm"', repr(8000 / 12000), '"133.33333333333333 rev/s"')]
    assert np.allclose(runs[0]["fan_duty"], 2 / 3, rtol=1e-12)
    for other in runs[1:]:
        np.testing.assert_allclose(runs[0]["junction_temperature"], other["junction_temperature"], rtol=1e-9)


@pytest.mark.parametrize(("said", "message"), [
    ('"-8000 rpm"', "'-8000 rpm' turns no fan; give a speed above 0 rpm, or a duty"),
    ('"8000 rpn"', "rpn"),
    ('"8000 rpm/kg"', "is not a quantity in rev/min"),
])
def test_fan_speeds_that_are_none(tmp_path, said, message):
    control = 'fan_speed = { control = "pi", setpoint = "75 degC" }'
    with pytest.raises(ScenarioError, match="cooling.fan_speed") as caught:
        scenario.read(write(tmp_path, GOOD.replace(control, f"fan_speed = {said}")))
    assert message in str(caught.value)


def test_going_on_from_a_plain_netcdf(tmp_path):
    """A result that xarray wrote serves as well as one of our own; what has no state is refused with the way out."""
    first = scenario.read(write(tmp_path, GOOD.replace('"10 min"', '"5 min"'))).run()
    first.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    first.thermo.save(tmp_path / "own.nc")
    text = GOOD + '[run]\ninitial = "%"\n'
    plain, own = (scenario.read(write(tmp_path, text.replace("%", name))).options["initial"]
                  for name in ("plain.nc", "own.nc"))
    for name in scenario.FINAL_STATE:
        assert np.array_equal(plain[name], own[name])
    assert plain.attrs["reference_temperature"] == own.attrs["reference_temperature"]
    runs = [scenario.read(write(tmp_path, text.replace("%", name))).run() for name in ("plain.nc", "own.nc")]
    assert np.array_equal(runs[0]["junction_temperature"], runs[1]["junction_temperature"])

    spoilt = {
        "no final_node_temperature": first.drop_vars("final_node_temperature"),
        "final_node_temperature has dims ('server', 'node')": first.assign(
            final_node_temperature=first["final_node_temperature"].T),
        "no reference_temperature": first.drop_attrs(deep=False),
        "not a finite number": first.assign(final_node_temperature=first["final_node_temperature"] * np.nan),
        "reference_temperature is 'warm'": first.assign_attrs(reference_temperature="warm"),
        "time_origin is 'noon'": first.assign_attrs(time_origin="noon"),
    }
    for message, data in spoilt.items():
        data.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
        with pytest.raises(ScenarioError, match="run.initial") as caught:
            scenario.read(write(tmp_path, text.replace("%", "bad.nc")))
        assert message in str(caught.value) and "result.thermo.save(path)" in str(caught.value)
    with pytest.raises(ScenarioError, match="run.initial: that result has 2 servers, the rack has 3; set rack.servers"):
        scenario.read(write(tmp_path, text.replace("%", "own.nc").replace("servers = 2", "servers = 3")))

"""The library: every number has a source and a mark, agrees with the facts, and what is not fit to be read is refused."""
from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import time
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from thermo import library
from thermo.errors import MESSAGE_LIMIT, ScenarioError
from thermo.rack import Device, Mount, Provenance, Rack, Server

FILES = [(kind, name) for kind in library.KINDS for name in library.names(kind)]
FACTS = list(csv.DictReader((Path(__file__).parent / "data" / "library_facts.csv").read_text(encoding="utf-8").splitlines()))
MARK = re.compile(r"(primary|secondary|derived|requirement|unrated|estimate\((0(\.\d+)?|1(\.0)?|unrated)\))")


def raw(kind: str, name: str) -> dict:
    return tomllib.loads(files(library).joinpath(kind, f"{name}.toml").read_text(encoding="utf-8"))


def bare_numbers(node: object, place: str = "") -> list[str]:
    """Places of numbers that no table with source and trust holds."""
    if isinstance(node, dict):
        if {"value", "source", "trust"} <= set(node) <= {"value", "source", "trust", "note"}:
            return []
        return [p for k, v in node.items() for p in bare_numbers(v, f"{place}.{k}")]
    if isinstance(node, list):
        return [p for i, v in enumerate(node) for p in bare_numbers(v, f"{place}[{i}]")]
    return [place] if isinstance(node, int | float) and not isinstance(node, bool) else []


def numbers_of(thing: object, place: str = "") -> list[str]:
    """Places of all numbers of a description, lists of numbers as one, without those of what it refers to."""
    out = []
    for key in sorted(thing.model_fields_set):  # type: ignore[attr-defined]
        value, at = getattr(thing, key), f"{place}{key}"
        parts = value if isinstance(value, tuple) else (value,)
        if key in ("provenance", "device", "server", "stages", "generator", "fluid", "cdu", "surface", "material"):
            continue
        if any(isinstance(v, int | float) and not isinstance(v, bool) for v in parts):
            out.append(at)
        for i, part in enumerate(parts):
            if hasattr(part, "model_fields_set"):
                out += numbers_of(part, f"{at}[{i}]." if isinstance(value, tuple) else f"{at}.")
    return out


@pytest.mark.parametrize("kind, name", FILES)
def test_every_file_is_complete(kind, name):
    """Every number carries where it is from and a mark of the agreed words, and every field has a unit."""
    thing = library.load(kind, name)
    assert getattr(thing, "name", name) == name
    assert bare_numbers(raw(kind, name)) == []
    assert set(numbers_of(thing)) == set(thing.provenance)
    known = library.sources()
    for place, where in thing.provenance.items():
        assert re.sub(r"\[\d+\]", "", place).rpartition(".")[2] in library.units, place
        for mark in re.split(r"; | \+ ", where.trust):
            assert MARK.fullmatch(mark), (place, where.trust)
        for source in where.source.split(";"):
            assert source.split()[0] in known, (place, where.source)
        assert '"' not in where.note and len(where.note) < 300


@pytest.mark.parametrize("name", library.names("devices"))
def test_devices_are_physical(name):
    """Idle below peak, limits in order, capacities and resistances of the right size for what they are."""
    d = library.device(name)
    assert 0 <= d.idle_power < d.max_power
    assert d.context_power is None or d.idle_power <= d.context_power < d.max_power
    assert d.peak_power is None or d.peak_power >= d.max_power
    limits = [t for t in (d.max_operating_temperature, d.slowdown_temperature, d.shutdown_temperature) if t is not None]
    assert limits == sorted(set(limits)) and all(50 <= t <= 120 for t in limits)
    if d.junction_resistance is not None:
        assert d.die_area is not None and 1e-4 < d.die_area < 0.05
        silicon = 1.63e6 * d.die_area * 0.775e-3
        die = d.junction_capacity if d.package is None else sum(d.ladder_capacity[:2])  # with some of what is behind it
        assert d.die_area > 0 and die == pytest.approx(silicon, rel=0.01 if d.package is None else 0.15)
        rise = d.max_power * (d.junction_resistance + (d.interface_resistance or 0.0))
        assert 0.5 < rise < 40, "rise from sink base to junction at full power"
        assert d.junction_resistance * d.junction_capacity < 0.1, "the die answers within a tenth of a second"
    if d.has_memory:
        assert 0.05 <= d.memory_power_share <= 0.2


@pytest.mark.parametrize("name", [n for n in library.names("servers") if not library.server(n).branches])
def test_servers_add_up(name):
    """Parts at full load, conversion and fans at the rated duty are what the data sheet says."""
    s = library.server(name)
    parts = sum(m.device.max_power * len(m.names) * m.multiplicity for m in s.mounts)
    f = s.fans
    fans = f.count * (f.standby_power + (f.rated_power - f.standby_power) * f.system_duty**f.power_exponent)
    total = parts * (1 + s.conversion_slope) + s.conversion_loss + fans
    if s.rated_power is not None:
        assert total == pytest.approx(s.rated_power, rel=0.005)
        assert 0.08 <= fans / total <= 0.16, "10-15 % of an air-cooled node"
    assert 0.02 <= (total - parts - fans) / total <= 0.16, "conversion"
    gpu_lanes = {lane for i in s.accelerators for lane in [s.devices[i][1].lanes[s.devices[i][2]]]}
    share = sum(lane.flow_share for lane in s.lanes if lane.name in gpu_lanes)
    assert 0.44 <= share <= 0.75
    assert 12 < total / (1.184 * 1006.5 * f.system_flow) < 20, "air rise in K"
    assert len(s.devices) <= 25
    for m in s.mounts:
        if m.follows:
            assert m.load + m.follows == pytest.approx(1.0), "reaches full load with the accelerators"


@pytest.mark.parametrize("name", [n for n in library.names("servers") if library.server(n).branches])
def test_liquid_servers_add_up(name):
    """Coolant for what is on plates: 0.9 to 1.6 L/min for each kW, branches that warm alike; air for the rest, where there is any.

    A CS-3 is told to take 4 L/min for each kW of the system. A tray of TPU v4 carries its host, which is in air altogether."""
    s = library.server(name)
    least_flow, most_flow = {"cs-3": (4.0, 5.0)}.get(name, (0.9, 1.6))
    most_in_air = {"tpu-v4-tray": 0.5}.get(name, 0.3)
    on_plates: dict[str, float] = dict.fromkeys((b.name for b in s.branches), 0.0)
    in_air = 0.0
    for i, (_, m, k) in enumerate(s.devices):
        watts = m.device.max_power * m.multiplicity
        if i in s.in_air:
            in_air += watts
        else:
            on_plates[m.lanes[k]] += watts
    total = sum(on_plates.values())
    assert least_flow < s.coolant_flow * 6e4 / (total / 1e3) < most_flow
    shares = {b.name: b.flow_share for b in s.branches}
    rises = [on_plates[b] / shares[b] for b in shares]
    assert max(rises) / min(rises) < 1.8
    loss = s.conversion_loss + s.conversion_slope * (total + in_air)
    if s.fans is None:
        assert in_air == 0
        return
    assert 0.05 < (in_air + loss) / (total + in_air + loss) < most_in_air, "what liquid racks leave in air"
    assert 8 < (in_air + loss) / (1.184 * 1006.5 * s.fans.system_flow) < 22, "air rise in K"
    for m in s.mounts:
        if m.follows:
            assert m.load + m.follows == pytest.approx(1.0), "reaches full load with the accelerators"


def test_rated_airflow():
    """C01, C02: 10.2 kW into 1105 CFM and 14.3 kW into 1550 CFM warm air of 25 degC by 16.4 K, within 2 %."""
    for name, watts, cfm in (("dgx-h100", 10_200.0, 1105.0), ("dgx-b200", 14_300.0, 1550.0)):
        s = library.server(name)
        assert s.fans.system_flow == pytest.approx(cfm * 4.71947e-4, rel=1e-4)
        assert s.rated_power == watts
        assert watts / (1.184 * 1006.5 * s.fans.system_flow) == pytest.approx(16.4, rel=0.02)


def test_second_row_breathes_the_first():
    """Of an HGX board, GPUs 0, 3, 4, 7 breathe first, 1, 2, 5, 6 second, one of each to a lane."""
    for name in ("dgx-a100", "dgx-h100", "dgx-b200", "hgx-b200"):
        mount = next(m for m in library.server(name).mounts if m.device.kind == "gpu")
        assert {n[-1] for n, p in zip(mount.names, mount.positions, strict=True) if p == min(mount.positions)} == set("0347")
        assert all(mount.lanes.count(lane) == 2 for lane in mount.lanes)


@pytest.mark.parametrize("row", FACTS, ids=[f"{r['device']}.{r['field']}" for r in FACTS])
def test_agrees_with_the_facts(row):
    """Numbers of primary or secondary sources are those of the sources."""
    d = library.device(row["device"])
    assert getattr(d, row["field"]) == pytest.approx(float(row["value"]), rel=float(row["rtol"]), abs=1e-12)
    assert row["fact"].split()[0] in d.provenance[row["field"]].source


# -------------------------------------------------------------------------------------------------------------- the API

def test_what_there_is():
    """Names are sorted, things are loaded once and frozen."""
    assert {"h100-sxm5", "b200-sxm", "mi300x", "tpu-v4", "wse-3", "groq-lpu", "gc200"} <= set(library.names("devices"))
    assert library.names("racks") == sorted(library.names("racks"))
    assert set(library.names("racks")) | set(library.names("devices")) <= set(library.names())
    assert library.device("t4") is library.load("devices", "t4")
    assert isinstance(Device.from_library("t4"), Device) and isinstance(Server.from_library("dgx-h100"), Server)
    assert Rack.from_library("dgx-h100").n_server == 4 and Rack.from_library("dgx-h100", servers=2).n_server == 2
    with pytest.raises(ScenarioError, match="descriptions do not change"):
        library.device("t4").max_power = 1.0
    with pytest.raises(TypeError):
        library.sources()["S01"] = "mine"  # type: ignore[index]


def test_a_kind_is_one_line(monkeypatch):
    """A folder of files becomes a kind by one entry; a folder without one can be listed, not loaded."""
    monkeypatch.delitem(library.KINDS, "racks")
    assert "dgx-h100" in library.names("racks")
    with pytest.raises(ScenarioError, match="'racks' have no description"):
        library.load_file("racks", Path(str(files(library).joinpath("racks", "dgx-h100.toml"))))
    monkeypatch.setitem(library.KINDS, "racks", library.Kind("thermo.rack:Rack", {"server": "servers"}))
    path = Path(str(files(library).joinpath("racks", "dgx-h100.toml")))
    assert library.load_file("racks", path) == library.rack("dgx-h100")


def test_description_is_a_table_of_everything():
    """Value, unit, mark and source of each number, the notes, and what the codes stand for."""
    text = library.describe("h100-sxm5")
    assert re.search(r"^max_power +700 +W +primary +S01", text, re.M)
    assert re.search(r"^junction_resistance +0.00786 +K/W +estimate\(0.5\) +assumption", text, re.M)
    assert "limit range 200-700 W" in text and "S03: github.com/wilicc/gpu-burn" in text
    both = library.describe("dgx-h100")
    assert "racks: dgx-h100" in both and "servers: dgx-h100" in both
    assert re.search(r"^mounts\[0\]\.sink\.flow_resistance .* K/W ", both, re.M)
    for name in library.names():
        assert library.describe(name)


@pytest.mark.parametrize("ask, name, hint", [
    (library.device, "h100-smx5", "did you mean 'h100-sxm5'?"),
    (library.server, "dgx-h10", "did you mean 'dgx-h100'?"),
    (library.rack, "DGX-H100", "did you mean 'dgx-h100'?"),
    (library.names, "device", "did you mean 'devices'?"),
    (library.describe, "mi300", "did you mean 'mi300x'?"),
    (library.device, "../devices/t4", "known:"),
    (library.device, "grace.toml", "did you mean 'grace'?"),
    (library.device, "/etc/passwd", "known:"),
    (library.device, "t4\0", "did you mean 't4'?"),
    (library.device, 44, "known:"),
    (library.device, "x" * 100_000, "known:"),
    (library.names, "..", "known:"),
])
def test_unknown_names(ask, name, hint):
    """A name is one of those listed and never a path; the nearest is suggested."""
    with pytest.raises(ScenarioError) as refusal:
        ask(name)
    assert hint in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) <= MESSAGE_LIMIT


DEVICE = """
name = "own-chip"
kind = "accelerator"
max_power = 500
idle_power = { value = 60.5, source = "own measurement", trust = "primary", note = "at 25 degC" }
junction_capacity = 1.0
junction_resistance = 0.01
case_capacity = 20.0
interface_resistance = 0.01
slowdown_temperature = 90
"""


def test_a_device_of_ones_own(tmp_path):
    """One file or one frozen object; numbers with their source or bare."""
    path = tmp_path / "own.toml"
    path.write_text(DEVICE, encoding="utf-8")
    d = library.device_file(path)
    assert d == Device.from_file(str(path)) and d.max_power == 500.0 and d.idle_power == 60.5
    assert dict(d.provenance) == {"idle_power": Provenance(source="own measurement", trust="primary", note="at 25 degC")}
    path.write_bytes(b"\xef\xbb\xbf" + DEVICE.replace("\n", "\r\n").encode())
    assert library.device_file(path) == d
    own = Device(name="own-chip", kind="accelerator", max_power=500.0, idle_power=60.5, junction_capacity=1.0,
                 junction_resistance=0.01, case_capacity=20.0, interface_resistance=0.01, slowdown_temperature=90.0)
    assert own.replace(provenance=d.provenance) == d


SERVER = """
name = "own-server"
height_units = 2
lanes = [{ name = "all", flow_share = 1.0 }]
[[mounts]]
device = "t4"
names = ["a", "b"]
lanes = ["all", "all"]
positions = [0, 1]
[mounts.sink]
kind = "curve"
flow_resistance = 0.3
reference_flow = 0.005
capacity = { value = 100, source = "weighed", trust = "primary" }
[fans]
count = 2
rated_speed = 10000
curve_flow = [0, 0.01, 0.02]
curve_pressure = { value = [300, 200, 0], source = "S40", trust = "estimate(0.3)" }
rated_power = 10
system_flow = 0.02
"""
RACK = """
name = "own-rack"
[[slots]]
server = "dgx-a100"
count = 2
[[slots]]
count = 1
bottom = 12
[slots.server]
"""


def test_servers_and_racks_of_ones_own(tmp_path):
    """They name things of the library, or hold their own, each with its own provenance."""
    path = tmp_path / "own.toml"
    path.write_text(SERVER, encoding="utf-8")
    s = library.server_file(path)
    assert s.mounts[0].device is library.device("t4")
    assert set(s.provenance) == {"mounts[0].sink.capacity", "fans.curve_pressure"}
    inline = DEVICE.replace("\n\n", "\n")
    path.write_text(SERVER.replace('device = "t4"', "").replace("[mounts.sink]", f"[mounts.device]{inline}[mounts.sink]"),
                    encoding="utf-8")
    s = library.server_file(path)
    assert set(s.mounts[0].device.provenance) == {"idle_power"} and "mounts[0].device.idle_power" not in s.provenance
    nested = SERVER.replace("[[mounts]]", "[[slots.server.mounts]]").replace("[mounts.sink]", "[slots.server.mounts.sink]")
    path.write_text(RACK + nested.replace("[fans]", "[slots.server.fans]"), encoding="utf-8")
    r = library.rack_file(path)
    assert r.n_server == 3 and r.slots[1].server.mounts[0].device is library.device("t4")
    assert set(r.slots[1].server.provenance) == {"mounts[0].sink.capacity", "fans.curve_pressure"}


BROKEN = {
    "negative": (DEVICE.replace("max_power = 500", "max_power = -5"),
                 ["max_power is -5 W", "expected above 0 and up to 1e+09 W"]),
    "several": (DEVICE.replace("max_power = 500", "max_power = -5").replace("= 20.0", "= 0"),
                ["max_power is -5 W", "case_capacity is 0 J/K"]),
    "kelvin": (DEVICE.replace("temperature = 90", "temperature = 363.15"), ["slowdown_temperature is 363.15 degC", "250 degC"]),
    "text": (DEVICE.replace("max_power = 500", 'max_power = "500 W"'),
             ["max_power is '500 W'", "expected a number, above 0 and up to 1e+09 W"]),
    "digits in text": (DEVICE.replace("max_power = 500", 'max_power = "500"'), ["max_power is '500'", "expected a number"]),
    "true": (DEVICE.replace("max_power = 500", "max_power = true"), ["max_power is True", "expected a number"]),
    "nan": (DEVICE.replace("max_power = 500", "max_power = nan"), ["max_power is nan"]),
    "infinite": (DEVICE.replace("max_power = 500", "max_power = inf"), ["max_power is inf"]),
    "date": (DEVICE.replace("max_power = 500", "max_power = 2026-01-01"), ["max_power is", "2026"]),
    "list": (DEVICE.replace("max_power = 500", "max_power = [500]"), ["max_power is [500]"]),
    "missing": (DEVICE.replace("max_power = 500", ""), ["max_power: is missing, give it in W"]),
    "typo": (DEVICE.replace("max_power", "max_powr"), ["max_powr: no such field; did you mean 'max_power'?"]),
    "idle above peak": (DEVICE.replace("60.5", "600"), ["idle_power 600 W must be below max_power 500 W"]),
    "half a ladder": (DEVICE.replace("case_capacity = 20.0", ""), ["junction_resistance and case_capacity go together"]),
    "limits": (DEVICE + "shutdown_temperature = 80\n", ["limits must rise"]),
    "kind": (DEVICE.replace("accelerator", "toaster"), ["kind is 'toaster'", "'gpu'"]),
    "name": (DEVICE.replace("own-chip", "../own"), ["name is '../own'"]),
    "no trust": (DEVICE.replace('trust = "primary", ', ""), ["idle_power: trust is missing"]),
    "trust a number": (DEVICE.replace('trust = "primary"', "trust = 0.5"), ["idle_power.trust is 0.5"]),
    "unknown key beside value": (DEVICE.replace("trust =", "confidence ="), ["idle_power"]),
    "syntax": (DEVICE.replace("= 20.0", "= 20.0.0"), ["own.toml:8: not valid TOML"]),
    "twice": (DEVICE + "max_power = 2\n", ["own.toml:11: not valid TOML"]),
    "a number of 5000 digits": (DEVICE.replace("= 500", "= " + "9" * 5000), ["not valid TOML"]),
    "nested lists": (DEVICE + "x = " + "[" * 5000 + "]" * 5000, ["nested"]),
    "nested tables": (DEVICE + "x = " + "[" * 14 + "]" * 14, ["nested deeper than 12"]),
    "long key": (DEVICE + ".".join("a" * 5000) + " = 1", ["a key has more than 16 parts"]),
    "long quoted key": (DEVICE + ".".join(['"="'] * 5000) + " = 1", ["a key has more than 16 parts"]),
    "many values": (DEVICE + "x = [" + "1," * 30_000 + "]", ["more than 20000 values"]),
    "empty": ("", ["name: is missing"]),
}


@pytest.mark.parametrize("text, says", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_refused(text, says, tmp_path):
    """One line that names the file, the place, the value with its unit, and the rule; at once, and for all faults."""
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    begin = time.perf_counter()
    with pytest.raises(ScenarioError) as refusal:
        library.device_file(path)
    message = str(refusal.value)
    assert time.perf_counter() - begin < 2.0
    assert message.startswith("own.toml") and "\n" not in message and len(message) <= MESSAGE_LIMIT
    for part in says:
        assert part in message, message
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("old, new, says", [
    ('device = "t4"', 'device = "t44"', "mounts[0].device: no 't44' among the library's devices; did you mean 't4'?"),
    ('device = "t4"', 'device = "../servers/dgx-h100"', "mounts[0].device"),
    ("flow_resistance = 0.3", "flow_resistance = -0.3", "mounts[0].sink.flow_resistance is -0.3 K/W"),
    ('kind = "curve"', 'kind = "vapour"', "mounts[0].sink"),
    ("count = 2", "count = 2.5", "fans.count is 2.5"),
    ("[300, 200, 0]", "[300, 400, 0]", "fans: curve_pressure must fall"),
    ("flow_share = 1.0", "flow_share = 0.9", "flow_share of the lanes sums to 0.9"),
    ('lanes = ["all", "all"]', 'lanes = ["all", "al"]', "did you mean 'all'?"),
    ("positions = [0, 1]", "positions = [0]", "mounts[0]: names, lanes and positions"),
    ("system_flow = 0.02", "system_flow = 0.2", "beyond the free delivery"),
])
def test_broken_servers_are_refused(old, new, says, tmp_path):
    """Faults inside a server name the full place."""
    path = tmp_path / "own.toml"
    path.write_text(SERVER.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScenarioError) as refusal:
        library.server_file(path)
    assert says in str(refusal.value) and str(refusal.value).startswith("own.toml: ")


def test_only_regular_files_of_some_size(tmp_path):
    """No folder, pipe, absent or large file is read; none is waited for."""
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (library.MAX_BYTES + 1))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    cases: list[tuple[object, str]] = [(tmp_path, "not a regular file|cannot be opened"), (tmp_path / "absent.toml", "no such"),
                                       (large, "the limit is"), (binary, "UTF-8"), ("a\0b", "cannot be opened"),
                                       (None, "cannot be opened")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        cases.append((tmp_path / "pipe", "not a regular file"))
    for path, says in cases:
        with pytest.raises(ScenarioError, match=says):
            library.device_file(path)  # type: ignore[arg-type]


def test_hostile_files_cost_no_time(tmp_path):
    """A megabyte of the worst for the parser is refused or read within seconds."""
    for line in ('".a.a.a".b' * 20, "[" + "a." * 15 + "b{}]", "x{} = {{ " + "a." * 15 + "a = 1 }}"):
        text = "\n".join(line.replace("{}", str(i), 1).replace("{{", "{").replace("}}", "}")
                         for i in range(library.MAX_BYTES // (len(line) + 6)))
        path = tmp_path / "hostile.toml"
        path.write_text(text, encoding="utf-8")
        begin = time.perf_counter()
        with pytest.raises(ScenarioError):
            library.device_file(path)
        assert time.perf_counter() - begin < 5.0


def test_a_fault_in_an_argument_names_the_unit():
    """Descriptions made in Python say the same as those from files, with the full place."""
    t4 = library.device("t4")
    said = r"^Mount: sink\.flow_resistance is -1 K/W: expected above 0 and up to 1e\+09 K/W$"
    with pytest.raises(ScenarioError, match=said):
        Mount(device=t4, names=("a",), lanes=("l",), positions=(0,),
              sink={"kind": "curve", "flow_resistance": -1, "reference_flow": 1.0, "capacity": 2.0})
    with pytest.raises(ScenarioError, match=r"^Device t4: max_power is -1 W: expected above 0 and up to 1e\+09 W$"):
        t4.replace(max_power=-1)


def test_import_is_light():
    """Names and the loader need neither NumPy nor xarray."""
    code = ("import sys, thermo.library as l; l.names(); l.rack('dgx-h100'); "
            "print([m for m in ('numpy', 'scipy', 'xarray', 'pandas', 'pint') if m in sys.modules])")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert found.stdout.strip() == "[]"

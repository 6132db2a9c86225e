"""Scenario files for tests: the small rack written out, so that no library is needed."""

import json

from small_rack import rack


def inline(value):
    """A description as a TOML value on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {inline(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(v) for v in value) + "]"
    return json.dumps(value)


def server():
    data = rack.slots[0].server.model_dump(exclude_unset=True)
    for mount in data["mounts"]:
        mount["sink"]["kind"] = "plate-fin" if "fin_count" in mount["sink"] else "curve"
    return data


RACK = f"""[rack]
name = "small"
servers = 2
[[rack.slots]]
count = 1
server = {inline(server())}
"""
REST = """[workload]
power = "0.5 kW"
duration = "10 min"
time_step = "30 s"
[cooling]
design = "air"
fan_speed = { control = "pi", setpoint = "75 degC" }
[ambient]
air_temperature = "77 degF"
altitude = "2000 ft"
"""
GOOD = RACK + REST


def write(folder, text, name="scenario.toml"):
    path = folder / name
    path.write_text(text)
    return path

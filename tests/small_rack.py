"""A made-up air-cooled server, for tests that must not move with the library."""

from thermo.rack import CurveSink, Device, Fans, Firmware, Lane, Mount, PlateFinSink, Rack, Server, Slot

gpu = Device(
    name="h100",
    kind="gpu",
    max_power=700,
    idle_power=72,
    max_operating_temperature=87,
    slowdown_temperature=89,
    shutdown_temperature=95,
    memory_power_share=0.12,
    junction_capacity=1.03 + 5,
    junction_resistance=0.012,
    case_capacity=30,
    interface_resistance=0.01,
    memory_capacity=10,
    memory_resistance=0.05,
    die_area=814e-6,
    contact_area=60e-3 * 50e-3,
    firmware=None,
)
cpu = Device(
    name="cpu",
    kind="cpu",
    max_power=350,
    idle_power=100,
    max_operating_temperature=85,
    junction_capacity=20,
    junction_resistance=0.05,
    case_capacity=60,
    interface_resistance=0.02,
    die_area=1500e-6,
    firmware=None,
)
nic = Device(name="nic", kind="nic", max_power=30, idle_power=10, junction_capacity=50)
lanes = tuple(Lane(name=f"g{i}", flow_share=0.16) for i in range(4)) + (
    Lane(name="cpu", flow_share=0.26),
    Lane(name="bypass", flow_share=0.10),
)
sink = PlateFinSink(
    width=0.1,
    length=0.11,
    base_thickness=0.005,
    fin_height=0.08,
    fin_thickness=0.0004,
    fin_count=34,
    conductivity=200,
    base_conductivity=2000,
)
srv = Server(
    name="t",
    height_units=8,
    lanes=lanes,
    mounts=(
        Mount(
            device=gpu,
            names=tuple(f"gpu{i}" for i in range(8)),
            lanes=tuple(f"g{i % 4}" for i in range(8)),
            positions=tuple(i // 4 for i in range(8)),
            sink=sink,
            bypass=0.2,
        ),
        Mount(
            device=cpu,
            names=("cpu0", "cpu1"),
            lanes=("cpu", "cpu"),
            positions=(1, 1),
            sink=CurveSink(flow_resistance=0.12, reference_flow=0.0189 * 2, capacity=400),
            load=0.4,
            follows=0.3,
        ),
        Mount(
            device=nic,
            names=("nics",),
            lanes=("cpu",),
            positions=(0,),
            multiplicity=8,
            sink=CurveSink(flow_resistance=2.0, reference_flow=0.005, capacity=50),
            load=0.5,
        ),
    ),
    fans=Fans(
        count=12,
        rated_speed=12000,
        curve_flow=(0, 0.03, 0.06, 0.08),
        curve_pressure=(900, 700, 350, 0),
        rated_power=110,
        system_flow=0.5215,
        system_duty=0.8,
    ),
    conversion_loss=200,
    conversion_slope=0.08,
)
rack = Rack(name="t", slots=(Slot(server=srv, count=4),))


def with_device(changes, which="gpu", of=rack):
    """The rack with `changes` in each device of that kind."""
    return of.map_servers(lambda s: s.replace(mounts=tuple(
        m.replace(device=m.device.replace(**changes)) if m.device.kind == which else m for m in s.mounts)))


# the same with silicon that leaks and firmware that slows it down: it runs hot enough for both to matter
live = with_device({"firmware": Firmware()}, "cpu", with_device({"firmware": Firmware(), "leakage_share": 0.1}))

"""A made-up tray with cold plates and some parts in air, for tests that must not move with the library."""
from small_rack import cpu, gpu, nic

from thermo.cooling import Air, ColdPlateCooling
from thermo.rack import Branch, ColdPlate, CurveSink, Fans, Lane, Mount, Rack, Server, Slot

plate = ColdPlate(width=0.05, length=0.06, channel_width=2.5e-4, channel_height=3e-3, fin_thickness=1.5e-4, base_thickness=2.5e-3)
fans = Fans(count=4, rated_speed=20_000, curve_flow=(0.0, 0.006, 0.012, 0.016), curve_pressure=(900.0, 800.0, 400.0, 0.0),
            rated_power=20, minimum_duty=0.15, system_flow=0.03)
tray = Server(
    name="tray", height_units=1,
    lanes=(Lane(name="air", flow_share=1.0),),
    branches=(Branch(name="a", flow_share=0.5), Branch(name="b", flow_share=0.5)),
    mounts=(
        Mount(device=gpu, names=("gpu0", "gpu1", "gpu2", "gpu3"), lanes=("a", "a", "b", "b"), positions=(0, 1, 0, 1), sink=plate),
        Mount(device=cpu, names=("cpu",), lanes=("b",), positions=(2,), load=0.4, sink=plate),
        Mount(device=nic, names=("nics",), lanes=("air",), positions=(0,), multiplicity=4, load=0.8,
              sink=CurveSink(flow_resistance=2.0, reference_flow=0.005, capacity=50)),
    ),
    fans=fans, conversion_loss=30.0, conversion_slope=0.02,
    coolant_flow=5 / 6e4, coolant_volume=3e-4, coolant_drop=30e3)
rack = Rack(name="liquid", slots=(Slot(server=tray, count=4),))
still = Air(fan_speed=0.5, chiller_cop=None)


def cooling(**changes):
    """The design of the tests: ideal supply of 40 degC, fans held."""
    return ColdPlateCooling(**{"air": still, "supply_volume": 4e-3, "return_volume": 4e-3, **changes})

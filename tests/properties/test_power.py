"""Any chain, any load: nothing is lost unseen or gained, more load never draws less, fewer stages never lose more."""
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thermo.power import (
    Battery,
    Busway,
    Converter,
    EnergyStore,
    Fixed,
    Generator,
    LoadDropped,
    Offset,
    PowerChain,
    Shelf,
    Smoothing,
    Transformer,
    UnitsFailed,
    Ups,
    UpsBypass,
    UtilityOutage,
)

RATED = 50e3  # W
EPS = np.finfo(float).eps
common = st.fixed_dictionaries({
    "redundancy": st.sampled_from(["N", "N+1", "2N"]), "units": st.integers(1, 6).map(float),
    "heat_to": st.sampled_from(["server-air", "rack-liquid", "electrical-room", "outdoors"]),
    "feeds_plant": st.booleans(),
    "rated_power": st.floats(0.3, 3.0).map(lambda x: x * RATED), "power_factor": st.floats(0.6, 1.0),
})


@st.composite
def stages(draw):
    """A stage of any kind."""
    kind = draw(st.sampled_from(["converter", "sleeping", "fixed", "offset", "transformer", "busway"]))
    more = draw(common)
    if kind in ("converter", "sleeping"):
        x = sorted(draw(st.lists(st.floats(0.05, 1.2), min_size=2, max_size=6, unique=True)))
        eta = draw(st.lists(st.floats(0.7, 0.999), min_size=len(x), max_size=len(x)))
        asleep = {"smallest_on": draw(st.integers(1, 6)), "whole_units": True} if kind == "sleeping" else {}
        return Converter(name="c", load_fraction=tuple(x), efficiency=tuple(eta), **more, **asleep)
    if kind == "fixed":
        return Fixed(name="f", fixed_efficiency=draw(st.floats(0.8, 1.0)), **more)
    if kind == "offset":
        return Offset(name="o", offset_power=draw(st.floats(0, 100)), slope_efficiency=draw(st.floats(0.8, 1.0)),
                      **more)
    if kind == "transformer":
        return Transformer(name="t", stated_efficiency=draw(st.floats(0.95, 0.999)),
                           stated_load=draw(st.floats(0.2, 1.0)), core_share=draw(st.floats(0, 1)), **more)
    return Busway(name="b", voltage=draw(st.sampled_from([208.0, 415.0, 480.0])), length=draw(st.floats(1, 50)),
                  resistance_per_length=draw(st.floats(1e-6, 1e-4)), **more)


@st.composite
def chains(draw, fewest=1):
    drawn = draw(st.lists(stages(), min_size=fewest, max_size=6))
    return PowerChain(stages=tuple(s.replace(name=f"{s.name}{i}") for i, s in enumerate(drawn)),
                      room_cop=draw(st.floats(2.0, 20.0)))


loads = st.lists(st.floats(0, 1.2 * RATED), min_size=1, max_size=30).map(lambda x: np.array(sorted(x)))
plants = st.floats(0, RATED)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(chains(), loads, plants)
def test_everything_is_accounted_for(chain, load, plant):
    """Utility = load + plant + room cooling + losses; one rounding for each addition on the way."""
    flows = chain.flows(load, plant=plant)
    given_back = load + plant + flows.room_cooling_power + flows.stage_loss.sum(axis=1)
    assert np.all(np.abs(flows.utility_power - given_back) <= 1e-12 * flows.utility_power + 1e-9 * EPS)
    assert np.all(flows.stage_loss >= 0) and np.all(flows.room_cooling_power >= 0)
    assert np.all(flows.utility_power >= load)
    some = load > 1e-3
    assert np.all(flows.utility_power[some] / load[some] >= 1.0), "PUE"
    room = flows.heat("electrical-room") / chain.room_cop
    np.testing.assert_allclose(flows.room_cooling_power, room, rtol=1e-12, atol=1e-12)
    utility, losses = chain.input_power(load)
    assert np.all(np.abs(utility - load - losses.sum(axis=1)) <= 1e-12 * utility + 1e-9 * EPS)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(chains(), loads, plants)
def test_more_load_never_draws_less(chain, load, plant):
    """For a load that rises, utility power rises: at least as much, to rounding."""
    utility = chain.flows(load, plant=plant).utility_power
    assert np.all(np.diff(utility) >= np.diff(load) - 64 * EPS * utility[1:])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(chains(fewest=2), loads, plants, st.integers(0, 5))
def test_a_stage_less_never_loses_more(chain, load, plant, which):
    """Without one of its stages, the chain draws no more from the utility and loses no more."""
    which %= len(chain.stages)
    fewer = chain.replace(stages=chain.stages[:which] + chain.stages[which + 1:])
    utility, losses = chain.input_power(load)
    less, fewer_losses = fewer.input_power(load)
    assert np.all(less <= utility * (1 + 64 * EPS))
    assert np.all(fewer_losses.sum(axis=1) <= losses.sum(axis=1) + 64 * EPS * utility)
    with_plant = chain.flows(load, plant=plant).utility_power
    if not chain.stages[which].feeds_plant:  # else the plant moves to another stage's output
        assert np.all(fewer.flows(load, plant=plant).utility_power <= with_plant * (1 + 64 * EPS))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(chains(), loads, st.integers(0, 5))
def test_order_and_company_do_not_matter(chain, load, which):
    """A sample's answer is the same bits alone as among others."""
    k = which % load.size
    utility, losses = chain.input_power(load)
    alone, alone_losses = chain.input_power(load[k:k + 1])
    assert alone[0] == utility[k] and np.array_equal(alone_losses[0], losses[k])


# ---------------------------------------------------------------------------------------------------------- over time

T_END = 3600.0  # s
efficiencies = st.floats(0.7, 1.0)
batteries = st.builds(
    Battery, chemistry=st.just("li-ion"), full_load_runtime=st.floats(5.0, 900.0), peukert=st.floats(1.0, 1.4),
    discharge_efficiency=efficiencies, charge_efficiency=efficiencies, recharge_time=st.floats(60.0, 4000.0),
    capacity_temperature=st.just((0.0, 25.0)), capacity_factor=st.just((0.8, 1.0)))
energy_stores = st.builds(EnergyStore, energy_per_device=st.floats(10.0, 1e4), devices=st.just(32.0),
                          discharge_efficiency=efficiencies, charge_efficiency=efficiencies,
                          recharge_time=st.floats(0.1, 100.0))
smoothings = st.none() | st.builds(Smoothing, ramp_up=st.none() | st.floats(1.0, 100.0), ramp_down=st.floats(1.0, 100.0),
                                   floor_power=st.floats(0.0, 500.0), averaging_time=st.floats(0.0, 60.0))


@st.composite
def carriers(draw):
    """A UPS or a shelf that carries the load for a while."""
    curve = {"load_fraction": (0.3, 1.0), "efficiency": (draw(st.floats(0.8, 0.99)), draw(st.floats(0.8, 0.99)))}
    more = draw(common)
    if draw(st.booleans()):
        return Ups(name="u", battery=draw(batteries), **curve, **more)
    return Shelf(name="s", battery=draw(st.none() | batteries), energy_store=draw(energy_stores),
                 smoothing=draw(smoothings), **curve, **more)


@st.composite
def supplied(draw):
    """A chain, what is asked of it, and faults."""
    drawn = draw(st.lists(stages(), max_size=4)) + draw(st.lists(carriers(), max_size=2))
    drawn = draw(st.permutations(drawn)) or [Fixed(name="f", fixed_efficiency=0.97)]
    generator = draw(st.none() | st.builds(
        Generator, start_delay=st.floats(0, 300), fails_to_start=st.booleans(),
        rated_power=st.none() | st.floats(0.5, 4.0).map(lambda x: x * RATED)))
    chain = PowerChain(stages=tuple(s.replace(name=f"{s.name}{i}") for i, s in enumerate(drawn)),
                       room_cop=draw(st.floats(2.0, 20.0)), generator=generator)
    inner = draw(st.lists(st.floats(1.0, T_END - 1.0), max_size=12, unique=True))
    seconds = np.array([0.0, *sorted(inner), T_END])
    load = np.array(draw(st.lists(st.floats(0, 1.2 * RATED), min_size=seconds.size, max_size=seconds.size)))
    plant = draw(plants)
    begins, lasts = st.floats(-10.0, T_END), st.floats(0.01, T_END) | st.just(np.inf)
    spells = st.builds(lambda b, d: (b, b + d), begins, lasts)
    kinds = [st.builds(lambda x: UtilityOutage(*x), spells), st.builds(LoadDropped, begins),
             st.builds(lambda x, s, n: UnitsFailed(*x, stage=s, units=n), spells, st.sampled_from(chain.stage_names),
                       st.floats(0.1, 6.0))]
    if any(isinstance(s, Ups) for s in chain.stages):
        kinds.append(st.builds(lambda x: UpsBypass(*x), spells))
    faults = draw(st.lists(st.one_of(kinds), max_size=4))
    return chain, load, seconds, plant, faults


def accounted(supply, load):
    """The balance and the signs that hold in any supply."""
    scale = max(supply.utility_power.max(), np.abs(supply.battery_power).max(), load.max(), 1.0)
    assert np.max(np.abs(supply.residual)) <= 1e-12 * scale
    assert np.all(supply.stage_loss >= -1e-12 * scale) and np.all(supply.room_cooling_power >= 0)
    assert np.all(supply.utility_power >= 0)
    given = supply.utility_power + supply.battery_power + (
        0.0 if supply.generator_power is None else supply.generator_power)
    assert np.all(given >= supply.load * (1 - 1e-12) - 1e-12 * scale), "no more arrives than is given"
    if supply.battery_charge is not None:
        assert np.all((supply.battery_charge >= 0) & (supply.battery_charge <= 1))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(supplied())
def test_faults_lose_nothing_unseen(case):
    """Utility + generator + stores = load + plant + cooling + losses in every interval, whatever fails."""
    chain, load, seconds, plant, faults = case
    supply = chain.over_time(load, seconds, plant=plant, faults=faults)
    accounted(supply, load)
    feeds = supply.battery_power <= 0
    some = feeds & (supply.load > 1e-3)
    bought = supply.utility_power + (0.0 if supply.generator_power is None else supply.generator_power)
    assert np.all(bought[some] >= supply.load[some] * (1 - 1e-12)), "PUE >= 1 where no store gives"
    lost = supply.load_lost_at
    if lost is None:
        np.testing.assert_array_equal(supply.load, load)
    else:
        assert np.all(supply.load[seconds >= lost] == 0) and supply.why and "\n" not in supply.why
    assert all(a[0] <= b[0] for a, b in zip(supply.timeline, supply.timeline[1:], strict=False))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(supplied())
def test_what_stores_give_they_were_given(case):
    """A store never gives more than it held, and is never filled by more than it gave."""
    chain, load, seconds, plant, faults = case
    if any(isinstance(s, Shelf) and s.smoothing for s in chain.stages):
        return  # the smoothing store moves without a fault
    supply = chain.over_time(load, seconds, plant=plant, faults=faults)
    given = np.append(0.0, np.cumsum(supply.battery_power[:-1] * np.diff(seconds)))
    assert np.all(given >= -1e-9 * max(given.max(), 1.0))
    full = supply.battery_charge is None or supply.battery_charge[-1] == 1.0
    if full and all(s.carrier is None or isinstance(s.carrier, Battery) for s in chain.stages):
        assert abs(given[-1]) <= 1e-9 * max(given.max(), 1.0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(supplied(), st.floats(1.0, 1.3))
def test_more_load_under_faults_never_draws_less(case, more):
    """While both carry their load without a store, a larger load draws at least as much."""
    chain, load, seconds, plant, faults = case
    faults = [f for f in faults if isinstance(f, UpsBypass | UnitsFailed)]
    small, large = (chain.over_time(x, seconds, plant=plant, faults=faults) for x in (load, more * load))
    if any(isinstance(s, Shelf) and s.smoothing for s in chain.stages):
        return
    both = (small.load == load) & (large.load == more * load) & (small.battery_power == 0) & (large.battery_power == 0)
    assert np.all(large.utility_power[both] >= small.utility_power[both] * (1 - 64 * EPS))
    assert small.load_lost_at is None or large.load_lost_at is not None and large.load_lost_at <= small.load_lost_at


@settings(max_examples=150, deadline=None, derandomize=True)
@given(supplied(), st.integers(0, 5))
def test_a_stage_less_under_faults_never_loses_more(case, which):
    """Without one of its lossy stages, and with the same outages, a chain loses no more where both carry alike."""
    chain, load, seconds, plant, faults = case
    which %= len(chain.stages)
    gone = chain.stages[which]
    if len(chain.stages) == 1 or gone.carrier is not None or any(
            isinstance(s, Shelf) and s.smoothing for s in chain.stages):
        return
    faults = [f for f in faults if not isinstance(f, UnitsFailed) or f.stage != gone.name]
    fewer = chain.replace(stages=chain.stages[:which] + chain.stages[which + 1:])
    whole, less = (c.over_time(load, seconds, faults=faults) for c in (chain, fewer))
    alike = (whole.load == load) & (less.load == load) & (whole.battery_power == 0) & (less.battery_power == 0)
    lost = whole.stage_loss.sum(axis=1) * (1 + 64 * EPS) + 64 * EPS * whole.utility_power
    assert np.all(less.stage_loss.sum(axis=1)[alike] <= lost[alike])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(supplied())
def test_over_time_is_flows_without_faults(case):
    """No fault and no smoothing: the bits of `flows`; a fault after the end changes none of them."""
    chain, load, seconds, plant, _ = case
    if any(isinstance(s, Shelf) and s.smoothing for s in chain.stages):
        return
    flows = chain.flows(load, plant=plant)
    for faults in ((), [UtilityOutage(2 * T_END)]):
        supply = chain.over_time(load, seconds, plant=plant, faults=faults)
        assert np.array_equal(supply.utility_power, flows.utility_power)
        assert np.array_equal(supply.stage_loss, flows.stage_loss)
        assert np.array_equal(supply.inlet_power, flows.inlet_power)

"""Any chain, any load: nothing is lost unseen or gained, more load never draws less, fewer stages never lose more."""
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thermo.power import Busway, Converter, Fixed, Offset, PowerChain, Transformer

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

"""The pass over the energy store equals its NumPy twin, and refuses whatever is not exactly what it asks for."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from thermo._kernels import smoothing

_spec = importlib.util.spec_from_file_location("smoothing_twin", Path(__file__).parents[1] / "twins" / "smoothing.py")
twin = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(twin)

SEED = 53
LAW = dict(capacity=65.0, set_point=30.0, charge_efficiency=0.98, discharge_efficiency=0.97, recharge_time=1.0,
           floor=300.0, floor_hold=0.5, ramp_up=2000.0, ramp_down=1000.0)
LAWS = {
    "a shelf": {},
    "no floor": dict(floor=0.0, floor_hold=np.inf),
    "no ramps": dict(ramp_up=np.inf, ramp_down=np.inf),
    "never recharged": dict(recharge_time=np.inf),
    "no store": dict(capacity=0.0, set_point=0.0),
    "full": dict(set_point=65.0),
    "lossless": dict(charge_efficiency=1.0, discharge_efficiency=1.0),
    "large": dict(capacity=1e5, set_point=5e4),
}


def drawn(seed, n=300, c=3):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.01, 0.2, n), rng.uniform(0.1, 1.0, n), rng.choice([0.0, 120.0, 290.0, 700.0], (n, c))


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
@pytest.mark.parametrize("seed", range(SEED, SEED + 5))
def test_equals_its_twin(seed, law):
    """Same operations in the same order: no more than an ulp of the numbers met in a step, which decay."""
    dt, weight, load = drawn(seed)
    law = LAW | law
    out = np.full((6, *load.shape), np.nan)
    smoothing.store_pass(dt, weight, load, out=out, **law)
    expected = twin.store_pass(dt, weight, load, **law)
    scale = 700.0 + 1000.0 / dt.min() * 1e-3 + law["capacity"]
    np.testing.assert_allclose(out, expected, rtol=0, atol=64 * np.finfo(float).eps * scale)


def test_one_step_by_hand():
    """100 W to 500 W at 200 W/s from 1 s before: the grid gives 300 W, a lossless store the other 200 W."""
    out = np.empty((6, 2, 1))
    law = LAW | dict(capacity=1000.0, set_point=500.0, charge_efficiency=1.0, discharge_efficiency=1.0, floor=0.0,
                     ramp_up=200.0)
    smoothing.store_pass(np.ones(2), np.ones(2), np.array([[100.0], [500.0]]), out=out, **law)
    assert out[:, :, 0].tolist() == [[100, 300], [500, 500], [0, 0], [0, 0], [0, 0], [0, 0]]


def test_nothing_in_nothing_out():
    smoothing.store_pass(np.empty(0), np.empty(0), np.empty((0, 2)), out=np.empty((6, 0, 2)), **LAW)
    smoothing.store_pass(np.ones(3), np.ones(3), np.empty((3, 0)), out=np.empty((6, 3, 0)), **LAW)


def test_read_only_inputs_are_taken_and_left_alone():
    inputs = drawn(SEED)
    copies = [a.copy() for a in inputs]
    for a in inputs:
        a.flags.writeable = False
    smoothing.store_pass(*inputs, out=np.empty((6, *inputs[2].shape)), **LAW)
    assert all(np.array_equal(a, b) for a, b in zip(inputs, copies, strict=True))


BAD = {
    "dt float32": dict(dt=np.ones(4, np.float32)),
    "dt strided": dict(dt=np.ones(8)[::2]),
    "dt short": dict(dt=np.ones(3)),
    "dt None": dict(dt=None),
    "weight short": dict(weight=np.ones(3)),
    "weight integers": dict(weight=np.ones(4, int)),
    "load Fortran": dict(load=np.asfortranarray(np.ones((4, 2)))),
    "load of one dim": dict(load=np.ones(4)),
    "load complex": dict(load=np.ones((4, 2), complex)),
    "load None": dict(load=None),
    "out short": dict(out=np.empty((6, 3, 2))),
    "out of five": dict(out=np.empty((5, 4, 2))),
    "out narrow": dict(out=np.empty((6, 4, 1))),
    "out float32": dict(out=np.empty((6, 4, 2), np.float32)),
    "out None": dict(out=None),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_refuses_what_it_would_have_to_convert(bad):
    a = dict(dt=np.ones(4), weight=np.ones(4), load=np.ones((4, 2)), out=np.empty((6, 4, 2)))
    smoothing.store_pass(**a, **LAW)
    a |= bad
    with pytest.raises((ValueError, TypeError)):
        smoothing.store_pass(a["dt"], a["weight"], a["load"], out=a["out"], **LAW)


def test_scalars_and_out_are_keyword_only_and_there():
    with pytest.raises(TypeError):
        smoothing.store_pass(np.ones(4), np.ones(4), np.ones((4, 2)), np.empty((6, 4, 2)), **LAW)
    with pytest.raises(TypeError):
        smoothing.store_pass(np.ones(4), np.ones(4), np.ones((4, 2)), out=np.empty((6, 4, 2)))

"""The compiled passes equal their NumPy twins, and refuse whatever is not exactly what they ask for."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from thermo._kernels import passes

_spec = importlib.util.spec_from_file_location("resample_twin", Path(__file__).parents[1] / "twins" / "resample.py")
twin = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(twin)

SEED = 41


def drawn(seed, n=60, c=3, m=25):
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.1, 2.0, n))
    inner = np.sort(np.concatenate([rng.uniform(t[0], t[-1], m), rng.choice(t[1:-1], m // 3, replace=False)]))
    edges = np.unique(np.concatenate([[t[0]], inner, [t[-1]]]))
    return t, rng.uniform(50.0, 700.0, (n, c)), edges


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("seed", range(SEED, SEED + 20))
@pytest.mark.parametrize("whole", [True, False])
def test_equals_its_twin(seed, linear, whole):
    """The twin subtracts two running integrals, so its rounding is eps times the whole integral over one interval."""
    t, x, edges = drawn(seed)
    edges = edges if whole else edges[4:-3]
    out = np.full((len(edges), x.shape[1]), np.nan)
    passes.interval_means(t, x, edges, linear=linear, out=out)
    expected = twin.interval_means(t, x, edges, linear=linear)
    rounding = 8 * np.finfo(float).eps * 700.0 * (t[-1] - t[0]) / np.diff(edges).min()
    np.testing.assert_allclose(out, expected, rtol=0, atol=rounding)


def test_means_by_hand():
    """100 W for 1 s and 300 W for 3 s: 250 W over the 4 s when held; 200 then 350 W when straight."""
    t, x = np.array([0.0, 1.0, 4.0]), np.array([[100.0], [300.0], [400.0]])
    out = np.empty((2, 1))
    passes.interval_means(t, x, np.array([0.0, 4.0]), linear=False, out=out)
    assert out.tolist() == [[250.0], [400.0]]
    passes.interval_means(t, x, np.array([0.0, 4.0]), linear=True, out=out)
    assert out.tolist() == [[(200.0 * 1 + 350.0 * 3) / 4], [400.0]]


@pytest.mark.parametrize("linear", [False, True])
def test_no_interval_and_no_channel(linear):
    """One edge gives only the closing value; no channels give nothing."""
    t, x = np.array([0.0, 1.0]), np.array([[2.0], [4.0]])
    out = np.empty((1, 1))
    passes.interval_means(t, x, np.array([0.5]), linear=linear, out=out)
    assert out[0, 0] == (3.0 if linear else 2.0)
    passes.interval_means(t, np.empty((2, 0)), np.array([0.5]), linear=linear, out=np.empty((1, 0)))


def test_read_only_inputs_are_taken_and_left_alone():
    t, x, edges = drawn(SEED)
    copies = t.copy(), x.copy(), edges.copy()
    for a in (t, x, edges):
        a.flags.writeable = False
    passes.interval_means(t, x, edges, linear=True, out=np.empty((len(edges), 3)))
    assert all(np.array_equal(a, b) for a, b in zip((t, x, edges), copies, strict=True))


def test_broken_order_stays_inside_the_arrays():
    """Order is the caller's to check: numbers are then wrong, but nothing is written past an end."""
    guard = np.full((6, 1), -1.0)
    passes.interval_means(np.array([5.0, 1.0, np.nan]), np.ones((3, 1)), np.array([9.0, np.nan, -3.0, 2.0]),
                          linear=True, out=guard[1:5])
    assert guard[0, 0] == guard[5, 0] == -1.0


BAD = {
    "t float32": dict(t=np.arange(4, dtype=np.float32)),
    "t integers": dict(t=np.arange(4)),
    "t strided": dict(t=np.arange(8.0)[::2]),
    "t of two dims": dict(t=np.arange(4.0)[:, None]),
    "t short": dict(t=np.arange(3.0)),
    "t None": dict(t=None),
    "t object": dict(t=np.arange(4).astype(object)),
    "x float32": dict(x=np.ones((4, 2), np.float32)),
    "x complex": dict(x=np.ones((4, 2), complex)),
    "x Fortran": dict(x=np.asfortranarray(np.ones((4, 2)))),
    "x strided": dict(x=np.ones((4, 4))[:, ::2]),
    "x of one dim": dict(x=np.ones(4)),
    "x long": dict(x=np.ones((5, 2))),
    "x None": dict(x=None),
    "x strings": dict(x=np.array([["1", "2"]] * 4)),
    "edges float32": dict(edges=np.array([0, 3], np.float32)),
    "edges strided": dict(edges=np.arange(4.0)[::2]),
    "edges empty": dict(edges=np.empty(0)),
    "edges None": dict(edges=None),
    "edges big-endian": dict(edges=np.array([0.0, 3.0], ">f8")),
    "out float32": dict(out=np.empty((2, 2), np.float32)),
    "out Fortran": dict(out=np.asfortranarray(np.empty((2, 2)))),
    "out short": dict(out=np.empty((1, 2))),
    "out narrow": dict(out=np.empty((2, 1))),
    "out None": dict(out=None),
    "one sample": dict(t=np.zeros(1), x=np.zeros((1, 2))),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_refuses_what_it_would_have_to_convert(bad):
    good = dict(t=np.arange(4.0), x=np.ones((4, 2)), edges=np.array([0.0, 3.0]), out=np.empty((2, 2)))
    passes.interval_means(good["t"], good["x"], good["edges"], linear=False, out=good["out"])
    a = good | bad
    with pytest.raises((ValueError, TypeError)):
        passes.interval_means(a["t"], a["x"], a["edges"], linear=False, out=a["out"])


def test_refuses_a_read_only_out():
    out = np.empty((2, 2))
    out.flags.writeable = False
    with pytest.raises(ValueError):
        passes.interval_means(np.arange(4.0), np.ones((4, 2)), np.array([0.0, 3.0]), linear=False, out=out)


def test_scalars_and_out_are_keyword_only():
    with pytest.raises(TypeError):
        passes.interval_means(np.arange(4.0), np.ones((4, 2)), np.array([0.0, 3.0]), False, np.empty((2, 2)))

"""The door to the compiled engine: what does not fit is refused in Python's words, and nothing crashes.

Seen to fail: series narrower than the network names (a crash), Ctrl-C between two samples a century apart.
"""
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import networks
import numpy as np
import pytest

import thermo
from thermo._kernels import network as compiled

REFUSED = (TypeError, ValueError)


def parts(**changes):
    """The arrays of a one-node group: a source, a boundary, a controller and a law; with changes."""
    table = (0.0, 1.0, np.ones(3), np.zeros(3))
    good = dict(
        capacity=np.array([[500.0]]), signals=np.array([[0, -1, -1, -1], [0, -1, -1, -1], [2, 0, -1, -1]], np.int32),
        series=np.array([[0], [1], [-1]], np.int32), coefficients=np.array([[0, 2, -1]], np.int32), scale=np.array([[10.0]]),
        conductances=np.array([[0, compiled.BOUNDARY, 0]], np.int32), streams=np.empty((0, 3), np.int32),
        exits=np.empty((0, 3), np.int32), sources=np.array([[0, 0]], np.int32), fractions=np.array([1.0]),
        boundaries=np.array([1], np.int32), laws=[table], totals=[], chips=[],
        controllers=[dict(kind=0, period=5.0, gain=0.01, integral_gain=0.001, low=0.0, high=1.0, quantum=0.0, deadband=0.0,
                          nodes=[0], target=[10.0], relative=-1, curve=table, step=0.0, slowdown=1e9, slowed=1.0, shutdown=1e9)],
        record_nodes=np.array([0], np.int32), record_signals=np.array([2], np.int32))
    return good | changes


def engine(n_series=2, border=0, **changes):
    return compiled.Engine(groups=[compiled.Group(**parts(**changes))], border_capacity=np.zeros(border),
                           record_border=np.arange(border, dtype=np.int32), n_series=n_series)


SERIES = (np.array([0.0, 10.0, 20.0]), np.array([[300.0, 0.0]] * 3), np.zeros(2, np.uint8))
RUN = dict(exact=True, tolerance=0.01, forced_step=0.0, threads=1, progress=None)


def test_the_good_group_runs():
    """What the refusals below start from is accepted, by both steppers, with read-only inputs."""
    inputs = [a.copy() for a in SERIES]
    for a in inputs:
        a.flags.writeable = False
    for exact in (True, False):
        groups, shared = engine().run(*inputs, **RUN | {"exact": exact})
        assert np.all(np.isfinite(groups[0]["nodes"])) and shared.shape == (3, 0)


def _controller(**changes):
    good = parts()["controllers"][0]
    return [{k: v for k, v in (good | changes).items() if v is not None}]


table = (0.0, 1.0, np.ones(3), np.zeros(3))


@pytest.mark.parametrize("changes", [
    dict(capacity=np.array([[500.0]], np.float32)), dict(capacity=np.array([[500.0]], ">f8")), dict(capacity=np.array([500.0])),
    dict(capacity=np.array([[np.nan]])), dict(capacity=np.array([[-1.0]])), dict(capacity=np.array([[np.inf]])),
    dict(capacity=np.empty((0, 1))), dict(capacity=np.empty((1, 0))), dict(capacity=np.array([[1 + 1j]])),
    dict(capacity=np.array([["1"]])), dict(capacity=np.array([[None]])), dict(capacity=None), dict(capacity=[[1.0]]),
    dict(signals=np.zeros((3, 4), np.int64)),
    dict(signals=np.array([[9, -1, -1, -1]] * 3, np.int32)), dict(signals=np.array([[1, 0, 2, -1]] * 3, np.int32)),
    dict(signals=np.array([[4, 5, -1, -1]] * 3, np.int32)), dict(signals=np.zeros((3, 3), np.int32)),
    dict(signals=np.array([[0, -1, -1, -1], [0, -1, -1, -1], [2, 1, -1, -1]], np.int32)),
    dict(signals=np.array([[0, -1, -1, -1], [0, -1, -1, -1], [2, -7, -1, -1]], np.int32)),
    dict(signals=np.array([[0, -1, -1, -1], [0, -1, -1, -1], [3, 0, 9, -1]], np.int32)),
    dict(series=np.array([[0], [2], [-1]], np.int32)), dict(series=np.array([[0], [-5], [-1]], np.int32)),
    dict(series=np.array([[0], [1]], np.int32)), dict(coefficients=np.array([[1, 2, -1]], np.int32)),
    dict(coefficients=np.array([[0, 3, -1]], np.int32)), dict(coefficients=np.array([[0, -1, -1]], np.int32)),
    dict(coefficients=np.array([[0, 2, 8]], np.int32)), dict(scale=np.array([[np.nan]])), dict(scale=np.array([[-1.0]])),
    dict(scale=np.ones((2, 1))), dict(conductances=np.array([[0, compiled.BOUNDARY + 1, 0]], np.int32)),
    dict(conductances=np.array([[0, compiled.SHARED, 0]], np.int32)), dict(conductances=np.array([[1, 0, 0]], np.int32)),
    dict(conductances=np.array([[-1, 0, 0]], np.int32)), dict(conductances=np.array([[0, 0, 5]], np.int32)),
    dict(conductances=np.array([[compiled.BOUNDARY, 0, 0]], np.int32)), dict(conductances=np.zeros((1, 2), np.int32)),
    dict(streams=np.array([[0, compiled.BOUNDARY, 0]], np.int32)), dict(streams=np.array([[0, 7, 0]], np.int32)),
    dict(exits=np.array([[compiled.BOUNDARY, 0, 0]], np.int32)), dict(sources=np.array([[1, 0]], np.int32)),
    dict(sources=np.array([[0, 3]], np.int32)), dict(fractions=np.array([np.nan])), dict(fractions=np.ones(2)),
    dict(boundaries=np.array([3], np.int32)), dict(boundaries=np.array([-1], np.int32)),
    dict(record_nodes=np.array([1], np.int32)), dict(record_nodes=np.array([-1], np.int32)),
    dict(record_signals=np.array([3], np.int32)), dict(laws=[(0.0, 1.0, np.ones(1), np.zeros(1))]),
    dict(laws=[(0.0, 0.0, np.ones(3), np.zeros(3))]), dict(laws=[(0.0, 1.0, np.ones(3), np.zeros(2))]),
    dict(laws=[(0.0, 1.0, np.full(3, np.nan), np.zeros(3))]), dict(laws=[(0.0, 1.0)]), dict(laws=[None]), dict(laws=[7]),
    dict(totals=[([9], [1.0])], signals=np.array([[6, 0, -1, -1]], np.int32)), dict(totals=[None]), dict(totals=[([0], "x")]),
    dict(laws=[(np.nan, 1.0, np.ones(3), np.zeros(3))]), dict(laws=[(0.0, 1.0, np.ones(3, np.float32), np.zeros(3))]),
    dict(laws=[(0.0, 1.0, None, np.zeros(3))]), dict(controllers=[None]), dict(controllers=_controller(period=None)),
    dict(controllers=_controller(period=0.0)), dict(controllers=_controller(period=np.nan)), dict(controllers=_controller(kind=7)),
    dict(controllers=_controller(nodes=[3])), dict(controllers=_controller(nodes=[])), dict(controllers=_controller(target=[1.0, 2.0])),
    dict(controllers=_controller(target=[np.nan])), dict(controllers=_controller(low=2.0)), dict(controllers=_controller(gain=np.inf)),
    dict(controllers=_controller(kind=1, curve=(0.0, 1.0, np.empty(0), np.empty(0)))), dict(controllers=_controller(gain="x")),
], ids=lambda c: next(iter(c)))
def test_malformed_groups_are_refused(changes):
    """Wrong type, stride, byte order, length, index or number: TypeError or ValueError, before anything runs."""
    with pytest.raises(REFUSED):
        engine(**changes)


def test_malformed_borders_are_refused():
    """Capacities of shared nodes that are no capacities; a recorded one that is not there."""
    group = compiled.Group(**parts())
    for capacity in (np.array([np.nan]), np.array([-1.0]), np.array([np.inf]), np.array([1.0], np.float32), None):
        with pytest.raises(REFUSED):
            compiled.Engine(groups=[group], border_capacity=capacity, record_border=np.empty(0, np.int32), n_series=2)
    with pytest.raises(REFUSED):
        compiled.Engine(groups=[group], border_capacity=np.zeros(1), record_border=np.array([1], np.int32), n_series=2)
    with pytest.raises(REFUSED):
        compiled.Engine(groups=[], border_capacity=np.zeros(0), record_border=np.empty(0, np.int32), n_series=2)
    with pytest.raises(REFUSED):
        compiled.Engine(groups=[None], border_capacity=np.zeros(0), record_border=np.empty(0, np.int32), n_series=2)
    with pytest.raises(REFUSED):
        compiled.Engine(groups=[group], border_capacity=np.zeros(0), record_border=np.empty(0, np.int32), n_series=-1)


time_, value_, linear_ = SERIES
BAD_SERIES = {
    "float32 time": (time_.astype(np.float32), value_, linear_), "big-endian": (time_, value_.astype(">f8"), linear_),
    "Fortran order": (time_, np.asfortranarray(value_), linear_), "strided": (np.repeat(time_, 2)[::2], value_, linear_),
    "too narrow": (time_, value_[:, :1].copy(), linear_[:1]), "too wide": (time_, np.ones((3, 5)), np.zeros(5, np.uint8)),
    "no columns": (time_, np.empty((3, 0)), np.empty(0, np.uint8)), "too short": (time_, value_[:2], linear_),
    "flags too few": (time_, value_, linear_[:1]), "no samples": (time_[:0], value_[:0], linear_),
    "falling": (time_[::-1].copy(), value_, linear_), "standing": (np.zeros(3), value_, linear_),
    "nan time": (np.array([0.0, np.nan, 2.0]), value_, linear_), "endless": (np.array([0.0, 1.0, np.inf]), value_, linear_),
    "none": (None, value_, linear_), "list": (time_, value_.tolist(), linear_), "bool flags": (time_, value_, linear_.astype(bool)),
    "two-dimensional time": (time_[:, None], value_, linear_),
}


@pytest.mark.parametrize("series", BAD_SERIES.values(), ids=BAD_SERIES.keys())
def test_series_that_do_not_fit_are_refused_everywhere(series):
    """`run`, `steady`, `hold` and `derivative` check the same things; a narrower table was once read past its end."""
    e = engine()
    y, dy = np.zeros(1), np.zeros(1)
    for call in (lambda: e.run(*series, **RUN), lambda: e.run(*series, **RUN | {"exact": False}),
                 lambda: e.steady(*series, interval=0, x=0.0), lambda: e.hold(*series, interval=0, x=0.0),
                 lambda: e.derivative(*series, y, dy, interval=0, x=0.0)):
        with pytest.raises(REFUSED):
            call()


def test_state_that_does_not_fit_is_refused():
    """Setters, indices of groups and intervals, and outputs: a read-only or strided `dy` is refused, a read-only `y` is not."""
    e = engine()
    bad = [np.zeros((1, 1), np.float32), np.zeros((2, 1)), np.zeros(1), None, np.zeros((1, 1), ">f8"), np.zeros((1, 1), complex)]
    for value in bad:
        for setter in (e.set_temperature, e.set_control, e.set_integral):
            with pytest.raises(REFUSED):
                setter(0, value)
    for group in (-1, 1, 10**6):
        for call in (e.temperature, e.control, e.integral, e.control_rise, e.recorded_signals, e.largest_block):
            with pytest.raises(REFUSED):
                call(group)
        with pytest.raises(REFUSED):
            e.set_temperature(group, np.zeros((1, 1)))
    with pytest.raises(REFUSED):
        e.set_border_temperature(np.zeros(1))
    for interval in (-1, 3):
        with pytest.raises(REFUSED):
            e.steady(*SERIES, interval=interval, x=0.0)
    frozen = np.zeros(1)
    frozen.flags.writeable = False
    e.hold(*SERIES, interval=0, x=0.0)
    e.derivative(*SERIES, frozen, np.zeros(1), interval=0, x=0.0)
    for dy in (frozen, np.zeros(2), np.zeros(1, np.float32), np.zeros((1, 1)), None):
        with pytest.raises(REFUSED):
            e.derivative(*SERIES, np.zeros(1), dy, interval=0, x=0.0)
    with pytest.raises(TypeError):
        e.run(*SERIES)


def test_progress_that_raises_ends_the_run():
    """An exception of the caller's own comes back as itself."""
    class Enough(Exception):
        pass

    def progress(_):
        raise Enough

    network = networks.lanes(np.arange(20_000) * 1.0, np.random.default_rng(1).uniform(100, 600, 20_000), n_server=64)
    e = network.build()
    for exact, threads in ((True, 1), (True, 2), (False, 1)):
        with pytest.raises(Enough):
            e.run(*network.series(), **RUN | dict(progress=progress, exact=exact, threads=threads))


def test_gil_is_released():
    """While the engine runs, another thread ticks."""
    network = networks.lanes(np.arange(40_000) * 1.0, np.random.default_rng(1).uniform(100, 600, 40_000), n_server=64)
    e, ticks, done = network.build(), 0, threading.Event()

    def count():
        nonlocal ticks
        while not done.wait(0.002):
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    begin = time.perf_counter()
    e.run(*network.series(), **RUN)
    took = time.perf_counter() - begin
    done.set()
    thread.join()
    assert ticks >= 0.1 * took / 0.002  # a tenth of what an idle core would give


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "implicit"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["many samples", "one long interval"])
def test_interrupt_is_answered_within_half_a_second(exact, threads, kind):
    """SIGINT during a run of minutes, be it of many samples or of controller ticks between two samples."""
    if kind == "many samples":
        run = ("n = networks.lanes(np.arange(300_000) * 1.0, np.random.default_rng(1).uniform(100, 600, 300_000), n_server=200)\n"
               "e, s = n.build(), n.series()")
    else:
        run = ("import test_network_door as door\ne = door.engine()\n"
               "s = (np.array([0.0, 3e9]), np.array([[300.0, 0.0]] * 2), np.zeros(2, np.uint8))")
    program = textwrap.dedent("""
        import sys, time
        import numpy as np, networks
        {run}
        print("go", flush=True)
        try:
            e.run(*s, exact={exact}, tolerance=0.01, forced_step=0.0, threads={threads}, progress=None)
        except KeyboardInterrupt:
            print(time.time(), flush=True)
    """).format(run=run, exact=exact, threads=threads)
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.path.dirname(here), os.path.dirname(os.path.dirname(thermo.__file__))])
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    try:
        assert process.stdout.readline() == "go\n"
        time.sleep(0.25)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0 and float(said) - sent <= 0.5

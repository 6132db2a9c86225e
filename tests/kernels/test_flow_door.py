"""The door to the flow solver: what does not fit is refused in Python's words, and nothing crashes."""
import threading

import numpy as np
import pytest

from thermo._kernels import flow as compiled

REFUSED = (TypeError, ValueError)
CURVE = (np.array([0.0, 1e-3]), np.array([1e5, 2e4]), np.array([-8e7, -8e7]))
KIND = {name: int(kind) for name, kind in compiled.Kind.__members__.items()}


def parts(**changes):
    """A loop of a pump and a pipe, a valve beside the pipe; with changes."""
    p = np.zeros((3, compiled.PARAMETERS))
    p[0, 0] = 998.2
    p[1, :5] = 2.0, 0.02, 1e-6, 0.5, 1.0
    p[2, :3] = 5.0, 0.0, 50.0
    good = dict(tail=np.array([0, 1, 1], np.int32), head=np.array([1, 0, 0], np.int32), given=np.array([1, 0], np.uint8),
                kind=np.array([KIND["PUMP"], KIND["PIPE"], KIND["VALVE"]], np.int32), branch=np.array([0, 1, 2], np.int32),
                curve=np.array([0, -1, -1], np.int32), parameters=p, curves=[CURVE])
    return good | changes


def inputs(n=2, **changes):
    good = dict(setting=np.ones((n, 3)), loss=np.ones((n, 3)), shut=np.zeros((n, 3), np.uint8), pressure=np.full((n, 2), 1e5),
                inflow=np.zeros((n, 2)), density=998.2, viscosity=1e-3)
    return good | changes


def outputs(n=2, **changes):
    return dict(flow=np.zeros((n, 3)), node_pressure=np.zeros((n, 2)), drop=np.zeros((n, 3))) | changes


def test_the_good_network_is_solved():
    """What the refusals below start from is accepted, with read-only inputs too."""
    given, out = inputs(), outputs()
    for a in given.values():
        if isinstance(a, np.ndarray):
            a.flags.writeable = False
    fault, case, where, steps = compiled.FlowNetwork(**parts()).solve(**given, warm=False, **out)
    assert fault == compiled.Fault.NONE and case == 2 and steps > 0
    assert out["flow"][0, 0] == pytest.approx(out["flow"][0, 1:].sum(), rel=1e-12) and np.all(np.isfinite(out["drop"]))


def changed(row, column, value):
    p = parts()["parameters"].copy()
    p[row, column] = value
    return dict(parameters=p)


@pytest.mark.parametrize("changes", [
    dict(tail=np.array([0, 1, 1])), dict(tail=np.array([0, 1], np.int32)), dict(tail=np.array([0, 1, 2], np.int32)),
    dict(tail=np.array([0, 1, -1], np.int32)), dict(tail=np.array([1, 1, 1], np.int32)), dict(tail=None), dict(tail=[0, 1, 1]),
    dict(tail=np.array([[0, 1, 1]], np.int32)), dict(head=np.array([1.0, 0, 0])), dict(given=np.array([1, 0])),
    dict(given=np.empty(0, np.uint8)), dict(given=np.array([True, False])), dict(kind=np.array([9, 0, 3], np.int32)),
    dict(kind=np.array([-1, 0, 3], np.int32)), dict(kind=np.array([5, 0], np.int32)), dict(branch=np.array([0, 1, 3], np.int32)),
    dict(branch=np.array([0, 1, 1], np.int32)), dict(branch=np.array([0, 1, -2], np.int32)), dict(curve=np.array([1, -1, -1], np.int32)),
    dict(curve=np.array([-1, -1, -1], np.int32)), dict(parameters=parts()["parameters"].astype(np.float32)),
    dict(parameters=parts()["parameters"][:, :4].copy()), dict(parameters=np.asfortranarray(parts()["parameters"])),
    dict(parameters=None), changed(0, 0, 0.0), changed(1, 1, np.nan), changed(1, 1, 0.0), changed(1, 0, -1.0), changed(1, 4, 0.0),
    changed(2, 0, 0.0), changed(2, 0, np.inf), dict(curves=[]), dict(curves=[None]), dict(curves=[CURVE[:2]]),
    dict(curves=[(CURVE[0].tolist(), *CURVE[1:])]), dict(curves=[(CURVE[0][:1], CURVE[1][:1], CURVE[2][:1])]),
    dict(curves=[(CURVE[0], CURVE[1][:1], CURVE[2])]), dict(curves=[(CURVE[0], CURVE[1][::-1].copy(), CURVE[2])]),
    dict(curves=[(CURVE[0], CURVE[1], -CURVE[2])]), dict(curves=[(CURVE[0], CURVE[1], 0 * CURVE[2])]),
    dict(curves=[(CURVE[0] + 1e-4, CURVE[1], CURVE[2])]), dict(curves=[(CURVE[0], CURVE[1] * np.nan, CURVE[2])]),
    dict(curves=[(CURVE[0].astype(np.float32), CURVE[1], CURVE[2])]), dict(curves=None),
], ids=lambda c: next(iter(c)))
def test_malformed_networks_are_refused(changes):
    """Wrong type, stride, length, index or number: TypeError or ValueError, before anything runs."""
    with pytest.raises(REFUSED):
        compiled.FlowNetwork(**parts(**changes))


def wrongs(shape, name, low):
    good = np.ones((2, shape))
    yield {name: good.astype(np.float32)}
    yield {name: good.astype(">f8")}
    yield {name: good[:1]}
    yield {name: good[:, :1].copy()}
    yield {name: good[0]}
    yield {name: np.repeat(good, 2, axis=1)[:, ::2]}
    yield {name: None}
    yield {name: good.tolist()}
    yield {name: good * np.nan}
    yield {name: good * np.inf}
    if low:
        yield {name: -good}


WRONG = [w for shape, name, low in [(3, "setting", True), (3, "loss", True), (2, "pressure", False), (2, "inflow", False)]
         for w in wrongs(shape, name, low) if not (name == "setting" and np.shape(w[name]) == (1, 3))]


@pytest.mark.parametrize("changes", [
    *WRONG, dict(shut=np.zeros((2, 3), bool)), dict(shut=np.zeros((2, 2), np.uint8)), dict(loss=np.zeros((2, 3))), dict(density=0.0),
    dict(density=np.nan), dict(viscosity=-1.0), dict(viscosity="1"),
], ids=lambda c: next(iter(c)))
def test_inputs_that_do_not_fit_are_refused(changes):
    """The same checks guard `solve` and `sensitivity`."""
    net = compiled.FlowNetwork(**parts())
    with pytest.raises(REFUSED):
        net.solve(**inputs(**changes), warm=False, **outputs())
    with pytest.raises(REFUSED):
        net.sensitivity(**inputs(**changes), flow=np.ones((2, 3)), element=0, out=np.zeros((2, 3)))


def frozen(shape):
    a = np.zeros(shape)
    a.flags.writeable = False
    return a


@pytest.mark.parametrize("changes", [
    dict(flow=np.zeros((2, 3), np.float32)), dict(flow=np.zeros((2, 2))), dict(flow=np.zeros((3, 2)).T), dict(flow=frozen((2, 3))),
    dict(flow=None), dict(node_pressure=np.zeros((2, 3))), dict(node_pressure=frozen((2, 2))), dict(drop=np.zeros(6)),
    dict(drop=np.zeros((2, 6))[:, ::2]), dict(drop=frozen((2, 3))),
], ids=lambda c: next(iter(c)))
def test_outputs_that_do_not_fit_are_refused(changes):
    """A copy would lose the answer without a word."""
    with pytest.raises(REFUSED):
        compiled.FlowNetwork(**parts()).solve(**inputs(), warm=False, **outputs(**changes))


def test_starts_and_elements_that_cannot_be_are_refused():
    """A start that is no number; an element that is not there; no case at all is no error."""
    net = compiled.FlowNetwork(**parts())
    with pytest.raises(REFUSED):
        net.solve(**inputs(), warm=True, **outputs(flow=np.full((2, 3), np.nan)))
    for element in (-1, 3):
        with pytest.raises(REFUSED):
            net.sensitivity(**inputs(), flow=np.ones((2, 3)), element=element, out=np.zeros((2, 3)))
    with pytest.raises(REFUSED):
        net.sensitivity(**inputs(), flow=np.full((2, 3), np.nan), element=0, out=np.zeros((2, 3)))
    fault, case, _, steps = net.solve(**inputs(0), warm=False, **outputs(0))
    assert fault == compiled.Fault.NONE and case == steps == 0


def test_one_network_serves_many_threads():
    """A solution keeps nothing in the network: threads that share one get the bits that one alone gets."""
    net = compiled.FlowNetwork(**parts())
    setting = np.ones((400, 3))
    setting[:, 0] = np.linspace(0.1, 1, 400)
    alone, answers = outputs(400), [outputs(400) for _ in range(4)]
    net.solve(**inputs(400, setting=setting), warm=False, **alone)
    threads = [threading.Thread(target=net.solve, kwargs=inputs(400, setting=setting) | dict(warm=False) | out) for out in answers]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.array_equal(out[key], alone[key]) for out in answers for key in alone)

"""A Frontier-like system on the `dc-380v` chain, against a hand calculation with the published conversion constants."""
import numpy as np
import pytest

from thermo.power import PowerChain

NODES, RACKS, NODES_PER_RACK, NODES_PER_CHASSIS, RECTIFIERS_PER_CHASSIS = 9472, 74, 128, 16, 4
IDLE, PEAK = 626.26, 2704.26  # W, a node at 48 V
SWITCHES = 4 * 250.0  # W, of a chassis, fed by its rectifiers
CDUS = 25 * 8473.0  # W, beside the racks


def chain():
    return PowerChain.from_library("dc-380v").sized(NODES * PEAK, servers=NODES)


def flows(node_power):
    """The system with its nodes at that power together [W], the coolant units as plant."""
    return chain().flows(node_power, plant=CDUS, taps={"rectifier-380v": NODES / NODES_PER_CHASSIS * SWITCHES})


def by_hand(busy):
    """``(at the racks' AC inlets, loss of rectifiers, of node converters)`` [W], that share of the nodes at peak."""
    nodes = NODES * (busy * PEAK + (1 - busy) * IDLE)
    converters_in = (nodes + NODES * 13.0) / 0.98
    rectified = converters_in + NODES / NODES_PER_CHASSIS * SWITCHES
    rectifiers = NODES / NODES_PER_CHASSIS * RECTIFIERS_PER_CHASSIS
    racks = (rectified + rectifiers * 17.0) / 0.96
    return racks, racks - rectified, converters_in - nodes


def transformer_by_hand(output):
    """Loss of 2500 kVA transformers in proportion [W]: 99.53 % at half load, half of it core; power factor 0.95."""
    installed = chain().stages[0].installed
    core = 0.5 * 0.5 * 2.5e6 * (1 / 0.9953 - 1)
    winding = core / 0.5**2
    return installed * (core + winding * (output / 0.95 / (2.5e6 * installed)) ** 2)


@pytest.mark.parametrize("busy", [0.0, 0.37, 1.0])
def test_total_and_shares(busy):
    """All idle, all at peak, and 37 % of the nodes at peak: within 1 % of the hand calculation, each stage too."""
    result = flows(np.array([NODES * (busy * PEAK + (1 - busy) * IDLE)]))
    racks, rectifiers, converters = by_hand(busy)
    transformer = transformer_by_hand(racks + CDUS)
    assert result.utility_power[0] == pytest.approx(racks + CDUS + transformer, rel=1e-2)
    assert result.utility_power[0] == pytest.approx(racks + CDUS + transformer, rel=1e-9), "and far closer"
    np.testing.assert_allclose(result.stage_loss[0], [transformer, rectifiers, converters], rtol=1e-9)
    assert result.inlet_power[0] == pytest.approx(racks, rel=1e-12), "the racks take AC in front of their rectifiers"


def test_megawatts():
    """Idle 7.3 MW and peak 28.2 MW at the racks with their coolant units, as published for the machine."""
    idle, peak = (by_hand(busy)[0] + CDUS for busy in (0.0, 1.0))
    assert idle == pytest.approx(7.306e6, rel=1e-3) and peak == pytest.approx(28.23e6, rel=1e-3)
    assert NODES == RACKS * NODES_PER_RACK


def test_loss_share_by_stage():
    """Of the losses at peak rectifiers make 59 %, node converters 33 %; at idle each takes more of the power."""
    idle, peak = (flows(np.array([NODES * P])) for P in (IDLE, PEAK))
    share = peak.stage_loss[0] / peak.stage_loss[0].sum()
    assert share[1] == pytest.approx(0.59, abs=0.02) and share[2] == pytest.approx(0.33, abs=0.02)
    relative = [r.stage_loss[0] / r.utility_power[0] for r in (idle, peak)]
    assert np.all(relative[0] > relative[1])
    assert peak.stage_loss[0, 1] / peak.inlet_power[0] == pytest.approx(1 - 0.9586, abs=1e-3), "C23"
    assert peak.heat("rack-liquid")[0] == pytest.approx(peak.stage_loss[0, 1:].sum()) and peak.warnings == []

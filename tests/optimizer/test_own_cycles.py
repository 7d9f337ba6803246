"""The cycle that suits a signal alone: Webster's formula on the flows that cannot be green together."""

from __future__ import annotations

import pytest

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.settings import Limits
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.own_cycles import own_cycles
from tests.builders import crossing, demand, field_plan, left_turn


def scenarios(pairs: dict[tuple[str, str], float]) -> DemandScenarios:
    """An hour of these flows. [veh/h]"""
    return DemandScenarios((demand({pair: vph / 12 for pair, vph in pairs.items()}),), (1.0,))


def ratio(network: RoadNetwork, flows: DemandScenarios) -> float:
    """Sum of the flow ratios of all heads."""
    return float(head_flows(network, network.controllers["c"], mean_flows_vph(flows)).needed_share().sum())


def test_two_streets_that_cross_by_hand() -> None:
    """Y is the sum of both, 3 s of yellow each are lost: (1.5 · 6 + 5) / (1 − Y)."""
    network = crossing()
    flows = scenarios({("wi", "eo"): 700, ("si", "no"): 500})
    own = own_cycles(network, field_plan(network), flows)["c"]
    assert own.flow_ratio == pytest.approx(ratio(network, flows))
    assert own.lost_s == 6.0
    assert own.cycle_s == pytest.approx(14 / (1 - own.flow_ratio))


def test_heads_that_are_green_together_do_not_add_up() -> None:
    """Of two that share their green the one that needs more counts alone."""
    network = left_turn(((57, "Gg"), (3, "yy")))
    flows = scenarios({("ei", "wo"): 900, ("wi", "no"): 100})
    alone = scenarios({("ei", "wo"): 900})
    plan = field_plan(network)
    assert own_cycles(network, plan, flows)["c"].flow_ratio == own_cycles(network, plan, alone)["c"].flow_ratio


def test_no_flow_and_too_much_of_it_stay_within_the_limits() -> None:
    """Nothing asks for a cycle: the shortest; more than any cycle serves: the longest."""
    network = crossing()
    limits = Limits.model_validate({"cycle_min_s": 50.0, "cycle_max_s": 120.0})
    plan = field_plan(network)
    assert own_cycles(network, plan, scenarios({("wi", "eo"): 0.0}), limits)["c"].cycle_s == 50
    full = own_cycles(network, plan, scenarios({("wi", "eo"): 1500, ("si", "no"): 1500}), limits)["c"]
    assert full.cycle_s == 120
    assert full.flow_ratio > 1

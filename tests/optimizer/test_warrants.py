"""Protected left turns in small networks: the search drops their stage only where a warrant allows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules import check_plan, protected_indices
from network_data.settings import settings_from
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.models import ControllerModel, build_model
from optimizer.optimize import _may_lose
from tests.builders import demand
from tests.network_data.crossroads import FIELD, crossroads, program

LEFT, CROSSING = {1, 3}, 6
PAIRS = {("wi", "eo"): 30, ("wi", "no"): 5, ("ei", "wo"): 30, ("ei", "so"): 5, ("ni", "so"): 20, ("si", "no"): 20}


def scenarios(times: float = 1.0) -> DemandScenarios:
    """Light traffic, or so many times as much."""
    flows = demand({pair: times * veh for pair, veh in PAIRS.items()}, intervals=3)
    return DemandScenarios(scenarios=(flows,), weights=(1.0,))


def nobody_walks() -> RoadNetwork:
    """The crossroads without a crossing against its left turns."""
    network = crossroads()
    controller = network.controllers["c"]
    yields = type(controller.yields)((i, j) for i, j in controller.yields if j != CROSSING)
    return replace(
        network,
        connections=tuple(replace(c, yields_to_crossings=()) for c in network.connections),
        controllers={"c": replace(controller, yields=yields)},
    )


def model_of(network: RoadNetwork, left_turns: str, flows: DemandScenarios) -> ControllerModel:
    """The signal with its sequences of stages, as `optimize` lays it out."""
    controller, settings = network.controllers["c"], settings_from({"rules": {"left_turns": left_turns}}, "test")
    field = program(FIELD)
    heads = head_flows(network, controller, mean_flows_vph(flows))
    may_lose = _may_lose(network, controller, field, settings, flows)
    return build_model(network, controller, field, heads, settings, may_lose=may_lose, demand=flows)


@pytest.mark.parametrize(
    ("left_turns", "times", "lost"),
    [("keep", 1.0, set()), ("warrant", 1.0, LEFT), ("warrant", 12.0, set()), ("free", 12.0, LEFT)],
)
def test_who_may_lose_a_protected_green(left_turns: str, times: float, lost: set[int]) -> None:
    """Nobody under keep, everybody under free, and under warrant those whose flows leave gaps."""
    network, settings = nobody_walks(), settings_from({"rules": {"left_turns": left_turns}}, "test")
    found = _may_lose(network, network.controllers["c"], program(FIELD), settings, scenarios(times))
    assert found & LEFT == lost


def test_the_default_alone_is_no_leave() -> None:
    """Without the setting the check accepts a warranted loss, but the search of a small network makes none."""
    network = nobody_walks()
    tables: tuple[dict[str, object], ...] = ({}, {"rules": {"pedestrians": "network"}})
    for table in tables:
        settings = settings_from(table, "test")
        assert settings.rules.left_turns == "warrant"
        assert not _may_lose(network, network.controllers["c"], program(FIELD), settings, scenarios())


def test_a_crossing_keeps_its_turn_protected() -> None:
    """Of two left turns in light traffic the one that people walk against has no warrant."""
    network, settings = crossroads(), settings_from({"rules": {"left_turns": "warrant"}}, "test")
    assert _may_lose(network, network.controllers["c"], program(FIELD), settings, scenarios()) & LEFT == {3}


def test_stages_go_where_the_warrant_allows_it() -> None:
    """Two stages instead of three in light traffic, which the check accepts and lists; three where people walk."""
    found = model_of(nobody_walks(), "warrant", scenarios())
    short = min(found.skeletons, key=lambda skeleton: int(skeleton.stretch.sum()))
    assert short.stretch.sum() == 2
    splits = found.splits(found.skeletons.index(short), 90)
    assert splits is not None
    plan = short.plan(splits[0], 0)
    assert not LEFT & protected_indices(found.controller, plan)
    findings = check_plan(
        nobody_walks(),
        TimingPlan(controllers={"c": plan}),
        TimingPlan(controllers={"c": program(FIELD)}),
        settings_from({"rules": {"left_turns": "warrant"}}, "test"),
        demand=scenarios(),
    )
    assert not [f for f in findings if f.severity == "error"]
    assert {f.link_index for f in findings if f.rule == "protection"} >= LEFT
    kept = model_of(crossroads(), "warrant", scenarios())
    assert min(int(skeleton.stretch.sum()) for skeleton in kept.skeletons[1:]) >= 3

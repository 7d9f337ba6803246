"""Tests of the actuated controller within a plan, on two streets that cross."""

import dataclasses

import numpy as np
import pytest

from network_data.plans import ControllerPlan, Interval
from network_data.settings import Settings
from optimizer.local.actuated import actuated_stage, ring_of
from optimizer.local.estimate import Outlook
from optimizer.local.layout import layout_of
from optimizer.local.runner import Runner
from optimizer.local.signal_model import SignalModel, signal_model
from optimizer.local.stage_pool import stage_pool
from tests.builders import crossing, field_plan
from tests.its.adapt.toy_field import loops

WEST, SOUTH = 0, 1


def scene() -> tuple[ControllerPlan, SignalModel]:
    """A plan of 60 s: the west is green from 0 to 17, the south, coordinated, from 20 to 57."""
    network = crossing()
    rows = ((17.0, "Gr"), (3.0, "yr"), (37.0, "rG"), (3.0, "ry"))
    plan = dataclasses.replace(
        field_plan(network).controllers["c"], intervals=tuple(Interval(*row) for row in rows), offset_s=0.0
    )
    layout = layout_of(network, loops(network, ("wi", "si")))
    return plan, signal_model(layout, stage_pool(network, network.controllers["c"], plan, Settings()))


def told(model: SignalModel, west_veh: float, south_veh: float, west_comes: tuple[int, ...] = ()) -> Outlook:
    """Who waits on both streets, and the seconds in which somebody comes from the west."""
    lanes = [0, 1] if model.stage_open[WEST, 0] > 0 else [1, 0]
    queue, arrival = np.zeros(2), np.zeros((70, 2))
    queue[lanes[0]], queue[lanes[1]] = west_veh, south_veh
    arrival[list(west_comes), lanes[0]] = 1.0
    return Outlook(queue, arrival)


def standing(model: SignalModel, stage: int, for_s: int) -> Runner:
    """A signal that has shown a stage for so long."""
    runner = Runner(model.pool, stage)
    for _ in range(for_s):
        runner.commit()
    return runner


def test_the_longest_green_is_coordinated() -> None:
    """The ring ends with the end of the longest green."""
    plan, model = scene()
    ring = ring_of(plan, model, 57.0)
    assert ring is not None
    assert (ring.coordinated, ring.ends_s) == (SOUTH, (20.0, 60.0))
    assert ring.into_s == pytest.approx(0.0, abs=1e-6)


def test_a_stage_that_came_early_is_not_ended_by_a_call_for_the_one_before_it() -> None:
    """South came early, by a gap in the west; who then comes in the west waits until the plan ends the south."""
    plan, model = scene()
    queue = told(model, west_veh=3.0, south_veh=5.0)
    for now_s in (12, 16, 30, 56):
        assert actuated_stage(plan, model, queue, standing(model, SOUTH, now_s - 8), float(now_s))[0] == SOUTH
    assert actuated_stage(plan, model, queue, standing(model, SOUTH, 49), 57.0) == (WEST, "yield point")


def test_a_stage_ends_on_a_gap_or_where_the_plan_ends_it() -> None:
    """With a queue the west stays to second 17; without one it ends at once, if somebody waits across."""
    plan, model = scene()
    assert actuated_stage(plan, model, told(model, 2.0, 5.0), standing(model, WEST, 16), 16.0)[0] == WEST
    assert actuated_stage(plan, model, told(model, 2.0, 5.0), standing(model, WEST, 17), 17.0) == (SOUTH, "force-off")
    assert actuated_stage(plan, model, told(model, 0.0, 5.0), standing(model, WEST, 8), 8.0) == (SOUTH, "gap out")
    assert actuated_stage(plan, model, told(model, 0.0, 0.0), standing(model, WEST, 8), 8.0)[0] == WEST


def test_no_gap_out_before_a_platoon_that_the_plan_would_serve() -> None:
    """Three are announced within the west's own green: one who waits across is not worth a cycle of theirs."""
    plan, model = scene()
    outlook = told(model, 0.0, 1.0, west_comes=(5, 6, 7))
    assert actuated_stage(plan, model, outlook, standing(model, WEST, 8), 8.0)[0] == WEST


def test_who_has_not_called_is_skipped() -> None:
    """Nobody in the west: the south goes on over its end, and serves a later call while there is time for it."""
    plan, model = scene()
    assert actuated_stage(plan, model, told(model, 0.0, 0.0), standing(model, SOUTH, 40), 57.0)[0] == SOUTH
    assert actuated_stage(plan, model, told(model, 2.0, 0.0), standing(model, SOUTH, 48), 65.0)[0] == WEST
    assert actuated_stage(plan, model, told(model, 2.0, 0.0), standing(model, SOUTH, 58), 75.0)[0] == SOUTH


def test_who_waits_under_a_green_that_yields_calls_for_a_protected_one() -> None:
    """A stage that spares a queue to yield is called by it, though the standing one opens its lane."""
    plan, model = scene()
    west = 0 if model.stage_open[WEST, 0] > 0 else 1
    model.stage_open[SOUTH, west] = 1.0
    model.perm[SOUTH, west] = 1.0
    assert actuated_stage(plan, model, told(model, 3.0, 0.0), standing(model, SOUTH, 49), 57.0) == (WEST, "yield point")

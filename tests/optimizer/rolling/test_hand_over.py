"""From one program to the next: every second of the way legal, in step when it says so."""

from __future__ import annotations

import math

import numpy as np
import pytest

from network_data.plans import Interval
from network_data.sequence_rules import sequence_rules
from network_data.settings import Settings
from optimizer.candidate import Setting, plan_of
from optimizer.models import ControllerModel
from optimizer.rolling.hand_over import HandOver, joins, longer, shorter, try_way
from optimizer.rolling.layout import prior_of, street_layout
from optimizer.rolling.start import first_settings, models_of
from sim.segments import clipped, rows_of
from tests.optimizer.rolling.scenes import Street, arterial


def handing(street: Street, settings: Settings | None = None) -> tuple[HandOver, list[Setting], list[ControllerModel]]:
    """The hand-over of a street and what it runs."""
    settings = settings or Settings()
    layout = street_layout(street.network)
    models = models_of(street.network, layout, prior_of(layout, street.demand()), street.plan, settings)
    current, _ = first_settings(street.network, models, settings)
    return HandOver(street.network, models, street.plan, settings), current, models


@pytest.mark.parametrize("late_s", [0, 1, 7, 12, 30, 48, 53, 59])
@pytest.mark.parametrize("more_s", [0, 6])
def test_every_second_of_a_way_is_legal(late_s: int, more_s: int) -> None:
    """From the running program through the transition into the new one no rule on sequences is broken, no gap left."""
    street = arterial()
    hand, current, models = handing(street)
    durations = current[0].durations_s + np.array([more_s, 0, -more_s, 0])
    after = Setting(0, durations, (current[0].offset_s + late_s) % 60)
    way, why = try_way(hand, 0, street.plan.controllers["p"], current[0], after, time_s=990.0, due_s=1000.0)
    assert way is not None, why
    assert way.segments[0].from_s == 990.0
    assert way.segments[0].until_s >= 1000.0
    assert math.isinf(way.segments[-1].until_s)
    for one, then in zip(way.segments[:-1], way.segments[1:], strict=True):
        assert one.until_s == then.from_s
    in_step_s = way.segments[-1].from_s
    assert way.transition.in_step_s == in_step_s
    assert (in_step_s - after.offset_s) % 60 == pytest.approx(0.0, abs=1e-6)
    assert in_step_s - 1000.0 <= 60 * (2 + way.transition.cycles)
    old, new = plan_of(models[0], current[0]), plan_of(models[0], after)
    rules = sequence_rules(street.network, street.network.controllers[new.controller_id], (old, new))
    seen = [*rows_of(clipped(way.segments, 990.0, in_step_s + 120.0))]
    before = [*rows_of([way.segments[0]._replace(from_s=870.0, until_s=990.0, program=old)])]
    assert rules.broken(joined([*before, *seen])) == []


def joined(rows: list[Interval]) -> list[Interval]:
    """Rows with equal neighbours as one."""
    out: list[Interval] = []
    for row in rows:
        if out and out[-1].state == row.state:
            out[-1] = Interval(out[-1].duration_s + row.duration_s, row.state)
        else:
            out.append(row)
    return out


def test_longer_and_shorter_cycles_add_up() -> None:
    """Seconds added or taken are those asked for, and least greens are kept."""
    _, current, models = handing(arterial())
    skeleton, durations = models[0].skeletons[0], current[0].durations_s
    assert longer(durations, skeleton.stretch, 11).sum() == 71
    less = shorter(durations, skeleton, 9)
    assert less is not None
    assert less.sum() == 51
    assert skeleton.allows(less)
    assert shorter(durations, skeleton, 50) is None


def test_a_joint_counts_both_sides() -> None:
    """A green that begins in one cycle and ends in the next has to last long enough across the joint."""
    _, current, models = handing(arterial(rows=((10, "Gr"), (3, "yr"), (30, "rG"), (3, "ry"), (14, "Gr"))))
    skeleton, durations = models[0].skeletons[0], current[0].durations_s
    assert joins(skeleton, durations, durations)
    little = durations.copy()
    little[0] = 1
    assert joins(skeleton, durations, little)
    few = durations.copy()
    few[-1] = 2
    assert not joins(skeleton, few, little)


def test_what_the_rules_forbid_is_not_handed_over() -> None:
    """A green below its minimum is refused with the rule's words."""
    street = arterial()
    hand, current, _ = handing(street)
    bad = Setting(0, np.array([2, 3, 52, 3]), 0)
    way, why = try_way(hand, 0, street.plan.controllers["p"], current[0], bad, time_s=0.0, due_s=0.0)
    assert way is None
    assert "2 s" in why


def test_signals_in_transition_are_known() -> None:
    """A signal is out of step until its last segment begins."""
    street = arterial()
    hand, current, _ = handing(street)
    after = Setting(0, current[0].durations_s, (current[0].offset_s + 9) % 60)
    way, _ = try_way(hand, 0, street.plan.controllers["p"], current[0], after, time_s=0.0, due_s=0.0)
    assert way is not None
    hand.showing[0] = way.segments
    assert hand.in_step(way.transition.in_step_s - 1).tolist() == [False, True]
    assert hand.in_step(way.transition.in_step_s).tolist() == [True, True]


def test_a_program_in_fractions_of_seconds_is_left_as_it_runs() -> None:
    """Where the running program is not in whole seconds the way begins in that program and still ends in step."""
    rows = ((17.4, "Gr"), (3, "yr"), (36.6, "rG"), (3, "ry"))
    street = arterial(rows=rows)
    hand, current, _ = handing(street)
    after = Setting(0, current[0].durations_s + np.array([4, 0, -4, 0]), current[0].offset_s)
    old = street.plan.controllers["p"]
    way, why = try_way(hand, 0, old, current[0], after, time_s=95.0, due_s=100.0)
    assert way is not None, why
    assert way.segments[0].program == old
    assert (way.transition.in_step_s - after.offset_s) % after.cycle_s == pytest.approx(0.0, abs=1e-6)

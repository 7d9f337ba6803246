"""The rolling optimizer step by step: better plans, legal ones, the same ones again; faults never leave it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from network_data.errors import DemandError, PlanError, SettingsError
from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.rolling import Decision, Rolling, RollingOptions
from optimizer.rolling.near_future import NearFuture
from optimizer.rolling.rolling import PARTS
from tests.optimizer.rolling.scenes import CYCLE_S, SKEWED, Street, arterial, grid

BUDGET_MS = 600.0
OPTIONS = RollingOptions(horizon_s=300.0)


def rolling_of(street: Street, settings: Settings | None = None, options: RollingOptions = OPTIONS) -> Rolling:
    """A rolling optimizer with the street's history."""
    return Rolling(street.network, street.plan, street.detectors, street.demand(), settings, options)


def steps(rolling: Rolling, street: Street, n: int, *, factor: float = 1.0, first: int = 1) -> list[Decision]:
    """So many steps, a cycle apart, two cycles between so that transitions are over."""
    out = []
    for i in range(first, first + n):
        time_s = 3.0 * CYCLE_S * i
        out.append(rolling.step(street.seen(time_s, factor, interval_s=3 * CYCLE_S), time_s, BUDGET_MS))
    return out


def green_s(plan: TimingPlan, controller: str, index: int) -> float:
    """Green of a link index. [s]"""
    return plan.controllers[controller].green_s(index)


def test_green_follows_demand_and_every_plan_is_legal() -> None:
    """The main street short of green gets more of it; each plan handed over passes all rules against the field's."""
    street = arterial()
    rolling = rolling_of(street)
    decisions = steps(rolling, street, 5)
    assert any(d.status == "changed" for d in decisions)
    assert green_s(rolling.plan, "p", 0) > green_s(street.plan, "p", 0) + 5
    for decision in decisions:
        findings = check_plan(street.network, decision.plan, street.plan, Settings())
        assert [f for f in findings if f.severity == "error"] == []
        assert decision.status in ("changed", "kept")
        assert set(decision.milliseconds) == {*PARTS, "total", "wall"}


def test_bounds_on_one_decision_hold() -> None:
    """From step to step no offset, green or cycle moves farther than the options allow."""
    street = arterial()
    options = RollingOptions(horizon_s=300.0, max_offset_step_s=4.0, max_green_step_s=3.0)
    rolling = rolling_of(street, settings_from({"change": {"freeze": ["cycle", "stages"]}}, "test"), options)
    before = rolling.plan
    for n in range(1, 5):
        after = steps(rolling, street, 1, first=n)[0].plan
        for name, program in after.controllers.items():
            then = before.controllers[name]
            assert program.cycle_s == then.cycle_s
            assert abs((program.offset_s - then.offset_s + 30) % 60 - 30) <= 4
            rows = zip(program.intervals, then.intervals, strict=True)
            assert max(abs(a.duration_s - b.duration_s) for a, b in rows) <= 3
        before = after


def test_bounds_against_the_field_hold() -> None:
    """What the settings bound against the field's plan stays bound however many steps are made."""
    street = arterial()
    settings = settings_from({"change": {"max_green_change_s": 4.0, "max_offset_change_s": 3.0}}, "test")
    rolling = rolling_of(street, settings)
    for decision in steps(rolling, street, 5):
        findings = check_plan(street.network, decision.plan, street.plan, settings)
        assert [f for f in findings if f.severity == "error"] == []
    assert abs(green_s(rolling.plan, "p", 0) - green_s(street.plan, "p", 0)) <= 4


def test_the_same_observations_lead_to_the_same_decisions() -> None:
    """Two optimizers that see the same decide the same, whatever the time it takes them."""
    street = arterial()
    one, other = (steps(rolling_of(street), street, 4, factor=1.1) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert a.plan.controllers == b.plan.controllers
        assert (a.status, a.choice, a.reason, a.candidates, a.inputs) == (
            b.status, b.choice, b.reason, b.candidates, b.inputs,
        )  # fmt: skip
        assert a.transition == b.transition


def test_ways_lead_from_the_running_programs_into_step() -> None:
    """What each changed signal shows has no gap, begins where it ran, and ends in the plan's program in step."""
    street = arterial()
    rolling = rolling_of(street)
    decision = steps(rolling, street, 1)[0]
    assert decision.transition
    for name, segments in decision.transition.items():
        assert segments[0].from_s == decision.time_s
        assert segments[0].program == street.plan.controllers[name]
        assert all(a.until_s == b.from_s for a, b in itertools.pairwise(segments))
        assert math.isinf(segments[-1].until_s)
        last = decision.plan.controllers[name]
        assert segments[-1].program == last
        assert (segments[-1].from_s - last.offset_s) % last.cycle_s == pytest.approx(0.0, abs=1e-6)


def test_a_signal_in_transition_is_left_alone() -> None:
    """Right after a change the same signals do not change again before they are in step."""
    street = arterial()
    rolling = rolling_of(street)
    first = steps(rolling, street, 1)[0]
    soon = first.time_s + 5.0
    again = rolling.step(street.seen(soon, interval_s=5.0), soon, BUDGET_MS)
    moving = {n for n, s in first.transition.items() if s[-1].from_s > soon}
    assert moving
    assert not moving & set(again.transition)


def test_a_fault_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the simulation breaks down the decision says so, the running plan goes on, and the next step works."""
    street = arterial()
    rolling = rolling_of(street)

    def broken(*_: object) -> None:
        raise FloatingPointError("out of its depth")

    with monkeypatch.context() as patched:
        patched.setattr(NearFuture, "run", broken)
        failed = steps(rolling, street, 1)[0]
    assert failed.status == "failed"
    assert "out of its depth" in failed.reason
    assert failed.plan.controllers == street.plan.controllers
    assert not failed.transition
    assert steps(rolling, street, 1, first=2)[0].status == "changed"


def test_without_any_budget_the_running_plan_goes_on() -> None:
    """A step whose clock has run out keeps the plan and says that it was stopped."""
    street = arterial()
    rolling = rolling_of(street)
    decision = rolling.step(street.seen(60.0), 60.0, 0.001)
    assert decision.stopped
    assert not decision.transition
    assert decision.status in ("kept", "late")
    assert decision.plan.controllers == street.plan.controllers


def test_a_change_that_comes_too_late_is_not_made() -> None:
    """Where checking ends after the second at which programs were to change, they do not."""
    street = arterial()
    options = RollingOptions(horizon_s=300.0, wall_factor=1e-4)
    rolling = rolling_of(street, None, options)
    decisions = steps(rolling, street, 3)
    assert all(d.status in ("late", "kept") for d in decisions)
    assert rolling.plan.controllers == street.plan.controllers


def test_frozen_and_fixed_signals_stay() -> None:
    """A fixed signal keeps its program; with all frozen nothing changes at all."""
    street = arterial()
    fixed = rolling_of(street, settings_from({"change": {"fixed_signals": ["p"]}}, "test"))
    steps(fixed, street, 3)
    assert fixed.plan.controllers["p"] == street.plan.controllers["p"]
    frozen = rolling_of(street, settings_from({"change": {"freeze": ["cycle", "stages", "splits", "offsets"]}}, "test"))
    assert all(not d.transition for d in steps(frozen, street, 2))


def test_the_cycle_changes_where_that_saves_delay() -> None:
    """Far too long a cycle gets shorter, step by step within the bound, and all signals of it together."""
    street = arterial(rows=((57, "Gr"), (3, "yr"), (57, "rG"), (3, "ry")), main_vph=400.0, side_vph=400.0)
    options = RollingOptions(horizon_s=300.0, cycle_every_s=60.0)
    rolling = rolling_of(street, None, options)
    cycles = []
    for n in range(1, 9):
        time_s = 400.0 * n
        decision = rolling.step(street.seen(time_s, interval_s=400.0), time_s, 2000.0)
        own = {program.cycle_s for program in decision.plan.controllers.values()}
        assert len(own) == 1
        cycles.append(own.pop())
    assert min(cycles) < 120
    assert all(abs(a - b) <= 10 for a, b in zip([120.0, *cycles[:-1]], cycles, strict=True))


def test_a_prior_of_another_network_is_refused() -> None:
    """History over links that the network does not have is an error that names them."""
    street, other = arterial(), grid(2, 2)
    with pytest.raises(DemandError, match="use the demand of this network"):
        Rolling(street.network, street.plan, street.detectors, other.demand())
    with pytest.raises(PlanError, match="one for every signal"):
        Rolling(street.network, TimingPlan(controllers={}), street.detectors, street.demand())


def test_options_out_of_range_are_refused_together() -> None:
    """All faults of the options come in one error."""
    with pytest.raises(SettingsError, match=r"memory_s(.|\n)*hand_over_share"):
        RollingOptions(memory_s=0.0, hand_over_share=2.0)


def test_a_grid_of_signals_loses_less() -> None:
    """On a grid the delay ahead falls in the runs that judged, and counts of candidates and runs are told."""
    street = grid(3, 3, vph=450.0)
    rolling = rolling_of(street)
    decisions = [rolling.step(street.seen(270.0 * n, interval_s=270.0), 270.0 * n, 900.0) for n in (1, 2, 3)]
    assert any(d.gain > 0.001 for d in decisions)
    assert decisions[0].candidates > 0
    assert decisions[0].runs > 2
    assert rolling.estimate is not None
    assert np.isfinite(rolling.estimate.queue_veh).all()
    assert SKEWED


def test_platoons_are_moved_by_what_changed_only() -> None:
    """Where a step keeps the plan, what is remembered of arrivals stays where it was on the clock."""
    street = arterial()
    rolling = rolling_of(street, None, RollingOptions(horizon_s=300.0, least_gain=0.9))
    polygons = rolling._proposals.polygons
    turned: list[int] = []
    polygons.adopt = lambda: turned.append(1)  # type: ignore[method-assign]
    decisions = steps(rolling, street, 3)
    assert [d.status for d in decisions] == ["kept"] * 3
    assert any(d.candidates for d in decisions)
    assert not turned

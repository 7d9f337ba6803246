"""The public call: checked plans, an honest ladder, the same bytes for any number of workers."""

import numpy as np
import pytest

from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.optimize import Result, optimize, realizations_of
from sim.simulate import Simulator
from tests.builders import field_plan, program
from tests.optimizer.scenes import arterial

SHIFTED = (0.0, 58.0, 20.0)


def optimized(
    *, iterations: int = 40, table: dict | None = None, field: TimingPlan | None = None, **more
) -> tuple[Result, TimingPlan]:
    network, flows = arterial(offsets_s=SHIFTED)
    field = field or field_plan(network)
    settings = settings_from(table or {}, "test")
    return (
        optimize(network, flows, field, settings, begin_s=0.0, end_s=900.0, iterations=iterations, **more),
        field,
    )


@pytest.fixture(scope="module")
def answer() -> Result:
    return optimized()[0]


def test_the_plan_is_better_and_passes_the_check(answer: Result) -> None:
    """Less delay than the field plan, every rule kept, all controllers there."""
    network, _ = arterial(offsets_s=SHIFTED)
    assert answer.objective_after < 0.9 * answer.objective_before
    assert set(answer.plan.controllers) == set(network.controllers)
    found = check_plan(network, answer.plan, field_plan(network), Settings())
    assert [f.text for f in found if f.severity == "error"] == []


def test_objectives_are_those_of_the_plans_before_and_after(answer: Result) -> None:
    """Simulated anew on the same draws, field plan and result have the delays that were told."""
    network, flows = arterial(offsets_s=SHIFTED)
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    sim = Simulator(network, trips, begin_s=0.0, end_s=900.0)
    for plan, told in (
        (field_plan(network), answer.objective_before),
        (answer.plan, answer.objective_after),
        *((step.plan, step.objective) for step in answer.ladder),
    ):
        delays = [t.delay_s_per_veh for t in sim.run([plan])[0]]
        assert float(np.mean(delays)) == pytest.approx(told)


def test_the_ladder_climbs_rung_by_rung(answer: Result) -> None:
    """Offsets, splits, cycle, stages; each at least as good; the iterations add up."""
    assert [step.name for step in answer.ladder] == ["offsets", "splits", "cycle", "stages"]
    objectives = [answer.objective_before, *(step.objective for step in answer.ladder)]
    assert objectives == sorted(objectives, reverse=True)
    assert sum(step.iterations for step in answer.ladder) == answer.iterations == 40
    first = answer.ladder[0].plan
    assert {p.cycle_s for p in first.controllers.values()} == {60.0}


def test_same_seed_same_plan_for_any_number_of_workers(answer: Result) -> None:
    """1, 2 and 3 workers give the same plans on every rung."""
    for workers in (1, 3):
        other, _ = optimized(table={"search": {"workers": workers}})
        assert [step.plan for step in other.ladder] == [step.plan for step in answer.ladder]
        assert other.objective_after == answer.objective_after


def test_no_iterations_is_the_field_plan() -> None:
    """Zero iterations change nothing but the notation."""
    result, field = optimized(iterations=0)
    assert result.objective_after == pytest.approx(result.objective_before)
    for controller_id, plan in result.plan.controllers.items():
        today = field.controllers[controller_id]
        assert plan.cycle_s == today.cycle_s
        assert [plan.state_at(t) for t in range(120)] == [today.state_at(t) for t in range(120)]


def test_field_programs_in_fractions_of_seconds_come_out_whole() -> None:
    """Fractions are rounded up, the result is in whole seconds and passes the check."""
    network, _ = arterial(offsets_s=SHIFTED)
    rows = ((26.5, "Gr"), (3, "yr"), (27.2, "rG"), (3, "ry"))
    field = TimingPlan(controllers={c: program(rows, controller_id=c, offset_s=3.5) for c in network.controllers})
    result, _ = optimized(field=field)
    for plan in result.plan.controllers.values():
        assert all(i.duration_s == round(i.duration_s) for i in plan.intervals)
    found = check_plan(network, result.plan, field, Settings())
    assert [f.text for f in found if f.severity == "error"] == []


def test_fixed_signals_come_out_as_they_went_in() -> None:
    """The fixed signal's windows are the field's; the others may change."""
    result, field = optimized(table={"change": {"fixed_signals": ("q",)}})
    plan, today = result.plan.controllers["q"], field.controllers["q"]
    assert [plan.state_at(t) for t in range(120)] == [today.state_at(t) for t in range(120)]
    assert result.objective_after < result.objective_before


def test_a_common_cycle_of_the_field_is_kept_when_frozen() -> None:
    """With `freeze = ["cycle"]` every plan of the ladder runs the field's cycle."""
    result, _ = optimized(table={"change": {"freeze": ("cycle",)}})
    assert {p.cycle_s for step in result.ladder for p in step.plan.controllers.values()} == {60.0}

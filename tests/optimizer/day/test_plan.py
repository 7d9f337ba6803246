"""Planning a day: two plans where the traffic turns, one where it does not; and coming to an end early."""

import time

import pytest

from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.day import DayResult, plan_day
from optimizer.day.variants import neighbours, per_interval, rows_of, shortest
from tests.optimizer.day.streets import HORIZON, days, field, street

NETWORK = street()
TABLE = {"day": {"library": 2, "most_plans": 3}}


def planned(**more) -> DayResult:
    asked = {"settings": settings_from(TABLE, "test"), "iterations": 25, **more}
    return plan_day(
        NETWORK,
        {"weekday": days(NETWORK)},
        field(NETWORK),
        asked.pop("settings"),
        horizon=HORIZON,
        shares={"weekday": 1.0},
        **asked,
    )


@pytest.fixture(scope="module")
def result() -> DayResult:
    return planned()


def test_two_plans_are_found_where_the_traffic_turns(result: DayResult) -> None:
    """The chosen week has two plans or more, switches between 7:30 and 8:30, and beats one plan and the field."""
    total = {one.week.name: one.total_s(result.shares) for one in result.weeks}
    assert len(result.best.week.used) >= 2
    assert total[result.best.week.name] < 0.95 * total["1 plan"]
    assert total["1 plan"] <= total["field plan"]
    times = [at_s for at_s, _ in result.best.week.rows["weekday"]]
    assert any(27_000 <= at_s <= 30_600 for at_s in times)
    assert all(one["cost_veh_s"] is None or one["cost_veh_s"] >= 0 for one in result.switches)


def test_every_plan_keeps_the_rules(result: DayResult) -> None:
    """All plans of the library pass the check, and the day names its plans."""
    for one in result.library[1:]:
        findings = check_plan(NETWORK, one.plan, field(NETWORK), Settings())
        assert [f.text for f in findings if f.severity == "error"] == []
    day = result.days()["weekday"]
    names = {p.program_id for one in day.controllers.values() for p in one.programs}
    assert names == {result.library[n].name for n in result.best.week.used}


def test_same_seed_same_day(result: DayResult) -> None:
    """By iterations the result is the same again, with any number of workers."""
    again = planned(settings=settings_from({**TABLE, "search": {"workers": 1}}, "test"))
    assert again.best.week.rows == result.best.week.rows
    assert again.best.cost_s == result.best.cost_s


def test_asked_to_stop_one_plan_runs_all_day() -> None:
    """Whoever stops at once gets a legal plan and is told."""
    found = planned(stop=lambda: True)
    assert len(found.best.week.used) == 1
    assert any("one plan runs all day" in note for note in found.notes)


def test_a_deadline_that_has_passed_ends_soon() -> None:
    """Without any time left a plan still comes out."""
    began_s = time.monotonic()
    found = planned(iterations=None, deadline=began_s)
    assert found.best.cost_s["weekday"] > 0
    assert time.monotonic() - began_s < 30


def test_neighbours_keep_the_least_time() -> None:
    """Moved switches leave no part of the day shorter than asked; dropping one leaves one plan."""
    rows = ((21_600.0, 1), (28_800.0, 2))
    plans = per_interval(rows, HORIZON)
    assert rows_of(plans, HORIZON) == rows
    found = neighbours(rows, HORIZON, least=7)
    assert all(shortest(per_interval(one, HORIZON), around=False) >= 7 for one in found)
    assert {len(one) for one in found} == {1, 2}
    assert ((21_600.0, 1), (29_700.0, 2)) in found
    assert ((21_600.0, 1), (30_600.0, 2)) not in found

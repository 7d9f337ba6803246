"""The plans of a day: order, wrapping over midnight, faults."""

import pytest

from network_data.errors import PlanError
from network_data.plans import TimingPlan
from network_data.schedule import ControllerDay, DayPlan, Switch
from tests.network_data.crossroads import FIELD, program, timing

NIGHT, MORNING, DAY, EVENING, LATE = (program(FIELD, program_id=name) for name in "15762")
DOAN = ControllerDay(
    controller_id="c",
    switches=(
        Switch(0.0, NIGHT),
        Switch(7 * 3600.0, MORNING),
        Switch(9.5 * 3600.0, DAY),
        Switch(17 * 3600.0, EVENING),
        Switch(21 * 3600.0, LATE),
    ),
)


@pytest.mark.parametrize(
    ("clock_h", "name"), [(0, "1"), (6.999, "1"), (7, "5"), (9.49, "5"), (9.5, "7"), (17, "6"), (21, "2"), (24, "1")]
)
def test_program_of_the_hour(clock_h, name):
    """The day of junction 1533 in Daejeon: plan 1 before 07:00, 5 until 09:30, 7 until 17:00, 6 until 21:00, then 2."""
    assert DOAN.program_at(clock_h * 3600).program_id == name


def test_switches_in_a_period():
    """Between 06:00 and 18:00 three switches; the ends of the period do not count."""
    assert [(at_s / 3600, p.program_id) for at_s, p in DOAN.between(6 * 3600, 18 * 3600)] == [
        (7, "5"),
        (9.5, "7"),
        (17, "6"),
    ]
    assert list(DOAN.between(7 * 3600, 9.5 * 3600)) == []


def test_a_period_over_midnight():
    """Times count on: from 20:00 to 08:00 of the next day."""
    assert [(at_s / 3600, p.program_id) for at_s, p in DOAN.between(20 * 3600, 32 * 3600)] == [
        (21, "2"),
        (24, "1"),
        (31, "5"),
    ]


def test_without_a_switch_at_midnight_yesterdays_last_program_runs_on():
    """Only 07:00 and 21:00 are given: at 03:00 the plan of 21:00 runs."""
    day = ControllerDay(controller_id="c", switches=(Switch(25_200.0, MORNING), Switch(75_600.0, LATE)))

    assert day.program_at(3 * 3600) == LATE


def test_the_same_program_again_is_no_switch():
    """A schedule that names the running program once more changes nothing."""
    day = ControllerDay(controller_id="c", switches=(Switch(0.0, DAY), Switch(3600.0, DAY), Switch(7200.0, LATE)))

    assert [at_s for at_s, _ in day.between(0, 10_000)] == [7200.0]


def test_a_plan_for_all_controllers():
    """`of_plans` gives every controller the same switching times."""
    day = DayPlan.of_plans([(0.0, timing(FIELD)), (3600.0, timing(FIELD, program_id="q"))])

    assert day.plan_at(10.0).controllers["c"].program_id == "p"
    assert day.plan_at(3600.0).controllers["c"].program_id == "q"


def test_all_faults_of_a_day_are_told_together():
    """Times out of the day and out of order, a stranger's program and states of another length."""
    with pytest.raises(PlanError) as error:
        ControllerDay(
            controller_id="c",
            switches=(
                Switch(90_000.0, DAY),
                Switch(10.0, program(FIELD, controller_id="x")),
                Switch(10.0, program([(30, "Gr"), (30, "rG")])),
            ),
        )

    text = str(error.value)
    for words in ("90000.0 s", "controller 'x'", "put them in order", "one per link index"):
        assert words in text
    with pytest.raises(PlanError, match="at least one"):
        ControllerDay(controller_id="c", switches=())


def test_plans_of_a_day_cover_the_same_controllers():
    """A plan that lacks a controller is told with its name."""
    with pytest.raises(PlanError, match="differ in controllers: c"):
        DayPlan.of_plans([(0.0, timing(FIELD)), (60.0, TimingPlan(controllers={}))])

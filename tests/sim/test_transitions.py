"""Transitions between programs: numbers by hand, and legal states second by second over every joint."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.clearance import clearance_matrix, conflict_pairs
from network_data.errors import PlanError
from network_data.plans import GREEN, YELLOW, ControllerPlan, Interval
from network_data.schedule import ControllerDay, DayPlan, Switch
from network_data.sequence_rules import sequence_rules
from sim.segments import Segment, rows_of, unrolled
from sim.simulate import Simulator
from sim.transitions import METHODS, TransitionLimits, compile_schedule, switch_program
from tests import builders
from tests.network_data.crossroads import CROSSING_M, FIELD, crossroads, program
from tests.network_data.real_networks import load

NETWORK = crossroads()
CONTROLLER = NETWORK.controllers["c"]
INF = float("inf")
# the field's states with other seconds: C = 120
LONG = tuple((d, s) for d, (_, s) in zip((42, 12, 3, 14, 3, 2, 39, 3, 2), FIELD, strict=True))


def rules_for(*programs):
    return sequence_rules(NETWORK, CONTROLLER, programs, field=program(FIELD))


def switch(old, new, at_s, method="shortway", **more):
    running = [Segment(at_s - 3 * old.cycle_s, INF, old)]
    return switch_program(running, new, at_s, rules_for(old, new), method=method, **more)


def by_second(segments, until_s):
    """(first second, state of every second from there on): the walker's own reading of the segments."""
    begin = int(segments[0].from_s)
    states = []
    for second in range(begin, int(until_s)):
        segment = next(s for s in segments if s.from_s <= second < s.until_s)
        states.append(segment.program.state_at(second))
    return begin, states


def assert_legal(states, *programs):
    """Walk the seconds: least greens, yellows, clearances, walks; no conflicting greens but the programs' own."""
    matrix = clearance_matrix(CONTROLLER, program(FIELD), network=NETWORK)
    foes = conflict_pairs(CONTROLLER, program(FIELD))
    n = len(states[0])
    ended, began, yellow_from = [None] * n, [None] * n, [None] * n
    for t in range(1, len(states)):
        before, now = states[t - 1], states[t]
        for i in range(n):
            was, is_green = before[i] in GREEN, now[i] in GREEN
            if was and not is_green:
                if began[i] is not None:
                    assert t - began[i] >= min(float(matrix.min_green_s[i]), 5.0), f"green of {i} at {t}"
                ended[i] = t
                assert i == 6 or now[i] in YELLOW, f"{i} goes from green to {now[i]} at {t}"
            if now[i] in YELLOW and before[i] not in YELLOW:
                yellow_from[i] = t
            if before[i] in YELLOW and now[i] not in YELLOW and yellow_from[i] is not None:
                assert t - yellow_from[i] >= matrix.yellow_s[i], f"yellow of {i} at {t}"
        for i in range(n):
            if now[i] in GREEN and before[i] not in GREEN:
                for j in range(n):
                    if (min(i, j), max(i, j)) not in foes or ended[j] is None or now[j] in GREEN:
                        continue
                    if began[i] is None or ended[j] > began[i]:
                        assert t - ended[j] >= matrix[j, i], f"clearance {j} → {i} at {t}"
                    if j == 6 and began[6] is not None:
                        assert t - began[6] >= 7 + CROSSING_M, f"walk at {t}"
                began[i] = t
    shown = {interval.state for p in programs for interval in p.intervals}
    for t, state in enumerate(states):
        greens = [k for k, letter in enumerate(state) if letter in GREEN]
        conflicting = [(i, j) for i in greens for j in greens if i < j and (i, j) in foes]
        assert not conflicting or state in shown, f"conflicting greens {conflicting} at {t}"


@pytest.mark.parametrize(
    ("error_s", "method", "used", "cycles", "lengths"),
    [
        (0, "shortway", "shortway", 0, []),
        (40, "add", "add", 2, [144, 136]),
        (40, "shortway", "add", 2, [144, 136]),
        (100, "add", "add", 5, [144, 144, 144, 144, 124]),
        (100, "subtract", "subtract", 1, [100]),
        (100, "shortway", "subtract", 1, [100]),
        (40, "dwell", "dwell", 1, [160]),
        (119, "dwell", "dwell", 1, [239]),
        (40, "subtract", "subtract", 4, [100, 100, 100, 100]),
    ],
)
def test_cycles_of_a_transition(error_s, method, used, cycles, lengths):
    """C = 120, at most 24 s longer or 20 s shorter: +40 takes two longer cycles, +100 five of them or one shorter."""
    old = program(LONG, program_id="old")
    new = program(LONG, program_id="new", offset_s=error_s)

    segments, done = switch(old, new, 360.0, method)

    assert (done.error_s, done.method, done.cycles) == (error_s, used, cycles)
    assert done.left_s == 360.0
    found = [
        s.program.cycle_s for s in segments[1:-1] for _ in range(round((s.until_s - s.from_s) / s.program.cycle_s))
    ]
    assert found == lengths
    assert done.in_step_s == 360.0 + sum(lengths)
    assert (done.in_step_s - error_s) % 120 == 0


def test_the_old_program_runs_to_the_end_of_its_cycle():
    """A switch due at second 400 happens at 480, where the cycle that began at 360 ends."""
    old, new = program(LONG, program_id="old"), program(LONG, program_id="new")

    segments, done = switch(old, new, 400.0)

    assert done.left_s == 480.0
    assert done.in_step_s == 480.0
    assert segments[0].until_s == 480.0


def test_longer_cycles_stretch_greens_in_proportion():
    """24 s over greens of 42, 12, 14 and 39 s are 9, 3, 3 and 9; yellow and all-red keep their seconds."""
    old = program(LONG, program_id="old")

    segments, _ = switch(old, program(LONG, program_id="new", offset_s=24.0), 360.0, "add")

    assert [i.duration_s for i in segments[1].program.intervals] == [51, 15, 3, 17, 3, 2, 48, 3, 2]


def test_dwell_holds_the_coordinated_green():
    """All the error goes to the interval that is coordinated, the longest green unless one is named."""
    old, new = program(LONG, program_id="old"), program(LONG, program_id="new", offset_s=50.0)

    segments, _ = switch(old, new, 360.0, "dwell")
    named, _ = switch(old, new, 360.0, "dwell", coordinated=6)

    assert segments[1].program.intervals[0].duration_s == 42 + 50
    assert named[1].program.intervals[6].duration_s == 39 + 50


def test_minima_leave_nothing_to_subtract():
    """Greens at their least: subtract cannot, so the transition adds and says so."""
    rows = tuple((d, s) for d, (_, s) in zip((5, 1, 3, 5, 3, 2, 5, 3, 2), FIELD, strict=True))
    old, new = program(rows, program_id="old"), program(rows, program_id="new", offset_s=30.0)

    _, done = switch(old, new, 340.0, "subtract")

    assert done.method == "add"


def test_shorter_cycles_keep_what_walkers_need():
    """The crossing's walk and clearance of 15 s stay, though 17 % of the cycle would take more."""
    rows = tuple((d, s) for d, (_, s) in zip((8, 8, 3, 10, 3, 2, 29, 3, 2), FIELD, strict=True))
    old, new = program(rows, program_id="old"), program(rows, program_id="new", offset_s=60.0)

    segments, done = switch(old, new, 340.0, "subtract")

    assert done.method == "subtract"
    shorter = segments[1].program.intervals
    assert shorter[0].duration_s + shorter[1].duration_s + shorter[2].duration_s >= 15
    assert shorter[6].duration_s < 29


def test_limits_are_the_users():
    """At most 10 % longer: 40 s take four cycles of 12, 12, 12 and 4 s."""
    old, new = program(LONG, program_id="old"), program(LONG, program_id="new", offset_s=40.0)

    _, done = switch(old, new, 360.0, "add", limits=TransitionLimits(lengthen=0.1))

    assert done.cycles == 4
    with pytest.raises(PlanError, match="shorten is 0"):
        TransitionLimits(shorten=0)


OTHER_ORDER = (
    (20, "rrrrGGr"), (3, "rrrryyr"), (2, "rrrrrrr"),
    (12, "rGrGrrr"), (3, "ryryrrr"), (2, "rrrrrrr"),
    (30, "GrGrrrG"), (10, "GrGrrrr"), (3, "yryrrrr"), (2, "rrrrrrr"),
)  # fmt: skip
SPLIT = (
    (25, "GGrrrrr"), (3, "yyrrrrr"), (2, "rrrrrrr"),
    (25, "rrGGrrr"), (3, "rryyrrr"), (2, "rrrrrrr"),
    (20, "rrrrGGr"), (3, "rrrryyr"), (2, "rrrrrrr"),
    (10, "rrrrrrG"), (10, "rrrrrrr"),
)  # fmt: skip


@st.composite
def programs(draw, name):
    """A legal program: the field's states or others, longer by random seconds, any offset."""
    rows = draw(st.sampled_from((FIELD, LONG, OTHER_ORDER, SPLIT)))
    more = [draw(st.integers(0, 25)) if d >= 8 else 0 for d, _ in rows]
    first = draw(st.integers(0, len(rows) - 1))
    turned = [(d + m, s) for (d, s), m in zip(rows, more, strict=True)]
    turned = turned[first:] + turned[:first]
    return program(turned, program_id=name, offset_s=float(draw(st.integers(0, 39))))


@settings(deadline=None, max_examples=60)
@given(
    old=programs("old"),
    new=programs("new"),
    third=programs("third"),
    at=st.integers(500, 900),
    gap=st.integers(1, 900),
    method=st.sampled_from(METHODS),
)
def test_every_second_is_legal(old, new, third, at, gap, method):
    """Two switches, by any method, however close: every second keeps the rules; the last program gets into step."""
    rules = rules_for(old, new, third)
    running = [Segment(0.0, INF, old)]
    running, _ = switch_program(running, new, float(at), rules, method=method)
    running, done = switch_program(running, third, float(at + gap), rules, method=method)

    assert running[0].from_s == 0
    for before, after in pairwise(running):
        assert before.until_s == after.from_s
        assert before.program.cycle_s > 0
    _, states = by_second(running, done.in_step_s + 400)
    assert_legal(states, old, new, third)
    assert states[-1] == third.state_at(done.in_step_s + 399)
    assert done.left_s >= at + gap


@settings(deadline=None, max_examples=40)
@given(old=programs("old"), new=programs("new"), at=st.integers(300, 600), method=st.sampled_from(METHODS))
def test_rows_are_what_the_segments_show(old, new, at, method):
    """The sequence of rows and the one long program show the same states as the segments, second by second."""
    segments, done = switch(old, new, float(at), method)
    segments[-1] = segments[-1]._replace(until_s=float(round(done.in_step_s) + 200))

    begin, states = by_second(segments, segments[-1].until_s)
    from_rows = [state for duration, state in rows_of(segments) for _ in range(int(duration))]
    whole = unrolled(segments)

    assert from_rows == states
    assert [whole.state_at(begin + n) for n in range(len(states))] == states


def test_different_stages_get_a_bridge():
    """Split phasing to opposed phasing shares no green state: yellow and all-red between them are put in."""
    old = program([(10, "GGrrrrr"), (5, "yyrrrrr"), (22, "rrrrGGr"), (5, "rrrryyr"), (15, "GGrrrrr")], program_id="old")
    new = program([(30, "rrGGrrr"), (5, "rryyrrr"), (27, "rrrrGrr"), (5, "rrrryrr")], program_id="new")

    segments, done = switch(old, new, 400.0, "add")

    _, states = by_second(segments, done.in_step_s + 100)
    assert_legal(states, old, new)
    assert segments[1].program.program_id == "old→new"
    assert segments[1].program.intervals == ((3.0, "yyrrrrr"),)


def test_a_schedule_over_a_morning():
    """Two switches between 06:00 and 10:00: segments fill the period without gaps and each transition is told."""
    night, peak, day = (
        program(rows, program_id=name, offset_s=offset_s)
        for rows, name, offset_s in ((FIELD, "night", 10), (LONG, "peak", 55), (FIELD, "day", 33))
    )
    switches = (Switch(0.0, night), Switch(25_200.0, peak), Switch(34_200.0, day))
    plan = DayPlan(controllers={"c": ControllerDay(controller_id="c", switches=switches)})

    scheduled = compile_schedule(NETWORK, plan, begin_s=21_600, end_s=36_000)

    segments = scheduled.segments["c"]
    assert (segments[0].from_s, segments[-1].until_s) == (21_600, 36_000)
    assert all(a.until_s == b.from_s for a, b in pairwise(segments))
    assert [(t.from_program, t.to_program) for t in scheduled.transitions] == [("night", "peak"), ("peak", "day")]
    assert all(0 <= t.left_s - t.switch_s < 120 for t in scheduled.transitions)
    one = scheduled.unrolled().controllers["c"]
    assert one.cycle_s == 14_400
    assert one.state_at(22_000) == night.state_at(22_000)
    assert one.state_at(30_000) == peak.state_at(30_000)
    assert one.state_at(35_999) == day.state_at(35_999)


def test_faults_of_a_schedule():
    """Unknown controllers and methods and empty periods are told together."""
    day = ControllerDay(controller_id="x", switches=(Switch(0.0, program(FIELD, controller_id="x")),))

    with pytest.raises(PlanError) as error:
        compile_schedule(NETWORK, DayPlan(controllers={"x": day}), begin_s=10, end_s=10, method="jump")

    for words in ("no controller 'x'", "is empty", "method 'jump'"):
        assert words in str(error.value)


def test_unrolled_without_a_switch_simulates_as_the_plan_itself():
    """One program all day: the long table gives the same delay, vehicle by vehicle, as the short one."""
    network = builders.crossing()
    plan = builders.field_plan(network)
    rng = np.random.default_rng(1)
    departs = np.sort(rng.uniform(0, 900, 150))
    trips = builders.trips(network, [(t, "wi eo" if n % 2 else "si no") for n, t in enumerate(departs)])
    day = DayPlan.of_plans([(0.0, plan)])
    whole = compile_schedule(network, day, begin_s=0, end_s=1200).unrolled()

    simulator = Simulator(network, [trips], begin_s=0, end_s=1200)

    assert simulator.run([plan])[0][0] == simulator.run([whole])[0][0]


@pytest.mark.parametrize("name", ["cologne8", "acosta"])
def test_real_programs_switch_legally(name):
    """Each real controller switches to its own program with another offset and other seconds, by every method."""
    network, field = load(name)
    for controller_id, old in field.controllers.items():
        new = replace(old, program_id="new", offset_s=(old.offset_s + 37) % old.cycle_s)
        rules = sequence_rules(network, network.controllers[controller_id], (old, new))
        for method in METHODS:
            running = [Segment(0.0, INF, old)]
            segments, done = switch_program(running, new, 1000.0, rules, method=method)

            assert done.error_s == pytest.approx((new.offset_s - old.offset_s) % old.cycle_s, abs=1e-5)
            segments[-1] = segments[-1]._replace(until_s=done.in_step_s + 2 * new.cycle_s)
            assert rules.broken(list(rows_of(segments))) == []


def test_a_signal_that_shows_one_state_for_a_day_is_laid_out_in_intervals_shorter_than_one() -> None:
    """86,400 s of one green: two intervals of the same state that fill the day."""
    one = ControllerPlan(controller_id="c", program_id="p", offset_s=0.0, intervals=(Interval(60.0, "G"),))
    day = unrolled([Segment(0.0, 86_400.0, one)])
    assert [row.state for row in day.intervals] == ["G", "G"]
    assert day.cycle_s == 86_400.0

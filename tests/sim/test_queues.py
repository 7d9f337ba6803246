"""Queues and signal times as arrays, against slow versions that look at every tick, vehicle by vehicle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.plans import GREEN, OPEN, ControllerPlan
from sim._greens import ALWAYS, Windows, head_greens, lane_openings
from sim._statistics import queue_estimates
from sim.queues import QUEUED, LaneQueues, Passages, busy_s, full_s, lane_queues
from tests.builders import field_plan, program, single_approach

END = 600
ROWS = st.lists(st.tuples(st.integers(1, 25), st.sampled_from("GgyrsO")), min_size=1, max_size=6)


def as_plan(rows: list[tuple[int, str]], offset_s: float = 0.0) -> ControllerPlan:
    """A program of one link index."""
    return program(tuple(rows), offset_s=offset_s)


def windows_of(plan: ControllerPlan) -> Windows:
    """Openings of the one lane that the program controls."""
    network = single_approach()
    whole = type(field_plan(network))(controllers={"c": plan})
    return lane_openings(network, whole, {("in", 0): 0, ("out", 0): 1}, 2, 0.0)[0]


@settings(deadline=None, max_examples=80)
@given(ROWS, st.integers(0, 60))
def test_windows_are_what_the_table_shows(rows: list[tuple[int, str]], offset_s: int) -> None:
    """Open or not, since when and for how long, at every second of two minutes; a lane without a signal is open."""
    plan = as_plan(rows, float(offset_s))
    windows = windows_of(plan)
    seconds = np.arange(120)
    at = seconds * 10 + 5  # the middle of a second, in ticks
    shown = np.array([plan.state_at(t + 0.5)[0] in OPEN for t in seconds])
    here = np.zeros(120, np.int64)
    np.testing.assert_array_equal(windows.is_open(here, at), shown)
    before = windows.open_before(here, np.append(seconds, 120)[: len(here)] * 10)
    np.testing.assert_array_equal(np.diff(before), 10 * shown[:-1])
    assert windows.is_open(here + 1, at).all()
    since = windows.opened(here, at)
    for t, is_open, begin in zip(seconds, shown, since, strict=True):
        if not is_open or all(letter in OPEN for _, letter in rows):
            assert begin == t * 10 + 5
        else:
            assert all(plan.state_at(x + 0.5)[0] in OPEN for x in range(begin // 10, t + 1))
            assert plan.state_at(begin / 10 - 0.5)[0] not in OPEN
    greens = head_greens(type(field_plan(single_approach()))(controllers={"c": plan}), {"c": (0,)}, 0.0)
    np.testing.assert_array_equal(greens.is_open(here, at), [plan.state_at(t + 0.5)[0] in GREEN for t in seconds])


@st.composite
def some_passages(draw: st.DrawFn) -> Passages:
    """Two lanes with vehicles in order, headways of 2 s, some still waiting at the end."""
    rows = []
    for lane in range(2):
        arrival = leave = 0
        for _ in range(draw(st.integers(0, 12))):
            arrival += draw(st.integers(1, 80))
            leave = max(leave + 20, arrival + draw(st.one_of(st.just(0), st.integers(0, 200))))
            if arrival >= END:
                break
            clear = leave + 20 + draw(st.sampled_from([0, 0, 50]))  # some wait inside the junction
            rows.append((lane, arrival, min(leave, END), min(clear, END)))
    table = np.array(rows, np.int64).reshape(len(rows), 4)
    return Passages(table[:, 0], np.searchsorted(table[:, 0], np.arange(3)), table[:, 1], table[:, 2], table[:, 3])


def naive_queues(p: Passages, windows: Windows, storage: int, wave: float, cycle: int, start: int) -> list[list[int]]:
    """Longest back of queue per lane and cycle, one vehicle after the other."""
    out = []
    for lane in range(2):
        mine = [(a, b) for x, a, b in zip(p.lane, p.arrival, p.leave, strict=True) if x == lane]
        n = max(1, (END - start) // cycle)
        longest = [sum(b > a + QUEUED and a < start + c * cycle <= b for a, b in mine) for c in range(n)]
        run = 0
        for i, (a, b) in enumerate(mine):
            if b - a <= QUEUED:
                run = i + 1
                continue
            since = int(windows.opened(np.array([lane]), np.array([a]))[0])
            place = 1 + sum(1 for j in range(run, i) if mine[j][1] >= since)
            if a - since > place * wave:
                place = 1 + sum(1 for j in range(run, i) if mine[j][1] >= a)
            if a >= start:
                c = min((a - start) // cycle, n - 1)
                longest[c] = max(longest[c], place)
        out.append([min(storage, x) for x in longest])
    return out


@settings(deadline=None, max_examples=150)
@given(some_passages(), ROWS, st.sampled_from([0, 100]), st.integers(1, 8))
def test_back_of_queue_is_that_of_the_slow_version(
    passages: Passages, rows: list[tuple[int, str]], start: int, storage: int
) -> None:
    """Every cycle of both lanes, and the mean over every tick."""
    windows = windows_of(as_plan(rows))
    both, wave = np.full(2, storage), np.full(2, 13.0)
    found = lane_queues(passages, windows, both, wave, np.full(2, 130), start, END)
    slow = naive_queues(passages, windows, storage, 13.0, 130, start)
    for lane in range(2):
        assert found.longest[found.edge[lane] : found.edge[lane + 1]].tolist() == slow[lane]
        mine = passages.lane == lane
        waiting = [int(((passages.arrival[mine] <= t) & (passages.leave[mine] > t)).sum()) for t in range(start, END)]
        assert found.mean[lane] == pytest.approx(np.mean(waiting))


@settings(deadline=None, max_examples=150)
@given(some_passages(), ROWS, st.sampled_from([0, 100]))
def test_busy_and_open_time_are_those_of_every_tick(
    passages: Passages, rows: list[tuple[int, str]], start: int
) -> None:
    """A tick is busy when the lane may discharge and somebody is being served."""
    windows = windows_of(as_plan(rows))
    busy, opened = busy_s(passages, windows, start, END)
    ticks = np.arange(start, END)
    for lane in range(2):
        is_open = windows.is_open(np.full(len(ticks), lane), ticks)
        served = np.zeros(len(ticks), bool)
        for x, a, clear in zip(passages.lane, passages.arrival, passages.clear, strict=True):
            if x == lane:
                served |= (ticks >= a) & (ticks < clear)
        assert opened[lane] == pytest.approx(is_open.sum() / 10)
        assert busy[lane] == pytest.approx((is_open & served).sum() / 10)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 30), st.integers(1, 2)), max_size=15),
    st.integers(1, 4),
)
def test_full_time_is_that_of_every_tick(rows: list[tuple[int, int, int, int]], storage: int) -> None:
    """A lane is full at a tick when the vehicles inside take all places."""
    table = np.array(rows, np.int64).reshape(len(rows), 4)
    lane, enter, leave, slots = table[:, 0], table[:, 1], table[:, 1] + table[:, 2], table[:, 3]
    found = full_s(lane, enter, leave, slots, np.full(3, storage))
    for i in range(3):
        inside = [int(slots[(lane == i) & (enter <= t) & (leave > t)].sum()) for t in range(100)]
        assert found[i] == pytest.approx(sum(x >= storage for x in inside) / 10)


def test_percentile_and_maximum_are_over_all_cycles_of_all_realizations() -> None:
    """Twenty cycles of two realizations pooled; errors from each one's own; lanes with fewer cycles beside them."""
    edge = np.array([0, 10, 12])
    first = LaneQueues(edge, np.array([*range(10), 3, 5]), np.array([1.0, 2.0]))
    second = LaneQueues(edge, np.array([*range(10, 20), 4, 4]), np.array([3.0, 2.0]))
    found = queue_estimates([first, second])
    assert found.p95.value[0] == pytest.approx(np.percentile(range(20), 95))
    assert found.longest.value.tolist() == [19, 5]
    assert found.mean.value.tolist() == [2.0, 2.0]
    own = [np.percentile(range(10), 95), np.percentile(range(10, 20), 95)]
    assert found.p95.se[0] == pytest.approx(np.std(own, ddof=1) / np.sqrt(2))
    assert found.longest.se[1] == pytest.approx(np.std([5, 4], ddof=1) / np.sqrt(2))
    assert np.isnan(queue_estimates([first]).p95.se).all()


def test_a_lane_without_a_signal_never_closes() -> None:
    """Its cycle is longer than any run, so no time is ever counted as red."""
    windows = windows_of(as_plan([(10, "r")]))
    assert windows.cycle[1] == ALWAYS
    assert int(windows.open_before(np.array([1]), np.array([5000]))[0]) == 5000
    assert not windows.is_open(np.array([0]), np.array([50]))[0]

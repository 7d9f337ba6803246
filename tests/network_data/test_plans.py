"""Interval tables: what is shown when, windows across the cycle's end, faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_data.errors import PlanError
from network_data.plans import Window
from tests.network_data.crossroads import program


def test_state_at_counts_from_the_offset():
    """Interval 0 begins at the offset, modulo the cycle; larger is later."""
    plan = program([(30, "G"), (3, "y"), (27, "r")], offset_s=10.0)

    assert [plan.state_at(t) for t in (9.9, 10, 39.9, 40, 43, 70, 60 * 60 + 10)] == list("rGGyrGG")


def test_windows_join_across_the_cycles_end():
    """A green in the last and the first interval is one window that ends after the cycle."""
    plan = program([(10, "G"), (3, "y"), (40, "r"), (7, "G")])

    assert plan.windows(0) == [Window(10, 13, "y"), Window(13, 53, "r"), Window(53, 70, "G")]


def test_one_letter_all_cycle_is_one_window():
    """Always green: from 0 to the cycle."""
    assert program([(10, "G"), (50, "G")]).windows(0) == [Window(0, 60, "G")]


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from("Ggyr")), min_size=1, max_size=12))
def test_windows_cover_the_cycle_once(rows):
    """Windows add up to the cycle, follow one another and agree with green_s."""
    plan = program(rows)

    windows = plan.windows(0)

    assert sum(w.end_s - w.start_s for w in windows) == plan.cycle_s
    assert all(0 <= w.start_s < plan.cycle_s for w in windows)
    assert sum(w.end_s - w.start_s for w in windows if w.letter in "Gg") == plan.green_s(0)
    for w in windows:
        assert plan.state_at((w.start_s + w.end_s) / 2) == w.letter


def test_faults_of_a_program_are_listed_together():
    """Two lengths, a negative duration and an unknown letter are all named."""
    with pytest.raises(PlanError) as caught:
        program([(30, "Gr"), (-1, "G"), (5, "Gz")])

    assert len(caught.value.faults) == 3


def test_a_program_needs_intervals():
    """No intervals, no plan."""
    with pytest.raises(PlanError, match="no intervals"):
        program([])

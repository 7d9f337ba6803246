"""Gathering tables into a problem: directions, sums, what is allowed, faults."""

import numpy as np
import pytest

from network_data.errors import InputError
from optimizer.offsets.tables import FORBIDDEN, offset_problem
from tests.optimizer.offsets.problems import grid_problem


def test_both_directions_of_a_street_are_added_up() -> None:
    """A table from b to a is read backwards when the pair is (a, b)."""
    there, back = np.array([0.0, 5, 9, 7]), np.array([2.0, 0, 4, 8])
    problem = offset_problem(4, ["a", "b"], [("a", "b"), ("b", "a")], np.array([there, back]))

    by_hand = [there[d] + back[-d % 4] for d in range(4)]
    assert [problem.veh_s(problem.value([0, d])) for d in range(4)] == pytest.approx(by_hand)
    assert [problem.veh_s(problem.value([3, 3 + d])) for d in range(4)] == pytest.approx(by_hand)
    assert problem.veh_s(problem.mean) == pytest.approx(np.mean(by_hand))
    assert problem.cost.min() == 0


def test_arcs_hold_the_cost_seen_from_either_end() -> None:
    """The 2C entries of an arc give the cost of each own offset, given the other's."""
    problem = grid_problem(2, 2, seed=3)
    first, other, table2 = problem.arcs
    offsets = [3, 28, 11, 17]
    total = 0
    for v in range(4):
        for arc in range(first[v], first[v + 1]):
            total += int(table2[arc, 30 + offsets[v] - offsets[other[arc]]])

    assert total == 2 * problem.value(offsets)


def test_what_is_not_allowed_costs_more_than_anything() -> None:
    """A signal held to some offsets gets a table against the clock."""
    mask = np.zeros(30, bool)
    mask[[4, 5]] = True
    problem = grid_problem(2, 1, allowed={"1.0": mask})

    assert problem.has_clock
    assert problem.n_node == 3
    assert problem.value([0, 4]) < FORBIDDEN <= problem.value([0, 6])


def test_all_faults_are_told_together() -> None:
    """Shape, unknown signals, loops and empty masks in one error."""
    with pytest.raises(InputError) as error:
        offset_problem(
            5,
            ["a"],
            [("a", "a"), ("a", "x")],
            np.zeros((1, 5)),
            allowed={"a": np.zeros(5, bool), "z": np.ones(5, bool)},
        )
    text = str(error.value)
    assert all(words in text for words in ("(1, 5)", "(2, 5)", "one signal", "['x', 'z']", "at least one of them"))

"""Descent, forests and annealing: they never make offsets worse, and find the best where everything can be tried."""

import numpy as np
import pytest

from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.local_search import LocalSearch
from optimizer.offsets.tree import Forests, spanning_tree_start
from tests.optimizer.offsets.problems import grid_problem, least_by_trying


def test_after_descent_no_single_change_gains() -> None:
    """Every signal's offset is the best given all others'."""
    problem = grid_problem(3, 3, seed=1)
    found = coordinate_descent(problem, problem.start())
    value = problem.value(found)

    assert value <= problem.value(problem.start())
    for v in range(9):
        for x in range(30):
            other = found.copy()
            other[v] = x
            assert problem.value(other) >= value


@pytest.mark.parametrize("seed", range(4))
def test_a_street_is_solved_exactly(seed: int) -> None:
    """Four signals in a row have no cycle: dynamic programming gives the least cost of all offsets."""
    problem = grid_problem(4, 1, cycle_s=12, seed=seed)
    assert problem.value(spanning_tree_start(problem)) == least_by_trying(problem)


def test_a_held_signal_stays_where_it_is() -> None:
    """With a clock, tree and search keep to what is allowed."""
    mask = np.zeros(12, bool)
    mask[7] = True
    problem = grid_problem(2, 2, cycle_s=12, seed=2, allowed={"0.1": mask})
    tree = spanning_tree_start(problem)
    found = LocalSearch(problem, seed=0).anneal(coordinate_descent(problem, tree), kicks=500)

    assert tree[1] == 7
    assert found[1] == 7
    assert problem.value(found) == least_by_trying(problem)


def test_forest_steps_never_lose_and_beat_descent() -> None:
    """A forest holds more than half of a grid's signals; the value falls, and ends below what descent found."""
    problem = grid_problem(6, 6, seed=5)
    offset = coordinate_descent(problem, problem.start())
    before = value = problem.value(offset)
    forests, rng = Forests(problem), np.random.default_rng(0)
    for _ in range(30):
        taken = forests.step(offset, rng.permutation(36).astype(np.int32))
        now = problem.value(offset)
        assert taken > 18
        assert now <= value
        value = now
    assert value < before


def test_annealing_finds_the_best_of_a_block() -> None:
    """Four signals around a block, by trying everything."""
    problem = grid_problem(2, 2, cycle_s=12, seed=8)
    found = LocalSearch(problem, seed=1).anneal(problem.start(), kicks=300)
    assert problem.value(found) == least_by_trying(problem)


def test_same_seed_same_offsets() -> None:
    """The search depends on its seed and its number of kicks alone."""
    problem = grid_problem(5, 5, seed=4)
    runs = [LocalSearch(problem, seed=s).anneal(problem.start(), kicks=200).tolist() for s in (1, 1)]
    assert runs[0] == runs[1]

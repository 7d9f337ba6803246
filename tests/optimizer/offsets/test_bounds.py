"""The cycle bound: below every offsets, often equal to the best; cycles generate all others."""

import numpy as np
import pytest

from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.cycles import short_cycles
from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.local_search import LocalSearch
from optimizer.offsets.tables import FORBIDDEN
from tests.optimizer.offsets.problems import grid_problem, least_by_trying


@pytest.mark.parametrize("seed", range(5))
def test_a_block_is_bounded_exactly(seed: int) -> None:
    """One cycle of four: its least cost is the least cost."""
    problem = grid_problem(2, 2, cycle_s=12, seed=seed)
    assert CycleBound(problem).improve() == least_by_trying(problem)


def test_the_bound_rises_and_stays_below() -> None:
    """Every walk raises it; offsets of a search never go below."""
    problem = grid_problem(5, 5, seed=6)
    bound = CycleBound(problem)
    values = [bound.improve(walks=2) for _ in range(20)]
    found = LocalSearch(problem, seed=0).anneal(problem.start(), kicks=2000)

    assert values == sorted(values)
    assert 0 < values[-1] <= problem.value(found)


def test_the_split_is_always_of_the_tables() -> None:
    """What the cycles hold and what was taken out adds up to the tables, to the last unit."""
    problem = grid_problem(4, 3, seed=7)
    bound = CycleBound(problem)
    bound.improve(walks=10)
    sums = np.zeros(problem.cost.shape, np.int64)
    np.add.at(sums, bound.cycles.link, bound.phi)
    offset = np.random.default_rng(0).integers(0, 30, 12)
    d = (offset[problem.head] - offset[problem.tail]) % 30

    assert int(sums[np.arange(len(d)), d].sum()) + bound.value == problem.value(offset)


def test_bound_per_difference_is_below_the_best_with_it() -> None:
    """For every difference of a link: no offsets with it cost less."""
    problem = grid_problem(2, 2, cycle_s=8, seed=9)
    bound = CycleBound(problem)
    bound.improve()
    least = bound.least_with()
    for a in range(8):
        for b in range(8):
            for c in range(8):
                offset = np.array([0, a, b, c])
                d = (offset[problem.head] - offset[problem.tail]) % 8
                assert (least[np.arange(4), d] <= problem.value(offset)).all()


def test_a_clock_is_part_of_the_bound() -> None:
    """Signals held at two offsets each: the bound knows, and descent from what follows it is allowed."""
    mask = np.zeros(12, bool)
    mask[[3, 9]] = True
    problem = grid_problem(2, 2, cycle_s=12, seed=2, allowed={"0.0": mask, "1.1": np.roll(mask, 2)})
    bound = CycleBound(problem)
    assert bound.improve() <= least_by_trying(problem)
    found = coordinate_descent(problem, bound.offsets(forward=True))
    assert problem.value(found) < FORBIDDEN


def test_cycles_of_a_grid_are_its_blocks() -> None:
    """n × m streets have (n − 1)(m − 1) blocks, and they generate every cycle."""
    problem = grid_problem(5, 4)
    cycles = short_cycles(problem.n_node, problem.tail, problem.head)
    assert len(cycles) == 12
    assert (np.diff(cycles.first) == 4).all()
    assert cycles.complete


def test_long_cycles_are_found_where_there_are_no_blocks() -> None:
    """A ring of seven with a chord: two cycles of four and five links."""
    tail, head = np.array([0, 1, 2, 3, 4, 5, 0, 0], np.int32), np.array([1, 2, 3, 4, 5, 6, 6, 3], np.int32)
    cycles = short_cycles(7, tail, head)
    assert sorted(np.diff(cycles.first).tolist()) == [4, 5]
    assert cycles.complete

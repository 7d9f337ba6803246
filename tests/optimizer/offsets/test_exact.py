"""Branch and bound and CP-SAT: the optimum by trying everything, bands kept, and both of one mind."""

import numpy as np
import pytest

from network_data.errors import InfeasibleError
from optimizer.offsets.banded import keeps_bands, offsets_with_bands
from optimizer.offsets.bands import Band, BandStop, band_s
from optimizer.offsets.bounds import CycleBound
from optimizer.offsets.branch import branch_and_bound
from optimizer.offsets.cp_sat import solve_exactly
from optimizer.offsets.solve import solve_offsets
from tests.optimizer.offsets.problems import grid_problem, least_by_trying


@pytest.mark.parametrize("seed", range(3))
def test_branch_and_bound_is_the_least_of_all(seed: int) -> None:
    """A block and a signal more, every offset tried."""
    problem = grid_problem(2, 2, cycle_s=12, seed=seed)
    bound = CycleBound(problem)
    found = branch_and_bound(problem, bound, problem.start())
    assert found.proven
    assert found.value == problem.value(found.offset) == least_by_trying(problem)


@pytest.mark.parametrize("seed", range(3))
def test_both_exact_methods_agree(seed: int) -> None:
    """Nine signals in a grid: CP-SAT and branch and bound prove the same optimum."""
    problem = grid_problem(3, 3, cycle_s=20, seed=seed)
    bound = CycleBound(problem)
    bound.improve()
    branched = branch_and_bound(problem, bound, problem.start())
    exact = solve_exactly(problem, bound, problem.start(), effort=20.0)
    assert branched.proven
    assert exact.proven
    assert branched.value == exact.value == exact.bound == problem.value(exact.offset)


def test_twenty_five_signals_are_proven() -> None:
    """Phases at random, far more frustrated than streets are: the optimum is proven, and no search goes below."""
    found = solve_offsets(grid_problem(5, 5, cycle_s=60, seed=3))
    assert found.status == "optimal"
    assert found.gap == 0
    assert found.bound_veh_s == pytest.approx(found.value_veh_s)
    assert "offset tables; cycle and splits fixed" in found.model


def test_a_hundred_signals_are_near_the_bound() -> None:
    """Value, bound and mean in order, within 2 % of what offsets can change."""
    found = solve_offsets(grid_problem(10, 10, cycle_s=60, seed=1), nodes=0)
    assert found.floor_veh_s <= found.bound_veh_s <= found.value_veh_s < found.mean_veh_s
    assert found.gap < 0.02


def test_answers_are_the_same_every_time() -> None:
    """No clock, no threads: the same offsets from the same seed."""
    problem = grid_problem(6, 6, cycle_s=40, seed=2)
    assert solve_offsets(problem, seed=5).offsets_s == solve_offsets(problem, seed=5).offsets_s


def both_ways(least_s: int) -> tuple[Band, Band]:
    """A street along the first row of a grid of 3 × 3, greens of half the cycle, 7 s from signal to signal."""
    names = ("0.0", "1.0", "2.0")
    there = Band(tuple(BandStop(name, 0, 15) for name in names), (7, 7), least_s)
    back = Band(tuple(BandStop(name, 0, 15) for name in reversed(names)), (7, 7), least_s)
    return there, back


def test_offsets_under_bands_keep_them_and_cost_no_less() -> None:
    """CP-SAT with bands of 6 s both ways: kept; dearer than without; never below the bound."""
    problem = grid_problem(3, 3, seed=4)
    bands = both_ways(6)
    free, held = solve_offsets(problem), offsets_with_bands(problem, bands, {})
    assert keeps_bands(bands, held.offsets_s, 30)
    assert min(band_s(band, held.offsets_s, 30) for band in bands) >= 6
    assert free.value_veh_s <= held.bound_veh_s + 1e-6 <= held.value_veh_s + 2e-6
    assert "green bands of at least 6 s" in held.model


def test_bands_that_cannot_be_are_said_so() -> None:
    """Wider than any offsets leave both ways."""
    with pytest.raises(InfeasibleError, match="15 s"):
        offsets_with_bands(grid_problem(3, 3, seed=4), both_ways(15), {})


def test_a_signal_held_stays_under_bands() -> None:
    """What is allowed holds beside the bands."""
    mask = np.zeros(30, bool)
    mask[11] = True
    problem = grid_problem(3, 3, seed=4, allowed={"1.0": mask})
    held = offsets_with_bands(problem, both_ways(6), {"1.0": mask})
    assert held.offsets_s["1.0"] == 11
    assert keeps_bands(both_ways(6), held.offsets_s, 30)

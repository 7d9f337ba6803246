"""The dynamic programming over a day, against trying everything out."""

import itertools

import numpy as np
import pytest

from network_data.errors import PlanError
from optimizer.day.switching import Switching, best_of_each_size, best_switching


def tried_out(cost: np.ndarray, switch: np.ndarray, least: int, around: bool) -> float:
    """The cheapest day by looking at every sequence of plans."""
    n, n_plan = cost.shape
    best = np.inf
    for plans in itertools.product(range(n_plan), repeat=n):
        starts = [t for t in range(0 if around else 1, n) if plans[t] != plans[t - 1]]
        edges = [*starts, starts[0] + n] if around and starts else [0, *starts, n]
        if min(b - a for a, b in itertools.pairwise(edges)) >= least:
            value = sum(cost[t, p] for t, p in enumerate(plans))
            best = min(best, value + sum(switch[t, plans[t - 1], plans[t]] for t in starts))
    return float(best)


def cost_of(found: Switching, cost: np.ndarray, switch: np.ndarray, around: bool) -> float:
    """Cost of a sequence, added up again."""
    own = sum(cost[t, p] for t, p in enumerate(found.plans))
    return float(own + sum(switch[t, q, p] for t, q, p in found.switches(around=around)))


@pytest.mark.parametrize("around", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_cheaper(seed: int, around: bool) -> None:
    """The cost is that of the best of all sequences, and the sequence told has it."""
    rng = np.random.default_rng(seed)
    n, n_plan = int(rng.integers(3, 8)), int(rng.integers(1, 4))
    least = int(rng.integers(1, min(4, n) + 1))
    cost, switch = rng.random((n, n_plan)), rng.random((n, n_plan, n_plan)) * rng.choice([0.05, 0.5, 2.0])
    found = best_switching(cost, switch, least=least, around=around)
    assert found.cost == pytest.approx(tried_out(cost, switch, least, around))
    assert found.cost == pytest.approx(cost_of(found, cost, switch, around))


def test_impossible_switches_are_not_made() -> None:
    """A switch of infinite cost is gone around by a third plan."""
    cost = np.array([[0.0, 9, 9], [9, 9, 1], [9, 0, 9], [9, 0, 9]])
    switch = np.zeros((4, 3, 3))
    switch[:, 0, 1] = np.inf
    assert best_switching(cost, switch, around=False).plans == (0, 2, 1, 1)


def test_more_plans_never_cost_more_and_types_share_them() -> None:
    """The best day with k plans, k = 1, 2, 3; two types of day with opposite peaks need two plans in all."""
    rng = np.random.default_rng(1)
    costs = [rng.random((12, 4)) for _ in range(2)]
    switches = [np.full((12, 4, 4), 0.05)] * 2
    found = best_of_each_size(costs, switches, (0.7, 0.3), 4, least=2)
    totals = [0.7 * a.cost + 0.3 * b.cost for _, (a, b) in found]
    assert totals == sorted(totals, reverse=True)
    assert [len(plans) for plans, _ in found] == [1, 2, 3, 4]
    for plans, switchings in found:
        assert {p for one in switchings for p in one.plans} <= set(plans)
    single = min(range(4), key=lambda p: 0.7 * costs[0][:, p].sum() + 0.3 * costs[1][:, p].sum())
    assert found[0][0] == (single,)


def test_tables_that_do_not_fit_are_refused() -> None:
    """A table of switches for other intervals, and a least time longer than the day."""
    with pytest.raises(PlanError, match="one table of switches per interval"):
        best_switching(np.zeros((4, 2)), np.zeros((3, 2, 2)))
    with pytest.raises(PlanError, match="least number within the day"):
        best_switching(np.zeros((4, 2)), np.zeros((4, 2, 2)), least=5)

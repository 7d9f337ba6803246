"""Orders of stages and offsets together, against trying everything."""

import itertools

import numpy as np
import pytest

from optimizer.offsets.orders import OrderProblem, order_problem, solve_orders


def random_orders(columns: int, rows: int, *, cycle_s: int, seed: int, programs: int = 2) -> OrderProblem:
    """A grid of signals with two programs each (the first has one), tables drawn at random for each pair of them."""
    rng = np.random.default_rng(seed)
    names = [f"{i}.{j}" for i, j in itertools.product(range(columns), range(rows))]
    pairs = [
        (f"{i}.{j}", f"{a}.{b}")
        for i, j in itertools.product(range(columns), range(rows))
        for a, b in ((i + 1, j), (i, j + 1))
        if a < columns and b < rows
    ]
    pairs += [(b, a) for a, b in pairs[::2]]
    x = np.arange(cycle_s) / cycle_s * 2 * np.pi
    phases = rng.uniform(0, 6, (len(pairs), programs, programs, 1))
    tables = rng.uniform(20, 200, (len(pairs), programs, programs, 1)) * (1 + np.cos(x - phases))
    return order_problem(cycle_s, names, [1, *[programs] * (len(names) - 1)], pairs, tables)


def least_by_trying(problem: OrderProblem) -> int:
    """Every choice of programs and offsets, the first offset 0."""
    return min(
        problem.fixed_at(np.array(chosen)).value([0, *offsets])
        for chosen in itertools.product(*(range(m) for m in problem.n_programs))
        for offsets in itertools.product(range(problem.cycle_s), repeat=len(problem.signals) - 1)
    )


@pytest.mark.parametrize("seed", range(3))
def test_orders_and_offsets_of_a_block_are_the_best(seed: int) -> None:
    """Four signals, two programs each: the optimum, proven by CP-SAT where the cycle bound leaves a gap."""
    problem = random_orders(2, 2, cycle_s=7, seed=seed)
    found = solve_orders(problem, [0] * 4, effort=20.0)
    assert found.proven
    assert found.value == least_by_trying(problem)
    assert found.chosen[0] == 0


def test_the_bound_holds_for_all_orders() -> None:
    """Nine signals without CP-SAT: the cheapest tables bound every choice, and the search lies near it."""
    problem = random_orders(3, 3, cycle_s=30, seed=1)
    found = solve_orders(problem, [0] * 9, exact_up_to=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        chosen = np.array([int(rng.integers(m)) for m in problem.n_programs])
        assert found.bound <= found.value <= problem.fixed_at(chosen).value(rng.integers(0, 30, 9).tolist())


def test_free_orders_cost_no_more_than_those_of_today() -> None:
    """The first programs are among the choices."""
    problem = random_orders(3, 2, cycle_s=12, seed=5)
    only = OrderProblem(
        cycle_s=12, signals=problem.signals, n_programs=(1,) * 6, tail=problem.tail, head=problem.head,
        cost=problem.cost, floor=problem.floor, unit_veh_s=problem.unit_veh_s,
    )  # fmt: skip
    held, free = (solve_orders(p, [0] * 6, effort=4.0) for p in (only, problem))
    assert held.proven
    assert free.value <= held.value
    assert (held.chosen == 0).all()


def test_same_seed_same_answer() -> None:
    """Search and CP-SAT depend on seed and effort alone."""
    problem = random_orders(3, 2, cycle_s=20, seed=2)
    one, other = (solve_orders(problem, [0] * 6, seed=3) for _ in range(2))
    assert one.offset.tolist() == other.offset.tolist()
    assert one.chosen.tolist() == other.chosen.tolist()

"""The solver behind the estimate, against slow exact methods on small problems."""

import numpy as np
from scipy import sparse
from scipy.optimize import nnls

from network_data.turning_flows.program import Program, Rows, solve


def program(a, target, sd, hard=None, cost=0.0):
    """A program over non-negative unknowns."""
    n = a.shape[1]
    return Program(
        rows=Rows(sparse.csr_matrix(a), target, sd),
        weight=np.ones(len(target)),
        hard=sparse.csr_matrix((0, n)) if hard is None else sparse.csr_matrix(hard),
        cost=np.full(n, cost),
        lower=np.zeros(n),
        upper=np.full(n, np.inf),
        scale=np.full(n, 50.0),
    )


def test_solver_agrees_with_nnls():
    """Random least-squares problems over non-negative unknowns: the same point as scipy's active-set method."""
    rng = np.random.default_rng(1)
    for n in (1, 7, 60):
        a = rng.normal(size=(2 * n, n))
        b = a @ np.maximum(rng.normal(size=n), 0) * 100 + rng.normal(size=2 * n)
        x = solve(program(a, b, np.ones(2 * n)), 1e-7).x
        np.testing.assert_allclose(x, nnls(a, b)[0], atol=0.05)  # of values around 100


def test_conservation_is_hard():
    """However much the counts contradict each other, what comes in goes out; the surer count wins."""
    hard = np.array([[1.0, -1.0]])
    found = solve(program(np.eye(2), np.array([100.0, 80.0]), np.array([1.0, 3.0]), hard), 1e-7)
    np.testing.assert_allclose(found.x[0], found.x[1], atol=1e-3)
    # weighted mean: (100/1 + 80/9) / (1 + 1/9) = 98
    np.testing.assert_allclose(found.x[0], 98.0, atol=0.01)


def test_a_cost_pulls_towards_nothing():
    """A linear cost of 2 per vehicle against a count of 10 with unit error leaves 8; one of 20 leaves nothing."""
    one, target, sd = np.eye(1), np.array([10.0]), np.ones(1)
    np.testing.assert_allclose(solve(program(one, target, sd, cost=2.0), 1e-7).x, 8.0, atol=0.01)
    np.testing.assert_allclose(solve(program(one, target, sd, cost=20.0), 1e-7).x, 0.0, atol=0.01)


def test_a_warm_start_takes_fewer_steps():
    """The solution of a problem solves it again at once."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(80, 40))
    whole = program(a, a @ np.full(40, 70.0), np.ones(80))
    cold = solve(whole, 1e-6)
    warm = solve(whole, 1e-6, cold)
    assert warm.steps < cold.steps
    np.testing.assert_allclose(warm.x, cold.x, atol=0.1)

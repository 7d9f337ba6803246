"""Weighted deviations under flow conservation: the program behind the estimate, solved with OR-Tools' PDLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.pdlp import solvers_pb2
from ortools.pdlp.python import pdlp
from scipy import sparse

from network_data.errors import DemandError

FLOAT = NDArray[np.float64]
OPTIMAL, STOPPED = 1, 5
"""PDLP's reasons to end: within the tolerance, at the limit of steps."""
MOST_STEPS = 100_000
HARD_SD = 0.02
"""Conservation holds to so many vehicles where its covariance is asked for. [veh]"""
LEAST_SCALE = 1e-3
MANY = 50_000
"""Beyond so many unknowns restarts by distance need fewer steps than those by gap; below, more."""
TINY = 1e-9
"""Targets below this many standard errors are 0 to the solver, which dislikes a wide range of sizes. [-]"""


@dataclass(frozen=True, eq=False)
class Rows:
    """Soft equations `matrix · x = target`, each with a standard error."""

    matrix: sparse.csr_matrix  # (m, n)
    target: FLOAT  # (m,)
    sd: FLOAT  # (m,)

    def __len__(self) -> int:
        return len(self.target)


def stacked(parts: Sequence[Rows]) -> Rows:
    """Several sets of equations in one."""
    return Rows(
        sparse.vstack([part.matrix for part in parts], format="csr"),
        np.concatenate([part.target for part in parts]),
        np.concatenate([part.sd for part in parts]),
    )


@dataclass(frozen=True, eq=False)
class Program:
    """Minimize half the sum of squared weighted deviations plus `cost · x`, with `hard · x = 0`, `x ≥ lower`.

    `scale` is the usual size of each unknown: the method's steps are measured with it.
    """

    rows: Rows
    weight: FLOAT  # (m,), multiplies 1/sd²
    hard: sparse.csr_matrix  # (h, n)
    cost: FLOAT  # (n,)
    lower: FLOAT  # (n,)
    upper: FLOAT  # (n,)
    scale: FLOAT  # (n,)
    pull: FLOAT | None = None  # (n,) a further cost that says nothing of how sure the unknowns are

    def information(self) -> sparse.csc_matrix:
        """Inverse covariance of the unknowns: deviations and conservation; a linear cost counts as its square."""
        a, h = self.rows.matrix, self.hard
        spread = self.rows.sd**-2.0 * self.weight
        q = a.T @ sparse.diags(spread) @ a + h.T @ h / HARD_SD**2
        return (q + sparse.diags(np.maximum(self.cost**2, 1e-9))).tocsc()


@dataclass(frozen=True, eq=False)
class Solution:
    """The unknowns, and what warms up the next solve of a like program."""

    x: FLOAT
    dual: FLOAT
    steps: int


def solve(program: Program, tolerance: float, start: Solution | None = None, n_thread: int = 1) -> Solution:
    """Solve with the primal-dual hybrid gradient method.

    Parameters
    ----------
    tolerance : float
        Largest relative residual and duality gap. [-]
    start : Solution, optional
        Of a program with the same rows and unknowns.

    Raises
    ------
    DemandError
        The solver ended without a solution.
    """
    rows, n = program.rows, len(program.cost)
    scale = np.maximum(program.scale, LEAST_SCALE)
    root = np.sqrt(program.weight) / rows.sd
    stretch = sparse.diags(scale)
    soft = sparse.diags(root) @ rows.matrix @ stretch
    # a conservation row in units of the largest flow it balances
    hard = program.hard @ stretch
    size = np.maximum(abs(hard).max(axis=1).toarray().ravel(), LEAST_SCALE)
    hard = sparse.diags(1.0 / size) @ hard
    m, h = len(rows), hard.shape[0]
    cost = program.cost if program.pull is None else program.cost + program.pull
    qp = pdlp.QuadraticProgram()
    qp.resize_and_initialize(n + m, h + m)
    qp.objective_vector = np.concatenate([cost * scale, np.zeros(m)])
    qp.set_objective_matrix_diagonal(np.concatenate([np.full(n, 1e-7), np.ones(m)]))
    qp.constraint_matrix = sparse.bmat([[hard, None], [soft, sparse.identity(m)]], format="csc")
    bounds = np.concatenate([np.zeros(h), root * rows.target])
    bounds[np.abs(bounds) < TINY] = 0.0
    qp.constraint_lower_bounds = bounds
    qp.constraint_upper_bounds = bounds
    qp.variable_lower_bounds = np.concatenate([program.lower / scale, np.full(m, -np.inf)])
    qp.variable_upper_bounds = np.concatenate([program.upper / scale, np.full(m, np.inf)])
    warm = None
    if start is not None:
        warm = pdlp.PrimalAndDualSolution()
        x = np.clip(start.x, program.lower, program.upper) / scale
        warm.primal_solution = np.concatenate([x, bounds[h:] - soft @ x])
        warm.dual_solution = start.dual
    result = pdlp.primal_dual_hybrid_gradient(qp, _parameters(tolerance, n_thread, n), warm)
    if result.solve_log.termination_reason not in (OPTIMAL, STOPPED):
        raise DemandError("estimate", f"the solver ended with reason {result.solve_log.termination_reason}")
    x = np.clip(np.asarray(result.primal_solution)[:n] * scale, program.lower, program.upper)
    return Solution(x, np.asarray(result.dual_solution), int(result.solve_log.iteration_count))


def _parameters(tolerance: float, n_thread: int, n_unknown: int) -> solvers_pb2.PrimalDualHybridGradientParams:
    parameters = solvers_pb2.PrimalDualHybridGradientParams()
    criteria = parameters.termination_criteria
    criteria.simple_optimality_criteria.eps_optimal_relative = tolerance
    criteria.simple_optimality_criteria.eps_optimal_absolute = tolerance
    criteria.iteration_limit = MOST_STEPS
    parameters.num_threads = n_thread
    if n_unknown > MANY:
        parameters.restart_strategy = solvers_pb2.PrimalDualHybridGradientParams.ADAPTIVE_DISTANCE_BASED
    return parameters

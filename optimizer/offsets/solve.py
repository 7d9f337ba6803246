"""Good offsets with a bound: trees exactly, others by dual ascent, search and, where small, branch and bound."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from optimizer.offsets.bounds import MODEL, CycleBound
from optimizer.offsets.branch import branch_and_bound
from optimizer.offsets.descent import coordinate_descent
from optimizer.offsets.local_search import LocalSearch
from optimizer.offsets.tables import INTS, OffsetProblem
from optimizer.offsets.tree import spanning_tree_start

BOUND_SHARE = 0.45
"""Of the CPU time, how much the bound may take where a time is given. [-]"""
WALKS = 400
KICKS_PER_SIGNAL = 16
LEAST_KICKS, MOST_KICKS = 1_000, 40_000
ANNEALINGS = 4
BRANCH_UP_TO = 250
"""Signals up to which branch and bound goes on where the search has not reached the bound."""
NODES_PER_SIGNAL = 40_000
"""Nodes of it, times signals: a second or two."""
SEARCH_SHARE = 0.6
"""Of the CPU time, when branch and bound takes over where it may. [-]"""
POLISH = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class OffsetSolution:
    """Offsets, what they cost and what no offsets can go below, in the problem's tables.

    Costs are above the problem's floor, the sum of each table's least entry. `gap` judges the part that offsets can
    change: (value − bound) / (mean − bound), where the mean is what offsets drawn at random cost; `strict_gap` is
    (value − bound) / value above the floor. [-]
    """

    offsets_s: dict[str, int]
    value_veh_s: float
    bound_veh_s: float
    mean_veh_s: float
    floor_veh_s: float
    status: Literal["optimal", "feasible"]
    method: str
    cpu_s: float
    model: str = MODEL

    @property
    def gap(self) -> float:
        """Share of what offsets can change that may still be missing. [-]"""
        return max(0.0, self.value_veh_s - self.bound_veh_s) / max(1e-9, self.mean_veh_s - self.bound_veh_s)

    @property
    def strict_gap(self) -> float:
        """The same against the cost above the floor alone. [-]"""
        return max(0.0, self.value_veh_s - self.bound_veh_s) / max(1e-9, self.value_veh_s - self.floor_veh_s)


def solve_offsets(
    problem: OffsetProblem,
    *,
    seed: int = 0,
    start_s: dict[str, int] | None = None,
    cpu_s: float | None = None,
    nodes: int | None = None,
    annealings: int = ANNEALINGS,
) -> OffsetSolution:
    """Offsets of least cost, or nearly, with a proven bound.

    Parameters
    ----------
    start_s : dict, optional
        Offsets to start from besides the method's own starts. [s]
    cpu_s : float, optional
        CPU time to take; the answer then depends on the machine's speed. Default: fixed numbers of
        steps, and the same answer everywhere. [s]
    annealings : int
        How often at most, as long as the bound is not reached; as often as there is time where a time is given.
    nodes : int, optional
        Of branch and bound, where the network is small enough for it; default what takes a second or two.
    """
    began_s = time.process_time()
    bound = CycleBound(problem)
    search = LocalSearch(problem, seed=seed)
    starts = [spanning_tree_start(problem)]
    if not len(bound.cycles):
        return solution_of(problem, starts[0], problem.value(starts[0]), "tree dynamic programming", began_s)
    bound.improve(walks=WALKS, until=None if cpu_s is None else began_s + BOUND_SHARE * cpu_s)
    if start_s is not None:
        starts.append(problem.start([start_s[name] for name in problem.signals]))
    starts.append(problem.start())
    starts = [coordinate_descent(problem, start) for start in starts]
    starts += [coordinate_descent(problem, bound.offsets(forward=forward)) for forward in (True, False)]
    best = min((search.polish(start, POLISH) for start in starts), key=problem.value)
    kicks = min(max(LEAST_KICKS, KICKS_PER_SIGNAL * problem.n_free), MOST_KICKS)
    method = "cycle bound, forests, annealing"
    branches = problem.n_free <= BRANCH_UP_TO and nodes != 0
    for _ in range(annealings if cpu_s is None else 1000):
        until = None if cpu_s is None else began_s + (SEARCH_SHARE if branches else 1.0) * cpu_s
        if problem.value(best) <= bound.value or (until is not None and time.process_time() >= until):
            break
        best = search.anneal(best, kicks=kicks, least=bound.value, until=until)
    least = bound.value
    if problem.value(best) > least and branches:
        most = NODES_PER_SIGNAL // problem.n_free if nodes is None else nodes
        until = None if cpu_s is None else began_s + cpu_s
        branched = branch_and_bound(problem, bound, best, most_nodes=most, until=until)
        best, least, method = branched.offset, branched.bound, method + ", branch and bound"
    return solution_of(problem, best, least, method, began_s)


def solution_of(problem: OffsetProblem, offset: INTS, least: int, method: str, began_s: float) -> OffsetSolution:
    """Offsets and what is known about them."""
    value = problem.value(offset)
    return OffsetSolution(
        offsets_s={name: int(x) for name, x in zip(problem.signals, offset, strict=False)},
        value_veh_s=problem.veh_s(value),
        bound_veh_s=problem.veh_s(min(value, least)),
        mean_veh_s=problem.veh_s(problem.mean),
        floor_veh_s=problem.veh_s(0),
        status="optimal" if value <= least else "feasible",
        method=method,
        cpu_s=time.process_time() - began_s,
    )

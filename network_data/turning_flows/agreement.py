"""Counts that contradict each other: the smallest set of detectors without which the rest agree.

Counts agree if some flows that conserve vehicles on every link come within the tolerance of all of them. Where the
estimate's own flows do, nothing is left to ask. Else a mixed-integer program (OR-Tools, SCIP) looks for the fewest
detectors to take out, on the whole network or, where that is large, around the counts that do not fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.linear_solver import pywraplp
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from network_data.errors import DemandError
from network_data.tables import capped
from network_data.turning_flows.sensors import LOOSE_UP_TO
from network_data.turning_flows.totals import Problem, Totals, count_sd

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
TOLERANCE = 4.0
"""A count agrees with flows within so many of its standard errors. [-]"""
RARE_TIMES = 5.0
"""Midway entries and exits of up to so many times the usual are believed (all but 1 in 150 of them). [-]"""
GROWTH_TIMES = 3.0
WHOLE_UP_TO = 600
"""Up to so many equations the whole network is one program."""
REACH = 3
"""Links this many junctions from a count that does not fit belong to its part of a large network."""
TIME_LIMIT_S = 10.0
TIE = 0.5
"""Among sets of one size those whose counts fit worse are taken out: all such bonuses together stay below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Detectors to take out so that all others agree; `proven` if no smaller set would do."""

    detectors: tuple[str, ...]
    proven: bool

    @property
    def text(self) -> str:
        """One line for a report; empty where all agree."""
        if not self.detectors:
            return ""
        listed = ", ".join(capped(list(self.detectors), "of them"))
        size = "the smallest such set" if self.proven else "a small such set"
        return f"counts contradict each other: without {listed} ({size}) all others agree with conserved flows"


@dataclass(frozen=True, eq=False)
class _Case:
    """Numbers that the program is made from. [veh]"""

    terms: sparse.csr_matrix  # (E, N) of the equations with counts
    veh: FLOAT
    tolerance: FLOAT
    floor_only: NDArray[np.bool_]
    loops: sparse.csr_matrix  # (E, D)
    upper: FLOAT  # (N,) of the flows
    growth: FLOAT  # (L,)
    off: FLOAT  # (E,) tolerances by which the estimate misses the count [-]


def disagreement(problem: Problem, totals: Totals) -> Disagreement:
    """The smallest set of detectors whose removal makes the rest agree; empty where all agree.

    Raises
    ------
    DemandError
        The solver ended without an answer.
    """
    case = _case(problem, totals)
    bad = np.flatnonzero(case.off > 1.0)
    if not len(bad):
        return Disagreement(detectors=(), proven=True)
    names = [d.id for d in problem.sensors.detectors]
    if len(case.veh) <= WHOLE_UP_TO:
        out, proven = _fewest(problem, case, np.arange(len(case.veh)), np.arange(len(problem.unknowns.links)))
        return Disagreement(detectors=tuple(names[d] for d in out), proven=proven)
    found: set[int] = set()
    for links in _parts(problem, case, bad):
        inside = np.zeros(problem.unknowns.n)
        inside[_touching(problem, links)] = 1.0
        equations = np.flatnonzero(np.asarray(abs(case.terms) @ inside).ravel() > 0)
        found |= set(_fewest(problem, case, equations, links)[0])
    return Disagreement(detectors=tuple(names[d] for d in sorted(found)), proven=False)


def _case(problem: Problem, totals: Totals) -> _Case:
    # lanes counted far from the stop line may differ from what leaves them: no contradiction
    used = np.flatnonzero(np.isfinite(totals.counted) & (problem.sensors.loose < LOOSE_UP_TO))
    terms = problem.sensors.terms[used]
    veh = totals.counted[used]
    fitted = terms @ totals.flow
    tolerance = TOLERANCE * count_sd(veh, problem.readings.loose[used])
    over = (fitted - veh) / tolerance
    over[problem.readings.floor_only[used]] = np.minimum(over[problem.readings.floor_only[used]], 0.0)
    cost = totals.program.cost[: problem.unknowns.n]
    most = 3.0 * max(float(veh.max(initial=0.0)), float(totals.flow.max(initial=0.0)), 10.0)
    upper = np.where(cost > 0, RARE_TIMES / np.maximum(cost, 1e-9), most)
    upper[: len(problem.unknowns.turns)] = most
    return _Case(
        terms,
        veh,
        tolerance,
        problem.readings.floor_only[used],
        problem.sensors.sums[used],
        np.minimum(upper, most),
        GROWTH_TIMES * problem.content_sd_veh,
        np.abs(over),
    )


def _parts(problem: Problem, case: _Case, bad: INT) -> list[INT]:
    """Links around the counts that do not fit, apart where they do not touch."""
    unknowns, n_link = problem.unknowns, len(problem.unknowns.links)
    beside = sparse.csr_matrix((np.ones(len(unknowns.tail)), (unknowns.tail, unknowns.head)), shape=(n_link, n_link))
    beside = beside + beside.T
    of_link = unknowns.goes + unknowns.comes
    near = np.asarray(of_link @ np.asarray(abs(case.terms[bad]).sum(axis=0)).ravel()) > 0
    for _ in range(REACH):
        near = near | (np.asarray(beside @ near.astype(float)) > 0)
    links = np.flatnonzero(near)
    n_part, part = connected_components(beside[links][:, links], directed=False)
    return [links[part == k] for k in range(n_part)]


def _touching(problem: Problem, links: INT) -> INT:
    """Unknowns that come onto or leave some links."""
    both = problem.unknowns.goes[links] + problem.unknowns.comes[links]
    return np.unique(both.indices)


def _fewest(problem: Problem, case: _Case, equations: INT, links: INT) -> tuple[list[int], bool]:
    """Loops to take out of some equations so that those left agree, conservation held on some links."""
    solver = pywraplp.Solver.CreateSolver("SCIP")
    solver.SetTimeLimit(int(1000 * TIME_LIMIT_S))
    flow: dict[int, pywraplp.Variable] = {}

    def of(j: int) -> pywraplp.Variable:
        if j not in flow:
            flow[j] = solver.NumVar(0.0, float(case.upper[j]), "")
        return flow[j]

    balance = problem.layout.conservation
    for i in links:
        row = slice(balance.indptr[i], balance.indptr[i + 1])
        held = solver.Constraint(-float(case.growth[i]), float(case.growth[i]))
        for j, value in zip(balance.indices[row], balance.data[row], strict=True):
            held.SetCoefficient(of(int(j)), float(value))
    out: dict[int, pywraplp.Variable] = {}
    n_loop = max(int((case.loops[equations].sum(axis=0) > 0).sum()), 1)
    worst = case.loops.multiply(case.off[:, None]).max(axis=0).toarray().ravel()
    for e in equations:
        loops = case.loops.indices[case.loops.indptr[e] : case.loops.indptr[e + 1]]
        row = slice(case.terms.indptr[e], case.terms.indptr[e + 1])
        columns, values = case.terms.indices[row], case.terms.data[row]
        most = float(values @ case.upper[columns])
        low = solver.Constraint(float(case.veh[e] - case.tolerance[e]), solver.infinity())
        high = solver.Constraint(-solver.infinity(), float(case.veh[e] + case.tolerance[e]))
        for j, value in zip(columns, values, strict=True):
            low.SetCoefficient(of(int(j)), float(value))
            if not case.floor_only[e]:
                high.SetCoefficient(of(int(j)), float(value))
        for d in loops.tolist():
            if d not in out:
                out[d] = solver.BoolVar("")
                bonus = TIE / n_loop * worst[d] / (1.0 + worst[d])
                solver.Objective().SetCoefficient(out[d], float(1.0 - bonus))
            low.SetCoefficient(out[d], max(float(case.veh[e]), 0.0))
            high.SetCoefficient(out[d], -most)
    solver.Objective().SetMinimization()
    status = solver.Solve()
    if status not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        raise DemandError("counts", f"no set of detectors was found that agrees (solver status {status})")
    return sorted(d for d, z in out.items() if z.solution_value() > 0.5), status == pywraplp.Solver.OPTIMAL

"""Flows of every interval under the period's totals: what is on a link as an interval ends leaves it in the next.

All intervals are one program. A link's content links them: what comes onto it and has not left stands or rolls there,
as much as flow and travel time say, or as much as a queue that loops have seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.program import Program, Rows, solve, stacked
from network_data.turning_flows.standing import Standing
from network_data.turning_flows.totals import MIN_TURN_COVER, Problem, Totals, members

FLOAT = NDArray[np.float64]
TOLERANCE = 3e-4
DRIFT = 0.15
"""How far an interval's flow strays from the period's pattern beyond chance, share of it. [-]"""
COUNT_VARIANCE, COUNT_SHARE = 0.5, 0.1
"""Variance of one interval's count: vehicles on the loop as it ends, and more of them the more there are. [veh²]"""
CONTENT_VARIANCE, CONTENT_SHARE = 0.3, 0.2
"""Variance of what stands on a link beyond flow times travel time, and its growth with that. [veh², veh]"""


def interval_flows(problem: Problem, totals: Totals, dispersion: float, standing: Standing) -> tuple[FLOAT, FLOAT]:
    """Flows of every unknown in every interval, (N, T), and what is on each link at their borders, (L, T + 1). [veh]

    Parameters
    ----------
    dispersion : float
        Variance over mean of 5-minute flows around their trend. [-]
    """
    n, n_t = problem.unknowns.n, len(problem.begin_s)
    if n_t == 1:
        content = _usual_content(problem, totals, standing)
        return totals.flow[:, None].copy(), content
    program = _program(problem, totals, dispersion, standing)
    x = solve(program, TOLERANCE, None, problem.n_thread).x
    flow = x[: n * n_t].reshape(n_t, n).T
    return np.asarray(flow), np.asarray(x[n * n_t :].reshape(n_t + 1, -1).T)


def _program(problem: Problem, totals: Totals, dispersion: float, standing: Standing) -> Program:
    layout = problem.layout
    n, n_t, n_link = problem.unknowns.n, len(problem.begin_s), len(problem.unknowns.links)
    usual = totals.pattern[:, None] * totals.flow[None, :]  # (T, N)
    each = sparse.identity(n_t, format="csr")
    step = sparse.diags([-np.ones(n_t), np.ones(n_t)], [0, 1], shape=(n_t, n_t + 1))
    hard = sparse.hstack(
        [sparse.kron(each, layout.conservation), -sparse.kron(step, sparse.identity(n_link))], format="csr"
    )
    by_pattern = _rows(
        sparse.identity(n * n_t, format="csr"),
        usual,
        np.sqrt(0.05 + dispersion * usual + (DRIFT * usual) ** 2),
    )
    together = _rows(
        sparse.kron(np.ones((1, n_t)), sparse.identity(n), format="csr"), totals.flow, 0.3 + 0.01 * totals.flow
    )
    content = _usual_content(problem, totals, standing)
    flows = [by_pattern, together, *_counts(problem, totals), *_given(problem)]
    n_content = n_link * (n_t + 1)
    parts = [Rows(_beside(r.matrix, n_content, before=False), r.target, r.sd) for r in flows]
    sd = np.sqrt(CONTENT_VARIANCE + CONTENT_SHARE * content + standing.sd_veh**2)
    kept = _rows(sparse.identity(n_content, format="csr"), content.T, sd.T)
    parts.append(Rows(_beside(kept.matrix, n * n_t, before=True), kept.target, kept.sd))
    room = np.maximum(layout.storage_veh, content.max(axis=1))
    return Program(
        stacked(parts),
        np.ones(sum(map(len, parts))),
        hard,
        np.zeros(n * n_t + n_content),
        np.zeros(n * n_t + n_content),
        np.concatenate([np.full(n * n_t, np.inf), np.tile(room, n_t + 1)]),
        np.concatenate([np.maximum(usual, 0.5).ravel(), np.maximum(sd, 0.5).T.ravel()]),
    )


def _rows(matrix: sparse.csr_matrix, target: FLOAT, sd: FLOAT) -> Rows:
    return Rows(matrix, np.asarray(target, dtype=float).ravel(), np.asarray(sd, dtype=float).ravel())


def _beside(matrix: sparse.csr_matrix, n_more: int, *, before: bool) -> sparse.csr_matrix:
    """The matrix with empty columns behind (or before) its own."""
    empty = sparse.csr_matrix((matrix.shape[0], n_more))
    return sparse.hstack([empty, matrix] if before else [matrix, empty], format="csr")


def _usual_content(problem: Problem, totals: Totals, standing: Standing) -> FLOAT:
    """What is on each link at the borders of the intervals, (L, T + 1): flow times travel time, and queues. [veh]"""
    length_s = problem.end_s - problem.begin_s
    rate_vps = (problem.unknowns.goes @ totals.flow)[:, None] * (totals.pattern / length_s)[None, :]
    rate_vps = np.concatenate([rate_vps[:, :1], rate_vps], axis=1)
    return np.asarray(rate_vps * problem.layout.travel_s[:, None] + standing.veh)


def _counts(problem: Problem, totals: Totals) -> list[Rows]:
    """Loop counts of each interval: their course, at the level that the period's flows gave them."""
    terms, veh = problem.sensors.terms, problem.readings.veh
    n_count, n_t = veh.shape
    with np.errstate(invalid="ignore"):
        level = np.clip((terms @ totals.flow) / np.maximum(totals.counted, 1.0), 0.0, 10.0)
    k, e = np.nonzero(np.isfinite(veh.T) & np.isfinite(totals.counted))
    at_level = veh[e, k] * np.where(totals.counted[e] > 1.0, level[e], 1.0)
    sd = np.sqrt(COUNT_VARIANCE + COUNT_SHARE * at_level + (problem.readings.loose[e] * at_level) ** 2)
    matrix = sparse.kron(sparse.identity(n_t), terms, format="csr")[k * n_count + e]
    return [_rows(matrix, at_level, sd / np.sqrt(np.maximum(totals.trust[e], 1e-3)))]


def _given(problem: Problem) -> list[Rows]:
    """Turning counts of each interval."""
    n, n_t = problem.unknowns.n, len(problem.begin_s)
    out = []
    for pair, (veh, sd_veh, covered) in problem.turns.items():
        seen = np.flatnonzero(covered >= MIN_TURN_COVER)
        if not len(seen):
            continue
        own = np.array(members(problem.unknowns, pair))
        matrix = sparse.csr_matrix(
            (
                np.ones(len(seen) * len(own)),
                (np.repeat(np.arange(len(seen)), len(own)), (seen[:, None] * n + own[None, :]).ravel()),
            ),
            shape=(len(seen), n * n_t),
        )
        value = veh[seen] / covered[seen]
        out.append(_rows(matrix, value, np.maximum(sd_veh[seen], 0.1) / covered[seen]))
    return out

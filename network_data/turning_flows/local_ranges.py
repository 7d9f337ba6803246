"""Variances on large networks: each junction for itself, with what is counted on the links around it.

To leave out what counts further away say makes ranges wider, if anything. Of a junction nothing is left out: its turns,
the loops on its approaches and on the links that leave it, shares and lanes as in the whole problem.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.layout import Layout
from network_data.turning_flows.totals import GATE_SD, Problem, Totals

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
LEAST_VEH = 10.0
MOST_AT_ONCE = 4_000_000
"""Numbers of the matrices that are inverted together."""


def local_variances(problem: Problem, totals: Totals) -> tuple[FLOAT, FLOAT]:
    """Variance of every pair (movements, entries, exits), with the counts and without them, (P + 2 L,). [veh²]"""
    layout = problem.layout
    n_turn = len(layout.unknowns.turns)
    prior = _prior_information(totals, layout)
    counted = prior + _count_information(problem, totals)
    junction = _junctions(layout)
    out = []
    usual = _rare_variance(totals, layout)
    into = problem.unknowns.comes[:, :n_turn]
    from_ = problem.unknowns.goes[:, :n_turn]
    by_pair = sparse.csr_matrix((np.ones(n_turn), (layout.unknowns.pair, np.arange(n_turn))))
    for information in (counted, prior):
        covariance = _block_inverse(information.tocsr(), junction)
        pairs, entry, exit_ = (_of_sums(covariance, sums) for sums in (by_pair, from_, into))
        entry = np.where(np.isfinite(usual[layout.entry]), usual[layout.entry], entry)
        exit_ = np.where(np.isfinite(usual[layout.exit]), usual[layout.exit], exit_)
        out.append(np.concatenate([pairs, entry, exit_]))
    return out[0], out[1]


def _of_sums(covariance: sparse.csr_matrix, sums: sparse.csr_matrix) -> FLOAT:
    return np.asarray((sums @ covariance).multiply(sums).sum(axis=1)).ravel()


def _junctions(layout: Layout) -> INT:
    """Number of the junction at which each lane turn is made, (J,)."""
    links = layout.unknowns.network.links
    nodes = np.array([links[name].to_node for name in layout.unknowns.links])
    return np.unique(nodes, return_inverse=True)[1].astype(np.int64)[layout.unknowns.tail]


def _rare_variance(totals: Totals, layout: Layout) -> FLOAT:
    """Of what begins or ends midway: the square of its usual flow; inf where traffic comes in or leaves."""
    cost = totals.program.cost[: layout.unknowns.n]
    return np.where(cost > 0, 1.0 / np.maximum(cost, 1e-6) ** 2, np.inf)


def _prior_information(totals: Totals, layout: Layout) -> sparse.csr_matrix:
    """Shares, lanes and a usual flow of every approach."""
    n_turn = len(layout.unknowns.turns)
    n_lane = layout.lane_matrix(totals.shares)[0].shape[0]
    n_own = len(totals.share_trust) + n_lane
    rows = totals.program.rows
    a = rows.matrix[:n_own, :n_turn]
    weight = totals.program.weight[:n_own] / rows.sd[:n_own] ** 2
    goes = layout.unknowns.goes[:, :n_turn]
    usual = np.maximum(goes @ totals.flow[:n_turn], LEAST_VEH) * GATE_SD * totals.spread
    return (a.T @ sparse.diags(weight) @ a + goes.T @ sparse.diags(usual**-2.0) @ goes).tocsr()


def _count_information(problem: Problem, totals: Totals) -> sparse.csr_matrix:
    """Loops on the approaches, and complete cross-sections on the links that leave."""
    layout, sensors = problem.layout, problem.sensors
    unknowns, n_turn = problem.unknowns, len(problem.unknowns.turns)
    used = np.flatnonzero(np.isfinite(totals.counted))
    first = len(totals.program.rows) - len(used)
    variance = totals.program.rows.sd[first:] ** 2 / np.maximum(totals.program.weight[first:], 1e-9)
    rare = np.where(np.isfinite(usual := _rare_variance(totals, layout)), usual, 0.0)
    rare[:n_turn] = 0.0
    link = sensors.link[used]
    lanes = np.flatnonzero(link < 0)
    turns = sensors.terms[used[lanes]][:, :n_turn].tocsr()
    # a row that mixes turns of two junctions, as loops midway do, is left out
    at = _junctions(layout)[turns.indices]
    filled = np.flatnonzero(np.diff(turns.indptr) > 0)
    begin = turns.indptr[:-1][filled]
    near = filled[np.minimum.reduceat(at, begin) == np.maximum.reduceat(at, begin)] if len(filled) else filled
    own = turns[near]
    noise = variance[lanes[near]] + sensors.terms[used[lanes[near]]].multiply(sensors.terms[used[lanes[near]]]) @ rare
    out = own.T @ sparse.diags(1.0 / noise) @ own
    # what passes a complete cross-section came onto the link at one junction and leaves it at the other
    whole = np.flatnonzero(link >= 0)
    line = link[whole]
    begins, ends = rare[layout.entry][line], rare[layout.exit][line]
    noise = variance[whole] + begins + ends + problem.content_sd_veh[line] ** 2
    for rows, other in ((unknowns.comes, layout.gates_in), (unknowns.goes, layout.gates_out)):
        here = ~np.isin(line, other)
        turns = rows[:, :n_turn][line[here]]
        out = out + turns.T @ sparse.diags(1.0 / noise[here]) @ turns
    return out.tocsr()


def _block_inverse(information: sparse.csr_matrix, block: INT) -> sparse.csr_matrix:
    """Inverse of a matrix that couples only unknowns of one block, blocks of one size at a time."""
    order = np.argsort(block, kind="stable")
    size = np.bincount(block)
    start = np.concatenate([[0], np.cumsum(size)])
    within = np.empty(len(block), dtype=np.int64)
    within[order] = np.arange(len(block)) - np.repeat(start[:-1], size)
    entries = information.tocoo()
    of = block[entries.row]
    i_out, j_out, value_out = [], [], []
    for n in np.unique(size[size > 0]):
        blocks = np.flatnonzero(size == n)
        number = np.full(len(size), -1)
        for part in np.array_split(blocks, max(1, len(blocks) * n * n // MOST_AT_ONCE)):
            number[:] = -1
            number[part] = np.arange(len(part))
            mine = number[of] >= 0
            dense = np.zeros((len(part), n, n))
            at = (number[of[mine]], within[entries.row[mine]], within[entries.col[mine]])
            np.add.at(dense, at, entries.data[mine])
            dense += 1e-9 * np.identity(n)
            inverse = np.linalg.inv(dense)
            members = order[start[part][:, None] + np.arange(n)[None, :]]
            i_out.append(np.repeat(members, n, axis=1).ravel())
            j_out.append(np.tile(members, (1, n)).ravel())
            value_out.append(inverse.ravel())
    i, j = np.concatenate(i_out), np.concatenate(j_out)
    return sparse.csr_matrix((np.concatenate(value_out), (i, j)), shape=information.shape)

"""The order in which the filters' kernels walk a network: nodes, links by the node they lead to, movements by link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.filter_inputs import FilterNetwork

INT = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Order:
    """N nodes, K links and M movements in walking order, and what stands where in the `FilterNetwork`.

    Slots are links by the node they come from: a node's slots are where its movements go.
    """

    link: INT  # (K,) row of the FilterNetwork
    movement: INT  # (M,) row of the FilterNetwork
    link_rank: INT  # (K,) the other way round
    movement_rank: INT  # (M,)
    node_in: INT  # (N + 1,) links that lead to each node
    node_out: INT  # (N + 1,) slots of each node
    slot_link: INT  # (K,)
    link_mv: INT  # (K + 1,) movements of each link
    mv_target: INT  # (M,) link in walking order
    mv_slot: INT  # (M,) slot of the target, counted from the node's first
    clock: INT  # (K,) controller at the end of each link; their number where there is none


def walking_order(net: FilterNetwork, node_order: INT) -> Order:
    """Lay links and movements out for an order of nodes; shape (N,)."""
    node_rank = _ranks(node_order)
    to_rank, from_rank = node_rank[net.to_node], node_rank[net.from_node]
    link = np.argsort(to_rank, kind="stable")
    link_rank = _ranks(link)
    mv_from = link_rank[net.mv_link]
    movement = np.argsort(mv_from, kind="stable")
    slot_link = np.argsort(from_rank[link], kind="stable")
    node_out = _starts(from_rank[link][slot_link], net.n_node)
    target = link_rank[net.mv_target[movement]]
    clock = np.full(len(link), len(net.controllers), np.int64)
    signal = net.mv_clock[movement] >= 0
    clock[mv_from[movement][signal]] = net.mv_clock[movement][signal]
    return Order(
        link=link,
        movement=movement,
        link_rank=link_rank,
        movement_rank=_ranks(movement),
        node_in=_starts(to_rank[link], net.n_node),
        node_out=node_out,
        slot_link=slot_link,
        link_mv=_starts(mv_from[movement], len(link)),
        mv_target=target,
        mv_slot=_ranks(slot_link)[target] - node_out[from_rank[link][target]],
        clock=clock,
    )


def foe_rows(net: FilterNetwork, order: Order) -> tuple[INT, INT, INT]:
    """Streams that movements give way to: start of each movement's (M + 1,), rows (F,), and own row (M,) or −1."""
    foes = [[int(order.movement_rank[j]) for j in net.mv_foes[m]] for m in order.movement]
    seen = sorted({j for row in foes for j in row})
    own = np.full(len(order.movement), -1, np.int64)
    own[seen] = np.arange(len(seen))
    start = np.cumsum([0, *(len(row) for row in foes)])
    return start, np.array([own[j] for row in foes for j in row], np.int64), own


def _ranks(order: INT) -> INT:
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order))
    return out


def _starts(group: INT, n: int) -> INT:
    """First position of each of n groups in a sorted array, and its end."""
    return np.searchsorted(group, np.arange(n + 1))

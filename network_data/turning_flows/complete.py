"""Turning counts that leave nothing open: the demand is read off them."""

from __future__ import annotations

import numpy as np

from network_data.demand import Demand, Pair, Support
from network_data.network import RoadNetwork
from network_data.turns import TurnTable


def demand_of_complete_turns(network: RoadNetwork, turns: TurnTable, begin_s: float, end_s: float) -> Demand | None:
    """The demand where every movement, entry and exit of used links has a row for all of the period, else None.

    What is to be estimated where rows are missing needs `demand_from_turns`.
    """
    inside = (turns.end_s > begin_s) & (turns.begin_s < end_s)
    if not inside.any() or any(turns.ways[pair] != (pair,) for pair in turns.ways):
        return None
    edges = np.unique(np.concatenate([turns.begin_s[inside], turns.end_s[inside]]))
    if edges[0] != begin_s or edges[-1] != end_s:
        return None
    rows = np.flatnonzero(inside)
    at = np.searchsorted(edges, turns.begin_s[rows])
    if not np.array_equal(edges[at + 1], turns.end_s[rows]):
        return None
    number: dict[Pair, int] = {}
    of = np.array([number.setdefault(turns.pairs[i], len(number)) for i in rows], np.int64)
    shape = len(number), len(edges) - 1
    if len(rows) != shape[0] * shape[1] or len(np.unique(of * shape[1] + at)) != len(rows) or _missing(network, number):
        return None
    veh, sd_veh = np.zeros(shape), np.zeros(shape)
    veh[of, at], sd_veh[of, at] = turns.veh[rows], turns.sd_veh[rows]
    measured: Support = "measured"
    return Demand(
        begin_s=edges[:-1],
        end_s=edges[1:],
        pairs=tuple(number),
        veh=veh,
        sd_veh=sd_veh,
        support=tuple(measured for _ in number),
    )


def _missing(network: RoadNetwork, named: dict[Pair, int]) -> bool:
    """Whether a movement that cars may make has no row, or a link from or to nowhere no entry or exit."""
    moves = {
        m.pair for m in network.movements.values() if any(network.connections[i].kind != "other" for i in m.connections)
    }
    if any(pair not in named for pair in moves):
        return True
    used = {link for pair in moves for link in pair}
    entries = {("", link) for link in used if not network.incoming[link]}
    exits = {(link, "") for link in used if not network.outgoing[link]}
    return any(pair not in named for pair in entries | exits)

"""Networks as the wave kernel reads them: clusters of nodes, rings of exact length, records of links and movements."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from network_data.errors import NetworkError
from sim import _wave_kernels as w
from sim._level_kernels import FULL
from sim.filter_flows import FilterFlows
from sim.filter_inputs import FLOAT, FilterNetwork
from sim.filter_levels import LevelTables
from sim.filter_order import INT, Order, walking_order

BLOCK = int(w.BLOCK)
ENTRY_HEADWAY = 0.8
"""Of the reaction time, what is left between vehicles that enter a link. [-]"""
INDEX = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class WaveLayout:
    """The arrays of the kernel with what leads back to links and movements."""

    arrays: w.Layout
    records: NDArray[np.uint32]  # (K, LINK) links as they start
    link: NDArray[np.int64]  # (K,) kernel link → link of the FilterNetwork
    movement: NDArray[np.int64]  # (M,) kernel movement → movement
    gates: NDArray[np.int64]  # (gates,) kernel links where vehicles enter
    storage: NDArray[np.float32]  # (K,) [grains]
    n_ring: tuple[int, int]
    most_of_node: tuple[int, ...]  # movements, slots, links


def _pack(values: object) -> INDEX:
    return np.ascontiguousarray(np.asarray(values), np.uint32)


def _lags(net: FilterNetwork, flows: FLOAT) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps from entering a link to its stop line, the junction before it included, and of the backward wave."""
    weight = flows + 1e-6
    sums = np.bincount(net.mv_target, weights=weight, minlength=len(net.links))
    cross = np.bincount(net.mv_target, weights=weight * net.mv_cross_s, minlength=len(net.links))
    before_s = np.divide(cross, sums, out=np.zeros_like(cross), where=sums > 0)
    free = np.maximum(1, np.round(net.free_s + before_s)).astype(np.int64)
    wave = np.maximum(1, np.round(net.length_m / net.parameters.wave_mps)).astype(np.int64)
    return free, wave


def _clusters(net: FilterNetwork, lag: INT, back: INT, sink: NDArray[np.bool_]) -> tuple[INT, INT]:
    """Cluster of each node, in an order in which they can be walked block by block, and the steps each may do at once.

    What enters a link is read where it ends a travel time later, what leaves it where it begins a wave's time later.
    Where the first is shorter than a block, the node before has to go first; where the second is, too, or where the
    street has both directions, they have to take turns more often.
    """
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(net.n_node))
    ahead, together = ~sink & (lag < BLOCK), ~sink & (back < BLOCK)
    graph.add_edges_from(zip(net.from_node[ahead].tolist(), net.to_node[ahead].tolist(), strict=True))
    graph.add_edges_from(zip(net.to_node[together].tolist(), net.from_node[together].tolist(), strict=True))
    joined = nx.condensation(graph)
    cluster = np.empty(net.n_node, np.int64)
    for n, component in enumerate(nx.lexicographical_topological_sort(joined)):
        cluster[list(joined.nodes[component]["members"])] = n
    steps = np.full(len(joined), BLOCK, np.int64)
    inside = ~sink & (cluster[net.from_node] == cluster[net.to_node])
    np.minimum.at(steps, cluster[net.to_node[inside]], np.minimum(lag, back)[inside])
    return cluster, steps


def _rings(lag: INT, writer: INT, reader: INT, steps: INT, keep: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """First row, rows and lag of each link's ring: as many rows as the order of clusters needs, no more.

    Within a cluster nodes step together; a cluster before another is a whole block ahead.
    """
    rows = np.where(writer < reader, lag + BLOCK, np.where(writer == reader, lag + steps[writer], lag))
    rows = np.where(keep, rows, 0)
    first = np.concatenate(([0], np.cumsum(rows)))
    return np.stack([first[:-1], np.maximum(rows, 1), lag], axis=1), int(first[-1]) + 1


def wave_layout(net: FilterNetwork, levels: LevelTables, flows: FilterFlows, flow_vps: FLOAT) -> WaveLayout:
    """Lay a network out for the kernel.

    Raises
    ------
    NetworkError
        A link is wider than the kernel's numbers are.
    """
    lag, back = _lags(net, flow_vps)
    sink = np.bincount(net.mv_link, minlength=len(net.links)) == 0
    cluster, steps = _clusters(net, lag, back, sink)
    node_order = np.argsort(cluster, kind="stable")
    order = walking_order(net, node_order)
    link = order.link
    sink = sink[link]
    gates = np.flatnonzero(flows.mean_entry_vps()[link])
    writer, reader = cluster[net.from_node[link]], cluster[net.to_node[link]]
    in_ring, n_in = _rings(lag[link], writer, reader, steps, ~sink)
    out_ring, n_out = _rings(back[link], reader, writer, steps, ~sink)
    movement, foes = _by_precedence(net, order)
    move, foe, tie = _movement_records(net, order, levels, movement, foes)
    parameters = net.parameters
    # vehicles enter a link closer to each other than they leave a queue, as in the queue simulation
    saturation = net.n_lane / (ENTRY_HEADWAY * parameters.reaction_headway_s + net.spacing_m / _speeds(net))
    wide = np.flatnonzero(saturation * w.GRAINS > 2**15 - 1)
    if len(wide):
        raise NetworkError("wave filter", [f"link {net.links[k]!r} takes 16 vehicles a second; split it" for k in wide])
    limit = np.stack([saturation[link], net.n_lane[link] / parameters.entry_headway_s], axis=1) * w.GRAINS
    at = order.node_in[np.searchsorted(cluster[node_order], np.arange(len(steps) + 1))]
    clocks = [np.unique(order.clock[a:b]) for a, b in pairwise(at)]
    clock_start, clock = np.cumsum([0, *map(len, clocks)]), np.concatenate([*clocks, np.zeros(1, np.int64)])
    arrays = w.Layout(
        cluster_start=_pack(np.searchsorted(cluster[node_order], np.arange(cluster.max(initial=0) + 2))),
        cluster_step=_pack(steps),
        clock_start=_pack(clock_start),
        clock=_pack(clock),
        clock_rows=levels.clock_rows,
        node_in=_pack(order.node_in),
        node_out=_pack(order.node_out),
        slot_link=_pack(order.slot_link),
        limit=limit.astype(np.float32).ravel(),
        node_mv=_pack(order.link_mv[order.node_in]),
        move=move,
        move_f=_coefficients(movement, levels),
        foe=foe,
        tie=tie,
    )
    node_mv = order.link_mv[order.node_in]
    return WaveLayout(
        arrays=arrays,
        records=_link_records(order, gates, sink, in_ring, out_ring),
        link=link,
        movement=movement,
        gates=gates,
        storage=(net.storage_veh * w.GRAINS)[link].astype(np.float32),
        n_ring=(n_in, n_out),
        most_of_node=tuple(int(np.diff(x).max(initial=1)) for x in (node_mv, order.node_out, order.node_in)),
    )


def _by_precedence(net: FilterNetwork, order: Order) -> tuple[INT, list[list[int]]]:
    """Movements by node, streams before those who give way to them, and whom each gives way to (movements).

    Where movements give way to each other, only those that come later do.
    """
    node_of = net.to_node[net.mv_link]
    movements: list[int] = []
    foes: list[list[int]] = []
    at = order.link_mv[order.node_in]
    for node in range(net.n_node):
        own = order.movement[at[node] : at[node + 1]].tolist()
        placed: dict[int, None] = {}
        while len(placed) < len(own):
            rest = [m for m in own if m not in placed]
            waits = [sum(j not in placed and node_of[j] == node_of[m] for j in net.mv_foes[m]) for m in rest]
            free = [m for m, n in zip(rest, waits, strict=True) if n == 0]
            for m in free or [rest[int(np.argmin(waits))]]:
                foes.append([j for j in net.mv_foes[m] if j in placed])
                placed[m] = None
        movements += placed
    return np.array(movements, np.int64), foes


def _movement_records(
    net: FilterNetwork, order: Order, levels: LevelTables, movement: INT, foes: list[list[int]]
) -> tuple[INDEX, INDEX, INDEX]:
    """Records of movements, what they give way to, and their ties."""
    first = order.link_mv[order.node_in]
    node = np.repeat(np.arange(net.n_node), np.diff(first))
    local = np.empty(len(movement), np.int64)
    local[movement] = np.arange(len(movement)) - first[node]
    place = order.movement_rank[movement]
    tied = _ties(net)
    ties = [[int(local[j]) for j in tied[m]] for m in movement]
    foe_start, tie_start = (np.cumsum([0, *(len(x) for x in rows)]) for rows in (foes, ties))
    n_foe = np.diff(foe_start)
    records = np.zeros((len(movement), int(w.MV)), np.uint32)
    records[:, int(w.FROM)] = order.link_rank[net.mv_link[movement]] - order.node_in[node]
    records[:, int(w.SLOT)], records[:, int(w.ROW)] = order.mv_slot[place], levels.row[movement]
    records[:, int(w.TIE0)], records[:, int(w.TIE1)] = tie_start[:-1], tie_start[1:]
    records[:, int(w.GIVES_WAY)] = levels.yields[movement]
    padded = np.zeros(int(n_foe.sum()) + w.FOES_IN_RECORD, np.int64)
    padded[: int(n_foe.sum())] = [local[j] * BLOCK for row in foes for j in row]
    # an even number beyond the first is told apart from an odd one by the list behind
    in_record = np.where(n_foe == 3, 2, np.minimum(n_foe, w.FOES_IN_RECORD))
    for n in range(w.FOES_IN_RECORD):
        records[:, int(w.FOE_A) + n] = np.where(n < in_record, padded[foe_start[:-1] + n], 0)
    records[:, int(w.N_FOE)] = in_record
    records[:, int(w.FOE0)], records[:, int(w.FOE1)] = foe_start[:-1] + in_record, foe_start[1:]
    number = np.empty(len(movement), np.int64)
    number[movement] = np.arange(len(movement))
    records[[int(number[j]) for row in foes for j in row], int(w.IS_FOE)] = 1
    return records.ravel(), _pack(padded), _pack([*(j for x in ties for j in x), 0])


def _coefficients(movement: INT, levels: LevelTables) -> NDArray[np.float32]:
    free = levels.most_vps[movement] * (w.GRAINS / FULL)
    gap = np.full(len(movement), levels.gap_s / w.GRAINS)
    return np.stack([free, free * levels.giving[movement], gap], axis=1).astype(np.float32).ravel()


def _link_records(order: Order, gates: INT, sink: NDArray[np.bool_], in_ring: INT, out_ring: INT) -> INDEX:
    """Links as they start: empty rings, read a lag behind where they are written."""
    records = np.zeros((len(order.link), int(w.LINK)), np.uint32)
    records[:, int(w.GATE)] = w.NONE
    records[gates, int(w.GATE)] = np.arange(len(gates))
    records[:, int(w.SINK)], records[:, int(w.CLOCK)] = sink, order.clock
    for ring, (start, end, read, write) in (
        (in_ring, (w.IN_FIRST, w.IN_END, w.IN_READ, w.IN_WRITE)),
        (out_ring, (w.OUT_FIRST, w.OUT_END, w.OUT_READ, w.OUT_WRITE)),
    ):
        records[:, int(start)] = records[:, int(write)] = ring[:, 0]
        records[:, int(end)] = ring[:, 0] + ring[:, 1]
        records[:, int(read)] = ring[:, 0] + (ring[:, 1] - ring[:, 2]) % ring[:, 1]
    return records


def _speeds(net: FilterNetwork) -> FLOAT:
    return np.array([net.network.links[link].speed_mps for link in net.links])


def _ties(net: FilterNetwork) -> list[list[int]]:
    """Movements that stand in every lane that a movement may use: if they cannot go on, neither can it."""
    lanes: dict[int, set[int]] = {}
    users: dict[int, set[int]] = {}
    for turn in net.turns:
        lanes.setdefault(turn.movement, set()).add(turn.lane)
        users.setdefault(turn.lane, set()).add(turn.movement)
    out = []
    for m in range(len(net.movements)):
        common = set.intersection(*(users[lane] for lane in lanes[m])) if m in lanes else set()
        out.append(sorted(common - {m}))
    return out

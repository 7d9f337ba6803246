"""Networks and flows as the profile kernel reads them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import _profile_kernels as c
from sim._level_kernels import FULL
from sim.filter_flows import FilterFlows, movement_flows_vps
from sim.filter_inputs import FLOAT, FilterNetwork
from sim.filter_levels import LevelTables
from sim.filter_order import INT, Order, foe_rows, walking_order
from sim.platoons import Dispersion


@dataclass(frozen=True, eq=False)
class ProfileLayout:
    """The kernel's arrays; movements of `group` share lanes."""

    periods: tuple[c.Layout, ...]
    seconds: FLOAT  # (periods,)
    order: Order
    n_watched: int
    start_vps: NDArray[np.float32]  # (K,) mean inflow of each link in walking order, in the first period
    group: INT  # (M,) movements whose lanes hang together, in walking order


def profile_layout(
    net: FilterNetwork, levels: LevelTables, flows: Sequence[FilterFlows], flow_vps: FLOAT, dispersion: Dispersion
) -> ProfileLayout:
    """Lay a network out for the kernel, with the flows of each period."""
    order = walking_order(net, _node_order(net, flow_vps))
    link, movement = order.link, order.movement
    foe_start, foe, watched = foe_rows(net, order)
    lag_s, factor = dispersion.of(_travel_s(net, flow_vps))
    records = np.zeros((len(movement), int(c.MV)), np.uint32)
    records[:, int(c.TARGET)], records[:, int(c.ROW)] = order.mv_target, levels.row[movement]
    records[:, int(c.FOE0)], records[:, int(c.FOE1)] = foe_start[:-1], foe_start[1:]
    records[:, int(c.WATCHED)] = np.where(watched >= 0, watched, c.NONE)
    records[np.unique(order.mv_target, return_index=True)[1], int(c.FIRST)] = 1
    values = np.zeros((len(movement), int(c.MV_F)), np.float32)
    values[:, int(c.FREE)] = levels.most_vps[movement] / FULL
    values[:, int(c.GIVING)] = levels.most_vps[movement] * levels.giving[movement] / FULL
    values[:, int(c.GAP)] = levels.gap_s
    node_clock = _node_clocks(net)
    own = np.where(order.clock < len(net.controllers), order.clock, node_clock[net.to_node[link]])
    clock = np.stack([own, node_clock[net.from_node[link]]], axis=1)
    first_vps = movement_flows_vps(net, flows[0])
    inflow = np.bincount(order.mv_target, weights=first_vps[movement], minlength=len(link))
    arrays = c.Layout(
        node_in=order.node_in.astype(np.uint32),
        link_mv=order.link_mv.astype(np.uint32),
        clock=clock,
        level_clock=order.clock,
        lag_s=np.round(lag_s[link]).astype(np.int64),
        smoothing=factor[link].astype(np.float32),
        entry_vps=np.zeros(len(link), np.float32),
        end_share=np.zeros(len(link), np.float32),
        move=records.ravel(),
        move_f=values.ravel(),
        foe=np.append(foe, 0).astype(np.uint32),
    )
    return ProfileLayout(
        periods=tuple(_with_flows(net, order, arrays, part) for part in flows),
        seconds=np.array([part.end_s - part.begin_s for part in flows]),
        order=order,
        n_watched=int((watched >= 0).sum()),
        start_vps=inflow.astype(np.float32),
        group=_groups(net)[movement],
    )


def _with_flows(net: FilterNetwork, order: Order, arrays: c.Layout, flows: FilterFlows) -> c.Layout:
    """The arrays with the flows of a period."""
    share, end_share = flows.mean_share()
    onward = share / np.maximum(1e-9, 1 - end_share)[net.mv_link]
    values = arrays.move_f.reshape(-1, int(c.MV_F)).copy()
    values[:, int(c.SHARE)] = np.minimum(1.0, onward)[order.movement]
    return arrays._replace(
        entry_vps=flows.mean_entry_vps()[order.link].astype(np.float32),
        end_share=end_share[order.link].astype(np.float32),
        move_f=values.ravel(),
    )


def _travel_s(net: FilterNetwork, flow_vps: FLOAT) -> FLOAT:
    """From the stop line before to a link's own; shape (K,). [s]"""
    weight = flow_vps + 1e-6
    sums = np.bincount(net.mv_target, weights=weight, minlength=len(net.links))
    cross = np.bincount(net.mv_target, weights=weight * net.mv_cross_s, minlength=len(net.links))
    return np.asarray(net.free_s + np.divide(cross, sums, out=np.zeros_like(cross), where=sums > 0))


def _node_order(net: FilterNetwork, flow_vps: FLOAT) -> INT:
    """Nodes so that traffic comes from earlier ones as far as can be: depth first along the flows, last left first."""
    onwards: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for m in np.argsort(flow_vps):
        link = net.mv_target[m]
        onwards[int(net.from_node[link])].append((float(flow_vps[m]), int(net.to_node[link])))
    entered = np.bincount(net.to_node, minlength=net.n_node)
    seen, left = np.zeros(net.n_node, bool), []
    for start in np.argsort(entered, kind="stable"):
        stack = [(int(start), 0)] if not seen[start] else []
        seen[start] = True
        while stack:
            node, at = stack.pop()
            if at < len(onwards[node]):
                stack.append((node, at + 1))
                following = onwards[node][at][1]
                if not seen[following]:
                    seen[following] = True
                    stack.append((following, 0))
            else:
                left.append(node)
    return np.array(left[::-1], np.int64)


def _node_clocks(net: FilterNetwork) -> INT:
    """Controller of each node; nodes without signal keep the time of the nearest one, so that platoons pass them."""
    clock = np.full(net.n_node, -1, np.int64)
    for m in np.flatnonzero(net.mv_clock >= 0):
        clock[net.to_node[net.mv_link[m]]] = net.mv_clock[m]
    neighbours: dict[int, list[int]] = defaultdict(list)
    for a, b in zip(net.from_node.tolist(), net.to_node.tolist(), strict=True):
        neighbours[a].append(b)
        neighbours[b].append(a)
    queue = deque(np.flatnonzero(clock >= 0).tolist())
    while queue:
        node = queue.popleft()
        for other in neighbours[node]:
            if clock[other] < 0:
                clock[other] = clock[node]
                queue.append(other)
    return np.where(clock >= 0, clock, len(net.controllers))


def _groups(net: FilterNetwork) -> INT:
    """Number of the lane group of each movement: movements that share lanes, directly or through others."""
    group = np.arange(len(net.movements))
    lane_group: dict[int, int] = {}
    moved = True
    while moved:
        moved = False
        for turn in net.turns:
            low = min(lane_group.get(turn.lane, len(group)), int(group[turn.movement]))
            if lane_group.get(turn.lane) != low or group[turn.movement] != low:
                lane_group[turn.lane] = group[turn.movement] = low
                moved = True
    return np.unique(group, return_inverse=True)[1].astype(np.int64)

"""The wave-theory filter: queues, spillback and delay of many plans at once by Newell's link transmission model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.errors import NetworkError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _wave_kernels as w
from sim._level_kernels import FULL
from sim._rows import WIDTH, row_zeros
from sim.filter_inputs import (
    FLOAT,
    FilterFlows,
    FilterNetwork,
    inputs_of,
    movement_flows_vps,
)
from sim.filter_levels import Levels, LevelTables, level_tables
from sim.filter_order import INT, Order, foe_rows, walking_order
from sim.parameters import STREET, SimParameters

BLOCKS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Steps per time block that are tried, longest first."""
CLUSTER_ROWS = 4000
"""Movements that one cluster may have: their state stays in the second cache."""
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
    block: int
    n_ring: tuple[int, int]
    n_watched: int
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


def _clusters(net: FilterNetwork, lag: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Cluster of each node, and the steps of a time block: nodes joined by a link shorter than a block stand together.

    The longest block whose largest cluster still fits the cache.
    """
    movements = np.bincount(net.to_node[net.mv_link], minlength=net.n_node)
    for block in BLOCKS:
        parent = np.arange(net.n_node)

        def root(node: int, parent: NDArray[np.int64] = parent) -> int:
            while parent[node] != node:
                parent[node] = parent[parent[node]]
                node = int(parent[node])
            return node

        for link in np.flatnonzero(lag < block):
            parent[root(int(net.from_node[link]))] = root(int(net.to_node[link]))
        cluster = np.array([root(node) for node in range(net.n_node)])
        if np.bincount(cluster, weights=movements).max(initial=0) <= CLUSTER_ROWS:
            break
    order = {c: n for n, c in enumerate(dict.fromkeys(cluster.tolist()))}
    return np.array([order[c] for c in cluster.tolist()], np.int64), block


def _rings(
    lag: NDArray[np.int64], writer: NDArray[np.int64], reader: NDArray[np.int64], block: int, keep: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """First row, rows and lag of each link's ring: as many rows as the order of clusters needs, no more.

    Within a cluster nodes step together; a cluster before another is a whole block ahead.
    """
    rows = np.where(writer < reader, lag + block, np.where(writer == reader, lag + 1, lag))
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
    cluster, block = _clusters(net, np.minimum(lag, back))
    node_order = np.argsort(cluster, kind="stable")
    order = walking_order(net, node_order)
    link = order.link
    sink = np.asarray(np.diff(order.link_mv) == 0)
    gates = np.flatnonzero(flows.mean_entry_vps()[link])
    writer, reader = cluster[net.from_node[link]], cluster[net.to_node[link]]
    in_ring, n_in = _rings(lag[link], writer, reader, block, ~sink)
    out_ring, n_out = _rings(back[link], reader, writer, block, ~sink)
    foe_start, foe, watched = foe_rows(net, order)
    ties = [[int(order.movement_rank[j]) for j in row] for row in _ties(net)]
    ties = [ties[m] for m in order.movement]
    parameters = net.parameters
    saturation = net.n_lane / (parameters.reaction_headway_s + net.spacing_m / _speeds(net))
    wide = np.flatnonzero(saturation * w.GRAINS > 2**15 - 1)
    if len(wide):
        raise NetworkError("wave filter", [f"link {net.links[k]!r} takes 16 vehicles a second; split it" for k in wide])
    limit = np.stack([saturation[link], np.full(len(link), 1 / parameters.entry_headway_s)], axis=1) * w.GRAINS
    arrays = w.Layout(
        cluster_start=_pack(np.searchsorted(cluster[node_order], np.arange(cluster.max(initial=0) + 2))),
        node_in=_pack(order.node_in),
        node_out=_pack(order.node_out),
        slot_link=_pack(order.slot_link),
        limit=limit.astype(np.float32).ravel(),
        move=_movement_records(order, levels, foe_start, watched, np.cumsum([0, *(len(x) for x in ties)])),
        move_f=_coefficients(order, levels),
        foe=_pack([*foe, 0]),
        tie=_pack([*(j for x in ties for j in x), 0]),
    )
    node_mv = order.link_mv[order.node_in]
    return WaveLayout(
        arrays=arrays,
        records=_link_records(order, gates, sink, in_ring, out_ring),
        link=link,
        movement=order.movement,
        gates=gates,
        storage=(net.n_lane * net.length_m / net.spacing_m * w.GRAINS)[link].astype(np.float32),
        block=block,
        n_ring=(n_in, n_out),
        n_watched=int((watched >= 0).sum()),
        most_of_node=tuple(int(np.diff(x).max(initial=1)) for x in (node_mv, order.node_out, order.node_in)),
    )


def _movement_records(order: Order, levels: LevelTables, foe_start: INT, watched: INT, tie_start: INT) -> INDEX:
    records = np.zeros((len(order.movement), int(w.MV)), np.uint32)
    records[:, int(w.SLOT)] = order.mv_slot
    records[:, int(w.ROW)] = levels.row[order.movement]
    records[:, int(w.FOE0)], records[:, int(w.FOE1)] = foe_start[:-1], foe_start[1:]
    records[:, int(w.TIE0)], records[:, int(w.TIE1)] = tie_start[:-1], tie_start[1:]
    records[:, int(w.WATCHED)] = np.where(watched >= 0, watched, w.NONE)
    return records.ravel()


def _coefficients(order: Order, levels: LevelTables) -> NDArray[np.float32]:
    row = levels.row[order.movement]
    give = np.minimum(row + 1, levels.n_row - 1)
    unit = np.stack([levels.most_vps[row], levels.most_vps[give]], axis=1) * (w.GRAINS / FULL)
    pace = levels.pace[order.movement] / w.GRAINS ** np.arange(4)
    return np.concatenate([unit, pace], axis=1).astype(np.float32).ravel()


def _link_records(order: Order, gates: INT, sink: NDArray[np.bool_], in_ring: INT, out_ring: INT) -> INDEX:
    """Links as they start: empty rings, read a lag behind where they are written."""
    records = np.zeros((len(order.link), int(w.LINK)), np.uint32)
    records[:, int(w.MV0)], records[:, int(w.MV1)] = order.link_mv[:-1], order.link_mv[1:]
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


@dataclass(frozen=True, eq=False)
class WaveResult:
    """Delay of each plan; P plans, K links. What still stands at the end counts up to the end."""

    links: tuple[str, ...]
    delay_s: FLOAT  # (P,) all vehicles, waiting outside the network included [veh·s]
    link_delay_s: FLOAT  # (P, K) at the end of each link [veh·s]
    gate_delay_s: FLOAT  # (P, K) outside, before each link [veh·s]
    veh: float

    @property
    def delay_s_per_veh(self) -> FLOAT:
        """Mean delay; shape (P,). [s/veh]"""
        return self.delay_s / max(1.0, self.veh)


class Wave:
    """A network with its flows, ready for any number of plans.

    Parameters
    ----------
    network : RoadNetwork
    demand : Demand or Trips
        Turning flows, or given vehicles: then true turns per 5 minutes, and entries as they come.
    begin_s, end_s : float, optional
        Local seconds after midnight; needed with Trips, default the demand's own. [s]
    warmup_s : float
        Simulated before begin_s at the flows of the first interval, not counted. [s]
    """

    def __init__(
        self,
        network: RoadNetwork,
        demand: Demand | Trips,
        *,
        begin_s: float | None = None,
        end_s: float | None = None,
        warmup_s: float = 0.0,
        parameters: SimParameters = STREET,
    ) -> None:
        self.net, self.flows = inputs_of(network, demand, begin_s=begin_s, end_s=end_s, parameters=parameters)
        self.warmup_s = warmup_s
        flow_vps = movement_flows_vps(self.net, self.flows)
        self.levels = level_tables(self.net, flow_vps)
        self.layout = wave_layout(self.net, self.levels, self.flows, flow_vps)
        self._flow_arrays = self._flows()

    def _flows(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        flows, layout = self.flows, self.layout
        warm = round(self.warmup_s)
        entry_step = max(1, round(flows.entry_step_s))
        entry = flows.entry_vps[:, layout.link[layout.gates]]
        n_warm = -(-warm // entry_step)
        # so that the first real entries begin at a whole step of theirs, the warm-up is that much longer
        entry = np.concatenate([np.repeat(entry[:1], n_warm, axis=0), entry])
        self._warm_steps, self._entry_step = n_warm * entry_step, entry_step
        last = np.round(flows.share_end_s - flows.begin_s).astype(np.int64) + self._warm_steps
        onward = np.maximum(1e-9, 1 - flows.end_share)[:, self.net.mv_link]
        share = np.minimum(1.0, flows.share / onward)  # of those who go on
        return (
            np.ascontiguousarray(share[:, layout.movement], np.float32),
            np.ascontiguousarray(flows.end_share[:, layout.link], np.float32),
            last,
            np.ascontiguousarray(entry * w.GRAINS, np.float32),
        )

    @property
    def n_step(self) -> int:
        """Steps of a run, warm-up included."""
        return self._warm_steps + round(self.flows.end_s - self.flows.begin_s)

    def delays(self, plans: Sequence[TimingPlan]) -> FLOAT:
        """Delay per vehicle of each plan; shape (plans,). [s/veh]"""
        return self.run(plans).delay_s_per_veh

    def run(self, plans: Sequence[TimingPlan]) -> WaveResult:
        """Delay of each plan, by link."""
        parts = [
            self._batch(self.levels.batch(plans[n : n + WIDTH]), len(plans[n : n + WIDTH]))
            for n in range(0, len(plans), WIDTH)
        ]
        n_link = len(self.net.links)
        link = np.concatenate([a for a, _ in parts]) if parts else np.zeros((0, n_link))
        gate = np.concatenate([b for _, b in parts]) if parts else np.zeros((0, n_link))
        return WaveResult(
            links=self.net.links,
            delay_s=link.sum(axis=1) + gate.sum(axis=1),
            link_delay_s=link,
            gate_delay_s=gate,
            veh=self.flows.veh,
        )

    def _batch(self, levels: Levels, n_plan: int) -> tuple[FLOAT, FLOAT]:
        layout = self.layout
        state = self.state(levels)
        self.advance(state, levels)
        link, gate = np.zeros((n_plan, len(layout.link))), np.zeros((n_plan, len(layout.link)))
        link[:, layout.link] = state.rows[int(w.DELAY) :: int(w.LINK_STATE)].T[:n_plan] / w.GRAINS
        gate[:, layout.link[layout.gates]] = state.gate[1 : 2 * len(layout.gates) : 2].T[:n_plan] / w.GRAINS
        return link, gate

    def state(self, levels: Levels) -> w.State:
        """An empty network."""
        layout = self.layout
        records = layout.records.copy()
        clock = records[:, int(w.CLOCK)].astype(np.int64)
        records[:, int(w.STRIDE)] = levels.n_slot
        records[:, int(w.PHASE)] = self.begin_step % levels.cycle_s[clock, 0]
        records[:, int(w.PHASE_END)] = levels.cycle_s[clock, 0]
        rows = row_zeros(len(layout.link) * int(w.LINK_STATE))
        rows[int(w.ROOM) :: int(w.LINK_STATE)] = layout.storage[:, None]
        return w.State(
            link=records.ravel(),
            queue=row_zeros(len(layout.movement)),
            passed=row_zeros(layout.n_watched + 1),
            entered=row_zeros(layout.n_ring[0], np.int16),
            left=row_zeros(layout.n_ring[1], np.int16),
            rows=rows,
            gate=row_zeros(2 * len(layout.gates) + 1),
        )

    @property
    def begin_step(self) -> int:
        """Absolute second of the first step."""
        return round(self.flows.begin_s) - self._warm_steps

    def advance(self, state: w.State, levels: Levels) -> None:
        """Run the whole period from a state."""
        layout = self.layout
        mixed = (levels.cycle_s != levels.cycle_s[:, :1]).any(axis=1)
        level, spare = levels.level, 0
        if mixed.any():
            spare = len(level)
            level = np.concatenate([level, np.zeros((self.levels.n_row * layout.block, WIDTH), np.uint8)])
        n_mv, n_slot, n_link = layout.most_of_node
        work = (row_zeros(n_mv), row_zeros(n_slot * int(w.SLOT_WORK)), row_zeros(n_link))
        w.run(
            layout.arrays, state, level, np.uint64(levels.n_slot), levels.cycle_s, mixed, np.uint64(spare),
            self.begin_step, self.n_step, layout.block, self._warm_steps, self._flow_arrays, self._entry_step, work,
        )  # fmt: skip

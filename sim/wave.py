"""The wave-theory filter: queues, spillback and delay of many plans at once by Newell's link transmission model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
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
from sim.filter_order import INT, Order, walking_order
from sim.parameters import STREET, SimParameters

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
        early = entry[: max(1, round((flows.share_end_s[0] - flows.begin_s) / flows.entry_step_s))]
        entry = np.concatenate([np.repeat(early.mean(axis=0, keepdims=True), n_warm, axis=0), entry])
        # rows of about a minute: whole grains per step, what rounding leaves over goes to the next row
        parts = max(1, entry_step // 60)
        while entry_step % parts:
            parts -= 1
        entry, entry_step = np.repeat(entry, parts, axis=0), entry_step // parts
        grains = np.diff(np.round(np.cumsum(entry * w.GRAINS, axis=0)), axis=0, prepend=0)
        self._warm_steps, self._entry_step = n_warm * parts * entry_step, entry_step
        last = np.round(flows.share_end_s - flows.begin_s).astype(np.int64) + self._warm_steps
        onward = np.maximum(1e-9, 1 - flows.end_share)[:, self.net.mv_link]
        share = np.minimum(1.0, flows.share / onward)  # of those who go on
        return (
            np.ascontiguousarray(share[:, layout.movement], np.float32),
            np.ascontiguousarray(flows.end_share[:, layout.link], np.float32),
            last,
            np.ascontiguousarray(grains, np.float32),
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
            self._batch(self.batch(plans[n : n + WIDTH]), len(plans[n : n + WIDTH]))
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

    def batch(self, plans: Sequence[TimingPlan]) -> Levels:
        """Capacities of up to 16 plans."""
        return self.levels.batch(plans, slots_apart=BLOCK)

    def state(self, levels: Levels) -> w.State:
        """An empty network."""
        layout = self.layout
        records = layout.records.copy()
        clock = records[:, int(w.CLOCK)].astype(np.int64)
        stride, first, cycle = (x[clock] for x in (levels.stride, levels.first, levels.cycle_s[:, 0]))
        records[:, int(w.STRIDE)], records[:, int(w.PHASE_FIRST)] = stride, first
        records[:, int(w.PHASE)] = first + self.begin_step % cycle * stride
        records[:, int(w.PHASE_END)] = first + cycle * stride
        rows = row_zeros(len(layout.link) * int(w.LINK_STATE))
        rows[int(w.ROOM) :: int(w.LINK_STATE)] = layout.storage[:, None]
        return w.State(
            link=records.ravel(),
            queue=row_zeros(len(layout.movement)),
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
        n_mv, n_slot, n_link = (n * BLOCK for n in layout.most_of_node)
        work = w.Work(
            arriving=row_zeros(n_link),
            leaving=row_zeros(n_link),
            sent=row_zeros(n_mv),
            want=row_zeros(n_slot),
            after=row_zeros(layout.most_of_node[0]),
            room=row_zeros(2 * layout.most_of_node[1]),
            gate=row_zeros(2 * layout.most_of_node[1]),
            asked=row_zeros(layout.most_of_node[1]),
            part=row_zeros(2 * layout.most_of_node[1]),
            at=np.empty(WIDTH, np.int64),
        )
        w.run(
            layout.arrays, state, levels, self.begin_step, self.n_step, self._warm_steps,
            self._flow_arrays, self._entry_step, work,
        )  # fmt: skip

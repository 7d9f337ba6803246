"""The cyclic-flow-profile filter: platoons, queues and delay around the cycle, for many plans at once (TRANSYT-like).

Every movement has a profile of arrivals over its cycle. A queue polygon turns it into departures, these feed the next
link, and Robertson's recursion spreads the platoon on its way. Networks with loops are swept until nothing moves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _profile_kernels as c
from sim._level_kernels import FULL
from sim._rows import WIDTH, row_zeros
from sim.filter_inputs import FLOAT, FilterFlows, FilterNetwork, inputs_of, movement_flows_vps
from sim.filter_levels import Levels, LevelTables, level_tables
from sim.filter_order import INT, Order, foe_rows, walking_order
from sim.parameters import STREET, SimParameters

MAX_SWEEPS = 25
SETTLED = 1e-3
"""Sweeps end when no plan's total queue changes by more than this share. [-]"""
TRANSYT_ALPHA, TRANSYT_BETA = 0.35, 0.8


@dataclass(frozen=True, slots=True)
class Dispersion:
    """How platoons spread over a travel time T: Robertson's recursion with head βT and factor F = 1 / (1 + αβT).

    Without alpha both follow from the spread of drivers' speeds: the standard deviation of travel times is
    `speed_spread` · T (see `robertson`). TRANSYT's own values (0.35, 0.8) are of streets with parking and friction.
    """

    alpha: float | None = None
    beta: float = TRANSYT_BETA
    speed_spread: float = 0.07

    def of(self, travel_s: FLOAT) -> tuple[FLOAT, FLOAT]:
        """Lag of the platoon's head [s] and F [-] for travel times [s]."""
        if self.alpha is None:
            _, beta, factor = robertson(travel_s, np.maximum(1e-3, self.speed_spread * travel_s), 1.0)
            return beta * travel_s, factor
        return self.beta * travel_s, 1 / (1 + self.alpha * self.beta * travel_s)


TRANSYT = Dispersion(alpha=TRANSYT_ALPHA)


def robertson(travel_s: FLOAT, sd_s: FLOAT, step_s: float) -> tuple[FLOAT, FLOAT, FLOAT]:
    """Robertson's parameters from the mean and standard deviation of travel times, for any step.

    Parameters
    ----------
    travel_s, sd_s : ndarray or float
        Mean and standard deviation of the travel time. [s]
    step_s : float
        Step of the recursion. [s]

    Returns
    -------
    alpha, beta, factor : ndarray
        q_down(t) = factor · q_up(t − β T_a) + (1 − factor) · q_down(t − step). [-]

    Notes
    -----
    β = (2 T_a + n − √(n² + 4σ²)) / (2 T_a), α = (1 − β) / β, F = n (√(n² + 4σ²) − n) / (2σ²) [1]_.

    References
    ----------
    .. [1] M. Yu and M. Van Aerde, "Implementing TRANSYT's macroparticle simulation in microscopic simulation
       environments", 1995; worked example: NPTEL 543 Traffic engineering, platoon dispersion.
    """
    root = np.sqrt(step_s**2 + 4 * np.square(sd_s))
    beta = (2 * travel_s + step_s - root) / (2 * travel_s)
    return (1 - beta) / beta, beta, step_s * (root - step_s) / (2 * np.square(sd_s))


def disperse(upstream: FLOAT, factor: float, lag_steps: int) -> FLOAT:
    """One platoon down a link, by Robertson's recursion on a line (not around a cycle).

    Parameters
    ----------
    upstream : ndarray, shape (T,)
        Vehicles per step.
    factor : float
        F, in (0, 1]; 1 shifts the platoon and leaves it as it is. [-]
    lag_steps : int
        Steps until the first arrive.

    Returns
    -------
    ndarray, shape (T,)
        Vehicles per step; what arrives later is cut off.
    """
    out, y = np.zeros(len(upstream)), 0.0
    for t in range(len(upstream)):
        came = upstream[t - lag_steps] if t >= lag_steps else 0.0
        y = out[t] = factor * came + (1 - factor) * y
    return out


@dataclass(frozen=True, eq=False)
class ProfileLayout:
    """The kernel's arrays; movements of `group` share lanes."""

    arrays: c.Layout
    order: Order
    n_watched: int
    start_vps: NDArray[np.float32]  # (K,) mean inflow of each link in walking order
    group: INT  # (M,) movements whose lanes hang together, in walking order


def profile_layout(
    net: FilterNetwork, levels: LevelTables, flows: FilterFlows, flow_vps: FLOAT, dispersion: Dispersion
) -> ProfileLayout:
    """Lay a network out for the kernel."""
    order = walking_order(net, _node_order(net, flow_vps))
    link, movement = order.link, order.movement
    share, end_share = flows.mean_share()
    end_share = end_share[link]
    from_link = order.link_rank[net.mv_link[movement]]
    onward = share[movement] / np.maximum(1e-9, 1 - end_share[from_link])
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
    values[:, int(c.SHARE)] = np.minimum(1.0, onward)
    node_clock = _node_clocks(net)
    own = np.where(order.clock < len(net.controllers), order.clock, node_clock[net.to_node[link]])
    clock = np.stack([own, node_clock[net.from_node[link]]], axis=1)
    entry = flows.mean_entry_vps()[link]
    inflow = np.bincount(order.mv_target, weights=flow_vps[movement], minlength=len(link))
    arrays = c.Layout(
        node_in=order.node_in.astype(np.uint32),
        link_mv=order.link_mv.astype(np.uint32),
        clock=clock,
        level_clock=order.clock,
        lag_s=np.round(lag_s[link]).astype(np.int64),
        smoothing=factor[link].astype(np.float32),
        entry_vps=entry.astype(np.float32),
        end_share=end_share.astype(np.float32),
        move=records.ravel(),
        move_f=values.ravel(),
        foe=np.append(foe, 0).astype(np.uint32),
    )
    return ProfileLayout(
        arrays=arrays,
        order=order,
        n_watched=int((watched >= 0).sum()),
        start_vps=inflow.astype(np.float32),
        group=_groups(net)[movement],
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


def random_delay_s(flow_vps: FLOAT, capacity_vps: FLOAT, period_s: float) -> FLOAT:
    """Mean delay by random arrivals and oversaturation over a period; any shape. [s/veh]

    The incremental delay of HCM 2000 for fixed-time signals without upstream filtering:
    d2 = 900 T [(X − 1) + √((X − 1)² + 8 k I X / (c T))], k = 0.5, I = 1, T in hours and c in veh/h.
    """
    hours, vph = period_s / 3600, 3600 * np.maximum(capacity_vps, 1e-6)
    excess = 3600 * flow_vps / vph - 1
    return np.asarray(900 * hours * (excess + np.sqrt(excess**2 + 4 * (excess + 1) / (vph * hours))))


@dataclass(frozen=True, eq=False)
class ProfileResult:
    """Delay of each plan over the period; P plans, K links, M movements."""

    links: tuple[str, ...]
    delay_s: FLOAT  # (P,) all vehicles [veh·s]
    link_delay_s: FLOAT  # (P, K) at the end of each link [veh·s]
    saturation: FLOAT  # (P, M) v/c, movements as in the FilterNetwork [-]
    veh: float
    sweeps: int

    @property
    def delay_s_per_veh(self) -> FLOAT:
        """Mean delay; shape (P,). [s/veh]"""
        return self.delay_s / max(1.0, self.veh)


@dataclass(frozen=True, eq=False)
class Settled:
    """Profiles of one plan that nothing moves any more: where the sweeps of plans near it may start."""

    inflow: NDArray[np.float32]  # (K × slots,)
    passed: NDArray[np.float32]
    cycle_s: INT  # (clocks,)


class Profile:
    """A network with its mean flows over a period, ready for any number of plans.

    Parameters
    ----------
    network : RoadNetwork
    demand : Demand or Trips
        Turning flows, or given vehicles.
    begin_s, end_s : float, optional
        Local seconds after midnight; needed with Trips, default the demand's own. [s]
    dispersion : Dispersion
        How platoons spread; default by drivers' speeds, as in the queue simulation.
    """

    def __init__(
        self,
        network: RoadNetwork,
        demand: Demand | Trips,
        *,
        begin_s: float | None = None,
        end_s: float | None = None,
        parameters: SimParameters = STREET,
        dispersion: Dispersion | None = None,
    ) -> None:
        self.net, self.flows = inputs_of(network, demand, begin_s=begin_s, end_s=end_s, parameters=parameters)
        self.flow_vps = movement_flows_vps(self.net, self.flows)
        self.levels = level_tables(self.net, self.flow_vps)
        spread = Dispersion(speed_spread=parameters.speed_spread) if dispersion is None else dispersion
        self.layout = profile_layout(self.net, self.levels, self.flows, self.flow_vps, spread)

    def delays(self, plans: Sequence[TimingPlan], *, near: Settled | None = None) -> FLOAT:
        """Delay per vehicle of each plan; shape (plans,). [s/veh]"""
        return self.run(plans, near=near).delay_s_per_veh

    def run(
        self, plans: Sequence[TimingPlan], *, near: Settled | None = None, max_sweeps: int = MAX_SWEEPS
    ) -> ProfileResult:
        """Delay of each plan, by link.

        Parameters
        ----------
        near : Settled, optional
            Profiles of a plan like these: fewer sweeps are needed.
        max_sweeps : int
            Sweeps end earlier when queues have settled.
        """
        n_link, n_movement = len(self.net.links), len(self.net.movements)
        link, load, sweeps = np.zeros((len(plans), n_link)), np.zeros((len(plans), n_movement)), 0
        for first in range(0, len(plans), WIDTH):
            some = plans[first : first + WIDTH]
            state, used = self.settle(self.levels.batch(some), near, max_sweeps)
            rows = slice(first, first + len(some))
            link[rows], load[rows] = self._measured(state, len(some))
            sweeps = max(sweeps, used)
        return ProfileResult(
            links=self.net.links,
            delay_s=link.sum(axis=1),
            link_delay_s=link,
            saturation=load,
            veh=self.flows.veh,
            sweeps=sweeps,
        )

    def settled(self, plan: TimingPlan) -> Settled:
        """Profiles of one plan, to start the sweeps of plans near it from."""
        levels = self.levels.batch([plan])
        state, _ = self.settle(levels, None, MAX_SWEEPS)
        return Settled(state.inflow[:, 0].copy(), state.passed[:, 0].copy(), levels.cycle_s[:, 0].copy())

    def settle(self, levels: Levels, near: Settled | None, max_sweeps: int) -> tuple[c.State, int]:
        """Sweep until nothing moves; returns the profiles and the number of sweeps."""
        layout, n = self.layout, levels.n_slot
        state = c.State(
            inflow=row_zeros(len(layout.start_vps) * n),
            passed=row_zeros(layout.n_watched * n + 1),
            result=row_zeros(len(layout.order.movement) * int(c.RESULT)),
        )
        alike = levels.alike
        if near is not None and alike.all() and (near.cycle_s == levels.cycle_s[:, 0]).all():
            state.inflow[:] = near.inflow[:, None]
            state.passed[:] = near.passed[:, None]
        else:
            state.inflow[:] = np.repeat(layout.start_vps, n)[:, None]
        work = (row_zeros(n), row_zeros(n), row_zeros(n), row_zeros(1), row_zeros(1))
        before = np.zeros(WIDTH)
        for done in range(1, max_sweeps + 1):
            c.sweep(layout.arrays, state, levels, np.uint64(n), alike, work)
            total = state.result[int(c.QUEUE) :: int(c.RESULT)].sum(axis=0, dtype=np.float64)
            if done > 1 and (np.abs(total - before) <= SETTLED * np.maximum(total, 1e-9)).all():
                break
            before = total
        return state, done

    def _measured(self, state: c.State, n_plan: int) -> tuple[FLOAT, FLOAT]:
        """Delay by link (P, K) [veh·s] and v/c by movement (P, M)."""
        order, period_s = self.layout.order, self.flows.end_s - self.flows.begin_s
        queue, capacity, arrivals = (
            state.result[int(row) :: int(c.RESULT), :n_plan].astype(np.float64)
            for row in (c.QUEUE, c.CAPACITY, c.ARRIVALS)
        )
        n_group = int(self.layout.group.max(initial=-1)) + 1
        flow, most = np.zeros((n_group, n_plan)), np.zeros((n_group, n_plan))
        np.add.at(flow, self.layout.group, arrivals)
        np.add.at(most, self.layout.group, capacity)
        grown = random_delay_s(flow, most, period_s)[self.layout.group] * arrivals
        link, load = np.zeros((len(order.link), n_plan)), np.zeros((len(order.movement), n_plan))
        np.add.at(link, self.net.mv_link[order.movement], (queue + grown) * period_s)
        load[order.movement] = arrivals / np.maximum(capacity, 1e-9)
        return link.T, load.T

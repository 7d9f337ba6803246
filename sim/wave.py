"""The wave-theory filter: queues, spillback and delay of many plans at once by Newell's link transmission model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _wave_kernels as w
from sim._rows import WIDTH, row_zeros
from sim.filter_flows import inputs_of, movement_flows_vps
from sim.filter_inputs import FLOAT
from sim.filter_levels import Levels, level_tables
from sim.parameters import STREET, SimParameters
from sim.wave_layout import BLOCK, wave_layout


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

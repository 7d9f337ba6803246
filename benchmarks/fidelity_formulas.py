"""Network delay by closed forms: every lane before a signal on its own, arrivals as if nobody stood upstream.

What an engineer does with a table of volumes: turning flows spread evenly over the lanes of each turn, saturation flow
from headway and speed, effective green from the program, and then Webster's delay for the whole period or the HCM's
quarter hour by quarter hour, each with the queue that the one before left; summed over vehicles.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.demand import Demand
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from optimizer.flows import HeadFlows, permitted_share
from sim.hcm import control_delay
from sim.parameters import SUMO
from sim.webster import webster_delay_s

WEBSTER_UP_TO = 0.95
"""Webster's formula has no value at v/c 1; above this the HCM's stands in. [-]"""
LEAST_SHARE = 0.01
PERIOD_S = 900.0
FLOAT = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn on one lane: its link index, its flow there per quarter hour, and the pace at which its queue leaves."""

    index: int
    flows_vph: FLOAT  # (T,)
    pace_s: float

    @property
    def flow_vph(self) -> float:
        """Mean over the quarter hours. [veh/h]"""
        return float(self.flows_vph.mean())


@dataclass(frozen=True, slots=True)
class _Lane:
    controller_id: str
    turns: tuple[_Turn, ...]


class Formulas:
    """Closed forms for a network under a demand."""

    def __init__(self, network: RoadNetwork, demand: Demand, *, spacing_m: float) -> None:
        self.network = network
        length_s = float(demand.end_s[-1] - demand.begin_s[0])
        n = max(1, round(length_s / PERIOD_S))
        period = np.minimum(n * (demand.begin_s - demand.begin_s[0]) // length_s, n - 1).astype(int)
        self.period_h = length_s / n / 3600
        veh = np.stack([demand.veh[:, period == t].sum(axis=1) for t in range(n)], axis=1)
        flows = {pair: row / self.period_h for pair, row in zip(demand.pairs, veh, strict=True)}
        self.entered_vph = float(sum(vph.mean() for (origin, _), vph in flows.items() if not origin))
        self.n_period = n
        self.lanes = self._lanes(flows, spacing_m)
        self.heads = {c: self._head_flows(c) for c in network.controllers}

    def _lanes(self, flows_vph: dict[tuple[str, str], FLOAT], spacing_m: float) -> list[_Lane]:
        n_lanes: dict[tuple[str, str], set[int]] = defaultdict(set)
        chosen = [c for c in self.network.connections if c.kind == "general" and c.controller_id is not None]
        for c in chosen:
            n_lanes[c.from_link, c.to_link].add(c.from_lane)
        turns: dict[tuple[str, int, str], list[_Turn]] = defaultdict(list)
        seen: set[tuple[str, int, str]] = set()
        for c in chosen:
            pair = (c.from_link, c.to_link)
            if (c.from_link, c.from_lane, c.to_link) in seen or c.link_index is None or c.controller_id is None:
                continue
            seen.add((c.from_link, c.from_lane, c.to_link))
            speed_mps = min(c.speed_mps, self.network.links[c.from_link].lanes[c.from_lane].speed_mps)
            pace_s = SUMO.reaction_headway_s + spacing_m / speed_mps
            here_vph = flows_vph.get(pair, np.zeros(self.n_period)) / len(n_lanes[pair])
            turns[c.from_link, c.from_lane, c.controller_id].append(_Turn(c.link_index, here_vph, pace_s))
        return [_Lane(key[2], tuple(mine)) for key, mine in turns.items() if sum(t.flow_vph for t in mine) > 0]

    def _head_flows(self, controller_id: str) -> HeadFlows:
        """What stands against permitted turns."""
        n = self.network.controllers[controller_id].n_heads
        approach, saturation = np.zeros(n), np.full(n, 1800.0)
        for lane in self.lanes:
            for turn in lane.turns if lane.controller_id == controller_id else ():
                approach[turn.index] += turn.flow_vph
                saturation[turn.index] = 3600 / turn.pace_s
        return HeadFlows(flow_vph=approach.copy(), saturation_vph=saturation, approach_vph=approach)

    def delay_s_per_veh(self, plan: TimingPlan, name: Literal["webster", "hcm"]) -> float:
        """Delay at all signals over all vehicles that enter the network. [s/veh]"""
        shares = {c: self._green_shares(program) for c, program in plan.controllers.items()}
        rows = [self._lane_row(lane, plan.controllers[lane.controller_id], shares) for lane in self.lanes]
        cycle_s, share, saturation_vph = np.array(rows).T
        flows_vph = np.array([sum(turn.flows_vph for turn in lane.turns) for lane in self.lanes])
        of = self._webster if name == "webster" else self._hcm
        return of(cycle_s, share, saturation_vph, flows_vph) / max(1.0, self.entered_vph)

    def _hcm(self, cycle_s: FLOAT, share: FLOAT, saturation_vph: FLOAT, flows_vph: FLOAT) -> float:
        """Delay per hour, mean over the quarter hours. [veh]"""
        total, queue_veh = 0.0, np.zeros(len(cycle_s))
        for flow_vph in flows_vph.T:
            delay = control_delay(
                cycle_s=cycle_s,
                green_s=share * cycle_s,
                flow_vph=flow_vph,
                capacity_vph=share * saturation_vph,
                period_h=self.period_h,
                queue_veh=queue_veh,
            )
            total += float((delay.total_s * flow_vph).sum()) / flows_vph.shape[1]
            queue_veh = delay.queue_after_veh
        return total

    def _webster(self, cycle_s: FLOAT, share: FLOAT, saturation_vph: FLOAT, flows_vph: FLOAT) -> float:
        """Delay per hour at the mean flows. [veh]"""
        flow = flows_vph.mean(axis=1)
        delay = control_delay(
            cycle_s=cycle_s,
            green_s=share * cycle_s,
            flow_vph=flow,
            capacity_vph=share * saturation_vph,
            period_h=self.period_h * self.n_period,
        ).total_s
        low = flow < WEBSTER_UP_TO * share * saturation_vph
        delay[low] = webster_delay_s(cycle_s[low], (share * cycle_s)[low], flow[low], saturation_vph[low])
        return float((delay * flow).sum())

    def _green_shares(self, program: ControllerPlan) -> dict[int, float]:
        """Share of the cycle in which each link index is as good as green. [-]"""
        controller, heads = self.network.controllers[program.controller_id], self.heads[program.controller_id]
        out: dict[int, float] = defaultdict(float)
        for interval in program.intervals:
            for k, letter in enumerate(interval.state):
                if letter == "G":
                    out[k] += interval.duration_s / program.cycle_s
                elif letter in "gsoO":
                    weight = permitted_share(controller, heads, interval.state, k, SUMO)
                    out[k] += weight * interval.duration_s / program.cycle_s
        return out

    @staticmethod
    def _lane_row(
        lane: _Lane, program: ControllerPlan, shares: dict[str, dict[int, float]]
    ) -> tuple[float, float, float]:
        """Cycle [s], green share [-] and saturation flow [veh/h] of a lane: its turns one behind the other."""
        flow_vph = sum(turn.flow_vph for turn in lane.turns)
        mine = shares[lane.controller_id]
        pace_s = sum(turn.flow_vph * turn.pace_s for turn in lane.turns) / flow_vph
        # turns with little green hold up the others: the time each vehicle needs adds up
        need = sum(turn.flow_vph / max(LEAST_SHARE, mine.get(turn.index, 0.0)) for turn in lane.turns) / flow_vph
        return program.cycle_s, float(np.clip(1 / need, LEAST_SHARE, 1.0)), 3600 / pace_s

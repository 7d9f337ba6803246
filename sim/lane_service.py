"""What the lanes of a signal can serve in every piece of the cycle: protected, through gaps, shared.

Permitted turns wait while the queue they yield to leaves, then use gaps; a few sneak out at the end. Flows of a
movement spread over its lanes so that those that have it are equally full.

References
----------
.. [1] Transportation Research Board, "Highway Capacity Manual", 7th edition, chapter 31, section 3 (permitted lefts,
   equation 31-100, sneakers) and section 2 (lane flows, equation 31-46).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.controllers import Controller
from network_data.network import Connection, RoadNetwork
from network_data.plans import ControllerPlan
from sim import effective_greens as greens
from sim import saturation_hcm as hcm
from sim.effective_greens import Pieces
from sim.fifo import fifo_rates
from sim.queue_polygon import queue_polygon
from sim.saturation import LaneSaturation, SaturationSettings, walk_factor

FLOAT = NDArray[np.float64]
Pair = tuple[str, str]
BALANCE_ROUNDS = 30
SETTLE_ROUNDS = 5
LEAST_VPS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedLane:
    """A lane before a signal: its ways (one connection for each link it leads to), saturation flow, and lane use."""

    link: str
    lane: int
    ways: tuple[int, ...]
    saturation: LaneSaturation
    use: float


@dataclass(frozen=True, eq=False)
class SignalService:
    """The lanes of one signal under one program, by piece of the cycle."""

    pieces: Pieces
    flow_vps: dict[int, float]  # over each way
    way_vps: dict[int, FLOAT]  # way → (K,) what it serves if all its lane's vehicles want it
    service_vps: FLOAT  # (lanes, K)
    waits: frozenset[int]  # ways that use gaps at some time
    on_red: frozenset[int]  # ways that turn on red at some time


class LaneService:
    """Works out `SignalService` for the lanes of a controller and a program.

    Parameters
    ----------
    network, controller, program
        The signal.
    lanes : sequence of ServedLane
        All lanes before it.
    flows_vps : mapping
        Flow from link to link. [veh/s]
    settings : SaturationSettings
        The manual, and people on crossings.
    start_up_s, extension_s : float
        Lost after red, won in yellow. [s]
    """

    def __init__(
        self,
        network: RoadNetwork,
        controller: Controller,
        program: ControllerPlan,
        lanes: Sequence[ServedLane],
        flows_vps: Mapping[Pair, float],
        settings: SaturationSettings,
        *,
        start_up_s: float,
        extension_s: float,
    ) -> None:
        self.network, self.program, self.lanes, self.settings = network, program, tuple(lanes), settings
        self.served = [
            greens.served_times(program, k, start_up_s=start_up_s, extension_s=extension_s)
            for k in range(controller.n_heads)
        ]
        self.lane_of = {way: n for n, lane in enumerate(self.lanes) for way in lane.ways}
        by_way = {self._key(i): i for i in self.lane_of}
        self.foes: dict[int, tuple[int, ...]] = {}
        for i in self.lane_of:
            found = (by_way.get(self._key(j), i) for j in network.connections[i].yields_to)
            self.foes[i] = tuple(dict.fromkeys(j for j in found if j != i))
        self.ways_of: dict[Pair, list[int]] = defaultdict(list)
        for i in self.lane_of:
            c = network.connections[i]
            self.ways_of[c.from_link, c.to_link].append(i)
        self.flows_vps = {pair: float(flows_vps.get(pair, 0.0)) for pair in self.ways_of}

    def _key(self, i: int) -> tuple[str, int, str]:
        c = self.network.connections[i]
        return c.from_link, c.from_lane, c.to_link

    def solve(self) -> SignalService:
        """In two passes: the second knows when the queues that permitted turns yield to are gone."""
        pieces = greens.cut(self.program, self.served)
        flow = {i: self.flows_vps[pair] / len(ways) for pair, ways in self.ways_of.items() for i in ways}
        rates = self._way_rates(pieces, flow, {})
        flow, service = self._settled(pieces, rates)
        spans = self._queue_spans(pieces, flow, service)
        pieces = greens.cut(self.program, self.served, np.array([t for span in spans.values() for t in span.ravel()]))
        queued = {n: _inside(pieces, span, self.program.cycle_s) for n, span in spans.items()}
        rates = self._way_rates(pieces, flow, queued)
        flow, service = self._settled(pieces, rates)
        modes = {i: self._mode(pieces, self.network.connections[i]) for i in self.lane_of}
        return SignalService(
            pieces=pieces,
            flow_vps=flow,
            way_vps=rates,
            service_vps=service,
            waits=frozenset(i for i, m in modes.items() if self.foes[i] and (m == greens.PERMITTED).any()),
            on_red=frozenset(i for i, m in modes.items() if (m == greens.TURN_ON_RED).any()),
        )

    def _mode(self, pieces: Pieces, c: Connection) -> NDArray[np.int8]:
        if c.link_index is None:
            return np.full(len(pieces.piece_s), greens.PERMITTED if c.yields_to else greens.PROTECTED, np.int8)
        return np.asarray(pieces.mode[c.link_index], np.int8)

    def _way_rates(
        self, pieces: Pieces, flow: Mapping[int, float], queued: Mapping[int, NDArray[np.bool_]]
    ) -> dict[int, FLOAT]:
        return {i: self._way_rate(pieces, i, flow, queued) for i in self.lane_of}

    def _way_rate(
        self, pieces: Pieces, i: int, flow: Mapping[int, float], queued: Mapping[int, NDArray[np.bool_]]
    ) -> FLOAT:
        """What way i would serve in each piece if all its lane's vehicles wanted it. [veh/s]"""
        c, lane = self.network.connections[i], self.lanes[self.lane_of[i]]
        through_vps = lane.saturation.through_vph * lane.use / 3600
        full_vps = through_vps / lane.saturation.equivalents[i]
        mode = self._mode(pieces, c)
        against_vps, held, opposed = np.zeros(len(mode)), np.zeros(len(mode), bool), np.zeros(len(mode), bool)
        for j in self.foes[i]:
            other = self._mode(pieces, self.network.connections[j])
            going = (other == greens.PROTECTED) | (other == greens.PERMITTED)
            against_vps += np.where(going, flow[j], 0.0)
            opposed |= going
            if self.lane_of[j] in queued:
                held |= (other == greens.PROTECTED) & queued[self.lane_of[j]] & (flow[j] > 0)
        gaps_vps = hcm.permitted_vph(against_vps * 3600) / 3600 * through_vps * 3600 / self.settings.base
        by_gaps = np.where(held, 0.0, np.where(opposed, np.minimum(full_vps, gaps_vps), full_vps))
        waits = (mode == greens.PERMITTED) | (mode == greens.TURN_ON_RED)
        rate = np.select([mode == greens.PROTECTED, waits], [np.full(len(mode), full_vps), by_gaps], 0.0)
        rate *= self._walk_factor(pieces, c, lane, rate > 0, waits & held, float(against_vps.max(initial=0.0)))
        if self.foes[i]:
            rate += np.where(mode == greens.SNEAK, hcm.SNEAKERS / greens.SNEAK_S, 0.0)
        served_veh = float((rate * pieces.piece_s).sum())
        if waits.any() and served_veh < hcm.SNEAKERS:  # held back all the time, a few still get out
            rate = np.where(waits, rate + (hcm.SNEAKERS - served_veh) / float(pieces.piece_s[waits].sum()), rate)
        return rate

    def _walk_factor(
        self,
        pieces: Pieces,
        c: Connection,
        lane: ServedLane,
        moves: NDArray[np.bool_],
        held: NDArray[np.bool_],
        against_vps: float,
    ) -> float:
        crossings = [self.network.crossings[x] for x in c.yields_to_crossings]
        indices = tuple(k for x in crossings for k in x.link_indices if k < pieces.mode.shape[0])
        conditions = self.settings.of(lane.link, lane.lane)
        if not indices or conditions.walkers_per_h <= 0:
            return 1.0
        walking = greens.walk_times(self.program, pieces, indices)
        green_s = float(pieces.piece_s[moves | held].sum())
        return walk_factor(
            c, conditions, self.settings.standard,
            exit_lanes=sum(x.kind == "general" for x in self.network.links[c.to_link].lanes),
            cycle_s=self.program.cycle_s, green_s=green_s,
            walk_s=min(green_s, float(pieces.piece_s[walking & (moves | held)].sum())),
            blocked_s=float(pieces.piece_s[held].sum()), opposing_vph=against_vps * 3600,
        )  # fmt: skip

    def _lane_rates(self, pieces: Pieces, rates: Mapping[int, FLOAT], flow: Mapping[int, float]) -> FLOAT:
        out = []
        for lane in self.lanes:
            way_vps = np.array([rates[i] for i in lane.ways])
            shares = self.shares(lane, flow) * (way_vps > 0).any(axis=1)  # nobody waits for a way that never opens
            total = shares.sum()
            out.append(
                fifo_rates(pieces.piece_s, way_vps, shares / total) if total > 0 else np.zeros(len(pieces.piece_s))
            )
        return np.array(out)

    @staticmethod
    def shares(lane: ServedLane, flow_vps: Mapping[int, float]) -> FLOAT:
        """Share of each way in the lane's flow; all alike where nobody comes. [-]"""
        flow = np.array([flow_vps[i] for i in lane.ways])
        total = flow.sum()
        return flow / total if total > LEAST_VPS else np.full(len(flow), 1 / len(flow))

    def _queue_spans(self, pieces: Pieces, flow: Mapping[int, float], service: FLOAT) -> dict[int, FLOAT]:
        """Lane → (start, end) of the times with a queue, one row per piece with some. [s]"""
        arrival = np.array([sum(flow[i] for i in lane.ways) for lane in self.lanes])
        some = np.flatnonzero((arrival > LEAST_VPS) & ((service * pieces.piece_s).sum(1) > LEAST_VPS))
        if not len(some):
            return {}
        polygon = queue_polygon(
            pieces.piece_s, np.repeat(arrival[some, None], len(pieces.piece_s), axis=1), service[some]
        )
        out = {}
        for row, n in enumerate(some):
            long = polygon.cleared_s[row] > 1e-6
            starts = pieces.starts_s[long]
            out[int(n)] = np.stack([starts, starts + polygon.cleared_s[row, long]], axis=1)
        return out

    def _settled(self, pieces: Pieces, rates: Mapping[int, FLOAT]) -> tuple[dict[int, float], FLOAT]:
        """Flows that fill the lanes evenly, and what the lanes serve with them.

        Vehicles of a lane that wait for different greens hold each other up: then it is fuller than its ways one by one
        say, and is counted so in the next round.
        """
        cycle_s = float(pieces.piece_s.sum())
        alone = {i: max(LEAST_VPS, float((r * pieces.piece_s).sum()) / cycle_s) for i, r in rates.items()}
        hold_up = np.ones(len(self.lanes))
        for n in range(SETTLE_ROUNDS):
            flow = self._balanced({i: c / hold_up[self.lane_of[i]] for i, c in alone.items()})
            service = self._lane_rates(pieces, rates, flow)
            if n + 1 == SETTLE_ROUNDS or not any(len(ways) > 1 for ways in self.ways_of.values()):
                break
            supply = (service * pieces.piece_s).sum(1) / cycle_s
            one_by_one = np.array([sum(flow[i] / alone[i] for i in lane.ways) for lane in self.lanes])
            together = np.array([sum(flow[i] for i in lane.ways) for lane in self.lanes]) / np.maximum(
                LEAST_VPS, supply
            )
            new = np.where(one_by_one > 1e-6, together / np.maximum(one_by_one, 1e-6), 1.0)
            hold_up = np.sqrt(hold_up * np.clip(new, 1.0, 100.0))
        return flow, service

    def _balanced(self, capacity: Mapping[int, float]) -> dict[int, float]:
        """Flows over the ways, every movement over those of its lanes that are least full."""
        flow = {i: self.flows_vps[pair] / len(ways) for pair, ways in self.ways_of.items() for i in ways}
        full = np.zeros(len(self.lanes))
        for i, v in flow.items():
            full[self.lane_of[i]] += v / capacity[i]
        shared = [ways for pair, ways in self.ways_of.items() if len(ways) > 1 and self.flows_vps[pair] > 0]
        for _ in range(BALANCE_ROUNDS):
            moved = 0.0
            for ways in shared:
                lanes, c = np.array([self.lane_of[i] for i in ways]), np.array([capacity[i] for i in ways])
                mine = np.array([flow[i] for i in ways])
                others = full[lanes] - mine / c
                new = _filled(others, c, float(mine.sum()))
                moved = max(moved, float(np.abs(new - mine).max()))
                full[lanes] = others + new / c
                flow.update(zip(ways, new.tolist(), strict=True))
            if moved < LEAST_VPS:
                break
        return flow


def _filled(others: FLOAT, capacity: FLOAT, total: float) -> FLOAT:
    """Pour a flow over lanes that are already so full, up to one common level."""
    order = np.argsort(others, kind="stable")
    o, c = others[order], capacity[order]
    levels = (total + np.cumsum(o * c)) / np.cumsum(c)
    last = int(np.flatnonzero(levels > o)[-1]) if (levels > o).any() else 0
    return np.asarray(np.maximum(0.0, levels[last] - others) * capacity)


def _inside(pieces: Pieces, spans: FLOAT, cycle_s: float) -> NDArray[np.bool_]:
    """Pieces whose middle lies in one of the spans."""
    middle = (pieces.starts_s + pieces.piece_s / 2)[:, None]
    return np.asarray((((middle - spans[:, 0]) % cycle_s) < spans[:, 1] - spans[:, 0]).any(axis=1), bool)

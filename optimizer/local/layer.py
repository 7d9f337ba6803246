"""The local layer of a whole network in its strongest mode: once a second every signal that may change looks ahead."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from optimizer.local.estimate import Estimate, Outlook
from optimizer.local.layout import layout_of
from optimizer.local.lookahead import Beyond, LookAhead, LookAheadSettings
from optimizer.local.runner import Runner
from optimizer.local.signal_model import signal_model
from optimizer.local.spillback import Spillback
from optimizer.local.stage_pool import StagePool
from optimizer.local.standing import Service, Standing

UNLIKELY_S = 1e29
LEAST_SEEN = 0.8
"""A signal looks ahead where so many of its lanes have a loop at the stop line; elsewhere the plan knows more. [-]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDecision:
    """What one signal decided in one second.

    `stage` comes next (the standing one: stay); `candidates` holds the cost of going to each stage at once, of the
    standing one that of staying a while [veh·s], None where it is not among the best; `inputs` is the hash of queues,
    arrivals, room further on, what lanes discharge and the standing stage.
    """

    controller_id: str
    stage: int
    candidates: tuple[float | None, ...]
    reason: str
    inputs: str
    ms: float


class LookAheadLayer:
    """Estimates queues from loops and decides for every signal.

    Parameters
    ----------
    network : RoadNetwork
        The network.
    detectors : sequence of Detector
        Loops, in the order of the observations to come.
    pools : mapping
        Controller id → its stages.
    settings : LookAheadSettings, optional
        How far and how thoroughly.
    clock : callable
        Gives CPU seconds, for the log only.

    Attributes
    ----------
    blind : frozenset of str
        Signals of which loops tell too little to look ahead.
    """

    def __init__(
        self,
        network: RoadNetwork,
        detectors: Sequence[Detector],
        pools: Mapping[str, StagePool],
        settings: LookAheadSettings | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.settings, self._clock = settings or LookAheadSettings(), clock
        self.layout = layout_of(network, detectors)
        wanted = {x: pool for x, pool in pools.items() if self.layout.lanes_at.get(x) and len(pool.stages) > 1}
        self.models = {x: signal_model(self.layout, pool) for x, pool in wanted.items()}
        self._search = {x: LookAhead(model, self.settings) for x, model in self.models.items()}
        self.estimate = Estimate(self.layout, self.settings.horizon_s, detectors)
        # without a loop there who has left is reckoned only, and nothing ever corrects it
        seen = np.array([lane.stopbar >= 0 for lane in self.layout.lanes])
        self.blind = frozenset(x for x, model in self.models.items() if seen[model.lanes].mean() < LEAST_SEEN)
        self._release = np.zeros((self.settings.horizon_s, len(self.layout.lanes)))
        self.spillback = Spillback(self.layout, detectors, self.settings.horizon_s)
        self.standing = Standing(self.layout)
        self._open = np.zeros(len(self.layout.lanes), np.bool_)
        self._open_of: dict[tuple[str, str], NDArray[np.bool_]] = {}
        self._free = np.zeros(len(self.layout.lanes), np.bool_)
        self._free_of: dict[tuple[str, str], NDArray[np.bool_]] = {}
        self._stopbar = np.array([lane.stopbar for lane in self.layout.lanes])
        places = {(self.layout.approaches[lane.approach], lane.lane): g for g, lane in enumerate(self.layout.lanes)}
        self._lane_of_loop = np.array([places.get((d.link_id, d.lane), -1) for d in detectors], np.int64)
        self.outlook = self.estimate.outlook()
        self._compile(detectors)

    def _compile(self, detectors: Sequence[Detector]) -> None:
        """Call every kernel once, so that the first second takes no longer than the others."""
        n, rare = len(detectors), Estimate(self.layout, self.settings.horizon_s, detectors)
        nothing = Observation(
            time_s=1.0,
            interval_s=1.0,
            detector_ids=tuple(d.id for d in detectors),
            count_veh=np.zeros(n, np.float32),
            occupancy=np.zeros(n, np.float32),
            health=np.zeros(n, np.uint8),
        )
        rare.update(nothing, self._open)
        outlook = rare.outlook()
        rare.announce(self._release, outlook)
        for x, model in list(self.models.items())[:1]:
            empty = Outlook(outlook.queue_veh[model.lanes], np.ascontiguousarray(outlook.arrival_veh[:, model.lanes]))
            self._search[x].choose(empty, 0, np.zeros(len(model.hold_s), np.int64))

    def observe(self, seen: Observation, states: Mapping[str, str]) -> None:
        """Take in a second: what loops told, and the states that signals showed."""
        self._shown(states)
        self.estimate.update(seen, self._open)
        self.standing.update(seen, self._open, self._free)
        self._release[:-1] = self._release[1:]
        self._release[-1] = 0.0
        self.outlook = self.estimate.outlook()
        self.spillback.update(seen, self.outlook)
        self.estimate.announce(self._release, self.outlook)

    def may_go(self, states: Mapping[str, str]) -> NDArray[np.bool_]:
        """Loops at stop lines where a queue would move: green that yields to nobody, and room on all links beyond."""
        self._shown(states)
        out = np.zeros(len(self._lane_of_loop), np.bool_)
        moves = self._free & self.spillback.open_beyond & (self._stopbar >= 0)
        out[self._stopbar[moves]] = True
        return out & ~self.in_jam()

    def in_jam(self) -> NDArray[np.bool_]:
        """Loops that stay covered because nobody can leave: two lanes of a signal stand, which no loop's fault is."""
        lanes = np.zeros(len(self.layout.lanes) + 1, np.bool_)
        jammed = self.standing.jammed
        for model in self.models.values():
            if jammed[model.lanes].sum() > 1:
                lanes[model.lanes] = jammed[model.lanes]
        return np.asarray(lanes[self._lane_of_loop])

    def _shown(self, states: Mapping[str, str]) -> None:
        """Which lanes are open, and which yield to nobody, in the states that signals showed."""
        for x, model in self.models.items():
            key = (x, states[x])
            if key not in self._open_of:
                self._open_of[key] = model.open_lanes(states[x], self.layout)
                self._free_of[key] = model.free_lanes(states[x], self.layout)
            self._open[model.lanes], self._free[model.lanes] = self._open_of[key], self._free_of[key]

    def note_blocked(self, controller_id: str, runner: Runner) -> None:
        """Tell a signal which of its lanes stand although they are open; once a second."""
        if runner.pool.guarded:
            model = self.models[controller_id]
            runner.note_blocked(model.heads_of(self.estimate.standing[model.lanes] > 0))

    def decide(self, controller_id: str, runner: Runner) -> LocalDecision:
        """One signal's next stage; call it when the runner is free. Neighbours hear of it."""
        begin = self._clock()
        model = self.models[controller_id]
        own = Outlook(
            queue_veh=self.outlook.queue_veh[model.lanes],
            arrival_veh=np.ascontiguousarray(self.outlook.arrival_veh[:, model.lanes]),
        )
        from_s = runner.from_s()
        beyond = self.spillback.beyond(model, self._release)
        service = self.standing.service(model, runner.stage)
        choice = self._search[controller_id].choose(own, runner.stage, from_s, beyond, service)
        self._release[:, model.lanes] = choice.release_veh
        goes = choice.stage >= 0 and choice.leave_in_s == 0
        if goes:
            reason = "cheapest to change now" if from_s[runner.stage] == 0 else "a red would get too long"
        else:
            reason = "stay" if choice.stage < 0 else f"stay {choice.leave_in_s} s, then stage {choice.stage}"
        return LocalDecision(
            controller_id=controller_id,
            stage=choice.stage if goes else runner.stage,
            candidates=tuple(round(float(x), 1) if x < UNLIKELY_S else None for x in choice.cost_of_s),
            reason=reason,
            inputs=_hash(own, beyond, service, runner.stage, from_s),
            ms=1e3 * (self._clock() - begin),
        )


def _hash(outlook: Outlook, beyond: Beyond, service: Service, stage: int, from_s: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(outlook.queue_veh.tobytes())
    digest.update(outlook.arrival_veh.tobytes())
    for part in (*beyond, *service):
        digest.update(part.tobytes())
    digest.update(from_s.tobytes() + bytes([stage]))
    return digest.hexdigest()[:16]

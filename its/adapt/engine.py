"""The engine of the closed loop: observations in, states out, once a second; it never waits for anybody.

Three layers lie on top of each other. The running plan is always there. Once a cycle it may be replaced. Within a cycle
the local layer chooses stages. Whatever is chosen passes the guard before it is shown; what fails, is late or is
refused leaves the signal with what the running plan wants, or with what it shows.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from its.adapt.cycle import CycleLayer
from its.adapt.health import HealthChange, HealthMonitor
from its.adapt.log import RunLog
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.observations import Observation
from network_data.plans import ControllerPlan, TimingPlan
from network_data.settings import Settings
from optimizer.local.actuated import decide_actuated, due_stage
from optimizer.local.estimate import Outlook
from optimizer.local.guard import Guard, guard_of
from optimizer.local.layer import LocalDecision, LookAheadLayer
from optimizer.local.lookahead import LookAheadSettings
from optimizer.local.runner import Runner
from optimizer.local.stage_pool import StagePool, stage_pool

Mode = Literal["plan", "local", "lookahead"]
MODES: tuple[Mode, ...] = ("plan", "local", "lookahead")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How the engine works.

    Attributes
    ----------
    mode : {"plan", "local", "lookahead"}
        The running plan alone; with actuated functions; every signal looks ahead.
    rolling : bool, optional
        Whether plans are re-optimized once a cycle; None: where a signal shows its plan and nothing else.
    budget_s : float
        Wall time for the decisions of one second; signals not reached by then follow the running plan. [s]
    """

    mode: Mode = "lookahead"
    rolling: bool | None = None
    budget_s: float = 0.8
    look_ahead: LookAheadSettings = field(default_factory=LookAheadSettings)


@dataclass
class _Tally:
    """What happened in a run."""

    decisions: int = 0
    changes: int = 0
    late: int = 0
    failed: int = 0
    refused: int = 0
    lost: int = 0
    found: int = 0
    plans: int = 0
    ms: list[float] = field(default_factory=list)


class Engine:
    """Runs all signals of a network.

    Parameters
    ----------
    network : RoadNetwork
        The network.
    field_plan : TimingPlan
        The programs in force: running plan and yardstick of all rules.
    detectors : sequence of Detector
        Loops, in the order of the observations to come.
    settings : Settings
        Rules.
    options : EngineOptions
        Mode and budget.
    states : mapping
        What every signal shows at the begin.
    log : RunLog, optional
        Where decisions are written.
    late : callable, optional
        (time_s, controller) → whether a replayed decision was late; None: the clock decides.
    """

    def __init__(
        self,
        network: RoadNetwork,
        field_plan: TimingPlan,
        detectors: Sequence[Detector],
        settings: Settings,
        options: EngineOptions,
        states: Mapping[str, str],
        log: RunLog | None = None,
        late: Callable[[float, str], bool] | None = None,
    ) -> None:
        self.network, self.settings, self.options, self._log, self._late = network, settings, options, log, late
        self.plans: dict[str, ControllerPlan] = dict(field_plan.controllers)
        self.pools: dict[str, StagePool] = {}
        for x, program in self.plans.items():
            self.pools[x] = stage_pool(network, network.controllers[x], program, settings)
        self.guards: dict[str, Guard] = {
            x: guard_of(network, network.controllers[x], program, settings, states[x])
            for x, program in self.plans.items()
        }
        self.layer = LookAheadLayer(network, detectors, self.pools, options.look_ahead)
        self.by_plan = by_plan_alone(self.layer, options.mode)
        self.runners = {
            x: Runner(self.pools[x], self.pools[x].nearest(states[x]))
            for x in self.layer.models
            if x not in self.by_plan
        }
        lanes = [(d.link_id, d.lane) for d in detectors]
        same_lane = [lanes.count(lane) > 1 for lane in lanes]
        self.health = HealthMonitor([d.id for d in detectors], siblings_of(detectors), same_lane)
        wanted = options.rolling if options.rolling is not None else bool(self.by_plan)
        self.cycle = CycleLayer(network, field_plan, detectors, settings) if wanted else None
        self.states = dict(states)
        self.tally = _Tally()
        self.changes: list[HealthChange] = []

    @property
    def rolling(self) -> bool:
        """Whether plans are re-optimized once a cycle."""
        return self.cycle is not None

    def begin(self, time_s: float) -> dict[str, str]:
        """What to show in the first second."""
        return self._show(time_s)

    def step(self, seen: Observation) -> dict[str, str]:
        """Take in a second, decide, and return what to show from now on.

        Only states that changed are returned.
        """
        if self._log is not None:
            self._log.seen(seen)
        now_s = seen.time_s
        judged, changes = self.health.check(seen, self.layer.may_go(self.states), self.layer.in_jam())
        for change in changes:
            self._tell(change)
        self.layer.observe(judged, self.states)
        if self.cycle is not None:
            self._replan(judged, now_s)
        self._decide_all(now_s)
        return self._show(now_s)

    def _replan(self, seen: Observation, now_s: float) -> None:
        assert self.cycle is not None  # for the type checker: the only caller asks before
        for row in self.cycle.step(seen, now_s):
            self.tally.plans += row["status"] == "changed"
            self.tally.failed += row["status"] == "failed"
            self._write("plan", row)
        self.plans.update(self.cycle.plan.controllers)

    def _decide_all(self, now_s: float) -> None:
        """Every signal that is free to change decides, as far as the second's budget goes."""
        until = time.perf_counter() + self.options.budget_s
        for x, runner in self.runners.items():
            self.layer.note_blocked(x, runner)
            if not runner.free:
                continue
            late = time.perf_counter() > until if self._late is None else self._late(now_s, x)
            if late:
                self.tally.late += 1
                self._fall_back(x, now_s, "late")
                continue
            try:
                decision = self._decide(x, runner, now_s)
            except Exception as error:  # a stalled optimizer never stalls the signals; the log has the trace
                self.tally.failed += 1
                self._fall_back(x, now_s, f"failed: {type(error).__name__}: {error}", traceback.format_exc())
                continue
            self.tally.decisions += 1
            self.tally.ms.append(decision.ms)
            self._write("local", _row(decision, now_s, runner))
            self.tally.changes += runner.go(decision.stage)

    def _decide(self, x: str, runner: Runner, now_s: float) -> LocalDecision:
        if self.options.mode == "lookahead":
            return self.layer.decide(x, runner)
        model = self.layer.models[x]
        own = Outlook(
            queue_veh=self.layer.outlook.queue_veh[model.lanes],
            arrival_veh=np.ascontiguousarray(self.layer.outlook.arrival_veh[:, model.lanes]),
        )
        return decide_actuated(self.plans[x], model, own, runner, now_s)

    def _fall_back(self, x: str, now_s: float, reason: str, trace: str = "") -> None:
        """The running plan goes on, as far as nobody's red gets too long by it: it was made for another past."""
        runner = self.runners[x]
        stage = due_stage(self.plans[x], self.layer.models[x], now_s, runner.stage)
        allowed = runner.allowed()
        if not allowed[stage]:
            stage = runner.stage if allowed[runner.stage] else int(np.flatnonzero(allowed)[0])
        row: dict[str, Any] = {"t": now_s, "signal": x, "stage": runner.stage, "choice": stage, "reason": reason}
        self._write("plan-goes-on", row | ({"trace": trace} if trace else {}))
        runner.go(stage)

    def _show(self, now_s: float) -> dict[str, str]:
        """The states of the second to come, each past its guard."""
        out = {}
        for x, guard in self.guards.items():
            runner = self.runners.get(x)
            wanted = runner.next_state if runner is not None else self._planned(x, now_s)
            if wanted == guard.state:
                if runner is not None:
                    runner.commit()
                continue
            faults = guard.faults(now_s, wanted)
            if faults:
                self.tally.refused += 1
                self._write("refused", {"t": now_s, "signal": x, "state": wanted, "reason": "; ".join(faults)})
                if runner is not None:
                    runner.refused(guard.state)
                continue
            guard.accept(now_s, wanted)
            if runner is not None:
                runner.commit()
            out[x] = self.states[x] = wanted
        return out

    def _planned(self, x: str, now_s: float) -> str:
        if self.cycle is not None:
            return self.cycle.state_at(x, now_s)
        return self.plans[x].state_at(now_s)

    def _tell(self, change: HealthChange) -> None:
        self.changes.append(change)
        self.tally.lost += change.code != 0
        self.tally.found += change.code == 0
        self._write("detector", {"t": change.time_s, "detector": change.detector_id, "text": change.text})

    def _write(self, kind: str, row: dict[str, Any]) -> None:
        if self._log is not None:
            self._log.decision(kind, row)


def by_plan_alone(layer: LookAheadLayer, mode: Mode) -> frozenset[str]:
    """Signals that show their plan and nothing else: by the mode, or because loops tell too little of them."""
    return frozenset(layer.models) if mode == "plan" else layer.blind


def _row(decision: LocalDecision, now_s: float, runner: Runner) -> dict[str, Any]:
    return {
        "t": now_s,
        "signal": decision.controller_id,
        "stage": runner.stage,
        "inputs": decision.inputs,
        "candidates": list(decision.candidates),
        "choice": decision.stage,
        "reason": decision.reason,
        "ms": round(decision.ms, 3),
    }


def siblings_of(detectors: Sequence[Detector]) -> list[list[int]]:
    """Per loop the other loops of its lane; where there are none, those of its link."""
    by_lane: dict[tuple[str, int], list[int]] = {}
    by_link: dict[str, list[int]] = {}
    for n, detector in enumerate(detectors):
        by_lane.setdefault((detector.link_id, detector.lane), []).append(n)
        by_link.setdefault(detector.link_id, []).append(n)
    out = []
    for n, detector in enumerate(detectors):
        lane = [m for m in by_lane[detector.link_id, detector.lane] if m != n]
        out.append(lane or [m for m in by_link[detector.link_id] if m != n])
    return out

"""Once a cycle: what loops have told goes to the rolling optimizer, which may replace the running plan.

Until the first minutes have been counted there is no history to start from, and the field plan runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from network_data.counting.counts import CountTable
from network_data.demand import Demand
from network_data.detectors import Detector
from network_data.errors import SignalError
from network_data.network import RoadNetwork
from network_data.observations import Observation, joined
from network_data.plans import TimingPlan
from network_data.settings import Settings
from network_data.turning_flows.estimate import estimate_demand
from optimizer.rolling import Rolling
from sim.segments import Segment

WARM_S = 600.0
"""Counted before the first plan is made where no history is given. [s]"""
SHARE = 0.02
"""CPU time of a step over the cycle. [-]"""


class CycleLayer:
    """The rolling optimizer in the loop.

    Parameters
    ----------
    network, field_plan, detectors, settings
        As for the engine.
    prior : Demand, optional
        The day's history; without it the first `WARM_S` seconds stand in.
    """

    def __init__(
        self,
        network: RoadNetwork,
        field_plan: TimingPlan,
        detectors: Sequence[Detector],
        settings: Settings,
        prior: Demand | None = None,
    ) -> None:
        self.network, self.plan, self.settings = network, field_plan, settings
        self._detectors = tuple(detectors)
        self._cycle_s = max(program.cycle_s for program in field_plan.controllers.values())
        self._segments: dict[str, tuple[Segment, ...]] = {}
        self._rolling = Rolling(network, field_plan, detectors, prior, settings) if prior is not None else None
        self._parts: list[Observation] = []

    def state_at(self, controller_id: str, time_s: float) -> str:
        """What a controller shows under plan and transition."""
        for from_s, until_s, program in self._segments.get(controller_id, ()):
            if from_s <= time_s < until_s:
                return program.state_at(time_s)
        return self.plan.controllers[controller_id].state_at(time_s)

    def step(self, seen: Observation, time_s: float) -> list[dict[str, Any]]:
        """Take in a second; at the end of a cycle decide. Rows for the log, mostly none."""
        self._parts.append(seen)
        counted_s = sum(part.interval_s for part in self._parts)
        if self._rolling is None:
            return self._start(time_s) if counted_s >= WARM_S else []
        if counted_s < self._cycle_s:
            return []
        observation, self._parts = joined(self._parts), []
        decision = self._rolling.step(observation, time_s, 1e3 * SHARE * self._cycle_s)
        for x, segments in decision.transition.items():
            self._segments[x] = segments
        self.plan = decision.plan
        row = {
            "t": time_s,
            "inputs": decision.inputs[:16],
            "candidates": decision.candidates,
            "status": decision.status,
            "choice": decision.choice,
            "reason": decision.reason,
            "gain": round(decision.gain, 6),
            "ms": round(decision.milliseconds["total"], 1),
            "notes": list(decision.notes),
        }
        return [row]

    def _start(self, time_s: float) -> list[dict[str, Any]]:
        begin_s = time_s - sum(part.interval_s for part in self._parts)
        try:
            prior = estimate_demand(
                self.network, self._detectors, _counts(self._parts, begin_s, time_s), begin_s, time_s, plan=self.plan
            ).demand
            self._rolling = Rolling(self.network, self.plan, self._detectors, prior, self.settings)
        except SignalError as error:
            self._parts = []
            return [{"t": time_s, "status": "failed", "choice": "the running plan goes on", "reason": str(error)}]
        self._parts = []
        reason = f"demand estimated from the first {time_s - begin_s:g} s"
        return [{"t": time_s, "status": "started", "choice": "plans follow once a cycle", "reason": reason}]


def _counts(parts: Sequence[Observation], begin_s: float, end_s: float) -> CountTable:
    """Observations as one interval of a count table; loops that are not sound are missing there."""
    whole = joined(parts)
    sound = whole.sound
    frame = pd.DataFrame(
        {
            "detector": pd.Categorical([name for name, ok in zip(whole.detector_ids, sound, strict=True) if ok]),
            "day": pd.NaT,
            "begin_s": begin_s,
            "end_s": end_s,
            "veh": whole.count_veh[sound].astype(float),
            "occupancy_pct": 100.0 * whole.occupancy[sound].astype(float),
            "speed_mps": float("nan"),
        }
    )
    frame["day"] = pd.to_datetime(frame["day"])
    return CountTable(frame=frame)

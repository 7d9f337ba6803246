"""What a plan costs around each signal: one simulation tells of all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.plans import ControllerPlan, TimingPlan
from network_data.trips import Trips
from optimizer.candidate import Candidate, plan_of
from optimizer.large.places import Places
from optimizer.large.programs import KEPT_PER_CONTROLLER
from optimizer.objectives import Weighing
from optimizer.rolling.polygons import Collected, Polygons
from optimizer.search import Evaluator
from sim import _tables as k
from sim.compile import TICKS
from sim.simulate import Record, Simulator, Totals

FLOAT = NDArray[np.float64]
_NOTHING = Totals(veh=1, delay_s=0.0, stops=0.0, blocked_s=0.0, gate_delay_s=0.0, done_veh=0)


class Judged(NamedTuple):
    """A plan on all realizations; R realizations, S signals."""

    values: list[float]  # (R,) objectives of the whole network [s/veh]
    cost_s: FLOAT  # (S,) mean over the realizations: delay, stops and waits on foot on the links of each signal [veh·s]
    seen: tuple[Collected, ...] = ()  # where polygons asked for it: arrivals and delays of each realization


class _Ran(NamedTuple):
    """One run of the whole network."""

    totals: Totals
    cost_s: FLOAT  # (S,)
    seen: Collected | None


@dataclass(eq=False)
class Judge:
    """Runs candidates and keeps what each signal's links saw; realizations side by side on the pool's threads."""

    evaluator: Evaluator
    places: Places
    trips: Sequence[Trips]
    pool: ThreadPoolExecutor | None = None
    polygons: Polygons | None = None
    _programs: dict[tuple[int, tuple[int, bytes, int]], ControllerPlan] = field(default_factory=dict)

    @property
    def simulator(self) -> Simulator:
        """The whole network."""
        return self.evaluator.simulator

    @cached_property
    def _lane_signal(self) -> NDArray[np.int64]:
        names = self.simulator.compiled.lane_link
        return np.array([self.places.link_signal[link] for link in names], np.int64)

    @cached_property
    def _stop_delay(self) -> NDArray[np.int32]:
        """Delay above which a vehicle has stopped on a lane. [ticks]"""
        return np.ascontiguousarray(self.simulator.compiled.arrays.lane[:, k.STOP])

    @cached_property
    def _depart(self) -> list[NDArray[np.int64]]:
        """When each vehicle wants to enter, after the begin of the run. [ticks]"""
        begin_s = self.simulator.begin_s - self.simulator.warmup_s
        return [np.round((trips.depart_s - begin_s) * TICKS).astype(np.int64) for trips in self.trips]

    def judged(self, candidates: Sequence[Candidate], *, collect: bool = False) -> list[Judged]:
        """Run candidates on all realizations and add up; `collect` what the polygons want to know of each run."""
        n = self.simulator.n_realizations
        jobs = [(self.plan(one), r, one if collect else None) for one in candidates for r in range(n)]
        found = list(self.pool.map(self._one, jobs)) if self.pool is not None else [self._one(job) for job in jobs]
        self.evaluator.n_runs += len(found)
        weights = self.evaluator.weights
        shares = np.full(n, 1 / n) if weights is None else np.array(weights)
        out = []
        for i, candidate in enumerate(candidates):
            mine = found[i * n : (i + 1) * n]
            beside = self.evaluator.beside_traffic(candidate)
            cost = np.tensordot(shares, np.array([ran.cost_s for ran in mine]), axes=1)
            values = [self.evaluator.value(ran.totals) + beside for ran in mine]
            seen = tuple(ran.seen for ran in mine if ran.seen is not None)
            out.append(Judged(values, cost + self._on_foot(candidate, mine), seen))
        return out

    def plan(self, candidate: Candidate) -> TimingPlan:
        """The candidate's programs; the same objects for the same settings, by which the simulator knows them again."""
        models, kept = self.evaluator.models, self._programs
        if len(kept) > KEPT_PER_CONTROLLER * len(models):
            kept.clear()
        controllers = {}
        for i, (model, setting) in enumerate(zip(models, candidate, strict=True)):
            key = (i, setting.key())
            if key not in kept:
                kept[key] = plan_of(model, setting)
            controllers[model.controller.id] = kept[key]
        return TimingPlan(controllers=controllers)

    def _one(self, job: tuple[TimingPlan, int, Candidate | None]) -> _Ran:
        plan, r, collected = job
        totals, record = self.simulator.record(plan, r)
        seen = None
        if collected is not None and self.polygons is not None:
            length_s = self.simulator.end_s - self.simulator.begin_s + self.simulator.warmup_s
            seen = self.polygons.collect(collected, record.rows, len(record.rows), length_s)
        return _Ran(totals, self._costs(record, r), seen)

    @cached_property
    def _weighing(self) -> Weighing:
        return self.evaluator.weighing or Weighing(self.evaluator.objective)

    def _costs(self, record: Record, realization: int) -> FLOAT:
        """Cost of what happened to vehicles on the links of each signal, waiting to enter them included; (S,). [s]"""
        n, weighing = self.places.n_signal + 1, self._weighing
        lane = record.column(k.LOG_LANE)
        signal = self._lane_signal[lane]
        delay = record.column(k.LOG_DELAY)
        first = np.flatnonzero(record.column(k.LOG_STEP) == 0)
        waited = record.column(k.LOG_ENTER)[first] - self._depart[realization][record.column(k.LOG_VEH)[first]]
        lost = np.bincount(signal, weights=delay, minlength=n)
        lost += np.bincount(signal[first], weights=waited, minlength=n)
        out = weighing.total_s(replace(_NOTHING, delay_s=1.0)) * lost / TICKS
        per_stop = weighing.total_s(replace(_NOTHING, stops=1.0))
        if per_stop:
            out += per_stop * np.bincount(signal[delay > self._stop_delay[lane]], minlength=n)
        return np.asarray(out[:-1], np.float64)

    def _on_foot(self, candidate: Candidate, found: Sequence[_Ran]) -> FLOAT | float:
        """Waits at each signal's crossings, weighted as in the objective: per vehicle of the network. [veh·s]"""
        objective = self.evaluator.objective
        if not (objective.pedestrian or objective.person):
            return 0.0
        veh = float(np.mean([ran.totals.veh for ran in found]))
        waits = [
            self._weighing.beside_s(plan_of(m, s), [h.index for h in m.controller.heads if h.kind == "crossing"])
            for m, s in zip(self.evaluator.models, candidate, strict=True)
        ]
        return np.asarray(veh * np.array(waits), np.float64)

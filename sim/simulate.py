"""Run plans through the queue simulation: many plans and realizations at once, the same bits for any thread count."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.actuation import ActuatedController
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _kernels
from sim import _tables as k
from sim.actuated import shown_program
from sim.compile import (
    TICKS,
    CompiledNetwork,
    compile_network,
    compile_plan,
    compile_trips,
    constants,
    mean_spacing_m,
    new_state,
)
from sim.parameters import STREET, SimParameters

Actuated = Mapping[str, ActuatedController]
"""Actuated controllers by id."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a plan does to one realization of the demand, over all vehicles due to enter in [begin, end)."""

    veh: int
    delay_s: float
    stops: float
    blocked_s: float
    gate_delay_s: float
    done_veh: int

    @property
    def delay_s_per_veh(self) -> float:
        """Mean delay. [s/veh]"""
        return self.delay_s / max(1, self.veh)


@dataclass(frozen=True, eq=False)
class Record:
    """Every passage of a lane in one realization; rows in order of leaving. Times in seconds from begin_s."""

    rows: NDArray[np.int32]  # (N, k.N_LOG)

    def column(self, name: int) -> NDArray[np.int32]:
        """One column of the log, by its kernel name."""
        return self.rows[:, name]


class Simulator:
    """A network with its demand, ready to run any number of plans.

    Parameters
    ----------
    network : RoadNetwork
    realizations : sequence of Trips
        The demand; each is run for every plan (common random numbers).
    begin_s, end_s : float
        Local seconds after midnight. [s]
    warmup_s : float
        Simulated before begin_s with vehicles that do not count. [s]
    seed : int
        Of drivers' desired speeds.
    workers : int
        Threads; results do not depend on it.
    saturation_vph : mapping, optional
        (link, lane index) → saturation flow from the field or a manual (`sim.saturation`). [veh/h]
    start_up_s : mapping, optional
        (link, lane index) → start-up time from the field (`sim.field_saturation.field_start_ups`). [s]
    """

    def __init__(
        self,
        network: RoadNetwork,
        realizations: Sequence[Trips],
        *,
        begin_s: float,
        end_s: float,
        warmup_s: float = 0.0,
        seed: int = 0,
        workers: int = 1,
        parameters: SimParameters = STREET,
        saturation_vph: Mapping[tuple[str, int], float] | None = None,
        start_up_s: Mapping[tuple[str, int], float] | None = None,
    ) -> None:
        spacings = [mean_spacing_m(trips) for trips in realizations if len(trips)]
        spacing = float(np.mean(spacings)) if spacings else parameters.spacing_m
        self.compiled: CompiledNetwork = compile_network(
            network, parameters, spacing_m=spacing, saturation_vph=saturation_vph, start_up_s=start_up_s
        )
        self.begin_s, self.end_s, self.warmup_s = begin_s, end_s, warmup_s
        self._constants = constants(parameters, spacing_m=spacing, length_s=end_s - begin_s, warmup_s=warmup_s)
        self._trips = [
            compile_trips(self.compiled, trips, begin_s=begin_s, warmup_s=warmup_s, seed=seed + n)
            for n, trips in enumerate(realizations)
        ]
        due = [t.vehicle[:, k.DEPART] for t in self._trips]
        self._veh = [int(((d >= self._constants[k.COUNT_FROM]) & (d < self._constants[k.END])).sum()) for d in due]
        self._n_state_veh = max((len(d) for d in due), default=0)
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    @property
    def n_realizations(self) -> int:
        """Number of realizations every plan is run on."""
        return len(self._trips)

    def compile(self, plan: TimingPlan, actuated: Actuated | None = None) -> k.PlanArrays:
        """A plan as the kernel reads it; `actuated` controllers decide themselves instead of running their program."""
        return compile_plan(self.compiled, plan, begin_s=self.begin_s - self.warmup_s, actuated=actuated)

    def run(
        self,
        plans: Sequence[TimingPlan],
        realizations: Sequence[int] | None = None,
        actuated: Actuated | None = None,
    ) -> list[list[Totals]]:
        """Totals of every plan (outer) on every realization (inner)."""
        return self.run_compiled([self.compile(plan, actuated) for plan in plans], realizations)

    def run_compiled(
        self, plans: Sequence[k.PlanArrays], realizations: Sequence[int] | None = None
    ) -> list[list[Totals]]:
        """As `run`, for plans that are compiled already."""
        chosen = range(self.n_realizations) if realizations is None else realizations
        jobs = [(plan, r) for plan in plans for r in chosen]
        results = list(self._pool.map(self._one, jobs)) if self._pool else [self._one(job) for job in jobs]
        n = len(chosen)
        return [results[i * n : (i + 1) * n] for i in range(len(plans))]

    def _state(self, plan: k.PlanArrays) -> k.State:
        """Working memory of this thread, made anew where other controllers are actuated than before."""
        sizes = (len(plan.owner), *(len(table) for table in plan.actuated))
        if getattr(self._local, "sizes", None) != sizes:
            self._local.state = new_state(self.compiled, plan, self._n_state_veh, int(self._constants[k.END]))
            self._local.sizes = sizes
        state: k.State = self._local.state
        return state

    def _one(self, job: tuple[k.PlanArrays, int]) -> Totals:
        plan, r = job
        out = _results(0)
        _kernels.run(self.compiled.arrays, plan, self._trips[r], self._constants, self._state(plan), out)
        return self._totals(out.totals, r)

    def _totals(self, totals: NDArray[np.int64], r: int) -> Totals:
        return Totals(
            veh=self._veh[r],
            delay_s=float(totals[k.DELAY]) / TICKS,
            stops=float(totals[k.STOPS]),
            blocked_s=float(totals[k.BLOCKED]) / TICKS,
            gate_delay_s=float(totals[k.GATE_DELAY]) / TICKS,
            done_veh=int(totals[k.DONE]),
        )

    def record(self, plan: TimingPlan, realization: int, actuated: Actuated | None = None) -> tuple[Totals, Record]:
        """Run one plan on one realization and keep every passage of a lane."""
        arrays = self.compile(plan, actuated)
        trips = self._trips[realization]
        out = _results(2 * len(trips.route) + 1)
        _kernels.run(self.compiled.arrays, arrays, trips, self._constants, self._state(arrays), out)
        return self._totals(out.totals, realization), Record(out.log[: int(out.n_log[0])])

    def record_shown(self, plan: TimingPlan, realization: int, actuated: Actuated) -> tuple[Totals, Record, TimingPlan]:
        """As `record`, and the plan with what the actuated controllers have shown as one long program each."""
        arrays, trips = self.compile(plan, actuated), self._trips[realization]
        state = self._state(arrays)
        out = _results(2 * len(trips.route) + 1)
        _kernels.run(self.compiled.arrays, arrays, trips, self._constants, state, out)
        heads = [(c, index) for c, indices in self.compiled.heads_of.items() for index in indices]
        shown = dict(plan.controllers)
        for c, one in actuated.items():
            shown[c] = shown_program(
                one,
                {
                    index: (signal, int(arrays.signal[signal, k.WINDOW0]))
                    for signal, (owner, index) in enumerate(heads)
                    if owner == c
                },
                state.actuated,
                state.live,
                rest="r" * self.compiled.network.controllers[c].n_heads,
                begin_s=self.begin_s - self.warmup_s,
                end_s=self.end_s,
            )
        record = Record(out.log[: int(out.n_log[0])])
        return self._totals(out.totals, realization), record, TimingPlan(controllers=shown)


def _results(n_rows: int) -> k.Results:
    return k.Results(np.zeros(k.N_TOTALS, np.int64), np.empty((n_rows, k.N_LOG), np.int32), np.zeros(1, np.int64))

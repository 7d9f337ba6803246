"""Families of legal plans to compare simulations on: random ones, and ones near a good one.

Both are drawn with a seed. *Random*: a cycle for all signals (in a quarter of the plans one for each), splits around
the field's shares, offsets anywhere, and at half of the signals other stages or another order of them. *Near*: splits
within ±20 % of a good plan's, offsets within ±15 s, and in half of the plans two stages of one signal swapped. Every
plan passes `check_plan` against the plan in the field.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from network_data.clearance import (
    WALK_S,
    WALK_SPEED_MPS,
    ClearanceMatrix,
    clearance_matrix,
    conflict_pairs,
    crossing_length_m,
    foes_of,
)
from network_data.controllers import Controller
from network_data.errors import InfeasibleError
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.program_table import ProgramTable
from network_data.rules import check_plan
from network_data.rules_judged import longest_protected_s
from network_data.rules_walk import walk_times_s
from network_data.settings import Settings
from optimizer.models import merged
from optimizer.skeleton import Skeleton, skeleton_of, spans_of
from optimizer.stages import choices, orders, stages_of, with_changes

FAMILIES = ("random", "near")
CYCLES_S = (50, 150)
SPLIT_SHAPE = 6.0
"""Shape of the gamma noise on random splits: its coefficient of variation is 0.41. [-]"""
OWN_CYCLES, OTHER_STAGES, SWAPS = 0.25, 0.5, 0.5
"""Shares of random plans with a cycle for each signal, of signals with other stages, of near plans with a swap. [-]"""
NEAR_SPLIT, NEAR_OFFSET_S = 0.20, 15.0
LEAST_AMPLITUDE = 0.5
"""Near plans are drawn within this to the whole of the splits' and offsets' ranges. [-]"""
MAX_DRAWS = 40
MAX_ORDERS = 24


def plan_hash(plan: TimingPlan) -> str:
    """First digits of a hash over the programs: cycle by cycle the same signals, whatever they are called."""
    lines = [
        f"{c}|{p.offset_s:.6g}|" + "|".join(f"{i.duration_s:.6g}:{i.state}" for i in p.intervals)
        for c, p in sorted(plan.controllers.items())
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Signal:
    """One controller with what its programs have to keep."""

    network: RoadNetwork
    controller: Controller
    field: ControllerPlan
    settings: Settings
    matrix: ClearanceMatrix
    red_s: NDArray[np.float64]  # (H,) longest red in the field
    walk_s: NDArray[np.float64]  # (H,)
    protected_s: dict[int, float]

    def skeleton(self, states: Sequence[str], durations_s: Sequence[int], stretch: Sequence[bool]) -> Skeleton:
        """States with everything that binds their durations."""
        spans = spans_of(
            self.controller,
            tuple(states),
            self.matrix,
            max_red_s=self.settings.limits.max_red_s,
            field_red_s=self.red_s,
            walk_s=self.walk_s,
            protected_s=self.protected_s,
        )
        return skeleton_of("", self.controller.id, tuple(states), list(durations_s), list(stretch), spans)

    def kept(self, program: ControllerPlan) -> Skeleton:
        """The states of a program, its stages to be retimed."""
        return self.skeleton(*merged(program))

    def staged(self, stages: Sequence[str]) -> Skeleton:
        """A sequence of stages with changes built between them, each as long as in the field."""
        states, durations, stretch = with_changes(stages, self.matrix)
        for n, state in enumerate(states):
            if stretch[n]:
                durations[n] = max(5, round(sum(i.duration_s for i in self.field.intervals if i.state == state)))
        return self.skeleton(states, durations, stretch)

    def legal(self, program: ControllerPlan) -> bool:
        """Whether `check_plan` passes a program."""
        findings = check_plan(
            self.network,
            TimingPlan(controllers={self.controller.id: program}),
            TimingPlan(controllers={self.controller.id: self.field}),
            self.settings,
        )
        return not any(finding.severity == "error" for finding in findings)


def signal_of(network: RoadNetwork, controller: Controller, field: ControllerPlan, settings: Settings) -> Signal:
    """Gather what binds a controller's programs."""
    limits, table = settings.limits, ProgramTable(field)
    n = len(field.intervals[0].state)
    matrix = clearance_matrix(
        controller, field, min_green_s=limits.min_green_s, source=settings.rules.clearance, network=network
    )
    foes = foes_of(conflict_pairs(controller, field))
    walk_s = np.zeros(controller.n_heads)
    for head in controller.heads:
        if head.kind == "crossing" and head.index < n:
            need = WALK_S + crossing_length_m(network, head) / WALK_SPEED_MPS
            walk_s[head.index] = min([need, *walk_times_s(table, head.index, foes.get(head.index, ()))])
    return Signal(
        network=network,
        controller=controller,
        field=field,
        settings=settings,
        matrix=matrix,
        red_s=np.array([table.longest_red_s(k) for k in range(n)]),
        walk_s=walk_s,
        protected_s={k: min(limits.min_green_s, s) for k, s in longest_protected_s(controller, field).items()},
    )


def fitted(skeleton: Skeleton, target_s: NDArray[np.float64], cycle_s: int) -> NDArray[np.int64] | None:
    """Whole seconds nearest to the target (least sum of differences) that keep every span; None where none do.

    Parameters
    ----------
    target_s : ndarray, shape (N,)
        Wished durations; those of intervals that may not stretch are ignored. [s]
    """
    model = cp_model.CpModel()
    durations = [
        model.new_int_var(1, cycle_s, "") if free else model.new_constant(int(s))
        for free, s in zip(skeleton.stretch, skeleton.start_s, strict=True)
    ]
    model.add(sum(durations) == cycle_s)
    for row, low, high in zip(skeleton.member, skeleton.least_s, skeleton.most_s, strict=True):
        total = sum(durations[i] for i in np.flatnonzero(row))
        model.add(total >= int(low))
        model.add(total <= int(high))
    misses = []
    for i in np.flatnonzero(skeleton.stretch):
        miss = model.new_int_var(0, 10 * cycle_s, "")
        model.add(miss >= 10 * durations[i] - round(10 * target_s[i]))
        model.add(miss >= round(10 * target_s[i]) - 10 * durations[i])
        misses.append(miss)
    model.minimize(sum(misses))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    if solver.solve(model) != cp_model.OPTIMAL:
        return None
    return np.array([solver.value(d) for d in durations], np.int64)


def _scaled(skeleton: Skeleton, wished_s: NDArray[np.float64], cycle_s: int) -> NDArray[np.float64]:
    """Wished durations in proportion so that they fill a cycle."""
    free = skeleton.stretch
    out = wished_s.astype(float)
    out[free] *= max(1.0, cycle_s - float(wished_s[~free].sum())) / max(1.0, float(wished_s[free].sum()))
    return out


class PlanMaker:
    """Draws plans for one network from a seed."""

    def __init__(self, network: RoadNetwork, field: TimingPlan, *, seed: str, settings: Settings | None = None) -> None:
        self.network, self.field, self.seed = network, field, seed
        self.settings = settings or Settings()
        self.signals = {
            c: signal_of(network, controller, field.controllers[c], self.settings)
            for c, controller in network.controllers.items()
        }
        self._sequences = {c: self._other_sequences(signal) for c, signal in self.signals.items()}

    def _rng(self, family: str, index: int) -> np.random.Generator:
        digest = hashlib.sha256(f"{self.seed}:{family}:{index}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    @staticmethod
    def _other_sequences(signal: Signal) -> list[tuple[str, ...]]:
        chosen = choices(signal.controller, signal.field, may_lose=frozenset())
        return [order for stages in chosen for order in itertools.islice(orders(stages), MAX_ORDERS)]

    def random(self, index: int) -> TimingPlan:
        """Random plan number `index`."""
        rng = self._rng("random", index)
        common = int(rng.integers(CYCLES_S[0], CYCLES_S[1] + 1))
        each = rng.random() < OWN_CYCLES
        programs = {}
        for c, signal in self.signals.items():
            cycle = int(rng.integers(CYCLES_S[0], CYCLES_S[1] + 1)) if each else common
            programs[c] = self._random_program(signal, cycle, rng)
        return TimingPlan(controllers=programs)

    def _random_program(self, signal: Signal, cycle_s: int, rng: np.random.Generator) -> ControllerPlan:
        for draw in range(MAX_DRAWS):
            other = self._sequences[signal.controller.id]
            keep = not other or rng.random() >= OTHER_STAGES
            skeleton = signal.kept(signal.field) if keep else signal.staged(other[int(rng.integers(len(other)))])
            noise = rng.gamma(SPLIT_SHAPE, 1 / SPLIT_SHAPE, len(skeleton.states))
            offset = rng.random()
            # a cycle too short for the rules grows from draw to draw
            wish = min(cycle_s + 5 * draw, int(self.settings.limits.cycle_max_s))
            program = _program(signal, skeleton, skeleton.start_s * noise, wish, offset * wish)
            if program is not None:
                return program
        raise InfeasibleError(f"controller {signal.controller.id!r}: no random program keeps the rules")

    def near(self, index: int, good: TimingPlan) -> TimingPlan:
        """Plan number `index` near a good one."""
        rng = self._rng("near", index)
        amplitude = rng.uniform(LEAST_AMPLITUDE, 1.0)
        swappable = [c for c, program in good.controllers.items() if len(stages_of(program)) > 2]
        swapped = str(rng.choice(swappable)) if swappable and rng.random() < SWAPS else ""
        programs = {
            c: self._near_program(signal, good.controllers[c], amplitude, c == swapped, rng)
            for c, signal in self.signals.items()
        }
        return TimingPlan(controllers=programs)

    def _near_program(
        self, signal: Signal, good: ControllerPlan, amplitude: float, swap: bool, rng: np.random.Generator
    ) -> ControllerPlan:
        for draw in range(MAX_DRAWS):
            skeleton = signal.kept(good)
            if swap:
                skeleton = self._swapped(signal, good, rng)
            # what no draw within the range allows is drawn ever nearer
            reach = amplitude * (1 - draw / MAX_DRAWS)
            noise = 1 + reach * rng.uniform(-NEAR_SPLIT, NEAR_SPLIT, len(skeleton.states))
            offset = good.offset_s + reach * rng.uniform(-NEAR_OFFSET_S, NEAR_OFFSET_S)
            program = _program(signal, skeleton, skeleton.start_s * noise, round(good.cycle_s), offset)
            if program is not None:
                return program
        return good

    @staticmethod
    def _swapped(signal: Signal, good: ControllerPlan, rng: np.random.Generator) -> Skeleton:
        """Two stages of a program swapped, the changes built anew, each stage as long as before."""
        stages = stages_of(good)
        a, b = rng.choice(len(stages), 2, replace=False)
        stages[a], stages[b] = stages[b], stages[a]
        states, durations, stretch = with_changes(stages, signal.matrix)
        for n, state in enumerate(states):
            if stretch[n]:
                durations[n] = max(5, round(sum(i.duration_s for i in good.intervals if i.state == state)))
        return signal.skeleton(states, durations, stretch)


def _program(
    signal: Signal, skeleton: Skeleton, wished_s: NDArray[np.float64], cycle_s: int, offset_s: float
) -> ControllerPlan | None:
    """A program with about these durations and this offset; None where the rules forbid it."""
    durations = fitted(skeleton, _scaled(skeleton, wished_s, cycle_s), cycle_s)
    if durations is None:
        return None
    program = skeleton.plan(durations, round(offset_s) % cycle_s)
    return program if signal.legal(program) else None

"""The stages a signal may choose among, and the changes between any two of them, second by second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix, conflict_pairs, crossing_need_s, foes_of
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan
from network_data.rules_judged import protected_in, waits_in
from network_data.settings import Settings
from network_data.signal_limits import SignalLimits, plan_matrix
from optimizer.stages import stages_of, with_changes

MAX_STAGES = 12


@dataclass(frozen=True, eq=False)
class StagePool:
    """Stages of one signal; S stages, H link indices.

    Attributes
    ----------
    stages : tuple of str
        Their states.
    changes : mapping
        (from, to) → the states shown in between, one per second.
    need_s : ndarray, shape (H,)
        Least green; of crossings, the walk that has to come before their clearance. [s]
    max_red_s : ndarray, shape (H,)
        Longest red; infinite where the link index controls nothing or no stage serves it. [s]
    guarded : frozenset of int
        Link indices that keep a protected green of their own, because only some stages protect them.
    protected_s : float
        Least length of such a protected green. [s]
    """

    controller: Controller
    field: ControllerPlan
    matrix: ClearanceMatrix
    stages: tuple[str, ...]
    changes: dict[tuple[int, int], tuple[str, ...]]
    need_s: NDArray[np.float64]
    max_red_s: NDArray[np.float64]
    guarded: frozenset[int] = frozenset()
    protected_s: float = 5.0

    @cached_property
    def opens(self) -> NDArray[np.bool_]:
        """(S, H): whether a stage lets a link index be driven."""
        return np.array([[letter in OPEN for letter in stage] for stage in self.stages])

    @cached_property
    def protects(self) -> NDArray[np.bool_]:
        """(S, H): whether a stage gives a link index a protected green."""
        pairs = self.controller.conflicts
        out = np.zeros((len(self.stages), len(self.stages[0])), np.bool_)
        for s, stage in enumerate(self.stages):
            free = {k for k, letter in enumerate(stage) if letter == "G"} - waits_in(self.controller, pairs, stage)
            out[s, list(free)] = True
        return out

    @cached_property
    def greens(self) -> NDArray[np.bool_]:
        """(S, H): whether a stage shows a link index green."""
        return np.array([[letter in GREEN for letter in stage] for stage in self.stages])

    @cached_property
    def hold_s(self) -> NDArray[np.int64]:
        """(S, S): least stay in a stage after coming from another, for the greens that begin with it. [s]"""
        begins = self.greens[None, :, :] & ~self.greens[:, None, :]
        least_s = np.where(begins, self.need_s, 0.0).max(2)
        if self.guarded:
            own = self.protects[:, sorted(self.guarded)]
            shields = (own[None, :, :] & ~own[:, None, :]).any(2)
            least_s = np.maximum(least_s, np.where(shields, self.protected_s, 0.0))
        least_s = np.ceil(least_s - 1e-9)
        return np.asarray(np.maximum(1.0, least_s), np.int64)

    @cached_property
    def change_s(self) -> NDArray[np.int64]:
        """(S, S): seconds of each change. [s]"""
        out = np.zeros((len(self.stages), len(self.stages)), np.int64)
        for (a, b), states in self.changes.items():
            out[a, b] = len(states)
        return out

    @cached_property
    def starts_s(self) -> NDArray[np.float64]:
        """(S, S, H): second of each change in which a green that begins with it begins; 0 where none begins. [s]"""
        out = np.zeros((len(self.stages), len(self.stages), len(self.stages[0])))
        for (a, b), states in self.changes.items():
            for k in np.flatnonzero(self.greens[b] & ~self.greens[a]).tolist():
                out[a, b, k] = next((t for t, state in enumerate(states) if state[k] in GREEN), len(states))
        return out

    @cached_property
    def clearance_s(self) -> NDArray[np.float64]:
        """(H, H): from the end of one green to the begin of another, minus infinity where they do not conflict. [s]"""
        n = len(self.stages[0])
        out = np.full((n, n), -np.inf)
        for i, foes in foes_of(conflict_pairs(self.controller, self.field)).items():
            for k in foes:
                if max(i, k) < n:
                    out[i, k] = self.matrix[i, k]
        return out

    def way_from(self, state: str, stage: int) -> tuple[str, ...]:
        """A change to a stage from any state, one state per second."""
        if state == self.stages[stage]:
            return ()
        between = _seconds_between(state, self.stages[stage], self.matrix)
        return _without_foes_yellow(self.controller, self.field, state, between)

    @cached_property
    def longest_change_s(self) -> int:
        """Seconds of the longest change. [s]"""
        return max((len(states) for states in self.changes.values()), default=0)

    def nearest(self, state: str) -> int:
        """The stage that shows green to most of those a state shows green to (and to fewest others)."""

        def unlike(stage: str) -> int:
            return sum((a in GREEN) != (b in GREEN) for a, b in zip(stage, state, strict=True))

        return min(range(len(self.stages)), key=lambda s: (unlike(self.stages[s]), s))


def stage_pool(network: RoadNetwork, controller: Controller, field: ControllerPlan, settings: Settings) -> StagePool:
    """The stages that the field program shows, and changes by the clearance matrix.

    Parameters
    ----------
    network : RoadNetwork
        Lengths of crossings.
    controller : Controller
        The signal.
    field : ControllerPlan
        Its program in force: source of the stages and the yardstick of all rules.
    settings : Settings
        Least greens, longest red, clearances.
    """
    matrix = plan_matrix(network, controller, field, settings)
    limits = SignalLimits(controller, field, settings)
    stages = tuple(stages_of(field))[:MAX_STAGES] or (field.intervals[0].state,)
    changes = {
        (a, b): _without_foes_yellow(controller, field, stages[a], _seconds_between(stages[a], stages[b], matrix))
        for a, b in itertools.permutations(range(len(stages)), 2)
    }
    served = {k for stage in stages for k, letter in enumerate(stage) if letter in OPEN}
    max_red_s = np.array(
        [
            limits.most_red_s[k] if k in served and controller.heads[k].kind != "dead" else np.inf
            for k in range(limits.n_heads)
        ]
    )
    return StagePool(
        controller=controller,
        field=field,
        matrix=matrix,
        stages=stages,
        changes=changes,
        need_s=_need_s(network, controller, len(stages[0]), matrix),
        max_red_s=max_red_s,
        guarded=_guarded(controller, field, stages, settings),
        protected_s=settings.limits.min_green_s,
    )


def _guarded(
    controller: Controller, field: ControllerPlan, stages: Sequence[str], settings: Settings
) -> frozenset[int]:
    """Link indices with a green that only yields in some stages and is protected in others."""
    if settings.rules.left_turns == "free":
        return frozenset()
    permitted = {
        k
        for stage in stages
        for k, letter in enumerate(stage)
        if letter == "g" or (letter == "G" and k in waits_in(controller, controller.conflicts, stage))
    }
    return frozenset(protected_in(controller, field) & permitted)


def _seconds_between(stage: str, following: str, matrix: ClearanceMatrix) -> tuple[str, ...]:
    """The change from one stage to another, one state per second."""
    states, durations, stretch = with_changes((stage, following), matrix)
    back = stretch.index(True, 1)  # the second stage; what follows leads back to the first
    return tuple(state for n in range(1, back) for state in [states[n]] * durations[n])


def _without_foes_yellow(
    controller: Controller, field: ControllerPlan, stage: str, states: Sequence[str]
) -> tuple[str, ...]:
    """Nobody gets a protected green beside the yellow of a foe, unless the field shows it: it waits for the end."""
    shown = {interval.state for program in (*controller.programs, field) for interval in program.intervals}
    foes = foes_of(conflict_pairs(controller, field))

    def may(green: int, yellow: int) -> bool:
        return any(s[green] == "G" and s[yellow] in GREEN + YELLOW for s in shown if max(green, yellow) < len(s))

    out = []
    for state in states:
        letters = list(state)
        for k, letter in enumerate(state):
            starts = letter == "G" and stage[k] != "G"
            if starts and any(state[j] in YELLOW and not may(k, j) for j in foes.get(k, ())):
                letters[k] = stage[k]
        out.append("".join(letters))
    return tuple(out)


def _need_s(network: RoadNetwork, controller: Controller, n_heads: int, matrix: ClearanceMatrix) -> NDArray[np.float64]:
    """Least green of every link index; crossings need the walk before their clearance. (H,) [s]"""
    out = np.zeros(n_heads)
    for head in controller.heads[:n_heads]:
        k = head.index
        if head.kind == "dead":
            continue
        out[k] = float(matrix.min_green_s[k])
        if head.kind == "crossing":
            clearance_s = max((matrix[k, j] for i, j in matrix.sources if i == k), default=0.0)
            whole_s = crossing_need_s(network, head)
            out[k] = max(out[k], whole_s - clearance_s)
    return out

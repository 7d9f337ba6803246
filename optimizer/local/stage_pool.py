"""The stages a signal may choose among, and the changes between any two of them, second by second."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import (
    WALK_S,
    WALK_SPEED_MPS,
    ClearanceMatrix,
    conflict_pairs,
    crossing_length_m,
    foes_of,
)
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
    min_hold_s : tuple of int
        Least seconds that a stage stays once its change is over.
    max_red_s : ndarray, shape (H,)
        Longest red; infinite where the link index controls nothing or no stage serves it. [s]
    guarded : frozenset of int
        Link indices that keep a protected green of their own, because only some stages protect them.
    """

    controller: Controller
    field: ControllerPlan
    matrix: ClearanceMatrix
    stages: tuple[str, ...]
    changes: dict[tuple[int, int], tuple[str, ...]]
    min_hold_s: tuple[int, ...]
    max_red_s: NDArray[np.float64]
    guarded: frozenset[int] = frozenset()

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
        min_hold_s=tuple(_min_hold_s(network, controller, stage, matrix) for stage in stages),
        max_red_s=max_red_s,
        guarded=_guarded(controller, field, stages, settings),
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


def _min_hold_s(network: RoadNetwork, controller: Controller, stage: str, matrix: ClearanceMatrix) -> int:
    """Least green of all that may turn green with the stage; crossings need the walk before their clearance."""
    least_s = 1.0
    for k, letter in enumerate(stage):
        head = controller.heads[k]
        if letter not in GREEN or head.kind == "dead":
            continue
        need_s = float(matrix.min_green_s[k])
        if head.kind == "crossing":
            clearance_s = max((matrix[k, j] for i, j in matrix.sources if i == k), default=0.0)
            whole_s = WALK_S + crossing_length_m(network, head) / WALK_SPEED_MPS
            need_s = max(need_s, whole_s - clearance_s)
        least_s = max(least_s, need_s)
    return math.ceil(least_s - 1e-9)

"""Other stages for signals of large networks: few sequences, the likely ones by closed form, each checked once."""

from __future__ import annotations

import itertools

import numpy as np

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from network_data.settings import Settings
from optimizer.models import ControllerModel, errors_of
from optimizer.skeleton import Skeleton
from optimizer.stages import choices, orders, shown_states, with_changes
from optimizer.webster_splits import critical_ratios, stage_ratios, webster_splits

KEPT = 3
"""New sequences per signal."""
LOOKED_AT = 40
"""Sequences of a signal that are laid out to choose from."""
REFERENCE_S = 60.0
"""Cycle in which sequences are compared: lost time counts as a share of it. [s]"""
CYCLES_S = (60, 80, 50, 100, 120, 150)
"""Cycles in which a sequence is checked, beside the field's: the first in which it fits. [s]"""


def add_sequences(
    network: RoadNetwork,
    model: ControllerModel,
    settings: Settings,
    demand: DemandScenarios,
    *,
    may_lose: frozenset[int],
    most: int = KEPT,
) -> None:
    """Give a signal other choices and orders of the field's stages: those that need least of a cycle.

    Parameters
    ----------
    demand : DemandScenarios
        For the warrants of turns that lose their protected green.
    may_lose : frozenset of int
        Link indices that may end up without a protected green.
    most : int
        How many sequences are kept; each has passed `check_plan` once.
    """
    if model.fixed or {"stages", "splits"} & set(settings.change.freeze):
        return
    shown = shown_states(model.controller, model.field)
    known = {_turned(model.skeletons[0].states)}
    ranked = []
    sequences = (
        order for chosen in choices(model.controller, model.field, may_lose=may_lose) for order in orders(chosen)
    )
    for n, sequence in enumerate(itertools.islice(sequences, LOOKED_AT)):
        laid_out = with_changes(sequence, model.matrix, shown)
        if _turned(laid_out[0]) not in known:
            known.add(_turned(laid_out[0]))
            ranked.append((_needed_share(model, *laid_out), n, laid_out))
    added = 0
    for _, _, (states, durations, stretch) in sorted(ranked, key=lambda row: row[:2]):
        if added == most:
            return
        skeleton = model.book.skeleton("stages", states, durations, stretch)
        plan = _some_plan(model, skeleton)
        if plan is not None and not errors_of(network, model, plan, settings, demand):
            model.skeletons.append(skeleton)
            added += 1


def _turned(states: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """The same for all rotations of a sequence."""
    return min(tuple(states[i:]) + tuple(states[:i]) for i in range(len(states)))


def _needed_share(model: ControllerModel, states: list[str], durations_s: list[int], stretch: list[bool]) -> float:
    """Share of a middling cycle that critical flows, least greens and changes take together. [-]"""
    free = np.array(stretch)
    ratios = stage_ratios(states, np.array(durations_s), free, model.flows)
    least = np.array(
        [
            max((model.matrix.min_green_s[k] for k, letter in enumerate(state) if letter in GREEN), default=0.0)
            for state in itertools.compress(states, stretch)
        ]
    )
    lost_s = float(np.array(durations_s)[~free].sum())
    return float(np.maximum(ratios, least / REFERENCE_S).sum()) + lost_s / REFERENCE_S


def _some_plan(model: ControllerModel, skeleton: Skeleton) -> ControllerPlan | None:
    """The sequence in the first cycle in which closed-form greens keep the sums; None where there is none."""
    ratios = critical_ratios(skeleton, model.flows)
    for cycle_s in (round(model.field.cycle_s), *CYCLES_S):
        if model.book.limits.cycle.allows(cycle_s):
            durations = webster_splits(skeleton, ratios, cycle_s)
            if durations is not None:
                return skeleton.plan(durations, round(model.field.offset_s) % cycle_s)
    return None

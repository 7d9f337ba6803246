"""Stages: read them out of a field program, choose and order them anew, and build the changes between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence

from network_data.clearance import ClearanceMatrix
from network_data.controllers import Controller
from network_data.plans import GREEN, YELLOW, ControllerPlan
from network_data.rules import protected_indices
from optimizer.skeleton import is_steady

MAX_STAGES = 8


def stages_of(plan: ControllerPlan) -> list[str]:
    """The states of a program that are stages of their own, each once, in order.

    Transitions (yellow, all-red, staggered starts and ends) are left out: a state counts when nobody has yellow and no
    other state of the program shows green to all that it does and more, in the same letters.
    """
    steady = list(dict.fromkeys(i.state for i in plan.intervals if is_steady(i.state)))
    return [state for state in steady if not any(_covers(other, state) for other in steady if other != state)]


def _covers(more: str, less: str) -> bool:
    """Whether a state gives green to all that the other does, protected where it does, and to more."""
    return all(a == b or (b == "g" and a == "G") or b not in GREEN for a, b in zip(more, less, strict=True))


def shown_states(controller: Controller, field: ControllerPlan) -> frozenset[str]:
    """Every state of the programs known for a controller."""
    return frozenset(i.state for program in (*controller.programs, field) for i in program.intervals)


def choices(controller: Controller, field: ControllerPlan, *, may_lose: frozenset[int]) -> list[tuple[str, ...]]:
    """Choices of the field's stages, in its order, that serve everybody the field serves, as well protected.

    Parameters
    ----------
    may_lose : frozenset of int
        Link indices that may end up without a protected green.
    """
    pool = stages_of(field)
    if not 2 <= len(pool) <= MAX_STAGES:
        return []
    served = {k for k in range(len(pool[0])) if any(i.state[k] in GREEN for i in field.intervals)}
    guarded = protected_indices(controller, field) - may_lose
    return [
        chosen
        for size in range(2, len(pool) + 1)
        for chosen in itertools.combinations(pool, size)
        if all(any(state[k] in GREEN for state in chosen) for k in served)
        and guarded <= _guarded_in(controller, chosen, guarded)
    ]


def orders(chosen: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All cyclic orders of some stages; the first one stays first, so that no rotation appears twice."""
    for rest in itertools.permutations(chosen[1:]):
        yield (chosen[0], *rest)


def _guarded_in(controller: Controller, states: Sequence[str], indices: frozenset[int] | set[int]) -> set[int]:
    """Link indices with a protected green in one of the states."""
    out = set()
    for state in states:
        green = {k for k, letter in enumerate(state) if letter in GREEN}
        waiting = {i for i, j in controller.yields if i in green and j in green}
        out |= {k for k in indices if state[k] == "G" and k not in waiting}
    return out


def with_changes(
    sequence: Sequence[str], matrix: ClearanceMatrix, shown: Collection[str] = ()
) -> tuple[list[str], list[int], list[bool]]:
    """States, durations and which may stretch: the stages with the changes between them, everybody as early as allowed.

    At a change those who lose green show their yellow at once; the next start as soon as the clearance from each
    conflicting one has passed, and with a protected green not before its yellow is over, however short the clearance.

    Parameters
    ----------
    shown : collection of str
        States known from the field: a protected green that one of them shows beside a conflicting green or yellow may
        begin beside that yellow.
    """
    states: list[str] = []
    durations: list[int] = []
    stretch: list[bool] = []
    for n, stage in enumerate(sequence):
        following = sequence[(n + 1) % len(sequence)]
        states.append(stage)
        durations.append(5)
        stretch.append(True)
        for state, seconds in _change(stage, following, matrix, shown):
            states.append(state)
            durations.append(seconds)
            stretch.append(False)
    return states, durations, stretch


def _change(stage: str, following: str, matrix: ClearanceMatrix, shown: Collection[str]) -> list[tuple[str, int]]:
    """The intervals between two stages, equal neighbours joined."""
    n = len(stage)
    yellow = [math.ceil(matrix.yellow_s[k] - 1e-9) for k in range(n)]
    ends = [k for k in range(n) if stage[k] in GREEN and following[k] not in GREEN]
    from_s = [0] * n  # when each index takes its new letter
    for k in range(n):
        foes = [e for e in ends if (e, k) in matrix.sources]
        if following[k] in GREEN and (stage[k] not in GREEN or (stage[k] == "g" and following[k] == "G")):
            from_s[k] = max((math.ceil(matrix[e, k] - 1e-9) for e in foes), default=0)
            if following[k] == "G":
                from_s[k] = max([from_s[k], *(yellow[e] for e in foes if not _beside_yellow(shown, k, e))])
    downgrade = [k for k in range(n) if stage[k] == "G" and following[k] == "g"]
    length = max([*from_s, *(yellow[k] for k in ends)], default=0)
    out: list[tuple[str, int]] = []
    for t in range(length):
        letters = [
            _letter(stage[k], following[k], t, from_s[k], yellow[k], k in ends, k in downgrade) for k in range(n)
        ]
        state = "".join(letters)
        if out and out[-1][0] == state:
            out[-1] = (state, out[-1][1] + 1)
        else:
            out.append((state, 1))
    return out


def _beside_yellow(shown: Collection[str], green: int, yellow: int) -> bool:
    """Whether the field gives one a protected green while the other still has green or yellow."""
    return any(s[green] == "G" and s[yellow] in GREEN + YELLOW for s in shown if max(green, yellow) < len(s))


def _letter(old: str, new: str, t: int, from_s: int, yellow_s: int, ends: bool, downgrade: bool) -> str:
    """What a link index shows t seconds into a change."""
    if ends:
        return "y" if t < yellow_s else "r"
    if old in GREEN and new in GREEN:
        if downgrade:
            return "g"  # whoever comes green during the change goes before it
        return new if t >= from_s else old
    if new in GREEN:
        return new if t >= from_s else (old if old not in YELLOW else "r")
    return old

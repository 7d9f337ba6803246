"""Every rule of a signal as a sum over its durations that lies in some ranges: what conflicts are looked for in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.plans import GREEN
from network_data.signal_limits import TOLERANCE_S
from optimizer.flows import HeadFlows
from optimizer.rulebook import RuleBook
from optimizer.skeleton import UNBOUNDED_S, RuleName, Skeleton
from optimizer.timings import green_weights

LOAD_SCALE = 100_000
"""Shares of green as whole numbers."""

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """The sum of coefficient times duration over the intervals of one signal lies in one of the ranges. [s]"""

    rule: RuleName
    signal: int
    terms: tuple[tuple[int, int], ...]
    ranges: Ranges
    unit: int = 1

    @property
    def least(self) -> int | None:
        """Where it only bounds from below."""
        return self.ranges[0][0] if len(self.ranges) == 1 and self.ranges[0][1] >= UNBOUNDED_S * self.unit else None

    @property
    def most(self) -> int | None:
        """Where it only bounds from above."""
        return self.ranges[-1][1] if len(self.ranges) == 1 and self.ranges[0][0] <= 0 else None

    def holds(self, durations_s: NDArray[np.int64]) -> bool:
        """Whether durations keep it."""
        value = sum(c * int(durations_s[i]) for i, c in self.terms)
        return any(low <= value <= high for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class CommonCycle:
    """Some signals run the longest of their cycles, or half of it."""

    rule: RuleName
    signals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Every duration of a signal is the field's. [s]"""

    rule: RuleName
    signal: int
    durations_s: tuple[int, ...]


Rule = Requirement | CommonCycle | Fixed


@dataclass(frozen=True, eq=False)
class SignalProgram:
    """The states of a signal whose durations are looked for, and the rules on them; `field_s` are the field's."""

    book: RuleBook
    skeleton: Skeleton
    field_s: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of intervals."""
        return len(self.skeleton.states)


def requirements(
    program: SignalProgram,
    at: int,
    *,
    flows: HeadFlows | None = None,
    field_loads: NDArray[np.float64] | None = None,
    least_share: NDArray[np.float64] | None = None,
    freeze_cycle: bool = False,
    fixed: bool = False,
) -> list[Requirement | Fixed]:
    """The rules of one signal.

    Parameters
    ----------
    at : int
        Number of the signal.
    flows, field_loads : optional
        With both, nobody may come above v/c 1 who is below in the field (closed form).
    least_share : ndarray, shape (H,), optional
        Green over cycle that is not taken away. [-]
    freeze_cycle : bool
        The cycle stays the field's.
    fixed : bool
        The whole program stays the field's.
    """
    skeleton = program.skeleton
    out: list[Requirement | Fixed] = []
    for row, low, high, rule in zip(skeleton.member, skeleton.least_s, skeleton.most_s, skeleton.rules, strict=True):
        terms = tuple((int(i), 1) for i in np.flatnonzero(row))
        out.append(Requirement(rule, at, terms, ((int(low), min(int(high), UNBOUNDED_S)),)))
    out += _cycle_rules(program, at, freeze=freeze_cycle)
    if flows is not None and field_loads is not None:
        out += _load_rules(program, at, flows, field_loads)
    if least_share is not None:
        out += _kept_rules(program, at, least_share)
    if fixed:
        out.append(Fixed(RuleName("fixed"), at, tuple(int(s) for s in program.field_s)))
    return out


def _cycle_rules(program: SignalProgram, at: int, *, freeze: bool) -> list[Requirement]:
    """Bounds of the cycle, each side apart where it is a range."""
    limits, all_of_it = program.book.limits, tuple((i, 1) for i in range(program.n))
    bounds, out = limits.cycle, []
    low, high = math.ceil(bounds.low_s - TOLERANCE_S), math.floor(bounds.high_s + TOLERANCE_S)
    today = round(bounds.today_s)
    stays = bounds.today_may_stay and abs(today - bounds.today_s) <= TOLERANCE_S
    if bounds.fixed:
        out.append(Requirement(RuleName("cycle", what="fixed"), at, all_of_it, ((low, high),)))
    else:
        below = ((today, today),) if stays and today < low else ()
        above = ((today, today),) if stays and today > high else ()
        out.append(Requirement(RuleName("cycle", what="least"), at, all_of_it, (*below, (low, UNBOUNDED_S))))
        out.append(Requirement(RuleName("cycle", what="most"), at, all_of_it, ((0, high), *above)))
    change_s = 0.0 if freeze else limits.cycle_change_s
    if change_s is not None:
        slack_s, today_s = max(change_s, float(limits.rounding_s[-1])), bounds.today_s
        sides = {"least": (math.ceil(today_s - slack_s - 1e-9), UNBOUNDED_S)}
        sides["most"] = (0, math.floor(today_s + slack_s + 1e-9))
        for side, span in sides.items():
            rule = RuleName("cycle-change", what=f"frozen {side}" if freeze else side)
            out.append(Requirement(rule, at, all_of_it, (span,)))
    return out


def _kept_rules(program: SignalProgram, at: int, least_share: NDArray[np.float64]) -> list[Requirement]:
    """Green over cycle at least a share, for whom nobody knows what they could spare."""
    most = UNBOUNDED_S * LOAD_SCALE
    out = []
    for k in np.flatnonzero(least_share[: len(program.skeleton.states[0])] > 0):
        share = float(least_share[k])
        greens = (state[k] in GREEN for state in program.skeleton.states)
        terms = tuple((i, math.ceil((green - share + 1e-9) * LOAD_SCALE)) for i, green in enumerate(greens))
        out.append(Requirement(RuleName("kept-green", (int(k),)), at, terms, ((0, most),), LOAD_SCALE))
    return out


def _load_rules(
    program: SignalProgram, at: int, flows: HeadFlows, field_loads: NDArray[np.float64]
) -> list[Requirement]:
    """Weighted green over cycle at least flow over saturation flow, for whoever is below 1 in the field."""
    weights, need = green_weights(program.book.controller, program.skeleton, flows), flows.needed_share()
    most = UNBOUNDED_S * LOAD_SCALE
    seen: dict[bytes, tuple[float, Requirement]] = {}
    for head in program.book.controller.heads[: len(program.skeleton.states[0])]:
        k = head.index
        if need[k] <= 0 or field_loads[k] > 1.0 or not weights[k].any():
            continue
        # rounded in favour of keeping the rule: the simulation and the search's own test come behind it
        terms = tuple((i, math.ceil((w - need[k] + 1e-9) * LOAD_SCALE)) for i, w in enumerate(weights[k]))
        one = Requirement(RuleName("v-over-c", (k,)), at, terms, ((0, most),), LOAD_SCALE)
        key = weights[k].tobytes()
        if key not in seen or seen[key][0] < need[k]:
            seen[key] = (float(need[k]), one)
    return [one for _, one in seen.values()]

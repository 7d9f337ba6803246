"""What binds a program: which rules forbid to move one more second, or to shift or stretch it further."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.directions import Places
from network_data.plans import ControllerPlan
from optimizer.flows import HeadFlows
from optimizer.infeasible.rules import Fixed, Requirement, SignalProgram, requirements
from optimizer.infeasible.words import Speaker
from optimizer.models import merged
from optimizer.rulebook import RuleBook
from optimizer.skeleton import UNBOUNDED_S, is_steady
from optimizer.timings import green_weights


@dataclass(frozen=True, slots=True)
class Binding:
    """A rule that leaves no more room: its name in `check_plan`, the link indices, its bound, and both in words.

    `at_s` is None where the bound is no number of seconds (v/c).
    """

    rule: str
    heads: tuple[int, ...]
    at_s: float | None
    text: str


class Bindings:
    """The rules on one signal's program and how far it is from each."""

    def __init__(
        self,
        book: RuleBook,
        plan: ControllerPlan,
        places: Places,
        *,
        flows: HeadFlows | None = None,
        least_share: NDArray[np.float64] | None = None,
    ) -> None:
        states, durations, stretch = merged(plan)
        skeleton = book.skeleton("plan", states, durations, stretch)
        program = SignalProgram(book, skeleton, skeleton.start_s)
        loads = None if flows is None else _field_loads(book, flows)
        self.rules = [
            rule
            for rule in requirements(program, 0, flows=flows, field_loads=loads, least_share=least_share)
            if not isinstance(rule, Fixed)
        ]
        self.states, self.durations_s = skeleton.states, skeleton.start_s
        self._speaker = Speaker(places, [program])
        self._coefficients = np.zeros((len(self.rules), program.n), np.int64)
        for r, rule in enumerate(self.rules):
            for i, coefficient in rule.terms:
                self._coefficients[r, i] += coefficient
        self._values = self._coefficients @ self.durations_s

    def _broken_by(self, change: NDArray[np.int64]) -> list[Requirement]:
        """The rules that hold now and would not after a change of durations."""
        after = self._values + self._coefficients @ change
        return [
            rule
            for rule, now, then in zip(self.rules, self._values, after, strict=True)
            if _inside(rule, int(now)) and not _inside(rule, int(then))
        ]

    def against_more(self, intervals: Iterable[int]) -> list[Binding]:
        """What forbids that some intervals get a second from others; empty where one of the moves is allowed."""
        inside = sorted(intervals)
        outside = [i for i in range(len(self.states)) if i not in set(inside)]
        return self._against(givers=self._steady(outside), takers=self._steady(inside))

    def against_less(self, intervals: Iterable[int]) -> list[Binding]:
        """What forbids that some intervals give a second to others; empty where one of the moves is allowed."""
        inside = sorted(intervals)
        outside = [i for i in range(len(self.states)) if i not in set(inside)]
        return self._against(givers=self._steady(inside), takers=self._steady(outside))

    def _steady(self, intervals: Sequence[int]) -> list[int]:
        return [i for i in intervals if is_steady(self.states[i])]

    def _against(self, givers: Sequence[int], takers: Sequence[int]) -> list[Binding]:
        found: dict[Requirement, None] = {}
        for a in givers:
            for b in takers:
                change = np.zeros(len(self.states), np.int64)
                change[a] -= 1
                change[b] += 1
                broken = self._broken_by(change)
                if not broken and self.durations_s[a] > 1:
                    return []
                found.update(dict.fromkeys(broken))
        return self._said(found)

    def against_cycle(self, step_s: int) -> list[Binding]:
        """What forbids a cycle a second longer (1) or shorter (-1), in whichever interval; empty where nothing does."""
        found: dict[Requirement, None] = {}
        for i in self._steady(range(len(self.states))):
            change = np.zeros(len(self.states), np.int64)
            change[i] = step_s
            broken = self._broken_by(change)
            if not broken and self.durations_s[i] + step_s >= 1:
                return []
            found.update(dict.fromkeys(broken))
        return self._said(found)

    def _said(self, rules: Iterable[Requirement]) -> list[Binding]:
        out: dict[str, Binding] = {}
        for rule in rules:
            bound = rule.least if rule.least is not None else rule.most
            bound = bound if bound is not None else rule.ranges[-1][1]
            at_s = float(bound) if rule.unit == 1 and bound < UNBOUNDED_S else None
            if rule.rule.rule == "kept-green":
                text = self._speaker.demand(rule)
            elif at_s is None:
                text = f"{self._speaker.demand(rule).split(' at v/c')[0]} binds at v/c 1"
            else:
                text = f"{self._speaker.thing(rule)} binds at {at_s:g} s"
            out.setdefault(text, Binding(rule.rule.rule, rule.rule.heads, at_s, text))
        return list(out.values())


def _inside(rule: Requirement, value: int) -> bool:
    return any(low <= value <= high for low, high in rule.ranges)


def _field_loads(book: RuleBook, flows: HeadFlows) -> NDArray[np.float64]:
    """Closed-form v/c of the field program by link index. [-]"""
    states, durations, stretch = merged(book.field)
    skeleton = book.skeleton("field", states, durations, stretch)
    share = green_weights(book.controller, skeleton, flows) @ skeleton.start_s / skeleton.start_s.sum()
    need = flows.needed_share()
    return np.asarray(np.divide(need, share, out=np.zeros_like(need), where=share > 0))

"""The CP-SAT model of signals' durations: one literal per rule, so that conflicts and mended durations come from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from network_data.errors import SignalError
from optimizer.infeasible.rules import CommonCycle, Fixed, Requirement, Rule
from optimizer.skeleton import UNBOUNDED_S

LONGEST_S = 1000
"""No interval and no cycle is looked for beyond. [s]"""


class RuleModel:
    """Signals with unknown durations, and rules on them.

    Parameters
    ----------
    n_intervals : sequence of int
        Intervals of each signal.
    rules : sequence of Rule
        Numbered as they come.
    """

    def __init__(self, n_intervals: Sequence[int], rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._model = cp_model.CpModel()
        # times at which intervals end: sums of neighbours are differences, which the solver propagates well
        self._ends = [
            [self._model.new_int_var(i + 1, LONGEST_S, f"t{s}.{i}") for i in range(n)]
            for s, n in enumerate(n_intervals)
        ]
        self._cycles = [ends[-1] for ends in self._ends]
        for ends in self._ends:
            for before, after in pairwise(ends):
                self._model.add(after - before >= 1)
        self._kept = [self._model.new_bool_var(f"rule{r}") for r in range(len(self.rules))]
        for rule, kept in zip(self.rules, self._kept, strict=True):
            if isinstance(rule, Requirement):
                self._require(rule, kept)
            elif isinstance(rule, Fixed):
                self._fix(rule, kept)
            else:
                self._share_cycle(rule, kept)

    def _require(self, rule: Requirement, kept: cp_model.IntVar) -> None:
        """A sum of one signal's durations lies in the ranges."""
        far = 10 * UNBOUNDED_S * rule.unit
        ranges = [
            [low if low > 0 else -far, high if high < UNBOUNDED_S * rule.unit else far] for low, high in rule.ranges
        ]
        # a load is a difference: it has to reach 0
        ranges = ranges if rule.unit == 1 else [list(span) for span in rule.ranges]
        domain = cp_model.Domain.from_intervals(ranges)
        value = _sum(self._ends[rule.signal], rule.terms)
        self._model.add_linear_expression_in_domain(value, domain).only_enforce_if(kept)

    def _fix(self, rule: Fixed, kept: cp_model.IntVar) -> None:
        """A signal keeps its durations."""
        for end, second in zip(self._ends[rule.signal], np.cumsum(rule.durations_s), strict=True):
            self._model.add(end == int(second)).only_enforce_if(kept)

    def _share_cycle(self, rule: CommonCycle, kept: cp_model.IntVar) -> None:
        """Some signals run one cycle or half of it."""
        base = self._model.new_int_var(1, LONGEST_S, "base")
        for signal in rule.signals:
            half = self._model.new_bool_var("half")
            self._model.add(self._cycles[signal] == base).only_enforce_if([kept, ~half])
            self._model.add(2 * self._cycles[signal] == base).only_enforce_if([kept, half])

    def _solved(self, model: cp_model.CpModel) -> tuple[cp_model.CpSolver, bool]:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = 20.0
        status = solver.solve(model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE, cp_model.INFEASIBLE):
            raise SignalError(f"the rules could not be decided: CP-SAT says {solver.status_name(status)}")
        return solver, status != cp_model.INFEASIBLE

    def core(self, rules: frozenset[int]) -> frozenset[int] | None:
        """Some of the rules that conflict already, from the assumptions; None where all of them can be kept."""
        model = self._model.clone()
        literals = {self._kept[rule].index: rule for rule in sorted(rules)}
        model.add_assumptions([model.get_bool_var_from_proto_index(index) for index in literals])
        solver, fits = self._solved(model)
        if fits:
            return None
        return frozenset(literals[index] for index in solver.sufficient_assumptions_for_infeasibility())

    def _with(self, rules: frozenset[int]) -> cp_model.CpModel:
        """The model with some rules enforced."""
        model = self._model.clone()
        for rule in sorted(rules):
            model.add(model.get_bool_var_from_proto_index(self._kept[rule].index) == 1)
        return model

    def most(self, rules: frozenset[int]) -> frozenset[int]:
        """As many rules as possible beside these."""
        model = self._with(rules)
        model.maximize(sum(model.get_bool_var_from_proto_index(kept.index) for kept in self._kept))
        solver, _ = self._solved(model)
        return frozenset(r for r, kept in enumerate(self._kept) if solver.value(kept))

    def extreme(self, rules: frozenset[int], of: Requirement, *, largest: bool) -> int | None:
        """Smallest or largest value of a rule's sum under other rules; None where these conflict."""
        model = self._with(rules)
        value = _sum([model.get_int_var_from_proto_index(end.index) for end in self._ends[of.signal]], of.terms)
        if largest:
            model.maximize(value)
        else:
            model.minimize(value)
        solver, fits = self._solved(model)
        return round(solver.objective_value) if fits else None

    def cycle_range(self, rules: frozenset[int], signal: int) -> tuple[int, int] | None:
        """Shortest and longest cycle of a signal under some rules. [s]"""
        whole = Requirement(
            self.rules[0].rule, signal, tuple((i, 1) for i in range(len(self._ends[signal]))), ((0, UNBOUNDED_S),)
        )
        low = self.extreme(rules, whole, largest=False)
        high = self.extreme(rules, whole, largest=True)
        return None if low is None or high is None else (low, high)

    def nearest(self, wanted_s: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]] | None:
        """Durations that keep every rule, with the fewest seconds moved from those wanted; None where none do."""
        model = self._with(frozenset(range(len(self.rules))))
        moved = []
        for ends, wanted in zip(self._ends, wanted_s, strict=True):
            times = [model.get_int_var_from_proto_index(end.index) for end in ends]
            for i, second in enumerate(wanted):
                away = model.new_int_var(0, LONGEST_S, "")
                model.add_abs_equality(away, _sum(times, ((i, 1),)) - int(second))
                moved.append(away)
        model.minimize(sum(moved))
        solver, fits = self._solved(model)
        if not fits:
            return None
        return [np.diff([0, *(solver.value(end) for end in ends)]).astype(np.int64) for ends in self._ends]


def _sum(ends: Sequence[cp_model.IntVar], terms: Sequence[tuple[int, int]]) -> cp_model.LinearExprT:
    """Coefficient times duration, by the times at which intervals end."""
    of_end: dict[int, int] = defaultdict(int)
    for i, coefficient in terms:
        of_end[i] += coefficient
        of_end[i - 1] -= coefficient
    return sum(coefficient * ends[i] for i, coefficient in sorted(of_end.items()) if i >= 0 and coefficient)

"""The smallest set of rules that conflict: minimum hitting sets of what must give way against what can stay.

A set of rules conflicts exactly when it shares a rule with every set whose removal mends the whole. So the smallest
conflict is found by taking the smallest set that meets all such sets known so far, and asking whether it conflicts; if
not, what has to give way beside it is one more set to meet [1]_.

References
----------
.. [1] A. Ignatiev, A. Previti, M. Liffiton, J. Marques-Silva, "Smallest MUS extraction with minimal hitting set
   dualization", CP 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ortools.sat.python import cp_model

MAX_ROUNDS = 400


class Oracle(Protocol):
    """What is asked of the rules, numbered from 0."""

    def core(self, rules: frozenset[int]) -> frozenset[int] | None:
        """Some of the rules that conflict already; None where all of them can be kept."""

    def most(self, rules: frozenset[int]) -> frozenset[int]:
        """As many rules as possible that can be kept beside these, which can be kept themselves."""


def minimal_core(oracle: Oracle, rules: frozenset[int]) -> frozenset[int] | None:
    """A conflict from which no rule can be left out; None where there is none."""
    core = oracle.core(rules)
    if core is None:
        return None
    for rule in sorted(core):
        if rule in core:
            smaller = oracle.core(core - {rule})
            core = core if smaller is None else smaller
    return core


def smallest_core(
    oracle: Oracle, rules: frozenset[int], *, rounds: int = MAX_ROUNDS
) -> tuple[frozenset[int], bool] | None:
    """A conflict with the fewest rules.

    Parameters
    ----------
    oracle : Oracle
        Answers which rules conflict.
    rules : frozenset of int
        All rules.
    rounds : int
        Hitting sets to try; what is known by then is a conflict that no rule can be left out of.

    Returns
    -------
    (rules, proven) or None
        proven: no conflict has fewer rules. None where all rules can be kept.
    """
    known = minimal_core(oracle, rules)
    if known is None:
        return None
    to_meet: list[frozenset[int]] = []
    for _ in range(rounds):
        chosen = _hitting_set(to_meet)
        if len(chosen) >= len(known):
            return known, True
        core = oracle.core(chosen)
        if core is not None:
            return chosen, True
        to_meet.append(rules - oracle.most(chosen))
    return known, False


def _hitting_set(sets: Sequence[frozenset[int]]) -> frozenset[int]:
    """The fewest rules that meet every set; of equal ones the first numbers."""
    model = cp_model.CpModel()
    members = sorted(frozenset().union(*sets))
    chosen = {rule: model.new_bool_var("") for rule in members}
    for one in sets:
        model.add_bool_or([chosen[rule] for rule in sorted(one)])
    n = len(members)
    model.minimize(sum(((n + 1) ** 2 + i) * chosen[rule] for i, rule in enumerate(members)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.solve(model)
    return frozenset(rule for rule in members if solver.boolean_value(chosen[rule]))

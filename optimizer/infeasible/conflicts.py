"""Public calls: does any plan keep the rules of these signals, and if none does, which rules conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.directions import Places, joined
from network_data.errors import InfeasibleError
from network_data.network import RoadNetwork
from optimizer.infeasible.cores import smallest_core
from optimizer.infeasible.model import RuleModel
from optimizer.infeasible.rules import CommonCycle, Fixed, Requirement, Rule, SignalProgram
from optimizer.infeasible.words import BrokenRule, Speaker, sentence
from optimizer.skeleton import RuleName


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rules that no plan keeps together; `proven` where no conflict of fewer rules exists."""

    controllers: tuple[str, ...]
    sentence: str
    rules: tuple[BrokenRule, ...]
    proven: bool

    @property
    def text(self) -> str:
        """The sentence and, one per line, the rules: one of them has to give way."""
        lines = [f"  {one.rule}{f' ({one.controller})' if one.controller else ''}: {one.text}" for one in self.rules]
        kind = "the smallest set of rules that conflict" if self.proven else "none of these rules can be left out"
        return "\n".join([self.sentence, *lines, f"  {kind}; loosen one of them in the settings"])


class ConflictError(InfeasibleError):
    """No plan keeps the rules; carries every signal's (or group's) conflict."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("\n".join(conflict.text for conflict in conflicts))


def rule_model(
    programs: Sequence[SignalProgram],
    rules: Sequence[Sequence[Requirement | Fixed]],
    groups: Sequence[Sequence[int]] = (),
) -> RuleModel:
    """The model of some signals; rules per signal, and groups of signals with a common cycle."""
    shared: list[Rule] = [CommonCycle(RuleName("common-cycle"), tuple(group)) for group in groups]
    return RuleModel([p.n for p in programs], [*(rule for own in rules for rule in own), *shared])


def conflict_of(
    network: RoadNetwork,
    programs: Sequence[SignalProgram],
    rules: Sequence[Sequence[Requirement | Fixed]],
    groups: Sequence[Sequence[int]] = (),
) -> Conflict | None:
    """The smallest set of rules that conflict.

    Parameters
    ----------
    network : RoadNetwork
        For the names of streets and sides.
    programs : sequence of SignalProgram
        Signals in the order by which the rules number them.
    rules : sequence
        Per signal what `requirements` gives.
    groups : sequence of sequence of int
        Signals with a common cycle.

    Returns
    -------
    Conflict or None
        None where durations exist that keep every rule.
    """
    model = rule_model(programs, rules, groups)
    found = smallest_core(model, frozenset(range(len(model.rules))))
    if found is None:
        return None
    core, proven = found
    speaker = Speaker(Places(network), programs)
    ids = {n: program.book.controller.id for n, program in enumerate(programs)}
    broken = [speaker.broken(model.rules[r]) for r in sorted(core)]
    return Conflict(
        controllers=tuple(dict.fromkeys(one.controller for one in broken if one.controller))
        or (joined([*ids.values()]),),
        sentence=sentence(speaker, model, core, ids),
        rules=tuple(broken),
        proven=proven,
    )


def mended(
    programs: Sequence[SignalProgram],
    rules: Sequence[Sequence[Requirement | Fixed]],
    groups: Sequence[Sequence[int]] = (),
) -> list[NDArray[np.int64]] | None:
    """Durations that keep every rule, as near to the programs' own as possible; None where none do."""
    return rule_model(programs, rules, groups).nearest([p.field_s for p in programs])

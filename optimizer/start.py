"""Where the search begins: the field's plan, mended as little as possible where the settings ask for more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from network_data.network import RoadNetwork
from optimizer.candidate import Candidate, Setting
from optimizer.infeasible import Conflict, ConflictError, SignalProgram, conflict_of, mended
from optimizer.infeasible.rules import Fixed, Requirement, requirements
from optimizer.infeasible.words import BrokenRule
from optimizer.models import merged
from optimizer.moves import Neighbourhood, loads

MOST_CONFLICTS = 20
"""So many conflicts are told; where there are more, mending these comes first."""


def legal_start(network: RoadNetwork, hood: Neighbourhood) -> Candidate:
    """The field's plan in whole seconds where it keeps every rule, else the nearest one that does.

    A signal that has to be mended takes the allowed cycle nearest to its own with closed-form splits; where these do
    not come right, the durations with the fewest seconds moved.

    Raises
    ------
    ConflictError
        No plan keeps the rules: the smallest set of rules that conflict, at every signal or group where some do.
    """
    out = list(hood.field)
    conflicts: list[Conflict] = []
    grouped = {at for group in hood.groups() for at in group}
    for at in range(len(hood.models)):
        if at not in grouped and len(conflicts) < MOST_CONFLICTS:
            found = _alone(network, hood, at)
            if isinstance(found, Conflict):
                conflicts.append(found)
            else:
                out[at] = found
    for group in hood.groups() if len(conflicts) < MOST_CONFLICTS else ():
        together = _together(network, hood, group)
        if isinstance(together, Conflict):
            conflicts.append(together)
        else:
            for at, setting in zip(group, together, strict=True):
                out[at] = setting
    if conflicts:
        raise ConflictError(conflicts)
    return tuple(hood.held(at, setting) for at, setting in enumerate(out))


def program_of(hood: Neighbourhood, at: int, skeleton: int = 0) -> SignalProgram:
    """The states that a signal may be mended in: a skeleton's, or the field's own where it is fixed."""
    model = hood.models[at]
    if model.fixed:
        own = model.book.skeleton("field", *merged(model.field))
        return SignalProgram(model.book, own, own.start_s)
    wanted = hood.field[at].durations_s if skeleton == 0 else model.skeletons[skeleton].start_s
    return SignalProgram(model.book, model.skeletons[skeleton], wanted)


def rules_of(
    hood: Neighbourhood, at: int, program: SignalProgram, *, cautious: bool = False
) -> list[Requirement | Fixed]:
    """Every rule on the durations of one signal, its number among some left 0.

    `cautious` adds the green that approaches without a loop and saturated ones are to keep.
    """
    model, settings = hood.models[at], hood.settings
    keep_load = settings.rules.v_over_c == "keep" and not model.fixed
    return requirements(
        program,
        0,
        flows=model.flows if keep_load else None,
        field_loads=model.field_loads(lambda: loads(model, hood.field[at])) if keep_load else None,
        least_share=model.least_share if cautious and not model.fixed else None,
        freeze_cycle="cycle" in settings.change.freeze and not model.fixed,
        fixed=model.fixed,
    )


def _keeps(rules: Sequence[Requirement | Fixed], durations_s: NDArray[np.int64]) -> bool:
    return all(isinstance(rule, Fixed) or rule.holds(durations_s) for rule in rules)


def _alone(network: RoadNetwork, hood: Neighbourhood, at: int) -> Setting | Conflict:
    """One signal's start, or what conflicts there."""
    setting, model = hood.field[at], hood.models[at]
    own = model.skeletons[0]
    # nearly every signal: the field's own durations keep what is asked, v/c and changes included
    if (
        not model.order_faults
        and setting.skeleton == 0
        and own.allows(setting.durations_s)
        and model.book.limits.cycle.allows(setting.cycle_s)
    ):
        return setting
    program = program_of(hood, at)
    rules = rules_of(hood, at, program)
    if _keeps(rules, program.field_s) and not model.order_faults:
        return setting
    for cautious in () if model.fixed else (True, False):
        for skeleton in model.usable[:1]:
            closed = _closed_form(hood, at, skeleton, cautious=cautious)
            if closed is not None:
                return closed
        for skeleton in model.usable:
            other = program_of(hood, at, skeleton)
            found = mended([other], [rules_of(hood, at, other, cautious=cautious)])
            if found is not None:
                return Setting(skeleton, found[0], setting.offset_s % int(found[0].sum()))
    if model.order_faults:
        return _of_order(hood, at)
    conflict = conflict_of(network, [program], [rules])
    # a fixed program keeps its fractions of seconds: what only rounding breaks is no conflict
    return setting if conflict is None else conflict


def _closed_form(hood: Neighbourhood, at: int, skeleton: int, *, cautious: bool) -> Setting | None:
    """The allowed cycle nearest to the field's whose closed-form splits keep every rule."""
    setting, model = hood.field[at], hood.models[at]
    rules = rules_of(hood, at, program_of(hood, at, skeleton), cautious=cautious)
    bounds = model.book.limits.cycle
    cycles = {*range(int(np.ceil(bounds.low_s)), int(bounds.high_s) + 1), setting.cycle_s}
    for cycle in sorted(cycles, key=lambda c: (abs(c - setting.cycle_s), c)):
        found = model.splits(skeleton, cycle) if hood.cycle_allowed(at, cycle) else None
        if found is not None and _keeps(rules, found[0]):
            return Setting(skeleton, found[0].copy(), setting.offset_s % cycle)
    return None


def _of_order(hood: Neighbourhood, at: int) -> Conflict:
    """The field's sequence of stages is forbidden, and no other one that was laid out keeps the rules."""
    model = hood.models[at]
    name = model.controller.id
    rules = [BrokenRule("stage-change" if "stage" in text else "ring", name, (), text) for text in model.order_faults]
    if model.fixed:
        rules.append(BrokenRule("fixed", name, (), "keeps the field's program"))
        said = "which is fixed"
    elif "stages" in hood.settings.change.freeze:
        rules.append(BrokenRule("stages", name, (), "keeps the field's stages in their order (freeze)"))
        said = "whose stages are frozen"
    else:
        said = "and no other sequence of its stages keeps the rules"
    sentence = f"the field's program of node {name} is forbidden, {said}: {model.order_faults[0]}"
    return Conflict(controllers=(name,), sentence=sentence, rules=tuple(rules), proven=model.fixed)


def _together(network: RoadNetwork, hood: Neighbourhood, group: Sequence[int]) -> list[Setting] | Conflict:
    """The starts of signals with a common cycle, or what conflicts among them."""
    forbidden = [at for at in group if hood.models[at].order_faults and not hood.models[at].usable]
    if forbidden:
        return _of_order(hood, forbidden[0])
    skeletons = [0 if hood.models[at].fixed else hood.models[at].usable[0] for at in group]
    programs = [program_of(hood, at, skeleton) for at, skeleton in zip(group, skeletons, strict=True)]
    rules = [
        [_numbered(rule, n) for rule in rules_of(hood, at, program)]
        for n, (at, program) in enumerate(zip(group, programs, strict=True))
    ]
    everyone = [list(range(len(group)))]
    found = mended(programs, rules, everyone)
    if found is None:
        conflict = conflict_of(network, programs, rules, everyone)
        if conflict is not None:
            return conflict
        found = [p.field_s for p in programs]
    return [
        hood.field[at]
        if hood.models[at].fixed
        else Setting(skeleton, durations, hood.field[at].offset_s % int(durations.sum()))
        for at, skeleton, durations in zip(group, skeletons, found, strict=True)
    ]


def _numbered(rule: Requirement | Fixed, signal: int) -> Requirement | Fixed:
    if isinstance(rule, Fixed):
        return Fixed(rule.rule, signal, rule.durations_s)
    return Requirement(rule.rule, signal, rule.terms, rule.ranges, rule.unit)

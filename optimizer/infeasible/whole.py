"""Whether settings leave room for any plan of a network, demand aside: what `its check` says of them."""

from __future__ import annotations

from collections.abc import Collection

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from optimizer.infeasible.conflicts import Conflict, conflict_of
from optimizer.infeasible.rules import Fixed, Requirement, SignalProgram, requirements
from optimizer.models import merged
from optimizer.rulebook import rule_book
from optimizer.stages import shown_states, stages_of, with_changes


def impossible(
    network: RoadNetwork, field: TimingPlan, settings: Settings, controllers: Collection[str]
) -> list[Conflict]:
    """The conflicts of the settings at some signals with the field's stages in their order, and in groups of them.

    Parameters
    ----------
    controllers : collection of str
        Where to look.
    """
    out = []
    for c in controllers:
        found = conflict_of(network, [_program(network, field, settings, c)], [_rules(network, field, settings, c, 0)])
        out += [found] if found is not None else []
    told = {c for conflict in out for c in conflict.controllers}
    for group in settings.limits.common_cycle:
        if set(group) & set(controllers) and not set(group) & told:
            programs = [_program(network, field, settings, c) for c in group]
            rules = [_rules(network, field, settings, c, n) for n, c in enumerate(group)]
            found = conflict_of(network, programs, rules, [range(len(group))])
            out += [found] if found is not None else []
    return out


def _program(network: RoadNetwork, field: TimingPlan, settings: Settings, controller: str) -> SignalProgram:
    own = field.controllers[controller]
    book = rule_book(network, network.controllers[controller], own, settings)
    skeleton = book.skeleton("field", *merged(own))
    if settings.rules.clearance != "keep" and controller not in settings.change.fixed_signals:
        skeleton = book.skeleton(
            "field's stages",
            *with_changes(stages_of(own), book.matrix, shown_states(network.controllers[controller], own)),
        )
    return SignalProgram(book, skeleton, skeleton.start_s)


def _rules(
    network: RoadNetwork, field: TimingPlan, settings: Settings, controller: str, at: int
) -> list[Requirement | Fixed]:
    return requirements(
        _program(network, field, settings, controller),
        at,
        freeze_cycle="cycle" in settings.change.freeze,
        fixed=controller in settings.change.fixed_signals,
    )

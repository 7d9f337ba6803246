"""Rules on what may follow what, and what may run beside what: forbidden changes of stages, rings and barriers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from network_data.offsets import greens_of
from network_data.plans import GREEN, YELLOW
from network_data.rings import MIN_STAGE_S, stage_states
from network_data.rules_judged import Finding, Judged
from network_data.signal_limits import heads_named


def check_stage_change(judged: Judged) -> Iterator[Finding]:
    """No stage is followed by one that the settings forbid behind it; stages are those of the field, by number."""
    forbidden = set(judged.limits.own.forbidden_changes)
    if not forbidden:
        return
    shown = _stages_shown(judged)
    for n, now in enumerate(shown):
        before = shown[n - 1]
        if before and now and before != now and (before, now) in forbidden:
            text = f"stage {before} of the field is followed by stage {now}, which the settings forbid"
            yield judged.finding("stage-change", f"{before} → {now}", text, value=f"{before} {now}")


def _stages_shown(judged: Judged) -> list[str]:
    """The field's stages by number in the order in which the plan shows them; empty for stages of its own.

    A stage of the field counts however short it is: known by the letters of vehicles, or by their greens alone where
    only one stage has these. Other states count from the length of a stage on.
    """
    controller, field = judged.controller, stage_states(judged.field, judged.controller)
    vehicles = [h.index for h in controller.heads if h.kind in ("vehicle", "bus") and h.index < judged.table.n_heads]
    letters = {tuple(state[k] for k in vehicles): str(n) for n, state in enumerate(field, start=1)}
    greens = [greens_of(controller, state) for state in field]
    out: list[str] = []
    for state, duration_s in zip(judged.table.states, judged.table.durations_s, strict=True):
        own, green = tuple(state[k] for k in vehicles), greens_of(controller, state)
        if any(letter in YELLOW for letter in own) or not any(green):
            continue
        number = letters.get(own, str(greens.index(green) + 1) if greens.count(green) == 1 else "")
        if (number or duration_s >= MIN_STAGE_S) and (not out or out[-1] != number):
            out.append(number)
    return out


@dataclass(frozen=True, slots=True)
class RingStructure:
    """Barrier groups of rings of phases; a phase is the set of link indices that it serves."""

    groups: tuple[tuple[tuple[frozenset[int], ...], ...], ...]

    def members(self, group: int) -> frozenset[int]:
        """All link indices of a group."""
        return frozenset().union(*(phase for ring in self.groups[group] for phase in ring))

    def apart(self) -> dict[tuple[int, int], str]:
        """Pairs of link indices that are never green together, and why."""
        out: dict[tuple[int, int], str] = {}
        for a, b in itertools.combinations(range(len(self.groups)), 2):
            here, there = self.members(a), self.members(b)
            for i, j in itertools.product(sorted(here - there), sorted(there - here)):
                out[min(i, j), max(i, j)] = f"lie on both sides of a barrier (groups {a + 1} and {b + 1})"
        for g, group in enumerate(self.groups):
            for r, ring in enumerate(group):
                for one, other in itertools.combinations(ring, 2):
                    for i, j in itertools.product(sorted(one - other), sorted(other - one)):
                        if not any({i, j} <= phase for phase in ring):
                            out[min(i, j), max(i, j)] = f"follow each other in ring {r + 1} of group {g + 1}"
        return out


def ring_structure(judged: Judged) -> RingStructure | None:
    """The rings to keep: those of the settings, else those of a field plan that has more than one stage sequence."""
    controller = judged.controller
    if judged.limits.own.rings:
        names = [[[phase.split() for phase in ring] for ring in group] for group in judged.limits.own.rings]
    else:
        groups = judged.field.barrier_groups
        if len(groups) < 2 and all(len(group.rings) < 2 for group in groups):
            return None
        names = [
            [[[*p.movements, *p.permitted, *p.crossings] for p in ring] for ring in group.rings] for group in groups
        ]
    return RingStructure(
        tuple(
            tuple(
                tuple(frozenset(k for name in phase for k in heads_named(controller, name)) for phase in ring)
                for ring in group
            )
            for group in names
        )
    )


def check_rings_kept(judged: Judged) -> Iterator[Finding]:
    """Movements of one ring follow each other, barriers are crossed by all rings at once, groups keep their order."""
    structure = ring_structure(judged)
    if structure is None:
        return
    told: set[tuple[int, int]] = set()
    apart = structure.apart()
    for state in dict.fromkeys(judged.table.states):
        green = [k for k, letter in enumerate(state) if letter in GREEN]
        for pair in itertools.combinations(green, 2):
            if pair in apart and pair not in told:
                told.add(pair)
                text = f"{judged.name(pair[0])} and {judged.name(pair[1])} are green together; they {apart[pair]}"
                yield judged.finding("ring", f"{pair[0]}, {pair[1]}", text, value=state)
    if not told:
        yield from _groups_in_order(judged, structure)


def _groups_in_order(judged: Judged, structure: RingStructure) -> Iterator[Finding]:
    n = len(structure.groups)
    members = [structure.members(g) for g in range(n)]
    alone = [members[g] - frozenset().union(frozenset(), *(members[x] for x in range(n) if x != g)) for g in range(n)]
    walked: list[int] = []
    for state in judged.table.states:
        here = {g for g in range(n) if any(state[k] in GREEN for k in alone[g] if k < len(state))}
        walked += [g for g in here if not walked or walked[-1] != g]
    while len(walked) > 1 and walked[0] == walked[-1]:
        walked.pop()
    first = walked.index(min(walked)) if walked else 0
    order = walked[first:] + walked[:first]
    if order != sorted(set(order)):
        shown = " → ".join(str(g + 1) for g in order)
        text = f"the barrier groups follow each other as {shown}; each comes once a cycle, in the order of the rings"
        yield judged.finding("ring", "groups", text, value=shown)

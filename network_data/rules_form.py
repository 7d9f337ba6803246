"""Rules of form: lengths, letters, whole seconds, cycle, and rings that add up."""

from __future__ import annotations

from collections.abc import Iterator

from network_data.plans import GREEN, BarrierGroup
from network_data.program_table import ProgramTable
from network_data.rules_judged import Finding, Judged

TOLERANCE_S = 1e-6
COMMON_LETTERS = frozenset("GgyYrRu")
"""Letters any plan may show; others only where a known program shows them at that link index."""


def is_whole(seconds: float) -> bool:
    """Whether a time is a whole number of seconds."""
    return abs(seconds - round(seconds)) <= TOLERANCE_S


def check_state_length(judged: Judged) -> Iterator[Finding]:
    """Every state has one letter per link index, as many as the field program."""
    want, got = len(judged.field.intervals[0].state), judged.table.n_heads
    if got != want or got > judged.controller.n_heads:
        text = f"states have {got} letters, the field program has {want}; give one letter per link index"
        yield judged.finding("state-length", "", text, value=got, limit=want)


def check_letters(judged: Judged) -> Iterator[Finding]:
    """Stop-and-go and off letters (s, o, O) only where a known program shows them."""
    shown = {(k, letter) for state in judged.shown_states for k, letter in enumerate(state)}
    odd: dict[int, set[str]] = {}
    for state in judged.table.states:
        for k, letter in enumerate(state):
            if letter not in COMMON_LETTERS and (k, letter) not in shown:
                odd.setdefault(k, set()).add(letter)
    for k, letters in sorted(odd.items()):
        if k < judged.controller.n_heads:
            text = f"{judged.name(k)} shows {''.join(sorted(letters))}, which no program in the field shows there"
            yield judged.finding("letters", judged.name(k), text, value="".join(sorted(letters)))


def check_whole_seconds(judged: Judged) -> Iterator[Finding]:
    """Cycle, offset and the begin of every green lie on whole seconds; yellow and clearance may be fractions."""
    field = judged.field
    if not all(is_whole(x.duration_s) for x in field.intervals):
        return  # the controller runs fractions today
    plan = judged.plan
    for what, value in (("cycle", plan.cycle_s), ("offset", plan.offset_s)):
        if not is_whole(value) and not (what == "offset" and not is_whole(field.offset_s)):
            text = f"{what} is {value:g} s; controllers take whole seconds"
            yield judged.finding("whole-seconds", what, text, value=value, limit=round(value))
    for k in range(judged.table.n_heads):
        for run in judged.table.runs(k, GREEN):
            if not is_whole(run.start_s):
                text = f"{judged.name(k)} turns green at {run.start_s:g} s of the cycle; greens begin on whole seconds"
                yield judged.finding("whole-seconds", judged.name(k), text, value=run.start_s)


def check_cycle(judged: Judged) -> Iterator[Finding]:
    """The cycle lies within the limits, or is the field's where that lies outside; the offset within the cycle.

    Below 20 s and above 240 s the field's own cycle is no excuse, nor where the settings name the signal or one cycle.
    """
    bounds, cycle_s = judged.limits.cycle, judged.plan.cycle_s
    if not bounds.allows(cycle_s):
        text = f"cycle {cycle_s:g} s; needs {bounds.text}"
        yield judged.finding("cycle", "", text, value=cycle_s, limit=min(max(cycle_s, bounds.low_s), bounds.high_s))
    if not 0 <= judged.plan.offset_s < cycle_s:
        text = f"offset {judged.plan.offset_s:g} s; needs 0 up to below the cycle of {cycle_s:g} s"
        yield judged.finding("cycle", "offset", text, value=judged.plan.offset_s, limit=cycle_s)


def ring_faults(groups: tuple[BarrierGroup, ...], cycle_s: float | None) -> list[tuple[str, str, float, float]]:
    """(rule, text, value, limit) for rings that do not meet at their barriers or do not add up to the cycle."""
    out, total = [], 0.0
    for n, group in enumerate(groups):
        lengths = [sum(phase.split_s for phase in ring) for ring in group.rings]
        ends = [total + length for length in lengths]
        for r, end in enumerate(ends[1:], start=1):
            if abs(end - ends[0]) > TOLERANCE_S:
                text = f"barrier {ends[0]:g}≠{end:g}: ring 1 and ring {r + 1} do not meet after group {n + 1}"
                out.append(("barrier", text, end, ends[0]))
        total = ends[0] if ends else total
    if cycle_s is not None and groups and abs(total - cycle_s) > TOLERANCE_S:
        out.append(("sum", f"the splits add up to {total:g} s, the cycle is {cycle_s:g} s", total, cycle_s))
    return out


def check_rings(judged: Judged) -> Iterator[Finding]:
    """Rings meet at the barriers, splits add up to the cycle, and each phase is green where the intervals say so."""
    plan = judged.plan
    faults = ring_faults(plan.barrier_groups, plan.cycle_s)
    for rule, text, value, limit in faults:
        yield judged.finding(rule, "", text, value=value, limit=limit)
    for group in plan.barrier_groups:
        for phase in (phase for ring in group.rings for phase in ring):
            low, high = phase.min_green_s, phase.max_green_s
            if not low - TOLERANCE_S <= phase.green_s <= high + TOLERANCE_S:
                text = f"phase {phase.name} has {phase.green_s:g} s of green; its bounds are {low:g} to {high:g} s"
                limit = low if phase.green_s < low else high
                yield judged.finding("minimum-green", f"phase {phase.name}", text, value=phase.green_s, limit=limit)
    if not faults:
        yield from _phases_not_shown(judged)


def _phases_not_shown(judged: Judged) -> Iterator[Finding]:
    """Movements of a phase must be green throughout its green, as the interval table shows it."""
    group_start_s = 0.0
    for group in judged.plan.barrier_groups:
        for ring in group.rings:
            start_s = group_start_s
            for phase in ring:
                listed = {*phase.movements, *phase.permitted}
                heads = [h.index for h in judged.heads if listed & set(h.movement_ids)]
                end_s = start_s + phase.green_s
                missing = [k for k in heads if not _green_between(judged.table, k, start_s, end_s)]
                if missing:
                    span = f"{start_s:g} to {end_s:g} s"
                    text = f"phase {phase.name} is green {span}, the interval table is not: {judged.name(missing[0])}"
                    yield judged.finding("sum", f"phase {phase.name}", text)
                start_s += phase.split_s
        group_start_s += sum(phase.split_s for phase in group.rings[0]) if group.rings else 0.0


def _green_between(table: ProgramTable, index: int, start_s: float, end_s: float) -> bool:
    ends = [a + d for a, d in zip(table.starts_s, table.durations_s, strict=True)]
    return all(
        state[index] in GREEN
        for a, b, state in zip(table.starts_s, ends, table.states, strict=True)
        if b > start_s + TOLERANCE_S and a < end_s - TOLERANCE_S
    )

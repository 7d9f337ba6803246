"""Rules of safety and service over the letters: conflicts, yellow, clearance, least green, service, longest red."""

from __future__ import annotations

from collections.abc import Iterator

from network_data.clearance import EPSILON_S, MIN_YELLOW_S, shown_clearances
from network_data.plans import GREEN, OPEN, YELLOW
from network_data.program_table import ProgramTable
from network_data.rules_judged import Finding, Judged

UNTOUCHED = GREEN + YELLOW + "oO"
"""Letters a green may change to without a yellow."""


def check_conflicting_green(judged: Judged) -> Iterator[Finding]:
    """Conflicting greens only where a known program shows them, or where one of the two yields."""
    for state in dict.fromkeys(judged.table.states):
        if state in judged.shown_states:
            continue
        for i, j in sorted(judged.pairs):
            a, b = state[i], state[j]
            if a in GREEN and b in GREEN:
                yield from _green_pair(judged, state, i, j)
            elif (a == "G" and b in YELLOW) or (b == "G" and a in YELLOW):
                green, yellow = (i, j) if a == "G" else (j, i)
                if not any(s[green] == "G" and s[yellow] in GREEN + YELLOW for s in _wide_enough(judged, i, j)):
                    text = f"{judged.name(green)} has G while {judged.name(yellow)}, which it conflicts with, is yellow"
                    yield judged.finding("conflicting-green", judged.name(green), text, value=state)


def _wide_enough(judged: Judged, i: int, j: int) -> list[str]:
    return [s for s in judged.shown_states if max(i, j) < len(s)]


def _green_pair(judged: Judged, state: str, i: int, j: int) -> Iterator[Finding]:
    a, b = state[i], state[j]
    stronger = {"g": GREEN, "G": "G"}
    if any(s[i] in stronger[a] and s[j] in stronger[b] for s in _wide_enough(judged, i, j)):
        return
    names, where = f"{judged.name(i)} ({a}) and {judged.name(j)} ({b})", f"{i}, {j}"
    yielding = (a == "g" and (i, j) in judged.controller.yields) or (b == "g" and (j, i) in judged.controller.yields)
    if a == b == "G":
        text = f"conflicting greens: {names} both go in state {state}"
        yield judged.finding("conflicting-green", where, text, value=state)
    elif not yielding:
        text = f"conflicting greens: {names} go together in state {state} and neither yields"
        yield judged.finding("conflicting-green", where, text, value=state)
    else:
        text = f"{names} go together, one yields; no program in the field shows them so"
        yield judged.finding("conflicting-green", where, text, value=state, severity="warning")


def check_yellow(judged: Judged) -> Iterator[Finding]:
    """A green ends in yellow, at least 3 s and at least the field's."""
    for head in judged.heads:
        k = head.index
        need_s = max(MIN_YELLOW_S, float(judged.matrix.yellow_s[k]))
        if head.kind == "dead" and not _dead_is_orderly(judged.reference, k):
            continue
        for n, before, after in judged.table.letter_changes(k):
            if before not in GREEN:
                continue
            if after not in UNTOUCHED and head.kind != "crossing":
                text = f"{judged.name(k)} goes from {before} to {after} without yellow; needs {need_s:g} s"
                yield judged.finding("yellow", judged.name(k), text, value=0.0, limit=need_s)
            elif after in YELLOW and (shown_s := judged.table.hold_s(n, k, YELLOW)) < need_s - EPSILON_S:
                text = f"{judged.name(k)} has {shown_s:g} s of yellow; needs {need_s:g} s"
                yield judged.finding("yellow", judged.name(k), text, value=shown_s, limit=need_s)


def _dead_is_orderly(reference: ProgramTable, index: int) -> bool:
    """Whether the field program gives a link index that controls nothing its yellows and least greens."""
    rough = any(b in GREEN and a not in UNTOUCHED for _, b, a in reference.letter_changes(index))
    yellow_s = reference.yellow_s(index)
    return not rough and (yellow_s is None or yellow_s >= MIN_YELLOW_S - EPSILON_S)


def check_clearance(judged: Judged) -> Iterator[Finding]:
    """Between the end of a green and the start of a conflicting one lies at least the clearance matrix."""
    limits = judged.settings.limits
    shown = shown_clearances(
        judged.table, judged.foes, direct=False, min_yellow_s=MIN_YELLOW_S, min_green_s=limits.min_green_s
    )
    for (i, j), seconds in sorted(shown.items()):
        need_s = judged.matrix[i, j]
        if seconds < need_s - EPSILON_S:
            source = judged.matrix.sources[i, j]
            text = (
                f"{seconds:g} s from the end of green of {judged.name(i)} to the green of {judged.name(j)}; "
                f"needs {need_s:g} s ({source})"
            )
            yield judged.finding("clearance", f"{i} → {j}", text, value=seconds, limit=need_s)


def check_minimum_green(judged: Judged) -> Iterator[Finding]:
    """Greens last at least the setting, and at least the minimum stated in the field."""
    for head in judged.heads:
        k = head.index
        need_s = float(judged.matrix.min_green_s[k])
        if head.kind == "dead":
            need_s = min([need_s, *(run.duration_s for run in judged.reference.runs(k, GREEN))])
        for run in judged.table.runs(k, GREEN):
            if run.duration_s < need_s - EPSILON_S:
                text = f"{judged.name(k)} is green for {run.duration_s:g} s; needs {need_s:g} s"
                yield judged.finding("minimum-green", judged.name(k), text, value=run.duration_s, limit=need_s)


def check_service(judged: Judged) -> Iterator[Finding]:
    """Every link index and crossing gets green in each cycle; those that the field never serves are remarked on."""
    for head in judged.heads:
        k = head.index
        for letters, what in ((GREEN, "green"), (OPEN, "open")):
            today_s = judged.reference.time_of_s(k, letters)
            if today_s > 0:
                if not judged.table.time_of_s(k, letters) > 0:
                    text = f"{judged.name(k)} is never {what}; the field program gives it {today_s:g} s a cycle"
                    yield judged.finding("service", judged.name(k), text, value=0.0, limit=today_s)
                break
        else:
            if head.kind != "dead" and not judged.table.time_of_s(k, OPEN) > 0:
                text = f"{judged.name(k)} is never green, nor is it in the field program; check the network"
                yield judged.finding("service", judged.name(k), text, value=0.0, severity="warning")


def check_longest_red(judged: Judged) -> Iterator[Finding]:
    """Nobody waits longer for green than the setting, or than today where that is longer."""
    for head in judged.heads:
        if head.kind == "dead":
            continue
        k = head.index
        red_s = judged.table.longest_red_s(k)
        limit_s = float(judged.limits.most_red_s[k])
        if red_s > limit_s + EPSILON_S:
            text = f"{judged.name(k)} is red for {red_s:g} s; at most {limit_s:g} s"
            yield judged.finding("longest-red", judged.name(k), text, value=red_s, limit=limit_s)

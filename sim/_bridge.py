"""A bridge between two programs that share no state: least greens, yellow, all-red, as the rules ask."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from network_data.plans import GREEN, YELLOW, ControllerPlan, Interval
from network_data.sequence_rules import Key, SequenceRules
from sim.segments import Segment, clipped, rounded, rows_of


def bridge_rows(running: Sequence[Segment], new: ControllerPlan, left_s: float, rules: SequenceRules) -> list[Interval]:
    """From what is shown before `left_s` to the new program's first state.

    The last state is held until greens that end have had their least time; they show yellow; then all wait until
    the clearances to the greens that begin are over.
    """
    rows = list(rows_of(clipped(running, left_s - 2 * running[-1].program.cycle_s, left_s)))
    last, target = rows[-1].state, new.intervals[0].state
    since_s = [_age(rows, k) for k in range(len(last))]
    ending = [k for k, letter in enumerate(last) if letter in GREEN and target[k] not in GREEN]
    hold_s = max([0.0, *(rules.least_s(Key("green", k)) - since_s[k] for k in ending)])
    protected = [k for k in ending if last[k] == "G"]
    hold_s = max([hold_s, *(rules.least_s(Key("protected", k)) - _age(rows, k, "gyYrRusoO") for k in protected)])
    yellow_s = {k: rules.least_s(Key("yellow", k)) for k in ending if k not in rules.without_yellow}
    yellow_s |= {
        k: max(0.0, rules.least_s(Key("yellow", k)) - since_s[k] - hold_s)
        for k, letter in enumerate(last)
        if letter in YELLOW
    }
    waits_s = [0.0, *yellow_s.values()]
    for j, letter in enumerate(target):
        if letter in GREEN and last[j] not in GREEN:
            waits_s += [_clearing_s(rules, rows, i, j, hold_s, i in ending) for i in rules.foes.get(j, ())]
    wait_s = max(waits_s)
    cuts = sorted({0.0, *(s for s in yellow_s.values() if s < wait_s), wait_s})
    out = [Interval(rounded(hold_s), last)] if hold_s > 0 else []
    for from_s, until_s in pairwise(cuts):
        letters = [_bridge_letter(last[k], target[k], yellow_s.get(k, 0.0) > from_s) for k in range(len(last))]
        out.append(Interval(rounded(until_s - from_s), "".join(letters)))
    return out


def _clearing_s(rules: SequenceRules, rows: Sequence[Interval], i: int, j: int, hold_s: float, ends_now: bool) -> float:
    """Seconds that the green of j must wait for i behind the held state. [s]"""
    if ends_now:
        gone_s, begun_s = 0.0, _age(rows, i) + hold_s
    elif rows[-1].state[i] not in GREEN and i in _green_before(rows):
        gone_s = _age(rows, i, GREEN) + hold_s
        begun_s = gone_s + _last_green_s(rows, i)
    else:
        return 0.0
    wait_s = rules.least_s(Key("clearance", i, j)) - gone_s
    return max(wait_s, rules.least_s(Key("walk", i)) - begun_s) if i in rules.walk_s else wait_s


def _bridge_letter(before: str, after: str, yellow: bool) -> str:
    """Greens in both programs stay, greens and yellows that end do so, the rest shows what it showed."""
    if before in GREEN and after in GREEN:
        return before
    if before in GREEN + YELLOW:
        return "y" if yellow else "r"
    return before


def _age(rows: Sequence[Interval], index: int, other: str = "") -> float:
    """For how long a link index has been in its letters (green, yellow, other), or out of `other`. [s]"""
    last = rows[-1].state[index]
    same = next((letters for letters in (GREEN, YELLOW) if last in letters), "rRuUsoO")
    total_s = 0.0
    for duration_s, state in reversed(rows):
        if (state[index] in other) if other else (state[index] not in same):
            break
        total_s += duration_s
    return total_s


def _last_green_s(rows: Sequence[Interval], index: int) -> float:
    """Length of the last green of a link index that is not green now. [s]"""
    total_s = 0.0
    for duration_s, state in reversed(rows):
        if state[index] in GREEN:
            total_s += duration_s
        elif total_s > 0:
            break
    return total_s


def _green_before(rows: Sequence[Interval]) -> set[int]:
    """Link indices that were green at some time."""
    return {k for _, state in rows for k, letter in enumerate(state) if letter in GREEN}

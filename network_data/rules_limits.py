"""Rules on what may change against the field, and on the longest green: bounds that the settings name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from network_data.clearance import EPSILON_S
from network_data.offsets import moved_s
from network_data.plans import GREEN
from network_data.rules_judged import Finding, Judged


def check_maximum_green(judged: Judged) -> Iterator[Finding]:
    """No green lasts longer than the settings allow."""
    if not np.isfinite(judged.limits.most_green_s).any():
        return
    for head in judged.heads:
        k, limit_s = head.index, float(judged.limits.most_green_s[head.index])
        for run in judged.table.runs(k, GREEN):
            if run.duration_s > limit_s + EPSILON_S:
                text = f"{judged.name(k)} is green for {run.duration_s:g} s; at most {limit_s:g} s"
                yield judged.finding("maximum-green", judged.name(k), text, value=run.duration_s, limit=limit_s)


def check_fixed(judged: Judged) -> Iterator[Finding]:
    """A fixed signal shows what it shows today, second by second."""
    plan, field = judged.plan, judged.field
    if not judged.limits.fixed:
        return
    same = abs(plan.cycle_s - field.cycle_s) <= EPSILON_S
    times, now_s = [], field.offset_s
    for program in (plan, field) if same else ():
        now_s = program.offset_s
        for interval in program.intervals:
            times.append((now_s + interval.duration_s / 2) % field.cycle_s)
            now_s += interval.duration_s
    odd_s = next((t for t in times if plan.state_at(t) != field.state_at(t)), None)
    if not same or odd_s is not None:
        text = "is fixed by the settings, but its program differs from the field's"
        text += f" at second {odd_s:g} of the cycle" if odd_s is not None else f": cycle {plan.cycle_s:g} s"
        yield judged.finding("fixed", "", text, value=plan.cycle_s, limit=field.cycle_s)


def check_cycle_change(judged: Judged) -> Iterator[Finding]:
    """The cycle stays within the settings' bound of the field's; rounding to whole seconds is allowed for."""
    bound_s, now_s, today_s = judged.limits.cycle_change_s, judged.plan.cycle_s, judged.field.cycle_s
    if bound_s is not None and abs(now_s - today_s) > max(bound_s, float(judged.limits.rounding_s[-1])) + EPSILON_S:
        text = f"cycle {now_s:g} s; at most {bound_s:g} s from the field's {today_s:g} s"
        yield judged.finding("cycle-change", "", text, value=now_s - today_s, limit=bound_s)


def check_green_change(judged: Judged) -> Iterator[Finding]:
    """The green of every movement and crossing stays within the settings' bound of the field's."""
    bound_s = judged.limits.green_change_s
    for head in judged.heads if bound_s is not None else ():
        k = head.index
        now_s, today_s = judged.plan.green_s(k), judged.field.green_s(k)
        slack_s = max(bound_s or 0.0, float(judged.limits.rounding_s[k]))
        if head.kind != "dead" and today_s > 0 and abs(now_s - today_s) > slack_s + EPSILON_S:
            text = f"{judged.name(k)} is green for {now_s:g} s a cycle; at most {bound_s:g} s from {today_s:g} s"
            yield judged.finding("green-change", judged.name(k), text, value=now_s - today_s, limit=bound_s)


def check_offset_change(judged: Judged) -> Iterator[Finding]:
    """The first stage of the field begins within the settings' bound of when it begins today, around the cycle."""
    bound_s = judged.limits.offset_change_s
    if bound_s is None:
        return
    away_s = moved_s(judged.controller, judged.plan, judged.field)
    # a second for field offsets and greens in fractions, which come out whole
    slack_s = bound_s + (0.0 if float(judged.limits.rounding_s[-1]) < 2 * EPSILON_S else 1.0)
    if abs(away_s) > slack_s + EPSILON_S + abs(judged.field.offset_s - round(judged.field.offset_s)):
        fixed = judged.controller.id in judged.settings.change.fixed_offsets
        text = f"the offset moves by {away_s:+g} s; " + ("it is fixed" if fixed else f"at most {bound_s:g} s")
        yield judged.finding("fixed-offset" if fixed else "offset-change", "", text, value=away_s, limit=bound_s)

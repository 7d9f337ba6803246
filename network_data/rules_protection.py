"""The rule on turns that lose their protected green: keep, warrant or free."""

from __future__ import annotations

from collections.abc import Iterator

from network_data.clearance import EPSILON_S
from network_data.plans import GREEN
from network_data.rules_judged import Finding, Judged, Severity, longest_protected_s, protected_in
from network_data.warrant import left_turn_warrant


def check_protection(judged: Judged) -> Iterator[Finding]:
    """A link index that the field protects is protected in the plan, unless the settings let it go.

    Under "keep" any loss is an error. Under "warrant" it needs the warrant's four numbers, and the turn may then yield
    to opposing traffic only. Under "free" it is remarked on. A stricter judge of plans refuses every loss.
    """
    lost = protected_in(judged.controller, judged.field) - protected_in(judged.controller, judged.plan)
    for k in sorted(lost):
        if not judged.table.time_of_s(k, GREEN) > 0:
            continue  # never green at all: the rule on service says so
        today_s = judged.reference.time_of_s(k, "G")
        text = f"{judged.name(k)} has no protected green; the field program gives it {today_s:g} s"
        rule = judged.settings.rules.left_turns
        if rule == "warrant":
            yield _warranted(judged, k, text, today_s)
        else:
            severity: Severity = "error" if rule == "keep" else "warning"
            yield judged.finding(
                "protection",
                judged.name(k),
                f"{text} (left_turns = {rule})",
                value=0.0,
                limit=today_s,
                severity=severity,
                link_index=k,
            )
    yield from _too_short(judged)


def _too_short(judged: Judged) -> Iterator[Finding]:
    """A protected green of a second protects nobody: it lasts the least green, or as long as in the field."""
    today = longest_protected_s(judged.controller, judged.field)
    for k, now_s in sorted(longest_protected_s(judged.controller, judged.plan).items()):
        need_s = min(judged.settings.limits.min_green_s, today.get(k, 0.0))
        if now_s < need_s - EPSILON_S and judged.settings.rules.left_turns != "free":
            yield judged.finding(
                "protection",
                judged.name(k),
                f"{judged.name(k)}: its protected green lasts {now_s:g} s on end, needs {need_s:g} s",
                value=now_s,
                limit=need_s,
                severity="error",
                link_index=k,
            )


def _warranted(judged: Judged, index: int, text: str, today_s: float) -> Finding:
    warrant = left_turn_warrant(
        judged.network,
        judged.controller,
        index,
        judged.demand,
        known_product=(judged.warrants or {}).get((judged.controller.id, index)),
        assume_crossings=judged.settings.rules.pedestrians == "assume",
    )
    others = sorted(_yields_to(judged, index) - set(warrant.opposing_indices))
    fits = warrant.allowed and not others
    reason = "warranted: " if fits else "no warrant: "
    if others and warrant.allowed:
        reason += f"it would yield to {judged.name(others[0])}, which does not come from the other side; "
    return judged.finding(
        "protection",
        judged.name(index),
        f"{text}; {reason}{warrant.text}",
        value=warrant.product,
        limit=today_s,
        severity="warning" if fits else "error",
        link_index=index,
    )


def _yields_to(judged: Judged, index: int) -> set[int]:
    """Link indices that are green together with this one and go before it."""
    goes_before = {j for i, j in judged.controller.yields if i == index and j in judged.foes.get(index, ())}
    return {
        j
        for state in judged.table.states
        if state[index] in GREEN
        for j in goes_before
        if j < len(state) and state[j] in GREEN
    }

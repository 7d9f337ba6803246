"""`check_plan`: every rule of the street by name, all findings at once.

Plain Python, apart from every model that makes plans. The field plan is the yardstick: what it shows may be shown, and
what it never does needs a reason. The rules are data: `RULES` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from network_data.demand import DemandScenarios
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules_form import check_cycle, check_letters, check_rings, check_state_length, check_whole_seconds
from network_data.rules_judged import Finding, Judged, protected_in
from network_data.rules_limits import (
    check_cycle_change,
    check_fixed,
    check_green_change,
    check_maximum_green,
    check_offset_change,
)
from network_data.rules_network import check_common_cycle
from network_data.rules_protection import check_protection
from network_data.rules_safety import (
    check_clearance,
    check_conflicting_green,
    check_longest_red,
    check_minimum_green,
    check_service,
    check_yellow,
)
from network_data.rules_sequence import check_rings_kept, check_stage_change
from network_data.rules_walk import check_walk
from network_data.settings import Settings

__all__ = ["FORM_RULES", "RULES", "Finding", "check_plan", "passed_checks", "protected_indices"]

Rule = Callable[[Judged], Iterator[Finding]]

FORM_RULES: tuple[tuple[str, Rule], ...] = (
    ("state-length", check_state_length),
    ("letters", check_letters),
)
"""Rules of form; where one is broken the others cannot be judged."""

RULES: tuple[tuple[str, Rule], ...] = (
    ("conflicting-green", check_conflicting_green),
    ("yellow", check_yellow),
    ("clearance", check_clearance),
    ("minimum-green", check_minimum_green),
    ("maximum-green", check_maximum_green),
    ("walk", check_walk),
    ("service", check_service),
    ("longest-red", check_longest_red),
    ("protection", check_protection),
    ("barrier", check_rings),
    ("whole-seconds", check_whole_seconds),
    ("cycle", check_cycle),
    ("ring", check_rings_kept),
    ("stage-change", check_stage_change),
    ("fixed", check_fixed),
    ("cycle-change", check_cycle_change),
    ("green-change", check_green_change),
    ("offset-change", check_offset_change),
)
"""Name and function of every rule; `check_rings` also reports under `sum`, `check_offset_change` `fixed-offset`."""

MORE_NAMES = ("sum", "fixed-offset", "common-cycle")
"""Further names of findings: of rules with two names, and of those on several controllers."""

protected_indices = protected_in
"""(controller, plan) → link indices with a protected green."""


def check_plan(
    network: RoadNetwork,
    plan: TimingPlan,
    field: TimingPlan,
    settings: Settings,
    *,
    demand: DemandScenarios | None = None,
    warrants: Mapping[tuple[str, int], float] | None = None,
) -> list[Finding]:
    """Check a plan against the field plan; nothing is assumed about where the plan comes from.

    Parameters
    ----------
    network : RoadNetwork
        Conflicts, crossings and the programs stored with it.
    plan, field : TimingPlan
        The plan judged and the one in force; controllers that `field` lacks are judged against the network's program.
    settings : Settings
        Limits and rules.
    demand : DemandScenarios, optional
        Flows for the warrant of turns that lose their protection.
    warrants : mapping, optional
        (controller, link index) → flow product [(veh/h)²] of an earlier warrant, used where `demand` is None.

    Returns
    -------
    list of Finding
        Errors and warnings, by controller and rule; a plan without errors meets the rules.
    """
    findings: list[Finding] = []
    for controller_id, program in plan.controllers.items():
        controller = network.controllers.get(controller_id)
        if controller is None:
            findings.append(_unknown(network, controller_id))
            continue
        reference = field.controllers.get(controller_id) or (controller.programs[-1] if controller.programs else None)
        if reference is None:
            raise PlanError(f"controller {controller_id!r}", "has no program in the field; give --plans or --against")
        judged = Judged(
            network=network,
            controller=controller,
            plan=program,
            field=reference,
            settings=settings,
            demand=demand,
            warrants=warrants,
        )
        form = [finding for _, rule in FORM_RULES for finding in rule(judged)]
        findings += form
        if not any(finding.severity == "error" for finding in form):
            findings += [finding for _, rule in RULES for finding in rule(judged)]
    return [*findings, *check_common_cycle(plan, settings)]


def passed_checks(findings: list[Finding]) -> list[dict[str, Any]]:
    """The rules as records for the plan document: name, passed or not, and the warnings in words."""
    names = dict.fromkeys([*(name for name, _ in FORM_RULES + RULES), *MORE_NAMES])
    return [
        {
            "rule": name,
            "passed": not any(f.rule == name and f.severity == "error" for f in findings),
            "warnings": [f"{f.controller}: {f.text}" for f in findings if f.rule == name and f.severity == "warning"],
        }
        for name in names
    ]


def _unknown(network: RoadNetwork, controller_id: str) -> Finding:
    known = ", ".join(sorted(network.controllers)[:5])
    return Finding(
        rule="controller",
        severity="error",
        controller=controller_id,
        where="",
        value=None,
        limit=None,
        text=f"the network has no controller {controller_id!r}; it has {known}…: is it the right network?",
    )

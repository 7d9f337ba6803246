"""The rules of the street around a push: `check_plan` before anything is sent, and again on what was read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from its.push import objects as o
from its.push.driver import Change, RefusedError, Values
from its.push.targets import Profile, Target
from its.push.timing import plan_of_timing, timing_of
from its.recognize import load_field_plan, load_network
from network_data.errors import PlanError
from network_data.formats.plan_json import plan_of_document
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, load_settings
from network_data.settings_names import check_names

MOST_NAMED = 5
UNCHECKED = "check_plan was not run again: give --project or --network, or say --unchecked"


@dataclass(frozen=True, eq=False, kw_only=True)
class Street:
    """What the rules are judged by: network, plan in the field, settings, and warrants that the plan brings along."""

    network: RoadNetwork
    field: TimingPlan
    settings: Settings
    warrants: Mapping[tuple[str, int], float]

    def broken(self, plan: TimingPlan) -> list[str]:
        """Rules that a plan breaks, in words."""
        findings = check_plan(self.network, plan, self.field, self.settings, warrants=self.warrants)
        return [f"{f.controller}: {f.rule}: {f.text}" for f in findings if f.severity == "error"]


def street_of(
    document: Mapping[str, Any], network: Path, *, settings: Path | None = None, field: Path | None = None
) -> Street:
    """The street of a stored plan.

    Parameters
    ----------
    document : mapping
        The plan's document; it must have been made for this very network.
    network, settings, field : path
        As for `its check`.

    Raises
    ------
    InputError
        Files that cannot be used, or another network than the plan's.
    """
    roads = load_network(network)
    plan_of_document(document, roads)
    in_field = load_field_plan(field, roads, at_s=float(document["period"]["begin_s"]))
    own = load_settings(settings) if settings is not None else Settings()
    check_names(own, roads, in_field, str(settings))
    warrants = {(w["controller"], w["link_index"]): w["product"] for w in document["warrants"]}
    return Street(network=roads, field=in_field, settings=own, warrants=warrants)


def refuse_broken(street: Street, plan: TimingPlan, where: str) -> None:
    """Refuse a plan that breaks a rule.

    Raises
    ------
    PlanError
        With every rule it breaks.
    """
    faults = street.broken(plan)
    if faults:
        raise PlanError(where, [f"breaks a rule, it is not pushed: {text}" for text in faults])


def refuse_read(
    street: Street, plan: ControllerPlan, change: Change, read: Values, target: Target, profile: Profile
) -> None:
    """Refuse what a controller reads as, where that breaks a rule: then all goes back.

    Raises
    ------
    RefusedError
        With the first rules it breaks, or why what was read makes no plan.
    """
    there = plan_read(plan, change, read, target, profile)
    faults = street.broken(TimingPlan(controllers={plan.controller_id: there}))
    if faults:
        raise RefusedError(f"what was read back breaks the rules: {'; '.join(faults[:MOST_NAMED])}")


def plan_read(plan: ControllerPlan, change: Change, read: Values, target: Target, profile: Profile) -> ControllerPlan:
    """The plan that a controller's answers mean.

    Parameters
    ----------
    plan : ControllerPlan
        What was pushed: it says what lights up in which order where the answers are seconds alone.
    change : Change
        Which row was written.
    read : mapping
        The answers.

    Raises
    ------
    RefusedError
        They make no plan.
    """
    try:
        if profile.driver == "ntcip":
            return _of_cells(plan, change, read, target, profile)
        if profile.driver == "file":
            content = json.loads(str(read[f"{change.place['slot']}/plan.json"]))
            rows = [(row["duration_s"], row["state"]) for row in content["intervals"]]
            return _of_rows(plan, rows, float(content["offset_s"]))
        rows = json.loads(str(read[next(name for name in change.row if name != "program")]))
        return _of_rows(plan, rows, plan.offset_s)
    except (KeyError, ValueError, TypeError, StopIteration, PlanError) as error:
        raise RefusedError(f"controller {plan.controller_id!r}: what was read back makes no plan ({error})") from None


def _of_cells(plan: ControllerPlan, change: Change, read: Values, target: Target, profile: Profile) -> ControllerPlan:
    pattern, split = change.place["pattern"], change.place["split"]
    sent = timing_of(plan, target, profile)
    there = replace(
        sent,
        cycle_s=int(read[f"{o.PATTERN}.2.{pattern}"]),
        offset_s=int(read[f"{o.PATTERN}.3.{pattern}"]),
        splits_s={phase: int(read[f"{o.SPLIT}.3.{split}.{phase}"]) for phase in sent.splits_s},
    )
    return plan_of_timing(there, plan, target, profile)


def _of_rows(plan: ControllerPlan, rows: list[tuple[float, str]], offset_s: float) -> ControllerPlan:
    intervals = tuple(Interval(float(s), str(state)) for s, state in rows)
    same = intervals == plan.intervals
    return replace(
        plan, intervals=intervals, offset_s=offset_s, barrier_groups=plan.barrier_groups if same else (),
        min_durations_s=plan.min_durations_s if same else (),
    )  # fmt: skip

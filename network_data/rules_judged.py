"""What a rule sees: one program of a controller beside the field program, with the tables both need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from network_data.clearance import ClearanceMatrix, conflict_pairs, foes_of
from network_data.controllers import Controller, SignalHead
from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from network_data.program_table import ProgramTable
from network_data.settings import Settings
from network_data.signal_limits import SignalLimits, plan_matrix

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach (error) or remark (warning): which rule, where, the value found and the limit it breaks.

    `link_index` is set where the finding is about one.
    """

    rule: str
    severity: Severity
    controller: str
    where: str
    value: float | str | None
    limit: float | str | None
    text: str
    link_index: int | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """A program under judgement. `warrants` holds flow products proved earlier, by (controller, link index)."""

    network: RoadNetwork
    controller: Controller
    plan: ControllerPlan
    field: ControllerPlan
    settings: Settings
    demand: DemandScenarios | None = None
    warrants: Mapping[tuple[str, int], float] | None = None

    @cached_property
    def table(self) -> ProgramTable:
        """The plan's letters."""
        return ProgramTable(self.plan)

    @cached_property
    def reference(self) -> ProgramTable:
        """The field program's letters at its least durations."""
        return ProgramTable(self.field, least=True)

    @cached_property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """Conflicting link indices (i < j)."""
        return conflict_pairs(self.controller, self.field)

    @cached_property
    def foes(self) -> dict[int, tuple[int, ...]]:
        """Link index → those it conflicts with."""
        return foes_of(self.pairs)

    @cached_property
    def matrix(self) -> ClearanceMatrix:
        """The clearance matrix of the field program under the settings."""
        return plan_matrix(self.network, self.controller, self.field, self.settings)

    @cached_property
    def limits(self) -> SignalLimits:
        """What the settings bound at this controller."""
        return SignalLimits(self.controller, self.field, self.settings)

    @cached_property
    def shown_states(self) -> tuple[str, ...]:
        """The states of all programs known for the controller."""
        programs = (*self.controller.programs, self.field)
        return tuple(dict.fromkeys(interval.state for program in programs for interval in program.intervals))

    @property
    def heads(self) -> tuple[SignalHead, ...]:
        """The signal heads that the states have letters for."""
        return self.controller.heads[: self.table.n_heads]

    def name(self, index: int) -> str:
        """A link index in words."""
        return f"link index {index} ({self.controller.heads[index].text or 'controls nothing'})"

    def finding(
        self,
        rule: str,
        where: str,
        text: str,
        *,
        value: float | str | None = None,
        limit: float | str | None = None,
        severity: Severity = "error",
        link_index: int | None = None,
    ) -> Finding:
        """A finding at this controller."""
        return Finding(
            rule=rule,
            severity=severity,
            controller=self.controller.id,
            where=where,
            value=value,
            limit=limit,
            text=text,
            link_index=link_index,
        )


def waits_in(controller: Controller, pairs: frozenset[tuple[int, int]], state: str) -> set[int]:
    """Green link indices that must yield to another green one in a state."""
    green = {k for k, letter in enumerate(state) if letter in GREEN}
    return {i for i, j in controller.yields if i in green and j in green and (min(i, j), max(i, j)) in pairs}


def protected_in(controller: Controller, plan: ControllerPlan) -> set[int]:
    """Link indices with a protected green: `G` at some time while nothing that goes before them is green."""
    out: set[int] = set()
    for state in {interval.state for interval in plan.intervals}:
        out |= {k for k, letter in enumerate(state) if letter == "G"} - waits_in(
            controller, controller.conflicts, state
        )
    return out


def longest_protected_s(controller: Controller, plan: ControllerPlan) -> dict[int, float]:
    """Link index → its longest protected green on end, around the cycle; only those that have any. [s]"""
    by_state = {
        state: {k for k, letter in enumerate(state) if letter == "G"}
        - waits_in(controller, controller.conflicts, state)
        for state in {interval.state for interval in plan.intervals}
    }
    best: dict[int, float] = {}
    run = dict.fromkeys(range(len(plan.intervals[0].state)), 0.0)
    for interval in plan.intervals * 2:  # twice: runs go on over the cycle's end
        for k in run:
            run[k] = run[k] + interval.duration_s if k in by_state[interval.state] else 0.0
            if run[k] > 0:
                best[k] = max(best.get(k, 0.0), min(run[k], plan.cycle_s))
    return best

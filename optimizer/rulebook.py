"""The rules of one signal as sums of durations: for whatever sequence of states it may run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix, conflict_pairs, crossing_need_s, foes_of, walk_and_clear_s
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from network_data.program_table import ProgramTable
from network_data.rules_judged import longest_protected_s
from network_data.rules_walk import walk_times_s
from network_data.settings import Settings
from network_data.signal_limits import SignalLimits, plan_matrix
from optimizer.skeleton import RuleName, Skeleton, Sum, skeleton_of, spans_of, stop_span


@dataclass(frozen=True, eq=False)
class RuleBook:
    """What binds the durations of one signal, whichever states it shows; H link indices."""

    controller: Controller
    field: ControllerPlan
    limits: SignalLimits
    matrix: ClearanceMatrix
    walk_s: NDArray[np.float64]  # (H,) from the green of a crossing to the next start of a conflicting green
    protected_s: dict[int, float]
    assumed: tuple[tuple[list[int], int], ...]  # link indices of an approach, seconds that people on foot need

    def skeleton(
        self, name: str, states: Sequence[str], durations_s: Sequence[int], stretch: Sequence[bool]
    ) -> Skeleton:
        """A sequence of states with everything that binds its durations."""
        shown = tuple(states)
        spans = spans_of(
            self.controller,
            shown,
            self.matrix,
            max_red_s=0.0,
            field_red_s=self.limits.most_red_s,
            walk_s=self.walk_s,
            protected_s=self.protected_s,
            most_green_s=self.limits.most_green_s,
        )
        durations = list(durations_s)
        spans += [
            span for heads, need in self.assumed if (span := stop_span(shown, durations, heads, need)) is not None
        ]
        return skeleton_of(name, self.controller.id, shown, durations, list(stretch), spans, self._green_changes(shown))

    def _green_changes(self, states: tuple[str, ...]) -> list[Sum]:
        """The green of each link index over the cycle stays near the field's."""
        bound_s = self.limits.green_change_s
        if bound_s is None:
            return []
        out: dict[tuple[int, ...], Sum] = {}
        for head in self.controller.heads[: self.limits.n_heads]:
            k, today_s = head.index, self.field.green_s(head.index)
            rows = tuple(n for n, state in enumerate(states) if state[k] in GREEN)
            if head.kind != "dead" and today_s > 0 and rows:
                slack_s = max(bound_s, float(self.limits.rounding_s[k]))
                low, high = math.ceil(today_s - slack_s - 1e-9), math.floor(today_s + slack_s + 1e-9)
                known = out.get(rows)
                low, high = (max(low, known.least), min(high, known.most)) if known else (low, high)
                out[rows] = Sum(rows, low, high, RuleName("green-change", (k,)))
        return list(out.values())


def rule_book(network: RoadNetwork, controller: Controller, field: ControllerPlan, settings: Settings) -> RuleBook:
    """The rules of one signal under the settings, the field program as the yardstick."""
    return RuleBook(
        controller=controller,
        field=field,
        limits=SignalLimits(controller, field, settings),
        matrix=plan_matrix(network, controller, field, settings),
        walk_s=_walks_s(network, controller, field),
        protected_s={
            k: min(settings.limits.min_green_s, seconds)
            for k, seconds in longest_protected_s(controller, field).items()
            if settings.rules.left_turns != "free"
        },
        assumed=_assumed_crossings(network, controller) if settings.rules.pedestrians == "assume" else (),
    )


def _assumed_crossings(network: RoadNetwork, controller: Controller) -> tuple[tuple[list[int], int], ...]:
    """Per approach without a mapped crossing: its link indices and the seconds that people on foot need. [s]"""
    mapped = {link for x in network.crossings if x.controller_id == controller.id for link in x.crossed_links}
    out = []
    for link in network.approaches.get(controller.id, ()):
        if link not in mapped:
            heads = [
                head.index
                for head in controller.heads
                if any(network.connections[i].from_link == link for i in head.connections)
            ]
            width_m = sum(lane.width_m for lane in network.links[link].lanes)
            out.append((heads, int(np.ceil(walk_and_clear_s(width_m)))))
    return tuple(out)


def _walks_s(network: RoadNetwork, controller: Controller, field: ControllerPlan) -> NDArray[np.float64]:
    """Per link index of a crossing the least time from its green to the next conflicting green. [s]"""
    table, foes = ProgramTable(field), foes_of(conflict_pairs(controller, field))
    out = np.zeros(controller.n_heads)
    for head in controller.heads:
        if head.kind == "crossing" and head.index < table.n_heads:
            need = crossing_need_s(network, head)
            out[head.index] = min([need, *walk_times_s(table, head.index, foes.get(head.index, ()))])
    return out

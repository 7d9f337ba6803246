"""What the optimizer knows of one controller: its rules, its flows and the programs it may run."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import (
    WALK_S,
    WALK_SPEED_MPS,
    ClearanceMatrix,
    clearance_matrix,
    conflict_pairs,
    crossing_length_m,
    foes_of,
)
from network_data.controllers import Controller
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.program_table import ProgramTable
from network_data.rules import check_plan
from network_data.rules_judged import longest_protected_s
from network_data.rules_walk import walk_times_s
from network_data.settings import Settings
from optimizer.flows import HeadFlows
from optimizer.skeleton import Skeleton, is_steady, skeleton_of, spans_of, stop_span
from optimizer.stages import choices, orders, stages_of, with_changes
from optimizer.timings import best_splits, green_weights

KEPT_SEQUENCES = 8
"""How many new stage sequences per controller go on to the simulation."""
KEPT_CHOICES = 6
"""From how many choices of stages their orders are made."""
KEPT_SHARE = 0.9
"""Of the field's green share, what approaches without any loop keep: nobody knows what they can spare. [-]"""
SATURATED = 0.9
"""From this v/c on in the field a count may be what was served and not what came. [-]"""
SATURATED_SHARE = 0.97
"""Of the field's green share, what such approaches keep. [-]"""
MAX_ORDERS = 6
MAX_CHOICES = 24
"""Choices that are looked at, fewest stages first."""

LayOut = Callable[[str, list[str], list[int], list[bool]], Skeleton]


@dataclass(frozen=True, eq=False)
class ControllerModel:
    """One controller, ready to be retimed. `skeletons[0]` is the field's own program."""

    controller: Controller
    field: ControllerPlan
    matrix: ClearanceMatrix
    flows: HeadFlows
    skeletons: list[Skeleton]
    fixed: bool
    least_share: NDArray[np.float64]  # (H,) green over cycle that is not taken away [-]
    _splits: dict[tuple[int, int], tuple[NDArray[np.int64], float] | None] = dataclasses.field(default_factory=dict)
    _weights: dict[int, NDArray[np.float64]] = dataclasses.field(default_factory=dict)
    _field_loads: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)

    def splits(self, skeleton: int, cycle_s: int) -> tuple[NDArray[np.int64], float] | None:
        """Closed-form durations of a skeleton in a cycle, kept once computed."""
        key = (skeleton, cycle_s)
        if key not in self._splits:
            self._splits[key] = best_splits(self.controller, self.skeletons[skeleton], self.flows, cycle_s)
        return self._splits[key]

    def weights(self, skeleton: int) -> NDArray[np.float64]:
        """How much of each interval of a skeleton counts as green, see `green_weights`; kept once computed."""
        if skeleton not in self._weights:
            self._weights[skeleton] = green_weights(self.controller, self.skeletons[skeleton], self.flows)
        return self._weights[skeleton]

    def field_loads(self, compute: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Closed-form v/c of every link index under the field program, kept once computed. [-]"""
        if not self._field_loads:
            self._field_loads.append(compute())
        return self._field_loads[0]


def merged(field_plan: ControllerPlan) -> tuple[list[str], list[int], list[bool]]:
    """States, durations and which may stretch of a program, equal neighbours joined, in whole seconds (rounded up)."""
    states: list[str] = []
    durations: list[float] = []
    for interval in field_plan.intervals:
        if states and states[-1] == interval.state:
            durations[-1] += interval.duration_s
        else:
            states.append(interval.state)
            durations.append(interval.duration_s)
    whole = [int(np.ceil(d - 1e-9)) for d in durations]
    return states, whole, [is_steady(state) for state in states]


def build_model(
    network: RoadNetwork,
    controller: Controller,
    field_plan: ControllerPlan,
    flows: HeadFlows,
    settings: Settings,
    *,
    may_lose: frozenset[int] = frozenset(),
    with_stages: bool = True,
    unmeasured_links: frozenset[str] = frozenset(),
) -> ControllerModel:
    """Gather a controller's rules and the programs it may run; each has passed `check_plan` once."""
    limits = settings.limits
    matrix = clearance_matrix(
        controller, field_plan, min_green_s=limits.min_green_s, source=settings.rules.clearance, network=network
    )
    table = ProgramTable(field_plan)
    n = len(field_plan.intervals[0].state)
    red_s = np.array([table.longest_red_s(k) for k in range(n)])
    walk_s = _walks_s(network, controller, field_plan, table)

    protected = {
        k: min(limits.min_green_s, seconds)
        for k, seconds in longest_protected_s(controller, field_plan).items()
        if settings.rules.left_turns != "free"
    }
    assumed = _assumed_crossings(network, controller) if settings.rules.pedestrians == "assume" else []

    def lay_out(name: str, states: list[str], durations: list[int], stretch: list[bool]) -> Skeleton:
        spans = spans_of(
            controller,
            tuple(states),
            matrix,
            max_red_s=limits.max_red_s,
            field_red_s=red_s,
            walk_s=walk_s,
            protected_s=protected,
        )
        spans += [
            span for heads, need in assumed if (span := stop_span(tuple(states), durations, heads, need)) is not None
        ]
        return skeleton_of(name, controller.id, tuple(states), durations, stretch, spans)

    own = lay_out("field", *merged(field_plan))
    if settings.rules.clearance != "keep":  # the field's changes have the wrong length: build them anew
        own = lay_out("field's stages", *with_changes(stages_of(field_plan), matrix))
    fixed = controller.id in settings.change.fixed_signals
    share = _kept_share(network, controller, field_plan, flows, unmeasured_links)
    model = ControllerModel(controller, field_plan, matrix, flows, [own], fixed, share)
    if with_stages and not fixed and "stages" not in settings.change.freeze:
        model.skeletons.extend(_worth_trying(network, model, lay_out, settings, may_lose))
    return model


def _kept_share(
    network: RoadNetwork,
    controller: Controller,
    field_plan: ControllerPlan,
    flows: HeadFlows,
    unmeasured: frozenset[str],
) -> NDArray[np.float64]:
    """Least green share of each link index: what the field gives where nobody knows what it could spare. [-]

    Without a loop nothing tells what an approach needs; at a saturated one the count is what was served, not what came.
    """
    out = np.zeros(controller.n_heads)
    need = flows.needed_share()
    for head in controller.heads:
        links = {network.connections[i].from_link for i in head.connections}
        if not links or head.index >= len(field_plan.intervals[0].state):
            continue
        today = field_plan.green_s(head.index) / field_plan.cycle_s
        saturated = field_plan.green_s(head.index, "G") > 0 and need[head.index] >= SATURATED * today
        kept = KEPT_SHARE if links & unmeasured else SATURATED_SHARE if saturated else 0.0
        out[head.index] = kept * today
    return out


def _assumed_crossings(network: RoadNetwork, controller: Controller) -> list[tuple[list[int], int]]:
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
            out.append((heads, int(np.ceil(WALK_S + width_m / WALK_SPEED_MPS))))
    return out


def _walks_s(
    network: RoadNetwork, controller: Controller, field_plan: ControllerPlan, table: ProgramTable
) -> NDArray[np.float64]:
    """Per link index of a crossing the least time from its green to the next conflicting green. [s]"""
    foes = foes_of(conflict_pairs(controller, field_plan))
    out = np.zeros(controller.n_heads)
    for head in controller.heads:
        if head.kind == "crossing" and head.index < len(field_plan.intervals[0].state):
            need = WALK_S + crossing_length_m(network, head) / WALK_SPEED_MPS
            today = walk_times_s(table, head.index, foes.get(head.index, ()))
            out[head.index] = min([need, *today])
    return out


def _worth_trying(
    network: RoadNetwork, model: ControllerModel, lay_out: LayOut, settings: Settings, may_lose: frozenset[int]
) -> list[Skeleton]:
    """The stage sequences with the largest reserve at the field's cycle that pass every rule."""
    limits = settings.limits
    cycle = round(min(max(model.field.cycle_s, limits.cycle_min_s), limits.cycle_max_s))

    def score(sequence: tuple[str, ...]) -> tuple[float, Skeleton, NDArray[np.int64]] | None:
        skeleton = lay_out("stages", *with_changes(sequence, model.matrix))
        found = best_splits(model.controller, skeleton, model.flows, cycle)
        return None if found is None else (found[1], skeleton, found[0])

    def best_first(sequences: Iterable[tuple[str, ...]]) -> list[tuple[tuple[str, ...], Skeleton, NDArray[np.int64]]]:
        scored = [(found, sequence) for sequence in sequences if (found := score(sequence)) is not None]
        scored.sort(key=lambda row: (-row[0][0], len(row[0][1].states)))
        return [(sequence, found[1], found[2]) for found, sequence in scored]

    chosen = best_first(choices(model.controller, model.field, may_lose=may_lose)[:MAX_CHOICES])[:KEPT_CHOICES]
    ordered = [order for sequence, _, _ in chosen for order in itertools.islice(orders(sequence), MAX_ORDERS)]
    good: list[Skeleton] = []
    for _, skeleton, durations in best_first(ordered):
        if len(good) >= KEPT_SEQUENCES:
            break
        if not errors_of(network, model, skeleton.plan(durations, 0), settings):
            good.append(skeleton)
    return good


def errors_of(network: RoadNetwork, model: ControllerModel, plan: ControllerPlan, settings: Settings) -> list[str]:
    """What `check_plan` refuses in one controller's plan."""
    findings = check_plan(
        network,
        TimingPlan(controllers={plan.controller_id: plan}),
        TimingPlan(controllers={plan.controller_id: model.field}),
        settings,
    )
    return [finding.text for finding in findings if finding.severity == "error"]

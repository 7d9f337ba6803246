"""What the optimizer knows of one controller: its rules, its flows and the programs it may run."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.clearance import ClearanceMatrix
from network_data.controllers import Controller
from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.offsets import Greens, reference_greens, reference_row, reference_s
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rules import check_plan
from network_data.rules_judged import Judged
from network_data.rules_sequence import check_rings_kept, check_stage_change
from network_data.settings import Settings
from optimizer.flows import HeadFlows
from optimizer.rulebook import RuleBook, rule_book
from optimizer.skeleton import Skeleton, is_steady
from optimizer.stages import choices, orders, shown_states, stages_of, with_changes
from optimizer.timings import best_splits, green_weights
from optimizer.unseen_changes import with_usual_clearances

KEPT_SEQUENCES = 8
"""How many new stage sequences per controller go on to the simulation."""
KEPT_CHOICES = 6
"""From how many choices of stages their orders are made."""
KEPT_SHARE = 0.9
"""Of the field's green share, what approaches without any loop keep: nobody knows what they can spare. [-]"""
ENOUGH = 0.85
"""They may give away what is not needed even for flows at the top of their ranges, at this v/c. [-]"""
SATURATED = 0.9
"""From this v/c on in the field a count may be what was served and not what came. [-]"""
SATURATED_SHARE = 0.97
"""Of the field's green share, what such approaches keep. [-]"""
MAX_ORDERS = 6
MAX_CHOICES = 24
"""Choices that are looked at, fewest stages first."""


@dataclass(frozen=True, eq=False)
class ControllerModel:
    """One controller, ready to be retimed. `skeletons[0]` is the field's own program."""

    controller: Controller
    field: ControllerPlan
    book: RuleBook
    flows: HeadFlows
    skeletons: list[Skeleton]
    fixed: bool
    least_share: NDArray[np.float64]  # (H,) green over cycle that is not taken away [-]
    order_faults: tuple[str, ...] = ()  # what the settings forbid in the field's own sequence of stages
    _splits: dict[tuple[int, int], tuple[NDArray[np.int64], float] | None] = dataclasses.field(default_factory=dict)
    _rows: dict[int, int] = dataclasses.field(default_factory=dict)
    _weights: dict[int, NDArray[np.float64]] = dataclasses.field(default_factory=dict)
    _field_loads: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)

    @property
    def matrix(self) -> ClearanceMatrix:
        """Clearances, yellows and least greens."""
        return self.book.matrix

    @property
    def usable(self) -> list[int]:
        """The skeletons that may run: all, but the field's own only where the settings forbid nothing in it."""
        return list(range(1 if self.order_faults else 0, len(self.skeletons)))

    @cached_property
    def _reference(self) -> Greens:
        return reference_greens(self.controller, self.field)

    @cached_property
    def reference_s(self) -> float:
        """The second at which the stage that stands for the offset begins in the field. [s]"""
        return reference_s(self.controller, self.field, self._reference)

    def reference_row(self, skeleton: int) -> int:
        """The interval of a skeleton at which that stage begins."""
        if skeleton not in self._rows:
            self._rows[skeleton] = reference_row(self.controller, self.skeletons[skeleton].states, self._reference)
        return self._rows[skeleton]

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
    demand: DemandScenarios | None = None,
    with_stages: bool = True,
    unmeasured_links: frozenset[str] = frozenset(),
    queued_links: frozenset[str] = frozenset(),
) -> ControllerModel:
    """Gather a controller's rules and the programs it may run; each has passed `check_plan` once.

    Parameters
    ----------
    may_lose : frozenset of int
        Link indices that may end up without a protected green.
    demand : DemandScenarios, optional
        For the warrants of those that do; without it none has one.
    """
    book = rule_book(network, controller, field_plan, settings)
    own = book.skeleton("field", *merged(field_plan))
    if settings.rules.clearance != "keep":  # the field's changes have the wrong length: build them anew
        own = book.skeleton(
            "field's stages", *with_changes(stages_of(field_plan), book.matrix, shown_states(controller, field_plan))
        )
    fixed = controller.id in settings.change.fixed_signals
    share = kept_share(network, controller, field_plan, flows, unmeasured_links, queued_links)
    faults = _order_faults(network, controller, field_plan, own, settings)
    model = ControllerModel(controller, field_plan, book, flows, [own], fixed, share, faults)
    if (with_stages or faults) and not fixed and "stages" not in settings.change.freeze:
        model.skeletons.extend(_worth_trying(network, model, settings, may_lose, demand))
    return model


def kept_share(
    network: RoadNetwork,
    controller: Controller,
    field_plan: ControllerPlan,
    flows: HeadFlows,
    unmeasured: frozenset[str],
    queued: frozenset[str] = frozenset(),
) -> NDArray[np.float64]:
    """Least green share of each link index: what the field gives where nobody knows what it could spare. [-]

    Without a loop nothing tells what an approach needs; at a saturated one the count is what was served, not what came.
    Where loops see a queue stand most of the time (`queued`) that is certain, whatever flows and capacities say: what
    such an approach loses grows into a jam upstream, of which the estimated flows know nothing.
    """
    out = np.zeros(controller.n_heads)
    need = flows.needed_share()
    for head in controller.heads:
        links = {network.connections[i].from_link for i in head.connections}
        if not links or head.index >= len(field_plan.intervals[0].state):
            continue
        today = field_plan.green_s(head.index) / field_plan.cycle_s
        saturated = field_plan.green_s(head.index, "G") > 0 and need[head.index] >= SATURATED * today
        blind = KEPT_SHARE if links & unmeasured else 0.0
        if flows.most_share is not None and field_plan.green_s(head.index, "G") > 0:
            blind = min(blind, flows.most_share[head.index] / ENOUGH / today)
        kept = max(blind, SATURATED_SHARE if saturated else 0.0)
        kept = 1.0 if links & queued else kept
        out[head.index] = kept * today
    return out


def _worth_trying(
    network: RoadNetwork,
    model: ControllerModel,
    settings: Settings,
    may_lose: frozenset[int],
    demand: DemandScenarios | None,
) -> list[Skeleton]:
    """The stage sequences with the largest reserve at the field's cycle that pass every rule."""
    bounds = model.book.limits.cycle
    cycle = round(min(max(model.field.cycle_s, bounds.low_s), bounds.high_s))

    shown, clearances = shown_states(model.controller, model.field), with_usual_clearances(model.matrix)

    def score(sequence: tuple[str, ...]) -> tuple[float, Skeleton, NDArray[np.int64]] | None:
        skeleton = model.book.skeleton("stages", *with_changes(sequence, clearances, shown))
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
        if not errors_of(network, model, skeleton.plan(durations, 0), settings, demand):
            good.append(skeleton)
    return good


def _order_faults(
    network: RoadNetwork, controller: Controller, field: ControllerPlan, own: Skeleton, settings: Settings
) -> tuple[str, ...]:
    """What the rules on rings and on changes of stages refuse in the field's sequence, whatever its durations."""
    judged = Judged(network, controller, own.plan(own.start_s, 0), field, settings)
    return tuple(f.text for f in (*check_stage_change(judged), *check_rings_kept(judged)))


def errors_of(
    network: RoadNetwork,
    model: ControllerModel,
    plan: ControllerPlan,
    settings: Settings,
    demand: DemandScenarios | None = None,
) -> list[str]:
    """What `check_plan` refuses in one controller's plan; warrants of turns need the demand."""
    findings = check_plan(
        network,
        TimingPlan(controllers={plan.controller_id: plan}),
        TimingPlan(controllers={plan.controller_id: model.field}),
        settings,
        demand=demand,
    )
    return [finding.text for finding in findings if finding.severity == "error"]

"""Link cost tables for two orders of stages at every signal: all four pairs of orders of every link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from optimizer.candidate import Candidate, Setting, changed, timing_plan
from optimizer.moves import Neighbourhood
from optimizer.skeleton import Skeleton, is_steady
from optimizer.timings import scaled
from sim.link_costs import LinkCosts

BITS = 3
"""2³ plans show all four pairs of two orders to any two of seven colours."""


class Planner(Protocol):
    """What makes the tables of a plan."""

    neighbourhood: Neighbourhood

    def tables(self, plan: TimingPlan, cycle_s: int) -> LinkCosts:
        """Tables of the links between signals that run a cycle."""


def other_order(hood: Neighbourhood, at: int, setting: Setting, nth: int) -> Setting | None:
    """The same stages in another order with the seconds they have, the nth of those there are; None without any."""
    model = hood.models[at]
    if model.fixed or setting.skeleton < 0:
        return None
    now = model.skeletons[setting.skeleton]
    stages = Counter(state for state in now.states if is_steady(state))
    found = []
    for k, skeleton in enumerate(model.skeletons):
        if k == setting.skeleton or Counter(state for state in skeleton.states if is_steady(state)) != stages:
            continue
        durations = scaled(_moved_over(now, setting.durations_s, skeleton), skeleton, setting.cycle_s)
        if durations is not None:
            other = Setting(k, durations, setting.offset_s)
            if hood.keeps_rules(at, other):
                found.append(other)
    return found[nth % len(found)] if found else None


def _moved_over(now: Skeleton, durations_s: NDArray[np.int64], then: Skeleton) -> NDArray[np.int64]:
    """Each stage keeps its seconds, changes between stages take what they need."""
    out = then.start_s.copy()
    seconds = {state: int(s) for state, s in zip(now.states, durations_s, strict=True) if is_steady(state)}
    for i, state in enumerate(then.states):
        if is_steady(state):
            out[i] = seconds[state]
    return out


class OrderTables:
    """Tables (L, 2, 2, C) of all links of a cycle; `other` has the second setting of the signals that have one."""

    def __init__(self, planner: Planner, candidate: Candidate, other: Mapping[int, Setting], cycle_s: int) -> None:
        models = planner.neighbourhood.models
        first = planner.tables(timing_plan(models, candidate), cycle_s)
        self.links = first.links
        self.pairs = list(zip(first.from_controller, first.to_controller, strict=True))
        self.delay_s = np.repeat(np.repeat(first.delay_s[:, None, None], 2, axis=1), 2, axis=2)
        colour = _colours(self.pairs)
        index = {model.controller.id: i for i, model in enumerate(models)}
        second = {name for name in colour if index[name] in other}
        bits = BITS if max(colour.values(), default=0) >= (1 << (BITS - 1)) - 1 else BITS - 1
        for word in range(1, 1 << bits):
            # a signal of colour c runs its second order where the bits that its colour looks at are odd in number
            runs = {name: int((word & (c + 1)).bit_count() % 2 and name in second) for name, c in colour.items()}
            mixed = candidate
            for name, k in runs.items():
                if k:
                    mixed = changed(mixed, index[name], other[index[name]])
            shown = planner.tables(timing_plan(models, mixed), cycle_s)
            for n, (start, end) in enumerate(self.pairs):
                self.delay_s[n, runs[start], runs[end]] = shown.delay_s[n]


def _colours(pairs: list[tuple[str, str]]) -> dict[str, int]:
    """Colours such that no two neighbours have the same, few of them, at most seven."""
    graph = nx.Graph()
    graph.add_nodes_from(sorted({name for pair in pairs for name in pair}))
    graph.add_edges_from(pairs)
    found: dict[str, int] = nx.greedy_color(graph, strategy="smallest_last")
    return {name: colour % ((1 << BITS) - 1) for name, colour in found.items()}

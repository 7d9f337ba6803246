"""How long vehicles wait at red: at the stop line of each lane, and on the whole way to each link."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from network_data.turning_flows.layout import Layout
from network_data.turning_flows.unknowns import Unknowns

FLOAT = NDArray[np.float64]
JUNCTIONS_FAR = 30
MOST_BEFORE_S = 300.0
"""Waits on the way to a link count up to here: nobody's way through a large grid leads past all its signals. [s]"""


def mean_waits_s(unknowns: Unknowns, plan: TimingPlan | None) -> dict[tuple[str, int], float]:
    """Mean wait per lane when the flow is half of what the green serves (first term of Webster's formula). [s]"""
    waits: dict[tuple[str, int], list[float]] = defaultdict(list)
    for c in unknowns.network.connections if plan else ():
        program = plan.controllers.get(c.controller_id or "") if plan else None
        if program and c.link_index is not None and c.link_index < len(program.intervals[0].state):
            red_s = program.cycle_s - program.green_s(c.link_index)
            # uniform delay r² / (2 C (1 - y)), y a quarter: half the flow that half a cycle of green serves
            waits[c.from_link, c.from_lane].append(red_s**2 / (2 * program.cycle_s) / 0.75)
    return {lane: float(np.mean(values)) for lane, values in waits.items()}


def waits_before_s(layout: Layout, plan: TimingPlan | None) -> FLOAT:
    """Mean wait at all red lights on the way to each link, (L,), if vehicles come and turn as is usual. [s]"""
    unknowns = layout.unknowns
    n_link = len(unknowns.links)
    waits_s = mean_waits_s(unknowns, plan)
    if not waits_s:
        return np.zeros(n_link)
    of_turn = np.array([waits_s.get((link, lane), 0.0) for link, lane, _ in unknowns.turns])
    entering = np.zeros(n_link)
    entering[layout.gates_in] = layout.gate_weight[layout.gates_in]
    share = layout.local_shares
    head, tail = unknowns.head, unknowns.tail
    through: FLOAT = entering.copy()
    waited: FLOAT = np.zeros(n_link)  # seconds, of all vehicles together
    for _ in range(JUNCTIONS_FAR):
        waited = np.bincount(head, (waited[tail] + through[tail] * of_turn) * share, minlength=n_link).astype(float)
        through = entering + np.bincount(head, through[tail] * share, minlength=n_link)
    return np.asarray(np.minimum(waited / np.maximum(through, 1e-9), MOST_BEFORE_S))

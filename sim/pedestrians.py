"""Waiting of pedestrians at signalled crossings: the exact expectation under a plan, for arrivals at random.

Whoever comes while the crossing's signal is green enters at once (also in its last second); everybody else waits for
the next begin of green. The clearance behind the walk is no time to enter: in an interval table it is red already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from network_data.network import Crossing, RoadNetwork
from network_data.plans import GREEN, ControllerPlan, TimingPlan

HCM_INTO_CLEARANCE_S = 4.0
"""How far into the clearance pedestrians still enter, by the HCM. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossingMeasures:
    """A signalled crossing under a plan; waits are None where it never turns green.

    `wait_mean_s` is exact, so it has no standard error. `hcm_delay_s` is the HCM's formula for the same program: it
    lets people enter 4 s into the clearance. `pedestrians_ph` is the flow as given, 0 where nothing was said. A
    crossing in several stages is several crossings; what one waits on the refuge between them is not known here.
    """

    crossing_id: str
    controller_id: str
    links: tuple[int, ...]
    walk_s: float
    wait_mean_s: float | None
    wait_max_s: float | None
    hcm_delay_s: float
    pedestrians_ph: float


def crossing_measures(
    network: RoadNetwork, plan: TimingPlan, pedestrians_ph: Mapping[str, float] | None = None
) -> dict[str, CrossingMeasures]:
    """Every crossing that a controller of the plan serves, by id.

    Parameters
    ----------
    pedestrians_ph : mapping of crossing id to pedestrians per hour, optional
    """
    flows = pedestrians_ph or {}
    out = {}
    for crossing in network.crossings:
        program = plan.controllers.get(crossing.controller_id or "")
        if program is not None and crossing.link_indices:
            out[crossing.id] = _measured(crossing, program, flows.get(crossing.id, 0.0))
    return out


def _measured(crossing: Crossing, program: ControllerPlan, flow_ph: float) -> CrossingMeasures:
    """Several link indices are its two directions; they share the people evenly."""
    heads = crossing.link_indices
    means = [mean_wait_s(program, index) for index in heads]
    longest = [max(waits, default=0.0) if (waits := waits_s(program, index)) is not None else None for index in heads]
    walk_s = sum(program.green_s(index) for index in heads) / len(heads)
    return CrossingMeasures(
        crossing_id=crossing.id,
        controller_id=program.controller_id,
        links=heads,
        walk_s=walk_s,
        wait_mean_s=None if None in means else sum(m for m in means if m is not None) / len(means),
        wait_max_s=None if None in longest else max(m for m in longest if m is not None),
        hcm_delay_s=hcm_pedestrian_delay_s(program.cycle_s, walk_s + HCM_INTO_CLEARANCE_S if walk_s > 0 else 0.0),
        pedestrians_ph=flow_ph,
    )


def waits_s(program: ControllerPlan, index: int) -> list[float] | None:
    """Lengths of the times in a cycle at which nobody may enter; None where the signal is never green. [s]"""
    runs = program.windows(index)
    closed, lasts = [], 0.0
    first = next((n for n, run in enumerate(runs) if run.letter in GREEN), None)
    if first is None:
        return None
    for run in [*runs[first:], *runs[: first + 1]]:
        if run.letter not in GREEN:
            lasts += run.end_s - run.start_s
        elif lasts > 0:
            closed.append(lasts)
            lasts = 0.0
    return closed


def mean_wait_s(program: ControllerPlan, index: int) -> float | None:
    """Expected wait at a random second, Σ r² / (2 C) over the times r without walk; None if never green. [s]"""
    closed = waits_s(program, index)
    return None if closed is None else sum(r * r for r in closed) / (2 * program.cycle_s)


def hcm_pedestrian_delay_s(cycle_s: float, effective_walk_s: float) -> float:
    """Mean delay of pedestrians with one walk per cycle, (C − g)² / (2 C). [s]

    References
    ----------
    .. [1] Transportation Research Board, "Highway Capacity Manual", 6th edition, chapter 19, pedestrian delay.
    """
    return max(0.0, cycle_s - effective_walk_s) ** 2 / (2 * cycle_s)

"""How long each loop is occupied in a simulated run, from when vehicles entered and left its lane.

The queue simulation knows when a vehicle enters a lane and when it passes the stop line; in between Newell's rule says
where it is: it drives freely until it is as close behind the vehicle ahead as in a queue, and follows it from there on,
a spacing behind and the time of the backward wave over that spacing later [1]_. Seen from a place on the lane, the one
that counts is the vehicle that stands between there and the stop line k places ahead: when it has passed the stop line,
the wave has to come back k spacings. A vehicle covers the loop from its front's arrival there until its rear has left.

References
----------
.. [1] G. F. Newell, "A simplified car-following theory: a lower order model", Transportation Research B 36, 2002.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.plans import TimingPlan
from sim import _tables as k
from sim.compile import TICKS
from sim.simulate import Actuated, Record, Simulator

Floats = NDArray[np.float64]
LOOP_M = 2.0
"""Length of a loop along the lane where nobody tells (6 ft, as common in the field). [m]"""
GAP_M = 1.5
"""Between standing vehicles (SUMO 1.28: minGap of its types between 1 and 2.5 m). [m]"""
WAITED_S = 1.0
"""Who passes the stop line so much later than in free flow has stood, and starts from there. [s]"""


@dataclass(frozen=True, slots=True)
class _Lane:
    """Passages of one lane in order of leaving. Seconds from the begin of the run."""

    enter_s: Floats
    leave_s: Floats
    free_s: Floats  # when it would have passed the stop line with nobody there and the signal green
    length_m: Floats  # of the vehicles


def occupancies(
    simulator: Simulator,
    plan: TimingPlan,
    detectors: Sequence[Detector],
    *,
    actuated: Actuated | None = None,
    weights: Sequence[float] | None = None,
    loop_m: float = LOOP_M,
) -> dict[str, float]:
    """Share of the period for which each loop is occupied, mean over the realizations. [-]

    Parameters
    ----------
    detectors : sequence of Detector
        Where they lie; links and lanes of the simulator's network.
    actuated : mapping, optional
        Controllers that decide themselves.
    weights : sequence of float, optional
        Of the realizations, adding up to 1; all alike by default.
    loop_m : float
        Length of the loops along the lane. [m]

    Returns
    -------
    dict
        Detector id → occupancy; lanes nobody used are at 0.
    """
    n = simulator.n_realizations
    shares = [1 / n] * n if weights is None else list(weights)
    out = dict.fromkeys((d.id for d in detectors), 0.0)
    for r, weight in enumerate(shares):
        record = _record(simulator, plan, r, actuated)
        lanes = _lanes(simulator, record, r, {(d.link_id, d.lane) for d in detectors})
        for d in detectors:
            lane = lanes.get((d.link_id, d.lane))
            if lane is not None:
                out[d.id] += weight * _occupancy(simulator, d, lane, loop_m)
    return out


def _record(simulator: Simulator, plan: TimingPlan, r: int, actuated: Actuated | None) -> Record:
    if actuated:
        return simulator.record_shown(plan, r, actuated)[1]
    return simulator.record(plan, r)[1]


def _lanes(simulator: Simulator, record: Record, r: int, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], _Lane]:
    """Passages of the lanes asked for."""
    rows = record.rows
    # the room a vehicle takes holds the gap ahead of it
    vehicle_m = np.maximum(1.0, simulator._trips[r].vehicle[:, k.LENGTH] / 10 - GAP_M)
    order = np.lexsort((rows[:, k.LOG_LEAVE], rows[:, k.LOG_LANE]))
    rows = rows[order]
    out = {}
    for key in sorted(wanted):
        lane = simulator.compiled.lane_of.get(key)
        if lane is None:
            continue
        first, last = np.searchsorted(rows[:, k.LOG_LANE], [lane, lane + 1])
        mine = rows[first:last]
        out[key] = _Lane(
            enter_s=mine[:, k.LOG_ENTER] / TICKS,
            leave_s=mine[:, k.LOG_LEAVE] / TICKS,
            free_s=mine[:, k.LOG_ARRIVAL] / TICKS,
            length_m=vehicle_m[mine[:, k.LOG_VEH]],
        )
    return out


def _occupancy(simulator: Simulator, d: Detector, lane: _Lane, loop_m: float) -> float:
    """Share of the period in which somebody covers the loop."""
    link = simulator.compiled.network.links[d.link_id].lanes[d.lane]
    on_s = _front_s(simulator, lane, d.pos_m - loop_m / 2, link.length_m, link.speed_mps)
    rear_m = d.pos_m + loop_m / 2 + lane.length_m
    off_s = _front_s(simulator, lane, rear_m, link.length_m, link.speed_mps)
    # one behind the other: nobody comes onto the loop before the one ahead has left it
    off_s = np.maximum.accumulate(np.maximum(off_s, on_s)) if len(off_s) else off_s
    on_s = np.maximum(on_s, np.concatenate([[-np.inf], off_s[:-1]])) if len(off_s) else on_s
    begin_s = simulator.warmup_s
    end_s = begin_s + simulator.end_s - simulator.begin_s
    covered = np.minimum(off_s, end_s) - np.maximum(on_s, begin_s)
    return float(np.maximum(0.0, covered).sum() / (end_s - begin_s))


def _front_s(simulator: Simulator, lane: _Lane, at_m: Floats | float, stop_m: float, speed_mps: float) -> Floats:
    """When the front of each vehicle passes a place of the lane, or as far beyond the stop line as it lies. [s]"""
    at = np.broadcast_to(np.asarray(at_m, np.float64), lane.leave_s.shape)
    parameters, spacing_m = simulator.compiled.parameters, simulator.compiled.spacing_m
    ahead = np.maximum(0, np.ceil((stop_m - at) / spacing_m)).astype(np.int64)
    index = np.arange(len(at)) - ahead
    known = (index >= 0) & (ahead > 0)
    leader = np.maximum(index, 0)
    beyond_m = at + ahead * spacing_m - stop_m
    follows = np.where(
        known,
        lane.leave_s[leader] + _drive_s(simulator, lane, leader, beyond_m, speed_mps)
        + ahead * spacing_m / parameters.wave_mps,
        -np.inf,
    )  # fmt: skip
    free = lane.enter_s + np.minimum(at, stop_m) / stop_m * np.maximum(0.0, lane.free_s - lane.enter_s)
    before = np.minimum(np.maximum(free, follows), lane.leave_s)
    own = np.arange(len(at))
    past = lane.leave_s + _drive_s(simulator, lane, own, np.maximum(0.0, at - stop_m), speed_mps)
    return np.where(at >= stop_m, past, before)


def _drive_s(simulator: Simulator, lane: _Lane, who: NDArray[np.int64], distance_m: Floats, speed_mps: float) -> Floats:
    """Time from the stop line to a place behind it: from standstill for those who waited first, else at the limit."""
    waited = lane.leave_s[who] - lane.free_s[who] > WAITED_S
    starting = np.sqrt(2 * distance_m / simulator.compiled.parameters.accel_mps2)
    return np.asarray(np.where(waited, np.minimum(starting, 2 * distance_m / speed_mps), distance_m / speed_mps))

"""Actuated controllers as arrays for the kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from network_data.actuation import ActuatedController, ActuatedPhase
from network_data.errors import PlanError
from sim import _actuated as k
from sim import _tables as c

TICKS = 10
"""Ticks of the kernel per second."""
FASTEST = 0.8
"""Least travel time of any driver, as a share of that at the limit. [-]"""
RECALLS = {"none": k.NO_RECALL, "minimum": k.MIN_RECALL, "maximum": k.MAX_RECALL}


WAVE_MPS = 6.0
"""Speed at which the start of a queue travels back. [m/s]"""


class LaneData(NamedTuple):
    """Length, speed on the way to the stop line [m/s], and room that a standing vehicle takes. [m]"""

    length_m: float
    speed_mps: float
    room_m: float


def compile_actuated(
    controllers: Sequence[ActuatedController],
    signal_of: Mapping[tuple[str, int], tuple[int, int]],
    lane_of: Mapping[tuple[str, int], int],
    lane_data: Mapping[tuple[str, int], LaneData],
    *,
    begin_s: float = 0.0,
) -> c.ActuatedArrays:
    """Lay actuated controllers out for the kernel.

    Parameters
    ----------
    controllers : sequence of ActuatedController
    signal_of : mapping
        (controller, link index) → number of the signal and of the first of its two windows; link indices that are not
        in it are left out.
    lane_of : mapping
        (link, lane) → number of the lane in the kernel.
    lane_data : mapping
        (link, lane) → what detectors have to know of it.
    begin_s : float
        Second after midnight at which tick 0 lies. [s]

    Raises
    ------
    PlanError
        Detectors on lanes that the network does not have.
    """
    rows: dict[str, list[list[int]]] = {name: [] for name in ("controller", "slot", "phase", "head", "detector")}
    faults: list[str] = []
    n_ring_rows = 0
    for one in controllers:
        n_ring = len(one.groups[0])
        row = [0] * k.N_CONTROLLER
        row[k.PHASE0], row[k.SLOT0], row[k.RING0] = len(rows["phase"]), len(rows["slot"]), n_ring_rows
        row[k.N_RING], row[k.N_GROUP] = n_ring, len(one.groups)
        row[k.CYCLE] = _ticks(one.cycle_s or 0.0)
        row[k.FLOATING] = int(one.force_off == "floating")
        row[k.SCAN] = max(1, _ticks(one.scan_s))
        n_ring_rows += n_ring
        yields = _yields(one, begin_s)
        for g, group in enumerate(one.groups):
            for r, ring in enumerate(group):
                rows["slot"].append([len(rows["phase"]), len(rows["phase"]) + len(ring)])
                for phase in ring:
                    if phase.coordinated and one.cycle_s is not None:
                        row[k.START] = g
                    rows["phase"].append(_phase_row(one, phase, g, r, yields[r], len(rows["phase"]) - row[k.PHASE0]))
                    rows["phase"][-1][k.HEAD0], rows["phase"][-1][k.DET0] = len(rows["head"]), len(rows["detector"])
                    rows["head"] += _head_rows(one, phase, signal_of)
                    rows["detector"] += _detector_rows(one, phase, lane_of, lane_data, faults)
                    rows["phase"][-1][k.HEAD1], rows["phase"][-1][k.DET1] = len(rows["head"]), len(rows["detector"])
        row[k.PHASE1] = len(rows["phase"])
        rows["controller"].append(row)
    if faults:
        raise PlanError("actuated controllers", list(dict.fromkeys(faults)))
    widths = {"controller": k.N_CONTROLLER, "slot": 2, "phase": k.N_PHASE, "head": k.N_HEAD, "detector": k.N_DETECTOR}
    return c.ActuatedArrays(
        **{name: np.array(table, np.int32).reshape(len(table), widths[name]) for name, table in rows.items()},
        column=np.array(k.COLUMNS, np.int32),
    )


def actuated_state(arrays: c.ActuatedArrays) -> c.ActuatedState:
    """Working memory; `start` sets it."""
    n_ring = int(arrays.controller[:, k.N_RING].sum())
    return c.ActuatedState(
        ring=np.zeros((n_ring, k.N_RING_STATE), np.int32),
        seen=np.zeros(len(arrays.detector), np.int32),
        changed=np.zeros(2 * len(arrays.head) + 1, np.int32),
    )


def _ticks(seconds: float) -> int:
    return round(seconds * TICKS)


def _yields(one: ActuatedController, begin_s: float) -> list[int]:
    """Of every ring a yield point (end of its coordinated phase's programmed green) before tick 0. [ticks]"""
    if one.cycle_s is None:
        return [0] * len(one.groups[0])
    cycle = _ticks(one.cycle_s)
    points = {r: p.force_off_s for group in one.groups for r, ring in enumerate(group) for p in ring if p.coordinated}
    return [(_ticks(one.offset_s + points[r]) - _ticks(begin_s)) % cycle - cycle for r in range(len(one.groups[0]))]


def _phase_row(one: ActuatedController, phase: ActuatedPhase, g: int, r: int, yield_at: int, mine: int) -> list[int]:
    row = [0] * k.N_PHASE
    row[k.MIN], row[k.MAX] = _ticks(phase.min_green_s), _ticks(phase.max_green_s)
    row[k.GAP], row[k.CHANGE] = _ticks(phase.gap_s), _ticks(phase.change_s)
    row[k.RECALL], row[k.COORDINATED] = RECALLS[phase.recall], int(phase.coordinated)
    row[k.YIELD], row[k.SPLIT], row[k.GROUP] = yield_at, _ticks(phase.split_green_s), g
    if one.cycle_s is not None and not phase.coordinated:
        cycle = _ticks(one.cycle_s)
        ring = [p for group in one.groups for p in group[r] if p.coordinated]
        row[k.FORCE] = (_ticks(phase.force_off_s) - _ticks(ring[0].force_off_s)) % cycle or cycle
    places = [(h, q) for h, group in enumerate(one.groups) for q, ring in enumerate(group) for _ in ring]
    row[k.OTHERS] = sum(1 << n for n, (h, q) in enumerate(places) if n != mine and (h != g or q == r))
    return row


def _head_rows(
    one: ActuatedController, phase: ActuatedPhase, signal_of: Mapping[tuple[str, int], tuple[int, int]]
) -> list[list[int]]:
    out = []
    for head in phase.heads:
        signal = signal_of.get((one.controller_id, head.link_index))
        if signal is None:
            continue
        row = [0] * k.N_HEAD
        row[k.SIGNAL], row[k.WINDOW] = signal
        row[k.MODE] = c.PROTECTED if head.letter == "G" else c.STOP_AND_GO if head.letter == "s" else c.PERMITTED
        row[k.OPENS], row[k.CLOSES], row[k.YELLOW] = (_ticks(x) for x in (head.opens_s, head.closes_s, head.yellow_s))
        row[k.HOLDS] = int(head.holds)
        row[k.LENGTH] = 0 if head.length_s is None else max(1, _ticks(head.length_s))
        out.append(row)
    return out


def _detector_rows(
    one: ActuatedController,
    phase: ActuatedPhase,
    lane_of: Mapping[tuple[str, int], int],
    lane_data: Mapping[tuple[str, int], LaneData],
    faults: list[str],
) -> list[list[int]]:
    out = []
    for link_id, lane, distance_m in phase.detectors:
        if (link_id, lane) not in lane_of:
            faults.append(
                f"controller {one.controller_id!r} phase {phase.name}: a detector lies on lane {lane} of link "
                f"{link_id!r}, which the network does not have; mend it"
            )
            continue
        length_m, speed_mps, room_m = lane_data[link_id, lane]
        row = [0] * k.N_DETECTOR
        row[k.LANE], row[k.AHEAD] = lane_of[link_id, lane], _ticks(distance_m / speed_mps)
        row[k.PLACES] = int(distance_m // room_m)
        row[k.LAG] = _ticks(distance_m / WAVE_MPS)
        row[k.FREE] = _ticks(FASTEST * length_m / speed_mps)
        out.append(row)
    return out

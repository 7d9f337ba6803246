"""Actuated controllers as arrays for the kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.actuation import ActuatedController, ActuatedPhase
from network_data.errors import PlanError
from network_data.plans import ControllerPlan, Interval
from network_data.rings import merge_equal
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


def actuated_state(arrays: c.ActuatedArrays, *, n_past: int = 0) -> c.ActuatedState:
    """Working memory; `start` sets it. The first `n_past` greens that end are kept, for `shown_program`."""
    n_ring = int(arrays.controller[:, k.N_RING].sum())
    return c.ActuatedState(
        ring=np.zeros((n_ring, k.N_RING_STATE), np.int32),
        seen=np.zeros(len(arrays.detector), np.int32),
        changed=np.zeros(2 * len(arrays.head) + 1, np.int32),
        past=np.zeros((n_past, k.N_PAST), np.int32),
        n_past=np.zeros(1, np.int32),
    )


def shown_program(
    actuated: ActuatedController,
    signal_of: Mapping[int, tuple[int, int]],
    state: c.ActuatedState,
    windows: NDArray[np.int32],
    *,
    rest: str,
    begin_s: float,
    end_s: float,
) -> ControllerPlan:
    """What an actuated controller has shown in a run, as one long program: measures read it like any other.

    Parameters
    ----------
    actuated : ActuatedController
    signal_of : mapping
        Link index → number of the signal and of its first window.
    state, windows
        As the run left them; the state with room for all greens (`n_past`).
    rest : str
        Letter of each link index where no green of it is known.
    begin_s, end_s : float
        The run, tick 0 to its end. [s after midnight]

    Raises
    ------
    PlanError
        More greens ended than the state had room for.
    """
    where = f"actuated controller {actuated.controller_id!r}"
    if int(state.n_past[0]) >= len(state.past) > 0 or (len(state.past) == 0):
        raise PlanError(where, f"only {len(state.past)} greens were kept; give the state room for more (n_past)")
    end = _ticks(end_s - begin_s)
    spans = {index: _spans(state, windows, *signal_of[index], end) for index in signal_of}
    cuts = {0, end} | {t for rows in spans.values() for a, b, _ in rows for t in (a, b)}
    times = sorted(t for t in cuts if 0 <= t <= end)
    letters = [list(rest) for _ in times[:-1]]
    at = {t: n for n, t in enumerate(times)}
    for index, rows in spans.items():
        for a, b, letter in rows:
            for n in range(at.get(max(a, 0), 0), at.get(min(b, end), 0)):
                letters[n][index] = letter
    table = [Interval((b - a) / TICKS, "".join(x)) for (a, b), x in zip(pairwise(times), letters, strict=True)]
    return ControllerPlan(
        controller_id=actuated.controller_id,
        program_id=actuated.program_id,
        offset_s=begin_s % (end / TICKS),
        intervals=tuple(Interval(round(d, 1), state) for d, state in merge_equal(table)),
    )


def _spans(
    state: c.ActuatedState, windows: NDArray[np.int32], signal: int, first: int, end: int
) -> list[tuple[int, int, str]]:
    """(from, until, letter) of the greens and yellows of a signal, in order."""
    past = state.past[: int(state.n_past[0])]
    rows = [row[k.PAST_WINDOW :] for row in past[past[:, k.PAST_SIGNAL] == signal]]
    rows += [row for row in windows[first : first + 2] if row[k.GREEN1] == k.NEVER and row[k.GREEN0] < end]
    known = {int(row[k.GREEN0]) for row in rows}
    rows += [row for row in windows[first : first + 2] if 0 <= row[k.GREEN0] < end and int(row[k.GREEN0]) not in known]
    out = []
    for row in rows:
        begin, until = int(row[k.GREEN0]), min(int(row[k.GREEN1]), end)
        letter = {c.PROTECTED: "G", c.PERMITTED: "g"}.get(int(row[k.GREEN_MODE]), "s")
        out.append((begin, until, letter))
        if row[k.BEHIND] > 0:
            out.append((until, min(until + int(row[k.BEHIND]), end), "y"))
    return sorted(out)


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

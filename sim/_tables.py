"""The tables that the queue simulation works on: names of their columns, and bundles of them.

Records are rows of int32 tables. Times are ticks of 0.1 s from the begin of the run; NEVER stands for no time at all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER = 2_000_000_000

# lanes (static): index in its link; upstream end to stop line at the limit, and as driven; places; time of the backward
# wave over the lane; least headway on entering; delay above which a vehicle has stopped; first place in the ring;
# waiting place that keeps the lane's other turns from passing while somebody stands there; lanes beside it
BIT, FREE, DRIVE, STORAGE, WAVE, SPACING, STOP, RING, BLOCKER, LEFT, RIGHT = range(11)
N_LANE = 11
# connections (static): time across the junction, from the waiting place on, lost by turning, lost before a minor
# approach; 1000 × ticks per dm of vehicle in the headway; speed on the junction [dm/s]; waiting place; signal; foes
# [FOE0, FOE1); lanes of the next link it leads to (bits); use of yellow that comes from its speed;
# gap it needs before the next foe
CROSS, PLACE_CROSS, LOSS, APPROACH, PACE, SPEED, PLACE, SIGNAL, FOE0, FOE1, TO_MASK, USE, CLEAR_GAP = range(13)
N_CONN = 13
# rows of foes: where they come from, and how long one that passed is in the way
FOE_LANE, FOE_CONN, FOE_CLEAR = range(3)
# lanes that serve a pair of links
PAIR_LANE, PAIR_CONN, PAIR_BUS = range(3)
# signals: cycle; begin of a cycle before the run begins; their windows
CYCLE, BASE, WINDOW0, WINDOW1 = range(4)
N_SIGNAL = 4
# windows in cycle time, in order: green, yellow behind it, mode, whether the signal was closed before
GREEN0, GREEN1, YELLOW, MODE, FRESH = range(5)
STOP_AND_GO, PERMITTED, PROTECTED = range(3)
# vehicles (given)
DEPART, ROUTE0, LINK, IS_BUS, LENGTH, SLOTS, DRIVER = range(7)
N_VEHICLE = 7
# lanes (changing): pending event; end and mode of the green it lies in; head waits for a gap; queue; free again;
# last arrival; last to leave, and how; green in which N_GREEN vehicles left; places taken so far; who waits for
# room; when the next may enter from a gate; whether the last to leave made place for one from the lane beside it
EVENT, WINDOW_END, LETTER, YIELDING, HEAD, TAIL, COUNT, FREE_AT, LAST_ARRIVAL = range(9)
LAST_LEAVE, LAST_CONN, GREEN_FROM = range(9, 12)
N_GREEN, SLOT, WAITER, WAITER_NEXT, BLOCKED_FROM, BUCKET_NEXT, GATE_FREE, ZIPPED = range(12, 20)
N_LANE_STATE = 20
# vehicles (changing): next in queue; when it left the place before; when it reaches the stop line; its connection;
# step; its first place in the ring; the lane it entered the link by, and when it changed to the next one (or NEVER)
NEXT, ENTER, ARRIVAL, CONN, STEP, MY_SLOT, BY_LANE, CHANGED = range(8)
N_VEH_STATE = 8
# signals (changing): the window that is open or comes next, and the begin of its cycle
AT_WINDOW, AT_BASE = range(2)
N_SIGNAL_STATE = 2
# totals
DELAY, STOPS, BLOCKED, DONE, ENTERED, GATE_DELAY = range(6)
N_TOTALS = 6
# log columns
LOG_VEH, LOG_LANE, LOG_CONN, LOG_ENTER, LOG_ARRIVAL, LOG_LEAVE, LOG_DELAY, LOG_STEP, LOG_BY_LANE, LOG_CHANGED = range(
    10
)
N_LOG = 10
# constants: ticks, but for N_EARLY and LANE_CHANGE [veh], ACCEL [dm/s²]; vehicles due from COUNT_FROM on count; for the
# first N_START of a queue their speed at the stop line [dm/s] and their use of yellow
REACTION, START_UP, SECOND, EARLY, N_EARLY, FOLLOW_UP, STOP_ON_RED, ACCEL = range(8)
ENTRY_HEADWAY, ENTRY_LOSS, LANE_CHANGE, END, COUNT_FROM, STUCK, STUCK_VEH, IMPATIENCE, CREEP = range(8, 17)
N_START = 8
REACHED0, USE0 = 17, 17 + N_START
N_CONST = 17 + 2 * N_START

Ints = NDArray[np.int32]


class NetworkArrays(NamedTuple):
    """The network: L lanes (waiting places at the end), C connections, P link pairs, K links (gates)."""

    lane: Ints  # (L, N_LANE)
    conn: Ints  # (C, N_CONN)
    foe: Ints  # (F, 3)
    pair_start: Ints  # (P + 1,)
    pair: Ints  # (Q, 3)


class PlanArrays(NamedTuple):
    """A plan: S signals and their windows."""

    signal: Ints  # (S, N_SIGNAL)
    window: Ints  # (W, 5)


class TripArrays(NamedTuple):
    """V vehicles in order of departure; R steps: the link pairs of their routes, the last one ends the trip."""

    vehicle: Ints  # (V, N_VEHICLE)
    route: Ints  # (R,)
    dwell: Ints  # (R,) or (0,), stop on the link of the step [ticks]


class State(NamedTuple):
    """What changes while a simulation runs; reused between runs of the same size."""

    bucket: Ints  # (T,) first lane with an event at that tick
    lane: Ints  # (L + K, N_LANE_STATE)
    veh: Ints  # (V, N_VEH_STATE)
    ring: Ints  # (places,) when each place was left
    signal: Ints  # (S, N_SIGNAL_STATE)


class Results(NamedTuple):
    """What a run leaves behind; a log without rows is not kept."""

    totals: NDArray[np.int64]  # (N_TOTALS,)
    log: Ints  # (rows, N_LOG)
    n_log: NDArray[np.int64]  # (1,)

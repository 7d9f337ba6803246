"""The tables that the queue simulation works on: names of their columns, and bundles of them.

Records are rows of int32 tables. Times are ticks of 0.1 s from the begin of the run; NEVER stands for no time at all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEVER = 2_000_000_000
ROWS = 0x7FFF_FFFF
"""What the number of a row is masked by."""

# lanes (static): upstream end to stop line at the limit, and as driven; places; time of the backward
# wave over the lane; least headway on entering; delay above which a vehicle has stopped; first place in the rings (and
# bits of the number of places in its own one, a power of two: no need to divide);
# waiting place that keeps the lane's other turns from passing while somebody stands there; lanes beside it; how much
# longer those wait for room that may not stand on the way to it; index in its link. All but the last two stand in the
# changing rows too, among what changes: a row is two lines of the cache, and the first one holds all that is asked of
# a lane by those who choose it, enter it or yield to it
DRIVE, STORAGE, WAVE, SPACING, RING = range(5)
FREE, STOP, BLOCKER, LEFT, RIGHT, KEEP_CLEAR, BIT = range(16, 23)
KEPT = (DRIVE, STORAGE, WAVE, SPACING, RING, FREE, STOP, BLOCKER, LEFT, RIGHT)
N_LANE = 23
RING_BITS, RING_MASK = 5, 31
FULL, NOT_THERE = 10_000, 20_000
"""What lanes cost that have no room, and those that are not taken even when the others have none. [veh]"""
# connections (static): time across the junction, from the waiting place on, lost by turning, lost before a minor
# approach; 1000 × ticks per dm of vehicle in the headway; speed on the junction [dm/s]; waiting place; signal; foes
# [FOE0, FOE1); lanes of the next link it leads to (bits); use of yellow that comes from its speed;
# gap it needs before the next foe; ways from the lanes beside it into the same lane; from start of green until the
# first of a queue passes
CROSS, PLACE_CROSS, LOSS, APPROACH, PACE, SPEED, PLACE, SIGNAL, FOE0, FOE1, TO_MASK, USE, CLEAR_GAP = range(13)
MERGE_LEFT, MERGE_RIGHT, START_UP = 13, 14, 15
N_CONN = 16  # a row is one line of the cache
# rows of foes: where they come from, and how long one that passed is in the way
FOE_LANE, FOE_CONN, FOE_CLEAR = range(3)
N_FOE = 3
# lanes that serve a pair of links, one row after the other; the first says how many they are
PAIR_LANE, PAIR_CONN, PAIR_BUS, PAIR_N, PAIR_BIT = range(5)
N_PAIR = 5
# the same as the kernel reads it, a quarter of a line of the cache: lane; connection; its signal or -1; N | BIT << 8 |
# BUS << 16
WAY_LANE, WAY_CONN, WAY_SIGNAL, WAY_TRAITS = range(4)
N_WAY = 4
# signals: cycle; begin of a cycle before the run begins; their windows
CYCLE, BASE, WINDOW0, WINDOW1 = range(4)
N_SIGNAL = 4
# windows in cycle time, in order: green, yellow behind it, mode, whether the signal was closed before
GREEN0, GREEN1, YELLOW, MODE, FRESH = range(5)
N_WINDOW = 5
STOP_AND_GO, PERMITTED, PROTECTED = range(3)
# vehicles (given); TRAITS: all that the kernel asks of a vehicle on its way, packed (see `pack`)
DEPART, ROUTE0, GATE, IS_BUS, LENGTH, SLOTS, DRIVER, STANDING, TRAITS = range(9)
N_VEHICLE = 9
# lanes (changing): places taken so far; vehicles on it; last arrival; queue; the first place that is still taken (all
# before it are left); when a place was left last; pending event; when the head arrived; last to leave; head waits for a
# gap (or is INSIDE)
SLOT, PRESENT, LAST_ARRIVAL, HEAD, TAIL, TAKEN, LEFT_AT, EVENT, HEAD_CAME, LAST_LEAVE, YIELDING = range(5, 16)
# end and mode of the green that the event lies in (mode ~n: it waits for signal n of an actuated controller); free
# again; how the last one left; green in which N_GREEN vehicles left; who waits for the same room; since when; when the
# next may enter from a gate; what headways were too long or short by rounding [1/1000 tick], and ZIPPED where the last
# to leave made place for one from the lane beside it; who waits for room
WINDOW_END, LETTER, FREE_AT, LAST_CONN, GREEN_FROM, N_GREEN = range(22, 28)
WAITER_NEXT, BLOCKED_FROM, GATE_FREE, CARRY, WAITER = 28, 29, 30, 31, 21
ZIPPED = 1024
N_LANE_STATE = 32
# vehicles (changing): next in queue; when it left the place before; when it reaches the stop line; its connection;
# step; its first place in the ring; its traits; row of its connection's signal or -1. A row is half a line of the cache
NEXT, ENTER, ARRIVAL, CONN, STEP, MY_SLOT, MY_TRAITS, MY_SIGNAL = range(8)
N_VEH_STATE = 8
# vehicles (changing, kept with the log only): lane it entered the link by, when it changed to the next one (or NEVER)
BY_LANE, CHANGED = range(2)
# signals (changing): their windows and cycle; the window that is open or comes next, and the begin of its cycle; that
# window: green from, until, yellow behind it, mode (and 16 where the signal was closed before); the next one
FIRST, LAST, LAP, AT_WINDOW, AT_BASE, FROM, UNTIL, AFTER, SHOWS = range(9)
NEXT_FROM, NEXT_UNTIL, NEXT_AFTER, NEXT_SHOWS = range(9, 13)
N_SIGNAL_STATE = 16  # a row is one line of the cache
ALIKE_WITHIN = 32
"""So far back in the table signals are sought that show the same."""
LIVE = -1
"""Instead of WINDOW1: an actuated controller writes the signal's two windows, from row WINDOW0 of the live ones on."""
# events whose data are fetched: lane; the head's connection; who is behind it; the step it takes, then first row of
# the pairs (or -1); in the first row: the lane whose event comes after all of them
SOON_LANE, SOON_CONN, SOON_NEXT, SOON_PAIR, SOON_AFTER = range(5)
N_SOON = 5
# totals
DELAY, STOPS, BLOCKED, DONE, ENTERED, GATE_DELAY = range(6)
N_TOTALS = 6
# log columns
LOG_VEH, LOG_LANE, LOG_CONN, LOG_ENTER, LOG_ARRIVAL, LOG_LEAVE, LOG_DELAY, LOG_STEP, LOG_BY_LANE, LOG_CHANGED = range(
    10
)
N_LOG = 10
INSIDE = 2
"""YIELDING of a head that has driven into the junction and found no room behind it."""
DUE_SOON = 8
"""So many vehicles before it is due, what a vehicle needs is fetched."""
ON_WAY, SOON, PER_VEH = 2, 50, 20
"""Vehicles on the way to a lane beyond its places; heads of queues that move go so soon; time per vehicle. [ticks]"""
# constants: ticks, but for N_EARLY, LANE_CHANGE and LANE_AHEAD [veh], ACCEL [dm/s²]; vehicles due from COUNT_FROM on
# count; for the first N_START of a queue their speed at the stop line [dm/s] and their use of yellow
REACTION, SECOND, EARLY, N_EARLY, FOLLOW_UP, STOP_ON_RED, ACCEL = range(7)
ENTRY_HEADWAY, ENTRY_LOSS, LANE_CHANGE, END, COUNT_FROM, STUCK, STUCK_VEH, IMPATIENCE, CREEP = range(7, 16)
LANE_AHEAD, IGNORE, MERGE = 16, 17, 18
N_START = 8
REACHED0, USE0 = 19, 19 + N_START
N_CONST = 19 + 2 * N_START

Ints = NDArray[np.int32]


class NetworkArrays(NamedTuple):
    """The network: L lanes (waiting places at the end), C connections; K gates behind the lanes."""

    lane: Ints  # (L, N_LANE)
    conn: Ints  # (C, N_CONN)
    foe: Ints  # (F, N_FOE)
    pair: Ints  # (Q, N_PAIR)
    way: Ints  # (Q, N_WAY) the pairs, packed


class ActuatedArrays(NamedTuple):
    """Actuated controllers, A of them with P phases: see `sim._actuated`."""

    controller: Ints  # (A, N_CONTROLLER)
    slot: Ints  # (slots, 2)
    phase: Ints  # (P, N_PHASE)
    head: Ints  # (heads of phases, N_HEAD)
    detector: Ints  # (detectors of phases, N_DETECTOR)
    column: Ints  # (5,) columns of the lanes' and vehicles' tables that they read


class ActuatedState(NamedTuple):
    """What actuated controllers change; `changed[0]` entries behind it name the signals of the last decision."""

    ring: Ints  # (rings, N_RING_STATE)
    seen: Ints  # (detectors,) last detection known
    changed: Ints  # (1 + N,); a signal may be named twice
    past: Ints  # (rows or 0, N_PAST) greens that have ended, for as many rows as there are
    n_past: Ints  # (1,)


class PlanArrays(NamedTuple):
    """A plan: S signals and their windows; A actuated controllers, which have events of their own."""

    signal: Ints  # (S, N_SIGNAL)
    window: Ints  # (W, 5)
    actuated: ActuatedArrays
    owner: Ints  # (A,) their numbers in the calendar, behind lanes and gates
    lane_start: Ints  # (S + 1,) or (0,) where nothing is actuated
    lane: Ints  # lanes of signal n: [lane_start[n], lane_start[n + 1])


class TripArrays(NamedTuple):
    """V vehicles in order of departure; R steps: first rows of their routes' link pairs; the last ends the trip."""

    vehicle: Ints  # (V, N_VEHICLE)
    route: Ints  # (R,)
    dwell: Ints  # (R,) or (0,), stop on the link of the step [ticks]
    lanes: Ints  # (R,) lanes of the link from which the way goes on without a lane change on a short link (bits)


class State(NamedTuple):
    """What changes while a simulation runs; reused between runs of the same size."""

    bucket: Ints  # (T,) first lane with an event at that tick
    following: Ints  # (L + K,) next lane with an event at the same tick
    lane: Ints  # (L + K, N_LANE_STATE)
    veh: Ints  # (V, N_VEH_STATE)
    moved: Ints  # (V, 2)
    ring: Ints  # (places,) when each place was left
    signal: Ints  # (S, N_SIGNAL_STATE)
    shown: Ints  # (S,) row of that table in which it stands what a signal shows
    live: Ints  # (2 × live signals, 5) their windows: the running green and the one after it
    actuated: ActuatedState
    soon: Ints  # (events fetched together, or 0 in networks that the cache holds; N_SOON)


def pack(driver: Ints, slots: Ints, length_dm: Ints, bus: Ints, counts: Ints, standing: Ints) -> Ints:
    """Traits of vehicles in a number each: pace (11 bits), places (5), length (10), bus, whether it counts, stands."""
    return np.asarray(
        np.clip(driver, 1, 2047)
        | np.clip(slots, 1, 31) << 11
        | np.clip(length_dm, 1, 1023) << 16
        | bus << 26
        | counts << 27
        | standing << 28,
        np.int32,
    )


def pack_ways(pair: Ints, conn: Ints) -> Ints:
    """The pairs' rows as the kernel reads them: (Q, N_WAY) of tables (Q, N_PAIR) and (C, N_CONN)."""
    way = np.empty((len(pair), N_WAY), np.int32)
    way[:, WAY_LANE] = pair[:, PAIR_LANE]
    way[:, WAY_CONN] = at = pair[:, PAIR_CONN]
    way[:, WAY_SIGNAL] = np.where(at >= 0, conn[at, SIGNAL], -1) if len(conn) else -1
    way[:, WAY_TRAITS] = pair[:, PAIR_N] | pair[:, PAIR_BIT] << 8 | pair[:, PAIR_BUS] << 16
    return way


class Results(NamedTuple):
    """What a run leaves behind; a log without rows is not kept."""

    totals: NDArray[np.int64]  # (N_TOTALS,)
    log: Ints  # (rows, N_LOG)
    n_log: NDArray[np.int64]  # (1,)

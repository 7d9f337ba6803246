"""Queues of lanes from the passages of their stop lines: back of queue per cycle, time in queue, full and busy lanes.

A vehicle queues from the second at which it would have reached the stop line until it passes (half a second counts as
none). The *back of queue* is the place at which it joins: vehicles that still stand ahead of it and those that left
since the green began without the queue having dissolved, itself included, as long as the wave of starting vehicles has
not come so far; behind the wave nobody stops, and only those count who are still ahead. It is never beyond the lane's
storage.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim._greens import Windows
from sim.compile import TICKS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
QUEUED = TICKS // 2
"""Who waits longer has queued. [ticks]"""
PERCENTILE = 95.0
WIDE = 1 << 32
"""More ticks than any run has: keeps the times of one lane apart from those of the next."""


class Passages(NamedTuple):
    """N passages of stop lines in order of lane, then of leaving. Times in ticks; L lanes."""

    lane: Ints  # (N,)
    edge: Ints  # (L + 1,) where each lane begins
    arrival: Ints  # (N,) when the vehicle would have passed with nobody there and the signal green
    leave: Ints  # (N,) when it passed, or the end of the run
    clear: Ints  # (N,) when the next may pass


class LaneQueues(NamedTuple):
    """Longest back of queue in each cycle of each lane, and the mean number that queues; L lanes. [veh]"""

    edge: Ints  # (L + 1,) where each lane begins in `longest`
    longest: Ints  # (cycles of all lanes,)
    mean: Floats  # (L,)


def lane_queues(
    passages: Passages, openings: Windows, storage: Ints, wave: Floats, cycle: Ints, start: int, end: int
) -> LaneQueues:
    """Queues in [start, end), cut into whole cycles from start on; the last one takes what is left.

    Parameters
    ----------
    openings : Windows
        When each lane may discharge.
    storage : ndarray, shape (L,)
        Places of each lane. [veh]
    wave : ndarray, shape (L,)
        From the start of the first in a queue to that of the next, and a place's free drive. [ticks/veh]
    cycle : ndarray, shape (L,)
        Length of the cycles to cut the period into. [ticks]
    """
    n_cycle = np.maximum(1, (end - start) // cycle)
    edge = np.concatenate([[0], np.cumsum(n_cycle)]).astype(np.int64)
    longest = _standing_at_begins(passages, edge, n_cycle, cycle, start)
    place = _places_joined(passages, openings, wave)
    joined = (place > 0) & (passages.arrival >= start) & (passages.arrival < end)
    lane = passages.lane[joined]
    which = np.minimum((passages.arrival[joined] - start) // cycle[lane], n_cycle[lane] - 1)
    np.maximum.at(longest, edge[lane] + which, place[joined])
    longest = np.minimum(longest, np.repeat(storage, n_cycle))
    waits = np.clip(passages.leave, start, end) - np.clip(passages.arrival, start, end)
    mean = np.bincount(passages.lane, weights=waits, minlength=len(storage)) / (end - start)
    return LaneQueues(edge=edge, longest=longest, mean=mean)


def _standing_at_begins(passages: Passages, edge: Ints, n_cycle: Ints, cycle: Ints, start: int) -> Ints:
    """Vehicles that queue at the begin of every cycle, shape (cycles of all lanes,)."""
    lane = passages.lane
    first, last = (
        np.clip((t - start) // cycle[lane] + 1, 0, n_cycle[lane]) for t in (passages.arrival, passages.leave)
    )
    queues = (last > first) & (passages.leave - passages.arrival > QUEUED)
    steps = np.zeros(int(edge[-1]) + len(n_cycle), np.int64)  # one more per lane, for who stands to the end
    base = edge[:-1] + np.arange(len(n_cycle))
    np.add.at(steps, base[lane[queues]] + first[queues], 1)
    np.subtract.at(steps, base[lane[queues]] + last[queues], 1)
    # what a lane adds it takes away again, so that one sum serves all lanes
    return np.delete(np.cumsum(steps), base + n_cycle)


def _places_joined(passages: Passages, openings: Windows, wave: Floats) -> Ints:
    """Place of each vehicle in the queue when it joins, from 1; 0 for those who do not queue."""
    n = len(passages.lane)
    if n == 0:
        return np.zeros(0, np.int64)
    index = np.arange(n)
    lane_begin = passages.edge[passages.lane]
    queued = passages.leave - passages.arrival > QUEUED
    # the first of the vehicles that queue without a gap; a new lane begins anew
    run = np.maximum(np.maximum.accumulate(np.where(queued, 0, index + 1)), lane_begin)
    since = openings.opened(passages.lane, passages.arrival)
    place, still = (index - np.minimum(np.maximum(run, _first_after(passages, t)), index) + 1
                    for t in (since, passages.arrival))  # fmt: skip
    moving = passages.arrival - since > place * wave[passages.lane]
    return np.where(queued, np.where(moving, still, place), 0)


def _first_after(passages: Passages, at: Ints) -> Ints:
    """For every passage the first one of its lane that left at or after the given time, shape (N,)."""
    return np.searchsorted(passages.lane * WIDE + passages.leave, passages.lane * WIDE + at, side="left")


def busy_s(passages: Passages, effective: Windows, start: int, end: int) -> tuple[Floats, Floats]:
    """Open time in which each lane had somebody to serve, and its open time in all; both (L,). [s]

    A vehicle is served from its arrival, or the time at which the way was clear of its predecessor, until the way is
    clear of itself.
    """
    n_lane = len(passages.edge) - 1
    done = np.maximum.accumulate(passages.lane * WIDE + np.minimum(passages.clear, end)) - passages.lane * WIDE
    before = np.concatenate([[0], done[:-1]])
    before[passages.edge[:-1][passages.edge[:-1] < len(done)]] = 0
    begin = np.minimum(np.maximum(np.maximum(passages.arrival, before), start), done)
    served = effective.open_before(passages.lane, done) - effective.open_before(passages.lane, begin)
    lanes = np.arange(n_lane)
    opened = effective.open_before(lanes, np.full(n_lane, end)) - effective.open_before(lanes, np.full(n_lane, start))
    return np.bincount(passages.lane, weights=served, minlength=n_lane) / TICKS, opened / TICKS


def full_s(lane: Ints, enter: Ints, leave: Ints, slots: Ints, storage: Ints) -> Floats:
    """Seconds for which each lane has no place left, shape (L,).

    Parameters
    ----------
    lane, enter, leave, slots : ndarray, shape (N,)
        Passages of lanes: from when to when the vehicle takes how many places. [ticks], [veh]
    storage : ndarray, shape (L,)
        Places of each lane. [veh]
    """
    lanes = np.concatenate([lane, lane])
    times = np.concatenate([enter, leave])
    steps = np.concatenate([slots, -slots])
    order = np.lexsort((steps, times, lanes))  # who leaves goes before who enters at the same time
    lanes, times = lanes[order], times[order]
    inside = np.cumsum(steps[order])  # each lane's steps add up to nothing
    lasts = np.diff(times, append=times[-1:])
    full = (inside[:-1] >= storage[lanes[:-1]]) & (lanes[1:] == lanes[:-1])
    return np.bincount(lanes[:-1][full], weights=lasts[:-1][full], minlength=len(storage)) / TICKS

# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators
"""Kernels of local queue polygons: each lane's arrivals around the cycle, as a run had them, under other timings.

Seconds of the clock are those since the run began; profile slot t of a lane holds what comes in second t modulo the
cycle of the signal at its end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sim import _tables as k

FAST = {"cache": True, "nogil": True, "error_model": "numpy"}
LOST_S = 2
"""Queues start so much after green begins and use as much of the yellow behind it. [s]"""
TICKS = 10


class Timing(NamedTuple):
    """What signals show; S signals with up to N intervals, R rules on sums of durations."""

    n_interval: np.ndarray  # (S,) int64
    cycle: np.ndarray  # (S,) int64
    duration: np.ndarray  # (S, N) int64
    offset: np.ndarray  # (S,) int64, begin of interval 0 on the clock of the run
    stretch: np.ndarray  # (S, N) bool
    rule_first: np.ndarray  # (S + 1,) int64
    rule_mask: np.ndarray  # (R,) int64, one bit per interval
    rule_least: np.ndarray  # (R,) int64
    rule_most: np.ndarray  # (R,) int64
    running: np.ndarray  # (S, N) int64, durations that decisions may move from so far only


class Lanes(NamedTuple):
    """Lanes before signals, L of them; those of a signal stand together."""

    lane: np.ndarray  # (L,) int64, kernel lane
    first: np.ndarray  # (S + 1,) int64
    out_first: np.ndarray  # (S + 1,) int64
    out: np.ndarray  # lanes (rows) that a signal sends vehicles to, of other signals in the same cycle
    signal: np.ndarray  # (L,) int64
    open_share: np.ndarray  # (L, N) float64, of the lane's vehicles those with green in an interval
    rate: np.ndarray  # (L,) float64, under green [veh/s]
    profile: np.ndarray  # (L, longest cycle) float64 [veh/s]
    shift: np.ndarray  # (L,) int64, how much later what comes has been moved [s]
    growing: np.ndarray  # (1,) float64, for how many cycles on average a queue that grows has grown within the horizon


@njit(**FAST)
def arrivals(log, n_log, row_of_lane, cycle_of_row, profile, delay, count):
    """Add up when vehicles came to stop lines and what they lost there; all of it per row of `Lanes`."""
    profile[:] = 0.0
    delay[:] = 0.0
    count[:] = 0.0
    for n in range(n_log):
        row = row_of_lane[log[n, k.LOG_LANE]]
        if row < 0 or log[n, k.LOG_ARRIVAL] < 0:
            continue
        count[row] += 1.0
        delay[row] += max(0, log[n, k.LOG_DELAY]) / TICKS
        if log[n, k.LOG_CONN] >= 0:
            profile[row, log[n, k.LOG_ARRIVAL] // TICKS % cycle_of_row[row]] += 1.0


@njit(**FAST)
def smooth(profile, cycle, out):
    """Weights 1, 2, 1 around the cycle; out holds one row."""
    for row in range(profile.shape[0]):
        n = cycle[row]
        for t in range(n):
            out[t] = (
                profile[row, t - 1 if t else n - 1] + 2 * profile[row, t] + profile[row, t + 1 if t + 1 < n else 0]
            ) / 4
        profile[row, :n] = out[:n]


@njit(**FAST)
def blend(profile, kept, cycle, kept_cycle, later, share):
    """Mean of new profiles and those kept, whose clock began `later` seconds after; where the cycle is the same."""
    for row in range(profile.shape[0]):
        n = cycle[row]
        if n != kept_cycle[row]:
            continue
        source = (-later) % n
        for t in range(n):
            profile[row, t] = (1 - share) * profile[row, t] + share * kept[row, source]
            source = source + 1 if source + 1 < n else 0


@njit(**FAST)
def turn(profile, cycle, shift, out):
    """Move each row's profile so many seconds later; out holds one row."""
    for row in range(profile.shape[0]):
        n = cycle[row]
        if shift[row] % n == 0:
            continue
        for t in range(n):
            out[(t + shift[row]) % n] = profile[row, t]
        profile[row, :n] = out[:n]


@njit(**FAST)
def _service(open_share, n_interval, duration, offset, cycle, rate, service):
    """What a lane lets go each second of the clock."""
    t = (offset + LOST_S) % cycle
    for i in range(n_interval):
        share = open_share[i] * rate
        for _ in range(duration[i]):
            service[t] = share
            t = t + 1 if t + 1 < cycle else 0


@njit(**FAST)
def _waits(profile, shift, cycle, service, growing):
    """Delay per cycle of a lane that comes back to the same queue, or whose queue grows until the horizon; [veh·s]."""
    queue, total, before = 0.0, 0.0, 0.0
    for _ in range(2):
        total, before = 0.0, queue
        source = (cycle - shift) % cycle
        for t in range(cycle):
            queue = max(0.0, queue + profile[source] - service[t])
            total += queue
            source = source + 1 if source + 1 < cycle else 0
    return total + max(0.0, queue - before) * cycle * growing


@njit(**FAST)
def lane_delay(timing, lanes, row, duration, offset, more, service):
    """Delay per cycle before one stop line under a timing of its signal; arrivals `more` seconds later."""
    s = lanes.signal[row]
    cycle = timing.cycle[s]
    _service(lanes.open_share[row], timing.n_interval[s], duration, offset, cycle, lanes.rate[row], service)
    return _waits(lanes.profile[row], (lanes.shift[row] + more) % cycle, cycle, service, lanes.growing[0])


@njit(**FAST)
def shift_tables(timing, lanes, rows, delay, service):
    """Delay per cycle before some stop lines for every second by which their arrivals may come later: delay (K, C)."""
    for i in range(len(rows)):
        row = rows[i]
        s = lanes.signal[row]
        cycle = timing.cycle[s]
        _service(
            lanes.open_share[row], timing.n_interval[s], timing.duration[s], timing.offset[s], cycle, lanes.rate[row],
            service,
        )  # fmt: skip
        for later in range(cycle):
            delay[i, later] = _waits(
                lanes.profile[row], (lanes.shift[row] + later) % cycle, cycle, service, lanes.growing[0]
            )


@njit(**FAST)
def calibrate(timing, lanes, wanted, saturation, low, high, steps, service):
    """Rates with which lanes lose what they lost in the run, between low and high times the saturation flow."""
    for row in range(len(lanes.signal)):
        s = lanes.signal[row]
        if wanted[row] <= 0:
            lanes.rate[row] = saturation[row]
            continue
        a, b = low, high
        for _ in range(steps):
            middle = (a + b) / 2
            lanes.rate[row] = saturation[row] * middle
            if lane_delay(timing, lanes, row, timing.duration[s], timing.offset[s], 0, service) > wanted[row]:
                a = middle
            else:
                b = middle


@njit(**FAST)
def _own(timing, lanes, s, duration, offset, service):
    total = 0.0
    for row in range(lanes.first[s], lanes.first[s + 1]):
        total += lane_delay(timing, lanes, row, duration, offset, 0, service)
    return total


@njit(**FAST)
def _sent(timing, lanes, s, later, service):
    """Delay where a signal sends vehicles to, if it sends them later."""
    total = 0.0
    for i in range(lanes.out_first[s], lanes.out_first[s + 1]):
        row = lanes.out[i]
        other = lanes.signal[row]
        total += lane_delay(timing, lanes, row, timing.duration[other], timing.offset[other], later, service)
    return total


@njit(**FAST)
def keeps(timing, s, duration, most_step):
    """Whether durations keep a signal's rules and the bound on one decision."""
    n = timing.n_interval[s]
    for i in range(n):
        if duration[i] < 1 or abs(duration[i] - timing.running[s, i]) > most_step:
            return False
    for r in range(timing.rule_first[s], timing.rule_first[s + 1]):
        total = 0
        for i in range(n):
            if timing.rule_mask[r] >> i & 1:
                total += duration[i]
        if total < timing.rule_least[r] or total > timing.rule_most[r]:
            return False
    return True


@njit(**FAST)
def improve_offsets(timing, lanes, order, steps, moved, most_step, least, service):
    """One signal after the other takes its best offset among its own plus `steps`, while others stand.

    moved (S,): seconds moved so far in this decision, at most `most_step` either way. Returns what was gained.
    """
    gained = 0.0
    for s in order:
        cycle = timing.cycle[s]
        now = _own(timing, lanes, s, timing.duration[s], timing.offset[s], service) + _sent(
            timing, lanes, s, 0, service
        )
        best, best_step = now * (1 - least), 0
        for step in steps:
            if abs(moved[s] + step) > most_step:
                continue
            value = _own(timing, lanes, s, timing.duration[s], (timing.offset[s] + step) % cycle, service)
            if value < best:
                value += _sent(timing, lanes, s, step, service)
                if value < best:
                    best, best_step = value, step
        if best_step:
            gained += now - best
            timing.offset[s] = (timing.offset[s] + best_step) % cycle
            moved[s] += best_step
            for i in range(lanes.out_first[s], lanes.out_first[s + 1]):
                lanes.shift[lanes.out[i]] += best_step
    return gained


@njit(**FAST)
def improve_splits(timing, lanes, order, steps, moved, most_offset, most_step, least, rounds, trial, best_one, service):
    """One signal after the other moves seconds from one interval to another where its own lanes gain most.

    The begin of the interval 0 moves with it, or not, whichever is better. Returns what was gained.
    """
    gained = 0.0
    for s in order:
        n, cycle = timing.n_interval[s], timing.cycle[s]
        now = _own(timing, lanes, s, timing.duration[s], timing.offset[s], service)
        for _ in range(rounds):
            best, best_shift, found = now * (1 - least), 0, False
            for a in range(n):
                for b in range(n):
                    if a == b or not timing.stretch[s, a] or not timing.stretch[s, b]:
                        continue
                    for step in steps:
                        trial[:n] = timing.duration[s, :n]
                        trial[a] -= step
                        trial[b] += step
                        if not keeps(timing, s, trial, most_step):
                            continue
                        for shift in (0, step if a < b else -step):
                            if abs(moved[s] + shift) > most_offset:
                                continue
                            value = _own(timing, lanes, s, trial, (timing.offset[s] + shift) % cycle, service)
                            if value < best:
                                best, best_shift, found = value, shift, True
                                best_one[:n] = trial[:n]
            if not found:
                break
            gained += now - best
            now = best
            timing.duration[s, :n] = best_one[:n]
            timing.offset[s] = (timing.offset[s] + best_shift) % cycle
            moved[s] += best_shift
    return gained

"""Signal times of a plan as arrays: when the heads are green and when lanes may discharge, for many times at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.network import RoadNetwork
from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan, TimingPlan
from sim.compile import TICKS, ticks

Ints = NDArray[np.int64]
ALWAYS = 1 << 40
"""Cycle of what no signal controls: longer than any run. [ticks]"""


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of N rows in cycle time, padded with empty ones; a window may run past the end of its cycle. [ticks]"""

    cycle: Ints  # (N,)
    origin: Ints  # (N,) a begin of the cycle, in ticks of the run
    start: Ints  # (N, W)
    length: Ints  # (N, W)

    def _phase(self, which: Ints, at: Ints) -> tuple[Ints, Ints]:
        lap, phase = np.divmod(at - self.origin[which], self.cycle[which])
        return lap, phase

    def is_open(self, which: Ints, at: Ints) -> NDArray[np.bool_]:
        """Whether a window of row `which` (M,) holds time `at` (M,)."""
        since = self._since(which, at)
        return np.asarray((since < self.length[which]).any(axis=1))

    def opened(self, which: Ints, at: Ints) -> Ints:
        """Begin of the window that holds `at`; `at` itself where none does or where the row never closes."""
        since, length = self._since(which, at), self.length[which]
        inside = (since < length) & (length < self.cycle[which][:, None])
        return np.asarray(at - np.where(inside, since, 0).max(axis=1, initial=0))

    def _since(self, which: Ints, at: Ints) -> Ints:
        _, phase = self._phase(which, at)
        return np.asarray((phase[:, None] - self.start[which]) % self.cycle[which][:, None])

    def open_before(self, which: Ints, at: Ints) -> Ints:
        """Ticks within windows from the origin until `at`; the difference of two of them is the open time between."""
        lap, phase = self._phase(which, at)
        start, length, cycle = self.start[which], self.length[which], self.cycle[which][:, None]
        over = np.maximum(0, start + length - cycle)  # what the lap before left behind
        now = np.clip(phase[:, None] - start, 0, length) + np.minimum(phase[:, None], over)
        return np.asarray(lap * length.sum(axis=1) + now.sum(axis=1))


def head_greens(plan: TimingPlan, heads_of: dict[str, tuple[int, ...]], begin_s: float) -> Windows:
    """Greens of every signal head, in the order of `CompiledNetwork.heads_of`; run tick 0 is at begin_s."""
    rows = [
        _row(plan.controllers[c], _runs(plan.controllers[c], (index,), GREEN), begin_s)
        for c, heads in heads_of.items()
        for index in heads
    ]
    return _windows(rows)


def lane_openings(
    network: RoadNetwork, plan: TimingPlan, lanes: dict[tuple[str, int], int], n_lane: int, begin_s: float
) -> tuple[Windows, NDArray[np.bool_], Ints]:
    """When any way out of each lane is open, whether a signal controls it, and the yellow behind it.

    Returns
    -------
    windows : Windows of n_lane rows
        Lanes without a signal are always open.
    signalled : ndarray, shape (n_lane,)
    yellow : ndarray, shape (n_lane, W)
        Yellow that follows each window. [ticks]
    """
    members: list[tuple[str, set[int]] | None] = [None] * n_lane
    for c in network.connections:
        lane = lanes.get((c.from_link, c.from_lane))
        if lane is None or c.controller_id is None or c.link_index is None:
            continue
        if members[lane] is None:
            members[lane] = (c.controller_id, set())
        members[lane][1].add(c.link_index)  # type: ignore[index]
    known: dict[tuple[str, tuple[int, ...]], _Row] = {}
    always = _Row(ALWAYS, 0, [(0, ALWAYS, 0)])
    rows = []
    for member in members:
        if member is None:
            rows.append(always)
            continue
        key = member[0], tuple(sorted(member[1]))
        if key not in known:
            program = plan.controllers[key[0]]
            known[key] = _row(program, _runs(program, key[1], OPEN), begin_s)
        rows.append(known[key])
    windows = _windows(rows)
    yellow = np.zeros(windows.start.shape, np.int64)
    for n, row in enumerate(rows):
        yellow[n, : len(row.runs)] = [run[2] for run in row.runs]
    return windows, np.array([m is not None for m in members], bool), yellow


@dataclass(frozen=True, eq=False)
class _Row:
    cycle: int
    origin: int
    runs: Sequence[tuple[int, int, int]]  # start, length, yellow behind


def _row(program: ControllerPlan, runs: Sequence[tuple[int, int, int]], begin_s: float) -> _Row:
    cycle = ticks(program.cycle_s)
    return _Row(cycle, (ticks(program.offset_s) - ticks(begin_s)) % cycle, runs)


def _runs(program: ControllerPlan, indices: Sequence[int], letters: str) -> list[tuple[int, int, int]]:
    """Runs of intervals in which any of the link indices shows one of the letters, joined across the cycle's end."""
    shown = [i for i in indices if i < len(program.intervals[0].state)]
    is_open = [any(row.state[i] in letters for i in shown) for row in program.intervals]
    is_yellow = [any(row.state[i] in YELLOW for i in shown) for row in program.intervals]
    edges = np.round(np.cumsum([0.0] + [row.duration_s for row in program.intervals]) * TICKS).astype(int)
    n, cycle = len(is_open), int(edges[-1])
    if all(is_open):
        return [(0, cycle, 0)]
    out = []
    for i in range(n):
        if not is_open[i] or is_open[i - 1]:
            continue
        length, k = 0, i
        while is_open[k % n]:
            length += int(edges[k % n + 1] - edges[k % n])
            k += 1
        yellow = int(edges[k % n + 1] - edges[k % n]) if is_yellow[k % n] else 0
        out.append((int(edges[i]), length, yellow))
    return out


def _windows(rows: Sequence[_Row]) -> Windows:
    width = max((len(row.runs) for row in rows), default=0)
    start, length = np.zeros((len(rows), max(1, width)), np.int64), np.zeros((len(rows), max(1, width)), np.int64)
    for n, row in enumerate(rows):
        for w, (begin, lasts, _) in enumerate(row.runs):
            start[n, w], length[n, w] = begin, lasts
    return Windows(
        cycle=np.array([row.cycle for row in rows], np.int64),
        origin=np.array([row.origin for row in rows], np.int64),
        start=start,
        length=length,
    )

"""When a lane was free to discharge: its greens in clock time, from the program that ran or from what was recorded."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from network_data.errors import DemandError
from network_data.network import Connection, RoadNetwork
from network_data.plans import GREEN, ControllerPlan

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Greens:
    """Greens of a lane in order, local seconds after midnight; `end_s` is the begin of yellow."""

    start_s: FLOAT  # (K,)
    end_s: FLOAT  # (K,)

    def __post_init__(self) -> None:
        start, end = self.start_s, self.end_s
        ordered = start.shape == end.shape and start.ndim == 1 and bool((end > start).all())
        if not (ordered and bool((start[1:] >= end[:-1]).all())):
            raise DemandError("greens", "need a begin before each end, in order, without overlap; mend the records")

    @classmethod
    def of(cls, start_s: ArrayLike, end_s: ArrayLike) -> Greens:
        """From any numbers, such as the events of a controller."""
        return cls(np.asarray(start_s, np.float64), np.asarray(end_s, np.float64))

    def __len__(self) -> int:
        return len(self.start_s)

    def within(self, begin_s: FLOAT, end_s: FLOAT) -> FLOAT:
        """Seconds of green in each of some intervals, shape as theirs. [s]"""
        return self._until(end_s) - self._until(begin_s)

    def _until(self, at_s: FLOAT) -> FLOAT:
        total = np.concatenate([[0.0], np.cumsum(self.end_s - self.start_s)])
        n = np.searchsorted(self.start_s, at_s, side="right")
        last = np.maximum(n - 1, 0)
        over = np.where(n > 0, np.maximum(0.0, self.end_s[last] - at_s), 0.0) if len(self) else 0.0
        return np.asarray(total[n] - over)


@dataclass(frozen=True, slots=True)
class LaneSignals:
    """Link indices that a lane's ways show, and why it cannot be judged (empty where it can)."""

    controller_id: str
    indices: tuple[int, ...]
    reason: str = ""


def lane_signals(network: RoadNetwork) -> dict[tuple[str, int], LaneSignals]:
    """The heads of every lane that a signal controls, by (link, lane); bus lanes too."""
    ways: dict[tuple[str, int], list[Connection]] = defaultdict(list)
    for c in network.connections:
        if c.kind != "other":
            ways[c.from_link, c.from_lane].append(c)
    out = {}
    for lane, mine in ways.items():
        indices = sorted({c.link_index for c in mine if c.link_index is not None})
        owner = next((c.controller_id for c in mine if c.controller_id is not None), None)
        if owner is not None and indices:
            free = any(c.controller_id is None for c in mine)
            out[lane] = LaneSignals(owner, tuple(indices), "some of its turns have no signal" if free else "")
    return out


def program_greens(
    program: ControllerPlan,
    indices: Sequence[int],
    begin_s: float,
    end_s: float,
    *,
    yields: frozenset[tuple[int, int]] = frozenset(),
) -> Greens:
    """Greens of a period in which every one of the link indices is green and none yields to a head that is green too.

    Parameters
    ----------
    program : ControllerPlan
        What ran, the same in every cycle.
    indices : sequence of int
        Heads of the lane: while one of them is red, who waits for it holds the others up.
    begin_s, end_s : float
        Period, local seconds after midnight; greens that it cuts are left out. [s]
    yields : frozenset
        Of the controller: (i, j), i gives way to j. Such greens discharge by gaps, not at saturation.
    """
    open_to = [_free(interval.state, indices, yields) for interval in program.intervals]
    if all(open_to) or not any(open_to):
        return Greens.of([], [])
    lengths = [interval.duration_s for interval in program.intervals]
    first = next(n for n in range(len(open_to)) if open_to[n] and not open_to[n - 1])
    runs: list[tuple[float, float]] = []
    at = sum(lengths[:first])
    turned = [*range(first, len(open_to)), *range(first)]
    for is_open, group in groupby(turned, key=lambda n: open_to[n]):
        length = sum(lengths[n] for n in group)
        runs += [(at, at + length)] if is_open else []
        at += length
    cycle_s = program.cycle_s
    base = program.offset_s + cycle_s * (math.floor((begin_s - program.offset_s) / cycle_s) - 1)
    rounds = base + cycle_s * np.arange(math.ceil((end_s - base) / cycle_s) + 1)
    spans = sorted((t + a, t + b) for t in rounds.tolist() for a, b in runs)
    kept = [(a, b) for a, b in spans if a >= begin_s and b <= end_s]
    return Greens.of([a for a, _ in kept], [b for _, b in kept])


def _free(state: str, indices: Sequence[int], yields: frozenset[tuple[int, int]]) -> bool:
    return all(state[i] in GREEN for i in indices) and not any(
        i in indices and state[i] == "g" and j not in indices and j < len(state) and state[j] in GREEN
        for i, j in yields
    )

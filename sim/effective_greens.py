"""Effective greens of a program: when each link index serves vehicles, and in which way, over a grid of pieces.

A green that begins after red loses `start_up_s`; one that ends with yellow goes on for `extension_s` into it (the l₁
and e of the HCM). Greens of another kind that follow directly lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.plans import GREEN, OPEN, YELLOW, ControllerPlan

START_UP_S = 2.0
EXTENSION_S = 2.0
SNEAK_S = 1.0
"""Vehicles that wait inside the junction leave within this time after the green."""
LONGEST_PIECE_S = 5.0
CLOSED, PROTECTED, PERMITTED, TURN_ON_RED, SNEAK = range(5)
MODES = {"G": PROTECTED, "O": PROTECTED, "g": PERMITTED, "o": PERMITTED, "s": TURN_ON_RED}
CLOSE_S = 1e-9


class Served(NamedTuple):
    """From start to end in cycle time (may run past the cycle's end) a link index serves vehicles in a mode."""

    start_s: float
    end_s: float
    mode: int


@dataclass(frozen=True, eq=False)
class Pieces:
    """A cycle cut where any link index changes: `mode[k, n]` of link index k in piece n, in cycle time."""

    piece_s: NDArray[np.float64]  # (K,)
    mode: NDArray[np.int8]  # (heads, K)

    @property
    def starts_s(self) -> NDArray[np.float64]:
        """Begin of each piece. [s]"""
        return np.concatenate([[0.0], np.cumsum(self.piece_s)[:-1]])


def served_times(
    program: ControllerPlan, index: int, *, start_up_s: float = START_UP_S, extension_s: float = EXTENSION_S
) -> list[Served]:
    """Times in which a link index serves vehicles, in order of the program; permitted ones end with sneakers.

    Parameters
    ----------
    program : ControllerPlan
        The program; cycle time 0 is its interval 0.
    index : int
        The link index.
    start_up_s, extension_s : float
        Lost after red, and won in yellow. [s]
    """
    runs = program.windows(index)
    out = []
    for n, run in enumerate(runs):
        if run.letter not in OPEN:
            continue
        before, behind = runs[n - 1].letter, runs[(n + 1) % len(runs)]
        always = len(runs) == 1
        fresh = not always and before not in OPEN
        start_s = run.start_s + (start_up_s if fresh else 0.0)
        if always or behind.letter in OPEN:
            end_s = run.end_s
        elif behind.letter in YELLOW:
            end_s = run.end_s + min(extension_s, behind.end_s - behind.start_s)
        else:
            end_s = run.end_s
        if end_s > start_s:
            mode = MODES[run.letter]
            out.append(Served(start_s, end_s, mode))
            if mode == PERMITTED and not always and behind.letter not in OPEN:
                out.append(Served(end_s, end_s + SNEAK_S, SNEAK))
    return out


def cut(program: ControllerPlan, served: list[list[Served]], more_s: NDArray[np.float64] | None = None) -> Pieces:
    """Cut the cycle at all begins and ends, and at `more_s`, into pieces of one mode each, none longer than 5 s."""
    cycle_s = program.cycle_s
    edges = [np.arange(0.0, cycle_s, LONGEST_PIECE_S), np.array([cycle_s])]
    edges += [np.array([t % cycle_s for s in rows for t in (s.start_s, s.end_s)]) for rows in served if rows]
    if more_s is not None:
        edges.append(more_s % cycle_s)
    points = np.unique(np.round(np.concatenate(edges), 6))
    points = points[(points >= 0) & (points <= cycle_s)]
    piece_s = np.diff(points)
    middle_s = (points[1:] + points[:-1]) / 2
    mode = np.zeros((len(served), len(piece_s)), np.int8)
    for k, rows in enumerate(served):
        for row in sorted(rows, key=lambda r: r.mode == SNEAK, reverse=True):  # a green counts before sneakers
            inside = (middle_s - row.start_s) % cycle_s < row.end_s - row.start_s - CLOSE_S
            mode[k, inside] = row.mode
    return Pieces(piece_s, mode)


def walk_times(program: ControllerPlan, pieces: Pieces, indices: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pieces in which any of these crossings' link indices is green, shape (K,)."""
    middle_s = pieces.starts_s + pieces.piece_s / 2
    ends = np.cumsum([interval.duration_s for interval in program.intervals])
    rows = np.minimum(np.searchsorted(ends, middle_s, side="right"), len(ends) - 1)
    green = np.array([any(interval.state[k] in GREEN for k in indices) for interval in program.intervals], bool)
    return np.asarray(green[rows], bool)

"""Street grids of any size, seeded: streets, lanes, turns and fixed-time programs of their signals.

Columns and rows of streets of three classes: one lane that all turns share, two lanes shared with the turns, and three
lanes with one for left turns only. Every crossing is a signal; left turns are permitted across oncoming traffic,
waiting inside the junction. `benchmarks.grid_sumo` makes networks of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.plans import ControllerPlan, Interval

LANES = {"local": ("rsl",), "collector": ("rs", "sl"), "arterial": ("rs", "s", "l")}
"""Turns of each lane before a signal, from the right, by class of street."""
SHARES = {"local": 0.35, "collector": 0.4, "arterial": 0.25}
SPEED_MPS = {"local": 30 / 3.6, "collector": 50 / 3.6, "arterial": 50 / 3.6}
SPACING_M = (50.0, 170.0)
"""Between parallel streets, drawn evenly: the short blocks of an old town. [m]"""
CYCLE_S, YELLOW_S, ALL_RED_S, LEFT_S = 90, 3, 1, 8
OFFSET_NOISE_S = 8
"""Signals are simultaneous up to so much: with blocks this short, what serves both directions. [s]"""
LEGS = 4
"""East, north, west, south: legs of a junction, counter-clockwise."""
EXIT_LEG = {"r": 1, "s": 2, "l": 3}
"""Legs further on, counter-clockwise, at which a turn leaves."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One way over a junction: from a lane of the link that comes in at `leg` to a lane of the link that goes out."""

    leg: int
    lane: int
    turn: str
    to_lane: int

    @property
    def exit_leg(self) -> int:
        """The leg at which it leaves."""
        return (self.leg + EXIT_LEG[self.turn]) % LEGS


@dataclass(frozen=True)
class Grid:
    """Streets by class and place; junction (i, j) lies at (x_m[i], y_m[j]); the outer ring of places holds dead ends.

    `ns` has the class of each north-south street, `ew` of each east-west street; offsets_s[i][j] are those of signals.
    """

    x_m: tuple[float, ...]
    y_m: tuple[float, ...]
    ns: tuple[str, ...]
    ew: tuple[str, ...]
    offsets_s: tuple[tuple[int, ...], ...]

    @property
    def n_signal(self) -> int:
        """Number of signals."""
        return len(self.ns) * len(self.ew)

    @cached_property
    def signals(self) -> dict[str, tuple[int, int]]:
        """Signal → its column and row, from 1."""
        return {self.node(i, j): (i, j) for i in range(1, len(self.ns) + 1) for j in range(1, len(self.ew) + 1)}

    def node(self, i: int, j: int) -> str:
        """Name of the junction or dead end at a place."""
        return f"{i}.{j}"

    def street(self, leg: int, i: int, j: int) -> str:
        """Class of the street on a leg of a junction."""
        return self.ns[i - 1] if leg % 2 else self.ew[j - 1]

    def lanes(self, leg: int, i: int, j: int) -> tuple[str, ...]:
        """Turns of the lanes that come in at a leg."""
        return LANES[self.street(leg, i, j)]

    def neighbour(self, leg: int, i: int, j: int) -> tuple[int, int]:
        """The place next to a junction at a leg."""
        step = ((1, 0), (0, 1), (-1, 0), (0, -1))[leg]
        return i + step[0], j + step[1]

    def link(self, leg: int, i: int, j: int, *, out: bool = False) -> str:
        """The link that comes in at a leg of a junction, or goes out there."""
        here, there = self.node(i, j), self.node(*self.neighbour(leg, i, j))
        return f"{here}_{there}" if out else f"{there}_{here}"

    def turns(self, i: int, j: int) -> Iterator[Turn]:
        """All ways over a junction: straight on lane to lane, right turns to the right lane, left turns to the left."""
        for leg in range(LEGS):
            for lane, turns in enumerate(self.lanes(leg, i, j)):
                for turn in turns:
                    n_out = len(self.lanes((leg + EXIT_LEG[turn]) % LEGS, i, j))
                    yield Turn(leg, lane, turn, {"r": 0, "s": lane, "l": n_out - 1}[turn])


def make_grid(columns: int, rows: int, *, seed: int) -> Grid:
    """Draw a grid of columns × rows signals; the same seed gives the same grid."""
    rng = np.random.default_rng(seed)

    def streets(n: int) -> tuple[str, ...]:
        bounds = np.cumsum(list(SHARES.values()))
        return tuple(list(SHARES)[int(np.searchsorted(bounds, u))] for u in _even(n, rng))

    def places(n: int) -> tuple[float, ...]:
        low, high = SPACING_M
        return (0.0, *(round(float(x), 1) for x in np.cumsum(low + (high - low) * _even(n + 1, rng))))

    ns, ew = streets(columns), streets(rows)
    x_m, y_m = places(columns), places(rows)
    noise_s = rng.integers(-OFFSET_NOISE_S, OFFSET_NOISE_S + 1, (columns, rows))
    offsets = tuple(tuple(int(offset) % CYCLE_S for offset in column) for column in noise_s)
    return Grid(x_m, y_m, ns, ew, offsets)


def _even(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Shuffled numbers that fill (0, 1) evenly: grids of all sizes have the same mix of blocks and streets."""
    return (rng.permutation(n) + 0.5) / n


def green_s(grid: Grid, i: int, j: int) -> dict[str, float]:
    """Seconds of green of the two main stages, "ew" and "ns": in proportion to the lanes that go straight on."""
    need = {"ew": LANES[grid.ew[j - 1]], "ns": LANES[grid.ns[i - 1]]}
    weight = {key: sum("s" in turns for turns in lanes) ** 0.5 for key, lanes in need.items()}
    lost = sum(YELLOW_S + ALL_RED_S + (LEFT_S + YELLOW_S + ALL_RED_S) * ("l" in lanes) for lanes in need.values())
    ew = round((CYCLE_S - lost) * weight["ew"] / sum(weight.values()))
    return {"ew": ew, "ns": CYCLE_S - lost - ew}


def program(grid: Grid, name: str, turns: list[tuple[int, str]]) -> ControllerPlan:
    """The fixed-time program of a signal for its link indices, given as (leg, turn).

    Each street has one stage with permitted left turns; where these have their own lane, a protected one before it.
    """
    i, j = grid.signals[name]
    green = green_s(grid, i, j)
    rows: list[Interval] = []
    for key, parity, lanes in (("ew", 0, LANES[grid.ew[j - 1]]), ("ns", 1, LANES[grid.ns[i - 1]])):
        mine = [(leg % 2 == parity, turn) for leg, turn in turns]
        if "l" in lanes:
            rows += _stage(["G" if here and turn == "l" else "r" for here, turn in mine], LEFT_S)
        rows += _stage([("g" if turn == "l" else "G") if here else "r" for here, turn in mine], green[key])
    return ControllerPlan(
        controller_id=name,
        program_id="grid",
        offset_s=float(grid.offsets_s[i - 1][j - 1]),
        intervals=tuple(rows),
    )


def _stage(letters: list[str], seconds: float) -> list[Interval]:
    state = "".join(letters)
    return [
        Interval(float(seconds), state),
        Interval(float(YELLOW_S), state.translate(str.maketrans("Gg", "yy"))),
        Interval(float(ALL_RED_S), "r" * len(state)),
    ]

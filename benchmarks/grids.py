"""Street grids of any size, seeded: links, turns with waiting places and signals, as a road network made directly.

Columns and rows of streets of three classes, 150-300 m apart: one lane that all turns share, two lanes shared with the
turns, and three lanes with one for left turns only. Every crossing is a signal; left turns are permitted across
oncoming traffic, waiting inside the junction. `benchmarks.grid_sumo` writes the same streets for SUMO.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from network_data.controllers import Controller, SignalHead
from network_data.network import Connection, Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval

LANES = {"local": ("rsl",), "collector": ("rs", "sl"), "arterial": ("rs", "s", "l")}
"""Turns of each lane before a signal, from the right, by class of street."""
SHARES = {"local": 0.35, "collector": 0.4, "arterial": 0.25}
SPEED_MPS = {"local": 30 / 3.6, "collector": 50 / 3.6, "arterial": 50 / 3.6}
SPACING_M = (70.0, 250.0)
LANE_M, CORNER_M = 3.2, 4.0
LATERAL_MPS2 = 5.5
"""Lateral acceleration in turns; with the radius it gives their speed (netconvert's default). [m/s²]"""
CYCLE_S, YELLOW_S, ALL_RED_S, LEFT_S = 90, 3, 1, 8
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

    def setback_m(self, leg: int, i: int, j: int) -> float:
        """From the middle of a junction to the stop line of a leg; 0 at dead ends. [m]"""
        if self.node(i, j) not in self.signals:
            return 0.0
        return LANE_M * len(self.lanes(leg + 1, i, j)) + CORNER_M

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
    offsets = tuple(tuple(int(s) for s in rng.integers(0, CYCLE_S, rows)) for _ in range(columns))
    return Grid(x_m, y_m, ns, ew, offsets)


def _even(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Shuffled numbers that fill (0, 1) evenly: grids of all sizes have the same mix of blocks and streets."""
    return (rng.permutation(n) + 0.5) / n


def grid_network(grid: Grid) -> RoadNetwork:
    """The grid as a road network with its programs."""
    links = {link.id: link for link in _links(grid)}
    nodes = {node.id: node for node in _nodes(grid)}
    connections: list[Connection] = []
    controllers = {}
    for name, (i, j) in grid.signals.items():
        first = len(connections)
        connections += _connections(grid, name, i, j, first)
        controllers[name] = _controller(grid, name, connections[first:], first)
    return RoadNetwork(
        nodes=nodes,
        links=links,
        connections=tuple(connections),
        crossings=(),
        controllers=controllers,
        source=f"grid of {len(grid.ns)} × {len(grid.ew)} signals",
    )


def _nodes(grid: Grid) -> Iterator[Node]:
    for i, x_m in enumerate(grid.x_m):
        for j, y_m in enumerate(grid.y_m):
            name = grid.node(i, j)
            edge = i in (0, len(grid.ns) + 1), j in (0, len(grid.ew) + 1)
            if not all(edge):
                yield Node(id=name, kind="dead_end" if any(edge) else "traffic_light", x_m=x_m, y_m=y_m)


def _links(grid: Grid) -> Iterator[Link]:
    for i, j in grid.signals.values():
        for leg in range(LEGS):
            yield _link(grid, grid.link(leg, i, j), leg, grid.neighbour(leg, i, j), (i, j))
            away = grid.neighbour(leg, i, j)
            if grid.node(*away) not in grid.signals:
                yield _link(grid, grid.link(leg, i, j, out=True), leg, (i, j), away)


def _link(grid: Grid, name: str, leg: int, a: tuple[int, int], b: tuple[int, int]) -> Link:
    start, end = ((grid.x_m[i], grid.y_m[j]) for i, j in (a, b))
    length_m = math.dist(start, end) - grid.setback_m(leg, *a) - grid.setback_m(leg, *b)
    inner = b if grid.node(*b) in grid.signals else a
    street = grid.street(leg, *inner)
    lanes = tuple(
        Lane(index=n, length_m=round(length_m, 2), speed_mps=SPEED_MPS[street], width_m=LANE_M, kind="general")
        for n in range(len(LANES[street]))
    )
    return Link(
        id=name, from_node=grid.node(*a), to_node=grid.node(*b), lanes=lanes, name="", priority=1, shape=(start, end)
    )


def _way(grid: Grid, turn: Turn, i: int, j: int) -> tuple[float, float, float, float]:
    """Length, speed, room before the waiting place, and where the way has left the straight one by 2.5 m."""
    limit = SPEED_MPS[grid.street(turn.leg, i, j)]
    before, across = grid.setback_m(turn.leg, i, j), grid.setback_m(turn.exit_leg, i, j)
    if turn.turn == "s":
        return 2 * before, limit, 0.0, 0.0
    n_in, n_out = len(grid.lanes(turn.leg, i, j)), len(grid.lanes(turn.exit_leg, i, j))
    from_middle = LANE_M * (n_in - turn.lane - 0.5)  # of the lane it comes from, and of the one it goes to
    to_middle = LANE_M * (n_out - turn.to_lane - 0.5)
    sign = 1 if turn.turn == "l" else -1
    a, b = before + sign * to_middle, across + sign * from_middle
    length_m = math.pi / 2 * math.sqrt((a * a + b * b) / 2)
    speed = min(limit, math.sqrt(LATERAL_MPS2 * min(a, b)))
    if turn.turn == "r":
        return length_m, speed, 0.0, 0.0
    radius = min(a, b)
    return length_m, speed, 0.4 * length_m, radius * math.acos(max(0.0, 1 - 2.5 / radius))


def _connections(grid: Grid, name: str, i: int, j: int, first: int) -> list[Connection]:
    turns = list(grid.turns(i, j))
    out = []
    for index, turn in enumerate(turns):
        length_m, speed, wait_m, detach = _way(grid, turn, i, j)
        here, there = grid.link(turn.leg, i, j), grid.link(turn.exit_leg, i, j, out=True)
        yields = tuple(first + n for n, other in enumerate(turns) if gives_way(turn, other))
        out.append(
            Connection(
                movement_id=f"{here}>{there}",
                node_id=name,
                from_link=here,
                from_lane=turn.lane,
                to_link=there,
                to_lane=turn.to_lane,
                direction=turn.turn,
                length_m=round(length_m, 2),
                speed_mps=round(speed, 2),
                wait_m=round(wait_m, 2),
                detach_m=round(detach, 2),
                kind="general",
                right_of_way="o" if turn.turn == "l" else "O",
                controller_id=name,
                link_index=index,
                yields_to=yields,
                conflicts=tuple(first + n for n, other in enumerate(turns) if in_conflict(turn, other)),
                yields_to_crossings=(),
            )
        )
    return out


def in_conflict(turn: Turn, other: Turn) -> bool:
    """Whether two ways over a junction cross or merge."""
    if turn.leg == other.leg:
        return False
    if turn.exit_leg == other.exit_leg:
        return turn.to_lane == other.to_lane
    if "r" in (turn.turn, other.turn):
        return False
    if (turn.leg - other.leg) % 2:
        return True  # both cross the middle
    return {turn.turn, other.turn} == {"s", "l"}


def gives_way(turn: Turn, other: Turn) -> bool:
    """Whether a way gives way to another while both are green: left turns to oncoming traffic."""
    return turn.turn == "l" and (turn.leg - other.leg) % LEGS == 2 and other.turn != "l" and in_conflict(turn, other)


def _controller(grid: Grid, name: str, connections: list[Connection], first: int) -> Controller:
    pairs = {(c.link_index or 0, n - first) for c in connections for n in c.conflicts}
    yields = {(c.link_index or 0, n - first) for c in connections for n in c.yields_to}
    heads = tuple(
        SignalHead(
            index=n,
            kind="vehicle",
            connections=(first + n,),
            movement_ids=(c.movement_id,),
            crossing_ids=(),
            text=c.movement_id,
        )
        for n, c in enumerate(connections)
    )
    i, j = grid.signals[name]
    turns = [(turn.leg, turn.turn) for turn in grid.turns(i, j)]
    return Controller(
        id=name,
        node_ids=(name,),
        heads=heads,
        conflicts=frozenset((a, b) for a, b in pairs if a < b),
        yields=frozenset(yields),
        programs=(program(grid, name, turns),),
    )


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

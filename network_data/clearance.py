"""The clearance matrix: the seconds between the end of one green and the start of a conflicting one.

One small table per controller, read by builder, checker and export alike. `seconds[i, j]` runs from the END of the
green of link index i (the start of its yellow) to the START of the green of j; 0 where the two do not conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from network_data.change_intervals import (
    ITE_THROUGH_OVER_LIMIT_MPS,
    ITE_TURN_UNDER_LIMIT_MPS,
    ite_red_s,
    ite_yellow_s,
    korea_red_s,
    korea_yellow_s,
)
from network_data.controllers import Controller, SignalHead
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan
from network_data.program_table import Change, ProgramTable

ClearanceSource = Literal["keep", "ite", "korea"]
MIN_YELLOW_S = 3.0
MIN_GREEN_S = 5.0
WALK_S = 7.0
"""Least walk of a crossing before its clearance begins."""
WALK_SPEED_MPS = 1.0
EPSILON_S = 1e-6
UNSEEN = "the field never changes so"


@dataclass(frozen=True, eq=False)
class ClearanceMatrix:
    """Clearances, yellows and least greens of one controller; H link indices.

    Index it like a table: `matrix[i, j]` is the clearance from i to j in seconds.
    """

    controller_id: str
    seconds: NDArray[np.float64]  # (H, H)
    sources: dict[tuple[int, int], str]
    yellow_s: NDArray[np.float64]  # (H,), 0 for crossings that show none
    min_green_s: NDArray[np.float64]  # (H,)

    def __getitem__(self, pair: tuple[int, int]) -> float:
        return float(self.seconds[pair])

    @property
    def pairs(self) -> frozenset[tuple[int, int]]:
        """The conflicting pairs, both ways round."""
        return frozenset(self.sources)


def is_unseen(source: str) -> bool:
    """Whether a clearance is the yellow alone, as the field never changes from one movement to the other directly."""
    return source.endswith(UNSEEN)


def conflict_pairs(controller: Controller, field: ControllerPlan) -> frozenset[tuple[int, int]]:
    """Pairs (i, j), i < j, that must not change without clearance.

    Beside the conflicts of the network: a link index that the network knows no way of (a tram, a cycle track) but that
    the field program turns green conflicts with all that never run together with it in any known program.
    """
    programs = (*controller.programs, field)
    shown = {k for k in _dead(controller) if any(k < len(i.state) and i.state[k] in GREEN for i in field.intervals)}
    together: set[tuple[int, int]] = set()
    served: set[int] = set()
    for program in programs:
        for interval in program.intervals:
            green = [k for k, letter in enumerate(interval.state) if letter in GREEN]
            served.update(green)
            together.update((k, x) for k in green if k in shown for x in green)
    dead = {(min(k, x), max(k, x)) for k in shown for x in served if x != k and (k, x) not in together}
    n = len(field.intervals[0].state)
    return frozenset((i, j) for i, j in controller.conflicts | dead if j < n)


def foes_of(pairs: frozenset[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """Link index → the link indices it conflicts with."""
    out: dict[int, set[int]] = {}
    for i, j in pairs:
        out.setdefault(i, set()).add(j)
        out.setdefault(j, set()).add(i)
    return {i: tuple(sorted(foes)) for i, foes in sorted(out.items())}


def shown_clearances(
    table: ProgramTable, foes: Mapping[int, tuple[int, ...]], *, direct: bool, min_yellow_s: float, min_green_s: float
) -> dict[tuple[int, int], float]:
    """Least seconds from the end of green of i to the start of green of j that a program shows.

    Parameters
    ----------
    table : ProgramTable
        The program.
    foes : mapping
        Conflicts, see `foes_of`.
    direct : bool
        Leave out changes with a stage of their own in between: then the time says nothing about the two.
    min_yellow_s, min_green_s : float
        Yellow, least green and yellow together are the shortest time that can hold a stage. [s]
    """
    out: dict[tuple[int, int], float] = {}
    for change in table.changes(foes):
        long_enough = change.clearance_s >= min_green_s + 2 * min_yellow_s - EPSILON_S
        if direct and long_enough and _stage_between(table, change, min_green_s):
            continue
        pair = (change.ends, change.starts)
        out[pair] = min(change.clearance_s, out.get(pair, np.inf))
    return out


def clearance_matrix(
    controller: Controller,
    field: ControllerPlan,
    *,
    min_yellow_s: float = MIN_YELLOW_S,
    min_green_s: float = MIN_GREEN_S,
    source: ClearanceSource = "keep",
    network: RoadNetwork | None = None,
) -> ClearanceMatrix:
    """Clearances, yellows and least greens that every plan of a controller has to keep.

    Parameters
    ----------
    controller : Controller
        The controller.
    field : ControllerPlan
        Its program in force.
    min_yellow_s, min_green_s : float
        Floors, whatever the field shows. [s]
    source : {"keep", "ite", "korea"}
        "keep" takes what the field program shows; the others compute yellow and clearance of vehicles from approach
        speed and way length, in place of the field's. Crossings stay as in the field.
    network : RoadNetwork, optional
        Lengths of crossings; needed with "ite" and "korea".

    Returns
    -------
    ClearanceMatrix

    Notes
    -----
    Where the field never changes from i to j directly, the yellow of i is required; behind a crossing, the longest
    clearance that the field gives its walkers elsewhere, else its length at 1.0 m/s.
    """
    if source != "keep" and network is None:
        raise PlanError(
            f"controller {controller.id!r}", f"clearance {source!r} is computed from speeds: give the network"
        )
    table = ProgramTable(field, least=True)
    foes = foes_of(conflict_pairs(controller, field))
    # what counts as a stage in the field does not depend on how long greens are to be from now on
    stage_s = min(min_green_s, MIN_GREEN_S)
    direct = shown_clearances(table, foes, direct=True, min_yellow_s=min_yellow_s, min_green_s=stage_s)
    heads = controller.heads[: table.n_heads]
    computed = {} if source == "keep" or network is None else _computed(network, heads, source, min_yellow_s)
    yellow_s = np.array([_yellow_s(table, head, min_yellow_s, computed) for head in heads])
    seconds = np.zeros((table.n_heads, table.n_heads))
    sources: dict[tuple[int, int], str] = {}
    for i, others in foes.items():
        change_s = max(min_yellow_s, table.yellow_s(i) or 0.0)
        for j in others:
            seconds[i, j], sources[i, j] = _clearance(
                heads[i],
                j,
                direct=direct,
                computed=computed,
                source=source,
                network=network,
                yellow_s=change_s,
            )
    least = np.array([_min_green_s(table, field, head, min_green_s) for head in heads])
    return ClearanceMatrix(controller.id, seconds, sources, yellow_s, least)


def _dead(controller: Controller) -> set[int]:
    return {head.index for head in controller.heads if head.kind == "dead"}


def _stage_between(table: ProgramTable, change: Change, min_green_s: float) -> bool:
    """Whether another link index had a green of its own between the two, over (or no longer protected) at the end."""
    n = table.n_intervals
    steps = [(change.from_interval + x) % n for x in range((change.to_interval - change.from_interval) % n)]
    after = table.states[change.to_interval]
    for k, letter in enumerate(after):
        if letter == "G" or k in (change.ends, change.starts):
            continue
        counted = "G" if letter == "g" else GREEN
        if sum(table.durations_s[x] for x in steps if table.states[x][k] in counted) >= min_green_s - EPSILON_S:
            return True
    return False


def _yellow_s(
    table: ProgramTable, head: SignalHead, min_yellow_s: float, computed: Mapping[int, tuple[float, float]]
) -> float:
    if head.index in computed:
        return computed[head.index][0]
    shown = table.yellow_s(head.index)
    if shown is None and head.kind == "crossing":
        return 0.0
    return max(min_yellow_s, shown or 0.0)


def _clearance(
    head: SignalHead,
    other: int,
    *,
    direct: Mapping[tuple[int, int], float],
    computed: Mapping[int, tuple[float, float]],
    source: ClearanceSource,
    network: RoadNetwork | None,
    yellow_s: float,
) -> tuple[float, str]:
    """Seconds from a link index to another, and where they come from."""
    if head.index in computed:
        return sum(computed[head.index]), "ITE" if source == "ite" else "Korea"
    if (head.index, other) in direct:
        return direct[head.index, other], "field program"
    if head.kind != "crossing":
        return yellow_s, f"yellow of {head.index}; {UNSEEN}"
    elsewhere = [seconds for (i, _), seconds in direct.items() if i == head.index]
    if elsewhere:
        return max(yellow_s, *elsewhere), "longest clearance of this crossing in the field program"
    return max(yellow_s, crossing_length_m(network, head) / WALK_SPEED_MPS), "length of the crossing at 1.0 m/s"


def crossing_length_m(network: RoadNetwork | None, head: SignalHead) -> float:
    """Length of the longest crossing behind a link index, 0 where the network is not at hand. [m]"""
    if network is None:
        return 0.0
    return max((x.length_m for x in network.crossings if x.id in head.crossing_ids), default=0.0)


def walk_and_clear_s(length_m: float) -> float:
    """What people need from the begin of their green on: the walk, and the way across. [s]"""
    return WALK_S + length_m / WALK_SPEED_MPS


def crossing_need_s(network: RoadNetwork | None, head: SignalHead) -> float:
    """The same for the longest crossing behind a link index. [s]"""
    return walk_and_clear_s(crossing_length_m(network, head))


def _min_green_s(table: ProgramTable, field: ControllerPlan, head: SignalHead, min_green_s: float) -> float:
    """The floor, or the least minimum stated for a green of the link index where that is longer."""
    stated = [
        minimum
        for run in table.runs(head.index, GREEN)
        if (minimum := _stated_minimum_s(table, field, run.first, head.index)) is not None
    ]
    return max(min_green_s, min(stated, default=0.0))


def _stated_minimum_s(table: ProgramTable, field: ControllerPlan, first: int, index: int) -> float | None:
    """Sum of the stated minima over one green, at most the green itself; None where one is missing."""
    if len(field.min_durations_s) != table.n_intervals:
        return None
    total, green = 0.0, 0.0
    for step in range(table.n_intervals):
        n = (first + step) % table.n_intervals
        if table.states[n][index] not in GREEN:
            break
        minimum = field.min_durations_s[n]
        if minimum is None:
            return None
        total += minimum
        green += table.durations_s[n]
    return min(total, green)


def _computed(
    network: RoadNetwork, heads: tuple[SignalHead, ...], source: ClearanceSource, min_yellow_s: float
) -> dict[int, tuple[float, float]]:
    """Yellow and red clearance of vehicle link indices by formula; the longest over their connections. [s]"""
    out = {}
    for head in heads:
        ways = [network.connections[i] for i in head.connections]
        if not ways:
            continue
        pairs = []
        for way in ways:
            limit_mps, width_m = network.links[way.from_link].lanes[way.from_lane].speed_mps, way.length_m
            if source == "korea":
                pairs.append((korea_yellow_s(limit_mps, width_m), korea_red_s(limit_mps, width_m)))
            else:
                turns = way.direction.lower() != "s"
                slower_mps = max(limit_mps / 2, limit_mps - ITE_TURN_UNDER_LIMIT_MPS)
                speed_mps = slower_mps if turns else limit_mps + ITE_THROUGH_OVER_LIMIT_MPS
                pairs.append((ite_yellow_s(speed_mps), ite_red_s(speed_mps, width_m)))
        out[head.index] = max(min_yellow_s, *(y for y, _ in pairs)), max(r for _, r in pairs)
    return out

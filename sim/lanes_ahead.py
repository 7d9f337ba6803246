"""Which lanes drivers take early: those from which their way goes on without a lane change on a short link."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim import _tables as k

if TYPE_CHECKING:
    from sim.compile import CompiledNetwork

LINKS_AHEAD = 8
"""How many links behind the next one drivers look at for the right lane."""


def lanes_ahead(compiled: CompiledNetwork, route: NDArray[np.int64], ends: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Per step the lanes from which the way goes on far enough before it needs a lane change (bits).

    Parameters
    ----------
    route : (R,)
        First rows of the link pairs of all routes, one after the other.
    ends : (R,)
        Whether a route ends with the step.
    """
    ways = np.full((len(route), LINKS_AHEAD + 1), -1, np.int64)
    ways[:, 0] = route
    length_m = _lengths_m(compiled)
    seen_m = np.zeros(len(route))
    for n in range(1, LINKS_AHEAD + 1):
        ways[:-n, n] = route[n:]
        goes_on = (ways[:, n - 1] >= 0) & (seen_m < compiled.parameters.lane_ahead_m)
        goes_on[: len(route) - n + 1] &= ~ends[n - 1 :]
        ways[~goes_on, n] = -1
        if not goes_on.any():
            ways = ways[:, :n]
            break
        seen_m[goes_on] += length_m[ways[goes_on, n]]
    unique, inverse = unique_rows(ways)
    masks = []
    for way in unique.tolist():
        reach = _reach_m(compiled, [pair for pair in way if pair >= 0])
        enough = min(max(reach.values()), compiled.parameters.lane_ahead_m)
        masks.append(sum(1 << bit for bit, far in reach.items() if far >= enough))
    return np.array(masks, np.int64)[inverse].astype(np.int32)


def _lengths_m(compiled: CompiledNetwork) -> NDArray[np.float64]:
    """Length of the link that each row of the pair table leads from. [m]"""
    links = compiled.network.links
    return np.array([links[compiled.lane_link[lane]].length_m for lane in compiled.arrays.pair[:, k.PAIR_LANE]])


def unique_rows(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different rows of a table (R, C) of numbers from -1 on, and for every row which of them it is; shape (R,).

    As `np.unique` along axis 0, by one number per row: several times as fast.
    """
    code = table[:, 0]
    for column in table.T[1:]:
        code = np.unique(code * (int(column.max(initial=0)) + 2) + column + 1, return_inverse=True)[1]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return table[first], inverse


def _reach_m(compiled: CompiledNetwork, way: list[int]) -> dict[int, float]:
    """How far the way goes on behind each lane that serves its first pair of links, without a lane change. [m]"""
    table = compiled.arrays.pair
    rows = table[way[0] : way[0] + table[way[0], k.PAIR_N]]
    if len(way) == 1:
        return {int(row[k.PAIR_BIT]): math.inf for row in rows}
    beyond = _reach_m(compiled, way[1:])
    following = compiled.network.links[compiled.lane_link[table[way[1], k.PAIR_LANE]]]
    reach = {}
    for row in rows:
        mask = compiled.arrays.conn[row[k.PAIR_CONN], k.TO_MASK]
        behind = [far for bit, far in beyond.items() if mask >> bit & 1]
        reach[int(row[k.PAIR_BIT])] = following.length_m + max(behind, default=0.0)
    return reach

"""One signal as the look-ahead sees it: which lanes each stage opens, who yields to whom, what a change leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.controllers import Controller
from network_data.plans import GREEN, OPEN, YELLOW
from network_data.rules_judged import waits_in
from optimizer.local.layout import ApproachLane, Layout
from optimizer.local.stage_pool import StagePool

YELLOW_USED_S = 1.0
"""Vehicles of a queue still pass so long into yellow. [s]"""
TURN_ON_RED = 0.3
"""Discharge of a stop-and-go right turn, of that under green. [-]"""


@dataclass(frozen=True, eq=False)
class SignalModel:
    """Arrays of one signal; S stages, L lanes, C seconds of the longest change.

    Attributes
    ----------
    lanes : ndarray, shape (L,)
        Its lanes in the layout.
    headway_vps : ndarray, shape (L,)
        Discharge of each lane when nothing holds it up. [veh/s]
    base, perm : ndarray, shape (S, L)
        Share of a lane's vehicles that goes under the stage without yielding, and that goes by gaps. [-]
    foe : ndarray, shape (S, L, L)
        Lanes that those who yield have to let pass.
    stage_open : ndarray, shape (S, L)
        1 where the stage opens the lane for anybody.
    change_open : ndarray, shape (S, S, C, L)
        The share of each second of a change in which a lane is open. [-]
    change_s, hold_s : ndarray, shape (S, S)
        Length of changes, least stay in a stage after coming from another. [s]
    obeys : ndarray, shape (L, H)
        Link indices that the vehicles of a lane obey.
    beyond : tuple of int
        The approaches that its lanes lead to (D).
    way : ndarray, shape (L, D)
        Share of a lane's vehicles that goes on to each; one column of zeros where there are none. [-]
    """

    pool: StagePool
    lanes: NDArray[np.int64]
    headway_vps: NDArray[np.float64]
    base: NDArray[np.float64]
    perm: NDArray[np.float64]
    foe: NDArray[np.bool_]
    stage_open: NDArray[np.float64]
    change_open: NDArray[np.float64]
    change_s: NDArray[np.int64]
    hold_s: NDArray[np.int64]
    obeys: NDArray[np.bool_]
    beyond: tuple[int, ...]
    way: NDArray[np.float64]

    def heads_of(self, lanes: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Link indices that the vehicles of some lanes obey. (H,)"""
        return np.asarray((self.obeys & lanes[:, None]).any(0))

    def open_lanes(self, state: str, layout: Layout) -> NDArray[np.bool_]:
        """Lanes with green for any of their ways. (L,)"""
        return np.array([any(state[way.link_index] in GREEN for way in layout.lanes[g].ways) for g in self.lanes])

    def free_lanes(self, state: str, layout: Layout) -> NDArray[np.bool_]:
        """Lanes all of whose ways have a green that yields to nobody. (L,)"""
        waits = waits_in(self.pool.controller, self.pool.controller.conflicts, state)
        free = {k for k, letter in enumerate(state) if letter == "G"} - waits
        return np.array([all(way.link_index in free for way in layout.lanes[g].ways) for g in self.lanes])


def signal_model(layout: Layout, pool: StagePool) -> SignalModel:
    """Compile one signal.

    Parameters
    ----------
    layout : Layout
        Lanes of the network.
    pool : StagePool
        Stages and changes of the signal.
    """
    controller = pool.controller
    members = layout.lanes_at[controller.id]
    lanes = [layout.lanes[g] for g in members]
    n_stage, n_lane = len(pool.stages), len(lanes)
    base, perm = np.zeros((n_stage, n_lane)), np.zeros((n_stage, n_lane))
    foe = np.zeros((n_stage, n_lane, n_lane), np.bool_)
    for s, stage in enumerate(pool.stages):
        for x, lane in enumerate(lanes):
            base[s, x], perm[s, x], against = _service(controller, stage, lane)
            for y, other in enumerate(lanes):
                foe[s, x, y] = y != x and any(way.link_index in against for way in other.ways)
    change_open = np.zeros((n_stage, n_stage, max(1, pool.longest_change_s), n_lane))
    obeys = np.zeros((n_lane, len(pool.stages[0])), np.bool_)
    for x, lane in enumerate(lanes):
        obeys[x, [way.link_index for way in lane.ways]] = True
    for (a, b), states in pool.changes.items():
        for t in range(len(states)):
            for x, lane in enumerate(lanes):
                change_open[a, b, t, x] = _open_share(lane, pool.stages[a], states, t)
    beyond = tuple(sorted({feed.approach for lane in lanes for feed in lane.feeds}))
    way = np.zeros((n_lane, max(1, len(beyond))))
    for x, lane in enumerate(lanes):
        for feed in lane.feeds:
            way[x, beyond.index(feed.approach)] = feed.probability
    return SignalModel(
        pool=pool,
        lanes=np.array(members, np.int64),
        headway_vps=np.array([1.0 / lane.headway_s for lane in lanes]),
        base=base,
        perm=perm,
        foe=foe,
        stage_open=((base + perm) > 0).astype(np.float64),
        change_open=change_open,
        change_s=pool.change_s,
        hold_s=pool.hold_s,
        obeys=obeys,
        beyond=beyond,
        way=way,
    )


def _service(controller: Controller, stage: str, lane: ApproachLane) -> tuple[float, float, set[int]]:
    """Share that goes freely, share that yields, and the link indices it yields to."""
    green = {k for k, letter in enumerate(stage) if letter in GREEN}
    free, yields, against = 0.0, 0.0, set[int]()
    for way in lane.ways:
        letter = stage[way.link_index]
        foes = {j for i, j in controller.yields if i == way.link_index and j in green} if letter == "g" else set()
        foes -= {other.link_index for other in lane.ways}
        if letter in GREEN and not foes:
            free += way.share
        elif letter in GREEN:
            yields += way.share
            against |= foes
        elif letter in OPEN:
            free += TURN_ON_RED * way.share
    return free, yields, against


def _open_share(lane: ApproachLane, stage: str, states: Sequence[str], t: int) -> float:
    """How much of second t of a change a lane is open: green that stays, or the used part of the yellow."""
    best = 0.0
    for way in lane.ways:
        k = way.link_index
        letter = states[t][k]
        if letter in GREEN:
            best = 1.0
        elif letter in YELLOW and stage[k] in GREEN:
            best = max(best, min(1.0, max(0.0, YELLOW_USED_S - t)))
    return best

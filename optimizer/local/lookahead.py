"""The look-ahead: each signal plans its next stages over a horizon; neighbours tell each other whom they will release.

Forward dynamic programming over (second, stage) with a few states kept for each, in the tradition of PRODYN and of
schedule-driven control; the model is the queue simulation's (headways, lost times, yielding) at steps of one second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from optimizer.local import _search_kernels as kernels
from optimizer.local.estimate import Outlook
from optimizer.local.signal_model import SignalModel
from optimizer.local.standing import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAheadSettings:
    """How far and how thoroughly a signal looks ahead.

    Attributes
    ----------
    horizon_s : int
        Seconds looked ahead. [s]
    keep : int
        States kept per second and stage.
    dense_s, stride_s : int
        Changes are tried every second so far ahead, then every `stride_s`. [s]
    start_lag_s : float
        Lost by a queue when its green begins. [s]
    stop_cost_s : float
        What a stop costs beside its time standing: braking and accelerating. [s]
    gap_s : int
        Seconds without foes that a yielding vehicle needs. [s]
    slack : float
        States dearer than the cheapest of their second by more than this share are given up. [-]
    wait_s : float
        Expected further wait of those who still stand before a red at the end of the horizon. [s]
    """

    horizon_s: int = 70
    keep: int = 4
    dense_s: int = 6
    stride_s: int = 3
    start_lag_s: float = 1.5
    stop_cost_s: float = 3.0
    gap_s: int = 4
    wait_s: float = 12.0
    slack: float = 0.4


class Choice(NamedTuple):
    """What a signal would best do: leave its stage after so many seconds for another (-1: stay), at which cost.

    `cost_of_s` (S,) is the least cost of going to each stage at once, at the standing one of staying a while; 1e30
    where no such way is among the best.
    """

    leave_in_s: int
    stage: int
    cost_s: float
    cost_of_s: NDArray[np.float64]
    release_veh: NDArray[np.float64]  # (horizon, L)


class Beyond(NamedTuple):
    """What a signal knows of the links that its lanes lead to (D), and of those who wait to enter its own."""

    room_veh: NDArray[np.float64]  # (D,) for so many there is room now
    opening_veh: NDArray[np.float64]  # (horizon, D) room that comes, by second
    weight: NDArray[np.float64]  # (L,) cost of a second of a vehicle, 1 where it holds up nobody further back


def free_beyond(model: SignalModel, horizon_s: int) -> Beyond:
    """Room for all."""
    n = max(1, len(model.beyond))
    return Beyond(np.full(n, 1e9), np.zeros((horizon_s, n)), np.ones(len(model.lanes)))


class LookAhead:
    """The search of one signal, with its working memory."""

    def __init__(self, model: SignalModel, settings: LookAheadSettings) -> None:
        self.model, self.settings = model, settings
        horizon, keep = settings.horizon_s, settings.keep
        n_stage, n_lane = model.base.shape
        cells = (horizon + 1, n_stage, keep)
        self._costs, self._bounds = np.empty(cells), np.empty(cells)
        self._queues, self._lags = np.empty((*cells, n_lane)), np.empty((*cells, n_lane))
        self._rooms = np.empty((*cells, max(1, len(model.beyond))))
        self._origins, self._parents = np.empty(cells, np.int64), np.empty((*cells, 3), np.int64)
        self._plan = np.empty((horizon + 1, 2), np.int64)

    def choose(
        self,
        outlook: Outlook,
        stage: int,
        from_s: NDArray[np.int64],
        beyond: Beyond | None = None,
        service: Service | None = None,
    ) -> Choice:
        """The cheapest way on.

        Parameters
        ----------
        outlook : Outlook
            Queues and arrivals of the signal's own lanes (L).
        stage : int
            The stage that stands.
        from_s : ndarray, shape (S,)
            Seconds until each stage may come next, `NEVER_S` where it may not; at the standing one 0, or `NEVER_S`
            where it has to end. [s]
        beyond : Beyond, optional
            Room on the links further on, and what a second of waiting costs; None: room for all.
        service : Service, optional
            What each stage lets go, where that is less than the model's because lanes stand under green.
        """
        model, own = self.model, self.settings
        if beyond is None:
            beyond = free_beyond(model, own.horizon_s)
        base, perm = service or (model.base, model.perm)
        trace, best_of = np.zeros(outlook.arrival_veh.shape), np.empty(len(model.hold_s))
        n, cost_s = kernels.search(
            stage, from_s, outlook.queue_veh, outlook.arrival_veh,
            beyond.room_veh, beyond.opening_veh, model.way, beyond.weight,
            model.headway_vps, model.change_open, model.change_s, model.stage_open, base, perm, model.foe,
            model.hold_s,
            own.start_lag_s, own.stop_cost_s, own.gap_s, own.wait_s, own.dense_s, own.stride_s, own.keep,
            own.slack,
            self._costs, self._bounds, self._queues, self._lags, self._rooms, self._origins, self._parents, self._plan,
            trace, best_of,
        )  # fmt: skip
        leave_s, to = (int(self._plan[0, 0]), int(self._plan[0, 1])) if n else (own.horizon_s, -1)
        return Choice(leave_s, to, float(cost_s), best_of, trace)

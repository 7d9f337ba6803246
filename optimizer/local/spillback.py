"""Links that are full: how much room there is behind the next stop line, when it opens, and whom a full link holds up.

A link holds its storage. Who is on it is counted by the estimate; a loop at its upstream end that stays covered says
that it is full, one that is free says that it is not. What leaves at its stop line makes room at its upstream end a
wave later. Behind a full link others wait to enter: a second of its queue costs them too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.observations import Observation
from optimizer.local.estimate import Outlook
from optimizer.local.layout import Layout
from optimizer.local.lookahead import Beyond
from optimizer.local.signal_model import SignalModel
from sim.parameters import STREET, SimParameters

WAVE_MPS = 6.0
"""Speed at which room moves upstream in a queue. [m/s]"""
ENTRY_M = 20.0
"""A loop so near to the upstream end tells whether a link is full. [m]"""
COVERED_S = 4
"""Covered for so long: somebody stands there. [s]"""
NEARLY = 0.8
"""From this share of its storage on, a link holds up those behind it. [-]"""
MOST_WEIGHT = 3.0
"""A vehicle never counts for more than so many. [-]"""


class Spillback:
    """Room behind stop lines; `update` once a second, `beyond` for each signal.

    Parameters
    ----------
    layout : Layout
        Approaches (A), lanes (G) and loops.
    detectors : sequence of Detector
        Loops, in the order of the observations.
    horizon_s : int
        How far ahead room is told. [s]

    Attributes
    ----------
    there_veh : ndarray, shape (A,)
        Who is on each approach. [veh]
    open_beyond : ndarray, shape (G,)
        Lanes none of whose links further on is nearly full.
    """

    def __init__(
        self, layout: Layout, detectors: Sequence[Detector], horizon_s: int, parameters: SimParameters = STREET
    ) -> None:
        self.layout, self.horizon_s = layout, horizon_s
        links = [layout.network.links[link] for link in layout.approaches]
        spacing_m = parameters.spacing_m
        lanes = [max(1, sum(lane.kind != "other" for lane in link.lanes)) for link in links]
        self._storage_veh = np.array(
            [n * max(2, math.ceil(x.length_m / spacing_m)) for n, x in zip(lanes, links, strict=True)], np.float64
        )
        self._travel_s = np.array([max(1, round(x.length_m / x.speed_mps)) for x in links])
        self._wave_s = np.array([min(horizon_s - 1, round(x.length_m / WAVE_MPS)) for x in links])
        self._speed_vps = np.array([x.speed_mps / spacing_m for x in links])
        self._lanes_of = [np.array(members) for members in layout.lanes_of]
        self._entries = [
            np.array(
                [n for n, d in enumerate(detectors) if d.link_id == x.id and d.pos_m <= min(ENTRY_M, x.length_m / 3)]
            )
            for x in links
        ]
        self._whole = np.array([len(own) >= n for own, n in zip(self._entries, lanes, strict=True)])
        self._feeders: list[list[tuple[int, float]]] = [[] for _ in links]
        for g, lane in enumerate(layout.lanes):
            for feed in lane.feeds:
                self._feeders[feed.approach].append((g, feed.probability))
        self._stopbar = [
            np.array([layout.lanes[g].stopbar for g in members if layout.lanes[g].stopbar >= 0], np.int64)
            for members in layout.lanes_of
        ]
        self._left_veh = np.zeros((horizon_s, len(links)))
        self._covered_s = np.zeros(len(detectors))
        self.open_beyond = np.ones(len(layout.lanes), np.bool_)
        self.there_veh, self._weight = np.zeros(len(links)), np.ones(len(layout.lanes))

    def update(self, seen: Observation, outlook: Outlook) -> None:
        """One second: loops, and who is where before neighbours' plans are added."""
        sound = seen.sound
        self._covered_s = np.where(sound & (seen.occupancy > 0.95), self._covered_s + 1.0, 0.0)
        self._left_veh[1:] = self._left_veh[:-1]
        self._weight[:] = 1.0
        for a, lanes in enumerate(self._lanes_of):
            bars = self._stopbar[a]
            self._left_veh[0, a] = seen.count_veh[bars[sound[bars]]].sum() if len(bars) else 0.0
            coming = float(outlook.arrival_veh[: self._travel_s[a], lanes].sum())
            there = float(outlook.queue_veh[lanes].sum()) + coming
            self.there_veh[a] = self._corrected(a, min(there, self._storage_veh[a]), sound)
        self.open_beyond[:] = True
        for a, lanes in enumerate(self._lanes_of):
            if self._feeders[a] and self.there_veh[a] >= NEARLY * self._storage_veh[a]:
                self.open_beyond[[g for g, _ in self._feeders[a]]] = False
                behind = sum(p * outlook.queue_veh[g] for g, p in self._feeders[a])
                self._weight[lanes] = min(MOST_WEIGHT, 1.0 + behind / max(1.0, self.there_veh[a]))

    def _corrected(self, a: int, there_veh: float, sound: NDArray[np.bool_]) -> float:
        own = self._entries[a]
        if not self._whole[a] or not sound[own].all():
            return there_veh
        standing = self._covered_s[own] >= COVERED_S
        if standing.all():
            return float(self._storage_veh[a])
        n_free = int((self._covered_s[own] == 0).sum())
        return min(there_veh, float(self._storage_veh[a]) - n_free)

    def beyond(self, model: SignalModel, release_veh: NDArray[np.float64]) -> Beyond:
        """What one signal knows of the links beyond it.

        Parameters
        ----------
        release_veh : ndarray, shape (horizon, G)
            Vehicles that will leave each lane in the seconds to come, as neighbours plan it. [veh]
        """
        n = max(1, len(model.beyond))
        room_veh, opening_veh = np.full(n, 1e9), np.zeros((self.horizon_s, n))
        for d, a in enumerate(model.beyond):
            wave_s = int(self._wave_s[a])
            # who left within the last wave has not made room upstream yet
            room_veh[d] = (
                self._storage_veh[a] - self.there_veh[a] - self._left_veh[:wave_s, a].sum() + self._extra(model, a)
            )
            opening_veh[:wave_s, d] = self._left_veh[:wave_s, a][::-1]
            leaves = release_veh[:, self._lanes_of[a]].sum(1)
            opening_veh[wave_s:, d] = leaves[: self.horizon_s - wave_s]
        return Beyond(room_veh, opening_veh, self._weight[model.lanes])

    def _extra(self, model: SignalModel, a: int) -> float:
        """Room on links without a signal between a stop line and the approach. [veh]"""
        feeds = [feed for g in model.lanes for feed in self.layout.lanes[g].feeds if feed.approach == a]
        between_s = max(feed.travel_s for feed in feeds) - float(self._travel_s[a])
        return float(max(0.0, between_s - 3.0) * self._speed_vps[a])

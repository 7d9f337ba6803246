"""Who waits at each stop line and who comes, from loops alone: counted in and out, corrected by what they rule out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.observations import Observation
from optimizer.local import _estimate_kernels as kernels
from optimizer.local.layout import ApproachLane, Feed, Layout
from sim.parameters import STREET

MAX_TOKENS = 96
"""Vehicles on the way to one stop line at most."""
SMOOTH_S = 600.0
"""Memory of flows. [s]"""
STICK = 0.3
"""How likely somebody seen at the upstream end keeps its lane for another reason than its turn. [-]"""
START_VPS = 0.05
"""Flow of a lane before anything was counted. [veh/s]"""
KNOWN_VEH = 5
"""A loop that has told fewer vehicles has no history of its own. [veh]"""
ENTRY_M = 20.0
"""A loop so near to the upstream end of a lane tells when the queue has come back to there. [m]"""
STANDS_S = 4.0
"""Covered for so long: somebody stands there. [s]"""
COMPLETE = 0.85
"""An approach is watched from where this share of its lanes has a loop. [-]"""


@dataclass(frozen=True, eq=False)
class Outlook:
    """Queues now and arrivals ahead; G lanes as in `Layout.lanes`, T seconds.

    Attributes
    ----------
    queue_veh : ndarray, shape (G,)
        Who waits. [veh]
    arrival_veh : ndarray, shape (T, G)
        Who would reach the stop line in each second if nothing held it up. [veh]
    """

    queue_veh: NDArray[np.float64]
    arrival_veh: NDArray[np.float64]


class Estimate:
    """The state of all approaches; `update` once a second, `outlook` whenever asked.

    Parameters
    ----------
    layout : Layout
        Approaches, lanes and loops.
    horizon_s : int
        How far ahead arrivals are told. [s]
    detectors : sequence of Detector
        Loops, in the order of the observations.
    """

    def __init__(self, layout: Layout, horizon_s: int, detectors: Sequence[Detector] = ()) -> None:
        self.layout, self.horizon_s = layout, horizon_s
        lanes, n = layout.lanes, len(layout.lanes)
        n_approach, most = len(layout.approaches), max(len(x) for x in layout.lanes_of)
        self._stopbar = np.array([lane.stopbar for lane in lanes])
        self._approach_of = np.array([lane.approach for lane in lanes])
        self._lane_of = np.full((n_approach, most), -1)
        self._place_of = np.zeros(n, np.int64)
        for a, members in enumerate(layout.lanes_of):
            for m, g in enumerate(members):
                self._lane_of[a, m], self._place_of[g] = g, m
        self._announcer = np.array([x.detector for x in layout.announcers], np.int64)
        self._announcer_lane = np.array([self._place(x.link_id, x.lane) for x in layout.announcers], np.int64)
        self._announcer_from, *self._feeds = _flat([x.feeds for x in layout.announcers])
        self._lane_from, *self._lane_feeds = _flat([x.feeds for x in lanes])
        self._watchers: dict[int, NDArray[np.int64]] = {}
        self._watched = self._watched_s()
        self._seen_s = self._watched.copy()
        self._eta = np.zeros((n_approach, MAX_TOKENS))
        self._w, self._src = np.zeros_like(self._eta), np.zeros_like(self._eta)
        self._prob = np.zeros((n_approach, MAX_TOKENS, most))
        self._n_token = np.zeros(n_approach, np.int64)
        self._background, self._rate = np.zeros(n), np.full(n, START_VPS)
        self._since_front, self._open_s, self._closed_s = np.full(n, 99.0), np.zeros(n), np.zeros(n)
        self._may_wait, self.standing = np.ones(n, np.bool_), np.zeros(n)
        self._is_open = np.zeros(n, np.bool_)
        self._now_s, self._n_seconds = 0.0, 0
        self._told_rate, self._belief = np.zeros(n_approach), np.ones(n_approach)
        self._rest, self._inflow = np.zeros(n), np.zeros(n)
        self._hidden, self._unseen = np.zeros(n), np.zeros(n)
        self._fed = np.zeros(n_approach, np.bool_)
        self._fed[[feed.approach for lane in lanes for feed in lane.feeds]] = True
        self._flowing = np.zeros(n, np.bool_)
        self._headway_vps, self._credit = np.array([1.0 / lane.headway_s for lane in lanes]), np.zeros(n)
        self._entry, self._holds_veh = self._entries(detectors)
        self._covered_s = np.zeros(len(detectors))
        self._spoken: NDArray[np.bool_] | None = None
        self._full_veh, self._since_full_s = np.zeros(n), np.full(n, 1e3)
        n_announcer = len(layout.announcers)
        self._counted = np.zeros(n)
        self._announcer_rate, self._announcer_due = np.full(n_announcer, START_VPS), np.zeros(n_announcer)

    @property
    def belief(self) -> NDArray[np.float64]:
        """Per approach: what an announcement by stop lines upstream has proved worth, 0 to 1. [-]"""
        return self._belief

    @property
    def rate_vps(self) -> NDArray[np.float64]:
        """Flow of each lane over minutes. [veh/s]"""
        return self._rate

    def update(self, seen: Observation, is_open: NDArray[np.bool_]) -> None:
        """One second.

        Parameters
        ----------
        seen : Observation
            The loops of this second.
        is_open : ndarray, shape (G,)
            Lanes that had green for any of their ways.
        """
        self._now_s, self._n_seconds = seen.time_s, self._n_seconds + 1
        told = seen.sound
        self._stand_in(np.nan_to_num(seen.count_veh), told)
        self._mute(told)
        told = self._proven(told, seen.count_veh)
        self._is_open = is_open
        self._fill(seen)
        smooth = max(1 / SMOOTH_S, 1 / (self._n_seconds + 120.0))
        kernels.second(
            self._now_s, seen.count_veh.astype(np.float64), seen.occupancy.astype(np.float64), told, is_open, smooth,
            self._stopbar, self._approach_of, self._place_of, self._lane_of, self._seen_s, STICK,
            self._announcer, self._announcer_lane, self._announcer_from, *self._feeds,
            self._lane_from, *self._lane_feeds,
            self._eta, self._w, self._src, self._prob, self._n_token, self._background, self._since_front,
            self._open_s, self._closed_s, self._rate, self._inflow, self._may_wait, self.standing,
            self._told_rate, self._belief, self._flowing, self._headway_vps, self._credit,
            self._announcer_rate, self._announcer_due, self._full_veh, self._since_full_s, self._unseen,
        )  # fmt: skip
        self._believe()

    def _entries(self, detectors: Sequence[Detector]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Per lane the loop at its upstream end (-1: none), and how many stand between that and the stop line."""
        loop, holds_veh = np.full(len(self.layout.lanes), -1), np.zeros(len(self.layout.lanes))
        for g, lane in enumerate(self.layout.lanes):
            link = self.layout.network.links[self.layout.approaches[lane.approach]]
            at_most_m = min(ENTRY_M, link.length_m / 3)
            for n, d in enumerate(detectors):
                if (d.link_id, d.lane) == (link.id, lane.lane) and n != lane.stopbar and d.pos_m <= at_most_m:
                    loop[g], holds_veh[g] = n, (link.length_m - d.pos_m) / STREET.spacing_m
        return loop, holds_veh

    def _fill(self, seen: Observation) -> None:
        """Lanes in which a queue stands back to the loop at their upstream end."""
        if len(self._covered_s):
            self._covered_s = np.where(seen.sound & (seen.occupancy > 0.95), self._covered_s + 1.0, 0.0)
            stands = (self._entry >= 0) & (self._covered_s[self._entry] >= STANDS_S)
            self._full_veh = np.where(stands, self._holds_veh, 0.0)

    def _stand_in(self, count: NDArray[np.float32], told: NDArray[np.bool_]) -> None:
        """A loop that was lost before it had a history takes that of the lanes beside it."""
        has = self._stopbar >= 0
        self._counted[has] += np.where(told, count, 0.0)[self._stopbar[has]]
        for g in np.flatnonzero(has & (self._counted < KNOWN_VEH)).tolist():
            if not told[self._stopbar[g]]:
                beside = [m for m in self.layout.lanes_of[self._approach_of[g]] if self._counted[m] >= KNOWN_VEH]
                self._rate[g] = np.mean(self._rate[beside]) if beside else START_VPS

    def _proven(self, told: NDArray[np.bool_], count: NDArray[np.float32]) -> NDArray[np.bool_]:
        """A loop at a stop line that never told anything rules out nobody: its lane discharges as the model has it."""
        spoken = np.nan_to_num(count) > 0
        self._spoken = spoken if self._spoken is None else self._spoken | spoken
        bars = self._stopbar[self._stopbar >= 0]
        out = told.copy()
        out[bars] &= self._spoken[bars]
        mute = self._stopbar >= 0
        mute[mute] = (told & ~out)[bars]
        self._rate[mute] -= self._rate[mute] / (self._n_seconds + 120.0)
        return out

    def _mute(self, told: NDArray[np.bool_]) -> None:
        """Where one of the loops that watch an approach is lost, the others cannot tell how many come either.

        The approach then counts as one that nobody watches: the flow at its stop line comes instead.
        """
        self._seen_s[:] = self._watched
        self._hidden[:] = 0.0
        for a, watchers in self._watchers.items():
            lost = ~told[self._announcer[watchers]]
            if not lost.any():
                continue
            self._announcer_rate[watchers[lost]] = 0.0
            if lost.all() or self._fed[a]:
                self._seen_s[a] = 0.0
                told[self._announcer[watchers]] = False
                self._announcer_rate[watchers] = 0.0
            else:
                self._hide(a, watchers, lost)

    def _hide(self, a: int, watchers: NDArray[np.int64], lost: NDArray[np.bool_]) -> None:
        """Some of the loops that watch an approach are lost: what the others did not see comes by its flow."""
        members = np.array(self.layout.lanes_of[a])
        flow = self._rate[members]
        seen_vps = sum(float(self._announcer_rate[x]) * self._reach(x, a) for x in watchers[~lost])
        share = flow / max(1e-9, flow.sum())
        places = [int(self._announcer_lane[x]) for x in watchers[lost]]
        for place in places:
            own = np.arange(len(members)) == place
            part = (1.0 - STICK) * share + STICK * own if place >= 0 else share
            self._hidden[members] += max(0.0, float(flow.sum()) - seen_vps) * part / len(places)

    def _reach(self, announcer: int, a: int) -> float:
        return sum(feed.probability for feed in self.layout.announcers[announcer].feeds if feed.approach == a)

    def _believe(self) -> None:
        """Hold what is announced by stop lines upstream against what really came."""
        flow = np.array([self._rate[list(members)].sum() for members in self.layout.lanes_of])
        self._belief = np.clip(flow / np.maximum(self._told_rate, 1e-6), 0.0, 1.0)
        unannounced = np.maximum(0.0, flow - self._belief * self._told_rate) / np.maximum(flow, 1e-9)
        self._rest = unannounced[self._approach_of] * self._rate
        unwatched = self._seen_s[self._approach_of] <= 0
        self._inflow = np.where(unwatched, self._rest, self._hidden)
        self._unseen = np.where(unwatched, 1.0, np.minimum(1.0, self._hidden / np.maximum(self._rate, 1e-9)))

    def outlook(self) -> Outlook:
        """Queues now, arrivals over the horizon; what stop lines upstream will yet release is not in it."""
        queue = np.zeros(len(self.layout.lanes))
        arrival = np.zeros((self.horizon_s, len(queue)))
        kernels.outlook(
            self._now_s, self.horizon_s, self._lane_of, self._n_token, self._eta, self._w, self._prob,
            self._background, self.standing, self._is_open, self._seen_s, self._rest, queue, arrival,
        )  # fmt: skip
        for g in np.flatnonzero(self._hidden).tolist():
            arrival[: int(self._seen_s[self._approach_of[g]]), g] += self._hidden[g]
        return Outlook(queue_veh=queue, arrival_veh=arrival)

    def announce(self, release_veh: NDArray[np.float64], outlook: Outlook) -> None:
        """Add whom signals upstream will release to the arrivals of an outlook, in place.

        Parameters
        ----------
        release_veh : ndarray, shape (T, G)
            Vehicles that will leave each lane in the seconds to come, as neighbours plan it. [veh]
        """
        kernels.announce_releases(
            release_veh, self._lane_from, *self._lane_feeds, self._belief, self._lane_of, self._rate,
            outlook.arrival_veh,
        )  # fmt: skip

    def _watched_s(self) -> NDArray[np.float64]:
        """Per approach: from how far away everybody is seen, 0 where that is nowhere. [s]"""
        out = np.zeros(len(self.layout.approaches))
        by: dict[int, dict[str, list[tuple[int, Feed]]]] = {}
        for x in self.layout.announcers:
            for feed in x.feeds:
                by.setdefault(feed.approach, {}).setdefault(x.link_id, []).append((x.lane, feed))
        for a, links in by.items():
            for link_id, found in links.items():
                lanes = {lane for lane, _ in found}
                all_lanes = [lane for lane in self.layout.network.links[link_id].lanes if lane.kind != "other"]
                share = len(lanes) / max(1, len(all_lanes)) * max(feed.probability for _, feed in found)
                from_s = min(feed.travel_s for _, feed in found)
                if share >= COMPLETE and from_s > out[a]:
                    out[a] = from_s
                    self._watchers[a] = np.array(
                        [
                            x
                            for x, own in enumerate(self.layout.announcers)
                            if own.link_id == link_id and any(feed.approach == a for feed in own.feeds)
                        ]
                    )
        return out

    def _place(self, link_id: str, lane: int) -> int:
        if link_id not in self.layout.approaches:
            return -1
        lanes: list[ApproachLane] = [self.layout.lanes[g] for g in self._members(link_id)]
        return next((m for m, x in enumerate(lanes) if x.lane == lane), -1)

    def _members(self, link_id: str) -> tuple[int, ...]:
        return self.layout.lanes_of[self.layout.approaches.index(link_id)]


def _flat(feeds: list[tuple[Feed, ...]]) -> tuple[NDArray[np.int64], ...]:
    """Feeds of many as arrays: where each one's begin, then approach, probability, seconds."""
    starts = np.cumsum([0, *(len(x) for x in feeds)])
    every = [feed for x in feeds for feed in x]
    return (
        starts.astype(np.int64),
        np.array([feed.approach for feed in every], np.int64),
        np.array([feed.probability for feed in every], np.float64),
        np.array([feed.travel_s for feed in every], np.float64),
    )

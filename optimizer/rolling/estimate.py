"""Demand and queues from counts: a filter over minutes with the day's history, and vehicles booked in and out.

Demand is the history times a factor per link: counts over what the history expects of them, both forgotten over
minutes (a gamma-Poisson filter with discounting [1]_). Where nothing is counted, the factor is that of the streets
that lead there, and of the whole network where nothing does. Turning shares follow the counts of lanes.

References
----------
.. [1] J. Q. Smith, "A generalization of the Bayesian steady forecasting model", J. Royal Statistical Society B 41,
   1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.observations import Observation
from optimizer.rolling.layout import FLOAT, LEAST_VPH, DetectorLayout, Prior, StreetLayout, sums
from optimizer.rolling.options import RollingOptions

NETWORK_VEH, LANE_VEH = 500.0, 60.0
"""Vehicles that "as in history" is worth for the whole network's factor and for lanes' shares. [veh]"""
SWEEPS = 4
"""How often factors are handed on to links without counts."""
FACTOR = (0.1, 5.0)
"""Least and highest factor on the history. [-]"""
FULL_SHARE, IDLE_SHARE = 0.92, 0.8
"""Occupancy of a stop line, over that of one with a queue all the time: above, the count is what was served; below, no
queue is left over. [-]"""
MOVING = 0.45
"""Occupancy of a stop line under green while a queue leaves. [-]"""
STANDS, MOVES = 0.35, 0.15
"""Occupancy upstream above which a queue has stood there, and below which it has not. [-]"""
LEFT_WITHOUT = 0.3
"""Of the queue booked, what is kept where the stop line says that none is left. [-]"""


@dataclass(frozen=True, eq=False)
class Estimate:
    """What is known at a moment. K links, C choices at their ends."""

    factor: FLOAT  # (K,) flow over the history's [-]
    entry_vps: FLOAT  # (K,) entering there [veh/s]
    choice_vps: FLOAT  # (C,) [veh/s]
    queue_veh: FLOAT  # (K,) left over from green to green [veh]

    @property
    def total_vps(self) -> float:
        """What enters the network. [veh/s]"""
        return float(self.entry_vps.sum())


class Filter:
    """The state of demand and queues; `update` takes in an observation."""

    def __init__(self, layout: StreetLayout, detectors: DetectorLayout, prior: Prior, options: RollingOptions) -> None:
        self.layout, self.detectors, self.prior, self.options = layout, detectors, prior, options
        n_link, n_lane = len(layout.links), layout.compiled.n_lane
        self.counted, self.expected = np.zeros(n_link), np.zeros(n_link)
        self.lane_counted, self.lane_expected = np.zeros(n_lane), np.zeros(n_lane)
        self.queue_veh = np.zeros(n_link)
        self._ids: tuple[str, ...] = ()
        self._order = np.empty(0, np.int64)

    def values(self, observation: Observation) -> tuple[FLOAT, FLOAT]:
        """Counts and occupancy in the order of the layout's detectors; NaN where there is nothing sound."""
        if observation.detector_ids is not self._ids:
            at = {name: n for n, name in enumerate(observation.detector_ids)}
            self._ids, self._order = (
                observation.detector_ids,
                np.array([at.get(name, -1) for name in self.detectors.ids], np.int64),
            )
        known = self._order >= 0
        ok = known & observation.sound[self._order] if len(observation.detector_ids) else known & False
        count = np.where(ok, observation.count_veh[self._order], np.nan) if len(observation.detector_ids) else None
        if count is None:
            return np.full(len(known), np.nan), np.full(len(known), np.nan)
        return count.astype(np.float64), np.where(ok, observation.occupancy[self._order], np.nan).astype(np.float64)

    def update(self, count: FLOAT, occupancy: FLOAT, time_s: float, interval_s: float, green_share: FLOAT) -> Estimate:
        """Take in what detectors say.

        Parameters
        ----------
        count, occupancy : ndarray, shape (D,)
            NaN where there is nothing to go by. [veh], [-]
        time_s, interval_s : float
            End and length of the interval. [s]
        green_share : ndarray, shape (C,)
            Share of the time for which each choice has green under the running plan. [-]
        """
        layout = self.layout
        entry_prior, choice_prior = self.prior.at(time_s - interval_s / 2)
        flow_prior = sums(layout.choice_link, choice_prior, len(layout.links))
        lane_vps, line_vps, lane_green = self._lanes(choice_prior, green_share)
        full = self._full(occupancy, lane_green)
        self._remember(count, full, np.where(self.detectors.stopbar, *self._seen(line_vps, lane_vps)), interval_s)
        factor = self._factors(choice_prior, entry_prior)
        entry, choice = self._flows(factor, flow_prior, entry_prior, choice_prior)
        self.queue_veh = self._queues(count, occupancy, full, choice, lane_vps, green_share, interval_s)
        return Estimate(factor=factor, entry_vps=entry, choice_vps=choice, queue_veh=self.queue_veh.copy())

    def _lanes(self, choice_prior: FLOAT, green_share: FLOAT) -> tuple[FLOAT, FLOAT, FLOAT]:
        """Expected flow of every lane, of that what passes its stop line [veh/s], and its share of green. [-]"""
        choice, lane, share = self.layout.lane_share
        goes = self.layout.target >= 0
        least = np.maximum(choice_prior, LEAST_VPH / 3600 * goes)[choice] * share
        n_lane = self.layout.compiled.n_lane
        flow, passing = sums(lane, least, n_lane), sums(lane, least * goes[choice], n_lane)
        green = sums(lane, least * goes[choice] * green_share[choice], n_lane)
        return flow, passing, np.divide(green, passing, out=np.ones(n_lane), where=passing > 0)

    def _seen(self, *lane_vps: FLOAT) -> tuple[FLOAT, ...]:
        """Flows of lanes as those of the detectors on them; shape (D,) each."""
        return tuple(one[self.detectors.lane] for one in lane_vps)

    def _full(self, occupancy: FLOAT, lane_green: FLOAT) -> FLOAT:
        """Of stop-line detectors: occupancy over that of a lane with a queue all the time; NaN elsewhere. [-]"""
        green = lane_green[self.detectors.lane]
        return np.where(self.detectors.stopbar, occupancy / (1 - green + MOVING * green), np.nan)

    def _remember(self, count: FLOAT, full: FLOAT, expected_vps: FLOAT, interval_s: float) -> None:
        detectors = self.detectors
        keep = float(np.exp(-interval_s / self.options.memory_s))
        for kept in (self.counted, self.expected, self.lane_counted, self.lane_expected):
            kept *= keep
        expected = expected_vps * interval_s
        # a count at the stop line of a lane with a queue all the time is what was served: demand is at least that
        known = (self.counted + self.options.prior_veh) / (self.expected + self.options.prior_veh)
        served = (full >= FULL_SHARE) & (count < expected * known[detectors.link])
        use = np.isfinite(count) & ~served
        n, e = np.where(use, count, 0.0), np.where(use, expected, 0.0)
        self.counted += sums(detectors.link, n, len(self.counted))
        self.expected += sums(detectors.link, e, len(self.expected))
        at_line = detectors.stopbar
        self.lane_counted += sums(detectors.lane[at_line], n[at_line], len(self.lane_counted))
        self.lane_expected += np.bincount(
            detectors.lane[at_line], weights=e[at_line], minlength=len(self.lane_expected)
        )

    def _factors(self, choice_prior: FLOAT, entry_prior: FLOAT) -> FLOAT:
        """Factor of each link on the history."""
        layout, worth = self.layout, self.options.prior_veh
        whole = (self.counted.sum() + NETWORK_VEH) / (self.expected.sum() + NETWORK_VEH)
        factor = np.full(len(layout.links), whole)
        into = layout.onto(choice_prior) + entry_prior
        for _ in range(SWEEPS):
            came = layout.onto(choice_prior * factor[layout.choice_link]) + entry_prior * whole
            before = np.divide(came, into, out=np.full_like(came, whole), where=into > 0)
            factor = (self.counted + worth * before) / (self.expected + worth)
        return np.asarray(np.clip(factor, *FACTOR))

    def _flows(self, factor: FLOAT, flow_prior: FLOAT, entry_prior: FLOAT, choice_prior: FLOAT) -> tuple[FLOAT, FLOAT]:
        """Entries and choices that fit the factors. [veh/s]"""
        layout = self.layout
        choice, lane, share = layout.lane_share
        used = (self.lane_counted + LANE_VEH) / (self.lane_expected + LANE_VEH)
        bend = sums(choice, share * used[lane], len(layout.target))
        bent = choice_prior * bend
        bent_sums = sums(layout.choice_link, bent, len(layout.links))
        scale = np.divide(flow_prior * factor, bent_sums, out=np.zeros_like(bent_sums), where=bent_sums > 0)
        flows = bent * scale[layout.choice_link]
        entry = entry_prior * factor
        # half of what a link's counts want beyond what reaches it enters there, as far as that is known to happen
        missing = flow_prior * factor - (layout.onto(flows) + entry)
        return np.clip(entry + 0.5 * missing, 0.0, 2 * FACTOR[1] * entry_prior), flows

    def _queues(
        self,
        count: FLOAT,
        occupancy: FLOAT,
        full: FLOAT,
        choice_vps: FLOAT,
        lane_vps: FLOAT,
        green_share: FLOAT,
        interval_s: float,
    ) -> FLOAT:
        """Vehicles left over on each link: in less out, held to what occupancy tells. [veh]"""
        layout, at = self.layout, self.detectors
        n_link = len(layout.links)

        def by_link(weights: FLOAT, chosen: NDArray[np.bool_]) -> FLOAT:
            return sums(at.link[chosen], weights[chosen], n_link)

        flow = sums(layout.choice_link, choice_vps * (layout.target >= 0), n_link)
        seen = np.isfinite(count)
        share = lane_vps[at.lane]
        whole = sums(layout.link_of_lane, lane_vps, n_link)
        passed: list[FLOAT] = []
        for chosen in (seen & ~at.stopbar, seen & at.stopbar):
            covered = np.divide(by_link(share, chosen), whole, out=np.zeros(n_link), where=whole > 0)
            many = np.where(chosen, np.nan_to_num(count), 0.0)
            passed.append(np.where(covered > 0.3, by_link(many, chosen) / np.maximum(covered, 0.3), np.nan))
        came = np.where(np.isfinite(passed[0]), passed[0], flow * interval_s)
        most = np.where(np.isfinite(layout.room_vps), layout.room_vps * green_share, 0.0)
        room = sums(layout.choice_link, np.minimum(most, 1e3), n_link) * interval_s
        left = np.where(np.isfinite(passed[1]), passed[1], np.minimum(self.queue_veh + came, np.maximum(room, came)))
        queue = np.maximum(0.0, self.queue_veh + came - left)
        line = np.isfinite(full)
        lanes = np.maximum(1.0, by_link(np.ones(len(full)), line))
        filled = np.where(by_link(np.ones(len(full)), line) > 0, by_link(np.nan_to_num(full), line) / lanes, 1.0)
        queue = np.where(filled < IDLE_SHARE, LEFT_WITHOUT * queue, queue)
        upstream = np.isfinite(occupancy) & ~at.stopbar
        reach = at.before_m / layout.compiled.spacing_m * layout.n_lane[at.link]
        stands = np.where(upstream, np.clip((np.nan_to_num(occupancy) - STANDS) / (1 - STANDS), 0, 1), 0.0)
        np.maximum.at(queue, at.link, np.where(upstream, stands * reach, 0.0))
        np.minimum.at(queue, at.link, np.where(upstream & (np.nan_to_num(occupancy) < MOVES), reach, np.inf))
        return np.minimum(queue, layout.room_veh)

"""Demand as a distribution: days as weighted scenarios, what they say of an interval, expected value and tail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from network_data.demand import FLOAT, Demand, DemandScenarios, Pair
from network_data.errors import DemandError
from network_data.representative import DayChoice, kind_of, representative_days

if TYPE_CHECKING:
    from network_data.counting.block import CountBlock
    from network_data.detectors import Detector

NORMAL = NormalDist()
GRID = 401
"""Points on which a mixture of normal laws is summed up for its quantiles. [-]"""


@dataclass(frozen=True, eq=False)
class FlowDistribution:
    """What a movement carries in each of T intervals, from day to day. [veh]

    `mean` and `sd` are those over days, without the errors of the estimates: these are the same on every day.
    """

    begin_s: FLOAT  # (T,)
    end_s: FLOAT  # (T,)
    mean: FLOAT  # (T,)
    sd: FLOAT  # (T,)
    _veh: FLOAT  # (S, T)
    _within: FLOAT  # (S, T)
    _weights: FLOAT  # (S,)

    def quantile(self, share: float) -> FLOAT:
        """Vehicles that so large a share of the days stays below, shape (T,). [veh]

        Parameters
        ----------
        share : float
            In (0, 1). [-]

        Notes
        -----
        The days that a scenario stands for spread around it as a normal law cut off at 0; the scenarios are mixed by
        their weights. Without a spread within, it is a step function: the smallest scenario that reaches the share.
        """
        if not 0 < share < 1:
            raise DemandError("quantile", f"is {share}; needs to be between 0 and 1")
        return np.array([_quantile(self._veh[:, t], self._within[:, t], self._weights, share)
                         for t in range(len(self.mean))])  # fmt: skip


def flow_distribution(demand: DemandScenarios, pair: Pair) -> FlowDistribution:
    """The distribution of one link pair over the days.

    Raises
    ------
    DemandError
        No scenario has the pair, or the scenarios' intervals differ.
    """
    first = demand.scenarios[0]
    if not any(pair in s.pairs for s in demand.scenarios):
        raise DemandError("flow distribution", f"no scenario has the pair {pair}; name one of demand.pairs")
    if any(not np.array_equal(s.begin_s, first.begin_s) for s in demand.scenarios):
        raise DemandError("flow distribution", "the scenarios have different intervals; estimate all days alike")
    veh, within = (np.zeros((len(demand.scenarios), len(first.begin_s))) for _ in range(2))
    for n, scenario in enumerate(demand.scenarios):
        if pair in scenario.pairs:
            row = scenario.pairs.index(pair)
            veh[n] = scenario.veh[row]
            if demand.within_veh:
                within[n] = demand.within_veh[n][row]
    weights = np.array(demand.weights)
    mean = weights @ veh
    variance = weights @ (within**2 + (veh - mean) ** 2)
    return FlowDistribution(first.begin_s, first.end_s, mean, np.sqrt(variance), veh, within, weights)


def _quantile(veh: FLOAT, within: FLOAT, weights: FLOAT, share: float) -> float:
    if not within.any():
        order = np.argsort(veh, kind="stable")
        reached = np.cumsum(weights[order])
        return float(veh[order][min(int(np.searchsorted(reached, share - 1e-12)), len(veh) - 1)])
    steps = (np.arange(GRID) + 0.5) / GRID
    scores = np.array([NORMAL.inv_cdf(step) for step in steps])
    points = np.maximum(0.0, veh[:, None] + within[:, None] * scores[None, :])
    mass = np.repeat(weights / GRID, GRID)
    order = np.argsort(points.ravel(), kind="stable")
    reached = np.cumsum(mass[order])
    return float(points.ravel()[order][min(int(np.searchsorted(reached, share)), len(mass) - 1)])


def expected(demand: DemandScenarios, values: NDArray[np.floating]) -> float:
    """Mean of a figure over the days, from its value in each scenario, shape (S,)."""
    return float(np.asarray(values, np.float64) @ np.array(demand.weights))


def tail_mean(demand: DemandScenarios, values: NDArray[np.floating], worst: float) -> float:
    """Mean over the worst share of the days (conditional value at risk); the larger a value the worse.

    Parameters
    ----------
    values : ndarray, shape (S,)
        The figure in each scenario.
    worst : float
        Share of the days, in (0, 1]; 1 gives the mean over all. A scenario that lies across the border counts in part.

    References
    ----------
    R. T. Rockafellar and S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2, 2000.
    """
    if not 0 < worst <= 1:
        raise DemandError("tail mean", f"the worst share is {worst}; needs to be above 0 and at most 1")
    return weighted_tail(np.asarray(values, np.float64), np.array(demand.weights), worst)


def weighted_tail(values: FLOAT, weights: FLOAT, worst: float) -> float:
    """As `tail_mean`, for any values (S,) with weights (S,) that add up to 1."""
    order = np.argsort(-values, kind="stable")
    left = np.maximum(0.0, worst - np.concatenate([[0.0], np.cumsum(weights[order])[:-1]]))
    part = np.minimum(weights[order], left)
    return float(part @ values[order] / part.sum())


def choose_days(block: CountBlock, begin_s: float, end_s: float, most: int) -> DayChoice:
    """The days that stand for all, by their counts in a period; see `representative_days`.

    Parameters
    ----------
    block : CountBlock
        Checked and repaired counts of all days.
    begin_s, end_s : float
        Period, local seconds after midnight. [s]
    most : int
        Days to choose at most.
    """
    inside = (block.begin_s < end_s) & (block.end_s > begin_s)
    if not inside.any():
        raise DemandError("days", f"no count lies in {begin_s:g} to {end_s:g} s; choose --begin and --end within them")
    return representative_days(block.veh[:, :, inside].transpose(1, 0, 2), [kind_of(day) for day in block.days], most)


def day_scenarios(
    demands: Sequence[Demand],
    choice: DayChoice,
    block: CountBlock,
    detectors: Sequence[Detector],
    begin_s: float,
    end_s: float,
) -> DemandScenarios:
    """Scenarios of the chosen days, with their weights and the spread of the days behind each.

    Parameters
    ----------
    demands : sequence of Demand
        Of the chosen days, in their order.
    choice : DayChoice
        Of `choose_days`, on the same block and period.

    Notes
    -----
    A movement spreads as the counts on the link it leaves (or enters the network on), detectors weighted by what they
    count; where there are none, as the median detector of that interval.
    """
    inside = np.flatnonzero((block.begin_s < end_s) & (block.end_s > begin_s))
    rows: dict[str, list[int]] = defaultdict(list)
    at = {name: n for n, name in enumerate(block.detectors)}
    for detector in detectors:
        if detector.id in at:
            rows[detector.link_id].append(at[detector.id])
    within = []
    for n, demand in enumerate(demands):
        counted = np.nan_to_num(block.veh[:, choice.days[n]][:, inside].astype(np.float64))
        relative = choice.within[n]
        usual = np.array([np.median(r[c > 0]) if (c > 0).any() else 0.0
                          for r, c in zip(relative.T, counted.T, strict=True)])  # fmt: skip
        of_link = {link: _of_link(relative[mine], counted[mine], usual) for link, mine in rows.items()}
        weight = _overlap(block.begin_s[inside], block.end_s[inside], demand.begin_s, demand.end_s)
        share = np.stack([weight @ of_link.get(pair[0] or pair[1], usual) for pair in demand.pairs])
        within.append(np.asarray(share * demand.veh))
    spread = any(w.any() for w in within)
    return DemandScenarios(tuple(demands), choice.weights, tuple(within) if spread else ())


def _of_link(relative: FLOAT, counted: FLOAT, usual: FLOAT) -> FLOAT:
    """Relative spread of a link by interval, (K,): of its detectors together, as if they went up and down together."""
    total = counted.sum(axis=0)
    return np.where(total > 0, (relative * counted).sum(axis=0) / np.where(total > 0, total, 1.0), usual)


def _overlap(begin_s: FLOAT, end_s: FLOAT, first_s: FLOAT, last_s: FLOAT) -> FLOAT:
    """Share of each of T intervals that lies in each of K others; rows add up to 1 where any does. (T, K)"""
    seconds = np.minimum(end_s[None, :], last_s[:, None]) - np.maximum(begin_s[None, :], first_s[:, None])
    seconds = np.maximum(0.0, seconds)
    total = seconds.sum(axis=1, keepdims=True)
    return np.asarray(seconds / np.where(total > 0, total, 1.0))

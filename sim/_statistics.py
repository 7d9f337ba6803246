"""Means over realizations with their standard errors, for many groups at once. R realizations, G groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.queues import PERCENTILE, LaneQueues

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Estimate(NamedTuple):
    """Values (G,) and their standard errors (G,); NaN where one realization tells nothing of the spread."""

    value: Floats
    se: Floats

    def at(self, group: int) -> tuple[float, float | None]:
        """Value and standard error of one group; None where the error is not known."""
        se = float(self.se[group])
        return float(self.value[group]), None if np.isnan(se) else se


def rows_of(estimates: Mapping[str, Estimate]) -> list[tuple[dict[str, Any], dict[str, float | None]]]:
    """For every group its values and their standard errors by name."""
    names = list(estimates)
    values = zip(*(estimates[name].value.tolist() for name in names), strict=True)
    errors = zip(*([None if np.isnan(se) else se for se in x.se.tolist()] for x in estimates.values()), strict=True)
    return [
        (dict(zip(names, v, strict=True)), dict(zip(names, e, strict=True)))
        for v, e in zip(values, errors, strict=True)
    ]


def mean_of(values: Floats, weights: Floats | None = None) -> Estimate:
    """Mean over realizations of values (R, G), by their weights (R,) that add up to 1; all alike by default."""
    n = len(values)
    w = np.full(n, 1 / n) if weights is None else weights
    mean = values.mean(axis=0) if weights is None else w @ values
    if n == 1:
        return Estimate(mean, np.full(values.shape[1], np.nan))
    with np.errstate(invalid="ignore"):
        # of equal weights the standard deviation over the root of n
        se = np.sqrt((w[:, None] ** 2 * (values - mean) ** 2).sum(axis=0) * n / (n - 1))
    return Estimate(mean, se)


def ratio_of(total: Floats, count: Floats, weights: Floats | None = None) -> Estimate:
    """Totals per count, both (R, G): all of the realizations together, by weight; 0 where nothing was counted.

    The standard error is that of a ratio estimator: of the residuals total − ratio · count.
    """
    n = len(total)
    w = np.full(n, 1 / n) if weights is None else weights
    counted = w @ count
    ratio = (w @ total) / np.where(counted > 0, counted, 1.0) * (counted > 0)
    if n == 1:
        return Estimate(ratio, np.full(total.shape[1], np.nan))
    spread = np.sqrt((w[:, None] ** 2 * (total - ratio * count) ** 2).sum(axis=0) * n / (n - 1))
    return Estimate(ratio, spread / np.where(counted > 0, counted, 1.0))


def by_group(values: Floats, group: Ints, n_group: int) -> Floats:
    """Sums of values (R, N) over the members of each group (N,), -1 for none; shape (R, n_group)."""
    mine = group >= 0
    return np.array([np.bincount(group[mine], weights=row[mine], minlength=n_group) for row in values])


class QueueEstimates(NamedTuple):
    """Of every lane: mean number that queues, and 95th percentile and maximum of the cycles' longest back of queue."""

    mean: Estimate
    p95: Estimate
    longest: Estimate


def queue_estimates(queues: Sequence[LaneQueues], weights: Floats | None = None) -> QueueEstimates:
    """Percentile and maximum over all cycles of all realizations; their errors from each realization's own.

    The mean goes by the weights of the realizations; percentile and maximum take every cycle alike.
    """
    edge = queues[0].edge
    n_lane = len(edge) - 1
    every = np.array([q.longest for q in queues])  # (R, cycles of all lanes)
    pooled = np.empty((2, n_lane))
    own = np.empty((2, len(queues), n_lane))
    n_cycle = np.diff(edge)
    for n in np.unique(n_cycle):  # lanes with as many cycles at once
        lanes = np.flatnonzero(n_cycle == n)
        cycles = every[:, edge[lanes][:, None] + np.arange(n)]  # (R, lanes, n)
        flat = cycles.transpose(1, 0, 2).reshape(len(lanes), -1)
        pooled[0, lanes], pooled[1, lanes] = np.percentile(flat, PERCENTILE, axis=1), flat.max(axis=1)
        own[0][:, lanes], own[1][:, lanes] = np.percentile(cycles, PERCENTILE, axis=2), cycles.max(axis=2)
    p95, longest = (Estimate(value, mean_of(each).se) for value, each in zip(pooled, own, strict=True))
    return QueueEstimates(mean_of(np.array([q.mean for q in queues]), weights), p95, longest)

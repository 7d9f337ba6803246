"""Tables for offset problems: by the cyclic-flow-profile filter, or measured in the queue simulation itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from network_data.plans import TimingPlan
from optimizer.offsets.tables import OffsetProblem, offset_problem
from sim import _tables as k
from sim.compile import TICKS
from sim.link_costs import LinkCosts
from sim.simulate import Simulator

SMOOTH_S = 3.0
"""Measured delays are averaged with those of nearby differences: standard deviation of their weights. [s]"""
RUNS_PER_SECOND = 2
"""Plans simulated per second of the cycle."""


def common_cycles(plan: TimingPlan) -> list[int]:
    """Whole cycles that two controllers or more run, the most common first. [s]"""
    counts = Counter(p.cycle_s for p in plan.controllers.values())
    return [round(c) for c, n in sorted(counts.items(), key=lambda x: (-x[1], x[0])) if n > 1 and c == round(c)]


def problem_of(
    costs: LinkCosts, *, allowed: Mapping[str, NDArray[np.bool_]] | None = None, beside: Iterable[str] = ()
) -> OffsetProblem:
    """The offset problem of some tables, over the controllers that they name and those `beside` them."""
    pairs = list(zip(costs.from_controller, costs.to_controller, strict=True))
    signals = sorted({*(name for pair in pairs for name in pair), *beside})
    held = {name: mask for name, mask in (allowed or {}).items() if name in signals}
    return offset_problem(costs.cycle_s, signals, pairs, costs.delay_s, allowed=held)


def simulated_costs(
    simulator: Simulator,
    plan: TimingPlan,
    links: LinkCosts,
    *,
    seed: int,
    runs: int | None = None,
    smooth_s: float = SMOOTH_S,
) -> LinkCosts:
    """Tables of the same links as measured in the queue simulation, other offsets drawn at random in each run.

    Unlike the filter's tables they hold spillback, gaps and random arrivals, as means over what all other offsets do.

    Parameters
    ----------
    plan : TimingPlan
        Cycles and splits.
    links : LinkCosts
        Which links, between which controllers; their tables are not looked at.
    runs : int, optional
        Plans to simulate, realizations in turn; default two per second of the cycle.
    smooth_s : float
        Standard deviation of the weights with which nearby differences count. [s]
    """
    n = links.cycle_s
    n_runs = RUNS_PER_SECOND * n if runs is None else runs
    names = sorted({*links.from_controller, *links.to_controller})
    index = {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(seed)
    offsets = rng.integers(0, n, (n_runs, len(names)))
    delay_s = np.zeros((n_runs, len(links.links)))
    of_lane = _rows_of_lanes(simulator, links.links)
    for i, row in enumerate(offsets):
        shifted = {c: replace(plan.controllers[c], offset_s=float(x)) for c, x in zip(names, row, strict=True)}
        drawn = TimingPlan(controllers={**plan.controllers, **shifted})
        _, record = simulator.record(drawn, i % simulator.n_realizations)
        rows = of_lane[record.column(k.LOG_LANE)]
        known = rows >= 0
        waited = record.column(k.LOG_DELAY)[known] / TICKS
        delay_s[i] = np.bincount(rows[known], weights=waited, minlength=len(links.links))
    starts = np.array([index[c] for c in links.from_controller], np.int64)
    ends = np.array([index[c] for c in links.to_controller], np.int64)
    differences = (offsets[:, ends] - offsets[:, starts]) % n
    return replace(links, delay_s=_smoothed(differences, delay_s, n, smooth_s))


def _rows_of_lanes(simulator: Simulator, links: tuple[str, ...]) -> NDArray[np.int64]:
    """For every lane the row of its link, -1 where it is not among them."""
    row = defaultdict(lambda: -1, {link: n for n, link in enumerate(links)})
    return np.array([row[link] for link in simulator.compiled.lane_link], np.int64)


def _smoothed(
    differences: NDArray[np.int64], delay_s: NDArray[np.float64], cycle_s: int, smooth_s: float
) -> NDArray[np.float64]:
    """Weighted means around the cycle (Nadaraya and Watson); shape (L, C). [veh·s]"""
    apart = np.arange(cycle_s)
    apart = np.minimum(apart, cycle_s - apart)
    weight = np.exp(-0.5 * (apart / smooth_s) ** 2)
    out = np.empty((delay_s.shape[1], cycle_s))
    for link in range(delay_s.shape[1]):
        sums = np.bincount(differences[:, link], weights=delay_s[:, link], minlength=cycle_s)
        counts = np.bincount(differences[:, link], minlength=cycle_s)
        shifted = (np.arange(cycle_s)[:, None] - np.arange(cycle_s)[None, :]) % cycle_s
        spread = weight[shifted]
        out[link] = (spread @ sums) / np.maximum(spread @ counts, 1e-12)
    return out

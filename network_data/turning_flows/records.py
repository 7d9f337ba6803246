"""What an estimate hands back: the demand with its fit to the counts, and answers to what one may ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.demand import Demand
from network_data.errors import DemandError
from network_data.turning_flows.advice import Advice, most_helpful
from network_data.turning_flows.agreement import Disagreement, disagreement
from network_data.turning_flows.totals import Problem, Totals

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFit:
    """How one detector's count compares with the estimate, over the period; NaN where it counted nothing."""

    detector: str
    counted_veh: float
    fitted_veh: float
    geh: float
    repaired: bool


@dataclass(frozen=True, eq=False)
class Estimate:
    """A day's demand with its fit to the counts, what was repaired and what must be known about it.

    `served` are the flows over the stop lines while the counts were taken; None where no queue held vehicles back: then
    they are the demand. `problem` and `totals` are what the period's flows rest on, for questions asked later.
    """

    demand: Demand
    fit: tuple[DetectorFit, ...]
    repaired: tuple[str, ...]
    notes: tuple[str, ...]
    served: Demand | None = None
    problem: Problem | None = None
    totals: Totals | None = None

    @cached_property
    def disagreement(self) -> Disagreement:
        """The smallest set of detectors whose removal makes the rest agree.

        Raises
        ------
        DemandError
            The estimate was not made by an estimator.
        """
        return disagreement(*self._rests_on)

    @cached_property
    def advice(self) -> tuple[Advice, ...]:
        """Approaches to signals without any loop, in the order in which loops there would narrow the ranges.

        Raises
        ------
        DemandError
            The estimate was not made by an estimator.
        """
        problem, totals = self._rests_on
        unknowns = problem.unknowns
        signalled = {m.pair for m in unknowns.network.movements.values() if m.controller_id is not None}
        pairs = [n for n, pair in enumerate(unknowns.turns_of_pair) if pair in signalled]
        j = np.flatnonzero(np.isin(unknowns.pair, pairs))
        sums = sparse.csr_matrix((np.ones(len(j)), (unknowns.pair[j], j)), shape=(problem.layout.n_pair, unknowns.n))
        looped = {d.link_id for d in problem.sensors.detectors}
        candidates = [link for link in dict.fromkeys(start for start, _ in signalled) if link not in looped]
        return most_helpful(problem.layout, totals, sums[pairs], sorted(candidates))

    @property
    def _rests_on(self) -> tuple[Problem, Totals]:
        if self.problem is None or self.totals is None:
            raise DemandError("estimate", "does not hold what it rests on; make it with Estimator.estimate")
        return self.problem, self.totals


def geh(counted_vph: FLOAT | float, fitted_vph: FLOAT | float) -> FLOAT:
    """GEH statistic of hourly flows: sqrt(2 (a - b)² / (a + b)), 0 where both are 0. [-]"""
    a, b = np.asarray(counted_vph, dtype=float), np.asarray(fitted_vph, dtype=float)
    return np.asarray(np.sqrt(2 * (a - b) ** 2 / np.maximum(a + b, 1e-9)))

"""Which missing detector would help most: how much narrower the ranges would be with loops on one more approach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.layout import Layout
from network_data.turning_flows.ranges import factor, highest_density
from network_data.turning_flows.sensors import USUAL_TRUST_SD
from network_data.turning_flows.totals import Totals, count_sd

FLOAT = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What stop-line loops on all lanes of a link would do to the mean width of the movements' ranges. [veh]"""

    link: str
    mean_width_veh: float
    with_it_veh: float

    @property
    def narrower(self) -> float:
        """By which share the ranges would be narrower. [-]"""
        return 1.0 - self.with_it_veh / self.mean_width_veh if self.mean_width_veh > 0 else 0.0


def most_helpful(
    layout: Layout, totals: Totals, sums: sparse.csr_matrix, candidates: Sequence[str]
) -> tuple[Advice, ...]:
    """Candidate links, the most helpful first.

    What a count would show need not be known: how much it narrows the ranges follows from the covariance alone.

    Parameters
    ----------
    sums : sparse matrix, shape (G, N)
        The flows whose ranges matter, as sums of the unknowns.
    candidates : sequence of str
        Links without loops.
    """
    n_more = len(totals.program.cost) - layout.unknowns.n
    wide = sparse.hstack([sums, sparse.csr_matrix((sums.shape[0], n_more))], format="csr")
    lu = factor(totals.program.information())
    seen = lu.solve(wide.T.toarray())  # (n, G) covariance of every unknown with every sum
    variance = np.asarray(wide.multiply(seen.T).sum(axis=1)).ravel()
    mean = sums @ totals.flow
    before = _mean_width(mean, variance)
    out = []
    for link in candidates:
        rows = _lane_rows(layout, link, len(totals.program.cost))
        if rows is None:
            continue
        veh = rows[:, : layout.unknowns.n] @ totals.flow
        noise = np.diag(count_sd(veh, np.full(len(veh), USUAL_TRUST_SD)) ** 2)
        with_sums = rows @ seen  # (lanes, G)
        among = rows @ lu.solve(rows.T.toarray())
        gain = (with_sums * np.linalg.solve(among + noise, with_sums)).sum(axis=0)
        after = _mean_width(mean, np.maximum(variance - gain, 0.0))
        out.append(Advice(link=link, mean_width_veh=before, with_it_veh=after))
    return tuple(sorted(out, key=lambda a: a.with_it_veh))


def _mean_width(mean: FLOAT, variance: FLOAT) -> float:
    low, high = highest_density(mean, np.sqrt(variance))
    return float(np.mean(high - low))


def _lane_rows(layout: Layout, link: str, n: int) -> sparse.csr_matrix | None:
    """What loops at the stop line of each lane would count; None for a link that no turn leaves."""
    unknowns = layout.unknowns
    lanes = [lane.index for lane in unknowns.network.links[link].lanes]
    turns = [own for lane in lanes if (own := unknowns.turns_of_lane.get((link, lane), ()))]
    if not turns:
        return None
    i = np.repeat(np.arange(len(turns)), [len(own) for own in turns])
    j = np.array([turn for own in turns for turn in own])
    return sparse.csr_matrix((np.ones(len(i)), (i, j)), shape=(len(turns), n))

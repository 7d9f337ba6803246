"""The second problem of the estimate: flows of each interval, around the period's pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.turning_flows.period import PeriodFlows, Problem, turn_rows
from network_data.turning_flows.solve import Rows, normal_equations, solve_pinned

FLOAT = NDArray[np.float64]
BALANCE_SD_VEH = 0.3
DRIFT = 0.15
"""How far an interval's flow strays from the period's pattern beyond chance, share of it. [-]"""


def interval_flows(problem: Problem, period: PeriodFlows, dispersion: float) -> FLOAT:
    """Flows of every unknown in every interval, shape (n, T). [veh]

    Intervals are solved in order of time: what is still on its way over a link at the end of one interval leaves the
    link in the next.
    """
    unknowns = problem.unknowns
    flow = np.zeros((unknowns.n, len(problem.begin_s)))
    for k in range(len(problem.begin_s)):
        rows = Rows(unknowns.n)
        usual = period.flow * period.pattern[k]
        _balance_rows(problem, rows, k, flow[:, k - 1] if k else None)
        turn_rows(problem, rows, slice(k, k + 1))
        for measure, trust in zip(problem.measures, period.trust, strict=True):
            if np.isfinite(measure.veh[k]):
                rows.add(measure.terms, measure.veh[k], _sd(measure.veh[k], measure.loose) / np.sqrt(trust))
        q, b = normal_equations(rows, np.asarray(rows.sd) ** -2.0)
        own = 1.0 / (0.05 + dispersion * usual + (DRIFT * usual) ** 2)
        flow[:, k] = solve_pinned(q + sparse.diags(own, format="csc"), b + own * usual)
    return flow


def _sd(veh: float, loose: float) -> float:
    """Standard error of one interval's count as the demand of that interval: queues carry vehicles over. [veh]"""
    return float(np.sqrt(1.0 + 0.2 * veh + (loose * veh) ** 2))


def _balance_rows(problem: Problem, rows: Rows, k: int, before: FLOAT | None) -> None:
    """Conservation on every link, with the travel time from its start to its end.

    In the first interval nothing is known of before; it is taken to be as the interval itself.
    """
    unknowns = problem.unknowns
    length_s = problem.end_s[k] - problem.begin_s[k]
    for link in unknowns.links:
        late = min(unknowns.travel_s[link] / length_s, 1.0) if before is not None else 0.0
        comes = [*unknowns.turns_in[link], unknowns.entry[link]]
        terms = dict.fromkeys(comes, 1.0 - late)
        for j in (*unknowns.turns_out[link], unknowns.exit[link]):
            terms[j] = terms.get(j, 0.0) - 1.0
        carried = late * float(sum(before[j] for j in comes)) if before is not None else 0.0
        rows.add(terms, -carried, BALANCE_SD_VEH)

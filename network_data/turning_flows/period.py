"""The first problem of the estimate: flows of the whole period, from counts, turning shares and usual entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.demand import Pair
from network_data.turning_flows.measures import Measure
from network_data.turning_flows.routes import RouteShares
from network_data.turning_flows.solve import TOLERANCE, Rows, normal_equations, solve_nonnegative, variances
from network_data.turning_flows.unknowns import Unknowns

FLOAT = NDArray[np.float64]
ROUNDS = 6
HUBER = 2.5
"""Residuals beyond so many standard errors pull no harder."""
BALANCE_SD_VEH = 0.05
COUNT_SD = 0.02
"""Systematic error of a loop, share of its count. [-]"""
SHARE_TRUST = 1.5
"""A prior turning share is worth as much as having seen so many vehicles turn. [veh]"""
LOCAL_SHARE = 0.7
LANE_SPLIT_SD = 0.5
MIN_THROUGH_VPH = 50.0
FLOOR_TRUST = 0.05
"""Weight of a served count against demand above it. [-]"""
LEAST_SPREAD = 0.05
RIDGE = 1e-8
ROUGH = 1e-3
GATE_SD = 1.0
"""Standard error of an unmeasured entry's prior, share of it. [-]"""
LANE_POWER, SPEED_POWER = 1.7, 2.0
GATE_FACTOR = 0.8
MIDWAY_VPH = 6.0
"""Mean flow that begins, or ends, on a link between junctions. [veh/h]"""
MIDWAY_SHARE = 0.01
MIDWAY_LENGTH_M = 100.0
MIDWAY_LEAST = 0.1
TURN_BACK_SHARE = 0.005
MIN_TURN_COVER = 0.5
"""Least share of a time that turning counts must cover to stand for it. [-]"""


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything both problems are built from."""

    unknowns: Unknowns
    begin_s: FLOAT
    end_s: FLOAT
    shares: FLOAT
    routes: RouteShares
    measures: list[Measure]
    turns: dict[Pair, tuple[FLOAT, FLOAT, FLOAT]]

    @property
    def hours(self) -> float:
        """Length of the period. [h]"""
        return float(self.end_s[-1] - self.begin_s[0]) / 3600


def count_sd(veh: FLOAT | float, loose: float) -> FLOAT:
    """Standard error of a count of vehicles in a period. [veh]"""
    veh = np.asarray(veh, dtype=float)
    return np.asarray(np.sqrt(2.0 + 0.05 * veh + (COUNT_SD * veh) ** 2 + (loose * veh) ** 2))


def _period_count(measure: Measure, pattern: FLOAT) -> float:
    """A measure's count over the whole period, gaps filled by the day's pattern; NaN if most is missing."""
    have = np.isfinite(measure.veh)
    covered = float(pattern[have].sum())
    return float(measure.veh[have].sum()) / covered if covered > 0.2 else np.nan


def day_pattern(problem: Problem) -> FLOAT:
    """Share of the period's traffic in each interval, over all loops and turns that are complete. [-]"""
    complete = [m.veh for m in problem.measures if np.isfinite(m.veh).all()]
    complete += [veh for veh, _, covered in problem.turns.values() if covered.min() > 1 - 1e-6]
    length_s = problem.end_s - problem.begin_s
    total = np.sum(complete, axis=0) + 1e-3 * length_s if complete else length_s
    return np.asarray(total / total.sum())


def gate_weight(unknowns: Unknowns, link_id: str) -> float:
    """How much traffic a link at the edge usually brings or takes, in units of a common one-lane street. [-]"""
    link = unknowns.network.links[link_id]
    n_lane = sum(lane.kind == "general" for lane in link.lanes) or 0.2
    return float(n_lane**LANE_POWER * (link.speed_mps / 13.9) ** SPEED_POWER)


def _gate_prior_veh(problem: Problem, counted: FLOAT) -> dict[str, float]:
    """What an unmeasured entry link usually brings, scaled by the flow of the links with complete counts."""
    unknowns = problem.unknowns
    flow = {
        m.name: v for m, v in zip(problem.measures, counted, strict=True) if m.name in unknowns.entry and np.isfinite(v)
    }
    weights = sum(gate_weight(unknowns, link) for link in flow)
    rate = sum(flow.values()) / weights if weights > 0 else 150.0 * problem.hours
    return {link: max(rate * gate_weight(unknowns, link) * GATE_FACTOR, 1.0) for link in unknowns.gates_in}


def _share_rows(problem: Problem, rows: Rows, flow: FLOAT, shares: FLOAT) -> None:
    """Turning shares and lane shares near their prior, as far as a few observed vehicles would."""
    unknowns = problem.unknowns
    for link, members in unknowns.turns_out.items():
        through = max(float(sum(flow[j] for j in members)) + flow[unknowns.exit[link]], MIN_THROUGH_VPH * problem.hours)
        pairs: dict[Pair, list[int]] = {}
        for j in members:
            pairs.setdefault((link, unknowns.turns[j][2]), []).append(j)
        for own in pairs.values():
            share = float(sum(shares[j] for j in own))
            if len(pairs) > 1:
                terms = {j: (1.0 if j in own else 0.0) - share for j in members}
                rows.add(terms, 0.0, through * np.sqrt(max(share * (1 - share), LEAST_SPREAD) / (SHARE_TRUST + 1)))
            for j in own if len(own) > 1 else ():
                part = shares[j] / share if share > 0 else 1 / len(own)
                terms = {k: (1.0 if k == j else 0.0) - part for k in own}
                rows.add(terms, 0.0, 1.0 + LANE_SPLIT_SD * max(float(sum(flow[k] for k in own)), 1.0))


def turn_rows(problem: Problem, rows: Rows, at: slice) -> None:
    """Turning counts given by the user, as measurements of their movements."""
    for pair, (veh, sd_veh, covered) in problem.turns.items():
        share = float(covered[at].mean())
        if share < MIN_TURN_COVER:
            continue
        sd = max(float(np.sqrt((sd_veh[at] ** 2).sum())), 0.1)
        rows.add(dict.fromkeys(members(problem.unknowns, pair), 1.0), float(veh[at].sum()) / share, sd / share)


def members(unknowns: Unknowns, pair: Pair) -> tuple[int, ...]:
    """The unknowns that make up a pair."""
    if not pair[0]:
        return (unknowns.entry[pair[1]],)
    if not pair[1]:
        return (unknowns.exit[pair[0]],)
    return unknowns.turns_of_pair[pair]


def _rare_cost(problem: Problem, flow: FLOAT) -> FLOAT:
    """Linear cost of what is rare, the inverse of its usual flow: trips that begin or end between junctions, and
    turning back at the edge of the network, where traffic leaves. [1/veh]
    """
    unknowns = problem.unknowns
    cost = np.zeros(unknowns.n)
    for link in unknowns.links:
        through = float(sum(flow[j] for j in unknowns.turns_out[link])) + flow[unknowns.exit[link]]
        room = float(np.clip(unknowns.network.links[link].length_m / MIDWAY_LENGTH_M, MIDWAY_LEAST, 1.0))
        usual = room * (MIDWAY_VPH * problem.hours + MIDWAY_SHARE * through)
        if link not in unknowns.gates_in:
            cost[unknowns.entry[link]] = 1.0 / usual
        if link not in unknowns.gates_out:
            cost[unknowns.exit[link]] = 1.0 / usual
        else:
            cost[list(unknowns.turns_out[link])] = 1.0 / (TURN_BACK_SHARE * through + 1.0)
    return cost


@dataclass(frozen=True, eq=False)
class PeriodFlows:
    """Flows of the whole period. [veh]"""

    flow: FLOAT  # (n,) of every unknown
    pattern: FLOAT  # (T,) share of the period's traffic in each interval [-]
    variance: FLOAT  # (G,) of each group of unknowns
    left: FLOAT  # (G,) share of the prior's variance that the counts leave [-]
    trust: FLOAT  # (measures,) weight each measure kept, 1 for a consistent one [-]


def period_flows(problem: Problem, groups: list[tuple[int, ...]]) -> PeriodFlows:
    """Solve for the whole period; standard errors for the sums of unknowns in `groups`.

    The standard errors of turning shares, the cost of midway entries and the weight of contradicted counts depend on
    the flows; a few rounds settle them.
    """
    unknowns = problem.unknowns
    pattern = day_pattern(problem)
    counted = np.array([_period_count(m, pattern) for m in problem.measures])
    used = np.flatnonzero(np.isfinite(counted))
    gates = _gate_prior_veh(problem, counted)
    flow = _first_guess(problem, gates, counted)
    floor = np.array([problem.measures[i].floor_only for i in used], dtype=bool)
    trust, share_trust = np.ones(len(used)), np.ones(0)
    for n in range(ROUNDS):
        shares = _shares(problem, flow)
        rows, n_share, n_prior, n_given = _rows(problem, flow, shares, counted, gates)
        weight = np.asarray(rows.sd) ** -2.0
        weight[n_given:] *= trust
        if len(share_trust):
            weight[n_share] *= share_trust
        q, b = normal_equations(rows, weight)
        cost = _rare_cost(problem, flow)
        # rounds before the last only set the weights of the next
        tolerance = TOLERANCE if n == ROUNDS - 1 else ROUGH
        flow = solve_nonnegative(q + RIDGE * sparse.identity(unknowns.n, format="csc"), b - cost, tolerance)
        residual = (rows.matrix() @ flow - np.asarray(rows.target)) / np.asarray(rows.sd)
        # first all pull, none harder than HUBER; once the rest has settled, what contradicts it lets go
        power = 1 if n < ROUNDS // 2 else 2
        trust = np.minimum(1.0, HUBER / np.maximum(np.abs(residual[n_given:]), 1e-9)) ** power
        trust[floor & (residual[n_given:] > 0)] *= FLOOR_TRUST
        share_trust = np.minimum(1.0, HUBER / np.maximum(np.abs(residual[n_share]), 1e-9))
    loose = sparse.diags(np.maximum(cost**2, RIDGE), format="csc")
    blind = np.where(np.arange(len(weight)) < n_prior, weight, 0.0)
    variance = variances(q + loose, groups)
    prior = variances(normal_equations(rows, blind)[0] + loose, groups)
    every = np.ones(len(counted))
    every[used] = trust
    return PeriodFlows(flow, pattern, variance, variance / np.maximum(prior, 1e-12), every)


def _first_guess(problem: Problem, gates: dict[str, float], counted: FLOAT) -> FLOAT:
    """Entries and exits as usual, or as counted, before anything is solved."""
    unknowns = problem.unknowns
    flow = np.zeros(unknowns.n)
    for link, usual in gates.items():
        flow[unknowns.entry[link]] = usual
    for link in unknowns.gates_out:
        flow[unknowns.exit[link]] = gate_weight(unknowns, link)
    for measure, veh in zip(problem.measures, counted, strict=True):
        if measure.name in unknowns.gates_in and np.isfinite(veh):
            flow[unknowns.entry[measure.name]] = veh
    assigned = _assigned(problem, flow)
    flow[: len(assigned)] = assigned
    return flow


def _assigned(problem: Problem, flow: FLOAT) -> FLOAT:
    """Trips between the entries and exits found so far, as flows of lane turns. [veh]"""
    unknowns = problem.unknowns
    entry_veh = np.array([flow[unknowns.entry[link]] for link in unknowns.links])
    exit_veh = np.array([flow[unknowns.exit[link]] for link in unknowns.links])
    assigned = problem.routes.assign(entry_veh, exit_veh)
    out = np.zeros(len(unknowns.turns))
    for own, veh in zip(unknowns.turns_of_pair.values(), assigned, strict=True):
        local = problem.shares[list(own)]
        out[list(own)] = veh * local / local.sum() if local.sum() > 0 else veh / len(local)
    return out


def _shares(problem: Problem, flow: FLOAT) -> FLOAT:
    """Prior turning shares: from the assigned trips, with a little of the junction's own. [-]"""
    shares = _assigned(problem, flow)
    for own in problem.unknowns.turns_out.values():
        j = list(own)
        total = shares[j].sum()
        own_part = LOCAL_SHARE * total + 1.0
        shares[j] = (shares[j] + own_part * problem.shares[j]) / (total + own_part)
    return shares


def _rows(
    problem: Problem, flow: FLOAT, shares: FLOAT, counted: FLOAT, gates: dict[str, float]
) -> tuple[Rows, slice, int, int]:
    """All equations; the number of those before turning counts, and before loop counts."""
    unknowns = problem.unknowns
    rows = Rows(unknowns.n)
    for link in unknowns.links:
        rows.add(unknowns.balance(link), 0.0, BALANCE_SD_VEH)
    n_first = len(rows.target)
    _share_rows(problem, rows, flow, shares)
    n_share = slice(n_first, len(rows.target))
    for link, usual in gates.items():
        rows.add({unknowns.entry[link]: 1.0}, usual, GATE_SD * usual)
    n_prior = len(rows.target)
    turn_rows(problem, rows, slice(None))
    n_given = len(rows.target)
    used = np.flatnonzero(np.isfinite(counted)).tolist()
    level: dict[str, float] = {}
    for i in used:
        level[problem.measures[i].name] = max(counted[i], level.get(problem.measures[i].name, 0.0))
    for i in used:
        terms = problem.measures[i].terms
        # by the flow, not by the loop's own count alone: one that misses vehicles is no better for it
        veh = max(level[problem.measures[i].name], float(sum(value * flow[j] for j, value in terms.items())))
        rows.add(terms, counted[i], float(count_sd(veh, problem.measures[i].loose)))
    return rows, n_share, n_prior, n_given

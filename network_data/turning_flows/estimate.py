"""Demand from counts: the turning flows that conserve vehicles over the network and fit what the loops counted.

Two least-squares problems with non-negative unknowns. The first finds the flows of the whole period (well conditioned):
counts pull with their counting error, robustly, so that a few faulty loops do not bend the rest; turning shares and
entries pull weakly towards what such streets usually carry; vehicles that begin or end between junctions cost a little.
The second finds each interval's flows around the period's pattern, with vehicles taking their travel time over links.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.counting.counts import CountTable
from network_data.demand import Demand, Pair, Support
from network_data.detectors import Detector
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.tables import capped
from network_data.turning_flows.dispersion import dispersion
from network_data.turning_flows.held import bring_forward, held_loops
from network_data.turning_flows.intervals import interval_flows
from network_data.turning_flows.measures import day_series, measures
from network_data.turning_flows.period import PeriodFlows, Problem, members, period_flows
from network_data.turning_flows.routes import RouteShares
from network_data.turning_flows.unknowns import Unknowns, prior_shares, unknowns_of
from network_data.turns import TurnTable, spread

FLOAT = NDArray[np.float64]
MAX_INTERVALS = 288
EXACT_SD_VEH = 0.05
TRACE_VEH = 0.05
LOOSE_UP_TO = 0.1
"""A lane's count measures its movement if its loop is so close to the stop line. [-]"""
IMPLIED_BELOW = 0.25
"""A flow is implied by counts if they leave so small a share of the prior's variance. [-]"""


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
    """A day's demand with its fit to the counts, what was repaired and what must be known about it."""

    demand: Demand
    fit: tuple[DetectorFit, ...]
    repaired: tuple[str, ...]
    notes: tuple[str, ...]


def geh(counted_vph: FLOAT | float, fitted_vph: FLOAT | float) -> FLOAT:
    """GEH statistic of hourly flows: sqrt(2 (a - b)² / (a + b)), 0 where both are 0. [-]"""
    a, b = np.asarray(counted_vph, dtype=float), np.asarray(fitted_vph, dtype=float)
    return np.asarray(np.sqrt(2 * (a - b) ** 2 / np.maximum(a + b, 1e-9)))


def _grid(begin_s: float, end_s: float, interval_s: float) -> tuple[FLOAT, FLOAT]:
    """Intervals of the demand: as long as those of the counts, the last one cut at the end."""
    if not end_s > begin_s:
        raise DemandError(
            "--begin/--end", f"the period is {begin_s:g} to {end_s:g} s; the end must come after the begin"
        )
    first = np.arange(begin_s, end_s - 1e-6, interval_s)
    return first, np.minimum(first + interval_s, end_s)


def estimate_demand(
    network: RoadNetwork,
    detectors: tuple[Detector, ...],
    counts: CountTable,
    begin_s: float,
    end_s: float,
    *,
    plan: TimingPlan | None,
    turns: TurnTable | None = None,
    label: str = "",
) -> Estimate:
    """Estimate the demand of one day's period from its counts, and from turning counts where there are some.

    Parameters
    ----------
    counts : CountTable
        Counts of one day.
    begin_s, end_s : float
        The period, local clock. [s]
    plan : TimingPlan, optional
        The plan in the field while these counts were taken.
    turns : TurnTable, optional
        Turning counts that stand beside the loops as measurements.
    """
    counted = day_series(counts)
    first_s, last_s = _grid(begin_s, end_s, counts.interval_s)
    unknowns = unknowns_of(network)
    within = (counted.end_s > begin_s) & (counted.begin_s < end_s)
    held = held_loops(network, detectors, counted, begin_s, end_s, plan)
    series, late_share = bring_forward(counted, held, begin_s, end_s)
    found = measures(unknowns, detectors, series, first_s, last_s, plan, held)
    if not any(np.isfinite(m.veh).any() for m in found):
        raise DemandError(
            "counts",
            f"no detector counted anything in {begin_s:g} to {end_s:g} s; choose --begin and --end within the counts",
        )
    given = spread(turns, first_s, last_s) if turns is not None else {}
    problem = Problem(unknowns, first_s, last_s, prior_shares(unknowns), RouteShares(unknowns, plan), found, given)
    pairs, groups = _pairs(unknowns)
    period = period_flows(problem, groups)
    clumping = dispersion(unknowns, detectors, counted, begin_s, end_s)
    flows = interval_flows(problem, period, clumping)
    demand = _demand(problem, period, flows, pairs, groups, clumping, label)
    notes = _notes(problem, demand, held, late_share, detectors)
    repaired = tuple(name for name, row in counted.row.items() if counted.repaired[row][within].any())
    return Estimate(demand, _fits(problem, flows, detectors, frozenset(repaired)), repaired, notes)


def _notes(
    problem: Problem, demand: Demand, held: frozenset[str], late_share: float, detectors: tuple[Detector, ...]
) -> tuple[str, ...]:
    """What a reader of the estimate must know."""
    notes = []
    if held:
        notes.append(
            f"queues stand on {len(held)} loops for most of the period ({', '.join(capped(sorted(held), 'of them'))}): "
            "their counts are served traffic, taken as the least that the demand can be"
        )
    if late_share > 0:
        notes.append(
            f"queues still stand at the end of the period: {100 * late_share:.0f} % more vehicles, "
            "counted until they had gone, are booked within it"
        )
    heard = {name for measure in problem.measures for name in measure.detectors}
    silent = [d.id for d in detectors if d.id not in heard]
    if silent:
        notes.append(f"{len(silent)} detectors say nothing about this period: {', '.join(capped(silent, 'of them'))}")
    signalled = {m.pair for m in problem.unknowns.network.movements.values() if m.controller_id is not None}
    blind = [pair for pair, support in zip(demand.pairs, demand.support, strict=True) if support == "prior"]
    blind = [pair for pair in blind if pair in signalled]
    if blind:
        notes.append(
            f"no count constrains {len(blind)} of {len(signalled)} signalled movements "
            "beyond what such streets usually carry"
        )
    return tuple(notes)


def demand_from_turns(network: RoadNetwork, turns: TurnTable, begin_s: float, end_s: float) -> Demand:
    """The demand that turning counts alone describe.

    Named pairs are taken as they are. Movements that no row names are filled so that vehicles are conserved on every
    link; where even that leaves them open, by what such streets usually carry.

    Raises
    ------
    DemandError
        No row lies in the period.
    """
    edges = np.unique(np.concatenate([[begin_s, end_s], turns.begin_s, turns.end_s]))
    edges = edges[(edges >= begin_s) & (edges <= end_s)]
    if not end_s > begin_s or not ((turns.end_s > begin_s) & (turns.begin_s < end_s)).any():
        raise DemandError(
            "--turns", f"has no row in {begin_s:g} to {end_s:g} s; choose --begin and --end within {_span(turns)}"
        )
    if len(edges) > MAX_INTERVALS:
        edges = np.append(np.arange(begin_s, end_s - 1e-6, 300.0), end_s)
    unknowns = unknowns_of(network)
    given = spread(turns, edges[:-1], edges[1:])
    exact = {pair: (veh, np.full_like(veh, EXACT_SD_VEH), covered) for pair, (veh, _, covered) in given.items()}
    problem = Problem(
        unknowns, edges[:-1], edges[1:], prior_shares(unknowns), RouteShares(unknowns, None), measures=[], turns=exact
    )
    pairs, groups = _pairs(unknowns)
    period = period_flows(problem, groups)
    flows = interval_flows(problem, period, 1.0)
    for pair, (veh, _, covered) in given.items():
        own = list(members(unknowns, pair))
        named = covered > 1 - 1e-6
        total = flows[own].sum(axis=0)
        share = np.where(total > 0, flows[own] / np.maximum(total, 1e-12), 1 / len(own))
        flows[own] = np.where(named, share * veh, flows[own])
    demand = _demand(problem, period, flows, pairs, groups, 1.0, "")
    sd_veh = demand.sd_veh.copy()
    for n, pair in enumerate(demand.pairs):
        if pair in given:
            sd_veh[n] = np.where(given[pair][2] > 1 - 1e-6, given[pair][1], sd_veh[n])
    return replace(demand, sd_veh=sd_veh)


def _span(turns: TurnTable) -> str:
    return f"{turns.begin_s.min():g} to {turns.end_s.max():g} s"


def _pairs(unknowns: Unknowns) -> tuple[list[Pair], list[tuple[int, ...]]]:
    """All pairs a demand can have, and the unknowns that make up each."""
    pairs: list[Pair] = list(unknowns.turns_of_pair)
    groups = list(unknowns.turns_of_pair.values())
    for link in unknowns.links:
        pairs += [("", link), (link, "")]
        groups += [(unknowns.entry[link],), (unknowns.exit[link],)]
    return pairs, groups


def _demand(
    problem: Problem,
    period: PeriodFlows,
    flows: FLOAT,
    pairs: list[Pair],
    groups: list[tuple[int, ...]],
    clumping: float,
    label: str,
) -> Demand:
    """Gather flows by pair; entries and exits between junctions appear where they are more than a trace."""
    unknowns = problem.unknowns
    veh = np.array([flows[list(group)].sum(axis=0) for group in groups])
    gates = {("", link) for link in unknowns.gates_in} | {(link, "") for link in unknowns.gates_out}
    keep = [n for n, pair in enumerate(pairs) if ("" not in pair) or pair in gates or veh[n].sum() > TRACE_VEH]
    chance = clumping * veh * 0.5 + 0.25
    share = veh / np.maximum(veh.sum(axis=1, keepdims=True), 1e-9)
    sd = np.sqrt(chance + period.variance[:, None] * share**2)
    alone = _measured_alone(problem)
    support = [_support(groups[n], alone, period.left[n]) for n in keep]
    return Demand(
        begin_s=problem.begin_s,
        end_s=problem.end_s,
        pairs=tuple(pairs[n] for n in keep),
        veh=veh[keep],
        sd_veh=sd[keep],
        support=tuple(support),
        dispersion=clumping,
        label=label,
    )


def _measured_alone(problem: Problem) -> set[int]:
    """Unknowns that some loop or turning count sees with nothing else beside them but trips that end there."""
    unknowns = problem.unknowns
    exits = set(unknowns.exit.values())
    out: set[int] = set()
    for measure in problem.measures:
        turns = [j for j in measure.terms if j not in exits]
        if np.isfinite(measure.veh).any() and measure.loose < LOOSE_UP_TO:
            pairs = {(unknowns.turns[j][0], unknowns.turns[j][2]) for j in turns}
            if len(pairs) == 1:
                out |= set(turns)
            if not turns:
                out |= set(measure.terms)
    for pair in problem.turns:
        out |= set(members(unknowns, pair))
    return out


def _support(group: tuple[int, ...], alone: set[int], left: float) -> Support:
    if set(group) <= alone:
        return "measured"
    return "implied" if left < IMPLIED_BELOW else "prior"


def _fits(
    problem: Problem, flows: FLOAT, detectors: tuple[Detector, ...], repaired: frozenset[str]
) -> tuple[DetectorFit, ...]:
    """Counted against estimated vehicles per loop over what it counted; per cross-section where lanes still mix."""
    hours = problem.hours
    out = {}
    for measure in problem.measures:
        have = np.isfinite(measure.veh)
        fitted = sum(value * flows[j] for j, value in measure.terms.items())[have].sum()
        counted = float(measure.veh[have].sum())
        for detector in measure.detectors:
            if detector not in out or (len(measure.detectors) == 1 and measure.loose < LOOSE_UP_TO):
                value = float(geh(counted / hours, fitted / hours))
                out[detector] = DetectorFit(
                    detector=detector,
                    counted_veh=counted,
                    fitted_veh=float(fitted),
                    geh=value,
                    repaired=detector in repaired,
                )
    return tuple(out[d.id] for d in detectors if d.id in out)

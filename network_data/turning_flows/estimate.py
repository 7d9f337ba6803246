"""Demand from counts: the turning flows that conserve vehicles over the network and fit what the loops counted.

Two programs with non-negative unknowns, both solved with OR-Tools' PDLP. The first finds the flows of the whole period:
counts pull with their counting error, robustly, so that a few faulty loops do not bend the rest; turning shares and
entries pull weakly towards what such streets usually carry; vehicles that begin or end between junctions cost a little.
The second finds every interval's flows under these totals, with what is on the links carried from one to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.counting.counts import CountTable
from network_data.demand import Demand, Pair, Support
from network_data.detectors import Detector
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.tables import capped
from network_data.turning_flows.course import interval_flows
from network_data.turning_flows.dispersion import dispersion
from network_data.turning_flows.held import bring_forward, held_loops
from network_data.turning_flows.layout import Layout
from network_data.turning_flows.local_ranges import local_variances
from network_data.turning_flows.mixing import lay_out_mixing
from network_data.turning_flows.ranges import highest_density, variances
from network_data.turning_flows.records import DetectorFit, Estimate, geh
from network_data.turning_flows.routes import RouteShares
from network_data.turning_flows.sensors import LOOSE_UP_TO, Readings, Sensors, lay_out, read, unread
from network_data.turning_flows.series import DaySeries, day_series
from network_data.turning_flows.standing import Standing, none_standing, queues_seen
from network_data.turning_flows.totals import EXACT_UP_TO, MOST_LINKS, Problem, Totals, members, period_totals
from network_data.turning_flows.unknowns import unknowns_of
from network_data.turning_flows.waits import waits_before_s
from network_data.turns import TurnTable, spread

__all__ = ["DetectorFit", "Estimate", "Estimator", "demand_from_turns", "estimate_demand", "geh"]

FLOAT = NDArray[np.float64]
MAX_INTERVALS = 288
EXACT_SD_VEH = 0.05
TRACE_VEH = 0.05
IMPLIED_BELOW = 0.25
"""A flow is implied by counts if they leave so small a share of the prior's variance. [-]"""
LEAST_GROWTH_VEH, GROWTH_SHARE = 1.0, 0.03
"""What may stand on a link at the end beyond that at the begin, unseen: so much, and of its room. [veh, -]"""


def _grid(begin_s: float, end_s: float, interval_s: float) -> tuple[FLOAT, FLOAT]:
    """Intervals of the demand: as long as those of the counts, the last one cut at the end."""
    if not end_s > begin_s:
        raise DemandError(
            "--begin/--end", f"the period is {begin_s:g} to {end_s:g} s; the end must come after the begin"
        )
    first = np.arange(begin_s, end_s - 1e-6, interval_s)
    return first, np.minimum(first + interval_s, end_s)


class Estimator:
    """Estimates for one network, its detectors and its plan: everything that does not change from count to count.

    Parameters
    ----------
    trust_sd : mapping, optional
        Systematic error of single detectors, as a share of their counts; 0.02 where not named. [-]
    n_thread : int
        Threads of the solver.
    """

    def __init__(
        self,
        network: RoadNetwork,
        detectors: tuple[Detector, ...],
        *,
        plan: TimingPlan | None,
        trust_sd: Mapping[str, float] | None = None,
        n_thread: int = 1,
    ) -> None:
        self.network, self.detectors, self.plan, self.n_thread = network, detectors, plan, n_thread
        self.trust_sd = trust_sd
        self._before: Totals | None = None
        self.layout = Layout(unknowns_of(network))
        self.routes = RouteShares(self.layout.unknowns, plan)

    @cached_property
    def sensors(self) -> Sensors:
        """The equations of all detectors."""
        before_s = waits_before_s(self.layout, self.plan)
        return lay_out(self.layout.unknowns, self.detectors, self.plan, self.trust_sd, before_s)

    def prepare(self) -> None:
        """Lay out now what would be laid out at the first estimate."""
        layout = self.layout
        _ = (
            self.sensors,
            self.sums,
            self._alone,
            self._signalled,
            layout.conservation,
            layout.local_shares,
            layout.gate_weight,
            layout.storage_veh,
        )
        layout.share_matrix(np.zeros(layout.n_pair))
        layout.lane_matrix(np.zeros(len(layout.unknowns.turns)))

    @cached_property
    def _signalled(self) -> frozenset[Pair]:
        return frozenset(m.pair for m in self.network.movements.values() if m.controller_id is not None)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs a demand can have: movements, entries, exits."""
        links = self.layout.unknowns.links
        return (
            *self.layout.unknowns.turns_of_pair,
            *(("", link) for link in links),
            *((link, "") for link in links),
        )

    @cached_property
    def sums(self) -> sparse.csr_matrix:
        """Sums of unknowns that make up each pair, (pairs, N)."""
        unknowns, n_pair, n_link = self.layout.unknowns, self.layout.n_pair, len(self.layout.unknowns.links)
        i = np.concatenate([unknowns.pair, n_pair + np.arange(2 * n_link)])
        return sparse.csr_matrix((np.ones(unknowns.n), (i, np.arange(unknowns.n))), shape=(len(self.pairs), unknowns.n))

    def problem(
        self,
        begin_s: FLOAT,
        end_s: FLOAT,
        readings: Readings,
        turns: dict[Pair, tuple[FLOAT, FLOAT, FLOAT]],
        growth_sd_veh: FLOAT | float,
        counted: DaySeries | None = None,
    ) -> Problem:
        """One problem of this network; the course of `counted` tells of turns as well."""
        growth = LEAST_GROWTH_VEH + GROWTH_SHARE * self.layout.storage_veh + growth_sd_veh
        mixing = None
        if counted is not None and len(self.layout.unknowns.links) <= MOST_LINKS:
            mixing = lay_out_mixing(self.layout.unknowns, self.sensors, counted, begin_s, end_s, self.plan)
        return Problem(
            self.layout,
            begin_s,
            end_s,
            self.routes,
            self.sensors,
            readings,
            turns,
            np.asarray(growth),
            self.n_thread,
            mixing,
        )

    def estimate(
        self, counts: CountTable, begin_s: float, end_s: float, *, turns: TurnTable | None = None, label: str = ""
    ) -> Estimate:
        """The demand of one day's period; see `estimate_demand`.

        Raises
        ------
        DemandError
            No detector counted anything in the period.
        """
        counted = day_series(counts)
        first_s, last_s = _grid(begin_s, end_s, counts.interval_s)
        held = held_loops(self.network, self.detectors, counted, begin_s, end_s, self.plan)
        series, late_share = bring_forward(counted, held, begin_s, end_s)
        readings = read(self.sensors, series, first_s, last_s, held)
        if not np.isfinite(readings.veh).any():
            raise DemandError(
                "counts",
                f"no detector counted anything in {begin_s:g} to {end_s:g} s; "
                "choose --begin and --end within the counts",
            )
        given = spread(turns, first_s, last_s) if turns is not None else {}
        clumping = dispersion(self.layout.unknowns, self.detectors, counted, begin_s, end_s)
        idle = none_standing(len(self.layout.unknowns.links), len(first_s))
        problem = self.problem(first_s, last_s, readings, given, 0.0, counted)
        totals, demand, flows = self._solved(problem, idle, clumping, label)
        demand = replace(demand, queued_links=frozenset(d.link_id for d in self.detectors if d.id in held))
        served = self._served(counted, first_s, last_s, given, clumping, label) if held else None
        within = (counted.end_s > begin_s) & (counted.begin_s < end_s)
        mended = np.asarray(counted.repaired[:, within].any(axis=1))
        repaired = tuple(name for name, row in counted.row.items() if mended[row])
        notes = self._notes(problem, totals, demand, held, late_share)
        fits = self._fits(problem, flows, frozenset(repaired))
        found = Estimate(demand, fits, repaired, notes, served, problem, totals)
        if len(self.layout.unknowns.links) > MOST_LINKS or not found.disagreement.detectors:
            return found
        return replace(found, notes=(*notes, found.disagreement.text))

    def prior(self, begin_s: float, end_s: float, *, level_of: Estimate | None = None) -> Demand:
        """What is known without any count: what such streets usually carry, with its ranges, as one interval.

        With `level_of` the entries' usual flows are those that an estimate took from its counts; nothing else of it is
        used.
        """
        first_s, last_s = np.array([begin_s]), np.array([end_s])
        n_equation = self.sensors.terms.shape[0]
        nothing = unread(n_equation, 1)
        problem = self.problem(first_s, last_s, nothing, {}, 0.0)
        known = level_of.totals.gates_veh if level_of is not None and level_of.totals is not None else None
        totals = period_totals(problem, usual_gates=known)
        return self._demand(problem, totals, totals.flow[:, None], 1.0, "prior alone")

    def sums_of(self, pairs: Sequence[Pair]) -> sparse.csr_matrix:
        """Sums of unknowns that make up some pairs, (len(pairs), N)."""
        number = {pair: n for n, pair in enumerate(self.pairs)}
        return self.sums[np.array([number[pair] for pair in pairs], dtype=np.int64)]

    def _served(
        self,
        counted: DaySeries,
        first_s: FLOAT,
        last_s: FLOAT,
        given: dict[Pair, tuple[FLOAT, FLOAT, FLOAT]],
        clumping: float,
        label: str,
    ) -> Demand:
        """Flows over the stop lines as they were, with the queues that the loops have seen kept on their links."""
        standing = queues_seen(self.layout, self.sensors, counted, first_s, last_s)
        readings = read(self.sensors, counted, first_s, last_s, frozenset(), shifted=False)
        problem = self.problem(first_s, last_s, readings, given, standing.growth_sd_veh, counted)
        return self._solved(problem, standing, clumping, label)[1]

    def _solved(
        self, problem: Problem, standing: Standing, clumping: float, label: str
    ) -> tuple[Totals, Demand, FLOAT]:
        large = len(self.layout.unknowns.links) > MOST_LINKS
        totals = period_totals(problem, before=self._before if large else None)
        if large:
            self._before = totals
        flows, _ = interval_flows(problem, totals, clumping, standing)
        return totals, self._demand(problem, totals, flows, clumping, label), flows

    def _demand(self, problem: Problem, totals: Totals, flows: FLOAT, clumping: float, label: str) -> Demand:
        """Gather flows by pair; entries and exits between junctions appear where they are more than a trace."""
        layout = self.layout
        veh = self.sums @ flows
        n_pair, n_link = layout.n_pair, len(layout.unknowns.links)
        keep = veh.sum(axis=1) > TRACE_VEH
        keep[:n_pair] = True
        keep[n_pair + layout.gates_in] = True
        keep[n_pair + n_link + layout.gates_out] = True
        chosen = np.flatnonzero(keep)
        variance, left = self.spread_of(problem, totals, chosen)
        kept = veh[chosen]
        chance = clumping * kept * 0.5 + 0.25
        share = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)
        sd = np.sqrt(chance + variance[:, None] * share**2)
        low, high = highest_density(kept, sd)
        total_low, total_high = highest_density(kept.sum(axis=1), np.sqrt(variance))
        return Demand(
            begin_s=problem.begin_s,
            end_s=problem.end_s,
            pairs=tuple(self.pairs[n] for n in chosen),
            veh=kept,
            sd_veh=sd,
            support=self._support(problem, chosen, left),
            dispersion=clumping,
            label=label,
            low_veh=low,
            high_veh=high,
            total_low_veh=total_low,
            total_high_veh=total_high,
        )

    def spread_of(self, problem: Problem, totals: Totals, chosen: NDArray[np.int64]) -> tuple[FLOAT, FLOAT]:
        """Variance of the totals of some pairs, and the share of the prior's variance that the counts leave."""
        if len(totals.program.cost) > EXACT_UP_TO:
            variance, prior = local_variances(problem, totals)
            return variance[chosen], (variance / np.maximum(prior, 1e-12))[chosen]
        n_more = len(totals.program.cost) - self.layout.unknowns.n
        sums = sparse.hstack([self.sums[chosen], sparse.csr_matrix((len(chosen), n_more))], format="csr")
        variance = variances(totals.program.information(), sums)
        blind = totals.program.weight.copy()
        blind[len(blind) - totals.n_seen :] = 0.0
        prior = variances(replace(totals.program, weight=blind).information(), sums)
        return variance, variance / np.maximum(prior, 1e-12)

    @cached_property
    def _alone(self) -> sparse.csr_matrix:
        """Which unknowns each equation sees with nothing beside them but trips that begin or end there, (E, N)."""
        unknowns, sensors, n_turn = self.layout.unknowns, self.sensors, len(self.layout.unknowns.turns)
        n_way = np.bincount(self.layout.pair_tail, minlength=len(unknowns.links))
        i: list[int] = []
        j: list[int] = []
        for e in np.flatnonzero(sensors.loose < LOOSE_UP_TO).tolist():
            link = sensors.name[e]
            own: list[int] = []
            if sensors.link[e] >= 0:  # all that passes the link
                if n_way[sensors.link[e]] == 1:
                    own += unknowns.turns_out[link]
                if not unknowns.turns_in[link]:
                    own.append(unknowns.entry[link])
                if not unknowns.turns_out[link]:
                    own.append(unknowns.exit[link])
            else:
                columns = sensors.terms.indices[sensors.terms.indptr[e] : sensors.terms.indptr[e + 1]].tolist()
                turns = [k for k in columns if k < n_turn]
                if len({int(unknowns.pair[k]) for k in turns}) == 1:
                    own += turns
            i += [e] * len(own)
            j += own
        return sparse.csr_matrix((np.ones(len(i)), (i, j)), shape=sensors.terms.shape)

    def _support(self, problem: Problem, chosen: NDArray[np.int64], left: FLOAT) -> tuple[Support, ...]:
        """What supports each pair: a count of its own, counts of others, or neither."""
        counted = np.isfinite(problem.readings.veh).any(axis=1).astype(float)
        missing = np.asarray(self._alone.T @ counted) < 0.5
        for pair in problem.turns:
            missing[list(members(problem.unknowns, pair))] = False
        measured = (self.sums[chosen] @ missing.astype(float)) < 0.5
        kinds: tuple[Support, ...] = ("measured", "implied", "prior")
        return tuple(kinds[k] for k in np.where(measured, 0, np.where(left < IMPLIED_BELOW, 1, 2)).tolist())

    def _notes(
        self, problem: Problem, totals: Totals, demand: Demand, held: frozenset[str], late_share: float
    ) -> tuple[str, ...]:
        """What a reader of the estimate must know."""
        notes = []
        if held:
            notes.append(
                f"queues stand on {len(held)} loops for most of the period "
                f"({', '.join(capped(sorted(held), 'of them'))}): their counts "
                "are served traffic, taken as the least that the demand can be"
            )
        if late_share > 0:
            notes.append(
                f"queues still stand at the end of the period: {100 * late_share:.0f} % more vehicles, "
                "counted until they had gone, are booked within it"
            )
        used = np.isfinite(totals.counted).astype(float)
        heard = np.asarray(problem.sensors.sums.T @ used) > 0
        silent: list[str] = []
        if not heard.all() or len(heard) < len(self.detectors):
            known = {d.id for d, hear in zip(problem.sensors.detectors, heard.tolist(), strict=True) if hear}
            silent = [d.id for d in self.detectors if d.id not in known]
        if silent:
            notes.append(
                f"{len(silent)} detectors say nothing about this period: {', '.join(capped(silent, 'of them'))}"
            )
        blind = [pair for pair, support in zip(demand.pairs, demand.support, strict=True) if support == "prior"]
        n_blind = len(self._signalled.intersection(blind))
        if n_blind:
            notes.append(
                f"no count constrains {n_blind} of {len(self._signalled)} signalled movements "
                "beyond what such streets usually carry"
            )
        return tuple(notes)

    def _fits(self, problem: Problem, flows: FLOAT, repaired: frozenset[str]) -> tuple[DetectorFit, ...]:
        """Counted against estimated vehicles per loop over what it counted; per cross-section where lanes still mix."""
        veh = problem.readings.veh
        have = np.isfinite(veh)
        fitted = np.where(have, problem.sensors.terms @ flows, 0.0).sum(axis=1)
        counted = np.where(have, veh, 0.0).sum(axis=1)
        score = geh(counted / problem.hours, fitted / problem.hours)
        # of the equations with a loop, the one it counts alone close to the stop line, else the first
        pick = problem.sensors.sums.tocoo()
        size = np.bincount(pick.row, minlength=len(counted))
        good = np.asarray(have.any(axis=1))[pick.row]
        alone = (size == 1) & (problem.sensors.loose < LOOSE_UP_TO)
        order = np.lexsort((pick.row, ~alone[pick.row], pick.col))
        order = order[good[order]]
        loop, first = np.unique(pick.col[order], return_index=True)
        detectors, e = problem.sensors.detectors, pick.row[order][first]
        names = [detectors[d].id for d in loop.tolist()]
        return tuple(
            DetectorFit(detector=name, counted_veh=seen, fitted_veh=mine, geh=off, repaired=name in repaired)
            for name, seen, mine, off in zip(
                names, counted[e].tolist(), fitted[e].tolist(), score[e].tolist(), strict=True
            )
        )


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

    Raises
    ------
    DemandError
        The period is empty, or no detector counted anything in it.
    """
    return Estimator(network, detectors, plan=plan).estimate(counts, begin_s, end_s, turns=turns, label=label)


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
    estimator = Estimator(network, (), plan=None)
    given = spread(turns, edges[:-1], edges[1:])
    exact = {pair: (veh, np.full_like(veh, EXACT_SD_VEH), covered) for pair, (veh, _, covered) in given.items()}
    nothing = unread(0, len(edges) - 1)
    problem = estimator.problem(edges[:-1], edges[1:], nothing, exact, 0.0)
    unknowns = estimator.layout.unknowns
    totals = period_totals(problem)
    flows, _ = interval_flows(problem, totals, 1.0, none_standing(len(unknowns.links), len(edges) - 1))
    for pair, (veh, _, covered) in given.items():
        own = list(members(unknowns, pair))
        named = covered > 1 - 1e-6
        total = flows[own].sum(axis=0)
        share = np.where(total > 0, flows[own] / np.maximum(total, 1e-12), 1 / len(own))
        flows[own] = np.where(named, share * veh, flows[own])
    demand = estimator._demand(problem, totals, flows, 1.0, "")
    sd_veh = demand.sd_veh.copy()
    for n, pair in enumerate(demand.pairs):
        if pair in given:
            sd_veh[n] = np.where(given[pair][2] > 1 - 1e-6, given[pair][1], sd_veh[n])
    low, high = highest_density(demand.veh, sd_veh)
    return replace(demand, sd_veh=sd_veh, low_veh=low, high_veh=high)


def _span(turns: TurnTable) -> str:
    return f"{turns.begin_s.min():g} to {turns.end_s.max():g} s"

"""Flows of a whole period: counts, turning shares and usual entries as weighted deviations under flow conservation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.demand import Pair
from network_data.turning_flows.layout import Layout
from network_data.turning_flows.mixing import Mixing
from network_data.turning_flows.program import Program, Rows, Solution, solve, stacked
from network_data.turning_flows.routes import RouteShares
from network_data.turning_flows.sensors import Readings, Sensors
from network_data.turning_flows.unknowns import Unknowns
from network_data.turning_flows.unused import unused_pull

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
ROUNDS = 6

HUBER = 2.5
"""Residuals beyond so many standard errors pull no harder."""
ROUGH, FINE, LARGE = 3e-4, 1e-5, 5e-3
"""Tolerances of the solver: rounds that only set weights, the last one, and networks of thousands of junctions. [-]"""
LARGE_ROUNDS = 2
SHARE_TRUST = 1.5
"""A prior turning share is worth as much as having seen so many vehicles turn. [veh]"""
LOCAL_SHARE = 0.7
LANE_SPLIT_SD = 0.5
MIN_THROUGH_VPH = 50.0
FLOOR_TRUST = 0.05
"""Weight of a served count against demand above it. [-]"""
LEAST_SPREAD = 0.15
"""Least variance of a share, of one looked at alone: the little-used turn may be the main one after all. [-]"""
GATE_SD = 1.0
"""Standard error of an unmeasured entry's prior, share of it. [-]"""
GATE_LANE_SD = 1.0
"""And beside it, share of what an entry of its number of lanes brings on average in that network. [-]"""
GATE_LEVEL_SD, BLIND_LEVEL_SD = 0.5, 1.0
"""Standard error of the level of all unmeasured entries together, share of it: with counts to tell, and without. [-]"""
GATE_FACTOR = 0.8
UNKNOWN_GATE_VPH = 100.0
"""What a common one-lane entry brings where none is counted (eight networks beside Bologna: 14 to 141). [veh/h]"""
SPREAD = 1.4
"""Stretches the standard errors of all that nobody measured, so that 90 % of ranges hold the truth: found on seven
networks with loops on parts of their approaches or on all (Cologne, Ingolstadt, grids; Bologna was left out). [-]"""
MIDWAY_VPH = 6.0
"""Mean flow that begins, or ends, on a link between junctions. [veh/h]"""
MIDWAY_SHARE = 0.01
MIDWAY_LENGTH_M = 100.0
MIDWAY_LEAST = 0.1
TURN_BACK_SHARE = 0.005
EXACT_UP_TO = 2500
"""On networks with more unknowns variances come from each junction's surroundings alone: wider, if anything."""
MIN_TURN_COVER = 0.5
"""Least share of a time that turning counts must cover to stand for it. [-]"""
MOST_FLOW_VPH = 20_000.0
MOST_LINKS = 2_000
"""On larger networks no trips are assigned: turning shares are those usual at each junction."""
TURNS_FAR = 30


@dataclass(frozen=True, eq=False)
class Problem:
    """All that an estimate is made from; T intervals."""

    layout: Layout
    begin_s: FLOAT
    end_s: FLOAT
    routes: RouteShares
    sensors: Sensors
    readings: Readings
    turns: dict[Pair, tuple[FLOAT, FLOAT, FLOAT]]
    content_sd_veh: FLOAT  # (L,) how much more may stand on a link at the end than at the begin
    n_thread: int = 1
    mixing: Mixing | None = None

    @property
    def unknowns(self) -> Unknowns:
        """What is to be found."""
        return self.layout.unknowns

    @property
    def hours(self) -> float:
        """Length of the period. [h]"""
        return float(self.end_s[-1] - self.begin_s[0]) / 3600


@dataclass(frozen=True, eq=False)
class Totals:
    """Flows of the whole period and what they rest on."""

    flow: FLOAT  # (N,) [veh]
    pattern: FLOAT  # (T,) share of the period's traffic in each interval [-]
    shares: FLOAT  # (J,) prior share of each lane turn in its link's traffic [-]
    gates_veh: FLOAT  # (L,) what each entry usually brings, 0 elsewhere
    trust: FLOAT  # (E,) weight each equation kept, 1 for a consistent one [-]
    share_trust: FLOAT  # (S,) same for the shares
    counted: FLOAT  # (E,) over the period, NaN where too little
    program: Program
    spread: float
    solution: Solution
    n_seen: int  # so many equations at the end of the program come from loops


def period_counts(veh: FLOAT, pattern: FLOAT) -> FLOAT:
    """Counts over the whole period, gaps filled by the day's pattern; NaN where most is missing."""
    have = np.isfinite(veh)
    covered = have @ pattern
    total = np.where(have, veh, 0.0).sum(axis=1)
    return np.where(covered > 0.2, total / np.maximum(covered, 0.2), np.nan)


def day_pattern(problem: Problem) -> FLOAT:
    """Share of the period's traffic in each interval, over all loops and turns that are complete. [-]"""
    length_s = problem.end_s - problem.begin_s
    veh = problem.readings.veh
    total = veh[np.isfinite(veh).all(axis=1)].sum(axis=0)
    for own, _, covered in problem.turns.values():
        total = total + own * (covered.min() > 1 - 1e-6)
    total = total + 1e-3 * length_s
    return np.asarray(total / total.sum())


def members(unknowns: Unknowns, pair: Pair) -> tuple[int, ...]:
    """The unknowns that make up a pair."""
    if not pair[0]:
        return (unknowns.entry[pair[1]],)
    if not pair[1]:
        return (unknowns.exit[pair[0]],)
    return unknowns.turns_of_pair[pair]


def count_sd(veh: FLOAT, loose: FLOAT) -> FLOAT:
    """Standard error of a count of vehicles in a period. [veh]"""
    return np.asarray(np.sqrt(2.0 + 0.05 * veh + (loose * veh) ** 2))


def period_totals(
    problem: Problem, spread: float = SPREAD, usual_gates: FLOAT | None = None, before: Totals | None = None
) -> Totals:
    """Solve for the whole period. `spread` stretches the standard errors of all that nobody measured.

    `usual_gates`, (L,), states what entries usually bring where it shall not follow from the counts. [veh] `before` are
    the totals of an interval ago on a large network: weights start from there, and one round will do; a loop that goes
    wrong is then let go one interval later.

    The standard errors of shares, the cost of midway entries and the weight of contradicted counts depend on the flows;
    a few rounds settle them.
    """
    layout = problem.layout
    pattern = day_pattern(problem)
    counted = period_counts(problem.readings.veh, pattern)
    used = np.flatnonzero(np.isfinite(counted))
    gates = _usual_gates(problem, counted) if usual_gates is None else usual_gates
    large = len(layout.unknowns.links) > MOST_LINKS
    start: Solution | None = None
    if before is not None:
        flow, shares, trust, share_trust = before.flow, before.shares, before.trust.copy(), before.share_trust
        same = np.array_equal(np.isfinite(before.counted), np.isfinite(counted))
        start = before.solution if same else None
        n_round = 1
    else:
        flow = _first_guess(problem, gates, counted)
        trust, share_trust = np.ones(len(counted)), np.ones(len(layout.split_pairs))
        shares = _shares(problem, flow)
        n_round = LARGE_ROUNDS if large else ROUNDS
    unused: FLOAT | None = None
    course_trust = np.ones(len(problem.mixing.blur) if problem.mixing is not None else 0)
    for n in range(n_round):
        if n and not large:
            shares = _shares(problem, flow)
        parts, program = _program(
            problem, flow, shares, counted, gates, trust, share_trust, course_trust, spread, unused
        )
        tolerance = LARGE if large else FINE if n == n_round - 1 else ROUGH
        found = solve(program, tolerance, start, problem.n_thread)
        start, flow = found, found.x[: layout.unknowns.n]
        if n == n_round - 2 and len(program.cost) <= EXACT_UP_TO and len(used):
            unused = unused_pull(layout, program, flow, problem.hours)
        residual = (program.rows.matrix @ found.x - program.rows.target) / program.rows.sd
        of_shares, of_counts = slice(0, parts[0]), slice(len(residual) - len(used), None)
        # first all pull, none harder than HUBER; once the rest has settled, what contradicts it lets go
        power = 1 if n < n_round // 2 and before is None else 2
        pull = np.minimum(1.0, HUBER / np.maximum(np.abs(residual[of_counts]), 1e-9)) ** power
        pull[problem.readings.floor_only[used] & (residual[of_counts] > 0)] *= FLOOR_TRUST
        trust[used] = pull
        if problem.mixing is not None:
            course_trust = problem.mixing.trust(residual[of_counts.start - len(course_trust) : of_counts.start])
        share_trust = np.minimum(1.0, HUBER / np.maximum(np.abs(residual[of_shares]), 1e-9))
    n_seen = parts[-1] + parts[-2]
    return Totals(flow, pattern, shares, gates, trust, share_trust, counted, program, spread, found, n_seen)


def _usual_gates(problem: Problem, counted: FLOAT) -> FLOAT:
    """What each entry usually brings, (L,), scaled by the flow of the links with complete counts. [veh]"""
    layout = problem.layout
    whole = np.flatnonzero((problem.sensors.link >= 0) & np.isfinite(counted))
    link, last = np.unique(problem.sensors.link[whole][::-1], return_index=True)
    weight = float(layout.gate_weight[link].sum())
    level = float(counted[whole][::-1][last].sum())
    rate = level / weight if weight > 0 else UNKNOWN_GATE_VPH * problem.hours
    out = np.zeros(len(layout.unknowns.links))
    out[layout.gates_in] = np.maximum(rate * layout.gate_weight[layout.gates_in] * GATE_FACTOR, 1.0)
    return out


def _first_guess(problem: Problem, gates: FLOAT, counted: FLOAT) -> FLOAT:
    """Entries and exits as usual, or as counted, and trips between them, before anything is solved."""
    layout, link = problem.layout, problem.sensors.link
    flow = np.zeros(layout.unknowns.n)
    entry = gates.copy()
    known = np.flatnonzero((link >= 0) & np.isfinite(counted))
    known = known[gates[link[known]] > 0]
    entry[link[known]] = counted[known]
    flow[layout.entry] = entry
    flow[layout.exit][layout.gates_out] = layout.gate_weight[layout.gates_out]
    flow[: len(layout.unknowns.turns)] = _assigned(problem, flow)
    return flow


def _assigned(problem: Problem, flow: FLOAT) -> FLOAT:
    """Trips between the entries and exits found so far, as flows of lane turns, (J,). [veh]"""
    layout, unknowns = problem.layout, problem.unknowns
    if len(unknowns.links) > MOST_LINKS:
        return local_flows(layout, flow[layout.entry])
    by_pair = problem.routes.assign(flow[layout.entry], flow[layout.exit])
    local = layout.local_shares
    total = np.bincount(unknowns.pair, local, minlength=layout.n_pair)
    return np.asarray(by_pair[unknowns.pair] * local / np.maximum(total, 1e-12)[unknowns.pair])


def local_flows(layout: Layout, entry_veh: FLOAT) -> FLOAT:
    """Flows of lane turns, (J,), if vehicles turn at every junction as is usual there, for some junctions far. [veh]"""
    unknowns, share = layout.unknowns, layout.local_shares
    through = entry_veh.copy()
    for _ in range(TURNS_FAR):
        through = entry_veh + np.bincount(unknowns.head, through[unknowns.tail] * share, minlength=len(through))
    return np.asarray(through[unknowns.tail] * share)


def _shares(problem: Problem, flow: FLOAT) -> FLOAT:
    """Prior turning shares, (J,): from the assigned trips, with a good part of the junction's own. [-]"""
    tail = problem.unknowns.tail
    assigned = _assigned(problem, flow)
    total = np.bincount(tail, assigned, minlength=len(problem.unknowns.links))
    own = LOCAL_SHARE * total + 1.0
    return np.asarray((assigned + own[tail] * problem.layout.local_shares) / (total + own)[tail])


def _program(
    problem: Problem,
    flow: FLOAT,
    shares: FLOAT,
    counted: FLOAT,
    gates: FLOAT,
    trust: FLOAT,
    share_trust: FLOAT,
    course_trust: FLOAT,
    spread: float,
    unused: FLOAT | None,
) -> tuple[tuple[int, ...], Program]:
    """The program of one round, and how many equations it has of each kind; loop counts come last."""
    layout, n_link = problem.layout, len(problem.unknowns.links)
    parts = (
        share_rows(layout, flow, shares, MIN_THROUGH_VPH * problem.hours, spread),
        lane_rows(layout, flow, shares),
        gate_rows(layout, gates, spread),
        given_rows(problem),
        _mixing_rows(problem, flow),
        count_rows(problem, flow, counted),
    )
    level_sd = GATE_LEVEL_SD if np.isfinite(counted).any() else BLIND_LEVEL_SD
    # further unknowns: what stands on a link at the end beyond what stood there at the begin; level of the entries
    n_more = n_link + 1
    more = Rows(
        sparse.hstack([sparse.csr_matrix((n_more, layout.unknowns.n)), sparse.identity(n_more)], format="csr"),
        np.zeros(n_more),
        np.append(problem.content_sd_veh, level_sd),
    )
    wide = [_widened(part, n_more) for part in parts]
    wide[2] = _with_level(wide[2])
    weight = np.ones(sum(map(len, wide)) + n_more)
    weight[: len(share_trust)] = share_trust
    n_seen = len(parts[4]) + len(parts[5])
    weight[len(weight) - n_seen :] = np.concatenate([course_trust, trust[np.isfinite(counted)]])
    n = layout.unknowns.n
    program = Program(
        stacked([*wide[:4], more, *wide[4:]]),
        weight,
        sparse.hstack([layout.conservation, -sparse.identity(n_link), sparse.csr_matrix((n_link, 1))], format="csr"),
        np.concatenate([rare_cost(layout, flow, problem.hours) / spread, np.zeros(n_more)]),
        np.concatenate([np.zeros(n), np.full(n_more, -np.inf)]),
        np.concatenate([np.full(n, MOST_FLOW_VPH * problem.hours), np.full(n_more, np.inf)]),
        np.concatenate([np.maximum(flow, 5.0), np.maximum(problem.content_sd_veh, 0.1), [level_sd]]),
        unused,
    )
    return tuple(len(part) for part in parts), program


def _widened(rows: Rows, n_more: int) -> Rows:
    """The same equations with room for further unknowns."""
    matrix = rows.matrix
    return Rows(
        sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(len(rows), matrix.shape[1] + n_more)),
        rows.target,
        rows.sd,
    )


def _with_level(rows: Rows) -> Rows:
    """Entries rise and fall with the last unknown, the level of all of them."""
    usual = sparse.csr_matrix(-rows.target[:, None])
    return Rows(sparse.hstack([rows.matrix[:, :-1], usual], format="csr"), rows.target, rows.sd)


def share_rows(layout: Layout, flow: FLOAT, shares: FLOAT, least_veh: float, spread: float) -> Rows:
    """Turning shares near their prior, as far as a few observed vehicles would hold them there."""
    unknowns = layout.unknowns
    share: FLOAT = np.bincount(unknowns.pair, shares, minlength=layout.n_pair).astype(float)
    through = np.maximum(unknowns.goes @ flow, least_veh)[layout.pair_tail[layout.split_pairs]]
    own = share[layout.split_pairs]
    chance = through * np.maximum(own * (1 - own), 0.02)
    sd = np.sqrt((through * spread * share_sd(own)) ** 2 + chance)
    return Rows(layout.share_matrix(share), np.zeros(len(own)), sd)


def share_sd(share: FLOAT) -> FLOAT:
    """Standard error of a prior turning share. [-]"""
    return np.asarray(np.sqrt(np.maximum(share * (1 - share), LEAST_SPREAD) / (SHARE_TRUST + 1)))


def lane_rows(layout: Layout, flow: FLOAT, shares: FLOAT) -> Rows:
    """How a movement spreads over its lanes, loosely."""
    matrix, turn = layout.lane_matrix(shares)
    unknowns = layout.unknowns
    total = np.bincount(unknowns.pair, flow[: len(unknowns.turns)], minlength=layout.n_pair)[unknowns.pair[turn]]
    return Rows(matrix, np.zeros(len(turn)), 1.0 + LANE_SPLIT_SD * np.maximum(total, 1.0))


def gate_rows(layout: Layout, gates: FLOAT, spread: float) -> Rows:
    """Entries near what such streets usually bring."""
    n_gate, n = len(layout.gates_in), layout.unknowns.n
    j = layout.entry.start + layout.gates_in
    matrix = sparse.csr_matrix((np.ones(n_gate), (np.arange(n_gate), j)), shape=(n_gate, n))
    usual, n_lane = gates[layout.gates_in], layout.n_lane[layout.gates_in]
    # some narrow street is the main road after all: any lane may carry what lanes carry here
    per_lane = float(usual.sum() / max(n_lane.sum(), 1.0))
    sd = np.hypot(GATE_SD * usual, GATE_LANE_SD * per_lane * n_lane)
    return Rows(matrix, usual, spread * sd)


def given_rows(problem: Problem) -> Rows:
    """Turning counts given by the user, as measurements of their movements over the period."""
    i: list[int] = []
    j: list[int] = []
    target: list[float] = []
    sd: list[float] = []
    for pair, (veh, sd_veh, covered) in problem.turns.items():
        share = float(covered.mean())
        if share >= MIN_TURN_COVER:
            own = members(problem.unknowns, pair)
            i += [len(target)] * len(own)
            j += own
            target.append(float(veh.sum()) / share)
            sd.append(max(float(np.sqrt((sd_veh**2).sum())), 0.1) / share)
    matrix = sparse.csr_matrix((np.ones(len(i)), (i, j)), shape=(len(target), problem.unknowns.n))
    return Rows(matrix, np.array(target), np.array(sd))


def _mixing_rows(problem: Problem, flow: FLOAT) -> Rows:
    """What the course of counts tells; nothing where they have none."""
    if problem.mixing is not None:
        return problem.mixing.rows(flow)
    return Rows(sparse.csr_matrix((0, problem.unknowns.n)), np.zeros(0), np.zeros(0))


def count_rows(problem: Problem, flow: FLOAT, counted: FLOAT) -> Rows:
    """Loop counts of the period; those of a link by its flow, not by the loop's own count alone."""
    used = np.flatnonzero(np.isfinite(counted))
    matrix = problem.sensors.terms[used]
    # one that misses vehicles is no better for it: the most that any loop counted there
    most = np.zeros(int(problem.sensors.place.max(initial=-1)) + 1)
    np.maximum.at(most, problem.sensors.place[used], counted[used])
    veh = np.maximum(most[problem.sensors.place[used]], matrix @ flow)
    return Rows(matrix, counted[used], count_sd(veh, problem.readings.loose[used]))


def rare_cost(layout: Layout, flow: FLOAT, hours: float) -> FLOAT:
    """Linear cost of what is rare, the inverse of its usual flow: trips that begin or end between junctions, and
    turning back at the edge of the network, where traffic leaves. [1/veh]
    """
    unknowns = layout.unknowns
    through = unknowns.goes @ flow
    usual = np.clip(layout.length_m / MIDWAY_LENGTH_M, MIDWAY_LEAST, 1.0)
    usual = usual * (MIDWAY_VPH * hours + MIDWAY_SHARE * through)
    cost = np.zeros(unknowns.n)
    cost[layout.entry] = 1.0 / usual
    cost[layout.exit] = 1.0 / usual
    cost[layout.entry.start + layout.gates_in] = 0.0
    cost[layout.exit.start + layout.gates_out] = 0.0
    is_out = np.zeros(len(unknowns.links), dtype=bool)
    is_out[layout.gates_out] = True
    back = is_out[unknowns.tail]
    cost[: len(back)][back] = 1.0 / (TURN_BACK_SHARE * through[unknowns.tail][back] + 1.0)
    return cost

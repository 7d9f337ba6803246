"""What the course of counts tells of turns: behind a junction flow is a mixture of the courses of the lanes before it.

A lane that swells in one interval swells the streets its vehicles turn into, each by its share. Where stop-line counts
of the lanes and counts on the street behind them are there for several intervals, each interval says something of the
shares that the sums over the period cannot: two movements whose sums may be exchanged differ in their course. Shares
are taken as the same in all intervals but for chance, which is why chance is allowed so much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.plans import TimingPlan
from network_data.turning_flows.program import Rows
from network_data.turning_flows.sensors import Sensors
from network_data.turning_flows.series import DaySeries, booked
from network_data.turning_flows.unknowns import Unknowns
from network_data.turning_flows.waits import mean_waits_s

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
FEWEST_INTERVALS = 4
CROSSING_S = 3.0
"""From the stop line to the street behind the junction. [s]"""
BLUR_S, BLUR_SHARE = 5.0, 0.5
"""Vehicles of so many seconds, and of this share of the way between two loops, may fall on either side of a border."""
USUAL_MISFIT = 1.5
"""A street whose equations are off by more standard errors, on average, loses weight. [-]"""
LEAST_VEH = 10.0
"""Loops with fewer vehicles in the period have no course."""
CHANCE = 4.0
"""Variance of how many of a lane's vehicles turn in one interval, over that of drawing lots: trips to one place come in
clumps (streets of Bologna, Cologne and Ingolstadt: 0.7 to 3). [-]"""
EVENLY = 0.5
"""How far the noise of these equations is that of lanes whose vehicles turn evenly, whatever the estimate says: else an
estimate would grow sure of itself. [-]"""
UNSEEN_CLUMPING = 2.0
"""Variance over mean of a lane's flow in an interval where nothing counts it. [-]"""


@dataclass(frozen=True, eq=False)
class Mixing:
    """Equations `Σ turn · (its lane's course - the street's course) = 0`, one per street and interval.

    Entries of the matrix stand in `row`, `column`, `value`; `part` is the share of the turn's flow that falls in the
    interval, `seen` says whether loops count its lane. `blur` is the variance from the way between the loops. [veh²]
    """

    n_unknown: int
    row: INT
    column: INT
    value: FLOAT
    part: FLOAT
    seen: NDArray[np.bool_]
    blur: FLOAT  # (R,)
    street: INT  # (R,) number of the street
    lane: INT  # (J,) number of the lane of each turn

    def rows(self, flow: FLOAT) -> Rows:
        """The equations with their standard errors, as flows of turns now are."""
        turns = flow[: len(self.lane)]
        through = np.bincount(self.lane, turns)[self.lane]
        offers = np.bincount(self.lane)[self.lane]
        likely = flow.copy()
        likely[: len(turns)] = (1 - EVENLY) * turns + EVENLY * through / offers
        share = likely[: len(turns)] / np.maximum(through, 1e-9)
        share = np.concatenate([share, np.zeros(len(flow) - len(turns))])
        of_turn = np.where(self.seen, CHANCE * (1.0 - share)[self.column], UNSEEN_CLUMPING)
        chance = np.bincount(self.row, likely[self.column] * self.part * of_turn, minlength=len(self.blur))
        n = len(self.blur)
        matrix = sparse.csr_matrix((self.value, (self.row, self.column)), shape=(n, self.n_unknown))
        return Rows(matrix, np.zeros(n), np.sqrt(self.blur + chance))

    def trust(self, residual: FLOAT) -> FLOAT:
        """Weight of each equation, (R,), 1 where its street fits; `residual` in standard errors, (R,). [-]"""
        number = np.bincount(self.street)
        misfit = np.sqrt(np.bincount(self.street, residual**2) / np.maximum(number, 1))
        return np.asarray(np.minimum(1.0, USUAL_MISFIT / np.maximum(misfit, 1e-9)) ** 2)[self.street]


def lay_out_mixing(
    unknowns: Unknowns, sensors: Sensors, series: DaySeries, begin_s: FLOAT, end_s: FLOAT, plan: TimingPlan | None
) -> Mixing | None:
    """Gather the equations of all streets behind counted lanes; None where nothing has a course.

    Parameters
    ----------
    begin_s, end_s : ndarray, shape (T,)
        Intervals of the period. [s]
    """
    if len(begin_s) < FEWEST_INTERVALS:
        return None
    before = _lane_courses(unknowns, sensors, series, begin_s, end_s, plan)
    even = (end_s - begin_s) / (end_s - begin_s).sum()
    row: list[INT] = []
    column: list[INT] = []
    value: list[FLOAT] = []
    part: list[FLOAT] = []
    seen: list[NDArray[np.bool_]] = []
    blur: list[FLOAT] = []
    street: list[INT] = []
    n_row = 0
    for turns, veh, lag_s, wait_s in _streets(unknowns, sensors, series, begin_s, end_s):
        courses = [before.get(unknowns.turns[j][:2]) for j in turns]
        total = veh.sum()
        if total < LEAST_VEH or sum(x is not None for x in courses) == 0 or len(turns) < 2:
            continue
        own = veh / total
        n_t = len(veh)
        # what begins on the street has no course of its own
        entry = unknowns.entry[unknowns.turns[turns[0]][2]]
        for j, course in zip([*turns, entry], [*courses, even], strict=True):
            pattern = course if course is not None else own
            row.append(n_row + np.arange(n_t))
            column.append(np.full(n_t, j))
            value.append(pattern - own)
            part.append(pattern if course is not None else even)
            seen.append(np.full(n_t, course is not None and j != entry))
        rate_vps = veh / (end_s - begin_s)
        # a queue at red is anything up to what comes in two mean waits, at either border
        blur.append(0.5 + 2.0 * rate_vps * (BLUR_S + BLUR_SHARE * lag_s) + (2.0 * rate_vps * wait_s) ** 2 / 6)
        street.append(np.full(n_t, len(street)))
        n_row += n_t
    if not n_row:
        return None
    lanes = {lane: n for n, lane in enumerate(unknowns.turns_of_lane)}
    return Mixing(
        unknowns.n,
        np.concatenate(row),
        np.concatenate(column),
        np.concatenate(value),
        np.concatenate(part),
        np.concatenate(seen),
        np.concatenate(blur),
        np.concatenate(street),
        np.array([lanes[turn[:2]] for turn in unknowns.turns], dtype=np.int64),
    )


def _lane_courses(
    unknowns: Unknowns,
    sensors: Sensors,
    series: DaySeries,
    begin_s: FLOAT,
    end_s: FLOAT,
    plan: TimingPlan | None,
) -> dict[tuple[str, int], FLOAT]:
    """Share of each counted lane's vehicles that cross the stop line in each interval, (T,). [-]"""
    waits_s = mean_waits_s(unknowns, plan)
    lanes, rows, shift_s = [], [], []
    for detector in sorted(sensors.detectors, key=lambda d: d.kind != "stopbar"):
        lane = (detector.link_id, detector.lane)
        link = unknowns.network.links[detector.link_id]
        alone = sum(x.kind != "other" for x in link.lanes) == 1
        if detector.id not in series.row or lane not in unknowns.turns_of_lane:
            continue
        if detector.kind == "stopbar":
            shift_s.append(CROSSING_S)
        elif alone:
            ahead_m = link.lanes[detector.lane].length_m - detector.pos_m
            shift_s.append(CROSSING_S + ahead_m / link.speed_mps + waits_s.get(lane, 0.0))
        else:
            continue
        lanes.append(lane)
        rows.append(series.row[detector.id])
    out: dict[tuple[str, int], FLOAT] = {}
    if lanes:
        counted = booked(series, np.array(rows), np.array(shift_s), begin_s, end_s)
        for lane, veh in zip(lanes, counted, strict=True):
            if np.isfinite(veh).all() and veh.sum() >= LEAST_VEH:
                out.setdefault(lane, veh / veh.sum())
    return out


def _streets(
    unknowns: Unknowns, sensors: Sensors, series: DaySeries, begin_s: FLOAT, end_s: FLOAT
) -> list[tuple[list[int], FLOAT, float, float]]:
    """What comes onto streets with complete cross-sections: turns, vehicles by interval, way and wait before the loops.

    Loops just behind the junction come before those at the stop line. [s]
    """
    best: dict[int, tuple[list[int], FLOAT, float, float]] = {}
    for e in np.flatnonzero(sensors.link >= 0).tolist():
        link = int(sensors.link[e])
        veh, lag_s, wait_s = _counted(unknowns, sensors, series, e, begin_s, end_s)
        if np.isfinite(veh).all() and (link not in best or lag_s < best[link][2]):
            best[link] = (list(unknowns.turns_in[unknowns.links[link]]), veh, lag_s, wait_s)
    return list(best.values())


def _first_loop(sensors: Sensors, equation: int) -> int:
    return int(sensors.sums.indices[sensors.sums.indptr[equation]])


def _counted(
    unknowns: Unknowns, sensors: Sensors, series: DaySeries, equation: int, begin_s: FLOAT, end_s: FLOAT
) -> tuple[FLOAT, float, float]:
    """Vehicles of an equation as they came onto the link, by interval; how long ago, waits at red of that. [s]"""
    loops = sensors.sums.indices[sensors.sums.indptr[equation] : sensors.sums.indptr[equation + 1]]
    rows = np.array([series.row.get(sensors.detectors[d].id, -1) for d in loops])
    if (rows < 0).any():
        return np.full(len(begin_s), np.nan), 0.0, 0.0
    shift_s, wait_s = sensors.shift_s[loops].copy(), 0.0
    for n, d in enumerate(loops):
        if sensors.detectors[d].kind == "stopbar":
            wait_s = max(wait_s, -shift_s[n])
            shift_s[n] -= unknowns.travel_s[sensors.detectors[d].link_id]
    return booked(series, rows, shift_s, begin_s, end_s).sum(axis=0), float(-shift_s.mean()), float(wait_s)

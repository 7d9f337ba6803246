"""What each loop says about the unknowns: counts brought to the second at which vehicles would reach the stop line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from network_data.counting.counts import CountTable
from network_data.detectors import Detector
from network_data.plans import TimingPlan
from network_data.turning_flows.unknowns import Unknowns

FLOAT = NDArray[np.float64]
SAME_SECTION_M = 12.0
"""Loops of one link that lie this close together count one cross-section."""
SORTED_WITHIN_M = 20.0
"""So close to the stop line every vehicle is on the lane it leaves from."""
UNSORTED_BEYOND_M = 120.0
UNSORTED_SHARE = 0.5
"""Standard error of a lane's count as the count of what leaves the lane, far upstream, as a share of it. [-]"""
REPAIRED_SD = 0.2
"""Standard error of a repaired count, share of it. [-]"""
MIN_COVERED = 0.5
"""Least share of an interval that counts must cover to stand for it. [-]"""


@dataclass(frozen=True, eq=False)
class Measure:
    """One equation per interval: `terms` of the unknowns add up to `veh`.

    `loose` is a standard error beyond that of counting, as a share of the count [-]; `floor_only` marks served flow at
    a saturated stop line, which demand may exceed.
    """

    name: str
    detectors: tuple[str, ...]
    terms: dict[int, float]
    veh: FLOAT  # (T,), NaN where nothing was counted
    loose: float
    floor_only: bool = False


@dataclass(frozen=True, eq=False)
class DaySeries:
    """Counts of one day as a table, detectors by intervals of the counts."""

    begin_s: FLOAT  # (K,)
    end_s: FLOAT
    row: dict[str, int]
    veh: FLOAT  # (D, K)
    occupancy_pct: FLOAT  # (D, K)
    repaired: NDArray[np.bool_]  # (D, K)


def day_series(counts: CountTable) -> DaySeries:
    """Lay a day's counts out as detectors by intervals; negative numbers and gaps become NaN."""
    frame = counts.frame
    codes, detectors = frame["detector"].cat.codes.to_numpy(), frame["detector"].cat.categories
    interval_s = counts.interval_s
    begin_s = np.unique(np.round(frame["begin_s"].to_numpy(), 3))
    # rows of another length stand for themselves only if they fit the grid
    usual = np.isclose((frame["end_s"] - frame["begin_s"]).to_numpy(), interval_s, atol=0.5)
    k = np.searchsorted(begin_s, np.round(frame["begin_s"].to_numpy(), 3))
    veh = np.full((len(detectors), len(begin_s)), np.nan)
    occupancy_pct = veh.copy()
    value = frame["veh"].to_numpy()
    good = usual & (value >= 0) & (value <= np.maximum(interval_s, 1.0))
    veh[codes[good], k[good]] = value[good]
    occupancy_pct[codes[good], k[good]] = frame["occupancy_pct"].to_numpy()[good]
    repaired = np.zeros(veh.shape, dtype=bool)
    if "repaired" in frame.columns:
        repaired[codes[good], k[good]] = frame["repaired"].to_numpy(dtype=bool)[good]
    row = {name: i for i, name in enumerate(detectors)}
    return DaySeries(begin_s, begin_s + interval_s, row, veh, occupancy_pct, repaired)


def booked(series: DaySeries, row: int, shift_s: float, begin_s: FLOAT, end_s: FLOAT) -> FLOAT:
    """Counts of a loop in the intervals [begin_s, end_s) once every vehicle is booked `shift_s` later (or earlier).

    Missing intervals at most half as long as an interval of the grid are filled at the rate of the rest.
    """
    veh = series.veh[row]
    have = ~np.isnan(veh)
    if not have.any():
        return np.full(len(begin_s), np.nan)
    first, last = series.begin_s[have] + shift_s, series.end_s[have] + shift_s
    # the first and last count stand for the seconds that the shift leaves open beyond them
    if shift_s > 0:
        first = np.where(first == first.min(), first - shift_s, first)
    else:
        last = np.where(last == last.max(), last - shift_s, last)
    overlap_s = np.minimum(end_s[:, None], last) - np.maximum(begin_s[:, None], first)
    overlap_s = np.clip(overlap_s, 0.0, None)
    rate = veh[have] / (series.end_s[have] - series.begin_s[have])
    covered = overlap_s.sum(axis=1) / (end_s - begin_s)
    total = overlap_s @ rate
    return np.where(covered >= MIN_COVERED, total / np.maximum(covered, MIN_COVERED), np.nan)


def measures(
    unknowns: Unknowns,
    detectors: tuple[Detector, ...],
    series: DaySeries,
    begin_s: FLOAT,
    end_s: FLOAT,
    plan: TimingPlan | None,
    held: frozenset[str] = frozenset(),
) -> list[Measure]:
    """Equations from all counted loops: one per loop for its lane, and one per complete cross-section for its link."""
    by_link: dict[str, list[Detector]] = defaultdict(list)
    for detector in detectors:
        counted = detector.id in series.row and not np.isnan(series.veh[series.row[detector.id]]).all()
        if counted and detector.link_id in unknowns.entry:
            by_link[detector.link_id].append(detector)
    waits_s = _mean_waits_s(unknowns, plan)
    out: list[Measure] = []
    for link, loops in by_link.items():
        for section in cross_sections(loops):
            veh = {
                d.id: booked(series, series.row[d.id], _shift_s(unknowns, d, waits_s), begin_s, end_s) for d in section
            }
            rows = [series.row[d.id] for d in section]
            guessed = float(series.repaired[rows][:, _within(series, begin_s[0], end_s[-1])].mean())
            found = _section_measures(unknowns, link, section, veh)
            out += [replace(m, loose=float(np.hypot(m.loose, REPAIRED_SD * guessed))) for m in found]
    return [replace(m, floor_only=True) if held & set(m.detectors) else m for m in out]


def _within(series: DaySeries, begin_s: float, end_s: float) -> NDArray[np.bool_]:
    """Intervals of the counts that touch the period; all if none does."""
    touch = (series.end_s > begin_s) & (series.begin_s < end_s)
    return touch if touch.any() else ~touch


def cross_sections(loops: list[Detector]) -> list[list[Detector]]:
    """Loops of one link, grouped where they lie side by side; a second loop on a lane starts a section of its own."""
    out: list[list[Detector]] = []
    for loop in sorted(loops, key=lambda d: (d.pos_m, d.lane)):
        for section in out:
            near = abs(section[0].pos_m - loop.pos_m) <= SAME_SECTION_M and section[0].kind == loop.kind
            if near and loop.lane not in {d.lane for d in section}:
                section.append(loop)
                break
        else:
            out.append([loop])
    return out


def _shift_s(unknowns: Unknowns, detector: Detector, waits_s: dict[tuple[str, int], float]) -> float:
    """Seconds from the count to the moment the vehicle would reach the stop line in free flow."""
    lane = unknowns.network.links[detector.link_id].lanes[detector.lane]
    if detector.kind == "stopbar":
        return -waits_s.get((detector.link_id, detector.lane), 0.0)
    return max(lane.length_m - detector.pos_m, 0.0) / lane.speed_mps


def _mean_waits_s(unknowns: Unknowns, plan: TimingPlan | None) -> dict[tuple[str, int], float]:
    """Mean wait per lane when the flow is half of what the green serves (first term of Webster's formula). [s]"""
    waits: dict[tuple[str, int], list[float]] = defaultdict(list)
    for c in unknowns.network.connections if plan else ():
        program = plan.controllers.get(c.controller_id or "") if plan else None
        if program and c.link_index is not None and c.link_index < len(program.intervals[0].state):
            red_s = program.cycle_s - program.green_s(c.link_index)
            # uniform delay r² / (2 C (1 - y)), y a quarter: half the flow that half a cycle of green serves
            waits[c.from_link, c.from_lane].append(red_s**2 / (2 * program.cycle_s) / 0.75)
    return {lane: float(np.mean(values)) for lane, values in waits.items()}


def _section_measures(unknowns: Unknowns, link: str, section: list[Detector], veh: dict[str, FLOAT]) -> list[Measure]:
    lanes = {lane.index for lane in unknowns.network.links[link].lanes if lane.kind == "general"}
    if not lanes:
        lanes = {lane.index for lane in unknowns.network.links[link].lanes if lane.kind == "bus"}
    complete = lanes <= {d.lane for d in section}
    out = []
    if complete:
        total = np.sum([veh[d.id] for d in section], axis=0)
        ids = tuple(d.id for d in section)
        out.append(Measure(link, ids, unknowns.through(link), total, 0.0))
    for detector in section:
        lane = unknowns.network.links[link].lanes[detector.lane]
        loose = _unsorted_share(lane.length_m - detector.pos_m)
        turns = unknowns.turns_of_lane.get((link, detector.lane), ())
        if complete and (len(section) == 1 or loose >= UNSORTED_SHARE):
            continue
        if turns and loose < UNSORTED_SHARE:
            terms = {**dict.fromkeys(turns, 1.0), unknowns.exit[link]: 1.0 / max(len(lanes), 1)}
            out.append(Measure(f"{link}_{detector.lane}", (detector.id,), terms, veh[detector.id], loose))
        elif detector.lane in lanes:
            # lanes upstream carry alike, more or less
            terms = {j: value / len(lanes) for j, value in unknowns.through(link).items()}
            out.append(Measure(f"{link}_{detector.lane}", (detector.id,), terms, veh[detector.id], UNSORTED_SHARE))
    return out


def _unsorted_share(to_stop_line_m: float) -> float:
    reach = (to_stop_line_m - SORTED_WITHIN_M) / (UNSORTED_BEYOND_M - SORTED_WITHIN_M)
    return UNSORTED_SHARE * float(np.clip(reach, 0.0, 1.0))

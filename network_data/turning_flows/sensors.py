"""What each loop says about the unknowns, laid out once for a network and its detectors.

A complete cross-section counts all that passes it; a lane's loop counts what leaves its lane, the better the closer it
lies to the stop line. Loops at the upstream end count what comes onto the link, those at the stop line what leaves it,
those between something of both: what stands or rolls between the two is the link's content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from network_data.detectors import Detector
from network_data.plans import TimingPlan
from network_data.turning_flows.series import DaySeries, booked, cross_sections
from network_data.turning_flows.unknowns import Unknowns
from network_data.turning_flows.waits import mean_waits_s

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]
SORTED_WITHIN_M = 20.0
"""So close to the stop line every vehicle is on the lane it leaves from."""
UNSORTED_BEYOND_M = 120.0
UNSORTED_SHARE = 0.5
"""Standard error of a lane's count as the count of what leaves the lane, far upstream, as a share of it. [-]"""
LOOSE_UP_TO = 0.1
"""A lane's count measures its movement if its loop is so close to the stop line. [-]"""
REPAIRED_SD = 0.2
"""Standard error of a repaired count, share of it. [-]"""
USUAL_TRUST_SD = 0.02
"""Systematic error of a loop whose trust nobody stated, share of its count. [-]"""


@dataclass
class _Draft:
    """Equations while they are gathered: which loops add up, to which unknowns."""

    name: list[str] = field(default_factory=list)
    loops: list[list[int]] = field(default_factory=list)
    terms: list[Mapping[int, float]] = field(default_factory=list)
    loose: list[float] = field(default_factory=list)
    instead: list[int] = field(default_factory=list)

    def add(self, name: str, loops: list[int], terms: Mapping[int, float], loose: float, instead: int = -1) -> int:
        self.name.append(name)
        self.loops.append(loops)
        self.terms.append(terms)
        self.loose.append(loose)
        self.instead.append(instead)
        return len(self.name) - 1


@dataclass(frozen=True, eq=False)
class Sensors:
    """Equations `terms · unknowns = sums · counts`; D detectors, E equations.

    `loose` is a standard error beyond that of counting, as a share of the count; an equation with `instead` ≥ 0 stands
    in where that one has no count. `shift_s` brings counts to the second at which vehicles would reach the stop line in
    free flow on this link; on their way there they waited for `before_s`. `trust_sd` is the systematic error of each
    loop, share of its count.
    """

    detectors: tuple[Detector, ...]
    name: tuple[str, ...]  # the link of a complete cross-section, else link and lane
    place: INT  # (E,) number of that name
    link: INT  # (E,) number of the link of a complete cross-section, else -1
    sums: sparse.csr_matrix  # (E, D)
    terms: sparse.csr_matrix  # (E, N)
    loose: FLOAT  # (E,)
    instead: INT  # (E,)
    shift_s: FLOAT  # (D,)
    before_s: FLOAT  # (D,)
    trust_sd: FLOAT  # (D,)

    def loops_of(self, equation: int) -> tuple[str, ...]:
        """Names of the loops whose counts an equation adds up."""
        row = self.sums.indices[self.sums.indptr[equation] : self.sums.indptr[equation + 1]]
        return tuple(self.detectors[d].id for d in sorted(row))


@dataclass(frozen=True, eq=False)
class Readings:
    """Counts in the form of the equations, for T intervals."""

    veh: FLOAT  # (E, T), NaN where nothing was counted
    loose: FLOAT  # (E,) share of the count [-]
    floor_only: NDArray[np.bool_]  # (E,) served counts that demand may exceed


def lay_out(
    unknowns: Unknowns,
    detectors: tuple[Detector, ...],
    plan: TimingPlan | None,
    trust_sd: Mapping[str, float] | None = None,
    before_s: FLOAT | None = None,
) -> Sensors:
    """The equations of all detectors that lie on drivable links.

    Parameters
    ----------
    trust_sd : mapping, optional
        Systematic error by detector, as a share of its count; 0.02 where not named. [-]
    before_s : ndarray, shape (L,), optional
        What vehicles have waited at red lights on their way to each link. [s]
    """
    known = tuple(d for d in detectors if d.link_id in unknowns.entry)
    number = {d.id: i for i, d in enumerate(known)}
    by_link: dict[str, list[Detector]] = defaultdict(list)
    for detector in known:
        by_link[detector.link_id].append(detector)
    draft = _Draft()
    for link, loops in by_link.items():
        for section in cross_sections(loops):
            _section(unknowns, link, section, number, draft)
    waits_s = mean_waits_s(unknowns, plan)
    stated = trust_sd or {}
    return Sensors(
        detectors=known,
        name=tuple(draft.name),
        place=np.unique(np.array(draft.name, dtype=str), return_inverse=True)[1].astype(np.int64),
        link=np.array([unknowns.index.get(name, -1) for name in draft.name], dtype=np.int64),
        sums=_matrix([dict.fromkeys(loops, 1.0) for loops in draft.loops], len(known)),
        terms=_matrix(draft.terms, unknowns.n),
        loose=np.array(draft.loose),
        instead=np.array(draft.instead, dtype=np.int64),
        shift_s=np.array([_shift_s(unknowns, d, waits_s) for d in known]),
        before_s=np.zeros(len(known))
        if before_s is None
        else before_s[np.array([unknowns.index[d.link_id] for d in known], dtype=np.int64)],
        trust_sd=np.array([stated.get(d.id, USUAL_TRUST_SD) for d in known]),
    )


def _matrix(rows: list[Mapping[int, float]], n: int) -> sparse.csr_matrix:
    lengths = [len(row) for row in rows]
    j = np.fromiter((j for row in rows for j in row), dtype=np.int64, count=sum(lengths))
    value = np.fromiter((v for row in rows for v in row.values()), dtype=float, count=sum(lengths))
    i = np.repeat(np.arange(len(rows)), lengths)
    return sparse.csr_matrix((value, (i, j)), shape=(len(rows), n))


def _section(unknowns: Unknowns, link: str, section: list[Detector], number: Mapping[str, int], draft: _Draft) -> None:
    """Equations of loops side by side: their sum where every lane has one, and each lane for itself."""
    record = unknowns.network.links[link]
    lanes = {lane.index for lane in record.lanes if lane.kind == "general"}
    lanes = lanes or {lane.index for lane in record.lanes if lane.kind == "bus"}
    complete = lanes <= {d.lane for d in section}
    all_of_it = _passes(unknowns, link, section)
    whole = draft.add(link, [number[d.id] for d in section], all_of_it, 0.0) if complete else -1
    for detector in section:
        loose = _unsorted_share(record.lanes[detector.lane].length_m - detector.pos_m)
        turns = unknowns.turns_of_lane.get((link, detector.lane), ())
        name = f"{link}_{detector.lane}"
        if complete and len(section) == 1:
            continue
        if turns and loose < UNSORTED_SHARE and (link not in unknowns.gates_out or len(lanes) == 1):
            terms = {**dict.fromkeys(turns, 1.0), unknowns.exit[link]: 1.0 / max(len(lanes), 1)}
            draft.add(name, [number[detector.id]], terms, loose)
        elif detector.lane in lanes:
            # lanes upstream carry alike, more or less
            terms = {j: value / len(lanes) for j, value in all_of_it.items()}
            draft.add(name, [number[detector.id]], terms, UNSORTED_SHARE, whole)


def _passes(unknowns: Unknowns, link: str, section: list[Detector]) -> dict[int, float]:
    """Terms of all that passes a cross-section: what comes at the upstream end, what leaves at the stop line."""
    first = section[0]
    if first.kind == "stopbar":
        return unknowns.through(link)
    if first.kind == "advance":
        return unknowns.onto(link)
    late = float(np.clip(first.pos_m / unknowns.network.links[link].lanes[first.lane].length_m, 0.0, 1.0))
    terms = dict.fromkeys(unknowns.onto(link), 1.0 - late)
    for j in unknowns.through(link):
        terms[j] = terms.get(j, 0.0) + late
    return terms


def _unsorted_share(to_stop_line_m: float) -> float:
    reach = (to_stop_line_m - SORTED_WITHIN_M) / (UNSORTED_BEYOND_M - SORTED_WITHIN_M)
    return UNSORTED_SHARE * float(np.clip(reach, 0.0, 1.0))


def _shift_s(unknowns: Unknowns, detector: Detector, waits_s: dict[tuple[str, int], float]) -> float:
    """Seconds from the count to the moment the vehicle would come to the detector's end of the link in free flow."""
    lane = unknowns.network.links[detector.link_id].lanes[detector.lane]
    if detector.kind == "stopbar":
        return -waits_s.get((detector.link_id, detector.lane), 0.0)
    return -detector.pos_m / lane.speed_mps if detector.kind == "advance" else 0.0


def read(
    sensors: Sensors, series: DaySeries, begin_s: FLOAT, end_s: FLOAT, held: frozenset[str], *, shifted: bool = True
) -> Readings:
    """Counts of all equations in the intervals [begin_s, end_s).

    With `shifted`, vehicles are booked when they would come in free flow; else when the loop saw them.
    """
    rows = np.array([series.row.get(d.id, -1) for d in sensors.detectors], dtype=np.int64)
    there = rows >= 0
    veh = np.full((len(rows), len(begin_s)), np.nan)
    shift_s = (sensors.shift_s - sensors.before_s)[there] if shifted else np.zeros(int(there.sum()))
    veh[there] = booked(series, rows[there], shift_s, begin_s, end_s)
    within = (series.end_s > begin_s[0]) & (series.begin_s < end_s[-1])
    guessed = np.zeros(len(rows))
    if within.any() and there.any():
        guessed[there] = series.repaired[rows[there]][:, within].mean(axis=1)
    size = np.asarray(sensors.sums.sum(axis=1)).ravel()
    # a systematic error per loop: those of several average out in their sum
    trust = np.sqrt(sensors.sums @ sensors.trust_sd**2) / np.maximum(size, 1.0)
    doubt = REPAIRED_SD * (sensors.sums @ guessed) / np.maximum(size, 1.0)
    total = sensors.sums @ veh
    stand_in = sensors.instead >= 0
    total[stand_in] = np.where(np.isfinite(total[sensors.instead[stand_in]]), np.nan, total[stand_in])
    on_hold = np.array([d.id in held for d in sensors.detectors], dtype=float)
    return Readings(
        veh=total,
        loose=np.sqrt(sensors.loose**2 + trust**2 + doubt**2),
        floor_only=np.asarray(sensors.sums @ on_hold) > 0,
    )


def unread(n_equation: int, n_interval: int) -> Readings:
    """No count anywhere."""
    zero = np.zeros(n_equation)
    return Readings(np.full((n_equation, n_interval), np.nan), zero, np.zeros(n_equation, dtype=bool))

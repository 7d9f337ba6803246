"""Days on the Bologna networks that go up and down as real loops in Münster did, hour by hour, on real dates.

Every link on which cars enter one of the Bologna networks is given a loop of Münster by lot. On a day it carries what
the loop counted, scaled so that the loop's busiest hour of a mean working day becomes a given share of what the link
carries in Bologna's own hour. Hours are cut into quarters by a monotone curve through the running total. Each vehicle
takes the route of one that starts there in Bologna. So some streets are busy in the morning, some in the
evening, on Saturdays or never, as those in Münster are. Buses are left out: their timetable is that of one hour.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from benchmarks._count_stretches import muenster
from benchmarks.cases import Case, cases
from network_data.counting.block import CountBlock
from network_data.detectors import Detector
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.trips import CAR, Trips

Floats = NDArray[np.float64]
QUARTER_S, HOUR_S, DAY_S = 900.0, 3600.0, 86_400.0
SPACING_M = 6.5
LEAST_DAY_VEH = 1500.0
"""Loops with fewer vehicles on a mean working day are not used."""
LEAST_LIKENESS = 0.8
"""Correlation of each working day of a loop with the city's mean one; below it, it is taken to be out of order. [-]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class DayStreet:
    """A network with its programs, the routes of its cars by first link, and the loop that each first link follows."""

    name: str
    network: RoadNetwork
    field: TimingPlan
    routes: dict[int, list[NDArray[np.int32]]]
    links: tuple[str, ...]
    year: CountBlock
    loop_of: dict[int, int]
    peak_veh: dict[int, float]
    level: float

    def trips(self, day: date, *, seed: int) -> Trips:
        """The vehicles of a date, from 00:00 to 24:00; the last quarter hour of the night before as at its end."""
        rng = np.random.default_rng([seed, day.toordinal()])
        departs: list[Floats] = []
        routes: list[NDArray[np.int32]] = []
        for first, known in self.routes.items():
            mean = self.quarters(first, day)
            for q in range(-1, len(mean)):
                n = int(rng.poisson(mean[q]))
                departs.append(QUARTER_S * (q + rng.random(n)))
                routes += [known[i] for i in rng.integers(len(known), size=n)]
        depart = np.concatenate(departs)
        order = np.argsort(depart, kind="stable")
        routes = [routes[i] for i in order]
        n_veh = len(order)
        return Trips(
            links=self.links,
            depart_s=depart[order],
            route_start=np.cumsum([0, *map(len, routes)]),
            route_link=np.concatenate(routes) if routes else np.empty(0, np.int32),
            kind=np.full(n_veh, CAR, np.int8),
            length_m=np.full(n_veh, SPACING_M),
            dwell_s=np.empty(0),
        )

    def quarters(self, first: int, day: date) -> Floats:
        """Vehicles that enter on a link in each quarter of an hour of a date, (96,)."""
        counted = self.year.veh[self.loop_of[first], self.year.days.index(day)].astype(np.float64)
        scale = self.level * len(self.routes[first]) / self.peak_veh[first]
        total = np.concatenate([[0.0], np.cumsum(counted * scale)])
        curve = PchipInterpolator(np.arange(25.0), total)
        return np.asarray(np.diff(curve(np.arange(97) / 4)), np.float64)


def day_street(area: str, *, level: float, days: Sequence[date], seed: int = 0) -> DayStreet:
    """A Bologna area with loops of Münster given to its entries by lot; loops have counts on all of the days."""
    case = cases()[f"bologna_{area}"]
    network = read_sumo_net(case.network)
    trips = read_routes(case.routes, network, additional=case.additional)
    routes: dict[int, list[NDArray[np.int32]]] = {}
    for v in np.flatnonzero(trips.kind == CAR).tolist():
        way = trips.route_link[trips.route_start[v] : trips.route_start[v + 1]]
        routes.setdefault(int(way[0]), []).append(way)
    year = muenster()
    good = good_loops(year, days)
    rng = np.random.default_rng(seed)
    loop_of = {first: int(loop) for first, loop in zip(sorted(routes), rng.choice(good, len(routes)), strict=True)}
    working = [n for n, day in enumerate(year.days) if day is not None and day.weekday() < 5]
    mean = {loop: np.nanmean(year.veh[loop, working], axis=0) for loop in set(loop_of.values())}
    return DayStreet(
        name=f"{area} {level:.0%}",
        network=network,
        field=programs_in_force(case, network),
        routes=dict(sorted(routes.items())),
        links=trips.links,
        year=year,
        loop_of=loop_of,
        peak_veh={first: float(mean[loop].max()) for first, loop in loop_of.items()},
        level=level,
    )


def programs_in_force(case: Case, network: RoadNetwork) -> TimingPlan:
    """The programs of a case."""
    known: dict[str, ControllerPlan] = {c: x.programs[-1] for c, x in network.controllers.items() if x.programs}
    if case.field_plan is not None:
        known |= read_sumo_programs(case.field_plan)
    return TimingPlan(controllers={c: known[c] for c in network.controllers})


def good_loops(year: CountBlock, days: Sequence[date]) -> NDArray[np.int64]:
    """Loops of signals that counted in every hour of all these days, and enough on working days."""
    at = [year.days.index(day) for day in days]
    veh = year.veh[:, at].astype(np.float64)
    known = np.isfinite(veh).all(axis=(1, 2)) & (np.nan_to_num(veh) >= 0).all(axis=(1, 2))
    working = [n for n, day in zip(at, days, strict=True) if day.weekday() < 5]
    total = np.nansum(year.veh[:, working], axis=2)
    named = np.array([name.startswith("MQ_") for name in year.detectors])
    # a loop that changes its level twofold between days of one kind is out of order, not busy
    steady = total.max(axis=1) < 2 * np.maximum(1.0, total.min(axis=1))
    city = np.nansum(year.veh[named][:, working], axis=(0, 1))
    like = np.array([[_likeness(one, city) for one in loop] for loop in year.veh[:, working].astype(np.float64)])
    usual = like.min(axis=1) >= LEAST_LIKENESS
    return np.asarray(np.flatnonzero(known & named & steady & usual & (total.mean(axis=1) >= LEAST_DAY_VEH)), np.int64)


def _likeness(hours: Floats, city: Floats) -> float:
    if not np.isfinite(hours).all() or hours.std() == 0:
        return 0.0
    return float(np.corrcoef(hours, city)[0, 1])


def dates(first: date, n: int) -> list[date]:
    """So many days in a row."""
    return [first + timedelta(days=k) for k in range(n)]


def loops_everywhere(network: RoadNetwork) -> tuple[Detector, ...]:
    """A loop at the stop line of every lane for cars that leads to a signal."""
    approaches = sorted({link for links in network.approaches.values() for link in links})
    return tuple(
        Detector(id=f"{link}.{lane.index}", link_id=link, lane=lane.index, pos_m=round(max(0.1, lane.length_m - 2), 2),
                 kind="stopbar")
        for link in approaches
        for lane in network.links[link].lanes
        if lane.kind == "general"
    )  # fmt: skip


def counts_of(street: DayStreet, detectors: Sequence[Detector], trips: Trips, *, seed: int) -> NDArray[np.int64]:
    """What each loop counts in each quarter of a day, in free flow, lanes by lot among those that lead on; (D, 96)."""
    network, rng = street.network, np.random.default_rng(seed)
    row = {(d.link_id, d.lane): n for n, d in enumerate(detectors)}
    lanes: dict[tuple[str, str], list[int]] = {}
    for c in network.connections:
        if (c.from_link, c.from_lane) in row:
            lanes.setdefault((c.from_link, c.to_link), []).append(row[c.from_link, c.from_lane])
    time_s = np.array([network.links[link].length_m / network.links[link].speed_mps for link in trips.links])
    out = np.zeros((len(detectors), round(DAY_S / QUARTER_S)), np.int64)
    for v, depart_s in enumerate(trips.depart_s.tolist()):
        at_s = depart_s
        way = trips.route_link[trips.route_start[v] : trips.route_start[v + 1]].tolist()
        for here, there in pairwise(way):
            at_s += time_s[here]
            able = lanes.get((trips.links[here], trips.links[there]))
            if able and 0 <= at_s < DAY_S:
                out[able[int(rng.integers(len(able)))], int(at_s // QUARTER_S)] += 1
    return out


def write_counts(
    path: Path, street: DayStreet, detectors: Sequence[Detector], days: Sequence[date], *, seed: int
) -> None:
    """Counts of some days as the file that `its day` reads."""
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("detector,begin,end,veh\n")
        for day in days:
            counts = counts_of(street, detectors, street.trips(day, seed=seed), seed=seed)
            for n, detector in enumerate(detectors):
                for q, veh in enumerate(counts[n].tolist()):
                    begin, end = (_clock(day, QUARTER_S * (q + x)) for x in (0, 1))
                    stream.write(f"{detector.id},{begin},{end},{veh}\n")


def _clock(day: date, time_s: float) -> str:
    moved = day + timedelta(days=int(time_s // DAY_S))
    minutes = round(time_s % DAY_S / 60)
    return f"{moved.isoformat()}T{minutes // 60:02d}:{minutes % 60:02d}:00"


def write_detectors(path: Path, detectors: Sequence[Detector]) -> None:
    """Where the loops lie, as CSV."""
    rows = [f"{d.id},{d.link_id},{d.lane},{d.pos_m},{d.kind}" for d in detectors]
    path.write_text("\n".join(["detector,link,lane,pos_m,kind", *rows, ""]), encoding="utf-8")

"""Green bands of plans along a network's arterials, in whole seconds, and the offsets that make them widest.

MAXBAND designs a street; here the plan is given: cycle, splits and the order of stages are as they are, greens are
read from it, and CP-SAT sets the offsets of the street's signals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from ortools.sat.python import cp_model

from network_data.arterials import Arterial, Course, Stop, find_arterials
from network_data.errors import SettingsError
from network_data.network import RoadNetwork
from network_data.plans import GREEN, ControllerPlan, Interval, TimingPlan, Window
from optimizer.offsets.bands import Band, BandStop, band_s

MODEL = "green bands; cycle and splits fixed"


def streets_of(
    network: RoadNetwork, flows_vph: Mapping[str, float], named: Sequence[Sequence[str]]
) -> tuple[Arterial, ...]:
    """The arterials that the settings name, each cut to its first and last controller; all found where none is named.

    Parameters
    ----------
    flows_vph : mapping
        Movement id → flow. [veh/h]

    Raises
    ------
    SettingsError
        No street passes the controllers named; the text lists those there are.
    """
    found = find_arterials(network, flows_vph)
    if not named:
        return tuple(found)
    out, faults = [], []
    for wanted in named:
        known = set(wanted)
        passing = [one for one in found if known <= set(one.forth.controllers)]
        if not passing:
            streets = "; ".join(", ".join(one.forth.controllers) for one in found)
            faults.append(f"arterials: no street passes {', '.join(wanted)} one after the other; there are {streets}")
            continue
        forth, back = _cut(passing[0].forth, known), passing[0].back
        out.append(replace(passing[0], forth=forth, back=_cut(back, known) if back is not None else None))
    if faults:
        raise SettingsError("[bandwidth]", faults)
    return tuple(out)


def _cut(course: Course, known: set[str]) -> Course:
    """From the first to the last stop of the controllers named."""
    inside = [n for n, stop in enumerate(course.stops) if stop.controller_id in known]
    if len(inside) < 2:
        return course
    return Course(course.stops[inside[0] : inside[-1] + 1], course.legs[inside[0] : inside[-1]])


def courses_of(streets: Sequence[Arterial]) -> list[Course]:
    """Both directions of all streets."""
    return [course for street in streets for course in (street.forth, street.back) if course is not None]


def band_on(course: Course, plan: TimingPlan, least_s: int = 0) -> tuple[Band, int] | None:
    """The band of a direction as a constraint, and the cycle; None where its signals run different cycles.

    Each signal's green is the longest one of the straight movement's link indices; travel times are those at link
    speed, rounded as the report draws them.
    """
    programs = [plan.controllers.get(stop.controller_id) for stop in course.stops]
    known = [program for program in programs if program is not None]
    cycles = {program.cycle_s for program in known}
    if len(known) < len(programs) or len(cycles) != 1 or (cycle_s := cycles.pop()) != round(cycle_s):
        return None
    greens = [_green(program, stop) for program, stop in zip(known, course.stops, strict=True)]
    if any(green is None for green in greens):
        return None
    clock = [round(seconds) for seconds in course.clocks_s()]
    travel = tuple(b - a for a, b in pairwise(clock))
    return Band(tuple(green for green in greens if green is not None), travel, least_s), round(cycle_s)


def _green(program: ControllerPlan, stop: Stop) -> BandStop | None:
    """The longest green of the straight movement, in whole seconds inside it."""
    found = _longest_green(program.intervals, stop.link_indices)
    return None if found is None else BandStop(stop.controller_id, *found)


@lru_cache(maxsize=100_000)
def _longest_green(intervals: tuple[Interval, ...], indices: tuple[int, ...]) -> tuple[int, int] | None:
    """Begin and length of the longest green of any of some link indices. [s]"""
    program = ControllerPlan(controller_id="", program_id="", offset_s=0.0, intervals=intervals)
    runs = []
    for index in (i for i in indices if i < len(intervals[0].state)):
        windows = program.windows(index)
        if len(windows) == 1 and windows[0].letter in GREEN:
            return 0, round(program.cycle_s)
        runs += _joined(windows, program.cycle_s)
    if not runs:
        return None
    start, end = max(runs, key=lambda run: (run[1] - run[0], -run[0]))
    begin = math.ceil(start - 1e-9)
    return begin, max(0, math.floor(end + 1e-9) - begin)


def _joined(windows: Sequence[Window], cycle_s: float) -> list[tuple[float, float]]:
    """Greens of a link index, protected and permitted ones that touch as one; an end may exceed the cycle."""
    greens = sorted((w.start_s, w.end_s) for w in windows if w.letter in GREEN)
    out: list[tuple[float, float]] = []
    for start, end in greens:
        if out and abs(out[-1][1] - start) < 1e-9:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    if len(out) > 1 and abs(out[-1][1] - cycle_s - out[0][0]) < 1e-9:
        first = out.pop(0)
        out[-1] = (out[-1][0], first[1] + cycle_s)
    return out


@dataclass(frozen=True, slots=True)
class BandWidth:
    """The band of one direction: width and shortest green on the way [s]; 0 where the signals' cycles differ."""

    street: str
    direction: Literal["forth", "back"]
    width_s: int
    attainable_s: int
    cycle_s: int | None

    @property
    def efficiency(self) -> float:
        """Width as a share of the cycle. [-]"""
        return self.width_s / self.cycle_s if self.cycle_s else 0.0

    @property
    def attainability(self) -> float:
        """Width over the shortest green, which no band can exceed. [-]"""
        return self.width_s / self.attainable_s if self.attainable_s else 0.0


def widths(streets: Sequence[Arterial], plan: TimingPlan) -> list[BandWidth]:
    """The bands that a plan leaves on its streets."""
    out = []
    for street in streets:
        ends = f"{street.forth.controllers[0]} - {street.forth.controllers[-1]}"
        name = f"{street.name}: {ends}" if street.name else ends
        directions: list[tuple[Literal["forth", "back"], Course | None]] = [
            ("forth", street.forth), ("back", street.back),
        ]  # fmt: skip
        for direction, course in directions:
            if course is None:
                continue
            found = band_on(course, plan)
            if found is None:
                out.append(BandWidth(name, direction, 0, 0, None))
                continue
            band, cycle_s = found
            offsets = {s.signal: round(plan.controllers[s.signal].offset_s) for s in band.stops}
            width = band_s(band, offsets, cycle_s)
            out.append(BandWidth(name, direction, width, band.attainable_s, cycle_s))
    return out


def efficiency(streets: Sequence[Arterial], plan: TimingPlan) -> float:
    """Mean width of all bands as a share of the cycle. [-]"""
    found = widths(streets, plan)
    return sum(one.efficiency for one in found) / len(found) if found else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """Offsets of a street's signals with the widest bands, in whole seconds, and a bound on the weighted sum."""

    offsets_s: dict[str, int]
    widths_s: tuple[int, ...]
    value: float
    bound: float
    status: Literal["optimal", "feasible"]
    model: str = MODEL


def widest_bands(
    bands: Sequence[Band],
    cycle_s: int,
    *,
    weights: Sequence[int] | None = None,
    held_s: Mapping[str, int] | None = None,
    effort: float = 8.0,
    seed: int = 0,
) -> Waves | None:
    """Offsets with the largest weighted sum of bands, each at least as wide as it asks for; None where there are none.

    Parameters
    ----------
    bands : sequence of Band
        Directions of streets, signals in one cycle.
    weights : sequence of int, optional
        Of each band; default 1.
    held_s : mapping, optional
        Offsets of signals that have to stay. [s]
    effort : float
        Limit in CP-SAT's own deterministic time, about seconds.
    """
    model = cp_model.CpModel()
    names = list(dict.fromkeys(stop.signal for band in bands for stop in band.stops))
    offsets = {name: model.new_int_var(0, cycle_s - 1, name) for name in names}
    for name, offset_s in (held_s or {}).items():
        if name in offsets:
            model.add(offsets[name] == offset_s % cycle_s)
    if names and not (held_s or {}):
        model.add(offsets[names[0]] == 0)
    wide = [model.new_int_var(band.least_s, max(band.least_s, band.attainable_s), "band") for band in bands]
    for band, width in zip(bands, wide, strict=True):
        _passes(model, band, width, offsets, cycle_s)
    model.maximize(sum(w * width for w, width in zip(weights or [1] * len(wide), wide, strict=True)))
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = effort
    solver.parameters.random_seed = seed
    solver.parameters.num_workers = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return Waves(
        offsets_s={name: solver.value(offset) for name, offset in offsets.items()},
        widths_s=tuple(solver.value(width) for width in wide),
        value=solver.objective_value,
        bound=solver.best_objective_bound,
        status="optimal" if status == cp_model.OPTIMAL else "feasible",
    )


def _passes(model: cp_model.CpModel, band: Band, width: Any, offsets: Mapping[str, Any], cycle_s: int) -> None:
    """Whoever is in the band passes every stop line in green."""
    fronts = []
    for stop in band.stops:
        into = model.new_int_var(0, stop.green_s, "into the green")
        model.add(into + width <= stop.green_s)
        fronts.append(offsets[stop.signal] + stop.green_from_s + into)
    for here, there, travel_s in zip(fronts, fronts[1:], band.travel_s, strict=False):
        most = travel_s // cycle_s + 4
        model.add(there == here + travel_s + cycle_s * model.new_int_var(-most, most, "turns"))

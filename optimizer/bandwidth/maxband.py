"""MAXBAND and MULTIBAND as mixed-integer programs: the widest green bands along an arterial, both ways.

Cycle (within a range), speeds (within ranges), offsets and left-turn patterns are set together. Bands are shares of the
cycle inside the model: a band that is wide in seconds may be narrow as a share, so results tell both.

References
----------
J. D. C. Little, M. D. Kelson, N. H. Gartner, "MAXBAND: a program for setting signals on arteries and triangular
networks", Transportation Research Record 795, 1981.
N. H. Gartner, S. F. Assmann, F. Lasaga, D. L. Hou, "A multi-band approach to arterial traffic signal optimization",
Transportation Research B 25, 1991.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ortools.linear_solver import pywraplp

from network_data.errors import InfeasibleError
from optimizer.bandwidth.street import PATTERNS, Pattern, Street

MODEL = "MAXBAND; reds held fixed as shares of the cycle"
MULTIBAND_MODEL = "MULTIBAND; reds held fixed as shares of the cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class BandPlan:
    """Bands and what makes them. Shares are of the cycle. [-]

    `out`, `back`: width of the outbound and inbound band on each link (MAXBAND: the same on all). `offset_s`: centre of
    the outbound red of each signal, the first at 0; larger is later. `bound` is a proven bound on `objective`.
    """

    cycle_s: float
    out: tuple[float, ...]
    back: tuple[float, ...]
    offset_s: tuple[float, ...]
    travel_out_s: tuple[float, ...]
    travel_in_s: tuple[float, ...]
    patterns: tuple[Pattern | None, ...]
    objective: float
    bound: float
    status: Literal["optimal", "feasible"]
    model: str

    @property
    def band_s(self) -> tuple[float, float]:
        """The narrowest band of each direction. [s]"""
        return self.cycle_s * min(self.out), self.cycle_s * min(self.back)

    @property
    def efficiency(self) -> float:
        """Mean of both bands as a share of the cycle. [-]"""
        return (min(self.out) + min(self.back)) / 2

    def attainability(self, street: Street) -> float:
        """Both bands over the shortest greens, which no band can exceed. [-]"""
        greens = min(1 - s.red_out for s in street.signals) + min(1 - s.red_in for s in street.signals)
        return (min(self.out) + min(self.back)) / greens


class _Program:
    """What both models share: cycle, travel times, places in the greens, one whole number per link."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.solver = pywraplp.Solver.CreateSolver("SCIP")
        n, low_s, high_s = len(street.signals), *street.cycle_s
        self.per_cycle = self.solver.NumVar(1 / high_s, 1 / low_s, "cycles per second")
        self.place_out = [self.solver.NumVar(0, 1 - s.red_out, f"place out {i}") for i, s in enumerate(street.signals)]
        self.place_in = [self.solver.NumVar(0, 1 - s.red_in, f"place in {i}") for i, s in enumerate(street.signals)]
        self.travel_out = [self.solver.NumVar(0, self.solver.infinity(), f"travel out {i}") for i in range(n - 1)]
        self.travel_in = [self.solver.NumVar(0, self.solver.infinity(), f"travel in {i}") for i in range(n - 1)]
        self._add_patterns()
        self._speeds_are_in_range()
        self._slowness_changes_little()
        self._both_ways_meet_the_same_signals()

    def _add_patterns(self) -> None:
        """Which pattern each signal with left turns runs, and how far its red centres lie apart."""
        self.chosen: list[dict[Pattern, Any]] = []
        self.apart: list[Any] = []
        for i, s in enumerate(self.street.signals):
            if s.left_out == 0 and s.left_in == 0:
                self.chosen.append({})
                self.apart.append(s.red_apart)
                continue
            # Delta = ((2 delta - 1) left_out - (2 delta_in - 1) left_in) / 2; delta 0: the left turn leads
            taken = {p: self.solver.BoolVar(f"{p} at {i}") for p in PATTERNS if p in s.patterns}
            self.solver.Add(sum(taken.values()) == 1)
            signs = {"lead-lead": (-1, -1), "lag-lag": (1, 1), "lead-lag": (-1, 1), "lag-lead": (1, -1)}
            self.chosen.append(taken)
            self.apart.append(sum((signs[p][0] * s.left_out - signs[p][1] * s.left_in) / 2 * taken[p] for p in taken))

    def _speeds_are_in_range(self) -> None:
        for link, out, back in zip(self.street.links, self.travel_out, self.travel_in, strict=True):
            for metres, (slow, fast), travel in (
                (link.out_m, link.speed_out_mps, out),
                (link.in_m, link.speed_in_mps, back),
            ):
                self.solver.Add(travel >= metres / fast * self.per_cycle)
                self.solver.Add(travel <= metres / slow * self.per_cycle)

    def _slowness_changes_little(self) -> None:
        most = self.street.slowness_change_s_per_m
        if most is None:
            return
        for times, metres in (
            (self.travel_out, [link.out_m for link in self.street.links]),
            (self.travel_in, [link.in_m for link in self.street.links]),
        ):
            for i in range(len(times) - 1):
                change = times[i + 1] * (1 / metres[i + 1]) - times[i] * (1 / metres[i])
                self.solver.Add(change <= most * self.per_cycle)
                self.solver.Add(change >= -most * self.per_cycle)

    def _both_ways_meet_the_same_signals(self) -> None:
        """There and back between two signals takes a whole number of cycles, red centre to red centre."""
        signals, per_s = self.street.signals, 1 / self.street.cycle_s[0]
        for i, link in enumerate(self.street.links):
            a, b = signals[i], signals[i + 1]
            longest = (link.out_m / link.speed_out_mps[0] + link.in_m / link.speed_in_mps[0]) * per_s
            turns = self.solver.IntVar(-4, math.ceil(longest) + 4, f"turns {i}")
            self.solver.Add(
                self.place_out[i]
                + self.place_in[i]
                - self.place_out[i + 1]
                - self.place_in[i + 1]
                + self.travel_out[i]
                + self.travel_in[i]
                + self.apart[i]
                - self.apart[i + 1]
                == (b.red_out + b.red_in - a.red_out - a.red_in) / 2 + a.queue_in + b.queue_out + turns
            )

    def solve(self, out: list[Any], back: list[Any], objective: Any, *, time_limit_s: float, model: str) -> BandPlan:
        self.solver.Maximize(objective)
        self.solver.SetTimeLimit(round(1000 * time_limit_s))
        status = self.solver.Solve()
        if status not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
            raise InfeasibleError(
                "no offsets, speeds and cycle within their ranges fit the street's reds; widen the ranges"
            )
        street, cycle_s = self.street, 1 / self.per_cycle.solution_value()
        travel_out = [t.solution_value() for t in self.travel_out]
        centre = [0.0]
        for i, travel in enumerate(travel_out):
            a, b = street.signals[i], street.signals[i + 1]
            step = a.red_out / 2 + self.place_out[i].solution_value() + travel
            centre.append(centre[-1] + step - b.red_out / 2 - self.place_out[i + 1].solution_value() - b.queue_out)
        value = self.solver.Objective().Value()
        return BandPlan(
            cycle_s=cycle_s,
            out=tuple(max(0.0, band.solution_value()) for band in out),
            back=tuple(max(0.0, band.solution_value()) for band in back),
            offset_s=tuple(x % 1 * cycle_s for x in centre),
            travel_out_s=tuple(t * cycle_s for t in travel_out),
            travel_in_s=tuple(t.solution_value() * cycle_s for t in self.travel_in),
            patterns=tuple(
                next((p for p, taken in choice.items() if taken.solution_value() > 0.5), None) for choice in self.chosen
            ),
            objective=value,
            bound=max(value, self.solver.Objective().BestBound()),
            status="optimal" if status == pywraplp.Solver.OPTIMAL else "feasible",
            model=model,
        )


def maxband(street: Street, *, time_limit_s: float = 10.0) -> BandPlan:
    """The widest uniform bands: largest outbound band plus ratio times the inbound one.

    Raises
    ------
    InfeasibleError
        The ranges of speed and cycle contradict each other.
    """
    program = _Program(street)
    out, back = (program.solver.NumVar(0, 1, name) for name in ("band out", "band in"))
    k = street.ratio
    if k != 1:
        program.solver.Add((1 - k) * back >= (1 - k) * k * out)
    for place, red in zip(program.place_out, (s.red_out for s in street.signals), strict=True):
        program.solver.Add(place + out <= 1 - red)
    for place, red in zip(program.place_in, (s.red_in for s in street.signals), strict=True):
        program.solver.Add(place + back <= 1 - red)
    n = len(street.links)
    return program.solve([out] * n, [back] * n, out + k * back, time_limit_s=time_limit_s, model=MODEL)


def multiband(street: Street, *, power: float = 2.0, time_limit_s: float = 10.0) -> BandPlan:
    """A band of its own width on every link, wide where traffic is heavy: weights are load to the given power.

    Places in the greens are those of the bands' centre lines. The ratio holds on every link.

    Raises
    ------
    InfeasibleError
        The ranges of speed and cycle contradict each other.
    """
    program, solver, k = _Program(street), None, street.ratio
    solver = program.solver
    n = len(street.links)
    out = [solver.NumVar(0, 1, f"band out {i}") for i in range(n)]
    back = [solver.NumVar(0, 1, f"band in {i}") for i in range(n)]
    for i in range(n):
        if k != 1:
            solver.Add((1 - k) * back[i] >= (1 - k) * k * out[i])
        for at in (i, i + 1):
            signal = street.signals[at]
            for place, band, red in (
                (program.place_out[at], out[i], signal.red_out),
                (program.place_in[at], back[i], signal.red_in),
            ):
                solver.Add(place >= 0.5 * band)
                solver.Add(place + 0.5 * band <= 1 - red)
    weighted = sum(link.load_out**power * out[i] + link.load_in**power * back[i] for i, link in enumerate(street.links))
    return program.solve(out, back, weighted * (1 / n), time_limit_s=time_limit_s, model=MULTIBAND_MODEL)

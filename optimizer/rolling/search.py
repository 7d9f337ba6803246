"""The search of one decision: polygons propose for all signals at once, fresh runs of the queue simulation judge.

Runs under the running plan tell when vehicles come and what lanes lose; from these the polygons propose. Runs with
other vehicles, which the proposal has not seen, judge it district by district: a district takes its changes where they
save delay there, and all that was taken has to save delay in the whole network.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.candidate import Setting, plan_of
from optimizer.rolling.layout import INTS, StreetLayout
from optimizer.rolling.moves import Moves
from optimizer.rolling.near_future import NearFuture, Outcome, Vehicles
from optimizer.rolling.plan_book import PlanBook


@dataclass(eq=False)
class Work:
    """The budget of a decision in units of nominal CPU nanoseconds, and the clocks for emergencies."""

    units: float
    cpu_until_s: float
    """On the clock of time.thread_time(). [s]"""
    wall_until_s: float
    """On the clock of time.monotonic(). [s]"""
    used: float = 0.0
    late: bool = False

    def affords(self, units: float) -> bool:
        """Whether there is so much left; always False once a clock has run out."""
        if time.thread_time() >= self.cpu_until_s or time.monotonic() >= self.wall_until_s:
            self.late = True
        return not self.late and self.used + units <= self.units

    def spend(self, units: float) -> None:
        """Book work done."""
        self.used += units


@dataclass(eq=False)
class Search:
    """One decision in the making. `current` are the settings kept so far; the book holds the same."""

    layout: StreetLayout
    moves: Moves
    book: PlanBook
    future: NearFuture
    districts: INTS
    current: list[Setting]
    work: Work
    run_units: float = 0.0
    held: list[Vehicles] = field(default_factory=list)
    base: list[Outcome] = field(default_factory=list)
    candidates: int = 0
    n_runs: int = 0
    spent_s: float = 0.0
    """CPU time of runs that judged. [s]"""

    def run(self, vehicles: Vehicles) -> Outcome:
        """Run what the book holds."""
        self.n_runs += 1
        self.work.spend(self.run_units)
        began_s = time.thread_time()
        outcome = self.future.run(vehicles, self.book.arrays)
        self.spent_s += time.thread_time() - began_s
        return outcome

    def hold(self, vehicles: Vehicles) -> Outcome:
        """Add vehicles to judge by; what the plan so far does to them. The log of that run can be read afterwards."""
        outcome = self.run(vehicles)
        self.held.append(vehicles)
        self.base.append(outcome)
        return outcome

    def put(self, at: int, setting: Setting) -> None:
        """Let the book have a setting."""
        self.book.put(at, plan_of(self.moves.models[at], setting))

    @property
    def total(self) -> float:
        """Cost of the plan so far over all vehicles held. [s]"""
        return sum(outcome.total for outcome in self.base)

    @property
    def judge_units(self) -> float:
        """What judging one plan takes."""
        return self.run_units * len(self.held)

    def judge(self, proposed: dict[int, Setting], *, least: float = 0.0, whole: bool = False) -> dict[int, Setting]:
        """Keep a proposal where it saves delay; returns what was kept.

        Parameters
        ----------
        least : float
            Share of the network's delay that must be saved. [-]
        whole : bool
            All or nothing, not district by district.
        """
        allowed = {at: s for at, s in proposed.items() if self.moves.allowed(at, s)}
        if not allowed:
            return {}
        self.candidates += len(allowed)
        for at, setting in allowed.items():
            self.put(at, setting)
        after = [self.run(vehicles) for vehicles in self.held]
        worse = self._worse(after) & (not whole)
        kept = {at: s for at, s in allowed.items() if not worse[self.districts[at]]}
        if kept and len(kept) < len(allowed):
            if self.work.affords(self.judge_units):
                for at in allowed.keys() - kept.keys():
                    self.put(at, self.current[at])
                after = [self.run(vehicles) for vehicles in self.held]
            else:  # no time to run what is left by itself: all of it stands or falls together
                kept = allowed
        if not kept or not self._saves(after, least):
            for at in allowed:
                self.put(at, self.current[at])
            return {}
        for at, setting in kept.items():
            self.current[at] = setting
        self.base = after
        return kept

    def _saves(self, after: Sequence[Outcome], least: float) -> bool:
        """Whether less is lost over all vehicles held, by more than chance and at least by a share."""
        saved = np.array([b.total - a.total for a, b in zip(after, self.base, strict=True)])
        chance = float(saved.std(ddof=1)) * np.sqrt(len(saved)) if len(saved) > 2 else 0.0
        return float(saved.sum()) > max(least * self.total, chance)

    def _worse(self, after: Sequence[Outcome]) -> NDArray[np.bool_]:
        """Districts that lose time. With one district the whole network decides."""
        n = int(self.districts.max(initial=0)) + 1
        change = sum(b.by_signal - a.by_signal for a, b in zip(self.base, after, strict=True))
        return np.asarray(np.bincount(self.districts, weights=np.asarray(change)[:-1], minlength=n) >= 0)


def districts_of(layout: StreetLayout, size: int) -> INTS:
    """Number of the district of each signal: about `size` neighbours each, grown one after the other."""
    out = np.full(layout.n_signal, -1, np.int64)
    n_district = 0
    for start in range(layout.n_signal):
        if out[start] >= 0:
            continue
        queue = [start]
        out[start] = n_district
        for at in queue:
            for near in layout.region[at].tolist():
                if out[near] < 0 and len(queue) < size:
                    out[near] = n_district
                    queue.append(near)
        n_district += 1
    return out

"""The climb of large networks: in every simulation many signals change at once, each change judged by itself.

Signals that have no neighbour in common change together in one run of the whole network. Each change is judged by what
its own signal and the neighbours cost in that run against what they cost before: a run gives as many decisions as
signals have changed. What the others do far away is noise, so every few runs the whole is judged without any new
change, and a plan that got worse goes back to the best one.

What happens in iteration i depends on i, the seed and the inputs only, as in `optimizer.search`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.settings import Settings
from network_data.trips import Trips
from optimizer.candidate import Candidate, Setting
from optimizer.large.changes import Changes, replaced
from optimizer.large.cycles import likely_cycles
from optimizer.large.judge import Judge, Judged
from optimizer.large.places import Places
from optimizer.moves import Neighbourhood
from optimizer.search import RECENT, Evaluator, Rung, Search
from sim.profile import Profile

RUNS = 2
"""Runs of the network in a step, as long as there are fewer realizations: for several candidates or draws at once."""
CHECK_EVERY = 8
"""Steps between two runs of the plan as it stands."""
GROUP_EVERY = 9
"""Of the steps, one in so many changes whole groups."""
LIKELY_CYCLES = 3
"""Common cycles that are simulated."""
LEARNING = 0.5
"""How much of what a run says of an unchanged place is believed, against what runs before said. [-]"""
WORSE = 0.01
"""A plan so much worse than the best one is given up. [-]"""
QUOTAS = {"offsets": 4, "splits": 4}
"""Steps of the first rungs of the ladder; all others are for the last."""
SHORT_LADDER_FROM = 3_000
"""Signals from which these rungs have one step each: a step takes seconds there."""
CYCLE_STEPS = 10
"""Finding the common cycle takes as long as so many steps. [-]"""
DEFAULT_STEPS = 200
"""Steps where neither iterations nor a deadline end the search."""


class Proposed(NamedTuple):
    """A change: signals with their new settings, and where it is felt."""

    settings: dict[int, Setting]
    around: NDArray[np.int64]


@dataclass(eq=False)
class LargeSearch:
    """The state of a climb: the candidate as it stands and what each place costs under it."""

    search: Search
    judge: Judge
    groups: Sequence[Sequence[int]]
    now: Candidate = ()
    cost_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    since_check: int = 0
    longest_s: float = 0.0

    def take(self, candidate: Candidate, found: Judged) -> None:
        """Go on from a candidate that was just judged."""
        self.now, self.cost_s, self.since_check = candidate, found.cost_s, 0

    def offer(self, candidate: Candidate, found: Judged, name: str) -> bool:
        """Keep a judged candidate as the best where it is."""
        search = self.search
        better = search.evaluator.expected(found.values) < search.objective - 1e-9
        if not (better or search.excess > 0) or not search.permits(candidate):
            return False
        over = search.overfilled(candidate)
        if over > search.excess + 1e-9 or (not better and over > search.excess - 1e-9):
            return False
        rung = Rung(name, search.best, search.objective, search.iterations)
        search.recent = [*search.recent, rung][-RECENT:]
        search.best, search.best_values, search.excess = candidate, found.values, over
        search.trace.append((search.iterations, name, search.objective))
        return True

    def check(self, name: str) -> None:
        """Judge the plan as it stands; go back to the best where it got worse."""
        if not self.since_check:
            return
        (found,) = self.judge.judged([self.now])
        value = self.search.evaluator.expected(found.values)
        if self.offer(self.now, found, name) or value < (1 + WORSE) * self.search.objective:
            known = self.cost_s
            self.take(self.now, found)
            self.cost_s = (1 - LEARNING) * known + LEARNING * found.cost_s
        else:
            self.take(self.search.best, self.judge.judged([self.search.best])[0])

    def step(self, changes: Changes, name: str) -> None:
        """Some runs with changes all over the network; those that pay most stay, as far as they are apart."""
        search = self.search
        rng = np.random.default_rng([search.seed, search.iterations])
        by_group = search.iterations % GROUP_EVERY == GROUP_EVERY - 1 and len(self.groups) > 1
        draw = self._of_groups if by_group else self._of_signals
        proposed = [draw(changes, rng) for _ in range(max(1, RUNS // self.judge.simulator.n_realizations))]
        together = [{at: s for one in some for at, s in one.settings.items()} for some in proposed]
        judged = self.judge.judged([replaced(self.now, settings) for settings in together])
        self._keep(proposed, judged)
        self.since_check += 1
        search.iterations += 1
        if self.since_check >= CHECK_EVERY:
            self.check(name)

    def _keep(self, proposed: Sequence[Sequence[Proposed]], judged: Sequence[Judged]) -> None:
        """Take over the changes that pay, those that pay most first, and what their places cost now."""
        gains = [
            (float(self.cost_s[one.around].sum() - found.cost_s[one.around].sum()), n, one)
            for n, (some, found) in enumerate(zip(proposed, judged, strict=True))
            for one in some
        ]
        told = np.mean([found.cost_s for found in judged], axis=0)
        cost = (1 - LEARNING) * self.cost_s + LEARNING * told
        # what changed and did not pay says nothing of the plan as it stands
        for some in proposed:
            for one in some:
                cost[one.around] = self.cost_s[one.around]
        kept: dict[int, Setting] = {}
        taken = np.zeros(len(cost), bool)
        for gain, n, one in sorted(gains, key=lambda row: -row[0]):
            if gain > 0 and not taken[one.around].any():
                taken[one.around] = True
                kept |= one.settings
                cost[one.around] = judged[n].cost_s[one.around]
        self.now, self.cost_s = self._lawful(kept), cost

    def _of_groups(self, changes: Changes, rng: np.random.Generator) -> list[Proposed]:
        """Changes of whole groups that have no neighbour in common."""
        places, out = self.judge.places, []
        for n in places.units_apart(rng, self.groups):
            group = self.groups[n]
            found = changes.of_group(self.now, group, rng)
            if found is not None:
                out.append(Proposed({at: found[at] for at in group}, places.around(group)))
        return out

    def _of_signals(self, changes: Changes, rng: np.random.Generator) -> list[Proposed]:
        """Changes of single signals that have no neighbour in common."""
        places, out = self.judge.places, []
        for at in places.apart(rng, self.search.neighbourhood.open_controllers()):
            setting = changes.of_signal(self.now, at, rng)
            if setting is not None:
                out.append(Proposed({at: setting}, places.near[at]))
        return out

    def _lawful(self, kept: dict[int, Setting]) -> Candidate:
        """The candidate with these changes, less those that together break what reaches across signals."""
        search, together = self.search, replaced(self.now, kept)
        wanted = search.evaluator.wanted
        reaches = bool(search.settings.limits.common_cycle) or (wanted is not None and wanted.least_s > 0)
        if not reaches or search.permits(together):
            return together
        out = self.now
        for group in self.groups:
            mine = {at: kept[at] for at in group if at in kept}
            one = replaced(out, mine) if mine else out
            out = one if search.permits(one) else out
        return out


def climb_large(
    evaluator: Evaluator,
    neighbourhood: Neighbourhood,
    settings: Settings,
    *,
    seed: int,
    places: Places,
    groups: Sequence[Sequence[int]],
    trips: Sequence[Trips],
    profile: Callable[[], Profile],
    known: Callable[[Candidate], Candidate] | None = None,
    iterations: int | None = None,
    deadline: float | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, str, float], None] | None = None,
) -> Search:
    """Climb from the field plan until the iterations or the time are used up, or `stop` says so.

    Parameters
    ----------
    groups : sequence of sequence of int
        Coordination groups: signals that share a cycle, its half or its double. Every open signal in one.
    trips : sequence of Trips
        The vehicles of the simulator's realizations.
    profile : callable
        Makes the filter that ranks common cycles; called where cycles may change.
    known : callable, optional
        From the legal start to a candidate found before: the search begins there where it is better.
    iterations, deadline, stop, progress
        As in `optimizer.search.climb`; an iteration is one step of changes all over the network.
    """
    search = Search(evaluator, neighbourhood, settings, seed)
    search.start()
    if iterations is None and deadline is None:
        iterations = DEFAULT_STEPS
    workers = min(settings.search.workers, max(RUNS, evaluator.simulator.n_realizations))
    with ThreadPoolExecutor(workers) as pool:
        judge = Judge(evaluator, places, trips, pool if workers > 1 else None)
        climb = LargeSearch(search, judge, groups)
        climb.take(search.best, judge.judged([search.best])[0])
        if known is not None:
            _offered(climb, [known(search.best)], "known")
        time_up = _TimeUp(climb, iterations, deadline, stop)
        short = places.n_signal >= SHORT_LADDER_FROM
        quotas = {name: 1 if short else steps for name, steps in QUOTAS.items()}
        open_steps: list[str] = []
        for rung in ("offsets", "splits", "cycle"):
            before = search.iterations
            open_steps += [rung] if rung not in settings.change.freeze else []
            changes = Changes(neighbourhood, groups, frozenset(open_steps))
            if rung == "cycle" and rung in open_steps and not time_up(CYCLE_STEPS):
                _common_cycle(climb, profile())
            while open_steps and search.iterations - before < quotas.get(rung, 1 << 60) and not time_up():
                began_s = time.monotonic()
                climb.step(changes, rung)
                climb.longest_s = max(climb.longest_s, time.monotonic() - began_s)
                if progress is not None:
                    progress(search.iterations, rung, search.objective)
            climb.check(rung)
            search.rungs.append(Rung(rung, search.best, search.objective, search.iterations - before))
    return search


@dataclass(frozen=True, slots=True)
class _TimeUp:
    """Whether to end: iterations used, time used but for one more step and a check, or asked to."""

    climb: LargeSearch
    iterations: int | None
    deadline: float | None
    stop: Callable[[], bool] | None

    def __call__(self, steps: int = 1) -> bool:
        search = self.climb.search
        if self.iterations is not None and search.iterations >= self.iterations:
            return True
        if self.deadline is not None and time.monotonic() + (1 + steps) * self.climb.longest_s >= self.deadline:
            return True
        if not search.neighbourhood.open_controllers():
            return True
        return self.stop is not None and self.stop()


def _common_cycle(climb: LargeSearch, profile: Profile) -> None:
    """Go on in the cycle that suits the network best, if one beats the plan as it stands."""
    search, judge = climb.search, climb.judge
    likely = likely_cycles(
        profile, search.neighbourhood, search.best, climb.groups, judge.places.link_signal, judge.plan, LIKELY_CYCLES
    )
    _offered(climb, likely, "common cycle")


def _offered(climb: LargeSearch, candidates: Sequence[Candidate], name: str) -> None:
    """Judge candidates; go on from the best where one beats what is known."""
    for candidate, found in zip(candidates, climb.judge.judged(candidates), strict=True):
        if climb.offer(candidate, found, name):
            climb.take(candidate, found)

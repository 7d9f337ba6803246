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

from network_data.demand import DemandScenarios
from network_data.settings import Settings
from network_data.trips import Trips
from optimizer.candidate import Candidate, Setting
from optimizer.large.changes import Changes, replaced
from optimizer.large.cycles import CYCLES_S, mixed
from optimizer.large.judge import Judge, Judged
from optimizer.large.places import Places
from optimizer.large.polish import Polish, polish_of
from optimizer.moves import Neighbourhood
from optimizer.search import RECENT, Evaluator, Rung, Search

RUNS = 2
"""Runs of the network in a step, as long as there are fewer realizations: for several candidates or draws at once."""
CHECK_EVERY = 8
"""Steps between two runs of the plan as it stands."""
GROUP_EVERY = 9
"""Of the steps, one in so many changes whole groups."""
RUNGS = ("offsets", "splits", "cycle", "stages")
LIKELY, LIKELY_IN_FEW, LIKELY_BY_THE_WAY = (3, 2), (2, 1), (1, 1)
"""Common cycles that get better seconds, and in how many steps, before the best of them stays; the last for a rung of
the ladder after which stages change too."""
PAYS, DULL = 0.001, 4
"""What a step by polygons has to gain, and after how many that did not single changes are next. [-]"""
POLISH_EVERY = 24
"""Of the steps after that, one in so many is by polygons."""
LEARNING = 0.5
"""How much of what a run says of an unchanged place is believed, against what runs before said. [-]"""
WORSE = 0.01
"""A plan so much worse than the best one is given up. [-]"""
QUOTAS = {"offsets": 1, "splits": 1, "cycle": 0}
"""Steps of the first rungs of the ladder; all others are for the last."""
FEW_FROM = 500
"""Signals from which fewer common cycles are looked at closely: a run takes half a second and more there."""
LATEST = 6
"""Steps by whose longest the next one is expected to take as long."""
STEPS_LEFT = {"offsets": 16, "splits": 16, "cycle": 12}
"""Rungs but the last, which brings most, begin only where there is time for so many steps. [-]"""
FIRST_STEP = 4.0
"""Runs of the network that a step is expected to take before there was one. [-]"""
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
    polish: Polish
    now: Candidate = ()
    cost_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    since_check: int = 0
    latest_s: list[float] = field(default_factory=list)
    fresh: Judged | None = None
    """What the last run said of the plan as it stands; None where it changed since."""
    of_best: Judged = field(default_factory=lambda: Judged([], np.empty(0)))
    dull: int = 0
    """Steps by polygons in a row that brought next to nothing."""

    def take(self, candidate: Candidate, found: Judged) -> None:
        """Go on from a candidate that was just judged."""
        self.now, self.cost_s, self.since_check, self.fresh = candidate, found.cost_s, 0, found

    def next(self, changes: Changes, name: str) -> None:
        """One iteration: all signals by polygons as long as that pays and now and then later, else single changes."""
        began_s = time.monotonic()
        if self.polish.possible(changes.what) and (self.dull < DULL or self.search.iterations % POLISH_EVERY == 0):
            self.polished(changes, name)
        else:
            self.step(changes, name)
        self.latest_s = [*self.latest_s, time.monotonic() - began_s][-LATEST:]

    def polished(self, changes: Changes, name: str) -> None:
        """Better seconds for many signals at once; of the proposals and what districts take of them the best stays."""
        search, value = self.search, self._value
        rng = np.random.default_rng([search.seed, search.iterations])
        search.iterations += 1
        if self.fresh is None:
            self.check(name)
        known, now, before = self.fresh, self.now, search.objective
        assert known is not None
        others = [one for one in self.polish.propose(now, known, rng, what=changes.what) if search.permits(one)]
        if others:
            found = self.judge.judged(others, collect=True)
            parts = [one for one in self.polish.better_parts(now, known, others, found) if search.permits(one)]
            found += self.judge.judged(parts, collect=True)
            best = min(zip([*others, *parts], found, strict=True), key=value)
            if value(best) < value((now, known)):
                self.offer(*best, name)
                self.take(*best)
        self.polish.learn(better=self.now is not now)
        self.dull = self.dull + 1 if search.objective > (1 - PAYS) * before else 0

    def _value(self, one: tuple[Candidate, Judged]) -> float:
        return self.search.evaluator.expected(one[1].values)

    def common_cycle(self, changes: Changes, name: str, time_up: Callable[[int], bool]) -> None:
        """Go on in the cycle that suits the network best, if one beats the plan as it stands.

        Closed forms in common cycles are run; the best of them, and a mixture by groups, get better seconds before they
        are compared.
        """
        found = sorted(self._in_common_cycles(changes, time_up), key=self._value)
        other = mixed([one for one, _ in found], [one.cost_s for _, one in found], self.groups) if found else None
        last = "stages" in changes.what or "stages" in self.search.settings.change.freeze
        n_likely, n_steps = LIKELY_BY_THE_WAY if not last else LIKELY_IN_FEW if len(self.now) >= FEW_FROM else LIKELY
        likely = found[:n_likely]
        if last and other is not None and self.search.permits(other) and not time_up(2):
            likely.append((other, self.judge.judged([other], collect=True)[0]))
        for candidate, judged in likely:
            self.offer(candidate, judged, "common cycle")
            self.take(candidate, judged)
            self.polish.start_over()
            for _ in range(n_steps):
                if self.polish.possible(changes.what) and not time_up(2):
                    self.polished(changes, name)
        self.take(self.search.best, self.of_best)
        self.polish.start_over()
        self.dull = 0

    def _in_common_cycles(self, changes: Changes, time_up: Callable[[int], bool]) -> list[tuple[Candidate, Judged]]:
        """The plan in common cycles, closed-form where splits may change; short ones first, until they get worse."""
        out: list[tuple[Candidate, Judged]] = []
        at_once = max(1, RUNS // self.judge.simulator.n_realizations)
        for n in range(0, len(CYCLES_S), at_once):
            some = [self._in_cycle(changes, cycle_s) for cycle_s in CYCLES_S[n : n + at_once]]
            legal = [one for one in some if one is not None and self.search.permits(one)]
            if time_up(2):
                break
            new = list(zip(legal, self.judge.judged(legal, collect=True), strict=True))
            worse = bool(out and new) and min(map(self._value, new)) > min(map(self._value, out))
            out += new
            if worse:
                break
        return out

    def _in_cycle(self, changes: Changes, cycle_s: int) -> Candidate | None:
        begin = self.search.best
        if "splits" in changes.what:
            return changes.forms.common(begin, cycle_s, stages="stages" in changes.what)
        rng = np.random.default_rng([self.search.seed, cycle_s])
        return self.search.neighbourhood.in_common_cycle(begin, cycle_s, rng)

    def offered(self, candidates: Sequence[Candidate], name: str) -> None:
        """Judge candidates; go on from the best where one beats what is known."""
        for candidate, found in zip(candidates, self.judge.judged(candidates, collect=True), strict=True):
            if self.offer(candidate, found, name):
                self.take(candidate, found)

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
        search.best, search.best_values, search.excess, self.of_best = candidate, found.values, over, found
        search.trace.append((search.iterations, name, search.objective))
        return True

    def check(self, name: str) -> None:
        """Judge the plan as it stands; go back to the best where it got worse."""
        if not self.since_check:
            return
        (found,) = self.judge.judged([self.now], collect=True)
        value = self.search.evaluator.expected(found.values)
        if self.offer(self.now, found, name) or value < (1 + WORSE) * self.search.objective:
            known = self.cost_s
            self.take(self.now, found)
            self.cost_s = (1 - LEARNING) * known + LEARNING * found.cost_s
        else:
            self.take(self.search.best, self.of_best)

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
        self.now, self.cost_s, self.fresh = self._lawful(kept), cost, None

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
    demand: DemandScenarios,
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
    demand : DemandScenarios
        Where they come from: how drivers spread over turns.
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
        at_once = max(1, RUNS // evaluator.simulator.n_realizations)
        climb = LargeSearch(search, judge, groups, polish_of(demand, judge, neighbourhood, n=at_once))
        began_s = time.monotonic()
        (climb.of_best,) = judge.judged([search.best], collect=True)
        climb.latest_s.append(FIRST_STEP * (time.monotonic() - began_s))
        climb.take(search.best, climb.of_best)
        if known is not None:
            climb.offered([known(search.best)], "known")
        time_up = _TimeUp(climb, iterations, deadline, stop)
        open_steps: list[str] = []
        for rung in RUNGS:
            before = search.iterations
            open_steps += [rung] if rung not in settings.change.freeze else []
            changes = Changes(neighbourhood, groups, frozenset(open_steps))
            is_last = rung == "stages" or (rung == "cycle" and "stages" in settings.change.freeze)
            left = 1 if is_last else STEPS_LEFT[rung]
            if rung in ("cycle", "stages") and rung in open_steps and not time_up(left):
                climb.common_cycle(changes, rung, time_up)
            quota = QUOTAS.get(rung, 1 << 60) if not time_up(left) else 0
            while open_steps and search.iterations - before < quota and not time_up():
                climb.next(changes, rung)
                if progress is not None:
                    progress(search.iterations, rung, search.objective)
            climb.check(rung)
            search.rungs.append(Rung(rung, search.best, search.objective, search.iterations - before))
    return search


@dataclass(frozen=True, slots=True)
class _TimeUp:
    """Whether to end: iterations used, time used but for some more steps and a check, or asked to."""

    climb: LargeSearch
    iterations: int | None
    deadline: float | None
    stop: Callable[[], bool] | None

    def __call__(self, steps: int = 1) -> bool:
        search = self.climb.search
        if self.iterations is not None and search.iterations >= self.iterations:
            return True
        if (
            self.deadline is not None
            and time.monotonic() + (1 + steps) * max(self.climb.latest_s, default=0.0) >= self.deadline
        ):
            return True
        if not search.neighbourhood.open_controllers():
            return True
        return self.stop is not None and self.stop()

"""Better seconds for all signals at once: queue polygons propose, runs of the network judge, district by district.

A run under the plan as it stands tells when vehicles come to each lane and what they lose there. From that the
polygons of `optimizer.rolling` find, signal after signal, the splits and offsets at which its own lanes and those it
sends vehicles to lose least. Every other step they find the splits only, and `optimizer.large.waves` all offsets
together. What they promise is judged by running it: districts that got worse go back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from optimizer.candidate import Candidate
from optimizer.large.changes import replaced
from optimizer.large.judge import Judge, Judged
from optimizer.large.waves import in_waves
from optimizer.moves import Neighbourhood
from optimizer.rolling.layout import INTS, prior_of, street_layout
from optimizer.rolling.polygons import Polygons
from optimizer.rolling.search import districts_of


class Reach(NamedTuple):
    """What one proposal moves at most: seconds of offsets, of greens; the share of the signals. [s], [s], [-]

    With `waves` all offsets are set together, whatever their distance.
    """

    offset_s: int
    green_s: int
    share: float
    waves: bool = False


WAVES, FAR, NEAR = Reach(0, 8, 1.0, waves=True), Reach(12, 8, 1.0), Reach(5, 4, 0.5)
REACHES = ((WAVES, FAR), (FAR, NEAR))
"""Of the proposals of one step and of the next one, in turn; the first where only one is asked for. Shares are of those
that move at all."""
DISTRICTS = (8, 20)
"""Signals that stand or fall together, tried both ways."""
SHRINK, GROW, LEAST_SHARE = 0.6, 1.3, 0.1
"""How the share of signals that proposals move follows refusal and success, and its least. [-]"""


@dataclass(eq=False)
class Polish:
    """Proposals by polygons, one each for as many runs as go side by side; fewer signals move where they failed."""

    judge: Judge
    hood: Neighbourhood
    polygons: Sequence[Polygons]
    choice_vps: NDArray[np.float64]
    districts: Sequence[INTS]
    share: float = 1.0
    turn: int = 0
    """Which of the steps is next."""

    @staticmethod
    def possible(what: frozenset[str]) -> bool:
        """Whether any of the steps of the ladder that are open is for polygons."""
        return bool(what & {"offsets", "splits"})

    def propose(
        self, now: Candidate, known: Judged, rng: np.random.Generator, *, what: frozenset[str]
    ) -> list[Candidate]:
        """The plan as each of the polygons wants it; those that have nothing to propose are left out."""
        orders = [rng.permutation(self.hood.open_controllers()) for _ in self.polygons]
        reaches = REACHES[self.turn % len(REACHES)]
        jobs = list(zip(self.polygons, reaches, orders, strict=False))
        seed = int(rng.integers(1 << 31))

        def one(job: tuple[Polygons, Reach, INTS]) -> Candidate:
            polygons, reach, order = job
            found = self._proposed(polygons, reach, order, now, known, what)
            return in_waves(polygons, found, self.hood, seed=seed) if reach.waves and "offsets" in what else found

        pool = self.judge.pool
        found = list(pool.map(one, jobs)) if pool is not None else [one(job) for job in jobs]
        return [other for other in found if other is not now]

    def _proposed(
        self, polygons: Polygons, reach: Reach, order: INTS, now: Candidate, known: Judged, what: frozenset[str]
    ) -> Candidate:
        simulator = self.judge.simulator
        begin_s = simulator.begin_s - simulator.warmup_s
        polygons.start_over(known.seen, begin_s)
        polygons.prepare(now, self.choice_vps, begin_s)
        polygons.improve(
            order[: max(1, round(self.share * reach.share * len(order)))],
            offsets="offsets" in what and not reach.waves,
            splits="splits" in what,
            most_offset_s=reach.offset_s,
            most_green_s=reach.green_s,
        )
        proposed = polygons.proposed(now)
        lawful = {at: setting for at, setting in proposed.items() if self.hood.keeps_rules(at, setting)}
        polygons.take_back(proposed.keys() - lawful.keys())
        return replaced(now, lawful) if lawful else now

    def better_parts(
        self, now: Candidate, known: Judged, others: Sequence[Candidate], found: Sequence[Judged]
    ) -> list[Candidate]:
        """District by district the cheapest of the plan as it stands and the others, as far as that is a new plan."""
        plans, out = [now, *others], []
        costs = np.array([known.cost_s, *(one.cost_s for one in found)])
        for of in self.districts[: len(self.polygons)]:
            n = int(of.max(initial=0)) + 1
            best = np.argmin([np.bincount(of, weights=cost, minlength=n) for cost in costs], axis=0)[of].tolist()
            if len(set(best)) > 1:
                out.append(tuple(plans[b][at] for at, b in enumerate(best)))
        return out

    def learn(self, *, better: bool) -> None:
        """Move more signals at once, or fewer; the next step is of the other kind."""
        if better:
            self.share = min(1.0, GROW * self.share)
        elif not REACHES[self.turn % len(REACHES)][0].waves:
            self.share = max(LEAST_SHARE, SHRINK * self.share)
        self.turn += 1

    def start_over(self) -> None:
        """The plan is another one: all its signals may move, their offsets together first."""
        self.share, self.turn = 1.0, 0


def polish_of(demand: DemandScenarios, judge: Judge, hood: Neighbourhood, *, n: int) -> Polish:
    """Lay out the polygons of a network, `n` to be asked at once; the judge collects for them from then on."""
    simulator = judge.simulator
    layout = street_layout(simulator.compiled.network, simulator.compiled.parameters, simulator.compiled)
    length_s = simulator.end_s - simulator.begin_s + simulator.warmup_s
    polygons = [Polygons(layout, hood.models, length_s) for _ in range(n)]
    judge.polygons = polygons[0]
    choice_vps = prior_of(layout, demand).choice_vps.mean(axis=0)
    return Polish(judge, hood, polygons, choice_vps, [districts_of(layout, size) for size in DISTRICTS])

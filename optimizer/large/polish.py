"""Better seconds for all signals at once: queue polygons propose, runs of the network judge, district by district.

A run under the plan as it stands tells when vehicles come to each lane and what they lose there. From that the
polygons of `optimizer.rolling` find, signal after signal, the splits and offsets at which its own lanes and those it
sends vehicles to lose least. What they promise is judged by running it: districts that got worse go back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from network_data.demand import DemandScenarios
from optimizer.candidate import Candidate, Setting
from optimizer.large.changes import replaced
from optimizer.large.judge import Judge, Judged
from optimizer.moves import Neighbourhood
from optimizer.rolling.layout import INTS, prior_of, street_layout
from optimizer.rolling.polygons import Polygons
from optimizer.rolling.search import districts_of

MOST_OFFSET_S, MOST_GREEN_S = 12, 8
"""What one proposal moves at most. [s]"""
DISTRICT = 8
"""Signals that stand or fall together."""
SHRINK, GROW, LEAST_SHARE = 0.6, 1.3, 0.1
"""How the share of signals that a proposal moves follows refusal and success, and its least. [-]"""


@dataclass(eq=False)
class Polish:
    """Proposals by polygons; `share` of the signals move at once, fewer where proposals failed."""

    hood: Neighbourhood
    polygons: Polygons
    choice_vps: NDArray[np.float64]
    districts: INTS
    begin_s: float
    """When runs begin. [s]"""
    share: float = 1.0

    @staticmethod
    def possible(what: frozenset[str]) -> bool:
        """Whether any of the steps of the ladder that are open is for polygons."""
        return bool(what & {"offsets", "splits"})

    def propose(self, now: Candidate, known: Judged, rng: np.random.Generator, *, what: frozenset[str]) -> Candidate:
        """The plan as the polygons want it; the same where they have nothing to propose."""
        self.polygons.start_over(known.seen, self.begin_s)
        self.polygons.prepare(now, self.choice_vps, self.begin_s)
        chosen = rng.permutation(self.hood.open_controllers())
        chosen = chosen[: max(1, round(self.share * len(chosen)))]
        self.polygons.improve(
            chosen, offsets="offsets" in what, splits="splits" in what, most_offset_s=MOST_OFFSET_S,
            most_green_s=MOST_GREEN_S,
        )  # fmt: skip
        lawful: dict[int, Setting] = {
            at: setting for at, setting in self.polygons.proposed(now).items() if self.hood.keeps_rules(at, setting)
        }
        return replaced(now, lawful) if lawful else now

    def better_parts(self, now: Candidate, known: Judged, other: Candidate, found: Judged) -> Candidate | None:
        """The other plan in the districts that it makes cheaper, the one as it stands elsewhere; None where all are."""
        n = int(self.districts.max(initial=0)) + 1
        worse = np.bincount(self.districts, weights=found.cost_s - known.cost_s, minlength=n) > 0
        if not worse.any() or worse.all():
            return None
        return tuple(
            old if worse[self.districts[at]] else new for at, (old, new) in enumerate(zip(now, other, strict=True))
        )

    def learn(self, *, better: bool) -> None:
        """Move more signals at once, or fewer."""
        self.share = min(1.0, GROW * self.share) if better else max(LEAST_SHARE, SHRINK * self.share)


def polish_of(demand: DemandScenarios, judge: Judge, hood: Neighbourhood) -> Polish:
    """Lay out the polygons of a network; the judge collects for them from then on."""
    simulator = judge.simulator
    layout = street_layout(simulator.compiled.network, simulator.compiled.parameters, simulator.compiled)
    choice_vps = prior_of(layout, demand).choice_vps.mean(axis=0)
    judge.polygons = Polygons(layout, hood.models, simulator.end_s - simulator.begin_s + simulator.warmup_s)
    return Polish(
        hood, judge.polygons, choice_vps, districts_of(layout, DISTRICT), simulator.begin_s - simulator.warmup_s
    )

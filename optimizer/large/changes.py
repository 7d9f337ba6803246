"""Changes of single signals and of whole coordination groups that keep every rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.candidate import Candidate, Setting, changed
from optimizer.large.cycles import ClosedForms
from optimizer.moves import Neighbourhood

SHIFTS_S = (1, 2, 3, 5, 8, 13)
NEAR_SHIFTS_S = (1, 1, 2, 2, 3, 3, 5, 8)
"""Shifts of single signals once polygons have set all: far ones seldom pay then. [s]"""
NEAR_SECONDS_S = (1, 1, 1, 2, 2, 3, 5)
GROUP_CYCLES_S = (2, 5, 10)
OFFSET_SHARE = 0.5
"""Of the changes of single signals, those of the offset alone, where splits may change too. [-]"""
MULTIPLE_SHARE = 0.02
"""Of the changes of single signals, those to half or twice the group's cycle and back, where cycles may change. [-]"""
STAGES_SHARE = 0.03
"""Of the changes of single signals, those to other stages or another order of them, where stages may change. [-]"""
GROUP_SHIFT_SHARE = 0.5
"""Of the changes of whole groups, those that shift all its offsets, where cycles may change too. [-]"""


@dataclass(frozen=True, eq=False)
class Changes:
    """Draws changes; `groups` are the signals of each coordination group, which share a cycle, its half or its double.

    `what` names the steps of the ladder that are open: "offsets", "splits", "cycle", "stages".
    """

    hood: Neighbourhood
    groups: Sequence[Sequence[int]]
    what: frozenset[str]

    @cached_property
    def forms(self) -> ClosedForms:
        """Closed-form splits of other stages."""
        return ClosedForms(self.hood)

    def of_signal(self, candidate: Candidate, at: int, rng: np.random.Generator) -> Setting | None:
        """Another setting for one signal; None where the change drawn is not allowed."""
        hood, draw = self.hood, float(rng.random())
        if "cycle" in self.what and draw < MULTIPLE_SHARE and len(hood.group_of(at)) == 1:
            found = self._multiple(candidate, at, rng)
        elif {"stages", "splits"} <= self.what and draw > 1 - STAGES_SHARE and len(hood.models[at].usable) > 1:
            return self._stages(candidate[at], at, rng)
        elif "splits" not in self.what or ("offsets" in self.what and rng.random() < OFFSET_SHARE):
            step_s = int(rng.choice(NEAR_SHIFTS_S)) * int(rng.choice((-1, 1)))
            found = hood.shifted(candidate, at, step_s) if "offsets" in self.what else None
        else:
            found = hood.move_seconds_at(candidate, at, rng, NEAR_SECONDS_S)
        return None if found is None or found[at].key() == candidate[at].key() else found[at]

    def _stages(self, now: Setting, at: int, rng: np.random.Generator) -> Setting | None:
        """Other stages, or another order of them, in the same cycle; nobody's offset moves where these are frozen."""
        others = [skeleton for skeleton in self.hood.models[at].usable if skeleton != now.skeleton]
        return self.forms.setting(at, now, int(rng.choice(others)), now.cycle_s)

    def _multiple(self, candidate: Candidate, at: int, rng: np.random.Generator) -> Candidate | None:
        """Half of the group's cycle or twice as much, or back to it."""
        base, now = self.base_s(candidate, self._group_of(at)), candidate[at].cycle_s
        other = [2 * base, *([base // 2] if base % 2 == 0 else [])] if now == base else [base]
        return self.hood.in_cycle(candidate, at, int(rng.choice(other)), rng)

    @cached_property
    def _groups(self) -> dict[int, Sequence[int]]:
        return {at: group for group in self.groups for at in group}

    def _group_of(self, at: int) -> Sequence[int]:
        return self._groups.get(at, [at])

    @staticmethod
    def base_s(candidate: Candidate, group: Sequence[int]) -> int:
        """The cycle that most of a group run; of several the longest. [s]"""
        count = Counter(candidate[at].cycle_s for at in group)
        return max(count, key=lambda cycle: (count[cycle], cycle))

    def of_group(self, candidate: Candidate, group: Sequence[int], rng: np.random.Generator) -> Candidate | None:
        """A group with all offsets shifted or in another cycle; None where somebody in it cannot."""
        cycles = "cycle" in self.what
        if "offsets" in self.what and not (cycles and rng.random() >= GROUP_SHIFT_SHARE):
            step_s = int(rng.choice(SHIFTS_S)) * int(rng.choice((-1, 1)))
            return self._all_shifted(candidate, group, step_s)
        if not cycles:
            return None
        base = self.base_s(candidate, group)
        return self.in_cycle(candidate, group, base + int(rng.choice(GROUP_CYCLES_S)) * int(rng.choice((-1, 1))), rng)

    def _all_shifted(self, candidate: Candidate, group: Sequence[int], step_s: int) -> Candidate | None:
        for at in group:
            found = self.hood.shifted(candidate, at, step_s)
            if found is None:
                return None
            candidate = found
        return candidate

    def in_cycle(
        self, candidate: Candidate, group: Sequence[int], cycle_s: int, rng: np.random.Generator
    ) -> Candidate | None:
        """A group in another cycle, those at its half or double in that of the new one; None where somebody cannot."""
        base = self.base_s(candidate, group)
        for at in group:
            wanted = candidate[at].cycle_s * cycle_s / base
            found = self.hood.in_cycle(candidate, at, round(wanted), rng) if wanted == round(wanted) else None
            if found is None:
                return None
            candidate = found
        return candidate


def replaced(candidate: Candidate, settings: dict[int, Setting]) -> Candidate:
    """The candidate with other settings for some signals."""
    if len(settings) == 1:
        ((at, setting),) = settings.items()
        return changed(candidate, at, setting)
    out = list(candidate)
    for at, setting in settings.items():
        out[at] = setting
    return tuple(out)

"""Actuated controllers: what each phase may do, what it sees, and how it is held in a common cycle.

A controller is a list of barrier groups, a group one or more rings, a ring an ordered list of phases, as in
`plans.BarrierGroup`. A phase stays green at least `min_green_s`; then until its detectors have seen nobody for `gap_s`
(gap-out), at most `max_green_s` after somebody else has called (max-out). With a cycle, phases other than the
coordinated ones are ended at their *force-off* at the latest, and the coordinated ones end at their *yield point* (the
end of their programmed green) if anybody else has called who can still be served.

fixed force-off : the point in the cycle at which the phase's programmed green ends. Time that a phase leaves unused
    goes to the phases after it.
floating force-off : the phase's programmed green after its own start. Unused time goes to the coordinated phases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from network_data.controllers import Controller
from network_data.errors import PlanError

Recall = Literal["none", "minimum", "maximum"]
ForceOff = Literal["fixed", "floating"]
MAX_PHASES = 30
"""Phases of one controller."""


class HeadTiming(NamedTuple):
    """How a phase drives one link index; times relative to its green. [s]

    `opens_s` (at most 0) from the start of the phase's green, `closes_s` (at least 0) from its end on; with `length_s`
    the head closes that long after opening instead. Then comes `yellow_s`. A head that `holds` stays green all through
    the change where the next phase serves it too.
    """

    link_index: int
    letter: str
    yellow_s: float
    opens_s: float = 0.0
    closes_s: float = 0.0
    holds: bool = True
    length_s: float | None = None


class PhaseDetector(NamedTuple):
    """A loop in one lane, `distance_m` before the stop line."""

    link_id: str
    lane: int
    distance_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ActuatedPhase:
    """A phase with its rules. `change_s` is yellow and red clearance, until the next phase may be green. [s]

    `split_green_s` is its green in the programmed splits and `force_off_s` the point of the cycle at which that ends,
    counted from the offset; both only matter in a cycle.
    """

    name: str
    heads: tuple[HeadTiming, ...]
    detectors: tuple[PhaseDetector, ...]
    min_green_s: float
    max_green_s: float
    gap_s: float
    change_s: float
    recall: Recall = "none"
    coordinated: bool = False
    split_green_s: float = 0.0
    force_off_s: float = 0.0

    def faults(self) -> Iterator[str]:
        """What is wrong with the phase itself."""
        if not 0 < self.min_green_s <= self.max_green_s:
            yield (
                f"phase {self.name}: minimum green {self.min_green_s:g} s and maximum {self.max_green_s:g} s; "
                "needs 0 < minimum ≤ maximum"
            )
        if not self.gap_s >= 0:
            yield f"phase {self.name}: gap {self.gap_s:g} s; needs seconds from 0"
        if not self.change_s >= 0:
            yield f"phase {self.name}: yellow and red clearance {self.change_s:g} s; needs seconds from 0"
        if not self.detectors and self.recall == "none" and not self.coordinated:
            yield f"phase {self.name}: has no detector and no recall, it would never be served; give it one of them"


@dataclass(frozen=True, kw_only=True)
class ActuatedController:
    """An actuated controller; `cycle_s` None is free operation.

    `offset_s` is the second after midnight, modulo the cycle, of cycle time 0; larger is later. `scan_s` is how often
    it looks at its detectors.
    """

    controller_id: str
    program_id: str
    groups: tuple[tuple[tuple[ActuatedPhase, ...], ...], ...]
    cycle_s: float | None = None
    offset_s: float = 0.0
    force_off: ForceOff = "fixed"
    scan_s: float = 0.5

    def __post_init__(self) -> None:
        where = f"actuated controller {self.controller_id!r} program {self.program_id!r}"
        faults = [fault for phase in self.phases for fault in phase.faults()] + list(self._structure())
        if not faults and self.cycle_s is not None:
            faults += self._coordination(self.cycle_s)
        if faults:
            raise PlanError(where, faults)

    @property
    def phases(self) -> tuple[ActuatedPhase, ...]:
        """All phases, group by group, ring by ring."""
        return tuple(phase for group in self.groups for ring in group for phase in ring)

    @property
    def reading(self) -> str:
        """How this controller is simulated, in words for reports."""
        if self.cycle_s is None:
            return "actuated, free (minimum, gap, maximum)"
        return f"actuated-coordinated, cycle {self.cycle_s:g} s, {self.force_off} force-off"

    def _structure(self) -> Iterator[str]:
        if not self.groups or not all(self.groups) or not all(ring for group in self.groups for ring in group):
            yield "has a group without rings or a ring without phases; leave it out"
        if len({len(group) for group in self.groups}) > 1:
            yield "has groups with different numbers of rings; give every group the same"
        if len(self.phases) > MAX_PHASES:
            yield f"has {len(self.phases)} phases; at most {MAX_PHASES}"
        for group in self.groups:
            letters: dict[int, set[str]] = {}
            rings: dict[int, set[int]] = {}
            for r, ring in enumerate(group):
                for phase in ring:
                    for head in phase.heads:
                        letters.setdefault(head.link_index, set()).add(head.letter)
                        rings.setdefault(head.link_index, set()).add(r)
            for index in sorted(i for i in letters if len(letters[i]) > 1 and len(rings[i]) > 1):
                yield (
                    f"link index {index} is protected in one ring and permitted in another beside it; "
                    "list it in phases of one ring"
                )
        if not self.scan_s >= 0.1:
            yield f"looks at its detectors every {self.scan_s:g} s; needs at least 0.1 s"

    def _coordination(self, cycle_s: float) -> Iterator[str]:
        """What keeps the phases from fitting into the cycle."""
        if not cycle_s > 0:
            yield f"cycle {cycle_s:g} s; needs to be above 0"
            return
        groups = [g for g, group in enumerate(self.groups) if any(p.coordinated for ring in group for p in ring)]
        each = [sum(p.coordinated for p in ring) for g in groups for ring in self.groups[g]]
        if len(groups) != 1 or set(each) != {1}:
            yield "needs one coordinated phase in every ring of one group; name them"
            return
        for phase in self.phases:
            if not 0 <= phase.force_off_s <= cycle_s:
                yield f"phase {phase.name}: force-off {phase.force_off_s:g} s; needs 0 to the cycle of {cycle_s:g} s"
            if not phase.split_green_s >= phase.min_green_s:
                yield (
                    f"phase {phase.name}: green of {phase.split_green_s:g} s in its split, its minimum is "
                    f"{phase.min_green_s:g} s; lengthen the split"
                )


def conflicts_of(actuated: ActuatedController, controller: Controller) -> list[str]:
    """Pairs of phases that may be green together though protected movements of theirs conflict, in words."""
    out = []
    for group in actuated.groups:
        for r, ring in enumerate(group):
            for other in group[r + 1 :]:
                for one in ring:
                    for two in other:
                        clash = _clash(one, two, controller)
                        if clash:
                            out.append(
                                f"phases {one.name} and {two.name} run side by side, but link indices {clash[0]} and "
                                f"{clash[1]} conflict; put the phases into different groups"
                            )
    return out


def _clash(one: ActuatedPhase, two: ActuatedPhase, controller: Controller) -> tuple[int, int] | None:
    for a in one.heads:
        for b in two.heads:
            if a.letter == b.letter == "G" and controller.in_conflict(a.link_index, b.link_index):
                return a.link_index, b.link_index
    return None


def fixed_time_reading(*, actuated: bool) -> str:
    """How a program is simulated that runs by its interval table, in words for reports."""
    return "fixed-time reading of an actuated program" if actuated else "fixed time"


def readings(actuated: Mapping[str, ActuatedController], flags: Mapping[str, bool]) -> dict[str, str]:
    """Controller id → how it is simulated; `flags` says of every controller whether its program is actuated."""
    return {c: actuated[c].reading if c in actuated else fixed_time_reading(actuated=flag) for c, flag in flags.items()}

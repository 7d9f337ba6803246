"""Rings and barriers out of GMNS timing phases, and the interval table they make for a list of heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from network_data.plans import Interval
from network_data.rings import merge_equal

YELLOW_S = 4.0
"""Yellow out of GMNS's `clearance`, which is yellow and red together: an assumption. [s]"""
DEFAULT_CLEARANCE_S = 6.0
NEMA_RING = {phase: 1 + (phase > 4) for phase in range(1, 9)}
NEMA_BARRIER = {phase: 1 + (phase in (3, 4, 7, 8)) for phase in range(1, 9)}
SLACK_S = 5.0
"""A cycle that its phases miss by no more is filled up at the coordinated phase. [s]"""
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingPhase:
    """A phase of one timing plan with its times and its place. [s]"""

    number: int
    ring: int
    barrier: int
    position: int
    green_s: float
    yellow_s: float
    red_s: float
    min_green_s: float
    walk_s: float
    walk_clearance_s: float

    @property
    def split_s(self) -> float:
        """All of it. [s]"""
        return self.green_s + self.yellow_s + self.red_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A phase from its begin in the cycle on. [s]"""

    phase: TimingPhase
    start_s: float

    @property
    def green_end_s(self) -> float:
        """End of green. [s]"""
        return self.start_s + self.phase.green_s

    @property
    def yellow_end_s(self) -> float:
        """End of yellow. [s]"""
        return self.green_end_s + self.phase.yellow_s

    @property
    def end_s(self) -> float:
        """End of the split. [s]"""
        return self.start_s + self.phase.split_s


Groups = dict[int, dict[int, list[TimingPhase]]]
"""Barrier → ring → phases in order."""


def grouped(phases: Sequence[TimingPhase]) -> Groups:
    """Phases by barrier and ring, in the order of their positions."""
    out: Groups = defaultdict(lambda: defaultdict(list))
    for phase in sorted(phases, key=lambda p: (p.barrier, p.ring, p.position)):
        out[phase.barrier][phase.ring].append(phase)
    return {barrier: dict(rings) for barrier, rings in out.items()}


def lengths_s(groups: Groups) -> dict[int, list[float]]:
    """Barrier → length of each of its rings. [s]"""
    return {b: [sum(p.split_s for p in ring) for ring in rings.values()] for b, rings in groups.items()}


def arranged(phases: Sequence[TimingPhase], cycle_s: float | None) -> tuple[Groups | None, str]:
    """Rings that meet at their barriers and fill the cycle, and what had to be done for it.

    As given, if that fits; else by NEMA phase numbers, if that does; else none.
    """
    given = grouped(phases)
    if _fits(given, cycle_s):
        return given, ""
    spans = ", ".join(
        f"barrier {b}: {' and '.join(f'{s:g}' for s in rings)} s" for b, rings in lengths_s(given).items()
    )
    if all(phase.number in NEMA_RING for phase in phases):
        moved = [
            replace(p, ring=NEMA_RING[p.number], barrier=NEMA_BARRIER[p.number], position=p.number) for p in phases
        ]
        nema = grouped(moved)
        if _fits(nema, cycle_s):
            return nema, f"its rings do not meet as given ({spans}); arranged by NEMA phase numbers, they do"
    if cycle_s is None:
        return given, f"its rings do not meet ({spans}); the last phase of the shorter one is lengthened"
    return (
        None,
        f"its rings neither meet nor fill the cycle of {cycle_s:g} s ({spans}); mend ring, barrier and position",
    )


def _fits(groups: Groups, cycle_s: float | None) -> bool:
    spans = lengths_s(groups)
    if any(max(rings) - min(rings) > 1e-6 for rings in spans.values()):
        return False
    total = sum(max(rings) for rings in spans.values())
    return cycle_s is None or 0 <= round(cycle_s - total, DIGITS) <= SLACK_S


def levelled(groups: Groups, cycle_s: float | None, coordinated: int | None) -> Groups:
    """The rings of each barrier equally long, what is left of the cycle given to the coordinated phase's barrier."""
    spans = {b: max(rings) for b, rings in lengths_s(groups).items()}
    if cycle_s is not None:
        of_phase = {p.number: b for b, rings in groups.items() for ring in rings.values() for p in ring}
        barrier = of_phase.get(coordinated or -1, next(iter(groups)))
        spans[barrier] += cycle_s - sum(spans.values())
    out: Groups = {}
    for b, rings in groups.items():
        out[b] = {}
        for ring, phases in rings.items():
            short = spans[b] - sum(p.split_s for p in phases)
            at = next((n for n, p in enumerate(phases) if p.number == coordinated), len(phases) - 1)
            out[b][ring] = [
                replace(p, green_s=round(p.green_s + short, DIGITS)) if n == at and short > 1e-9 else p
                for n, p in enumerate(phases)
            ]
    return out


def slots_of(groups: Groups) -> list[Slot]:
    """Every phase with its begin; the first ring begins at 0."""
    out, begin = [], 0.0
    for rings in groups.values():
        end = begin
        for phases in rings.values():
            now = begin
            for phase in phases:
                out.append(Slot(phase=phase, start_s=now))
                now += phase.split_s
            end = max(end, now)
        begin = end
    return out


def intervals_of(
    slots: Sequence[Slot], heads: Sequence[Mapping[int, str]], crossings: set[int]
) -> tuple[Interval, ...]:
    """The interval table.

    Parameters
    ----------
    slots : sequence of Slot
        The phases of a cycle.
    heads : sequence of mapping
        Per link index: phase → `protected`, `permitted` or `rtor`.
    crossings : set of int
        Link indices of people on foot: they walk at the begin of their phase and have its clearance before its end.
    """
    cycle_s = round(max(slot.end_s for slot in slots), DIGITS)
    cuts = {0.0, cycle_s}
    for slot in slots:
        for time_s in (slot.start_s, slot.green_end_s, slot.yellow_end_s, slot.end_s, _walk_end_s(slot)):
            cuts.add(round(time_s % cycle_s, DIGITS))
    rows = []
    for begin_s, end_s in pairwise(sorted(cuts)):
        middle_s = (begin_s + end_s) / 2
        letters = (_letter(k, phases, slots, middle_s, cycle_s, crossings) for k, phases in enumerate(heads))
        rows.append(Interval(round(end_s - begin_s, DIGITS), "".join(letters)))
    return merge_equal(rows)


def _walk_end_s(slot: Slot) -> float:
    phase = slot.phase
    need_s = phase.walk_clearance_s
    return max(slot.start_s + phase.walk_s, slot.end_s - need_s) if need_s else slot.green_end_s


def _letter(
    k: int, phases: Mapping[int, str], slots: Sequence[Slot], time_s: float, cycle_s: float, crossings: set[int]
) -> str:
    served = [slot for slot in slots if phases.get(slot.phase.number) in ("protected", "permitted")]
    shown = "s" if "rtor" in phases.values() else "r"
    for slot in served:
        green = "G" if phases[slot.phase.number] == "protected" else "g"
        if k in crossings:
            if slot.start_s <= time_s < _walk_end_s(slot):
                return "G"
            continue
        goes_on = any(
            other is not slot and round((other.start_s - slot.end_s) % cycle_s, DIGITS) in (0.0, cycle_s)
            for other in served
        )
        if slot.start_s <= time_s < (slot.end_s if goes_on else slot.green_end_s):
            shown = green if shown != "G" else shown
        elif slot.green_end_s <= time_s < slot.yellow_end_s and shown not in "Gg":
            shown = "y"
    return shown

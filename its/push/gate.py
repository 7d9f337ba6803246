"""The last gate: looks at the very values that are to be sent, whatever made them, and lets nothing else through.

Plain code on plain numbers, apart from everything else in the engine: only the standard library is imported. What a
driver may send is what a `Permit` holds, and only `let_through` and `let_back` make one. Yellow, red clearance, minimum
green, walk, ring and concurrency have no place in it: an object outside the few of `only_writable` never leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

ASC = "1.3.6.1.4.1.1206.4.2.1."
PATTERN_CELL = ASC + "4.7.1."
SPLIT_CELL = ASC + "4.9.1."
SYSTEM_PATTERN = ASC + "4.14.0"
ACTION_PATTERN = ASC + "5.3.1.2."
CYCLE, OFFSET, SPLIT_NUMBER, SEQUENCE = 2, 3, 4, 5
"""Columns of the pattern table that may be written."""
SPLIT_TIME, SPLIT_MODE, SPLIT_COORDINATED = 3, 4, 5
"""Columns of the split table that may be written."""
MODES = (2, 3, 4, 5, 6)
"""Split modes that may be written: none and the recalls; a phase is never omitted."""
LAST_PATTERN = 253
"""254 is free, 255 is flash: neither is ever written as a pattern."""

Pair = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFacts:
    """A phase as the controller has it; yellow and red clearance in tenths of a second."""

    ring: int
    min_green_s: int
    walk_s: int
    ped_clear_s: int
    yellow_ds: int
    red_ds: int
    concurrent: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What was read from the controller: its enabled phases, tables, ring orders by sequence, and what runs."""

    phases: Mapping[int, PhaseFacts]
    max_patterns: int
    max_splits: int
    pattern_splits: Mapping[int, int]
    orders: Mapping[int, Sequence[Sequence[int]]]
    running: frozenset[int]
    action_patterns: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the push means to do: the rows it may fill, and what the plan took for granted."""

    pattern: int
    split: int
    coordinated: frozenset[int]
    walking: frozenset[int]
    clearance_ds: Mapping[int, tuple[int, int]]
    cycle_bounds_s: tuple[int, int]
    actions: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """All that is judged together: the row to fill, the objects that switch to it, what is meant, what is there."""

    row: Sequence[Pair]
    switch: Sequence[Pair]
    intent: Intent
    facts: DeviceFacts

    def pattern_value(self, column: int) -> int | None:
        """Value for a column of the intended pattern."""
        return dict(self.row).get(f"{PATTERN_CELL}{column}.{self.intent.pattern}")

    def split_values(self, column: int) -> dict[int, int]:
        """Phase → value for a column of the intended split."""
        start = f"{SPLIT_CELL}{column}.{self.intent.split}."
        return {int(oid[len(start) :]): value for oid, value in self.row if oid.startswith(start)}

    def order(self) -> Sequence[Sequence[int]]:
        """Enabled phases of each ring in the order of the sequence that is chosen."""
        number = self.pattern_value(SEQUENCE)
        rings = self.facts.orders.get(number, ()) if number is not None else ()
        return [[phase for phase in ring if phase in self.facts.phases] for ring in rings]


def writable_cells(pattern: int, split: int) -> set[str]:
    """Objects of a row that may be written."""
    cells = {f"{PATTERN_CELL}{column}.{pattern}" for column in (CYCLE, OFFSET, SPLIT_NUMBER, SEQUENCE)}
    columns = (SPLIT_TIME, SPLIT_MODE, SPLIT_COORDINATED)
    return cells | {f"{SPLIT_CELL}{column}.{split}.{phase}" for column in columns for phase in range(1, 256)}


def commands(actions: Iterable[int]) -> set[str]:
    """Objects that may switch patterns."""
    return {SYSTEM_PATTERN} | {f"{ACTION_PATTERN}{action}" for action in actions}


def only_writable(sending: Sending) -> Iterator[str]:
    """Nothing but pattern and split cells of the intended rows, and the pattern command or the intended actions."""
    cells, allowed = writable_cells(sending.intent.pattern, sending.intent.split), commands(sending.intent.actions)
    for oid, _ in sending.row:
        if oid not in cells:
            yield f"{oid} is none of the cells that may be written"
    for oid, _ in sending.switch:
        if oid not in allowed:
            yield f"{oid} is no command that may be given"


def whole_numbers(sending: Sending) -> Iterator[str]:
    """Every value is a whole number of one octet."""
    for oid, value in (*sending.row, *sending.switch):
        if type(value) is not int or not 0 <= value <= 255:
            yield f"{oid}: {value!r} is no whole number from 0 to 255"


def each_once(sending: Sending) -> Iterator[str]:
    """No object twice."""
    names = [oid for oid, _ in (*sending.row, *sending.switch)]
    for oid in sorted({name for name in names if names.count(name) > 1}):
        yield f"{oid} is to be written more than once"


def complete(sending: Sending) -> Iterator[str]:
    """The whole pattern, and time, mode and flag of every enabled phase: no rest of an old plan may remain."""
    for column in (CYCLE, OFFSET, SPLIT_NUMBER, SEQUENCE):
        if sending.pattern_value(column) is None:
            yield f"pattern {sending.intent.pattern} lacks column {column}"
    for column in (SPLIT_TIME, SPLIT_MODE, SPLIT_COORDINATED):
        for phase in sorted(set(sending.facts.phases) - set(sending.split_values(column))):
            yield f"split {sending.intent.split} lacks column {column} of phase {phase}"


def rows_exist(sending: Sending) -> Iterator[str]:
    """Pattern and split lie within the controller's tables."""
    most = min(LAST_PATTERN, sending.facts.max_patterns)
    if not 1 <= sending.intent.pattern <= most:
        yield f"pattern {sending.intent.pattern} is not among the controller's 1 to {most}"
    if not 1 <= sending.intent.split <= sending.facts.max_splits:
        yield f"split {sending.intent.split} is not among the controller's 1 to {sending.facts.max_splits}"


def pattern_idle(sending: Sending) -> Iterator[str]:
    """The pattern neither runs nor is named by a command or an action of the day."""
    pattern = sending.intent.pattern
    if pattern in sending.facts.running:
        yield f"pattern {pattern} is running"
    for action, named in sorted(sending.facts.action_patterns.items()):
        if named == pattern:
            yield f"pattern {pattern} is what action {action} of the day runs"


def split_idle(sending: Sending) -> Iterator[str]:
    """No other pattern uses the split."""
    for pattern, split in sorted(sending.facts.pattern_splits.items()):
        if split == sending.intent.split and pattern != sending.intent.pattern:
            yield f"split {split} is also used by pattern {pattern}"


def split_named(sending: Sending) -> Iterator[str]:
    """The pattern names the split that is written with it."""
    named = sending.pattern_value(SPLIT_NUMBER)
    if named is not None and named != sending.intent.split:
        yield f"pattern {sending.intent.pattern} names split {named}, written is {sending.intent.split}"


def cycle_in_bounds(sending: Sending) -> Iterator[str]:
    """The cycle lies within the controller's range."""
    low, high = sending.intent.cycle_bounds_s
    cycle = sending.pattern_value(CYCLE)
    if cycle is not None and not low <= cycle <= high:
        yield f"cycle {cycle} s is outside {low} to {high} s"


def offset_below_cycle(sending: Sending) -> Iterator[str]:
    """An offset of the cycle or more would mean free running."""
    cycle, offset = sending.pattern_value(CYCLE), sending.pattern_value(OFFSET)
    if cycle is not None and offset is not None and offset >= cycle:
        yield f"offset {offset} s is not below the cycle of {cycle} s"


def sequence_serves_all(sending: Sending) -> Iterator[str]:
    """The sequence exists and serves every enabled phase once, in its own ring."""
    number = sending.pattern_value(SEQUENCE)
    if number is not None and number not in sending.facts.orders:
        yield f"the controller has no sequence {number}"
        return
    rings = sending.order()
    served = [phase for ring in rings for phase in ring]
    for phase, facts in sorted(sending.facts.phases.items()):
        if number is not None and served.count(phase) != 1:
            yield f"sequence {number} serves phase {phase} {served.count(phase)} times"
        elif number is not None and not (facts.ring <= len(rings) and phase in rings[facts.ring - 1]):
            yield f"sequence {number} does not serve phase {phase} in its ring {facts.ring}"


def rings_fill_cycle(sending: Sending) -> Iterator[str]:
    """The splits of each ring add up to the cycle."""
    times, cycle = sending.split_values(SPLIT_TIME), sending.pattern_value(CYCLE)
    for number, ring in enumerate(sending.order(), start=1):
        total = _seconds(times, ring)
        if ring and total != cycle:
            yield f"the splits of ring {number} add up to {total} s, the cycle is {cycle} s"


def barriers_meet(sending: Sending) -> Iterator[str]:
    """Phases of two rings that may not run together never do: both rings reach each barrier at the same second."""
    times = sending.split_values(SPLIT_TIME)
    spans = {
        phase: (_seconds(times, ring[:n]), _seconds(times, [*ring[:n], phase]))
        for ring in sending.order()
        for n, phase in enumerate(ring)
    }
    phases = sending.facts.phases
    for a, b in combinations(sorted(spans), 2):
        together = min(spans[a][1], spans[b][1]) - max(spans[a][0], spans[b][0])
        if phases[a].ring != phases[b].ring and b not in phases[a].concurrent and together > 0:
            yield f"phases {a} and {b} may not run together, but would for {together} s"


def _seconds(times: Mapping[int, int], phases: Sequence[int]) -> int:
    return sum(times[phase] for phase in phases if phase in times)


def splits_long_enough(sending: Sending) -> Iterator[str]:
    """Each split holds the least green (or walk and its clearance), yellow and red clearance of the controller."""
    times = sending.split_values(SPLIT_TIME)
    for phase, facts in sorted(sending.facts.phases.items()):
        on_foot_s = facts.walk_s + facts.ped_clear_s if phase in sending.intent.walking else 0
        need_ds = 10 * max(facts.min_green_s, on_foot_s) + facts.yellow_ds + facts.red_ds
        if phase in times and 10 * times[phase] < need_ds:
            yield f"split of phase {phase} is {times[phase]} s, the controller needs {need_ds / 10:g} s"


def coordinated_as_meant(sending: Sending) -> Iterator[str]:
    """Exactly the intended phases carry the flag."""
    flags = sending.split_values(SPLIT_COORDINATED)
    for phase, flag in sorted(flags.items()):
        if flag != int(phase in sending.intent.coordinated):
            yield f"phase {phase} has the coordination flag {flag}"


def coordinated_together(sending: Sending) -> Iterator[str]:
    """One coordinated phase per ring, at least one, and all of them may run together."""
    flagged = sorted(p for p, flag in sending.split_values(SPLIT_COORDINATED).items() if flag == 1)
    known = [phase for phase in flagged if phase in sending.facts.phases]
    if not known:
        yield "no phase is coordinated"
    for n, a in enumerate(known):
        for b in known[n + 1 :]:
            if sending.facts.phases[a].ring == sending.facts.phases[b].ring:
                yield f"phases {a} and {b} of one ring are both coordinated"
            elif b not in sending.facts.phases[a].concurrent:
                yield f"coordinated phases {a} and {b} lie on two sides of a barrier"


def only_enabled(sending: Sending) -> Iterator[str]:
    """No split for a phase that the controller has disabled."""
    for column in (SPLIT_TIME, SPLIT_MODE, SPLIT_COORDINATED):
        for phase in sorted(set(sending.split_values(column)) - set(sending.facts.phases)):
            yield f"phase {phase} is not enabled, but column {column} of it is to be written"


def modes_allowed(sending: Sending) -> Iterator[str]:
    """Split modes are none or a recall; nothing is omitted."""
    for phase, mode in sorted(sending.split_values(SPLIT_MODE).items()):
        if mode not in MODES:
            yield f"split mode {mode} of phase {phase} is not allowed"


def clearance_as_planned(sending: Sending) -> Iterator[str]:
    """Yellow and red clearance are the controller's own; the plan must have reckoned with them."""
    for phase, facts in sorted(sending.facts.phases.items()):
        planned = sending.intent.clearance_ds.get(phase)
        if planned != (facts.yellow_ds, facts.red_ds):
            has = f"{facts.yellow_ds / 10:g} s and {facts.red_ds / 10:g} s"
            meant = "nothing" if planned is None else f"{planned[0] / 10:g} s and {planned[1] / 10:g} s"
            yield f"phase {phase} has yellow and red of {has}, the plan reckons with {meant}"


def switches_to_row(sending: Sending) -> Iterator[str]:
    """Every command switches to the row that is written: never to free, flash or another pattern."""
    if not sending.switch:
        yield "nothing switches to the new pattern"
    for oid, value in sending.switch:
        if value != sending.intent.pattern:
            yield f"{oid}: commands pattern {value}, written is {sending.intent.pattern}"


Rule = Callable[[Sending], Iterator[str]]

FORM: tuple[Rule, ...] = (only_writable, whole_numbers, each_once)
"""Rules of form; where one is broken the others are not asked."""

RULES: tuple[Rule, ...] = (
    complete,
    rows_exist,
    pattern_idle,
    split_idle,
    split_named,
    cycle_in_bounds,
    offset_below_cycle,
    sequence_serves_all,
    rings_fill_cycle,
    barriers_meet,
    splits_long_enough,
    coordinated_as_meant,
    coordinated_together,
    only_enabled,
    modes_allowed,
    clearance_as_planned,
    switches_to_row,
)


@dataclass(frozen=True, slots=True)
class Permit:
    """The pairs of object and value that may leave, and no others."""

    pairs: frozenset[Pair]

    def covers(self, pairs: Sequence[Pair]) -> bool:
        """Whether all of them may leave."""
        return bool(pairs) and all(pair in self.pairs and type(pair[1]) is int for pair in pairs)


NOTHING = Permit(frozenset())


def faults(sending: Sending) -> list[str]:
    """Every reason for which the values may not leave."""
    found = [text for rule in FORM for text in rule(sending)]
    return found or [text for rule in RULES for text in rule(sending)]


def let_through(sending: Sending) -> tuple[Permit, list[str]]:
    """The permit of what is to be sent; with faults, a permit for nothing."""
    found = faults(sending)
    return (NOTHING if found else Permit(frozenset((*sending.row, *sending.switch)))), found


def let_back(kept: Mapping[str, int], *, pattern: int, split: int, actions: Iterable[int]) -> Permit:
    """The permit of a rollback: cells of the same row and its commands, with the values that were read before."""
    allowed = writable_cells(pattern, split) | commands(actions)
    octets = ((oid, value) for oid, value in kept.items() if type(value) is int and 0 <= value <= 255)
    return Permit(frozenset((oid, value) for oid, value in octets if oid in allowed))

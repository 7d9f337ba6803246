"""The last gate for interfaces that take interval tables: judges the very table that leaves, in plain code.

Like `gate`, it imports the standard library only and trusts nothing about where the table comes from. The table that
is in force on the other side is the yardstick, where there is one: yellow and clearance stay as they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

GREEN, YELLOW = "Gg", "yY"
LETTERS = frozenset("GgyYrRusoO")
LEAST_YELLOW_S = 3.0
LONGEST_CLEARANCE_S = 12.0
"""Longer times between two greens are not their clearance: other stages lie between them."""
TINY_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An interval table as it leaves: rows of (seconds, letters), cycle and offset."""

    cycle_s: float
    offset_s: float
    rows: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSending:
    """A table to be sent, and the one in force (none at the first time); bounds of the cycle. [s]"""

    table: Table
    in_force: Table | None
    cycle_bounds_s: tuple[int, int]


def rows_well_formed(sending: TableSending) -> Iterator[str]:
    """At least one row, equally many known letters in each, every duration above 0."""
    rows = sending.table.rows
    if not rows or len({len(state) for _, state in rows}) != 1:
        yield "rows have no letters or differently many"
    for duration_s, state in rows:
        if not duration_s > 0:
            yield f"a row lasts {duration_s} s"
        if set(state) - LETTERS:
            yield f"unknown letters in {state!r}"


def rows_fill_cycle(sending: TableSending) -> Iterator[str]:
    """The rows add up to the cycle."""
    total_s = sum(duration_s for duration_s, _ in sending.table.rows)
    if abs(total_s - sending.table.cycle_s) > TINY_S:
        yield f"the rows add up to {total_s:g} s, the cycle is {sending.table.cycle_s:g} s"


def cycle_within(sending: TableSending) -> Iterator[str]:
    """The cycle lies within its bounds."""
    low, high = sending.cycle_bounds_s
    if not low <= sending.table.cycle_s <= high:
        yield f"cycle {sending.table.cycle_s:g} s is outside {low} to {high} s"


def offset_within(sending: TableSending) -> Iterator[str]:
    """The offset lies within the cycle."""
    if not 0 <= sending.table.offset_s < sending.table.cycle_s:
        yield f"offset {sending.table.offset_s:g} s is not from 0 to below the cycle"


def green_ends_in_yellow(sending: TableSending) -> Iterator[str]:
    """No link that turns from green to red without yellow, unless it does so in the table in force (crossings do)."""
    abrupt = _abrupt(sending.in_force) if sending.in_force is not None else None
    for index in sorted(_abrupt(sending.table)):
        if abrupt is not None and index not in abrupt:
            yield f"link {index} turns from green to red without yellow"


def yellow_as_in_force(sending: TableSending) -> Iterator[str]:
    """No yellow shorter than the shortest that the link has now; at the first time, none below 3 s."""
    now = _yellows(sending.in_force) if sending.in_force is not None else {}
    for index, length_s in sorted(_yellows(sending.table).items()):
        least_s = now.get(index, LEAST_YELLOW_S)
        if length_s < least_s - TINY_S:
            yield f"link {index} has {length_s:g} s of yellow, needs {least_s:g} s"


def greens_together_as_in_force(sending: TableSending) -> Iterator[str]:
    """No two links green together that never are in the table in force."""
    if sending.in_force is None:
        return
    now = _pairs(sending.in_force)
    for a, b in sorted(_pairs(sending.table) - now):
        yield f"links {a} and {b} would be green together, which they never are now"


def clearance_as_in_force(sending: TableSending) -> Iterator[str]:
    """From the green of one link to that of another at least the shortest time that is between them now, up to 12 s."""
    if sending.in_force is None:
        return
    now = _gaps(sending.in_force)
    for pair, gap_s in sorted(_gaps(sending.table).items()):
        if pair in now and gap_s < min(now[pair], LONGEST_CLEARANCE_S) - TINY_S:
            yield f"{gap_s:g} s between the greens of links {pair[0]} and {pair[1]}, now it is {now[pair]:g} s"


TableRule = Callable[[TableSending], Iterator[str]]

TABLE_RULES: tuple[TableRule, ...] = (
    rows_fill_cycle,
    cycle_within,
    offset_within,
    green_ends_in_yellow,
    yellow_as_in_force,
    greens_together_as_in_force,
    clearance_as_in_force,
)


def table_faults(sending: TableSending) -> list[str]:
    """Every reason for which the table may not leave."""
    form = list(rows_well_formed(sending))
    if not form and sending.in_force is not None:
        old, new = len(_indices(sending.in_force)), len(_indices(sending.table))
        form += [f"{new} letters per row, in force are {old}"] if old != new else []
    return form or [text for rule in TABLE_RULES for text in rule(sending)]


def _runs(table: Table, index: int) -> list[tuple[float, float, str]]:
    """(begin, length, kind) of a link's greens, yellows and reds around the cycle."""
    runs: list[tuple[float, float, str]] = []
    now_s = 0.0
    for duration_s, state in table.rows:
        kind = "green" if state[index] in GREEN else "yellow" if state[index] in YELLOW else "red"
        if runs and runs[-1][2] == kind:
            runs[-1] = (runs[-1][0], runs[-1][1] + duration_s, kind)
        else:
            runs.append((now_s, duration_s, kind))
        now_s += duration_s
    if len(runs) != 1 and runs[0][2] == runs[-1][2]:
        last = runs.pop()
        runs[0] = (last[0], last[1] + runs[0][1], last[2])
    return runs


def _indices(table: Table) -> range:
    return range(len(table.rows[0][1]))


def _abrupt(table: Table) -> set[int]:
    out = set()
    for index in _indices(table):
        states = [state[index] for _, state in table.rows]
        if any(a in GREEN and b in "rRu" for a, b in zip(states, states[1:] + states[:1], strict=True)):
            out.add(index)
    return out


def _yellows(table: Table) -> dict[int, float]:
    """Shortest yellow of each link that has one."""
    found = ((k, length_s) for k in _indices(table) for _, length_s, kind in _runs(table, k) if kind == "yellow")
    out: dict[int, float] = {}
    for index, length_s in found:
        out[index] = min(length_s, out.get(index, length_s))
    return out


def _pairs(table: Table) -> set[tuple[int, int]]:
    out = set()
    for _, state in table.rows:
        green = [k for k, letter in enumerate(state) if letter in GREEN]
        out |= set(combinations(green, 2))
    return out


def _gaps(table: Table) -> dict[tuple[int, int], float]:
    """(a, b) → shortest time from the end of a's green to the next begin of b's, for links never green together."""
    together = _pairs(table)
    greens = {k: [(s, d) for s, d, kind in _runs(table, k) if kind == "green"] for k in _indices(table)}
    out: dict[tuple[int, int], float] = {}
    for a in greens:
        for b in greens:
            if a == b or (min(a, b), max(a, b)) in together or not greens[b]:
                continue
            gaps = [
                (begin_s - start_s - length_s) % table.cycle_s
                for start_s, length_s in greens[a]
                for begin_s, _ in greens[b]
            ]
            if gaps:
                out[(a, b)] = min(gaps)
    return out

"""The gate of interval tables: every rule stops its case, and stopping fails without the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from its.push import gate_table
from its.push.gate_table import TABLE_RULES, Table, TableSending, table_faults
from tests.its.push.mutants import survivors

ROWS = [(27.0, "Grg"), (3.0, "yrg"), (2.0, "rrr"), (23.0, "rGr"), (3.0, "ryr"), (2.0, "rrr")]
SOUND = Table(cycle_s=60.0, offset_s=5.0, rows=ROWS)


def sending(change: Callable[[Table], Table], *, first: bool = False) -> TableSending:
    """The changed table against the sound one."""
    in_force = None if first else SOUND
    return TableSending(table=change(SOUND), in_force=in_force, cycle_bounds_s=(30, 120))


def row(n: int, duration_s: float | None = None, state: str | None = None) -> Callable[[Table], Table]:
    """One row that differs."""

    def change(table: Table) -> Table:
        rows = list(table.rows)
        rows[n] = (duration_s if duration_s is not None else rows[n][0], state or rows[n][1])
        return replace(table, rows=rows, cycle_s=sum(d for d, _ in rows))

    return change


CASES = [
    ("rows_fill_cycle", sending(lambda t: replace(t, cycle_s=61.0)), "rows add up to 60 s"),
    ("cycle_within", sending(row(0, 100.0)), "cycle 133 s is outside"),
    (
        "cycle_within",
        TableSending(table=row(0, 0.5)(SOUND), in_force=None, cycle_bounds_s=(34, 120)),
        "cycle 33.5 s is outside",
    ),
    ("offset_within", sending(lambda t: replace(t, offset_s=60.0)), "offset 60 s"),
    ("offset_within", sending(lambda t: replace(t, offset_s=-1.0)), "offset -1 s"),
    ("green_ends_in_yellow", sending(row(1, 3.0, "rrg")), "link 0 turns from green to red"),
    ("yellow_as_in_force", sending(row(1, 2.5)), "link 0 has 2.5 s of yellow"),
    ("yellow_as_in_force", sending(row(1, 2.5), first=True), "needs 3 s"),
    ("greens_together_as_in_force", sending(row(3, None, "rGg")), "links 1 and 2 would be green together"),
    ("clearance_as_in_force", sending(row(2, 1.0)), "4 s between the greens of links 0 and 1, now it is 5 s"),
]


@pytest.mark.parametrize(("rule", "case", "says"), CASES)
def test_each_rule_stops_its_case(rule: str, case: TableSending, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule the reason is there, without it is not."""
    assert any(says in text for text in table_faults(case))
    monkeypatch.setattr(gate_table, "TABLE_RULES", tuple(r for r in TABLE_RULES if r.__name__ != rule))
    assert not any(says in text for text in table_faults(case))


def split(table: Table) -> Table:
    """The same, with greens and yellows in two rows each."""
    rows = [part for d, s in table.rows for part in ((1.0, s), (d - 1.0, s))]
    return replace(table, rows=rows)


SOUND_CHANGES: list[Callable[[Table], Table]] = [
    lambda t: t,
    row(0, 40.0),
    row(2, 5.0),
    lambda t: replace(t, offset_s=59.0),
    lambda t: replace(t, offset_s=0.0),
    row(0, 87.0),
    row(0, 1.0),
    split,
]


STILL = Table(cycle_s=60.0, offset_s=0.0, rows=[(60.0, "Grg")])
"""One row: nothing ever changes."""
SOUND_SENDINGS = [
    TableSending(table=SOUND, in_force=SOUND, cycle_bounds_s=(60, 120)),
    TableSending(table=SOUND, in_force=SOUND, cycle_bounds_s=(30, 60)),
    TableSending(table=STILL, in_force=STILL, cycle_bounds_s=(30, 120)),
]
EQUIVALENT = ("- TINY_S | Lt>LtE", "> TINY_S | Gt>GtE")
"""Mutants that no case can tell apart: equality of fractions to a millionth of a second."""


def test_every_rule_has_a_case() -> None:
    """None is idle."""
    assert {rule.__name__ for rule in TABLE_RULES} == {rule for rule, _, _ in CASES}


def test_sound_tables_pass() -> None:
    """The same, longer greens, a later offset; the first time and against what is in force."""
    for change in SOUND_CHANGES:
        assert table_faults(sending(change)) == []
        assert table_faults(sending(change, first=True)) == []


MALFORMED = [
    (lambda t: replace(t, rows=[]), "no letters"),
    (row(0, None, "Gr"), "differently many"),
    (row(0, None, "GrX"), "unknown letters"),
    (row(2, 0.0), "a row lasts 0.0 s"),
    (row(2, float("nan")), "a row lasts nan s"),
    (lambda t: replace(t, rows=[(d, s + "r") for d, s in t.rows]), "4 letters per row, in force are 3"),
]


@pytest.mark.parametrize(("change", "says"), MALFORMED)
def test_malformed_tables_are_stopped_first(change: Callable[[Table], Table], says: str) -> None:
    """Before any rule looks at them."""
    assert any(says in text for text in table_faults(sending(change)))


def turned(table: Table, by: int) -> Table:
    """The same program, begun at another row."""
    return replace(table, rows=[*table.rows[by:], *table.rows[:by]])


def verdicts(module: ModuleType) -> list[str]:
    """Where a gate does not do as the cases say; an exception counts."""
    out = []
    stopped = [(case, says) for _, case, says in CASES if "|" not in says]
    stopped += [(sending(change), says) for change, says in MALFORMED]
    stopped += [
        (replace(c, table=turned(c.table, k)), s) for _, c, s in CASES[4:] for k in (1, 3, 5) if "offset" not in s
    ]
    for case, says in stopped:
        try:
            found = module.table_faults(case)
        except Exception as error:
            found = [repr(error)]
        if not any(says in text for text in found):
            out.append(f"{says}: {found}")
    for change in SOUND_CHANGES:
        for first in (False, True):
            for k in range(2 * len(ROWS)):
                case = sending(lambda t, c=change, k=k: turned(c(t), k), first=first)
                try:
                    found = module.table_faults(case)
                except Exception as error:
                    found = [repr(error)]
                out += found
    for case in SOUND_SENDINGS:
        try:
            out += module.table_faults(case)
        except Exception as error:
            out.append(repr(error))
    return out


@pytest.mark.slow
def test_no_mutant_survives() -> None:
    """Every small change of the code is noticed by a case."""
    n, alive = survivors(Path(str(gate_table.__file__)), verdicts)
    assert n > 60
    assert [name for name in alive if not name.endswith(EQUIVALENT)] == []

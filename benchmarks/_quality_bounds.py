"""What is asked of the engine's plans on the judged networks, and whether the measured rows meet it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks._quality_methods import METHODS
from benchmarks.tables import Cell, Column, Table

Rows = Mapping[tuple[str, str], Mapping[str, Cell]]
"""Rows of the table by case and method."""

COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="what", heading="what is asked"),
    Column(key="measured", heading="measured s/veh", spec=".1f"),
    Column(key="bound", heading="bound s/veh", spec=".1f"),
    Column(key="verdict", heading="verdict"),
)
MET, NOT_MET, UNKNOWN = "met", "not met", "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A delay that a method is to stay below at a share of the demand.

    The bound is a number, another method's row, or a factor on the best row of all other fixed plans.
    """

    case: str
    method: str
    percent: int = 100
    at_most_s: float | None = None
    below: str = ""
    factor: float | None = None

    def what(self) -> str:
        """In words."""
        label = METHODS[self.method].label
        at = f"{label} at {self.percent} % of the demand" if self.percent != 100 else label
        if self.at_most_s is not None:
            return f"{at}: at most {self.at_most_s:g}"
        if self.below:
            return f"{at}: not above {METHODS[self.below].label}"
        return f"{at}: {1 - (self.factor or 1):.0%} below the best other fixed plan"


def _bounds() -> tuple[Bound, ...]:
    at_most: dict[Literal["keep", "free"], dict[str, float]] = {
        "keep": {"cologne8": 42, "cologne1": 39, "cologne3": 36, "grid4x4": 60},
        "free": {"cologne8": 30, "cologne1": 28, "cologne3": 25},
    }
    out = [
        Bound(case=case, method=f"{turns}60", at_most_s=limit_s)
        for turns, limits in at_most.items()
        for case, limit_s in limits.items()
    ]
    for case in at_most["free"]:
        out.append(Bound(case=case, method="warrant60", below="keep60"))
        out.append(Bound(case=case, method="free60", below="warrant60"))
    for case, at_full in (("bologna_pasubio", 0.92), ("bologna_acosta", 0.97)):
        for percent in (60, 80):
            # an hour with less traffic: as a case of its own, whose loops counted it and for which all plans are made,
            # and under the plans made for the full demand
            out.append(Bound(case=f"{case}_{percent}", method="keep60", factor=0.85))
            out.append(Bound(case=case, method="keep60", percent=percent, factor=0.85))
        out.append(Bound(case=case, method="keep60", factor=at_full))
    return tuple(out)


BOUNDS = _bounds()


def judged(bound: Bound, rows: Rows) -> dict[str, Cell]:
    """One line of the second table, computed from the rows."""
    row: dict[str, Cell] = {"case": bound.case, "what": bound.what(), "method": bound.method, "percent": bound.percent}
    measured = _delay(rows, bound.case, bound.method, bound.percent)
    limit = _limit(bound, rows)
    row |= {"measured": measured, "bound": limit}
    if measured is None or limit is None:
        return row | {"verdict": UNKNOWN}
    if rows[bound.case, bound.method].get("check_ok") is False:
        return row | {"verdict": f"{NOT_MET}: rejected by the check"}
    return row | {"verdict": MET if measured <= limit else NOT_MET}


def _delay(rows: Rows, case: str, method: str, percent: int) -> float | None:
    value = rows.get((case, method), {}).get(f"delay_{percent}_s_per_veh")
    return float(value) if isinstance(value, int | float) else None


def _limit(bound: Bound, rows: Rows) -> float | None:
    if bound.at_most_s is not None:
        return bound.at_most_s
    if bound.below:
        return _delay(rows, bound.case, bound.below, bound.percent)
    others = [method.name for method in METHODS.values() if method.fixed]
    if any((bound.case, name) not in rows for name in others):
        # the best of some says nothing of the best of all
        return None
    made = [name for name in others if not rows[bound.case, name].get("error")]
    delays = [_delay(rows, bound.case, name, bound.percent) for name in made]
    known = [delay for delay in delays if delay is not None]
    return (bound.factor or 1) * min(known) if known and len(known) == len(delays) else None


def bounds_table(rows: Sequence[Mapping[str, Cell]], cases: Sequence[str]) -> Table:
    """The second table: every line of the cases that ran."""
    by_key = {(str(row["case"]), str(row["method"])): row for row in rows}
    lines = [judged(bound, by_key) for bound in BOUNDS if bound.case in cases]
    return Table(
        title="Quality: what is asked of the engine",
        columns=COLUMNS,
        rows=lines,
        notes=[
            "the best other fixed plan is known once all of them are measured; those that the check rejects count too"
        ],
        failed=any(str(line["verdict"]).startswith(NOT_MET) for line in lines),
    )

"""What the quality check of counts finds, how well it repairs, and how fast it is.

Four parts: seeded faults of every kind in clean stretches of counts; the published totals of Münster's faults; known
counts hidden and repaired; a day of 100,000 detectors in parquet.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date

from benchmarks._count_faults import KINDS, checked, put_faults, scores
from benchmarks._count_muenster import totals_rows
from benchmarks._count_repair import repair_rows
from benchmarks._count_scale import scale_row
from benchmarks._count_stretches import Stretch, muenster, muenster_stretch, odot, odot_stretch, synthetic_stretch
from benchmarks.tables import Cell, Column, Options, Table

PRECISION, RECALL = 0.95, 0.9
MOST_S, MOST_GIB = 120.0, 4.0
FIRST_SEED = 20_000
"""Seeds from here on were never looked at while the rules were made."""
ALL = "all stretches"
OREGON = "oregon 15 min"
NO_HISTORY = frozenset({"missing", "negative", "impossible", "pulse", "stuck", "dead", "duplicate", "late"})
"""Kinds that can be told without a usual week."""
SEEDS, QUICK_SEEDS = 12, 2
COLUMNS = (
    Column(key="part", heading="part"),
    Column(key="case", heading="case"),
    Column(key="kind", heading="kind"),
    Column(key="put_in", heading="put in / published", spec=",.4g"),
    Column(key="precision", heading="precision", spec=".3f"),
    Column(key="recall", heading="recall", spec=".3f"),
    Column(key="found", heading="found", spec=",.4g"),
    Column(key="error_veh", heading="median error veh", spec=".2f"),
    Column(key="median_error_veh", heading="by weekday median", spec=".2f"),
    Column(key="within_sd", heading="within ± sd", spec=".0%"),
    Column(key="seconds", heading="s", spec=".1f"),
    Column(key="gib", heading="GiB", spec=".2f"),
    Column(key="why", heading="remark"),
)
LEGEND = (
    "Faults: precision and recall per detector and day (per detector for drift) of faults drawn by seeds that were not "
    "used while the rules were made, in stretches that were not either; counts go through a file and its reader.",
    "Oregon: three weeks with Christmas and New Year have no usual week; only faults that need none are judged there.",
    "Münster: the totals that the data's README publishes, by its own definitions, and what the default rules say.",
    "Repair: known counts hidden (single ones, three hours, whole days); the error of stand-ins beside that of the "
    "median of the other days of that weekday and time.",
    "Scale: one day of 5-minute counts of 100,000 loops with faults among them, parquet, read and checked in a process "
    "of its own.",
)


def benchmark(options: Options) -> Table:
    """All parts (quick: fewer seeds, a tenth of the detectors)."""
    parts: dict[str, Callable[[bool], Sequence[dict[str, Cell]]]] = {
        "faults": fault_rows,
        "muenster": lambda _: totals_rows(),
        "repair": repair_rows,
        "scale": lambda quick: [scale_row(10_000 if quick else 100_000)],
    }
    rows: list[dict[str, Cell]] = []
    for name in options.chosen(list(parts), list(parts)):
        began_s = time.monotonic()
        rows += parts[name](options.quick)
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
    broken = [text for row in rows if (text := broken_promise(row))]
    return Table(
        title="Quality check of counts", columns=COLUMNS, rows=rows, notes=[*LEGEND, *broken], failed=bool(broken)
    )


def broken_promise(row: dict[str, Cell]) -> str | None:
    """What a row falls short of, in words."""
    where = f"{row['part']}, {row['case']}, {row.get('kind')}"
    values = {key: float(value) for key, value in row.items() if isinstance(value, int | float)}
    if row["part"] == "faults" and (values["precision"] < PRECISION or values["recall"] < RECALL):
        return f"{where}: precision {values['precision']:.3f}, recall {values['recall']:.3f}"
    if row["part"] == "repair" and values["error_veh"] >= values["median_error_veh"]:
        return f"{where}: no better than the weekday median"
    if row["part"] == "scale" and (values["seconds"] > MOST_S or values["gib"] > MOST_GIB):
        return f"{where}: {values['seconds']:.0f} s, {values['gib']:.1f} GiB"
    if row["part"] == "muenster" and row.get("put_in") is not None and row["put_in"] != row["found"]:
        return f"{where}: published {row['put_in']}, found {row['found']}"
    return None


def fault_rows(quick: bool) -> list[dict[str, Cell]]:
    """Precision and recall per kind and stretch."""
    rows: list[dict[str, Cell]] = []
    everywhere: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for name, stretch_of in held_out().items():
        total: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        for seed in range(FIRST_SEED, FIRST_SEED + (QUICK_SEEDS if quick else SEEDS)):
            faulty = put_faults(stretch_of(seed), seed)
            for kind, counts in scores(faulty, checked(faulty)).items():
                total[kind].update(counts)
        for kind, counts in total.items():
            if counts["true"] + counts["missed"] and (name != OREGON or kind in NO_HISTORY):
                rows.append(fault_row(name, kind, counts))
                everywhere[kind].update(counts)
    return [*rows, *(fault_row(ALL, kind, counts) for kind, counts in everywhere.items())]


def fault_row(case: str, kind: str, counts: Counter[str]) -> dict[str, Cell]:
    """One kind in one stretch."""
    said, put_in = counts["true"] + counts["false"], counts["true"] + counts["missed"]
    return {
        "part": "faults",
        "case": case,
        "kind": kind,
        "put_in": put_in,
        "found": said,
        "precision": round(counts["true"] / max(said, 1), 4),
        "recall": round(counts["true"] / max(put_in, 1), 4),
    }


def held_out() -> dict[str, Callable[[int], Stretch]]:
    """Stretches that nothing was set by: autumn in Münster (February and March served for that), Oregon, new roads."""
    year = muenster()
    autumn = muenster_stretch(year, date(2015, 9, 7), 42, date(2015, 9, 28))
    spring = muenster_stretch(year, date(2015, 9, 7), 42, date(2015, 3, 9))
    oregon = odot_stretch(odot())
    return {
        "muenster hourly, autumn": lambda _: autumn,
        "muenster hourly, as spring": lambda _: spring,
        OREGON: lambda _: oregon,
        "synthetic 15 min": lambda seed: synthetic_stretch(seed, interval_s=900.0, first=date(2026, 10, 12)),
        "synthetic 5 min": synthetic_stretch,
    }

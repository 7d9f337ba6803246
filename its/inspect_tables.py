"""What stands in tables: for `its inspect`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from network_data.counting.options import CountLayout
from network_data.counting.reader import has_counts, read_block
from network_data.errors import InputError
from network_data.formats import kinds
from network_data.formats.kinds import Kind, column_names
from network_data.tables import read_table, texts

DEMAND = "demand: --turns, or --detectors with --counts"
NETWORK = "the road network these belong to"
MAX_COLUMNS_NAMED = 8


@dataclass
class Seen:
    """One file or folder as it was found."""

    path: Path
    kind: Kind
    contents: dict[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def as_counts(seen: Seen, layout: CountLayout) -> bool:
    """Read a table as counts where it has the columns that a layout names; whether it has."""
    if seen.kind not in (kinds.UNKNOWN, kinds.COUNTS) or not has_counts(column_names(seen.path), layout):
        return False
    seen.kind = kinds.COUNTS
    block = read_block([seen.path], layout)
    days = [day for day in block.days if day is not None]
    seen.contents |= {
        "rows": block.tally.read,
        "detectors": len(block.detectors),
        "days of counts": len(block.days),
        "minutes an interval": round(block.interval_s / 60, 2),
        "counts": int(np.isfinite(block.veh).sum()),
    }
    if days:
        seen.contents |= {"from": str(min(days)), "to": str(max(days))}
    if block.tally.used < block.tally.read:
        seen.findings.append(block.tally.text)
    seen.notes += [*block.notes, "what is wrong with these counts: its counts check"]
    seen.missing += ["where the detectors lie: --detectors", NETWORK]
    return True


def table_of(seen: Seen) -> None:
    """A table whose columns mean nothing here: which they are, and how to tell what they mean."""
    if len(column_names(seen.path)) < 2:
        return
    try:
        table = read_table(seen.path)
    except InputError:
        return  # a text with commas in its first line
    if table.faults or not len(table):
        return
    seen.kind = kinds.TABLE
    names = list(table.columns)
    more = f", and {len(names) - MAX_COLUMNS_NAMED} more" if len(names) > MAX_COLUMNS_NAMED else ""
    seen.contents |= {"rows": len(table), "columns": len(names)}
    seen.notes.append(
        f"columns {', '.join(names[:MAX_COLUMNS_NAMED])}{more}; if these are counts, say what the columns mean in "
        "[counts] of --settings (docs/counts.md)"
    )
    seen.missing.append(f"what the columns of {seen.path.name} mean")


def _counts_table(seen: Seen) -> None:
    table = read_table(seen.path)
    seen.contents["rows"] = len(table)
    detectors = texts(table.columns["detector"])
    seen.contents["detectors"] = len(detectors.categories)
    if "begin" in table.columns:
        days = sorted({str(text)[:10] for text in texts(table.columns["begin"]).categories})
        seen.contents["days of counts"] = len(days)
        if days:
            seen.contents["from"], seen.contents["to"] = days[0], days[-1]
    else:
        seen.contents["days of counts"] = 1
    seen.findings += table.faults
    seen.missing += ["where the detectors lie: --detectors", NETWORK]


def _turns_table(seen: Seen) -> None:
    table = read_table(seen.path)
    seen.contents["rows"] = len(table)
    pairs = set(zip(*(texts(table.columns[c]).astype(object) for c in ("from_link", "to_link")), strict=True))
    seen.contents["turns"] = len(pairs)
    seen.findings += table.faults
    seen.missing.append(NETWORK)


def _detectors_table(seen: Seen) -> None:
    table = read_table(seen.path)
    seen.contents["detectors"] = len(table)
    seen.contents["links"] = len(texts(table.columns["link"]).categories)
    seen.findings += table.faults
    seen.missing += ["their counts: --counts", NETWORK]


TABLES: dict[Kind, Callable[[Seen], None]] = {
    kinds.COUNTS: _counts_table,
    kinds.TURNS: _turns_table,
    kinds.DETECTORS: _detectors_table,
}

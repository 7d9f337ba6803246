"""Reading count tables of any layout into a block: columns mapped by settings, every row accounted for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from network_data.counting.block import CountBlock
from network_data.counting.blocks import Collected, lay_out
from network_data.counting.clock import LocalTimes, clock_times, local_times
from network_data.counting.options import CountLayout
from network_data.errors import DemandError
from network_data.limits import name_fault
from network_data.tables import Table, capped, iter_tables, name_rows, need_columns, numbers, texts

FLOAT32 = NDArray[np.float32]
EXAMPLE = (
    "detector,begin_s,end_s,veh[,occupancy_pct,speed_mps] or detector,begin,end,veh,… in ISO 8601, "
    "or the layout told by [counts] of the settings"
)
TO_MPS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}
LARGEST = 1e30
NO_NAME = -1
MAX_FAULTS = 10_000
"""Faults of rows are collected up to here; what is worse is another kind of file."""


def read_block(
    paths: Sequence[Path | str], layout: CountLayout | None = None, known: frozenset[str] | None = None
) -> CountBlock:
    """Read one or several count files of one layout.

    Parameters
    ----------
    paths : sequence of path
        CSV, CSV.gz or parquet, by content. Several files are read as if they stood one below the other.
    layout : CountLayout, optional
        Which columns mean what; by default the engine's own layout.
    known : set of str, optional
        Detectors to use; rows of others are counted as refused and named. All by default.

    Returns
    -------
    CountBlock
        Numbers that are no possible count but can be read (negative, absurdly large) stay for the quality check; nan
        and inf are missing. `tally` and `notes` say what became of every row.

    Raises
    ------
    DemandError
        Columns are missing; or, unless the layout says to refuse bad rows, every row that cannot be read: text where a
        number or time belongs, fields missing, ends before begins, names with control characters.
    """
    layout = layout or CountLayout()
    _sound(layout)
    rows = _Rows(layout)
    for path in paths:
        rows.begin(path)
        for table in iter_tables(path, _columns(layout)):
            try:
                rows.add(path, table)
            except pa.ArrowException as error:
                raise DemandError(
                    str(path), f"a column holds neither text nor numbers nor times: {error}; export it as such"
                ) from None
    collected = rows.collected()
    return lay_out(collected, layout, known)


def _sound(layout: CountLayout) -> None:
    faults = layout.faults()
    if faults:
        raise DemandError("settings", faults)


def _columns(layout: CountLayout) -> set[str]:
    """Columns that may be read."""
    own = {"begin", "end", layout.begin_s, layout.end_s, layout.veh, layout.occupancy, layout.speed}
    named = {name for name in (layout.begin, layout.end, layout.date) if name is not None}
    return own | named | set(layout.name_columns) | set(layout.wide_columns()) | set(layout.lane_columns)


def has_counts(names: Collection[str], layout: CountLayout) -> bool:
    """Whether a table with columns of these names can be read by a layout."""
    layout_s = {layout.begin_s} if layout.date is None else {layout.begin_s, layout.date}
    times = [{layout.begin or "begin"}, layout_s] if not layout.wide else [{layout.date} if layout.date else set()]
    counted = set(layout.wide_columns()) or set(layout.lane_columns) or {layout.veh}
    have = {name.strip() for name in names}
    return any(set(layout.name_columns) | counted | time <= have for time in times)


Thing = TypeVar("Thing")
Kind = TypeVar("Kind", np.int32, np.float32)


@dataclass
class _Numbered(Generic[Thing]):
    """Distinct things in order of their first appearance, by number."""

    of: dict[Thing, int] = field(default_factory=dict)

    def numbers(self, things: Sequence[Thing]) -> NDArray[np.int32]:
        return np.array([self.of.setdefault(thing, len(self.of)) for thing in things], dtype=np.int32)


@dataclass
class _Rows:
    """All rows in a compact form: numbers of names and times, values, rows of the file."""

    layout: CountLayout
    names: _Numbered[str] = field(default_factory=_Numbered)
    number: dict[str, int] = field(default_factory=dict)
    times: _Numbered[tuple[object, ...]] = field(default_factory=_Numbered)
    kind: str = ""  # what the times are: texts, or seconds after midnight
    name: list[NDArray[np.int32]] = field(default_factory=list)
    time: list[NDArray[np.int32]] = field(default_factory=list)
    values: dict[str, list[FLOAT32]] = field(default_factory=dict)
    row: list[NDArray[np.int32]] = field(default_factory=list)
    files: list[tuple[str, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_read: int = 0
    n_bad: int = 0
    before: int = 0
    where: str = ""

    def begin(self, path: Path | str) -> None:
        """A new file: its rows are numbered on."""
        self.before = self.n_read
        self.where = str(path) if not self.where else f"{self.where}, {path}"
        self.files.append((Path(path).name, self.before))

    def add(self, path: Path | str, table: Table) -> None:
        """Take up one piece of a file."""
        layout = self.layout
        need_columns(path, table, _needed(layout, table), EXAMPLE)
        self.faults += table.faults
        self.n_bad += len(table.faults)
        self.n_read += len(table) + len(table.faults)
        name, bad = self._names(table)
        time = self._times(table)
        if layout.wide is not None:
            self._add_wide(table, name, time, bad)
            return
        columns = layout.lane_columns or {layout.veh: ""}
        for column, lane in columns.items():
            value, wrong = self._numbers(table, column)
            own = self._of_lane(name, lane) if lane else name
            rest = {
                "occupancy_pct": self._others(table, layout.occupancy),
                "speed_mps": self._others(table, layout.speed),
            }
            refused = bad | wrong
            for _, lacking in rest.values():
                refused |= lacking
            self._keep(own, time, value, {k: v for k, (v, _) in rest.items() if v is not None}, table.row, refused)

    def _add_wide(self, table: Table, name: NDArray[np.int32], day: NDArray[np.int32], bad: NDArray[np.bool_]) -> None:
        """One row is one day: a column per interval."""
        columns = self.layout.wide_columns()
        parts = [self._numbers(table, column) for column in columns]
        n = len(columns)
        refused = np.array([wrong for _, wrong in parts]).T | bad[:, None]
        self.n_bad -= int(refused.sum()) - int(refused.any(axis=1).sum())  # rows, not cells
        self._keep(
            np.repeat(name, n),
            (day[:, None] * n + np.arange(n, dtype=np.int32)).astype(np.int32).ravel(),
            np.stack([value for value, _ in parts], axis=1).ravel(),
            {},
            np.repeat(table.row, n),
            refused.ravel(),
        )

    def _keep(
        self,
        name: NDArray[np.int32],
        time: NDArray[np.int32],
        veh: FLOAT32,
        others: dict[str, FLOAT32],
        row: NDArray[np.int64],
        refused: NDArray[np.bool_],
    ) -> None:
        if refused.any():
            self.n_bad += int(refused.sum())
            good = ~refused
            name, time, veh, row = name[good], time[good], veh[good], row[good]
            others = {key: value[good] for key, value in others.items()}
        self.name.append(name)
        self.time.append(time)
        self.row.append((row + self.before).astype(np.int32))
        for key, value in {"veh": veh, **others}.items():
            self.values.setdefault(key, []).append(value)

    def _names(self, table: Table) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Detectors by number; rows whose name has a fault are said and marked."""
        columns = [texts(table.columns[name]) for name in self.layout.name_columns]
        if len(columns) == 1:
            codes, joined = np.asarray(columns[0].codes, dtype=np.int64), list(columns[0].categories)
        else:
            codes, tuples = _distinct([(c.codes, list(c.categories)) for c in columns])
            joined = [self.layout.joined_by.join(map(str, parts)) for parts in tuples]
        for name in joined:
            if name not in self.number:
                self.number[name] = self._number(name)
        numbered = np.array([self.number[name] for name in joined], dtype=np.int32)
        bad = (numbered == NO_NAME)[codes]
        for i in np.flatnonzero(bad)[:MAX_FAULTS]:
            self.faults.append(f"row {table.row[i]}: the detector's name {name_fault(joined[codes[i]])}")
        return numbered[codes], bad

    def _number(self, name: str) -> int:
        """The number of a detector by its name in the file, `NO_NAME` where that has a fault."""
        if name_fault(name):
            return NO_NAME
        return int(self.names.numbers([self.layout.names.get(name, name)])[0])

    def _of_lane(self, name: NDArray[np.int32], lane: str) -> NDArray[np.int32]:
        """The detectors of one lane, for those of a whole row."""
        codes, used = pd.factorize(np.maximum(name, 0))  # rows without a name are refused anyway
        all_names = list(self.names.of)
        known = [all_names[k] if all_names else "" for k in used]
        own = self.names.numbers(
            [self.layout.lane_name.replace("{detector}", name).replace("{lane}", lane) for name in known]
        )
        return own[codes]

    def _times(self, table: Table) -> NDArray[np.int32]:
        """Times by number; they are read at the end, each only once."""
        layout = self.layout
        columns: list[tuple[NDArray[np.int64], list[object]]] = []
        dated = layout.wide is None and layout.begin_s not in table.columns
        kind = "texts" if dated else "seconds"
        if layout.date is not None:
            columns.append(_coded(table.columns[layout.date]))
        read = _coded if dated else _seconds
        columns += [read(table.columns[name]) for name in ([] if layout.wide else self._time_columns(table, dated))]
        if not columns:  # a wide table of one day without a date
            columns = [(np.zeros(len(table), dtype=np.int64), [""])]
        if self.kind not in {"", f"{kind}{len(columns)}"}:
            raise DemandError(self.where, "the files have their times in different columns; give files of one layout")
        self.kind = f"{kind}{len(columns)}"
        codes, tuples = _distinct(columns)
        numbered = self.times.numbers(tuples)
        return numbered[codes] if len(numbered) else np.zeros(0, dtype=np.int32)

    def _time_columns(self, table: Table, dated: bool) -> list[str]:
        layout = self.layout
        begin = (layout.begin or "begin") if dated else layout.begin_s
        end = (layout.end or "end") if dated else layout.end_s
        has_end = end in table.columns and (layout.interval_s is None or layout.end is not None)
        return [begin, end] if has_end else [begin]

    def _numbers(self, table: Table, name: str) -> tuple[FLOAT32, NDArray[np.bool_]]:
        """A column of numbers; text is a fault, nan and inf are noted."""
        column = table.columns[name]
        if self.layout.missing_texts and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            column = _without(column, self.layout.missing_texts)
        value, not_number, not_finite = numbers(column)
        for i in np.flatnonzero(not_number)[:MAX_FAULTS]:
            self.faults.append(f"row {table.row[i]}: {name} is {str(column[i])[:40]!r}; needs a plain number")
        if not_finite.any():
            self.notes.append(f"{name} is nan or inf in rows {name_rows(table.row[not_finite])}: taken as missing")
        if self.layout.missing:
            value[np.isin(value, self.layout.missing)] = np.nan
        return np.clip(value, -LARGEST, LARGEST).astype(np.float32), not_number

    def _others(self, table: Table, name: str) -> tuple[FLOAT32 | None, NDArray[np.bool_]]:
        if name not in table.columns:
            return None, np.zeros(len(table), dtype=bool)
        return self._numbers(table, name)

    def collected(self) -> Collected:
        """Everything read, times understood; faults end here unless bad rows are refused."""
        times = self._understood()
        time = _joined(self.time, np.int32)
        row = _joined(self.row, np.int32)
        wrong = {i for i, _ in times.faults}
        if wrong:
            said = dict(reversed(times.faults))
            where = np.flatnonzero(np.isin(time, list(wrong)))
            self.faults += [f"row {row[i] - self._before(row[i])}: {said[int(time[i])]}" for i in where[:MAX_FAULTS]]
            self.n_bad += len(where)
        if self.faults and self.layout.bad_rows == "stop":
            raise DemandError(self.where, capped(self.faults, "faults of this kind"))
        if self.faults:
            self.notes.append(f"{self.n_bad} rows cannot be read and are refused: {'; '.join(capped(self.faults))}")
        good = np.ones(len(time), dtype=bool) if not wrong else ~np.isin(time, list(wrong))
        return Collected(
            where=self.where,
            names=list(self.names.of),
            name=_joined(self.name, np.int32)[good],
            time=time[good],
            row=row[good],
            values={key: _joined(parts, np.float32)[good] for key, parts in self.values.items()},
            times=times,
            n_read=self.n_read,
            n_bad=self.n_bad,
            notes=[*times.notes, *self.notes],
            files=tuple(self.files),
        )

    def _before(self, row: int) -> int:
        """Rows of earlier files."""
        return max((before for _, before in self.files if row > before + 1), default=0)

    def _understood(self) -> LocalTimes:
        """The distinct times on the local clock; of wide tables, every interval of every day."""
        layout = self.layout
        tuples = list(self.times.of)
        dates = [str(x[0]) for x in tuples] if layout.date is not None else None
        if layout.wide is not None:
            step_s = layout.interval_s or 3600.0
            n = len(layout.wide_columns())
            begin_s = np.tile(np.arange(n) * step_s, len(tuples))
            repeated = [text for text in dates for _ in range(n)] if dates is not None else None
            return clock_times(begin_s, begin_s + step_s, repeated, layout)
        at = 1 if dates is not None else 0
        ends = [x[at + 1] for x in tuples] if tuples and len(tuples[0]) > at + 1 else None
        begins = [x[at] for x in tuples]
        if self.kind.startswith("seconds"):
            end_s = np.array(ends, dtype=float) if ends is not None else None
            return clock_times(np.array(begins, dtype=float), end_s, dates, layout)
        if dates is not None:  # date and time of day in two columns
            begins = [f"{day[:10]}T{time}" for day, time in zip(dates, begins, strict=True)]
            ends = [f"{day[:10]}T{time}" for day, time in zip(dates, ends, strict=True)] if ends is not None else None
        return local_times([str(x) for x in begins], None if ends is None else [str(x) for x in ends], layout)


def _needed(layout: CountLayout, table: Table) -> tuple[str, ...]:
    """Columns without which a table of this layout cannot be read."""
    needed = [*layout.name_columns]
    needed += [layout.date] if layout.date is not None else []
    if layout.wide is not None:
        return (*needed, *layout.wide_columns())
    dated = layout.begin is not None or (layout.begin_s not in table.columns and "begin" in table.columns)
    needed.append((layout.begin or "begin") if dated else layout.begin_s)
    if layout.interval_s is None and layout.begin is None:
        needed.append((layout.end or "end") if dated else layout.end_s)
    elif layout.end is not None:
        needed.append(layout.end)
    return (*needed, *(layout.lane_columns or (layout.veh,)))


def _coded(column: pa.Array) -> tuple[NDArray[np.int64], list[object]]:
    text = texts(column)
    return np.asarray(text.codes, dtype=np.int64), list(text.categories)


def _seconds(column: pa.Array) -> tuple[NDArray[np.int64], list[object]]:
    value, _, _ = numbers(column)
    codes, uniques = pd.factorize(value, use_na_sentinel=False)
    return codes, [*uniques.tolist()]


def _distinct(
    columns: Sequence[tuple[NDArray[np.int64], list[object]]],
) -> tuple[NDArray[np.int64], list[tuple[object, ...]]]:
    """Rows of several coded columns by the number of their combination, and the combinations."""
    whole = np.zeros(len(columns[0][0]), dtype=np.int64)
    for codes, things in columns:
        whole = whole * max(len(things), 1) + codes
    numbered, uniques = pd.factorize(whole)
    out = []
    for key in uniques.tolist():
        parts = []
        for _, things in reversed(columns):
            key, at = divmod(key, max(len(things), 1))
            parts.append(things[at])
        out.append(tuple(reversed(parts)))
    return numbered, out


def _without(column: pa.Array, blank: Sequence[str]) -> pa.Array:
    """A column with some texts taken out."""
    return pc.if_else(pc.is_in(pc.utf8_trim_whitespace(column), pa.array(blank, pa.string())), "", column)


def _joined(parts: list[NDArray[Kind]], kind: type[Kind]) -> NDArray[Kind]:
    """One array of all parts; the parts are let go."""
    out = np.concatenate(parts) if parts else np.zeros(0, dtype=kind)
    parts.clear()
    return out

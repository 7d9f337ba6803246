"""From the rows of count files to a block: doubles, late rows and rows nobody asked for are told apart and said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from network_data.counting.block import CountBlock, RowFinding, RowTally
from network_data.counting.clock import HOUR_S, NO_DAY, LocalTimes, clock
from network_data.counting.options import CountLayout
from network_data.errors import DemandError
from network_data.tables import MAX_NAMED, capped, name_rows

BOOL = NDArray[np.bool_]
EPOCH = date(1970, 1, 1)
SAME_S = 0.5
"""Intervals whose length differs by less are of one length. [s]"""
MAX_CELLS = 400_000_000
"""Most detectors times days times intervals in one block: some 3 GiB."""
HALF = 0.5


@dataclass(frozen=True, eq=False)
class Collected:
    """All readable rows of the files, compact: `name` and `time` are numbers into `names` and `times`."""

    where: str
    names: list[str]
    name: NDArray[np.int32]
    time: NDArray[np.int32]
    row: NDArray[np.int32]
    values: dict[str, NDArray[np.float32]]
    times: LocalTimes
    n_read: int
    n_bad: int
    notes: list[str]
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where a row lies in the block."""

    shape: tuple[int, int, int]
    days: tuple[date | None, ...]
    begin_s: NDArray[np.float64]
    interval_s: float
    flat: NDArray[np.int64]  # of each used row
    used: NDArray[np.int64]  # the rows themselves


def lay_out(rows: Collected, layout: CountLayout, known: frozenset[str] | None) -> CountBlock:
    """Place rows in a block of detectors, days and intervals.

    Raises
    ------
    DemandError
        There is no row of any known detector.
    """
    notes = list(rows.notes)
    keep, refused = _kept(rows, known, notes)
    if not keep.any():
        raise DemandError(
            rows.where,
            "holds no count of any known detector; give the counts that belong to the detectors (names must be equal)"
            if len(rows.row)
            else "holds no counts; give a table with rows",
        )
    used_names, name = np.unique(rows.name[keep], return_inverse=True)
    names = tuple(rows.names[i] for i in used_names)
    grid = _grid(rows, keep, name.astype(np.int64), len(names))
    row = np.zeros(grid.shape, dtype=np.int32)
    row.ravel()[grid.flat] = rows.row[grid.used]
    again = row.ravel()[grid.flat] != rows.row[grid.used]
    repeated, found = _repeated_hours(grid, again, rows.row[grid.used], notes)
    row.ravel()[repeated] = 0
    block = CountBlock(
        detectors=names,
        days=grid.days,
        begin_s=grid.begin_s,
        interval_s=grid.interval_s,
        veh=_values(rows, "veh", grid, repeated, layout),
        occupancy_pct=_values(rows, "occupancy_pct", grid, repeated, layout)
        if "occupancy_pct" in rows.values
        else None,
        speed_mps=_values(rows, "speed_mps", grid, repeated, layout) if "speed_mps" in rows.values else None,
        row=row,
        lanes=np.array([layout.lanes.get(name, layout.lanes_of_others) for name in names], dtype=np.int64),
        files=rows.files,
    )
    found += _doubles(grid, again & ~repeated[grid.flat], rows, block.veh, _factor("veh", grid, layout))
    found += _late(rows, name.astype(np.int64), grid, layout, notes)
    refused["there twice"] = len(grid.used) - int((row > 0).sum())
    per_row = rows.n_read - rows.n_bad == len(rows.row)
    n_used = int((row > 0).sum()) if per_row else len(np.unique(rows.row[grid.used]))
    if silent := sorted((known or frozenset()) - set(names)):
        notes.append(
            f"{len(silent)} detectors have no counts: {', '.join(capped([repr(s) for s in silent], 'of them'))}"
        )
    notes += _odd(block)
    tally = RowTally(read=rows.n_read, used=n_used, refused={"unreadable": rows.n_bad, **refused})
    return replace(block, tally=tally, found=tuple(found), notes=(tally.text, *notes))


def _kept(rows: Collected, known: frozenset[str] | None, notes: list[str]) -> tuple[BOOL, dict[str, int]]:
    """Rows of known detectors at times that are on the clock; what is left out is said."""
    times = rows.times
    usual_s = _usual_s(rows)
    odd = np.abs(times.end_s - times.begin_s - usual_s) > SAME_S
    keep, refused = np.ones(len(rows.row), dtype=bool), {}
    if known is not None:
        strange = np.array([name not in known for name in rows.names], dtype=bool)
        mine = strange[rows.name]
        if mine.any():
            listed = capped([repr(rows.names[i]) for i in np.flatnonzero(strange)], "of them")
            notes.append(
                f"{int(mine.sum())} rows of {int(strange.sum())} unknown detectors not used: {', '.join(listed)}"
            )
            refused["of unknown detectors"] = int(mine.sum())
            keep &= ~mine
    for bad, why, said in (
        (~times.keep, "in the hour that comes twice", ""),
        (
            odd & times.keep,
            "of another length",
            f"intervals are {usual_s:g} s long; rows of another length are not used",
        ),
    ):
        if bad.any():
            where = bad[rows.time] & keep
            refused[why] = int(where.sum())
            if said and where.any():
                notes.append(f"{said}: rows {name_rows(rows.row[where].astype(np.int64))}")
            keep &= ~where
    return keep, refused


def _usual_s(rows: Collected) -> float:
    """Length of most rows. [s]"""
    n = np.bincount(rows.time, minlength=len(rows.times.begin_s))
    lengths, back = np.unique(np.round(rows.times.end_s - rows.times.begin_s, 1), return_inverse=True)
    return float(lengths[np.argmax(np.bincount(back, weights=n))]) if len(lengths) else 300.0


def _grid(rows: Collected, keep: BOOL, name: NDArray[np.int64], n_name: int) -> _Grid:
    times = rows.times
    on = np.zeros(len(times.begin_s), dtype=bool)
    on[rows.time[keep]] = True
    at = np.flatnonzero(on)
    begins, k = np.unique(np.round(times.begin_s[at], 3), return_inverse=True)
    day_s, n = np.unique(times.day_s[at], return_inverse=True)
    shape = (n_name, len(day_s), len(begins))
    if np.prod(np.array(shape, dtype=float)) > MAX_CELLS:
        raise DemandError(
            rows.where,
            f"{shape[0]:,} detectors, {shape[1]:,} days and {shape[2]:,} different begins of intervals are more than "
            f"{MAX_CELLS:,} counts; give fewer days at once, and intervals that begin at the same times",
        )
    cell = np.zeros(len(times.begin_s), dtype=np.int64)
    cell[at] = n * shape[2] + k
    used = np.flatnonzero(keep)
    flat = name * (shape[1] * shape[2]) + cell[rows.time[used]]
    days = tuple(None if s == NO_DAY else EPOCH + timedelta(seconds=int(s)) for s in day_s)
    return _Grid(shape, days, begins, _usual_s(rows), flat, used)


def _values(rows: Collected, column: str, grid: _Grid, repeated: BOOL, layout: CountLayout) -> NDArray[np.float32]:
    """A column in its place, in the engine's units; the last of several rows counts, a repeated hour has no value."""
    out = np.full(grid.shape, np.nan, dtype=np.float32)
    values = rows.values[column][grid.used]
    factor = _factor(column, grid, layout)
    out.ravel()[grid.flat] = values if factor == 1.0 else values * np.float32(factor)
    out.ravel()[repeated] = np.nan
    return out


def _factor(column: str, grid: _Grid, layout: CountLayout) -> float:
    """From the units of the file to the engine's own."""
    if column == "veh":
        return grid.interval_s / HOUR_S if layout.units == "veh/h" else 1.0
    if column == "occupancy_pct":
        return 100.0 if layout.occupancy_units == "share" else 1.0
    return {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}[layout.speed_units]


def _repeated_hours(
    grid: _Grid, again: BOOL, row: NDArray[np.int32], notes: list[str]
) -> tuple[BOOL, list[RowFinding]]:
    """Cells of an hour that comes twice although no offset from UTC says so.

    A clock change shows as one clock hour of a day in which at least half of that day's detectors have every interval
    twice while no other hour of the day has any.
    """
    cells = np.zeros(int(np.prod(grid.shape)), dtype=bool)
    if not again.any():
        return cells, []
    n_day, n_time = grid.shape[1:]
    d, n, k = np.unravel_index(grid.flat[again], grid.shape)
    hour = (grid.begin_s[k] // HOUR_S).astype(np.int64)
    found: list[RowFinding] = []
    counted = np.zeros((grid.shape[0], n_day), dtype=bool)
    counted.ravel()[grid.flat // n_time] = True
    for day in np.unique(n[[grid.days[x] is not None for x in n]]):
        today = n == day
        hours = np.unique(hour[today])
        if len(hours) != 1 or len(np.unique(d[today])) < HALF * counted[:, day].sum():
            continue
        in_hour = np.flatnonzero(grid.begin_s // HOUR_S == hours[0])
        if today.sum() < HALF * len(np.unique(d[today])) * len(in_hour):
            continue
        block = cells.reshape(grid.shape)
        block[:, day, in_hour] = True
        label, begin_s = grid.days[day], float(hours[0] * HOUR_S)
        notes.append(f"{label}: the hour from {clock(begin_s)} comes twice (clocks go back); it is dropped")
        twice = row[again][today]
        found += [
            RowFinding(
                code="clock_change",
                detector=int(i),
                day=int(day),
                begin_s=begin_s,
                end_s=begin_s + HOUR_S,
                rows=tuple(twice[d[today] == i][:MAX_NAMED].tolist()),
                n_row=int((d[today] == i).sum()),
                text="the hour is there twice: clocks go back, and the rows do not tell which is which",
            )
            for i in np.unique(d[today])
        ]
    return cells, found


def _doubles(grid: _Grid, again: BOOL, rows: Collected, kept: NDArray[np.float32], factor: float) -> list[RowFinding]:
    """Rows of the same detector and time: the last one counts."""
    at = np.flatnonzero(again)
    veh = rows.values["veh"][grid.used[at]] * np.float32(factor)
    differs = ~np.isclose(kept.ravel()[grid.flat[at]], veh, equal_nan=True)
    texts = ("there twice with the same count", "there twice with different counts; the last row counts")
    return _by_day("duplicate", grid, grid.flat[at], rows.row[grid.used[at]], texts, differs)


def _late(
    rows: Collected, name: NDArray[np.int64], grid: _Grid, layout: CountLayout, notes: list[str]
) -> list[RowFinding]:
    """Rows that stand behind rows of their detector for later times."""
    at_s = np.where(rows.times.day_s == NO_DAY, 0, rows.times.day_s) + rows.times.begin_s
    time_s = at_s[rows.time[grid.used]]
    if (np.diff(time_s) >= 0).all():
        return []
    order = np.argsort(name, kind="stable")
    # one running maximum serves all detectors: each lies a span above the one before
    span = float(time_s.max() - time_s.min()) + 1.0
    lifted = time_s[order] - time_s.min() + name[order] * span
    late = np.zeros(len(order), dtype=bool)
    late[order] = np.maximum.accumulate(lifted) - lifted > layout.late_s
    if late.mean() > layout.late_share:
        notes.append(
            f"the rows are in no order of time ({late.mean():.0%} stand behind later ones): none is called late"
        )
        return []
    at = np.flatnonzero(late)
    return _by_day("late", grid, grid.flat[at], rows.row[grid.used[at]], ("came after rows of later times",) * 2, None)


def _by_day(
    code: str, grid: _Grid, flat: NDArray[np.int64], row: NDArray[np.int32], texts: tuple[str, str], second: BOOL | None
) -> list[RowFinding]:
    """Findings per detector and day; the second text where any of its rows is marked."""
    if not len(flat):
        return []
    n_time = grid.shape[2]
    order = np.argsort(flat // n_time, kind="stable")
    flat, row = flat[order], row[order]
    marked = np.zeros(len(flat), dtype=bool) if second is None else second[order]
    starts = np.flatnonzero(np.diff(flat // n_time, prepend=-1))
    out = []
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(flat)], strict=True):
        i, n = divmod(int(flat[a]) // n_time, grid.shape[1])
        begin_s = grid.begin_s[flat[a:b] % n_time]
        out.append(
            RowFinding(
                code=code,
                detector=i,
                day=n,
                begin_s=float(begin_s.min()),
                end_s=float(begin_s.max()) + grid.interval_s,
                rows=tuple(row[a : min(b, a + MAX_NAMED)].tolist()),
                n_row=b - a,
                text=texts[int(marked[a:b].any())],
            )
        )
    return out


def _odd(block: CountBlock) -> list[str]:
    """Notes on numbers that the quality check will judge."""
    out = []
    per_lane = block.lanes[:, None, None]
    for what, bad in (
        ("negative", block.veh < 0),
        ("more than one vehicle a second and lane", block.veh > np.maximum(block.interval_s, 1.0) * per_lane),
    ):
        if bad.any():
            rows = np.unique(block.row[bad].astype(np.int64))
            out.append(f"veh is {what} in rows {name_rows(rows)}: left to the quality check")
    n_blank = int((np.isnan(block.veh) & (block.row > 0)).sum())
    if n_blank:
        out.append(f"veh is missing in {n_blank} rows")
    return out

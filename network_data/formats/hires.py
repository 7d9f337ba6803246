"""High-resolution controller events (Indiana enumeration): reading, and the greens in them.

A row is a time to 0.1 s, a device, an event code and a parameter (phase or detector channel). Offsets come out of the
coordination states: local zero (150/5) after master cycle zero (150/7).

References
----------
J. R. Sturdevant et al., "Indiana Traffic Signal Hi Resolution Data Logger Enumerations", Purdue University, 2012.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from network_data.errors import DemandError
from network_data.tables import capped, need_columns, numbers, read_table, texts

FLOAT = NDArray[np.float64]
INT = NDArray[np.int64]


class Code(IntEnum):
    """Event codes that are read; others are kept and counted."""

    GREEN_BEGIN = 1
    GAP_OUT = 4
    MAX_OUT = 5
    FORCE_OFF = 6
    GREEN_END = 7
    YELLOW_END = 9
    RED_BEGIN = 10
    RED_END = 11
    WALK_BEGIN = 21
    DETECTOR_OFF = 81
    DETECTOR_ON = 82
    PATTERN = 131
    COORDINATION = 150


LOCAL_ZERO, MASTER_ZERO = 5, 7
"""Parameters of coordination states: the controller's own and the master's begin of the cycle."""
ENDED = {Code.GAP_OUT: "gap", Code.MAX_OUT: "max", Code.FORCE_OFF: "force-off"}
COLUMNS: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "datetime"),
    "device": ("deviceid", "signalid", "device", "signal"),
    "code": ("eventid", "eventcode", "eventcodeid", "event_id", "event"),
    "parameter": ("parameter", "eventparam", "param"),
}
EXAMPLE = "TimeStamp,DeviceId,EventId,Parameter"
MAX_CODE, MAX_PARAMETER = 65_535, 65_535


@dataclass(frozen=True, eq=False, kw_only=True)
class Events:
    """Events of one device in order of time, as parallel arrays."""

    device: str
    date: datetime.date
    """Day whose midnight times count from."""
    time_s: FLOAT
    code: INT
    parameter: INT
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.time_s)

    def of(self, code: int, parameter: int | None = None) -> FLOAT:
        """Times of an event, of one phase or channel. [s]"""
        chosen = self.code == code
        if parameter is not None:
            chosen &= self.parameter == parameter
        times: FLOAT = self.time_s[chosen]
        return times

    def parameters(self, code: int) -> list[int]:
        """Phases or channels that have an event."""
        return sorted({int(x) for x in self.parameter[self.code == code]})

    @property
    def phases(self) -> list[int]:
        """Phases that turned green."""
        return self.parameters(Code.GREEN_BEGIN)

    @property
    def period_s(self) -> tuple[float, float]:
        """First and last event, seconds after midnight. [s]"""
        return float(self.time_s[0]), float(self.time_s[-1])


def read_events(path: Path | str, *, device: str | None = None) -> Events:
    """Read events: CSV, CSV.gz or parquet.

    Parameters
    ----------
    path : path
        Columns time, device, event code and parameter, by any of the usual names.
    device : str, optional
        Which device, where the file holds several.

    Raises
    ------
    DemandError
        Missing columns, rows without usable time, code or parameter, or several devices and none chosen.
    """
    table = read_table(path)
    low = {name.lower().replace(" ", ""): name for name in table.columns}
    names = {what: next((low[x] for x in options if x in low), "") for what, options in COLUMNS.items()}
    need_columns(path, table, tuple(names[w] or options[0] for w, options in COLUMNS.items() if w != "device"), EXAMPLE)
    faults = list(table.faults)
    code, parameter = (
        whole_numbers(table.columns[names[w]], table.row, names[w], faults) for w in ("code", "parameter")
    )
    # categories: a time of 0.1 s stands in many rows
    stamps = texts(table.columns[names["time"]])
    parsed = pd.to_datetime(pd.Series(stamps.categories.astype(str)), errors="coerce", format="ISO8601")
    time = parsed.to_numpy()[stamps.codes] if len(table) else np.zeros(0, "datetime64[ns]")
    bad = np.isnat(time)
    faults += [f"row {table.row[i]}: {names['time']} is no time; give it in ISO 8601" for i in np.flatnonzero(bad)]
    devices = texts(table.columns[names["device"]]).astype(object) if names["device"] else np.full(len(table), "")
    known = list(dict.fromkeys(devices))
    if not len(table) and not faults:
        faults.append(f"holds no rows; needed: {EXAMPLE}")
    if device is None and len(known) > 1:
        faults.append(f"holds {len(known)} devices ({', '.join(map(str, known[:10]))}); name one of them")
    if device is not None and device not in known:
        faults.append(f"holds no device {device!r}; it has {', '.join(map(str, known[:10]))}")
    if faults:
        raise DemandError(str(path), capped(faults))
    keep = np.asarray(devices == (device if device is not None else known[0]))
    return _events(str(known[0] if device is None else device), time[keep], code[keep], parameter[keep])


def whole_numbers(column: object, row: INT, name: str, faults: list[str]) -> INT:
    """A column as whole numbers; what is none becomes a fault."""
    value, not_number, not_finite = numbers(column)
    bad = not_number | not_finite | np.isnan(value)
    whole = np.where(bad, 0, value)
    bad |= (whole != np.round(whole)) | (whole < 0) | (whole > MAX_CODE)
    faults += [f"row {row[i]}: {name} needs a whole number from 0 to {MAX_CODE}" for i in np.flatnonzero(bad)]
    return np.where(bad, 0, whole).astype(np.int64)


def _events(device: str, time: NDArray[np.datetime64], code: INT, parameter: INT) -> Events:
    notes = []
    if (np.diff(time) < np.timedelta64(0)).any():
        notes.append("events are not in order of time; they are sorted")
    midnight = time.min().astype("datetime64[D]")
    time_s = np.round((time - midnight) / np.timedelta64(1, "ms")) / 1000.0
    order = np.lexsort((np.arange(len(time_s)), time_s))
    rows = pd.DataFrame({"t": time_s[order], "c": code[order], "p": parameter[order]})
    again = rows.duplicated().to_numpy()
    if again.any():
        notes.append(f"{int(again.sum())} events stand there twice; each counts once")
    rows = rows[~again]
    return Events(
        device=device,
        date=midnight.astype(object),
        time_s=rows["t"].to_numpy(np.float64),
        code=rows["c"].to_numpy(np.int64),
        parameter=rows["p"].to_numpy(np.int64),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Green:
    """One green of a phase with its change; NaN where the log ends before. [s]"""

    phase: int
    begin_s: float
    end_s: float
    yellow_end_s: float
    red_end_s: float
    ended_by: str
    """`gap`, `max`, `force-off`, or empty where nothing says."""

    @property
    def green_s(self) -> float:
        """Length of green. [s]"""
        return self.end_s - self.begin_s

    @property
    def split_s(self) -> float:
        """Green, yellow and red clearance. [s]"""
        return self.red_end_s - self.begin_s


def greens(events: Events) -> list[Green]:
    """Every green that begins in the log, in order of time."""
    out = []
    for phase in events.phases:
        begins = events.of(Code.GREEN_BEGIN, phase)
        following = np.append(begins[1:], np.inf)
        marks = {c: events.of(c, phase) for c in (Code.GREEN_END, Code.YELLOW_END, Code.RED_END)}
        why = {name: events.of(c, phase) for c, name in ENDED.items()}
        for begin, nxt in zip(begins, following, strict=True):
            end = _next(marks[Code.GREEN_END], begin, nxt)
            yellow = _next(marks[Code.YELLOW_END], end, nxt)
            # the red clearance of a green may end at the second the next green begins
            red = _next(marks[Code.RED_END], yellow, nxt)
            reasons = [name for name, times in why.items() if not np.isnan(end) and (np.abs(times - end) < 0.05).any()]
            out.append(
                Green(
                    phase=phase,
                    begin_s=float(begin),
                    end_s=end,
                    yellow_end_s=yellow,
                    red_end_s=red,
                    ended_by="force-off" if "force-off" in reasons else next(iter(reasons), ""),
                )
            )
    return sorted(out, key=lambda green: (green.begin_s, green.phase))


def _next(times: FLOAT, after: float, before: float) -> float:
    """The first time from `after` on, up to `before`; NaN where there is none."""
    if np.isnan(after):
        return float("nan")
    k = int(np.searchsorted(times, after))
    return float(times[k]) if k < len(times) and times[k] <= before else float("nan")

"""Counts that go with SUMO networks: tables of dfrouter (`Detector;Time;qPKW;…`) and link counts of Cadyts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from network_data.errors import DemandError
from network_data.formats.files import iter_xml
from network_data.limits import name_fault, number
from network_data.tables import capped, need_columns, numbers, read_table, texts

COUNT_COLUMNS = ["detector", "begin_s", "end_s", "veh", "speed_mps"]
EXAMPLE = "Detector;Time;qPKW;qLKW;vPKW;vLKW"
MAX_MINUTES = 7 * 24 * 60
MAX_VEH = 1e6


@dataclass(frozen=True, eq=False, kw_only=True)
class FlowTable:
    """Counts of a dfrouter table in the layout of counts.

    `interval_s` is the step between its times; None where all rows have one time: then nothing says how long it was
    counted, and `end_s` is NaN.
    """

    frame: pd.DataFrame
    interval_s: float | None
    notes: tuple[str, ...] = ()


def read_flow_table(path: Path | str) -> FlowTable:
    """Read a dfrouter table: minutes, cars (qPKW) and trucks (qLKW) of each detector, speeds in km/h (0: not measured).

    Raises
    ------
    DemandError
        Missing columns, and every row without usable detector, time or count.
    """
    table = read_table(path)
    low = {name.lower(): name for name in table.columns}
    need_columns(path, table, tuple(low.get(x, x) for x in ("detector", "time", "qpkw")), EXAMPLE)
    faults = list(table.faults)
    names = texts(table.columns[low["detector"]]).astype(object)
    faults += [
        f"row {row}: detector {told}" for row, name in zip(table.row, names, strict=True) if (told := name_fault(name))
    ]
    values = {}
    for column, most in (("time", MAX_MINUTES), ("qpkw", MAX_VEH), ("qlkw", MAX_VEH), ("vpkw", 400), ("vlkw", 400)):
        if column not in low:
            values[column] = np.zeros(len(table))
            continue
        value, *odd = numbers(table.columns[low[column]])
        bad = odd[0] | odd[1] | np.isnan(value) | ~((value >= 0) & (value <= most))
        faults += [f"row {table.row[i]}: {low[column]} needs a number from 0 to {most:g}" for i in np.flatnonzero(bad)]
        values[column] = np.where(bad, 0.0, value)
    if not len(table) and not faults:
        faults.append(f"holds no rows; needed: {EXAMPLE}")
    if faults:
        raise DemandError(str(path), capped(faults))
    return _flow_table(np.asarray(names), values)


def _flow_table(names: np.ndarray, values: dict[str, np.ndarray]) -> FlowTable:
    times = np.unique(values["time"])
    steps = np.unique(np.round(np.diff(times), 6))
    interval_s = float(steps[0]) * 60 if len(steps) else None
    veh = values["qpkw"] + values["qlkw"]
    moving = values["qpkw"] * values["vpkw"] + values["qlkw"] * values["vlkw"]
    timed = values["qpkw"] * (values["vpkw"] > 0) + values["qlkw"] * (values["vlkw"] > 0)
    speed_mps = np.where(timed > 0, moving / np.maximum(timed, 1e-9) / 3.6, np.nan)
    begin_s = values["time"] * 60
    end_s = begin_s + interval_s if interval_s is not None else np.full(len(begin_s), np.nan)
    columns = (names, begin_s, end_s, veh, speed_mps)
    notes = []
    if not values["qlkw"].any():
        notes.append("no trucks: qLKW is 0 throughout")
    if interval_s is None:
        notes.append("one time in all rows: nothing says how long it was counted")
    elif len(steps) > 1:
        notes.append(
            f"times lie {steps[0]:g} to {steps[-1]:g} minutes apart: each count is read as of {steps[0]:g} minutes"
        )
    frame = pd.DataFrame(dict(zip(COUNT_COLUMNS, columns, strict=True)))
    return FlowTable(frame=frame, interval_s=interval_s, notes=tuple(notes))


def read_link_counts(path: Path | str) -> pd.DataFrame:
    """Read Cadyts measurements: `<singlelink link start end value [stddev] type="COUNT_VEH">`.

    Returns
    -------
    DataFrame
        link, begin_s, end_s, veh: vehicles over all lanes of a link; FLOW_VEH_H is turned into vehicles.

    Raises
    ------
    DemandError
        Every element without usable link, times, value or type.
    """
    rows, faults, n = [], [], 0
    for event, _, element in iter_xml(path):
        if event != "end" or element.tag != "singlelink":
            continue
        n += 1
        where = f"<singlelink> {n}"
        link, kind = element.get("link", ""), element.get("type", "COUNT_VEH")
        if told := name_fault(link):
            faults.append(f"{where}: link {told}")
        if kind not in ("COUNT_VEH", "FLOW_VEH_H"):
            faults.append(f"{where}: type is {kind[:40]!r}; known are COUNT_VEH and FLOW_VEH_H")
        try:
            begin_s, end_s, value = (
                number(element.get(name) or "", low=0, high=1e7) for name in ("start", "end", "value")
            )
            if not end_s > begin_s:
                faults.append(f"{where}: lasts from {begin_s:g} to {end_s:g} s; end it later")
            veh = value if kind == "COUNT_VEH" else value * (end_s - begin_s) / 3600
            rows.append((link, begin_s, end_s, veh))
        except ValueError as error:
            faults.append(f"{where}: start, end, value: {error}")
        element.clear()
    if not n:
        faults.append("holds no <singlelink>")
    if faults:
        raise DemandError(str(path), capped(faults))
    return pd.DataFrame(rows, columns=["link", "begin_s", "end_s", "veh"])

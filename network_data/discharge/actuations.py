"""Reading single actuations of loops, and greens as a controller recorded them, from plain tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from network_data.detectors import Detector
from network_data.discharge.greens import FLOAT, Greens
from network_data.discharge.lanes import Actuations, Lane, LoopCounts
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.tables import Table, capped, need_columns, numbers, read_table, texts

EXAMPLE = "detector,on_s,off_s"
GREENS_EXAMPLE = "link,lane,start_s,end_s"


def read_actuations(path: Path | str, detectors: tuple[Detector, ...]) -> dict[str, Actuations]:
    """Read actuations: CSV, CSV.gz or parquet `detector,on_s,off_s`, local seconds after midnight (0.1 s or finer).

    Rows of detectors that are not among those given are left out.

    Raises
    ------
    DemandError
        Columns that lack, times that are no numbers or run backwards; all rows at fault together.
    """
    table = read_table(path)
    need_columns(path, table, ("detector", "on_s", "off_s"), EXAMPLE)
    name = texts(table.columns["detector"])
    (on_s, off_s), faults = _times(table, ("on_s", "off_s"))
    faults += [
        f"row {table.row[i]}: leaves at {off_s[i]:g} s, before it came at {on_s[i]:g} s; swap or mend the times"
        for i in np.flatnonzero(off_s < on_s)
    ]
    known = [d.id for d in detectors]
    if not faults and not set(known) & set(name.categories):
        faults.append("names none of the detectors given; give the file of their actuations")
    if faults:
        raise DemandError(str(path), capped(faults))
    code_of = {str(text): code for code, text in enumerate(name.categories)}
    out = {}
    for one in known:
        rows = np.flatnonzero(name.codes == code_of.get(one, -2))
        if len(rows):
            order = rows[np.lexsort((on_s[rows], off_s[rows]))]
            out[one] = Actuations(on_s[order], off_s[order])
    return out


def read_greens(path: Path | str, network: RoadNetwork) -> dict[Lane, Greens]:
    """Read recorded greens: CSV, CSV.gz or parquet `link,lane,start_s,end_s`; `end_s` is the begin of yellow.

    Raises
    ------
    DemandError
        Columns that lack, lanes that the network does not have, times that are none; all rows at fault together.
    """
    table = read_table(path)
    need_columns(path, table, ("link", "lane", "start_s", "end_s"), GREENS_EXAMPLE)
    link = texts(table.columns["link"])
    (lane, start_s, end_s), faults = _times(table, ("lane", "start_s", "end_s"))
    lanes: dict[Lane, list[int]] = {}
    for i, name in enumerate(link):
        known = network.links.get(str(name))
        if known is None or not any(x.index == lane[i] for x in known.lanes):
            faults.append(f"row {table.row[i]}: no lane {lane[i]:g} of link {name!r} in the network; correct them")
        else:
            lanes.setdefault((str(name), int(lane[i])), []).append(i)
    if faults:
        raise DemandError(str(path), capped(faults))
    out = {}
    for key, rows in lanes.items():
        order = np.array(rows)[np.argsort(start_s[rows], kind="stable")]
        out[key] = Greens(start_s[order], end_s[order])
    return out


def _times(table: Table, names: tuple[str, ...]) -> tuple[list[FLOAT], list[str]]:
    faults, out = list(table.faults), []
    for column in names:
        value, _, _ = numbers(table.columns[column])
        bad = ~np.isfinite(value)
        faults += [f"row {row}: {column} is no number; give seconds after midnight" for row in table.row[bad]]
        out.append(value)
    return out, faults


def loop_counts(
    names: tuple[str, ...] | list[str],
    begin_s: FLOAT,
    end_s: FLOAT,
    veh: NDArray[np.floating],
    occupancy_pct: NDArray[np.floating] | None,
) -> dict[str, LoopCounts]:
    """Counts of one day as `lane_discharges` takes them; rows of `veh` are detectors, columns intervals."""
    out = {}
    for n, name in enumerate(names):
        share = None if occupancy_pct is None else np.asarray(occupancy_pct[n], np.float64) / 100
        if share is not None and not np.isfinite(share).any():
            share = None
        out[name] = LoopCounts(begin_s, end_s, np.asarray(veh[n], np.float64), share)
    return out

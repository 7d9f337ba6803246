"""Counts as the jobs use them: read by the settings' layout, days selected, checked and repaired."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from its.recognize import some
from network_data.counting.counts import CountTable, label_of, select_block
from network_data.counting.groups import groups_of
from network_data.counting.quality import Checked, Verdict, check_block
from network_data.counting.reader import read_block
from network_data.detectors import Detector
from network_data.network import RoadNetwork
from network_data.settings import Settings

LARGE_CELLS = 5_000_000
"""A day of more counts is handed on in part: a table takes some fifty bytes for each."""
AROUND_S = 7200.0
"""What is handed on before and after the period then. [s]"""


@dataclass(frozen=True, eq=False)
class Counted:
    """Selected days of counts after the check; day n of `checked.block` is called `labels[n]`."""

    checked: Checked
    labels: tuple[str, ...]

    @property
    def span_s(self) -> tuple[float, float]:
        """First begin and last end that any of the days has a row for. [s]"""
        block = self.checked.block
        at = np.flatnonzero((block.row > 0).any(axis=(0, 1)))
        return float(block.begin_s[at[0]]), float(block.end_s[at[-1]])

    def table(self, n: int, begin_s: float = 0.0, end_s: float = math.inf) -> CountTable:
        """One day, repaired, as a table; of a large network only what lies around the period."""
        if self.checked.block.veh[:, n].size <= LARGE_CELLS:
            return self.checked.table(n)
        return self.checked.table(n, begin_s - AROUND_S, end_s + AROUND_S)

    def on(self, days: Sequence[int]) -> Counted:
        """Some of the days, by number."""
        pick = np.asarray(list(days), dtype=np.int64)
        checked = replace(
            self.checked,
            block=self.checked.block.on(list(days)),
            repaired=self.checked.repaired[:, pick],
            sd_veh=self.checked.sd_veh[:, pick],
        )
        return Counted(checked, tuple(self.labels[n] for n in days))

    @property
    def notes(self) -> list[str]:
        """What was read, refused, repaired and is still missing, and a line per kind of fault."""
        block = self.checked.block
        missing = int(np.isnan(block.veh).sum())
        first = f"{block.tally.text}; of the selected days {self.checked.n_repaired} counts repaired"
        return [f"{first}, {missing} stay missing", *block.notes[1:], *said(self.checked.verdicts)]

    @property
    def record(self) -> dict[str, Any]:
        """The same for run.json."""
        block = self.checked.block
        days = Counter(verdict.code for verdict in self.checked.verdicts)
        return {
            "rows_read": block.tally.read,
            "rows_used": block.tally.used,
            "rows_refused": {reason: n for reason, n in block.tally.refused.items() if n},
            "counts_repaired": self.checked.n_repaired,
            "counts_missing": int(np.isnan(block.veh).sum()),
            "detector_days_by_fault": dict(days),
        }


def load_counts(
    path: Path, detectors: tuple[Detector, ...], network: RoadNetwork, days: str | None, settings: Settings
) -> Counted:
    """Read counts by `[counts]`, select days, check and repair them by `[quality]`.

    All selected days are held against each other.

    Raises
    ------
    DemandError
        The file cannot be used, or no counted day fits.
    """
    block = read_block([path], settings.counts, frozenset(d.id for d in detectors))
    chosen = select_block(block, days)
    groups = groups_of(chosen.detectors, settings.quality, detectors, network)
    checked = check_block(chosen, groups, settings.quality, settings.counts.time_zone)
    return Counted(checked, tuple(label_of(day) for day in chosen.days))


def said(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per kind of fault: how much, where, and how much of it was repaired."""
    out = []
    for code in dict.fromkeys(verdict.code for verdict in verdicts):
        of_code = [verdict for verdict in verdicts if verdict.code == code]
        names = list(dict.fromkeys(verdict.detector or "all detectors" for verdict in of_code))
        n, n_repaired = (sum(x) for x in zip(*((v.n_interval, v.n_repaired) for v in of_code), strict=True))
        where = f"{len(names)} detectors ({some(names)})"
        out.append(f"counts {code}: {n} intervals at {where}, {n_repaired} of them repaired")
    return out

"""What is wrong with counts, detector by detector and day by day, and what stands in for what is wrong.

Nothing is dropped silently: every verdict names its rule, the rows and intervals, and what was put in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from network_data.counting.block import CountBlock
from network_data.counting.counts import CountTable
from network_data.counting.groups import Groups, groups_of
from network_data.counting.options import QualityLimits
from network_data.counting.repair import repair
from network_data.counting.rules_clock import check_clocks, hours_left_out
from network_data.counting.rules_history import check_levels
from network_data.counting.rules_pairs import check_balances, check_swapped
from network_data.counting.rules_values import check_dead, check_stuck, check_values
from network_data.counting.work import CODES, Code, Work, find_usual, work_on
from network_data.detectors import Detector
from network_data.network import RoadNetwork

FLOAT = NDArray[np.float64]
MAX_ROWS = 20
"""Most rows a verdict names one by one."""
SOURCES = (
    "",
    "other days",
    "loops of the same link",
    "the intervals around it",
    "its own earlier level",
    "its neighbour",
    "flow conservation",
    "its own counts at another hour",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule that one detector broke on one day.

    `n_interval` intervals from `begin_s` to `end_s` are concerned, of which `n_repaired` got a stand-in (`repair` says
    from where, `sd_veh` is the median of their standard errors); the rest counts as missing, or stays as it is where
    `text` says so. `rows` names the rows of the file. `detector` is empty where all loops together are meant.
    """

    detector: str
    day: date | None
    code: Code
    n_interval: int
    begin_s: float
    end_s: float
    n_repaired: int = 0
    repair: str = ""
    sd_veh: float | None = None
    text: str = ""
    rows: str = ""


@dataclass(frozen=True, eq=False)
class Checked:
    """Counts after the check: `block.veh` is sound or repaired, NaN where neither was possible.

    `repaired` says where a stand-in is, `sd_veh` its standard error (NaN elsewhere), both (D, N, K).
    """

    block: CountBlock
    repaired: NDArray[np.bool_]
    sd_veh: NDArray[np.float32]
    verdicts: tuple[Verdict, ...]

    @property
    def n_repaired(self) -> int:
        """Counts that have a stand-in."""
        return int(self.repaired.sum())

    def table(self, n: int, begin_s: float = 0.0, end_s: float = math.inf) -> CountTable:
        """One day, or the part of it that touches a period, as a table.

        A row for every detector and interval, with the columns `repaired` and `sd_veh`.
        """
        part = self.block.between(begin_s, end_s)
        frame = self.block.during(part).frame(n, self.repaired[:, :, part])
        frame["sd_veh"] = self.sd_veh[:, n, part].ravel()
        return CountTable(frame, self.block.notes, self.block.tally)


def check_block(
    block: CountBlock, groups: Groups | None = None, limits: QualityLimits | None = None, zone: str | None = None
) -> Checked:
    """Check counts against the rules and against each other, and repair them.

    Parameters
    ----------
    block : CountBlock
        As `read_block` gives it. The more days, the more rules can speak: history needs `history_days` of a kind.
    groups : Groups, optional
        Loops side by side and sums that agree; see `groups_of`.
    limits : QualityLimits, optional
        Thresholds of the rules.
    zone : str, optional
        Time zone of the place, for the days on which its clocks change.
    """
    limits, groups = limits or QualityLimits(), groups or Groups()
    work = work_on(block, limits)
    _mark_repeated(work)
    no_hour = hours_left_out(work, zone)
    check_values(work, no_hour)
    check_stuck(work)
    find_usual(work)
    # swapped loops and moved clocks look dead and off their level too: they come first
    check_swapped(work, groups)
    whole = check_clocks(work, zone)
    if check_dead(work):
        find_usual(work)
    if check_levels(work):
        find_usual(work)
    check_balances(work, groups)
    if limits.repair:
        repair(work, groups, no_hour)
    sd_veh = work.sd_veh if work.sd_veh is not None else np.full(work.veh.shape, np.nan, dtype=np.float32)
    verdicts = [*_for_all(block, whole), *_of_rows(block), *_of_values(work), *_of_days(work)]
    verdicts.sort(key=lambda v: (CODES.index(v.code), v.detector, v.day or date.min))
    return Checked(replace(block, veh=work.veh), work.source > 0, sd_veh, tuple(verdicts))


def check_counts(counts: CountTable, detectors: tuple[Detector, ...], network: RoadNetwork) -> tuple[Verdict, ...]:
    """Verdicts on one day's counts; rules that need other days keep silent."""
    return prepare_days([("", counts)], detectors, network)[1]


def prepare_days(
    day_tables: list[tuple[str, CountTable]],
    detectors: tuple[Detector, ...],
    network: RoadNetwork,
    limits: QualityLimits | None = None,
) -> tuple[list[tuple[str, CountTable]], tuple[Verdict, ...]]:
    """Check days against the rules and against each other, and repair them.

    Parameters
    ----------
    day_tables : list of (label, CountTable)
        As `select_days` gives them.

    Returns
    -------
    day_tables : list of (label, CountTable)
        The same days; `frame` has the further columns `repaired` and `sd_veh`, and a row for every detector and
        interval. What could not be repaired is NaN.
    verdicts : tuple of Verdict
    """
    block = block_of([table for _, table in day_tables])
    limits = limits or QualityLimits()
    checked = check_block(block, groups_of(block.detectors, limits, detectors, network), limits)
    return [(label, checked.table(n)) for n, (label, _) in enumerate(day_tables)], checked.verdicts


def block_of(tables: Sequence[CountTable]) -> CountBlock:
    """Lay days out as one block; they share the union of their intervals. Rows are numbered as the tables have them."""
    names = tuple(dict.fromkeys(name for table in tables for name in table.frame["detector"].cat.categories))
    begin_s = np.unique(np.concatenate([np.round(table.frame["begin_s"].to_numpy(), 3) for table in tables]))
    interval_s = tables[0].interval_s
    number = {name: i for i, name in enumerate(names)}
    shape = (len(names), len(tables), len(begin_s))
    values = {name: np.full(shape, np.nan, dtype=np.float32) for name in ("veh", "occupancy_pct", "speed_mps")}
    row = np.zeros(shape, dtype=np.int32)
    for n, table in enumerate(tables):
        frame = table.frame
        usual = np.isclose((frame["end_s"] - frame["begin_s"]).to_numpy(), interval_s, atol=0.5)
        of_name = np.array([number[name] for name in frame["detector"].cat.categories], dtype=np.int64)
        i = of_name[frame["detector"].cat.codes.to_numpy()[usual]]
        k = np.searchsorted(begin_s, np.round(frame["begin_s"].to_numpy(), 3))[usual]
        row[i, n, k] = np.flatnonzero(usual) + 2
        for name, value in values.items():
            if name in frame.columns:
                value[i, n, k] = frame[name].to_numpy(dtype=float)[usual]
    return CountBlock(
        detectors=names,
        days=tuple(table.days[0] if table.days else None for table in tables),
        begin_s=begin_s,
        interval_s=interval_s,
        veh=values["veh"],
        occupancy_pct=values["occupancy_pct"],
        speed_mps=values["speed_mps"],
        row=row,
        lanes=np.ones(len(names), dtype=np.int64),
        notes=tables[0].notes,
        tally=tables[0].tally,
    )


def _mark_repeated(work: Work) -> None:
    """Hours that come twice have no count; that is said of their rows already."""
    for one in work.block.found:
        if one.code == "clock_change":
            within = (work.block.begin_s >= one.begin_s) & (work.block.begin_s < one.end_s)
            bad = np.zeros((1, *work.veh.shape[1:]), dtype=bool)
            bad[0, one.day] = within
            work.mark(bad, "clock_change", slice(one.detector, one.detector + 1))


def _for_all(block: CountBlock, text: str | None) -> list[Verdict]:
    if text is None:
        return []
    n = len(block.begin_s) * len(block.days)
    return [
        Verdict(
            detector="", day=None, code="time_zone", n_interval=n, begin_s=0.0, end_s=float(block.end_s[-1]), text=text
        )
    ]


def _of_rows(block: CountBlock) -> list[Verdict]:
    """What the reader found in the rows themselves."""
    return [
        Verdict(
            detector=block.detectors[one.detector],
            day=block.days[one.day],
            code=next(code for code in CODES if code == one.code),
            n_interval=one.n_row,
            begin_s=one.begin_s,
            end_s=one.end_s,
            text=one.text,
            rows=_row_text(block, np.asarray(one.rows, dtype=np.int64), one.n_row),
        )
        for one in block.found
    ]


def _of_values(work: Work) -> list[Verdict]:
    """Verdicts on single counts, one per detector, day and rule."""
    block, out = work.block, []
    for number, code in enumerate(CODES, start=1):
        for part in work.chunks():
            where = work.code[part] == number
            for i, n in np.argwhere(where.any(axis=2)).tolist():
                at = np.flatnonzero(where[i, n])
                out.append(_verdict(work, part.start + i, n, at, code, block))
    return out


def _verdict(work: Work, i: int, n: int, at: NDArray[np.int64], code: Code, block: CountBlock) -> Verdict:
    sources = work.source[i, n, at]
    rows = block.row[i, n, at]
    rows = np.unique(rows[rows > 0])
    sd_veh = work.sd_veh[i, n, at][sources > 0] if work.sd_veh is not None else np.zeros(0)
    sd_veh = sd_veh[np.isfinite(sd_veh)]
    return Verdict(
        detector=block.detectors[i],
        day=block.days[n],
        code=code,
        n_interval=len(at),
        begin_s=float(block.begin_s[at[0]]),
        end_s=float(block.begin_s[at[-1]] + block.interval_s),
        n_repaired=int((sources > 0).sum()),
        repair=", ".join(SOURCES[s] for s in np.unique(sources[sources > 0])),
        sd_veh=round(float(np.median(sd_veh)), 2) if len(sd_veh) else None,
        text=work.said.get((code, i, n)) or REASONS[code](block.veh[i, n, at]),
        rows=_row_text(block, rows, len(rows)),
    )


def _of_days(work: Work) -> list[Verdict]:
    """Verdicts on whole days that left the counts as they are."""
    block, out = work.block, []
    for (code, i, n), text in work.said.items():
        if (work.code[i, n] == CODES.index(code) + 1).any():
            continue  # said with its counts
        rows = np.unique(block.row[i, n][block.row[i, n] > 0])
        out.append(
            Verdict(
                detector=block.detectors[i],
                day=block.days[n],
                code=code,
                n_interval=int(np.isfinite(block.veh[i, n]).sum()),
                begin_s=float(block.begin_s[0]),
                end_s=float(block.end_s[-1]),
                text=text,
                rows=_row_text(block, rows, len(rows)),
            )
        )
    return out


def _row_text(block: CountBlock, rows: NDArray[np.integer], n_row: int) -> str:
    """`rows 17-40, 52 and 3 more`."""
    if not len(rows):
        return ""
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    ends = [*(starts[1:] - 1).tolist(), len(rows) - 1]
    spans = [(int(rows[a]), int(rows[b])) for a, b in zip(starts.tolist(), ends, strict=True)][:MAX_ROWS]
    parts = [block.place(a) + (f" to {block.place(b)}" if b > a else "") for a, b in spans]
    told = sum(b - a + 1 for a, b in spans)
    if len(block.files) < 2:
        parts = [parts[0], *(part.removeprefix("row ") for part in parts[1:])]
    text = ", ".join(parts).replace(" to row ", "-") if len(block.files) < 2 else ", ".join(parts)
    return text + (f" and {n_row - told} more" if n_row > told else "")


def _range(value: NDArray[np.floating]) -> str:
    return f"{value.min():g}" if value.min() == value.max() else f"{value.min():g} to {value.max():g}"


REASONS: dict[Code, Callable[[NDArray[np.floating]], str]] = {
    "missing": lambda _: "no count",
    "negative": lambda value: f"counts below 0: {_range(value)}",
    "pulse": lambda value: f"{_range(value)} vehicles in every interval: a pulse a second, not traffic",
    "impossible": lambda value: f"{_range(value)} vehicles in one interval, more than can pass on the lanes there",
    "stuck": lambda value: f"the count stays the same, {_range(value)}",
    "dead": lambda _: "no vehicle where traffic usually is",
    "level": lambda _: "the day's level is far from the loop's usual one while other loops are as usual",
    "drift": lambda _: "the level drifts from day to day against all other loops",
    "swapped": lambda _: "counts look like those of the neighbouring lane, and the other way round",
    "time_zone": lambda _: "the day fits the loop's history at another hour",
    "clock_change": lambda _: "the hour is there twice, or is none: the clocks change that day",
    "duplicate": lambda _: "rows are there twice",
    "late": lambda _: "rows came after rows of later times",
    "balance": lambda _: "sums up and down the road disagree",
}

"""What high-resolution events show: cycle and offset, order of phases, splits, counts, arrivals on green."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from network_data.errors import DemandError
from network_data.formats.hires import FLOAT, LOCAL_ZERO, MASTER_ZERO, Code, Events, Green, greens, whole_numbers
from network_data.tables import capped, need_columns, read_table, texts

MAX_INTERVALS = 4_000_000
"""Most intervals of a log: ten years of quarters."""
SAME_CYCLE_S = 0.6
"""Cycles whose lengths differ by no more are the same. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The cycle and what it was taken from; the offset where the log tells it. [s]"""

    cycle_s: float
    source: str
    share: float
    """Share of cycles of this length among all (of force-offs: how sharply they fall on one second). [-]"""
    offset_s: float | None
    """Local zero after master zero, modulo the cycle."""


def cycle_of(events: Events) -> Cycle | None:
    """The cycle: from the coordination states, else from when force-offs come; None where there is no common one."""
    for parameter in (MASTER_ZERO, LOCAL_ZERO):
        zeros = events.of(Code.COORDINATION, parameter)
        if len(zeros) < 3:
            continue
        lengths = np.diff(zeros)
        cycle_s = float(np.median(lengths))
        share = float((np.abs(lengths - cycle_s) <= SAME_CYCLE_S).mean())
        if share >= 0.5:
            name = "master cycle zero" if parameter == MASTER_ZERO else "local zero"
            return Cycle(
                cycle_s=round(cycle_s, 1), source=f"coordination states ({name})", share=share,
                offset_s=_offset_s(events, cycle_s),
            )  # fmt: skip
    return _by_force_offs(events)


def _offset_s(events: Events, cycle_s: float) -> float | None:
    local, master = (events.of(Code.COORDINATION, p) for p in (LOCAL_ZERO, MASTER_ZERO))
    if not len(local) or not len(master):
        return None
    before = np.searchsorted(master, local, side="right") - 1
    gaps = (local - master[np.maximum(before, 0)])[before >= 0]
    return round(float(np.median(gaps)) % cycle_s, 1) if len(gaps) else None


def _by_force_offs(events: Events, *, low_s: int = 40, high_s: int = 240) -> Cycle | None:
    """The shortest period in which force-offs of each phase fall together (mean resultant length near the best)."""
    groups = [events.of(Code.FORCE_OFF, phase) for phase in events.parameters(Code.FORCE_OFF)]
    groups = [times for times in groups if len(times) >= 5]
    if not groups:
        return None
    weights = np.array([len(times) for times in groups], float)
    periods = np.arange(low_s, high_s + 0.5, 0.5)
    sharp = np.array(
        [np.average([abs(np.exp(2j * np.pi * times / c).mean()) for times in groups], weights=weights) for c in periods]
    )
    best = int(np.argmax(sharp >= 0.98 * sharp.max()))
    best = best + int(np.argmax(sharp[best : best + 4]))
    if sharp[best] < 0.7:
        return None
    return Cycle(cycle_s=float(periods[best]), source="force-offs", share=float(sharp[best]), offset_s=None)


def phase_order(events: Events) -> list[tuple[tuple[int, ...], int]]:
    """The orders in which phases turn green within a cycle, the most frequent first, with how often.

    A cycle lasts from one local zero to the next; without coordination, between greens of the phase that turns green
    most often.
    """
    starts = events.of(Code.COORDINATION, LOCAL_ZERO)
    if len(starts) < 2:
        begins = {phase: events.of(Code.GREEN_BEGIN, phase) for phase in events.phases}
        if not begins:
            return []
        starts = max(begins.values(), key=len)
    chosen = events.code == Code.GREEN_BEGIN
    times, phases = events.time_s[chosen], events.parameter[chosen]
    found: Counter[tuple[int, ...]] = Counter()
    for a, b in pairwise(starts):
        rows = np.flatnonzero((times >= a) & (times < b))
        found[tuple(dict.fromkeys(int(phases[i]) for i in rows))] += 1
    return found.most_common()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A detector channel: its phase and what it is for."""

    channel: int
    phase: int
    function: str

    @property
    def counts(self) -> bool:
        """Whether each actuation is about one vehicle: counting loops and those before the stop line."""
        return self.function in ("advance", "count", "stop bar count")


def read_channels(path: Path | str, *, device: str | None = None) -> tuple[Channel, ...]:
    """Read what the channels are: CSV DeviceId,Phase,Parameter,Function (case does not matter).

    Raises
    ------
    DemandError
        Missing columns, rows without usable phase or channel.
    """
    table = read_table(path)
    low = {name.lower(): name for name in table.columns}
    wanted = ("phase", "parameter", "function")
    need_columns(path, table, tuple(low.get(name, name) for name in wanted), "DeviceId,Phase,Parameter,Function")
    faults = list(table.faults)
    phase = whole_numbers(table.columns[low["phase"]], table.row, "Phase", faults)
    channel = whole_numbers(table.columns[low["parameter"]], table.row, "Parameter", faults)
    if faults:
        raise DemandError(str(path), capped(faults))
    function = texts(table.columns[low["function"]]).astype(object)
    owner = texts(table.columns[low["deviceid"]]).astype(object) if "deviceid" in low else np.full(len(table), device)
    return tuple(
        Channel(channel=int(c), phase=int(p), function=str(f).strip().lower().replace("_", " "))
        for c, p, f, d in zip(channel, phase, function, owner, strict=True)
        if device is None or d in (device, None)
    )


def detector_counts(events: Events, interval_s: float = 900.0) -> pd.DataFrame:
    """Actuations and occupancy of every channel per interval.

    Returns
    -------
    DataFrame
        detector (`<device>/<channel>`), begin_s, end_s, veh (on-events), occupancy_pct: the layout of counts. Intervals
        begin at whole multiples after midnight; those at both ends that the log does not cover (to 1 %) are left out.
    """
    first_s, last_s = events.period_s
    # a log of whole hours ends with its last event, a few seconds before the hour
    first, end = np.ceil(first_s / interval_s - 0.01), np.floor(last_s / interval_s + 0.01)
    channels = events.parameters(Code.DETECTOR_ON)
    if (end - first) * max(1, len(channels)) > MAX_INTERVALS:
        raise DemandError(
            "events",
            f"span {end - first:.0f} intervals of {interval_s:g} s at {len(channels)} channels, more than "
            f"{MAX_INTERVALS:,} together; check the times or count in longer ones",
        )
    begin: FLOAT = np.arange(first, end).astype(np.float64) * interval_s
    frames = []
    for channel in channels:
        on, off = events.of(Code.DETECTOR_ON, channel), events.of(Code.DETECTOR_OFF, channel)
        veh = np.histogram(on, np.append(begin, begin[-1:] + interval_s))[0] if len(begin) else np.zeros(0, int)
        frames.append(
            pd.DataFrame(
                {
                    "detector": f"{events.device}/{channel}",
                    "begin_s": begin,
                    "end_s": begin + interval_s,
                    "veh": veh,
                    "occupancy_pct": _occupancy_pct(on, off, begin, interval_s, last_s),
                }
            )
        )
    columns = ["detector", "begin_s", "end_s", "veh", "occupancy_pct"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _occupancy_pct(on: FLOAT, off: FLOAT, begin: FLOAT, interval_s: float, last_s: float) -> FLOAT:
    """Share of each interval in which the detector was on. [%]"""
    k = np.searchsorted(off, on)
    until = np.where(k < len(off), off[np.minimum(k, len(off) - 1)] if len(off) else last_s, last_s)
    # an on-event before the last one has ended adds nothing
    until = np.minimum(until, np.append(on[1:], np.inf))
    before_s = np.concatenate([[0.0], np.cumsum(until - on)])

    def on_until(time_s: FLOAT) -> FLOAT:
        """Seconds on from the begin of the log up to each time."""
        n = np.searchsorted(on, time_s)
        last = np.maximum(n - 1, 0)
        running = np.where(n > 0, np.clip(until[last] - time_s, 0.0, None), 0.0) if len(on) else 0.0
        total: FLOAT = before_s[n] - running
        return total

    share: FLOAT = np.round(100 * (on_until(begin + interval_s) - on_until(begin)) / interval_s, 2)
    return share


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSummary:
    """What a phase did over the log; times are means over its complete greens. [s]"""

    phase: int
    greens: int
    green_s: float
    split_s: float
    split_min_s: float
    split_max_s: float
    yellow_s: float
    red_s: float
    ended: Mapping[str, int]
    arrivals: int
    """Actuations of its counting detectors; 0 without any."""
    on_green: float | None
    """Share of these that came in green. [-]"""


def phase_summaries(
    events: Events, channels: Sequence[Channel] = (), *, travel_s: Mapping[int, float] | None = None
) -> list[PhaseSummary]:
    """Splits and arrivals on green of every phase.

    Parameters
    ----------
    events : Events
        Of one device.
    channels : sequence of Channel
        Only advance detectors tell arrivals; without them no share is given.
    travel_s : mapping, optional
        Channel → seconds from the detector to the stop line, 0 by default.
    """
    by_phase: dict[int, list[Green]] = defaultdict(list)
    for green in greens(events):
        by_phase[green.phase].append(green)
    out = []
    for phase, rows in sorted(by_phase.items()):
        whole = [g for g in rows if not np.isnan(g.red_end_s)]
        split = np.array([g.split_s for g in whole])
        arrivals, on_green = _arrivals(events, phase, rows, channels, travel_s or {})
        out.append(
            PhaseSummary(
                phase=phase,
                greens=len(rows),
                green_s=_mean([g.green_s for g in whole]),
                split_s=_mean(split),
                split_min_s=float(split.min()) if len(split) else float("nan"),
                split_max_s=float(split.max()) if len(split) else float("nan"),
                yellow_s=_mean([g.yellow_end_s - g.end_s for g in whole]),
                red_s=_mean([g.red_end_s - g.yellow_end_s for g in whole]),
                ended=dict(Counter(g.ended_by or "unknown" for g in rows if not np.isnan(g.end_s))),
                arrivals=arrivals,
                on_green=on_green,
            )
        )
    return out


def _mean(values: Sequence[float] | FLOAT) -> float:
    return round(float(np.mean(values)), 2) if len(values) else float("nan")


def _arrivals(
    events: Events, phase: int, rows: Sequence[Green], channels: Sequence[Channel], travel_s: Mapping[int, float]
) -> tuple[int, float | None]:
    """Actuations of the phase's advance detectors, and the share of them that reached the stop line in green."""
    parts = [
        events.of(Code.DETECTOR_ON, c.channel) + travel_s.get(c.channel, 0.0)
        for c in channels
        if c.phase == phase and c.function == "advance"
    ]
    times = np.concatenate(parts) if parts else np.zeros(0)
    if not len(times):
        return 0, None
    last_s = events.period_s[1]
    begin = np.array([g.begin_s for g in rows])
    end = np.array([g.end_s if not np.isnan(g.end_s) else last_s for g in rows])
    k = np.searchsorted(begin, times, side="right") - 1
    green = (k >= 0) & (times < end[np.maximum(k, 0)])
    return len(times), round(float(green.mean()), 4)

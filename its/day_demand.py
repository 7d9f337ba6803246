"""Demand of whole days by type: counts of many days in, turning flows of a few that stand for all of their type out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from its.counted import Counted, load_counts
from its.requests import DemandSource
from network_data.counting.counts import CountTable
from network_data.counting.quality import Checked
from network_data.day_scenarios import choose_days, day_scenarios
from network_data.day_types import DayTypes, clock_change_s
from network_data.demand import DemandScenarios
from network_data.detectors import Detector, read_detectors
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DAY_S
from network_data.settings import Settings
from network_data.turning_flows.estimate import Estimate, Estimator

LEAST_COUNTED = 0.5
"""A day needs counts in so large a share of the planned intervals to stand for others. [-]"""


@dataclass(frozen=True, eq=False, kw_only=True)
class WeekDemand:
    """Demand of each type of day over the planned part of the day, and what it was made from.

    `days` lists the dates behind each type; `labels` those that stand for them.
    """

    scenarios: Mapping[str, DemandScenarios]
    days: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, float]
    begin_s: float
    end_s: float
    detectors: tuple[Detector, ...]
    estimates: Mapping[str, tuple[Estimate, ...]]
    notes: tuple[str, ...]
    count_record: dict[str, Any]

    @property
    def measured_links(self) -> frozenset[str]:
        """Links with a loop."""
        return frozenset(d.link_id for d in self.detectors)


def load_week(
    source: DemandSource,
    network: RoadNetwork,
    field: TimingPlan,
    settings: Settings,
    *,
    progress: Callable[[float], object] = float,
    stop: Callable[[], bool] = lambda: False,
) -> WeekDemand:
    """Read counts of many days, sort the days by type, estimate the flows of those that stand for each type.

    Days on which the clocks change have 23 or 25 hours and are left out. Asked to stop, it makes do with
    the days estimated so far, at least one of each type.

    Raises
    ------
    DemandError
        A file cannot be used, no day fits, or counts cover less than an hour.
    """
    if source.detectors is None or source.counts is None:
        raise DemandError("demand", "a day is planned from counts; give --detectors and --counts")
    detectors = read_detectors(source.detectors, network)
    counted = load_counts(source.counts, detectors, network, source.days, settings)
    begin_s, end_s = _period(source, counted, settings.day.interval_s)
    types, zone = settings.day.types, settings.counts.time_zone
    notes = counted.notes
    groups, left_out = usable_days(counted.checked, types, zone, begin_s, end_s)
    notes += left_out
    estimator = Estimator(network, detectors, plan=field)
    found: dict[str, tuple[Estimate, ...]] = {}
    scenarios: dict[str, DemandScenarios] = {}
    labels: dict[str, tuple[str, ...]] = {}
    total = sum(min(settings.day.scenarios, len(group)) for group in groups.values())
    done = 0
    for kind, group in groups.items():
        block = counted.checked.block.on(group)
        choice = choose_days(block, begin_s, end_s, settings.day.scenarios)
        known: dict[int, Estimate] = {}
        for n in sorted(range(len(choice.days)), key=lambda n: -choice.weights[n]):  # the heaviest first
            if known and stop():
                break
            k = choice.days[n]
            table = coarser(counted.table(group[k], begin_s, end_s), settings.day.interval_s)
            known[n] = estimator.estimate(table, begin_s, end_s, label=counted.labels[group[k]])
            done += 1
            progress(done / total)
        estimates = [known[n] for n in sorted(known)]
        demands = [one.demand for one in estimates]
        if len(known) < len(choice.days):
            notes.append(f"{kind}: for lack of time {len(known)} of {len(choice.days)} days were estimated")
            kept = np.array([choice.weights[n] for n in sorted(known)])
            scenarios[kind] = DemandScenarios(scenarios=tuple(demands), weights=tuple((kept / kept.sum()).tolist()))
        else:
            scenarios[kind] = day_scenarios(demands, choice, block, detectors, begin_s, end_s)
        found[kind] = tuple(estimates)
        labels[kind] = tuple(one.demand.label for one in estimates)
        if len(group) > len(estimates):
            weights = zip(labels[kind], scenarios[kind].weights, strict=True)
            named = ", ".join(f"{label} ({weight:.0%})" for label, weight in weights)
            notes.append(f"{kind}: {len(group)} days; {len(estimates)} of them stand for all: {named}")
    return WeekDemand(
        scenarios=scenarios,
        days={kind: tuple(counted.labels[n] for n in group) for kind, group in groups.items()},
        labels=labels,
        shares=types.shares(groups),
        begin_s=begin_s,
        end_s=end_s,
        detectors=detectors,
        estimates=found,
        notes=tuple(dict.fromkeys([*notes, *(note for ones in found.values() for one in ones for note in one.notes)])),
        count_record=counted.record,
    )


def usable_days(
    checked: Checked, types: DayTypes, zone: str | None, begin_s: float, end_s: float
) -> tuple[dict[str, list[int]], list[str]]:
    """The days of each type that can stand for others, by index, and what was left out and why.

    Raises
    ------
    DemandError
        No day is left.
    """
    block = checked.block
    inside = (block.begin_s < end_s) & (block.end_s > begin_s)
    wanted = max(1, int(inside.sum()))
    notes, kept = [], []
    for n, day in enumerate(block.days):
        share = np.isfinite(block.veh[:, n][:, inside]).any(axis=0).sum() / wanted
        change_s = clock_change_s(day, zone) if day is not None and zone is not None else 0.0
        if change_s:
            notes.append(f"{day}: the clocks change, the day has {24 + change_s / 3600:g} hours; left out")
        elif share < LEAST_COUNTED:
            notes.append(f"{day or 'the day'}: counts in {share:.0%} of the planned intervals; left out")
        else:
            kept.append(n)
    if not kept:
        raise DemandError("days", ["no day is left to plan from", *notes])
    return {kind: [kept[k] for k in group] for kind, group in types.group([block.days[n] for n in kept]).items()}, notes


def _period(source: DemandSource, counted: Counted, interval_s: float) -> tuple[float, float]:
    """The planned part of the day, on whole intervals: what was asked for, else what the counts cover."""
    first_s, last_s = counted.span_s
    begin_s = first_s if source.begin_s is None else source.begin_s
    end_s = min(last_s, DAY_S) if source.end_s is None else source.end_s
    faults = []
    if not 0 <= begin_s < end_s <= DAY_S:
        faults.append(f"the period is {begin_s:g} to {end_s:g} s; needs to lie within the day, the end after the begin")
    elif source.begin_s is None or source.end_s is None:
        begin_s = interval_s * np.ceil(begin_s / interval_s) if source.begin_s is None else begin_s
        end_s = interval_s * np.floor(end_s / interval_s) if source.end_s is None else end_s
    if not faults and abs((end_s - begin_s) / interval_s - round((end_s - begin_s) / interval_s)) > 1e-6:
        faults.append(f"{begin_s:g} to {end_s:g} s is no multiple of [day] interval_s {interval_s:g}; mend either")
    if not faults and end_s - begin_s < 3600:
        faults.append(f"{begin_s:g} to {end_s:g} s is less than an hour; give counts of a longer part of the day")
    if faults:
        raise DemandError("--begin/--end", faults)
    return float(begin_s), float(end_s)


def coarser(counts: CountTable, interval_s: float) -> CountTable:
    """Counts added up to longer intervals; one that lacks a part of its counts is filled up from the rest of it.

    Occupancy is averaged, speed by vehicles. Counts that are as long already stay as they are.
    """
    if counts.interval_s >= interval_s - 1e-6:
        return counts
    frame = counts.frame
    begin_s = np.floor(frame["begin_s"] / interval_s) * interval_s
    known = frame["veh"].notna()
    work = pd.DataFrame(
        {
            "detector": frame["detector"],
            "day": frame["day"],
            "begin_s": begin_s,
            "veh": frame["veh"],
            "n": known.astype(float),
            "occupancy_pct": frame["occupancy_pct"],
            "passed": frame["veh"].where(frame["speed_mps"].notna()),
            "distance": frame["veh"] * frame["speed_mps"],
            "repaired": frame["repaired"] if "repaired" in frame.columns else False,
        }
    )
    keys = ["detector", "begin_s"]
    grouped = work.groupby(keys, observed=True, sort=True)
    out = grouped.agg(
        day=("day", "first"),
        veh=("veh", "sum"),
        n=("n", "sum"),
        occupancy_pct=("occupancy_pct", "mean"),
        passed=("passed", "sum"),
        distance=("distance", "sum"),
        repaired=("repaired", "max"),
    ).reset_index()
    whole = round(interval_s / counts.interval_s)
    enough = out["n"] >= whole / 2
    out["veh"] = np.where(enough, out["veh"] * whole / out["n"].where(enough, 1.0), np.nan)
    out["speed_mps"] = np.where(
        out["passed"] > 0, out["distance"] / out["passed"].where(out["passed"] > 0, 1.0), np.nan
    )
    out["end_s"] = out["begin_s"] + interval_s
    out["repaired"] = out["repaired"].astype(bool) | (out["n"] < whole)
    columns = ["detector", "day", "begin_s", "end_s", "veh", "occupancy_pct", "speed_mps"]
    columns += ["repaired"] if "repaired" in frame.columns else []
    return replace(counts, frame=out[columns])


def day_of(label: str) -> date | None:
    """The date of a label; None for a day without one."""
    return date.fromisoformat(label) if label else None

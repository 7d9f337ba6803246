"""`its discharge`: saturation flows and start-up losses from stop-bar loops, as settings for the simulation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from its.console import Console, format_table
from its.inputs import load_field_plan, load_network
from its.requests import Standard
from network_data.counting.counts import read_counts, select_days
from network_data.detectors import Detector, read_detectors
from network_data.discharge.actuations import read_actuations, read_greens
from network_data.discharge.controller_log import from_events
from network_data.discharge.greens import Greens
from network_data.discharge.headways import Range
from network_data.discharge.lanes import DAY_S, Actuations, Lane, LaneDischarge, LoopCounts, lane_discharges
from network_data.errors import DemandError
from network_data.formats.files import write_aside
from network_data.formats.hires import read_events
from network_data.formats.hires_measures import read_channels
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import load_settings
from sim.field_saturation import GroupDischarge, field_saturations, field_start_ups, group_discharges
from sim.saturation import SaturationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DischargeRequest:
    """`its discharge`: all its options."""

    network: Path
    detectors: Path
    actuations: Path | None
    events: Path | None
    channels: Path | None
    counts: Path | None
    greens: Path | None
    plans: Path | None
    begin_s: float | None
    end_s: float | None
    days: str
    standard: Standard
    out: Path | None
    as_json: bool
    settings: Path | None = None


@dataclass(frozen=True, eq=False)
class _Data:
    loops: Mapping[str, Actuations | LoopCounts]
    begin_s: float
    end_s: float
    days: int = 1
    greens: Mapping[Lane, Greens] | None = None


def discharge_job(request: DischargeRequest) -> int:
    """Run the job; returns the exit code."""
    console = Console(quiet=request.as_json)
    with console.stage("read"):
        network = load_network(request.network)
        plan = load_field_plan(request.plans, network)
        detectors = read_detectors(request.detectors, network)
        data = _data(request, detectors)
    with console.stage("discharge"):
        found = _found(request, network, plan, detectors, data)
        groups = group_discharges(network, found, SaturationSettings(standard=request.standard))
    if request.out is not None:
        write_aside(request.out, settings_text(groups, found, request.standard))
    said = discharge_json(groups, found)
    print(json.dumps(said, indent=1) if request.as_json else _text(said, request))
    return 0


def _found(
    request: DischargeRequest, network: RoadNetwork, plan: TimingPlan, detectors: tuple[Detector, ...], data: _Data
) -> dict[Lane, LaneDischarge]:
    greens = read_greens(request.greens, network) if request.greens is not None else data.greens
    return lane_discharges(
        network, plan, detectors, data.loops, begin_s=data.begin_s, end_s=data.end_s, days=data.days, greens=greens
    )


def _data(request: DischargeRequest, detectors: tuple[Detector, ...]) -> _Data:
    if request.actuations is not None:
        loops = read_actuations(request.actuations, detectors)
        first_s = min(float(a.on_s[0]) for a in loops.values())
        last_s = max(float(a.off_s[-1]) for a in loops.values())
        return _Data(loops, *_period(request, first_s, last_s))
    if request.events is not None and request.channels is not None:
        events = read_events(request.events)
        made, shown = from_events(events, read_channels(request.channels, device=events.device), detectors)
        return _Data(made, *_period(request, *events.period_s), greens=shown)
    if request.counts is None:
        raise DemandError("its discharge", "no loops are given; give --actuations, --events or --counts")
    layout = load_settings(request.settings).counts if request.settings is not None else None
    days = [table.frame for _, table in select_days(read_counts(request.counts, detectors, layout), request.days)]
    spans = [(float(f["begin_s"].min()), float(f["end_s"].max())) for f in days]
    begin_s, end_s = _period(request, min(a for a, _ in spans), max(b for _, b in spans))
    rows: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for n, frame in enumerate(days):
        inside = frame[(frame["begin_s"] >= begin_s) & (frame["end_s"] <= end_s)].sort_values("begin_s", kind="stable")
        for name, mine in inside.groupby("detector", observed=True):
            known = "occupancy_pct" in mine
            share = mine["occupancy_pct"].to_numpy(float) / 100 if known else np.full(len(mine), np.nan)
            at = (mine["begin_s"].to_numpy(float) + n * DAY_S, mine["end_s"].to_numpy(float) + n * DAY_S)
            rows.setdefault(str(name), []).append((*at, mine["veh"].to_numpy(float), share))
    counted: dict[str, Actuations | LoopCounts] = {}
    for name, parts in rows.items():
        begin, end, veh, share = (np.concatenate(column) for column in zip(*parts, strict=True))
        counted[name] = LoopCounts(begin, end, veh, share if np.isfinite(share).any() else None)
    return _Data(counted, begin_s, end_s, len(days))


def _period(request: DischargeRequest, first_s: float, last_s: float) -> tuple[float, float]:
    begin_s = first_s if request.begin_s is None else request.begin_s
    end_s = last_s if request.end_s is None else request.end_s
    if not begin_s < end_s:
        raise DemandError("--begin/--end", f"begin {begin_s:g} s is not before end {end_s:g} s; mend them")
    return begin_s, end_s


def settings_text(groups: Mapping[str, GroupDischarge], found: Mapping[Lane, LaneDischarge], standard: Standard) -> str:
    """The settings section by which `its simulate` and `its optimize` take the measured flows."""
    lines = [
        "# saturation flows and start-up times from stop-bar loops (its discharge); lanes not named follow the manual",
        "[saturation]",
        f'standard = "{standard}"',
        "conditions = [",
    ]
    flows, start_ups = field_saturations(groups, found), field_start_ups(groups)
    for link, lane in sorted(flows.keys() | start_ups.keys()):
        told = [f"measured_vph = {flows[link, lane]:.0f}"] if (link, lane) in flows else []
        told += [f"start_up_s = {start_ups[link, lane]:.2f}"] if (link, lane) in start_ups else []
        lines.append(f"  {{ link = {json.dumps(link)}, lane = {lane}, {', '.join(told)} }},")
    return "\n".join([*lines, "]", ""])


def discharge_json(groups: Mapping[str, GroupDischarge], found: Mapping[Lane, LaneDischarge]) -> dict[str, Any]:
    """Lane groups and lanes as JSON; ranges are 95 % intervals."""
    return {
        "lane_groups": [
            {
                "lane_group": name,
                "controller": one.group.controller_id,
                "link": one.group.link,
                "lanes": list(one.group.lanes),
                "basis": one.basis,
                "saturation_vph": round(one.saturation_vph, 1),
                "saturation_range_vph": _range(one.range, 1),
                "startup_loss_s": None if one.startup_loss_s is None else round(one.startup_loss_s.value, 2),
                "startup_loss_range_s": _range(one.startup_loss_s, 2),
                "reasons": list(one.reasons),
            }
            for name, one in groups.items()
        ],
        "lanes": [
            {
                "link": link,
                "lane": lane,
                "detector": one.detector,
                "basis": one.basis,
                "saturation_vph": None if one.saturation_vph is None else round(one.saturation_vph.value, 1),
                "saturation_range_vph": _range(one.saturation_vph, 1),
                "startup_loss_s": None if one.startup_loss_s is None else round(one.startup_loss_s.value, 2),
                "startup_loss_range_s": _range(one.startup_loss_s, 2),
                "end_use_s": None if one.end_use_s is None else round(one.end_use_s.value, 2),
                "greens": one.n_greens,
                "saturated": one.n_saturated,
                "headways": round(one.n_headways),
                "reason": one.reason,
            }
            for (link, lane), one in found.items()
        ],
    }


def _range(value: Range | None, digits: int) -> list[float] | None:
    return None if value is None else [round(value.low, digits), round(value.high, digits)]


def _text(said: Mapping[str, Any], request: DischargeRequest) -> str:
    rows = []
    looped = {(one["link"], one["lane"]) for one in said["lanes"]}
    for one in said["lane_groups"]:
        if not any((one["link"], lane) in looped for lane in one["lanes"]):
            continue
        low_high, loss = one["saturation_range_vph"], one["startup_loss_s"]
        rows.append(
            (
                one["lane_group"],
                one["basis"],
                f"{one['saturation_vph']:.0f}",
                "" if low_high is None else f"{low_high[0]:.0f}–{low_high[1]:.0f}",
                f"{one['saturation_vph'] / len(one['lanes']):.0f}",
                "" if loss is None else f"{loss:.1f}",
                "; ".join(one["reasons"]),
            )
        )
    head = ("lane group", "from", "veh/h", "95 %", "per lane", "start-up s", "why no more is known")
    n = sum(one["saturation_vph"] is not None for one in said["lanes"])
    last = f"{n} of {len(said['lanes'])} lanes with a stop-bar loop told their saturation flow"
    blind = len(said["lane_groups"]) - len(rows)
    if blind:
        last += f"; {blind} lane groups without one follow the {request.standard.upper()}"
    if request.out is not None:
        last += f"; settings written to {request.out}"
    return "\n\n".join([format_table(head, rows), last])

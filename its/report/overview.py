"""The parts of the report about the whole network: headline, today, ladder, assumptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from its.report.charts import Change, Dot, change_chart, ladder_chart, mini_bars, scatter
from its.report.data import DemandRow, ReportData, as_list, as_mapping, as_number
from its.report.names import Names, clock, short
from its.report.signals import changes_of, signals_shown

GEH_LIMIT = 5.0
NO_CROSSINGS = "no crossings in the input, not fit for a street with pedestrians"
SUPPORT = {
    "measured": "measured: counted on its own",
    "implied": "implied: follows from counts around it",
    "prior": "prior: nothing counted constrains it; usual turning shares",
}
MOST_GAINS = 10
MOST_LISTED = 2_000
"""Flows that get a line; the others are counted. [-]"""
LISTED_VPH = 1.0
"""Smaller flows are counted, not listed. [veh/h]"""


@dataclass(frozen=True, slots=True)
class Headline:
    """The first lines of the report."""

    delay_before_s: float
    delay_after_s: float
    change: float | None
    n_signals: int
    veh: float
    period: str
    days: str
    checks: str
    checks_ok: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """A rule and whether the plan keeps it, with remarks."""

    rule: str
    ok: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """Counted against simulated at one detector, under the field plan."""

    detector: str
    place: str
    counted_veh: float | None
    simulated_veh: float | None
    geh: float | None
    ok: bool
    repaired: bool
    counted_occupancy: float | None
    simulated_occupancy: float | None
    occupancy_ok: bool


@dataclass(frozen=True, slots=True)
class Today:
    """Does the model reproduce today? Occupancy counts where detectors tell it (`n_held` of them)."""

    rows: tuple[DetectorRow, ...]
    n_ok: int
    n_judged: int
    n_held_ok: int
    n_held: int
    occupancy_limit: float
    geh_limit: float
    chart: Markup | None
    signals: tuple[tuple[str, str, float | None, bool, str], ...]  # id, streets, share ok, unproven, text


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One signal (or the network) over the steps."""

    id: str
    streets: str
    delay_s: tuple[float | None, ...]
    stops: tuple[float | None, ...]
    queue_veh: tuple[float | None, ...]
    cycle_s: tuple[float | None, ...]
    bars: Markup


@dataclass(frozen=True, slots=True)
class Ladder:
    """What each step brings."""

    steps: tuple[str, ...]
    chart: Markup
    total: LadderRow
    signals: tuple[LadderRow, ...]


def headline(data: ReportData) -> Headline:
    """Delay today and then, for whom, when, and whether the plan passed its checks."""
    before, after = data.before.network, data.after.network
    period, checks = data.part("period"), rule_checks(data)
    failed = [check.rule for check in checks if not check.ok]
    remarks = sum(len(check.warnings) for check in checks)
    text = f"All {len(checks)} safety checks passed" if checks else "No safety check is recorded for this plan"
    if failed:
        text = f"{len(failed)} of {len(checks)} safety checks failed: {', '.join(failed)}"
    text += f", with {remarks} remark{'s' if remarks > 1 else ''} (see Assumptions)." if remarks else "."
    return Headline(
        delay_before_s=before.delay_s_per_veh,
        delay_after_s=after.delay_s_per_veh,
        change=(after.delay_s_per_veh - before.delay_s_per_veh) / before.delay_s_per_veh
        if before.delay_s_per_veh > 0
        else None,
        n_signals=len(data.plan.controllers),
        veh=before.veh,
        period=f"{clock(as_number(period.get('begin_s')))}–{clock(as_number(period.get('end_s')))}" if period else "",
        days=_days(period),
        checks=text,
        checks_ok=bool(checks) and not failed,
        warnings=(NO_CROSSINGS,) if _lacks_crossings(data) else (),
    )


def rule_checks(data: ReportData) -> list[RuleCheck]:
    """Every rule that the plan was held against."""
    return [
        RuleCheck(
            rule=str(check.get("rule", "?")),
            ok=bool(check.get("ok", check.get("passed", True))),
            warnings=tuple(str(text) for text in (*as_list(check.get("text")), *as_list(check.get("warnings")))),
        )
        for check in map(as_mapping, data.rows("checks"))
    ]


def _days(period: Mapping[str, Any]) -> str:
    days = period.get("days")
    if isinstance(days, str):
        return days
    listed = [str(day) for day in as_list(days)]
    return ", ".join(listed) if len(listed) <= 3 else f"{listed[0]} … {listed[-1]} ({len(listed)} days)"


def _lacks_crossings(data: ReportData) -> bool:
    """Where no crossing is signalled and none is assumed; or where the job noted it."""
    if any("no crossings" in str(note) for note in data.rows("notes")):
        return True
    assumed = as_mapping(data.part("settings").get("rules")).get("pedestrians") == "assume"
    return not assumed and not any(x.controller_id is not None for x in data.network.crossings)


def today(data: ReportData, names: Names) -> Today:
    """Every detector, misses first."""
    part = data.part("today")
    limit = as_number(part.get("geh_limit")) or GEH_LIMIT
    rows = [_detector(as_mapping(row), limit) for row in as_list(part.get("detectors"))]
    rows.sort(key=lambda r: (r.ok, r.occupancy_ok, -(r.geh or 0.0), r.detector))
    dots = [
        Dot(r.detector, r.counted_veh / data.period_h, r.simulated_veh / data.period_h, r.ok)
        for r in rows
        if r.counted_veh is not None and r.simulated_veh is not None
    ]
    judged = [r for r in rows if r.counted_veh is not None]
    held = [r for r in rows if r.counted_occupancy is not None and r.simulated_occupancy is not None]
    signals = []
    for controller_id, value in as_mapping(part.get("signals")).items():
        one = as_mapping(value)
        unproven, share, text = bool(one.get("unproven")), as_number(one.get("share_ok")), str(one.get("text") or "")
        signals.append((str(controller_id), names.signal(str(controller_id)), share, unproven, text))
    signals.sort(key=lambda s: not s[3])
    return Today(
        rows=tuple(rows),
        n_ok=sum(r.ok for r in judged),
        n_judged=len(judged),
        n_held_ok=sum(r.occupancy_ok for r in held),
        n_held=len(held),
        occupancy_limit=as_number(part.get("occupancy_limit")) or 0.0,
        geh_limit=limit,
        chart=scatter(dots, limit) if dots else None,
        signals=tuple(signals),
    )


def _detector(row: Mapping[str, Any], limit: float) -> DetectorRow:
    geh = as_number(row.get("geh"))
    link, lane = row.get("link"), row.get("lane")
    counted = as_number(row.get("counted_veh"))
    return DetectorRow(
        detector=str(row.get("detector", "?")),
        place="" if link is None else f"{link}, {lane}" if lane is not None else str(link),
        counted_veh=counted,
        simulated_veh=as_number(row.get("simulated_veh")),
        geh=geh,
        ok=bool(row.get("ok", geh is None or geh <= limit)) or counted is None,
        repaired=bool(row.get("repaired")),
        counted_occupancy=as_number(row.get("counted_occupancy")),
        simulated_occupancy=as_number(row.get("simulated_occupancy")),
        occupancy_ok=row.get("occupancy_ok") is not False,
    )


def ladder(data: ReportData, names: Names) -> Ladder:
    """The steps of run.json; without them, the field plan and the new plan as measured."""
    rungs = [as_mapping(rung) for rung in data.rows("ladder")] or _measured_rungs(data)
    steps = tuple(str(rung.get("step", "?")) for rung in rungs)
    ids = list(dict.fromkeys(c for rung in rungs for c in as_mapping(rung.get("signals"))))
    if len(ids) > data.most_signals:
        shown = set(signals_shown(data))
        ids = [c for c in ids if c in shown]
    per_signal = [[as_mapping(as_mapping(rung.get("signals")).get(c)) for rung in rungs] for c in ids]
    delays = [as_number(cell.get("delay_s_per_veh")) for cells in per_signal for cell in cells]
    most = max((d for d in delays if d is not None), default=0.0)
    total = _ladder_row("", "", rungs, max((as_number(r.get("delay_s_per_veh")) or 0.0 for r in rungs), default=0.0))
    return Ladder(
        steps=steps,
        chart=ladder_chart([(name, d) for name, d in zip(steps, total.delay_s, strict=True) if d is not None]),
        total=total,
        signals=tuple(_ladder_row(c, names.signal(c), cells, most) for c, cells in zip(ids, per_signal, strict=True)),
    )


def _measured_rungs(data: ReportData) -> list[Mapping[str, Any]]:
    rungs: list[Mapping[str, Any]] = []
    for step, measures in (("field plan", data.before), ("new plan", data.after)):
        areas = {
            c: {
                "delay_s_per_veh": a.delay_s_per_veh,
                "stops_per_veh": a.stops_per_veh,
                "queue_max_veh": a.queue_max_veh,
                "cycle_s": measures.cycle_s.get(c),
            }
            for c, a in measures.signals.items()
        }
        whole = measures.network
        rungs.append(
            {
                "step": step,
                "delay_s_per_veh": whole.delay_s_per_veh,
                "stops_per_veh": whole.stops_per_veh,
                "queue_max_veh": whole.queue_max_veh,
                "signals": areas,
            }
        )
    return rungs


def _ladder_row(controller_id: str, streets: str, cells: list[Mapping[str, Any]], most: float) -> LadderRow:
    columns = {
        name: tuple(as_number(cell.get(name)) for cell in cells)
        for name in ("delay_s_per_veh", "stops_per_veh", "queue_max_veh", "cycle_s")
    }
    return LadderRow(
        id=controller_id,
        streets=streets,
        delay_s=columns["delay_s_per_veh"],
        stops=columns["stops_per_veh"],
        queue_veh=columns["queue_max_veh"],
        cycle_s=columns["cycle_s"],
        bars=mini_bars(columns["delay_s_per_veh"], most),
    )


def network_changes(data: ReportData, names: Names) -> Markup | None:
    """The movements of all signals that gain and pay most."""
    of = data.network.movements
    changes = [
        Change(f"{short(of[one.full].controller_id or '', 18)}: {one.label}", one.full, one.before, one.after)
        for one in changes_of(data, names)
    ]
    gains = sorted((c for c in changes if c.change < 0), key=lambda c: c.change)[:MOST_GAINS]
    pays = sorted((c for c in changes if c.change > 0), key=lambda c: c.change)[-MOST_GAINS:]
    return change_chart([*gains, *pays], "Movements that gain and pay most") if gains or pays else None


@dataclass(frozen=True, slots=True)
class Support:
    """How much of the traffic stands on counts."""

    kind: str
    text: str
    n_movements: int
    share: float


def demand(data: ReportData) -> tuple[list[Support], list[DemandRow], int]:
    """What supports the demand, summed up; the flows worth a line, least supported first; and how many are not."""
    flow: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for row in data.demand:
        flow[row.support] += row.veh_per_h or 0.0
        count[row.support] += 1
    whole = sum(flow.values()) or 1.0
    kinds = [kind for kind in SUPPORT if kind in count] + sorted(set(count) - set(SUPPORT))
    order = {kind: n for n, kind in enumerate(("prior", "implied", "measured"))}
    shown = [row for row in data.demand if (row.veh_per_h or 0.0) >= LISTED_VPH]
    shown.sort(key=lambda r: (order.get(r.support, 9), -(r.veh_per_h or 0.0), r.label))
    sums = [Support(kind, SUPPORT.get(kind, kind), count[kind], flow[kind] / whole) for kind in kinds]
    shown = shown[:MOST_LISTED]
    return sums, shown, len(data.demand) - len(shown)


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested groups as rows of a table: dotted name and text."""
    if isinstance(value, Mapping):
        return [row for key, item in value.items() for row in flat(item, f"{prefix}.{key}" if prefix else str(key))]
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            return [row for n, item in enumerate(value, start=1) for row in flat(item, f"{prefix} {n}")]
        return [(prefix, ", ".join(str(item) for item in value) or "none")]
    if isinstance(value, float):
        return [(prefix, f"{value:g}")]
    return [(prefix, "yes" if value is True else "no" if value is False else "–" if value is None else str(value))]

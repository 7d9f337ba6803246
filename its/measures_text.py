"""Measures as the tables that `its simulate` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from its.console import format_table
from sim.measures import AreaMeasures, CrossingMeasures, LaneGroupMeasures, Measures

MOST_ROWS = 20
UNKNOWN = "–"


def measures_text(measures: Measures) -> str:
    """Network and signals, the lane groups nearest to capacity, crossings, and who is delayed."""
    parts = [_areas(measures), _lane_groups(list(measures.lane_groups.values()))]
    parts.append(_crossings(measures.crossings))
    parts.append(_persons(measures))
    return "\n\n".join(part for part in parts if part)


def _areas(measures: Measures) -> str:
    header = ("", "veh", "delay s/veh", "± s", "LOS", "KHCM", "v/c", "stops/veh", "queue max", "spillback s",
              "travel s", "on green", "fuel L", "CO2 kg")  # fmt: skip
    areas = [("network", measures.network), *measures.signals.items()]
    return format_table(header, [_area_row(name, area) for name, area in areas])


def _area_row(name: str, a: AreaMeasures) -> Sequence[object]:
    return (
        name, f"{a.veh:.0f}", f"{a.delay_s_per_veh:.1f}", _number(a.delay_se_s, 1), a.los_hcm or UNKNOWN,
        a.los_khcm or UNKNOWN, _number(a.v_over_c, 2), f"{a.stops_per_veh:.2f}", f"{a.queue_max_veh:.1f}",
        f"{a.spillback_s:.0f}", f"{a.travel_time_s:.1f}", _number(a.on_green, 2), f"{a.fuel_l:.1f}", f"{a.co2_kg:.1f}",
    )  # fmt: skip


def _lane_groups(groups: Sequence[LaneGroupMeasures]) -> str:
    """Those of signals, the highest v/c first."""
    signalled = [g for g in groups if g.v_over_c is not None and g.demand_vph > 0]
    if not signalled:
        return ""
    shown = sorted(signalled, key=lambda g: (-(g.v_over_c or 0.0), g.group_id))[:MOST_ROWS]
    header = ("lane group", "signal", "demand veh/h", "v/c", "delay s/veh", "± s", "LOS", "KHCM", "queue mean", "p95",
              "max", "storage", "full s", "on green")  # fmt: skip
    rows = [
        (g.group_id, g.controller_id or "", f"{g.demand_vph:.0f}", _number(g.v_over_c, 2), f"{g.delay_s_per_veh:.1f}",
         _number(g.delay_se_s, 1), g.los_hcm or UNKNOWN, g.los_khcm or UNKNOWN, f"{g.queue_mean_veh:.1f}",
         f"{g.queue_p95_veh:.0f}", f"{g.queue_max_veh:.0f}", g.storage_veh, f"{g.spillback_s:.0f}",
         _number(g.on_green, 2))
        for g in shown
    ]  # fmt: skip
    more = len(signalled) - len(shown)
    return format_table(header, rows) + (f"\n{more} more lane groups below these: --json" if more else "")


def _crossings(crossings: Mapping[str, CrossingMeasures]) -> str:
    if not crossings:
        return ""
    longest = sorted(crossings.values(), key=lambda x: (-(x.wait_mean_s or math.inf), x.crossing_id))
    rows = [
        (x.crossing_id, x.controller_id, f"{x.walk_s:.0f}", _number(x.wait_mean_s, 1), _number(x.wait_max_s, 0),
         f"{x.hcm_delay_s:.1f}", f"{x.pedestrians_ph:.0f}")
        for x in longest[:MOST_ROWS]
    ]  # fmt: skip
    header = ("crossing", "signal", "walk s", "mean wait s", "longest s", "HCM s", "ped/h")
    more = len(crossings) - len(rows)
    return format_table(header, rows) + (f"\n{more} more crossings with shorter waits: --json" if more else "")


def _persons(measures: Measures) -> str:
    """Delay of each class of vehicles and of all people, and what the fuel rests on."""
    lines = [
        f"{name}: {c.veh:.0f} veh, {c.delay_s_per_veh:.1f} s/veh, {c.persons_per_veh:g} persons each"
        for name, c in measures.classes.items()
    ]
    area = measures.network
    error = _number(area.se.get("person_delay_s"), 1)
    lines.append(f"persons: {area.persons:.0f}, {area.person_delay_s:.1f} s each (± {error})")
    return "\n".join([*lines, f"fuel: {measures.fuel_model}"])


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"

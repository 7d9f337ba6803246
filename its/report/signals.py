"""One signal on the page: its stages, bars and movement table before and after, and who gains and who pays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from its.report.charts import Change, change_chart
from its.report.data import ReportData, as_mapping
from its.report.diagrams import StageDrawer, StageRow, groups_of, shown_from_stage
from its.report.layout import movements_of
from its.report.names import Names
from its.report.timing import bar_diagram, bar_rows
from network_data.network import Movement
from network_data.plans import BarrierGroup, ControllerPlan
from sim.measures import AreaMeasures, Measures, MovementMeasures
from sim.service import HCM_BOUNDS_S, hcm_level

LOS_UP_TO_S = tuple((letter, bound_s) for letter, bound_s in HCM_BOUNDS_S.items() if math.isfinite(bound_s))
"""Level of service by control delay, as the HCM has it; F beyond, and wherever v/c is above 1. [s/veh]"""
LEAST_FLOW_VPH = 0.5
LEAST_CHANGE_VEH_S = 1.0
MOST_LOAD = 99.0
"""Stands for the infinite v/c of a movement that nobody could make. [-]"""
MOST_CHANGES = 14


@dataclass(frozen=True, slots=True)
class MovementCell:
    """A movement under one plan. `queue_veh` is the 95th percentile of the back of queue on its fullest lane."""

    flow_vph: float
    v_over_c: float | None
    delay_s_per_veh: float
    level: str
    queue_veh: float
    full: bool


@dataclass(frozen=True, slots=True)
class MovementRow:
    """A row of the movement table; `storage_veh` is the room of its fullest lane."""

    label: str
    movement_id: str
    links: str
    lanes: int
    storage_veh: float
    support: str
    before: MovementCell | None
    after: MovementCell | None


@dataclass(frozen=True, slots=True)
class Program:
    """One of the two programs of a signal as drawn."""

    cycle_s: float
    offset_s: float
    program_id: str
    rows: tuple[StageRow, ...]
    bars: Markup


@dataclass(frozen=True, slots=True)
class SignalView:
    """A signal's part of the report."""

    id: str
    anchor: str
    streets: str
    symbol: Markup
    stage_width: float
    field: Program
    plan: Program
    only_offset: bool
    unchanged: bool
    unproven: str
    why: tuple[str, ...]
    before: AreaMeasures | None
    after: AreaMeasures | None
    movements: tuple[MovementRow, ...]
    changes: Markup | None
    total: Change | None


def level_of_service(delay_s_per_veh: float, v_over_c: float | None) -> str:
    """Letter of the level of service."""
    return hcm_level(max(0.0, delay_s_per_veh), None if v_over_c is None else min(v_over_c, MOST_LOAD))


def signals_shown(data: ReportData) -> list[str]:
    """Signals that both plans have, in the order of the network; of very many those whose delay changes most."""
    shared = [c for c in data.network.controllers if c in data.field.controllers and c in data.plan.controllers]
    if len(shared) <= data.most_signals:
        return shared
    before, after = data.before.signals, data.after.signals
    change = {c: abs(_area_veh_s(after.get(c)) - _area_veh_s(before.get(c))) for c in shared}
    kept = set(sorted(shared, key=lambda c: -change[c])[: data.most_signals])
    return [c for c in shared if c in kept]


def _area_veh_s(area: AreaMeasures | None) -> float:
    """Delay of all its vehicles. [veh·s]"""
    return area.veh * area.delay_s_per_veh if area is not None else 0.0


def signal_views(data: ReportData, names: Names) -> list[SignalView]:
    """The signals shown, see `signals_shown`."""
    today = as_mapping(data.part("today").get("signals"))
    support = {(d.from_link, d.to_link): d.support for d in data.demand}
    return [
        _view(data, names, c, f"signal-{n}", as_mapping(today.get(c)), support)
        for n, c in enumerate(signals_shown(data))
    ]


def _view(
    data: ReportData,
    names: Names,
    controller_id: str,
    anchor: str,
    today: Mapping[str, Any],
    support: Mapping[tuple[str, str], str],
) -> SignalView:
    network, controller = data.network, data.network.controllers[controller_id]
    programs = [shown_from_stage(plan.controllers[controller_id], controller) for plan in (data.field, data.plan)]
    drawer = StageDrawer(network, controller, names, f"streets-{anchor}")
    groups = [groups_of(network, controller, p) for p in programs]
    rows = bar_rows(network, controller, names, *programs)
    scale_s = max(p.cycle_s for p in programs)
    shown = [
        _program(p, drawer, g, bar_diagram(network, controller, p, rows, g, scale_s))
        for p, g in zip(programs, groups, strict=True)
    ]
    changes = changes_of(data, names, controller_id)
    return SignalView(
        id=controller_id,
        anchor=anchor,
        streets=names.signal(controller_id),
        symbol=drawer.symbol(),
        stage_width=drawer.width,
        field=shown[0],
        plan=shown[1],
        only_offset=programs[0].intervals == programs[1].intervals,
        unchanged=programs[0].intervals == programs[1].intervals and programs[0].offset_s == programs[1].offset_s,
        unproven=str(today.get("text") or "the model misses today's counts here") if today.get("unproven") else "",
        why=tuple(why_lines(data, controller_id)),
        before=data.before.signals.get(controller_id),
        after=data.after.signals.get(controller_id),
        movements=tuple(_movement_rows(data, names, controller_id, support)),
        changes=change_chart(_most(changes), "Change of delay per movement") if changes else None,
        total=_total(changes),
    )


def why_lines(data: ReportData, controller_id: str) -> list[str]:
    """The explanations of a signal's changed numbers, as run.json tells them."""
    rows = [as_mapping(row) for row in data.rows("explanations")]
    return [
        (f"{row.get('subject')}: " if row.get("what") == "green" else "") + str(row.get("text", ""))
        for row in rows
        if row.get("controller") == controller_id
    ]


def _program(plan: ControllerPlan, drawer: StageDrawer, groups: tuple[BarrierGroup, ...], bars: Markup) -> Program:
    return Program(plan.cycle_s, plan.offset_s, plan.program_id, tuple(drawer.rows(groups)), bars)


def _movement_rows(
    data: ReportData, names: Names, controller_id: str, support: Mapping[tuple[str, str], str]
) -> list[MovementRow]:
    return [
        _movement_row(data, names, movement, support)
        for movement in sorted(movements_of(data.network, controller_id), key=names.order)
    ]


def _movement_row(
    data: ReportData, names: Names, movement: Movement, support: Mapping[tuple[str, str], str]
) -> MovementRow:
    lanes = len({data.network.connections[i].from_lane for i in movement.connections})
    measured = data.before.movements.get(movement.id) or data.after.movements.get(movement.id)
    storage_veh = measured.storage_veh if measured is not None else 0.0
    return MovementRow(
        label=names.movement(movement.id),
        movement_id=movement.id,
        links=", ".join(str(i) for i in movement.link_indices),
        lanes=lanes,
        storage_veh=storage_veh,
        support=support.get((movement.from_link, movement.to_link), ""),
        before=_cell(data.before, movement.id, storage_veh),
        after=_cell(data.after, movement.id, storage_veh),
    )


def _cell(measures: Measures, movement_id: str, storage_veh: float) -> MovementCell | None:
    measured = measures.movements.get(movement_id)
    if measured is None or measured.demand_vph < LEAST_FLOW_VPH:
        return None
    return MovementCell(
        flow_vph=measured.flow_vph,
        v_over_c=measured.v_over_c,
        delay_s_per_veh=measured.delay_s_per_veh,
        level=level_of_service(measured.delay_s_per_veh, measured.v_over_c),
        queue_veh=measured.queue_p95_veh,
        full=storage_veh > 0 and measured.queue_p95_veh >= storage_veh,
    )


def changes_of(data: ReportData, names: Names, controller_id: str | None = None) -> list[Change]:
    """Change of every movement's total delay, the greatest gain first; movements nobody makes are left out."""
    network, out = data.network, []
    chosen = network.controllers if controller_id is None else [controller_id]
    for movement in (m for c in chosen for m in movements_of(network, c)):
        before, after = data.before.movements.get(movement.id), data.after.movements.get(movement.id)
        change = Change(names.movement(movement.id), movement.id, _veh_s(before), _veh_s(after))
        if max(change.before, change.after) >= LEAST_CHANGE_VEH_S:
            out.append(change)
    return sorted(out, key=lambda c: (c.change, c.full))


def _veh_s(measured: MovementMeasures | None) -> float:
    """Delay of all vehicles of an hour. [veh·s/h]"""
    return measured.demand_vph * measured.delay_s_per_veh if measured is not None else 0.0


def _most(changes: list[Change]) -> list[Change]:
    """The greatest changes; the rest as one bar, so that the bars add up to the whole."""
    if len(changes) <= MOST_CHANGES:
        return changes
    kept = sorted(changes, key=lambda c: -abs(c.change))[: MOST_CHANGES - 1]
    rest = [c for c in changes if c not in kept]
    other = Change(f"{len(rest)} others", "", sum(c.before for c in rest), sum(c.after for c in rest))
    return sorted([*kept, other], key=lambda c: c.change)


def _total(changes: list[Change]) -> Change | None:
    return Change("all", "", sum(c.before for c in changes), sum(c.after for c in changes)) if changes else None

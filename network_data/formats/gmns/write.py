"""A road network and its plans as a GMNS package: standard tables, and `its_*` tables for what GMNS cannot hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from network_data.controllers import Controller
from network_data.detectors import Detector
from network_data.formats.files import write_together
from network_data.formats.gmns.detectors import COLUMNS as DETECTOR
from network_data.formats.gmns.detectors import detector_rows
from network_data.formats.gmns.extension import TableRows, extension_tables
from network_data.limits import cell
from network_data.network import Connection, Link, RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan
from network_data.rings import phases_of, starting_at_stage
from network_data.schedule import DayPlan

VERSION = "0.96"
TYPES = {"s": "thru", "l": "left", "r": "right", "t": "uturn", "L": "left", "R": "right"}
USES = {"general": "all", "bus": "bus", "other": "walk, bike"}
NODE = ("node_id", "name", "x_coord", "y_coord", "node_type", "ctrl_type")
LINK = (
    "link_id", "name", "from_node_id", "to_node_id", "directed", "geometry", "dir_flag", "length", "free_speed",
    "lanes", "allowed_uses",
)  # fmt: skip
LANE = ("lane_id", "link_id", "lane_num", "allowed_uses", "width")
MOVEMENT = (
    "mvmt_id", "node_id", "ib_link_id", "start_ib_lane", "end_ib_lane", "ob_link_id", "start_ob_lane", "end_ob_lane",
    "type", "ctrl_type",
)  # fmt: skip
PLAN = ("timing_plan_id", "controller_id", "time_day", "cycle_length")
PHASE = (
    "timing_phase_id", "timing_plan_id", "signal_phase_num", "min_green", "max_green", "clearance", "ring", "barrier",
    "position",
)  # fmt: skip
PHASE_MVMT = ("signal_phase_mvmt_id", "timing_phase_id", "mvmt_id", "link_id", "protection")
COORDINATION = (
    "coordination_id", "timing_plan_id", "controller_id", "coord_contr_id", "coord_phase", "coord_ref_to", "offset",
)  # fmt: skip


def write_gmns(
    network: RoadNetwork, folder: Path | str, *, day: DayPlan | None = None, detectors: Sequence[Detector] = ()
) -> list[str]:
    """Write a package into a folder.

    Parameters
    ----------
    network : RoadNetwork
        With the programs of its controllers.
    folder : path
        Made where it does not exist; tables of the same names are replaced.
    day : DayPlan, optional
        Which program runs when.
    detectors : sequence of Detector
        Those on approaches of signals become `signal_detector`; others are listed.

    Returns
    -------
    list of str
        What the standard tables cannot hold; the `its_*` tables hold it.
    """
    left: list[str] = []
    tables: TableRows = {
        "config": (
            (
                "dataset_name",
                "short_length",
                "long_length",
                "speed",
                "geometry_field_format",
                "version_number",
                "id_type",
            ),
            [["its-signals", "meter", "meter", "kph", "wkt", VERSION, "string"]],
        ),
        "node": (NODE, _nodes(network)),
        "link": (LINK, [_link(link) for link in network.links.values()]),
        "lane": (LANE, [row for link in network.links.values() for row in _lanes(link)]),
        "movement": (MOVEMENT, list(_movements(network))),
        "use_definition": (("use", "persons_per_vehicle", "pce"), [["bus", 30, 2], ["walk", 1, 0], ["bike", 1, 0.5]]),
        "use_group": (("use_group", "uses"), [["all", "bus, car"], ["car", "car"]]),
        **_signals(network, day, left),
        **extension_tables(network, day),
    }
    rows = detector_rows(detectors, network)
    if rows:
        tables["signal_detector"] = DETECTOR, rows
    if len(rows) < len(detectors):
        left.append(f"{len(detectors) - len(rows)} detectors that lie on no approach of a signal")
    if network.crossings:
        left.append(f"{len(network.crossings)} crossings: as its_crossing.csv, not as links")
    write_together({Path(folder) / f"{name}.csv": _csv(*table) for name, table in tables.items()})
    return left


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[cell(x) if isinstance(x, str) else repr(x) for x in row] for row in rows])
    return out.getvalue()


def _nodes(network: RoadNetwork) -> list[list[Any]]:
    signalled = {c.node_id for c in network.connections if c.controller_id is not None}
    return [
        [node.id, "", node.x_m, node.y_m, node.kind, "signal" if node.id in signalled else "none"]
        for node in network.nodes.values()
    ]


def _link(link: Link) -> list[Any]:
    line = ", ".join(f"{x!r} {y!r}" for x, y in link.shape)
    driven = [lane for lane in link.lanes if lane.kind != "other"]
    uses = USES["general" if any(x.kind == "general" for x in driven) else "bus" if driven else "other"]
    return [
        link.id, link.name, link.from_node, link.to_node, 1, f"LINESTRING ({line})", 1, link.length_m,
        link.speed_mps * 3.6, len(driven), uses,
    ]  # fmt: skip


def _lane_num(link: Link, index: int) -> int:
    """GMNS counts lanes from the left, from 1 on."""
    return len(link.lanes) - index


def _lanes(link: Link) -> list[list[Any]]:
    return [
        [f"{link.id}_{lane.index}", link.id, _lane_num(link, lane.index), USES[lane.kind], lane.width_m]
        for lane in reversed(link.lanes)
    ]


def _movements(network: RoadNetwork) -> Iterator[list[Any]]:
    for movement in network.movements.values():
        members = [network.connections[i] for i in movement.connections]
        here, there = network.links[movement.from_link], network.links[movement.to_link]
        ib = sorted({_lane_num(here, c.from_lane) for c in members})
        ob = sorted({_lane_num(there, c.to_lane) for c in members})
        first = members[0]
        yield [
            movement.id, first.node_id, here.id, ib[0], ib[-1] if len(ib) > 1 else "", there.id, ob[0],
            ob[-1] if len(ob) > 1 else "", TYPES.get(first.direction, "thru"), _control(first),
        ]  # fmt: skip


def _control(connection: Connection) -> str:
    if connection.controller_id is not None:
        return "signal"
    return "yield" if connection.yields_to else "no_control"


def _signals(network: RoadNetwork, day: DayPlan | None, left: list[str]) -> TableRows:
    plans: list[list[Any]] = []
    phases: list[list[Any]] = []
    served: list[list[Any]] = []
    coordination: list[list[Any]] = []
    for controller in network.controllers.values():
        for program in controller.programs:
            name = f"{controller.id}:{program.program_id}"
            plans.append([name, controller.id, _hours(controller, program, day, left), program.cycle_s])
            turned, groups = _groups(network, controller, program)
            if not groups:
                left.append(
                    f"controller {controller.id!r} program {program.program_id!r}: fits no phases; its_interval.csv"
                )
                continue
            numbers = _numbers(groups)
            rows = list(_phases(name, groups, numbers))
            phases += [row for row, _ in rows]
            served += [line for _, lines in rows for line in lines]
            first = numbers[0, 0, 0]
            coordination.append([name, name, controller.id, controller.id, first, "begin_of_green", turned.offset_s])
    for n, row in enumerate(served):
        row[0] = str(n + 1)
    return {
        "signal_controller": (("controller_id",), [[c.id] for c in network.controllers.values()]),
        "signal_timing_plan": (PLAN, plans),
        "signal_timing_phase": (PHASE, phases),
        "signal_phase_mvmt": (PHASE_MVMT, served),
        "signal_coordination": (COORDINATION, coordination),
    }


def _groups(
    network: RoadNetwork, controller: Controller, program: ControllerPlan
) -> tuple[ControllerPlan, tuple[BarrierGroup, ...]]:
    """The program begun at a stage, and its phases."""
    if program.barrier_groups:
        return program, program.barrier_groups
    turned = starting_at_stage(program, controller)
    return turned, phases_of(controller, network, turned)


def _numbers(groups: Sequence[BarrierGroup]) -> dict[tuple[int, int, int], int]:
    """Phase numbers: the phases' own names where all are numbers and differ, else 1, 2, …"""
    places = [
        ((g, r, k), phase.name)
        for g, group in enumerate(groups)
        for r, ring in enumerate(group.rings)
        for k, phase in enumerate(ring)
    ]
    names = [name for _, name in places]
    own = all(name.isascii() and name.isdigit() for name in names) and len(set(names)) == len(names)
    return {place: int(name) if own else n + 1 for n, (place, name) in enumerate(places)}


def _phases(
    plan: str, groups: Sequence[BarrierGroup], numbers: dict[tuple[int, int, int], int]
) -> Iterator[tuple[list[Any], list[list[Any]]]]:
    for g, group in enumerate(groups):
        for r, ring in enumerate(group.rings):
            for k, phase in enumerate(ring):
                number = numbers[g, r, k]
                name = f"{plan}:{number}"
                clearance = phase.yellow_s + phase.red_clearance_s
                row = [name, plan, number, phase.min_green_s, phase.green_s, clearance, r + 1, g + 1, k + 1]
                lines: list[list[Any]] = [["", name, m, "", "protected"] for m in phase.movements]
                lines += [["", name, m, "", "permitted"] for m in phase.permitted if m not in phase.movements]
                yield row, lines


def _hours(controller: Controller, program: ControllerPlan, day: DayPlan | None, left: list[str]) -> str:
    """The hours of a program in GMNS's way: one span, every day of the week."""
    if day is None or controller.id not in day.controllers:
        return ""
    switches = day.controllers[controller.id].switches
    ends = [s.at_s for s in switches[1:]] + [86_400.0]
    spans = [(s.at_s, e) for s, e in zip(switches, ends, strict=True) if s.program.program_id == program.program_id]
    if len(spans) > 1:
        left.append(
            f"controller {controller.id!r} program {program.program_id!r}: its {len(spans)} times of day; its_day.csv"
        )
    return f"11111111_{_hhmm(spans[0][0])}_{_hhmm(spans[0][1])}" if spans else ""


def _hhmm(time_s: float) -> str:
    return f"{int(time_s // 3600):02d}{int(time_s % 3600 // 60):02d}"

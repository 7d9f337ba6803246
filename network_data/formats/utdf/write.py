"""A road network and its plan as a combined UTDF file, and what that cannot hold.

Offsets are written as Synchro's default: referenced to the begin of yellow (`Referenced To` 1) of the first phase of
the first ring.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from network_data.assembly.plane import heading_in, turned
from network_data.assembly.ways import BAY_NODE
from network_data.controllers import Controller
from network_data.formats.utdf.read import ON_RED, network_of
from network_data.formats.utdf.sections import COMPASS, HEADING_DEG, sections_of
from network_data.limits import cell
from network_data.network import Connection, Link, RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan, TimingPlan
from network_data.rings import phases_of, starting_at_stage

TURN = {"l": "L", "L": "L", "s": "T", "r": "R", "R": "R"}
COLUMNS = tuple(f"{d}{t}" for d in COMPASS for t in "LTR")
N_PHASES = 16
STEP_S = 0.5


@dataclass
class _Plan:
    """Names and tables on the way to a file."""

    number: dict[str, int] = field(default_factory=dict)  # node → INTID
    direction: dict[str, str] = field(default_factory=dict)  # stop-line link → NB …
    left: list[str] = field(default_factory=list)
    on_red: set[str] = field(default_factory=set)  # movements that may go on red after a stop


def write_utdf(
    network: RoadNetwork,
    plan: TimingPlan,
    volumes_vph: Mapping[tuple[str, str], float | None] | None = None,
) -> tuple[str, list[str]]:
    """A combined file as text (metres and km/h), and what it cannot hold.

    Parameters
    ----------
    network : RoadNetwork
        Its bays (`<id>.bay`) become storage lanes.
    plan : TimingPlan
        One program per controller.
    volumes_vph : mapping, optional
        Vehicles per hour by (from link, to link); None: not measured.
    """
    made = _Plan()
    bays = {node.id for node in network.nodes.values() if node.kind == BAY_NODE}
    upstream = {link.to_node: link for link in network.links.values() if link.to_node in bays}
    _numbers(network, bays, made)
    whole = {link.id: upstream.get(link.from_node) for link in network.links.values()}
    arriving: dict[str, list[Link]] = defaultdict(list)
    for link in network.links.values():
        if link.to_node not in bays and link.drivable:
            arriving[link.to_node].append(link)
    for links in arriving.values():
        _directions(links, made, lambda link: (whole[link.id] or link).from_node)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")

    def section(title: str, rows: Iterator[Sequence[Any]]) -> None:
        writer.writerow([f"[{title}]"])
        writer.writerows([[cell(x) if isinstance(x, str) else x for x in row] for row in rows])
        writer.writerow([])

    section("Network", iter([["RECORDNAME", "DATA"], ["UTDFVERSION", 8], ["Metric", 1]]))
    section("Nodes", _nodes(network, made, bays))
    section("Links", _links(arriving, whole, made))
    section("Lanes", _lanes(network, arriving, whole, made, plan, volumes_vph or {}))
    section("Timeplans", _timeplans(network, plan, made))
    section("Phases", _phases(network, plan, made))
    if network.crossings:
        made.left.append(f"{len(network.crossings)} crossings for people on foot")
    text = out.getvalue()
    made.left += _differences(network, plan, made, whole, text)
    return text, made.left


def _differences(
    network: RoadNetwork, plan: TimingPlan, made: _Plan, whole: Mapping[str, Link | None], text: str
) -> list[str]:
    """Signals that show something else when the text is read again, and for how much of a cycle."""
    back = network_of(sections_of(text, "utdf"), "utdf").network

    def name(link_id: str) -> str:
        link = network.links[link_id]
        before = whole.get(link_id)
        ends = made.number.get((before or link).from_node), made.number.get(link.to_node)
        own = f"{ends[0]}_{ends[1]}"
        return f"{own}.{BAY_NODE}" if f"{own}.{BAY_NODE}" in back.links and link_id in made.direction else own

    out = []
    for controller in network.controllers.values():
        other = back.controllers.get(str(_intid(controller, made)))
        if other is None:
            continue
        program, read = plan.controllers[controller.id], other.programs[-1]
        index = {m: head.index for head in other.heads for m in head.movement_ids}
        pairs = [
            (c.link_index, index[movement])
            for c in network.connections
            if c.controller_id == controller.id and c.link_index is not None
            if (movement := f"{name(c.from_link)}>{_target(network, c.to_link, made)}") in index
        ]
        times = [n * STEP_S for n in range(int(program.cycle_s / STEP_S))]
        shown = [(program.state_at(t), read.state_at(t)) for t in times]
        apart = sum(any(_kind(a[i]) != _kind(b[j]) for i, j in pairs) for a, b in shown)
        if apart:
            share = apart / len(times)
            out.append(
                f"signal {controller.id!r}: {share:.0%} of its cycle, in which its interval table fits no phases"
            )
    return out


def _target(network: RoadNetwork, link_id: str, made: _Plan) -> str:
    return f"{made.number.get(network.links[link_id].from_node)}_{made.number.get(_end(network, link_id))}"


def _kind(letter: str) -> str:
    """What a letter means for who may drive: turn on red counts as red."""
    return "r" if letter in "rsuoO" else letter.lower() if letter in "yY" else letter


def columns_of(network: RoadNetwork) -> dict[tuple[str, str], tuple[str, str]]:
    """(node, column such as NBL) → (link to the stop line, link it leads to), by the compass heading of approaches."""
    made = _Plan()
    arriving: dict[str, list[Link]] = defaultdict(list)
    for link in network.links.values():
        if network.nodes[link.to_node].kind != BAY_NODE and link.drivable:
            arriving[link.to_node].append(link)
    for links in arriving.values():
        _directions(links, made, lambda link: link.id)  # every approach has its direction here
    out: dict[tuple[str, str], tuple[str, str]] = {}
    for c in network.connections:
        direction, turn = made.direction.get(c.from_link), TURN.get(c.direction)
        if direction is not None and turn is not None:
            out.setdefault((c.node_id, f"{direction}{turn}"), (c.from_link, c.to_link))
    return out


def _numbers(network: RoadNetwork, bays: set[str], made: _Plan) -> None:
    """INTIDs: the nodes' own names where all are short numbers, else 1, 2, … (and a note)."""
    nodes = [node for node in network.nodes if node not in bays]
    own = all(name.isascii() and name.isdigit() and 0 < int(name) < 1_000_000 for name in nodes)
    made.number = {name: int(name) if own else n + 1 for n, name in enumerate(nodes)}
    if not own:
        made.left.append("names of nodes and links: intersections are numbered, links are <from>_<to>")


def _directions(links: Sequence[Link], made: _Plan, start_of: Callable[[Link], str]) -> None:
    """A compass direction for each approach, the nearest that is free."""
    free = list(COMPASS)
    seen: set[str] = set()
    for link in sorted(links, key=lambda x: x.id):
        start = start_of(link)
        if start in seen:
            made.left.append(f"link {link.id!r}: a second one between the same intersections")
            continue
        seen.add(start)
        heading = heading_in(link.shape)
        if not free:
            made.left.append(f"approach {link.id!r}: an intersection has at most {len(COMPASS)}")
            continue
        best = min(free, key=lambda d: (round(abs(turned(heading, math.radians(HEADING_DEG[d]))), 6), COMPASS.index(d)))
        free.remove(best)
        made.direction[link.id] = best


def _nodes(network: RoadNetwork, made: _Plan, bays: set[str]) -> Iterator[Sequence[Any]]:
    signalled = {c.node_id for c in network.connections if c.controller_id is not None}
    inner = {c.node_id for c in network.connections}
    yield ["INTID", "TYPE", "X", "Y", "Z", "DESCRIPTION"]
    for node in network.nodes.values():
        if node.id not in bays:
            kind = 0 if node.id in signalled else 3 if node.id in inner else 1
            yield [made.number[node.id], kind, round(node.x_m, 3), round(node.y_m, 3), 0, node.id]


def _links(
    arriving: Mapping[str, Sequence[Link]], whole: Mapping[str, Link | None], made: _Plan
) -> Iterator[Sequence[Any]]:
    yield ["RECORDNAME", "INTID", *COMPASS]
    for node, links in arriving.items():
        records: dict[str, dict[str, Any]] = defaultdict(dict)
        for link in links:
            direction = made.direction.get(link.id)
            if direction is None:
                continue
            before = whole[link.id]
            records["Up ID"][direction] = made.number[(before or link).from_node]
            records["Lanes"][direction] = len([lane for lane in (before or link).lanes if lane.kind != "other"])
            records["Name"][direction] = link.name
            records["Distance"][direction] = round(link.length_m + (before.length_m if before else 0.0), 2)
            records["Speed"][direction] = round(link.speed_mps * 3.6, 2)
        for record, values in records.items():
            yield [record, made.number[node], *(values.get(d, "") for d in COMPASS)]


def _lanes(
    network: RoadNetwork,
    arriving: Mapping[str, Sequence[Link]],
    whole: Mapping[str, Link | None],
    made: _Plan,
    plan: TimingPlan,
    volumes: Mapping[tuple[str, str], float | None],
) -> Iterator[Sequence[Any]]:
    yield ["RECORDNAME", "INTID", *COLUMNS]
    ways: dict[str, list[Connection]] = defaultdict(list)
    for c in network.connections:
        ways[c.from_link].append(c)
    phases = _phase_numbers(network, plan, made)
    made.on_red |= {
        c.movement_id
        for c in network.connections
        if c.controller_id in plan.controllers and c.link_index is not None
        if any(i.state[c.link_index] == "s" for i in plan.controllers[c.controller_id].intervals)
    }
    for node, links in arriving.items():
        records: dict[str, dict[str, Any]] = defaultdict(dict)
        for link in links:
            if link.id in made.direction and ways[link.id]:
                _approach(network, link, whole[link.id], ways[link.id], made, records, phases, volumes)
        for record, values in records.items():
            yield [record, made.number[node], *(values.get(c, "") for c in COLUMNS)]


def _approach(
    network: RoadNetwork,
    link: Link,
    before: Link | None,
    ways: Sequence[Connection],
    made: _Plan,
    records: dict[str, dict[str, Any]],
    phases: Mapping[str, tuple[list[int], list[int]]],
    volumes: Mapping[tuple[str, str], float | None],
) -> None:
    """The columns of one approach."""
    direction = made.direction[link.id]
    by_turn: dict[str, dict[str, list[Connection]]] = defaultdict(lambda: defaultdict(list))
    for c in ways:
        turn = TURN.get(c.direction)
        if turn is None:
            made.left.append(f"movement {c.movement_id!r}: a U-turn")
        else:
            by_turn[turn][c.to_link].append(c)
    lanes: dict[str, set[int]] = {}
    for turn, targets in by_turn.items():
        first, *others = sorted(targets, key=lambda t: -len(targets[t]))
        made.left += [f"movement {link.id}>{t}: an approach has one turn {turn}" for t in others]
        column = f"{direction}{turn}"
        lanes[turn] = {c.from_lane for c in targets[first]}
        records["Up Node"][column] = made.number[(before or link).from_node]
        records["Dest Node"][column] = made.number[_end(network, first)]
        movement = targets[first][0].movement_id
        protected, permitted = phases.get(movement, ([], []))
        for name, numbers in (("Phase", protected), ("PermPhase", permitted)):
            for n, number in enumerate(numbers[:4]):
                records[f"{name}{n + 1}"][column] = number
        if made.on_red & {c.movement_id for c in targets[first]}:
            records[ON_RED][column] = 1
        veh = volumes.get((link.id, first), "")
        records["Volume"][column] = "" if veh is None or veh == "" else round(float(veh), 3)
    through = lanes.get("T", set())
    left, right = lanes.get("L", set()) - through, lanes.get("R", set()) - through
    if through:
        shared = (1 if lanes.get("L", set()) & through else 0) + (2 if lanes.get("R", set()) & through else 0)
        records["Shared"][f"{direction}T"] = shared
    elif left & right:  # one lane for both: the through column carries it
        made.left.append(f"approach {link.id!r}: a lane for left and right turns, written as one for left turns")
        right -= left
    for turn, own in (("L", left), ("T", through), ("R", right)):
        if turn in lanes:
            records["Lanes"][f"{direction}{turn}"] = len(own)
            records["Width"][f"{direction}{turn}"] = round(link.lanes[0].width_m, 2)
    if before is not None:
        added = len(link.lanes) - len(before.lanes)
        for turn, own in (("L", left), ("R", right)):
            pocket = min(added, len(own))
            if pocket > 0:
                records["Storage"][f"{direction}{turn}"] = round(link.length_m, 2)
                records["StLanes"][f"{direction}{turn}"] = pocket
                added -= pocket


def _end(network: RoadNetwork, link_id: str) -> str:
    """The node a link leads to, over its bay."""
    node = network.links[link_id].to_node
    if network.nodes[node].kind != BAY_NODE:
        return node
    return next(link.to_node for link in network.links.values() if link.from_node == node)


def _groups(
    network: RoadNetwork, controller: Controller, program: ControllerPlan
) -> tuple[ControllerPlan, tuple[BarrierGroup, ...]]:
    if program.barrier_groups:
        return program, program.barrier_groups
    turned_program = starting_at_stage(program, controller)
    return turned_program, phases_of(controller, network, turned_program)


def _numbered(groups: Sequence[BarrierGroup]) -> list[tuple[int, str, Any]]:
    """Phase number, BRP code and phase of all phases."""
    places = [
        (f"{g + 1}{r + 1}{k + 1}", phase)
        for g, group in enumerate(groups)
        for r, ring in enumerate(group.rings)
        for k, phase in enumerate(ring)
    ]
    names = [phase.name for _, phase in places]
    own = len(set(names)) == len(names) and all(n.isascii() and n.isdigit() and 0 < int(n) <= N_PHASES for n in names)
    return [(int(phase.name) if own else n + 1, place, phase) for n, (place, phase) in enumerate(places)]


def _phase_numbers(network: RoadNetwork, plan: TimingPlan, made: _Plan) -> dict[str, tuple[list[int], list[int]]]:
    """Movement → its protected and its permitted phases; what fits no phases is listed."""
    out: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for controller in network.controllers.values():
        _, groups = _groups(network, controller, plan.controllers[controller.id])
        rows = _numbered(groups)
        if not rows or len(rows) > N_PHASES:
            made.left.append(f"signal {controller.id!r}: its program fits no phases of UTDF")
            continue
        for number, _, phase in rows:
            for movement in phase.movements:
                out[movement][0].append(number)
            for movement in phase.permitted:
                out[movement][1].append(number)
    return out


def _intid(controller: Controller, made: _Plan) -> int:
    return made.number[controller.node_ids[0]]


def _timeplans(network: RoadNetwork, plan: TimingPlan, made: _Plan) -> Iterator[Sequence[Any]]:
    yield ["RECORDNAME", "INTID", "DATA"]
    for controller in network.controllers.values():
        program, groups = _groups(network, controller, plan.controllers[controller.id])
        rows = _numbered(groups)
        if not rows or len(rows) > N_PHASES:
            continue
        name, (number, _, first) = _intid(controller, made), rows[0]
        offset_s = (program.offset_s + first.green_s) % program.cycle_s
        control = 3 if program.actuated else 0
        for record, value in (
            ("Control Type", control), ("Cycle Length", round(program.cycle_s, 3)), ("Referenced To", 1),
            ("Reference Phase", number), ("Offset", round(offset_s, 3)),
        ):  # fmt: skip
            yield [record, name, value]
        for n, node in enumerate(controller.node_ids):
            yield [f"Node {n}", name, made.number[node]]


def _phases(network: RoadNetwork, plan: TimingPlan, made: _Plan) -> Iterator[Sequence[Any]]:
    columns = [f"D{n}" for n in range(1, N_PHASES + 1)]
    yield ["RECORDNAME", "INTID", *columns]
    for controller in network.controllers.values():
        _, groups = _groups(network, controller, plan.controllers[controller.id])
        rows = _numbered(groups)
        if not rows or len(rows) > N_PHASES:
            continue
        records: dict[str, dict[str, Any]] = defaultdict(dict)
        for number, place, phase in rows:
            column = f"D{number}"
            records["BRP"][column] = place
            records["MinGreen"][column] = round(phase.min_green_s, 3)
            records["MaxGreen"][column] = round(phase.green_s, 3)
            records["Yellow"][column] = round(phase.yellow_s, 3)
            records["AllRed"][column] = round(phase.red_clearance_s, 3)
        for record, values in records.items():
            yield [record, _intid(controller, made), *(values.get(c, "") for c in columns)]

"""A SALT folder as a road network with signals and their day.

Turn pockets are given as a number of lanes without a length. A link with pockets is split: `<id>` leads up to where
they begin, `<id>.bay` has all its lanes up to the stop line. Left turns move into the left pockets and right turns into
the right ones; a lane that would be left without any turn keeps its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from network_data.assembly import Bay, Point, Way, assemble, into_bay, local_plane, shape_of, widened
from network_data.assembly.plane import heading_in, heading_out, turned
from network_data.assembly.ways import direction_of
from network_data.errors import InputError, NetworkError
from network_data.formats.salt.defects import Defect, defects_of
from network_data.formats.salt.elements import (
    SaltConnection,
    SaltEdge,
    SaltElements,
    SaltFiles,
    find_files,
    read_elements,
)
from network_data.formats.salt.repairs import with_turns_on_red, with_yellow
from network_data.formats.salt.signals import SaltSignal, read_salt_signals
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan
from network_data.schedule import DayPlan

REPAIRS = {
    "yellow": "yellow behind every green that goes straight to red",
    "turn-on-red": "right turns may go on red after a stop, as the law of the road has it unless a sign forbids it",
    "alley-speed": "30 km/h on links with the default of 10 km/h",
}
"""What is repaired where it is asked for, and nothing else."""
POCKET_M = 60.0
"""Length of a pocket, which the format does not give: an assumption. [m]"""
LEAST_LANE_M = 1.0
POCKET_SHARE = 0.5
"""At most so much of its link is a pocket. [-]"""
LANE_M = 3.2
ALLEY_KPH, ALLEY_REPAIRED_KPH = 10.0, 30.0
IN_FORCE_AT_S = 8 * 3600.0
"""The program due at this second of the day stands last, which makes it the one in force without a schedule. [s]"""


@dataclass(frozen=True, kw_only=True)
class SaltNetwork:
    """The network, what its signals do in the day, and every defect found."""

    network: RoadNetwork
    day: DayPlan
    signals: dict[str, SaltSignal]
    defects: tuple[Defect, ...]
    repaired: tuple[str, ...] = ()


def read_salt(folder: Path | str, *, repair: Collection[str] = ()) -> SaltNetwork:
    """Read a folder of SALT files.

    Parameters
    ----------
    folder : path
        With node, edge, connection and trafficSignalSystem files, plain or gzipped, whatever their names.
    repair : collection of str
        Names out of `REPAIRS`; nothing is repaired by default.

    Raises
    ------
    InputError
        All faults together; defects that can be lived with are listed in the result instead.
    """
    files = find_files(folder)
    if files is None:
        raise NetworkError(str(folder), "holds no SALT network; it needs a file with root <trafficSignalSystem>")
    unknown = sorted(set(repair) - set(REPAIRS))
    if unknown:
        raise NetworkError("repair", f"{', '.join(unknown)} is unknown; known are {', '.join(REPAIRS)}")
    elements, signals = _read(files)
    faults = _reference_faults(elements, signals)
    if faults:
        raise NetworkError(str(folder), faults)
    defects = defects_of(elements, signals)
    repaired: list[str] = []
    if "yellow" in repair:
        signals, said = with_yellow(signals)
        repaired += said
    if "turn-on-red" in repair:
        signals, said = with_turns_on_red(signals, _right_turns(elements))
        repaired += said
    if "alley-speed" in repair:
        repaired.append(_faster_alleys(elements))
    network = _network(elements, signals, str(folder))
    day = DayPlan(controllers={c: signals[c].day for c in network.controllers})
    return SaltNetwork(network=network, day=day, signals=signals, defects=tuple(defects), repaired=tuple(repaired))


def _read(files: SaltFiles) -> tuple[SaltElements, dict[str, SaltSignal]]:
    """Elements and signals; the faults of both together."""
    faults: list[str] = []
    elements, signals = SaltElements(), {}
    try:
        elements = read_elements(files)
    except InputError as error:
        faults += error.faults
    try:
        signals = read_salt_signals(files.tss)
    except InputError as error:
        faults += [f"{files.tss.name}: {fault}" for fault in error.faults]
    if faults:
        raise NetworkError(str(files.edge.parent), faults)
    return elements, signals


def _reference_faults(elements: SaltElements, signals: Mapping[str, SaltSignal]) -> list[str]:
    """Signals without a node, ways without a signal, states too short for their ways."""
    faults = [
        f"<trafficSignal nodeID={node!r}>: there is no such node; correct it or remove the signal"
        for node in signals
        if node not in elements.nodes
    ]
    need: dict[str, int] = {}
    for c in elements.connections:
        if c.signal is not None and c.link_index is not None:
            need[c.signal] = max(need.get(c.signal, 0), c.link_index + 1)
    for node, n in need.items():
        if node not in signals:
            faults.append(f"connections name signal {node!r}, which has no <trafficSignal>; add it or remove tl")
            continue
        for program in signals[node].programs:
            have = len(program.intervals[0].state)
            if have < n:
                faults.append(
                    f"<trafficSignal nodeID={node!r}> schedule {program.program_id!r}: states have {have} letters, "
                    f"its connections' linkIndex needs {n}; lengthen the states"
                )
    return faults


def _faster_alleys(elements: SaltElements) -> str:
    n = 0
    for name, edge in elements.edges.items():
        if edge.speed_kph == ALLEY_KPH:
            elements.edges[name] = replace(edge, speed_kph=ALLEY_REPAIRED_KPH)
            n += 1
    return f"{n} links with the default of {ALLEY_KPH:g} km/h set to {ALLEY_REPAIRED_KPH:g} km/h"


def _network(elements: SaltElements, signals: Mapping[str, SaltSignal], source: str) -> RoadNetwork:
    lon0, lat0 = _middle(elements)
    project = local_plane(lon0, lat0)
    nodes = {}
    for node in elements.nodes.values():
        x_m, y_m = project(node.lon, node.lat)
        nodes[node.id] = Node(id=node.id, kind=node.kind, x_m=x_m, y_m=y_m)
    links = {edge.id: _link(edge, project) for edge in elements.edges.values()}
    ways, notes = _with_bays(elements, nodes, links)
    programs = {name: _last_in_force(signal) for name, signal in signals.items()}
    notes.insert(0, f"coordinates are metres east and north of longitude {lon0:.6f}, latitude {lat0:.6f}")
    notes.append(f"the program in force, where no time of day is given, is the one due at {IN_FORCE_AT_S / 3600:g}:00")
    return assemble(nodes=nodes, links=links, ways=ways, programs=programs, source=source, notes=notes)


def _middle(elements: SaltElements) -> tuple[float, float]:
    n = len(elements.nodes)
    return sum(x.lon for x in elements.nodes.values()) / n, sum(x.lat for x in elements.nodes.values()) / n


def _right_turns(elements: SaltElements) -> dict[str, set[int]]:
    """Link indices of each signal of which every way turns right."""
    project = local_plane(*_middle(elements))
    right: dict[str, set[int]] = defaultdict(set)
    others: dict[str, set[int]] = defaultdict(set)
    for c in elements.connections:
        if c.signal is not None and c.link_index is not None:
            here, there = (_link(elements.edges[name], project) for name in (c.from_edge, c.to_edge))
            (right if _direction(here, there) == "r" else others)[c.signal].add(c.link_index)
    return {signal: heads - others[signal] for signal, heads in right.items()}


def _link(edge: SaltEdge, project: Callable[[float, float], Point]) -> Link:
    shape = shape_of([project(lon, lat) for lon, lat in edge.shape])
    lane_m = max(LEAST_LANE_M, edge.length_m)
    speed_mps = edge.speed_kph / 3.6
    return Link(
        id=edge.id,
        from_node=edge.from_node,
        to_node=edge.to_node,
        lanes=tuple(
            Lane(index=i, length_m=lane_m, speed_mps=speed_mps, width_m=LANE_M, kind="general")
            for i in range(edge.n_lane)
        ),
        name="",
        priority=round(edge.speed_kph) * 100 + edge.n_lane,  # faster, then wider streets go first
        shape=shape,
    )


def _with_bays(elements: SaltElements, nodes: dict[str, Node], links: dict[str, Link]) -> tuple[list[Way], list[str]]:
    """All ways; links with pockets that lead somewhere are split in place."""
    leaving: dict[str, list[SaltConnection]] = defaultdict(list)
    for c in elements.connections:
        leaving[c.from_edge].append(c)
    ways: list[Way] = []
    unused = n_bay = 0
    whole = dict(links)
    for name, edge in elements.edges.items():
        own = [_way(c) for c in leaving[name]]
        if not own or not (edge.left_pocket or edge.right_pocket):
            ways += own
            unused += bool(edge.left_pocket or edge.right_pocket)
            continue
        length_m = min(POCKET_M, POCKET_SHARE * whole[name].length_m)
        bay = Bay(left=edge.left_pocket, right=edge.right_pocket, length_m=length_m)
        turns = [_direction(whole[way.from_link], whole[way.to_link]) for way in own]
        sides = {"left": any(turn in "lt" for turn in turns), "right": "r" in turns}
        unused += sum(n > 0 and not sides[side] for side, n in (("left", bay.left), ("right", bay.right)))
        bay = Bay(
            left=bay.left if sides["left"] else 0, right=bay.right if sides["right"] else 0, length_m=bay.length_m
        )
        if not bay.left and not bay.right:
            ways += own
            continue
        parts = widened(whole[name], bay)
        nodes[parts.node.id] = parts.node
        links[name], links[parts.bay.id] = parts.upstream, parts.bay
        moved, _ = into_bay(own, bay, edge.n_lane, turns)
        ways += [*parts.ways, *moved]
        n_bay += 1
    notes = []
    if n_bay:
        notes.append(
            f"{n_bay} links have turn pockets: split into <id> and <id>.bay, which is {POCKET_M:g} m long or half of "
            "the link (the format gives no length)"
        )
    if unused:
        notes.append(f"{unused} turn pockets have no turn that could use them and are left out")
    return ways, notes


def _way(c: SaltConnection) -> Way:
    return Way(
        from_link=c.from_edge,
        from_lane=c.from_lane,
        to_link=c.to_edge,
        to_lane=c.to_lane,
        controller_id=c.signal,
        link_index=c.link_index,
    )


def _direction(here: Link, there: Link) -> str:
    angle = turned(heading_in(here.shape), heading_out(there.shape))
    back = here.from_node == there.to_node and abs(angle) > math.pi / 2
    return "t" if back else direction_of(angle)


def _last_in_force(signal: SaltSignal) -> tuple[ControllerPlan, ...]:
    due = signal.day.program_at(IN_FORCE_AT_S)
    return (*(p for p in signal.programs if p.program_id != due.program_id), due)

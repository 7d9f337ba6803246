"""A combined UTDF file as a road network with timing and volumes.

A link is `<up>_<intersection>`. Lanes of an approach stand from the kerb: right, through, left; exclusive lanes with a
storage length are a bay. Signals: each movement column (NBL, NBT, …) is a head.

**Offset.** UTDF: `Offset` is the second, modulo the cycle, at which `Reference Phase` (two phases: whichever comes
first) reaches the point `Referenced To`: 0 begin of green, 1 begin of yellow, 2 begin of red. Ours: the second at which
the first phase of the first ring turns green. The records `Start` of the phases, where they are there, say the same and
are held against it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from network_data.assembly import Bay, Point, Way, assemble, shape_of, widened
from network_data.assembly.default_programs import default_program
from network_data.assembly.plane import length_m
from network_data.errors import NetworkError
from network_data.formats.gmns.rings import Slot, TimingPhase, arranged, intervals_of, levelled, slots_of
from network_data.formats.utdf.sections import COMPASS, Utdf, read_sections
from network_data.limits import name_fault, number
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan, Phase

FOOT_M, MPH_MPS, KPH_MPS = 0.3048, 0.44704, 1 / 3.6
LANE_M = 3.6
DEFAULT_MPS = 50 / 3.6
SIGNAL, BEND = 0, 2
ON_RED = "Allow RTOR"
TURNS = {"L": "l", "T": "s", "R": "r", "U": "t", "L2": "l", "R2": "r"}
REFERENCES = {0: "green", 1: "yellow", 2: "red"}
ACTUATED = {1, 2, 3}
FAR = 1e8
START_S = 0.6
"""How far the records `Start` may be from the offset before it is told. [s]"""


@dataclass(frozen=True, slots=True)
class Approach:
    """One direction of an intersection: its link and the columns of its movements."""

    direction: str
    link: str


@dataclass(frozen=True, kw_only=True)
class UtdfNetwork:
    """The network, and hourly volumes by movement (None where not measured)."""

    network: RoadNetwork
    volumes_vph: dict[tuple[str, str], float | None]
    unknown_sections: tuple[str, ...]


def read_utdf(path: Path | str) -> UtdfNetwork:
    """Read a combined UTDF file.

    Raises
    ------
    NetworkError
        Every fault of the file together.
    """
    return network_of(read_sections(path), str(path))


def network_of(utdf: Utdf, where: str) -> UtdfNetwork:
    """The network of a file's sections; `where` names it in errors."""
    reader = _Reader(utdf)
    if not utdf.faults:
        reader.nodes()
        reader.links()
    if not utdf.faults:
        reader.movements()
    if not utdf.faults:
        reader.signals()
    if utdf.faults:
        raise NetworkError(where, utdf.faults)
    notes = reader.notes
    if utdf.unknown:
        notes.append(f"sections that are not read: {', '.join(utdf.unknown)}")
    network = assemble(
        nodes=reader.node, links=reader.link, ways=reader.ways, programs=reader.programs, source=where, notes=notes
    )
    return UtdfNetwork(network=network, volumes_vph=reader.volumes, unknown_sections=tuple(utdf.unknown))


class _Reader:
    def __init__(self, utdf: Utdf) -> None:
        self.utdf = utdf
        metric = utdf.network.get("Metric", "0").strip() == "1"
        self.length_m, self.speed_mps = (1.0, KPH_MPS) if metric else (FOOT_M, MPH_MPS)
        self.node: dict[str, Node] = {}
        self.link: dict[str, Link] = {}
        self.approaches: dict[str, list[Approach]] = defaultdict(list)
        self.ways: list[Way] = []
        self.head_of: dict[tuple[str, str], int] = {}  # intersection, column → link index
        self.programs: dict[str, list[ControllerPlan]] = {}
        self.volumes: dict[tuple[str, str], float | None] = {}
        self.names: dict[tuple[str, str], str] = {}  # intersection, column → movement
        self.notes: list[str] = []

    def nodes(self) -> None:
        for name, values in self.utdf.nodes.items():
            try:
                if (fault := name_fault(name)) is not None:
                    self.utdf.faults.append(f"row {self.utdf.node_row[name]}: INTID {fault}")
                x, y = (number(values.get(axis, ""), low=-FAR, high=FAR) * self.length_m for axis in "XY")
                kind = int(number(values.get("TYPE", "0"), low=0, high=9))
            except ValueError as error:
                self.utdf.faults.append(f"row {self.utdf.node_row[name]}: node {name}: {error}")
                continue
            self.node[name] = Node(id=name, kind="traffic_light" if kind == SIGNAL else "priority", x_m=x, y_m=y)

    def links(self) -> None:
        links = self.utdf.links
        for name in links.values:
            if name not in self.node:
                self.utdf.faults.append(f"[Links] names intersection {name!r}, which [Nodes] does not have; add it")
                continue
            for direction in COMPASS:
                up = links.get(name, "Up ID", direction)
                if not up:
                    continue
                if up not in self.node:
                    row = links.row[name, "Up ID"]
                    self.utdf.faults.append(f"row {row}: Up ID {up!r} of {name} {direction} is no node; correct it")
                    continue
                self._link(name, direction, up)

    def _link(self, name: str, direction: str, up: str) -> None:
        links, value = self.utdf.links, self.utdf.value
        lanes = value(links, name, "Lanes", direction, high=20)
        speed = value(links, name, "Speed", direction, high=200)
        distance = value(links, name, "Distance", direction)
        here, there = self.node[up], self.node[name]
        points: list[Point] = [(here.x_m, here.y_m), (there.x_m, there.y_m)]
        curve = [value(links, name, f"Curve Pt {axis}", direction, low=-1e7, high=1e7) for axis in "XY"]
        if curve[0] is not None and curve[1] is not None:
            points.insert(1, (curve[0] * self.length_m, curve[1] * self.length_m))
        long_m = distance * self.length_m if distance else length_m(points)
        # an approach without any lane is an exit only; its lanes are those of the movements, set later
        n = int(lanes or 0) or self._stop_lanes(name, direction) or 1
        pocket = self._pockets(name, direction)
        base = (
            max(1, self._stop_lanes(name, direction) - pocket[0] - pocket[1])
            if self._stop_lanes(name, direction)
            else n
        )
        row = tuple(
            Lane(
                index=i,
                length_m=max(1.0, long_m),
                speed_mps=(speed * self.speed_mps) if speed else DEFAULT_MPS,
                width_m=self._width(name, direction),
                kind="general",
            )
            for i in range(base)
        )
        link_id = f"{up}_{name}"
        if link_id in self.link:
            line = links.row[name, "Up ID"]
            self.utdf.faults.append(f"row {line}: two approaches of {name} come from {up}; put a node into one of them")
            return
        self.link[link_id] = Link(
            id=link_id,
            from_node=up,
            to_node=name,
            lanes=row,
            name=links.get(name, "Name", direction),
            priority=round((speed or 30) * 10) + base,
            shape=shape_of(points),
        )
        self.approaches[name].append(Approach(direction, link_id))

    def _width(self, name: str, direction: str) -> float:
        width = self.utdf.value(self.utdf.lanes, name, "Width", f"{direction}T", high=50)
        return width * self.length_m if width else LANE_M

    def _count(self, name: str, column: str, record: str = "Lanes") -> int:
        return int(self.utdf.value(self.utdf.lanes, name, record, column, high=20) or 0)

    def _stop_lanes(self, name: str, direction: str) -> int:
        return sum(self._count(name, f"{direction}{turn}") for turn in "LTR")

    def _pockets(self, name: str, direction: str) -> tuple[int, int]:
        """Storage lanes on the left and on the right."""
        left, right = (
            min(self._count(name, f"{direction}{turn}", "StLanes"), self._count(name, f"{direction}{turn}"))
            if self._storage_m(name, f"{direction}{turn}")
            else 0
            for turn in "LR"
        )
        total = self._stop_lanes(name, direction)
        return (left, right) if left + right < total else (0, 0)

    def _storage_m(self, name: str, column: str) -> float:
        return (self.utdf.value(self.utdf.lanes, name, "Storage", column, high=1e5) or 0.0) * self.length_m

    def movements(self) -> None:
        whole = dict(self.link)
        for name, approaches in list(self.approaches.items()):
            for approach in approaches:
                if name in self.utdf.lanes.values and self._stop_lanes(name, approach.direction):
                    self._movements_of(name, approach, whole)
                else:
                    self._straight_on(name, approach, whole)

    def _movements_of(self, name: str, approach: Approach, whole: Mapping[str, Link]) -> None:
        lanes = self.utdf.lanes
        n = {turn: self._count(name, f"{approach.direction}{turn}") for turn in "LTR"}
        shared = int(self.utdf.value(lanes, name, "Shared", f"{approach.direction}T", high=3) or 0)
        first = {"R": 0, "T": n["R"], "L": n["R"] + n["T"]}
        served = {turn: list(range(first[turn], first[turn] + n[turn])) for turn in "LTR"}
        if shared & 1 and served["T"]:
            served["L"].insert(0, served["T"][-1])
        if shared & 2 and served["T"]:
            served["R"].append(served["T"][0])
        stop = self._widen(name, approach, whole[approach.link])
        for column in [c for c in lanes.columns if c.startswith(approach.direction) and c[2:] in TURNS]:
            dest = lanes.get(name, "Dest Node", column)
            target = f"{name}_{dest}"
            rows = served.get(column[2:3], [])
            if not dest or not rows or target not in whole:
                if dest and rows:
                    row = lanes.row[name, "Dest Node"]
                    self.utdf.faults.append(f"row {row}: {name} {column} leads to {dest}, and no link does; correct it")
                continue
            self._add(name, column, stop, target, rows, whole)

    def _add(self, name: str, column: str, stop: str, target: str, rows: list[int], whole: Mapping[str, Link]) -> None:
        room = len(whole[target].lanes)
        turn = TURNS[column[2:]]
        for n, lane in enumerate(rows):
            to_lane = min(n, room - 1) if turn == "r" or (len(rows) <= room and turn == "s") else room - len(rows) + n
            self.ways.append(
                Way(from_link=stop, from_lane=lane, to_link=target, to_lane=max(0, to_lane), direction=turn)
            )
        self.names[name, column] = f"{stop}>{target}"
        volume = self.utdf.value(self.utdf.lanes, name, "Volume", column, high=20_000)
        growth = self.utdf.value(self.utdf.lanes, name, "Growth", column, high=1000)
        self.volumes[stop, target] = None if volume is None else volume * (growth or 100.0) / 100.0

    def _widen(self, name: str, approach: Approach, link: Link) -> str:
        left, right = self._pockets(name, approach.direction)
        if not left and not right:
            return link.id
        bay_m = max(self._storage_m(name, f"{approach.direction}{turn}") for turn in "LR")
        parts = widened(link, Bay(left=left, right=right, length_m=bay_m))
        self.node[parts.node.id] = parts.node
        self.link[link.id], self.link[parts.bay.id] = parts.upstream, parts.bay
        self.ways += parts.ways
        return parts.bay.id

    def _straight_on(self, name: str, approach: Approach, whole: Mapping[str, Link]) -> None:
        """Bends and ends: on to every other link but the one that comes back."""
        link = whole[approach.link]
        onward = [t for t in whole.values() if t.from_node == name and t.to_node != link.from_node]
        for target in onward:
            room = len(target.lanes)
            self.ways += [
                Way(from_link=link.id, from_lane=lane.index, to_link=target.id, to_lane=min(lane.index, room - 1))
                for lane in link.lanes
            ]

    def signals(self) -> None:
        """Heads, programs, and the index of each way."""
        owner = self._owners()
        columns: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, column in self.names:
            if name in owner:
                columns[owner[name]].append((name, column))
        index = {key: (o, k) for o, keys in columns.items() for k, key in enumerate(keys)}
        of_way = {self.names[key]: where for key, where in index.items()}
        for n, way in enumerate(self.ways):
            where = of_way.get(f"{way.from_link}>{way.to_link}")
            if where is not None:
                self.ways[n] = replace(way, controller_id=where[0], link_index=where[1])
        assumed = []
        for name, keys in columns.items():
            program = self._program(name, keys)
            if program is None:
                rows = [way for way in self.ways if way.controller_id == name]
                program = default_program(name, rows, self.link)
                assumed.append(name)
            self.programs[name] = [program]
        if assumed:
            self.notes.append(f"no timing for {', '.join(assumed)}: a program with two stages is assumed")

    def _owners(self) -> dict[str, str]:
        """Signal node → the intersection that its timing stands under (several nodes may share a controller)."""
        out = {name: name for name, v in self.utdf.nodes.items() if v.get("TYPE", "").strip() == str(SIGNAL)}
        for name, records in self.utdf.timeplans.values.items():
            for record, values in records.items():
                other = values.get("DATA", "").strip()
                if record.startswith("Node ") and other in out:
                    out[other] = name
        return out

    def _program(self, name: str, keys: list[tuple[str, str]]) -> ControllerPlan | None:
        cycle_s = self.utdf.value(self.utdf.timeplans, name, "Cycle Length", high=600)
        phases = self._phases(name)
        if not phases:
            return None
        groups, said = arranged(phases, cycle_s or None)
        if said:
            self.notes.append(f"intersection {name}: {said}")
        if groups is None:
            self.utdf.faults.append(f"intersection {name}: {said}")
            return None
        reference = self._reference(name)
        level = levelled(groups, cycle_s or None, reference[0] if reference else None)
        slots = slots_of(level)
        heads = [self._serves(key) | self._on_red(key) for key in keys]
        intervals = intervals_of(slots, heads, set())
        cycle_s = sum(interval.duration_s for interval in intervals)
        offset_s = self._offset(name, slots, cycle_s)
        control = int(self.utdf.value(self.utdf.timeplans, name, "Control Type", high=9) or 0)
        return ControllerPlan(
            controller_id=name,
            program_id="utdf",
            offset_s=offset_s,
            intervals=intervals,
            barrier_groups=self._groups(level, keys, heads),
            actuated=control in ACTUATED,
        )

    def _groups(
        self,
        level: Mapping[int, Mapping[int, list[TimingPhase]]],
        keys: list[tuple[str, str]],
        heads: list[dict[int, str]],
    ) -> tuple[BarrierGroup, ...]:
        def made(p: TimingPhase) -> Phase:
            of = {
                what: tuple(
                    self.names[key] for key, head in zip(keys, heads, strict=True) if head.get(p.number) == what
                )
                for what in ("protected", "permitted")
            }
            return Phase(
                name=str(p.number), movements=of["protected"], permitted=of["permitted"], crossings=(),
                green_s=p.green_s, yellow_s=p.yellow_s, red_clearance_s=p.red_s,
                min_green_s=min(p.min_green_s, p.green_s), max_green_s=p.green_s,
            )  # fmt: skip

        return tuple(
            BarrierGroup(rings=tuple(tuple(made(p) for p in ring) for ring in rings.values()))
            for rings in level.values()
        )

    def _phases(self, name: str) -> list[TimingPhase]:
        records, value = self.utdf.phases, self.utdf.value
        out = []
        for column in [c for c in records.columns if c.startswith("D") and c[1:].isdigit()]:
            green = value(records, name, "MaxGreen", column, high=600)
            place = records.get(name, "BRP", column)
            if green is None or not place:
                continue
            if len(place) != 3 or not place.isdigit():
                row = records.row[name, "BRP"]
                self.utdf.faults.append(f"row {row}: BRP of {name} {column} is {place!r}; needs three digits")
                continue
            times = [value(records, name, r, column, high=600) or 0.0 for r in ("Yellow", "AllRed", "MinGreen")]
            out.append(
                TimingPhase(
                    number=int(column[1:]), barrier=int(place[0]), ring=int(place[1]), position=int(place[2]),
                    green_s=green, yellow_s=times[0], red_s=times[1], min_green_s=times[2], walk_s=0.0,
                    walk_clearance_s=0.0,
                )
            )  # fmt: skip
        return out

    def _serves(self, key: tuple[str, str]) -> dict[int, str]:
        """Phase → protected or permitted, of a movement; one without phases of its own runs with the through lanes."""
        name, column = key
        for place in (column, f"{column[:2]}T"):
            out = {}
            for record, what in (("PermPhase", "permitted"), ("Phase", "protected")):
                for n in range(1, 5):
                    phase = self.utdf.value(self.utdf.lanes, name, f"{record}{n}", place, high=32)
                    if phase:
                        out[int(phase)] = what
            if out:
                return out
        return {}

    def _on_red(self, key: tuple[str, str]) -> dict[int, str]:
        """What a right turn may do on red: stop, then go, where the file allows it."""
        name, column = key
        allowed = column.endswith(("R", "R2")) and self.utdf.value(self.utdf.lanes, name, ON_RED, column, high=1)
        return {0: "rtor"} if allowed else {}

    def _reference(self, name: str) -> list[int]:
        """The reference phases: 206 means 2 and 6."""
        code = int(self.utdf.value(self.utdf.timeplans, name, "Reference Phase", high=9999) or 0)
        return [phase for phase in (code // 100, code % 100) if phase]

    def _offset(self, name: str, slots: list[Slot], cycle_s: float) -> float:
        plans = self.utdf.timeplans
        offset = self.utdf.value(plans, name, "Offset", high=1000) or 0.0
        style = int(self.utdf.value(plans, name, "Referenced To", high=9) or 0)
        if style not in REFERENCES:
            row = plans.row.get((name, "Referenced To"), 0)
            known = ", ".join(f"{k} (begin of {v})" for k, v in REFERENCES.items())
            self.utdf.faults.append(f"row {row}: Referenced To of {name} is {style}; read are {known}: refer it to one")
            return 0.0
        wanted = self._reference(name)
        chosen = [slot for slot in slots if slot.phase.number in wanted] or slots[:1]
        points = {
            "green": min(slot.start_s for slot in chosen),
            "yellow": min(slot.green_end_s for slot in chosen),
            "red": min(slot.yellow_end_s for slot in chosen),
        }
        ours = round((offset - points[REFERENCES[style]]) % cycle_s, 6) % cycle_s
        stated = self.utdf.value(self.utdf.phases, name, "Start", f"D{slots[0].phase.number}", high=1000)
        if stated is not None and abs(math.remainder(stated - ours, cycle_s)) > START_S:
            self.notes.append(
                f"intersection {name}: its first phase starts at {stated:g} s by Start, {ours:g} s by Offset"
            )
        return ours

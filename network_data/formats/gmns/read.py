"""A GMNS package as a road network with signals.

Lanes come from the lane and segment tables, ways from movements (from angles where there are none), plans from the
signal tables. GMNS gives no geometry of junctions: stop lines, conflicts and rights of way are derived. A package that
this engine wrote carries them, and the exact programs, in tables named `its_*` (see `extension`): nothing is derived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from network_data.assembly import Bay, CrossingPlan, Way, assemble, shape_of, turns_by_lane, widened
from network_data.assembly.plane import length_m
from network_data.detectors import Detector
from network_data.errors import NetworkError
from network_data.formats.gmns.assumed import assumed_programs, signalled
from network_data.formats.gmns.check import MISSING, Fault, Package, read_package
from network_data.formats.gmns.detectors import detectors_of
from network_data.formats.gmns.extension import EXTENSION
from network_data.formats.gmns.extension_read import read_extension
from network_data.formats.gmns.lanes import LinkLanes, lanes_of
from network_data.formats.gmns.signals import GmnsSignals, signals_of
from network_data.formats.gmns.units import Units, units_of, wkt_line
from network_data.limits import number
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan
from network_data.schedule import DayPlan

LANE_M = 3.2
DEFAULT_MPS = 50 / 3.6
LEAST_BAY_M = 10.0
TURNS = {"left": "l", "right": "r", "thru": "s", "uturn": "t", "merge": "s", "diverge": "s"}
RANKS = {"motorway": 9, "trunk": 8, "primary": 7, "arterial": 6, "secondary": 6, "tertiary": 5, "collector": 4}
"""How important a facility is; others count 1."""
ESSENTIAL = {
    ("node", "node_id"), ("node", "x_coord"), ("node", "y_coord"), ("link", "link_id"), ("link", "from_node_id"),
    ("link", "to_node_id"), ("link", "length"), ("link", "lanes"), ("link", "free_speed"), ("lane", "lane_id"),
    ("lane", "link_id"), ("lane", "lane_num"), ("segment", "segment_id"), ("segment", "link_id"),
    ("segment", "ref_node_id"), ("segment", "start_lr"), ("segment", "end_lr"), ("segment_lane", "segment_id"),
    ("segment_lane", "lane_num"), ("movement", "mvmt_id"), ("movement", "node_id"), ("movement", "ib_link_id"),
    ("movement", "ob_link_id"), ("movement", "type"), ("movement", "start_ib_lane"), ("movement", "end_ib_lane"),
    ("movement", "start_ob_lane"), ("movement", "end_ob_lane"), ("lane", "width"),
    ("signal_controller", "controller_id"), ("signal_timing_plan", "timing_plan_id"),
    ("signal_timing_plan", "controller_id"), ("signal_timing_plan", "cycle_length"),
    ("signal_timing_phase", "timing_phase_id"), ("signal_timing_phase", "timing_plan_id"),
    ("signal_timing_phase", "signal_phase_num"), ("signal_timing_phase", "min_green"),
    ("signal_timing_phase", "max_green"), ("signal_timing_phase", "clearance"), ("signal_timing_phase", "ring"),
    ("signal_timing_phase", "barrier"), ("signal_timing_phase", "position"), ("signal_phase_mvmt", "timing_phase_id"),
    ("signal_phase_mvmt", "controller_id"), ("signal_phase_mvmt", "signal_phase_num"),
    ("signal_phase_mvmt", "mvmt_id"), ("signal_phase_mvmt", "link_id"), ("signal_phase_mvmt", "protection"),
    ("signal_detector", "detector_id"), ("signal_detector", "link_id"), ("signal_detector", "start_lane"),
    ("signal_detector", "end_lane"), ("signal_detector", "det_zone_lr"),
    ("signal_coordination", "timing_plan_id"), ("signal_coordination", "controller_id"),
    ("signal_coordination", "coord_phase"), ("signal_coordination", "coord_ref_to"), ("signal_coordination", "offset"),
}  # fmt: skip
"""Columns that a network is made of: a fault in one of them stops the reading, others are listed."""


@dataclass(frozen=True, kw_only=True)
class GmnsNetwork:
    """The network, its signals' plans by day and hour, and every fault that can be lived with."""

    network: RoadNetwork
    signals: GmnsSignals
    faults: tuple[Fault, ...]
    detectors: tuple[Detector, ...] = ()
    own_day: DayPlan | None = None
    """The day of a package that this engine wrote."""

    def day(self, name: str = "mon") -> DayPlan:
        """The plans of a day of the week (`sun` … `sat`, `holiday`)."""
        return self.own_day if self.own_day is not None else self.signals.day(name)


def read_gmns(folder: Path | str) -> GmnsNetwork:
    """Read a GMNS package.

    Raises
    ------
    NetworkError
        All faults of the package, where any of them concerns a column that the network is made of.
    """
    package = read_package(folder)
    fatal = [f for f in package.faults if (f.table, f.column) in ESSENTIAL or f.code in ("missing-table", "fields")]
    if fatal:
        known = {id(f) for f in fatal}  # comparing thousands of faults with thousands takes minutes
        rest = [f for f in package.faults if id(f) not in known]
        raise NetworkError(str(folder), [str(f) for f in (*fatal, *rest)])
    if EXTENSION in package.tables:
        network, day = read_extension(package)
        signals = GmnsSignals(programs={c.id: list(c.programs) for c in network.controllers.values()})
        every = {name: _as_they_are(link) for name, link in network.links.items()}
        detectors, _ = detectors_of(package, units_of(package), every, network, lambda name: name)
        return GmnsNetwork(network=network, signals=signals, faults=package.faults, detectors=detectors, own_day=day)
    units = units_of(package)
    lanes = lanes_of(package, units)
    return _Reader(package, units, lanes).read()


def _as_they_are(link: Link) -> LinkLanes:
    """GMNS's numbers of lanes that are all there from the begin of the link on."""
    lanes = {len(link.lanes) - lane.index: lane.kind for lane in link.lanes}
    return LinkLanes(lanes, lanes)


class _Reader:
    """Puts the parts together."""

    def __init__(self, package: Package, units: Units, lanes: dict[str, LinkLanes]) -> None:
        self.package, self.units, self.lanes = package, units, lanes
        self.notes = list(units.notes)
        self.nodes = self._nodes()
        self.links = self._links()
        self.whole = dict(self.links)
        self.bay_ways: list[Way] = []
        self.split: set[str] = set()

    def read(self) -> GmnsNetwork:
        faults = self._meeting_faults()
        if faults:
            raise NetworkError(str(self.package.folder), faults)
        for name in list(self.links):
            self._widen(name)
        ways_of = self._ways()
        names = {mvmt: f"{rows[0].from_link}>{rows[0].to_link}" for mvmt, rows in ways_of.items()}
        signals = signals_of(self.package, names)
        self.notes += signals.notes
        ways, programs = self._signalled(ways_of, signals)
        network = assemble(
            nodes=self.nodes,
            links=self.links,
            ways=ways,
            programs=programs,
            crossings=self._crossings(signals),
            source=str(self.package.folder),
            notes=self.notes,
        )
        detectors, notes = detectors_of(self.package, self.units, self.lanes, network, self.stop_link)
        network = replace(network, notes=(*network.notes, *notes))
        return GmnsNetwork(network=network, signals=signals, faults=self.package.faults, detectors=detectors)

    def _nodes(self) -> dict[str, Node]:
        out = {}
        for _, values in self.package.rows("node"):
            x_m, y_m = self.units.project(number(values["x_coord"]), number(values["y_coord"]))
            kind = "traffic_light" if signalled(values) else "priority"
            out[values["node_id"]] = Node(id=values["node_id"], kind=kind, x_m=x_m, y_m=y_m)
        return out

    def _links(self) -> dict[str, Link]:
        out, left_out, two_way = {}, 0, []
        for _, values in self.package.rows("link"):
            name = values["link_id"]
            lanes = self.lanes.get(name)
            if lanes is None or not lanes.base:
                left_out += 1
                continue
            if values.get("directed", "1").lower() in ("0", "false"):
                two_way.append(name)
            out[name] = self._link(values, lanes)
        if left_out:
            self.notes.append(f"{left_out} links are for people on foot or bicycles and are left out")
        if two_way:
            named = ", ".join(two_way[:10])
            self.notes.append(f"undirected links are read from from_node to to_node only: {named}")
        return out

    def _link(self, values: Mapping[str, str], lanes: LinkLanes) -> Link:
        here, there = self.nodes[values["from_node_id"]], self.nodes[values["to_node_id"]]
        shape = [self.units.project(x, y) for x, y in wkt_line(values.get("geometry", ""))]
        if values.get("dir_flag", "") == "-1":
            shape.reverse()
        shape = shape if len(shape) > 1 else [(here.x_m, here.y_m), (there.x_m, there.y_m)]
        text = values.get("length", "")
        length = number(text) * self.units.long_m if text not in MISSING else 0.0
        if not length:
            length = length_m(shape)
        text = values.get("free_speed", "")
        speed = number(text) * self.units.speed_mps if text not in MISSING else 0.0
        order = sorted(lanes.base, reverse=True)
        facility = values.get("facility_type", "") or values.get("link_type_name", "")
        return Link(
            id=values["link_id"],
            from_node=here.id,
            to_node=there.id,
            lanes=tuple(
                Lane(
                    index=i,
                    length_m=max(1.0, length),
                    speed_mps=speed or DEFAULT_MPS,
                    width_m=lanes.width_m.get(lane, LANE_M),
                    kind=lanes.base[lane],
                )
                for i, lane in enumerate(order)
            ),
            name=values.get("name", ""),
            priority=1000 * RANKS.get(facility.lower(), 1) + round((speed or DEFAULT_MPS) * 10),
            shape=shape_of(shape),
        )

    def _meeting_faults(self) -> list[str]:
        """Movements whose links do not meet at their node."""
        out = []
        for row, values in self.package.rows("movement"):
            for column, end in (("ib_link_id", "to_node"), ("ob_link_id", "from_node")):
                link = self.whole.get(values[column])
                if link is not None and getattr(link, end) != values["node_id"]:
                    node = values["node_id"]
                    out.append(
                        f"movement.csv: row {row}: {column} {link.id!r} does not meet node {node!r}; correct one"
                    )
        return out

    def _widen(self, name: str) -> None:
        """Split a link whose lanes grow in number before the stop line."""
        lanes = self.lanes[name]
        if not lanes.widens:
            if lanes.at_stop != lanes.base:
                self.notes.append(f"link {name!r}: lanes that end before the stop line are read as going on")
            return
        added = set(lanes.at_stop) - set(lanes.base)
        inner = [lane for lane in added if lane < min(lanes.base)]
        bay = Bay(left=len(inner), right=len(added) - len(inner), length_m=max(LEAST_BAY_M, lanes.bay_m))
        parts = widened(self.links[name], bay)
        order = sorted(lanes.at_stop, reverse=True)
        row = tuple(
            replace(parts.bay.lanes[i], kind=lanes.at_stop[lane], width_m=lanes.width_m.get(lane, LANE_M))
            for i, lane in enumerate(order)
        )
        self.split.add(name)
        self.nodes[parts.node.id] = parts.node
        self.links[name], self.links[parts.bay.id] = parts.upstream, replace(parts.bay, lanes=row)
        self.bay_ways += parts.ways

    def stop_link(self, name: str) -> str:
        """The part of a link that reaches the stop line."""
        return f"{name}.bay" if name in self.split else name

    def _ways(self) -> dict[str, list[Way]]:
        """Ways by movement id; without a movement table every turn at every node but back."""
        rows = self.package.rows("movement")
        if not rows.values:
            self.notes.append("no movements: every turn is allowed where streets meet, lanes by the usual order")
            return self._all_turns()
        out: dict[str, list[Way]] = {}
        foot = 0
        for _, values in rows:
            ways = self._movement(values)
            foot += not ways
            if ways:
                out[values["mvmt_id"]] = ways
        if foot:
            self.notes.append(f"{foot} movements are for bicycles and people on foot and are left out")
        return out

    def _movement(self, values: Mapping[str, str]) -> list[Way]:
        ib, ob = values["ib_link_id"], values["ob_link_id"]
        if ib not in self.whole or ob not in self.whole:
            return []
        turn = TURNS.get(values.get("type", ""), "")
        stop = self.links[self.stop_link(ib)]
        here = self._range(values, "ib", self.lanes[ib], stop=True)
        if here is None:
            ways = turns_by_lane(stop, [self.links[ob]], directions={ob: turn} if turn else None)
            return [replace(way, to_link=ob) for way in ways]
        there = self._range(values, "ob", self.lanes[ob], stop=False)
        if there is None:
            there = list(range(len(self.links[ob].lanes)))
        if not here or not there:
            return []
        # here and there run from the left: pair them from the side one turns to
        out = []
        for n, lane in enumerate(reversed(here)) if turn == "r" else enumerate(here):
            side = list(reversed(there)) if turn == "r" else there
            to_lane = side[min(n, len(side) - 1)]
            out.append(Way(from_link=stop.id, from_lane=lane, to_link=ob, to_lane=to_lane, direction=turn))
        return out

    def _range(self, values: Mapping[str, str], side: str, lanes: LinkLanes, *, stop: bool) -> list[int] | None:
        """Our lane indices, leftmost first; None where the table names no lane, fewer where some carry no vehicles."""
        first, last = values.get(f"start_{side}_lane", ""), values.get(f"end_{side}_lane", "")
        if first in MISSING:
            return None
        low = int(number(first))
        high = int(number(last)) if last not in MISSING else low
        wanted = [lane for lane in range(min(low, high), max(low, high) + 1) if lane]
        found = [lanes.index_of(lane, stop=stop) for lane in wanted]
        return [index for index in found if index is not None]

    def _all_turns(self) -> dict[str, list[Way]]:
        starting: dict[str, list[Link]] = defaultdict(list)
        for name in self.whole:
            starting[self.whole[name].from_node].append(self.links[name])
        out = {}
        for name, link in self.whole.items():
            onward = [t for t in starting[link.to_node] if self.whole[t.id].to_node != link.from_node]
            for target in onward or starting[link.to_node]:
                ways = [
                    w
                    for w in turns_by_lane(self.links[self.stop_link(name)], onward or [target])
                    if w.to_link == target.id
                ]
                out[f"{name}>{target.id}"] = ways
        return out

    def _signalled(
        self, ways_of: Mapping[str, Sequence[Way]], signals: GmnsSignals
    ) -> tuple[list[Way], dict[str, list[ControllerPlan]]]:
        """Ways with their link indices, and the programs: of the file, or assumed ones at signal nodes without."""
        timed = {c: heads for c, heads in signals.heads.items() if signals.programs.get(c)}
        index_of = {mvmt: (c, k) for c, heads in timed.items() for k, mvmt in enumerate(heads)}
        bare = sorted(set(signals.heads) - set(timed))
        if bare:
            self.notes.append(f"controllers without a usable timing plan are left out: {', '.join(bare)}")
        out = list(self.bay_ways)
        for mvmt, rows in ways_of.items():
            owner = index_of.get(mvmt)
            out += [replace(w, controller_id=owner[0], link_index=owner[1]) if owner else w for w in rows]
        programs = {c: list(own) for c, own in signals.programs.items() if own}
        if not signals.heads:
            programs = assumed_programs(self.package, self.nodes, self.whole, self.links, out, self.notes)
        return out, programs

    def _crossings(self, signals: GmnsSignals) -> list[CrossingPlan]:
        rows = {values["link_id"]: values for _, values in self.package.rows("link")}
        out = []
        for controller_id, heads in signals.crossings.items():
            if not signals.programs.get(controller_id):
                continue
            for link_id, index in heads.items():
                node = signals.node_of[controller_id]
                values = rows[link_id]
                shape = [self.units.project(x, y) for x, y in wkt_line(values.get("geometry", ""))]
                text = values.get("length", "")
                length_m = number(text) * self.units.long_m if text not in MISSING else 15.0
                out.append(
                    CrossingPlan(
                        node_id=node,
                        crossed_links=self._crossed(node, shape),
                        length_m=max(1.0, length_m),
                        controller_id=controller_id,
                        link_indices=(index,),
                    )
                )
        return out

    def _crossed(self, node: str, shape: Sequence[tuple[float, float]]) -> tuple[str, ...]:
        """The links at a node that a crossing's line meets."""
        if len(shape) < 2:
            return ()
        near = [name for name, link in self.links.items() if node in (link.from_node, link.to_node)]
        return tuple(
            name
            for name in near
            if any(_meet(a, b, c, d) for a, b in pairwise(shape) for c, d in pairwise(self.links[name].shape))
        )


def _meet(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> bool:
    """Whether two line segments cross."""

    def side(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0

"""Small road networks made in code, with plans and trips on them: the scenes of the simulation's and optimizer's tests.

All of them are written down link by link; lengths and speeds are arguments. Every connection may carry a link index
of a controller; without one it is unsignalized.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from network_data.controllers import Controller, SignalHead
from network_data.demand import Demand
from network_data.network import Connection, Lane, LaneKind, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.trips import Trips

V50_MPS = 50 / 3.6
SPACING_M = 5.8
"""Vehicle of 4.3 m and gap of 1.5 m, as in the table of constants of the queue model."""

Rows = Sequence[tuple[float, str]]


@dataclass
class NetworkBuilder:
    """Collects links, turns and controllers; `build` makes the network."""

    links: dict[str, Link] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    programs: dict[str, ControllerPlan] = field(default_factory=dict)
    conflicts: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    def link(
        self,
        link_id: str,
        ends: str,
        *,
        length_m: float = 300.0,
        speed_mps: float = V50_MPS,
        lanes: int = 1,
        kinds: Mapping[int, LaneKind] | None = None,
    ) -> None:
        """A link; `ends` names its two nodes, such as "a c"."""
        start, end = ends.split()
        rows = tuple(
            Lane(index=i, length_m=length_m, speed_mps=speed_mps, width_m=3.2, kind=(kinds or {}).get(i, "general"))
            for i in range(lanes)
        )
        self.links[link_id] = Link(
            id=link_id, from_node=start, to_node=end, lanes=rows, name="", priority=1, shape=((0.0, 0.0), (1.0, 0.0))
        )

    def turn(
        self,
        ways: str,
        *,
        lanes: tuple[int, int] = (0, 0),
        direction: str = "s",
        length_m: float = 15.0,
        speed_mps: float = V50_MPS,
        head: tuple[str, int] | None = None,
        yields_to: Sequence[int] = (),
        wait_m: float = 0.0,
        detach_m: float = 0.0,
        kind: LaneKind = "general",
    ) -> int:
        """A connection; `ways` names the two links, such as "wi eo". Returns its number."""
        here, there = ways.split()
        self.connections.append(
            Connection(
                movement_id=f"{here}>{there}",
                node_id=self.links[here].to_node,
                from_link=here,
                from_lane=lanes[0],
                to_link=there,
                to_lane=lanes[1],
                direction=direction,
                length_m=length_m,
                speed_mps=speed_mps,
                wait_m=wait_m,
                detach_m=detach_m,
                kind=kind,
                right_of_way="O" if head else "M",
                controller_id=head[0] if head else None,
                link_index=head[1] if head else None,
                yields_to=tuple(yields_to),
                conflicts=tuple(yields_to),
                yields_to_crossings=(),
            )
        )
        return len(self.connections) - 1

    def yielding(self, connection: int, foes: Sequence[int]) -> None:
        """Let a connection made before give way to others."""
        self.connections[connection] = replace(
            self.connections[connection], yields_to=tuple(foes), conflicts=tuple(foes)
        )

    def program(
        self, controller_id: str, rows: Rows, *, offset_s: float = 0.0, conflicts: Sequence[tuple[int, int]] = ()
    ) -> None:
        """The program of a controller and the pairs of its link indices that conflict."""
        self.programs[controller_id] = program(rows, controller_id=controller_id, offset_s=offset_s)
        self.conflicts[controller_id] = {(min(pair), max(pair)) for pair in conflicts}

    def build(self) -> RoadNetwork:
        """The network."""
        names = dict.fromkeys(node for link in self.links.values() for node in (link.from_node, link.to_node))
        return RoadNetwork(
            nodes={n: Node(id=n, kind="priority", x_m=0.0, y_m=0.0) for n in names},
            links=self.links,
            connections=tuple(self.connections),
            crossings=(),
            controllers={c: self._controller(c) for c in self.programs},
            source="builders",
        )

    def _controller(self, controller_id: str) -> Controller:
        heads: list[SignalHead] = []
        yields: set[tuple[int, int]] = set()
        mine = {i: c for i, c in enumerate(self.connections) if c.controller_id == controller_id}
        for index in range(len(self.programs[controller_id].intervals[0].state)):
            members = tuple(i for i, c in mine.items() if c.link_index == index)
            names = tuple(dict.fromkeys(mine[i].movement_id for i in members))
            heads.append(
                SignalHead(
                    index=index,
                    kind="vehicle" if members else "dead",
                    connections=members,
                    movement_ids=names,
                    crossing_ids=(),
                    text=" ".join(names),
                )
            )
        for c in mine.values():
            foes = {mine[j].link_index for j in c.yields_to if j in mine}
            yields |= {(c.link_index, foe) for foe in foes if c.link_index is not None and foe is not None}
        return Controller(
            id=controller_id,
            node_ids=tuple(dict.fromkeys(c.node_id for c in mine.values())),
            heads=tuple(heads),
            conflicts=frozenset(self.conflicts[controller_id]),
            yields=frozenset(yields),
            programs=(self.programs[controller_id],),
        )


def program(rows: Rows, *, controller_id: str = "c", offset_s: float = 0.0) -> ControllerPlan:
    """A program from (seconds, state) rows."""
    return ControllerPlan(
        controller_id=controller_id,
        program_id="p",
        offset_s=offset_s,
        intervals=tuple(Interval(float(d), s) for d, s in rows),
    )


def field_plan(network: RoadNetwork) -> TimingPlan:
    """The programs found in the network."""
    return TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})


def with_offsets(plan: TimingPlan, shift_s: Mapping[str, float] | float) -> TimingPlan:
    """The plan with offsets later by some seconds (one number for all, or by controller)."""
    by_id = dict.fromkeys(plan.controllers, shift_s) if isinstance(shift_s, int | float) else shift_s
    return TimingPlan(
        controllers={c: replace(p, offset_s=p.offset_s + by_id.get(c, 0.0)) for c, p in plan.controllers.items()}
    )


def trips(
    network: RoadNetwork,
    rows: Sequence[tuple[float, str]],
    *,
    length_m: float | Sequence[float] = SPACING_M,
    kind: Sequence[int] | None = None,
    dwell_s: Sequence[float] = (),
) -> Trips:
    """Vehicles from (departure in seconds, route as link ids) rows, in order of departure."""
    links = tuple(network.links)
    index = {link: i for i, link in enumerate(links)}
    routes = [[index[link] for link in route.split()] for _, route in rows]
    return Trips(
        links=links,
        depart_s=np.array([depart for depart, _ in rows], np.float64),
        route_start=np.cumsum([0, *(len(route) for route in routes)]).astype(np.int64),
        route_link=np.array([link for route in routes for link in route], np.int32),
        kind=np.array(kind if kind is not None else [0] * len(rows), np.int8),
        length_m=np.broadcast_to(np.asarray(length_m, np.float64), len(rows)).copy(),
        dwell_s=np.array(dwell_s, np.float64),
    )


def demand(
    pairs: Mapping[tuple[str, str], float | Sequence[float]],
    *,
    begin_s: float = 0.0,
    interval_s: float = 300.0,
    intervals: int = 12,
    dispersion: float = 1.0,
) -> Demand:
    """Turning flows in vehicles per interval, the same in all or one number each."""
    begins = begin_s + interval_s * np.arange(intervals, dtype=np.float64)
    veh = np.array([np.broadcast_to(np.asarray(v, np.float64), intervals) for v in pairs.values()])
    return Demand(
        begin_s=begins,
        end_s=begins + interval_s,
        pairs=tuple(pairs),
        veh=veh,
        sd_veh=np.sqrt(veh),
        support=("measured",) * len(pairs),
        dispersion=dispersion,
    )


def road(n_links: int = 3, *, length_m: float = 200.0, speed_mps: float = V50_MPS, lanes: int = 1) -> RoadNetwork:
    """Links "0", "1", … in a row without signals."""
    b = NetworkBuilder()
    for n in range(n_links):
        b.link(str(n), f"n{n} n{n + 1}", length_m=length_m, speed_mps=speed_mps, lanes=lanes)
    for n in range(n_links - 1):
        for lane in range(lanes):
            b.turn(f"{n} {n + 1}", lanes=(lane, lane), speed_mps=speed_mps)
    return b.build()


def single_approach(
    rows: Rows = ((30, "G"), (3, "y"), (27, "r")),
    *,
    length_m: float = 500.0,
    speed_mps: float = V50_MPS,
    out_m: float = 300.0,
) -> RoadNetwork:
    """One link "in" to a signal, one link "out" behind it."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=length_m, speed_mps=speed_mps)
    b.link("out", "c z", length_m=out_m, speed_mps=speed_mps)
    b.turn("in out", speed_mps=speed_mps, head=("c", 0))
    b.program("c", rows)
    return b.build()


def crossing(rows: Rows = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")), *, length_m: float = 300.0) -> RoadNetwork:
    """Two one-way streets that cross: "wi"→"eo" (link index 0) and "si"→"no" (1)."""
    b = NetworkBuilder()
    for name, ends in (("wi", "w c"), ("si", "s c"), ("eo", "c e"), ("no", "c n")):
        b.link(name, ends, length_m=length_m)
    b.turn("wi eo", head=("c", 0))
    b.turn("si no", head=("c", 1))
    b.program("c", rows, conflicts=[(0, 1)])
    return b.build()


def left_turn(
    rows: Rows = ((57, "Gg"), (3, "yy")),
    *,
    wait_m: float = 0.0,
    way_m: float = 15.0,
    length_m: float = 300.0,
    turn_speed_mps: float = V50_MPS,
) -> RoadNetwork:
    """A left turn "wi"→"no" (link index 1) across the opposing "ei"→"wo" (0)."""
    b = NetworkBuilder()
    for name, ends in (("wi", "w c"), ("ei", "e c"), ("wo", "c w"), ("no", "c n")):
        b.link(name, ends, length_m=length_m)
    through = b.turn("ei wo", head=("c", 0))
    b.turn(
        "wi no", direction="l", head=("c", 1), yields_to=[through], wait_m=wait_m, speed_mps=turn_speed_mps,
        length_m=max(way_m, 2 * wait_m),
    )  # fmt: skip
    b.program("c", rows, conflicts=[(0, 1)])
    return b.build()


def merge(*, length_m: float = 200.0) -> RoadNetwork:
    """An unsignalized minor road "minor" that joins "main"; both go on as "on"."""
    b = NetworkBuilder()
    b.link("main", "a c", length_m=length_m)
    b.link("minor", "b c", length_m=length_m)
    b.link("on", "c z", length_m=length_m)
    major = b.turn("main on")
    b.turn("minor on", direction="r", yields_to=[major])
    return b.build()


def two_signals(
    rows: Rows = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")),
    *,
    offsets_s: Sequence[float] = (0.0, 0.0),
    between_m: float = 400.0,
    length_m: float = 300.0,
) -> RoadNetwork:
    """An arterial "a0"→"a1"→"a2" through the signals "p" and "q", each crossed by a side street ("sp", "sq").

    More offsets make more signals: "r", "s", …
    """
    b = NetworkBuilder()
    names = "pqrstu"[: len(offsets_s)]
    for n, (name, ends) in enumerate(pairwise(("w", *names, "e"))):
        b.link(f"a{n}", f"{name} {ends}", length_m=between_m if 0 < n < len(names) else length_m)
    for n, (name, offset_s) in enumerate(zip(names, offsets_s, strict=True)):
        b.link(f"s{name}", f"s{name} {name}", length_m=length_m)
        b.link(f"n{name}", f"{name} n{name}", length_m=length_m)
        b.turn(f"a{n} a{n + 1}", head=(name, 0))
        b.turn(f"s{name} n{name}", head=(name, 1))
        b.program(name, rows, offset_s=offset_s, conflicts=[(0, 1)])
    return b.build()

"""Reading the tables `its_*` of a GMNS package back into a network and its day, exactly as they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from network_data.controllers import Controller, HeadKind, SignalHead
from network_data.errors import NetworkError, PlanError
from network_data.formats.gmns.check import Package
from network_data.formats.gmns.extension import split
from network_data.formats.gmns.units import wkt_line
from network_data.limits import number
from network_data.network import Connection, Crossing, Lane, LaneKind, Link, Node, RoadNetwork
from network_data.plans import BarrierGroup, ControllerPlan, Interval, Phase
from network_data.schedule import ControllerDay, DayPlan, Switch


def _ints(text: str) -> tuple[int, ...]:
    return tuple(int(number(part, low=0, high=1e9)) for part in text.split())


class _Rows:
    """Rows of a table as records; what cannot be read becomes a fault with its row."""

    def __init__(self, package: Package, faults: list[str]) -> None:
        self.package, self.faults = package, faults

    def each(self, table: str, make: Callable[[Mapping[str, str]], Any]) -> list[Any]:
        out = []
        for row, values in self.package.rows(table):
            try:
                out.append(make(values))
            except KeyError as error:
                self.faults.append(f"{table}.csv: row {row}: {error} is missing or unknown; write the package again")
            except ValueError as error:
                self.faults.append(f"{table}.csv: row {row}: {error}")
            except (NetworkError, PlanError) as error:
                self.faults += [f"{table}.csv: row {row}: {fault}" for fault in error.faults]
        return out


def read_extension(package: Package) -> tuple[RoadNetwork, DayPlan | None]:
    """The network and the day of a package that this engine wrote, exactly as they were.

    Raises
    ------
    NetworkError
        Every row that cannot be used, or that names what is not there.
    """
    faults: list[str] = []
    rows = _Rows(package, faults)
    nodes = {n.id: n for n in rows.each("node", _node)}
    links = _links(rows)
    connections = rows.each("its_connection", lambda v: _connection(v, nodes, links))
    crossings = rows.each("its_crossing", _crossing)
    if not faults:
        faults += _index_faults(connections, crossings)
    controllers = _controllers(rows)
    day = _day(rows, controllers) if "its_day" in package.tables else None
    if faults:
        raise NetworkError(str(package.folder), faults)
    network = RoadNetwork(
        nodes=nodes,
        links=links,
        connections=tuple(connections),
        crossings=tuple(crossings),
        controllers=controllers,
        source=str(package.folder),
        notes=("read from the tables its_*: nothing had to be derived",),
    )
    return network, day


def _float(values: Mapping[str, str], name: str) -> float:
    try:
        return number(values[name])
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _int(values: Mapping[str, str], name: str) -> int:
    value = _float(values, name)
    if value != int(value):
        raise ValueError(f"{name} {value:g} is no whole number")
    return int(value)


def _kind(text: str) -> LaneKind:
    for kind in get_args(LaneKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]
    raise ValueError(f"kind is {text[:40]!r}; known are {', '.join(get_args(LaneKind))}")


def _head_kind(text: str) -> HeadKind:
    for kind in get_args(HeadKind):
        if text == kind:
            return kind  # type: ignore[no-any-return]
    raise ValueError(f"kind is {text[:40]!r}; known are {', '.join(get_args(HeadKind))}")


def _node(values: Mapping[str, str]) -> Node:
    return Node(
        id=values["node_id"], kind=values["node_type"], x_m=_float(values, "x_coord"), y_m=_float(values, "y_coord")
    )


def _links(rows: _Rows) -> dict[str, Link]:
    lanes: dict[str, list[Lane]] = defaultdict(list)

    def lane(values: Mapping[str, str]) -> None:
        lanes[values["link_id"]].append(
            Lane(
                index=_int(values, "index"),
                length_m=_float(values, "length_m"),
                speed_mps=_float(values, "speed_mps"),
                width_m=_float(values, "width_m"),
                kind=_kind(values["kind"]),
            )
        )

    rows.each("its_lane", lane)
    priority = dict(rows.each("its_link", lambda v: (v["link_id"], _int(v, "priority"))))

    def link(values: Mapping[str, str]) -> Link:
        name = values["link_id"]
        return Link(
            id=name,
            from_node=values["from_node_id"],
            to_node=values["to_node_id"],
            lanes=tuple(sorted(lanes[name], key=lambda x: x.index)),
            name=values.get("name", ""),
            priority=priority[name],
            shape=tuple(wkt_line(values.get("geometry", ""))),
        )

    return {x.id: x for x in rows.each("link", link)}


def _connection(values: Mapping[str, str], nodes: Mapping[str, Node], links: Mapping[str, Link]) -> Connection:
    ends = links[values["from_link"]], links[values["to_link"]]
    lanes = _int(values, "from_lane"), _int(values, "to_lane")
    for link, lane in zip(ends, lanes, strict=True):
        if not 0 <= lane < len(link.lanes):
            raise ValueError(f"link {link.id!r} has no lane {lane}; write the package again")
    owner = values["controller_id"] or None
    return Connection(
        movement_id=values["movement_id"],
        node_id=nodes[values["node_id"]].id,
        from_link=ends[0].id,
        from_lane=lanes[0],
        to_link=ends[1].id,
        to_lane=lanes[1],
        direction=values["direction"],
        length_m=_float(values, "length_m"),
        speed_mps=_float(values, "speed_mps"),
        wait_m=_float(values, "wait_m"),
        kind=_kind(values["kind"]),
        right_of_way=values["right_of_way"],
        controller_id=owner,
        link_index=_int(values, "link_index") if owner is not None else None,
        yields_to=_ints(values["yields_to"]),
        conflicts=_ints(values["conflicts"]),
        yields_to_crossings=_ints(values["yields_to_crossings"]),
        detach_m=_float(values, "detach_m"),
    )


def _crossing(values: Mapping[str, str]) -> Crossing:
    return Crossing(
        id=values["crossing_id"],
        node_id=values["node_id"],
        crossed_links=split(values["crossed_links"]),
        length_m=_float(values, "length_m"),
        width_m=_float(values, "width_m"),
        controller_id=values["controller_id"] or None,
        link_indices=_ints(values["link_indices"]),
        conflicts=_ints(values["conflicts"]),
    )


def _index_faults(connections: Sequence[Connection], crossings: Sequence[Crossing]) -> list[str]:
    """Row numbers that lead nowhere."""
    n, m = len(connections), len(crossings)
    out = [
        f"its_connection.csv: row {i + 2}: names connections or crossings that are not there; write the package again"
        for i, c in enumerate(connections)
        if any(j >= n for j in (*c.yields_to, *c.conflicts)) or any(j >= m for j in c.yields_to_crossings)
    ]
    out += [
        f"its_crossing.csv: row {i + 2}: names connections that are not there; write the package again"
        for i, x in enumerate(crossings)
        if any(j >= n for j in x.conflicts)
    ]
    return out


def _controllers(rows: _Rows) -> dict[str, Controller]:
    heads: dict[str, list[SignalHead]] = defaultdict(list)
    pairs: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    rows.each("its_head", lambda v: heads[v["controller_id"]].append(_head(v)))
    rows.each("its_conflict", lambda v: pairs[v["controller_id"], v["what"]].add((_int(v, "a"), _int(v, "b"))))
    programs = _programs(rows)

    def controller(values: Mapping[str, str]) -> Controller:
        name = values["controller_id"]
        if not programs[name]:
            raise ValueError(f"signal {name[:40]!r} has no row in its_program.csv; write the package again")
        return Controller(
            id=name,
            node_ids=split(values["nodes"]),
            heads=tuple(heads[name]),
            conflicts=frozenset(pairs[name, "conflict"]),
            yields=frozenset(pairs[name, "yield"]),
            programs=tuple(programs[name].values()),
        )

    return {c.id: c for c in rows.each("its_controller", controller)}


def _head(values: Mapping[str, str]) -> SignalHead:
    return SignalHead(
        index=_int(values, "link_index"),
        kind=_head_kind(values["kind"]),
        connections=_ints(values["connections"]),
        movement_ids=split(values["movements"]),
        crossing_ids=split(values["crossings"]),
        text=values["text"],
    )


def _programs(rows: _Rows) -> dict[str, dict[str, ControllerPlan]]:
    intervals: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    minima: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    phases: dict[tuple[str, str], dict[int, dict[int, list[Phase]]]] = defaultdict(lambda: defaultdict(dict))

    def interval(values: Mapping[str, str]) -> None:
        key = values["controller_id"], values["program_id"]
        intervals[key].append(Interval(_float(values, "duration_s"), values["state"]))
        if values["min_duration_s"]:
            minima[key].append(_float(values, "min_duration_s") if values["min_duration_s"] != "none" else None)

    def phase(values: Mapping[str, str]) -> None:
        rings = phases[values["controller_id"], values["program_id"]][_int(values, "group")]
        rings.setdefault(_int(values, "ring"), []).append(_phase(values))

    rows.each("its_interval", interval)
    rows.each("its_phase", phase)

    def program(values: Mapping[str, str]) -> ControllerPlan:
        key = values["controller_id"], values["program_id"]
        return ControllerPlan(
            controller_id=key[0],
            program_id=key[1],
            offset_s=_float(values, "offset_s"),
            intervals=tuple(intervals[key]),
            barrier_groups=tuple(
                BarrierGroup(rings=tuple(tuple(ring) for _, ring in sorted(rings.items())))
                for _, rings in sorted(phases[key].items())
            ),
            min_durations_s=tuple(minima[key]),
            actuated=bool(_int(values, "actuated")),
        )

    out: dict[str, dict[str, ControllerPlan]] = defaultdict(dict)
    for made in rows.each("its_program", program):
        out[made.controller_id][made.program_id] = made
    return out


def _phase(values: Mapping[str, str]) -> Phase:
    return Phase(
        name=values["name"],
        movements=split(values["movements"]),
        permitted=split(values["permitted"]),
        crossings=split(values["crossings"]),
        green_s=_float(values, "green_s"),
        yellow_s=_float(values, "yellow_s"),
        red_clearance_s=_float(values, "red_clearance_s"),
        min_green_s=_float(values, "min_green_s"),
        max_green_s=_float(values, "max_green_s"),
    )


def _day(rows: _Rows, controllers: Mapping[str, Controller]) -> DayPlan:
    switches: dict[str, list[Switch]] = defaultdict(list)

    def switch(values: Mapping[str, str]) -> None:
        controller = controllers[values["controller_id"]]
        by_name = {p.program_id: p for p in controller.programs}
        switches[controller.id].append(Switch(_float(values, "at_s"), by_name[values["program_id"]]))

    rows.each("its_day", switch)
    days = {}
    for name, own in switches.items():
        try:
            days[name] = ControllerDay(controller_id=name, switches=tuple(own))
        except PlanError as error:
            rows.faults += error.faults
    return DayPlan(controllers=days)

"""Grids of signals made in memory, any size: two-way streets of one lane, straight on and turns at every crossing."""

from __future__ import annotations

from network_data.controllers import Controller, SignalHead
from network_data.network import Connection, Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
TURNS = {0: "s", 1: "l", 3: "r"}
ROWS = ((40.0, "GGGrrrGGGrrr"), (5.0, "yyyrrryyyrrr"), (40.0, "rrrGGGrrrGGG"), (5.0, "rrryyyrrryyy"))


def signal_grid(columns: int, rows: int, *, spacing_m: float = 200.0, speed_mps: float = 12.5) -> RoadNetwork:
    """Signals "i.j" at every crossing of a grid with dead ends around; links are "from-to"."""
    inner = {(i, j) for i in range(1, columns + 1) for j in range(1, rows + 1)}
    ends = {(i + di, j + dj) for i, j in inner for di, dj in STEPS} - inner
    nodes = {f"{i}.{j}": Node(id=f"{i}.{j}", kind="traffic_light" if (i, j) in inner else "dead_end",
                              x_m=i * spacing_m, y_m=j * spacing_m) for i, j in sorted(inner | ends)}  # fmt: skip
    lane = Lane(index=0, length_m=spacing_m, speed_mps=speed_mps, width_m=3.2, kind="general")
    links = {}
    for i, j in sorted(inner | ends):
        for di, dj in STEPS:
            there = (i + di, j + dj)
            if there in inner or ((i, j) in inner and there in ends):
                a, b = f"{i}.{j}", f"{there[0]}.{there[1]}"
                links[f"{a}-{b}"] = Link(
                    id=f"{a}-{b}", from_node=a, to_node=b, lanes=(lane,), name="", priority=1,
                    shape=((i * spacing_m, j * spacing_m), (there[0] * spacing_m, there[1] * spacing_m)),
                )  # fmt: skip
    connections: list[Connection] = []
    controllers = {}
    for i, j in sorted(inner):
        controllers[f"{i}.{j}"] = _signal(i, j, connections)
    return RoadNetwork(
        nodes=nodes, links=links, connections=tuple(connections), crossings=(), controllers=controllers, source="grid"
    )


def _signal(i: int, j: int, connections: list[Connection]) -> Controller:
    name, heads = f"{i}.{j}", []
    for side, (di, dj) in enumerate(STEPS):  # side: the heading of those who come
        for turn, letter in TURNS.items():
            ei, ej = STEPS[(side + turn) % 4]
            here, there = f"{i - di}.{j - dj}-{name}", f"{name}-{i + ei}.{j + ej}"
            index = len(heads)
            heads.append(SignalHead(index=index, kind="vehicle", connections=(len(connections),),
                                    movement_ids=(f"{here}>{there}",), crossing_ids=(), text=""))  # fmt: skip
            connections.append(Connection(
                movement_id=f"{here}>{there}", node_id=name, from_link=here, from_lane=0, to_link=there, to_lane=0,
                direction=letter, length_m=15.0, speed_mps=10.0, wait_m=0.0, kind="general", right_of_way="O",
                controller_id=name, link_index=index, yields_to=(), conflicts=(), yields_to_crossings=(),
            ))  # fmt: skip
    plan = ControllerPlan(
        controller_id=name, program_id="0", offset_s=0.0, intervals=tuple(Interval(*row) for row in ROWS)
    )
    return Controller(
        id=name, node_ids=(name,), heads=tuple(heads), conflicts=frozenset(), yields=frozenset(), programs=(plan,)
    )


def even_flows(network: RoadNetwork, vph: float = 300.0, turning: float = 0.1) -> dict[tuple[str, str], float]:
    """The same flow straight on everywhere, and a share of it for each turn. [veh/h]"""
    return {(c.from_link, c.to_link): vph if c.direction == "s" else turning * vph for c in network.connections}

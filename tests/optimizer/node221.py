"""A made-up node 221: four legs, each crossed on foot in a stage of its own while the leg opposite drives."""

from __future__ import annotations

from network_data.controllers import Controller, SignalHead
from network_data.network import Connection, Crossing, Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval

LEGS = ("n", "e", "s", "w")
PLACES = {"w": (-100.0, 0.0), "e": (100.0, 0.0), "n": (0.0, 100.0), "s": (0.0, -100.0)}
AHEAD = {"n": "s", "s": "n", "e": "w", "w": "e"}
STAGE_S, CHANGE_S = 27, (3, 2)


def node_221(*, stage_s: int = STAGE_S, crossing_m: float = 19.0) -> RoadNetwork:
    """Link indices 0-3: straight on from n, e, s, w; 4-7: the crossings of these legs."""
    lane = Lane(index=0, length_m=100.0, speed_mps=50 / 3.6, width_m=3.5, kind="general")
    links: dict[str, Link] = {}
    for leg, place in PLACES.items():
        for name, ends, shape in (
            (f"{leg}i", (leg, "221"), (place, (0.0, 0.0))),
            (f"{leg}o", ("221", leg), ((0.0, 0.0), place)),
        ):
            links[name] = Link(
                id=name, from_node=ends[0], to_node=ends[1], lanes=(lane,), name="", priority=1, shape=shape
            )
    connections = tuple(
        Connection(
            movement_id=f"{leg}i>{AHEAD[leg]}o", node_id="221", from_link=f"{leg}i", from_lane=0,
            to_link=f"{AHEAD[leg]}o", to_lane=0, direction="s", length_m=20.0, speed_mps=13.9, wait_m=0.0,
            kind="general", right_of_way="O", controller_id="221", link_index=k, yields_to=(),
            conflicts=tuple(x for x in range(4) if x != k), yields_to_crossings=(),
        )
        for k, leg in enumerate(LEGS)
    )  # fmt: skip
    crossings = tuple(
        Crossing(
            id=f"x:221:{k}", node_id="221", crossed_links=(f"{leg}i", f"{leg}o"), length_m=crossing_m, width_m=4.0,
            controller_id="221", link_indices=(4 + k,), conflicts=(k, LEGS.index(AHEAD[leg])),
        )
        for k, leg in enumerate(LEGS)
    )  # fmt: skip
    heads = [
        SignalHead(
            index=k, kind="vehicle", connections=(k,), movement_ids=(connections[k].movement_id,), crossing_ids=(),
            text=connections[k].movement_id,
        )
        for k in range(4)
    ]  # fmt: skip
    heads += [
        SignalHead(
            index=4 + k, kind="crossing", connections=(), movement_ids=(), crossing_ids=(f"x:221:{k}",),
            text=f"x:221:{k}",
        )
        for k in range(4)
    ]  # fmt: skip
    conflicts = {(i, j) for i in range(4) for j in range(i + 1, 4)}
    # every leg drives alone: whoever walks is in the way of all but the leg to the right of the crossing
    conflicts |= {(k, 4 + c) for c in range(4) for k in range(4) if k != (c + 1) % 4}
    return RoadNetwork(
        nodes={n: Node(id=n, kind="traffic_light", x_m=0.0, y_m=0.0) for n in ("221", *LEGS)},
        links=links,
        connections=connections,
        crossings=crossings,
        controllers={
            "221": Controller(
                id="221", node_ids=("221",), heads=tuple(heads), conflicts=frozenset(conflicts),
                yields=frozenset(), programs=(_program(stage_s),),
            )
        },
        source="node 221, made up",
    )  # fmt: skip


def _program(stage_s: int) -> ControllerPlan:
    rows: list[Interval] = []
    for k in range(4):
        green = ["r"] * 8
        green[k] = "G"
        green[4 + (k - 1) % 4] = "G"
        walking = "".join(green)
        green[4 + (k - 1) % 4] = "r"
        clearing = "".join(green)
        green[k] = "y"
        rows += [
            Interval(7.0, walking),
            Interval(float(stage_s - 7), clearing),
            Interval(float(CHANGE_S[0]), "".join(green)),
            Interval(float(CHANGE_S[1]), "r" * 8),
        ]
    return ControllerPlan(controller_id="221", program_id="p", offset_s=0.0, intervals=tuple(rows))

"""A crossroads made by hand: two through streets, two left turns, a crossing of the north leg; and its field program.

Link indices: 0 west→east, 1 west→north (left), 2 east→west, 3 east→south (left), 4 north→south, 5 south→north,
6 the crossing.
"""

from network_data.controllers import Controller, SignalHead
from network_data.network import Connection, Crossing, Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan

CROSSING_M = 8.0
FIELD = (
    (30, "GgGgrrG"),
    (8, "GgGgrrr"),
    (3, "ygygrrr"),
    (10, "rGrGrrr"),
    (3, "ryryrrr"),
    (2, "rrrrrrr"),
    (29, "rrrrGGr"),
    (3, "rrrryyr"),
    (2, "rrrrrrr"),
)
TURNS = (
    ("w", "e", "s"),
    ("w", "n", "l"),
    ("e", "w", "s"),
    ("e", "s", "l"),
    ("n", "s", "s"),
    ("s", "n", "s"),
)
CONFLICTS = ((1, 2), (0, 3), (0, 4), (0, 5), (1, 4), (1, 5), (2, 4), (2, 5), (3, 4), (3, 5))
YIELDS = ((1, 2), (3, 0))
WALK_CONFLICTS = (1, 4, 5)
PLACES = {"w": (-100.0, 0.0), "e": (100.0, 0.0), "n": (0.0, 100.0), "s": (0.0, -100.0)}


def program(rows, *, program_id="p", offset_s=0.0, controller_id="c", **more) -> ControllerPlan:
    """A program from (duration, state) rows."""
    return ControllerPlan(
        controller_id=controller_id,
        program_id=program_id,
        offset_s=offset_s,
        intervals=tuple(Interval(float(d), s) for d, s in rows),
        **more,
    )


def timing(rows, **more) -> TimingPlan:
    """A plan for the one controller."""
    return TimingPlan(controllers={"c": program(rows, **more)})


def _links() -> dict[str, Link]:
    lane = Lane(index=0, length_m=100.0, speed_mps=50 / 3.6, width_m=3.2, kind="general")
    links = {}
    for leg, place in PLACES.items():
        for name, ends, shape in (
            (f"{leg}i", (leg, "c"), (place, (0.0, 0.0))),
            (f"{leg}o", ("c", leg), ((0.0, 0.0), place)),
        ):
            links[name] = Link(
                id=name, from_node=ends[0], to_node=ends[1], lanes=(lane,), name="", priority=1, shape=shape
            )  # fmt: skip
    return links


def crossroads(*, field=FIELD, dead=0) -> RoadNetwork:
    """The network; `dead` more link indices control nothing."""
    connections = []
    for i, (a, b, direction) in enumerate(TURNS):
        foes = {y for x, y in CONFLICTS if x == i} | {x for x, y in CONFLICTS if y == i}
        connections.append(
            Connection(
                movement_id=f"{a}i>{b}o", node_id="c", from_link=f"{a}i", from_lane=0, to_link=f"{b}o", to_lane=0,
                direction=direction, length_m=15.0, speed_mps=10.0, wait_m=0.0, kind="general", right_of_way="O",
                controller_id="c", link_index=i, yields_to=tuple(j for x, j in YIELDS if x == i),
                conflicts=tuple(sorted(foes)), yields_to_crossings=(0,) if i == 1 else (),
            )
        )  # fmt: skip
    crossing = Crossing(
        id="x:c:0", node_id="c", crossed_links=("ni", "no"), length_m=CROSSING_M, width_m=4.0, controller_id="c",
        link_indices=(6,), conflicts=WALK_CONFLICTS,
    )  # fmt: skip
    heads = [
        SignalHead(
            index=i,
            kind="vehicle",
            connections=(i,),
            movement_ids=(c.movement_id,),
            crossing_ids=(),
            text=c.movement_id,
        )
        for i, c in enumerate(connections)
    ]
    heads.append(
        SignalHead(index=6, kind="crossing", connections=(), movement_ids=(), crossing_ids=("x:c:0",), text="x:c:0")
    )
    heads += [
        SignalHead(index=7 + k, kind="dead", connections=(), movement_ids=(), crossing_ids=(), text="")
        for k in range(dead)
    ]
    controller = Controller(
        id="c",
        node_ids=("c",),
        heads=tuple(heads),
        conflicts=frozenset(CONFLICTS) | {(k, 6) for k in WALK_CONFLICTS},
        yields=frozenset(YIELDS) | {(1, 6)},
        programs=(program(field),),
    )
    nodes = {x: Node(id=x, kind="dead_end", x_m=p[0], y_m=p[1]) for x, p in PLACES.items()}
    nodes["c"] = Node(id="c", kind="traffic_light", x_m=0.0, y_m=0.0)
    return RoadNetwork(
        nodes=nodes,
        links=_links(),
        connections=tuple(connections),
        crossings=(crossing,),
        controllers={"c": controller},
        source="crossroads",
    )

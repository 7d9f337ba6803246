"""Networks put together from nodes, links and turns: geometry, rights of way, lanes."""

import math

import pytest

from network_data.assembly import Way, assemble, local_plane, turns_by_lane
from network_data.assembly.plane import curve, length_m
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval

V_MPS = 50 / 3.6
ARMS = {"w": (-300.0, 0.0), "e": (300.0, 0.0), "n": (0.0, 300.0), "s": (0.0, -300.0)}


def link(a: str, b: str, lanes: int = 1, priority: int = 1) -> Link:
    """A link between two of the arms or the middle."""
    at = {**ARMS, "c": (0.0, 0.0)}
    row = tuple(Lane(index=i, length_m=300.0, speed_mps=V_MPS, width_m=3.2, kind="general") for i in range(lanes))
    return Link(id=f"{a}{b}", from_node=a, to_node=b, lanes=row, name="", priority=priority, shape=(at[a], at[b]))


def crossroads(*, signal: bool, lanes: int = 1, kind: str = "priority") -> RoadNetwork:
    """Four arms; west-east is the more important street; with a signal every turn has a head of its own."""
    links = {}
    for arm in ARMS:
        for made in (link(arm, "c", lanes, 2 if arm in "we" else 1), link("c", arm, lanes, 2 if arm in "we" else 1)):
            links[made.id] = made
    ways: list[Way] = []
    for arm in ARMS:
        ways += turns_by_lane(links[f"{arm}c"], [links[f"c{other}"] for other in ARMS if other != arm])
    if signal:
        ways = [Way(**{**_fields(w), "controller_id": "c", "link_index": k}) for k, w in enumerate(ways)]  # type: ignore[arg-type]
    at = {**ARMS, "c": (0.0, 0.0)}
    nodes = {n: Node(id=n, kind=kind, x_m=x, y_m=y) for n, (x, y) in at.items()}
    program = ControllerPlan(
        controller_id="c", program_id="p", offset_s=0.0, intervals=(Interval(60.0, "r" * len(ways)),)
    )
    return assemble(nodes=nodes, links=links, ways=ways, programs={"c": (program,)} if signal else {})


def _fields(way: Way) -> dict[str, object]:
    return {name: getattr(way, name) for name in ("from_link", "from_lane", "to_link", "to_lane", "direction")}


def pairs(network: RoadNetwork, start: str, end: str, other: tuple[str, str]) -> tuple[bool, bool, bool]:
    """Whether two movements conflict, whether the first yields to the second, and the second to the first."""
    connections = network.connections
    i = next(n for n, c in enumerate(connections) if (c.from_link, c.to_link) == (start, end))
    j = next(n for n, c in enumerate(connections) if (c.from_link, c.to_link) == other)
    return j in connections[i].conflicts, j in connections[i].yields_to, i in connections[j].yields_to


def test_degrees_become_metres() -> None:
    """At 36.35° north a degree is 110,960 m north and 89,770 m east (WGS 84 tables, to 0.1 %)."""
    x_m, y_m = local_plane(127.0, 36.35)(128.0, 37.35)
    assert x_m == pytest.approx(89_770, rel=1e-3)
    assert y_m == pytest.approx(110_960, rel=1e-3)


def test_a_quarter_turn_is_as_long_as_its_arc() -> None:
    """Around a corner with radius 10 m a way is 15.7 m long."""
    shape = curve((0.0, 0.0), 0.0, (10.0, 10.0), math.pi / 2, n=64)
    assert length_m(shape) == pytest.approx(10 * math.pi / 2, rel=1e-3)


def test_left_turns_yield_to_those_who_come_towards_them() -> None:
    """At a signal rank decides; what only follows each other does not conflict."""
    network = crossroads(signal=True)
    assert pairs(network, "wc", "cn", ("ec", "cw")) == (True, True, False)
    assert pairs(network, "wc", "cs", ("ec", "cs")) == (True, False, True)  # right before left into one lane
    assert pairs(network, "wc", "ce", ("ec", "cw")) == (False, False, False)
    assert pairs(network, "wc", "ce", ("nc", "cs"))[0]
    assert pairs(network, "wc", "cn", ("ec", "cs"))[0] is False  # both left turns pass in front of each other


def test_the_less_important_street_yields() -> None:
    """Without a signal north-south waits for west-east; where streets are equal, whoever is on the right goes first."""
    assert pairs(crossroads(signal=False), "nc", "cs", ("wc", "ce")) == (True, True, False)
    equal = crossroads(signal=False, kind="right_before_left")
    # from the west, the south is on the right; from the north, the west is
    assert pairs(equal, "wc", "ce", ("sc", "cn")) == (True, True, False)
    assert pairs(equal, "nc", "cs", ("wc", "ce")) == (True, True, False)


def test_waiting_places_only_for_signalled_turns_across() -> None:
    """A left turn at a signal waits inside, before the way it yields to; nobody else does."""
    network = crossroads(signal=True, lanes=2)
    for c in network.connections:
        assert (c.wait_m > 0) == (c.direction == "l"), c
        assert c.wait_m < c.length_m


def test_stop_lines_stand_off_the_crossing_street() -> None:
    """A lane is shorter than from node to node by both junctions; here 3.2 m of the other street and 3 m of kerb."""
    network = crossroads(signal=False)
    assert network.links["wc"].length_m == pytest.approx(300 - 6.2)


@pytest.mark.parametrize(
    ("lanes", "want"),
    [
        (1, {"l": [0], "s": [0], "r": [0]}),
        (2, {"l": [1], "s": [0, 1], "r": [0]}),
        (3, {"l": [2], "s": [0, 1], "r": [0]}),
        (4, {"l": [3], "s": [0, 1, 2], "r": [0]}),
    ],
)
def test_lanes_are_sorted_by_turn(lanes: int, want: dict[str, list[int]]) -> None:
    """Right turns from the kerb, left turns from inside, from three lanes on with a lane of their own."""
    ways = turns_by_lane(link("w", "c", lanes), [link("c", x, lanes) for x in "ens"])
    got: dict[str, list[int]] = {}
    for way in ways:
        got.setdefault(way.direction, []).append(way.from_lane)
    assert got == want

"""Lane groups: lanes that serve the same movements, and nothing else, belong together."""

from __future__ import annotations

from sim.lane_groups import lane_groups
from tests.builders import NetworkBuilder


def approach() -> NetworkBuilder:
    """Lanes from the right: right and through, through, through, left; a bus lane beside; signal c."""
    b = NetworkBuilder()
    b.link("in", "w c", lanes=5, kinds={0: "bus"})
    b.link("through", "c e", lanes=4)
    b.link("right", "c s")
    b.link("left", "c n")
    b.turn("in through", lanes=(0, 0), head=("c", 0))
    b.turn("in right", lanes=(1, 0), direction="r", head=("c", 0))
    b.turn("in through", lanes=(1, 1), head=("c", 0))
    b.turn("in through", lanes=(2, 2), head=("c", 0))
    b.turn("in through", lanes=(3, 3), head=("c", 0))
    b.turn("in left", lanes=(4, 0), direction="l", head=("c", 1))
    b.program("c", [(30, "GG"), (30, "rr")])
    return b


def test_lanes_with_the_same_movements_are_one_group() -> None:
    """Two through lanes join; the shared lane, the left lane and the bus lane stay alone."""
    groups = lane_groups(approach().build())
    assert {g.id: g.lanes for g in groups.values()} == {
        "in:0": (0,),
        "in:1": (1,),
        "in:2+3": (2, 3),
        "in:4": (4,),
    }
    assert groups["in:1"].movements == ("in>right", "in>through")
    assert groups["in:2+3"].connections == (3, 4)
    assert groups["in:0"].kind == "bus"


def test_every_connection_is_in_exactly_one_group() -> None:
    """Groups share out the connections of the network, and links that lead nowhere have none."""
    network = approach().build()
    members = [i for g in lane_groups(network).values() for i in g.connections]
    assert sorted(members) == list(range(len(network.connections)))


def test_a_group_knows_its_signal() -> None:
    """Groups name their controller, or None where no signal stands."""
    b = approach()
    b.link("on", "e x")
    b.turn("through on")
    groups = lane_groups(b.build())
    assert groups["in:4"].controller_id == "c"
    assert groups["through:0"].controller_id is None

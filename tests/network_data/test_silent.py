"""Signalled ways that we do not simulate: their conflicts count all the same."""

from network_data.clearance import clearance_matrix
from network_data.formats._silent import SilentWay, silent_rights
from network_data.formats.sumo_net import read_sumo_net
from tests.network_data.test_sumo_net import CROSS

REQUESTS = {"c": {0: ("001", "001"), 1: ("000", "000"), 2: ("000", "000")}}
"""Junction c: row 0 has row 2 as foe and yields to it; row 2 says nothing."""


def test_a_conflict_is_mutual_and_one_yields():
    """A foe bit on one side is enough; the response bit tells who gives way."""
    ways = [SilentWay("c", 7, ("c", 2), "cycle track")]

    conflicts, yields = silent_rights(ways, {("c", 0): {3}, ("c", 1): {4}}, REQUESTS)

    assert (conflicts, yields) == ({(3, 7)}, {(3, 7)})


def test_a_cycle_track_in_a_network(tmp_path):
    """An approach for bicycles is no link that we drive on, but its signal conflicts with the left turn across it."""
    path = tmp_path / "c.net.xml"
    lane = '<lane id="o_0" index="0" speed="13.9" length="80"'
    path.write_text(CROSS.replace(lane, f'{lane} allow="bicycle"'), encoding="utf-8")

    network = read_sumo_net(path)

    controller = network.controllers["c"]
    assert [head.kind for head in controller.heads] == ["vehicle", "vehicle", "other", "crossing"]
    assert controller.heads[2].text == "o_0->x_0"
    assert controller.in_conflict(1, 2)
    assert (1, 2) in controller.yields
    assert {(1, 2), (2, 1)} <= clearance_matrix(controller, controller.programs[-1]).pairs

"""Counts that contradict each other are named, no more of them than needed."""

import pytest

from network_data.detectors import Detector
from network_data.turning_flows.estimate import estimate_demand
from tests.network_data.crossroads import crossroads
from tests.network_data.turning_flows.test_estimate import HOUR, counts, loop


def found(table, loops):
    """The set found for the crossroads' hour, and the estimate's notes."""
    result = estimate_demand(crossroads(), loops, table, 0, HOUR, plan=None)
    return result.disagreement, result.notes


def test_counts_that_agree_name_nobody():
    """Counts within their error of conserved flows are no contradiction."""
    said, notes = found(counts(ni=30, so=29, wi=20), (loop("ni"), loop("so"), loop("wi")))
    assert said.detectors == ()
    assert said.proven
    assert not any("contradict" in note for note in notes)


def test_the_one_against_two_is_named():
    """Two loops along a stream count 360 vehicles, one between them 108: that one is named, and a note says so."""
    middle = Detector(id="n2", link_id="ni", lane=0, pos_m=60.0, kind="mid")
    said, notes = found(counts(ni=30, n2=9, so=30, ei=1, si=10), (*map(loop, ("ni", "so", "ei", "si")), middle))
    assert said.detectors == ("n2",)
    assert said.proven
    assert any("without n2 (the smallest such set)" in note for note in notes)


def test_two_faults_far_apart_are_both_named():
    """A loop that counts a third and one that counts double, on different streets."""
    loops = (
        *map(loop, ("ni", "so", "wi", "ei")),
        Detector(id="n2", link_id="ni", lane=0, pos_m=60.0, kind="mid"),
        Detector(id="n3", link_id="ni", lane=0, pos_m=80.0, kind="mid"),
        Detector(id="w2", link_id="wi", lane=0, pos_m=60.0, kind="mid"),
        Detector(id="w3", link_id="wi", lane=0, pos_m=80.0, kind="mid"),
    )
    said, _ = found(counts(ni=10, n2=30, n3=30, so=31, wi=40, w2=20, w3=20, ei=5), loops)
    assert said.detectors == ("ni", "wi")


@pytest.mark.parametrize("whole_up_to", [600, 0])
def test_parts_of_a_network_give_the_same_answer(whole_up_to, monkeypatch):
    """Looking only around the counts that do not fit names the same loop."""
    monkeypatch.setattr("network_data.turning_flows.agreement.WHOLE_UP_TO", whole_up_to)
    middle = Detector(id="n2", link_id="ni", lane=0, pos_m=60.0, kind="mid")
    said, _ = found(counts(ni=30, n2=9, so=30, ei=1, si=10), (*map(loop, ("ni", "so", "ei", "si")), middle))
    assert said.detectors == ("n2",)

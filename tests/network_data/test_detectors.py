"""Detectors are read from CSV and from SUMO, placed on the network, and every fault is named at once."""

import gzip

import pytest

from network_data.detectors import derive_kind, read_detectors
from network_data.errors import DemandError
from tests.network_data.crossroads import crossroads
from tests.network_data.real_networks import load
from tests.packs import data_pack


def test_csv_is_read_and_kinds_are_derived(tmp_path):
    """Without a kind, the place on the lane decides it; a stated kind stands."""
    path = tmp_path / "d.csv"
    path.write_text("detector,link,lane,pos_m,kind\na,wi,0,98,\nb,wi,0,5,\nc,wi,0,60,\nd,wi,0,60,advance\n")
    kinds = {d.id: d.kind for d in read_detectors(path, crossroads())}
    assert kinds == {"a": "stopbar", "b": "advance", "c": "mid", "d": "advance"}


def test_sumo_loops_are_recognized_by_content(tmp_path):
    """E1 loops come out of an additional file, gzipped or not; a negative position counts from the lane's end."""
    text = (
        '<additional><e1Detector id="a" lane="wi_0" pos="-2"/><inductionLoop id="b" lane="ei_0" pos="5"/></additional>'
    )
    path = tmp_path / "loops.csv"  # the name says nothing
    path.write_bytes(gzip.compress(text.encode()))
    a, b = read_detectors(path, crossroads())
    assert (a.link_id, a.lane, a.pos_m, a.kind) == ("wi", 0, 98.0, "stopbar")
    assert (b.link_id, b.pos_m) == ("ei", 5.0)


def test_all_faults_come_together(tmp_path):
    """Unknown link, lane, place, number, kind and a repeated name: one error that names every row."""
    path = tmp_path / "d.csv"
    path.write_text(
        "detector,link,lane,pos_m,kind\na,nowhere,0,5,\nb,wi,3,5,\nc,wi,0,500,\nd,wi,0,five,\ne,wi,0,5,roof\nf,wi,0,5,\n"
        "f,wi,0,5,\ng,wi,0,\uff15,\n"
    )
    with pytest.raises(DemandError) as caught:
        read_detectors(path, crossroads())
    assert [fault.split(":")[0] for fault in caught.value.faults] == [f"row {n}" for n in (2, 3, 4, 5, 6, 8, 9)]
    assert "no link 'nowhere'" in str(caught.value)
    assert "lanes are 0" in str(caught.value)


def test_wrong_columns_are_named(tmp_path):
    """A table of something else says which columns it lacks."""
    path = tmp_path / "d.csv"
    path.write_text("id;lane\n1;2\n")
    with pytest.raises(DemandError, match="lacks the columns detector, link"):
        read_detectors(path, crossroads())


@pytest.mark.parametrize(("length_m", "pos_m", "kind"), [(20, 2, "advance"), (20, 6, "stopbar"), (300, 200, "mid")])
def test_kind_by_place(length_m, pos_m, kind):
    """Near the stop line, in the first third, or between."""
    expected = "stopbar" if length_m - pos_m <= 15 else kind
    assert derive_kind(pos_m, length_m) == expected


def test_real_loops_of_bologna():
    """All 58 active loops of Acosta are read; the commented ones are not."""
    network, _ = load("acosta")
    detectors = read_detectors(data_pack() / "bologna_acosta" / "acosta_detectors.add.xml", network)
    assert len(detectors) == 58
    assert len({d.id for d in detectors}) == 58


def test_lane_areas_and_gates_count_at_one_point(tmp_path):
    """E2 at their downstream end, E3 at their only exit; one with two exits belongs to no lane."""
    path = tmp_path / "d.add.xml"
    path.write_text(
        '<additional><laneAreaDetector id="a" lane="wi_0" pos="40" length="30"/><e2Detector id="b" lane="ei_0"/>'
        '<laneAreaDetector id="c" lanes="wi_0 eo_0" pos="5" endPos="9"/>'
        '<e3Detector id="g"><detEntry lane="wi_0" pos="5"/><detExit lane="eo_0" pos="7"/></e3Detector></additional>'
    )
    found = {d.id: (d.link_id, d.pos_m) for d in read_detectors(path, crossroads())}
    assert found == {"a": ("wi", 70.0), "b": ("ei", 100.0), "c": ("eo", 9.0), "g": ("eo", 7.0)}
    path.write_text(
        '<additional><e3Detector id="g"><detEntry lane="wi_0" pos="5"/><detExit lane="eo_0" pos="7"/>'
        '<detExit lane="wo_0" pos="7"/></e3Detector></additional>'
    )
    with pytest.raises(DemandError, match="several exits"):
        read_detectors(path, crossroads())

"""Loops, lane areas and entry-exit detectors of SUMO: read, written, and the points of lanes they stand for."""

from pathlib import Path

import pytest

from network_data.errors import DemandError
from network_data.formats.sumo_detectors import as_loops, read_sumo_detectors, write_sumo_detectors
from network_data.formats.sumo_net import read_sumo_net
from tests.network_data.crossroads import crossroads
from tests.network_data.real_networks import files
from tests.packs import data_pack

ALL = """<additional>
  <inductionLoop id="l" lane="wi_0" pos="-2" period="60" file="x"/>
  <laneAreaDetector id="a" lane="wi_0" pos="40" length="30" file="x"/>
  <e2Detector id="b" lane="ei_0" endPos="-10" length="20" file="x"/>
  <entryExitDetector id="g" file="x"><detEntry lane="wi_0" pos="5"/><detExit lane="eo_0" pos="9"/></entryExitDetector>
  <e3Detector id="h" file="x"><detEntry lane="wi_0" pos="5"/><detExit lane="eo_0" pos="9"/>
    <detExit lane="wo_0" pos="9"/></e3Detector>
</additional>"""


def test_all_kinds_are_read_and_written(tmp_path: Path) -> None:
    """Places survive a file; negative positions count from the lane's end."""
    path = tmp_path / "d.add.xml"
    path.write_text(ALL)
    found = read_sumo_detectors(path, crossroads())
    assert [d.pos_m for d in found.loops] == [98.0]
    assert [(a.lanes, a.start_m, a.end_m) for a in found.areas] == [
        ((("wi", 0),), 40.0, 70.0), ((("ei", 0),), 70.0, 90.0),
    ]  # fmt: skip
    assert [(len(g.entries), len(g.exits)) for g in found.gates] == [(1, 1), (1, 2)]
    path.write_text(write_sumo_detectors(found))
    assert read_sumo_detectors(path, crossroads()) == found


def test_areas_and_gates_stand_for_points(tmp_path: Path) -> None:
    """A lane area counts at its downstream end, a gate at its only exit; one with two exits is named."""
    path = tmp_path / "d.add.xml"
    path.write_text(ALL)
    loops, notes = as_loops(read_sumo_detectors(path, crossroads()), crossroads())
    assert {d.id: (d.link_id, d.pos_m) for d in loops} == {
        "l": ("wi", 98.0), "a": ("wi", 70.0), "b": ("ei", 90.0), "g": ("eo", 9.0),
    }  # fmt: skip
    assert len(notes) == 1
    assert "'h' has 2 exits" in notes[0]


def test_faults_come_together(tmp_path: Path) -> None:
    """Unknown lanes, places outside, gates without exit: one error."""
    path = tmp_path / "d.add.xml"
    path.write_text(
        '<additional><laneAreaDetector id="a" lane="nowhere_0"/><laneAreaDetector id="b" lane="wi_7"/>'
        '<inductionLoop id="c" lane="wi_0" pos="999"/><e3Detector id="d"><detEntry lane="wi_0" pos="1"/></e3Detector>'
        '<inductionLoop id="" lane="wi_0" pos="1"/><inductionLoop id="e" lane="wi_0" pos="x"/></additional>'
    )
    with pytest.raises(DemandError) as error:
        read_sumo_detectors(path, crossroads())
    assert len(error.value.faults) == 6


@pytest.mark.parametrize(("name", "n"), [("acosta", 58), ("pasubio", 64)])
def test_loops_of_bologna(name: str, n: int, tmp_path: Path) -> None:
    """All loops that the data's README counts are read, and come back from a file as they were."""
    network = read_sumo_net(files(name)[0])
    found = read_sumo_detectors(data_pack() / f"bologna_{name}" / f"{name}_detectors.add.xml", network)
    assert len(found.loops) == n
    path = tmp_path / "d.add.xml"
    path.write_text(write_sumo_detectors(found))
    assert read_sumo_detectors(path, network) == found

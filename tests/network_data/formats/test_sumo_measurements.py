"""dfrouter's count tables and Cadyts' link counts: read, their gaps told, faults together."""

from pathlib import Path

import numpy as np
import pytest

from network_data.errors import DemandError
from network_data.formats.kinds import FLOW_TABLE, LINK_COUNTS, kind_of
from network_data.formats.sumo_measurements import read_flow_table, read_link_counts
from tests.packs import data_pack

FLOWS = "Detector;Time;qPKW;qLKW;vPKW;vLKW\nd1;0;40;10;54;36\nd2;0;30;0;0;0\nd1;15;41;0;50;0\n"


def test_minutes_become_intervals(tmp_path: Path) -> None:
    """The step between times is how long was counted; cars and trucks add up, speeds are weighed, 0 is not measured."""
    path = tmp_path / "f.csv"
    path.write_text(FLOWS)
    read = read_flow_table(path)
    assert read.interval_s == 900
    assert read.frame[["begin_s", "end_s", "veh"]].to_numpy().tolist() == [[0, 900, 50], [0, 900, 30], [900, 1800, 41]]
    assert read.frame["speed_mps"][0] == pytest.approx((40 * 54 + 10 * 36) / 50 / 3.6)
    assert np.isnan(read.frame["speed_mps"][1])


def test_faults_of_a_table_come_together(tmp_path: Path) -> None:
    """Names, times and counts that cannot be used: one error."""
    path = tmp_path / "f.csv"
    path.write_text("Detector;Time;qPKW\n;0;1\nd;x;1\nd;1;-1\nd;2;nan\n")
    with pytest.raises(DemandError) as error:
        read_flow_table(path)
    assert len(error.value.faults) == 4
    path.write_text("Detector;qPKW\nd;1\n")
    with pytest.raises(DemandError, match="time"):
        read_flow_table(path)


def test_link_counts(tmp_path: Path) -> None:
    """Vehicles as they stand, hourly flows by the length of their time; faults with the number of the element."""
    path = tmp_path / "m.xml"
    path.write_text(
        '<measurements><singlelink link="a" start="0" end="1800" value="100" type="COUNT_VEH"/>'
        '<singlelink link="b" start="0" end="1800" value="100" type="FLOW_VEH_H"/></measurements>'
    )
    assert read_link_counts(path)["veh"].tolist() == [100, 50]
    path.write_text(
        '<measurements><singlelink link="" start="0" end="9" value="1"/>'
        '<singlelink link="b" start="5" end="5" value="1"/>'
        '<singlelink link="c" start="0" end="9" value="x" type="SPEED"/></measurements>'
    )
    with pytest.raises(DemandError) as error:
        read_link_counts(path)
    assert len(error.value.faults) == 4
    path.write_text("<measurements/>")
    with pytest.raises(DemandError, match="holds no <singlelink>"):
        read_link_counts(path)


def test_wildau_s_counts() -> None:
    """18 cross-sections in both files, the same vehicles; only one of the two says when."""
    folder = data_pack() / "wildau"
    assert kind_of(folder / "counts.csv") is FLOW_TABLE
    assert kind_of(folder / "measurements.xml") is LINK_COUNTS
    table, links = read_flow_table(folder / "counts.csv"), read_link_counts(folder / "measurements.xml")
    assert table.interval_s is None
    assert table.frame["end_s"].isna().all()
    assert any("nothing says how long" in note for note in table.notes)
    assert sorted(table.frame["veh"]) == sorted(links["veh"])
    assert links["end_s"].unique().tolist() == [61_000]

"""Turning counts with a column per compass movement: read, placed at nodes, faults together."""

from pathlib import Path

import pytest

from network_data.errors import DemandError
from network_data.formats.compass import is_compass, places_at, read_compass, read_nodes
from network_data.formats.kinds import COMPASS, kind_of
from network_data.formats.korea import place_turns
from tests.packs import data_pack

TABLE = """intersection,from_time,to_time,NBL,NBT,NBR,EBT,total
A & 1st,07:00,07:15,10,200,*,50,260
A & 1st,07:15,07:30,12,180,5,40,240
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "counts.csv"
    path.write_text(text)
    return path


def test_movements_become_rows(tmp_path: Path) -> None:
    """Approach, turn, interval; a star is not measured; sums that differ from the total are told."""
    read = read_compass(written(tmp_path, TABLE))
    first = read.frame[read.frame["approach"] == "NB"].iloc[0]
    assert (first["turn"], first["veh"], first["interval_s"]) == ("left", 10, 900)
    assert read.frame["veh"].isna().sum() == 1
    assert not read.dated
    assert any("add up to 237, the total says 240" in note for note in read.notes)
    assert any("15 minutes" in note for note in read.notes)


def test_counts_find_their_links_by_node(tmp_path: Path) -> None:
    """An intersection is a node of the network, whose approaches have names on the compass."""
    nodes = tmp_path / "nodes.csv"
    nodes.write_text("intersection,node\nA & 1st,7\n")
    known = read_nodes(nodes)
    assert known == {"A & 1st": "7"}
    places = places_at(known, {("7", "NBL"): ("s7", "7w"), ("7", "NBT"): ("s7", "7n"), ("8", "NBT"): ("x", "y")})
    turns, lost = place_turns(read_compass(written(tmp_path, TABLE)), places)
    assert turns[["from_link", "to_link", "begin_s", "end_s", "veh"]].to_numpy().tolist() == [
        ["s7", "7w", 25_200.0, 26_100.0, 10.0],
        ["s7", "7n", 25_200.0, 26_100.0, 200.0],
        ["s7", "7w", 26_100.0, 27_000.0, 12.0],
        ["s7", "7n", 26_100.0, 27_000.0, 180.0],
    ]
    assert sorted(lost) == [
        "A & 1st / EB / through: 90 vehicles have no place",
        "A & 1st / NB / right: 5 vehicles have no place",
    ]


def test_faults_come_together(tmp_path: Path) -> None:
    """Places, times and counts that cannot be used: one error."""
    text = "intersection,from_time,to_time,NBL,NBT,NBR\n,07:00,08:00,1,2,3\nA,8:99,09:00,1,2,3\nA,09:00,08:00,x,2,-3\n"
    with pytest.raises(DemandError) as error:
        read_compass(written(tmp_path, text))
    assert len(error.value.faults) == 5
    with pytest.raises(DemandError, match="needs a column of places"):
        read_compass(written(tmp_path, "a,b\n1,2\n"))
    places = tmp_path / "nodes.csv"
    places.write_text("intersection,node\nA,1\nA,2\nB,\n")
    with pytest.raises(DemandError, match=r"(?s)A is there twice.*have to be there"):
        read_nodes(places)
    places.write_text("intersection,approach,turn,from_link,to_link\n")
    assert read_nodes(places) is None


def test_other_tables_are_not_taken_for_such() -> None:
    """A place, a time and three movements it takes."""
    assert is_compass(["Location", "Time", "NBL", "nbt", "NBR"])
    assert not is_compass(["Location", "Time", "NBL", "NBT"])
    assert not is_compass(["NBL", "NBT", "NBR"])


def test_utah_s_counts() -> None:
    """Six intersections, two hours, 56,765 vehicles; four of them repeat one hour, as the README says."""
    path = data_pack() / "utah_state_street" / "turning_counts_pm.csv"
    assert kind_of(path) is COMPASS
    read = read_compass(path)
    assert read.frame["intersection"].nunique() == 6
    assert read.frame["veh"].sum() == 56_765
    assert sum("the same figures in all 2 intervals" in note for note in read.notes) == 4
    assert not any("add up to" in note for note in read.notes)

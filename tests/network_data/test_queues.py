"""Queues at the begin: whole vehicles per turn, every faulty row named."""

from __future__ import annotations

from pathlib import Path

import pytest

from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.queues import read_queues
from tests.builders import crossing


@pytest.fixture
def network() -> RoadNetwork:
    """Two roads that cross, `wi` to `eo` and `si` to `no`."""
    return crossing(((30, "Gr"), (3, "yr"), (2, "rr"), (30, "rG"), (3, "ry"), (2, "rr")))


def written(folder: Path, text: str) -> Path:
    """A queue file."""
    path = folder / "queues.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_vehicles_per_turn(tmp_path: Path, network: RoadNetwork) -> None:
    """In any order of columns, with semicolons too; 0 is a queue of nobody."""
    path = written(tmp_path, "veh;from_link;to_link\n5;wi;eo\n0;si;no\n")
    assert read_queues(path, network) == {("wi", "eo"): 5, ("si", "no"): 0}


def test_every_faulty_row_is_named(tmp_path: Path, network: RoadNetwork) -> None:
    """Unknown links, ways that are not there, rows that come twice, numbers that are none or not whole."""
    text = "from_link,to_link,veh\nwi,eo,5\nwi,eo,6\nxx,eo,1\nwi,no,1\nsi,no,-1\nsi,no,2.5\nsi,no,many\nsi,no\n"
    with pytest.raises(DemandError) as caught:
        read_queues(written(tmp_path, text), network)
    told = str(caught.value)
    assert "row 2:" not in told
    for row in range(3, 10):
        assert f"row {row}:" in told
    assert "it leads to 'eo'" in told


def test_a_file_without_rows_or_columns(tmp_path: Path, network: RoadNetwork) -> None:
    """Both say what is needed."""
    for text in ("from_link,to_link,veh\n", "link,veh\nwi,3\n"):
        with pytest.raises(DemandError, match=r"needed: from_link,to_link,veh"):
            read_queues(written(tmp_path, text), network)

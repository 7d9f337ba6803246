"""Turning counts that leave nothing open are the demand; others are left to the estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from network_data.turning_flows.complete import demand_of_complete_turns
from network_data.turns import TurnTable, read_turns
from tests.builders import road

ROWS = [("", "l0", 10), ("l0", "l1", 10), ("l1", "l2", 10), ("l2", "", 10)]


def table(tmp_path: Path, rows: list[tuple[str, str, float]], spans: tuple[tuple[int, int], ...]) -> TurnTable:
    """Rows for every span, written and read."""
    lines = [f"{a},{b},{x},{y},{veh + n}" for n, (x, y) in enumerate(spans) for a, b, veh in rows]
    path = tmp_path / "turns.csv"
    path.write_text("from_link,to_link,begin_s,end_s,veh\n" + "\n".join(lines) + "\n")
    return read_turns(path, road())


def test_complete_counts_are_taken_as_they_are(tmp_path: Path) -> None:
    """Every movement, entry and exit in every interval: the demand has just these numbers."""
    links = list(road().links)
    rows = list(zip(["", *links], [*links, ""], [10.0] * (len(links) + 1), strict=True))
    demand = demand_of_complete_turns(road(), table(tmp_path, rows, ((0, 300), (300, 600))), 0, 600)
    assert demand is not None
    assert demand.begin_s.tolist() == [0, 300]
    assert (demand.veh == [[10, 11]] * len(rows)).all()
    assert np.allclose(demand.sd_veh, np.sqrt(demand.veh))
    assert set(demand.support) == {"measured"}


def test_a_missing_row_is_left_to_the_estimate(tmp_path: Path) -> None:
    """A movement without a row, one interval of it, or a period that rows do not fill: no demand."""
    links = list(road().links)
    rows = list(zip(["", *links], [*links, ""], [10.0] * (len(links) + 1), strict=True))
    assert demand_of_complete_turns(road(), table(tmp_path, rows[:-1], ((0, 300),)), 0, 300) is None
    assert demand_of_complete_turns(road(), table(tmp_path, rows[1:], ((0, 300),)), 0, 300) is None
    assert demand_of_complete_turns(road(), table(tmp_path, rows, ((0, 300),)), 0, 600) is None
    assert demand_of_complete_turns(road(), table(tmp_path, rows, ((0, 300),)), 100, 300) is None

"""The one small case of the quality benchmark that the tests keep."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from tests.packs import resco, sumo


@pytest.mark.slow
def test_a_plan_from_counts_alone_beats_the_shipped_one_in_sumo(tmp_path: Path) -> None:
    """Counts of cologne1 in, default settings, 15 s: the plan passes the check and has less delay in SUMO."""
    resco("cologne1")
    sumo()
    path = tmp_path / "rows.json"
    assert main(["quality", "--quick", "--only", "cologne1", "--json", str(path)]) == 0
    (row,) = json.loads(path.read_text())["rows"]
    assert row["check_ok"] is True
    assert row["ours_s_per_veh"] < row["shipped_s_per_veh"]

"""The one small case of the quality benchmark that the tests keep."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from tests.packs import resco, sumo


@pytest.mark.slow
def test_a_plan_from_counts_alone_beats_the_shipped_one_in_sumo(tmp_path: Path) -> None:
    """Counts of cologne1 in, 15 s: the plan passes the check and has less delay in SUMO than shipped and tool plans."""
    resco("cologne1")
    sumo()
    path, keep = tmp_path / "rows.json", tmp_path / "keep"
    assert main(["quality", "--quick", "--only", "cologne1", "--json", str(path), "--keep", str(keep)]) == 0
    written = json.loads(path.read_text())
    rows = {row["method"]: row for row in written["rows"]}
    assert list(rows) == ["shipped", "shipped+co", "webster", "keep15"]
    assert rows["keep15"]["check_ok"] is True
    assert all(
        rows["keep15"]["delay_100_s_per_veh"] < rows[name]["delay_100_s_per_veh"]
        for name in ("shipped", "shipped+co", "webster")
    )
    assert {line["case"] for line in written["parts"][0]["rows"]} == {"cologne1"}
    assert len(list((keep / "runs").iterdir())) == 4 * 2

"""`its optimize --tradeoff`: table, JSON and a plan file for each plan of the front."""

from pathlib import Path

import pytest

from its.recognize import load_network
from network_data.formats.plan_json import read_plan_json
from optimizer.tradeoff import dominates
from tests.its.jobs import NETWORK, its, optimized, strict_json


@pytest.mark.slow
def test_files_of_the_front(tmp_path: Path, turns: Path) -> None:
    """Every plan has a file that reads, the table lists them with the field plan first, none dominates another."""
    job = optimized(tmp_path / "out", "--turns", turns, "--iterations", "2", "--workers", "1", "--tradeoff")
    told = strict_json((job.out / "tradeoff.json").read_text(encoding="utf-8"))
    assert told == job.run["tradeoff"]
    network = load_network(NETWORK)
    values = []
    for row in told["plans"]:
        assert set(read_plan_json(job.out / row["file"], network).controllers) == set(network.controllers)
        values.append((row["delay_s_per_veh"], row["stops_per_veh"], row["wait_on_foot_s"]))
    assert not any(dominates(a, b) for a in values for b in values)
    lines = (job.out / "tradeoff.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + len(values)
    assert lines[1].startswith("field plan,")
    assert "trade-off" in job.result.output


def test_confirm_and_tradeoff_do_not_go_together(tmp_path: Path, turns: Path) -> None:
    """One asks for one plan, the other for many."""
    found = its("optimize", NETWORK, "--turns", turns, "--out", tmp_path, "--tradeoff", "--confirm", "sumo")
    assert found.exit_code == 2
    assert "leave either out" in " ".join(found.output.split())

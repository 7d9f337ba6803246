"""Tests of `its adapt` in SUMO."""

import json
from pathlib import Path

import pytest

from its.adapt.job import replay_job
from tests import packs
from tests.its.jobs import its


def options(tmp_path: Path) -> list[str]:
    """Five minutes of a network of the package sumo-rl, loops as makecounts lays them."""
    packs.sumo()
    folder = packs.resco("cologne1")
    network, routes = folder / "cologne1.net.xml", folder / "cologne1.rou.xml"
    period = ["--routes", str(routes), "--begin", "25200", "--end", "25500"]
    assert its("makecounts", str(network), *period, "--out", str(tmp_path / "loops")).exit_code == 0
    return ["--sumo", str(network), *period, "--detectors", str(tmp_path / "loops" / "detectors.csv")]


@pytest.mark.slow
def test_the_loop_runs_in_sumo_and_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON holds delay and findings, SUMO's records and the log are kept, the log replays to the same answers."""
    out = tmp_path / "out"
    done = its("adapt", *options(tmp_path), "--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads((out / "adapt.json").read_text(encoding="utf-8"))

    assert told["findings"] == 0
    assert told["runs"][0]["findings"] == []
    assert 0 < told["delay_s_per_veh"]["mean"] < 60
    assert told["runs"][0]["engine"]["decisions"] > 50
    assert told["runs"][0]["engine"]["failed"] == told["runs"][0]["engine"]["refused"] == 0
    for name in ("tripinfo.xml", "signal_states.xml", "decisions.jsonl", "observations.jsonl.gz"):
        assert (out / "seed_1" / name).stat().st_size > 0

    assert replay_job(out / "seed_1") == 0
    assert "replayed to the same answers" in capsys.readouterr().out


def test_what_is_missing_is_told_together(tmp_path: Path) -> None:
    """Without network, routes, detectors and folder the command says which are missing; a replay needs a log."""
    done = its("adapt", "--out", str(tmp_path / "x"))
    assert done.exit_code == 2
    assert all(name in done.output for name in ("--sumo", "--routes", "--detectors"))
    done = its("adapt", "--replay", str(tmp_path))
    assert done.exit_code == 2
    assert "decisions.jsonl" in done.output

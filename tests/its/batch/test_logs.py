"""The log, the metrics: what is in them, and what never is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from its.batch.logs import batch_log, clean_text
from its.batch.metrics import RunFigures, metrics_text, write_metrics
from its.store.runs import RunView
from network_data.errors import InputError


def test_a_line_is_json_with_its_time(tmp_path: Path) -> None:
    """Fields of the run stand in every line; lines of a second run go below."""
    path = tmp_path / "deep" / "log.jsonl"
    for n in range(2):
        with batch_log(path, to_stderr=False, project="City") as log:
            log.info("begin", n=n)
            log.warning("busy", reason="ein Größeres")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(x["event"], x["level"], x["project"]) for x in lines] == 2 * [
        ("begin", "info", "City"),
        ("busy", "warning", "City"),
    ]
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None


def test_no_secret_gets_into_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by the name of its field, nor in an address, nor after `password=`, however deep."""
    path = tmp_path / "log.jsonl"
    with batch_log(path, to_stderr=True) as log:
        log.info(
            "begin",
            password="hunter2",
            auth_key="hunter2",
            store="postgresql://its:hunter2@db/its",
            deep={"token": "hunter2", "list": ["connect failed: password=hunter2 host=db"]},
            states={"passed": 3},
        )
    text = path.read_text(encoding="utf-8") + capsys.readouterr().err
    assert "hunter2" not in text
    assert '"passed": 3' in text
    assert "host=db" in text
    assert clean_text("tcp://10.0.0.1:8786 lost") == "tcp://10.0.0.1:8786 lost"


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder in its place."""
    with pytest.raises(InputError, match="cannot be written"), batch_log(tmp_path, to_stderr=False):
        pass


DATA = {"gate": "data", "passed": True, "reason": "", "figures": {"good_days": 5, "measured": 0.9}}
HELD = {"gate": "held-out", "passed": False, "reason": "", "figures": {"gain": 0.01, "before_s_per_veh": 50.0,
        "after_s_per_veh": 49.5}}  # fmt: skip
VIEW = RunView(
    district='a "b"', key="k", outcome="stopped", reason="", plan_ids=("p",), gates=(), inputs={},
    summary={"days": {"weekday": {"data": DATA, "gates": [HELD]}, "sat": {"data": {**DATA, "passed": False}}}},
    at_utc=datetime(2026, 11, 23, 1, 0, tzinfo=UTC),
)  # fmt: skip
FIGURES = RunFigures(begin_s=100.0, end_s=160.0, code=3, states={"stopped": 1, "unchanged": 4}, cpu_s={'a "b"': 7.5})


def test_metrics_are_prometheus_text() -> None:
    """A strict reader finds every figure under its labels."""
    found = {}
    for family in text_string_to_metric_families(metrics_text("City", FIGURES, [VIEW]).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("project") == "City"
            found[sample.name, tuple(sorted(labels.values()))] = sample.value
    assert found["its_batch_last_run_duration_seconds", ()] == 60.0
    assert found["its_batch_last_run_exit_code", ()] == 3
    assert found["its_batch_last_run_districts", ("unchanged",)] == 4
    assert found["its_batch_district_state", ('a "b"', "stopped")] == 1
    assert found["its_batch_district_state", ('a "b"', "passed")] == 0
    assert found["its_batch_gate_passed", ('a "b"', "held-out", "weekday")] == 0
    assert found["its_batch_gate_passed", ('a "b"', "data", "sat")] == 0
    assert found["its_batch_gain_ratio", ('a "b"', "days held out", "weekday")] == 0.01
    assert found["its_batch_delay_seconds_per_vehicle", ('a "b"', "new", "weekday")] == 49.5
    assert found["its_batch_district_timestamp_seconds", ('a "b"',)] == VIEW.at_utc.timestamp()


def test_the_metrics_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written aside and renamed: a fault in writing leaves the old one, and no rest."""
    path = tmp_path / "its.prom"
    write_metrics(path, "City", FIGURES, [])
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_metrics(path, "City", FIGURES, [VIEW])
    assert path.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ["its.prom"]

"""`its plans` as people use it."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from network_data.formats.plan_json import dump_plan, plan_hash
from tests.its.jobs import its
from tests.its.store.databases import DOCUMENT, document


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two plans and an empty store."""
    monkeypatch.setenv("ITS_STORE", str(tmp_path / "store.db"))
    later = [{**DOCUMENT["controllers"][0], "offset_s": 20.0}]  # type: ignore[index, dict-item]
    (tmp_path / "old.json").write_bytes(dump_plan(document()))
    (tmp_path / "new.json").write_bytes(dump_plan({**document(1), "controllers": later}))
    return tmp_path


def added(place: Path, name: str = "old.json") -> str:
    """The id of a plan that was stored."""
    result = its("plans", "add", str(place / name), "--district", "north", "--zone", "Asia/Seoul")
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_from_storing_to_exporting(place: Path) -> None:
    """add, list, show, approve, reject, export: the plan's very bytes come out."""
    plan = added(place)
    assert plan == plan_hash(document())
    assert "stored" in its("plans", "list").stdout
    approved = its("plans", "approve", plan[:8], "--by", "Ann Lee", "--reason", "seen in the street")
    assert "is approved: approved by Ann Lee" in approved.stdout
    rejected = its("plans", "reject", plan[:8], "--by", "Bo")
    assert "is rejected: approved by Ann Lee; rejected by Bo" in rejected.stdout
    shown = json.loads(its("plans", "show", plan[:8], "--json").stdout)
    assert [r["kind"] for r in shown["records"]] == ["plan", "input", "input", "decision", "decision"]
    assert shown["records"][3]["reason"] == "seen in the street"
    assert "07:00–09:00 (Asia/Seoul)" in its("plans", "show", plan[:8]).stdout
    assert json.loads(its("plans", "list", "--district", "north", "--json").stdout)[0]["rejected_by"] == ["Bo"]
    out = place / "out" / "plan.json"
    assert its("plans", "export", plan[:8], "--out", str(out)).exit_code == 0
    assert out.read_bytes() == (place / "old.json").read_bytes()
    assert its("plans", "export", plan[:8], "--out", str(place / "plan.add.xml")).exit_code == 0
    assert 'id="J1"' in (place / "plan.add.xml").read_text(encoding="utf-8")


def test_what_differs(place: Path) -> None:
    """Between stored plans, or one stored and one in a file."""
    plan = added(place)
    for new in (str(place / "new.json"), added(place, "new.json")):
        rows = json.loads(its("plans", "diff", plan, new, "--json").stdout)
        assert rows == [{"signal": "J1", "what": "offset", "old": "5 s", "new": "20 s"}]
    assert "the plans do the same" in its("plans", "diff", plan, plan).stdout


def test_a_broken_chain_is_said(place: Path) -> None:
    """Exit code 3, and what was changed."""
    added(place)
    assert its("plans", "verify").exit_code == 0
    with sqlite3.connect(place / "store.db") as database:
        database.execute("DROP TRIGGER plans_no_update")
        database.execute("UPDATE plans SET district = 'south'")
    database.close()
    result = its("plans", "verify")
    assert result.exit_code == 3
    assert "its row was changed" in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("approve", "abcdef12", "--by", "Ann"), "no plan of id 'abcdef12'"),
        (("show", "north"), "is no plan id"),
        (("list", "--store", "postgresql://its:hunter2@127.0.0.1:1/x"), "carries a password"),
        (("list", "--store", "mysql://host/x"), "neither SQLite nor PostgreSQL|needs"),
        (("add", "nowhere.json", "--district", "n"), "nowhere.json"),
    ],
)
def test_faults_are_said_in_a_sentence(place: Path, words: tuple[str, ...], says: str) -> None:
    """No traceback, no password."""
    result = its("plans", *words)
    assert result.exit_code == 2, result.output
    assert re.search(says, result.output)
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


def test_export_says_what_it_can(place: Path) -> None:
    """CSV needs the network; other endings are refused."""
    plan = added(place)
    assert "give --network" in its("plans", "export", plan, "--out", str(place / "plan.csv")).output
    assert "unknown ending" in its("plans", "export", plan, "--out", str(place / "plan.pdf")).output


def test_a_plan_that_broke_rules_is_not_stored(tmp_path: Path) -> None:
    """check_plan stands before the store: what it did not pass stays outside."""
    path = tmp_path / "plan.json"
    path.write_bytes(dump_plan({**document(), "checks": [{"rule": "yellow", "passed": False, "warnings": []}]}))
    result = its("plans", "add", path, "--district", "north", "--store", tmp_path / "s.db")
    assert result.exit_code == 2
    assert "breaks the rules yellow; it is not stored" in result.output

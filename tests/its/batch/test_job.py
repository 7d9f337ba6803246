"""`its batch` as people use it, on the bundled example."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks._batch_districts import write_counts
from its.batch.work import Outcome
from its.store import Store
from its.store.leases import acquire, release
from its.store.runs import newest_runs
from network_data.errors import InputError, OutsideProgramError
from network_data.rules import Finding
from tests.its.batch.places import EASY, RECIPE, add_new_day, district, write_project
from tests.its.jobs import its


def told(folder: Path) -> dict[str, Any]:
    """The summary of the newest run, by district."""
    content = json.loads((folder / "its-batch" / "batch.json").read_text(encoding="utf-8"))
    return {one["district"]: one for one in content["districts"]}


def test_counts_become_a_stored_plan_once(place: Path, inline: list[str]) -> None:
    """New counts make a plan with its gates in the store; the same again does nothing and says so; a new day counts."""
    project = write_project(place)
    first = its("batch", project)
    assert first.exit_code == 0, first.output
    assert "1 passed" in first.output
    store = Store.open(str(place / "its-store.db"))
    (view,) = store.plans("centre")
    assert (view.days, view.begin_s, view.end_s, view.zone) == ("weekday", 25_200.0, 26_100.0, "Asia/Seoul")
    gates = {r.content["gate"]: r.content["passed"] for r in store.records(view.plan_id, kinds=["gate"])}
    assert gates == dict.fromkeys(("data", "rules", "change", "gain", "held-out", "transitions", "sumo"), True)
    document = store.document(view.plan_id)
    assert set(document["inputs"]) >= {"network", "detectors", "field", "counts/counts/2026-11-02.csv"}
    head = store.head()

    again = its("batch", project)
    assert again.exit_code == 0
    assert "nothing has changed since" in again.output
    assert told(place)["centre"]["state"] == "unchanged"
    assert inline == ["centre"]
    assert store.head() == head

    name = add_new_day(place)
    its("batch", project)
    assert inline == ["centre", "centre"]
    assert told(place)["centre"]["days"]["weekday"]["data"]["figures"]["days"] == 4
    assert f"counts/counts/{name}" in told(place)["centre"]["inputs"]
    assert len(newest_runs(store)) == 1
    assert store.faults() == []
    store.close()


def test_touching_a_file_changes_nothing_but_a_setting_does(place: Path, inline: list[str]) -> None:
    """Contents count, not times; a change of the district's gates is a change."""
    project = write_project(place)
    its("batch", project)
    for path in (place / "counts").iterdir():
        path.touch()
    its("batch", project)
    assert inline == ["centre"]
    write_project(place, gates=f"{EASY}\nsound_share = 0.69")
    its("batch", project)
    assert inline == ["centre", "centre"]


@pytest.mark.parametrize(
    ("limit", "gate"),
    [
        ("days = 9", "data"),
        ("sound_share = 1.0\nmeasured_share = 1.0", "data"),
        ("gain = 0.9", "gain"),
        ("held_out_gain = 0.9", "held-out"),
        ("changed_share = 0.0", "change"),
        ("", "transitions"),
        ("sumo = 'require'", "sumo"),
    ],
)
def test_every_gate_stops(
    place: Path, inline: list[str], monkeypatch: pytest.MonkeyPatch, limit: str, gate: str
) -> None:
    """A limit that cannot be met stops the plan at its gate; the reason is in the store, and the exit code is 3."""
    monkeypatch.setattr("its.batch.task.sumo_version", _no_sumo)
    if gate == "transitions":
        monkeypatch.setattr("its.batch.judge.Trial.transition_loss", lambda _: (1e9, 4, ""))
    own = "\n".join(x for x in EASY.splitlines() if f"{x.split(' ')[0]} =" not in limit)
    if "sound_share" in limit:
        path = next((place / "counts").iterdir())
        path.write_text(path.read_text(encoding="utf-8").rsplit("\n", 2)[0] + "\n", encoding="utf-8")
    result = its(
        "batch", write_project(place, gates=f"{own}\n{limit}".replace("days = 9", ""), days=9 if "days" in limit else 2)
    )
    assert result.exit_code == 3, result.output
    store = Store.open(str(place / "its-store.db"))
    run = newest_runs(store)["centre"]
    assert run.outcome == "stopped"
    assert f"{gate}: " in run.reason
    for view in store.plans("centre"):
        assert view.gates_failed == (gate,)
        with pytest.raises(InputError, match="give a reason to approve it"):
            store.decide(view.plan_id, "approve", person="Kim")
    assert bool(store.plans("centre")) == (gate != "data")
    store.close()


def _no_sumo() -> str:
    raise OutsideProgramError("SUMO is not installed")


def test_a_plan_that_breaks_a_rule_is_never_stored(
    place: Path, inline: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """check_plan stands before the store: the run tells why, the plan is not there."""
    finding = Finding(
        rule="yellow", severity="error", controller="1.1", where="", value=None, limit=None, text="yellow of 0 s"
    )
    monkeypatch.setattr("its.batch.work.check_plan", lambda *_, **__: [finding])
    result = its("batch", write_project(place))
    assert result.exit_code == 3
    store = Store.open(str(place / "its-store.db"))
    assert store.plans() == []
    assert "rules: 1.1: yellow of 0 s" in newest_runs(store)["centre"].reason
    store.close()


def test_faults_of_one_district_leave_the_others(place: Path, inline: list[str]) -> None:
    """A district without counts fails, the other passes, exit code 2; the failure is tried again, and stored once."""
    project = write_project(place, ["", district("north", counts="nothing/*.csv")])
    assert its("batch", project).exit_code == 2
    assert {d: x["state"] for d, x in told(place).items()} == {"centre": "passed", "north": "failed"}
    assert "stand for no file" in told(place)["north"]["reason"]
    store = Store.open(str(place / "its-store.db"))
    before = store.head()
    assert its("batch", project).exit_code == 2
    assert store.head() == before
    assert its("batch", project, "--district", "centre").exit_code == 0
    store.close()


def test_a_second_run_is_refused_or_waits(place: Path, inline: list[str]) -> None:
    """Whoever comes second is told who works, with exit code 5; another district is free; waiting helps."""
    project = write_project(place, ["", district("north")])
    store = Store.open(str(place / "its-store.db"))
    lease = acquire(store, ["batch centre"], holder="kim@other-host pid 7", lasts_s=60)
    result = its("batch", project, "--district", "centre")
    assert result.exit_code == 5
    assert "kim@other-host pid 7" in result.output
    assert inline == []
    assert its("batch", project, "--district", "north").exit_code == 0
    release(store, lease)
    acquire(store, ["batch centre"], holder="sleeper", lasts_s=0.5)
    assert its("batch", project, "--district", "centre", "--wait", "10").exit_code == 0
    acquire(store, ["batch centre"], holder="next", lasts_s=60)  # the run gave its lease back
    store.close()


def test_who_lost_the_lease_stores_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that slept past its lease while another began leaves the store to that one."""
    project = write_project(place, head="[cluster]\nlease_s = 600.0")
    store = Store.open(str(place / "its-store.db"))

    def slept(tasks: Any, **_: Any) -> Any:
        with store.writing() as session:
            session.execute(text("UPDATE leases SET token = 'other', holder = 'other'"))
        for task in tasks:
            yield Outcome(district=task.district, key=task.key, state="passed", reason="fine")

    monkeypatch.setattr("its.batch.job.run_local", slept)
    assert its("batch", project).exit_code == 4
    assert "took it over" in told(place)["centre"]["reason"]
    assert newest_runs(store) == {}
    store.close()


def test_log_metrics_and_summaries_are_written(place: Path, inline: list[str]) -> None:
    """JSON lines with district, gates and exit code; a text file for Prometheus; a file per district."""
    its("batch", write_project(place), "--metrics", place / "node" / "its.prom", "--log", place / "log.jsonl")
    lines = [json.loads(line) for line in (place / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["begin", "to do", "district", "end"]
    assert lines[2]["gates"]["weekday"]["held-out"] is True
    assert lines[3]["exit_code"] == 0
    text = (place / "node" / "its.prom").read_text(encoding="utf-8")
    assert 'its_batch_district_state{district="centre",project="Test",state="passed"} 1.0' in text
    assert 'its_batch_gate_passed{days="weekday",district="centre",gate="gain",project="Test"} 1.0' in text
    assert sorted(p.name for p in (place / "node").iterdir()) == ["its.prom"]
    summary = json.loads((place / "its-batch" / "districts" / "centre.json").read_text(encoding="utf-8"))
    assert summary["state"] == "passed"
    assert summary["plans"]


def test_a_bad_project_file_is_refused_with_all_its_faults(place: Path) -> None:
    """Faults of the file and of the settings and targets it names; exit code 2, nothing is made."""
    (place / "settings.toml").write_text("[limits]\ncycle_mins_s = 3\n", encoding="utf-8")
    project = write_project(place, [district("centre", "targets = 'settings.toml'\nsettings = 'settings.toml'")])
    result = its("batch", project)
    assert result.exit_code == 2
    assert "cycle_mins_s" in result.output
    assert "controller: Field required" in result.output
    assert its("batch", project, "--district", "center").exit_code == 2
    assert "did you mean 'centre'?" in its("batch", project, "--district", "center").output
    assert not (place / "its-store.db").exists()


def test_the_batch_needs_its_extras(place: Path) -> None:
    """Without structlog the command says what to install; in a process of its own, where nothing is imported yet."""
    code = "import sys; sys.modules['structlog'] = None; from its.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "batch", str(write_project(place))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "its-signals[batch]" in done.stderr


@pytest.mark.slow
def test_the_planner_of_days_plans_a_day(place: Path, inline: list[str]) -> None:
    """Schedule `day`: as many plans as it takes, each with its hours in the store, all gates together."""
    recipe = replace(RECIPE, minutes=120)
    write_counts(place, recipe, 3, seed=5)
    project = write_project(place, schedule="type = 'day'\nbegin = '07:00'\nend = '09:00'")
    result = its("batch", project)
    assert result.exit_code in (0, 3), result.output
    summary = told(place)["centre"]["days"]["weekday"]
    assert {gate["gate"] for gate in summary["gates"]} & {"gain", "transitions"}
    store = Store.open(str(place / "its-store.db"))
    views = store.plans("centre")
    assert sorted((v.begin_s, v.end_s) for v in views) == [(p["begin_s"], p["end_s"]) for p in summary.get("plans", [])]
    assert all(25_200 <= v.begin_s < v.end_s <= 32_400 for v in views)
    store.close()


@pytest.mark.slow
def test_two_runs_at_the_same_time(place: Path) -> None:
    """Two processes on one project: one works, the other is refused; the store has one plan."""
    project = write_project(place)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "its", "batch", str(project), "--out", str(place / f"out{n}")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(2)
    ]  # fmt: skip
    said = [run.communicate(timeout=300) for run in runs]
    ends = [run.returncode for run in runs]
    assert sorted(ends) in ([0, 5], [0, 0]), said  # the later one may come when all is done
    store = Store.open(str(place / "its-store.db"))
    assert len(store.plans()) == 1
    assert len(store.records(kinds=["run"])) == 1
    store.close()

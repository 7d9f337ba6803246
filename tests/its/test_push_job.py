"""`its push` as people use it, against real agents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _push_wire as wire
from benchmarks._push_agents import SECRETS, SYS_NAME, Agent, cells_of, free_ports, wait_until_up
from benchmarks._push_street import plan_of
from its.push import objects as o
from its.push.journal import Journal
from its.store import Store
from network_data.formats.plan_json import dump_plan
from network_data.plans import ControllerPlan
from tests.its.jobs import its
from tests.its.push.conftest import need_snmpd
from tests.its.store.databases import document

DEFAULT = "watch_s = 0.0\nclock_s = 5.0\nsettle_s = 0.05\ntimeout_s = 0.3\nattempts = 3\npatience_s = 0.5\n"


def controller_json(plan: ControllerPlan) -> dict[str, Any]:
    """A controller of a plan document."""
    phases = [
        {
            "name": p.name, "movements": [], "permitted": [], "crossings": [], "green_s": p.green_s,
            "yellow_s": p.yellow_s, "red_clearance_s": p.red_clearance_s, "min_green_s": p.min_green_s,
            "max_green_s": p.max_green_s,
        }
        for p in plan.barrier_groups[0].rings[0]
    ]  # fmt: skip
    return {
        "id": plan.controller_id,
        "cycle_s": plan.cycle_s,
        "offset_s": plan.offset_s,
        "barrier_groups": [{"rings": [phases]}],
        "intervals": [{"duration_s": i.duration_s, "state": i.state} for i in plan.intervals],
        "green_windows": [],
    }


@dataclass
class Place:
    """Agents, a targets file, a store with a plan."""

    folder: Path
    agents: list[Agent]
    plan: str = ""

    def targets(self, default: str = DEFAULT, *, head: str = "", **more: str) -> str:
        """A targets file for the agents."""
        lines = [head, "[order]", "requests_per_s = 1000.0", "[profile.default]", default]
        for agent in self.agents:
            lines += [
                "[[controller]]", f'id = "{agent.name}"', f'address = "{agent.address}"', 'user = "pusher"',
                'secret = "field"', f'identity = {{ "{SYS_NAME}" = "{more.get("named", agent.name)}" }}',
                *(f"{what} = {more.get('rows', '[2, 3]')}" for what in ("patterns", "splits")), "coordinated = [1]",
                more.get("extra", ""),
            ]  # fmt: skip
        path = self.folder / "targets.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Agent]]:
    """Two controllers of our reading behind snmpd."""
    need_snmpd()
    folder = tmp_path_factory.mktemp("agents")
    made = [Agent(n, p, folder / n, cells_of(plan_of(n, 0))) for n, p in zip(("J1", "J2"), free_ports(2), strict=True)]
    for agent in made:
        agent.start()
    wait_until_up(made)
    yield made
    for agent in made:
        agent.stop()


@pytest.fixture
def place(agents: list[Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A plan stored for district north, not yet approved; the controllers run their pattern 1."""
    for name, value in {**SECRETS, "ITS_STORE": str(tmp_path / "s.db"), "ITS_JOURNAL": str(tmp_path / "j")}.items():
        monkeypatch.setenv(name, value)
    for agent in agents:
        wire.ask(agent.port, wire.SET, [(o.SYSTEM_PATTERN, 0)])
    controllers = [controller_json(plan_of(name, 3)) for name in ("J1", "J2")]
    (tmp_path / "plan.json").write_bytes(dump_plan({**document(), "controllers": controllers}))
    result = its("plans", "add", str(tmp_path / "plan.json"), "--district", "north")
    assert result.exit_code == 0, result.output
    return Place(tmp_path, agents, result.stdout.strip())


def running(place: Place) -> list[int]:
    """The pattern each controller runs."""
    return [int(wire.read(agent.port, [o.PATTERN_STATUS])[o.PATTERN_STATUS]) for agent in place.agents]


def test_from_dry_run_to_the_street(place: Place) -> None:
    """Objects are shown, approval is needed, the push is verified and recorded, a second one has to wait."""
    targets = place.targets()
    dry = its("push", place.plan[:8], "--to", targets)
    assert dry.exit_code == 0, dry.output
    for words in (
        "splitTime.2.1",
        "1.3.6.1.4.1.1206.4.2.1.4.9.1.3.2.1",
        "systemPatternControl.0",
        "dry run, nothing was",
    ):
        assert words in dry.stdout
    assert "needs the approval of 1 named persons" in dry.stdout
    assert running(place) == [1, 1]
    assert not (place.folder / "j").exists()

    refused = its("push", place.plan[:8], "--to", targets, "--execute", "--unchecked")
    assert refused.exit_code == 3
    assert "needs the approval" in refused.stdout
    assert running(place) == [1, 1]

    its("plans", "approve", place.plan, "--by", "Ann")
    pushed = its("push", "north", "--to", targets, "--execute", "--unchecked")
    assert pushed.exit_code == 0, pushed.output
    assert "2 new" in pushed.stdout
    assert "INSECURE" not in pushed.stdout
    assert running(place) == [2, 2]

    again = its("push", place.plan, "--to", targets, "--execute", "--unchecked")
    assert again.exit_code == 3
    assert "not again before" in again.stdout

    store = Store.open(str(place.folder / "s.db"))
    assert store.faults() == []
    assert store.unfinished_pushes() == {}
    read_backs = store.records(kinds=["read-back"])
    assert [r.content["matches"] for r in read_backs] == [True, True]
    states = [(r.content["controller"], r.content["state"]) for r in store.records(kinds=["push"])]
    assert states == [
        ("J1", "begun"), ("J1", "switching"), ("J1", "new"), ("J2", "begun"), ("J2", "switching"), ("J2", "new"),
    ]  # fmt: skip
    store.close()


@pytest.mark.parametrize("version", ["2c", pytest.param("1", marks=pytest.mark.slow)])
def test_versions_without_protection_are_marked_everywhere(place: Place, version: str) -> None:
    """v1 and v2c go only with `insecure = true`; dry run, push, JSON and store all say so."""
    targets = place.targets(DEFAULT + f'version = "{version}"\n')
    assert "say insecure = true" in its("push", place.plan, "--to", targets).output
    targets = place.targets(DEFAULT + f'version = "{version}"\ninsecure = true\n')
    its("plans", "approve", place.plan, "--by", "Ann")
    mark = f"SNMP version {version}: neither encrypted nor signed"
    assert its("push", place.plan, "--to", targets).stdout.count(f"INSECURE: {mark}") == 2
    result = its("push", place.plan, "--to", targets, "--execute", "--unchecked", "--json")
    content = json.loads(result.stdout)
    assert {c["insecure"] for c in content["controllers"]} == {mark}
    assert {c["state"] for c in content["controllers"]} == {"new"}
    shown = its("plans", "show", place.plan).stdout
    assert mark in shown


def test_the_two_person_rule(place: Place) -> None:
    """Where the targets ask for two, one is not enough, and one person twice neither."""
    targets = place.targets(head="[approval]\npersons = 2")
    for by in ("Ann", "ann"):
        its("plans", "approve", place.plan, "--by", by)
    result = its("push", place.plan, "--to", targets, "--execute", "--unchecked")
    assert result.exit_code == 3
    assert "needs the approval of 2 named persons, has 1" in result.stdout
    assert its("push", "north", "--to", targets, "--execute", "--unchecked").exit_code == 2
    its("plans", "approve", place.plan, "--by", "Bo")
    assert its("push", "north", "--to", targets, "--execute", "--unchecked").exit_code == 0


def test_a_project_may_do_without_approval_but_not_against_a_rejection(place: Place) -> None:
    """`persons = 0`."""
    targets = place.targets(head="[approval]\npersons = 0")
    its("plans", "reject", place.plan, "--by", "Bo")
    assert "was rejected by Bo" in its("push", place.plan, "--to", targets, "--execute", "--unchecked").stdout
    its("plans", "approve", place.plan, "--by", "Bo")
    assert its("push", place.plan, "--to", targets, "--execute", "--unchecked").exit_code == 0


def test_the_wrong_intersection(place: Place) -> None:
    """The canary is another controller: nothing is written, the second one is not begun, exit code 4."""
    its("plans", "approve", place.plan, "--by", "Ann")
    result = its("push", place.plan, "--to", place.targets(named="J1"), "--corridor", "J2", "--execute", "--unchecked")
    assert result.exit_code == 4, result.output
    assert "is another one: 1.3.6.1.2.1.1.5.0 reads 'J2', expected 'J1'" in result.stdout
    result = its("push", place.plan, "--to", place.targets(named="J9"), "--execute", "--unchecked")
    assert "1 old, 1 not begun" in result.stdout
    assert running(place) == [1, 1]


def test_a_dead_canary_stops_the_push(place: Place) -> None:
    """The second corridor is not begun."""
    its("plans", "approve", place.plan, "--by", "Ann")
    place.agents[0].freeze()
    try:
        result = its("push", place.plan, "--to", place.targets(), "--execute", "--unchecked")
    finally:
        place.agents[0].thaw()
    assert result.exit_code == 4
    assert "1 old, 1 not begun" in result.stdout
    assert running(place) == [1, 1]


def test_a_killed_push_is_ended_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next push brings the open journal to its end, tells the store, and only then asks whether it may begin."""
    its("plans", "approve", place.plan, "--by", "Ann")

    class Killed(BaseException):
        pass

    note = Journal.note

    def killed(journal: Journal, step: str, *names: Any, **data: Any) -> None:
        note(journal, step, *names, **data)
        if step == "switched":
            raise Killed

    targets = place.targets()
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note", killed)
        with pytest.raises(Killed):
            its("push", place.plan, "--to", targets, "--execute", "--unchecked")
    assert running(place) == [2, 1]
    result = its("push", place.plan, "--to", targets, "--execute", "--unchecked")
    assert re.search(r"^J1 .* new", result.stdout, re.MULTILINE), "it had been switched and read back: it stays"
    assert "not again before" in result.stdout
    store = Store.open(str(place.folder / "s.db"))
    assert store.unfinished_pushes() == {}
    store.close()


def test_a_store_that_was_not_told_is_told_later(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal knows the end of a push that the store missed."""
    from its import push_job

    its("plans", "approve", place.plan, "--by", "Ann")
    targets = place.targets()
    with monkeypatch.context() as patch:
        patch.setattr(push_job, "_record", lambda *_: None)
        assert its("push", place.plan, "--to", targets, "--execute", "--unchecked").exit_code == 0
    store = Store.open(str(place.folder / "s.db"))
    assert set(store.unfinished_pushes()) == {"J1", "J2"}
    its("push", place.plan, "--to", targets, "--execute", "--unchecked")
    assert store.unfinished_pushes() == {}
    assert "told late" in store.records(kinds=["push"])[-1].content["text"]
    store.close()


def test_a_push_elsewhere_that_has_not_ended(place: Place) -> None:
    """Another machine's push, known from the store alone, keeps this one from beginning."""
    its("plans", "approve", place.plan, "--by", "Ann")
    store = Store.open(str(place.folder / "s.db"), actor="its@other-host")
    store.add_push(place.plan, push_id="p7", controller="J2", state="begun")
    store.close()
    result = its("push", place.plan, "--to", place.targets(), "--execute", "--unchecked")
    assert result.exit_code == 3
    assert "push p7 by its@other-host has not ended" in result.stdout


@pytest.mark.parametrize("change", [{"checks": [{"rule": "walk", "passed": False, "warnings": []}]}, {}])
def test_what_is_never_pushed(place: Place, change: dict[str, Any]) -> None:
    """Plans that break a rule do not get into the store, and plans that are not there are not pushed."""
    path = place.folder / "other.json"
    content = {**json.loads((place.folder / "plan.json").read_text(encoding="utf-8")), "seed": 99, **change}
    path.write_bytes(dump_plan(content))
    if change:
        added = its("plans", "add", str(path), "--district", "north")
        assert added.exit_code == 2
        assert "walk" in added.output
    result = its("push", str(path), "--to", place.targets(), "--execute", "--unchecked")
    assert result.exit_code == 2
    assert re.search("the store has no plan|no plan of id", result.output), result.output


def test_several_periods_need_a_plan_by_name(place: Place) -> None:
    """A district with approved plans for two periods: both are named."""
    path = place.folder / "evening.json"
    content = json.loads((place.folder / "plan.json").read_text(encoding="utf-8"))
    path.write_bytes(dump_plan({**content, "period": {"begin_s": 57600.0, "end_s": 64800.0, "days": "weekday"}}))
    other = its("plans", "add", str(path), "--district", "north").stdout.strip()
    for plan in (place.plan, other):
        its("plans", "approve", plan, "--by", "Ann")
    result = its("push", "north", "--to", place.targets())
    assert result.exit_code == 2
    assert place.plan[:8] in result.output
    assert other[:8] in result.output


@pytest.mark.slow
def test_an_action_of_another_time_of_day_is_no_change_of_pattern(place: Place) -> None:
    """The evening's action is not in force: its push neither waits for the morning's nor keeps it waiting."""
    its("plans", "approve", place.plan, "--by", "Ann")
    evening = place.targets(DEFAULT + 'command = "action"\n', extra="actions = [2]")
    for _ in range(2):
        result = its("push", place.plan, "--to", evening, "--execute", "--unchecked")
        assert result.exit_code == 0, result.output
    assert running(place) == [1, 1]
    assert [wire.read(a.port, [f"{o.ACTION_PATTERN}.2"])[f"{o.ACTION_PATTERN}.2"] for a in place.agents] == [3, 3]
    morning = place.targets(DEFAULT + 'command = "action"\n', extra="actions = [1]", rows="[2, 4]")
    assert its("push", place.plan, "--to", morning, "--execute", "--unchecked").exit_code == 0
    assert running(place) == [2, 2]
    again = its("push", place.plan, "--to", morning, "--execute", "--unchecked")
    assert again.exit_code == 3
    assert "not again before" in again.stdout
    for agent in place.agents:
        wire.ask(agent.port, wire.SET, [(f"{o.ACTION_PATTERN}.1", 1), (f"{o.ACTION_PATTERN}.2", 0)])

"""`check_plan` around the push: before anything is sent, and on what was read back; and the whole way from counts."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from its.push import objects as o
from its.push.driver import Change, RefusedError
from its.push.street import Street, plan_read, refuse_broken, refuse_read
from its.push.targets import Profile, Target
from its.push.timing import timing_of
from its.store import Store
from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.rings import phases_of, starting_at_stage
from network_data.settings import Settings
from tests.its.jobs import its

SIGNAL = "M6"
FILE = Profile(driver="file")


@pytest.fixture
def street(district: RoadNetwork, district_field: TimingPlan) -> Street:
    """The bundled district under its field programs."""
    return Street(network=district, field=district_field, settings=Settings(), warrants={})


def phased(street: Street) -> ControllerPlan:
    """A field program with its phases."""
    controller = street.network.controllers[SIGNAL]
    begun = starting_at_stage(street.field.controllers[SIGNAL], controller)
    return replace(begun, barrier_groups=phases_of(controller, street.network, begun), min_durations_s=())


def change_of(place: dict[str, Any], row: dict[str, int | str]) -> Change:
    """A change of which only place and row matter."""
    return Change(controller_id=SIGNAL, place=place, row=row, switch={}, old_row={}, old_switch={})


def no_yellow(plan: ControllerPlan) -> tuple[Interval, ...]:
    """The plan's intervals, the first yellow one second shorter, the green before it longer."""
    rows = list(plan.intervals)
    n = next(n for n, row in enumerate(rows) if set(row.state) & set("yY"))
    rows[n - 1] = rows[n - 1]._replace(duration_s=rows[n - 1].duration_s + 1)
    rows[n] = rows[n]._replace(duration_s=rows[n].duration_s - 1)
    return tuple(rows)


def test_a_plan_that_breaks_a_rule_is_not_pushed(street: Street) -> None:
    """The field's own programs pass; a yellow shorter by a second does not."""
    refuse_broken(street, street.field, "plan")
    plan = phased(street)
    bad = replace(plan, intervals=no_yellow(plan), barrier_groups=())
    with pytest.raises(PlanError, match=f"{SIGNAL}: yellow"):
        refuse_broken(street, TimingPlan(controllers={**street.field.controllers, SIGNAL: bad}), "plan")


def test_what_a_drop_reads_as_is_judged(street: Street) -> None:
    """Intervals of the file make the plan; broken rules and broken JSON are refused."""
    plan, target = phased(street), Target(id=SIGNAL, address="drop", secret="x")
    change = change_of({"slot": "a"}, {"a/plan.json": ""})

    def read(rows: tuple[Interval, ...]) -> dict[str, int | str]:
        content = {"offset_s": plan.offset_s, "intervals": [{"duration_s": s, "state": x} for s, x in rows]}
        return {"a/plan.json": json.dumps(content)}

    refuse_read(street, plan, change, read(plan.intervals), target, FILE)
    assert plan_read(plan, change, read(plan.intervals), target, FILE) == plan
    with pytest.raises(RefusedError, match="what was read back breaks the rules: .*yellow"):
        refuse_read(street, plan, change, read(no_yellow(plan)), target, FILE)
    with pytest.raises(RefusedError, match="makes no plan"):
        refuse_read(street, plan, change, {"a/plan.json": "{"}, target, FILE)
    with pytest.raises(RefusedError, match="makes no plan"):
        refuse_read(street, plan, change, {}, target, FILE)


def test_what_a_simulation_reads_as_is_judged(street: Street) -> None:
    """Rows of SUMO's program."""
    plan, target = phased(street), Target(id=SIGNAL, address="localhost:1")
    change, profile = change_of({"offset_s": 0}, {"its-1": ""}), Profile(driver="sumo")
    refuse_read(
        street, plan, change, {"its-1": json.dumps([[i.duration_s, i.state] for i in plan.intervals])}, target, profile
    )
    bad = json.dumps([[i.duration_s, i.state] for i in no_yellow(plan)])
    with pytest.raises(RefusedError, match="breaks the rules"):
        refuse_read(street, plan, change, {"its-1": bad}, target, profile)


def test_what_a_controller_reads_as_is_judged(street: Street) -> None:
    """Cycle, offset and splits off the wire make the plan; a split too short for its green is refused."""
    plan, profile = phased(street), Profile()
    target = Target.model_validate({"id": SIGNAL, "address": "h:1", "coordinated": (1,)})
    sent = timing_of(plan, target, profile)
    cells: dict[str, int | str] = {f"{o.PATTERN}.2.3": sent.cycle_s, f"{o.PATTERN}.3.3": sent.offset_s}
    cells |= {f"{o.SPLIT}.3.4.{phase}": split for phase, split in sent.splits_s.items()}
    change = change_of({"pattern": 3, "split": 4, "actions": []}, cells)
    refuse_read(street, plan, change, cells, target, profile)
    assert plan_read(plan, change, cells, target, profile).intervals == plan.intervals
    first, second = list(sent.splits_s)[:2]
    short = sent.splits_s[first] - 8
    cells |= {f"{o.SPLIT}.3.4.{first}": 8, f"{o.SPLIT}.3.4.{second}": sent.splits_s[second] + short}
    with pytest.raises(RefusedError, match="breaks the rules"):
        refuse_read(street, plan, change, cells, target, profile)


@pytest.mark.slow
def test_from_counts_to_the_controllers_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project says all: batch, approval, push with its rules checked; the next batch starts from what runs then."""
    from tests.its.batch.places import make_place, write_project

    make_place(tmp_path)
    monkeypatch.setenv("ITS_SECRET_SIGNER_KEY", base64.b64encode(bytes(range(32))).decode())
    monkeypatch.setenv("ITS_JOURNAL", str(tmp_path / "journal"))
    signals = ("1.1", "2.1")
    for name in signals:
        (tmp_path / "drop" / name).mkdir(parents=True)
        (tmp_path / "drop" / name / "controller.id").write_text(f"{name}\n", encoding="utf-8")
    lines = ["[profile.default]", "driver = 'file'", "settle_s = 0.0", "formats = ['json', 'csv']"]
    for name in signals:
        lines += ["[[controller]]", f"id = '{name}'", f"address = '{tmp_path / 'drop'}'", "secret = 'signer'"]
    (tmp_path / "targets.toml").write_text("\n".join(lines), encoding="utf-8")
    project = write_project(tmp_path)
    text = project.read_text(encoding="utf-8").replace("field = ", "targets = 'targets.toml'\nfield = ")
    project.write_text(text, encoding="utf-8")

    made = its("batch", project)
    assert made.exit_code == 0, made.output
    store = Store.open(str(tmp_path / "its-store.db"))
    (view,) = store.plans("centre")
    store.decide(view.plan_id, "approve", person="Kim Min-ji")
    assert (
        "not yet: check_plan was not run again"
        in its("push", "centre", "--to", tmp_path / "targets.toml", "--store", tmp_path / "its-store.db").stdout
    )
    pushed = its("push", "centre", "--project", project, "--execute")
    assert pushed.exit_code == 0, pushed.output
    assert "NOT CHECKED" not in pushed.output
    assert (tmp_path / "drop" / "1.1" / "active").is_file()

    again = its("batch", project)
    assert again.exit_code == 3, again.output
    assert "nothing better than what runs now was found" in again.output or "gain: " in again.output
    store.close()


def test_a_project_without_targets_says_so(tmp_path: Path) -> None:
    """Without --to the district must name its targets; without a project --to is needed."""
    from tests.its.batch.places import district as block
    from tests.its.batch.places import write_project
    from tests.its.store.databases import document

    for name in ("network.net.xml", "detectors.csv", "field.add.xml"):
        (tmp_path / name).touch()
    store = Store.open(str(tmp_path / "its-store.db"))
    plan_id = store.add_plan(document(), district="centre")
    store.close()
    project = write_project(tmp_path, [block("centre")])
    for what in ("centre", plan_id[:8]):
        result = its("push", what, "--project", project)
        assert result.exit_code == 2
        assert "district 'centre' names no targets" in result.output
    assert "--to: is not given" in its("push", "centre", "--store", tmp_path / "its-store.db").output

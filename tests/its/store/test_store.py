"""The plan store on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from its.store import Store
from its.store.chain import GENESIS
from its.store.models import TYPED
from its.store.runs import RunRecord, record_run
from network_data.errors import InputError
from network_data.formats.plan_json import dump_plan, plan_hash
from tests.its.store.databases import document


def filled(store: Store) -> str:
    """A plan with one record of each kind."""
    plan_id = store.add_plan(document(), district="north", zone="Asia/Seoul")
    store.add_gate(plan_id, "data", passed=True, reason="97 % good counts", figures={"good_pct": 97.0})
    store.decide(plan_id, "approve", person="Kim Min-ji", reason="seen in the street")
    store.add_push(plan_id, push_id="p1", controller="J1", state="begun")
    store.add_read_back(plan_id, push_id="p1", controller="J1", cells={"1.2.3": 4}, matches=True)
    store.add_push(plan_id, push_id="p1", controller="J1", state="new")
    store.add_measurement(plan_id, source="SUMO", name="delay", value=21.5, unit="s/veh")
    return plan_id


def test_every_kind_of_record_comes_back(store: Store) -> None:
    """What was added is told again, in order, each record with the hash of the one before."""
    plan_id = filled(store)
    records = store.records(plan_id)
    assert {r.kind for r in records} == set(TYPED) - {"run"}  # a run belongs to a district, not to a plan
    assert [r.seq for r in records] == list(range(1, 10))
    assert records[3].content["reason"] == "97 % good counts"
    assert json.loads(records[3].content["figures"]) == {"good_pct": 97.0}
    assert {r.content["name"] for r in store.records(kinds=["input"])} == {"counts", "network"}
    assert store.faults() == []
    assert store.head() == (9, records[-1].hash)


def test_a_plan_is_kept_byte_by_byte(store: Store) -> None:
    """The bytes hash to the id; storing it twice changes nothing, another district is refused."""
    plan_id = store.add_plan(document(), district="north")
    assert plan_id == plan_hash(document())
    assert store.document_bytes(plan_id) == dump_plan(document())
    assert store.add_plan(document(), district="north") == plan_id
    assert len(store.records(kinds=["plan"])) == 1
    with pytest.raises(InputError, match="stored for district 'north'"):
        store.add_plan(document(), district="south")


def test_plans_are_found_by_the_begin_of_their_id(store: Store) -> None:
    """Six digits do, `its-` may stand before; nothing found and nonsense are told apart."""
    plan_id = store.add_plan(document(), district="north")
    assert store.plan_id(plan_id[:6]) == store.plan_id(f"its-{plan_id[:8]}") == plan_id
    with pytest.raises(InputError, match="no plan of id"):
        store.plan_id("0123456789")
    with pytest.raises(InputError, match="is no plan id"):
        store.plan_id("north")


def test_people_approve_and_reject(store: Store) -> None:
    """The latest word of each person counts; one rejection outweighs approvals; spelling variants are one person."""
    plan_id = store.add_plan(document(), district="north")
    assert store.plan(plan_id).state == "stored"
    store.decide(plan_id, "approve", person="Ann Lee")
    store.decide(plan_id, "approve", person="  ann   LEE ")
    assert len(store.plan(plan_id).approved_by) == 1
    store.decide(plan_id, "reject", person="Bo")
    assert store.plan(plan_id).state == "rejected"
    store.decide(plan_id, "approve", person="Bo")
    view = store.plan(plan_id)
    assert view.state == "approved"
    assert len(view.approved_by) == 2
    with pytest.raises(InputError, match="has no name"):
        store.decide(plan_id, "approve", person=" ")


def test_a_plan_that_a_gate_stopped_is_approved_only_with_a_reason(store: Store) -> None:
    """Overriding a gate leaves its reason behind; a later passing result of the gate counts."""
    plan_id = store.add_plan(document(), district="north")
    store.add_gate(plan_id, "gain", passed=False, reason="1 % is too little")
    with pytest.raises(InputError, match="stopped at gain"):
        store.decide(plan_id, "approve", person="Ann")
    store.decide(plan_id, "approve", person="Ann", reason="road works begin on Monday")
    assert store.plan(plan_id).gates_failed == ("gain",)
    store.add_gate(plan_id, "gain", passed=True, reason="5 % on the held-out days")
    assert store.plan(plan_id).gates_failed == ()


def test_the_newest_approved_plan_of_each_period_is_found(store: Store) -> None:
    """A plan that awaits approval, or a second one, does not count."""
    first = store.add_plan(document(1), district="north")
    second = store.add_plan(document(2), district="north")
    third = store.add_plan(document(3), district="north")
    for plan_id in (first, second):
        store.decide(plan_id, "approve", person="Ann")
    assert [v.plan_id for v in store.newest_approved("north")] == [second]
    assert store.newest_approved("north", approvals=2) == []
    store.decide(first, "approve", person="Bo")
    assert [v.plan_id for v in store.newest_approved("north", approvals=2)] == [first]
    assert [v.plan_id for v in store.plans()] == [third, second, first]


def test_pushes_tell_what_is_unfinished(store: Store) -> None:
    """A push that has begun, or ended unknown, is unfinished until a controller's state is known."""
    plan_id = store.add_plan(document(), district="north")
    store.add_push(plan_id, push_id="p1", controller="J1", state="begun")
    store.add_push(plan_id, push_id="p1", controller="J2", state="unknown")
    assert store.unfinished_pushes() == {"J1": ("p1", "tester"), "J2": ("p1", "tester")}
    store.add_push(plan_id, push_id="p1", controller="J1", state="new")
    assert store.unfinished_pushes() == {"J2": ("p1", "tester")}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))])
def test_moments_are_utc_inside(where: str, zone: timezone) -> None:
    """Whatever zone the clock has, the same moment comes back in UTC."""
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    store = Store.open(where, actor="t", clock=lambda: moment.astimezone(zone))
    plan_id = store.add_plan(document(), district="north")
    store.add_push(plan_id, push_id="p", controller="J1", state="switching")
    last = store.last_change_utc("J1")
    assert last == moment
    assert last is not None
    assert last.tzinfo is UTC
    assert store.records()[0].at_utc.tzinfo is UTC
    assert store.faults() == []


@pytest.mark.parametrize("table", ["records", *(row.__tablename__ for row in TYPED.values())])
def test_rows_cannot_be_changed_or_deleted(store: Store, table: str) -> None:
    """The database itself refuses, whoever asks; a table cannot be emptied at once either."""
    filled(store)
    record_run(store, RunRecord(district="north", zone="UTC", key="a", outcome="failed", reason="", inputs={}))
    column = {"records": "body", "runs": "key"}.get(table, "plan_id")
    emptied = [f"TRUNCATE {table} CASCADE"] if store.engine.dialect.name == "postgresql" else []
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}", *emptied):
        with pytest.raises(DBAPIError, match="append-only"), store.engine.begin() as connection:
            connection.execute(text(statement))


def test_a_change_behind_the_triggers_is_found(where: str) -> None:
    """Who takes the triggers away still breaks the chain: content, row, order and the cut-out middle."""
    store = Store.open(where, actor="t")
    filled(store)
    sqlite = store.engine.dialect.name == "sqlite"

    def tamper(*statements: str) -> list[str]:
        with store.engine.connect() as connection:
            transaction = connection.begin()
            if sqlite:
                names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
                for name in list(names):
                    connection.execute(text(f"DROP TRIGGER {name}"))
            else:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                connection.execute(text(statement))
            transaction.commit()
        return store.faults()

    assert any("row was changed" in x for x in tamper("UPDATE decisions SET person = 'Somebody Else'"))
    assert any("was changed after" in x for x in tamper("UPDATE records SET actor = 'nobody' WHERE seq = 2"))
    assert any("does not hash" in x for x in tamper("UPDATE plans SET document = replace(document, '60.0', '61.0')"))
    faults = tamper("DELETE FROM gates", "DELETE FROM records WHERE seq = 4")
    assert any("records 4 to 4 are missing" in x for x in faults)
    store.close()


def test_writers_at_the_same_time_make_one_chain(where: str) -> None:
    """Four writers of 5 records each: none is lost, the chain holds."""
    plan_id = Store.open(where, actor="t").add_plan(document(), district="north")

    def write(n: int) -> None:
        store = Store.open(where, actor=f"writer {n}")
        for k in range(5):
            store.add_gate(plan_id, f"gate {n}.{k}", passed=True, reason="")
        store.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    store = Store.open(where, actor="t")
    assert len(store.records(kinds=["gate"])) == 20
    assert store.faults() == []
    store.close()


def test_sqlite_writes_ahead_and_to_the_disk(tmp_path: Path) -> None:
    """WAL, and synchronous FULL (2)."""
    store = Store.open(str(tmp_path / "s.db"), actor="t")
    with store.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
    store.close()


def test_a_killed_writer_leaves_whole_records(tmp_path: Path) -> None:
    """kill -9 in the middle of writing: what is there is a chain without faults, and it goes on."""
    where = tmp_path / "s.db"
    code = (
        "import sys, os, signal\nfrom its.store import Store\nfrom tests.its.store.databases import document\n"
        "store = Store.open(sys.argv[1], actor='t')\nplan = store.add_plan(document(), district='n')\n"
        "print('ready', flush=True)\nwhile True: store.add_gate(plan, 'g', passed=True, reason='')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(where)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    process.stdout.close()
    store = Store.open(str(where), actor="t")
    assert store.faults() == []
    store.add_gate(plan_hash(document()), "after", passed=True, reason="")
    assert store.faults() == []
    store.close()


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("mysql://host/name", "neither SQLite nor PostgreSQL|needs|names no database"),
        ("postgresql://nobody:hunter2@127.0.0.1:1/none", "cannot be opened"),
        ("/nonexistent/folder/store.db", "cannot be opened"),
        ("a://b://c", "names no database"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why(where: str, says: str) -> None:
    """In one sentence, never with the password."""
    with pytest.raises(InputError, match=says) as caught:
        Store.open(where, actor="t")
    assert "hunter2" not in str(caught.value)


def test_a_password_hangs_on_no_error() -> None:
    """Not in the words, not in the context, not in the variables of any frame."""
    word = "hunter2-hunter2"
    with pytest.raises(InputError) as caught:
        Store.open("postgresql://its@127.0.0.1:1/none", actor="t", password=lambda: "hunter2" + "-hunter2")
    error = caught.value
    assert error.__context__ is None
    assert error.__traceback__ is not None
    own = error.__traceback__.tb_next
    text = "".join(traceback.TracebackException(type(error), error, own, capture_locals=True).format())
    assert "open_engine" in text
    assert word not in text


def test_the_first_record_follows_nothing(store: Store) -> None:
    """An empty chain holds too."""
    assert store.faults() == []
    assert store.head() == (0, GENESIS)

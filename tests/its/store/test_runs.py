"""Runs of the batch and leases in the store, on SQLite and PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from its.store import Store
from its.store.leases import BusyError, LeaseLostError, acquire, release, renew, wait_for
from its.store.runs import GateRecord, PlanRecord, RunRecord, in_force, newest_runs, record_run
from tests.its.store.databases import document


def run_of(district: str = "north", key: str = "a" * 64, *seeds: int, outcome: str = "passed") -> RunRecord:
    """A run with a plan per seed."""
    gates = (GateRecord(name="gain", passed=True, reason="6 %", figures={"gain": 0.06}),)
    return RunRecord(
        district=district,
        zone="Asia/Seoul",
        key=key,
        outcome=outcome,
        reason="all gates passed",
        inputs={"network": "c" * 64},
        gates=(GateRecord(name="data", passed=True, reason="enough"),),
        plans=tuple(PlanRecord(document=document(seed), gates=gates) for seed in seeds),
        summary={"delay_s": 20.5},
    )


def test_a_run_is_stored_with_its_plans_and_gates(store: Store) -> None:
    """Plans, gates and run come back; the chain holds; the newest run of each district counts."""
    ids = record_run(store, run_of("north", "a" * 64, 1, 2))
    record_run(store, run_of("south", "b" * 64, outcome="stopped"))
    record_run(store, run_of("north", "d" * 64, 1))
    runs = newest_runs(store)
    assert {d: (r.key[0], r.outcome) for d, r in runs.items()} == {"north": ("d", "passed"), "south": ("b", "stopped")}
    assert runs["north"].plan_ids == ids[:1]
    assert runs["north"].gates[0]["gate"] == "data"
    assert runs["north"].summary == {"delay_s": 20.5}
    assert [r.content["gate"] for r in store.records(ids[1], kinds=["gate"])] == ["gain"]
    assert store.faults() == []


def test_a_run_is_stored_whole_or_not_at_all(store: Store) -> None:
    """A fault at the second plan leaves nothing of the first."""
    record_run(store, run_of("south", "b" * 64, 2))
    before = store.head()
    with pytest.raises(Exception, match="stored for district 'south'"):
        record_run(store, run_of("north", "a" * 64, 1, 2))
    assert store.head() == before
    assert store.plans("north") == []


def test_only_one_holds_a_lease(store: Store) -> None:
    """The second is told who; names that do not overlap go on; given back, it is free."""
    first = acquire(store, ["a", "b"], holder="host1 pid 7", lasts_s=60)
    with pytest.raises(BusyError, match="b by host1 pid 7"):
        acquire(store, ["b", "c"], holder="host2", lasts_s=60)
    acquire(store, ["c"], holder="host2", lasts_s=60)  # all or none: c was not taken before
    release(store, first)
    acquire(store, ["a", "b"], holder="host2", lasts_s=60)


def test_a_lease_expires_unless_it_is_renewed(store: Store) -> None:
    """Whoever shows no sign of life is followed, and can then store nothing more."""
    first = acquire(store, ["a"], holder="sleeper", lasts_s=0.6)
    second = acquire(store, ["b"], holder="awake", lasts_s=0.6)
    for _ in range(4):
        time.sleep(0.2)
        renew(store, second)
    with pytest.raises(BusyError):
        acquire(store, ["b"], holder="other", lasts_s=60)
    renew(store, first)  # late, but nobody else came
    time.sleep(0.7)
    third = acquire(store, ["a"], holder="other", lasts_s=60)
    with pytest.raises(LeaseLostError, match="took it over"):
        renew(store, first)
    with pytest.raises(LeaseLostError):
        record_run(store, run_of("north", "a" * 64, 1), first)
    assert store.plans() == []
    record_run(store, run_of("north", "a" * 64, 1), third)
    release(store, first)  # gives back nothing of others
    with pytest.raises(BusyError, match="by other"):
        acquire(store, ["a"], holder="late", lasts_s=60)


def test_who_waits_gets_it(store: Store) -> None:
    """Waiting ends when the other gives back, or with what `acquire` says when the time is over."""
    first = acquire(store, ["a"], holder="one", lasts_s=60)
    said: list[str] = []
    with pytest.raises(BusyError):
        wait_for(store, ["a"], holder="two", lasts_s=60, wait_s=0.1, say=said.append)
    assert said[0].startswith("waiting up to 0.1 s: 1 of 1")
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(wait_for, store, ["a"], holder="two", lasts_s=60, wait_s=10)
        time.sleep(0.2)
        release(store, first)
        assert later.result().holder == "two"


def test_of_many_at_once_one_wins(where: str) -> None:
    """Eight at the same moment: one lease."""
    stores = [Store.open(where, actor=f"t{n}") for n in range(8)]

    def one(store: Store) -> bool:
        try:
            acquire(store, ["a"], holder=store.actor, lasts_s=60)
        except BusyError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, stores)) == 1
    for store in stores:
        store.close()


def test_what_controllers_run(store: Store) -> None:
    """A push that ended new counts, one that went back does not, after one with an open end nobody knows."""
    old, new = store.add_plan(document(1), district="north"), store.add_plan(document(2), district="north")
    ends = [("p1", old, "J1", "new"), ("p1", old, "J2", "new"), ("p1", old, "J3", "new"), ("p2", new, "J1", "new")]
    ends += [("p2", new, "J2", "old"), ("p2", new, "J3", "begun")]
    for push, plan, controller, state in ends:
        store.add_push(plan, push_id=push, controller=controller, state="begun")
        store.add_push(plan, push_id=push, controller=controller, state=state)
    assert in_force(store, [old, new]) == {"J1": new, "J2": old}
    assert in_force(store, [old]) == {"J1": old, "J2": old, "J3": old}

"""Districts on processes and on a real Dask cluster: the same bytes, also when a worker is killed."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from its.batch import local
from its.batch.cluster import _finished, run_cluster
from its.batch.local import run_local
from its.batch.task import Task, task_of
from its.batch.work import Outcome, work
from its.project import load_project
from its.store import Store
from network_data.errors import OutsideProgramError
from network_data.formats.plan_json import dump_plan
from tests.its.batch.places import district, write_project


def tasks_of(place: Path, n: int = 3) -> list[Task]:
    """Some districts, all alike but for their seeds."""
    blocks = [district(f"d{k}", f"search = {{ iterations = 4, seed = {k} }}") for k in range(n)]
    project = load_project(write_project(place, blocks))
    store = Store.open(project.store)
    try:
        return [task_of(project, name, store) for name in project.content.district]
    finally:
        store.close()


def told(outcomes: list[Outcome]) -> dict[str, tuple[object, ...]]:
    """All that must not depend on where a district was worked on."""
    return {
        one.district: (
            one.state, one.reason, one.key, one.gates, dict(one.summary),
            [(dump_plan(plan.document), plan.gates) for plan in one.plans],
        )
        for one in outcomes
    }  # fmt: skip


def test_a_wrong_file_or_engine_on_a_worker_is_refused(place: Path) -> None:
    """A worker that sees other files, or has other versions, says so in place of another result."""
    (task,) = tasks_of(place, 1)
    other = work(replace(task, engine={**task.engine, "numpy": "0.1"}))
    assert (other.state, other.code) == ("failed", 4)
    assert "0.1 where the run began; install the same versions" in other.reason
    path = place / "detectors.csv"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    changed = work(task)
    assert (changed.state, changed.code) == ("failed", 2)
    assert "is not what it was when the run began" in changed.reason


def test_a_fault_of_the_engine_is_a_failed_district(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody planned for is told with its traceback, and ends no run."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("its.batch.work.make_plans", broken)
    (task,) = tasks_of(place, 1)
    found = work(task)
    assert (found.state, found.code) == ("failed", 4)
    assert "ZeroDivisionError" in found.reason
    assert "test_runners" in found.trace


@pytest.mark.slow
def test_processes_give_what_one_process_gives(place: Path) -> None:
    """Two processes, three districts: byte for byte as here; a killed process is replaced and its district made."""
    tasks = tasks_of(place)
    here = told([work(task) for task in tasks])
    assert told(list(run_local(tasks, workers=2, attempts=2))) == here
    killed = _killing()
    assert told(list(run_local(tasks, workers=1, attempts=2))) == here
    assert killed.wait(10)


def _killing() -> threading.Event:
    """Kill the first process that works, half a second after it began to."""
    done = threading.Event()

    def watch() -> None:
        for _ in range(600):
            children = [int(x) for x in _children(os.getpid())]
            if children:
                time.sleep(1.0)
                os.kill(children[0], signal.SIGKILL)
                done.set()
                return
            time.sleep(0.05)

    threading.Thread(target=watch, daemon=True).start()
    return done


def _children(pid: int) -> list[str]:
    out = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            line = (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if fields[1] == str(pid) and "spawn_main" in line:
            out.append(path.parent.name)
    return out


@pytest.mark.slow
def test_a_district_that_kills_its_process_is_given_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many tries it has failed; the others are done."""
    monkeypatch.setattr(local, "serve", _die_at_d1)
    states = {one.district: one for one in run_local(tasks_of(place), workers=2, attempts=2)}
    assert {name: one.state for name, one in states.items()} == {"d0": "passed", "d1": "failed", "d2": "passed"}
    assert "died 2 times" in states["d1"].reason


def _die_at_d1(line: object) -> None:
    from multiprocessing.connection import Connection

    assert isinstance(line, Connection)
    while True:
        task = line.recv()
        if task.district == "d1":
            os._exit(9)
        line.send(Outcome(district=task.district, key=task.key, state="passed", reason=""))


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers as processes of their own, started by Dask's commands; yields address and workers."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show", "--scheduler-file", str(file)]
    processes = [subprocess.Popen([*dask, *options], **quiet)]  # type: ignore[call-overload]
    try:
        for _ in range(600):
            if file.is_file() and file.read_text(encoding="utf-8").rstrip().endswith("}"):
                break
            time.sleep(0.1)
        import json

        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        worker += ["--no-dashboard", "--local-directory", str(folder)]
        began = [subprocess.Popen(worker, **quiet) for _ in range(workers)]  # type: ignore[call-overload]
        processes += began
        yield address, began
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_and_survives_a_lost_worker(place: Path, tmp_path: Path) -> None:
    """Two workers, one of them killed at work: all districts are made, byte for byte as here."""
    pytest.importorskip("distributed")
    tasks = tasks_of(place, 4)
    here = told([work(task) for task in tasks])
    with dask_cluster(tmp_path, 2) as (address, workers):
        outcomes = []
        for outcome in run_cluster(tasks, address):
            outcomes.append(outcome)
            if len(outcomes) == 1:
                workers[0].kill()
        assert told(outcomes) == here
        assert workers[0].wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler dies at work: an error that says how much was left; nobody waits for ever."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("its.batch.cluster.LOST_S", 3.0)

    def work_on(address: str) -> None:
        for _ in run_cluster(tasks_of(place, 6), address):
            _kill_scheduler(tmp_path / "scheduler.json")

    with dask_cluster(tmp_path, 1) as (address, _), pytest.raises(OutsideProgramError, match="was lost with"):
        work_on(address)


def _kill_scheduler(file: Path) -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(file).encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)


def test_a_scheduler_that_is_not_there_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the address: an error that names it."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("its.batch.cluster.CONNECT_S", 0.5)
    with pytest.raises(OutsideProgramError, match=r"tcp://127\.0\.0\.1:9 cannot be reached"):
        list(run_cluster(tasks_of(place, 1), "tcp://127.0.0.1:9"))


class _FarFuture:
    """A district that is done on a scheduler which dies while the outcome is fetched (after `answers` says no more)."""

    status = "finished"

    def __init__(self, answers: list[Exception | str]) -> None:
        self.answers = answers

    def done(self) -> bool:
        return True

    def result(self) -> str:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        pass


@pytest.mark.parametrize("fault", [ConnectionResetError("reset by peer"), concurrent.futures.CancelledError()])
def test_an_outcome_that_cannot_be_fetched_is_asked_again(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler goes between "finished" and the outcome: asked again when it is back, lost when it stays away."""
    monkeypatch.setattr("its.batch.cluster.POLL_S", 0.01)
    monkeypatch.setattr("its.batch.cluster.LOST_S", 0.1)
    back, away = SimpleNamespace(status="running"), SimpleNamespace(status="connecting")

    def fetched(client: object, answers: list[Exception | str]) -> list[Any]:
        left: dict[Any, Any] = {_FarFuture(answers): "district"}
        return list(_finished(client, left, "tcp://there", lambda: False))

    assert fetched(back, [fault, fault, "made"]) == ["made"]
    for client in (back, away):
        with pytest.raises(OutsideProgramError, match="was lost with 1 districts to go"):
            fetched(client, [fault])

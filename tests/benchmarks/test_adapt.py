"""Tests of the benchmark of the closed loop: what is kept is not run again, and rows say what they hold."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import _adapt_runs as runs
from benchmarks import adapt
from benchmarks._quality_store import Store


def job(folder: Path, **other: Any) -> runs.Job:
    """One run of cologne1."""
    return runs.Job(**{"case": "cologne1", "scale": 1.0, "method": "adapt", "seed": 1, "folder": folder, **other})


def answer(delay_s: float) -> dict[str, Any]:
    """What a run leaves."""
    own = {"late": 1, "ms_p99": 2.0}
    return {
        "delay_s_per_veh": delay_s, "undeparted": 2, "teleports": 0, "collisions": 0, "findings": [], "engine": own,
    }  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case of one file."""
    (tmp_path / "net.xml").write_text("<net/>")
    case = SimpleNamespace(files=(tmp_path / "net.xml",))
    made = SimpleNamespace(case=case, detectors_file=tmp_path / "net.xml", folder=tmp_path)
    monkeypatch.setattr(runs, "bench_of", lambda name, folder: made)
    monkeypatch.setattr(runs, "sumo_version", lambda: "1.28.0")
    return tmp_path


def test_every_run_has_its_own_place(bench: Path) -> None:
    """Method, seed and demand tell runs apart; the same run has the same place."""
    jobs = [job(bench), job(bench, seed=2), job(bench, scale=0.9), job(bench, method="adapt_dead")]
    assert len({runs.key_of(x) for x in jobs}) == 4
    assert runs.key_of(job(bench)) == runs.key_of(jobs[0])


def test_what_is_kept_is_not_run_again(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all answers in the folder nothing is started."""

    def never(workers: int) -> None:
        raise AssertionError(f"{workers} processes were started")

    monkeypatch.setattr(runs, "ProcessPoolExecutor", never)
    jobs = [job(bench, seed=seed) for seed in (1, 2, 3)]
    for n, one in enumerate(jobs):
        Store(bench).save("adapt", runs.key_of(one), answer(20.0 + n))
    found = runs.measure(jobs, print)
    row = adapt._row("cologne1", 1.0, "adapt", found)

    assert row["delay_s_per_veh"] == pytest.approx(21.0)
    assert (row["seeds"], row["late"], row["findings"], row["undeparted"]) == (3, 3, 0, 2.0)


def test_who_is_not_beaten_is_named() -> None:
    """A loss against any other method at the same demand is a note; wins are none."""
    rows = [
        adapt._row("cologne1", 1.0, "shipped", [answer(40.0)]),
        adapt._row("cologne1", 1.0, "pressure_queue", [answer(19.0)]),
        adapt._row("cologne1", 0.9, "pressure_queue", [answer(10.0)]),
        adapt._row("cologne1", 1.0, "adapt", [answer(20.0)]),
    ]
    assert adapt._verdicts(rows) == ["cologne1 1.0: max-pressure, queues is not beaten by adapt"]

"""A small district, made once; and a runner without processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from its.batch import job
from its.batch.task import Task
from its.batch.work import Outcome, work
from its.sumo import sumo_home
from network_data.errors import OutsideProgramError
from tests.its.batch.places import make_place


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Network, field plan, loops and counts."""
    try:
        sumo_home()
    except OutsideProgramError as error:
        pytest.skip(f"the network is made by netconvert: {error}")
    folder = tmp_path_factory.mktemp("made")
    make_place(folder)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder)
    return folder


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Districts are worked on in this process; yields the names of those that were."""
    seen: list[str] = []

    def run(tasks: Sequence[Task], **_: Any) -> Iterator[Outcome]:
        for task in tasks:
            seen.append(task.district)
            yield work(task)

    monkeypatch.setattr(job, "run_local", run)
    return seen

"""One run of the main job on the bundled example, shared by the tests that look at what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from its.recognize import load_field_plan, load_network
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from tests.its.jobs import COUNTED, NETWORK, Job, optimized, write_turns


@pytest.fixture(scope="session")
def district() -> RoadNetwork:
    """The bundled example's network."""
    return load_network(NETWORK)


@pytest.fixture(scope="session")
def district_field(district: RoadNetwork) -> TimingPlan:
    """The programs in it."""
    return load_field_plan(None, district)


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A quarter of an hour of one day, three iterations, one worker."""
    return optimized(tmp_path_factory.mktemp("job") / "out", *COUNTED, "--iterations", "3", "--workers", "1")


@pytest.fixture(scope="session")
def turns(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demand that the job estimated, as turning counts of its first five minutes."""
    return write_turns(tmp_path_factory.mktemp("turns") / "turns.csv", job.run)

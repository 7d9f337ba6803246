"""A running simulation as the field of a rehearsal."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks._push_district import NETWORK, ROUTES, changed, district
from its.push.rollout import Push, Result, chosen_corridors, new_push_id, roll_out
from its.push.sumo_field import connect, disconnect
from its.push.targets import Targets
from its.store.times import utc_now
from its.sumo import COMMON_OPTIONS, sumo_home
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.plans import TimingPlan

BEGIN_S, END_S = 27_000, 27_300

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("sumo") is None, reason="SUMO is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("traci") is None, reason="TraCI is not installed"),
]


def options(trips: Path, *more: str) -> list[str]:
    """A short run of the district."""
    out = [str(sumo_home() / "bin" / "sumo"), "-n", str(NETWORK), "-r", str(ROUTES), "--seed", "42"]
    out += ["--begin", str(BEGIN_S), "--end", str(END_S), *COMMON_OPTIONS, "--tripinfo-output", str(trips)]
    return [*out, "--tripinfo-output.write-unfinished", "true", *more]


@contextmanager
def simulation(trips: Path) -> Iterator[str]:
    """A simulation that waits for its client; it ends with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        options(trips, "--remote-port", str(port)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"127.0.0.1:{port}"
    try:
        connect(address)
        yield address
        disconnect(address)
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def push(address: str, plan: TimingPlan, folder: Path) -> list[Result]:
    """Push to all signals of the simulation at once."""
    targets = Targets.model_validate(
        {
            "profile": {"default": {"driver": "sumo"}},
            "controller": tuple({"id": name, "address": address} for name in plan.controllers),
            "corridor": ({"name": "all", "controllers": tuple(plan.controllers)},),
        }
    )
    made = Push(push_id=new_push_id("s", utc_now()), plan_id="0" * 64, plan=plan, targets=targets, folder=folder)
    return roll_out(made, chosen_corridors(targets, plan))


def vehicles(trips: Path) -> list[str]:
    """The trips, line by line."""
    return [line for line in trips.read_text(encoding="utf-8").splitlines() if "<tripinfo " in line]


def test_a_pushed_plan_drives_as_the_plan_itself(folder: Path) -> None:
    """Every trip is the same as when SUMO is given the plan as a file; and unlike those of the field plan."""
    _, field = district()
    plan = TimingPlan(controllers={name: changed(program) for name, program in field.controllers.items()})
    file = folder / "plan.add.xml"
    file.write_text(write_sumo_programs(plan), encoding="utf-8")
    for trips, more in ((folder / "file.xml", ["-a", str(file)]), (folder / "field.xml", [])):
        subprocess.run(options(trips, *more), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with simulation(folder / "pushed.xml") as address:
        results = push(address, plan, folder / "j")
        assert {r.state for r in results} == {"new"}, results
        connect(address).simulationStep(float(END_S))
    assert len(vehicles(folder / "file.xml")) > 100
    assert vehicles(folder / "pushed.xml") == vehicles(folder / "file.xml") != vehicles(folder / "field.xml")


def test_a_signal_that_is_not_there_takes_all_back(folder: Path) -> None:
    """The corridor keeps its programs."""
    _, field = district()
    first = next(iter(field.controllers))
    plan = TimingPlan(controllers={first: changed(field.controllers[first]), "nowhere": field.controllers[first]})
    with simulation(folder / "t.xml") as address:
        before = connect(address).trafficlight.getProgram(first)
        results = push(address, plan, folder / "j")
        assert {r.state for r in results} == {"old"}
        assert any("no signal 'nowhere'" in text for r in results for text in r.reasons)
        assert connect(address).trafficlight.getProgram(first) == before

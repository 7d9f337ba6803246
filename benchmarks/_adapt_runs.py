"""Runs of the benchmark of the closed loop: one method, seed and demand each; answers are kept as they come.

A run is known by the files of its case, its demand, its seed and what it depends on of ours: a plan's file, or, where
our code decides within the second, the hash of all of it.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks._adapt_faults import FaultyField, busiest_loop, dead_loops
from benchmarks._adapt_others import Pressure, max_pressure_run
from benchmarks._quality_store import Store, engine_hash, file_hash, hash_of
from benchmarks._quality_tools import actuated, programs_in_force, write_logics
from benchmarks.cases import ROOT, Case, cases, counts_of, its_command, resco_case, unpacked
from its.adapt.field import Field
from its.adapt.job import AdaptRequest, AdaptRun, adapt_run
from its.adapt.job import programs_in_force as field_plan_of
from its.adapt.judge import errors_in
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario, sumo_version
from network_data.detectors import Detector, read_detectors
from network_data.errors import OutsideProgramError
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings

OURS = ("adapt", "adapt_free", "adapt_dead", "adapt_stuck")
FAULTS = ("adapt_dead", "adapt_stuck")
OTHERS = ("shipped", "actuated", "pressure_queue", "pressure_number", "fixed")
EVERY_S = (5, 10)
"""Max-pressure decides as often as this; the better of the two counts. [s]"""
FIXED_LIMIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run; `folder` keeps what a case needs and what was measured."""

    case: str
    scale: float
    method: str
    seed: int
    folder: Path


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """One case at full demand, as every process needs it."""

    case: Case
    scenario: Scenario
    network: RoadNetwork
    field_plan: TimingPlan
    detectors: tuple[Detector, ...]
    detectors_file: Path
    counted: Mapping[str, float]
    counts_file: Path
    folder: Path


def all_cases() -> dict[str, Case]:
    """The four networks of the table first, then those that nobody has been tuned to."""
    by_name = cases()
    order = ("cologne1", "cologne3", "cologne8", "grid4x4", "bologna_acosta", "bologna_pasubio")
    more = [
        resco_case("ingolstadt1", "ingolstadt1.rou.xml", 57600, 61200, 0.0),
        resco_case("ingolstadt7", "ingolstadt7.rou.xml", 57600, 61200, 0.0),
        resco_case("arterial4x4", "arterial4x4_1.rou.xml", 0, 3600, 0.0),
    ]
    return {name: by_name[name] for name in order} | {case.name: case for case in more}


@cache
def bench_of(name: str, folder: Path) -> Bench:
    """A case with its loops and counts; they are made once, in `folder`."""
    case, own = all_cases()[name], folder / "cases" / name
    own.mkdir(parents=True, exist_ok=True)
    detectors_file, counts_file = own / "detectors.csv", own / "counts.csv.gz"
    if case.counts is not None or not counts_file.is_file():
        detectors_file, counts_file = counts_of(case, own)
    network = read_sumo_net(case.network)
    return Bench(
        case=case,
        scenario=Scenario(
            network=case.network,
            routes=unpacked(case.routes, own),
            additional=case.base_additional,
            begin_s=case.begin_s,
            end_s=case.end_s,
        ),
        network=network,
        field_plan=field_plan_of(network, case.base_additional),
        detectors=read_detectors(detectors_file, network),
        detectors_file=detectors_file,
        counted=_counted(counts_file),
        counts_file=counts_file,
        folder=own,
    )


def _counted(path: Path) -> dict[str, float]:
    """Vehicles by detector."""
    out: dict[str, float] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(io.StringIO(stream.read())):
            out[row["detector"]] = out.get(row["detector"], 0.0) + float(row["veh"] or 0)
    return out


def key_of(job: Job) -> str:
    """Hash of all that a run depends on."""
    bench = bench_of(job.case, job.folder)
    files = [file_hash(path) for path in (*bench.case.files, bench.detectors_file)]
    if job.method in ("shipped", "actuated", "fixed"):
        own = [file_hash(path) for path in plan_files(bench, job.method)]
    else:
        own = [engine_hash()]
    return hash_of(files, own, job.method, job.scale, job.seed, sumo_version())


def measure(jobs: Sequence[Job], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """The answers of all jobs, as many at a time as there are cores; what is kept is not run again."""
    store = Store(jobs[0].folder) if jobs else None
    missing = [job for job in jobs if store is not None and store.load("adapt", key_of(job)) is None]
    began_s = time.monotonic()
    if missing:
        with ProcessPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
            futures = [pool.submit(measure_one, job) for job in missing]
            for n, future in enumerate(as_completed(futures), 1):
                future.result()
                left_s = (time.monotonic() - began_s) / n * (len(missing) - n)
                say(f"{missing[0].case}: {n} of {len(missing)} runs, {left_s / 60:.0f} minutes to go")
    kept = [store.load("adapt", key_of(job)) for job in jobs] if store is not None else []
    return [row for row in kept if row is not None]


def measure_one(job: Job) -> None:
    """Run and keep one job."""
    began_s = time.process_time()
    run = _run(job)
    row = {
        "delay_s_per_veh": run.sumo.delay_s_per_veh,
        "loaded": run.sumo.loaded,
        "undeparted": run.sumo.undeparted,
        "teleports": run.sumo.teleports,
        "collisions": run.sumo.collisions,
        "findings": errors_in(run.findings),
        "engine": run.engine,
        "cpu_s": round(time.process_time() - began_s, 1),
    }
    Store(job.folder).save("adapt", key_of(job), row)


def _run(job: Job) -> AdaptRun:
    bench = bench_of(job.case, job.folder)
    scenario = replace(bench.scenario, scale=job.scale)
    with tempfile.TemporaryDirectory() as scratch:
        if job.method in OURS:
            return _ours(bench, scenario, job, Path(scratch))
        if job.method.startswith("pressure"):
            return _pressure(bench, scenario, job, Path(scratch))
        return _plain(run_plan(scenario, plan_files(bench, job.method), job.seed, bench.network.approaches))


def _plain(run: SumoRun) -> AdaptRun:
    return AdaptRun(sumo=run, findings=(), engine={})


def _pressure(bench: Bench, scenario: Scenario, job: Job, scratch: Path) -> AdaptRun:
    what: Pressure = "queue" if job.method == "pressure_queue" else "number"
    found = []
    for every_s in EVERY_S:
        inner = scratch / str(every_s)
        inner.mkdir()
        found.append(max_pressure_run(scenario, bench.network, bench.field_plan, what, every_s, job.seed, inner))
    return min(found, key=lambda run: run.sumo.delay_s_per_veh)


def _ours(bench: Bench, scenario: Scenario, job: Job, scratch: Path) -> AdaptRun:
    settings = Settings.model_validate({"rules": {"left_turns": "warrant" if job.method == "adapt" else "free"}})
    request = AdaptRequest(
        network=scenario.network,
        routes=scenario.routes,
        detectors=bench.detectors_file,
        out=scratch,
        additional=scenario.additional,
        begin_s=scenario.begin_s,
        end_s=scenario.end_s,
        scale=scenario.scale,
    )

    def with_faults(field: Field) -> Field:
        dead = dead_loops(len(bench.detectors), job.seed) if job.method == "adapt_dead" else ()
        stuck = busiest_loop(bench.detectors, bench.counted) if job.method == "adapt_stuck" else ()
        return FaultyField(field, dead, stuck)

    return adapt_run(
        request, bench.network, bench.field_plan, bench.detectors, settings, job.seed, scratch, around=with_faults
    )


def make_plans(folder: Path, names: Iterable[str], methods: Sequence[str], say: Callable[[str], None]) -> None:
    """Plans of methods that run without us, made once and before anything runs."""
    for name in names:
        for method in ("actuated", "fixed"):
            if method in methods:
                say(f"{name}: plan of {method}")
                plan_files(bench_of(name, folder), method)


def plan_files(bench: Bench, method: str) -> Sequence[Path]:
    """Additional files of a method that runs without us."""
    if method == "shipped":
        return ()
    path = bench.folder / f"{method}.add.xml"
    if path.is_file():
        return (path,)
    if method == "actuated":
        write_logics(actuated(programs_in_force(bench.case)), "actuated", path, actuated=True)
        return (path,)
    settings = bench.folder / "fixed.toml"
    settings.write_text('[rules]\nleft_turns = "free"\n', encoding="utf-8")
    out = bench.folder / "fixed"
    plans = ["--plans", bench.case.field_plan] if bench.case.field_plan else []
    done = subprocess.run(
        its_command(
            "optimize", bench.case.network, "--detectors", bench.detectors_file, "--counts", bench.counts_file, *plans,
            "--begin", bench.case.begin_s, "--end", bench.case.end_s, "--settings", settings,
            "--time-limit", FIXED_LIMIT_S, "--out", out,
        ),
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise OutsideProgramError(f"optimize of {bench.case.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    path.write_bytes((out / "plan.add.xml").read_bytes())
    return (path,)

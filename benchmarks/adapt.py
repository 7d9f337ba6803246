"""The closed loop against shipped plans, actuated control, max-pressure and the engine's own fixed plan, in SUMO.

All on the same demand and horizon, junction locks released after 60 s, at the shipped clearances; max-pressure sees
every vehicle, ours sees loops. `--methods`, `--scales` and `--seeds` choose; the full run takes hours.
"""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._adapt_faults import FaultyField, busiest_loop, dead_loops
from benchmarks._adapt_others import Pressure, max_pressure_run
from benchmarks._quality_tools import actuated, programs_in_force, write_logics
from benchmarks.cases import ROOT, Case, cases, counts_of, its_command, resco_case, unpacked
from benchmarks.tables import Cell, Column, Options, Table
from its.adapt.field import Field
from its.adapt.job import AdaptRequest, AdaptRun, adapt_run
from its.adapt.job import programs_in_force as field_plan_of
from its.adapt.judge import errors_in
from its.intervals import estimate
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario
from network_data.detectors import Detector, read_detectors
from network_data.errors import OutsideProgramError
from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings

SEEDS, QUICK_SEEDS = 10, 1
OURS = ("adapt", "adapt_free", "adapt_dead", "adapt_stuck")
OTHERS = ("shipped", "actuated", "pressure_queue", "pressure_number", "fixed")
LABELS = {
    "shipped": "shipped",
    "actuated": "SUMO actuated",
    "pressure_queue": "max-pressure, queues",
    "pressure_number": "max-pressure, vehicles",
    "fixed": "engine's fixed plan, free",
    "adapt": "adapt, turns kept",
    "adapt_free": "adapt, turns free",
    "adapt_dead": "adapt, free, 5 % dead",
    "adapt_stuck": "adapt, free, one stuck",
}
EVERY_S = (5, 10)
"""Max-pressure decides as often as this; the better of the two counts. [s]"""
FIXED_LIMIT_S = 60
ORIENTATION = {"cologne8": 21.6, "cologne1": 26.1, "cologne3": 24.0, "grid4x4": 32.9}
"""Best published learning results, with SUMO 1.9 and every vehicle visible. [s/veh]"""
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="scale", heading="demand", spec=".0%"),
    Column(key="method", heading="method"),
    Column(key="seeds", heading="seeds"),
    Column(key="delay_s_per_veh", heading="delay s/veh", spec=".2f"),
    Column(key="ci95", heading="± 95 %", spec=".2f"),
    Column(key="undeparted", heading="not entered", spec=".1f"),
    Column(key="teleports", heading="teleports"),
    Column(key="collisions", heading="collisions"),
    Column(key="findings", heading="findings"),
    Column(key="p99_ms", heading="p99 ms", spec=".1f"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """One case at one demand."""

    case: Case
    scenario: Scenario
    network: RoadNetwork
    field_plan: TimingPlan
    detectors: tuple[Detector, ...]
    detectors_file: Path
    counted: Mapping[str, float]
    counts_file: Path
    folder: Path


def benchmark(options: Options) -> Table:
    """Every case asked for; quick: one signal, one seed."""
    known = {case.name: case for case in _cases()}
    names = options.chosen(list(known), ("cologne1",))
    chosen = options.methods or (("shipped", "pressure_queue", "adapt", "adapt_free") if options.quick else ())
    methods = [x for x in (*OTHERS, *OURS) if not chosen or x in chosen]
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    rows: list[Mapping[str, Cell]] = []
    notes = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            if reason := known[name].missing():
                notes.append(f"{name} left out: {reason}")
                continue
            for scale in options.scales or (1.0,):
                folder = Path(scratch, f"{name}_{scale}")
                folder.mkdir()
                bench = _bench(known[name], scale, folder)
                for method in methods:
                    rows.append(_row(bench, method, seeds, scale))
                    options.say(f"{name} {scale:g} {method}: {rows[-1]['delay_s_per_veh']} s/veh")
    ours = [row for row in rows if str(row["method"]).startswith("adapt")]
    return Table(
        title="Real time: the closed loop beside others",
        columns=COLUMNS,
        rows=rows,
        notes=[*notes, *_verdicts(rows), *_orientation(rows)],
        failed=any(row["findings"] for row in ours),
    )


def _cases() -> list[Case]:
    order = ("cologne1", "cologne3", "cologne8", "grid4x4", "bologna_acosta", "bologna_pasubio")
    by_name = cases()
    more = [
        resco_case("ingolstadt1", "ingolstadt1.rou.xml", 57600, 61200, 0.0),
        resco_case("ingolstadt7", "ingolstadt7.rou.xml", 57600, 61200, 0.0),
        resco_case("arterial4x4", "arterial4x4_1.rou.xml", 0, 3600, 0.0),
    ]
    return [*(by_name[name] for name in order), *more]


def _bench(case: Case, scale: float, folder: Path) -> Bench:
    detectors_file, counts_file = counts_of(case, folder)
    network = read_sumo_net(case.network)
    scenario = Scenario(
        network=case.network,
        routes=unpacked(case.routes, folder),
        additional=case.base_additional,
        begin_s=case.begin_s,
        end_s=case.end_s,
        scale=scale,
    )
    return Bench(
        case=case,
        scenario=scenario,
        network=network,
        field_plan=field_plan_of(network, case.base_additional),
        detectors=read_detectors(detectors_file, network),
        detectors_file=detectors_file,
        counted=_counted(counts_file),
        counts_file=counts_file,
        folder=folder,
    )


def _counted(path: Path) -> dict[str, float]:
    """Vehicles by detector."""
    out: dict[str, float] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(io.StringIO(stream.read())):
            out[row["detector"]] = out.get(row["detector"], 0.0) + float(row["veh"] or 0)
    return out


def _row(bench: Bench, method: str, seeds: int, scale: float) -> dict[str, Cell]:
    runs = [_run(bench, method, seed) for seed in range(1, seeds + 1)]
    delay = estimate([run.sumo.delay_s_per_veh for run in runs])
    return {
        "case": bench.case.name,
        "scale": scale,
        "method": LABELS[method] if method not in OURS else method,
        "label": LABELS[method],
        "seeds": seeds,
        "delay_s_per_veh": round(delay.mean, 3),
        "ci95": round(delay.ci95, 3) if seeds > 1 else None,
        "undeparted": sum(run.sumo.undeparted for run in runs) / seeds,
        "teleports": sum(run.sumo.teleports for run in runs),
        "collisions": sum(run.sumo.collisions for run in runs),
        "findings": sum(len(errors_in(run.findings)) for run in runs),
        "p99_ms": max((float(run.engine.get("ms_p99", 0.0)) for run in runs), default=0.0) or None,
    }


def _run(bench: Bench, method: str, seed: int) -> AdaptRun:
    folder = bench.folder / f"{method}_{seed}"
    folder.mkdir()
    if method in OURS:
        return _ours(bench, method, seed, folder)
    if method.startswith("pressure"):
        what: Pressure = "queue" if method == "pressure_queue" else "number"
        found = []
        for every_s in EVERY_S:
            inner = folder / str(every_s)
            inner.mkdir()
            found.append(
                max_pressure_run(
                    bench.scenario,
                    bench.network,
                    bench.field_plan,
                    what,
                    every_s,
                    seed,
                    inner,
                )
            )
        return min(found, key=lambda run: run.sumo.delay_s_per_veh)
    return _plain(run_plan(bench.scenario, _plan_files(bench, method), seed, bench.network.approaches))


def _plain(run: SumoRun) -> AdaptRun:
    return AdaptRun(sumo=run, findings=(), engine={})


def _ours(bench: Bench, method: str, seed: int, folder: Path) -> AdaptRun:
    left_turns = "warrant" if method == "adapt" else "free"
    settings = Settings.model_validate({"rules": {"left_turns": left_turns}})
    request = AdaptRequest(
        network=bench.scenario.network,
        routes=bench.scenario.routes,
        detectors=bench.detectors_file,
        out=folder,
        additional=bench.scenario.additional,
        begin_s=bench.scenario.begin_s,
        end_s=bench.scenario.end_s,
        scale=bench.scenario.scale,
    )

    def with_faults(field: Field) -> Field:
        dead = dead_loops(len(bench.detectors), seed) if method == "adapt_dead" else ()
        stuck = busiest_loop(bench.detectors, bench.counted) if method == "adapt_stuck" else ()
        return FaultyField(field, dead, stuck)

    return adapt_run(
        request, bench.network, bench.field_plan, bench.detectors, settings, seed, folder, around=with_faults
    )


def _plan_files(bench: Bench, method: str) -> Sequence[Path]:
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


def _verdicts(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Where ours is not better than all others at the same demand."""
    out = []
    labels = {LABELS[x] for x in OTHERS}
    for row in rows:
        if row["method"] not in ("adapt", "adapt_free"):
            continue
        beside = [
            other
            for other in rows
            if (other["case"], other["scale"]) == (row["case"], row["scale"]) and other["method"] in labels
        ]
        worse = [x for x in beside if float(x["delay_s_per_veh"] or 0) <= float(row["delay_s_per_veh"] or 0)]
        out += [f"{row['case']} {row['scale']}: {x['method']} is not beaten by {row['method']}" for x in worse]
    return out


def _orientation(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    seen = {str(row["case"]) for row in rows}
    return [
        f"{name}: best published learning result {value} s/veh (SUMO 1.9, every vehicle visible)"
        for name, value in ORIENTATION.items()
        if name in seen
    ]

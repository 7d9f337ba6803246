"""`its adapt`: runs of the closed loop in SUMO, judged; and replays of their logs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from its.adapt.engine import MODES, Engine, EngineOptions, Mode
from its.adapt.field import Field
from its.adapt.judge import errors_in, findings_of, read_recorded
from its.adapt.log import Recording, RunLog, read_recording
from its.adapt.loop import Difference, differences, late_in, run_loop
from its.adapt.replay_field import ReplayField
from its.adapt.sumo_field import Records, SumoField
from its.console import DONE, RULES_NOT_MET, Console, format_table
from its.intervals import estimate
from its.referee_runs import SumoRun, read_run
from its.sumo import Scenario, sumo_version
from network_data.detectors import Detector, read_detectors
from network_data.errors import InputError
from network_data.formats.files import iter_xml, write_aside
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import read_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rules_judged import Finding
from network_data.settings import Settings, load_settings

RESULT = "adapt.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptRequest:
    """What `its adapt` was asked for; `rolling` None: where the mode calls for it."""

    network: Path
    routes: tuple[Path, ...]
    detectors: Path
    out: Path
    additional: tuple[Path, ...] = ()
    settings: Path | None = None
    begin_s: float | None = None
    end_s: float | None = None
    seeds: int = 1
    scale: float = 1.0
    mode: Mode = "lookahead"
    rolling: bool | None = None
    as_json: bool = False

    @property
    def scenario(self) -> Scenario:
        """For SUMO."""
        return Scenario(
            network=self.network,
            routes=self.routes,
            additional=self.additional,
            begin_s=self.begin_s,
            end_s=self.end_s,
            scale=self.scale,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptRun:
    """One seed: what SUMO measured, what the rules found, what the engine did."""

    sumo: SumoRun
    findings: tuple[Finding, ...]
    engine: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Everything, for `--json` and adapt.json."""
        return {**asdict(self.sumo), "findings": errors_in(self.findings), "engine": self.engine}


def adapt_job(request: AdaptRequest) -> int:
    """Run all seeds, print, write adapt.json; 3 where a rule was broken."""
    request.scenario.check_files()
    network = read_sumo_net(request.network)
    field_plan = programs_in_force(network, request.additional)
    detectors = read_detectors(request.detectors, network)
    settings = load_settings(request.settings) if request.settings is not None else Settings()
    console = Console(quiet=request.as_json)
    runs = []
    for seed in range(1, request.seeds + 1):
        folder = request.out / f"seed_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        with console.stage(f"seed {seed}") as stage:
            runs.append(
                adapt_run(request, network, field_plan, detectors, settings, seed, folder, progress=stage.update)
            )
    table = {
        "mode": request.mode,
        "begin_s": request.begin_s,
        "end_s": request.end_s,
        "scale": request.scale,
        "sumo_version": sumo_version(),
        "delay_s_per_veh": estimate([run.sumo.delay_s_per_veh for run in runs]).as_json(),
        "findings": sum(len(errors_in(run.findings)) for run in runs),
        "runs": [run.as_json() for run in runs],
    }
    text = json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_aside(request.out / RESULT, text)
    print(text if request.as_json else summary(runs), end="" if request.as_json else "\n")
    return RULES_NOT_MET if table["findings"] else DONE


def adapt_run(
    request: AdaptRequest,
    network: RoadNetwork,
    field_plan: TimingPlan,
    detectors: Sequence[Detector],
    settings: Settings,
    seed: int,
    folder: Path,
    *,
    progress: Callable[[float, str], None] | None = None,
    around: Callable[[Field], Field] | None = None,
) -> AdaptRun:
    """One seed in SUMO.

    Parameters
    ----------
    folder : Path
        Where SUMO's records and the log go.
    around : callable, optional
        Puts something between SUMO and the engine, such as faults of detectors.
    """
    records = Records.in_folder(folder)
    sumo = SumoField(request.scenario, detectors, list(field_plan.controllers), records, seed=seed)
    street = around(sumo) if around is not None else sumo
    states = {x: state for x, state in sumo.programs().items() if x in field_plan.controllers}
    options = EngineOptions(mode=request.mode, rolling=request.rolling)
    with RunLog(folder) as log:
        engine = Engine(network, field_plan, detectors, settings, options, states, log)
        log.header(_header(request, network, detectors, street.time_s, states, engine))
        length_s = None if request.end_s is None else request.end_s - street.time_s
        run_loop(street, engine, length_s=length_s, progress=progress)
        street.close()
    measured = read_run(
        request.scenario,
        seed,
        network.approaches,
        trips=records.trips,
        totals=records.totals,
        edges=records.edges,
    )
    findings = findings_of(network, field_plan, settings, read_recorded(records.signals))
    return AdaptRun(sumo=measured, findings=tuple(findings), engine=engine_json(engine))


def engine_json(engine: Engine) -> dict[str, Any]:
    """What the engine did in a run."""
    tally = engine.tally
    ms = np.array(tally.ms) if tally.ms else np.zeros(1)
    return {
        "decisions": tally.decisions,
        "changes": tally.changes,
        "by_plan": sorted(engine.by_plan) if engine.options.mode != "plan" else [],
        "plans": tally.plans,
        "late": tally.late,
        "failed": tally.failed,
        "refused": tally.refused,
        "detectors_lost": tally.lost,
        "detectors_found": tally.found,
        "notes": [f"{change.time_s:g} s: {change.text}" for change in engine.changes[:50]],
        "ms_median": round(float(np.median(ms)), 3),
        "ms_p99": round(float(np.quantile(ms, 0.99)), 3),
    }


def programs_in_force(network: RoadNetwork, additional: Sequence[Path]) -> TimingPlan:
    """The programs that SUMO would run: of the additional files, the last one counts, else of the network."""
    programs: dict[str, ControllerPlan] = {
        x.id: x.programs[-1] for x in network.controllers.values() if x.programs and network.approaches.get(x.id)
    }
    for path in additional:
        if any(element.tag == "tlLogic" for event, _, element in iter_xml(path) if event == "end"):
            read = read_sumo_programs(path)
            programs |= {x: program for x, program in read.items() if x in network.controllers}
    if not programs:
        raise InputError(str(network.source or "network"), "has no signals; give a network with signals")
    return TimingPlan(controllers=programs)


def _header(
    request: AdaptRequest,
    network: RoadNetwork,
    detectors: Sequence[Detector],
    begin_s: float,
    states: dict[str, str],
    engine: Engine,
) -> dict[str, Any]:
    return {
        "network": str(request.network.resolve()),
        "network_hash": network.hash,
        "additional": [str(path.resolve()) for path in request.additional],
        "detectors_file": str(request.detectors.resolve()),
        "settings": str(request.settings.resolve()) if request.settings is not None else None,
        "mode": request.mode,
        "rolling": engine.rolling,
        "begin_s": begin_s,
        "detectors": [d.id for d in detectors],
        "states": states,
    }


def summary(runs: Sequence[AdaptRun]) -> str:
    """The runs as text for a terminal."""
    rows: list[list[object]] = [
        [
            run.sumo.seed,
            f"{run.sumo.delay_s_per_veh:.2f}",
            run.sumo.loaded,
            run.sumo.undeparted,
            run.engine["changes"],
            run.engine["late"] + run.engine["failed"] + run.engine["refused"],
            f"{run.engine['ms_p99']:.1f}",
            len(errors_in(run.findings)),
        ]
        for run in runs
    ]
    head = ["seed", "delay s/veh", "loaded", "not entered", "changes", "fell back", "p99 ms", "findings"]
    lines = [format_table(head, rows)]
    mean = estimate([run.sumo.delay_s_per_veh for run in runs])
    lines.append(f"mean delay {mean.mean:.2f} s per loaded vehicle")
    for run in runs:
        lines += [f"seed {run.sumo.seed}: {x['rule']}: {x['text']}" for x in errors_in(run.findings)[:10]]
        lines += [f"seed {run.sumo.seed}: {note}" for note in run.engine["notes"][:5]]
    return "\n".join(lines)


def replay_job(path: Path, *, as_json: bool = False) -> int:
    """`its adapt --replay`: decide everything again from what was told; 3 where an answer differs."""
    recording = read_recording(path)
    with tempfile.TemporaryDirectory() as folder:
        found, n = replay(recording, Path(folder))
    table = {"decisions": n, "same": not found, "differences": [asdict(x) for x in found]}
    if as_json:
        print(json.dumps(table, indent=1, ensure_ascii=False))
    elif found:
        print(f"{n} rows; the first that differ:")
        print("\n".join(f"row {x.row}, {x.key}: was {x.was!r}, now {x.now!r}" for x in found))
    else:
        print(f"{n} rows of the log replayed to the same answers")
    return RULES_NOT_MET if found else DONE


def replay(recording: Recording, folder: Path) -> tuple[list[Difference], int]:
    """Decide again; the differences and the number of rows compared.

    Raises
    ------
    InputError
        The files of the run have changed or are gone.
    """
    header = recording.header
    network = read_sumo_net(Path(header["network"]))
    if network.hash != header["network_hash"]:
        raise InputError(header["network"], "is not the network of the run any more; give back what it was")
    detectors = read_detectors(Path(header["detectors_file"]), network)
    if [d.id for d in detectors] != header["detectors"]:
        raise InputError(header["detectors_file"], "does not hold the detectors of the run any more")
    if header["mode"] not in MODES:
        raise InputError(str(recording.folder), f"mode {header['mode']!r} is unknown; known are {', '.join(MODES)}")
    settings = load_settings(Path(header["settings"])) if header["settings"] else Settings()
    late = late_in(recording)
    street = ReplayField(recording)
    with RunLog(folder) as log:
        log.header(header)
        engine = Engine(
            network,
            programs_in_force(network, [Path(x) for x in header["additional"]]),
            detectors,
            settings,
            EngineOptions(mode=header["mode"], rolling=header["rolling"]),
            header["states"],
            log,
            late=lambda time_s, x: (time_s, x) in late,
        )
        run_loop(street, engine)
    again = read_recording(folder)
    return differences(recording, again), len(again.rows)

"""The stored tables of the fidelity benchmark: plans as drawn, and SUMO's answer to each.

Everything is kept by (family, index, hash of the plan), so that an answer is never used for another plan than the one
it was given to. `plans_CASE.csv.gz` holds one row per program, `answers_CASE.csv.gz` one per SUMO run,
`approaches_CASE.csv.gz` the delay on every approach link, mean over the seeds of the answer.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import NamedTuple

from benchmarks.plan_families import plan_hash
from network_data.errors import InputError
from network_data.formats.files import write_aside
from network_data.plans import ControllerPlan, Interval, TimingPlan

DATA = Path(__file__).resolve().parent / "data"
REMAKE = "remake it: python -m benchmarks.sumo_answers --only CASE"


class PlanKey(NamedTuple):
    """Which plan: `good` and `field` have one each, of index 0."""

    family: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one SUMO run said of a plan; `model` is micro or meso, delay as the referee counts it."""

    family: str
    index: int
    plan_hash: str
    model: str
    seed: int
    delay_s_per_veh: float
    loaded: int
    finished: int
    running: int
    undeparted: int
    teleports: int
    collisions: int
    locked: bool
    cpu_s: float
    route_hash: str
    sumo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """Delay on one approach link under one plan, waiting to enter there included; of micro the mean over seeds 1-3."""

    family: str
    index: int
    plan_hash: str
    model: str
    link: str
    delay_s_per_veh: float
    veh: float


def _table(path: Path, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as stream:
        stream.write(text.getvalue().encode())
    write_aside(path, packed.getvalue())


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_plans(case: str, plans: Mapping[PlanKey, TimingPlan], folder: Path = DATA) -> None:
    """Store the plans of a case."""
    rows = []
    for key, plan in plans.items():
        digest = plan_hash(plan)
        for c, program in plan.controllers.items():
            durations = " ".join(f"{i.duration_s:.6g}" for i in program.intervals)
            states = " ".join(i.state for i in program.intervals)
            rows.append((key.family, key.number, digest, c, f"{program.offset_s:.6g}", durations, states))
    heading = ("family", "index", "plan_hash", "controller", "offset_s", "durations_s", "states")
    _table(folder / f"plans_{case}.csv.gz", heading, rows)


def read_plans(case: str, folder: Path = DATA) -> dict[PlanKey, TimingPlan]:
    """The stored plans of a case; empty where there are none.

    Raises
    ------
    InputError
        A plan is not what its hash says.
    """
    programs: dict[PlanKey, dict[str, ControllerPlan]] = defaultdict(dict)
    said: dict[PlanKey, str] = {}
    path = folder / f"plans_{case}.csv.gz"
    for row in _rows(path):
        key = PlanKey(row["family"], int(row["index"]))
        said[key] = row["plan_hash"]
        cells = zip(row["durations_s"].split(), row["states"].split(), strict=True)
        programs[key][row["controller"]] = ControllerPlan(
            controller_id=row["controller"],
            program_id="fidelity",
            offset_s=float(row["offset_s"]),
            intervals=tuple(Interval(float(seconds), state) for seconds, state in cells),
        )
    plans = {key: TimingPlan(controllers=mine) for key, mine in programs.items()}
    wrong = [f"{key.family} plan {key.number}" for key, plan in plans.items() if plan_hash(plan) != said[key]]
    if wrong:
        raise InputError(str(path), [f"{name} is not what its hash says; {REMAKE}" for name in wrong[:5]])
    return plans


def write_answers(case: str, answers: Iterable[Answer], folder: Path = DATA) -> None:
    """Store SUMO's answers."""
    rows = [tuple(f"{x:.6g}" if isinstance(x, float) else x for x in astuple(a)) for a in answers]
    _table(folder / f"answers_{case}.csv.gz", [f.name for f in fields(Answer)], rows)


def read_answers(case: str, folder: Path = DATA) -> list[Answer]:
    """SUMO's stored answers; empty where there are none."""
    return [answer_of(row) for row in _rows(folder / f"answers_{case}.csv.gz")]


def answer_of(row: Mapping[str, str]) -> Answer:
    """An answer out of texts."""
    return Answer(
        family=row["family"],
        index=int(row["index"]),
        plan_hash=row["plan_hash"],
        model=row["model"],
        seed=int(row["seed"]),
        delay_s_per_veh=float(row["delay_s_per_veh"]),
        loaded=int(row["loaded"]),
        finished=int(row["finished"]),
        running=int(row["running"]),
        undeparted=int(row["undeparted"]),
        teleports=int(row["teleports"]),
        collisions=int(row["collisions"]),
        locked=str(row["locked"]) == "True",
        cpu_s=float(row["cpu_s"]),
        route_hash=row["route_hash"],
        sumo=row["sumo"],
    )


def write_approaches(case: str, approaches: Iterable[Approach], folder: Path = DATA) -> None:
    """Store the delays on approach links."""
    rows = [
        (a.family, a.index, a.plan_hash, a.model, a.link, f"{a.delay_s_per_veh:.4g}", f"{a.veh:.5g}")
        for a in approaches
    ]
    _table(folder / f"approaches_{case}.csv.gz", [f.name for f in fields(Approach)], rows)


def read_approaches(case: str, folder: Path = DATA) -> list[Approach]:
    """The stored delays on approach links; empty where there are none."""
    return [
        Approach(
            family=row["family"],
            index=int(row["index"]),
            plan_hash=row["plan_hash"],
            model=row["model"],
            link=row["link"],
            delay_s_per_veh=float(row["delay_s_per_veh"]),
            veh=float(row["veh"]),
        )
        for row in _rows(folder / f"approaches_{case}.csv.gz")
    ]

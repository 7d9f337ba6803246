"""Large networks: `its optimize` under its time limit against Webster's plan and the best plan known.

Every case is a process of its own, as a user would start it; wall time, CPU time and memory are its own. Its plan, the
field's, Webster's and the best known are then run in the engine's simulation on vehicles that the search has not seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks._scale_cases import GRIDS, Loaded, ScaleCase, known_cases, load, prepare
from benchmarks._scale_known import best_known, keep
from benchmarks._scale_webster import webster_plan
from benchmarks.cases import ROOT, copy_results, its_command
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import OutsideProgramError, SignalError
from network_data.formats.plan_json import read_plan_json
from network_data.plans import TimingPlan
from sim.parameters import STREET
from sim.simulate import Simulator
from sim.trips import draw_trips

QUICK_CASES = ("grid100",)
JUDGE_SEEDS = (9001, 9002)
"""Of the vehicles on which plans are judged; one in the largest networks."""
ONE_SEED_FROM = 3_000
ROW = "row.json"
"""What --keep keeps of a case beside its files."""
REMAKE_TIMES = 10
"""With --remake the search gets so many times its limit, to find better plans to measure against."""
MOST_OVER_BEST = {"grid100": 0.02, "grid1024": 0.03}
LEAST_BELOW_WEBSTER, MOST_GIB = 0.15, 8.0
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="signals", heading="signals"),
    Column(key="limit_s", heading="limit s", spec=".0f"),
    Column(key="field", heading="field s/veh", spec=".2f"),
    Column(key="webster", heading="Webster s/veh", spec=".2f"),
    Column(key="ours", heading="ours s/veh", spec=".2f"),
    Column(key="over_webster", heading="to Webster", spec="+.1%"),
    Column(key="best", heading="best known s/veh", spec=".2f"),
    Column(key="over_best", heading="to best", spec="+.1%"),
    Column(key="cpu_s", heading="CPU s", spec=".0f"),
    Column(key="wall_s", heading="wall s", spec=".1f"),
    Column(key="gib", heading="GiB", spec=".2f"),
    Column(key="in_time", heading="in time"),
    Column(key="verdict", heading="verdict"),
)
LEGEND = (
    "Delay per vehicle in the engine's own simulation on vehicles that the search has not seen. Webster: every signal "
    "its own cycle, or all the longest one, whichever is better; greens by critical flow ratios.",
    "Best known: the plan in benchmarks/best_known.json, run in today's engine; a better plan takes its place.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a process took."""

    wall_s: float
    cpu_s: float
    gib: float


def benchmark(options: Options) -> Table:
    """Every case, or one; quick: 100 signals. --remake searches longer, for better plans to measure against.

    With --keep a case that was measured there with the same code is not run again: a run that was cut off goes on.
    """
    rows = []
    for name in options.chosen(known_cases(), QUICK_CASES):
        row = _kept_row(options, name)
        if row is not None:
            rows.append(row)
            options.say(f"{name}: {row['verdict']} (kept)")
            continue
        row = {"case": name}
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            try:
                row |= _measured(prepare(name, folder), folder, options)
            except SignalError as error:
                row |= {"verdict": "not run", "error": " ".join(str(error).split())}
            if options.keep is not None:
                copy_results(folder, options.keep / name)
        if options.keep is not None and "error" not in row:
            text = json.dumps({"code": _code_hash(), "row": row}, indent=1) + "\n"
            (options.keep / name / ROW).write_text(text, encoding="utf-8")
        options.say(f"{name}: {row['verdict']}")
        rows.append(row)
    notes = [*LEGEND, *(f"{row['case']}: {row['error']}" for row in rows if row.get("error"))]
    failed = any(row["verdict"] != "met" and row["case"] in GRIDS for row in rows)
    return Table(title="Scale: large networks", columns=COLUMNS, rows=rows, notes=notes, failed=failed)


def _kept_row(options: Options, name: str) -> dict[str, Cell] | None:
    """What an earlier run with the same code has kept of a case."""
    path = options.keep / name / ROW if options.keep is not None and not options.remake else None
    if path is None or not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    row: dict[str, Cell] = kept["row"]
    return row if kept["code"] == _code_hash() else None


def _code_hash() -> str:
    """SHA-256 of all modules."""
    out = hashlib.sha256()
    for room in ("network_data", "sim", "optimizer", "its", "benchmarks"):
        for path in sorted((ROOT / room).rglob("*.py")):
            out.update(path.read_bytes())
    return out.hexdigest()


def _measured(case: ScaleCase, folder: Path, options: Options) -> dict[str, Cell]:
    limit_s = case.time_limit_s * (REMAKE_TIMES if options.remake else 1)
    spent = run_process(
        its_command("optimize", *case.options, "--time-limit", limit_s, "--out", folder / "out"), folder / "said.txt"
    )
    loaded = load(case)
    plan = read_plan_json(folder / "out" / "plan.json", loaded.network)
    known = best_known(case.name, loaded.network)
    websters = [webster_plan(loaded.network, loaded.field, loaded.demand, common=c) for c in (False, True)]
    plans = [loaded.field, *websters, plan, *([known.plan] if known is not None else [])]
    field, own, common, ours, *best = delays_s_per_veh(loaded, plans)
    if not best or ours < best[0] - 1e-9:
        keep(case.name, loaded.network, plan, ours, how=f"its optimize --time-limit {limit_s:g}")
        best = [min([ours, *best])]
    row: dict[str, Cell] = {
        "signals": len(loaded.network.controllers),
        "limit_s": limit_s,
        "field": field,
        "webster": min(own, common),
        "ours": ours,
        "over_webster": ours / min(own, common) - 1,
        "best": best[0],
        "over_best": ours / best[0] - 1,
        "cpu_s": spent.cpu_s,
        "wall_s": spent.wall_s,
        "gib": spent.gib,
        "in_time": spent.wall_s <= limit_s,
    }
    return {**row, "verdict": _verdict(case.name, row)}


def _verdict(name: str, row: dict[str, Cell]) -> str:
    """What of the promises is not kept."""
    missed = []
    if not row["in_time"]:
        missed.append("too late")
    if float(row["over_best"] or 0.0) > MOST_OVER_BEST.get(name, np.inf):
        missed.append("too far from the best")
    if name == "grid10000" and float(row["over_webster"] or 0.0) > -LEAST_BELOW_WEBSTER:
        missed.append("too near to Webster")
    if float(row["gib"] or 0.0) > MOST_GIB:
        missed.append("too much memory")
    return ", ".join(missed) or "met"


def delays_s_per_veh(loaded: Loaded, plans: Sequence[TimingPlan]) -> list[float]:
    """Mean delay of each plan on the judge's vehicles. [s/veh]"""
    seeds = JUDGE_SEEDS[:1] if len(loaded.network.controllers) >= ONE_SEED_FROM else JUDGE_SEEDS
    trips = [
        draw_trips(loaded.network, scenario, seed=1000 * seed + n, spacing_m=STREET.spacing_m)
        for n, scenario in enumerate(loaded.demand.scenarios)
        for seed in seeds
    ]
    simulator = Simulator(loaded.network, trips, begin_s=loaded.begin_s, end_s=loaded.end_s, workers=len(seeds))
    weights = np.repeat(np.array(loaded.demand.weights) / len(seeds), len(seeds))
    return [float(np.dot(weights, [t.delay_s_per_veh for t in row])) for row in simulator.run(plans)]


def run_process(command: Sequence[str], said: Path) -> Spent:
    """Run a process to its end and tell what it took, its own children not counted.

    Raises
    ------
    OutsideProgramError
        It did not end with exit code 0.
    """
    began_s = time.monotonic()
    with said.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began_s
    if process.returncode != 0:
        lines = [line for line in said.read_text(encoding="utf-8").splitlines() if line.strip()]
        last = lines[-1] if lines else "nothing printed"
        raise OutsideProgramError(f"its optimize ended with {process.returncode}: {last}")
    # Linux counts the largest resident set in KiB
    return Spent(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, gib=usage.ru_maxrss / 2**20)

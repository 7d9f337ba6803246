"""What robustness costs and buys: the plan for the mean and the robust one on working days neither has seen.

`its optimize` gets two weeks of counts of a Bologna network with Münster's days, for the hours from 7 to 9: once for
the mean over the days, once with `tail_weight`, `tail_share` and `drawn_counts`. Both searches get as many iterations.
The plans then meet the vehicles of the working days of the next two weeks.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._muenster_days import DayStreet, day_street, loops_everywhere, write_counts, write_detectors
from benchmarks.cases import ROOT, cases, its_command
from benchmarks.day import LEVELS, SEED_SEEN, SEED_UNSEEN, SEEN, UNSEEN
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import OutsideProgramError, SignalError
from network_data.formats.plan_json import read_plan_json
from network_data.plans import TimingPlan
from network_data.settings import Objective
from optimizer.day.traffic import between
from optimizer.objectives import Weighing
from optimizer.robust import Outcome, judged_on

BEGIN_S, END_S, WARMUP_S = 25_200.0, 32_400.0, 600.0
DRAWS = 3
TAIL_SHARE = 0.2
ROBUST = f"tail_weight = 0.5\ntail_share = {TAIL_SHARE}\ndrawn_counts = 2\nheld_out = 0\n"
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="plan", heading="plan"),
    Column(key="days", heading="unseen days"),
    Column(key="mean_s_per_veh", heading="mean s/veh", spec=".2f"),
    Column(key="tail_s_per_veh", heading=f"worst {TAIL_SHARE:.0%} s/veh", spec=".2f"),
    Column(key="worst_s_per_veh", heading="worst day", spec=".2f"),
    Column(key="mean_less_first", heading="mean less first", spec="+.2f"),
    Column(key="se", heading="± SE", spec=".2f"),
    Column(key="tail_less_first", heading="tail less first", spec="+.2f"),
    Column(key="verdict", heading="verdict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Iterations of the search, the same for both plans in all."""

    iterations: int


FULL, QUICK = Effort(iterations=300), Effort(iterations=30)


def benchmark(options: Options) -> Table:
    """Both networks at two levels of demand; quick: one case with less effort."""
    names = [f"{area}{level}" for area in ("pasubio", "acosta") for level in LEVELS]
    effort = QUICK if options.quick else FULL
    rows: list[dict[str, Cell]] = []
    notes = [
        f"its optimize for 7 to 9 h from the counts of two weeks, {effort.iterations} iterations per plan; judged "
        "on the working days of 2015-09-21 to 10-04, differences paired by day",
        "Datenquelle: Stadt Münster (dl-de/by-2-0)",
    ]
    for name in options.chosen(names, ["pasubio80"]):
        began_s = time.monotonic()
        try:
            rows += case_rows(name, effort)
        except SignalError as error:
            rows.append({"case": name, "verdict": "failed"})
            notes.append(f"{name}: {error}")
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
    failed = any(row["verdict"] == "failed" for row in rows)
    return Table(
        title="Robust plans on days they have not seen", columns=COLUMNS, rows=rows, notes=notes, failed=failed
    )


def case_rows(name: str, effort: Effort) -> list[dict[str, Cell]]:
    """Both plans of a case and the field's, judged."""
    area, level = name[:-2], LEVELS[name[-2:]]
    street = day_street(area, level=level, days=[*SEEN, *UNSEEN])
    with tempfile.TemporaryDirectory() as folder:
        loops = loops_everywhere(street.network)
        write_detectors(Path(folder, "detectors.csv"), loops)
        write_counts(Path(folder, "counts.csv.gz"), street, loops, SEEN, seed=SEED_SEEN)
        mean = optimized(area, street, Path(folder), "mean", "", effort.iterations)
        # a robust run spends half of its iterations on a plan for the mean
        robust = optimized(area, street, Path(folder), "robust", ROBUST, effort.iterations // 2)
    days = [
        [between(street.trips(day, seed=SEED_UNSEEN + 100 * n), BEGIN_S - WARMUP_S, END_S) for n in range(DRAWS)]
        for day in UNSEEN
        if day.weekday() < 5
    ]
    found = judged_on(
        street.network,
        {"for the mean": mean, "robust": robust, "field plan": street.field},
        days,
        Weighing(Objective(tail_share=TAIL_SHARE)),
        begin_s=BEGIN_S,
        end_s=END_S,
        warmup_s=WARMUP_S,
    )
    return [row_of(name, one) for one in found]


def optimized(area: str, street: DayStreet, folder: Path, name: str, objective: str, iterations: int) -> TimingPlan:
    """A plan as a user would make it.

    Raises
    ------
    OutsideProgramError
        `its optimize` did not end with exit code 0.
    """
    case = cases()[f"bologna_{area}"]
    settings, out = folder / f"{name}.toml", folder / name
    settings.write_text(f'[counts]\ntime_zone = "Europe/Berlin"\n\n[objective]\n{objective}', encoding="utf-8")
    options: list[object] = ["--detectors", folder / "detectors.csv", "--counts", folder / "counts.csv.gz"]
    options += ["--plans", case.field_plan] if case.field_plan is not None else []
    options += ["--begin", BEGIN_S, "--end", END_S, "--settings", settings, "--iterations", iterations, "--out", out]
    done = subprocess.run(
        its_command("optimize", case.network, *options), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise OutsideProgramError(f"its optimize ended with {done.returncode}: {done.stderr[-2000:]}")
    return read_plan_json(out / "plan.json", street.network)


def row_of(case: str, one: Outcome) -> dict[str, Cell]:
    """A plan's row."""
    verdict = ""
    if one.mean_less_first is not None and one.se is not None:
        gap, far = one.mean_less_first, 2 * one.se
        verdict = "better on the mean" if gap < -far else "worse on the mean" if gap > far else "no difference"
    return {
        "case": case,
        "plan": one.name,
        "days": len(one.values),
        "mean_s_per_veh": one.mean,
        "tail_s_per_veh": one.tail,
        "worst_s_per_veh": one.worst,
        "mean_less_first": one.mean_less_first,
        "se": one.se,
        "tail_less_first": one.tail_less_first,
        "verdict": verdict,
    }

"""Plans of the day on days they have not seen: Münster's day shapes on the Bologna networks.

`its day` gets two weeks of counts and nothing else. Its day plan, the best single plan, the day in three equal parts
(each with the plan that is best there) and the programs in force then meet the vehicles of the next two weeks: every
day whole, every transition simulated, all on the same vehicles. Differences are paired by day. Cases that end in `sumo`
run some hours of a few of these days in SUMO, which switches by WAUT.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks._muenster_days import (
    DayStreet,
    dates,
    day_street,
    loops_everywhere,
    write_counts,
    write_detectors,
)
from benchmarks.cases import ROOT, cases, copy_results, its_command
from benchmarks.tables import Cell, Column, Options, Table
from its.referee_runs import run_plan
from its.sumo import Scenario
from its.sumo_trips import write_routes
from network_data.errors import OutsideProgramError, SignalError
from network_data.formats.dayplan_json import WeekPlans, load_day_document, read_week_plans
from network_data.formats.sumo_waut import write_sumo_day
from network_data.plans import TimingPlan
from network_data.schedule import DAY_S, DayPlan
from network_data.whole_seconds import to_sumo
from optimizer.day.traffic import HISTORY_S, between
from sim.simulate import Simulator
from sim.transitions import compile_schedule

SEEN, UNSEEN = dates(date(2015, 9, 7), 14), dates(date(2015, 9, 21), 14)
HOLIDAY = date(2015, 10, 3)
"""German Unity Day, the last Saturday: planned as a Sunday, as the settings say."""
LEVELS = {"60": 0.6, "80": 0.8}
SINGLE, UNIFORM, FIELD = "1 plan", "3 equal parts", "field plan"
SEED_SEEN, SEED_UNSEEN = 1, 2
SUMO_DAYS, SUMO_BEGIN_S, SUMO_END_S = 2, 21_600.0, 36_000.0
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="way", heading="way through the day"),
    Column(key="plans", heading="plans"),
    Column(key="switches", heading="switches"),
    Column(key="days", heading="unseen days"),
    Column(key="delay_s_per_veh", heading="delay s/veh", spec=".2f"),
    Column(key="difference_s_per_veh", heading="day plan less this s/veh", spec="+.2f"),
    Column(key="se_s_per_veh", heading="± SE", spec=".2f"),
    Column(key="share", heading="of this", spec="+.1%"),
    Column(key="better_days", heading="days better"),
    Column(key="verdict", heading="verdict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Seconds for `its day`."""

    time_limit_s: float


FULL, QUICK = Effort(time_limit_s=900), Effort(time_limit_s=90)


def benchmark(options: Options) -> Table:
    """Every case; quick: one, with less time for the plans."""
    names = [f"{area}{level}{model}" for area in ("pasubio", "acosta") for level in LEVELS for model in ("", " sumo")]
    rows: list[dict[str, Cell]] = []
    notes = [
        "its day from counts of 2015-09-07 to 09-20, judged on 2015-09-21 to 10-04; delay per vehicle of whole days, "
        "transitions included; verdict: two standard errors",
        "Datenquelle: Stadt Münster (dl-de/by-2-0), loops given to the entries of the Bologna networks by lot",
    ]
    effort = QUICK if options.quick else FULL
    plain = [name for name in names if not name.endswith("sumo")]
    for name in options.chosen(names if options.only else plain, ["pasubio80"]):
        began_s = time.monotonic()
        try:
            found = case_rows(name, effort, options.keep)
        except SignalError as error:
            found = [{"case": name, "verdict": "failed"}]
            notes.append(f"{name}: {error}")
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
        rows += found
    failed = any(row["verdict"] == "failed" for row in rows)
    return Table(title="Day plans on days they have not seen", columns=COLUMNS, rows=rows, notes=notes, failed=failed)


def case_rows(name: str, effort: Effort, keep: Path | None) -> list[dict[str, Cell]]:
    """Plan a case from the days seen, and judge every way through the day on the days not seen."""
    place, _, model = name.partition(" ")
    area, level = place[:-2], LEVELS[place[-2:]]
    street = day_street(area, level=level, days=[*SEEN, *UNSEEN])
    kept = keep / place / "plan" if keep is not None else None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "plan")
        if kept is not None and (kept / "dayplan.json").is_file():
            out = kept
        else:
            plan_from_counts(area, street, effort, Path(folder), out)
            if kept is not None:
                copy_results(out, kept)
        document = load_day_document(out / "dayplan.json")
        weeks = {
            one.name: read_week_plans(out / "dayplan.json", street.network, one.name)
            for one in (document.week, *document.others)
        }
        sizes = {one.name: _size(one.types) for one in (document.week, *document.others)}
        delays = in_sumo(area, street, weeks, Path(folder)) if model else in_engine(street, weeks)
    return compared(name, document.week.name, delays, sizes)


def _size(types: Mapping[str, Sequence[object]]) -> tuple[int, int]:
    plans = {getattr(row, "plan", None) for rows in types.values() for row in rows}
    return len(plans), sum(len(rows) if len(rows) > 1 else 0 for rows in types.values())


def plan_from_counts(area: str, street: DayStreet, effort: Effort, folder: Path, out: Path) -> None:
    """Run `its day` as a user would.

    Raises
    ------
    OutsideProgramError
        It did not end with exit code 0.
    """
    case = cases()[f"bologna_{area}"]
    loops = loops_everywhere(street.network)
    write_detectors(folder / "detectors.csv", loops)
    write_counts(folder / "counts.csv.gz", street, loops, SEEN, seed=SEED_SEEN)
    settings = folder / "settings.toml"
    settings.write_text(
        f'[counts]\ntime_zone = "Europe/Berlin"\n\n[day]\nholidays = [{HOLIDAY.isoformat()}]\n', encoding="utf-8"
    )
    options: list[object] = ["--detectors", folder / "detectors.csv", "--counts", folder / "counts.csv.gz"]
    options += ["--plans", case.field_plan] if case.field_plan is not None else []
    options += ["--settings", settings, "--time-limit", effort.time_limit_s, "--out", out]
    done = subprocess.run(
        its_command("day", case.network, *options), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise OutsideProgramError(f"its day ended with {done.returncode}: {done.stderr[-2000:]}")


def in_engine(street: DayStreet, weeks: Mapping[str, WeekPlans]) -> dict[str, list[float]]:
    """Delay per vehicle of every unseen day under every way through it. [s/veh]"""
    out: dict[str, list[float]] = {name: [] for name in weeks}
    for day in UNSEEN:
        trips = street.trips(day, seed=SEED_UNSEEN)
        simulator = Simulator(
            street.network, [trips], begin_s=0.0, end_s=DAY_S, warmup_s=HISTORY_S, seed=day.toordinal()
        )
        for name, week in weeks.items():
            laid = compile_schedule(
                street.network, week.day(day), begin_s=-HISTORY_S, end_s=DAY_S, method=week.transition
            )
            out[name].append(simulator.run([laid.unrolled()])[0][0].delay_s_per_veh)
    return out


def in_sumo(area: str, street: DayStreet, weeks: Mapping[str, WeekPlans], folder: Path) -> dict[str, list[float]]:
    """The same in SUMO, a morning of the first unseen working days. [s/veh]"""
    case = cases()[f"bologna_{area}"]
    wanted = {name: week for name, week in weeks.items() if name in (SINGLE, UNIFORM, FIELD, next(iter(weeks)))}
    out: dict[str, list[float]] = {name: [] for name in wanted}
    present = {c.id: c.programs for c in street.network.controllers.values()}
    for day in [day for day in UNSEEN if day.weekday() < 5][:SUMO_DAYS]:
        routes = folder / f"{day}.rou.xml"
        trips = between(street.trips(day, seed=SEED_UNSEEN), SUMO_BEGIN_S, SUMO_END_S)
        write_routes(trips, street.network, routes)
        scenario = Scenario(network=case.network, routes=(routes,), begin_s=SUMO_BEGIN_S, end_s=SUMO_END_S)
        for name, week in wanted.items():
            path = folder / f"{day}.{name.replace(' ', '-')}.add.xml"
            path.write_text(write_sumo_day(whole_seconds(street, week.day(day)), present), encoding="utf-8")
            run = run_plan(scenario, [path], seed=day.toordinal() % 10_000, approaches=street.network.approaches)
            out[name].append(run.delay_s_per_veh)
    return out


def whole_seconds(street: DayStreet, day: DayPlan) -> DayPlan:
    """The day as SUMO runs it."""
    times = sorted({switch.at_s for one in day.controllers.values() for switch in one.switches})
    rows: list[tuple[float, TimingPlan]] = []
    for at_s in times:
        plan = day.plan_at(at_s)
        name = next(iter(plan.controllers.values())).program_id
        rows.append((at_s, to_sumo(plan, street.network, street.field, name)[0]))
    return DayPlan.of_plans(rows)


def compared(
    case: str, chosen: str, delays: Mapping[str, Sequence[float]], sizes: Mapping[str, tuple[int, int]]
) -> list[dict[str, Cell]]:
    """A row for every way: its mean delay and the paired difference of the day plan to it."""
    own = np.array(delays[chosen])
    rows: list[dict[str, Cell]] = []
    for name, values in delays.items():
        other = np.array(values)
        row: dict[str, Cell] = {
            "case": case,
            "way": f"{name} (the day plan)" if name == chosen else name,
            "plans": sizes[name][0],
            "switches": sizes[name][1],
            "days": len(other),
            "delay_s_per_veh": float(other.mean()),
            "verdict": "",
        }
        if name != chosen:
            gap = own - other
            se = float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("nan")
            mean = float(gap.mean())
            row |= {
                "difference_s_per_veh": mean,
                "se_s_per_veh": se if np.isfinite(se) else None,
                "share": mean / float(other.mean()),
                "better_days": int((gap < 0).sum()),
                "verdict": "better" if mean < -2 * se else "worse" if mean > 2 * se else "no difference",
            }
        rows.append(row)
    return rows

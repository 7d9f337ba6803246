"""Daejeon's signals through a day: the five plans in force against five of the engine, in the engine's simulation.

The network comes as SALT files and goes the user's way: `its convert --repair yellow,turn-on-red` (plans whose greens
go straight to red would break the rules themselves; right turns go on red after a stop, as the law has it), `its
optimize` for one hour of each of the five periods, and both days are simulated. There are no counts: the demand is
synthetic, declared in `benchmarks/_town_demand.py`. No crossings are mapped, so that the engine assumes one on every
signalled approach and keeps its walk times.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._quality_methods import last_line
from benchmarks._quality_store import Store, engine_hash, file_hash, hash_of
from benchmarks._town_demand import TownFlows, demand_of, summary, town_flows, turns_csv
from benchmarks.cases import ROOT, data_pack, its_command
from benchmarks.tables import Cell, Column, Table
from its.intervals import estimate, t95
from its.recognize import load_day, load_network
from network_data.errors import InputError, OutsideProgramError
from network_data.formats.plan_json import read_plan_json
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.schedule import DAY_S, DayPlan
from network_data.trips import Trips
from sim.simulate import Simulator, Totals
from sim.transitions import compile_schedule
from sim.trips import draw_trips

NAME = "daejeon"
LOAD, SEED = 0.6, 1
"""Degree of saturation that few approaches exceed in the busiest hour [-]: as much, in steps of 0.1, as the plans in
force carry through a day without streets that lock each other for good. And the seed of the flows."""
LIMIT_S, QUICK_LIMIT_S = 60, 15
REALIZATIONS, QUICK_REALIZATIONS = 8, 3
DAYS, QUICK_DAYS = 2, 0
"""Realizations of the whole day."""
JUDGED_FROM = 7000
"""Seed of the first realization that plans are judged on; `its optimize` draws its own from 0 on."""
WARMUP_S = 900.0
HOUR_S = 3600.0
SETTINGS = '[rules]\nleft_turns = "keep"\npedestrians = "assume"\n'
COLUMNS = (
    Column(key="period", heading="period"),
    Column(key="judged", heading="judged at"),
    Column(key="veh", heading="vehicles", spec=",.0f"),
    Column(key="field_s_per_veh", heading="plans in force s/veh", spec=".1f"),
    Column(key="field_se", heading="std. error", spec=".2f"),
    Column(key="engine_s_per_veh", heading="engine s/veh", spec=".1f"),
    Column(key="engine_se", heading="std. error", spec=".2f"),
    Column(key="difference_s_per_veh", heading="difference s/veh", spec="+.1f"),
    Column(key="difference_se", heading="std. error", spec=".2f"),
    Column(key="made_s", heading="made in s", spec=".0f"),
    Column(key="verdict", heading="verdict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A part of the day with one plan in force; the plan for it is made and judged at one hour of it."""

    name: str
    from_s: float
    hour_s: float


PERIODS = (
    Period(name="night, 00:00 to 07:00", from_s=0.0, hour_s=6 * HOUR_S),
    Period(name="morning, 07:00 to 09:30", from_s=7 * HOUR_S, hour_s=8 * HOUR_S),
    Period(name="day, 09:30 to 17:00", from_s=9.5 * HOUR_S, hour_s=15 * HOUR_S),
    Period(name="evening, 17:00 to 21:00", from_s=17 * HOUR_S, hour_s=18 * HOUR_S),
    Period(name="late, 21:00 to 24:00", from_s=21 * HOUR_S, hour_s=21 * HOUR_S),
)
"""As 100 of the signals switch; five switch twice more at noon, four never."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Town:
    """The repaired network, its day, and the flows of the busiest hour."""

    folder: Path
    network: RoadNetwork
    field: DayPlan
    flows: TownFlows


def daejeon_table(store: Store, say: Callable[[str], None], *, quick: bool = False) -> Table:
    """The five periods and the whole day; fails where a plan could not be made or loses against the one in force."""
    town = read_town(store)
    known = summary(town.flows, town.network)
    n = QUICK_REALIZATIONS if quick else REALIZATIONS
    rows: list[dict[str, Cell]] = []
    plans: list[tuple[float, TimingPlan]] = []
    for period in PERIODS:
        say(f"daejeon: {period.name}")
        row: dict[str, Cell] = {"case": NAME, "period": period.name, "judged": _clock(period.hour_s)}
        try:
            plan, made_s = optimized(town, period, store, QUICK_LIMIT_S if quick else LIMIT_S)
        except OutsideProgramError as error:
            rows.append(row | {"error": str(error).strip(), "verdict": "no plan"})
            continue
        plans.append((period.from_s, plan))
        rows.append(row | {"made_s": made_s} | _judged(town, period, plan, n))
    days = QUICK_DAYS if quick else DAYS
    if days and len(plans) == len(PERIODS):
        say("daejeon: the whole day, with its switches")
        rows.append(
            {"case": NAME, "period": "whole day, with switches", "judged": "24 h", **whole_day(town, plans, days)}
        )
    return Table(
        title=f"Quality: {len(town.network.controllers)} signals of Daejeon through a day, synthetic demand",
        columns=COLUMNS,
        rows=rows,
        notes=[
            f"engine's own simulation, {n} realizations that the search has not seen; `its optimize` from the "
            "synthetic turns, crossings assumed on every approach, left_turns keep",
            f"synthetic: {known['starts_vph']:,.0f} vehicles start in the busiest hour, 95 % of the signalled turns "
            f"below v/c {LOAD:g} there; by class of road and lanes, seed {SEED}",
            *[f"{row['period']}: {row['error']}" for row in rows if row.get("error")],
        ],
        failed=any(row["verdict"] in ("no plan", "worse") for row in rows),
    )


def read_town(store: Store) -> Town:
    """The network by the user's way: SALT, repaired, as a GMNS package that is read again.

    Raises
    ------
    InputError
        The data pack is not there.
    OutsideProgramError
        `its convert` failed.
    """
    source = data_pack() / "daejeon_doan"
    if not source.is_dir():
        raise InputError(NAME, f"{source} is not there (set SIGNAL_DATA)")
    files = sorted(path for path in source.iterdir() if path.suffix == ".gz")
    folder = store.folder_of("networks", f"{NAME}-{hash_of(engine_hash(), *map(file_hash, files))}")
    if not (folder / "its_day.csv").is_file():
        _its("convert", source, folder, "--to", "gmns", "--repair", "yellow,turn-on-red")
    network = load_network(folder)
    day = load_day(folder, network)
    if day is None:
        raise InputError(NAME, f"{folder} holds no plans of a day")
    flows = town_flows(network, day.plan_at(8 * HOUR_S), load=LOAD, seed=SEED)
    return Town(folder=folder, network=network, field=day, flows=flows)


def optimized(town: Town, period: Period, store: Store, limit_s: float) -> tuple[TimingPlan, float]:
    """The engine's plan for a period, from the store or made now, and how long that took. [s]"""
    begin_s, end_s = period.hour_s, period.hour_s + HOUR_S
    turns = turns_csv(demand_of(town.flows, begin_s=begin_s, end_s=end_s))
    key = f"{NAME}-{period.hour_s:g}-{limit_s:g}-{hash_of(town.folder.name, turns, SETTINGS)}"
    folder = store.folder_of("plans", key)
    kept = store.load("plans", key)
    if kept is None or not (folder / "plan.json").is_file():
        (folder / "turns.csv").write_text(turns, encoding="utf-8")
        (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
        began_s = time.monotonic()
        _its(
            "optimize", town.folder, "--turns", folder / "turns.csv", "--plans", town.folder, "--begin", begin_s,
            "--end", end_s, "--settings", folder / "settings.toml", "--time-limit", limit_s, "--out", folder,
        )  # fmt: skip
        kept = {"case": NAME, "method": period.name, "made_s": time.monotonic() - began_s}
        store.save("plans", key, kept)
    return read_plan_json(folder / "plan.json", town.network), kept["made_s"]


def _its(*words: object) -> None:
    done = subprocess.run(its_command(*map(str, words)), capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise OutsideProgramError(f"its {words[0]} ended with {done.returncode}: {last_line(done.stderr)}")


def _judged(town: Town, period: Period, plan: TimingPlan, n: int) -> dict[str, Cell]:
    """Both plans of a period on the same vehicles."""
    begin_s, end_s = period.hour_s, period.hour_s + HOUR_S
    trips = drawn(town, begin_s, end_s, n)
    simulator = Simulator(town.network, trips, begin_s=begin_s, end_s=end_s, warmup_s=WARMUP_S, workers=2)
    field, ours = simulator.run([town.field.plan_at(begin_s), plan])
    return compared(field, ours)


def drawn(town: Town, begin_s: float, end_s: float, n: int) -> list[Trips]:
    """Realizations that no search has seen."""
    demand = demand_of(town.flows, begin_s=begin_s, end_s=end_s)
    return [draw_trips(town.network, demand, seed=JUDGED_FROM + k, warmup_s=WARMUP_S) for k in range(n)]


def whole_day(town: Town, plans: Sequence[tuple[float, TimingPlan]], n: int) -> dict[str, Cell]:
    """Both days from midnight to midnight, with what it takes to switch."""
    trips = drawn(town, 0.0, DAY_S, n)
    simulator = Simulator(town.network, trips, begin_s=0.0, end_s=DAY_S, workers=2)
    field, ours = simulator.run([laid_out(town.network, day) for day in (town.field, DayPlan.of_plans(plans))])
    return compared(field, ours)


def laid_out(network: RoadNetwork, day: DayPlan) -> TimingPlan:
    """A day as one plan: programs that switch as one long program, the others as they are."""
    # who shows the same all day has no program that could be laid out: an interval lasts less than a day
    varied = {
        c: own for c, own in day.controllers.items() if len({i.state for p in own.programs for i in p.intervals}) > 1
    }
    laid = compile_schedule(network, DayPlan(controllers=varied), begin_s=0.0, end_s=DAY_S)
    switched = {transition.controller_id for transition in laid.transitions}
    shown = {c: program for c, program in laid.unrolled().controllers.items() if c in switched}
    return TimingPlan(controllers=day.plan_at(0.0).controllers | shown)


def compared(field: Sequence[Totals], ours: Sequence[Totals]) -> dict[str, Cell]:
    """Means with standard errors, the difference paired by realization, and the verdict at 95 %."""
    row: dict[str, Cell] = {"veh": sum(x.veh for x in field) / len(field)}
    pairs = {
        "field": [x.delay_s_per_veh for x in field],
        "engine": [x.delay_s_per_veh for x in ours],
        "difference": [b.delay_s_per_veh - a.delay_s_per_veh for a, b in zip(field, ours, strict=True)],
    }
    for name, values in pairs.items():
        told = estimate(values)
        row[f"{name}_s_per_veh"] = told.mean
        row[f"{name}_se"] = told.ci95 / t95(len(values) - 1) if len(values) > 1 else None
    change = estimate(pairs["difference"])
    if len(field) < 2:
        return row | {"verdict": "one realization"}
    better, worse = change.mean + change.ci95 < 0, change.mean - change.ci95 > 0
    return row | {"verdict": "better" if better else "worse" if worse else "no difference"}


def _clock(begin_s: float) -> str:
    hour = int(begin_s // HOUR_S)
    return f"{hour:02d}:00 to {hour + 1:02d}:00"


def in_scratch(say: Callable[[str], None], keep: Path | None, *, quick: bool) -> Table:
    """The table with a store in the folder that is kept, else in one that is not."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep if keep is not None else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        return daejeon_table(Store(folder.resolve()), say, quick=quick)

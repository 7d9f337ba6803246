"""Quality of plans: every method on the same counts and the same seeds of SUMO, the engine's beside all others.

Plans are made once per case, the engine's from counts alone; each then runs at several shares of the demand. Plans and
SUMO's answers are kept by hash in the folder given with `--keep`: a run that was cut off goes on where it was.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _quality_daejeon as daejeon
from benchmarks._quality_bounds import bounds_table
from benchmarks._quality_methods import (
    METHODS,
    Inputs,
    Made,
    Method,
    chosen_methods,
    inputs_of,
    is_made,
    make,
)
from benchmarks._quality_runs import DEMANDS, FULL, LOW_DEMANDS, WORKERS, Demand, Judge, Run, check, demands_of
from benchmarks._quality_store import Store
from benchmarks.cases import Case, cases, low_cases, referee, unpacked
from benchmarks.tables import Cell, Column, Options, Table
from network_data.detectors import read_detectors
from network_data.errors import InputError, SignalError
from network_data.formats.sumo_net import read_sumo_net

ADAPTIVE = ("adapt", "pressure")
"""Methods of the closed loop, and of what it is held against there alone, begin so."""
QUICK_CASES = ("cologne1", "grid4x4")
SEEDS, QUICK_SEEDS = 5, 2
SURPRISE = 0.05
"""Deviation of the shipped plan's delay from the known figure that is reported. [-]"""
PERCENTS = ("100", "90", "110", "60", "80")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One case under measurement: its methods with their plans, and the judge that holds SUMO's answers."""

    inputs: Inputs
    judge: Judge
    methods: Sequence[Method]
    demands: Sequence[Demand]
    seeds: int

    def runs(self, made: Mapping[str, Made]) -> list[Run]:
        """Every SUMO run of the table; at full demand first, and there seed by seed."""
        plans = [made[method.name].path for method in self.methods if not made[method.name].error]
        return [
            Run(plan=plan, demand=demand, seed=seed)
            for demand in self.demands
            for seed in range(1, self.seeds + 1)
            for plan in plans
        ]


def benchmark(options: Options) -> Table:
    """Every case (quick: two small ones, few methods, full demand); a case that cannot run says why and fails.

    Daejeon has no SUMO demand to be judged in: its day is a table of its own, behind the others.
    """
    known = cases() | low_cases()
    names = options.chosen([*known, daejeon.NAME], QUICK_CASES)
    if names == [daejeon.NAME]:
        return daejeon.in_scratch(options.say, options.keep, quick=options.quick)
    parts = []
    if daejeon.NAME in names:
        names.remove(daejeon.NAME)
        parts = [_daejeon(options)]
    methods = chosen_methods(options.methods, quick=options.quick)
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    scales = options.scales or ((1.0,) if options.quick else ())
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep if options.keep is not None else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder.resolve())
        rows: list[dict[str, Cell]] = []
        notes: list[str] = []
        for name in names:
            demands = demands_of(name, scales)
            routes = Path(scratch, name)
            routes.mkdir()
            try:
                of_case = _case_rows(known[name], methods, demands, seeds, store, routes, options)
            except SignalError as error:
                rows.append({"case": name, "method": "", "label": "", "error": str(error).strip()})
                continue
            rows += of_case
            notes += _surprise(of_case, known[name], seeds)
        if (adaptive := folder / "adapt.json").is_file():
            more, told = adaptive_rows(adaptive, seeds, names)
            rows, notes = joined(rows, more), [*notes, *told]
    return _table(rows, names, seeds, notes, parts)


def _daejeon(options: Options) -> Table:
    """Daejeon's table; where it cannot be made, why not."""
    try:
        return daejeon.in_scratch(options.say, options.keep, quick=options.quick)
    except SignalError as error:
        return Table(title="Quality: Daejeon", columns=(), rows=(), notes=[str(error).strip()], failed=True)


def _table(
    rows: Sequence[Mapping[str, Cell]],
    names: Sequence[str],
    seeds: int,
    more_notes: Sequence[str],
    parts: Sequence[Table],
) -> Table:
    judge = "the referee" if referee() is not None else "its check (no referee beside the data pack)"
    notes = [
        f"delay per loaded vehicle in SUMO, {seeds} common seeds, ± 95 %; safety judged by {judge}. Every plan is "
        "made once: the engine's from the counts, those of SUMO's tools from the exact routes",
        "90 and 110 %: departures moved at random by up to 300 s; difference: to the shipped plan at 100 %, by seed",
        *more_notes,
    ]
    notes += [f"{row['case']} {row['label']}: {row['error']}" for row in rows if row.get("error")]
    notes += [f"{row['case']} {row['label']}: {row['first_violation']}" for row in rows if row.get("first_violation")]
    bounds = bounds_table(rows, names)
    return Table(
        title="Quality: every method on the same demand",
        columns=_columns(rows),
        rows=rows,
        notes=notes,
        failed=any(part.failed for part in (bounds, *parts)) or any(_broken(row) for row in rows),
        parts=(bounds, *parts),
    )


def _columns(rows: Sequence[Mapping[str, Cell]]) -> list[Column]:
    percents = [p for p in PERCENTS if any(row.get(f"delay_{p}_s_per_veh") is not None for row in rows)]
    out = [Column(key="case", heading="case"), Column(key="label", heading="method")]
    for percent in percents:
        out.append(Column(key=f"delay_{percent}_s_per_veh", heading=f"{percent} % s/veh", spec=".1f"))
        out.append(Column(key=f"ci95_{percent}_s_per_veh", heading="±", spec=".1f"))
    out += [
        Column(key="difference_s_per_veh", heading="difference s/veh", spec="+.1f"),
        Column(key="difference_ci95_s_per_veh", heading="±", spec=".1f"),
        Column(key="check_ok", heading="check ok"),
        Column(key="made_s", heading="made in s", spec=".0f"),
        Column(key="remark", heading="remark"),
    ]
    return out


def _broken(row: Mapping[str, Cell]) -> bool:
    """Whether a row could not be measured, or a plan of the engine is unsafe, runs into faults or is a loss."""
    known = METHODS.get(str(row["method"]))
    if row["method"] and (known is None or known.kind != "engine"):
        return False
    difference, half = row.get("difference_s_per_veh"), row.get("difference_ci95_s_per_veh")
    worse = isinstance(difference, float) and isinstance(half, float) and difference - half > 0
    return bool(row.get("error") or row.get("check_ok") is False or worse or "teleports" in str(row.get("remark")))


def _case_rows(
    case: Case,
    methods: Sequence[Method],
    demands: Sequence[Demand],
    seeds: int,
    store: Store,
    scratch: Path,
    options: Options,
) -> list[dict[str, Cell]]:
    inputs = inputs_of(case, store)
    routes = unpacked(case.routes, scratch)
    bench = Bench(inputs=inputs, judge=Judge(inputs, routes, store), methods=methods, demands=demands, seeds=seeds)
    # one run of the shipped plan, which the table needs anyhow, tells how long the rest will take
    first = Run(plan=None, demand=FULL, seed=1)
    bench.judge.run([first], options.say)
    options.say(_estimate(bench, store, bench.judge.seconds_per_run(first)))
    made = {method.name: make(method, inputs, routes, store) for method in methods}
    bench.judge.run(bench.runs(made), options.say)
    return [_row(bench, method, made[method.name], store) for method in methods]


def _estimate(bench: Bench, store: Store, run_s: float) -> str:
    """How long a case will take: the plans that are not kept yet, and SUMO."""
    unmade = [method for method in bench.methods if not is_made(method, bench.inputs, store)]
    plans_s = sum(method.time_limit_s + 5 for method in unmade)
    n_runs = len(bench.methods) * len(bench.demands) * bench.seeds
    known = {m.name: Made() for m in bench.methods if m.kind == "shipped"}
    known |= {m.name: make(m, bench.inputs, (), store) for m in bench.methods if m not in unmade}
    kept = Bench(
        inputs=bench.inputs,
        judge=bench.judge,
        methods=[m for m in bench.methods if m.name in known],
        demands=bench.demands,
        seeds=bench.seeds,
    )
    n_left = n_runs - len(kept.runs(known)) + len(bench.judge.missing(kept.runs(known)))
    sumo_s = n_left * run_s / WORKERS
    return (
        f"{bench.inputs.case.name}: {len(unmade)} plans to make, {n_left} of {n_runs} SUMO runs of {run_s:.1f} s "
        f"to do: about {(plans_s + sumo_s) / 60:.0f} minutes"
    )


def _row(bench: Bench, method: Method, made: Made, store: Store) -> dict[str, Cell]:
    row: dict[str, Cell] = {"case": bench.inputs.case.name, "method": method.name, "label": method.label}
    if made.error:
        return row | {"error": made.error, "remark": "no plan"}
    row["made_s"] = made.made_s if made.path is not None else None
    remarks = [method.remark] if method.remark else []
    for demand in bench.demands:
        seen = bench.judge.summary(made.path, demand, bench.seeds)
        row[f"delay_{demand.key}_s_per_veh"] = seen.get("mean")
        row[f"ci95_{demand.key}_s_per_veh"] = seen.get("ci95")
        if seen["faults"]:
            remarks.append(f"{demand.key} %: {seen['faults']}")
        if demand == FULL and made.path is not None:
            row["difference_s_per_veh"] = seen.get("difference")
            row["difference_ci95_s_per_veh"] = seen.get("difference_ci95")
    if made.path is not None:
        row["check_ok"], row["first_violation"] = check(method, made.path, bench.inputs, store)
    return row | {"remark": "; ".join(remarks)}


def _surprise(rows: Iterable[Mapping[str, Cell]], case: Case, seeds: int) -> list[str]:
    """A word where the shipped plan's delay is not what it was known to be: then the case has changed."""
    shipped = next((row.get("delay_100_s_per_veh") for row in rows if row["method"] == "shipped"), None)
    if not isinstance(shipped, float) or abs(shipped / case.expected_s_per_veh - 1) < SURPRISE:
        return []
    known = f"known was {case.expected_s_per_veh:g}"
    return [f"{case.name}: the shipped plan has {shipped:.1f} s/veh under {seeds} seeds, {known}"]


def adaptive_rows(path: Path, seeds: int, names: Sequence[str]) -> tuple[list[dict[str, Cell]], list[str]]:
    """Rows of the closed loop for this table, out of what `benchmarks adapt --json` wrote; and what is left out.

    Only rows under the same seeds count, and of demands without shifted departures (100, 60, 80 %).
    """
    written = json.loads(path.read_text(encoding="utf-8"))["rows"]
    unshifted = {d.scale: d.key for d in (*DEMANDS, *LOW_DEMANDS) if not d.shift_s}
    out: dict[tuple[str, str], dict[str, Cell]] = {}
    notes = []
    for row in written:
        if row["case"] not in names or not str(row["method"]).startswith(ADAPTIVE):
            continue
        if row["seeds"] != seeds:
            notes.append(f"{row['case']} {row['label']}: {row['seeds']} seeds, not the {seeds} of this table: left out")
        elif row["scale"] in unshifted:
            key = unshifted[row["scale"]]
            one = out.setdefault(
                (row["case"], row["method"]), {"case": row["case"], "method": row["method"], "label": row["label"]}
            )
            one |= {f"delay_{key}_s_per_veh": row["delay_s_per_veh"], f"ci95_{key}_s_per_veh": row["ci95"]}
            if row["teleports"] or row["collisions"] or row["findings"]:
                one["remark"] = f"{key} %: teleports, collisions or findings of its judge"
    return list(out.values()), notes


def joined(rows: Sequence[Mapping[str, Cell]], more: Sequence[Mapping[str, Cell]]) -> list[dict[str, Cell]]:
    """The table with rows measured elsewhere, such as adaptive control, each behind the others of its case.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of this benchmark.
    more : sequence of mapping
        Rows with `case`, `method`, `label`, and `delay_100_s_per_veh` and the like where measured, on the same seeds.

    Raises
    ------
    InputError
        A row lacks one of the three names, or is there twice.
    """
    faults = [
        f"row {n}: no {key!r}" for n, row in enumerate(more) for key in ("case", "method", "label") if not row.get(key)
    ]
    there = [(row["case"], row["method"]) for row in rows]
    faults += [
        f"row {n}: {row.get('case')} has {row.get('method')!r} already"
        for n, row in enumerate(more)
        if (row.get("case"), row.get("method")) in there
    ]
    if faults:
        raise InputError("rows to join", faults)
    order = list(dict.fromkeys(str(row["case"]) for row in (*rows, *more)))
    return [dict(row) for case in order for row in (*rows, *more) if row["case"] == case]


def loop_coverage(case: Case, detectors: Path) -> str:
    """Signal approaches with a loop, of all: `15 of 40`."""
    network = read_sumo_net(case.network)
    approaches = {link for links in network.approaches.values() for link in links}
    looped = {detector.link_id for detector in read_detectors(detectors, network)}
    return f"{len(approaches & looped)} of {len(approaches)}"

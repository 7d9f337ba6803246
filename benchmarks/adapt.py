"""The closed loop against shipped plans, actuated control, max-pressure and the engine's own fixed plan, in SUMO.

All on the same demand and horizon, junction locks released after 60 s, at the shipped clearances; max-pressure sees
every vehicle, ours sees loops. Loops that fail are run at full demand only. What was run is kept in `--keep`, and a
run that was cut off goes on where it was; copied there as adapt.json the table joins that of `quality --keep`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._adapt_runs import FAULTS, OTHERS, OURS, Job, all_cases, make_plans, measure
from benchmarks.tables import Cell, Column, Options, Table
from its.intervals import estimate
from network_data.formats.files import write_aside

SEEDS, QUICK_SEEDS = 10, 1
SCALES = (1.0, 0.9, 1.1)
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
ORIENTATION = {"cologne8": 21.6, "cologne1": 26.1, "cologne3": 24.0, "grid4x4": 32.9}
"""Best published learning results, with SUMO 1.9 and every vehicle visible. [s/veh]"""
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="scale", heading="demand", spec=".0%"),
    Column(key="label", heading="method"),
    Column(key="seeds", heading="seeds"),
    Column(key="delay_s_per_veh", heading="delay s/veh", spec=".2f"),
    Column(key="ci95", heading="± 95 %", spec=".2f"),
    Column(key="undeparted", heading="not entered", spec=".1f"),
    Column(key="teleports", heading="teleports"),
    Column(key="collisions", heading="collisions"),
    Column(key="findings", heading="findings"),
    Column(key="late", heading="late"),
    Column(key="p99_ms", heading="p99 ms", spec=".1f"),
)


def benchmark(options: Options) -> Table:
    """Every case asked for; quick: one signal, one seed, full demand."""
    known = all_cases()
    names = options.chosen(list(known), ("cologne1",))
    chosen = options.methods or (("shipped", "pressure_queue", "adapt", "adapt_free") if options.quick else ())
    methods = [x for x in (*OTHERS, *OURS) if not chosen or x in chosen]
    seeds = options.seeds or (QUICK_SEEDS if options.quick else SEEDS)
    scales = options.scales or ((1.0,) if options.quick else SCALES)
    rows: list[Mapping[str, Cell]] = []
    notes = [f"{name} left out: {known[name].missing()}" for name in names if known[name].missing()]
    names = [name for name in names if not known[name].missing()]
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        make_plans(folder, names, methods, options.say)
        for name in names:
            for scale in scales:
                for method in methods:
                    if method in FAULTS and scale != 1.0:
                        continue
                    jobs = [
                        Job(case=name, scale=scale, method=method, seed=seed, folder=folder)
                        for seed in range(1, seeds + 1)
                    ]
                    rows.append(_row(name, scale, method, measure(jobs, options.say)))
                    options.say(f"{name} {scale:g} {method}: {rows[-1]['delay_s_per_veh']} s/veh")
        if options.keep is not None:
            text = json.dumps({"rows": rows}, indent=1, ensure_ascii=False) + "\n"
            write_aside(folder / "adapt.json", text)
    return Table(
        title="Real time: the closed loop beside others",
        columns=COLUMNS,
        rows=rows,
        notes=[*notes, *_verdicts(rows), *_orientation(rows)],
        failed=any(row["findings"] for row in rows if row["method"] in OURS),
    )


def _row(case: str, scale: float, method: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Cell]:
    delay = estimate([run["delay_s_per_veh"] for run in runs])
    return {
        "case": case,
        "scale": scale,
        "method": method,
        "label": LABELS[method],
        "seeds": len(runs),
        "delay_s_per_veh": round(delay.mean, 3),
        "ci95": round(delay.ci95, 3) if len(runs) > 1 else None,
        "undeparted": sum(run["undeparted"] for run in runs) / len(runs),
        "teleports": sum(run["teleports"] for run in runs),
        "collisions": sum(run["collisions"] for run in runs),
        "findings": sum(len(run["findings"]) for run in runs),
        "late": sum(run["engine"].get("late", 0) for run in runs),
        "p99_ms": max((float(run["engine"].get("ms_p99", 0.0)) for run in runs), default=0.0) or None,
    }


def _verdicts(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Where ours is not better than all others at the same demand."""
    out = []
    for row in rows:
        if row["method"] not in ("adapt", "adapt_free"):
            continue
        beside = [
            other
            for other in rows
            if (other["case"], other["scale"]) == (row["case"], row["scale"]) and other["method"] in OTHERS
        ]
        worse = [x for x in beside if float(x["delay_s_per_veh"] or 0) <= float(row["delay_s_per_veh"] or 0)]
        out += [f"{row['case']} {row['scale']}: {x['label']} is not beaten by {row['method']}" for x in worse]
    return out


def _orientation(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    seen = {str(row["case"]) for row in rows}
    return [
        f"{name}: best published learning result {value} s/veh (SUMO 1.9, every vehicle visible)"
        for name, value in ORIENTATION.items()
        if name in seen
    ]

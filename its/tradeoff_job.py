"""The files and the table of `its optimize --tradeoff`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from its.console import format_table
from network_data.formats.plan_json import dump_plan
from network_data.plans import TimingPlan
from optimizer.tradeoff import Front, Tradeoff

HEADER = ("plan", "delay_s_per_veh", "stops_per_veh", "wait_on_foot_s", "found with", "file")


def tradeoff_files(
    front: Front, out: Path, document_of: Callable[[TimingPlan], Mapping[str, Any]]
) -> tuple[dict[Path, bytes | str], dict[str, Any]]:
    """Files by path, and the part `tradeoff` of run.json.

    Parameters
    ----------
    document_of : callable
        The plan document of a plan, its check passed.
    """
    files: dict[Path, bytes | str] = {}
    rows = []
    for k, point in enumerate(front.plans, start=1):
        path = Path("tradeoff", f"plan-{k}.json")
        files[out / path] = dump_plan(document_of(point.plan))
        rows.append({**point_json(point), "file": str(path)})
    told = {
        "plans": rows,
        "field": point_json(front.field),
        "dominated_share_of_box": front.volume,
        "plans_measured": front.n_measured,
        "searches": front.n_searches,
        "notes": list(front.notes),
    }
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADER)
    for row in [{**told["field"], "file": ""}, *rows]:  # type: ignore[dict-item]
        writer.writerow([row["name"], *_figures(row), row["found_with"] or "", row["file"]])
    files[out / "tradeoff.csv"] = table.getvalue()
    files[out / "tradeoff.json"] = json.dumps(told, indent=1) + "\n"
    return files, told


def point_json(point: Tradeoff) -> dict[str, Any]:
    """A plan's figures."""
    mix = None if point.mix is None else dict(zip(("delay", "stops", "waits_on_foot"), point.mix, strict=True))
    return {
        "name": point.name,
        "delay_s_per_veh": point.delay_s_per_veh,
        "stops_per_veh": point.stops_per_veh,
        "wait_on_foot_s": point.wait_s,
        "found_with": mix,
        "cycles_s": {c: program.cycle_s for c, program in point.plan.controllers.items()},
    }


def _figures(row: Mapping[str, Any]) -> tuple[str, str, str]:
    wait = row["wait_on_foot_s"]
    return f"{row['delay_s_per_veh']:.2f}", f"{row['stops_per_veh']:.3f}", "" if wait is None else f"{wait:.2f}"


def tradeoff_text(told: Mapping[str, Any]) -> str:
    """The front as a table, the field plan first."""
    header = ("trade-off", "delay s/veh", "stops/veh", "wait on foot s", "file")
    rows = [(row["name"], *_figures(row), row.get("file", "")) for row in (told["field"], *told["plans"])]
    return format_table(header, rows)

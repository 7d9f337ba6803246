"""Quality of plans: made from counts alone with default settings, judged by the referee against the shipped plans."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import ROOT, Case, cases, copy_results, counts_of, its_command, referee, unpacked
from benchmarks.tables import Cell, Column, Options, Table
from network_data.detectors import read_detectors
from network_data.errors import OutsideProgramError, SignalError
from network_data.formats.sumo_net import read_sumo_net

QUICK_CASES = ("cologne1", "grid4x4")
SURPRISE = 0.05
"""Deviation of the shipped plan's delay from the known figure that is reported. [-]"""
WORKERS = 2
"""SUMO processes at a time."""
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="programs", heading="field plans"),
    Column(key="shipped_s_per_veh", heading="shipped s/veh", spec=".1f"),
    Column(key="ours_s_per_veh", heading="ours s/veh", spec=".1f"),
    Column(key="ratio", heading="ratio", spec=".3f"),
    Column(key="difference_s_per_veh", heading="difference s/veh", spec="+.1f"),
    Column(key="ci95_s_per_veh", heading="±95 %", spec=".1f"),
    Column(key="check_ok", heading="check ok"),
    Column(key="loops", heading="approaches with loops"),
    Column(key="optimize_s", heading="optimize s", spec=".0f"),
    Column(key="verdict", heading="verdict"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Seconds for `its optimize` and seeds for SUMO."""

    time_limit_s: float
    seeds: int


FULL, QUICK = Effort(time_limit_s=60, seeds=5), Effort(time_limit_s=15, seeds=2)


def benchmark(options: Options) -> Table:
    """Every case (quick: two small ones), with the outcome of each; a case that cannot run says why and fails."""
    known = cases()
    effort = QUICK if options.quick else FULL
    rows = []
    for name in options.chosen(list(known), QUICK_CASES):
        began_s = time.monotonic()
        row = _row(known[name], effort, options.keep)
        options.say(f"{name}: {row['verdict']} ({time.monotonic() - began_s:.0f} s)")
        rows.append(row)
    judge = "the referee" if referee() is not None else "its check and its verify (no referee beside the data pack)"
    notes = [
        f"delay per loaded vehicle in SUMO, judged by {judge}, {effort.seeds} common seeds; "
        f"its optimize from counts alone, default settings, --time-limit {effort.time_limit_s:g}",
    ]
    notes += [f"{row['case']}: {row['error']}" for row in rows if row.get("error")]
    notes += [f"{row['case']}: {row['first_violation']}" for row in rows if row.get("first_violation")]
    notes += [text for row in rows if (text := _surprise(row, known[str(row["case"])]))]
    return Table(
        title="Quality: our plans against the shipped ones",
        columns=COLUMNS,
        rows=rows,
        notes=notes,
        failed=any(row["verdict"] not in ("better", "not worse") for row in rows),
    )


def _surprise(row: dict[str, Cell], case: Case) -> str:
    """A word where the shipped plan's delay is not what it was known to be: then the case has changed."""
    shipped = row.get("shipped_s_per_veh")
    if not isinstance(shipped, float) or abs(shipped / case.expected_s_per_veh - 1) < SURPRISE:
        return ""
    return f"{case.name}: the shipped plan has {shipped:.1f} s/veh, known was {case.expected_s_per_veh:g}"


def _row(case: Case, effort: Effort, keep: Path | None) -> dict[str, Cell]:
    row: dict[str, Cell] = {"case": case.name, "programs": case.programs}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            detectors, counts = counts_of(case, folder)
            row["loops"] = loop_coverage(case, detectors)
            began_s = time.monotonic()
            plan = optimize(case, detectors, counts, effort.time_limit_s, folder / "plan")
            row["optimize_s"] = time.monotonic() - began_s
            row |= judge(case, plan, effort.seeds, folder)
        except SignalError as error:
            row |= {"verdict": "failed", "error": str(error).strip()}
        if keep is not None:
            copy_results(folder, keep / case.name)
    return row


def loop_coverage(case: Case, detectors: Path) -> str:
    """Signal approaches with a loop, of all: `15 of 40`."""
    network = read_sumo_net(case.network)
    approaches = {link for links in network.approaches.values() for link in links}
    looped = {detector.link_id for detector in read_detectors(detectors, network)}
    return f"{len(approaches & looped)} of {len(approaches)}"


def optimize(case: Case, detectors: Path, counts: Path, time_limit_s: float, out: Path) -> Path:
    """Run `its optimize` as a user would and return its plan for SUMO.

    Raises
    ------
    OutsideProgramError
        It did not end with exit code 0.
    """
    options: list[object] = ["--detectors", detectors, "--counts", counts, "--begin", case.begin_s, "--end", case.end_s]
    options += ["--plans", case.field_plan] if case.field_plan is not None else []
    command = its_command("optimize", case.network, *options, "--time-limit", time_limit_s, "--out", out)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise OutsideProgramError(f"its optimize ended with {done.returncode}: {_last_line(done.stderr)}")
    return out / "plan.add.xml"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "nothing printed")


def judge(case: Case, plan: Path, seeds: int, folder: Path) -> dict[str, Cell]:
    """Check and measure a plan against the shipped one: delays, ratio, paired difference, verdict."""
    tool = referee()
    row = _by_referee(tool, case, plan, seeds, folder) if tool is not None else _by_verify(case, plan, seeds)
    row["verdict"] = _verdict(row)
    return row


def _verdict(row: dict[str, Cell]) -> str:
    difference, half = row["difference_s_per_veh"], row["ci95_s_per_veh"]
    if not row["check_ok"]:
        return "rejected by the check"
    if row["faults"]:
        return str(row["faults"])
    if not isinstance(difference, float) or not isinstance(half, float):
        return "not measured"
    if difference + half < 0:
        return "better"
    return "not worse" if difference - half <= 0 else "worse"


def _by_referee(tool: Path, case: Case, plan: Path, seeds: int, folder: Path) -> dict[str, Cell]:
    result = folder / "referee.json"
    options = ["--net", case.network, "--routes", ",".join(map(str, unpacked(case.routes, folder)))]
    options += ["--base-additional", *case.base_additional] if case.base_additional else []
    options += ["--additional", plan, "--pair", "shipped", "--begin", case.begin_s, "--end", case.end_s]
    options += ["--seeds", seeds, "--jobs", WORKERS, "--measure-rejected", "--no-emissions", "--json", result]
    done = subprocess.run([sys.executable, str(tool), *map(str, options)], capture_output=True, text=True, check=False)
    if not result.is_file() or done.returncode not in (0, 2):
        raise OutsideProgramError(f"the referee ended with {done.returncode}: {_last_line(done.stderr)}")
    table = json.loads(result.read_text(encoding="utf-8"))
    old, difference = table["pair"]["summary"], table["pair"]["difference"]["delay"]
    faults = [text for key, text in (("failed", "teleports or collisions"),) if table["summary"][key]]
    return {
        "shipped_s_per_veh": old["delay"]["mean"],
        "ours_s_per_veh": table["summary"]["delay"]["mean"],
        "ratio": difference["ratio"],
        "difference_s_per_veh": difference["mean"],
        "ci95_s_per_veh": difference["ci95"],
        "check_ok": bool(table["safety"]["ok"]),
        "violations": len(table["safety"]["violations"]),
        "first_violation": next(iter(table["safety"]["violations"]), ""),
        "locked_seeds": len(table["summary"]["locked_seeds"]),
        "faults": ", ".join(faults),
    }


def _by_verify(case: Case, plan: Path, seeds: int) -> dict[str, Cell]:
    checked = subprocess.run(
        its_command("check", plan, "--network", case.network, "--json"),
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if checked.returncode not in (0, 3):
        raise OutsideProgramError(f"its check ended with {checked.returncode}: {_last_line(checked.stderr)}")
    options: list[object] = ["--routes", ",".join(map(str, case.routes)), "--plans", plan, "--seeds", seeds, "--json"]
    options += ["--begin", case.begin_s, "--end", case.end_s]
    options += ["--additional", ",".join(map(str, case.base_additional))] if case.base_additional else []
    done = subprocess.run(
        its_command("verify", case.network, *options), capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode not in (0, 3):
        raise OutsideProgramError(f"its verify ended with {done.returncode}: {_last_line(done.stderr)}")
    table = json.loads(done.stdout)
    change = table["difference"]
    return {
        "shipped_s_per_veh": table["old"]["delay_s_per_veh"]["mean"],
        "ours_s_per_veh": table["new"]["delay_s_per_veh"]["mean"],
        "ratio": change["ratio"],
        "difference_s_per_veh": change["delay_s_per_veh"]["mean"],
        "ci95_s_per_veh": change["delay_s_per_veh"]["ci95"],
        "check_ok": checked.returncode == 0,
        "locked_seeds": len(table["new"]["locked_seeds"]),
        "faults": "teleports or collisions" if table["new"]["teleports"] or table["new"]["collisions"] else "",
    }

"""Running `its` on the bundled example, and looking at what it left behind."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from its.cli import app
from tests import packs

DISTRICT = packs.ROOT / "examples" / "district"
NETWORK, DETECTORS = DISTRICT / "network.net.xml.gz", DISTRICT / "detectors.csv"
COUNTS, ROUTES = DISTRICT / "counts.parquet", DISTRICT / "routes_peak.rou.xml.gz"
FILES = {"plan.json", "plan.add.xml", "plan.csv", "report.html", "run.json"}
PLAN_FILES = ("plan.json", "plan.add.xml", "plan.csv")
DAY = "2026-04-23"
COUNTED = ("--detectors", str(DETECTORS), "--counts", str(COUNTS), "--days", DAY, "--begin", "07:30", "--end", "07:45")
NO_CROSSINGS = "no crossings in the input, not fit for a street with pedestrians"
TURNS_HEADER = "from_link,to_link,begin_s,end_s,veh"


@dataclass(frozen=True)
class Job:
    """What a run of `its optimize` left behind."""

    out: Path
    result: Result

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The content of plan.json."""
        return dict(json.loads((self.out / "plan.json").read_text(encoding="utf-8")))

    @cached_property
    def run(self) -> dict[str, Any]:
        """The content of run.json, which must be JSON in the strict sense."""
        return strict_json((self.out / "run.json").read_text(encoding="utf-8"))

    @cached_property
    def report(self) -> str:
        """The page."""
        return (self.out / "report.html").read_text(encoding="utf-8")


def strict_json(text: str) -> dict[str, Any]:
    """A JSON object without NaN or Infinity."""
    return dict(json.loads(text, parse_constant=_refuse))


def _refuse(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def its(*args: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


def optimized(out: Path, *args: str | Path, network: Path = NETWORK) -> Job:
    """A run of `its optimize` that must go well."""
    result = its("optimize", network, *args, "--out", out)
    assert result.exit_code == 0, result.output
    return Job(out, result)


def plan_bytes(out: Path) -> dict[str, bytes]:
    """The files that make up the plan."""
    return {name: (out / name).read_bytes() for name in PLAN_FILES}


def write_turns(path: Path, run: dict[str, Any], *, begin_s: int = 27_000, intervals: int = 1) -> Path:
    """The demand that a run estimated, as turning counts of five minutes."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(TURNS_HEADER.split(","))
        for m in run["demand"]["movements"]:
            for k in range(intervals):
                start_s = begin_s + 300 * k
                rows.writerow([m["from_link"], m["to_link"], start_s, start_s + 300, m["veh_per_h"] / 12])
    return path


def settings_of(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path

"""`its counts check`: what detectors really say, detector by detector and day by day."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from its.console import DONE, Console, format_table
from its.recognize import load_network
from network_data.counting.counts import select_block
from network_data.counting.groups import groups_of
from network_data.counting.quality import Checked, Verdict, check_block
from network_data.counting.reader import read_block
from network_data.detectors import Detector, read_detectors
from network_data.errors import DemandError
from network_data.formats.files import write_aside
from network_data.limits import cell
from network_data.network import RoadNetwork
from network_data.settings import Settings, load_settings

MAX_LINES = 40
"""Most lines of the table; JSON has all."""
TEXT_CHARS = 76
ROWS_CHARS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsRequest:
    """`its counts check`: all its options."""

    files: tuple[Path, ...]
    settings: Path | None = None
    network: Path | None = None
    detectors: Path | None = None
    days: str = "all"
    out: Path | None = None
    as_json: bool = False


def counts_job(request: CountsRequest) -> int:
    """Run the job; returns the exit code: 0 once everything is checked, whatever was found."""
    console = Console(quiet=request.as_json)
    settings = load_settings(request.settings) if request.settings is not None else Settings()
    network, detectors = _places(request)
    with console.stage("read"):
        known = frozenset(d.id for d in detectors) if detectors else None
        block = select_block(read_block(request.files, settings.counts, known), request.days)
    with console.stage("check"):
        groups = groups_of(block.detectors, settings.quality, detectors, network)
        checked = check_block(block, groups, settings.quality, settings.counts.time_zone)
    if request.out is not None:
        _write(request.out, checked)
        console.say(f"repaired counts written to {request.out}")
    print(json.dumps(counts_json(checked), indent=1) if request.as_json else counts_text(checked))
    return DONE


def _places(request: CountsRequest) -> tuple[RoadNetwork | None, tuple[Detector, ...]]:
    """Where the loops lie, if that is told: neighbours and sums up and down a road are checked then too."""
    if request.network is None or request.detectors is None:
        if request.network is not request.detectors:
            raise DemandError("--network/--detectors", "belong together; give both, or neither")
        return None, ()
    network = load_network(request.network)
    return network, read_detectors(request.detectors, network)


def counts_json(checked: Checked) -> dict[str, Any]:
    """Rows, counts and every verdict."""
    block = checked.block
    return {
        "rows": {"read": block.tally.read, "used": block.tally.used, "refused": block.tally.refused},
        "detectors": len(block.detectors),
        "days": [str(day) if day is not None else None for day in block.days],
        "interval_s": block.interval_s,
        "counts": _counts(checked),
        "verdicts": [_verdict(verdict) for verdict in checked.verdicts],
        "notes": list(block.notes),
    }


def _counts(checked: Checked) -> dict[str, int]:
    block = checked.block
    missing = int(np.isnan(block.veh).sum())
    return {"all": block.veh.size, "repaired": checked.n_repaired, "missing": missing}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    out = asdict(verdict)
    return {**out, "day": str(verdict.day) if verdict.day is not None else None}


def counts_text(checked: Checked) -> str:
    """A line per detector and fault, those with the most days first, and the totals."""
    block, counts = checked.block, _counts(checked)
    lines = _lines(checked.verdicts)
    head = ("fault", "detector", "days", "from", "to", "intervals", "repaired", "± veh", "why", "rows of the first day")
    parts = [block.tally.text, *block.notes[1:]]
    if lines:
        parts.append(format_table(head, [tuple(line.values()) for line in lines[:MAX_LINES]]))
        if len(lines) > MAX_LINES:
            parts.append(f"and {len(lines) - MAX_LINES} more lines; --json has every verdict")
        parts.append(_totals(checked.verdicts))
    days = f"{len(block.days)} days" if len(block.days) > 1 else "one day"
    kept = counts["all"] - counts["repaired"] - counts["missing"]
    parts.append(
        f"{len(block.detectors)} detectors, {days} of {block.interval_s / 60:g}-minute counts: "
        f"{kept} counts sound or kept, {counts['repaired']} repaired, {counts['missing']} missing"
    )
    return "\n".join(parts)


def _lines(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.code, verdict.detector), []).append(verdict)
    out = []
    for (code, detector), of_both in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        days = sorted(verdict.day for verdict in of_both if verdict.day is not None)
        errors = [verdict.sd_veh for verdict in of_both if verdict.sd_veh is not None]
        first = of_both[0]
        out.append(
            {
                "fault": code,
                "detector": detector or "all",
                "days": len(of_both),
                "from": _day(days[:1]),
                "to": _day(days[-1:]),
                "intervals": sum(verdict.n_interval for verdict in of_both),
                "repaired": sum(verdict.n_repaired for verdict in of_both),
                "sd": f"{np.median(errors):.1f}" if errors else "",
                "why": _short(first.text, TEXT_CHARS),
                "rows": _short(first.rows.removeprefix("row "), ROWS_CHARS),
            }
        )
    return out


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _day(days: Sequence[date]) -> str:
    return days[0].isoformat() if days else ""


def _totals(verdicts: Sequence[Verdict]) -> str:
    days = Counter(verdict.code for verdict in verdicts)
    names: Mapping[str, int] = {code: len({v.detector for v in verdicts if v.code == code}) for code in days}
    said = [f"{code} {n} ({names[code]} detectors)" for code, n in days.most_common()]
    return f"detector days by fault: {', '.join(said)}"


def _write(path: Path, checked: Checked) -> None:
    """Repaired counts in the engine's own layout: parquet by that ending, else CSV (gzipped by .gz)."""
    if path.suffix == ".parquet":
        parts = [pa.Table.from_pandas(_frame(checked, n), preserve_index=False) for n in range(len(checked.block.days))]
        buffer = io.BytesIO()
        pa_parquet.write_table(pa.concat_tables(parts), buffer)
        write_aside(path, buffer.getvalue())
        return
    text = io.StringIO(newline="")
    for n in range(len(checked.block.days)):
        frame = _frame(checked, n)
        names = {name: cell(name) for name in frame["detector"].unique()}
        frame.assign(detector=frame["detector"].map(names)).to_csv(text, index=False, header=n == 0)
    content = text.getvalue().encode()
    write_aside(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _frame(checked: Checked, n: int) -> pd.DataFrame:
    frame = checked.table(n).frame
    day = checked.block.days[n]
    names = ("begin", "end") if day is not None else ("begin_s", "end_s")
    out = frame[["detector", "veh", "occupancy_pct", "speed_mps", "repaired", "sd_veh"]].astype({"detector": str})
    for at, (name, column) in enumerate(zip(names, ("begin_s", "end_s"), strict=True), start=1):
        value = frame[column]
        if day is not None:
            value = pd.Series(np.datetime64(day, "s") + value.to_numpy().astype("timedelta64[s]")).dt.strftime(
                "%Y-%m-%dT%H:%M:%S"
            )
        out.insert(at, name, value)
    return out.round({"veh": 2, "sd_veh": 2})

"""A day of 5-minute counts of very many detectors: written as parquet, read and checked in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from benchmarks.tables import Cell
from network_data.errors import OutsideProgramError

N_TIME, INTERVAL_S = 288, 300
CHECK = """
import json, resource, sys, time
from network_data.counting.groups import Groups
from network_data.counting.options import CountLayout
from network_data.counting.quality import check_block
from network_data.counting.reader import read_block

began = time.monotonic()
block = read_block([sys.argv[1]], CountLayout(interval_s=300))
read_s = time.monotonic() - began
n = len(block.detectors)
sections = tuple((i, i + 1) for i in range(0, n - 1, 2))
balances = tuple(((i, i + 1), (i + 2, i + 3)) for i in range(0, n - 3, 4))
found = check_block(block, Groups(sections, balances))
all_s = time.monotonic() - began
gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
print(json.dumps({"read_s": read_s, "all_s": all_s, "gib": gib, "rows": block.tally.read,
                  "verdicts": len(found.verdicts), "repaired": found.n_repaired}))
"""


def scale_row(n_detector: int) -> dict[str, Cell]:
    """Seconds and memory of reading and checking; a tenth of the loops has a fault."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.parquet")
        write_day(path, n_detector)
        done = subprocess.run(
            [sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=False, cwd=Path.cwd()
        )
        if done.returncode:
            raise OutsideProgramError(f"the check of {n_detector} detectors failed: {done.stderr[-2000:]}")
        said = json.loads(done.stdout)
    return {
        "part": "scale",
        "case": f"{n_detector:,} detectors, 5 min, one day",
        "kind": "read and check",
        "put_in": said["rows"],
        "found": said["verdicts"],
        "seconds": round(said["all_s"], 1),
        "gib": round(said["gib"], 2),
        "why": f"reading {said['read_s']:.0f} s; {said['verdicts']:,} verdicts, {said['repaired']:,} counts repaired",
    }


def write_day(path: Path, n_detector: int, seed: int = 0) -> None:
    """Pairs of lanes before and behind a stretch of road; gaps, silence, stuck and wild counts at a tenth of them."""
    rng = np.random.default_rng(seed)
    hour = np.arange(N_TIME) / 12
    course = 20 * (0.1 + np.exp(-(((hour - 8) / 2) ** 2)) + np.exp(-(((hour - 17) / 2.5) ** 2)))
    level = np.repeat(rng.gamma(4, 0.25, -(-n_detector // 4)), 4)[:n_detector]
    fault = np.where(rng.random(n_detector) < 0.1, rng.integers(1, 6, n_detector), 0)
    begin = rng.integers(60, 180, n_detector)
    names = np.array([f"J{i // 10}.{i % 10}" for i in range(n_detector)], dtype=object)
    columns = [
        ("detector", pa.string()),
        ("begin", pa.timestamp("s")),
        ("veh", pa.int32()),
        ("occupancy_pct", pa.float32()),
    ]
    schema = pa.schema(columns)
    midnight = np.datetime64("2026-03-10", "s")
    with pa_parquet.ParquetWriter(path, schema) as writer:
        for k in range(N_TIME):
            veh = rng.poisson(course[k] * level).astype(np.int32)
            inside = (k >= begin) & (k < begin + 60)
            veh[inside & (fault == 1)] = 0
            veh[inside & (fault == 2)] = 7
            veh[inside & (fault == 3)] = -5
            veh[inside & (fault == 4)] = 900
            here = ~(inside & (fault == 5))
            table = {
                "detector": names[here],
                "begin": np.full(int(here.sum()), midnight + np.timedelta64(k * INTERVAL_S, "s")),
                "veh": veh[here],
                "occupancy_pct": (1.5 * np.clip(veh[here], 0, 60)).astype(np.float32),
            }
            writer.write_table(pa.table(table, schema=schema))

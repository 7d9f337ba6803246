"""The log of a run: what was told, what was decided and why; enough to replay every decision to the same answer.

`decisions.jsonl`: a header line, then one JSON object per decision. `observations.jsonl.gz`: one line per second with
the loops that told something. Together with network, detectors and plan they are the inputs of a replay.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from network_data.errors import InputError
from network_data.limits import load_json
from network_data.observations import Observation

DECISIONS, OBSERVATIONS = "decisions.jsonl", "observations.jsonl.gz"


class RunLog:
    """Writes both files of a run into a folder; use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_decisions = 0
        self._decisions: IO[str] = (folder / DECISIONS).open("w", encoding="utf-8")
        # mtime=0: the same run gives the same bytes
        self._packed = gzip.GzipFile(folder / OBSERVATIONS, "wb", compresslevel=4, mtime=0)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decisions.close()
        self._packed.close()

    def header(self, facts: dict[str, Any]) -> None:
        """What the run was started with; the first line of both files."""
        self._write({"kind": "run", **facts})
        ids = facts["detectors"]
        self._packed.write((json.dumps({"kind": "run", "detectors": ids}) + "\n").encode())

    def seen(self, observation: Observation) -> None:
        """A second: (index, count, occupancy) of loops that told something, indices of those that did not answer."""
        count, occupancy = observation.count_veh, observation.occupancy
        told = np.isfinite(count)
        some = np.flatnonzero(told & ((count > 0) | (occupancy > 0)))
        row: dict[str, Any] = {
            "t": observation.time_s,
            "d": [[int(k), float(count[k]), float(occupancy[k])] for k in some],
        }
        if not told.all():
            row["off"] = np.flatnonzero(~told).tolist()
        self._packed.write((json.dumps(row, separators=(",", ":")) + "\n").encode())

    def decision(self, kind: str, facts: dict[str, Any]) -> None:
        """One decision, or one event that changed what is decided."""
        self.n_decisions += kind == "local" or kind == "plan"
        self._write({"kind": kind, **facts})

    def _write(self, row: dict[str, Any]) -> None:
        self._decisions.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


@dataclass(frozen=True, eq=False)
class Recording:
    """A log read back: header, decisions by line, observations by second."""

    header: dict[str, Any]
    rows: tuple[dict[str, Any], ...]
    folder: Path

    def observations(self) -> Iterator[Observation]:
        """The seconds of the run."""
        ids = tuple(self.header["detectors"])
        with gzip.open(self.folder / OBSERVATIONS, "rt", encoding="utf-8") as stream:
            next(stream)
            for line in stream:
                row = json.loads(line)
                count, occupancy = np.zeros(len(ids), np.float32), np.zeros(len(ids), np.float32)
                for k, veh, share in row["d"]:
                    count[k], occupancy[k] = veh, share
                for k in row.get("off", ()):
                    count[k] = occupancy[k] = np.nan
                yield Observation(
                    time_s=row["t"], interval_s=1.0, detector_ids=ids, count_veh=count, occupancy=occupancy,
                    health=np.zeros(len(ids), np.uint8),
                )  # fmt: skip


def read_recording(folder: Path) -> Recording:
    """Read the log of a run.

    Raises
    ------
    InputError
        A file is missing or not what it should be.
    """
    path = folder / DECISIONS if folder.is_dir() else folder
    if not path.is_file():
        raise InputError(str(path), f"no such file; give the folder of a run, with {DECISIONS} and {OBSERVATIONS}")
    if not (path.parent / OBSERVATIONS).is_file():
        raise InputError(str(path.parent), f"lacks {OBSERVATIONS}; without it nothing can be replayed")
    with path.open(encoding="utf-8") as stream:
        rows = [load_json(line.encode(), f"{path} line {n}") for n, line in enumerate(stream, 1) if line.strip()]
    if not rows or rows[0].get("kind") != "run":
        raise InputError(str(path), "does not begin with the header of a run; give a log that its adapt wrote")
    return Recording(header=rows[0], rows=tuple(rows[1:]), folder=path.parent)

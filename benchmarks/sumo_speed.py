"""CPU seconds that SUMO needs for a period, micro and meso, without what it takes to load the files."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

from its.sumo import run_sumo

MESO = ("--mesosim", "true", "--meso-junction-control", "true")
OPTIONS = ("--no-step-log", "true", "--no-warnings", "true", "--route-steps", "0")
"""Defaults but for what is printed; all routes are read before the first step."""
LOAD_S = 1.0
"""Length of the run that is taken for loading. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumoFiles:
    """A network, its programs, its vehicles and the period."""

    net: Path
    programs: Path
    routes: Path
    begin_s: float
    end_s: float

    def options(self, end_s: float) -> list[str]:
        """What loads the files and ends the run at a time."""
        files = ["-n", str(self.net), "-a", str(self.programs), "-r", str(self.routes)]
        return [*files, "--begin", f"{self.begin_s:g}", "--end", f"{end_s:g}", *OPTIONS]


def cpu_s(files: SumoFiles, *, meso: bool) -> float:
    """CPU time of simulating the period: a whole run less one that ends after the first step. [s]

    Raises
    ------
    OutsideProgramError
        SUMO is missing or failed.
    """
    more = MESO if meso else ()
    return _spent_s([*files.options(files.end_s), *more]) - _spent_s([*files.options(files.begin_s + LOAD_S), *more])


def _spent_s(options: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_sumo(options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

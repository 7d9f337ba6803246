"""CPU seconds that SUMO needs for a period, micro and meso, and how many of them go into loading."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

from its.sumo import run_sumo
from network_data.errors import OutsideProgramError
from network_data.formats.files import iter_xml

MESO = ("--mesosim", "true", "--meso-junction-control", "true")
OPTIONS = ("--no-step-log", "true", "--no-warnings", "true", "--route-steps", "0")
"""Defaults but for what is printed; all routes are read before the first step."""
LOAD_S = 1.0
"""Length of the run that is taken for loading. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumoFiles:
    """A network, its vehicles, the period, and the programs where those in the network do not count."""

    net: Path
    programs: Path | None
    routes: Path
    begin_s: float
    end_s: float

    def options(self, end_s: float) -> list[str]:
        """What loads the files and ends the run at a time."""
        files = ["-n", str(self.net), "-r", str(self.routes)]
        files += ["-a", str(self.programs)] if self.programs is not None else []
        return [*files, "--begin", f"{self.begin_s:g}", "--end", f"{end_s:g}", *OPTIONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class SumoTime:
    """CPU time of a whole run, and of one that ends after the first step: starting and loading. [s]"""

    whole_s: float
    loading_s: float
    done_veh: int


def measure(files: SumoFiles, *, meso: bool) -> SumoTime:
    """Run a period.

    Raises
    ------
    OutsideProgramError
        SUMO is missing or failed.
    """
    more = MESO if meso else ()
    statistics = files.routes.with_suffix(".statistics.xml")
    whole_s = _spent_s([*files.options(files.end_s), *more, "--statistic-output", str(statistics)])
    loading_s = _spent_s([*files.options(files.begin_s + LOAD_S), *more])
    return SumoTime(whole_s=whole_s, loading_s=loading_s, done_veh=_done_veh(statistics))


def _done_veh(statistics: Path) -> int:
    """Vehicles that ended their trips."""
    for event, _, element in iter_xml(statistics):
        if event == "end" and element.tag == "vehicles":
            return int(element.attrib["inserted"]) - int(element.attrib["running"])
    raise OutsideProgramError(f"{statistics} holds no <vehicles>")


def _spent_s(options: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_sumo(options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

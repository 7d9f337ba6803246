"""How long a job has: when its process began, how fast it gets on, what to keep back for what follows the search."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROBE_S = 0.0022
"""What the probe takes on the processor that all other constants were measured on. [CPU s]"""
PROBES = 3
"""The fastest of so many counts."""
SPEEDS = (0.4, 4.0)
"""Bounds of what is believed of the processor: CPU seconds for one of that processor. [-]"""
MOST_WAIT = 6.0
"""And of other jobs: seconds by the clock per CPU second. [-]"""
LEAST_CPU_S = 0.05
"""CPU time from which on its share of the clock says something. [s]"""
MOST_SHARE = 0.5
"""Of the time left when the search begins, the most that is kept back. [-]"""
LATE_SHARE = 0.05
"""Of the limit, what is searched at least where what came before has used it up already. [-]"""


def process_began_s() -> float:
    """When this process began, on the clock of time.monotonic(). [s]

    Where the system does not tell, as long ago as it has used CPU time.
    """
    try:
        # the name of the process, in brackets, may hold blanks; behind it the begin is the 20th field
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        age_s = 0.0
    return time.monotonic() - max(time.process_time(), age_s)


def processor_factor(probe: Callable[[], float] | None = None) -> float:
    """CPU seconds that plain Python takes here for each one that the constants stand for. [-]"""
    fastest_s = min((probe or _probe_s)() for _ in range(PROBES))
    return min(SPEEDS[1], max(SPEEDS[0], fastest_s / PROBE_S))


def _probe_s() -> float:
    """CPU time of a piece of plain Python, which reading, checking and writing mostly are. [s]"""
    began_s = time.thread_time()
    table: dict[str, float] = {}
    for n in range(12_000):
        name = f"{n % 97}.{n % 13}"
        table[name] = table.get(name, 0.0) + n * 0.5
    return time.thread_time() - began_s


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast this process gets on: its processor, and how long other jobs let it wait."""

    processor: float
    began_s: float
    began_cpu_s: float

    @classmethod
    def start(cls) -> Pace:
        """Measure the processor, and watch from now on what other jobs take."""
        return cls(processor_factor(), time.monotonic(), time.process_time())

    @property
    def wait(self) -> float:
        """Seconds by the clock per CPU second since the start, of a process that mostly works on one thread. [-]"""
        cpu_s = time.process_time() - self.began_cpu_s
        if cpu_s < LEAST_CPU_S:
            return 1.0
        return min(MOST_WAIT, max(1.0, (time.monotonic() - self.began_s) / cpu_s))

    def clock_s(self, cpu_s: float) -> float:
        """By the clock, what takes so many CPU seconds where the constants were measured. [s]"""
        return self.processor * self.wait * cpu_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """When a process has to end, and what it still has to do after its search.

    `ends_s` on the clock of time.monotonic(); `after_s` in CPU seconds of the processor that constants stand for.
    """

    ends_s: float
    limit_s: float
    after_s: float
    pace: Pace

    def search_until_s(self) -> float:
        """When a search that begins now has to stop: early enough for the rest, but it gets half of what is left.

        On a machine so busy that half of it is not enough for the rest, or so busy that nothing is left, the process
        ends late: a plan that was never searched for would be of no use to anybody.
        """
        now_s = time.monotonic()
        left_s = max(self.ends_s - now_s, LATE_SHARE * self.limit_s)
        return now_s + left_s - min(self.pace.clock_s(self.after_s), MOST_SHARE * left_s)

    def affords(self, each_s: float, *, beside_s: float) -> int:
        """How many things of `each_s` CPU seconds there is time for now, with `beside_s` CPU seconds for others."""
        left_s = self.ends_s - time.monotonic() - self.pace.clock_s(beside_s)
        return max(0, int(left_s / max(1e-9, self.pace.clock_s(each_s))))

"""The time limit: what is kept back grows with size, processor and load, and never takes the search all its time."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from its.optimize_job import SIDE_BY_SIDE_UP_TO, _after_s
from its.time_limit import LATE_SHARE, MOST_SHARE, MOST_WAIT, PROBE_S, SPEEDS, Pace, TimeLimit, process_began_s
from its.time_limit import processor_factor as factor


def limit(
    monkeypatch: pytest.MonkeyPatch, *, now_s: float, ends_s: float = 10.0, after_s: float = 1.0, pace: Pace
) -> TimeLimit:
    """A limit of ten seconds, asked at some moment."""
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    return TimeLimit(ends_s=ends_s, limit_s=10.0, after_s=after_s, pace=pace)


def pace(monkeypatch: pytest.MonkeyPatch, *, processor: float = 1.0, cpu_s: float = 2.0, clock_s: float = 2.0) -> Pace:
    """A process that has worked for some CPU seconds, in so many seconds by the clock before the second 4."""
    monkeypatch.setattr(time, "process_time", lambda: cpu_s)
    return Pace(processor=processor, began_s=4.0 - clock_s, began_cpu_s=0.0)


def test_an_idle_machine_keeps_back_what_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten seconds the last one, where the rest takes one."""
    one = limit(monkeypatch, now_s=4.0, pace=pace(monkeypatch))
    assert one.search_until_s() == pytest.approx(9.0)


def test_slow_processors_and_other_jobs_keep_back_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor at half the speed, of which two other jobs leave a third: six times as much by the clock."""
    slow = pace(monkeypatch, processor=2.0, cpu_s=1.0, clock_s=3.0)
    assert limit(monkeypatch, now_s=4.0, after_s=0.4, pace=slow).search_until_s() == pytest.approx(10 - 6 * 0.4)


def test_the_search_always_gets_half_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to do afterwards: a process that cannot end in time still searches."""
    one = limit(monkeypatch, now_s=4.0, after_s=100.0, pace=pace(monkeypatch))
    assert one.search_until_s() == pytest.approx(4.0 + (1 - MOST_SHARE) * 6.0)
    late = limit(monkeypatch, now_s=12.0, after_s=100.0, pace=pace(monkeypatch))
    assert late.search_until_s() == pytest.approx(12.0 + (1 - MOST_SHARE) * LATE_SHARE * 10.0)


def test_work_on_two_threads_is_no_faster_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """More CPU than clock seconds count as none waited; a process that has hardly begun as well; waits are bounded."""
    monkeypatch.setattr(time, "monotonic", lambda: 4.0)
    assert pace(monkeypatch, cpu_s=4.0, clock_s=2.0).wait == 1.0
    assert pace(monkeypatch, cpu_s=0.01, clock_s=3.0).wait == 1.0
    assert pace(monkeypatch, cpu_s=0.1, clock_s=4.0).wait == MOST_WAIT


def test_what_there_is_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chapters of a tenth of a second each: those that fit beside the rest; none where it is too late."""
    one = limit(monkeypatch, now_s=4.0, pace=pace(monkeypatch))
    assert one.affords(0.1, beside_s=1.0) == pytest.approx(50, abs=1)
    assert limit(monkeypatch, now_s=4.0, ends_s=4.5, pace=pace(monkeypatch)).affords(0.1, beside_s=1.0) == 0


def test_the_processor_is_measured() -> None:
    """The fastest probe counts, within bounds; the real one lies within them."""
    times = iter([3 * PROBE_S, 1.5 * PROBE_S, 2 * PROBE_S])
    assert factor(lambda: next(times)) == pytest.approx(1.5)
    assert factor(lambda: 100 * PROBE_S) == SPEEDS[1]
    assert SPEEDS[0] <= factor() <= SPEEDS[1]


def test_a_process_knows_when_it_began() -> None:
    """Also where it slept before it asked."""
    code = (
        "import time; time.sleep(0.3); from its.time_limit import process_began_s as b; print(time.monotonic() - b())"
    )
    began_s = time.monotonic()
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 0.28 <= float(out) <= time.monotonic() - began_s + 0.02
    assert process_began_s() <= time.monotonic() - time.process_time() + 0.02


def inputs(n_signals: int, veh: float, workers: int = 2) -> Any:
    """Of a job's inputs, what tells its size: signals, and vehicles over all pairs of links."""
    one = SimpleNamespace(scenarios=(SimpleNamespace(veh=np.array([[veh]])),))
    return SimpleNamespace(
        network=SimpleNamespace(controllers=dict.fromkeys(range(n_signals))),
        demand=SimpleNamespace(scenarios=one),
        effort=SimpleNamespace(workers=workers),
    )


def test_what_follows_the_search_grows_with_size() -> None:
    """More signals, more vehicles, one plan measured after the other: each takes longer; large jobs in proportion."""
    assert _after_s(inputs(8, 1e4)) < _after_s(inputs(20, 1e4)) < _after_s(inputs(20, 1e6))
    assert _after_s(inputs(100, 1e6)) < _after_s(inputs(100, 1e6, workers=1))
    small, large = _after_s(inputs(1_000, 3e6)), _after_s(inputs(2_000, 6e6))
    assert 1.7 * small < large < 2.0 * small
    beyond = SIDE_BY_SIDE_UP_TO + 1
    assert _after_s(inputs(beyond, 1e7)) == _after_s(inputs(beyond, 1e7, workers=1))

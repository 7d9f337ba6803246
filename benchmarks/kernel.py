"""Speed of the queue simulation: CPU time per vehicle and link, its growth, and SUMO, UXsim and memory beside it.

Everything is measured in turns within one run, in CPU seconds; figures are medians over the rounds.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import uxsim_speed
from benchmarks.bandwidth import Triad
from benchmarks.kernel_runs import Engine, Filter, Others, Threads, growth
from benchmarks.kernel_scenes import COLOGNE, LOAD, Grids, Scene, cologne_scene
from benchmarks.tables import Cell, Column, Options, Table
from benchmarks.wave_yardstick import Yardstick
from its.sumo import sumo_version

GRIDS = {"grid25": 25, "grid100": 100, "grid1024": 1024, "grid10000": 10_000}
NAMES = (*GRIDS, COLOGNE, "growth", "threads", "filter", "memory")
QUICK_NAMES = ("grid25", "grid100", COLOGNE, "growth", "threads", "filter", "memory")
LENGTH_S = 3600.0
"""Period of the grids. [s]"""
OTHERS_S = {"grid25": 1800.0, "grid100": 1800.0, "grid1024": 600.0, COLOGNE: 3600.0}
"""Beside SUMO and UXsim, the period by case: less where they need minutes; none with 10,000 signals. [s]"""
MAX_NS = {"grid10000": 250.0}
DEFAULT_MAX_NS, MIN_FULL, MAX_EXPONENT, MIN_THREADS, MAX_OVER_YARDSTICK = 150.0, 0.10, 1.05, 1.8, 1.5
MIN_VS = {COLOGNE: (300.0, 100.0)}
"""How many times faster than SUMO micro and meso. [-]"""
LOADS, HORIZONS_H = (0.25, 0.5, 0.75), (0.5, 1.0, 2.0)
FILTER_SIGNALS, YARDSTICK_SIGNALS = (25, 100, 1024), (25, 100, 1024, 10_000)
QUICK_SIGNALS = (25, 100)
JOBS = 8
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="signals", heading="signals", spec=",d"),
    Column(key="vehicles", heading="vehicles", spec=",d"),
    Column(key="links_entered", heading="links entered", spec=",d"),
    Column(key="full_share", heading="full", spec=".0%"),
    Column(key="ns_per_vehicle_link", heading="ns/veh·link", spec=".0f"),
    Column(key="ns_min", heading="least", spec=".0f"),
    Column(key="ms_per_plan_hour", heading="ms/plan-h", spec=".2f"),
    Column(key="vs_sumo", heading="× micro", spec=",.0f"),
    Column(key="vs_meso", heading="× meso", spec=",.0f"),
    Column(key="vs_sumo_running", heading="running: × micro", spec=",.0f"),
    Column(key="vs_meso_running", heading="× meso", spec=",.0f"),
    Column(key="vs_uxsim", heading="× UXsim", spec=",.0f"),
    Column(key="figure", heading="figure", spec=".2f"),
    Column(key="required", heading="required"),
    Column(key="met", heading="met"),
)


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds of our own runs, and of those with the other programs."""

    rounds: int
    rounds_others: int


FULL, QUICK = Effort(7, 3), Effort(3, 1)


class Part:
    """Something to be measured round by round, and the rows that come of it."""

    def __init__(self, rows: Callable[[], list[dict[str, Cell]]]) -> None:
        self.rows = rows
        self.own: list[Callable[[], object]] = []
        self.others: list[Callable[[], object]] = []


def benchmark(options: Options) -> Table:
    """Measure all parts in turns and put what was required beside it."""
    names = options.chosen(NAMES, QUICK_NAMES)
    effort = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(options.keep or folder), names, options)
        bench.measure(effort)
        rows = [row for part in bench.parts for row in part.rows()]
    return Table(
        title="Speed of the queue simulation",
        columns=COLUMNS,
        rows=rows,
        notes=[*_notes(rows, effort), *bench.served],
        failed=any(row["met"] is False for row in rows),
    )


class _Bench:
    """The parts asked for, with what they share."""

    def __init__(self, folder: Path, names: Sequence[str], options: Options) -> None:
        self.folder, self.say, self.quick = folder, options.say, options.quick
        folder.mkdir(parents=True, exist_ok=True)
        self.grids = Grids(folder)
        self.engines: dict[str, Engine] = {}
        self.others: list[Others] = []
        self.parts: list[Part] = []
        for name in names:
            self.say(f"{name}: making it ready")
            if name in GRIDS or name == COLOGNE:
                self.parts.append(self._case(name))
            else:
                make = {
                    "growth": self._growth,
                    "threads": self._threads,
                    "filter": self._filter,
                    "memory": self._memory,
                }
                self.parts.append(make[name]())

    def measure(self, effort: Effort) -> None:
        """Sample all parts in turns; those with other programs in the first rounds only."""
        for n in range(effort.rounds):
            self.say(f"round {n + 1} of {effort.rounds}")
            for part in self.parts:
                for sample in part.own + (part.others if n < effort.rounds_others else []):
                    sample()

    @property
    def served(self) -> list[str]:
        """What each program did with the same vehicles, by case."""
        return [others.served for others in self.others]

    def _scene(self, name: str) -> Scene:
        return cologne_scene() if name == COLOGNE else self.grids.scene(GRIDS[name], length_s=LENGTH_S)

    def _engine(self, name: str) -> Engine:
        if name not in self.engines:
            self.engines[name] = Engine(self._scene(name))
        return self.engines[name]

    def _case(self, name: str) -> Part:
        engine = self._engine(name)
        others = None
        if name in OTHERS_S:
            others = Others(engine.scene, self.folder, length_s=OTHERS_S[name])
            self.others.append(others)
        part = Part(lambda: [_case_row(name, engine, others)])
        part.own.append(engine.sample)
        part.others += [others.sample] if others is not None else []
        return part

    def _growth(self) -> Part:
        n = 100
        by_load = {load: Engine(self.grids.scene(n, load=load, length_s=LENGTH_S)) for load in LOADS}
        by_hours = {hours: Engine(self.grids.scene(n, length_s=hours * 3600)) for hours in HORIZONS_H}
        by_signals = {float(GRIDS[name]): self._engine(name) for name in GRIDS if not self.quick or name in QUICK_NAMES}
        groups = {
            f"growth: demand, grid{n}": {float(e.veh): e for e in by_load.values()},
            f"growth: hours, grid{n}": by_hours,
        }
        last = max(by_signals)
        if last > 1024:
            groups["growth: signals to 1,024"] = {k: e for k, e in by_signals.items() if k <= 1024}
        groups[f"growth: signals to {last:,.0f}"] = by_signals
        part = Part(
            lambda: [
                _figure_row(name, growth(engines), f"≤ {MAX_EXPONENT}", growth(engines) <= MAX_EXPONENT)
                for name, engines in groups.items()
            ]
        )
        part.own += [engine.sample for engine in (*by_load.values(), *by_hours.values())]
        return part

    def _threads(self) -> Part:
        threads = Threads(self._engine("grid100").scene, jobs=JOBS)

        def rows() -> list[dict[str, Cell]]:
            met = threads.ratio >= MIN_THREADS and threads.same
            return [_figure_row("two threads, grid100", threads.ratio, f"≥ {MIN_THREADS}, same bits", met)]

        part = Part(rows)
        part.own.append(threads.sample)
        return part

    def _filter(self) -> Part:
        filtered, bare = (QUICK_SIGNALS, QUICK_SIGNALS) if self.quick else (FILTER_SIGNALS, YARDSTICK_SIGNALS)
        filters = {n: Filter(self._engine(f"grid{n}").scene) for n in filtered}
        yardsticks = {n: Yardstick(math.isqrt(n)) for n in bare}
        bare_ns: dict[int, list[float]] = {n: [] for n in yardsticks}
        part = Part(lambda: _filter_rows(filters, bare_ns))
        part.own += [filter_.sample for filter_ in filters.values()]
        part.own += [partial(_take, bare_ns[n], yardstick.ns) for n, yardstick in yardsticks.items()]
        return part

    def _memory(self) -> Part:
        triad, gb_per_s = Triad(), list[float]()
        part = Part(lambda: [_figure_row("memory triad", float(np.median(gb_per_s)), None, None)])
        part.own.append(partial(_take, gb_per_s, triad.gb_per_s))
        return part


def _take(into: list[float], measure: Callable[[], float]) -> None:
    into.append(measure())


def _figure_row(name: str, figure: float, required: str | None, met: bool | None) -> dict[str, Cell]:
    return {"case": name, "figure": figure, "required": required, "met": met}


def _case_row(name: str, engine: Engine, others: Others | None) -> dict[str, Cell]:
    ns, most_ns = engine.ns(engine.runs.median_s), MAX_NS.get(name, DEFAULT_MAX_NS)
    required, met = [f"≤ {most_ns:g} ns"], [ns <= most_ns]
    row: dict[str, Cell] = {
        "case": name,
        "signals": engine.scene.n_signal,
        "vehicles": engine.veh,
        "links_entered": engine.entries,
        "full_share": engine.recorded.full_share,
        "lane_full_share": engine.recorded.lane_full_share,
        "ns_per_vehicle_link": ns,
        "ns_min": engine.ns(engine.runs.min_s),
        "ms_per_plan_hour": engine.ms_per_plan_hour,
        "vs_sumo": None,
        "vs_meso": None,
    }
    if name in GRIDS:
        required.append(f"≥ {MIN_FULL:.0%} full")
        met.append(engine.recorded.full_share >= MIN_FULL)
    if others is not None:
        row |= {
            "vs_sumo": others.ratio("micro", "ours"),
            "vs_meso": others.ratio("meso", "ours"),
            "vs_sumo_running": others.ratio("micro_running", "ours_running"),
            "vs_meso_running": others.ratio("meso_running", "ours_running"),
            "vs_uxsim": others.ratio("uxsim", "ours_running"),
        }
    if name in MIN_VS:
        for key, least in zip(("vs_sumo", "vs_meso"), MIN_VS[name], strict=True):
            required.append(f"≥ {least:g} × {key[3:]}")
            ratio = row[key]
            met.append(isinstance(ratio, float) and ratio >= least)
    return row | {"required": ", ".join(required), "met": all(met)}


def _filter_rows(filters: dict[int, Filter], bare_ns: dict[int, list[float]]) -> list[dict[str, Cell]]:
    rows = []
    bare = {n: float(np.median(ns)) for n, ns in bare_ns.items()}
    for n, ns in bare.items():
        rows.append(_figure_row(f"bare wave kernel, {n:,}", ns, None, None))
    for n, filter_ in filters.items():
        ns = filter_.ns(filter_.runs.median_s)
        required = f"≤ {MAX_OVER_YARDSTICK} × {bare[n]:.2f}"
        rows.append(_figure_row(f"wave filter, grid{n}", ns, required, ns <= MAX_OVER_YARDSTICK * bare[n]))
    return rows


def _notes(rows: Sequence[dict[str, Cell]], effort: Effort) -> list[str]:
    out = [
        f"medians of {effort.rounds} rounds of CPU seconds (other programs: {effort.rounds_others}), all in turns; "
        f"grids: {LOAD:.0%} of capacity, {LENGTH_S / 60:g} minutes; links entered: each vehicle's first included",
        "full: links that held as many vehicles as have room on all their lanes, at some time of a recorded run",
        f"× micro, × meso (SUMO {sumo_version()}): a plan evaluated, SUMO started and its files loaded, ours with the "
        "plan laid out; running (and × UXsim): the vehicles' motion alone; the same net, programs, vehicles, routes"
        + "".join(f"; {name} for {s:g} s" for name, s in OTHERS_S.items() if s < LENGTH_S),
        f"growth: slope of log CPU seconds over the log of vehicles (at {', '.join(f'{x:.0%}' for x in LOADS)} of "
        f"capacity), of hours ({', '.join(f'{x:g}' for x in HORIZONS_H)}), of signals",
        f"two threads: wall time of {JOBS} plans on one over two; wave: ns per movement, step and plan, 16 plans at "
        "once; triad: GB/s on one thread",
    ]
    if not uxsim_speed.installed():
        out.append(uxsim_speed.INSTALL)
    unmet = [str(row["case"]) for row in rows if row["met"] is False]
    out.append(f"not met: {'; '.join(unmet)}" if unmet else "all that is required is met")
    return out

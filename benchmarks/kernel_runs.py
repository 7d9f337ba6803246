"""Runs that are timed in turns: CPU seconds of each, measured round by round so that all see the same machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks import sumo_speed, uxsim_speed
from benchmarks.kernel_scenes import Recorded, Scene, record
from benchmarks.wave_yardstick import PLANS
from network_data.plans import TimingPlan
from sim.simulate import Simulator
from sim.wave import Wave

SAMPLE_S = 0.05
"""A sample repeats a run until it takes about so long. [s]"""
MOVE_S = 7.0
"""The plans of a batch differ by offsets, each this much later than the one before. [s]"""


@dataclass
class Sampled:
    """CPU seconds of repeated runs."""

    cpu_s: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Median of the runs. [s]"""
        return float(np.median(self.cpu_s))

    @property
    def min_s(self) -> float:
        """Shortest run. [s]"""
        return min(self.cpu_s)


class Engine:
    """The queue simulation of one scene: its compiled plan is run again and again; `recorded` is one run's traffic."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.simulator = _simulator(scene)
        self.recorded: Recorded = record(scene, self.simulator)
        self.entries, self.veh = self.recorded.entries, self.simulator.run([scene.plan])[0][0].veh
        self.runs = Sampled()
        self._plan = self.simulator.compile(scene.plan)
        self._times = 1
        first_s = self._once()
        self._times = max(1, round(SAMPLE_S / max(first_s, 1e-6)))

    def _once(self) -> float:
        began_s = time.process_time()
        for _ in range(self._times):
            self.simulator.run_compiled([self._plan])
        return (time.process_time() - began_s) / self._times

    def sample(self) -> None:
        """Time it once more."""
        self.runs.cpu_s.append(self._once())

    def ns(self, cpu_s: float) -> float:
        """CPU time per vehicle and link. [ns]"""
        return cpu_s * 1e9 / self.entries

    @property
    def ms_per_plan_hour(self) -> float:
        """CPU time for an hour under one plan. [ms]"""
        return self.runs.median_s * 1e3 / self.scene.hours


def _simulator(scene: Scene, *, workers: int = 1) -> Simulator:
    return Simulator(scene.network, [scene.trips], begin_s=scene.begin_s, end_s=scene.end_s, workers=workers)


class Others:
    """SUMO (micro, meso) and UXsim on a scene, or its first `length_s`, and our own time for exactly that.

    Ours is with and without laying out the plan, SUMO's with and without starting it and loading its files.
    """

    def __init__(self, scene: Scene, folder: Path, *, length_s: float) -> None:
        length_s = min(length_s, scene.end_s - scene.begin_s)
        self.files = scene.sumo_files(folder, length_s=length_s)
        end_s = scene.begin_s + length_s
        self.scene = replace(scene, trips=scene.within(end_s), end_s=end_s)
        self.simulator = _simulator(self.scene)
        names = ("ours", "ours_running", "micro", "micro_running", "meso", "meso_running", "uxsim")
        self.runs = {name: Sampled() for name in names}
        self.done_veh = {"ours": self.simulator.run([scene.plan])[0][0].done_veh}

    def sample(self) -> None:
        """Time each of them once more."""
        for _ in range(5):  # ours is so short that one run would mostly measure the clock
            began_s = time.process_time()
            compiled = self.simulator.compile(self.scene.plan)
            between_s = time.process_time()
            self.simulator.run_compiled([compiled])
            ended_s = time.process_time()
            self.runs["ours"].cpu_s.append(ended_s - began_s)
            self.runs["ours_running"].cpu_s.append(ended_s - between_s)
        for name, meso in (("micro", False), ("meso", True)):
            spent = sumo_speed.measure(self.files, meso=meso)
            self.runs[name].cpu_s.append(spent.whole_s)
            self.runs[f"{name}_running"].cpu_s.append(spent.whole_s - spent.loading_s)
            self.done_veh[name] = spent.done_veh
        if uxsim_speed.installed():
            s = self.scene
            spent_s, done = uxsim_speed.cpu_s(s.network, s.plan, s.trips, begin_s=s.begin_s, end_s=s.end_s)
            self.runs["uxsim"].cpu_s.append(spent_s)
            self.done_veh["uxsim"] = done

    @property
    def served(self) -> str:
        """How many trips were ended by each: that all moved the same traffic."""
        done = ", ".join(f"{name} {veh:,}" for name, veh in self.done_veh.items())
        return f"{self.scene.name}, {self.scene.hours * 60:g} min: of {len(self.scene.trips):,} trips ended {done}"

    def ratio(self, name: str, ours: str) -> float | None:
        """CPU time of another over ours; None where it was not measured. [-]"""
        return self.runs[name].median_s / self.runs[ours].median_s if self.runs[name].cpu_s else None


class Threads:
    """The same jobs on one thread and on two: wall time."""

    def __init__(self, scene: Scene, *, jobs: int) -> None:
        self.simulators = {workers: _simulator(scene, workers=workers) for workers in (1, 2)}
        self.plans = [self.simulators[1].compile(plan) for plan in shifted(scene.plan, jobs)]
        self.wall_s: dict[int, list[float]] = {1: [], 2: []}
        results = [simulator.run_compiled(self.plans) for simulator in self.simulators.values()]
        self.same = results[0] == results[1]

    def sample(self) -> None:
        """Time both once more."""
        for workers, simulator in self.simulators.items():
            began_s = time.perf_counter()
            simulator.run_compiled(self.plans)
            self.wall_s[workers].append(time.perf_counter() - began_s)

    @property
    def ratio(self) -> float:
        """Median time of one thread over that of two. [-]"""
        return float(np.median(self.wall_s[1]) / np.median(self.wall_s[2]))


class Filter:
    """The wave-theory filter on a scene, 16 plans at once."""

    def __init__(self, scene: Scene) -> None:
        self.wave = Wave(scene.network, scene.trips, begin_s=scene.begin_s, end_s=scene.end_s)
        self._levels = self.wave.levels.batch(shifted(scene.plan, PLANS))
        self.runs = Sampled()
        self.sample()
        self.runs = Sampled()  # the first one compiled

    def sample(self) -> None:
        """Time it once more."""
        state = self.wave.state(self._levels)
        began_s = time.process_time()
        self.wave.advance(state, self._levels)
        self.runs.cpu_s.append(time.process_time() - began_s)

    def ns(self, cpu_s: float) -> float:
        """CPU time per movement, step and plan. [ns]"""
        return cpu_s * 1e9 / (len(self.wave.layout.movement) * self.wave.n_step * PLANS)


def shifted(plan: TimingPlan, n: int) -> list[TimingPlan]:
    """The plan n times, every second controller's offset later each time."""
    return [
        TimingPlan(
            controllers={
                name: replace(p, offset_s=(p.offset_s + (i % 2) * turn * MOVE_S) % p.cycle_s)
                for i, (name, p) in enumerate(plan.controllers.items())
            }
        )
        for turn in range(n)
    ]


def exponent(work: Sequence[float], cpu_s: Sequence[float]) -> float:
    """Slope of log CPU time over log work, by least squares. [-]"""
    return float(np.polyfit(np.log(np.asarray(work)), np.log(np.asarray(cpu_s)), 1)[0])


def growth(engines: Mapping[float, Engine]) -> float:
    """Exponent of the CPU time (shortest runs) over what the engines are keyed by. [-]"""
    return exponent(list(engines), [engine.runs.min_s for engine in engines.values()])

"""`its optimize --confirm sumo`: the last few candidates in SUMO too; the plan must win in both models.

The vehicles are drawn from the estimated turning flows, anew: not those on which the search judged its candidates.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from its.console import format_table
from its.referee_runs import SumoRun, run_plan
from its.sumo import Scenario, sumo_home, sumo_version
from its.sumo_trips import write_routes
from its.verify import VerifyResult, additional_of
from network_data.demand import DemandScenarios
from network_data.errors import DemandError, InfeasibleError, InputError
from network_data.formats.files import root_tag
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.whole_seconds import to_sumo
from optimizer.optimize import Result, Step
from sim.parameters import STREET
from sim.trips import draw_trips

DRAWS = (4, 3, 2)
"""Draws of the traffic, as many as there is time for; two are the least that give an interval."""
MOST_SHARE = 0.5
"""Of the time limit, what SUMO may take. [-]"""
SLACK = 1.5
"""Plans differ in how long SUMO takes for them, and machines in how busy they are. [-]"""
SEED_STEP = 7919
"""Keeps the seeds of these draws apart from those of the search."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate in both models."""

    step: Step
    sumo: VerifyResult
    engine_ratio: float

    @property
    def wins(self) -> bool:
        """Whether its delay is below the field plan's in both models, in SUMO beyond doubt."""
        return self.engine_ratio < 1 and self.sumo.confirmed

    @property
    def both(self) -> float:
        """Mean of delay over the field plan's in the two models. [-]"""
        return (self.engine_ratio + self.sumo.ratio) / 2

    @property
    def reasons(self) -> list[str]:
        """Why it does not win."""
        own = [] if self.engine_ratio < 1 else ["no better than the field plan in the engine's simulation"]
        return [*own, *(f"SUMO: {text}" for text in self.sumo.reasons)]


class Referee:
    """SUMO with drawn vehicles: the field plan and candidates under common seeds.

    Use it as a context: its files are gone at the end.
    """

    def __init__(
        self,
        network_path: Path,
        network: RoadNetwork,
        demand: DemandScenarios,
        field: TimingPlan,
        *,
        plans: Path | None,
        begin_s: float,
        end_s: float,
        seed: int,
        workers: int,
    ) -> None:
        self._path, self._network, self._demand, self._field = network_path, network, demand, field
        self._plans, self._begin_s, self._end_s = plans, begin_s, end_s
        self._seed, self._workers = seed, max(1, workers)
        self._folder = tempfile.TemporaryDirectory()
        self._old: dict[int, SumoRun] = {}
        self.run_s = 0.0
        self.left_out = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def prepare(self) -> None:
        """Write the vehicles and run the field plan, as many at a time as later: that tells how long a run takes.

        Raises
        ------
        InputError
            The network is none of SUMO's.
        OutsideProgramError
            SUMO is missing or failed.
        """
        sumo_home()
        refuse_other_networks(self._path)
        for k in range(max(DRAWS)):
            scenario = self._demand.scenarios[k % len(self._demand.scenarios)]
            trips = draw_trips(
                self._network, scenario, seed=SEED_STEP * (self._seed + 1) + k, spacing_m=STREET.spacing_m
            )
            n = write_routes(trips, self._network, self._routes(k))
            self.left_out += len(trips) - n
            if not n:
                raise DemandError(
                    "--confirm sumo", "the estimated demand has no vehicle for SUMO to run; mend the counts"
                )
        start_s = time.monotonic()
        first = range(min(self._workers, min(DRAWS)))
        with ThreadPoolExecutor(self._workers) as pool:
            runs = pool.map(lambda k: self._one(k, self._field_files()), first)
            self._old = dict(zip(first, runs, strict=True))
        self.run_s = time.monotonic() - start_s

    def reserve_s(self, time_limit_s: float) -> float:
        """What to keep back of a time limit for the least that confirms: two draws of the last plan. [s]

        Raises
        ------
        InputError
            That leaves too little to search.
        """
        wanted_s = self._cost_s(4, DRAWS[1])
        least_s = self._cost_s(1, min(DRAWS))
        most_s = MOST_SHARE * time_limit_s
        if least_s > most_s:
            raise InputError(
                "--confirm sumo",
                f"one run of SUMO takes {self.run_s:.1f} s here: {least_s:.0f} s for the least that confirms, of "
                f"{time_limit_s:g} s in all; give --time-limit {2 * least_s + 10:.0f} or more",
            )
        return min(wanted_s, most_s)

    def _cost_s(self, n_plans: int, n_draws: int) -> float:
        runs = (n_plans + 1) * n_draws - len(self._old)
        return SLACK * self.run_s * -(-runs // self._workers)

    def judge(
        self, result: Result, *, time_s: float | None, progress: Callable[[float, str], None] | None = None
    ) -> list[Trial]:
        """Run the steps of the ladder and the last few candidates, as many as there is time for, the last one first.

        Parameters
        ----------
        time_s : float, optional
            Time there is; None for all candidates on all draws. [s]
        """
        begin_s = time.monotonic()
        steps = _distinct(self._field, [*result.ladder[::-1], *result.recent[::-1]])
        n_draws = self._draws_for(len(steps), time_s)
        runs: dict[tuple[int, int], SumoRun] = {}
        self._run([(k, -1) for k in range(n_draws) if k not in self._old], [], runs)
        self._old |= {k: run for (k, _), run in runs.items()}
        judged = []
        for n, step in enumerate(steps):
            left_s = None if time_s is None else time_s - (time.monotonic() - begin_s)
            if n and left_s is not None and SLACK * self.run_s * -(-n_draws // self._workers) > left_s:
                break
            start_s = time.monotonic()
            self._run([(k, n) for k in range(n_draws)], [self._files(step.plan, n)], runs)
            self.run_s = (time.monotonic() - start_s) / -(-n_draws // self._workers)
            judged.append(step)
            if progress is not None:
                mean_s = _mean([runs[k, n] for k in range(n_draws)])
                progress((n + 1) / len(steps), f"{step.name}: {mean_s:.1f} s/veh")
        old = tuple(self._old[k] for k in range(n_draws))
        before = result.objective_before
        return [
            Trial(
                step,
                VerifyResult(old=old, new=tuple(runs[k, n] for k in range(n_draws))),
                step.objective / before if before > 0 else 1.0,
            )
            for n, step in sorted(enumerate(judged), key=lambda row: _place(result, row[1]))
        ]

    def _draws_for(self, n_plans: int, time_s: float | None) -> int:
        """All draws where there is time for all candidates, fewer where there is hardly time for one."""
        if time_s is None or self._cost_s(n_plans, DRAWS[0]) <= time_s:
            return DRAWS[0]
        return next((n for n in DRAWS[1:] if self._cost_s(1, n) <= time_s), DRAWS[-1])

    def _run(
        self, wanted: Sequence[tuple[int, int]], files: Sequence[tuple[Path, ...]], runs: dict[tuple[int, int], SumoRun]
    ) -> None:
        """Run (draw, candidate) pairs of one candidate, or of the field plan where `files` is empty."""
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                plan = files[0] if files else self._field_files()
                jobs = {pool.submit(self._one, k, plan): (k, n) for k, n in wanted}
                for job in as_completed(jobs):
                    runs[jobs[job]] = job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, k: int, files: tuple[Path, ...]) -> SumoRun:
        return run_plan(self._scenario(k), files, k + 1, self._network.approaches)

    def _routes(self, k: int) -> Path:
        return Path(self._folder.name, f"draw{k}.rou.xml")

    def _scenario(self, k: int) -> Scenario:
        return Scenario(network=self._path, routes=(self._routes(k),), begin_s=self._begin_s, end_s=self._end_s)

    def _field_files(self) -> tuple[Path, ...]:
        """The plan in the field, as it decides there: of its file, or the programs in the network."""
        if self._plans is None:
            return ()
        return additional_of(self._plans, self._network, Path(self._folder.name, "field.add.xml"))

    def _files(self, plan: TimingPlan, n: int) -> tuple[Path, ...]:
        exported, _ = to_sumo(plan, self._network, self._field, f"its-candidate-{n}")
        target = Path(self._folder.name, f"candidate{n}.add.xml")
        target.write_text(write_sumo_programs(exported), encoding="utf-8")
        return (target,)


def refuse_other_networks(path: Path) -> None:
    """SUMO drives only its own networks."""
    if path.is_dir() or root_tag(path) != "net":
        raise InputError("--confirm sumo", f"{path} is no SUMO network, SUMO cannot drive it; leave --confirm out")


def _distinct(field: TimingPlan, steps: Sequence[Step]) -> list[Step]:
    """Steps whose plans differ from each other and from the field's, the first of equal ones (the latest) kept."""
    out: list[Step] = []
    for step in steps:
        shown = _shown(step.plan)
        if shown != _shown(field) and all(shown != _shown(other.plan) for other in out):
            out.append(step)
    return out


def _place(result: Result, step: Step) -> int:
    """Steps of the ladder from the bottom, then the candidates before the last."""
    return next(n for n, other in enumerate((*result.ladder, *result.recent)) if other is step)


def _shown(plan: TimingPlan) -> dict[str, tuple[Any, ...]]:
    return {c: (p.offset_s, p.intervals) for c, p in plan.controllers.items()}


def chosen(trials: Sequence[Trial]) -> Trial:
    """The candidate that wins in both models by most.

    Raises
    ------
    InfeasibleError
        None wins in both; the text has them all.
    """
    winners = [trial for trial in trials if trial.wins]
    if not winners:
        told = [f"  {t.step.name}: {'; '.join(t.reasons)}" for t in trials] or ["  no candidate differs from the field"]
        raise InfeasibleError("\n".join(["no candidate wins in both models; the plan in the field stays:", *told]))
    return min(winners, key=lambda trial: trial.both)


def narrowed(result: Result, trial: Trial) -> Result:
    """The result with the chosen candidate as its plan: the ladder ends with it."""
    if trial.step.plan is result.plan:
        return result
    names = [step.name for step in result.ladder]
    note = f"SUMO: of the last candidates {trial.step.name!r} wins in both models by most; it is the plan"
    if trial.step.name in names:
        ladder = result.ladder[: names.index(trial.step.name) + 1]
    else:
        ladder = (*result.ladder[:-1], replace(trial.step, name=names[-1]))
    return replace(
        result,
        plan=trial.step.plan,
        ladder=ladder,
        objective_after=trial.step.objective,
        notes=(*result.notes, note),
        bounds=(),
    )


def confirm_json(trials: Sequence[Trial], best: Trial, n_left_out: int) -> dict[str, Any]:
    """For run.json: every candidate in both models."""
    return {
        "model": f"SUMO {sumo_version()}",
        "draws": len(best.sumo.old),
        "vehicles_left_out": n_left_out,
        "field_s_per_veh": _mean(best.sumo.old),
        "chosen": best.step.name,
        "candidates": [
            {
                "step": trial.step.name,
                "engine_s_per_veh": trial.step.objective,
                "engine_change": trial.engine_ratio - 1,
                "sumo_s_per_veh": _mean(trial.sumo.new),
                "sumo_change": trial.sumo.ratio - 1,
                "sumo_difference_s": trial.sumo.differences["delay_s_per_veh"].as_json(),
                "wins": trial.wins,
                "reasons": trial.reasons,
            }
            for trial in trials
        ],
    }


def ladder_in_sumo(
    trials: Sequence[Trial], field: TimingPlan, plans: Sequence[TimingPlan]
) -> list[dict[str, float] | None]:
    """Per plan of the ladder its delay in SUMO and the change against the field plan; None where it was not run."""
    base = _mean(trials[0].sumo.old)
    known = [(_shown(trial.step.plan), _mean(trial.sumo.new)) for trial in trials]
    known.append((_shown(field), base))
    delays = [next((value for other, value in known if other == _shown(plan)), None) for plan in plans]
    return [
        None if value is None else {"delay_s_per_veh": value, "change": value / base - 1 if base > 0 else 0.0}
        for value in delays
    ]


def _mean(runs: Sequence[SumoRun]) -> float:
    return sum(run.delay_s_per_veh for run in runs) / len(runs)


def confirm_table(told: dict[str, Any]) -> str:
    """The candidates in both models as text."""
    rows = [
        (
            row["step"],
            f"{row['engine_s_per_veh']:.1f}",
            f"{100 * row['engine_change']:+.0f} %",
            f"{row['sumo_s_per_veh']:.1f}",
            f"{100 * row['sumo_change']:+.0f} %",
            f"{row['sumo_difference_s']['mean']:+.2f} ± {row['sumo_difference_s']['ci95']:.2f}",
            "yes" if row["wins"] else "no",
        )
        for row in told["candidates"]
    ]
    header = ("candidate", "engine s/veh", "change", "SUMO s/veh", "change", "SUMO difference ±95 %", "wins in both")
    return f"{format_table(header, rows)}\nthe plan is: {told['chosen']}"

"""`python -m benchmarks.sumo_answers`: draw the plans of the fidelity benchmark and ask SUMO about each.

It takes hours. Every run is written down at once in a working file in the cache folder; what is there is not run again.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fidelity_cases import FidelityCase, cache_folder, fidelity_cases, with_programs
from benchmarks.fidelity_store import (
    Answer,
    Approach,
    PlanKey,
    answer_of,
    read_answers,
    read_approaches,
    read_plans,
    write_answers,
    write_approaches,
    write_plans,
)
from benchmarks.plan_families import PlanMaker, plan_hash
from its.referee_runs import run_plan
from its.sumo import Scenario, sumo_version
from network_data.errors import InputError
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.plans import TimingPlan

N_PLANS, BLOCK = 40, 10
N_NEAR_DRAWN = 60
"""Plans near the good one are drawn anew where SUMO's delay lies outside the spread allowed; so many at most."""
SPREAD = 0.25
"""SUMO's delays of plans near the good one: at most so far above the best of them. [-]"""
SEEDS, CEILING_SEEDS = (1, 2, 3), (4, 5, 6)
CEILING_PLANS = {"acosta60": 20, "acosta100": 20, "pasubio": 20}
"""Where a run takes long the ceiling is measured on the first so many plans of each family."""
MESO_SEED = 1
version_of_sumo = functools.cache(sumo_version)


class MesoScenario(Scenario):
    """A scenario that SUMO runs with its mesoscopic model."""

    def options(self, *more_additional: Path) -> list[str]:
        """The options that load the scenario."""
        return [*Scenario.options(self, *more_additional), "--mesosim", "true", "--meso-junction-control", "true"]


@dataclass(frozen=True, slots=True)
class Run:
    """One SUMO run to be made."""

    key: PlanKey
    model: str
    seed: int


class Answers:
    """The answers of a case known so far: those stored and those in the working file.

    Answers to other plans, or under other routes, are counted as `refused` and not used.
    """

    def __init__(
        self, case: FidelityCase, plans: dict[PlanKey, TimingPlan], *, anew: bool = False, stored_only: bool = False
    ) -> None:
        self.case, self.plans = case, plans
        self.hashes = {key: plan_hash(plan) for key, plan in plans.items()}
        self.path = cache_folder() / f"answers_{case.name}.jsonl"
        self.known: dict[Run, Answer] = {}
        self.approaches: dict[Run, dict[str, tuple[float, float]]] = {}
        self.refused = 0
        if anew:
            self.path.unlink(missing_ok=True)
            return
        for answer in read_answers(case.name):
            self._take(answer, {})
        if self.path.is_file() and not stored_only:
            for line in self.path.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                links = {link: (delay, veh) for link, delay, veh in record.pop("approaches")}
                self._take(answer_of({k: str(v) for k, v in record.items()}), links)

    def _take(self, answer: Answer, links: dict[str, tuple[float, float]]) -> None:
        key = PlanKey(answer.family, answer.index)
        if self.hashes.get(key) == answer.plan_hash and answer.route_hash == self.case.route_hash:
            run = Run(key, answer.model, answer.seed)
            self.known[run] = answer
            self.approaches[run] = links or self.approaches.get(run, {})
        else:
            self.refused += 1

    def ask(self, run: Run) -> Answer:
        """Run SUMO and write down what it says."""
        answer, links = _ask(self.case, self.plans[run.key], run)
        record = {**asdict(answer), "approaches": [(link, *values) for link, values in links.items()]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
        self._take(answer, links)
        return answer

    def seeds(self, key: PlanKey, seeds: Sequence[int], model: str = "micro") -> list[Answer]:
        """What is known of a plan under some seeds."""
        return [self.known[run] for seed in seeds if (run := Run(key, model, seed)) in self.known]

    def locked(self, key: PlanKey) -> bool:
        """Whether any of the first seeds locks: then the plan is left out."""
        return any(answer.locked for answer in self.seeds(key, SEEDS))

    def mean_s(self, key: PlanKey, seeds: Sequence[int] = SEEDS) -> float | None:
        """SUMO's delay of a plan, mean over seeds; None where one is missing. [s/veh]"""
        found = self.seeds(key, seeds)
        return sum(a.delay_s_per_veh for a in found) / len(found) if len(found) == len(seeds) else None

    def store(self) -> None:
        """Write the tables that belong to the repository."""
        order = sorted(self.known.items(), key=lambda item: (item[0].model, item[0].key, item[0].seed))
        write_answers(self.case.name, [answer for _, answer in order])
        # what is stored of runs that the working file does not hold stays
        rows = [
            a for a in read_approaches(self.case.name) if self.hashes.get(PlanKey(a.family, a.index)) == a.plan_hash
        ]
        known = {(a.model, a.family, a.index, a.link): a for a in [*rows, *self._approach_rows()]}
        write_approaches(self.case.name, [known[key] for key in sorted(known)])

    def _approach_rows(self) -> Iterator[Approach]:
        sums: dict[tuple[str, PlanKey, str], list[tuple[float, float]]] = defaultdict(list)
        for run, links in self.approaches.items():
            if run.model == "meso" or run.seed in SEEDS:
                for link, said in links.items():
                    sums[run.model, run.key, link].append(said)
        for (model, key, link), runs in sorted(sums.items()):
            if len(runs) == (1 if model == "meso" else len(SEEDS)):
                delay_s, veh = sum(delay for delay, _ in runs), sum(veh for _, veh in runs)
                yield Approach(
                    family=key.family,
                    index=key.number,
                    plan_hash=self.hashes[key],
                    model=model,
                    link=link,
                    delay_s_per_veh=delay_s / max(1e-9, veh),
                    veh=veh / len(runs),
                )


def _ask(case: FidelityCase, plan: TimingPlan, run: Run) -> tuple[Answer, dict[str, tuple[float, float]]]:
    scenario = case.scenario
    if run.model == "meso":
        scenario = MesoScenario(**{name: getattr(scenario, name) for name in Scenario.__dataclass_fields__})
    links = sorted({link for approach in case.network.approaches.values() for link in approach})
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder, "plan.add.xml")
        programs.write_text(write_sumo_programs(with_programs(plan.controllers, "fidelity")), encoding="utf-8")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = run_plan(scenario, [programs], run.seed, {link: (link,) for link in links})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = Answer(
        family=run.key.family,
        index=run.key.number,
        plan_hash=plan_hash(plan),
        model=run.model,
        seed=run.seed,
        delay_s_per_veh=round(said.delay_s_per_veh, 4),
        loaded=said.loaded,
        finished=said.finished,
        running=said.running,
        undeparted=said.undeparted,
        teleports=said.teleports,
        collisions=said.collisions,
        locked=said.locked or said.teleports > 0,
        cpu_s=round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3),
        route_hash=case.route_hash,
        sumo=version_of_sumo(),
    )
    return answer, {link: (round(s.delay_s, 1), s.veh) for link, s in said.signals.items()}


def draw_plans(case: FidelityCase, good: TimingPlan) -> dict[PlanKey, TimingPlan]:
    """The plans of a case: the shipped one, the good one, and both families."""
    maker = PlanMaker(case.network, case.field, seed=case.name)
    out = {PlanKey("field", 0): case.field, PlanKey("good", 0): good}
    out |= {PlanKey("near", i): maker.near(i, good) for i in range(N_NEAR_DRAWN)}
    out |= {PlanKey("random", i): maker.random(i) for i in range(N_PLANS)}
    return out


def wanted(answers: Answers, block: int) -> Iterator[Run]:
    """The runs of a case with the first seeds, one block of plans: good and field, then both families in turn.

    A plan in which one seed locked is not asked about again; near ones that do not count are followed by others in the
    last block.
    """
    for family in ("good", "field"):
        yield from _seeds(answers, PlanKey(family, 0), SEEDS)
    for i in range(block * BLOCK, min((block + 1) * BLOCK, N_PLANS)):
        for family in ("near", "random"):
            yield from _seeds(answers, PlanKey(family, i), SEEDS)
    if (block + 1) * BLOCK >= N_PLANS:
        for i in range(N_PLANS, N_NEAR_DRAWN):
            if len(near_plans(answers)) < N_PLANS:
                yield from _seeds(answers, PlanKey("near", i), SEEDS)


def _seeds(answers: Answers, key: PlanKey, seeds: Sequence[int]) -> Iterator[Run]:
    for seed in seeds:
        if not answers.locked(key):
            yield Run(key, "micro", seed)


def near_plans(answers: Answers) -> list[PlanKey]:
    """The plans near the good one that count: none locks, and all lie within the spread above the best of them."""
    delays = {
        key: delay
        for i in range(N_NEAR_DRAWN)
        if (delay := answers.mean_s(key := PlanKey("near", i))) is not None and not answers.locked(key)
    }
    most = (1 + SPREAD) * min(delays.values(), default=0.0)
    return [key for key, delay in delays.items() if delay <= most][:N_PLANS]


def counted(answers: Answers) -> Iterator[PlanKey]:
    """The plans of both families that count, in turn."""
    random = [key for i in range(N_PLANS) if not answers.locked(key := PlanKey("random", i))]
    for pair in itertools.zip_longest(near_plans(answers), random):
        yield from (key for key in pair if key is not None)


def jobs(known: Iterable[Answers]) -> Iterator[tuple[Answers, Run]]:
    """Everything to be asked, the most needed first: block by block, so that all cases grow together."""
    all_of = list(known)
    for block in range(math.ceil(N_PLANS / BLOCK)):
        for answers in all_of:
            yield from ((answers, run) for run in wanted(answers, block))
    for answers in all_of:
        most = 2 * CEILING_PLANS.get(answers.case.name, N_PLANS)
        for key in itertools.islice(counted(answers), most):
            yield from ((answers, Run(key, "micro", seed)) for seed in CEILING_SEEDS)
    for answers in all_of:
        yield from ((answers, Run(key, "meso", MESO_SEED)) for key in counted(answers))


def remake(names: Sequence[str], say: Callable[[str], None], *, anew: bool = False) -> None:
    """Ask SUMO about everything that is not known yet, and store the tables as each case is done.

    Parameters
    ----------
    anew : bool
        Forget what is known and draw the plans again.
    """
    cases = fidelity_cases()
    known = []
    for name in names:
        case = cases[name]
        plans = read_plans(name)
        if PlanKey("good", 0) not in plans:
            raise InputError(name, "has no good plan stored; see docs/fidelity.md")
        if anew or len(plans) < N_PLANS:
            plans = draw_plans(case, plans[PlanKey("good", 0)])
            write_plans(name, plans)
        known.append(Answers(case, plans, anew=anew))
    began_s, last = time.monotonic(), known[0]
    for answers, run in jobs(known):
        if run in answers.known:
            continue
        if answers is not last:
            last.store()
            say(f"{last.case.name}: {len(last.known)} answers ({time.monotonic() - began_s:.0f} s)")
            last = answers
        answers.ask(run)
    for answers in known:
        answers.store()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="a case; may be given several times")
    parser.add_argument("--anew", action="store_true", help="forget what is known")
    chosen = parser.parse_args()
    remake(chosen.only or list(fidelity_cases()), lambda text: print(text, flush=True), anew=chosen.anew)


if __name__ == "__main__":
    main()

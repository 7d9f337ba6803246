"""SUMO's answers to plans: every (plan, demand, seed) run once, kept, and summed up with paired differences."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._quality_methods import Inputs, Method, last_line, settings_of
from benchmarks._quality_store import Store, file_hash, hash_of, programs_hash
from benchmarks.cases import ROOT, its_command, referee
from its.intervals import estimate
from its.referee_runs import run_plan
from its.sumo import Scenario
from network_data.errors import InputError, OutsideProgramError

WORKERS = 2
"""SUMO processes at a time."""
SHIFT_S = 300.0
"""Departures at 90 and 110 % of the demand are moved by up to so much. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A share of the case's demand, with departures moved at random by up to `shift_s`."""

    scale: float
    shift_s: float = 0.0

    @property
    def key(self) -> str:
        """Name in the rows' keys, such as `90` for 90 %."""
        return f"{100 * self.scale:.0f}"


FULL = Demand(scale=1.0)
DEMANDS = (FULL, Demand(scale=0.9, shift_s=SHIFT_S), Demand(scale=1.1, shift_s=SHIFT_S))
LOW_DEMANDS = (Demand(scale=0.6), Demand(scale=0.8))
FULL_BOLOGNA = ("bologna_acosta", "bologna_pasubio")
"""Networks that are saturated at 100 %: plans made there also run at these lower demands."""


def demands_of(case_name: str, asked: Sequence[float]) -> tuple[Demand, ...]:
    """The demands a case runs at; with `asked` only those of these scales.

    Raises
    ------
    InputError
        A scale that no case has.
    """
    known = (*DEMANDS, *LOW_DEMANDS)
    odd = [f"no scale {x:g}; known are {', '.join(f'{d.scale:g}' for d in known)}" for x in asked if not _has(known, x)]
    if odd:
        raise InputError("--scales", odd)
    of_case = (*DEMANDS, *(LOW_DEMANDS if case_name in FULL_BOLOGNA else ()))
    return tuple(d for d in of_case if not asked or any(math.isclose(d.scale, x) for x in asked))


def _has(known: Sequence[Demand], scale: float) -> bool:
    return any(math.isclose(demand.scale, scale) for demand in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One SUMO run that is asked for."""

    plan: Path | None
    demand: Demand
    seed: int


class Judge:
    """SUMO's answers for one case."""

    def __init__(self, inputs: Inputs, routes: tuple[Path, ...], store: Store) -> None:
        self.inputs, self.routes, self.store = inputs, routes, store
        self.case = inputs.case
        self._runs: dict[str, dict[str, Any]] = {}

    def key(self, run: Run) -> str:
        """Hash of everything a run depends on."""
        demand = (run.demand.scale, run.demand.shift_s)
        of = hash_of(self.inputs.scenario_key, programs_hash(run.plan), *demand, run.seed)
        return f"{self.case.name}-{of}"

    def missing(self, runs: Sequence[Run]) -> list[Run]:
        """Those that are not in the store yet, each plan and demand once."""
        unique = {self.key(run): run for run in runs}
        return [run for key, run in unique.items() if self.store.load("runs", key) is None]

    def run(self, runs: Sequence[Run], say: Callable[[str], None], workers: int = WORKERS) -> None:
        """Run what is missing, so many at a time; each answer is kept at once."""
        missing = self.missing(runs)
        began_s = time.monotonic()
        with ThreadPoolExecutor(workers) as pool:
            for n, _ in enumerate(pool.map(self._measure, missing), start=1):
                if n % 10 == 0 and n < len(missing):
                    left_s = (time.monotonic() - began_s) / n * (len(missing) - n)
                    say(f"{self.case.name}: {n} of {len(missing)} SUMO runs, {left_s / 60:.0f} minutes to go")

    def _measure(self, run: Run) -> None:
        scenario = Scenario(
            network=self.case.network,
            routes=self.routes,
            additional=self.case.base_additional,
            begin_s=self.case.begin_s,
            end_s=self.case.end_s,
            scale=self.case.share * run.demand.scale,
            shift_s=run.demand.shift_s,
        )
        began_s = time.monotonic()
        try:
            seen = run_plan(scenario, [run.plan] if run.plan is not None else [], run.seed, {})
        except OutsideProgramError as error:
            answer: dict[str, Any] = {"error": str(error)}
        else:
            names = (
                "delay_s_per_veh",
                "loaded",
                "finished",
                "running",
                "undeparted",
                "teleports",
                "collisions",
                "locked",
            )
            answer = {name: getattr(seen, name) for name in names} | {"error": ""}
        answer |= {"scale": run.demand.scale, "shift_s": run.demand.shift_s, "seed": run.seed}
        self.store.save("runs", self.key(run), answer | {"wall_s": time.monotonic() - began_s})

    def answer(self, run: Run) -> dict[str, Any]:
        """A run's answer out of the store."""
        key = self.key(run)
        if key not in self._runs:
            found = self.store.load("runs", key)
            if found is None:
                raise OutsideProgramError(f"{self.case.name}: the answer {key} went from the store while it was used")
            self._runs[key] = found
        return self._runs[key]

    def seconds_per_run(self, run: Run) -> float:
        """Wall time that a run took. [s]"""
        return float(self.answer(run)["wall_s"])

    def summary(self, plan: Path | None, demand: Demand, seeds: int) -> dict[str, Any]:
        """Mean over the seeds, and the paired difference to the plan in force; `faults` says what went wrong."""
        ours = [self.answer(Run(plan=plan, demand=demand, seed=seed)) for seed in range(1, seeds + 1)]
        field = [self.answer(Run(plan=None, demand=demand, seed=seed)) for seed in range(1, seeds + 1)]
        if error := next((x["error"] for x in ours if x["error"]), ""):
            return {"faults": error}
        mean = estimate([x["delay_s_per_veh"] for x in ours]).as_json()
        out: dict[str, Any] = {"mean": mean["mean"], "ci95": mean["ci95"], "faults": _faults(ours, seeds)}
        if not any(x["error"] for x in field):
            pairs = [a["delay_s_per_veh"] - b["delay_s_per_veh"] for a, b in zip(ours, field, strict=True)]
            change = estimate(pairs).as_json()
            out |= {"difference": change["mean"], "difference_ci95": change["ci95"]}
        return out


def _faults(answers: Sequence[dict[str, Any]], seeds: int) -> str:
    moved = sum(x["teleports"] + x["collisions"] for x in answers)
    locked = sum(bool(x["locked"]) for x in answers)
    told = [f"{moved} teleports or collisions"] if moved else []
    told += [f"locked under {locked} of {seeds} seeds"] if locked else []
    return ", ".join(told)


def check(method: Method, plan: Path, inputs: Inputs, store: Store) -> tuple[bool | None, str]:
    """Whether a plan keeps the rules, by the referee where there is one, else by `its check`; and the first fault.

    Turns may lose their protection where the method says so; an actuated program is judged by the referee alone.
    """
    tool = referee()
    of = (programs_hash(plan), file_hash(tool)) if tool else (programs_hash(plan), "its")
    key = f"{inputs.case.name}-{hash_of(inputs.scenario_key, method.left_turns, *of)}"
    kept = store.load("checks", key)
    if kept is None:
        kept = _by_referee(tool, method, plan, inputs) if tool else _by_its(method, plan, inputs)
        store.save("checks", key, kept)
    return kept["ok"], kept["first"]


def _by_referee(tool: Path, method: Method, plan: Path, inputs: Inputs) -> dict[str, Any]:
    case, result = inputs.case, plan.with_name("referee.json")
    options: list[object] = ["--net", case.network, "--routes", "none", "--additional", plan, "--check-only"]
    options += ["--base-additional", *case.base_additional] if case.base_additional else []
    options += ["--allow-unprotected"] if method.left_turns in ("warrant", "free") else []
    done = subprocess.run(
        [sys.executable, str(tool), *map(str, options), "--json", str(result)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not result.is_file() or done.returncode not in (0, 2):
        raise OutsideProgramError(f"the referee ended with {done.returncode}: {last_line(done.stderr)}")
    safety = json.loads(result.read_text(encoding="utf-8"))["safety"]
    return {"ok": bool(safety["ok"]), "first": next(iter(safety["violations"]), "")}


def _by_its(method: Method, plan: Path, inputs: Inputs) -> dict[str, Any]:
    if method.kind == "actuated":
        return {"ok": None, "first": ""}
    options: list[object] = ["--network", inputs.case.network, "--json"]
    options += ["--against", inputs.case.field_plan] if inputs.case.field_plan else []
    options += ["--settings", settings_of(method, plan.parent)] if method.left_turns else []
    done = subprocess.run(its_command("check", plan, *options), capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode not in (0, 3):
        raise OutsideProgramError(f"its check ended with {done.returncode}: {last_line(done.stderr)}")
    faults = json.loads(done.stdout)["violations"]
    return {"ok": done.returncode == 0, "first": str(next(iter(faults), ""))}

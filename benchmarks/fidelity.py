"""Fidelity: does the engine rank plans as SUMO does, and how far are its delays from SUMO's?

SUMO's answers are stored in `benchmarks/data`; `--remake` asks for those that are missing. See `docs/fidelity.md`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.fidelity_cases import FidelityCase, fidelity_cases
from benchmarks.fidelity_models import DRIVERS, EXACT, FLOWS, Prediction, predictions
from benchmarks.fidelity_scores import Score, approach_error, score
from benchmarks.fidelity_store import PlanKey, read_approaches, read_plans
from benchmarks.plan_families import FAMILIES
from benchmarks.sumo_answers import (
    CEILING_SEEDS,
    MESO_SEED,
    N_PLANS,
    SEEDS,
    SPREAD,
    Answers,
    near_plans,
    remake,
)
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import SignalError

QUICK_CASES = ("cologne1", "cologne3")
MESO = "SUMO meso"
COLUMNS = (
    Column(key="case", heading="case"),
    Column(key="family", heading="family"),
    Column(key="model", heading="model"),
    Column(key="n_plans", heading="plans"),
    Column(key="left_out", heading="out"),
    Column(key="rank", heading="rank", spec=".3f"),
    Column(key="rank_odd", heading="odd", spec=".3f"),
    Column(key="error", heading="error", spec=".1%"),
    Column(key="bias", heading="bias", spec="+.1%"),
    Column(key="approach_error", heading="approach", spec=".1%"),
    Column(key="regret", heading="regret", spec=".1%"),
    Column(key="ceiling_rank", heading="ceiling", spec=".3f"),
    Column(key="ceiling_error", heading="c. error", spec=".1%"),
    Column(key="share_of_ceiling", heading="share", spec=".2f"),
    Column(key="rank_to_ours", heading="to ours", spec=".3f"),
    Column(key="ms_per_plan", heading="ms/plan", spec=".3g"),
    Column(key="required", heading="required"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a row has to reach; None where nothing is asked. All ratios. [-]"""

    rank: float | None = None
    error: float | None = None
    share_of_ceiling: float | None = None
    regret: float | None = None

    def met(self, row: dict[str, Cell]) -> bool | None:
        """Whether a row reaches it; None where nothing is asked or it cannot be said."""
        checks = [
            (self.rank, row.get("rank"), 1),
            (self.share_of_ceiling, row.get("share_of_ceiling"), 1),
            (self.error, row.get("error"), -1),
            (self.regret, row.get("regret"), -1),
        ]
        asked = [(limit, value, sign) for limit, value, sign in checks if limit is not None]
        if not asked or not all(isinstance(value, float) for _, value, _ in asked):
            return None
        return all(sign * (float(value) - limit) >= 0 for limit, value, sign in asked if isinstance(value, float))


def need_of(case: FidelityCase, family: str, model: str) -> Need:
    """What issue and project ask of the engine; of other models nothing."""
    real = case.base.programs == "real"
    if model == EXACT and family == "random":
        return Need(rank=0.90, error=0.20) if real else Need(rank=0.95, error=0.12)
    if model == FLOWS and family == "random":
        return Need(rank=0.92, error=0.25)
    return Need(share_of_ceiling=0.8, regret=0.05) if model == EXACT else Need()


@dataclass(frozen=True, eq=False)
class Stored:
    """What is stored of a case: its plans with SUMO's answers."""

    case: FidelityCase
    answers: Answers

    @cached_property
    def members(self) -> dict[str, list[PlanKey]]:
        """The plans of each family that count."""
        random = [
            key
            for i in range(N_PLANS)
            if self.answers.mean_s(key := PlanKey("random", i)) is not None and not self.answers.locked(key)
        ]
        return {"random": random, "near": near_plans(self.answers)}

    def left_out(self, family: str) -> int:
        """Plans that SUMO was asked about and that do not count: a seed locked, or beyond the spread."""
        asked = {run.key for run in self.answers.known if run.key.family == family and run.model == "micro"}
        return len(asked) - len(self.members[family])

    @cached_property
    def approaches(self) -> dict[tuple[str, PlanKey], dict[str, tuple[float, float]]]:
        """SUMO's delay [s/veh] and vehicles on approach links, by its model and plan."""
        out: dict[tuple[str, PlanKey], dict[str, tuple[float, float]]] = {}
        for row in read_approaches(self.case.name):
            key = PlanKey(row.family, row.index)
            if self.answers.hashes.get(key) == row.plan_hash:
                out.setdefault((row.model, key), {})[row.link] = (row.delay_s_per_veh, row.veh)
        return out

    def sumo_s(self, keys: Sequence[PlanKey], seeds: Sequence[int] = SEEDS) -> list[float]:
        """SUMO's delays. [s/veh]"""
        return [value for key in keys if (value := self.answers.mean_s(key, seeds)) is not None]

    def ceiling(self, family: str) -> Score | None:
        """SUMO's seeds 4-6 as a model of its seeds 1-3, on the plans that have both."""
        asked = {key: self.answers.seeds(key, CEILING_SEEDS) for key in self.members[family]}
        both = [key for key, a in asked.items() if len(a) == len(CEILING_SEEDS) and not any(x.locked for x in a)]
        return score(self.sumo_s(both, CEILING_SEEDS), self.sumo_s(both)) if both else None

    def meso(self, keys: Sequence[PlanKey]) -> Prediction | None:
        """SUMO's mesoscopic answers; None where one is missing."""
        found = [self.answers.seeds(key, (MESO_SEED,), "meso") for key in keys]
        if not found or not all(found):
            return None
        return Prediction(
            delays_s=[a[0].delay_s_per_veh for a in found],
            cpu_s=float(np.mean([a[0].cpu_s for a in found])),
            approaches=[{x: d for x, (d, _) in self.approaches.get(("meso", key), {}).items()} for key in keys],
        )


def benchmark(options: Options) -> Table:
    """Every case, both families, every model, beside SUMO's stored answers."""
    names = options.chosen(list(fidelity_cases()), QUICK_CASES)
    if options.remake:
        remake(names, options.say)
    rows: list[dict[str, Cell]] = []
    notes: list[str] = []
    for name in names:
        began_s = time.monotonic()
        try:
            mine, said = _case_rows(fidelity_cases()[name])
        except SignalError as error:
            mine, said = [{"case": name, "model": "failed", "required": False}], [str(error).strip()]
        rows += mine
        notes += [f"{name}: {text}" for text in said]
        options.say(f"{name}: {time.monotonic() - began_s:.0f} s")
    return Table(
        title="Fidelity: the engine beside SUMO",
        columns=COLUMNS,
        rows=rows,
        notes=[*_legend(), *notes],
        failed=any(row.get("required") is False for row in rows),
    )


def _legend() -> list[str]:
    return [
        "delay per loaded vehicle against SUMO's mean of seeds 1-3; ceiling: SUMO's seeds 4-6 judged in the same way; "
        "share: rank over the ceiling's; to ours: rank correlation with the queue simulation on exact vehicles",
        "odd: rank over plans of odd number: mechanisms are sought under even ones",
        f"out: plans in which a seed locks, or near ones more than {SPREAD:.0%} above the best of them",
    ]


def _case_rows(case: FidelityCase) -> tuple[list[dict[str, Cell]], list[str]]:
    """The rows of a case, and what is to be said of it."""
    stored = Stored(case, Answers(case, read_plans(case.name), stored_only=True))
    notes = _complaints(stored)
    keys = [key for family in FAMILIES for key in stored.members[family]]
    if not keys:
        return [], notes
    plans = [stored.answers.plans[key] for key in keys]
    said = predictions(case, plans)
    meso = stored.meso(keys)
    if meso is not None:
        said[MESO] = meso
    ours = dict(zip(keys, said[EXACT].delays_s, strict=True))
    rows = []
    for family in FAMILIES:
        for name, prediction in said.items():
            row = _row(stored, family, name, dict(zip(keys, prediction.delays_s, strict=True)), ours)
            if row is not None:
                row["approach_error"] = _approach_error(stored, family, keys, prediction)
                row["ms_per_plan"] = 1000 * prediction.cpu_s
                rows.append(row)
    sumo_cpu_s = np.mean([a.cpu_s for run, a in stored.answers.known.items() if run.model == "micro"])
    notes.append(
        f"routes {case.route_hash}, {len(case.trips)} vehicles; "
        f"SUMO {next(iter(stored.answers.known.values())).sumo}: {sumo_cpu_s:.2f} CPU s per plan and seed, "
        f"{DRIVERS * sumo_cpu_s / said[EXACT].cpu_s:.0f} times the queue simulation's per plan and draw"
    )
    return rows, notes


def _row(
    stored: Stored, family: str, model: str, delays_s: dict[PlanKey, float], ours_s: dict[PlanKey, float]
) -> dict[str, Cell] | None:
    keys = stored.members[family]
    found = score([delays_s[key] for key in keys], stored.sumo_s(keys)) if keys else None
    if found is None:
        return None
    odd = [key for key in keys if key.number % 2 == 1]
    on_odd = score([delays_s[key] for key in odd], stored.sumo_s(odd))
    ceiling = stored.ceiling(family)
    to_ours = score([delays_s[key] for key in keys], [ours_s[key] for key in keys])
    row: dict[str, Cell] = {
        "case": stored.case.name,
        "family": family,
        "model": model,
        "n_plans": found.n,
        "left_out": stored.left_out(family),
        "rank": found.rank,
        "rank_odd": on_odd.rank if on_odd is not None else None,
        "error": found.error,
        "bias": found.bias,
        "regret": found.regret,
        "ceiling_rank": ceiling.rank if ceiling is not None else None,
        "ceiling_error": ceiling.error if ceiling is not None else None,
        "ceiling_regret": ceiling.regret if ceiling is not None else None,
        "rank_to_ours": to_ours.rank if to_ours is not None and model != EXACT else None,
    }
    if found.rank is not None and ceiling is not None and ceiling.rank:
        row["share_of_ceiling"] = found.rank / ceiling.rank
    row["required"] = need_of(stored.case, family, model).met(row)
    return row


def _approach_error(stored: Stored, family: str, keys: Sequence[PlanKey], prediction: Prediction) -> float | None:
    """Mean over the family's plans of how far approach delays are from SUMO's. [-]"""
    if not prediction.approaches:
        return None
    pairs = [
        (mine, stored.approaches["micro", key])
        for key, mine in zip(keys, prediction.approaches, strict=True)
        if key.family == family and mine and ("micro", key) in stored.approaches
    ]
    errors = [value for mine, sumo in pairs if (value := approach_error(mine, sumo)) is not None]
    return float(np.mean(errors)) if errors else None


def _complaints(stored: Stored) -> list[str]:
    """What is missing in the stored answers, in words."""
    answers, out = stored.answers, []
    if not answers.plans:
        return ["no plans are stored; remake needed"]
    if answers.refused:
        out.append(f"{answers.refused} stored answers are of other plans or routes: remake needed")
    counted = [PlanKey("random", i) for i in range(N_PLANS)]
    missing = sum(not answers.locked(key) and answers.mean_s(key) is None for key in counted)
    missing += N_PLANS - min(N_PLANS, len(stored.members["near"]) + _near_spent(stored))
    if missing:
        out.append(f"{missing} plans without SUMO's answers: remake needed")
    return out


def _near_spent(stored: Stored) -> int:
    """How many near plans cannot be had: all those drawn were asked about."""
    drawn = [key for key in stored.answers.plans if key.family == "near"]
    asked = all(stored.answers.locked(key) or stored.answers.mean_s(key) is not None for key in drawn)
    return N_PLANS if asked else 0

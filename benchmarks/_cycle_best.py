"""The best value known for each case of the cycle budget: by long searches, stored with what found it.

`python -m benchmarks cycle_budget --remake` searches again: `its optimize`'s search for minutes and the rolling
optimizer with several times its budget, whichever ends lower in the judge's runs.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks._cycle_cases import Network
from benchmarks._cycle_street import Judge, Street
from network_data.demand import DemandScenarios
from network_data.formats.files import write_aside
from network_data.plans import TimingPlan
from optimizer.optimize import optimize
from optimizer.rolling import Rolling

PATH = Path(__file__).parent / "data" / "cycle_best.json"
SEARCH_S = {1: 20.0, 10: 60.0, 100: 240.0, 1_000: 480.0}
"""Wall time of the search by signals; none in the largest network, where one run of a plan takes seconds. [s]"""
ROLLING_SHARE, ROLLING_CYCLES = 3.0, {1: 200, 10: 200, 100: 200, 1_000: 120, 10_000: 40}
"""Budget of the rolling optimizer over its usual one, and for how many cycles. [-]"""
SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Best:
    """Delay per vehicle of the plan that the case begins with and of the best one known, by the judge. [s/veh]

    `others` are the values of those that did not win.
    """

    begin_s_per_veh: float
    best_s_per_veh: float
    found_by: str
    others: dict[str, float] = field(default_factory=dict)


def stored() -> dict[str, Best]:
    """What is known, by "signals/cycle"."""
    if not PATH.exists():
        return {}
    return {name: Best(**row) for name, row in json.loads(PATH.read_text(encoding="utf-8")).items()}


def store(name: str, best: Best) -> None:
    """Keep a value; those of other cases stay."""
    rows = {**stored(), name: best}
    ordered = sorted(rows, key=lambda key: tuple(map(int, key.split("/"))))
    write_aside(PATH, json.dumps({key: asdict(rows[key]) for key in ordered}, indent=1) + "\n")


def best_of(name: str, begin_s_per_veh: float) -> Best | None:
    """The best known value; None where there is none, or the case has changed since it was found."""
    found = stored().get(name)
    if found is None or abs(found.begin_s_per_veh / begin_s_per_veh - 1) > SAME:
        return None
    return found


def search_best(case: Network, plan: TimingPlan, cycle_s: int, judge: Judge, budget_ms: float) -> Best:
    """Search long, and judge what was found."""
    found: dict[str, TimingPlan] = {"the plan that it begins with": plan}
    if case.signals in SEARCH_S:
        seconds = SEARCH_S[case.signals]
        began_s = time.process_time()
        result = optimize(
            case.network, DemandScenarios(scenarios=(case.today,), weights=(1.0,)), plan, case.settings, begin_s=0.0,
            end_s=3600.0, deadline=time.monotonic() + seconds,
        )  # fmt: skip
        found[f"optimize, {time.process_time() - began_s:.0f} CPU s"] = result.plan
    began_s = time.process_time()
    rolling = Rolling(case.network, plan, case.detectors, case.today, case.settings)
    street = Street(case, rolling.layout, cycle_s, seed=7)
    for _ in range(ROLLING_CYCLES[case.signals]):
        seen = street.observe(rolling.plan)
        rolling.step(seen, seen.time_s, ROLLING_SHARE * budget_ms)
    found[f"rolling, {time.process_time() - began_s:.0f} CPU s"] = rolling.plan
    values = dict(zip(found, judge.delay_s(list(found.values())), strict=True))
    winner = min(values, key=lambda who: values[who])
    others = {who: value for who, value in values.items() if who != winner}
    return Best(judge.delay_s([plan])[0], values[winner], winner, others)

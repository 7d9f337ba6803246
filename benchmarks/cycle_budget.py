"""What one re-optimization per cycle costs, and how good the plan is that it reaches: 1 to 10,000 signals.

A street of simulated traffic tells counts and occupancy of stop-line loops, once a cycle; the rolling optimizer answers
with the next plan. CPU time of each step and its parts, memory, and the delay under the plan reached, beside the best
one known for the case.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._cycle_best import Best, best_of, search_best, store
from benchmarks._cycle_cases import CYCLES_S, SIDES, Network, cycle_network
from benchmarks._cycle_plot import save_plot
from benchmarks._cycle_street import Judge, Street
from benchmarks.tables import Cell, Column, Options, Table
from network_data.errors import InputError
from network_data.plans import TimingPlan
from optimizer.rolling import Decision, Rolling
from optimizer.rolling.rolling import PARTS

CYCLES, CYCLES_LARGE, LARGE = 200, 30, 2_000
"""Steps measured per case, and in networks of more signals than this."""
SHARE, SHARE_LARGE = 0.012, 0.07
"""Of the cycle, the budget that a step is given. [-]"""
REQUIRED = {1_000: 0.02, 10_000: 0.10}
"""Of a cycle of 90 s, what the 99th percentile of a step may take. [-]"""
REQUIRED_CYCLE_S, MOST_RATIO = 90, 1.03
QUICK = {1: 40, 10: 40, 100: 30, 1_000: 12}
"""Steps of the quick run, by signals; cycle of 90 s only."""
FLAT_MB = 30.0
"""Memory is flat where the second half of the steps adds no more. [MB]"""
SOAK_S, QUICK_SOAK_S, SOAK_SIGNALS = 3600.0, 60.0, 1_000
FIT_SHARE, FIT_CYCLE_S = 0.10, 90
COLUMNS = (
    Column(key="signals", heading="signals", spec=",d"),
    Column(key="cycle_s", heading="cycle [s]"),
    Column(key="cycles", heading="steps"),
    *(Column(key=f"{part}_ms", heading=f"{part.replace('_', '-')} [ms]", spec=",.1f") for part in PARTS),
    Column(key="median_ms", heading="step [ms]", spec=",.0f"),
    Column(key="p99_ms", heading="p99", spec=",.0f"),
    Column(key="worst_ms", heading="worst", spec=",.0f"),
    Column(key="cpu_share", heading="p99/cycle", spec=".2%"),
    Column(key="wall_p99_ms", heading="wall p99", spec=",.0f"),
    Column(key="memory_mb", heading="MB", spec=",.0f"),
    Column(key="growth_mb", heading="+MB", spec=".1f"),
    Column(key="begin_s_per_veh", heading="begin s/veh", spec=".2f"),
    Column(key="reached_s_per_veh", heading="reached", spec=".2f"),
    Column(key="best_s_per_veh", heading="best known", spec=".2f"),
    Column(key="quality_ratio", heading="ratio", spec=".3f"),
    Column(key="late", heading="late"),
    Column(key="met", heading="met"),
)


@dataclass
class Run:
    """What the steps of one case took: milliseconds by part, memory after each [MB], and how they ended."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    signals_changed: list[int] = field(default_factory=list)
    late: int = 0
    stopped: int = 0

    def add(self, decision: Decision) -> None:
        """Book a step; the decision itself is not kept, so that memory tells of the optimizer alone."""
        for key, ms in decision.milliseconds.items():
            self.milliseconds.setdefault(key, []).append(ms)
        self.memory_mb.append(resident_mb())
        self.signals_changed.append(len(decision.transition))
        self.late += decision.status in ("late", "failed")
        self.stopped += decision.stopped

    def ms(self, key: str) -> NDArray[np.float64]:
        """Milliseconds of a part, or of "total" or "wall", by step."""
        return np.array(self.milliseconds[key])

    @property
    def growth_mb(self) -> float:
        """What the second half of the steps added. [MB]"""
        half = len(self.memory_mb) // 2
        return max(self.memory_mb[half:]) - max(self.memory_mb[: half + 1])


def budget_ms(signals: int, cycle_s: int) -> float:
    """CPU time that a step is given. [ms]"""
    return 1e3 * cycle_s * (SHARE_LARGE if signals > LARGE else SHARE)


def benchmark(options: Options) -> Table:
    """All sizes and cycles; quick: a few steps up to 1,000 signals. `soak` runs an hour instead."""
    if options.soak:
        return soak(options)
    names = [f"{signals}/{cycle_s}" for signals in SIDES for cycle_s in CYCLES_S]
    chosen = options.chosen(names, [f"{signals}/{REQUIRED_CYCLE_S}" for signals in QUICK])
    rows: list[dict[str, Cell]] = []
    for signals in SIDES:
        own = [int(name.split("/")[1]) for name in chosen if name.split("/")[0] == str(signals)]
        if own:
            network = cycle_network(signals)
            rows += [case_row(network, cycle_s, options) for cycle_s in own]
    notes = [_legend(), *fits(rows), *(f"{r['signals']}/{r['cycle_s']}: {r['missed']}" for r in rows if r["missed"])]
    if options.keep is not None:
        notes.append(_plotted(rows, options.keep))
    return Table(
        title="One re-optimization per cycle: CPU time, share of the cycle, and quality reached",
        columns=COLUMNS,
        rows=rows,
        notes=notes,
        failed=any(row["met"] is False for row in rows),
    )


def case_row(network: Network, cycle_s: int, options: Options) -> dict[str, Cell]:
    """One case, measured."""
    name = f"{network.signals}/{cycle_s}"
    began_s = time.monotonic()
    plan = network.in_cycle(cycle_s)
    rolling = Rolling(network.network, plan, network.detectors, network.history, network.settings)
    judge = Judge(network, rolling.layout, cycle_s)
    begin = judge.delay_s([plan])[0]
    best = best_of(name, begin)
    if best is None and options.remake:
        options.say(f"{name}: searching for the best value, this takes minutes")
        best = search_best(network, plan, cycle_s, judge, budget_ms(network.signals, cycle_s))
        store(name, best)
    street = Street(network, rolling.layout, cycle_s, seed=5)
    usual = CYCLES_LARGE if network.signals > LARGE else CYCLES
    n = QUICK.get(network.signals, CYCLES_LARGE) if options.quick else usual
    run = measure(rolling, street, n, budget_ms(network.signals, cycle_s))
    reached = judge.delay_s([rolling.plan])[0]
    options.say(f"{name}: {n} steps, {time.monotonic() - began_s:.0f} s")
    return _row(network.signals, cycle_s, run, begin, reached, best, quick=options.quick)


def measure(rolling: Rolling, street: Street, n: int, budget: float) -> Run:
    """So many steps, one after the other."""
    run = Run()
    for _ in range(n):
        step(rolling, street, budget, run)
    return run


def step(rolling: Rolling, street: Street, budget: float, run: Run) -> None:
    """What the street tells of a cycle, and the decision on the next."""
    seen = street.observe(rolling.plan)
    run.add(rolling.step(seen, seen.time_s, budget))


def resident_mb() -> float:
    """Memory that this process holds. [MB]"""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def _row(
    signals: int, cycle_s: int, run: Run, begin: float, reached: float, best: Best | None, *, quick: bool
) -> dict[str, Cell]:
    total, wall = run.ms("total"), run.ms("wall")
    p99 = float(np.percentile(total, 99))
    row: dict[str, Cell] = {
        "signals": signals,
        "cycle_s": cycle_s,
        "cycles": len(run.memory_mb),
        "median_ms": float(np.median(total)),
        "p99_ms": p99,
        "worst_ms": float(total.max()),
        "cpu_share": p99 / (1e3 * cycle_s),
        "wall_median_ms": float(np.median(wall)),
        "wall_p99_ms": float(np.percentile(wall, 99)),
        "memory_mb": run.memory_mb[-1],
        "growth_mb": run.growth_mb,
        "begin_s_per_veh": begin,
        "reached_s_per_veh": reached,
        "best_s_per_veh": None if best is None else best.best_s_per_veh,
        "best_by": None if best is None else best.found_by,
        "quality_ratio": None if best is None else reached / best.best_s_per_veh,
        "changed": sum(n > 0 for n in run.signals_changed),
        "signals_changed": sum(run.signals_changed),
        "stopped": run.stopped,
        "late": run.late,
    }
    for part in PARTS:
        ms = run.ms(part)
        row |= {
            f"{part}_ms": float(np.median(ms)),
            f"{part}_p99_ms": float(np.percentile(ms, 99)),
            f"{part}_worst_ms": float(ms.max()),
        }
    missed = missed_goals(row, quick=quick)
    return row | {"missed": "; ".join(missed), "met": not missed}


def missed_goals(row: dict[str, Cell], *, quick: bool = False) -> list[str]:
    """What a row was to reach and did not; the quick run has too few steps to judge quality and memory by."""
    out = []
    signals, share, ratio = row["signals"], row["cpu_share"], row["quality_ratio"]
    most = REQUIRED.get(signals) if isinstance(signals, int) else None
    if most is not None and row["cycle_s"] == REQUIRED_CYCLE_S and not (isinstance(share, float) and share < most):
        out.append(f"p99 of {share:.2%} of the cycle, required below {most:.0%}")
    if row["late"]:
        out.append(f"{row['late']} steps late or failed")
    if quick:
        return out
    if isinstance(ratio, float) and ratio > MOST_RATIO:
        out.append(f"{ratio - 1:.1%} above the best delay known, required within {MOST_RATIO - 1:.0%}")
    if ratio is None:
        out.append("no best value known; run with --remake")
    growth = row["growth_mb"]
    if isinstance(growth, float) and growth > FLAT_MB:
        out.append(f"memory grew by {growth:.0f} MB in the second half")
    return out


def fits(rows: Sequence[dict[str, Cell]]) -> list[str]:
    """The largest network that fits: what a step cannot do without grows as from the last size but one to the last.

    That is all but the search: counts, estimate, simulating the running plan once, one proposal judged, hand-over.
    """
    sizes = [
        (float(str(row["signals"])), float(str(row["p99_ms"])))
        for row in rows
        if row["cycle_s"] == FIT_CYCLE_S and isinstance(row["signals"], int)
    ]
    if not sizes:
        return []
    limit_ms = 1e3 * FIT_SHARE * FIT_CYCLE_S
    signals, ms = max(sizes)
    largest = signals * limit_ms / ms
    text = f"largest network that fits in {FIT_SHARE:.0%} of {FIT_CYCLE_S} s: about {_rounded(largest):,} signals"
    how = f"from the p99 of {signals:,.0f} signals, {ms:,.0f} ms, in proportion"
    if signals < max(SIDES):
        return [f"{text} ({how}; not measured there: run the larger cases)"]
    return [f"{text} ({how})"]


def _rounded(value: float) -> int:
    """Two digits."""
    digits = 10 ** max(0, math.floor(math.log10(max(value, 1.0))) - 1)
    return int(value // digits * digits)


def _legend() -> str:
    return (
        "parts: medians; step, p99, worst: CPU ms of one thread; reached, best known: delay per vehicle of the whole "
        "simulation (an hour; half of it with 10,000 signals) under the plan after the last step and the best one known"
    )


def _plotted(rows: Sequence[dict[str, Cell]], folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "cycle_budget.svg", folder / "cycle_budget.png"]
    try:
        for path in paths:
            save_plot(rows, path)
    except InputError as error:
        return str(error)
    return f"plots: {', '.join(map(str, paths))}"


def soak(options: Options) -> Table:
    """Step after step for an hour by the clock: late ones, failed ones, and memory."""
    signals = int((options.only or str(SOAK_SIGNALS)).split("/")[0])
    if signals not in SIDES:
        raise InputError("--only", f"no case of {signals} signals; known are {', '.join(map(str, SIDES))}")
    length_s = QUICK_SOAK_S if options.quick else SOAK_S
    network = cycle_network(signals)
    plan: TimingPlan = network.in_cycle(REQUIRED_CYCLE_S)
    rolling = Rolling(network.network, plan, network.detectors, network.history, network.settings)
    street = Street(network, rolling.layout, REQUIRED_CYCLE_S, seed=6)
    run, until_s = Run(), time.monotonic() + length_s
    while time.monotonic() < until_s:
        step(rolling, street, budget_ms(signals, REQUIRED_CYCLE_S), run)
    row = _row(signals, REQUIRED_CYCLE_S, run, math.nan, math.nan, None, quick=True)
    keys = ("begin_s_per_veh", "reached_s_per_veh")
    row |= dict.fromkeys(keys)
    flat = options.quick or run.growth_mb <= FLAT_MB
    return Table(
        title=f"Soak of {length_s / 60:g} minutes, step after step",
        columns=COLUMNS,
        rows=[row],
        notes=[f"{run.late} of {len(run.memory_mb)} steps late or failed; memory {'flat' if flat else 'grows'}"],
        failed=bool(row["missed"]) or not flat,
    )

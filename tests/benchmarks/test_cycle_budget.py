"""The cycle budget's rows: what is required of them, the street's loops, and the largest network that fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._cycle_cases import cycle_network
from benchmarks._cycle_plot import save_plot
from benchmarks._cycle_street import Judge, Street, passages
from benchmarks.cycle_budget import benchmark, budget_ms, fits, missed_goals
from benchmarks.tables import Cell, Options
from optimizer.rolling.layout import street_layout
from optimizer.rolling.rolling import PARTS
from sim import _tables as k
from tests import packs


def row(**changes: Cell) -> dict[str, Cell]:
    """A row that meets all there is."""
    good: dict[str, Cell] = {
        "signals": 1_000, "cycle_s": 90, "p99_ms": 900.0, "cpu_share": 0.01, "quality_ratio": 1.01, "late": 0,
        "growth_mb": 1.0, **{f"{part}_ms": 1.0 for part in PARTS},
    }  # fmt: skip
    return good | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"cpu_share": 0.025}, ["2.50% of the cycle, required below 2%"]),
        ({"signals": 10_000, "cpu_share": 0.09}, []),
        ({"signals": 10_000, "cpu_share": 0.11}, ["required below 10%"]),
        ({"cycle_s": 60, "cpu_share": 0.5}, []),
        ({"quality_ratio": 1.05}, ["5.0% above the best delay known"]),
        ({"quality_ratio": None}, ["--remake"]),
        ({"late": 2}, ["2 steps late or failed"]),
        ({"growth_mb": 99.0}, ["memory grew by 99 MB"]),
    ],
)
def test_what_is_required_is_judged(changes: dict[str, Cell], words: list[str]) -> None:
    """Share of the cycle where it is required, quality, late steps and memory, each named where it is missed."""
    missed = missed_goals(row(**changes))
    assert len(missed) == len(words)
    for text, word in zip(missed, words, strict=True):
        assert word in text


def test_the_largest_network_that_fits_is_in_proportion() -> None:
    """Half of the tenth of 90 s used by 10,000 signals leaves room for 20,000."""
    rows = [row(), row(signals=10_000, p99_ms=4_500.0), row(signals=10_000, cycle_s=120, p99_ms=9_999.0)]
    assert "20,000 signals" in fits(rows)[0]
    assert "not measured" in fits(rows[:1])[0]
    assert fits([]) == []


def test_budgets_are_shares_of_the_cycle() -> None:
    """A step of 1,000 signals is given less than the 2 % that it may take, of 10,000 less than 10 %."""
    assert budget_ms(1_000, 90) < 0.02 * 90e3
    assert budget_ms(10_000, 90) < 0.10 * 90e3


def test_loops_see_who_leaves_and_who_stands() -> None:
    """Counts are passages within the interval; a loop is covered while the first of a queue waits."""
    log = np.zeros((4, k.N_LOG), np.int32)
    log[:, k.LOG_LANE] = 1
    log[:, k.LOG_ARRIVAL] = (100, 110, 120, 900)
    log[:, k.LOG_LEAVE] = (300, 320, 340, 1200)
    count, occupancy = passages(log, 2, 0, 1000)
    assert count.tolist() == [0.0, 3.0]
    # the first stands for 20 s, each of the others 0.5 s after a gap of 1.5 s; each covers the loop 0.5 s in passing
    assert occupancy[1] == pytest.approx((200 + 5 + 5 + 3 * 5) / 1000)


def test_plots_are_drawn(tmp_path: Path) -> None:
    """Rows of all sizes make an SVG."""
    pytest.importorskip("matplotlib")
    save_plot([row(signals=n, cycle_s=c) for n in (1, 10, 100) for c in (60, 90, 120)], tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_one_signal_end_to_end() -> None:
    """The quick run of one signal: nothing late, all columns there, the plan no worse than by a few per cent."""
    packs.sumo()
    table = benchmark(Options(quick=True, only="1/90", say=lambda text: None))
    (one,) = table.rows
    assert one["late"] == 0
    assert one["cycles"] == 40
    assert isinstance(one["p99_ms"], float)
    assert one["p99_ms"] < 0.05 * 90e3
    reached, begin = one["reached_s_per_veh"], one["begin_s_per_veh"]
    assert isinstance(reached, float)
    assert isinstance(begin, float)
    assert reached < 1.05 * begin


def test_street_and_judge_are_the_same_again() -> None:
    """The same seeds give the same observations and the same judgement."""
    packs.sumo()
    case = cycle_network(1)
    layout, plan = street_layout(case.network), case.in_cycle(60)
    seen = [Street(case, layout, 60, seed=4).observe(plan).hash() for _ in range(2)]
    assert seen[0] == seen[1]
    values = [Judge(case, layout, 60).delay_s([plan])[0] for _ in range(2)]
    assert values[0] == values[1]

"""The speed benchmark: what it counts, how it judges, and the bare kernels beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import kernel
from benchmarks.bandwidth import Triad
from benchmarks.kernel_runs import exponent, shifted
from benchmarks.kernel_scenes import Recorded, _most_inside, cologne_scene, record
from benchmarks.tables import Options
from benchmarks.wave_yardstick import BLOCK_S, PLANS, WaveGrid, Yardstick
from sim.simulate import Simulator
from tests import packs

PASSAGES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 6)).map(lambda x: (x[0], x[1], x[1] + x[2])),
    max_size=30,
)


@settings(deadline=None)
@given(PASSAGES)
def test_most_inside_is_what_counting_finds(passages: list[tuple[int, int, int]]) -> None:
    """Most vehicles inside at a time; who leaves at a time is out before who enters then."""
    table = np.array(passages, np.int64).reshape(-1, 3)
    most = _most_inside(table[:, 0], table[:, 1], table[:, 2], 4)
    for place in range(4):
        # passages of no length are seen as those that come and go between two ticks
        mine = [(a, b) for p, a, b in passages if p == place and b > a]
        counted = max((sum(a <= t < b for a, b in mine) for t in range(20)), default=0)
        assert most[place] == counted


def test_a_link_is_full_when_all_its_lanes_are() -> None:
    """Two lanes of two places: one full lane does not fill the link, both do; links without passages are not full."""

    def recorded(lanes: list[int]) -> Recorded:
        n = len(lanes)
        return Recorded(
            n_link=2,
            link=np.zeros(n, np.int64),
            lane=np.array(lanes),
            enter=np.arange(n),
            leave=np.full(n, 100),
            storage=np.array([2, 2, 3]),
            link_of_lane=np.array([0, 0, 1]),
        )

    assert (recorded([0, 0]).full_share, recorded([0, 0]).lane_full_share) == (0.0, 0.5)
    assert (recorded([0, 0, 1, 1]).full_share, recorded([0, 0, 1, 1]).lane_full_share) == (0.5, 0.5)
    assert recorded([0, 1]).lane_full_share == 0.0


def test_exponents_are_slopes_of_logarithms() -> None:
    """Time in proportion to the work has exponent 1, its square 2."""
    assert exponent([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert exponent([25, 100], [1, 16]) == pytest.approx(2)


def test_entries_are_steps_driven() -> None:
    """On cologne8 nearly all steps of the routes are driven in the hour, and no more."""
    packs.resco("cologne8")
    scene = cologne_scene()
    simulator = Simulator(scene.network, [scene.trips], begin_s=scene.begin_s, end_s=scene.end_s)
    entries = record(scene, simulator).entries
    assert 0.95 * len(scene.trips.route_link) < entries <= len(scene.trips.route_link)
    half = scene.within((scene.begin_s + scene.end_s) / 2)
    assert 0.3 * len(scene.trips) < len(half) < 0.7 * len(scene.trips)
    assert len(half.route_link) == half.route_start[-1]


def test_a_batch_of_plans_differs_by_offsets() -> None:
    """The first is the plan itself, the others move every second controller."""
    packs.resco("cologne8")
    plan = cologne_scene().plan
    plans = shifted(plan, 3)
    assert plans[0].controllers == plan.controllers
    moved = [c for c in plan.controllers if plans[2].controllers[c].offset_s != plan.controllers[c].offset_s]
    assert len(moved) == len(plan.controllers) // 2


def vehicles(grid: WaveGrid, now_s: int) -> np.ndarray:
    """Vehicles of each plan: queues, and what entered a link less than its travel time ago."""
    total = grid.queue.reshape(-1, PLANS).sum(axis=0, dtype=np.float64)
    rows = grid.ring_in.reshape(-1, PLANS)
    for link, free_s in enumerate(grid.free_s):
        at = np.arange(now_s - free_s, now_s) % (free_s + BLOCK_S)
        total += rows[grid.first_in[link] + at].sum(axis=0, dtype=np.float64)
    return total


def test_the_bare_wave_kernel_moves_vehicles_and_keeps_them() -> None:
    """Nobody is made or lost, nobody waits in front of nothing, and no link holds more than it has room for."""
    yardstick = Yardstick(3, seed=2)
    before, queues = vehicles(yardstick.grid, yardstick._now_s), yardstick.grid.queue.copy()
    yardstick.run(50)
    after = vehicles(yardstick.grid, yardstick._now_s)
    np.testing.assert_allclose(after, before, rtol=1e-4)  # float32 sums over 500 steps
    assert before.min() > 1
    assert (yardstick.grid.queue != queues).any()
    assert yardstick.grid.queue.min() >= -1e-4  # float32 rounding
    assert yardstick.grid.room.min() >= 0


def test_blocks_may_be_run_in_any_portions() -> None:
    """Twenty blocks at once are one after the other, bit for bit."""
    one, many = Yardstick(2, seed=3), Yardstick(2, seed=3)
    one.run(20)
    for _ in range(20):
        many.run(1)
    np.testing.assert_array_equal(one.grid.queue, many.grid.queue)


def test_the_triad_computes_what_it_times() -> None:
    """a = b + 3 c."""
    triad = Triad(1000)
    assert triad.gb_per_s() > 0
    np.testing.assert_array_equal(triad.a, np.full(1000, 7.0))


@pytest.mark.slow
def test_the_benchmark_measures_a_small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """One case from end to end: the keys others read, sound figures, and failure where a promise is broken."""
    packs.sumo()
    monkeypatch.setattr(kernel, "LENGTH_S", 600.0)
    monkeypatch.setattr(kernel, "OTHERS_S", {"grid25": 120.0})
    monkeypatch.setattr(kernel, "MIN_FULL", 0.0)
    monkeypatch.setattr(kernel, "DEFAULT_MAX_NS", 1e6)
    table = kernel.benchmark(Options(quick=True, only="grid25", say=lambda text: None))
    (row,) = table.rows
    assert set(row) >= {"case", "signals", "ns_per_vehicle_link", "ms_per_plan_hour", "vs_sumo", "vs_meso"}
    assert row["signals"] == 25
    assert row["met"] is True
    assert not table.failed
    spent_ms = float(str(row["ns_per_vehicle_link"])) * float(str(row["links_entered"])) / 1e6
    assert float(str(row["ms_per_plan_hour"])) == pytest.approx(spent_ms * 6)  # 10 minutes
    assert float(str(row["vs_sumo"])) > 10
    monkeypatch.setattr(kernel, "MIN_FULL", 1.1)
    failed = kernel.benchmark(Options(quick=True, only="grid25", say=lambda text: None))
    assert failed.failed
    assert any("not met: grid25" in note for note in failed.notes)

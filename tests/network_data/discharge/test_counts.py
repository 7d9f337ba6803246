"""Saturation flow from counts of short intervals: occupancy picks the saturated ones, else a plateau tells."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.discharge.counts import count_discharge
from network_data.discharge.greens import FLOAT, Greens
from tests.network_data.discharge.made import made_lane


def counted(off_s: FLOAT, step_s: float, end_s: float) -> tuple[FLOAT, FLOAT, FLOAT]:
    """Counts of departures."""
    edges = np.arange(0.0, end_s + 1, step_s)
    return edges[:-1], edges[1:], np.histogram(off_s, edges)[0].astype(np.float64)


def occupied(greens: Greens, begin_s: FLOAT, end_s: FLOAT, red: float) -> FLOAT:
    """Occupancy where somebody stands for such a share of the red and the queue covers 40 % of the green."""
    green = greens.within(begin_s, end_s) / (end_s - begin_s)
    return np.asarray(red * (1 - green) + 0.4 * green)


def test_saturated_intervals_tell_the_flow() -> None:
    """Five-minute counts of a lane that is never empty: within 3 % at no net loss, the range holds the truth."""
    greens, _, off_s = made_lane(np.random.default_rng(2), queue_veh=np.inf, loss_s=2.0, cycles=60)
    begin, end, veh = counted(off_s, 300.0, 5400.0)
    found = count_discharge(greens, begin, end, veh, occupied(greens, begin, end, 1.0))
    assert found is not None
    # vehicles pass for 2 s of yellow: start-up loss and use of yellow cancel
    assert found.saturation_vph.value == pytest.approx(1800, rel=0.03)
    assert found.saturation_vph.low < 1800 < found.saturation_vph.high
    assert found.net_loss_s is None


def test_intervals_in_which_nobody_stands_do_not_count() -> None:
    """With an empty loop for a third of the red no interval is saturated."""
    greens, _, off_s = made_lane(np.random.default_rng(2), queue_veh=5.0)
    begin, end, veh = counted(off_s, 300.0, 3600.0)
    assert count_discharge(greens, begin, end, veh, occupied(greens, begin, end, 0.66)) is None


def test_blocked_intervals_drop_out() -> None:
    """Half of the saturated intervals pass a third less, because the way ahead is full: the others count."""
    greens, _, off_s = made_lane(np.random.default_rng(2), queue_veh=np.inf, cycles=80)
    begin, end, veh = counted(off_s, 300.0, 7200.0)
    share = occupied(greens, begin, end, 1.0)
    whole = count_discharge(greens, begin, end, veh, share)
    veh[::2] *= 0.66
    half = count_discharge(greens, begin, end, veh, share)
    assert whole is not None
    assert half is not None
    assert half.saturation_vph.value == pytest.approx(whole.saturation_vph.value, rel=0.02)


def test_short_intervals_are_summed_from_green_to_green() -> None:
    """Ten-second counts say what five-minute counts say."""
    greens, _, off_s = made_lane(np.random.default_rng(4), queue_veh=np.inf, cycles=60)
    begin, end, veh = counted(off_s, 10.0, 5400.0)
    share = np.where(greens.within(begin, end) > 5, 0.4, 1.0)
    found = count_discharge(greens, begin, end, veh, share)
    assert found is not None
    assert found.saturation_vph.value == pytest.approx(1800, rel=0.03)


def test_greens_of_many_lengths_tell_the_loss_too() -> None:
    """Saturated greens of 15 to 60 s: flow and loss are the line through the counts."""
    rng = np.random.default_rng(6)
    start = np.asarray(100.0 * np.arange(80), np.float64)
    length = rng.uniform(15, 60, 80)
    greens = Greens.of(start, start + length)
    veh = 0.5 * (length - 3.0) + rng.normal(0, 0.4, 80)
    found = count_discharge(greens, start, np.asarray(start + 100.0), veh, np.ones(80))
    assert found is not None
    assert found.net_loss_s is not None
    assert found.saturation_vph.low < 1800 < found.saturation_vph.high
    assert found.net_loss_s.low < 3.0 < found.net_loss_s.high
    assert found.saturation_vph.high - found.saturation_vph.low < 150


def test_without_occupancy_only_a_plateau_tells() -> None:
    """Counts that stop growing at capacity tell it; counts that never reach it tell nothing."""
    greens = Greens.of(90.0 * np.arange(400), 90.0 * np.arange(400) + 40.0)
    begin, end = (np.asarray(300.0 * np.arange(n, n + 120), np.float64) for n in (0, 1))
    rng = np.random.default_rng(7)
    capacity = 0.5 * greens.within(begin, end)
    asked = rng.uniform(0.3, 1.6, 120) * capacity
    found = count_discharge(greens, begin, end, np.minimum(asked, capacity))
    assert found is not None
    assert found.saturation_vph.value == pytest.approx(1800, rel=0.02)
    assert count_discharge(greens, begin, end, rng.uniform(0.1, 0.9, 120) ** 2 * capacity) is None


def test_missing_counts_are_not_zeros() -> None:
    """Intervals without a count are left out."""
    greens, _, off_s = made_lane(np.random.default_rng(2), queue_veh=np.inf, cycles=60)
    begin, end, veh = counted(off_s, 300.0, 5400.0)
    share = occupied(greens, begin, end, 1.0)
    veh[3] = np.nan
    found = count_discharge(greens, begin, end, veh, share)
    assert found is not None
    assert found.saturation_vph.value == pytest.approx(1800, rel=0.03)
    assert count_discharge(greens, begin, end, np.full(len(veh), np.nan), share) is None

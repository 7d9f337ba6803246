"""Saturation headway and start-up loss from single departures, on queues whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.discharge.greens import Greens
from network_data.discharge.headways import departures, queue_discharge, t95
from tests.network_data.discharge.made import made_lane

CASES = [
    {"queue_veh": np.inf},
    {"queue_veh": 12.0},
    {"queue_veh": 8.0},
    {"queue_veh": 8.0, "arrivals_vps": 0.25},
    {"queue_veh": 10.0, "arrivals_vps": 0.05},
    {"queue_veh": 12.0, "green_s": 25.0},
    {"queue_veh": 10.0, "headway_s": 2.6, "loss_s": 3.0},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_truth_is_found_and_lies_in_the_range(case: dict[str, float]) -> None:
    """Over 15 lanes the mean headway is within 2 % of the truth, the range holds it on 12 or more; so does the loss's.

    95 % of 15 is 14.25; 12 or fewer happen by chance once in 180 cases at 95 %.
    """
    rng = np.random.default_rng(3)
    headway_s, loss_s = case.get("headway_s", 2.0), case.get("loss_s", 2.0)
    values, held, losses, losses_held = [], 0, [], 0
    for _ in range(15):
        greens, on_s, off_s = made_lane(rng, **case)
        found = queue_discharge(departures(greens, off_s, on_s))
        assert found is not None
        assert found.startup_loss_s is not None
        values.append(found.headway_s.value)
        losses.append(found.startup_loss_s.value)
        held += found.headway_s.low <= headway_s <= found.headway_s.high
        losses_held += found.startup_loss_s.low <= loss_s <= found.startup_loss_s.high
    assert np.mean(values) == pytest.approx(headway_s, rel=0.02)
    assert np.mean(losses) == pytest.approx(loss_s, abs=0.25)
    assert min(held, losses_held) >= 12


def test_saturated_greens_are_told_from_others() -> None:
    """Where the queue never ends every green is saturated; where it has four vehicles none is."""
    rng = np.random.default_rng(5)
    greens, on_s, off_s = made_lane(rng, queue_veh=np.inf)
    full = queue_discharge(departures(greens, off_s, on_s))
    assert full is not None
    assert full.n_saturated == len(greens)
    greens, on_s, off_s = made_lane(rng, queue_veh=8.0)
    some = queue_discharge(departures(greens, off_s, on_s))
    assert some is not None
    assert some.n_saturated <= 2


def test_who_stands_in_the_red_shows_on_a_loop_with_presence() -> None:
    """Standing through the red: yes; an empty loop: no; a loop that only pulses tells nothing."""
    greens = Greens.of([0.0, 60.0], [30.0, 90.0])
    off = np.array([3.0, 5.0, 27.0, 63.0, 65.0])
    on = np.array([-20.0, 4.5, 26.5, 33.0, 64.5])
    assert departures(greens, off, on).standing.tolist() == [1, -1]
    assert departures(greens, off, off - 0.2).standing.tolist() == [0, 0]
    assert departures(greens, off).standing.tolist() == [0, 0]


def test_departures_are_sorted_into_their_greens() -> None:
    """Headways count from the green's begin; who leaves on red is in none; the last one in yellow is told."""
    found = departures(Greens.of([10.0, 70.0], [40.0, 100.0]), np.array([5.0, 13.0, 15.5, 39.0, 42.0, 60.0, 74.0]))
    np.testing.assert_allclose(found.headway_s, [[3.0, 2.5, 23.5], [4.0, np.nan, np.nan]])
    np.testing.assert_allclose(found.rest_s, [1.0, 26.0])
    np.testing.assert_allclose(found.last_s, [2.0, -26.0])


def test_too_few_queues_say_nothing() -> None:
    """No vehicles, no green, short queues: None, not a figure."""
    nothing = np.zeros(0)
    assert queue_discharge(departures(Greens.of([], []), nothing)) is None
    assert queue_discharge(departures(Greens.of([0.0], [30.0]), nothing)) is None
    greens, on_s, off_s = made_lane(np.random.default_rng(1), queue_veh=10.0, cycles=4)
    assert queue_discharge(departures(greens, off_s, on_s)) is None


def test_students_t() -> None:
    """Table values (two-sided 95 %): 2.776 at 4, 2.228 at 10, 2.042 at 30 degrees of freedom."""
    for freedom, value in ((4, 2.776), (10, 2.228), (30, 2.042), (10_000, 1.960)):
        assert t95(freedom) == pytest.approx(value, rel=0.006)


def test_the_range_holds_what_other_observers_would_call_a_queue() -> None:
    """Vehicles that follow closely behind a short queue widen the range towards their headways, not the value."""
    rng = np.random.default_rng(3)
    greens, on_s, off_s = made_lane(rng, queue_veh=8.0)
    alone = queue_discharge(departures(greens, off_s, on_s))
    assert alone is not None
    last_s = [
        off_s[(off_s >= a) & (off_s <= b)].max(initial=a)
        for a, b in zip(greens.start_s, greens.end_s - 8.0, strict=True)
    ]
    behind = np.add.outer(np.array(last_s), np.array([2.9, 5.8])).ravel()
    more = np.unique(np.concatenate([off_s, behind]))
    followed = queue_discharge(departures(greens, more))
    assert followed is not None
    assert followed.headway_s.high > alone.headway_s.high
    assert followed.headway_s.low <= followed.headway_s.value <= followed.headway_s.high

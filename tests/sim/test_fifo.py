"""Lanes whose vehicles leave one behind the other: expected flows against a lane played out vehicle by vehicle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.fifo import fifo_rates

PACE_VPS = 0.5


def played_veh(slots: list[int], is_open: np.ndarray, shares: np.ndarray, cycles: int, seed: int) -> np.ndarray:
    """Vehicles a queued lane lets go in each piece, mean over cycles; one slot is one chance to leave."""
    rng = np.random.default_rng(seed)
    out = np.zeros(len(slots))
    first = int(rng.choice(len(shares), p=shares))
    for _ in range(cycles):
        for n, many in enumerate(slots):
            for _ in range(many):
                if is_open[first, n]:
                    out[n] += 1
                    first = int(rng.choice(len(shares), p=shares))
    return out / cycles


@settings(max_examples=12, deadline=None)
@given(
    slots=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    share=st.floats(0.1, 0.9),
    data=st.data(),
)
def test_expected_flows_are_those_of_a_lane_played_out(slots: list[int], share: float, data: st.DataObject) -> None:
    """Two ways, open or closed by piece: expected flows agree with 3,000 cycles of single vehicles."""
    opening = data.draw(
        st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=len(slots), max_size=len(slots))
    )
    is_open = np.array(opening).T
    if not is_open.any(axis=1).all():
        return
    shares = np.array([share, 1 - share])
    rates = fifo_rates(np.array(slots) / PACE_VPS, np.where(is_open, PACE_VPS, 0.0), shares)
    want = played_veh(slots, is_open, shares, 3000, seed=1)
    # 0.35 vehicles: four standard errors of the mean of the longest piece (runs of up to 12 at share 0.9)
    np.testing.assert_allclose(rates * np.array(slots) / PACE_VPS, want, atol=0.35)


def test_nothing_closed_is_the_mean_headway() -> None:
    """With all ways open headways average by share; fast and slow at 1,800 and 1,200 veh/h, half each: 1,440."""
    rates = fifo_rates(np.array([30.0, 30.0]), np.array([[0.5, 0.0], [1 / 3, 0.0]]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(rates, [0.4, 0.0])


def test_sneakers_of_a_shared_lane() -> None:
    """HCM equation 31-60: of two places for sneakers a lane with 30 % lefts fills P/(1−P)·(1−P²) when drawn afresh."""
    p = 0.3
    # a long piece with both open makes the first vehicle a fresh draw; then two places for lefts alone
    rates = fifo_rates(np.array([100.0, 1.0]), np.array([[0.5, 2.0], [0.5, 0.0]]), np.array([p, 1 - p]))
    assert rates[1] == pytest.approx(p / (1 - p) * (1 - p**2))


def test_a_lane_with_one_way() -> None:
    """A way of its own serves what it can."""
    rates = fifo_rates(np.array([20.0, 40.0]), np.array([[0.5, 0.0]]), np.array([1.0]))
    np.testing.assert_allclose(rates, [0.5, 0.0])

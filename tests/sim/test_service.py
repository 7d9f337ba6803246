"""Levels of service: published bounds of both manuals, from both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_data.errors import DemandError
from sim.service import HCM_BOUNDS_S, KHCM_BOUNDS_S, hcm_level, hcm_levels, khcm_level, khcm_levels


@pytest.mark.parametrize(
    ("delay_s", "level"),
    [(0, "A"), (10, "A"), (10.01, "B"), (20, "B"), (35, "C"), (55, "D"), (80, "E"), (80.01, "F"), (500, "F")],
)
def test_hcm_bounds(delay_s: float, level: str) -> None:
    """A ≤ 10, B ≤ 20, C ≤ 35, D ≤ 55, E ≤ 80, F above (s/veh)."""
    assert hcm_level(delay_s) == level


def test_hcm_overload_is_f() -> None:
    """Volume over capacity above 1 is F however short the delay; exactly 1 is not."""
    assert hcm_level(5.0, 1.01) == "F"
    assert hcm_level(5.0, 1.0) == "A"


@pytest.mark.parametrize(
    ("delay_s", "level"),
    [
        (15, "A"), (30, "B"), (50, "C"), (70, "D"), (100, "E"), (220, "F"), (340, "FF"), (340.01, "FFF"),
        (44, "C"), (157, "F"),  # published examples
    ],
)  # fmt: skip
def test_khcm_bounds(delay_s: float, level: str) -> None:
    """A ≤ 15, B ≤ 30, C ≤ 50, D ≤ 70, E ≤ 100, F ≤ 220, FF ≤ 340, FFF above (s/veh)."""
    assert khcm_level(delay_s) == level


@pytest.mark.parametrize(
    ("delay_s", "x", "level"),
    [(45.5, 0.47, "D"), (29.9, 0.49, "C"), (13.5, 0.41, "B"), (72.0, 1.05, "F"), (32.6, 0.86, "C"), (17.0, 0.58, "B")],
)
def test_levels_of_the_manuals_example(delay_s: float, x: float, level: str) -> None:
    """Lane groups of HCM 7, chapter 31, example problem 1 (exhibit 31-81)."""
    assert hcm_level(delay_s, x) == level


@given(st.lists(st.floats(0, 600), min_size=2, max_size=20))
def test_levels_follow_the_order_of_delays(delays_s: list[float]) -> None:
    """More delay never gives a better level; arrays give what single values give."""
    order = np.sort(delays_s)
    for levels, bounds in ((hcm_levels(order), HCM_BOUNDS_S), (khcm_levels(order), KHCM_BOUNDS_S)):
        ranks = [list(bounds).index(str(level)) for level in levels]
        assert ranks == sorted(ranks)
    assert [hcm_level(d) for d in order] == hcm_levels(order).tolist()


def test_delays_that_cannot_be_are_errors() -> None:
    """All of them are named."""
    with pytest.raises(DemandError) as caught:
        hcm_levels([-1, 5, np.nan])
    assert len(caught.value.faults) == 2

"""Demand as a distribution: what several days say of an interval, expected values and tails."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.counting.block import CountBlock
from network_data.day_scenarios import (
    choose_days,
    day_scenarios,
    expected,
    flow_distribution,
    tail_mean,
    weighted_tail,
)
from network_data.demand import DemandScenarios
from network_data.detectors import Detector
from network_data.errors import DemandError
from optimizer.optimize import weights_of
from tests.builders import demand

PAIR = ("a", "b")


def days(*veh: float, weights: tuple[float, ...] | None = None, within: float = 0.0) -> DemandScenarios:
    """Scenarios with so many vehicles in each of two intervals."""
    made = tuple(demand({PAIR: v}, intervals=2) for v in veh)
    spread = tuple(np.full((1, 2), within) for _ in made) if within else ()
    return DemandScenarios(made, weights or (1 / len(made),) * len(made), spread)


def test_the_distribution_of_an_interval_by_hand() -> None:
    """10, 20 and 40 vehicles with weights 0.5, 0.3, 0.2: mean 19, variance 0.5·81 + 0.3·1 + 0.2·441."""
    found = flow_distribution(days(10, 20, 40, weights=(0.5, 0.3, 0.2)), PAIR)
    np.testing.assert_allclose(found.mean, [19, 19])
    np.testing.assert_allclose(found.sd, [129**0.5] * 2)
    assert [found.quantile(q)[0] for q in (0.3, 0.5, 0.6, 0.85)] == [10, 10, 20, 40]


def test_days_behind_a_scenario_widen_it() -> None:
    """One scenario that stands for days with a spread of 5 around 30: a normal law."""
    found = flow_distribution(days(30, within=5.0), PAIR)
    np.testing.assert_allclose(found.sd, [5, 5])
    assert found.quantile(0.5)[0] == pytest.approx(30, abs=0.1)
    assert found.quantile(0.975)[0] == pytest.approx(30 + 1.96 * 5, abs=0.2)
    assert found.quantile(0.025)[0] == pytest.approx(30 - 1.96 * 5, abs=0.2)
    assert flow_distribution(days(1, within=9.0), PAIR).quantile(0.01)[0] == 0.0


def test_expected_value_and_tail_by_hand() -> None:
    """The worst 30 % of days: the one of 20 % and half of the next."""
    of = days(1, 2, 3, weights=(0.5, 0.3, 0.2))
    delays = np.array([30.0, 40.0, 90.0])
    assert expected(of, delays) == pytest.approx(45)
    assert tail_mean(of, delays, 0.2) == pytest.approx(90)
    assert tail_mean(of, delays, 0.3) == pytest.approx((0.2 * 90 + 0.1 * 40) / 0.3)
    assert tail_mean(of, delays, 1.0) == pytest.approx(45)
    with pytest.raises(DemandError, match="worst share"):
        tail_mean(of, delays, 0.0)


@settings(deadline=None)
@given(
    values=st.lists(st.floats(0, 1000), min_size=1, max_size=8),
    seed=st.integers(0, 1000),
    worst=st.floats(0.01, 1.0),
)
def test_tails_lie_between_mean_and_maximum(values: list[float], seed: int, worst: float) -> None:
    """And a smaller share is never better."""
    x = np.array(values)
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(x)))
    tail = weighted_tail(x, weights, worst)
    assert weights @ x - 1e-6 <= tail <= x.max() + 1e-6
    assert weighted_tail(x, weights, worst / 2) >= tail - 1e-6


def block(levels: list[float], *, seed: int = 3) -> tuple[CountBlock, tuple[Detector, ...]]:
    """Working days with so much more or less traffic at two detectors, one on each of two links, in four intervals."""
    rng = np.random.default_rng(seed)
    veh = rng.poisson(1000 * np.array(levels)[None, :, None] * np.ones((2, 1, 4))).astype(np.float32)
    monday = date(2024, 5, 13)
    made = CountBlock(
        detectors=("d1", "d2"),
        days=tuple(monday + timedelta(days=7 * n) for n in range(len(levels))),
        begin_s=np.arange(0.0, 3600.0, 900.0),
        interval_s=900.0,
        veh=veh,
        occupancy_pct=None,
        speed_mps=None,
        row=np.ones(veh.shape, np.int32),
        lanes=np.ones(2, np.int64),
    )
    return made, tuple(
        Detector(id=f"d{n}", link_id=link, lane=0, pos_m=1.0, kind="stopbar") for n, link in ((1, "a"), (2, "c"))
    )


def test_from_counts_of_many_days_to_scenarios() -> None:
    """Twenty days, a fifth of them a third busier: two scenarios, their weights, and the spread of the days behind."""
    levels = [1.0 + 0.1 * np.sin(n) + (0.35 if n % 5 == 4 else 0.0) for n in range(20)]
    counts, detectors = block(levels)
    choice = choose_days(counts, 0.0, 3600.0, 2)
    assert sorted(choice.weights) == pytest.approx([0.2, 0.8], abs=0.11)
    demands = [demand({PAIR: 50 * levels[d], ("x", "y"): 10.0}, interval_s=900.0, intervals=4) for d in choice.days]
    scenarios = day_scenarios(demands, choice, counts, detectors, 0.0, 3600.0)
    assert scenarios.weights == choice.weights
    many = int(np.argmax(choice.weights))
    relative = scenarios.within_veh[many] / demands[many].veh
    assert float(relative[0].mean()) == pytest.approx(0.08, abs=0.06)
    found = flow_distribution(scenarios, PAIR)
    assert found.mean[0] == pytest.approx(50 * np.mean(levels), rel=0.08)
    assert found.quantile(0.95)[0] > found.quantile(0.5)[0] * 1.1


def test_realizations_carry_the_weights_of_their_days() -> None:
    """Two draws of each of two days share its weight; days that count alike need none."""
    assert weights_of(days(1, 2, weights=(0.7, 0.3))) == pytest.approx((0.35, 0.35, 0.15, 0.15))
    assert weights_of(days(1, 2)) is None


def test_weights_that_are_none() -> None:
    """They must be there, above 0, and add up to 1; the spread must fit."""
    with pytest.raises(DemandError, match="add up to 1"):
        days(1, 2, weights=(0.7, 0.4))
    with pytest.raises(DemandError, match="give one each"):
        days(1, 2, weights=(1.0,))
    with pytest.raises(DemandError, match="shape"):
        DemandScenarios((demand({PAIR: 1.0}),), (1.0,), (np.zeros((1, 2)),))
    with pytest.raises(DemandError, match="no scenario has the pair"):
        flow_distribution(days(1), ("no", "where"))

"""Days drawn within the ranges of counts, and plans judged on days they were not made for."""

import numpy as np
import pytest

from network_data.demand import DemandScenarios
from network_data.errors import DemandError
from network_data.settings import settings_from
from optimizer.objectives import Weighing
from optimizer.optimize import optimize
from optimizer.robust import drawn_demand, judged_on, outcomes, with_drawn_counts
from sim.trips import draw_trips
from tests.builders import demand, field_plan
from tests.optimizer.scenes import arterial


def one_day() -> DemandScenarios:
    return DemandScenarios(
        scenarios=(demand({("a", "b"): 100.0, ("a", "c"): 25.0, ("", "a"): 125.0}, intervals=4),), weights=(1.0,)
    )


def test_draws_have_the_mean_and_the_spread_of_their_ranges() -> None:
    """Over many draws each pair's total has the estimate's mean and the deviation that its 90 % range stands for."""
    day = one_day().scenarios[0]
    rng = np.random.default_rng(0)
    totals = np.array([drawn_demand(day, rng).veh.sum(axis=1) for _ in range(4000)])
    want = (day.total_high_veh - day.total_low_veh) / (2 * 1.645)
    # 4000 draws: the mean is known to 1/63 of the spread, the spread itself to 1/90
    assert totals.mean(axis=0) == pytest.approx(day.veh.sum(axis=1), abs=float(4 * (want / 63).max()))
    assert totals.std(axis=0) == pytest.approx(want, rel=0.06)
    assert (totals >= 0).all()


def test_all_intervals_of_a_pair_go_together() -> None:
    """An error of the estimate leans the same way all period long; pairs lean apart."""
    drawn = drawn_demand(one_day().scenarios[0], np.random.default_rng(1))
    factors = drawn.veh / one_day().scenarios[0].veh
    assert factors.std(axis=1) == pytest.approx(0, abs=1e-12)
    assert np.ptp(factors[:, 0]) > 0


def test_busy_days_are_busy_everywhere() -> None:
    """The spread of days moves all flows up or down together, by as much as each spreads."""
    day = one_day().scenarios[0]
    within = 0.2 * day.veh
    ups = []
    for seed in range(20):
        with_days = drawn_demand(day, np.random.default_rng(seed), within).veh
        alone = drawn_demand(day, np.random.default_rng(seed)).veh
        gap = (with_days - alone) / day.veh
        assert np.ptp(gap) == pytest.approx(0, abs=1e-9)
        ups.append(float(gap[0, 0]))
    assert min(ups) < 0 < max(ups)


def test_weights_are_shared_by_a_day_and_its_draws() -> None:
    """Two draws of each of two days: six scenarios whose weights add up to 1; none leaves all as it was."""
    day = one_day().scenarios[0]
    two = DemandScenarios(scenarios=(day, day), weights=(0.75, 0.25))
    found = with_drawn_counts(two, 2, seed=3)
    assert found.weights == pytest.approx((0.25, 0.25, 0.25, 1 / 12, 1 / 12, 1 / 12))
    assert found.scenarios[0] is day
    again = with_drawn_counts(two, 2, seed=3)
    assert (found.scenarios[1].veh == again.scenarios[1].veh).all()
    assert with_drawn_counts(two, 0, seed=3) is two
    with pytest.raises(DemandError, match="0 or more"):
        with_drawn_counts(two, -1, seed=3)


def test_mean_tail_and_paired_difference() -> None:
    """By hand: five days, the worst two fifths; the second plan is 1 s worse on the mean and 2 s better in the tail."""
    first, second = np.array([10.0, 12, 14, 30, 40]), np.array([15.0, 17, 19, 28, 38])
    a, b = outcomes({"mean": first, "robust": second}, 0.4)
    assert (a.mean, a.tail, a.worst) == pytest.approx((21.2, 35.0, 40.0))
    assert (b.mean, b.tail, b.worst) == pytest.approx((23.4, 33.0, 38.0))
    assert b.mean_less_first == pytest.approx(2.2)
    assert b.tail_less_first == pytest.approx(-2.0)
    assert b.se == pytest.approx(np.std([5, 5, 5, -2, -2], ddof=1) / 5**0.5)
    assert a.mean_less_first is None


def test_the_objective_mixes_mean_and_tail() -> None:
    """Half mean, half the mean of the worst quarter, weights counted: by hand."""
    table = settings_from({"objective": {"tail_weight": 0.5, "tail_share": 0.25}}, "test")
    weighing = Weighing(table.objective)
    assert weighing.over_days([10.0, 20.0, 30.0, 40.0]) == pytest.approx(0.5 * 25 + 0.5 * 40)
    # the worst quarter: all of the last (0.1) and 0.15 of the one before
    weights = (0.5, 0.2, 0.2, 0.1)
    tail = (0.1 * 40 + 0.15 * 30) / 0.25
    assert weighing.over_days([10.0, 20.0, 30.0, 40.0], weights) == pytest.approx(0.5 * 19 + 0.5 * tail)


def test_a_search_for_the_tail_looks_at_draws_and_keeps_the_rules() -> None:
    """With draws beside the day there are more realizations; the value told is mean and tail of these."""
    network, flows = arterial(offsets_s=(0.0, 58.0))
    table = {"objective": {"tail_weight": 0.5, "tail_share": 0.3, "drawn_counts": 4}}
    settings = settings_from(table, "test")
    field = field_plan(network)
    result = optimize(network, flows, field, settings, begin_s=0.0, end_s=900.0, iterations=10)
    assert result.simulator.n_realizations == 5
    values = [totals.delay_s_per_veh for totals in result.simulator.run([result.plan])[0]]
    assert result.objective_after == pytest.approx(Weighing(settings.objective).over_days(values))
    assert result.objective_after < result.objective_before


def test_plans_are_judged_day_by_day() -> None:
    """A plan against itself differs by nothing; one with shifted offsets differs on every day."""
    network, flows = arterial(offsets_s=(0.0, 30.0))
    other, _ = arterial(offsets_s=(0.0, 0.0))
    days = [[draw_trips(network, flows.scenarios[0], seed=10 * d + n) for n in range(2)] for d in range(3)]
    plans = {"first": field_plan(network), "same": field_plan(network), "shifted": field_plan(other)}
    weighing = Weighing(settings_from({}, "test").objective)
    first, same, shifted = judged_on(network, plans, days, weighing, begin_s=0.0, end_s=900.0)
    assert len(first.values) == 3
    assert same.values == first.values
    assert same.mean_less_first == 0
    assert all(a != b for a, b in zip(first.values, shifted.values, strict=True))

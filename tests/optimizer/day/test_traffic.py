"""What plans cost in intervals, at switches and over whole days."""

import numpy as np
import pytest

from network_data.errors import PlanError
from network_data.schedule import DayPlan
from network_data.settings import settings_from
from optimizer.day.traffic import HISTORY_S, Horizon, between
from tests.optimizer.day.streets import HORIZON, field, plan_for, street, traffic

NETWORK = street()
MAIN, SIDE = plan_for(NETWORK, 38), plan_for(NETWORK, 16)


def test_each_plan_is_cheap_where_its_traffic_is() -> None:
    """Long main greens cost less in the first two hours, long side greens in the last two."""
    costs = traffic(NETWORK).interval_costs([MAIN, SIDE], [0])[0]
    assert costs.shape == (16, 2)
    assert costs[:8, 0].sum() < 0.7 * costs[:8, 1].sum()
    assert costs[8:, 1].sum() < 0.7 * costs[8:, 0].sum()


def test_intervals_add_up_to_the_day_where_nothing_breaks_down() -> None:
    """Hours simulated one by one lose as much as the day in one go (to 2 %: drivers differ), and so does its course."""
    one, plan = traffic(NETWORK, vph=500), field(NETWORK)
    day = DayPlan.of_plans([(0.0, plan)])
    whole = one.day_costs(day)[0]
    assert one.interval_costs([plan], [0])[0].sum() == pytest.approx(whole, rel=0.02)
    assert one.course(day).sum() == pytest.approx(one.day_totals(day)[0].delay_s, rel=0.02)


def test_a_switch_costs_something_and_never_gains() -> None:
    """From one plan to another costs vehicles their time; to the same plan costs next to nothing."""
    one = traffic(NETWORK)
    costs = one.interval_costs([MAIN, SIDE], [0])[0]
    assert one.switch_cost(8, MAIN, SIDE, costs[:, 1]) >= 0
    assert 0 <= one.switch_cost(6, SIDE, SIDE, costs[:, 1]) < 0.02 * costs[6:8, 1].sum()
    # after two hours under the wrong plan its queues meet the next one
    assert one.switch_cost(4, SIDE, MAIN, costs[:, 0]) > 0.1 * costs[4:6, 0].sum()


def test_the_plan_of_two_parts_beats_either_alone() -> None:
    """A whole day with a switch at 8, its transition simulated, is better than one plan all through."""
    one = traffic(NETWORK)
    cost = {
        name: one.day_costs(DayPlan.of_plans(rows))[0]
        for name, rows in {
            "both": [(0.0, MAIN), (28_800.0, SIDE)],
            "main": [(0.0, MAIN)],
            "side": [(0.0, SIDE)],
        }.items()
    }
    assert cost["both"] < 0.8 * min(cost["main"], cost["side"])


def test_stops_count_as_the_settings_say() -> None:
    """A second per stop makes each interval dearer, by what the stops of the whole come to."""
    plain = traffic(NETWORK, vph=500).interval_costs([MAIN], [0])[0].sum()
    weighed = traffic(NETWORK, vph=500, table=settings_from({"objective": {"stops": 10.0}}, "test"))
    assert weighed.interval_costs([MAIN], [0])[0].sum() > 1.1 * plain


def test_first_days_are_weighted_anew() -> None:
    """Of three days with equal weights two remain, half each."""
    assert traffic(NETWORK, n=3).first_days(2).weights == (0.5, 0.5)


def test_vehicles_of_a_part_keep_their_ways() -> None:
    """Cutting a part out of a day's vehicles leaves departures and routes as they were."""
    whole = traffic(NETWORK).trips[0]
    part = between(whole, 25_000.0, 26_000.0)
    rows = np.flatnonzero((whole.depart_s >= 25_000) & (whole.depart_s < 26_000))
    assert len(part) == len(rows) > 100
    for v, row in enumerate(rows.tolist()):
        mine = part.route_link[part.route_start[v] : part.route_start[v + 1]]
        assert (mine == whole.route_link[whole.route_start[row] : whole.route_start[row + 1]]).all()
    assert whole.depart_s[0] >= HORIZON.begin_s - HISTORY_S


def test_a_period_of_broken_intervals_is_refused() -> None:
    """Half an hour is no multiple of 1,000 s."""
    with pytest.raises(PlanError, match="no multiple of 1000 s"):
        Horizon(begin_s=0.0, end_s=1800.0, interval_s=1000.0)

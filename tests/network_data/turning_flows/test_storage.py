"""Queues between intervals: what is served, what is wanted, and what stands on the links."""

import numpy as np
import pytest

from network_data.detectors import Detector
from network_data.turning_flows.course import interval_flows
from network_data.turning_flows.estimate import Estimator, estimate_demand
from network_data.turning_flows.sensors import read
from network_data.turning_flows.series import day_series
from network_data.turning_flows.standing import none_standing, queues_seen
from network_data.turning_flows.totals import period_totals
from tests.network_data.crossroads import FIELD, crossroads, timing
from tests.network_data.turning_flows.test_estimate import HOUR, counts

UP = Detector(id="up", link_id="ni", lane=0, pos_m=5.0, kind="advance")
LINE = Detector(id="line", link_id="ni", lane=0, pos_m=crossroads().links["ni"].length_m - 2.0, kind="stopbar")


def test_a_link_holds_what_came_and_has_not_left():
    """Upstream 12 more than at the stop line in one interval, 12 fewer in the next: they stand on the link between."""
    came = np.array([20, 20, 20, 32, 20, 20, 20, 20, 20, 20, 20, 20.0])
    left = np.array([20, 20, 20, 20, 32, 20, 20, 20, 20, 20, 20, 20.0])
    estimator = Estimator(crossroads(), (UP, LINE), plan=None)
    begin_s = np.arange(0, HOUR, 300.0)
    series = day_series(counts(up=came, line=left))
    readings = read(estimator.sensors, series, begin_s, begin_s + 300, frozenset(), shifted=False)
    problem = estimator.problem(begin_s, begin_s + 300, readings, {}, 0.0)
    totals = period_totals(problem)
    queue = queues_seen(estimator.layout, estimator.sensors, series, begin_s, begin_s + 300)
    # nothing tells of the queue but the counts themselves: leave it room
    queue.sd_veh[:] = 10.0
    flows, content = interval_flows(problem, totals, 1.0, queue)
    link = estimator.layout.unknowns.index["ni"]
    grown = content[link, 4] - content[link, 3]
    assert grown == pytest.approx(12, abs=4)
    entry, turns = estimator.layout.unknowns.entry["ni"], list(estimator.layout.unknowns.turns_out["ni"])
    assert flows[entry, 3] - flows[turns, 3].sum() == pytest.approx(grown, abs=0.5)
    assert flows[entry].sum() == pytest.approx(252, rel=0.03)


def test_occupancy_tells_how_far_a_queue_reaches():
    """An upstream loop under a standing queue: the link is full of standing vehicles, else nothing stands."""
    estimator = Estimator(crossroads(), (UP, LINE), plan=None)
    begin_s = np.arange(0, HOUR, 300.0)
    table = counts(up=20, line=20)
    table.frame["occupancy_pct"] = np.where(table.frame["detector"] == "up", 85.0, 60.0)
    queue = queues_seen(estimator.layout, estimator.sensors, day_series(table), begin_s, begin_s + 300)
    length_m = crossroads().links["ni"].length_m
    np.testing.assert_allclose(queue.veh[estimator.layout.unknowns.index["ni"]], (length_m - 5.0) / 7.0)
    table.frame["occupancy_pct"] = 10.0
    empty = queues_seen(estimator.layout, estimator.sensors, day_series(table), begin_s, begin_s + 300)
    assert not empty.veh.any()
    assert not none_standing(3, 2).growth_sd_veh.any()


def test_served_flows_stand_beside_the_demand_where_queues_held():
    """A saturated stop line: what was served is what was counted, the demand is that or more."""
    table = counts(up=20, line=20)
    table.frame["occupancy_pct"] = 70.0
    result = estimate_demand(crossroads(), (UP, LINE), table, 0, HOUR, plan=timing(FIELD))
    assert result.served is not None
    n = result.served.pairs.index(("ni", "so"))
    assert result.served.veh[n].sum() == pytest.approx(240, rel=0.03)
    wanted = result.demand.veh[result.demand.pairs.index(("ni", "so"))].sum()
    assert wanted >= result.served.veh[n].sum() - 5
    free = estimate_demand(crossroads(), (UP, LINE), counts(up=20, line=20), 0, HOUR, plan=timing(FIELD))
    assert free.served is None

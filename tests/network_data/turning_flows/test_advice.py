"""Ranges of an estimate, what they hang on, and which loops would narrow them."""

import numpy as np
import pytest

from network_data.demand import Demand
from network_data.errors import DemandError
from network_data.turning_flows.estimate import Estimate, Estimator
from network_data.turning_flows.local_ranges import local_variances
from tests.network_data.crossroads import crossroads
from tests.network_data.turning_flows.test_estimate import HOUR, counts, estimate, loop


def total_range(demand, *pair):
    """Ends of the range of a pair over the hour."""
    n = demand.pairs.index(pair)
    return demand.total_low_veh[n], demand.total_high_veh[n]


def test_every_range_holds_its_estimate_and_no_negative_flow():
    """Of intervals and of the hour."""
    demand = estimate(counts(wi=30, ni=12), links=("wi", "ni")).demand
    total = demand.veh.sum(axis=1)
    assert (demand.low_veh >= 0).all()
    assert (demand.total_low_veh <= total + 1e-6).all()
    assert (demand.total_high_veh >= total - 1e-6).all()
    assert (demand.low_veh <= demand.veh + 1e-6).all()
    assert (demand.high_veh >= demand.veh - 1e-6).all()


def test_a_measured_flow_has_a_narrow_range_and_a_guess_a_wide_one():
    """Straight on from a counted link without another way, and the left turn that nothing counts."""
    demand = estimate(counts(wi=30, ni=12), links=("wi", "ni")).demand
    low, high = total_range(demand, "ni", "so")
    assert high - low < 0.3 * 144
    low, high = total_range(demand, "wi", "no")
    assert high - low > 0.3 * 360


def test_counts_narrow_what_is_known_without_them():
    """Without counts ranges are much wider, at the level of traffic that the counts show."""
    estimator = Estimator(crossroads(), (loop("wi"), loop("ni")), plan=None)
    found = estimator.estimate(counts(wi=30, ni=12), 0, HOUR)
    level = estimator.prior(0, HOUR, level_of=found)
    for pair in (("wi", "eo"), ("ni", "so")):
        low, high = total_range(found.demand, *pair)
        prior_low, prior_high = total_range(level, *pair)
        assert high - low < 0.7 * (prior_high - prior_low)
    assert estimator.prior(0, HOUR).label == "prior alone"


def test_the_most_helpful_loops_are_where_most_is_unknown():
    """With the side streets counted, loops on a main approach narrow the ranges, and as much as was said."""
    links = ("ni", "si", "wi")
    found = estimate(counts(ni=12, si=8, wi=30), links=links)
    assert [a.link for a in found.advice] == ["ei"]
    best = found.advice[0]
    assert 0 < best.narrower < 1
    more = estimate(counts(ni=12, si=8, wi=30, ei=25), links=(*links, "ei"))
    signalled = [m.pair for m in crossroads().movements.values() if m.controller_id]

    def width(result):
        return np.mean([np.diff(total_range(result.demand, *pair)) for pair in dict.fromkeys(signalled)])

    assert width(found) == pytest.approx(best.mean_width_veh, rel=0.05)
    assert width(more) < width(found)


def test_an_estimate_without_its_grounds_gives_no_advice():
    """One put together by hand says so."""
    demand = Demand(np.zeros(1), np.ones(1), (("", "a"),), np.ones((1, 1)), np.ones((1, 1)), ("prior",))
    np.testing.assert_allclose(demand.total_high_veh, 2.645)
    with pytest.raises(DemandError, match=r"make it with Estimator\.estimate"):
        _ = Estimate(demand, (), (), ()).advice


def test_variances_of_single_junctions_are_not_narrower():
    """Each junction for itself knows no more than the whole network, and of its own movements hardly less."""
    loops = tuple(map(loop, ("wi", "ei", "ni", "si", "eo", "no")))
    estimator = Estimator(crossroads(), loops, plan=None)
    found = estimator.estimate(counts(wi=30, ei=25, ni=12, si=8, eo=20, no=18), 0, HOUR)
    assert found.problem is not None
    assert found.totals is not None
    pairs = np.arange(estimator.layout.n_pair)
    exact, _ = estimator.spread_of(found.problem, found.totals, pairs)
    near, prior = local_variances(found.problem, found.totals)
    ratio = np.sqrt(near[pairs] / exact)
    assert ratio.min() > 0.85
    assert np.median(ratio) < 1.3
    assert (near <= prior * 1.001).all()

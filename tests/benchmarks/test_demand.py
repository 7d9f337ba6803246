"""The scores of the demand benchmark, and its grid at a small size."""

import numpy as np
import pytest

from benchmarks.demand import Judged
from benchmarks.demand_scale import BEGIN_S, LENGTH_S, make_scene
from network_data.turning_flows.estimate import Estimator


def test_interval_score_of_a_case_by_hand():
    """Width 20 in both; one truth lies 5 above its range, which costs 20 times 5."""
    scored = Judged(np.zeros(2), np.array([0.0, 10.0]), np.array([20.0, 30.0]), np.array([15.0, 35.0]))
    assert scored.covered == 0.5
    assert scored.width == 20
    assert scored.score == pytest.approx(20 + (20 * 5) / 2)


def test_ranges_widen_to_whole_vehicles():
    """A truth of 3 lies in a range from 3.4 on."""
    assert Judged(np.zeros(1), np.array([3.4]), np.array([9.0]), np.array([3.0])).covered == 1


def test_a_small_grid_is_estimated_within_its_ranges():
    """16 signals: ten detectors each, and about nine of ten movements within their ranges."""
    scene = make_scene(4)
    assert len(scene.detectors) <= 160
    demand = Estimator(scene.network, scene.detectors, plan=None).estimate(
        scene.counts, BEGIN_S, BEGIN_S + LENGTH_S
    ).demand  # fmt: skip
    number = {pair: n for n, pair in enumerate(demand.pairs)}
    rows = np.array([number[pair] for pair in scene.truth])
    truth = np.array(list(scene.truth.values()))
    inside = (truth >= np.floor(demand.total_low_veh[rows])) & (truth <= np.ceil(demand.total_high_veh[rows]))
    assert inside.mean() > 0.85

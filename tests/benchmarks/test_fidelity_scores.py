"""Rank correlation, error, bias and regret on lists whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.fidelity_scores import approach_error, score

SUMO = [20.0, 30.0, 40.0, 50.0, 60.0]


def test_a_model_that_is_ten_percent_high_ranks_perfectly():
    """The order is all right, error and bias are the ten percent, and nothing is regretted."""
    found = score([1.1 * x for x in SUMO], SUMO)
    assert found is not None
    assert (found.rank, found.regret) == (pytest.approx(1.0), 0.0)
    assert (found.error, found.bias) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_model_that_turns_the_order_round_regrets_the_whole_spread():
    """It picks the worst plan, which SUMO finds three times as bad as the best."""
    found = score(SUMO[::-1], SUMO)
    assert found is not None
    assert found.rank == pytest.approx(-1.0)
    assert found.regret == pytest.approx(2.0)


def test_bias_keeps_the_sign_and_error_does_not():
    """Half of the plans 20 % too high and half too low: no bias, 20 % error."""
    found = score(np.array([1.2, 0.8, 1.2, 0.8, 1.2, 0.8]) * 50, np.full(6, 50.0))
    assert found is not None
    assert found.bias == pytest.approx(0.0, abs=1e-12)
    assert found.error == pytest.approx(0.2)
    assert found.rank is None  # SUMO finds all plans the same: there is no order


def test_too_few_plans_have_no_score():
    """Four plans say nothing about ranks."""
    assert score(SUMO[:4], SUMO[:4]) is None


def test_lists_of_different_length_are_refused():
    """Plans would be compared with the wrong ones."""
    with pytest.raises(ValueError, match="one number per plan"):
        score(SUMO, SUMO[:4])


def test_approach_errors_are_weighted_by_vehicles():
    """300 vehicles are 2 s off, 100 are right: 600 s of 400 x 10 s of delay; a link without vehicles says nothing."""
    sumo = {"a": (10.0, 300.0), "b": (10.0, 100.0), "c": (99.0, 0.0)}
    assert approach_error({"a": 12.0, "b": 10.0}, sumo) == pytest.approx(600 / 4000)
    assert approach_error({}, {"c": (99.0, 0.0)}) is None

"""What `its optimize` says of robustness: days kept apart, both plans judged on them."""

import numpy as np

from its.inputs import days_apart
from its.robust_job import for_the_mean, robust_json, robust_text
from network_data.settings import settings_from
from tests.builders import field_plan
from tests.optimizer.scenes import arterial

TABLE = {"objective": {"tail_weight": 0.5, "tail_share": 0.5, "drawn_counts": 2, "stops": 4.0}}


def test_days_kept_apart_are_spread_and_leave_enough() -> None:
    """Inner days, spread evenly; two days remain; none of fewer than three."""
    assert days_apart(10, 3) == [2, 4, 7]
    assert days_apart(5, 3) == [1, 2, 3]
    assert days_apart(3, 3) == [1]
    assert days_apart(2, 3) == []
    assert days_apart(10, 0) == []


def test_the_plan_for_the_mean_has_all_other_weights() -> None:
    """Tail and draws are switched off, stops stay."""
    settings = settings_from(TABLE, "test")
    plain = for_the_mean(settings).objective
    assert settings.objective.robust
    assert not plain.robust
    assert plain.stops == 4.0


def test_what_is_told_of_days_held_out() -> None:
    """Three plans on two days; a sentence with what it costs and buys; a table of three rows."""
    network, flows = arterial(offsets_s=(0.0, 30.0))
    other, _ = arterial(offsets_s=(0.0, 0.0))
    settings = settings_from(TABLE, "test")
    held = [flows.scenarios[0], flows.scenarios[0]]
    told = robust_json(
        network, field_plan(network), field_plan(network), field_plan(other), held, settings,
        begin_s=0.0, end_s=900.0, seed=1,
    )  # fmt: skip
    mean, robust, field = told["plans"]
    assert mean["days_s_per_veh"] == field["days_s_per_veh"]
    assert robust["mean_less_first"] == np.mean(robust["days_s_per_veh"]) - np.mean(mean["days_s_per_veh"])
    assert told["said"].startswith("on 2 days held out the robust plan ")
    assert len(robust_text(told).splitlines()) == 5


def test_without_days_held_out_only_the_question_is_told() -> None:
    """One day alone cannot be held out."""
    network, _ = arterial()
    plan = field_plan(network)
    settings = settings_from(TABLE, "test")
    told = robust_json(network, plan, plan, plan, [], settings, begin_s=0.0, end_s=900.0, seed=1)
    assert told["plans"] == []
    assert told["asked"] == {"tail_weight": 0.5, "tail_share": 0.5, "drawn_counts": 2, "held_out": 3}
    assert robust_text(told) == ""

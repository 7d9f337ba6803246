"""Links whose queue may take only so much of their room: the search keeps to it, and says so where it cannot."""

import pytest

from network_data.errors import InfeasibleError
from network_data.settings import settings_from
from optimizer.optimize import Result, optimize
from optimizer.storage import StorageGuard, used_by
from sim.measures import measure
from tests.builders import field_plan
from tests.optimizer.scenes import arterial

SHIFTED = (0.0, 58.0, 20.0)


def optimized(storage: dict[str, float], *, iterations: int = 40) -> Result:
    network, flows = arterial(offsets_s=SHIFTED, side_vph=350)
    settings = settings_from({"limits": {"storage": storage}}, "test")
    return optimize(network, flows, field_plan(network), settings, begin_s=0.0, end_s=900.0, iterations=iterations)


def test_the_guard_tells_what_the_measures_tell() -> None:
    """The longest back of queue of any lane group of the link over its room; what lies above the limits adds up."""
    made = optimized({}, iterations=2)
    measures = measure(made.simulator, made.plan)
    use = max(group.storage_use for group in measures.lane_groups.values() if group.link == "sp")
    guard = StorageGuard(made.simulator, {"sp": use - 0.05, "sq": 1.0})
    assert guard.used(made.plan)["sp"] == pytest.approx(use)
    assert guard.excess(made.plan) == pytest.approx(0.05)
    assert used_by(measures, {"nowhere": 1.0}) == {"nowhere": 0.0}


def test_queues_keep_within_the_room_that_is_named() -> None:
    """Without the limit the side street's queue is longer; with it delay is paid for room."""
    free = optimized({})
    limit = StorageGuard(free.simulator, {"sr": 1.0}).used(free.plan)["sr"] - 0.01
    kept = optimized({"sr": limit})
    assert StorageGuard(kept.simulator, {"sr": 1.0}).used(kept.plan)["sr"] <= limit
    assert kept.objective_after >= free.objective_after


def test_a_limit_that_no_plan_was_found_for_is_said() -> None:
    """Room for less than one vehicle: the error names link, what the plan takes and what the field took."""
    with pytest.raises(
        InfeasibleError, match=r"storage: no plan .*link 'sp': \d+ % \(the field plan: \d+ %\), at most 1 %"
    ):
        optimized({"sp": 0.01}, iterations=3)

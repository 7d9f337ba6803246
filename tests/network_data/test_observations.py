"""Tests of `network_data.observations`."""

import numpy as np
import pytest

from network_data.errors import DemandError
from network_data.observations import HEALTH, Observation, joined


def second(time_s: float, counts: list[float], occupancy: list[float], health: list[int]) -> Observation:
    """One second of detectors a and b."""
    return Observation(
        time_s=time_s,
        interval_s=1.0,
        detector_ids=("a", "b"),
        count_veh=np.array(counts, np.float32),
        occupancy=np.array(occupancy, np.float32),
        health=np.array(health, np.uint8),
    )


def test_seconds_join_to_a_cycle() -> None:
    """Counts add up, occupancy is a mean over time, the last health holds."""
    whole = joined([second(1, [1, 0], [0.5, 0], [0, 0]), second(2, [1, 2], [1.0, 0.5], [0, HEALTH.STUCK])])

    assert (whole.time_s, whole.interval_s) == (2, 2)
    assert whole.count_veh.tolist() == [2, 2]
    assert whole.occupancy.tolist() == [0.75, 0.25]
    assert whole.sound.tolist() == [True, False]
    np.testing.assert_array_equal(whole.flow_vph, [3600, np.nan])


def test_a_second_without_answer_is_scaled_over() -> None:
    """A detector that did not answer for half of the time has its count doubled, one that never did has none."""
    nan = float("nan")
    whole = joined([second(1, [1, nan], [1.0, nan], [0, 0]), second(2, [nan, nan], [nan, nan], [0, 0])])

    np.testing.assert_array_equal(whole.count_veh, [2, nan])
    np.testing.assert_array_equal(whole.occupancy, [1, nan])


def test_hash_tells_observations_apart() -> None:
    """The same values give the same hash, one more vehicle another."""
    one = second(1, [1, 0], [0, 0], [0, 0])

    assert one.hash() == second(1, [1, 0], [0, 0], [0, 0]).hash()
    assert one.hash() != second(1, [1, 1], [0, 0], [0, 0]).hash()


def test_wrong_shapes_are_told_together() -> None:
    """Every array that does not fit is named."""
    with pytest.raises(DemandError, match=r"(?s)count_veh.*occupancy"):
        second(1, [1], [0], [0, 0])


def test_nothing_to_join() -> None:
    """No observation is no observation."""
    with pytest.raises(DemandError, match="none to join"):
        joined([])

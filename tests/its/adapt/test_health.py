"""Tests of the record of loops."""

import numpy as np

from its.adapt.health import GREEN_STUCK_S, NEVER_S, STUCK_S, HealthMonitor
from network_data.observations import HEALTH, Observation


def second(t: int, counts: list[float], covered: list[float]) -> Observation:
    """One second of two loops side by side."""
    return Observation(
        time_s=float(t),
        interval_s=1.0,
        detector_ids=("a", "b"),
        count_veh=np.array(counts, np.float32),
        occupancy=np.array(covered, np.float32),
        health=np.zeros(2, np.uint8),
    )


def monitor() -> HealthMonitor:
    """Loops a and b beside each other."""
    return HealthMonitor(("a", "b"), [[1], [0]])


def test_a_loop_that_falls_silent_is_lost_and_found_again() -> None:
    """One that counted every 8 s and stops while its neighbour goes on is lost; three vehicles later it is back."""
    watch, told = monitor(), []
    for t in range(2400):
        passes = float(t % 8 == 0)
        here = passes if t < 900 or t >= 1800 else 0.0
        seen, changes = watch.check(second(t, [here, passes], [here / 2, passes / 2]))
        told += changes
        if 1300 < t < 1800:
            assert seen.sound.tolist() == [False, True]

    assert [(x.detector_id, x.code) for x in told] == [("a", HEALTH.SILENT), ("a", HEALTH.SOUND)]
    assert 900 + 150 < told[0].time_s < 900 + 250
    assert 1800 <= told[1].time_s < 1830
    assert "history" in told[0].text


def test_a_pause_of_all_traffic_is_no_fault() -> None:
    """When nobody comes on any lane, nothing is lost."""
    watch, told = monitor(), []
    for t in range(1500):
        passes = float(t % 8 == 0 and t < 600)
        told += watch.check(second(t, [passes, passes], [passes, passes]))[1]

    assert told == []


def test_a_stuck_loop_is_lost() -> None:
    """Covered without end: lost after as long as no queue stands."""
    watch, told = monitor(), []
    for t in range(int(STUCK_S) + 60):
        told += watch.check(second(t, [0.0, float(t % 5 == 0)], [1.0, 0.2]))[1]

    assert [(x.detector_id, x.code) for x in told] == [("a", HEALTH.STUCK)]
    assert told[0].time_s <= STUCK_S + 2


def test_a_loop_that_stays_covered_through_green_is_stuck() -> None:
    """Half a minute of free green moves every queue; on red, and before a full link, nothing is held against it."""
    for may_go, lost in (([True, False], ["a"]), ([False, False], [])):
        watch, told = monitor(), []
        for t in range(int(GREEN_STUCK_S) + 10):
            told += watch.check(second(t, [0.0, 0.0], [1.0, 1.0]), np.array(may_go))[1]
        assert [x.detector_id for x in told] == lost


def test_a_loop_that_never_told_anything_is_lost() -> None:
    """While its neighbour counts on."""
    watch, told = monitor(), []
    for t in range(int(NEVER_S) + 60):
        told += watch.check(second(t, [0.0, float(t % 5 == 0)], [0.0, 0.2]))[1]

    assert [(x.detector_id, x.code) for x in told] == [("a", HEALTH.SILENT)]


def test_no_answer_is_silence_at_once() -> None:
    """A loop without an answer is not used in that second."""
    watch = monitor()
    seen, changes = watch.check(second(0, [float("nan"), 1.0], [float("nan"), 0.5]))

    assert seen.sound.tolist() == [False, True]
    assert changes[0].detector_id == "a"


def test_a_jam_is_no_fault_of_its_loop() -> None:
    """Covered for ten minutes, known to stand in a jam: it is trusted; if it stays so when the jam has gone, lost."""
    watch, told = monitor(), []
    for t in range(600 + int(STUCK_S) + 5):
        in_jam = np.array([t < 600, False])
        told += watch.check(second(t, [0.0, float(t % 5 == 0)], [1.0, 0.2]), in_jam=in_jam)[1]

    assert [(x.detector_id, x.code) for x in told] == [("a", HEALTH.STUCK)]
    assert told[0].time_s > 600

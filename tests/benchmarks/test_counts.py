"""The counts benchmark: how verdicts are scored, and a small run of its parts that need no data."""

import numpy as np
import pytest

from benchmarks._count_faults import checked, put_faults, scores
from benchmarks._count_repair import ALL_RULES_OFF, _weekday_medians
from benchmarks._count_scale import scale_row
from benchmarks._count_stretches import synthetic_stretch
from benchmarks.counts import broken_promise, fault_row
from network_data.counting.quality import check_block


def test_synthetic_roads_are_clean() -> None:
    """Nothing is found where no fault was put in."""
    stretch = synthetic_stretch(3, n_road=4, n_day=14, interval_s=900.0)
    assert check_block(stretch.block, stretch.groups).verdicts == ()


def test_faults_go_through_a_file_and_are_found() -> None:
    """One seed: every fault of the kinds that leave no doubt is found, and doubles and late rows survive the file."""
    faulty = put_faults(synthetic_stretch(7, n_road=6, n_day=14, interval_s=900.0), 7)
    found = scores(faulty, checked(faulty))
    for kind in ("missing", "negative", "pulse", "duplicate", "late"):
        assert found[kind]["true"] > 0
        assert found[kind]["missed"] == 0


def test_broken_promises_are_said() -> None:
    """Precision and recall below what is asked, no gain over the median, and totals that differ."""
    from collections import Counter

    assert broken_promise(fault_row("x", "dead", Counter(true=96, false=4, missed=0))) is None
    assert "recall 0.800" in str(broken_promise(fault_row("x", "dead", Counter(true=80, false=0, missed=20))))
    repair = {"part": "repair", "case": "x", "kind": "y", "error_veh": 3.0, "median_error_veh": 2.0}
    assert "no better" in str(broken_promise(repair))
    assert "published 86, found 85" in str(
        broken_promise({"part": "muenster", "case": "x", "kind": "negative", "put_in": 86, "found": 85})
    )


def test_the_baseline_is_the_weekday_median() -> None:
    """A Monday gets the median of the other Mondays."""
    stretch = synthetic_stretch(1, n_road=1, n_day=21, interval_s=3600.0)
    medians = _weekday_medians(stretch.block.veh, stretch)
    assert medians[0, 0, 8] == np.median(stretch.block.veh[0, [0, 7, 14], 8])
    assert ALL_RULES_OFF.repair


@pytest.mark.slow
def test_a_small_scale_run() -> None:
    """2,000 detectors are read and checked in a process of their own."""
    row = scale_row(2_000)
    assert row["put_in"] > 500_000
    assert row["seconds"] < 30

"""The filters benchmark: how it compares, what it calls a loss, and one case of it."""

import pytest

from benchmarks.fidelity_cases import fidelity_cases
from benchmarks.filters import case_rows, comparison, losses
from tests import packs


def test_comparison_of_delays() -> None:
    """Ranks, error and regret of a filter that swaps the two best of ten plans."""
    judged = [float(x) for x in range(10, 20)]
    found = [11.0, 10.0, *judged[2:]]
    row = comparison(found, judged)

    assert row["rank"] == pytest.approx(1 - 6 * 2 / (10 * 99))
    assert row["regret"] == pytest.approx(0.1)
    assert row["kept"] is False
    assert comparison(judged, judged)["kept"] is True
    assert comparison([1.0], [1.0]) == {"n": 1}


def test_losses_are_named() -> None:
    """Bad ranks and filters slower than what they are to spare are said in words."""
    common = {"case": "a", "family": "near", "demand": "flows", "simulated_per_s": 100.0}
    rows = [
        {**common, "filter": "slow", "rank": 0.9, "plans_per_s": 50.0},
        {**common, "filter": "blind", "rank": 0.2, "plans_per_s": 500.0},
        {**common, "filter": "good", "rank": 0.9, "plans_per_s": 500.0},
    ]

    assert losses(rows) == ["ranks below 0.7: a near blind (flows)", "slower than the simulation: a near slow (flows)"]


@pytest.mark.slow
def test_one_case_is_measured() -> None:
    """On a single junction the wave filter ranks random plans nearly as the simulation does."""
    packs.resco("cologne1")
    packs.sumo()
    rows = case_rows(fidelity_cases()["cologne1"], 16)
    wave = next(row for row in rows if (row["family"], row["filter"], row["demand"]) == ("random", "wave", "exact"))

    assert len(rows) == 11
    assert wave["rank"] > 0.8
    assert wave["plans_per_s"] > 0

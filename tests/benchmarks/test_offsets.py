"""The benchmark of offsets: its rows, its goals, its streets."""

import pytest

from benchmarks.offset_cases import case_names
from benchmarks.offsets import BANDS, band_streets, missed_goal, solved
from tests.optimizer.offsets.problems import grid_problem


def test_a_row_tells_value_bound_gap_and_proof() -> None:
    """A small grid is proven, and the row says when."""
    row = solved("small", "made up", grid_problem(3, 3, seed=2), 0.0)
    assert row["status"] == "optimal"
    assert row["gap"] == 0.0
    assert isinstance(row["proof_s"], float)
    assert row["value"] == pytest.approx(row["bound"])
    assert missed_goal(row) == ""


@pytest.mark.parametrize(
    ("signals", "change", "words"),
    [
        (25, {"status": "feasible"}, "no proof"),
        (25, {"proof_s": 11.0}, "no proof"),
        (100, {"gap": 0.021}, "above 2 %"),
        (1024, {"gap": 0.051}, "above 5 %"),
        (1024, {"gap": 0.049}, ""),
    ],
)
def test_goals_that_are_missed_are_named(signals: int, change: dict, words: str) -> None:
    """25 signals proven in 10 s, 2 % at 100 and 5 % at 1,000 signals."""
    row = {"case": "x", "tables": "y", "signals": signals, "gap": 0.0, "status": "optimal", "proof_s": 1.0} | change
    assert words.replace(" %", "%") in missed_goal(row).replace(" %", "%")
    assert bool(words) == bool(missed_goal(row))


def test_streets_have_five_and_twenty_signals() -> None:
    """The worked instance, and twenty signals with fixed and free cycle; slow ones are named."""
    assert {len(street.signals) for street in band_streets().values()} == {5, 20}
    slow = {"case": BANDS, "tables": "MAXBAND", "status": "feasible", "cpu_s": 1.0}
    assert "not optimal" in missed_goal(slow)


def test_cases_are_known_by_name() -> None:
    """Grids up to 1,024 signals and real networks."""
    assert {"grid25", "long100", "long1024", "cologne8", "acosta100"} <= set(case_names())

"""The benchmark of day plans: paired differences by hand, and days that keep what the loops counted."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks._muenster_days import DayStreet, counts_of, loops_everywhere
from benchmarks.day import _size, compared
from tests.builders import trips, two_signals

DELAYS = {"day": [10.0, 20.0, 30.0], "1 plan": [12.0, 21.0, 36.0], "field plan": [10.5, 19.5, 30.0]}
SIZES = {"day": (3, 4), "1 plan": (1, 0), "field plan": (1, 0)}


def test_differences_are_paired_by_day() -> None:
    """-2, -1 and -6 s: 3 s better on the mean, less than two standard errors from nothing."""
    own, single, field = compared("case", "day", DELAYS, SIZES)
    assert own["way"] == "day (the day plan)"
    assert "difference_s_per_veh" not in own
    assert single["difference_s_per_veh"] == pytest.approx(-3.0)
    assert single["se_s_per_veh"] == pytest.approx(np.std([-2, -1, -6], ddof=1) / 3**0.5)
    assert single["better_days"] == 3
    assert single["share"] == pytest.approx(-3 / 23)
    assert single["verdict"] == "no difference"
    assert field["difference_s_per_veh"] == pytest.approx(0.0)
    steady = compared("case", "day", {"day": [1.0, 2, 3], "x": [3.0, 4.1, 5]}, {"day": (1, 0), "x": (1, 0)})
    assert steady[1]["verdict"] == "better"


def test_sizes_count_plans_and_switches() -> None:
    """Two plans on three types of day; a day of one plan has no switch."""
    row = lambda plan: SimpleNamespace(plan=plan)  # noqa: E731
    assert _size({"weekday": [row("a"), row("b")], "sat": [row("a")], "sun": [row("b")]}) == (2, 2)


def test_loops_count_every_vehicle_that_passes_once() -> None:
    """Vehicles in free flow: one loop per approach lane, all of them in the quarter they pass."""
    network = two_signals()
    loops = loops_everywhere(network)
    assert [d.link_id for d in loops] == ["a0", "a1", "sp", "sq"]
    some = trips(network, [(10.0, "a0 a1 a2"), (890.0, "a0 a1 a2"), (2000.0, "sp np")])
    street = SimpleNamespace(network=network)
    counts = counts_of(street, loops, some, seed=0)  # type: ignore[arg-type]
    # 300 m at 50 km/h take 22 s: the second vehicle passes the first stop line after 900 s
    assert counts[0, :2].tolist() == [1, 1]
    assert counts[1, :2].tolist() == [1, 1]
    assert counts[2].sum() == 1
    assert counts[2, 2] == 1


def test_quarters_keep_the_hours_of_the_loop() -> None:
    """Each hour's four quarters carry what the loop counted in it, scaled to the entry's share."""
    day = date(2015, 9, 7)
    hours = 50.0 + 40 * np.sin(np.arange(24) / 4)
    year = SimpleNamespace(veh=hours[None, None, :], days=(day,))
    street = DayStreet(
        name="",
        network=None,  # type: ignore[arg-type]
        field=None,  # type: ignore[arg-type]
        routes={3: [np.array([3, 4], np.int32)] * 180},
        links=(),
        year=year,  # type: ignore[arg-type]
        loop_of={3: 0},
        peak_veh={3: float(hours.max())},
        level=0.5,
    )
    quarters = street.quarters(3, day)
    assert (quarters >= 0).all()
    assert quarters.reshape(24, 4).sum(axis=1) == pytest.approx(hours * 0.5 * 180 / hours.max())

"""Representative days: types of day, weights, medoids and the spread of what they stand for."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from network_data.errors import DemandError
from network_data.representative import kind_of, representative_days
from tests.packs import data_pack


def made(shapes: list[float], *, detectors: int = 12, intervals: int = 8, seed: int = 1) -> NDArray[np.float64]:
    """A day per number: Poisson counts around 40 vehicles times it."""
    rng = np.random.default_rng(seed)
    return rng.poisson(40.0 * np.array(shapes)[:, None, None], (len(shapes), detectors, intervals)).astype(np.float64)


def test_weights_are_the_shares_of_days() -> None:
    """Twelve days of which nine are alike, two busier and one half empty: three days with 9, 2 and 1 twelfths."""
    shapes = [1.0, 1.0, 1.6, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.6, 1.0, 1.0]
    choice = representative_days(made(shapes), ["weekday"] * 12, 3)
    assert sorted(shapes[d] for d in choice.days) == [0.5, 1.0, 1.6]
    found = {shapes[d]: w for d, w in zip(choice.days, choice.weights, strict=True)}
    assert found == pytest.approx({1.0: 9 / 12, 1.6: 2 / 12, 0.5: 1 / 12})
    assert [shapes[choice.days[s]] for s in choice.stands_for] == shapes
    assert choice.beyond_chance == pytest.approx(1.0, abs=0.1)


def test_days_that_differ_by_chance_alone_are_shared_evenly() -> None:
    """Of twelve alike the four chosen stand for three each: no day's chance weighs more than another's."""
    choice = representative_days(made([1.0] * 12), ["weekday"] * 12, 4)
    assert choice.weights == pytest.approx([0.25] * 4)
    assert [choice.stands_for[d] for d in choice.days] == [0, 1, 2, 3]


def test_each_type_of_day_has_a_day_of_its_own() -> None:
    """Saturdays that look like weekdays still stand for themselves; with room for one day the commonest type has it."""
    kinds = ["weekday"] * 5 + ["sat", "sun"]
    choice = representative_days(made([1.0] * 7), kinds, 3)
    assert sorted(kinds[d] for d in choice.days) == ["sat", "sun", "weekday"]
    assert dict(zip((kinds[d] for d in choice.days), choice.weights, strict=True))["weekday"] == pytest.approx(5 / 7)
    (only,) = representative_days(made([1.0] * 7), kinds, 1).days
    assert kinds[only] == "weekday"


def test_no_more_days_than_asked_for_each_stand_for_themselves() -> None:
    """Three days, five asked for, two of them the same: three scenarios of a third each."""
    veh = made([1.0, 1.0, 2.0])
    veh[1] = veh[0]
    choice = representative_days(veh, ["weekday"] * 3, 5)
    assert choice.days == (0, 1, 2)
    assert choice.weights == (1 / 3, 1 / 3, 1 / 3)
    assert not choice.within.any()


def test_the_spread_within_is_what_days_differ_by_beyond_chance() -> None:
    """Days that go up and down together by 15 % spread by it; days that differ by chance alone hardly at all."""
    rng = np.random.default_rng(4)
    steady = representative_days(made([1.0] * 30, seed=2), ["weekday"] * 30, 1)
    assert float(np.median(steady.within)) < 0.1
    assert steady.beyond_chance == pytest.approx(1.0, abs=0.1)
    moved = representative_days(made(list(rng.normal(1, 0.15, 30)), seed=2), ["weekday"] * 30, 1)
    assert float(np.median(moved.within)) == pytest.approx(0.15, abs=0.06)
    assert moved.beyond_chance > 1.2


def test_days_with_few_counts_are_not_chosen() -> None:
    """A day that lacks most of its counts is stood for by another, and stands for none."""
    veh = made([1.0, 1.0, 1.0, 1.0, 1.5])
    veh[1, :, 1:] = np.nan
    choice = representative_days(veh, ["weekday"] * 5, 2)
    assert 1 not in choice.days
    assert sum(choice.weights) == pytest.approx(1)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 12), most=st.integers(1, 6), seed=st.integers(0, 99))
def test_choices_are_sound_and_the_same_again(n: int, most: int, seed: int) -> None:
    """Whatever the days: weights add up to 1, a day of its type stands for each, and nothing depends on luck."""
    rng = np.random.default_rng(seed)
    veh = made(list(rng.uniform(0.2, 3, n)), detectors=2, intervals=3, seed=seed)
    kinds = [("weekday", "sat", "sun")[k] for k in rng.integers(0, 3, n)]
    choice = representative_days(veh, kinds, most)
    assert len(choice.days) == min(n, most)
    assert sum(choice.weights) == pytest.approx(1)
    assert all(choice.stands_for[d] == s for s, d in enumerate(choice.days))
    have = {kinds[d] for d in choice.days}
    assert all(kinds[choice.days[s]] == kinds[i] or kinds[i] not in have for i, s in enumerate(choice.stands_for))
    again = representative_days(veh, kinds, most)
    assert (again.days, again.weights) == (choice.days, choice.weights)


def test_types_of_day() -> None:
    """By the calendar; counts without a date are taken for weekdays."""
    assert [kind_of(date(2024, 5, 13) + timedelta(days=n)) for n in range(7)] == ["weekday"] * 5 + ["sat", "sun"]
    assert kind_of(None) == "weekday"


def test_nothing_to_choose_from_is_an_error() -> None:
    """No days, no counts, no choice."""
    with pytest.raises(DemandError, match="one type per day"):
        representative_days(np.zeros((0, 2, 2)), [], 3)
    with pytest.raises(DemandError, match="no day has a count"):
        representative_days(np.full((3, 2, 2), np.nan), ["sat"] * 3, 3)


@pytest.mark.slow
def test_day_shapes_of_a_whole_city() -> None:
    """A year of Münster: without being told, three days find weekdays, Saturdays, and Sundays with the holidays.

    Datenquelle: Stadt Münster. The weighted total is within 2 % of the mean day's; days spread evenly over the year
    (New Year's Day and Eve among them) miss it by more than 10 %.
    """
    frame = pd.read_csv(data_pack() / "muenster_loops" / "loop_counts_hourly_2015.csv.gz")
    frame = frame[frame["detector"].str.contains("_FV")]
    days, names = sorted(frame["date"].unique()), sorted(frame["detector"].unique())
    hours = [f"h{h:02d}" for h in range(24)]
    veh = np.full((len(days), len(names), 24), np.nan)
    at = (
        frame["date"].map({d: n for n, d in enumerate(days)}),
        frame["detector"].map({d: n for n, d in enumerate(names)}),
    )
    veh[at[0].to_numpy(), at[1].to_numpy()] = frame[hours].to_numpy(float)
    veh[veh < 0] = np.nan
    kinds = np.array([kind_of(date.fromisoformat(day)) for day in days])
    blind = representative_days(veh, ["day"] * len(days), 3)
    own = kinds[list(blind.days)]
    assert sorted(own) == ["sat", "sun", "weekday"]
    agree = own[blind.stands_for] == kinds
    assert agree[kinds != "weekday"].mean() > 0.95
    assert agree.mean() > 0.94
    good_friday, may_day = days.index("2015-04-03"), days.index("2015-05-01")
    assert own[blind.stands_for[good_friday]] == own[blind.stands_for[may_day]] == "sun"
    total = np.nansum(veh, axis=(1, 2))
    five = representative_days(veh, list(kinds), 5)
    assert np.dot(five.weights, total[list(five.days)]) == pytest.approx(total.mean(), rel=0.02)
    evenly = total[np.linspace(0, len(total) - 1, 5).round().astype(int)].mean()
    assert abs(evenly / total.mean() - 1) > 0.1

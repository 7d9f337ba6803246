"""Types of days and the local clock, clock changes included."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from network_data.day_types import DayTypes, clock_change_s, local_clock
from network_data.errors import DemandError, SettingsError
from network_data.settings import settings_from

BERLIN = "Europe/Berlin"
CHRISTMAS = date(2015, 12, 25)  # a Friday


def test_types_of_a_week() -> None:
    """Monday to Friday, Saturday and Sunday; together the last two are the weekend."""
    week = [date(2015, 9, 7) + timedelta(days=k) for k in range(7)]
    assert [DayTypes().of(day) for day in week] == ["weekday"] * 5 + ["sat", "sun"]
    assert [DayTypes(together=True).of(day) for day in week] == ["weekday"] * 5 + ["weekend"] * 2
    assert DayTypes().of(None) == "weekday"


def test_holidays_are_sundays() -> None:
    """Christmas on a Friday is planned as a Sunday, or as the weekend."""
    assert DayTypes().of(CHRISTMAS) == "weekday"
    assert DayTypes(holidays=frozenset({CHRISTMAS})).of(CHRISTMAS) == "sun"
    assert DayTypes(holidays=frozenset({CHRISTMAS}), together=True).of(CHRISTMAS) == "weekend"
    assert settings_from({"day": {"holidays": [CHRISTMAS]}}, "test").day.types.of(CHRISTMAS) == "sun"


def test_groups_and_shares() -> None:
    """Days go to their types in their order; shares of the types that occur add up to 1."""
    days = [date(2015, 9, 12), date(2015, 9, 7), date(2015, 9, 8), None]
    groups = DayTypes().group(days)
    assert groups == {"weekday": [1, 2, 3], "sat": [0]}
    assert DayTypes().shares(groups) == pytest.approx({"weekday": 5 / 6, "sat": 1 / 6})


@pytest.mark.parametrize(
    ("utc", "day", "clock_s"),
    [
        ("2015-03-29T00:59:59", date(2015, 3, 29), 7199),  # 01:59:59 winter time
        ("2015-03-29T01:00:00", date(2015, 3, 29), 10_800),  # an hour is missing: 03:00 summer time
        ("2015-10-25T00:30:00", date(2015, 10, 25), 9000),  # 02:30 summer time
        ("2015-10-25T01:30:00", date(2015, 10, 25), 9000),  # 02:30 again, winter time
        ("2015-10-24T22:00:00", date(2015, 10, 25), 0),
    ],
)
def test_local_clock_over_clock_changes(utc: str, day: date, clock_s: float) -> None:
    """Switching times are those of the wall clock: one hour never comes in spring, one comes twice in autumn."""
    when = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert local_clock(when, BERLIN) == (day, clock_s)


def test_an_instant_without_zone_is_local_already() -> None:
    """No zone, no move; an instant with one keeps its own clock where none is asked for."""
    when = datetime(2015, 7, 1, 8, 0, 1)
    assert local_clock(when, BERLIN) == (date(2015, 7, 1), 28_801)
    assert local_clock(when.replace(tzinfo=ZoneInfo(BERLIN)), None) == (date(2015, 7, 1), 28_801)


def test_days_of_23_and_25_hours() -> None:
    """Spring takes an hour, autumn gives it back."""
    assert clock_change_s(date(2015, 3, 29), BERLIN) == -3600
    assert clock_change_s(date(2015, 10, 25), BERLIN) == 3600
    assert clock_change_s(date(2015, 10, 26), BERLIN) == 0
    assert clock_change_s(date(2015, 3, 29), "Asia/Seoul") == 0


def test_a_wrong_zone_and_a_wrong_interval_are_told() -> None:
    """Both with the words that mend them."""
    with pytest.raises(DemandError, match="IANA"):
        clock_change_s(CHRISTMAS, "Berlin")
    with pytest.raises(SettingsError, match="does not divide the day"):
        settings_from({"day": {"interval_s": 700}}, "test")

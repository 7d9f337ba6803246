"""Local plan days in UTC, on the two odd days of the year as well."""

from datetime import UTC, date, datetime

import pytest

from its.store.times import clock_utc, local_day, period_utc
from network_data.errors import SettingsError

BERLIN = "Europe/Berlin"
FORWARD, BACK = date(2026, 3, 29), date(2026, 10, 25)


def test_an_ordinary_day() -> None:
    """07:00 to 09:00 in Seoul is 22:00 to 24:00 UTC of the day before."""
    begin, end = period_utc(date(2026, 11, 23), 7 * 3600, 9 * 3600, "Asia/Seoul")
    assert begin == datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert end == datetime(2026, 11, 23, 0, tzinfo=UTC)


def test_the_hour_that_is_missing() -> None:
    """A period over the leap lasts an hour less; a time inside it comes as if the clock had not been changed."""
    begin, end = period_utc(FORWARD, 1 * 3600, 4 * 3600, BERLIN)
    assert (end - begin).total_seconds() == 2 * 3600
    assert clock_utc(FORWARD, 2.5 * 3600, BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert clock_utc(FORWARD, 2.5 * 3600, BERLIN, last=True) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_the_hour_that_comes_twice() -> None:
    """A period of that hour lasts two, one over it an hour more."""
    begin, end = period_utc(BACK, 2 * 3600, 2.5 * 3600, BERLIN)
    assert (begin, end) == (datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    begin, end = period_utc(BACK, 1 * 3600, 4 * 3600, BERLIN)
    assert (end - begin).total_seconds() == 4 * 3600


def test_a_day_lasts_23_24_or_25_hours() -> None:
    """From midnight to midnight."""
    for day, hours in ((FORWARD, 23), (date(2026, 6, 1), 24), (BACK, 25)):
        begin, end = period_utc(day, 0, 86_400, BERLIN)
        assert (end - begin).total_seconds() == hours * 3600


def test_local_days_and_unknown_zones() -> None:
    """23:30 UTC is the next day in Seoul; a zone that does not exist is refused."""
    assert local_day(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "Asia/Seoul") == date(2026, 11, 23)
    with pytest.raises(SettingsError, match="is not known"):
        local_day(datetime(2026, 11, 22, tzinfo=UTC), "Mars/Olympus")

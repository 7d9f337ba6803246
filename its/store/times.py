"""Clock: UTC inside, plan days and times of day local; what days on which the clock changes make of a period."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from network_data.errors import SettingsError


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name such as `Asia/Seoul`.

    Raises
    ------
    SettingsError
        There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError("time zone", f"{name!r} is not known; give one such as Asia/Seoul or UTC") from None


def local_day(moment: datetime, zone: str) -> date:
    """The local day a moment lies in."""
    return moment.astimezone(zone_of(zone)).date()


def clock_utc(day: date, clock_s: float, zone: str, *, last: bool = False) -> datetime:
    """When the local clock shows a time of day.

    Parameters
    ----------
    day : date
        The local day.
    clock_s : float
        Seconds after midnight as the clock shows them, 86 400 being the next midnight. [s]
    zone : str
        Name of the time zone.
    last : bool
        Where the clock shows the time twice (it was set back), the second time.

    Notes
    -----
    A time that the clock leaps over (it was set forward) is when it would have come had the clock not been changed:
    02:30 is then shown as 03:30.
    """
    whole_days, rest_s = divmod(clock_s, 86_400.0)
    midnight = datetime.combine(day + timedelta(days=int(whole_days)), datetime.min.time())
    wall = (midnight + timedelta(seconds=rest_s)).replace(tzinfo=zone_of(zone), fold=int(last))
    gap = wall.astimezone(UTC).astimezone(wall.tzinfo).replace(tzinfo=None) != wall.replace(tzinfo=None)
    return (wall.replace(fold=0) if gap else wall).astimezone(UTC)


def period_utc(day: date, begin_s: float, end_s: float, zone: str) -> tuple[datetime, datetime]:
    """Begin and end of a local period of a day in UTC; an hour that comes twice belongs to it twice."""
    return clock_utc(day, begin_s, zone), clock_utc(day, end_s, zone, last=True)

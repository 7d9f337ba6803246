"""Types of days: working days, Saturdays, Sundays and holidays; and the local clock of single instants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from network_data.errors import DemandError

APART, TOGETHER = ("weekday", "sat", "sun"), ("weekday", "weekend")
"""Types of days where Saturdays and Sundays have plans of their own, and where they share them."""
SHARE = {"weekday": 5 / 7, "sat": 1 / 7, "sun": 1 / 7, "weekend": 2 / 7}
"""How often a type occurs where nobody counted the calendar. [-]"""


@dataclass(frozen=True, kw_only=True)
class DayTypes:
    """Which type a date has. Holidays are like Sundays; a day without a date is a working day."""

    holidays: frozenset[date] = frozenset()
    together: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All types, working days first."""
        return TOGETHER if self.together else APART

    def of(self, day: date | None) -> str:
        """The type of a day."""
        if day is None:
            return "weekday"
        number = 6 if day in self.holidays else day.weekday()
        if number < 5:
            return "weekday"
        return "weekend" if self.together else APART[number - 4]

    def group(self, days: Sequence[date | None]) -> dict[str, list[int]]:
        """Indices of the days of each type that occurs, in the order of `names`."""
        found = [self.of(day) for day in days]
        return {name: [n for n, one in enumerate(found) if one == name] for name in self.names if name in found}

    def shares(self, present: Iterable[str]) -> dict[str, float]:
        """How often each of some types occurs, adding up to 1. [-]"""
        own = {name: SHARE[name] for name in present}
        total = sum(own.values())
        return {name: share / total for name, share in own.items()}


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name.

    Raises
    ------
    DemandError
        There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise DemandError("time zone", f"{name!r} is no IANA time zone; give one such as Europe/Berlin") from None


def local_clock(when: datetime, zone: str | None) -> tuple[date, float]:
    """Date and second after midnight on the wall clock of an instant.

    Parameters
    ----------
    when : datetime
        With an offset or zone it is moved to `zone`; without one it is taken as the local clock already.
    zone : str or None
        IANA name; None leaves the instant's own clock.

    Notes
    -----
    Switching times of a day plan are times of the wall clock: in the night in which clocks go back the hour that comes
    twice runs the same plans twice, in spring what would switch in the missing hour switches at its end.
    """
    local = when.astimezone(zone_of(zone)) if zone is not None and when.tzinfo is not None else when
    midnight = datetime.combine(local.date(), time())
    return local.date(), (local.replace(tzinfo=None) - midnight).total_seconds()


def clock_change_s(day: date, zone: str) -> float:
    """By how much the clock moves on a day: -3600 where an hour is missing, 3600 where one comes twice, else 0. [s]"""
    here = zone_of(zone)
    first = datetime.combine(day, time(), here)
    last = datetime.combine(day + timedelta(days=1), time(), here)
    return last.timestamp() - first.timestamp() - 86_400.0

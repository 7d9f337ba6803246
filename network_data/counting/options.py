"""Settings of counts: how a table of counts is laid out, and where the limits of the quality check lie."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from network_data.settings_base import Section

Names = Annotated[tuple[str, ...], Field(strict=False)]
TOKEN = re.compile(r"\{(HHMM|HH|H|MM|N1|N)\}")
DAY_S = 86_400


class CountLayout(Section):
    """Which columns of a count table mean what; the defaults are the engine's own layout.

    One row is one interval of one detector, with its begin in `begin_s` (seconds after midnight) or `begin` (date and
    time); or, with `wide`, one row is one day of one detector, with a column per interval.
    """

    detector: str | Names = Field("detector", description="column, or several whose texts make up the name")
    joined_by: str = Field("/", description="between the texts of several columns")
    begin: str | None = Field(None, description="column of date and time; [default: begin, if there is one]")
    end: str | None = Field(None, description="[default: end, if there is one and interval_s is not given]")
    begin_s: str = Field("begin_s", description="column of seconds after midnight")
    end_s: str = "end_s"
    date: str | None = Field(None, description="column of the day, beside begin_s or wide columns")
    time_format: str | None = Field(None, description="of begin, end and date, as strptime has it; [default: ISO 8601]")
    interval_s: float | None = Field(None, gt=0, le=DAY_S, description="where no column tells the end")
    wide: str | None = Field(None, description="names of the interval columns, e.g. h{HH}, q{HHMM}, v{N} (0…), v{N1}")
    veh: str = "veh"
    units: Literal["veh", "veh/h"] = Field("veh", description="what veh holds: vehicles per interval or per hour")
    occupancy: str = "occupancy_pct"
    occupancy_units: Literal["percent", "share"] = "percent"
    speed: str = "speed_mps"
    speed_units: Literal["m/s", "km/h", "mph"] = "m/s"
    lane_columns: dict[str, str] = Field({}, description="one column of counts per lane: column = lane in the name")
    lane_name: str = Field("{detector}.{lane}", description="name of the detector of one lane")
    time_zone: str | None = Field(None, description="of the place, e.g. Europe/Berlin: tells the days of clock change")
    times_in: Literal["local", "utc"] = Field("local", description="clock of times without an offset")
    missing: tuple[float, ...] = Field((), strict=False, description="numbers that mean no count, e.g. -1")
    missing_texts: Names = Field((), description="texts that mean no count, e.g. NA")
    bad_rows: Literal["stop", "refuse"] = Field("stop", description="rows that cannot be read: an error, or left out")
    late_s: float = Field(0.0, ge=0, description="a row is late where it stands so far behind one of its detector")
    late_share: float = Field(0.2, gt=0, le=1, description="more late rows: the file is in no order of time")
    names: dict[str, str] = Field({}, description="name in the counts = name in the detectors file")
    lanes: dict[str, Annotated[int, Field(ge=1, le=20)]] = Field({}, description="lanes under a detector")
    lanes_of_others: int = Field(1, ge=1, le=20)

    @property
    def name_columns(self) -> tuple[str, ...]:
        """Columns that make up a detector's name."""
        return (self.detector,) if isinstance(self.detector, str) else self.detector

    def wide_columns(self) -> list[str]:
        """Names of the interval columns of a day, in order of time."""
        step_s = self.interval_s or 3600.0
        return [self._wide_name(n, n * step_s) for n in range(round(DAY_S / step_s))] if self.wide else []

    def _wide_name(self, n: int, begin_s: float) -> str:
        hour, minute = int(begin_s) // 3600, int(begin_s) % 3600 // 60
        words = {"HH": f"{hour:02d}", "H": f"{hour}", "MM": f"{minute:02d}", "HHMM": f"{hour:02d}{minute:02d}"}
        words |= {"N": f"{n}", "N1": f"{n + 1}"}
        return TOKEN.sub(lambda found: words[found[1]], self.wide or "")

    def faults(self) -> list[str]:
        """What contradicts itself."""
        out = []
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                out.append(f"[counts] time_zone {self.time_zone!r} is unknown; give one such as 'Europe/Berlin'")
        if self.times_in == "utc" and self.time_zone is None:
            out.append("[counts] times_in = 'utc' needs time_zone, to tell the local clock; add it")
        columns = self.wide_columns()
        if len(set(columns)) < len(columns):
            out.append(
                f"[counts] wide = {self.wide!r} gives intervals of {self.interval_s or 3600:g} s the same name; "
                "use {HH}, {HHMM}, {N} or {N1}, and interval_s"
            )
        if columns and DAY_S % (self.interval_s or 3600.0):
            out.append("[counts] interval_s does not divide the day, as wide columns need; mend it")
        if columns and (self.lane_columns or self.begin is not None):
            out.append("[counts] wide does not go with lane_columns or begin; a wide table has a date at most")
        if not self.name_columns:
            out.append("[counts] detector names no column; name one")
        if "{detector}" not in self.lane_name or "{lane}" not in self.lane_name:
            out.append("[counts] lane_name needs {detector} and {lane} in it")
        return out


class QualityLimits(Section):
    """Where counts become suspicious; shares and factors without a unit are [-]."""

    most_vph_per_lane: float = Field(2400.0, gt=0, description="impossible above, for an hour or for minutes")
    clump_veh: float = Field(3.0, ge=0, description="so many more may pass in one short interval of one lane")
    pulse_hz: float = Field(1.0, gt=0, description="a loop that counts a clock gives so many vehicles a second")
    pulse_tolerance: float = Field(0.015, gt=0, lt=0.2)
    pulse_s: float = Field(3600.0, ge=0, description="for at least so long, and three intervals")
    stuck_chance: float = Field(1e-9, gt=0, lt=1, description="stuck if chance would repeat a count so rarely")
    stuck_run: int = Field(4, ge=3, description="and it stands at least so many times in a row")
    stuck_from_veh: float = Field(2.0, ge=1)
    dead_expected_veh: float = Field(60.0, gt=0, description="no vehicle while so many are usual")
    usual_share: float = Field(0.3, gt=0, lt=1, description="usual day of a loop below its best: dead on most days")
    least_vph: float = Field(10.0, ge=0, description="levels of loops with less traffic say nothing")
    level_low: float = Field(0.4, gt=0, lt=1, description="a day below this share of the loop's usual day")
    level_high: float = Field(2.5, gt=1)
    step: float = Field(0.4, gt=0, lt=1, description="lasting change of level from one day to the next")
    step_certainty: float = Field(6.0, gt=0, description="in standard errors")
    step_days: int = Field(3, ge=2, description="least days on either side")
    drift: float = Field(0.15, gt=0, lt=1, description="change over all days")
    drift_certainty: float = Field(4.2, gt=0, description="in standard errors")
    drift_days: int = Field(8, ge=5)
    swap_gain: float = Field(0.5, gt=0, lt=1, description="misfit of two loops when swapped, as a share of as read")
    swap_least_veh: float = Field(100.0, gt=0, description="usual vehicles a day by which the two must differ")
    shift_gain: float = Field(0.25, gt=0, lt=1, description="misfit of a day at another hour, as a share of as read")
    shift_least_veh: float = Field(300.0, gt=0, description="usual vehicles a day of loops whose clock can be judged")
    clock_hour: float = Field(1.6, gt=1, description="the hour that comes twice, as a multiple of the usual one")
    balance: float = Field(0.25, gt=0, lt=1, description="difference of a day's sums up and down a road")
    balance_usual: float = Field(0.15, gt=0, lt=1, description="or its change against the usual difference")
    balance_least_veh: float = Field(100.0, gt=0)
    history_days: int = Field(3, ge=2, description="least days of a kind (working day, Saturday, Sunday) for a history")
    repair: bool = Field(True, description="put stand-ins for what is missing or refused")
    balances: tuple[Balance, ...] = Field((), strict=False)
    neighbours: tuple[Names, ...] = Field((), strict=False, description="loops side by side, beside the network's own")


class Balance(Section):
    """Loops whose sums agree: what passes the ones passes the others."""

    upstream: Names
    downstream: Names


QualityLimits.model_rebuild()

"""`its day`: counts of many days in, day plans out; bad input told, interruption kept short."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from its.day_demand import coarser, usable_days
from its.recognize import load_day, load_network
from its.schedule import load_schedule
from network_data.counting.block import CountBlock
from network_data.counting.counts import CountTable
from network_data.counting.quality import Checked
from network_data.day_types import DayTypes
from network_data.errors import DemandError, PlanError
from network_data.formats.dayplan_json import load_day_document, read_week_plans
from tests.its.jobs import COUNTS, DETECTORS, NETWORK, Job, its, settings_of, strict_json

SETTINGS = """
[counts]
time_zone = "Europe/Berlin"
[day]
library = 1
most_plans = 2
scenarios = 1
holidays = [2026-04-23]
"""


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """An hour and a half of a Wednesday and of a Thursday that is a holiday."""
    folder = tmp_path_factory.mktemp("day")
    asked = ("--begin", "07:00", "--end", "08:30", "--days", "2026-04-22..2026-04-23", "--iterations", "1")
    counted = ("--detectors", DETECTORS, "--counts", COUNTS, "--settings", settings_of(folder, SETTINGS))
    result = its("day", NETWORK, *counted, *asked, "--workers", "1", "--out", folder / "out")
    assert result.exit_code == 0, result.output
    return Job(folder / "out", result)


@pytest.mark.slow
def test_files_and_record(day: Job) -> None:
    """The document, a schedule and a SUMO file for each type, the plans that run, a page, the record."""
    names = {path.relative_to(day.out).as_posix() for path in day.out.rglob("*") if path.is_file()}
    assert {"dayplan.json", "run.json", "report.html"} <= names
    for kind in ("weekday", "sun"):
        assert {f"schedule-{kind}.toml", f"dayplan-{kind}.add.xml"} <= names
    run = day.run
    assert run["types"]["weekday"]["days"] == ["2026-04-22"]
    assert run["types"]["sun"]["days"] == ["2026-04-23"]
    assert len(run["types"]["sun"]["veh_per_interval"]) == 6
    assert sum(row["chosen"] for row in run["weeks"]) == 1
    assert {f"plans/{name.replace(' ', '-')}.json" for name in run["plans_used"]} <= names
    assert run["reproducible"]
    assert "Plans of the day" in day.report
    assert "<script" not in day.report


@pytest.mark.slow
def test_the_week_reads_back_and_knows_the_calendar(day: Job) -> None:
    """The holiday runs as a Sunday, an instant in UTC finds the plan of the local clock; schedules and WAUTs agree."""
    network = load_network(NETWORK)
    week = read_week_plans(day.out / "dayplan.json", network)
    assert week.day(date(2026, 4, 23)) is week.days["sun"]
    assert week.day(date(2026, 4, 25)) is week.days["sun"]
    assert week.day(date(2026, 4, 24)) is week.days["weekday"]
    at = datetime(2026, 4, 22, 5, 30, tzinfo=UTC)  # 07:30 in Berlin
    plan = week.plan_at(at)
    assert plan == week.days["weekday"].plan_at(27_000.0)
    _, scheduled = load_schedule(day.out / "schedule-weekday.toml", network)
    assert {c: p.intervals for c, p in scheduled.plan_at(27_000.0).controllers.items()} == {
        c: p.intervals for c, p in plan.controllers.items()
    }
    if (day.out / "dayplan-weekday.add.xml").read_text(encoding="utf-8").count("<WAUT"):
        from_sumo = load_day(day.out / "dayplan-weekday.add.xml", network)
        assert from_sumo is not None
        assert set(from_sumo.controllers) == set(network.controllers)
    for name in (one.name for one in load_day_document(day.out / "dayplan.json").others):
        assert read_week_plans(day.out / "dayplan.json", network, name).days


@pytest.mark.slow
def test_a_broken_document_is_told(day: Job, tmp_path: Path) -> None:
    """A plan that is not there, a zone that does not exist, another name: all in words."""
    content = json.loads((day.out / "dayplan.json").read_text(encoding="utf-8"))
    network = load_network(NETWORK)
    with pytest.raises(PlanError, match="holds no 'mine'"):
        read_week_plans(day.out / "dayplan.json", network, "mine")
    content["week"]["types"]["weekday"][0]["plan"] = "P99"
    content["time_zone"] = "Berlin"
    path = tmp_path / "dayplan.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_week_plans(path, network)
    assert "P99" in str(caught.value)
    assert "IANA" in str(caught.value)
    path.write_text('{"format": "its-dayplan"}', encoding="utf-8")
    with pytest.raises(PlanError, match="network_hash"):
        read_week_plans(path, network)


def test_bad_input_is_told(tmp_path: Path) -> None:
    """A period that is no multiple, less than an hour, days that are not there, a wrong setting."""
    base = ("day", NETWORK, "--detectors", DETECTORS, "--counts", COUNTS, "--out", tmp_path / "out")
    for more, word in (
        (("--days", "2026-04-22", "--begin", "07:00", "--end", "08:20"), "no multiple"),
        (("--days", "2026-04-22", "--begin", "07:00", "--end", "07:30"), "less than an hour"),
        (("--days", "2027-01-01"), "fits none"),
        (("--settings", settings_of(tmp_path, "[day]\nmost_plan = 3\n")), "most_plans"),
    ):
        found = its(*base, *more)
        assert found.exit_code == 2, found.output
        assert word in found.output
    assert not (tmp_path / "out").exists()


def _checked(days: list[date], veh: np.ndarray) -> Checked:
    block = CountBlock(
        detectors=("d",),
        days=tuple(days),
        begin_s=np.arange(veh.shape[2]) * 3600.0,
        interval_s=3600.0,
        veh=veh.astype(np.float32),
        occupancy_pct=None,
        speed_mps=None,
        row=np.isfinite(veh).astype(np.int32),
        lanes=np.ones(1, np.int64),
    )
    return Checked(block, np.zeros(veh.shape, bool), np.zeros(veh.shape, np.float32), ())


def test_clock_change_days_and_empty_days_stand_for_none() -> None:
    """The Sundays of 23 and 25 hours are left out with the reason, and days without most of their counts."""
    days = [date(2015, 3, 29), date(2015, 10, 25), date(2015, 9, 7), date(2015, 9, 8), date(2015, 9, 13)]
    veh = np.ones((1, 5, 24))
    veh[0, 3, 8:] = np.nan
    groups, notes = usable_days(_checked(days, veh), DayTypes(), "Europe/Berlin", 0.0, 86_400.0)
    assert groups == {"weekday": [2], "sun": [4]}
    assert [word for word in ("23 hours", "25 hours", "33%") if not any(word in note for note in notes)] == []
    # without a zone nobody knows of clock changes
    groups, _ = usable_days(_checked(days, veh), DayTypes(), None, 0.0, 86_400.0)
    assert groups == {"weekday": [2], "sun": [0, 1, 4]}
    with pytest.raises(DemandError, match="no day is left"):
        usable_days(_checked(days[:1], veh[:, :1]), DayTypes(), "Europe/Berlin", 0.0, 86_400.0)


def test_counts_are_added_up_to_longer_intervals() -> None:
    """Three 5-minute counts make a quarter; with one missing the rest stands for it, with two none does."""
    frame = pd.DataFrame(
        {
            "detector": pd.Categorical(["d"] * 9),
            "day": np.full(9, np.datetime64("NaT", "s")),
            "begin_s": 300.0 * np.arange(9),
            "end_s": 300.0 * np.arange(1, 10),
            "veh": [10, 20, 30, 10, np.nan, 30, 5, np.nan, np.nan],
            "occupancy_pct": [1.0, 2, 3, 4, 5, 6, 7, 8, 9],
            "speed_mps": [10.0, 10, 20, 10, np.nan, 10, 10, np.nan, np.nan],
            "repaired": [False] * 9,
        }
    )
    found = coarser(CountTable(frame), 900.0).frame
    assert found["begin_s"].tolist() == [0.0, 900.0, 1800.0]
    assert found["veh"].tolist()[:2] == [60.0, 60.0]
    assert np.isnan(found["veh"].iloc[2])
    assert found["occupancy_pct"].tolist() == [2.0, 5.0, 8.0]
    assert found["speed_mps"].iloc[0] == pytest.approx((10 * 10 + 20 * 10 + 30 * 20) / 60)
    assert found["repaired"].tolist() == [False, True, True]
    same = CountTable(frame)
    assert coarser(same, 300.0) is same


def test_records_are_strict_json() -> None:
    """The helper that reads records refuses NaN."""
    with pytest.raises(AssertionError):
        strict_json('{"a": NaN}')

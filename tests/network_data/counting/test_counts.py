"""Counts: formats by content, odd numbers named by row, days and clock changes."""

import gzip
import time
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from network_data.counting.counts import read_counts, select_days
from network_data.detectors import Detector
from network_data.errors import DemandError

LOOPS = tuple(Detector(id=x, link_id="wi", lane=0, pos_m=5.0, kind="advance") for x in ("a", "b"))
HEAD = "detector,begin_s,end_s,veh"


def write(tmp_path, *rows, head=HEAD):
    """A count file."""
    path = tmp_path / "counts.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def test_formats_are_recognized_by_content(tmp_path):
    """CSV, gzip and parquet under one name give the same table; columns not asked for do no harm."""
    head, rows = f"{HEAD},occupancy_pct,speed_mps,lane", ["a,0,300,5,1.5,,0", "b,0,300,7,2.5,9.1,0"]
    plain = write(tmp_path, *rows, head=head)
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    parquet = tmp_path / "parquet"
    pd.read_csv(plain).to_parquet(parquet)
    tables = [read_counts(path, LOOPS).frame for path in (plain, packed, parquet)]
    assert tables[0]["veh"].tolist() == [5, 7]
    assert np.isnan(tables[0]["speed_mps"][0])
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_parquet_may_hold_timestamps(tmp_path, zone):
    """Times as timestamps, with a time zone or without, are the local clock; detectors may be categories."""
    path = tmp_path / "counts.parquet"
    begin = pd.date_range("2024-09-02T07:00", periods=3, freq="5min", tz=zone)
    frame = pd.DataFrame({"detector": pd.Categorical(["a"] * 3), "begin": begin, "end": begin + pd.Timedelta("5min")})
    frame.assign(veh=np.array([1, 2, 3], dtype=np.uint16)).to_parquet(path)
    table = read_counts(path, LOOPS)
    assert table.frame["begin_s"].tolist() == [25200, 25500, 25800]
    assert table.frame["veh"].tolist() == [1, 2, 3]
    assert table.interval_s == 300


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"PAR1nonsense", b"detector,begin_s,end_s,veh\n\xff,0,1,2\n"]
)
def test_files_of_another_kind_are_refused(tmp_path, content):
    """Empty, binary, damaged and wrongly encoded files end in an error, not in a traceback."""
    path = tmp_path / "counts.csv"
    path.write_bytes(content)
    with pytest.raises(DemandError):
        read_counts(path, LOOPS)


def test_impossible_numbers_are_kept_for_the_check_and_named(tmp_path):
    """nan and inf count as missing, -3 and 1e9 are left to the quality check; the notes name their rows."""
    table = read_counts(
        write(tmp_path, "a,0,300,5", "a,300,600,nan", "a,600,900,-3", "a,900,1200,1e9", "a,1200,1500,inf"), LOOPS
    )
    assert np.array_equal(table.frame["veh"], [5, np.nan, -3, 1e9, np.nan], equal_nan=True)
    notes = "\n".join(table.notes)
    assert "nan or inf in rows 3, 6" in notes
    assert "negative in rows 4" in notes
    assert "more than one vehicle a second and lane in rows 5" in notes


def test_unreadable_rows_are_all_named(tmp_path):
    """Full-width digits, text, missing fields and intervals that end before they begin: one error, in order of rows."""
    path = write(tmp_path, "a,0,300,\uff11\uff12", "", "a,300,600", "a,x,900,3", "a,900,600,3", "a,1200,1500,many")
    with pytest.raises(DemandError) as caught:
        read_counts(path, LOOPS)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [f"row {n}" for n in (2, 4, 5, 6, 7)]


def test_long_lists_of_faults_are_cut(tmp_path):
    """Twenty faults are listed, the rest counted."""
    path = write(tmp_path, *[f"a,{300 * k},{300 * k + 300},x" for k in range(50)])
    with pytest.raises(DemandError) as caught:
        read_counts(path, LOOPS)
    assert len(caught.value.faults) == 21
    assert "and 30 more" in caught.value.faults[-1]


def test_rows_of_unknown_detectors_are_said(tmp_path):
    """They are not used and not hidden; if nothing is left, that is an error."""
    table = read_counts(write(tmp_path, "a,0,300,5", "zz,0,300,5"), LOOPS)
    assert table.notes[0] == "2 rows read, 1 used, 1 not used (1 of unknown detectors)"
    assert any("1 rows of 1 unknown detectors" in note for note in table.notes)
    assert any("1 detectors have no counts: 'b'" in note for note in table.notes)
    with pytest.raises(DemandError, match="names must be equal"):
        read_counts(write(tmp_path, "zz,0,300,5"), LOOPS)


def iso_rows(first, n, *, offset="", step=timedelta(minutes=30)):
    """Rows in local time for loop a."""
    times = [datetime.fromisoformat(first) + step * k for k in range(n)]
    return [f"a,{t.isoformat()}{offset},{(t + step).isoformat()}{offset},1" for t in times]


def test_hour_that_comes_twice_is_dropped_by_offset(tmp_path):
    """When clocks go back, both passes of the hour go, and the notes say so."""
    rows = iso_rows("2024-10-27T00:00:00", 6, offset="+02:00") + iso_rows("2024-10-27T02:00:00", 4, offset="+01:00")
    table = read_counts(write(tmp_path, *rows, head="detector,begin,end,veh"), LOOPS)
    assert table.frame["begin_s"].tolist() == [0, 1800, 3600, 5400, 10800, 12600]
    assert any("2024-10-27: clocks go back" in note for note in table.notes)


def test_hour_that_comes_twice_is_dropped_without_offset(tmp_path):
    """Without offsets it shows as one hour of a day in which everything is there twice."""
    rows = iso_rows("2024-10-27T00:00:00", 6) + iso_rows("2024-10-27T02:00:00", 4)
    table = read_counts(write(tmp_path, *rows, head="detector,begin,end,veh"), LOOPS)
    assert table.frame["begin_s"].tolist() == [0, 1800, 3600, 5400, 10800, 12600]
    assert any("comes twice" in note for note in table.notes)


def test_missing_hour_is_said_and_its_neighbour_keeps_its_length(tmp_path):
    """When clocks go forward the interval across the change is as long as it really was."""
    rows = [
        "a,2024-03-31T01:30:00+01:00,2024-03-31T03:00:00+02:00,4",
        *iso_rows("2024-03-31T03:00:00", 3, offset="+02:00"),
    ]
    table = read_counts(write(tmp_path, *rows, head="detector,begin,end,veh"), LOOPS)
    assert table.frame["end_s"].tolist()[0] == 7200
    assert any("clocks go forward; there is an hour missing" in note for note in table.notes)


def test_days_are_chosen_by_word_and_date(tmp_path):
    """Weekdays by default; words, single dates and ranges; a word nobody knows is an error."""
    rows = [row for day in range(9, 16) for row in iso_rows(f"2024-09-{day:02d}T08:00:00", 2)]
    counts = read_counts(write(tmp_path, *rows, head="detector,begin,end,veh"), LOOPS)
    assert len(select_days(counts, None)) == 5
    assert [label for label, _ in select_days(counts, "sat")] == ["2024-09-14"]
    assert len(select_days(counts, "all")) == 7
    assert [label for label, _ in select_days(counts, "2024-09-10..2024-09-11")] == ["2024-09-10", "2024-09-11"]
    assert select_days(counts, "sun")[0][1].frame["veh"].tolist() == [1, 1]
    with pytest.raises(DemandError, match="use weekday, sat, sun, all"):
        select_days(counts, "monday")
    with pytest.raises(DemandError, match="fits none of the 7 counted days"):
        select_days(counts, "2023-01-01")


def test_a_day_without_date_stands_alone(tmp_path):
    """Undated counts are one day, whatever word is asked for; a date cannot be."""
    counts = read_counts(write(tmp_path, "a,0,300,5"), LOOPS)
    assert [label for label, _ in select_days(counts, "weekday")] == [""]
    with pytest.raises(DemandError, match="carry no date"):
        select_days(counts, "2024-05-01")


def test_reading_is_fast(tmp_path):
    """200,000 dated rows take well under the five seconds allowed here (about half a second on one core)."""
    first = datetime(2024, 9, 2)
    times = [(first + timedelta(seconds=300 * k)).isoformat() for k in range(2001)]
    rows = [f"{'ab'[d % 2]}{'' if d < 2 else d},{times[k]},{times[k + 1]},7" for k in range(2000) for d in range(100)]
    loops = tuple(
        Detector(id=f"{'ab'[d % 2]}{'' if d < 2 else d}", link_id="l", lane=0, pos_m=0, kind="mid") for d in range(100)
    )
    path = write(tmp_path, *rows, head="detector,begin,end,veh")
    start = time.perf_counter()
    table = read_counts(path, loops)
    assert time.perf_counter() - start < 5
    assert len(table.frame) == 200_000

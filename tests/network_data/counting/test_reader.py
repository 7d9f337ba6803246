"""Count tables of any layout, told by settings: columns, units, clocks, wide tables, lanes; every row accounted for."""

import re
import tomllib
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from network_data.counting.options import CountLayout
from network_data.counting.reader import read_block
from network_data.errors import DemandError, SettingsError
from network_data.settings import settings_from
from tests.packs import data_pack


def write(tmp_path, *rows, name="counts.csv"):
    """A text file of these lines."""
    path = tmp_path / name
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")
    return path


def test_a_column_per_hour(tmp_path):
    """A wide table has a row per day and detector; blanks are missing counts of a row that is there."""
    head = "date,name," + ",".join(f"h{k:02d}" for k in range(24))
    path = write(tmp_path, head, "2015-01-01,a," + ",".join(map(str, range(24))), "2015-01-02,a," + "," * 23)
    block = read_block([path], CountLayout(detector="name", date="date", wide="h{HH}"))
    assert block.veh.shape == (1, 2, 24)
    assert block.veh[0, 0].tolist() == list(range(24))
    assert np.isnan(block.veh[0, 1]).all()
    assert block.row[0, 1, 0] == 3
    assert block.tally.text == "2 rows read, 2 used, 0 not used"


@pytest.mark.parametrize(
    ("wide", "interval_s", "first"),
    [("q{HHMM}", 900.0, ["q0000", "q0015"]), ("v{N}", 3600.0, ["v0", "v1"]), ("v{N1}", 3600.0, ["v1", "v2"])],
)
def test_names_of_wide_columns(wide, interval_s, first):
    """Hours, minutes and numbers name the columns of a day."""
    assert CountLayout(wide=wide, interval_s=interval_s).wide_columns()[:2] == first


def test_units_and_names(tmp_path):
    """Vehicles per hour, km/h and shares become vehicles, m/s and per cent; names may be joined or changed."""
    path = write(tmp_path, "sig;ch;time;q;v;o", "S1;4;14.05.2024 07:00;120;36;0.25", "S1;5;14.05.2024 07:00;60;;")
    layout = CountLayout(
        detector=("sig", "ch"),
        begin="time",
        time_format="%d.%m.%Y %H:%M",
        interval_s=300,
        veh="q",
        units="veh/h",
        speed="v",
        speed_units="km/h",
        occupancy="o",
        occupancy_units="share",
        names={"S1/5": "loop5"},
    )
    block = read_block([path], layout)
    assert block.detectors == ("S1/4", "loop5")
    assert block.days == (date(2024, 5, 14),)
    assert block.veh[:, 0, 0].tolist() == [10, 5]
    assert block.speed_mps[0, 0, 0] == pytest.approx(10)
    assert block.occupancy_pct[0, 0, 0] == 25
    assert block.interval_s == 300


def test_a_column_per_lane(tmp_path):
    """Each lane's column becomes a detector of its own."""
    path = write(tmp_path, "detector,begin_s,end_s,q1,q2", "a,0,300,5,7", "b,0,300,1,2")
    block = read_block([path], CountLayout(lane_columns={"q1": "1", "q2": "2"}))
    assert dict(zip(block.detectors, block.veh[:, 0, 0].tolist(), strict=True)) == {
        "a.1": 5, "b.1": 1, "a.2": 7, "b.2": 2,
    }  # fmt: skip
    assert block.tally.used == 2


def test_times_in_utc_go_on_the_clock_of_the_place(tmp_path):
    """22:30 UTC on the last day of April is 00:30 on the first of May in Berlin."""
    path = write(tmp_path, "detector,begin,end,veh", "a,2024-04-30T22:30:00,2024-04-30T23:00:00,4")
    block = read_block([path], CountLayout(times_in="utc", time_zone="Europe/Berlin"))
    assert block.days == (date(2024, 5, 1),)
    assert block.begin_s.tolist() == [1800]
    aware = write(tmp_path, "detector,begin,end,veh", "a,2024-04-30T22:30:00Z,2024-04-30T23:00:00Z,4")
    assert read_block([aware], CountLayout(time_zone="Europe/Berlin")).begin_s.tolist() == [1800]


def test_numbers_and_texts_that_mean_missing(tmp_path):
    """-1 and NA are missing where the settings say so."""
    path = write(tmp_path, "detector,begin_s,end_s,veh", "a,0,300,-1", "a,300,600,NA", "a,600,900,3")
    block = read_block([path], CountLayout(missing=(-1.0,), missing_texts=("NA",)))
    assert np.isnan(block.veh[0, 0, :2]).all()
    assert block.veh[0, 0, 2] == 3


def test_bad_rows_stop_the_run_or_are_refused(tmp_path):
    """By default all bad rows are named in one error; refused, they are counted and named in a note."""
    path = write(tmp_path, "detector,begin_s,end_s,veh", "a,0,300,many", "a,300,600,5", "\x07,0,300,1", "a,900,600,1")
    with pytest.raises(DemandError) as caught:
        read_block([path])
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["row 2", "row 4", "row 5"]
    block = read_block([path], CountLayout(bad_rows="refuse"))
    assert block.tally.text == "4 rows read, 1 used, 3 not used (3 unreadable)"
    assert any("'many'" in note for note in block.notes)


def test_doubles_and_late_rows_are_found(tmp_path):
    """The last of double rows counts; rows behind later ones of their detector are late; both name their rows."""
    rows = [f"{d},{300 * k},{300 * k + 300},{k}" for k in range(20) for d in "ab"]
    late = rows.pop(4)
    path = write(tmp_path, "detector,begin_s,end_s,veh", *rows[:30], late, *rows[30:], "b,5700,6000,99")
    block = read_block([path])
    found = {(one.code, block.detectors[one.detector]): one for one in block.found}
    assert set(found) == {("late", "a"), ("duplicate", "b")}
    assert found["late", "a"].rows == (32,)
    assert "different counts" in found["duplicate", "b"].text
    assert block.veh[block.detectors.index("b"), 0, 19] == 99
    assert block.tally.refused["there twice"] == 1


def test_files_one_below_the_other(tmp_path):
    """Several files of one layout make one block; places name the file."""
    one = write(tmp_path, "detector,begin_s,end_s,veh", "a,0,300,1", name="one.csv")
    two = write(tmp_path, "detector,begin_s,end_s,veh", "a,300,600,2", "a,600,900,3", name="two.csv")
    block = read_block([one, two])
    assert block.veh[0, 0].tolist() == [1, 2, 3]
    assert [block.place(int(row)) for row in block.row[0, 0]] == ["one.csv row 2", "two.csv row 2", "two.csv row 3"]


def test_names_written_for_spreadsheets_come_back(tmp_path):
    """The apostrophe before a formula start belongs to the cell, not to the name."""
    path = write(tmp_path, "detector,begin_s,end_s,veh", "'-12.0.s,0,300,1")
    assert read_block([path]).detectors == ("-12.0.s",)


def test_parquet_in_pieces(tmp_path, monkeypatch):
    """A file read in pieces is the same as read at once; row groups beyond the limit and nested columns are refused."""
    frame = pd.DataFrame({"detector": ["a", "b"] * 50, "begin_s": np.repeat(np.arange(50) * 300, 2), "veh": range(100)})
    path = tmp_path / "counts.parquet"
    frame.to_parquet(path)
    whole = read_block([path], CountLayout(interval_s=300))
    monkeypatch.setattr("network_data.tables.BATCH_ROWS", 7)
    pieces = read_block([path], CountLayout(interval_s=300))
    assert np.array_equal(whole.veh, pieces.veh)
    assert np.array_equal(whole.row, pieces.row)
    monkeypatch.setattr("network_data.tables.MAX_ROWS", 99)
    with pytest.raises(DemandError, match="has 100 rows, more than 99"):
        read_block([path], CountLayout(interval_s=300))
    pq.write_table(pa.table({"detector": ["a"], "begin_s": [0], "veh": [[1, 2]]}), path)
    with pytest.raises(DemandError, match="column 'veh' holds"):
        read_block([path], CountLayout(interval_s=300))


def test_columns_of_odd_types_end_in_an_error(tmp_path):
    """Bytes that are no text and other types of parquet say so; huge integers are numbers, for the check to refuse."""
    path = tmp_path / "counts.parquet"
    pq.write_table(pa.table({"detector": pa.array([b"\xff"], pa.binary()), "begin_s": [0], "veh": [1]}), path)
    with pytest.raises(DemandError, match="neither text nor numbers"):
        read_block([path], CountLayout(interval_s=300))
    pq.write_table(pa.table({"detector": ["a"], "begin_s": [0], "veh": [2**62]}), path)
    assert read_block([path], CountLayout(interval_s=300)).veh[0, 0, 0] == 2**62


def test_too_many_begins_are_refused(tmp_path, monkeypatch):
    """Rows that would spread over more cells than a block may have end in an error, not in memory."""
    path = write(tmp_path, "detector,begin_s,end_s,veh", *[f"d{k},{k},{k + 300},1" for k in range(50)])
    monkeypatch.setattr("network_data.counting.blocks.MAX_CELLS", 1000)
    with pytest.raises(DemandError, match="more than 1,000 counts"):
        read_block([path])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"time_zone": "Mars/Base"}, "time_zone 'Mars/Base' is unknown"),
        ({"times_in": "utc"}, "needs time_zone"),
        ({"wide": "h"}, "the same name"),
        ({"wide": "h{HH}", "begin": "t"}, "wide does not go with"),
        ({"dtector": "x"}, "did you mean"),
    ],
)
def test_layouts_that_contradict_themselves(table, says):
    """The settings say what is wrong with a layout, and how to mend it."""
    with pytest.raises(SettingsError, match=re.escape(says)):
        settings_from({"counts": table}, "x.toml")


def test_the_tables_of_the_data_pack_are_read_by_settings_alone():
    """Münster's hours and Oregon's quarters come out with the totals of their publishers."""
    muenster = tomllib.loads('[counts]\ndate = "date"\nwide = "h{HH}"\ntime_zone = "Europe/Berlin"')
    folder = data_pack()
    layout = settings_from(muenster, "x").counts
    block = read_block([folder / "muenster_loops" / "loop_counts_hourly_2015.csv.gz"], layout)
    assert (len(block.detectors), len(block.days), block.tally.read) == (664, 359, 218126)
    assert int((block.veh < 0).sum()) == 86
    oregon = '[counts]\ndetector = ["signal", "detector"]\nbegin = "time"\ninterval_s = 900\nveh = "actuations"'
    layout = settings_from(tomllib.loads(oregon), "x").counts
    block = read_block([folder / "odot_detectors_15min" / "detector_actuations_15min.parquet"], layout)
    assert (len(block.detectors), len(block.days), block.tally.used) == (185, 21, 321097)
    assert round(100 * (block.veh == 0).sum() / block.tally.used, 1) == 17.5

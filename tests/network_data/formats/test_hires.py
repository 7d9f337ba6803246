"""High-resolution events: phases, cycles, arrivals, against figures done by hand and those of the data's README."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from network_data.errors import DemandError
from network_data.formats.hires import Code, Events, greens, read_events
from network_data.formats.hires_measures import (
    Channel,
    cycle_of,
    detector_counts,
    phase_order,
    phase_summaries,
    read_channels,
)
from tests.packs import data_pack


@cache
def odot() -> Events:
    """Two hours of one signal."""
    return read_events(data_pack() / "odot_hires" / "events.parquet")


def write(path: Path, rows: list[tuple[float, int, int]], device: str = "7") -> Path:
    """Events as a CSV; seconds after noon."""
    lines = ["TimeStamp,DeviceId,EventId,Parameter"]
    for t, code, parameter in rows:
        stamp = pd.Timestamp("2024-04-15 12:00") + pd.Timedelta(milliseconds=round(1000 * t))
        lines.append(f"{stamp.isoformat(timespec='milliseconds')},{device},{code},{parameter}")
    path.write_text("\n".join(lines))
    return path


def two_cycles() -> list[tuple[float, int, int]]:
    """Phases 2 and 4 in cycles of 60 s; 20 s after the master's zero comes the local one."""
    rows = []
    for n in range(4):
        z = 60.0 * n
        rows += [(z, 150, 7), (z + 20, 150, 5)]
        rows += [(z + 20, 1, 2), (z + 45, 6, 2), (z + 45, 7, 2), (z + 48, 9, 2), (z + 48, 10, 2), (z + 50, 11, 2)]
        rows += [(z + 50, 1, 4), (z + 57, 4, 4), (z + 57, 7, 4), (z + 60.5, 9, 4), (z + 60.5, 10, 4), (z + 62, 11, 4)]
        rows += [(z + 10, 82, 9), (z + 11, 81, 9), (z + 30, 82, 9), (z + 33, 81, 9), (z + 40, 82, 9), (z + 41, 81, 9)]
    return sorted(rows)


def test_greens_by_hand(tmp_path: Path) -> None:
    """Green, yellow, red clearance and what ended each green."""
    read = greens(read_events(write(tmp_path / "e.csv", two_cycles())))
    noon = 43_200.0
    first, second = read[0], read[1]
    assert (first.phase, first.begin_s - noon, first.green_s, first.split_s, first.ended_by) == (
        2,
        20,
        25,
        30,
        "force-off",
    )
    assert (second.phase, second.green_s, second.ended_by) == (4, 7, "gap")
    assert second.yellow_end_s - second.end_s == pytest.approx(3.5)
    assert second.red_end_s - second.yellow_end_s == pytest.approx(1.5)


def test_cycle_order_and_offset_by_hand(tmp_path: Path) -> None:
    """Cycle 60 s, local zero 20 s after the master's, phase 2 before phase 4."""
    events = read_events(write(tmp_path / "e.csv", two_cycles()))
    cycle = cycle_of(events)
    assert cycle is not None
    assert (cycle.cycle_s, cycle.share, cycle.offset_s) == (60.0, 1.0, 20.0)
    assert phase_order(events) == [((2, 4), 3)]


def test_counts_and_occupancy_by_hand(tmp_path: Path) -> None:
    """Three actuations a minute, on for 1, 3 and 1 s of 60; a minute that is covered in part is left out."""
    frame = detector_counts(read_events(write(tmp_path / "e.csv", two_cycles())), 60.0)
    assert frame["detector"].unique().tolist() == ["7/9"]
    assert frame["begin_s"].tolist() == [43_200, 43_260, 43_320, 43_380]
    assert frame["veh"].tolist() == [3, 3, 3, 3]
    assert frame["occupancy_pct"].tolist() == [8.33] * 4


def test_arrivals_on_green_by_hand(tmp_path: Path) -> None:
    """Of three arrivals per cycle at 10, 30 and 40 s two fall into green (20 to 45 s); time of travel moves them."""
    events = read_events(write(tmp_path / "e.csv", two_cycles()))
    channel = Channel(channel=9, phase=2, function="advance")
    (two, four) = phase_summaries(events, [channel])
    assert (two.arrivals, two.on_green, four.on_green) == (12, pytest.approx(2 / 3, abs=1e-4), None)
    # 20, 40 and 50 s: the first comes as green begins, the last when it is over; with 20 s only one is left
    assert phase_summaries(events, [channel], travel_s={9: 10.0})[0].on_green == pytest.approx(2 / 3, abs=1e-4)
    assert phase_summaries(events, [channel], travel_s={9: 20.0})[0].on_green == pytest.approx(1 / 3, abs=1e-4)


def test_readme_figures() -> None:
    """37,152 events of device 1136 from 12:00 to 14:00; phases 2, 5, 6, 8 with 81, 91, 98, 81 greens."""
    events = odot()
    assert (len(events) + sum(int(n.split()[0]) for n in events.notes if "twice" in n), events.device) == (
        37_152,
        "1136",
    )
    assert events.phases == [2, 5, 6, 8]
    assert [len(events.of(Code.GREEN_BEGIN, phase)) for phase in events.phases] == [81, 91, 98, 81]
    begin_s, end_s = events.period_s
    assert begin_s == 12 * 3600
    assert 14 * 3600 - 5 < end_s < 14 * 3600


def test_cycle_has_to_be_inferred() -> None:
    """No pattern change in the log; the master's zero comes every 75 s, the local one 45 s later."""
    events = odot()
    assert len(events.of(Code.PATTERN)) == 0
    cycle = cycle_of(events)
    assert cycle is not None
    assert (cycle.cycle_s, cycle.share, cycle.offset_s) == (75.0, 1.0, 45.0)


def test_force_offs_alone_tell_the_cycle() -> None:
    """Without the coordination states the same 75 s come out of when force-offs fall."""
    events = odot()
    keep = events.code != Code.COORDINATION
    bare = Events(
        device=events.device, date=events.date, time_s=events.time_s[keep], code=events.code[keep],
        parameter=events.parameter[keep],
    )  # fmt: skip
    cycle = cycle_of(bare)
    assert cycle is not None
    assert (cycle.cycle_s, cycle.source) == (75.0, "force-offs")


def test_real_phases_make_sense() -> None:
    """Yellow of 4 s, a reason for the end of each green, and a share on green for every phase."""
    channels = read_channels(data_pack() / "odot_hires" / "detector_config.csv", device="1136")
    rows = {s.phase: s for s in phase_summaries(odot(), channels)}
    assert all(s.yellow_s == pytest.approx(4.0, abs=0.05) for s in rows.values())
    assert all(0 < (s.on_green or 0) < 1 for s in rows.values())
    assert {c.function for c in channels} == {"advance", "presence", "yellow red", "stop bar count"}
    # phase 2 was green before the log begins, so that one of its 80 ends has no begin; some run on at the log's end
    assert [sum(s.ended.values()) for _, s in sorted(rows.items())] == [79, 90, 97, 81]
    assert rows[8].ended["gap"] > rows[8].ended.get("force-off", 0)


def test_counts_of_the_log() -> None:
    """Every on-event of the two hours is in one of the eight quarters; occupancies are percentages."""
    frame = detector_counts(odot(), 900.0)
    assert frame["begin_s"].nunique() == 8
    on = odot().of(Code.DETECTOR_ON)
    last_s = frame["end_s"].max()
    assert frame["veh"].sum() == int(np.sum(on < last_s))
    assert frame["occupancy_pct"].between(0, 100).all()


def test_faults_come_with_their_rows(tmp_path: Path) -> None:
    """Times and codes that are none, several devices, missing columns."""
    path = tmp_path / "e.csv"
    path.write_text(
        "TimeStamp,DeviceId,EventId,Parameter\n2024-04-15T12:00:00,1,1,2\nsoon,1,1,2\n2024-04-15T12:00:01,2,one,2\n"
        "2024-04-15T12:00:01,2,1,-4\n"
    )
    with pytest.raises(DemandError) as error:
        read_events(path)
    for words in ("row 3: TimeStamp", "row 4: EventId", "row 5: Parameter", "holds 2 devices"):
        assert words in str(error.value)
    path.write_text("when,what\n1,2\n")
    with pytest.raises(DemandError, match="lacks the columns"):
        read_events(path)


def test_a_log_that_spans_centuries_is_refused(tmp_path: Path) -> None:
    """One wrong year would make a table of all intervals since then; it is refused before it is made."""
    path = write(tmp_path / "e.csv", two_cycles())
    text = path.read_text().replace("2024-04-15T12:00:10", "1700-04-15T12:00:10", 1)
    path.write_text(text)
    with pytest.raises(DemandError, match=r"span \d+ intervals of 900 s at 1 channels, more than 4,000,000"):
        detector_counts(read_events(path))

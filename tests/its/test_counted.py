"""Counts of any layout reach the jobs, and what became of them is said."""

import pandas as pd
import pytest

from its.counted import load_counts
from its.recognize import load_network
from network_data.detectors import read_detectors
from network_data.errors import DemandError
from network_data.settings import Settings, settings_from
from tests.packs import ROOT

DISTRICT = ROOT / "examples" / "district"
LAYOUT = {
    "detector": "Schleife",
    "begin": "Zeit",
    "time_format": "%d.%m.%Y %H:%M",
    "interval_s": 300.0,
    "veh": "Menge",
    "units": "veh/h",
}


@pytest.fixture(scope="module")
def district():
    """Network and detectors of the bundled example."""
    network = load_network(DISTRICT / "network.net.xml.gz")
    return network, read_detectors(DISTRICT / "detectors.csv", network)


def test_a_table_of_another_layout_is_the_same_counts(district, tmp_path):
    """German columns, times and flows per hour, told by settings, give what the engine's own layout gives."""
    network, loops = district
    frame = pd.read_parquet(DISTRICT / "counts.parquet")
    begin = pd.to_datetime(frame["begin"].astype(str))
    odd = pd.DataFrame({"Schleife": frame["detector"], "Zeit": begin.dt.strftime("%d.%m.%Y %H:%M")})
    path = tmp_path / "odd.csv"
    odd.assign(Menge=12 * frame["veh"]).to_csv(path, sep=";", index=False)
    own = load_counts(DISTRICT / "counts.parquet", loops, network, "weekday", Settings())
    told = load_counts(path, loops, network, "weekday", settings_from({"counts": LAYOUT}, "x"))
    assert told.labels == own.labels
    pd.testing.assert_series_equal(told.table(3).frame["veh"], own.table(3).frame["veh"])
    assert own.span_s == (0.0, 86_400.0)


def test_of_a_large_day_only_the_hours_around_the_period_are_handed_on(district, monkeypatch):
    """Two hours before and after it; small days come whole."""
    network, loops = district
    counted = load_counts(DISTRICT / "counts.parquet", loops, network, "2026-04-15", Settings())
    assert len(counted.table(0, 27_000, 30_600).frame) == 92 * 288
    monkeypatch.setattr("its.counted.LARGE_CELLS", 1000)
    frame = counted.table(0, 27_000, 30_600).frame
    assert (frame["begin_s"].min(), frame["end_s"].max()) == (19_800, 37_800)
    assert len(frame) == 92 * 60


def test_what_became_of_the_rows_is_said(district):
    """Rows read and used, counts repaired and missing, and faults by detector day: in words and for run.json."""
    network, loops = district
    counted = load_counts(DISTRICT / "counts.parquet", loops, network, "weekday", Settings())
    record = counted.record
    assert (record["rows_read"], record["rows_used"], record["rows_refused"]) == (369504, 369504, {})
    assert record["counts_repaired"] == counted.checked.n_repaired > 5000
    assert record["detector_days_by_fault"]["pulse"] == 1
    assert counted.notes[0].startswith("369504 rows read, 369504 used, 0 not used; of the selected days")
    assert any(note.startswith("counts drift: ") for note in counted.notes)


def test_the_error_points_to_the_settings(district, tmp_path):
    """A table that cannot be read as it is says where its layout can be told."""
    network, loops = district
    path = tmp_path / "odd.csv"
    path.write_text("Schleife;Menge\na;1\n")
    with pytest.raises(DemandError, match=r"lacks the columns detector.*\[counts\] of the settings"):
        load_counts(path, loops, network, "all", Settings())

"""Each rule of the quality check finds its fault, leaves sound counts alone, and repairs come close to the truth."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from network_data.counting.counts import CountTable, read_counts, select_days
from network_data.counting.quality import check_counts, prepare_days
from network_data.detectors import Detector, read_detectors
from network_data.formats.sumo_net import read_sumo_net
from tests.network_data.crossroads import crossroads
from tests.packs import ROOT

NETWORK = crossroads()
LINKS = ("wi", "ei", "ni", "si", "wo", "eo")
LOOPS = tuple(Detector(id=link, link_id=link, lane=0, pos_m=98.0, kind="stopbar") for link in LINKS)
N_DAY, N_INTERVAL = 12, 288


@pytest.fixture
def truth():
    """Sound counts (loops, days, intervals) of twelve weekdays: a day's shape, days that differ, chance."""
    rng = np.random.default_rng(3)
    hour = np.arange(N_INTERVAL) / 12
    shape = 0.08 + np.exp(-(((hour - 8) / 2.5) ** 2)) + np.exp(-(((hour - 17) / 3) ** 2))
    level = np.array([30, 20, 14, 10, 25, 18.0])
    busy = rng.normal(1, 0.05, N_DAY)
    return rng.poisson(level[:, None, None] * busy[None, :, None] * shape[None, None, :]).astype(float)


def tables(veh):
    """Counts as tables of single days, Mondays to Fridays only."""
    days, day = [], date(2024, 9, 2)
    while len(days) < veh.shape[1]:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    begin_s = 300.0 * np.arange(veh.shape[2])
    out = []
    for n, day in enumerate(days):
        frame = pd.DataFrame(
            {
                "detector": pd.Categorical(np.repeat(LINKS, veh.shape[2])),
                "day": np.datetime64(day.isoformat(), "s"),
                "begin_s": np.tile(begin_s, len(LINKS)),
                "end_s": np.tile(begin_s + 300, len(LINKS)),
                "veh": veh[:, n].ravel(),
                "occupancy_pct": np.nan,
                "speed_mps": np.nan,
            }
        )
        out.append((day.isoformat(), CountTable(frame)))
    return out


def test_sound_counts_get_no_verdict(truth):
    """No rule fires on sound counts, and they come back as they were."""
    repaired, verdicts = prepare_days(tables(truth), LOOPS, NETWORK)
    assert verdicts == ()
    assert not any(table.frame["repaired"].any() for _, table in repaired)
    assert repaired[0][1].frame["veh"].sum() == truth[:, 0].sum()


FAULTS = {
    "missing": lambda veh: veh.__setitem__((0, 4, slice(90, 110)), np.nan),
    "negative": lambda veh: veh.__setitem__((0, 4, slice(90, 93)), -7),
    "impossible": lambda veh: veh.__setitem__((0, 4, slice(90, 100)), 300),
    "stuck": lambda veh: veh.__setitem__((0, 4, slice(90, 130)), 21),
    "dead": lambda veh: veh.__setitem__((0, 4, slice(90, 130)), 0),
    "level": lambda veh: veh.__setitem__((0, 4), np.round(0.2 * veh[0, 4])),
}


@pytest.mark.parametrize("code", FAULTS)
def test_fault_is_found_and_repaired(truth, code):
    """The verdict names rule, loop, day and place, and what stands in is within a fifth of the truth."""
    veh = truth.copy()
    FAULTS[code](veh)
    repaired, verdicts = prepare_days(tables(veh), LOOPS, NETWORK)
    (verdict,) = [v for v in verdicts if v.detector == "wi"]
    assert (verdict.code, verdict.day) == (code, date(2024, 9, 6))
    assert verdict.n_repaired == verdict.n_interval
    changed = np.flatnonzero(~(veh[0, 4] == truth[0, 4]))
    frame = repaired[4][1].frame
    got = frame[frame["detector"] == "wi"]["veh"].to_numpy()[changed].sum()
    assert got == pytest.approx(truth[0, 4, changed].sum(), rel=0.2)
    assert len(verdicts) == 1


def test_drift_is_found_and_undone(truth):
    """A loop that loses 40 % over twelve days is brought back to its first days' level."""
    veh = truth.copy()
    veh[0] = np.round(veh[0] * (1 - 0.4 * np.arange(N_DAY) / (N_DAY - 1))[:, None])
    repaired, verdicts = prepare_days(tables(veh), LOOPS, NETWORK)
    assert {(v.detector, v.code) for v in verdicts} == {("wi", "drift")}
    frame = repaired[-1][1].frame
    assert frame[frame["detector"] == "wi"]["veh"].sum() == pytest.approx(truth[0, -1].sum(), rel=0.1)


def test_swapped_lanes_are_found_and_swapped_back(truth):
    """Two loops side by side that trade places for some days get their own counts back."""
    loops = (LOOPS[0], Detector(id="ei", link_id="wi", lane=1, pos_m=98.0, kind="stopbar"), *LOOPS[2:])
    veh = truth.copy()
    veh[[0, 1], 5:8] = veh[[1, 0], 5:8]
    repaired, verdicts = prepare_days(tables(veh), loops, NETWORK)
    assert {(v.detector, v.code) for v in verdicts} == {("wi", "swapped"), ("ei", "swapped")}
    assert len(verdicts) == 6
    frame = repaired[6][1].frame
    assert frame[frame["detector"] == "wi"]["veh"].sum() == truth[0, 6].sum()


def test_one_day_alone_is_checked_too(truth):
    """Rules that need no other day work on one; a short gap is bridged, a long one stays missing."""
    veh = truth[:, :1].copy()
    veh[0, 0, 100:102] = np.nan
    veh[1, 0, 100:140] = np.nan
    veh[2, 0, 50] = -1
    (_, table) = tables(veh)[0]
    codes = {(v.detector, v.code, v.n_repaired) for v in check_counts(table, LOOPS, NETWORK)}
    assert codes == {("wi", "missing", 2), ("ei", "missing", 0), ("ni", "negative", 1)}


def test_faults_of_the_bundled_example():
    """Of the kinds of fault put into the example all but the lasting swap are found, with no false verdict."""
    folder = ROOT / "examples" / "district"
    network = read_sumo_net(folder / "network.net.xml.gz")
    loops = read_detectors(folder / "detectors.csv", network)
    _, verdicts = prepare_days(select_days(read_counts(folder / "counts.parquet", loops), "weekday"), loops, network)
    truth = pd.read_csv(folder / "faults.csv")
    names = {"gap": "missing", "chatter": "pulse"}
    expected = {(d, names.get(k, k)) for d, k in zip(truth["detector"], truth["kind"], strict=True) if k != "swapped"}
    found = {(v.detector, v.code) for v in verdicts}
    assert found <= expected
    assert expected - found <= {(d, "missing") for d in truth["detector"]}  # gaps at weekends only

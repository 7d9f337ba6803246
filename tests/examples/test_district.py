"""The bundled example: made again it is the same, its files fit together, and it holds what it is meant to hold."""

from __future__ import annotations

import gzip
import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest

from network_data.formats.sumo_net import read_sumo_net
from network_data.network import RoadNetwork

DISTRICT = Path(__file__).parents[2] / "examples" / "district"


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    return read_sumo_net(DISTRICT / "network.net.xml.gz")


@pytest.fixture(scope="module")
def detectors() -> pd.DataFrame:
    return pd.read_csv(DISTRICT / "detectors.csv")


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return pd.read_parquet(DISTRICT / "counts.parquet")


@pytest.fixture(scope="module")
def faults() -> pd.DataFrame:
    return pd.read_csv(DISTRICT / "faults.csv")


def greens(network: RoadNetwork, movement_id: str) -> set[str]:
    """The green letters that a movement shows somewhere in its program."""
    movement = network.movements[movement_id]
    assert movement.controller_id is not None
    program = network.controllers[movement.controller_id].programs[-1]
    return {interval.state[i] for interval in program.intervals for i in movement.link_indices} & set("Gg")


def test_network_part_made_again_gives_the_same_bytes(tmp_path: Path):
    """Network, detectors and peak routes in the repository are what the script makes today."""
    pytest.importorskip("sumo", reason="remaking the network needs eclipse-sumo")
    from examples.make_district import make_static

    make_static(tmp_path, seed=7)
    for name in ("network.net.xml.gz", "detectors.csv", "routes_peak.rou.xml.gz"):
        made, kept = (folder.joinpath(name).read_bytes() for folder in (tmp_path, DISTRICT))
        if name.endswith(".gz"):  # what is packed counts: zlib may pack differently elsewhere
            made, kept = gzip.decompress(made), gzip.decompress(kept)
        assert made == kept, f"{name} differs from a fresh one"


def test_it_has_what_a_district_has(network: RoadNetwork):
    """Twelve signals, bays, a one-way street, crossings and every kind of left turn."""
    assert len(network.controllers) == 12
    bays = [link for link in network.links.values() if link.id.endswith(".bay")]
    assert len(bays) >= 15
    assert all(len(b.lanes) > len(network.links[b.id.removesuffix(".bay")].lanes) for b in bays)
    assert "S4_M4" in network.links
    assert "M4_S4" not in network.links
    assert len([x for x in network.crossings if x.controller_id]) >= 30
    assert greens(network, "M2_M1.bay>M1_MillS") == {"G"}, "protected only"
    assert greens(network, "M1_M2.bay>M2_N2") == {"G", "g"}, "protected and permitted"
    assert greens(network, "M3_M4.bay>M4_N4") == {"g"}, "permitted only"


def test_programs_clear_and_let_people_walk(network: RoadNetwork):
    """No two conflicting heads are protected at once, and each crossing has 7 s plus its length at 1 m/s."""
    for controller in network.controllers.values():
        program = controller.programs[-1]
        for interval in program.intervals:
            protected = [i for i, letter in enumerate(interval.state) if letter == "G"]
            assert not [(i, j) for i in protected for j in protected if i < j and controller.in_conflict(i, j)]
        lengths = {x.link_indices[0]: x.length_m for x in network.crossings if x.controller_id == controller.id}
        for head, length_m in lengths.items():
            walk_s, clear_s = walk_and_clearance_s(network, controller.id, head)
            assert walk_s >= 7
            assert clear_s >= length_m / 1.0


def walk_and_clearance_s(network: RoadNetwork, controller_id: str, head: int) -> tuple[float, float]:
    """Seconds of walk, and from its end to the first green of a conflicting head that does not yield to it."""
    controller = network.controllers[controller_id]
    intervals = controller.programs[-1].intervals
    walking = [n for n, interval in enumerate(intervals) if interval.state[head] == "G"]
    clear_s = 0.0
    for step in range(1, len(intervals)):
        interval = intervals[(walking[-1] + step) % len(intervals)]
        begun = [i for i, x in enumerate(interval.state) if x in "Gg" and controller.in_conflict(i, head)]
        before = intervals[walking[-1]].state
        if any(before[i] not in "Gg" for i in begun):
            break
        clear_s += interval.duration_s
    return sum(intervals[n].duration_s for n in walking), clear_s


def test_every_loop_lies_on_a_driving_lane(network: RoadNetwork, detectors: pd.DataFrame):
    """About 90 loops, each on a lane that exists, within its length, and no two with one name."""
    assert 80 <= len(detectors) <= 100
    assert detectors["detector"].is_unique
    for row in detectors.itertuples():
        lane = network.links[row.link].lanes[row.lane]
        assert lane.kind == "general", row
        assert 0 <= row.pos_m <= lane.length_m, row
    assert set(detectors["kind"]) == {"stopbar", "advance"}


def test_counts_are_two_weeks_of_five_minutes(detectors: pd.DataFrame, counts: pd.DataFrame, faults: pd.DataFrame):
    """Fourteen days without a clock change; only gaps are missing; weekends are lighter than weekdays."""
    begin, end = pd.to_datetime(counts["begin"]), pd.to_datetime(counts["end"])
    assert ((end - begin) == pd.Timedelta(minutes=5)).all()
    days = begin.dt.normalize()
    assert days.nunique() == 14
    assert set(counts["detector"]) == set(detectors["detector"])
    assert not counts.duplicated(["detector", "begin"]).any()
    assert 0.97 < len(counts) / (len(detectors) * 14 * 288) < 1
    sound = ~counts["detector"].isin(faults["detector"])
    daily = counts[sound].groupby(days)["veh"].sum()
    weekend = daily.index.day_of_week >= 5
    assert daily[weekend].max() < daily[~weekend].min()
    assert daily[~weekend].std() / daily[~weekend].mean() > 0.01


def test_faults_are_there_as_listed(counts: pd.DataFrame, faults: pd.DataFrame):
    """Every listed gap has no rows, stuck and dead loops show one value, and all kinds occur."""
    assert {"gap", "stuck", "dead", "chatter", "drift", "swapped"} == set(faults["kind"])
    for fault in faults.itertuples():
        start, stop = fault[3], fault[4]
        rows = counts[(counts["detector"] == fault.detector) & (counts["begin"] >= start) & (counts["begin"] < stop)]
        if fault.kind == "gap":
            assert rows.empty, fault
        if fault.kind in {"stuck", "dead", "chatter"}:
            assert len(rows) > 0
            assert rows["veh"].min() == rows["veh"].max(), fault
        if fault.kind == "swapped":
            assert fault.detail.removeprefix("with ") in set(faults["detector"])


def test_peak_routes_can_be_driven(network: RoadNetwork):
    """Each vehicle of the peak follows links that are connected, in order of departure."""
    with gzip.open(DISTRICT / "routes_peak.rou.xml.gz") as stream:
        vehicles = ET.parse(stream).getroot().findall("vehicle")
    departs = [float(v.attrib["depart"]) for v in vehicles]
    assert departs == sorted(departs)
    assert 26100 <= departs[0] < 26160
    assert 30540 < departs[-1] < 30600
    ways = {v.find("route").attrib["edges"] for v in vehicles}
    for way in ways:
        links = way.split()
        assert all(b in network.outgoing[a] for a, b in itertools.pairwise(links)), way


def test_it_is_small():
    """The example ships with the repository, so it stays below 5 MB."""
    assert sum(f.stat().st_size for f in DISTRICT.iterdir()) < 5_000_000

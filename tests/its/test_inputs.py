"""Demand scenarios from counts and turns: days, period, weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from its.inputs import MAX_SCENARIOS, DemandSource, load_demand, load_field_plan, load_network
from network_data.detectors import read_detectors
from network_data.errors import DemandError
from network_data.network import RoadNetwork
from tests.packs import resco


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    """A single real junction."""
    return load_network(resco("cologne1") / "cologne1.net.xml")


@pytest.fixture
def detectors(tmp_path: Path, network: RoadNetwork) -> Path:
    """A loop at the stop line of every approach lane."""
    lines = [
        f"{link_id}.{lane.index},{link_id},{lane.index},{lane.length_m - 2:.1f}"
        for link_id in network.approaches[next(iter(network.controllers))]
        for lane in network.links[link_id].lanes
    ]
    path = tmp_path / "detectors.csv"
    path.write_text("\n".join(["detector,link,lane,pos_m", *lines]))
    return path


def counts_of(
    tmp_path: Path,
    detectors: Path,
    network: RoadNetwork,
    days: Sequence[str],
    more: Mapping[str, int] | None = None,
) -> Path:
    """20 to 23 vehicles (and `more`) per loop and 15 minutes from 7 to 9; undated where `days` is empty."""
    ids = [detector.id for detector in read_detectors(detectors, network)]
    lines = ["detector,begin,end,veh" if days else "detector,begin_s,end_s,veh"]
    for day in days or [""]:
        for n, name in enumerate(ids):
            for k in range(8):
                ends = [25_200 + 900 * k, 26_100 + 900 * k]
                times = [f"{day}T{s // 3600:02d}:{s % 3600 // 60:02d}:00" if day else str(s) for s in ends]
                lines.append(
                    f"{name},{times[0]},{times[1]},{20 + (n + 3 * k + len(day)) % 4 + (more or {}).get(day, 0)}"
                )
    path = tmp_path / "counts.csv"
    path.write_text("\n".join(lines))
    return path


def test_an_undated_day_is_one_scenario(tmp_path: Path, detectors: Path, network: RoadNetwork) -> None:
    """Without dates there is one scenario of weight 1, and the period is all that was counted."""
    counts = counts_of(tmp_path, detectors, network, [])
    loaded = load_demand(DemandSource(detectors=detectors, counts=counts), network, load_field_plan(None, network))
    assert (loaded.begin_s, loaded.end_s) == (25_200, 32_400)
    assert loaded.scenarios.weights == (1,)
    assert len(loaded.estimates) == len(loaded.counts) == 1
    assert loaded.scenarios.scenarios[0].veh.sum() > 0


def test_many_days_become_a_few_that_stand_for_all(tmp_path: Path, detectors: Path, network: RoadNetwork) -> None:
    """Of seven working days five are taken, weighted by how many days each stands for; a note says which."""
    days = [f"2024-05-{day:02d}" for day in (13, 14, 15, 16, 17, 18, 20, 21)]  # the 18th is a Saturday
    counts = counts_of(tmp_path, detectors, network, days, more={"2024-05-17": 20, "2024-05-20": 40})
    source = DemandSource(detectors=detectors, counts=counts, begin_s=25_200, end_s=28_800)
    loaded = load_demand(source, network, load_field_plan(None, network))
    labels = [demand.label for demand in loaded.scenarios.scenarios]
    weights = dict(zip(labels, loaded.scenarios.weights, strict=True))
    assert len(labels) <= MAX_SCENARIOS
    assert "2024-05-18" not in labels
    assert weights["2024-05-17"] == weights["2024-05-20"] == pytest.approx(1 / 7)
    assert sum(weights.values()) == pytest.approx(1)
    assert any("7 days selected" in note and all(label in note for label in labels) for note in loaded.notes)
    assert (loaded.begin_s, loaded.end_s) == (25_200, 28_800)


def test_a_period_without_counts_is_an_error(tmp_path: Path, detectors: Path, network: RoadNetwork) -> None:
    """The error names the period that the file covers."""
    source = DemandSource(
        detectors=detectors, counts=counts_of(tmp_path, detectors, network, []), begin_s=40_000, end_s=43_600
    )
    with pytest.raises(DemandError, match="covers 25200 to 32400 s, nothing of the period 40000 to 43600 s"):
        load_demand(source, network, load_field_plan(None, network))


def test_a_lone_begin_is_held_against_the_end_of_the_counts(
    tmp_path: Path, detectors: Path, network: RoadNetwork
) -> None:
    """With --begin alone the period ends where the counts do; a begin behind that is an error."""
    counts = counts_of(tmp_path, detectors, network, [])
    field = load_field_plan(None, network)
    loaded = load_demand(DemandSource(detectors=detectors, counts=counts, begin_s=28_800), network, field)
    assert (loaded.begin_s, loaded.end_s) == (28_800, 32_400)
    with pytest.raises(DemandError, match="begin 90000 s is not before end 32400 s"):
        load_demand(DemandSource(detectors=detectors, counts=counts, begin_s=90_000), network, field)


def test_turns_alone_are_demand(tmp_path: Path, network: RoadNetwork) -> None:
    """Turning flows need no counts: the vehicles named are the demand, the period is theirs."""
    movement = next(iter(network.movements.values()))
    path = tmp_path / "turns.csv"
    path.write_text(f"from_link,to_link,begin_s,end_s,veh\n{movement.from_link},{movement.to_link},0,3600,360\n")
    loaded = load_demand(DemandSource(turns=path), network, load_field_plan(None, network))
    assert (loaded.begin_s, loaded.end_s, loaded.estimates, loaded.detectors) == (0, 3600, (), ())
    demand = loaded.scenarios.scenarios[0]
    row = demand.pairs.index(movement.pair)
    assert demand.veh[row].sum() == pytest.approx(360)
    assert demand.support[row] == "measured"

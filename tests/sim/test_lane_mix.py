"""Saturation flows as the queue simulation takes them: what was counted, a manual's factors, and the mix of turns."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.errors import NetworkError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim.lane_groups import lane_groups
from sim.lane_mix import measured_saturations, simulated_saturations
from sim.saturation import LaneConditions, Place, SaturationSettings, lane_saturations


@pytest.fixture(scope="module")
def district() -> RoadNetwork:
    """The bundled example's network."""
    from its.recognize import load_network
    from tests.its.jobs import NETWORK

    return load_network(NETWORK)


@pytest.fixture(scope="module")
def field(district: RoadNetwork) -> TimingPlan:
    """The programs in it."""
    return TimingPlan(controllers={c.id: c.programs[-1] for c in district.controllers.values()})


def routed(network: RoadNetwork, *routes: tuple[str, ...]) -> Trips:
    """One vehicle per route."""
    links = tuple(network.links)
    steps = [links.index(link) for route in routes for link in route]
    return Trips(
        links=links,
        depart_s=np.arange(len(routes), dtype=float),
        route_start=np.cumsum([0, *map(len, routes)]),
        route_link=np.array(steps, np.int32),
        kind=np.zeros(len(routes), np.int8),
        length_m=np.full(len(routes), 6.5),
        dwell_s=np.empty(0),
    )


def shared_lane(network: RoadNetwork) -> tuple[str, int, dict[str, str]]:
    """A signalled lane for traffic straight on and to the right alone, with the links they lead to."""
    for group in lane_groups(network).values():
        ways = {network.connections[i].direction: network.connections[i].to_link for i in group.connections}
        if group.controller_id is not None and set(ways) == {"s", "r"} and len(group.lanes) == 1:
            return group.link, group.lanes[0], ways
    raise AssertionError("the example has no such lane")


def test_what_was_counted_replaces_everything(district: RoadNetwork, field: TimingPlan) -> None:
    """A link's figure holds for its lanes, a lane's own goes before; under a manual too."""
    link, lane, _ = shared_lane(district)
    conditions: dict[Place, LaneConditions] = {
        link: LaneConditions(measured_vph=1500),
        (link, lane): LaneConditions(measured_vph=1400),
    }
    settings = SaturationSettings(conditions=conditions)
    counted = measured_saturations(settings, district)
    assert counted == {(link, x.index): 1400 if x.index == lane else 1500 for x in district.links[link].lanes}
    under = simulated_saturations(district, settings, [], field)
    assert {key: under[key] for key in counted} == counted


def test_shared_lanes_have_the_mix_of_the_demand(district: RoadNetwork, field: TimingPlan) -> None:
    """Straight on only: the through flow; half of them turning: the mean of the times; nobody: all ways alike."""
    link, lane, ways = shared_lane(district)
    settings = SaturationSettings()
    through = lane_saturations(district, lane_groups(district), settings)[link, lane]
    right = max(through.equivalents.values())
    assert right > 1
    straight, turn = routed(district, (link, ways["s"])), routed(district, (link, ways["r"]))

    def flow(*trips: Trips) -> float:
        return simulated_saturations(district, settings, trips, field)[link, lane]

    assert flow(straight) == pytest.approx(through.through_vph)
    assert flow(turn) == pytest.approx(through.through_vph / right)
    lanes = {
        to: sum(c.from_link == link and c.to_link == to for c in district.connections) for to in (ways["s"], ways["r"])
    }
    share = (1 / lanes[ways["r"]]) / sum(1 / n for n in lanes.values())
    assert flow(straight, turn) == pytest.approx(through.through_vph / (1 - share + share * right))
    assert flow() == pytest.approx(through.through_vph / ((1 + right) / 2))


def test_people_on_the_crossing_hold_up_turns(district: RoadNetwork, field: TimingPlan) -> None:
    """Where a right turn meets a walk that runs with it, people cost it time; straight on they do not."""
    met = next(
        (
            (c, district.crossings[c.yields_to_crossings[0]])
            for c in district.connections
            if c.direction == "r" and c.yields_to_crossings and c.controller_id is not None
        ),
        None,
    )
    if met is None:
        pytest.skip("no right turn of the example meets a crossing")
    way, _ = met
    trips = [routed(district, (way.from_link, way.to_link))]
    walked = SaturationSettings(conditions={way.from_link: LaneConditions(walkers_per_h=600)})
    key = way.from_link, way.from_lane
    alone = simulated_saturations(district, SaturationSettings(), trips, field)[key]
    assert simulated_saturations(district, walked, trips, field)[key] <= alone


def test_links_that_are_not_there(district: RoadNetwork) -> None:
    """Both faults at once, without a manual too."""
    conditions: dict[Place, LaneConditions] = {
        "nowhere": LaneConditions(measured_vph=1),
        ("nor here", 1): LaneConditions(measured_vph=1),
    }
    with pytest.raises(NetworkError, match="(?s)'nowhere'.*'nor here'"):
        measured_saturations(SaturationSettings(conditions=conditions), district)

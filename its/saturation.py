"""The saturation flows of the settings as the simulation takes them."""

from __future__ import annotations

from collections.abc import Sequence

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import LaneCondition, Saturation
from network_data.trips import Trips
from sim.lane_mix import measured_saturations, simulated_saturations
from sim.saturation import LaneConditions, Place, SaturationSettings


def saturation_of(
    settings: Saturation, network: RoadNetwork, trips: Sequence[Trips], plan: TimingPlan
) -> dict[tuple[str, int], float]:
    """(link, lane) → saturation flow; lanes that are not in it discharge as network and vehicles let them. [veh/h]

    Raises
    ------
    NetworkError
        Links and lanes that the network does not have, values out of their manual's range; all together.
    """
    conditions: dict[Place, LaneConditions] = {_place(c): _conditions(c) for c in settings.conditions}
    if settings.standard == "network":
        return measured_saturations(SaturationSettings(conditions=conditions), network) if conditions else {}
    chosen = SaturationSettings(standard=settings.standard, base_vph=settings.base_vph, conditions=conditions)
    return simulated_saturations(network, chosen, trips, plan)


def _place(condition: LaneCondition) -> Place:
    return condition.link if condition.lane is None else (condition.link, condition.lane)


def _conditions(condition: LaneCondition) -> LaneConditions:
    return LaneConditions(**condition.model_dump(exclude={"link", "lane", "start_up_s"}))

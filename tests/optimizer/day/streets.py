"""A street whose main traffic comes in the morning and whose side traffic comes later; hours, not whole days."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from network_data.demand import DemandScenarios
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from optimizer.day.plan import day_traffic
from optimizer.day.traffic import DayTraffic, Horizon
from tests.builders import demand, field_plan, program, two_signals

HORIZON = Horizon(begin_s=21_600.0, end_s=36_000.0, interval_s=900.0)
MORNING = np.array([1.0] * 8 + [0.15] * 8)


def street() -> RoadNetwork:
    """Two signals that split their cycle evenly."""
    return two_signals(offsets_s=(0.0, 30.0))


def days(network: RoadNetwork, *, main_vph: float = 1100, side_vph: float = 1100, n: int = 1) -> DemandScenarios:
    """The main road is busy from 6 to 8, the side streets from 8 to 10."""
    main = [link for link in network.links if link.startswith("a")]
    flow, late = main_vph / 4 * MORNING, side_vph / 4 * MORNING[::-1]
    pairs: dict[tuple[str, str], np.ndarray] = {("", main[0]): flow, (main[-1], ""): flow}
    pairs |= dict.fromkeys(pairwise(main), flow)
    for name in network.controllers:
        pairs |= {("", f"s{name}"): late, (f"s{name}", f"n{name}"): late, (f"n{name}", ""): late}
    one = demand(pairs, begin_s=HORIZON.begin_s, interval_s=900.0, intervals=HORIZON.n)
    return DemandScenarios(scenarios=(one,) * n, weights=(1 / n,) * n)


def plan_for(network: RoadNetwork, main_s: int) -> TimingPlan:
    """Main green of so many seconds in a cycle of 60."""
    rows = ((main_s, "Gr"), (3, "yr"), (54 - main_s, "rG"), (3, "ry"))
    programs = {c: program(rows, controller_id=c, offset_s=0.0) for c in network.controllers}
    return TimingPlan(controllers=programs)


def traffic(network: RoadNetwork, *, n: int = 1, vph: float = 1100, table: Settings | None = None) -> DayTraffic:
    """The vehicles of such days."""
    demand_ = days(network, main_vph=vph, side_vph=vph, n=n)
    return day_traffic(network, demand_, table or Settings(), HORIZON, seed=1)


def field(network: RoadNetwork) -> TimingPlan:
    """The programs in the network."""
    return field_plan(network)

"""A street with two signals and a day's demand, small enough to call every kernel on: nobody's network."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from network_data.assembly import Way, assemble
from network_data.demand import Demand, Support
from network_data.network import Lane, Link, Node, RoadNetwork
from network_data.plans import ControllerPlan, Interval, TimingPlan

LINK_M, SPEED_MPS, CYCLE_S = 200.0, 13.9, 40.0


def small_street() -> tuple[RoadNetwork, TimingPlan, Demand]:
    """Three links in a row with signals between, one program each, and 15 minutes of traffic."""
    nodes = {
        name: Node(id=name, kind="traffic_light" if 0 < n < 3 else "dead_end", x_m=n * LINK_M, y_m=0.0)
        for n, name in enumerate("abcd")
    }
    lane = Lane(index=0, length_m=LINK_M, speed_mps=SPEED_MPS, width_m=3.2, kind="general")
    links = {
        one.id + other.id: Link(
            id=one.id + other.id,
            from_node=one.id,
            to_node=other.id,
            lanes=(lane,),
            name="",
            priority=1,
            shape=((one.x_m, 0.0), (other.x_m, 0.0)),
        )
        for one, other in pairwise(nodes.values())
    }
    pairs = tuple(pairwise(links))
    signals = [links[start].to_node for start, _ in pairs]
    ways = [
        Way(from_link=start, from_lane=0, to_link=end, to_lane=0, controller_id=signal, link_index=0)
        for (start, end), signal in zip(pairs, signals, strict=True)
    ]
    intervals = (Interval(25.0, "G"), Interval(3.0, "y"), Interval(CYCLE_S - 28.0, "r"))
    programs = {
        name: ControllerPlan(controller_id=name, program_id="0", offset_s=0.0, intervals=intervals) for name in signals
    }
    network = assemble(
        nodes=nodes, links=links, ways=ways, programs={name: (program,) for name, program in programs.items()}
    )
    veh = np.full((len(pairs), 3), 20.0)
    begin_s = np.array([0.0, 300.0, 600.0])
    support: tuple[Support, ...] = ("measured", "measured")
    demand = Demand(begin_s=begin_s, end_s=begin_s + 300.0, pairs=pairs, veh=veh, sd_veh=np.sqrt(veh), support=support)
    return network, TimingPlan(controllers=programs), demand

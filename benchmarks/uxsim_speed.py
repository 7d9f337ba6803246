"""CPU seconds that UXsim's C++ mode needs for a period: the same links, signals and routes, vehicle by vehicle.

UXsim knows no lanes of their own turns: a link has lanes, a capacity and the stages in which it has green.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from typing import Any

from network_data.network import RoadNetwork
from network_data.plans import GREEN, TimingPlan
from network_data.trips import Trips

INSTALL = "UXsim is not installed, its column is empty: pip install 'its-signals[bench]'"
JAM_VEH_PER_M = 0.15
"""Vehicles that stand on a metre of lane. [veh/m]"""


def installed() -> bool:
    """Whether UXsim is there."""
    return importlib.util.find_spec("uxsim") is not None


def cpu_s(network: RoadNetwork, plan: TimingPlan, trips: Trips, *, begin_s: float, end_s: float) -> tuple[float, int]:
    """CPU time of simulating the period [s], without building the world, and the vehicles that ended their trips."""
    world = _world(network, plan, trips, begin_s, end_s)
    began_s = time.process_time()
    world.exec_simulation()
    spent_s = time.process_time() - began_s
    return spent_s, sum(vehicle.state == "end" for vehicle in world.VEHICLES.values())


def _world(network: RoadNetwork, plan: TimingPlan, trips: Trips, begin_s: float, end_s: float) -> Any:
    uxsim = importlib.import_module("uxsim")
    length_s = end_s - begin_s
    world = uxsim.World(
        name="", deltan=1, reaction_time=1, tmax=length_s, duo_update_time=2 * length_s, random_seed=0, cpp=True,
        print_mode=0, save_mode=0, show_mode=0, show_progress=0, vehicle_logging_timestep_interval=-1,
    )  # fmt: skip
    by_node = {node: plan.controllers[c.id] for c in network.controllers.values() for node in c.node_ids}
    for node in network.nodes.values():
        program = by_node.get(node.id)
        stages = [interval.duration_s for interval in program.intervals] if program else [0]
        offset_s = (program.offset_s - begin_s) % program.cycle_s if program else 0.0
        world.addNode(node.id, node.x_m, node.y_m, signal=stages, signal_offset=offset_s)
    links = {}
    for link in network.links.values():
        if link.drivable:
            links[link.id] = world.addLink(
                link.id, link.from_node, link.to_node, max(link.length_m, link.speed_mps),
                free_flow_speed=link.speed_mps, jam_density_per_lane=JAM_VEH_PER_M, number_of_lanes=len(link.lanes),
                signal_group=_groups(network, plan, link.id),
            )  # fmt: skip
    for v in range(len(trips)):
        route = [trips.links[n] for n in trips.route_link[trips.route_start[v] : trips.route_start[v + 1]]]
        first, last = network.links[route[0]], network.links[route[-1]]
        depart_s = float(trips.depart_s[v]) - begin_s
        vehicle = world.addVehicle(first.from_node, last.to_node, depart_s)
        vehicle.enforce_route([links[name] for name in route])
    world.finalize_scenario()
    return world


def _groups(network: RoadNetwork, plan: TimingPlan, link: str) -> list[int]:
    """Intervals of the program in which any turn from the link has green; all where it ends at no signal."""
    mine = [c for c in network.connections if c.from_link == link and c.controller_id is not None]
    if not mine:
        return [0]
    intervals = plan.controllers[str(mine[0].controller_id)].intervals
    heads = [c.link_index for c in mine if c.link_index is not None]
    return [n for n, interval in enumerate(intervals) if any(interval.state[h] in GREEN for h in heads)]

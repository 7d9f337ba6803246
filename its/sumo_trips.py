"""Drawn vehicles as a SUMO route file: the estimated demand for a second model."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from network_data.network import RoadNetwork
from network_data.trips import Trips

MIN_GAP_M = 2.5
"""Gap of SUMO's default car; its length is what is left of the room a vehicle takes. [m]"""


def write_routes(trips: Trips, network: RoadNetwork, path: Path) -> int:
    """Write vehicles with departure and route; stops on the way are left out.

    Vehicles that SUMO could not drive (over lanes that cars may not use) are left out too.

    Returns
    -------
    int
        Vehicles written.
    """
    ways = {(c.from_link, c.to_link) for c in network.connections if c.kind == "general"}
    begins = {name for name, link in network.links.items() if any(lane.kind == "general" for lane in link.lanes)}
    lengths = sorted({float(x) for x in trips.length_m})
    lines = ["<routes>"]
    lines += [
        f'<vType id="t{n}" vClass="passenger" length="{max(2.0, m - MIN_GAP_M):.2f}" minGap="{MIN_GAP_M}"/>'
        for n, m in enumerate(lengths)
    ]
    names = {m: f"t{n}" for n, m in enumerate(lengths)}
    n_written = 0
    for v in range(len(trips)):
        route = [trips.links[x] for x in trips.route_link[trips.route_start[v] : trips.route_start[v + 1]]]
        if not route or route[0] not in begins or not all(pair in ways for pair in pairwise(route)):
            continue
        n_written += 1
        lines.append(
            f'<vehicle id="{v}" type="{names[float(trips.length_m[v])]}" depart="{trips.depart_s[v]:.2f}" '
            f'departLane="best" departSpeed="max"><route edges="{" ".join(route)}"/></vehicle>'
        )
    path.write_text("\n".join([*lines, "</routes>", ""]), encoding="utf-8")
    return n_written

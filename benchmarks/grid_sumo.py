"""A grid for SUMO: plain XML through netconvert, its programs, and vehicles with their routes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.grids import LANES, LEGS, SPEED_MPS, Grid, program
from its.sumo import sumo_home
from network_data.errors import OutsideProgramError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips

MIN_GAP_M = 1.5
"""Of a vehicle's length with gap, the gap. [m]"""


def write_net(grid: Grid, path: Path) -> None:
    """Make the grid's network file.

    Raises
    ------
    OutsideProgramError
        netconvert is missing or failed.
    """
    folder = path.parent
    parts = {"nodes": _nodes(grid), "edges": _edges(grid), "connections": _connections(grid)}
    for name, items in parts.items():
        (folder / f"{name}.xml").write_text("\n".join([f"<{name}>", *items, f"</{name}>", ""]), encoding="utf-8")
    command = [str(sumo_home() / "bin" / "netconvert"), "--no-turnarounds", "true", "--no-warnings", "true"]
    command += ["-n", str(folder / "nodes.xml"), "-e", str(folder / "edges.xml")]
    command += ["-x", str(folder / "connections.xml"), "-o", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise OutsideProgramError(f"netconvert cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        raise OutsideProgramError(f"netconvert ended with {done.returncode}: {done.stderr[-2000:]}")


def _nodes(grid: Grid) -> Iterator[str]:
    n_x, n_y = len(grid.x_m), len(grid.y_m)
    for i, x_m in enumerate(grid.x_m):
        for j, y_m in enumerate(grid.y_m):
            name = grid.node(i, j)
            if name in grid.signals:
                yield f'<node id="{name}" x="{x_m}" y="{y_m}" type="traffic_light"/>'
            elif (i in (0, n_x - 1)) != (j in (0, n_y - 1)):
                yield f'<node id="{name}" x="{x_m}" y="{y_m}" type="dead_end"/>'


def _edges(grid: Grid) -> Iterator[str]:
    for i, j in grid.signals.values():
        for leg in range(LEGS):
            here, there = grid.node(i, j), grid.node(*grid.neighbour(leg, i, j))
            street = grid.street(leg, i, j)
            ends = [(there, here)] if there in grid.signals else [(there, here), (here, there)]
            for a, b in ends:
                yield (
                    f'<edge id="{a}_{b}" from="{a}" to="{b}" numLanes="{len(LANES[street])}" '
                    f'speed="{SPEED_MPS[street]:.3f}" priority="1"/>'
                )


def _connections(grid: Grid) -> Iterator[str]:
    for i, j in grid.signals.values():
        for turn in grid.turns(i, j):
            yield (
                f'<connection from="{grid.link(turn.leg, i, j)}" to="{grid.link(turn.exit_leg, i, j, out=True)}" '
                f'fromLane="{turn.lane}" toLane="{turn.to_lane}"/>'
            )


def grid_plan(grid: Grid, network: RoadNetwork) -> TimingPlan:
    """The grid's programs for the network as read from its file, whose link indices are netconvert's."""
    plans = {}
    for name, (i, j) in grid.signals.items():
        legs = {grid.link(leg, i, j): leg for leg in range(LEGS)}
        exits = {grid.link(leg, i, j, out=True): leg for leg in range(LEGS)}
        turns = []
        for head in network.controllers[name].heads:
            connection = network.connections[head.connections[0]]
            leg = legs[connection.from_link]
            turns.append((leg, "?rsl"[(exits[connection.to_link] - leg) % LEGS]))
        plans[name] = program(grid, name, turns)
    return TimingPlan(controllers=plans)


def write_vehicles(trips: Trips, path: Path) -> None:
    """Write vehicles with their routes, as they stand, as a route file; stops on the way are left out."""
    kinds = sorted({(int(k), float(m)) for k, m in zip(trips.kind, trips.length_m, strict=True)})
    names = {kind: f"t{n}" for n, kind in enumerate(kinds)}
    lines = ["<routes>", *_types(kinds)]
    for v in range(len(trips)):
        route = trips.route_link[trips.route_start[v] : trips.route_start[v + 1]]
        edges = " ".join(trips.links[link] for link in route)
        name = names[int(trips.kind[v]), float(trips.length_m[v])]
        lines.append(
            f'<vehicle id="{v}" type="{name}" depart="{trips.depart_s[v]:.2f}" departLane="best" departSpeed="max">'
            f'<route edges="{edges}"/></vehicle>'
        )
    path.write_text("\n".join([*lines, "</routes>", ""]), encoding="utf-8")


def _types(kinds: Iterable[tuple[int, float]]) -> Iterator[str]:
    for n, (kind, length_m) in enumerate(kinds):
        vehicle_class = "bus" if kind else "passenger"
        yield f'<vType id="t{n}" vClass="{vehicle_class}" length="{length_m - MIN_GAP_M:.2f}" minGap="{MIN_GAP_M}"/>'


def entries_of(trips: Trips) -> int:
    """Links on all routes together."""
    return int(np.diff(trips.route_start).sum())

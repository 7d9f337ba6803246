"""What the speed of the queue simulation is measured on: our grids and cologne8, with one plan and fixed vehicles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import cases
from benchmarks.grid_demand import grid_trips
from benchmarks.grid_sumo import grid_plan, write_net, write_vehicles
from benchmarks.grids import make_grid
from benchmarks.sumo_speed import SumoFiles
from network_data.errors import InputError
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _tables as k
from sim.simulate import Simulator

LOAD = 0.75
SEED = 1
COLOGNE = "cologne8"


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """A network with one plan and its vehicles; `programs` is None where the network's file holds the plan."""

    name: str
    network: RoadNetwork
    plan: TimingPlan
    trips: Trips
    begin_s: float
    end_s: float
    net_file: Path
    programs: Path | None

    @property
    def hours(self) -> float:
        """Length of the period. [h]"""
        return (self.end_s - self.begin_s) / 3600

    @property
    def n_signal(self) -> int:
        """Number of signals."""
        return len(self.network.controllers)

    def within(self, end_s: float) -> Trips:
        """The vehicles that depart before a time."""
        n = int(np.searchsorted(self.trips.depart_s, end_s))
        start = self.trips.route_start[: n + 1]
        return Trips(
            links=self.trips.links,
            depart_s=self.trips.depart_s[:n],
            route_start=start,
            route_link=self.trips.route_link[: start[-1]],
            kind=self.trips.kind[:n],
            length_m=self.trips.length_m[:n],
            dwell_s=self.trips.dwell_s[: start[-1]],
        )

    def sumo_files(self, folder: Path, *, length_s: float) -> SumoFiles:
        """The same net, programs and vehicles for SUMO, for the first part of the period."""
        end_s = min(self.end_s, self.begin_s + length_s)
        routes = folder / f"{self.name}.rou.xml"
        write_vehicles(self.within(end_s), routes)
        return SumoFiles(net=self.net_file, programs=self.programs, routes=routes, begin_s=self.begin_s, end_s=end_s)


class Grids:
    """Grids by number of signals, made once; their networks are SUMO's, read from its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[int, tuple[RoadNetwork, TimingPlan]] = {}

    def scene(self, n_signal: int, *, load: float = LOAD, length_s: float) -> Scene:
        """A square grid of so many signals under a share of its capacity."""
        side = math.isqrt(n_signal)
        name = f"grid{n_signal}"
        folder = self._folder / name
        grid = make_grid(side, side, seed=SEED)
        if n_signal not in self._made:
            folder.mkdir(exist_ok=True)
            write_net(grid, folder / "net.xml")
            network = read_sumo_net(folder / "net.xml")
            plan = grid_plan(grid, network)
            (folder / "programs.add.xml").write_text(write_sumo_programs(plan), encoding="utf-8")
            self._made[n_signal] = network, plan
        network, plan = self._made[n_signal]
        return Scene(
            name=name,
            network=network,
            plan=plan,
            trips=grid_trips(grid, network, load=load, length_s=length_s, seed=SEED),
            begin_s=0.0,
            end_s=length_s,
            net_file=folder / "net.xml",
            programs=folder / "programs.add.xml",
        )


def cologne_scene() -> Scene:
    """The RESCO network cologne8 with its own plan and vehicles.

    Raises
    ------
    InputError
        It is not installed.
    """
    case = cases()[COLOGNE]
    if reason := case.missing():
        raise InputError(COLOGNE, reason)
    network = read_sumo_net(case.network)
    return Scene(
        name=COLOGNE,
        network=network,
        plan=TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()}),
        trips=read_routes(case.routes, network, begin_s=case.begin_s, end_s=case.end_s),
        begin_s=case.begin_s,
        end_s=case.end_s,
        net_file=case.network,
        programs=None,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Recorded:
    """One recorded run of a scene: every passage of a lane, those inside at the end with the time of the end."""

    n_link: int
    link: NDArray[np.int64]  # (N,) of each passage
    lane: NDArray[np.int64]
    enter: NDArray[np.int64]
    leave: NDArray[np.int64]
    storage: NDArray[np.int64]  # (lanes,)
    link_of_lane: NDArray[np.int64]

    @property
    def entries(self) -> int:
        """Links entered, the first of each vehicle included."""
        return len(self.lane)

    @cached_property
    def lane_full_share(self) -> float:
        """Share of the links of which some lane was full at some time: it held all the vehicles it has room for. [-]"""
        full = _most_inside(self.lane, self.enter, self.leave, len(self.storage)) >= self.storage
        return len(np.unique(self.link_of_lane[full])) / self.n_link

    @cached_property
    def full_share(self) -> float:
        """Share of the links that were full at some time: as many vehicles on all lanes together as have room. [-]"""
        room = np.bincount(self.link_of_lane, weights=self.storage, minlength=self.n_link)
        most = _most_inside(self.link, self.enter, self.leave, self.n_link)
        return float(((most >= room) & (room > 0)).mean())


def _most_inside(
    place: NDArray[np.int64], enter: NDArray[np.int64], leave: NDArray[np.int64], n_place: int
) -> NDArray[np.int64]:
    """Most vehicles inside each place at a time; who leaves at a time is out before who enters then."""
    span = 2 * (int(leave.max(initial=0)) + 1)
    # one number per event, sorted by place, time, and leaving before entering
    events = np.sort(np.concatenate([place * span + 2 * enter + 1, place * span + 2 * leave]))
    inside = np.cumsum(np.where(events % 2, 1, -1))  # every passage ends, so each place begins at 0
    most = np.zeros(n_place, np.int64)
    np.maximum.at(most, events // span, inside)
    return most


def record(scene: Scene, simulator: Simulator) -> Recorded:
    """Run a scene once and keep what its lanes saw."""
    _, rows = simulator.record(scene.plan, 0)
    compiled = simulator.compiled
    on_road = rows.column(k.LOG_LANE) < compiled.n_real_lane  # not the waiting places inside junctions
    number = {link: n for n, link in enumerate(scene.network.links)}
    link_of_lane = np.array([number[link] for link in compiled.lane_link[: compiled.n_real_lane]], np.int64)
    lane = rows.column(k.LOG_LANE)[on_road].astype(np.int64)
    return Recorded(
        n_link=len(number),
        link=link_of_lane[lane],
        lane=lane,
        enter=rows.column(k.LOG_ENTER)[on_road].astype(np.int64),
        leave=rows.column(k.LOG_LEAVE)[on_road].astype(np.int64),
        storage=compiled.arrays.lane[: compiled.n_real_lane, k.STORAGE].astype(np.int64),
        link_of_lane=link_of_lane,
    )

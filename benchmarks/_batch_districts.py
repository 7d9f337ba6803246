"""Districts for the batch: grids of streets with loops, invented counts of some days, and signals nobody coordinated.

Networks come from `benchmarks.grids`; counts are Poisson numbers around the grid's own demand, day by day: nothing is
simulated, and nothing was measured anywhere.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.grid_demand import grid_demand
from benchmarks.grid_sumo import grid_plan, write_net
from benchmarks.grids import CYCLE_S, Grid, make_grid
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_tls import write_sumo_programs
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan

FIRST_DAY = date(2026, 11, 2)
"""A Monday."""
BEGIN_S, INTERVAL_S = 7 * 3600, 300
LOOP_M = 3.0
"""From the loop to the stop line. [m]"""
DAY_SPREAD = 0.04
"""Days differ in their traffic: standard deviation over mean. [-]"""

Lane = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What every district of a benchmark has."""

    columns: int = 5
    rows: int = 5
    days: int = 3
    minutes: int = 15
    load: float = 0.6
    iterations: int = 8

    @property
    def end_s(self) -> int:
        """End of the counted period. [s after midnight]"""
        return BEGIN_S + 60 * self.minutes


def write_place(folder: Path, recipe: Recipe, seed: int) -> None:
    """Network, plan in the field and loops of one grid: `network.net.xml`, `field.add.xml`, `detectors.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = make_grid(recipe.columns, recipe.rows, seed=seed)
    write_net(grid, folder / "network.net.xml")
    network = read_sumo_net(folder / "network.net.xml")
    (folder / "field.add.xml").write_text(write_sumo_programs(_uncoordinated(grid, network, seed)), encoding="utf-8")
    lines = ["detector,link,lane,pos_m"]
    for name, index in _loops(grid, network):
        length_m = network.links[name].lanes[index].length_m
        lines.append(f"{name}.{index},{name},{index},{max(0.0, length_m - LOOP_M):.1f}")
    (folder / "detectors.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def write_counts(folder: Path, recipe: Recipe, grid_seed: int, seed: int, days: Sequence[int] = ()) -> None:
    """A file of counts per working day into `counts/`; `days` are their numbers, all of the recipe's by default."""
    grid = make_grid(recipe.columns, recipe.rows, seed=grid_seed)
    network = read_sumo_net(folder / "network.net.xml")
    flows = lane_flows_vph(grid, network, recipe, seed)
    loops = _loops(grid, network)
    (folder / "counts").mkdir(exist_ok=True)
    for n in days or range(recipe.days):
        day = FIRST_DAY + timedelta(days=n + 2 * (n // 5))
        rng = np.random.default_rng([seed, n])
        factor = rng.normal(1.0, DAY_SPREAD)
        rows = ["detector,begin,end,veh"]
        for start_s in range(BEGIN_S, recipe.end_s, INTERVAL_S):
            span = f"{day}T{_clock(start_s)},{day}T{_clock(start_s + INTERVAL_S)}"
            mean = np.array([flows.get(loop, 0.0) for loop in loops]) * factor * INTERVAL_S / 3600
            drawn = rng.poisson(mean)
            rows += [f"{link}.{lane},{span},{veh}" for (link, lane), veh in zip(loops, drawn, strict=True)]
        (folder / "counts" / f"{day}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")


def lane_flows_vph(grid: Grid, network: RoadNetwork, recipe: Recipe, seed: int) -> dict[Lane, float]:
    """What passes each lane before a signal: the demand's movements, spread evenly over the lanes they use. [veh/h]"""
    demand = grid_demand(grid, network, load=recipe.load, length_s=60.0 * recipe.minutes, seed=seed)
    vph: NDArray[np.float64] = demand.veh.sum(axis=1) * 60 / recipe.minutes
    lanes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for one in network.connections:
        lanes[one.from_link, one.to_link].append(one.from_lane)
    out: dict[Lane, float] = defaultdict(float)
    for pair, flow in zip(demand.pairs, vph.tolist(), strict=True):
        used = sorted(set(lanes.get(pair, [])))
        for lane in used:
            out[pair[0], lane] += flow / len(used)
    return dict(out)


def write_project(folder: Path, recipe: Recipe, n: int, *, networks: int, gates: str = "") -> Path:
    """A project of n districts on so many different grids.

    Parameters
    ----------
    gates : str
        Lines of `[gates]` beside those that the few days ask for.
    """
    blocks = []
    for k in range(n):
        place = folder / f"d{k:03d}"
        if k < networks:
            write_place(place, recipe, seed=k)
        else:
            place.mkdir(parents=True, exist_ok=True)
            for name in ("network.net.xml", "field.add.xml", "detectors.csv"):
                shutil.copy(folder / f"d{k % networks:03d}" / name, place)
        write_counts(place, recipe, k % networks, seed=1000 + k)
        blocks.append(
            f'[district.d{k:03d}]\nnetwork = "d{k:03d}/network.net.xml"\nfield = "d{k:03d}/field.add.xml"\n'
            f'detectors = "d{k:03d}/detectors.csv"\ncounts = ["d{k:03d}/counts"]\n'
        )
    head = (
        'name = "Grids"\nzone = "Asia/Seoul"\n\n[search]\n'
        f"iterations = {recipe.iterations}\n\n[schedule]\n"
        f'begin = "{_clock(BEGIN_S)[:5]}"\nend = "{_clock(recipe.end_s)[:5]}"\n\n'
        f"[gates]\ndays = {max(1, recipe.days - 1)}\nheld_out_days = 1\n{gates}\n\n"
    )
    path = folder / "project.toml"
    path.write_text(head + "\n".join(blocks), encoding="utf-8")
    return path


def _uncoordinated(grid: Grid, network: RoadNetwork, seed: int) -> TimingPlan:
    """The grid's programs with offsets drawn by lot."""
    rng = np.random.default_rng([seed, 7])
    plan = grid_plan(grid, network)
    return TimingPlan(
        controllers={c: replace(one, offset_s=float(rng.integers(0, CYCLE_S))) for c, one in plan.controllers.items()}
    )


def _loops(grid: Grid, network: RoadNetwork) -> list[Lane]:
    """Every lane before a signal has one."""
    links = sorted({grid.link(leg, i, j) for i, j in grid.signals.values() for leg in range(4)})
    return [(link, lane.index) for link in links for lane in network.links[link].lanes]


def _clock(time_s: int) -> str:
    return f"{time_s // 3600:02d}:{time_s % 3600 // 60:02d}:00"

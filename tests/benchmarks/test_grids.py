"""Our grids: the same for the same seed, legal programs, demand that adds up, and what netconvert makes of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import grids
from benchmarks.grid_demand import capacity_vph, grid_demand, grid_trips
from benchmarks.grid_sumo import grid_plan, write_net, write_vehicles
from benchmarks.grids import LANES, LEGS, Grid, make_grid, program
from network_data.formats.sumo_net import read_sumo_net
from network_data.formats.sumo_routes import read_routes
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.simulate import Simulator
from tests import packs


def made(folder: Path, grid: Grid) -> tuple[RoadNetwork, TimingPlan]:
    """The grid as SUMO has it."""
    packs.sumo()
    write_net(grid, folder / "net.xml")
    network = read_sumo_net(folder / "net.xml")
    return network, grid_plan(grid, network)


def test_a_seed_gives_one_grid() -> None:
    """Same seed, same streets and offsets; another seed, others."""
    assert make_grid(4, 3, seed=5) == make_grid(4, 3, seed=5)
    assert make_grid(4, 3, seed=5) != make_grid(4, 3, seed=6)
    assert make_grid(4, 3, seed=5).n_signal == 12


def test_grids_of_all_sizes_have_the_same_mix() -> None:
    """Block lengths lie evenly in their range and the classes of streets come in their shares, whatever the size."""
    grid = make_grid(20, 20, seed=1)
    blocks = np.sort(np.diff(grid.x_m))
    low, high = grids.SPACING_M
    np.testing.assert_allclose(blocks, low + (high - low) * (np.arange(21) + 0.5) / 21, atol=0.2)  # rounded to 0.1
    assert Counter(grid.ns) == {name: round(20 * share) for name, share in grids.SHARES.items()}


def test_programs_protect_lefts_with_their_own_lane_and_permit_the_others() -> None:
    """On an arterial left turns have a stage of their own; everywhere else they yield; the cycle is the same."""
    grid = Grid((0, 100, 200), (0, 100, 200), ("arterial",), ("local",), ((7,),))
    turns = [(turn.leg, turn.turn) for turn in grid.turns(1, 1)]
    plan = program(grid, "1.1", turns)
    assert plan.cycle_s == grids.CYCLE_S
    assert plan.offset_s == 7
    letters = {turn: {interval.state[n] for interval in plan.intervals} for n, turn in enumerate(turns)}
    assert letters[1, "l"] == set("Ggyr")
    assert letters[0, "l"] == set("gyr")
    assert letters[0, "s"] == set("Gyr")
    for interval in plan.intervals:  # nobody is green beside a crossing street
        assert len({leg % 2 for (leg, _), letter in zip(turns, interval.state, strict=True) if letter in "Gg"}) < 2


def test_sumo_has_the_streets_as_they_were_drawn(tmp_path: Path) -> None:
    """Lanes, turns and waiting places of a small grid, read back from netconvert's file."""
    grid = make_grid(3, 2, seed=2)
    network, plan = made(tmp_path, grid)
    assert set(network.controllers) == set(grid.signals) == set(plan.controllers)
    for i, j in grid.signals.values():
        for leg in range(LEGS):
            assert len(network.links[grid.link(leg, i, j)].lanes) == len(grid.lanes(leg, i, j))
        wanted = {
            (grid.link(t.leg, i, j), t.lane, grid.link(t.exit_leg, i, j, out=True), t.to_lane) for t in grid.turns(i, j)
        }
        here = [c for c in network.connections if c.node_id == grid.node(i, j)]
        assert {(c.from_link, c.from_lane, c.to_link, c.to_lane) for c in here} == wanted
        assert all(c.wait_m > 0 and c.yields_to for c in here if c.direction == "l")


def test_demand_uses_the_stated_share_of_capacity(tmp_path: Path) -> None:
    """Flow of the links before signals over their capacity is the load on average; what enters ends somewhere."""
    grid = make_grid(5, 5, seed=1)
    network, _ = made(tmp_path, grid)
    demand = grid_demand(grid, network, load=0.75, length_s=3600, seed=1)
    vph = dict(zip(demand.pairs, demand.veh.sum(axis=1), strict=True))
    capacity = capacity_vph(grid)
    outflow: Counter[str] = Counter()
    for (origin, _), flow in vph.items():
        outflow[origin] += flow
    loads = np.array([outflow[link] / capacity[link] for link in capacity])
    assert loads.mean() == pytest.approx(0.75, abs=0.03)
    assert loads.max() < 0.9
    entering = sum(flow for (origin, _), flow in vph.items() if not origin)
    # trips also end at the rim, on links that nothing leaves
    rim = sum(vph[pair] for pair in vph if pair[0] and pair[1] and pair[1] not in capacity)
    ending = sum(flow for (origin, target), flow in vph.items() if origin and not target)
    assert entering == pytest.approx(rim + ending, rel=1e-6)


def test_vehicles_are_the_same_in_both_models(tmp_path: Path) -> None:
    """Written as a route file and read back, every vehicle has its departure, route and length."""
    grid = make_grid(2, 2, seed=3)
    network, _ = made(tmp_path, grid)
    trips = grid_trips(grid, network, load=0.5, length_s=600, seed=4)
    write_vehicles(trips, tmp_path / "r.rou.xml")
    again = read_routes([tmp_path / "r.rou.xml"], network)
    assert len(trips) > 50
    np.testing.assert_allclose(again.depart_s, trips.depart_s, atol=0.005)  # written to 0.01 s
    np.testing.assert_array_equal(again.route_link, trips.route_link)
    np.testing.assert_allclose(again.length_m, trips.length_m, atol=0.005)


def test_streets_of_six_lanes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A boulevard of six lanes becomes a network that runs."""
    monkeypatch.setitem(LANES, "boulevard", ("rs", "s", "s", "s", "l", "l"))
    monkeypatch.setitem(grids.SPEED_MPS, "boulevard", 50 / 3.6)
    grid = Grid((0, 150, 300, 450), (0, 150, 300), ("boulevard", "local"), ("boulevard",), ((0,), (5,)))
    network, plan = made(tmp_path, grid)
    assert max(len(link.lanes) for link in network.links.values()) == 6
    trips = grid_trips(grid, network, load=0.5, length_s=600, seed=1)
    totals = Simulator(network, [trips], begin_s=0, end_s=1200).run([plan])[0][0]
    assert totals.done_veh == totals.veh > 0

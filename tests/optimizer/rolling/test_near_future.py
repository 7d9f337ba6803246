"""Vehicles drawn for the next minutes: laid out as the simulation does, every second of delay somebody's."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from network_data.network import RoadNetwork
from network_data.trips import Trips
from optimizer.rolling import _kernels
from optimizer.rolling.estimate import Estimate
from optimizer.rolling.layout import prior_of, street_layout
from optimizer.rolling.near_future import NearFuture, Vehicles, cumulative_shares
from optimizer.rolling.plan_book import PlanBook
from sim import _tables as k
from sim.compile import compile_plan, compile_trips
from sim.lanes_ahead import LINKS_AHEAD
from sim.simulate import Simulator
from tests.builders import SPACING_M
from tests.network_data.signal_grids import signal_grid
from tests.optimizer.rolling.scenes import Street, arterial, grid
from tests.sim.random_networks import random_network, random_trips


def drawn(street: Street, horizon_s: float = 300.0, standing: float = 0.0) -> tuple[NearFuture, Vehicles, PlanBook]:
    """Vehicles of a street, ready to be run under its plan."""
    layout = street_layout(street.network)
    prior = prior_of(layout, street.demand())
    estimate = Estimate(
        np.ones(len(layout.links)), prior.entry_vps[0], prior.choice_vps[0], np.zeros(len(layout.links))
    )
    future = NearFuture(layout, horizon_s, delay=1.0, stops=0.0, blocked=0.0)
    stands = np.where(layout.target >= 0, standing, 0.0)
    vehicles = future.draw(estimate, stands, np.random.default_rng(3))
    book = PlanBook(layout.compiled, [street.plan.controllers[name] for name in layout.signals])
    return future, vehicles, book


@pytest.mark.parametrize("seed", range(6))
def test_lanes_and_gates_are_those_of_the_simulation(seed: int) -> None:
    """On random networks and routes the kernel finds the lanes ahead and the gates that `compile_trips` finds."""
    rng = random.Random(seed)
    network = random_network(rng, 6)
    trips = replace_buses(random_trips(rng, network, 200, 300.0))
    laid_out_alike(network, trips)


def test_lanes_over_many_short_links_are_those_of_the_simulation() -> None:
    """Where blocks are short drivers look over several of them."""
    network = signal_grid(6, 6, spacing_m=35.0)
    laid_out_alike(network, replace_buses(random_trips(random.Random(1), network, 400, 300.0)))


def laid_out_alike(network: RoadNetwork, trips: Trips) -> None:
    """Lanes ahead and gates of the kernel are those of `compile_trips`."""
    compiled = street_layout(network).compiled
    want = compile_trips(compiled, trips, begin_s=0.0, seed=0)
    lanes, gate = np.empty(len(want.route), np.int32), np.empty(len(trips), np.int64)
    length_m = np.array([network.links[link].length_m for link in compiled.lane_link])
    _kernels.lanes_and_gates(
        compiled.arrays.pair, compiled.arrays.conn[:, k.TO_MASK].astype(np.int64), length_m,
        compiled.parameters.lane_ahead_m, LINKS_AHEAD, trips.route_start, want.route, lanes, gate,
    )  # fmt: skip
    np.testing.assert_array_equal(lanes, want.lanes)
    np.testing.assert_array_equal(gate, want.vehicle[:, k.GATE])


def replace_buses(trips: Trips) -> Trips:
    """The same vehicles, all of them cars."""
    return replace(trips, kind=np.zeros(len(trips), np.int8))


def test_delay_by_signal_adds_up_to_all_of_it() -> None:
    """What signals and the rest of the network lose is what the simulation says is lost in all, entries included."""
    street = grid(3, 3, vph=500.0)
    future, vehicles, book = drawn(street)
    vehicles = replace(vehicles, begin_s=0.0)
    outcome = future.run(vehicles, book.at_moment(0.0))
    layout = future.layout
    start = np.append(vehicles.arrays.vehicle[:, k.ROUTE0], vehicles.n_steps).astype(np.int64)
    link = layout.link_of_lane[layout.compiled.arrays.pair[vehicles.arrays.route, k.PAIR_LANE]]
    trips = Trips(
        links=layout.links,
        depart_s=vehicles.arrays.vehicle[:, k.DEPART] / 10,
        route_start=start,
        route_link=link.astype(np.int32),
        kind=np.zeros(vehicles.n, np.int8),
        length_m=np.full(vehicles.n, layout.compiled.spacing_m),
        dwell_s=np.empty(0),
        standing=vehicles.arrays.vehicle[:, k.STANDING].astype(bool),
    )
    simulator = Simulator(street.network, [trips], begin_s=0.0, end_s=vehicles.end_s)
    # the same drivers: pace is drawn by both, and only what is drawn here is compared
    simulator._trips[0] = vehicles.arrays
    total = simulator.run([street.plan])[0][0]
    # vehicles that wait to be where they stood at the begin are counted by the simulation alone
    assert outcome.total == pytest.approx(total.delay_s, rel=0.005)
    assert outcome.by_signal.sum() == pytest.approx(outcome.total)


def test_routes_follow_the_turning_shares() -> None:
    """Of the vehicles at the end of a link each turn takes its share, and routes end where nobody goes on."""
    street = grid(2, 2, vph=900.0)
    future, vehicles, _ = drawn(street, horizon_s=3600.0)
    layout = future.layout
    turned = np.bincount(vehicles.arrays.route, minlength=int(layout.pair.max()) + 1)[layout.pair]
    straight = {(c.from_link, c.to_link) for c in street.network.connections if c.direction == "s"}
    goes = [
        (layout.links[a], layout.links[b]) in straight if b >= 0 else False
        for a, b in zip(layout.choice_link, layout.target, strict=True)
    ]
    onward = turned[layout.target >= 0].sum()
    assert turned[np.array(goes)].sum() / onward == pytest.approx(0.8, abs=0.02)


def test_links_without_flow_end_trips() -> None:
    """Where no choice has any flow the last one, the end of the trip, takes all."""
    layout = street_layout(arterial().network)
    shares = cumulative_shares(layout, np.zeros(len(layout.target)))
    assert (shares == 0).all()


def test_vehicles_that_stand_are_there_at_once() -> None:
    """Queues at the moment are vehicles at the stop line from the first second on."""
    future, vehicles, book = drawn(arterial(), standing=5.0)
    stands = vehicles.arrays.vehicle[:, k.STANDING] == 1
    assert (vehicles.arrays.vehicle[stands, k.DEPART] == 0).sum() == 5 * (future.layout.target >= 0).sum()
    assert future.run(vehicles, book.at_moment(0.0)).total > 0


def test_the_book_holds_what_the_simulation_would_compile() -> None:
    """A plan kept up to date signal by signal, from a moment on, is the plan compiled anew for that moment."""
    street = grid(2, 2)
    layout = street_layout(street.network)
    book = PlanBook(layout.compiled, [street.plan.controllers[name] for name in layout.signals])
    at = layout.signals.index("2.1")
    shifted = replace(street.plan.controllers["2.1"], offset_s=17.0)
    book.put(at, shifted)
    plan = replace(street.plan, controllers={**street.plan.controllers, "2.1": shifted})
    got, want = book.at_moment(1234.0), compile_plan(layout.compiled, plan, begin_s=1234.0)
    np.testing.assert_array_equal(got.signal, want.signal)
    np.testing.assert_array_equal(got.window, want.window)


def test_spacing_of_vehicles_is_the_street_s() -> None:
    """Vehicles drawn have the length that lanes' storage is counted in."""
    future, vehicles, _ = drawn(arterial())
    assert vehicles.arrays.vehicle[:, k.LENGTH].max() == round(10 * future.layout.compiled.spacing_m)
    assert abs(future.layout.compiled.spacing_m - SPACING_M) < 3

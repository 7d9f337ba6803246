"""Vehicles drawn from turning flows: as many as asked, as clumped as asked, by the turning shares."""

from collections import Counter

import numpy as np
import pytest

from network_data.network import RoadNetwork
from network_data.trips import Trips
from sim.compile import compile_network, compile_trips
from sim.parameters import STREET
from sim.trips import MAX_STEPS, MINUTE_SHARE, draw_trips
from tests.builders import NetworkBuilder, demand, road, two_signals

ENTRIES = {("", "a0"): 60.0, ("", "sp"): 20.0, ("", "sq"): 10.0}
THROUGH = {("a0", "a1"): 60.0, ("a1", "a2"): 60.0, ("sp", "np"): 20.0, ("sq", "nq"): 10.0}
ENDS = {("a2", ""): 60.0, ("np", ""): 20.0, ("nq", ""): 10.0}


def routes(trips: Trips) -> list[str]:
    """Each vehicle's links as text."""
    edges = zip(trips.route_start[:-1], trips.route_start[1:], strict=True)
    return [" ".join(trips.links[i] for i in trips.route_link[a:b]) for a, b in edges]


def fork() -> RoadNetwork:
    """A link "in" that leads to "left" and "right"; nothing else is connected; "loop" leads to itself."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=500.0, speed_mps=10.0)
    for name, ends in (("left", "c l"), ("right", "c r"), ("apart", "x y"), ("loop", "o o")):
        b.link(name, ends, speed_mps=10.0)
    b.turn("in left")
    b.turn("in right")
    b.turn("loop loop")
    return b.build()


def test_mean_entries_are_the_demand() -> None:
    """Over 40 draws of an hour the entries of every link are what the demand says."""
    network = two_signals()
    asked = demand(ENTRIES | THROUGH | ENDS, dispersion=3.0)
    draws = [Counter(r.split()[0] for r in routes(draw_trips(network, asked, seed=s))) for s in range(40)]
    for (_, link), veh in ENTRIES.items():
        mean = np.mean([draw[link] for draw in draws])
        # 4 standard errors of 40 sums of 12 counts whose variance is about 3 to 3.5 times their mean
        assert mean == pytest.approx(12 * veh, abs=4 * np.sqrt(3.5 * 12 * veh / 40))


def test_flows_change_from_interval_to_interval() -> None:
    """Entries follow their own interval's flow, nothing where it is zero."""
    network = two_signals()
    flow = [100.0, 0.0, 400.0, 50.0]
    asked = demand({("", "sp"): flow, ("sp", "np"): flow, ("np", ""): flow}, intervals=4, begin_s=25_200)
    depart_s = np.concatenate([draw_trips(network, asked, seed=s).depart_s for s in range(25)])
    counts = np.histogram(depart_s, 25_200 + 300 * np.arange(5))[0] / 25
    assert counts.sum() == len(depart_s) / 25
    assert counts[1] == 0
    np.testing.assert_allclose(counts, flow, atol=4 * np.sqrt(400 / 25))  # Poisson, 4 standard errors


def dispersion_of(cell_s: float, *, interval_s: float, veh_per_5min: float, asked: float) -> float:
    """Variance over mean of counts in cells of some seconds, in long draws of a constant flow."""
    network = two_signals()
    n = round(36_000 / interval_s)
    veh = veh_per_5min * interval_s / 300
    pairs = {("", "sp"): veh, ("sp", "np"): veh, ("np", ""): veh}
    wanted = demand(pairs, interval_s=interval_s, intervals=n, dispersion=asked)
    edges = np.arange(0, 36_001, cell_s)
    counts = [np.histogram(draw_trips(network, wanted, seed=s).depart_s, edges)[0] for s in range(8)]
    together = np.concatenate(counts)
    return float(together.var(ddof=1) / together.mean())


@pytest.mark.parametrize("interval_s", [60, 300, 900, 3600])
@pytest.mark.parametrize("veh_per_5min", [10.0, 80.0])
def test_minute_counts_are_as_clumped_as_asked(interval_s: float, veh_per_5min: float) -> None:
    """Beyond Poisson's, minute counts have a third of the dispersion of 5-minute counts, fine demand or coarse."""
    found = dispersion_of(60, interval_s=interval_s, veh_per_5min=veh_per_5min, asked=7.0)
    # 4,800 counts: standard error of a variance 4 to 6 % (gamma tails), so 15 % are about 3 of them
    assert found == pytest.approx(1 + MINUTE_SHARE * 6.0, rel=0.15)


@pytest.mark.parametrize("interval_s", [900, 3600])
def test_five_minute_counts_of_coarse_demand_are_as_clumped_as_asked(interval_s: float) -> None:
    """Where the demand's intervals cannot hold the variation of 5-minute counts, the draw makes it."""
    found = dispersion_of(300, interval_s=interval_s, veh_per_5min=80.0, asked=7.0)
    assert found == pytest.approx(7.0, rel=0.15)


def test_dispersion_one_is_poisson() -> None:
    """Variance over mean 1, and below 1 counts as 1."""
    for asked in (1.0, 0.3):
        assert dispersion_of(300, interval_s=300, veh_per_5min=30.0, asked=asked) == pytest.approx(1.0, rel=0.15)


def test_turning_shares_are_respected() -> None:
    """A quarter turns left, three quarters right, also when one of them ends there."""
    network = fork()
    asked = demand({("", "in"): 400.0, ("in", "left"): 100.0, ("in", "right"): 240.0, ("in", ""): 60.0})
    drawn = Counter(routes(draw_trips(network, asked, seed=1)))
    total = sum(drawn.values())
    assert set(drawn) == {"in left", "in right", "in"}
    for route, share in (("in left", 0.25), ("in right", 0.6), ("in", 0.15)):
        assert drawn[route] / total == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / total))


def test_shares_are_those_of_the_time_at_the_end_of_the_link() -> None:
    """Whoever reaches the fork after the change turns as the later interval says: 50 s of travel later."""
    network = fork()
    asked = demand({("", "in"): [60.0, 60.0], ("in", "left"): [60.0, 0.0], ("in", "right"): [0.0, 60.0]}, intervals=2)
    drawn = draw_trips(network, asked, seed=2)
    for depart_s, route in zip(drawn.depart_s, routes(drawn), strict=True):
        assert route == ("in left" if depart_s + 50.0 < 300.0 else "in right")


def test_an_interval_without_flow_turns_by_the_period_s_shares() -> None:
    """Vehicles that arrive where their interval has no turning flow do not vanish."""
    network = fork()
    asked = demand({("", "in"): [90.0, 90.0], ("in", "left"): [90.0, 0.0], ("in", "right"): [0.0, 0.0]}, intervals=2)
    assert set(routes(draw_trips(network, asked, seed=3))) == {"in left"}


def test_pairs_without_a_way_are_never_driven() -> None:
    """Flows between unconnected links take no part; the others keep their shares among themselves."""
    network = fork()
    asked = demand({("", "in"): 100.0, ("in", "apart"): 900.0, ("in", "left"): 50.0, ("in", "right"): 50.0})
    drawn = Counter(routes(draw_trips(network, asked, seed=4)))
    assert set(drawn) == {"in left", "in right"}
    assert drawn["in left"] / sum(drawn.values()) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(1200))


def test_links_without_turning_flow_end_the_trip() -> None:
    """Where the demand says nothing about what follows, vehicles leave the network."""
    network = two_signals()
    assert set(routes(draw_trips(network, demand({("", "a0"): 30.0, ("a0", "a1"): 30.0}), seed=0))) == {"a0 a1"}


def test_a_loop_ends_after_the_most_steps() -> None:
    """A trip that never leaves by its shares is cut, not endless."""
    drawn = draw_trips(fork(), demand({("", "loop"): 3.0, ("loop", "loop"): 99.0}, intervals=1), seed=0)
    assert len(drawn) > 0
    assert set(np.diff(drawn.route_start)) == {MAX_STEPS}


def test_same_seed_same_trips() -> None:
    """A draw repeats bit by bit; another seed gives other vehicles."""
    network = two_signals()
    asked = demand(ENTRIES | THROUGH | ENDS, dispersion=3.0)
    one, two, other = (draw_trips(network, asked, seed=s) for s in (7, 7, 8))
    assert (one.depart_s == two.depart_s).all()
    assert (one.route_link == two.route_link).all()
    assert one.depart_s.tolist() != other.depart_s.tolist()


def test_departures_are_in_order_and_in_the_period() -> None:
    """Sorted, from the warm-up's begin to the end; the warm-up has the first interval's rate."""
    network = two_signals()
    asked = demand(ENTRIES | THROUGH | ENDS, begin_s=25_200, intervals=6)
    drawn = draw_trips(network, asked, seed=0, warmup_s=600)
    assert (np.diff(drawn.depart_s) >= 0).all()
    assert drawn.depart_s.min() >= 24_600
    assert drawn.depart_s.max() < 27_000
    early = (drawn.depart_s < 25_200).sum()
    assert early == pytest.approx(180, abs=4 * np.sqrt(180))


def test_drawn_trips_are_what_the_simulation_reads() -> None:
    """All routes are driven over connections; lengths and kinds are set; no demand is no vehicle."""
    network = two_signals()
    drawn = draw_trips(network, demand(ENTRIES | THROUGH | ENDS), seed=0, spacing_m=6.2)
    table = compile_trips(compile_network(network, STREET), drawn, begin_s=0, seed=0)
    assert len(table.vehicle) == len(drawn) == len(drawn.kind)
    assert set(drawn.length_m) == {6.2}
    nothing = draw_trips(network, demand({("", "a0"): 0.0}), seed=0)
    assert len(nothing) == 0
    assert nothing.route_start.tolist() == [0]


def test_a_vehicle_now_and_then_can_be_drawn_however_clumped() -> None:
    """Flows of a vehicle every few hours in quarters of an hour, strongly clumped: no draw fails, the mean is kept."""
    network = road(2)
    few = demand({("", "0"): 0.05, ("0", "1"): 0.05, ("1", ""): 0.05}, interval_s=900.0, intervals=96, dispersion=12.0)
    drawn = [len(draw_trips(network, few, seed=seed)) for seed in range(60)]
    # 4.8 a day, variance some 12 times that: 60 days have a mean within 4 standard errors
    assert abs(sum(drawn) / 60 - 4.8) < 4 * (4.8 * 12 / 60) ** 0.5

"""What the filters make of demand: shares, entries, periods, from turning flows and from vehicles."""

import numpy as np
import pytest

from network_data.demand import Demand
from network_data.errors import DemandError
from sim.filter_flows import flows_of_demand, flows_of_trips, inputs_of, movement_flows_vps
from sim.filter_inputs import FilterNetwork, filter_network, lane_use, start_loss_s
from sim.parameters import STREET, SimParameters
from tests.builders import V50_MPS, NetworkBuilder, demand, left_turn, road, single_approach, trips, two_signals


def fork() -> FilterNetwork:
    """One link that forks into two."""
    b = NetworkBuilder()
    for name, ends in (("in", "a c"), ("left", "c l"), ("right", "c r")):
        b.link(name, ends, length_m=V50_MPS * 100)
    b.turn("in left")
    b.turn("in right")
    return filter_network(b.build(), STREET)


def test_shares_follow_the_intervals() -> None:
    """Shares of each interval, the period's where an interval has no flow; ends count too."""
    net = fork()
    flows = flows_of_demand(
        net,
        demand(
            {("", "in"): [40, 40, 0], ("in", "left"): [30, 0, 0], ("in", "right"): [10, 20, 0], ("in", ""): [0, 20, 0]},
            intervals=3,
        ),
    )
    left, right = (net.movements.index(("in", x)) for x in ("left", "right"))

    np.testing.assert_allclose(flows.share[:, left], [0.75, 0.0, 30 / 80])
    np.testing.assert_allclose(flows.share[:, right], [0.25, 0.5, 30 / 80])
    np.testing.assert_allclose(flows.end_share[:, net.link_of["in"]], [0.0, 0.5, 20 / 80])
    np.testing.assert_allclose(flows.entry_vps[:, net.link_of["in"]] * 300, [40, 40, 0])
    assert flows.veh == pytest.approx(80)


def test_vehicles_count_where_they_turn_and_enter_when_they_come() -> None:
    """Turns are booked at the second they are reached in free flow, entries at their departure."""
    net = fork()
    vehicles = trips(net.network, [(10, "in left"), (250, "in right"), (299, "in right"), (310, "in")])
    flows = flows_of_trips(net, vehicles, begin_s=0, end_s=600, interval_s=300, entry_step_s=5)
    left, right = (net.movements.index(("in", x)) for x in ("left", "right"))

    # 100 s and a little to the fork: the one of 250 s turns in the second interval
    np.testing.assert_allclose(flows.share[:, left], [1.0, 0.0])
    np.testing.assert_allclose(flows.share[:, right], [0.0, 2 / 3])
    assert np.flatnonzero(flows.entry_vps[:, net.link_of["in"]]).tolist() == [2, 50, 59, 62]
    assert flows.veh == 4


def test_flows_add_up_along_the_way() -> None:
    """Spread by shares, the flow of a road is the entry flow on all its links."""
    net = filter_network(road(4), STREET)
    pairs = {("", "0"): 60.0, ("0", "1"): 60.0, ("1", "2"): 60.0, ("2", "3"): 60.0, ("3", ""): 60.0}

    np.testing.assert_allclose(movement_flows_vps(net, flows_of_demand(net, demand(pairs))), 0.2)


def test_periods_hold_the_same_vehicles() -> None:
    """Twelve intervals of 300 s in periods of 900 s: four, with all vehicles; a rest joins the last."""
    net = fork()
    veh = np.arange(12.0)
    flows = flows_of_demand(net, demand({("", "in"): veh, ("in", "left"): veh, ("in", "right"): veh}))
    periods = flows.periods(900)

    assert [(p.begin_s, p.end_s) for p in periods] == [(0, 900), (900, 1800), (1800, 2700), (2700, 3600)]
    assert sum(p.veh for p in periods) == pytest.approx(flows.veh)
    assert [p.end_s for p in flows.periods(1000)] == [1200, 2400, 3600]
    assert [p.end_s for p in flows.periods(1500)] == [1500, 3600]
    assert [p.end_s for p in flows.periods(9000)] == [3600]


def test_clumped_vehicles_are_seen() -> None:
    """Vehicles that come all in every second 5 minutes have a large variance over mean; even ones have 1 or less."""
    net = fork()
    even = trips(net.network, [(float(t), "in left") for t in range(0, 3600, 20)])
    clumped = trips(net.network, [(600.0 * (i % 6) + i / 10, "in left") for i in range(180)])
    clumped = trips(net.network, sorted((float(t), "in left") for t in clumped.depart_s))
    found = [flows_of_trips(net, x, begin_s=0, end_s=3600).dispersion for x in (even, clumped)]

    assert found[0] == 1.0
    assert found[1] > 5


def test_odd_demand_is_refused() -> None:
    """Gaps between intervals, no intervals, unknown links, trips without a period: each with its reason."""
    network = single_approach()
    net = filter_network(network, STREET)
    flows = demand({("", "in"): 5.0}, intervals=2)
    gap = Demand(
        begin_s=flows.begin_s + np.array([0, 60]),
        end_s=flows.end_s + np.array([0, 60]),
        pairs=flows.pairs,
        veh=flows.veh,
        sd_veh=flows.sd_veh,
        support=flows.support,
    )

    with pytest.raises(DemandError, match="do not follow each other"):
        flows_of_demand(net, gap)
    with pytest.raises(DemandError, match="no interval"):
        flows_of_demand(net, demand({("", "in"): 5.0}, intervals=0))
    with pytest.raises(DemandError, match="need begin_s and end_s"):
        inputs_of(network, trips(network, [(0, "in out")]), begin_s=None, end_s=None, parameters=STREET)
    with pytest.raises(DemandError, match="link '1' is not in the network"):
        flows_of_trips(net, trips(road(2), [(0, "0 1")]), begin_s=0, end_s=60)


def test_lanes_fill_evenly() -> None:
    """A movement with a lane of its own uses it before one it shares with a busy one."""
    b = NetworkBuilder()
    b.link("in", "a c", lanes=2)
    b.link("on", "c z", lanes=2)
    b.link("side", "c s")
    b.turn("in side", lanes=(0, 0))
    b.turn("in on", lanes=(0, 0))
    b.turn("in on", lanes=(1, 1))
    net = filter_network(b.build(), STREET)
    flow = np.zeros(2)
    flow[net.movements.index(("in", "side"))], flow[net.movements.index(("in", "on"))] = 0.1, 0.2
    use = lane_use(net, flow)
    by_lane = {lane: sum(u for u, t in zip(use, net.turns, strict=True) if t.lane == lane) for lane in (0, 1)}

    assert by_lane[0] == pytest.approx(by_lane[1]) == pytest.approx(0.15)
    flow[net.movements.index(("in", "side"))] = 0.4
    on_lane_0 = [u for u, t in zip(lane_use(net, flow), net.turns, strict=True) if t.lane == 0]
    assert min(on_lane_0) == 0.0


def test_foes_come_from_other_links() -> None:
    """A left turn gives way to the opposing stream; what comes from its own link keeps the lane's order."""
    net = filter_network(left_turn(wait_m=6.0), STREET)
    turn, through = net.movements.index(("wi", "no")), net.movements.index(("ei", "wo"))

    assert net.mv_foes[turn] == (through,)
    assert net.mv_foes[through] == ()
    assert next(t for t in net.turns if t.movement == turn).places == 2


def test_start_loss_is_what_the_first_vehicles_lack() -> None:
    """Vehicle 4 passes at 1.0 + 3.0 + 2 · 2.1 = 8.2 s; at 2 s headways it would at 3.5 · 2 = 7 s."""
    parameters = SimParameters(start_up_s=1.0, second_headway_s=3.0, early_headway_s=2.1, n_early=4)

    assert start_loss_s(parameters, 2.0) == pytest.approx(1.2)
    assert start_loss_s(SimParameters(start_up_s=0.0, n_early=1), 2.0) == 0.0


def test_every_controller_has_its_movements() -> None:
    """Movements know their controller."""
    net = filter_network(two_signals(), STREET)

    assert {net.controllers[c] for c in net.mv_clock} == {"p", "q"}

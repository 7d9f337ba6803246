"""Measures of a plan: they add up to the totals, and small cases are those counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.measures import Measures, measure
from sim.parameters import STREET
from sim.simulate import Simulator
from tests.builders import SPACING_M, V50_MPS, field_plan, left_turn, program, single_approach, trips, two_signals
from tests.sim.test_simulate import arterial_trips

IDEAL = replace(STREET, speed_spread=0.0, dawdle=0.0)


def measured(network: RoadNetwork, rows, *, end_s: float = 600.0, plan: TimingPlan | None = None, **more) -> Measures:
    """Measures of one realization with drivers all alike."""
    sim = Simulator(network, [trips(network, rows)], begin_s=0.0, end_s=end_s, parameters=IDEAL, **more)
    return measure(sim, plan or field_plan(network))


def test_network_measures_are_the_totals() -> None:
    """Mean and standard error over realizations of delay per vehicle, stops and blocked time."""
    network = two_signals()
    sim = Simulator(network, [arterial_trips(network, seed=s) for s in range(4)], begin_s=0.0, end_s=600.0)
    totals = sim.run([field_plan(network)])[0]
    found = measure(sim, field_plan(network)).network
    delays = [t.delay_s_per_veh for t in totals]
    assert found.delay_s_per_veh == pytest.approx(np.mean(delays))
    assert found.delay_se_s == pytest.approx(np.std(delays, ddof=1) / 2)
    assert found.veh == pytest.approx(np.mean([t.veh for t in totals]))
    assert found.stops_per_veh == pytest.approx(np.mean([t.stops / t.veh for t in totals]))
    assert found.spillback_s == pytest.approx(np.mean([t.blocked_s for t in totals]))


def test_delays_of_movements_exits_and_entries_make_the_total() -> None:
    """Delay over all movements plus what arises on exits and at entries is the network's delay."""
    network = two_signals()
    rows = [(2.0 * n, "a0 a1 a2" if n % 3 else "sp np") for n in range(150)]
    sim = Simulator(network, [trips(network, rows)], begin_s=0.0, end_s=600.0, parameters=IDEAL)
    totals = sim.run([field_plan(network)])[0][0]
    found = measure(sim, field_plan(network))
    by_movement = sum(m.delay_s_per_veh * m.demand_vph / 6 for m in found.movements.values())
    # with drivers all alike, exits cost nothing but what a platoon's spacing adds at its head
    assert by_movement + totals.gate_delay_s == pytest.approx(totals.delay_s, rel=0.01)


def test_signals_collect_their_movements() -> None:
    """Vehicles and delay of a signal are those of its movements."""
    network = two_signals()
    rows = [(2.0 * n, "a0 a1 a2" if n % 3 else "sq nq") for n in range(150)]
    found = measured(network, rows)
    for controller, names in (("p", ("a0>a1", "sp>np")), ("q", ("a1>a2", "sq>nq"))):
        mine = [found.movements[name] for name in names]
        veh = sum(m.demand_vph / 6 for m in mine)
        assert found.signals[controller].veh == pytest.approx(veh)
        delay_s = sum(m.delay_s_per_veh * m.demand_vph / 6 for m in mine)
        assert found.signals[controller].delay_s_per_veh == pytest.approx(delay_s / veh)
        assert {m.controller_id for m in mine} == {controller}
        assert found.cycle_s[controller] == 60


def test_a_queue_behind_red_is_counted() -> None:
    """Ten vehicles before an endless red: a queue of 10, no flow over the line yet, each waits to the end."""
    network = single_approach(((60, "r"),), length_m=300.0)
    found = measured(network, [(3.0 * n, "in out") for n in range(10)], end_s=300.0)
    m = found.movements["in>out"]
    arrive_s = [3.0 * n + 300 / V50_MPS for n in range(10)]
    assert m.flow_vph == 0
    assert m.demand_vph == pytest.approx(10 * 12)
    assert m.queue_max_veh == 10
    assert m.queue_p95_veh == 10
    # 0.05 s per vehicle: times are tenths of seconds
    assert m.queue_mean_veh == pytest.approx(sum(300 - a for a in arrive_s) / 300, abs=0.05 * 10 / 300 + 1e-9)
    assert m.delay_s_per_veh == pytest.approx(np.mean([300 - a for a in arrive_s]), abs=0.1)
    assert found.network.queue_max_veh == 10
    assert found.left_veh["in", 0] == 0
    assert found.entered_veh["in", 0] == 10
    assert m.v_over_c == float("inf")
    assert m.storage_veh == 52  # 300 m at 5.8 m


def test_flow_over_capacity_and_arrivals_on_green() -> None:
    """Vehicles that all arrive on green: share 1; v/c is flow over effective green share times saturation flow."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=300.0)
    first = 60 - 300 / V50_MPS + 5
    found = measured(network, [(first + 60.0 * c + 4.0 * n, "in out") for c in range(9) for n in range(5)], end_s=600.0)
    m = found.movements["in>out"]
    assert m.on_green == 1.0
    assert m.flow_vph == pytest.approx(45 * 6)
    saturation_vph = 3600 / (1.5 + SPACING_M / V50_MPS)
    # 30 s less 1 s start-up and with 1.5 s of yellow; 1 %: headways are tenths of seconds
    assert m.v_over_c == pytest.approx(270 / (saturation_vph * 30.5 / 60), rel=0.01)
    assert m.capacity_vph == pytest.approx(270 / m.v_over_c)
    assert m.delay_s_per_veh == pytest.approx(0.0, abs=0.1)
    assert m.stops_per_veh == 0.0
    assert m.links == (0,)


def test_who_arrives_on_red_is_not_on_green() -> None:
    """All arrive 5 s into red: share 0, and one stop each."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=300.0)
    first = 60 - 300 / V50_MPS + 38
    m = measured(network, [(first + 60.0 * c, "in out") for c in range(8)], end_s=600.0).movements["in>out"]
    assert m.on_green == 0.0
    assert m.stops_per_veh == 1.0
    # 22 s of red are left, then the start-up
    assert m.delay_s_per_veh > 22


def test_waiting_inside_the_junction_counts_for_the_movement_once() -> None:
    """A left turn that waits inside is one vehicle of its movement, with the delay of both places."""
    network = left_turn(((57, "Gg"), (3, "yy")), wait_m=2 * SPACING_M, turn_speed_mps=8.0)
    rows = sorted([(3.0 * n, "ei wo") for n in range(150)] + [(20.0 * n, "wi no") for n in range(20)])
    found = measured(network, rows)
    m = found.movements["wi>no"]
    assert m.flow_vph / 6 == 20
    assert m.delay_s_per_veh > 2


def test_warm_up_vehicles_are_left_out_of_movements() -> None:
    """Only passages from begin on count."""
    network = two_signals()
    rows = [(-120.0 + 10 * n, "sp np") for n in range(30)]
    sim = Simulator(network, [trips(network, rows)], begin_s=0.0, end_s=600.0, warmup_s=180.0, parameters=IDEAL)
    found = measure(sim, field_plan(network))
    passed = found.movements["sp>np"].flow_vph / 6
    assert found.network.veh == 18
    assert 18 <= passed <= 22  # and those who were on the way at the begin


def test_warm_up_is_no_spillback() -> None:
    """Blocked and full lanes of the first and of the second five minutes add up to those of ten."""
    network = two_signals(between_m=58.0)
    plan = TimingPlan(
        controllers={
            "p": program(((60, "Gr"),), controller_id="p"),
            "q": program(((10, "Gr"), (3, "yr"), (47, "rG")), controller_id="q"),
        }
    )
    vehicles = trips(network, [(4.0 * n, "a0 a1 a2") for n in range(150)])
    whole, first, second = (
        measure(Simulator(network, [vehicles], begin_s=begin_s, end_s=end_s, warmup_s=begin_s), plan)
        for begin_s, end_s in ((0.0, 600.0), (0.0, 300.0), (300.0, 600.0))
    )
    for views in zip(*([m.network, m.signals["q"]] for m in (whole, first, second)), strict=True):
        total, *parts = (view.spillback_s for view in views)
        assert min(parts) > 100
        assert sum(parts) == pytest.approx(total)


def test_a_full_approach_is_spillback() -> None:
    """The time in which a lane of an approach is full counts for its signal."""
    network = two_signals(between_m=58.0)
    plan = TimingPlan(
        controllers={
            "p": program(((60, "Gr"),), controller_id="p"),
            "q": program(((10, "Gr"), (3, "yr"), (47, "rG")), controller_id="q"),
        }
    )
    found = measured(network, [(4.0 * n, "a0 a1 a2") for n in range(150)], plan=plan)
    assert found.signals["q"].spillback_s > 200
    assert found.signals["q"].queue_max_veh <= found.movements["a1>a2"].storage_veh
    assert found.network.spillback_s > 200
    assert found.movements["sp>np"].flow_vph == 0
    assert found.movements["sp>np"].delay_s_per_veh == 0

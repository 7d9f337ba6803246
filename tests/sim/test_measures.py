"""Measures of a plan: they add up to the totals, and small cases are those counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from network_data.errors import DemandError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim.emissions import CO2_KG_PER_L, fuel_rates
from sim.measures import Measures, measure
from sim.parameters import STREET
from sim.persons import BUS_PERSONS, CAR_PERSONS
from sim.simulate import Simulator
from tests.builders import (
    SPACING_M,
    V50_MPS,
    NetworkBuilder,
    field_plan,
    left_turn,
    program,
    single_approach,
    trips,
    two_signals,
)
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


def bus_street() -> RoadNetwork:
    """A signal with a bus lane (1) beside a general lane (0)."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=400.0, lanes=2, kinds={1: "bus"})
    b.link("out", "c z", length_m=300.0, lanes=2)
    b.turn("in out", lanes=(0, 0), head=("c", 0))
    b.turn("in out", lanes=(1, 1), head=("c", 0), kind="bus")
    b.program("c", ((20, "G"), (3, "y"), (37, "r")))
    return b.build()


def test_buses_have_their_own_delay() -> None:
    """On their lane they wait less than cars; both classes together are all vehicles and all their delay."""
    network = bus_street()
    rows = [(3.5 * n, "in out") for n in range(150)]
    kinds = [int(n % 10 == 5) for n in range(150)]
    sim = Simulator(network, [trips(network, rows, kind=kinds)], begin_s=0.0, end_s=600.0, parameters=IDEAL)
    totals = sim.run([field_plan(network)])[0][0]
    found = measure(sim, field_plan(network))
    car, bus = found.classes["car"], found.classes["bus"]
    assert (car.veh, bus.veh) == (135, 15)
    assert bus.delay_s_per_veh < 0.6 * car.delay_s_per_veh
    assert car.veh * car.delay_s_per_veh + bus.veh * bus.delay_s_per_veh == pytest.approx(totals.delay_s)
    for measured_here in (found.network, found.signals["c"], found.movements["in>out"]):
        assert measured_here.bus_delay_s_per_veh == pytest.approx(bus.delay_s_per_veh, rel=0.05)
        assert bus.delay_s_per_veh < measured_here.person_delay_s < measured_here.delay_s_per_veh
    assert found.network.persons == 135 * CAR_PERSONS + 15 * BUS_PERSONS
    general, reserved = found.lane_groups["in:0"], found.lane_groups["in:1"]
    assert general.bus_delay_s_per_veh is None
    assert reserved.bus_delay_s_per_veh == reserved.delay_s_per_veh


@pytest.mark.parametrize("end_s", [290.0, 600.0, 900.0])
def test_classes_add_up_to_the_total_whatever_is_on_the_way(end_s: float) -> None:
    """Vehicles at entries and on their first link at the end, and those of the warm-up, are shared out alike."""
    network = two_signals(between_m=58.0)
    rows = [(-100.0 + 2.0 * n, "a0 a1 a2" if n % 3 else "sp np") for n in range(300)]
    kinds = [int(n % 7 == 0) for n in range(300)]
    vehicles = trips(network, rows, kind=kinds)
    sim = Simulator(network, [vehicles], begin_s=0.0, end_s=end_s, warmup_s=120.0)
    totals = sim.run([field_plan(network)])[0][0]
    classes = measure(sim, field_plan(network)).classes.values()
    assert sum(c.veh for c in classes) == totals.veh
    assert sum(c.veh * c.delay_s_per_veh for c in classes) == pytest.approx(totals.delay_s)


def test_one_realization_knows_no_standard_error() -> None:
    """None everywhere; with several the spread tells, and alike ones have none."""
    network = two_signals()
    one, several, alike = (
        measure(
            Simulator(network, [arterial_trips(network, seed=s) for s in seeds], begin_s=0.0, end_s=600.0, seed=3),
            field_plan(network),
        )
        for seeds in ((0,), (0, 1, 2), (0, 0))
    )
    for found in (one, several, alike):
        rows = [found.network, *found.signals.values(), *found.movements.values(), *found.lane_groups.values()]
        assert all(row.se for row in rows)
        if found is one:
            assert all(error is None for row in rows for error in row.se.values())
            assert found.network.delay_se_s is None
        else:
            assert all(error is not None and error >= 0 for row in rows for error in row.se.values())
    assert several.network.delay_se_s > 0
    assert alike.network.se["veh"] == 0


def test_lane_groups_share_out_what_movements_do() -> None:
    """Lanes that serve the same are one group; flows, fuel and delay of groups and of movements are the signal's."""
    network = bus_street()
    found = measured(network, [(3.0 * n, "in out") for n in range(100)])
    movement, groups = found.movements["in>out"], found.lane_groups
    assert set(groups) == {"in:0", "in:1"}
    assert groups["in:0"].movements == ("in>out",)
    assert sum(g.demand_vph for g in groups.values()) == pytest.approx(movement.demand_vph)
    assert sum(g.fuel_l for g in groups.values()) == pytest.approx(movement.fuel_l)
    assert movement.fuel_l == pytest.approx(found.signals["c"].fuel_l)
    assert groups["in:1"].demand_vph == groups["in:1"].v_over_c == groups["in:1"].queue_max_veh == 0
    # nobody on the bus lane: its saturation flow for the effective green, 20 s less 1 s and with 1.5 s of yellow
    assert groups["in:1"].capacity_vph == pytest.approx(3600 / (1.5 + SPACING_M / V50_MPS) * 20.5 / 60, rel=0.01)
    assert movement.v_over_c == pytest.approx(groups["in:0"].v_over_c)
    assert found.signals["c"].v_over_c == groups["in:0"].v_over_c


def test_capacity_is_what_a_saturated_approach_discharges() -> None:
    """Seen at half the flow and at a third more: an eighth below what passes when there is always a queue, at most."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=2500.0)
    half, full, over = (
        measured(
            network,
            [(3600 / flow * n - 600, "in out") for n in range(flow * 7 // 6)],
            end_s=3600.0,
            warmup_s=600.0,
        ).movements["in>out"]
        for flow in (450, 860, 1200)
    )
    assert over.v_over_c > 1 > full.v_over_c > half.v_over_c
    assert over.capacity_vph == pytest.approx(over.flow_vph, rel=0.01)
    assert half.capacity_vph == pytest.approx(over.capacity_vph, rel=0.12)
    assert over.los_hcm == "F"
    assert half.delay_s_per_veh < over.delay_s_per_veh


def test_a_permitted_turn_has_the_capacity_of_its_gaps() -> None:
    """Opposing traffic takes capacity from a left turn that waits inside the junction, seen already at low flow."""
    network = left_turn(((57, "Gg"), (3, "yy")), wait_m=2 * SPACING_M, turn_speed_mps=8.0)
    free, opposed = (
        measured(
            network,
            sorted(
                [(3600 / n_opposing * n, "ei wo") for n in range(n_opposing)]
                + [(36.0 * n, "wi no") for n in range(100)]
            ),
            end_s=3600.0,
        ).movements["wi>no"]
        for n_opposing in (10, 900)
    )
    assert opposed.capacity_vph < 0.6 * free.capacity_vph
    assert opposed.v_over_c > free.v_over_c


def test_travel_time_is_free_flow_and_delay() -> None:
    """Of the network from departure to arrival; of a movement over its link."""
    network = single_approach(((60, "G"),), length_m=500.0, out_m=300.0)
    found = measured(network, [(20.0 * n, "in out") for n in range(20)])
    # 15 m of junction; 0.3 s: times are tenths of seconds, on three sections
    assert found.network.travel_time_s == pytest.approx(815 / V50_MPS, abs=0.3)
    assert found.movements["in>out"].travel_time_s == pytest.approx(500 / V50_MPS, abs=0.2)


def test_fuel_grows_with_distance_delay_and_stops() -> None:
    """Free flow burns what cruising does over the distance; red adds idling and stops; CO2 follows."""
    rows = [(20.0 * n, "in out") for n in range(20)]
    free, held = (
        measured(single_approach(cycle, length_m=500.0), rows).network
        for cycle in (((60, "G"),), ((20, "G"), (3, "y"), (37, "r")))
    )
    rates = fuel_rates(V50_MPS)
    assert free.fuel_l == pytest.approx(20 * 815 * rates.cruise_l_per_m[0], rel=0.01)
    more_l = 20 * (held.stops_per_veh * rates.stop_l[0] + held.delay_s_per_veh * rates.idle_l_per_s)
    assert held.fuel_l == pytest.approx(free.fuel_l + more_l, rel=0.01)
    assert held.co2_kg == pytest.approx(held.fuel_l * CO2_KG_PER_L)


def test_the_back_of_queue_is_the_farthest_place_anybody_stopped_at() -> None:
    """Nine per cycle, evenly, 30 s of red: v r / (1 − y) of FORMULAS, 7 to 8 vehicles, stop; fewer stand at once."""
    network = single_approach(((30, "G"), (30, "r")), length_m=800.0)
    rows = [(60 / 9 * n, "in out") for n in range(9 * 30)]
    m = measured(network, rows, end_s=1800.0).movements["in>out"]
    saturation_vps = 1 / (1.5 + SPACING_M / V50_MPS)
    farthest = 9 / 60 * 30 / (1 - 9 / 60 / saturation_vps)
    assert m.queue_p95_veh == pytest.approx(farthest, abs=1.5)
    assert m.queue_max_veh <= m.storage_veh
    assert m.queue_mean_veh < m.queue_p95_veh
    assert m.storage_use == m.queue_max_veh / m.storage_veh


def test_a_full_bay_shows_in_its_own_storage() -> None:
    """Queue, storage and spillback are of the fullest lane, not of all lanes of the movement together."""
    b = NetworkBuilder()
    b.link("up", "a b", length_m=300.0)
    b.link("in", "b c", length_m=40.0, lanes=2)
    b.link("out", "c z", length_m=300.0, lanes=2)
    for lane in range(2):
        b.turn("up in", lanes=(0, lane))
        b.turn("in out", lanes=(lane, lane), head=("c", 0))
    b.program("c", ((10, "G"), (3, "y"), (47, "r")))
    m = measured(b.build(), [(2.0 * n, "up in out") for n in range(200)]).movements["in>out"]
    assert 7 <= m.storage_veh <= 11  # 40 m at 5.8 m, and the junction before it: one lane's room, not that of both
    assert m.queue_max_veh == m.queue_p95_veh == m.storage_veh
    assert m.storage_use == 1
    assert 200 < m.spillback_s <= 600


def test_days_that_stand_for_more_days_count_more() -> None:
    """Weights of the realizations: figures lie between those of each day by them, and equal weights change nothing."""
    network = single_approach()
    draws = [trips(network, [(float(t), "in out") for t in range(0, 900, step)]) for step in (9, 3)]
    simulator = Simulator(network, draws, begin_s=0.0, end_s=900.0)
    plan = field_plan(network)
    few, many = (measure(Simulator(network, [d], begin_s=0.0, end_s=900.0), plan) for d in draws)
    got = measure(simulator, plan, weights=(0.75, 0.25))
    assert got.network.veh == pytest.approx(0.75 * few.network.veh + 0.25 * many.network.veh)
    low, high = sorted((few.network.delay_s_per_veh, many.network.delay_s_per_veh))
    assert low < got.network.delay_s_per_veh < high
    plain, even = measure(simulator, plan), measure(simulator, plan, weights=(0.5, 0.5))
    assert even.network.delay_s_per_veh == pytest.approx(plain.network.delay_s_per_veh)
    assert even.network.se["delay_s_per_veh"] == pytest.approx(plain.network.se["delay_s_per_veh"])
    with pytest.raises(DemandError, match="2 realizations"):
        measure(simulator, plan, weights=(1.0,))

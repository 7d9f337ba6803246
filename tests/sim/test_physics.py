"""The queue simulation against traffic physics: free flow, discharge, gaps, storage, growth (issue of the simulation).

Constants are the measured ones of the model's table; equalities come from hand or closed form, beside each number.
"""

import math
import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from network_data.errors import NetworkError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.trips import Trips
from sim import _tables as k
from sim.compile import compile_network, ticks
from sim.parameters import STREET
from tests.builders import (
    SPACING_M,
    V50_MPS,
    NetworkBuilder,
    Rows,
    crossing,
    left_turn,
    merge,
    program,
    road,
    single_approach,
    trips,
    two_signals,
    with_offsets,
)
from tests.sim.runs import Run, run

pytestmark = pytest.mark.kernel
ALIKE = replace(STREET, speed_spread=0.0)
IDEAL = replace(STREET, speed_spread=0.0, dawdle=0.0)
"""Drivers all alike that lose nothing on the way."""
ROWS = ((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry"))


def queue_at(route: str, n: int, at_s: float = 0.0) -> list[tuple[float, str]]:
    """So many vehicles that want to enter at once: a queue that never ends."""
    return [(at_s, route)] * n


def poisson(rng: np.random.Generator, route: str, veh: int, length_s: float) -> list[tuple[float, str]]:
    """So many vehicles at uniformly random times."""
    return [(float(t), route) for t in np.sort(rng.uniform(0, length_s, veh))]


# --- free flow -------------------------------------------------------------------------------------------------------


def test_alone_without_signals_travel_time_is_length_over_speed() -> None:
    """Three links of 200 m and two junctions of 15 m at 50 km/h: 14.4 s each and 1.08 s across; no delay at all."""
    done = run(road(3), trips(road(3), [(5.0, "0 1 2")]), length_s=100.0, parameters=IDEAL)
    # in ticks: 5 s + 144, + 11 across, + 144, + 11, + 144
    assert [row.leave for row in done.log] == [194, 349, 504]
    assert done.totals["delay"] == 0
    assert done.totals["stops"] == 0


@pytest.mark.parametrize("speed_kph", [30, 50, 70])
def test_dawdling_costs_its_share_on_every_link(speed_kph: float) -> None:
    """0.7·L/v² seconds per link, as measured (SUMO 1.28: 0.69-0.76 at 30-70 km/h); nobody in the way."""
    v = speed_kph / 3.6
    network = road(2, length_m=1000.0, speed_mps=v)
    vehicles = trips(network, [(20.0 * n, "0 1") for n in range(60)])
    done = run(network, vehicles, length_s=2000.0, parameters=replace(STREET, speed_spread=0.0))
    # three roundings to ticks: the way as driven, the free time, the junction
    assert done.totals["delay"] / 60 / 10 == pytest.approx(2 * 0.7 * 1000 / v**2, abs=0.2)


def test_slowing_for_a_turn_costs_the_table_s_seconds() -> None:
    """(v − v_junction)²/(2v) × 0.7 s: a turn at 25 km/h from 50 km/h costs 1.2 s, and counts as delay."""
    b = NetworkBuilder()
    b.link("in", "a c")
    b.link("out", "c z")
    b.turn("in out", direction="r", speed_mps=V50_MPS / 2)
    network = b.build()
    done = run(network, trips(network, [(0.0, "in out")]), length_s=100.0, parameters=IDEAL)
    assert done.totals["delay"] == ticks(0.7 * (V50_MPS / 2) ** 2 / (2 * V50_MPS)) == 12


def test_the_unsignalized_minor_approach_costs_its_slowing_down() -> None:
    """2.3 s at 50 km/h for who must yield, with no foe in sight; nothing for the major road."""
    network = merge()
    for route, lost in (("minor on", 23), ("main on", 0)):
        done = run(network, trips(network, [(0.0, route)]), length_s=100.0, parameters=IDEAL)
        assert done.totals["delay"] == lost


# --- discharge -------------------------------------------------------------------------------------------------------


def served_per_cycle(green_s: float, cycle_s: float = 60.0) -> tuple[Run, np.ndarray]:
    """Vehicles that leave a permanently queued approach in each cycle, once the queue has formed."""
    rows = ((green_s, "G"), (3, "y"), (cycle_s - green_s - 3, "r"))
    network = single_approach(rows, length_m=2000.0, out_m=2000.0)
    done = run(network, trips(network, queue_at("in out", 900)), length_s=20 * cycle_s, parameters=IDEAL)
    leave_s = np.array([row.leave for row in done.left("in")]) / 10
    # a vehicle that leaves in the yellow still belongs to the cycle of its green
    return done, np.bincount((leave_s // cycle_s).astype(int), minlength=20)[8:20]


def profile(n: int, speed_mps: float = V50_MPS, length_m: float = SPACING_M) -> list[int]:
    """When the vehicles of a standing queue pass the stop line: ticks after the start of green."""
    headway = ticks(STREET.reaction_headway_s) + (round(length_m * 10) * round(1000 / speed_mps) + 500) // 1000
    gaps = [ticks(STREET.second_headway_s)] + [ticks(STREET.early_headway_s)] * (STREET.n_early - 1)
    out = [ticks(STREET.start_up_s)]
    while len(out) < n:
        out.append(out[-1] + (max(gaps.pop(0), headway) if gaps else headway))
    return out


def expected_per_cycle(green_s: float) -> int:
    """How many of the queue pass until the end of the yellow used."""
    last = green_s * 10 + ticks(STREET.yellow_use_per_mps * V50_MPS)
    return sum(t <= last for t in profile(100))


@pytest.mark.parametrize("green_s", [6, 12, 20, 30, 41, 50])
def test_a_queued_approach_discharges_its_profile_in_every_cycle(green_s: int) -> None:
    """Exactly the profile's vehicles in every cycle, and within one vehicle of g·s at 1,857 veh/h."""
    done, per_cycle = served_per_cycle(green_s)
    assert set(per_cycle.tolist()) == {expected_per_cycle(green_s)}
    # start-up loss and use of yellow cancel in the model: effective green is the green; 1: whole vehicles
    assert abs(per_cycle[0] - green_s * 1857 / 3600) < 1
    assert len(done.on("in")) > 300  # the queue was there to the end


def test_a_queue_starts_by_the_profile() -> None:
    """The first after the start-up time, then the early headways, then the saturation headway."""
    done, _ = served_per_cycle(30)
    leave = [row.leave - 9 * 600 for row in done.left("in") if row.leave >= 9 * 600]
    assert np.abs(np.subtract(leave[:9], profile(9))).max() <= 1  # roundings are carried on


def saturation_headway_s(speed_kph: float, spacing_m: float | list[float]) -> float:
    """Mean headway of a long queue past an open signal, after its first vehicles. [s]"""
    v = speed_kph / 3.6
    network = single_approach(((900.0, "G"), (3, "y"), (57, "r")), length_m=3000.0, speed_mps=v, out_m=3000.0)
    lengths = np.resize(spacing_m, 900)
    vehicles = trips(network, queue_at("in out", 900), length_m=lengths)
    done = run(network, vehicles, length_s=1800.0, parameters=IDEAL, spacing_m=float(np.mean(spacing_m)))
    leave = [row.leave for row in done.left("in") if row.leave >= 9600]
    return float(np.diff(leave)[10:].mean()) / 10


def test_saturation_flow_at_50_kph_is_the_measured_one() -> None:
    """1,857 veh/h for vehicles of 4.3 m and 1.5 m gap; half a tick of 1.94 s are 2.6 %."""
    assert 3600 / saturation_headway_s(50, SPACING_M) == pytest.approx(1857, rel=0.026)


@pytest.mark.parametrize("speed_kph", [30, 40, 50, 60, 70])
def test_mean_headway_of_mixed_vehicles_is_reaction_and_length_over_speed(speed_kph: float) -> None:
    """1.5 s + length/v in the mean over vehicles of 4.5 to 8.5 m: roundings to ticks must not add up to a bias."""
    lengths = np.round(np.linspace(4.5, 8.5, 41), 1).tolist()
    want_s = 1.5 + float(np.mean(lengths)) / (speed_kph / 3.6)
    # 0.02 s is 1 % of the saturation flow
    assert saturation_headway_s(speed_kph, lengths) == pytest.approx(want_s, abs=0.02)


def test_use_of_yellow_ends_where_the_parameters_say() -> None:
    """A vehicle passes 1/9 s per m/s into yellow and no tick later; never beyond the yellow itself."""
    use = ticks(STREET.yellow_use_per_mps * V50_MPS)
    for yellow_s, last in ((3, use), (1, min(10, use))):
        rows = ((30, "G"), (yellow_s, "y"), (30 - yellow_s, "r"))
        network = single_approach(rows, length_m=400.0)
        arrive = ticks(400 / V50_MPS)
        passed = []
        for late in range(30):
            vehicles = trips(network, [((300 + late - arrive) / 10, "in out")])
            done = run(network, vehicles, length_s=100.0, parameters=IDEAL)
            if done.left("in")[0].leave == 300 + late:
                passed.append(late)
        assert passed == list(range(last + 1))


# --- crossings, growth -----------------------------------------------------------------------------------------------


def test_a_symmetric_crossing_has_symmetric_delays() -> None:
    """Two streets with the same arrivals half a cycle apart and half the cycle each meet the same delays."""
    network = crossing()
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(0, 11_000, 220)) / 10
    rows = [(t, "wi eo") for t in times.tolist()] + [(t + 30.0, "si no") for t in times.tolist()]
    done = run(network, trips(network, sorted(rows)), length_s=1300.0, parameters=IDEAL)
    one, other = ([row.delay for row in done.left(link)] for link in ("wi", "si"))
    n = min(len(one), len(other))
    assert n > 180
    assert one[:n] == other[:n]
    assert sum(one) > 0


def growth_vph(flow_vph: float, length_s: float) -> float:
    """Vehicles more at the end than at half time, in the network before the signal or waiting to enter. [veh/h]"""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=300.0)
    n = int(flow_vph * length_s / 3600)
    vehicles = trips(network, [(i * 3600 / flow_vph, "in out") for i in range(n)])
    present = []
    for end_s in (length_s / 2, length_s):
        done = run(network, vehicles, length_s=end_s, parameters=IDEAL)
        left = len(done.left("in"))
        present.append(int(flow_vph * end_s / 3600) - left)
    return (present[1] - present[0]) / (length_s / 2) * 3600


def test_oversaturated_queues_grow_by_demand_less_capacity() -> None:
    """At 1,500 and at 3,000 veh/h the queue grows by the difference to what the profile discharges."""
    capacity_vph = 60 * expected_per_cycle(30)
    for flow_vph in (1500, 3000):
        # 1 cycle's vehicles in 30 min
        assert growth_vph(flow_vph, 3600) == pytest.approx(flow_vph - capacity_vph, abs=2 * 16)


def test_delay_of_an_oversaturated_approach_grows_with_the_square_of_time() -> None:
    """Total delay over 2T is four times that over T where the queue grows linearly."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=300.0)
    vehicles = trips(network, [(i * 1.8, "in out") for i in range(2000)])
    half, whole = (run(network, vehicles, length_s=s, parameters=IDEAL).totals["delay"] for s in (1800.0, 3600.0))
    # the constant wait at the signal itself (linear in time) takes a little off the 4
    assert whole / half == pytest.approx(4.0, rel=0.06)


def test_waiting_to_enter_counts_as_delay() -> None:
    """Vehicles that find no room at the entry wait there, and their wait is in the total."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=100.0)
    done = run(network, trips(network, queue_at("in out", 100)), length_s=200.0)
    assert done.waiting() > 0
    assert done.totals["gate_delay"] > 100 * 100
    assert done.totals["delay"] > done.totals["gate_delay"]


def test_who_waits_to_enter_lets_those_pass_who_take_another_lane() -> None:
    """Behind a queue for a lane that never gets green, 20 vehicles for the lane beside it enter and leave at once."""
    b = NetworkBuilder()
    b.link("in", "a c", lanes=2, length_m=65.0)
    b.link("out", "c e")
    b.link("side", "c s")
    b.turn("in out", lanes=(1, 0), head=("c", 0))
    b.turn("in side", direction="r", head=("c", 1))
    b.program("c", ((60, "Gr"),))
    network = b.build()
    vehicles = trips(network, queue_at("in side", 40) + [(200.0 + 5 * n, "in out") for n in range(20)])
    done = run(network, vehicles, length_s=400.0)
    assert done.waiting() == 40 - math.ceil(65.0 / SPACING_M)
    assert done.totals["done"] == 20


# --- gaps ------------------------------------------------------------------------------------------------------------

PERMITTED_VPH = {0: 1640, 415: 967, 821: 605, 999: 484, 1196: 369, 1500: 236}
"""Opposing flow → capacity of a permitted left turn, both always green. [veh/h]

Our own measurement with SUMO 1.28: left turn at 8.67 m/s over 16.9 m with a waiting place after 8.2 m, vehicles of
4.3 m and 1.5 m gap, approaches of 493 m. The model's table has 1,690 / 1,104 / 707 / 577 / 437 (0 to 1,196), from a
junction whose way and waiting place it does not tell.
"""


def permitted_vph(opposing_vph: int) -> int:
    """The left turns of an hour on the junction of the measurement, with the same arrivals. [veh/h]"""
    network = left_turn(((3600.0, "Gg"),), wait_m=8.2, way_m=16.9, turn_speed_mps=8.67, length_m=493.0)
    rng, t = random.Random(1), 0.0
    rows = [(1.2 * n, "wi no") for n in range(3000)]
    while opposing_vph and t < 3600:
        t += rng.expovariate(opposing_vph / 3600)
        rows.append((t, "ei wo"))
    done = run(network, trips(network, sorted(rows)), length_s=3600.0)
    return sum(row.lane == done.compiled.lane_of["no", 0] for row in done.log)


@pytest.mark.parametrize("opposing_vph", PERMITTED_VPH)
def test_capacity_of_permitted_left_turns_is_the_measured_one(opposing_vph: int) -> None:
    """Within 12 %; against 1,500 veh/h, where a gap comes every 15 s, within 75 veh/h.

    Arrivals are the same, what differs is how the opposing vehicles space themselves on 493 m and where in a gap the
    turning one starts: 2 to 10 % too low at the time of writing, 70 veh/h against 1,500.
    """
    allowed = 0.12 * PERMITTED_VPH[opposing_vph] if opposing_vph < 1500 else 75
    assert permitted_vph(opposing_vph) == pytest.approx(PERMITTED_VPH[opposing_vph], abs=allowed)


def test_capacity_of_permitted_left_turns_falls_with_the_opposing_flow() -> None:
    """Strictly, and below half of it at 1,000 veh/h."""
    capacity = {q: permitted_vph(q) for q in PERMITTED_VPH}
    assert all(a > b for a, b in pairwise(capacity.values()))
    assert capacity[999] < capacity[0] / 2


def test_permitted_left_turns_alone_follow_at_the_follow_up_time() -> None:
    """Against nobody a vehicle every 2.13 s, in whole ticks: 1,690 veh/h to 1.5 %."""
    network = left_turn(((3600.0, "Gg"),))
    done = run(network, trips(network, queue_at("wi no", 500)), length_s=900.0)
    leave = [row.leave for row in done.left("wi")]
    assert set(np.diff(leave[5:]).tolist()) == {ticks(STREET.follow_up_s)}


def test_a_permitted_left_turn_waits_for_the_gap() -> None:
    """Nobody turns with a foe due at the stop line within the gap the connection needs, or one still in the way."""
    network = left_turn(((3600.0, "Gg"),))
    rng = np.random.default_rng(3)
    rows = queue_at("wi no", 500) + poisson(rng, "ei wo", 230, 1200.0)
    done = run(network, trips(network, sorted(rows, key=lambda row: row[0])), length_s=1200.0)
    gap, in_the_way = int(done.compiled.arrays.conn[1, k.CLEAR_GAP]), int(done.compiled.arrays.foe[0, k.FOE_CLEAR])
    foes = np.array([row.leave for row in done.left("ei")])
    turned = [row.leave for row in done.left("wi")]
    assert len(turned) > 50
    for leave in turned:
        following = foes[foes >= leave]
        assert not len(following) or following[0] > leave + gap
        assert (leave >= foes[foes < leave] + in_the_way).all()


def test_protected_left_turns_do_not_wait() -> None:
    """With G the same turn follows at the saturation headway whoever comes."""
    rows = ((3600.0, "GG"),)
    network = left_turn(rows)
    stream = queue_at("wi no", 700) + queue_at("ei wo", 700)
    done = run(network, trips(network, stream), length_s=1200.0)
    gaps = np.diff([row.leave for row in done.left("wi")])
    assert np.median(gaps) == 19


def test_sneakers_turn_when_the_opposing_green_ends() -> None:
    """Against a queue that leaves no gap, a turn with room for two inside the junction serves two vehicles a cycle."""
    network = left_turn(((30, "Gg"), (3, "yy"), (27, "rr")), wait_m=2 * SPACING_M, turn_speed_mps=8.0)
    stream = queue_at("wi no", 400) + queue_at("ei wo", 900)
    done = run(network, trips(network, stream), length_s=1200.0)
    place = done.compiled.n_real_lane
    turned = np.array([row.leave for row in done.log if row.lane == place])
    per_cycle = np.bincount(turned // 600)[2:20]
    # the first of the two may find its gap only in the all-red, where the next steps up behind it
    assert per_cycle.mean() == pytest.approx(2, abs=0.2)


def test_a_minor_road_yields_and_the_major_does_not() -> None:
    """On a busy main road the minor vehicles wait; those on the main road keep their times."""
    network = merge()
    rng = np.random.default_rng(2)
    main, minor = poisson(rng, "main on", 300, 1200.0), poisson(rng, "minor on", 80, 1200.0)
    alone = run(network, trips(network, main), length_s=1300.0, parameters=IDEAL)
    both = run(network, trips(network, sorted(main + minor)), length_s=1300.0, parameters=IDEAL)
    assert [row.leave for row in both.left("main")] == [row.leave for row in alone.left("main")]
    assert np.mean([row.delay for row in both.left("minor")]) > 23 + 10


def test_a_right_turn_on_red_stops_and_yields() -> None:
    """With `s` the head stops for 2.5 s and then takes a gap; with `r` it waits for green."""
    b = NetworkBuilder()
    for name, ends in (("si", "s c"), ("wi", "w c"), ("eo", "c e")):
        b.link(name, ends, length_m=300.0)
    through = b.turn("wi eo", head=("c", 0))
    b.turn("si eo", direction="r", head=("c", 1), yields_to=[through])
    b.program("c", ((60, "Gs"), (60, "rG")))
    network = b.build()
    arrive = ticks(300 / V50_MPS)
    alone = run(network, trips(network, [(0.0, "si eo")]), length_s=100.0, parameters=IDEAL)
    assert alone.left("si")[0].leave == arrive + 25
    against = [(0.0, "si eo")] + [(n * 3.0, "wi eo") for n in range(12)]
    done = run(network, trips(network, against), length_s=100.0, parameters=IDEAL)
    assert done.left("si")[0].leave > done.left("wi")[-1].leave


# --- storage ---------------------------------------------------------------------------------------------------------


def test_a_full_link_holds_the_upstream_queue_on_green() -> None:
    """Behind a red signal the short link takes what it can store; then the green before it discharges nobody."""
    rows_p, rows_q = ((600, "Gr"),), ((1, "Gr"), (3, "yr"), (596, "rG"))
    network = two_signals(rows_p, between_m=58.0)
    plan = programs({"p": rows_p, "q": rows_q})
    done = run(network, trips(network, queue_at("a0 a1 a2", 60)), plan, length_s=300.0)
    # on the link and on the way to it, which nobody crosses: (58 + 15) m
    assert len(done.left("a0")) == 13 == done.compiled.arrays.lane[done.compiled.lane_of["a1", 0], k.STORAGE]
    assert done.totals["blocked"] > 1500


def programs(rows: dict[str, Rows]) -> TimingPlan:
    """Programs by controller id."""
    return TimingPlan(controllers={c: program(r, controller_id=c) for c, r in rows.items()})


def test_room_travels_back_with_the_wave() -> None:
    """Vehicle n enters a full link no earlier than vehicle n − storage left it plus (room − vehicle)/(6 m/s)."""
    rows_p, rows_q = ((60, "Gr"),), ((10, "Gr"), (3, "yr"), (47, "rG"))
    network = two_signals(rows_p, between_m=58.0)
    plan = programs({"p": rows_p, "q": rows_q})
    done = run(network, trips(network, queue_at("a0 a1 a2", 100)), plan, length_s=600.0)
    wave = ticks((58.0 + 15.0 - SPACING_M) / 6.0)
    entered = [row.leave for row in done.left("a0")]
    left = [row.leave for row in done.left("a1")]
    assert len(left) > 30
    assert all(b >= a + wave for a, b in zip(left, entered[13:], strict=False))
    assert any(b == a + wave for a, b in zip(left, entered[13:], strict=False))


def fork(lanes: int) -> tuple[RoadNetwork, Trips]:
    """A link that leads to "full" (never served) and to "free": from one lane, or each from a lane of its own."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=300.0, lanes=lanes)
    b.link("full", "c d", length_m=30.0)
    b.link("free", "c e", length_m=300.0)
    b.link("end", "d z", length_m=30.0)
    b.turn("in full", lanes=(0, 0))
    b.turn("in free", lanes=(lanes - 1, 0))
    b.turn("full end", head=("d", 0))
    b.program("d", ((60, "r"),))
    network = b.build()
    rows = [(3.0 * n, "in full end" if n % 3 == 0 else "in free") for n in range(60)]
    return network, trips(network, rows)


def test_spillback_blocks_a_shared_lane_and_only_that() -> None:
    """A full link stops everybody in the lane that leads to it; from a lane of their own the others go on."""
    counts = {}
    for lanes in (1, 2):
        network, vehicles = fork(lanes)
        done = run(network, vehicles, length_s=400.0, parameters=IDEAL)
        counts[lanes] = sum(row.conn == 1 for row in done.log if row.leave < done.end)
    assert counts[2] == 40
    # eight fit on the full link and the way to it (45 m), with two of the others before each of them
    assert counts[1] == 16


def test_cars_leave_bus_lanes_to_buses() -> None:
    """Buses take the bus lane, cars never do, however long their queue."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=300.0, lanes=2, kinds={1: "bus"})
    b.link("out", "c z", length_m=100.0, lanes=2)
    for lane in (0, 1):
        b.turn("in out", lanes=(lane, lane), head=("c", 0))
    b.program("c", ((60, "r"),))
    network = b.build()
    rows = [(3.0 * n, "in out") for n in range(30)]
    done = run(network, trips(network, rows, kind=[int(n % 10 == 7) for n in range(30)]), length_s=200.0)
    lanes = {row.veh: row.lane for row in done.log}
    assert len(lanes) > 18
    assert {veh for veh, lane in lanes.items() if lane == done.compiled.lane_of["in", 1]} == {7, 17, 27}


def test_vehicles_choose_the_shorter_queue() -> None:
    """Two lanes for the same turn fill evenly."""
    b = NetworkBuilder()
    b.link("in", "a c", length_m=200.0, lanes=2)
    b.link("out", "c z", length_m=200.0, lanes=2)
    for lane in (0, 1):
        b.turn("in out", lanes=(lane, lane), head=("c", 0))
    b.program("c", ((60, "r"),))
    network = b.build()
    done = run(network, trips(network, [(2.0 * n, "in out") for n in range(40)]), length_s=200.0)
    assert abs(len(done.on("in", 0)) - len(done.on("in", 1))) <= 1


def test_a_stop_is_counted_where_braking_to_standstill_is() -> None:
    """Red on arrival is one stop; green is none."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")), length_m=300.0)
    for depart_s, stops in ((0.0, 0), (15.0, 1)):
        done = run(network, trips(network, [(depart_s, "in out")]), length_s=200.0, parameters=IDEAL)
        assert done.totals["stops"] == stops


def test_a_green_wave_stops_nobody() -> None:
    """With offset = travel time the platoon passes the second signal unstopped; half a cycle off, all stop."""
    network = two_signals(between_m=400.0)
    plan = programs({"p": ROWS, "q": ROWS})
    platoon = trips(network, [(60.0 * c + 2.5 * n, "a0 a1 a2") for c in range(10) for n in range(6)])
    travel_s = (400 + 15) / V50_MPS
    good, bad = (
        run(
            network,
            platoon,
            with_offsets(plan, {"p": 22.0, "q": 22.0 + travel_s + x}),
            length_s=800.0,
            parameters=ALIKE,
        )
        for x in (-1.0, 30.0)
    )
    second = [sum(row.delay > 80 for row in done.left("a1")) for done in (good, bad)]
    assert second[0] <= 3
    assert second[1] >= 50


# --- what a user gives -----------------------------------------------------------------------------------------------


def test_a_queue_at_the_begin_stands_at_its_stop_line() -> None:
    """Vehicles of an initial queue pass in the first green, one headway after the other, and wait from the begin on."""
    network = two_signals(((10, "rr"), (40, "Gr"), (3, "yr"), (7, "rr")))
    vehicles = trips(network, [(0.0, "a0 a1 a2")] * 8)
    vehicles = replace(vehicles, standing=np.ones(8, np.bool_))
    done = run(network, vehicles, length_s=120.0, parameters=IDEAL)
    leave_s = [row.leave / 10 for row in done.left("a0")]
    assert leave_s[0] == pytest.approx(10 + IDEAL.start_up_s)
    assert leave_s[-1] < 10 + 8 * 2.5
    # the wait of each from the begin on is its delay, and what it loses by starting
    assert [row.delay / 10 for row in done.left("a0")] == pytest.approx(leave_s, abs=3.0)


def test_saturation_flow_of_the_field_replaces_the_network_s() -> None:
    """A lane told to discharge 1,400 veh/h does so in a long green, and one told to do 1,900 does that."""
    for saturation_vph in (1400.0, 1900.0):
        network = two_signals(((590, "Gr"), (3, "yr"), (7, "rr")))
        lanes = {("a0", 0): saturation_vph}
        vehicles = trips(network, queue_at("a0 a1 a2", 200))
        done = run(network, vehicles, length_s=400.0, parameters=IDEAL, saturation_vph=lanes)
        leave_s = [row.leave / 10 for row in done.left("a0")][20:120]
        assert 3600 * (len(leave_s) - 1) / (leave_s[-1] - leave_s[0]) == pytest.approx(saturation_vph, rel=0.01)


def test_saturation_flows_of_no_lane_are_refused_together() -> None:
    """Unknown lanes and impossible flows are named, all of them."""
    network = two_signals()
    with pytest.raises(NetworkError) as caught:
        compile_network(network, STREET, saturation_vph={("a0", 7): 1800.0, ("x", 0): 1800.0, ("a0", 0): 3000.0})
    assert len(caught.value.faults) == 3


def test_scheduled_stops_are_no_delay() -> None:
    """A stop of 20 s lets the vehicle arrive later, and nothing is lost by it."""
    vehicles = trips(road(2), [(0.0, "0 1")], dwell_s=[20.0, 0.0])
    done = run(road(2), vehicles, length_s=100.0, parameters=IDEAL)
    assert [row.leave for row in done.log] == [344, 499]
    assert done.totals["delay"] == 0


def test_who_stood_before_foes_accelerates_from_standstill() -> None:
    """A minor vehicle that has let one pass loses v/(2a) less what its first metre gives, about 2 s at 50 km/h, too."""
    network = merge()
    rows = [(0.0, "minor on"), (2.0, "main on"), (3.0, "main on")]
    done = run(network, trips(network, rows), length_s=100.0, parameters=IDEAL)
    (row,) = done.left("minor")
    reached = np.sqrt(2 * STREET.accel_mps2)
    lost = ticks((V50_MPS - reached) ** 2 / (2 * STREET.accel_mps2 * V50_MPS))
    assert row.leave > row.arrival + 23
    assert row.delay == pytest.approx(row.leave - row.arrival + lost, abs=1)


def test_drivers_take_the_lane_their_way_goes_on_from() -> None:
    """Before a short link that only its left lane leads on from, all take the left lane; before a long one both."""
    for length_m, right in ((50.0, 0), (400.0, 10)):
        builder = NetworkBuilder()
        builder.link("in", "a b", lanes=2)
        builder.link("mid", "b c", lanes=2, length_m=length_m)
        builder.link("out", "c d")
        for lane in (0, 1):
            builder.turn("in mid", lanes=(lane, lane))
        builder.turn("mid out", lanes=(1, 0))
        network = builder.build()
        done = run(network, trips(network, queue_at("in mid out", 20)), length_s=300.0, parameters=IDEAL)
        assert len(done.left("in", 0)) == right


def test_drivers_look_past_short_links_for_their_lane() -> None:
    """Three links of 5 m behind the next junction do not hide that only the left lane leads on behind them."""
    builder = NetworkBuilder()
    builder.link("in", "a b", lanes=2)
    names = ["in", "s1", "s2", "s3"]
    for n, name in enumerate(names[1:]):
        builder.link(name, f"{'bcd'[n]} {'cde'[n]}", lanes=2, length_m=5.0)
    builder.link("out", "e f")
    for before, name in pairwise(names):
        for lane in (0, 1):
            builder.turn(f"{before} {name}", lanes=(lane, lane))
    builder.turn("s3 out", lanes=(1, 0))
    done = run(builder.build(), trips(builder.build(), queue_at("in s1 s2 s3 out", 12)), length_s=200.0)
    assert len(done.left("in", 0)) == 0
    assert len(done.left("in", 1)) == 12


def overflowing(led: tuple[int, ...]) -> Run:
    """Forty vehicles for "mid", from which only lane 1 leads on, and that on red; turns lead to the lanes `led`."""
    builder = NetworkBuilder()
    builder.link("in", "a b")
    builder.link("mid", "b c", lanes=2, length_m=60.0)
    builder.link("near", "c d", lanes=2, length_m=20.0)
    builder.link("out", "d e")
    for lane in led:
        builder.turn("in mid", lanes=(0, lane))
    for lane in (0, 1):
        builder.turn("mid near", lanes=(lane, lane))
    builder.turn("near out", lanes=(1, 0), head=("c", 0))
    builder.program("c", ((60, "r"),))
    network = builder.build()
    return run(network, trips(network, queue_at("in mid near out", 40)), length_s=300.0, parameters=IDEAL)


def test_nobody_passes_a_full_lane_of_his_way_by_a_wrong_one_that_his_turn_does_not_lead_to() -> None:
    """The lane that leads on is full: the other stays empty, unless the turn leads there."""
    assert len(overflowing((1,)).on("mid", 0)) == 0
    assert len(overflowing((0, 1)).on("mid", 0)) > 0


def beside_a_full_link(*, on_red: bool) -> Run:
    """Main traffic into a link of two places whose end is on red or not; a minor turn crosses it to another link."""
    builder = NetworkBuilder()
    builder.link("main", "a c")
    builder.link("minor", "b c")
    builder.link("short", "c d", length_m=11.0)
    builder.link("free", "c e")
    builder.link("end", "d f")
    major = builder.turn("main short")
    builder.turn("minor free", yields_to=[major])
    builder.turn("short end", head=("s", 0))
    builder.program("s", ((300, "r"),) if on_red else ((300, "G"),))
    network = builder.build()
    rows = [*[(2.0 * n, "main short end") for n in range(6)], (16.0, "minor free")]
    return run(network, trips(network, rows), length_s=200.0)


def test_who_stands_inside_the_junction_blocks_those_who_yield_for_a_minute() -> None:
    """The third follows two into a full link and stands inside: the minor turn waits 60 s of it, not for ever."""
    (held,) = beside_a_full_link(on_red=True).left("minor")
    waited_s = (held.leave - held.arrival) / 10
    assert STREET.ignore_blocker_s - 20 < waited_s < STREET.ignore_blocker_s + 20
    (free,) = beside_a_full_link(on_red=False).left("minor")
    assert (free.leave - free.arrival) / 10 < 10


def test_two_lanes_that_lead_into_one_take_turns() -> None:
    """Queues in two lanes side by side, under green, that merge: each gets every second place behind the junction."""
    builder = NetworkBuilder()
    builder.link("in", "a b", lanes=2)
    builder.link("out", "b c")
    for lane in (0, 1):
        builder.turn("in out", lanes=(lane, 0), head=("s", lane))
    builder.program("s", ((300, "GG"),))
    network = builder.build()
    done = run(network, trips(network, queue_at("in out", 30)), length_s=200.0)
    passed = sorted([*done.left("in", 0), *done.left("in", 1)], key=lambda row: row.leave)
    order = [row.lane for row in passed]
    assert sum(a != b for a, b in pairwise(order[4:24])) >= 17

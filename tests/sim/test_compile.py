"""Plans, networks and trips laid out for the kernel."""

import re
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_data.errors import DemandError, PlanError
from network_data.plans import GREEN, OPEN, ControllerPlan, TimingPlan
from sim import _tables as k
from sim.compile import compile_network, compile_plan, compile_trips, mean_spacing_m, signal_windows, ticks
from sim.parameters import STREET
from tests.builders import V50_MPS, NetworkBuilder, crossing, field_plan, left_turn, program, road, trips, two_signals

pytestmark = pytest.mark.kernel
rows = st.lists(st.tuples(st.integers(1, 300), st.sampled_from("GgyYrRusoO")), min_size=1, max_size=7)


def windows_of(plan: ControllerPlan) -> list[tuple[int, int, int, int, int]]:
    """Windows of link index 0."""
    edges = [ticks(t) for t in accumulate((interval.duration_s for interval in plan.intervals), initial=0.0)]
    return signal_windows([interval.state[0] for interval in plan.intervals], edges)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(rows=rows)
def test_windows_are_the_open_times_of_the_interval_table(rows) -> None:
    """Second by second (tick by tick) a window is open exactly when the interval table shows an open letter."""
    plan = program([(d / 10, letter) for d, letter in rows])
    table = [letter for d, letter in rows for _ in range(d)]
    cycle = len(table)

    windows = windows_of(plan)

    opened = [[] for _ in range(cycle)]
    for green, end, _, mode, _ in windows:
        for tick in range(green, end):
            opened[tick % cycle].append(mode)
    mode_of = {"G": k.PROTECTED, "s": k.STOP_AND_GO, "g": k.PERMITTED, "o": k.PERMITTED, "O": k.PERMITTED}
    assert opened == [[mode_of[letter]] if letter in OPEN else [] for letter in table]


@settings(deadline=None, max_examples=150, derandomize=True)
@given(rows=rows)
def test_yellow_and_fresh_are_what_stands_around_the_green(rows) -> None:
    """The yellow behind a window is as long as shown there; a window is fresh when no green or off went before."""
    plan = program([(d / 10, letter) for d, letter in rows])
    table = [letter for d, letter in rows for _ in range(d)]
    cycle = len(table)
    for green, end, yellow, _, fresh in windows_of(plan):
        if end - green >= cycle:
            continue
        behind = table[end % cycle]
        shown = next((n for n in range(cycle) if table[(end + n) % cycle] != behind), cycle) if behind in "yY" else 0
        assert yellow == shown
        assert bool(fresh) == (table[green - 1] not in GREEN + "oO")


def test_an_always_open_signal_has_one_window_without_start_up() -> None:
    """A head that never changes keeps its window over the whole cycle."""
    assert windows_of(program([(30, "Gr"), (30, "Gg")])) == [(0, 600, 0, k.PROTECTED, 0)]


def test_the_offset_is_the_clock_second_of_interval_0_from_the_begin() -> None:
    """Offset 10 s at a 60 s cycle, begin at 07:00:25: interval 0 starts 45 s into the run."""
    network = crossing()
    plan = TimingPlan(controllers={"c": program(((27, "Gr"), (3, "yr"), (27, "rG"), (3, "ry")), offset_s=10)})
    arrays = compile_plan(compile_network(network, STREET), plan, begin_s=7 * 3600 + 25)
    assert arrays.signal[:, k.BASE].tolist() == [450 - 2 * 600] * 2
    assert arrays.signal[:, k.CYCLE].tolist() == [600, 600]


def test_storage_is_rounded_up_and_at_least_two() -> None:
    """ceil(length / spacing), and 2 on the shortest links; 7 × 5.8 m hold 7, whatever floating point makes of it."""
    b = NetworkBuilder()
    for n, length_m in enumerate((100.0, 58.0, 58.1, 3.0, 7 * 5.8)):
        b.link(f"l{n}", f"a{n} b{n}", length_m=length_m)
    arrays = compile_network(b.build(), STREET, spacing_m=5.8).arrays
    assert arrays.lane[:, k.STORAGE].tolist() == [18, 10, 11, 2, 7]


def test_lanes_nobody_simulated_uses_are_left_out() -> None:
    """Footways and tracks get no lane, and the rings of places do not overlap."""
    b = NetworkBuilder()
    b.link("x", "a b", lanes=3, kinds={0: "other"})
    compiled = compile_network(b.build(), STREET)
    assert sorted(compiled.lane_of) == [("x", 1), ("x", 2)]
    lane = compiled.arrays.lane
    first, size = lane[:, k.RING] >> k.RING_BITS, 1 << (lane[:, k.RING] & k.RING_MASK)
    assert (size >= lane[:, k.STORAGE] + k.ON_WAY).all()
    assert (first % size == 0).all()
    assert first[1] >= first[0] + size[0]
    assert compiled.n_ring == first[1] + size[1]


def test_a_waiting_place_is_a_lane_of_its_own() -> None:
    """A turn with room inside the junction gets a place that the foes' table knows; it blocks when not detached."""
    compiled = compile_network(left_turn(wait_m=12.0), STREET, spacing_m=5.8)
    assert compiled.n_lane == compiled.n_real_lane + 1
    place = int(compiled.arrays.conn[1, k.PLACE])
    assert compiled.arrays.lane[place, k.STORAGE] == 2
    assert compiled.arrays.lane[compiled.lane_of["wi", 0], k.BLOCKER] == -1
    # the next one may step up when three quarters of 5.8 m are covered from standstill at 2.6 m/s²: 1.83 s
    assert compiled.arrays.lane[place, k.WAVE] == 18


def test_foes_are_in_the_way_until_they_have_passed_the_conflict() -> None:
    """From the stop line 0.6 of the way over the junction (15 m) and a vehicle of 4.5 m: 13.5 m at 50 km/h."""
    compiled = compile_network(left_turn(), STREET)
    assert compiled.arrays.foe.tolist() == [[compiled.lane_of["ei", 0], 0, ticks(13.5 / V50_MPS)]]


@pytest.mark.parametrize("wait_m", [0.0, 8.2])
def test_the_gap_is_the_time_to_clear_the_junction_and_half_a_second(wait_m: float) -> None:
    """From standstill at 2.6 m/s²: 15 m (or 16.4 less 8.2) and three quarters of a vehicle's 6.5 m; at least 3.5 s."""
    way_m = max(15.0, 2 * wait_m) - wait_m + 0.75 * 6.5
    want_s = max(3.5, (2 * way_m / 2.6) ** 0.5 + 0.5)
    gap = int(compile_network(left_turn(wait_m=wait_m), STREET).arrays.conn[1, k.CLEAR_GAP])
    assert gap == ticks(want_s)


def test_a_missing_program_is_named() -> None:
    """A plan that lacks a controller is refused with its name."""
    network = two_signals()
    plan = TimingPlan(controllers={"p": field_plan(network).controllers["p"]})
    with pytest.raises(PlanError, match=r"no program for controller 'q'"):
        compile_plan(compile_network(network, STREET), plan)


def test_routes_over_unconnected_links_are_all_named() -> None:
    """Every pair of links without a way between them is told at once."""
    network = road(4)
    with pytest.raises(DemandError) as caught:
        compile_trips(
            compile_network(network, STREET), trips(network, [(0, "0 2"), (1, "3 1"), (2, "0 1")]), begin_s=0, seed=0
        )
    assert re.search(r"no way from link '0' to '2'", str(caught.value))
    assert re.search(r"no way from link '3' to '1'", str(caught.value))
    assert "'0' to '1'" not in str(caught.value)


def test_drivers_speeds_are_drawn_by_seed_and_bounded() -> None:
    """Same seed, same drivers; desired speeds between 0.7 and 1.3 of the limit, spread as asked."""
    network = road(2)
    vehicles = trips(network, [(0.0, "0 1")] * 4000)
    compiled = compile_network(network, STREET)
    drivers = [compile_trips(compiled, vehicles, begin_s=0, seed=s).vehicle[:, k.DRIVER] / 1024 for s in (3, 3, 4)]
    assert (drivers[0] == drivers[1]).all()
    assert (drivers[0] != drivers[2]).any()
    speeds = 1 / drivers[0]
    assert speeds.min() >= 0.7 - 2e-3
    assert speeds.max() <= 1.3 + 2e-3
    # 4 standard errors of mean and deviation of 4,000 draws; cutting the tails takes 1 % off the deviation
    assert abs(speeds.mean() - 1) < 4 * 0.1 / 4000**0.5 + 0.001
    assert speeds.std() == pytest.approx(STREET.speed_spread, rel=0.07)


def test_mean_spacing_is_that_of_cars() -> None:
    """Buses do not lengthen the places that lanes are counted in; no vehicles give the default."""
    network = road(2)
    assert mean_spacing_m(trips(network, [(0, "0"), (1, "0"), (2, "0")], length_m=[6.0, 7.0, 14.0])) == 6.5
    assert mean_spacing_m(trips(network, [(0, "0")], length_m=14.0)) == 14.0
    assert mean_spacing_m(trips(network, [])) == 6.5


def test_departures_are_rounded_to_ticks_from_begin_less_warm_up() -> None:
    """A departure at 07:00:01.26 with begin 07:00 and 60 s of warm-up is tick 613."""
    network = road(2)
    table = compile_trips(
        compile_network(network, STREET), trips(network, [(25201.26, "0 1")]), begin_s=25200, seed=0, warmup_s=60
    )
    assert table.vehicle[0, k.DEPART] == 613
    assert table.vehicle[0, k.LENGTH] == 58


def test_the_headway_is_paced_by_the_slower_of_lane_and_junction() -> None:
    """Ticks per dm of vehicle: 1/v, and right turns count with 0.86 of their speed."""
    b = NetworkBuilder()
    for name, ends in (("in", "a c"), ("out", "c z"), ("side", "c y")):
        b.link(name, ends)
    b.turn("in out", speed_mps=20.0)
    b.turn("in side", direction="r", speed_mps=6.0)
    pace = compile_network(b.build(), STREET).arrays.conn[:, k.PACE]
    np.testing.assert_array_equal(pace, [round(1000 / V50_MPS), round(1000 / (0.86 * 6.0))])
    assert ticks(0.25) == 2  # banker's rounding of halves: within a tick either way

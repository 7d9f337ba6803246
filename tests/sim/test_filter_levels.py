"""Capacities second by second: windows, losses, shared lanes, gaps, places inside the junction."""

import numpy as np
import pytest

from network_data.errors import PlanError
from network_data.network import RoadNetwork
from sim._level_kernels import FULL
from sim._rows import WIDTH
from sim.filter_inputs import filter_network
from sim.filter_levels import LevelTables, gap_decay_s, harders_share, level_tables
from sim.parameters import SimParameters
from tests.builders import NetworkBuilder, field_plan, left_turn, single_approach, two_signals, with_offsets

PLAIN = SimParameters(start_up_s=0.0, n_early=1, yellow_use_per_mps=0.0)


def tables_of(network: RoadNetwork, flow_vph: float | list[float], parameters: SimParameters = PLAIN) -> LevelTables:
    net = filter_network(network, parameters)
    return level_tables(net, np.broadcast_to(np.asarray(flow_vph) / 3600, len(net.movements)).copy())


def capacity_vph(tables: LevelTables, network: RoadNetwork, ways: str, *, giving_way: bool = False) -> np.ndarray:
    """Capacity of a movement over the cycle of the field plan."""
    levels = tables.batch([field_plan(network)])
    m = tables.net.movements.index(tuple(ways.split()))
    rows = [levels.first[0] + t * levels.stride[0] + tables.row[m] + giving_way for t in range(levels.cycle_s[0, 0])]
    return levels.level[rows, 0] / FULL * tables.most_vps[m] * 3600


def test_green_is_open_and_red_is_closed() -> None:
    """30 s of green: full capacity then, none in yellow and red."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")))
    capacity = capacity_vph(tables_of(network, 300), network, "in out")
    full = 3600 / (PLAIN.reaction_headway_s + PLAIN.spacing_m / (50 / 3.6))

    np.testing.assert_allclose(capacity[:30], full, rtol=1e-6)
    assert not capacity[30:].any()


def test_start_is_lost_and_yellow_is_used() -> None:
    """Capacity is that of the green less the start-up loss, plus what yellow lets pass, in parts of seconds."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")))
    parameters = SimParameters()
    tables = tables_of(network, 300, parameters)
    turn = tables.net.turns[0]
    lost = parameters.start_up_s + parameters.second_headway_s + 2 * parameters.early_headway_s - 3.5 * turn.headway_s
    green_s = capacity_vph(tables, network, "in out").sum() / 3600 * turn.headway_s

    # levels are rounded, but what rounding leaves is carried on: at most one level off in the whole cycle
    assert green_s == pytest.approx(30 - lost + turn.yellow_use_s, abs=1.5 / FULL)


def test_an_offset_turns_the_cycle() -> None:
    """An offset of 7 s moves everything 7 s later; a cycle more changes nothing."""
    network = single_approach(((30, "G"), (3, "y"), (27, "r")))
    tables, plan = tables_of(network, 300), field_plan(network)
    a, b, c = (tables.batch([with_offsets(plan, x)]).level[:60, 0] for x in (0.0, 7.0, 67.0))

    np.testing.assert_array_equal(np.roll(a, 7), b)
    np.testing.assert_array_equal(b, c)


def test_plans_that_stand_apart_say_the_same() -> None:
    """Clocks whose plans have different cycles: the stretch of each plan holds what stands side by side otherwise."""
    network = two_signals()
    rows = [((half, "Gr"), (3, "yr"), (half, "rG"), (3, "ry")) for half in (20, 27, 40)]
    plans = [field_plan(two_signals(r, offsets_s=(0.0, 11.0))) for r in rows]
    tables = tables_of(network, 300)
    beside, apart = tables.batch(plans), tables.batch(plans, slots_apart=8)

    assert not beside.alike[:2].any()
    assert (beside.start < 0).all()
    for c in (0, 1):
        n_row = int(tables.clock_rows[c])
        for p, plan in enumerate(plans):
            n = round(plan.controllers["p"].cycle_s)
            first = apart.start[c, p]
            stretch = apart.apart[first : first + n * n_row].reshape(n, n_row)
            rows_of = beside.first[c] + np.arange(n)[:, None] * beside.stride[c] + np.arange(n_row)
            np.testing.assert_array_equal(stretch, beside.level[rows_of, p])


def test_columns_beyond_the_last_plan_repeat_it() -> None:
    """A batch is always 16 plans wide."""
    network = single_approach()
    levels = tables_of(network, 300).batch([field_plan(network)])

    assert levels.level.shape[1] == WIDTH
    assert (levels.level == levels.level[:, :1]).all()


def shared_lane(rows: tuple[tuple[float, str], ...]) -> RoadNetwork:
    """One lane from which two turns leave under heads 0 and 1."""
    b = NetworkBuilder()
    for name, ends in (("in", "a c"), ("on", "c z"), ("side", "c s")):
        b.link(name, ends)
    b.turn("in on", head=("c", 0))
    b.turn("in side", head=("c", 1))
    b.program("c", rows)
    return b.build()


def test_open_turns_share_a_lane_by_their_flows() -> None:
    """Both open: three quarters and one quarter of the lane."""
    network = shared_lane(((30, "GG"), (30, "rr")))
    tables = tables_of(network, [300.0, 100.0])
    on, side = (capacity_vph(tables, network, f"in {x}")[:30].sum() for x in ("on", "side"))

    assert on / side == pytest.approx(3.0, rel=0.02)


def test_a_closed_turn_blocks_the_lane_it_shares() -> None:
    """While one turn is closed the other passes until one of the first stands at the head.

    Half of the vehicles are closed ones; the green of the closed ones before ended with an open one at the head. Then
    two open ones pass on average (1 / 0.5), however long their green.
    """
    network = shared_lane(((60, "Gr"), (10, "rG"), (20, "rr")))
    tables = tables_of(network, [200.0, 200.0])

    assert capacity_vph(tables, network, "in on").sum() / 3600 == pytest.approx(2.0, abs=0.15)


def test_nobody_against_leaves_the_follow_up_time() -> None:
    """Giving way without foes costs the longer headway: 2.13 s."""
    network = left_turn(((57, "Gg"), (3, "yy")))
    tables = tables_of(network, 200)
    giving = capacity_vph(tables, network, "wi no", giving_way=True)[10]
    m = tables.net.movements.index(("wi", "no"))

    assert giving * tables.giving[m] == pytest.approx(3600 / PLAIN.follow_up_s, rel=0.01)


def test_places_inside_the_junction_are_served_after_green() -> None:
    """Two who waited leave when the green ends; without room nobody does."""
    with_room, without = (left_turn(((30, "rg"), (30, "rr")), wait_m=x, length_m=300.0) for x in (6.5, 0.0))
    behind = [capacity_vph(tables_of(n, 200), n, "wi no")[30:].sum() / 3600 for n in (with_room, without)]

    assert behind == [pytest.approx(2.0, rel=0.05), 0.0]


def test_waiting_aside_lets_the_others_pass() -> None:
    """With room aside a permitted turn that finds no gap holds its lane up less."""

    def through_vph(detach_m: float) -> float:
        b = NetworkBuilder()
        for name, ends in (("wi", "w c"), ("ei", "e c"), ("wo", "c w"), ("eo", "c e"), ("no", "c n")):
            b.link(name, ends)
        against = b.turn("ei wo", head=("c", 0))
        b.turn("wi eo", head=("c", 1))
        b.turn("wi no", direction="l", head=("c", 2), yields_to=[against], wait_m=8.0, detach_m=detach_m, length_m=20)
        b.program("c", ((30, "GGg"), (30, "rrr")))
        network = b.build()
        return float(capacity_vph(tables_of(network, [300.0, 100.0, 1200.0]), network, "wi eo").mean())

    assert through_vph(0.0) > 1.2 * through_vph(9.0)


def test_power_of_16_stands_in_for_harders() -> None:
    """Up to 2,500 veh/h against it the share that gaps leave is at most 0.006 off Harders' formula."""
    q = np.linspace(0, 0.7, 50)
    share = np.maximum(0, 1 - gap_decay_s(4.8, 2.13) * q) ** 16

    np.testing.assert_allclose(share, harders_share(q, 4.8, 2.13), atol=0.006)


def test_long_cycles_are_refused() -> None:
    """A cycle beyond what fits is named."""
    network = single_approach(((300, "G"), (200, "r")))

    with pytest.raises(PlanError, match="controller 'c' has a cycle beyond 400 s"):
        tables_of(network, 100).batch([field_plan(network)])

"""The wave-theory filter against the triangular fundamental diagram by hand, and what must always hold."""

from dataclasses import replace

import numpy as np
import pytest

from network_data.demand import Demand
from network_data.errors import DemandError, PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from sim import _wave_kernels as w
from sim.parameters import SimParameters
from sim.wave import Wave
from tests.builders import V50_MPS, demand, field_plan, left_turn, merge, single_approach, two_signals, with_offsets

DENSITY_PER_M, WAVE_MPS = 0.15, 5.0
# the queue's spacing and wave give the saturation flow: 1 / (spacing / w + spacing / v) = 1,985.3 veh/h at 50 km/h
TRIANGULAR = replace(
    SimParameters(),
    spacing_m=1 / DENSITY_PER_M,
    wave_mps=WAVE_MPS,
    reaction_headway_s=1 / DENSITY_PER_M / WAVE_MPS,
    start_up_s=0.0,
    n_early=1,
    yellow_use_per_mps=0.0,
    dawdle=0.0,
    entry_headway_s=0.1,
)
HALF = ((30, "r"), (30, "G"))


def one_road(veh_per_5_min: float, *, intervals: int = 12) -> Demand:
    """Vehicles that enter on "in" and leave on "out"."""
    return demand({("", "in"): veh_per_5_min, ("in", "out"): veh_per_5_min, ("out", ""): 1}, intervals=intervals)


def run(
    network: RoadNetwork, flows: Demand, *plans: TimingPlan, parameters: SimParameters = TRIANGULAR, warm: int = 600
):
    """The filter and its result."""
    wave = Wave(network, flows, parameters=parameters, warmup_s=warm)
    return wave, wave.run(plans or [field_plan(network)])


def test_saturation_flow_is_that_of_the_triangle() -> None:
    """v_f = 50 km/h, w = 18 km/h, 0.15 veh/m: 1,985.3 veh/h (worked out from the formula)."""
    wave, _ = run(single_approach(HALF), one_road(60))

    assert wave.levels.most_vps[0] * 3600 == pytest.approx(1985.3, abs=0.05)


@pytest.mark.parametrize("length_m", [500.0, 70.0])
def test_delay_of_one_approach(length_m: float) -> None:
    """r = g = 30 s and 720 veh/h: 141.21 veh·s per cycle, 11.768 s/veh, whether or not the link is long.

    The formula's queue clears 17.07 s after green; steps of 1 s may be off by what arises within one.
    """
    _, result = run(single_approach(HALF, length_m=length_m), one_road(60))

    assert result.delay_s[0] / 60 == pytest.approx(141.21, rel=0.01)
    assert result.delay_s_per_veh[0] == pytest.approx(11.768, rel=0.01)


@pytest.mark.parametrize(("length_m", "spills"), [(50.0, True), (70.0, False)])
def test_queue_reaches_back_62_76_m(length_m: float, spills: bool) -> None:
    """The farthest vehicle stands 62.76 m back: a link of 50 m keeps some outside, one of 70 m nobody."""
    _, result = run(single_approach(HALF, length_m=length_m), one_road(60))

    assert (result.gate_delay_s.sum() > 100) == spills


def test_where_vehicles_wait_does_not_change_how_long() -> None:
    """Without spillback onto others, total delay is that of a vertical queue: links of 50 and 500 m agree."""
    delays = [run(single_approach(HALF, length_m=x), one_road(60))[1].delay_s[0] for x in (50.0, 500.0)]

    assert delays[0] == pytest.approx(delays[1], rel=0.01)


def test_a_standing_queue_discharges_its_green() -> None:
    """16.54 vehicles per 30 s of green at 1,985.3 veh/h."""
    network = single_approach(HALF, length_m=2000.0)
    wave, _ = run(network, one_road(300), warm=0)
    levels = wave.batch([field_plan(network)])
    state = wave.state(levels)
    wave.advance(state, levels)
    inside = state.queue[:, 0].sum() / w.GRAINS + state.gate[0, 0] / w.GRAINS
    arrived = 12 * 300 - inside

    # the link's own 144 s hold some that have not arrived yet; they stand in neither count
    assert arrived / 60 == pytest.approx(16.54, rel=0.1)


def test_oversaturated_queues_grow_with_the_flow() -> None:
    """Twice the excess over capacity makes about twice the delay."""
    capacity = 1985.3 / 2 / 12
    delays = [
        run(single_approach(HALF, length_m=3000.0), one_road(capacity + extra), warm=0)[1].delay_s[0]
        for extra in (30, 60)
    ]

    assert delays[1] / delays[0] == pytest.approx(2.0, rel=0.15)


def test_green_without_end_makes_no_delay() -> None:
    """A link that is always open costs nothing."""
    _, result = run(single_approach(((60, "G"),)), one_road(60))

    assert result.delay_s[0] / result.veh < 0.01


def two_way_demand() -> Demand:
    """An arterial and its two side streets."""
    return demand(
        {("", "a0"): 50, ("a0", "a1"): 50, ("a1", "a2"): 50, ("a2", ""): 50}
        | {("", "sp"): 20, ("sp", "np"): 20, ("np", ""): 20, ("", "sq"): 20, ("sq", "nq"): 20, ("nq", ""): 20}
    )


def test_all_offsets_together_change_nothing() -> None:
    """Cyclic delay is the same at whatever second the whole network begins."""
    network = two_signals(offsets_s=(0.0, 20.0))
    plan = field_plan(network)
    _, result = run(network, two_way_demand(), plan, with_offsets(plan, 60.0), with_offsets(plan, 17.0))

    assert result.delay_s[1] == result.delay_s[0]
    assert result.delay_s[2] == pytest.approx(result.delay_s[0], rel=0.01)


def test_a_green_wave_is_seen() -> None:
    """The offset that suits the travel time is better than its opposite, and both signals keep their side streets."""
    network = two_signals(offsets_s=(0.0, 0.0))
    plan = field_plan(network)
    plans = [with_offsets(plan, {"q": float(x)}) for x in range(60)]
    _, result = run(network, two_way_demand(), *plans)
    between = result.link_delay_s[:, result.links.index("a1")]

    # 400 m at 50 km/h and 15 m of junction take 30 s; the platoon's head should meet a green that has just begun
    assert 24 <= int(np.argmin(between)) <= 32
    assert between.max() > 3 * between.min()


def test_plans_do_not_touch_each_other() -> None:
    """A plan has the same delay alone, in company, and in a second batch."""
    network = two_signals(offsets_s=(0.0, 20.0))
    plans = [with_offsets(field_plan(network), {"q": float(x)}) for x in range(20)]
    wave, together = run(network, two_way_demand(), *plans)

    for n in (0, 7, 19):
        assert wave.run([plans[n]]).delay_s[0] == together.delay_s[n]


def test_cycles_may_differ_between_plans() -> None:
    """A batch of plans with other cycles gives each the delay it has alone."""
    network = two_signals()
    plans = []
    for cycle in (40, 60, 75, 90):
        half = cycle / 2 - 3
        rows = ((half, "Gr"), (3, "yr"), (half, "rG"), (3, "ry"))
        plans.append(field_plan(two_signals(rows, offsets_s=(0.0, 11.0))))
    wave, together = run(network, two_way_demand(), *plans)

    assert [wave.run([plan]).delay_s[0] for plan in plans] == together.delay_s.tolist()
    assert len(set(together.delay_s.tolist())) == 4


def test_no_vehicle_is_made_or_lost() -> None:
    """What wanted to enter has left, stands, drives or waits outside; to half a grain per step and movement."""
    network = single_approach(HALF, length_m=200.0)
    wave, _ = run(network, one_road(120), warm=0)
    levels = wave.batch([field_plan(network)])
    state = wave.state(levels)
    wave.advance(state, levels)
    inside = state.queue[:, 0].sum() + state.gate[0, 0] + state.entered[:, 0].astype(float).sum()
    room = wave.layout.storage[0] - state.rows[int(w.ROOM), 0]

    assert inside / w.GRAINS < 12 * 120
    # room is given back a wave's time after vehicles left: what is missing of it is inside, or has just gone
    assert (
        0 <= room - state.queue[0, 0] <= state.entered[:, 0].astype(float).sum() + state.left[:, 0].astype(float).sum()
    )
    assert (state.queue >= 0).all()
    assert (state.rows[int(w.ROOM) :: int(w.LINK_STATE)] > -1).all()


def test_permitted_turns_wait_for_gaps() -> None:
    """A left turn is slower the more comes against it, and has none of it while nobody comes."""
    network = left_turn(length_m=300.0, wait_m=0.0)

    def delay(against: float) -> float:
        flows = demand({("", "wi"): 40, ("wi", "no"): 40, ("", "ei"): against, ("ei", "wo"): against})
        _, result = run(network, flows, parameters=SimParameters())
        return float(result.link_delay_s[0, result.links.index("wi")])

    assert delay(0) < delay(30) < delay(60) < delay(90)


def test_minor_roads_wait_for_gaps() -> None:
    """At a merge without signal the minor road waits, the main road does not."""
    flows = demand({("", "main"): 80, ("main", "on"): 80, ("", "minor"): 60, ("minor", "on"): 60})
    _, result = run(merge(), flows, parameters=SimParameters())
    by_link = dict(zip(result.links, result.link_delay_s[0], strict=True))

    assert by_link["minor"] > 1000
    assert by_link["main"] < 1


def test_a_plan_needs_every_controller() -> None:
    """A plan without a program for a controller names it."""
    wave, _ = run(two_signals(), two_way_demand())

    with pytest.raises(PlanError, match="no program for controller 'p'"):
        wave.run([TimingPlan(controllers={})])


def test_flows_must_lie_in_the_network() -> None:
    """Flows on unknown links are named."""
    with pytest.raises(DemandError, match="'nowhere'"):
        Wave(single_approach(), demand({("", "nowhere"): 3.0}))


def test_speed_of_lanes_is_used() -> None:
    """A link takes its length over the limit, in whole steps: the wave of the first vehicles arrives then."""
    network = single_approach(((60, "G"),), length_m=V50_MPS * 20)
    wave, _ = run(network, one_road(60), warm=0)
    at = network.links["in"]

    assert at.length_m / at.speed_mps == pytest.approx(20)
    read, write = (int(wave.layout.records[0, int(k)]) for k in (w.IN_READ, w.IN_WRITE))
    rows = int(wave.layout.records[0, int(w.IN_END)] - wave.layout.records[0, int(w.IN_FIRST)])
    assert (write - read) % rows == 20

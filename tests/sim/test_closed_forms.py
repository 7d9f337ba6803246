"""Closed forms of a network: known crossings by hand, symmetry, errors, and what each figure rests on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from network_data.errors import DemandError, NetworkError, PlanError
from network_data.network import Crossing, RoadNetwork
from network_data.plans import TimingPlan
from sim.capacity import back_of_queue, control_delay, khcm_delay, uniform_delay_s, webster_delay_s
from sim.closed_forms import (
    ClosedFormSettings,
    closed_form,
    closed_form_over_periods,
    network_delay_s_per_veh,
)
from sim.lane_groups import lane_groups
from sim.saturation import LaneConditions, SaturationSettings, lane_saturations, turn_radius_m
from sim.saturation_hcm import permitted_vph
from tests.builders import NetworkBuilder, field_plan

PLAIN = ClosedFormSettings(start_up_s=0.0, extension_s=0.0, use_lanes_unevenly=False)


def one_way(lanes: int = 1) -> RoadNetwork:
    """A link with lanes straight through signal c: 30 s green, 30 s red."""
    b = NetworkBuilder()
    b.link("in", "w c", lanes=lanes)
    b.link("out", "c e", lanes=lanes)
    for lane in range(lanes):
        b.turn("in out", lanes=(lane, lane), head=("c", 0))
    b.program("c", [(30, "G"), (30, "r")])
    return b.build()


def crossing_with_lefts(rows: list[tuple[float, str]], *, shared: bool = False) -> RoadNetwork:
    """Two opposing approaches w and e; from w a left that yields to through traffic from e (link index 1)."""
    b = NetworkBuilder()
    b.link("w", "a c", lanes=1 if shared else 2)
    b.link("e", "b c")
    b.link("wo", "c a")
    b.link("eo", "c b")
    b.link("no", "c n")
    b.turn("w eo", lanes=(0, 0), head=("c", 0))
    left = b.turn("w no", lanes=(0 if shared else 1, 0), direction="l", head=("c", 1))
    through = b.turn("e wo", lanes=(0, 0), head=("c", 2))
    b.yielding(left, [through])
    b.program("c", rows, conflicts=[(1, 2)])
    return b.build()


def test_one_lane_is_what_the_formulas_give() -> None:
    """A lane with one green: each delay by its own formula, queues by the manual's."""
    network = one_way()
    group = closed_form(network, field_plan(network), {("in", "out"): 700.0}, PLAIN)["in:0"]
    assert group.capacity_vph == pytest.approx(950)
    assert group.green_share == pytest.approx(0.5)
    known = {"cycle_s": 60, "green_s": 30, "flow_vph": 700}
    hcm = control_delay(capacity_vph=950, **known)
    assert group.hcm_s == pytest.approx(float(hcm.total_s))
    assert group.webster_s == pytest.approx(float(webster_delay_s(60, 30, 700, 1900)))
    assert group.khcm_s == pytest.approx(float(khcm_delay(saturation_flow_vph=1900, **known).total_s))
    queue = back_of_queue(capacity_vph=950, incremental_s=hcm.incremental_s, **known)
    assert group.queue_mean_veh == pytest.approx(float(queue.mean_veh))
    assert group.queue_p95_veh == pytest.approx(float(queue.percentile_veh(95)))
    assert (group.los_hcm, group.los_khcm, group.unverified) == ("B", "B", ())


def test_overload_with_a_queue_from_before() -> None:
    """Above capacity Webster has no value, the level is F, and the queues of the exercise of the manual appear."""
    network = one_way()
    settings = dataclasses.replace(PLAIN, queue_veh={"in:0": 6.25})
    group = closed_form(network, field_plan(network), {("in", "out"): 975.0}, settings)["in:0"]
    want = control_delay(cycle_s=60, green_s=30, flow_vph=975, capacity_vph=950, queue_veh=6.25)
    assert group.webster_s is None
    assert group.delay_s("webster") == group.hcm_s == pytest.approx(float(want.total_s))
    assert group.queue_after_veh == pytest.approx(12.5)
    assert group.los_hcm == "F"


def test_lanes_of_a_group_share_flow_and_add_capacity() -> None:
    """Two lanes: twice the capacity, half the flow each; uneven use takes 4.8 % off (exhibit 19-15)."""
    network = one_way(2)
    even = closed_form(network, field_plan(network), {("in", "out"): 1000.0}, PLAIN)["in:0+1"]
    assert even.capacity_vph == pytest.approx(1900)
    assert even.uniform_s == pytest.approx(float(uniform_delay_s(60, 30, 1000 / 1900)))
    uneven = closed_form(
        network, field_plan(network), {("in", "out"): 1000.0}, dataclasses.replace(PLAIN, use_lanes_unevenly=True)
    )["in:0+1"]
    assert uneven.capacity_vph == pytest.approx(1900 * 0.952)


def test_start_up_and_yellow_make_the_effective_green() -> None:
    """Without yellow two seconds are lost at the begin: 28 of 30 s."""
    network = one_way()
    group = closed_form(network, field_plan(network), {("in", "out"): 100.0})["in:0"]
    assert group.capacity_vph == pytest.approx(1900 * 28 / 60)


def test_platoons_on_green_wait_less() -> None:
    """A share on green above the green's own shortens the delay, to nothing with all on green and room."""
    network = one_way()
    delays = [
        closed_form(
            network, field_plan(network), {("in", "out"): 400.0}, dataclasses.replace(PLAIN, on_green={"in:0": p})
        )["in:0"].uniform_s
        for p in (0.0, 0.5, 0.9, 1.0)
    ]
    assert delays == sorted(delays, reverse=True)
    assert delays[1] == pytest.approx(float(uniform_delay_s(60, 30, 400 / 950)))
    assert delays[3] == pytest.approx(0)


def test_a_permitted_left_gets_what_the_opposing_queue_leaves() -> None:
    """By hand: queue from e gone after q r/(s − q), then gaps (equation 31-100), and two sneakers a cycle."""
    network = crossing_with_lefts([(30, "GgG"), (3, "yyy"), (27, "rrr")])
    flows = {("w", "eo"): 300.0, ("w", "no"): 100.0, ("e", "wo"): 500.0}
    settings = dataclasses.replace(PLAIN, extension_s=0.0)
    group = closed_form(network, field_plan(network), flows, settings)["w:1"]
    unblocked_s = 30 - 500 * 30 / (1900 - 500)
    want = (unblocked_s * float(permitted_vph(500)) + 3600 * 2) / 60
    assert group.capacity_vph == pytest.approx(want, rel=1e-6)


def test_protection_is_worth_more_than_gaps() -> None:
    """The same green, protected: 1,900 / 1.05 over its share."""
    network = crossing_with_lefts([(30, "Grr"), (30, "rGr"), (30, "rrG")])
    flows = {("w", "eo"): 300.0, ("w", "no"): 100.0, ("e", "wo"): 500.0}
    group = closed_form(network, field_plan(network), flows, PLAIN)["w:1"]
    assert group.capacity_vph == pytest.approx(1900 / 1.05 / 3)
    assert group.unverified == ()


def test_opposing_overload_leaves_the_sneakers() -> None:
    """The opposing queue never ends: two vehicles a cycle still get out."""
    network = crossing_with_lefts([(30, "GgG"), (3, "yyy"), (27, "rrr")])
    flows = {("w", "no"): 100.0, ("e", "wo"): 1500.0}
    group = closed_form(network, field_plan(network), flows, PLAIN)["w:1"]
    assert group.capacity_vph == pytest.approx(120)


def test_a_shared_lane_suffers_from_its_lefts() -> None:
    """Waiting lefts hold up through traffic: capacity falls with their share."""
    network = crossing_with_lefts([(30, "GgG"), (3, "yyy"), (27, "rrr")], shared=True)
    capacities = [
        closed_form(network, field_plan(network), {("w", "eo"): 400.0 - v, ("w", "no"): v, ("e", "wo"): 500.0}, PLAIN)[
            "w:0"
        ].capacity_vph
        for v in (0.0, 20.0, 100.0, 300.0)
    ]
    assert capacities == sorted(capacities, reverse=True)
    assert capacities[0] == pytest.approx(950)


def test_movements_fill_their_lanes_evenly() -> None:
    """Through traffic avoids the lane that right turns fill: both lanes end equally full."""
    b = NetworkBuilder()
    b.link("in", "w c", lanes=2)
    b.link("through", "c e", lanes=2)
    b.link("right", "c s")
    b.turn("in through", lanes=(0, 0), head=("c", 0))
    b.turn("in right", lanes=(0, 0), direction="r", head=("c", 0))
    b.turn("in through", lanes=(1, 1), head=("c", 0))
    b.program("c", [(30, "G"), (30, "r")])
    network = b.build()
    groups = closed_form(network, field_plan(network), {("in", "through"): 800.0, ("in", "right"): 200.0}, PLAIN)
    assert groups["in:0"].x == pytest.approx(groups["in:1"].x, rel=1e-6)
    assert groups["in:0"].flow_vph + groups["in:1"].flow_vph == pytest.approx(1000)


def test_through_traffic_leaves_the_lane_that_lefts_hold_up() -> None:
    """A lane for through traffic beside one shared with waiting lefts: it takes more, until both are equally full."""
    b = NetworkBuilder()
    b.link("w", "a c", lanes=2)
    b.link("e", "b c")
    b.link("wo", "c a")
    b.link("eo", "c b", lanes=2)
    b.link("no", "c n")
    b.turn("w eo", lanes=(0, 0), head=("c", 0))
    b.turn("w eo", lanes=(1, 1), head=("c", 0))
    left = b.turn("w no", lanes=(1, 0), direction="l", head=("c", 1))
    b.yielding(left, [b.turn("e wo", head=("c", 2))])
    b.program("c", [(30, "GgG"), (3, "yyy"), (27, "rrr")], conflicts=[(1, 2)])
    network = b.build()
    groups = closed_form(
        network, field_plan(network), {("w", "eo"): 900.0, ("w", "no"): 80.0, ("e", "wo"): 600.0}, PLAIN
    )
    assert groups["w:0"].flow_vph > 1.25 * groups["w:1"].flow_vph
    # 3 %: lanes are filled in rounds, not solved for
    assert groups["w:0"].x == pytest.approx(groups["w:1"].x, rel=0.03)


def test_periods_hand_their_queues_on() -> None:
    """An overloaded quarter of an hour delays the next one, which begins with its queue; an empty one lets it go."""
    network = one_way()
    flows = [{("in", "out"): v} for v in (1050.0, 800.0, 0.0, 800.0)]
    periods = [p["in:0"] for p in closed_form_over_periods(network, field_plan(network), flows, PLAIN)]
    assert periods[0].queue_after_veh == pytest.approx(25)
    assert periods[1].initial_queue_s > 0
    assert periods[1].queue_after_veh == 0
    alone = closed_form(network, field_plan(network), flows[3], PLAIN)["in:0"]
    assert periods[3] == alone


def symmetric() -> RoadNetwork:
    """Four alike approaches with through traffic alone, two stages of 27 s and 3 s yellow."""
    b = NetworkBuilder()
    for side in "nesw":
        b.link(f"{side}i", f"{side} c")
        b.link(f"{side}o", f"c {side}")
    for head, (here, there) in enumerate(("ns", "sn", "ew", "we")):
        b.turn(f"{here}i {there}o", head=("c", head))
    b.program("c", [(27, "GGrr"), (3, "yyrr"), (27, "rrGG"), (3, "rryy")], conflicts=[(0, 2), (0, 3), (1, 2), (1, 3)])
    return b.build()


def test_symmetric_crossing_has_symmetric_delays() -> None:
    """Alike approaches wait alike, by every formula; the network's delay is theirs."""
    network = symmetric()
    flows = {(f"{a}i", f"{b}o"): 500.0 for a, b in ("ns", "sn", "ew", "we")}
    groups = closed_form(network, field_plan(network), flows)
    for formula in ("webster", "hcm", "khcm"):
        delays = [g.delay_s(formula) for g in groups.values()]
        assert np.ptp(delays) == pytest.approx(0, abs=1e-9)
        assert network_delay_s_per_veh(groups, formula) == pytest.approx(delays[0])
        assert network_delay_s_per_veh(groups, formula, entering_vph=1000.0) == pytest.approx(2 * delays[0])


def test_offsets_change_nothing() -> None:
    """Every signal is taken alone: a shift of all offsets leaves all figures as they are."""
    network = symmetric()
    flows = {(f"{a}i", f"{b}o"): 500.0 for a, b in ("ns", "sn", "ew", "we")}
    plan = field_plan(network)
    moved = TimingPlan(controllers={c: dataclasses.replace(p, offset_s=17.0) for c, p in plan.controllers.items()})
    assert closed_form(network, moved, flows) == closed_form(network, plan, flows)


def test_two_greens_a_cycle_are_seen() -> None:
    """Two greens of 15 s wait like a cycle of half the length."""
    network = one_way()
    twice = dataclasses.replace(
        field_plan(network).controllers["c"],
        intervals=tuple(i._replace(duration_s=15.0) for i in field_plan(network).controllers["c"].intervals * 2),
    )
    group = closed_form(network, TimingPlan(controllers={"c": twice}), {("in", "out"): 600.0}, PLAIN)["in:0"]
    assert group.capacity_vph == pytest.approx(950)
    assert group.uniform_s == pytest.approx(float(uniform_delay_s(30, 15, 600 / 950)))


# --- saturation flow from the network ---


def settings_of(standard: str, **conditions: LaneConditions) -> SaturationSettings:
    return SaturationSettings(standard=standard, conditions=conditions)  # type: ignore[arg-type]


def test_lane_saturation_by_both_manuals() -> None:
    """Conditions of a link, and widths and turns of the network, by the factors of each manual; kerb lanes differ."""
    network = one_way(2)
    groups = lane_groups(network)
    conditions = LaneConditions(heavy_share=0.1, grade=0.03, parking_per_h=5.0)
    hcm = lane_saturations(network, groups, settings_of("hcm", **{"in": conditions}))
    assert hcm["in", 1].through_vph == pytest.approx(1900 * (100 - 7.8 - 0.31 * 9) / 100)
    assert hcm["in", 0].through_vph == pytest.approx(hcm["in", 1].through_vph * 0.875)
    korean = lane_saturations(network, groups, settings_of("khcm", **{"in": conditions}))
    assert korean["in", 1].through_vph == pytest.approx(2200 * 0.96 / 1.08)
    assert korean["in", 0].factors["roadside"] == pytest.approx(1 - 0.3 * (360 + 90) / 3600)


def test_measured_saturation_flow_replaces_factors() -> None:
    """A lane's count in the field stands, its neighbour keeps the factors."""
    network = one_way(2)
    settings = SaturationSettings(conditions={("in", 0): LaneConditions(measured_vph=1650.0)})
    found = lane_saturations(network, lane_groups(network), settings)
    assert found["in", 0].through_vph == 1650
    assert found["in", 1].through_vph == 1900


def test_turns_by_their_radius() -> None:
    """A left of 15 m length over a right angle has a radius of 9.5 m: 1.11 through cars in Korea, 1.05 in the HCM."""
    network = crossing_with_lefts([(30, "GgG"), (30, "rrr")])
    assert turn_radius_m(network, network.connections[1]) == pytest.approx(15 / (np.pi / 2))
    assert turn_radius_m(network, network.connections[0]) == np.inf
    groups = lane_groups(network)
    assert lane_saturations(network, groups, settings_of("khcm"))["w", 1].equivalents[1] == pytest.approx(1.11)
    assert lane_saturations(network, groups, settings_of("hcm"))["w", 1].equivalents[1] == pytest.approx(1.05)


def with_crossing(network: RoadNetwork, connection: int, index: int) -> RoadNetwork:
    """The network with a crossing that a way yields to, signalled by a link index."""
    crossing = Crossing(
        id="x:c:0", node_id="c", crossed_links=("no",), length_m=7.0, width_m=4.0, controller_id="c",
        link_indices=(index,), conflicts=(connection,),
    )  # fmt: skip
    ways = list(network.connections)
    ways[connection] = dataclasses.replace(ways[connection], yields_to_crossings=(0,))
    return dataclasses.replace(network, connections=tuple(ways), crossings=(crossing,))


@pytest.mark.parametrize("standard", ["hcm", "khcm"])
def test_people_on_the_crossing_take_from_the_turn(standard: str) -> None:
    """More people, less capacity; nobody, none taken."""
    network = with_crossing(crossing_with_lefts([(30, "GgGG"), (3, "yyyr"), (27, "rrrr")]), 1, 3)
    capacities = []
    for walkers in (0.0, 100.0, 1500.0):
        saturation = settings_of(standard, w=LaneConditions(walkers_per_h=walkers))
        groups = closed_form(
            network, field_plan(network), {("w", "no"): 100.0, ("e", "wo"): 100.0},
            dataclasses.replace(PLAIN, saturation=saturation),
        )  # fmt: skip
        capacities.append(groups["w:1"].capacity_vph)
    assert capacities[0] > capacities[1] > capacities[2]


# --- what it rests on, and faults ---


def test_figures_say_what_they_rest_on() -> None:
    """Turns on red and permitted rights use gap headways of lefts: both are named where there is flow."""
    b = NetworkBuilder()
    b.link("w", "a c")
    b.link("n", "d c")
    b.link("so", "c s")
    right = b.turn("w so", direction="r", head=("c", 0))
    through = b.turn("n so", head=("c", 1))
    b.yielding(right, [through])
    b.program("c", [(30, "gr"), (30, "sG")], conflicts=[(0, 1)])
    network = b.build()
    groups = closed_form(network, field_plan(network), {("w", "so"): 100.0, ("n", "so"): 300.0})
    assert any("on red" in text for text in groups["w:0"].unverified)
    assert any("other than lefts" in text for text in groups["w:0"].unverified)
    assert groups["n:0"].unverified == ()


def test_movements_without_green_are_all_named() -> None:
    """Flow over movements that are never green is an error for each, with the flow."""
    network = crossing_with_lefts([(30, "Grr"), (30, "rrr")])
    flows = {("w", "eo"): 300.0, ("w", "no"): 100.0, ("e", "wo"): 500.0}
    with pytest.raises(PlanError) as caught:
        closed_form(network, field_plan(network), flows)
    assert len(caught.value.faults) == 2
    assert "movement 'w>no' has 100 veh/h but no green" in str(caught.value)
    assert list(closed_form(network, field_plan(network), {("w", "eo"): 300.0})) == ["w:0"]


def test_faults_of_plan_flows_and_settings() -> None:
    """Missing programs, impossible flows, unknown lane groups, lanes and values: each error lists all of its kind."""
    network = one_way()
    with pytest.raises(PlanError, match="no program for controller 'c'"):
        closed_form(network, TimingPlan(controllers={}), {})
    with pytest.raises(DemandError) as caught:
        closed_form(
            network, field_plan(network), {("in", "out"): -1.0},
            ClosedFormSettings(on_green={"nowhere": 0.5, "in:0": 2.0}, period_h=0.0),
        )  # fmt: skip
    assert len(caught.value.faults) == 4
    settings = settings_of("hcm", bridge=LaneConditions(), **{"in": LaneConditions(grade=0.5)})
    with pytest.raises(NetworkError) as caught_too:
        closed_form(network, field_plan(network), {}, ClosedFormSettings(saturation=settings))
    assert len(caught_too.value.faults) == 2
    with pytest.raises(DemandError, match="no flow at any signal"):
        network_delay_s_per_veh(closed_form(network, field_plan(network), {}), "hcm")

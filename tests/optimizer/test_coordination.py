"""All offsets at once: proposals by tables of filter and simulation, rules kept, bounds told."""

import numpy as np

from network_data.demand import DemandScenarios
from network_data.settings import settings_from
from optimizer.bandwidth.wanted import wanted_bands
from optimizer.candidate import Candidate, changed, with_offset
from optimizer.coordination import Coordinator
from optimizer.flows import mean_flows_vph
from optimizer.offsets.link_tables import simulated_costs
from optimizer.skeleton import is_steady
from tests.builders import NetworkBuilder, demand, field_plan
from tests.optimizer.scenes import Scene, arterial, scene

BAD_S = (0.0, 58.0, 20.0)


def coordinator(table: dict | None = None) -> tuple[Coordinator, Scene]:
    network, flows = arterial(offsets_s=BAD_S)
    settings = settings_from(table or {}, "test")
    made = scene(network, flows, settings)
    wanted = wanted_bands(network, mean_flows_vph(flows), settings)
    return Coordinator(network, flows, made.evaluator.simulator, made.neighbourhood, 0, wanted), made


def three_stages(table: dict | None = None) -> tuple[Coordinator, Scene]:
    """Two signals on a street, each with two side streets that need a stage of their own."""
    b = NetworkBuilder()
    for n, ends in enumerate(("w p", "p q", "q e")):
        b.link(f"a{n}", ends, length_m=300.0)
    rows = ((20, "Grr"), (3, "yrr"), (14, "rGr"), (3, "ryr"), (17, "rrG"), (3, "rry"))
    veh = {("", "a0"): 40.0, ("a0", "a1"): 40.0, ("a1", "a2"): 40.0, ("a2", ""): 60.0}
    for n, name in enumerate("pq"):
        b.turn(f"a{n} a{n + 1}", head=(name, 0))
        for k, side in enumerate("st", 1):
            b.link(f"{side}{name}", f"{side}{name} {name}")
            b.turn(f"{side}{name} a{n + 1}", direction="r", head=(name, k))
            veh |= {("", f"{side}{name}"): 10.0, (f"{side}{name}", f"a{n + 1}"): 10.0}
        b.program(name, rows, offset_s=10.0 * n, conflicts=[(0, 1), (0, 2), (1, 2)])
    veh[("a1", "a2")] = 60.0
    veh[("a2", "")] = 80.0
    network = b.build()
    flows = DemandScenarios(scenarios=(demand(veh, intervals=3),), weights=(1.0,))
    settings = settings_from(table or {}, "test")
    made = scene(network, flows, settings)
    wanted = wanted_bands(network, mean_flows_vph(flows), settings)
    return Coordinator(network, flows, made.evaluator.simulator, made.neighbourhood, 0, wanted), made


def delay(made: Scene, candidate: Candidate) -> float:
    n = made.evaluator.simulator.n_realizations
    return float(np.mean(made.evaluator.values([candidate], range(n))[0]))


def test_proposals_beat_bad_offsets_in_the_simulation() -> None:
    """Both kinds of tables cut the delay of an arterial whose offsets are wrong; the simulation's by more."""
    planner, made = coordinator()
    start = made.neighbourhood.field
    by_filter = planner.propose(start, 0)
    by_simulation = planner.propose(start, 0, simulated=True)

    assert by_filter is not None
    assert by_simulation is not None
    assert delay(made, by_filter) < 0.9 * delay(made, start)
    assert delay(made, by_simulation) < 0.75 * delay(made, start)
    assert [step.tables for step in planner.steps] == ["cyclic flow profiles", "queue simulation"]


def test_a_street_without_cycles_is_solved_to_the_optimum() -> None:
    """An arterial is a tree: bound and value are one; in tables made anew the gap that was there is gone."""
    planner, made = coordinator()
    start = made.neighbourhood.field
    found = planner.propose(start, 3)

    assert found is not None
    record = planner.steps[0].as_record()
    assert record["status"] == "optimal"
    assert record["iteration"] == 3
    assert record["model"] == "offset tables; cycle and splits fixed"
    (before,), (after,) = planner.bound_of(start), planner.bound_of(found)
    assert after["gap"] < 0.01 < before["gap"]
    assert after["bound"] <= after["reached"] < before["reached"]


def test_a_fixed_signal_keeps_its_offset_and_others_follow() -> None:
    """What the settings hold stays where it is; the rest is set around it."""
    planner, made = coordinator({"change": {"fixed_signals": ["q"]}})
    start = made.neighbourhood.field
    found = planner.propose(start, 0)

    assert found is not None
    at = [m.controller.id for m in planner.neighbourhood.models].index("q")
    assert found[at].key() == start[at].key()
    assert delay(made, found) < delay(made, start)


def test_an_offset_moves_no_further_than_allowed() -> None:
    """With max_offset_change_s every proposal keeps within it."""
    planner, made = coordinator({"change": {"max_offset_change_s": 6.0}})
    start = made.neighbourhood.field
    found = planner.propose(start, 0)

    assert found is not None
    for was, now in zip(start, found, strict=True):
        away = (now.offset_s - was.offset_s + 30) % 60 - 30
        assert abs(away) <= 6


def test_proposals_do_not_depend_on_a_common_turn_of_the_start() -> None:
    """All offsets turned by the same seconds: the same differences come out."""
    planner, made = coordinator()
    start = made.neighbourhood.field
    turned = start
    for at in range(3):
        turned = changed(turned, at, with_offset(turned[at], turned[at].offset_s + 13))
    one, other = planner.propose(start, 0), planner.propose(turned, 0)

    assert one is not None
    assert other is not None
    steps = [[(a.offset_s - c[0].offset_s) % 60 for a in c] for c in (one, other)]
    assert steps[0] == steps[1]


def test_simulated_tables_see_what_the_filter_sees() -> None:
    """On a plain arterial the best differences by both are a few seconds apart."""
    planner, made = coordinator()
    plan = field_plan(made.network)
    from_filter = planner.tables(plan, 60)
    measured = simulated_costs(made.evaluator.simulator, plan, from_filter, seed=0)

    assert measured.delay_s.shape == from_filter.delay_s.shape
    for here, there in zip(from_filter.delay_s, measured.delay_s, strict=True):
        away = (int(np.argmin(here)) - int(np.argmin(there)) + 30) % 60 - 30
        assert abs(away) <= 8


def test_other_orders_keep_stages_seconds_and_rules() -> None:
    """Two signals with three stages each: an order that suits both is found, with the same stages and cycle."""
    planner, made = three_stages()
    start = made.neighbourhood.field
    found = planner.propose_orders(start, 0)
    step = planner.steps[-1].as_record()

    assert step["model"] == "offset tables of each order of stages; cycle and splits fixed"
    assert step["bound_veh_s"] <= step["value_veh_s"]
    if found is not None:
        for at, (was, now) in enumerate(zip(start, found, strict=True)):
            skeletons = planner.neighbourhood.models[at].skeletons
            assert now.cycle_s == was.cycle_s
            assert planner.neighbourhood.keeps_rules(at, now)
            stages = [sorted(state for state in skeletons[s.skeleton].states if is_steady(state)) for s in (was, now)]
            assert stages[0] == stages[1]


def test_frozen_stages_have_no_other_order() -> None:
    """What the settings freeze is not proposed."""
    planner, made = three_stages({"change": {"freeze": ["stages"]}})
    assert planner.propose_orders(made.neighbourhood.field, 0) is None

"""Explanations: every changed number once, with the figures of the simulation and the rules that leave no room."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from network_data.directions import Places
from network_data.network import RoadNetwork
from network_data.plans import Interval, TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.binding import Bindings
from optimizer.explain import Reason, explain
from optimizer.flows import mean_flows_vph
from optimizer.optimize import realizations_of
from optimizer.rulebook import rule_book
from sim.measures import Measures, measure
from sim.simulate import Simulator
from tests.builders import field_plan
from tests.optimizer.node221 import node_221
from tests.optimizer.scenes import arterial


def with_rows(network: RoadNetwork, seconds: dict[str, dict[int, float]], offset_s: float = 0.0) -> TimingPlan:
    """The field's plan with more seconds in some rows of some controllers."""
    out = {}
    for c, program in field_plan(network).controllers.items():
        more = seconds.get(c, {})
        rows = tuple(Interval(i.duration_s + more.get(n, 0), i.state) for n, i in enumerate(program.intervals))
        shift = offset_s if c in seconds else 0.0
        out[c] = dataclasses.replace(program, intervals=rows, offset_s=program.offset_s + shift)
    return TimingPlan(controllers=out)


def explained(plan_of, table: dict | None = None) -> tuple[list[Reason], Measures, Measures, RoadNetwork]:
    network, flows = arterial(through_vph=700, side_vph=500)
    plan, settings = plan_of(network), settings_from(table or {}, "test")
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    simulator = Simulator(network, trips, begin_s=0.0, end_s=900.0)
    before, after = measure(simulator, field_plan(network)), measure(simulator, plan)
    reasons = explain(network, field_plan(network), plan, before, after, settings, flows_vph=mean_flows_vph(flows))
    return list(reasons), before, after, network


def test_moved_seconds_name_who_gains_and_pays() -> None:
    """Six seconds from the side street to the arterial at p: two greens changed, both sides with their figures."""
    reasons, before, after, _ = explained(lambda network: with_rows(network, {"p": {0: 6, 2: -6}}))
    assert [(r.controller, r.what, r.change_s) for r in reasons] == [("p", "green", 6.0), ("p", "green", -6.0)]
    more, less = reasons
    (main,) = more.served
    assert main.id == "a0>a1"
    assert main.before_s == before.movements["a0>a1"].delay_s_per_veh
    assert main.after_s == after.movements["a0>a1"].delay_s_per_veh
    assert main.v_over_c_after == after.movements["a0>a1"].v_over_c < before.movements["a0>a1"].v_over_c
    assert [one.id for one in more.pays] == ["sp>np"]
    assert more.gains == ()
    assert [one.id for one in less.gains] == ["a0>a1"]
    assert re.match(r"\+6 s: .*v/c \d\.\d\d → \d\.\d\d, -\d+\.\d s/veh; .*\+\d+\.\d s/veh; no rule binds", more.text)


def test_a_bound_that_leaves_no_room_is_named_with_its_seconds() -> None:
    """The side street at its least green of 21 s: neither may the arterial get more, nor it give more."""
    reasons, *_ = explained(
        lambda network: with_rows(network, {"p": {0: 6, 2: -6}}), {"signals": {"p": {"min_greens": {"1": 21.0}}}}
    )
    for reason in reasons:
        (bound,) = reason.binds
        assert (bound.rule, bound.heads, bound.at_s) == ("minimum-green", (1,), 21.0)
        assert "minimum green of eastbound through" in reason.text
        assert reason.text.endswith("binds at 21 s")


def test_cycle_and_offset_are_numbers_of_their_own() -> None:
    """A longer cycle at its bound, a later offset at its bound."""
    table = {"change": {"max_cycle_change_s": 4.0, "max_offset_change_s": 5.0}}
    reasons, *_ = explained(lambda network: with_rows(network, {"q": {0: 4}}, offset_s=5.0), table)
    assert [(r.what, r.change_s) for r in reasons] == [("cycle", 4.0), ("offset", 5.0), ("green", 4.0)]
    assert [b.rule for b in reasons[0].binds] == ["cycle-change"]
    assert [b.rule for b in reasons[1].binds] == ["offset-change"]
    assert reasons[0].text.startswith("cycle 60 → 64 s: ")
    assert reasons[1].text.startswith("offset +5 s (30 → 35 s): ")


def test_other_stages_are_told() -> None:
    """The side street first: the same stages in another order."""

    def turned(network: RoadNetwork) -> TimingPlan:
        plan = field_plan(network)
        own = plan.controllers["p"]
        rows = (Interval(20.0, "Gr"), Interval(3.0, "yr"), Interval(20.0, "rG"), Interval(3.0, "ry"))
        again = dataclasses.replace(own, intervals=rows * 2)
        return TimingPlan(controllers={**plan.controllers, "p": again})

    reasons, *_ = explained(turned)
    assert reasons[0].what == "stages"
    assert reasons[0].text.startswith("stages 1, 2 of the field → 1, 2, 1, 2: ")


def test_nothing_changed_needs_no_explanation() -> None:
    """The field's own plan has no reasons."""
    assert explained(field_plan)[0] == []


def test_the_crossing_on_the_east_side_binds() -> None:
    """At node 221 a stage whose crossing has its 24 s and no more cannot give more: the issue's own words."""
    network = node_221(stage_s=19, crossing_m=17.0)
    settings = Settings()
    field = field_plan(network).controllers["221"]
    book = rule_book(network, network.controllers["221"], field, settings)
    bindings = Bindings(book, field, Places(network))
    assert book.walk_s[4:].tolist() == [24.0] * 4
    stage = [n for n, state in enumerate(bindings.states) if state[2] == "G"]
    (bound,) = [b for b in bindings.against_less(stage) if b.rule == "walk"]
    assert bound.text == "the crossing on the east side binds at 24 s"


@pytest.mark.parametrize("seed", range(6))
def test_what_binds_is_what_the_check_would_refuse(seed: int) -> None:
    """No binding: some second can be moved that way and the check passes; a binding: every such second is refused."""
    rng = np.random.default_rng(seed)
    network = node_221(stage_s=int(rng.integers(20, 27)))
    table = {"signals": {"221": {"max_red_s": float(rng.integers(75, 95)), "max_green_s": float(rng.integers(18, 30))}}}
    settings, field = settings_from(table, "test"), field_plan(network)
    program = field.controllers["221"]
    book = rule_book(network, network.controllers["221"], program, settings)
    bindings = Bindings(book, program, Places(network))

    def refused(durations: list[float]) -> set[str]:
        rows = tuple(Interval(float(d), s) for d, s in zip(durations, bindings.states, strict=True))
        plan = TimingPlan(controllers={"221": dataclasses.replace(program, intervals=rows)})
        return {f"{f.rule} {f.where}" for f in check_plan(network, plan, field, settings) if f.severity == "error"}

    now = [float(d) for d in bindings.durations_s]
    stages = [n for n, state in enumerate(bindings.states) if "G" in state and "y" not in state]
    for head in range(8):
        mine = [n for n in stages if bindings.states[n][head] == "G"]
        others = [n for n in stages if n not in mine]
        free = []
        for a in others:
            for b in mine:
                moved = list(now)
                moved[a] -= 1
                moved[b] += 1
                free.append(moved[a] >= 1 and refused(moved) <= refused(now))
        assert (bindings.against_more(mine) == []) == any(free)


def test_green_that_is_kept_for_want_of_loops_binds() -> None:
    """The side street without a loop has its 90 % and no more: the arterial cannot get another second."""
    network, flows = arterial(through_vph=700, side_vph=500)
    plan = with_rows(network, {"p": {0: 2, 2: -2}})
    trips = realizations_of(flows, seed=0, warmup_s=0.0, network=network)
    simulator = Simulator(network, trips, begin_s=0.0, end_s=900.0)
    before, after = measure(simulator, field_plan(network)), measure(simulator, plan)
    told = explain(
        network, field_plan(network), plan, before, after, Settings(), flows_vph=mean_flows_vph(flows),
        measured_links=frozenset(network.links) - {"sp"},
    )  # fmt: skip
    assert [b.rule for b in told[0].binds] == ["kept-green"]
    assert "keeps its share of green: no loop, or saturated" in told[0].text

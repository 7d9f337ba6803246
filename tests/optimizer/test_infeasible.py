"""When no plan is possible: the smallest set of rules that conflict, held against trying everything."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.flows import head_flows
from optimizer.infeasible import Conflict, SignalProgram, conflict_of, mended
from optimizer.infeasible.cores import smallest_core
from optimizer.infeasible.model import RuleModel
from optimizer.infeasible.rules import CommonCycle, Fixed, Requirement, requirements
from optimizer.models import merged
from optimizer.rulebook import rule_book
from optimizer.skeleton import UNBOUNDED_S, RuleName
from tests.builders import field_plan, two_signals
from tests.network_data.real_networks import load
from tests.optimizer.node221 import node_221

TOP = 10
"""Longest duration that trying has to go to: all bounds are at most this, so longer ones never help. [s]"""


def program_of(network: RoadNetwork, controller: str, field: TimingPlan, settings: Settings) -> SignalProgram:
    book = rule_book(network, network.controllers[controller], field.controllers[controller], settings)
    skeleton = book.skeleton("field", *merged(field.controllers[controller]))
    return SignalProgram(book, skeleton, skeleton.start_s)


def conflict_at_221(table: dict, **more) -> Conflict | None:
    network = node_221()
    program = program_of(network, "221", field_plan(network), settings_from(table, "test"))
    return conflict_of(network, [program], [requirements(program, 0, **more)])


def test_the_four_crossings_of_node_221() -> None:
    """The sentence of the field: the cycle, what is in the way, and what it needs; five rules, none to spare."""
    found = conflict_at_221({"limits": {"cycle_s": 100.0}})
    assert found is not None
    assert found.sentence == "cycle 100 s is impossible at node 221: the four crossings need 104 s"
    assert [one.rule for one in found.rules] == ["walk"] * 4 + ["cycle"]
    assert found.proven
    assert "walk (221): the crossing on the east side at least 26 s" in found.text
    assert conflict_at_221({"limits": {"cycle_s": 104.0}}) is None


@pytest.mark.parametrize(
    ("table", "more", "sentence"),
    [
        (
            {"signals": {"221": {"cycle_max_s": 100.0}}},
            {},
            "a cycle of at most 100 s is impossible at node 221: the four crossings need 104 s",
        ),
        (
            {"signals": {"221": {"max_red_s": 80.0}}},
            {},
            "red of the crossing on the north side at most 80 s is impossible at node 221: "
            "the three crossings need 81 s",
        ),
        (
            {"change": {"max_cycle_change_s": 10.0}, "limits": {"cycle_s": 160.0}},
            {},
            "cycle 160 s is impossible at node 221: the bound on the change of the cycle allows at most 138 s",
        ),
        (
            {"limits": {"cycle_s": 110.0}},
            {"fixed": True},
            "cycle 110 s is impossible at node 221: the field's program, which is fixed, needs 128 s",
        ),
        (
            {"limits": {"cycle_s": 110.0}},
            {"freeze_cycle": True},
            "cycle 110 s is impossible at node 221: the bound on the change of the cycle needs 128 s",
        ),
        (
            {"limits": {"min_green_s": 40.0}, "signals": {"221": {"cycle_max_s": 120.0}}},
            {},
            "a cycle of at most 120 s is impossible at node 221: the minimum greens of southbound through, "
            "westbound through and northbound through need 130 s",
        ),
        (
            {"signals": {"221": {"min_greens": {"ni>so": 30.0}, "max_greens": {"0": 25.0}}}},
            {},
            "maximum green of southbound through at most 25 s is impossible at node 221: "
            "the minimum green of southbound through needs 30 s",
        ),
        (
            {"signals": {"221": {"max_green_change_s": 2.0, "min_greens": {"ei>wo": 40.0}}}},
            {},
            "green of westbound through near the field's at most 29 s is impossible at node 221: "
            "the minimum green of westbound through needs 40 s",
        ),
    ],
)
def test_conflicts_in_the_field_s_words(table: dict, more: dict, sentence: str) -> None:
    """Each bound of the settings is named with what stands against it and its seconds."""
    found = conflict_at_221(table, **more)
    assert found is not None
    assert found.sentence.startswith(sentence)


def test_who_would_come_above_capacity_is_named() -> None:
    """Three loaded legs and a long crossing in a short cycle: v/c stands among the rules."""
    network = node_221()
    settings = settings_from({"limits": {"cycle_s": 104.0}}, "test")
    program = program_of(network, "221", field_plan(network), settings)
    busy = head_flows(
        network, network.controllers["221"], dict.fromkeys([("ni", "so"), ("ei", "wo"), ("si", "no")], 375.0)
    )
    rules = requirements(program, 0, flows=busy, field_loads=busy.needed_share() / (27 / 128))
    found = conflict_of(network, [program], [rules])
    assert found is not None
    assert {one.rule for one in found.rules} >= {"v-over-c", "cycle"}
    assert "through at v/c 1 at most" in found.text


def test_a_common_cycle_that_two_signals_cannot_share() -> None:
    """One needs more than the other allows, also with half cycles."""
    network = two_signals()
    table = {
        "limits": {"common_cycle": [["p", "q"]]},
        "signals": {"p": {"min_green_s": 40.0}, "q": {"cycle_min_s": 50.0, "cycle_max_s": 80.0}},
    }
    settings = settings_from(table, "test")
    programs = [program_of(network, c, field_plan(network), settings) for c in ("p", "q")]
    rules = [requirements(program, n, freeze_cycle=False) for n, program in enumerate(programs)]
    assert conflict_of(network, programs, rules, [(0, 1)]) is None  # 100 s and 50 s
    table["signals"]["q"]["cycle_min_s"] = 60.0
    table["signals"]["p"]["cycle_max_s"] = 110.0
    settings = settings_from(table, "test")
    programs = [program_of(network, c, field_plan(network), settings) for c in ("p", "q")]
    rules = [requirements(program, n) for n, program in enumerate(programs)]
    found = conflict_of(network, programs, rules, [(0, 1)])
    assert found is not None
    assert found.sentence.startswith("a common cycle of p and q is impossible: node p needs at least ") or (
        "node p can run " in found.sentence
    )
    assert re.search(r"node q (can run|needs at least) \d+", found.sentence)
    assert {one.rule for one in found.rules} >= {"common-cycle", "cycle"}
    assert mended(programs, rules) is not None


def bound(draw: st.DrawFn, n: int, signal: int) -> Requirement:
    """A random rule on neighbouring durations."""
    first, length = draw(st.integers(0, n - 1)), draw(st.integers(1, n))
    terms = tuple(((first + k) % n, 1) for k in range(length))
    low = draw(st.integers(1, TOP))
    kind = draw(st.sampled_from(["least", "most", "exact", "two"]))
    ranges = {
        "least": ((low, UNBOUNDED_S),),
        "most": ((0, low),),
        "exact": ((low, low),),
        "two": ((0, min(low, 3)), (max(low, 5), TOP)),
    }[kind]
    return Requirement(RuleName(kind), signal, terms, ranges)


@st.composite
def systems(draw: st.DrawFn) -> tuple[list[int], list[Requirement | CommonCycle | Fixed]]:
    """One or two signals with up to seven rules."""
    sizes = draw(st.sampled_from([[1], [2], [3], [4], [1, 2], [2, 2]]))
    rules: list[Requirement | CommonCycle | Fixed] = []
    for _ in range(draw(st.integers(1, 7))):
        signal = draw(st.integers(0, len(sizes) - 1))
        rules.append(bound(draw, sizes[signal], signal))
    if len(sizes) == 2 and draw(st.booleans()):
        rules.append(CommonCycle(RuleName("common-cycle"), (0, 1)))
    if draw(st.booleans()):
        signal = draw(st.integers(0, len(sizes) - 1))
        wanted = tuple(draw(st.integers(1, 4)) for _ in range(sizes[signal]))
        rules.append(Fixed(RuleName("fixed"), signal, wanted))
    return sizes, rules


def kept_by_all(sizes: list[int], rules: list) -> np.ndarray:
    """(vectors of durations, rules): who keeps what; every vector up to TOP, slow and obvious."""
    top = TOP if sum(sizes) < 4 else 6 if len(sizes) == 2 else TOP
    grid = np.array(list(itertools.product(range(1, top + 1), repeat=sum(sizes))))
    start = np.cumsum([0, *sizes])
    out = np.zeros((len(grid), len(rules)), bool)
    for r, rule in enumerate(rules):
        if isinstance(rule, CommonCycle):
            cycles = np.array([grid[:, start[s] : start[s + 1]].sum(1) for s in rule.signals])
            longest = cycles.max(0)
            out[:, r] = ((cycles == longest) | (2 * cycles == longest)).all(0)
        elif isinstance(rule, Fixed):
            own = grid[:, start[rule.signal] : start[rule.signal + 1]]
            out[:, r] = (own == np.array(rule.durations_s)).all(1)
        else:
            value = sum(c * grid[:, start[rule.signal] + i] for i, c in rule.terms)
            out[:, r] = np.any([(value >= low) & (value <= high) for low, high in rule.ranges], axis=0)
    return out


def naive_smallest(kept: np.ndarray) -> int | None:
    """Fewest rules that no vector keeps together; None where one keeps all."""
    n = kept.shape[1]
    for size in range(1, n + 1):
        for some in itertools.combinations(range(n), size):
            if not kept[:, some].all(1).any():
                return size
    return None


@hypothesis_settings(deadline=None, max_examples=120, derandomize=True)
@given(system=systems().filter(lambda one: len(one[0]) == 1))
def test_the_smallest_conflict_is_that_of_trying_everything(system) -> None:
    """As many rules as the smallest set that no durations keep; none where some keep all."""
    sizes, rules = system
    kept = kept_by_all(sizes, rules)
    found = smallest_core(RuleModel(sizes, rules), frozenset(range(len(rules))))
    want = naive_smallest(kept)
    if want is None:
        assert found is None
        return
    assert found is not None
    core, proven = found
    assert proven
    assert len(core) == want
    assert not kept[:, sorted(core)].all(1).any()


@hypothesis_settings(deadline=None, max_examples=60, derandomize=True)
@given(system=systems().filter(lambda one: len(one[0]) == 2))
def test_conflicts_over_two_signals_with_a_common_cycle(system) -> None:
    """Trying up to six seconds finds no plan that the model overlooks, and every conflict is one."""
    sizes, rules = system
    kept = kept_by_all(sizes, rules)
    found = smallest_core(RuleModel(sizes, rules), frozenset(range(len(rules))))
    if found is not None:
        assert not kept[:, sorted(found[0])].all(1).any()
        for rule in found[0]:  # none can be left out
            assert RuleModel(sizes, [rules[r] for r in sorted(found[0] - {rule})]).nearest(
                [np.ones(n, np.int64) for n in sizes]
            )
    else:
        assert naive_smallest(kept) is None or max(max(r.ranges[0]) for r in rules if isinstance(r, Requirement)) > 6


@hypothesis_settings(deadline=None, max_examples=60, derandomize=True)
@given(system=systems().filter(lambda one: len(one[0]) == 1), data=st.data())
def test_mended_durations_keep_all_rules_with_the_fewest_seconds_moved(system, data: st.DataObject) -> None:
    """Against trying everything."""
    sizes, rules = system
    wanted = np.array([data.draw(st.integers(1, TOP)) for _ in range(sizes[0])])
    kept = kept_by_all(sizes, rules).all(1)
    grid = np.array(list(itertools.product(range(1, TOP + 1), repeat=sizes[0])))
    found = RuleModel(sizes, rules).nearest([wanted])
    if not kept.any():
        assert found is None
        return
    assert found is not None
    assert all(rule.holds(found[0]) for rule in rules if isinstance(rule, Requirement))
    assert np.abs(found[0] - wanted).sum() == np.abs(grid[kept] - wanted).sum(1).min()


@pytest.mark.parametrize("name", ["cologne8", "acosta", "pasubio"])
def test_field_programs_conflict_with_nothing(name: str) -> None:
    """Real programs keep their own rules, and mending them changes no second."""
    network, field = load(name)
    for controller in network.controllers:
        program = program_of(network, controller, field, Settings())
        durations = mended([program], [requirements(program, 0)])
        assert durations is not None
        assert durations[0].tolist() == program.field_s.tolist()


@pytest.mark.parametrize(
    "table", [{"limits": {"cycle_s": 60.0}}, {"rules": {"clearance": "ite"}, "limits": {"cycle_s": 90.0}}]
)
def test_mended_field_programs_pass_the_check(table: dict) -> None:
    """What is mended is legal: in a cycle or with clearances that the field does not have; the rest are conflicts."""
    network, field = load("cologne8")
    settings = settings_from(table, "test")
    n_mended = 0
    for controller in network.controllers:
        program = program_of(network, controller, field, settings)
        rules = requirements(program, 0)
        durations = mended([program], [rules])
        if durations is None:
            found = conflict_of(network, [program], [rules])
            assert found is not None
            assert found.proven
            assert f"node {controller}" in found.sentence
            continue
        n_mended += 1
        plan = TimingPlan(controllers={controller: program.skeleton.plan(durations[0], 0)})
        reference = TimingPlan(controllers={controller: field.controllers[controller]})
        assert [f.text for f in check_plan(network, plan, reference, settings) if f.severity == "error"] == []
    assert n_mended >= 4

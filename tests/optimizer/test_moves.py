"""Moves keep every rule, the cycle's bounds and what the settings freeze."""

import dataclasses

import numpy as np
import pytest

from network_data.demand import DemandScenarios
from network_data.rules import check_plan
from network_data.settings import settings_from
from optimizer.candidate import Candidate, timing_plan
from optimizer.models import kept_share
from optimizer.moves import Neighbourhood, loads
from tests.builders import demand, field_plan
from tests.network_data.crossroads import crossroads
from tests.optimizer.scenes import Scene, arterial, scene

RUNGS = ("offsets", "splits", "cycle", "stages")


def crossroads_scene(table: dict | None = None) -> Scene:
    """The crossroads with a walk, permitted and protected lefts, moderately loaded."""
    network = crossroads()
    pairs: dict[tuple[str, str], float] = {}
    for c in network.connections:
        veh = 5.0 if c.direction == "l" else 25.0
        pairs[c.from_link, c.to_link] = veh
        pairs["", c.from_link] = pairs.get(("", c.from_link), 0.0) + veh
        pairs[c.to_link, ""] = pairs.get((c.to_link, ""), 0.0) + veh
    flows = DemandScenarios(scenarios=(demand(pairs, intervals=3),), weights=(1.0,))
    return scene(network, flows, settings_from(table or {}, "test"))


def walk(hood: Neighbourhood, rung: str, n: int, seed: int = 0) -> list[tuple[str, Candidate]]:
    """A random walk over candidates by the moves of a rung; (move, candidate) of every step taken."""
    rng = np.random.default_rng(seed)
    moves, here, out = hood.moves(rung), hood.field, []
    for _ in range(n):
        name, move = moves[int(rng.integers(len(moves)))]
        there = move(here, rng)
        if there is not None:
            here = there
            out.append((name, here))
    return out


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("where", ["crossroads", "arterial"])
def test_every_candidate_on_a_random_walk_meets_the_rules(where: str, rung: str) -> None:
    """400 moves: `check_plan` has nothing to refuse, cycles and offsets are within bounds."""
    at = crossroads_scene() if where == "crossroads" else scene(*arterial(offsets_s=(0.0, 30.0, 10.0)))
    hood = at.neighbourhood
    steps = walk(hood, rung, 400)
    assert len(steps) > 100
    for name, candidate in steps:
        plan = timing_plan(hood.models, candidate)
        found = check_plan(at.network, plan, field_plan(at.network), at.settings)
        assert [f.text for f in found if f.severity == "error"] == [], name
        for setting in candidate:
            assert 40 <= setting.cycle_s <= 180
            assert 0 <= setting.offset_s < setting.cycle_s


def test_every_move_of_the_ladder_is_taken() -> None:
    """The walk uses all moves, so what the other tests show holds for all of them."""
    names = {name for name, _ in walk(scene(*arterial(offsets_s=(0.0, 30.0, 10.0))).neighbourhood, "stages", 400)}
    assert names == {"offset", "offsets", "split", "cycle", "cycles", "stages"}


def test_lower_rungs_leave_what_is_above_them() -> None:
    """Offset moves keep durations; split moves keep cycle and stages; cycle moves keep stages."""
    hood = crossroads_scene().neighbourhood
    start = hood.field[0]
    for _, (setting,) in walk(hood, "offsets", 200):
        assert setting.durations_s.tolist() == start.durations_s.tolist()
    for _, (setting,) in walk(hood, "splits", 200):
        assert (setting.skeleton, setting.cycle_s) == (0, start.cycle_s)
    for _, (setting,) in walk(hood, "cycle", 200):
        assert setting.skeleton == 0


def test_changes_of_signal_keep_their_length() -> None:
    """Yellows and all-reds of the field are never retimed."""
    hood = crossroads_scene().neighbourhood
    fixed = ~hood.models[0].skeletons[0].stretch
    for _, (setting,) in walk(hood, "cycle", 300):
        assert setting.durations_s[fixed].tolist() == hood.field[0].durations_s[fixed].tolist()


@pytest.mark.parametrize(
    ("frozen", "what"),
    [
        pytest.param(("cycle",), lambda s: s.cycle_s, id="cycle"),
        pytest.param(("stages",), lambda s: s.skeleton, id="stages"),
        pytest.param(("splits", "cycle", "stages"), lambda s: s.durations_s.tolist(), id="all but offsets"),
        pytest.param(("offsets", "cycle"), lambda s: s.offset_s, id="offsets"),
    ],
)
def test_frozen_is_frozen(frozen: tuple[str, ...], what) -> None:
    """What the settings freeze is the same after any number of moves."""
    at = scene(*arterial(offsets_s=(0.0, 30.0, 10.0)), settings_from({"change": {"freeze": frozen}}, "test"))
    hood = at.neighbourhood
    start = [what(s) for s in hood.field]
    for rung in RUNGS:
        for _, candidate in walk(hood, rung, 200) if hood.moves(rung) else []:
            assert [what(s) for s in candidate] == start


def test_frozen_splits_keep_their_proportions() -> None:
    """With splits frozen and the cycle free, greens share the green time as in the field, to whole seconds."""
    rows = ((37, "Gr"), (3, "yr"), (17, "rG"), (3, "ry"))
    settings = settings_from({"change": {"freeze": ("splits", "stages")}}, "test")
    hood = scene(*arterial(rows, through_vph=200, side_vph=250), settings).neighbourhood
    for _, candidate in walk(hood, "cycle", 1000):
        for setting in candidate:
            main_s, side_s = setting.durations_s[0], setting.durations_s[2]
            # one second of rounding of at least 34 s of green
            assert main_s / (main_s + side_s) == pytest.approx(37 / 54, abs=1 / 34)


def test_fixed_signals_stay_as_they_are() -> None:
    """A signal named in `fixed_signals` keeps its field program untouched."""
    at = scene(*arterial(offsets_s=(0.0, 30.0, 10.0)), settings_from({"change": {"fixed_signals": ("q",)}}, "test"))
    for _, candidate in walk(at.neighbourhood, "stages", 300):
        assert candidate[1] == at.neighbourhood.field[1]
        plan = timing_plan(at.neighbourhood.models, candidate)
        assert plan.controllers["q"] == field_plan(at.network).controllers["q"]


def test_cycles_move_only_as_far_as_allowed() -> None:
    """`max_cycle_change_s` bounds every controller's cycle around the field's."""
    at = scene(*arterial(), settings_from({"change": {"max_cycle_change_s": 7.0}}, "test"))
    cycles = {s.cycle_s for _, candidate in walk(at.neighbourhood, "stages", 400) for s in candidate}
    assert min(cycles) >= 53
    assert max(cycles) <= 67
    assert len(cycles) > 3


def test_nobody_is_pushed_over_capacity() -> None:
    """A movement below v/c 1 in the field stays below; seconds come from those that can spare them."""
    at = scene(*arterial(through_vph=700, side_vph=600))
    hood = at.neighbourhood
    assert all((loads(m, s) < 1).all() for m, s in zip(hood.models, hood.field, strict=True))
    for name, candidate in walk(hood, "stages", 400):
        for model, setting in zip(hood.models, candidate, strict=True):
            assert (loads(model, setting) <= 1 + 1e-9).all(), name


def test_where_loops_see_a_queue_stand_no_green_share_is_taken() -> None:
    """The estimated flows ask for less than half of the green; it is kept all the same, on this approach only."""
    at = crossroads_scene()
    controller, field = at.network.controllers["c"], field_plan(at.network).controllers["c"]
    flows = at.neighbourhood.models[0].flows
    share = kept_share(at.network, controller, field, flows, frozenset(), frozenset({"ni"}))
    for head in controller.heads:
        own = any(at.network.connections[i].from_link == "ni" for i in head.connections)
        assert share[head.index] == (field.green_s(head.index) / field.cycle_s if own else 0.0)


def test_saturated_approaches_keep_their_share_with_and_without_loops() -> None:
    """Without a loop nine tenths are kept; what the flows call saturated keeps more, whoever counts it."""
    at = crossroads_scene()
    controller, field = at.network.controllers["c"], field_plan(at.network).controllers["c"]
    flows = at.neighbourhood.models[0].flows
    full = dataclasses.replace(flows, flow_vph=np.where(flows.flow_vph > 0, flows.saturation_vph, 0.0))
    links = frozenset(at.network.connections[i].from_link for head in controller.heads for i in head.connections)
    heads = [head.index for head in controller.heads if head.connections]
    today = np.array([field.green_s(index) / field.cycle_s for index in heads])
    assert kept_share(at.network, controller, field, flows, links)[heads] == pytest.approx(0.9 * today)
    counted = kept_share(at.network, controller, field, full, frozenset())[heads]
    assert (counted > 0).any()
    assert counted[counted > 0] == pytest.approx(0.97 * today[counted > 0])
    blind = kept_share(at.network, controller, field, full, links)[heads]
    assert blind == pytest.approx(np.where(counted > 0, 0.97, 0.9) * today)


def test_an_approach_without_loop_gives_what_the_top_of_its_range_does_not_need() -> None:
    """Where even the highest flow needs little, v/c 0.85 for it is kept; where it needs much, nine tenths as before."""
    at = crossroads_scene()
    controller, field = at.network.controllers["c"], field_plan(at.network).controllers["c"]
    links = frozenset(at.network.connections[i].from_link for head in controller.heads for i in head.connections)
    heads = [h.index for h in controller.heads if h.connections and field.green_s(h.index, "G") > 0]
    today = np.array([field.green_s(index) / field.cycle_s for index in heads])
    quiet = dataclasses.replace(at.neighbourhood.models[0].flows, flow_vph=np.zeros(controller.n_heads))
    for need, kept in ((0.5 * today.min(), np.full(len(heads), 0.5 * today.min() / 0.85)), (1.0, 0.9 * today)):
        flows = dataclasses.replace(quiet, most_share=np.full(controller.n_heads, need))
        assert kept_share(at.network, controller, field, flows, links)[heads] == pytest.approx(kept)


def test_a_field_cycle_below_the_least_one_does_not_stop_the_search() -> None:
    """The field's own 36 s may stay (40 s is the least of new ones) and moves do not fail on it."""
    rows = ((15, "Gr"), (3, "yr"), (15, "rG"), (3, "ry"))
    hood = scene(*arterial(rows, through_vph=300)).neighbourhood
    assert {s.cycle_s for s in hood.field} == {36}
    walk(hood, "stages", 300)


def test_loads_are_flow_over_capacity() -> None:
    """500 veh/h in 27 of 60 s at one vehicle per 1.5 s + 6.5 m/v: v/c 0.61."""
    hood = scene(*arterial(through_vph=500)).neighbourhood
    saturation_vph = 3600 / (1.5 + 6.5 / (50 / 3.6))
    want = 500 / (saturation_vph * 27 / 60)
    assert loads(hood.models[0], hood.field[0])[0] == pytest.approx(want, rel=1e-6)

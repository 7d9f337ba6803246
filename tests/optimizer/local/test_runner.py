"""Tests of a signal among its stages: what may come when, and that reds end in time."""

import numpy as np

from network_data.settings import Settings
from optimizer.local.runner import PATIENCE_S, Runner
from optimizer.local.stage_pool import StagePool, stage_pool
from tests.builders import NetworkBuilder

BOTH, ACROSS, FIRST = 0, 1, 2


def pool() -> StagePool:
    """Link index 0 is green in two stages, 20 s at least; 1 ends with the first, and is cleared for 20 s before 2."""
    b = NetworkBuilder()
    for name, ends in (("wi", "w c"), ("vi", "v c"), ("si", "s c"), ("ti", "t c"), ("eo", "c e"), ("no", "c n")):
        b.link(name, ends)
    for head, ways in enumerate(("wi eo", "vi eo", "si no", "ti no")):
        b.turn(ways, head=("c", head))
    rows = ((20, "GGrr"), (3, "yyrr"), (17, "rrrr"), (20, "rrGr"), (3, "rryr"), (10, "GrrG"), (3, "yrry"))
    b.program("c", rows, conflicts=[(1, 2), (1, 3), (2, 3)])
    network = b.build()
    controller = network.controllers["c"]
    settings = Settings.model_validate({"signals": {"c": {"min_greens": {"0": 20}}}})
    return stage_pool(network, controller, controller.programs[-1], settings)


def shown(runner: Runner, seconds: int) -> None:
    """So many seconds pass."""
    for _ in range(seconds):
        runner.commit()


def test_least_greens_belong_to_link_indices() -> None:
    """A green that goes on through a change is not asked for its least time again."""
    runner = Runner(pool(), ACROSS)
    assert runner.pool.stages == ("GGrr", "rrGr", "GrrG")
    assert runner.pool.hold_s[ACROSS].tolist() == [20, 1, 20]
    assert runner.pool.hold_s[BOTH, FIRST] == 5
    assert runner.go(BOTH)
    shown(runner, len(runner.left) + 4)
    assert runner.waits_s()[FIRST] == 1
    assert not runner.free
    assert not runner.go(FIRST)
    shown(runner, 1)
    assert runner.waits_s()[ACROSS] >= 15 - runner.pool.change_s[ACROSS, BOTH]
    assert runner.go(FIRST)
    shown(runner, len(runner.left) + 5)
    assert runner.waits_s()[BOTH] == 0
    assert runner.green_s[0] >= 5 + 3 + 5
    assert runner.waits_s()[ACROSS] < 20 - 5


def test_a_short_stage_does_not_cut_the_clearance_of_the_one_before() -> None:
    """Via another stage the way across takes no less than directly: link index 1 needs its 20 s."""
    runner = Runner(pool(), BOTH)
    assert runner.pool.matrix[1, 2] == 20
    assert runner.go(FIRST)
    shown(runner, len(runner.left) + 5)
    rest_s = 20 - runner.closed_s[1] - runner.pool.starts_s[FIRST, ACROSS, 2]
    assert rest_s > 5
    assert runner.waits_s()[ACROSS] == rest_s
    shown(runner, int(rest_s))
    assert runner.go(ACROSS)
    shown(runner, len(runner.left))
    assert runner.closed_s[1] == 20


def test_whatever_is_chosen_reds_end_in_time() -> None:
    """Half an hour of stages drawn at random among those allowed: nobody is red for more than 150 s."""
    for seed in range(4):
        rng, runner, worst_s = np.random.default_rng(seed), Runner(pool(), BOTH), 0.0
        for _ in range(1800):
            allowed = np.flatnonzero(runner.allowed())
            if runner.free and (rng.random() < 0.05 or runner.stage not in allowed):
                runner.go(int(rng.choice(allowed)))
            runner.commit()
            worst_s = max(worst_s, float(runner.red_s.max()))
        assert 100 < worst_s <= 150


def test_a_refused_state_waits_and_then_another_way_is_taken() -> None:
    """What the last gate refuses for long is replaced by a change from what is shown."""
    runner = Runner(pool(), BOTH)
    assert runner.go(ACROSS)
    runner.left = ["rrrr"]
    for _ in range(PATIENCE_S):
        assert runner.next_state == "rrrr"
        runner.refused("GGrr")
    assert runner.left[:3] == ["yyrr"] * 3
    shown(runner, len(runner.left))
    assert runner.next_state == "rrGr"
    assert np.all(runner.pool.max_red_s >= 150)

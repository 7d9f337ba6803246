"""All offsets at once by polygons: what single shifts cannot reach, within the rules on offsets."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.settings import Settings
from optimizer.candidate import Candidate
from optimizer.large.judge import Judge, Judged
from optimizer.large.polish import REACHES, WAVES, Polish, polish_of
from optimizer.large.waves import in_waves
from tests.optimizer.large.towns import Town, town


def laid_out(settings: Settings | None = None) -> tuple[Town, Polish, Candidate, Judged]:
    """A town with offsets drawn at random, prepared for one polygon at a time, and what a run says of it."""
    at = town(settings=settings)
    judge = Judge(at.scene.evaluator, at.places, at.trips)
    polish = polish_of(at.flows, judge, at.scene.neighbourhood, n=1)
    field = at.scene.neighbourhood.field
    return at, polish, field, judge.judged([field], collect=True)[0]


def prepared(polish: Polish, now: Candidate, known: Judged) -> None:
    """Let the first polygons know a plan and what its run said."""
    begin_s = polish.judge.simulator.begin_s
    polish.polygons[0].start_over(known.seen, begin_s)
    polish.polygons[0].prepare(now, polish.choice_vps, begin_s)


def test_waves_set_all_offsets_at_once() -> None:
    """One setting of all offsets takes a fifth of the delay away; cycles and splits stay as they are."""
    at, polish, field, known = laid_out()
    prepared(polish, field, known)
    found = in_waves(polish.polygons[0], field, at.scene.neighbourhood, seed=0)
    assert all((a.durations_s == b.durations_s).all() for a, b in zip(field, found, strict=True))
    value = at.scene.evaluator.expected
    assert value(polish.judge.judged([found])[0].values) < 0.8 * value(known.values)


def test_the_same_seed_gives_the_same_waves() -> None:
    """Nothing depends on the clock."""
    at, polish, field, known = laid_out()
    plans = []
    for _ in range(2):
        prepared(polish, field, known)
        plans.append([s.offset_s for s in in_waves(polish.polygons[0], field, at.scene.neighbourhood, seed=3)])
    assert plans[0] == plans[1]


@pytest.mark.parametrize("most_s", [0.0, 6.0])
def test_bounds_on_offsets_hold(most_s: float) -> None:
    """Where offsets may move little or not at all, waves keep within that."""
    settings = Settings.model_validate({"change": {"max_offset_change_s": most_s}})
    at, polish, field, known = laid_out(settings)
    prepared(polish, field, known)
    found = in_waves(polish.polygons[0], field, at.scene.neighbourhood, seed=0)
    away = [(b.offset_s - a.offset_s + 30) % 60 - 30 for a, b in zip(field, found, strict=True)]
    assert max(map(abs, away)) <= most_s
    assert any(away) == (most_s > 0)


def test_every_other_step_is_by_waves() -> None:
    """Steps take turns; after another plan was taken waves come first."""
    _, polish, field, known = laid_out()
    kinds = []
    for _ in range(3):
        kinds.append(REACHES[polish.turn % len(REACHES)][0] is WAVES)
        polish.learn(better=False)
    assert kinds == [True, False, True]
    polish.start_over()
    assert (polish.share, polish.turn) == (1.0, 0)
    (only,) = polish.propose(field, known, np.random.default_rng(0), what=frozenset({"splits"}))
    assert all(a.offset_s == b.offset_s for a, b in zip(field, only, strict=True))

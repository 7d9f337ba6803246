"""Better seconds for all signals at once by queue polygons: within the rules, and better by districts."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.candidate import Candidate
from optimizer.large.judge import Judge, Judged
from optimizer.large.polish import LEAST_SHARE, Polish, polish_of
from tests.optimizer.large.towns import Town, town

ALL = frozenset({"offsets", "splits"})


@pytest.fixture(scope="module")
def laid_out() -> tuple[Town, Polish, Candidate, Judged]:
    """A town with badly set offsets, and what a run says of it."""
    at = town()
    judge = Judge(at.scene.evaluator, at.places, at.trips)
    polish = polish_of(at.flows, judge, at.scene.neighbourhood, n=2)
    field = at.scene.neighbourhood.field
    return at, polish, field, judge.judged([field], collect=True)[0]


def test_what_polygons_propose_is_better_and_legal(laid_out: tuple[Town, Polish, Candidate, Judged]) -> None:
    """One step takes a tenth of the delay away; every signal keeps its rules and its cycle."""
    at, polish, field, known = laid_out
    found = polish.propose(field, known, np.random.default_rng(0), what=ALL)
    assert len(found) == 2
    value = at.scene.evaluator.expected
    judged = polish.judge.judged(found)
    assert min(value(one.values) for one in judged) < 0.9 * value(known.values)
    for other in found:
        for n, (old, new) in enumerate(zip(field, other, strict=True)):
            assert at.scene.neighbourhood.keeps_rules(n, new)
            assert new.cycle_s == old.cycle_s


def test_only_what_is_open_moves(laid_out: tuple[Town, Polish, Candidate, Judged]) -> None:
    """Without splits only offsets change; without either there is nothing for polygons."""
    _, polish, field, known = laid_out
    for other in polish.propose(field, known, np.random.default_rng(0), what=frozenset({"offsets"})):
        assert all((a.durations_s == b.durations_s).all() for a, b in zip(field, other, strict=True))
    assert not polish.possible(frozenset({"cycle", "stages"}))


def test_districts_take_what_makes_them_cheaper(laid_out: tuple[Town, Polish, Candidate, Judged]) -> None:
    """A plan that helps one district and harms the others is taken there only."""
    _, polish, field, known = laid_out
    (other, *_) = polish.propose(field, known, np.random.default_rng(1), what=ALL)
    of = polish.districts[0]
    cost = np.where(of == of[0], known.cost_s - 1.0, known.cost_s + 1.0)
    (parts, *_) = polish.better_parts(field, known, [other], [Judged(known.values, cost)])
    assert all(p is (b if of[n] == of[0] else a) for n, (a, b, p) in enumerate(zip(field, other, parts, strict=True)))
    assert polish.better_parts(field, known, [other], [Judged(known.values, known.cost_s - 1.0)]) == []


def test_fewer_signals_move_after_failures(laid_out: tuple[Town, Polish, Candidate, Judged]) -> None:
    """The share shrinks down to its least and grows back to all."""
    polish = laid_out[1]
    for _ in range(20):
        polish.learn(better=False)
    assert polish.share == LEAST_SHARE
    for _ in range(20):
        polish.learn(better=True)
    assert polish.share == 1.0

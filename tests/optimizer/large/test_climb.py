"""The climb of large networks: better than the field, within the rules, the same for any number of workers."""

from __future__ import annotations

import numpy as np
import pytest

from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.candidate import timing_plan
from optimizer.large.changes import Changes
from optimizer.large.judge import Judge
from optimizer.search import Search
from tests.builders import field_plan
from tests.optimizer.large.towns import Town, town


@pytest.fixture(scope="module")
def climbed() -> tuple[Town, Search]:
    """40 steps in a town of twelve signals."""
    at = town()
    return at, at.climbed(40)


def test_costs_of_all_signals_add_up_to_the_whole() -> None:
    """What each place costs is the delay of all vehicles, waiting to enter included."""
    at = town()
    judge = Judge(at.scene.evaluator, at.places, at.trips)
    (found,) = judge.judged([at.scene.neighbourhood.field])
    (totals,) = judge.simulator.run([field_plan(at.scene.network)])
    veh = [one.veh for one in totals]
    whole = float(np.mean([value * n for value, n in zip(found.values, veh, strict=True)]))
    # those who have not entered at the end wait outside, which the record of passages does not tell
    assert found.cost_s.sum() == pytest.approx(whole, rel=0.01)


def test_the_climb_beats_the_field_and_keeps_the_rules(climbed: tuple[Town, Search]) -> None:
    """At least a fifth less delay than badly set offsets, and a plan that passes the check."""
    at, search = climbed
    models = at.scene.neighbourhood.models
    before = float(np.mean(at.scene.evaluator.values([search.first], range(3))[0]))
    assert search.objective < 0.8 * before
    field = field_plan(at.scene.network)
    findings = check_plan(at.scene.network, timing_plan(models, search.best), field, at.scene.settings)
    assert not [finding for finding in findings if finding.severity == "error"]


def test_the_objective_is_that_of_the_plan(climbed: tuple[Town, Search]) -> None:
    """The value the climb reports is what the simulation says of its plan."""
    at, search = climbed
    assert at.scene.evaluator.values([search.best], range(3))[0] == search.best_values


def test_rungs_never_get_worse(climbed: tuple[Town, Search]) -> None:
    """Each step of the ladder is at least as good as the one before."""
    values = [rung.objective for rung in climbed[1].rungs]
    assert [rung.name for rung in climbed[1].rungs] == ["offsets", "splits", "cycle", "stages"]
    assert values == sorted(values, reverse=True)


def test_workers_change_nothing(climbed: tuple[Town, Search]) -> None:
    """Two threads find the plan that one finds."""
    other = town(workers=2).climbed(40)
    assert [s.key() for s in other.best] == [s.key() for s in climbed[1].best]
    assert other.trace == climbed[1].trace


def test_signals_run_the_cycle_of_their_group_its_half_or_its_double(climbed: tuple[Town, Search]) -> None:
    """One group here: all cycles are one, half of it or twice as long."""
    cycles = {setting.cycle_s for setting in climbed[1].best}
    base = max(cycles, key=lambda c: sum(s.cycle_s == c for s in climbed[1].best))
    assert cycles <= {base, base / 2, 2 * base}


def test_frozen_steps_stay(climbed: tuple[Town, Search]) -> None:
    """With cycle and splits frozen only offsets move; with all frozen nothing does."""
    held = town(settings=settings_from({"change": {"freeze": ["cycle", "splits"]}}, "test")).climbed(12)
    assert all((a.durations_s == b.durations_s).all() for a, b in zip(held.best, held.first, strict=True))
    assert any(a.offset_s != b.offset_s for a, b in zip(held.best, held.first, strict=True))
    frozen = town(settings=settings_from({"change": {"freeze": ["cycle", "splits", "offsets"]}}, "test")).climbed(12)
    assert [s.key() for s in frozen.best] == [s.key() for s in frozen.first]


def test_a_tied_group_keeps_one_cycle() -> None:
    """Signals with a common cycle by the settings never part."""
    tied = settings_from({"limits": {"common_cycle": [["0.0", "1.0", "2.0", "3.0"]]}}, "test")
    search = town(settings=tied).climbed(30)
    assert len({search.best[i].cycle_s for i, name in enumerate(town().places.signals) if name.endswith(".0")}) == 1


def test_a_group_in_another_cycle_keeps_halves() -> None:
    """A signal at half of its group's cycle is at half of the new one afterwards."""
    at = town(settings=Settings())
    hood, rng = at.scene.neighbourhood, np.random.default_rng(0)
    field = hood.field
    half = hood.in_cycle(field, 0, 40, rng)
    assert half is not None
    doubled = half
    for other in range(1, 12):
        found = hood.in_cycle(doubled, other, 80, rng)
        assert found is not None
        doubled = found
    changes = Changes(hood, [list(range(12))], frozenset({"offsets", "splits", "cycle"}))
    longer = changes.in_cycle(doubled, list(range(12)), 100, rng)
    assert longer is not None
    assert [s.cycle_s for s in longer] == [50] + [100] * 11


def test_a_plan_found_before_is_where_it_begins(climbed: tuple[Town, Search]) -> None:
    """From a better plan than the field's the climb goes on: without a step it is that plan."""
    again = town().climbed(0, known=climbed[1].best)
    assert [s.key() for s in again.best] == [s.key() for s in climbed[1].best]

"""The climb: same answer for any number of workers, a prefix of itself, and better than a bad start."""

import itertools

import numpy as np
import pytest

from network_data.errors import InfeasibleError
from network_data.rules import check_plan
from network_data.settings import Objective, Settings, settings_from
from optimizer.candidate import Candidate, field_setting, timing_plan, with_offset
from optimizer.infeasible import ConflictError
from optimizer.search import RUNGS, Search, climb
from optimizer.start import legal_start
from tests.builders import field_plan
from tests.optimizer.scenes import Scene, arterial, scene

BAD_OFFSETS = (0.0, 58.0)
"""The second signal turns red as the platoon from the first one arrives: 30 s of travel, 27 s of green."""


def keys(candidate: Candidate) -> list[tuple[int, bytes, int]]:
    return [setting.key() for setting in candidate]


def climbed(at: Scene, *, iterations: int, seed: int = 0) -> Search:
    return climb(at.evaluator, at.neighbourhood, at.settings, seed=seed, iterations=iterations)


@pytest.fixture(scope="module")
def long_climb() -> Search:
    """60 iterations on a badly coordinated arterial of two signals."""
    return climbed(scene(*arterial(offsets_s=BAD_OFFSETS)), iterations=60)


def test_the_number_of_workers_changes_nothing(long_climb: Search) -> None:
    """1 and 2 workers: the same plan, objective and trace."""
    other = climbed(scene(*arterial(offsets_s=BAD_OFFSETS), workers=2), iterations=60)
    assert keys(other.best) == keys(long_climb.best)
    assert other.best_values == long_climb.best_values
    assert other.trace == long_climb.trace


def test_another_seed_searches_elsewhere(long_climb: Search) -> None:
    """The seed is what makes a run: another one takes other steps."""
    other = climbed(scene(*arterial(offsets_s=BAD_OFFSETS)), iterations=60, seed=1)
    assert other.trace != long_climb.trace


@pytest.mark.parametrize("n", [0, 1, 7, 9, 10, 25, 45])
def test_a_longer_climb_begins_with_the_shorter_one(long_climb: Search, n: int) -> None:
    """What a climb of n iterations found is what the longer one had found after n."""
    short = climbed(scene(*arterial(offsets_s=BAD_OFFSETS)), iterations=n)
    assert short.iterations == n
    assert short.trace == [step for step in long_climb.trace if step[0] < n]


def test_a_climb_stopped_by_the_clock_is_the_climb_of_as_many_iterations(
    long_climb: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock decides when to stop and nothing else; a deadline that is past allows no iteration."""
    ticking = itertools.count()
    monkeypatch.setattr("optimizer.search.time.monotonic", lambda: float(next(ticking)))
    at = scene(*arterial(offsets_s=BAD_OFFSETS))
    stopped = climb(at.evaluator, at.neighbourhood, at.settings, seed=0, deadline=17.0)
    assert 1 <= stopped.iterations <= 17
    assert stopped.trace == [step for step in long_climb.trace if step[0] < stopped.iterations]
    assert climb(at.evaluator, at.neighbourhood, at.settings, seed=0, deadline=0.0).iterations == 0


def test_a_badly_timed_arterial_gets_better(long_climb: Search) -> None:
    """Offsets alone take away most of the avoidable delay, and no rung of the ladder is worse than the one before."""
    at = scene(*arterial(offsets_s=BAD_OFFSETS))
    before = float(np.mean(at.evaluator.values([at.neighbourhood.field], range(3))[0]))
    best_offset = min(
        float(np.mean(row))
        for row in at.evaluator.values(
            [(at.neighbourhood.field[0], with_offset(at.neighbourhood.field[1], s)) for s in range(60)], range(3)
        )
    )
    assert best_offset < 0.85 * before
    assert [rung.name for rung in long_climb.rungs] == list(RUNGS)
    objectives = [before, *(rung.objective for rung in long_climb.rungs)]
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(objectives))
    # the offsets' rung tries some dozens of the 60 offsets: at least half of what can be won
    assert objectives[1] <= before - 0.5 * (before - best_offset)
    assert long_climb.objective <= best_offset


def test_the_trace_only_goes_down_and_ends_at_the_objective(long_climb: Search) -> None:
    """Each entry is an improvement found in order of iterations."""
    values = [value for _, _, value in long_climb.trace]
    assert all(b < a for a, b in itertools.pairwise(values))
    assert [n for n, _, _ in long_climb.trace] == sorted(n for n, _, _ in long_climb.trace)
    assert long_climb.objective == values[-1] == float(np.mean(long_climb.best_values))


def test_the_objective_is_what_the_simulation_says_of_the_plan(long_climb: Search) -> None:
    """The best candidate's plan, run anew, has the delay that the search booked; the plan passes the check."""
    at = scene(*arterial(offsets_s=BAD_OFFSETS))
    plan = timing_plan(at.neighbourhood.models, long_climb.best)
    totals = at.evaluator.simulator.run([plan])[0]
    assert long_climb.best_values == pytest.approx([t.delay_s_per_veh for t in totals])
    found = check_plan(at.network, plan, field_plan(at.network), Settings())
    assert [f.text for f in found if f.severity == "error"] == []


def test_stops_and_blocked_exits_count_as_weighted() -> None:
    """The objective is delay plus stops and blocked seconds at their weights, per vehicle."""
    network, flows = arterial()
    at = scene(network, flows)
    totals = at.evaluator.simulator.run([field_plan(network)])[0][0]
    weighted = scene(network, flows, Settings(objective=Objective(delay=0.5, stops=3.0, queue_overflow=2.0)))
    want = (0.5 * totals.delay_s + 3.0 * totals.stops + 2.0 * totals.blocked_s) / totals.veh
    assert weighted.evaluator.value(totals) == pytest.approx(want)


def test_everything_fixed_leaves_the_field_plan() -> None:
    """With all signals fixed nothing is searched and the field plan is the answer."""
    network, flows = arterial()
    at = scene(network, flows, settings_from({"change": {"fixed_signals": ("p", "q")}}, "test"))
    search = climbed(at, iterations=20)
    assert search.iterations == 0
    assert timing_plan(at.neighbourhood.models, search.best) == field_plan(network)


def test_everything_frozen_leaves_the_field_plan() -> None:
    """The four freezes together allow no move."""
    network, flows = arterial()
    freeze = ("cycle", "stages", "splits", "offsets")
    at = scene(network, flows, settings_from({"change": {"freeze": freeze}}, "test"))
    search = climbed(at, iterations=20)
    assert keys(search.best) == keys(at.neighbourhood.field)


def test_the_field_is_the_start_where_it_keeps_the_rules() -> None:
    """Nothing is mended that is not broken."""
    at = scene(*arterial())
    start = legal_start(at.network, at.neighbourhood)
    assert all(a is b for a, b in zip(start, at.neighbourhood.field, strict=True))


def test_a_field_that_breaks_a_limit_is_mended_in_its_own_cycle() -> None:
    """A least green of 25 s asks for other splits; the cycle of 60 s has room and stays."""
    rows = ((34, "Gr"), (3, "yr"), (20, "rG"), (3, "ry"))
    at = scene(*arterial(rows), settings_from({"limits": {"min_green_s": 25.0}}, "test"))
    for setting in legal_start(at.network, at.neighbourhood):
        assert setting.cycle_s == 60
        assert setting.durations_s.tolist()[0] >= 25
        assert setting.durations_s.tolist()[2] >= 25


@pytest.mark.parametrize(
    ("change", "cycle_s"), [({}, 68), ({"max_cycle_change_s": 8.0}, 68), ({"max_cycle_change_s": 7.0}, None)]
)
def test_a_field_that_needs_a_longer_cycle_gets_it_within_what_may_change(change: dict, cycle_s: int | None) -> None:
    """Two greens of at least 31 s and 2 × 3 s of yellow need 68 s; 7 s more than the field's 60 are not enough."""
    settings = settings_from({"limits": {"min_green_s": 31.0}, "change": change}, "test")
    at = scene(*arterial(), settings)
    if cycle_s is None:
        with pytest.raises(ConflictError, match="a cycle of at most 67 s is impossible at node p") as caught:
            legal_start(at.network, at.neighbourhood)
        assert [conflict.controllers for conflict in caught.value.conflicts] == [("p",), ("q",)]
    else:
        assert [setting.cycle_s for setting in legal_start(at.network, at.neighbourhood)] == [cycle_s, cycle_s]


def test_a_field_that_needs_a_longer_cycle_does_not_get_it_when_frozen() -> None:
    """The frozen cycle of 60 s has no room for two greens of 31 s."""
    settings = settings_from({"limits": {"min_green_s": 31.0}, "change": {"freeze": ("cycle",)}}, "test")
    at = scene(*arterial(), settings)
    with pytest.raises(ConflictError, match="cycle 60 s is impossible at node p: the minimum greens of .* need 64 s"):
        legal_start(at.network, at.neighbourhood)


def test_limits_that_leave_no_room_are_told() -> None:
    """A least green of 60 s and cycles up to 100 s cannot be: the error names controller, limits and rule."""
    settings = settings_from({"limits": {"min_green_s": 60.0, "cycle_max_s": 100.0}}, "test")
    at = scene(*arterial(), settings)
    with pytest.raises(InfeasibleError, match="at most 100 s is impossible at node p: the minimum greens .* need"):
        climbed(at, iterations=1)


@pytest.mark.parametrize("clearance", ["keep", "ite", "korea"])
def test_a_frozen_cycle_is_the_field_s(clearance: str) -> None:
    """Also where clearances are computed and the changes are built anew."""
    network, flows = arterial()
    at = scene(
        network, flows, settings_from({"change": {"freeze": ("cycle",)}, "rules": {"clearance": clearance}}, "t")
    )
    search = climbed(at, iterations=30)
    assert [s.cycle_s for s in search.best] == [60, 60]


def test_field_settings_carry_offset_and_whole_seconds() -> None:
    """Fractions of the field are rounded up per interval, the offset to the nearest second."""
    rows = ((26.5, "Gr"), (3, "yr"), (27.2, "rG"), (3, "ry"))
    at = scene(*arterial(rows, offsets_s=(0.0, 12.4)))
    setting = field_setting(at.neighbourhood.models[1])
    assert setting.durations_s.tolist() == [27, 3, 28, 3]
    assert setting.offset_s == 12


class EndlessError(Exception):
    """Raised by a test that has waited long enough."""


def test_climbs_without_an_end_stop_after_the_quotas() -> None:
    """Neither iterations nor a deadline: the quotas of the rungs once over, not for ever."""

    def progress(iteration: int, rung: str, objective: float) -> None:
        if iteration > 500:
            raise EndlessError

    at = scene(*arterial(), end_s=300)
    climb(at.evaluator, at.neighbourhood, at.settings, seed=0, progress=progress)

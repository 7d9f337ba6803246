"""Stages: read out of programs, chosen and ordered anew, with changes that keep yellows and clearances."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from network_data.clearance import ClearanceMatrix
from network_data.plans import GREEN, TimingPlan
from network_data.rules import check_plan, protected_indices
from network_data.settings import Settings
from optimizer.flows import head_flows
from optimizer.models import build_model
from optimizer.stages import choices, orders, stages_of, with_changes
from tests.builders import program
from tests.network_data.crossroads import FIELD, crossroads
from tests.network_data.real_networks import load

REAL = ["cologne8", "acosta", "pasubio"]


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[str], ClearanceMatrix]:
    """Stages without conflicting greens under random conflicts, clearances and yellows, everybody served."""
    n = draw(st.integers(2, 5))
    pairs = draw(st.sets(st.sampled_from(list(itertools.combinations(range(n), 2))), min_size=1))
    seconds, sources = np.zeros((n, n)), {}
    for i, j in pairs:
        for a, b in ((i, j), (j, i)):
            seconds[a, b] = draw(st.sampled_from((0.0, 2.0, 3.0, 4.5, 6.0, 8.0)))
            sources[a, b] = "test"
    letters = draw(st.lists(st.lists(st.sampled_from("Ggr"), min_size=n, max_size=n), min_size=2, max_size=4))
    stages = []
    for wish in letters:
        green: set[int] = set()
        for k in range(n):
            if wish[k] in GREEN and all((min(k, x), max(k, x)) not in pairs for x in green):
                green.add(k)
        stages.append("".join(wish[k] if k in green else "r" for k in range(n)))
    yellow = np.array([draw(st.sampled_from((0.0, 3.0, 3.5, 5.0))) for _ in range(n)])
    return stages, ClearanceMatrix("c", seconds, sources, yellow, np.full(n, 5.0))


@hypothesis_settings(deadline=None, max_examples=200, derandomize=True)
@given(case=sequences())
def test_changes_keep_yellows_and_clearances(case: tuple[list[str], ClearanceMatrix]) -> None:
    """Second by second: each green that ends shows its yellow; nobody starts before a foe is cleared."""
    stages, matrix = case
    assume(all(a != b for a, b in zip(stages, stages[1:] + stages[:1], strict=True)))
    states, durations, stretch = with_changes(stages, matrix)
    assert [s for s, free in zip(states, stretch, strict=True) if free] == stages
    for n, (at, _) in enumerate((i, s) for i, s in enumerate(states) if stretch[i]):
        change = []
        for i in range(at + 1, len(states)):
            if stretch[i]:
                break
            change += [states[i]] * durations[i]
        _check_change(stages[n], change, stages[(n + 1) % len(stages)], matrix)


def _check_change(before: str, change: list[str], after: str, matrix: ClearanceMatrix) -> None:
    """One change, a state per second."""
    seconds = [*change, after]
    ends = [k for k in range(len(before)) if before[k] in GREEN and after[k] not in GREEN]
    starts = {
        k: next(t for t, state in enumerate(seconds) if state[k] in GREEN)
        for k in range(len(before))
        if before[k] not in GREEN and after[k] in GREEN
    }
    for k in ends:
        shown = [state[k] for state in change]
        yellow = int(np.ceil(matrix.yellow_s[k]))
        assert "".join(shown) == "y" * yellow + "r" * (len(shown) - yellow)
    for k, at in starts.items():
        foes = [e for e in ends if (e, k) in matrix.pairs]
        need = [int(np.ceil(matrix[e, k])) for e in foes]
        need += [int(np.ceil(matrix.yellow_s[e])) for e in foes if after[k] == "G"]
        assert at == max(need, default=0)  # as early as allowed, and no earlier
        assert all(state[k] not in GREEN for state in seconds[:at])
        assert all(state[k] in GREEN for state in seconds[at:])
    for k in range(len(before)):
        if before[k] in GREEN and after[k] in GREEN:
            assert all(state[k] in GREEN for state in change)
    longest = max([*starts.values(), *(int(np.ceil(matrix.yellow_s[k])) for k in ends)], default=0)
    assert len(change) == longest


def test_a_protected_green_begins_only_when_the_opposing_one_is_cleared() -> None:
    """g → G during a change: the turn stays permitted until the clearance from the opposing stream has run."""
    matrix = ClearanceMatrix(
        "c", np.array([[0.0, 5.0], [4.0, 0.0]]), {(0, 1): "t", (1, 0): "t"}, np.array([3.0, 3.0]), np.array([5.0, 5.0])
    )
    states, durations, _ = with_changes(["Gg", "rG"], matrix)
    assert list(zip(states, durations, strict=True))[:3] == [("Gg", 5), ("yg", 3), ("rg", 2)]


def test_no_protected_green_begins_beside_a_foes_yellow() -> None:
    """A clearance shorter than the yellow, as fields show it, does not make a protected green start in that yellow."""
    matrix = ClearanceMatrix(
        "c", np.array([[0.0, 1.0], [1.0, 0.0]]), {(0, 1): "t", (1, 0): "t"}, np.array([3.0, 3.0]), np.array([5.0, 5.0])
    )
    states, durations, _ = with_changes(["Gr", "rG"], matrix)
    assert list(zip(states, durations, strict=True)) == [("Gr", 5), ("yr", 3), ("rG", 5), ("ry", 3)]
    # a permitted one may, and so may a protected one that a state of the field shows so
    assert with_changes(["Gr", "rg"], matrix)[0] == ["Gr", "yr", "yg", "rg", "ry"]
    assert with_changes(["Gr", "rG"], matrix, {"yG"})[0] == ["Gr", "yr", "yG", "rG", "ry"]


@pytest.mark.parametrize("name", REAL)
def test_built_sequences_pass_the_check(name: str) -> None:
    """Every new sequence of real stages, with closed-form splits, meets every rule of the street."""
    network, field = load(name)
    n = 0
    for controller_id, controller in network.controllers.items():
        own = field.controllers[controller_id]
        model = build_model(network, controller, own, head_flows(network, controller, {}), Settings())
        for i in range(1, len(model.skeletons)):
            found = model.splits(i, round(own.cycle_s))
            assert found is not None
            plan = TimingPlan(controllers={controller_id: model.skeletons[i].plan(found[0], 0)})
            assert [f for f in check_plan(network, plan, field, Settings()) if f.severity == "error"] == []
            n += 1
    assert n >= len(network.controllers)


@pytest.mark.parametrize("name", REAL)
def test_choices_keep_service_and_protection(name: str) -> None:
    """Whoever is green in the field is green in every choice, and protected where protected there."""
    network, field = load(name)
    n = 0
    for controller_id, controller in network.controllers.items():
        own = field.controllers[controller_id]
        served = {k for i in own.intervals for k, letter in enumerate(i.state) if letter in GREEN}
        for chosen in choices(controller, own, may_lose=frozenset()):
            plan = program([(10, state) for state in chosen], controller_id=controller_id)
            assert served == {k for state in chosen for k, letter in enumerate(state) if letter in GREEN}
            assert protected_indices(controller, own) <= protected_indices(controller, plan)
            n += 1
    assert n > 0


def test_stages_of_the_crossroads() -> None:
    """The three stages; states that only differ by a crossing already red, and changes, are no stages."""
    network = crossroads()
    assert stages_of(network.controllers["c"].programs[-1]) == ["GgGgrrG", "rGrGrrr", "rrrrGGr"]


def test_protection_may_go_where_allowed() -> None:
    """Without leave both lefts keep their protected stage; with it, the two-stage program is a choice."""
    network = crossroads()
    controller = network.controllers["c"]
    field = program(FIELD)
    kept = choices(controller, field, may_lose=frozenset())
    free = choices(controller, field, may_lose=frozenset({1, 3}))
    assert set(kept) == {("GgGgrrG", "rGrGrrr", "rrrrGGr")}
    assert ("GgGgrrG", "rrrrGGr") in free
    assert all("G" in {state[6] for state in chosen} for chosen in free)


def test_programs_of_one_stage_leave_no_choice() -> None:
    """Nothing to choose from, no error."""
    controller = crossroads().controllers["c"]
    assert choices(controller, program([(30, "GgGgrrG"), (30, "rrrrrrr")]), may_lose=frozenset()) == []


def test_orders_are_all_cyclic_orders_once() -> None:
    """(n − 1)! of them, none the rotation of another."""
    for n in (2, 3, 4):
        found = list(orders(tuple("abcd"[:n])))
        rotations = {min(tuple(o[i:] + o[:i]) for i in range(n)) for o in found}
        assert len(found) == len(rotations) == {2: 1, 3: 2, 4: 6}[n]

"""Closed-form splits beside brute force over whole seconds; repairing and scaling of durations."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from network_data.plans import GREEN
from network_data.settings import Settings
from optimizer.flows import HeadFlows, permitted_share
from optimizer.models import ControllerModel, build_model
from optimizer.skeleton import RuleName, Skeleton, Span, skeleton_of
from optimizer.timings import LEAST_FLOW_VPH, repaired, scaled
from tests.network_data.crossroads import crossroads

flows_vph = st.lists(st.floats(0, 800), min_size=6, max_size=6)


def green_s(skeleton: Skeleton, durations: np.ndarray) -> np.ndarray:
    """Seconds of green of every link index."""
    shown = np.array([[letter in GREEN for letter in state] for state in skeleton.states])
    return shown.T @ durations


def model_with(flows: list[float], settings: Settings = Settings()) -> ControllerModel:  # noqa: B008 — frozen
    """The crossroads with flows on its six vehicle heads."""
    network = crossroads()
    controller = network.controllers["c"]
    flow = np.array([*flows, 0.0])
    heads = HeadFlows(flow_vph=flow, saturation_vph=np.full(7, 1800.0), approach_vph=flow)
    return build_model(network, controller, controller.programs[-1], heads, settings)


def reserve(model: ControllerModel, i: int, durations: np.ndarray) -> float:
    """Least capacity over flow of the vehicle heads that are not always green; at most 10, as the search has it."""
    skeleton, weights = model.skeletons[i], model.weights(i)
    out = 10.0
    for k, head in enumerate(model.controller.heads):
        used = sum(state[k] in "Gg" for state in skeleton.states)
        if head.kind == "vehicle" and 0 < used < len(skeleton.states):
            need = max(model.flows.flow_vph[k], LEAST_FLOW_VPH) / model.flows.saturation_vph[k]
            out = min(out, float(weights[k] @ durations) / durations.sum() / need)
    return out


def brute_force(model: ControllerModel, i: int, cycle_s: int) -> float | None:
    """Largest reserve of all whole-second durations that the skeleton allows."""
    skeleton = model.skeletons[i]
    free = np.flatnonzero(skeleton.stretch)
    left = cycle_s - int(skeleton.start_s[~skeleton.stretch].sum())
    best = None
    for some in itertools.product(range(1, max(2, left)), repeat=len(free) - 1):
        durations = skeleton.start_s.copy()
        durations[free] = [*some, left - sum(some)]
        if skeleton.allows(durations):
            best = max(best or 0.0, reserve(model, i, durations))
    return best


def three_stages(model: ControllerModel) -> int:
    """A skeleton with three intervals to stretch: small enough for brute force."""
    return next(i for i, s in enumerate(model.skeletons) if s.stretch.sum() == 3)


@hypothesis_settings(deadline=None, max_examples=12, derandomize=True)
@given(flows=flows_vph, cycle_s=st.integers(45, 90))
def test_splits_are_those_of_brute_force_but_for_rounding(flows: list[float], cycle_s: int) -> None:
    """The bound is above the best whole-second reserve, and the durations found are within a second's worth of it."""
    model = model_with(flows)
    i = three_stages(model)
    best = brute_force(model, i, cycle_s)
    found = model.splits(i, cycle_s)
    assert (found is None) == (best is None)
    assume(best is not None)
    durations, bound = found
    assert model.skeletons[i].allows(durations)
    assert durations.sum() == cycle_s
    assert bound >= best - 1e-6
    # whole seconds: the LP's values are rounded by their fractions, which may miss the best second
    assert reserve(model, i, durations) >= best * (1 - 0.05)


@pytest.mark.parametrize("cycle_s", [40, 60, 90, 120, 180])
def test_splits_keep_cycle_and_rules_of_the_field_program(cycle_s: int) -> None:
    """With the crossing's walk and four stages too; None only where nothing fits."""
    model = model_with([400.0, 60.0, 350.0, 80.0, 250.0, 200.0])
    for i, skeleton in enumerate(model.skeletons):
        found = model.splits(i, cycle_s)
        assert found is not None or cycle_s == 40
        if found is not None:
            assert skeleton.broken(found[0]) == []
            assert found[0].sum() == cycle_s
            assert (found[0][~skeleton.stretch] == skeleton.start_s[~skeleton.stretch]).all()


def test_cycles_too_short_for_the_rules_have_no_splits() -> None:
    """None, not a broken plan."""
    model = model_with([100.0] * 6)
    assert [model.splits(i, 20) for i in range(len(model.skeletons))] == [None] * len(model.skeletons)


def test_more_flow_gets_more_green() -> None:
    """Twice the flow on the side street: more green there, less on the main one."""
    shares = []
    for side in (150.0, 450.0):
        model = model_with([400.0, 40.0, 400.0, 40.0, side, side])
        i = three_stages(model)
        durations, _ = model.splits(i, 90)
        green = green_s(model.skeletons[i], durations)
        shares.append((green[4], green[0]))
    assert shares[1][0] > shares[0][0]
    assert shares[1][1] < shares[0][1]


@st.composite
def skeletons(draw: st.DrawFn) -> tuple[Skeleton, np.ndarray]:
    """Intervals with random spans, and durations that keep them all."""
    n = draw(st.integers(2, 6))
    whole = st.integers(1, 20)
    durations = np.array(draw(st.lists(whole, min_size=n, max_size=n)))
    spans = []
    for first, length, less, more in draw(
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(1, n - 1), whole, whole), max_size=4)
    ):
        total = sum(int(durations[(first + k) % n]) for k in range(length))
        spans.append(Span(first, length, max(0, total - less), total + more, RuleName("rule")))
    stretch = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assume(sum(stretch) >= 2)
    return skeleton_of("test", "c", ("G",) * n, durations.tolist(), stretch, spans), durations


@hypothesis_settings(deadline=None, max_examples=200, derandomize=True)
@given(case=skeletons(), cycle_s=st.integers(5, 150))
def test_scaling_keeps_rules_cycle_and_fixed_intervals(case: tuple[Skeleton, np.ndarray], cycle_s: int) -> None:
    """In another cycle the durations keep every span and the changes of signal their length, or there are none."""
    skeleton, durations = case
    found = scaled(durations, skeleton, cycle_s)
    if found is not None:
        assert skeleton.allows(found)
        assert found.sum() == cycle_s
        assert (found[~skeleton.stretch] == durations[~skeleton.stretch]).all()


@hypothesis_settings(deadline=None, max_examples=100, derandomize=True)
@given(case=skeletons())
def test_scaling_to_the_same_cycle_changes_nothing(case: tuple[Skeleton, np.ndarray]) -> None:
    """Durations that keep the rules are their own scaling."""
    skeleton, durations = case
    found = scaled(durations, skeleton, int(durations.sum()))
    assert found is not None
    assert found.tolist() == durations.tolist()


@hypothesis_settings(deadline=None, max_examples=200, derandomize=True)
@given(case=skeletons(), data=st.data())
def test_repairing_moves_seconds_between_stretchable_intervals_only(
    case: tuple[Skeleton, np.ndarray], data: st.DataObject
) -> None:
    """The sum and the fixed intervals stay; what comes back keeps every span."""
    skeleton, durations = case
    free = np.flatnonzero(skeleton.stretch)
    start = durations.copy()
    for _ in range(data.draw(st.integers(0, 5))):
        a, b = data.draw(st.sampled_from(list(free))), data.draw(st.sampled_from(list(free)))
        step = min(3, int(start[a]) - 1)
        start[a] -= step
        start[b] += step
    found = repaired(start, skeleton)
    if found is not None:
        assert skeleton.allows(found)
        assert found.sum() == start.sum()
        assert (found[~skeleton.stretch] == start[~skeleton.stretch]).all()


def test_a_few_permitted_turns_cost_their_lane_little() -> None:
    """Where one in ten waits for gaps, headways are nine of one kind and one of the other: the lane is no left lane."""
    network = crossroads()
    controller = network.controllers["c"]
    flow = np.array([500.0, 500.0, 500.0, 500.0, 300.0, 300.0, 0.0])
    alone = HeadFlows(flow_vph=flow, saturation_vph=np.full(7, 1800.0), approach_vph=flow)
    mixed = HeadFlows(flow, np.full(7, 1800.0), flow, turn_share=np.full(7, 0.1))
    state = "GgGgrrG"
    for k in (1, 3):
        turn, lane = (permitted_share(controller, f, state, k) for f in (alone, mixed))
        assert turn < 0.8 * lane
        # 0.1 vehicles of one kind and 0.9 of the other take the time of their headways
        assert lane == pytest.approx(1 / (0.1 / turn + 0.9))

"""Skeletons say by sums what `check_plan` says of the finished plan: both must agree on any durations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rules import check_plan
from network_data.settings import Settings, settings_from
from optimizer.flows import head_flows
from optimizer.models import ControllerModel, build_model
from optimizer.skeleton import RuleName, Skeleton, Span, is_steady, skeleton_of
from tests.network_data.crossroads import FIELD, crossroads
from tests.network_data.real_networks import load

SETTINGS = {
    "default": {},
    "tight": {"limits": {"max_red_s": 45.0, "min_green_s": 9.0}},
    "ite": {"rules": {"clearance": "ite"}},
    "assume": {"rules": {"pedestrians": "assume"}},
}
STRICTER = ("assumed crossing",)
"""Rules that the search keeps more strictly than the check."""


def model_of(network: RoadNetwork, controller_id: str, field: ControllerPlan, settings: Settings) -> ControllerModel:
    """A controller's model without demand."""
    controller = network.controllers[controller_id]
    return build_model(network, controller, field, head_flows(network, controller, {}), settings)


def errors(network: RoadNetwork, plan: ControllerPlan, field: ControllerPlan, settings: Settings) -> list[str]:
    """What the check refuses, the cycle's bounds left out: they are no matter of the skeleton."""
    plans = (TimingPlan(controllers={p.controller_id: p}) for p in (plan, field))
    found = check_plan(network, *plans, settings)
    return [f"{f.rule}: {f.text}" for f in found if f.severity == "error" and f.rule != "cycle"]


def disagreement(network: RoadNetwork, model: ControllerModel, skeleton: Skeleton, durations, settings) -> list[str]:
    """What one accepts and the other refuses."""
    refused = errors(network, skeleton.plan(durations, 0), model.field, settings)
    broken = skeleton.broken(durations)
    assert skeleton.allows(durations) == (not broken)
    if refused and not broken:
        return [f"allowed, but {text}" for text in refused]
    if broken and not refused:
        return [f"refused for {text}" for text in broken if not text.startswith(STRICTER)]
    return []


def varied(rng: np.random.Generator, durations: np.ndarray) -> np.ndarray:
    """Some seconds more or less in some intervals, yellows and all-reds too."""
    out = durations.copy()
    for _ in range(int(rng.integers(0, 7))):
        i, wide = int(rng.integers(len(out))), bool(rng.random() < 0.5)
        out[i] = max(1, out[i] + int(rng.integers(-12, 30) if wide else rng.integers(-2, 3)))
    return out


def compare(network: RoadNetwork, field: TimingPlan, settings: Settings, n: int) -> tuple[list[str], int]:
    """Disagreements on random durations of every controller's skeletons, and how many were allowed."""
    rng, out, n_allowed = np.random.default_rng(1), [], 0
    for controller_id in network.controllers:
        model = model_of(network, controller_id, field.controllers[controller_id], settings)
        cycle = round(model.field.cycle_s)
        for i, skeleton in enumerate(model.skeletons):
            closed = model.splits(i, cycle) if i else None
            start = closed[0] if closed is not None else skeleton.start_s
            for _ in range(n if i == 0 else max(1, n // 5)):
                durations = varied(rng, start)
                n_allowed += skeleton.allows(durations)
                found = disagreement(network, model, skeleton, durations, settings)
                out += [f"{controller_id} skeleton {i} {durations.tolist()}: {text}" for text in found]
    return out, n_allowed


@pytest.mark.parametrize("name", SETTINGS)
def test_skeleton_and_check_agree_at_the_crossroads(name: str) -> None:
    """Two through streets, two lefts with permitted and protected green, a crossing: the same durations pass both."""
    network = crossroads(dead=1, field=[(d, s + "r") for d, s in FIELD])
    field = TimingPlan(controllers={c.id: c.programs[-1] for c in network.controllers.values()})
    out, n_allowed = compare(network, field, settings_from(SETTINGS[name], "test"), 300)
    assert out == []
    assert n_allowed > 20


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["cologne8", "acosta", "pasubio"])
def test_skeleton_and_check_agree_on_field_programs(name: str, settings: str) -> None:
    """Real programs, and the stage sequences built from them: every vector of durations passes both or neither."""
    network, field = load(name)
    out, n_allowed = compare(network, field, settings_from(SETTINGS[settings], "test"), 40)
    assert out == []
    assert n_allowed > 20


@pytest.mark.parametrize("name", ["cologne8", "acosta", "pasubio"])
def test_the_field_s_own_durations_are_allowed(name: str) -> None:
    """The search can start from what runs today."""
    network, field = load(name)
    for controller_id in network.controllers:
        own = model_of(network, controller_id, field.controllers[controller_id], Settings()).skeletons[0]
        assert own.broken(own.start_s) == []


@hypothesis_settings(deadline=None, max_examples=100, derandomize=True)
@given(data=st.data(), n=st.integers(1, 6))
def test_spans_are_sums_around_the_cycle(data: st.DataObject, n: int) -> None:
    """`allows` is: every interval at least 1 s, every sum of neighbours (around the end too) within its bounds."""
    whole = st.integers(0, 12)
    spans = [
        Span(first, length, least, least + more, RuleName("rule"))
        for first, length, least, more in data.draw(
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n), whole, whole), max_size=4)
        )
    ]
    durations = np.array(data.draw(st.lists(whole, min_size=n, max_size=n)))
    skeleton = skeleton_of("test", "c", ("G",) * n, [5] * n, [True] * n, spans)
    sums = [sum(int(durations[(first + k) % n]) for k in range(length)) for first, length, *_ in spans]
    want = all(d >= 1 for d in durations) and all(
        span.least <= total <= span.most for span, total in zip(spans, sums, strict=True)
    )
    assert skeleton.allows(durations) == want


def test_a_plan_has_the_durations_states_and_offset() -> None:
    """Offsets are taken modulo the cycle."""
    skeleton = skeleton_of("test", "c", ("Gr", "rG"), [5, 5], [True, True], [])
    plan = skeleton.plan(np.array([20, 30]), 120)
    assert [(i.duration_s, i.state) for i in plan.intervals] == [(20.0, "Gr"), (30.0, "rG")]
    assert plan.offset_s == 20.0
    assert plan.controller_id == "c"


def test_broken_rules_are_told_in_words() -> None:
    """Rule, value and bounds."""
    network = crossroads()
    model = model_of(network, "c", network.controllers["c"].programs[-1], Settings())
    own = model.skeletons[0]
    durations = own.start_s.copy()
    durations[6] = 2
    assert any("minimum-green of 4: 2 s, needs 5 s" in text for text in own.broken(durations))


@pytest.mark.parametrize(
    ("left_turns", "seconds", "refused"),
    [("keep", 1, True), ("warrant", 1, True), ("warrant", 4, True), ("warrant", 5, False), ("free", 1, False)],
)
def test_a_second_of_protected_green_is_refused(left_turns: str, seconds: int, refused: bool) -> None:
    """Both arrows of the crossroads last the least green, in the search as in the check, unless left turns are free."""
    network = crossroads()
    settings = settings_from({"rules": {"left_turns": left_turns}}, "test")
    model = model_of(network, "c", network.controllers["c"].programs[-1], settings)
    own = model.skeletons[0]
    durations = own.start_s.copy()
    durations[3] = seconds
    broken = own.broken(durations)
    assert [text.split(":")[0] for text in broken if text.startswith("protected")] == (
        ["protected green of 1"] if refused else []
    )
    assert own.allows(durations) is not refused
    assert bool(errors(network, own.plan(durations, 0), model.field, settings)) is refused


def test_steady_states_have_green_and_no_yellow() -> None:
    """Only these are stretched."""
    assert is_steady("Gr")
    assert is_steady("gs")
    assert not is_steady("ry")
    assert not is_steady("Gy")
    assert not is_steady("rr")

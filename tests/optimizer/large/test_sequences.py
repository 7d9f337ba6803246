"""Other stages for signals of large networks: likely ones, checked, within what the settings allow."""

from __future__ import annotations

import numpy as np

from network_data.demand import DemandScenarios
from network_data.plans import GREEN, TimingPlan
from network_data.rules import check_plan, protected_indices
from network_data.settings import Settings, settings_from
from optimizer.candidate import Candidate, Setting, field_setting
from optimizer.flows import head_flows, mean_flows_vph
from optimizer.large.cycles import ClosedForms, mixed
from optimizer.large.sequences import KEPT, add_sequences
from optimizer.models import ControllerModel, build_model
from optimizer.moves import Neighbourhood
from tests.builders import demand
from tests.network_data.crossroads import FIELD, crossroads, program

PAIRS = {("wi", "eo"): 30, ("wi", "no"): 5, ("ei", "wo"): 30, ("ei", "so"): 5, ("ni", "so"): 20, ("si", "no"): 20}


def model_of(settings: Settings, may_lose: frozenset[int] = frozenset()) -> ControllerModel:
    """The crossroads in light traffic with further sequences."""
    network, flows = crossroads(), DemandScenarios(scenarios=(demand(PAIRS, intervals=3),), weights=(1.0,))
    controller = network.controllers["c"]
    heads = head_flows(network, controller, mean_flows_vph(flows))
    model = build_model(network, controller, program(FIELD), heads, settings, with_stages=False)
    add_sequences(network, model, settings, flows, may_lose=may_lose)
    return model


def test_sequences_serve_everybody_as_well_protected() -> None:
    """Few of them, none the field's own, and each, with greens by closed form, passes the check."""
    settings = Settings()
    model = model_of(settings)
    assert 1 < len(model.skeletons) <= 1 + KEPT
    forms = ClosedForms(Neighbourhood([model], settings, (field_setting(model),)))
    served = {k for i in program(FIELD).intervals for k, letter in enumerate(i.state) if letter in GREEN}
    for n, skeleton in enumerate(model.skeletons[1:], start=1):
        assert skeleton.states != model.skeletons[0].states
        assert {k for state in skeleton.states for k, letter in enumerate(state) if letter in GREEN} == served
        durations = forms.durations(0, n, 90)
        assert durations is not None
        plan = skeleton.plan(durations, 0)
        assert protected_indices(model.controller, plan) >= protected_indices(model.controller, program(FIELD))
        found = check_plan(
            crossroads(), TimingPlan(controllers={"c": plan}), TimingPlan(controllers={"c": program(FIELD)}), settings
        )
        assert not [finding for finding in found if finding.severity == "error"]


def test_protected_turns_go_only_where_they_may() -> None:
    """Where both left turns may lose their stage there is a program of two stages; where not, there is none."""
    free = settings_from({"rules": {"left_turns": "free"}}, "test")
    assert min(s.stretch.sum() for s in model_of(free, frozenset({1, 3})).skeletons) == 2
    assert min(s.stretch.sum() for s in model_of(free).skeletons[1:]) == 3
    # asked for, but not warranted at a crossing: the check refuses it
    kept = model_of(Settings(), frozenset({1, 3})).skeletons
    assert min(s.stretch.sum() for s in kept[1:]) == 3


def test_frozen_stages_stay() -> None:
    """With stages or splits frozen the field's sequence is the only one."""
    for what in ("stages", "splits"):
        assert len(model_of(settings_from({"change": {"freeze": [what]}}, "test")).skeletons) == 1


def test_other_stages_begin_where_the_old_ones_did() -> None:
    """The stage that the offset stands for begins at the same second under another sequence."""
    model = model_of(Settings())
    now = Setting(0, model.skeletons[0].start_s.copy(), 17)
    forms = ClosedForms(Neighbourhood([model], Settings(), (field_setting(model),)))
    for n in range(1, len(model.skeletons)):
        other = forms.setting(0, now, n, now.cycle_s)
        assert other is not None
        begins = [
            (s.offset_s + int(s.durations_s[: model.reference_row(s.skeleton)].sum())) % now.cycle_s
            for s in (now, other)
        ]
        assert begins[0] == begins[1]


def test_groups_begin_in_the_cycle_that_suits_them() -> None:
    """A group whose places are clearly cheaper under another candidate takes its settings from there."""
    short, long = (Setting(0, np.array([c]), 0) for c in (40, 90))
    plans: list[Candidate] = [(short,) * 4, (long,) * 4]
    cost = [np.array([1.0, 1.0, 5.0, 5.0]), np.array([9.0, 9.0, 4.0, 4.0])]
    found = mixed(plans, cost, [[0, 1], [2, 3]])
    assert found == (short, short, long, long)
    assert mixed(plans, [cost[0], cost[0] + 1], [[0, 1], [2, 3]]) is None

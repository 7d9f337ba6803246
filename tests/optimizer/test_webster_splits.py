"""Webster's greens for a sequence of stages: in proportion to the flows, within the rules."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.flows import head_flows, mean_flows_vph
from optimizer.webster_splits import critical_ratios, lost_s, webster_cycle_s, webster_splits
from tests.optimizer.scenes import arterial, scene


def parts(through_vph: float, side_vph: float):  # type: ignore[no-untyped-def]
    """Skeleton and flows of the first signal of an arterial."""
    network, flows = arterial(through_vph=through_vph, side_vph=side_vph)
    model = scene(network, flows).neighbourhood.models[0]
    vph = mean_flows_vph(flows)
    return model.skeletons[0], head_flows(network, model.controller, vph)


def test_greens_are_in_proportion_to_the_flows() -> None:
    """Three times the flow, three times the green."""
    skeleton, flows = parts(600, 200)
    ratios = critical_ratios(skeleton, flows)
    assert ratios[0] == pytest.approx(3 * ratios[1], rel=1e-6)
    durations = webster_splits(skeleton, ratios, 86)
    assert durations is not None
    assert durations.tolist() == [60, 3, 20, 3]


def test_the_cycle_is_websters() -> None:
    """(1.5 L + 5) / (1 - Y) by hand: L = 6 s, Y = 0.5 makes 28 s."""
    skeleton, _ = parts(600, 200)
    assert lost_s(skeleton) == 6.0
    assert webster_cycle_s(skeleton, np.array([0.3, 0.2])) == pytest.approx(28.0)


def test_minimum_greens_hold() -> None:
    """A side street that nearly nobody uses keeps its least green; no room, no splits."""
    skeleton, flows = parts(900, 5)
    durations = webster_splits(skeleton, critical_ratios(skeleton, flows), 60)
    assert durations is not None
    assert skeleton.allows(durations)
    assert int(durations.sum()) == 60
    assert webster_splits(skeleton, critical_ratios(skeleton, flows), 8) is None

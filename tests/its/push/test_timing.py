"""A plan in a controller's numbers, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks._push_street import plan_of
from its.push.driver import RefusedError
from its.push.targets import Profile, Target
from its.push.timing import Timing, plan_of_timing, timing_of
from network_data.plans import BarrierGroup, ControllerPlan, Interval, Phase


def target(**more: object) -> Target:
    """A target with phases 1, 2, 3 and phase 2 coordinated."""
    return Target.model_validate({"id": "J1", "address": "192.0.2.1:161", "coordinated": (2,), **more})


PLAN = plan_of("J1", 1)
"""Splits of 41, 22 and 33 s, a cycle of 96 s, offset 11 s."""


@pytest.mark.parametrize(
    ("offset_at", "offset_s"),
    [("first-green", 11), ("coordinated-green", 11 + 41), ("coordinated-yellow", 11 + 41 + 17)],
)
def test_what_the_offset_refers_to(offset_at: str, offset_s: int) -> None:
    """First green of the ring, begin of the coordinated green, or its end; modulo the cycle."""
    profile = Profile.model_validate({"offset_at": offset_at})
    timing = timing_of(PLAN, target(), profile)
    assert timing.offset_s == offset_s
    assert (timing.cycle_s, timing.splits_s) == (96, {1: 41, 2: 22, 3: 33})
    assert timing.clearance_ds == dict.fromkeys((1, 2, 3), (30, 20))
    late = timing_of(replace(PLAN, offset_s=90.0), target(), profile)
    assert late.offset_s == (offset_s + 79) % 96


def test_there_and_back() -> None:
    """The numbers mean the same plan, whatever the offset refers to."""
    for offset_at in ("first-green", "coordinated-green", "coordinated-yellow"):
        profile = Profile.model_validate({"offset_at": offset_at})
        assert (
            replace(plan_of_timing(timing_of(PLAN, target(), profile), PLAN, target(), profile), min_durations_s=())
            == PLAN
        )


def test_other_splits_lengthen_greens_only() -> None:
    """Read back from a controller that holds other splits: greens follow, yellow and red stay."""
    profile = Profile()
    held = replace(timing_of(PLAN, target(), profile), splits_s={1: 38, 2: 25, 3: 33})
    plan = plan_of_timing(held, PLAN, target(), profile)
    assert [i.duration_s for i in plan.intervals] == [33, 3, 2, 20, 3, 2, 28, 3, 2]
    assert plan.cycle_s == 96
    assert [p.green_s for p in plan.barrier_groups[0].rings[0]] == [33, 20, 28]


def test_what_cannot_be_compared_is_refused() -> None:
    """Other clearances, other phases, a cycle that the splits do not make."""
    profile = Profile()
    timing = timing_of(PLAN, target(), profile)

    def refused(says: str, changed: Timing) -> None:
        with pytest.raises(RefusedError, match=says):
            plan_of_timing(changed, PLAN, target(), profile)

    refused("clearances than the plan's", replace(timing, clearance_ds={**timing.clearance_ds, 2: (31, 20)}))
    refused("other phases", replace(timing, splits_s={1: 41, 2: 55}))
    refused("splits make 96 s, the cycle is 97 s", replace(timing, cycle_s=97))
    refused("leaves no green", replace(timing, splits_s={1: 3, 2: 22, 3: 71}))


def test_what_a_pattern_cannot_hold_is_refused() -> None:
    """All reasons together."""
    with pytest.raises(RefusedError, match="an interval table without phases"):
        timing_of(replace(PLAN, barrier_groups=()), target(), Profile())
    phase = PLAN.barrier_groups[0].rings[0][0]
    odd = replace(phase, name="main street", green_s=35.5, yellow_s=3.05)
    plan = replace(PLAN, barrier_groups=(BarrierGroup(rings=((odd, *PLAN.barrier_groups[0].rings[0][1:]),)),))
    with pytest.raises(RefusedError) as caught:
        timing_of(plan, target(), Profile())
    for words in ("'main street' has no number", "no whole second", "yellow of phase 'main street' is 3.05 s"):
        assert words in str(caught.value)
    with pytest.raises(RefusedError, match="serves two phases"):
        timing_of(PLAN, target(phases={"1": 2, "2": 2, "3": 3}), Profile())
    with pytest.raises(RefusedError, match="coordinated phase 7 is not in the plan"):
        timing_of(PLAN, target(coordinated=(7,)), Profile())


def test_two_rings() -> None:
    """The offset counts from the coordinated phase that comes first; equal splits give the plan back."""

    def phase(name: str, split_s: float) -> Phase:
        return Phase(
            name=name, movements=(), permitted=(), crossings=("c",) if name == "2" else (), green_s=split_s - 5.0,
            yellow_s=3.0, red_clearance_s=2.0, min_green_s=5.0, max_green_s=60.0,
        )  # fmt: skip

    groups = (
        BarrierGroup(rings=((phase("1", 15), phase("2", 30)), (phase("5", 20), phase("6", 25)))),
        BarrierGroup(rings=((phase("4", 45),), (phase("8", 45),))),
    )
    plan = ControllerPlan(
        controller_id="J1", program_id="p", offset_s=7.0, intervals=(Interval(90.0, "G"),), barrier_groups=groups
    )
    two = target(coordinated=(2, 6))
    timing = timing_of(plan, two, Profile())
    assert timing.offset_s == 7 + 15
    assert timing.walking == {2}
    assert plan_of_timing(timing, plan, two, Profile()) == plan
    with pytest.raises(RefusedError, match="splits of two rings differ"):
        plan_of_timing(replace(timing, splits_s={**timing.splits_s, 1: 16, 2: 29}), plan, two, Profile())

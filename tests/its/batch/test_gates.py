"""Every gate, passed and not, by figures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from its.batch.gates import (
    ChangeFigures,
    DataFigures,
    GainFigures,
    change_gate,
    data_gate,
    gain_gate,
    held_out_gate,
    rules_gate,
    sumo_gate,
    transition_gate,
)
from its.batch.judge import largest_change
from its.project import Gates
from its.referee_runs import SumoRun
from its.verify import VerifyResult
from network_data.plans import ControllerPlan, Interval, TimingPlan
from network_data.rules import Finding

LIMITS = Gates(days=3, held_out_days=2, gain=0.03, held_out_gain=0.02, held_out_better=0.75)
DATA = DataFigures(type="weekday", n_day=6, good=("a", "b", "c", "d", "e"), measured=0.9, repaired=3, missing=0)
GAIN = GainFigures(before_s=1000.0, after_s=970.0, veh=100, better=0.75, labels=("2026-11-05",))
CHANGE = ChangeFigures(n_signal=10, cycle_s=20.0, green_s=10.0, changed=5, new_stages=1, at="A")


def test_data() -> None:
    """Enough days for making and judging, and enough detectors; each lack is named."""
    assert data_gate(DATA, LIMITS).passed
    few = data_gate(replace(DATA, good=("a", "b", "c", "d")), LIMITS)
    assert not few.passed
    assert "4 of 6 days" in few.reason
    assert "5 are needed" in few.reason
    assert data_gate(replace(DATA, good=("a", "b", "c")), LIMITS.model_copy(update={"held_out_days": 0})).passed
    blind = data_gate(replace(DATA, measured=0.49), LIMITS)
    assert not blind.passed
    assert "49% of the detectors" in blind.reason


@pytest.mark.parametrize(("after_s", "passed"), [(970.0, True), (970.5, False), (1001.0, False), (500.0, True)])
def test_gain(after_s: float, passed: bool) -> None:
    """At the limit is enough; the reason has both figures."""
    found = gain_gate(replace(GAIN, after_s=after_s), LIMITS)
    assert found.passed is passed
    assert "3.0 % needed" in found.reason
    assert found.figures["after_s_per_veh"] == after_s / 100


def test_no_gain_is_never_enough() -> None:
    """Even where the project asks for nothing, a plan as good as today's does not pass; nor one without traffic."""
    easy = LIMITS.model_copy(update={"gain": 0.0})
    assert not gain_gate(replace(GAIN, after_s=1000.0), easy).passed
    assert not gain_gate(replace(GAIN, before_s=0.0, after_s=0.0), easy).passed


def test_held_out() -> None:
    """Mean and share of draws both count; without days held out the gate is open, and says why."""
    assert held_out_gate(GAIN, LIMITS).passed
    assert not held_out_gate(replace(GAIN, after_s=985.0), LIMITS).passed
    rare = held_out_gate(replace(GAIN, better=0.74), LIMITS)
    assert not rare.passed
    assert "better on 74% of the draws" in rare.reason
    assert held_out_gate(None, LIMITS).reason == "the project holds no days out"


def run_of(delay_s: float, seed: int, **changes: int) -> SumoRun:
    """A run of SUMO with a delay."""
    counts = {"loaded": 100, "finished": 100, "running": 0, "undeparted": 0, "teleports": 0, "collisions": 0} | changes
    return SumoRun(
        seed=seed, delay_s_per_veh=delay_s, stops_per_veh=1.0, waiting_s_per_veh=1.0, locked=False, signals={}, **counts
    )


def verified(*after_s: float, **changes: int) -> VerifyResult:
    """Both plans on a few draws; the old one has 20 s."""
    old = tuple(run_of(20.0, n) for n in range(len(after_s)))
    return VerifyResult(old=old, new=tuple(run_of(x, n, **changes) for n, x in enumerate(after_s)))


def test_sumo() -> None:
    """Below today's beyond doubt and without collisions; where SUMO is not asked only `require` minds."""
    assert sumo_gate([("a", verified(18.0, 18.1, 17.9))], "", LIMITS).passed
    assert sumo_gate([("a", verified(18.0, 18.1, 17.9))], "", LIMITS).figures["a"]["change"] == -0.1
    doubt = sumo_gate([("a", verified(18.0, 18.1, 17.9)), ("b", verified(16.0, 22.0, 18.0))], "", LIMITS)
    assert not doubt.passed
    assert doubt.reason.startswith("b: the delay's difference lies in")
    assert not sumo_gate([("a", verified(18.0, 18.1, 17.9, collisions=1))], "", LIMITS).passed
    absent = "SUMO is not installed; it was not asked"
    assert sumo_gate(None, absent, LIMITS).passed
    assert sumo_gate(None, absent, LIMITS).reason == absent
    assert not sumo_gate(None, absent, LIMITS.model_copy(update={"sumo": "require"})).passed


def test_rules() -> None:
    """Warnings pass, an error stops, and its text is the reason."""
    warning = Finding(
        rule="walk", severity="warning", controller="A", where="", value=None, limit=None, text="no crossings"
    )
    error = replace(warning, rule="yellow", severity="error", text="yellow of 1 s")
    assert rules_gate([warning]).passed
    assert rules_gate([]).reason == "all rules are kept, 0 warnings"
    found = rules_gate([warning, error])
    assert not found.passed
    assert found.reason == "A: yellow of 1 s"


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"cycle_change_s": 19.0}, "largest change of a cycle is 20 s, at most 19 s"),
        ({"green_change_s": 9.0}, "largest change of a green is 10 s, at most 9 s"),
        ({"changed_share": 0.4}, "share of signals changed is 0.5, at most 0.4"),
        ({"new_stages_share": 0.05}, "share of signals with new stages is 0.1, at most 0.05"),
    ],
)
def test_change(limit: dict[str, float], words: str) -> None:
    """Each bound stops by itself."""
    assert change_gate(CHANGE, LIMITS).passed
    found = change_gate(CHANGE, LIMITS.model_copy(update=limit))
    assert not found.passed
    assert found.reason == words


def test_transitions() -> None:
    """The loss stays below its share of the gain; no legal way stops; no gain has nothing to spend."""
    assert transition_gate(99.0, 100.0, 4, LIMITS).passed
    assert not transition_gate(100.0, 100.0, 4, LIMITS).passed
    assert not transition_gate(30.0, 100.0, 4, LIMITS.model_copy(update={"transition_share": 0.3})).passed
    assert not transition_gate(0.0, 0.0, 0, LIMITS).passed
    assert transition_gate(0.0, 10.0, 1, LIMITS, "no way from 'a' to 'b'").reason == "no way from 'a' to 'b'"
    assert not transition_gate(0.0, 10.0, 1, LIMITS, "no way from 'a' to 'b'").passed


def plan_of(*rows: tuple[float, str], offset_s: float = 0.0) -> TimingPlan:
    """A plan of one signal."""
    program = ControllerPlan(
        controller_id="A", program_id="p", offset_s=offset_s, intervals=tuple(Interval(s, state) for s, state in rows)
    )
    return TimingPlan(controllers={"A": program})


OLD = plan_of((20.0, "Grr"), (3.0, "yrr"), (10.0, "rGr"), (3.0, "ryr"), (10.0, "rrG"), (3.0, "rry"))


def test_what_counts_as_change() -> None:
    """Cycles, greens, offsets and the order of stages; where the table begins does not matter."""
    turned = plan_of((10.0, "rGr"), (3.0, "ryr"), (10.0, "rrG"), (3.0, "rry"), (20.0, "Grr"), (3.0, "yrr"))
    assert largest_change([(OLD, turned)]) == ChangeFigures(
        n_signal=1, cycle_s=0.0, green_s=0.0, changed=0, new_stages=0, at=""
    )
    later = largest_change(
        [(OLD, plan_of(*[(i.duration_s, i.state) for i in OLD.controllers["A"].intervals], offset_s=5))]
    )
    assert (later.changed, later.green_s) == (1, 0.0)
    longer = plan_of((26.0, "Grr"), (3.0, "yrr"), (8.0, "rGr"), (3.0, "ryr"), (10.0, "rrG"), (3.0, "rry"))
    assert largest_change([(OLD, OLD), (OLD, longer)]) == ChangeFigures(
        n_signal=1, cycle_s=4.0, green_s=6.0, changed=1, new_stages=0, at="A"
    )
    swapped = plan_of((20.0, "Grr"), (3.0, "yrr"), (10.0, "rrG"), (3.0, "rry"), (10.0, "rGr"), (3.0, "ryr"))
    assert largest_change([(OLD, swapped)]).new_stages == 1

"""The benchmark of the push, made small: agents are pushed and read; what they hold drives SUMO as the plan does."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks import push
from benchmarks._push_district import changed, district
from benchmarks.tables import Options
from tests.its.push.conftest import need_snmpd


def test_without_snmpd_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No row, no failure, a note."""
    monkeypatch.setattr(push, "SNMPD", None)
    table = push.benchmark(Options(quick=True))
    assert not table.failed
    assert "apt-get install snmpd" in table.notes[0]


def test_the_plan_to_push_differs_from_the_field() -> None:
    """Every signal gets another offset, and most other splits, with cycle and clearances kept."""
    _, field = district()
    assert len(field.controllers) == 12
    for program in field.controllers.values():
        plan = changed(program)
        assert plan.cycle_s == program.cycle_s
        assert plan.offset_s != program.offset_s
        assert [i.state for i in plan.intervals] == [i.state for i in program.intervals]
    assert sum(changed(p).intervals != p.intervals for p in field.controllers.values()) > 6


@pytest.mark.slow
def test_what_the_agents_hold_drives_as_what_was_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve agents, five minutes of traffic: equal to the last vehicle."""
    need_snmpd()
    if importlib.util.find_spec("sumo") is None:
        pytest.skip("SUMO is not installed")
    monkeypatch.setattr(push, "END_S", push.BEGIN_S + 300)
    table = push.benchmark(Options(quick=True, only="rehearsal", say=lambda _: None))
    agents, rehearsal = table.rows
    assert agents["good"] == agents["n"] == 12
    assert rehearsal["good"] == rehearsal["n"]
    assert not table.failed


@pytest.mark.slow
def test_faults_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few faults: injected and survived are equal."""
    need_snmpd()
    monkeypatch.setattr(push, "N_QUICK_FAULTS", 4)
    table = push.benchmark(Options(quick=True, only="faults", say=lambda _: None))
    total = table.rows[-1]
    assert total["good"] == total["n"]
    assert total["n"] in (3, 4), "one may strike after the end of its push"

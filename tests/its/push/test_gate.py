"""The last gate: every rule stops what it must, fails a test when taken out, and no mutant of the module survives."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from its.push import gate
from tests.its.push.gate_cases import CASES, Case, sound, verdicts
from tests.its.push.mutants import survivors

SOURCE = Path(str(gate.__file__))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_gate_stops_what_it_must_and_nothing_else(case: Case) -> None:
    """The words of the rule are among the reasons; what is sound passes."""
    found = gate.faults(case.change(gate, sound(gate)))
    assert any(case.says in text for text in found) if case.rule else found == []


@pytest.mark.parametrize("rule", [*gate.FORM, *gate.RULES], ids=lambda rule: rule.__name__)
def test_no_rule_is_idle(rule: gate.Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule, one of its cases is no longer stopped for its reason."""
    monkeypatch.setattr(gate, "FORM", tuple(r for r in gate.FORM if r is not rule))
    monkeypatch.setattr(gate, "RULES", tuple(r for r in gate.RULES if r is not rule))
    assert verdicts(gate), f"{rule.__name__} could be left out and no test would fail"
    assert any(case.rule == rule.__name__ for case in CASES)


def test_permits_cover_exactly_what_was_judged() -> None:
    """Also those of a rollback: only cells of the row, with octets that were read before."""
    assert verdicts(gate) == []


def test_the_gate_stands_alone() -> None:
    """Nothing but the standard library is imported."""
    for path in (SOURCE, SOURCE.with_name("gate_table.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).split(".")[0] in sys.stdlib_module_names


@pytest.mark.slow
def test_no_mutant_survives() -> None:
    """Every small change of the gate's code is noticed by a case."""
    n, alive = survivors(SOURCE, verdicts)
    assert n > 150
    assert alive == []

"""The last gate: every rule stops what it must, fails a test when taken out, and no mutant of the module survives."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from its.push import gate
from tests.its.push.gate_cases import CASES, Case, sound, verdicts

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


SWAPS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """The module with one thing changed at a time: comparison, and/or, not, number, a loop's or a rule's result."""
    tree = ast.parse(source)
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    spots = [(f, k) for f in nodes for k, _ in enumerate(ast.walk(f))]
    for function, k in spots:
        node = list(ast.walk(function))[k]
        for text, change in _changes(node):
            twin = copy.deepcopy(tree)
            same = next(n for n in ast.walk(twin) if isinstance(n, ast.FunctionDef) and n.name == function.name)
            change(list(ast.walk(same))[k])
            line = getattr(node, "lineno", function.lineno)
            yield f"{function.name}:{line}: {ast.unparse(node)} | {text}", ast.fix_missing_locations(twin)


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    if isinstance(node, ast.Compare):
        for n, operator in enumerate(node.ops):
            for other in SWAPS[type(operator)]:
                yield f"{type(operator).__name__}>{other.__name__}", lambda x, n=n, o=other: x.ops.__setitem__(n, o())
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield "and<>or", lambda x, o=other: setattr(x, "op", o())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", lambda x: setattr(x, "op", ast.UAdd()) or setattr(x, "operand", _truth(x.operand))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        other = ast.Sub if isinstance(node.op, ast.Add) else ast.Add
        yield f"{type(node.op).__name__}>{other.__name__}", lambda x, o=other: setattr(x, "op", o())
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield f"{node.value}>{node.value + 1}", lambda x: setattr(x, "value", x.value + 1)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield):
        yield "says nothing", lambda x: setattr(x, "value", ast.YieldFrom(value=ast.Tuple(elts=[], ctx=ast.Load())))


def _truth(node: ast.expr) -> ast.expr:
    return ast.Call(func=ast.Name(id="bool", ctx=ast.Load()), args=[node], keywords=[])


def survivors() -> tuple[int, list[str]]:
    """How many mutants there are, and those that no case notices."""
    alive, n = [], 0
    for name, tree in mutants(SOURCE.read_text(encoding="utf-8")):
        module = ModuleType("mutant")
        sys.modules["mutant"] = module  # dataclasses look their module up
        try:
            exec(compile(tree, "mutant", "exec"), module.__dict__)
            n += 1
            if not verdicts(module):
                alive.append(name)
        finally:
            del sys.modules["mutant"]
    return n, alive


@pytest.mark.slow
def test_no_mutant_survives() -> None:
    """Every small change of the gate's code is noticed by a case."""
    n, alive = survivors()
    assert n > 100
    assert alive == []

"""Mutants of a module: one small change at a time, and those that its cases do not notice."""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

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


def survivors(source: Path, verdicts: Callable[[ModuleType], list[str]]) -> tuple[int, list[str]]:
    """How many mutants there are, and those for which no case fails."""
    alive, n = [], 0
    for name, tree in mutants(source.read_text(encoding="utf-8")):
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

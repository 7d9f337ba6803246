# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, allow-subclassing-any
"""Sixteen plans as one value: rows of arrays of shape (n, 16) that kernels load, compute with and store.

Compiled, a row is one vector of 16 × float32 (one register with AVX-512, two with AVX2, four with SSE), whatever the
compiler's loop vectorizer makes of a loop; that one gives up on loops over more than a few arrays, which cost 12 times
as much here (measured). Without compilation the same functions work on rows of numpy arrays.

Loads and stores check nothing: the second axis must have 16 elements and be contiguous. Every operation rounds as IEEE
says and nothing is fused, so results are the same bits on every machine.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic, overload

WIDTH = 16
"""Plans in a row."""
LINE = 64
"""Bytes of a cache line."""
_F32, _I32 = ir.VectorType(ir.FloatType(), WIDTH), ir.VectorType(ir.IntType(32), WIDTH)


class RowType(types.Type):
    """The type of a row in compiled code."""

    def __init__(self) -> None:
        super().__init__(name="RowOf16")


ROW = RowType()


@register_default(RowType)
class _RowModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _F32)


def row_zeros(rows: int, kind: Any = np.float32) -> Any:
    """An array (rows, 16) of zeros that begins at a cache line: rows of float32 then lie in one line each."""
    size = rows * WIDTH * np.dtype(kind).itemsize
    raw = np.zeros(size + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    return raw[first : first + size].view(kind).reshape(rows, WIDTH)


def load(array: Any, row: Any) -> Any:
    """Row `row` of a float32, int16 or uint8 array, as float32."""
    return array[row].astype(np.float32)


def store(array: Any, row: Any, value: Any) -> None:
    """Write a row into a float32 array, or whole numbers into an int16 array."""
    array[row] = value.astype(array.dtype)


def transpose(source: Any, starts: Any, target: Any, row: Any) -> None:
    """16 rows of uint8 from 16 stretches of memory: row r + i gets the i-th byte behind each plan's start.

    source: flat uint8 array; starts: (16,) int64, places of the plans' stretches in it; target: (n, 16) uint8.
    """
    for p in range(WIDTH):
        target[row : row + np.uint64(WIDTH), p] = source[starts[p] : starts[p] + WIDTH]


def splat(value: Any) -> Any:
    """The same number for all plans."""
    return np.full(WIDTH, value, np.float32)


def least(a: Any, b: Any) -> Any:
    """The smaller of two rows, plan by plan; b where either is not a number."""
    return np.where(a < b, a, b)


def most(a: Any, b: Any) -> Any:
    """The larger of two rows, plan by plan; b where either is not a number."""
    return np.where(a > b, a, b)


def where_above(a: Any, b: Any, yes: Any, no: Any) -> Any:
    """`yes` where a > b, else `no`."""
    return np.where(a > b, yes, no)


def any_above(a: Any, b: Any) -> Any:
    """Whether a > b for any plan."""
    return bool((a > b).any())


def gaps_left(pressure: Any) -> Any:
    """(1 − pressure)^16, 0 from pressure 1 on: which part of its flow a stream keeps that gives way to others."""
    x = np.maximum(np.float32(1) - pressure, np.float32(0))
    for _ in range(4):
        x = x * x
    return x


def whole(a: Any) -> Any:
    """Cut off what is behind the point; a in (−2^31, 2^31)."""
    return np.trunc(a)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    at = builder.mul(arguments[1], ir.Constant(arguments[1].type, WIDTH))
    first = builder.gep(array.data, [at])
    return builder.bitcast(first, kind.as_pointer())


@intrinsic
def _load(typing: Any, array: Any, row: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = signature.args[0].dtype
        if element == types.float32:
            return builder.load(_pointer(context, builder, signature, arguments, _F32), align=4)
        bits = element.bitwidth
        narrow = ir.VectorType(ir.IntType(bits), WIDTH)
        value = builder.load(_pointer(context, builder, signature, arguments, narrow), align=bits // 8)
        wide = builder.sext(value, _I32) if element.signed else builder.zext(value, _I32)
        return builder.sitofp(wide, _F32)

    return ROW(array, types.uint64), build


@intrinsic
def _store(typing: Any, array: Any, row: Any, value: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element, content = signature.args[0].dtype, arguments[2]
        if element == types.float32:
            builder.store(content, _pointer(context, builder, signature, arguments, _F32), align=4)
        else:
            narrow = ir.VectorType(ir.IntType(element.bitwidth), WIDTH)
            content = builder.trunc(builder.fptosi(content, _I32), narrow)
            place = _pointer(context, builder, signature, arguments, narrow)
            builder.store(content, place, align=element.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, ROW), build


@intrinsic
def _transpose(typing: Any, source: Any, starts: Any, target: Any, row: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = ir.VectorType(ir.IntType(8), WIDTH)
        bytes_of, places, to = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in range(3))
        columns = []
        for p in range(WIDTH):
            place = builder.load(builder.gep(places.data, [ir.Constant(ir.IntType(64), p)]))
            first = builder.gep(bytes_of.data, [place])
            columns.append(builder.load(builder.bitcast(first, narrow.as_pointer()), align=1))
        # four rounds of interleaving column i with column i + 8 turn columns into rows
        low = ir.Constant(_I32, [x for i in range(WIDTH // 2) for x in (i, WIDTH + i)])
        high = ir.Constant(_I32, [x for i in range(WIDTH // 2, WIDTH) for x in (i, WIDTH + i)])
        for _ in range(4):
            columns = [
                builder.shuffle_vector(columns[i], columns[i + WIDTH // 2], mask)
                for i in range(WIDTH // 2)
                for mask in (low, high)
            ]
        base = builder.gep(to.data, [builder.mul(arguments[3], ir.Constant(arguments[3].type, WIDTH))])
        for i, column in enumerate(columns):
            place = builder.gep(base, [ir.Constant(ir.IntType(64), i * WIDTH)])
            builder.store(column, builder.bitcast(place, narrow.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(source, starts, target, types.uint64), build


@intrinsic
def _splat(typing: Any, value: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        one = builder.insert_element(ir.Constant(_F32, ir.Undefined), arguments[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(_I32, [0] * WIDTH)
        return builder.shuffle_vector(one, ir.Constant(_F32, ir.Undefined), mask)

    return ROW(types.float32), build


def _binary(name: str, instruction: Callable[[Any, Any, Any], Any]) -> Any:
    @intrinsic
    def both(typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            return instruction(builder, arguments[0], arguments[1])

        return ROW(ROW, ROW), build

    both.__name__ = name
    return both


def _ordered(builder: Any, sign: str, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(sign, a, b), a, b)


_add = _binary("_add", lambda builder, a, b: builder.fadd(a, b))
_sub = _binary("_sub", lambda builder, a, b: builder.fsub(a, b))
_mul = _binary("_mul", lambda builder, a, b: builder.fmul(a, b))
_div = _binary("_div", lambda builder, a, b: builder.fdiv(a, b))
_least = _binary("_least", lambda builder, a, b: _ordered(builder, "<", a, b))
_most = _binary("_most", lambda builder, a, b: _ordered(builder, ">", a, b))


@intrinsic
def _whole(typing: Any, a: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.sitofp(builder.fptosi(arguments[0], _I32), _F32)

    return ROW(ROW), build


@intrinsic
def _where_above(typing: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.select(builder.fcmp_ordered(">", arguments[0], arguments[1]), arguments[2], arguments[3])

    return ROW(ROW, ROW, ROW, ROW), build


@intrinsic
def _any_above(typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        bits = builder.bitcast(builder.fcmp_ordered(">", arguments[0], arguments[1]), ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(ROW, ROW), build


@overload(load, inline="always")
def _load_compiled(array, row):  # noqa: ARG001
    return lambda array, row: _load(array, row)


@overload(store, inline="always")
def _store_compiled(array, row, value):  # noqa: ARG001
    return lambda array, row, value: _store(array, row, value)


@overload(transpose)
def _transpose_compiled(source, starts, target, row):  # noqa: ARG001
    return lambda source, starts, target, row: _transpose(source, starts, target, row)


@overload(splat)
def _splat_compiled(value):  # noqa: ARG001
    return lambda value: _splat(np.float32(value))


@overload(least)
def _least_compiled(a, b):  # noqa: ARG001
    return lambda a, b: _least(a, b)


@overload(most)
def _most_compiled(a, b):  # noqa: ARG001
    return lambda a, b: _most(a, b)


@overload(whole)
def _whole_compiled(a):  # noqa: ARG001
    return lambda a: _whole(a)


@overload(any_above)
def _any_above_compiled(a, b):  # noqa: ARG001
    return lambda a, b: _any_above(a, b)


@overload(gaps_left)
def _gaps_left_compiled(pressure):  # noqa: ARG001
    def compiled(pressure):
        zero, one = _splat(np.float32(0)), _splat(np.float32(1))
        x = _most(_sub(one, pressure), zero)
        x = _mul(x, x)
        x = _mul(x, x)
        x = _mul(x, x)
        return _mul(x, x)

    return compiled


@overload(where_above)
def _where_above_compiled(a, b, yes, no):  # noqa: ARG001
    return lambda a, b, yes, no: _where_above(a, b, yes, no)


def _operator(sign, instruction):
    @overload(sign)
    def compiled(a, b):
        if a == ROW and b == ROW:
            return lambda a, b: instruction(a, b)
        if a == ROW and b == types.float32:
            return lambda a, b: instruction(a, _splat(b))
        if a == types.float32 and b == ROW:
            return lambda a, b: instruction(_splat(a), b)
        return None


for _sign, _instruction in ((operator.add, _add), (operator.sub, _sub), (operator.mul, _mul), (operator.truediv, _div)):
    _operator(_sign, _instruction)
for _sign, _instruction in ((operator.iadd, _add), (operator.isub, _sub)):
    _operator(_sign, _instruction)

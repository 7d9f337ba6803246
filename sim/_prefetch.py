"""Ask the processor for a row of a table before it is needed: one instruction, no effect on any result."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

READ, KEEP, DATA = 0, 3, 1


@intrinsic  # type: ignore[untyped-decorator]
def _compiled(_typing: Any, table: Any, row: Any) -> Any:
    """`prefetch(table, row)`: bring the cache line in which a row of an array begins."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, array.strides)[0]
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        byte = ir.IntType(8).as_pointer()
        address = builder.gep(builder.bitcast(array.data, byte), [builder.mul(index, stride)])
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(function, [address, flag(READ), flag(KEEP), flag(DATA)])
        return context.get_dummy_value()

    return types.void(table, row), codegen


def _nothing(_table: Any, _row: Any) -> None:
    """Where the kernels run as plain Python."""


prefetch = _nothing if config.DISABLE_JIT else _compiled

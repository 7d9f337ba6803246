"""Ask the processor for a line of the cache before it is needed: one instruction, no effect on any result."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

READ, KEEP, DATA = 0, 3, 1


@intrinsic  # type: ignore[untyped-decorator]
def _compiled(_typing: Any, table: Any, row: Any, column: Any) -> Any:
    """`prefetch(table, row, column)`: the line that holds an element; column 0 in arrays of one dimension."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, array.strides)[0]
        size = ir.Constant(stride.type, signature.args[0].dtype.bitwidth // 8)
        at, beside = (context.cast(builder, arguments[n], signature.args[n], types.intp) for n in (1, 2))
        offset = builder.add(builder.mul(at, stride), builder.mul(beside, size))
        byte = ir.IntType(8).as_pointer()
        address = builder.gep(builder.bitcast(array.data, byte), [offset])
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(function, [address, flag(READ), flag(KEEP), flag(DATA)])
        return context.get_dummy_value()

    return types.void(table, row, column), codegen


def _nothing(_table: Any, _row: Any, _column: Any) -> None:
    """Where the kernels run as plain Python."""


prefetch = _nothing if config.DISABLE_JIT else _compiled

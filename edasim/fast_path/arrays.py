"""How compiled code finds the arrays of the loop: by their addresses, in one small table.

Passing dozens of arrays to each function would take numba minutes to compile. So for compiled code a World is one number, the address of
a table that holds the address and the shape of each array. Its attributes are arrays like any others; Python keeps them alive.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from edasim.fast_path.memory import FIELDS, World

NUMBERS = 4  # of each array in the table: its address, and its shape
NAMES = tuple(FIELDS)
ARRAYS = {name: types.Array(from_dtype(np.dtype(dtype)), dimensions, "C") for name, (dtype, dimensions) in FIELDS.items()}


class WorldType(types.Type):
    """What numba calls a World."""

    def __init__(self) -> None:
        super().__init__(name="edasim.World")


@typeof_impl.register(World)
def _typeof(value: World, context: Any) -> WorldType:
    return WorldType()


@register_model(WorldType)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, of: WorldType) -> None:
        super().__init__(manager, of, ir.IntType(64))


@unbox(WorldType)
def _unbox(of: WorldType, value: Any, context: Any) -> NativeValue:
    address = context.pyapi.object_getattr_string(value, "address")
    number = context.pyapi.long_as_longlong(address)
    context.pyapi.decref(address)
    return NativeValue(number, is_error=cgutils.is_not_null(context.builder, context.pyapi.err_occurred()))


@infer_getattr
class _Attributes(AttributeTemplate):
    key = WorldType

    def generic_resolve(self, of: WorldType, name: str) -> Any:  # type: ignore[override]
        return ARRAYS.get(name)


@lower_getattr_generic(WorldType)
def _attribute(context: Any, builder: Any, of: WorldType, world: Any, name: str) -> Any:
    """The array: what the table says of it, with the strides of a C array, owned by nobody here."""
    kind, word = ARRAYS[name], ir.IntType(64)
    table = builder.inttoptr(world, word.as_pointer())
    first = NUMBERS * NAMES.index(name)
    said = [builder.load(builder.gep(table, [ir.Constant(word, first + place)])) for place in range(1 + kind.ndim)]
    array = context.make_array(kind)(context, builder)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    strides = [ir.Constant(word, size)]
    for length in reversed(said[2:]):
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(
        array,
        data=builder.inttoptr(said[0], context.get_data_type(kind.dtype).as_pointer()),
        shape=cgutils.pack_array(builder, said[1:]),
        strides=cgutils.pack_array(builder, strides),
        itemsize=ir.Constant(word, size),
        meminfo=None,
    )
    return array._getvalue()


def _call_back(typing: Any, address: Any, stream: Any, index: Any, attempt: Any) -> Any:
    """Call the function at that *address* with three whole numbers: another one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * 3)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, types.int64, types.int64), code


call_back = cast(Callable[[int, int, int, int], int], intrinsic(_call_back))

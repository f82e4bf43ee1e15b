"""Calls of C functions from compiled code, by address."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from vtarget.shell.layout import H_READ_FUNCTION, H_SCRATCH, H_SCRATCH_ADDRESS


@intrinsic  # type: ignore[untyped-decorator]
def pointer(typingctx: Any, address: Any) -> Any:
    """An int64 address as a pointer to int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], cgutils.intp_t.as_pointer())

    return types.CPointer(types.int64)(types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def half_pointer(typingctx: Any, address: Any) -> Any:
    """An int64 address as a pointer to uint32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.uint32)(types.int64), codegen


def _call(builder: Any, args: Any) -> Any:
    word = cgutils.intp_t
    function = ir.FunctionType(word, [word] * (len(args) - 1)).as_pointer()
    return builder.call(builder.inttoptr(args[0], function), args[1:])


@intrinsic  # type: ignore[untyped-decorator]
def call3(typingctx: Any, function: Any, a: Any, b: Any, c: Any) -> Any:
    """Call the C function at ``function`` as ``int64 f(int64, int64, int64)``."""
    return types.int64(*[types.int64] * 4), lambda _context, builder, _signature, args: _call(builder, args)


@intrinsic  # type: ignore[untyped-decorator]
def call5(typingctx: Any, function: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """Call the C function at ``function`` with five arguments, or with fewer: it ignores what it doesn't know of."""
    return types.int64(*[types.int64] * 6), lambda _context, builder, _signature, args: _call(builder, args)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def read_register(s: Any, uc: int, register: int) -> int:
    """A register of the emulator by its number there; ``s`` is the state buffer."""
    s[H_SCRATCH] = 0
    call3(s[H_READ_FUNCTION], uc, register, s[H_SCRATCH_ADDRESS])
    return int(s[H_SCRATCH] & 0xFFFFFFFF)


def _load(builder: Any, address: Any, bits: int) -> Any:
    place = builder.inttoptr(address, ir.IntType(bits).as_pointer())
    return builder.zext(builder.load(place), ir.IntType(64))


@intrinsic  # type: ignore[untyped-decorator]
def load_half(typingctx: Any, address: Any) -> Any:
    """The uint32 at an int64 address."""
    return types.int64(types.int64), lambda _context, builder, _signature, args: _load(builder, args[0], 32)


@intrinsic  # type: ignore[untyped-decorator]
def load_byte(typingctx: Any, address: Any) -> Any:
    """The uint8 at an int64 address."""
    return types.int64(types.int64), lambda _context, builder, _signature, args: _load(builder, args[0], 8)

"""Flatbuffer tables read with every offset checked: a stand-in for ``flatbuffers.Table`` under generated accessors.

Layout (https://flatbuffers.dev/internals/): a table starts with a signed 32-bit distance back to its vtable; the
vtable starts with its own size and holds one 16-bit place per field; vectors and strings start with a 32-bit length.
"""

from __future__ import annotations

import struct
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class CorruptError(Exception):
    """What a file says of its own layout can't be true. The message is for people."""


class Flags(Protocol):
    """A scalar type as generated accessors name it."""

    bytewidth: int
    packer_type: struct.Struct
    py_type: type


class Budget:
    """How many bytes of vectors and strings may be read in total: honest files read each of theirs about once."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes

    def spend(self, size_bytes: int) -> None:
        """Takes ``size_bytes`` off.

        :raises CorruptError: that many aren't left.
        """
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise CorruptError("its vectors overlap")


_U16, _I32, _U32 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<I")


class CheckedTable:
    """The table at ``pos`` of ``buf``, with the methods (and their names) that generated accessors call.

    All of them raise CorruptError for what isn't inside ``buf``.
    """

    def __init__(self, buf: bytes, pos: int, budget: Budget) -> None:
        self.Bytes = buf
        self.Pos = pos
        self._budget = budget
        self._vtable = pos - int(self._unpack(_I32, pos))
        self._vtable_size = int(self._unpack(_U16, self._vtable))
        if self._vtable_size < 4 or self._vtable + self._vtable_size > len(buf):
            raise CorruptError(f"its table at 0x{pos:x} has a vtable of {self._vtable_size} bytes")

    def _unpack(self, packer: struct.Struct, at: int) -> Any:
        if at < 0 or at + packer.size > len(self.Bytes):
            raise self._outside(at)
        return packer.unpack_from(self.Bytes, at)[0]

    def _outside(self, at: int) -> CorruptError:
        return CorruptError(f"it points outside the file of {len(self.Bytes)} bytes (to {'-' * (at < 0)}0x{abs(at):x})")

    def _extent(self, at: int, item_bytes: int) -> tuple[int, int]:
        """(start, items) of the vector whose offset stands at ``at``."""
        start = self.Indirect(at)
        count = int(self._unpack(_U32, start))
        if count * item_bytes > len(self.Bytes) - start - 4:
            raise CorruptError(f"it has a vector at 0x{start:x} of {count} items, more than the file holds")
        return start + 4, count

    def Offset(self, vtable_offset: int) -> int:  # noqa: N802
        """Where in the table a field stands, 0 if it is absent."""
        if vtable_offset + 2 > self._vtable_size:
            return 0
        return int(self._unpack(_U16, self._vtable + vtable_offset))

    def Get(self, flags: Flags, off: int) -> Any:  # noqa: N802
        """The scalar at ``off`` of the file."""
        return flags.py_type(self._unpack(flags.packer_type, off))

    def Indirect(self, off: int) -> int:  # noqa: N802
        """Where the offset at ``off`` of the file leads."""
        to = off + int(self._unpack(_U32, off))
        if to >= len(self.Bytes):
            raise self._outside(to)
        return to

    def Vector(self, off: int) -> int:  # noqa: N802
        """Where the content of the vector begins whose offset stands at ``off`` of this table."""
        return self._extent(self.Pos + off, 1)[0]

    def VectorLen(self, off: int) -> int:  # noqa: N802
        """How many items that vector has."""
        return self._extent(self.Pos + off, 1)[1]

    def GetVectorAsNumpy(self, flags: Flags, off: int) -> npt.NDArray[Any]:  # noqa: N802
        """That vector's scalars."""
        start, count = self._extent(self.Pos + off, flags.bytewidth)
        self._budget.spend(count * flags.bytewidth)
        return np.frombuffer(self.Bytes, np.dtype(flags.packer_type.format), count, start)

    def String(self, off: int) -> bytes:  # noqa: N802
        """The string whose offset stands at ``off`` of the file."""
        start, count = self._extent(off, 1)
        self._budget.spend(count)
        return bytes(self.Bytes[start : start + count])

    def Union(self, other: Any, off: int) -> None:  # noqa: N802
        """Makes ``other`` the table whose offset stands at ``off`` of this one."""
        other.Pos = self.Indirect(self.Pos + off)
        other.Bytes = self.Bytes

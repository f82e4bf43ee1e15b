"""Sets of registers, moved in one call of the emulator."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any


class RegisterSet:
    """Registers read or written together, in that order, by one call into the emulator and no Python in between.

    ``library`` is the emulator's, ``registers`` are its numbers.
    """

    def __init__(self, library: Any, handle: Any, registers: tuple[int, ...]) -> None:
        count = len(registers)
        self._library = library
        self._handle = handle
        self._ids = (ctypes.c_int * count)(*registers)
        self._values = (ctypes.c_uint32 * count)()
        base = ctypes.addressof(self._values)
        self._pointers = (ctypes.c_void_p * count)(*(base + 4 * i for i in range(count)))
        self._count = count

    @property
    def words(self) -> tuple[int, int, int, int]:
        """For native code: the addresses of the numbers, of the values' places and of the values; how many."""
        ids, pointers, values = (ctypes.addressof(part) for part in (self._ids, self._pointers, self._values))
        return ids, pointers, values, self._count

    def read(self) -> list[int]:
        """Their values, 32 bits each."""
        self._library.uc_reg_read_batch(self._handle, self._ids, self._pointers, self._count)
        return self._values[:]

    def write(self, values: Sequence[int]) -> None:
        """Set them."""
        self._values[:] = list(values)
        self._library.uc_reg_write_batch(self._handle, self._ids, self._pointers, self._count)

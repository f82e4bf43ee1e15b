"""A firmware file, loaded: what goes where in memory, and what its symbols say."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vtarget.data.record import Section


@dataclass(frozen=True)
class Segment:
    """Bytes that the file puts at ``load_address`` (LMA); ``memory_bytes`` > len(data) is zero-fill at ``address``.

    ``name`` is made of the names of the sections it covers, or empty where the format has none.
    """

    load_address: int
    address: int
    data: bytes
    memory_bytes: int
    executable: bool
    name: str = ""

    @property
    def load_end(self) -> int:
        """One past the last loaded byte."""
        return self.load_address + len(self.data)

    @property
    def end(self) -> int:
        """One past the last byte it takes at run time."""
        return self.address + self.memory_bytes


@dataclass(frozen=True)
class Function:
    """A function symbol: ``address`` without the Thumb bit, ``size_bytes`` (0 if unknown), raw and demangled name."""

    name: str
    address: int
    size_bytes: int
    raw_name: str


@dataclass(frozen=True)
class Image:
    """A firmware image.

    ``entry`` keeps no Thumb bit; ``None`` if the format has none. ``functions`` are sorted by address and have no
    duplicates at one address. ``objects`` maps data (and all other) symbols, raw names, to (address, size_bytes).
    ``data_ranges`` are the (start, end) stretches inside code that mapping symbols ($d) mark as data.
    ``vector_table`` is the load address of a table that a symbol or section names. ``sections`` are those that take
    memory, where the format has sections.
    """

    path: str
    format: str
    sha256: str
    segments: tuple[Segment, ...]
    entry: int | None
    functions: tuple[Function, ...] = ()
    objects: dict[str, tuple[int, int]] = field(default_factory=dict)
    data_ranges: tuple[tuple[int, int], ...] = ()
    vector_table: int | None = None
    sections: tuple[Section, ...] = ()

    @cached_property
    def _starts(self) -> list[int]:
        return [f.address for f in self.functions]

    def function_at(self, address: int) -> Function | None:
        """The function whose extent holds ``address``; a function of unknown size reaches to the next symbol."""
        i = bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        candidate = self.functions[i]
        if candidate.size_bytes and address >= candidate.address + candidate.size_bytes:
            return None
        return candidate

    def read(self, address: int, size_bytes: int) -> bytes | None:
        """``size_bytes`` file bytes loaded at ``address``, or None where the image has none."""
        for s in self.segments:
            if s.load_address <= address and address + size_bytes <= s.load_end:
                start = address - s.load_address
                return s.data[start : start + size_bytes]
        return None


@dataclass(frozen=True)
class RegionUse:
    """How much of a board's region an image takes: file bytes loaded there and memory it needs at run time."""

    name: str
    used_bytes: int
    size_bytes: int

"""From ELF symbols to what a profile needs: functions, objects, data inside code, the vector table.

Symbol types, bindings and mapping symbols: Arm, "ELF for the Arm Architecture", IHI 0044, chapter 5.5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vtarget.data.image import Function, Segment

STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE = 0, 1, 2, 3, 4
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
SHN_UNDEF, SHN_LORESERVE, SHN_ABS = 0, 0xFF00, 0xFFF1

VECTOR_TABLE_SYMBOLS = (
    "__isr_vector",
    "g_pfnVectors",
    "__Vectors",
    "_vectors",
    "__vectors",
    "vector_table",
    "_vector_table",
    "__vector_table",
    "__isr_vectors",
)
VECTOR_TABLE_SECTIONS = (".isr_vector", ".vectors", ".vector_table", ".intvecs")

_BINDING_RANK = {STB_WEAK: 1, STB_LOCAL: 2}


class Symbol(NamedTuple):
    """One row of a symbol table; ``value`` keeps its Thumb bit, ``section`` is an index or a reserved number."""

    name: str
    value: int
    size_bytes: int
    kind: int
    binding: int
    section: int

    @property
    def mapping(self) -> str | None:
        """``"a"``, ``"t"`` or ``"d"`` for a mapping symbol ($a, $t, $d, with or without a suffix), else None."""
        name = self.name
        if name[:1] == "$" and name[1:2] in ("a", "t", "d") and name[2:3] in ("", "."):
            return name[1]
        return None


@dataclass(frozen=True)
class Section:
    """One section: run address, place in the file (``offset`` is None for zero-fill) and what its flags say."""

    index: int
    name: str
    address: int
    offset: int | None
    size_bytes: int
    allocated: bool
    executable: bool

    def holds(self, address: int) -> bool:
        """Whether ``address`` lies inside."""
        return self.address <= address < self.address + self.size_bytes


class CodeMap:
    """Which stretches of each executable section are Thumb code, Arm code or data."""

    def __init__(self, symbols: Iterable[Symbol], sections: Sequence[Section]) -> None:
        code = [s for s in sections if s.allocated and s.executable and s.size_bytes]
        self._sections = sorted(code, key=lambda s: s.address)
        self._starts = [s.address for s in self._sections]
        marks: dict[int, dict[int, str]] = {s.index: {} for s in self._sections}
        for symbol in symbols:
            kind = symbol.mapping
            if kind is not None and symbol.section in marks:
                marks[symbol.section][symbol.value] = kind
        self._marks = {index: sorted(by_address.items()) for index, by_address in marks.items()}

    def section_at(self, address: int) -> Section | None:
        """The executable section that holds ``address``."""
        i = bisect_right(self._starts, address) - 1
        return self._sections[i] if i >= 0 and self._sections[i].holds(address) else None

    def kind_at(self, address: int) -> str | None:
        """``"t"``, ``"a"`` or ``"d"`` as the last mapping symbol up to ``address`` says; None without one."""
        section = self.section_at(address)
        if section is None:
            return None
        marks = self._marks[section.index]
        i = bisect_right(marks, (address, "\x7f")) - 1
        return marks[i][1] if i >= 0 else None

    def data_ranges(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of the data stretches, ascending, neighbours joined."""
        ranges: list[tuple[int, int]] = []
        for section in self._sections:
            marks = self._marks[section.index]
            ends = [address for address, _ in marks[1:]] + [section.address + section.size_bytes]
            ranges += [(at, end) for (at, kind), end in zip(marks, ends, strict=False) if kind == "d" and at < end]
        return _joined(ranges)


def _joined(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def functions(symbols: Sequence[Symbol], code: CodeMap, demangle: Callable[[str], str]) -> tuple[Function, ...]:
    """Functions by address, one per address.

    Of several names for one address the global one wins over the weak over the local, then the shortest, then the
    alphabetically first; the extent is the largest any of them gives. Global labels without a type (assembly
    routines) count as functions of unknown size where they mark Thumb code that no sized function covers.
    """
    by_address: dict[int, list[Symbol]] = defaultdict(list)
    for symbol in symbols:
        if symbol.kind == STT_FUNC and symbol.section != SHN_UNDEF and symbol.name and symbol.mapping is None:
            by_address[symbol.value & ~1].append(symbol)
    covered = _joined([(a, a + s.size_bytes) for a, names in by_address.items() for s in names if s.size_bytes])
    starts = [start for start, _ in covered]
    labels: dict[int, list[Symbol]] = defaultdict(list)
    for symbol in symbols:
        address = symbol.value & ~1
        if address in by_address or not _is_code_label(symbol, code):
            continue
        i = bisect_right(starts, address) - 1
        if i < 0 or address >= covered[i][1]:
            labels[address].append(symbol)
    found = (by_address | labels).items()
    return tuple(_function(address, names, demangle) for address, names in sorted(found, key=lambda item: item[0]))


def _is_code_label(symbol: Symbol, code: CodeMap) -> bool:
    if symbol.kind != STT_NOTYPE or symbol.binding == STB_LOCAL or not symbol.name or symbol.mapping is not None:
        return False
    if not SHN_UNDEF < symbol.section < SHN_LORESERVE:
        return False
    section = code.section_at(symbol.value & ~1)
    if section is None or section.index != symbol.section:
        return False
    kind = code.kind_at(symbol.value & ~1)
    return kind == "t" or (kind is None and symbol.value % 2 == 1)


def _preference(symbol: Symbol) -> tuple[int, int, str]:
    return _BINDING_RANK.get(symbol.binding, 0), len(symbol.name), symbol.name


def _function(address: int, names: list[Symbol], demangle: Callable[[str], str]) -> Function:
    best = min(names, key=_preference)
    return Function(demangle(best.name), address, max(s.size_bytes for s in names), best.name)


def objects(symbols: Iterable[Symbol]) -> dict[str, tuple[int, int]]:
    """Every defined symbol by raw name: (address without the Thumb bit of functions, size in bytes).

    Of several symbols of one name the global one wins over the weak over the local, then the lowest address.
    """
    best: dict[str, tuple[int, int, int]] = {}
    for s in symbols:
        if s.section == SHN_UNDEF or s.kind in (STT_SECTION, STT_FILE) or not s.name or s.mapping is not None:
            continue
        address = s.value & ~1 if s.kind == STT_FUNC else s.value
        candidate = (_BINDING_RANK.get(s.binding, 0), address, s.size_bytes)
        if s.name not in best or candidate < best[s.name]:
            best[s.name] = candidate
    return {name: (address, size) for name, (_, address, size) in sorted(best.items())}


def vector_table(
    named: dict[str, tuple[int, int]], sections: Iterable[Section], segments: Sequence[Segment]
) -> int | None:
    """Load address of the vector table that a symbol of a usual name, or else a section of a usual name, points to."""
    by_name = {s.name: s.address for s in sections if s.allocated and s.size_bytes and s.offset is not None}
    candidates = [named[name][0] for name in VECTOR_TABLE_SYMBOLS if name in named]
    candidates += [by_name[name] for name in VECTOR_TABLE_SECTIONS if name in by_name]
    for address in candidates:
        loaded = load_address_of(address, segments)
        if address % 4 == 0 and loaded is not None:
            return loaded
    return None


def load_address_of(address: int, segments: Iterable[Segment]) -> int | None:
    """Where the file puts the byte that runs at ``address``; None where no segment has file bytes for it."""
    for s in segments:
        if s.address <= address < s.address + len(s.data):
            return s.load_address + (address - s.address)
    return None

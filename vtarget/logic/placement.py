"""Where an image goes on a board: does it fit, where is its vector table, how much of each region it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Region
from vtarget.data.image import Image, RegionUse, Segment

_VECTOR_ALIGNMENT = 128
_MOST_SCANNED = 4


def check_fits(image: Image, board: Board) -> None:
    """Raise InputError unless every segment's file bytes (at their load address) and run-time memory lie in regions.

    A segment may reach over several regions that touch.
    """
    for segment in image.segments:
        if segment.data:
            _check_range(image, board, segment, "segment", segment.load_address, segment.load_end)
        if segment.memory_bytes and (segment.address, segment.end) != (segment.load_address, segment.load_end):
            _check_range(image, board, segment, "memory of segment", segment.address, segment.end)


def _check_range(image: Image, board: Board, segment: Segment, what: str, start: int, end: int) -> None:
    covered = start
    last = None
    while covered < end and (region := board.region_at(covered)) is not None:
        covered, last = region.end, region
    if covered >= end:
        return
    name = f"{what} {segment.name} at" if segment.name else f"{what} at"
    place = f"{image.path}: {name} 0x{start:08x}..0x{end:08x}"
    if last is None:
        regions = ", ".join(_extent(r) for r in board.regions)
        raise InputError(f"{place} is outside every region of board {board.name} ({regions})")
    raise InputError(f"{place} runs {end - covered} bytes past region {_extent(last)} of board {board.name}")


def _extent(region: Region) -> str:
    return f"{region.name} 0x{region.base:08x}..0x{region.end:08x}"


@dataclass(frozen=True)
class _Candidate:
    address: int
    origin: str


def find_vector_table(image: Image, board: Board) -> int:
    """The address of the vector table the core starts from.

    Looked for, in order: where the board boots from, where a symbol or section says, where a loaded word pair ends in
    the entry point, the lowest loaded address. A table counts when its first word can be a stack pointer (multiple of
    4, in or at the end of a writable region) and its second a Thumb address in loaded executable bytes. InputError
    names every place looked at and what is wrong there.
    """
    rejected = []
    seen = set()
    for candidate in _candidates(image, board):
        if candidate.address in seen:
            continue
        seen.add(candidate.address)
        problem = _problem(image, board, candidate.address)
        if problem is None:
            return candidate.address
        rejected.append(f"0x{candidate.address:08x} ({candidate.origin}): {problem}")
    raise InputError(f"{image.path}: no vector table: {'; '.join(rejected) or 'the image has no bytes'}")


def _candidates(image: Image, board: Board) -> Iterator[_Candidate]:
    for address in board.vector_addresses():
        yield _Candidate(address, "boot address")
    if image.vector_table is not None:
        yield _Candidate(image.vector_table, "vector table symbol or section")
    if image.entry is not None:
        yield from _tables_with_reset(image, image.entry)
    loaded = [s.load_address for s in image.segments if s.data]
    if loaded:
        yield _Candidate(min(loaded), "lowest loaded address")


def _tables_with_reset(image: Image, entry: int) -> Iterator[_Candidate]:
    """Loaded places, aligned as VTOR needs, whose second word is the entry point; the first few."""
    word = (entry | 1).to_bytes(4, "little")
    found = 0
    for segment in sorted(image.segments, key=lambda s: s.load_address):
        at = segment.data.find(word)
        while at >= 0:
            address = segment.load_address + at - 4
            if at >= 4 and address % _VECTOR_ALIGNMENT == 0:
                yield _Candidate(address, "holds the entry point")
                found += 1
                if found == _MOST_SCANNED:
                    return
            at = segment.data.find(word, at + 1)


def _problem(image: Image, board: Board, address: int) -> str | None:
    words = _loaded_bytes(image, board, address, 8)
    if words is None:
        return "nothing is loaded there"
    stack, reset = int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little")
    if stack % 4:
        return f"initial stack pointer 0x{stack:08x} is no multiple of 4"
    if not any(r.writable and r.base <= stack <= r.end for r in board.regions):
        return f"initial stack pointer 0x{stack:08x} is in no RAM"
    if reset % 2 == 0:
        return f"reset vector 0x{reset:08x} has no Thumb bit"
    if not _is_loaded_code(image, board, reset - 1):
        return f"reset vector 0x{reset:08x} is in no loaded code"
    return None


def _loaded_bytes(image: Image, board: Board, address: int, size_bytes: int) -> bytes | None:
    """File bytes that the core sees at ``address``, through an alias too."""
    real = _real(board, address)
    for segment in image.segments:
        start = real - _real(board, segment.load_address)
        if start >= 0 and start + size_bytes <= len(segment.data):
            return segment.data[start : start + size_bytes]
    return None


def _is_loaded_code(image: Image, board: Board, address: int) -> bool:
    real = _real(board, address)
    return any(s.executable and 0 <= real - _real(board, s.load_address) < len(s.data) for s in image.segments)


def _real(board: Board, address: int) -> int:
    """``address``, or the one in the real region that its alias region stands for."""
    region = board.region_at(address)
    if region is None or region.alias_of is None:
        return address
    return address - region.base + board.region(region.alias_of).base


def memory_use(image: Image, board: Board) -> tuple[RegionUse, ...]:
    """Bytes taken of each real region, in the board's order: file bytes where they are loaded and memory where it is
    at run time, each byte once, aliases counted on the region they stand for."""
    taken: dict[str, list[tuple[int, int]]] = {r.name: [] for r in board.regions if r.alias_of is None}
    for segment in image.segments:
        for start, end in ((segment.load_address, segment.load_end), (segment.address, segment.end)):
            for region in board.regions:
                low, high = max(start, region.base) - region.base, min(end, region.end) - region.base
                if low < high:
                    taken[region.alias_of or region.name].append((low, high))
    return tuple(RegionUse(r.name, _total(taken[r.name]), r.size) for r in board.regions if r.alias_of is None)


def _total(ranges: Iterable[tuple[int, int]]) -> int:
    total = reached = 0
    for start, end in sorted(ranges):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def reset_state(image: Image, vector_table: int) -> tuple[int, int]:
    """Stack pointer and pc at reset, as the vector table has them; the pc without its Thumb bit."""
    words = image.read(vector_table, 8) or bytes(8)
    return int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little") & ~1

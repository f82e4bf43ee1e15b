"""Which boards share an instruction stream, and a record of one of them as the other would have left it.

A model's firmware for two boards of one core is linked from the same objects; only addresses differ. What its run
leaves is then the same but for addresses, if the recorder watches the same things on both: the loads and stores of the
same memories, through caches of the same geometry, with addresses that fall into the same sets. Where that holds, a
record is moved to the other board's addresses and its price is that of a fresh run, to the cycle. Counts that a board
doesn't need are dropped; counts that it needs and the record lacks are never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vtarget.data.board import Board, Region
from vtarget.data.image import Image
from vtarget.data.memorysystem import Cache
from vtarget.data.plan import Placement
from vtarget.data.record import ExecutionRecord, RecordedRegion, SiteKind, Stack
from vtarget.logic.linkerscript import data_region
from vtarget.logic.placement import memory_use
from vtarget.logic.profile import NO_LIVE_CYCLES
from vtarget.logic.stretches import JOINT
from vtarget.logic.zones import data_cache, fingerprint, instruction_cache, needs_data, real_region, zone_number, zones

ALIGNMENT_BYTES = 8  # of sections and the stack: data may move by multiples of it
PAGE_BYTES = 4096  # at the borders of which the emulator ends blocks: code may move by multiples of it
_ADDRESS = re.compile(r"\b0x[0-9a-f]{8}\b")


@dataclass(frozen=True)
class Linked:
    """A model's firmware as it was linked for one board. ``regions`` are those of its boot code, weights, arena and
    data with stack, in this order; arena and data may be in stretches of several."""

    board: Board
    image: Image
    regions: tuple[str, str, str, str]

    @classmethod
    def of(cls, board: Board, image: Image, placement: Placement) -> Linked:
        """The firmware that was built with this placement."""
        data = placement.data_region or data_region(board).name
        return cls(board, image, (board.boot.region, placement.weights_region, placement.arena_region, data))

    @cached_property
    def layout(self) -> tuple[object, ...]:
        """What is the same for two images of the same objects: sizes, and places in sections."""
        starts = [s.address for s in self.image.sections]
        sections = tuple((s.name, s.size_bytes) for s in self.image.sections)
        functions = []
        for function in self.image.functions:
            number = max((i for i, start in enumerate(starts) if start <= function.address), key=starts.__getitem__)
            functions.append((number, function.address - starts[number], function.size_bytes, function.raw_name))
        return sections, tuple(sorted(functions))

    @property
    def stretches(self) -> bool:
        """Whether anything lies in more than one region."""
        return any(JOINT in name for name in self.regions)

    @property
    def units(self) -> tuple[Cache | None, ...]:
        """The caches followed in a run: of instructions, then of the data of each region."""
        used = [self.board.region(name) for name in self.regions]
        found = (instruction_cache(self.board, used[0]), *(data_cache(self.board, region) for region in used))
        return tuple(unit if unit is not None and unit.simulated else None for unit in found)

    @property
    def stack_top(self) -> int:
        """Where the stack begins."""
        return self.board.region(self.regions[3]).end


def roots(builds: Sequence[Linked]) -> list[int]:
    """For each build the number of the one whose run to price for it: its own where no other can stand for it."""
    count = range(len(builds))
    can = [[covers(a, b) for b in builds] for a in builds]
    own = [b for b in count if not any(a != b and can[a][b] and (not can[b][a] or a < b) for a in count)]
    return [next((a for a in own if can[a][b]), b) for b in count]


def covers(a: Linked, b: Linked) -> bool:
    """Whether a record made of ``a`` tells what a fresh one of ``b`` would; both are of the same objects."""
    if a is b:
        return True
    if a.stretches or b.stretches:  # a section isn't all in one region: other loads of it may reach the next one there
        return False
    if a.layout != b.layout or not _one_to_one(a.regions, b.regions):
        return False
    if needs_data(b.board) and not needs_data(a.board):
        return False
    shifts = list(_shifts(a, b))
    for region, shift in shifts:
        boots = region is not None and region.name == b.regions[0]
        if shift % (PAGE_BYTES if boots else ALIGNMENT_BYTES):
            return False
    return _same_caches(a, b, shifts) and _watches_enough(a, b)


def _one_to_one(of_a: Sequence[str], of_b: Sequence[str]) -> bool:
    """Whether each region of ``a`` is one region of ``b``."""
    found: dict[str, str] = {}
    return all(found.setdefault(x, y) == y for x, y in zip(of_a, of_b, strict=True))


def _shifts(a: Linked, b: Linked) -> Iterator[tuple[Region | None, int]]:
    """(region in ``b``, by how much it is further up there) of each section, and of the stack."""
    for here, there in zip(a.image.sections, b.image.sections, strict=True):
        yield b.board.region_at(there.address), there.address - here.address
    yield b.board.region(b.regions[3]), b.stack_top - a.stack_top


def _same_caches(a: Linked, b: Linked, shifts: Sequence[tuple[Region | None, int]]) -> bool:
    """Whether what ``b``'s caches hit and miss is what ``a``'s did; any of ``a`` will do where ``b`` has none."""
    units = b.units
    if not any(units):
        return True
    if _geometry(a.units) != _geometry(units):
        return False
    for unit in units:
        if unit is None:
            continue
        assert unit.size is not None and unit.ways is not None
        way_bytes = unit.size // unit.ways
        if any(r is not None and r.name in unit.regions and shift % way_bytes for r, shift in shifts):
            return False
    return True


def _geometry(units: Sequence[Cache | None]) -> list[object]:
    """The caches without their names, each numbered by where it comes first."""
    numbers: dict[str, int] = {}
    return [
        u
        and (
            numbers.setdefault(u.name, len(numbers)),
            (u.holds, u.size, u.line, u.ways, u.replacement, u.write, u.typical),
        )
        for u in units
    ]


def _watches_enough(a: Linked, b: Linked) -> bool:
    """Whether every access that ``b`` counts is counted by ``a`` in the same way, and as far apart; what changes memory
    in one does so in the other."""
    if needs_data(b.board) and not _one_to_one(_memories(b), _memories(a)):
        return False
    zone_of: dict[int, int] = {}
    for position, (x, y) in enumerate(zip(a.regions, b.regions, strict=True), start=1):
        here, there = zone_number(a.board, a.board.region(x)), zone_number(b.board, b.board.region(y))
        if there and not here:
            return False
        if there and (a.units[position] is None) != (b.units[position] is None):
            return False
        if here and zone_of.setdefault(here, there) != there:
            return False
    return True


def _memories(build: Linked) -> list[str]:
    return [real_region(build.board, build.board.region(name)).name for name in build.regions]


def moved(record: ExecutionRecord, a: Linked, b: Linked, board_sha256: str) -> ExecutionRecord:
    """The record of ``a`` as a run of ``b`` would have left it, where ``covers`` says so."""
    if a is b:
        return record
    move = _Move(a, b)
    counts = record.site_counts.copy()
    if not needs_data(b.board):
        counts[record.site_kind == SiteKind.DATA] = 0
    if b.units[0] is None:
        counts[record.site_kind == SiteKind.FETCH] = 0
    return replace(
        record,
        image_path=b.image.path,
        image_sha256=b.image.sha256,
        board=b.board.name,
        core=b.board.core,
        board_sha256=board_sha256,
        regions=tuple(RecordedRegion(r.name, r.kind.value, r.base, r.size) for r in b.board.regions),
        functions=tuple(replace(f, address=move.one(f.address)) for f in record.functions),
        block_address=move.all(record.block_address),
        site_low=move.all(record.site_low),
        site_high=move.all(record.site_high),
        site_counts=counts,
        live_cycles=NO_LIVE_CYCLES,
        exit=replace(
            record.exit,
            pc=move.one(record.exit.pc),
            call_stack=tuple(replace(f, address=move.one(f.address)) for f in record.exit.call_stack),
        ),
        stacks=tuple(Stack(s.name, move.stack(s.top), move.stack(s.lowest)) for s in record.stacks),
        memory=memory_use(b.image, b.board),
        zones=_zones(a, b) if needs_data(b.board) else (),
        caches=tuple(fingerprint(unit) for unit in b.board.caches if unit.simulated),
        sections=b.image.sections,
        not_modelled=tuple(_ADDRESS.sub(move.text, note) for note in record.not_modelled),
    )


def _zones(a: Linked, b: Linked) -> tuple[tuple[str, ...], ...]:
    """The zones that ``a`` counted by, as regions of ``b``: unused ones are called its boot region, and zones of ``b``
    that the firmware doesn't use come last."""
    of_zone: dict[int, str] = {}
    for x, y in zip(a.regions, b.regions, strict=True):
        of_zone.setdefault(zone_number(a.board, a.board.region(x)), y)
    counted = [(of_zone.get(number, b.regions[0]),) for number in range(1, len(zones(a.board)) + 1)]
    known = {zone_number(b.board, b.board.region(name)) for (name,) in counted}
    return (*counted, *(names for number, names in enumerate(zones(b.board), start=1) if number not in known))


class _Move:
    """Addresses of one image as those of the other: by section, and the stack by its top."""

    def __init__(self, a: Linked, b: Linked) -> None:
        pairs = sorted(zip(a.image.sections, b.image.sections, strict=True), key=lambda pair: pair[0].address)
        self._starts = np.array([here.address for here, _ in pairs], dtype=np.int64)
        self._ends = np.array([here.address + here.size_bytes for here, _ in pairs], dtype=np.int64)
        self._shifts = np.array([there.address - here.address for here, there in pairs], dtype=np.int64)
        region = a.board.region(a.regions[3])
        self._stack, self._stack_shift = (region.base, region.end), b.stack_top - a.stack_top

    def all(self, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """Addresses moved; -1, and what lies in no section or stack, stays."""
        at = np.searchsorted(self._starts, addresses, side="right") - 1
        inside = (at >= 0) & (addresses < self._ends[at])
        in_stack = ~inside & (addresses >= self._stack[0]) & (addresses <= self._stack[1])
        shift = np.where(inside, self._shifts[at], np.where(in_stack, self._stack_shift, 0))
        return addresses + shift

    def one(self, address: int) -> int:
        """One address moved."""
        return int(self.all(np.array([address], dtype=np.int64))[0])

    def text(self, address: re.Match[str]) -> str:
        """An address in a note, moved."""
        return f"0x{self.one(int(address[0], 16)):08x}"

    def stack(self, pointer: int) -> int:
        """A stack pointer moved."""
        return pointer + self._stack_shift

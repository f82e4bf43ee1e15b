"""Caches and zones as plain Python: what a trace of blocks and accesses finds, for comparison with the native code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import unicorn as uni

from vtarget.data.board import Board
from vtarget.data.insn import Kind
from vtarget.data.limits import RunLimits
from vtarget.data.memorysystem import Cache
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.addresses import Access, accesses
from vtarget.logic.decode import Block, effective_address
from vtarget.logic.zones import CHANGED, data_cache, instruction_cache, zone_number
from vtarget.shell.engine import REGISTERS
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import pricer_for
from vtarget.shell.runoptions import RunOptions

# Kind of site, block, instruction, class.
Counts = Counter[tuple[SiteKind, Block, int, int]]
Ranges = dict[tuple[Block, int], tuple[int, int]]


@dataclass
class Passage:
    """A block that executed, and the lowest and highest address that each of its instructions accessed."""

    block: Block
    accessed: dict[int, tuple[int, int]] = field(default_factory=dict)


def traced(
    path: Path, board: Board, instructions: int, prepare: Callable[[Machine], None] = lambda _machine: None
) -> tuple[list[Passage], ExecutionRecord]:
    """What Python hooks of the emulator see of a run, and the run's record. (Hooks of memory would do, too, but the
    emulator leaves some accesses out of them that follow unaligned ones.)"""
    options = RunOptions(limits=RunLimits(instructions=instructions))
    machine = Machine(load_image(str(path)), pricer_for(board), options)
    prepare(machine)
    uc, passages = machine.engine.uc, []

    def on_block(_uc: Any, address: int, size: int, _data: Any) -> None:
        passages.append(Passage(Block(address, bytes(uc.mem_read(address, size)))))

    def on_code(_uc: Any, address: int, _size: int, _data: Any) -> None:
        block = passages[-1].block
        index = block.addresses.index(address)
        insn = block.insns[index]
        if not insn.access_bytes:
            return
        low = effective_address(insn, address, uc.reg_read_batch(REGISTERS))
        if low is not None:
            passages[-1].accessed[index] = low, low + insn.access_bytes * max(insn.register_count, 1) - 1

    uc.hook_add(uni.UC_HOOK_BLOCK, on_block)
    uc.hook_add(uni.UC_HOOK_CODE, on_code)
    return passages, machine.run().record


class CacheModel:
    """One cache. A set is a list of lines: by age for LRU, else by way."""

    def __init__(self, unit: Cache) -> None:
        assert unit.size is not None and unit.line is not None and unit.ways is not None
        self.unit = unit
        self.ways = unit.ways
        self.sets: list[list[int]] = [[] for _ in range(unit.size // unit.line // unit.ways)]
        self.turns = [0] * len(self.sets)
        self.random = 2463534242

    def lines(self, low: int, high: int) -> range:
        assert self.unit.line is not None
        return range(low // self.unit.line, high // self.unit.line + 1)

    def look_up(self, line: int, *, take: bool = True) -> bool:
        """Whether the line is there; if not, it is from now on, if ``take``."""
        lines = self.sets[line % len(self.sets)]
        if line in lines:
            if self.unit.replacement == "lru":
                lines.remove(line)
                lines.append(line)
            return True
        if take:
            self._take(lines, line)
        return False

    def _take(self, lines: list[int], line: int) -> None:
        if self.unit.replacement == "lru":
            lines.append(line)
            del lines[: -self.ways]
        elif len(lines) < self.ways:
            lines.append(line)
        elif self.unit.replacement == "round_robin":
            number = next(n for n, each in enumerate(self.sets) if each is lines)
            lines[self.turns[number]] = line
            self.turns[number] = (self.turns[number] + 1) % self.ways
        else:  # Marsaglia's xorshift32
            for shift in (13, -17, 5):
                moved = self.random << shift if shift > 0 else self.random >> -shift
                self.random = (self.random ^ moved) & 0xFFFFFFFF
            lines[self.random % self.ways] = line


class Replay:
    """Replays passages on a board; ``counts`` and ``ranges`` are what a record of them should say."""

    def __init__(self, board: Board, passages: list[Passage]) -> None:
        self.board = board
        self.model = pricer_for(board).model
        self.caches = {unit.name: CacheModel(unit) for unit in board.caches}
        self.ways = {
            region.name: (instruction_cache(board, region), zone_number(board, region), data_cache(board, region))
            for region in board.regions
        }
        self.counts: Counts = Counter()
        self.ranges: Ranges = {}
        self.last = ("", -1)
        self.foretold: dict[Block, list[Access]] = {}
        for passage in passages:
            self._fetch(passage.block)
            for access in self._in_order(passage.block):
                if access.index in passage.accessed:
                    self._access(passage.block, access, *passage.accessed[access.index])
            for index in self.model.pipelined(passage.block):
                load, behind = (self._memory(passage.accessed[i][0]) for i in (index - 1, index))
                self.counts[SiteKind.DATA, passage.block, index, CHANGED] += load != behind

    def _memory(self, address: int) -> str:
        region = self.board.region_at(address)
        assert region is not None
        return region.alias_of or region.name

    def _in_order(self, block: Block) -> list[Access]:
        if block not in self.foretold:
            self.foretold[block] = sorted(accesses(block, shared=True), key=lambda a: a.point)
        return self.foretold[block]

    def _fetch(self, block: Block) -> None:
        region = self.board.region_at(block.address)
        unit = self.ways[region.name][0] if region else None
        if unit is None:
            return
        cache = self.caches[unit.name]
        for line in cache.lines(block.address, block.address + block.size - 1):
            if self.last == (unit.name, line):
                cache.look_up(line, take=False)
            elif not cache.look_up(line, take=self.last != (unit.name, line - 1) or not self._passes(unit)):
                assert unit.line is not None
                insns = zip(block.addresses, block.insns, strict=True)
                index = next(i for i, (at, insn) in enumerate(insns) if at + insn.size > line * unit.line)
                in_sequence = self.last == (unit.name, line - 1)
                self.counts[SiteKind.FETCH, block, index, 2 if in_sequence else 1] += 1
            self.last = (unit.name, line)

    def _passes(self, unit: Cache) -> bool:
        buffers = [self.board.region(name).prefetch for name in unit.regions]
        return unit.fills == "misses" and any(buffer is not None and buffer.typical for buffer in buffers)

    def _access(self, block: Block, access: Access, low: int, high: int) -> None:
        key, insn = (SiteKind.DATA, block, access.index), block.insns[access.index]
        before = self.ranges.get((block, access.index), (low, high))
        self.ranges[block, access.index] = min(low, before[0]), max(high, before[1])
        if insn.kind in (Kind.LOAD, Kind.STORE):
            self.counts[*key, 1] += {(2, 1): 1, (4, 1): 2, (4, 2): 1, (4, 3): 2, (2, 3): 1}.get(
                (insn.access_bytes, low % 4), 0
            )
        region = self.board.region_at(low)
        _, zone, unit = self.ways[region.name] if region else (None, 0, None)
        if unit is None or not zone or (access.write and unit.write == "around"):
            self.counts[*key, 2 * zone] += zone > 0
            return
        cache = self.caches[unit.name]
        for line in cache.lines(low, high):
            hit = cache.look_up(line, take=not access.write or unit.write == "back")
            self.counts[*key, 2 * zone + (not hit)] += 1


def counted(record: ExecutionRecord) -> tuple[Counts, Ranges]:
    """What a record says, over all contexts."""
    counts: Counts = Counter()
    ranges: Ranges = {}
    blocks = [Block(int(a), c) for a, c in zip(record.block_address, record.block_code, strict=True)]
    for row, (node, index) in enumerate(zip(record.site_node.tolist(), record.site_insn.tolist(), strict=True)):
        kind, block = SiteKind(record.site_kind[row]), blocks[record.node_block[node]]
        if kind is not SiteKind.OPERANDS:
            counts.update({(kind, block, index, n): int(c) for n, c in enumerate(record.site_counts[row])})
        low, high = int(record.site_low[row]), int(record.site_high[row])
        if high >= 0:
            before = ranges.get((block, index), (low, high))
            ranges[block, index] = min(low, before[0]), max(high, before[1])
    return +counts, ranges

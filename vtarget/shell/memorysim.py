"""Memory as a run finds it: what the nodes fetch and access, for native code to follow (``native.memory``).

A node lists the lines of its block, and its loads and stores with addresses as sums of registers at its entry
(``logic.addresses``); only those that can't be foretold have a hook of the emulator at their instruction. What an
access finds is an event of a site. Its class is a zone's (``logic.zones``) hit or miss, an unaligned transfer, a change
of memory behind a load, or a fetched line's miss.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vtarget.data.board import Board, Region
from vtarget.data.insn import Kind
from vtarget.data.memorysystem import Cache
from vtarget.data.record import SiteKind
from vtarget.logic.addresses import Access, accesses
from vtarget.logic.decode import Block
from vtarget.logic.memory_cost import MemoryModel
from vtarget.logic.zones import (
    data_cache,
    fingerprint,
    instruction_cache,
    memory_number,
    needs_data,
    zone_number,
    zones,
)
from vtarget.shell import layout
from vtarget.shell.calls import Node
from vtarget.shell.engine import REGISTERS, Engine
from vtarget.shell.sites import Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

POLICIES = {"lru": layout.LRU, "round_robin": layout.ROUND_ROBIN, "random": layout.RANDOM}
SINGLE = frozenset({Kind.LOAD, Kind.STORE})  # whose unaligned accesses take more transfers


def needs_following(board: Board) -> bool:
    """Whether fetches or data accesses have to be followed on this board."""
    return needs_data(board) or any(unit.simulated and unit.holds != "data" for unit in board.caches)


class MemorySim:
    """The caches and zones of one run, and the lists of what its nodes do to them."""

    def __init__(self, memory: MemoryModel, engine: Engine, words: NDArray[np.int64], sites: Sites) -> None:
        self._board = memory.board
        self._needs_data = needs_data(memory.board)
        self._words = words
        self._sites = sites
        self._next = layout.MEMORY
        self._accesses: dict[Block, tuple[Access, ...]] = {}
        self._zone_table = layout.new_zone_table()
        self._base = int(words.ctypes.data)
        self._absent = self._base + 8 * layout.H_NO_REGISTER
        self._registers = self._find_registers(engine)
        self._offsets = {unit.name: self._add_cache(unit) for unit in self._simulated}
        self._map_zones()
        for unit in self._simulated:
            self._turn(unit, memory.is_on(unit.switch, unit.typical))
            self._words[self._offsets[unit.name] + layout.C_PASSES] = any(map(memory.prefetches, self._passing(unit)))

    def _passing(self, unit: Cache) -> tuple[Region, ...]:
        """The regions whose prefetched lines don't go into a cache."""
        return tuple(map(self._board.region, unit.regions)) if unit.fills == "misses" else ()

    @cached_property
    def _simulated(self) -> tuple[Cache, ...]:
        return tuple(unit for unit in self._board.caches if unit.simulated)

    @property
    def zones(self) -> tuple[tuple[str, ...], ...]:
        """Names of the regions that data accesses are counted by."""
        return zones(self._board)

    @property
    def caches(self) -> tuple[str, ...]:
        """Fingerprints of the caches that are followed."""
        return tuple(fingerprint(unit) for unit in self._simulated)

    # Set-up.

    def _find_registers(self, engine: Engine) -> int:
        """The address of r0..r15: the emulator's own, or else of copies that native code makes."""
        found = engine.register_file()
        if found is not None:
            return found
        self._words[layout.H_COPY_REGISTERS] = 1
        self._words[layout.H_REGISTER_IDS : layout.H_REGISTER_IDS + len(REGISTERS)] = REGISTERS
        return self._base + 8 * layout.H_REGISTERS

    def _allocate(self, count: int) -> int:
        first = self._next
        self._next += count
        if self._next > layout.BRANCHES:
            raise MemoryError("more memory accesses than the recorder has room for")
        return first

    def _add_cache(self, unit: Cache) -> int:
        assert unit.size is not None and unit.line is not None and unit.ways is not None
        words, lines = self._words, unit.size // unit.line
        sets = lines // unit.ways
        cache = self._allocate(layout.CACHE_WORDS)
        words[cache + layout.C_SET_MASK], words[cache + layout.C_WAYS] = sets - 1, unit.ways
        words[cache + layout.C_POLICY] = POLICIES[unit.replacement]
        words[cache + layout.C_LINES] = lines
        words[cache + layout.C_PLACES] = self._allocate(2 * lines)
        state = words[cache + layout.C_STATE] = self._allocate(sets)
        if unit.replacement == "random":
            words[state] = layout.RANDOM_SEED
        words[cache + layout.C_SHIFT] = unit.line.bit_length() - 1
        words[cache + layout.C_NUMBER] = 1 + self._simulated.index(unit) << layout.LINE_BITS
        words[cache + layout.C_FETCHES] = unit.holds != "data"
        words[cache + layout.C_STORES_TAKE] = unit.write == "back"
        return cache

    def _map_zones(self) -> None:
        for region in self._board.regions:
            first, end = region.base >> layout.ZONE_PAGE_BITS, -(-region.end >> layout.ZONE_PAGE_BITS)
            memory = memory_number(self._board, region) << layout.ZONE_BITS
            self._zone_table[first:end] = zone_number(self._board, region) | memory
        self._words[layout.H_ZONE_TABLE] = self._zone_table.ctypes.data

    # Switches.

    def set_switch(self, name: str, on: bool) -> None:
        """The firmware switched what the board calls ``name``: a cache that comes on or goes off is empty."""
        for unit in self._simulated:
            if unit.switch == name and on != bool(self._words[self._offsets[unit.name] + layout.C_ENABLED]):
                self._turn(unit, on)
            for region in self._passing(unit):
                if region.prefetch is not None and region.prefetch.switch == name:
                    self._words[self._offsets[unit.name] + layout.C_PASSES] = on

    def invalidate(self, switch: str, address: int | None = None, way: int | None = None) -> None:
        """The firmware emptied the caches with this switch: all of them, the line at ``address``, or that of ``way`` in
        the set that ``address`` falls into. Write-backs take no time."""
        for unit in self._simulated:
            if unit.switch == switch:
                self._empty(unit, self._places(self._offsets[unit.name], address, way))

    def _places(self, cache: int, address: int | None, way: int | None) -> NDArray[np.int64]:
        """The places of a cache that an invalidation means."""
        words = self._words
        first, lines, ways = (int(words[cache + word]) for word in (layout.C_PLACES, layout.C_LINES, layout.C_WAYS))
        if address is None:
            return np.arange(first, first + lines)
        line = address >> int(words[cache + layout.C_SHIFT])
        start = first + (line & int(words[cache + layout.C_SET_MASK])) * ways
        places = np.arange(start, start + ways)
        if way is not None:
            return places[way : way + 1]
        held: NDArray[np.int64] = places[words[places] == (line | int(words[cache + layout.C_NUMBER]))]
        return held

    def _empty(self, unit: Cache, places: NDArray[np.int64]) -> None:
        """Take lines out. What is known of when the rest of an instruction cache was used last is lost with them."""
        words, cache = self._words, self._offsets[unit.name]
        words[places] = words[places + words[cache + layout.C_LINES]] = 0
        if unit.holds != "data" and len(places):
            waiting = words[layout.TOUCHED : layout.TOUCHED + int(words[layout.H_TOUCHED])]
            kept = waiting[words[waiting + layout.V_CACHE] != cache]
            words[layout.TOUCHED : layout.TOUCHED + len(kept)] = kept
            words[layout.H_TOUCHED] = len(kept)
            words[layout.H_VERSION] += 1

    def _turn(self, unit: Cache, on: bool) -> None:
        words, cache = self._words, self._offsets[unit.name]
        words[cache + layout.C_ENABLED] = on
        self._empty(unit, self._places(cache, None, None))
        for number, names in enumerate(self.zones, start=1):
            if data_cache(self._board, self._board.region(names[0])) is unit:
                word = layout.H_CACHES + number
                words[word] = cache if on else 0
                words[word + layout.STORES] = cache if on and unit.write != "around" else 0

    # Nodes.

    def unpredictable(self, block: Block) -> tuple[int, ...]:
        """The instructions of a block before which registers tell where accesses go, that don't at its entry."""
        points = (access.point for access in self._accesses_of(block) if not access.at_entry)
        return tuple(dict.fromkeys(block.addresses[point] for point in points))

    def _accesses_of(self, block: Block) -> tuple[Access, ...]:
        if not self._needs_data:
            return ()
        found = self._accesses.get(block)
        if found is None:
            found = self._accesses[block] = accesses(block, shared=True)
        return found

    def add(self, node: Node) -> None:
        """Write what a new node fetches and accesses."""
        words, found = self._words, self._accesses_of(node.block)
        words[node.offset + layout.N_FETCH] = self._add_fetch(node)
        words[node.offset + layout.N_ACCESSES] = self._add_accesses(node, [a for a in found if a.at_entry])
        later = sorted((a for a in found if not a.at_entry), key=lambda access: access.point)
        words[node.offset + layout.N_HOOKED] = self._add_accesses(node, later)
        if self._needs_data:
            self._add_pairs(node, [access for access in found if access.at_entry], later)

    def _add_fetch(self, node: Node) -> int:
        region = self._board.region_at(node.block.address)
        unit = instruction_cache(self._board, region) if region is not None else None
        if unit is None or not unit.simulated or not node.block.insns:
            return 0
        words, cache, block = self._words, self._offsets[unit.name], node.block
        shift, number = int(words[cache + layout.C_SHIFT]), int(words[cache + layout.C_NUMBER])
        first, last = block.address >> shift, block.address + block.size - 1 >> shift
        count = last - first + 1
        record = self._allocate(layout.V_LINES + count * layout.LINE_WORDS)
        words[record + layout.V_VERSION], words[record + layout.V_LAST] = -1, last | number
        words[record + layout.V_COUNT], words[record + layout.V_CACHE] = count, cache
        for line in range(first, last + 1):
            entry = record + layout.V_LINES + (line - first) * layout.LINE_WORDS
            words[entry + layout.L_LINE] = line | number
            words[entry + layout.L_SITE] = self._sites.add(node, _instruction_in(block, line << shift), SiteKind.FETCH)
            words[entry + layout.L_PLACE] = layout.H_NO_LINE
        return record

    def _add_accesses(self, node: Node, found: list[Access]) -> int:
        if not found:
            return 0
        first = self._allocate(1 + len(found) * layout.ACCESS_WORDS)
        self._words[first] = len(found)
        for position, access in enumerate(found):
            entry = first + 1 + position * layout.ACCESS_WORDS
            insn = node.block.insns[access.index]
            self._words[entry : entry + layout.ACCESS_WORDS] = (
                self._register(access.base),
                self._register(access.register),
                access.shift,
                access.offset,
                access.size_bytes - 1,
                insn.access_bytes - 1 if insn.kind in SINGLE else 0,
                layout.STORES if access.write else 0,
                self._sites.add(node, access.index, SiteKind.DATA),
                layout.H_NO_LINE,
                0 if access.at_entry else node.block.addresses[access.point],
                0,
                0,
                0,
            )
        return first

    def _add_pairs(self, node: Node, early: list[Access], later: list[Access]) -> None:
        """Write which accesses may pipeline behind the load before them; whoever is looked at last compares both."""
        entry_of = {}
        for word, found in ((layout.N_ACCESSES, early), (layout.N_HOOKED, later)):
            first = int(self._words[node.offset + word]) + 1
            for position, access in enumerate(found):
                entry_of[access.index] = (first + position * layout.ACCESS_WORDS, access.point)
        for index in self._sites.pipelined(node.block):
            (load, load_point), (behind, point) = entry_of[index - 1], entry_of[index]
            if point < load_point:
                self._words[load + layout.A_AFTER] = behind
            else:
                self._words[behind + layout.A_BEFORE] = load

    def _register(self, number: int) -> int:
        return self._absent if number < 0 else self._registers + 4 * number


def _instruction_in(block: Block, line: int) -> int:
    """The first instruction that stands in a line, at least with its end."""
    ends = (a + insn.size for a, insn in zip(block.addresses, block.insns, strict=True))
    return next(index for index, end in enumerate(ends) if end > line)

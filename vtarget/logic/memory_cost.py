"""What memory adds to the core's own cycles: wait states, what caches miss, and bounds where nobody published more.

A record that is priced for a board whose caches the run didn't follow gets wider bounds, and a note that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import NamedTuple

from vtarget.data.board import Board, Region
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.insn import ALWAYS, Insn, Kind
from vtarget.data.memorysystem import Amount, Burst, Cache, FetchAccess, Wait
from vtarget.logic.bursts import Bursts, Passage
from vtarget.logic.cost.readahead import Interface
from vtarget.logic.zones import SEQUENCE_MISS, data_cache, instruction_cache, real_region

FETCH_BITS_DEFAULT = 32
WORD_BYTES = 4

# Measured on vendor inference images running from wait-stated flash behind a cache: a model without wait states is
# 6 % to 27 % low, worst where weights stream from flash; small cached kernels are within 0.3 % (core_timing facts, 9).
UNSIMULATED_HIGH_PCT = 30.0
# Execution from serial flash behind a cache whose miss cost nobody published; the width is our assumption.
UNKNOWN_HIGH_PCT = 60.0

MULTIPLE = frozenset(
    {
        Kind.LOAD_MULTIPLE,
        Kind.LOAD_PAIR,
        Kind.FP_LOAD_MULTIPLE,
        Kind.STORE_MULTIPLE,
        Kind.STORE_PAIR,
        Kind.FP_STORE_MULTIPLE,
    }
)
STORES = frozenset(
    {
        Kind.STORE,
        Kind.STORE_PAIR,
        Kind.STORE_MULTIPLE,
        Kind.STORE_EXCLUSIVE,
        Kind.FP_STORE,
        Kind.FP_STORE_MULTIPLE,
    }
)
LOADS = frozenset({Kind.LOAD, Kind.FP_LOAD})


def behind_partial_store(insn: Insn, before: Insn | None) -> bool:
    """Whether ``insn``, which accesses memory, loads right behind a store of a byte or halfword that executes if it
    does."""
    if before is None or before.kind is not Kind.STORE or insn.kind in STORES:
        return False
    return before.access_bytes < WORD_BYTES and before.condition in (ALWAYS, insn.condition)


def wait_states(region: Region, clock_hz: int) -> int | None:
    """Core cycles that ``region`` makes an access wait at ``clock_hz``; None if unknown.

    A clock beyond the table takes its last step.
    """
    states = region.wait_states
    if states is None:
        return 0
    if states.unknown:
        return None
    for step in states.table:
        if clock_hz <= step.max_clock * states.clock_divider:
            return step.wait_states * states.clock_divider
    return states.table[-1].wait_states * states.clock_divider


@dataclass(frozen=True)
class Moved:
    """What lies at ``low`` .. ``high`` (excluded) is priced as if it lay in ``region``."""

    low: int
    high: int
    region: str


class _Reads(NamedTuple):
    """How a region's lines are read: wait states, whether the next line is, and from what if that is followed."""

    waits: int | None
    prefetches: bool
    ahead: Interface | None


@dataclass(frozen=True)
class MemoryModel:
    """Memory of one board at one clock, with what is supposed to lie elsewhere (``placement``).

    ``programmed`` wait states and ``switches`` (caches and prefetch buffers, on or off) are those that the firmware
    set. ``caches_on`` overrides every switch. ``simulated`` tells whether the run to be priced followed the caches.
    """

    board: Board
    clock_hz: int
    placement: tuple[Moved, ...] = ()
    wait_states_override: int | None = None
    programmed: tuple[tuple[str, int], ...] = ()
    switches: tuple[tuple[str, bool], ...] = ()
    caches_on: bool | None = None
    simulated: bool = True

    def region(self, address: int) -> Region | None:
        """The region that what lies at ``address`` is priced in."""
        known = self._regions
        if address not in known:
            known[address] = self.moved(address, address) or self.board.region_at(address)
        return known[address]

    # What was asked for once is asked for often.

    @cached_property
    def _regions(self) -> dict[int, Region | None]:
        return {}

    @cached_property
    def _caches(self) -> dict[tuple[str, bool], Cache | None]:
        return {}

    @cached_property
    def _reads(self) -> dict[str, _Reads]:
        return {}

    @cached_property
    def _accesses(self) -> dict[tuple[Kind, int, bool, bool, str, bool], Cycles]:
        return {}

    def moved(self, low: int, high: int) -> Region | None:
        """The region that all of ``low`` .. ``high`` (included) is supposed to lie in, if it is another."""
        for moved in self.placement:
            if moved.low <= low and high < moved.high:
                return self.board.region(moved.region)
        return None

    def waits(self, region: Region) -> int | None:
        """Wait states of ``region`` in core cycles at this clock, or the override for regions that have any."""
        return self._reads_of(region).waits

    def _reads_of(self, region: Region) -> _Reads:
        found = self._reads.get(region.name)
        if found is None:
            unit, waits = real_region(self.board, region).prefetch, self._waits(region)
            on = unit is not None and self.is_on(unit.switch, unit.typical)
            ahead = Interface(waits, unit.line) if on and unit is not None and unit.blocks and waits else None
            found = self._reads[region.name] = _Reads(waits, on, ahead)
        return found

    def _waits(self, region: Region) -> int | None:
        if self.wait_states_override is not None and not region.writable:
            return self.wait_states_override
        real = real_region(self.board, region)
        for name, waits in self.programmed:
            if name in (region.name, real.name):
                return waits * (real.wait_states.clock_divider if real.wait_states is not None else 1)
        return wait_states(real, self.clock_hz)

    def is_on(self, switch: str | None, typical: bool) -> bool:
        """Whether a cache or a prefetch buffer works."""
        if self.caches_on is not None:
            return self.caches_on
        return dict(self.switches).get(switch or "", typical)

    def instruction_cache(self, region: Region) -> Cache | None:
        """The cache in force for instructions of ``region``."""
        return self._in_force(region, instructions=True)

    def data_cache(self, region: Region) -> Cache | None:
        """The cache in force for loads from ``region``."""
        return self._in_force(region, instructions=False)

    def _in_force(self, region: Region, *, instructions: bool) -> Cache | None:
        key = (region.name, instructions)
        if key not in self._caches:
            unit = instruction_cache(self.board, region) if instructions else data_cache(self.board, region)
            on = unit is not None and self.is_on(unit.switch, unit.typical)
            self._caches[key] = unit if on else None
        return self._caches[key]

    def prefetches(self, region: Region) -> bool:
        """Whether the next line of ``region`` is read while one executes."""
        return self._reads_of(region).prefetches

    def read_ahead(self, region: Region) -> Interface | None:
        """The flash behind a buffer that is known to hold the line fetched from and the next one; None if ``region``
        has none that is on, or no wait states."""
        return self._reads_of(region).ahead

    def stall(
        self,
        address: int,
        size_bytes: int,
        before: int | None,
        jumped: bool,
        cycles_per_byte: Callable[[], float],
        transfers: Callable[[], int] = lambda: 0,
        source: Callable[[], Passage] | None = None,
    ) -> Cycles:
        """Fetch stalls of a block where no cache is in front: each new line costs the region's wait states, or what
        its bus takes.

        ``before`` is the last address fetched before it; the line that holds it is there still. A buffer reads the next
        line while the core takes ``cycles_per_byte`` for the one before. What a jump costs at least isn't known: the
        interface may hold more than the last line. ``transfers`` is how often the block's loads and stores take a bus.
        """
        region = self.region(address)
        if region is None or self.instruction_cache(region) is not None:
            return NO_CYCLES
        waits, access = self.waits(region), region.fetch_access
        if not waits and access is None:
            return NO_CYCLES
        line_bytes = (real_region(self.board, region).fetch_bits or FETCH_BITS_DEFAULT) // 8
        if access is not None and access.burst is not None:
            at = address if before is None else before
            come = source() if source is not None else Passage(at, at, 0.0)
            target = Passage(address, address + size_bytes - 1, cycles_per_byte())
            return _burst_waits(access, access.burst, waits or 0, line_bytes, come, target, jumped)
        first, last = address // line_bytes, (address + size_bytes - 1) // line_bytes
        new = 0 if before is not None and before // line_bytes == first else 1
        after_jump = new if jumped else 0
        following = last - first + new - after_jump
        if not waits:
            assert access is not None
            core_cycles = cycles_per_byte() * size_bytes if access.shared else 0.0
            return _bus_wait(access, after_jump, following, core_cycles, transfers() if access.shared else 0)
        most = (after_jump + following) * waits
        if not self.prefetches(region):
            return Cycles(following * waits, most, most)
        pace = cycles_per_byte()
        shown = _unhidden(waits, pace * line_bytes) * following
        if after_jump and following:  # of the line that was jumped into, only what lies behind the target executes
            left = (first + 1) * line_bytes - address
            shown += _unhidden(waits, pace * left) - _unhidden(waits, pace * line_bytes)
        return Cycles(0, after_jump * waits + round(shown), most)

    def wrong_path(self, address: int, penalty: Cycles) -> Cycles:
        """What a misprediction of the branch at ``address`` adds to its ``penalty`` where fetches come in bursts: one
        that was begun meanwhile has to end. Half of the branches are taken to have one under way."""
        region = self.region(address)
        if region is None or region.fetch_access is None or self.instruction_cache(region) is not None:
            return NO_CYCLES
        burst, first = region.fetch_access.burst, region.fetch_access.cycles
        if burst is None:
            return NO_CYCLES
        lines = burst.size * 8 // (region.fetch_bits or FETCH_BITS_DEFAULT)
        rest = (self.waits(region) or 0) + (lines - 1) * burst.beat
        shown = max(0.0, rest + first.nominal - penalty.nominal) / 2
        return Cycles(0, round(shown), max(round(shown), ceil(rest + first.bounds[2] - penalty.low)))

    def fetched(self, region: Region, event: int, line_cycles: float) -> Cycles:
        """One line missed in the instruction cache; ``line_cycles`` is what the core took for the line before."""
        unit = self.instruction_cache(region)
        if unit is None or not self.simulated:
            return NO_CYCLES
        cost = self._wait(unit.miss, region)
        if event != SEQUENCE_MISS or not self.prefetches(region):
            return cost
        shown = min(cost.nominal, max(0, round(cost.nominal + 1 - line_cycles)))
        return Cycles(min(shown, max(0, cost.low - 2 * floor(line_cycles))), shown, cost.high)

    def data(self, insn: Insn, before: Insn | None, region: Region, *, missed: bool) -> Cycles:
        """What one load or store of ``region`` (for a cache: one line of it) adds to the core's own cycles."""
        behind_load = before is not None and before.kind in LOADS
        key = (insn.kind, insn.register_count, behind_load, behind_partial_store(insn, before), region.name, missed)
        found = self._accesses.get(key)
        if found is None:
            found = self._accesses[key] = self._access(insn, before, region, missed)
        return found

    def data_alike(self, region: Region, *, missed: bool) -> Cycles | None:
        """What ``data`` says of every load and store; None if that depends on the instruction."""
        unit = self.data_cache(region)
        if unit is None:
            free = not self.waits(region) and real_region(self.board, region).data_access is None
            return NO_CYCLES if free else None
        return self._cached(unit, region, missed) if unit.write != "around" else None

    def _cached(self, unit: Cache, region: Region, missed: bool) -> Cycles:
        return self._wait(unit.miss, region) if missed and self.simulated else NO_CYCLES

    def _access(self, insn: Insn, before: Insn | None, region: Region, missed: bool) -> Cycles:
        unit = self.data_cache(region)
        store = insn.kind in STORES
        if unit is not None and (unit.write != "around" or not store):
            return self._cached(unit, region, missed)
        waits = self.waits(region) or 0
        words = 1 if store else max(1, insn.register_count)
        total = Cycles(0 if store else words * waits, words * waits, words * waits)
        extra = real_region(self.board, region).data_access
        if extra is None:
            return total
        if store:
            amount = extra.store
        elif insn.kind in MULTIPLE:
            amount = extra.multiple
        else:
            amount = extra.next_load if before is not None and before.kind in LOADS else extra.load
        total += _cycles(amount)
        return total + _cycles(extra.load_behind_partial_store) if behind_partial_store(insn, before) else total

    def _wait(self, wait: Wait, region: Region) -> Cycles:
        waits = self.waits(region) or 0
        if not waits and wait.waits.nominal:
            return NO_CYCLES  # what takes no longer than a hit
        bounds = (a * waits + b for a, b in zip(wait.waits.bounds, wait.cycles.bounds, strict=True))
        low, nominal, high = bounds
        return Cycles(floor(low), round(nominal), ceil(high))

    @property
    def what_if(self) -> bool:
        """Whether this prices something else than the board as described."""
        return bool(self.placement) or self.wait_states_override is not None or self.caches_on is not None

    def region_name(self, address: int) -> str | None:
        """Name of the region that code at ``address`` is priced in."""
        region = self.region(address)
        return region.name if region else None

    def notes(self, region: Region) -> list[str]:
        """What this model leaves out for code that executes from ``region``."""
        pct = high_budget_pct(self, region)
        if not pct:
            return []
        if self.waits(region) is None and not self.caches(region):
            return [f"{region.name}: access time unknown, priced without wait states (bound +{pct:g} %)"]
        guessed = [unit.name for unit in self.caches(region) if not unit.simulated]
        if guessed:
            return [f"{region.name}: misses of {' and '.join(guessed)} aren't counted (bound +{pct:g} %)"]
        return [f"{region.name}: the run didn't watch this board's caches and data accesses (bound +{pct:g} %)"]

    def caches(self, region: Region) -> list[Cache]:
        """The caches in force for instructions and data of ``region``."""
        units = (self.instruction_cache(region), self.data_cache(region))
        return list(dict.fromkeys(unit for unit in units if unit is not None))


def _bus_wait(access: FetchAccess, after_jump: int, following: int, core_cycles: float, transfers: int) -> Cycles:
    """What shows of the fetches of a block over a slow bus, ``after_jump`` lines (0 or 1) and those ``following``.

    On a shared bus the core, which takes ``core_cycles`` and a cycle of refill for a jump, waits for what fetches and
    ``transfers`` of data don't find room for, and after a jump for its first line in any case. A core that doesn't
    fetch ahead waits for each line.
    """
    lines = after_jump + following
    low, nominal, high = access.cycles.bounds
    if not access.shared:
        return Cycles(floor(following * low), round(lines * nominal), ceil(lines * high))
    beyond = lines * (1 + nominal) + transfers - core_cycles - after_jump
    shown = round(max(after_jump * nominal, beyond))
    most = max(shown, ceil(lines * high + transfers))
    return Cycles(min(shown, floor(after_jump * low)), shown, most)


def _burst_waits(
    access: FetchAccess, burst: Burst, waits: int, line_bytes: int, source: Passage, target: Passage, jumped: bool
) -> Cycles:
    """What shows of fetches in bursts. A burst is there until the next; at worst nothing is kept or fetched ahead."""
    low, nominal, high = (Bursts(first + waits, burst.beat, line_bytes, burst.size) for first in access.cycles.bounds)
    shown = round(nominal.waits(source, target, jumped=jumped, kept=True))
    least = low.waits(source, target, jumped=jumped, kept=True)
    most = high.waits(source, target, jumped=jumped, kept=False, hidden=False)
    return Cycles(min(shown, floor(least)), shown, max(shown, ceil(most)))


def _cycles(amount: Amount) -> Cycles:
    low, nominal, high = amount.bounds
    return Cycles(floor(low), round(nominal), ceil(high))


def high_budget_pct(memory: MemoryModel, region: Region) -> float:
    """By how many percent execution from ``region`` may exceed the counted cycles because of what isn't modelled."""
    units, waits = memory.caches(region), memory.waits(region)
    guessed = not memory.simulated or not all(unit.simulated for unit in units)
    if waits is None and (guessed or not units):
        return UNKNOWN_HIGH_PCT
    slow = bool(waits) or any(unit.miss.cycles.nominal for unit in units)
    return UNSIMULATED_HIGH_PCT if guessed and slow else 0.0


def _unhidden(waits: int, cycles: float) -> float:
    """What is left to wait of a read that began ``cycles`` ago, with the line before."""
    return min(waits, max(0.0, waits + 1 - cycles))

"""Loads that come right behind a store to the same address: the latency from the one to the other.

What a store leaves in memory is a result like what others leave in registers: the store has a bit of its own, behind
those of the registers, which the loads that read its bytes wait for. That both go to the same address is known where
they have it from the same registers, which may only be moved by constants in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vtarget.data.core import Core, Latency
from vtarget.data.insn import FLAGS, SP, Insn, Kind
from vtarget.logic import isa
from vtarget.logic.addresses import base_growth
from vtarget.logic.cost.lane import Pending, State
from vtarget.logic.cost.latency import BOUNDS, NOMINAL, ByBound
from vtarget.logic.cost.steps import Step, Steps

_FIRST = FLAGS.bit_length()
_BITS = 16  # a store's bit is free again when so many instructions have issued
_WIDTH = 2  # instructions a cycle
_WORD = 4
_STORES = frozenset({Kind.STORE, Kind.STORE_PAIR, Kind.STORE_MULTIPLE, Kind.FP_STORE, Kind.FP_STORE_MULTIPLE})
_LOADS = frozenset({Kind.LOAD, Kind.LOAD_PAIR, Kind.LOAD_MULTIPLE, Kind.FP_LOAD, Kind.FP_LOAD_MULTIPLE})
_DIVIDE = Kind.DIVIDE  # looking up the member of an enum takes a while
_NEAR = len(BOUNDS)
_make = tuple.__new__  # half of the time that making a named tuple takes by its name


class Accessed(NamedTuple):
    """What the instruction number ``at`` of a block accesses: behind R[base] + (R[index_register] << shift), the
    latter -1 if there is none, from ``start`` up to ``end``. ``multiple``: an LDM, a PUSH or the like."""

    at: int
    base: int
    index_register: int
    shift: int
    start: int
    end: int
    multiple: bool


class Reads(NamedTuple):
    """The bits of stores that a load waits for: those of which it reads a byte, and those ``near``, to other bytes or
    where one of both is multiple."""

    written: int
    near: int


Loads = dict[int, Reads]  # by index of the load


class Traced(NamedTuple):
    """What stores and loads of a block have to do with each other: the bits of stores that a load waits for and those
    loads, by index, and the stores that are ``left`` in the end, as the registers tell then."""

    stores: Mapping[int, int]
    loads: Loads
    left: Sequence[Accessed]


class Left(NamedTuple):
    """A store whose block was left soon after, and when it issued, at each bound."""

    store: Accessed
    made: ByBound


_NOTHING = Traced({}, {}, ())


class StoreRule:
    """What a core's file says of loads behind stores; false if it says nothing."""

    def __init__(self, core: Core) -> None:
        rows = (core.latency.get(row) for row in (Latency.STORE_TO_LOAD, Latency.STORE_TO_LOAD_NEARBY))
        self._written, self._near = (figure.cycles.bounds if figure is not None else (0, 0, 0) for figure in rows)
        self._latencies = (*self._written, *self._near)
        self.longest = max(self._latencies)
        self._reach = _WIDTH * self.longest

    def __bool__(self) -> bool:
        return self.longest > 0

    def trace(self, insns: Sequence[Insn], skipped: frozenset[int]) -> Traced:
        """Of a block's instructions, those ``skipped`` not executed."""
        stores = [at for at, insn in enumerate(insns) if insn.address is not None and insn.kind in _STORES]
        if not stores:
            return _NOTHING
        loads: Loads = {}
        bits: dict[int, int] = {}
        left: list[Accessed] = []
        for at in stores:
            if at in skipped:
                continue
            bit, last = 1 << _FIRST + at % _BITS, at + self._reach
            insn = insns[at]
            store: Accessed | None = _accessed(at, insn)
            if store is not None and insn.writeback:
                store = _growing(store, insn)
            if store is not None:
                store = _follow(store, bit, insns, range(at + 1, min(last, len(insns))), skipped, loads)
            if store is not None and last > len(insns):
                left.append(store)
            if loads and any(bit & (reads.written | reads.near) for reads in loads.values()):
                bits[at] = bit
        return Traced(bits, loads, left)

    def behind(self, left: Sequence[Left], insns: Sequence[Insn], skipped: frozenset[int]) -> Loads:
        """Which of the first instructions of a block wait for stores of the one before. Their bits are others than
        those of the block's own."""
        found: Loads = {}
        for store, _ in left:
            _follow(store, _bit_behind(store), insns, range(len(insns)), skipped, found)
        return found

    def under_way(self, state: State, left: Sequence[Left], bound: int) -> State:
        """The state with stores of the block before."""
        pending: list[Pending] = [
            (made[bound] + self.longest, made[bound], _bit_behind(store), self._latencies, True) for store, made in left
        ]
        latest = max(state.latest, *(until for until, *_ in pending))
        return state._replace(pending=[*pending, *state.pending], latest=latest)

    def storing(self, steps: Steps, bit: int) -> Steps:
        """The steps of a store that leaves ``bit``."""
        result = (bit, self._latencies, self.longest, True)
        low, nominal, high = [_make(Step, (*step[:3], (*step.results, result), *step[4:])) for step in steps]
        return low, nominal, high

    def loading(self, steps: Steps, reads: Reads) -> Steps:
        """The steps of a load that waits for these stores."""
        written, near = reads
        found, waits = [], []
        for bound, (issue, read, needs, *others) in zip(BOUNDS, steps, strict=True):
            of_written, of_near = written and self._written[bound], near and self._near[bound]
            if of_written:
                needs = (*needs, (written, bound))
            if of_near:
                needs = (*needs, (near, _NEAR + bound))
            found.append(_make(Step, (issue, read | written | near, needs, *others)))
            waits.append((of_written, of_near))
        low, nominal, high = found
        same = sum([(waits[bound] == waits[NOMINAL]) << bound for bound in BOUNDS])
        return low, nominal._replace(alike=nominal.alike & same), high


def _bit_behind(store: Accessed) -> int:
    """The bit of a store of the block before."""
    return 1 << _FIRST + _BITS + store.at % _BITS


def _follow(
    store: Accessed, bit: int, insns: Sequence[Insn], indices: range, skipped: frozenset[int], loads: Loads
) -> Accessed | None:
    """Finds the loads among these instructions that have to do with a store; where that still is behind them, as the
    registers tell then. None if they don't any more, or after a divide, which takes longer than any store."""
    registers = 1 << store.base | (1 << store.index_register if store.index_register >= 0 else 0)
    for index in indices:
        insn = insns[index]
        if insn.address_reads == registers:
            if insn.kind in _LOADS and index not in skipped:
                _read(store, bit, _accessed(index, insn), loads)
        elif insn.kind is _DIVIDE and not insn.predicated:
            return None
        if insn.writes & registers or insn.sp_delta is None:
            moved = _growing(store, insn)
            if moved is None:
                return None
            store = moved
    return store


def _read(store: Accessed, bit: int, loaded: Accessed, loads: Loads) -> None:
    """What a load behind the same registers has to do with a store. Near are bytes in words less than 8 bytes apart."""
    if store[1:4] != loaded[1:4]:
        return
    written, near = loads.get(loaded.at, (0, 0))
    overlap = loaded.start < store.end and store.start < loaded.end
    if overlap and not (loaded.multiple or store.multiple):
        loads[loaded.at] = Reads(written | bit, near)
    elif loaded.start < store.end + _WORD and store.start < loaded.end + _WORD:
        loads[loaded.at] = Reads(written, near | bit)


def _accessed(at: int, insn: Insn) -> Accessed:
    mode = insn.address
    assert mode is not None
    start = 0 if mode.post_indexed else mode.offset
    end = start + insn.access_bytes * insn.register_count
    return Accessed(at, mode.base, mode.index, mode.shift, start, end, insn.kind in isa.MULTIPLES)


def _growing(store: Accessed, insn: Insn) -> Accessed | None:
    """The same place as the registers tell it behind an instruction; None if they don't."""
    writes = insn.writes | 1 << SP if insn.sp_delta is None else insn.writes
    if store.index_register >= 0:
        return None if writes & (1 << store.base | 1 << store.index_register) else store
    if not writes >> store.base & 1:
        return store
    growth = _growth(insn, store.base)
    return None if growth is None else store._replace(start=store.start - growth, end=store.end - growth)


def _growth(insn: Insn, register: int) -> int | None:
    """What the instruction adds to a register that it writes; None if it isn't a constant."""
    mode, result = insn.address, insn.result
    if insn.predicated:
        return None
    if mode is not None:
        return base_growth(insn, mode) if insn.writeback and mode.base == register else None
    if result is None or result.terms != ((register, 1),) or insn.mnemonic == "movt":
        return None
    return result.offset

"""The fetches of a Cortex-M3 or M4 through a buffer of two lines that reads ahead, in front of a slow flash.

The buffer holds the line that is fetched from and the next one, which is read as soon as the flash is idle (RM0364
3.2.2: two blocks; a read begins when one is free). A fetch from neither is read at once, and the buffer begins anew
there, as loops of two instructions show that were measured (docs/accuracy.md, STM32F103). A read ahead under way is
given up then (assumed). The core can't give up a fetch whose address was taken, only those that wait behind it
(DDI0337G 12.2). A conditional branch has its target fetched while it is decoded, taken or not (DDI0337G 1.4, 15.3).

Cycles are those of issue, as in ``fetch``: a word that comes in a cycle can execute two later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vtarget.data.core import FetchQueue
from vtarget.data.insn import Flow, Insn
from vtarget.logic.cost.fetch import is_late

_WORD_BYTES = 4
_LONG_AGO = -1000
_NEVER = 1 << 30
_TO_EXECUTE = 2  # cycles from the one in which a word comes to the first in which it can execute
_TO_COME = 1  # cycles from the one in which its address is taken to that in which it comes, without wait states
_TO_DECODE = -2  # from the end of a branch that takes a cycle


class Interface(NamedTuple):
    """A flash of ``waits`` wait states, read in lines of ``line_bytes``."""

    waits: int
    line_bytes: int

    def lines(self, before: int, first: int, last: int) -> int:
        """How many lines ``first`` to ``last`` lie in, but for that of the address ``before`` if it is the first."""
        line = first // self.line_bytes
        return last // self.line_bytes - line + (before // self.line_bytes != line)


NO_WAITS = Interface(0, _WORD_BYTES)


class Step(NamedTuple):
    """Instructions whose last bytes are in the same word: that word, the one that decode is done with when the last of
    them executes, if any, and the cycles before that one and of all when their words are there."""

    last: int
    freed: int | None
    before: int
    cycles: int


class Leg(NamedTuple):
    """A block: its steps and the sum of their cycles, the last instruction and where it stands, where the first one
    stands, and whether that is a wide one that straddles a word."""

    steps: Sequence[Step]
    cycles: int
    last: Insn
    last_address: int
    address: int
    across: bool

    @classmethod
    def of(cls, insns: Sequence[Insn], addresses: Sequence[int], cycles: Sequence[int]) -> Leg:
        """``cycles`` are those of each of the instructions, of which there is one at least."""
        steps: list[Step] = []
        for insn, address, own in zip(insns, addresses, cycles, strict=True):
            word, behind = address // _WORD_BYTES, address + insn.size
            last, freed = (behind - 1) // _WORD_BYTES, word if behind // _WORD_BYTES > word else None
            with_it = steps.pop().cycles if steps and steps[-1].last == last and steps[-1].freed is None else 0
            steps.append(Step(last, freed, with_it, with_it + own))
        across = bool(addresses[0] & 2) and insns[0].size == _WORD_BYTES
        return cls(steps, sum(cycles), insns[-1], addresses[-1], addresses[0], across)


@dataclass(slots=True)
class _Buffer:
    """``line`` is fetched from since the cycle ``since``; the next one is ``ahead`` if its read began. The read of
    ``reading`` ends with the cycle ``until``."""

    interface: Interface
    line: int = _LONG_AGO
    since: int = _LONG_AGO
    ahead: bool = True
    reading: int = _LONG_AGO
    until: int = _LONG_AGO

    def fetch(self, address: int, cycle: int) -> int:
        """The cycle in which the word at ``address`` comes, which is wanted in ``cycle``."""
        wanted = address // self.interface.line_bytes
        if not self.ahead and (begin := max(self.until + 1, self.since)) < cycle:
            self._read(self.line + 1, begin)
            self.ahead = True
        elsewhere = wanted != self.line
        if elsewhere and not (self.ahead and wanted == self.line + 1):
            self._read(wanted, cycle)
        done = self.until if self.reading == wanted and self.until > cycle else cycle
        if elsewhere:
            self.line, self.since, self.ahead = wanted, done, False
        return done

    def _read(self, line: int, begin: int) -> None:
        self.reading, self.until = line, begin + self.interface.waits


@dataclass(slots=True)
class _Fetches:
    """The core's queue of words and its bus. Words from ``first`` to ``newest`` ``came`` in those cycles, the newest
    one in ``last``; decode was done with those that it ``freed``."""

    queue: FetchQueue
    buffer: _Buffer | None  # none where nothing waits: without wait states
    first: int = 0
    newest: int = 0
    last: int = _LONG_AGO
    came: dict[int, int] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)

    def jump(self, address: int, cycle: int) -> None:
        """Go on from ``address``, which could be taken in ``cycle``."""
        self.go_on(_NEVER, cycle)
        self.first = self.newest = address // _WORD_BYTES
        self.came, self.freed = {}, {}
        self.last = self._come(address, max(cycle, self.last) + _TO_COME)
        self.came[self.newest] = self.last

    def _come(self, address: int, wanted: int) -> int:
        return wanted if self.buffer is None else self.buffer.fetch(address, wanted)

    def go_on(self, word: int, cycle: int) -> None:
        """Fetch what comes up to ``word`` and has its address taken before ``cycle``: one is taken when the one before
        has come, but not before decode has emptied a slot for it."""
        queue, buffer, freed = self.queue, self.buffer, self.freed
        newest, last = self.newest, self.last
        while newest < word:
            taken, before = last, newest + 1 - queue.words
            if before >= self.first:
                emptied = freed.get(before)
                if emptied is None:
                    break
                streams = emptied + queue.streaming <= last + _TO_EXECUTE + 1
                arrival = emptied + (queue.streaming if streams else queue.refill)
                taken = max(last, arrival - _TO_EXECUTE - _TO_COME)
            if taken >= cycle:
                break
            newest += 1
            last = taken + _TO_COME
            if buffer is not None:
                last = buffer.fetch(newest * _WORD_BYTES, last)
            self.came[newest] = last
        self.newest, self.last = newest, last

    def run(self, leg: Leg, start: int) -> int:
        """Through a block whose first instruction could execute at ``start``; returns where the next one could."""
        came, freed = self.came, self.freed
        for last, done_with, before, cycles in leg.steps:
            if last > self.newest:
                self.go_on(last, _NEVER)
            executable = came[last] + _TO_EXECUTE
            if executable > start:
                start = executable
            if done_with is not None:
                freed[done_with] = start + before
            start += cycles
        return start

    def copy(self) -> _Fetches:
        """The same, to go on from again. ``came`` is shared: nobody asks for words before they come."""
        b = self.buffer
        buffer = None if b is None else _Buffer(b.interface, b.line, b.since, b.ahead, b.reading, b.until)
        return _Fetches(self.queue, buffer, self.first, self.newest, self.last, self.came, {**self.freed})

    def not_taken(self, insn: Insn, address: int, end: int) -> None:
        """``insn``, done at ``end``, was a branch that was not taken: its target was fetched if the bus was free."""
        if insn.flow is not Flow.CONDITIONAL or insn.branch_offset is None or is_late(insn):
            return
        decode = end + _TO_DECODE
        self.go_on(_NEVER, decode)
        if self.last <= decode:
            self.last = self._come(address + insn.branch_offset, decode + _TO_COME)


class Left(NamedTuple):
    """A block that was jumped to and is done at ``end``."""

    leg: Leg
    fetches: _Fetches
    end: int


def leave(queue: FetchQueue, interface: Interface, leg: Leg) -> Left:
    """What follows ``leg`` goes on from there."""
    fetches = _Fetches(queue, _Buffer(interface) if interface.waits else None)
    fetches.jump(leg.address, -_TO_EXECUTE - _TO_COME)
    return Left(leg, fetches, fetches.run(leg, 0))


def stall(source: Left, target: Leg, gap: int | None) -> int:
    """Cycles that ``target`` waits for its words when it follows ``source``: after a jump with ``gap`` cycles of refill
    or, if None, in sequence."""
    fetches, start = source.fetches.copy(), source.end
    if gap is not None:
        return _after_jump(fetches, target, start + gap)
    fetches.not_taken(source.leg.last, source.leg.last_address, start)
    return fetches.run(target, start) - start - target.cycles


def stall_of_queue(queue: FetchQueue, target: Leg) -> int:
    """The same behind any jump if there are no wait states: nothing of what was fetched before is under way then."""
    return _after_jump(_Fetches(queue, None), target, 0)


def _after_jump(fetches: _Fetches, target: Leg, start: int) -> int:
    fetches.jump(target.address, start - target.across - _TO_EXECUTE - _TO_COME)  # across: a cycle of the gap
    return fetches.run(target, start) - start - target.cycles

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
_TO_EXECUTE = 2  # cycles from the one in which a word comes to the first in which it can execute
_TO_COME = 1  # cycles from the one in which its address is taken to that in which it comes, without wait states
_TO_DECODE = -2  # from the end of a branch that takes a cycle


class Interface(NamedTuple):
    """A flash of ``waits`` wait states, read in lines of ``line_bytes``."""

    waits: int
    line_bytes: int


class Leg(NamedTuple):
    """A block: its instructions, where they stand, and the cycles of each when its words are there."""

    insns: Sequence[Insn]
    addresses: Sequence[int]
    cycles: Sequence[int]


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
        begin = max(self.until + 1, self.since)
        if not self.ahead and begin < cycle:
            self._read(self.line + 1, begin)
            self.ahead = True
        on = wanted == self.line + 1 and self.ahead
        if not on and wanted != self.line:
            self._read(wanted, cycle)
        done = max(cycle, self.until) if self.reading == wanted else cycle
        if wanted != self.line:
            self.line, self.since, self.ahead = wanted, done, False
        return done

    def _read(self, line: int, begin: int) -> None:
        self.reading, self.until = line, begin + self.interface.waits


@dataclass(slots=True)
class _Fetches:
    """The core's queue of words and its bus. Words from ``first`` to ``newest`` ``came`` in those cycles, the newest
    one in ``last``; decode was done with those that it ``freed``."""

    queue: FetchQueue
    buffer: _Buffer
    first: int = 0
    newest: int = 0
    last: int = _LONG_AGO
    came: dict[int, int] = field(default_factory=dict)
    freed: dict[int, int] = field(default_factory=dict)

    def jump(self, address: int, cycle: int) -> None:
        """Go on from ``address``, which could be taken in ``cycle``."""
        self.run_ahead(cycle)
        self.first = self.newest = address // _WORD_BYTES
        self.came, self.freed = {}, {}
        self._fetch(cycle)

    def _fetch(self, cycle: int) -> None:
        self.last = self.buffer.fetch(self.newest * _WORD_BYTES, max(cycle, self.last) + _TO_COME)
        self.came[self.newest] = self.last

    def _next(self) -> int | None:
        """When the address behind the newest word is taken; None if decode has to empty a slot first."""
        word = self.newest + 1 - self.queue.words
        if word < self.first:
            return self.last
        emptied = self.freed.get(word)
        if emptied is None:
            return None
        streams = emptied + self.queue.streaming <= self.last + _TO_EXECUTE + 1
        arrival = emptied + (self.queue.streaming if streams else self.queue.refill)
        return max(self.last, arrival - _TO_EXECUTE - _TO_COME)

    def run_ahead(self, cycle: int) -> None:
        """Fetch what the core fetches in advance before ``cycle``."""
        while (taken := self._next()) is not None and taken < cycle:
            self.newest += 1
            self._fetch(taken)

    def executable(self, insn: Insn, address: int) -> int:
        """The first cycle in which ``insn`` can execute."""
        last = (address + insn.size - 1) // _WORD_BYTES
        while self.newest < last:
            taken = self._next()
            assert taken is not None  # what stands before it was decoded
            self.newest += 1
            self._fetch(taken)
        return self.came[last] + _TO_EXECUTE

    def run(self, leg: Leg, start: int) -> int:
        """Through a block whose first instruction could execute at ``start``; returns where the next one could."""
        for insn, address, cycles in zip(leg.insns, leg.addresses, leg.cycles, strict=True):
            start = max(start, self.executable(insn, address))
            word = address // _WORD_BYTES
            if (address + insn.size) // _WORD_BYTES > word:
                self.freed[word] = start
            start += cycles
        return start

    def not_taken(self, insn: Insn, address: int, end: int) -> None:
        """``insn``, done at ``end``, was a branch that was not taken: its target was fetched if the bus was free."""
        if insn.flow is not Flow.CONDITIONAL or insn.branch_offset is None or is_late(insn):
            return
        decode = end + _TO_DECODE
        self.run_ahead(decode)
        if self.last <= decode:
            self.last = self.buffer.fetch(address + insn.branch_offset, decode + _TO_COME)


def stall(queue: FetchQueue, interface: Interface, source: Leg, target: Leg, gap: int | None) -> int:
    """Cycles that ``target`` waits for its words when it follows ``source``, which was jumped to: after a jump with
    ``gap`` cycles of refill or, if None, in sequence."""
    if not source.insns or not target.insns:
        return 0
    fetches = _Fetches(queue, _Buffer(interface))
    fetches.jump(source.addresses[0], -_TO_EXECUTE - _TO_COME)
    start = fetches.run(source, 0)
    if gap is None:
        fetches.not_taken(source.insns[-1], source.addresses[-1], start)
    else:
        start += gap
        across = target.addresses[0] & 2 and target.insns[0].size == _WORD_BYTES  # a cycle of the gap
        fetches.jump(target.addresses[0], start - bool(across) - _TO_EXECUTE - _TO_COME)
    return fetches.run(target, start) - start - sum(target.cycles)

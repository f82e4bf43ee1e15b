"""The prefetch unit of the Cortex-M3 and M4: a short queue of words, filled one a cycle, that decode empties.

Times are cycles of issue: a word ``arrives`` at the first cycle in which an instruction that needs it can execute.
"""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.core import FetchQueue
from vtarget.data.insn import Flow, Insn

_LONG_AGO = -1000


@dataclass(slots=True)
class Prefetch:
    """The queue while one stretch of straight-line code runs through it.

    ``newest`` is the number of the last word whose arrival is settled, ``free_slot`` the first cycle in which the next
    may arrive, ``freed`` when decode was done with the last words it left, the latest first, and ``taken_slot`` the
    cycle whose fetch went to the target of a branch that was not taken.
    """

    queue: FetchQueue
    newest: int
    free_slot: int = 1
    freed: tuple[int, ...] = ()
    taken_slot: int = _LONG_AGO

    def wait(self, insn: Insn, address: int, start: int) -> int:
        """Cycles that ``insn``, which could issue at ``start``, waits for its last halfword; it issues after that."""
        first, behind = address >> 2, address + insn.size
        arrival = start
        while self.newest < (behind - 1) >> 2:
            self.newest += 1
            arrival = self._fetch(first)
        if behind >> 2 > first:  # decode takes a first half at once, also if it waits for the second
            self.freed = (start, *self.freed[: self.queue.words - 1])
        return arrival - start if arrival > start else 0

    def _fetch(self, decoding: int) -> int:
        """When the word ``newest`` arrives: its slot in the queue is empty and the bus is not used for another."""
        behind = decoding - 1 - (self.newest - self.queue.words)
        emptied = self.freed[behind] if 0 <= behind < len(self.freed) else _LONG_AGO
        streams = emptied + self.queue.streaming <= self.free_slot
        arrival = max(self.free_slot, emptied + (self.queue.streaming if streams else self.queue.refill))
        if arrival == self.taken_slot:
            arrival += 1
        self.free_slot = arrival + 1
        return arrival

    def branch(self, insn: Insn, end: int) -> None:
        """``insn``, done at ``end``, was a branch that was not taken: its target's word took a slot of the bus."""
        if insn.flow is Flow.CONDITIONAL and not is_late(insn):
            self.taken_slot = end + 1

    def copy(self) -> Prefetch:
        """Another one in the same state."""
        return Prefetch(self.queue, self.newest, self.free_slot, self.freed, self.taken_slot)


def at_target(queue: FetchQueue, insn: Insn, address: int) -> Prefetch:
    """Right after a branch to ``insn``, when all of it has arrived."""
    return Prefetch(queue, (address + insn.size - 1) >> 2)


def is_late(insn: Insn) -> bool:
    """Whether a branch to a fixed target shows it only when it executes: CBZ and CBNZ, which test a register."""
    return insn.mnemonic in ("cbz", "cbnz")

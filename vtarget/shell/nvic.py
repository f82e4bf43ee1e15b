"""The nested vectored interrupt controller: which exceptions are pending, active and enabled, and which comes next.

Armv7-M ARM (DDI 0403) B1.5.4 and B3.4; Armv6-M ARM (DDI 0419) B3.4. Priorities are numbers, lower first; Reset, NMI and
HardFault have -3, -2 and -1. Sets of exceptions are bit masks by exception number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vtarget.data.exceptions import CONFIGURABLE_FAULTS, Vector

LOWEST_PRIORITY = 256
FIXED_PRIORITIES = {Vector.RESET: -3, Vector.NMI: -2, Vector.HARD_FAULT: -1}
ALWAYS_ENABLED = sum(
    1 << v for v in (Vector.NMI, Vector.HARD_FAULT, Vector.SVCALL, Vector.DEBUG_MONITOR, Vector.PENDSV, Vector.SYSTICK)
)
SYSTEM_HANDLERS = (Vector.MEM_MANAGE, Vector.BUS_FAULT, Vector.USAGE_FAULT, Vector.SVCALL, Vector.DEBUG_MONITOR,
                   Vector.PENDSV, Vector.SYSTICK)  # fmt: skip
BASELINE_HANDLERS = (Vector.SVCALL, Vector.PENDSV, Vector.SYSTICK)


class Masks(NamedTuple):
    """PRIMASK, BASEPRI and FAULTMASK as they stand."""

    primask: bool = False
    basepri: int = 0
    faultmask: bool = False


class Nvic:
    """State of all exceptions. ``on_pending`` is told whenever one may have to be taken, ``on_arrival`` when one
    becomes pending that wasn't.

    ``lines`` external interrupts; ``priority_bits`` implemented; ``baseline``: Armv6-M or Armv8-M Baseline, which has
    neither priority grouping nor configurable faults.
    """

    def __init__(self, lines: int, priority_bits: int, *, baseline: bool) -> None:
        self.lines = lines
        self.baseline = baseline
        self.prigroup = 0
        self.pending = 0
        self.active = 0
        self.enabled = ALWAYS_ENABLED
        self.on_pending: Callable[[], None] = lambda: None
        self.on_arrival: Callable[[], None] = lambda: None
        self._levels = 0
        self._priority = [0] * (Vector.EXTERNAL + lines)
        self._priority_mask = 0xFF << (8 - priority_bits) & 0xFF

    # Priorities.

    def priority(self, number: int) -> int:
        """The priority of an exception, fixed ones included."""
        return FIXED_PRIORITIES[Vector(number)] if number <= Vector.HARD_FAULT else self._priority[number]

    def set_priority(self, number: int, value: int) -> None:
        """Set a configurable priority; bits that aren't implemented read as zero."""
        handlers = BASELINE_HANDLERS if self.baseline else SYSTEM_HANDLERS
        configurable = number >= Vector.EXTERNAL or number in handlers
        if number < len(self._priority) and configurable:
            self._priority[number] = value & self._priority_mask

    def group(self, priority: int) -> int:
        """The part of a priority that decides about preemption (AIRCR.PRIGROUP)."""
        return priority if priority < 0 else priority >> (self.prigroup + 1) << (self.prigroup + 1)

    def execution_priority(self, masks: Masks) -> int:
        """The priority that an exception must beat to preempt (B1.5.4, ExecutionPriority)."""
        current = LOWEST_PRIORITY
        if self.active:
            current = min(self.group(self.priority(n)) for n in members(self.active))
        if basepri := masks.basepri & self._priority_mask:
            current = min(current, self.group(basepri))
        if masks.primask:
            current = min(current, 0)
        return min(current, -1) if masks.faultmask else current

    def preempting(self, masks: Masks) -> int | None:
        """The exception to take now: pending, enabled and more urgent than what runs. None if there is none."""
        ready = self.pending & self.enabled
        if not ready:
            return None
        first = ready.bit_length() - 1
        if ready != 1 << first:
            first = min(members(ready), key=lambda n: (self.priority(n), n))
        return first if self.group(self.priority(first)) < self.execution_priority(masks) else None

    def wakes(self, masks: Masks) -> bool:
        """Whether a pending exception ends a WFI: it would preempt if PRIMASK were clear (B1.5.19)."""
        return bool(self.pending & self.enabled) and (
            self.preempting(Masks(False, masks.basepri, masks.faultmask)) is not None
        )

    def can_preempt(self, number: int, masks: Masks) -> bool:
        """Whether a synchronous exception can be taken at once rather than escalate."""
        usable = bool(self.enabled >> number & 1)
        return usable and self.group(self.priority(number)) < self.execution_priority(masks)

    def unreachable(self, masks: Masks) -> bool:
        """Whether no interrupt could preempt what runs, were it to come."""
        current = self.execution_priority(masks)
        interrupts = self.enabled & (self.external_mask | 1 << Vector.PENDSV | 1 << Vector.SYSTICK)
        return all(self.group(self.priority(number)) >= current for number in members(interrupts))

    # Pending and active.

    def pend(self, number: int) -> None:
        """Make an exception pending."""
        self.pend_mask(1 << number)

    def unpend(self, number: int) -> None:
        """Make an exception not pending; one whose line is high stays so."""
        if not self._levels >> number & 1:
            self.pending &= ~(1 << number)

    def set_line(self, irq: int, level: bool) -> None:
        """Drive the line of external interrupt ``irq``."""
        bit = 1 << (Vector.EXTERNAL + irq)
        if irq >= self.lines or bool(self._levels & bit) == level:
            return
        self._levels ^= bit
        if level:  # while the exception is active too: DDI 0403 B3.4.1
            self.pend(Vector.EXTERNAL + irq)

    def enable(self, mask: int) -> None:
        """Enable the exceptions of a mask."""
        self.enabled |= mask
        if self.pending & mask:
            self.on_pending()

    def disable(self, mask: int) -> None:
        """Disable the exceptions of a mask, those that can be."""
        self.enabled &= ~mask | ALWAYS_ENABLED

    def enter(self, number: int) -> None:
        """The exception is being taken."""
        self.pending &= ~(1 << number)
        self.active |= 1 << number

    def leave(self, number: int) -> None:
        """Its handler has returned; a line that is still high makes it pending again."""
        self.active &= ~(1 << number)
        if self._levels >> number & 1:
            self.pend(number)

    @property
    def external_mask(self) -> int:
        """The mask of all external interrupts."""
        return ((1 << self.lines) - 1) << Vector.EXTERNAL

    # Registers by words (B3.4.3): 32 external interrupts each.

    def read_bits(self, state: int, word: int) -> int:
        """A word of ISER, ISPR or IABR from one of the masks."""
        return (state & self.external_mask) >> (Vector.EXTERNAL + 32 * word) & 0xFFFFFFFF

    def word_mask(self, word: int, value: int) -> int:
        """The exceptions that a word written to ISER, ICER, ISPR or ICPR names."""
        return value << (Vector.EXTERNAL + 32 * word) & self.external_mask

    def pend_mask(self, mask: int) -> None:
        """Make all exceptions of a mask pending."""
        if mask & ~self.pending:
            self.on_arrival()
        if mask:
            self.pending |= mask
            self.on_pending()

    def read_priorities(self, first: int) -> int:
        """Four priority bytes, from exception ``first`` on."""
        known = self._priority[first : first + 4]
        return sum(priority << 8 * i for i, priority in enumerate(known))

    def write_priorities(self, first: int, value: int) -> None:
        """Set four priorities from exception ``first`` on."""
        for i in range(4):
            self.set_priority(first + i, value >> 8 * i & 0xFF)
        if self.pending:
            self.on_pending()

    def set_prigroup(self, value: int) -> None:
        """AIRCR.PRIGROUP."""
        self.prigroup = 0 if self.baseline else value & 7
        if self.pending:
            self.on_pending()


def members(mask: int) -> list[int]:
    """The bit numbers in a mask, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


FAULT_MASK = sum(1 << v for v in CONFIGURABLE_FAULTS)

"""The Data Watchpoint and Trace unit's counters (Armv7-M ARM, DDI 0403, C1.8).

CYCCNT counts while the core is awake. The profiling counters (CPICNT, EXCCNT, SLEEPCNT, LSUCNT, FOLDCNT) keep 8 bits
each; of these SLEEPCNT and EXCCNT count here, the others stay at 0 and say so.
"""

from __future__ import annotations

from collections.abc import Callable

DWT_BASE, DWT_SIZE = 0xE0001000, 0x1000
DWT_CTRL, DWT_CYCCNT, DWT_LAR, DWT_LSR = 0xE0001000, 0xE0001004, 0xE0001FB0, 0xE0001FB4
CPICNT, EXCCNT, SLEEPCNT, LSUCNT, FOLDCNT = 0xE0001008, 0xE000100C, 0xE0001010, 0xE0001014, 0xE0001018
CYCCNTENA = 1
# Cores whose DWT takes no writes until its lock register is given the key (DDI 0489, DWT_LAR; CoreSight IHI 0029).
LOCKED_CORES = frozenset({"cortex-m7"})
UNLOCK_KEY = 0xC5ACCE55
LOCK_PRESENT, LOCKED = 1, 2
COMPARATORS = 4
NOT_COUNTED = {CPICNT: "CPICNT", LSUCNT: "LSUCNT", FOLDCNT: "FOLDCNT"}
EXCEVTENA, SLEEPEVTENA = 1 << 18, 1 << 19


class Dwt:
    """Counters of the DWT. ``awake`` and ``asleep`` tell cycles since reset, ``overhead`` those of exception entries
    and returns; ``traced`` is DEMCR.TRCENA."""

    def __init__(
        self,
        core: str,
        awake: Callable[[], int],
        asleep: Callable[[], int],
        overhead: Callable[[], int],
        note: Callable[[str], None],
    ) -> None:
        self._now = awake
        self._others = {SLEEPCNT: asleep, EXCCNT: overhead}
        self._note = note
        self._locks = core in LOCKED_CORES
        self._locked = self._locks
        self._control = 0
        self._traced = False
        self._cyccnt = 0
        self._since = 0
        self._bases: dict[int, int] = {}
        self._words: dict[int, int] = {}
        self.clock_reads = 0

    def set_traced(self, traced: bool) -> None:
        """DEMCR.TRCENA was written."""
        self._settle()
        self._traced = traced

    def read_word(self, address: int) -> int:
        """Value of a DWT register."""
        match address:
            case _ if address == DWT_CYCCNT:
                self.clock_reads += 1
                return self._cyccnt + (self._now() - self._since) & 0xFFFFFFFF if self._counting else self._cyccnt
            case _ if address == DWT_CTRL:
                return COMPARATORS << 28 | self._control
            case _ if address == DWT_LSR:
                return LOCK_PRESENT | (LOCKED if self._locked else 0) if self._locks else 0
            case _ if address == DWT_LAR:
                return 0
            case _ if address in self._others:
                return self._others[address]() - self._bases.get(address, 0) & 0xFF
            case _ if address in NOT_COUNTED:
                self._note(f"DWT {NOT_COUNTED[address]} does not count: it reads as 0")
                return 0
        return self._words.get(address, 0)

    def write_word(self, address: int, value: int) -> None:
        """Write a DWT register; a locked unit takes only the key."""
        if address == DWT_LAR:
            self._locked = self._locks and value != UNLOCK_KEY
        elif self._locked:
            self._note("writes to the DWT ignored: it is locked, and the firmware did not give its DWT_LAR the key")
        elif address == DWT_CYCCNT:
            self._cyccnt, self._since = value, self._now()
        elif address == DWT_CTRL:
            self._settle()
            self._control = value & (CYCCNTENA | EXCEVTENA | SLEEPEVTENA)
        elif address in self._others:
            self._bases[address] = self._others[address]() - value
        else:
            self._words[address] = value

    @property
    def _counting(self) -> bool:
        return self._traced and bool(self._control & CYCCNTENA)

    def _settle(self) -> None:
        now = self._now()
        if self._counting:
            self._cyccnt = self._cyccnt + (now - self._since) & 0xFFFFFFFF
        self._since = now

"""The private peripheral bus as far as a run without exceptions needs it: DWT, SysTick, SCB and FPU registers.

Addresses and reset values: Armv7-M ARM (DDI 0403) B3.2 and C1.8, Armv8-M ARM (DDI 0553) D1.2; CPUID values from the
cores' reference manuals.
"""

from __future__ import annotations

from collections.abc import Callable

PPB_BASE, PPB_SIZE = 0xE0000000, 0x100000

DWT_BASE, DWT_SIZE = 0xE0001000, 0x1000
DWT_CTRL, DWT_CYCCNT, DWT_LAR, DWT_LSR = 0xE0001000, 0xE0001004, 0xE0001FB0, 0xE0001FB4
SYST_CSR, SYST_RVR, SYST_CVR, SYST_CALIB = 0xE000E010, 0xE000E014, 0xE000E018, 0xE000E01C
ICTR, ACTLR = 0xE000E004, 0xE000E008
CPUID, ICSR, VTOR, AIRCR, SCR, CCR = 0xE000ED00, 0xE000ED04, 0xE000ED08, 0xE000ED0C, 0xE000ED10, 0xE000ED14
CPACR, DEMCR, FPCCR = 0xE000ED88, 0xE000EDFC, 0xE000EF34

CPUID_VALUES = {
    "cortex-m0": 0x410CC200,
    "cortex-m0plus": 0x410CC601,
    "cortex-m3": 0x412FC231,
    "cortex-m4": 0x410FC241,
    "cortex-m7": 0x411FC271,
    "cortex-m33": 0x410FD213,
}
BASELINE_CORES = frozenset({"cortex-m0", "cortex-m0plus"})
# Cores whose DWT takes no writes until its lock register is given the key (DDI 0489, DWT_LAR; CoreSight IHI 0029).
LOCKED_CORES = frozenset({"cortex-m7"})
UNLOCK_KEY = 0xC5ACCE55
LOCK_PRESENT, LOCKED = 1, 2

CYCCNTENA, TRCENA = 1, 1 << 24
ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1, 2, 4, 1 << 16
COUNTER_MASK = 0xFFFFFF
CP10_CP11_FULL = 0xF << 20
# What the SCB and the NVIC hold without anything following from it in this version.
NVIC_ISER, NVIC_ISER_END = 0xE000E100, 0xE000E140
ICSR_SET_PENDING = 1 << 31 | 1 << 28 | 1 << 26
SYSRESETREQ = 1 << 2
PLAIN_STORAGE = ((0xE000E100, 0xE000E500), (0xE000ED04, 0xE000ED90), (0xE000EF34, 0xE000EF48), (ACTLR, ACTLR + 4))


class SystemBlock:
    """Registers of the system block. ``now`` tells nominal cycles since reset; reading time is counted."""

    def __init__(self, core: str, *, has_fpu: bool, vector_table: int, now: Callable[[int, bool], int]) -> None:
        self._core = core
        self._now = now
        self._has_cycle_counter = core not in BASELINE_CORES
        self._has_fpu = has_fpu
        self._words: dict[int, int] = {VTOR: vector_table}
        self._cyccnt = 0
        self._cyccnt_since = 0
        self._locked = core in LOCKED_CORES
        self._systick_start = 0  # the counter's value at _systick_since
        self._systick_since = 0
        self._systick_flag = False
        self.clock_reads = 0
        self.untouched: dict[int, int] = {}
        self.notes: set[str] = set()

    @property
    def fpu_enabled(self) -> bool:
        """Whether the firmware gave itself access to CP10 and CP11."""
        return self._has_fpu and self._words.get(CPACR, 0) & CP10_CP11_FULL == CP10_CP11_FULL

    def read(self, address: int, size_bytes: int) -> int:
        """Value of ``size_bytes`` at ``address``."""
        word = self._read_word(address & ~3)
        return word >> 8 * (address & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """Write ``size_bytes`` at ``address``; parts of a word leave the rest."""
        word = address & ~3
        if size_bytes < 4:
            shift = 8 * (address & 3)
            mask = ((1 << 8 * size_bytes) - 1) << shift
            value = self._words.get(word, 0) & ~mask | value << shift & mask
        self._write_word(word, value & 0xFFFFFFFF)

    def _read_word(self, address: int) -> int:
        match address:
            case _ if address == CPUID:
                return CPUID_VALUES.get(self._core, 0)
            case _ if address == DWT_CYCCNT and self._has_cycle_counter:
                return self._read_cycle_counter()
            case _ if address == DWT_CTRL and self._has_cycle_counter:
                return 4 << 28 | self._words.get(DWT_CTRL, 0)
            case _ if address == DWT_LSR:
                return (LOCK_PRESENT | (LOCKED if self._locked else 0)) if self._core in LOCKED_CORES else 0
            case _ if address == DWT_LAR:
                return 0
            case _ if address == SYST_CVR:
                self._settle_systick(address, reading=True)
                return self._systick_start
            case _ if address == SYST_CSR:
                return self._systick_status()
        if not self._is_known(address):
            self.untouched[address] = self.untouched.get(address, 0) + 1
        return self._words.get(address, 0)

    def _write_word(self, address: int, value: int) -> None:
        if DWT_BASE <= address < DWT_BASE + DWT_SIZE and self._locked and address != DWT_LAR:
            self.notes.add("writes to the DWT ignored: it is locked, and the firmware did not give its DWT_LAR the key")
        elif address == DWT_LAR:
            self._locked = self._core in LOCKED_CORES and value != UNLOCK_KEY
        elif address == DWT_CYCCNT and self._has_cycle_counter:
            self._cyccnt, self._cyccnt_since = value, self._now(address, False)
        elif address in (DWT_CTRL, DEMCR) and self._has_cycle_counter:
            now = self._now(address, False)
            self._cyccnt, self._cyccnt_since = self._cycle_count(now), now
            self._words[address] = value & CYCCNTENA if address == DWT_CTRL else value
        elif address in (SYST_CSR, SYST_RVR, SYST_CVR):
            self._write_systick(address, value)
        elif address != CPUID:
            self._store(address, value)

    def _store(self, address: int, value: int) -> None:
        if not self._is_known(address):
            self.untouched[address] = self.untouched.get(address, 0) + 1
        if address == CPACR and not self._has_fpu:
            value &= ~CP10_CP11_FULL
        if NVIC_ISER <= address < NVIC_ISER_END and value:
            self.notes.add("interrupts enabled in the NVIC, but exceptions are not delivered")
        if address == ICSR and value & ICSR_SET_PENDING:
            self.notes.add("an exception was set pending (ICSR), but exceptions are not delivered")
        if address == AIRCR and value & SYSRESETREQ:
            self.notes.add("the firmware asked for a system reset (AIRCR), which is not carried out")
        self._words[address] = value

    @staticmethod
    def _is_known(address: int) -> bool:
        return any(low <= address < high for low, high in PLAIN_STORAGE) or address in (
            SYST_RVR, SYST_CALIB, DWT_CTRL, DWT_LAR, DEMCR, ICTR, CPUID,
        )  # fmt: skip

    def _read_cycle_counter(self) -> int:
        self.clock_reads += 1
        return self._cycle_count(self._now(DWT_CYCCNT, True) if self._counting else 0)

    @property
    def _counting(self) -> bool:
        return bool(self._words.get(DEMCR, 0) & TRCENA and self._words.get(DWT_CTRL, 0) & CYCCNTENA)

    def _cycle_count(self, now: int) -> int:
        elapsed = now - self._cyccnt_since if self._counting else 0
        return (self._cyccnt + elapsed) & 0xFFFFFFFF

    # SysTick counts down to 0, then takes the reload value; from 0 it takes it at once. A zero reload value lets it
    # stay at 0. Counting from 1 to 0 sets COUNTFLAG, which reading SYST_CSR or writing SYST_CVR clears (B3.3.1).

    def _write_systick(self, address: int, value: int) -> None:
        self._settle_systick(address, reading=False)
        if address == SYST_RVR:
            self._words[address] = value & COUNTER_MASK
        elif address == SYST_CVR:
            self._systick_start, self._systick_flag = 0, False
        else:
            self._words[address] = value & (ENABLE | TICKINT | CLKSOURCE)
            if value & TICKINT:
                self.notes.add("SysTick interrupt enabled (TICKINT), but exceptions are not delivered")
            if value & ENABLE and not value & CLKSOURCE:
                self.notes.add("SysTick runs on its reference clock, which is taken to be the core clock")

    def _settle_systick(self, address: int, *, reading: bool) -> None:
        """Bring the counter's value and flag up to the access of ``address``."""
        running = bool(self._words.get(SYST_CSR, 0) & ENABLE)
        self.clock_reads += 1 if running and reading else 0
        now = self._now(address, reading) if running or not reading else self._systick_since
        ticks = now - self._systick_since if running else 0
        self._systick_since = now
        reload, start = self._words.get(SYST_RVR, 0), self._systick_start
        if ticks < start:
            self._systick_start = start - ticks
            return
        since_zero = ticks - start
        self._systick_flag |= start > 0 or (since_zero > reload > 0)
        self._systick_start = reload - (since_zero - 1) % (reload + 1) if since_zero else 0

    def _systick_status(self) -> int:
        self._settle_systick(SYST_CSR, reading=True)
        flag = COUNTFLAG if self._systick_flag else 0
        self._systick_flag = False
        return self._words.get(SYST_CSR, 0) | flag

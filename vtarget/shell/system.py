"""The private peripheral bus as far as a run without exceptions needs it: DWT, SysTick, SCB and FPU registers.

Addresses and reset values: Armv7-M ARM (DDI 0403) B3.2 and C1.8, Armv8-M ARM (DDI 0553) D1.2; CPUID values from the
cores' reference manuals.
"""

from __future__ import annotations

from collections.abc import Callable

PPB_BASE, PPB_SIZE = 0xE0000000, 0x100000

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

CYCCNTENA, TRCENA = 1, 1 << 24
ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1, 2, 4, 1 << 16
COUNTER_MASK = 0xFFFFFF
CP10_CP11_FULL = 0xF << 20
# What the SCB and the NVIC hold without anything following from it in this version.
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
        self._systick_since = 0
        self._systick_wraps_seen = 0
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
                return self._cycle_count(address, reading=True)
            case _ if address == DWT_CTRL and self._has_cycle_counter:
                return 4 << 28 | self._words.get(DWT_CTRL, 0)
            case _ if address == DWT_LSR:
                return 0
            case _ if address == SYST_CVR:
                return self._systick_value()
            case _ if address == SYST_CSR:
                return self._systick_status()
        if not self._is_known(address):
            self.untouched[address] = self.untouched.get(address, 0) + 1
        return self._words.get(address, 0)

    def _write_word(self, address: int, value: int) -> None:
        if address == DWT_CYCCNT and self._has_cycle_counter:
            self._cyccnt, self._cyccnt_since = value, self._now(address, False)
        elif address in (DWT_CTRL, DEMCR) and self._has_cycle_counter:
            self._cyccnt = self._cycle_count(address, reading=False)
            self._cyccnt_since = self._now(address, False)
            self._words[address] = value & CYCCNTENA if address == DWT_CTRL else value
        elif address == SYST_CSR:
            self._configure_systick(value)
        elif address == SYST_CVR:
            self._systick_since, self._systick_wraps_seen = self._now(address, False), 0
        elif address == SYST_RVR:
            self._words[address] = value & COUNTER_MASK
        elif address != CPUID:
            if not self._is_known(address):
                self.untouched[address] = self.untouched.get(address, 0) + 1
            if address == CPACR and not self._has_fpu:
                value &= ~CP10_CP11_FULL
            self._words[address] = value

    @staticmethod
    def _is_known(address: int) -> bool:
        return any(low <= address < high for low, high in PLAIN_STORAGE) or address in (
            SYST_RVR, SYST_CALIB, DWT_CTRL, DWT_LAR, DEMCR, ICTR, CPUID,
        )  # fmt: skip

    def _cycle_count(self, address: int, *, reading: bool) -> int:
        if reading:
            self.clock_reads += 1
        running = self._words.get(DEMCR, 0) & TRCENA and self._words.get(DWT_CTRL, 0) & CYCCNTENA
        elapsed = self._now(address, reading) - self._cyccnt_since if running else 0
        return (self._cyccnt + elapsed) & 0xFFFFFFFF

    def _configure_systick(self, value: int) -> None:
        if value & TICKINT:
            self.notes.add("SysTick interrupt enabled (TICKINT), but exceptions are not delivered")
        if value & ENABLE and not value & CLKSOURCE:
            self.notes.add("SysTick runs on its reference clock, which is taken to be the core clock")
        if value & ENABLE and not self._words.get(SYST_CSR, 0) & ENABLE:
            self._systick_since, self._systick_wraps_seen = self._now(SYST_CSR, False), 0
        self._words[SYST_CSR] = value & (ENABLE | TICKINT | CLKSOURCE)

    def _systick_ticks(self, address: int) -> int:
        if not self._words.get(SYST_CSR, 0) & ENABLE:
            return 0
        self.clock_reads += 1
        return self._now(address, True) - self._systick_since

    def _systick_value(self) -> int:
        """Counts reload, reload - 1, …, 0, reload: a period of reload + 1 cycles. Starts from 0, so reload comes next."""
        reload = self._words.get(SYST_RVR, 0)
        ticks = self._systick_ticks(SYST_CVR)
        if ticks == 0 or reload == 0:
            return 0
        return reload - (ticks - 1) % (reload + 1)

    def _systick_status(self) -> int:
        """COUNTFLAG reads as 1 if the counter went from 1 to 0 since it was last read."""
        reload = self._words.get(SYST_RVR, 0)
        ticks = self._systick_ticks(SYST_CSR)
        wraps = ticks // (reload + 1) if reload else 0
        flag = COUNTFLAG if wraps > self._systick_wraps_seen else 0
        self._systick_wraps_seen = max(wraps, self._systick_wraps_seen)
        return self._words.get(SYST_CSR, 0) | flag

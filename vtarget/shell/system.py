"""The private peripheral bus: ITM, DWT, SysTick, system control and debug registers, by address."""

from __future__ import annotations

from typing import Protocol

from vtarget.shell.dwt import DWT_BASE, DWT_SIZE, Dwt
from vtarget.shell.scb import BASELINE_CORES, CFSR, DFSR, HFSR, ICSR, IPR, ISER, SystemControl
from vtarget.shell.systick import SYST_CALIB, SYST_CSR, SYST_CVR, SYST_RVR, SysTick

PPB_BASE, PPB_SIZE = 0xE0000000, 0x100000
TPIU_BASE, TRACE_SIZE = 0xE0040000, 0x1000
DHCSR, DEMCR = 0xE000EDF0, 0xE000EDFC
TRCENA = 1 << 24
PLAIN = (SYST_CALIB, 0xE000EDF4, 0xE000EDF8)  # DCRSR, DCRDR


class Registers(Protocol):
    """A block of registers by absolute address."""

    def read(self, address: int, size_bytes: int) -> int:
        """The value read."""

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write."""


class SystemBlock:
    """Dispatches accesses of the PPB. ``untouched`` counts accesses of registers that nothing models."""

    def __init__(
        self,
        core: str,
        control: SystemControl,
        systick: SysTick,
        dwt: Dwt,
        itm: Registers | None = None,
        tpiu: Registers | None = None,
    ) -> None:
        self.control = control
        self.systick = systick
        self.dwt = dwt
        self._trace = ((PPB_BASE, itm), (TPIU_BASE, tpiu))
        self._has_dwt = core not in BASELINE_CORES
        self._words: dict[int, int] = {}
        self.untouched: dict[int, int] = {}

    @property
    def clock_reads(self) -> int:
        """How often the firmware read a counter that follows time."""
        return self.systick.clock_reads + self.dwt.clock_reads

    @property
    def traced(self) -> bool:
        """DEMCR.TRCENA."""
        return bool(self._words.get(DEMCR, 0) & TRCENA)

    def read(self, address: int, size_bytes: int) -> int:
        """Value of ``size_bytes`` at ``address``."""
        trace = self._trace_at(address)
        if trace is not None:
            return trace.read(address, size_bytes)
        return self._read_word(address & ~3) >> 8 * (address & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """Write ``size_bytes`` at ``address``; parts of a word leave the rest."""
        trace = self._trace_at(address)
        if trace is not None:
            trace.write(address, size_bytes, value)
            return
        word = address & ~3
        if size_bytes < 4:
            shift = 8 * (address & 3)
            mask = ((1 << 8 * size_bytes) - 1) << shift
            value = (0 if _is_triggering(word) else self._peek(word)) & ~mask | value << shift & mask
        self._write_word(word, value & 0xFFFFFFFF)

    def _trace_at(self, address: int) -> Registers | None:
        """The ITM or the TPIU, if it is at ``address``; baseline cores have neither."""
        for base, unit in self._trace:
            if base <= address < base + TRACE_SIZE:
                return unit if self._has_dwt else None
        return None

    def _peek(self, address: int) -> int:
        """A word for a narrow write, without a read's side effects."""
        if address in (SYST_CSR, SYST_RVR, SYST_CVR) or DWT_BASE <= address < DWT_BASE + DWT_SIZE:
            return 0
        value = self.control.read_word(address)
        return self._words.get(address, 0) if value is None else value

    def _read_word(self, address: int) -> int:
        if self._has_dwt and DWT_BASE <= address < DWT_BASE + DWT_SIZE:
            return self.dwt.read_word(address)
        if address in (SYST_CSR, SYST_RVR, SYST_CVR):
            return self.systick.read_word(address)
        value = self.control.read_word(address)
        if value is not None:
            return value
        self._count(address)
        return self._words.get(address, 0)

    def _write_word(self, address: int, value: int) -> None:
        if self._has_dwt and DWT_BASE <= address < DWT_BASE + DWT_SIZE:
            self.dwt.write_word(address, value)
        elif address in (SYST_CSR, SYST_RVR, SYST_CVR):
            self.systick.write_word(address, value)
        elif not self.control.write_word(address, value):
            self._count(address)
            self._words[address] = value
            if address == DEMCR:
                self.dwt.set_traced(self.traced)

    def _count(self, address: int) -> None:
        if address not in (*PLAIN, DHCSR, DEMCR):
            self.untouched[address] = self.untouched.get(address, 0) + 1


def _is_triggering(address: int) -> bool:
    """Whether a write acts by its set bits alone, so that a narrow write leaves the others alone."""
    return ISER <= address < IPR or address in (ICSR, CFSR, HFSR, DFSR)

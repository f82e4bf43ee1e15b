"""The Instrumentation Trace Macrocell as firmware sees it (Armv7-M ARM, DDI 0403, C1.7), and the TPIU behind it.

A stimulus port sends when DEMCR.TRCENA, ITM_TCR.ITMENA and its bit in ITM_TER are set: nothing is set up by a debugger
here. The FIFO is always ready. Port 0 is console text; the others are kept and noted. Timestamps, the DWT's packets and
unprivileged access (ITM_TPR) are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable

ITM_BASE, TPIU_BASE = 0xE0000000, 0xE0040000
PORTS = 32
TER, TPR, TCR, LAR, LSR = 0xE00, 0xE40, 0xE80, 0xFB0, 0xFB4
ITMENA = 1
TCR_BITS = 0x007F0F3F  # all but BUSY
TPR_BITS = 0xF
UNLOCK_KEY = 0xC5ACCE55
LOCK_PRESENT, LOCKED = 1, 2
FIFO_READY, DISABLED = 1, 2
# Cores whose ITM has a software lock (LAR and LSR in CMSIS core_cm3.h, core_cm4.h, core_cm7.h), closed at reset, and
# those that tell in a stimulus port that it is off (CMSIS core_cm33.h, ITM_STIM_DISABLED).
LOCKED_CORES = frozenset({"cortex-m3", "cortex-m4", "cortex-m7"})
ARMV8_CORES = frozenset({"cortex-m23", "cortex-m33", "cortex-m55", "cortex-m85"})
KEPT_BYTES = 1 << 16


class Itm:
    """Registers by absolute address. ``traced`` tells DEMCR.TRCENA, ``write`` gets what port 0 sends."""

    def __init__(self, core: str, traced: Callable[[], bool], write: Callable[[bytes], None]) -> None:
        self._traced = traced
        self._write = write
        self._has_lock = core in LOCKED_CORES
        self._tells_disabled = core in ARMV8_CORES
        self._locked = self._has_lock
        self._words: dict[int, int] = {}
        self._lost = 0
        self._sent: dict[int, int] = {}
        self.texts: dict[int, bytearray] = {}

    def read(self, address: int, size_bytes: int) -> int:
        """The value read."""
        offset = address - ITM_BASE
        return self._read_word(offset & ~3) >> 8 * (offset & 3) & ((1 << 8 * size_bytes) - 1)

    def _read_word(self, offset: int) -> int:
        if offset < 4 * PORTS:
            return FIFO_READY | (DISABLED if self._tells_disabled and not self._sends(offset // 4) else 0)
        if offset == LSR:
            return (LOCK_PRESENT | (LOCKED if self._locked else 0)) if self._has_lock else 0
        return self._words.get(offset, 0)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write. At a stimulus port its width is that of the packet."""
        offset = address - ITM_BASE
        value &= (1 << 8 * size_bytes) - 1
        if offset < 4 * PORTS:
            self._send(offset // 4, value.to_bytes(size_bytes, "little"))
        elif offset & ~3 == LAR:
            self._locked = self._has_lock and value != UNLOCK_KEY
        elif not self._locked:
            self._write_word(offset & ~3, self._merged(offset, size_bytes, value))

    def _merged(self, offset: int, size_bytes: int, value: int) -> int:
        shift = 8 * (offset & 3)
        mask = ((1 << 8 * size_bytes) - 1) << shift
        return self._words.get(offset & ~3, 0) & ~mask | value << shift & mask

    def _write_word(self, offset: int, value: int) -> None:
        if offset == LSR:
            return
        self._words[offset] = value & {TCR: TCR_BITS, TPR: TPR_BITS}.get(offset, 0xFFFFFFFF)

    def _sends(self, port: int) -> bool:
        on = self._words.get(TCR, 0) & ITMENA and self._words.get(TER, 0) >> port & 1
        return bool(on) and self._traced()

    def _send(self, port: int, data: bytes) -> None:
        if not self._sends(port):
            self._lost += 1
            return
        self._sent[port] = self._sent.get(port, 0) + len(data)
        if port == 0:
            self._write(data)
        else:
            text = self.texts.setdefault(port, bytearray())
            text += data[: KEPT_BYTES - len(text)]

    @property
    def notes(self) -> list[str]:
        """What went to other ports than 0, and what went nowhere."""
        notes = [f"ITM port {port}: {size} bytes not shown" for port, size in sorted(self._sent.items()) if port]
        if self._lost:
            notes.append(f"ITM: {self._lost} writes to stimulus ports that are off (DEMCR, ITM_TCR, ITM_TER)")
        return notes


class Tpiu:
    """The Trace Port Interface Unit: memory. Reset values as in the Cortex-M4's manual (DDI 0439, 9; recalled)."""

    def __init__(self) -> None:
        self._words = {0x004: 1, 0x0F0: 1, 0x300: 8, 0x304: 0x102, 0xFC8: 0xCA1, 0xFCC: 0x11}

    def read(self, address: int, size_bytes: int) -> int:
        """The value read."""
        offset = address - TPIU_BASE
        return self._words.get(offset & ~3, 0) >> 8 * (offset & 3) & ((1 << 8 * size_bytes) - 1)

    def write(self, address: int, size_bytes: int, value: int) -> None:
        """A write; the status and identification registers keep their values."""
        offset = address - TPIU_BASE
        if offset & ~3 in (0x300, 0xFC8, 0xFCC):
            return
        shift = 8 * (offset & 3)
        mask = ((1 << 8 * size_bytes) - 1) << shift
        self._words[offset & ~3] = self._words.get(offset & ~3, 0) & ~mask | value << shift & mask

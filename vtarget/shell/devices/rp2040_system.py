"""RP2040 blocks where firmware waits for little or nothing: registers with reset values, and the bits that answer.

RP2040 datasheet: regulator 2.10, power-on state machine 2.13, pads 2.19.6.3, system information 2.20, bus fabric 2.1.5;
reset values as in the SVD of pico-sdk. The chip identifies itself as B2 silicon.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.rp2040_resets import on_reset

FRCE_ON, FRCE_OFF, PSM_WDSEL, PSM_DONE = 0x0, 0x4, 0x8, 0xC
PSM_ALL, PROC1 = 0x1FFFF, 1 << 16
CORE1_SIGNAL = "CORE1_OFF"


@dataclass(frozen=True)
class Block:
    """Reset values by offset, and bits that read as given whatever was written: (mask, value) by offset."""

    reset: Mapping[int, int]
    fixed: Mapping[int, tuple[int, int]]


_ALL_BITS = 0xFFFFFFFF
_PINS = 30
SYSINFO = Block({}, {0x00: (_ALL_BITS, 0x20002927), 0x04: (_ALL_BITS, 2)})  # CHIP_ID of B2, PLATFORM.ASIC
SYSCFG = Block({0x08: 0x10000000, 0x14: 0x66}, {})
TBMAN = Block({}, {0x00: (_ALL_BITS, 1)})  # PLATFORM.ASIC
VREG = Block({0x00: 0xB1, 0x04: 0x91, 0x08: 1 << 8}, {0x00: (1 << 12, 1 << 12)})  # in regulation; HAD_POR
BUSCTRL = Block({0x0C: 0x1F, 0x14: 0x1F, 0x1C: 0x1F, 0x24: 0x1F}, {0x04: (_ALL_BITS, 1)})
PADS_BANK0 = Block({4 + 4 * pin: 0x56 for pin in range(_PINS)} | {0x7C: 0xDA, 0x80: 0x5A}, {})
PADS_QSPI = Block({0x04: 0x56, 0x08: 0x52, 0x0C: 0x52, 0x10: 0x52, 0x14: 0x52, 0x18: 0x5A}, {})
IO_QSPI = Block({4 + 8 * pin: 0x1F for pin in range(6)}, {8 * pin: (_ALL_BITS, 0) for pin in range(6)})


class Rp2040Block(WordDevice):
    """One of the blocks above; a reset of the subsystem gives it its reset values again."""

    def __init__(self, ports: Ports, block: Block) -> None:
        super().__init__(ports)
        self._block = block
        self.words = dict(block.reset)
        on_reset(ports, lambda: self.words.update(block.reset))

    def read_word(self, offset: int) -> int:
        """What was written, but for the bits that the hardware drives."""
        mask, value = self._block.fixed.get(offset, (0, 0))
        return super().read_word(offset) & ~mask | value


class Rp2040Psm(WordDevice):
    """Power-on state machine: DONE is what isn't forced off; core 1's bit is a signal for the SIO's mailbox."""

    def read_word(self, offset: int) -> int:
        """DONE follows FRCE_OFF."""
        return PSM_ALL & ~self.words.get(FRCE_OFF, 0) if offset == PSM_DONE else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """FRCE_OFF of anything but core 1 would stop the chip."""
        self.words[offset] = value & PSM_ALL
        if offset == FRCE_OFF:
            self.ports.set_signal(CORE1_SIGNAL, bool(value & PROC1))
            if value & PSM_ALL & ~PROC1:
                self.ports.note(f"{self.ports.name}: blocks forced off (FRCE_OFF) keep working")


_BLOCKS = {
    "sysinfo": SYSINFO,
    "syscfg": SYSCFG,
    "tbman": TBMAN,
    "vreg": VREG,
    "busctrl": BUSCTRL,
    "pads_bank0": PADS_BANK0,
    "pads_qspi": PADS_QSPI,
    "io_qspi": IO_QSPI,
}
MODELS: dict[str, Callable[[Ports], Device]] = {
    "psm": Rp2040Psm,
    **{name: partial(Rp2040Block, block=block) for name, block in _BLOCKS.items()},
}

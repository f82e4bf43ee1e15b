"""Flash interface of the STM32F101, F102 and F103 (PM0075; bits as in stm32f103xb.h).

The prefetch buffer is on after reset (PM0075 3.1, recalled). A page's erase takes 20 ms (DS5319, recalled). Option
bytes are not modelled.
"""

from __future__ import annotations

from vtarget.shell.devices.device import Ports
from vtarget.shell.devices.stm32_flash_core import ACR, Factory, Layout, Stm32Flash

PRFTBE, PRFTBS, HLFCYA = 1 << 4, 1 << 5, 1 << 3
SR, CR, OBR = 0x0C, 0x10, 0x1C
LAYOUT = Layout(
    keyr=0x04,
    optkeyr=0x08,
    sr=SR,
    cr=CR,
    options=OBR,
    option_control=CR,
    option_lock=0,
    option_start=0,
    erases=1 << 1 | 1 << 2 | 1 << 5,
    latency=0x7,
    erase_us=20_000,
    switches={"FLASH.PRFTBE": PRFTBE},
    reset_words={ACR: PRFTBE | PRFTBS, CR: 1 << 7, OBR: 0x03FF_FFFC},
    lock=1 << 7,
    start=1 << 6,
    busy=1 << 0,
    ended=1 << 5,
    end_interrupt=1 << 12,
    always_ends=True,
)


class Stm32FlashF1(Stm32Flash):
    """ACR has no bits that reset caches; PRFTBS shows whether the prefetch buffer is on."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports, LAYOUT)

    def write_word(self, offset: int, value: int) -> None:
        """PRFTBS and OBR are read-only."""
        if offset == ACR:
            value = value & (LAYOUT.latency | HLFCYA | PRFTBE) | (PRFTBS if value & PRFTBE else 0)
            if value & HLFCYA:
                self.ports.note(f"{self.ports.name}: half-cycle access is not modelled")
        if offset != OBR:
            super().write_word(offset, value)


MODELS: dict[str, Factory] = {"": Stm32FlashF1}

"""RP2040 subsystem resets: RESET_DONE follows RESET; each block's line is a signal ``RESET_<block>``.

RP2040 datasheet 2.14 (list of registers: 2.14.3).
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.devices.device import Device, Ports, WordDevice

RESET, WDSEL, RESET_DONE = 0x0, 0x4, 0x8
BLOCKS = (
    *("ADC", "BUSCTRL", "DMA", "I2C0", "I2C1", "IO_BANK0", "IO_QSPI", "JTAG", "PADS_BANK0", "PADS_QSPI", "PIO0"),
    *("PIO1", "PLL_SYS", "PLL_USB", "PWM", "RTC", "SPI0", "SPI1", "SYSCFG", "SYSINFO", "TBMAN", "TIMER", "UART0"),
    *("UART1", "USBCTRL"),
)  # bits 0 to 24
ALL = (1 << len(BLOCKS)) - 1


def on_reset(ports: Ports, action: Callable[[], None]) -> None:
    """Call ``action`` when the block that has this device's name is put into reset."""
    ports.watch_signal(f"RESET_{ports.name}", lambda level: action() if level else None)


class Rp2040Resets(WordDevice):
    """A block is done with its reset as soon as it is released. Devices watch their signal; others ignore it."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {RESET: ALL}

    def read_word(self, offset: int) -> int:
        """RESET_DONE is what isn't held in reset."""
        return ~self.words[RESET] & ALL if offset == RESET_DONE else super().read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """RESET drives the lines that it changes."""
        if offset == RESET_DONE:
            return
        changed = (value ^ self.words[RESET]) & ALL if offset == RESET else 0
        self.words[offset] = value & ALL
        for bit, block in enumerate(BLOCKS):
            if changed >> bit & 1:
                self.ports.set_signal(f"RESET_{block}", bool(value >> bit & 1))


MODELS: dict[str, Callable[[Ports], Device]] = {"": Rp2040Resets}

"""STM32 EXTI: ``f4`` with one pending register per 32 lines (RM0090 12, RM0432 16), ``g0`` and ``u5`` with one for
either edge and the selection of ports (RM0444 13, RM0456 24).

A line follows the signal ``EXTI0`` .. , which SYSCFG or EXTICR passes on from a pin; SWIER does the same in software.
Interrupt lines: ``f4`` LINE0 to LINE4, LINE9_5, LINE15_10 and LINE16 on; ``g0`` LINE1_0, LINE3_2, LINE15_4 and LINE16
on; ``u5`` LINE0 on. Option ``imr_reset``: IMR1 after reset. Events for WFE (EMR) are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from vtarget.shell.devices.device import Device, Ports, WordDevice
from vtarget.shell.devices.pins import bits, number_option
from vtarget.shell.devices.stm32_syscfg import PortSelection

GROUPS_F4 = {line: "LINE9_5" if line < 10 else "LINE15_10" for line in range(5, 16)}
GROUPS_G0 = {line: "LINE1_0" if line < 2 else "LINE3_2" if line < 4 else "LINE15_4" for line in range(16)}
EXTICR = 0x60


@dataclass(frozen=True)
class Bank:
    """Offsets of the registers of 32 lines; ``falling`` is ``rising`` where one register holds both edges."""

    imr: int
    emr: int
    rtsr: int
    ftsr: int
    swier: int
    rising: int
    falling: int


@dataclass(frozen=True)
class Layout:
    """A variant. ``sticky``: SWIER keeps its bits until the pending bit is cleared, and needs IMR."""

    banks: tuple[Bank, ...]
    groups: dict[int, str]
    sticky: bool


F4 = Layout(
    tuple(Bank(b, b + 4, b + 8, b + 0xC, b + 0x10, b + 0x14, b + 0x14) for b in (0x00, 0x20)), GROUPS_F4, sticky=True
)
SPLIT_BANKS = (Bank(0x80, 0x84, 0x00, 0x04, 0x08, 0x0C, 0x10), Bank(0x90, 0x94, 0x28, 0x2C, 0x30, 0x34, 0x38))
G0 = Layout(SPLIT_BANKS, GROUPS_G0, sticky=False)
U5 = Layout(SPLIT_BANKS, {}, sticky=False)


class Stm32Exti(WordDevice):
    """The lines, with their edges, masks and pending bits."""

    def __init__(self, ports: Ports, layout: Layout) -> None:
        super().__init__(ports)
        self._at = layout
        self._numbers = {
            offset: number
            for number, bank in enumerate(layout.banks)
            for offset in (bank.imr, bank.emr, bank.rtsr, bank.ftsr, bank.swier, bank.rising, bank.falling)
        }
        self.words = dict.fromkeys(self._numbers, 0) | {layout.banks[0].imr: number_option(ports, "imr_reset", 0)}
        self._levels = 0
        self._high: set[str] = set()  # interrupt lines
        self._selection = None if layout.sticky else PortSelection(ports, 8)
        for line in range(32 * len(layout.banks)):
            ports.watch_signal(f"EXTI{line}", partial(self._on_level, line))

    def peek_word(self, offset: int) -> int:
        """A narrow write leaves the other bits of the registers that act on ones."""
        bank = self._bank(offset)
        return 0 if bank and offset in (bank.swier, bank.rising, bank.falling) else self.words.get(offset, 0)

    def write_word(self, offset: int, value: int) -> None:
        """Write a register."""
        bank = self._bank(offset)
        if bank is None:
            self.words[offset] = value
            if self._selection and EXTICR <= offset < EXTICR + 16:
                self._selection.select((offset - EXTICR) // 4, value)
            return
        if offset == bank.swier:
            self._trigger(bank, value)
        elif offset in (bank.rising, bank.falling):
            self.words[offset] &= ~value
            if self._at.sticky:
                self.words[bank.swier] &= ~value
        else:
            self.words[offset] = value
            if offset == bank.emr and value:
                self.ports.note(f"{self.ports.name}: events for WFE (EMR) are not modelled")
        self._update()

    def _bank(self, offset: int) -> Bank | None:
        number = self._numbers.get(offset)
        return None if number is None else self._at.banks[number]

    def _trigger(self, bank: Bank, value: int) -> None:
        """SWIER: RM0090 12.3.5 (a pending bit if IMR enables it), RM0444 13.5.3 (a rising edge, bits read 0)."""
        if self._at.sticky:
            new = value & ~self.words[bank.swier]
            self.words[bank.swier] |= value
            self.words[bank.rising] |= new & self.words[bank.imr]
        else:
            self.words[bank.rising] |= value

    def _on_level(self, line: int, level: bool) -> None:
        one = 1 << line
        if bool(self._levels & one) == level:
            return
        self._levels ^= one
        bank = self._at.banks[line // 32]
        if self.words[bank.rtsr if level else bank.ftsr] >> line % 32 & 1:
            self.words[bank.rising if level else bank.falling] |= 1 << line % 32
            self._update()

    def _update(self) -> None:
        words = self.words
        active = {
            self._at.groups.get(32 * number + bit, f"LINE{32 * number + bit}")
            for number, bank in enumerate(self._at.banks)
            for bit in bits((words[bank.rising] | words[bank.falling]) & words[bank.imr])
        }
        for name in sorted(active ^ self._high):
            self.ports.set_irq(name in active, name)
        self._high = active


MODELS: dict[str, Callable[[Ports], Device]] = {
    "f4": partial(Stm32Exti, layout=F4),
    "g0": partial(Stm32Exti, layout=G0),
    "u5": partial(Stm32Exti, layout=U5),
}

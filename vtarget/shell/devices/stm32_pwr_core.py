"""What the power controllers (PWR) of the STM32 families share: delayed flags, and the backup domain's write access.

Each has ``low_power_mode``, the mode that WFI or WFE enters while SLEEPDEEP is set, by its name in the manual. Wake-up
pins, supply monitors and what the modes switch off are not modelled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from vtarget.shell.clocks import Alarm
from vtarget.shell.devices.device import Ports, WordDevice
from vtarget.shell.devices.stm32_rcc_tree import BACKUP_WRITE


class Stm32Pwr(WordDevice, ABC):
    """A power controller. ``dbp`` is the register and bit that let firmware write the backup domain."""

    def __init__(self, ports: Ports, reset_words: Mapping[int, int], dbp: tuple[int, int]) -> None:
        super().__init__(ports)
        self.words = dict(reset_words)
        self._dbp = dbp
        self._micros = ports.fixed_clock(1_000_000)
        self._pending: dict[str, Alarm] = {}

    @property
    @abstractmethod
    def low_power_mode(self) -> str:
        """The low-power mode that is selected."""

    def accept(self, offset: int, value: int) -> int:
        """What a write leaves in a register; the family starts its changes here."""
        return value

    def after(self, what: str, time_us: int, action: Callable[[], None]) -> None:
        """Call ``action`` later, instead of an earlier one for the same thing."""
        self.stop(what)
        self._pending[what] = self._micros.at(self._micros.ticks + time_us, action)

    def stop(self, what: str) -> None:
        """Take an action back."""
        if what in self._pending:
            self._pending.pop(what).cancel()

    def set_later(self, offset: int, bits: int, time_us: int) -> None:
        """The bits clear now and get set in a while."""
        self.words[offset] = self.words.get(offset, 0) & ~bits
        self.after(f"{offset}.{bits}", time_us, lambda: self._change(offset, 0, bits))

    def clear_later(self, offset: int, bits: int, time_us: int) -> None:
        """The bits get set now and clear in a while."""
        self.words[offset] = self.words.get(offset, 0) | bits
        self.after(f"{offset}.{bits}", time_us, lambda: self._change(offset, bits, 0))

    def change_now(self, offset: int, clear: int, bits: int) -> None:
        """Change bits, against whatever was to change them later."""
        self.stop(f"{offset}.{clear | bits}")
        self._change(offset, clear, bits)

    def write_word(self, offset: int, value: int) -> None:
        """Store what the family accepts; DBP goes to the RCC."""
        self.words[offset] = self.accept(offset, value)
        register, bit = self._dbp
        if offset == register:
            self.ports.set_signal(BACKUP_WRITE, bool(self.words[offset] & bit))

    def _change(self, offset: int, clear: int, bits: int) -> None:
        self.words[offset] = self.words.get(offset, 0) & ~clear | bits


Factory = Callable[[Ports], Stm32Pwr]
